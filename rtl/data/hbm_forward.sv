// Answers a read from the youngest queued write to its bytes (M3.6).
//
// Cycle N: the read is accepted and takes no entry. N+1: its data are copied out of the write buffer. From N+2 on they wait for a cycle in
// which the DRAM returns no read of the PC, its turn among at most ForwardDepth of them. One that finds no such cycle in N+2 keeps back the
// column of a read in N+3: that leaves a cycle free on the way back.
//
// Which write is the youngest needs no age: a write that is enqueued takes the mark `last_q` from those to the same bytes. That one is
// picked after all older ones (M3.2); so when it is picked in cycle N there is nothing left that the read could wait for, and `claim_o`
// need not know the pick.

module hbm_forward
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic enable_i,   // policy.forward

  // Queued writes.
  input logic    wr_ins_i,
  input wr_vec_t wr_slot_i,      // one-hot
  input logic    wr_full_i,      // all strobes
  input wr_vec_t wr_match_wr_i,  // queued writes to the bytes of the new write
  input wr_vec_t wr_issue_i,     // picked; late

  // The read of this cycle.
  input  logic                rd_take_i,      // accepted
  input  logic [RobWidth-1:0] rd_tag_i,
  input  wr_vec_t             rd_match_wr_i,  // queued writes to its bytes
  input  logic                same_i,         // the new write goes to its bytes
  output logic                room_o,         // a read may be accepted
  output logic                claim_o,        // the read waits for no write: it is forwarded, or the youngest one is picked right now
  output logic                forward_o,      // the read is forwarded; late

  // Copy out of the write buffer, in the cycle after.
  output wr_vec_t                 copy_slot_o,
  input  logic [AxiDataWidth-1:0] copy_data_i,

  // Responses: from the DRAM first.
  input  rd_rsp_t rsp_i,
  input  logic    merge_i,   // the DRAM returns a read of a partial write
  output rd_rsp_t rsp_o,
  output logic    hold_o     // no read may be picked
);

  localparam int unsigned CountWidth = $clog2(ForwardDepth + 1);
  localparam int unsigned PtrWidth = $clog2(ForwardDepth);

  typedef struct packed {
    logic [RobWidth-1:0]     tag;
    logic [AxiDataWidth-1:0] data;
  } word_t;

  // ---------------------------------------------------------------- the youngest write to some bytes
  wr_vec_t last_q, full_q, source;

  always_ff @(posedge clk_i) begin
    if (wr_ins_i) begin
      last_q <= (last_q & ~wr_match_wr_i) | wr_slot_i;
      full_q <= (full_q & ~wr_slot_i) | ({WrDepth{wr_full_i}} & wr_slot_i);
    end
  end

  assign source    = (same_i && wr_ins_i) ? {WrDepth{wr_full_i}} & wr_slot_i : rd_match_wr_i & last_q & full_q;
  assign claim_o   = enable_i && source != '0;
  assign forward_o = enable_i && rd_take_i && (source & ~wr_issue_i) != '0;

  // ---------------------------------------------------------------- copies
  logic                  copy_q;
  wr_vec_t               slot_q;
  logic [RobWidth-1:0]   tag_q;
  word_t                 word_q [ForwardDepth];
  logic [PtrWidth-1:0]   in_q, out_q;
  logic [CountWidth-1:0] under_way_q, waiting_q;
  logic                  send;
  logic                  fresh_q;  // the youngest word may leave from this cycle on
  logic                  hold_q;

  function automatic logic [PtrWidth-1:0] after(input logic [PtrWidth-1:0] place);
    return (place == PtrWidth'(ForwardDepth - 1)) ? '0 : place + PtrWidth'(1);
  endfunction

  assign room_o      = under_way_q != CountWidth'(ForwardDepth);
  assign copy_slot_o = slot_q;
  assign send        = waiting_q != '0 && !rsp_i.valid && !merge_i;
  assign hold_o      = hold_q;
  assign rsp_o       = send ? '{valid: 1'b1, tag: word_q[out_q].tag, data: word_q[out_q].data} : rsp_i;

  always_ff @(posedge clk_i) begin
    if (rd_take_i) begin
      slot_q <= source;
      tag_q  <= rd_tag_i;
    end
    if (copy_q) word_q[in_q] <= '{tag: tag_q, data: copy_data_i};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      copy_q <= 1'b0;
      fresh_q <= 1'b0;
      hold_q <= 1'b0;
      in_q <= '0;
      out_q <= '0;
      under_way_q <= '0;
      waiting_q <= '0;
    end else begin
      copy_q <= forward_o;
      fresh_q <= copy_q;
      hold_q <= fresh_q && !(send && waiting_q == CountWidth'(1));
      if (copy_q) in_q <= after(in_q);
      if (send) out_q <= after(out_q);
      under_way_q <= under_way_q + CountWidth'(forward_o) - CountWidth'(send);
      waiting_q <= waiting_q + CountWidth'(copy_q) - CountWidth'(send);
    end
  end

`ifndef SYNTHESIS
  OneSource_A: assert property (@(posedge clk_i) disable iff (!rst_ni) rd_take_i |-> $onehot0(source));
  // The proof of claim_o: no older write to the bytes is queued when the youngest one is picked.
  LastIsPickedLast_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    rd_take_i && (source & wr_issue_i) != '0 |-> (rd_match_wr_i & ~wr_issue_i) == '0);
  NoForwardWithoutRoom_A: assert property (@(posedge clk_i) disable iff (!rst_ni) forward_o |-> room_o);
`endif

endmodule
