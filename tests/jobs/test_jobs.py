"""The runner of lists, with jobs that simulate nothing: verdicts, lost workers, interruption and resumption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbm_model.errors import InputError
from hbm_tb import job_list, jobs
from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.job_store import JobStore
from hbm_tb.job_view import Estimate, write_junit
from hbm_tb.jobs import DIED, FAIL, PASS, Job, LocalEngine, Outcome, run_jobs, select
from hbm_tb.results import Results


class Bench:
    """A list in a folder, and what was started. Another process has the same of the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content = folder / "content"
        if not self.content.exists():
            self.content.write_text("build 1")
        self.diary = folder / "diary"
        self.diary.touch()

    def job(self, name: str, do: str = "pass", timeout_s: float = 60.0, **arguments: Any) -> Job:
        given = {"do": do, "content": str(self.content), "diary": str(self.diary), **arguments}
        return Job(name, "fake_kind", given, timeout_s, reproduce=f"again {name}")

    def run(self, *given: Job, slots: int = 2, **how: Any) -> dict[str, Outcome]:
        with JobStore(self.folder / "list") as store:
            return run_jobs(given, store, LocalEngine(slots), **how)

    def starts(self) -> list[str]:
        return [name for what, name, _ in self.entries() if what == "start"]

    def entries(self) -> list[tuple[str, str, int]]:
        """The diary: start or end, job, process."""
        words = map(str.split, self.diary.read_text().splitlines())
        return [(what, name, int(pid)) for what, name, pid in words]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("do", "status", "reason", "attempts"),
    [
        ("pass", PASS, "", 1),
        ("fail", FAIL, "CK 12: wrong", 1),
        ("raise", DIED, "RuntimeError: the kind is broken", 2),
        ("exit", DIED, "ended without an outcome", 2),
        ("kill", DIED, "ended without an outcome", 2),
        ("kill_once", PASS, "", 2),
        ("liar", DIED, "ended without an outcome", 2),
        ("no_disk", DIED, "ended without an outcome", 2),
        ("no_disk_once", PASS, "", 2),
        ("torn", DIED, "ended without an outcome", 2),
        ("full", DIED, "ended without an outcome", 2),
        ("full_once", PASS, "", 2),
    ],
)
def test_only_an_outcome_of_its_own_is_a_verdict(
    bench: Bench, do: str, status: str, reason: str, attempts: int
) -> None:
    """A lost worker costs one more try, whether the process, its folder or the disk is lost; an outcome of another
    attempt is none, nor is half a one."""
    found = bench.run(bench.job("x", do))["x"]
    assert (found.status, found.attempts) == (status, attempts)
    assert reason in found.reason and found.passed == (status == PASS)
    assert len(bench.starts()) == attempts


