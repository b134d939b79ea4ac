// Value of each mode register for the active timing set (table only, no state) (M7.2).
//
// Sources: HBM2 fields and defaults as decoded from DRAM Bender's writes; HBM3/HBM4 field maps from public mode-register summaries,
// values marked assumed where none is public. A value beyond its field is written as the field's maximum: the device must then not
// be relied on for it (policy ap_min_ras for RAS).

module hbm_mode_regs
  import hbm_pkg::*;
#(
  /// 2: HBM2/HBM2E, 3: HBM3, 4: HBM4.
  parameter int unsigned Generation = 2
) (
  input  timing_t    timing_i,
  input  logic [4:0] ma_i,
  output logic [7:0] op_o
);

  // Largest value that the device takes, per generation (fields and ranges of the mode-register summaries).
  localparam logic [7:0] RlMax  = (Generation == 2) ? 8'd65 : (Generation == 3) ? 8'd63 : 8'd90;  // HBM2: 6 bits with ERL, from 2
  localparam logic [7:0] WlMax  = (Generation == 3) ? 8'd16 : (Generation == 4) ? 8'd19 : 8'd16;  // HBM2: 4 bits with EWL, from 1
  localparam logic [7:0] WrMax  = (Generation == 2) ? 8'd31 : 8'd63;
  localparam logic [7:0] RasMax = 8'd63;
  localparam logic [7:0] RpMax  = 8'd33;  // HBM2 only: 5 bits, from 2
  localparam logic [7:0] RtpMax = 8'd15;  // HBM3/4 only

  // Value clipped to `max`, counted from `base`.
  function automatic logic [7:0] field(input logic [7:0] value, input logic [7:0] base, input logic [7:0] max);
    logic [7:0] clipped = (value > max) ? max : value;
    return (clipped < base) ? 8'd0 : clipped - base;
  endfunction

  if (Generation == 2) begin : g_hbm2
    logic [5:0] rl;
    logic [3:0] wl;
    logic [4:0] wr, rp;
    logic [5:0] ras;

    assign rl  = 6'(field(timing_i.rl, 8'd2, RlMax));
    assign wl  = 4'(field(timing_i.wl, 8'd1, WlMax));
    assign wr  = 5'(field(timing_i.t_wr, 8'd0, WrMax));
    assign ras = 6'(field(timing_i.t_ras, 8'd0, RasMax));
    assign rp  = 5'(field(timing_i.t_rp, 8'd2, RpMax));

    always_comb begin
      unique case (ma_i)
        5'd1:    op_o = {3'b010, wr};                        // drive 12 mA, write recovery
        5'd2:    op_o = {rl[4:0], wl[2:0]};                  // RL - 2, WL - 1, low bits
        5'd3:    op_o = {1'b1, 1'b1, ras};                   // BL4, bank groups on
        5'd4:    op_o = {2'b00, rl[5], wl[3], 2'b00, 2'b00}; // high bits of RL and WL; PL 0, data mask on, ECC off
        5'd6:    op_o = {rp, 3'b000};                        // implicit precharge: RP - 2
        5'd7:    op_o = 8'h02;                               // read mux as DRAM Bender, loopback off
        default: op_o = 8'h00;                               // MR0: DBI and parity off; MR5: TRR off; MR15: internal Vref
      endcase
    end
  end else begin : g_hbm34
    logic [7:0] rl, wr, ras, rtp;
    logic [4:0] wl;

    assign rl  = field(timing_i.rl, 8'd0, RlMax);
    assign wl  = 5'(field(timing_i.wl, 8'd0, WlMax));
    assign wr  = field(timing_i.t_wr, 8'd0, WrMax);
    assign ras = field(timing_i.t_ras, 8'd0, RasMax);
    assign rtp = field(timing_i.t_rtp, 8'd0, RtpMax);

    localparam logic [7:0] Mr0 = (Generation == 4) ? 8'h04 : 8'h00;  // DBI, parity off; HBM4: TCSR on
    localparam logic [7:0] Mr6 = (Generation == 4) ? 8'h00 : 8'h12;  // HBM3: 12 mA up and down; HBM4: 25 ohm (assumed)
    // VREFCA and VREFD sit in MR14/15 of HBM3 and MR13/14 of HBM4: n = 32 in [6:1], 0.18 + 0.01 n = half the swing (assumed).
    localparam logic [4:0] VrefCaMa = (Generation == 4) ? 5'd13 : 5'd14;
    localparam logic [7:0] VrefMid = 8'h40;

    always_comb begin
      unique case (ma_i)
        5'd0:    op_o = Mr0;
        5'd1:    op_o = {3'b000, wl};                        // PL 0, WL
        5'd2:    op_o = rl;
        5'd3:    op_o = wr;
        5'd4:    op_o = ras;
        5'd5:    op_o = rtp;
        5'd6:    op_o = Mr6;
        VrefCaMa, VrefCaMa + 5'd1: op_o = VrefMid;
        // MR7 loopback off, MR8 DA lockout 0 (1 would need a power cycle) and RFM level 0, MR9 ECC default, the rest reserved,
        // vendor's or trimming at rest (assumed).
        default: op_o = 8'h00;
      endcase
    end
  end

endmodule
