// Puts the words of a cycle on the pins of one bus, one after the other, with a strobe edge in the middle of each.
//
// The words of a cycle must stand from right after the clock edge that begins it to the next one. Word u is on the pins in
// [u, u + 1) x 1 CK / Units after that edge. The strobe rises in even words and falls in odd ones, in the CKs that are enabled.

module hbm_ddr_tx #(
  /// Pins of the bus.
  parameter int unsigned Width = 1,
  /// Words in one CK: 2, or 4 for the data lanes of HBM3/4; even.
  parameter int unsigned Units = 2,
  /// Length of one CK.
  parameter real         CkNs = 1.0
) (
  input  logic                          clk_i,    // one cycle is 2 CK
  input  logic [1:0]                    en_i,     // per CK: the strobe moves
  input  logic [2*Units-1:0][Width-1:0] words_i,
  output logic [Width-1:0]              pins_o,
  output logic                          strobe_o,
  output logic                          en_o      // `en_i` of the CK that is on the pins
);

  localparam int unsigned Last = 2 * Units - 1;
  localparam real         HalfUnit = CkNs / real'(2 * Units);

  if (Units % 2 != 0) begin : g_bad_units
    $fatal(1, "hbm_ddr_tx: Units must be even");
  end

  int unsigned unit = 0;

  assign pins_o = words_i[unit];
  assign en_o   = en_i[unit / Units];

  initial strobe_o = 1'b0;

  // Ends half a unit before the next edge of a clock without jitter.
  always @(posedge clk_i) begin : cycle
    unit <= 0;
    for (int unsigned u = 0; u <= Last; u++) begin
      #(HalfUnit);
      if (en_i[u / Units]) strobe_o <= ~u[0];
      if (u != Last) begin
        #(HalfUnit);
        unit <= u + 1;
      end
    end
  end

endmodule
