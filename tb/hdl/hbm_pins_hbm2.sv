// Decodes the HBM2/HBM2E row and column pins of one cycle into commands, and checks command parity on each falling edge.
//
// Commands of cycle n stand on the outputs in cycle n + 1. Written from the public encodings of HBM2 (docs/bench.md, "Pins").

module hbm_pins_hbm2
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
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

  logic       act_open_q;  // p1 held the first half of an ACT
  pin_cmd_t   act_q;       // what it said
  logic       cke_q;
  logic       asleep_q;    // power-down or self-refresh; the next rising CKE ends it
  logic       in_sr_q;

  // Row pins 6 and column pin 8 exist on wide HBM2E parts only; there they carry SID1 and RA14.
  function automatic logic wide_row(input logic [RowPins-1:0] w);
    return RowPins > 6 ? w[RowPins-1] : 1'b0;
  endfunction

  function automatic logic [7:0] sid_of(input logic low, input logic high);
    if (NumSids == 1) return 8'd0;
    return NumSids > 2 ? {6'd0, high, low} : {7'd0, low};
  endfunction

  function automatic pin_cmd_t with_bank(input cmd_e cmd, input logic pc, input logic [3:0] ba, input logic [7:0] sid);
    pin_cmd_t c;
    c = '0;
    c.cmd  = 8'(cmd);
    c.pc   = {7'd0, pc};
    c.sid  = sid;
    c.bg   = 8'(ba >> BaWidth);
    c.bank = 8'(ba & 4'((1 << BaWidth) - 1));
    return c;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin : decode
    logic [RowPins-1:0] rise, fall;
    logic [ColPins-1:0] crise, cfall;
    logic               open, cke;
    pin_cmd_t           act, c;
    if (!rst_ni) begin
      valid_o    <= '0;
      act_open_q <= 1'b0;
      cke_q      <= 1'b0;
      asleep_q   <= 1'b0;
      in_sr_q    <= 1'b0;
    end else begin
      valid_o <= '0;
      open = act_open_q;
      cke  = cke_q;
      act  = act_q;
      if (live_i) begin
        for (int unsigned p = 0; p < 2; p++) begin
          rise  = cmd_i.row[p][0];
          fall  = cmd_i.row[p][1];
          crise = cmd_i.col[p][0];
          cfall = cmd_i.col[p][1];
          if (p == 0) fall[0] = fall[0] ^ flip_i;
          if (^fall) hx_error(half_ck(cycle_i, 2 * p + 1), ErrParityRow, 1, longint'({fall, rise}));
          if (^cfall) hx_error(half_ck(cycle_i, 2 * p + 1), ErrParityCol, 1, longint'({cfall, crise}));

          // ---- row bus
          if (open) begin
            // Second CK of an ACT: RA0..RA10.
            open = 1'b0;
            act.row[10:5] = rise[5:0];
            act.row[4:0]  = {fall[5:3], fall[1:0]};
            row_o[0] <= act;
            valid_o.row_valid[0] <= 1'b1;
            valid_o.act_wrapped  <= p == 0;
          end else if (cmd_i.cke[p] != cke) begin
            c = '0;
            if (cmd_i.cke[p]) begin
              // Power-down and self-refresh end with NOP on both buses.
              c.cmd = 8'(in_sr_q ? CmdSrx : CmdPdx);
              if (rise[2:0] != 3'b111) hx_error(half_ck(cycle_i, 2 * p), ErrPowerDown, 0, longint'({fall, rise}));
              if (asleep_q) begin
                row_o[2 * p] <= c;
                valid_o.row_valid[2 * p] <= 1'b1;
              end
              asleep_q <= 1'b0;
              in_sr_q  <= 1'b0;
            end else begin
              c.cmd = 8'(rise[2:0] == 3'b111 ? CmdPde : CmdSre);
              if (rise[2:0] != 3'b111 && (rise[2:0] != 3'b100 || !fall[4]))
                hx_error(half_ck(cycle_i, 2 * p), ErrPowerDown, 1, longint'({fall, rise}));
              row_o[2 * p] <= c;
              valid_o.row_valid[2 * p] <= 1'b1;
              asleep_q <= 1'b1;
              in_sr_q  <= rise[2:0] != 3'b111;
            end
          end else if (rise[2:0] != 3'b111) begin
            if (!cke) hx_error(half_ck(cycle_i, 2 * p), ErrCmdInReset, 4, longint'({fall, rise}));
            c = with_bank(CmdNop, fall[3], {fall[5], rise[5:3]}, sid_of(fall[1], wide_row(rise)));
            casez (rise[2:0])
              3'b?10: begin
                // First CK of an ACT: SID, BA, PC, RA11..RA13.
                act = with_bank(CmdAct, fall[3], {fall[5], rise[5:3]}, sid_of(rise[2], wide_row(rise)));
                act.row[13:11] = {fall[4], fall[1:0]};
                act.row[14]    = wide_row(fall);
                open = 1'b1;
              end
              3'b011: begin
                c.cmd = 8'(fall[4] ? CmdPrea : CmdPre);
                row_o[2 * p] <= fall[4] ? all_banks(c) : c;
                valid_o.row_valid[2 * p] <= 1'b1;
              end
              3'b100: begin
                c.cmd = 8'(fall[4] ? CmdRef : CmdRefsb);
                row_o[2 * p] <= fall[4] ? all_banks(c) : c;
                valid_o.row_valid[2 * p] <= 1'b1;
              end
              default: hx_error(half_ck(cycle_i, 2 * p), ErrUnknownRow, 0, longint'({fall, rise}));
            endcase
          end
          cke = cmd_i.cke[p];

          // ---- column bus
          if (crise[2:0] != 3'b111) begin
            if (!cke) hx_error(half_ck(cycle_i, 2 * p), ErrCmdInReset, 5, longint'({cfall, crise}));
            valid_o.col_valid[p] <= 1'b1;
            c = with_bank(CmdNop, cfall[7], crise[7:4], sid_of(cfall[0], ColPins > 8 ? crise[ColPins-1] : 1'b0));
            c.col = {3'd0, cfall[6:3], cfall[1]};
            case (crise[2:0])
              3'b101:  c.cmd = 8'(crise[3] ? CmdRda : CmdRd);
              3'b001:  c.cmd = 8'(crise[3] ? CmdWra : CmdWr);
              3'b000: begin
                c     = '0;
                c.cmd = 8'(CmdMrs);
                c.row = {4'd0, crise[7:4], crise[3], cfall[7:3], cfall[1:0]};
              end
              default: begin
                valid_o.col_valid[p] <= 1'b0;
                hx_error(half_ck(cycle_i, 2 * p), ErrUnknownCol, 0, longint'({cfall, crise}));
              end
            endcase
            col_o[p] <= c;
          end
        end
      end
      act_open_q <= open;
      act_q      <= act;
      cke_q      <= cke;
    end
  end

  // Commands for a whole PC carry no bank.
  function automatic pin_cmd_t all_banks(input pin_cmd_t c);
    all_banks = '0;
    all_banks.cmd = c.cmd;
    all_banks.pc  = c.pc;
  endfunction

endmodule
