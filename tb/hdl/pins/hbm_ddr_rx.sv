// Takes one word of a bus at each edge of its strobe and gives the words of a cycle side by side.
//
// A word belongs to the unit interval of the cycle in which its edge comes, so the edge may be early or late by less than half a
// unit. At the clock edge that ends a cycle all its words stand; a word without an edge keeps its last value.

module hbm_ddr_rx #(
  /// Pins of the bus.
  parameter int unsigned Width = 1,
  /// Words in one CK: 2, or 4 for the data lanes of HBM3/4.
  parameter int unsigned Units = 2,
  /// Length of one CK.
  parameter real         CkNs = 1.0
) (
  input  logic                          clk_i,     // one cycle is 2 CK
  input  logic                          strobe_i,
  input  logic                          en_i,      // an edge counts only while this is high
  input  logic [Width-1:0]              pins_i,
  output logic [2*Units-1:0][Width-1:0] words_o,
  output logic [2*Units-1:0]            seen_o     // words of this cycle that an edge brought so far
);

  localparam real UnitNs = CkNs / real'(Units);

  realtime start = 0;
  logic    last = 1'b0;

  always @(posedge clk_i or posedge strobe_i or negedge strobe_i) begin : take
    int unsigned u;
    if (strobe_i != last) begin
      last = strobe_i;
      u = int'($floor(($realtime - start) / UnitNs));
      if (en_i && u < 2 * Units) begin
        words_o[u] <= pins_i;
        seen_o[u]  <= 1'b1;
      end
    end else begin
      start = $realtime;
      seen_o <= '0;
    end
  end

  initial seen_o = '0;

endmodule
