"""Bursts on the AXI port: addresses, errors, exclusives (docs/microarchitecture.md M2.4, M2.6, M2.7)."""

from __future__ import annotations

from hbm_model import _places as m
from hbm_model._hot import Cells, hot
from hbm_model._port_places import (
    A_ADDR,
    A_BURST,
    A_ID,
    A_LEN,
    A_SIZE,
    DECERR,
    FIXED,
    M_ADDR,
    M_ARMED,
    M_ID,
    M_SHAPE,
    M_TOTAL,
    MONITOR_TURN,
    MONITORS,
    OKAY,
    SLVERR,
    WRAP,
)


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
