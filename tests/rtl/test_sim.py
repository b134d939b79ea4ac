"""The runner of simulations: what a pass needs, and that each missing piece is a failure with its reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hbm_tb import records, rings, sim
from system_runs import own

GOOD_LOG = f"1.00ns INFO cocotb.regression Running tests\n{sim.CLOSING} Smoke reads=4\n"
GOOD_XML = '<testsuites><testsuite name="x"><testcase name="Smoke" classname="t"/></testsuite></testsuites>'
FAILED_XML = GOOD_XML.replace("/></testsuite>", '><failure message="wrong data"/></testcase></testsuite>')
ENDED_XML = FAILED_XML.replace("wrong data", "cocotb expected otherwise, but the simulation ended prematurely.")
SKIPPED_XML = GOOD_XML.replace("/></testsuite>", "><skipped/></testcase></testsuite>")


def judge(folder: Path, log: str = GOOD_LOG, xml: str | None = GOOD_XML, code: int | None = 0) -> tuple[str, str]:
    """Status and reason for a log, a result file and an exit code."""
    results = folder / "results.xml"
    results.unlink(missing_ok=True)
    if xml is not None:
        results.write_text(xml)
    status, reason, _ = sim.verdict(log, results, code, closing=True)
    return status, reason


def test_a_complete_run_passes(tmp_path: Path) -> None:
    """Exit code, result file and closing line are there."""
    assert judge(tmp_path) == ("pass", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"xml": None}, "no results.xml"),
        ({"xml": "<testsuites>"}, "cannot be read"),
        ({"xml": "<testsuites/>"}, "no test ran"),
        ({"xml": SKIPPED_XML}, "no test ran"),
        ({"xml": FAILED_XML}, "Smoke: wrong data"),
        ({"xml": ENDED_XML, "log": "[100] %Error: x.sv:3: CkNs\n"}, "Smoke: [100] %Error: x.sv:3: CkNs"),
        ({"code": 1}, "ended with code 1"),
        ({"code": -11}, "ended with code -11"),
        ({"log": ""}, "closing line of Smoke is missing"),
        ({"log": GOOD_LOG.replace("Smoke", "Other")}, "closing line of Smoke is missing"),
        ({"log": "[100] %Error: x.sv:3: Assertion failed\n" + GOOD_LOG}, "%Error: x.sv:3"),
    ],
)
def test_anything_missing_fails(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """Each change of a complete run fails with a reason that names it."""
    status, text = judge(tmp_path, **change)  # type: ignore[arg-type]
    assert status == "fail" and reason in text


def test_what_the_machine_ended_is_lost_and_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, or without disk: one more try. What crashed by itself or was told of a failure before has failed."""
    full = f"OSError: [Errno 28] {sim.NO_SPACE}\n"
    for log, xml, code in (
        (GOOD_LOG, None, -9), (GOOD_LOG, GOOD_XML, -9), ("", "<testsuites>", -9),
        (full, None, 0), (full, None, 1), (full, "<testsuites>", 0),
    ):  # fmt: skip
        status, reason = judge(tmp_path, log, xml, code)
        assert status == "died" and ("code -9" in reason) == (code == -9) != (sim.NO_SPACE in reason), reason
    assertion = "[100] %Error: x.sv:3: Assertion failed\n"
    for log, xml, code in (
        (full, None, -11), (full, None, -6), (full, None, 134), (GOOD_LOG, None, -11), (assertion, None, -9),
        (assertion + full, None, 1), (GOOD_LOG, FAILED_XML, -9), (full, FAILED_XML, 0),
    ):  # fmt: skip
        assert judge(tmp_path, log, xml, code)[0] == "fail", (log, code)
    assert judge(tmp_path, GOOD_LOG + full) == ("pass", "")  # it said so, and left all that a pass needs
    (tmp_path / "failure_Smoke.json").write_text("{}")
    assert judge(tmp_path, xml=None, code=-9)[0] == "fail"
    (tmp_path / "failure_Smoke.json").unlink()
    monkeypatch.setattr(sim, "LEAST_FREE", 1 << 80)
    assert judge(tmp_path, log="", xml=None) == ("died", f"{sim.NO_SPACE}: no results.xml")


