// Small first-in first-out buffer in flops (M2.1).
//
// A word pushed in cycle N is at the head in N+1 at the earliest. `valid_o` and `ready_o` depend on flops only.

module hbm_fifo #(
  /// Bits of a word, at least 1.
  parameter int unsigned Width = 1,
  /// Words, a power of two, at least 2.
  parameter int unsigned Depth = 2
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,

  input  logic                     push_i,   // only while ready_o
  input  logic [Width-1:0]         data_i,
  output logic                     ready_o,

  input  logic                     pop_i,    // only while valid_o
  output logic [Width-1:0]         data_o,
  output logic                     valid_o,

  output logic [$clog2(Depth):0]   count_o
);

  localparam int unsigned PtrWidth = $clog2(Depth);

  if (Width == 0 || Depth < 2 || (Depth & (Depth - 1)) != 0) begin : g_bad_size
    $fatal(1, "hbm_fifo: Width must be at least 1 and Depth a power of two of at least 2");
  end

  logic [Width-1:0]    mem_q [Depth];
  logic [PtrWidth-1:0] wr_q;
  logic [PtrWidth-1:0] rd_q;
  logic [PtrWidth:0]   count_q;

  assign data_o = mem_q[rd_q];
  assign valid_o = count_q != 0;
  assign ready_o = !count_q[PtrWidth];
  assign count_o = count_q;

  always_ff @(posedge clk_i) begin
    if (push_i) mem_q[wr_q] <= data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_q    <= '0;
      rd_q    <= '0;
      count_q <= '0;
    end else begin
      if (push_i) wr_q <= wr_q + PtrWidth'(1);
      if (pop_i) rd_q <= rd_q + PtrWidth'(1);
      if (push_i != pop_i) count_q <= push_i ? count_q + (PtrWidth + 1)'(1) : count_q - (PtrWidth + 1)'(1);
    end
  end

`ifndef SYNTHESIS
  NoPushWhenFull_A : assert property (@(posedge clk_i) disable iff (!rst_ni) push_i |-> ready_o);
  NoPopWhenEmpty_A : assert property (@(posedge clk_i) disable iff (!rst_ni) pop_i |-> valid_o);
`endif

endmodule
