"""The host side of one PC: its AXI port, as docs/microarchitecture.md M2 tells it.

The port's state stands behind that of its PC in the same row of integers (`_machine`). What the outside offers stands
in an array of its own, `t`: a list of rows per channel (AR, AW, W), and lists of what the port answers (handshakes, R,
B). `port_step` is one cycle: it decides everything from S(n) and returns what is handed to the two queues.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hbm_model import _machine as m
from hbm_model._jit import jit_enabled
from hbm_model._machine import Cells, hot

AR_DEPTH: Final = 4  # M2.1: bursts held
AW_DEPTH: Final = 8  # M2.2: bursts held
B_DEPTH: Final = 16  # M2.2: bursts between AW and B
SLOTS: Final = 64  # M2.5
MONITORS: Final = 8  # M2.7
IDS: Final = 1024
ALWAYS: Final = 256  # level of a READY that is always high

FIXED: Final = 0
WRAP: Final = 2
OKAY: Final = 0
EXOKAY: Final = 1
SLVERR: Final = 2
DECERR: Final = 3

# Rows of what is offered; the places of a row.
AX_CYCLE: Final = 0  # first cycle with VALID; in ordered mode the earliest one
AX_ADDR: Final = 1
AX_ID: Final = 2
AX_LEN: Final = 3
AX_SIZE: Final = 4
AX_BURST: Final = 5
AX_LOCK: Final = 6
AX_ORDER: Final = 7  # ordered mode: place in the order of the port
AX_COLUMNS: Final = 8
W_CYCLE: Final = 0
W_STRB: Final = 1
W_LAST: Final = 2
W_COLUMNS: Final = 3
# Rows of what is answered.
ACC_COLUMNS: Final = 2  # cycle of the handshake, cycle in which VALID rose
R_COLUMNS: Final = 5  # cycle, id, resp, last, number of the burst on AR
B_COLUMNS: Final = 3  # cycle, id, resp

# ------------------------------------------------------------------ state of a port, places in `x`
(
    AR_AT,  # places in `t`: next row to be accepted, and the end of the rows
    AR_END,
    AW_AT,
    AW_END,
    W_AT,
    W_END,
    AR_OUT,  # places in `t`: where the next answer goes
    AW_OUT,
    W_OUT,
    R_OUT,
    B_OUT,
    ORDERED,  # 1: bursts of both directions one after the other (AX_ORDER), W with its AW
    AR_UP,  # cycle in which the VALID that stands rose, -1: none stands
    AW_UP,
    W_UP,
    AR_TAKEN,  # bursts accepted; of W: last beats
    AW_TAKEN,
    AW_RAISED,
    W_TAKEN,
    UNANSWERED,  # bursts accepted whose response has not gone
    R_LEVEL,
    B_LEVEL,
    SEED,
    HELD,  # M2.1: bursts before the splitter, and the place of the first
    HELD_AT,
    REG,  # slot of the request before the read queue, -1: none
    REG_BANK,
    REG_ROW,
    REG_COL,
    USED,  # slots
    SOURCE,  # M2.5, served last: 0 D, 1 F, 2 E
    D_AT,
    D_N,
    F_AT,
    F_N,
    E_SLOT,  # -1: none
    R_LEFT,  # beats in the R register, 0: RVALID low
    R_ID,
    R_RESP,
    R_LAST,
    R_BURST,
    AWS,  # M2.2: bursts held, and the place of the first
    AWS_AT,
    BEAT,  # 1: a beat in the beat register
    BEAT_STRB,
    BEAT_LAST,
    INDEX,  # of the beat in its burst
    BEAT_ADDR,
    VERDICT,
    DROP,
    BAD_LAST,
    GATHERED,  # strobes of the request so far
    SAVED,  # M2.4: strobes of the first beats of a burst that wraps
    PUT,  # 1: a write is offered to the write queue
    PUT_BANK,
    PUT_ROW,
    PUT_COL,
    PUT_PART,
    OFF_BANK,  # handed over in this cycle: a write, a read
    OFF_ROW,
    OFF_COL,
    OFF_PART,
    GOT,
    GOT_BANK,
    GOT_ROW,
    GOT_COL,
    SERIAL,  # name of the next write
    CREDIT,
    RETURN,  # credits of freed entries, seen one cycle later (M3.1)
    WRITES,  # bursts between AW and B
    B_N,
    B_AT,
    MONITOR_TURN,
    PORT_SCALARS,
) = range(m.X_SIZE, m.X_SIZE + 74)

# A burst before the splitter.
H_ADDR: Final = PORT_SCALARS  # of the next beat
H_LEFT: Final = H_ADDR + AR_DEPTH  # beats
H_SIZE: Final = H_LEFT + AR_DEPTH
H_BURST: Final = H_SIZE + AR_DEPTH
H_LOW: Final = H_BURST + AR_DEPTH  # WRAP: first byte and number of bytes of the container
H_TOTAL: Final = H_LOW + AR_DEPTH
H_ID: Final = H_TOTAL + AR_DEPTH
H_RESP: Final = H_ID + AR_DEPTH
H_LEN: Final = H_RESP + AR_DEPTH
H_FIRST: Final = H_LEN + AR_DEPTH  # 1: no request has left yet
H_NUMBER: Final = H_FIRST + AR_DEPTH
# Slots.
SLOT_FREE: Final = H_NUMBER + AR_DEPTH  # the first 64 - USED are free
S_ID: Final = SLOT_FREE + SLOTS
S_BEATS: Final = S_ID + SLOTS
S_LAST: Final = S_BEATS + SLOTS
S_RESP: Final = S_LAST + SLOTS
S_LINK: Final = S_RESP + SLOTS  # next slot of the same id, -1: none
S_DATA: Final = S_LINK + SLOTS
S_BURST: Final = S_DATA + SLOTS
D_LIST: Final = S_BURST + SLOTS
F_LIST: Final = D_LIST + SLOTS
ID_OLD: Final = F_LIST + SLOTS  # per id: oldest slot that is not sent (-1: none), newest
ID_NEW: Final = ID_OLD + IDS
# A burst of AW.
A_ADDR: Final = ID_NEW + IDS
A_ID: Final = A_ADDR + AW_DEPTH
A_LEN: Final = A_ID + AW_DEPTH
A_SIZE: Final = A_LEN + AW_DEPTH
A_BURST: Final = A_SIZE + AW_DEPTH
A_LOCK: Final = A_BURST + AW_DEPTH
A_RESP: Final = A_LOCK + AW_DEPTH
# Responses on B.
B_ID: Final = A_RESP + AW_DEPTH
B_RESP: Final = B_ID + B_DEPTH
# Monitors.
M_ARMED: Final = B_RESP + B_DEPTH
M_ID: Final = M_ARMED + MONITORS
M_ADDR: Final = M_ID + MONITORS
M_SHAPE: Final = M_ADDR + MONITORS  # length, size and burst type
M_TOTAL: Final = M_SHAPE + MONITORS
X_SIZE: Final = M_TOTAL + MONITORS

# ------------------------------------------------------------------ READY of the outside (docs/bench.md)

_M64: Final = (1 << 64) - 1

if jit_enabled():
    _U: Final = np.uint64

    @hot
    def pattern(seed: int, n: int, lane: int) -> int:
        """Eight bits of the back-pressure pattern."""
        x = _U(seed) + _U(0x9E3779B97F4A7C15) * _U(n * 4 + lane)
        x = (x ^ (x >> _U(30))) * _U(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> _U(27))) * _U(0x94D049BB133111EB)
        return np.int64((x ^ (x >> _U(31))) & _U(255))  # type: ignore[return-value]

else:

    def pattern(seed: int, n: int, lane: int) -> int:
        """Eight bits of the back-pressure pattern."""
        x = (int(seed) + 0x9E3779B97F4A7C15 * (int(n) * 4 + lane)) & _M64
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _M64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _M64
        return (x ^ (x >> 31)) & 255


@hot
def is_ready(x: Cells, n: int, pc: int, channel: int) -> bool:
    """READY of R (channel 0) or B (1) in cycle n."""
    level = x[R_LEVEL + channel]
    return level >= ALWAYS or pattern(x[SEED], n, pc * 2 + channel + 1) < level


# ------------------------------------------------------------------ bursts (M2.4, M2.6)


@hot
def dram_of(k: Cells, block: int) -> int:
    """The address map: packed DRAM address of a block of 32 bytes."""
    return (
        k[m.K_TABLE + (block & 255)]
        ^ k[m.K_TABLE + 256 + ((block >> 8) & 255)]
        ^ k[m.K_TABLE + 512 + ((block >> 16) & 255)]
        ^ k[m.K_TABLE + 768 + ((block >> 24) & 255)]
    )


@hot
def bank_of(k: Cells, dram: int) -> int:
    """Number of the bank in its PC."""
    bank = (dram >> k[m.K_BANK_AT]) & k[m.K_BANK_MASK]
    group = (dram >> k[m.K_GROUP_AT]) & k[m.K_GROUP_MASK]
    sid = (dram >> k[m.K_SID_AT]) & k[m.K_SID_MASK]
    return bank + k[m.K_PER_GROUP] * group + k[m.K_PER_SID] * sid


@hot
def row_of(k: Cells, dram: int) -> int:
    """Row."""
    return (dram >> k[m.K_ROW_AT]) & k[m.K_ROW_MASK]


@hot
def burst_response(k: Cells, addr: int, length: int, size: int, burst: int) -> int:
    """M2.6: OKAY, SLVERR or DECERR."""
    if burst == 3 or size > 5:
        return SLVERR
    span = 1 << size
    if burst == WRAP:
        if (length != 1 and length != 3 and length != 7 and length != 15) or addr & (span - 1):
            return SLVERR
    elif burst == FIXED:
        if length > 15:
            return SLVERR
    elif ((addr & ~(span - 1)) + span * (length + 1) - 1) >> 12 != addr >> 12:
        return SLVERR
    block = (addr >> 5) & ((1 << 59) - 1)  # addresses use all 64 bits
    if block >> k[m.K_MAP_BITS] or row_of(k, dram_of(k, block)) >= k[m.K_ROW_LIMIT]:
        return DECERR
    return OKAY


@hot
def next_beat(addr: int, size: int, burst: int, low: int, total: int) -> int:
    """Address of the beat after the one at `addr`."""
    if burst == FIXED:
        return addr
    span = 1 << size
    then = (addr & ~(span - 1)) + span
    if burst == WRAP and then == low + total:
        return low
    return then


@hot
def can_watch(addr: int, length: int, size: int) -> bool:
    """M2.7: an exclusive access of legal shape."""
    total = (length + 1) << size
    return length < 16 and total <= 128 and total & (total - 1) == 0 and addr & (total - 1) == 0


# ------------------------------------------------------------------ exclusives (M2.7)


@hot
def monitor_for(x: Cells, ident: int) -> int:
    """The monitor that an exclusive read arms: its id's own, the lowest free one, the next in turn."""
    free = -1
    for i in range(MONITORS):
        if x[M_ARMED + i]:
            if x[M_ID + i] == ident:
                return i
        elif free < 0:
            free = i
    if free < 0:
        free = x[MONITOR_TURN]
        x[MONITOR_TURN] = (free + 1) & (MONITORS - 1)
    return free


