// Merges two sources of one-cycle pulses into one without losing any: what does not fit is sent in a later cycle.

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

  logic [Width-1:0] backlog_q;

  assign pulse_o = a_i || b_i || backlog_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) backlog_q <= '0;
    else if (a_i && b_i && backlog_q != '1) backlog_q <= backlog_q + Width'(1);
    else if (!a_i && !b_i && backlog_q != '0) backlog_q <= backlog_q - Width'(1);
  end

endmodule
