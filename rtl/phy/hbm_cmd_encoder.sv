// Turns the commands of one cycle into pin words on the DFI, one flop later.
//
// Enforces: edge, colBus.
//
// Latency: row_bus_i, col_i, mrs_i, pin_state_i in cycle C -> dfi_cmd_o in C+1 -> pins in C+2 (docs/microarchitecture.md M8).

module hbm_cmd_encoder
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,

  input  row_bus_t        row_bus_i,
  input  col_cmd_t [1:0]  col_i,        // PC0 -> p0, PC1 -> p1
  input  mrs_cmd_t        mrs_i,        // p0
  input  pin_state_t      pin_state_i,

  output dfi_cmd_t        dfi_cmd_o
);

  function automatic dev_short_t short_of(input row_cmd_t cmd, input logic pc);
    return '{valid: cmd.valid, cmd: cmd.cmd, pc: pc, sid: DevSidWidth'(cmd.addr.sid), ba: DevBankWidth'({cmd.addr.bg, cmd.addr.ba})};
  endfunction

  function automatic dev_col_t column_of(input col_cmd_t cmd, input logic pc);
    return '{valid: cmd.valid, cmd: cmd.cmd, pc: pc, sid: DevSidWidth'(cmd.addr.sid), ba: DevBankWidth'({cmd.addr.bg, cmd.addr.ba}),
             col: DevColWidth'(cmd.addr.col)};
  endfunction

  dev_act_t       act;
  dev_short_t     slot_a, slot_b;
  dev_col_t [1:0] col;
  dfi_cmd_t       dfi_cmd_d;

  assign act = '{valid: row_bus_i.act.valid, pc: row_bus_i.act_pc, sid: DevSidWidth'(row_bus_i.act.addr.sid),
                 ba: DevBankWidth'({row_bus_i.act.addr.bg, row_bus_i.act.addr.ba}), row: DevRowWidth'(row_bus_i.act.addr.row)};
  assign slot_a = short_of(row_bus_i.slot_a, row_bus_i.slot_a_pc);
  assign slot_b = short_of(row_bus_i.slot_b, row_bus_i.slot_b_pc);
  assign col    = {column_of(col_i[1], 1'b1), column_of(col_i[0], 1'b0)};

  if (Generation == 2) begin : g_hbm2
    if (RowPins == 6 && (RowWidth > 14 || SidWidth > 1)) begin : g_bad_pins
      $fatal(1, "hbm_cmd_encoder: RA14 or a second SID bit needs 7 row pins and 9 column pins");
    end

    hbm_encode_hbm2 #(.RowPins(RowPins), .ColPins(ColPins)) u_encode (
      .act_i(act), .slot_a_i(slot_a), .slot_b_i(slot_b), .col_i(col), .mrs_i, .power_down_i(pin_state_i.power_down),
      .row_o(dfi_cmd_d.row), .col_o(dfi_cmd_d.col), .apar_o(dfi_cmd_d.apar), .arfu_o(dfi_cmd_d.arfu), .cke_o(dfi_cmd_d.cke)
    );
  end else begin : g_hbm34
    if (RowPins != 10 || ColPins != 8) begin : g_bad_pins
      $fatal(1, "hbm_cmd_encoder: HBM3 and HBM4 have 10 row pins and 8 column pins");
    end

    hbm_encode_hbm34 #(.Generation(Generation)) u_encode (
      .act_i(act), .slot_a_i(slot_a), .slot_b_i(slot_b), .col_i(col), .mrs_i, .power_down_i(pin_state_i.power_down),
      .row_o(dfi_cmd_d.row), .col_o(dfi_cmd_d.col), .apar_o(dfi_cmd_d.apar), .arfu_o(dfi_cmd_d.arfu), .cke_o(dfi_cmd_d.cke)
    );
  end

  assign dfi_cmd_d.ck_en   = pin_state_i.ck_en;
  assign dfi_cmd_d.reset_n = pin_state_i.reset_n;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) dfi_cmd_o <= DfiCmdReset;
    else         dfi_cmd_o <= dfi_cmd_d;
  end

`ifndef SYNTHESIS
  // The slot rules of M1.3 that the words themselves cannot carry.
  always_ff @(posedge clk_i) begin
    ActExcludesSlotA_A: assert (!(row_bus_i.act.valid && row_bus_i.slot_a.valid));
    ActExcludesSlotB_A: assert (!(Generation == 2 && row_bus_i.act.valid && row_bus_i.slot_b.valid));
    ActAllowsOnlyPre_A: assert (!(row_bus_i.act.valid && row_bus_i.slot_b.valid
                                  && !(row_bus_i.slot_b.cmd inside {CmdPre, CmdPrea})));
    MrsWantsIdleRow_A:  assert (!(mrs_i.valid && (row_bus_i.act.valid || row_bus_i.slot_a.valid || row_bus_i.slot_b.valid)));
    MrsWantsIdleCol_A:  assert (!(mrs_i.valid && (col_i[0].valid || col_i[1].valid)));
  end
`endif

endmodule
