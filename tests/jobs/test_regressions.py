"""Regressions: the same table after any number of kills, buckets of failures, history, and the API that reads them."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hbm_model.command_line import typed
from hbm_model.errors import InputError
from hbm_tb import job_list, replay, results_view, sim, sim_job
from hbm_tb import results as results_module
from hbm_tb.config import BenchConfig
from hbm_tb.job_buckets import buckets_of, generalised, signature_of
from hbm_tb.job_list import JUNIT, JUNIT_PART, ListOptions, run_list
from hbm_tb.job_store import DATABASE, About, JobStore
from hbm_tb.jobs import AGAIN, DIED, FAIL, PASS, Job, LocalEngine, Outcome, Watcher, run_jobs
from hbm_tb.results import Results
from hbm_tb.results_view import View, results_command
from hbm_tb.site import write_site
from test_jobs import Bench

TIMING = {"schema": 1, "kind": "violation", "signature": "violation:tRCDRD", "headline": "CK 12: RD 3 CK too early"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def run(bench: Bench, *given: Job, **how: Any) -> int:
    return run_list("fakes", bench.folder / "list", given, ListOptions(jobs=2, **how)).code


def site_of(bench: Bench) -> Path:
    """The report site over the lists of the bench."""
    build = bench.folder / "build"
    build.mkdir(exist_ok=True)
    if not (build / "regress").exists():
        (build / "regress").symlink_to(bench.folder)
    return write_site(bench.folder / "site", build).parent


# ---------------------------------------------------------------- kills at any moment

SCRIPT = """
import sys
from pathlib import Path
from test_jobs import Bench
from test_regressions import FAKES
from hbm_tb.job_list import ListOptions, run_list
bench = Bench(Path(sys.argv[1]))
given = [bench.job(name, do, last=0.15, **how) for name, do, how in FAKES]
sys.exit(run_list("fakes", bench.folder / "list", given, ListOptions(jobs=2, fresh="fresh" in sys.argv)).code)
"""
FAKES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a/one", "pass", {"commands": 1}),
    ("a/two", "fail", {"commands": 2, "failure": TIMING}),
    ("a/three", "pass", {"commands": 3}),
    ("b/one", "fail", {"commands": 4, "reason": "Some: response 17 of port 1 is missing"}),
    ("b/two", "fail", {"commands": 5, "reason": "Other: response 9 of port 0 is missing"}),
    ("b/three", "raise", {}),
    ("c/one", "pass", {"commands": 6}),
    ("c/two", "pass", {"commands": 7}),
)


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *words],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def tables(folder: Path) -> dict[str, list[Any]]:
    """All that the database says of its newest regression, but for times and row numbers."""
    with sqlite3.connect(folder / "list" / DATABASE) as db:
        number = db.execute("SELECT max(id) FROM regression").fetchone()[0]
        runs = db.execute(
            "SELECT position, r.name, key, content, status, reason, counts, attempts, arguments, kind, failure, "
            "signature, headline FROM regression_run r JOIN result ON result.id = r.result WHERE regression = ? "
            "ORDER BY position",
            (number,),
        ).fetchall()
        regression = db.execute(
            "SELECT title, complete, verdict, total, passed, failed, end IS NULL FROM regression WHERE id = ?",
            (number,),
        ).fetchall()
        buckets = db.execute(
            "SELECT signature, headline, count, first, new FROM bucket WHERE regression = ? ORDER BY signature",
            (number,),
        ).fetchall()
    folders = [[str(cell).replace(str(folder), "FOLDER") for cell in row[:3] + row[4:]] for row in runs]
    # Keys hold the arguments, in which the folder of the test stands.
    return {"runs": [row[:2] + row[3:] for row in folders], "regression": regression, "buckets": buckets}


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_comes_to_the_same_table(tmp_path: Path, seed: int) -> None:
    """kill -9 again and again at random moments: results, buckets and verdict are bit for bit those of a list that was
    left alone, and all of it is one regression."""
    folders = [tmp_path / name for name in ("left_alone", "killed")]
    for folder in folders:
        folder.mkdir()
        Bench(folder)
    assert start(folders[0], "fresh").wait(120) == 1
    draw = random.Random(seed)
    diary = folders[1] / "diary"
    kills, words = 0, ["fresh"]
    while True:
        runs = len(diary.read_text().splitlines()) + draw.randint(1, 4)
        process = start(folders[1], *words)
        begun = time.monotonic()
        if kills < 4:
            while len(diary.read_text().splitlines()) < runs and process.poll() is None:
                time.sleep(0.01)  # until so many runs have begun or ended
            time.sleep(draw.uniform(0.0, 0.2))  # the random moment
            process.kill()
        code = process.wait(120)
        assert time.monotonic() - begun < 120
        words = []
        if code != -signal.SIGKILL:
            break
        kills += 1
    assert code == 1 and kills >= 2
    with Results(folders[1] / "list") as results:
        assert len(results.regressions()) == 1
    alone, killed = (tables(folder) for folder in folders)
    assert killed == alone
    assert [row[:3] for row in alone["buckets"]] == [
        ("died: RuntimeError: the kind is broken", "RuntimeError: the kind is broken", 1),
        ("fail: response * of port * is missing", "Some: response 17 of port 1 is missing", 2),
        ("violation:tRCDRD", "CK 12: RD 3 CK too early", 1),
    ]


# ---------------------------------------------------------------- regressions


def test_a_regression_is_one_way_through_the_list(bench: Bench) -> None:
    """One that is done is not repeated; parts, repeats and changes are regressions of their own."""
    given = [bench.job("g/a"), bench.job("g/b", "fail"), bench.job("h/c")]
    assert run(bench, *given) == 1 and run(bench, *given) == 1
    with Results(bench.folder / "list") as results:
        (one,) = results.regressions()
        assert (one.verdict, one.total, one.passed, one.failed, one.reused, one.complete) == (FAIL, 3, 2, 1, 0, True)
        assert one.end is not None and one.wall_s > 0 and one.counts == {"commands": 3} and one.title == "fakes"
        assert one.options["engine"] == "local"
    run(bench, *given, rerun=True)
    with Results(bench.folder / "list") as results:
        assert results.unsteady() == []
    run(bench, *given, only=("g",))
    bench.content.write_text("build 2")
    run(bench, *given)
    with Results(bench.folder / "list") as results:
        found = [(one.id, one.total, one.reused, one.complete) for one in results.regressions()]
        assert found == [(1, 3, 0, True), (2, 3, 2, True), (3, 2, 2, False), (4, 3, 0, True)]
        latest = results.latest()
        assert latest is not None and latest.id == 4
        assert [run.name for run in results.runs(4)] == ["g/a", "g/b", "h/c"]
        assert [run.content for run in results.history("g/a")] == ["build 1", "build 2"]


def test_a_part_never_stands_for_the_list(bench: Bench) -> None:
    """Whichever way the part was made, the red whole regression stays the latest, and so does its JUnit file."""
    folder = bench.folder / "list"
    given = [bench.job("g/a"), bench.job("g/b", "fail"), bench.job("h/c")]
    assert run(bench, *given) == 1
    red = (folder / JUNIT).read_bytes()
    assert run_list("fakes", folder, given[:1], ListOptions(jobs=1), whole=False).code == 0  # as with --preset
    assert run(bench, *given, only=("h",)) == 0
    with Results(folder) as results:
        assert [one.complete for one in results.regressions()] == [True, False, False]
        latest = results.latest()
        assert latest is not None and (latest.id, latest.verdict) == (1, FAIL)
    assert (folder / JUNIT).read_bytes() == red
    assert ET.parse(folder / JUNIT_PART).getroot()[0].attrib["tests"] == "1"


class StopAfter(Watcher):
    """The list is interrupted after so many runs."""

    def __init__(self, runs: int) -> None:
        self.left = runs

    def finished(self, job: Job, outcome: Outcome) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_the_printed_line_disturbs_nothing(bench: Bench) -> None:
    """A list is interrupted, the red line is typed, a part is run, the list goes on: the same regression, and nothing
    that was finished is repeated, not even what was lost. Of what the failed run left, nothing is touched."""
    folder = bench.folder / "list"
    broken = bench.job("a/two", "fail", failure=TIMING)
    given = [bench.job("a/one"), broken, bench.job("a/lost", "kill"), bench.job("a/four")]
    with pytest.raises(KeyboardInterrupt), JobStore(folder) as store:
        run_jobs(given, store, LocalEngine(1), StopAfter(3), about=About("fakes"))
    assert bench.starts() == ["one", "two", "lost", "lost"]
    evidence = {path: path.read_bytes() for path in (folder / "a" / "two").iterdir()}
    assert run(bench, *given, only=("a/two",), waves=True) == 1
    assert run(bench, *given, only=("a/one",)) == 0
    with Results(folder) as results:
        assert [one.verdict for one in results.regressions()] == ["interrupted", PASS]
    assert run(bench, *given) == 1
    assert bench.starts() == ["one", "two", "lost", "lost", "two", "four"]
    red = (folder / JUNIT).read_bytes()
    assert run(bench, *given, only=("a/two",), waves=True) == 1
    with Results(folder) as results:
        found = [(one.id, one.verdict, one.total, one.reused) for one in results.regressions()]
        assert found == [(1, FAIL, 4, 0), (2, PASS, 1, 1)]
        assert all(results.current(each) for each in results.runs(1)) and len(results.history("a/two")) == 1
    assert {path: path.read_bytes() for path in (folder / "a" / "two").iterdir()} == evidence
    assert (folder / JUNIT).read_bytes() == red
    assert (folder / AGAIN / "a" / "two" / "outcome.json").exists()
    site = site_of(bench)
    assert "another result" not in (site / "runs" / "list" / "a" / "two.html").read_text()
    assert "hbm replay" in (site / "buckets.html").read_text()


def test_what_is_told_of_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once and in the JUnit file the sentence that names the rule; the command that repeats the run once; no 0 for
    what nobody counted; one is no plural; waves that the run itself wrote, instead of the command that makes them."""
    reason = "Short: DRAM command rules violated:\n  CK 12: RD 3 CK too early\n  reproduce: make test TEST=Short"
    broken = bench.job("a/two", "fail", failure=TIMING, reason=reason, leaves=["waves.fst"])
    assert (
        run_list("fakes", bench.folder / "list", [broken], ListOptions(jobs=1), counts=("commands", "beats")).code == 1
    )
    out, err = capsys.readouterr()
    said = " ".join(err.split())
    assert "fakes: 1 run, 1 side by side" in said and "FAIL a/two: CK 12: RD 3 CK too early again: " in said, said
    assert "1 failure in 1 bucket\n" in out and "reproduce:" not in out and "DRAM command rules violated" in out
    assert re.search(r"^│ a +│ +1 │ +0 │ +1 │ +1 │ +- │", out, re.MULTILINE), out
    waves = bench.folder / "list" / "a" / "two" / "waves.fst"
    assert f"waves: {waves}; open: {typed('hbm waves')} --run {waves.parent}\n" in out and "hbm replay" not in out
    (failed,) = ET.parse(bench.folder / "list" / JUNIT).getroot().iter("failure")
    assert failed.attrib["message"] == "CK 12: RD 3 CK too early"
    page = (site_of(bench) / "buckets.html").read_text()
    assert "hbm waves --run" in page and "hbm replay" not in page
    monkeypatch.setattr(results_module, "FOLDER", bench.folder)
    results_command(View("list", bucket="violation"))
    told = capsys.readouterr().out
    assert "violation:tRCDRD: 1 run, since no 1" in told and "reproduce:" not in told and "again: again a/two" in told


