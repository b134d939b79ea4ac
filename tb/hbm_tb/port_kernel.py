"""The inner loop of the scoreboard: all that one AXI port and its pseudo-channel did, event by event in time order.

One call handles one batch: the handshakes that the DUT took (AR, AW, W), its R and B beats and the DRAM commands of
the PC, merged by cycle. The state is one array of 64-bit words (`m`, and the same bytes unsigned as `u`) with named
offsets, plus the few arrays that grow: compiled code is quickest with few arguments. `hbm_tb.scoreboard` owns it and
turns an error code into a sentence.

Memory is kept per 32-byte block as a base image plus a chain of *versions*: writes that some outstanding read may or
may not have seen. A read with AR handshake in cycle a must see each write whose AW and last W were accepted before a,
and may see any longer prefix of the later ones up to its R handshake. Versions older than every outstanding read are
folded into the base.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hbm_tb.axi import beat_address, beat_lanes, burst_bytes, burst_slverr, exclusive_shape
from hbm_tb.jit import compiled

# Types are what numba infers; to mypy compiled code is opaque.
Word: TypeAlias = Any
I64: TypeAlias = Any
U64: TypeAlias = Any
I32: TypeAlias = Any
U16: TypeAlias = Any

NEVER = 1 << 60  # a cycle that never comes

# ---------------------------------------------------------------- sizes
READS = 4096  # outstanding read bursts that can be tracked
WRITES = 8192  # outstanding write bursts
NODES = 1 << 16  # versions not yet folded
IDS = 64
LATENCY_BINS = 1 << 16  # cycles
BUCKETS = 4096  # of the time series
CANDIDATES = 16  # legal values kept for a message
MAX_BANKS = 64
TOUCHES = 1024
DUE_MOST = 60_000

# ---------------------------------------------------------------- scalars: offsets in `m`
(
    S_AR_HEAD, S_AR_TAIL, S_AW_HEAD, S_AW_TAIL, S_W_HEAD, S_W_TAIL,  # payload rings: appended, taken
    S_RD_HEAD, S_RD_TAIL,  # table of outstanding reads
    S_WT_HEAD, S_WT_TAIL, S_WT_OPEN,  # table of outstanding writes; WT_OPEN: the burst whose W beats come now
    S_W_READY,  # W beats taken and not yet joined with an AW
    S_ND_HEAD, S_ND_TAIL,  # versions
    S_PAGES, S_NOW,
    S_OPEN_BEAT, S_OPEN_BLOCK, S_OPEN_STRB,  # the write request that is being collected
    S_SHIFT, S_BUCKET_MAX, S_PROGRESS, S_RD_OPEN, S_AR_COUNT, S_AW_COUNT, S_R_ID, S_JOIN_STRB,
    # configuration
    C_PORT, C_MAP_BITS, C_ROW_LIMIT, C_ROW_BITS, C_COL_BITS, C_BA_BITS, C_BG_BITS, C_SIDS, C_FULL, C_HAS_MASK, C_SEED,
    C_CHECK_COMMANDS, C_MONITORS, C_BANKS, C_COVER,
    # counters
    N_AR, N_AW, N_W, N_R, N_B, N_RD_REQ, N_WR_REQ, N_RD_BYTES, N_WR_BYTES, N_RD_CHECKED, N_MULTI, N_SLVERR, N_DECERR,
    N_EXCL_OK, N_EXCL_FAIL, N_RMW, N_FIRST_CYCLE, N_LAST_CYCLE, N_LAT_COUNT, N_LAT_SUM, N_LAT_MAX,
    N_HIT, N_CLOSED, N_CONFLICT, N_RD_CMD, N_WR_CMD, N_RAW, N_WAR, N_WAW, N_DROPPED, N_ID_OVERTAKE, N_LAST_COLUMN,
    N_WLAT_COUNT, N_WLAT_SUM, N_WLAT_MAX, N_R_INTERLEAVE,
    N_DUE_MORE,  # read commands due that `due` does not hold: forwarded reads of one block leave theirs for ever
    # the first error
    X_CODE, X_CYCLE, X_ID, X_TXN, X_BEAT, X_ADDR, X_A, X_B, X_LO, X_HI, X_CANDIDATES, X_BLOCK,
    SCALARS,
) = range(92)  # fmt: skip

# ---------------------------------------------------------------- columns of the tables
(
    R_ADDR, R_LEN, R_SIZE, R_BURST, R_ID, R_LOCK, R_CYCLE, R_RESP, R_BEAT, R_NEXT, R_TXN, R_BLOCK, R_FITS, R_DONE,
    R_COLUMNS,
) = range(15)  # fmt: skip
W_ADDR, W_LEN, W_SIZE, W_BURST, W_ID, W_LOCK, W_AW, W_RESP, W_DONE, W_NODE0, W_NODE1, W_TXN, W_COLUMNS = range(13)
V_BLOCK, V_NEXT, V_STRB, V_VISIBLE, V_DONE, V_STATE, V_TXN, V_COLUMNS = range(8)
V_NORMAL, V_PENDING, V_DROPPED = 0, 1, 2  # pending: an exclusive write whose B is not known yet
M_STATE, M_ADDR, M_LEN, M_SIZE, M_BURST, M_LO, M_HI, M_ARMED, M_SETTLED, M_TXN, M_COLUMNS = range(11)
M_NO, M_YES, M_MAYBE = 0, 1, 2
K_OPEN, K_USED, K_CLOSE, K_WHY, K_COLUMNS = range(
    5
)  # bank: open row or -1, column command seen, how it was closed, why ACT
T_RD_BYTES, T_WR_BYTES, T_LAT_SUM, T_LAT_COUNT, T_LAT_MAX, T_HIT, T_CLOSED, T_CONFLICT, T_REF, T_COLUMNS = range(10)

# how a bank was closed
CLOSE_NONE, CLOSE_PRE, CLOSE_AUTO, CLOSE_REF = 0, 1, 2, 3

# ---------------------------------------------------------------- tables: offsets in `m`
RT = SCALARS  # outstanding reads
ID_HEAD = RT + READS * R_COLUMNS  # per id: its oldest read, -1: none
ID_TAIL = ID_HEAD + IDS
WT = ID_TAIL + IDS  # outstanding writes
VERSIONS = WT + WRITES * W_COLUMNS
VALUES = VERSIONS + NODES * V_COLUMNS  # data of the versions
OPEN_DATA = VALUES + NODES * 4
XOR = OPEN_DATA + 4  # address map: four tables of 256, one per eight address bits
MONITORS = XOR + 1024  # exclusive monitors, one per id
BANKS = MONITORS + IDS * M_COLUMNS
CMD_COUNT = BANKS + MAX_BANKS * K_COLUMNS  # per command code
LATENCY = CMD_COUNT + 32  # histogram over cycles, AR handshake to last R beat
SERIES = LATENCY + LATENCY_BINS  # time series
TOUCH = SERIES + BUCKETS * T_COLUMNS  # per hashed block: block, last read, last write
DISTANCE = TOUCH + TOUCHES * 3  # coverage: hazard distances, [RAW, WAR, WAW][log2 cycles]
LEVELS = DISTANCE + 3 * 16  # coverage: outstanding bursts at each AR, AW
WAITS = LEVELS + 2 * 128  # coverage: cycles VALID waited, [AR, AW, W][log2]
SCRATCH = WAITS + 3 * 16  # one block's image: compiled code here allocates nothing (jit.compiled)
SAMPLES = SCRATCH + 4  # data got and legal values, for the message
TOTAL = SAMPLES + 4 * (1 + CANDIDATES)

# ---------------------------------------------------------------- errors
(
    E_NONE, E_R_SURPLUS, E_R_LAST, E_R_RESP, E_R_DATA, E_R_TORN, E_B_SURPLUS, E_B_ID, E_B_RESP, E_B_EARLY, E_AR_UNKNOWN,
    E_AW_UNKNOWN, E_W_UNKNOWN, E_W_LAST, E_STRB, E_RD_SURPLUS, E_WR_SURPLUS, E_FULL, E_BANK, E_ID, E_TIME,
) = range(21)  # fmt: skip


class State(NamedTuple):
    """State of one port and its PC."""

    m: I64
    u: U64  # the same memory as `m`
    ar: U64  # offered read addresses not yet taken: ring of 32-byte records
    aw: U64
    w: U64  # offered write beats: ring of 48-byte records
    page_of: I32  # row of the PC -> page, -1: never written
    meta: I32  # per block of a page: oldest version, newest version (-1: none), has a base image, -
    data: U64  # base images, four words a block
    due: U16  # per block: read commands due, write commands due


@compiled
def mix(x: Word) -> Word:
    """Finaliser of splitmix64 (docs/bench.md, "Unwritten memory")."""
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def hash_key(m: I64, block: Word) -> Word:
    """Hash key k of word 0 of a block; `block` is the packed DRAM address {sid, bg, bank, row, col}."""
    col = block & ((1 << m[C_COL_BITS]) - 1)
    row = (block >> m[C_COL_BITS]) & ((1 << m[C_ROW_BITS]) - 1)
    rest = block >> (m[C_COL_BITS] + m[C_ROW_BITS])
    bank = rest & ((1 << m[C_BA_BITS]) - 1)
    rest = rest >> m[C_BA_BITS]
    bg = rest & ((1 << m[C_BG_BITS]) - 1)
    sid = rest >> m[C_BG_BITS]
    return np.uint64(col | bank << 8 | bg << 12 | sid << 16 | m[C_PORT] << 20 | row << 24)


@compiled
def hash_word(m: I64, key: Word, word: Word) -> Word:
    """Word `word` (0 to 3) of a block that was never written."""
    k = key | np.uint64(word << 6)
    return mix(np.uint64(m[C_SEED]) + np.uint64(0x9E3779B97F4A7C15) * (k + np.uint64(1)))


@compiled
def dram_block(m: I64, block: Word) -> Word:
    """Packed DRAM address of port block `block` (byte address / 32): the XOR matrix, eight address bits at a time."""
    # The mask tells the compiler that the result is no negative index, which costs a check at each use.
    return (
        m[XOR + (block & 255)]
        ^ m[XOR + 256 + (block >> 8 & 255)]
        ^ m[XOR + 512 + (block >> 16 & 255)]
        ^ m[XOR + 768 + (block >> 24 & 255)]
    ) & 0x7FFFFFFF


@compiled
def outside(m: I64, lo: Word, hi: Word) -> Word:
    """True when a byte of [lo, hi] lies outside the memory: address too large, or no such row or SID."""
    if (hi >> 5) >> m[C_MAP_BITS] != 0:
        return True
    if m[C_FULL]:  # rows and SIDs are powers of two: every address is memory
        return False
    for block in range(lo >> 5, (hi >> 5) + 1):
        place = dram_block(m, block) >> m[C_COL_BITS]
        if place & ((1 << m[C_ROW_BITS]) - 1) >= m[C_ROW_LIMIT]:
            return True
        if place >> (m[C_ROW_BITS] + m[C_BA_BITS] + m[C_BG_BITS]) >= m[C_SIDS]:
            return True
    return False


@compiled
def byte_mask(strobes: Word, word: Word) -> Word:
    """The eight strobes of word `word` widened to a mask of 64 bits."""
    bits = np.uint64((strobes >> (8 * word)) & 255)
    if bits == np.uint64(255):
        return np.uint64(0xFFFFFFFFFFFFFFFF)
    # bit i alone in byte i, then any bit of a byte to its top, then the whole byte
    spread = (bits * np.uint64(0x0101010101010101)) & np.uint64(0x8040201008040201)
    tops = ((spread + np.uint64(0x7F7F7F7F7F7F7F7F)) & np.uint64(0x8080808080808080)) >> np.uint64(7)
    return tops * np.uint64(255)


@compiled
def fail(m: I64, code: Word, cycle: Word, axi_id: Word, txn: Word, beat: Word, addr: Word, a: Word, b: Word) -> Word:
    """Record the first error; the caller stops."""
    m[X_CODE] = code
    m[X_CYCLE] = cycle
    m[X_ID] = axi_id
    m[X_TXN] = txn
    m[X_BEAT] = beat
    m[X_ADDR] = addr
    m[X_A] = a
    m[X_B] = b
    return code


@compiled
def new_page(m: I64, page_of: I32, row: Word) -> Word:
    """Give `row` a page; the owner made sure that one is free."""
    page = m[S_PAGES]
    m[S_PAGES] = page + 1
    page_of[row] = page
    return page


@compiled
def base_word(m: I64, meta: I32, data: U64, block: Word, page: Word, slot: Word, word: Word) -> Word:
    """Word of the base image of a block."""
    if page >= 0 and meta[4 * slot + 2]:
        return data[4 * slot + word]
    return hash_word(m, hash_key(m, block), word)


@compiled
def fold(m: I64, u: U64, page_of: I32, meta: I32, data: U64, now: Word) -> None:
    """Merge into the base every version that each outstanding and each later read must see."""
    limit = now
    tail = m[S_RD_TAIL]
    if tail < m[S_RD_HEAD]:
        limit = min(limit, m[RT + (tail & (READS - 1)) * R_COLUMNS + R_CYCLE])
    node = m[S_ND_TAIL]
    end = m[S_ND_HEAD]
    while node < end:
        n = node & (NODES - 1)
        if m[VERSIONS + n * V_COLUMNS + V_DONE] >= limit or m[VERSIONS + n * V_COLUMNS + V_STATE] == V_PENDING:
            break
        block = m[VERSIONS + n * V_COLUMNS + V_BLOCK]
        page = page_of[block >> 5]
        slot = page * 32 + (block & 31)
        if m[VERSIONS + n * V_COLUMNS + V_STATE] != V_DROPPED:
            strobes = m[VERSIONS + n * V_COLUMNS + V_STRB]
            if strobes == 0xFFFFFFFF:
                for i in range(4):
                    data[4 * slot + i] = u[VALUES + n * 4 + i]
            else:
                fresh = meta[4 * slot + 2] == 0
                key = hash_key(m, block)
                for i in range(4):
                    mask = byte_mask(strobes, i)
                    old = hash_word(m, key, i) if fresh else data[4 * slot + i]
                    data[4 * slot + i] = (old & ~mask) | (u[VALUES + n * 4 + i] & mask)
            meta[4 * slot + 2] = 1
        meta[4 * slot] = m[VERSIONS + n * V_COLUMNS + V_NEXT]
        if m[VERSIONS + n * V_COLUMNS + V_NEXT] < 0:
            meta[4 * slot + 1] = -1
        node += 1
    m[S_ND_TAIL] = node


@compiled
def value_matches(image: U64, got: U64, at: Word, lo: Word, hi: Word) -> Word:
    """True when the byte lanes lo to hi of R record `at` equal `image`."""
    if lo == 0 and hi == 31:
        return image[0] == got[at, 2] and image[1] == got[at, 3] and image[2] == got[at, 4] and image[3] == got[at, 5]
    strobes = ((1 << (hi - lo + 1)) - 1) << lo
    for i in range(4):
        if (image[i] ^ got[at, 2 + i]) & byte_mask(strobes, i):
            return False
    return True


@compiled
def keep_candidate(m: I64, u: U64, image: U64) -> None:
    """Keep a legal value for the message."""
    n = m[X_CANDIDATES]
    if n < CANDIDATES:
        for i in range(4):
            u[SAMPLES + (1 + n) * 4 + i] = image[i]
    m[X_CANDIDATES] = n + 1


@compiled
def candidates(
    m: I64,
    u: U64,
    page_of: I32,
    meta: I32,
    data: U64,
    block: Word,
    since: Word,
    got: U64,
    at: Word,
    lo: Word,
    hi: Word,
    explain: Word,
) -> Word:
    """Bit mask of the versions of `block` that equal the lanes of R record `at`.

    Bit 0 is the image after the writes that were complete before cycle `since`, bit i after i more; bit 62 stands for
    all from the 62nd on. Exclusive writes whose B is unknown are tried both ways (the bits then only say whether any
    fits).
    """
    page = page_of[block >> 5]
    slot = page * 32 + (block & 31)
    first = meta[4 * slot] if page >= 0 else -1
    image = u[SCRATCH : SCRATCH + 4]
    pending = 0
    n = first
    while n >= 0:
        if m[VERSIONS + n * V_COLUMNS + V_STATE] == V_PENDING:
            pending += 1
        n = m[VERSIONS + n * V_COLUMNS + V_NEXT]
    pending = min(pending, 6)
    result = 0
    for choice in range(1 << pending):
        for i in range(4):
            image[i] = base_word(m, meta, data, block, page, slot, i)
        index = 0
        seen = 0
        n = first
        while True:
            optional = n < 0 or m[VERSIONS + n * V_COLUMNS + V_DONE] >= since
            if optional:
                if explain:
                    keep_candidate(m, u, image)
                if value_matches(image, got, at, lo, hi):
                    result |= 1 << min(index, 62)
                index += 1
            if n < 0:
                break
            apply = m[VERSIONS + n * V_COLUMNS + V_STATE] != V_DROPPED
            if m[VERSIONS + n * V_COLUMNS + V_STATE] == V_PENDING and seen < 6:
                apply = (choice >> seen) & 1 == 1
                seen += 1
            if apply:
                for i in range(4):
                    mask = byte_mask(m[VERSIONS + n * V_COLUMNS + V_STRB], i)
                    image[i] = (image[i] & ~mask) | (u[VALUES + n * 4 + i] & mask)
            n = m[VERSIONS + n * V_COLUMNS + V_NEXT]
    if pending > 0 and result != 0:
        return (1 << 62) - 1 | 1 << 62  # no claim on which one
    return result


@compiled
def log2_bin(value: Word) -> Word:
    """Bins 0, 1, 2-3, 4-7 ... as 0 to 15."""
    level = 0
    while value > 0 and level < 15:
        value >>= 1
        level += 1
    return level


@compiled
def touch(m: I64, block: Word, cycle: Word, write: Word) -> None:
    """Coverage of hazards: distance in cycles to the last access to the same 32 bytes."""
    at = TOUCH + ((block ^ block >> 10) & (TOUCHES - 1)) * 3
    if m[at] == block:
        for earlier in range(2):  # 0: an earlier read, 1: an earlier write
            then = m[at + 1 + earlier]
            if then >= 0 and (write or earlier == 1):
                kind = (2 if earlier == 1 else 1) if write else 0  # RAW, WAR, WAW
                m[DISTANCE + kind * 16 + log2_bin(cycle - then)] += 1
    else:
        m[at] = block
        m[at + 1] = -1
        m[at + 2] = -1
    m[at + (2 if write else 1)] = cycle


@compiled
def series_at(m: I64, cycle: Word) -> Word:
    """Offset in the time series of the row for a cycle; the resolution halves when the table is full."""
    at = (cycle >> m[S_SHIFT]) & 0x7FFFFFFFFFFFFFF
    while at >= BUCKETS:
        for i in range(BUCKETS // 2):
            for column in range(T_COLUMNS):
                to = SERIES + i * T_COLUMNS + column
                first = SERIES + 2 * i * T_COLUMNS + column
                if column == T_LAT_MAX:
                    m[to] = max(m[first], m[first + T_COLUMNS])
                else:
                    m[to] = m[first] + m[first + T_COLUMNS]
        for i in range(SERIES + BUCKETS // 2 * T_COLUMNS, SERIES + BUCKETS * T_COLUMNS):
            m[i] = 0
        m[S_SHIFT] += 1
        at = cycle >> m[S_SHIFT]
    if at > m[S_BUCKET_MAX]:
        m[S_BUCKET_MAX] = at
    return SERIES + at * T_COLUMNS


# ---------------------------------------------------------------- exclusive monitors (M2.7)
@compiled
def disarm(m: I64, block: Word, strobes: Word, cycle: Word, certain: Word) -> None:
    """A write to bytes of a port block, complete in `cycle`, takes the monitors of these bytes away.

    The monitor of an exclusive read is armed at some time between its AR handshake and its first R beat.
    """
    for i in range(IDS):
        w = MONITORS + i * M_COLUMNS
        if m[w + M_STATE] == M_NO or block < m[w + M_LO] >> 5 or block > m[w + M_HI] >> 5 or cycle <= m[w + M_ARMED]:
            continue
        lo = max(m[w + M_LO] - (block << 5), 0)
        hi = min(m[w + M_HI] - (block << 5), 31)
        if strobes & (((1 << (hi - lo + 1)) - 1) << lo):
            m[w + M_STATE] = M_NO if certain and m[w + M_SETTLED] else M_MAYBE


@compiled
def arm(m: I64, row: Word, cycle: Word) -> None:
    """An exclusive read was accepted: its id watches its bytes from its first R beat on at the latest."""
    own = MONITORS + m[row + R_ID] * M_COLUMNS
    busy = 0
    for w in range(MONITORS, MONITORS + IDS * M_COLUMNS, M_COLUMNS):
        if w != own and m[w + M_STATE] != M_NO:
            busy += 1
    if busy >= m[C_MONITORS]:  # one of the others may give way
        for w in range(MONITORS, MONITORS + IDS * M_COLUMNS, M_COLUMNS):
            if m[w + M_STATE] == M_YES:
                m[w + M_STATE] = M_MAYBE
    total = (m[row + R_LEN] + 1) << m[row + R_SIZE]
    m[own + M_STATE] = M_YES
    m[own + M_ADDR] = m[row + R_ADDR]
    m[own + M_LEN] = m[row + R_LEN]
    m[own + M_SIZE] = m[row + R_SIZE]
    m[own + M_BURST] = m[row + R_BURST]
    m[own + M_LO] = m[row + R_ADDR]
    m[own + M_HI] = m[row + R_ADDR] + total - 1
    m[own + M_ARMED] = cycle
    m[own + M_SETTLED] = 0
    m[own + M_TXN] = m[row + R_TXN]


@compiled
def exclusive_write_responses(m: I64, row: Word) -> Word:
    """Bit mask of the legal responses of an exclusive write (bit 0: OKAY, bit 1: EXOKAY), from its row of the table."""
    w = MONITORS + m[row + W_ID] * M_COLUMNS
    if m[w + M_STATE] == M_NO:
        return 1
    if not m[w + M_SETTLED]:  # the monitor may be this one or the one before
        m[w + M_STATE] = M_MAYBE
        return 3
    same = m[w + M_ADDR] == m[row + W_ADDR] and m[w + M_LEN] == m[row + W_LEN]
    if not same or m[w + M_SIZE] != m[row + W_SIZE] or m[w + M_BURST] != m[row + W_BURST]:
        return 1
    if m[w + M_STATE] == M_MAYBE:
        return 3
    m[w + M_STATE] = M_NO
    return 2


# ---------------------------------------------------------------- events
@compiled
def process_ar(m: I64, ar: U64, due: U16, cycle: Word, wait: Word, axi_id: Word) -> Word:
    if m[S_AR_TAIL] == m[S_AR_HEAD]:
        return fail(m, E_AR_UNKNOWN, cycle, axi_id, m[S_AR_COUNT], 0, 0, 0, 0)
    rec = ar[m[S_AR_TAIL] & (ar.shape[0] - 1)]
    m[S_AR_TAIL] += 1
    txn = m[S_AR_COUNT]
    m[S_AR_COUNT] += 1
    addr = np.int64(rec[0])
    fields = rec[3]
    if np.int64(fields & np.uint64(0xFFFF)) != axi_id:
        return fail(m, E_ID, cycle, axi_id, txn, 0, addr, np.int64(fields & np.uint64(0xFFFF)), 0)
    length = np.int64(fields >> np.uint64(16)) & 255
    size = np.int64(fields >> np.uint64(24)) & 255
    burst = np.int64(fields >> np.uint64(32)) & 255
    lock = np.int64(fields >> np.uint64(40)) & 255
    head = m[S_RD_HEAD]
    if head - m[S_RD_TAIL] >= READS:
        return fail(m, E_FULL, cycle, axi_id, txn, 0, addr, 0, 0)
    m[S_RD_HEAD] = head + 1
    slot = head & (READS - 1)
    row = RT + slot * R_COLUMNS
    resp = 0
    if burst_slverr(addr, length, size, burst):
        resp = 2
        m[N_SLVERR] += 1
    else:
        lo, hi = burst_bytes(addr, length, size, burst)
        if outside(m, lo, hi):
            resp = 3
            m[N_DECERR] += 1
        else:
            if lock and exclusive_shape(addr, length, size, burst):
                resp = 1
            previous: Word = -1
            for beat in range(length + 1):
                block = (beat_address(addr, length, size, burst, beat) if beat else addr) >> 5
                if block != previous:
                    previous = block
                    dram = dram_block(m, block)
                    if due[2 * dram] < DUE_MOST:
                        due[2 * dram] += np.uint16(1)
                    else:
                        m[N_DUE_MORE] += 1
                    m[N_RD_REQ] += 1
                    if due[2 * dram + 1] > 0:
                        m[N_RAW] += 1
                    if m[C_COVER]:
                        touch(m, dram, cycle, False)
    m[row + R_ADDR] = addr
    m[row + R_LEN] = length
    m[row + R_SIZE] = size
    m[row + R_BURST] = burst
    m[row + R_ID] = axi_id
    m[row + R_CYCLE] = cycle
    m[row + R_RESP] = resp
    m[row + R_BEAT] = 0
    m[row + R_NEXT] = -1
    m[row + R_TXN] = txn
    m[row + R_LOCK] = lock
    m[row + R_BLOCK] = -1
    m[row + R_FITS] = 0
    m[row + R_DONE] = 0
    if resp == 1:
        arm(m, row, cycle)
    if m[ID_HEAD + axi_id] < 0:
        m[ID_HEAD + axi_id] = slot
    else:
        m[RT + (m[ID_TAIL + axi_id]) * R_COLUMNS + R_NEXT] = slot
    m[ID_TAIL + axi_id] = slot
    m[S_RD_OPEN] += 1
    m[N_AR] += 1
    if m[C_COVER]:
        m[LEVELS + min(m[S_RD_OPEN], 127)] += 1
        m[WAITS + log2_bin(wait)] += 1
    if m[N_FIRST_CYCLE] < 0:
        m[N_FIRST_CYCLE] = cycle
    return 0


@compiled
def process_aw(m: I64, aw: U64, cycle: Word, wait: Word, axi_id: Word) -> Word:
    if m[S_AW_TAIL] == m[S_AW_HEAD]:
        return fail(m, E_AW_UNKNOWN, cycle, axi_id, m[S_AW_COUNT], 0, 0, 0, 0)
    rec = aw[m[S_AW_TAIL] & (aw.shape[0] - 1)]
    m[S_AW_TAIL] += 1
    txn = m[S_AW_COUNT]
    m[S_AW_COUNT] += 1
    addr = np.int64(rec[0])
    fields = rec[3]
    if np.int64(fields & np.uint64(0xFFFF)) != axi_id:
        return fail(m, E_ID, cycle, axi_id, txn, 0, addr, np.int64(fields & np.uint64(0xFFFF)), 1)
    length = np.int64(fields >> np.uint64(16)) & 255
    size = np.int64(fields >> np.uint64(24)) & 255
    burst = np.int64(fields >> np.uint64(32)) & 255
    lock = np.int64(fields >> np.uint64(40)) & 255
    head = m[S_WT_HEAD]
    if head - m[S_WT_TAIL] >= WRITES:
        return fail(m, E_FULL, cycle, axi_id, txn, 0, addr, 0, 1)
    m[S_WT_HEAD] = head + 1
    row = WT + (head & (WRITES - 1)) * W_COLUMNS
    responses = 1
    if burst_slverr(addr, length, size, burst):
        responses = 4
        m[N_SLVERR] += 1
    else:
        lo, hi = burst_bytes(addr, length, size, burst)
        if outside(m, lo, hi):
            responses = 8
            m[N_DECERR] += 1
    m[row + W_ADDR] = addr
    m[row + W_LEN] = length
    m[row + W_SIZE] = size
    m[row + W_BURST] = burst
    m[row + W_ID] = axi_id
    m[row + W_AW] = cycle
    m[row + W_RESP] = responses
    m[row + W_DONE] = NEVER
    m[row + W_NODE0] = -1
    m[row + W_NODE1] = -1
    m[row + W_TXN] = txn
    m[row + W_LOCK] = lock
    m[N_AW] += 1
    if m[C_COVER]:
        m[LEVELS + 128 + min(head + 1 - m[S_WT_TAIL], 127)] += 1
        m[WAITS + 16 + log2_bin(wait)] += 1
    if m[N_FIRST_CYCLE] < 0:
        m[N_FIRST_CYCLE] = cycle
    return 0


@compiled
def write_due(m: I64, due: U16, dram: Word, strobes: Word) -> None:
    """One write command is due for this block, and one read command when its bytes must be merged first."""
    due[2 * dram + 1] += np.uint16(1)
    if strobes != 0xFFFFFFFF and not m[C_HAS_MASK]:
        due[2 * dram] += np.uint16(1)
        m[N_RMW] += 1


@compiled
def write_not_due(m: I64, due: U16, dram: Word, strobes: Word) -> None:
    """Take back write_due: the exclusive write failed."""
    if due[2 * dram + 1] > 0:
        due[2 * dram + 1] -= np.uint16(1)
    if strobes != 0xFFFFFFFF and not m[C_HAS_MASK] and due[2 * dram] > 0:
        due[2 * dram] -= np.uint16(1)


@compiled
def close_request(m: I64, u: U64, page_of: I32, meta: I32, due: U16, row: Word, cycle: Word, final: Word) -> Word:
    """The open write request is complete: make it a version and note that a write command is due.

    A WRAP burst that ends in the 32 bytes in which it began joins these beats to one request (M2.4): one command.
    """
    block = m[S_OPEN_BLOCK]
    strobes = m[S_OPEN_STRB]
    state = V_NORMAL
    if m[row + W_LOCK]:
        state = V_PENDING if m[row + W_RESP] == 3 else (V_DROPPED if m[row + W_RESP] == 1 else V_NORMAL)
    due_strobes = strobes
    if m[row + W_BURST] == 2 and block == m[row + W_ADDR] >> 5:
        last = beat_address(m[row + W_ADDR], m[row + W_LEN], m[row + W_SIZE], 2, m[row + W_LEN])
        if final:
            due_strobes |= m[S_JOIN_STRB]
        elif last >> 5 == block:
            m[S_JOIN_STRB] = strobes
            due_strobes = 0
    dram = dram_block(m, block)
    if due_strobes != 0 and state != V_DROPPED:
        write_due(m, due, dram, due_strobes)  # a pending exclusive too: its command may come before its B
        disarm(m, block, due_strobes, cycle, state == V_NORMAL)
    if strobes == 0:
        m[N_DROPPED] += 1
        return 0
    if m[S_ND_HEAD] - m[S_ND_TAIL] >= NODES:
        return fail(m, E_FULL, cycle, m[row + W_ID], m[row + W_TXN], 0, block << 5, 0, 2)
    n = m[S_ND_HEAD] & (NODES - 1)
    if m[row + W_NODE0] < 0:
        m[row + W_NODE0] = m[S_ND_HEAD]
    m[S_ND_HEAD] += 1
    m[row + W_NODE1] = m[S_ND_HEAD]
    node = VERSIONS + n * V_COLUMNS
    m[node + V_BLOCK] = dram
    m[node + V_NEXT] = -1
    m[node + V_STRB] = strobes
    m[node + V_VISIBLE] = cycle
    m[node + V_DONE] = NEVER
    m[node + V_STATE] = state
    m[node + V_TXN] = m[row + W_TXN]
    for i in range(4):
        u[VALUES + n * 4 + i] = u[OPEN_DATA + i]
    page = page_of[dram >> 5]
    if page < 0:
        page = new_page(m, page_of, dram >> 5)
    slot = page * 32 + (dram & 31)
    if meta[4 * slot] < 0:
        meta[4 * slot] = n
    else:
        m[VERSIONS + (meta[4 * slot + 1]) * V_COLUMNS + V_NEXT] = n
    meta[4 * slot + 1] = n
    if due[2 * dram] > 0:
        m[N_WAR] += 1
    if due[2 * dram + 1] > 1:
        m[N_WAW] += 1
    if m[C_COVER]:
        touch(m, dram, cycle, True)
    m[N_WR_REQ] += 1
    return 0


@compiled
def process_w_beats(m: I64, u: U64, w: U64, page_of: I32, meta: I32, due: U16, cycle: Word) -> Word:
    """Join the accepted W beats with the accepted AWs, in order."""
    while m[S_W_READY] > 0 and m[S_WT_OPEN] < m[S_WT_HEAD]:
        row = WT + (m[S_WT_OPEN] & (WRITES - 1)) * W_COLUMNS
        rec = w[m[S_W_TAIL] & (w.shape[0] - 1)]
        m[S_W_TAIL] += 1
        m[S_W_READY] -= 1
        beat = m[S_OPEN_BEAT]
        length = m[row + W_LEN]
        last = np.int64(rec[5]) & 255
        if (last != 0) != (beat == length):
            return fail(m, E_W_LAST, cycle, m[row + W_ID], m[row + W_TXN], beat, m[row + W_ADDR], length, last)
        if m[row + W_RESP] < 4:
            addr = beat_address(m[row + W_ADDR], length, m[row + W_SIZE], m[row + W_BURST], beat)
            lo, hi = beat_lanes(m[row + W_ADDR], m[row + W_SIZE], m[row + W_BURST], beat, addr)
            lanes = ((1 << (hi - lo + 1)) - 1) << lo
            strobes = np.int64(rec[4] & np.uint64(0xFFFFFFFF))
            if strobes & ~lanes:
                return fail(m, E_STRB, cycle, m[row + W_ID], m[row + W_TXN], beat, addr, strobes, lanes)
            if beat == 0:
                m[S_OPEN_STRB] = 0
                m[S_JOIN_STRB] = 0
                if m[row + W_LOCK]:
                    responses = 1
                    if exclusive_shape(m[row + W_ADDR], length, m[row + W_SIZE], m[row + W_BURST]):
                        responses = exclusive_write_responses(m, row)
                    m[row + W_RESP] = responses
            m[S_OPEN_BLOCK] = addr >> 5
            m[S_OPEN_STRB] |= strobes
            for i in range(4):
                mask = byte_mask(strobes, i)
                u[OPEN_DATA + i] = (u[OPEN_DATA + i] & ~mask) | (rec[i] & mask)
            at = series_at(m, cycle)
            bits = 0
            t = strobes
            if t == 0xFFFFFFFF:
                bits = 32
            else:
                while t:
                    t &= t - 1
                    bits += 1
            m[at + T_WR_BYTES] += bits
            m[N_WR_BYTES] += bits
            # The request ends with its last beat in the block, not with the first beat of the next one.
            if (
                beat == length
                or beat_address(m[row + W_ADDR], length, m[row + W_SIZE], m[row + W_BURST], beat + 1) >> 5 != addr >> 5
            ):
                if close_request(m, u, page_of, meta, due, row, cycle, beat == length):
                    return m[X_CODE]
                m[S_OPEN_STRB] = 0
        m[S_OPEN_BEAT] = beat + 1
        if beat == length:
            m[S_OPEN_BEAT] = 0
            m[S_WT_OPEN] += 1
            m[row + W_DONE] = cycle
            for n in range(m[row + W_NODE0], m[row + W_NODE1]):
                m[VERSIONS + (n & (NODES - 1)) * V_COLUMNS + V_DONE] = cycle
    return 0


@compiled
def process_r(m: I64, u: U64, page_of: I32, meta: I32, data: U64, r: U64, at: Word) -> Word:
    cycle = np.int64(r[at, 0])
    fields = r[at, 1]
    axi_id = np.int64(fields & np.uint64(0xFFFF))
    resp = np.int64(fields >> np.uint64(16)) & 255
    last = np.int64(fields >> np.uint64(24)) & 255
    m[N_R] += 1
    where = series_at(m, cycle)
    slot: Word = m[ID_HEAD + axi_id] if axi_id < IDS else -1
    if slot < 0:
        return fail(m, E_R_SURPLUS, cycle, axi_id, -1, 0, 0, resp, last)
    slot &= READS - 1
    row = RT + slot * R_COLUMNS
    beat = m[row + R_BEAT]
    length = m[row + R_LEN]
    addr = m[row + R_ADDR]
    size = m[row + R_SIZE]
    burst = m[row + R_BURST]
    here: Word = addr
    if beat and m[row + R_RESP] < 2:
        here = beat_address(addr, length, size, burst, beat)
    if (last != 0) != (beat == length):
        return fail(m, E_R_LAST, cycle, axi_id, m[row + R_TXN], beat, here, length, last)
    if resp != m[row + R_RESP]:
        return fail(m, E_R_RESP, cycle, axi_id, m[row + R_TXN], beat, here, m[row + R_RESP], resp)
    if m[row + R_RESP] == 1 and m[MONITORS + axi_id * M_COLUMNS + M_TXN] == m[row + R_TXN]:
        m[MONITORS + axi_id * M_COLUMNS + M_SETTLED] = 1
    if m[row + R_RESP] < 2:
        lo, hi = beat_lanes(addr, size, burst, beat, here)
        block = here >> 5
        dram = dram_block(m, block)
        page = page_of[dram >> 5]
        slot_of = page * 32 + (dram & 31)
        torn = False
        if page < 0 or meta[4 * slot_of] < 0:
            # fast path: exactly one legal value
            good = True
            strobes = ((1 << (hi - lo + 1)) - 1) << lo
            if page >= 0 and meta[4 * slot_of + 2]:
                if strobes == 0xFFFFFFFF:
                    for i in range(4):
                        good = good and data[4 * slot_of + i] == r[at, 2 + i]
                else:
                    for i in range(4):
                        good = good and ((data[4 * slot_of + i] ^ r[at, 2 + i]) & byte_mask(strobes, i)) == np.uint64(0)
            else:
                key = hash_key(m, dram)
                if strobes == 0xFFFFFFFF:
                    for i in range(4):
                        good = good and hash_word(m, key, i) == r[at, 2 + i]
                else:
                    for i in range(4):
                        mask = byte_mask(strobes, i)
                        if mask:
                            good = good and ((hash_word(m, key, i) ^ r[at, 2 + i]) & mask) == np.uint64(0)
            fits = 1 if good else 0
            if m[row + R_BLOCK] == block:
                fits &= m[row + R_FITS]
        else:
            fits = candidates(m, u, page_of, meta, data, dram, m[row + R_CYCLE], r, at, lo, hi, False)
            m[N_MULTI] += 1
            if m[row + R_BLOCK] == block and fits != 0:
                fits &= m[row + R_FITS]
                torn = fits == 0
        if fits == 0:
            m[X_CANDIDATES] = 0
            candidates(m, u, page_of, meta, data, dram, m[row + R_CYCLE], r, at, lo, hi, True)
            for i in range(4):
                u[SAMPLES + i] = r[at, 2 + i]
            m[X_LO] = lo
            m[X_HI] = hi
            m[X_BLOCK] = dram
            return fail(m, E_R_TORN if torn else E_R_DATA, cycle, axi_id, m[row + R_TXN], beat, here, 0, 0)
        m[row + R_BLOCK] = block
        m[row + R_FITS] = fits
        m[N_RD_CHECKED] += 1
        m[N_RD_BYTES] += hi - lo + 1
        m[where + T_RD_BYTES] += hi - lo + 1
    else:
        for i in range(4):
            if r[at, 2 + i] != np.uint64(0):
                m[X_CANDIDATES] = 1
                for j in range(4):
                    u[SAMPLES + j] = r[at, 2 + j]
                    u[SAMPLES + 4 + j] = np.uint64(0)
                m[X_LO] = 0
                m[X_HI] = 31
                m[X_BLOCK] = -1
                return fail(m, E_R_DATA, cycle, axi_id, m[row + R_TXN], beat, addr, 0, 0)
    m[row + R_BEAT] = beat + 1
    m[N_LAST_CYCLE] = max(m[N_LAST_CYCLE], cycle)
    if beat == length:
        m[ID_HEAD + axi_id] = m[row + R_NEXT]
        if m[row + R_NEXT] < 0:
            m[ID_TAIL + axi_id] = -1
        m[row + R_DONE] = 1
        m[S_RD_OPEN] -= 1
        delay = cycle - m[row + R_CYCLE]
        m[LATENCY + min(delay, LATENCY_BINS - 1)] += 1
        m[N_LAT_COUNT] += 1
        m[N_LAT_SUM] += delay
        m[N_LAT_MAX] = max(m[N_LAT_MAX], delay)
        m[where + T_LAT_SUM] += delay
        m[where + T_LAT_COUNT] += 1
        m[where + T_LAT_MAX] = max(m[where + T_LAT_MAX], delay)
        if slot == m[S_RD_TAIL] & (READS - 1):
            tail = m[S_RD_TAIL]
            while tail < m[S_RD_HEAD] and m[RT + (tail & (READS - 1)) * R_COLUMNS + R_DONE]:
                tail += 1
            m[S_RD_TAIL] = tail
        else:
            m[N_ID_OVERTAKE] += 1
        m[S_R_ID] = -1
    else:
        if m[S_R_ID] >= 0 and m[S_R_ID] != axi_id:
            m[N_R_INTERLEAVE] += 1
        m[S_R_ID] = axi_id
    return 0


@compiled
def process_b(m: I64, due: U16, b: U64, at: Word) -> Word:
    cycle = np.int64(b[at, 0])
    axi_id = np.int64(b[at, 1] & np.uint64(0xFFFF))
    resp = np.int64(b[at, 1] >> np.uint64(16)) & 255
    m[N_B] += 1
    if m[S_WT_TAIL] == m[S_WT_HEAD]:
        return fail(m, E_B_SURPLUS, cycle, axi_id, -1, 0, 0, resp, 0)
    row = WT + (m[S_WT_TAIL] & (WRITES - 1)) * W_COLUMNS
    if m[row + W_ID] != axi_id:
        return fail(m, E_B_ID, cycle, axi_id, m[row + W_TXN], 0, m[row + W_ADDR], m[row + W_ID], axi_id)
    if m[S_WT_TAIL] >= m[S_WT_OPEN]:
        return fail(m, E_B_EARLY, cycle, axi_id, m[row + W_TXN], 0, m[row + W_ADDR], 0, 0)
    if (m[row + W_RESP] >> resp) & 1 == 0:
        return fail(m, E_B_RESP, cycle, axi_id, m[row + W_TXN], 0, m[row + W_ADDR], m[row + W_RESP], resp)
    m[S_WT_TAIL] += 1
    if m[row + W_RESP] == 3:
        # an exclusive write that raced: now it is known whether it wrote
        for n in range(m[row + W_NODE0], m[row + W_NODE1]):
            node = VERSIONS + (n & (NODES - 1)) * V_COLUMNS
            m[node + V_STATE] = V_NORMAL if resp == 1 else V_DROPPED
            if resp == 0:
                write_not_due(m, due, m[node + V_BLOCK], m[node + V_STRB])
    if m[row + W_LOCK] and m[row + W_RESP] < 4:
        m[N_EXCL_OK if resp == 1 else N_EXCL_FAIL] += 1
    delay = cycle - m[row + W_AW]
    m[N_WLAT_COUNT] += 1
    m[N_WLAT_SUM] += delay
    m[N_WLAT_MAX] = max(m[N_WLAT_MAX], delay)
    return 0


@compiled
def process_cmd(m: I64, due: U16, c: U64, at: Word) -> Word:
    """Bank state, page outcomes, and that each column command answers to a request."""
    time = np.int64(c[at, 0])
    fields = c[at, 1]
    cmd = np.int64(fields & np.uint64(0xFF))
    sid = np.int64(fields >> np.uint64(16)) & 255
    bg = np.int64(fields >> np.uint64(24)) & 255
    ba = np.int64(fields >> np.uint64(32)) & 255
    col = np.int64(fields >> np.uint64(40)) & 255
    row = np.int64(fields >> np.uint64(48)) & 0xFFFF
    cycle = time >> 2
    m[CMD_COUNT + (cmd & 31)] += 1
    flat = (sid << m[C_BG_BITS] | bg) << m[C_BA_BITS] | ba
    if (cmd == 1 or cmd == 2 or 4 <= cmd <= 7 or cmd == 9) and flat >= m[C_BANKS]:
        return fail(m, E_BANK, cycle, -1, -1, cmd, 0, time, flat)
    if cmd == 1:  # ACT
        k = BANKS + flat * K_COLUMNS
        m[k + K_OPEN] = row
        m[k + K_USED] = 0
        m[k + K_WHY] = CLOSE_PRE if m[k + K_CLOSE] == CLOSE_PRE else CLOSE_NONE
    elif cmd == 2:  # PRE
        k = BANKS + flat * K_COLUMNS
        if m[k + K_OPEN] >= 0:
            m[k + K_CLOSE] = CLOSE_PRE
        m[k + K_OPEN] = -1
    elif cmd == 3:  # PREA
        for i in range(m[C_BANKS]):
            m[BANKS + i * K_COLUMNS + K_OPEN] = -1
            m[BANKS + i * K_COLUMNS + K_CLOSE] = CLOSE_REF
    elif 4 <= cmd <= 7:
        k = BANKS + flat * K_COLUMNS
        if m[k + K_OPEN] < 0:
            return 0  # the legality checker reports a column command to a closed bank
        block = (flat << m[C_ROW_BITS] | m[k + K_OPEN]) << m[C_COL_BITS] | col
        where = series_at(m, cycle)
        if m[k + K_USED]:
            m[N_HIT] += 1
            m[where + T_HIT] += 1
        elif m[k + K_WHY] == CLOSE_PRE:
            m[N_CONFLICT] += 1
            m[where + T_CONFLICT] += 1
        else:
            m[N_CLOSED] += 1
            m[where + T_CLOSED] += 1
        m[k + K_USED] = 1
        if cmd == 5 or cmd == 7:
            m[k + K_OPEN] = -1
            m[k + K_CLOSE] = CLOSE_AUTO
        if cmd <= 5:
            m[N_RD_CMD] += 1
            if m[C_CHECK_COMMANDS]:
                if block >= due.shape[0] >> 1 or due[2 * block] == 0:
                    return fail(m, E_RD_SURPLUS, cycle, -1, -1, cmd, block, time, flat)
                due[2 * block] -= np.uint16(1)
        else:
            m[N_WR_CMD] += 1
            if m[C_CHECK_COMMANDS]:
                if block >= due.shape[0] >> 1 or due[2 * block + 1] == 0:
                    return fail(m, E_WR_SURPLUS, cycle, -1, -1, cmd, block, time, flat)
                due[2 * block + 1] -= np.uint16(1)
        m[N_LAST_COLUMN] = max(m[N_LAST_COLUMN], time)
    elif cmd == 8 or cmd == 9:  # REF, REFSB
        m[series_at(m, cycle) + T_REF] += 1
        if cmd == 9:
            m[BANKS + flat * K_COLUMNS + K_CLOSE] = CLOSE_REF
        else:
            for i in range(m[C_BANKS]):
                m[BANKS + i * K_COLUMNS + K_CLOSE] = CLOSE_REF
    return 0


@compiled
def blank_rows(cmd: U64) -> None:
    """Set the row of column commands to all ones (NO_ROW): the pins do not name it."""
    for i in range(cmd.shape[0]):
        code = cmd[i, 1] & np.uint64(0xFF)
        if code >= np.uint64(4) and code <= np.uint64(7):
            cmd[i, 1] |= np.uint64(0xFFFF000000000000)


@compiled
def process(st: State, acc: U64, r: U64, b: U64, cmd: U64) -> Word:
    """Handle one batch; return the error code (0: none). Records: see docs/bench.md."""
    m, u, ar, aw, w, page_of, meta, data, due = st
    port = m[C_PORT]
    i = j = k = n = 0
    na = acc.shape[0]
    nr = r.shape[0]
    nb = b.shape[0]
    nc = cmd.shape[0]
    folded_at = -1
    while True:
        while n < nc and np.int64(cmd[n, 1] >> np.uint64(8)) & 255 != port:
            n += 1
        when_a = np.int64(acc[i, 0]) if i < na else NEVER
        when_r = np.int64(r[j, 0]) if j < nr else NEVER
        when_b = np.int64(b[k, 0]) if k < nb else NEVER
        when_c = max(np.int64(cmd[n, 0]) >> 2, m[S_NOW]) if n < nc else NEVER
        cycle: Word = min(min(when_a, when_r), min(when_b, when_c))
        if cycle == NEVER:
            break
        if cycle < m[S_NOW]:
            return fail(m, E_TIME, cycle, -1, -1, 0, 0, m[S_NOW], 0)
        if cycle != m[S_NOW]:
            m[S_NOW] = cycle
        if m[S_ND_TAIL] < m[S_ND_HEAD] and cycle > folded_at:
            fold(m, u, page_of, meta, data, cycle)
            folded_at = cycle
        if when_a == cycle:
            rec = acc[i, 1]
            i += 1
            wait = np.int64(rec & np.uint64(0xFFFFFFFF))
            kind = np.int64(rec >> np.uint64(32)) & 255
            axi_id = np.int64(rec >> np.uint64(48)) & 0xFFFF
            if kind == 0:
                if process_ar(m, ar, due, cycle, wait, axi_id):
                    return m[X_CODE]
            elif kind == 1:
                if process_aw(m, aw, cycle, wait, axi_id):
                    return m[X_CODE]
                if process_w_beats(m, u, w, page_of, meta, due, cycle):
                    return m[X_CODE]
            else:
                if m[S_W_TAIL] + m[S_W_READY] >= m[S_W_HEAD]:
                    return fail(m, E_W_UNKNOWN, cycle, axi_id, 0, 0, 0, 0, 0)
                m[S_W_READY] += 1
                m[N_W] += 1
                if m[C_COVER]:
                    m[WAITS + 32 + log2_bin(wait)] += 1
                if process_w_beats(m, u, w, page_of, meta, due, cycle):
                    return m[X_CODE]
        elif when_c == cycle:
            if process_cmd(m, due, cmd, n):
                return m[X_CODE]
            n += 1
        elif when_r == cycle:
            if process_r(m, u, page_of, meta, data, r, j):
                return m[X_CODE]
            j += 1
        else:
            if process_b(m, due, b, k):
                return m[X_CODE]
            k += 1
    m[S_PROGRESS] += na + nr + nb
    return 0
