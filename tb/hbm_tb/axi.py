"""AXI4 bursts as the specification defines them: beat addresses, byte lanes, errors, and the requests of a burst.

Written from the AXI4 specification (address structure and data lanes) and the contract's M2.4 and M2.6, independent of
the RTL. All functions are compiled; a burst is (addr, len, size, burst), `len` = beats - 1 and `size` = log2 bytes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hbm_tb.jit import compiled

Word: TypeAlias = Any  # an integer in compiled code: numba infers the type

FIXED, INCR, WRAP, RESERVED = 0, 1, 2, 3
OKAY, EXOKAY, SLVERR, DECERR = 0, 1, 2, 3
RESP_NAMES = ("OKAY", "EXOKAY", "SLVERR", "DECERR")
BURST_NAMES = ("FIXED", "INCR", "WRAP", "reserved")

BUS_BYTES = 32
MAX_SIZE = 5  # log2 of the bus width in bytes
EXCLUSIVE_MAX_BYTES = 128
EXCLUSIVE_MAX_BEATS = 16


@compiled
def beat_address(addr: Word, length: Word, size: Word, burst: Word, beat: Word) -> Word:
    """Byte address of beat `beat` (0 = first) of a burst; the first beat of INCR and FIXED may be unaligned."""
    if beat == 0 or burst == 0:
        return addr
    step = 1 << size
    aligned = (addr >> size) << size
    here = aligned + beat * step
    if burst == 2:
        total = step * (length + 1)
        lower = addr // total * total
        if here >= lower + total:
            here -= total
    return here


@compiled
def beat_lanes(addr: Word, size: Word, burst: Word, beat: Word, address_of_beat: Word) -> tuple[Word, Word]:
    """First and last byte lane (0 to 31, inclusive) that a beat may use."""
    first = address_of_beat & 31
    if beat == 0 or burst == 0:
        aligned = (addr >> size) << size
        last = (aligned + (1 << size) - 1) - (addr >> 5 << 5)
    else:
        last = first + (1 << size) - 1
    return first, last


@compiled
def burst_slverr(addr: Word, length: Word, size: Word, burst: Word) -> Word:
    """True when the burst itself is not supported or not legal (M2.6)."""
    if burst == 3 or size > 5:
        return True
    beats = length + 1
    if burst == 2:
        if beats != 2 and beats != 4 and beats != 8 and beats != 16:
            return True
        return addr != (addr >> size) << size
    if burst == 0:
        return beats > 16
    last = ((addr >> size) << size) + (beats << size) - 1
    return (last >> 12) != (addr >> 12)


@compiled
def exclusive_shape(addr: Word, length: Word, size: Word, burst: Word) -> Word:
    """True when an exclusive access of this shape can be monitored: 2^n <= 128 bytes, aligned, at most 16 beats."""
    beats = length + 1
    total = beats << size
    if beats > 16 or total > 128:
        return False
    if total & (total - 1) != 0:
        return False
    return addr % total == 0


@compiled
def burst_bytes(addr: Word, length: Word, size: Word, burst: Word) -> tuple[Word, Word]:
    """Lowest and highest byte address that a legal burst touches."""
    step = 1 << size
    aligned = (addr >> size) << size
    if burst == 0:
        return addr, aligned + step - 1
    total = step * (length + 1)
    if burst == 2:
        lower = addr // total * total
        return lower, lower + total - 1
    return addr, aligned + total - 1


@compiled
def split(addr: Word, length: Word, size: Word, burst: Word, blocks: NDArray[np.int64]) -> Word:
    """Write the 32-byte block numbers (address / 32) of a legal burst's requests to `blocks` in order; return how many.

    Consecutive beats in the same 32 bytes form one request (M2.4).
    """
    count = 0
    previous = -1
    for beat in range(length + 1):
        block = beat_address(addr, length, size, burst, beat) >> 5
        if block != previous:
            blocks[count] = block
            count += 1
            previous = block
    return count
