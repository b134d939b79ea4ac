"""docs/studies.md: its commands work (on short traces), its pictures exist, and rows of its tables are what the model
says today.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from hbm_model import run_folder
from hbm_model.cli import app
from hbm_model.run_folder import ROOT
from hbm_model.simulate import SimOptions
from hbm_model.sweep import run_cell
from typer.testing import CliRunner

PAGE = (ROOT / "docs" / "studies.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^    hbm (sim .*)$", PAGE, re.M)]


def row(begins: str) -> list[str]:
    """Cells of the table row whose first cell is `begins`."""
    found = re.findall(rf"^\| {re.escape(begins)} \| (.*) \|$", PAGE, re.M)
    assert len(found) == 1, begins
    return [cell.strip() for cell in found[0].split("|")]


def test_three_examples_have_plots() -> None:
    """Each is made by its command; no picture is a stranger to the page."""
    assert sum("--sweep" in words for words in COMMANDS) == 3
    pictures = {words[words.index("--svg") + 1] for words in COMMANDS if "--svg" in words}
    assert pictures == {f"docs/{path}" for path in re.findall(r"\]\((images/.*?)\)", PAGE)}
    assert pictures == {f"docs/images/{path.name}" for path in (ROOT / "docs" / "images").glob("study-*")}
    assert len(pictures) == 3


@pytest.mark.parametrize(
    "words", COMMANDS, ids=lambda words: words[words.index("--name") + 1] if "--name" in words else "one"
)
def test_the_commands_work(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first 400 requests."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    Path("docs/images").mkdir(parents=True)
    done = CliRunner().invoke(app, [*words, "--count", "400"])
    assert done.exit_code == 0, done.output
    if "--sweep" not in words:
        assert (tmp_path / "runs" / "sim-spmv-hbm3_6400_eng" / "report.html").exists()
        return
    document = json.loads((tmp_path / "runs" / words[words.index("--name") + 1] / "sweep.json").read_text())
    assert all(not cell["error"] and cell["result"]["requests"] == 400 for cell in document["cells"])
    assert Path(words[words.index("--svg") + 1]).read_text().startswith("<?xml")


def result(**options: object) -> dict[str, object]:
    found, error = run_cell(SimOptions(**options))  # type: ignore[arg-type]
    assert not error
    return found


def test_the_numbers_are_those_of_today() -> None:
    """A row of each table, at full length."""
    depth = []
    for entries in (8, 16, 32, 64):
        found = result(requests="random", preset="peers_hbm2", load=45.0, read_entries=entries)
        share, latency = found["share_of_peak"], found["arrival_latency_ck"]["mean"]  # type: ignore[index]
        depth.append(f"({100 * share:.2f} %)" if share < 0.449 else f"{latency:.1f}")  # type: ignore[operator]
    assert depth == row("45 %")
    policies = [result(requests="gather", settings=(f"page={page}",)) for page in range(5)]
    hits = [f"{100 * policies[page]['row_hit_rate']:.1f} %" for page in (0, 1, 2, 4)]  # type: ignore[operator]
    assert hits + [f"{100 * found['share_of_peak']:.2f} %" for found in policies] == row("`gather`")  # type: ignore[operator]
    generations = []
    for name in ("hbm2e_3200_eng", "hbm3_6400_eng"):
        found = result(requests="attention", preset=name, outstanding=16)
        latency = found["latency_ck"]
        generations += [f"{found['bandwidth_gb_per_s']:.2f}", f"{latency['mean']:.1f}", f"{latency['p99']}"]  # type: ignore[index]
    assert generations == row("16")
