// Holds off a command until a programmed distance in CK from an earlier command has passed.
//
// Convention (M1.4): a command stands `offset` CK after p0 of its cycle. `start_i` in cycle n with offset s0 loads gap + s0 - 2 for
// cycle n+1; the count falls by 2 a cycle; a command with offset s is legal while the count is at most s.

module hbm_gap_timer #(
  /// Width of the distance in bits, at least 3.
  parameter int unsigned Width = 8
) (
  input logic clk_i,
  input logic rst_ni,

  input logic [Width-1:0] gap_i,     // CK; stable while a count runs
  input logic             start_i,   // the earlier command issues in this cycle
  input logic [1:0]       offset_i,  // its offset, 0 to 2

  output logic ok0_o,   // a command with offset 0 may issue in this cycle
  output logic ok1_o,   // the same for offset 1
  output logic next1_o  // offset 1 in the next cycle, if no start comes
);

  if (Width < 3) begin : g_bad_width
    $fatal(1, "hbm_gap_timer: Width must be at least 3");
  end

  logic [Width-1:0] count_q;
  logic [Width:0]   sum;

  // gap + 2 - 2 fits in Width bits, so the load never wraps.
  assign sum = {1'b0, gap_i} + (Width + 1)'(offset_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (start_i) count_q <= (sum > (Width + 1)'(2)) ? Width'(sum - (Width + 1)'(2)) : '0;
    else if (count_q != '0) count_q <= (count_q > Width'(2)) ? count_q - Width'(2) : '0;
  end

  assign ok0_o   = count_q == '0;
  assign ok1_o   = count_q <= Width'(1);
  assign next1_o = count_q <= Width'(3);

endmodule