def test_the_run_that_a_bucket_names_is_replayed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is the one with the fewest cycles, however long the others took."""
    asked: list[Path] = []
    before = {
        "files": {sim.AGAIN: json.dumps({"wall_s": 0.1})},
        "failure": {**TIMING, "kind": "error", "signature": "a"},
    }
    monkeypatch.setattr(replay, "replay_failures", lambda folders: asked.extend(replay.choose(folders, 3)))
    given = [
        bench.job(
            name,
            "fail",
            failure={**TIMING, "ck": 2.0 * cycle, "cycle": cycle},
            files={sim.AGAIN: json.dumps({"wall_s": wall_s})},
        )
        for name, cycle, wall_s in (("s/1", 900, 0.1), ("s/2", 90, 7.0), ("s/3", 400, 0.2))
    ]
    assert run(bench, *given, bench.job("r/1", "fail", **before)) == 1  # its failure has no place in time
    with Results(bench.folder / "list") as results:
        bucket, _ = results.buckets(1)
    assert asked == [bucket.first.folder] == [bench.folder / "list" / "s" / "2"]


def test_a_failed_run_keeps_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no closing line: its record tells what it did."""
    record = {"checked": {"read_beats": 64, "write_responses": 9, "commands": 93}, "cycles": 1263}

    def simulate(*_: object, run_dir: Path, **__: object) -> sim.Result:
        (run_dir / "result.json").write_text(json.dumps(record))
        log = run_dir / "sim.log"
        return sim.Result(False, "fail", "Crash: no", run_dir, log, log, 1, 0, 1.0, 1.0, "", {"Crash": "fail"})

    monkeypatch.setattr(sim, "run", simulate)
    monkeypatch.setattr(sim, "build", lambda *_, **__: None)
    job = sim_job.sim_job("a/one", "smoke_tests", "Short", BenchConfig())
    outcome = sim_job.run(dict(job.arguments), tmp_path)
    assert outcome.counts == {"read_beats": 64, "writes": 9, "commands": 93, "cycles": 1263}


