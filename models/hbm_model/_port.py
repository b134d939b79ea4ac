"""One cycle of a host port (docs/microarchitecture.md M2): everything is decided from S(n)."""

from __future__ import annotations

from hbm_model import _places as m
from hbm_model._bursts import (
    bank_of,
    burst_response,
    can_watch,
    disarm,
    dram_of,
    monitor_for,
    next_beat,
    row_of,
    take_monitor,
)
from hbm_model._hot import Cells, hot
from hbm_model._port_places import (
    A_ADDR,
    A_BURST,
    A_ID,
    A_LEN,
    A_LOCK,
    A_QOS,
    A_RESP,
    A_SIZE,
    ACC_COLUMNS,
    AR_AT,
    AR_DEPTH,
    AR_END,
    AR_OUT,
    AR_TAKEN,
    AR_UP,
    ARMING,
    AW_AT,
    AW_DEPTH,
    AW_END,
    AW_OUT,
    AW_RAISED,
    AW_TAKEN,
    AW_UP,
    AWS,
    AWS_AT,
    AX_ADDR,
    AX_BURST,
    AX_COLUMNS,
    AX_ID,
    AX_LEN,
    AX_LOCK,
    AX_ORDER,
    AX_QOS,
    AX_SIZE,
    B_AT,
    B_DEPTH,
    B_ID,
    B_N,
    B_RESP,
    BAD_LAST,
    BEAT,
    BEAT_ADDR,
    BEAT_LAST,
    BEAT_STRB,
    CREDIT,
    D_N,
    DROP,
    E_SLOT,
    EXOKAY,
    EXPRESS_DEPTH,
    F_N,
    FORWARD_N,
    FORWARDS,
    GATHERED,
    GOT,
    GOT_BANK,
    GOT_COL,
    GOT_EXPRESS,
    GOT_QOS,
    GOT_ROW,
    H_ADDR,
    H_BURST,
    H_FIRST,
    H_ID,
    H_LEFT,
    H_LEN,
    H_LOW,
    H_NUMBER,
    H_QOS,
    H_RESP,
    H_SIZE,
    H_TOTAL,
    HELD,
    HELD_AT,
    HELD_X,
    ID_NEW,
    ID_OLD,
    INDEX,
    M_ADDR,
    M_ARMED,
    M_ID,
    M_SHAPE,
    M_TOTAL,
    MORE_DECERR,
    MORE_SLVERR,
    OFF_BANK,
    OFF_COL,
    OFF_PART,
    OFF_QOS,
    OFF_ROW,
    OKAY,
    ORDERED,
    PASSED_LEAVE,
    PASSED_OFFER,
    PASSES,
    PUT,
    PUT_BANK,
    PUT_COL,
    PUT_PART,
    PUT_QOS,
    PUT_ROW,
    R_LEFT,
    REG,
    REG_BANK,
    REG_COL,
    REG_QOS,
    REG_ROW,
    REG_X,
    RETURN,
    S_BEATS,
    S_BURST,
    S_DATA,
    S_ID,
    S_LAST,
    S_LINK,
    S_RESP,
    S_SINCE,
    SAVED,
    SLOT_FREE,
    SLOTS,
    SLVERR,
    UNANSWERED,
    USED,
    VERDICT,
    W_AT,
    W_COLUMNS,
    W_END,
    W_LAST,
    W_OUT,
    W_STRB,
    W_TAKEN,
    W_UP,
    WRAP,
    WRITES,
)
from hbm_model._responses import responses


@hot
def holds(x: Cells, lane: int, ident: int) -> bool:
    """Whether a lane holds a burst of the id."""
    for i in range(x[HELD + lane]):
        if x[H_ID + lane * AR_DEPTH + ((x[HELD_AT + lane] + i) & (AR_DEPTH - 1))] == ident:
            return True
    return False


@hot
def lane_of(x: Cells, k: Cells, ident: int, qos: int) -> int:
    """M2.10: the lane of a burst on AR, 1 for the express lane."""
    if qos < k[m.K_QOS_HIGH] and not holds(x, 1, ident):
        return 0
    return 0 if holds(x, 0, ident) else 1


