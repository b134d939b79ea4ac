"""Functional coverage by numpy counting: what was offered, what came back, what the DRAM saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hbm_tb import axi, records
from hbm_tb import port_kernel as k
from hbm_tb.counters import COUNTERS
from hbm_tb.link import BY_PATH
from hbm_tb.scoreboard import COMMAND_NAMES, Scoreboard
from hbm_tb.traffic import SHAPES, Chunk

Records = NDArray[np.void]

QOS = BY_PATH["policy.qos"]
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


class Coverage:
    """Counters of one run. `crosses` are dense arrays named by their axes."""

    def __init__(self) -> None:
        # direction x burst x length class x size x alignment
        self.bursts = np.zeros((2, 4, len(LENGTH_CLASSES), 6, 3), np.int64)
        self.lengths = np.zeros((2, 4, 256), np.int64)  # direction x burst x beats - 1
        self.sizes = np.zeros((2, 8), np.int64)
        self.ids = np.zeros((2, 64), np.int64)
        self.shapes = np.zeros((4, len(SHAPES)), np.int64)  # burst x strobe shape
        self.locks = np.zeros(2, np.int64)
        self.gaps = np.zeros((2, 8), np.int64)  # direction x log2
        self.qos = np.zeros(16, np.int64)
        self.responses = np.zeros((2, 4), np.int64)  # direction x response
        self.commands = np.zeros((2, 17, 16), np.int64)  # pc x command x {sid, bg}
        self.ready = np.zeros((2, len(READY_LEVELS)), np.int64)  # R, B
        self.ports = np.zeros((2, 2), np.int64)  # port x direction
        self.classes = np.zeros((2, len(CLASSES)), np.int64)  # direction x class
        self.moments = np.zeros((2, len(MOMENTS)), np.int64)  # PC x moment: batches that ended in it
        self.counters = np.zeros(len(COUNTERS), np.int64)  # of the last snapshot
        self._limits = np.array([QOS.field(name).reset or 0 for name in ("qos_mid", "qos_high")], np.int64)

    # ------------------------------------------------------------ sampling

    def offered(self, port: int, chunk: Chunk) -> None:
        """Sample the requests of a chunk."""
        for direction, rows in enumerate((chunk.ar, chunk.aw)):
            if not len(rows):
                continue
            size = rows["size"].astype(np.int64)
            burst = rows["burst"].astype(np.int64) & 3
            length = rows["len"].astype(np.int64)
            addr = rows["addr"].astype(np.int64)
            self.ports[port, direction] += len(rows)
            np.add.at(self.lengths[direction], (burst, length), 1)
            self.sizes[direction] += np.bincount(size & 7, minlength=8)
            self.ids[direction] += np.bincount(rows["id"].astype(np.int64) & 63, minlength=64)
            self.locks[direction] += int((rows["lock"] != 0).sum())
            qos = rows["qos"].astype(np.int64) & 15
            self.qos += np.bincount(qos, minlength=16)
            high = qos >= self._limits[1]
            kinds = np.where(high, 2, np.where(qos >= self._limits[0], 1, 0))
            self.classes[direction] += np.bincount(kinds, minlength=len(CLASSES))
            gap = np.minimum(np.ceil(np.log2(rows["gap"].astype(np.float64) + 1)), 7).astype(np.int64)
            self.gaps[direction] += np.bincount(gap, minlength=8)
            legal = size <= axi.MAX_SIZE
            align = np.where(addr % 32 == 0, 0, np.where(addr % (1 << size) == 0, 1, 2))
            classes = np.searchsorted(_LENGTH_EDGES, length + 1)
            np.add.at(self.bursts[direction], (burst[legal], classes[legal], size[legal], align[legal]), 1)
        if len(chunk.aw) and len(chunk.shape) == len(chunk.aw):
            np.add.at(self.shapes, (chunk.aw["burst"].astype(np.int64) & 3, chunk.shape), 1)

    def responses_seen(self, r: Records, b: Records) -> None:
        """Sample the responses of a batch."""
        if len(r):
            self.responses[0] += np.bincount(r["resp"][r["last"] != 0].astype(np.int64) & 3, minlength=4)
        if len(b):
            self.responses[1] += np.bincount(b["resp"].astype(np.int64) & 3, minlength=4)

    def commands_seen(self, cmd: Records) -> None:
        """Sample the commands of a batch."""
        if len(cmd):
            group = (cmd["sid"].astype(np.int64) * 4 + cmd["bg"]) & 15
            flat = (cmd["pc"].astype(np.int64) * 17 + np.minimum(cmd["cmd"], 16)) * 16 + group
            self.commands += np.bincount(flat, minlength=self.commands.size).reshape(self.commands.shape)

    def registers_written(self, events: Records) -> None:
        """Follow the limits of the classes."""
        for row in events[(events["kind"] == records.EV_REGISTER) & (events["a"] == QOS.address)]:
            word = int(row["b"])
            self._limits[:] = QOS.field("qos_mid").of(word), QOS.field("qos_high").of(word)

    def found_in(self, moments: NDArray[np.bool_]) -> None:
        """Sample the state at the end of a batch: PC x MOMENTS."""
        self.moments += moments

    def counted(self, counts: Mapping[str, int]) -> None:
        """A snapshot of the performance counters."""
        self.counters[:] = [counts[name] for name in COUNTERS]

    def ready_level(self, channel: int, level: int) -> None:
        """Note the back-pressure setting of R (0) or B (1); `level` of 256."""
        self.ready[channel, 0 if level >= 256 else 1 if level >= 160 else 2 if level >= 96 else 3] += 1

    # ------------------------------------------------------------ results

    def merge(self, other: Coverage) -> None:
        """Add the counts of another run."""
        for name, value in vars(self).items():
            if not name.startswith("_"):
                value += getattr(other, name)

    def holes_of_random(self) -> list[str]:
        """What constrained-random traffic must hit and did not."""
        holes: list[str] = []
        for direction, word in enumerate(DIRECTIONS):
            legal = {axi.INCR: range(256), axi.WRAP: (1, 3, 7, 15), axi.FIXED: range(16)}
            for burst, lengths in legal.items():
                holes += [
                    f"{word} {axi.BURST_NAMES[burst]} of {length + 1} beats"
                    for length in lengths
                    if not self.lengths[direction, burst, length]
                ]
            for burst in (axi.FIXED, axi.INCR, axi.WRAP):
                sizes = self.bursts[direction, burst].sum(axis=(0, 2))
                holes += [
                    f"{word} {axi.BURST_NAMES[burst]} of size {1 << size}" for size in range(6) if not sizes[size]
                ]
            holes += [f"{word} id {axi_id}" for axi_id in np.flatnonzero(self.ids[direction] == 0)]
            holes += [f"{word} {ALIGNMENTS[2]}"] if not self.bursts[direction, :, :, :, 2].any() else []
        for burst in (axi.FIXED, axi.INCR, axi.WRAP):
            for shape, name in enumerate(SHAPES):
                if not self.shapes[burst, shape]:
                    holes.append(f"{axi.BURST_NAMES[burst]} with strobes {name}")
        return holes

    def report(self, board: Scoreboard) -> dict[str, Any]:
        """All counters under readable names; board: hazards, queue levels and waits that the scoreboard saw."""

        def seen(start: int, rows: int, columns: int) -> NDArray[np.int64]:
            total = np.zeros((rows, columns), np.int64)
            for port in board.ports:
                total += port.table(start, rows, columns)
            return total

        hazards, levels, waits = seen(k.DISTANCE, 3, 16), seen(k.LEVELS, 2, 128), seen(k.WAITS, 3, 16)
        bursts, sizes = list(axi.BURST_NAMES), [1, 2, 4, 8, 16, 32]
        return {
            "bursts": {
                "axes": ["direction", "burst", "length", "size", "alignment"],
                "labels": [list(DIRECTIONS), bursts, list(LENGTH_CLASSES), sizes, list(ALIGNMENTS)],
                "counts": self.bursts.tolist(),
            },
            "lengths": {"axes": ["direction", "burst", "beats - 1"], "counts": self.lengths.tolist()},
            "strobes": {
                "axes": ["burst", "shape"],
                "labels": [bursts, list(SHAPES)],
                "counts": self.shapes.tolist(),
            },
            "ids": self.ids.tolist(),
            "exclusive": {"read": int(self.locks[0]), "write": int(self.locks[1])},
            "qos": self.qos.tolist(),
            "qos_classes": {
                "axes": ["direction", "class"],
                "labels": [list(DIRECTIONS), list(CLASSES)],
                "counts": self.classes.tolist(),
            },
            "moments": {name: self.moments[:, at].tolist() for at, name in enumerate(MOMENTS)},
            "counters": dict(zip(COUNTERS, self.counters.tolist(), strict=True)),
            "gaps_log2": self.gaps.tolist(),
            "responses": {
                "labels": list(axi.RESP_NAMES),
                "read": self.responses[0].tolist(),
                "write": self.responses[1].tolist(),
            },
            "back_pressure": {
                "labels": list(READY_LEVELS),
                "r": self.ready[0].tolist(),
                "b": self.ready[1].tolist(),
            },
            "commands": {
                name: {"pc0": self.commands[0, code].tolist(), "pc1": self.commands[1, code].tolist()}
                for code, name in enumerate(COMMAND_NAMES)
                if self.commands[:, code].any()
            },
            "hazard_distance_log2": {
                "raw": hazards[0].tolist(),
                "war": hazards[1].tolist(),
                "waw": hazards[2].tolist(),
            },
            "outstanding": {"reads": levels[0].tolist(), "writes": levels[1].tolist()},
            "valid_waits_log2": {"ar": waits[0].tolist(), "aw": waits[1].tolist(), "w": waits[2].tolist()},
            "page_outcomes": {
                "hit": board.total(k.N_HIT),
                "closed": board.total(k.N_CLOSED),
                "conflict": board.total(k.N_CONFLICT),
            },
            "several_legal_values": board.total(k.N_MULTI),
            "ids_overtook": board.total(k.N_ID_OVERTAKE),
            "ids_interleaved": board.total(k.N_R_INTERLEAVE),
            "read_modify_writes": board.total(k.N_RMW),
            "writes_without_strobes": board.total(k.N_DROPPED),
        }

    def save(self, path: Path, board: Scoreboard) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(self.report(board), indent=1) + "\n")
