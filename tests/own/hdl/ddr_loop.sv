// Random words through the real pins and back, both ways; each CK that arrives is compared with the one that was sent.
//
// Host and device count time on their own: a CK is found again by the time at which it began.

// verilator tracing_off
module ddr_loop
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  parameter real CkNs = 1.0,
  /// First clock edge of the host, in CK: an odd difference lets the device's cycles begin in the middle of the host's.
  parameter int  Shift = 1
) (
  // What arrives late; a wire is early where all others are late. `wr`, `rd`: the data lanes without their strobes.
  input int unsigned ck_ps_i, cmd_ps_i, wdqs_ps_i, wr_ps_i, rdqs_ps_i, rd_ps_i
);

  int unsigned wr_checked = 0, rd_checked = 0, wrong = 0, odd_starts = 0;

  // What one CK carries, and whether its data lanes count.
  typedef struct packed {
    logic [1:0][RowPins-1:0]            row;
    logic [1:0][ColPins-1:0]            col;
    logic [1:0]                         apar, arfu;
    logic                               cke;
    logic [NumPcs-1:0]                  oe;
    logic [NumPcs-1:0][PhaseBits-1:0]   dq;
    logic [NumPcs-1:0][PhaseBytes-1:0]  dm, dbi;
    logic [NumPcs-1:0][3:0]             par;
  } out_ck_t;
  typedef struct packed {
    logic [NumPcs-1:0]                  drive;
    logic [NumPcs-1:0][PhaseBits-1:0]   dq;
    logic [NumPcs-1:0][PhaseBytes-1:0]  dbi;
    logic [NumPcs-1:0][3:0]             par;
    logic [NumPcs-1:0]                  derr;
    logic                               aerr;
  } in_ck_t;

  function automatic out_ck_t out_of(input pins_out_t w, input int p);
    out_of = '0;
    out_of.row  = w.cmd.row[p];
    out_of.col  = w.cmd.col[p];
    out_of.apar = w.cmd.apar[p];
    out_of.arfu = w.cmd.arfu[p];
    out_of.cke  = w.cmd.cke[p];
    for (int unsigned pc = 0; pc < NumPcs; pc++) begin
      out_of.oe[pc] = w.wr[pc].oe[p];
      if (w.wr[pc].oe[p]) begin
        out_of.dq[pc]  = w.wr[pc].dq[p];
        out_of.dm[pc]  = w.wr[pc].dm[p];
        out_of.dbi[pc] = w.wr[pc].dbi[p];
        out_of.par[pc] = w.wr[pc].par[p];
      end
    end
  endfunction

  function automatic in_ck_t in_of(input pins_in_t w, input logic [NumPcs-1:0] drive, input int p);
    in_of = '0;
    in_of.drive = drive;
    in_of.aerr  = w.aerr[p];
    for (int unsigned pc = 0; pc < NumPcs; pc++) begin
      in_of.derr[pc] = w.rd[pc].derr[p];
      if (drive[pc]) begin
        in_of.dq[pc]  = w.rd[pc].dq[p];
        in_of.dbi[pc] = w.rd[pc].dbi[p];
        in_of.par[pc] = w.rd[pc].par[p];
      end
    end
  endfunction

  // ---------------------------------------------------------------- host
  logic      clk = 1'b0;
  pins_out_t out = '0;
  pins_in_t  back;
  ddr_out_t  ddr;
  ddr_in_t   ddr_back;
  out_ck_t   sent [longint];
  in_ck_t    given [longint];

  initial begin
    #(CkNs * real'(Shift));
    forever begin
      clk = 1'b1;
      #(CkNs);
      clk = 1'b0;
      #(CkNs);
    end
  end

  // Number of the CK that begins at a time.
  function automatic longint ck_of(input realtime t);
    return longint'($floor(t / CkNs + 0.5));
  endfunction

  int unsigned cycles = 0;

  always @(posedge clk) begin : host
    bit [$bits(pins_out_t)+31:0] noise;
    pins_out_t next;
    longint    ck;
    ck = ck_of($realtime) - 2;
    cycles <= cycles + 1;
    if (cycles > 20) begin
      for (int p = 0; p < 2; p++) sent[ck + longint'(p)] = out_of(out, p);
      for (int p = 0; p < 2; p++) begin
        if (given.exists(ck + longint'(p))) begin
          rd_checked++;
          if (given[ck + longint'(p)] != in_of(back, given[ck + longint'(p)].drive, p)) wrong++;
          given.delete(ck + longint'(p));
        end
      end
    end
    for (int unsigned i = 0; i < $bits(pins_out_t); i += 32) noise[i +: 32] = $urandom;
    next = noise[$bits(pins_out_t)-1:0];
    next.cmd.reset_n = 1'b1;
    next.cmd.ck_en   = cycles > 4;
    if (!HasCke) next.cmd.cke = '0;
    out <= next;
  end

  hbm_ddr_host #(.CkNs(CkNs)) u_host (.clk_i(clk), .pins_i(out), .pins_o(back), .ddr_o(ddr), .ddr_i(from_device));

  // ---------------------------------------------------------------- the wires
  ddr_out_t to_device;
  ddr_in_t  from_device;

  logic                 ck;
  ddr_out_t             cmd;  // without CK and lanes
  ddr_wr_t [NumPcs-1:0] wr;
  ddr_rd_t [NumPcs-1:0] rd;
  logic    [NumPcs-1:0] wdqs, rdqs;

  ddr_wire u_ck (.late_ps_i(ck_ps_i), .in_i(ddr.ck), .out_o(ck));
  ddr_wire #(.Width($bits(ddr_out_t))) u_cmd (.late_ps_i(cmd_ps_i), .in_i(without_lanes(ddr)), .out_o(cmd));
  ddr_wire #(.Width($bits(wr))) u_wr (.late_ps_i(wr_ps_i), .in_i(ddr.wr), .out_o(wr));
  ddr_wire #(.Width($bits(rd))) u_rd (.late_ps_i(rd_ps_i), .in_i(ddr_back.rd), .out_o(rd));
  for (genvar pc = 0; pc < int'(NumPcs); pc++) begin : g_strobe
    ddr_wire u_wdqs (.late_ps_i(wdqs_ps_i), .in_i(ddr.wr[pc].wdqs), .out_o(wdqs[pc]));
    ddr_wire u_rdqs (.late_ps_i(rdqs_ps_i), .in_i(ddr_back.rd[pc].rdqs), .out_o(rdqs[pc]));
  end

  function automatic ddr_out_t without_lanes(input ddr_out_t all);
    without_lanes = all;
    without_lanes.ck = 1'b0;
    without_lanes.wr = '0;
  endfunction

  always_comb begin
    to_device      = cmd;
    to_device.ck   = ck;
    to_device.wr   = wr;
    from_device    = ddr_back;
    from_device.rd = rd;
    for (int unsigned pc = 0; pc < NumPcs; pc++) begin
      to_device.wr[pc].wdqs   = wdqs[pc];
      from_device.rd[pc].rdqs = rdqs[pc];
      from_device.rd[pc].derr = ddr_back.rd[pc].derr;
    end
  end

  // ---------------------------------------------------------------- device
  logic                   dev_clk;
  pins_out_t              got;
  pins_in_t               read = '0;
  logic [NumPcs-1:0][1:0] drive = '0;

  hbm_ddr_device #(.CkNs(CkNs)) u_device (
    .ddr_i(to_device), .ddr_o(ddr_back), .clk_o(dev_clk), .pins_o(got), .pins_i(read), .drive_i(drive)
  );

  always @(posedge dev_clk) begin : device
    bit [$bits(pins_in_t)+31:0] noise;
    pins_in_t  next;
    pins_out_t now;
    longint    ck;
    ck  = ck_of($realtime) - 2;
    now = got;
    for (int unsigned i = 0; i < $bits(pins_in_t); i += 32) noise[i +: 32] = $urandom;
    next = noise[$bits(pins_in_t)-1:0];
    read <= next;
    for (int unsigned pc = 0; pc < NumPcs; pc++) drive[pc] <= 2'($urandom);
    #(0.25 * CkNs);
    if (cycles > 24) begin
      for (int p = 0; p < 2; p++) begin
        given[ck + longint'(2 + p)] = in_of(read, {drive[1][p], drive[0][p]}, p);
        if (sent.exists(ck + longint'(p))) begin
          wr_checked++;
          if (sent[ck + longint'(p)] != out_of(now, p)) wrong++;
          sent.delete(ck + longint'(p));
        end
      end
      if (((ck - longint'(Shift)) & 64'd1) != 0) odd_starts++;
    end
  end

endmodule
// verilator tracing_on
