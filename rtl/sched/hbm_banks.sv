// Row state of the banks of one PC, and the distances that each bank sees on its own (M1.4, M1.5).
//
// Enforces: tRCDRD, tRCDWR, tRAS, tRAS_PREA, tRC, tRC_REFSB, tRC_REF, tRTP, tRTP_PREA, tWR, tWR_PREA, tWR_RDA, tRDA_ACT,
// tRDA_REFSB, tRDA_REF, tWRA_ACT, tWRA_REFSB, tWRA_REF, tRP, tRP_PREA, tRP_REFSB, tRP_PREA_REFSB, tRP_REF, tRFCSB, tRFCSB_REFSB,
// bankOpen, bankClosed, refreshOpen.
// Leaves to others: bank groups (hbm_group_timers), the PC (hbm_pc_timers), longest open time (hbm_refresh).

module hbm_banks
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

  localparam logic [1:0] ActOffset = 2'd1;
  localparam logic [1:0] ColOffset = 2'(Pc);
  // HBM3/4: PRE stands on a falling edge, half a CK later than its slot; counted to a rising edge it is one CK later.
  localparam logic [1:0] PreDelay = (Generation >= 3) ? 2'd1 : 2'd0;

  // ---------------------------------------------------------------- rows
  bank_vec_t           open_q, close;
  logic [RowWidth-1:0] rows_q [NumBanks];
  assign close = cmd_i.pre | cmd_i.ap;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) open_q <= '0;
    else open_q <= (open_q | cmd_i.act) & ~close;
  end

  always_ff @(posedge clk_i) begin
    if (cmd_i.act != '0) rows_q[bank_index(cmd_i.act)] <= cmd_i.act_row;
  end

  // ---------------------------------------------------------------- to columns: only the phase of this PC matters
  bank_vec_t rcd_rd0, rcd_rd1, rcd_wr0, rcd_wr1, wr_rda0, wr_rda1, act_rda0, act_rda1, act_wra0, act_wra1;

  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_act_rd (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_rd), .start_i(cmd_i.act), .offset_i(ActOffset), .ok0_o(rcd_rd0), .ok1_o(rcd_rd1), .next1_o()
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_act_wr (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_wr), .start_i(cmd_i.act), .offset_i(ActOffset), .ok0_o(rcd_wr0), .ok1_o(rcd_wr1), .next1_o()
  );
  hbm_gap_timer #(.Width(10), .Lanes(NumBanks)) u_wr_rda (
    .clk_i, .rst_ni, .gap_i(gaps_i.wr_rda), .start_i(cmd_i.wr), .offset_i(ColOffset), .ok0_o(wr_rda0), .ok1_o(wr_rda1), .next1_o()
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_act_rda (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_rda), .start_i(cmd_i.act), .offset_i(ActOffset), .ok0_o(act_rda0), .ok1_o(act_rda1), .next1_o()
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_act_wra (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_wra), .start_i(cmd_i.act), .offset_i(ActOffset), .ok0_o(act_wra0), .ok1_o(act_wra1), .next1_o()
  );

  // ---------------------------------------------------------------- to PRE
  bank_vec_t ras0, ras1, ras_next1, rtp0, rtp1, rtp_next1, wrp0, wrp1, wrp_next1;

  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_act_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_pre), .start_i(cmd_i.act), .offset_i(ActOffset),
    .ok0_o(ras0), .ok1_o(ras1), .next1_o(ras_next1)
  );
  hbm_gap_timer #(.Width(8), .Lanes(NumBanks)) u_rd_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.rd_pre), .start_i(cmd_i.rd), .offset_i(ColOffset),
    .ok0_o(rtp0), .ok1_o(rtp1), .next1_o(rtp_next1)
  );
  hbm_gap_timer #(.Width(10), .Lanes(NumBanks)) u_wr_pre (
    .clk_i, .rst_ni, .gap_i(gaps_i.wr_pre), .start_i(cmd_i.wr), .offset_i(ColOffset),
    .ok0_o(wrp0), .ok1_o(wrp1), .next1_o(wrp_next1)
  );

  // ---------------------------------------------------------------- to ACT and REFSB
  bank_vec_t rc0, rc1, rc_next1, idle0, idle1, idle_next1;

  hbm_gap_timer #(.Width(9), .Lanes(NumBanks)) u_act_act (
    .clk_i, .rst_ni, .gap_i(gaps_i.act_act), .start_i(cmd_i.act), .offset_i(ActOffset),
    .ok0_o(rc0), .ok1_o(rc1), .next1_o(rc_next1)
  );
  hbm_idle_timer #(.ColOffset(ColOffset), .PreDelay(PreDelay)) u_idle (
    .clk_i, .rst_ni, .pre_gap_i(12'(gaps_i.pre_act)), .refsb_gap_i(gaps_i.rfc_sb), .rda_gap_i(12'(gaps_i.rda_act)),
    .wra_gap_i(12'(gaps_i.wra_act)), .pre_i(cmd_i.pre), .refsb_i(cmd_i.refsb), .rda_i(cmd_i.ap & cmd_i.rd), .wra_i(cmd_i.ap & cmd_i.wr),
    .late_i(cmd_i.late), .ok0_o(idle0), .ok1_o(idle1), .next1_o(idle_next1)
  );

  assign rows_o = rows_q;
  always_comb begin
    ok_o.open       = open_q;
    ok_o.pre_ok0    = ras0 & rtp0 & wrp0;
    ok_o.pre_ok1    = ras1 & rtp1 & wrp1;
    ok_o.pre_next1  = ras_next1 & rtp_next1 & wrp_next1;
    ok_o.idle_ok0   = ~open_q & rc0 & idle0;
    ok_o.idle_ok1   = ~open_q & rc1 & idle1;
    ok_o.idle_next1 = ~open_q & rc_next1 & idle_next1;
    ok_o.rd_ok      = open_q & ((Pc == 0) ? rcd_rd0 : rcd_rd1);
    ok_o.wr_ok      = open_q & ((Pc == 0) ? rcd_wr0 : rcd_wr1);
    ok_o.rda_ok     = (Pc == 0) ? (wr_rda0 & act_rda0) : (wr_rda1 & act_rda1);
    ok_o.wra_ok     = (Pc == 0) ? act_wra0 : act_wra1;
  end

`ifndef SYNTHESIS
  ActOnlyWhenIdle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (cmd_i.act & ~ok_o.idle_ok1) == '0);
  ColumnOnlyWhenOpen_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    ((cmd_i.rd | cmd_i.wr) & (~open_q | cmd_i.pre)) == '0);
  RefsbOnlyWhenIdle_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (cmd_i.refsb & (~ok_o.idle_ok1 | cmd_i.act)) == '0);
  PreOnlyWhenLegal_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (cmd_i.pre & ~ok_o.pre_ok1) == '0);
`endif

endmodule