@hot
def take_monitor(x: Cells, a: int) -> bool:
    """An exclusive write at its first beat: True when its monitor is armed for it; the monitor is used up."""
    shape = x[A_LEN + a] << 5 | x[A_SIZE + a] << 2 | x[A_BURST + a]
    for i in range(MONITORS):
        if x[M_ARMED + i] and x[M_ID + i] == x[A_ID + a] and x[M_ADDR + i] == x[A_ADDR + a] and x[M_SHAPE + i] == shape:
            x[M_ARMED + i] = 0
            return True
    return False


@hot
def disarm(x: Cells, block: int, strobes: int) -> None:
    """A write request that writes one of the bytes that a monitor watches."""
    for i in range(MONITORS):
        if x[M_ARMED + i]:
            low = x[M_ADDR + i]
            total = x[M_TOTAL + i]
            if total >= 32:
                if low >> 5 <= block < (low + total) >> 5:
                    x[M_ARMED + i] = 0
            elif block == low >> 5 and (strobes >> (low & 31)) & ((1 << total) - 1):
                x[M_ARMED + i] = 0


# ------------------------------------------------------------------ responses (M2.5)


@hot
def send_slot(x: Cells, slot: int) -> None:
    """The slot moves into the R register; its successor becomes the oldest of the id."""
    ident = x[S_ID + slot]
    x[R_LEFT] = x[S_BEATS + slot]
    x[R_ID] = ident
    x[R_RESP] = x[S_RESP + slot]
    x[R_LAST] = x[S_LAST + slot]
    x[R_BURST] = x[S_BURST + slot]
    x[USED] -= 1
    x[SLOT_FREE + SLOTS - 1 - x[USED]] = slot
    then = x[S_LINK + slot]
    x[ID_OLD + ident] = then
    if then >= 0 and x[S_DATA + then]:
        x[F_LIST + ((x[F_AT] + x[F_N]) & (SLOTS - 1))] = then
        x[F_N] += 1


