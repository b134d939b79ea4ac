// Lets at most four activations of a PC fall into any window of tFAW (M1.5).
//
// Enforces: tFAW. REFSB counts as an activation.
//
// A ring of four gap timers: each activation loads the oldest; the next one waits for the timer that it will replace.

module hbm_window_timer (
  input logic clk_i,
  input logic rst_ni,

  input logic [7:0] gap_i,     // CK
  input logic       start_i,   // an activation issues in this cycle
  input logic [1:0] offset_i,  // its offset in CK

  output logic ok0_o,   // as hbm_gap_timer
  output logic ok1_o,
  output logic next1_o
);

  localparam int unsigned Window = 4;

  logic [Window-1:0] turn_q;  // one-hot: the oldest of the last four
  logic [Window-1:0] ok0, ok1, next1;

  for (genvar i = 0; i < Window; i++) begin : g_slot
    hbm_gap_timer #(.Width(8)) u_gap (
      .clk_i, .rst_ni, .gap_i, .start_i(start_i & turn_q[i]), .offset_i, .ok0_o(ok0[i]), .ok1_o(ok1[i]), .next1_o(next1[i])
    );
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) turn_q <= Window'(1);
    else if (start_i) turn_q <= {turn_q[Window-2:0], turn_q[Window-1]};
  end

  assign ok0_o = |(ok0 & turn_q);
  assign ok1_o = |(ok1 & turn_q);
  assign next1_o = |(next1 & turn_q);

endmodule
