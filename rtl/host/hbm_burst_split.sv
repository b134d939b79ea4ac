// Splits the read bursts of a lane into 32-byte requests, takes a reorder slot for each and registers it with its DRAM address (M2.1,
// M2.4).
//
// Latency: a burst at the head in cycle N offers its first request in N+1; one request a cycle. An erroneous burst takes one
// slot for all its beats and offers no request.

module hbm_burst_split
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  burst_t                 burst_i,
  input  logic                   burst_valid_i,
  output logic                   burst_pop_o,

  // Reorder slots.
  input  logic                   slot_ready_i,   // a slot is free: slot_i
  input  logic [RobWidth-1:0]    slot_i,
  input  logic                   error_ready_i,  // a slot without data can be taken
  output logic                   may_o,          // the next request may leave
  input  logic                   go_i,           // it leaves; only while may_o
  output slot_take_t             take_o,

  output logic                   arm_o,          // exclusive read: burst_i arms a monitor

  output logic [MapInBits-1:0]   block_o,        // block address of the next request ...
  input  dram_addr_t             addr_i,         // ... mapped

  output rd_req_t                rd_req_o,
  output logic                   rd_req_valid_o,
  input  logic                   rd_req_taken_i,

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

  logic                  error;
  logic                  stage_free;
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

  assign block_o = {burst_i.addr[PortAddrWidth-1:PageWidth], block};

  assign error = burst_i.slverr || burst_i.decerr;

  assign stage_free = !rd_req_valid_o || rd_req_taken_i;
  assign may_o = burst_valid_i && slot_ready_i && (error ? error_ready_i : stage_free);

  assign burst_pop_o = go_i && (error || ends);
  assign take_o.error = error;
  assign take_o.id = burst_i.id;
  assign take_o.beats = error ? burst_i.len : beats;
  assign take_o.last = error || ends;
  assign arm_o = go_i && first_q && burst_i.excl_ok && !error;
  assign rob_full_o = burst_valid_i && !slot_ready_i && (error ? error_ready_i : stage_free);

  always_comb begin
    if (error) take_o.resp = burst_i.slverr ? RespSlvErr : RespDecErr;
    else take_o.resp = burst_i.excl_ok ? RespExOkay : RespOkay;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q        <= 1'b1;
      rd_req_valid_o <= 1'b0;
    end else begin
      if (go_i) first_q <= burst_pop_o;
      if (stage_free) rd_req_valid_o <= go_i && !error;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go_i) begin
      left_q  <= left - beats - 8'd1;
      block_q <= (block & ~block_mask) | ((block + BlockWidth'(1)) & block_mask);
      // An error may pass while the stage still holds an earlier request.
      if (!error) begin
        rd_req_o.addr <= addr_i;
        rd_req_o.tag  <= slot_i;
        rd_req_o.qos  <= burst_i.qos;
      end
    end
  end

`ifndef SYNTHESIS
  LeavesOnlyWhenAllowed_A : assert property (@(posedge clk_i) disable iff (!rst_ni) go_i |-> may_o);
`endif

endmodule
