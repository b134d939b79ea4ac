// One of the two lanes of the read path: the bursts that it holds, their splitter and the request register (M2.1, M2.10).
//
// A burst is held until its last request has left the splitter.

module hbm_ar_lane
  import hbm_pkg::*;
  import hbm_host_pkg::*;
#(
  /// Bursts held, a power of two, at least 2.
  parameter int unsigned Depth = 2
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  push_i,         // only while ready_o
  input  burst_t                burst_i,
  output logic                  ready_o,
  output logic                  held_o,         // a burst with the id of burst_i is held

  // Leaving the splitter.
  input  logic                  slot_ready_i,
  input  logic [RobWidth-1:0]   slot_i,
  input  logic                  error_ready_i,
  output logic                  may_o,          // the next request may leave
  input  logic                  go_i,           // it leaves; only while may_o
  output burst_t                head_o,         // its burst
  output slot_take_t            take_o,         // what its slot keeps
  output logic                  arm_o,          // it arms a monitor
  output logic [MapInBits-1:0]  block_o,        // its block address ...
  input  dram_addr_t            addr_i,         // ... mapped
  output logic                  rob_full_o,     // it waits for a slot and for nothing else

  output rd_req_t               rd_req_o,
  output logic                  rd_req_valid_o,
  input  logic                  rd_req_taken_i,

  output logic                  empty_o
);

  localparam int unsigned PtrWidth = $clog2(Depth);

  logic                   pop;
  logic                   head_valid;
  logic [$clog2(Depth):0] unused_count;

  hbm_fifo #(.Width($bits(burst_t)), .Depth(Depth)) u_fifo (
    .clk_i, .rst_ni,
    .push_i, .data_i(burst_i), .ready_o,
    .pop_i(pop), .data_o(head_o), .valid_o(head_valid),
    .count_o(unused_count)
  );

  // ---------------------------------------------------------------- ids of the bursts that are held
  logic [AxiIdWidth-1:0] id_q [Depth];
  logic [Depth-1:0]      used_q;
  logic [PtrWidth-1:0]   in_q;
  logic [PtrWidth-1:0]   out_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      used_q <= '0;
      in_q   <= '0;
      out_q  <= '0;
    end else begin
      if (pop) begin
        used_q[out_q] <= 1'b0;
        out_q         <= out_q + PtrWidth'(1);
      end
      if (push_i) begin
        used_q[in_q] <= 1'b1;
        in_q         <= in_q + PtrWidth'(1);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (push_i) id_q[in_q] <= burst_i.id;
  end

  always_comb begin
    held_o = 1'b0;
    for (int unsigned i = 0; i < Depth; i++) held_o |= used_q[i] && id_q[i] == burst_i.id;
  end

  hbm_burst_split u_split (
    .clk_i, .rst_ni,
    .burst_i(head_o), .burst_valid_i(head_valid), .burst_pop_o(pop),
    .slot_ready_i, .slot_i, .error_ready_i,
    .may_o, .go_i, .take_o, .arm_o, .block_o, .addr_i,
    .rd_req_o, .rd_req_valid_o, .rd_req_taken_i,
    .rob_full_o
  );

  assign empty_o = !head_valid && !rd_req_valid_o;

endmodule
