// A small HBM2 controller: one request after the other, in order, every row closed right after its access.
//
// One clock a CK. Requests come by valid/ready; read data come back in order, writes are done when they are accepted.
// With PLANT_BUGS, `+bug=NAME` of the simulation makes it wrong in one way (the names are in `bug_is` below).

module small_controller
  import small_pkg::*;
(
  input  logic           clk_i,
  input  logic           rst_ni,
  input  timing_t        timing_i,

  input  logic           req_valid_i,
  output logic           req_ready_o,
  input  request_t       req_i,

  output words_t         words_o,
  output logic [1:0]         wr_en_o,    // per PC: write data of this CK
  output logic [127:0]       wr_data_o,
  output logic [15:0]        wr_mask_o
);

  localparam int unsigned ResetCk = 40;   // shortened for simulation; order and least number of clocks are those of the standard
  localparam int unsigned WakeCk = 200;
  localparam int unsigned LastMode = 4;

  typedef enum logic [3:0] { StReset, StStill, StClock, StWake, StMode, StIdle, StAct, StRow, StColumn, StDrain, StRef0, StRef1,
                             StRefWait } state_e;

  state_e      state_q;
  request_t    req_q;
  logic [11:0] wait_q;
  logic [15:0] refi_q;
  logic        refresh_due_q;
  logic [2:0]  mode_q;
  logic [7:0]  bank_q [32];           // CK until the next ACT of the bank; index {pc, bank}
  logic [7:0]  wtr_q [2], rtw_q [2];  // CK until the next read and write of the PC
  logic [7:0]  late_q;                // CK until the first write data
  logic [1:0]  beat_q;                // write data: 2, 1: beats left
  request_t    wr_q;

  // ---------------------------------------------------------------- planted bugs
  logic bug_rcd, bug_wtr, bug_refresh, bug_bank, bug_wr, bug_parity, bug_latency, bug_hang;
`ifdef PLANT_BUGS
  string bug;
  initial if (!$value$plusargs("bug=%s", bug)) bug = "";
  assign bug_rcd     = bug == "rcd";      // RD one CK too early after ACT
  assign bug_wtr     = bug == "wtr";      // RD one CK too early after a write
  assign bug_wr      = bug == "wr";       // ACT one CK too early after a write
  assign bug_refresh = bug == "refresh";  // refresh is forgotten
  assign bug_bank    = bug == "bank";     // writes go to the neighbour bank
  assign bug_parity  = bug == "parity";   // PAR of the column bus stuck at 1
  assign bug_hang    = bug == "hang";     // stops at the first refresh
  assign bug_latency = bug == "latency";  // RL in the mode register one too large
`else
  assign {bug_rcd, bug_wtr, bug_refresh, bug_bank, bug_wr, bug_parity, bug_latency, bug_hang} = '0;
