"""Viewer set-ups: what is in the wave file is found, grouped and named; nothing else is written."""

import re
import shutil
from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_tb import cli_view
from hbm_tb.waves import Signal, arrange, open_viewer, origin_of, signals_of, write_gtkwave, write_setups, write_surfer
from vcd import VCDWriter

KINDS = (("00000", "CmdNop"), ("00001", "CmdAct"), ("00100", "CmdRd"))


def build_signals(banks: int = 16) -> list[Signal]:
    """Names as Verilator writes them with structs traced member by member."""
    out = [Signal("tb_top.clk", 1), Signal("tb_top.rst_n", 1), Signal("tb_top.cycle_q", 64, ranged=False)]
    out.append(Signal("tb_top.u_channel.u_init.state_o", 4, (("0000", "StIdle"), ("0110", "StRun"))))
    for slot in ("row_p0_rise", "row_p1_rise", "col_p0", "col_p1"):
        out.append(Signal(f"tb_top.u_view.{slot}", 5, KINDS))
    for pc in (0, 1):
        pre = f"tb_top.u_channel.g_pc[{pc}].u_pc"
        out += [Signal(f"{pre}.u_banks.rows_q.[{bank}]", 14) for bank in range(banks)]
        out += [Signal(f"{pre}.u_banks.ok_o.{name}", banks) for name in ("open", "rd_ok", "wr_ok")]
        out += [Signal(f"{pre}.rd_level", 6), Signal(f"{pre}.wr_level", 6), Signal(f"{pre}.other", 6)]
        out += [
            Signal(f"tb_top.g_port[{pc}].u_master.ar_valid_o", 1),
            Signal(f"tb_top.g_port[{pc}].u_master.ar_o.addr", 40),
        ]
        out += [Signal(f"tb_top.u_channel.col.[{pc}].cmd", 5, KINDS)]
    out.append(Signal("hbm_pkg.Something", 32))
    return out


def test_signals_are_grouped_in_a_readable_order() -> None:
    groups = {title: [(item.name, item.signal.path) for item in shown] for _, title, shown in arrange(build_signals())}
    assert [name for name, _ in groups["Banks PC1"][:4]] == ["banks open", "banks rd_ok", "banks wr_ok", "bank 0 row"]
    assert groups["Banks PC1"][-1][0] == "bank 15 row"
    assert len(groups["Banks PC0"]) == 3 + 16
    assert all("g_pc[1]" in path for _, path in groups["Banks PC1"])
    assert [name for name, _ in groups["AXI port 0"]] == ["ar valid", "ar addr"]
    assert [name for name, _ in groups["Requests and queues PC0"]] == ["rd queue level", "wr queue level"]
    assert groups["Selection PC1"] == [("column cmd", "tb_top.u_channel.col.[1].cmd")]
    assert "Row bus" not in groups  # nothing found: no heading


def test_gtkwave_gets_names_ranges_and_mnemonics(tmp_path: Path) -> None:
    write_gtkwave(tmp_path / "w.gtkw", tmp_path / "w.fst", build_signals(), marker_ps=2_000_000)
    text = (tmp_path / "w.gtkw").read_text()
    assert f'[dumpfile] "{tmp_path / "w.fst"}"' in text
    assert "*-15.000000 2000000" in text
    assert "+{bank 3 row} tb_top.u_channel.g_pc[0].u_pc.u_banks.rows_q.[3][13:0]" in text
    assert "+{cycle} tb_top.cycle_q\n" in text  # a longint has no range in GTKWave's eyes
    # Enums: right justified, binary, and the enum flag, so that GTKWave shows the text.
    assert re.search(r"@100000028\n\+\{row p0 rise\} tb_top\.u_view\.row_p0_rise\[4:0\]", text)
    assert re.findall(r"@(\w+)\n-Banks PC0\n", text) == ["800200", "1000200"]  # begin and end of the group


