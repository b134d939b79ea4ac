// Says for every cycle what one PC did, or why it moved no data: one of nine causes, so that they add up to all cycles.
//
// Contract: M9.3. Cycle n is registered in two steps: what holds in S(n), bank by bank, in n+1; the cause that comes first in n+2.
// Nothing looks at the result but the counters, so no path of the scheduler gets longer.

module hbm_stall
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic enable_i,   // commands allowed
  input logic stop_i,
  input logic writing_i,
  input logic issue_i,    // a column command is picked
  input logic empty_i,    // no entry in either queue

  // Ready and not masked; banks whose RCD has passed.
  input rd_vec_t   rd_open_i,
  input bank_vec_t rd_ok_i,
  input wr_vec_t   wr_open_i,
  input bank_vec_t wr_ok_i,

  input rd_vec_t   rd_able_i,
  input rd_vec_t   rd_of_bank_i [NumBanks],
  input wr_vec_t   wr_able_i,
  input wr_vec_t   wr_of_bank_i [NumBanks],
  input bank_vec_t held_i,
  input bank_vec_t idle_next1_i,  // closed, and ACT may follow as far as the bank goes
  input logic      rfc_next1_i,   // RFC has passed
  input bank_vec_t act_i,         // granted
  input bank_vec_t refsb_i,
  input logic      ref_all_i,

  output stall_t stall_o  // one-hot from the second cycle after reset on
);

  // ---------------------------------------------------------------- n: what holds
  bank_vec_t able_d, able_q, rd_go_d, rd_go_q, wr_go_d, wr_go_q, held_q, idle_q, refreshing_q;
  bank_vec_t refreshed_q;  // of REFSB, REF and ACT the bank saw no ACT last
  logic      valid_q, busy_q, off_q, empty_q, writing_q, rd_go, wr_go;

  for (genvar b = 0; b < NumBanks; b++) begin : g_bank
    assign able_d[b] = (rd_of_bank_i[b] & rd_able_i) != '0 || (wr_of_bank_i[b] & wr_able_i) != '0;
    assign rd_go_d[b] = rd_ok_i[b] && (rd_of_bank_i[b] & rd_open_i) != '0;
    assign wr_go_d[b] = wr_ok_i[b] && (wr_of_bank_i[b] & wr_open_i) != '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      refreshed_q <= '0;
    end else begin
      valid_q <= 1'b1;
      refreshed_q <= (refreshed_q | refsb_i | {NumBanks{ref_all_i}}) & ~act_i;
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= issue_i;
    off_q <= !enable_i || stop_i;
    empty_q <= empty_i;
    writing_q <= writing_i;
    rd_go_q <= rd_go_d;
    wr_go_q <= wr_go_d;
    able_q <= able_d;
    held_q <= held_i;
    idle_q <= idle_next1_i;
    refreshing_q <= refreshed_q & ~(idle_next1_i & {NumBanks{rfc_next1_i}});
  end

  // ---------------------------------------------------------------- n + 1: the first that holds
  stall_t holds, stall_d, stall_q;
  assign rd_go = rd_go_q != '0;
  assign wr_go = wr_go_q != '0;

  always_comb begin
    holds.busy     = busy_q;
    holds.off      = off_q;
    holds.empty    = empty_q;
    holds.column   = writing_q ? wr_go : rd_go;
    holds.turn     = writing_q ? rd_go : wr_go;
    holds.refresh  = (able_q & (held_q | refreshing_q)) != '0;
    holds.activate = (able_q & idle_q) != '0;
    holds.bank     = able_q != '0;
    holds.hazard   = 1'b1;
    // The members stand in the order of their precedence, the first one on top.
    stall_d = '0;
    for (int i = $bits(stall_t) - 1; i >= 0; i--) if (stall_d == '0) stall_d[i] = holds[i] & valid_q;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stall_q <= '0;
    else stall_q <= stall_d;
  end

  assign stall_o = stall_q;

`ifndef SYNTHESIS
  logic counting_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) counting_q <= 1'b0;
    else counting_q <= valid_q;
  end
  OneCauseACycle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) counting_q |-> $onehot(stall_q));
`endif

endmodule
