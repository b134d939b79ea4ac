// Follows the power-up order of the device on RESET_n, CK and CKE (or the power-down code) and says when commands count.
//
// Order of facts, not durations: those are shortened in simulation. CK must run for 10 CK before power-down is left.

module hbm_power_check
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
  import hx_codes_pkg::*;
(
  input  logic            clk_i,
  input  logic            rst_ni,
  input  longint unsigned cycle_i,
  input  dfi_cmd_t        cmd_i,
  output logic            live_o  // combinational: the words of this cycle are commands
);

  typedef enum logic [2:0] { StOff, StReset, StStill, StClock, StLive } state_e;

  localparam int unsigned ClockCycles = 5;  // 10 CK

  state_e     state_q;
  logic [2:0] clocks_q;
  logic       up;     // power-down ends in this cycle
  logic       quiet;  // the buses hold what power-down asks for

  if (HasCke) begin : g_cke
    assign up    = |cmd_i.cke;
    assign quiet = cmd_i.cke == '0;
  end else begin : g_code
    // R[3:0] all high leaves power-down, 1010 holds it; C[2:0] = 111 is NOP.
    assign up    = cmd_i.row[0][0][3:0] == 4'b1111;
    assign quiet = cmd_i.row[0][0][3:0] == 4'b1010 && cmd_i.col[0][0][2:0] == 3'b111;
  end

  assign live_o = state_q == StLive || (state_q == StClock && up);

  task automatic complain(input int unsigned step);
    hx_error(half_ck(cycle_i, 0), ErrInitOrder, step, 0);
  endtask

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= StOff;
      clocks_q <= '0;
    end else begin
      unique case (state_q)
        // Power is up; RESET_n must be low first.
        StOff: begin
          if (cmd_i.reset_n) complain(0);
          state_q <= StReset;
        end
        // RESET_n low: CK does not run.
        StReset: begin
          if (cmd_i.ck_en) complain(1);
          if (cmd_i.reset_n) state_q <= StStill;
        end
        // RESET_n high, CK still: power-down is held.
        StStill: begin
          if (!quiet) complain(2);
          clocks_q <= '0;
          if (cmd_i.ck_en) state_q <= StClock;
        end
        // CK runs, power-down is held.
        StClock: begin
          if (clocks_q != 3'(ClockCycles)) clocks_q <= clocks_q + 3'd1;
          if (up) begin
            if (clocks_q < 3'(ClockCycles - 1)) complain(3);
            state_q <= StLive;
          end else if (!quiet) begin
            complain(2);
          end
        end
        StLive: if (!cmd_i.ck_en) complain(4);
        default: state_q <= StOff;
      endcase
      if (!cmd_i.reset_n && state_q != StOff) state_q <= StReset;
    end
  end

endmodule
