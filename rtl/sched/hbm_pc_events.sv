// Turns what a PC does in a cycle into the pulses that the counters take, two cycles later.
//
// Contract: M9.1, M9.3.

module hbm_pc_events
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input bank_cmd_t cmd_i,
  input bank_vec_t conflict_i,   // a queued request wants another row
  input logic      rmw_i,
  input logic      rd_refused_i,
  input logic      wr_full_i,
  input logic      forward_i,    // a read is forwarded
  input logic      rd_req_i,     // a read of the host is accepted, forwarded or not
  input logic      wr_req_i,     // a write of the host is accepted
  input stall_t    stall_i,      // of the cycle before last

  output events_t events_o
);

  // used: a column command went to the open row. replaced: the row before it was closed for a queued request.
  bank_vec_t used_q, replaced_q, column, first;
  logic      last_wr_q;
  events_t   events_d, events_q, events_late;
  events_t   events_late_q;

  assign column = cmd_i.rd | cmd_i.wr;
  assign first  = column & ~used_q;

  always_comb begin
    events_d = '0;
    events_d.act          = cmd_i.act != '0;
    events_d.pre          = cmd_i.pre != '0;
    events_d.rd           = cmd_i.any_rd;
    events_d.wr           = cmd_i.any_wr;
    events_d.refsb        = cmd_i.refsb != '0;
    events_d.ref_all      = cmd_i.ref_all;
    events_d.row_hit      = (column & used_q) != '0;
    events_d.row_closed   = (first & ~replaced_q) != '0;
    events_d.row_conflict = (first & replaced_q) != '0;
    events_d.turnaround   = (events_d.rd & last_wr_q) | (events_d.wr & ~last_wr_q);
    events_d.rmw          = rmw_i;
    events_d.rd_full      = rd_refused_i;
    events_d.wr_full      = wr_full_i;
    events_d.forward      = forward_i;
    events_d.rd_req       = rd_req_i;
    events_d.wr_req       = wr_req_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      used_q <= '0;
      replaced_q <= '0;
      last_wr_q <= 1'b0;
      events_q <= '0;
      events_late_q <= '0;
    end else begin
      used_q <= (used_q | column) & ~cmd_i.act;
      replaced_q <= (replaced_q & ~first) | (cmd_i.pre & conflict_i);
      if (cmd_i.any_rd || cmd_i.any_wr) last_wr_q <= cmd_i.any_wr;
      events_q <= events_d;
      events_late_q <= events_q;
    end
  end

  // The causes come two cycles late already.
  always_comb begin
    events_late = events_late_q;
    events_late.busy           = stall_i.busy;
    events_late.stall_off      = stall_i.off;
    events_late.stall_empty    = stall_i.empty;
    events_late.stall_column   = stall_i.column;
    events_late.stall_turn     = stall_i.turn;
    events_late.stall_refresh  = stall_i.refresh;
    events_late.stall_activate = stall_i.activate;
    events_late.stall_bank     = stall_i.bank;
    events_late.stall_hazard   = stall_i.hazard;
  end

  assign events_o = events_late;

`ifndef SYNTHESIS
  BusyIsAColumn_A: assert property (@(posedge clk_i) disable iff (!rst_ni) stall_i.busy == (events_late_q.rd | events_late_q.wr));
  HitOrFirst_A: assert property (@(posedge clk_i) disable iff (!rst_ni)
    $countones({events_late_q.row_hit, events_late_q.row_closed, events_late_q.row_conflict}) == 32'(stall_i.busy));
`endif

endmodule
