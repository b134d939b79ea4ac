"""Lists of runs: what a good one expands to, and the one line that a bad one ends with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_model.presets import PRESET_NAMES
from hbm_tb.cli_regress import regress_command
from hbm_tb.job_list import ListOptions
from hbm_tb.jobs import check_names, select
from hbm_tb.list_file import Overrides, jobs_of_list, list_names, read_list
from hbm_tb.sources import names_of_tests

GOOD = """\
about: for a test
seed: 5
presets:
  both: [hbm2_2000_eng, hbm3_6400_eng]
configurations:
  closed: {registers: {page: 3, RP: 20}}
  hot: {map: row_bank_col, bench: {temp: 6, ready_r: [40, 200]}}
runs:
  - name: random
    tests: [random_tests.RandomSoak, smoke_tests]
    presets: both
    configurations: [closed, hot]
    transactions: 700
    seeds: 2
  - name: soak
    soak: 800
    presets: [hbm4_8000_eng_s2]
  - name: trace
    recordings: [gemm]
    presets: both
    configurations: closed
    requests: 100
  - name: pattern
    patterns: all
    pcs: 1
    presets: peers_hbm3
    timeout_s: 7
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "own.yaml"
    file.write_text(text)
    return file


def test_a_list_is_a_product(tmp_path: Path) -> None:
    """Tests x presets x configurations x seeds; each run has its settings and the command that repeats it."""
    jobs = {job.name: job for job in jobs_of_list(str(written(tmp_path, GOOD)), ListOptions())}
    check_names(list(jobs.values()))
    assert len(jobs) == 2 * 2 * 3 * 2 + 1 + 2 + 6
    run = jobs["random/hbm2_2000_eng/closed/RandomSoak/seed_5"]
    assert run.arguments["bench"]["timing"] == {"RP": 20} and run.arguments["bench"]["policy"] == {"page.page": 3}
    assert run.arguments["bench"]["job"] == {"transactions": 700} and run.arguments["bench"]["seed"] == 5
    hot = jobs["random/hbm3_6400_eng/hot/ShortRandom/seed_6"].arguments
    assert hot["bench"]["temp"] == 6 and hot["bench"]["ready_r"] == [40, 200] and hot["geometry"] == "hbm3_s2"
    assert hot["bench"]["map_name"] == "row_bank_col"
    soak = jobs["soak/hbm4_8000_eng_s2/seed_5"]
    assert soak.arguments["bench"]["job"]["transactions"] == 800 and len(soak.arguments["bench"]["timing"]) > 20
    trace = jobs["trace/hbm3_6400_eng/closed/gemm"].arguments["options"]
    assert trace["settings"] == ("page=3", "RP=20") and trace["count"] == 100
    pattern = jobs["pattern/peers_hbm3/p1/chase"]
    assert pattern.timeout_s == pattern.arguments["timeout_s"] == 7
    for job in jobs.values():
        assert job.reproduce == f"hbm regress --list {tmp_path}/own.yaml --only {job.name} --waves"
        assert select(list(jobs.values()), [job.name]) == [job]


def test_the_command_line_overrides_the_list(tmp_path: Path) -> None:
    """First seed, number of seeds, presets and transactions; the command that repeats a run says the same."""
    file = str(written(tmp_path, GOOD))
    how = Overrides(seed=90, seeds=3, presets=("hbm3_6400_eng",), transactions=50)
    jobs = {job.name: job for job in jobs_of_list(file, ListOptions(), how)}
    run = jobs["random/hbm3_6400_eng/hot/RandomSoak/seed_92"]
    assert run.arguments["bench"]["job"] == {"transactions": 50} and run.arguments["seed"] == 92
    assert not any("hbm2" in name or "hbm4" in name for name in jobs) and len(jobs) == 2 * 3 * 3 + 3
    words = "--seed 90 --seeds 3 --preset hbm3_6400_eng --transactions 50"
    assert run.reproduce == f"hbm regress --list {file} {words} --only {run.name} --waves"
    with pytest.raises(InputError, match="--preset hbm9: own has only hbm2_2000_eng"):
        jobs_of_list(file, ListOptions(), Overrides(presets=("hbm9",)))


