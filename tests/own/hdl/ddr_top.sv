// Test top of the converter: a loop of random words, and the words of a run of commands with a bench that listens behind the pins.

module ddr_top
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  parameter int CkPs = 1000,
  /// First clock edge of the host of the loop, in CK; even: the device's cycles begin in the middle of the host's.
  parameter int Shift = 1,
  /// 1: the device answers; 0: the bench only listens.
  parameter bit Device = 1'b1
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
  // {oe, dq: [pc][phase]}, {reset_n, ck_en, cke[1:0]} and per edge, p1 fall first: {arfu, apar, col, row}, fields of 1, 1, 9 and 10 bits.
  typedef struct packed {
    logic       arfu, apar;
    logic [8:0] col;
    logic [9:0] row;
  } edge_t;
  typedef struct packed {
    logic [1:0][1:0]        oe;
    logic [1:0][1:0][127:0] dq;
    logic        reset_n, ck_en;
    logic [1:0]  cke;
    edge_t [3:0] edges;
  } line_t;

  logic        clk = 1'b0;
  initial begin
    #(real'(Shift));
    forever begin
      clk = 1'b1;
      #1 clk = 1'b0;
      #1;
    end
  end

  pins_out_t   out = '0;
  int          file, taken, reads;
  int unsigned lines = 0;
  bit          done = 1'b0;
  string       name;
  logic        bench_rst_n;

  initial begin
    if ($value$plusargs("words=%s", name)) file = $fopen(name, "r");
    reads = $fopen("reads.hex", "w");
  end

  always @(posedge clk) begin : feed
    line_t     line;
    pins_out_t next;
    // What the lanes carried in the cycle that ends, in which the last line was on the pins.
    if (lines != 0 && !done) $fwrite(reads, "%h %h %h %h\n", back.rd[0].dq[0], back.rd[0].dq[1], back.rd[1].dq[0], back.rd[1].dq[1]);
    if (bench_rst_n && file != 0 && !done) begin
      taken = $fscanf(file, "%h\n", line);
      if (taken != 1) begin
        done <= 1'b1;
        $fclose(reads);
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
        for (int pc = 0; pc < 2; pc++) begin
          next.wr[pc].oe = line.oe[pc];
          next.wr[pc].dq = line.dq[pc];
        end
        out   <= next;
        lines <= lines + 1;
      end
    end
  end

  ddr_out_t ddr;
  ddr_in_t  ddr_back;
  pins_in_t back;

  hbm_ddr_host #(.CkNs(1.0)) u_host (.clk_i(clk), .pins_i(out), .pins_o(back), .ddr_o(ddr), .ddr_i(ddr_back));

  hbm_pin_bench #(.CkNs(1.0), .Device(Device)) u_bench (.ddr_i(ddr), .ddr_o(ddr_back), .rst_no(bench_rst_n));

endmodule
