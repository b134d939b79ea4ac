"""Refresh of a PC: what is owed or may run ahead, and which banks are held (docs/microarchitecture.md M6)."""

from __future__ import annotations

from typing import Final

from hbm_model._hot import Cells, hot, lowest
from hbm_model._places import (
    ALL,
    ALL_HELD,
    ALL_W,
    B_HIT,
    B_ROW,
    CONVERT,
    DEBT,
    DUE,
    FORCED,
    HELD,
    K_ALL_BANK,
    K_HOLD,
    K_INTERVAL,
    K_PER_SID,
    K_PULL,
    K_REFRESH,
    LAST,
    LEFT,
    MAX_BANKS,
    N_ALL_HELD,
    N_HELD,
    RETUNED,
    SET,
)

OWED: Final = 1  # answers of `due_now`; 0: no refresh is due
EARLY: Final = 2
RETUNE: Final = 32  # added to the debt in RETUNED, so that 0 means that nothing changed
EARLY_IDLE: Final = 32  # cycles without a pick or change of direction before a refresh runs ahead (M6.7)


@hot
def all_hold(k: Cells) -> int:
    """M6.3: the debt at which all banks are held."""
    hold = k[K_HOLD]
    return 1 if hold < 1 else 8 if hold > 8 else hold


@hot
def pull(k: Cells) -> int:
    """M6.7: refreshes that may run ahead."""
    most = k[K_PULL]
    if k[K_ALL_BANK] and most > 8 - all_hold(k):
        most = 8 - all_hold(k)
    return most


@hot
def retuned(debt: int, before: int) -> int:
    """M6.7: the debt after a change of hold or of the pull, which was `before`; plus RETUNE."""
    since = debt + before
    return RETUNE + (since if since < 8 else 8)


@hot
def due_now(x: Cells, k: Cells, n: int, allowed: bool, stopped: bool) -> int:
    """M6.1, M6.7: whether a refresh is owed, or early, in S(n)."""
    if not allowed or stopped:
        return 0
    if x[DEBT] > 0:
        return OWED
    if k[K_PULL] and k[K_REFRESH] and (x[ALL] | x[ALL_W]) == 0 and n - x[LAST] - 1 >= EARLY_IDLE and x[DEBT] > -pull(k):
        return EARLY
    return 0


@hot
def decide_held(x: Cells, k: Cells, due: int) -> None:
    """M6.2, M6.3, M6.8: which banks are held from the next cycle on."""
    x[N_HELD] = 0
    x[N_ALL_HELD] = 0
    if due == 0 or (due == EARLY and k[K_ALL_BANK] == 0):
        return
    if k[K_ALL_BANK] or x[FORCED]:
        if due == EARLY or x[FORCED] or x[ALL_HELD] or x[DEBT] >= all_hold(k) or x[ALL] | x[ALL_W] == 0:
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


@hot
def count_due(x: Cells, k: Cells, n: int) -> None:
    """M6.1, M6.7, M6.8: what cycle n does to the debt besides refreshes."""
    if k[K_REFRESH] == 0:
        x[DEBT] = 0
        x[FORCED] = 0
    elif x[DUE] <= 2 * n + 1:
        x[DEBT] += 1
        x[DUE] += k[K_INTERVAL]
    if x[RETUNED]:
        if k[K_REFRESH]:
            x[DEBT] = x[RETUNED] - RETUNE
        x[RETUNED] = 0
    if x[FORCED]:
        x[DEBT] = 1 if x[FORCED] == 1 else 0
        if x[FORCED] == 2:
            x[FORCED] = 0
    if x[CONVERT]:
        x[CONVERT] = 0
        x[DEBT] = 1
        x[FORCED] = 1