def test_a_list_that_was_begun_anew_is_not_gone_on_with(bench: Bench) -> None:
    """After a whole regression with other sources the old one stays abandoned, also when the old sources are back."""
    given = [bench.job("a"), bench.job("b")]
    with pytest.raises(KeyboardInterrupt), JobStore(bench.folder / "list") as store:
        run_jobs(given, store, LocalEngine(1), StopAfter(1), about=About("fakes"))
    bench.content.write_text("build 2")
    run(bench, *given)
    bench.content.write_text("build 1")
    run(bench, *given)
    with Results(bench.folder / "list") as results:
        assert [one.verdict for one in results.regressions()] == ["abandoned", PASS, PASS]
        assert [one.name for one in results.runs(3) if one.reused] == ["a"]


def test_trends_are_not_of_the_repeated_runs_alone(bench: Bench) -> None:
    """Speed and processor time of a regression whose results are mostly held are still those of all its runs."""
    jobs = [bench.job(f"n{i}") for i in range(10)]
    keys = {job.name: job.key("c") for job in jobs}
    good = Outcome(PASS, "", {"cycles": 1_000_000}, 5.0, 5.0, "", "c")
    with JobStore(bench.folder / "list") as store:
        for known in ({}, {job.name: 1 + n for n, job in enumerate(jobs[1:])}):
            store.begin(keys, known, About("fakes"))
            for job in jobs:
                if job.name not in known:
                    store.add(job, good)
            store.end(dict.fromkeys(keys, good))
    with Results(bench.folder / "list") as results:
        found = [(one.speed, one.all_cpu_s, one.cpu_s, one.reused) for one in results.regressions()]
    assert found == [(200_000, 50.0, 50.0, 0), (200_000, 50.0, 5.0, 9)]


