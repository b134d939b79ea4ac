// Makes the clock of the word form (one cycle = 2 CK) from CK: cycles begin in the middle of the low half before every other CK.
//
// Which CK is the first of a cycle is left to chance, as for a real device; after a start of CK the same holds until it stops.
// While CK stands still the clock runs on by itself, since RESET_n and the power-down code are watched then too.

module hbm_ddr_clock #(
  /// Length of one CK.
  parameter real CkNs = 1.0
) (
  input  logic ck_i,
  output logic clk_o,
  output logic running_o  // CK has moved within the last 2 CK
);

  realtime last_edge = -1000.0 * CkNs;
  logic    second = 1'b0;  // the CK that ends with the next falling edge is the second of a cycle

  initial begin
    clk_o     = 1'b0;
    running_o = 1'b0;
  end

  always @(posedge ck_i) last_edge = $realtime;

  always @(negedge ck_i) begin : locked
    last_edge = $realtime;
    #(CkNs / 4.0);
    // What a cycle that ends with this edge has sampled is not whole if CK began in its middle: it still counts as still.
    running_o <= 1'b1;
    clk_o  = second;
    second = ~second;
  end

  always begin : free
    #(CkNs);
    if ($realtime - last_edge > 2.0 * CkNs) begin
      running_o <= 1'b0;
      clk_o  = ~clk_o;
      second = clk_o ? 1'b0 : 1'b1;
    end
  end

endmodule
