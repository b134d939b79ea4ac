// Counts one-cycle pulses and holds a snapshot of the counts, read as halves.
//
// A pulse in cycle N is in the count from N+1. A snapshot in cycle N takes the counts of that cycle; a clear in the same cycle
// restarts them from zero, and the pulses of cycle N count for the new interval. Latency: req_i in cycle N -> ack and data in N+1.

module hbm_csr_counters #(
  /// Number of counters.
  parameter int unsigned NumCounters = 1,
  /// Bits of a counter, 33 to 64: 48 bits at 1 GHz wrap after 78 hours.
  parameter int unsigned Width = 48,
  /// Width of the word address: counter, half.
  localparam int unsigned AddrWidth = $clog2(NumCounters) + 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic [NumCounters-1:0] event_i,
  input  logic                   snapshot_i,
  input  logic                   clear_i,

  input  logic                   req_i,       // one cycle per access
  input  logic                   wr_i,        // acknowledged, without effect
  input  logic [AddrWidth-1:0]   addr_i,
  output logic                   rd_ack_o,
  output logic [31:0]            rd_data_o,   // of the last snapshot
  output logic                   wr_ack_o
);

  if (Width <= 32 || Width > 64) begin : g_bad_width
    $fatal(1, "hbm_csr_counters: Width must be 33 to 64");
  end

  logic [Width-1:0]     count_q    [NumCounters];
  logic [Width-1:0]     snapshot_q [NumCounters];
  logic [AddrWidth-2:0] index;
  logic [63:0]          selected_q;
  logic                 high_q;

  for (genvar i = 0; i < int'(NumCounters); i++) begin : g_counter
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)         count_q[i] <= '0;
      else if (clear_i)    count_q[i] <= Width'(event_i[i]);
      else if (event_i[i]) count_q[i] <= count_q[i] + Width'(1);
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)         snapshot_q[i] <= '0;
      else if (snapshot_i) snapshot_q[i] <= count_q[i];
    end
  end

  assign index = addr_i[AddrWidth-1:1];

  always_ff @(posedge clk_i) begin
    if (req_i) begin
      selected_q <= 64'(snapshot_q[index]);
      high_q     <= addr_i[0];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_ack_o <= 1'b0;
      wr_ack_o <= 1'b0;
    end else begin
      rd_ack_o <= req_i && !wr_i;
      wr_ack_o <= req_i && wr_i;
    end
  end

  assign rd_data_o = high_q ? selected_q[63:32] : selected_q[31:0];

endmodule
