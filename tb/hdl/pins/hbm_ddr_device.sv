// Device end of the real pins: gathers what a host drives into words, and puts the words that the device drives on the pins.
//
// No latency either way: at the end of a cycle the words on `pins_o` are what the pins carried in it, and read data of a cycle are
// on the pins in that cycle, from its start on. The clock of the words is made from CK.

module hbm_ddr_device
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_ddr_pkg::*;
#(
  /// Length of one CK.
  parameter real CkNs = 1.0
) (
  input  ddr_out_t                ddr_i,
  output ddr_in_t                 ddr_o,
  output logic                    clk_o,    // one cycle is 2 CK
  output pins_out_t               pins_o,   // good at the edge of clk_o that ends the cycle
  input  pins_in_t                pins_i,   // registered by clk_o
  input  logic [NumPcs-1:0][1:0]  drive_i   // per PC and phase: the device drives read data; the strobe moves
);

  localparam int unsigned CmdWidth = RowPins + ColPins + 3;
  localparam int unsigned WrWidth = DqPins + 2 * DmPins + ParPins;
  localparam int unsigned RdWidth = DqPins + DmPins + ParPins;

  logic running;

  hbm_ddr_clock #(.CkNs(CkNs)) u_clock (.ck_i(ddr_i.ck), .clk_o, .running_o(running));

  hbm_ddr_period #(.CkNs(CkNs)) u_period (.clk_i(ddr_i.ck), .en_i(ddr_i.reset_n));

  // ---------------------------------------------------------------- command buses
  logic [CmdWidth-1:0]      cmd_pins;
  logic [3:0][CmdWidth-1:0] cmd_words, words;

  assign cmd_pins = {ddr_i.cke, ddr_i.arfu, ddr_i.apar, ddr_i.c, ddr_i.r};

  hbm_ddr_rx #(.Width(CmdWidth), .Units(2), .CkNs(CkNs)) u_cmd (
    .clk_i(clk_o), .strobe_i(ddr_i.ck), .en_i(1'b1), .pins_i(cmd_pins), .words_o(cmd_words), .seen_o()
  );

  // Without CK nothing is sampled; what counts then are levels.
  assign words = running ? cmd_words : {4{cmd_pins}};

  for (genvar e = 0; e < 4; e++) begin : g_edge
    assign pins_o.cmd.arfu[e/2][e%2] = words[e][CmdWidth-2];
    assign pins_o.cmd.apar[e/2][e%2] = words[e][CmdWidth-3];
    assign pins_o.cmd.col[e/2][e%2]  = words[e][RowPins +: ColPins];
    assign pins_o.cmd.row[e/2][e%2]  = words[e][RowPins-1:0];
  end
  assign pins_o.cmd.cke     = {words[2][CmdWidth-1], words[0][CmdWidth-1]};  // sampled with the rising edge
  assign pins_o.cmd.ck_en   = running;
  assign pins_o.cmd.reset_n = ddr_i.reset_n;

  // ---------------------------------------------------------------- error pins
  logic [3:0][NumPcs:0] alerts;
  logic [NumPcs:0]      alert_pins;

  for (genvar e = 0; e < 4; e++) begin : g_alert
    assign alerts[e][NumPcs] = pins_i.aerr[e/2];
  end
  hbm_ddr_tx #(.Width(NumPcs + 1), .Units(2), .CkNs(CkNs)) u_alerts (
    .clk_i(clk_o), .en_i('0), .words_i(alerts), .pins_o(alert_pins), .strobe_o(), .en_o()
  );
  assign ddr_o.aerr = alert_pins[NumPcs];

  // ---------------------------------------------------------------- data lanes
  for (genvar pc = 0; pc < int'(NumPcs); pc++) begin : g_pc
    logic [2*UiPerCk-1:0][WrWidth-1:0] wr_words;
    logic [2*UiPerCk-1:0]              seen;
    logic [2*UiPerCk-1:0][RdWidth-1:0] rd_words;

    for (genvar u = 0; u < 2 * int'(UiPerCk); u++) begin : g_ui
      localparam int P = u / int'(UiPerCk);
      localparam int I = u % int'(UiPerCk);
      assign {pins_o.wr[pc].par[P][I*ParPins +: ParPins], pins_o.wr[pc].dbi[P][I*DmPins +: DmPins],
              pins_o.wr[pc].dm[P][I*DmPins +: DmPins], pins_o.wr[pc].dq[P][I*DqPins +: DqPins]} = wr_words[u];
      assign rd_words[u] = {pins_i.rd[pc].par[P][I*ParPins +: ParPins], pins_i.rd[pc].dbi[P][I*DmPins +: DmPins],
                            pins_i.rd[pc].dq[P][I*DqPins +: DqPins]};
    end

    hbm_ddr_rx #(.Width(WrWidth), .Units(UiPerCk), .CkNs(CkNs)) u_wr (
      .clk_i(clk_o), .strobe_i(ddr_i.wr[pc].wdqs), .en_i(ddr_i.wr[pc].oe),
      .pins_i({ddr_i.wr[pc].par, ddr_i.wr[pc].dbi, ddr_i.wr[pc].dm, ddr_i.wr[pc].dq}), .words_o(wr_words), .seen_o(seen)
    );
    assign pins_o.wr[pc].oe = {&seen[UiPerCk +: UiPerCk], &seen[0 +: UiPerCk]};

    hbm_ddr_tx #(.Width(RdWidth), .Units(UiPerCk), .CkNs(CkNs)) u_rd (
      .clk_i(clk_o), .en_i(drive_i[pc]), .words_i(rd_words),
      .pins_o({ddr_o.rd[pc].par, ddr_o.rd[pc].dbi, ddr_o.rd[pc].dq}), .strobe_o(ddr_o.rd[pc].rdqs), .en_o()
    );

    for (genvar e = 0; e < 4; e++) begin : g_derr
      assign alerts[e][pc] = pins_i.rd[pc].derr[e/2];
    end
    assign ddr_o.rd[pc].derr = alert_pins[pc];
  end

endmodule
