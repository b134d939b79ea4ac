// Counts one-cycle pulses and holds a snapshot of the counts.
//
// A pulse in cycle N is in the count from N+1. A snapshot in cycle N takes the counts of that cycle; a clear in the same cycle
// restarts them from zero, and the pulses of cycle N count for the new interval.

module hbm_csr_counters #(
  /// Number of counters.
  parameter int unsigned NumCounters = 1,
  /// Bits of a counter: 48 bits at 1 GHz wrap after 78 hours.
  parameter int unsigned Width = 48
) (
  input  logic                              clk_i,
  input  logic                              rst_ni,

  input  logic [NumCounters-1:0]            event_i,
  input  logic                              snapshot_i,
  input  logic                              clear_i,
  output logic [NumCounters-1:0][Width-1:0] count_o     // of the last snapshot
);

  for (genvar i = 0; i < int'(NumCounters); i++) begin : g_counter
    logic [Width-1:0] count_q;
    logic [Width-1:0] snapshot_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)         count_q <= '0;
      else if (clear_i)    count_q <= Width'(event_i[i]);
      else if (event_i[i]) count_q <= count_q + Width'(1);
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)         snapshot_q <= '0;
      else if (snapshot_i) snapshot_q <= count_q;
    end

    assign count_o[i] = snapshot_q;
  end

endmodule
