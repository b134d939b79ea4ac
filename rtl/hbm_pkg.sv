// Shared types of the channel: AXI payloads, DRAM address, commands, timing and policy registers, DFI and pin words (M1 to M8).
//
// Words (docs/architecture.md): CK = DRAM command clock; cycle = one controller clock = 2 CK; phase p0/p1 = first/second CK of a
// cycle; request = one 32-byte read or write; PC = pseudo-channel.

package hbm_pkg;

  import hbm_geometry_pkg::*;

  // ---------------------------------------------------------------- sizes
  localparam int unsigned NumPcs = 2;
  localparam int unsigned NumBanks = NumSids * NumBankGroups * BanksPerGroup;  // per PC
  localparam int unsigned NumGroups = NumSids * NumBankGroups;                 // bank groups per PC; a group belongs to one SID
  localparam int unsigned BankWidth = $clog2(NumBanks);
  localparam int unsigned GroupWidth = $clog2(NumGroups);

  localparam int unsigned AxiIdWidth = 6;
  localparam int unsigned AxiAddrWidth = 40;
  localparam int unsigned AxiDataWidth = 256;
  localparam int unsigned AxiStrbWidth = AxiDataWidth / 8;

  // Queue entries per PC. The product has 32; `hbm synth --entries` sets the macro to compare sizes.
`ifndef HBM_QUEUE_ENTRIES
  `define HBM_QUEUE_ENTRIES 32
