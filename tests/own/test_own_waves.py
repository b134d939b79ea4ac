"""Wave set-ups of a foreign test top: its own signals first, then those of the bench inside it."""

from __future__ import annotations

from hbm_tb.waves import TOP, Signal, arrange, bench_of

NAMES = ("my_top.clk", "my_top.r", "my_top.u_dut.state", "my_top.u_b.u_w.cycle", "my_top.u_b.u_w.u_view.row_p0_rise")


def test_the_bench_is_found_by_its_view() -> None:
    """Wherever the user put it; ours is the test top itself."""
    assert bench_of(NAMES) == "my_top.u_b.u_w."
    assert bench_of(("tb_top.clk", "tb_top.u_view.row_p0_rise")) == TOP


def test_own_signals_come_first() -> None:
    """Ports of the top, then clock and commands of the bench."""
    groups = {title: [item.name for item in shown] for _, title, shown in arrange(Signal(name, 1) for name in NAMES)}
    assert list(groups)[0] == "Test top" and groups["Test top"] == ["clk", "r"]
    assert groups["Clock and run"] == ["cycle"] and groups["Commands on the pins"] == ["row p0 rise"]
