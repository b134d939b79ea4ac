"""`hbm tight`: every reachable rule at its bound in RTL simulation, per preset and PC; result file and report page.

One simulation per preset works through trials until nothing is open (`tb/tests/tight_tests.py`, `tight_plan`). The
verdict on each rule is drawn here from what the simulations measured and what `hbm_model.reach` says can be reached.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hbm_model import reach
from hbm_model.errors import InputError
from hbm_model.home import BUILD
from hbm_model.owners import claims, owners
from hbm_model.params import Params
from hbm_model.presets import preset
from hbm_model.rules import RULES, Rule, gap_text
from hbm_model.tightness import Tightness, measured, of_channel

from hbm_tb import sim
from hbm_tb.job_list import ListOptions, revision, run_list, shown
from hbm_tb.jobs import Job
from hbm_tb.tight_plan import ALONE, PRESET, Goal

FOLDER: Final = BUILD / "tight"
RESULT, PAGE = "tight.json", "index.html"
TEMPLATE = Path(__file__).with_name("tight_page.html")
PRESETS: Final = ("hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "hbm3_6400_eng", "hbm4_8000_eng")
TRIALS: Final = 1500  # at most; about 100 are needed, some hundreds for HBM4
TIMEOUT_S: Final = 1800.0
COUNTS: Final = ("commands", "cycles")

# What a cell of the table says.
TIGHT, HOLE, UNREACHABLE, ABSENT = "tight", "hole", "unreachable", "absent"


@dataclass(frozen=True)
class Cell:
    """One rule on one PC of one preset; slacks in CK."""

    verdict: str
    uses: int = 0
    slack: float | None = None
    skipped: int | None = None
    alone: float | None = None  # least slack where the rule alone bound, with any register set
    alone_least: float | None = None  # what the grid leaves at best
    missing: str = ""  # what a hole lacks
    reason: str = ""  # why something cannot be reached


def _half(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / 2


def verdict(here: reach.Reach, anywhere: reach.Reach, pc: int, seen: Tightness, preset_seen: Tightness) -> Cell:
    """Draw the verdict: `seen` with any register set, `preset_seen` with the preset's own values."""
    wanted = [
        (Goal(r.rule.name, pc, kind, r), found, text)
        for r, kind, found, text in (
            (here, PRESET, preset_seen, "no slot skipped with the preset's values"),
            (anywhere, ALONE, seen, f"slack {anywhere.slack / 2:g} where it alone binds"),
        )
        if r.reachable
    ]
    reasons = []
    if not here.reachable:
        reasons.append(here.reason if not anywhere.reachable else f"with the preset's values: {here.reason}")
    if not anywhere.reachable and anywhere.reason != here.reason:
        reasons.append(f"alone: {anywhere.reason}")
    missing = [text for goal, found, text in wanted if not goal.reached(found)]
    return Cell(
        HOLE if missing else TIGHT if wanted else UNREACHABLE,
        seen.uses,
        _half(preset_seen.slack),
        preset_seen.skipped,
        _half(seen.alone_slack),
        anywhere.slack / 2 if anywhere.reachable else None,
        "; ".join(missing),
        "; ".join(reasons),
    )


def cells_of(params: Params, result: Mapping[str, Any] | None) -> dict[tuple[str, int], Cell]:
    """Verdicts on all rules of a preset; without a result nothing was seen."""
    found = (result or {}).get("found", {})

    def seen(kind: str, rule: str, pc: int) -> Tightness:
        values = found.get(kind, {}).get(rule, {}).get(str(pc))
        return Tightness(**values) if values else Tightness()

    return {
        (rule, pc): verdict(here, anywhere, pc, seen(ALONE, rule, pc), seen(PRESET, rule, pc))
        for (rule, pc), (here, anywhere) in reach.table(params).items()
    }


@dataclass(frozen=True)
class Outcome:
    """One preset."""

    name: str
    cells: dict[tuple[str, int], Cell]
    result: dict[str, Any]
    failure: str = ""
    content: str = ""  # build and sources that ran

    def count(self, what: str) -> int:
        """Cells with a verdict."""
        return sum(cell.verdict == what for cell in self.cells.values())

    @property
    def holes(self) -> list[str]:
        """What is missing, one line each."""
        return [
            f"{self.name} {rule} PC{pc}: {cell.missing}"
            for (rule, pc), cell in self.cells.items()
            if cell.verdict == HOLE
        ]


def tight_jobs(presets: Sequence[str], seed: int, trials: int, options: ListOptions) -> list[Job]:
    """One simulation per preset."""
    from hbm_tb.config import BenchConfig
    from hbm_tb.sim_job import sim_job

    jobs = []
    for name in presets:
        work = {"out": RESULT, "trials": trials, "required": True}
        config = BenchConfig(preset=name, seed=seed, job=work)
        again = ["hbm", "tight", "--preset", name, "--seed", str(seed), "--trials", str(trials)]
        jobs.append(
            sim_job(
                name,
                "tight_tests",
                "TightRun",
                config,
                timeout_s=TIMEOUT_S,
                cost=trials,
                reproduce=shlex.join(again),
                waves=options.window,
            )  # fmt: skip
        )
    return jobs


