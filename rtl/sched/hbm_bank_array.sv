// All banks of one PC, their answers gathered into vectors.

module hbm_bank_array
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input  gaps_t               gaps_i,
  input  bank_cmd_t           cmd_i,
  output bank_ok_t            ok_o,
  output logic [RowWidth-1:0] rows_o [NumBanks]
);

  for (genvar b = 0; b < NumBanks; b++) begin : g_bank
    hbm_bank #(.Pc(Pc)) u_bank (
      .clk_i, .rst_ni, .gaps_i,
      .act_i(cmd_i.act[b]), .act_row_i(cmd_i.act_row), .pre_i(cmd_i.pre[b]), .refsb_i(cmd_i.refsb[b]), .late_i(cmd_i.late),
      .rd_i(cmd_i.rd[b]), .wr_i(cmd_i.wr[b]), .ap_i(cmd_i.ap),
      .open_o(ok_o.open[b]), .row_o(rows_o[b]),
      .pre_ok0_o(ok_o.pre_ok0[b]), .pre_ok1_o(ok_o.pre_ok1[b]), .pre_next1_o(ok_o.pre_next1[b]),
      .idle_ok0_o(ok_o.idle_ok0[b]), .idle_ok1_o(ok_o.idle_ok1[b]), .idle_next1_o(ok_o.idle_next1[b]),
      .rd_ok_o(ok_o.rd_ok[b]), .wr_ok_o(ok_o.wr_ok[b]), .rda_ok_o(ok_o.rda_ok[b]), .wra_ok_o(ok_o.wra_ok[b])
    );
  end

endmodule
