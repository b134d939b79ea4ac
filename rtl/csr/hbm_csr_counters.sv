// Counts one-cycle pulses and holds a snapshot of the counts, read as halves.
//
// A snapshot takes the pulses of all earlier cycles; a clear in the same cycle N restarts from zero, and the pulses of cycle N
// count for the new interval.
// Latency: req_i in cycle N -> ack and data in N+1+Stages, so that a read that follows a snapshot sees all of it.
//
// Kept bit-sliced: slice k holds bit k of every counter, and the carries ripple from slice to slice. A stage of StageBits slices is one
// pipeline step: carry, clear and snapshot reach stage s with s cycles delay, so the parts of a snapshot fit together.

module hbm_csr_counters #(
  /// Number of counters.
  parameter int unsigned NumCounters = 1,
  /// Pipeline stages of a counter, 3 or 4; three stages (48 bits) at 1 GHz wrap after 78 hours.
  parameter int unsigned Stages = 3,
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
  output logic [31:0]            rd_data_o,
  output logic                   wr_ack_o
);

  if (Stages != 3 && Stages != 4) begin : g_bad_stages
    $fatal(1, "hbm_csr_counters: Stages must be 3 or 4");
  end

  localparam int unsigned StageBits = 16;

  typedef logic [StageBits-1:0][NumCounters-1:0] slices_t;

  logic [NumCounters-1:0] carry    [Stages+1];  // into a stage; the last one is the wrap
  logic [Stages:0]        clear;
  logic [Stages:0]        snapshot;
  slices_t                held     [Stages];

  assign carry[0]    = event_i;
  assign clear[0]    = clear_i;
  assign snapshot[0] = snapshot_i;

  for (genvar s = 0; s < int'(Stages); s++) begin : g_stage
    logic [NumCounters-1:0] ripple [StageBits+1];
    slices_t                slices;
    slices_t                held_q;
    logic [NumCounters-1:0] carry_q;
    logic                   clear_q;
    logic                   snapshot_q;

    assign ripple[0] = carry[s];

    for (genvar k = 0; k < int'(StageBits); k++) begin : g_bit
      logic [NumCounters-1:0] slice_q;

      always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) slice_q <= '0;
        else         slice_q <= clear[s] ? ((k == 0) ? ripple[0] : '0) : slice_q ^ ripple[k];
      end

      assign ripple[k+1] = slice_q & ripple[k];
      assign slices[k]   = slice_q;
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        carry_q    <= '0;
        clear_q    <= 1'b0;
        snapshot_q <= 1'b0;
      end else begin
        carry_q    <= clear[s] ? '0 : ripple[StageBits];
        clear_q    <= clear[s];
        snapshot_q <= snapshot[s];
      end
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)          held_q <= '0;
      else if (snapshot[s]) held_q <= slices;
    end

    assign carry[s+1]    = carry_q;
    assign clear[s+1]    = clear_q;
    assign snapshot[s+1] = snapshot_q;
    assign held[s]       = held_q;
  end

  // ---------------------------------------------------------------- read
  logic [Stages:0]      req_q;    // req_q[Stages]: acknowledge
  logic                 wr_q;
  logic [AddrWidth-1:0] addr_q;
  logic [AddrWidth-2:0] index;
  logic [31:0]          rd_data_q;

  assign index = addr_q[AddrWidth-1:1];

  always_ff @(posedge clk_i) begin
    if (req_i) begin
      addr_q <= addr_i;
      wr_q   <= wr_i;
    end
    if (req_q[Stages-1]) begin
      rd_data_q <= '0;
      for (int unsigned s = 0; s < Stages; s++) begin
        for (int unsigned k = 0; k < StageBits; k++) begin
          if ((s >> 1) == 32'(addr_q[0])) rd_data_q[StageBits*(s%2)+k] <= held[s][k][index];
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) req_q <= '0;
    else         req_q <= {req_q[Stages-1:0], req_i};
  end

  assign rd_ack_o  = req_q[Stages] && !wr_q;
  assign wr_ack_o  = req_q[Stages] && wr_q;
  assign rd_data_o = rd_data_q;

  // The wrap is not reported.
  logic unused_wrap;
  assign unused_wrap = ^{carry[Stages], clear[Stages], snapshot[Stages]};

endmodule
