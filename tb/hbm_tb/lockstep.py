"""Lock-step: the exact model runs beside the channel, a batch behind, and both must do the same in every cycle.

Compared are all commands (time and fields, mode registers included), the cycle of every AR, AW and W handshake, and
every R beat and B (cycle, id, response, last). The model is told what the outside offers (which VALID rose when, and
with what), register writes, TEMP and the pattern of RREADY and BREADY; never what the channel did. Timings, address map
and rd_delay are those that the test means to run with, not those that were written.

A difference ends the test with its story (hbm_model.story). Docs: docs/bench.md, "Lock-step".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model import story
from hbm_model.addrmap import AddressMap
from hbm_model.commands import ck_text
from hbm_model.controller import AX_ROW, B_ROW, EV_ROW, R_ROW, W_ROW, Channel, Foreseen
from hbm_model.params import Params
from numpy.typing import NDArray

from hbm_tb import failure, records
from hbm_tb import lockstep_kernel as k
from hbm_tb.failure import Failure
from hbm_tb.scoreboard import Mismatch
from hbm_tb.traffic import Chunk

Records = NDArray[np.void]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

CHANNELS = ("AR", "AW", "W")  # in the order of records.ACC_*
RESPONSES = ("OKAY", "EXOKAY", "SLVERR", "DECERR")
RECENT = 24  # commands kept from earlier batches, for the story
KEPT_CYCLES = 1500  # cycles of foreseen commands kept for the waves of a failure
AROUND_CK = 200  # waves of the replay begin this many CK before the difference
_AX_WORDS = np.uint64(0x00FFFFFFFFFFFFFF)  # id, len, size, burst, lock, qos; not the flags

assert EV_ROW == records.EV, "the model's events are the records of the event ring"
assert (AX_ROW.itemsize, W_ROW.itemsize, R_ROW.itemsize, B_ROW.itemsize) == (24, 16, 16, 16)


def words(rows: Records, count: int) -> U64:
    """Records as rows of 64-bit words."""
    return np.ascontiguousarray(rows).view(np.uint64).reshape(-1, count)


def _records(commands: U64) -> Records:
    """Commands as records again."""
    return np.ascontiguousarray(commands).view(records.CMD)[:, 0]


def _before(commands: U64, time: int) -> int:
    """How many commands, in pin order, stand before a time; nearly all do."""
    count = len(commands)
    while count and commands[count - 1, 0] >= time:
        count -= 1
    return count


class _Offers:
    """What was given to one channel of a master, in order; the model gets each as soon as its VALID has risen."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.dtype = dtype
        self.width = dtype.itemsize // 8
        self.rows: U64 = np.zeros((1 << 12, self.width), np.uint64)
        self.start = self.end = 0
        self.ahead = 0  # 1: the first one stands unaccepted and the model knows of it

    def append(self, rows: U64) -> None:
        """More records; the word of the cycle is filled in when VALID rises."""
        left = self.end - self.start
        need = left + len(rows)
        if self.end + len(rows) > len(self.rows):
            target = self.rows if need <= len(self.rows) else np.zeros((2 * need, self.width), np.uint64)
            target[:left] = self.rows[self.start : self.end].copy()
            self.rows, self.start, self.end = target, 0, left
        self.rows[self.end : self.end + len(rows)] = rows
        self.end += len(rows)

    def risen(self, rose: I64, pending: int, until: int) -> Records | None:
        """Records whose VALID has risen and that the model does not know of yet; `rose`: those accepted meanwhile."""
        accepted = len(rose)
        stands = 0 <= pending < until
        begin = min(self.ahead, accepted + stands)
        new = accepted + stands - begin
        first = self.start + begin
        if first + new > self.end:
            raise Mismatch("a handshake that nobody offered: the lock-step cannot follow")
        self.rows[self.start : self.start + accepted, 0] = rose
        if stands:
            self.rows[self.start + accepted, 0] = pending
        self.start += accepted
        self.ahead = int(stands)
        return self.rows[first : first + new].view(self.dtype)[:, 0] if new else None


@dataclass
class _Finding:
    """The first difference of a batch."""

    cycle: int  # controller cycle of the decision
    what: str  # one sentence
    paragraph: str
    ports: tuple[int, ...]  # whose queues the story shows
    failure: Failure  # the same in parts


def _accepts(kind: int) -> str:
    return "M2.1 and M2.9, ARREADY" if kind == records.ACC_AR else "M2.2 and M2.9, credits and READY of AW and W"


