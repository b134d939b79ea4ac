"""The lock-step without a simulator: a second model in the place of the channel, with faults made on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hbm_model.commands import Cmd
from hbm_model.controller import AX_ROW, EV_ROW, W_ROW, Channel
from hbm_model.csr_table import REGISTERS
from hbm_model.presets import preset
from hbm_tb import evidence, failure, records, traffic
from hbm_tb.failure import Failure
from hbm_tb.lockstep import LockStep, replay
from hbm_tb.scoreboard import Mismatch
from hbm_tb.traffic import Chunk, RandomShape
from numpy.typing import NDArray

Records = NDArray[np.void]
HBM2 = preset("hbm2_2000_eng")
PIECE = 256  # cycles between two comparisons
CYCLES = 20 * PIECE


def rows_of(rows: Records, dtype: np.dtype[np.void], cycle: NDArray[np.int64]) -> Records:
    """What a channel is offered, each with the cycle of its VALID."""
    out = np.zeros(len(rows), dtype)
    for name in ("addr", "id", "len", "size", "burst", "lock", "qos") if dtype == AX_ROW else ("strb", "last"):
        out[name] = rows[name]
    out["cycle"] = cycle
    return out


@dataclass
class Batch:
    """What the rings bring of one piece."""

    until: int
    acc: list[Records]
    r: list[Records]
    b: list[Records]
    commands: Records
    events: Records
    pending: NDArray[np.int64]


@dataclass
class Stand:
    """The second model: random traffic, a VALID each three cycles, taken apart into batches as the rings give them."""

    chunks: list[Chunk] = field(default_factory=list)

    def batches(self) -> list[Batch]:
        """All batches of a run."""
        channel = Channel.from_reset(HBM2)
        shape = RandomShape(1 << 20)
        rng = np.random.default_rng(5)
        self.chunks = [traffic.random_chunk(rng, 120, shape) for _ in range(2)]
        rose = []
        for port, chunk in enumerate(self.chunks):
            lists = []
            for number, rows in enumerate((chunk.ar, chunk.aw, chunk.w)):
                # No VALID waits long enough to stand in the way of the next one: there is time.
                cycle = 400 + 17 * np.arange(len(rows), dtype=np.int64)
                lists.append(cycle)
                if number == records.ACC_W:
                    channel.offer_w(port, rows_of(rows, W_ROW, cycle))
                else:
                    channel.offer_ax(port, number == records.ACC_AW, rows_of(rows, AX_ROW, cycle))
            rose.append(lists)
        taken = np.zeros((2, 3), np.int64)
        ahead = np.zeros(0, records.CMD)
        out = []
        for until in range(PIECE, CYCLES + 1, PIECE):
            seen = channel.step(until)
            known = np.concatenate((ahead, seen.commands))
            due = int((known["time"] < 4 * (until - 1)).sum())
            ahead = known[due:]
            accs, rs, bs = [], [], []
            pending = np.full((2, 3), -1, np.int64)
            for port in range(2):
                parts = []
                for kind in range(3):
                    cycles = seen.accepted[port][kind]
                    at = int(taken[port, kind])
                    part = np.zeros(len(cycles), records.ACC)
                    part["cycle"], part["kind"] = cycles, kind
                    part["wait"] = cycles - rose[port][kind][at : at + len(cycles)]
                    parts.append(part)
                    taken[port, kind] += len(cycles)
                    left = rose[port][kind][int(taken[port, kind]) :]
                    if len(left) and left[0] < until:
                        pending[port, kind] = left[0]
                acc = np.concatenate(parts)
                accs.append(acc[np.argsort(acc["cycle"], kind="stable")])
                beats, answers = np.zeros(len(seen.r[port]), records.R), np.zeros(len(seen.b[port]), records.B)
                for name in ("cycle", "id", "resp", "last"):
                    beats[name] = seen.r[port][name]
                for name in ("cycle", "id", "resp"):
                    answers[name] = seen.b[port][name]
                rs.append(beats)
                bs.append(answers)
            out.append(Batch(until, accs, rs, bs, known[:due], np.zeros(0, EV_ROW), pending))
        return out


@pytest.fixture(scope="module")
def stand() -> tuple[Stand, list[Batch]]:
    """One run for all tests; they change copies."""
    stand = Stand()
    return stand, stand.batches()


def play(
    stand: tuple[Stand, list[Batch]],
    change: Callable[[list[Batch]], None] = lambda batches: None,
    lockstep: LockStep | None = None,
) -> LockStep:
    """Compare the run, changed, with the model; raises Mismatch."""
    made, given = stand
    batches = [
        Batch(
            each.until, [rows.copy() for rows in each.acc], [rows.copy() for rows in each.r],
            [rows.copy() for rows in each.b], each.commands.copy(), each.events, each.pending.copy()
        )
        for each in given
    ]  # fmt: skip
    change(batches)
    lockstep = lockstep or LockStep(HBM2, "make test TEST=x SEED=1")
    for port, chunk in enumerate(made.chunks):
        lockstep.offered(port, chunk)
    for each in batches:
        lockstep.check(each.until, each.acc, each.r, each.b, each.commands, each.events, each.pending)
    lockstep.finish(True)
    return lockstep


def told(stand: tuple[Stand, list[Batch]], change: Callable[[list[Batch]], None]) -> str:
    """The story of a run that was changed."""
    with pytest.raises(Mismatch) as caught:
        play(stand, change)
    return str(caught.value)


def test_the_same_is_the_same(stand: tuple[Stand, list[Batch]]) -> None:
    """A model compared with itself: everything is counted once, nothing differs."""
    lockstep = play(stand)
    beats = sum(len(rows) for each in stand[1] for rows in each.r)
    answers = sum(len(rows) for each in stand[1] for rows in each.b)
    assert lockstep.compared["responses"] == beats + answers > 200
    assert lockstep.compared["commands"] == sum(len(each.commands) for each in stand[1]) > 300
    assert lockstep.compared["handshakes"] == sum(len(rows) for each in stand[1] for rows in each.acc) > 250


def first(batches: list[Batch], name: str, port: int, least: int = 4) -> tuple[Batch, Records]:
    """A batch in the middle, and its list of that name, with a few entries."""
    for each in batches[5:]:
        rows = getattr(each, name)[port]
        if len(rows) >= least:
            return each, rows
    raise AssertionError(f"no batch with {least} {name}")


def place(batches: list[Batch], command: Cmd) -> tuple[Records, int]:
    """Commands of a batch in the middle, and the number of one of this kind."""
    for each in batches[5:]:
        at = np.flatnonzero(each.commands["cmd"] == command)
        if len(at):
            return each.commands, int(at[0])
    raise AssertionError(f"no {command.name}")


def test_every_field_of_a_command_counts(stand: tuple[Stand, list[Batch]]) -> None:
    """Time, command, PC, bank, column; the row of ACT, not that of a column command."""
    for name, value in (("time", 4), ("cmd", 1), ("pc", 1), ("bg", 1), ("bank", 1), ("col", 1)):

        def change(batches: list[Batch], name: str = name, value: int = value) -> None:
            commands, at = place(batches, Cmd.RD)
            commands[name][at] ^= value

        text = told(stand, change)
        assert "channel and exact model differ in cycle" in text and "!" in text

    def other_row(batches: list[Batch], command: Cmd) -> None:
        commands, at = place(batches, command)
        commands["row"][at] ^= 5

    assert "ACT" in told(stand, lambda batches: other_row(batches, Cmd.ACT))
    play(stand, lambda batches: other_row(batches, Cmd.RD))


def test_commands_that_are_missing_or_surplus(stand: tuple[Stand, list[Batch]]) -> None:
    """The last command of the run is lost; a command too many; the contents of a mode register."""

    def lose(batches: list[Batch]) -> None:
        batches[-1].commands = batches[-1].commands[:-1]

    assert "seen: no further command yet" in told(stand, lose)

    def double(batches: list[Batch]) -> None:
        batch = next(each for each in batches[5:] if len(each.commands) > 4)
        batch.commands = np.concatenate((batch.commands[:4], batch.commands[3:]))

    assert "differ in cycle" in told(stand, double)

    def mode(batches: list[Batch]) -> None:
        each = next(each for each in batches if (each.commands["cmd"] == Cmd.MRS).any())
        each.commands["row"][np.flatnonzero(each.commands["cmd"] == Cmd.MRS)[0]] ^= 1

    text = told(stand, mode)
    assert "MRS MR0 = " in text and "decided by M7.2" in text


def test_every_field_of_a_response_counts(stand: tuple[Stand, list[Batch]]) -> None:
    """Cycle, id, response and last of R; cycle, id and response of B; one that is missing."""
    for channel, name in (("r", "cycle"), ("r", "id"), ("r", "resp"), ("r", "last"), ("b", "cycle"), ("b", "id"),
                          ("b", "resp")):  # fmt: skip

        def change(batches: list[Batch], channel: str = channel, name: str = name) -> None:
            first(batches, channel, 1, 1)[1][name][0] ^= 1

        text = told(stand, change)
        assert f"{channel.upper()} of port 1; seen: id " in text
        assert ("M2.6 and M2.7" in text) == (name == "resp")

    def lose(batches: list[Batch]) -> None:
        batch, rows = first(batches, "r", 0)
        batch.r[0] = rows[:-1]

    assert "R of port 0; seen: none; foreseen: id " in told(stand, lose)


def test_the_first_differing_command_is_kept_whatever_tells_first(
    stand: tuple[Stand, list[Batch]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong R tells first; a command of the same batch that differs later is in failure.json, else that none does."""
    monkeypatch.chdir(tmp_path)

    def response(batches: list[Batch]) -> None:
        first(batches, "r", 1, 1)[1]["id"][0] ^= 1

    def both(batches: list[Batch]) -> None:
        response(batches)
        batch, _ = first(batches, "r", 1, 1)
        at = int(np.flatnonzero(np.isin(batch.commands["cmd"], (Cmd.RD, Cmd.WR)))[-1])
        batch.commands["col"][at] ^= 1

    def left(change: Callable[[list[Batch]], None]) -> Failure:
        lockstep = LockStep(HBM2)
        with pytest.raises(Mismatch) as caught:
            play(stand, change, lockstep)
        assert caught.value.failure is not None and caught.value.failure.where == "R of port 1"
        config = SimpleNamespace(reproduce="")
        checks = SimpleNamespace(config=config, exact=lockstep, until=lockstep.cycle, test="T", resets=0)
        problem = Mismatch("x", failure.of_response("data", "wrong", "x", port=1, cycle=5, expected="", got=""))
        evidence.leave(checks, problem, None)  # type: ignore[arg-type]
        found = failure.read_failure(tmp_path, failure.file_of_test("T"))
        assert found is not None
        return found

    alone, two = left(response), left(both)
    assert re.fullmatch(r"no command differs up to CK \d+: the data path", alone.command) and alone.command_ck is None
    assert re.fullmatch(r"PC\d: expected (RD|WR) .* col \d+ at CK \d+, got (RD|WR) .*", two.command), two.command
    assert two.command_ck is not None and f"at CK {two.command_ck:g}" in two.command
    assert f"first differing command: {two.command}" in failure.describe(two)


