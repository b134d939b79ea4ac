// Keeps the slots of each AXI id in order and says which slot goes to the R channel next (M2.5).
//
// The slots of an id form a linked list. A slot is ready when it is the oldest of its id and its data is there. Three sources of
// ready slots are served in turn: arrivals that were the oldest, slots that became the oldest with their data already there, and
// a slot without data (error) that was the oldest when it was taken. With all three empty an arriving oldest slot goes through in
// the same cycle. So no id can keep another one from the R channel.

module hbm_slot_order
  import hbm_pkg::*;
(
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  take_i,        // a new slot, the youngest of its id
  input  logic [RobWidth-1:0]   take_slot_i,
  input  logic [AxiIdWidth-1:0] take_id_i,
  input  logic                  take_error_i,  // no data will arrive; only while error_ready_o
  output logic                  error_ready_o,

  input  logic                  arrive_i,
  input  logic [RobWidth-1:0]   arrive_slot_i,

  input  logic                  room_i,        // the R channel can take a slot
  output logic                  send_o,        // send_slot_o goes to the R channel and is free from the next cycle on
  output logic [RobWidth-1:0]   send_slot_o,
  output logic                  send_bypass_o  // it arrives in this cycle
);

  localparam int unsigned NumIds = 1 << AxiIdWidth;

  // Per id: the youngest slot.
  logic [NumIds-1:0]     busy_q;
  logic [RobWidth-1:0]   tail_q [NumIds];

  // Per slot.
  logic [AxiIdWidth-1:0] id_q [RobSlots];
  logic [RobWidth-1:0]   next_q [RobSlots];  // the next younger slot of the id ...
  logic [RobSlots-1:0]   linked_q;           // ... exists
  logic [RobSlots-1:0]   oldest_q;
  logic [RobSlots-1:0]   arrived_q;

  logic                  error_valid_q;
  logic [RobWidth-1:0]   error_slot_q;

  logic                  direct_valid;
  logic [RobWidth-1:0]   direct_slot;
  logic                  direct_push;
  logic                  follow_valid;
  logic [RobWidth-1:0]   follow_slot;
  logic                  follow_push;
  logic                  pop_direct;
  logic                  pop_follow;
  logic                  pop_error;
  logic [1:0]            turn_q;             // source served last: 0 direct, 1 follow, 2 error
  logic [1:0]            turn_d;

  logic                  pop;
  logic [RobWidth-1:0]   pop_slot;
  logic                  bypass;
  logic [RobWidth-1:0]   next;
  logic                  linked;
  logic                  take_oldest;
  logic [1:0]            unused_ready;
  logic [2*(RobWidth+1)-1:0] unused_count;

  // As deep as there are slots, so neither can overflow.
  hbm_fifo #(.Width(RobWidth), .Depth(RobSlots)) u_direct (
    .clk_i, .rst_ni,
    .push_i(direct_push), .data_i(arrive_slot_i), .ready_o(unused_ready[0]),
    .pop_i(pop_direct), .data_o(direct_slot), .valid_o(direct_valid),
    .count_o(unused_count[0+:RobWidth+1])
  );

  hbm_fifo #(.Width(RobWidth), .Depth(RobSlots)) u_follow (
    .clk_i, .rst_ni,
    .push_i(follow_push), .data_i(next), .ready_o(unused_ready[1]),
    .pop_i(pop_follow), .data_o(follow_slot), .valid_o(follow_valid),
    .count_o(unused_count[RobWidth+1+:RobWidth+1])
  );

  // The source after the one served last goes first.
  always_comb begin
    turn_d = turn_q;
    unique case (turn_q)
      2'd0:    turn_d = follow_valid ? 2'd1 : error_valid_q ? 2'd2 : 2'd0;
      2'd1:    turn_d = error_valid_q ? 2'd2 : direct_valid ? 2'd0 : 2'd1;
      default: turn_d = direct_valid ? 2'd0 : follow_valid ? 2'd1 : 2'd2;
    endcase
  end

  assign pop = room_i && (direct_valid || follow_valid || error_valid_q);
  assign pop_direct = pop && turn_d == 2'd0;
  assign pop_follow = pop && turn_d == 2'd1;
  assign pop_error = pop && turn_d == 2'd2;
  always_comb begin
    unique case (turn_d)
      2'd0:    pop_slot = direct_slot;
      2'd1:    pop_slot = follow_slot;
      default: pop_slot = error_slot_q;
    endcase
  end

  assign bypass = room_i && !direct_valid && !follow_valid && !error_valid_q && arrive_i && oldest_q[arrive_slot_i];
  assign send_o = pop || bypass;
  assign send_slot_o = bypass ? arrive_slot_i : pop_slot;
  assign send_bypass_o = bypass;

  // A slot that leaves makes the next one of its id the oldest. If that one arrives in this very cycle, the arrival reports it.
  assign next = next_q[send_slot_o];
  assign linked = send_o && linked_q[send_slot_o];
  assign follow_push = linked && arrived_q[next];
  assign direct_push = arrive_i && !bypass && (oldest_q[arrive_slot_i] || (linked && next == arrive_slot_i));

  assign take_oldest = !busy_q[take_id_i] || (send_o && send_slot_o == tail_q[take_id_i]);
  assign error_ready_o = !error_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q        <= '0;
      linked_q      <= '0;
      oldest_q      <= '0;
      arrived_q     <= '0;
      error_valid_q <= 1'b0;
      turn_q        <= 2'd0;
    end else begin
      if (send_o) begin
        turn_q <= pop ? turn_d : turn_q;
        if (linked) oldest_q[next] <= 1'b1;
        else busy_q[id_q[send_slot_o]] <= 1'b0;
      end
      if (pop_error) error_valid_q <= 1'b0;
      if (arrive_i) arrived_q[arrive_slot_i] <= 1'b1;
      if (take_i) begin
        busy_q[take_id_i]      <= 1'b1;
        linked_q[take_slot_i]  <= 1'b0;
        oldest_q[take_slot_i]  <= take_oldest;
        arrived_q[take_slot_i] <= take_error_i;
        if (!take_oldest) linked_q[tail_q[take_id_i]] <= 1'b1;
        if (take_error_i && take_oldest) error_valid_q <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_i) begin
      id_q[take_slot_i] <= take_id_i;
      tail_q[take_id_i] <= take_slot_i;
      if (!take_oldest) next_q[tail_q[take_id_i]] <= take_slot_i;
      if (take_error_i && take_oldest) error_slot_q <= take_slot_i;
    end
  end

`ifndef SYNTHESIS
  // A response for a slot that waits for none is a fault of the data path.
  ArrivesOnce_A : assert property (@(posedge clk_i) disable iff (!rst_ni) arrive_i |-> !arrived_q[arrive_slot_i]);
`endif

endmodule
