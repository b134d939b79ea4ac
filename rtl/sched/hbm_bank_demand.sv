// Sums up, bank by bank, what the queues want: hits, lone hits, conflicts, urgent conflicts.
//
// Contract: M3.4, M4.5, M5.2. Only entries that could use an open row speak for it ("able"): one that waits for another entry, or for
// a reserved read entry, would keep a row that nobody can use. Masking a bank's "not urgent" hits masks hits that are younger than its
// urgent conflict, or of a lower class (AxQOS); what is masked for long becomes champion (M4.7).
//
// Selection starts from urgent_conflict and keep_open, so they are flops: what the next cycle will show is formed in this one. It
// changes by new entries, by age, by a merge that starts, by an ACT of the bank, and by a pick. An entry that a pick makes able goes
// to the same 32 bytes as the picked one, so it hits where that one did: a pick never makes a miss able.

module hbm_bank_demand
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input bank_vec_t open_i,

  input rd_vec_t rd_able_i,
  input rd_vec_t rd_hit_i,
  input rd_vec_t rd_urgent_i,  // for the assertions alone
  input rd_vec_t rd_of_bank_i [NumBanks],
  input wr_vec_t wr_able_i,
  input wr_vec_t wr_hit_i,
  input wr_vec_t wr_urgent_i,
  input wr_vec_t wr_of_bank_i [NumBanks],

  // The entries of this cycle as they are in the next one.
  input rd_vec_t rd_next_urgent_i,
  input wr_vec_t wr_next_urgent_i,
  input wr_vec_t wr_next_able_i,   // without what the pick makes able

  // New entries: reads of the host, reads of merges, writes.
  input arrival_t arrival_i [3],

  // ACT: bank, the entries of its bank, those of its row; granted (late).
  input bank_vec_t act_bank_i,
  input rd_vec_t   rd_act_wait_i,
  input rd_vec_t   rd_act_match_i,
  input wr_vec_t   wr_act_wait_i,
  input wr_vec_t   wr_act_match_i,
  input logic      act_gnt_i,

  // Pick (late), its bank, and entries whose pick makes another one of its bank able.
  input rd_vec_t   rd_pick_i,
  input wr_vec_t   wr_pick_i,
  input bank_vec_t col_bank_i,
  input rd_vec_t   rd_frees_i,
  input rd_vec_t   rd_frees_urgent_i,
  input wr_vec_t   wr_frees_i,
  input wr_vec_t   wr_frees_urgent_i,

  output demand_t demand_o
);

  // ---------------------------------------------------------------- of this cycle
  for (genvar b = 0; b < NumBanks; b++) begin : g_bank
    rd_vec_t rd_hit;
    wr_vec_t wr_hit;
    assign rd_hit = rd_of_bank_i[b] & rd_hit_i & {RdEntries{open_i[b]}};
    assign wr_hit = wr_of_bank_i[b] & wr_hit_i & {WrDepth{open_i[b]}};

    assign demand_o.queued[b]   = rd_of_bank_i[b] != '0 || wr_of_bank_i[b] != '0;
    assign demand_o.hit[b]      = rd_hit != '0 || wr_hit != '0;
    assign demand_o.lone_hit[b] = ((rd_hit & (rd_hit - 1'b1)) == '0) && ((wr_hit & (wr_hit - 1'b1)) == '0)
                                  && ((rd_hit != '0) != (wr_hit != '0));
    assign demand_o.conflict[b] = open_i[b] && ((rd_of_bank_i[b] & rd_able_i & ~rd_hit_i) != '0
                                                || (wr_of_bank_i[b] & wr_able_i & ~wr_hit_i) != '0);
  end

  // ---------------------------------------------------------------- of the next cycle
  // Meaningless for a bank that is closed: the ACT that opens it sets them.
  bank_vec_t urgent_conflict_q, urgent_conflict_d, keep_q, keep_d;

  // If the ACT is granted: of its bank.
  logic act_keep, act_urgent_keep, act_conflict;
  always_comb begin
    act_keep = 1'b0;
    act_urgent_keep = 1'b0;
    act_conflict = 1'b0;
    if (!SkipQuiet || act_bank_i != '0) begin
      act_keep = (rd_act_match_i & rd_able_i) != '0 || (wr_act_match_i & wr_next_able_i) != '0;
      act_urgent_keep = (rd_act_match_i & rd_able_i & rd_next_urgent_i) != '0
                        || (wr_act_match_i & wr_next_able_i & wr_next_urgent_i) != '0;
      act_conflict = (rd_act_wait_i & ~rd_act_match_i & rd_able_i & rd_next_urgent_i) != '0
                     || (wr_act_wait_i & ~wr_act_match_i & wr_next_able_i & wr_next_urgent_i) != '0;
    end
  end

  // New entries.
  bank_vec_t new_keep, new_urgent_keep, new_conflict;
  always_comb begin
    new_keep = '0;
    new_urgent_keep = '0;
    new_conflict = '0;
    for (int unsigned i = 0; i < 3; i++) begin
      if (arrival_i[i].valid) begin
        new_keep[arrival_i[i].bank] |= arrival_i[i].able & arrival_i[i].hit;
        new_urgent_keep[arrival_i[i].bank] |= arrival_i[i].able & arrival_i[i].hit & arrival_i[i].urgent;
        new_conflict[arrival_i[i].bank] |= arrival_i[i].able & ~arrival_i[i].hit & arrival_i[i].urgent;
      end
    end
  end

  logic frees, frees_urgent, any_urgent;
  assign frees        = (rd_pick_i & rd_frees_i) != '0 || (wr_pick_i & wr_frees_i) != '0;
  assign frees_urgent = (rd_pick_i & rd_frees_urgent_i) != '0 || (wr_pick_i & wr_frees_urgent_i) != '0;
  assign any_urgent   = rd_next_urgent_i != '0 || wr_next_urgent_i != '0;

  for (genvar b = 0; b < NumBanks; b++) begin : g_next
    rd_vec_t rd_able, rd_keep;
    wr_vec_t wr_able, wr_keep;
    logic    keep, urgent_keep, conflict, activated;
    assign rd_able = rd_of_bank_i[b] & rd_able_i;
    assign wr_able = wr_of_bank_i[b] & wr_next_able_i;
    assign rd_keep = rd_able & rd_hit_i & ~rd_pick_i;
    assign wr_keep = wr_able & wr_hit_i & ~wr_pick_i;

    assign keep        = rd_keep != '0 || wr_keep != '0 || (frees && col_bank_i[b]);
    assign urgent_keep = any_urgent && ((rd_keep & rd_next_urgent_i) != '0 || (wr_keep & wr_next_urgent_i) != '0
                                        || (frees_urgent && col_bank_i[b]));
    assign conflict    = any_urgent && ((rd_able & ~rd_hit_i & rd_next_urgent_i) != '0
                                        || (wr_able & ~wr_hit_i & wr_next_urgent_i) != '0);
    assign activated   = act_gnt_i && act_bank_i[b];

    assign urgent_conflict_d[b] = (activated ? act_conflict : conflict) | new_conflict[b];
    assign keep_d[b] = urgent_conflict_d[b] ? ((activated ? act_urgent_keep : urgent_keep) | new_urgent_keep[b])
                                            : ((activated ? act_keep : keep) | new_keep[b]);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      urgent_conflict_q <= '0;
      keep_q <= '0;
    end else begin
      urgent_conflict_q <= urgent_conflict_d;
      keep_q <= keep_d;
    end
  end

  assign demand_o.urgent_conflict = urgent_conflict_q & open_i;
  assign demand_o.keep_open       = keep_q & open_i;

`ifndef SYNTHESIS
  // The flops against the entries as they are now, one bank after the other.
  logic [BankWidth-1:0] look_q;
  rd_vec_t rd_look;
  wr_vec_t wr_look;
  logic    look_conflict, look_keep;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) look_q <= '0;
    else look_q <= (look_q == BankWidth'(NumBanks - 1)) ? '0 : look_q + 1'b1;
  end
  assign rd_look       = rd_of_bank_i[look_q] & rd_able_i & {RdEntries{open_i[look_q]}};
  assign wr_look       = wr_of_bank_i[look_q] & wr_able_i & {WrDepth{open_i[look_q]}};
  assign look_conflict = (rd_look & ~rd_hit_i & rd_urgent_i) != '0 || (wr_look & ~wr_hit_i & wr_urgent_i) != '0;
  assign look_keep     = look_conflict ? (rd_look & rd_hit_i & rd_urgent_i) != '0 || (wr_look & wr_hit_i & wr_urgent_i) != '0
                                       : (rd_look & rd_hit_i) != '0 || (wr_look & wr_hit_i) != '0;
  UrgentConflictIsTrue_A: assert property (@(posedge clk_i) disable iff (!rst_ni) demand_o.urgent_conflict[look_q] == look_conflict);
  KeepIsTrue_A: assert property (@(posedge clk_i) disable iff (!rst_ni) demand_o.keep_open[look_q] == look_keep);
`else
  logic unused_urgent;
  assign unused_urgent = ^{rd_urgent_i, wr_urgent_i};
`endif

endmodule
