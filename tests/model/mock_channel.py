"""A small, slow stand-in for the channel: takes requests, gives handshakes, responses and commands, all correct.

For tests of the scoreboard. Beats are stepped with the transfer loop of the AXI specification, not with the
bench's formulas.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hbm_model.addrmap import AddressMap
from hbm_model.memory import unwritten
from hbm_tb import records
from hbm_tb.traffic import Chunk

ACT, RDA, WRA = 1, 5, 7


def transfer_loop(addr: int, length: int, size: int, burst: int) -> list[tuple[int, int, int]]:
    """(address, first lane, last lane) per beat: the loop of the specification, with a running address."""
    beat_bytes = 1 << size
    aligned_start = addr // beat_bytes * beat_bytes
    lower_wrap = addr // (beat_bytes * (length + 1)) * (beat_bytes * (length + 1))
    upper_wrap = lower_wrap + beat_bytes * (length + 1)
    here, is_aligned = addr, addr == aligned_start
    out = []
    for _ in range(length + 1):
        first = here % 32
        if is_aligned:
            last = first + beat_bytes - 1
        else:
            last = here // beat_bytes * beat_bytes + beat_bytes - 1 - here // 32 * 32
        out.append((here, first, last))
        if burst != 0:
            if is_aligned:
                here += beat_bytes
                if burst == 2 and here >= upper_wrap:
                    here = lower_wrap
            else:
                here = here // beat_bytes * beat_bytes + beat_bytes
                is_aligned = True
    return out


@dataclass
class Streams:
    """What came out, per port; commands of both."""

    acc: list[list[tuple[int, int, int, int]]] = field(default_factory=lambda: [[], []])  # cycle, kind, last, id
    r: list[list[tuple[int, int, int, int, bytes]]] = field(
        default_factory=lambda: [[], []]
    )  # cycle, id, resp, last, data
    b: list[list[tuple[int, int, int]]] = field(default_factory=lambda: [[], []])  # cycle, id, resp
    cmd: list[tuple[int, ...]] = field(default_factory=list)  # time, cmd, pc, sid, bg, bank, col, row

    def arrays(self) -> tuple[list[Any], list[Any], list[Any], Any]:
        """As ring records."""
        acc, r, b = [], [], []
        for port in range(2):
            rows = np.zeros(len(self.acc[port]), records.ACC)
            for i, (cycle, kind, last, axi_id) in enumerate(self.acc[port]):
                rows[i] = (cycle, 0, kind, last, axi_id)
            acc.append(rows)
            rows = np.zeros(len(self.r[port]), records.R)
            for i, (cycle, axi_id, resp, last, data) in enumerate(self.r[port]):
                rows[i]["cycle"], rows[i]["id"], rows[i]["resp"], rows[i]["last"] = cycle, axi_id, resp, last
                rows[i]["data"] = np.frombuffer(data, np.uint8)
            r.append(rows)
            rows = np.zeros(len(self.b[port]), records.B)
            for i, (cycle, axi_id, resp) in enumerate(self.b[port]):
                rows[i]["cycle"], rows[i]["id"], rows[i]["resp"] = cycle, axi_id, resp
            b.append(rows)
        cmd = np.zeros(len(self.cmd), records.CMD)
        for i, row in enumerate(sorted(self.cmd, key=lambda row: row[0])):
            cmd[i] = row
        return acc, r, b, cmd


class MockPort:
    """One port and its PC, a cycle at a time."""

    def __init__(
        self, port: int, chunk: Chunk, amap: AddressMap, seed: int, rng: np.random.Generator, out: Streams
    ) -> None:
        self.port, self.amap, self.seed, self.rng, self.out = port, amap, seed, rng, out
        self.ar, self.aw, self.w = deque(chunk.ar), deque(chunk.aw), deque(chunk.w)
        self.memory: dict[int, bytearray] = {}
        self.has_mask = True
        self.taken_w: deque[Any] = deque()
        self.open_aw: deque[Any] = deque()
        self.beats: list[tuple[int, int, int]] = []
        self.images: list[tuple[int, dict[int, int]]] = []  # finished requests of the burst: block, byte -> value
        self.later: list[tuple[int, int, dict[int, int]]] = []  # cycle, block, bytes: writes on their way
        self.reads: list[tuple[int, Any]] = []  # cycle of the sample, burst
        self.ready: dict[int, deque[list[tuple[int, int, bytes]]]] = {}
        self.order: dict[int, deque[Any]] = {}
        self.bs: deque[tuple[int, int, int]] = deque()
        self.done: dict[int, list[tuple[int, int, bytes]]] = {}  # sampled bursts that wait for their turn

    def busy(self) -> bool:
        return bool(
            self.ar or self.aw or self.w or self.taken_w or self.open_aw or self.later or self.reads or self.bs
            or any(self.order.values())
        )  # fmt: skip

    def image(self, packed: int) -> bytearray:
        if packed not in self.memory:
            at = self.amap.unpack(self.port, np.array([packed], np.uint64))
            self.memory[packed] = bytearray(unwritten(self.seed, at)[0].tobytes())
        return self.memory[packed]

    def packed(self, addr: int) -> int:
        return int(self.amap.to_dram(np.array([addr], np.uint64))[0])

    def response(self, ax: Any) -> int:
        """Expected response of a plain access: OKAY, SLVERR or DECERR."""
        addr, beats, size, burst = int(ax["addr"]), int(ax["len"]) + 1, int(ax["size"]), int(ax["burst"])
        if burst == 3 or size > 5 or (burst == 0 and beats > 16):
            return 2
        if burst == 2 and (beats not in (2, 4, 8, 16) or addr % (1 << size)):
            return 2
        steps = transfer_loop(addr, beats - 1, size, burst)
        if burst == 1 and any(a // 4096 != addr // 4096 for a, _, _ in steps):
            return 2
        last_bytes = [a // 32 * 32 + hi for a, _, hi in steps]
        if max(last_bytes) >= self.amap.port_bytes:
            return 3
        if self.amap.port_outside(np.array([a for a, _, _ in steps], np.uint64)).any():
            return 3
        return 0

    def column(self, cycle: int, cmd: int, packed: int) -> None:
        """An ACT and a column command with auto-precharge."""
        at = self.amap.unpack(self.port, np.array([packed], np.uint64))
        place = (int(at.sid[0]), int(at.bg[0]), int(at.bank[0]))
        time = 4 * cycle + 2 * self.port
        self.out.cmd.append((time, ACT, self.port, *place, 0, int(at.row[0])))
        self.out.cmd.append((time, cmd, self.port, *place, int(at.col[0]), 0))

    def step(self, cycle: int) -> None:
        rng = self.rng
        p = self.port
        for item in [x for x in self.later if x[0] == cycle]:
            _, packed, changed = item
            target = self.image(packed)
            for byte, value in changed.items():
                target[byte] = value
            if not self.has_mask and len(changed) < 32:
                self.column(cycle, RDA, packed)
            self.column(cycle, WRA, packed)
            self.later.remove(item)
        for item in [x for x in self.reads if x[0] == cycle]:
            self._sample(cycle, item[1])
            self.reads.remove(item)
        if self.ar and rng.random() < 0.6:
            ax = self.ar.popleft()
            self.out.acc[p].append((cycle, records.ACC_AR, 0, int(ax["id"])))
            self.order.setdefault(int(ax["id"]), deque()).append(ax)
            self.reads.append((cycle + int(rng.integers(3, 40)), ax))
        if self.aw and rng.random() < 0.6:
            ax = self.aw.popleft()
            self.out.acc[p].append((cycle, records.ACC_AW, 0, int(ax["id"])))
            self.open_aw.append(ax)
        if self.w and len(self.taken_w) < 1 + 4 * len(self.open_aw) and rng.random() < 0.8:
            beat = self.w.popleft()
            self.out.acc[p].append((cycle, records.ACC_W, int(beat["last"]), 0))
            self.taken_w.append(beat)
        while self.taken_w and self.open_aw:
            self._beat(cycle, self.open_aw[0], self.taken_w.popleft())
        if self.bs and self.bs[0][0] <= cycle and rng.random() < 0.5:
            _, axi_id, resp = self.bs.popleft()
            self.out.b[p].append((cycle, axi_id, resp))
        ids = [i for i, q in self.ready.items() if q]
        if ids and rng.random() < 0.8:
            axi_id = int(rng.choice(ids))
            beats = self.ready[axi_id][0]
            resp, last, data = beats.pop(0)
            self.out.r[p].append((cycle, axi_id, resp, last, data))
            if not beats:
                self.ready[axi_id].popleft()
                self.order[axi_id].popleft()
                self._release(axi_id)

    def _sample(self, cycle: int, ax: Any) -> None:
        """Read the memory for a burst, all requests at once."""
        resp = self.response(ax)
        length = int(ax["len"])
        beats = []
        if resp:
            beats = [(resp, int(n == length), bytes(32)) for n in range(length + 1)]
        else:
            if ax["lock"]:
                resp = 1
            previous = None
            for n, (addr, lo, hi) in enumerate(
                transfer_loop(int(ax["addr"]), length, int(ax["size"]), int(ax["burst"]))
            ):
                packed = self.packed(addr)
                data = bytearray(self.rng.integers(0, 256, 32, dtype=np.uint8).tobytes())  # other lanes: anything
                data[lo : hi + 1] = self.image(packed)[lo : hi + 1]
                beats.append((resp, int(n == length), bytes(data)))
                if packed != previous:
                    self.column(cycle, RDA, packed)
                previous = packed
        self.done[id(ax)] = beats
        self._release(int(ax["id"]))

    def _release(self, axi_id: int) -> None:
        """Move the oldest burst of an id to R when it has been sampled."""
        queue = self.order.get(axi_id)
        if queue and not self.ready.get(axi_id) and id(queue[0]) in self.done:
            self.ready.setdefault(axi_id, deque()).append(self.done.pop(id(queue[0])))

    def _beat(self, cycle: int, ax: Any, beat: Any) -> None:
        resp = self.response(ax)
        length = int(ax["len"])
        steps = transfer_loop(int(ax["addr"]), length, int(ax["size"]), int(ax["burst"])) if not resp else []
        number = len(self.beats)
        self.beats.append((0, 0, 0))
        if not resp:
            addr, _, _ = steps[number]
            block = addr // 32
            if not self.images or self.images[-1][0] != block:
                joined = number > 0 and self.images[0][0] == block
                self.images.append((block, self.images.pop(0)[1] if joined else {}))
            for lane in range(32):
                if int(beat["strb"]) >> lane & 1:
                    self.images[-1][1][lane] = int(beat["data"][lane])
        if number == length:
            for block, changed in self.images:
                if changed:
                    self.later.append((cycle + 2, self.packed(block * 32), changed))
            self.beats, self.images = [], []
            self.open_aw.popleft()
            self.bs.append((cycle + 2, int(ax["id"]), resp))


def run(chunks: list[Chunk], amap: AddressMap, seed: int, rng: np.random.Generator, has_mask: bool = True) -> Streams:
    """Feed one chunk per port through the mock until all is answered."""
    out = Streams()
    ports = [MockPort(p, chunks[p], amap, seed, rng, out) for p in range(2)]
    for port in ports:
        port.has_mask = has_mask
    cycle = 10
    while any(port.busy() for port in ports):
        for port in ports:
            port.step(cycle)
        cycle += 1
        assert cycle < 200_000, "the mock hangs"
    return out
