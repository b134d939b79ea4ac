// Holds the B responses in AW order and counts write bursts from AW to B, so that a response always finds room (M2.2, M2.8).

module hbm_b_queue
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic   clk_i,
  input  logic   rst_ni,

  input  logic   aw_i,         // AW handshake; only while aw_ready_o
  output logic   aw_ready_o,

  input  logic   push_i,
  input  axi_b_t push_b_i,

  output axi_b_t b_o,
  output logic   b_valid_o,
  input  logic   b_ready_i,

  output logic   idle_o        // no write burst between AW and B handshake
);

  localparam int unsigned CountWidth = $clog2(BDepth + 1);

  logic [CountWidth-1:0] open_q;
  logic                  done;
  logic                  unused_ready;
  logic [CountWidth-1:0] unused_count;

  hbm_fifo #(.Width($bits(axi_b_t)), .Depth(BDepth)) u_fifo (
    .clk_i, .rst_ni,
    .push_i, .data_i(push_b_i), .ready_o(unused_ready),
    .pop_i(done), .data_o(b_o), .valid_o(b_valid_o),
    .count_o(unused_count)
  );

  assign done = b_valid_o && b_ready_i;
  assign aw_ready_o = open_q != CountWidth'(BDepth);
  assign idle_o = open_q == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) open_q <= '0;
    else open_q <= open_q + CountWidth'(aw_i) - CountWidth'(done);
  end

endmodule
