"""R and B of a port (docs/microarchitecture.md M2.5, M2.8), and the READY of the outside (docs/bench.md)."""

from __future__ import annotations

from typing import Final

import numpy as np

from hbm_model import _places as m
from hbm_model._hot import Cells, hot
from hbm_model._jit import jit_enabled
from hbm_model._port_places import (
    ALWAYS,
    B_AT,
    B_COLUMNS,
    B_DEPTH,
    B_ID,
    B_N,
    B_OUT,
    B_RESP,
    D_AT,
    D_LIST,
    D_N,
    E_SLOT,
    F_AT,
    F_LIST,
    F_N,
    FORWARD_AT,
    FORWARD_FROM,
    FORWARD_N,
    FORWARD_SLOT,
    ID_OLD,
    R_BURST,
    R_COLUMNS,
    R_ID,
    R_LAST,
    R_LEFT,
    R_LEVEL,
    R_OUT,
    R_RESP,
    S_BEATS,
    S_BURST,
    S_DATA,
    S_ID,
    S_LAST,
    S_LINK,
    S_RESP,
    S_SINCE,
    SEED,
    SLOT_FREE,
    SLOTS,
    SLVERR,
    SOURCE,
    UNANSWERED,
    USED,
    WRITES,
)
from hbm_model._queues import complete_merge

_M64: Final = (1 << 64) - 1
LATENCY: Final = 1 << 16  # cycles; latencies are counted modulo this (M9.4)

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


@hot
def send_slot(x: Cells, slot: int, n: int) -> None:
    """The slot moves into the R register; its successor becomes the oldest of the id."""
    ident = x[S_ID + slot]
    if x[S_RESP + slot] < SLVERR:  # M9.4
        cycles = (n - x[S_SINCE + slot]) & (LATENCY - 1)
        place = m.N_LAT_16
        while place > m.N_LAT_MORE and cycles >= 16:
            cycles >>= 1
            place -= 1
        x[place] += 1
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
def send_next(x: Cells, n: int) -> bool:
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
            send_slot(x, slot, n)
            return True
    return False


@hot
def arrive(x: Cells, slot: int, n: int, room: bool) -> None:
    """M2.5: the data of a slot; room: the R register takes it if it is the oldest of its id."""
    if x[ID_OLD + x[S_ID + slot]] != slot:
        x[S_DATA + slot] = 1
    elif room:
        send_slot(x, slot, n)
    else:
        x[D_LIST + ((x[D_AT] + x[D_N]) & (SLOTS - 1))] = slot
        x[D_N] += 1


@hot
def responses(x: Cells, t: Cells, n: int, pc: int) -> None:
    """M2.5, M2.8, M3.3, M3.6: R, B, and the data that arrives in n."""
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
        room = not send_next(x, n)
    if x[m.FLY_N] and x[m.FLY_AT + x[m.FLY]] == n:
        slot = x[m.FLY_REQ + x[m.FLY]]
        x[m.FLY] = (x[m.FLY] + 1) & 255
        x[m.FLY_N] -= 1
        if slot < 0:
            complete_merge(x, -1 - slot)
        else:
            arrive(x, slot & (m.EXPRESS_NAME - 1), n, room)
    elif x[FORWARD_N] and x[FORWARD_FROM + x[FORWARD_AT]] <= n:
        at = x[FORWARD_AT]
        x[FORWARD_AT] = (at + 1) & 3
        x[FORWARD_N] -= 1
        arrive(x, x[FORWARD_SLOT + at], n, room)
    for i in range(x[FORWARD_N]):
        if x[FORWARD_FROM + ((x[FORWARD_AT] + i) & 3)] == n:
            x[m.GAP] = n + 1  # did not arrive in its first cycle; younger ones may be under way already
