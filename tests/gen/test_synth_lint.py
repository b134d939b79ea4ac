"""The lint and synthesis checks find planted defects, refuse runs that did not end, and their waivers carry reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hbm_tb import lint, synth

CLEAN = """
// A register behind an adder.
module planted (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic [3:0] a_i,
  input  logic       b_i,
  output logic [3:0] y_o
);
  logic [3:0] sum, extra;
  assign sum = a_i + 4'd1;
  BODY
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) y_o <= '0;
    else         y_o <= sum ^ extra;
  end
endmodule
"""
GOOD = "assign extra = {4{b_i}};"
LATCH = "always_latch if (b_i) extra = a_i;"
COMB_LATCH = "always_comb begin if (b_i) extra = a_i; end"
LOOP = "assign extra = ~(extra & a_i) ^ {4{b_i}};"
UNDRIVEN = "assign extra[3:1] = {3{b_i}};"
TWO_DRIVERS = "assign extra = {4{b_i}}; assign extra = a_i;"
UNUSED = "logic idle; assign idle = b_i & a_i[0]; assign extra = '0;"
WIDTH = "logic [7:0] wide; assign wide = {2{a_i}}; assign extra = wide ^ {4{b_i}};"


def planted(folder: Path, body: str) -> list[Path]:
    """The snippet with one body."""
    file = folder / "planted.sv"
    file.write_text(CLEAN.replace("BODY", body).lstrip())
    return [file]


def synthesised(folder: Path, body: str) -> synth.Report:
    """Report on the snippet."""
    return synth.synthesize(planted(folder, body), "planted", folder=folder / "out")


def test_synthesis_counts_a_clean_module(tmp_path: Path) -> None:
    """Four flops, some gates, nothing wrong, a path from port to flop."""
    report = synthesised(tmp_path, GOOD)
    assert report.problems == []
    assert (report.flops, report.latches, report.loops, report.undriven) == (4, 0, 0, 0)
    assert 2 <= report.levels <= 6
    assert 4 < report.gates < 30
    assert report.path


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (LATCH, "latches"),
        (COMB_LATCH, "latch|loop"),
        (LOOP, "combinational loops"),
        (UNDRIVEN, "undriven nets: extra"),
        (TWO_DRIVERS, "did not run to its end|driver"),
        ("assign extra = nothing;", "did not run to its end"),
    ],
)
def test_synthesis_finds_a_planted_defect(tmp_path: Path, body: str, words: str) -> None:
    """A latch, a loop, an undriven net, a second driver, a name that does not exist."""
    report = synthesised(tmp_path, body)
    assert not report.ok
    assert re.search(words, " ".join(report.problems)), report.problems


def test_memory_macros_are_counted_apart(tmp_path: Path) -> None:
    """A 32 x 64 bit array is a macro, not flops, and its own data does not close a loop."""
    file = tmp_path / "planted.sv"
    file.write_text(
        "module planted (input logic clk_i, input logic [4:0] a_i, input logic [63:0] d_i, output logic [63:0] q_o);\n"
        "  logic [63:0] mem [32];\n"
        "  always_ff @(posedge clk_i) mem[a_i] <= mem[a_i] ^ d_i;\n"
        "  assign q_o = mem[~a_i];\nendmodule\n"
    )
    report = synth.synthesize([file], "planted", folder=tmp_path / "out")
    assert report.problems == []
    assert [(macro.words, macro.width) for macro in report.macros] == [(32, 64)]
    assert report.macro_bits == 2048
    assert report.flops == 0


@pytest.mark.parametrize("cut", ["map", "path", synth.END])
def test_synthesis_that_stops_early_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    """A log without one of the steps, or without the closing line, is no pass, whatever figures are there."""
    whole = synth._run_worker

    def stopped(folder: Path, console: object) -> str:
        log = whole(folder, None)
        mark = cut if cut == synth.END else f"{synth.STEP} {cut}"
        assert mark in log
        return log[: log.index(mark)]

    monkeypatch.setattr(synth, "_run_worker", stopped)
    report = synthesised(tmp_path, GOOD)
    assert "did not run to its end" in report.problems[0]


def test_synthesis_without_mapping_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mapper may end without a result and without an error code."""
    whole = synth._run_worker

    def unmapped(folder: Path, console: object) -> str:
        return whole(folder, None).replace("Re-integrating ABC results", "")

    monkeypatch.setattr(synth, "_run_worker", unmapped)
    assert "the mapper left no result" in synthesised(tmp_path, GOOD).problems


def test_linters_pass_a_clean_module(tmp_path: Path) -> None:
    """The snippet without a defect is clean for all three."""
    files = planted(tmp_path, GOOD)
    assert lint.verilator(files, "planted", "snippet").findings == []
    assert lint.slang(files, "planted", "snippet").findings == []
    assert lint.verible(files, lint.LINT / "verible.rules", "snippet").findings == []


