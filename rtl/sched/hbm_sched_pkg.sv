// Types that the scheduler modules of one pseudo-channel share (M3 to M6).

package hbm_sched_pkg;

  import hbm_geometry_pkg::*;
  import hbm_pkg::*;

  localparam int unsigned RdEntries = RdDepth + RmwDepth + ExpressDepth;  // in this order
  localparam int unsigned NBl = 2;          // CK that one access occupies the data bus, all generations
  localparam int unsigned WrPathDepth = 16; // picked writes whose data has not yet been sent
  localparam int unsigned RdPathDepth = 64; // picked reads whose data has not yet returned
  // A simulator leaves out work that changes nothing. In gates the question whether it would is on the longest paths, and not asked.
`ifdef SYNTHESIS
  localparam bit SkipQuiet = 1'b0;
`else
  localparam bit SkipQuiet = 1'b1;
`endif
  localparam int unsigned ForwardDepth = 3; // forwarded reads under way

  typedef logic [NumBanks-1:0]  bank_vec_t;   // one bit a bank
  typedef logic [NumGroups-1:0] group_vec_t;  // one bit a bank group
  typedef logic [RdEntries-1:0] rd_vec_t;     // one bit a read entry
  typedef logic [WrDepth-1:0]   wr_vec_t;     // one bit a write entry

  // Where a request goes: flat bank number, row, column.
  typedef struct packed {
    logic [BankWidth-1:0] bank;
    logic [RowWidth-1:0]  row;
    logic [ColWidth-1:0]  col;
  } loc_t;

  // Distances in CK, sums already formed (hbm_gaps). "_x" names follow the rule: from_to.
  typedef struct packed {
    logic [7:0]  act_rd;    // tRCDRD
    logic [7:0]  act_wr;    // tRCDWR
    logic [7:0]  act_pre;   // tRAS
    logic [8:0]  act_act;   // max(tRC, tRAS + tRP), same bank
    logic [7:0]  rd_pre;    // tRTP
    logic [9:0]  wr_pre;    // WL + nBL + tWR
    logic [9:0]  wr_rda;    // WL + nBL + max(tWR - tRTP, 0); the tWTRL part belongs to the bank group
    logic [7:0]  pre_act;   // tRP
    logic [8:0]  rda_act;   // tRTP + tRP
    logic [9:0]  wra_act;   // WL + nBL + tWR + tRP
    logic [7:0]  act_rda;   // max(ap_min_ras - tRTP, 0)
    logic [7:0]  act_wra;   // max(ap_min_ras - (WL + nBL + tWR), 0)
    logic [7:0]  rrd_s;
    logic [7:0]  rrd_l;
    logic [7:0]  faw;
    logic [7:0]  ccd_s;
    logic [7:0]  ccd_l;
    logic [7:0]  ccd_r;
    logic [9:0]  wtr_s;     // WL + nBL + tWTRS
    logic [9:0]  wtr_l;     // WL + nBL + tWTRL
    logic [8:0]  rtw;       // max(tRTW, RL + nBL - WL): write data never meets read data
    logic [7:0]  rrefd;
    logic [7:0]  ppd;
    logic [11:0] rfc;
    logic [11:0] rfc_sb;
    logic        rrd_l_long; // tRRDL > 2: an ACT blocks its group for the next cycle
  } gaps_t;

  // What the PC does to its banks in one cycle; registered state shows it in the next cycle.
  typedef struct packed {
    bank_vec_t           act;
    logic [RowWidth-1:0] act_row;
    bank_vec_t           pre;       // all ones for PREA
    bank_vec_t           refsb;
    logic                ref_all;
    logic                late;      // the short row command stands in slot B
    bank_vec_t           rd;
    bank_vec_t           wr;
    logic                any_rd;    // a read is picked: known before its bank is
    logic                any_wr;
    bank_vec_t           ap;        // the bank that the column command precharges
  } bank_cmd_t;

  // Legality of row commands at the level of a bank, one bit a bank. ok0/ok1: in slot A/slot B (or ACT) of this cycle;
  // next1: in slot B (or ACT) of the next cycle if nothing else happens.
  typedef struct packed {
    bank_vec_t open;
    bank_vec_t pre_ok0;    // RAS, RTP, WRPRE have passed (open or not)
    bank_vec_t pre_ok1;
    bank_vec_t pre_next1;
    bank_vec_t idle_ok0;   // closed, and ACT or REFSB may follow
    bank_vec_t idle_ok1;
    bank_vec_t idle_next1;
    bank_vec_t rd_ok;      // open, tRCDRD passed
    bank_vec_t wr_ok;
    bank_vec_t rda_ok;     // a read picked now may carry auto-precharge
    bank_vec_t wra_ok;
  } bank_ok_t;

  // Legality at the level of the PC.
  typedef struct packed {
    logic rd;
    logic wr;
    logic [NumSids-1:0] rd_sid;
    logic act;        // ACT
    logic rfc_next1;  // RFC has passed, for an ACT of the next cycle
    logic refsb0;     // REFSB in slot A / slot B
    logic refsb1;
    logic refsb_next1; // REFSB in slot B of the next cycle, if nothing comes between
    logic pre0;       // PRE
    logic pre1;
    logic prea0;      // PREA, beyond pre0/pre1
    logic prea1;
    logic ref0;       // REF, beyond idle banks
    logic ref1;
  } pc_ok_t;

  // What the queues want of the banks, one bit a bank.
  typedef struct packed {
    bank_vec_t queued;           // any entry
    bank_vec_t hit;              // an entry hits the open row
    bank_vec_t lone_hit;         // exactly one entry hits
    bank_vec_t conflict;         // an able entry wants another row than the open one
    bank_vec_t urgent_conflict;  // ... and is urgent: younger (not urgent) hits are masked
    bank_vec_t keep_open;        // an able entry hits, and is not masked
  } demand_t;

  // A new entry, as it is in its first cycle.
  typedef struct packed {
    logic                 valid;
    logic [BankWidth-1:0] bank;
    logic                 hit;
    logic                 able;
    logic                 urgent;
  } arrival_t;

  // Wishes of the refresh unit.
  typedef struct packed {
    bank_vec_t held;      // no ACT, no column command
    bank_vec_t left;      // banks not yet refreshed in the current set
    logic      due;       // a single-bank refresh is owed, or may run ahead
    bank_vec_t must_ref;  // one-hot or zero: held bank to be refreshed next
    bank_vec_t must_pre;  // one-hot or zero: held bank to be closed next
    logic      must_all;  // all-bank refresh, after PREA where a bank is open
    logic      must_prea; // only PREA (maintenance)
    bank_vec_t may_ref;   // one-hot or zero: good choice for a refresh now
  } ref_wish_t;

  // What a PC did in a cycle, or why it moved no data; the first member that holds counts (M9.3).
  typedef struct packed {
    logic busy;
    logic off;
    logic empty;
    logic column;
    logic turn;
    logic refresh;
    logic activate;
    logic bank;
    logic hazard;
  } stall_t;

  function automatic dram_addr_t addr_of(input loc_t loc);
    dram_addr_t addr;
    addr = '0;
    addr.ba = loc.bank[BaWidth-1:0];
    addr.bg = loc.bank[BaWidth+:BgWidth];
    if (NumSids > 1) addr.sid = SidWidth'(loc.bank >> (BaWidth + BgWidth));
    addr.row = loc.row;
    addr.col = loc.col;
    return addr;
  endfunction

  function automatic loc_t loc_of(input dram_addr_t addr);
    loc_t loc;
    loc.bank = bank_of(addr.sid, addr.bg, addr.ba);
    loc.row = addr.row;
    loc.col = addr.col;
    return loc;
  endfunction

  function automatic bank_vec_t bank_onehot(input logic [BankWidth-1:0] bank);
    bank_vec_t vec;
    vec = '0;
    vec[bank] = 1'b1;
    return vec;
  endfunction

  function automatic logic [BankWidth-1:0] bank_index(input bank_vec_t onehot);
    logic [BankWidth-1:0] idx;
    idx = '0;
    for (int unsigned i = 0; i < BankWidth; i++) begin
      for (int unsigned b = 0; b < NumBanks; b++) if (((b >> i) & 1) != 0) idx[i] |= onehot[b];
    end
    return idx;
  endfunction

  // Bank flags from flags of bank groups.
  function automatic bank_vec_t banks_of_groups(input group_vec_t groups);
    bank_vec_t vec;
    for (int unsigned b = 0; b < NumBanks; b++) vec[b] = groups[b/BanksPerGroup];
    return vec;
  endfunction

  // Group flags: any bank of the group.
  function automatic group_vec_t groups_of_banks(input bank_vec_t banks);
    group_vec_t vec;
    for (int unsigned g = 0; g < NumGroups; g++) vec[g] = |banks[g*BanksPerGroup+:BanksPerGroup];
    return vec;
  endfunction

  // Bank flags from flags of SIDs.
  function automatic bank_vec_t banks_of_sids(input logic [NumSids-1:0] sids);
    bank_vec_t vec;
    for (int unsigned b = 0; b < NumBanks; b++) vec[b] = sids[b/(BanksPerGroup*NumBankGroups)];
    return vec;
  endfunction

endpackage
