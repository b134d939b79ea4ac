"""Two masters on one AXI port: a busy one that always has a request, and a slow one that reads one at a time.

The host between them owns one AR and one AW/W channel and may hold one VALID on each:

* a VALID that stands stays until it is taken (AXI);
* when AR is free, the slow master has it if it wants a read, else the busy one. As the slow master waits for its data
  before it wants the next read, that is the same as taking turns;
* the busy master offers its requests in trace order, one (AR, or AW with W) at a time, at most one a cycle, without
  end; all of them have one id.

The host knows only what it sees on the port, so it runs cycle by cycle beside the exact model. What it offered in
which cycle is kept as rows, so that a bench can offer the same to the RTL (`Rows.cycle` is the cycle in which VALID
rises). Latencies are in controller cycles, from the cycle in which VALID rises to the R handshake.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model.addrmap import GeometryLike, named_map
from hbm_model.controller import AR, AW, AX_ROW, W_ROW, Channel, Foreseen, W
from hbm_model.patterns import SEED, pattern

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

BUSY_ID: Final = 0
SLOW_ID: Final = 1
_FULL: Final = (1 << 32) - 1  # strobes of a whole beat
_INCR: Final = 1
_SIZE: Final = 5  # 32 bytes


@dataclass(frozen=True)
class Contest:
    """What the two masters do. busy: a pattern (`stream`, `random`, `mixed`, `conflict` ...), empty: nothing.

    reads: of the slow master, at uniform random addresses; warm: those at the start that are not counted.
    """

    busy: str = ""
    reads: int = 1000
    qos_busy: int = 0
    qos_slow: int = 0
    map_name: str = "peers"
    port: int = 0
    warm: int = 16


@dataclass
class Outcome:
    """What was offered and when the slow master's reads were served; one entry per counted read."""

    ar: Rows = field(default_factory=lambda: np.zeros(0, AX_ROW))
    aw: Rows = field(default_factory=lambda: np.zeros(0, AX_ROW))
    w: Rows = field(default_factory=lambda: np.zeros(0, W_ROW))
    wanted: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # cycle from which the slow master wants it
    raised: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # its VALID rises
    taken: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # AR handshake
    done: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # R handshake
    cycles: int = 0
    busy_done: int = 0  # requests of the busy master that were taken

    @property
    def latency(self) -> I64:
        """Cycles from ARVALID to R."""
        return self.done - self.raised

    @property
    def mean(self) -> float:
        """Mean latency from ARVALID, cycles."""
        return float(self.latency.mean())

    @property
    def mean_wanted(self) -> float:
        """Mean from the cycle in which the master wanted it: what the shared channel costs is in it."""
        return float((self.done - self.wanted).mean())


class _Busy:
    """The endless requests of the busy master, as addresses of its port."""

    def __init__(self, name: str, geometry: GeometryLike, map_name: str) -> None:
        trace = pattern(name, geometry, 1, 1 << 17)
        address_map = named_map(map_name, geometry)
        # A pattern of one PC, laid on the port: as PC 0 has it.
        pcs, address = address_map.split(trace.address)
        mine = np.flatnonzero(pcs == 0)
        self.address: list[int] = address[mine].astype(np.int64).tolist()
        self.write: list[bool] = trace.write[mine].tolist()
        self.at = 0

    def next(self) -> tuple[bool, int]:
        """Direction and address of the next request; after the last one they begin again."""
        at = self.at % len(self.address)
        self.at += 1
        return self.write[at], self.address[at]


