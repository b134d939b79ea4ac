// Pin words of the HBM2/HBM2E command buses for one cycle (table only, no state) (M1.2, M8.1).
//
// Bit i of a word is pin R[i] or C[i]. Codes as on AMD's HBM PHY (DRAM Bender, confirmed by a second decoder); pins that a command
// leaves free are 1. PAR (bit 2 of the falling edge) makes the falling word of its bus even and is always driven.
// With 7/9 pins (large HBM2E parts) the extra pin follows hbm_opcode_pkg and is assumed.

module hbm_encode_hbm2
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
  import hbm_opcode_pkg::*;
#(
  /// Pins of the row bus: 6, or 7 with RA14 or a second SID bit.
  parameter int unsigned RowPins = 6,
  /// Pins of the column bus: 8, or 9 with a second SID bit.
  parameter int unsigned ColPins = 8
) (
  input  dev_act_t                          act_i,
  input  dev_short_t                        slot_a_i,
  input  dev_short_t                        slot_b_i,
  input  dev_col_t [1:0]                    col_i,
  input  mrs_cmd_t                          mrs_i,
  input  logic                              power_down_i,

  output logic [1:0][1:0][RowPins-1:0]      row_o,   // [phase][0 = rise, 1 = fall]
  output logic [1:0][1:0][ColPins-1:0]      col_o,
  output logic [1:0][1:0]                   apar_o,  // no such pin: 1
  output logic [1:0][1:0]                   arfu_o,  // no such pin: 1
  output logic [1:0]                        cke_o
);

  if (RowPins != 6 && RowPins != 7) begin : g_bad_row_pins
    $fatal(1, "hbm_encode_hbm2: RowPins must be 6 or 7");
  end
  if (ColPins != 8 && ColPins != 9) begin : g_bad_col_pins
    $fatal(1, "hbm_encode_hbm2: ColPins must be 8 or 9");
  end

  localparam int unsigned Par = 2;

  // Widest words; the top pin is cut off where it does not exist.
  typedef struct packed { logic [6:0] fall; logic [6:0] rise; } row_word_t;
  typedef struct packed { logic [8:0] fall; logic [8:0] rise; } col_word_t;

  function automatic row_word_t short_word(input dev_short_t cmd);
    row_word_t word = '1;
    if (cmd.valid && cmd.cmd inside {CmdPre, CmdPrea, CmdRef, CmdRefsb, CmdSre}) begin
      word.rise[2:0]      = (cmd.cmd inside {CmdPre, CmdPrea}) ? 3'b011 : 3'b100;
      word.rise[5:3]      = cmd.ba[2:0];
      word.rise[WidePinR] = cmd.sid[1];
      word.fall[0]        = !(cmd.cmd inside {CmdPre, CmdPrea});
      word.fall[1]        = cmd.sid[0];
      word.fall[3]        = cmd.pc;
      word.fall[4]        = 1'b0;
      word.fall[5]        = cmd.ba[3];
      // All banks: the bank pins rest, R4 says so.
      if (!(cmd.cmd inside {CmdPre, CmdRefsb})) begin
        word.rise[6:3] = '1;
        word.fall[5:4] = '1;
      end
      // Self-refresh entry is for the channel: no PC.
      if (cmd.cmd == CmdSre) word.fall[3] = 1'b1;
    end
    return word;
  endfunction

  function automatic row_word_t act_word1(input logic pc, input logic [1:0] sid, input logic [3:0] ba, input logic [14:11] row);
    row_word_t word = '1;
    word.rise[5:0]      = {ba[2:0], sid[0], 2'b10};
    word.rise[WidePinR] = sid[1];
    word.fall[5:0]      = {ba[3], row[13], pc, 1'b1, row[12:11]};
    word.fall[WidePinR] = row[14];
    return word;
  endfunction

  function automatic row_word_t act_word2(input logic [10:0] row);
    row_word_t word = '1;
    word.rise[5:0] = row[10:5];
    word.fall[5:0] = {row[4:2], 1'b1, row[1:0]};
    return word;
  endfunction

  function automatic col_word_t col_word(input dev_col_t cmd);
    col_word_t word = '1;
    if (cmd.valid) begin
      word.rise[3:0]      = {cmd.cmd inside {CmdRda, CmdWra}, cmd.cmd inside {CmdRd, CmdRda}, 2'b01};
      word.rise[7:4]      = cmd.ba;
      word.rise[WidePinC] = cmd.sid[1];
      word.fall[7:0]      = {cmd.pc, cmd.col[4:1], 1'b1, cmd.col[0], cmd.sid[0]};
    end
    return word;
  endfunction

  function automatic col_word_t mrs_word(input logic [3:0] ma, input logic [7:0] op);
    col_word_t word = '1;
    word.rise[7:0] = {ma, op[7], 3'b000};
    word.fall[7:0] = {op[6:2], 1'b1, op[1:0]};
    return word;
  endfunction

  row_word_t [1:0] row_word;
  col_word_t [1:0] column_word;

  always_comb begin
    row_word[0] = act_i.valid ? act_word1(act_i.pc, act_i.sid, act_i.ba, act_i.row[14:11]) : short_word(slot_a_i);
    row_word[1] = act_i.valid ? act_word2(act_i.row[10:0]) : short_word(slot_b_i);
    column_word[0] = mrs_i.valid ? mrs_word(mrs_i.ma[3:0], mrs_i.op) : col_word(col_i[0]);
    column_word[1] = col_word(col_i[1]);
    for (int unsigned p = 0; p < 2; p++) begin
      row_o[p][0] = row_word[p].rise[RowPins-1:0];
      row_o[p][1] = row_word[p].fall[RowPins-1:0];
      col_o[p][0] = column_word[p].rise[ColPins-1:0];
      col_o[p][1] = column_word[p].fall[ColPins-1:0];
      // PAR stands at 1 so far: keep it when the word is even, else clear it.
      row_o[p][1][Par] = ~^row_word[p].fall[RowPins-1:0];
      col_o[p][1][Par] = ~^column_word[p].fall[ColPins-1:0];
    end
  end

  // MA has four bits here.
  logic unused_ma;
  assign unused_ma = mrs_i.ma[4];

  assign cke_o  = {2{~power_down_i}};
  assign apar_o = '1;
  assign arfu_o = '1;

endmodule
