"""What `--engine` names, settings of a cluster, what a node does with a run, and LSF as far as it goes without one."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbm_model.cli import main
from hbm_model.errors import InputError
from hbm_tb import engine_worker, sim
from hbm_tb.engine_dask import ASK_S, DaskEngine, _Worker
from hbm_tb.engine_queue import SYSTEMS
from hbm_tb.engine_settings import Settings, described, read_settings
from hbm_tb.engine_worker import CutOff, Ended, NodeError, carry_out, end_attempt
from hbm_tb.engines import engine_named
from hbm_tb.job_store import JobStore
from hbm_tb.jobs import DIED, FAIL, JOB_FILE, OUTCOME_FILE, PASS, LocalEngine, Watcher, run_jobs
from test_jobs import Bench

PAGE = sim.ROOT / "docs" / "scale-out.md"


def test_names_of_engines() -> None:
    """Local is the default; what is no engine is told with those that are."""
    assert isinstance(engine_named("local", 3), LocalEngine) and engine_named("local", 3).slots == 3
    for bad in ("", "pbs", "local:x", "slurm:", "Slurm"):
        with pytest.raises(InputError, match=re.escape(f"--engine {bad}: local, slurm, lsf")):
            engine_named(bad)


def test_a_machine_without_the_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that is missing, and what to do."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="--engine lsf: `bsub` is not found; run it where jobs can be submitted"):
        engine_named("lsf")
    with pytest.raises(InputError, match="--engine slurm: `sbatch` is not found"):
        engine_named("slurm")


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("name", ["c.yaml", "c.toml"])
def test_settings_of_a_file(tmp_path: Path, name: str) -> None:
    """YAML and TOML say the same; a single line stands for a list of one."""
    equals = ": " if name.endswith("yaml") else " = "
    lines = {"workers": "8", "queue": '"a"', "walltime": '"1-12:00:00"', "prologue": '"module load x"', "wait_s": "9.5"}
    path = tmp_path / name
    path.write_text("".join(f"{key}{equals}{value}\n" for key, value in lines.items()))
    assert read_settings("slurm", path) == Settings(
        workers=8, queue="a", walltime="1-12:00:00", prologue=("module load x",), wait_s=9.5, source=str(path)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partition: x", "partition is no setting of a cluster; there are workers, cores"),
        ("source: x", "source is no setting"),
        ("workers: 0", "workers is a whole number, at least 1"),
        ("workers: true", "workers is a whole number"),
        ("cores: 1.5", "cores is a whole number"),
        ("retries: -1", "retries is a whole number, at least 0"),
        ("memory: 4", "memory is a line of text"),
        ("memory: much", "memory much: a number with its unit"),
        ("walltime: 10:00:00", 'put the walltime into quotes: "04:00:00"'),
        ('walltime: "4h"', "walltime 4h is not understood by slurm"),
        ("directives: [1, 2]", "directives is a list of lines"),
        ("- a\n- b", "lines of `key: value`"),
        ("a: [", "flow node"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    """One line with the file, the key and what is expected."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_settings("slurm", path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_the_page_lists_every_setting(tmp_path: Path) -> None:
    """docs/scale-out.md: a row for each, with its default."""
    part = PAGE.read_text().partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ?([^|]*?) ?\|", part, re.MULTILINE)
    assert rows == described() and len(rows) > 10
    example = "\n".join(re.findall(r"^    (.*)$", part, re.MULTILINE))
    path = tmp_path / "c.yaml"
    path.write_text(example)
    assert read_settings("slurm", path).workers == 16


