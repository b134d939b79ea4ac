// Test top of the converter: a loop of random words, and the words of a run of commands with a bench that listens behind the pins.

module ddr_top
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  parameter int CkPs = 1000,
  /// First clock edge of the host of the loop, in CK; even: the device's cycles begin in the middle of the host's.
  parameter int Shift = 1
);

  real skew;
  int unsigned skew_ps;
  initial begin
    if (!$value$plusargs("skew_ps=%d", skew_ps)) skew_ps = 0;
    skew = real'(skew_ps) / 1000.0;
  end

  ddr_loop #(.CkNs(real'(CkPs) / 1000.0), .Shift(Shift)) u_loop (.skew_i(skew), .stop_i(1'b0));

  int unsigned wr_checked, rd_checked, wrong, odd_starts;
  assign wr_checked = u_loop.wr_checked;
  assign rd_checked = u_loop.rd_checked;
  assign wrong      = u_loop.wrong;
  assign odd_starts = u_loop.odd_starts;

  // ---------------------------------------------------------------- words of a run: one line of the file a cycle
  // {reset_n, ck_en, cke[1:0]} and per edge, p1 fall first: {arfu, apar, col, row}, fields of 1, 1, 9 and 10 bits.
  typedef struct packed {
    logic       arfu, apar;
    logic [8:0] col;
    logic [9:0] row;
  } edge_t;
  typedef struct packed {
    logic        reset_n, ck_en;
    logic [1:0]  cke;
    edge_t [3:0] edges;
  } line_t;

  logic        clk = 1'b0;
  initial #1 forever begin
    clk = 1'b1;
    #1 clk = 1'b0;
    #1;
  end

  pins_out_t   out = '0;
  int          file, taken;
  int unsigned lines = 0;
  bit          done = 1'b0;
  string       name;
  logic        bench_rst_n;

  initial begin
    if ($value$plusargs("words=%s", name)) file = $fopen(name, "r");
  end

  always @(posedge clk) begin : feed
    line_t     line;
    pins_out_t next;
    if (bench_rst_n && file != 0 && !done) begin
      taken = $fscanf(file, "%h\n", line);
      if (taken != 1) begin
        done <= 1'b1;
      end else begin
        next = '0;
        next.cmd.reset_n = line.reset_n;
        next.cmd.ck_en   = line.ck_en;
        next.cmd.cke     = line.cke;
        for (int e = 0; e < 4; e++) begin
          next.cmd.row[e/2][e%2]  = line.edges[e].row[RowPins-1:0];
          next.cmd.col[e/2][e%2]  = line.edges[e].col[ColPins-1:0];
          next.cmd.apar[e/2][e%2] = line.edges[e].apar;
          next.cmd.arfu[e/2][e%2] = line.edges[e].arfu;
        end
        out   <= next;
        lines <= lines + 1;
      end
    end
  end

  ddr_out_t ddr;
  ddr_in_t  ddr_back;
  pins_in_t unused_back;

  hbm_ddr_host #(.CkNs(1.0)) u_host (.clk_i(clk), .pins_i(out), .pins_o(unused_back), .ddr_o(ddr), .ddr_i(ddr_back));

  hbm_pin_bench #(.CkNs(1.0), .Device(1'b0)) u_bench (.ddr_i(ddr), .ddr_o(ddr_back), .rst_no(bench_rst_n));

endmodule
