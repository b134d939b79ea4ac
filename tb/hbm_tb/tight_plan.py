"""Planning of `hbm tight`: which bounds are still to be shown, and the next trial that may show them.

A trial is a register set, policies and traffic for a few thousand cycles. The register set of a goal comes from the
computed reachability (`hbm_model.reach`), and so does the kind of traffic: from the course of commands in which the
rule binds. What is not known in advance, gaps and places, is drawn; goals that stay open get other draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from hbm_model import reach
from hbm_model.commands import Cmd
from hbm_model.params import Params
from hbm_model.reach import Reach
from hbm_model.rules import RULE
from hbm_model.tightness import Found, Tightness, merge

PRESET, ALONE = "preset", "alone"
PAGE_OPEN, PAGE_LOOKAHEAD, PAGE_CONFLICT, PAGE_CLOSED = range(4)
_AUTO: Final = {Cmd.RDA, Cmd.WRA}
_READS: Final = {Cmd.RD, Cmd.RDA}
_WRITES: Final = {Cmd.WR, Cmd.WRA}
FAR = 65535  # an interval of refresh that never comes


@dataclass(frozen=True)
class Goal:
    """One thing to see: the bound of a rule on a PC, with the preset's values or where the rule alone binds."""

    rule: str
    pc: int
    kind: str  # PRESET or ALONE
    reach: Reach

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.rule} PC{self.pc} {self.kind}"

    def reached(self, seen: Tightness) -> bool:
        """True if it was seen."""
        slack, least = seen.alone_slack, self.reach.slack
        yes: bool = seen.skipped == 0 if self.kind == PRESET else slack is not None and slack <= least
        return yes


@dataclass(frozen=True)
class Trial:
    """What to program and to offer. Times in cycles unless they are registers (CK)."""

    style: str
    params: Params
    policy: dict[str, int]  # fields of the policy registers; refresh starts after the commit
    refresh: int
    seed: int
    writes: float  # share of writes
    banks: int
    groups: int
    sids: int
    rows: int
    gap: int  # longest pause between two requests of a port
    requests: int  # per port
    goal: str = ""  # what it was made for
    more: dict[str, int] = field(default_factory=dict)


def goals(params: Params) -> Iterator[Goal]:
    """Everything that can be reached with a preset."""
    for (rule, pc), (here, anywhere) in reach.table(params).items():
        if here.reachable:
            yield Goal(rule, pc, PRESET, here)
        if anywhere.reachable:
            yield Goal(rule, pc, ALONE, anywhere)


def _steps(one: Reach) -> set[Cmd]:
    return {step.cmd for step in one.course}


def style_of(one: Reach) -> str:
    """Kind of traffic for the course of commands that is to happen."""
    course = [step.cmd for step in one.course]
    if not course:
        return "mixed"
    if Cmd.REFSB in course and Cmd.PREA in course:
        return "commit_often"
    if Cmd.PREA in course and course[-1] is Cmd.ACT:
        return "release"
    if course == [Cmd.WR, Cmd.RDA]:
        return "late_read"
    if course[0] is Cmd.REFSB and course[-1] is Cmd.REFSB and one.course[0].ends:
        return "sparse"
    if course == [Cmd.REF, Cmd.REF]:
        return "idle"
    if course == [Cmd.REFSB, Cmd.REF]:
        return "kinds"
    return "mixed"


