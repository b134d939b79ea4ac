"""Rows beyond what the queues say: predictor and time-out of each bank (docs/microarchitecture.md M4.8)."""

from __future__ import annotations

from hbm_model._hot import Cells, hot
from hbm_model._places import (
    B_ASKED,
    B_COUNT,
    B_OLD,
    B_ROW,
    B_STALE,
    B_USED,
    C_RANK,
    DIRECTION,
    E_BANK,
    G_ACT,
    G_SHORT,
    K_BANKS,
    P_ACT_BANK,
    P_ACT_ROW,
    P_SHORT_ASKED,
    P_SHORT_BANK,
    PRE,
    STALE,
)


@hot
def freshen(x: Cells, b: int) -> None:
    """The bank is used, or closed: it is not stale from the next cycle on."""
    x[STALE] -= x[B_STALE + b]
    x[B_STALE + b] = 0


@hot
def watch_rows(x: Cells, k: Cells, beat: bool) -> None:
    """Effects of the picks and grants of a cycle, and of a beat of page_timeout, before they move the banks."""
    act = x[P_ACT_BANK] if x[G_ACT] else -1
    column = x[E_BANK + x[DIRECTION] * 64 + x[C_RANK]] if x[C_RANK] >= 0 else -1
    if beat:
        for b in range(k[K_BANKS]):
            if x[B_ROW + b] >= 0 and x[B_USED + b] == 0:
                x[STALE] += 1 - x[B_STALE + b]
                x[B_STALE + b] = 1
            x[B_USED + b] = 0
    if column >= 0:
        freshen(x, column)
        x[B_USED + column] = 1
    if act >= 0:
        freshen(x, act)
        x[B_USED + act] = 1
        row = x[P_ACT_ROW]
        if x[B_OLD + act] == row:
            if x[B_COUNT + act] < 3:
                x[B_COUNT + act] += 1  # closing was wrong
        elif x[B_OLD + act] >= 0 and x[B_ASKED + act] and x[B_COUNT + act] > 0:
            x[B_COUNT + act] -= 1  # keeping it open was wrong
        x[B_OLD + act] = row
        x[B_ASKED + act] = 0
    if x[G_SHORT] == PRE and x[P_SHORT_ASKED]:
        x[B_ASKED + x[P_SHORT_BANK]] = 1
