"""The scoreboard of foreign controllers: what it takes for right, and that each of its checks can fail."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hbm_model.commands import CMD_DTYPE, Cmd, CmdArray
from hbm_model.presets import preset
from hbm_tb.failure import read_failure
from hbm_tb.own_board import AccessBoard, Answer, Place, Request, unwritten
from hbm_tb.own_config import OwnConfig
from hbm_tb.own_dut import OwnChecks
from hbm_tb.replay import window_of
from hbm_tb.scoreboard import Mismatch

AT = Place(1, 0, 2, 3, 0x155, 7)
DATA = bytes(range(32))


def board() -> AccessBoard:
    """An empty one."""
    return AccessBoard(preset("hbm2_2000_eng"), seed=99)


def log(*commands: tuple[Cmd, Place]) -> CmdArray:
    """ACT and column commands, 100 CK apart."""
    rows = np.zeros(2 * len(commands), CMD_DTYPE)
    for number, (kind, at) in enumerate(commands):
        for step, cmd in enumerate((Cmd.ACT, kind)):
            row = rows[2 * number + step]
            row["time"], row["cmd"] = 400 * number + 200 * step, cmd
            for name in ("pc", "sid", "bg", "bank", "row", "col"):
                row[name] = getattr(at, name)
    return rows


def served() -> AccessBoard:
    """A masked write and a read of it, answered as it must be."""
    one = board()
    old = unwritten(99, AT)
    one.accepted(Request(True, AT, DATA, mask=0b101))
    one.accepted(Request(False, AT))
    one.answered(Answer(bytes([old[0], 1, old[2], *range(3, 32)])))
    return one


def test_a_right_run_passes() -> None:
    """Masked bytes keep the hash of their place; both requests have their command."""
    one = served()
    one.finish(log((Cmd.WRA, AT), (Cmd.RDA, AT)))
    assert (one.checked, one.reads, one.writes) == (1, 1, 1)


def test_the_hash_is_that_of_the_book() -> None:
    """splitmix64 of the key of docs/bench.md, by hand: seed 0, all fields 0 gives the generator's first output."""
    first = unwritten(0, Place(0, 0, 0, 0, 0, 0))[:8]
    assert int.from_bytes(first, "little") == 0xE220A8397B1DCDAF


def test_data_of_another_place_are_told() -> None:
    """The message names the place whose data came, written or not."""
    other = Place(0, 0, 1, 1, 9, 4)
    for content in (DATA, None):
        one = board()
        if content:
            one.accepted(Request(True, other, content))
        one.accepted(Request(False, AT))
        with pytest.raises(Mismatch, match=rf"these are the data of {other}") as told:
            one.answered(Answer(content or unwritten(99, other)))
        assert told.value.failure is not None and told.value.failure.signature == "data:wrong read data"


def test_reads_of_two_tags_may_overtake() -> None:
    """Within a tag they may not."""
    other = Place(0, 0, 0, 0, 1, 1)
    for tags, right in (((0, 1), True), ((0, 0), False)):
        one = board()
        one.accepted(Request(False, AT, tag=tags[0]))
        one.accepted(Request(False, other, tag=tags[1]))
        if right:
            one.answered(Answer(unwritten(99, other), tag=tags[1]))
            one.answered(Answer(unwritten(99, AT), tag=tags[0]))
        else:
            with pytest.raises(Mismatch, match="bytes differ"):
                one.answered(Answer(unwritten(99, other), tag=tags[1]))


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        (((Cmd.WRA, AT),), "1 column commands are missing, the first is RD"),
        (((Cmd.WRA, AT), (Cmd.RDA, AT), (Cmd.RDA, AT)), "no request asked for it"),
        (((Cmd.WRA, Place(1, 0, 2, 2, 0x155, 7)), (Cmd.RDA, AT)), "bank 2 row 0x155 col 7: no request asked for it"),
    ],
)
def test_commands_must_match_requests(commands: tuple[tuple[Cmd, Place], ...], words: str) -> None:
    """One RD or WR at the place of each request, and no other."""
    with pytest.raises(Mismatch, match=words):
        served().finish(log(*commands))


