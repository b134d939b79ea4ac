"""Functional coverage of a controller that is not ours: what the DRAM saw, how tight each rule was, what was asked.

The file has the form of hbm_tb.coverage (schema 2, point -> bin -> count), so that the same tools
merge it, with two points more: `own.request` and `own.rule`.
"""

from __future__ import annotations

from collections import Counter
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
