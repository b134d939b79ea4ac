"""Lists of a user's own tests, parameter files and DUT: what they expand to, what a result depends on, what is refused.

Nothing is simulated here; tests/own runs such lists.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hbm_model.command_line import typed_here
from hbm_model.errors import InputError
from hbm_tb import own_build, own_run, sim, sources
from hbm_tb.job_list import ListOptions, shown
from hbm_tb.job_view import shown_log
from hbm_tb.jobs import Job
from hbm_tb.list_file import Overrides, jobs_of_list, read_list
from hbm_tb.own_coverage import headline, merged

TESTS = """\
import pyuvm
import help_of_mine
from parts import deep


@pyuvm.test()
class First(Base):
    pass


@pyuvm.test()
class Second(Base):
    pass
"""
# Gives a build that nothing has compiled, and says with which arguments.
DUT = """\
import json, os
from pathlib import Path
from hbm_tb.sim import Build

os.environ["MADE_BY_DUT"] = "1"
HERE = Path(__file__).parent
assert Path.cwd() == HERE


def build(top="my_top", preset="hbm2_2000_eng", timing=None):
    with (HERE / "calls").open("a") as calls:
        calls.write(json.dumps([top, preset, timing]) + "\\n")
    geometry = "hbm3_s2" if preset.startswith("hbm3") else "hbm2_s1"
    return Build(geometry, top, HERE / f"{top}-{(HERE / 'my.sv').read_text()}", False, False, 0.0, own=True)


def fixed():
    return build()


def nothing():
    return None


def broken():
    import help_of_mine
    return help_of_mine.no_such_name


def leaves():
    raise SystemExit("no licence")


def needs(width):
    return build()
"""
LIST = """\
configurations:
  small: {build: {top: small_top}, plusargs: [+bug=rcd, fast], settings: {watchdog: 900, timing: {RP: 15}}}
  ours: {registers: {RP: 20}}
