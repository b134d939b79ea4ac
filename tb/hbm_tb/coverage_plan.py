"""The verification plan, tb/plan.yaml: read and checked against the code, and its status from results.

A feature names paragraphs of the contract, rules, tests and cover points. Checked: every name exists; a feature has
a test; and nothing is left out: every paragraph, every rule that the RTL can break, every test in the simulator and
every cover point belongs to a feature.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from hbm_model.errors import InputError
from hbm_model.features import BUILT_RULES
from hbm_model.rules import RULES

from hbm_tb import sim
from hbm_tb.coverage_pattern import select
from hbm_tb.sources import names_of_tests

PLAN: Final = sim.ROOT / "tb" / "plan.yaml"
CONTRACT: Final = sim.ROOT / "docs" / "microarchitecture.md"
COMPLETE, OPEN, FAILED = "complete", "open", "failed"
PASSED, NOT_RUN = "passed", "not run"
TIGHT, UNMEASURED = "tight", "unmeasured"
COCOTB, PYTEST, LIST = "cocotb", "pytest", "list"
_KEYS: Final = ("name", "title", "text", "paragraphs", "rules", "tests", "points")


@dataclass(frozen=True)
class PointUse:
    """Bins of a cover point that a feature wants, each `at_least` times."""

    name: str
    bins: tuple[str, ...]
    at_least: int = 1


@dataclass(frozen=True)
class Test:
    """A test by its name in the plan."""

    name: str  # module.Name; path[::name]; list:name
    kind: str


@dataclass(frozen=True)
class Feature:
    """One feature, with all patterns resolved."""

    name: str
    title: str
    text: str
    paragraphs: tuple[str, ...]
    rules: tuple[str, ...]
    tests: tuple[Test, ...]
    points: tuple[PointUse, ...]


@dataclass(frozen=True)
class Known:
    """What the names of a plan may name."""

    paragraphs: tuple[str, ...]
    rules: tuple[str, ...]
    needed_rules: tuple[str, ...]  # that must be in a plan
    tests: tuple[str, ...]  # module.Name
    files: tuple[str, ...]  # of pytest
    functions: Mapping[str, tuple[str, ...]]  # of the files
    lists: tuple[str, ...]
    points: Mapping[str, tuple[str, ...]]  # bins


# ---------------------------------------------------------------- what there is


def _functions(path: Path) -> tuple[str, ...]:
    body = ast.parse(path.read_text(), str(path)).body
    return tuple(node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


@cache
def known() -> Known:
    """The code as it is."""
    from hbm_tb.coverage import POINTS

    root = sim.ROOT
    paragraphs = re.findall(r"^- \*\*(M\d+\.\d+)\*\*", CONTRACT.read_text(), re.M)
    tests = [
        f"{file.stem}.{name}"
        for file in sorted((root / "tb" / "tests").glob("*_tests.py"))
        for name in names_of_tests(file, functions=True)
    ]
    files = sorted((root / "tests").rglob("test_*.py"))
    functions = {str(file.relative_to(root)): _functions(file) for file in files}
    lists = [path.stem for path in sorted((root / "tb" / "lists").glob("*.yaml"))]
    return Known(
        tuple(paragraphs),
        tuple(rule.name for rule in RULES),
        tuple(rule.name for rule in BUILT_RULES),
        tuple(tests),
        tuple(functions),
        functions,
        tuple([*lists, "exact", "tight", "faults"]),
        {name: point.bins for name, point in POINTS.items()},
    )


# ---------------------------------------------------------------- reading


def _words(value: Any, where: str, what: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"{where}: {what} is a list of names")
    return list(value)


def _resolve(patterns: Iterable[str], names: Sequence[str], where: str, what: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for pattern in patterns:
        chosen = select(pattern, names)
        if not chosen:
            raise InputError(f"{where}: unknown {what} {pattern!r}")
        found |= dict.fromkeys(chosen)
    return tuple(found)


def _tests(patterns: Iterable[str], where: str, there: Known) -> tuple[Test, ...]:
    found: dict[Test, None] = {}
    for pattern in patterns:
        if pattern.startswith("list:"):
            chosen = [Test(f"list:{name}", LIST) for name in select(pattern.removeprefix("list:"), there.lists)]
        elif pattern.startswith("tests/"):
            file, _, function = pattern.partition("::")
            chosen = [
                Test(f"{path}::{name}" if function else path, PYTEST)
                for path in select(file, there.files)
                for name in (select(function, there.functions[path]) if function else [""])
            ]
        else:
            chosen = [Test(name, COCOTB) for name in select(pattern, there.tests)]
        if not chosen:
            raise InputError(f"{where}: unknown test {pattern!r}")
        found |= dict.fromkeys(chosen)
    return tuple(found)


def _points(given: Any, where: str, there: Known) -> tuple[PointUse, ...]:
    uses = []
    if not isinstance(given, list | None):
        raise InputError(f"{where}: points is a list")
    for entry in given or []:
        if not isinstance(entry, dict) or "point" not in entry or set(entry) - {"point", "bins", "at_least"}:
            raise InputError(f"{where}: a cover point has the keys point, bins and at_least")
        name = str(entry["point"])
        if name not in there.points:
            raise InputError(f"{where}: unknown cover point {name!r}")
        bins = there.points[name]
        if "bins" in entry:
            bins = _resolve(_words(entry["bins"], where, "bins"), bins, f"{where}: {name}", "bin")
        least = entry.get("at_least", 1)
        if not isinstance(least, int) or least < 1:
            raise InputError(f"{where}: {name}: at_least is a whole number from 1 on")
        uses.append(PointUse(name, bins, least))
    return tuple(uses)


def _feature(entry: Any, number: int, file: str, there: Known) -> Feature:
    where = f"{file}: feature {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InputError(f"{where}: a feature has a name")
    where = f"{file}: {entry['name']}"
    if unknown := [key for key in entry if key not in _KEYS]:
        raise InputError(f"{where}: unknown key {unknown[0]!r}, expected {', '.join(_KEYS)}")
    feature = Feature(
        entry["name"],
        str(entry.get("title", "")),
        " ".join(str(entry.get("text", "")).split()),
        _resolve(_words(entry.get("paragraphs"), where, "paragraphs"), there.paragraphs, where, "paragraph"),
        _resolve(_words(entry.get("rules"), where, "rules"), there.rules, where, "rule"),
        _tests(_words(entry.get("tests"), where, "tests"), where, there),
        _points(entry.get("points"), where, there),
    )
    if not feature.title or not feature.text:
        raise InputError(f"{where}: title or text is missing")
    if not feature.tests:
        raise InputError(f"{where}: no test")
    return feature


def read_plan(path: Path = PLAN, there: Known | None = None) -> list[Feature]:
    """The features of a plan; InputError with one line for what is wrong in it by itself."""
    there = there or known()
    try:
        given = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as problem:
        raise InputError(f"{path.name}: {' '.join(str(problem).split())}") from None
    if not isinstance(given, list) or not given:
        raise InputError(f"{path.name}: expected a list of features")
    features = [_feature(entry, number, path.name, there) for number, entry in enumerate(given, 1)]
    names = [feature.name for feature in features]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path.name}: {name}: two features have this name")
    return features


def left_out(features: Sequence[Feature], there: Known | None = None) -> list[str]:
    """What belongs to no feature, one line each."""
    there = there or known()
    tests = {test.name.partition("::")[0] for feature in features for test in feature.tests}
    parts: tuple[tuple[str, Iterable[str], set[str]], ...] = (
        ("paragraph", there.paragraphs, {one for feature in features for one in feature.paragraphs}),
        ("rule", there.needed_rules, {one for feature in features for one in feature.rules}),
        ("test", there.tests, tests),
        ("cover point", there.points, {use.name for feature in features for use in feature.points}),
    )
    return [f"{what} {name} belongs to no feature" for what, names, used in parts for name in names if name not in used]


# ---------------------------------------------------------------- status


@dataclass
class Evidence:
    """What a regression left: hits of bins, runs of tests, and cells of the tightness table."""

    hits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # point -> bin -> count
    runs: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # test -> runs passed, runs failed
    tight: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # measured rule -> cells tight, reachable
    listed: frozenset[str] = frozenset()  # cocotb tests that the lists contain


def _test_status(test: Test, evidence: Evidence) -> dict[str, Any]:
    passed, failed = evidence.runs.get(test.name, (0, 0))
    status = FAILED if failed else PASSED if passed else NOT_RUN
    return {"name": test.name, "kind": test.kind, "passed": passed, "failed": failed, "status": status}


def _rule_status(rule: str, evidence: Evidence) -> dict[str, Any]:
    tight, reachable = evidence.tight.get(rule, (0, 0))
    status = UNMEASURED if rule not in evidence.tight else OPEN if tight < reachable else TIGHT
    return {"name": rule, "tight": tight, "reachable": reachable, "status": status}


def _point_status(use: PointUse, evidence: Evidence) -> dict[str, Any]:
    seen = evidence.hits.get(use.name, {})
    holes = [name for name in use.bins if seen.get(name, 0) < use.at_least]
    hit = len(use.bins) - len(holes)
    return {
        "name": use.name,
        "bins": len(use.bins),
        "hit": hit,
        "goal": use.at_least,
        "percent": round(100 * hit / len(use.bins), 2),
        "holes": holes,
        "status": OPEN if holes else COMPLETE,
    }


def status_of(features: Sequence[Feature], evidence: Evidence) -> dict[str, Any]:
    """The content of plan.json.

    A feature is complete when all cocotb tests of it that the lists contain ran, at least one test did and none failed,
    all bins are hit, and all its rules were measured and met every bound that can be reached. Features whose tests are
    all of pytest need no run here. A test that no list contains is shown, no more: `make test` runs them all.
    """
    out: list[dict[str, Any]] = []
    for feature in features:
        tests = [_test_status(test, evidence) for test in feature.tests]
        rules = [_rule_status(rule, evidence) for rule in feature.rules]
        points = [_point_status(use, evidence) for use in feature.points]
        ran = any(test["passed"] for test in tests) or all(test["kind"] == PYTEST for test in tests)
        idle = any(test["status"] == NOT_RUN and test["name"] in evidence.listed for test in tests)
        open_ = any(each["status"] in (OPEN, UNMEASURED) for each in (*rules, *points)) or idle or not ran
        status = FAILED if any(test["failed"] for test in tests) else OPEN if open_ else COMPLETE
        out.append(
            {
                "name": feature.name,
                "title": feature.title,
                "text": feature.text,
                "paragraphs": list(feature.paragraphs),
                "status": status,
                "rules": rules,
                "tests": tests,
                "points": points,
            }
        )
    every = {test["name"]: test for feature in out for test in feature["tests"]}.values()
    hit, total = bins_of(features, evidence)
    return {
        "schema": 1,
        "totals": {
            "features": len(out),
            "complete": sum(feature["status"] == COMPLETE for feature in out),
            "points": {"hit": hit, "total": total},
            "tests": {
                key: sum(test["status"] == status for test in every)
                for key, status in (("passed", PASSED), ("failed", FAILED), ("not_run", NOT_RUN))
            },
        },
        "features": out,
    }


def wanted(features: Sequence[Feature]) -> dict[str, dict[str, int]]:
    """Point -> bin -> how often a feature wants it at least: a bin of two features counts once."""
    out: dict[str, dict[str, int]] = {}
    for feature in features:
        for use in feature.points:
            bins = out.setdefault(use.name, {})
            for name in use.bins:
                bins[name] = max(bins.get(name, 0), use.at_least)
    return out


def bins_of(features: Sequence[Feature], evidence: Evidence) -> tuple[int, int]:
    """Bins hit and bins in all, each once."""
    needed = wanted(features)
    hit = sum(
        evidence.hits.get(point, {}).get(name, 0) >= least
        for point, bins in needed.items()
        for name, least in bins.items()
    )
    return hit, sum(map(len, needed.values()))
