// Distances between commands of one bank group, for every group of a PC (M1.5).
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

  group_vec_t act, rd, wr, rd0, rd1, wr0, wr1, wtr0, wtr1;
  assign act = groups_of_banks(cmd_i.act);
  assign rd  = groups_of_banks(cmd_i.rd);
  assign wr  = groups_of_banks(cmd_i.wr);

  hbm_gap_timer #(.Width(8), .Lanes(NumGroups)) u_rrd_l (
    .clk_i, .rst_ni, .gap_i(gaps_i.rrd_l), .start_i(act), .offset_i(ActOffset),
    .ok0_o(act_ok0_o), .ok1_o(act_ok1_o), .next1_o(act_next1_o)
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumGroups)) u_ccd_l_rd (
    .clk_i, .rst_ni, .gap_i(gaps_i.ccd_l), .start_i(rd), .offset_i(ColOffset), .ok0_o(rd0), .ok1_o(rd1), .next1_o()
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumGroups)) u_ccd_l_wr (
    .clk_i, .rst_ni, .gap_i(gaps_i.ccd_l), .start_i(wr), .offset_i(ColOffset), .ok0_o(wr0), .ok1_o(wr1), .next1_o()
  );
  hbm_gap_timer #(.Width(10), .Lanes(NumGroups)) u_wtr_l (
    .clk_i, .rst_ni, .gap_i(gaps_i.wtr_l), .start_i(wr), .offset_i(ColOffset), .ok0_o(wtr0), .ok1_o(wtr1), .next1_o()
  );

  assign rd_ok_o = (Pc == 0) ? (rd0 & wtr0) : (rd1 & wtr1);
  assign wr_ok_o = (Pc == 0) ? wr0 : wr1;

endmodule