@hot
def send_next(x: Cells) -> bool:
    """One of the three sources, in turn, sends its first slot; False when all are empty."""
    last = x[SOURCE]
    for step in range(1, 4):
        source = (last + step) % 3
        slot = -1
        if source == 0:
            if x[D_N]:
                slot = x[D_LIST + x[D_AT]]
                x[D_AT] = (x[D_AT] + 1) & (SLOTS - 1)
                x[D_N] -= 1
        elif source == 1:
            if x[F_N]:
                slot = x[F_LIST + x[F_AT]]
                x[F_AT] = (x[F_AT] + 1) & (SLOTS - 1)
                x[F_N] -= 1
        elif x[E_SLOT] >= 0:
            slot = x[E_SLOT]
            x[E_SLOT] = -1
        if slot >= 0:
            x[SOURCE] = source
            send_slot(x, slot)
            return True
    return False


@hot
def responses(x: Cells, t: Cells, n: int, pc: int) -> None:
    """M2.5, M2.8, M3.3: R, B, and the data that arrives in n."""
    room = x[R_LEFT] == 0
    if not room and is_ready(x, n, pc, 0):
        at = x[R_OUT]
        x[R_LEFT] -= 1
        room = x[R_LEFT] == 0
        ends = 1 if room and x[R_LAST] else 0
        t[at] = n
        t[at + 1] = x[R_ID]
        t[at + 2] = x[R_RESP]
        t[at + 3] = ends
        t[at + 4] = x[R_BURST]
        x[R_OUT] = at + R_COLUMNS
        x[UNANSWERED] -= ends
    if x[B_N] and is_ready(x, n, pc, 1):
        at = x[B_OUT]
        t[at] = n
        t[at + 1] = x[B_ID + x[B_AT]]
        t[at + 2] = x[B_RESP + x[B_AT]]
        x[B_OUT] = at + B_COLUMNS
        x[B_AT] = (x[B_AT] + 1) & (B_DEPTH - 1)
        x[B_N] -= 1
        x[WRITES] -= 1
        x[UNANSWERED] -= 1
    if room and (x[D_N] | x[F_N] or x[E_SLOT] >= 0):
        room = not send_next(x)
    if x[m.FLY_N] and x[m.FLY_AT + x[m.FLY]] == n:
        slot = x[m.FLY_REQ + x[m.FLY]]
        x[m.FLY] = (x[m.FLY] + 1) & 255
        x[m.FLY_N] -= 1
        if slot < 0:
            m.complete_merge(x, -1 - slot)
        elif x[ID_OLD + x[S_ID + slot]] != slot:
            x[S_DATA + slot] = 1
        elif room:
            send_slot(x, slot)
        else:
            x[D_LIST + ((x[D_AT] + x[D_N]) & (SLOTS - 1))] = slot
            x[D_N] += 1


