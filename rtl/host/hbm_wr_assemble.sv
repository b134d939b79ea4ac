// Joins the W beats of a burst that lie in one 32-byte block into one write request, mapped and registered (M2.2, M2.4).
//
// Latency: a request whose last beat is processed in cycle N stands at the output in N+1 for exactly one cycle. The output
// register is also where the beats gather. Nothing here ever stalls.

module hbm_wr_assemble
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [MapOutBits-1:0][MapInBits-1:0] mask_i,

  input  burst_t                   burst_i,         // stable until its last beat
  input  logic                     beat_valid_i,
  input  axi_w_t                   beat_i,
  output logic                     last_beat_o,     // the next beat processed ends the burst
  output logic                     beat_used_o,     // this beat completes a request

  input  logic                     excl_match_i,    // an armed monitor fits burst_i
  output logic                     excl_success_o,  // it is used up by this burst
  output logic                     write_o,         // bytes are written: block_o, strb_o
  output logic [MapInBits-1:0]     block_o,
  output logic [AxiStrbWidth-1:0]  strb_o,

  output wr_req_t                  wr_req_o,
  output logic                     wr_req_valid_o,

  output logic                     b_push_o,        // the burst ends in this cycle
  output axi_b_t                   b_o,
  output logic                     excl_fail_o      // an exclusive write that wrote nothing ends
);

  logic                    first_q;        // no beat of the head burst was processed
  logic [7:0]              left_q;         // beats left after the processed ones, minus one
  logic [PageWidth-1:0]    offset_q;       // address of the next beat in the page
  axi_resp_e               resp_q;         // verdict of the first beat
  logic                    drop_q;         // nothing of the burst is written
  logic                    bad_last_q;     // WLAST stood on a beat that was not the last
  logic                    in_first_q;     // still in the block where the burst started
  logic                    open_q;         // the output register gathers a block
  logic                    keep_valid_q;   // the first block of a WRAP burst waits for its return
  logic [AxiDataWidth-1:0] keep_data_q;
  logic [AxiStrbWidth-1:0] keep_strb_q;

  logic [PageWidth-1:0]    offset;
  logic [PageWidth-1:0]    next_offset;
  logic [PageWidth-1:0]    stepped;
  logic [PageWidth-1:0]    wrap_mask;
  logic [OffWidth-1:0]     beat_mask;      // bits of the offset that move within a beat
  logic [OffWidth-1:0]     top_lane;
  logic [AxiStrbWidth-1:0] lane_strb;      // strobes of the lanes that belong to the beat
  logic                    in_first;
  logic                    closes;         // the block ends with this beat
  logic                    keep;           // ... but the burst will come back to it
  logic                    resume;         // back in the kept block
  axi_resp_e               resp;
  logic                    drop;
  logic                    bad_last;

  dram_addr_t              addr;
  logic [AxiDataWidth-1:0] data;
  logic [AxiStrbWidth-1:0] strb;
  logic                    unused_excl_ok;

  assign unused_excl_ok = burst_i.excl_ok;  // no monitor is armed for another shape

  assign offset = first_q ? burst_i.addr[PageWidth-1:0] : offset_q;
  assign last_beat_o = first_q ? burst_i.len == 8'd0 : left_q == 8'd0;
  assign beat_mask = size_mask(burst_i.size);
  assign top_lane = offset[OffWidth-1:0] | beat_mask;
  assign lane_strb = beat_i.strb & ('1 << offset[OffWidth-1:0]) & ('1 >> ~top_lane);

  assign stepped = (offset | PageWidth'(beat_mask)) + PageWidth'(1);
  assign wrap_mask = PageWidth'(burst_i.wrap_mask);
  always_comb begin
    unique case (axi_burst_e'(burst_i.burst))
      BurstFixed: next_offset = offset;
      BurstWrap:  next_offset = (offset & ~wrap_mask) | (stepped & wrap_mask);
      default:    next_offset = stepped;
    endcase
  end

  assign closes = last_beat_o || (!burst_i.one_block && (&top_lane));

  // Only a WRAP burst of more than 32 bytes that starts inside a block returns to it, with its last beats.
  assign in_first = first_q || in_first_q;
  assign keep = closes && in_first && !last_beat_o && burst_i.burst == BurstWrap && burst_i.addr[OffWidth-1:0] != '0;
  assign resume = keep_valid_q && !first_q && !open_q &&
                  offset[PageWidth-1:OffWidth] == burst_i.addr[PageWidth-1:OffWidth];

  hbm_addr_map u_map (
    .en_i(beat_valid_i),
    .block_i(block_o),
    .mask_i,
    .addr_o(addr)
  );

  // The verdict on the burst falls when its first beat is processed, after every older write of the port.
  always_comb begin
    resp = resp_q;
    drop = drop_q;
    if (first_q) begin
      resp = RespOkay;
      drop = 1'b1;
      if (burst_i.slverr) resp = RespSlvErr;
      else if (burst_i.decerr) resp = RespDecErr;
      else if (!burst_i.excl) drop = 1'b0;
      else if (excl_match_i) begin
        resp = RespExOkay;
        drop = 1'b0;
      end
    end
  end

  // Beats are counted by AWLEN. WLAST on another beat than the counted last one is answered with SLVERR; the bytes of such a
  // burst are written all the same, since earlier ones are already on their way when it shows.
  assign bad_last = (!first_q && bad_last_q) || beat_i.last != last_beat_o;

  // Later beats overwrite earlier bytes (FIXED bursts). Without earlier beats no merge is needed: bytes without strobe are not
  // written, so their value does not matter.
  always_comb begin
    data = beat_i.data;
    strb = lane_strb;
    if (beat_valid_i && ((open_q && !first_q) || resume)) begin
      data = resume ? keep_data_q : wr_req_o.data;
      strb = lane_strb | (resume ? keep_strb_q : wr_req_o.strb);
      for (int unsigned i = 0; i < AxiStrbWidth; i++) begin
        if (lane_strb[i]) data[8*i+:8] = beat_i.data[8*i+:8];
      end
    end
  end

  assign block_o = {burst_i.addr[PortAddrWidth-1:PageWidth], offset[PageWidth-1:OffWidth]};
  assign strb_o = strb;
  assign write_o = beat_valid_i && !drop && closes && !keep && strb != '0;
  assign beat_used_o = write_o;
  assign excl_success_o = beat_valid_i && first_q && resp == RespExOkay;
  assign b_push_o = beat_valid_i && last_beat_o;
  assign b_o.id = burst_i.id;
  assign b_o.resp = bad_last ? RespSlvErr : resp;
  assign excl_fail_o = b_push_o && drop && resp == RespOkay;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q        <= 1'b1;
      open_q         <= 1'b0;
      keep_valid_q   <= 1'b0;
      wr_req_valid_o <= 1'b0;
    end else begin
      wr_req_valid_o <= write_o;
      if (beat_valid_i) begin
        first_q      <= last_beat_o;
        open_q       <= !closes;
        keep_valid_q <= !last_beat_o && (keep || (keep_valid_q && !first_q));
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (beat_valid_i) begin
      left_q        <= (first_q ? burst_i.len : left_q) - 8'd1;
      offset_q      <= next_offset;
      resp_q        <= resp;
      drop_q        <= drop;
      bad_last_q    <= bad_last;
      in_first_q    <= in_first && !closes;
      wr_req_o.addr <= addr;
      wr_req_o.data <= data;
      wr_req_o.strb <= strb;
      wr_req_o.qos  <= burst_i.qos;
      if (keep) begin
        keep_data_q <= data;
        keep_strb_q <= strb;
      end
    end
  end

endmodule
