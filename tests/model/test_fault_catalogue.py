"""The catalogue of planted defects: every entry fits the RTL as it is, the tables are complete, the judge is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.params import PARAM
from hbm_tb import fault_registers, faults, faults_cmd
from hbm_tb.faults_docs import MUSEUM, PAGE
from hbm_tb.faults_job import CRASH, MISSED, WATCHDOG, Caught, Item, judge, what_told

ENTRY = """
- id: {id}
  file: {file}
  title: A defect
  edits: [{{find: "{find}", faulty: "{faulty}"}}]
  expect: [{expect}]
  runs: [{{workload: soak}}]
"""


def entry(folder: Path, **given: str) -> tuple[faults.Defect, ...]:
    """A catalogue of one entry."""
    values = {"id": "a-b", "file": "sched/hbm_gaps.sv", "find": "x", "faulty": "y", "expect": "data", **given}
    (folder / "one.yaml").write_text(ENTRY.format(**values))
    return faults.read_catalogue(folder)


def test_more_than_sixty_defects_all_different() -> None:
    """Distinct ids and distinct changes."""
    every = faults.catalogue()
    assert len({defect.id for defect in every}) == len(every) >= 60
    changes = {(d.file, d.builds, tuple((e.find, e.before, e.faulty) for e in d.edits)) for d in every}
    assert len(changes) == len(every)
    assert all(edit.good.split() != edit.faulty.split() for defect in every for edit in defect.edits)


@pytest.mark.parametrize("geometry", faults.geometries())
def test_catalogue_fits_the_rtl(geometry: str) -> None:
    """Every text stands exactly once, and every woven file is SystemVerilog."""
    from pyslang.syntax import SyntaxTree

    texts, package = faults.woven_sources(geometry)
    numbers = {defect.number for defect in faults.of_build(geometry)}
    woven = {int(n) for text in texts.values() for n in re.findall(rf"{faults.PACKAGE}::active == 8'd(\d+)", text)}
    assert woven == numbers
    for path, text in [*texts.items(), (Path(faults.PACKAGE), package)]:
        errors = [str(each.code) for each in SyntaxTree.fromText(text).diagnostics if each.isError()]
        assert not errors, f"{path.name}: {errors[:3]}"


def test_text_that_is_gone_is_named(tmp_path: Path) -> None:
    """File and entry stand in the message."""
    (defect,) = entry(tmp_path, find="no such text")
    with pytest.raises(InputError, match=r"one.yaml: a-b: `no such text` stands 0 times in rtl/sched/hbm_gaps.sv"):
        faults.weave(defect.file, "module m; endmodule", [defect])
    with pytest.raises(InputError, match="stands 2 times"):
        faults.weave(defect.file, "no such text, no such text", [defect])


def test_overlapping_texts_are_refused(tmp_path: Path) -> None:
    """Alternatives of one piece are fine, overlapping pieces are not."""
    (first,) = entry(tmp_path, find="a + b")
    (second,) = entry(tmp_path, find="b + c", id="c-d")
    with pytest.raises(InputError, match="a-b and c-d replace overlapping"):
        faults.weave("f.sv", "assign x = a + b + c;", [first, second])
    woven = faults.weave("f.sv", "assign x = a + b;", [first, first])
    assert woven.count("a + b") == 1 and woven.count("(y)") == 2


def test_expressions_and_statements(tmp_path: Path) -> None:
    """An expression is chosen by ?:, a statement by if."""
    (one,) = entry(tmp_path, find="x <= «1 + 2»;", faulty="7")
    assert faults.weave("f.sv", "x <= 1 + 2;", [one]) == f"x <= (({faults.PACKAGE}::active == 8'd1) ? (7) : (1 + 2));"
    (two,) = entry(tmp_path, find="x <= 1;", faulty="x <= 2;")
    assert faults.weave("f.sv", "x <= 1;", [two]) == (
        f"if ({faults.PACKAGE}::active == 8'd1) begin x <= 2; end else begin x <= 1; end"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expect": "luck"}, "expect names some of device"),
        ({"id": "A b"}, "an id is lower-case words"),
        ({"find": "«a» «b»"}, "or none"),
    ],
)
def test_bad_entries_are_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    """One line says what is wrong."""
    with pytest.raises(InputError, match=message):
        entry(tmp_path, **change)


def test_every_timing_register_is_planted() -> None:
    """All timing fields, too short and too long: distances by legality and lock-step, latencies by data."""
    fields = {register.path.removeprefix("timing.") for register in REGISTERS if register.path.startswith("timing.")}
    assert {PARAM[one.key].snake for one in fault_registers.SETS} == fields
    for one in fault_registers.SETS:
        if one.key in ("RL", "WL"):
            assert (one.short, one.long) == (("data",), ("data",))
        elif one.key in ("REFI", "REFISB"):
            assert (one.short, one.long) == (("exactness",), ("exactness",))
        else:
            # tMOD: the first command follows later than the step reaches; FAR shows that legality tells.
            assert one.short == (("exactness",) if one.key == "MOD" else ("legality",)), one.key
            assert one.long == ("exactness",)
    assert {far.key for far in fault_registers.FAR} == {"REFI", "REFISB", "MOD"}


def test_expected_step_catchers_of_the_items() -> None:
    """Short is below the right value, long above; the larger step stands in for the smaller one only."""
    items = {item.name: item for item in fault_registers.register_items("hbm2_s1")}
    assert items["RP_short_pc0_by1"].config["program_only"] == {"RP": 39}
    assert items["RP_short_pc0_by1"].instead == "RP_short_pc0_by2" and not items["RP_short_pc0_by2"].instead
    assert items["RP_long_pc1_by2"].config["program_only"] == {"RP": 42}
    assert items["RL_short_pc0_by1"].number and not items["RL_short_pc0_by1"].instead


def test_bugs_of_others_are_planted_or_explained() -> None:
    """Each number of the museum has a defect, or a reason why it cannot exist here."""
    planted = {n for defect in faults.catalogue() for n in defect.museum}
    assert planted <= set(MUSEUM)
    for number, (_, _, why) in MUSEUM.items():
        assert (number in planted) != bool(why), number


def test_page_lists_every_defect_with_an_expected_check() -> None:
    """docs/faults.md is that of this catalogue: each entry, caught by a check that it names."""
    text = PAGE.read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| .* \| (\w+)(?:: [^|]*)? \| [\d,]+ \|$", text, re.MULTILINE))
    for defect in faults.catalogue():
        assert rows.get(defect.id) in defect.expect, f"{defect.id}: run `hbm faults --docs`"
    assert set(rows) == {defect.id for defect in faults.catalogue()}


def test_quick_part_names_what_exists() -> None:
    """The subset of make test, on one build."""
    assert set(faults_cmd.QUICK_DEFECTS) <= {defect.id for defect in faults.of_build(faults_cmd.QUICK_BUILD)}
    groups = faults_cmd.all_groups(quick=True)
    assert {group.geometry for group in groups} == {"hbm2_s1"}
    assert any(not item.expect for group in groups for item in group.items), "the unchanged design runs too"


def test_choice_by_name() -> None:
    """An id, a group, a pattern; an unknown one is unusable input."""
    groups = faults_cmd.all_groups()
    assert [g.job for g in faults_cmd.chosen_groups(groups, ["rtp-absent"])] == ["hbm2_s1/rtp-absent"]
    assert len(faults_cmd.chosen_groups(groups, ["RP-*"])) == 2
    assert len(faults_cmd.chosen_groups(groups, ["hbm3_s2/*"])) > 10
    with pytest.raises(InputError, match="no defect, register or group"):
        faults_cmd.chosen_groups(groups, ["nothing"])


@pytest.mark.parametrize(
    ("message", "check"),
    [
        ("", MISSED),
        ("DRAM command rules violated:\n  tRP: ACT ...", "legality"),
        ("channel and exact model differ in cycle 9 (CK 20 on the pins): command ...", "exactness"),
        ("wrong read data\n  port 0", "data"),
        ("device memory differs from the golden memory in 1 of 2", "data"),
        ("the timed side reports:\n  CK 20: write data is due and the lanes are not driven (PC 1)", "data"),
        ("the timed side reports:\n  CK 20: odd parity on the row pins, edge 0, word 0x1", "device"),
        ("the timed side reports:\n  CK 20: RLAST does not end the burst (port 0, id 3)", "protocol"),
        ("the timed side reports:\n  CK 20: no progress for 6000 cycles; waiting for R of port 0", WATCHDOG),
        ("B has id 3, expected 4: responses ...", "protocol"),
        ("RD at CK 20 to PC 0 answers to no read request", "protocol"),
        ("the test ended with open work:\n  port 0: read ...: response lost", "end of test"),
        (
            "counters, snapshot of cycle 9 of the count:\n  counters.pc0_rd: 1 in the registers, 2 in the exact model",
            "exactness",
        ),
        ("something of which nobody thought", CRASH),
    ],
)
def test_what_told(message: str, check: str) -> None:
    """The class of each kind of message; a time-out and a broken bench are no catch."""
    assert what_told(message)[0] == check
    assert (check in faults.CHECKS) == (check not in (MISSED, WATCHDOG, CRASH, "end of test"))


def test_judge_takes_the_smallest_step_that_moved() -> None:
    """The second step counts only where the first changed nothing."""

    def caught(name: str, check: str) -> Caught:
        return Caught(name, check, "", 1, 1, "")

    items = [Item("a_1", "a", 0, ("legality",), "soak", instead="a_2"), Item("a_2", "a", 0, ("legality",), "soak")]
    moved = judge(items, [caught("a_1", "exactness"), caught("a_2", "legality")])
    assert [(i.name, c.good(i)) for i, c in moved] == [("a_1", False)]
    still = judge(items, [caught("a_1", MISSED), caught("a_2", "legality")])
    assert [(i.name, c.good(i)) for i, c in still] == [("a_2", True)]
    clean = Item("none", "none", 0, (), "soak")
    assert not caught("none", "legality").good(clean) and caught("none", MISSED).good(clean)