`endif

  // ---------------------------------------------------------------- what this CK does
  logic all_idle, act, column, column_ok;
  logic [4:0] place;   // {pc, bank}

  always_comb begin
    all_idle = 1'b1;
    for (int unsigned b = 0; b < 32; b++) all_idle &= bank_q[b] == '0;
  end

  assign place       = {req_q.pc, req_q.bank ^ 4'(bug_bank && req_q.write)};
  assign req_ready_o = state_q == StIdle && !refresh_due_q;
  assign act         = state_q == StAct && bank_q[place] == '0;
  assign column_ok   = wait_q == '0 && (req_q.write ? rtw_q[req_q.pc] : wtr_q[req_q.pc]) == '0;
  assign column      = state_q == StColumn && column_ok;

  // Mode registers: write recovery, latencies, row time (MR1 to MR4).
  function automatic logic [7:0] mode(input logic [2:0] ma);
    logic [7:0] rl, wl;
    rl = timing_i.rl - 8'd2 + 8'(bug_latency);
    wl = timing_i.wl - 8'd1;
    case (ma)
      3'd1:    return {3'd2, timing_i.wr[4:0]};
      3'd2:    return {rl[4:0], wl[2:0]};
      3'd3:    return {2'b11, 6'(timing_i.rc - timing_i.rp)};
      3'd4:    return {2'd0, rl[5], wl[3], 4'd0};
      default: return 8'd0;
    endcase
  endfunction

  logic [1:0][5:0] row;
  logic [1:0][7:0] col;

  small_encode u_encode (
    .act_first_i(act), .act_second_i(state_q == StRow), .ref_i(state_q == StRef0 || state_q == StRef1), .column_i(column),
    .mrs_i(state_q == StMode && wait_q == '0),
    .pc_i(state_q == StRef1 || (state_q != StRef0 && req_q.pc)), .bank_i(place[3:0]), .row_i(req_q.row), .col_i(req_q.col),
    .write_i(req_q.write), .ma_i({1'b0, mode_q}), .op_i(mode(mode_q)), .row_o(row), .col_o(col)
  );

  // ---------------------------------------------------------------- the one state machine
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= StReset;
      wait_q        <= 12'(ResetCk);
      mode_q        <= '0;
      refi_q        <= '0;
      refresh_due_q <= 1'b0;
      words_o       <= '{row: '1, col: '1, cke: 1'b0, ck_en: 1'b0, reset_n: 1'b0};
      for (int unsigned b = 0; b < 32; b++) bank_q[b] <= '0;
      for (int unsigned p = 0; p < 2; p++) begin
        wtr_q[p] <= '0;
        rtw_q[p] <= '0;
      end
    end else begin
      words_o.row <= row;
      words_o.col <= col;
      if (bug_parity && col[0][2:0] != 3'b111) words_o.col[1][2] <= 1'b1;
      if (wait_q != '0) wait_q <= wait_q - 12'd1;
      for (int unsigned b = 0; b < 32; b++) if (bank_q[b] != '0) bank_q[b] <= bank_q[b] - 8'd1;
      for (int unsigned p = 0; p < 2; p++) begin
        if (wtr_q[p] != '0) wtr_q[p] <= wtr_q[p] - 8'd1;
        if (rtw_q[p] != '0) rtw_q[p] <= rtw_q[p] - 8'd1;
      end

      // Refresh runs from the end of the initialisation on.
      if (state_q == StIdle || state_q == StAct || state_q == StRow || state_q == StColumn || refi_q != '0) begin
        refi_q <= refi_q + 16'd1;
        if (refi_q == timing_i.refi - 16'd1) begin
          refi_q        <= 16'd1;
          refresh_due_q <= !bug_refresh;
        end
      end

      unique case (state_q)
        // RESET_n low, CK still.
        StReset: if (wait_q == '0) begin
          words_o.reset_n <= 1'b1;
          wait_q  <= 12'(ResetCk);
          state_q <= StStill;
        end
        // RESET_n high, CK still.
        StStill: if (wait_q == '0) begin
          words_o.ck_en <= 1'b1;
          wait_q  <= 12'(ResetCk);
          state_q <= StClock;
        end
        // CK runs, CKE low.
        StClock: if (wait_q == '0) begin
          words_o.cke <= 1'b1;
          wait_q  <= 12'(WakeCk);
          state_q <= StWake;
        end
        StWake: if (wait_q == '0) state_q <= StMode;
        StMode: if (wait_q == '0) begin
          mode_q <= mode_q + 3'd1;
          wait_q <= 12'(timing_i.mrd) - 12'd1;
          if (mode_q == 3'(LastMode)) begin
            wait_q  <= 12'(timing_i.mod);
            state_q <= StRefWait;
          end
        end
        StIdle: begin
          if (refresh_due_q) begin
            if (!bug_hang) state_q <= StDrain;
          end else if (req_valid_i) begin
            req_q   <= req_i;
            state_q <= StAct;
          end
        end
        StAct: if (act) begin
          bank_q[place] <= timing_i.rc - 8'd1;
          wait_q        <= 12'(req_q.write ? timing_i.rcd_wr : timing_i.rcd_rd) - 12'(bug_rcd && !req_q.write);
          state_q       <= StRow;
        end
        StRow: state_q <= StColumn;
        StColumn: if (column) begin
          if (req_q.write) begin
            bank_q[place]    <= later(bank_q[place], timing_i.wl + timing_i.wr + timing_i.rp - 8'(bug_wr));
            wtr_q[req_q.pc]  <= timing_i.wl + timing_i.wtr + 8'd1 - 8'(bug_wtr);
          end else begin
            bank_q[place]    <= later(bank_q[place], timing_i.rtp + timing_i.rp - 8'd2);
            rtw_q[req_q.pc]  <= timing_i.rtw - 8'd1;
          end
          state_q <= StIdle;
        end
        // Every bank idle, one CK longer than an ACT would need.
        StDrain: if (all_idle) state_q <= StRef0;
        StRef0:  state_q <= StRef1;
        StRef1: begin
          refresh_due_q <= 1'b0;
          wait_q  <= timing_i.rfc;
          state_q <= StRefWait;
        end
        StRefWait: if (wait_q == '0) state_q <= StIdle;
        default: state_q <= StReset;
      endcase
    end
  end

  function automatic logic [7:0] later(input logic [7:0] now, input logic [7:0] other);
    return now > other ? now - 8'd1 : other;
  endfunction

  // ---------------------------------------------------------------- write data, WL after the command
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      late_q  <= '0;
      beat_q  <= '0;
      wr_en_o <= '0;
    end else begin
      wr_en_o <= '0;
      if (column && req_q.write) begin
        wr_q   <= req_q;
        late_q <= timing_i.wl;
      end else if (late_q != '0) begin
        late_q <= late_q - 8'd1;
        if (late_q == 8'd1) begin
          wr_en_o[wr_q.pc] <= 1'b1;
          wr_data_o        <= wr_q.data[127:0];
          wr_mask_o        <= wr_q.mask[15:0];
          beat_q           <= 2'd1;
        end
      end
      if (beat_q != '0) begin
        wr_en_o[wr_q.pc] <= 1'b1;
        wr_data_o        <= wr_q.data[255:128];
        wr_mask_o        <= wr_q.mask[31:16];
        beat_q           <= '0;
      end
    end
  end

endmodule