@hot
def take_ar(x: Cells, k: Cells, t: Cells, n: int, lane: int) -> None:
    """M2.1, M2.10: a handshake on AR; lane: that of the burst, seen from S(n)."""
    row = x[AR_AT]
    h = lane * AR_DEPTH + ((x[HELD_AT + lane] + x[HELD + lane]) & (AR_DEPTH - 1))
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
    x[H_QOS + h] = t[row + AX_QOS]
    x[HELD + lane] += 1
    x[m.N_AR] += 1
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
    x[A_QOS + a] = t[row + AX_QOS]
    x[A_RESP + a] = burst_response(k, t[row + AX_ADDR], t[row + AX_LEN], t[row + AX_SIZE], t[row + AX_BURST])
    x[AWS] += 1
    x[WRITES] += 1
    x[AW_TAKEN] += 1
    x[m.N_AW] += 1
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
def could_leave(x: Cells, lane: int, e_busy: bool) -> bool:
    """M2.1, M2.6: whether a lane has a request that may leave the splitter, if a slot is free.

    e_busy: whether source E is taken in S(n). The register of the lane is free, or taken already.
    """
    if x[HELD + lane] == 0:
        return False
    if x[H_RESP + lane * AR_DEPTH + x[HELD_AT + lane]] >= SLVERR:
        return not e_busy
    return x[REG + lane] < 0


@hot
def choose_lane(x: Cells, waits: bool, normal: bool, express: bool, passed: int) -> int:
    """M2.10: the lane whose request passes a stage, -1: none.

    waits: the normal lane has one there; normal, express: the lane's can pass; passed: place of the stage's count.
    """
    if express and not (normal and x[passed] == PASSES):
        if waits and x[passed] < PASSES:
            x[passed] += 1
        return 1
    if normal:
        x[passed] = 0
        return 0
    return -1


@hot
def split(x: Cells, k: Cells, lane: int, n: int) -> int:
    """M2.1, M2.5: one request leaves a lane; gives the monitor to be armed (M2.7), -1 for none."""
    h = lane * AR_DEPTH + x[HELD_AT + lane]
    x[ARMING] = h
    resp = x[H_RESP + h]
    bad = resp >= SLVERR
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
        x[REG + lane] = slot
        x[REG_BANK + lane] = bank_of(k, dram)
        x[REG_ROW + lane] = row_of(k, dram)
        x[REG_COL + lane] = dram & k[m.K_COL_MASK]
        x[REG_QOS + lane] = x[H_QOS + h]
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
    x[S_SINCE + slot] = n
    if x[ID_OLD + ident] < 0:
        x[ID_OLD + ident] = slot
        if bad:
            x[E_SLOT] = slot
    else:
        x[S_LINK + x[ID_NEW + ident]] = slot
    x[ID_NEW + ident] = slot
    if x[H_LEFT + h] == 0:
        x[HELD_AT + lane] = (h + 1) & (AR_DEPTH - 1)
        x[HELD + lane] -= 1
    if bad:
        x[MORE_SLVERR if resp == SLVERR else MORE_DECERR] += 1
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
                    x[PUT_QOS] = x[A_QOS + a]
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
        resp = SLVERR if x[BAD_LAST] else x[VERDICT]
        x[B_RESP + b] = resp
        x[B_N] += 1
        if resp >= SLVERR:
            x[MORE_SLVERR if resp == SLVERR else MORE_DECERR] += 1
        if x[DROP] and x[VERDICT] == OKAY:
            x[m.N_EXCL_FAIL] += 1


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
def count_errors(x: Cells) -> None:
    """M9.2: one answer of a kind counts in a cycle, a second one in the next that has none."""
    if x[MORE_SLVERR]:
        x[MORE_SLVERR] -= 1
        x[m.N_SLVERR] += 1
    if x[MORE_DECERR]:
        x[MORE_DECERR] -= 1
        x[m.N_DECERR] += 1


@hot
def offer_read(x: Cells, k: Cells, host: int, express: int, forwards: int) -> bool:
    """M2.10, M3.1: the request that the read queue accepts, into GOT_*.

    host, express, forwards: such entries, and reads under way by forwarding, in S(n).
    """
    free = host < k[m.K_READ_ENTRIES]
    room = forwards < FORWARDS
    waits = x[REG] >= 0
    other = x[REG_X] >= 0 and room and (free or express < m.EXPRESS_ENTRIES)
    lane = choose_lane(x, waits, waits and room and free, other, PASSED_OFFER)
    if lane < 0:
        return False
    x[GOT] = x[REG + lane]
    x[GOT_BANK] = x[REG_BANK + lane]
    x[GOT_ROW] = x[REG_ROW + lane]
    x[GOT_COL] = x[REG_COL + lane]
    x[GOT_QOS] = x[REG_QOS + lane]
    x[GOT_EXPRESS] = 0 if free else 1
    x[REG + lane] = -1
    return True


