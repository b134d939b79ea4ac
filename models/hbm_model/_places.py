"""Where things stand in the rows of integers of the exact controller model.

`k` holds the constants of a run (timings of the active set, policies, address map), `x` all that one PC knows; the
state of its port stands behind it (`_port_places`). Legality is kept as instants: for each command and scope the first
CK at which history allows it. Entries of a queue have ranks that grow with age, so a set of entries is an integer with
one bit a rank and the oldest of a set is its lowest bit.
"""

from __future__ import annotations

from typing import Final

from hbm_model._jit import jit_enabled

# Ranks of a queue before they are dealt anew: one bit each of an int64; as plain Python sets must stay positive.
RANKS: Final = 64 if jit_enabled() else 62
NEVER: Final = -(1 << 40)  # an instant before everything
READ: Final = 0
WRITE: Final = 1

# ------------------------------------------------------------------ constants of a run, places in `k`
(
    K_GEN,
    K_BANKS,  # banks of a PC, all SIDs
    K_PER_SID,
    K_PER_GROUP,
    K_SIDS,
    K_RCDRD,
    K_RCDWR,
    K_RAS,
    K_ACT_ACT,  # max(RC, RAS + RP)
    K_RTP,
    K_WR_PRE,  # B + WR
    K_WR_RDA,
    K_ACT_RDA,
    K_ACT_WRA,
    K_RP,
    K_RFCSB,
    K_RRDL,
    K_CCDL,
    K_WTRL,  # B + WTRL
    K_RRDS,
    K_FAW,
    K_CCDS,
    K_CCDR,
    K_WTRS,  # B + WTRS
    K_RD_WR,
    K_RREFD,
    K_RFC,
    K_PPD,
    K_INTERVAL,
    K_PAGE,
    K_AP,
    K_REFRESH,
    K_ALL_BANK,
    K_HOLD,
    K_LOW,
    K_GAIN,
    K_IDLE,
    K_WRITE_HIGH,
    K_WRITE_LOW,
    K_STARVE,
    K_RD_DATA,  # cycles from the pick of a read to its data, for PC0 and PC1
    K_RD_DATA1,
    K_WR_DATA,  # cycles from the pick of a write to its data, for PC0 and PC1
    K_WR_DATA1,
    K_MERGE,  # 1: no mask pins, a write with a strobe missing is a read-modify-write
    K_OUTSTANDING,  # `hbm sim`: bursts that a port may have unanswered, 0: no limit
    K_READ_ENTRIES,  # host entries of the read queue, and of the write queue (M3.1); other numbers are for studies
    K_WRITE_ENTRIES,
    K_MAP_BITS,  # address map (M2.6): inputs, first row that is no memory, fields of a packed DRAM address
    K_ROW_LIMIT,
    K_COL_MASK,
    K_ROW_AT,
    K_ROW_MASK,
    K_BANK_AT,
    K_BANK_MASK,
    K_GROUP_AT,
    K_GROUP_MASK,
    K_SID_AT,
    K_SID_MASK,
    K_AP_MIN,  # ap_min_ras, REFI, REFISB and the code at the TEMP pins, as they are given
    K_REFI,
    K_REFISB,
    K_TEMP,
    K_WR_SENT,  # cycles from the pick of a write to the cycle that carries the end of its data, for PC0 and PC1
    K_WR_SENT1,
    K_TIMEOUT,  # page_timeout, pull_in, forward, qos_mid, qos_high, as they are given
    K_PULL,
    K_FORWARD,
    K_QOS_MID,
    K_QOS_HIGH,
    K_TABLE,  # four tables of 256, one per eight inputs: the XOR of their entries is the packed DRAM address
) = range(71)
K_SIZE: Final = K_TABLE + 4 * 256

