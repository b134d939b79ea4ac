"""From a failure to its waves: what a failing run leaves, its replay, and that nothing of it changes a verdict."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import system_runs
from hbm_model.asked import first_difference, open_run
from hbm_model.cli import app
from hbm_model.errors import InputError
from hbm_model.why import answer
from hbm_tb import fault_replays, faults, replay, run_job, sim
from hbm_tb.failure import Failure, read_failure
from hbm_tb.records import Fault
from system_runs import Case, SystemRuns
from typer.testing import CliRunner

pytestmark = pytest.mark.sim
BUILD = fault_replays.QUICK_BUILD


@pytest.mark.parametrize(
    ("name", "signature"), [("rtp-absent", "violation:tRTP"), ("read-tag-of-next", "response:pins:R_SURPLUS")]
)
def test_from_a_planted_defect_to_its_waves(name: str, signature: str, tmp_path: Path) -> None:
    """The command that the failure prints, as printed, leaves a window with the difference and both set-ups.

    `hbm faults --replay` does all ten.
    """
    by_id = {defect.id: defect for defect in faults.of_build(BUILD)}
    # A busy machine may take longer, not a multiple.
    found = fault_replays.show(by_id[name], tmp_path / name, limit_s=3 * fault_replays.LIMIT_S)
    assert found.problem == "" and found.signature == signature, found
    assert not fault_replays.examine(tmp_path / name, seen := read_or_fail(tmp_path / name)), seen
    # The check can fail: another place is not in the window, and what the waves show is not what differs elsewhere.
    assert "the waves hold" in fault_replays.examine(tmp_path / name, replace(seen, ck=10.0**6))
    assert "first difference is at CK 1e+06" in fault_replays.examine(
        tmp_path / name, replace(seen, difference_ck=10.0**6)
    )
    assert "no marker" in fault_replays.examine(tmp_path / name, replace(seen, ck=float(seen.ck or 0) - 100))
    equal = replace(seen, command_ck=float(seen.ck or 0) - 100)
    assert "shown as equal" in fault_replays.examine(tmp_path / name, equal)
    if seen.command_ck is None:
        assert seen.command.endswith(": the data path")
        parts = seen.difference.partition(", got ")
        for wrong, told in (
            (f"{parts[0]}, got none", "the waves show a handshake"),
            (f"{parts[0]}, got id 9 OKAY in cycle 5", "the waves show no handshake in cycle 5"),
            (seen.difference.replace(", got id 53", ", got id 54"), "the waves show id 53 OKAY"),
            ("", "no difference that waves can show"),
        ):
            assert told in fault_replays.examine(tmp_path / name, replace(seen, difference=wrong)), wrong


@pytest.mark.parametrize(
    ("printed", "limit_s", "problem"),
    [
        ("waves: {replay} x", 60, ""),
        ("", 60, "the failure prints no command for its waves"),
        ("waves: {replay} x; exit 3", 60, "it ended"),
        ("waves: {replay} x", 0, "0 s, expected less than 0"),
    ],
)
def test_what_the_failure_prints_is_carried_out(
    printed: str, limit_s: float, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly that line, in a shell; a failure that prints none is not shown, nor one that takes too long."""

    def simulate(build: str, items: object, folder: Path, seed: int) -> tuple[list[object], None]:
        Failure("error", "x", "y", ck=5.0).write(folder / "failure.json")
        return [None], None

    line = printed.format(replay=f"touch {tmp_path}/ran; echo it ended; true hbm replay")
    monkeypatch.setattr(fault_replays.faults_job, "simulate", simulate)
    monkeypatch.setattr(fault_replays.run_job, "tell_failure", lambda folder, again: print(line))
    monkeypatch.setattr(fault_replays, "examine", lambda folder, failed: "")
    defect = faults.of_build(BUILD)[0]
    found = fault_replays.show(defect, tmp_path / "run", limit_s=limit_s)
    assert found.problem == problem and (tmp_path / "ran").exists() == bool(printed)
    monkeypatch.setattr(fault_replays, "show_all", lambda names, seed: [found])
    assert fault_replays.replay_command([], 1) == int(bool(problem))
    monkeypatch.setattr(fault_replays, "show_all", lambda names, seed: [])
    assert fault_replays.replay_command([], 1) == 1, "nothing shown is no pass"


def read_or_fail(folder: Path) -> Failure:
    """The failure of a folder."""
    found = read_failure(folder)
    assert found is not None
    return found


