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

  // Driven by the test: by how many ps wires of the loop are late.
  int unsigned ck_late = 0, cmd_late = 0, wdqs_late = 0, wr_late = 0, rdqs_late = 0, rd_late = 0;

  ddr_loop #(.CkNs(real'(CkPs) / 1000.0), .Shift(Shift)) u_loop (
    .ck_ps_i(ck_late), .cmd_ps_i(cmd_late), .wdqs_ps_i(wdqs_late), .wr_ps_i(wr_late), .rdqs_ps_i(rdqs_late), .rd_ps_i(rd_late)
  );

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

  // +host_ck_ps: CK of the host's clock, +bench_ck_ps: CK of a clock in the place of the host's CK; both ends expect 1 ns.
  int unsigned host_ck_ps, bench_ck_ps;
  logic        clk = 1'b0, foreign_ck = 1'b0;

  initial begin
    if (!$value$plusargs("host_ck_ps=%d", host_ck_ps)) host_ck_ps = 1000;
    #(real'(Shift));
    forever begin
      clk = 1'b1;
      #(real'(host_ck_ps) / 1000.0) clk = 1'b0;
      #(real'(host_ck_ps) / 1000.0);
    end
  end

  initial begin
    if (!$value$plusargs("bench_ck_ps=%d", bench_ck_ps)) bench_ck_ps = 0;
    if (bench_ck_ps != 0) forever #(real'(bench_ck_ps) / 2000.0) foreign_ck = ~foreign_ck;
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

  ddr_out_t ddr, ddr_bench;
  ddr_in_t  ddr_back;
  pins_in_t back;

  always_comb begin
    ddr_bench = ddr;
    if (bench_ck_ps != 0) ddr_bench.ck = foreign_ck;
  end

  hbm_ddr_host #(.CkNs(1.0)) u_host (.clk_i(clk), .pins_i(out), .pins_o(back), .ddr_o(ddr), .ddr_i(ddr_back));

  hbm_pin_bench #(.CkNs(1.0), .Device(Device)) u_bench (.ddr_i(ddr_bench), .ddr_o(ddr_back), .rst_no(bench_rst_n));

endmodule