# ------------------------------------------------------------------ handshakes and beats


@hot
def take_ar(x: Cells, k: Cells, t: Cells, n: int) -> None:
    """M2.1: a handshake on AR."""
    row = x[AR_AT]
    h = (x[HELD_AT] + x[HELD]) & (AR_DEPTH - 1)
    addr = t[row + AX_ADDR]
    length = t[row + AX_LEN]
    size = t[row + AX_SIZE]
    burst = t[row + AX_BURST]
    total = (length + 1) << size
    resp = burst_response(k, addr, length, size, burst)
    if resp == OKAY and t[row + AX_LOCK] and can_watch(addr, length, size):
        resp = EXOKAY
    x[H_ADDR + h] = addr
    x[H_LEFT + h] = length + 1
    x[H_LEN + h] = length
    x[H_SIZE + h] = size
    x[H_BURST + h] = burst
    x[H_LOW + h] = addr & ~(total - 1)  # where it matters `total` is a power of two
    x[H_TOTAL + h] = total
    x[H_ID + h] = t[row + AX_ID]
    x[H_RESP + h] = resp
    x[H_FIRST + h] = 1
    x[H_NUMBER + h] = x[AR_TAKEN]
    x[HELD] += 1
    x[AR_TAKEN] += 1
    x[UNANSWERED] += 1
    x[AR_AT] = row + AX_COLUMNS
    at = x[AR_OUT]
    t[at] = n
    t[at + 1] = x[AR_UP]
    x[AR_OUT] = at + ACC_COLUMNS
    x[AR_UP] = -1