def test_the_end_of_a_wave_window_is_no_pass(tmp_path: Path) -> None:
    """`stopped`, even when all else looks complete."""
    assert judge(tmp_path, log=GOOD_LOG + f"{sim.STOPPED} at CK 100\n")[0] == "stopped"


def test_file_lists_name_what_exists() -> None:
    """Both lists expand for every geometry; a wrong name is refused."""
    for folder in sorted((sim.ROOT / "rtl" / "gen").glob("hbm*_s*")):
        assert sim.rtl_files(folder.name) and sim.read_filelist(sim.ROOT / "tb" / "hdl" / "tb.f", folder.name)
    with pytest.raises(sim.SimError, match="does not exist"):
        sim.rtl_files("hbm9_s9")


@pytest.mark.sim
def test_an_unchanged_build_is_found_again() -> None:
    """The second call compiles nothing."""
    first = sim.build("hbm2_s1")
    again = sim.build("hbm2_s1")
    assert again.folder == first.folder and not again.fresh


@pytest.mark.sim
def test_bare_and_full_bench_see_the_same_commands(tmp_path: Path) -> None:
    """The base of all speed ratios does the same work: equal command records for equal stimulus."""
    rng = np.random.default_rng(11)
    count, streams = 3000, {}
    for port in range(2):
        write = rng.random(count) < 0.4
        ax = np.zeros(count, records.AX)
        ax["addr"] = rng.permutation(1 << 14)[:count] * 32  # each once: no read is forwarded (M3.6)
        ax["size"], ax["burst"], ax["id"] = 5, 1, np.arange(count) % 16
        ax["order"], ax["flags"], ax["at"] = np.arange(count), records.FLAG_ORDERED, 3000
        beats = np.zeros(int(write.sum()), records.W)
        beats["data"] = rng.integers(0, 256, beats["data"].shape)
        beats["strb"], beats["last"], beats["flags"] = 0xFFFFFFFF, 1, records.FLAG_ORDERED
        streams |= {f"ar{port}": ax[~write], f"aw{port}": ax[write], f"w{port}": beats}
    stimulus = tmp_path / "stimulus.bin"
    rings.save_stimulus(stimulus, streams)
    built = sim.build("hbm2_s1")
    bare = sim.run_bare(built, stimulus, commands=tmp_path / "bare.cmd")
    result = sim.run(built, "timed_tests", "same_stimulus", run_dir=tmp_path, env={"HBM_STIMULUS": str(stimulus)})
    assert result.passed, result.reason
    commands = np.fromfile(tmp_path / "bare.cmd", records.CMD)
    full = np.load(tmp_path / "commands.npy")
    assert bare.reads + bare.writes == 2 * count
    assert len(full) <= len(commands) and (commands[: len(full)] == full).all()
    columns = (full["cmd"] >= 4) & (full["cmd"] <= 7)
    assert int(columns.sum()) == 2 * count


@pytest.mark.sim
def test_timed_side(tmp_path: Path) -> None:
    """Masters, back-pressure, restart and watchdog of the timed side do what docs/bench.md says."""
    result = sim.run(sim.build("hbm2_s1"), "timed_tests", "the_.*", run_dir=tmp_path, timeout=300)
    assert result.passed, f"{result.reason} (log: {result.log})"
    assert len(result.tests) >= 6


def test_a_run_folder_has_one_owner(tmp_path: Path) -> None:
    """While one pytest process has the folder of a simulator process, another one fails instead of wiping it."""
    with own(tmp_path / "x"), pytest.raises(pytest.fail.Exception, match="in use by another pytest.*--dist loadfile"):
        own(tmp_path / "x")
    own(tmp_path / "x").close()


def test_a_build_is_named_alike_in_every_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is that of sources and settings, not of the folder: none is made."""
    names = []
    with sim.names_only():
        for copy in (tmp_path / "one", tmp_path / "other"):  # with one Python environment, outside of both
            for part in ("rtl", "tb/hdl"):
                shutil.copytree(sim.ROOT / part, copy / part)
            monkeypatch.setattr(sim, "ROOT", copy)
            monkeypatch.setattr(sim, "BUILD_ROOT", copy / "build")
            names.append(sim.build("hbm2_s1").folder.name)
        assert names[0] == names[1]
        assert not sim.build("hbm2_s1").folder.exists()
        (copy / "tb" / "hdl" / "hx.h").write_text("// another")
        assert sim.build("hbm2_s1").folder.name != names[0]
