"""Counters of a PC: commands, rows, turn-arounds and stall causes (docs/microarchitecture.md M9.1, M9.3)."""

from __future__ import annotations

from hbm_model._hot import Cells, hot, lowest
from hbm_model._places import (
    ALL,
    ALL_HELD,
    ALL_W,
    B_ACT,
    B_HIT,
    B_IN,
    B_PARTED,
    B_PICKED,
    B_RD,
    B_REFRESHED,
    B_ROW,
    B_WR,
    C_BEFORE,
    C_OTHERS,
    C_RANK,
    C_READY,
    DIRECTION,
    E_BANK,
    FREE,
    FREE_W,
    G_ACT,
    G_SHORT,
    HELD,
    K_BANKS,
    K_PER_SID,
    MAX_BANKS,
    N_ACTS,
    N_BUSY,
    N_PRE,
    N_RD,
    N_REF_ALL,
    N_REFSB,
    N_ROW_CLOSED,
    N_ROW_CONFLICT,
    N_ROW_HIT,
    N_STALL_ACTIVATE,
    N_STALL_BANK,
    N_STALL_COLUMN,
    N_STALL_EMPTY,
    N_STALL_HAZARD,
    N_STALL_OFF,
    N_STALL_REFRESH,
    N_STALL_TURN,
    N_TURNAROUND,
    N_WR,
    P_ACT_BANK,
    P_SHORT_BANK,
    PRE,
    PREA,
    RAW,
    RAW_W,
    READ,
    REFRESHING,
    REFSB,
    RFC_UNTIL,
    SET,
    SHUT,
)


@hot
def part(x: Cells, b: int) -> None:
    """A PRE or PREA of the bank is granted: remember whether an able entry wants another row of it."""
    if x[B_ROW + b] >= 0:
        others = x[B_IN + b] & ~x[B_HIT + b] & x[FREE] & ~x[RAW]
        others_w = x[B_IN + MAX_BANKS + b] & ~x[B_HIT + MAX_BANKS + b] & x[FREE_W] & ~x[RAW_W]
        if others | others_w:
            x[B_PARTED + b] = 1


@hot
def opened(x: Cells, d: int, ready: int, t: int) -> bool:
    """True when RCD has passed for one of the ready entries of a direction."""
    since = B_RD if d == READ else B_WR
    while ready:
        b = x[E_BANK + d * 64 + lowest(ready)]
        if x[since + b] <= t:
            return True
        ready &= ~x[B_IN + d * MAX_BANKS + b]
    return False


@hot
def stall_cause(x: Cells, k: Cells, n: int, pc: int, allowed: bool, stopped: bool) -> int:
    """M9.3 (2) to (9), on S(n): the place of the counter."""
    if not allowed or stopped:
        return N_STALL_OFF
    if (x[ALL] | x[ALL_W]) == 0:
        return N_STALL_EMPTY
    d = x[DIRECTION]
    if opened(x, d, x[C_READY], 2 * n + pc):
        return N_STALL_COLUMN
    if opened(x, 1 - d, x[C_OTHERS], 2 * n + pc):
        return N_STALL_TURN
    able = x[FREE] & ~x[RAW]
    able_w = x[FREE_W] & ~x[RAW_W]
    if (able | able_w) == 0:
        return N_STALL_HAZARD
    if x[ALL_HELD]:
        return N_STALL_REFRESH
    t = 2 * n + 3
    rest = x[HELD]
    while rest:
        b = x[SET] * k[K_PER_SID] + lowest(rest)
        rest &= rest - 1
        if (x[B_IN + b] & able) | (x[B_IN + MAX_BANKS + b] & able_w):
            return N_STALL_REFRESH
    for half in range(2):
        rest = x[REFRESHING + half]
        while rest:
            i = lowest(rest)
            rest &= rest - 1
            b = 32 * half + i
            if x[B_REFRESHED + b] == 0 or (x[B_ACT + b] <= t and x[RFC_UNTIL] <= t):
                x[REFRESHING + half] &= ~(1 << i)
            elif (x[B_IN + b] & able) | (x[B_IN + MAX_BANKS + b] & able_w):
                return N_STALL_REFRESH
    for d in range(2):
        rest = (able if d == READ else able_w) & x[SHUT + d]
        while rest:
            b = x[E_BANK + d * 64 + lowest(rest)]
            if x[B_ACT + b] <= t:
                return N_STALL_ACTIVATE
            rest &= ~x[B_IN + d * MAX_BANKS + b]
    return N_STALL_BANK


@hot
def count_cycle(x: Cells, k: Cells, n: int, pc: int, allowed: bool, stopped: bool) -> None:
    """What cycle n counts, seen on S(n) and on its picks and grants."""
    if x[G_ACT]:
        b = x[P_ACT_BANK]
        x[N_ACTS] += 1
        x[B_PICKED + b] = 0
        x[B_REFRESHED + b] = 0
    cmd = x[G_SHORT]
    if cmd:
        if cmd == PRE:
            x[N_PRE] += 1
            part(x, x[P_SHORT_BANK])
        elif cmd == PREA:
            x[N_PRE] += 1
            for b in range(k[K_BANKS]):
                part(x, b)
        elif cmd == REFSB:
            x[N_REFSB] += 1
        else:
            x[N_REF_ALL] += 1
    r = x[C_RANK]
    if r < 0:
        x[stall_cause(x, k, n, pc, allowed, stopped)] += 1
    else:
        d = x[DIRECTION]
        b = x[E_BANK + d * 64 + r]
        x[N_BUSY] += 1
        x[N_RD if d == READ else N_WR] += 1
        if d != x[C_BEFORE]:
            x[N_TURNAROUND] += 1
            x[C_BEFORE] = d
        if x[B_PICKED + b]:
            x[N_ROW_HIT] += 1
        else:
            x[B_PICKED + b] = 1
            x[N_ROW_CONFLICT if x[B_PARTED + b] else N_ROW_CLOSED] += 1
            x[B_PARTED + b] = 0