@hot
def take_aw(x: Cells, k: Cells, t: Cells, n: int) -> None:
    """M2.2: a handshake on AW."""
    row = x[AW_AT]
    a = (x[AWS_AT] + x[AWS]) & (AW_DEPTH - 1)
    x[A_ADDR + a] = t[row + AX_ADDR]
    x[A_ID + a] = t[row + AX_ID]
    x[A_LEN + a] = t[row + AX_LEN]
    x[A_SIZE + a] = t[row + AX_SIZE]
    x[A_BURST + a] = t[row + AX_BURST]
    x[A_LOCK + a] = t[row + AX_LOCK]
    x[A_RESP + a] = burst_response(k, t[row + AX_ADDR], t[row + AX_LEN], t[row + AX_SIZE], t[row + AX_BURST])
    x[AWS] += 1
    x[WRITES] += 1
    x[AW_TAKEN] += 1
    x[UNANSWERED] += 1
    x[AW_AT] = row + AX_COLUMNS
    at = x[AW_OUT]
    t[at] = n
    t[at + 1] = x[AW_UP]
    x[AW_OUT] = at + ACC_COLUMNS
    x[AW_UP] = -1


@hot
def take_w(x: Cells, t: Cells, n: int) -> None:
    """M2.2: a handshake on W."""
    row = x[W_AT]
    x[BEAT] = 1
    x[BEAT_STRB] = t[row + W_STRB]
    x[BEAT_LAST] = t[row + W_LAST]
    x[W_TAKEN] += t[row + W_LAST]
    x[CREDIT] -= 1
    x[W_AT] = row + W_COLUMNS
    at = x[W_OUT]
    t[at] = n
    t[at + 1] = x[W_UP]
    x[W_OUT] = at + ACC_COLUMNS
    x[W_UP] = -1