runs:
  - name: a
    dut: dut.py:build
    tests: my_tests.py
    presets: [hbm2_2000_eng, part.yaml]
    configurations: small
    seeds: 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A team's folder: tests with modules beside them, a DUT, parameters, a map, data."""
    texts = {
        "my_tests.py": TESTS,
        "help_of_mine.py": "ADDRESS = 32\n",
        "parts/__init__.py": "",
        "parts/deep.py": "from . import deeper\n",
        "parts/deeper.py": "X = 1\n",
        "dut.py": DUT,
        "my.sv": "one",
        "part.yaml": "base: hbm2_2000_eng\nRP: 17\ntCK_ns: 1\n",
        "map.yaml": "layout: pc col bg bank sid row\n",
        "data/image.hex": "0\n",
        "list.yaml": LIST,
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def jobs(folder: Path, text: str = "", **how: Overrides) -> dict[str, Job]:
    """The jobs of a list in the folder."""
    if text:
        (folder / "list.yaml").write_text(text)
    found = jobs_of_list(str(folder / "list.yaml"), ListOptions(), *how.values())
    return {job.name: job for job in found}


def test_a_list_of_a_dut_is_a_product_too(folder: Path) -> None:
    """Tests x values x configurations x seeds; what builds the DUT, its plusargs and its settings are in each run."""
    found = jobs(folder)
    assert len(found) == 2 * 2 * 2 and "a/part/small/Second/seed_2" in found
    job = found["a/hbm2_2000_eng/small/First/seed_1"]
    given = job.arguments
    assert (given["dut"], given["function"]) == (str(folder / "dut.py"), "build")
    assert given["build"] == {"top": "small_top", "preset": "hbm2_2000_eng", "timing": {"RP": 15}}
    assert given["plusargs"] == ["bug=rcd", "fast"] and given["seed"] == 1
    assert given["bench"] == {"preset": "hbm2_2000_eng", "watchdog": 900, "timing": {"RP": 15}}
    assert (given["module"], given["test"]) == (str(folder / "my_tests.py"), "First")
    assert job.leaves == ("coverage_First.json",) and job.reproduce == given["reproduce"]
    assert job.reproduce == f"hbm regress --list {folder}/list.yaml --only {job.name} --waves"
    assert not (folder / "calls").exists()  # nothing of the user's has run yet
    only = jobs(folder, how=Overrides(presets=("part",), seeds=1))
    assert list(only) == ["a/part/small/First", "a/part/small/Second"]
    assert only["a/part/small/First"].arguments["bench"]["timing"] == {"RP": 15}  # the configuration has its way


def test_rtl_coverage_of_a_dut_is_an_argument_of_its_build(folder: Path) -> None:
    """A run of such a build owes Verilator's data; `hbm coverage` asks for them in the same way."""
    (folder / "dut.py").write_text(DUT.replace("timing=None", "timing=None, coverage=False"))
    text = LIST.replace("{top: small_top}", "{coverage: true}")
    job = next(iter(jobs(folder, text).values()))
    assert job.arguments["build"]["coverage"] is True and job.leaves == ("coverage_First.json", "coverage.dat.zst")
    (folder / "dut.py").write_text(DUT)
    asked = replace(next(iter(jobs(folder, LIST).values())), arguments={**job.arguments, "coverage": True})
    with pytest.raises(InputError, match=r"build\(\) takes no parameter coverage, which RTL coverage needs"):
        asked.content()


def test_parameter_files_stand_where_presets_do(folder: Path) -> None:
    """Tests on our channel, patterns and a DUT run with the values of the file; groups may hold it."""
    runs = """\
presets: {mine: [part.yaml]}
runs:
  - {name: t, tests: my_tests.py:First, presets: mine}
  - {name: p, patterns: mixed, pcs: 1, presets: [mine, hbm3_6400_eng]}
  - {name: d, dut: 'dut.py:build', tests: 'my_tests.py:First', presets: mine}
"""
    found = jobs(folder, runs)
    assert list(found) == ["t/part", "p/part/p1/mixed", "p/hbm3_6400_eng/p1/mixed", "d/part"]
    assert found["t/part"].arguments["bench"]["timing"] == {"RP": 17}
    assert found["p/part/p1/mixed"].arguments["options"]["settings"] == ("RP=17",)
    assert found["d/part"].arguments["build"]["timing"] == {"RP": 17}
    before = {job.key("x") for job in found.values()}
    (folder / "part.yaml").write_text("base: hbm2_2000_eng\nRP: 18\n")
    changed = [job.name for job in jobs(folder).values() if job.key("x") not in before]
    assert changed == ["t/part", "p/part/p1/mixed", "d/part"]


def test_the_name_of_a_list_is_no_part_of_its_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a user writes the path of the list: the runs are the same, and what is known of them holds."""
    monkeypatch.chdir(folder)
    names = ("list.yaml", "./list.yaml", str(folder / "list.yaml"))
    keys = [[job.key("x") for job in jobs_of_list(name, ListOptions())] for name in names]
    monkeypatch.chdir(folder.parent)  # from elsewhere too: the line that repeats a run works there
    found = jobs_of_list(f"{folder.name}/list.yaml", ListOptions())
    keys.append([job.key("x") for job in found])
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert f"hbm regress --list {folder.name}/list.yaml --only " in typed_here(found[0].reproduce)
    monkeypatch.chdir("/usr")
    assert f"hbm regress --list {folder / 'list.yaml'} --only " in typed_here(found[0].reproduce)


def test_paths_that_are_printed_work_in_the_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative below the folder that the user is in, else absolute; logs are kept as seen from the sources."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b") == "a/b" and shown(sim.ROOT / "build" / "x") == str(sim.ROOT / "build" / "x")
    assert shown_log("build/x/sim.log") == str(sim.ROOT / "build" / "x" / "sim.log")
    assert shown_log(str(tmp_path / "sim.log")) == "sim.log"
    monkeypatch.chdir(sim.ROOT)
    assert shown_log("build/x/sim.log") == "build/x/sim.log" == shown(sim.ROOT / "build/x/sim.log")


# ---------------------------------------------------------------- what a result depends on


def contents(folder: Path, text: str = "") -> dict[str, str]:
    """Content of each job."""
    return {name: job.content() for name, job in jobs(folder, text).items()}


EDITS = {
    "the tests": ("my_tests.py", TESTS + "# more\n"),
    "a module beside them": ("help_of_mine.py", "ADDRESS = 64\n"),
    "a package beside them": ("parts/deeper.py", "X = 2\n"),
    "a file that they read": ("data/image.hex", "1\n"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_changed_file_is_run_again(folder: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On our channel and on a DUT: the content of a job follows the files of the user, and nothing else does."""
    monkeypatch.setattr(sim, "build", lambda geometry, **_: sim.Build(geometry, "tb_top", Path("b"), False, False, 0.0))
    text = """\
runs:
  - {name: ours, tests: my_tests.py, presets: hbm2_2000_eng, files: data/*}
  - {name: dut, dut: 'dut.py:build', tests: my_tests.py, presets: hbm2_2000_eng, files: [data/image.hex]}
"""
    before = contents(folder, text)
    (folder / "unrelated.py").write_text("X = 1\n")
    assert contents(folder) == before
    name, changed = EDITS[what]
    (folder / name).write_text(changed)
    after = contents(folder)
    assert len(after) == 4 and not [name for name in before if after[name] == before[name]]


def test_a_changed_map_is_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is seen from the folder of the list, and its content is a part of what a result holds for."""
    monkeypatch.setattr(sim, "build", lambda geometry, **_: sim.Build(geometry, "tb_top", Path("b"), False, False, 0.0))
    text = """\
configurations: {mapped: {map: map.yaml}}
runs:
  - {name: t, tests: 'my_tests.py:First', presets: hbm2_2000_eng, configurations: mapped}
  - {name: p, patterns: mixed, pcs: 1, presets: hbm2_2000_eng, configurations: mapped}
"""
    before = contents(folder, text)
    assert jobs(folder)["t/hbm2_2000_eng/mapped"].arguments["bench"]["map_name"] == str(folder / "map.yaml")
    (folder / "map.yaml").write_text("layout: pc bg col bank sid row\n")
    assert all(before[name] != content for name, content in contents(folder).items()) and len(before) == 2


def test_a_changed_dut_is_run_again(folder: Path) -> None:
    """The build that the function returns names its sources; runs that share it ask once."""
    before = contents(folder)
    (folder / "my.sv").write_text("two")
    assert all(content != before[name] for name, content in contents(folder).items())


def test_a_build_is_named_by_its_sources_and_what_they_include(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change of a source, of a header or of a header's header gives another build."""
    monkeypatch.setattr(sim, "BUILD_ROOT", folder / "build")
    (folder / "inc").mkdir()
    for name, text in (("a.svh", '`include "b.svh"\n'), ("b.svh", "// 1\n")):
        (folder / "inc" / name).write_text(text)
    (folder / "my.sv").write_text('  `include "a.svh"\nmodule wrong\n')
    design = sim.Design([folder / "my.sv"], include=[folder / "inc"])

    def made() -> set[str]:
        with pytest.raises(sim.SimError, match="verilator failed"):
            own_run.build(design, "my_top")
        return {path.name for path in (folder / "build").glob("my_top-*-own-*") if path.is_dir()}

    assert len(made()) == 1 and len(made()) == 1
    for number, name in enumerate(("inc/b.svh", "inc/a.svh", "my.sv"), start=2):
        (folder / name).write_text((folder / name).read_text() + "// changed\n")
        assert len(made()) == number


# ---------------------------------------------------------------- calling the user's function


def test_a_call_leaves_nothing_behind(folder: Path) -> None:
    """Environment, path and modules of the runner are as before; a process that only simulates keeps them."""
    path = list(sys.path)
    built = own_build.build_of(folder / "dut.py", "build", {"top": "other"})
    assert built.top == "other" and built.geometry == "hbm2_s1"
    assert "MADE_BY_DUT" not in os.environ and "dut" not in sys.modules and sys.path == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "dut.py:21: nothing() returned None, expected what hbm_tb.own_run.build returns"),
        ("broken", "dut.py:27: broken(): AttributeError: "),
        ("leaves", "dut.py:31: leaves(): SystemExit: no licence"),
        ("none", "no function 'none'; expected one of build, fixed, nothing"),
    ],
)
def test_a_function_that_fails_is_told_in_one_line(folder: Path, name: str, message: str) -> None:
    """With the line of the user's file."""
    with pytest.raises(InputError) as told:
        own_build.build_of(folder / "dut.py", name, {})
    assert message in str(told.value) and "\n" not in str(told.value)