@pytest.mark.parametrize(
    ("body", "tool", "words"),
    [
        (UNUSED, "verilator", "UNUSEDSIGNAL"),
        (UNUSED, "slang", "never used"),
        (UNDRIVEN, "verilator", "UNDRIVEN"),
        (WIDTH, "verilator", "WIDTHTRUNC"),
        (WIDTH, "slang", "width-trunc"),
        (LOOP, "verilator", "UNOPTFLAT"),
        (COMB_LATCH, "verilator", "LATCH"),
        ("assign extra = nothing;", "slang", "undeclared identifier"),
        ("assign extra = nothing;", "verilator", "nothing"),
    ],
)
def test_linters_find_a_planted_defect(tmp_path: Path, body: str, tool: str, words: str) -> None:
    """Each defect fails, with the tool's own words."""
    files = planted(tmp_path, body)
    outcome = {"verilator": lint.verilator, "slang": lint.slang}[tool](files, "planted", "snippet")
    assert not outcome.ok
    assert words in "\n".join(outcome.findings)


def test_verible_finds_a_planted_defect(tmp_path: Path) -> None:
    """A line that is too long, and a blocking assignment in a clocked block."""
    for body, words in ((GOOD + " //" + "x" * 140, "line-length"), (GOOD, "always-ff-non-blocking")):
        files = planted(tmp_path, body)
        if words != "line-length":
            files[0].write_text(files[0].read_text().replace("y_o <= '0", "y_o = '0"))
        outcome = lint.verible(files, lint.LINT / "verible.rules", "snippet")
        assert not outcome.ok
        assert words in "\n".join(outcome.findings)
    missing = lint.verible([tmp_path / "none.sv"], lint.LINT / "verible.rules", "snippet")
    assert not missing.ok


def test_python_linters_find_a_planted_defect(tmp_path: Path) -> None:
    """An unused import and a missing type."""
    file = tmp_path / "planted.py"
    file.write_text('"""Nothing."""\n')
    assert lint.python_style([file]).ok
    assert lint.python_types([file]).ok
    file.write_text('"""Nothing."""\nimport os\n\n\ndef f(x):\n    return x\n')
    assert not lint.python_style([file]).ok
    assert not lint.python_types([file]).ok


def test_a_tool_without_its_closing_line_fails() -> None:
    """Code 0 alone is no evidence."""
    outcome = lint._judge("tool", "x", 0, "some words\n", r"^Done$", 0.0)
    assert not outcome.ok
    assert lint._judge("tool", "x", 0, "some words\nDone\n", r"^Done$", 0.0).ok
    assert not lint._judge("tool", "x", 1, "Done\n", r"^Done$", 0.0).ok


def test_each_waiver_has_its_reason() -> None:
    """Verilator: a comment above; slang: behind the switch; no waiver inside the RTL files."""
    reason = False
    waivers = 0
    for line in lint.WAIVERS.read_text().splitlines():
        if line.startswith("lint_off"):
            assert reason, f"no reason: {line}"
            waivers += 1
        else:
            reason = line.startswith("//") or (reason and bool(line.strip()))
    assert waivers
    assert len(lint.slang_options()) == sum(
        1 for line in (lint.LINT / "slang.rules").read_text().splitlines() if line.startswith("no-")
    )
    for file in lint.rtl_sources():
        assert "verilator lint_off" not in file.read_text(), file


def test_every_geometry_is_linted() -> None:
    """Both linters run on each generated geometry, Verible on rtl and bench, ruff and mypy once."""
    count = len(lint.geometries())
    assert count >= 3
    assert len(lint.checks("verilator")) == len(lint.checks("slang")) == count
    assert len(lint.checks()) == 2 * count + 4


SIZED = """
// The oldest of a set as a chain: as deep as the queue is long.
module sized (
  input  logic clk_i,
  input  logic [`HBM_QUEUE_ENTRIES-1:0] set_i,
  output logic [`HBM_QUEUE_ENTRIES-1:0] pick_o
);
  logic [`HBM_QUEUE_ENTRIES-1:0] set_q;
  always_ff @(posedge clk_i) begin
    set_q  <= set_i;
    pick_o <= set_q & -set_q;
  end
endmodule
"""


def test_sizes_of_the_queues_are_compared(tmp_path: Path) -> None:
    """Each size is built with its own macro; levels by instance and cells are there; a prefix grows by logarithm."""
    file = tmp_path / "sized.sv"
    file.write_text(SIZED)
    small, large = (synth.synthesize([file], "sized", folder=tmp_path / str(size), entries=size) for size in (16, 64))
    assert small.problems == large.problems == []
    assert (small.flops, large.flops) == (32, 128)
    assert small.levels < large.levels <= small.levels + 8
    assert large.cells > small.cells > 0
    assert large.cell_levels > 0
    assert max(large.ends.values()) == large.levels