@hot
def split(x: Cells, k: Cells, used: int, e_busy: bool) -> int:
    """M2.1, M2.5: one request leaves the splitter, if it can; gives the monitor to be armed (M2.7), -1 for none.

    used, e_busy: slots, and whether source E is taken, in S(n). The register is free or taken already.
    """
    h = x[HELD_AT]
    resp = x[H_RESP + h]
    bad = resp >= SLVERR
    if used == SLOTS or (e_busy if bad else x[REG] >= 0):
        return -1
    armed = -1
    slot = x[SLOT_FREE + SLOTS - 1 - x[USED]]
    x[USED] += 1
    ident = x[H_ID + h]
    beats = x[H_LEFT + h]
    if not bad:
        addr = x[H_ADDR + h]
        block = addr >> 5
        if resp == EXOKAY and x[H_FIRST + h]:
            armed = monitor_for(x, ident)
        dram = dram_of(k, block)
        x[REG] = slot
        x[REG_BANK] = bank_of(k, dram)
        x[REG_ROW] = row_of(k, dram)
        x[REG_COL] = dram & k[m.K_COL_MASK]
        if beats > 1:
            # Consecutive beats in the same 32 bytes (M2.4).
            left = beats
            while left > 0 and addr >> 5 == block:
                left -= 1
                addr = next_beat(addr, x[H_SIZE + h], x[H_BURST + h], x[H_LOW + h], x[H_TOTAL + h])
            x[H_ADDR + h] = addr
            beats -= left
        x[H_FIRST + h] = 0
    x[H_LEFT + h] -= beats
    x[S_ID + slot] = ident
    x[S_BEATS + slot] = beats
    x[S_LAST + slot] = 1 if x[H_LEFT + h] == 0 else 0
    x[S_RESP + slot] = resp
    x[S_LINK + slot] = -1
    x[S_DATA + slot] = 1 if bad else 0
    x[S_BURST + slot] = x[H_NUMBER + h]
    if x[ID_OLD + ident] < 0:
        x[ID_OLD + ident] = slot
        if bad:
            x[E_SLOT] = slot
    else:
        x[S_LINK + x[ID_NEW + ident]] = slot
    x[ID_NEW + ident] = slot
    if x[H_LEFT + h] == 0:
        x[HELD_AT] = (h + 1) & (AR_DEPTH - 1)
        x[HELD] -= 1
    return armed


