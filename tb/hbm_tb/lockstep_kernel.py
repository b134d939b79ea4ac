"""Compiled loops of the lock-step: offers with the cycle in which VALID rose, and comparison of record lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from hbm_tb.jit import compiled

U64 = Any  # two-dimensional arrays of 64-bit words, one record a row
CHANNELS = 3  # AR, AW, W: codes of records.ACC_*

# Commands are compared without what only one side knows: the row of all but ACT (1) and MRS (12).
_ACT, _MRS = 1, 12
_ROW = 0xFFFF000000000000


@compiled
def split_handshakes(acc: U64, cycles: U64, rose: U64, count: U64) -> int:
    """Sort handshakes (records.ACC as words) by channel.

    cycles[c, i], rose[c, i]: cycle of handshake i of channel c in this batch, and that in which its VALID rose;
    count[c]: how many. Gives -1, or the number of a record that is none of a channel.
    """
    for c in range(CHANNELS):
        count[c] = 0
    for i in range(acc.shape[0]):
        kind = np.int64(acc[i, 1] >> np.uint64(32)) & 255
        if kind >= CHANNELS:
            return i
        at = count[kind]
        cycles[kind, at] = np.int64(acc[i, 0])
        rose[kind, at] = np.int64(acc[i, 0]) - np.int64(acc[i, 1] & np.uint64(0xFFFFFFFF))
        count[kind] = at + 1
    return -1


@compiled
def _plain(word: Any) -> Any:
    """Second word of a command without a row that does not count."""
    code = word & np.uint64(0xFF)
    if code == np.uint64(_ACT) or code == np.uint64(_MRS):
        return word
    return word & ~np.uint64(_ROW)


@compiled
def same_commands(seen: U64, foreseen: U64) -> int:
    """Place of the first difference of two lists of commands (records.CMD as words), -1: none."""
    common = min(seen.shape[0], foreseen.shape[0])
    for i in range(common):
        if seen[i, 0] != foreseen[i, 0] or _plain(seen[i, 1]) != _plain(foreseen[i, 1]):
            return i
    return -1 if seen.shape[0] == foreseen.shape[0] else common


@compiled
def same_responses(seen: U64, foreseen: U64) -> int:
    """As same_commands, of R beats or B: cycle, and the low half of the second word (id, resp, last)."""
    common = min(seen.shape[0], foreseen.shape[0])
    low = np.uint64(0xFFFFFFFF)
    for i in range(common):
        if seen[i, 0] != foreseen[i, 0] or seen[i, 1] & low != foreseen[i, 1] & low:
            return i
    return -1 if seen.shape[0] == foreseen.shape[0] else common


@compiled
def same_cycles(seen: U64, foreseen: U64) -> int:
    """As same_commands, of two lists of cycles."""
    common = min(seen.shape[0], foreseen.shape[0])
    for i in range(common):
        if seen[i] != foreseen[i]:
            return i
    return -1 if seen.shape[0] == foreseen.shape[0] else common
