// AXI4 slave port of one PC: wires the read path with its two lanes, the write path and the exclusive monitors.
//
// Latency (docs/microarchitecture.md M2): AR handshake in cycle N -> rd_req_o in N+2; last of AW and W beat in N -> wr_req_o and B
// in N+2; rd_rsp_i in N -> R in N+1.

module hbm_axi_port
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic         clk_i,
  input  logic         rst_ni,

  input  axi_ax_t      aw_i,
  input  logic         aw_valid_i,
  output logic         aw_ready_o,
  input  axi_w_t       w_i,
  input  logic         w_valid_i,
  output logic         w_ready_o,
  output axi_b_t       b_o,
  output logic         b_valid_o,
  input  logic         b_ready_i,
  input  axi_ax_t      ar_i,
  input  logic         ar_valid_i,
  output logic         ar_ready_o,
  output axi_r_t       r_o,
  output logic         r_valid_o,
  input  logic         r_ready_i,

  input  addr_map_t    map_i,           // stable while not idle_o
  input  logic [4:0]   qos_high_i,      // AxQOS from which a read takes the express lane
  input  logic         quiesce_i,       // refuse new bursts; those taken complete
  output logic         idle_o,          // nothing in flight in the port

  output rd_req_t      rd_req_o,
  output logic         rd_req_valid_o,
  output logic         rd_req_express_o, // of the express lane; only when it is accepted
  input  logic         rd_req_ready_i,   // a request of the normal lane is accepted
  input  logic         rd_req_ready_x_i, // one of the express lane is
  output logic         rd_refused_o,     // a lane has a request that is not accepted
  output wr_req_t      wr_req_o,        // valid for one cycle, never refused
  output logic         wr_req_valid_o,
  input  logic         wr_credit_i,     // one write queue entry was freed
  input  rd_rsp_t      rd_rsp_i,
  output host_events_t events_o         // two cycles after the event
);

  // ---------------------------------------------------------------- read path
  localparam int unsigned Normal = 0;
  localparam int unsigned Express = 1;

  burst_t                ar_checked;
  logic                  ar_take;
  logic                  ar_express;     // lane of the burst
  logic [1:0]            lane_push;
  logic [1:0]            lane_ready;
  logic [1:0]            lane_held;
  logic [1:0]            lane_may;
  logic [1:0]            lane_go;
  logic [1:0]            lane_arm;
  logic [1:0]            lane_rob_full;
  logic [1:0]            lane_empty;
  burst_t [1:0]          lane_head;
  slot_take_t [1:0]      lane_take;
  logic [1:0][MapInBits-1:0] lane_block;
  rd_req_t [1:0]         lane_req;
  logic [1:0]            lane_req_valid;
  logic [1:0]            lane_req_ok;    // accepted, if its lane has the turn
  logic [1:0]            lane_req_taken;
  dram_addr_t            ar_addr;

  logic                  slot_ready;
  logic [RobWidth-1:0]   slot;
  logic                  error_ready;
  slot_take_t            slot_take;
  logic                  reorder_idle;
  logic [LatencyBins-1:0] latency;

  assign ar_ready_o = (&lane_ready) && !quiesce_i;
  assign ar_take = ar_valid_i && ar_ready_o;

  hbm_axi_check u_ar_check (.ax_i(ar_i), .ax_valid_i(ar_valid_i), .map_i, .burst_o(ar_checked));

  // The bursts of an id never stand in both lanes, so its requests leave in their order.
  assign ar_express = !lane_held[Normal] && ({1'b0, ar_i.qos} >= qos_high_i || lane_held[Express]);
  assign lane_push = {ar_take && ar_express, ar_take && !ar_express};

  for (genvar i = 0; i < 2; i++) begin : g_lane
    hbm_ar_lane #(.Depth(i == int'(Express) ? ArExpressDepth : ArDepth)) u_lane (
      .clk_i, .rst_ni,
      .push_i(lane_push[i]), .burst_i(ar_checked), .ready_o(lane_ready[i]), .held_o(lane_held[i]),
      .slot_ready_i(slot_ready), .slot_i(slot), .error_ready_i(error_ready),
      .may_o(lane_may[i]), .go_i(lane_go[i]), .head_o(lane_head[i]), .take_o(lane_take[i]), .arm_o(lane_arm[i]),
      .block_o(lane_block[i]), .addr_i(ar_addr), .rob_full_o(lane_rob_full[i]),
      .rd_req_o(lane_req[i]), .rd_req_valid_o(lane_req_valid[i]), .rd_req_taken_i(lane_req_taken[i]),
      .empty_o(lane_empty[i])
    );
  end

  // One request leaves a splitter in a cycle, and one is offered to the read queue.
  hbm_lane_turn u_leave (
    .clk_i, .rst_ni,
    .express_i(lane_may[Express]), .normal_i(lane_may[Normal]), .normal_there_i(lane_may[Normal]),
    .express_o(lane_go[Express]), .normal_o(lane_go[Normal])
  );

  hbm_addr_map u_ar_map (
    .en_i(!(&lane_empty)),
    .block_i(lane_go[Express] ? lane_block[Express] : lane_block[Normal]),
    .mask_i(map_i.mask),
    .addr_o(ar_addr)
  );

  assign slot_take = lane_go[Express] ? lane_take[Express] : lane_take[Normal];

  assign lane_req_ok = lane_req_valid & {rd_req_ready_x_i, rd_req_ready_i};

  hbm_lane_turn u_offer (
    .clk_i, .rst_ni,
    .express_i(lane_req_ok[Express]), .normal_i(lane_req_ok[Normal]), .normal_there_i(lane_req_valid[Normal]),
    .express_o(lane_req_taken[Express]), .normal_o(lane_req_taken[Normal])
  );

  assign rd_req_o = lane_req_taken[Express] ? lane_req[Express] : lane_req[Normal];
  assign rd_req_express_o = lane_req_taken[Express];
  assign rd_req_valid_o = lane_req_taken[Express] || lane_req_valid[Normal];
  assign rd_refused_o = (lane_req_valid & ~lane_req_taken) != '0;

  hbm_reorder u_reorder (
    .clk_i, .rst_ni,
    .slot_ready_o(slot_ready), .slot_o(slot), .error_ready_o(error_ready),
    .take_i(lane_go != '0), .take_slot_i(slot_take),
    .rsp_i(rd_rsp_i),
    .r_o, .r_valid_o, .r_ready_i,
    .latency_o(latency), .idle_o(reorder_idle)
  );

  // ---------------------------------------------------------------- write path
  burst_t                   aw_checked;
  burst_t                   aw_head;
  logic                     aw_head_valid;
  logic                     aw_take;
  logic                     aw_fifo_ready;
  logic [$clog2(AwDepth):0] aw_count;

  axi_w_t                   beat;
  logic                     beat_valid;
  logic                     beat_used;
  logic                     last_beat;
  logic                     b_push;
  axi_b_t                   b_new;
  logic                     b_room;
  logic                     b_idle;
  logic                     excl_fail;

  logic                     excl_match;
  logic                     excl_success;
  logic                     write;
  logic [MapInBits-1:0]     write_block;
  logic [AxiStrbWidth-1:0]  write_strb;

  assign aw_ready_o = aw_fifo_ready && b_room && !quiesce_i;
  assign aw_take = aw_valid_i && aw_ready_o;

  hbm_axi_check u_aw_check (.ax_i(aw_i), .ax_valid_i(aw_valid_i), .map_i, .burst_o(aw_checked));

  hbm_fifo #(.Width($bits(burst_t)), .Depth(AwDepth)) u_aw_fifo (
    .clk_i, .rst_ni,
    .push_i(aw_take), .data_i(aw_checked), .ready_o(aw_fifo_ready),
    .pop_i(b_push), .data_o(aw_head), .valid_o(aw_head_valid),
    .count_o(aw_count)
  );

  hbm_wr_accept u_accept (
    .clk_i, .rst_ni, .quiesce_i,
    .w_i, .w_valid_i, .w_ready_o,
    .burst_valid_i(aw_head_valid), .next_valid_i(aw_count > 1), .last_beat_i(last_beat),
    .beat_o(beat), .beat_valid_o(beat_valid),
    .beat_used_i(beat_used), .credit_i(wr_credit_i)
  );

  hbm_wr_assemble u_assemble (
    .clk_i, .rst_ni, .mask_i(map_i.mask),
    .burst_i(aw_head), .beat_valid_i(beat_valid), .beat_i(beat), .last_beat_o(last_beat), .beat_used_o(beat_used),
    .excl_match_i(excl_match), .excl_success_o(excl_success),
    .write_o(write), .block_o(write_block), .strb_o(write_strb),
    .wr_req_o, .wr_req_valid_o,
    .b_push_o(b_push), .b_o(b_new), .excl_fail_o(excl_fail)
  );

  hbm_b_queue u_b (
    .clk_i, .rst_ni,
    .aw_i(aw_take), .aw_ready_o(b_room),
    .push_i(b_push), .push_b_i(b_new),
    .b_o, .b_valid_o, .b_ready_i,
    .idle_o(b_idle)
  );

  hbm_excl_monitor u_excl (
    .clk_i, .rst_ni,
    .arm_i(lane_arm != '0), .arm_burst_i(lane_arm[Express] ? lane_head[Express] : lane_head[Normal]),
    .check_burst_i(aw_head), .match_o(excl_match), .release_i(excl_success),
    .write_i(write), .block_i(write_block), .strb_i(write_strb)
  );

  // ---------------------------------------------------------------- status
  // A W beat that waits for its AW is not in flight: nothing of its burst has been taken, and nothing can happen to it.
  assign idle_o = (&lane_empty) && reorder_idle && b_idle && !wr_req_valid_o;

  // Every event of cycle N is reported in N+2, the time that the latency histogram needs.
  logic [3:0] event_q, event_qq;
  logic       slverr, slverr_q, decerr, decerr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      event_q  <= '0;
      event_qq <= '0;
      slverr_q <= 1'b0;
      decerr_q <= 1'b0;
    end else begin
      event_q  <= {ar_take, aw_take, excl_fail, lane_rob_full != '0};
      event_qq <= event_q;
      slverr_q <= slverr;
      decerr_q <= decerr;
    end
  end

  assign {events_o.ar, events_o.aw, events_o.excl_fail, events_o.rob_full} = event_qq;
  assign events_o.slverr = slverr_q;
  assign events_o.decerr = decerr_q;
  assign {events_o.lat_more, events_o.lat_1024, events_o.lat_512, events_o.lat_256,
          events_o.lat_128, events_o.lat_64, events_o.lat_32, events_o.lat_16} = latency;

  hbm_pulse_merge u_slverr (
    .clk_i, .rst_ni,
    .a_i(lane_go != '0 && slot_take.error && slot_take.resp == RespSlvErr), .b_i(b_push && b_new.resp == RespSlvErr),
    .pulse_o(slverr)
  );

  hbm_pulse_merge u_decerr (
    .clk_i, .rst_ni,
    .a_i(lane_go != '0 && slot_take.error && slot_take.resp == RespDecErr), .b_i(b_push && b_new.resp == RespDecErr),
    .pulse_o(decerr)
  );

endmodule
