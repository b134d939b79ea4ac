// Brings the device up, and exchanges the timing set at a commit (docs/microarchitecture.md M7).
//
// Enforces: tINIT1..5, tMRD, tMOD, tRDMRS, tWRMRS, entryOpen, powerState; before MRS: tRC_SRE, tRDA_SRE, tWRA_SRE, tRP_SRE,
// tRFCSB_SRE, tRFC_SRE.

module hbm_init_seq
  import hbm_pkg::*;
  import hbm_phy_pkg::*;
#(
  /// 2: HBM2/HBM2E, 3: HBM3, 4: HBM4.
  parameter int unsigned Generation = hbm_geometry_pkg::Generation,
  /// Simulation only: tINIT1 and tINIT3 are divided by 2^InitShift (at least one cycle remains). 0 in hardware.
  parameter int unsigned InitShift = 0,
  /// Start without waiting for start_i.
  parameter bit          AutoStart = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_ni,

  input  logic         start_i,      // pulse; only in StIdle
  input  logic         commit_i,     // pulse; remembered until the set is loaded
  input  timing_t      timing_i,     // active set

  input  logic         host_idle_i,  // no request between the ports and the queues, no response owed
  input  logic [1:0]   pc_idle_i,    // queues and data path empty
  input  logic [1:0]   pc_closed_i,  // every bank idle (precharges may still run)

  output logic         enable_o,     // commands may be issued in this cycle
  output logic         quiesce_o,    // no new requests
  output logic         close_o,      // precharge all banks, start no refresh
  output logic         load_o,       // active set := shadow set at the end of this cycle
  output mrs_cmd_t     mrs_o,
  output pin_state_t   pin_state_o,

  output init_state_e  state_o,
  output logic         done_o,       // initialised; stays
  output logic         busy_o        // initialisation or commit under way
);

  function automatic int unsigned shortened(input int unsigned cycles);
    return ((cycles >> InitShift) == 0) ? 1 : (cycles >> InitShift);
  endfunction

  localparam int unsigned Init1 = shortened(init_cycles(Generation, Init1Ns));
  localparam int unsigned Init3 = shortened(init3_cycles(Generation));
  localparam int unsigned Init4 = Init4Ck / 2;
  localparam int unsigned Init5 = init_cycles(Generation, Init5Ns);
  // Time for a refusal to become effective, and for an idle flag to fall, before the flags are believed.
  localparam int unsigned Believe = 4;

  localparam int unsigned CountWidth = $clog2(init3_cycles(Generation) + 1);

  // Mode registers in ascending order; HBM2 has MR0..7 and MR15.
  localparam logic [4:0] LastIndex = (Generation == 2) ? 5'd8 : (Generation == 3) ? 5'd15 : 5'd19;

  init_state_e            state_d, state_q;
  logic [CountWidth-1:0]  count_d, count_q;  // cycles left after this one; holds from the second cycle of a wait on
  logic                   first_q;           // first cycle of a state or of a mode register
  logic [CountWidth-1:0]  rest;              // cycles of the wait, less two
  logic                   single;            // the wait is one cycle
  logic                   over;
  logic [4:0]             index_d, index_q;
  logic                   last_q;            // the last mode register
  logic                   commit_d, commit_q;
  logic                   done_q;
  logic [11:0]            wait_ck;

  // The waits that come from registers, in CK; as cycles they are rounded up, at least one.
  // tRFC outlasts every other thing that may still run: reads, writes with recovery, precharges, refreshes.
  assign wait_ck = (state_q == StSettle) ? timing_i.t_rfc : last_q ? 12'(timing_i.t_mod) : 12'(timing_i.t_mrd);

  always_comb begin
    single = 1'b0;
    rest   = '0;
    unique case (state_q)
      StReset: begin
        single = Init1 == 1;
        rest   = CountWidth'(Init1 - 2);
      end
      StFuse: begin
        single = Init3 == 1;
        rest   = CountWidth'(Init3 - 2);
      end
      StClock:  rest = CountWidth'(Init4 - 2);
      StWake:   rest = CountWidth'(Init5 - 2);
      StDrain,
      StClose:  rest = CountWidth'(Believe - 2);
      StMode,
      StSettle: begin
        single = wait_ck[11:2] == '0 && wait_ck[1:0] != 2'd3;  // below 3
        rest   = (CountWidth'(wait_ck) - CountWidth'(3)) >> 1;
      end
      default:  single = 1'b1;
    endcase
  end

  assign over = first_q ? single : count_q == '0;

  always_comb begin
    state_d = state_q;
    index_d = index_q;
    unique case (state_q)
      StIdle:   if (start_i || AutoStart) state_d = StReset;
      StReset:  if (over) state_d = StFuse;
      StFuse:   if (over) state_d = StClock;
      StClock:  if (over) state_d = StWake;
      StWake:   if (over) state_d = StMode;
      StMode: begin
        if (over) begin
          if (last_q) begin
            state_d = StRun;
            index_d = '0;
          end else begin
            index_d = index_q + 5'd1;
          end
        end
      end
      StRun:    if (commit_q) state_d = StDrain;
      StDrain:  if (over && host_idle_i && (&pc_idle_i)) state_d = StClose;
      StClose:  if (over && (&pc_closed_i)) state_d = StSettle;
      StSettle: if (over) state_d = StLoad;
      StLoad:   state_d = StMode;
      default:  state_d = StIdle;
    endcase

    count_d = first_q ? rest : (count_q == '0) ? count_q : count_q - CountWidth'(1);

    commit_d = (commit_q || commit_i) && !load_o;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= StIdle;
      count_q  <= '0;
      first_q  <= 1'b1;
      index_q  <= '0;
      last_q   <= 1'b0;
      commit_q <= 1'b0;
      done_q   <= 1'b0;
    end else begin
      state_q  <= state_d;
      count_q  <= count_d;
      first_q  <= state_d != state_q || index_d != index_q;
      index_q  <= index_d;
      last_q   <= index_d == LastIndex;
      commit_q <= commit_d;
      done_q   <= done_q || (state_q == StRun);
    end
  end

  logic [7:0] op;
  logic [4:0] ma;

  assign ma = (Generation == 2 && last_q) ? 5'd15 : index_q;

  hbm_mode_regs #(.Generation(Generation)) u_mode_regs (.timing_i, .ma_i(ma), .op_o(op));

  assign mrs_o = '{valid: state_q == StMode && first_q, ma: ma, op: op};

  assign pin_state_o = '{
    reset_n:    !(state_q inside {StIdle, StReset}),
    ck_en:      !(state_q inside {StIdle, StReset, StFuse}),
    power_down: state_q inside {StIdle, StReset, StFuse, StClock}
  };

  assign enable_o  = state_q inside {StRun, StDrain, StClose};
  assign quiesce_o = state_q != StRun;
  assign close_o   = state_q == StClose;
  // The set that was programmed before the start takes effect with it.
  assign load_o    = state_q == StLoad || (state_q == StIdle && (start_i || AutoStart));
  assign state_o   = state_q;
  assign done_o    = done_q;
  assign busy_o    = !(state_q inside {StIdle, StRun}) || commit_q;

endmodule
