// Reset and time of a bench around a foreign controller: what tb_top does for ours, without ports and registers.

module hbm_bench_control
  import hbm_tb_pkg::*;
(
  input  logic            clk_i,    // one cycle is 2 CK
  output logic            rst_no,   // low at the start and when Python asks for a restart
  output longint unsigned cycle_o,  // since reset release
  output logic [2:0]      alert_o   // DERR of PC 1 and 0, AERR: raised on request only
);

  localparam int unsigned ResetCycles = 8;

  int unsigned left = ResetCycles;

  // Reset falls before the first clock edge, so that no flop with an asynchronous reset is clocked in a random state.
  logic rst_q = 1'b0;
  logic power_on = 1'b1;
  initial begin
    hx_set_in_reset(1);
    #0.1 power_on = 1'b0;
  end
  assign rst_no = rst_q || power_on;

  always_ff @(posedge clk_i) begin : control
    int unsigned act;
    if (left != 0) begin
      left    <= left - 1;
      alert_o <= '0;
      rst_q   <= left == 1;
      if (left == 1) begin
        hx_reset();
        hx_set_in_reset(0);
      end
    end else begin
      act = hx_cycle(cycle_o, 0);
      alert_o <= act[8:6];
      if (act[1]) begin
        hx_set_in_reset(1);
        left  <= hx_take_reset();
        rst_q <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_no) begin
    if (!rst_no) cycle_o <= '0;
    else         cycle_o <= cycle_o + 1;
  end

endmodule
