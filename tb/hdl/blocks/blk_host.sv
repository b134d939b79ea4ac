// Block bench of hbm_axi_port: registers that cocotb drives and reads, a request sink with a memory, and event counters.
//
// The sink stands for the PC: it takes read requests, answers them after a random delay in random order, and takes every write
// request at once. A read returns the bytes as they are when it is taken, writes of the same cycle included, which is the order
// that the queues guarantee (M3.2). Words that were never written read as the hash of docs/bench.md, with the block's place in the
// packed DRAM address instead of the coordinates.

module blk_host
  import hbm_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  localparam int unsigned ObsBits = 12 + RobWidth + $bits(axi_b_t) + $bits(axi_r_t) + 1 + $bits(rd_req_t) + 1 +
                                    $bits(wr_req_t);

  logic clk /* verilator public_flat_rd */;
  assign clk = clk_i;

  // Driven by cocotb on falling edges. {valid, payload} per channel.
  logic [$bits(axi_ax_t):0]   ar_drv /* verilator public_flat_rw */;
  logic [$bits(axi_ax_t):0]   aw_drv /* verilator public_flat_rw */;
  logic [$bits(axi_w_t):0]    w_drv /* verilator public_flat_rw */;
  logic                       r_ready_drv /* verilator public_flat_rw */;
  logic                       b_ready_drv /* verilator public_flat_rw */;
  logic [4:0]                 qos_high_drv /* verilator public_flat_rw */;  // takes effect at once
  logic                       quiesce_drv /* verilator public_flat_rw */;
  logic [$bits(addr_map_t)-1:0] map_drv /* verilator public_flat_rw */;
  logic                       port_rst_drv /* verilator public_flat_rw */;  // 1: reset of the block

  // Sink control, in effect one cycle later. Percentages per cycle; a freed write queue entry comes back with `credit_pct` per cycle.
  logic [6:0]                 rd_ready_pct_drv /* verilator public_flat_rw */;
  logic [6:0]                 rd_ready_x_pct_drv /* verilator public_flat_rw */;  // for express reads, beyond the former
  logic [6:0]                 rsp_pct_drv /* verilator public_flat_rw */;
  logic [6:0]                 credit_pct_drv /* verilator public_flat_rw */;
  logic [RobWidth:0]          rsp_pick_drv /* verilator public_flat_rw */;  // {1, tag}: answer this tag next, nothing else
  logic [31:0]                seed_drv /* verilator public_flat_rw */;

  // Read by cocotb on falling edges: what the coming rising edge sees. Nothing in it depends on a valid or ready of the same cycle.
  logic [ObsBits-1:0]         obs /* verilator public_flat_rd */;
  // Pulses of host_events_t since reset, 32 bits each, in its bit order.
  logic [$bits(host_events_t)-1:0][31:0] counts /* verilator public_flat_rd */;
  logic [5:0]                 free_entries /* verilator public_flat_rd */;  // write queue entries to be given back
  // Bits of {axi_ax_t, axi_w_t, axi_r_t, rd_req_t, wr_req_t, dram_addr_t, MapInBits, RowWidth, ColWidth, RobWidth}, 16 bits each.
  logic [9:0][15:0]           sizes /* verilator public_flat_rd */;

  axi_b_t                     b;
  axi_r_t                     r;
  rd_req_t                    rd_req;
  wr_req_t                    wr_req;
  rd_rsp_t                    rd_rsp;
  host_events_t               events;
  logic                       aw_ready, w_ready, ar_ready, b_valid, r_valid, rd_req_valid, wr_req_valid, idle;
  logic                       rd_req_ready;    // for a read of the normal lane
  logic                       rd_req_ready_x;  // for one of the express lane
  logic                       rd_req_express, rd_refused;
  logic                       rd_taken;
  logic                       credit;
  logic                       quiesce_q;
  logic [6:0]                 rd_ready_x_pct_q, rd_ready_pct_q, rsp_pct_q, credit_pct_q;
  logic [RobWidth:0]          rsp_pick_q;
  logic                       rst_n;

  // Its own reset only: while this block is tested, the common one keeps the other blocks of the bench quiet.
  logic                       unused_rst;
  assign unused_rst = rst_ni;
  initial port_rst_drv = 1'b1;
  assign rst_n = !port_rst_drv;
  assign obs = {ar_ready, aw_ready, w_ready, b_valid, r_valid, idle, credit, rd_rsp.valid, rd_rsp.tag, b, r,
                rd_refused, rd_req_express, rd_req_ready_x, rd_req_ready, rd_req_valid, rd_req, wr_req_valid, wr_req};
  assign sizes = {16'($bits(axi_ax_t)), 16'($bits(axi_w_t)), 16'($bits(axi_r_t)), 16'($bits(rd_req_t)), 16'($bits(wr_req_t)),
                  16'($bits(dram_addr_t)), 16'(MapInBits), 16'($bits(rd_req.addr.row)), 16'($bits(rd_req.addr.col)),
                  16'(RobWidth)};

  hbm_axi_port u_dut (
    .clk_i, .rst_ni(rst_n),
    .aw_i(aw_drv[$bits(axi_ax_t)-1:0]), .aw_valid_i(aw_drv[$bits(axi_ax_t)]), .aw_ready_o(aw_ready),
    .w_i(w_drv[$bits(axi_w_t)-1:0]), .w_valid_i(w_drv[$bits(axi_w_t)]), .w_ready_o(w_ready),
    .b_o(b), .b_valid_o(b_valid), .b_ready_i(b_ready_drv),
    .ar_i(ar_drv[$bits(axi_ax_t)-1:0]), .ar_valid_i(ar_drv[$bits(axi_ax_t)]), .ar_ready_o(ar_ready),
    .r_o(r), .r_valid_o(r_valid), .r_ready_i(r_ready_drv),
    .map_i(map_drv), .qos_high_i(qos_high_drv), .quiesce_i(quiesce_q), .idle_o(idle),
    .rd_req_o(rd_req), .rd_req_valid_o(rd_req_valid), .rd_req_express_o(rd_req_express),
    .rd_req_ready_i(rd_req_ready), .rd_req_ready_x_i(rd_req_ready_x), .rd_refused_o(rd_refused),
    .wr_req_o(wr_req), .wr_req_valid_o(wr_req_valid), .wr_credit_i(credit),
    .rd_rsp_i(rd_rsp), .events_o(events)
  );

  // ---------------------------------------------------------------- sink
  localparam int unsigned AddrBits = $bits(dram_addr_t);

  logic [AxiDataWidth-1:0] mem [logic [AddrBits-1:0]];
  logic [AxiDataWidth-1:0] pend_data [RobSlots];
  logic [RobSlots-1:0]     pend_q;
  logic [31:0]             rand_q;

  function automatic logic [63:0] mix(input logic [63:0] x);
    mix = x;
    mix = (mix ^ (mix >> 30)) * 64'hBF58476D1CE4E5B9;
    mix = (mix ^ (mix >> 27)) * 64'h94D049BB133111EB;
    mix = mix ^ (mix >> 31);
  endfunction

  function automatic logic [AxiDataWidth-1:0] word(input dram_addr_t addr);
    if (mem.exists(addr)) return mem[addr];
    for (int unsigned w = 0; w < 4; w++) word[64*w+:64] = mix(64'h9E3779B97F4A7C15 * ((64'(addr) << 2) + 64'(w) + 64'd1));
  endfunction

  // Percent draws from one xorshift generator; different fields of its state serve different decisions.
  function automatic logic chance(input logic [6:0] percent, input logic [11:0] draw);
    return 32'(draw) * 32'd100 < 32'(percent) * 32'd4096;
  endfunction

  function automatic logic [31:0] xorshift(input logic [31:0] x);
    xorshift = x ^ (x << 13);
    xorshift = xorshift ^ (xorshift >> 17);
    xorshift = xorshift ^ (xorshift << 5);
  endfunction

  assign rd_req_ready = chance(rd_ready_pct_q, rand_q[11:0]);
  // What takes a normal read takes an express one.
  assign rd_req_ready_x = rd_req_ready || chance(rd_ready_x_pct_q, rand_q[31:20]);
  assign rd_taken = rd_req_valid && (rd_req_express ? rd_req_ready_x : rd_req_ready);
  assign credit = free_entries != 0 && chance(credit_pct_q, rand_q[23:12]);

  // The pending tag at or after a random place, so that the order of answers is arbitrary.
  always_comb begin
    logic [RobWidth-1:0] tag;
    rd_rsp = '0;
    tag = '0;
    if (rsp_pick_q[RobWidth]) begin
      tag = rsp_pick_q[RobWidth-1:0];
      rd_rsp.valid = pend_q[tag];
      rd_rsp.tag = tag;
    end else if (pend_q != '0 && chance(rsp_pct_q, rand_q[19:8])) begin
      rd_rsp.valid = 1'b1;
      for (int unsigned i = 0; i < RobSlots; i++) begin
        tag = rand_q[RobWidth-1:0] - RobWidth'(i);
        if (pend_q[tag]) rd_rsp.tag = tag;
      end
    end
    rd_rsp.data = pend_data[rd_rsp.tag];
  end

  // Registered, so that what cocotb reads on the falling edge holds for the rising edge that follows.
  always_ff @(posedge clk_i) begin
    rd_ready_pct_q <= rd_ready_pct_drv;
    rd_ready_x_pct_q <= rd_ready_x_pct_drv;
    rsp_pct_q      <= rsp_pct_drv;
    credit_pct_q   <= credit_pct_drv;
    rsp_pick_q     <= rsp_pick_drv;
  end

  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) begin
      pend_q       <= '0;
      free_entries <= '0;
      counts       <= '0;
      quiesce_q    <= 1'b0;
      rand_q       <= seed_drv | 32'd1;
    end else begin
      rand_q    <= xorshift(rand_q);
      quiesce_q <= quiesce_drv;
      if (rd_rsp.valid) pend_q[rd_rsp.tag] <= 1'b0;
      if (rd_taken) pend_q[rd_req.tag] <= 1'b1;
      free_entries <= free_entries + 6'(wr_req_valid) - 6'(credit);
      for (int unsigned i = 0; i < $bits(host_events_t); i++) counts[i] <= counts[i] + 32'(events[i]);
    end
  end

  // Blocking on purpose: the write of a cycle comes before its read.
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (!rst_n) begin
      mem.delete();
    end else begin
      if (wr_req_valid) begin
        logic [AxiDataWidth-1:0] value;
        value = word(wr_req.addr);
        for (int unsigned i = 0; i < AxiStrbWidth; i++) if (wr_req.strb[i]) value[8*i+:8] = wr_req.data[8*i+:8];
        mem[wr_req.addr] = value;
      end
      if (rd_taken) pend_data[rd_req.tag] <= word(rd_req.addr);
    end
  end

  /* verilator lint_on BLKSEQ */

  WriteQueueHoldsAll_A : assert property (@(posedge clk_i) disable iff (!rst_n) free_entries <= 6'(WrDepth));
  TagIsFree_A : assert property (@(posedge clk_i) disable iff (!rst_n) rd_req_valid |-> !pend_q[rd_req.tag]);

endmodule
