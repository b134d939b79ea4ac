// Block bench of two pseudo-channels and their row arbiter: request lists, a DRAM on the DFI, data checks, a command recorder.
//
// cocotb (or plusargs, for a bare loop) sets the *_drv signals; `load_drv` reads the lists of run `number_drv`, then `run_drv` starts.
// Commands are written to commands_<number>.csv in the form of command traces.

module blk_pc
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  logic [$bits(timing_t)-1:0] timing_drv /* verilator public_flat_rw */;
  logic [$bits(policy_t)-1:0] policy_drv /* verilator public_flat_rw */;
  logic [2:0]                 temp_drv /* verilator public_flat_rw */;
  logic                       rst_drv /* verilator public_flat_rw */;
  logic                       enable_drv /* verilator public_flat_rw */;
  logic                       close_drv /* verilator public_flat_rw */;
  logic                       load_drv /* verilator public_flat_rw */;
  logic                       run_drv /* verilator public_flat_rw */;
  logic                       ordered_drv /* verilator public_flat_rw */;
  logic                       record_drv /* verilator public_flat_rw */;
  logic [1:0]                 surplus_drv /* verilator public_flat_rw */;
  logic                       mute_drv /* verilator public_flat_rw */;  // no read data at all
  logic [31:0]                number_drv /* verilator public_flat_rw */;
  logic [63:0]                seed_drv /* verilator public_flat_rw */;
  logic [7:0]                 rd_delay_drv /* verilator public_flat_rw */;

  // {Generation, NumSids, NumBankGroups, BanksPerGroup, HasDataMask, RowWidth}, 16 bits each.
  logic [5:0][15:0]        sizes /* verilator public_flat_rd */;
  assign sizes = {16'(Generation), 16'(NumSids), 16'(NumBankGroups), 16'(BanksPerGroup), 16'(HasDataMask), 16'(RowWidth)};

  logic [NumPcs-1:0]       done /* verilator public_flat_rd */;
  logic [NumPcs-1:0]       idle /* verilator public_flat_rd */;
  logic [NumPcs-1:0]       closed /* verilator public_flat_rd */;
  logic [NumPcs-1:0]       surplus /* verilator public_flat_rd */;   // ever seen
  logic [NumPcs-1:0]       missing /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] errors /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] reads /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] writes /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] first /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] last /* verilator public_flat_rd */;
  logic [NumPcs-1:0][63:0] latency /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] worst /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] differences /* verilator public_flat_rd */;
  logic [31:0]             cycle /* verilator public_flat_rd */;
  logic [NumPcs-1:0][$bits(events_t)-1:0][31:0] counts /* verilator public_flat_rd */;  // pulses of events_t, same bit order
  logic [NumPcs-1:0][31:0] most_debt /* verilator public_flat_rd */;
  logic [NumPcs-1:0][31:0] most_reads /* verilator public_flat_rd */;  // entries of the read queue in use
  logic [NumPcs-1:0][31:0] most_early /* verilator public_flat_rd */;

  initial begin
    {temp_drv, enable_drv, close_drv, load_drv, run_drv, ordered_drv, record_drv, surplus_drv, mute_drv, number_drv, rst_drv} = '0;
    temp_drv = 3'b011;
    rd_delay_drv = '0;
    seed_drv = 64'd1;
    timing_drv = '0;
    policy_drv = '0;
    void'($value$plusargs("timing=%h", timing_drv));
    void'($value$plusargs("policy=%h", policy_drv));
    void'($value$plusargs("pc_record=%d", record_drv));
    void'($value$plusargs("pc_number=%d", number_drv));
    // Bare loop: start at once, requests in trace order (pc_auto) or each list on its own (pc_free).
    if ($test$plusargs("pc_auto") != 0) {enable_drv, run_drv, ordered_drv} = '1;
    if ($test$plusargs("pc_free") != 0) {enable_drv, run_drv} = '1;
  end

  timing_t timing;
  logic    rst_n;
  assign timing = timing_drv;
  assign rst_n = rst_ni & ~rst_drv;

  row_cmd_t [NumPcs-1:0] act, short_cmd;
  logic     [NumPcs-1:0] short_a_ok, act_gnt, short_gnt_a, short_gnt_b;
  col_cmd_t [NumPcs-1:0] col;
  row_bus_t              row_bus;

  for (genvar p = 0; p < NumPcs; p++) begin : g_pc
    rd_req_t    rd_req;
    wr_req_t    wr_req;
    rd_rsp_t    rd_rsp;
    dfi_wr_t    dfi_wr;
    dfi_rd_t    dfi_rd;
    logic [1:0] rddata_en;
    logic       rd_req_valid, rd_req_ready, rd_req_express, rd_req_ready_n, rd_req_ready_x, wr_req_valid, wr_credit, rd_surplus, rd_missing;
    events_t    events;
    pc_status_t status;

    hbm_pc #(.Pc(p)) u_pc (
      .clk_i, .rst_ni(rst_n), .timing_i(timing), .policy_i(policy_drv), .temp_i(temp_drv),
      .enable_i(enable_drv), .close_i(close_drv), .idle_o(idle[p]), .closed_o(closed[p]), .precharged_o(),
      .rd_req_i(rd_req), .rd_req_valid_i(rd_req_valid), .rd_req_express_i(rd_req_express),
      .rd_req_ready_o(rd_req_ready_n), .rd_req_ready_x_o(rd_req_ready_x), .rd_refused_i(rd_req_valid & ~rd_req_ready),
      .wr_req_i(wr_req), .wr_req_valid_i(wr_req_valid), .wr_credit_o(wr_credit), .rd_rsp_o(rd_rsp),
      .act_o(act[p]), .short_o(short_cmd[p]), .short_a_ok_o(short_a_ok[p]),
      .act_gnt_i(act_gnt[p]), .short_gnt_a_i(short_gnt_a[p]), .short_gnt_b_i(short_gnt_b[p]), .col_o(col[p]),
      .dfi_wr_o(dfi_wr), .rddata_en_o(rddata_en), .dfi_rd_i(dfi_rd), .events_o(events), .status_o(status),
      .rd_surplus_o(rd_surplus), .rd_missing_o(rd_missing)
    );

    assign rd_req_ready = rd_req_express ? rd_req_ready_x : rd_req_ready_n;

    pc_side #(.Pc(p)) u_side (
      .clk_i, .rst_ni(rst_n), .run_i(run_drv), .ordered_i(ordered_drv), .load_i(load_drv), .number_i(number_drv), .seed_i(seed_drv),
      .rl_i(timing.rl), .wl_i(timing.wl), .rd_delay_i(rd_delay_drv), .surplus_i(surplus_drv[p]), .mute_i(mute_drv),
      .rd_req_o(rd_req), .rd_req_valid_o(rd_req_valid), .rd_req_express_o(rd_req_express), .rd_req_ready_i(rd_req_ready),
      .wr_req_o(wr_req), .wr_req_valid_o(wr_req_valid), .wr_credit_i(wr_credit), .rd_rsp_i(rd_rsp),
      .col_i(col[p]), .dfi_wr_i(dfi_wr), .rddata_en_i(rddata_en), .dfi_rd_o(dfi_rd),
      .done_o(done[p]), .errors_o(errors[p]), .reads_o(reads[p]), .writes_o(writes[p]), .first_o(first[p]), .last_o(last[p]),
      .latency_o(latency[p]), .worst_o(worst[p])
    );

    always @(posedge clk_i) begin
      if (!rst_n) begin
        counts[p] <= '0;
        surplus[p] <= 1'b0;
        missing[p] <= 1'b0;
        most_debt[p] <= '0;
        most_reads[p] <= '0;
        most_early[p] <= '0;
      end else begin
        if (events != '0) for (int unsigned i = 0; i < $bits(events_t); i++) if (events[i]) counts[p][i] <= counts[p][i] + 32'd1;
        if (rd_surplus) surplus[p] <= 1'b1;
        if (rd_missing) missing[p] <= 1'b1;
        if (32'(status.refresh_debt) > most_debt[p]) most_debt[p] <= 32'(status.refresh_debt);
        if (32'(status.rd_level) > most_reads[p]) most_reads[p] <= 32'(status.rd_level);
        if (32'(status.refresh_early) > most_early[p]) most_early[p] <= 32'(status.refresh_early);
      end
      // Once, when all is done.
      if (!done[p]) differences[p] <= '1;
      else if (differences[p] == '1) differences[p] <= u_side.differences();
    end
  end

  hbm_row_arb u_row_arb (
    .clk_i, .rst_ni(rst_n), .act_i(act), .short_i(short_cmd), .short_a_ok_i(short_a_ok),
    .act_gnt_o(act_gnt), .short_gnt_a_o(short_gnt_a), .short_gnt_b_o(short_gnt_b), .row_o(row_bus)
  );

  // ---------------------------------------------------------------- recorder; the open rows of the DRAM
  int file;
  logic recording;

  function automatic string name_of(input cmd_e cmd);
    unique case (cmd)
      CmdAct: return "ACT";
      CmdPre: return "PRE";
      CmdPrea: return "PREA";
      CmdRd: return "RD";
      CmdRda: return "RDA";
      CmdWr: return "WR";
      CmdWra: return "WRA";
      CmdRef: return "REF";
      CmdRefsb: return "REFSB";
      default: return "UNKNOWN";
    endcase
  endfunction

  task automatic put(input int unsigned ck, input logic half, input cmd_e cmd, input int unsigned pc, input dram_addr_t addr);
    if (recording) $fwrite(file, "%0d%s,%s,%0d,%0d,%0d,%0d,%0d,%0d\n", ck, half ? ".5" : "", name_of(cmd), pc, addr.sid, addr.bg,
                           addr.ba, addr.row, addr.col);
  endtask

  function automatic logic falling(input cmd_e cmd);
    return Generation >= 3 && (cmd == CmdPre || cmd == CmdPrea);
  endfunction

  initial recording = 1'b0;

  always @(posedge clk_i) begin
    if (!rst_n) begin
      cycle = '0;
      if (recording) $fclose(file);
      recording = 1'b0;
    end else begin
      if (record_drv && !recording) begin
        file = $fopen($sformatf("commands_%0d.csv", number_drv), "w");
        $fwrite(file, "cycle,cmd,pc,sid,bg,bank,row,col\n");
        recording = 1'b1;
      end
      if (!record_drv && recording) begin
        $fclose(file);
        recording = 1'b0;
      end
      if (row_bus.act.valid) put(2 * cycle, 1'b0, CmdAct, 32'(row_bus.act_pc), row_bus.act.addr);
      if (row_bus.slot_a.valid && !falling(row_bus.slot_a.cmd))
        put(2 * cycle, 1'b0, row_bus.slot_a.cmd, 32'(row_bus.slot_a_pc), row_bus.slot_a.addr);
      if (col[0].valid) put(2 * cycle, 1'b0, col[0].cmd, 0, col[0].addr);
      if (row_bus.slot_a.valid && falling(row_bus.slot_a.cmd))
        put(2 * cycle, 1'b1, row_bus.slot_a.cmd, 32'(row_bus.slot_a_pc), row_bus.slot_a.addr);
      if (row_bus.slot_b.valid && !falling(row_bus.slot_b.cmd))
        put(2 * cycle + 1, 1'b0, row_bus.slot_b.cmd, 32'(row_bus.slot_b_pc), row_bus.slot_b.addr);
      if (col[1].valid) put(2 * cycle + 1, 1'b0, col[1].cmd, 1, col[1].addr);
      if (row_bus.slot_b.valid && falling(row_bus.slot_b.cmd))
        put(2 * cycle + 1, 1'b1, row_bus.slot_b.cmd, 32'(row_bus.slot_b_pc), row_bus.slot_b.addr);
      cycle++;
    end
  end

  for (genvar p = 0; p < NumPcs; p++) begin : g_rows
    always @(negedge clk_i) begin
      if (row_bus.act.valid && 32'(row_bus.act_pc) == p)
        g_pc[p].u_side.opened(32'(bank_of(row_bus.act.addr.sid, row_bus.act.addr.bg, row_bus.act.addr.ba)), 16'(row_bus.act.addr.row));
    end
  end

endmodule
