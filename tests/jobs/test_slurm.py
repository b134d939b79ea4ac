"""Lists on a real Slurm of one node, which `tb/slurm/one_node.sh` starts: verdicts as local, lost workers, no orphans.

Needs root and Debian's slurm-wlm and munge; as root they are installed when they are missing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from debian import needs
from hbm_model.errors import InputError
from hbm_tb import engine_ticket, exact, jobs, sim
from hbm_tb.engines import engine_named
from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.job_store import JobStore
from hbm_tb.jobs import DIED, FAIL, PASS, EngineError, Job, Outcome, Watcher, run_jobs
from test_jobs import Bench, _rows

SCRIPT = sim.ROOT / "tb" / "slurm" / "one_node.sh"
TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
CPUS = 4


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm that runs, and SLURM_CONF set to it."""
    needs(TOOLS, ["slurm-wlm", "munge"])
    folder = tmp_path_factory.mktemp("one_node") / "slurm"
    started = subprocess.run([SCRIPT, "start", folder, str(CPUS)], capture_output=True, text=True, timeout=60)
    assert started.returncode == 0, started.stderr
    name, _, value = started.stdout.strip().removeprefix("export ").partition("=")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield folder
        stopped = subprocess.run([SCRIPT, "stop", folder], capture_output=True, text=True, timeout=60)
    assert stopped.returncode == 0, stopped.stderr
    assert not folder.exists()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose folder no process has to do with when the test has ended."""
    yield Bench(tmp_path)
    assert not left(tmp_path)
    assert not queue()


def settings(folder: Path, **given: Any) -> str:
    """`--engine slurm:FILE`."""
    lines = {"workers": 2, "memory": "500MB", "interface": "lo", "wait_s": 60, "retries": 1, **given}
    path = folder / "cluster.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return f"slurm:{path}"


def queue() -> list[str]:
    """Numbers of the jobs that Slurm has."""
    return subprocess.run(["squeue", "--noheader", "--format=%i"], capture_output=True, text=True).stdout.split()


def left(folder: Path) -> list[str]:
    """Command lines of processes that have to do with a folder: workers, runs."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = each.read_bytes().decode(errors="replace").replace("\0", " ")
            if str(folder) in words:
                found.append(words)
    return found


class Act(Watcher):
    """Does something once, as soon as a condition holds."""

    def __init__(self, condition: Callable[[], bool], act: Callable[[], None]) -> None:
        self.condition, self.act, self.done, self.said = condition, act, False, [""]

    def tick(self, running: Any) -> None:
        if not self.done and self.condition():
            self.done = True
            self.act()

    def waits(self, text: str) -> None:
        if text != self.said[-1]:
            self.said.append(text)


def run(bench: Bench, engine: str, *given: Job, watcher: Watcher | None = None, **how: Any) -> dict[str, Outcome]:
    with JobStore(bench.folder / "list") as store:
        return run_jobs(given, store, engine_named(engine), watcher, **how)


def wrong_soak() -> Job:
    """A real simulation that fails: a register of the channel differs from what the model is told."""
    good = exact.soak_job("hbm2_2000_eng_s1", 1, 400, ListOptions())
    wrong = {"program_only": {"RCDRD": good.arguments["bench"]["timing"]["RCDRD"] + 2}, "check_legality": False}
    return Job("soak/wrong", good.kind, {**good.arguments, "bench": {**good.arguments["bench"], **wrong}}, 300.0)


def table_of(text: str) -> list[list[str]]:
    """Rows of the summary, without the column of times."""
    return [[cell.strip() for cell in line.split("│")[1:-2]] for line in text.splitlines() if line.startswith("│")]


