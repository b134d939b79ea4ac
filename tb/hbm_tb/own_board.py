"""What a controller that is not ours did with its requests: data of every read, and one column command per request.

Nothing here is compiled, and the memory is a dict of 32-byte blocks: one request after the other. A monitor of the
user's own port tells of each request when the controller accepts it, and of each read when its data come back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from hbm_model.commands import Cmd
from hbm_model.params import Params
from numpy.typing import NDArray

from hbm_tb import failure as failures
from hbm_tb.failure import Failure
from hbm_tb.scoreboard import Mismatch, unmix

BLOCK_BYTES = 32
_GOLDEN = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1
_READS, _WRITES = (Cmd.RD, Cmd.RDA), (Cmd.WR, Cmd.WRA)


@dataclass(frozen=True, order=True)
class Place:
    """Where 32 bytes stand in the DRAM; `bank` within its bank group, `col` counts accesses of 32 bytes."""

    pc: int
    sid: int
    bg: int
    bank: int
    row: int
    col: int

    def __str__(self) -> str:
        return f"PC {self.pc} SID {self.sid} BG {self.bg} bank {self.bank} row {self.row:#x} col {self.col}"


@dataclass(frozen=True)
class Request:
    """A request that the controller has accepted. `ck`: when, in CK since the bench was reset (OwnEnv.ck).

    Reads of one `tag` are answered in the order of their requests; a controller that answers all in order needs one.
    """

    write: bool
    place: Place
    data: bytes = b""  # of a write: 32 bytes
    mask: int = 0  # of a write: bit i set, byte i keeps its value
    ck: float = 0.0
    tag: int = 0


@dataclass(frozen=True)
class Answer:
    """The 32 bytes that the controller gave for the oldest open read of a tag."""

    data: bytes
    ck: float = 0.0
    tag: int = 0


def mix(x: int) -> int:
    """The finaliser of splitmix64 (docs/bench.md)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK64
    return x ^ (x >> 31)