OWN = """\
import pyuvm
from hbm_tb.test_base import HbmTest


@pyuvm.test()
class Mine(HbmTest):
    pass


@pyuvm.test()
class Other(HbmTest):
    pass
"""


def test_files_of_the_user_are_tests_too(tmp_path: Path) -> None:
    """A path is seen from the folder of the list; one test, or all of the file."""
    (tmp_path / "own_tests.py").write_text(OWN)
    text = RUN.replace("smoke_tests", "[own_tests.py, smoke_tests.ShortRandom]")
    jobs = jobs_of_list(str(written(tmp_path, text)), ListOptions())
    assert [job.name.split("/")[-1] for job in jobs] == ["Mine", "Other", "ShortRandom"]
    assert jobs[0].arguments["module"] == str(tmp_path / "own_tests.py") and jobs[0].arguments["test"] == "Mine"
    (one,) = jobs_of_list(str(written(tmp_path, RUN.replace("smoke_tests", "own_tests.py:Other"))), ListOptions())
    assert one.arguments["test"] == "Other"
    for name, problem in (("own_tests.py:No", "own_tests.py has no test No"), ("no.py", "no such file")):
        with pytest.raises(InputError, match=f":3: .*{problem}"):
            read_list(written(tmp_path, RUN.replace("smoke_tests", name)))


def test_the_lists_of_the_repository() -> None:
    """All can be read; the nightly one has at least 500 runs over all presets, builds and system tests."""
    assert {"smoke", "nightly"} <= set(list_names())
    for name in list_names():
        check_names(jobs_of_list(name, ListOptions()))
    nightly = jobs_of_list("nightly", ListOptions())
    assert len(nightly) >= 500
    presets = {(job.arguments.get("bench") or {}).get("preset", "hbm2_2000_eng") for job in nightly}
    presets |= {(job.arguments.get("options") or {}).get("preset", "") for job in nightly}
    stacks = [stem for stem in PRESET_NAMES if not stem.startswith("peers")]
    assert {*PRESET_NAMES, *(f"{stem}_s{sids}" for stem in stacks for sids in (1, 2))} <= presets
    builds = {f"hbm{generation}_s{sids}" for generation in (2, 3, 4) for sids in (1, 2)}
    assert {job.arguments.get("geometry") for job in nightly} >= builds
    run = {(job.arguments.get("module"), job.arguments.get("test")) for job in nightly}
    folder = Path(__file__).resolve().parents[2] / "tb" / "tests"
    for module in ("smoke", "axi", "control", "dram", "policy", "effect", "random", "hbm4"):
        for test in names_of_tests(folder / f"{module}_tests.py"):
            assert (f"{module}_tests", test) in run, f"the nightly list never runs {module}_tests.{test}"