# ------------------------------------------------------------------ state of one PC and its port, places in `x`
(
    DIRECTION,
    LAST,  # cycle of the last pick or change of direction
    PICKS,  # picks after the last change
    HOST,  # host entries of the read queue (M3.1)
    EXPRESS,
    RESERVED,
    NEXT_RANK,
    NEXT_RANK_W,
    ALL,  # sets of entries; reads, then writes
    ALL_W,
    HIT,
    HIT_W,
    SHUT,  # entries whose bank is closed
    SHUT_W,
    FREE,
    FREE_W,
    WHOLE,  # complete
    WHOLE_W,
    RAW,  # unstarted
    RAW_W,
    AGED,
    AGED_W,
    URGENT,  # starved or high (M4.5)
    URGENT_W,
    STARVED,
    STARVED_W,
    P_ACT,  # picked ACT: 1, bank, row, urgent
    P_ACT_BANK,
    P_ACT_ROW,
    P_ACT_URGENT,
    P_SHORT,  # picked short command: its code (0 none), bank, urgent
    P_SHORT_BANK,
    P_SHORT_URGENT,
    O_ACT,  # offered in this cycle
    O_SHORT,
    O_EARLY,  # the short command is legal in slot A
    G_ACT,  # granted in this cycle
    G_SHORT,
    G_SLOT,
    C_RANK,  # column pick of this cycle, -1: none
    C_CLOSE,
    N_DIRECTION,
    N_ACT,  # the new picks
    N_ACT_BANK,
    N_ACT_ROW,
    N_ACT_URGENT,
    N_SHORT,
    N_SHORT_BANK,
    N_SHORT_URGENT,
    N_HELD,
    N_ALL_HELD,
    N_START,  # rank of the write that starts its merge, -1: none
    DEBT,
    DUE,  # CK at which the next refresh falls due
    LEFT,  # banks of the set not yet refreshed, one bit each
    SET,  # SID of the set
    HELD,
    ALL_HELD,
    OPEN,  # open banks
    ORDER,  # ACTs so far
    CONFLICTS,  # banks with an urgent conflict in this cycle
    T_ACT,
    T_COL,
    T_COL_W,
    T_PRE,
    T_PREA,
    T_REF,
    WINDOW,  # times of the last four ACT and REFSB
    WINDOW1,
    WINDOW2,
    WINDOW3,
    WINDOW_AT,
    MASKED,
    MASKED_W,
    FLY,  # reads under way: first place and number
    FLY_N,
    STOPPED,  # M6.6
    CONVERT,  # M6.8: refresh_all changed in this cycle
    FORCED,  # M6.8: a REF is owed since refresh_all changed (1); it was granted in this cycle (2)
    RETUNED,  # M6.7: hold or pull changed in this cycle: the debt after it, plus RETUNE
    RD_PATH,  # how many reads, writes were picked
    WR_PATH,
    CHAMP,  # M4.7: the champion, as a set of at most one entry
    CHAMP_W,
    CHAMP_QUEUE,  # queue of the last champion
    SERVED,  # the champion is served in this cycle
    CLAIMED,  # bank claimed in this cycle, -1: none
    N_CHAMP,  # rank of the one chosen, -1: none; its queue
    N_CHAMP_QUEUE,
    N_SERVED,
    P_SHORT_ASKED,  # the PRE picked is one that an entry wants (M5.6 (4))
    N_SHORT_ASKED,
    STALE,  # stale banks (M4.8)
    C_READY,  # entries of the direction, and of the other one, that are ready and not masked (M4.1)
    C_OTHERS,
    C_BEFORE,  # M9.1: direction of the last pick
    RFC_UNTIL,  # M9.3 (6): CK at which RFC of the last REF is over
    GAP,  # M3.6: cycle in which no read is eligible
    REFRESHING,  # M9.3 (6): sets of banks, 32 each, that may be refreshing
    REFRESHING1,
    SCALARS,
) = range(101)