`endif
  localparam int unsigned RdDepth = `HBM_QUEUE_ENTRIES;  // read queue
  localparam int unsigned WrDepth = `HBM_QUEUE_ENTRIES;  // write queue
  localparam int unsigned RmwDepth = 4;    // further read entries reserved for read-modify-write
  localparam int unsigned ExpressDepth = 2;  // and for the express lane
  localparam int unsigned RobSlots = 128;  // reorder slots per AXI port, one per read request
  localparam int unsigned RobWidth = $clog2(RobSlots);
  localparam int unsigned WrIdxWidth = $clog2(WrDepth);
  localparam int unsigned LevelWidth = (WrDepth > 32) ? $clog2(WrDepth) + 1 : 6;  // number of entries in use of either queue

  localparam int unsigned PhaseBits = 128;              // data bits of one PC in one CK (HBM2: 64 DQ x 2 UI; HBM3/4: 32 DQ x 4 UI)
  localparam int unsigned PhaseBytes = PhaseBits / 8;

  // ---------------------------------------------------------------- AXI4
  typedef struct packed {
    logic [AxiIdWidth-1:0]   id;
    logic [AxiAddrWidth-1:0] addr;
    logic [7:0]              len;
    logic [2:0]              size;
    logic [1:0]              burst;
    logic                    lock;
    logic [3:0]              cache;
    logic [2:0]              prot;
    logic [3:0]              qos;
    logic [3:0]              region;
  } axi_ax_t;

  typedef struct packed {
    logic [AxiDataWidth-1:0] data;
    logic [AxiStrbWidth-1:0] strb;
    logic                    last;
  } axi_w_t;

  typedef struct packed {
    logic [AxiIdWidth-1:0] id;
    logic [1:0]            resp;
  } axi_b_t;

  typedef struct packed {
    logic [AxiIdWidth-1:0]   id;
    logic [AxiDataWidth-1:0] data;
    logic [1:0]              resp;
    logic                    last;
  } axi_r_t;

  typedef enum logic [1:0] { RespOkay = 2'b00, RespExOkay = 2'b01, RespSlvErr = 2'b10, RespDecErr = 2'b11 } axi_resp_e;
  typedef enum logic [1:0] { BurstFixed = 2'b00, BurstIncr = 2'b01, BurstWrap = 2'b10, BurstReserved = 2'b11 } axi_burst_e;

  // ---------------------------------------------------------------- DRAM address and requests
  typedef struct packed {
    logic [SidWidth-1:0] sid;
    logic [BgWidth-1:0]  bg;
    logic [BaWidth-1:0]  ba;   // bank within its bank group
    logic [RowWidth-1:0] row;
    logic [ColWidth-1:0] col;
  } dram_addr_t;

  // Flat bank number within the PC, {sid, bg, ba}, and flat bank-group number, {sid, bg}, from the top bits of an address.
  function automatic logic [BankWidth-1:0] bank_of(input logic [SidWidth-1:0] sid, input logic [BgWidth-1:0] bg,
                                                   input logic [BaWidth-1:0] ba);
    return BankWidth'({sid, bg, ba});
  endfunction

  function automatic logic [GroupWidth-1:0] group_of(input logic [SidWidth-1:0] sid, input logic [BgWidth-1:0] bg);
    return GroupWidth'({sid, bg});
  endfunction

  typedef struct packed {
    dram_addr_t          addr;
    logic [RobWidth-1:0] tag;   // reorder slot that the data goes to
    logic [3:0]          qos;
  } rd_req_t;

  typedef struct packed {
    dram_addr_t              addr;
    logic [AxiDataWidth-1:0] data;
    logic [AxiStrbWidth-1:0] strb;  // never all zero
    logic [3:0]              qos;
  } wr_req_t;

  typedef struct packed {
    logic                    valid;
    logic [RobWidth-1:0]     tag;
    logic [AxiDataWidth-1:0] data;
  } rd_rsp_t;

  // ---------------------------------------------------------------- commands
  typedef enum logic [4:0] {
    CmdNop   = 5'd0,
    CmdAct   = 5'd1,
    CmdPre   = 5'd2,
    CmdPrea  = 5'd3,
    CmdRd    = 5'd4,
    CmdRda   = 5'd5,
    CmdWr    = 5'd6,
    CmdWra   = 5'd7,
    CmdRef   = 5'd8,
    CmdRefsb = 5'd9,
    CmdRfm   = 5'd10,
    CmdRfmsb = 5'd11,
    CmdMrs   = 5'd12,
    CmdPde   = 5'd13,
    CmdPdx   = 5'd14,
    CmdSre   = 5'd15,
    CmdSrx   = 5'd16
  } cmd_e;

  // A row-bus command of one PC. `addr.col` is not used.
  typedef struct packed {
    logic       valid;
    cmd_e       cmd;
    dram_addr_t addr;
  } row_cmd_t;

  // A column-bus command of one PC; it goes to p0 (PC0) or p1 (PC1) of the cycle. `addr.row` is not used.
  typedef struct packed {
    logic       valid;
    cmd_e       cmd;
    dram_addr_t addr;
  } col_cmd_t;

  // What the row bus of the channel does in one cycle (docs/microarchitecture.md, "Row bus").
  //   act:    ACT, starts at p0. Excludes slot_a; HBM2: also slot_b.
  //   slot_a: one other row command in phase p0; slot_b: one in phase p1. In HBM3/4 PRE and PREA stand on the falling edge of
  //   the phase, all others on the rising edge.
  typedef struct packed {
    row_cmd_t act;
    logic     act_pc;
    row_cmd_t slot_a;
    logic     slot_a_pc;
    row_cmd_t slot_b;
    logic     slot_b_pc;
  } row_bus_t;

  // Mode register write, in p0, with an idle row bus.
  typedef struct packed {
    logic       valid;
    logic [4:0] ma;
    logic [7:0] op;
  } mrs_cmd_t;

  // ---------------------------------------------------------------- registers that reach the scheduler
  // All in CK. Stable while the channel is not quiesced.
  typedef struct packed {
    logic [7:0]  rl;
    logic [7:0]  wl;
    logic [7:0]  t_rcd_rd;
    logic [7:0]  t_rcd_wr;
    logic [7:0]  t_rp;
    logic [7:0]  t_ras;
    logic [7:0]  t_rc;
    logic [7:0]  t_rrd_s;
    logic [7:0]  t_rrd_l;
    logic [7:0]  t_faw;
    logic [7:0]  t_ccd_s;
    logic [7:0]  t_ccd_l;
    logic [7:0]  t_ccd_r;
    logic [7:0]  t_wtr_s;
    logic [7:0]  t_wtr_l;
    logic [7:0]  t_rtp;
    logic [7:0]  t_wr;
    logic [7:0]  t_rtw;
    logic [11:0] t_rfc;
    logic [11:0] t_rfc_sb;
    logic [7:0]  t_rrefd;
    logic [15:0] t_refi;
    logic [15:0] t_refi_sb;
    logic [7:0]  t_ppd;
    logic [7:0]  t_mrd;
    logic [7:0]  t_mod;
  } timing_t;

  typedef enum logic [2:0] {
    PageOpen = 3'd0, PageLookahead = 3'd1, PageConflict = 3'd2, PageClosed = 3'd3, PageAdaptive = 3'd4
  } page_policy_e;

  typedef struct packed {
    page_policy_e page;          // when a column command carries auto-precharge
    logic         ap_allowed;    // 0: never RDA/WRA
    logic [7:0]   ap_min_ras;    // CK; RDA/WRA only if its internal precharge falls at or after ACT + this (0: no limit needed)
    logic [11:0]  page_timeout;  // cycles; a row open without use for this long to twice this is closed; 0: never
    logic         refresh_en;
    logic         refresh_all;   // 0: single-bank (REFSB), 1: all-bank (REF)
    logic [3:0]   refresh_hold;  // debt, in refresh commands owed, from which ACTs are held for the refresh
    logic [3:0]   pull_in;       // refresh commands that may run ahead in an idle PC
    logic [5:0]   switch_low;    // leave the direction when at most this many of its hits are open ...
    logic [5:0]   switch_gain;   // ... and the other has at least this many more
    logic [7:0]   switch_idle;   // cycles without a column command after which any open hit of the other direction takes over
    logic [5:0]   write_high;    // queued writes that end reading
    logic [5:0]   write_low;     // queued writes below which draining draining is not started while reads wait
    logic         forward;       // reads take their data from queued writes
    logic [11:0]  starve_limit;  // cycles; a request older than this to twice this is urgent; 0: never
    logic [4:0]   qos_mid;       // AxQOS from which a request enters aged
    logic [4:0]   qos_high;      // AxQOS from which a request is urgent at once, and a read takes the express lane
  } policy_t;

  // Address map: DRAM address bit i (bit order of dram_addr_t) = XOR of the port address bits selected by mask[i] (bit 0 = address bit 5).
  // Address bits above MapInBits must be zero, else DECERR. mask of a sid bit is 0 when NumSids is 1.
  localparam int unsigned MapOutBits = $bits(dram_addr_t);
  localparam int unsigned MapInBits = BankWidth + RowWidth + ColWidth;

  typedef struct packed {
    logic [RowWidth:0]                         row_limit;  // valid rows per bank; a row at or above it: DECERR
    logic [MapOutBits-1:0][MapInBits-1:0]      mask;
  } addr_map_t;

  // One-cycle pulses for the counters, per AXI port.
  typedef struct packed {
    logic ar;          // AR handshake
    logic aw;          // AW handshake
    logic slverr;      // a burst was answered with SLVERR
    logic decerr;      // a burst was answered with DECERR
    logic excl_fail;   // an exclusive write did not write
    logic rob_full;    // a read request waited for a reorder slot
    logic lat_16;      // read latency below 16 cycles, from slot to R register
    logic lat_32;      // read latency of 16 to 31 cycles
    logic lat_64;      // read latency of 32 to 63 cycles
    logic lat_128;     // read latency of 64 to 127 cycles
    logic lat_256;     // read latency of 128 to 255 cycles
    logic lat_512;     // read latency of 256 to 511 cycles
    logic lat_1024;    // read latency of 512 to 1023 cycles
    logic lat_more;    // read latency of 1024 cycles and more
  } host_events_t;

  // One-cycle pulses for the counters, per PC.
  typedef struct packed {
    logic act;
    logic pre;        // PRE or PREA
    logic rd;
    logic wr;
    logic refsb;
    logic ref_all;
    logic row_hit;       // a column command to a row that an earlier column command already used since its ACT
    logic row_closed;    // first column command after an ACT that found the bank closed
    logic row_conflict;  // first column command after an ACT that had to close another row first
    logic turnaround;    // read/write direction changed
    logic rmw;           // read-modify-write started
    logic rd_full;       // a read request was refused for a full queue
    logic wr_full;       // no write credit left
    logic forward;       // a read took its data from a queued write
    logic rd_req;        // a read request of the host was accepted
    logic wr_req;        // a write request of the host was accepted
    logic busy;          // a column command was picked
    logic stall_off;     // no pick: commands not allowed, or stopped for maintenance
    logic stall_empty;   // no pick: no request queued
    logic stall_column;  // no pick: waits for a column distance or the data path
    logic stall_turn;    // no pick: only the other direction is ready
    logic stall_refresh; // no pick: waits for a refresh
    logic stall_activate; // no pick: waits for tRRD, tFAW or the row bus
    logic stall_bank;    // no pick: waits for the distances of a bank
    logic stall_hazard;  // no pick: every request waits for another one
  } events_t;

  // What a PC reports to the status registers.
  typedef struct packed {
    logic [LevelWidth-1:0] rd_level;  // read queue entries in use, reserved ones included
    logic [LevelWidth-1:0] wr_level;  // write queue entries in use
    logic [4:0] refresh_debt;  // refresh commands owed, of the kind that is selected
    logic [3:0] refresh_early; // refresh commands ahead (M6.7)
    logic       writing;       // direction that is served: 0 reads, 1 writes
  } pc_status_t;

  // ---------------------------------------------------------------- DFI, two phases; index 0 = p0
  // Command words are already pin-encoded, as on the AMD HBM PHY: per phase {fall, rise}.
  typedef struct packed {
    logic [1:0][1:0][RowPins-1:0] row;   // [phase][0 = rise, 1 = fall]
    logic [1:0][1:0][ColPins-1:0] col;
    logic [1:0][1:0]              apar;  // HBM3/4
    logic [1:0][1:0]              arfu;  // HBM3/4
    logic [1:0]                   cke;   // HBM2
    logic                         ck_en;
    logic                         reset_n;
  } dfi_cmd_t;

  // Write data of one PC. Phase p carries PhaseBytes bytes; first half of the 32 bytes in the earlier CK.
  typedef struct packed {
    logic [1:0]                 en;
    logic [1:0][PhaseBits-1:0]  data;
    logic [1:0][PhaseBytes-1:0] mask;  // 1 = byte is not written (DM), HBM2 only
  } dfi_wr_t;

  // Read data of one PC.
  typedef struct packed {
    logic [1:0]                valid;
    logic [1:0][PhaseBits-1:0] data;
  } dfi_rd_t;

  // ---------------------------------------------------------------- pins, as the serialiser macro takes them, per cycle
  typedef struct packed {
    logic [1:0]                 oe;
    logic [1:0][PhaseBits-1:0]  dq;    // [phase][UI-major: byte k of the 16 bytes moved in this CK at 8k +: 8]
    logic [1:0][PhaseBytes-1:0] dm;
    logic [1:0][PhaseBytes-1:0] dbi;
    logic [1:0][3:0]            par;   // one bit per UI and DQ word
  } pins_wr_t;

  typedef struct packed {
    logic [1:0][PhaseBits-1:0]  dq;
    logic [1:0][PhaseBytes-1:0] dbi;
    logic [1:0][3:0]            par;
    logic [1:0]                 derr;
  } pins_rd_t;

  typedef struct packed {
    dfi_cmd_t                cmd;
    pins_wr_t [NumPcs-1:0]   wr;
  } pins_out_t;

  typedef struct packed {
    pins_rd_t [NumPcs-1:0] rd;
    logic [1:0]            aerr;
  } pins_in_t;

endpackage
