"""The PCs of the exact controller model: what they decide in each cycle (docs/microarchitecture.md M1 to M6).

Everything a PC knows is one row of integers; the names below are places in that row. Legality is kept as instants: for
each command and scope the first CK at which history allows it. Entries of a queue have ranks that grow with age, so a
set of entries is an integer with one bit a rank and the oldest of a set is its lowest bit. The functions are compiled
with numba; with HBM_MODEL_JIT=0 the same text runs as plain Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from hbm_model._jit import jit_enabled

RANKS: Final = 62  # ranks of a queue before they are dealt anew; 62 keeps every set a positive int64
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
    K_TABLE,  # four tables of 256, one per eight inputs: the XOR of their entries is the packed DRAM address
) = range(66)
K_SIZE: Final = K_TABLE + 4 * 256

# ------------------------------------------------------------------ state of one PC and its port, places in `x`
(
    DIRECTION,
    LAST,  # cycle of the last pick or change of direction
    PICKS,  # picks after the last change
    HOST,  # host entries of the read queue
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
    URGENT,
    URGENT_W,
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
    CONVERT,  # M6.1: refresh_all changed in this cycle
    RD_PATH,  # how many reads, writes were picked
    WR_PATH,
    SCALARS,
) = range(78)

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
G_ACTS: Final = B_CONFLICT + MAX_BANKS  # instants of a group
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
X_SIZE: Final = WR_PICKED + 16

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

F = TypeVar("F", bound=Callable[..., Any])
Table = Any  # an int64 array of two dimensions


class Cells(Protocol):
    """An int64 array: one dimension, or one integer per (row, column)."""

    def __getitem__(self, at: Any, /) -> int: ...

    def __setitem__(self, at: Any, value: int, /) -> None: ...


# Called from several places, where a copy in each would double the compile time, or from Python.
_SHARED: Final = {
    "renumber",
    "start_merge",
    "find_conflicts",
    "open_bank",
    "shut_bank",
    "oldest_legal_column",
    "port_step",
    "finish",
    "run",
    "pack",
}


@cache
def _sources() -> str:
    """What the text of the loop is: numba's cache on disk looks at the file of one function only."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("_*.py")))).hexdigest()


def hot(function: F) -> F:
    """Compile a function of the loop, unless that is switched off.

    No function makes or keeps an array, so numba's reference counts are off: they take four fifths of the time.
    """
    if not jit_enabled():
        return function
    import numba

    name = function.__name__
    inline = name not in _SHARED
    njit: Any = numba.njit  # `_nrt` and `_cache_file` are not in its published interface
    made = njit(cache=True, _nrt=False, nogil=True, error_model="numpy", forceinline=inline)(function)
    made._cache._cache_file._source_stamp = _sources()
    return cast(F, made)


if jit_enabled():
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def _count(context: Any, x: Any) -> Any:
        return types.int64(types.int64), lambda _c, builder, _s, args: builder.ctpop(args[0])

    @intrinsic
    def _lowest(context: Any, x: Any) -> Any:
        def make(_c: Any, builder: Any, _s: Any, args: Any) -> Any:
            from llvmlite import ir

            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

        return types.int64(types.int64), make

else:

    def _count(x: int) -> int:  # type: ignore[misc]
        return int(x).bit_count()

    def _lowest(x: int) -> int:  # type: ignore[misc]
        return (int(x) & -int(x)).bit_length() - 1


@hot
def count(x: int) -> int:
    """How many bits are set."""
    return _count(x)  # type: ignore[call-arg]


@hot
def lowest(x: int) -> int:
    """Place of the lowest set bit of x, which is not 0."""
    return _lowest(x)  # type: ignore[call-arg]


# ------------------------------------------------------------------ queues (M3)


@hot
def renumber(x: Cells, k: Cells, d: int) -> None:
    """Deal the ranks of a queue anew: same order, no gaps."""
    for b in range(k[K_BANKS]):
        x[B_IN + d * MAX_BANKS + b] = 0
        x[B_HIT + d * MAX_BANKS + b] = 0
    left = x[ALL + d]
    sets = (SHUT + d, FREE + d, WHOLE + d, RAW + d, AGED + d, URGENT + d)
    new = 0
    moved = 0
    hits = 0
    while left:
        r = lowest(left)
        left &= left - 1
        bit = 1 << new
        moved |= bit
        b = x[E_BANK + d * 64 + r]
        x[B_IN + d * MAX_BANKS + b] |= bit
        if (x[HIT + d] >> r) & 1:
            x[B_HIT + d * MAX_BANKS + b] |= bit
            hits |= bit
        if new != r:
            for place in sets:
                value = x[place] & ~bit
                if (value >> r) & 1:
                    value = (value & ~(1 << r)) | bit
                x[place] = value
            for base in (E_BANK, E_ROW, E_COL, E_REQ, E_WAITS, E_WAITS_W, E_NEXT_R, E_NEXT_W):
                x[base + d * 64 + new] = x[base + d * 64 + r]
        # Sets of followers name ranks of this queue: they are dealt anew with it (lower ranks first, so no clash).
        base = E_NEXT_R if d == READ else E_NEXT_W
        if new != r and x[E_WAITS + d * 64 + new] > 0:
            for other in range(2):
                # Those it waits for are older: in this queue they have their new ranks already.
                rest = moved if other == d else x[ALL + other]
                while rest:
                    q = lowest(rest)
                    rest &= rest - 1
                    value = x[base + other * 64 + q]
                    if (value >> r) & 1:
                        x[base + other * 64 + q] = (value & ~(1 << r)) | bit
        new += 1
    for place in sets:
        x[place] &= moved
    x[ALL + d] = moved
    x[HIT + d] = hits
    x[NEXT_RANK + d] = new


