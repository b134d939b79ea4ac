"""How-to pages work as they are written: their files are saved, their shell blocks run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from debian import needs_recorder
from fenced import blocks_of, run_page
from hbm_model.run_folder import ROOT

PAGES = ROOT / "docs" / "howto"
# Pages with blocks that run -> what their runs come to.
VERDICTS = {
    "own-tests": {
        "my_tests.Bursts-hbm2_2000_eng": "pass",
        "my_tests.Registers-hbm2_2000_eng": "pass",
        "my_tests.BackPressure-hbm2_2000_eng": "pass",
        "my_tests.Pauses-hbm2_2000_eng": "pass",
        "my_tests.Bursts-hbm2_2000_eng-ck1900-2100": "stopped",
    },
    "policy": {"open": "pass"},
    "record": {"mine-model": "predicted", "mine": "pass"},
}


def test_no_page_is_passed_over() -> None:
    """Every page with a shell block is run here."""
    assert {path.stem for path in PAGES.glob("*.md") if blocks_of(path.read_text())} == set(VERDICTS)


@pytest.mark.sim
@pytest.mark.parametrize("name", VERDICTS)
def test_a_page_runs(name: str, tmp_path: Path) -> None:
    """Every command as written, in an empty folder, and each run ends as foretold."""
    if name == "record":
        needs_recorder()
    runs = tmp_path / "build"
    page = tmp_path / f"{name}.md"
    page.write_text(f"```sh\nexport HBM_RUNS={runs}\n```\n" + (PAGES / f"{name}.md").read_text())
    run_page(page, tmp_path, tmp_path)
    found = {path.parent.name: json.loads(path.read_text())["status"] for path in runs.glob("*/result.json")}
    assert found == VERDICTS[name]
