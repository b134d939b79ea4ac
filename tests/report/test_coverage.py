"""Coverage merged, excluded, judged and exported, from small data files of Verilator and run folders made by hand."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hbm_model.commands import Cmd
from hbm_model.errors import InputError
from hbm_tb import coverage_cmd, coverage_files, coverage_rtl, coverage_runs, coverage_wide, records, tight, tight_state
from hbm_tb.config import ENVIRONMENT, BenchConfig
from hbm_tb.coverage import POINTS, SCHEMA, Coverage
from hbm_tb.coverage_pattern import regex, select
from hbm_tb.coverage_plan import read_plan, wanted
from hbm_tb.coverage_rtl import Exclusion, Point
from hbm_tb.job_list import ListOptions, ListResult
from hbm_tb.job_store import DATABASE, About, JobStore
from hbm_tb.jobs import AGAIN, Job, Outcome

DATA = Path(__file__).with_name("coverage_data") / "lane_turn.dat"
FILE = "rtl/host/hbm_lane_turn.sv"
RUN_Q = "run_q[3]"  # the counter of that module, its top bit


def _job(name: str, content: Path) -> Job:
    """A run of axi_tests.EveryWrap whose build and sources are the text of a file."""
    return Job(name, "coverage_kind", {"content": str(content), "module": "axi_tests", "test": "EveryWrap"})


def _run(folder: Path, build: str = "tb_top-hbm2_s1", status: str = "pass", edit: tuple[str, str] = ("", "")) -> Path:
    """A run folder as a job with coverage leaves it; `edit` changes the data."""
    folder.mkdir(parents=True)
    text = DATA.read_text()
    if edit[0]:
        assert edit[0] in text
        text = text.replace(*edit)
    (folder / coverage_files.DATA).write_text(text)
    coverage_files.pack(folder)
    (folder / "sim.cmd").write_text(f"A='b' /any/build/sim/{build}-cov-0123456789abcdef/sim +x\n")
    sources = folder.parents[1] / "sources"  # beside the folder of the list, or in that of a list of one level
    sources.write_text("as it is")
    job = _job(folder.name, sources)
    (folder / "job.json").write_text(json.dumps({"name": job.name, "kind": job.kind, "arguments": job.arguments}))
    (folder / "outcome.json").write_text(json.dumps({"status": status, "attempt": "x", "content": "as it is"}))
    case = '<testcase classname="axi_tests" name="EveryWrap"/>'
    if status != "pass":
        case = case.replace("/>", '><failure message="no"/></testcase>')
    (folder / "results.xml").write_text(f"<testsuites><testsuite>{case}</testsuite></testsuites>")
    functional = {"schema": SCHEMA, "points": {"axi.port": {"pc0/read": 3, "pc1/write": 1}}}
    (folder / "coverage_EveryWrap.json").write_text(json.dumps(functional))
    return folder


def _hole(text: str) -> tuple[str, str]:
    """An edit that takes the hits of a point away."""
    line = next(line for line in DATA.read_text().splitlines() if f"\x02{text}\x01" in line)
    return line, f"{line.rpartition(' ')[0]} 0"


# ---------------------------------------------------------------- patterns


def test_patterns() -> None:
    """Any text, numbers, words; brackets are themselves."""
    names = ["a[0]", "a[1]", "a[12]", "b[1]", "a0"]
    assert select("a[{0..1}]", names) == ["a[0]", "a[1]"]
    assert select("{a,b}[1]", names) == ["a[1]", "b[1]"]
    assert select("a*", names) == ["a[0]", "a[1]", "a[12]", "a0"]
    assert not regex("a[1]").fullmatch("a1")


# ---------------------------------------------------------------- RTL


def test_runs_and_builds_are_merged(tmp_path: Path) -> None:
    """Counts add up over runs; a point knows the builds that have it; the data is packed."""
    first = _run(tmp_path / "one", edit=_hole("if"))
    second = _run(tmp_path / "two", "tb_top-hbm3_s2")
    assert not (first / coverage_files.DATA).exists()
    merged = coverage_rtl.merge([folder / coverage_files.PACKED for folder in (first, second)])
    points = {point.what: point for point in merged if point.kind == "branch"}
    assert set(points) == {"if", "else"} and all(point.file == FILE for point in points.values())
    assert merged[points["if"]].count == 430 and merged[points["else"]].count == 2 * 79142
    assert merged[points["if"]].builds == {"hbm2_s1", "hbm3_s2"}
    (module,) = coverage_rtl.modules_of(merged, [])
    assert module.sums["branch"].percent == 100 and module.apart is None


def test_a_damaged_data_file_is_told(tmp_path: Path) -> None:
    """No data of Verilator: one line with the file."""
    bad = tmp_path / "coverage.dat"
    bad.write_text("hello")
    with pytest.raises(InputError, match=r"coverage.dat: no coverage data"):
        coverage_rtl.merge([bad])


def test_files_stand_apart_with_a_reason(tmp_path: Path) -> None:
    """They have sums of their own; the goals are those of the rest. The list names what it leaves out."""
    path = tmp_path / "exclusions.yaml"
    path.write_text("- {apart: rtl/gen/*, reason: written by a generator}\n")
    (apart,) = coverage_rtl.read_apart(path)
    assert coverage_rtl.read_exclusions(path) == []
    merged = {
        Point("rtl/gen/a.sv", 1, 1, "line", "block"): coverage_rtl.Hits(0),
        Point("rtl/host/b.sv", 1, 1, "line", "block"): coverage_rtl.Hits(1),
    }
    modules = coverage_rtl.modules_of(merged, [], [apart])
    assert coverage_rtl.totals(modules)["line"].percent == 100
    assert coverage_rtl.totals(modules, apart)["line"].percent == 0
    assert coverage_rtl.totals(coverage_rtl.modules_of(merged, []))["line"].percent == 50
    path.write_text("- {apart: rtl/gen/*, reason: no}\n")
    with pytest.raises(InputError, match="a reason is a sentence"):
        coverage_rtl.read_apart(path)


WIDE_LOG = """\
- V3Coverage.cpp:413:     Toggle: VAR 0x37 {y3bc} @dt=0x3@(G/w1)  clk_i INPUT [VSTATICI]  PORT
- V3Coverage.cpp:411:     Disable Toggle: Wide bus/array > limit VAR 0x3 {y4bc} @dt=0x3@(w256)u[0:127]  data_q VAR
- V3Coverage.cpp:411:     Disable Toggle: Wide bus/array > limit VAR 0x3 {y5bc} @dt=0x3@(w1056)p[32:0]  words_q VAR
- V3Coverage.cpp:411:     Disable Toggle: Wide bus/array > limit VAR 0x3 {y6bc} @dt=0x3@(w38)ref  order_q VAR
- V3Coverage.cpp:411:     Disable Toggle: Not relevant signal VAR 0x3 {y7bc} @dt=0x3@(w38)u[0:99]  other VAR
- V3Coverage.cpp:411:     Disable Toggle: Wide bus/array > limit VAR 0x3 {z4bc} @dt=0x3@(w256)u[0:127]  bench_q VAR
"""


def test_signals_without_toggles_are_named(tmp_path: Path) -> None:
    """By the log of the build: the source is the one where all signals of a file letter stand."""
    right, wrong = tmp_path / "hbm_right.sv", tmp_path / "hbm_wrong.sv"
    right.write_text("\n\nlogic clk_i\ndata_q\nwords_q\norder_q\nother\n")
    wrong.write_text("\n\nlogic clk_i\ndata_qq\nwords_q\norder_q\nother\n")
    found = coverage_wide.read(WIDE_LOG, [wrong, right])
    assert found == {("hbm_right", "data_q"): 256 * 128, ("hbm_right", "words_q"): 1056, ("hbm_right", "order_q"): 0}


def test_holes_are_grouped_for_people() -> None:
    """Bits of a signal in one line, both directions as one where they are alike."""
    points = [Point(FILE, 7, 1, "toggle", f"x[{bit}]:{way}") for bit in (0, 1, 2, 5) for way in ("0->1", "1->0")]
    points += [Point(FILE, 8, 1, "toggle", "y:1->0"), Point(FILE, 9, 1, "branch", "else")]
    texts = [text for _, text, _ in coverage_rtl.grouped(points)]
    assert texts == ["x[5,2:0] never toggles", "y never goes 1->0", "branch else"]


# ---------------------------------------------------------------- exclusions


def _merged(tmp_path: Path, *holes: str) -> coverage_rtl.Merged:
    folder = _run(tmp_path / "run")
    text = coverage_files.read(folder / coverage_files.PACKED)
    for hole in holes:
        text = text.replace(*_hole(hole))
    path = folder / "again.dat"
    path.write_text(text)
    return coverage_rtl.merge([path])


def _exclusion(kind: str, what: str, source: str = "", module: str = "hbm_lane_turn") -> Exclusion:
    return Exclusion(module, kind, (what,), source, "a reason of the test")


def test_an_exclusion_takes_points_out(tmp_path: Path) -> None:
    """What is excluded counts neither as hit nor as missing."""
    merged = _merged(tmp_path, "if", f"{RUN_Q}:0->1", f"{RUN_Q}:1->0")
    chosen = [_exclusion("branch", "if"), _exclusion("toggle", RUN_Q)]
    assert coverage_rtl.exclude(merged, chosen, complete=True) == []
    assert [len(one.points) for one in chosen] == [1, 2]
    (module,) = coverage_rtl.modules_of(merged, chosen)
    assert module.sums["branch"].excluded == 1 and module.sums["toggle"].excluded == 2 and not module.holes


def test_an_exclusion_of_something_hit_is_an_error(tmp_path: Path) -> None:
    """Its reason is not true: also when only one direction of a bit was hit."""
    merged = _merged(tmp_path, f"{RUN_Q}:0->1")
    (line,) = coverage_rtl.exclude(merged, [_exclusion("toggle", RUN_Q)], complete=False)
    assert line.startswith("exclusion hbm_lane_turn toggle run_q[3]: 1 of its points were hit, first run_q[3]:1->0")


def test_an_exclusion_of_nothing_is_an_error(tmp_path: Path) -> None:
    """Where the data of all builds is there; with a part of them the rest may be elsewhere."""
    merged = _merged(tmp_path)
    for wrong in (
        _exclusion("toggle", "no_such[1]"),
        _exclusion("branch", "case"),
        _exclusion("branch", "if", module="hbm_other"),
        _exclusion("branch", "if", source="no such text"),
    ):
        assert coverage_rtl.exclude(merged, [wrong], complete=True) == [f"exclusion {wrong.name}: matches nothing"]
        assert coverage_rtl.exclude(merged, [wrong], complete=False) == []


FILES = {
    "no reason": ("- {module: a, kind: line, what: b}", "exclusion 1: missing reason"),
    "short reason": ("- {module: a, kind: line, what: b, reason: dead}", "exclusion 1: a reason is a sentence"),
    "unknown kind": ("- {module: a, kind: expr, what: b, reason: never ever}", "kind 'expr' is none of line, branch"),
    "unknown key": ("- {module: a, kind: line, what: b, reason: never ever, x: 1}", "exclusion 1: unknown x"),
    "no list": ("a: b", "expected a list of exclusions"),
    "no YAML": ("- [", "while parsing"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_exclusions_file_is_one_line(case: str, tmp_path: Path) -> None:
    """File and place."""
    text, expected = FILES[case]
    path = tmp_path / "exclusions.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as told:
        coverage_rtl.read_exclusions(path)
    assert expected in str(told.value) and str(told.value).startswith("exclusions.yaml")


def test_the_exclusions_can_be_read() -> None:
    """Each has a reason; a module is named, or a pattern of modules that exist."""
    modules = [path.stem for path in (coverage_rtl.EXCLUSIONS.parents[1] / "rtl").rglob("*.sv")]
    for one in coverage_rtl.read_exclusions():
        assert select(one.module, modules), f"{one.name}: no such module"


# ---------------------------------------------------------------- the command


def test_what_runs_left_becomes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Merged, judged, and written in four forms; a failed run gives no coverage, but its test counts as failed."""
    runs, out = tmp_path / "list", tmp_path / "out"
    _run(runs / "a" / "good")
    _run(runs / "b", "tb_top-hbm3_s2", edit=_hole("if"))
    _run(runs / "c", status="fail")
    code = coverage_cmd.coverage_command(ListOptions(), take=[runs], out=out)
    said = capsys.readouterr()
    assert code == 1 and "functional coverage 2 of" in said.err
    report = json.loads((out / "take" / coverage_cmd.COVERAGE).read_text())
    assert (report["runs"], report["geometries"]) == (3, ["hbm2_s1", "hbm3_s2"])
    assert report["rtl"]["totals"]["line"] == {"hit": 3, "total": 3, "excluded": 0, "percent": 100.0, "goal": 98.0}
    ports = next(point for point in report["functional"]["points"] if point["name"] == "axi.port")
    assert ports["counts"] == {"pc0/read": 6, "pc1/write": 2} and ports["holes"] == ["pc0/write", "pc1/read"]
    plan = json.loads((out / "take" / coverage_cmd.PLAN_STATUS).read_text())
    bursts = next(feature for feature in plan["features"] if feature["name"] == "axi.bursts")
    assert bursts["status"] == "failed"
    wrap = next(test for test in bursts["tests"] if test["name"] == "axi_tests.EveryWrap")
    assert (wrap["passed"], wrap["failed"]) == (2, 1)
    lcov = (out / "take" / coverage_cmd.LCOV).read_text()
    assert f"SF:{coverage_rtl.sim.ROOT / FILE}" in lcov and "DA:27,144" in lcov and "BRDA:29,0,0,430" in lcov
    root = ET.parse(out / "take" / coverage_cmd.UCIS).getroot()
    names = {node.get("name") for node in root.iter() if node.tag.endswith("instanceCoverages")}
    assert names == {"hbm_lane_turn", "plan"}
    statuses = [node.get("testStatus") for node in root.iter() if node.tag.endswith("historyNodes")]
    assert sorted(map(str, statuses)) == ["false", "true", "true"]


