"""`hbm why` and `hbm timeline` against cases worked out by hand on hbm2_2000_eng.

The numbers: RCDRD 14, RAS 33, RP 14, RC 47, RRDS 4, RRDL 6, FAW 16, RTP 5, RTW 16, WL 8, WR 16, CCDS 2, REFI 3900. A
distance counts from first edge to first edge; to or from ACT one CK more or less (docs/rules.md). Map `peers`: offset 5
bits, PC, group 2 bits, column 5, bank 2, row: address = row << 15 | bank << 13 | col << 8 | group << 6 | pc << 5.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hbm_model import run_folder
from hbm_model.asked import Asked, _words, first_difference, knows_channel, open_run
from hbm_model.binding import Binding, command_at, tight_commands
from hbm_model.cli import app
from hbm_model.commands import CMD_DTYPE, Cmd
from hbm_model.errors import InputError
from hbm_model.legality import LegalityChecker, rule_of
from hbm_model.presets import preset
from hbm_model.timeline import html_of, lane_letters, stretch_of, svg_of
from hbm_model.why import answer
from typer.testing import CliRunner

HBM2 = preset("hbm2_2000_eng")


def address(bank: int = 0, group: int = 0, row: int = 0, col: int = 0, pc: int = 0) -> int:
    """Address on the channel of the map `peers`."""
    return row << 15 | bank << 13 | col << 8 | group << 6 | pc << 5


def simulated(tmp_path: Path, lines: Sequence[str], *words: str) -> Path:
    """Folder of an `hbm sim` of these requests."""
    trace = tmp_path / "hand.trace"
    trace.write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(app, ["sim", str(trace), "--name", "hand", *words])
    assert done.exit_code == 0, done.output
    return tmp_path / "runs" / "hand"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Six reads: two rows of bank 0.0.0, three other groups, bank 0.0.1.

    Commands (line): ACT 0.0.0 at 14 (2), ACT 0.1.0 at 18 (3), 0.2.0 at 22 (4), 0.3.0 at 26 (5), 0.0.1 at 30 (6), RDA
    0.0.0 at 30 (7), RD at 34, 38, 42, 46 (8 to 11), ACT 0.0.0 row 2 at 62 (12), RD at 78 (13).
    """
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    lines = [
        address(row=1), address(row=2), address(group=1, row=1), address(group=2, row=1), address(group=3, row=1),
        address(bank=1, row=1),
    ]  # fmt: skip
    folder = simulated(tmp_path, [f"R {each:#x}" for each in lines])
    return open_run(folder)


def only(lines: list[str], number: int) -> str:
    """The line on a request."""
    (found,) = (line for line in lines if f"request {number} (" in line.split(" waits for ")[0])
    return found


def test_a_read_waits_for_trcd_of_its_act(asked: Asked) -> None:
    """ACT at 14: RD from 14 + 1 + 14 = 29 on, and PC0 has the even CK of each cycle: 30."""
    assert only(answer(asked, 20, pc=0, bank=(0, 0, 0)), 1) == (
        "PC0 bank 0.0.0: request 1 (read row 1 col 0) waits for RD: tRCDRD until CK 29 (first slot CK 30), since ACT "
        "0.0.0 row 1 at CK 14 (line 2); RDA came at CK 30 (line 7)"
    )


def test_a_row_stays_open_for_a_hit_and_then_tras_counts(asked: Asked) -> None:
    """Request 2 wants another row of the bank: M5.2 first, then tRAS: 14 + 1 + 33 = 48."""
    lines = answer(asked, 20, pc=0, bank=(0, 0, 0))
    assert lines[0] == ("PC0 bank 0.0.0 at CK 20 (cycle 7): row 1 open, last command ACT 0.0.0 row 1 at CK 14 (line 2)")
    assert only(lines, 2) == (
        "PC0 bank 0.0.0: request 2 (read row 2 col 0) waits for PRE: row 1 stays open for request 1 (read row 1 col 0) "
        "(M5.2); RDA came at CK 30 (line 7)"
    )
    assert lines[-1] == "  and: tRAS until CK 48, since ACT 0.0.0 row 1 at CK 14 (line 2)"