def test_sources_that_change_meanwhile_are_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that saw other sources than the list began with is no result of the next regression, and this one is none
    of the whole list."""
    given = [bench.job("a", "edit"), bench.job("b")]
    assert run_list("fakes", bench.folder / "list", given, ListOptions(jobs=1)).code == 0
    out, err = capsys.readouterr()
    assert "sources were changed while the list ran: 1 run saw others than the first ones (b)" in " ".join(err.split())
    assert "NOT ONE STATE OF THE SOURCES" in out
    with Results(bench.folder / "list") as results:
        (one,) = results.regressions()
        assert not one.complete and "they were changed while it ran, 1 runs saw others" in one.part
    bench.run(*given)
    assert bench.starts() == ["a", "b", "a"]


def test_an_unsteady_run_is_named(bench: Bench) -> None:
    """Passed and failed with nothing changed: the simulation is not deterministic."""
    assert run(bench, bench.job("a"), bench.job("b", "fail_once")) == 1
    assert run(bench, bench.job("a"), bench.job("b", "fail_once"), rerun=True) == 0
    with Results(bench.folder / "list") as results:
        assert results.unsteady() == ["b"]


def test_what_is_lost_in_a_finished_regression_is_repeated_by_the_next(bench: Bench) -> None:
    """`died` holds within its regression, not beyond."""
    run(bench, bench.job("x", "kill"))
    starts = len(bench.starts())
    assert run(bench, bench.job("x", "kill")) == 1 and len(bench.starts()) == 2 * starts == 4
    with Results(bench.folder / "list") as results:
        assert [one.id for one in results.regressions()] == [1, 2]


def test_buckets_tell_what_is_new(bench: Bench) -> None:
    """One bucket for one signature; one that the regression before did not have is marked."""
    timing = bench.job("s/1", "fail", failure=TIMING, commands=5)
    again = bench.job("s/2", "fail", failure={**TIMING, "headline": "CK 99: RD 1 CK too early", "cycle": 3})
    missing = bench.job("t/1", "fail", reason="ShortSoak: 0x1f: beat 7 is missing\nmore")
    run(bench, timing, missing)
    bench.content.write_text("build 2")
    other = bench.job("t/1", "fail", reason="ShortSoak: 0x2e: beat 9 is late")
    run(bench, timing, again, other)
    with Results(bench.folder / "list") as results:
        first, second = (results.buckets(number) for number in (1, 2))
        assert [(b.signature, b.count, b.new, b.since) for b in first] == [
            ("fail: *: beat * is missing", 1, False, 1),
            ("violation:tRCDRD", 1, False, 1),
        ]
        assert [(b.signature, b.count, b.new, b.since) for b in second] == [
            ("violation:tRCDRD", 2, False, 1),
            ("fail: *: beat * is late", 1, True, 2),
        ]
        # The one that fails after the fewest cycles is the one to repeat.
        assert second[0].first.name == "s/2" and second[0].headline == "CK 99: RD 1 CK too early"
        assert second[0].first.reproduce == "again s/2" and second[0].first.failure["cycle"] == 3


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("RandomSoak: CK 1,234: tRCD of bank 3: 12 < 14", "PageOpen: CK 77: tRCD of bank 11: 9 < 14"),
        ("at 0x1f80: expected 0x0a got 0xff", "at 0x0: expected 0x01 got 0x7e"),
        ("folder /here/a/b1/x.npy is gone", "folder /elsewhere/me/x.npy is gone"),
        ("ids 3, 4, 5 wait", "ids 17 wait"),
        ("port1 of PC0 stands", "port0 of PC1 stands"),
        ("8'hff of 32'h0 came", "8'h01 of 32'h77 came"),
        ("not finished after 600 s", "not finished after 30 s"),
        ("soak/x=1/y=2: response 7 is missing", "soak/x=3/y=9: response 8 is missing"),
    ],
)
def test_numbers_make_no_buckets(one: str, two: str) -> None:
    """The same line with other numbers, folders or tests is the same bucket."""
    assert generalised(one) == generalised(two) != ""


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("tRCD of bank 3: 12 < 14", "tRP of bank 3: 12 < 14"),
        ("expected ACT got none", "expected none got ACT"),
        ("R beat 4 is missing", "B beat 4 is missing"),
    ],
)
def test_words_do(one: str, two: str) -> None:
    """Another rule, another direction, another channel is another bucket."""
    assert generalised(one) != generalised(two)


def test_a_signature_that_cannot_be_used_is_replaced() -> None:
    """failure.json with something else in its place, or none at all."""
    for failure in ({}, {"signature": ""}, {"signature": 7}):
        assert signature_of(Outcome(FAIL, "CK 3: wrong", failure=failure)) == "fail: CK *: wrong"
    assert signature_of(Outcome(FAIL)) == "fail: without a reason"
    assert signature_of(Outcome(PASS)) == "" and buckets_of({"a": Outcome(PASS)}, None) == []


# ---------------------------------------------------------------- what is written and read


def test_junit_holds_what_a_server_asks_for(bench: Bench) -> None:
    """Seed, preset, command, bucket and attachments as properties; failures with their files."""
    job = bench.job("g/b", "fail", failure=TIMING, seed=9, bench={"preset": "hbm4_8000_eng"})
    run(bench, bench.job("g/a", seed=3), job)
    suite = ET.parse(bench.folder / "list" / JUNIT).getroot()[0]
    cases = {case.attrib["name"]: case for case in suite}
    found = {
        name: [(node.attrib["name"], node.attrib["value"]) for node in case.iter("property")]
        for name, case in cases.items()
    }
    assert ("seed", "3") in found["a"] and ("reproduce", "again g/a") in found["a"]
    assert {("seed", "9"), ("preset", "hbm4_8000_eng"), ("signature", "violation:tRCDRD")} <= set(found["b"])
    files = [value for name, value in found["b"] if name == "attachment"]
    assert files and all(Path(file).is_file() for file in files)
    assert any(file.endswith("g/b/failure.json") for file in files)
    text = cases["b"].findtext("system-out") or ""
    assert f"[[ATTACHMENT|{bench.folder / 'list' / 'g/b' / 'failure.json'}]]" in text


def test_a_database_of_the_version_before_is_taken_over(bench: Bench) -> None:
    """Its results hold; what it did not know is empty. One of a later version is refused."""
    given = [bench.job("a"), bench.job("b", "fail")]
    bench.run(*given)
    file = bench.folder / "list" / DATABASE
    with sqlite3.connect(file) as db:
        for table in ("regression", "regression_run", "bucket"):
            db.execute(f"DROP TABLE {table}")
        for column in ("kind", "reproduce", "failure", "signature", "headline"):
            db.execute(f"ALTER TABLE result DROP COLUMN {column}")
        db.execute("PRAGMA user_version=1")
    with pytest.raises(InputError, match="another version; run the list once more"):
        Results(bench.folder / "list")
    assert run(bench, *given) == 1 and len(bench.starts()) == 2
    with Results(bench.folder / "list") as results:
        assert [(one.status, one.reused) for one in results.runs(1)] == [(PASS, True), (FAIL, True)]
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="written by another version"):
        JobStore(bench.folder / "list")


def test_a_running_list_can_be_read(bench: Bench) -> None:
    """While a process has the list, its regression is `running`; after a kill `interrupted`; then `abandoned`."""
    job = bench.job("a")
    with JobStore(bench.folder / "list") as store:
        store.begin({"a": "key"}, {}, About("fakes"))
        with Results(bench.folder / "list") as results:
            assert [one.verdict for one in results.regressions()] == ["running"] and results.runs(1) == []
    with Results(bench.folder / "list") as results:
        assert [one.verdict for one in results.regressions()] == ["interrupted"]
    run(bench, job)
    with Results(bench.folder / "list") as results:
        assert [one.verdict for one in results.regressions()] == ["abandoned", "pass"]


def test_the_command_line_reads_it_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Summary, buckets, trend, runs of a bucket, history of a run; unknown names end with those that are known."""
    monkeypatch.setattr(results_module, "FOLDER", bench.folder)
    monkeypatch.setattr(results_view, "folder_named", results_module.folder_named)
    with pytest.raises(InputError, match="no list was run yet"):
        results_command(View())
    given = [bench.job("g/a", commands=70), bench.job("g/b", "fail", failure=TIMING), bench.job("h/c", "kill")]
    run(bench, *given)
    capsys.readouterr()

    def told(view: View) -> str:
        code = results_command(view)
        assert code == (0 if view.history else 1)
        return capsys.readouterr().out

    assert "list" in told(View())
    summary = told(View("list"))
    assert "hbm replay" in summary and "list/g/b" in summary
    assert "1 of 3 passed" in summary and "violation:tRCDRD" in summary and "again: again g/b" in summary
    assert "fail" in told(View("list", history=True))
    one = told(View("list", bucket="tRCDRD"))
    assert "CK 12: wrong" in one and "FAIL  g/b" in one and "h/c" not in one
    failed = told(View("list", failed=True))
    assert "g/b" in failed and f"{DIED.upper()}  h/c" in failed and "g/a" not in failed
    for runs in (("g/*",), ("g",)):  # a pattern, a group
        assert "build 1" in told(View("list", history=True, runs=runs))
    for view, problem in (
        (View("nothing"), "--list nothing: no results in .*; lists with results: list"),
        (View("list", bucket="tFAW"), "no such bucket: "),
        (View("list", regression=9), "--regression 9: list has 1 to 1"),
        (View("list", history=True, runs=("z",)), "matches none of the 3 runs"),
    ):
        with pytest.raises(InputError, match=problem):
            results_command(view)


