// Decodes the HBM3/HBM4 row and column pins of one cycle into commands, and checks command parity on every edge.
//
// Commands of cycle n stand on the outputs in cycle n + 1. Places of the fields are public; the codes come from the one table
// of assumed values (hbm_opcode_pkg), which encoder and decoder share.

module hbm_pins_hbm34
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_opcode_pkg::*;
  import hbm_tb_pkg::*;
  import hx_codes_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,
  input  logic            live_i,  // CK runs and the initial power-down is over
  input  logic            flip_i,  // planted fault: one bit of the row word in p0 arrives inverted
  input  dfi_cmd_t        cmd_i,

  output pin_valid_t      valid_o,
  output pin_cmd_t [3:0]  row_o,
  output pin_cmd_t [1:0]  col_o
);

  logic [1:0] act_left_q;  // edges of an ACT that are still to come
  pin_cmd_t   act_q;
  logic       asleep_q, in_sr_q;

  function automatic pin_cmd_t with_bank(input logic pc, input logic [3:0] ba, input logic [1:0] sid);
    pin_cmd_t c;
    c = '0;
    c.pc   = {7'd0, pc};
    c.sid  = NumSids == 1 ? 8'd0 : {6'd0, sid};
    c.bg   = 8'(ba >> BaWidth);
    c.bank = 8'(ba & 4'((1 << BaWidth) - 1));
    return c;
  endfunction

  // Commands for a whole PC carry no bank.
  function automatic pin_cmd_t all_banks(input cmd_e cmd, input logic pc);
    all_banks = '0;
    all_banks.cmd = 8'(cmd);
    all_banks.pc  = {7'd0, pc};
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin : decode
    logic [RowPins-1:0] w;
    logic [ColPins-1:0] crise, cfall;
    logic [1:0]         left;
    logic               asleep, in_sr, ok, arrived;
    pin_cmd_t           act, c;
    if (!rst_ni) begin
      valid_o    <= '0;
      act_left_q <= '0;
      asleep_q   <= 1'b0;
      in_sr_q    <= 1'b0;
    end else begin
      valid_o <= '0;
      left    = act_left_q;
      act     = act_q;
      asleep  = asleep_q;
      in_sr   = in_sr_q;
      if (live_i) begin
        for (int unsigned e = 0; e < 4; e++) begin
          w = cmd_i.row[e >> 1][e & 1];
          if (e == 1) w[0] = w[0] ^ flip_i;
          if (^{w, cmd_i.col[e >> 1][e & 1], cmd_i.arfu[e >> 1][e & 1], cmd_i.apar[e >> 1][e & 1]})
            hx_error(half_ck(cycle_i, e), ErrParityRow, 32'(e & 1), longint'({cmd_i.col[e >> 1][e & 1], w}));

          if (left == 2) begin
            act.row[14:8] = w[ActFallLsb +: 7];
            if (Generation == 4) act.row[14] = 1'b0;  // no RA14: its pin is free and driven 1
            left = 2'd1;
          end else if (left == 1) begin
            act.row[7:0] = w[ActRiseLsb +: 8];
            left = 2'd0;
            row_o[0] <= act;
            valid_o.row_valid[0] <= 1'b1;
            valid_o.act_wrapped  <= e == 0;
          end else if (asleep) begin
            // R0 low holds the state; all of R[3:0] high ends it.
            if (w[3:0] == 4'b1111) begin
              c = all_banks(in_sr ? CmdSrx : CmdPdx, 1'b0);
              row_o[e] <= c;
              valid_o.row_valid[e] <= 1'b1;
              asleep = 1'b0;
              in_sr  = 1'b0;
            end else if (w[0]) begin
              hx_error(half_ck(cycle_i, e), ErrPowerDown, 0, longint'(w));
            end
          end else if (w[3:0] != 4'b1111) begin
            c  = with_bank(w[3], w[9:6], w[5:4]);
            ok = 1'b1;
            arrived = 1'b1;
            case (w[2:0])
              RowAct: begin
                act     = c;
                act.cmd = 8'(CmdAct);
                left    = 2'd2;
                arrived = 1'b0;
                ok      = !e[0];
              end
              RowPre:   c.cmd = 8'(CmdPre);
              RowPrea:  c = all_banks(CmdPrea, w[3]);
              RowRefsb: begin
                c.cmd = 8'(CmdRefsb);
                ok    = !e[0];
              end
              RowRef: begin
                c  = all_banks(w[9] == RefabR9 ? CmdRef : CmdRfm, w[3]);
                ok = !e[0];
              end
              RowRfmsb: begin
                c.cmd = 8'(CmdRfmsb);
                ok    = !e[0];
              end
              default: begin
                ok = !e[0] && (w[3:0] == RowPde || w[3:0] == RowSre);
                c  = all_banks(w[3:0] == RowPde ? CmdPde : CmdSre, 1'b0);
                asleep = ok;
                in_sr  = w[3:0] == RowSre;
              end
            endcase
            // Only precharges may start on a falling edge.
            if (!ok) hx_error(half_ck(cycle_i, e), ErrUnknownRow, 32'(e & 1), longint'(w));
            if (ok && arrived) begin
              row_o[e] <= c;
              valid_o.row_valid[e] <= 1'b1;
            end
          end
        end

        for (int unsigned p = 0; p < 2; p++) begin
          crise = cmd_i.col[p][0];
          cfall = cmd_i.col[p][1];
          if (crise[2:0] != 3'b111) begin
            valid_o.col_valid[p] <= 1'b1;
            c = with_bank(crise[ColRisePcPin], crise[ColRiseBaLsb +: 4], cfall[ColFallSidLsb +: 2]);
            c.col = {3'd0, cfall[ColFallCaLsb +: 5]};
            case (crise[2:0])
              ColRd: c.cmd = 8'(cfall[ColFallApPin] ? CmdRda : CmdRd);
              ColWr: c.cmd = 8'(cfall[ColFallApPin] ? CmdWra : CmdWr);
              ColMrs: begin
                c     = '0;
                c.cmd = 8'(CmdMrs);
                c.row = {3'd0, crise[MrsRiseMaLsb +: 5], cfall[7:0]};
              end
              default: begin
                valid_o.col_valid[p] <= 1'b0;
                hx_error(half_ck(cycle_i, 2 * p), ErrUnknownCol, 0, longint'({cfall, crise}));
              end
            endcase
            if (asleep) hx_error(half_ck(cycle_i, 2 * p), ErrPowerDown, 2, longint'({cfall, crise}));
            col_o[p] <= c;
          end
        end
      end
      act_left_q <= left;
      act_q      <= act;
      asleep_q   <= asleep;
      in_sr_q    <= in_sr;
    end
  end

endmodule