def test_an_act_waits_for_faw(asked: Asked) -> None:
    """Four ACTs at 14, 18, 22, 26: the fifth from 14 + 16 = 30 on; tRRDS of the one at 26 says 30 as well."""
    line = only(answer(asked, 28, pc=0, bank=(0, 0, 1)), 6)
    assert line.startswith("PC0 bank 0.0.1: request 6 (read row 1 col 0) waits for ACT: ")
    both = answer(asked, 28, pc=0, bank=(0, 0, 1))
    text = "\n".join(both)
    assert "tFAW until CK 30, since ACT 0.0.0 row 1 at CK 14 (line 2)" in text
    assert "tRRDS until CK 30, since ACT 0.3.0 row 1 at CK 26 (line 5)" in text
    assert "ACT came at CK 30 (line 6)" in text


def test_the_next_act_of_a_bank_waits_for_trc(asked: Asked) -> None:
    """ACT at 14: again from 14 + 47 = 61 on, ACT stands on even CK of a cycle: 62; the auto-precharge says 48."""
    lines = answer(asked, 40, request=2)
    assert lines == [
        "PC0 bank 0.0.0: request 2 (read row 2 col 0) waits for ACT: tRC until CK 61 (first slot CK 62), since ACT "
        "0.0.0 row 1 at CK 14 (line 2); ACT came at CK 62 (line 12)",
        "  and: tRDA_ACT until CK 48, since RDA 0.0.0 at CK 30 (line 7)",
    ]


def test_a_request_is_followed_from_port_to_answer(asked: Asked) -> None:
    """Port, flight (RL 20 from CK 30 and the way through the PHY), answer."""
    assert answer(asked, 20, request=6)[0].startswith(
        "request 6 (read of port 0) stands before the read queue (M2.1): the read queue holds 5 of 32"
    )
    assert answer(asked, 36, request=1) == [
        "request 1 (read of port 0): its RD has gone, the data is back at CK 52 (M8.3); answered at CK 54"
    ]
    assert answer(asked, 54, request=1) == ["request 1 (read of port 0) was answered at CK 54"]