def test_ucis_is_read_back(tmp_path: Path) -> None:
    """The library's reader finds what its writer was given."""
    from ucis.cover_type_t import CoverTypeT
    from ucis.scope_type_t import ScopeTypeT
    from ucis.xml.xml_reader import XmlReader

    _run(tmp_path / "list" / "a")
    out = tmp_path / "out"
    coverage_cmd.coverage_command(ListOptions(), take=[tmp_path / "list"], out=out)
    with (out / "take" / coverage_cmd.UCIS).open() as file:
        db = XmlReader().read(file)
    found = {scope.getScopeName(): scope for scope in db.scopes(ScopeTypeT.INSTANCE)}
    blocks = [
        item
        for scope in found["hbm_lane_turn"].scopes(ScopeTypeT.BLOCK)
        for item in scope.coverItems(CoverTypeT.STMTBIN)
    ]
    assert sorted(item.getCoverData().data for item in blocks) == [72, 8588, 88232]


def test_goals_can_be_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the goal: a line and exit 1. Nothing measured is no pass either."""
    runs = tmp_path / "list"
    _run(runs / "a", edit=_hole("if"))
    assert coverage_cmd.coverage_command(ListOptions(), take=[runs], out=tmp_path / "out") == 1
    assert "branch coverage 50.00 %, goal 98 %" in capsys.readouterr().err
    (runs / "a" / coverage_files.PACKED).unlink()
    assert coverage_cmd.coverage_command(ListOptions(), take=[runs], out=tmp_path / "out") == 1
    assert "toggle coverage nothing measured" in capsys.readouterr().err


def test_nothing_to_merge_is_one_line(tmp_path: Path) -> None:
    """An empty folder, and one that is not there."""
    with pytest.raises(InputError, match="nothing to merge"):
        coverage_cmd.coverage_command(ListOptions(), take=[tmp_path], out=tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        coverage_cmd.coverage_command(ListOptions(), take=[tmp_path / "no"], out=tmp_path / "out")


# ---------------------------------------------------------------- which runs count


def _listed(folder: Path, *names: str) -> None:
    """The database of a list that ran these, and their folders."""
    with JobStore(folder) as store:
        jobs = {name: _job(name, folder / "sources") for name in names}
        store.begin({name: job.key("as it is") for name, job in jobs.items()}, {}, About())
        outcomes = {name: Outcome("pass", content="as it is") for name in names}
        for name, job in jobs.items():
            _run(folder / name)
            store.add(job, outcomes[name])
        store.end(outcomes)
    (folder / "sources").write_text("as it is")


def test_a_folder_that_no_list_names_counts_nothing(tmp_path: Path) -> None:
    """A run that the list does not have any more gives neither bins nor tests: it is told."""
    runs = tmp_path / "list"
    _listed(runs, "new/a", "new/b")
    _run(runs / "old" / "gone")
    (runs / "sources").write_text("as it is")
    found = coverage_runs.look([runs])
    assert sorted(found.runs) == ["list/new/a", "list/new/b"] and len(found.functional) == 2
    assert found.left_out == ["1 run that no list names left out"]
    assert found.listed == {"axi_tests.EveryWrap"}


def test_runs_repeated_for_their_waves_count_nothing(tmp_path: Path) -> None:
    """They stand below the folder of the list, are none of its runs, and nothing is to be told of them."""
    runs = tmp_path / "list"
    _listed(runs, "new/a", "new/b")
    _listed(runs / AGAIN, "new/a")
    found = coverage_runs.look([runs])
    assert sorted(found.runs) == ["list/new/a", "list/new/b"] and found.left_out == []


def test_runs_of_other_sources_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What ran on another build or with another bench counts nothing, with a database and without; it is told."""
    runs, alone = tmp_path / "list", tmp_path / "alone"
    _listed(runs, "new/a", "new/b")
    _run(alone / "x")
    (alone.parent / "sources").write_text("edited")
    (runs / "sources").write_text("edited")
    with pytest.raises(InputError, match=r"nothing to merge \(3 runs of other sources left out\)"):
        coverage_cmd.coverage_command(ListOptions(), take=[runs, alone], out=tmp_path / "out")
    (runs / "sources").write_text("as it is")
    coverage_cmd.coverage_command(ListOptions(), take=[runs, alone], out=tmp_path / "out")
    report = json.loads((tmp_path / "out" / "take" / coverage_cmd.COVERAGE).read_text())
    assert report["runs"] == 2 and report["left_out"] == ["1 run of other sources left out"]
    assert "1 run of other sources left out" in capsys.readouterr().out