def unwritten(seed: int, at: Place) -> bytes:
    """What 32 bytes read as that were never written (docs/bench.md)."""
    base = at.col | at.bank << 8 | at.bg << 12 | at.sid << 16 | at.pc << 20 | at.row << 24
    words = (mix((seed + _GOLDEN * ((base | w << 6) + 1)) & _MASK64) for w in range(BLOCK_BYTES // 8))
    return b"".join(word.to_bytes(8, "little") for word in words)


@dataclass
class Entry:
    """A request of the run."""

    number: int  # of the reads, or of the writes, from 0
    request: Request
    expected: bytes = b""  # of a read
    answered_ck: float | None = None  # of a read, when its data came


@dataclass
class AccessBoard:
    """Compares read data with the memory as the accepted requests leave it, and column commands with requests.

    `one_column_each`: every request has exactly one RD or WR at its place by the end. False for a controller that
    forwards, merges or reads before it writes.
    """

    params: Params
    seed: int
    one_column_each: bool = True
    memory: dict[Place, bytes] = field(default_factory=dict)
    reads: int = 0  # accepted
    writes: int = 0
    checked: int = 0  # reads whose data were compared
    log: list[Entry] = field(default_factory=list)  # every request, in order of acceptance
    _open: dict[int, deque[Entry]] = field(default_factory=dict)
    _due: Counter[tuple[bool, Place]] = field(default_factory=Counter)

    def content(self, at: Place) -> bytes:
        """The 32 bytes at a place."""
        return self.memory.get(at) or unwritten(self.seed, at)

    def accepted(self, request: Request) -> None:
        """The controller took a request."""
        self._check_place(request.place)
        self._due[request.write, request.place] += 1
        entry = Entry(self.writes if request.write else self.reads, request)
        self.log.append(entry)
        if request.write:
            self.writes += 1
            if len(request.data) != BLOCK_BYTES:
                raise ValueError(f"a write has {len(request.data)} bytes of data, not {BLOCK_BYTES}")
            old = self.content(request.place) if request.mask else request.data
            self.memory[request.place] = bytes(
                old[i] if request.mask >> i & 1 else request.data[i] for i in range(BLOCK_BYTES)
            )
        else:
            entry.expected = self.content(request.place)
            self._open.setdefault(request.tag, deque()).append(entry)
            self.reads += 1

    def answered(self, answer: Answer) -> None:
        """Read data came back; raises Mismatch when they are wrong."""
        waiting = self._open.get(answer.tag)
        if not waiting:
            raise Mismatch(f"CK {answer.ck:g}: read data of tag {answer.tag} that no request asked for")
        entry = waiting.popleft()
        entry.answered_ck = answer.ck
        if answer.data != entry.expected:
            raise Mismatch(self._sentence(entry, answer), _wrong_data(entry, answer))
        self.checked += 1

    def finish(self, commands: NDArray[np.void] | None) -> None:
        """The checks of the end; `commands`: all that were recorded, None where there is nothing to match them with."""
        for tag, waiting in self._open.items():
            if waiting:
                first = waiting[0]
                raise Mismatch(
                    f"{len(waiting)} reads of tag {tag} have no data at the end, the first is read {first.number} at "
                    f"{first.request.place}, accepted at CK {first.request.ck:g}"
                )
        if commands is not None and self.one_column_each:
            self._match(commands)

    def _match(self, commands: NDArray[np.void]) -> None:
        """Every request has its column command, and none is left over."""
        due = Counter(self._due)
        for write, place, ck in columns(commands):
            due[write, place] -= 1
            if due[write, place] < 0:
                raise Mismatch(f"{'WR' if write else 'RD'} at CK {ck:g} to {place}: no request asked for it")
        missing = sorted(key for key, count in due.items() if count)
        if missing:
            write, place = missing[0]
            raise Mismatch(
                f"{sum(due.values())} column commands are missing, the first is {'WR' if write else 'RD'} at {place}"
            )

    def _check_place(self, at: Place) -> None:
        for name in ("pc", "sid", "bg", "bank", "row", "col"):
            limit = self.params.count("cols" if name == "col" else f"{name}s")
            if not 0 <= getattr(at, name) < limit:
                raise ValueError(f"a request goes to {name} {getattr(at, name)}, the geometry has {limit}")

    def _sentence(self, entry: Entry, answer: Answer) -> str:
        """What is wrong, and where the data that came may be from."""
        byte = next(i for i in range(BLOCK_BYTES) if answer.data[i] != entry.expected[i])
        wrong = sum(a != b for a, b in zip(answer.data, entry.expected, strict=True))
        place = entry.request.place
        written = "written before" if place in self.memory else "never written"
        text = (
            f"read {entry.number} at {place} ({written}), accepted at CK {entry.request.ck:g}, answered at CK "
            f"{answer.ck:g}: {wrong} of {BLOCK_BYTES} bytes differ, byte {byte} is {answer.data[byte]:#04x}, expected "
            f"{entry.expected[byte]:#04x}"
        )
        origin = self.origin(answer.data)
        return f"{text}; these are the data of {origin}" if origin else text

    def origin(self, data: bytes) -> str | None:
        """A place that holds these 32 bytes."""
        for place, content in self.memory.items():
            if content == data:
                return str(place)
        word = int.from_bytes(data[:8], "little")
        key = (unmix(word) - self.seed) * pow(_GOLDEN, -1, 1 << 64) - 1 & _MASK64
        at = Place(key >> 20 & 15, key >> 16 & 15, key >> 12 & 15, key >> 8 & 15, key >> 24, key & 0x3F)
        try:
            self._check_place(at)
        except ValueError:
            return None
        return f"{at}, which was never written" if unwritten(self.seed, at) == data else None


def _wrong_data(entry: Entry, answer: Answer) -> Failure:
    """Wrong read data, in parts."""
    at = entry.request.place
    found = failures.of_response(
        "data",
        "wrong read data",
        f"read {entry.number} at {at}: wrong data",
        port=at.pc,
        cycle=int(answer.ck) // 2,
        expected=entry.expected.hex(),
        got=answer.data.hex(),
    )
    return replace(found, where=str(at), bank={"sid": at.sid, "bg": at.bg, "bank": at.bank})


def columns(commands: NDArray[np.void]) -> Iterable[tuple[bool, Place, float]]:
    """(write, place, CK) of every column command of a log, with the row that is open in its bank."""
    rows: dict[tuple[int, int, int, int], int] = {}
    for record in commands:
        code = int(record["cmd"])
        pc, sid, bg, bank = (int(record[name]) for name in ("pc", "sid", "bg", "bank"))
        if code == Cmd.ACT:
            rows[pc, sid, bg, bank] = int(record["row"])
        elif code in _READS or code in _WRITES:
            place = Place(pc, sid, bg, bank, rows.get((pc, sid, bg, bank), -1), int(record["col"]))
            yield code in _WRITES, place, int(record["time"]) / 2
