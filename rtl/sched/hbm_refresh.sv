// Owes refreshes to one PC and says which bank to hold, to close, to refresh.
//
// Enforces: tREFImax, tRASmax, refreshSet. Contract: M6.
//
// The debt is signed: below 0 refreshes have run ahead (M6.7). Early ones go only while nobody asks for anything, so they share the
// paths of those without need: single-bank the choice among idle banks, all-bank the hold of all banks.

module hbm_refresh
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input timing_t    timing_i,
  input policy_t    policy_i,
  input logic [2:0] temp_i,
  input logic       enable_i,
  input logic       stop_i,   // maintenance: precharge all, refresh nothing

  input bank_ok_t  ok_i,
  input bank_vec_t group_next1_i,  // bank flags: its group bears a REFSB in the next cycle
  input bank_vec_t queued_i,       // banks with a queued request
  input bank_vec_t hit_i,          // banks with a queued hit
  input bank_vec_t act_i,          // commands of this cycle
  input bank_vec_t refsb_i,
  input logic      ref_all_i,
  input logic      quiet_i,        // no column command for a while

  output ref_wish_t  wish_o,
  output logic       set_end_o,    // a REFSB in this cycle is the last of its set
  output logic [NumSids-1:0] set_sid_o,  // SID of the set, one-hot
  output logic [7:0] debt_o,       // refreshes owed
  output logic [3:0] early_o       // refreshes ahead
);

  localparam int unsigned BanksPerSid = NumBankGroups * BanksPerGroup;
  localparam bank_vec_t   FirstSet = bank_vec_t'({BanksPerSid{1'b1}});
  localparam int unsigned Escalate = 4;    // debt above the hold level at which the whole rest of the set is held
  localparam int unsigned MaxAllDebt = 8;  // all-bank refreshes that may be postponed, those that ran ahead included

  typedef logic [BanksPerSid-1:0] sid_vec_t;
  typedef logic signed [8:0]      debt_t;  // 255 owed to 15 ahead

  localparam debt_t MostDebt = 9'sd255;

  // ---------------------------------------------------------------- what is owed
  logic [17:0] interval, base, count_q;
  logic        started_q, all_q, falls_due, paid, behind;
  debt_t       debt_q, debt_d, since;
  logic [7:0]  hold_level, level_q;
  logic [3:0]  pull, pull_q;
  logic        retuned;
  logic        switched, switch_q, all_banks;

  assign base = 18'(policy_i.refresh_all ? timing_i.t_refi : timing_i.t_refi_sb);
  always_comb begin
    unique case (temp_i)
      3'b000:  interval = base << 2;
      3'b001:  interval = base << 1;
      3'b010:  interval = base >> 1;
      3'b110:  interval = base >> 2;
      default: interval = base;  // 011, and the reserved codes
    endcase
    if (interval < 18'd2) interval = 18'd2;
  end

  assign falls_due = started_q & (count_q < 18'd2);
  assign behind    = !debt_q[8] && debt_q != '0;
  assign paid      = (refsb_i != '0) | ref_all_i;
  assign since     = debt_q + $signed({5'd0, pull_q});  // no more all-bank refreshes fell due since the last one
  assign switched  = started_q && policy_i.refresh_en && policy_i.refresh_all != all_q;
  assign all_banks = policy_i.refresh_all | switch_q;
  assign retuned   = policy_i.refresh_all && all_q && pull_q != '0 && (hold_level != level_q || pull != pull_q);

  always_comb begin
    debt_d = debt_q;
    if (falls_due && !paid && debt_q != MostDebt) debt_d = debt_q + 9'sd1;
    if (paid && !falls_due) debt_d = debt_q - 9'sd1;
    // What ran ahead under the old values may not be used up together with the new hold (M6.5).
    if (retuned) debt_d = (since > debt_t'(MaxAllDebt)) ? debt_t'(MaxAllDebt) : since;
    // A change of kind begins with one REF, so that nothing of the old kind counts on into the new one (M6.8).
    if (switch_q) debt_d = ref_all_i ? '0 : 9'sd1;
    if (switched) debt_d = 9'sd1;
    if (!policy_i.refresh_en) debt_d = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      started_q <= 1'b0;
      all_q <= 1'b0;
      count_q <= '0;
      debt_q <= '0;
      level_q <= '0;
      pull_q <= '0;
      switch_q <= 1'b0;
    end else begin
      started_q <= (started_q | enable_i) & policy_i.refresh_en;
      all_q <= policy_i.refresh_all;
      count_q <= !started_q ? interval : falls_due ? count_q + interval - 18'd2 : count_q - 18'd2;
      debt_q <= debt_d;
      level_q <= hold_level;
      pull_q <= pull;
      switch_q <= policy_i.refresh_en && (switched || (switch_q && !ref_all_i));
    end
  end

  // ---------------------------------------------------------------- the set, and the banks held
  bank_vec_t left_q, left_after, hold_q, hold_d, choice;
  logic      all_hold_q;
  logic [NumSids-1:0] set_sid_q;
  logic       ahead_ok, owed, early, due;

  always_comb begin
    hold_level = (policy_i.refresh_hold == '0) ? 8'd1 : 8'(policy_i.refresh_hold);
    if (policy_i.refresh_all && hold_level > 8'(MaxAllDebt)) hold_level = 8'(MaxAllDebt);
  end

  assign owed       = behind && !stop_i && enable_i;
  assign pull       = !policy_i.refresh_all ? policy_i.pull_in
                      : (policy_i.pull_in < 4'(MaxAllDebt) - 4'(hold_level)) ? policy_i.pull_in : 4'(MaxAllDebt) - 4'(hold_level);
  assign ahead_ok   = !behind && (debt_q + $signed({5'd0, pull})) > 9'sd0;
  assign early      = ahead_ok && policy_i.refresh_en && enable_i && !stop_i && queued_i == '0 && quiet_i;
  assign due        = owed | early;
  assign left_after = left_q & ~refsb_i;
  assign set_end_o  = left_after == '0;
  assign set_sid_o  = set_sid_q;

  // Bank to hold next: idle before open without a hit before any; lowest number.
  bank_vec_t idle_left, quiet_left;
  assign idle_left  = left_q & ~ok_i.open;
  assign quiet_left = left_q & ~hit_i;
  assign choice = (idle_left != '0) ? (idle_left & -idle_left) : (quiet_left != '0) ? (quiet_left & -quiet_left) : (left_q & -left_q);

  always_comb begin
    hold_d = hold_q & ~refsb_i;
    if (owed && !all_banks && debt_q[7:0] >= hold_level) begin
      if (debt_q[7:0] >= hold_level + 8'(Escalate)) hold_d = left_after;
      else if (hold_q == '0) hold_d = choice & left_after;
    end
    if (!owed || all_banks) hold_d = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q <= FirstSet;
      set_sid_q <= NumSids'(1);
      hold_q <= '0;
      all_hold_q <= 1'b0;
    end else begin
      if (set_end_o) left_q <= (NumSids > 1) ? next_set(left_q) : FirstSet;
      else left_q <= left_after;
      if (set_end_o) set_sid_q <= NumSids'({set_sid_q, set_sid_q} >> (NumSids - 1));
      hold_q <= hold_d;
      all_hold_q <= due && all_banks && !ref_all_i
                    && (all_hold_q || early || switch_q || debt_q[7:0] >= hold_level || queued_i == '0);
    end
  end

  // All banks of the SID after that of the last bank left.
  function automatic bank_vec_t next_set(input bank_vec_t last);
    bank_vec_t vec;
    vec = '0;
    for (int unsigned s = 0; s < NumSids; s++) begin
      if (last[s*BanksPerSid+:BanksPerSid] != '0) vec[((s+1)%NumSids)*BanksPerSid+:BanksPerSid] = '1;
    end
    return vec;
  endfunction

  // ---------------------------------------------------------------- choice among idle banks: most recently activated first
  // Its rows have just been used; the banks that a stream will need next are left alone.
  typedef sid_vec_t newer_t [NumBanks];

  newer_t newer_q;  // banks of the same SID that were activated later

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned b = 0; b < NumBanks; b++) newer_q[b] <= BanksPerSid'((1 << (b % BanksPerSid)) - 1);
    end else if (act_i != '0) begin
      newer_t newer_d;
      for (int unsigned b = 0; b < NumBanks; b++) begin
        newer_d[b] = act_i[b] ? '0 : (newer_q[b] | act_i[(b/BanksPerSid)*BanksPerSid+:BanksPerSid]);
      end
      newer_q <= newer_d;
    end
  end

  bank_vec_t may_set, may_pick;
  assign may_set = (due && !all_banks) ? (left_q & ok_i.idle_next1 & group_next1_i & ~queued_i) : '0;
  always_comb begin
    may_pick = '0;
    if (may_set != '0) begin
      for (int unsigned b = 0; b < NumBanks; b++) begin
        may_pick[b] = may_set[b] & ~|(may_set[(b/BanksPerSid)*BanksPerSid+:BanksPerSid] & newer_q[b]);
      end
    end
  end

  // ---------------------------------------------------------------- wishes
  bank_vec_t held_idle, held_open;
  assign held_idle = hold_q & ok_i.idle_next1 & group_next1_i;
  assign held_open = hold_q & ok_i.open & ok_i.pre_next1;

  always_comb begin
    wish_o.held      = (stop_i || all_hold_q) ? '1 : hold_q;
    wish_o.left      = left_q;
    wish_o.due       = due && !all_banks;
    wish_o.must_ref  = held_idle & -held_idle;
    wish_o.must_pre  = held_open & -held_open;
    wish_o.must_all  = all_hold_q && due;
    wish_o.must_prea = stop_i && (ok_i.open != '0);
    wish_o.may_ref   = may_pick;
  end

  assign debt_o  = behind ? debt_q[7:0] : '0;
  assign early_o = debt_q[8] ? 4'(-debt_q) : '0;

`ifndef SYNTHESIS
  // Between two refreshes of a bank lie less than two sets and the debt: (2 NumBanks + debt) tREFISB < 9 NumBanks tREFISB.
  // All banks: at eight they are held; one more falls due while they close, or while RFC of the last REF runs when new
  // values of hold and pull-in gave up what ran ahead (M6.7).
  DebtBoundsTheGap_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    !behind || 32'(debt_q) <= (all_q ? MaxAllDebt + 1 : 7 * NumBanks));
  NeverPaysUndue_A: assert property (@(posedge clk_i) disable iff (!rst_ni) paid |-> due);
  NeverAheadOfThePull_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    paid && !falls_due && !behind |=> 32'(early_o) <= 32'($past(pull)));
  AtMost15Ahead_A: assert property (@(posedge clk_i) disable iff (!rst_ni) debt_q >= -9'sd15);
  OnceASet_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (refsb_i & ~left_q) == '0);
`endif

endmodule
