// Pin words of the HBM3/HBM4 command buses for one cycle (table only, no state).
//
// Bit i of a word is pin R[i] or C[i]; pins that a command leaves free are 1. Codes and places that are not public come from
// hbm_opcode_pkg. APAR makes R, C, ARFU and APAR of each edge even.
// PRE and PREA stand on the falling edge of their phase, ACT on p0.rise, p0.fall, p1.rise, all others on the rising edge (M1.2).

module hbm_encode_hbm34
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
  import hbm_opcode_pkg::*;
#(
  /// 3: HBM3, 4: HBM4 (RA[13:0] and a DRFM flag in ACT).
  parameter int unsigned Generation = 3
) (
  input  dev_act_t             act_i,
  input  dev_short_t           slot_a_i,
  input  dev_short_t           slot_b_i,
  input  dev_col_t [1:0]       col_i,
  input  mrs_cmd_t             mrs_i,
  input  logic                 power_down_i,

  output logic [1:0][1:0][9:0] row_o,   // [phase][0 = rise, 1 = fall]
  output logic [1:0][1:0][7:0] col_o,
  output logic [1:0][1:0]      apar_o,
  output logic [1:0][1:0]      arfu_o,
  output logic [1:0]           cke_o    // no such pin: 1
);

  if (Generation != 3 && Generation != 4) begin : g_bad_generation
    $fatal(1, "hbm_encode_hbm34: Generation must be 3 or 4");
  end

  typedef struct packed { logic [7:0] fall; logic [7:0] rise; } col_word_t;

  function automatic logic is_pre(input cmd_e cmd);
    return cmd inside {CmdPre, CmdPrea};
  endfunction

  // A row command of one edge.
  function automatic logic [9:0] edge_word(input cmd_e cmd, input logic [6:0] bank_pc);  // {BA, SID, PC}
    logic [6:0] all_pc = {6'b111111, bank_pc[0]};
    unique case (cmd)
      CmdPre:   return {bank_pc, RowPre};
      CmdPrea:  return {all_pc, RowPrea};
      CmdRefsb: return {bank_pc, RowRefsb};
      CmdRfmsb: return {bank_pc, RowRfmsb};
      CmdRef:   return {RefabR9, all_pc[5:0], RowRef};
      CmdRfm:   return {RfmabR9, all_pc[5:0], RowRef};
      CmdPde:   return {6'b111111, RowPde};
      CmdSre:   return {6'b111111, RowSre};
      default:  return '1;  // RNOP, PDX, SRX
    endcase
  endfunction

  function automatic logic [9:0] act_fall(input logic [14:8] row);
    logic [9:0] word = '1;
    word[ActFallLsb +: 7] = row;
    if (Generation == 4) begin
      word[ActFallLsb + 6] = 1'b1;  // no RA14
      word[ActDrfmPin]     = 1'b0;
    end
    return word;
  endfunction

  function automatic logic [9:0] act_rise2(input logic [7:0] row);
    logic [9:0] word = '1;
    word[ActRiseLsb +: 8] = row;
    return word;
  endfunction

  function automatic col_word_t col_word(input dev_col_t cmd);
    col_word_t word = '1;
    if (cmd.valid) begin
      word.rise[2:0]                  = (cmd.cmd inside {CmdRd, CmdRda}) ? ColRd : ColWr;
      word.rise[ColRisePcPin]         = cmd.pc;
      word.rise[ColRiseBaLsb +: 4]    = cmd.ba;
      word.fall[ColFallCaLsb +: 5]    = cmd.col;
      word.fall[ColFallApPin]         = cmd.cmd inside {CmdRda, CmdWra};
      word.fall[ColFallSidLsb +: 2]   = cmd.sid;
    end
    return word;
  endfunction

  function automatic col_word_t mrs_word(input logic [4:0] ma, input logic [7:0] op);
    col_word_t word = '1;
    word.rise[2:0]               = ColMrs;
    word.rise[MrsRiseMaLsb +: 5] = ma;
    word.fall                    = op;
    return word;
  endfunction

  dev_short_t [1:0] slot;
  col_word_t  [1:0] column_word;

  always_comb begin
    slot = {slot_b_i, slot_a_i};
    for (int unsigned p = 0; p < 2; p++) begin
      row_o[p] = '1;
      if (slot[p].valid) row_o[p][is_pre(slot[p].cmd)] = edge_word(slot[p].cmd, {slot[p].ba, slot[p].sid, slot[p].pc});
    end
    if (act_i.valid) begin
      row_o[0][0] = {act_i.ba, act_i.sid, act_i.pc, RowAct};
      row_o[0][1] = act_fall(act_i.row[14:8]);
      row_o[1][0] = act_rise2(act_i.row[7:0]);
    end
    // No CKE pin: the code itself holds the power-down.
    if (power_down_i) row_o = {4{6'b111111, RowPde}};

    column_word[0] = mrs_i.valid ? mrs_word(mrs_i.ma, mrs_i.op) : col_word(col_i[0]);
    column_word[1] = col_word(col_i[1]);
    for (int unsigned p = 0; p < 2; p++) begin
      col_o[p] = {column_word[p].fall, column_word[p].rise};
      for (int unsigned e = 0; e < 2; e++) begin
        arfu_o[p][e] = ArfuLevel;
        apar_o[p][e] = ^{row_o[p][e], col_o[p][e], ArfuLevel};
      end
    end
  end

  assign cke_o = '1;

endmodule
