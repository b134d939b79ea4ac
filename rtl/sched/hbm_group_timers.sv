// Distances between commands of one bank group, for every group of a PC.
//
// Enforces: tRRDL, tRRDL_REFSB, tCCDL_RD, tCCDL_WR, tWTRL.

module hbm_group_timers
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input gaps_t     gaps_i,
  input bank_cmd_t cmd_i,

  output group_vec_t rd_ok_o,
  output group_vec_t wr_ok_o,
  output group_vec_t act_ok0_o,   // REFSB in slot A
  output group_vec_t act_ok1_o,   // ACT, or REFSB in slot B
  output group_vec_t act_next1_o
);

  localparam logic [1:0] ActOffset = 2'd1;
  localparam logic [1:0] ColOffset = 2'(Pc);

  group_vec_t act, rd, wr;
  assign act = groups_of_banks(cmd_i.act);
  assign rd  = groups_of_banks(cmd_i.rd);
  assign wr  = groups_of_banks(cmd_i.wr);

  for (genvar g = 0; g < NumGroups; g++) begin : g_group
    logic rd_ok0, rd_ok1, wr_ok0, wr_ok1, wtr_ok0, wtr_ok1;

    hbm_gap_timer #(.Width(8)) u_rrd_l (
      .clk_i, .rst_ni, .gap_i(gaps_i.rrd_l), .start_i(act[g]), .offset_i(ActOffset),
      .ok0_o(act_ok0_o[g]), .ok1_o(act_ok1_o[g]), .next1_o(act_next1_o[g])
    );
    hbm_gap_timer #(.Width(8)) u_ccd_l_rd (
      .clk_i, .rst_ni, .gap_i(gaps_i.ccd_l), .start_i(rd[g]), .offset_i(ColOffset), .ok0_o(rd_ok0), .ok1_o(rd_ok1), .next1_o()
    );
    hbm_gap_timer #(.Width(8)) u_ccd_l_wr (
      .clk_i, .rst_ni, .gap_i(gaps_i.ccd_l), .start_i(wr[g]), .offset_i(ColOffset), .ok0_o(wr_ok0), .ok1_o(wr_ok1), .next1_o()
    );
    hbm_gap_timer #(.Width(10)) u_wtr_l (
      .clk_i, .rst_ni, .gap_i(gaps_i.wtr_l), .start_i(wr[g]), .offset_i(ColOffset), .ok0_o(wtr_ok0), .ok1_o(wtr_ok1), .next1_o()
    );

    assign rd_ok_o[g] = (Pc == 0) ? (rd_ok0 & wtr_ok0) : (rd_ok1 & wtr_ok1);
    assign wr_ok_o[g] = (Pc == 0) ? wr_ok0 : wr_ok1;
  end

endmodule
