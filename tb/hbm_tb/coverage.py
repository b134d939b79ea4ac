"""Functional coverage by numpy counting: what was offered, what came back, what the DRAM saw, which settings were used.

A *point* is a dense array of counts; its *bins* are named by the labels of its axes, joined by `/`
(`axi.burst`: `read/INCR/2-4/32`). `POINTS` lists all of them; the verification plan (tb/plan.yaml) says which bins must
be hit. A run writes the bins that it hit (`save`), so that runs are merged by adding (hbm_tb.coverage_runs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hbm_model.addrmap import NAMED_MAPS
from hbm_model.commands import COLUMN_COMMANDS, PC_COMMANDS, Cmd
from hbm_model.csr_table import REGISTERS
from hbm_model.presets import PRESET_NAMES
from numpy.typing import NDArray

from hbm_tb import axi, records
from hbm_tb import port_kernel as k
from hbm_tb.counters import COUNTERS
from hbm_tb.link import BY_PATH
from hbm_tb.scoreboard import COMMAND_NAMES, Scoreboard
from hbm_tb.traffic import SHAPES, Chunk

if TYPE_CHECKING:
    from hbm_tb.config import BenchConfig

Records = NDArray[np.void]
Counts = NDArray[np.int64]

SCHEMA: Final = 2
QOS, CTRL, REFRESH, PHY = (BY_PATH[path] for path in ("policy.qos", "ctrl", "policy.refresh", "phy"))
LENGTH_CLASSES = ("1", "2-4", "5-16", "17-64", "65-256")
_LENGTH_EDGES = np.array([1, 4, 16, 64])
ALIGNMENTS = ("word", "size", "unaligned")  # first byte aligned to 32, to the size, or to neither
DIRECTIONS = ("read", "write")
READY_LEVELS = ("always", "high", "half", "low")
CLASSES = ("plain", "middle", "high")  # AxQOS against qos_mid and qos_high as they are when the request is offered
# What a PC and its port are found in at the ends of batches, by the exact model (LockStep.glance).
MOMENTS = (
    "champion is a read", "champion is a write", "express burst held", "express entry used", "forwarded read under way",
    "refreshes ahead", "bank held", "urgent entry", "starved entry",
)  # fmt: skip
# Why a burst is answered with SLVERR (M2.6); one burst may have several reasons.
ERRORS = ("burst code 3", "WRAP length", "WRAP alignment", "FIXED length", "size", "4 KiB crossing")
BURSTS = axi.BURST_NAMES
SIZES = ("1", "2", "4", "8", "16", "32", "64", "128")
PCS = ("pc0", "pc1")
# log2 classes: 0, 1, 2-3, 4-7 ...
LOG2 = ("0", "1", *(f"{1 << n}-{(2 << n) - 1}" for n in range(1, 14)), "16384+")
SHORT_LOG2 = ("0", "1", "2-3", "4-7", "8-15", "16-31", "32-63", "64+")
SIDS, GROUPS, BANKS = 4, 4, 8  # the most of any geometry
CELLS = SIDS * GROUPS * BANKS
BANK_NAMES = tuple(f"{s}.{g}.{b}" for s, g, b in product(range(SIDS), range(GROUPS), range(BANKS)))
SLOTS = ("p0 rise", "p0 fall", "p1 rise", "p1 fall")
ROW_CYCLES = (
    "ACT alone", "ACT, PRE of the same PC", "ACT, PRE of the other PC", "slot A", "slot B", "slots A and B",
)  # fmt: skip
TURNS = ("read read", "read write", "write read", "write write")
RELATIONS = ("same bank", "same group", "other group", "other SID")
DEBTS = ("8-15 ahead", "2-7 ahead", "1 ahead", "0", "1 owed", "2-4 owed", "5-8 owed", "9 owed and more")
_DEBT_EDGES = np.array([-7, -1, 0, 1, 2, 5, 9])
REFRESH_KINDS = ("single-bank", "all-bank")
TEMPS = tuple(f"{code:03b}" for code in range(8))
FIELD_VALUES = ("least", "most", "other")  # of a register field: 0, all ones, anything else
GEOMETRIES = tuple(f"hbm{n}_s{s}" for n in (2, 3, 4) for s in (1, 2, 3, 4))
ROW_BITS, COLUMN_BITS = 15, 5
EVENTS = (
    "read-modify-write", "write without strobes", "several legal values", "read overtook an older id",
    "R beats of two ids interleaved", "row hit", "row closed", "row conflict",
)  # fmt: skip

_RW = [
    (register, field) for register in REGISTERS for field in register.fields if field.access in ("rw", "w1c", "pulse")
]


@dataclass(frozen=True)
class Point:
    """One cover point: what it counts, and its axes with their labels."""

    title: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(len(labels) for _, labels in self.axes)

    @cached_property
    def bins(self) -> tuple[str, ...]:
        """Names of all bins, the last axis changing fastest."""
        return tuple("/".join(labels) for labels in product(*(labels for _, labels in self.axes)))


def _point(title: str, **axes: tuple[str, ...]) -> Point:
    return Point(title, tuple(axes.items()))


_COMMANDS = tuple(COMMAND_NAMES[:17])
POINTS: Final[dict[str, Point]] = {
    "axi.burst": _point("bursts offered", direction=DIRECTIONS, burst=BURSTS, beats=LENGTH_CLASSES, size=SIZES),
    "axi.length": _point(
        "bursts by exact length", direction=DIRECTIONS, burst=BURSTS, beats=tuple(str(n) for n in range(1, 257))
    ),
    "axi.alignment": _point("first byte of a burst", direction=DIRECTIONS, burst=BURSTS, alignment=ALIGNMENTS),
    "axi.strobes": _point("strobes of a write burst", burst=BURSTS, shape=tuple(SHAPES)),
    "axi.id": _point("ids offered", direction=DIRECTIONS, id=tuple(str(n) for n in range(64))),
    "axi.port": _point("ports used", port=PCS, direction=DIRECTIONS),
    "axi.qos": _point("AxQOS offered", direction=DIRECTIONS, qos=tuple(str(n) for n in range(16))),
    "axi.qos_class": _point("class of a request", direction=DIRECTIONS, qos=CLASSES),
    "axi.exclusive": _point("exclusive accesses offered", direction=DIRECTIONS, shape=("legal", "other")),
    "axi.error": _point("reasons of SLVERR offered", direction=DIRECTIONS, reason=ERRORS),
    "axi.response": _point("responses", direction=DIRECTIONS, response=tuple(axi.RESP_NAMES)),
    "axi.gap": _point("cycles between requests, as offered", direction=DIRECTIONS, cycles=SHORT_LOG2),
    "axi.ready": _point("back-pressure of the master", channel=("R", "B"), ready=READY_LEVELS),
    "axi.wait": _point("cycles a VALID waits for READY", channel=("AR", "AW", "W"), cycles=LOG2),
    "axi.outstanding": _point("bursts open at a handshake", direction=DIRECTIONS, bursts=SHORT_LOG2),
    "host.hazard": _point("cycles between accesses to the same 32 bytes", kind=("RAW", "WAR", "WAW"), cycles=LOG2),
    "host.event": _point("what the scoreboard saw", event=EVENTS),
    "counter": _point("performance counters that count", counter=COUNTERS),
    "sched.moment": _point("state at the end of a batch", pc=PCS, moment=MOMENTS),
    "sched.turn": _point("column command after column command of a PC", pc=PCS, turn=TURNS, where=RELATIONS),
    "dram.command": _point(
        "commands by bank (0.0.0: of the whole PC or channel)", pc=PCS, command=_COMMANDS, bank=BANK_NAMES
    ),
    "dram.sequence": _point("command after command of a bank", before=_COMMANDS, after=_COMMANDS),
    "dram.slot": _point("slots of a cycle", pc=PCS, command=_COMMANDS, slot=SLOTS),
    "dram.row_cycle": _point("row commands of a cycle", pattern=ROW_CYCLES),
    "dram.column_cycle": _point("column commands of a cycle", pcs=("pc0", "pc1", "both")),
    "dram.row_bit": _point("row address bits of ACT", bit=tuple(str(n) for n in range(ROW_BITS)), value=("0", "1")),
    "dram.column_bit": _point("column address bits", bit=tuple(str(n) for n in range(COLUMN_BITS)), value=("0", "1")),
    "refresh.debt": _point("refreshes owed at the end of a batch", kind=REFRESH_KINDS, debt=DEBTS),
    "refresh.temp": _point("TEMP codes", kind=REFRESH_KINDS, code=TEMPS),
    "csr.field": _point(
        "values written to register fields",
        field=tuple(f"{register.path}.{field.name}" for register, field in _RW),
        value=FIELD_VALUES,
    ),
    "csr.write": _point("APB writes", response=("ok", "error"), strobes=("whole word", "part", "none")),
    "setup.preset": _point("presets", preset=tuple(PRESET_NAMES)),
    "setup.generation": _point("generation and SIDs", build=GEOMETRIES),
    "setup.map": _point("address maps", map=(*NAMED_MAPS, "layout or file", "masks")),
    "setup.rows": _point("row limit", rows=("all", "fewer")),
    "setup.rd_delay": _point("rd_delay of the PHY", cycles=tuple(str(n) for n in range(8))),
    "setup.commit": _point("commits", when=("at rest", "under traffic")),
}


def log2_class(values: NDArray[np.int64], top: int) -> NDArray[np.int64]:
    """0, 1, 2-3, 4-7 ... as 0, 1, 2, 3 ...; at most `top`."""
    return np.minimum(np.ceil(np.log2(values.astype(np.float64) + 1)), top).astype(np.int64)


class Coverage:
    """Counters of one run."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {name: np.zeros(point.shape, np.int64) for name, point in POINTS.items()}
        self._limits = np.array([QOS.field(name).reset or 0 for name in ("qos_mid", "qos_high")], np.int64)
        self._every = int(REFRESH.field("refresh_all").reset or 0)
        self._temp = 3
        self._open = 0  # bursts offered and not answered
        self._banks = np.zeros((2, CELLS), np.int64)  # last command of each bank; 0: none yet
        self._exists = np.zeros(CELLS, np.bool_)  # banks of the geometry
        self._column = np.full((2, 2), -1, np.int64)  # per PC: last column command's direction and bank
        self._fields = {
            (register.address, field.name): (at, field, field.lsb // 8, (field.lsb + field.width - 1) // 8)
            for at, (register, field) in enumerate(_RW)
        }
        self._by_address: dict[int, list[str]] = {}
        for address, name in self._fields:
            self._by_address.setdefault(address, []).append(name)

    def __getitem__(self, name: str) -> Counts:
        return self.counts[name]

    def restarted(self) -> None:
        """Reset: banks and buses have no past, and nothing is open."""
        self._banks[:] = 0
        self._column[:] = -1
        self._open = 0
        self._every = int(REFRESH.field("refresh_all").reset or 0)

    # ------------------------------------------------------------ sampling

    def set_up(self, config: BenchConfig) -> None:
        """Note what the run is made of."""
        base = config.base
        self._count("setup.preset", re.sub(r"_s\d$", "", config.preset), 1)
        self._count("setup.generation", config.geometry, 1)
        name = "masks" if config.masks else config.map_name if config.map_name in NAMED_MAPS else "layout or file"
        self._count("setup.map", name, 1)
        self._count("setup.rows", "fewer" if config.row_limit else "all", 1)
        self.counts["setup.rd_delay"][config.rd_delay] += 1
        sid, group, bank = np.indices((SIDS, GROUPS, BANKS)).reshape(3, -1)
        self._exists = (sid < base.count("sids")) & (group < base.count("bgs")) & (bank < base.count("banks"))
        for port in range(records.PORTS):
            self.ready_level(0, config.ready_r[port])
            self.ready_level(1, config.ready_b[port])

    def _count(self, name: str, label: str, count: int) -> None:
        """Add to a bin of a point with one axis; a label that it does not have is not counted."""
        labels = POINTS[name].axes[0][1]
        if label in labels:
            self.counts[name][labels.index(label)] += count

    def offered(self, port: int, chunk: Chunk) -> None:
        """Sample the requests of a chunk."""
        counts = self.counts
        self._open += chunk.transactions
        for direction, rows in enumerate((chunk.ar, chunk.aw)):
            if not len(rows):
                continue
            size = rows["size"].astype(np.int64) & 7
            burst = rows["burst"].astype(np.int64) & 3
            length = rows["len"].astype(np.int64)
            addr = rows["addr"].astype(np.int64)
            counts["axi.port"][port, direction] += len(rows)
            np.add.at(counts["axi.length"][direction], (burst, length), 1)
            np.add.at(counts["axi.burst"][direction], (burst, np.searchsorted(_LENGTH_EDGES, length + 1), size), 1)
            counts["axi.id"][direction] += np.bincount(rows["id"].astype(np.int64) & 63, minlength=64)
            aligned = addr % (1 << size) == 0
            align = np.where(addr % 32 == 0, 0, np.where(aligned, 1, 2))
            np.add.at(counts["axi.alignment"][direction], (burst, align), 1)
            beats = length + 1
            wrap, fixed = burst == axi.WRAP, burst == axi.FIXED
            last = ((addr >> size) << size) + (beats << size) - 1
            crosses = (burst == axi.INCR) & (size <= axi.MAX_SIZE) & (last >> 12 != addr >> 12)
            bad_wrap = wrap & ~np.isin(beats, (2, 4, 8, 16))
            reasons = (
                burst == axi.RESERVED,
                bad_wrap,
                wrap & ~aligned,
                fixed & (beats > 16),
                size > axi.MAX_SIZE,
                crosses,
            )
            counts["axi.error"][direction] += np.array([reason.sum() for reason in reasons])
            locked = np.flatnonzero(rows["lock"])
            if len(locked):
                legal = [
                    axi.exclusive_shape(*(int(rows[name][at]) for name in ("addr", "len", "size", "burst")))
                    for at in locked
                ]
                counts["axi.exclusive"][direction] += [sum(map(bool, legal)), len(legal) - sum(map(bool, legal))]
            qos = rows["qos"].astype(np.int64) & 15
            counts["axi.qos"][direction] += np.bincount(qos, minlength=16)
            kinds = np.where(qos >= self._limits[1], 2, np.where(qos >= self._limits[0], 1, 0))
            counts["axi.qos_class"][direction] += np.bincount(kinds, minlength=len(CLASSES))
            gap = log2_class(rows["gap"].astype(np.int64), 7)
            counts["axi.gap"][direction] += np.bincount(gap, minlength=8)
        if len(chunk.aw) and len(chunk.shape) == len(chunk.aw):
            np.add.at(counts["axi.strobes"], (chunk.aw["burst"].astype(np.int64) & 3, chunk.shape), 1)

    def responses_seen(self, r: Records, b: Records) -> None:
        """Sample the responses of a batch."""
        if len(r):
            found = r["resp"][r["last"] != 0].astype(np.int64) & 3
            self.counts["axi.response"][0] += np.bincount(found, minlength=4)
            self._open -= len(found)
        if len(b):
            self.counts["axi.response"][1] += np.bincount(b["resp"].astype(np.int64) & 3, minlength=4)
            self._open -= len(b)

    def commands_seen(self, cmd: Records) -> None:
        """Sample the commands of a batch, in time order; the commands of a cycle stand in one batch."""
        if not len(cmd):
            return
        code = np.minimum(cmd["cmd"], 16).astype(np.int64)
        pc = cmd["pc"].astype(np.int64) & 1
        bank = ((cmd["sid"].astype(np.int64) & 3) * GROUPS + (cmd["bg"] & 3)) * BANKS + (cmd["bank"] & 7)
        time = cmd["time"].astype(np.int64)
        counts = self.counts
        self._add("dram.command", (pc * 17 + code) * CELLS + bank)
        self._add("dram.slot", (pc * 17 + code) * 4 + time % 4)
        self._cycles(code, pc, time // 4, time // 2 % 2)
        self._sequences(code, pc, bank)
        column = np.isin(code, COLUMN_COMMANDS)
        self._turns(code[column], pc[column], bank[column])
        for name, values, bits in (
            ("dram.row_bit", cmd["row"][code == Cmd.ACT], ROW_BITS),
            ("dram.column_bit", cmd["col"][column], COLUMN_BITS),
        ):
            ones = (values[:, None] >> np.arange(bits)) & 1
            counts[name][:, 1] += ones.sum(axis=0, dtype=np.int64)
            counts[name][:, 0] += len(values) - ones.sum(axis=0, dtype=np.int64)

    def _add(self, name: str, flat: NDArray[np.int64]) -> None:
        table = self.counts[name]
        table += np.bincount(flat, minlength=table.size).reshape(table.shape)

    def _cycles(self, code: Counts, pc: Counts, cycle: Counts, phase: Counts) -> None:
        """Which row and column commands share a cycle."""
        column = np.isin(code, COLUMN_COMMANDS)
        _, at = np.unique(cycle, return_inverse=True)
        size = int(at[-1]) + 1 if len(at) else 0

        def per_cycle(chosen: NDArray[np.bool_], weight: Counts | int = 1) -> Counts:
            weights = np.where(chosen, weight, 0)
            return np.bincount(at, weights=weights, minlength=size).astype(np.int64)

        pcs = per_cycle(column, 1 + pc)  # 1: PC0, 2: PC1, 3: both
        self.counts["dram.column_cycle"] += np.bincount(pcs, minlength=4)[1:4]
        act = code == Cmd.ACT
        short = ~column & ~act & (code < Cmd.MRS)
        acts, shorts = per_cycle(act), per_cycle(short)
        act_pc, short_pc = per_cycle(act, pc), per_cycle(short, pc)
        second = per_cycle(short & (phase == 1))
        kinds = np.where(
            acts > 0,
            np.where(shorts == 0, 0, np.where(act_pc == short_pc, 1, 2)),
            np.where(shorts == 0, -1, np.where(shorts > 1, 5, 3 + second)),
        )
        self.counts["dram.row_cycle"] += np.bincount(kinds[kinds >= 0], minlength=len(ROW_CYCLES))

    def _sequences(self, code: Counts, pc: Counts, bank: Counts) -> None:
        """Each command with the one before of the same bank; PREA and REF go to all banks of their PC."""
        of_channel = code >= Cmd.MRS
        code, pc, bank = code[~of_channel], pc[~of_channel], bank[~of_channel]
        many = np.isin(code, PC_COMMANDS)
        cells = np.flatnonzero(self._exists)
        repeats = np.where(many, len(cells), 1)
        which = np.repeat(np.arange(len(code)), repeats)
        start = np.cumsum(repeats) - repeats
        place = np.arange(len(which)) - start[which]
        where = np.where(many[which], cells[np.minimum(place, len(cells) - 1)] if len(cells) else 0, bank[which])
        key, after = pc[which] * CELLS + where, code[which]
        order = np.argsort(key, kind="stable")
        key, after = key[order], after[order]
        flat = self._banks.reshape(-1)
        before = np.empty_like(after)
        if len(after):
            first = np.concatenate(([True], key[1:] != key[:-1]))
            before[1:] = after[:-1]
            before[first] = flat[key[first]]
            last = np.concatenate((first[1:], [True]))
            flat[key[last]] = after[last]
        self._add("dram.sequence", before * 17 + after)

    def _turns(self, code: Counts, pc: Counts, bank: Counts) -> None:
        """Direction and place of each column command against the one before of its PC."""
        for one in range(2):
            mine = pc == one
            if not mine.any():
                continue
            writes = np.isin(code[mine], (Cmd.WR, Cmd.WRA)).astype(np.int64)
            writes = np.concatenate((self._column[one, :1], writes))
            where = np.concatenate((self._column[one, 1:], bank[mine]))
            self._column[one] = writes[-1], where[-1]
            relation = np.where(
                where[1:] == where[:-1], 0,
                np.where(where[1:] // BANKS == where[:-1] // BANKS, 1,
                         np.where(where[1:] // (BANKS * GROUPS) == where[:-1] // (BANKS * GROUPS), 2, 3)),
            )  # fmt: skip
            known = writes[:-1] >= 0
            flat = (writes[:-1] * 2 + writes[1:])[known] * 4 + relation[known]
            self.counts["sched.turn"][one] += np.bincount(flat, minlength=16).reshape(4, 4)

    def outside_seen(self, events: Records) -> None:
        """Sample register writes and TEMP."""
        for row in events[(events["kind"] == records.EV_REGISTER) | (events["kind"] == records.EV_TEMP)]:
            word = int(row["b"])
            if row["kind"] == records.EV_TEMP:
                self._temp = word & 7
                self.counts["refresh.temp"][self._every, self._temp] += 1
            else:
                self._register_written(int(row["a"]), word & 0xFFFFFFFF, word >> 32 & 15, bool(word >> 36 & 1))

    def _register_written(self, address: int, word: int, lanes: int, error: bool) -> None:
        self.counts["csr.write"][int(error), 0 if lanes == 15 else 1 if lanes else 2] += 1
        if error:
            return
        for name in self._by_address.get(address, ()):
            at, field, low, high = self._fields[address, name]
            if all(lanes >> lane & 1 for lane in range(low, high + 1)):
                value = field.of(word)
                self.counts["csr.field"][at, 0 if value == 0 else 1 if value == (1 << field.width) - 1 else 2] += 1
        if address == QOS.address:
            self._limits[:] = QOS.field("qos_mid").of(word), QOS.field("qos_high").of(word)
        elif address == REFRESH.address and lanes & 1:
            self._every = REFRESH.field("refresh_all").of(word)
            self.counts["refresh.temp"][self._every, self._temp] += 1
        elif address == PHY.address and lanes & 1:
            self.counts["setup.rd_delay"][PHY.field("rd_delay").of(word)] += 1
        elif address == CTRL.address and CTRL.field("commit").of(word):
            self.counts["setup.commit"][int(self._open > 0)] += 1

    def found_in(self, moments: NDArray[np.bool_], debts: Counts) -> None:
        """Sample the state at the end of a batch: PC x MOMENTS, and the refreshes that each PC owes."""
        self.counts["sched.moment"] += moments
        self.counts["refresh.debt"][self._every] += np.bincount(
            np.searchsorted(_DEBT_EDGES, debts, side="right"), minlength=len(DEBTS)
        )

    def counted(self, counts: Mapping[str, int]) -> None:
        """A snapshot of the performance counters."""
        self.counts["counter"][:] = np.maximum(self.counts["counter"], [counts[name] for name in COUNTERS])

    def ready_level(self, channel: int, level: int) -> None:
        """Note the back-pressure setting of R (0) or B (1); `level` of 256."""
        self.counts["axi.ready"][channel, 0 if level >= 256 else 1 if level >= 160 else 2 if level >= 96 else 3] += 1

    def checked(self, board: Scoreboard) -> None:
        """What the scoreboard counted: at the end of the run."""

        def seen(start: int, rows: int, columns: int) -> Counts:
            total = np.zeros((rows, columns), np.int64)
            for port in board.ports:
                total += port.table(start, rows, columns)
            return total

        levels = seen(k.LEVELS, 2, 128)
        classes = log2_class(np.arange(128), 7)
        self.counts["axi.outstanding"][:] = [np.bincount(classes, weights=row, minlength=8) for row in levels]
        self.counts["host.hazard"][:] = seen(k.DISTANCE, 3, 16)
        self.counts["axi.wait"][:] = seen(k.WAITS, 3, 16)
        names = (k.N_RMW, k.N_DROPPED, k.N_MULTI, k.N_ID_OVERTAKE, k.N_R_INTERLEAVE, k.N_HIT, k.N_CLOSED, k.N_CONFLICT)
        self.counts["host.event"][:] = [board.total(name) for name in names]

    # ------------------------------------------------------------ results

    def holes_of_random(self) -> list[str]:
        """What constrained-random traffic must hit and did not."""
        holes: list[str] = []
        legal = {axi.INCR: range(256), axi.WRAP: (1, 3, 7, 15), axi.FIXED: range(16)}
        kinds = (axi.FIXED, axi.INCR, axi.WRAP)
        for direction, word in enumerate(DIRECTIONS):
            for burst, lengths in legal.items():
                holes += [
                    f"{word} {BURSTS[burst]} of {length + 1} beats"
                    for length in lengths
                    if not self.counts["axi.length"][direction, burst, length]
                ]
            for burst in kinds:
                sizes = self.counts["axi.burst"][direction, burst].sum(axis=0)
                holes += [f"{word} {BURSTS[burst]} of size {1 << size}" for size in range(6) if not sizes[size]]
            holes += [f"{word} id {axi_id}" for axi_id in np.flatnonzero(self.counts["axi.id"][direction] == 0)]
            holes += [] if self.counts["axi.alignment"][direction, :, 2].any() else [f"{word} {ALIGNMENTS[2]}"]
        for burst in kinds:
            for shape, name in enumerate(SHAPES):
                if not self.counts["axi.strobes"][burst, shape]:
                    holes.append(f"{BURSTS[burst]} with strobes {name}")
        return holes

    def report(self) -> dict[str, Any]:
        """The bins that were hit: point -> bin -> count."""
        points = {}
        for name, point in POINTS.items():
            flat = self.counts[name].reshape(-1)
            points[name] = {point.bins[at]: int(flat[at]) for at in np.flatnonzero(flat)}
        return {"schema": SCHEMA, "points": points}

    def save(self, path: Path, board: Scoreboard) -> None:
        """Write the report as JSON."""
        self.checked(board)
        path.write_text(json.dumps(self.report()) + "\n")
