"""Traffic for the AXI masters, made in numpy: request traces, constrained-random bursts, and chunks of both.

A `Chunk` is what a sequence item carries: the AR, AW and W records of one port, in the order of each channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hbm_model.addrmap import AddressMap
from hbm_model.memory import trace_data
from hbm_model.requests import RequestTrace
from numpy.typing import NDArray

from hbm_tb import axi, records
from hbm_tb.jit import compiled

Records = NDArray[np.void]
PAGE = 4096  # no burst crosses it
TRACE_IDS = 16  # ids of trace requests rotate over these

# strobe shapes of a write burst
SHAPES = ("full", "none", "random", "one_byte", "run", "all_but_one")
FULL, NONE, RANDOM, ONE_BYTE, RUN, ALL_BUT_ONE = range(6)


def _empty(dtype: np.dtype[np.void]) -> Records:
    return np.zeros(0, dtype)


@dataclass
class Chunk:
    """Requests of one port. `shape` (coverage only) has one strobe shape per AW."""

    ar: Records = field(default_factory=lambda: _empty(records.AX))
    aw: Records = field(default_factory=lambda: _empty(records.AX))
    w: Records = field(default_factory=lambda: _empty(records.W))
    shape: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def transactions(self) -> int:
        """AXI transactions in the chunk."""
        return len(self.ar) + len(self.aw)

    def pieces(self, bursts: int) -> Iterator[Chunk]:
        """The chunk in pieces of at most `bursts` AR and as many AW; W beats stay with their AW."""
        ends = np.concatenate(([0], np.cumsum(self.aw["len"].astype(np.int64) + 1)))
        for start in range(0, max(len(self.ar), len(self.aw)), bursts):
            stop = start + bursts
            first, last = min(start, len(self.aw)), min(stop, len(self.aw))
            yield Chunk(
                self.ar[start:stop], self.aw[start:stop], self.w[ends[first] : ends[last]], self.shape[start:stop]
            )

    def __add__(self, other: Chunk) -> Chunk:
        return Chunk(
            np.concatenate((self.ar, other.ar)),
            np.concatenate((self.aw, other.aw)),
            np.concatenate((self.w, other.w)),
            np.concatenate((self.shape, other.shape)),
        )


# ---------------------------------------------------------------- bursts


def bursts(addr: Any, length: Any = 0, size: Any = 5, burst: Any = axi.INCR, axi_id: Any = 0, **more: Any) -> Records:
    """AX records from anything array-like; scalars are spread. `length` is beats - 1."""
    addr = np.atleast_1d(np.asarray(addr)).astype(np.uint64)
    rows = np.zeros(len(addr), records.AX)
    for name, value in {"addr": addr, "len": length, "size": size, "burst": burst, "id": axi_id, **more}.items():
        rows[name] = value
    return rows


def read(addr: Any, length: Any = 0, size: Any = 5, burst: Any = axi.INCR, axi_id: Any = 0, **more: Any) -> Chunk:
    """Read bursts."""
    return Chunk(ar=bursts(addr, length, size, burst, axi_id, **more))


def write(
    rng: np.random.Generator,
    addr: Any,
    length: Any = 0,
    size: Any = 5,
    burst: Any = axi.INCR,
    axi_id: Any = 0,
    shape: Any = FULL,
    w_gap: Any = 0,
    data: NDArray[np.uint8] | None = None,
    **more: Any,
) -> Chunk:
    """Write bursts with random data (or `data`, 32 bytes a beat) and strobes of the given shapes."""
    aw = bursts(addr, length, size, burst, axi_id, **more)
    shapes = np.broadcast_to(np.asarray(shape, np.int64), len(aw)).copy()
    w = np.zeros(int((aw["len"].astype(np.int64) + 1).sum()), records.W)
    noise = rng.integers(0, 1 << 32, (len(w), 2), dtype=np.uint32)
    _fill_beats(
        aw["addr"].astype(np.int64), aw["len"].astype(np.int64), aw["size"].astype(np.int64),
        aw["burst"].astype(np.int64), shapes, noise, w["strb"], w["last"],
    )  # fmt: skip
    w["data"] = data if data is not None else rng.integers(0, 256, (len(w), 32), dtype=np.uint8)
    w["gap"] = w_gap
    return Chunk(aw=aw, w=w, shape=shapes)


@compiled
def _fill_beats(
    addr: NDArray[np.int64],
    length: NDArray[np.int64],
    size: NDArray[np.int64],
    burst: NDArray[np.int64],
    shape: NDArray[np.int64],
    noise: NDArray[np.uint32],
    strb: NDArray[np.uint32],
    last: NDArray[np.uint8],
) -> None:
    """Strobes and WLAST of every beat of some write bursts."""
    at = 0
    for i in range(len(addr)):
        illegal = axi.burst_slverr(addr[i], length[i], size[i], burst[i])
        for beat in range(length[i] + 1):
            lo, hi = 0, 31
            if not illegal:
                here = axi.beat_address(addr[i], length[i], size[i], burst[i], beat)
                lo, hi = axi.beat_lanes(addr[i], size[i], burst[i], beat, here)
            count = hi - lo + 1
            lanes = ((1 << count) - 1) << lo
            pick = np.int64(noise[at, 0])
            kind = shape[i]
            bits: Any = lanes
            if kind == 1:
                bits = 0
            elif kind == 2:
                bits = lanes & pick
            elif kind == 3:
                bits = 1 << (lo + pick % count)
            elif kind == 4:
                first = pick % count
                run = np.int64(noise[at, 1]) % (count - first) + 1
                bits = ((1 << run) - 1) << (lo + first)
            elif kind == 5:
                bits = lanes & ~(1 << (lo + pick % count))
            strb[at] = np.uint32(bits & 0xFFFFFFFF)
            last[at] = np.uint8(1 if beat == length[i] else 0)
            at += 1


# ---------------------------------------------------------------- constrained random


@dataclass(frozen=True)
class RandomShape:
    """Weights and limits of random traffic on one port."""

    port_bytes: int  # size of the port's address range
    write_share: float = 0.5
    single_share: float = 0.5  # bursts of one beat
    long_share: float = 0.03  # INCR bursts of 1 to 256 beats, uniform
    burst_weights: tuple[float, float, float] = (0.15, 0.70, 0.15)  # FIXED, INCR, WRAP
    size_weights: tuple[float, ...] = (0.07, 0.07, 0.07, 0.07, 0.12, 0.60)  # 1, 2, 4 ... 32 bytes
    unaligned_share: float = 0.25
    hot_share: float = 0.6  # addresses in the hot windows
    hot_windows: int = 4
    hot_bytes: int = 512  # size of a hot window
    ids: int = 64
    gap_share: float = 0.2
    gap_most: int = 24  # cycles
    error_share: float = 0.0
    row_limit_bytes: int = 0  # addresses from here on are no memory (0: the whole range is)
    shape_weights: tuple[float, ...] = (0.50, 0.04, 0.16, 0.10, 0.10, 0.10)
    qos: bool = True


class Deck:
    """Lengths of long bursts for reads and writes: 1 to 256 beats in random order, each once before any comes again."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left = [np.zeros(0, np.int64), np.zeros(0, np.int64)]

    def draw(self, is_write: NDArray[np.bool_]) -> NDArray[np.int64]:
        """One length per entry."""
        out = np.zeros(len(is_write), np.int64)
        for direction in range(2):
            mine = is_write == bool(direction)
            while len(self._left[direction]) < mine.sum():
                fresh = self._rng.permutation(256) + 1
                self._left[direction] = np.concatenate((self._left[direction], fresh))
            out[mine] = self._left[direction][: mine.sum()]
            self._left[direction] = self._left[direction][mine.sum() :]
        return out