def test_a_damaged_database_hides_no_other_list(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named in one line, the others are shown, and the end is not green."""
    run(bench, bench.job("a"))
    (bench.folder / "broken").mkdir()
    (bench.folder / "broken" / DATABASE).write_bytes(b"no database" * 200)
    monkeypatch.setattr(results_module, "FOLDER", bench.folder)
    capsys.readouterr()
    assert results_command(View()) == 2
    out, err = capsys.readouterr()
    assert "list " in out and "pass" in out and f"{bench.folder / 'broken' / DATABASE}: file is not a database" in err
    with pytest.raises(InputError, match="broken/results.sqlite: file is not a database"):
        results_command(View("broken"))
    with pytest.raises(InputError, match="file is not a database; remove it to begin anew"):
        JobStore(bench.folder / "broken")
    site = site_of(bench)
    text = (site / "index.html").read_text()
    assert "broken/results.sqlite: file is not a database" in text and "list-list" in text


def test_a_pass_on_a_retry_is_shown(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """In `hbm results` and on the site."""
    run(bench, bench.job("a"), bench.job("b", "kill_once"))
    site = site_of(bench)
    assert "1 passed only on a retry" in " ".join((site / "index.html").read_text().split())
    text = (site / "buckets.html").read_text()
    assert 'id="retried-list"' in text and '<a href="runs/list/b.html">b</a>' in text


def test_new_buckets_are_replayed_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some are replayed: what nobody has seen before comes before what is large."""
    tried: list[list[Path]] = []
    monkeypatch.setattr(job_list, "_replay", tried.append)
    old = [bench.job(f"o{i}", "fail", failure=TIMING) for i in range(3)]
    run(bench, *old)
    bench.content.write_text("build 2")
    run(bench, *old, bench.job("n", "fail", failure={**TIMING, "signature": "violation:tRP:ACT"}))
    assert [folder.name for folder in tried[1]][0] == "n" and len(tried[1]) == 4
