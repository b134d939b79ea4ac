"""One cycle of a PC: its decisions together, and their effects (docs/microarchitecture.md M1.6)."""

from __future__ import annotations

from hbm_model._banks import did_act, did_column, did_short
from hbm_model._columns import decide_columns, find_conflicts
from hbm_model._hot import Cells, Table, hot, lowest
from hbm_model._places import (
    ACT,
    ALL,
    ALL_HELD,
    ALL_W,
    B_ROW,
    C_CLOSE,
    C_RANK,
    CHAMP,
    CHAMP_QUEUE,
    DEBT,
    DIRECTION,
    E_BANK,
    E_COL,
    E_REQ,
    E_WAITS_W,
    FLY,
    FLY_AT,
    FLY_N,
    FLY_REQ,
    FORCED,
    G_ACT,
    G_SHORT,
    G_SLOT,
    HELD,
    K_GEN,
    K_PER_SID,
    K_PULL,
    K_RD_DATA,
    K_REFRESH,
    K_TIMEOUT,
    LAST,
    N_ACT,
    N_ACT_BANK,
    N_ACT_ROW,
    N_ACT_URGENT,
    N_ALL_HELD,
    N_CHAMP,
    N_CHAMP_QUEUE,
    N_DIRECTION,
    N_HELD,
    N_SERVED,
    N_SHORT,
    N_SHORT_ASKED,
    N_SHORT_BANK,
    N_SHORT_URGENT,
    N_START,
    O_ACT,
    O_SHORT,
    OPEN,
    P_ACT,
    P_ACT_BANK,
    P_ACT_ROW,
    P_ACT_URGENT,
    P_SHORT,
    P_SHORT_ASKED,
    P_SHORT_BANK,
    P_SHORT_URGENT,
    PICKS,
    PRE,
    PREA,
    RAW_W,
    RD,
    RD_PATH,
    RD_PICKED,
    READ,
    REF,
    REFSB,
    RESERVED,
    RESERVED_ENTRIES,
    SERVED,
    STALE,
    STOPPED,
    WR,
    WR_PATH,
    WR_PICKED,
)
from hbm_model._queues import remove
from hbm_model._refresh import due_now, pull
from hbm_model._rows import decide_offers


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
        else:
            x[WR_PICKED + (x[WR_PATH] & 15)] = n
            x[WR_PATH] += 1
        remove(x, d, r)
        did_column(x, k, d, b, close, 2 * n + pc)
        x[PICKS] += 1
        x[LAST] = n
    if x[N_CHAMP] >= 0:
        x[CHAMP_QUEUE] = x[N_CHAMP_QUEUE]
        if x[N_CHAMP_QUEUE] != d or x[N_CHAMP] != r:
            x[CHAMP + x[N_CHAMP_QUEUE]] = 1 << x[N_CHAMP]
    x[SERVED] = x[N_SERVED]
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
            if x[FORCED]:  # M6.8
                x[FORCED] = 2
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
        x[P_SHORT_ASKED] = x[N_SHORT_ASKED]
    return at


@hot
def quiet(x: Cells, k: Cells, allowed: bool) -> bool:
    """True when the PC has nothing to decide: no entry, no row command picked, no refresh, not stopped."""
    if x[ALL] | x[ALL_W] | x[P_ACT] | x[P_SHORT] | x[HELD] | x[ALL_HELD] | x[DIRECTION] | x[STOPPED]:
        return False
    if x[DEBT] > 0 or (x[OPEN] > 0 and (k[K_TIMEOUT] > 0 or x[STALE] > 0)):
        return False
    return not (k[K_PULL] and k[K_REFRESH] and allowed and x[DEBT] > -pull(k))  # M6.7


@hot
def step_pc(x: Cells, k: Cells, n: int, pc: int, allowed: bool, stopped: bool) -> int:
    """Everything that one PC decides in n before the row bus is granted; gives `due_now`."""
    due = due_now(x, k, n, allowed, stopped)
    if stopped:
        x[ALL_HELD] = 1
    find_conflicts(x, k)
    decide_columns(x, k, n, pc, allowed)
    decide_offers(x, k, n, due != 0, stopped)
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
    return due
