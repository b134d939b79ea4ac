// Follows a maintenance request: lets the queues run empty, then keeps the PC closed until the request ends.
//
// Contract: M7.3. `stop_o` rises when the queues and the data paths are empty, and with it the refresh unit asks for PREA.

module hbm_maintain
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic      close_i,
  input logic      rd_empty_i,       // queue
  input logic      wr_empty_i,
  input logic      rd_path_empty_i,
  input logic      wr_path_empty_i,
  input logic      row_pending_i,    // a row command is picked or offered
  input bank_ok_t  ok_i,
  input pc_ok_t    pc_ok_i,

  output logic idle_o,
  output logic stop_o,
  output logic closed_o
);

  logic stop_q;

  assign idle_o = rd_empty_i & wr_empty_i & rd_path_empty_i & wr_path_empty_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stop_q <= 1'b0;
    else stop_q <= close_i & (stop_q | idle_o);
  end

  assign stop_o   = stop_q;
  assign closed_o = stop_q & idle_o & ~row_pending_i & (&ok_i.idle_ok0) & pc_ok_i.ref0;

endmodule
