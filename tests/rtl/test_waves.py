"""A real wave file of the test top: all groups of the viewer set-ups find their signals, commands show as mnemonics."""

from pathlib import Path

import pytest
from hbm_tb import sim
from hbm_tb.waves import GROUPS, arrange, origin_of, signals_of, write_setups

pytestmark = pytest.mark.sim


def test_every_group_finds_its_signals(tmp_path: Path) -> None:
    build = sim.build("hbm2_s1")
    result = sim.run(build, "smoke_tests", "WriteThenRead", run_dir=tmp_path, waves=True, timeout=300)
    assert result.passed, result.reason
    waves = tmp_path / "waves.fst"
    signals = signals_of(waves)
    found = {title: shown for _, title, shown in arrange(signals)}
    wanted = [g.title.replace("{p}", str(p)) for g in GROUPS for p in (range(2) if g.per_pc else (0,))]
    assert list(found) == wanted
    assert len(found["Banks PC0"]) == 5 + 16 + 16, "five vectors over the banks, state and row of each"
    states = dict(found["Banks PC1"][5].signal.enum)
    assert [states[f"{value:03b}"] for value in range(4)] == ["IDLE", "OPEN", "READ", "WRITE"]
    for slot in found["Commands on the pins"]:
        assert dict(slot.signal.enum)["00001"] == "ACT"
    origin = origin_of(waves)
    gtkw, surfer = write_setups(waves, marker_ck=100)
    assert f"*-15.000000 {origin + 100_000}" in gtkw.read_text()
    assert f"cursor_set {origin + 100_000}" in surfer.read_text()


def test_a_run_that_stops_at_the_window_is_no_pass(tmp_path: Path) -> None:
    """And its waves begin no earlier than the window."""
    build = sim.build("hbm2_s1")
    result = sim.run(build, "smoke_tests", "WriteThenRead", run_dir=tmp_path, waves=(200, 400), timeout=300)
    assert (result.passed, result.status) == (False, "stopped")
    assert signals_of(tmp_path / "waves.fst")