@hot
def process_beat(x: Cells, k: Cells) -> None:
    """M2.2, M2.4, M2.6, M2.7: the beat in the register, whose burst is known."""
    a = x[AWS_AT]
    burst = x[A_BURST + a]
    size = x[A_SIZE + a]
    length = x[A_LEN + a]
    index = x[INDEX]
    if index == 0:
        x[VERDICT] = x[A_RESP + a]
        x[DROP] = 1 if x[VERDICT] != OKAY else 0
        x[BAD_LAST] = 0
        x[GATHERED] = 0
        x[SAVED] = 0
        x[BEAT_ADDR] = x[A_ADDR + a]
        if x[A_LOCK + a] and x[DROP] == 0:
            if take_monitor(x, a):
                x[VERDICT] = EXOKAY
            else:
                x[DROP] = 1
    ends = index == length
    if ends != (x[BEAT_LAST] != 0):
        x[BAD_LAST] = 1
    used = False
    if x[DROP] == 0:
        addr = x[BEAT_ADDR]
        block = addr >> 5
        total = (length + 1) << size
        low = x[A_ADDR + a] & ~(total - 1)  # of a WRAP, whose length is a power of two
        then = next_beat(addr, size, burst, low, total)
        # The lanes of the beat: from its address to the next multiple of its size.
        lanes = ((1 << (1 << size)) - 1) << (addr & 31 & ~((1 << size) - 1))
        lanes &= -1 << (addr & 31)
        x[GATHERED] |= x[BEAT_STRB] & lanes
        x[BEAT_ADDR] = then
        if ends or then >> 5 != block:
            strobes = x[GATHERED]
            x[GATHERED] = 0
            home = burst == WRAP and block == x[A_ADDR + a] >> 5
            if home and not ends and x[A_ADDR + a] & 31:
                x[SAVED] = strobes  # its last beats will come back here
            else:
                if home:
                    strobes |= x[SAVED]
                if strobes:
                    used = True
                    dram = dram_of(k, block)
                    x[PUT] = 1
                    x[PUT_BANK] = bank_of(k, dram)
                    x[PUT_ROW] = row_of(k, dram)
                    x[PUT_COL] = dram & k[m.K_COL_MASK]
                    x[PUT_PART] = 1 if strobes != (1 << 32) - 1 else 0
                    disarm(x, block, strobes)
    if not used:
        x[CREDIT] += 1
    x[INDEX] = index + 1
    if ends:
        x[INDEX] = 0
        x[AWS_AT] = (a + 1) & (AW_DEPTH - 1)
        x[AWS] -= 1
        b = (x[B_AT] + x[B_N]) & (B_DEPTH - 1)
        x[B_ID + b] = x[A_ID + a]
        x[B_RESP + b] = SLVERR if x[BAD_LAST] else x[VERDICT]
        x[B_N] += 1


@hot
def may_raise(x: Cells, k: Cells, t: Cells, row: int, n: int) -> bool:
    """Whether the VALID of a burst rises in n."""
    if t[row] > n:
        return False
    if x[ORDERED] == 0:
        return True
    done = x[W_TAKEN] if x[W_TAKEN] < x[AW_TAKEN] else x[AW_TAKEN]
    if t[row + AX_ORDER] != x[AR_TAKEN] + done:
        return False
    return k[m.K_OUTSTANDING] == 0 or x[UNANSWERED] < k[m.K_OUTSTANDING]


@hot
def port_step(x: Cells, k: Cells, t: Cells, n: int, pc: int, host: int, freed: int, quiesce: bool) -> int:
    """One cycle of the port. Gives what is handed to the queues: bit 0 the write of OFF_*, bit 1 the read of GOT_*.

    host: host entries of the read queue in S(n); freed: entries of the write queue picked in n; quiesce: M2.9.
    """
    aws = x[AWS]
    # READYs of S(n), and VALIDs.
    ar = False
    if x[AR_AT] < x[AR_END] and (x[AR_UP] >= 0 or may_raise(x, k, t, x[AR_AT], n)):
        if x[AR_UP] < 0:
            x[AR_UP] = n
        ar = x[HELD] < AR_DEPTH and not quiesce
    aw = False
    if x[AW_AT] < x[AW_END] and (x[AW_UP] >= 0 or may_raise(x, k, t, x[AW_AT], n)):
        if x[AW_UP] < 0:
            x[AW_UP] = n
            x[AW_RAISED] += 1
        aw = aws < AW_DEPTH and x[WRITES] < B_DEPTH and not quiesce
    w = False
    if x[W_AT] < x[W_END] and t[x[W_AT]] <= n and (x[ORDERED] == 0 or x[AW_RAISED] > x[W_TAKEN]):
        if x[W_UP] < 0:
            x[W_UP] = n
        w = x[CREDIT] > 0 and (x[BEAT] == 0 or aws > 0)
        if w and quiesce:
            # Only a beat of a burst that is known: the one in the register may be the last of its burst.
            w = aws > 1 or (aws == 1 and not (x[BEAT] and x[INDEX] == x[A_LEN + x[AWS_AT]]))
    used = x[USED]
    e_busy = x[E_SLOT] >= 0
    handed = 0
    # Reads and responses.
    if x[R_LEFT] | x[B_N] | x[D_N] | x[F_N] | x[m.FLY_N] or e_busy:
        responses(x, t, n, pc)
    if x[REG] >= 0 and host < k[m.K_READ_ENTRIES]:
        handed = 2
        x[GOT] = x[REG]
        x[GOT_BANK] = x[REG_BANK]
        x[GOT_ROW] = x[REG_ROW]
        x[GOT_COL] = x[REG_COL]
        x[REG] = -1
    armed = -1
    arming = x[HELD_AT]
    if x[HELD]:
        armed = split(x, k, used, e_busy)
    # Writes.
    if x[PUT]:
        handed |= 1
        x[OFF_BANK] = x[PUT_BANK]
        x[OFF_ROW] = x[PUT_ROW]
        x[OFF_COL] = x[PUT_COL]
        x[OFF_PART] = x[PUT_PART]
        x[PUT] = 0
    if x[BEAT] and aws:
        x[BEAT] = 0
        process_beat(x, k)
    if armed >= 0:  # after the write of this cycle, which is older
        x[M_ARMED + armed] = 1
        x[M_ID + armed] = x[H_ID + arming]
        x[M_SHAPE + armed] = x[H_LEN + arming] << 5 | x[H_SIZE + arming] << 2 | x[H_BURST + arming]
        x[M_TOTAL + armed] = x[H_TOTAL + arming]
        x[M_ADDR + armed] = x[H_LOW + arming]
    x[CREDIT] += x[RETURN]
    x[RETURN] = freed
    # Handshakes.
    if ar:
        take_ar(x, k, t, n)
    if aw:
        take_aw(x, k, t, n)
    if w:
        take_w(x, t, n)
    return handed