@hot
def port_step(x: Cells, k: Cells, t: Cells, n: int, pc: int, host: int, express: int, freed: int, quiesce: bool) -> int:
    """One cycle of the port. Gives what is handed to the queues: bit 0 the write of OFF_*, bit 1 the read of GOT_*.

    host, express: such entries of the read queue in S(n); freed: entries of the write queue picked in n; quiesce: M2.9.
    """
    aws = x[AWS]
    # READYs of S(n), and VALIDs.
    ar = False
    lane_ar = 0
    if x[AR_AT] < x[AR_END] and (x[AR_UP] >= 0 or may_raise(x, k, t, x[AR_AT], n)):
        if x[AR_UP] < 0:
            x[AR_UP] = n
        ar = x[HELD] < AR_DEPTH and x[HELD_X] < EXPRESS_DEPTH and not quiesce
        if ar and (x[HELD_X] or t[x[AR_AT] + AX_QOS] >= k[m.K_QOS_HIGH]):
            lane_ar = lane_of(x, k, t[x[AR_AT] + AX_ID], t[x[AR_AT] + AX_QOS])
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
    forwards = x[FORWARD_N]
    if x[R_LEFT] | x[B_N] | x[D_N] | x[F_N] | x[m.FLY_N] | forwards or e_busy:
        responses(x, t, n, pc)
    if x[REG] >= 0 or x[REG_X] >= 0:
        if offer_read(x, k, host, express, forwards):
            handed = 2
            x[m.N_RD_REQ] += 1
        if x[REG] >= 0 or x[REG_X] >= 0:
            x[m.N_RD_FULL] += 1
    armed = -1
    if x[HELD] | x[HELD_X]:
        normal = could_leave(x, 0, e_busy)
        express_one = could_leave(x, 1, e_busy)
        if used == SLOTS:
            if normal or express_one:
                x[m.N_ROB_FULL] += 1
        elif normal or express_one:
            armed = split(x, k, choose_lane(x, normal, normal, express_one, PASSED_LEAVE), n)
    # Writes.
    if x[PUT]:
        handed |= 1
        x[OFF_BANK] = x[PUT_BANK]
        x[OFF_ROW] = x[PUT_ROW]
        x[OFF_COL] = x[PUT_COL]
        x[OFF_PART] = x[PUT_PART]
        x[OFF_QOS] = x[PUT_QOS]
        x[PUT] = 0
        x[m.N_WR_REQ] += 1
    if x[BEAT] and aws:
        x[BEAT] = 0
        process_beat(x, k)
    if x[MORE_SLVERR] | x[MORE_DECERR]:
        count_errors(x)
    if armed >= 0:  # after the write of this cycle, which is older
        arming = x[ARMING]
        x[M_ARMED + armed] = 1
        x[M_ID + armed] = x[H_ID + arming]
        x[M_SHAPE + armed] = x[H_LEN + arming] << 5 | x[H_SIZE + arming] << 2 | x[H_BURST + arming]
        x[M_TOTAL + armed] = x[H_TOTAL + arming]
        x[M_ADDR + armed] = x[H_LOW + arming]
    x[CREDIT] += x[RETURN]
    x[RETURN] = freed
    # Handshakes.
    if ar:
        take_ar(x, k, t, n, lane_ar)
    if aw:
        take_aw(x, k, t, n)
    if w:
        take_w(x, t, n)
    return handed


@hot
def port_idle(x: Cells) -> bool:
    """M2.9: no burst, no slot, no response; a beat that came before its burst may wait."""
    return (x[HELD] | x[HELD_X] | x[USED] | x[WRITES] | x[R_LEFT]) == 0


@hot
def port_still(x: Cells) -> bool:
    """True when nothing changes in the port before the next handshake of AR, AW or W."""
    return (
        (x[HELD] | x[HELD_X] | x[USED] | x[R_LEFT] | x[B_N] | x[PUT] | x[RETURN] | x[m.FLY_N])
        | (x[MORE_SLVERR] | x[MORE_DECERR] | (x[BEAT] and x[AWS]))
    ) == 0


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