def test_ten_modules() -> None:
    """The ten defects stand in ten modules."""
    by_id = {defect.id: defect for defect in faults.of_build(BUILD)}
    assert len({by_id[name].file for name in fault_replays.TEN}) == len(fault_replays.TEN) == 10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A failed `hbm run`: a byte of a read beat is inverted."""
    home = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_job, "RUNS", home)
        plan = run_job.make_plan(run_job.RunOptions(trace="spmv", count=1000, name="wrong"))
        plan.config = plan.config.with_(fault=int(Fault.DATA_BYTE), fault_at=100, fault_arg=7)
        result, folder = run_job.run_plan(plan, quiet=True)
    assert result["status"] == "fail"
    return folder


@pytest.fixture
def failed(made: Path, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return Path(shutil.copytree(made, tmp_path / "wrong"))


def test_a_failed_run_is_replayed_and_keeps_its_verdict(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`hbm run` prints failure, bucket, waves and the question to ask; another window works too."""
    before = (failed / "result.json").read_text()
    run_job.tell_failure(failed, again=True)
    told = capsys.readouterr().out
    found = read_or_fail(failed)
    assert f"bucket: {found.signature}" in told and "waves: " in told and f"hbm why {failed}" in told
    assert (failed / "result.json").read_text() == before
    again = replay.read_replay(failed)
    assert again is not None and again.reproduced
    assert again.first_ck == max(0, int(found.ck or 0) - 2000)
    assert found.signature == "data:R channel:wrong read data"
    assert not fault_replays.examine(failed, found, on_pins=False)
    # The set-ups written again keep the marker; another CK is told where it is none.
    assert CliRunner().invoke(app, ["waves", "--run", str(failed), "--setup-only"]).exit_code == 0
    assert not fault_replays.examine(failed, found, on_pins=False)
    done = CliRunner().invoke(app, ["waves", "--run", str(failed), "--setup-only", "--at", "inf"])
    assert isinstance(done.exception, InputError) and "--at inf: expected a CK" in str(done.exception)
    wider = replay.replay(failed, before=100, after=50)
    assert wider.reproduced and wider.first_ck > again.first_ck
    # The model, asked again, did what the channel did up to there.
    asked = open_run(failed)
    assert len(asked.commands) > 500 and first_difference(asked, float(found.ck or 0)) is None
    assert answer(asked, float(found.ck or 0) - 40, pc=0)[0].startswith("PC0 at CK")


def test_a_replay_that_passes_says_so_loudly(failed: Path) -> None:
    """What does not fail again is not reproducible; the failure stays what it was."""
    given = json.loads((failed / sim.AGAIN).read_text())
    bench = json.loads(given["env"]["HBM_BENCH"])
    del bench["fault"]
    given["env"]["HBM_BENCH"] = json.dumps(bench)
    (failed / sim.AGAIN).write_text(json.dumps(given))
    before = (failed / "failure.json").read_text()
    again = replay.replay(failed)
    assert not again.reproduced and again.lines(failed)[0].startswith("NOT REPRODUCIBLE")
    assert (failed / "failure.json").read_text() == before
    assert fault_replays.examine(failed, read_or_fail(failed)).startswith("NOT REPRODUCIBLE")


def test_one_run_of_a_bucket_is_replayed(tmp_path: Path) -> None:
    """The first run of each signature, at most so many; runs without a failure never."""
    folders: list[Path] = []
    for name, signature, wall_s in (("b", "x", 9), ("a", "x", 2), ("c", "y", 5), ("d", "z", 1), ("e", "", 1)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / sim.AGAIN).write_text(json.dumps({**dict.fromkeys(replay.NEEDED), "wall_s": wall_s}))
        if signature:
            Failure("error", signature, name, ck=5.0).write(folder / "failure.json")
        folders.append(folder)
    assert [folder.name for folder in replay.choose(folders, 2)] == ["b", "c"]
    assert replay.choose(folders, 0) == []
    shutil.rmtree(folders[0])
    with pytest.raises(InputError, match="holds no sim.json"):
        replay.replay(folders[0])
    with pytest.raises(InputError, match="did not fail"):
        replay.replay(folders[4])
    with pytest.raises(InputError, match="names no build"):
        replay.replay(folders[1])
    (folders[2] / sim.AGAIN).write_text('{"wall_s": 1}')
    with pytest.raises(InputError, match="has no build; run it again"):
        replay.replay(folders[2])
    (folders[4] / "failure.json").write_text("{")
    with pytest.raises(InputError, match=r"failure\.json: cannot be read"):
        replay.replay(folders[4])
    Failure("error", "x", "y", ck="z").write(folders[4] / "failure.json")  # type: ignore[arg-type]
    assert read_failure(folders[4]) is None
    assert [folder.name for folder in replay.choose(folders, 5)] == ["a", "c", "d"]


def test_a_failing_test_of_make_test_leaves_its_waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failing one of several tests is replayed by itself, and the message names waves and viewer command."""
    monkeypatch.setattr(system_runs, "RUNS", tmp_path)
    cases = [Case("hbm2", "fault_tests", name) for name in ("LostRead", "TimingViolation")]
    runs = SystemRuns(cases)
    with pytest.raises(pytest.fail.Exception) as told:
        runs.require(cases[1])
    folder = tmp_path / "hbm2-fault_tests" / "TimingViolation"
    assert "waves: " in str(told.value) and f"hbm waves --run {folder}" in str(told.value)
    found = read_or_fail(folder)
    assert not fault_replays.examine(folder, found, on_pins=False)
    # The recorder told of a command where there was none: the waves show the pins, which do as the model expects.
    assert "shown as equal" in fault_replays.examine(folder, found)
    assert "note: asked of the model" in answer(open_run(folder), float(found.ck or 0), bank=(0, 1, 2))[0]
    monkeypatch.setenv(replay.ENVIRONMENT, "0")
    with pytest.raises(pytest.fail.Exception) as told:
        runs.require(cases[0])
    assert f"hbm replay {tmp_path / 'hbm2-fault_tests' / 'LostRead'}" in str(told.value)


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    """Exit 2 and one line."""
    hbm = Path(sys.executable).with_name("hbm")
    done = subprocess.run([hbm, "replay", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1 and "sim.json" in done.stderr