def test_reads_and_answers_belong_together() -> None:
    """An open read, and an answer to nothing."""
    one = served()
    one.accepted(Request(False, AT, ck=123))
    with pytest.raises(Mismatch, match="1 reads of tag 0 have no data at the end, the first is read 1"):
        one.finish(None)
    with pytest.raises(Mismatch, match="no request asked for"):
        served().answered(Answer(DATA))


NOTHING = "nothing was checked"
REFRESHES = np.zeros(1, CMD_DTYPE)
REFRESHES["cmd"] = Cmd.REF
_NUMBERS = itertools.count()  # two components of pyuvm cannot have one name


def checks(*commands: CmdArray, request: Request | None = None) -> OwnChecks:
    """What the checks of a run know at its end."""
    one = OwnChecks(f"checks{next(_NUMBERS)}", None, OwnConfig(check_legality=False))
    for batch in commands:
        one.take_pins((batch, []))
    if request is not None:
        one.board.accepted(request)
    return one


@pytest.mark.parametrize("write", [True, False])
def test_one_kind_of_request_is_enough(write: bool) -> None:
    """A test that only reads, or only writes, has checked something."""
    seen = checks(log((Cmd.WR if write else Cmd.RD, AT)), request=Request(write, AT, DATA))
    assert seen.silence(listening=False, traffic_required=True, commands_required=True) == ""


@pytest.mark.parametrize("listening", [True, False])
def test_silence_is_no_pass(listening: bool) -> None:
    """No command, no RD or WR, no request; each is a pass only for a test that says so."""
    nothing, quiet, moving = checks(), checks(REFRESHES), checks(REFRESHES, log((Cmd.RD, AT)))
    for traffic in (True, False):
        assert nothing.silence(listening, traffic, True) == "the recorder saw no command at all"
    assert "saw no RD or WR" in nothing.silence(listening, True, False)
    assert nothing.silence(listening, False, False) == ""
    assert "saw no RD or WR" in quiet.silence(listening, True, True)
    assert quiet.silence(listening, False, True) == ""
    # Without a device behind the pins nobody has to tell of requests.
    assert moving.silence(listening, True, True) == ("" if listening else f"{NOTHING}: no monitor told of a request")


def test_refreshes_do_not_hide_a_hang() -> None:
    """They count as movement only where nobody tells of requests."""
    for request in (None, Request(False, AT)):
        one = checks(request=request)
        before = one.progress()
        one.take_pins((REFRESHES, []))
        assert (one.progress() == before) == (request is not None)
        before = one.progress()
        one.take_pins((log((Cmd.RD, AT)), []))
        assert one.progress() != before


def test_a_replay_lasts_until_the_failure_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are checked once a batch, up to 512 CK after they were on the pins."""
    monkeypatch.chdir(tmp_path)
    early = log((Cmd.RD, AT))
    early["time"][1] = 2
    one = OwnChecks(f"checks{next(_NUMBERS)}", None, OwnConfig(test="Some"), cycle=lambda: 256)
    with pytest.raises(Mismatch, match="breaks tRCDRD"):
        one.take_pins((early, []))
    found = read_failure(tmp_path, "failure_Some.json")
    assert found is not None and found.ck == 1
    assert window_of(found)[1] >= 512


def test_input_outside_the_geometry_is_refused() -> None:
    """A monitor that maps addresses wrongly, and settings that do not exist."""
    with pytest.raises(ValueError, match="bg 4, the geometry has 4"):
        board().accepted(Request(False, Place(0, 0, 4, 0, 0, 0)))
    with pytest.raises(ValueError, match="unknown settings: presett"):
        OwnConfig.from_environment(presett="x")
