// What a person debugs with, for runs with waves only: the commands that the exact model expected, beside the real ones, both as
// text; where they differ; and the state of every bank as the commands make it.
//
// +expected=FILE names the commands that the model foresaw, written by the run that failed: a line `FROM TO` (half CK that the file
// tells of), then a line `TIME CMD PC SID BG BANK ROW COL` for each, in pin order. As in hbm_wave_view everything stands one cycle
// (2 CK) after its pins.

module hbm_wave_model
  import hbm_geometry_pkg::*;
  import hbm_tb_pkg::*;
(
  input logic            clk_i,
  input longint unsigned cycle_i,
  input pin_valid_t      valid_i,
  input pin_cmd_t [3:0]  row_i,
  input pin_cmd_t [1:0]  col_i
);

  localparam int unsigned Banks = NumSids * NumBankGroups * BanksPerGroup;
  localparam int unsigned Letters = 20;

  typedef logic [8*Letters-1:0] text_t;

  typedef struct packed {
    longint unsigned half_ck;
    pin_cmd_t        what;
  } expected_t;

  // OPEN: a row is open. READ, WRITE: a column command came; _AP: it closes the row. REFRESH: refreshed last.
  typedef enum logic [2:0] {IDLE, OPEN, READ, WRITE, READ_AP, WRITE_AP, REFRESH} bank_state_e;

  // ---------------------------------------------------------------- what the model expected
  command_e       row_p0_rise = NOP, row_p0_fall = NOP, row_p1_rise = NOP, row_p1_fall = NOP, col_p0 = NOP, col_p1 = NOP;
  pin_cmd_t [3:0] row;  // fields, valid where the command is not NOP
  pin_cmd_t [1:0] col;
  logic           known = 1'b0;  // the file tells of this cycle
  logic           differs;       // and what it tells is not what came

  logic            on = 1'b0;  // waves are written
  // verilator tracing_off
  logic            given = 1'b0;
  longint unsigned from_half_ck, to_half_ck;
  expected_t       list[$];
  int              at = 0;

  initial begin : setup
    string           name;
    int              fd, got;
    longint unsigned half;
    int unsigned     cmd, pc, sid, bg, bank, ra, ca;
    expected_t       next;
    if ($test$plusargs("waves_file=")) on = 1'b1;
    if (on && $value$plusargs("expected=%s", name)) begin
      fd = $fopen(name, "r");
      if (fd == 0) $fatal(1, "hbm_wave_model: %s cannot be read", name);
      got = $fscanf(fd, "%d %d", from_half_ck, to_half_ck);
      given = got == 2;
      while (got > 0) begin
        got = $fscanf(fd, "%d %d %d %d %d %d %d %d", half, cmd, pc, sid, bg, bank, ra, ca);
        if (got == 8) begin
          next.half_ck = half;
          next.what = '{row: ra[15:0], col: ca[7:0], bank: bank[7:0], bg: bg[7:0], sid: sid[7:0], pc: pc[7:0], cmd: cmd[7:0]};
          list.push_back(next);
        end
      end
      $fclose(fd);
    end
  end

  // Column commands and MRS stand on the column bus of their phase, all others in the row slot of their half CK.
  function automatic logic is_column(input pin_cmd_t what);
    return command_e'(what.cmd[4:0]) inside {RD, RDA, WR, WRA, MRS};
  endfunction

  always_ff @(posedge clk_i) begin : play
    expected_t now;
    if (on && given) begin
      row_p0_rise <= NOP; row_p0_fall <= NOP; row_p1_rise <= NOP; row_p1_fall <= NOP;
      col_p0 <= NOP; col_p1 <= NOP;
      known <= half_ck(cycle_i, 0) >= from_half_ck && half_ck(cycle_i, 0) < to_half_ck;
      if (cycle_i == 0) at = 0;  // a reset: from the start again
      else begin
        while (at < list.size() && list[at].half_ck < half_ck(cycle_i + 1, 0)) begin
          now = list[at];
          if (now.half_ck >= half_ck(cycle_i, 0)) begin
            if (is_column(now.what)) begin
              col[now.half_ck[1]] <= now.what;
              if (now.half_ck[1]) col_p1 <= command_e'(now.what.cmd[4:0]);
              else                col_p0 <= command_e'(now.what.cmd[4:0]);
            end else begin
              row[now.half_ck[1:0]] <= now.what;
              unique case (now.half_ck[1:0])
                2'd0: row_p0_rise <= command_e'(now.what.cmd[4:0]);
                2'd1: row_p0_fall <= command_e'(now.what.cmd[4:0]);
                2'd2: row_p1_rise <= command_e'(now.what.cmd[4:0]);
                2'd3: row_p1_fall <= command_e'(now.what.cmd[4:0]);
              endcase
            end
          end
          at = at + 1;
        end
      end
    end
  end

  // verilator tracing_on

  // ---------------------------------------------------------------- both as text
  // ACT 0.2.1 r1a4: the command, SID.group.bank, and the row or column in hexadecimal; PC in front.
  function automatic text_t worded(input command_e cmd, input pin_cmd_t what);
    string line;
    text_t out;
    line = "";
    unique case (cmd)
      NOP:                line = "";
      ACT:                line = $sformatf("%0d ACT %0d.%0d.%0d r%0h", what.pc, what.sid, what.bg, what.bank, what.row);
      RD, RDA, WR, WRA:   line = $sformatf("%0d %s %0d.%0d.%0d c%0h", what.pc, cmd.name(), what.sid, what.bg, what.bank, what.col);
      PRE, REFSB, RFMSB:  line = $sformatf("%0d %s %0d.%0d.%0d", what.pc, cmd.name(), what.sid, what.bg, what.bank);
      MRS:                line = $sformatf("MRS %0h", what.row);
      PREA, REF, RFM:     line = $sformatf("%0d %s", what.pc, cmd.name());
      default:            line = cmd.name();
    endcase
    out = '0;
    for (int i = 0; i < line.len() && i < int'(Letters); i++) out[8*(int'(Letters)-1-i) +: 8] = line[i];
    return out;
  endfunction

  // The same command, in the fields that it uses.
  function automatic logic same(input logic real_valid, input pin_cmd_t real_cmd, input command_e cmd, input pin_cmd_t what);
    logic ok;
    if (!real_valid) return cmd == NOP;
    ok = real_cmd.cmd[4:0] == cmd;
    if (cmd inside {MRS}) return ok && real_cmd.row == what.row;
    ok &= real_cmd.pc == what.pc;
    if (cmd inside {ACT, PRE, RD, RDA, WR, WRA, REFSB, RFMSB})
      ok &= real_cmd.sid == what.sid && real_cmd.bg == what.bg && real_cmd.bank == what.bank;
    if (cmd == ACT) ok &= real_cmd.row == what.row;
    if (cmd inside {RD, RDA, WR, WRA}) ok &= real_cmd.col == what.col;
    return ok;
  endfunction

  text_t real_row_p0_rise, real_row_p0_fall, real_row_p1_rise, real_row_p1_fall, real_col_p0, real_col_p1;
  text_t model_row_p0_rise, model_row_p0_fall, model_row_p1_rise, model_row_p1_fall, model_col_p0, model_col_p1;

  function automatic text_t real_text(input logic valid, input pin_cmd_t what);
    return worded(valid ? command_e'(what.cmd[4:0]) : NOP, what);
  endfunction

  always_comb begin : as_text
    {real_row_p0_rise, real_row_p0_fall, real_row_p1_rise, real_row_p1_fall, real_col_p0, real_col_p1} = '0;
    {model_row_p0_rise, model_row_p0_fall, model_row_p1_rise, model_row_p1_fall, model_col_p0, model_col_p1} = '0;
    differs = 1'b0;
    if (on) begin
      real_row_p0_rise = real_text(valid_i.row_valid[0], row_i[0]);
      real_row_p0_fall = real_text(valid_i.row_valid[1], row_i[1]);
      real_row_p1_rise = real_text(valid_i.row_valid[2], row_i[2]);
      real_row_p1_fall = real_text(valid_i.row_valid[3], row_i[3]);
      real_col_p0      = real_text(valid_i.col_valid[0], col_i[0]);
      real_col_p1      = real_text(valid_i.col_valid[1], col_i[1]);
      if (known) begin
        model_row_p0_rise = worded(row_p0_rise, row[0]);
        model_row_p0_fall = worded(row_p0_fall, row[1]);
        model_row_p1_rise = worded(row_p1_rise, row[2]);
        model_row_p1_fall = worded(row_p1_fall, row[3]);
        model_col_p0      = worded(col_p0, col[0]);
        model_col_p1      = worded(col_p1, col[1]);
        differs = !(same(valid_i.row_valid[0], row_i[0], row_p0_rise, row[0]) && same(valid_i.row_valid[1], row_i[1], row_p0_fall, row[1])
                 && same(valid_i.row_valid[2], row_i[2], row_p1_rise, row[2]) && same(valid_i.row_valid[3], row_i[3], row_p1_fall, row[3])
                 && same(valid_i.col_valid[0], col_i[0], col_p0, col[0]) && same(valid_i.col_valid[1], col_i[1], col_p1, col[1]));
      end
    end
  end

  // ---------------------------------------------------------------- bank states
  bank_state_e bank_pc0 [Banks];
  bank_state_e bank_pc1 [Banks];

  function automatic int unsigned bank_of(input pin_cmd_t what);
    return (32'(what.sid) * NumBankGroups + 32'(what.bg)) * BanksPerGroup + 32'(what.bank);
  endfunction

  function automatic bank_state_e after(input command_e cmd);
    unique case (cmd)
      ACT:     return OPEN;
      RD:      return READ;
      WR:      return WRITE;
      RDA:     return READ_AP;
      WRA:     return WRITE_AP;
      REFSB:   return REFRESH;
      default: return IDLE;
    endcase
  endfunction

  task automatic step(input logic valid, input pin_cmd_t what);
    command_e cmd;
    cmd = command_e'(what.cmd[4:0]);
    if (valid && cmd inside {PREA, REF}) begin
      for (int b = 0; b < int'(Banks); b++) begin
        if (what.pc[0]) bank_pc1[b] <= cmd == REF ? REFRESH : IDLE;
        else            bank_pc0[b] <= cmd == REF ? REFRESH : IDLE;
      end
    end else if (valid && cmd inside {ACT, PRE, RD, RDA, WR, WRA, REFSB} && bank_of(what) < Banks) begin
      if (what.pc[0]) bank_pc1[bank_of(what)] <= after(cmd);
      else            bank_pc0[bank_of(what)] <= after(cmd);
    end
  endtask

  // In order of time. A cycle behind the commands above, as everything that they change.
  always_ff @(posedge clk_i) begin : follow
    if (on) begin
      if (cycle_i == 0) begin
        for (int b = 0; b < int'(Banks); b++) begin
          bank_pc0[b] <= IDLE;
          bank_pc1[b] <= IDLE;
        end
      end else if (|{valid_i.row_valid, valid_i.col_valid}) begin
        step(valid_i.row_valid[0], row_i[0]);
        step(valid_i.col_valid[0], col_i[0]);
        step(valid_i.row_valid[1], row_i[1]);
        step(valid_i.row_valid[2], row_i[2]);
        step(valid_i.col_valid[1], col_i[1]);
        step(valid_i.row_valid[3], row_i[3]);
      end
    end
  end

endmodule
