// Holds off commands until a programmed distance in CK from an earlier command has passed, for each lane (bank, group) on its own.
//
// Convention (M1.4): a command stands `offset` CK after p0 of its cycle. A start in cycle n with offset s0 loads gap + s0 - 2 for
// cycle n+1; the count falls by 2 a cycle; a command with offset s is legal while the count is at most s. The answers are flops.

module hbm_gap_timer
  import hbm_sched_pkg::SkipQuiet;
#(
  /// Width of the distance in bits, at least 3.
  parameter int unsigned Width = 8,
  /// Independent counts with one distance.
  parameter int unsigned Lanes = 1
) (
  input logic clk_i,
  input logic rst_ni,

  input logic [Width-1:0] gap_i,     // CK; stable while a count runs
  input logic [Lanes-1:0] start_i,   // the earlier command issues in this cycle
  input logic [1:0]       offset_i,  // its offset, 0 to 2

  output logic [Lanes-1:0] ok0_o,   // a command with offset 0 may issue in this cycle
  output logic [Lanes-1:0] ok1_o,   // the same for offset 1
  output logic [Lanes-1:0] next1_o  // offset 1 in the next cycle, if no start comes
);

  if (Width < 3) begin : g_bad_width
    $fatal(1, "hbm_gap_timer: Width must be at least 3");
  end

  typedef logic [Width-1:0] counts_t [Lanes];

  counts_t          count_q;
  logic [Lanes-1:0] ok0_q, ok1_q, next1_q;
  logic [Width:0]   sum;
  logic [Width-1:0] load;

  // gap + 2 - 2 fits in Width bits, so the load never wraps.
  assign sum  = {1'b0, gap_i} + (Width + 1)'(offset_i);
  assign load = (sum > (Width + 1)'(2)) ? Width'(sum - (Width + 1)'(2)) : '0;

  // The start comes late in the cycle: what it selects from is ready by then.
  logic load_ok0, load_ok1, load_next1;
  assign load_ok0   = load == '0;
  assign load_ok1   = load <= Width'(1);
  assign load_next1 = load <= Width'(3);

  // Nothing starts and nothing runs most of the time: then all stands still.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '{default: '0};
      ok0_q <= '1;
      ok1_q <= '1;
      next1_q <= '1;
    end else if (!SkipQuiet || start_i != '0 || ok0_q != '1) begin
      counts_t          count_d;
      logic [Lanes-1:0] ok0_d, ok1_d, next1_d;
      for (int unsigned i = 0; i < Lanes; i++) begin
        count_d[i] = start_i[i] ? load : (count_q[i] > Width'(2)) ? count_q[i] - Width'(2) : '0;
        ok0_d[i] = start_i[i] ? load_ok0 : count_q[i] <= Width'(2);
        ok1_d[i] = start_i[i] ? load_ok1 : count_q[i] <= Width'(3);
        next1_d[i] = start_i[i] ? load_next1 : count_q[i] <= Width'(5);
      end
      count_q <= count_d;
      ok0_q <= ok0_d;
      ok1_q <= ok1_d;
      next1_q <= next1_d;
    end
  end

  assign ok0_o   = ok0_q;
  assign ok1_o   = ok1_q;
  assign next1_o = next1_q;

endmodule