class Plan:
    """Goals of one preset, what was seen so far, and the next trial."""

    def __init__(self, params: Params, seed: int, only: tuple[str, ...] = ()) -> None:
        """`only`: names of rules; all without it."""
        self.params = params
        self.rng = np.random.default_rng(seed)
        self.goals = [goal for goal in goals(params) if not only or goal.rule in only]
        self.found: dict[str, Found] = {PRESET: {}, ALONE: {}}
        self.tries: dict[str, int] = {}
        self.trials = 0

    def seen(self, trial: Trial, found: Found) -> None:
        """Add what the meter of a trial found."""
        merge(self.found[ALONE], found)
        if is_preset(trial.params, self.params):
            merge(self.found[PRESET], found)

    def open(self) -> list[Goal]:
        """Goals that were not seen yet."""
        none = Tightness()
        return [goal for goal in self.goals if not goal.reached(self.found[goal.kind].get((goal.rule, goal.pc), none))]

    def next(self) -> Trial | None:
        """A trial for the open goal that was tried least; None when all were seen."""
        left = self.open()
        if not left:
            return None
        self.trials += 1
        fewest = min(self.tries.get(goal.name, 0) for goal in left)
        goal = next(goal for goal in left if self.tries.get(goal.name, 0) == fewest)
        self.tries[goal.name] = fewest + 1
        return self.trial(goal, fewest)

    def trial(self, goal: Goal, number: int) -> Trial:
        """The `number`-th trial for a goal."""
        rng, steps, style = self.rng, _steps(goal.reach), style_of(goal.reach)
        base = self.params if goal.kind == PRESET else goal.reach.params
        assert base is not None
        every = Cmd.REF in steps or Cmd.PREA in steps and style != "commit_often"
        single = Cmd.REFSB in steps
        amap = {key: base.count(key) for key in ("sids", "bgs", "banks")}

        def pick(*choices: Any) -> Any:
            return choices[int(rng.integers(len(choices)))]

        reads, writes = steps & _READS, steps & _WRITES
        share = pick(0.3, 0.5, 0.7) if bool(reads) == bool(writes) else 0.0 if reads else 1.0
        if number % 4 == 3:
            share = pick(0.0, 0.5, 1.0)
        page = pick(PAGE_CLOSED, PAGE_LOOKAHEAD) if steps & _AUTO else pick(PAGE_OPEN, PAGE_CONFLICT, PAGE_LOOKAHEAD)
        if steps & {Cmd.PRE, Cmd.PREA}:
            page = PAGE_OPEN
        policy = {
            "page": page,
            "refresh_all": int(every),
            "refresh_hold": pick(1, 1, 2, 4),
            "switch_idle": pick(2, 4, 8, 16),
            "switch_low": pick(3, 3, 8),
            "switch_gain": pick(1, 2, 2),
        }
        # Where the later command does not follow in the same bank, many banks must want it.
        near = len({step.bank for step in goal.reach.course if step.bank is not None}) == 1 and not (every or single)
        banks, groups = (pick(1, 2), pick(1, 1, 2)) if near else (pick(2, amap["banks"]), amap["bgs"])
        one = Trial(
            style=style,
            params=self._intervals(base, every, single),
            policy=policy,
            refresh=int(every or single),
            seed=int(rng.integers(1 << 31)),
            writes=share,
            banks=min(banks, amap["banks"]),
            groups=min(groups, amap["bgs"]),
            sids=pick(1, amap["sids"]) if near else amap["sids"],
            rows=pick(1, 2, 2, 4) if not steps & {Cmd.PRE, Cmd.PREA, Cmd.RDA, Cmd.WRA} else pick(2, 2, 4),
            gap=pick(0, 0, 4, 20, 60),
            requests=pick(60, 150),
            goal=goal.name,
        )
        one = _shaped(one, rng, number)
        if one.style != "mixed" or number % 3 == 0:
            return one
        if number % 3 == 1:  # a stream of hits, so that columns stand right before what stops them
            return replace(one, rows=1, gap=0, requests=400)
        # Bursts to one row of one bank or of a few: the last access closes the last row, and the PC is idle.
        burst = pick(1, 2, 2, 3, 8, 20, 60, 200)
        shape = {"burst": burst, "pause": pick(0, 4, 32), "group": pick(1, 8)}
        return replace(one, banks=pick(1, 1, 2), groups=pick(1, 1, 2), sids=1, rows=4, gap=0, more=shape,
                       requests=min(400, 80 * burst), policy={**one.policy, "refresh_hold": 8})  # fmt: skip

    def _intervals(self, params: Params, every: bool, single: bool) -> Params:
        """Refresh as often as it can be kept up with (M6.5), the other kind never."""
        count = params.count
        end = count("WL") + 2 + count("WR")
        scale = float(self.rng.choice([1.1, 1.5, 3.0]))
        refi = int((count("RFC") + count("RC") + count("RP") + end + 80) * scale)
        banks = count("bgs") * count("banks")
        work = max(count("RREFD"), count("FAW") / 4) + (count("RFCSB") + count("RC") + end + 40) / banks
        return params.replaced(
            REFI=min(refi, FAR) if every else FAR, REFISB=min(int(work * scale) + 2, FAR) if single else FAR
        )


