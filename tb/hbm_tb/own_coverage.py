"""Functional coverage of a controller that is not ours: what the DRAM saw, how tight each rule was, what was asked.

The file has the form of hbm_tb.coverage (schema 2, point -> bin -> count), so that the same tools
merge it, with two points more: `own.request` and `own.rule`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hbm_model.commands import CmdArray

from hbm_tb.config import BenchConfig
from hbm_tb.coverage import Coverage
from hbm_tb.legality_lines import Legality
from hbm_tb.own_board import Request
from hbm_tb.own_config import OwnConfig

SLACKS = (0, 1, 2, 4, 8, 16)  # CK: upper ends of the classes of least slack


def slack_class(half_ck: int) -> str:
    """The class of a least slack."""
    ck = half_ck / 2
    if ck == 0:
        return "at the bound"
    return next((f"within {top} CK" for top in SLACKS[1:] if ck <= top), "farther")


class OwnCoverage:
    """Counters of one run."""

    def __init__(self, config: OwnConfig) -> None:
        self.config = config
        self.dram = Coverage()
        self.dram.set_up(BenchConfig(preset=config.preset))
        self.requests: Counter[str] = Counter()

    def commands_seen(self, commands: CmdArray) -> None:
        """Sample the commands of a batch."""
        self.dram.commands_seen(commands)

    def request_seen(self, request: Request) -> None:
        """Sample a request of the controller's port."""
        mask = "" if not request.write else "/masked" if request.mask else "/whole"
        self.requests[f"{'write' if request.write else 'read'}/pc{request.place.pc}{mask}"] += 1

    def report(self, legality: Legality | None) -> dict[str, Any]:
        """What was hit: point -> bin -> count, and per rule and PC how often it was looked at and its least slack."""
        report: dict[str, Any] = self.dram.report()
        points = {
            name: bins
            for name, bins in report["points"].items()
            if name.startswith(("dram.", "sched.turn")) or name in ("setup.preset", "setup.generation")
        }
        rules: Counter[str] = Counter()
        tightness = []
        for use in legality.checker.use if legality is not None else ():
            if use.seen and use.min_slack is not None:
                rules[f"{use.rule.name}/{slack_class(use.min_slack)}"] += use.seen
                tightness.append(
                    {"rule": use.rule.name, "pc": use.pc, "seen": use.seen, "least_slack_ck": use.min_slack / 2}
                )
        points |= {"own.request": dict(self.requests), "own.rule": dict(rules)}
        return {"schema": report["schema"], "points": points, "rules": tightness}


def merged(files: Iterable[Path]) -> dict[str, Any]:
    """The coverage of several runs in the form of one: counts are added, the least slack of a rule is the least."""
    points: dict[str, Counter[str]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    least: dict[tuple[str, int], float] = {}
    runs = schema = 0
    for file in files:
        given = json.loads(file.read_text())
        runs, schema = runs + 1, given["schema"]
        for name, bins in given["points"].items():
            points.setdefault(name, Counter()).update(bins)
        for each in given["rules"]:
            key = (each["rule"], each["pc"])
            seen[key] += each["seen"]
            least[key] = min(least.get(key, each["least_slack_ck"]), each["least_slack_ck"])
    rules = [{"rule": rule, "pc": pc, "seen": seen[rule, pc], "least_slack_ck": ck} for (rule, pc), ck in least.items()]
    return {"schema": schema, "runs": runs, "points": points, "rules": rules}


def headline(coverage: dict[str, Any]) -> str:
    """A merged coverage in one sentence: rules that were never close to their bound were not tested."""
    least: dict[str, float] = {}
    for each in coverage["rules"]:
        least[each["rule"]] = min(least.get(each["rule"], each["least_slack_ck"]), each["least_slack_ck"])
    met = sum(ck == 0 for ck in least.values())
    far: Sequence[str] = [rule for rule, ck in least.items() if ck > SLACKS[-1]]
    never = f", never within {SLACKS[-1]} CK: {', '.join(far)}" if far else ""
    bins = sum(map(len, coverage["points"].values()))
    return f"{bins} bins hit in {coverage['runs']} runs; {met} of {len(least)} rules met at their bound{never}"
