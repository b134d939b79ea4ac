// Judges one AXI burst, SLVERR or DECERR, and reduces its address channel to what the port needs (M2.6).
//
// Enforces: rowRange.
//
// Combinational, on the input side of the burst FIFO, so that the verdict is ready when the burst is split. Only the first
// address is mapped: a legal burst stays in one 4 KiB page, and the row bits that decide against `row_limit` must be functions of
// address bits 12 and above, as in every map whose rows are at least 4 KiB of address space apart. SLVERR wins over DECERR where
// the response is formed.

module hbm_axi_check
  import hbm_geometry_pkg::RowWidth;
  import hbm_geometry_pkg::ColWidth;
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  axi_ax_t   ax_i,
  input  logic      ax_valid_i,
  input  addr_map_t map_i,
  output burst_t    burst_o
);

  logic [15:0]          total;       // bytes of the burst, 1 to 8192 for legal sizes
  logic [OffWidth-1:0]  offset_mask;
  logic [PageWidth-1:0] aligned;     // offset in the page, aligned to the beat
  logic [16:0]          last_plus1;  // offset after the last byte of an INCR burst
  logic                 wrap_len_ok;
  logic                 bad_size;
  logic [RowWidth-1:0]  row;         // of the first byte
  logic                 unused_ax;
  logic                 unused_map;

  assign total = (16'(ax_i.len) + 16'd1) << ax_i.size;
  assign offset_mask = size_mask(ax_i.size);
  assign aligned = ax_i.addr[PageWidth-1:0] & ~PageWidth'(offset_mask);
  assign last_plus1 = 17'(aligned) + 17'(total);
  assign bad_size = ax_i.size > 3'd5;
  assign wrap_len_ok = ax_i.len inside {8'd1, 8'd3, 8'd7, 8'd15};

  // Cache, protection and region attributes change nothing in a memory without caches or regions.
  assign unused_ax = &{1'b0, ax_i.cache, ax_i.prot, ax_i.region};

  // Bits of a dram_addr_t that hold the row. The map of the other bits does not matter here.
  always_comb begin
    row = '0;
    if (ax_valid_i) begin
      for (int unsigned i = 0; i < RowWidth; i++) row[i] = ^(map_i.mask[ColWidth+i] & ax_i.addr[PortAddrWidth-1:OffWidth]);
    end
  end
  assign unused_map = ^map_i.mask;

  always_comb begin
    burst_o.id = ax_i.id;
    burst_o.addr = ax_i.addr[PortAddrWidth-1:0];
    burst_o.len = ax_i.len;
    burst_o.size = ax_i.size;
    burst_o.burst = ax_i.burst;
    burst_o.qos = ax_i.qos;
    burst_o.excl = ax_i.lock;
    burst_o.decerr = ax_i.addr[AxiAddrWidth-1:PortAddrWidth] != '0 || {1'b0, row} >= map_i.row_limit;
    burst_o.wrap_mask = 9'(total - 16'd1);

    // IHI 0022 A7.2.4: at most 16 beats, the total a power of two of at most 128 bytes, the address aligned to it.
    burst_o.excl_ok = ax_i.lock && (ax_i.len == 8'd0 || wrap_len_ok) && !bad_size && total <= 16'd128 &&
                      (ax_i.addr[6:0] & 7'(total - 16'd1)) == 7'd0;

    burst_o.slverr = bad_size;
    burst_o.one_block = 1'b0;
    unique case (axi_burst_e'(ax_i.burst))
      BurstFixed: begin
        burst_o.one_block = 1'b1;
        if (ax_i.len > 8'd15) burst_o.slverr = 1'b1;
      end
      BurstIncr: begin
        if (last_plus1 > 17'd4096) burst_o.slverr = 1'b1;
      end
      BurstWrap: begin
        burst_o.one_block = total <= 16'(BlockBytes);
        if (!wrap_len_ok || (ax_i.addr[OffWidth-1:0] & offset_mask) != '0) burst_o.slverr = 1'b1;
      end
      default: burst_o.slverr = 1'b1;
    endcase
  end

endmodule
