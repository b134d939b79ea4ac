// Shows the pins and the commands on them under plain names, for a person with a wave viewer.
//
// The commands are as the device decodes them, one cycle (2 CK) after their pins; NOP is an idle slot.

module hbm_wave_view
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
(
  input pins_out_t      pins_i,
  input pins_in_t       pins_back_i,
  input pin_valid_t     valid_i,
  input pin_cmd_t [3:0] row_i,
  input pin_cmd_t [1:0] col_i
);

  if (int'(RDA) != int'(CmdRda) || int'(REFSB) != int'(CmdRefsb) || int'(MRS) != int'(CmdMrs) || int'(SRX) != int'(CmdSrx))
  begin : g_bad_codes
    $fatal(1, "hbm_wave_view: command_e must follow hbm_pkg::cmd_e");
  end

  command_e row_p0_rise, row_p0_fall, row_p1_rise, row_p1_fall, col_p0, col_p1;

  function automatic command_e named(input logic valid, input pin_cmd_t what);
    return valid ? command_e'(what.cmd[4:0]) : NOP;
  endfunction

  assign row_p0_rise = named(valid_i.row_valid[0], row_i[0]);
  assign row_p0_fall = named(valid_i.row_valid[1], row_i[1]);
  assign row_p1_rise = named(valid_i.row_valid[2], row_i[2]);
  assign row_p1_fall = named(valid_i.row_valid[3], row_i[3]);
  assign col_p0      = named(valid_i.col_valid[0], col_i[0]);
  assign col_p1      = named(valid_i.col_valid[1], col_i[1]);

  for (genvar p = 0; p < 2; p++) begin : g_phase
    logic [RowPins-1:0]   r_rise, r_fall;
    logic [ColPins-1:0]   c_rise, c_fall;
    logic                 cke;
    logic [PhaseBits-1:0] wr_dq_pc0, wr_dq_pc1, rd_dq_pc0, rd_dq_pc1;
    logic                 wr_oe_pc0, wr_oe_pc1;

    assign {r_fall, r_rise} = pins_i.cmd.row[p];
    assign {c_fall, c_rise} = pins_i.cmd.col[p];
    assign cke       = pins_i.cmd.cke[p];
    assign wr_oe_pc0 = pins_i.wr[0].oe[p];
    assign wr_oe_pc1 = pins_i.wr[1].oe[p];
    assign wr_dq_pc0 = pins_i.wr[0].dq[p];
    assign wr_dq_pc1 = pins_i.wr[1].dq[p];
    assign rd_dq_pc0 = pins_back_i.rd[0].dq[p];
    assign rd_dq_pc1 = pins_back_i.rd[1].dq[p];
  end

endmodule
