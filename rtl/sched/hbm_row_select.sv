// Chooses the row commands of one PC: a cycle ahead it picks at most one ACT and one short command, then offers them.
//
// Contract: M5.1, M5.2. A pick of cycle n looks at n+1 ("next" flags) and leaves out the banks offered in n; the offer in n+1 is
// checked again against the state of n+1, stays while it is legal and not granted, and makes room for a new pick otherwise.

module hbm_row_select
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic enable_i,
  input logic writing_i,
  input logic rrd_l_long_i,  // an ACT closes its group for the next cycle

  input bank_ok_t   ok_i,
  input pc_ok_t     pc_ok_i,
  input group_vec_t group_ok0_i,
  input group_vec_t group_ok1_i,
  input group_vec_t group_next1_i,
  input demand_t    demand_i,
  input ref_wish_t  wish_i,
  input bank_vec_t  stale_i,  // open without use for long
  input bank_vec_t  claimed_i,  // by the champion, which does not hit there

  // Entries that could use an open row: they wait for no other entry.
  input rd_vec_t rd_able_i,
  input rd_vec_t rd_hit_i,
  input rd_vec_t rd_of_bank_i [NumBanks],
  input wr_vec_t wr_able_i,
  input wr_vec_t wr_hit_i,
  input wr_vec_t wr_of_bank_i [NumBanks],

  // Services of the queues: of each set the champion, else the oldest urgent entry, else the oldest; whether there is one, an urgent one,
  // the champion.
  output rd_vec_t rd_act_set_o,
  input  loc_t    rd_act_loc_i,
  input  logic    rd_act_any_i,
  input  logic    rd_act_urgent_i,
  input  logic    rd_act_champion_i,
  output rd_vec_t rd_pre_set_o,
  input  logic [BankWidth-1:0] rd_pre_bank_i,
  input  logic    rd_pre_any_i,
  input  logic    rd_pre_urgent_i,
  input  logic    rd_pre_champion_i,
  output wr_vec_t wr_act_set_o,
  input  loc_t    wr_act_loc_i,
  input  logic    wr_act_any_i,
  input  logic    wr_act_urgent_i,
  input  logic    wr_act_champion_i,
  output wr_vec_t wr_pre_set_o,
  input  logic [BankWidth-1:0] wr_pre_bank_i,
  input  logic    wr_pre_any_i,
  input  logic    wr_pre_urgent_i,
  input  logic    wr_pre_champion_i,

  output row_cmd_t act_o,
  output row_cmd_t short_o,
  output logic     short_a_ok_o,
  output logic     short_wanted_o,  // it is a PRE picked for an entry that wants another row
  input  logic     act_gnt_i,
  input  logic     short_gnt_i,

  output bank_vec_t act_bank_o,  // bank of the ACT that is picked, zero without one; early
  output logic      pending_o    // a pick is waiting or offered
);

  // ---------------------------------------------------------------- offers of this cycle
  logic      act_valid_q, act_urgent_q;
  loc_t      act_loc_q;
  bank_vec_t act_bank;
  logic      short_valid_q, short_urgent_q, short_wanted_q;
  cmd_e      short_cmd_q;
  logic [BankWidth-1:0] short_idx_q;
  bank_vec_t short_bank;  // one-hot, zero for PREA and REF
  logic      act_offer, short_ok0, short_ok1, must_refsb, must_pre, ahead_pre;

  assign act_bank   = bank_onehot(act_loc_q.bank);
  assign short_bank = (short_cmd_q == CmdPre || short_cmd_q == CmdRefsb) ? bank_onehot(short_idx_q) : '0;

  bank_vec_t group_ok0, group_ok1, may_pre, may_ref;
  assign group_ok0 = banks_of_groups(group_ok0_i);
  assign group_ok1 = banks_of_groups(group_ok1_i);
  // A hit keeps a row open, except where hits are masked.
  assign may_pre = ok_i.open & (wish_i.held | ~demand_i.keep_open);
  assign may_ref = wish_i.left & (wish_i.held | ~demand_i.queued);

  always_comb begin
    short_ok0 = 1'b0;
    short_ok1 = 1'b0;
    unique case (short_cmd_q)
      CmdPre: begin
        short_ok0 = pc_ok_i.pre0 && (short_bank & may_pre & ok_i.pre_ok0) != '0;
        short_ok1 = pc_ok_i.pre1 && (short_bank & may_pre & ok_i.pre_ok1) != '0;
      end
      // Every bank, the idle ones too, must bear a PRE: then tRP from here covers each pending auto-precharge.
      CmdPrea: begin
        short_ok0 = pc_ok_i.pre0 && pc_ok_i.prea0 && (&ok_i.pre_ok0) && (wish_i.must_all || wish_i.must_prea);
        short_ok1 = pc_ok_i.pre1 && pc_ok_i.prea1 && (&ok_i.pre_ok1) && (wish_i.must_all || wish_i.must_prea);
      end
      CmdRefsb: begin
        short_ok0 = pc_ok_i.refsb0 && wish_i.due && (short_bank & may_ref & ok_i.idle_ok0 & group_ok0) != '0;
        short_ok1 = pc_ok_i.refsb1 && wish_i.due && (short_bank & may_ref & ok_i.idle_ok1 & group_ok1) != '0;
      end
      CmdRef: begin
        short_ok0 = pc_ok_i.ref0 && wish_i.must_all && (&ok_i.idle_ok0);
        short_ok1 = pc_ok_i.ref1 && wish_i.must_all && (&ok_i.idle_ok1);
      end
      default: ;
    endcase
    short_ok0 &= short_valid_q;
    short_ok1 &= short_valid_q;
  end

  // A refresh that must happen, or the PRE of an urgent request, silences this PC's own ACT where they cannot share a cycle. PREA and REF
  // come while all banks are held, which is asked of the ACT itself.
  assign must_refsb  = short_valid_q && short_cmd_q == CmdRefsb && pc_ok_i.refsb1 && wish_i.due
                       && (short_bank & wish_i.left & wish_i.held & ok_i.idle_ok1 & group_ok1) != '0;
  // With an ACT in every cycle of HBM2's row bus, what must be closed has to go before it.
  assign must_pre    = (short_urgent_q && !act_urgent_q) || (short_bank & (wish_i.held | claimed_i)) != '0;
  assign ahead_pre   = (Generation < 3) && short_valid_q && short_cmd_q == CmdPre && must_pre && pc_ok_i.pre1
                       && (short_bank & may_pre & ok_i.pre_ok1) != '0;
  assign act_offer   = act_valid_q && pc_ok_i.act && (act_bank & ok_i.idle_ok1 & group_ok1 & ~wish_i.held) != '0
                       && !must_refsb && !ahead_pre;

  assign act_o        = '{valid: act_offer, cmd: CmdAct, addr: addr_of(act_loc_q)};
  assign short_o      = '{valid: short_ok1, cmd: short_cmd_q, addr: addr_of('{bank: short_idx_q, row: '0, col: '0})};
  assign short_a_ok_o = short_ok0;
  assign short_wanted_o = short_wanted_q;
  assign act_bank_o   = act_valid_q ? act_bank : '0;
  assign pending_o    = act_valid_q | short_valid_q;

  // ---------------------------------------------------------------- picks for the next cycle
  // Banks offered in this cycle are left out. What is asked last of a short command is whether a bank is kept, and that does not
  // matter here: a bank that is a candidate for PRE is not kept, and the bank of a REFSB or PRE never is a candidate for ACT.
  bank_vec_t act_left_out, pre_left_out, busy, act_banks, pre_banks, ref_banks, stale_banks;
  assign act_left_out = act_bank | ({NumBanks{rrd_l_long_i}} & banks_of_groups(groups_of_banks(act_bank)));
  assign pre_left_out = (short_valid_q && short_cmd_q == CmdPre && pc_ok_i.pre1) ? (short_bank & ok_i.pre_ok1) : '0;
  assign busy         = ({NumBanks{act_offer}} & act_bank) | ({NumBanks{short_ok1}} & short_bank);
  assign act_banks    = ok_i.idle_next1 & banks_of_groups(group_next1_i) & ~wish_i.held;
  assign pre_banks    = ok_i.open & ok_i.pre_next1 & ~demand_i.keep_open & ~wish_i.held & ~pre_left_out;
  assign ref_banks    = ok_i.idle_next1 & banks_of_groups(group_next1_i) & ~busy & {NumBanks{pc_ok_i.refsb_next1}};

  // Stale rows last: the lowest-numbered one.
  assign stale_banks  = pre_banks & stale_i;

  rd_vec_t rd_act, rd_pre, rd_act_out;
  wr_vec_t wr_act, wr_pre, wr_act_out;

  always_comb begin
    rd_act = '0;
    wr_act = '0;
    rd_act_out = '0;
    wr_act_out = '0;
    rd_pre = '0;
    wr_pre = '0;
    if (!SkipQuiet || (act_banks & demand_i.queued) != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) begin
        rd_act |= rd_of_bank_i[b] & {RdEntries{act_banks[b]}};
        wr_act |= wr_of_bank_i[b] & {WrDepth{act_banks[b]}};
        rd_act_out |= rd_of_bank_i[b] & {RdEntries{act_left_out[b]}};
        wr_act_out |= wr_of_bank_i[b] & {WrDepth{act_left_out[b]}};
      end
    end
    if (!SkipQuiet || (pre_banks & demand_i.conflict) != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) begin
        rd_pre |= rd_of_bank_i[b] & {RdEntries{pre_banks[b]}};
        wr_pre |= wr_of_bank_i[b] & {WrDepth{pre_banks[b]}};
      end
    end
    rd_act_set_o = rd_act & rd_able_i & ~(rd_act_out & {RdEntries{act_offer}});
    wr_act_set_o = wr_act & wr_able_i & ~(wr_act_out & {WrDepth{act_offer}});
    rd_pre_set_o = rd_pre & rd_able_i & ~rd_hit_i;
    wr_pre_set_o = wr_pre & wr_able_i & ~wr_hit_i;
  end

  // Of the two queues: the champion first, urgent before not urgent, then the direction served before the other.
  function automatic logic takes_read(input logic writing, input logic rd_any, input logic rd_urgent, input logic rd_champion,
                                      input logic wr_any, input logic wr_urgent, input logic wr_champion);
    if (rd_champion | wr_champion) return rd_champion;
    return (rd_urgent | wr_urgent) ? rd_urgent & ~(wr_urgent & writing) : rd_any & ~(wr_any & writing);
  endfunction

  logic act_pick, act_keep, act_urgent, act_of_rd, pre_any, pre_urgent, pre_of_rd;
  loc_t act_loc_d;
  assign act_keep   = act_offer && !act_gnt_i;
  assign act_pick   = enable_i && (rd_act_any_i || wr_act_any_i);
  assign act_urgent = rd_act_urgent_i | wr_act_urgent_i;
  assign act_of_rd  = takes_read(writing_i, rd_act_any_i, rd_act_urgent_i, rd_act_champion_i,
                                 wr_act_any_i, wr_act_urgent_i, wr_act_champion_i);
  assign act_loc_d  = act_of_rd ? rd_act_loc_i : wr_act_loc_i;

  logic      short_pick, short_keep, short_urgent_d, short_wanted_d;
  cmd_e      short_cmd_d;
  logic [BankWidth-1:0] short_idx_d;
  assign short_keep = short_ok1 && !short_gnt_i;
  assign pre_any    = rd_pre_any_i | wr_pre_any_i;
  assign pre_urgent = rd_pre_urgent_i | wr_pre_urgent_i;
  assign pre_of_rd  = takes_read(writing_i, rd_pre_any_i, rd_pre_urgent_i, rd_pre_champion_i,
                                 wr_pre_any_i, wr_pre_urgent_i, wr_pre_champion_i);

  always_comb begin
    short_pick = 1'b1;
    short_cmd_d = CmdPre;
    short_idx_d = '0;
    short_urgent_d = 1'b0;
    short_wanted_d = 1'b0;
    if ((wish_i.must_all || wish_i.must_prea) && ok_i.open != '0) begin
      short_cmd_d = CmdPrea;
      // A PREA that was offered in this cycle may have been granted: wait for the banks to show it.
      short_pick = (&ok_i.pre_next1) && !(short_ok1 && short_cmd_q == CmdPrea);
    end else if (wish_i.must_all) begin
      short_cmd_d = CmdRef;
      short_pick = (&ok_i.idle_next1) && !(short_ok1 && short_cmd_q == CmdRef);
    end else if ((wish_i.must_ref & ref_banks) != '0) begin
      short_cmd_d = CmdRefsb;
      short_idx_d = bank_index(wish_i.must_ref);
    end else if ((wish_i.must_pre & ok_i.pre_next1 & ~busy) != '0) begin
      short_idx_d = bank_index(wish_i.must_pre);
    end else if (pre_any) begin
      short_idx_d = pre_of_rd ? rd_pre_bank_i : wr_pre_bank_i;
      short_urgent_d = pre_urgent;
      short_wanted_d = 1'b1;
    end else if ((wish_i.may_ref & ref_banks) != '0) begin
      short_cmd_d = CmdRefsb;
      short_idx_d = bank_index(wish_i.may_ref);
    end else if (stale_banks != '0) begin
      short_idx_d = bank_index(stale_banks & -stale_banks);
    end else begin
      short_pick = 1'b0;
    end
    short_pick &= enable_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      act_valid_q <= 1'b0;
      short_valid_q <= 1'b0;
    end else begin
      act_valid_q <= act_keep | act_pick;
      short_valid_q <= short_keep | short_pick;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!act_keep && (!SkipQuiet || act_pick)) begin
      act_loc_q <= act_loc_d;
      act_urgent_q <= act_urgent;
    end
    if (!short_keep && (!SkipQuiet || short_pick)) begin
      short_cmd_q <= short_cmd_d;
      short_idx_q <= short_idx_d;
      short_urgent_q <= short_urgent_d;
      short_wanted_q <= short_wanted_d;
    end
  end

`ifndef SYNTHESIS
  OffersDiffer_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    !(act_offer && short_ok1 && (act_bank & short_bank) != '0));
  NoActBesidePrea_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    !(act_offer && short_ok1 && (short_cmd_q == CmdPrea || short_cmd_q == CmdRef)));
`endif

endmodule
