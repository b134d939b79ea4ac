"""Traffic that is meant to make requests wait, and the longest wait of a run.

What must not be exceeded is derived elsewhere (waits.py, docs/waits.md). Cycles are controller cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model.addrmap import AddressMap, Location
from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import AR, AW, AX_ROW, W_ROW, Channel, W

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.void]

CHUNK: Final = 2048  # requests of a direction that is offered without a pause
_LONG: Final = 6  # chunks that banks in turn go on
_RARE: Final = 32  # requests of a direction that is rarely asked for, in the time of a chunk
_STEP: Final = 1024  # cycles that the model runs at a time; at most CHUNK / 2 requests are taken meanwhile
SEGMENT: Final = 500_000  # cycles
SETTLE: Final = 8 * _STEP  # cycles in which the last posted writes are carried out
IDS: Final = 16
PIPE: Final = 3  # cycles from a column pick to its word on the pins
ENTRIES: Final = 32
EPOCH: Final = 4096  # cycles in which both ports may have the same mood
# AxLEN and AxSIZE of the bursts of a chunk: one request, a few, many, and narrow beats.
BURSTS: Final = (((0,), 5), ((1, 3, 7), 5), ((15, 31, 127), 5), ((127,), 5), ((255,), 0), ((7, 15), 1))
BURST_REQUESTS: Final = 128  # of 32 bytes, at most
BURST_BEATS: Final = 32  # of one request, at most
PARTIAL: Final = 0.05  # of the W beats of bursts have strobes missing


class Mood(IntEnum):
    """What the requests of a chunk have in common."""

    HITS = 0  # of one row, with a few requests to other rows of the bank
    ROWS = 1  # three rows of one bank
    GROUP = 2  # random rows of one bank group
    BANKS = 3  # hits in all banks, with a few requests to other rows
    STREAM = 4
    RANDOM = 5
    TURN = 6  # banks in turn, a new row each; in the other banks hits of a row, then one request to another row
    CHAIN = 7  # one id, hits in all banks with a few requests to other rows
    LINES = 8  # reads and writes of a few 32-byte blocks: hazards, forwarded reads
    FLOOD = 9  # nearly all of a high AxQOS, hits in all banks with a few requests to other rows


class Adversary:
    """Endless requests of one port, a chunk at a time. Each chunk has a mood, and each direction its own pace.

    A direction is offered without a pause, rarely, or not at all. For half of the time both ports have the same mood
    and pace. qos_share: of the requests have AxQOS 15; bursts: of up to 128 requests, and narrow ones, with partial
    strobes here and there.
    """

    def __init__(
        self, address_map: AddressMap, port: int, seed: int, qos_share: float = 0.0, bursts: bool = False
    ) -> None:
        self.map, self.port, self.qos_share, self.bursts = address_map, port, qos_share, bursts
        self.seed = seed
        self.rng = np.random.default_rng([seed, port])
        self.streamed = 0
        self.odd: list[int] = []  # places of a chunk whose request has an id of its own

    def _places(self, mood: Mood, count: int) -> U64:
        """Addresses of one direction."""
        rng, shape = self.rng, self.map
        if mood == Mood.STREAM:
            start, self.streamed = self.streamed, self.streamed + count
            address = (np.uint64(32) * np.arange(start, start + count, dtype=np.uint64)) % np.uint64(shape.port_bytes)
            return address
        home = [int(rng.integers(0, most)) for most in (shape.sids, shape.bgs, shape.banks, shape.rows)]
        sid, bg, bank, row = (np.full(count, value) for value in home)
        col = np.arange(count) % shape.cols
        if mood == Mood.HITS:
            row = np.where(rng.random(count) < 1 / 64, rng.integers(0, shape.rows, count), row)
        elif mood == Mood.ROWS:
            row = (row + rng.integers(0, 3, count)) % shape.rows
        elif mood == Mood.GROUP:
            bank, row = rng.integers(0, shape.banks, count), rng.integers(0, shape.rows, count)
        elif mood == Mood.TURN:
            bg, bank, row, col = self._in_turn(count, home[3])
        elif mood == Mood.LINES:
            # The same blocks in both directions, whoever asks first.
            lines = np.random.default_rng([self.seed, self.port, 1])
            which = rng.integers(0, 48, count)
            sid, bg, bank = (lines.integers(0, most, 48)[which] for most in (shape.sids, shape.bgs, shape.banks))
            row, col = lines.integers(0, 2, 48)[which], which % shape.cols
        elif mood == Mood.RANDOM:
            sid, bg, bank = (rng.integers(0, most, count) for most in (shape.sids, shape.bgs, shape.banks))
            row, col = rng.integers(0, shape.rows, count), rng.integers(0, shape.cols, count)
        else:  # BANKS, CHAIN, FLOOD
            bg, bank, sid = (rng.integers(0, most, count) for most in (shape.bgs, shape.banks, shape.sids))
            row = np.where(rng.random(count) < 1 / 64, rng.integers(0, shape.rows, count), row)
        at = Location(np.full(count, self.port), sid, bg, bank, row, col)
        return self.map.split(self.map.encode(at))[1]

    def _in_turn(self, count: int, first_row: int) -> tuple[I64, I64, I64, I64]:
        """Groups, banks, rows and columns: most banks of a stack in turn, a new row each time.

        In each of the other banks first hits of one row, some requests apart, then a request to another one.
        """
        rng, shape = self.rng, self.map
        banks = shape.bgs * shape.banks
        turning = int(rng.integers(banks - 4, banks))
        number = np.arange(count)
        flat = (number + int(rng.integers(0, turning))) % turning
        row = (first_row + 2 + number // turning) % shape.rows
        start = count if rng.random() < 0.5 else 0  # one port in two only turns
        while start < count:
            other, span = int(rng.integers(turning, banks)), int(rng.integers(30, 400))
            hits = start + rng.integers(0, span, int(rng.integers(1, 30)))
            odd = start + int(rng.integers(5, span + 1))
            hits = hits[hits < count]
            flat[hits], row[hits] = other, first_row
            if odd < count:
                flat[odd], row[odd] = other, (first_row + 1) % shape.rows
                self.odd.append(odd)
            start += count // 2 + 1  # nothing else happens for longer than a bound
        return flat % shape.bgs, flat // shape.bgs, row, number % shape.cols

    def _shaped(self, rows: Rows) -> Rows:
        """The requests as bursts of one kind, fewer of them, each inside its page."""
        rng = self.rng
        lengths, size = BURSTS[int(rng.integers(0, len(BURSTS)))]
        rows = rows[: -(-len(rows) // (max(lengths) + 1))]
        rows["len"], rows["size"] = rng.choice(lengths, len(rows)), size
        spans = (rows["len"].astype(np.uint64) + np.uint64(1)) << np.uint64(size)
        rows["addr"] -= rows["addr"] % spans
        return rows

    def chunk(self, now: int) -> tuple[Rows, Rows]:
        """AR and AW rows for the time from cycle `now` on; at least one of them without a pause."""
        rng = self.rng
        moods = len(Mood) if self.qos_share else len(Mood) - 1
        # 0: reads saturate, 1: writes do, 2: both; the other direction is rare, or of the same mood.
        mood, both = Mood(int(rng.integers(0, moods))), int(rng.integers(0, 3))
        common = np.random.default_rng([self.seed, now // EPOCH])
        if common.random() < 0.5:
            mood, both = Mood(int(common.integers(0, moods))), int(common.integers(0, 3))
        if mood == Mood.LINES:
            both = 2
        elif mood == Mood.TURN:
            both %= 2
        one_id = int(rng.integers(0, IDS))
        out = []
        for direction in range(2):
            full = both in (direction, 2)
            count = CHUNK if full else int(rng.choice((0, 1, _RARE)))
            if mood == Mood.TURN:  # all alone
                count *= _LONG if full else 0
            rows = np.zeros(count, AX_ROW)
            self.odd = []
            mine = mood if full or rng.random() < 0.7 else Mood(int(rng.integers(0, moods)))
            rows["addr"] = self._places(mine, count) if count else 0
            rows["cycle"] = now if full else now + rng.integers(0, 2 * CHUNK, count).cumsum() // max(count // 4, 1)
            rows["id"] = one_id if mine == Mood.CHAIN else rng.integers(0, IDS - bool(self.odd), count)
            rows["id"][self.odd] = IDS - 1
            rows["size"], rows["burst"] = 5, 1
            share = 15 / 16 if mine == Mood.FLOOD else self.qos_share
            rows["qos"] = np.where(rng.random(count) < share, 15, 0)
            out.append(self._shaped(rows) if self.bursts else rows)
        return out[0], out[1]


@dataclass(frozen=True)
class Waits:
    """Longest waits of a run. valid: from VALID to the handshake of the last R beat (or of B); queue: from enqueue to
    column pick, None where that is not known from outside: a read may be answered without a pick (forwarding) or pass
    others before the queue (express lane), and a burst is more than one request.
    """

    reads: int
    writes: int
    read_valid: int
    write_valid: int
    read_queue: int | None
    write_queue: int | None


@dataclass(frozen=True)
class PortLog:
    """What a port did, in the order of its handshakes: cycles and payload. R: last beats alone; W: every beat."""

    ar: Rows  # AX_ROW as accepted
    ar_up: I64  # VALID rose
    ar_taken: I64
    r_cycle: I64
    r_id: I64
    aw: Rows
    aw_up: I64
    w_up: I64
    aw_taken: I64
    w_taken: I64
    b_cycle: I64


def _by_id(ids: I64, r_ids: I64) -> I64:
    """For each read the place of its response: those of an id come in order."""
    asked, given = np.argsort(ids, kind="stable"), np.argsort(r_ids, kind="stable")
    out = np.empty(len(ids), np.int64)
    out[asked[: len(given)]] = given
    return out


def with_rows(commands: CmdArray) -> CmdArray:
    """A log from the pins, where column commands carry no row: with the row of the last ACT of their bank."""
    key = commands["pc"].astype(np.int64)
    for name in ("sid", "bg", "bank"):
        key = key << 8 | commands[name]
    order = np.argsort(key, kind="stable")
    number = np.arange(len(order))
    last = np.maximum.accumulate(np.where(commands["cmd"][order] == Cmd.ACT, number, -1))
    column = np.isin(commands["cmd"][order], (Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA)) & (last >= 0)
    column &= key[order][np.maximum(last, 0)] == key[order]
    out = commands.copy()
    out["row"][order[column]] = commands["row"][order[last[column]]]
    return out


def picks(commands: CmdArray, address_map: AddressMap, pc: int, write: bool, addresses: U64) -> I64 | None:
    """Cycle of the column pick of each request; None when there are more or fewer commands than requests.

    Requests to the same 32 bytes are taken to be served in their order.
    """
    kinds = (Cmd.WR, Cmd.WRA) if write else (Cmd.RD, Cmd.RDA)
    mine = commands[(commands["pc"] == pc) & np.isin(commands["cmd"], kinds)]
    if len(mine) != len(addresses):
        return None
    fields = (mine[name].astype(np.int64) for name in ("pc", "sid", "bg", "bank", "row", "col"))
    served = address_map.split(address_map.encode(Location(*fields)))[1]
    asked, given = np.argsort(addresses, kind="stable"), np.argsort(served, kind="stable")
    if not np.array_equal(addresses[asked], served[given]):
        return None
    out = np.empty(len(addresses), np.int64)
    out[asked] = (mine["time"][given] >> np.uint64(2)).astype(np.int64) - PIPE
    return out


def enqueued(taken: I64, pick: I64) -> I64:
    """Cycle in which each read enters the queue, at the latest of what M2.1 and M3.1 ask for: two cycles after the AR
    handshake, one a cycle, and with fewer than 32 entries used.
    """
    freed = np.sort(pick)
    at = taken + 2
    at[ENTRIES:] = np.maximum(at[ENTRIES:], freed[:-ENTRIES] + 1)
    order = np.arange(len(at))
    out: I64 = np.maximum.accumulate(at - order) + order
    return out


def _beats(rows: Rows) -> I64:
    """Beats of each burst."""
    out: I64 = rows["len"].astype(np.int64) + 1
    return out


def longest_waits(ports: list[PortLog], commands: CmdArray, address_map: AddressMap, lanes: bool = False) -> Waits:
    """The longest waits of a run. lanes: forwarding or the express lane are in use."""
    longest = {"rv": 0, "wv": 0, "rq": 0, "wq": 0}
    single = not any(rows["len"].any() for port in ports for rows in (port.ar, port.aw))
    exact = single and not lanes
    for pc, port in enumerate(ports):
        if len(port.ar):
            place = _by_id(port.ar["id"].astype(np.int64), port.r_id)
            longest["rv"] = max(longest["rv"], int((port.r_cycle[place] - port.ar_up).max()))
            pick = picks(commands, address_map, pc, False, port.ar["addr"]) if exact else None
            if pick is None:
                exact = False
            else:
                longest["rq"] = max(longest["rq"], int((pick - enqueued(port.ar_taken, pick)).max()))
        if len(port.aw):
            last = np.cumsum(_beats(port.aw)) - 1
            first = np.concatenate(([0], last[:-1] + 1))
            longest["wv"] = max(longest["wv"], int((port.b_cycle - np.minimum(port.aw_up, port.w_up[first])).max()))
            if not single:
                continue
            pick = picks(commands, address_map, pc, True, port.aw["addr"])
            if pick is None:
                served = int(np.isin(commands["cmd"][commands["pc"] == pc], (Cmd.WR, Cmd.WRA)).sum())
                raise ValueError(f"PC{pc}: {served} column writes do not match {len(port.aw)} requests")
            # M2.2: offered two cycles after the later handshake.
            longest["wq"] = max(longest["wq"], int((pick - np.maximum(port.aw_taken, port.w_taken) - 2).max()))
    reads, writes = (sum(len(getattr(port, name)) for port in ports) for name in ("ar", "aw"))
    queued = longest["rq"] if exact else None, longest["wq"] if single else None
    return Waits(reads, writes, longest["rv"], longest["wv"], *queued)


def write_beats(aw: Rows, rng: np.random.Generator) -> Rows:
    """The W beats of each AW, without a cycle; of bursts, some beats lack strobes."""
    count = _beats(aw)
    of = np.repeat(np.arange(len(aw)), count)
    last = np.cumsum(count) - 1
    beat = np.arange(len(of)) - np.concatenate(([0], last[:-1] + 1))[of]
    width = np.int64(1) << aw["size"].astype(np.int64)[of]
    lane = (aw["addr"].astype(np.int64)[of] + beat * width) % 32
    strobes = ((np.int64(1) << width) - 1) << lane
    if len(of) > len(aw):
        strobes = np.where(rng.random(len(of)) < PARTIAL, strobes & rng.integers(0, 1 << 32, len(of)), strobes)
    beats = np.zeros(len(of), W_ROW)
    beats["strb"] = strobes
    beats["last"][last] = 1
    return beats


class _Log:
    """Collects one port of the model."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Rows]] = {"ar": [], "aw": []}
        self.cycles: dict[str, list[I64]] = {name: [] for name in ("ar", "aw", "w", "r", "r_id", "b")}

    def port(self) -> PortLog:
        def joined(name: str) -> I64:
            parts = self.cycles[name]
            return np.concatenate(parts) if parts else np.zeros(0, np.int64)

        ar, aw = (np.concatenate(self.rows[name]) for name in ("ar", "aw"))
        ar_taken, aw_taken, w_taken = joined("ar"), joined("aw"), joined("w")

        def risen(cycle: npt.NDArray[np.uint64], taken: I64) -> I64:
            """VALID rises in its cycle, and after the acceptance before."""
            out = cycle.astype(np.int64)
            out[1:] = np.maximum(out[1:], taken[:-1] + 1)
            return out

        return PortLog(
            ar, risen(ar["cycle"], ar_taken), ar_taken, joined("r"), joined("r_id"), aw, risen(aw["cycle"], aw_taken),
            risen(np.repeat(aw["cycle"], _beats(aw)), w_taken), aw_taken, w_taken, joined("b"),
        )  # fmt: skip