MAX_BANKS: Final = 64
B_ROW: Final = 128  # open row, -1: closed
B_RD: Final = B_ROW + MAX_BANKS  # instants
B_WR: Final = B_RD + MAX_BANKS
B_RDA: Final = B_WR + MAX_BANKS
B_WRA: Final = B_RDA + MAX_BANKS
B_PRE: Final = B_WRA + MAX_BANKS
B_ACT: Final = B_PRE + MAX_BANKS
B_LAST: Final = B_ACT + MAX_BANKS  # number of the last ACT
B_IN: Final = B_LAST + MAX_BANKS  # sets: entries of the bank, reads and writes
B_HIT: Final = B_IN + 2 * MAX_BANKS
B_CONFLICT: Final = B_HIT + 2 * MAX_BANKS
B_OLD: Final = B_CONFLICT + MAX_BANKS  # M4.8: row of the last ACT, -1: none yet
B_COUNT: Final = B_OLD + MAX_BANKS  # the predictor
B_ASKED: Final = B_COUNT + MAX_BANKS  # since the last ACT an entry had it closed (M5.6 (4))
B_USED: Final = B_ASKED + MAX_BANKS  # used, stale
B_STALE: Final = B_USED + MAX_BANKS
B_PICKED: Final = B_STALE + MAX_BANKS  # M9.1: picked since its ACT; closed for another row since its first pick
B_PARTED: Final = B_PICKED + MAX_BANKS
B_REFRESHED: Final = B_PARTED + MAX_BANKS  # M9.3: the last of REFSB, REF and ACT was no ACT
G_ACTS: Final = B_REFRESHED + MAX_BANKS  # instants of a group
G_RD: Final = G_ACTS + MAX_BANKS
G_WR: Final = G_RD + MAX_BANKS
S_RD: Final = G_WR + MAX_BANKS  # instants of a SID
S_REFSB: Final = S_RD + 8
E_BANK: Final = S_REFSB + 8  # entries, by rank
E_ROW: Final = E_BANK + 128
E_COL: Final = E_ROW + 128
E_REQ: Final = E_COL + 128
E_WAITS: Final = E_REQ + 128  # entries that it waits for, and of these the writes
E_WAITS_W: Final = E_WAITS + 128
E_NEXT_R: Final = E_WAITS_W + 128  # sets of entries that wait for it
E_NEXT_W: Final = E_NEXT_R + 128
FLY_REQ: Final = E_NEXT_W + 128
FLY_AT: Final = FLY_REQ + 256
RD_PICKED: Final = FLY_AT + 256
WR_PICKED: Final = RD_PICKED + 64
COUNTERS: Final = WR_PICKED + 16  # M9

# Counters of a PC and its port, in the order of their registers; each stands for one cycle with its event.
(
    N_STALL_HAZARD,  # M9.3: in each cycle one of these nine
    N_STALL_BANK,
    N_STALL_ACTIVATE,
    N_STALL_REFRESH,
    N_STALL_TURN,
    N_STALL_COLUMN,
    N_STALL_EMPTY,
    N_STALL_OFF,
    N_BUSY,
    N_WR_REQ,  # M9.1
    N_RD_REQ,
    N_FORWARD,
    N_WR_FULL,
    N_RD_FULL,
    N_RMW,
    N_TURNAROUND,
    N_ROW_CONFLICT,
    N_ROW_CLOSED,
    N_ROW_HIT,
    N_REF_ALL,
    N_REFSB,
    N_WR,
    N_RD,
    N_PRE,
    N_ACTS,
    N_LAT_MORE,  # M9.4
    N_LAT_1024,
    N_LAT_512,
    N_LAT_256,
    N_LAT_128,
    N_LAT_64,
    N_LAT_32,
    N_LAT_16,
    N_ROB_FULL,  # M9.2
    N_EXCL_FAIL,
    N_DECERR,
    N_SLVERR,
    N_AW,
    N_AR,
    COUNTERS_END,
) = range(COUNTERS, COUNTERS + 40)
PC_COUNTERS: Final = N_ACTS + 1 - COUNTERS
PORT_COUNTERS: Final = COUNTERS_END - N_LAT_MORE
SNAPSHOT: Final = COUNTERS_END  # the counters at the last snapshot
X_SIZE: Final = SNAPSHOT + PC_COUNTERS + PORT_COUNTERS

# Commands, codes of hbm_model.commands.Cmd.
ACT: Final = 1
PRE: Final = 2
PREA: Final = 3
RD: Final = 4
WR: Final = 6
REF: Final = 8
REFSB: Final = 9

HOST_ENTRIES: Final = 32  # M3.1: of the read queue, and all entries of the write queue
RESERVED_ENTRIES: Final = 4
EXPRESS_ENTRIES: Final = 2
EXPRESS_NAME: Final = 128  # added to the slot (M2.5: 128 of them) in E_REQ of an express entry