# ------------------------------------------------------------------ seen from outside


@hot
def port_idle(x: Cells) -> bool:
    """M2.9: no burst, no slot, no response; a beat that came before its burst may wait."""
    return (x[HELD] | x[USED] | x[WRITES] | x[R_LEFT]) == 0


@hot
def port_still(x: Cells) -> bool:
    """True when nothing changes in the port before the next handshake of AR, AW or W."""
    return (x[HELD] | x[USED] | x[R_LEFT] | x[B_N] | x[PUT] | x[RETURN] | x[m.FLY_N] | (x[BEAT] and x[AWS])) == 0


@hot
def all_taken(x: Cells) -> bool:
    """True when every row that was offered is taken."""
    return x[AR_AT] == x[AR_END] and x[AW_AT] == x[AW_END] and x[W_AT] == x[W_END]


@hot
def next_valid(x: Cells, t: Cells, then: int) -> int:
    """The first cycle before `then` in which a VALID stands, of a port that is still; else `then`."""
    ar = x[AR_AT] < x[AR_END]
    aw = x[AW_AT] < x[AW_END]
    w = x[W_AT] < x[W_END]
    if x[ORDERED]:
        if ar and aw:
            if t[x[AR_AT] + AX_ORDER] < t[x[AW_AT] + AX_ORDER]:
                aw = False
            else:
                ar = False
        w = w and x[AW_RAISED] > x[W_TAKEN]
    if ar and t[x[AR_AT]] < then:
        then = t[x[AR_AT]]
    if aw and t[x[AW_AT]] < then:
        then = t[x[AW_AT]]
    if w and t[x[W_AT]] < then:
        then = t[x[W_AT]]
    return then


def reset_port(x: Cells, k: Cells) -> None:
    """The state after reset."""
    for place in (AR_UP, AW_UP, W_UP, REG, E_SLOT):
        x[place] = -1
    x[R_LEVEL] = x[B_LEVEL] = ALWAYS
    x[SOURCE] = 0  # M2.5
    x[CREDIT] = k[m.K_WRITE_ENTRIES]  # M2.2
    for slot in range(SLOTS):
        x[SLOT_FREE + slot] = slot
    for ident in range(IDS):
        x[ID_OLD + ident] = -1