def test_a_folder_with_another_result_does_not_count(tmp_path: Path) -> None:
    """The database says one thing and the folder another: neither is believed. Nor is one without a job."""
    runs = tmp_path / "list"
    _listed(runs, "new/a", "new/b")
    (runs / "new" / "a" / "outcome.json").write_text(json.dumps({"status": "pass", "content": "another"}))
    found = coverage_runs.look([runs])
    assert list(found.runs) == ["list/new/b"] and found.gone == 1
    _run(tmp_path / "alone" / "x")
    (tmp_path / "alone" / "x" / "job.json").unlink()
    assert coverage_runs.look([tmp_path / "alone"]).other == 1


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A welcome one is left out with the reason; one that was asked for is an error."""
    runs, nightly = tmp_path / "list", tmp_path / "nightly"
    _listed(runs, "new/a")
    _listed(nightly, "new/b")
    with sqlite3.connect(nightly / DATABASE) as db:
        db.execute("PRAGMA user_version=1")
    found = coverage_runs.look([runs], [nightly])
    assert list(found.runs) == ["list/new/a"] and "written by another version" in found.left_out[-1]
    with pytest.raises(InputError, match="written by another version"):
        coverage_runs.look([nightly])


def test_a_test_with_parameters_is_one(tmp_path: Path) -> None:
    """It passed when it did with every one of them."""
    run = _run(tmp_path / "list" / "a")
    cases = (
        '<testcase classname="axi_tests" name="EveryWrap/n=0"/><testcase classname="axi_tests" name="EveryWrap/n=1">'
    )
    for end, sums in (("</testcase>", (1, 0)), ('<failure message="no"/></testcase>', (0, 1))):
        (run / "results.xml").write_text(f"<testsuites><testsuite>{cases}{end}</testsuite></testsuites>")
        assert coverage_runs.look([tmp_path / "list"]).tests == {"axi_tests.EveryWrap": sums}


def test_a_run_that_died_fails_its_tests(tmp_path: Path) -> None:
    """Its worker left neither content nor results: it is no run of other sources."""
    run = _run(tmp_path / "list" / "a")
    (run / "outcome.json").write_text(json.dumps({"status": "died", "content": ""}))
    (run / "results.xml").unlink()
    found = coverage_runs.look([tmp_path / "list"])
    assert found.tests == {"axi_tests.EveryWrap": (0, 1)} and not found.functional and not found.other


def test_functional_coverage_of_another_schema_is_told(tmp_path: Path) -> None:
    """One line with the file."""
    path = tmp_path / "coverage_X.json"
    path.write_text(json.dumps({"schema": SCHEMA - 1, "points": {}}))
    with pytest.raises(InputError, match=rf"coverage_X.json: schema {SCHEMA - 1}, expected {SCHEMA}"):
        coverage_runs.functional_hits([path])
    path.write_text("[]")
    with pytest.raises(InputError, match=r"coverage_X.json: no functional coverage"):
        coverage_runs.functional_hits([path])


def test_a_part_does_not_take_the_place_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--take, --quick, --only and other lists write below; build/coverage itself is the whole list's."""
    out = tmp_path / "out"
    monkeypatch.setattr(coverage_cmd, "NIGHTLY", tmp_path / "none")
    monkeypatch.setattr(coverage_cmd, "coverage_jobs", lambda *_: [])

    def ran(_title: str, home: Path, *_: object) -> ListResult:
        if not home.exists():
            _run(home / "a")
        return ListResult(0, {})

    monkeypatch.setattr(coverage_cmd, "run_list", ran)
    command = coverage_cmd.coverage_command
    command(ListOptions(), quick=True, out=out)
    command(ListOptions(only=("a",)), out=out)
    command(ListOptions(), "smoke", out=out)
    command(ListOptions(), take=[out / "coverage"], out=out)
    assert not (out / coverage_cmd.COVERAGE).exists() and not (out / coverage_cmd.PLAN_STATUS).exists()
    command(ListOptions(), out=out)
    given = {part: json.loads((out / part / coverage_cmd.COVERAGE).read_text())["list"]
             for part in ("quick", "only", "smoke", "take", "")}  # fmt: skip
    assert given.pop("take").startswith("runs below ")
    expected = {"quick": "coverage_quick, --quick", "only": "coverage, --only", "smoke": "smoke", "": "coverage"}
    assert given == expected