def test_a_handshake_that_comes_late(stand: tuple[Stand, list[Batch]]) -> None:
    """READY low for a cycle without cause: AR, AW and W each name their paragraph."""
    for kind, rule in ((records.ACC_AR, "M2.1"), (records.ACC_AW, "M2.2"), (records.ACC_W, "M2.2")):

        def change(batches: list[Batch], kind: int = kind) -> None:
            _, rows = first(batches, "acc", 0, 8)
            at = int(np.flatnonzero(rows["kind"] == kind)[0])
            rows["cycle"][at] += 1
            rows["wait"][at] += 1

        text = told(stand, change)
        assert f"{('AR', 'AW', 'W')[kind]} handshake of port 0: taken in cycle" in text
        assert f"decided by {rule}" in text


def test_a_valid_that_is_never_taken(stand: tuple[Stand, list[Batch]]) -> None:
    """READY that never comes shows although no handshake tells of it: the VALID that stands does."""

    def change(batches: list[Batch]) -> None:
        at, (batch, rows) = 0, first(batches, "acc", 1, 8)
        at = int(np.flatnonzero(rows["kind"] == records.ACC_AR)[-1])
        batch.pending[1, 0] = int(rows["cycle"][at]) - int(rows["wait"][at])
        batch.acc[1] = np.delete(rows, at)

    assert "AR handshake of port 1: taken not yet, foreseen in cycle " in told(stand, change)