def slow_addresses(geometry: GeometryLike, map_name: str, count: int) -> I64:
    """Uniform random reads of the port, other draws than those of the patterns."""
    address_map = named_map(map_name, geometry)
    rng = np.random.default_rng([SEED, 1])
    out: I64 = rng.integers(0, address_map.port_bytes // 32, 2 * count).astype(np.int64) * 32
    inside = ~address_map.outside(address_map.join(0, out.astype(np.uint64)))
    return out[inside][:count]


class _Rows:
    """Rows of one channel, made one at a time."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.blank = np.zeros(1, dtype)
        self.made: list[Rows] = []

    def add(self, **values: int) -> Rows:
        row = self.blank.copy()
        for name, value in values.items():
            row[name] = value
        self.made.append(row)
        return row

    def all(self) -> Rows:
        return np.concatenate(self.made) if self.made else self.blank[:0]


class _Host:
    """The host of one contest: what stands on its channels, and what each master waits for."""

    def __init__(self, channel: Channel, what: Contest, start: int, geometry: GeometryLike) -> None:
        self.channel, self.what, self.port = channel, what, what.port
        self.busy = _Busy(what.busy, geometry, what.map_name) if what.busy else None
        self.total = what.reads + what.warm
        self.addresses: list[int] = slow_addresses(geometry, what.map_name, self.total).tolist()
        self.ar, self.aw, self.w = _Rows(AX_ROW), _Rows(AX_ROW), _Rows(W_ROW)
        self.wanted: list[int] = []
        self.raised: list[int] = []
        self.taken: list[int] = []
        self.done: list[int] = []
        self.wants = start  # cycle from which the slow master wants its next read
        self.on_ar = -1  # id that stands on AR
        self.head = self.busy.next() if self.busy else None  # next request of the busy master
        self.head_up = False  # it stands
        self.halves = 0  # AW and W of it that are still to be taken
        self.reads_open = self.writes_open = self.busy_done = 0

    def _address(self, rows: _Rows, n: int, address: int, axi_id: int) -> Rows:
        qos = self.what.qos_slow if axi_id == SLOW_ID else self.what.qos_busy
        return rows.add(cycle=n, addr=address, id=axi_id, size=_SIZE, burst=_INCR, qos=qos)

    def offer(self, n: int) -> None:
        """Which VALIDs rise in n."""
        if len(self.done) == self.total:
            return
        read_next = self.head is not None and not self.head[0] and not self.head_up
        if self.on_ar < 0 and len(self.raised) == len(self.done):
            self.wanted.append(self.wants)
            self.raised.append(n)
            row = self._address(self.ar, n, self.addresses[len(self.raised) - 1], SLOW_ID)
            self.channel.offer_ax(self.port, False, row)
            self.on_ar = SLOW_ID
        elif self.on_ar < 0 and self.head is not None and read_next:
            self.channel.offer_ax(self.port, False, self._address(self.ar, n, self.head[1], BUSY_ID))
            self.on_ar, self.head_up = BUSY_ID, True
        if self.head is not None and self.head[0] and not self.head_up:
            self.channel.offer_ax(self.port, True, self._address(self.aw, n, self.head[1], BUSY_ID))
            self.channel.offer_w(self.port, self.w.add(cycle=n, strb=_FULL, last=1))
            self.head_up, self.halves = True, 2
            self.writes_open += 1

    def _busy_taken(self) -> None:
        self.busy_done += 1
        self.head_up = False
        self.head = self.busy.next() if self.busy else None

    def see(self, n: int, seen: Foreseen) -> None:
        """What happened in n."""
        accepted = seen.accepted[self.port]
        if len(accepted[AR]):
            if self.on_ar == SLOW_ID:
                self.taken.append(n)
            else:
                self._busy_taken()
            self.reads_open += 1
            self.on_ar = -1
        halves = len(accepted[AW]) + len(accepted[W])
        if halves:
            self.halves -= halves
            if self.halves == 0:
                self._busy_taken()
        for row in seen.r[self.port]:
            self.reads_open -= 1
            if row["id"] == SLOW_ID:
                self.done.append(n)
                self.wants = n + 1
        self.writes_open -= len(seen.b[self.port])

    @property
    def over(self) -> bool:
        """The slow master has all its data, and nothing is open."""
        open_ = self.reads_open or self.writes_open or self.on_ar >= 0 or self.head_up
        return len(self.done) == self.total and not open_


def contest(channel: Channel, what: Contest, start: int, geometry: GeometryLike) -> Outcome:
    """Run a contest on a channel whose ports are idle, from cycle `start` on, until the slow master has its reads and
    everything is answered.
    """
    host = _Host(channel, what, start, geometry)
    channel.step(start)
    n = start
    while not host.over:
        host.offer(n)
        host.see(n, channel.step(n + 1))
        n += 1

    def counted(cycles: list[int]) -> I64:
        return np.array(cycles[what.warm :], np.int64)

    return Outcome(
        host.ar.all(),
        host.aw.all(),
        host.w.all(),
        counted(host.wanted),
        counted(host.raised),
        counted(host.taken),
        counted(host.done),
        cycles=n - start,
        busy_done=host.busy_done,
    )


def unloaded(what: Contest) -> Contest:
    """The same reads of the slow master, with nobody beside it."""
    return replace(what, busy="")