@pytest.mark.sim
def test_verdicts_are_those_of_local(bench: Bench, slurm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Passes, failures, a real simulation, runs that die or lose their disk: the same table, reason for reason."""
    kinds = ("pass", "fail", "raise", "kill", "kill_once", "liar", "no_disk_once")
    given = [*(bench.job(f"fake/{do}", do) for do in kinds), wrong_soak()]
    found, tables = {}, []
    for engine in ("local", settings(bench.folder)):
        name = engine.partition(":")[0]
        bench.diary.write_text("")
        options = ListOptions(jobs=2, engine=engine)
        result = run_list(name, bench.folder / name, given, options, counts=["commands"])
        assert result.code == 1
        tables.append(table_of(capsys.readouterr().out))
        found[name] = {
            job: (o.status, o.reason.replace(f"/{name}/", "/L/"), o.counts, o.attempts, o.content)
            for job, o in result.results.items()
        }
        assert len(bench.starts()) == 7 + 5  # five were tried twice
    assert found["slurm"] == found["local"]
    verdicts = {name: values[0] for name, values in found["slurm"].items()}
    assert [verdicts[f"fake/{do}"] for do in kinds] == [PASS, FAIL, DIED, DIED, PASS, DIED, PASS]
    assert verdicts["soak/wrong"] == FAIL and list(verdicts.values()).count(PASS) == 3
    assert "channel and exact model differ" in found["slurm"]["soak/wrong"][1]
    assert tables[0] == tables[1]
    assert not left(bench.folder)  # not even for a moment: closing waits for the end
    assert [row[:4] for row in tables[1][:3]] == [
        ["fake", "7", "3", "4"],
        ["soak", "1", "0", "1"],
        ["all", "8", "3", "5"],
    ]
    assert not queue()


@pytest.mark.parametrize("how", ["kill -9", "scancel"])
def test_a_lost_worker_costs_a_retry(bench: Bench, slurm: Path, how: str) -> None:
    """The Dask worker or its Slurm job is ended under a run: another repeats it, nothing is left of the first."""
    parents = []

    def end_it() -> None:
        ((_, _, pid),) = bench.entries()
        parents.append(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]))
        if how == "scancel":
            subprocess.run(["scancel", *queue()], check=True)
        else:
            os.kill(parents[0], signal.SIGKILL)

    watcher = Act(lambda: len(bench.starts()) == 1, end_it)
    found = run(bench, settings(bench.folder, workers=1), bench.job("x", "hang_once"), watcher=watcher)["x"]
    assert (found.status, found.attempts) == (PASS, 2)
    for pid in (parents[0], bench.entries()[0][2]):
        assert not Path(f"/proc/{pid}").exists()
    assert any("0 of 1 workers are up; job" in text for text in watcher.said)
    assert not queue()


def test_a_hung_run_is_ended(bench: Bench, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond limit and grace nothing of it is left; the worker goes on with the next run."""
    monkeypatch.setattr(jobs, "GRACE_S", 0.3)
    given = [bench.job("x", "hang", timeout_s=0.2), bench.job("y")]
    found = run(bench, settings(bench.folder, workers=1, retries=0), *given)
    assert found["x"].status == DIED and "did not answer" in found["x"].reason
    assert found["y"].status == PASS
    assert not Path(f"/proc/{bench.entries()[0][2]}").exists()
    # One job of Slurm did it all.
    assert len(list((bench.folder / "list" / "workers").glob("*.err"))) == 1


def test_a_frozen_worker_costs_a_retry(bench: Bench, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Dask worker that answers nothing any more, with a run that hangs: its job is ended, another one repeats it."""
    monkeypatch.setattr(jobs, "GRACE_S", 0.3)
    monkeypatch.setattr(engine_ticket, "KILL_S", 0.5)

    def freeze() -> None:
        ((_, _, pid),) = bench.entries()
        os.kill(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGSTOP)

    watcher = Act(lambda: len(bench.starts()) == 1, freeze)
    given = bench.job("x", "hang_once", timeout_s=6.0)
    found = run(bench, settings(bench.folder, workers=1), given, watcher=watcher)["x"]
    assert (found.status, found.attempts) == (PASS, 2)
    assert not Path(f"/proc/{bench.entries()[0][2]}").exists()


# ---------------------------------------------------------------- interruption

RUNNER = """
import sys
from pathlib import Path
from test_jobs import Bench
from hbm_tb.job_list import ListOptions, run_list
bench = Bench(Path(sys.argv[1]))
given = [bench.job(f"n{i}", last=0.3) for i in range(6)]
given.append(bench.job("last", "hang_once"))
sys.exit(run_list("fakes", bench.folder / "list", given, ListOptions(engine=sys.argv[2])).code)
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_ended_runner_leaves_no_jobs(bench: Bench, slurm: Path, how: int, code: int) -> None:
    """After Ctrl-C nothing is left when it returns, after kill -9 within seconds; both go on where they were."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", RUNNER, str(bench.folder), settings(bench.folder)]
    options: dict[str, Any] = {"env": {**os.environ, "PYTHONPATH": path}, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    end = time.monotonic() + 60
    while "last" not in bench.starts() or len(_rows(bench.folder)) < 6:  # all others are in the database
        assert time.monotonic() < end and process.poll() is None, process.communicate(timeout=5)[0]
        time.sleep(0.05)  # runs on a node write diary and database: nobody tells when
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == code
    end = time.monotonic() + (30 if how == signal.SIGKILL else 0)
    while left := queue():
        assert time.monotonic() < end, f"jobs {left} are left"
        time.sleep(0.2)  # each look asks Slurm, which says nothing by itself
    assert not [pid for _, _, pid in bench.entries() if Path(f"/proc/{pid}").exists()]
    before = len(bench.starts())
    again = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, **options)
    assert again.returncode == 0 and "7 of 7 passed" in again.stdout
    assert bench.starts()[before:] == ["last"]


# ---------------------------------------------------------------- what cannot work


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"queue": "nowhere"}, "slurm refuses the jobs of the workers: sbatch: error: .*[Ii]nvalid partition"),
        ({"memory": "900TB"}, "slurm refuses the jobs of the workers: sbatch: error: "),
        ({"interface": "nonet7"}, "slurm cannot be used so: .*nonet7"),
    ],
)
def test_settings_that_slurm_refuses(bench: Bench, slurm: Path, given: dict[str, str], said: str) -> None:
    """One line that names the file and what Slurm says; nothing ran, nothing is left."""
    with pytest.raises(InputError, match=f"cluster.yaml: {said}") as caught:
        run(bench, settings(bench.folder, **given), bench.job("x"))
    assert "\n" not in str(caught.value)
    assert not bench.starts() and not queue()


def test_no_worker_comes_up(bench: Bench, slurm: Path) -> None:
    """A node that takes no jobs: the list ends after `wait_s` and says what it waited for."""
    node = ["scontrol", "update", f"nodename={os.uname().nodename.partition('.')[0]}"]
    subprocess.run([*node, "state=drain", "reason=test"], check=True)
    try:
        with pytest.raises(EngineError, match=r"no worker came up within \d+ s; .*job \d+ PENDING"):
            run(bench, settings(bench.folder, wait_s=3), bench.job("x"))
    finally:
        subprocess.run([*node, "state=resume"], check=True)
    assert not bench.starts() and not queue()


def test_workers_that_cannot_start(bench: Bench, slurm: Path) -> None:
    """A prologue that fails: some tries, then one line with the last words of the log."""
    with pytest.raises(EngineError, match=r"jobs in a row ended before their worker was up; .* says: no such module"):
        run(bench, settings(bench.folder, workers=3, prologue="echo no such module; exit 3"), bench.job("x"))
    assert not bench.starts() and not queue()