def together(one: Waits, other: Waits) -> Waits:
    """Of two runs."""

    def longer(left: int | None, right: int | None) -> int | None:
        return None if left is None or right is None else max(left, right)

    return Waits(
        one.reads + other.reads,
        one.writes + other.writes,
        max(one.read_valid, other.read_valid),
        max(one.write_valid, other.write_valid),
        longer(one.read_queue, other.read_queue),
        longer(one.write_queue, other.write_queue),
    )


def run_model(
    channel: Channel,
    address_map: AddressMap,
    cycles: int,
    seed: int = 1,
    qos_share: float = 0.0,
    lanes: bool = False,
    bursts: bool = False,
    start: int = 0,
    segment: int = SEGMENT,
    progress: Callable[[int], None] | None = None,
) -> Waits:
    """Adversarial traffic on both ports of the exact model for so many cycles, which is in cycle `start`.

    After each segment everything is answered before the next one begins, so that memory stays bounded.
    """
    longest = Waits(0, 0, 0, 0, None if lanes or bursts else 0, None if bursts else 0)
    now = start
    number = 0
    while now < start + cycles:
        until = min(now + segment, start + cycles)
        number += 1
        now, found = _run_segment(channel, address_map, now, until, seed + number, qos_share, lanes, bursts)
        longest = together(longest, found)
        if progress is not None:
            progress(now - start)
    return longest


