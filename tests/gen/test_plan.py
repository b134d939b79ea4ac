"""The verification plan fits the code, and what it can get wrong is told in one line each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_tb.coverage_docs import PAGE, page_of
from hbm_tb.coverage_plan import COMPLETE, FAILED, OPEN, Evidence, Known, known, left_out, read_plan, status_of
from hbm_tb.sources import names_of_tests

TINY = Known(
    paragraphs=("M1.1", "M1.2"),
    rules=("tRAS", "tRP"),
    needed_rules=("tRAS",),
    tests=("a_tests.One", "a_tests.Two"),
    files=("tests/model/test_a.py",),
    functions={"tests/model/test_a.py": ("test_x",)},
    lists=("nightly",),
    points={"p": ("a/0", "a/1", "b/0"), "q": ("only",)},
)
GOOD = """
- name: f
  title: One thing
  text: What it is.
  paragraphs: [M1.1, M1.2]
  rules: ["tR*"]
  tests: ["a_tests.{One,Two}", "tests/model/test_a.py::test_x", "list:nightly"]
  points:
    - {point: p, bins: ["a/{0..1}"], at_least: 2}
    - {point: q}
"""


def test_the_plan_fits_the_code() -> None:
    """Every name in it exists; every paragraph, rule, test and cover point is in it."""
    features = read_plan()
    assert not left_out(features), "; ".join(left_out(features))
    assert len(features) > 20
    assert {one for feature in features for one in feature.paragraphs} == set(known().paragraphs)


def test_the_page_is_fresh() -> None:
    """docs/verification-plan.md is what `hbm plan --write` writes."""
    assert PAGE.read_text() == page_of(read_plan()), "docs/verification-plan.md is stale: hbm plan --write"


def _plan(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_a_plan_is_read(tmp_path: Path) -> None:
    """Patterns are resolved; nothing is left out of this one."""
    (feature,) = read_plan(_plan(tmp_path, GOOD), TINY)
    assert feature.rules == ("tRAS", "tRP")
    assert [test.kind for test in feature.tests] == ["cocotb", "cocotb", "pytest", "list"]
    assert feature.points[0].bins == ("a/0", "a/1") and feature.points[0].at_least == 2
    assert feature.points[1].bins == ("only",)
    assert left_out([feature], TINY) == []


BAD = {
    "paragraph": ("M1.2]", "M9.9]", "f: unknown paragraph 'M9.9'"),
    "rule": ('"tR*"', "tXYZ", "f: unknown rule 'tXYZ'"),
    "test": ("{One,Two}", "Three", "f: unknown test 'a_tests.Three'"),
    "test file": ("test_a.py::test_x", "test_b.py", "f: unknown test 'tests/model/test_b.py'"),
    "test function": ("::test_x", "::test_y", "f: unknown test 'tests/model/test_a.py::test_y'"),
    "list": ("list:nightly", "list:never", "f: unknown test 'list:never'"),
    "point": ("{point: q}", "{point: r}", "f: unknown cover point 'r'"),
    "bin": ("a/{0..1}", "c/*", "f: p: unknown bin 'c/*'"),
    "no test": ('["a_tests.{One,Two}", "tests/model/test_a.py::test_x", "list:nightly"]', "[]", "f: no test"),
    "goal": ("at_least: 2", "at_least: 0", "f: p: at_least is a whole number from 1 on"),
    "key": ("title:", "titel:", "f: unknown key 'titel'"),
    "no text": ("text: What it is.", "text: ''", "f: title or text is missing"),
    "no list": ("paragraphs: [M1.1, M1.2]", "paragraphs: M1.1", "f: paragraphs is a list of names"),
    "no features": (GOOD, "{}", "expected a list of features"),
    "no YAML": (GOOD, "- [", "while parsing"),
    "twice": (GOOD, GOOD + GOOD, "two features have this name"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_plan_is_one_line(case: str, tmp_path: Path) -> None:
    """File, feature, and what is wrong."""
    old, new, expected = BAD[case]
    assert old in GOOD
    with pytest.raises(InputError) as told:
        read_plan(_plan(tmp_path, GOOD.replace(old, new)), TINY)
    assert expected in str(told.value) and str(told.value).startswith("plan.yaml: ") and "\n" not in str(told.value)


LEFT_OUT = {
    "paragraph M1.2": ("[M1.1, M1.2]", "[M1.1]"),
    "rule tRAS": ('"tR*"', "tRP"),
    "test a_tests.Two": ("{One,Two}", "One"),
    "cover point q": ("    - {point: q}\n", ""),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_belongs_to_no_feature_is_told(what: str, tmp_path: Path) -> None:
    """A paragraph, a rule that can be broken, a test or a cover point that nobody claims."""
    old, new = LEFT_OUT[what]
    features = read_plan(_plan(tmp_path, GOOD.replace(old, new)), TINY)
    assert left_out(features, TINY) == [f"{what} belongs to no feature"]


def test_a_new_test_must_be_in_the_plan(tmp_path: Path) -> None:
    """Tests are found by their decorators, functions and classes alike."""
    file = tmp_path / "new_tests.py"
    file.write_text(
        "import cocotb, pyuvm\n\n@pyuvm.test()\nclass A: ...\n\n@cocotb.test(timeout_time=1)\nasync def b(d): ...\n\n"
        "class NoTest: ...\n\n@cocotb.test\nasync def c(d): ...\n"
    )
    assert names_of_tests(file, functions=True) == ["A", "b", "c"] and names_of_tests(file) == ["A"]
    features = read_plan(_plan(tmp_path, GOOD), TINY)
    more = replace(TINY, tests=(*TINY.tests, "new_tests.A"))
    assert left_out(features, more) == ["test new_tests.A belongs to no feature"]


def test_status(tmp_path: Path) -> None:
    """Complete needs every bin often enough, every rule measured and met, and every test of the lists run."""
    features = read_plan(_plan(tmp_path, GOOD), TINY)
    hits = {"p": {"a/0": 2, "a/1": 9}, "q": {"only": 1}}
    runs = {"a_tests.One": (3, 0)}
    tight = {"tRAS": (4, 4), "tRP": (0, 0)}  # tRP was measured and has no bound that can be reached
    done = status_of(features, Evidence(hits, runs, tight))
    assert done["features"][0]["status"] == COMPLETE
    assert done["totals"]["points"] == {"hit": 3, "total": 3}
    assert done["totals"]["tests"] == {"passed": 1, "failed": 0, "not_run": 3}
    for wrong in (
        Evidence({**hits, "p": {"a/0": 1, "a/1": 9}}, runs, tight),
        Evidence(hits, {}, tight),
        Evidence(hits, runs, {**tight, "tRAS": (3, 4)}),
        Evidence(hits, runs, {"tRAS": (4, 4)}),  # tRP was not measured
        Evidence(hits, runs, tight, frozenset({"a_tests.Two"})),  # the list has it, and it did not run
    ):
        assert status_of(features, wrong)["features"][0]["status"] == OPEN
    failed = status_of(features, Evidence(hits, {"a_tests.One": (3, 1)}, tight))
    assert failed["features"][0]["status"] == FAILED
    holes = status_of(features, Evidence())["features"][0]["points"][0]["holes"]
    assert holes == ["a/0", "a/1"]