@pytest.mark.parametrize("command", ["regress", "exact", "tight", "faults", "coverage"])
def test_every_list_has_the_option(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--engine`: what is no engine ends with exit code 2 and one line, before anything is built."""
    monkeypatch.setattr(sys, "argv", ["hbm", command, "--engine", "pbs"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2 and not said.out
    assert re.fullmatch(r"hbm: --engine pbs: local, slurm, lsf, .* is needed \(docs/scale-out.md\)\n", said.err)


# ---------------------------------------------------------------- a node


class Node:
    """`carry_out` in a thread, as a Dask worker has it."""

    def __init__(self, folder: Path, script: str, attempt: str = "one") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.is_closing = False
        self.error: Exception | None = None
        self.write(attempt)
        self.thread = threading.Thread(target=self._work, args=(script, attempt), daemon=True)

    def write(self, attempt: str) -> None:
        (self.folder / JOB_FILE).write_text(json.dumps({"attempt": attempt}))

    def _work(self, script: str, attempt: str) -> None:
        command = [sys.executable, "-c", f"import os, time\n{script}"]
        try:
            carry_out(command, str(self.folder), attempt, {"HBM_X": "7"}, lambda: self.is_closing)
        except Exception as error:
            self.error = error

    def run(self, act: Callable[[], None] | None = None) -> Exception | None:
        """Start, do `act` when the process is up, wait for the end; what carry_out raised."""
        self.thread.start()
        end = time.monotonic() + 30
        while act and not (self.folder / "up").exists():
            assert time.monotonic() < end, "the process did not come up"
            time.sleep(0.01)  # a file that another process writes tells nobody that it has come
        if act:
            act()
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.error


UP = "open('up', 'w').write(str(os.getpid()))\ntime.sleep(60)"  # ended long before by the test


def test_a_node_carries_out_a_run(tmp_path: Path) -> None:
    """In its folder, with the variables that it was given; an outcome and code 0 are the good end."""
    assert Node(tmp_path / "a", f"open('{OUTCOME_FILE}', 'w').write(os.environ['HBM_X'])\nprint('said')").run() is None
    assert (tmp_path / "a" / OUTCOME_FILE).read_text() == "7"
    assert (tmp_path / "a" / "worker.log").read_text() == "said\n"
    for name, script in (("b", f"open('{OUTCOME_FILE}', 'w')\nos._exit(3)"), ("c", "pass"), ("d", "os.abort()")):
        assert isinstance(Node(tmp_path / name, script).run(), Ended), script


@pytest.mark.parametrize("how", ["told", "other attempt", "closing"])
def test_a_run_is_ended_on_its_node(tmp_path: Path, how: str) -> None:
    """By the runner; because the node was given up and another one has the run; because the scheduler is gone."""
    node = Node(tmp_path / "a", UP)

    def act() -> None:
        if how == "told":
            import asyncio

            asyncio.run(end_attempt("one"))
        elif how == "closing":
            node.is_closing = True
        else:
            node.write("two")

    error = node.run(act)
    assert isinstance(error, CutOff), error
    assert not Path(f"/proc/{(tmp_path / 'a' / 'up').read_text()}").exists()


def test_a_node_without_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not see the attempt, or cannot write: the node is at fault, not the run."""
    monkeypatch.setattr(engine_worker, "SEEN_S", 0.2)
    monkeypatch.setenv("SLURMD_NODENAME", "n17")
    node = Node(tmp_path / "a", "pass")
    node.write("another")
    error = node.run()
    assert isinstance(error, NodeError) and str(error).startswith("n17: does not see ")
    node = Node(tmp_path / "b", "pass")
    (tmp_path / "b" / "worker.log").mkdir()
    error = node.run()
    assert isinstance(error, NodeError) and error.args[0] == "n17" and "directory" in error.args[1]


# ---------------------------------------------------------------- LSF


@pytest.fixture
def lsf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins for bsub, bjobs, bkill at the head of PATH (fake_lsf)."""
    tools, state = tmp_path / "bin", tmp_path / "lsf"
    tools.mkdir()
    state.mkdir()
    for name in SYSTEMS["lsf"].tools:
        (tools / name).symlink_to(Path(__file__).with_name("fake_lsf.py"))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LSF", str(state))
    return state


def _settings(folder: Path, **given: Any) -> str:
    path = folder / "lsf.yaml"
    lines = {"workers": 2, "cores": 2, "memory": "3GB", "interface": "lo", "retries": 1, **given}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return f"lsf:{path}"


def test_a_list_on_the_stand_in_of_lsf(tmp_path: Path, lsf: Path) -> None:
    """The verdicts of local, through bsub, bjobs and bkill; the script that was submitted says what the file says."""
    bench = Bench(tmp_path)
    given = [bench.job("a"), bench.job("b", "fail"), bench.job("c", "kill_once"), bench.job("d", "kill")]
    engine = _settings(
        tmp_path, queue="long", account="hbm team", walltime='"02:30"', prologue="export FROM_PROLOGUE=1",
        directives='["-x"]', skip_directives='["-M"]',
    )  # fmt: skip
    with JobStore(tmp_path / "list") as store:
        found = run_jobs(given, store, engine_named(engine))
    assert {name: (o.status, o.attempts) for name, o in found.items()} == {
        "a": (PASS, 1), "b": (FAIL, 1), "c": (PASS, 2), "d": (DIED, 2),
    }  # fmt: skip
    first, second = sorted(lsf.glob("script-*"))
    script = first.read_text()
    head = [line.removeprefix("#BSUB ") for line in script.splitlines() if line.startswith("#BSUB")]
    assert [line for line in head if line[:2] not in ("-J", "-e", "-o")] == [
        "-q long", '-P "hbm team"', "-n 2", '-R "span[hosts=1]"', "-W 02:30", "-x", "-rn",
    ]  # fmt: skip
    assert re.search(r"^export FROM_PROLOGUE=1\nexec \S+ -m distributed.cli.dask_worker tls://127.0.0.1:", script, re.M)
    assert " --nthreads 2 " in script and " --no-nanny " in script
    # Both jobs bear the name by which they are ended, and both are gone.
    names = {re.search(r"-J (hbm-\w+)", each.read_text())[1] for each in (first, second)}  # type: ignore[index]
    assert len(names) == 1
    pids = [each.read_text().split()[0] for each in lsf.glob("[0-9]*")]
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text() for pid in pids):
        assert time.monotonic() < end, "a job is left"
        time.sleep(0.1)  # the stand-in does not wait for the end of what it kills


def test_what_lsf_refuses(tmp_path: Path, lsf: Path) -> None:
    """bsub's own words, which dask-jobqueue by itself would drop."""
    bench = Bench(tmp_path)
    with JobStore(tmp_path / "list") as store, pytest.raises(InputError, match="lsf.yaml: lsf refuses .*No such queue"):
        run_jobs([bench.job("a")], store, engine_named(_settings(tmp_path, queue="nowhere")))
    assert not bench.starts()


def test_a_limit_on_jobs(tmp_path: Path, lsf: Path) -> None:
    """LSF takes one job of three: the list goes on with one worker, says why, and asks for more ever less often."""
    (lsf / "limit").write_text("1")
    bench = Bench(tmp_path)
    said = []

    class Told(Watcher):
        def waits(self, text: str) -> None:
            said.append(text)

    given = [bench.job(f"n{i}", last=0.4) for i in range(20)]
    began = time.monotonic()
    with JobStore(tmp_path / "list") as store:
        found = run_jobs(given, store, engine_named(_settings(tmp_path, workers=3, cores=1)), Told())
    assert all(outcome.passed for outcome in found.values())
    # The one that was taken may be up already or not yet when the others are refused.
    told = re.compile("[01] of 3 workers are up; (job .*; )?more are refused: User has reached the job slot limit")
    assert any(map(told.search, said)), said
    # Two are asked for each time, and the pause doubles: the number grows by the logarithm of how long the list took.
    rounds = 2 + math.log2(1 + (time.monotonic() - began) / ASK_S)
    assert 2 <= len((lsf / "refused").read_text().split()) <= 2 * rounds
    assert len(list(lsf.glob("script-*"))) == 1


class FakeDask:
    """Client and cluster at once, as far as `start` and `leave_out` use them."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.new_spec = {"options": {"job_extra_directives": ["-rn"]}}

    def submit(self, *_words: Any, workers: list[str], **_how: Any) -> None:
        self.sent += workers


def test_which_node_gets_a_run(tmp_path: Path, lsf: Path) -> None:
    """The one with most room; one that lost a run after all others; one that cannot carry out runs none, nor a job."""
    engine = engine_named(_settings(tmp_path))
    assert isinstance(engine, DaskEngine)
    engine._client = engine._cluster = fake = FakeDask()
    engine._up = {f"a{n}": _Worker(f"worker-{n}", f"host{n}") for n in range(3)}

    def start() -> str:
        (tmp_path / JOB_FILE).write_text(json.dumps({"attempt": f"try {len(fake.sent)}"}))
        engine.start(["true"], tmp_path)
        return fake.sent[-1]

    assert [start() for _ in range(3)] == ["a0", "a1", "a2"]
    engine.judge("a0", good=False)
    assert [start() for _ in range(3)] == ["a1", "a2", "a0"]  # two places each
    engine.free("a0", "try 0")
    engine.free("a1", "try 1")
    assert start() == "a1"
    engine.free("a1", "try 3")
    engine.judge("a0", good=True)
    assert start() == "a0"
    engine.leave_out("a1", "n1", "sees nothing")
    engine.leave_out("a0", "n0", "cannot write")
    engine.leave_out("a0", "n0", "cannot write")
    exclusion = "-R \"select[hname!='n0' && hname!='n1']\""
    assert fake.new_spec["options"]["job_extra_directives"] == ["-rn", exclusion]
    assert SYSTEMS["slurm"].leave_out(["n0", "n1"]) == "--exclude=n0,n1"
    engine.free("a2", "try 2")
    assert start() == "a2"
