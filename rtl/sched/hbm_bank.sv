// Row state of one bank, and the distances that only this bank can see.
//
// Enforces: tRCDRD, tRCDWR, tRAS, tRAS_PREA, tRC, tRC_REFSB, tRC_REF, tRTP, tRTP_PREA, tWR, tWR_PREA, tWR_RDA, tRDA_ACT,
// tRDA_REFSB, tRDA_REF, tWRA_ACT, tWRA_REFSB, tWRA_REF, tRP, tRP_PREA, tRP_REFSB, tRP_PREA_REFSB, tRP_REF, tRFCSB, tRFCSB_REFSB,
// bankOpen, bankClosed, refreshOpen.
// Leaves to others: bank groups (hbm_group_timers), the PC (hbm_pc_timers), longest open time (hbm_refresh).

module hbm_bank
  import hbm_geometry_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input gaps_t gaps_i,

  // Commands of this cycle to this bank.
  input logic                act_i,
  input logic [RowWidth-1:0] act_row_i,
  input logic                pre_i,
  input logic                refsb_i,
  input logic                late_i,  // PRE or REFSB stands in slot B
  input logic                rd_i,
  input logic                wr_i,
  input logic                ap_i,

  output logic                open_o,
  output logic [RowWidth-1:0] row_o,
  output logic                pre_ok0_o,
  output logic                pre_ok1_o,
  output logic                pre_next1_o,
  output logic                idle_ok0_o,
  output logic                idle_ok1_o,
  output logic                idle_next1_o,
  output logic                rd_ok_o,
  output logic                wr_ok_o,
  output logic                rda_ok_o,
  output logic                wra_ok_o
);

  localparam logic [1:0] ActOffset = 2'd1;
  localparam logic [1:0] ColOffset = 2'(Pc);
  // HBM3/4: PRE stands on a falling edge, half a CK later than its slot; counted to a rising edge it is one CK later.
  localparam logic [1:0] PreDelay = (Generation >= 3) ? 2'd1 : 2'd0;

  logic                open_q;
  logic [RowWidth-1:0] row_q;
  logic                close;

  assign close = pre_i | (ap_i & (rd_i | wr_i));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) open_q <= 1'b0;
    else if (act_i) open_q <= 1'b1;
    else if (close) open_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (act_i) row_q <= act_row_i;
  end

  // ACT to column: only the phase of this PC matters.
  logic rcd_rd_ok0, rcd_rd_ok1, rcd_wr_ok0, rcd_wr_ok1, wr_rda_ok0, wr_rda_ok1, act_rda_ok0, act_rda_ok1, act_wra_ok0, act_wra_ok1;

  hbm_gap_timer #(.Width(8)) u_act_rd (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_rd), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(rcd_rd_ok0), .ok1_o(rcd_rd_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(8)) u_act_wr (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_wr), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(rcd_wr_ok0), .ok1_o(rcd_wr_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(10)) u_wr_rda (
    .clk_i, .rst_ni, .gap_i(gaps_i.wr_rda), .start_i(wr_i), .offset_i(ColOffset),
    .ok0_o(wr_rda_ok0), .ok1_o(wr_rda_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(8)) u_act_rda (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_rda), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(act_rda_ok0), .ok1_o(act_rda_ok1), .next1_o()
  );
  hbm_gap_timer #(.Width(8)) u_act_wra (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_wra), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(act_wra_ok0), .ok1_o(act_wra_ok1), .next1_o()
  );

  // Column and ACT to PRE.
  logic ras_ok0, ras_ok1, ras_next1, rtp_ok0, rtp_ok1, rtp_next1, wrp_ok0, wrp_ok1, wrp_next1;

  hbm_gap_timer #(.Width(8)) u_act_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_pre), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(ras_ok0), .ok1_o(ras_ok1), .next1_o(ras_next1)
  );
  hbm_gap_timer #(.Width(8)) u_rd_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.rd_pre), .start_i(rd_i), .offset_i(ColOffset),
    .ok0_o(rtp_ok0), .ok1_o(rtp_ok1), .next1_o(rtp_next1)
  );
  hbm_gap_timer #(.Width(10)) u_wr_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.wr_pre), .start_i(wr_i), .offset_i(ColOffset),
    .ok0_o(wrp_ok0), .ok1_o(wrp_ok1), .next1_o(wrp_next1)
  );

  // To ACT and REFSB: from the last ACT, and from whatever made the bank idle or busy since. One event at a time, each later
  // than the one before, so one count serves all.
  logic        rc_ok0, rc_ok1, rc_next1, idle_ok0, idle_ok1, idle_next1, idle_start;
  logic [11:0] idle_gap;
  logic [1:0]  idle_offset;

  assign idle_start = close | refsb_i;

  always_comb begin
    if (pre_i) begin
      idle_gap = 12'(gaps_i.pre_act);
      idle_offset = 2'(late_i) + PreDelay;
    end else if (refsb_i) begin
      idle_gap = gaps_i.rfc_sb;
      idle_offset = 2'(late_i);
    end else begin
      idle_gap = wr_i ? 12'(gaps_i.wra_act) : 12'(gaps_i.rda_act);
      idle_offset = ColOffset;
    end
  end

  hbm_gap_timer #(.Width(9)) u_act_act (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_act), .start_i(act_i), .offset_i(ActOffset),
    .ok0_o(rc_ok0), .ok1_o(rc_ok1), .next1_o(rc_next1)
  );
  hbm_gap_timer #(.Width(12)) u_idle (
    .clk_i, .rst_ni, .gap_i(idle_gap), .start_i(idle_start), .offset_i(idle_offset),
    .ok0_o(idle_ok0), .ok1_o(idle_ok1), .next1_o(idle_next1)
  );

  assign open_o       = open_q;
  assign row_o        = row_q;
  assign pre_ok0_o    = ras_ok0 & rtp_ok0 & wrp_ok0;
  assign pre_ok1_o    = ras_ok1 & rtp_ok1 & wrp_ok1;
  assign pre_next1_o  = ras_next1 & rtp_next1 & wrp_next1;
  assign idle_ok0_o   = ~open_q & rc_ok0 & idle_ok0;
  assign idle_ok1_o   = ~open_q & rc_ok1 & idle_ok1;
  assign idle_next1_o = ~open_q & rc_next1 & idle_next1;
  assign rd_ok_o      = open_q & ((Pc == 0) ? rcd_rd_ok0 : rcd_rd_ok1);
  assign wr_ok_o      = open_q & ((Pc == 0) ? rcd_wr_ok0 : rcd_wr_ok1);
  assign rda_ok_o     = (Pc == 0) ? (wr_rda_ok0 & act_rda_ok0) : (wr_rda_ok1 & act_rda_ok1);
  assign wra_ok_o     = (Pc == 0) ? act_wra_ok0 : act_wra_ok1;

`ifndef SYNTHESIS
  ActOnlyWhenIdle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) act_i |-> idle_ok1_o);
  ColumnOnlyWhenOpen_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (rd_i | wr_i) |-> open_q & ~pre_i);
  RefsbOnlyWhenIdle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) refsb_i |-> idle_ok1_o & ~act_i);
  PreOnlyWhenLegal_A: assert property (@(posedge clk_i) disable iff (!rst_ni) pre_i |-> pre_ok1_o);
`endif

endmodule