class LockStep:
    """The exact model of one channel, and what was compared with it since reset."""

    def __init__(self, params: Params, reproduce: str = "", *, init_shift: int = 16, auto_init: bool = True) -> None:
        self.reproduce = reproduce
        self.channel = Channel.from_reset(params, init_shift, auto_init)
        self.commands = self.responses = self.handshakes = 0
        self.cycle = 0  # cycles that both sides have run
        self._offers = [(_Offers(AX_ROW), _Offers(AX_ROW), _Offers(W_ROW)) for _ in range(records.PORTS)]
        self._split = [np.zeros((2, k.CHANNELS, 1 << 10), np.int64) for _ in range(records.PORTS)]
        self._counts = np.zeros((records.PORTS, k.CHANNELS), np.int64)
        # As words: numpy copies records field by field.
        self._ahead: U64 = np.zeros((0, 2), np.uint64)  # foreseen commands that the pins have not shown yet
        self._recent: U64 = np.zeros((0, 2), np.uint64)
        self.differing: Failure | None = None  # the first command that differs, whatever else told before
        self._finding: _Finding | None = None  # waits for the commands that explain it
        self._before: list[tuple[int, Channel]] = []  # the model at the start of this batch and of the one before
        self._foreseen: list[tuple[int, U64]] = []  # batches of foreseen commands: cycle in which each begins

    # ------------------------------------------------------------ what the model is told

    def offered(self, port: int, chunk: Chunk) -> None:
        """Requests that a driver gives to its port."""
        ar, aw, w = self._offers[port]
        for offers, rows in ((ar, chunk.ar), (aw, chunk.aw)):
            if len(rows):
                given = words(rows, 4)
                out = np.empty((len(rows), 3), np.uint64)
                out[:, 1], out[:, 2] = given[:, 0], given[:, 3] & _AX_WORDS
                offers.append(out)
        if len(chunk.w):
            given = words(chunk.w, 6)
            out = np.empty((len(given), 2), np.uint64)
            out[:, 1] = (given[:, 4] & np.uint64(0xFFFFFFFF)) | (given[:, 5] & np.uint64(0xFF)) << np.uint64(32)
            w.append(out)

    def next_set(self, params: Params, address_map: AddressMap, rd_delay: int) -> None:
        """What the next commit makes active, as the test means it."""
        self.channel.next_set(params, address_map, params.count("rows"), rd_delay)

    def _inputs(self, until: int, acc: Sequence[Records], events: Records, pending: I64) -> None:
        for port, rows in enumerate(acc):
            split = self._split[port]
            if len(rows) > split.shape[2]:
                split = self._split[port] = np.zeros((2, k.CHANNELS, 2 * len(rows)), np.int64)
            if k.split_handshakes(words(rows, 2), split[0], split[1], self._counts[port]) >= 0:
                raise Mismatch("a handshake record of no channel")
            for kind, offers in enumerate(self._offers[port]):
                new = offers.risen(split[1, kind, : self._counts[port, kind]], int(pending[port, kind]), until)
                if new is None:
                    continue
                if kind == records.ACC_W:
                    self.channel.offer_w(port, new)
                else:
                    self.channel.offer_ax(port, kind == records.ACC_AW, new)
        if len(events):
            self.channel.events(events[np.argsort(events["cycle"], kind="stable")])

    # ------------------------------------------------------------ one batch

    def check(
        self,
        until: int,
        acc: Sequence[Records],
        r: Sequence[Records],
        b: Sequence[Records],
        commands: Records,
        events: Records,
        pending: I64,
    ) -> None:
        """Run the model over the cycles before `until`, of which the records tell, and compare; raises Mismatch."""
        if until <= self.cycle:
            return
        self._inputs(until, acc, events, pending)
        self._before = [*self._before[-1:], (self.cycle, self.channel.copy())]
        out = self.channel.step(until)
        seen, new = words(commands, 2), words(out.commands, 2)
        self._foreseen.append((self.cycle, new))
        while len(self._foreseen) > 1 and self._foreseen[1][0] < until - KEPT_CYCLES:
            del self._foreseen[0]
        self.cycle = until
        foreseen = np.concatenate((self._ahead, new)) if len(self._ahead) else new
        # The recorder notes the commands of a cycle in the next one.
        due = _before(foreseen, 4 * (until - 1))
        found = self._compare_commands(seen, foreseen, due)
        if found is not None and self.differing is None:
            self.differing = found.failure
        if self._finding is not None:
            found = _earlier(found, self._finding)
        else:
            other = self._compare_ports(out, r, b)
            if other is not None and found is None and other.cycle + story.PIPE + 1 >= until - 1:
                # A command that was decided before may explain it; its word is still on the way to the pins.
                self._finding = other
            elif other is not None:
                found = _earlier(found, other)
        if found is not None:
            self._tell(found, seen, foreseen)
        self._ahead = foreseen[due:]
        self.commands += due
        self._recent = np.concatenate((self._recent, seen[-RECENT:]))[-RECENT:]

    def _compare_commands(self, seen: U64, foreseen: U64, due: int) -> _Finding | None:
        at = k.same_commands(seen, foreseen[:due])
        if at < 0:
            return None
        # What is not due yet still tells what the model would have done in the place of a surplus command.
        difference = story.difference_at(_records(seen), _records(foreseen), at)
        left, right = difference.seen, difference.foreseen
        text = [
            f"{side}: {story.words(each) if each is not None else 'no further command yet'}"
            for side, each in (("seen", left), ("foreseen", right))
        ]
        return _Finding(
            max(difference.cycle, 0),
            f"command at CK {ck_text(difference.time)}; " + "; ".join(text),
            story.paragraph(left, right),
            tuple(difference.pcs),
            failure.of_difference(left, right, max(difference.cycle, 0), story.paragraph(left, right)),
        )

    def _compare_ports(self, out: Foreseen, r: Sequence[Records], b: Sequence[Records]) -> _Finding | None:
        first: _Finding | None = None
        for port in range(records.PORTS):
            for kind in range(k.CHANNELS):
                seen = self._split[port][0, kind, : self._counts[port, kind]]
                ours = out.accepted[port][kind]
                at = k.same_cycles(seen, ours)
                if at >= 0:
                    first = _earlier(first, _handshake(port, kind, seen, ours, at))
                self.handshakes += len(seen)
            for name, seen_rows, width, our_rows in (("R", r[port], 6, out.r[port]), ("B", b[port], 2, out.b[port])):
                at = k.same_responses(words(seen_rows, width), words(our_rows, 2))
                if at >= 0:
                    first = _earlier(first, _response(port, name, seen_rows, our_rows, at))
                self.responses += len(seen_rows)
        return first

    def glance(self) -> NDArray[np.bool_]:
        """PC x coverage.MOMENTS: what holds at the start of the next cycle."""
        x = self.channel.state
        places = (m.CHAMP, m.CHAMP_W, p.HELD_X, m.EXPRESS, p.FORWARD_N)
        found = [x[:, place] != 0 for place in places]
        found += [x[:, m.DEBT] < 0, x[:, m.HELD] != 0]
        found += [(x[:, one] | x[:, one + 1]) != 0 for one in (m.URGENT, m.STARVED)]
        return np.stack(found, axis=1)

    def debts(self) -> I64:
        """Refreshes that each PC owes at the start of the next cycle; below 0 they are ahead."""
        return np.array(self.channel.state[:, m.DEBT], np.int64)

    def snapshot(self) -> dict[str, int]:
        """The counters of the last snapshot that software took (M9), by name."""
        return self.channel.snapshot() or {}

    # ------------------------------------------------------------ the story

    def _tell(self, found: _Finding, seen: U64, foreseen: U64) -> None:
        self._finding = None
        left, right = (_records(np.concatenate((self._recent, rows))) for rows in (seen, foreseen))
        limit = 4 * (found.cycle + story.PIPE + 1)
        difference = story.first_difference(left, right)
        at = difference.at if difference is not None else int((story.comparable(left)["time"] < limit).sum())
        ck = 2 * (found.cycle + story.PIPE)
        lines = [
            f"channel and exact model differ in cycle {found.cycle} (CK {ck} on the pins): {found.what}",
            f"  decided by {found.paragraph} (docs/microarchitecture.md)",
            "  last commands of both sides:",
            *(f"  {line}" for line in story.side_by_side(left, right, at)),
            f"  what the model believes at the start of cycle {found.cycle}:",
        ]
        belief = self._belief(found.cycle)
        if belief is None:
            lines.append("    (it lies before the last two batches)")
        else:
            for pc in found.ports:
                lines += [f"    {line}" for line in (*story.queue_text(belief, pc), *story.port_text(belief, pc))]
        if self.reproduce:
            lines.append(f"  replay with waves: {replay(self.reproduce, ck)}")
        raise Mismatch("\n".join(lines), replace(found.failure, reproduce=self.reproduce))

    @property
    def foreseen(self) -> tuple[int, int, Records]:
        """(first, end) half CK on the pins for which the model's commands are known, and these commands."""
        if not self._foreseen:
            return 0, 0, np.zeros(0, records.CMD)
        begin = self._foreseen[0][0]
        # What the first batch decides comes on the pins a few cycles after it has begun.
        first = 4 * (begin + story.PIPE) if begin else 0
        return first, 4 * self.cycle, _records(np.concatenate([rows for _, rows in self._foreseen]))

    @property
    def before(self) -> list[tuple[int, Channel]]:
        """The model at the start of the last two batches, with the cycle of each."""
        return self._before

    def _belief(self, cycle: int) -> Channel | None:
        """The model at the start of a cycle, run again from the last snapshot before it."""
        for start, channel in reversed(self._before):
            if start <= cycle:
                channel.step(cycle)
                return channel
        return None

    # ------------------------------------------------------------ end

    def tell(self) -> None:
        """Raise what still waits for the commands that may explain it."""
        if self._finding is not None:
            self._tell(self._finding, self._ahead[:0], self._ahead)

    def finish(self, require_traffic: bool) -> None:
        """End of the test: nothing may wait to be told, and something must have been compared."""
        self.tell()
        if require_traffic and not (self.commands and self.responses):
            raise Mismatch(
                f"nothing was compared with the exact model: {self.commands} commands, {self.responses} responses"
            )

    @property
    def compared(self) -> dict[str, int]:
        """How much both sides did alike since reset."""
        return {"commands": self.commands, "responses": self.responses, "handshakes": self.handshakes}