def test_only_three_geometries_are_instrumented() -> None:
    """The others run on ordinary builds, for functional coverage; every map and preset is in the list."""
    jobs = coverage_cmd.coverage_jobs(coverage_cmd.LIST, ListOptions())
    plain = {job.arguments["geometry"] for job in jobs if not job.arguments.get("coverage")}
    assert plain == {"hbm2_s2", "hbm3_s1", "hbm4_s1"}
    assert {job.arguments.get("geometry", "blocks") for job in jobs} == plain | set(coverage_cmd.BUILDS)
    assert all((coverage_files.PACKED in job.leaves) == bool(job.arguments.get("coverage")) for job in jobs)


def test_the_list_sets_up_everything_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each preset, geometry, map, delay and level of back-pressure of the plan is of a run of it, not of chance."""
    coverage = Coverage()
    for job in coverage_cmd.coverage_jobs(coverage_cmd.LIST, ListOptions()):
        if "bench" in job.arguments:
            monkeypatch.setenv(ENVIRONMENT, json.dumps(job.arguments["bench"]))
            coverage.set_up(BenchConfig.from_environment())
    hit = coverage.report()["points"]
    points = ("setup.preset", "setup.generation", "setup.map", "setup.rd_delay", "setup.rows", "axi.ready")
    needed = {name: bins for name, bins in wanted(read_plan()).items() if name in points}
    assert len(needed) == len(points)
    assert {name: [bin for bin in bins if bin not in hit[name]] for name, bins in needed.items()} == dict.fromkeys(
        needed, []
    )


# ---------------------------------------------------------------- tightness


def _tight(
    path: Path, content: str = "as it is", cell: str = "tight", presets: tuple[str, ...] = tight.PRESETS
) -> Path:
    """A result file with one rule."""
    given = {
        "revision": "0123456789ab",
        "date": "2026-11-23 06:00 UTC",
        "presets": {name: {"content": content, "holes": [], "failure": ""} for name in presets},
        "rules": [{"rule": "tRAS", "presets": {name: {"0": {"verdict": cell}} for name in presets}}] if cell else [],
    }
    path.write_text(json.dumps(given))
    return path


def test_tightness_belongs_to_the_goals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No result, a hole, one of other sources, a preset less, nothing in it: each is told, with the command."""
    monkeypatch.setattr(tight_state.Contents, "of", lambda *_: "as it is")
    path = tmp_path / "tight.json"
    assert tight_state.read(path).missed == ["tightness is not measured: `make tight` measures it"]
    assert tight_state.read(_tight(path)).missed == []
    assert tight_state.read(_tight(path, cell="hole")).missed == ["tightness 0 of 5 reachable bounds met"]
    assert tight_state.read(_tight(path, cell="")).missed == ["tightness 0 of 0 reachable bounds met"]
    old = tight_state.read(_tight(path, content="before"))
    (line,) = old.missed
    assert line.startswith("tightness of hbm2_2000_eng, ") and not old.rules
    assert "is of other sources (0123456789ab, 2026-11-23 06:00 UTC): `make tight`" in line
    (line,) = tight_state.read(_tight(path, presets=tight.PRESETS[1:])).missed
    assert line == "tightness of hbm2_2000_eng is not measured: `make tight` measures it"
    path.write_text("{")
    assert "cannot be read" in tight_state.read(path).missed[0]