def _shaped(one: Trial, rng: np.random.Generator, number: int) -> Trial:
    """The trial of a special style."""
    style = one.style
    if style == "late_read":
        # A row with a write, then a read and a conflict: the read takes RDA if the time has come, RD before (M4.3).
        return replace(one, policy={**one.policy, "page": PAGE_CONFLICT}, refresh=0, requests=24,
                       params=one.params.replaced(REFISB=FAR))  # fmt: skip
    if style == "sparse":
        one = replace(one, policy={**one.policy, "page": PAGE_OPEN, "refresh_hold": 1}, requests=40,
                      gap=int(rng.integers(100, 400)), writes=0.0)  # fmt: skip
        if one.params.count("sids") > 1 and number % 2 == 0:
            # One open bank of SID 0 is refreshed last, when the debt has grown to the hold level; so many refreshes
            # follow it without a pause that the sets of the other SIDs pass within RFCSB.
            # With one bank it is also the first of the next set, with several often another one is.
            many = 1 + number // 2 % 3
            one = replace(one, policy={**one.policy, "refresh_hold": 15}, banks=many, groups=1, sids=1, rows=1)
        return one
    if style == "idle":
        # One bank with row after row keeps the queues filled while refreshes are put off; then they follow each other.
        return replace(one, policy={**one.policy, "refresh_hold": 8, "page": PAGE_OPEN}, banks=1, groups=1, sids=1,
                       rows=16, gap=0, requests=int(rng.integers(15, 80)),
                       more={"after": 2 * one.params.count("RFC") + one.params.count("REFI")})  # fmt: skip
    if style == "release":
        return replace(one, policy={**one.policy, "refresh_hold": 1}, more={"toggles": 24}, requests=1000, gap=40)
    if style == "kinds":
        return replace(
            one, policy={**one.policy, "refresh_hold": 1, "page": PAGE_OPEN}, more={"changes": 16}, requests=60
        )
    if style == "commit_often":
        # Refreshes fall due while the channel is closed: not so many that they cannot be made up for.
        closed = one.params.count("RFC") + 20 * one.params.count("MRD") + 200
        slow = one.params.replaced(REFISB=max(one.params.count("REFISB"), closed))
        return replace(one, requests=12, more={"commits": 12}, policy={**one.policy, "page": PAGE_OPEN}, params=slow)
    return one


_FREE: Final = {"REFI", "REFISB"}  # no least distance is made of them


def is_preset(params: Params, preset: Params) -> bool:
    """True if all values that distances are made of are the preset's."""
    return all(ticks == preset.ticks[key] for key, ticks in params.ticks.items() if key not in _FREE)


def status(plan: Plan) -> dict[str, Any]:
    """Numbers for the progress line and the result file."""
    left = plan.open()
    return {
        "goals": len(plan.goals),
        "reached": len(plan.goals) - len(left),
        "trials": plan.trials,
        "open": [goal.name for goal in left],
    }


def found_json(found: Mapping[tuple[str, int], Tightness]) -> dict[str, dict[str, Any]]:
    """Measurements as JSON: rule -> PC -> values; slacks in half CK."""
    out: dict[str, dict[str, Any]] = {name: {} for name in RULE if any(rule == name for rule, _ in found)}
    for (rule, pc), seen in found.items():
        out[rule][str(pc)] = vars(seen)
    return out
