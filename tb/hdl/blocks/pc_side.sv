// Everything around one pseudo-channel in the block bench: offers requests from two lists, answers as DRAM on the DFI, checks data.
//
// Lists are hex files of 128-bit words {strb[31:0], qos[3:0], gap[27:0], order[31:0], valid, express, 2'b0, row[15:0], sid[1:0], bg[1:0], ba[2:0], col[4:0]}.
// gap: cycles to wait after the request before. order: in ordered mode a request is offered when that many were taken before it.
// Expected data: the bytes after all writes that were enqueued before the read, those of the same cycle included (M3.2).

module pc_side
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
#(
  /// Pseudo-channel, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input logic        run_i,      // requests may be offered
  input logic        ordered_i,
  input logic        load_i,     // read the lists of run `number_i`
  input logic [31:0] number_i,
  input logic [63:0] seed_i,
  input logic [7:0]  rl_i,
  input logic [7:0]  wl_i,
  input logic [7:0]  rd_delay_i, // cycles from the announced time to the data
  input logic        surplus_i,  // fault injection: one surplus burst of read data
  input logic        mute_i,     // fault injection: no read data at all

  output rd_req_t rd_req_o,
  output logic    rd_req_valid_o,
  output logic    rd_req_express_o,
  input  logic    rd_req_ready_i,
  output wr_req_t wr_req_o,
  output logic    wr_req_valid_o,
  input  logic    wr_credit_i,
  input  rd_rsp_t rd_rsp_i,

  input  col_cmd_t   col_i,
  input  dfi_wr_t    dfi_wr_i,
  input  logic [1:0] rddata_en_i,
  output dfi_rd_t    dfi_rd_o,

  output logic        done_o,
  output logic [31:0] errors_o,
  output logic [31:0] reads_o,      // responses checked
  output logic [31:0] writes_o,     // writes that reached the memory
  output logic [31:0] first_o,      // cycle of the first acceptance
  output logic [31:0] last_o,       // cycle of the last data
  output logic [63:0] latency_o,    // sum over reads, cycles from acceptance to response
  output logic [31:0] worst_o       // longest of them
);

  localparam int unsigned ListLength = 131073;
  typedef logic [27:0]  key_t;
  typedef logic [255:0] data_t;
  typedef struct packed { logic [31:0] ck; key_t key; } access_t;

  logic [127:0] reads  [ListLength];
  logic [127:0] writes [ListLength];
  string dir;

  initial if (!$value$plusargs("pc_dir=%s", dir)) dir = ".";

  function automatic logic [63:0] mix(input logic [63:0] in);
    logic [63:0] x;
    x = in;
    x = (x ^ (x >> 30)) * 64'hBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 64'h94D049BB133111EB;
    return x ^ (x >> 31);
  endfunction

  function automatic data_t unwritten(input key_t key);
    data_t data;
    for (int unsigned w = 0; w < 4; w++) begin
      logic [63:0] k;
      k = 64'(key[4:0]) | (64'(w) << 6) | (64'(key[7:5]) << 8) | (64'(key[9:8]) << 12) | (64'(key[11:10]) << 16)
          | (64'(Pc) << 20) | (64'(key[27:12]) << 24);
      data[64*w+:64] = mix(seed_i + 64'h9E3779B97F4A7C15 * (k + 64'd1));
    end
    return data;
  endfunction

  function automatic data_t write_data(input logic [31:0] index);
    data_t data;
    for (int unsigned w = 0; w < 4; w++)
      data[64*w+:64] = mix((seed_i ^ 64'h5851F42D4C957F2D ^ (64'(Pc) << 60)) + 64'h9E3779B97F4A7C15 * (64'(index) * 4 + 64'(w) + 1));
    return data;
  endfunction

  function automatic data_t merge(input data_t old, input data_t data, input logic [31:0] strb);
    data_t out;
    for (int unsigned b = 0; b < 32; b++) out[8*b+:8] = strb[b] ? data[8*b+:8] : old[8*b+:8];
    return out;
  endfunction

  function automatic dram_addr_t addr_of_key(input key_t key);
    dram_addr_t addr;
    addr.col = key[ColWidth-1:0];
    addr.ba = BaWidth'(key[7:5]);
    addr.bg = BgWidth'(key[9:8]);
    addr.sid = SidWidth'(key[11:10]);
    addr.row = RowWidth'(key[27:12]);
    return addr;
  endfunction

  function automatic key_t key_of(input dram_addr_t addr, input logic [15:0] row);
    return {row, 2'(addr.sid), 2'(addr.bg), 3'(addr.ba), 5'(addr.col)};
  endfunction

  // ---------------------------------------------------------------- state of the bench
  data_t      memory [key_t];     // as the DRAM holds it
  data_t      golden [key_t];     // as the requests leave it
  data_t      expected [RobSlots];
  logic [31:0] taken_at [RobSlots];
  logic [RobSlots-1:0] tag_busy;
  logic [15:0] open_row [NumBanks];
  access_t    wr_queue [$], rd_queue [$], en_queue [$];
  typedef struct packed { logic [31:0] ck; data_t data; } burst_t;
  burst_t     rd_bursts [$];
  data_t      wr_word;
  logic [31:0] wr_strb;
  logic [31:0] cycle, order, rd_idx, wr_idx, rd_wait, wr_wait, credits, errors;
  logic [31:0] reads_seen, writes_seen, first, last, worst;
  logic [63:0] latency;
  logic       surplus_seen;

  // Row state comes from the row bus, by the top of the bench.
  function automatic void opened(input int unsigned bank, input logic [15:0] row);
    open_row[bank] = row;
  endfunction

  task automatic fail(input string what);
    errors++;
    if (errors <= 20) $display("pc%0d cycle %0d: %s", Pc, cycle, what);
  endtask

  always @(posedge clk_i) begin
    if (load_i) begin
      for (int unsigned i = 0; i < ListLength; i++) begin
        reads[i] = '0;
        writes[i] = '0;
      end
      $readmemh($sformatf("%s/rd%0d_%0d.hex", dir, Pc, number_i), reads);
      $readmemh($sformatf("%s/wr%0d_%0d.hex", dir, Pc, number_i), writes);
      memory.delete();
      golden.delete();
    end
    if (!rst_ni) begin
      {cycle, order, rd_idx, wr_idx, rd_wait, wr_wait, errors} = '0;
      {reads_seen, writes_seen, first, last, worst, latency} = '0;
      first = '1;
      credits = WrDepth;
      tag_busy = '0;
      surplus_seen = 1'b0;
      wr_queue.delete();
      rd_queue.delete();
      en_queue.delete();
      rd_bursts.delete();
      rd_req_valid_o <= 1'b0;
      rd_req_express_o <= 1'b0;
      wr_req_valid_o <= 1'b0;
      dfi_rd_o <= '0;
      done_o <= 1'b0;
    end else begin
      logic rd_taken, wr_taken;

      // ------------------------------------------------------------ requests taken in this cycle: the write is older
      rd_taken = rd_req_valid_o && rd_req_ready_i;
      wr_taken = wr_req_valid_o;
      if (wr_taken) begin
        key_t key;
        key = writes[wr_idx-1][27:0];
        golden[key] = merge(golden.exists(key) ? golden[key] : unwritten(key), wr_req_o.data, wr_req_o.strb);
      end
      if (rd_taken) begin
        key_t key;
        key = reads[rd_idx-1][27:0];
        expected[rd_req_o.tag] = golden.exists(key) ? golden[key] : unwritten(key);
        taken_at[rd_req_o.tag] = cycle;
      end
      if ((rd_taken || wr_taken) && first == '1) first = cycle;
      if (rd_taken) order++;
      if (wr_taken) order++;
      if (wr_credit_i) credits++;
      if (credits > WrDepth) fail("more write credits than entries");

      // ------------------------------------------------------------ responses
      if (rd_rsp_i.valid) begin
        if (!tag_busy[rd_rsp_i.tag]) fail($sformatf("response for free tag %0d", rd_rsp_i.tag));
        else if (rd_rsp_i.data != expected[rd_rsp_i.tag])
          fail($sformatf("tag %0d: data %064x, expected %064x", rd_rsp_i.tag, rd_rsp_i.data, expected[rd_rsp_i.tag]));
        tag_busy[rd_rsp_i.tag] = 1'b0;
        reads_seen++;
        last = cycle;
        latency += 64'(cycle - taken_at[rd_rsp_i.tag]);
        if (cycle - taken_at[rd_rsp_i.tag] > worst) worst = cycle - taken_at[rd_rsp_i.tag];
      end

      // ------------------------------------------------------------ columns
      if (col_i.valid) begin
        key_t key;
        key = key_of(col_i.addr, open_row[bank_of(col_i.addr.sid, col_i.addr.bg, col_i.addr.ba)]);
        if (col_i.cmd == CmdWr || col_i.cmd == CmdWra) wr_queue.push_back('{ck: 2 * (cycle + 1) + Pc + 32'(wl_i), key: key});
        else begin
          rd_queue.push_back('{ck: 2 * (cycle + 1) + Pc + 32'(rl_i), key: key});
          en_queue.push_back('{ck: 2 * (cycle + 1) + Pc + 32'(rl_i), key: key});
        end
      end

      // ------------------------------------------------------------ DFI, phase by phase
      for (int unsigned p = 0; p < 2; p++) begin
        logic [31:0] ck;
        logic        due;
        ck = 2 * cycle + p;
        // Read data is taken from the array at its time on the bus, before writes of later commands can be there.
        if (rd_queue.size() != 0 && rd_queue[0].ck == ck) begin
          key_t key;
          key = rd_queue[0].key;
          rd_bursts.push_back('{ck: ck + 2 * 32'(rd_delay_i), data: memory.exists(key) ? memory[key] : unwritten(key)});
          void'(rd_queue.pop_front());
        end
        due = en_queue.size() != 0 && (en_queue[0].ck == ck || en_queue[0].ck + 1 == ck);
        if (rddata_en_i[p] != due) fail($sformatf("rddata_en is %0d in phase %0d", rddata_en_i[p], p));
        if (due && dfi_wr_i.en[p]) fail("read and write data meet");
        if (due && en_queue[0].ck + 1 == ck) void'(en_queue.pop_front());
        due = wr_queue.size() != 0 && (wr_queue[0].ck == ck || wr_queue[0].ck + 1 == ck);
        if (dfi_wr_i.en[p] != due) fail($sformatf("write data enable is %0d in phase %0d", dfi_wr_i.en[p], p));
        if (due && wr_queue[0].ck == ck) begin
          wr_word[127:0] = dfi_wr_i.data[p];
          wr_strb[15:0] = ~dfi_wr_i.mask[p];
        end else if (due) begin
          key_t key;
          key = wr_queue[0].key;
          wr_word[255:128] = dfi_wr_i.data[p];
          wr_strb[31:16] = ~dfi_wr_i.mask[p];
          memory[key] = merge(memory.exists(key) ? memory[key] : unwritten(key), wr_word, HasDataMask ? wr_strb : '1);
          void'(wr_queue.pop_front());
          writes_seen++;
          last = cycle;
        end
      end
      begin
        dfi_rd_t rd;
        rd = '0;
        for (int unsigned p = 0; p < 2; p++) begin
          logic [31:0] ck;
          ck = 2 * (cycle + 1) + p;
          if (rd_bursts.size() != 0 && rd_bursts[0].ck + 4 == ck) begin
            rd.valid[p] = 1'b1;
            rd.data[p] = rd_bursts[0].data[127:0];
          end else if (rd_bursts.size() != 0 && rd_bursts[0].ck + 5 == ck) begin
            rd.valid[p] = 1'b1;
            rd.data[p] = rd_bursts[0].data[255:128];
            void'(rd_bursts.pop_front());
          end
        end
        if (surplus_i && !surplus_seen && rd.valid == '0) begin
          rd.valid = 2'b11;
          surplus_seen = 1'b1;
        end
        dfi_rd_o <= mute_i ? '0 : rd;
      end

      // ------------------------------------------------------------ next offers
      if (rd_taken || !rd_req_valid_o) begin
        logic go;
        logic [127:0] req;
        req = reads[rd_idx];
        if (rd_taken) rd_wait = 0;
        else rd_wait++;
        go = run_i && req[31] && rd_wait >= 32'(req[91:64]) && (!ordered_i || req[63:32] == order) && !(&tag_busy);
        rd_req_valid_o <= go;
        if (go) begin
          logic [RobWidth-1:0] tag;
          tag = '0;
          for (int unsigned t = 0; t < RobSlots; t++) if (!tag_busy[RobSlots-1-t]) tag = RobWidth'(RobSlots - 1 - t);
          tag_busy[tag] = 1'b1;
          rd_req_express_o <= req[30];
          rd_req_o <= '{addr: addr_of_key(req[27:0]), tag: tag, qos: req[95:92]};
          rd_idx++;
        end
      end
      begin
        logic go;
        logic [127:0] req;
        req = writes[wr_idx];
        if (wr_taken) wr_wait = 0;
        else wr_wait++;
        go = run_i && req[31] && wr_wait >= 32'(req[91:64]) && (!ordered_i || req[63:32] == order) && credits != 0;
        wr_req_valid_o <= go;
        if (go) begin
          credits--;
          wr_req_o <= '{addr: addr_of_key(req[27:0]), data: write_data(wr_idx), strb: req[127:96], qos: req[95:92]};
          wr_idx++;
        end
      end

      done_o <= run_i && !reads[rd_idx][31] && !writes[wr_idx][31] && !rd_req_valid_o && !wr_req_valid_o && tag_busy == '0
                && credits == WrDepth && wr_queue.size() == 0;
      cycle++;
    end
    errors_o <= errors;
    reads_o <= reads_seen;
    writes_o <= writes_seen;
    first_o <= first;
    last_o <= last;
    latency_o <= latency;
    worst_o <= worst;
  end

  // After the end: bytes that differ between the DRAM and what the requests should have left.
  function automatic int unsigned differences();
    int unsigned count;
    key_t key;
    count = 0;
    if (golden.first(key) != 0) begin
      do begin
        if (!memory.exists(key) || memory[key] != golden[key]) count++;
      end while (golden.next(key) != 0);
    end
    return count;
  endfunction

endmodule
