// A whole bench behind the words of the pins: device, command recorder, reset, time. For a controller with a PHY that ends in words.
//
// One of these a simulation. With Device = 0 it only listens: commands are decoded and recorded, nothing answers.

module hbm_word_bench
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
#(
  /// 1: the HBM device is in here; 0: somebody else's stands on the pins.
  parameter bit Device = 1'b1
) (
  input  logic                   clk_i,    // one cycle is 2 CK
  output logic                   rst_no,   // for whoever wants to start anew with the bench
  input  pins_out_t              pins_i,
  output pins_in_t               pins_o,
  output logic [NumPcs-1:0][1:0] drive_o   // per PC and phase: read data are on the lanes
);

  longint unsigned cycle;
  logic [2:0]      alert;
  logic            flip;
  pin_valid_t      valid;
  pin_cmd_t [3:0]  row;
  pin_cmd_t [1:0]  col;

  hbm_bench_control u_control (.clk_i, .rst_no, .cycle_o(cycle), .alert_o(alert));

  if (Device) begin : g_device
    hbm_device u_device (
      .clk_i, .rst_ni(rst_no), .cycle_i(cycle), .flip_i(flip), .alert_i(alert), .pins_i, .pins_o,
      .valid_o(valid), .row_o(row), .col_o(col)
    );
    assign drive_o = u_device.drive_q;
  end else begin : g_listen
    logic live;
    assign pins_o  = '0;
    assign drive_o = '0;

    hbm_power_check u_power (.clk_i, .rst_ni(rst_no), .cycle_i(cycle), .cmd_i(pins_i.cmd), .live_o(live));

    if (Generation == 2) begin : g_hbm2
      hbm_pins_hbm2 u_pins (
        .clk_i, .rst_ni(rst_no), .cycle_i(cycle), .live_i(live), .flip_i(flip), .cmd_i(pins_i.cmd),
        .valid_o(valid), .row_o(row), .col_o(col)
      );
    end else begin : g_hbm34
      hbm_pins_hbm34 u_pins (
        .clk_i, .rst_ni(rst_no), .cycle_i(cycle), .live_i(live), .flip_i(flip), .cmd_i(pins_i.cmd),
        .valid_o(valid), .row_o(row), .col_o(col)
      );
    end
  end

  hbm_recorder u_recorder (
    .clk_i, .rst_ni(rst_no), .cycle_i(cycle), .valid_i(valid), .row_i(row), .col_i(col), .flip_o(flip)
  );

  hbm_wave_view u_view (.pins_i, .pins_back_i(pins_o), .valid_i(valid), .row_i(row), .col_i(col));

  hbm_wave_window u_waves (.cycle_i(cycle));

endmodule