def test_a_build_of_another_generation_is_refused(folder: Path) -> None:
    """A function without the parameter preset builds for one geometry only."""
    text = LIST.replace("dut.py:build", "dut.py:fixed").replace("    configurations: small\n", "")
    job = next(iter(jobs(folder, text.replace("[hbm2_2000_eng, part.yaml]", "hbm3_6400_eng")).values()))
    with pytest.raises(InputError, match=r"dut.py:17: fixed\(\) built hbm2_s1, but hbm3_6400_eng needs hbm3_s2"):
        job.content()


# ---------------------------------------------------------------- bad lists

RUN = "runs:\n  - name: a\n    dut: dut.py:build\n    tests: my_tests.py\n    presets: hbm2_2000_eng\n"
CONFIGURED = RUN + "    configurations: c\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (RUN.replace("dut.py:build", "dut.py"), 3, "dut: expected file.py:function, what builds the DUT, found dut.py"),
        (RUN.replace("dut.py:build", "no.py:build"), 3, "no.py: no such file"),
        (RUN.replace("dut.py:build", "dut.py:make"), 3, "dut.py: no function 'make'; expected one of build, fixed"),
        (RUN.replace("dut.py:build", "dut.py:needs"), 2, r"needs\(\) needs width; expected a configuration with build"),
        (RUN.replace("my_tests.py", "smoke_tests"), 4, "expected file.py or file.py:Test, tests of the DUT"),
        (RUN.replace("my_tests.py", "my_tests.py:Frist"), 4, "no test Frist; expected one of First, Second"),
        (RUN.replace("my_tests.py", "your_tests.py"), 4, "your_tests.py: no such file"),
        (RUN.replace("my_tests.py", "[my_tests.py, more/my_tests.py]"), 4, "two tests of this entry are called First"),
        (RUN + "    transactions: 9\n", 6, "an entry with a dut has no transactions; expected plusargs or settings"),
        (RUN + "    files: img/*.hex\n", 6, r"img/\*.hex matches no file in the folder of the list"),
        (RUN.replace("tests: my_tests.py", "soak: 100"), 3, "an entry of soak has no dut"),
        ("configurations: {c: {registers: {RP: 20}}}\n" + CONFIGURED, 7, "c has registers; expected a .* of a DUT"),
        ("configurations: {c: {plusargs: x}}\n" + CONFIGURED.replace("    dut: dut.py:build\n", ""), 6,
         "c has plusargs; expected a configuration of our channel"),
        ("configurations: {c: {build: {topp: x}}}\n" + CONFIGURED, 7, "no parameter topp .*; expected one of top"),
        ("configurations: {c: {build: {preset: x}}}\n" + CONFIGURED, 7, "no parameter preset to be set here"),
        ("configurations: {c: {settings: {watchdog: no}}}\n" + CONFIGURED, 1, "expected a value like 50000, found no"),
        ("configurations: {c: {settings: {watchdo: 1}}}\n" + CONFIGURED, 1, "unknown key watchdo; is watchdog meant"),
        ("configurations: {c: {settings: {timing: {XX: 1}}}}\n" + CONFIGURED, 1, "unknown key XX .known here: .*RCDRD"),
        ("configurations: {c: {settings: {timing: {RP: x}}}}\n" + CONFIGURED, 1, "RP: expected a number of CK"),
        (RUN.replace("hbm2_2000_eng", "no.yaml"), 5, "no.yaml: cannot read parameters: No such file"),
        (RUN.replace("hbm2_2000_eng", "bad.yaml"), 5, r"bad.yaml:2: 'RPP' is not a parameter"),
        (RUN.replace("hbm2_2000_eng", "[part.yaml, more/part.yaml]"), 5, "another set .* is called part too; rename"),
        ("runs:\n  - name: a\n    soak: 90\n    presets: part.yaml\n", 4, "parameter files go with tests"),
        ("configurations: {c: {map: no.yaml}}\n" + RUN, 1, "no.yaml: no such file"),
        ("configurations: {c: {registers: random}}\nruns:\n  - {name: a, tests: my_tests.py, presets: part.yaml, "
         "configurations: c}\n", 3, "c draws its registers for a preset, part is a parameter file"),
    ],
)  # fmt: skip
def test_a_bad_list_is_told_with_file_and_line(folder: Path, text: str, line: int, problem: str) -> None:
    """One line, the right one; nothing of the user's has run by then."""
    (folder / "bad.yaml").write_text("base: hbm2_2000_eng\nRPP: 17\n")
    (folder / "more").mkdir()
    (folder / "more" / "my_tests.py").write_text(TESTS)
    (folder / "more" / "part.yaml").write_text("base: hbm2_2000_eng\nRP: 19\n")
    file = folder / "list.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=problem) as told:
        read_list(file)
    assert str(told.value).startswith(f"{file}:{line}: ") and "\n" not in str(told.value)
    assert not (folder / "calls").exists()