def test_the_story_shows_what_the_model_believes(stand: tuple[Stand, list[Batch]]) -> None:
    """Last commands of both sides, queue with what blocks, port, and the command that repeats it with waves."""

    def change(batches: list[Batch]) -> None:
        commands, at = place(batches, Cmd.ACT)
        commands["row"][at] ^= 1

    text = told(stand, change)
    for part in (
        "last commands of both sides:",
        "what the model believes at the start of cycle",
        "oldest entries first",
        "bursts of AR held",
        "replay with waves: make test TEST=x SEED=1 WAVES=1 WAVES_FROM=",
    ):
        assert part in text
    assert any(word in text for word in (" R sid0 ", " W sid0 "))
    assert replay("hbm run --name x", 500) == "hbm run --name x --waves-from 300 --waves-to 600"


def test_nothing_compared_is_no_pass() -> None:
    """A test that never compared anything fails, unless it says that it has no traffic."""
    lockstep = LockStep(HBM2)
    lockstep.finish(False)
    with pytest.raises(Mismatch, match="nothing was compared with the exact model: 0 commands, 0 responses"):
        lockstep.finish(True)


def test_events_may_come_out_of_order_within_a_batch(stand: tuple[Stand, list[Batch]]) -> None:
    """A change of the pins is told a cycle ahead of a register write of the same edge."""
    register = next(each for each in REGISTERS if each.path == "policy.refresh")
    events = np.zeros(2, EV_ROW)
    events["kind"], events["cycle"] = [records.EV_TEMP, records.EV_REGISTER], [701, 700]
    events["a"], events["b"] = [0, register.address], [3, 15 << 32 | register.reset({}) | 0]

    def change(batches: list[Batch]) -> None:
        batches[2].events = events

    play(stand, change)


def test_a_handshake_of_nobody(stand: tuple[Stand, list[Batch]]) -> None:
    """More handshakes than requests: not a comparison that goes on."""

    def change(batches: list[Batch]) -> None:
        rows: Any = np.zeros(400, records.ACC)
        rows["cycle"] = batches[-1].until - 1
        batches[-1].acc[0] = rows

    with pytest.raises(Mismatch, match="a handshake that nobody offered"):
        play(stand, change)