RUN = "runs:\n  - name: a\n    tests: smoke_tests\n    presets: hbm2_2000_eng\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "expected a mapping, found nothing"),
        ("runs: [\n", 2, "no YAML"),
        ("about: x\n", 1, "expected a key runs"),
        ("runs: 3\n", 1, r"runs: expected a list .*, found 3"),
        ("runs: []\n", 1, "runs: expected at least one entry"),
        (RUN.replace("name: a", "name: x y"), 2, r"runs\[0\].name: 'x y' is no name for a run; expected letters"),
        (RUN.replace("name: a", "name: ../x"), 2, "'../x' is no name for a run"),
        (RUN.replace("name: a", "name: again"), 2, "again is taken for files of the list"),
        ("configurations:\n  a b: {map: peers}\n" + RUN, 2, "'a b' is no name for a run"),
        ("configurations:\n  c: {bench: {temp: 99}}\n" + RUN, 2, "temp: expected a whole number from 0 to 7, found 99"),
        ("configurations:\n  c: {bench: {ready_r: [a, b]}}\n" + RUN, 2, r"ready_r\[0\]: expected a whole number from"),
        ("configurations:\n  c: {bench: {ready_b: [9, 300]}}\n" + RUN, 2, r"ready_b\[1\]: .* 0 to 256, found 300"),
        ("configurations:\n  c: {bench: {ready_b: [9]}}\n" + RUN, 2, "ready_b: expected 2 numbers, one a port,"),
        ("configurations:\n  c: {bench: {batch: 0}}\n" + RUN, 2, "a whole number of at least 1, found 0"),
        ("configurations:\n  c: {settings: {ck_ns: -1}}\n" + RUN, 2, "ck_ns: expected a number above 0, found -1"),
        (RUN + "    seeds: 0\n", 5, r"runs\[0\].seeds: expected a whole number of at least 1, found 0"),
        (RUN + "    seeds: two\n", 5, "expected a whole number of at least 1, found two"),
        (RUN + "    seed: 2\n", 5, r"unknown key seed; is seeds meant\? \(known here: name, presets"),
        (RUN + "    timeout_s: 0\n", 5, "expected a number above 0, found 0"),
        (RUN + "    requests: 5\n", 5, "an entry of tests has no requests"),
        (RUN + "    soak: 5\n", 2, "expected exactly one of tests, soak, .*, found tests, soak"),
        (RUN + "    name: b\n", 5, "name stands here twice"),
        (RUN + RUN.removeprefix("runs:\n"), 5, "expected a name of its own, a stands above"),
        (RUN.replace("smoke_tests", "smoke"), 3, "no module smoke in tb/tests; expected one of .*smoke_tests"),
        (RUN.replace("smoke_tests", "smoke_tests.Short"), 3, "smoke_tests has no test Short; expected one of Wri"),
        (RUN.replace("hbm2_2000_eng", "hbm5"), 4, r"runs\[0\].presets: unknown preset 'hbm5', expected one of"),
        (RUN.replace("hbm2_2000_eng", "hbm3_6400_eng_s4"), 4, "no RTL is generated for hbm3_s4, only hbm2_s1"),
        (RUN + "    configurations: [closed]\n", 5, "closed is no configuration of this file"),
        (RUN + "    except: {Nothing: because}\n", 5, "Nothing is none of the tests of this entry"),
        (RUN + "    except: {ShortRandom: }\n", 5, "expected a text, found nothing"),
        ("configurations:\n  c: {registers: {RQ: 3}}\n" + RUN, 2, "RQ is neither a timing parameter nor one of"),
        ("configurations:\n  c: {registers: {page: 9}}\n" + RUN, 2, "page.page holds 0 to 7"),
        ("configurations:\n  c: {bench: {temp: warm}}\n" + RUN, 2, "expected a value like 3, found warm"),
        ("configurations:\n  c: {map: no}\n" + RUN + "    configurations: c\n", 4, "c on hbm2_2000_eng: unknown map"),
        (RUN.replace("tests: smoke_tests", "patterns: stripes"), 3, "stripes is no pattern; .*expected one of all, st"),
        (RUN.replace("tests: smoke_tests", "recordings: gem"), 3, "gem is no recording; is gemm meant"),
        (RUN.replace("tests: smoke_tests", "blocks: host"), 4, "an entry of blocks has no presets"),
    ],
)  # fmt: skip
def test_a_bad_list_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    """One line, the right one."""
    file = written(tmp_path, text)
    with pytest.raises(InputError, match=problem) as told:
        read_list(file)
    assert str(told.value).startswith(f"{file}:{line}: ") and "\n" not in str(told.value)


def test_entries_whose_runs_share_a_folder_are_told(tmp_path: Path) -> None:
    """Before anything runs, in one line with the file."""
    one = RUN.replace("smoke_tests", "smoke_tests.ShortRandom")
    file = written(tmp_path, one + RUN.removeprefix("runs:\n").replace("name: a", "name: a/hbm2_2000_eng"))
    with pytest.raises(InputError, match=f"^{file}: a/hbm2_2000_eng/.* would run in the folder of a/hbm2_2000_eng;"):
        jobs_of_list(str(file), ListOptions())


def test_an_unknown_list_is_told_with_those_that_there_are() -> None:
    """Name and path, before anything is built."""
    with pytest.raises(InputError, match="--list nigthly: no such list; there are .*nightly, .*smoke"):
        regress_command("nigthly")
    with pytest.raises(InputError, match="no such file"):
        regress_command("/nowhere/x.yaml")
