// Returns read data on the R channel in the order of each AXI id: slots, their data, and the R output register (M2.5).
//
// Latency: data that arrives in cycle N for the oldest slot of its id, with nothing else ready, is on R in N+1.

module hbm_reorder
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                  clk_i,
  input  logic                  rst_ni,

  output logic                  slot_ready_o,
  output logic [RobWidth-1:0]   slot_o,
  output logic                  error_ready_o,
  input  logic                  take_i,
  input  slot_take_t            take_slot_i,    // an error is answered with data 0 and makes no request

  input  rd_rsp_t               rsp_i,

  output axi_r_t                r_o,
  output logic                  r_valid_o,
  input  logic                  r_ready_i,

  output logic [LatencyBins-1:0] latency_o,     // bin of a read that was sent two cycles ago (M9.4)
  output logic                  idle_o
);

  slot_take_t              slot_q [RobSlots];
  logic [AxiDataWidth-1:0] data_q [RobSlots];

  logic                    send;
  logic                    bypass;
  logic [RobWidth-1:0]     send_slot;
  logic                    room;
  logic                    all_free;
  slot_take_t              sent;

  logic [7:0]              left_q;   // R beats after this one
  logic                    ends_q;   // the last of them ends the burst
  logic [AxiIdWidth-1:0]   r_id_q;
  logic [1:0]              r_resp_q;
  logic [AxiDataWidth-1:0] r_data_q;

  hbm_slot_list u_free (
    .clk_i, .rst_ni,
    .take_i, .ready_o(slot_ready_o), .slot_o,
    .free_i(send), .free_slot_i(send_slot),
    .all_free_o(all_free)
  );

  hbm_slot_order u_order (
    .clk_i, .rst_ni,
    .take_i, .take_slot_i(slot_o), .take_id_i(take_slot_i.id), .take_error_i(take_slot_i.error), .error_ready_o,
    .arrive_i(rsp_i.valid), .arrive_slot_i(rsp_i.tag),
    .room_i(room), .send_o(send), .send_slot_o(send_slot), .send_bypass_o(bypass)
  );

  hbm_rd_latency u_latency (
    .clk_i, .rst_ni,
    .take_i, .take_slot_i(slot_o),
    .send_i(send && !sent.error), .send_slot_i(send_slot),
    .bin_o(latency_o)
  );

  assign room = !r_valid_o || (r_ready_i && left_q == 8'd0);
  assign sent = slot_q[send_slot];
  assign idle_o = all_free && !r_valid_o;

  always_ff @(posedge clk_i) begin
    if (take_i) slot_q[slot_o] <= take_slot_i;
    if (rsp_i.valid && !bypass) data_q[rsp_i.tag] <= rsp_i.data;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) r_valid_o <= 1'b0;
    else if (room) r_valid_o <= send;
  end

  always_ff @(posedge clk_i) begin
    if (send) begin
      r_id_q   <= sent.id;
      r_resp_q <= sent.resp;
      left_q   <= sent.beats;
      ends_q   <= sent.last;
      if (bypass) r_data_q <= rsp_i.data;
      else if (sent.error) r_data_q <= '0;
      else r_data_q <= data_q[send_slot];
    end else if (r_valid_o && r_ready_i) begin
      left_q <= left_q - 8'd1;
    end
  end

  assign r_o.id = r_id_q;
  assign r_o.resp = r_resp_q;
  assign r_o.data = r_data_q;
  assign r_o.last = ends_q && left_q == 8'd0;

endmodule