def test_a_hazard_names_the_older_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write and a write to the same 32 bytes: the younger waits for the older (M3.2)."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    folder = simulated(tmp_path, [f"W {address(row=3):#x}", f"W {address(row=3):#x}"])
    line = answer(open_run(folder), 26, request=2)[0]
    assert "hazard: request 1 (write row 3 col 0) goes first, to the same 32 bytes (M3.2)" in line


def test_the_direction_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write hit while reads are served waits for the direction (M4.4), and then for tRTW."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    reads = [f"R {address(row=1, col=col):#x}" for col in range(20)]
    folder = simulated(tmp_path, [*reads[:4], f"W {address(row=1, col=31):#x}", *reads[4:]])
    line = answer(open_run(folder), 44, request=5)[0]
    assert "request 5 (write row 1 col 31) waits for WR: PC0 serves reads: " in line and "(M4.4)" in line


def test_refresh_holds_a_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With refresh_all and nothing put off, the debt at tREFI 3900 holds all banks (M6); the reads wait."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    reads = [f"R {address(row=row, col=row % 32):#x}" for row in range(400)]
    folder = simulated(tmp_path, reads, "--set", "refresh_all=1", "--set", "refresh_hold=1")
    asked = open_run(folder)
    refreshes = asked.commands[(asked.commands["cmd"] == Cmd.REF) & (asked.commands["pc"] == 0)]
    text = "\n".join(answer(asked, int(refreshes["time"][0]) / 2 - 8, pc=0))
    assert "all banks are held for REF, 1 refreshes owed (M6)" in text


def test_unusable_questions(asked: Asked) -> None:
    """One line and exit 2."""
    for words, wanted in (
        (("--at", "20", "--bank", "0.9.0"), "this channel has the banks 0.0.0 to 0.3.3"),
        (("--at", "20", "--bank", "7"), "expected SID.GROUP.BANK"),
        (("--at", "20", "--request", "7"), "the trace has the requests 1 to 6"),
        (("--at", "2"), "the first commands come at CK 6"),
    ):
        done = CliRunner().invoke(app, ["why", str(asked.folder), *words])
        assert wanted in str(done.exception), (words, done.exception)


def test_the_commands_of_the_run_are_those_of_the_model(asked: Asked) -> None:
    """Asked again, the model does what the run did; a changed command is a difference with its CK."""
    assert [first_difference(asked, ck) for ck in (30, 31, 32, 33, 63, 90)] == [None] * 6
    changed = asked.commands.copy()
    changed["bank"][4] ^= 2
    assert first_difference(Asked(asked.folder, asked.params, changed, asked.lines, asked.source), 90) == 30
    note = answer(Asked(asked.folder, asked.params, changed, asked.lines, asked.source), 60, pc=1)[0]
    assert note.startswith("note: the run differs from the exact model from CK 30 on")


def test_the_line_of_a_run_is_read() -> None:
    """Requests and registers; values of options that do not matter here are no requests."""
    given = _words("/any/bin/hbm run --pattern stream --count 9 --seed 3 --set RP=20 --waves-from 5 --waves-to 900")
    assert given is not None and (given.requests, given.pattern, given.count) == ("", "stream", 9)
    assert given.main_job and given.settings == ["RP=20"] and given.ids == 16
    given = _words("hbm sim own.trace --outstanding 4 --name x")
    assert given is not None and (given.requests, given.outstanding) == ("own.trace", 4) and not given.main_job
    assert _words("hbm regress --list nightly") is None


# ------------------------------------------------------------------ what binds a command


def test_bounds_are_those_of_the_legality_checker(asked: Asked) -> None:
    """Every rule that a too early command breaks has the earliest time and the earlier command of the checker."""
    binding = Binding(HBM2)
    history = asked.commands[:6]
    binding.add_all(history)
    for cmd, bank in ((Cmd.ACT, 0), (Cmd.RD, 0), (Cmd.PRE, 0), (Cmd.ACT, 1), (Cmd.RD, 1)):
        early = command_at(cmd, int(history["time"][-1]), 0, 0, 0, bank)
        checker = LegalityChecker(HBM2)
        checker.check(history)
        broken = {
            rule_of(each).name: (int(each["rule_earliest"]), int(each["earlier"]))
            for each in checker.check(np.array([early], CMD_DTYPE))
        }
        found = {each.rule: (each.earliest, each.earlier) for each in binding.bounds(early)}
        gaps = {rule: where for rule, where in broken.items() if rule in found}
        assert gaps and all(found[rule] == where for rule, where in gaps.items()), (cmd, bank, broken, found)


def test_each_command_names_the_rule_that_bound_it(asked: Asked) -> None:
    """By hand: nothing, tRRDS three times, tRRDS and tFAW together, tRCDRD, tRC."""
    tight = list(tight_commands(asked.commands, HBM2, 0, len(asked.commands)))
    names = [" ".join(bound.rule for bound in each.bounds) for each in tight]
    assert names == ["", "tRRDS", "tRRDS", "tRRDS", "tRRDS tFAW", *["tRCDRD"] * 5, "tRC", "tRCDRD"]
    assert [tight[4].bounds[at].earlier for at in range(2)] == [3, 0]


def test_the_picture_has_lanes_arrows_and_rules(asked: Asked, tmp_path: Path) -> None:
    """Five banks; an arrow for each bound command, with its rule; letters where the commands stand."""
    stretch = stretch_of(asked, 14, 90)
    assert [lane[1] for lane in stretch.lanes] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 2, 0), (0, 3, 0)]
    letters = lane_letters(stretch, stretch.lanes[0], 2)
    assert letters == "A" + "=" * 15 + "r" + "." * 31 + "A" + "=" * 15 + "R" + "=" * 11
    picture = svg_of(stretch, 30)
    assert picture.count('class="arrow"') == 11 and picture.count('class="cmd"') == 12
    assert picture.count(">tRCDRD</text>") == 6 and 'class="mark"' in picture
    assert "tFAW since ACT 0.0.0 row 1 at CK 14 (line 2)" in picture
    assert html_of(stretch, "a <b>").startswith("<!doctype html>") and "a &lt;b&gt;" in html_of(stretch, "a <b>")
    out = tmp_path / "t.svg"
    done = CliRunner().invoke(app, ["timeline", str(asked.folder), "--from", "14", "--to", "90", "-o", str(out)])
    assert done.exit_code == 0 and out.read_text().startswith("<svg"), done.output
    assert "tRC since ACT 0.0.0 row 1 at CK 14 (line 2)" in done.output
    only_one = stretch_of(asked, 14, 90, bank=(0, 0, 1))
    assert len(only_one.items) == 2 and len(only_one.lanes) == 1
    wrong = CliRunner().invoke(app, ["timeline", str(asked.folder), "--from", "90", "--to", "80"])
    assert "expected --from below --to" in str(wrong.exception)


def test_a_ck_outside_the_run_is_told(asked: Asked, tmp_path: Path) -> None:
    """The range in one line, at once; a picture that cannot be written, and one that would not end."""
    for words, wanted in (
        (("why", "--at", "inf"), "--at inf: expected a CK of the run"),
        (("why", "--at", "1e12"), "this run went from CK 6 to "),
        (("timeline", "--from", "inf"), "expected --from below --to"),
        (("timeline", "--from", "1e12"), "--from 1e+12: the run's commands end at CK 78"),
        (("timeline", "-o", str(tmp_path / "none" / "x.svg")), "x.svg: cannot be written (No such file or directory)"),
    ):
        done = CliRunner().invoke(app, [words[0], str(asked.folder), *words[1:]])
        assert isinstance(done.exception, InputError) and wanted in str(done.exception), (words, done.exception)
    none = CliRunner().invoke(app, ["report", "--run", str(asked.folder), "-o", str(tmp_path / "none" / "x.html")])
    assert isinstance(none.exception, InputError) and "x.html: cannot be written" in str(none.exception)
    drawn = stretch_of(asked, 14, 1e12)
    assert drawn.last == 2 * (78 + 200) and len(drawn.items) == 12


def test_of_a_foreign_run_the_commands_are_drawn(asked: Asked, tmp_path: Path) -> None:
    """Its commands and the rules are known, what its controller held is not: `hbm why` is not offered for it."""
    shutil.copy(asked.folder / "commands.csv", tmp_path)
    about = {"preset": "hbm2_2000_eng", "timing": {}, "reproduce": "python small.py RandomTraffic rcd 1"}
    (tmp_path / "result.json").write_text(json.dumps(about))
    (tmp_path / "failure.json").write_text('{"test": "RandomTraffic", "ck": 30}')
    assert knows_channel(asked.folder) and not knows_channel(tmp_path)
    done = CliRunner().invoke(app, ["timeline", str(tmp_path)])
    assert done.exit_code == 0 and "ACT" in done.output and (tmp_path / "timeline.html").exists(), done.output
    done = CliRunner().invoke(app, ["why", str(tmp_path), "--at", "30"])
    assert isinstance(done.exception, InputError) and "what the channel knew is not known" in str(done.exception)


@pytest.mark.parametrize("file", ["result.json", "commands.csv", "failure.json"])
@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_run_folder_is_told(asked: Asked, file: str, text: str) -> None:
    """The file by name, and never a traceback."""
    (asked.folder / file).write_text(text)
    for words in (("why", "--at", "30"), ("timeline",)):
        done = CliRunner().invoke(app, [words[0], str(asked.folder), *words[1:]])
        if words[0] == "why" and file == "failure.json":
            assert done.exit_code == 0  # what is asked again needs no failure
        else:
            assert isinstance(done.exception, InputError) and file in str(done.exception), (words, done.exception)


def test_a_damaged_model_or_record_of_a_failed_run_is_told(tmp_path: Path) -> None:
    """What a failed test left, cut in the middle."""
    (tmp_path / "failure.json").write_text('{"test": "T"}')
    (tmp_path / "model_T.pkl.gz").write_bytes(gzip.compress(b"\x80\x05nonsense"))
    with pytest.raises(InputError, match=r"model_T\.pkl\.gz: not a saved model"):
        open_run(tmp_path)
    (tmp_path / "commands.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "result.json").write_text('{"reproduce": "hbm run --count 5"}')
    with pytest.raises(InputError, match=r"commands\.npz: holds no commands"):
        open_run(tmp_path)
    (tmp_path / "result.json").write_text('{"reproduce": "hbm run --merge --count 5"}')
    (tmp_path / "model_T.pkl.gz").unlink()
    with pytest.raises(InputError, match="merged its requests"):
        open_run(tmp_path)


def test_without_a_place_the_failure_is_asked(asked: Asked) -> None:
    """The CK of failure.json, or that of the batch in which a failure without a place was told; else one line."""
    run = str(asked.folder)
    with pytest.raises(InputError, match="this run did not fail; say --at CK"):
        CliRunner().invoke(app, ["why", run], catch_exceptions=False)
    there = CliRunner().invoke(app, ["why", run, "--at", "62"])
    assert there.exit_code == 0
    for text in ('{"ck": 62.0, "seen_cycle": 200}', '{"ck": null, "seen_cycle": 31}'):
        (asked.folder / "failure.json").write_text(text)
        assert CliRunner().invoke(app, ["why", run]).output == there.output
    (asked.folder / "failure.json").write_text('{"ck": null, "seen_cycle": 5000}')  # told long after the last command
    drawn = CliRunner().invoke(app, ["timeline", run, "--output", str(asked.folder / "late.svg")])
    assert drawn.exit_code == 0 and (asked.folder / "late.svg").exists()
