// Merges two sources of one-cycle pulses into one without losing any: what does not fit is sent in a later cycle.
//
// A lone pulse in cycle N is sent in N+1: the sources are late signals, so they are registered first.

module hbm_pulse_merge #(
  /// Bits of the backlog; pulses beyond 2^Width - 1 waiting ones are lost.
  parameter int unsigned Width = 10
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic a_i,
  input  logic b_i,
  output logic pulse_o
);

  logic             a_q;
  logic             b_q;
  logic [Width-1:0] backlog_q;

  assign pulse_o = a_q || b_q || backlog_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      a_q       <= 1'b0;
      b_q       <= 1'b0;
      backlog_q <= '0;
    end else begin
      a_q <= a_i;
      b_q <= b_i;
      if (a_q && b_q && backlog_q != '1) backlog_q <= backlog_q + Width'(1);
      else if (!a_q && !b_q && backlog_q != '0) backlog_q <= backlog_q - Width'(1);
    end
  end

endmodule
