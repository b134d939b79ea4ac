"""A real wave file of the test top: all groups of the viewer set-ups find their signals, commands show as mnemonics."""

from pathlib import Path

import numpy as np
import pytest
from hbm_model.commands import Cmd
from hbm_tb import sim
from hbm_tb.evidence import expected_text
from hbm_tb.waves import GROUPS, arrange, open_file, origin_of, signals_of, write_setups

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


def test_commands_as_expected_do_not_differ(tmp_path: Path) -> None:
    """Every command of a good run beside itself: mode registers, row and column commands are shown as equal."""
    build = sim.build("hbm2_s1")
    good = tmp_path / "good"
    result = sim.run(build, "smoke_tests", "WriteThenRead", run_dir=good, timeout=300, env={"HBM_RUN_RECORD": "1"})
    assert result.passed, result.reason
    commands = np.load(good / "commands.npz")["commands"]
    assert {Cmd.MRS, Cmd.ACT, Cmd.RD, Cmd.WR} <= set(commands["cmd"])
    expected = tmp_path / "expected.txt"
    for wrong in (False, True):  # it can fail: a column that is not the one that came
        if wrong:
            commands["col"][np.flatnonzero(commands["cmd"] == Cmd.RD)[:1]] ^= 1
        expected.write_text(expected_text(0, int(commands["time"][-1]) + 1, commands))
        folder = tmp_path / f"shown_{wrong}"
        given = [f"+expected={expected}"]
        result = sim.run(build, "smoke_tests", "WriteThenRead", run_dir=folder, waves=True, timeout=300, plusargs=given)
        assert result.passed, result.reason
        shown = {v.full_name: [int(now) for _, now in v.tv] for v in open_file(folder / "waves.fst").all_vars()}
        assert 1 in shown["tb_top.u_model.known"]
        assert (1 in shown["tb_top.u_model.differs"]) == wrong


def test_a_run_that_stops_at_the_window_is_no_pass(tmp_path: Path) -> None:
    """And its waves begin no earlier than the window."""
    build = sim.build("hbm2_s1")
    result = sim.run(build, "smoke_tests", "WriteThenRead", run_dir=tmp_path, waves=(200, 400), timeout=300)
    assert (result.passed, result.status) == (False, "stopped")
    assert signals_of(tmp_path / "waves.fst")
