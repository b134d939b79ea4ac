// Measures a clock at its first edges: with a wrong CkNs words would be taken at wrong times, and nothing would say why.
//
// A period that differs from CkNs by more than 5 % ends the simulation. The mean of 16 is taken, so that jitter does not count; it
// begins anew where the clock stood still.

module hbm_ddr_period #(
  /// Length of one CK that the bench was told.
  parameter real         CkNs = 1.0,
  /// CKs from one rising edge to the next: 2 for the clock of the words.
  parameter int unsigned Cks = 1
) (
  input logic clk_i,
  input logic en_i   // the clock must be good: RESET_n is high
);

  localparam int unsigned Periods = 16;
  localparam real         Limit = 0.05;

  realtime     last = 0;
  real         total = 0.0;
  int unsigned counted = 0;
  bit          begun = 1'b0;  // `last` is an edge
  bit          told = 1'b0;

  always @(posedge clk_i or negedge en_i) begin : measure
    real now, mean;
    if (!en_i) begin
      begun = 1'b0;
      told  = 1'b0;
    end else if (!told) begin
      now  = $realtime - last;
      last = $realtime;
      // The mean of a clock with jitter is within a factor of 3 of each period; a stop is longer.
      if (!begun || (counted != 0 && (now > 3.0 * total / counted || 3.0 * now < total / counted))) begin
        begun   = 1'b1;
        total   = 0.0;
        counted = 0;
      end else begin
        total += now;
        counted++;
        if (counted == Periods) begin
          told = 1'b1;
          mean = total / (real'(Periods) * real'(Cks));
          if (mean > (1.0 + Limit) * CkNs || mean < (1.0 - Limit) * CkNs) begin
            $error("the period of CK is %0.4f ns, expected %0.4f ns: parameter CkNs of the bench", mean, CkNs);
            $finish;
          end
        end
      end
    end
  end

endmodule