def test_a_hung_worker_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond limit and grace nothing of the worker is left, and it is no pass."""
    monkeypatch.setattr(jobs, "GRACE_S", 0.3)
    found = bench.run(bench.job("x", "hang", timeout_s=0.2), retries=0)["x"]
    assert found.status == DIED and "did not answer" in found.reason
    ((_, _, pid),) = bench.entries()
    assert not Path(f"/proc/{pid}").exists()


def test_a_pass_without_its_files_is_none(bench: Bench) -> None:
    """What a run has to leave must be there, at once and when its result is taken over later."""
    job = replace(bench.job("x", leaves=["coverage.dat"]), leaves=("coverage.dat",))
    without = replace(bench.job("y"), leaves=("coverage.dat",))
    found = bench.run(job, without)
    assert found["x"].passed and found["y"].status == DIED and "left no coverage.dat" in found["y"].reason
    bench.run(job)
    assert bench.starts().count("x") == 1
    (bench.folder / "list" / "x" / "coverage.dat").unlink()
    assert bench.run(job)["x"].passed and bench.starts().count("x") == 2


def test_finished_runs_hold_until_something_changes(bench: Bench) -> None:
    """Passes and failures stay; --rerun repeats failures; other content, arguments or `fresh` repeat."""
    given = [bench.job("a"), bench.job("b", "fail"), bench.job("c")]
    first = bench.run(*given)
    assert sorted(bench.starts()) == ["a", "b", "c"]
    assert bench.run(*given) == first and len(bench.starts()) == 3
    assert bench.run(*given, rerun=True)["b"].status == FAIL
    assert sorted(bench.starts()[3:]) == ["b"]
    bench.run(bench.job("a", commands=2), *given[1:])
    assert bench.starts()[4:] == ["a"]
    bench.content.write_text("build 2")
    bench.run(*given)
    assert sorted(bench.starts()[5:]) == ["a", "b", "c"]
    bench.run(*given, fresh=True)
    assert sorted(bench.starts()[8:]) == ["a", "b", "c"]


def test_a_lost_run_is_repeated_the_next_time(bench: Bench) -> None:
    """`died` is no result that holds."""
    assert bench.run(bench.job("x", "kill_once"), retries=0)["x"].status == DIED
    assert bench.run(bench.job("x", "kill_once"), retries=0)["x"].status == PASS


def test_what_failed_runs_first(bench: Bench) -> None:
    """After a change the failures of the last time come before everything else."""
    given = [bench.job("a"), bench.job("b"), bench.job("c", "fail")]
    bench.run(*given, slots=1)
    bench.content.write_text("build 2")
    bench.run(*given, slots=1)
    assert bench.starts()[:4] == ["a", "b", "c", "c"] and sorted(bench.starts()[4:]) == ["a", "b"]


def test_runs_go_side_by_side(bench: Bench) -> None:
    """In four slots all four start before the first ends; in two slots never more than two are under way."""
    found = bench.run(*(bench.job(f"n{i}", meet=4) for i in range(4)), slots=4)
    assert all(outcome.passed for outcome in found.values())
    assert [what for what, _, _ in bench.entries()] == 4 * ["start"] + 4 * ["end"]
    bench.diary.write_text("")
    bench.run(*(bench.job(f"m{i}", last=0.05) for i in range(6)), slots=2)
    under_way = np.cumsum([1 if what == "start" else -1 for what, _, _ in bench.entries()])
    assert len(under_way) == 12 and under_way.max() <= 2 and under_way[-1] == 0


# ---------------------------------------------------------------- interruption

SCRIPT = """
import sys
from pathlib import Path
from test_jobs import Bench
from hbm_tb.job_list import ListOptions, run_list
bench = Bench(Path(sys.argv[1]))
given = [bench.job(f"n{i}", "fail" if i == 3 else "pass", commands=i, last=0.3) for i in range(8)]
sys.exit(run_list("fakes", bench.folder / "list", given, ListOptions(jobs=2), counts=["commands"]).code)
"""


def _start(folder: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)  # a diary that other processes write tells nobody of a new line


def _rows(folder: Path) -> dict[str, tuple[str, str, dict[str, int]]]:
    import sqlite3

    with sqlite3.connect(folder / "list" / "results.sqlite") as db:
        rows = db.execute("SELECT name, status, reason, counts FROM result ORDER BY id").fetchall()
    return {name: (status, reason, counts) for name, status, reason, counts in rows}


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    bench = Bench(folder)
    process = _start(folder)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and len(bench.starts()) == 8
    yield _rows(folder), out


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_disturbed_list_comes_to_the_same_result(
    tmp_path: Path, undisturbed: tuple[dict[str, Any], str], how: int, code: int
) -> None:
    """Killed or interrupted in the middle and started again: same results, nothing finished is repeated."""
    folder = tmp_path / "disturbed"
    folder.mkdir()
    bench = Bench(folder)
    process = _start(folder)
    _wait_for(lambda: len(bench.starts()) >= 5)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == code
    pids = [pid for _, _, pid in bench.entries()]
    _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))  # its workers went with it
    kept = set(_rows(folder))
    begun = len(bench.starts())
    assert 1 <= len(kept) < 8
    process = _start(folder)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert _rows(folder) == undisturbed[0]
    assert not kept & set(bench.starts()[begun:])
    # The summary says the same, times apart.
    assert [line for line in out.splitlines() if "again n3" in line] and "7 of 8 passed" in out


def test_two_runners_keep_apart(bench: Bench) -> None:
    """The second one is told, and touches nothing."""
    with JobStore(bench.folder / "list"), pytest.raises(InputError, match="another process is running this list"):
        JobStore(bench.folder / "list")


# ---------------------------------------------------------------- lists


def test_names_are_folders(bench: Bench) -> None:
    """A name twice, a folder inside another's, or a way out of the list's folder is refused."""
    taken = (("again/a",), ("lock",), ("results.sqlite",), ("results.xml/a",))
    for names in (("a", "a"), ("a", "a/b"), ("../a",), ("",), ("a//b",), ("x y",), *taken):
        with pytest.raises(InputError, match=r"two runs|in the folder of|is no name|is taken"):
            bench.run(*(bench.job(name) for name in names))


def test_an_empty_list_is_no_pass(bench: Bench) -> None:
    """Nothing to run is unusable input; a regression without runs has failed, whoever made it."""
    with pytest.raises(InputError, match="nothing to run, the list is empty"):
        run_list("fakes", bench.folder / "list", [], ListOptions())
    with JobStore(bench.folder / "list") as store:
        assert run_jobs([], store, LocalEngine(1)) == {}
    with Results(bench.folder / "list") as results:
        assert [one.verdict for one in results.regressions()] == [FAIL]


def test_selection_by_name(bench: Bench) -> None:
    """Patterns, whole groups and exact names; nothing at all is an error."""
    given = [bench.job(name) for name in ("soak/p1/s1", "soak/p1/s2", "soak/p2/s1", "trace/x")]
    assert [j.name for j in select(given, ["soak/p1"])] == ["soak/p1/s1", "soak/p1/s2"]
    assert [j.name for j in select(given, ["*/s1", "trace/x"])] == ["soak/p1/s1", "soak/p2/s1", "trace/x"]
    with pytest.raises(InputError, match="matches none of the 4 runs"):
        select(given, ["nothing"])


def test_the_list_ends_with_an_exit_code_and_junit(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """1 with a failure, 0 without; counts are summed; the XML holds every run with its reason."""
    given = [bench.job("g/a", commands=1000), bench.job("g/b", "fail", commands=500), bench.job("h/c")]
    folder = bench.folder / "list"
    assert run_list("fakes", folder, given, ListOptions(jobs=2), counts=["commands"]).code == 1
    shown = capsys.readouterr().out
    assert "1,501" in shown and "again g/b" in shown and "CK 12: wrong" in shown
    suite = ET.parse(folder / job_list.JUNIT).getroot()[0]
    assert suite.attrib["tests"] == "3" and suite.attrib["failures"] == "1"
    cases = {case.attrib["name"]: case for case in suite}
    assert set(cases) == {"a", "b", "c"} and cases["b"].attrib["classname"] == "fakes.g"
    failure = cases["b"].find("failure")
    assert failure is not None and failure.attrib["message"] == "CK 12: wrong" and "again g/b" in (failure.text or "")
    assert run_list("fakes", folder, given, ListOptions(only=("g/a",))).code == 0


def test_waves_need_one_run(bench: Bench) -> None:
    """Waves of a whole list, or a window that ends before it begins, are refused before anything runs."""
    given = [bench.job("g/a"), bench.job("g/b")]
    for options in (
        ListOptions(waves=True),
        ListOptions(waves=True, only=("g",)),
        ListOptions(waves_from=9, waves_to=3, only=("g/a",)),
    ):
        with pytest.raises(InputError, match="waves|wave window"):
            run_list("fakes", bench.folder / "list", given, options)
    assert not bench.starts()


def test_junit_survives_control_characters(bench: Bench) -> None:
    """A reason with bytes that XML cannot hold still makes a file that can be read."""
    job = bench.job("a")
    path = bench.folder / "x.xml"
    write_junit(path, "t", [job], {"a": Outcome(DIED, "bad \x1b[31m bytes \x00")})
    assert ET.parse(path).getroot()[0].attrib["errors"] == "1"


def test_the_estimate_follows_cost() -> None:
    """Half of the cost in 10 slot-seconds: the rest takes 10 slot-seconds, 5 s in two slots, less what runs."""
    estimate = Estimate(100, 2)
    assert estimate.seconds(0) is None
    estimate.finished(50, 10.0)
    assert estimate.seconds(0) == 5.0 and estimate.seconds(4.0) == 3.0


def test_a_run_without_a_word_is_on_the_default_preset() -> None:
    """What a job does not say is the default of the bench; a run without a bench has no preset."""
    assert jobs.preset_of({"bench": {}}) == "hbm2_2000_eng"
    assert jobs.preset_of({"bench": {"preset": "peers_hbm3"}}) == "peers_hbm3"
    assert jobs.preset_of({"bench": {}, "options": {"preset": "hbm4_8000_eng"}}) == "hbm4_8000_eng"
    assert jobs.preset_of({"module": "host_tests"}) == ""