def random_chunk(
    rng: np.random.Generator,
    count: int,
    how: RandomShape,
    hot: NDArray[np.int64] | None = None,
    deck: Deck | None = None,
) -> Chunk:
    """`count` random transactions for one port.

    `hot` are the first bytes of the hot windows (drawn when absent); `deck` carries long lengths to the next chunk.
    """
    top = how.row_limit_bytes or how.port_bytes
    if hot is None:
        hot = (
            rng.integers(0, top // PAGE, how.hot_windows) * PAGE + rng.integers(0, PAGE // 1024, how.hot_windows) * 1024
        )
    burst = rng.choice(3, count, p=np.array(how.burst_weights) / sum(how.burst_weights))
    beats = np.ones(count, np.int64)
    multi = rng.random(count) >= how.single_share
    incr = multi & (burst == axi.INCR)
    beats[incr] = np.minimum(2 + rng.geometric(0.12, int(incr.sum())) - 1, 64)
    anyway = rng.random(count) < how.long_share
    burst[anyway] = axi.INCR
    is_write = rng.random(count) < how.write_share
    beats[anyway] = (deck or Deck(rng)).draw(is_write[anyway])
    wrap = multi & (burst == axi.WRAP)
    beats[wrap] = 2 ** rng.integers(1, 5, int(wrap.sum()))
    burst[(burst == axi.WRAP) & ~wrap] = axi.INCR
    fixed = multi & (burst == axi.FIXED)
    beats[fixed] = rng.integers(2, 17, int(fixed.sum()))

    size = rng.choice(6, count, p=np.array(how.size_weights) / sum(how.size_weights))
    most = np.minimum(5, np.floor(np.log2(PAGE / beats)).astype(np.int64))
    size = np.where(burst == axi.INCR, np.minimum(size, most), size)
    total = np.where(burst == axi.FIXED, 1 << size, beats << size)

    # A page, then a place in it that keeps the burst inside.
    window = hot[rng.integers(0, len(hot), count)]
    page = np.where(rng.random(count) < how.hot_share, window // PAGE, rng.integers(0, top // PAGE, count)) * PAGE
    in_window = page == window // PAGE * PAGE
    room = PAGE - total
    offset = np.where(
        in_window,
        np.minimum(window % PAGE + rng.integers(0, how.hot_bytes, count), room),
        rng.integers(0, PAGE, count) % (room + 1),
    )
    addr = page + (offset >> size << size)
    # WRAP may start anywhere in its container, which is aligned to the total
    container = addr // np.maximum(total, 1) * total
    addr = np.where(burst == axi.WRAP, container + (rng.integers(0, 16, count) % beats << size), addr)
    loose = (rng.random(count) < how.unaligned_share) & (burst != axi.WRAP)
    addr = np.where(loose, addr + rng.integers(0, 32, count) % (1 << size), addr)

    bad = rng.random(count) < how.error_share
    if bad.any():
        addr, beats, size, burst = _spoil(rng, bad, addr, beats, size, burst, how)

    rows = bursts(addr, beats - 1, size, burst, rng.integers(0, how.ids, count))
    if how.qos:
        rows["qos"] = rng.integers(0, 16, count)
    rows["gap"] = np.where(rng.random(count) < how.gap_share, rng.integers(0, how.gap_most + 1, count), 0)
    shapes = rng.choice(len(SHAPES), count, p=np.array(how.shape_weights) / sum(how.shape_weights))
    aw = rows[is_write]
    writes = write(
        rng, aw["addr"], aw["len"], aw["size"], aw["burst"], aw["id"], shapes[is_write], qos=aw["qos"], gap=aw["gap"]
    )
    slow = rng.random(len(writes.w)) < how.gap_share / 4
    writes.w["gap"] = np.where(slow, rng.integers(0, how.gap_most + 1, len(writes.w)), 0)
    return replace(writes, ar=rows[~is_write])


def _spoil(
    rng: np.random.Generator,
    bad: NDArray[np.bool_],
    addr: NDArray[np.int64],
    beats: NDArray[np.int64],
    size: NDArray[np.int64],
    burst: NDArray[np.int64],
    how: RandomShape,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Turn the chosen bursts into erroneous ones, each kind of design error in turn."""
    addr, beats, size, burst = addr.copy(), beats.copy(), size.copy(), burst.copy()
    for number, i in enumerate(np.flatnonzero(bad)):
        kind = number % 6
        if kind == 0:  # reserved burst code
            burst[i] = axi.RESERVED
        elif kind == 1:  # WRAP of a wrong length
            burst[i], beats[i] = axi.WRAP, rng.choice([1, 3, 5, 6, 7, 9, 12, 15, 17, 32])
        elif kind == 2:  # WRAP not aligned
            burst[i], beats[i], size[i] = axi.WRAP, 4, 4
            addr[i] = addr[i] // 16 * 16 + rng.integers(1, 16)
        elif kind == 3:  # FIXED too long
            burst[i], beats[i] = axi.FIXED, rng.integers(17, 40)
        elif kind == 4:  # 4 KiB crossing
            burst[i], beats[i], size[i] = axi.INCR, 8, 5
            addr[i] = addr[i] // PAGE * PAGE + PAGE - 32 * rng.integers(1, 8)
        else:  # outside the memory
            outside = how.row_limit_bytes or how.port_bytes
            top = how.port_bytes if how.row_limit_bytes else 1 << 40
            burst[i], beats[i], size[i] = axi.INCR, min(int(beats[i]), 8), 5
            addr[i] = int(rng.integers(outside // PAGE, top // PAGE)) * PAGE
    return addr, beats, size, burst


# ---------------------------------------------------------------- traces


def from_trace(trace: RequestTrace, address_map: AddressMap, seed: int, merge: bool = False) -> list[Chunk]:
    """One chunk per port from a request trace, fed in strict order (docs/bench.md): single beats, ids rotate over 16.

    `merge` joins consecutive requests of a port to INCR bursts where they follow each other in address and direction.
    """
    pcs, addresses = address_map.split(trace.address)
    out = []
    for port in range(records.PORTS):
        mine = np.flatnonzero(pcs == port)
        addr, is_write = addresses[mine], trace.write[mine]
        cycle = np.where(trace.cycle[mine] > 0, (trace.cycle[mine] + 1) // 2, 0)
        starts = _burst_starts(addr, is_write, cycle) if merge else np.ones(len(mine), np.bool_)
        first = np.flatnonzero(starts)
        beats = np.diff(np.append(first, len(mine)))
        rows = bursts(addr[first], beats - 1, 5, axi.INCR, np.arange(len(first)) % TRACE_IDS)
        rows["order"] = np.arange(len(first))
        rows["at"] = cycle[first]
        rows["flags"] = records.FLAG_ORDERED
        aw = rows[is_write[first]]
        w = np.zeros(int(is_write.sum()), records.W)
        w["data"] = trace_data(seed, mine[is_write])
        w["strb"] = 0xFFFFFFFF
        w["last"] = np.append(starts[1:], True)[is_write]
        w["flags"] = records.FLAG_ORDERED
        out.append(Chunk(rows[~is_write[first]], aw, w, np.zeros(len(aw), np.int64)))
    return out


def _burst_starts(addr: NDArray[np.uint64], is_write: NDArray[np.bool_], cycle: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which requests begin a burst when followers are joined (at most 4 KiB, never across a 4 KiB border)."""
    starts = np.ones(len(addr), np.bool_)
    follows = (addr[1:] == addr[:-1] + np.uint64(32)) & (is_write[1:] == is_write[:-1]) & (cycle[1:] <= cycle[:-1])
    follows &= addr[1:] % np.uint64(PAGE) != 0
    starts[1:] = ~follows
    return starts
