"""Traffic that is meant to make requests wait, and the longest wait of a run.

What must not be exceeded is derived elsewhere (waits.py, docs/waits.md). Cycles are controller cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
_RARE: Final = 32  # requests of a direction that is rarely asked for, in the time of a chunk
_STEP: Final = 1024  # cycles that the model runs at a time; at most CHUNK / 2 requests are taken meanwhile
SEGMENT: Final = 500_000  # cycles
SETTLE: Final = 8 * _STEP  # cycles in which the last posted writes are carried out
IDS: Final = 16
PIPE: Final = 3  # cycles from a column pick to its word on the pins
ENTRIES: Final = 32


class Adversary:
    """Endless requests of one port, a chunk at a time. Each chunk has a mood, and each direction its own pace.

    Moods: hits of one row with a few requests to other rows of the bank; few rows of one bank; one bank group; hits in
    all banks; a stream; random. A direction is offered without a pause, rarely, or not at all.
    """

    MOODS: Final = 6

    def __init__(self, address_map: AddressMap, port: int, seed: int, qos_share: float = 0.0) -> None:
        self.map, self.port, self.qos_share = address_map, port, qos_share
        self.rng = np.random.default_rng([seed, port])
        self.streamed = 0

    def _places(self, mood: int, count: int) -> U64:
        rng, shape = self.rng, self.map
        home = [int(rng.integers(0, most)) for most in (shape.sids, shape.bgs, shape.banks, shape.rows)]
        sid, bg, bank, row = (np.full(count, value) for value in home)
        col = np.arange(count) % shape.cols
        if mood == 0:
            row = np.where(rng.random(count) < 1 / 64, rng.integers(0, shape.rows, count), row)
        elif mood == 1:
            row = (row + rng.integers(0, 3, count)) % shape.rows
        elif mood == 2:
            bank, row = rng.integers(0, shape.banks, count), rng.integers(0, shape.rows, count)
        elif mood == 3:
            bg, bank, sid = (rng.integers(0, most, count) for most in (shape.bgs, shape.banks, shape.sids))
            row = np.where(rng.random(count) < 1 / 64, rng.integers(0, shape.rows, count), row)
        elif mood == 4:
            start, self.streamed = self.streamed, self.streamed + count
            address = (np.uint64(32) * np.arange(start, start + count, dtype=np.uint64)) % np.uint64(shape.port_bytes)
            return address
        else:
            sid, bg, bank = (rng.integers(0, most, count) for most in (shape.sids, shape.bgs, shape.banks))
            row, col = rng.integers(0, shape.rows, count), rng.integers(0, shape.cols, count)
        at = Location(np.full(count, self.port), sid, bg, bank, row, col)
        return self.map.split(self.map.encode(at))[1]

    def chunk(self, now: int) -> tuple[Rows, Rows]:
        """AR and AW rows for the time from cycle `now` on; at least one of them without a pause."""
        rng = self.rng
        mood = int(rng.integers(0, self.MOODS))
        # 0: reads saturate, 1: writes do, 2: both; the other direction is rare, or of the same mood.
        both = int(rng.integers(0, 3))
        out = []
        for direction in range(2):
            full = both in (direction, 2)
            count = CHUNK if full else int(rng.choice((0, 1, _RARE)))
            rows = np.zeros(count, AX_ROW)
            mine = mood if full or rng.random() < 0.7 else int(rng.integers(0, self.MOODS))
            rows["addr"] = self._places(mine, count) if count else 0
            rows["cycle"] = now if full else now + rng.integers(0, 2 * CHUNK, count).cumsum() // max(count // 4, 1)
            rows["id"] = rng.integers(0, IDS, count)
            rows["size"], rows["burst"] = 5, 1
            rows["qos"] = np.where(rng.random(count) < self.qos_share, 15, 0)
            out.append(rows)
        return out[0], out[1]


@dataclass(frozen=True)
class Waits:
    """Longest waits of a run. valid: from VALID to the R (or B) handshake; queue: from enqueue to column pick, None
    where a read may be answered without a pick (forwarding) or pass others before the queue (express lane).
    """

    reads: int
    writes: int
    read_valid: int
    write_valid: int
    read_queue: int | None
    write_queue: int


@dataclass(frozen=True)
class PortLog:
    """What a port did, in the order of its handshakes: cycles and payload."""

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


def longest_waits(ports: list[PortLog], commands: CmdArray, address_map: AddressMap, lanes: bool = False) -> Waits:
    """The longest waits of a run. lanes: forwarding or the express lane are in use."""
    longest = {"rv": 0, "wv": 0, "rq": 0, "wq": 0}
    exact = not lanes
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
            longest["wv"] = max(longest["wv"], int((port.b_cycle - np.minimum(port.aw_up, port.w_up)).max()))
            pick = picks(commands, address_map, pc, True, port.aw["addr"])
            if pick is None:
                served = int(np.isin(commands["cmd"][commands["pc"] == pc], (Cmd.WR, Cmd.WRA)).sum())
                raise ValueError(f"PC{pc}: {served} column writes do not match {len(port.aw)} requests")
            # M2.2: offered two cycles after the later handshake.
            longest["wq"] = max(longest["wq"], int((pick - np.maximum(port.aw_taken, port.w_taken) - 2).max()))
    reads, writes = (sum(len(getattr(port, name)) for port in ports) for name in ("ar", "aw"))
    return Waits(reads, writes, longest["rv"], longest["wv"], longest["rq"] if exact else None, longest["wq"])


def write_beats(aw: Rows) -> Rows:
    """One whole W beat for each AW, offered when the AW is."""
    beats = np.zeros(len(aw), W_ROW)
    beats["cycle"], beats["strb"], beats["last"] = aw["cycle"], 0xFFFFFFFF, 1
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
            risen(aw["cycle"], w_taken), aw_taken, w_taken, joined("b"),
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
        max(one.write_queue, other.write_queue),
    )


def run_model(
    channel: Channel,
    address_map: AddressMap,
    cycles: int,
    seed: int = 1,
    qos_share: float = 0.0,
    lanes: bool = False,
    start: int = 0,
    segment: int = SEGMENT,
    progress: Callable[[int], None] | None = None,
) -> Waits:
    """Adversarial traffic on both ports of the exact model for so many cycles, which is in cycle `start`.

    After each segment everything is answered before the next one begins, so that memory stays bounded.
    """
    longest = Waits(0, 0, 0, 0, None if lanes else 0, 0)
    now = start
    number = 0
    while now < start + cycles:
        until = min(now + segment, start + cycles)
        number += 1
        now, found = _run_segment(channel, address_map, now, until, seed + number, qos_share, lanes)
        longest = together(longest, found)
        if progress is not None:
            progress(now - start)
    return longest


def _run_segment(
    channel: Channel, address_map: AddressMap, now: int, until: int, seed: int, qos_share: float, lanes: bool
) -> tuple[int, Waits]:
    """Traffic up to cycle `until`, then until all is answered; the cycle reached."""
    logs = [_Log(), _Log()]
    made = [Adversary(address_map, port, seed, qos_share) for port in range(2)]
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
            channel.offer_w(port, write_beats(aw))
            pending[port][0] += len(ar)
            pending[port][1] += len(aw)
            open_ += len(ar) + len(aw)
        seen = channel.step(now + _STEP)
        now += _STEP
        commands.append(seen.commands)
        for port in range(2):
            log, accepted = logs[port].cycles, seen.accepted[port]
            for name, place in (("ar", AR), ("aw", AW), ("w", W)):
                log[name].append(accepted[place])
            pending[port][0] -= len(accepted[AR])
            pending[port][1] -= len(accepted[AW])
            log["r"].append(seen.r[port]["cycle"].astype(np.int64))
            log["r_id"].append(seen.r[port]["id"].astype(np.int64))
            log["b"].append(seen.b[port]["cycle"].astype(np.int64))
            open_ -= len(seen.r[port]) + len(seen.b[port])
    # Posted writes may still be queued.
    more = 0
    while more < SETTLE:
        commands.append(channel.step(now + _STEP).commands)
        now, more = now + _STEP, more + _STEP
    return now, longest_waits([log.port() for log in logs], np.concatenate(commands), address_map, lanes)
