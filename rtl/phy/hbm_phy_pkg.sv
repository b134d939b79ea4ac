// Types of the PHY interface: commands in device terms (the same widths in every geometry), pin state, initialisation states (M8).

package hbm_phy_pkg;

  import hbm_pkg::*;

  // Widest address fields of any generation, so that every encoder can be built whatever the geometry.
  localparam int unsigned DevSidWidth = 2;
  localparam int unsigned DevBankWidth = 4;  // BA[3:0] = {bank group, bank}; HBM4: one group bit, three bank bits
  localparam int unsigned DevRowWidth = 15;
  localparam int unsigned DevColWidth = 5;   // 32-byte columns: HBM2 CA[5:1], HBM3/4 CA[4:0]

  // ACT.
  typedef struct packed {
    logic                    valid;
    logic                    pc;
    logic [DevSidWidth-1:0]  sid;
    logic [DevBankWidth-1:0] ba;
    logic [DevRowWidth-1:0]  row;
  } dev_act_t;

  // Any other row command.
  typedef struct packed {
    logic                    valid;
    cmd_e                    cmd;
    logic                    pc;
    logic [DevSidWidth-1:0]  sid;
    logic [DevBankWidth-1:0] ba;
  } dev_short_t;

  typedef struct packed {
    logic                    valid;
    cmd_e                    cmd;
    logic                    pc;
    logic [DevSidWidth-1:0]  sid;
    logic [DevBankWidth-1:0] ba;
    logic [DevColWidth-1:0]  col;
  } dev_col_t;

  // Levels that the initialisation sequence holds.
  typedef struct packed {
    logic reset_n;     // RESET_n pin
    logic ck_en;       // CK toggles; else CK_t low, CK_c high
    logic power_down;  // HBM2: CKE low; HBM3/4: the PDE code on every edge of the row bus
  } pin_state_t;

  // Values are those of the CSR status field.
  typedef enum logic [3:0] {
    StIdle   = 4'd0,   // RESET_n low, waits for the start
    StReset  = 4'd1,   // RESET_n low for tINIT1
    StFuse   = 4'd2,   // RESET_n high, CK stopped, power-down held for tINIT3
    StClock  = 4'd3,   // CK runs, power-down held for tINIT4
    StWake   = 4'd4,   // power-down left, tINIT5
    StMode   = 4'd5,   // mode registers
    StRun    = 4'd6,   // commands allowed
    StDrain  = 4'd7,   // commit: host and queues run empty
    StClose  = 4'd8,   // commit: all banks are precharged
    StSettle = 4'd9,   // commit: everything started before has ended
    StLoad   = 4'd10   // commit: the active timing set is loaded
  } init_state_e;

  // Waits of the power-up in ns. HBM4: public summary of the standard; HBM3 by analogy, HBM2 by recollection (assumed).
  localparam int unsigned Init1Ns = 200_000;        // RESET_n low; tINIT2 (CK static before its end) lies inside
  localparam int unsigned Init3NsHbm2 = 500_000;    // fuses, calibration
  localparam int unsigned Init3NsHbm34 = 4_000_000; // tINIT7 lies inside
  localparam int unsigned Init4Ck = 10;             // CK toggles before power-down is left
  localparam int unsigned Init5Ns = 200;            // before the first mode register

  // Cycles for `ns` with the fastest CK of a generation: HBM2E 3.6, HBM3E 9.8, HBM4 13 Gb/s. A slower clock waits longer.
  function automatic int unsigned init_cycles(input int unsigned generation, input int unsigned ns);
    longint unsigned mhz = (generation == 2) ? 1800 : (generation == 3) ? 2450 : 3250;
    return int'((longint'(ns) * mhz + 1999) / 2000);  // a cycle is 2 CK
  endfunction

  function automatic int unsigned init3_cycles(input int unsigned generation);
    return init_cycles(generation, (generation == 2) ? Init3NsHbm2 : Init3NsHbm34);
  endfunction

  // Idle buses: RNOP and CNOP with every pin high, which is even parity in all generations.
  localparam dfi_cmd_t DfiCmdReset = '{row: '1, col: '1, apar: '1, arfu: '1, cke: '0, ck_en: 1'b0, reset_n: 1'b0};

endpackage
