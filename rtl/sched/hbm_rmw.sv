// Reads the 32 bytes of partial writes first, where the DRAM has no write mask, without stalling anything else.
//
// Contract: M3.3. A partial write that waits for no other write gets a reserved read entry; it becomes ready when the data is merged.

module hbm_rmw
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic    wr_ins_i,
  input wr_vec_t wr_slot_i,     // one-hot
  input logic    wr_partial_i,

  // Start: the oldest of these goes, when a reserved read entry is free.
  input  wr_vec_t               wr_valid_i,
  input  wr_vec_t               wr_free_of_wr_i,
  input  wr_vec_t               wr_aged_i,
  input  wr_vec_t               wr_starved_i,
  input  wr_vec_t               wr_urgent_i,
  input  logic                  age_tick_i,
  output wr_vec_t               start_set_o,
  input  wr_vec_t               start_pick_i,
  input  logic                  space_i,
  output logic                  start_o,
  output logic [WrIdxWidth-1:0] start_idx_o,
  output logic                  start_aged_o,   // age class that the read inherits
  output logic                  start_starved_o,
  output logic                  start_urgent_o, // starved or high

  // Data of a started read has come back and is merged in this cycle.
  input logic                  done_i,
  input logic [WrIdxWidth-1:0] done_idx_i,

  output wr_vec_t started_o, // no read needed, or the read has its entry
  output wr_vec_t ready_o    // complete: may be written
);

  if (HasDataMask) begin : g_mask
    assign start_set_o = '0;
    assign start_o = 1'b0;
    assign start_idx_o = '0;
    assign start_aged_o = 1'b0;
    assign start_starved_o = 1'b0;
    assign start_urgent_o = 1'b0;
    assign started_o = '1;
    assign ready_o = '1;

    logic unused_inputs;
    assign unused_inputs = ^{clk_i, rst_ni, wr_ins_i, wr_slot_i, wr_partial_i, wr_valid_i, wr_free_of_wr_i, wr_aged_i, wr_starved_i,
                             wr_urgent_i,
                             age_tick_i, start_pick_i, space_i, done_i, done_idx_i};
  end else begin : g_rmw
    wr_vec_t need_q, wait_q;  // the read has not been started; its data has not come back

    assign start_set_o = (need_q != '0 && space_i) ? (need_q & wr_valid_i & wr_free_of_wr_i) : '0;
    assign start_o     = start_set_o != '0;

    always_comb begin
      start_idx_o = '0;
      for (int unsigned e = 0; e < WrDepth; e++) if (start_pick_i[e]) start_idx_o |= WrIdxWidth'(e);
    end

    // The read ages as its write does, also when the beat falls into this cycle.
    logic aged;
    assign aged            = (start_pick_i & wr_aged_i) != '0;
    assign start_aged_o    = age_tick_i | aged;
    assign start_starved_o = ((start_pick_i & wr_starved_i) != '0) | (age_tick_i & aged);
    assign start_urgent_o  = ((start_pick_i & wr_urgent_i) != '0) | (age_tick_i & aged);

    wr_vec_t done;
    always_comb begin
      done = '0;
      if (done_i) done[done_idx_i] = 1'b1;
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        need_q <= '0;
        wait_q <= '0;
      end else begin
        need_q <= (need_q & ~start_pick_i) | ({WrDepth{wr_ins_i & wr_partial_i}} & wr_slot_i);
        wait_q <= (wait_q & ~done) | start_pick_i;
      end
    end

    assign started_o = ~need_q;
    assign ready_o = ~need_q & ~wait_q;

`ifndef SYNTHESIS
    DoneWasStarted_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (done & ~wait_q) == '0);
`endif
  end

endmodule
