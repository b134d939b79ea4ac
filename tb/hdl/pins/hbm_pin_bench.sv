// A whole bench behind the real pins of a foreign controller: the only module that its test top needs.

module hbm_pin_bench
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  /// Length of one CK, as the controller drives it.
  parameter real CkNs = 1.0,
  /// 1: the HBM device is in here; 0: somebody else's stands on the pins, this one only listens.
  parameter bit  Device = 1'b1
) (
  input  ddr_out_t ddr_i,
  output ddr_in_t  ddr_o,
  output logic     rst_no  // for a controller that wants to start anew with the bench
);

  logic                   clk;
  pins_out_t              out;
  pins_in_t               back;
  logic [NumPcs-1:0][1:0] drive;

  hbm_ddr_device #(.CkNs(CkNs)) u_pins (.ddr_i, .ddr_o, .clk_o(clk), .pins_o(out), .pins_i(back), .drive_i(drive));

  hbm_word_bench #(.Device(Device)) u_bench (.clk_i(clk), .rst_no, .pins_i(out), .pins_o(back), .drive_o(drive));

endmodule