def test_a_result_of_tight_is_stamped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hbm tight` writes is read back: it holds while the content is that of now."""
    cells = {("tRAS", 0): tight.Cell(tight.TIGHT), ("tRP", 0): tight.Cell(tight.UNREACHABLE)}
    tight.write(tmp_path, [tight.Outcome(name, cells, {}, "", f"{name} as it is") for name in tight.PRESETS])
    path = tmp_path / tight.RESULT
    assert json.loads(path.read_text())["date"]
    monkeypatch.setattr(tight_state.Contents, "of", lambda _, job: f"{job.name} as it is")
    state = tight_state.read(path)
    assert state.missed == [] and state.rules == {"tRAS": (5, 5), "tRP": (0, 0)}
    monkeypatch.setattr(tight_state.Contents, "of", lambda *_: "edited")
    assert tight_state.read(path).rules == {} and len(tight_state.read(path).missed) == 1


def test_the_verdict_names_tightness(tmp_path: Path) -> None:
    """A report without a result of `hbm tight` misses a goal."""
    _run(tmp_path / "list" / "a")
    report = coverage_cmd.report_of("x", [tmp_path / "list"], tightness=tmp_path / "none.json")
    assert "tightness is not measured: `make tight` measures it" in coverage_cmd.verdict(report)
    assert "no RTL coverage of the builds hbm3_s2, hbm4_s2, blocks" in coverage_cmd.verdict(report)


def test_what_all_builds_lack_is_wrong(tmp_path: Path) -> None:
    """With the data of all builds: a pattern of files apart that fits nothing, and logs that name nothing."""
    for number, build in enumerate(("tb_top-hbm2_s1", "tb_top-hbm3_s2", "tb_top-hbm4_s2", "tb_blocks-hbm2_s1")):
        _run(tmp_path / "list" / f"r{number}", build)
    path = tmp_path / "exclusions.yaml"
    path.write_text("- {apart: rtl/none/*, reason: written by a generator}\n")
    report = coverage_cmd.report_of("x", [tmp_path / "list"], exclusions=path)
    assert report.builds == sorted(coverage_cmd.BUILDS) and report.wrong[0] == "apart rtl/none/*: matches no file"
    assert report.wrong[1].startswith("the logs of the builds name no signal") and len(report.wrong) == 2


# ---------------------------------------------------------------- functional points


def _commands(*rows: tuple[float, Cmd, int, int]) -> np.ndarray:
    """Records of (CK, command, PC, bank of group 0)."""
    out = np.zeros(len(rows), records.CMD)
    for at, (ck, command, pc, bank) in enumerate(rows):
        out[at] = (int(2 * ck), command, pc, 0, 0, bank, 0, 5)
    return out


def test_command_points() -> None:
    """Sequences go on over batches and PREA reaches every bank; turns and shared cycles are told apart."""
    coverage = Coverage()
    coverage.set_up(BenchConfig(preset="hbm2_2000_eng"))
    coverage.commands_seen(_commands((0, Cmd.ACT, 0, 1), (20, Cmd.RD, 0, 1), (21, Cmd.WR, 1, 0), (24, Cmd.WR, 0, 1)))
    coverage.commands_seen(_commands((40, Cmd.PREA, 0, 0), (60, Cmd.REF, 0, 0)))
    coverage.commands_seen(_commands((100, Cmd.PRE, 0, 2), (101, Cmd.PRE, 1, 0), (104, Cmd.ACT, 0, 1)))
    points = coverage.report()["points"]
    assert points["dram.sequence"] == {
        "NOP/ACT": 1, "ACT/RD": 1, "RD/WR": 1, "WR/PREA": 1, "NOP/PREA": 15, "PREA/REF": 16, "REF/PRE": 1, "NOP/WR": 1,
        "WR/PRE": 1, "REF/ACT": 1,
    }  # fmt: skip
    assert points["sched.turn"] == {"pc0/read write/same bank": 1}
    assert points["dram.row_cycle"] == {"ACT alone": 2, "slot A": 2, "slots A and B": 1}
    assert points["dram.column_cycle"] == {"pc0": 1, "both": 1}
    assert points["dram.row_bit"]["0/1"] == 2 and points["dram.row_bit"]["1/0"] == 2
    assert points["dram.slot"]["pc1/WR/p1 rise"] == 1
    assert points["setup.preset"] == {"hbm2_2000_eng": 1}


def test_register_points() -> None:
    """Values by class, strobes, errors, and a commit with and without open requests."""
    coverage = Coverage()
    events = np.zeros(4, records.EV)
    page, ctrl = coverage_register("policy.page"), coverage_register("ctrl")
    events[0] = (1, records.EV_REGISTER, page, 7 | 0xF << 32)
    events[1] = (2, records.EV_REGISTER, page, 0 | 0x2 << 32)  # the byte of `page` is left out
    events[2] = (3, records.EV_REGISTER, page, 1 << 36 | 0xF << 32)
    events[3] = (4, records.EV_REGISTER, ctrl, 2 | 0xF << 32)
    coverage.outside_seen(events)
    points = coverage.report()["points"]
    assert {name: n for name, n in points["csr.field"].items() if name.startswith("policy.page.page/")} == {
        "policy.page.page/most": 1
    }
    assert points["csr.write"] == {"ok/whole word": 2, "ok/part": 1, "error/whole word": 1}
    assert points["setup.commit"] == {"at rest": 1}


def coverage_register(path: str) -> int:
    """Address of a register."""
    from hbm_tb.link import BY_PATH

    return BY_PATH[path].address


def test_points_have_distinct_bins() -> None:
    """No two bins of a point have one name."""
    for name, point in POINTS.items():
        assert len(set(point.bins)) == len(point.bins), name
