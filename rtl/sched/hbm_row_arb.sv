// Shares the row bus of the channel between its two PCs and registers what goes out.
//
// Enforces: rowBus, pairing. Contract: M1.3, M5.3.
//
// HBM2: {ACT} or {slot A, slot B}. HBM3/4: {ACT, PRE or PREA in slot B} or {slot A, slot B}. Latency: a grant of cycle g stands in
// row_o in g+1.

module hbm_row_arb
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  row_cmd_t [NumPcs-1:0] act_i,
  input  row_cmd_t [NumPcs-1:0] short_i,
  input  logic     [NumPcs-1:0] short_a_ok_i,  // legal already in slot A, else only in slot B
  output logic     [NumPcs-1:0] act_gnt_o,
  output logic     [NumPcs-1:0] short_gnt_a_o,
  output logic     [NumPcs-1:0] short_gnt_b_o,

  output row_bus_t row_o
);

  if (NumPcs != 2) begin : g_bad_pcs
    $fatal(1, "hbm_row_arb: written for two pseudo-channels");
  end

  localparam bit PreBesideAct = Generation >= 3;

  logic first_q;  // PC that goes first in this cycle
  logic f, s;     // first and second PC
  assign f = first_q;
  assign s = ~first_q;

  function automatic logic is_pre(input cmd_e cmd);
    return cmd == CmdPre || cmd == CmdPrea;
  endfunction

  always_comb begin
    act_gnt_o = '0;
    short_gnt_a_o = '0;
    short_gnt_b_o = '0;
    if (act_i[f].valid) begin
      act_gnt_o[f] = 1'b1;
    end else if (short_i[f].valid && !(PreBesideAct && act_i[s].valid && is_pre(short_i[f].cmd))) begin
      short_gnt_a_o[f] = short_a_ok_i[f];
      short_gnt_b_o[f] = !short_a_ok_i[f];
      if (short_i[s].valid) begin
        short_gnt_a_o[s] = !short_a_ok_i[f] && short_a_ok_i[s];
        short_gnt_b_o[s] = short_a_ok_i[f];
      end
    end else if (act_i[s].valid) begin
      act_gnt_o[s] = 1'b1;
    end else if (short_i[s].valid) begin
      short_gnt_a_o[s] = short_a_ok_i[s];
      short_gnt_b_o[s] = !short_a_ok_i[s];
    end
    // Beside an ACT the falling edge of p1 is free for one precharge; the PC without the ACT goes first.
    if (PreBesideAct && act_gnt_o != '0) begin
      if (short_i[~act_gnt_o[1]].valid && is_pre(short_i[~act_gnt_o[1]].cmd)) short_gnt_b_o[~act_gnt_o[1]] = 1'b1;
      else if (short_i[act_gnt_o[1]].valid && short_i[act_gnt_o[1]].cmd == CmdPre) short_gnt_b_o[act_gnt_o[1]] = 1'b1;
    end
  end

  logic     any_a, any_b;
  logic     served;  // the first PC got something
  row_bus_t row_d, row_q;
  assign any_a  = |short_gnt_a_o;
  assign any_b  = |short_gnt_b_o;
  assign served = act_gnt_o[f] | short_gnt_a_o[f] | short_gnt_b_o[f];

  always_comb begin
    row_d = row_q;
    row_d.act.valid = |act_gnt_o;
    row_d.slot_a.valid = any_a;
    row_d.slot_b.valid = any_b;
    if (|act_gnt_o) begin
      row_d.act = act_i[act_gnt_o[1]];
      row_d.act_pc = act_gnt_o[1];
    end
    if (any_a) begin
      row_d.slot_a = short_i[short_gnt_a_o[1]];
      row_d.slot_a_pc = short_gnt_a_o[1];
    end
    if (any_b) begin
      row_d.slot_b = short_i[short_gnt_b_o[1]];
      row_d.slot_b_pc = short_gnt_b_o[1];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q <= 1'b0;
      row_q <= '0;
    end else begin
      first_q <= first_q ^ served;
      row_q <= row_d;
    end
  end

  assign row_o = row_q;

`ifndef SYNTHESIS
  OneAct_A: assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(act_gnt_o));
  OneSlotA_A: assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(short_gnt_a_o));
  OneSlotB_A: assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(short_gnt_b_o));
  ActExcludesSlotA_A: assert property (@(posedge clk_i) disable iff (!rst_ni) !(act_gnt_o != '0 && any_a));
  ActExcludesSlotB_A: assert property (@(posedge clk_i) disable iff (!rst_ni) !(act_gnt_o != '0 && any_b && !PreBesideAct));
  SlotAIsLegal_A: assert property (@(posedge clk_i) disable iff (!rst_ni) (short_gnt_a_o & ~short_a_ok_i) == '0);
`endif

endmodule
