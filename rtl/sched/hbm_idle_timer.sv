// Holds off ACT and refresh of each bank after whatever closed or refreshed it last: PRE, REFSB, auto-precharge (M1.5).
//
// Convention as in hbm_gap_timer. One event at a time, each expiring later than the one before, so one count per bank serves all:
// PRE and ACT come only after a refresh has passed, a refresh only after a precharge. The short row command and the column command of a
// cycle may start the counts of two different banks.

module hbm_idle_timer
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic [11:0] row_gap_i,     // CK, after the short row command of this cycle
  input bank_vec_t   row_start_i,
  input logic [1:0]  row_offset_i,
  input logic [11:0] col_gap_i,     // CK, after the column command with auto-precharge
  input bank_vec_t   col_start_i,
  input logic [1:0]  col_offset_i,

  output bank_vec_t ok0_o,
  output bank_vec_t ok1_o,
  output bank_vec_t next1_o
);

  typedef logic [11:0] counts_t [NumBanks];

  counts_t     count_q;
  bank_vec_t   ok0_q, ok1_q, next1_q;
  logic [12:0] row_sum, col_sum;
  logic [11:0] row_load, col_load;

  assign row_sum  = {1'b0, row_gap_i} + 13'(row_offset_i);
  assign row_load = (row_sum > 13'd2) ? 12'(row_sum - 13'd2) : '0;
  assign col_sum  = {1'b0, col_gap_i} + 13'(col_offset_i);
  assign col_load = (col_sum > 13'd2) ? 12'(col_sum - 13'd2) : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '{default: '0};
      ok0_q <= '1;
      ok1_q <= '1;
      next1_q <= '1;
    end else if (row_start_i != '0 || col_start_i != '0 || ok0_q != '1) begin
      counts_t   count_d;
      bank_vec_t ok0_d, ok1_d, next1_d;
      for (int unsigned b = 0; b < NumBanks; b++) begin
        count_d[b] = row_start_i[b] ? row_load : col_start_i[b] ? col_load : (count_q[b] > 12'd2) ? count_q[b] - 12'd2 : '0;
        ok0_d[b] = count_d[b] == '0;
        ok1_d[b] = count_d[b] <= 12'd1;
        next1_d[b] = count_d[b] <= 12'd3;
      end
      count_q <= count_d;
      ok0_q <= ok0_d;
      ok1_q <= ok1_d;
      next1_q <= next1_d;
    end
  end

  assign ok0_o   = ok0_q;
  assign ok1_o   = ok1_q;
  assign next1_o = next1_q;

endmodule
