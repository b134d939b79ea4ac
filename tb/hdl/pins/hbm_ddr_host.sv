// Host end of the real pins: puts the words that a PHY gives to its serialisers on the pins, and takes read data back into words.
//
// No latency: the words of a cycle are on the pins in that cycle (CK rises a quarter CK after its start), and read data that the
// device drives in a cycle stand on `pins_o` at the end of that cycle.

module hbm_ddr_host
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  /// Length of one CK.
  parameter real CkNs = 1.0
) (
  input  logic      clk_i,   // one cycle is 2 CK
  input  pins_out_t pins_i,  // registered: stable from one clock edge to the next
  output pins_in_t  pins_o,
  output ddr_out_t  ddr_o,
  input  ddr_in_t   ddr_i
);

  localparam int unsigned CmdWidth = RowPins + ColPins + 3;
  localparam int unsigned WrWidth = DqPins + 2 * DmPins + ParPins;
  localparam int unsigned RdWidth = DqPins + DmPins + ParPins;

  hbm_ddr_period #(.CkNs(CkNs), .Cks(2)) u_period (.clk_i, .en_i(pins_i.cmd.reset_n));

  // ---------------------------------------------------------------- command buses, with CK as their strobe
  logic [3:0][CmdWidth-1:0] cmd_words;
  logic [CmdWidth-1:0]      cmd_pins;
  logic                     ck;

  for (genvar e = 0; e < 4; e++) begin : g_edge
    assign cmd_words[e] = {pins_i.cmd.cke[e/2], pins_i.cmd.arfu[e/2][e%2], pins_i.cmd.apar[e/2][e%2],
                           pins_i.cmd.col[e/2][e%2], pins_i.cmd.row[e/2][e%2]};
  end

  hbm_ddr_tx #(.Width(CmdWidth), .Units(2), .CkNs(CkNs)) u_cmd (
    .clk_i, .en_i({2{pins_i.cmd.ck_en}}), .words_i(cmd_words), .pins_o(cmd_pins), .strobe_o(ck), .en_o()
  );

  assign ddr_o.ck      = ck;
  assign ddr_o.reset_n = pins_i.cmd.reset_n;
  assign {ddr_o.cke, ddr_o.arfu, ddr_o.apar, ddr_o.c, ddr_o.r} = cmd_pins;

  // ---------------------------------------------------------------- error pins, sampled with CK
  logic [3:0][NumPcs:0] alerts;
  logic [NumPcs:0]      alert_pins;

  assign alert_pins[NumPcs] = ddr_i.aerr;
  hbm_ddr_rx #(.Width(NumPcs + 1), .Units(2), .CkNs(CkNs)) u_alerts (
    .clk_i, .strobe_i(ck), .en_i(1'b1), .pins_i(alert_pins), .words_o(alerts), .seen_o()
  );
  assign pins_o.aerr = {alerts[2][NumPcs], alerts[0][NumPcs]};

  // ---------------------------------------------------------------- data lanes
  for (genvar pc = 0; pc < int'(NumPcs); pc++) begin : g_pc
    logic [2*UiPerCk-1:0][WrWidth-1:0] wr_words;
    logic [2*UiPerCk-1:0][RdWidth-1:0] rd_words;

    for (genvar u = 0; u < 2 * int'(UiPerCk); u++) begin : g_ui
      localparam int P = u / int'(UiPerCk);  // phase
      localparam int I = u % int'(UiPerCk);  // unit interval of its CK
      assign wr_words[u] = {pins_i.wr[pc].par[P][I*ParPins +: ParPins], pins_i.wr[pc].dbi[P][I*DmPins +: DmPins],
                            pins_i.wr[pc].dm[P][I*DmPins +: DmPins], pins_i.wr[pc].dq[P][I*DqPins +: DqPins]};
      assign {pins_o.rd[pc].par[P][I*ParPins +: ParPins], pins_o.rd[pc].dbi[P][I*DmPins +: DmPins],
              pins_o.rd[pc].dq[P][I*DqPins +: DqPins]} = rd_words[u];
    end

    hbm_ddr_tx #(.Width(WrWidth), .Units(UiPerCk), .CkNs(CkNs)) u_wr (
      .clk_i, .en_i(pins_i.wr[pc].oe), .words_i(wr_words),
      .pins_o({ddr_o.wr[pc].par, ddr_o.wr[pc].dbi, ddr_o.wr[pc].dm, ddr_o.wr[pc].dq}), .strobe_o(ddr_o.wr[pc].wdqs),
      .en_o(ddr_o.wr[pc].oe)
    );

    hbm_ddr_rx #(.Width(RdWidth), .Units(UiPerCk), .CkNs(CkNs)) u_rd (
      .clk_i, .strobe_i(ddr_i.rd[pc].rdqs), .en_i(1'b1), .pins_i({ddr_i.rd[pc].par, ddr_i.rd[pc].dbi, ddr_i.rd[pc].dq}),
      .words_o(rd_words), .seen_o()
    );

    assign alert_pins[pc]     = ddr_i.rd[pc].derr;
    assign pins_o.rd[pc].derr = {alerts[2][pc], alerts[0][pc]};
  end

endmodule