@hot
def enqueue(x: Cells, k: Cells, d: int, bank: int, row: int, col: int, req: int, part: bool, plain: bool) -> int:
    """M3.1, M3.2: a new entry, the youngest of its queue; `plain`: it waits for nothing."""
    if x[NEXT_RANK + d] == RANKS:
        renumber(x, k, d)
    r = x[NEXT_RANK + d]
    x[NEXT_RANK + d] = r + 1
    bit = 1 << r
    e = d * 64 + r
    x[E_BANK + e] = bank
    x[E_ROW + e] = row
    x[E_COL + e] = col
    x[E_REQ + e] = req
    x[E_NEXT_R + e] = 0
    x[E_NEXT_W + e] = 0
    waits = 0
    waits_w = 0
    if not plain:
        follow = E_NEXT_R if d == READ else E_NEXT_W
        for other in range(2):
            if other == READ and d == READ:
                continue
            same = x[B_IN + other * MAX_BANKS + bank]
            while same:
                q = other * 64 + lowest(same)
                same &= same - 1
                if x[E_ROW + q] == row and x[E_COL + q] == col:
                    x[follow + q] |= bit
                    waits += 1
                    if other == WRITE:
                        waits_w += 1
    x[E_WAITS + e] = waits
    x[E_WAITS_W + e] = waits_w
    x[ALL + d] |= bit
    x[B_IN + d * MAX_BANKS + bank] |= bit
    if x[B_ROW + bank] < 0:
        x[SHUT + d] |= bit
    elif x[B_ROW + bank] == row:
        x[HIT + d] |= bit
        x[B_HIT + d * MAX_BANKS + bank] |= bit
    if waits == 0:
        x[FREE + d] |= bit
    if part:
        x[RAW + d] |= bit
    else:
        x[WHOLE + d] |= bit
    return r


@hot
def remove(x: Cells, d: int, r: int) -> None:
    """M3.1, M3.2: the entry was picked; who waited for it waits no longer."""
    bit = 1 << r
    e = d * 64 + r
    for place in (ALL, HIT, SHUT, FREE, WHOLE, RAW, AGED, URGENT):
        x[place + d] &= ~bit
    b = x[E_BANK + e]
    x[B_IN + d * MAX_BANKS + b] &= ~bit
    x[B_HIT + d * MAX_BANKS + b] &= ~bit
    for follower in range(2):
        rest = x[(E_NEXT_R if follower == READ else E_NEXT_W) + e]
        while rest:
            q = lowest(rest)
            rest &= rest - 1
            x[E_WAITS + follower * 64 + q] -= 1
            if d == WRITE:
                x[E_WAITS_W + follower * 64 + q] -= 1
            if x[E_WAITS + follower * 64 + q] == 0:
                x[FREE + follower] |= 1 << q


# ------------------------------------------------------------------ banks and instants (M1.4, M1.5)


@hot
def raise_to(x: Cells, place: int, instant: int) -> None:
    """An instant never moves back."""
    if x[place] < instant:
        x[place] = instant


@hot
def shut_bank(x: Cells, b: int) -> None:
    """The bank is closed from the next cycle on."""
    x[B_ROW + b] = -1
    x[OPEN] -= 1
    for d in range(2):
        x[HIT + d] &= ~x[B_HIT + d * MAX_BANKS + b]
        x[B_HIT + d * MAX_BANKS + b] = 0
        x[SHUT + d] |= x[B_IN + d * MAX_BANKS + b]


@hot
def open_bank(x: Cells, b: int, row: int) -> None:
    """The bank is open on `row` from the next cycle on."""
    x[B_ROW + b] = row
    x[OPEN] += 1
    for d in range(2):
        inside = x[B_IN + d * MAX_BANKS + b]
        x[SHUT + d] &= ~inside
        hits = 0
        while inside:
            r = lowest(inside)
            inside &= inside - 1
            if x[E_ROW + d * 64 + r] == row:
                hits |= 1 << r
        x[B_HIT + d * MAX_BANKS + b] = hits
        x[HIT + d] |= hits


