"""The tutorial works as it is written: its files are saved, its shell blocks run in one shell, its promises hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest
from hbm_model.run_folder import ROOT
from hbm_tb.waves import arrange, signals_of

TUTORIAL = ROOT / "docs" / "tutorial.md"
_FENCE = re.compile(
    r"(?:^<!-- exit (?P<exit>\d+)(?:, prints: (?P<prints>[^\n]*?))? -->\n)?"
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = "tutorial-block"


@dataclass(frozen=True)
class Block:
    """A fenced block: a file to save (with a title) or commands to run, with the exit code that the page tells of."""

    language: str
    title: str
    text: str
    exit: int
    prints: str


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(m["language"], m["title"] or "", m["text"], int(m["exit"] or 0), m["prints"] or "")
        for m in _FENCE.finditer(text)
    ]


def script_of(blocks: list[Block]) -> str:
    """One bash script: blocks with a title become files in the folder that the shell is in, shell blocks run.

    A command that fails ends the script, unless the block is meant to fail.
    """
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks):
        lines.append(f"echo {_MARK} {number}")
        if block.title:
            lines += [f"cat > {block.title} <<'END_OF_FILE'", block.text + "END_OF_FILE"]
        elif block.exit:
            lines += ["code=0", "{", block.text + "} || code=$?", f'[ "$code" = {block.exit} ]']
        else:
            lines.append(block.text)
    return "\n".join([*lines, f"echo {_MARK} end", ""])


def outputs_of(stdout: str) -> list[str]:
    """What each block printed."""
    return re.split(rf"^{_MARK} \S+\n", stdout, flags=re.MULTILINE)[1:]


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
    blocks = blocks_of(TUTORIAL.read_text())
    env = {name: value for name, value in os.environ.items() if name not in ("SEED", "WAVES", "PRESET", "HBM_RUNS")}
    env |= {"HOME": str(tmp_path), "MAKEFLAGS": "", "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", script_of(blocks)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=1500
    )
    printed = outputs_of(done.stdout)
    last = printed[-1] if printed else ""
    assert done.returncode == 0, f"block {len(printed)} of the page: {last[-2000:]}\n{done.stderr[-2000:]}"
    assert len(printed) == len(blocks) + 1
    for block, text in zip(blocks, printed, strict=False):
        assert block.prints in text
        assert text.strip() or not re.search(r"^(hbm|make) ", block.text, re.MULTILINE), f"silent: {block.text}"

    runs = tmp_path / "my-hbm" / "runs"
    verdicts = {path.parent.name: json.loads(path.read_text())["status"] for path in runs.glob("*/result.json")}
    assert verdicts == {
        "look-ck8000-10000": "stopped",
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
    for folder in (own, runs / "look-ck8000-10000"):
        groups = {title: shown for _, title, shown in arrange(signals_of(folder / "waves.fst"))}
        assert groups["Commands on the pins"], f"{folder.name}: the waves show no commands"
        assert (folder / "waves.gtkw").exists() and (folder / "waves.surfer.sucl").exists()
