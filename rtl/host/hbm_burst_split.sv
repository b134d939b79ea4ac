// Splits read bursts into 32-byte requests, gives each a reorder slot and registers it behind the address map (M2.1, M2.4).
//
// Latency: a burst at the head in cycle N offers its first request in N+1; one request a cycle. An erroneous burst takes one
// slot for all its beats and offers no request.

module hbm_burst_split
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic [MapOutBits-1:0][MapInBits-1:0] mask_i,

  input  burst_t                 burst_i,
  input  logic                   burst_valid_i,
  output logic                   burst_pop_o,

  // Reorder slots. `slot_beats_o` counts R beats minus one.
  input  logic                   slot_ready_i,   // a slot is free: slot_i
  input  logic [RobWidth-1:0]    slot_i,
  input  logic                   error_ready_i,  // a slot without data can be taken
  output logic                   slot_take_o,
  output logic                   slot_error_o,   // no data will arrive
  output logic [AxiIdWidth-1:0]  slot_id_o,
  output logic [7:0]             slot_beats_o,
  output logic                   slot_last_o,    // ends the burst
  output axi_resp_e              slot_resp_o,

  output logic                   arm_o,          // exclusive read: burst_i arms a monitor

  output rd_req_t                rd_req_o,
  output logic                   rd_req_valid_o,
  input  logic                   rd_req_ready_i,

  output logic                   rob_full_o      // a request waits for a slot and for nothing else
);

  logic                  first_q;   // the head burst has not been touched yet
  logic [7:0]            left_q;    // beats left, minus one
  logic [BlockWidth-1:0] block_q;   // next block in the page

  logic [OffWidth-1:0]   offset;
  logic [OffWidth-1:0]   to_end;    // bytes of the block above `offset`
  logic [BlockWidth-1:0] block;
  logic [BlockWidth-1:0] block_mask;
  logic [7:0]            left;
  logic [7:0]            in_block;  // beats from `offset` to the end of the block, minus one
  logic [7:0]            beats;
  logic                  ends;      // this request ends the burst

  dram_addr_t            addr;
  logic                  error;
  logic                  stage_free;
  logic                  go;
  logic                  unused_excl;

  assign unused_excl = burst_i.excl;  // an exclusive read of another shape is a plain read

  // Where the next request starts. Later requests of a burst start at the block's first byte.
  assign offset = first_q ? burst_i.addr[OffWidth-1:0] : '0;
  assign block = first_q ? burst_i.addr[PageWidth-1:OffWidth] : block_q;
  assign left = first_q ? burst_i.len : left_q;
  assign to_end = ~offset;
  assign in_block = 8'(to_end >> burst_i.size);
  assign ends = burst_i.one_block || left <= in_block;
  assign beats = ends ? left : in_block;

  // A WRAP burst turns over inside its total, other bursts never reach the end of the page.
  assign block_mask = burst_i.burst == BurstWrap ? BlockWidth'(burst_i.wrap_mask[8:OffWidth]) : '1;

  hbm_addr_map u_map (
    .en_i(burst_valid_i),
    .block_i({burst_i.addr[PortAddrWidth-1:PageWidth], block}),
    .mask_i,
    .addr_o(addr)
  );

  assign error = burst_i.slverr || burst_i.decerr;

  assign stage_free = !rd_req_valid_o || rd_req_ready_i;
  assign go = burst_valid_i && slot_ready_i && (error ? error_ready_i : stage_free);

  assign burst_pop_o = go && (error || ends);
  assign slot_take_o = go;
  assign slot_error_o = error;
  assign slot_id_o = burst_i.id;
  assign slot_beats_o = error ? burst_i.len : beats;
  assign slot_last_o = error || ends;
  assign arm_o = go && first_q && burst_i.excl_ok && !error;
  assign rob_full_o = burst_valid_i && !slot_ready_i && (error ? error_ready_i : stage_free);

  always_comb begin
    if (error) slot_resp_o = burst_i.slverr ? RespSlvErr : RespDecErr;
    else slot_resp_o = burst_i.excl_ok ? RespExOkay : RespOkay;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q        <= 1'b1;
      rd_req_valid_o <= 1'b0;
    end else begin
      if (go) first_q <= burst_pop_o;
      if (stage_free) rd_req_valid_o <= go && !error;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go) begin
      left_q  <= left - beats - 8'd1;
      block_q <= (block & ~block_mask) | ((block + BlockWidth'(1)) & block_mask);
      // An error may pass while the stage still holds an earlier request.
      if (!error) begin
        rd_req_o.addr <= addr;
        rd_req_o.tag  <= slot_i;
        rd_req_o.qos  <= burst_i.qos;
      end
    end
  end

endmodule
