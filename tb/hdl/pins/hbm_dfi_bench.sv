// A whole bench behind the DFI of a foreign host: our PHY interface (rtl/phy/hbm_phy_if.sv) and everything behind its pins.
//
// Commands and write data of cycle D are on the pins in D + 1; the data that `rddata_en_i` asks for in D come back in
// D + 2 + rd_delay_i. For a host with a PHY of its own, hbm_word_bench #(.Device(0)) records DFI command words as they are.

module hbm_dfi_bench
  import hbm_pkg::*;
(
  input  logic                    clk_i,       // one cycle is 2 CK
  output logic                    rst_no,
  input  dfi_cmd_t                dfi_cmd_i,
  input  dfi_wr_t [NumPcs-1:0]    dfi_wr_i,
  input  logic [NumPcs-1:0][1:0]  rddata_en_i,
  output dfi_rd_t [NumPcs-1:0]    dfi_rd_o,
  input  logic [2:0]              rd_delay_i,
  output logic                    aerr_o,
  output logic [NumPcs-1:0]       derr_o
);

  pins_out_t              out;
  pins_in_t               back;
  logic [NumPcs-1:0][1:0] unused_drive;

  hbm_phy_if u_phy (
    .clk_i, .rst_ni(rst_no), .dfi_cmd_i, .dfi_wr_i, .rddata_en_i, .dfi_rd_o, .rd_delay_i, .pins_o(out), .pins_i(back),
    .aerr_o, .derr_o
  );

  hbm_word_bench u_bench (.clk_i, .rst_no, .pins_i(out), .pins_o(back), .drive_o(unused_drive));

endmodule