def test_surfer_gets_dividers_and_variables(tmp_path: Path) -> None:
    write_surfer(tmp_path / "w.sucl", tmp_path / "w.fst", build_signals(), marker_ps=5000)
    lines = (tmp_path / "w.sucl").read_text().splitlines()
    assert "divider_add Commands_on_the_pins" in lines
    assert "variable_add tb_top.u_channel.g_pc[0].u_pc.u_banks.rows_q.[3]" in lines
    assert lines[-2:] == ["cursor_set 5000", "zoom_fit"]
    assert not any("other" in line or "Something" in line for line in lines)


def wave_file(path: Path, ps_per_ck: int = 1000, first: int = 1) -> None:
    """A small wave file whose cycle counter starts at 33 ns, with the changes from cycle `first` on."""
    with path.open("w") as out, VCDWriter(out, timescale="1 ps") as writer:
        clk = writer.register_var("tb_top", "clk", "wire", size=1, init=0)
        cycle = writer.register_var("tb_top", "cycle_q", "wire", size=64, init=0)
        level = writer.register_var("tb_top.u_channel.g_pc[0].u_pc", "rd_level", "wire", size=6, init=0)
        for number in range(first, 20):
            when = 33000 + 2 * ps_per_ck * number
            writer.change(clk, when, number % 2)
            writer.change(cycle, when, number)
            writer.change(level, when, number)


def test_a_marker_stands_at_its_ck(tmp_path: Path) -> None:
    """CK 0 is where cycle 0 begins, wherever reset ended in the wave file."""
    waves = tmp_path / "waves.fst"
    wave_file(waves)
    assert {signal.path for signal in signals_of(waves)} >= {"tb_top.clk", "tb_top.cycle_q"}
    assert origin_of(waves) == 33000
    gtkw, surfer = write_setups(waves, marker_ck=10)
    assert "*-15.000000 43000" in gtkw.read_text()
    assert "cursor_set 43000" in surfer.read_text()
    assert "rd queue level" in gtkw.read_text()


@pytest.mark.parametrize("first", [1, 4])
@pytest.mark.parametrize("ps_per_ck", [625, 1250])
def test_a_marker_stands_at_its_ck_of_another_length(ps_per_ck: int, first: int, tmp_path: Path) -> None:
    """A foreign bench says how long a CK is (CkNs); the window of the waves may begin long after reset."""
    waves = tmp_path / "waves.fst"
    wave_file(waves, ps_per_ck, first)
    assert origin_of(waves) == 33000
    for ck in (10, 17.5, 39, 60):
        gtkw, surfer = write_setups(waves, marker_ck=ck)
        marker = 33000 + round(ck * ps_per_ck)
        assert f"*-15.000000 {marker} {marker + 2 * ps_per_ck} " in gtkw.read_text()
        assert f"cursor_set {marker}\n" in surfer.read_text()


def test_what_cannot_be_read_or_opened_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.fst").write_bytes(b"not a wave file")
    with pytest.raises(InputError, match=r"bad\.fst: not a readable wave file"):
        signals_of(tmp_path / "bad.fst")
    with pytest.raises(InputError, match="record waves with WAVES=1"):
        open_viewer(tmp_path / "none.fst")
    wave_file(tmp_path / "waves.fst")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no wave viewer found: install surfer"):
        open_viewer(tmp_path / "waves.fst")


def test_runs_are_found_by_name_path_or_age(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first" / "result.json").write_text("{}")
    assert cli_view.run_folder("second", "result.json", tmp_path) == tmp_path / "second"
    assert cli_view.run_folder(str(tmp_path / "first"), "result.json", tmp_path) == tmp_path / "first"
    assert cli_view.run_folder("", "result.json", tmp_path) == tmp_path / "first"
    with pytest.raises(InputError, match="no run `third`; known: first, second"):
        cli_view.run_folder("third", "result.json", tmp_path)
    with pytest.raises(InputError, match=r"no run has a waves\.fst yet; `make run WAVES=1` makes one"):
        cli_view.run_folder("", "waves.fst", tmp_path)
