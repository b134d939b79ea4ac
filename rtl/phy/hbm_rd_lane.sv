// Captures the read data of one PC and hands it out after a programmable delay (M8.3).
//
// Latency: rddata_en_i in DFI cycle D -> taken from the pins at the end of D+1 -> rd_o in D+2+rd_delay_i.
// Each captured cycle is written once into a ring of 8 words and read out from there, so that only the valid bits move.

module hbm_rd_lane
  import hbm_pkg::*;
(
  input  logic                       clk_i,
  input  logic                       rst_ni,

  input  logic [1:0]                 rddata_en_i,   // per phase
  input  logic [1:0][PhaseBits-1:0]  dq_i,          // pins
  input  logic [2:0]                 rd_delay_i,    // cycles; stable while reads are in flight

  output dfi_rd_t                    rd_o
);

  localparam int unsigned MaxDelay = 7;

  logic [MaxDelay+1:0][1:0]  en_q;    // en_q[0]: pin cycle; en_q[1+d]: output cycle with delay d
  logic [2:0]                wr_ptr_q, rd_ptr_q;
  logic [1:0][PhaseBits-1:0] ring_q [MaxDelay+1];
  logic [1:0]                valid;

  assign valid = en_q[{1'b0, rd_delay_i} + 4'd1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      en_q     <= '0;
      wr_ptr_q <= '0;
      rd_ptr_q <= '0;
    end else begin
      en_q <= {en_q[MaxDelay:0], rddata_en_i};
      if (|en_q[0]) wr_ptr_q <= wr_ptr_q + 3'd1;
      if (|valid)   rd_ptr_q <= rd_ptr_q + 3'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (|en_q[0]) ring_q[wr_ptr_q] <= dq_i;
  end

  assign rd_o.valid = valid;
  assign rd_o.data  = ring_q[rd_ptr_q];

endmodule
