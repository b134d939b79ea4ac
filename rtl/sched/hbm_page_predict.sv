// Learns for each bank whether its row is better closed early, and finds rows that nobody used for a while.
//
// Contract: M4.8. Predictor: 0 and 1 say close, 2 and 3 say keep open. The rows are compared from the registered offer of the ACT, so
// the grant only enables the count.

module hbm_page_predict
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic [11:0] timeout_i,  // cycles, 0: never

  input bank_vec_t           open_i,
  input logic [RowWidth-1:0] rows_i [NumBanks],  // row of the last ACT
  input bank_vec_t           act_i,              // granted
  input logic [BankWidth-1:0] act_bank_i,        // of the ACT that is offered
  input logic [RowWidth-1:0] act_row_i,
  input bank_vec_t           pre_i,              // granted
  input logic                pre_wanted_i,       // that PRE was picked for an entry that wants another row
  input bank_vec_t           column_i,           // picked

  output bank_vec_t early_o,  // close as soon as nothing hits
  output bank_vec_t stale_o   // open without use for one to two time-outs
);

  // ---------------------------------------------------------------- predictor
  localparam logic [1:0] AfterReset = 2'd2;

  typedef logic [1:0] counts_t [NumBanks];

  counts_t   count_q;
  bank_vec_t known_q;   // the bank saw an ACT since reset
  bank_vec_t wanted_q;  // since its last ACT it was closed for another row
  logic      same;
  assign same = rows_i[act_bank_i] == act_row_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '{default: AfterReset};
      known_q <= '0;
      wanted_q <= '0;
    end else begin
      known_q <= known_q | act_i;
      wanted_q <= (wanted_q | (pre_i & {NumBanks{pre_wanted_i}})) & ~act_i;
      if ((act_i & known_q) != '0) begin
        if (same && count_q[act_bank_i] != 2'd3) count_q[act_bank_i] <= count_q[act_bank_i] + 2'd1;
        if (!same && wanted_q[act_bank_i] && count_q[act_bank_i] != 2'd0) count_q[act_bank_i] <= count_q[act_bank_i] - 2'd1;
      end
    end
  end

  for (genvar b = 0; b < NumBanks; b++) begin : g_early
    assign early_o[b] = !count_q[b][1];
  end

  // ---------------------------------------------------------------- time-out
  bank_vec_t used_q, stale_q, use_now;
  logic      beat;
  assign use_now = act_i | column_i;

  hbm_age_tick u_beat (.clk_i, .rst_ni, .limit_i(timeout_i), .tick_o(beat));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      used_q <= '0;
      stale_q <= '0;
    end else begin
      used_q <= use_now | (used_q & {NumBanks{!beat}});
      stale_q <= open_i & ~use_now & (stale_q | ({NumBanks{beat}} & ~used_q));
    end
  end

  assign stale_o = stale_q;

`ifndef SYNTHESIS
  StaleIsUnused_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (stale_q & used_q) == '0);
`endif

endmodule