def _run_segment(
    channel: Channel,
    address_map: AddressMap,
    now: int,
    until: int,
    seed: int,
    qos_share: float,
    lanes: bool,
    bursts: bool,
) -> tuple[int, Waits]:
    """Traffic up to cycle `until`, then until all is answered; the cycle reached."""
    logs = [_Log(), _Log()]
    made = [Adversary(address_map, port, seed, qos_share, bursts) for port in range(2)]
    strobes = np.random.default_rng([seed, 2])
    # Per port and direction: beats of each burst that is offered, and how many bursts were accepted.
    asked: list[list[list[int]]] = [[[], []], [[], []]]
    taken = [[0, 0], [0, 0]]
    pending = [[0, 0], [0, 0]]
    commands: list[CmdArray] = []
    open_ = 0
    while now < until or open_:
        for port in range(2):
            if now >= until or max(pending[port]) > CHUNK // 2:
                continue
            ar, aw = made[port].chunk(now)
            logs[port].rows["ar"].append(ar)
            logs[port].rows["aw"].append(aw)
            channel.offer_ax(port, False, ar)
            channel.offer_ax(port, True, aw)
            w = write_beats(aw, strobes)
            w["cycle"] = np.repeat(aw["cycle"], _beats(aw))
            channel.offer_w(port, w)
            for direction, rows in enumerate((ar, aw)):
                beats = _beats(rows).tolist()
                asked[port][direction] += beats
                pending[port][direction] += sum(beats)
            open_ += int(_beats(ar).sum()) + len(aw)
        seen = channel.step(now + _STEP)
        now += _STEP
        commands.append(seen.commands)
        for port in range(2):
            log, accepted = logs[port].cycles, seen.accepted[port]
            for name, place in (("ar", AR), ("aw", AW), ("w", W)):
                log[name].append(accepted[place])
            for direction, place in enumerate((AR, AW)):
                more = taken[port][direction] + len(accepted[place])
                pending[port][direction] -= sum(asked[port][direction][taken[port][direction] : more])
                taken[port][direction] = more
            r = seen.r[port]
            ends = r[r["last"] == 1]
            log["r"].append(ends["cycle"].astype(np.int64))
            log["r_id"].append(ends["id"].astype(np.int64))
            log["b"].append(seen.b[port]["cycle"].astype(np.int64))
            open_ -= len(r) + len(seen.b[port])
    # Posted writes may still be queued.
    more = 0
    while more < SETTLE:
        commands.append(channel.step(now + _STEP).commands)
        now, more = now + _STEP, more + _STEP
    return now, longest_waits([log.port() for log in logs], np.concatenate(commands), address_map, lanes)
