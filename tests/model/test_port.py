"""The host port of the exact model against the port model of the block bench, cycle by cycle, without RTL.

`tb/tests/host_model.py` was written from docs/microarchitecture.md M2 in another way: objects, bytes and dictionaries.
Both see the same random bursts, gaps, back-pressure, queue and data; every handshake, every request handed to the
queues and every response must be the same in every cycle.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter, deque
from pathlib import Path

import numpy as np
import pytest
from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model._port import port_idle, port_step
from hbm_model._responses import is_ready
from hbm_model.addrmap import AddressMap, named_map
from hbm_model.controller import Policy, Setup, constants, map_constants
from hbm_model.presets import preset

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tb/tests"))
import host_model
from host_model import Burst, Inputs, Map, PortModel

PARAMS = preset("hbm3_6400_eng")
PAGES = (0, 3, 1 << 20, 1 << 35)  # the last one lies outside every memory
INPUTS = {p.AR_AT: p.AX_COLUMNS, p.AW_AT: p.AX_COLUMNS, p.W_AT: p.W_COLUMNS}
OUTPUTS = {p.AR_OUT: 2, p.AW_OUT: 2, p.W_OUT: 2, p.R_OUT: p.R_COLUMNS, p.B_OUT: p.B_COLUMNS}


def random_burst(rng: random.Random, ids: int, single: bool, exclusive: float) -> Burst:
    """A burst of any kind; exclusive ones often meet the same few addresses."""
    page = rng.choice(PAGES) if rng.random() < 0.1 else PAGES[rng.randrange(2)]
    if single:
        return Burst(rng.randrange(ids), page * 4096 + rng.randrange(128) * 32, qos=rng.randrange(16))
    ident, qos = rng.randrange(ids), rng.randrange(16)
    if rng.random() < exclusive:
        # One of a few shapes, so that reads, their writes and the writes of others meet.
        kind = rng.randrange(4)
        size, length, burst = ((2, 0, 1), (5, 0, 1), (5, 3, 2), (3, 1, 1))[kind]
        return Burst(ident, page * 4096 + 128 * rng.randrange(2), length, size, burst, int(rng.random() < 0.9), qos)
    size = rng.choice((0, 1, 2, 3, 4, 5, 5, 5, 5, 6))
    burst = rng.choice((0, 1, 1, 1, 1, 2, 2, 3))
    length = rng.choice((1, 3, 7, 15, 2)) if burst == 2 else min(int(rng.expovariate(0.3)), 255)
    addr = page * 4096 + rng.randrange(4096)
    if burst == 2 and rng.random() < 0.9:
        addr &= -1 << size
    return Burst(ident, addr, length, size, burst, int(rng.random() < 0.1), qos)


def random_beats(rng: random.Random, burst: Burst) -> list[tuple[int, int, int]]:
    """(data, strobes, WLAST) of each beat: often whole ones, some empty, seldom a WLAST in the wrong place."""
    lazy = rng.random() < 0.2
    wrong = rng.randrange(burst.len + 1) if rng.random() < 0.05 else -1
    out = []
    for i in range(burst.len + 1):
        kind = rng.random()
        strobes = 0 if lazy and kind < 0.8 else rng.getrandbits(32) if kind < 0.3 else 0xFFFFFFFF
        out.append((0, strobes, int(i == burst.len) ^ int(i == wrong)))
    return out


class Pair:
    """Both models side by side, with a queue and a memory that take and answer at random."""

    def __init__(
        self, seed: int, row_limit: int, levels: tuple[int, int], rates: tuple[float, float, float, float]
    ) -> None:
        self.pick, self.answer, self.free, self.forward = rates
        self.rng = random.Random(seed)
        self.map: AddressMap = named_map("hashed", PARAMS.geometry)
        at, widths = self.map.shifts, self.map.widths
        self.plain = PortModel(
            Map(list(self.map.masks), self.map.in_bits, at["row"], widths["row"], row_limit), p.SLOTS
        )
        self.k = constants(Setup(PARAMS, Policy.of(PARAMS)))
        map_constants(self.k, self.map, row_limit)
        self.x = np.zeros(p.X_SIZE, np.int64)
        p.reset_port(self.x, self.k)
        self.t = np.zeros(1 << 10, np.int64)
        self.pc = seed & 1
        self.x[p.SEED] = np.array(self.rng.getrandbits(64), np.uint64).astype(np.int64)
        self.x[p.R_LEVEL], self.x[p.B_LEVEL] = levels
        self.seen: Counter[str] = Counter()
        # The read queue: slot of the model, tag, 1 for an express entry.
        self.queue: list[tuple[int, int, int]] = []
        self.flying: deque[tuple[int, int, int]] = deque()
        self.forwarded: deque[tuple[int, int]] = deque()  # (tag, first cycle of its data), M3.6
        self.writes = 0  # entries of the write queue
        self.freed = 0
        self.tag = 0
        self.turn = 0.0

    def rows(self, place: int, row: list[int] | None) -> None:
        """Lay at most one row before the model; rows have regions of 64 cells."""
        base = 64 * list(INPUTS).index(place)
        self.x[place] = base
        self.x[place + 1] = base
        if row is not None:
            self.t[base : base + len(row)] = row
            self.x[place + 1] = base + len(row)

    def cycle(
        self, n: int, ar: Burst | None, aw: Burst | None, w: tuple[int, int, int] | None, calm: bool
    ) -> list[bool]:
        """One cycle of both; returns which of AR, AW, W were taken."""
        rng, x = self.rng, self.x
        plain = self.plain
        quiesce = calm
        for place, burst in ((p.AR_AT, ar), (p.AW_AT, aw)):
            b = burst
            self.rows(place, b and [n, b.addr, b.id, b.len, b.size, b.burst, b.lock, 0, b.qos])
        self.rows(p.W_AT, None if w is None else [n, w[1], w[2]])
        for i, place in enumerate(OUTPUTS):
            x[place] = 256 + 64 * i
        express = sum(entry[2] for entry in self.queue)
        host = len(self.queue) - express
        forwards = len(self.forwarded)
        free = host < m.HOST_ENTRIES
        ready, ready_x = (forwards < 3 and each for each in (free, free or express < m.EXPRESS_ENTRIES))
        if rng.random() < self.turn:
            self.k[m.K_QOS_HIGH] = rng.choice((0, 3, 8, 12, 15, 16, 31))
        answer = self.flying.popleft() if self.flying and rng.random() < self.answer else None
        x[m.FLY_N] = 0
        if answer is not None:
            x[m.FLY], x[m.FLY_N], x[m.FLY_REQ], x[m.FLY_AT] = 0, 1, answer[0], n
        tag = answer[1] if answer else None
        if answer is None and self.forwarded and self.forwarded[0][1] <= n:
            tag = self.forwarded.popleft()[0]
        freed = int(self.writes > 0 and rng.random() < self.free)
        sees = [bool(is_ready(x, n, self.pc, channel)) for channel in range(2)]

        idle = plain.idle()
        assert idle == bool(port_idle(x)), n
        expected = [
            ar is not None and plain.ar_ready(quiesce),
            aw is not None and plain.aw_ready(quiesce),
            w is not None and plain.w_ready(quiesce),
        ]
        lane, write = plain.taken(ready, ready_x), plain.write
        read = None if lane is None else plain.requests[lane]
        refused = sum(each is not None for each in plain.requests) > (read is not None)
        before = x[m.COUNTERS : m.COUNTERS_END].copy()
        beat = (plain.r, plain.r_left) if plain.r is not None and sees[0] else None
        done = plain.b[0] if plain.b and sees[1] else None
        if read is not None:
            read.tag = self.tag
        plain.step(
            Inputs(
                ar, aw, w, sees[0], sees[1], quiesce, ready, ready_x, int(self.k[m.K_QOS_HIGH]), bool(self.freed), tag,
            )
        )  # fmt: skip
        self.freed = freed
        handed = int(port_step(x, self.k, self.t, n, self.pc, host, express, freed, quiesce))

        out = {place: (int(x[place]) - 256 - 64 * i) // columns for i, (place, columns) in enumerate(OUTPUTS.items())}
        taken = [bool(out[place]) for place in (p.AR_OUT, p.AW_OUT, p.W_OUT)]
        assert taken == expected, n
        at = self.map.unpack(0, [0 if read is None else read.dram, 0 if write is None else write[0]])
        shape = PARAMS.geometry
        banks = (at.sid * shape.bgs + at.bg) * shape.banks + at.bank
        assert bool(handed & 2) == (read is not None), n
        if handed & 2:
            assert (x[p.GOT_BANK], x[p.GOT_ROW], x[p.GOT_COL]) == (banks[0], at.row[0], at.col[0]), n
            assert read is not None and x[p.GOT_QOS] == read.qos, n
            assert x[p.GOT_EXPRESS] == (not free), n
            slot = int(x[p.GOT])
            if rng.random() < self.forward:
                place = (int(x[p.FORWARD_AT]) + int(x[p.FORWARD_N])) & 3
                x[p.FORWARD_SLOT + place], x[p.FORWARD_FROM + place] = slot, n + 2
                x[p.FORWARD_N] += 1
                self.forwarded.append((self.tag, n + 2))
            else:
                self.queue.append((slot, self.tag, int(not free)))
            self.tag += 1
        assert bool(handed & 1) == (write is not None), n
        if write is not None:
            assert (x[p.OFF_BANK], x[p.OFF_ROW], x[p.OFF_COL]) == (banks[1], at.row[1], at.col[1]), n
            assert bool(x[p.OFF_PART]) == (write[2] != 0xFFFFFFFF), n
            assert x[p.OFF_QOS] == write[3], n
        counted = dict(zip(range(m.COUNTERS, m.COUNTERS_END), x[m.COUNTERS : m.COUNTERS_END] - before, strict=True))
        assert counted[m.N_RD_REQ] == (read is not None) and counted[m.N_WR_REQ] == (write is not None), n
        assert counted[m.N_RD_FULL] == refused, n
        assert max(counted.values()) <= 1, n  # one event, one count a cycle
        assert bool(out[p.R_OUT]) == (beat is not None), n
        if beat is not None:
            slot, left = beat
            row = self.t[256 + 64 * 3 :][: p.R_COLUMNS].tolist()
            assert row[:4] == [n, slot.id, slot.resp, int(slot.last and left == 1)], n
        assert bool(out[p.B_OUT]) == (done is not None), n
        if done is not None:
            assert self.t[256 + 64 * 4 :][: p.B_COLUMNS].tolist() == [n, *done], n

        # The queues behind the port.
        self.writes += int(write is not None) - freed
        if self.queue and rng.random() < self.pick:
            self.flying.append(self.queue.pop(rng.randrange(len(self.queue))))
        self.seen.update(
            {
                "reads": handed >> 1, "writes": handed & 1, "beats": beat is not None, "answers": done is not None,
                "idle": idle, "full": host == m.HOST_ENTRIES,
                "overtook": lane == host_model.EXPRESS and plain.offer_run > 0, "refused": refused,
                "express_entry": handed >> 1 and not free, "made_way": lane == host_model.NORMAL and refused,
                "express_full": express == m.EXPRESS_ENTRIES and not free, "forwards": forwards == 3,
                "slots": int(x[p.USED] == p.SLOTS), "no_credit": int(x[p.CREDIT] == 0),
                "exclusive": beat is not None and beat[0].resp == 1, "stored": done is not None and done[1] == 1,
                "slverr": done is not None and done[1] == 2, "decerr": beat is not None and beat[0].resp == 3,
                "part": handed & 1 and int(x[p.OFF_PART]), "early_w": bool(x[p.BEAT]) and not x[p.AWS],
            }
        )  # fmt: skip
        return taken

    def check_counts(self) -> None:
        """M9.2, M9.4: all counts of the port; of answers, those still to be counted are on the way."""
        for name, count in self.plain.counts.items():
            late = self.x[{"slverr": p.MORE_SLVERR, "decerr": p.MORE_DECERR}[name]] if name.endswith("err") else 0
            assert self.x[getattr(m, f"N_{name.upper()}")] + late == count, name
            self.seen[f"count_{name}"] += count


def run(
    seed: int,
    cycles: int,
    *,
    ids: int = 4,
    gap: float = 0.0,
    single: bool = False,
    levels: tuple[int, int] = (256, 256),
    rates: tuple[float, float, float, float] = (0.6, 0.8, 0.5, 0.05),
    turn: float = 0.01,
    high: int = 16,
    reads: float = 0.5,
    calm: bool = False,
    exclusive: float = 0.1,
) -> Counter[str]:
    """Random traffic; the share of cycles with quiesce comes in long pieces. turn: how often qos_high changes."""
    pair = Pair(seed, PARAMS.geometry.rows, levels, rates)
    pair.turn = turn
    pair.k[m.K_QOS_HIGH] = high
    rng = random.Random(seed + 1)
    ar: Burst | None = None
    aw: Burst | None = None
    ready_aw: deque[Burst] = deque()
    beats: deque[tuple[int, int, int]] = deque()
    w: tuple[int, int, int] | None = None
    quiet = False
    for n in range(cycles):
        if calm and rng.random() < 0.02:
            quiet = not quiet
        if ar is None and rng.random() >= gap and rng.random() < reads:
            ar = random_burst(rng, ids, single, exclusive)
        if len(ready_aw) < 3 and len(beats) < 40:
            burst = random_burst(rng, ids, single, exclusive)
            ready_aw.append(burst)
            beats.extend(random_beats(rng, burst))
        # AW and W run apart: each has gaps of its own, so beats come before and after their burst.
        if aw is None and ready_aw and rng.random() >= gap and rng.random() < 1 - reads / 2:
            aw = ready_aw.popleft()
        if w is None and beats and rng.random() >= gap:
            w = beats.popleft()
        taken = pair.cycle(n, ar, aw, w, quiet)
        ar, aw, w = (None if hit else each for hit, each in zip(taken, (ar, aw, w), strict=True))  # type: ignore[assignment]
    pair.check_counts()
    return pair.seen


CASES = {
    "busy": {},
    "gaps": {"gap": 0.7, "ids": 16},
    "pressure": {"levels": (60, 40), "ids": 2},
    "one_id": {"ids": 1, "levels": (200, 256)},
    "slow_b": {"levels": (256, 8), "reads": 0.1},
    "slow_r": {"levels": (20, 256), "reads": 1.0},
    "singles": {"single": True, "ids": 16},
    "full": {"single": True, "ids": 16, "rates": (0.3, 0.8, 0.1, 0.0), "reads": 0.8},
    "slow_memory": {"single": True, "ids": 2, "rates": (0.6, 0.3, 0.05, 0.0), "reads": 0.8},
    "exclusive": {"exclusive": 0.95, "ids": 12, "gap": 0.3},
    "express": {"ids": 32, "rates": (0.25, 0.9, 0.5, 0.02), "reads": 0.9, "turn": 0.002, "single": True},
    "forwarding": {"ids": 16, "rates": (0.9, 0.9, 0.5, 0.6), "reads": 0.9, "single": True},
    "lanes": {"ids": 64, "rates": (0.5, 0.95, 0.5, 0.1), "reads": 1.0, "turn": 0.0, "high": 8, "single": True},
    "one_by_one": {"ids": 3, "turn": 0.1, "reads": 0.9},
    "quiesce": {"calm": True, "gap": 0.2, "levels": (128, 128)},
}
LENGTH = 4000  # enough to meet every corner more than 100 times; 14 s on plain Python


@pytest.mark.parametrize("name", CASES)
def test_same_as_the_block_model(name: str) -> None:
    seen: Counter[str] = Counter()
    for seed in range(3):
        seen += run(seed, LENGTH, **CASES[name])  # type: ignore[arg-type]
    assert seen["reads"] > LENGTH / 40
    assert seen["writes"] > LENGTH / 100
    SEEN.update(seen)


SEEN: Counter[str] = Counter()


def test_every_corner_was_met() -> None:
    """Runs last: the cases above met each situation that the port knows."""
    situations = ["full", "slots", "no_credit", "exclusive", "stored", "slverr", "decerr", "part", "early_w", "idle"]
    situations += ["overtook", "refused", "express_entry", "made_way", "express_full", "forwards"]
    situations += [f"count_{name}" for name in ("ar", "aw", "slverr", "decerr", "excl_fail", "rob_full", "lat_16")]
    for name in situations:
        # A normal request goes first only after eight others.
        assert SEEN[name] > (20 if name == "made_way" else 100), (name, SEEN)


def test_without_numba() -> None:
    """All of this file but this test on plain Python."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not without_numba", __file__],
        env={**os.environ, "HBM_MODEL_JIT": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


FAULTS = ("credits", "disarm", "sources", "slots", "monitors", "lanes", "overtaking", "same_id", "latency")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_can_fail(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block model with a small fault is found out."""
    if fault == "credits":
        original = PortModel._process_beat

        def late(self: PortModel) -> None:
            before = self.credits
            original(self)
            self.credits = before

        monkeypatch.setattr(PortModel, "_process_beat", late)
    elif fault == "disarm":
        monkeypatch.setattr(PortModel, "_disarm", lambda self, byte: None)
    elif fault == "sources":
        send = PortModel._send

        def forgetful(self: PortModel, x: Inputs) -> bool:
            self.turn = 2
            return send(self, x)

        monkeypatch.setattr(PortModel, "_send", forgetful)
    elif fault == "slots":
        monkeypatch.setattr(p, "SLOTS", 127)
    elif fault == "monitors":
        monkeypatch.setattr(host_model, "MONITORS", 7)
    elif fault == "overtaking":
        monkeypatch.setattr(host_model, "EXPRESS_RUN", 7)
    elif fault == "same_id":
        monkeypatch.setattr(PortModel, "_express", lambda self, burst, qos_high: burst.qos >= qos_high)
    elif fault == "latency":
        late = {17 if each == 16 else each: name for each, name in host_model.BINS.items()}
        monkeypatch.setattr(host_model, "BINS", late)
    else:
        monkeypatch.setattr(
            Burst, "beat_bytes", lambda self: [range(self.addr // 32 * 32, self.addr // 32 * 32 + 32)] * 256
        )
    with pytest.raises((AssertionError, KeyError)):
        for seed in range(3):
            run(seed, 6000, **CASES["express"])  # type: ignore[arg-type]
            run(seed, 6000, levels=(128, 128))
            run(seed, 6000, ids=12, gap=0.3, exclusive=0.95)


# ------------------------------------------------------------------ READY of the outside


def test_ready_pattern() -> None:
    """docs/bench.md, "Back-pressure", typed out: splitmix64 of seed and cycle."""
    mask = (1 << 64) - 1

    def mix(x: int) -> int:
        x ^= x >> 30
        x = x * 0xBF58476D1CE4E5B9 & mask
        x ^= x >> 27
        x = x * 0x94D049BB133111EB & mask
        return x ^ x >> 31

    x = np.zeros(p.X_SIZE, np.int64)
    for seed in (0, 7, 0xDEADBEEF12345678):
        x[p.SEED] = np.array(seed, np.uint64).astype(np.int64)
        for level in (0, 1, 100, 255, 256):
            x[p.R_LEVEL] = x[p.B_LEVEL] = level
            for n in (0, 1, 2, 12345, 10**9):
                for pc in range(2):
                    for channel in range(2):
                        value = mix((seed + 0x9E3779B97F4A7C15 * (n * 4 + pc * 2 + channel + 1)) & mask) & 255
                        assert bool(is_ready(x, n, pc, channel)) == (value < level)
