// Distances between any two commands of one PC (M1.5).
//
// Enforces: tRRDS, tRRDS_REFSB, tCCDS_RD, tCCDS_WR, tCCDR, tWTRS, tRTW, dataBus_RD, dataBus_WR, dataBus_RD_WR, dataBus_WR_RD,
// tRREFD, tRREFD_REFSB, tPPD, tRFC, tRFC_REF, tRFC_PRE, tRFCSB_SET, tRFCSB_REF.

module hbm_pc_timers
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input  gaps_t     gaps_i,
  input  bank_cmd_t cmd_i,
  input  logic      set_end_i,  // the REFSB of this cycle is the last of its set
  input  logic [NumSids-1:0] set_sid_i,  // SID of that set, one-hot
  output pc_ok_t    ok_o
);

  localparam int unsigned BanksPerSid = NumBankGroups * BanksPerGroup;
  localparam logic [1:0]  ActOffset = 2'd1;
  localparam logic [1:0]  ColOffset = 2'(Pc);

  logic       act, rd, wr, pre, refsb;
  logic [1:0] short_offset;
  assign act   = |cmd_i.act;
  assign rd    = cmd_i.any_rd;
  assign wr    = cmd_i.any_wr;
  assign pre   = |cmd_i.pre;
  assign refsb = |cmd_i.refsb;
  assign short_offset = 2'(cmd_i.late);

  // Columns. A same-direction distance holds for that direction only; a change of direction has its own.
  logic ccd_rd_ok0, ccd_rd_ok1, ccd_wr_ok0, ccd_wr_ok1, wtr_ok0, wtr_ok1, rtw_ok0, rtw_ok1;

  hbm_gap_timer #(.Width(8)) u_ccd_s_rd (
    .clk_i, .rst_ni, .gap_i(gaps_i.ccd_s), .start_i(rd), .offset_i(ColOffset), .ok0_o(ccd_rd_ok0), .ok1_o(ccd_rd_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(8)) u_ccd_s_wr (
    .clk_i, .rst_ni, .gap_i(gaps_i.ccd_s), .start_i(wr), .offset_i(ColOffset), .ok0_o(ccd_wr_ok0), .ok1_o(ccd_wr_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(10)) u_wtr_s (
    .clk_i, .rst_ni, .gap_i(gaps_i.wtr_s), .start_i(wr), .offset_i(ColOffset), .ok0_o(wtr_ok0), .ok1_o(wtr_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(9)) u_rtw (
    .clk_i, .rst_ni, .gap_i(gaps_i.rtw), .start_i(rd), .offset_i(ColOffset), .ok0_o(rtw_ok0), .ok1_o(rtw_ok1), .next1_o()
  );

  assign ok_o.rd = (Pc == 0) ? (ccd_rd_ok0 & wtr_ok0) : (ccd_rd_ok1 & wtr_ok1);
  assign ok_o.wr = (Pc == 0) ? (ccd_wr_ok0 & rtw_ok0) : (ccd_wr_ok1 & rtw_ok1);

  // A read to one SID holds off reads to the others.
  logic [NumSids-1:0] other, ccd_r0, ccd_r1;
  always_comb begin
    for (int unsigned s = 0; s < NumSids; s++) other[s] = rd & ~|cmd_i.rd[s*BanksPerSid+:BanksPerSid];
  end
  hbm_gap_timer #(.Width(8), .Lanes(NumSids)) u_ccd_r (
    .clk_i, .rst_ni, .gap_i(gaps_i.ccd_r), .start_i(other), .offset_i(ColOffset), .ok0_o(ccd_r0), .ok1_o(ccd_r1), .next1_o()
  );
  assign ok_o.rd_sid = (Pc == 0) ? ccd_r0 : ccd_r1;

  // Rows.
  logic rrd_ok0, rrd_ok1, faw_ok0, faw_ok1, rrefd_ok0, rrefd_ok1, rfc_ok0, rfc_ok1, sb_ok0, sb_ok1;
  logic rrd_next1, faw_next1, rrefd_next1, rfc_next1;
  logic [NumSids-1:0] set_ok0, set_ok1, set_next1;

  hbm_gap_timer #(.Width(8)) u_rrd_s (
    .clk_i, .rst_ni, .gap_i(gaps_i.rrd_s), .start_i(act), .offset_i(ActOffset), .ok0_o(rrd_ok0), .ok1_o(rrd_ok1),
    .next1_o(rrd_next1)
  );
  hbm_window_timer u_faw (
    .clk_i, .rst_ni, .gap_i(gaps_i.faw), .start_i(act | refsb), .offset_i(act ? ActOffset : short_offset),
    .ok0_o(faw_ok0), .ok1_o(faw_ok1), .next1_o(faw_next1)
  );
  hbm_gap_timer #(.Width(8)) u_rrefd (
    .clk_i, .rst_ni, .gap_i(gaps_i.rrefd), .start_i(refsb), .offset_i(short_offset),
    .ok0_o(rrefd_ok0), .ok1_o(rrefd_ok1), .next1_o(rrefd_next1)
  );
  hbm_gap_timer #(.Width(12)) u_rfc (
    .clk_i, .rst_ni, .gap_i(gaps_i.rfc), .start_i(cmd_i.ref_all), .offset_i(short_offset),
    .ok0_o(rfc_ok0), .ok1_o(rfc_ok1), .next1_o(rfc_next1)
  );
  hbm_gap_timer #(.Width(12), .Lanes(NumSids)) u_set_end (
    .clk_i, .rst_ni, .gap_i(gaps_i.rfc_sb), .start_i(set_sid_i & {NumSids{refsb & set_end_i}}), .offset_i(short_offset),
    .ok0_o(set_ok0), .ok1_o(set_ok1), .next1_o(set_next1)
  );
  hbm_gap_timer #(.Width(12)) u_rfc_sb (
    .clk_i, .rst_ni, .gap_i(gaps_i.rfc_sb), .start_i(refsb), .offset_i(short_offset),
    .ok0_o(sb_ok0), .ok1_o(sb_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(8)) u_ppd (
    .clk_i, .rst_ni, .gap_i(gaps_i.ppd), .start_i(pre), .offset_i(short_offset), .ok0_o(ok_o.pre0), .ok1_o(ok_o.pre1), .next1_o()
  );

  assign ok_o.act    = rrd_ok1 & faw_ok1 & rrefd_ok1 & rfc_ok1;
  assign ok_o.rfc_next1 = rfc_next1;
  assign ok_o.refsb0 = rrd_ok0 & faw_ok0 & rrefd_ok0 & rfc_ok0 & |(set_ok0 & set_sid_i);
  assign ok_o.refsb1 = rrd_ok1 & faw_ok1 & rrefd_ok1 & rfc_ok1 & |(set_ok1 & set_sid_i);
  assign ok_o.refsb_next1 = rrd_next1 & faw_next1 & rrefd_next1 & rfc_next1 & |(set_next1 & set_sid_i);
  assign ok_o.prea0  = sb_ok0;
  assign ok_o.prea1  = sb_ok1;
  assign ok_o.ref0   = rfc_ok0 & sb_ok0;
  assign ok_o.ref1   = rfc_ok1 & sb_ok1;

`ifndef SYNTHESIS
  OneActivationACycle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) !(act && refsb));
  OneColumnACycle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) !(rd && wr));
`endif

endmodule
