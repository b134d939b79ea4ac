"""`make tight` in small: HBM2 and HBM3 every reachable rule at its bound; a controller that is late is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hbm_model.presets import preset
from hbm_tb import sim, tight
from hbm_tb.config import BenchConfig

pytestmark = pytest.mark.sim
SEED = 1


def _run(name: str, folder: Path, **job: object) -> tuple[sim.Result, dict]:
    """One process of trials; its result file."""
    work = {"out": tight.RESULT, "trials": tight.TRIALS, "required": True, **job}
    # A late controller differs from the exact model too: only the measurement is to speak here.
    config = BenchConfig(preset=name, seed=SEED, job=work, check_exact=not job.get("late"))
    result = sim.run(
        sim.build(config.geometry), "tight_tests", r"\bTightRun$", seed=SEED, run_dir=folder,
        env=config.to_environment(), timeout=600,
    )  # fmt: skip
    file = folder / tight.RESULT
    return result, json.loads(file.read_text()) if file.exists() else {}


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm3_6400_eng"])
def test_every_reachable_rule_is_at_its_bound(name: str, tmp_path: Path) -> None:
    """No hole on either PC; the page and the result file say the same."""
    result, found = _run(name, tmp_path)
    outcome = tight.Outcome(name, tight.cells_of(preset(name), found), found)
    assert result.passed, f"{result.reason}\n  log: {result.log}"
    assert found["open"] == [] and outcome.holes == []
    assert outcome.count(tight.TIGHT) > 90 and found["reached"] == found["goals"] > 180
    tight.write(tmp_path, [outcome])
    written = json.loads((tmp_path / tight.RESULT).read_text())
    assert written["presets"][name]["holes"] == []
    assert written["rules"][0]["presets"][name]["0"]["skipped"] == 0
    assert "tRCDRD" in (tmp_path / tight.PAGE).read_text()


# Register that is programmed longer than checker and meter know -> rules that must lose their bound, one that keeps it.
LATE = {
    "RTP": (("tRTP", "tRTP_PREA"), "tRCDRD"),
    "RREFD": (("tRREFD", "tRREFD_REFSB"), "tRRDS"),
    "CCDL": (("tCCDL_RD", "tCCDL_WR"), "tRCDWR"),
}


@pytest.mark.parametrize("register", LATE)
def test_a_controller_that_waits_too_long_is_found(register: str, tmp_path: Path) -> None:
    """Two CK more than needed: all commands stay legal, all data is right, and just those rules have holes."""
    late, kept = LATE[register]
    result, found = _run("hbm2_2000_eng", tmp_path, late={register: 2}, only=[*late, kept], trials=60)
    assert not result.passed and "bounds were not met" in result.reason, result.reason
    assert {line.split()[0] for line in found["open"]} == set(late), found["open"]
    cells = tight.cells_of(preset("hbm2_2000_eng"), found)
    for rule in late:
        assert [cells[rule, pc].verdict for pc in range(2)] == [tight.HOLE, tight.HOLE]
        assert all(found["found"][kind][rule][pc]["skipped"] > 0 for kind in ("preset", "alone") for pc in "01")
    assert cells[kept, 0].verdict == cells[kept, 1].verdict == tight.TIGHT


def test_nothing_seen_is_a_hole() -> None:
    """A result without measurements leaves every reachable rule open."""
    cells = tight.cells_of(preset("hbm2_2000_eng"), {})
    assert sum(cell.verdict == tight.HOLE for cell in cells.values()) == 97
    assert not any(cell.verdict == tight.TIGHT for cell in cells.values())