def replay(reproduce: str, ck: int) -> str:
    """The command line that repeats a run with waves around a CK."""
    window = (max(ck - AROUND_CK, 0), ck + AROUND_CK // 2)
    if reproduce.startswith("make"):
        return f"{reproduce} WAVES=1 WAVES_FROM={window[0]} WAVES_TO={window[1]}"
    return f"{reproduce} --waves-from {window[0]} --waves-to {window[1]}"


def _earlier(one: _Finding | None, other: _Finding) -> _Finding:
    return other if one is None or other.cycle < one.cycle else one


def _handshake(port: int, kind: int, seen: I64, ours: I64, at: int) -> _Finding:
    left = int(seen[at]) if at < len(seen) else None
    right = int(ours[at]) if at < len(ours) else None
    cycle = min(each for each in (left, right) if each is not None)
    sides = [
        f"{side} {'not yet' if each is None else f'in cycle {each}'}"
        for side, each in (("taken", left), ("foreseen", right))
    ]
    name = CHANNELS[kind]
    later = "never" if left is None else "later" if right is not None and left > right else "earlier"
    words = ["not yet" if each is None else f"in cycle {each}" for each in (right, left)]
    made = failure.of_port(port, name, words[0], words[1], f"handshake {later}", cycle, _accepts(kind))
    return _Finding(cycle, f"{name} handshake of port {port}: {', '.join(sides)}", _accepts(kind), (port,), made)


def _response(port: int, name: str, seen: Records, ours: Records, at: int) -> _Finding:
    def text(row: np.void | None) -> str:
        if row is None:
            return "none"
        last = " last" if name == "R" and row["last"] else ""
        return f"id {row['id']} {RESPONSES[int(row['resp']) & 3]}{last} in cycle {row['cycle']}"

    both = [rows[at] if at < len(rows) else None for rows in (seen, ours)]
    # R and B leave a register: what stands on them in a cycle was chosen in the one before, at the latest.
    cycle = max(min(int(each["cycle"]) for each in both if each is not None) - 1, 0)
    rule = "M2.5 and M8.3, the order of responses and their time" if name == "R" else "M2.8, the B responses"
    if all(each is not None for each in both) and both[0]["resp"] != both[1]["resp"]:  # type: ignore[index]
        rule = "M2.6 and M2.7, errors and exclusives"
    got, expected = both
    if got is None or expected is None:
        relation = f"expected {'one' if got is None else 'none'} got {'none' if got is None else 'one'}"
    else:
        common = [each for each in ("resp", "id", "last") if each in (got.dtype.names or ())]
        names = [each for each in common if got[each] != expected[each]]
        relation = (
            f"{names[0]} differs" if names else "later" if int(got["cycle"]) > int(expected["cycle"]) else "earlier"
        )
    made = failure.of_port(port, name, text(expected), text(got), relation, cycle, rule)
    what = f"{name} of port {port}; seen: {text(got)}; foreseen: {text(expected)}"
    return _Finding(cycle, what, rule, (port,), made)
