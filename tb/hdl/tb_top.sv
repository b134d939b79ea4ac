// Test top of one channel: clock, reset, an AXI master per port, the APB master, the HBM device and the command recorder.
//
// 1 ns of simulation is 1 CK; the controller clock has a period of 2 ns.

module tb_top
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
#(
  /// Shift that shortens the waits of the init sequence in simulation.
  parameter int unsigned InitShift = 16,
  /// 1: the channel initialises itself after reset; 0: when a register says so.
  parameter bit          AutoInit = 1'b1
);

  localparam int unsigned ResetCycles = 8;

  logic clk = 1'b0;
  initial forever #1 clk = ~clk;

  // Reset falls before the first clock edge, so that no flop with an asynchronous reset is clocked in a random state.
  logic rst_q = 1'b0;
  logic power_on = 1'b1;
  logic rst_n;
  initial #0.5 power_on = 1'b0;
  assign rst_n = rst_q || power_on;

  // ---------------------------------------------------------------- reset, cycle count
  longint unsigned cycle_q;
  int unsigned     reset_left = ResetCycles;
  logic [2:0]      temp_q = 3'b011;  // TEMP gray code of refresh at 1 x tREFI
  logic            apb_start_q = 1'b0;
  logic [2:0]      alert_q = '0;     // DERR1, DERR0, AERR
  logic            irq;

  initial hx_set_in_reset(1);

  always_ff @(posedge clk) begin : control
    int unsigned act;
    apb_start_q <= 1'b0;
    if (reset_left != 0) begin
      // Released with the clock edge: flops see the old level at that edge. The masters make no calls while in reset, so that
      // their state starts anew in its last cycle.
      reset_left <= reset_left - 1;
      rst_q      <= reset_left == 1;
      if (reset_left == 1) begin
        hx_reset();
        hx_set_in_reset(0);
      end
    end else begin
      act = hx_cycle(cycle_q, {31'd0, irq});
      temp_q      <= act[4:2];
      apb_start_q <= act[5] && !apb_start_q;
      alert_q     <= act[8:6];
      if (act[1]) begin
        hx_set_in_reset(1);
        reset_left <= hx_take_reset();
        rst_q      <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) cycle_q <= '0;
    else        cycle_q <= cycle_q + 1;
  end

  // ---------------------------------------------------------------- ports
  axi_ax_t [NumPcs-1:0] ar, aw;
  axi_w_t  [NumPcs-1:0] w;
  axi_r_t  [NumPcs-1:0] r;
  axi_b_t  [NumPcs-1:0] b;
  logic    [NumPcs-1:0] ar_valid, ar_ready, aw_valid, aw_ready, w_valid, w_ready, r_valid, r_ready, b_valid, b_ready;

  for (genvar p = 0; p < NumPcs; p++) begin : g_port
    hbm_axi_master #(.Port(p)) u_master (
      .clk_i(clk), .rst_ni(rst_n), .cycle_i(cycle_q),
      .ar_o(ar[p]), .ar_valid_o(ar_valid[p]), .ar_ready_i(ar_ready[p]),
      .aw_o(aw[p]), .aw_valid_o(aw_valid[p]), .aw_ready_i(aw_ready[p]),
      .w_o(w[p]), .w_valid_o(w_valid[p]), .w_ready_i(w_ready[p]),
      .r_i(r[p]), .r_valid_i(r_valid[p]), .r_ready_o(r_ready[p]),
      .b_i(b[p]), .b_valid_i(b_valid[p]), .b_ready_o(b_ready[p])
    );
  end

  logic        psel, penable, pwrite, pready, pslverr;
  logic [15:0] paddr;
  logic [31:0] pwdata, prdata;
  logic [3:0]  pstrb;
  logic [2:0]  pprot;

  hbm_apb_master u_apb (
    .clk_i(clk), .rst_ni(rst_n), .cycle_i(cycle_q), .start_i(apb_start_q),
    .psel_o(psel), .penable_o(penable), .pwrite_o(pwrite), .paddr_o(paddr), .pwdata_o(pwdata), .pstrb_o(pstrb),
    .pprot_o(pprot), .pready_i(pready), .prdata_i(prdata), .pslverr_i(pslverr)
  );

  // ---------------------------------------------------------------- the channel under test
  pins_out_t pins_out;
  pins_in_t  pins_in;

  hbm_channel #(.InitShift(InitShift), .AutoInit(AutoInit)) u_channel (
    .clk_i(clk), .rst_ni(rst_n),
    .ar_i(ar), .ar_valid_i(ar_valid), .ar_ready_o(ar_ready),
    .aw_i(aw), .aw_valid_i(aw_valid), .aw_ready_o(aw_ready),
    .w_i(w), .w_valid_i(w_valid), .w_ready_o(w_ready),
    .r_o(r), .r_valid_o(r_valid), .r_ready_i(r_ready),
    .b_o(b), .b_valid_o(b_valid), .b_ready_i(b_ready),
    .psel_i(psel), .penable_i(penable), .pwrite_i(pwrite), .paddr_i(paddr[12:0]), .pwdata_i(pwdata), .pstrb_i(pstrb),
    .pprot_i(pprot), .pready_o(pready), .prdata_o(prdata), .pslverr_o(pslverr),
    .temp_i(temp_q), .pins_o(pins_out), .pins_i(pins_in), .irq_o(irq)
  );

  // ---------------------------------------------------------------- the memory behind the pins
  pin_valid_t     cmd_valid;
  pin_cmd_t [3:0] row_cmd;
  pin_cmd_t [1:0] col_cmd;
  logic           flip;

  hbm_device u_device (
    .clk_i(clk), .rst_ni(rst_n), .cycle_i(cycle_q), .flip_i(flip), .alert_i(alert_q), .pins_i(pins_out), .pins_o(pins_in),
    .valid_o(cmd_valid), .row_o(row_cmd), .col_o(col_cmd)
  );

  hbm_recorder u_recorder (
    .clk_i(clk), .rst_ni(rst_n), .cycle_i(cycle_q), .valid_i(cmd_valid), .row_i(row_cmd), .col_i(col_cmd), .flip_o(flip)
  );

  hbm_wave_view u_view (
    .pins_i(pins_out), .pins_back_i(pins_in), .valid_i(cmd_valid), .row_i(row_cmd), .col_i(col_cmd)
  );

  hbm_wave_model u_model (.clk_i(clk), .cycle_i(cycle_q), .valid_i(cmd_valid), .row_i(row_cmd), .col_i(col_cmd));

  hbm_wave_window u_waves (.cycle_i(cycle_q));

endmodule
