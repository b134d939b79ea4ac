// Sorts the reads of a port by their latency, from slot to R register, into bins (M9.4).
//
// A slot that is given keeps the time, modulo 2^16 cycles. The slot sent in cycle N is looked up in N+1 (its old time still stands: a new
// owner writes at the end of N+1 at the earliest), and its bin pulses in N+2.

module hbm_rd_latency
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                take_i,
  input  logic [RobWidth-1:0] take_slot_i,
  input  logic                send_i,        // a slot that held read data is sent
  input  logic [RobWidth-1:0] send_slot_i,

  output logic [LatencyBins-1:0] bin_o       // one-hot or zero; 0: below 16 cycles, the last one: all from 1024 on
);

  localparam int unsigned TimeWidth = 16;
  localparam int unsigned FirstBit = 4;      // 2^4 cycles: limit of the first bin

  logic [TimeWidth-1:0] now_q;
  logic [TimeWidth-1:0] since_q [RobSlots];
  logic                 sent_q;
  logic [RobWidth-1:0]  slot_q;
  logic                 known_q;
  logic [TimeWidth-1:0] start_q;
  logic [TimeWidth-1:0] latency;

  always_ff @(posedge clk_i) begin
    if (take_i) since_q[take_slot_i] <= now_q;
    slot_q  <= send_slot_i;
    start_q <= since_q[slot_q];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q   <= '0;
      sent_q  <= 1'b0;
      known_q <= 1'b0;
    end else begin
      now_q   <= now_q + TimeWidth'(1);
      sent_q  <= send_i;
      known_q <= sent_q;
    end
  end

  // Two cycles after the slot was sent.
  assign latency = now_q - start_q - TimeWidth'(2);

  always_comb begin
    bin_o = '0;
    bin_o[0] = known_q && (latency >> FirstBit) == '0;
    for (int unsigned i = 1; i < LatencyBins - 1; i++) bin_o[i] = known_q && (latency >> (FirstBit + i - 1)) == TimeWidth'(1);
    bin_o[LatencyBins-1] = known_q && (latency >> (FirstBit + LatencyBins - 2)) != '0;
  end

endmodule
