// Free list of the reorder slots, which come back in any order (M2.5).

module hbm_slot_list
  import hbm_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                take_i,    // only while ready_o
  output logic                ready_o,
  output logic [RobWidth-1:0] slot_o,

  input  logic                free_i,
  input  logic [RobWidth-1:0] free_slot_i,

  output logic                all_free_o
);

  localparam int unsigned CountWidth = RobWidth + 1;

  if (RobSlots != 1 << RobWidth) begin : g_bad_slots
    $fatal(1, "hbm_slot_list: RobSlots must be a power of two");
  end

  // After reset the list holds every slot in order; it never overflows, since a slot is in it at most once.
  logic [RobWidth-1:0]   list_q [RobSlots];
  logic [RobWidth-1:0]   rd_q;
  logic [RobWidth-1:0]   wr_q;
  logic [CountWidth-1:0] count_q;

  assign slot_o = list_q[rd_q];
  assign ready_o = count_q != '0;
  assign all_free_o = count_q == CountWidth'(RobSlots);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < RobSlots; i++) list_q[i] <= RobWidth'(i);
      rd_q    <= '0;
      wr_q    <= '0;
      count_q <= CountWidth'(RobSlots);
    end else begin
      if (free_i) begin
        list_q[wr_q] <= free_slot_i;
        wr_q         <= wr_q + RobWidth'(1);
      end
      if (take_i) rd_q <= rd_q + RobWidth'(1);
      count_q <= count_q + CountWidth'(free_i) - CountWidth'(take_i);
    end
  end

`ifndef SYNTHESIS
  NoFreeWhenAllFree_A : assert property (@(posedge clk_i) disable iff (!rst_ni) free_i |-> !all_free_o);
`endif

endmodule
