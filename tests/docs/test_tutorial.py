"""The tutorial works as it is written: its files are saved, its shell blocks run in one shell, its promises hold."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fenced import Block, blocks_of, run_page, script_of
from hbm_model.run_folder import ROOT
from hbm_tb.waves import arrange, signals_of

TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_blocks_of_the_page_are_understood() -> None:
    """Files, commands, and what is meant to fail; nothing that the test would pass over in silence."""
    blocks = blocks_of(TUTORIAL.read_text())
    assert TUTORIAL.read_text().count("\n```") == 2 * len(blocks), "a fence that the test does not understand"
    assert [b.title for b in blocks if b.title] == ["first_tests.py", "my_dram.yaml"]
    assert {b.language for b in blocks if not b.title} == {"sh"}
    assert [b.prints for b in blocks if b.exit] == ["of 256 reads found their row open"]


def test_a_command_that_fails_ends_the_script(tmp_path: Path) -> None:
    """The test's own shell: a failing command, and a success where a failure was foretold."""
    for text, foretold, good in (
        ("true", 0, True),
        ("false\ntrue", 0, False),
        ("(exit 1)", 1, True),
        ("true", 1, False),
        ("(exit 2)", 1, False),
    ):
        script = script_of([Block("sh", "", f"{text}\n", foretold, "")])
        assert (subprocess.run(["bash", "-c", script], cwd=tmp_path).returncode == 0) == good, text


@pytest.mark.sim
def test_the_tutorial_ends_with_a_passed_test_and_a_waveform(tmp_path: Path) -> None:
    """Every command as written, in the order of the page, in a fresh home."""
    run_page(TUTORIAL, ROOT, tmp_path)
    runs = tmp_path / "my-hbm" / "runs"
    verdicts = {path.parent.name: json.loads(path.read_text())["status"] for path in runs.glob("*/result.json")}
    assert verdicts == {
        "look-ck8200-10300": "stopped",
        "first_tests.WriteThenRead-hbm2_2000_eng": "pass",
        "first_tests.RowsStayOpen-hbm2_2000_eng": "fail",  # the one with the other page policy came last
        "predicted": "predicted",
        "first_tests.WriteThenRead-my_dram": "pass",
        "first_tests.RowsStayOpen-my_dram": "pass",
    }
    assert json.loads((ROOT / "build" / "runs" / "first" / "result.json").read_text())["status"] == "pass"
    own = runs / "first_tests.RowsStayOpen-my_dram"
    result = json.loads((own / "result.json").read_text())
    assert result["timing"] == {"RP": 28, "RC": 90, "RFCSB": 300} and result["preset"].startswith("hbm2e_3600_eng")
    assert result["checked"]["read_beats"] == 256 and result["exact"]["commands"] > 256
    assert [case.tag for case in ET.parse(own / "results.xml").getroot().iter("failure")] == []
    assert (own / "report.html").stat().st_size > 10_000
    looked = json.loads((runs / "look-ck8200-10300" / "result.json").read_text())
    assert looked["read_requests"] > 100 and looked["write_requests"] > 100, "the page promises reads and writes"
    for folder in (own, runs / "look-ck8200-10300"):
        groups = {title: shown for _, title, shown in arrange(signals_of(folder / "waves.fst"))}
        assert groups["Commands on the pins"], f"{folder.name}: the waves show no commands"
        assert (folder / "waves.gtkw").exists() and (folder / "waves.surfer.sucl").exists()