@hot
def window_push(x: Cells, t: int) -> None:
    """One more ACT or REFSB in the window of four."""
    at = x[WINDOW_AT]
    x[WINDOW + at] = t
    x[WINDOW_AT] = (at + 1) & 3


@hot
def did_act(x: Cells, k: Cells, b: int, row: int, t: int) -> None:
    """M1.5: rows that begin with ACT; t is its time."""
    open_bank(x, b, row)
    x[ORDER] += 1
    x[B_LAST + b] = x[ORDER]
    raise_to(x, B_RD + b, t + k[K_RCDRD])
    raise_to(x, B_WR + b, t + k[K_RCDWR])
    raise_to(x, B_PRE + b, t + k[K_RAS])
    raise_to(x, B_ACT + b, t + k[K_ACT_ACT])
    x[B_RDA + b] = t + k[K_ACT_RDA]  # a limit of the row that is opened: what an earlier one set is over
    x[B_WRA + b] = t + k[K_ACT_WRA]
    raise_to(x, G_ACTS + b // k[K_PER_GROUP], t + k[K_RRDL])
    raise_to(x, T_ACT, t + k[K_RRDS])
    window_push(x, t)


@hot
def did_column(x: Cells, k: Cells, d: int, b: int, close: int, t: int) -> None:
    """M1.5: rows that begin with a column command."""
    g = b // k[K_PER_GROUP]
    if d == READ:
        raise_to(x, B_PRE + b, t + k[K_RTP])
        raise_to(x, G_RD + g, t + k[K_CCDL])
        raise_to(x, T_COL, t + k[K_CCDS])
        raise_to(x, T_COL_W, t + k[K_RD_WR])
        if k[K_SIDS] > 1:
            sid = b // k[K_PER_SID]
            for other in range(k[K_SIDS]):
                if other != sid:
                    raise_to(x, S_RD + other, t + k[K_CCDR])
        if close:
            raise_to(x, B_ACT + b, t + k[K_RTP] + k[K_RP])
            shut_bank(x, b)
    else:
        raise_to(x, B_PRE + b, t + k[K_WR_PRE])
        raise_to(x, B_RDA + b, t + k[K_WR_RDA])
        raise_to(x, G_WR + g, t + k[K_CCDL])
        raise_to(x, G_RD + g, t + k[K_WTRL])
        raise_to(x, T_COL_W, t + k[K_CCDS])
        raise_to(x, T_COL, t + k[K_WTRS])
        if close:
            raise_to(x, B_ACT + b, t + k[K_WR_PRE] + k[K_RP])
            shut_bank(x, b)


@hot
def did_short(x: Cells, k: Cells, cmd: int, b: int, t: int) -> None:
    """M1.5: rows that begin with PRE, PREA, REFSB or REF in the slot of time t."""
    late = t + 1 if k[K_GEN] > 2 else t  # HBM3/4: the falling edge of the slot
    if cmd == PRE:
        raise_to(x, B_ACT + b, late + k[K_RP])
        raise_to(x, T_PRE, t + k[K_PPD])
        if x[B_ROW + b] >= 0:
            shut_bank(x, b)
    elif cmd == PREA:
        for each in range(k[K_BANKS]):
            raise_to(x, B_ACT + each, late + k[K_RP])
            if x[B_ROW + each] >= 0:
                shut_bank(x, each)
        raise_to(x, T_PRE, t + k[K_PPD])
    elif cmd == REFSB:
        raise_to(x, B_ACT + b, t + k[K_RFCSB])
        raise_to(x, T_ACT, t + k[K_RREFD])
        raise_to(x, T_PREA, t + k[K_RFCSB])
        raise_to(x, T_REF, t + k[K_RFCSB])
        window_push(x, t)
        x[LEFT] &= ~(1 << (b % k[K_PER_SID]))
        if x[LEFT] == 0:
            raise_to(x, S_REFSB + x[SET], t + k[K_RFCSB])
            x[LEFT] = (1 << k[K_PER_SID]) - 1
            x[SET] = (x[SET] + 1) % k[K_SIDS]
    else:
        raise_to(x, T_ACT, t + k[K_RFC])
        raise_to(x, T_REF, t + k[K_RFC])


@hot
def pc_act_from(x: Cells, k: Cells) -> int:
    """First CK at which the PC could take an ACT."""
    w = x[WINDOW + x[WINDOW_AT]] + k[K_FAW]
    return w if w > x[T_ACT] else x[T_ACT]


@hot
def act_from(x: Cells, k: Cells, b: int) -> int:
    """First CK at which bank and group could take an ACT."""
    g = x[G_ACTS + b // k[K_PER_GROUP]]
    return g if g > x[B_ACT + b] else x[B_ACT + b]


@hot
def prea_from(x: Cells, k: Cells) -> int:
    """First CK at which PREA is legal."""
    t = x[T_PRE] if x[T_PRE] > x[T_PREA] else x[T_PREA]
    for b in range(k[K_BANKS]):
        if x[B_PRE + b] > t:
            t = x[B_PRE + b]
    return t


@hot
def ref_from(x: Cells, k: Cells) -> int:
    """First CK at which REF is legal, all banks being closed."""
    t = x[T_REF]
    for b in range(k[K_BANKS]):
        if x[B_ACT + b] > t:
            t = x[B_ACT + b]
    return t


# ------------------------------------------------------------------ decisions


@hot
def is_held(x: Cells, k: Cells, b: int) -> bool:
    """M6: the bank takes no ACT and no column command."""
    if x[ALL_HELD]:
        return True
    if x[HELD] == 0 or b // k[K_PER_SID] != x[SET]:
        return False
    return (x[HELD] >> (b % k[K_PER_SID])) & 1 == 1


@hot
def is_kept(x: Cells, b: int) -> bool:
    """M5.2."""
    hits = x[B_HIT + b] & x[FREE] & ~x[RAW]
    hits_w = x[B_HIT + MAX_BANKS + b] & x[FREE_W] & ~x[RAW_W]
    if x[CONFLICTS] and x[B_CONFLICT + b]:
        hits &= x[URGENT]
        hits_w &= x[URGENT_W]
    return (hits | hits_w) != 0


@hot
def find_conflicts(x: Cells, k: Cells) -> None:
    """M4.5: banks with an urgent conflict; M4.1: who is masked."""
    if x[CONFLICTS]:
        for b in range(k[K_BANKS]):
            x[B_CONFLICT + b] = 0
        x[CONFLICTS] = 0
    x[MASKED] = 0
    x[MASKED_W] = 0
    if x[URGENT] | x[URGENT_W]:
        for d in range(2):
            rest = x[URGENT + d] & x[FREE + d] & ~x[RAW + d] & ~x[HIT + d] & ~x[SHUT + d]
            while rest:
                b = x[E_BANK + d * 64 + lowest(rest)]
                rest &= ~x[B_IN + d * MAX_BANKS + b]
                x[B_CONFLICT + b] = 1
                x[CONFLICTS] = 1
                x[MASKED] |= x[B_IN + b] & ~x[URGENT]
                x[MASKED_W] |= x[B_IN + MAX_BANKS + b] & ~x[URGENT_W]
    if x[ALL_HELD]:
        x[MASKED] = x[ALL]
        x[MASKED_W] = x[ALL_W]
    elif x[HELD]:
        rest = x[HELD]
        while rest:
            b = x[SET] * k[K_PER_SID] + lowest(rest)
            rest &= rest - 1
            x[MASKED] |= x[B_IN + b]
            x[MASKED_W] |= x[B_IN + MAX_BANKS + b]


@hot
def oldest_legal_column(x: Cells, k: Cells, d: int, choice: int, t: int) -> int:
    """M4.2 within one class: rank of the oldest entry whose command is legal at t, or -1."""
    bank_at = B_RD if d == READ else B_WR
    group_at = G_RD if d == READ else G_WR
    while choice:
        r = lowest(choice)
        b = x[E_BANK + d * 64 + r]
        if x[bank_at + b] <= t and x[group_at + b // k[K_PER_GROUP]] <= t:
            if d == WRITE or x[S_RD + b // k[K_PER_SID]] <= t:
                return r
        choice &= ~x[B_IN + d * MAX_BANKS + b]
    return -1


@hot
def wants_close(x: Cells, k: Cells, d: int, b: int, t: int) -> bool:
    """M4.3."""
    policy = k[K_PAGE]
    if policy == 0 or k[K_AP] == 0 or x[(B_RDA if d == READ else B_WRA) + b] > t:
        return False
    if policy == 3:
        return True
    hits = x[B_HIT + b]
    hits_w = x[B_HIT + MAX_BANKS + b]
    if count(hits) + count(hits_w) != 1:
        return False
    if policy == 1:
        return True
    others = (x[B_IN + b] & ~hits & x[FREE] & ~x[RAW]) | (x[B_IN + MAX_BANKS + b] & ~hits_w & x[FREE_W] & ~x[RAW_W])
    return others != 0


@hot
def decide_columns(x: Cells, k: Cells, n: int, pc: int, allowed: bool) -> None:
    """M4: column pick and direction."""
    d = x[DIRECTION]
    o = 1 - d
    x[C_RANK] = -1
    x[N_DIRECTION] = d
    choice = x[HIT + d] & x[FREE + d] & x[WHOLE + d] & ~x[MASKED + d]
    others = x[HIT + o] & x[FREE + o] & x[WHOLE + o] & ~x[MASKED + o]
    if choice and allowed:
        t = 2 * n + pc
        path = True
        if d == READ:
            if x[RD_PICKED + (x[RD_PATH] & 63)] + k[K_RD_DATA + pc] >= n:
                path = False
        elif x[WR_PICKED + (x[WR_PATH] & 15)] + k[K_WR_DATA + pc] >= n:
            path = False
        if path and x[T_COL + d] <= t:
            r = -1
            if choice & x[URGENT + d]:
                r = oldest_legal_column(x, k, d, choice & x[URGENT + d], t)
            if r < 0:
                r = oldest_legal_column(x, k, d, choice & ~x[URGENT + d], t)
            if r >= 0:
                x[C_RANK] = r
                x[C_CLOSE] = 1 if wants_close(x, k, d, x[E_BANK + d * 64 + r], t) else 0
    # M4.4
    mine = x[ALL + d] != 0
    theirs = x[ALL + o] != 0
    turn = False
    if theirs:
        if not mine:
            turn = True  # (e)
        elif others:
            h = count(choice)
            many = count(others)
            idle = n - x[LAST] - 1
            if idle > 255:
                idle = 255
            if h <= k[K_LOW]:
                writes = count(x[ALL_W])
                if many >= h + k[K_GAIN] and (d == WRITE or writes >= k[K_WRITE_LOW]):
                    turn = True  # (a)
                elif d == READ and writes >= k[K_WRITE_HIGH]:
                    turn = True  # (b)
            if idle >= k[K_IDLE] and idle >= 1:
                turn = True  # (c)
            if others & x[URGENT + o] and (not choice & x[URGENT + d] or x[PICKS] >= 32):
                turn = True  # (d)
    elif d == WRITE and not mine:
        turn = True  # (f)
    if turn:
        x[N_DIRECTION] = o


@hot
def decide_offers(x: Cells, k: Cells, n: int, owed: bool, stopped: bool) -> None:
    """M5.1: which of the picked row commands are offered."""
    t = 2 * n + 1
    x[O_ACT] = 0
    x[O_SHORT] = 0
    cmd = x[P_SHORT]
    overriding = False
    if cmd:
        b = x[P_SHORT_BANK]
        since = 0
        wanted = False
        if cmd == PRE:
            held = is_held(x, k, b)
            since = x[B_PRE + b] if x[B_PRE + b] > x[T_PRE] else x[T_PRE]
            wanted = x[B_ROW + b] >= 0 and (held or not is_kept(x, b))
            overriding = k[K_GEN] == 2 and x[P_SHORT_URGENT] == 1 and x[P_ACT_URGENT] == 0
        elif cmd == PREA:
            since = prea_from(x, k)
            wanted = (x[ALL_HELD] == 1 and owed) or (stopped and x[OPEN] > 0)
            overriding = True
        elif cmd == REF:
            since = ref_from(x, k)
            wanted = x[ALL_HELD] == 1 and owed
            overriding = True
        else:
            since = act_from(x, k, b)
            for other in (pc_act_from(x, k), x[S_REFSB + x[SET]]):
                if other > since:
                    since = other
            held = is_held(x, k, b)
            in_set = b // k[K_PER_SID] == x[SET] and (x[LEFT] >> (b % k[K_PER_SID])) & 1 == 1
            alone = held or (x[B_IN + b] | x[B_IN + MAX_BANKS + b]) == 0
            wanted = owed and k[K_ALL_BANK] == 0 and in_set and alone
            overriding = held
        if wanted and since <= t:
            x[O_SHORT] = cmd
            x[O_EARLY] = 1 if since <= t - 1 else 0
        else:
            overriding = False
    if x[P_ACT] and not overriding:
        b = x[P_ACT_BANK]
        if act_from(x, k, b) <= t and pc_act_from(x, k) <= t and not is_held(x, k, b):
            x[O_ACT] = 1


@hot
def grant(a: Cells, b: Cells, gen: int) -> None:
    """M5.3: a is the first PC, b the other one."""
    a[G_ACT] = 0
    a[G_SHORT] = 0
    b[G_ACT] = 0
    b[G_SHORT] = 0
    if not (a[O_ACT] | a[O_SHORT] | b[O_ACT] | b[O_SHORT]):
        return
    short = a[O_SHORT]
    pre = short == PRE or short == PREA
    if a[O_ACT]:
        a[G_ACT] = 1
        if gen > 2:
            beside(a, b)
    elif short and not (gen > 2 and pre and b[O_ACT]):
        a[G_SHORT] = short
        a[G_SLOT] = 0 if a[O_EARLY] else 1
        if b[O_SHORT] and (a[G_SLOT] == 0 or b[O_EARLY]):
            b[G_SHORT] = b[O_SHORT]
            b[G_SLOT] = 1 - a[G_SLOT]
    elif b[O_ACT]:
        b[G_ACT] = 1
        if gen > 2:
            beside(b, a)
    elif b[O_SHORT]:
        b[G_SHORT] = b[O_SHORT]
        b[G_SLOT] = 0 if b[O_EARLY] else 1


@hot
def beside(a: Cells, b: Cells) -> None:
    """M5.3, HBM3/4: slot B beside the ACT of a."""
    if b[O_SHORT] == PRE or b[O_SHORT] == PREA:
        b[G_SHORT] = b[O_SHORT]
        b[G_SLOT] = 1
    elif a[O_SHORT] == PRE:
        a[G_SHORT] = PRE
        a[G_SLOT] = 1


@hot
def by_class(x: Cells, wanted: int, wanted_w: int) -> int:
    """M5.5: of two sets (reads, writes) the one that is looked at first: code 2 * direction + urgent, -1 for none."""
    d = x[DIRECTION]
    urgent = 1 if (wanted & x[URGENT]) | (wanted_w & x[URGENT_W]) else 0
    if urgent:
        wanted &= x[URGENT]
        wanted_w &= x[URGENT_W]
    mine = wanted_w if d == WRITE else wanted
    theirs = wanted if d == WRITE else wanted_w
    if mine:
        return 2 * d + urgent
    if theirs:
        return 2 * (1 - d) + urgent
    return -1


@hot
def pick_act(x: Cells, k: Cells, n: int) -> None:
    """M5.4, M5.5: the next ACT, seen from S(n)."""
    x[N_ACT] = 0
    t = 2 * n + 3
    out_bank = -1
    out_group = -1
    out_short = -1
    if x[O_ACT]:
        out_bank = x[P_ACT_BANK]
        if k[K_RRDL] > 2:
            out_group = out_bank // k[K_PER_GROUP]
    if x[O_SHORT] == PRE or x[O_SHORT] == REFSB:
        out_short = x[P_SHORT_BANK]
    if x[ALL_HELD]:
        return
    wanted = x[SHUT] & x[FREE] & ~x[RAW]
    wanted_w = x[SHUT_W] & x[FREE_W] & ~x[RAW_W]
    # One bank after the other is struck out until the oldest of the best class has a bank that may be activated.
    while wanted | wanted_w:
        code = by_class(x, wanted, wanted_w)
        d = code >> 1
        rest = wanted_w if d == WRITE else wanted
        if code & 1:
            rest &= x[URGENT + d]
        r = lowest(rest)
        b = x[E_BANK + d * 64 + r]
        g = b // k[K_PER_GROUP]
        if (
            x[B_ACT + b] <= t
            and x[G_ACTS + g] <= t
            and b != out_bank
            and g != out_group
            and b != out_short
            and not is_held(x, k, b)
        ):
            x[N_ACT] = 1
            x[N_ACT_BANK] = b
            x[N_ACT_ROW] = x[E_ROW + d * 64 + r]
            x[N_ACT_URGENT] = code & 1
            return
        wanted &= ~x[B_IN + b]
        wanted_w &= ~x[B_IN + MAX_BANKS + b]


@hot
def pick_short(x: Cells, k: Cells, n: int, owed: bool, stopped: bool) -> None:
    """M5.4, M5.6: the next PRE, PREA, REFSB or REF, seen from S(n)."""
    x[N_SHORT] = 0
    x[N_SHORT_URGENT] = 0
    x[N_SHORT_BANK] = 0
    t = 2 * n + 3
    if (x[ALL_HELD] and owed) or (stopped and x[OPEN] > 0):
        if x[OPEN] > 0:
            if x[O_SHORT] != PREA and prea_from(x, k) <= t:
                x[N_SHORT] = PREA
        elif x[O_SHORT] != REF and ref_from(x, k) <= t:
            x[N_SHORT] = REF
        return
    out_bank = x[P_ACT_BANK] if x[O_ACT] else -1
    out_short = x[P_SHORT_BANK] if x[O_SHORT] == PRE or x[O_SHORT] == REFSB else -1
    base = x[SET] * k[K_PER_SID]
    legal = False
    if not stopped and (owed or x[HELD]):
        legal = pc_act_from(x, k) <= t and x[S_REFSB + x[SET]] <= t
    if x[HELD]:
        if legal:  # a bank held for a debt that has just been paid is picked too, and then not offered
            rest = x[HELD]
            while rest:
                b = base + lowest(rest)
                rest &= rest - 1
                if x[B_ROW + b] < 0 and act_from(x, k, b) <= t:
                    # The lowest one decides; when it is left out there is no second choice.
                    if b != out_bank and b != out_short:
                        x[N_SHORT] = REFSB
                        x[N_SHORT_BANK] = b
                        return
                    break
        rest = x[HELD]
        while rest:
            b = base + lowest(rest)
            rest &= rest - 1
            if x[B_ROW + b] >= 0 and x[B_PRE + b] <= t and x[T_PRE] <= t:
                if b != out_bank and b != out_short:
                    x[N_SHORT] = PRE
                    x[N_SHORT_BANK] = b
                    return
                break
    if x[T_PRE] <= t:
        wanted = x[ALL] & ~x[HIT] & ~x[SHUT] & x[FREE] & ~x[RAW]
        wanted_w = x[ALL_W] & ~x[HIT_W] & ~x[SHUT_W] & x[FREE_W] & ~x[RAW_W]
        while wanted | wanted_w:
            code = by_class(x, wanted, wanted_w)
            d = code >> 1
            rest = wanted_w if d == WRITE else wanted
            if code & 1:
                rest &= x[URGENT + d]
            b = x[E_BANK + d * 64 + lowest(rest)]
            if x[B_PRE + b] <= t and b != out_bank and b != out_short and not is_held(x, k, b) and not is_kept(x, b):
                x[N_SHORT] = PRE
                x[N_SHORT_BANK] = b
                x[N_SHORT_URGENT] = code & 1
                return
            wanted &= ~x[B_IN + b]
            wanted_w &= ~x[B_IN + MAX_BANKS + b]
    if legal and owed and not k[K_ALL_BANK]:
        best = -1
        rest = x[LEFT]
        while rest:
            b = base + lowest(rest)
            rest &= rest - 1
            if (
                x[B_ROW + b] < 0
                and x[B_IN + b] | x[B_IN + MAX_BANKS + b] == 0
                and act_from(x, k, b) <= t
                and (best < 0 or x[B_LAST + b] > x[B_LAST + best])
            ):
                best = b
        if best >= 0 and best != out_bank and best != out_short:
            x[N_SHORT] = REFSB
            x[N_SHORT_BANK] = best


@hot
def decide_held(x: Cells, k: Cells, owed: bool) -> None:
    """M6.2, M6.3: which banks are held from the next cycle on."""
    x[N_HELD] = 0
    x[N_ALL_HELD] = 0
    if not owed:
        return
    if k[K_ALL_BANK]:
        hold = k[K_HOLD]
        hold = 1 if hold < 1 else 8 if hold > 8 else hold
        if x[ALL_HELD] or x[DEBT] >= hold or x[ALL] | x[ALL_W] == 0:
            x[N_ALL_HELD] = 1
        return
    hold = k[K_HOLD] if k[K_HOLD] > 1 else 1
    x[N_HELD] = x[HELD]
    if x[DEBT] >= hold + 4:
        x[N_HELD] = x[LEFT]
    elif x[DEBT] >= hold and x[HELD] == 0:
        base = x[SET] * k[K_PER_SID]
        for kind in range(3):
            rest = x[LEFT]
            while rest:
                i = lowest(rest)
                rest &= rest - 1
                b = base + i
                if kind == 2 or (x[B_ROW + b] < 0 if kind == 0 else x[B_HIT + b] | x[B_HIT + MAX_BANKS + b] == 0):
                    x[N_HELD] = 1 << i
                    return


# ------------------------------------------------------------------ one cycle


@hot
def emit(out: Table, at: int, half_ck: int, cmd: int, pc: int, b: int, row: int, col: int) -> None:
    """Append a command to the list."""
    out[at, 0] = half_ck
    out[at, 1] = cmd
    out[at, 2] = pc
    out[at, 3] = b
    out[at, 4] = row
    out[at, 5] = col


@hot
def apply_pc(x: Cells, k: Cells, n: int, pc: int, out: Table, at: int) -> int:
    """Effects of this cycle's picks and grants on S(n + 1), and their place in the list of commands."""
    base = 4 * (n + 3)  # half CK on the pins: picked in n, registered in n + 1, pins in n + 3 (M1.6, M8.1)
    r = x[C_RANK]
    d = x[DIRECTION]
    if r >= 0:
        e = d * 64 + r
        b = x[E_BANK + e]
        close = x[C_CLOSE]
        emit(out, at, base + 2 * pc, (RD if d == READ else WR) + close, pc, b, x[B_ROW + b], x[E_COL + e])
        at += 1
        req = x[E_REQ + e]
        if d == READ:
            fly = (x[FLY] + x[FLY_N]) & 255
            x[FLY_REQ + fly] = req
            x[FLY_AT + fly] = n + k[K_RD_DATA + pc]
            x[FLY_N] += 1
            x[RD_PICKED + (x[RD_PATH] & 63)] = n
            x[RD_PATH] += 1
            if req >= 0:
                x[HOST] -= 1
            else:
                x[RESERVED] -= 1
        else:
            x[WR_PICKED + (x[WR_PATH] & 15)] = n
            x[WR_PATH] += 1
        remove(x, d, r)
        did_column(x, k, d, b, close, 2 * n + pc)
        x[PICKS] += 1
        x[LAST] = n
    if x[N_DIRECTION] != d:
        x[DIRECTION] = x[N_DIRECTION]
        x[PICKS] = 0
        x[LAST] = n
    if x[G_ACT]:
        b = x[P_ACT_BANK]
        emit(out, at, base, ACT, pc, b, x[P_ACT_ROW], 0)
        at += 1
        did_act(x, k, b, x[P_ACT_ROW], 2 * n + 1)
    x[HELD] = x[N_HELD]
    x[ALL_HELD] = x[N_ALL_HELD]
    cmd = x[G_SHORT]
    if cmd:
        b = x[P_SHORT_BANK]
        slot = x[G_SLOT]
        fall = 1 if k[K_GEN] > 2 and (cmd == PRE or cmd == PREA) else 0
        emit(out, at, base + 2 * slot + fall, cmd, pc, b, 0, 0)
        at += 1
        if cmd == REFSB:
            x[HELD] &= ~(1 << (b % k[K_PER_SID]))
            x[DEBT] -= 1
        elif cmd == REF:
            x[ALL_HELD] = 0
            x[DEBT] -= 1
        did_short(x, k, cmd, b, 2 * n + slot)
    # M5.4: what was offered in vain stays, all else is replaced.
    if not (x[O_ACT] and not x[G_ACT]):
        x[P_ACT] = x[N_ACT]
        x[P_ACT_BANK] = x[N_ACT_BANK]
        x[P_ACT_ROW] = x[N_ACT_ROW]
        x[P_ACT_URGENT] = x[N_ACT_URGENT]
    if not (x[O_SHORT] and not x[G_SHORT]):
        x[P_SHORT] = x[N_SHORT]
        x[P_SHORT_BANK] = x[N_SHORT_BANK]
        x[P_SHORT_URGENT] = x[N_SHORT_URGENT]
    return at


@hot
def count_due(x: Cells, k: Cells, n: int) -> None:
    """M6.1: what cycle n does to the debt besides refreshes."""
    if k[K_REFRESH] == 0:
        x[DEBT] = 0
    elif x[DUE] <= 2 * n + 1:
        x[DEBT] += 1
        x[DUE] += k[K_INTERVAL]
    if x[CONVERT]:
        x[CONVERT] = 0
        if x[DEBT] > 0:
            x[DEBT] = 1 if k[K_ALL_BANK] else k[K_BANKS]


@hot
def quiet(x: Cells) -> bool:
    """True when the PC has nothing to decide: no entry, no row command picked, no refresh, not stopped."""
    return (
        x[ALL] | x[ALL_W] | x[P_ACT] | x[P_SHORT] | x[DEBT] | x[HELD] | x[ALL_HELD] | x[DIRECTION] | x[STOPPED]
    ) == 0


@hot
def complete_merge(x: Cells, req: int) -> None:
    """M3.3: the data of the read of write `req` is here; the write is complete from the next cycle on."""
    rest = x[ALL_W]
    while rest:
        r = lowest(rest)
        rest &= rest - 1
        if x[E_REQ + 64 + r] == req:
            x[WHOLE_W] |= 1 << r


@hot
def step_pc(x: Cells, k: Cells, n: int, pc: int, allowed: bool, stopped: bool) -> bool:
    """Everything that one PC decides in n before the row bus is granted."""
    owed = allowed and not stopped and x[DEBT] > 0
    if stopped:
        x[ALL_HELD] = 1
    find_conflicts(x, k)
    decide_columns(x, k, n, pc, allowed)
    decide_offers(x, k, n, owed, stopped)
    # M3.3
    x[N_START] = -1
    if x[RAW_W] and x[RESERVED] < RESERVED_ENTRIES:
        rest = x[RAW_W]
        while rest:
            r = lowest(rest)
            rest &= rest - 1
            if x[E_WAITS_W + 64 + r] == 0:
                x[N_START] = r
                break
    return owed


@hot
def start_merge(x: Cells, k: Cells, req: int) -> None:
    """M3.3: the write of request `req` starts; its read is in the read queue from the next cycle on."""
    rest = x[ALL_W]
    while rest:
        r = lowest(rest)
        rest &= rest - 1
        if x[E_REQ + 64 + r] == req:
            bit = 1 << r
            e = 64 + r
            x[RAW_W] &= ~bit
            x[RESERVED] += 1
            new = 1 << enqueue(x, k, READ, x[E_BANK + e], x[E_ROW + e], x[E_COL + e], -1 - req, False, True)
            if x[AGED_W] & bit:
                x[AGED] |= new
            if x[URGENT_W] & bit:
                x[URGENT] |= new
            return
