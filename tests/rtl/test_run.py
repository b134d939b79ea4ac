"""The main job as a user runs it: a pass, its folder, unusable input, a wave window, a cached build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hbm_model import run_folder
from hbm_model.commands import Cmd
from hbm_model.legality import check_trace
from hbm_model.presets import preset
from hbm_model.sim_summary import numbers_of, series_of_outcome
from hbm_model.simulate import SimOptions, make_plan, run_model
from hbm_model.trace import read_commands
from hbm_tb import sim

pytestmark = pytest.mark.sim
COUNT = 3000
TIMEOUT = 1500.0
RUNS = sim.ROOT / "build" / "runs" / "test" / "main-job"
START = """
import sys
import hbm_model.run_folder as f
from pathlib import Path
f.RUNS = Path(sys.argv.pop(1))
from hbm_model.cli import main
main()
"""


def hbm(*words: str) -> subprocess.CompletedProcess[str]:
    """`hbm run` with these words; its folders are not among those of the user or of a test beside this one."""
    command = [sys.executable, "-c", START, str(RUNS), "run", *words]
    return subprocess.run(command, cwd=sim.ROOT, capture_output=True, text=True, timeout=TIMEOUT)


def folders() -> set[str]:
    """Names of the run folders."""
    return set(os.listdir(RUNS)) if RUNS.exists() else set()


@pytest.fixture(scope="module", autouse=True)
def _nothing_left() -> None:
    """Folders of an earlier session tell nothing."""
    shutil.rmtree(RUNS, ignore_errors=True)


@pytest.fixture(scope="module")
def passed() -> Iterator[tuple[subprocess.CompletedProcess[str], Path]]:
    """A short run of a recording."""
    yield hbm("--trace", "spmv", "--count", str(COUNT), "--name", "test-run", "--seed", "7"), RUNS / "test-run"


def test_a_recorded_trace_passes_and_says_what_it_checked(
    passed: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Exit 0, the table, and every request of the trace answered."""
    done, folder = passed
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("requests", "bandwidth", "read latency", "commands checked", "violations", "cycles/s", "pass"):
        assert word in done.stdout
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["reason"], result["seed"]) == ("pass", "", 7)
    assert result["requests"] == result["trace_requests"] == COUNT
    assert result["checked"]["read_beats"] == result["read_requests"] > 0
    assert result["checked"]["write_responses"] == result["write_requests"] > 0
    assert result["checked"]["commands"] == sum(result["commands"].values()) > COUNT
    assert result["violations"] == 0
    assert result["exact"]["commands"] >= result["checked"]["commands"]
    assert result["exact"]["responses"] == COUNT
    assert sum(result["row"].values()) == COUNT
    assert 0 < result["share_of_peak"] <= 1
    latency = result["latency_ck"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
    assert "--seed 7" in result["reproduce"]


def test_the_summary_of_the_model_alone_is_that_of_the_run(
    passed: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """`hbm sim` counts as the scoreboard does: the same requests on a channel that begins at the same cycles give the
    same numbers and the same course over time.
    """
    _, folder = passed
    seen = json.loads((folder / "result.json").read_text())
    values = preset("hbm2_2000_eng")
    commands = read_commands(folder / "commands.csv", values).commands
    last = int(commands["time"][commands["cmd"] == Cmd.MRS].max()) // 4 - 2  # M7.2; the value set is that of the reset
    plan = make_plan(SimOptions("spmv", count=COUNT))
    setup = replace(plan.setup, first=last + (values.count("MOD") + 1) // 2, opens=seen["ports"][0]["first_ck"] // 2)
    outcome, _, _ = run_model(replace(plan, setup=setup))
    foreseen = numbers_of(outcome)
    # The run counts from its first request on and goes on for a while after the last response: silence and what
    # happens in it (refreshes, the rows that they and the time-out close) differ.
    silent = {"stall_off", "stall_empty", "refsb", "pre"}
    for counters in (seen["counters"], foreseen["counters"]):
        assert sum(pc["stall_empty"] + pc["stall_off"] for pc in counters["pcs"]) > 0
        del counters["cycles"]
        for pc in counters["pcs"]:
            for name in silent:
                del pc[name]
    # The run goes on for a while after the last response, and logs the mode registers.
    for name in ("MRS", "REFSB"):
        del seen["commands"][name]
        foreseen["commands"].pop(name, None)
    for name in set(foreseen) - {"cycles", "refreshes"}:
        assert foreseen[name] == seen[name], name
    course, foreseen_course = np.load(folder / "series.npz"), series_of_outcome(outcome)
    assert set(course) == set(foreseen_course)
    for name in set(course) - {"bucket_ck"}:
        common = min(course[name].shape[-1], foreseen_course[name].shape[-1])
        assert np.array_equal(course[name][..., :common], foreseen_course[name][..., :common]), name
        if name not in ("start_ck", "refreshes"):
            assert not course[name][..., common:].any(), name


def test_the_folder_holds_what_it_should(passed: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Commands that the checker finds legal, series that add up, the page, JUnit, and nothing left of the staging."""
    _, folder = passed
    result = json.loads((folder / "result.json").read_text())
    trace = read_commands(folder / "commands.csv", preset("hbm2_2000_eng"))
    assert len(trace.commands) == result["checked"]["commands"]
    assert len(check_trace(trace.commands, preset("hbm2_2000_eng"))) == 0
    series = np.load(folder / "series.npz")
    assert series["read_bytes"].sum() == result["bytes"]["read"]
    assert series["write_bytes"].sum() == result["bytes"]["write"]
    assert "<html" in (folder / "report.html").read_text()[:2000].lower()
    cases = list(ET.parse(folder / "results.xml").getroot().iter("testcase"))
    assert len(cases) == 1 and cases[0].find("failure") is None
    assert not [name for name in folders() if name.startswith(run_folder.STAGING)]
    assert not (folder / "stimulus").exists()


def test_a_run_repeats_bit_for_bit_and_finds_its_build(
    passed: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """The same seed gives the same commands at the same times; nothing is built again."""
    _, folder = passed
    again = hbm("--trace", "spmv", "--count", str(COUNT), "--name", "test-again", "--seed", "7")
    assert again.returncode == 0 and "build tb_top" not in again.stderr
    other = RUNS / "test-again"
    assert (other / "commands.csv").read_bytes() == (folder / "commands.csv").read_bytes()
    assert json.loads((other / "result.json").read_text())["build_s"] == 0


BAD = {
    "no such trace": (("--trace", "nothing.trace"), "no such file"),
    "unknown preset": (("--preset", "hbm9"), "unknown preset 'hbm9'"),
    "bad line": (("--trace", "@R 0x0\nR 0x20\nX 0x40\n"), "bad.trace:3: expected"),
    "outside": (("--trace", "@R 0xffffffffff20\n"), "lies outside the memory"),
    "empty": (("--trace", "@# nothing\n"), "no request"),
    "field too small": (("--set", "RP=300"), "RP is 300, expected 0 to 255"),
    "unknown field": (("--set", "RPP=3"), "RPP is neither"),
    "few rows": (("--params", '@{"base": "hbm2_2000_eng", "rows": 4096}'), "rows is 4096, but the RTL is"),
    "window": (("--waves-from", "90", "--waves-to", "10"), "wave window"),
    "name": (("--name", "../x"), "--name"),
}


@pytest.mark.parametrize("case", BAD)
def test_unusable_input_is_one_line_and_exit_2(case: str, tmp_path: Path) -> None:
    """One clear line, exit 2, nothing left behind."""
    words, text = list(BAD[case][0]), BAD[case][1]
    if words[1].startswith("@"):
        file = tmp_path / ("bad.json" if words[0] == "--params" else "bad.trace")
        file.write_text(words[1][1:])
        words[1] = str(file)
    before = folders()
    done = hbm(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and text in lines[0], done.stderr
    assert folders() == before


def test_a_wave_window_stops_the_run_and_shows_mnemonics() -> None:
    """A cut run that was asked for is `stopped`, no pass and no failure, in a folder of its own; the FST
    can be read, lies in the window and carries the commands by name.
    """
    pywellen = pytest.importorskip("pywellen")
    words = ("--trace", "spmv", "--count", "6000", "--name", "test-waves", "--waves-from", "9000", "--waves-to", "9600")
    whole = RUNS / "test-waves" / "of the whole run"
    whole.parent.mkdir(parents=True, exist_ok=True)
    whole.touch()
    done = hbm(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(whole.parent.iterdir()) == [whole]
    folder = RUNS / "test-waves-ck9000-9600"
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "stopped" and "window" in result["reason"]
    assert "evaluated" in result["reason"]
    assert all(case.find("skipped") is not None for case in ET.parse(folder / "results.xml").getroot().iter("testcase"))
    wave = pywellen.Waveform(str(folder / "waves.fst"))
    tables = [var.enum_type for var in wave.all_vars() if var.enum_type]
    names = {str(text) for table in tables for _, text in table[1]}
    assert any("ACT" in name.upper() for name in names) and any("RD" in name.upper() for name in names)
    cycles = next(var for var in wave.all_vars() if var.full_name == "tb_top.cycle_q")
    seen = [int(value) for _, value in cycles.tv]
    assert 9000 // 2 - 4 <= seen[0] and seen[-1] <= 9600 // 2 + 4 and len(seen) > 250
    for name in ("waves.gtkw", "waves.surfer.sucl"):
        assert "tb_top" in (folder / name).read_text()
