// Connects the DFI to the pins: one flop out, one flop in (M8.1 to M8.4).
//
// Latency: dfi_cmd_i, dfi_wr_i in cycle D -> pins_o in D+1. rddata_en_i in D names the data on the pins in D+1, which come back on
// dfi_rd_o in D+2+rd_delay_i. Errors on the pins in cycle P -> aerr_o, derr_o in P+1, for one cycle per cycle of error.

module hbm_phy_if
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
(
  input  logic                    clk_i,
  input  logic                    rst_ni,

  input  dfi_cmd_t                dfi_cmd_i,
  input  dfi_wr_t [NumPcs-1:0]    dfi_wr_i,
  input  logic [NumPcs-1:0][1:0]  rddata_en_i,  // per phase
  output dfi_rd_t [NumPcs-1:0]    dfi_rd_o,
  input  logic [2:0]              rd_delay_i,   // further cycles of read latency

  output pins_out_t               pins_o,
  input  pins_in_t                pins_i,

  output logic                    aerr_o,       // command parity error, either phase
  output logic [NumPcs-1:0]       derr_o        // data parity error, either phase
);

  dfi_cmd_t cmd_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_q  <= DfiCmdReset;
      aerr_o <= 1'b0;
    end else begin
      cmd_q  <= dfi_cmd_i;
      aerr_o <= |pins_i.aerr;
    end
  end

  assign pins_o.cmd = cmd_q;

  for (genvar pc = 0; pc < int'(NumPcs); pc++) begin : g_pc
    logic [1:0]                 oe_q;
    logic [1:0][PhaseBits-1:0]  dq_q;
    logic [1:0][PhaseBytes-1:0] dm_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        oe_q       <= '0;
        derr_o[pc] <= 1'b0;
      end else begin
        oe_q       <= dfi_wr_i[pc].en;
        derr_o[pc] <= |pins_i.rd[pc].derr;
      end
    end

    always_ff @(posedge clk_i) begin
      if (|dfi_wr_i[pc].en) begin
        dq_q <= dfi_wr_i[pc].data;
        dm_q <= dfi_wr_i[pc].mask;
      end
    end

    // DBI and data parity are switched off in the mode registers; their lanes rest at 0.
    assign pins_o.wr[pc] = '{oe: oe_q, dq: dq_q, dm: dm_q, dbi: '0, par: '0};

    hbm_rd_lane u_rd_lane (
      .clk_i, .rst_ni,
      .rddata_en_i(rddata_en_i[pc]), .dq_i(pins_i.rd[pc].dq), .rd_delay_i,
      .rd_o(dfi_rd_o[pc])
    );

    // Received, not used while DBI and data parity are off.
    logic unused_lanes;
    assign unused_lanes = ^{pins_i.rd[pc].dbi, pins_i.rd[pc].par};
  end

endmodule