def tight_command(
    options: ListOptions,
    presets: Sequence[str] = PRESETS,
    seed: int = 1,
    trials: int = TRIALS,
    folder: Path = FOLDER,
) -> int:
    """Run the presets and write result and page; 1 when a reachable bound was not met or a run failed."""
    if trials < 1:
        raise InputError("--trials is at least 1")
    names = list(dict.fromkeys(presets))
    params = {name: preset(name) for name in names}
    for name in names:  # an old file is no result of this run
        if options.fresh:
            (folder / name / RESULT).unlink(missing_ok=True)
    whole = set(names) >= set(PRESETS) and trials >= TRIALS
    ran = run_list("tight", folder, tight_jobs(names, seed, trials, options), options, counts=COUNTS, whole=whole)
    if ran.code not in (0, 1) or options.window is not None:  # a run for its waves leaves the table as it is
        return ran.code
    outcomes = []
    for name in (name for name in names if name in ran.results):  # --only may leave some out
        file = folder / name / RESULT
        result = json.loads(file.read_text()) if file.exists() else {}
        outcome = ran.results[name]
        failure = "" if outcome.passed else outcome.reason or outcome.status
        outcomes.append(Outcome(name, cells_of(params[name], result), result, failure, outcome.content))
    write(folder, outcomes)
    _show(outcomes, folder)
    return 1 if ran.code or any(one.holes for one in outcomes) else 0


def _show(outcomes: Sequence[Outcome], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="rules and PCs at their bound", title_justify="left")
    for column in ("preset", "tight", "holes", "unreachable", "trials", "cycles"):
        table.add_column(column, justify="left" if column == "preset" else "right")
    for one in outcomes:
        numbers = (one.count(TIGHT), one.count(HOLE), one.count(UNREACHABLE))
        cycles = one.result.get("cycles", 0)
        table.add_row(one.name, *map(str, numbers), str(one.result.get("trials", "-")), f"{cycles:,}")
    console = Console()
    console.print(table)
    for one in outcomes:
        if not one.result:
            console.print(
                f"{one.name}: no measurements: {one.failure.splitlines()[0]}", highlight=False, soft_wrap=True
            )
        for line in one.holes if one.result else ():
            console.print(f"hole: {line}", highlight=False, soft_wrap=True)
    console.print(f"{shown(folder / PAGE)}, {shown(folder / RESULT)}", highlight=False, soft_wrap=True)


# ---------------------------------------------------------------- result file and page


def _expression(rule: Rule) -> str:
    text: str = gap_text(rule.gap) if rule.gap is not None else rule.meaning
    return text


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything in the result file."""
    claimed = claims(sim.ROOT / "rtl")
    rules = [
        {
            "rule": rule.name,
            "owner": owners(rule.name, claimed),
            "before": [c.name for c in rule.before],
            "after": [c.name for c in rule.after],
            "scope": rule.scope.value,
            "distance": _expression(rule),
            "presets": {
                one.name: {str(pc): vars(cell) for (name, pc), cell in one.cells.items() if name == rule.name}
                for one in outcomes
            },
        }
        for rule in RULES
        if any((rule.name, 0) in one.cells for one in outcomes)
    ]
    return {
        "revision": revision(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "presets": {
            one.name: {
                "content": one.content,
                "tight": one.count(TIGHT),
                "holes": one.holes,
                "unreachable": one.count(UNREACHABLE),
                "failure": one.failure,
                **{k: one.result.get(k) for k in ("goals", "reached", "trials", "cycles", "seconds", "seed")},
            }
            for one in outcomes
        },
        "rules": rules,
    }


def write(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Result file and page."""
    from jinja2 import Environment

    folder.mkdir(parents=True, exist_ok=True)
    data = as_json(outcomes)
    (folder / RESULT).write_text(json.dumps(data, indent=1))
    page = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    rows = [row for rule in RULES for row in data["rules"] if row["rule"] == rule.name]
    (folder / PAGE).write_text(
        page.render(presets=data["presets"], rows=rows, pcs=_pcs(outcomes), number=_number), encoding="utf-8"
    )


def _pcs(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Rule -> columns that it needs: one where it belongs to the whole channel or is no distance."""
    return {rule.name: 1 if of_channel(rule) or not measured(rule) else 2 for rule in RULES}


def _number(value: float | int | None) -> str:
    """A number of CK or slots, or a dash."""
    return "–" if value is None else f"{value:g}"