# ---------------------------------------------------------------- coverage, sources


def test_coverage_of_runs_is_added(tmp_path: Path) -> None:
    """Counts are sums, the least slack is the least of all, and rules that were never close are named."""
    for number, slack in enumerate((3.0, 0.0)):
        rules = [
            {"rule": "tRCDRD", "pc": 0, "seen": 5, "least_slack_ck": slack},
            {"rule": "tFAW", "pc": 0, "seen": 1, "least_slack_ck": 20.0 + slack},
        ]
        given = {"schema": 2, "points": {"own.request": {"read": 2, f"only {number}": 1}}, "rules": rules}
        (tmp_path / f"coverage_{number}.json").write_text(json.dumps(given))
    found = merged(sorted(tmp_path.iterdir()))
    assert found["points"]["own.request"] == {"read": 4, "only 0": 1, "only 1": 1}
    assert found["rules"][0] == {"rule": "tRCDRD", "pc": 0, "seen": 10, "least_slack_ck": 0.0}
    assert headline(found) == "3 bins hit in 2 runs; 1 of 2 rules met at their bound, never within 16 CK: tFAW"


def test_packages_and_relative_imports_are_followed(folder: Path) -> None:
    """What lies beside a test file, at any depth; the library's own modules wherever they are."""
    names = {str(path.relative_to(folder)) for path in sources.closure(str(folder / "my_tests.py"))}
    assert names == {"my_tests.py", "help_of_mine.py", "parts/__init__.py", "parts/deep.py", "parts/deeper.py"}
