"""What the last `hbm tight` says of the RTL and the bench as they are now: cells that hold, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hbm_tb import tight
from hbm_tb.coverage_runs import Contents
from hbm_tb.job_list import ListOptions, shown

AGAIN: Final = "`make tight` measures it"


@dataclass(frozen=True)
class Tightness:
    """Cells of the presets whose measurement holds, and why others do not."""

    rules: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # measured rule -> cells tight, cells reachable
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # that hold: tight, reachable, holes
    problems: tuple[str, ...] = ()  # one line each; none: all is measured, and by the sources of now
    source: str = ""
    revision: str = ""  # of git, when it was measured
    date: str = ""

    @property
    def hit(self) -> int:
        """Bounds that were met."""
        return sum(hit for hit, _ in self.rules.values())

    @property
    def total(self) -> int:
        """Bounds that can be reached."""
        return sum(total for _, total in self.rules.values())

    @property
    def missed(self) -> list[str]:
        """What is missing to the goal, every reachable bound of every preset; one line each."""
        silent = not self.total and not self.problems  # a result without a single bound is none
        short = (
            [f"tightness {self.hit} of {self.total} reachable bounds met"] if self.hit < self.total or silent else []
        )
        return [*self.problems, *short]

    def as_json(self) -> dict[str, Any]:
        """The part of coverage.json."""
        return {
            "hit": self.hit,
            "total": self.total,
            "percent": round(100 * self.hit / self.total, 2) if self.total else None,
            "source": self.source,
            "revision": self.revision,
            "date": self.date,
            "problems": list(self.problems),
            "presets": {name: dict(one) for name, one in self.presets.items()},
        }


def problems_of(given: Mapping[str, Any] | None) -> dict[str, str]:
    """Preset -> why its part of a result does not hold; "" as preset: of the whole."""
    if not given:
        return {"": f"tightness is not measured: {AGAIN}"}
    found: dict[str, str] = {}
    contents = Contents()
    measured = given.get("presets", {})
    of = ", ".join(str(given[key]) for key in ("revision", "date") if given.get(key)) or "which one it does not say"
    for name in tight.PRESETS:
        one = measured.get(name)
        (job,) = tight.tight_jobs([name], 1, 1, ListOptions())
        if one is None:
            found[name] = f"tightness of {name} is not measured: {AGAIN}"
        elif not one.get("content") or one["content"] != contents.of(job):
            found[name] = f"tightness of {name} is of other sources ({of}): {AGAIN} again"
        elif one.get("failure"):
            found[name] = f"tightness of {name}: {str(one['failure']).splitlines()[0]}"
    return found


def told(problems: Mapping[str, str]) -> tuple[str, ...]:
    """The problems in lines, one where all presets have the same."""
    alike: dict[str, list[str]] = {}
    for name, text in problems.items():
        alike.setdefault(text.replace(f"of {name}", "of {}") if name else text, []).append(name)
    return tuple(text.replace("{}", ", ".join(names)) for text, names in alike.items())


def read(path: Path) -> Tightness:
    """The state of a result file, which may be missing or broken."""
    try:
        given = json.loads(path.read_text())
        problems = problems_of(given)
        presets: dict[str, dict[str, Any]] = {
            name: {"tight": 0, "reachable": 0, "holes": one["holes"]}
            for name, one in given["presets"].items()
            if name in tight.PRESETS and name not in problems
        }
        rules: dict[str, tuple[int, int]] = {}
        for row in given["rules"]:
            for name in presets.keys() & row["presets"].keys():
                for cell in row["presets"][name].values():
                    reachable, good = cell["verdict"] in (tight.TIGHT, tight.HOLE), cell["verdict"] == tight.TIGHT
                    hit, total = rules.get(row["rule"], (0, 0))
                    rules[row["rule"]] = hit + good, total + reachable
                    presets[name]["tight"] += good
                    presets[name]["reachable"] += reachable
        return Tightness(rules, presets, told(problems), shown(path), given.get("revision", ""), given.get("date", ""))
    except FileNotFoundError:
        return Tightness(problems=told(problems_of(None)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Tightness(problems=(f"{shown(path)} cannot be read: {AGAIN} again",), source=shown(path))
