"""Which rules can be seen at their bound, and why the others cannot: computed, never written down by hand.

A rule is reachable when some shortest course of commands from its earlier to its later command exists in which no other
rule asks for a later slot. Courses are searched on a small abstract channel: a few banks that are open or closed, the
mode (single- or all-bank refresh) and the phases of a commit decide what may come next, the rule table when. What the
controller adds to the standard is data too: the grid of its commands (`tightness.grid_of`), the features that are built
(`features.py`), what auto-precharge needs where RAS exceeds its mode register, and `CONTRACT`, the distances around a
commit. docs/decisions/0006-tightness.md gives the definition.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from hbm_model.commands import BANK_COMMANDS, COMMANDS, Cmd
from hbm_model.csr import ap_min_ras
from hbm_model.features import BUILT_COMMANDS, FEATURES, built
from hbm_model.legality import bus_ticks
from hbm_model.params import PARAM, Params
from hbm_model.rules import GAP_RULES, RULES, Gap, Kind, Op, Rule, Scope, evaluate, gap_text
from hbm_model.tightness import BUS_NAMES, CYCLE, grid_of, measured, of_channel

# Stands for "both PCs are idle and closed" (M6.6): every bank could take a REF. No command; `Cmd.NOP` is never sent.
CLOSED: Final = Cmd.NOP
_ROW: Final = (Cmd.ACT, Cmd.PRE, Cmd.PREA, Cmd.REF, Cmd.REFSB)

# Distances of the controller that no rule of the standard knows.
CONTRACT: Final[tuple[Rule, ...]] = (
    Rule("M7.3 settle", Kind.GAP, (CLOSED,), (Cmd.MRS,), Scope.CHANNEL, "RFC", "M7.3", "no commands for RFC"),
    Rule(
        "M7.4 run", Kind.GAP, (Cmd.MRS,), _ROW, Scope.CHANNEL, Op("sum", ("MOD", 4)), "M7.2, M7.4, M5.7",
        "needs are seen from MOD on; pick and offer take two cycles",
    ),
)  # fmt: skip


def _auto_precharge(params: Params) -> tuple[Rule, ...]:
    """What the device does not know of RAS must be kept by the time of RDA and WRA (M1.5, ap_min_ras)."""
    if not ap_min_ras(params):
        return ()
    end = Op("sum", ("WL", "nBL", "WR"))
    gaps: tuple[tuple[Cmd, Gap], ...] = ((Cmd.RDA, Op("diff", ("RAS", "RTP"))), (Cmd.WRA, Op("diff", ("RAS", end))))
    return tuple(
        Rule("M1.5 ap_min_ras", Kind.GAP, (Cmd.ACT,), (cmd,), Scope.BANK, gap, "M1.5", "RAS exceeds its mode register")
        for cmd, gap in gaps
    )


# Every other distance is this small when one rule is to bind alone, and a distance that is to bind is that long.
LOWS: Final[dict[str, int]] = {
    "RCDRD": 6, "RCDWR": 6, "RP": 4, "RAS": 6, "RC": 10, "RRDS": 2, "RRDL": 2, "FAW": 4, "CCDS": 2, "CCDL": 2,
    "CCDR": 2, "WTRS": 2, "WTRL": 2, "RTP": 2, "WR": 2, "RTW": 0, "RFC": 20, "RFCSB": 20, "RREFD": 4, "PPD": 1,
    "MRD": 8, "MOD": 15,
}  # fmt: skip
HIGH: Final = 58
_HIGHS: Final = {"RFC": 120, "RFCSB": 120, "WL": 16, "RL": 40, "MRD": 20}
# A longer distance of the second kind needs the first at least as long.
_ORDERED: Final = (("CCDS", "CCDL"), ("RRDS", "RRDL"))


@dataclass(frozen=True)
class Bank:
    """A bank of the PC."""

    sid: int
    bg: int
    bank: int


@dataclass(frozen=True)
class Step:
    """One command of a course; `ends`: the REFSB that completes a set."""

    cmd: Cmd
    bank: Bank | None = None
    ends: bool = False


@dataclass(frozen=True)
class Reach:
    """Verdict on one rule for one parameter set.

    `reason` is empty when the rule is reachable. `course` is the course that comes closest. `slack` (ticks) is the
    least that the grid leaves there.
    """

    rule: Rule
    reachable: bool
    reason: str = ""
    course: tuple[Step, ...] = ()
    slack: int = 0
    params: Params | None = None  # the set of values that makes the rule bind alone


# ------------------------------------------------------------------ bounds of a course


def _in_scope(scope: Scope, a: Step, b: Step) -> bool:
    """True if the earlier step `a` counts for `b`."""
    if scope in (Scope.CHANNEL, Scope.PC):
        return True
    x, y = a.bank, b.bank
    if x is None or y is None:
        return False
    same_sid, same_group, same = x.sid == y.sid, (x.sid, x.bg) == (y.sid, y.bg), x == y
    return {
        Scope.BANK: same,
        Scope.GROUP: same_group,
        Scope.GROUP_OTHER_BANK: same_group and not same,
        Scope.SID_OTHER_GROUP: same_sid and not same_group,
        Scope.OTHER_SID: not same_sid,
        Scope.PC_OTHER_GROUP: not same_group,
        Scope.PC_OTHER_BANK: not same,
        Scope.SET: same_sid and a.ends,
    }[scope]


def _reference(cmd: Cmd) -> int:
    return 2 if cmd is Cmd.ACT else 0


class _Clock:
    """Earliest slots for one parameter set and PC."""

    def __init__(self, params: Params, pc: int) -> None:
        self.pc = pc
        self.generation = params.generation.number
        self.by_after: dict[Cmd, list[tuple[Rule, int]]] = {cmd: [] for cmd in (CLOSED, *COMMANDS)}
        for rule in (*GAP_RULES, *CONTRACT, *_auto_precharge(params)):
            if not rule.applies(params) or rule.gap is None:
                continue
            gap = evaluate(rule.gap, params.ticks)
            if gap <= 0:
                continue
            for cmd in rule.after:
                self.by_after[cmd].append((rule, gap))
            if Cmd.REF in rule.after:
                self.by_after[CLOSED].append((rule, gap))
        self.row, self.column = bus_ticks(self.generation)

    def slot(self, cmd: Cmd, ticks: int) -> int:
        """The first slot of a command that is not before `ticks`."""
        if cmd is CLOSED:
            return ticks + -ticks % CYCLE
        return grid_of(cmd, self.pc, self.generation).at_or_after(ticks)

    def bounds(self, course: list[tuple[Step, int]], step: Step) -> list[tuple[str, int, int]]:
        """(rule, first edge, place of the earlier step) of everything that binds `step` after a course."""
        out = []
        for rule, gap in self.by_after[step.cmd]:
            left = rule.window
            for at in range(len(course) - 1, -1, -1):
                earlier, time = course[at]
                if earlier.cmd in rule.before and _in_scope(rule.scope, earlier, step):
                    left -= 1
                    if not left:
                        out.append((rule.name, time + _reference(earlier.cmd) + gap - _reference(step.cmd), at))
                        break
        for name, lengths in zip(BUS_NAMES, (self.row, self.column), strict=True):
            if step.cmd in lengths:
                on_bus = [(time + lengths[s.cmd], at) for at, (s, time) in enumerate(course) if s.cmd in lengths]
                if on_bus:
                    out.append((name, *max(on_bus)))
        return out


# ------------------------------------------------------------------ what may follow


@dataclass(frozen=True)
class _State:
    opened: frozenset[Bank]
    every: bool  # all-bank refresh
    phase: str = "run"  # run, stop (closing for a commit), settle, modes

    def next(self, banks: tuple[Bank, ...]) -> Iterator[tuple[Step, _State]]:
        """Everything that the controller can do next with these banks (M5.1, M6.2, M6.3, M6.6, M7)."""
        if self.phase == "settle":
            yield Step(Cmd.MRS), replace(self, phase="modes")
            return
        if self.phase == "stop":
            yield Step(CLOSED), replace(self, phase="settle")
            return
        if self.phase == "modes":
            yield Step(Cmd.MRS), self
        # The kind of refresh changes in maintenance, or with a REF (M6.8).
        for every in (False, True) if self.phase == "modes" else (self.every,):
            run = _State(self.opened, every)
            for bank in banks:
                if bank in self.opened:
                    shut = replace(run, opened=self.opened - {bank})
                    yield Step(Cmd.RD, bank), run
                    yield Step(Cmd.WR, bank), run
                    for cmd in (Cmd.RDA, Cmd.WRA, Cmd.PRE):
                        yield Step(cmd, bank), shut
                else:
                    yield Step(Cmd.ACT, bank), replace(run, opened=self.opened | {bank})
                    if not every:
                        yield Step(Cmd.REFSB, bank), run
            if self.opened:
                # All banks are precharged for a REF, or for a commit, which mode registers follow.
                yield Step(Cmd.PREA), _State(frozenset(), True)
                if not every:
                    yield Step(Cmd.PREA), _State(frozenset(), every, "stop")
            else:
                yield Step(Cmd.REF), replace(run, every=False)
                yield Step(Cmd.REF), replace(run, every=True)
                yield Step(CLOSED), replace(run, phase="settle")


def _courses(before: Step, after: Step, banks: tuple[Bank, ...]) -> Iterator[list[Step]]:
    """The shortest courses from `before` to `after`, both included: anything more only adds bounds."""
    level: list[tuple[list[Step], _State]] = []
    for opened in itertools.product((False, True), repeat=len(banks)):
        for every in (False, True):
            for phase in ("run", "settle", "modes"):
                if phase != "run" and any(opened):
                    continue
                state = _State(frozenset(b for b, o in zip(banks, opened, strict=True) if o), every, phase)
                level += [([step], then) for step, then in state.next(banks) if step == before]
    seen = set()
    for _ in range(5):
        done = [course for course, state in level if any(step == after for step, _ in state.next(banks))]
        if done:
            yield from ([*course, after] for course in done)
            return
        following = []
        for course, state in level:
            for step, then in state.next(banks):
                if (key := (tuple(course), step, then)) not in seen:
                    seen.add(key)
                    following.append(([*course, step], then))
        level = following


def _refreshes_between(end: Bank, sids: int, banks: list[Bank]) -> list[Step]:
    """REFSB of all sets between the end of a set and the next set of its SID (M6.2: SIDs in turn)."""
    out = []
    for turn in range(1, sids):
        mine = [bank for bank in banks if bank.sid == (end.sid + turn) % sids]
        out += [Step(Cmd.REFSB, bank, bank == mine[-1]) for bank in mine]
    return out


def _all_banks(params: Params) -> list[Bank]:
    return [Bank(*at) for at in itertools.product(*(range(params.count(key)) for key in ("sids", "bgs", "banks")))]


def _courses_of(rule: Rule, params: Params) -> Iterator[list[Step]]:
    """Courses whose last step the rule binds by its first."""
    every = _all_banks(params)
    home = every[0]
    # One bank of each kind that scopes tell apart.
    kinds: dict[tuple[bool, bool, bool], Bank] = {}
    for bank in every:
        kinds.setdefault((bank == home, (bank.sid, bank.bg) == (home.sid, home.bg), bank.sid == home.sid), bank)
    befores = [c for c in rule.before if c in BUILT_COMMANDS]
    afters = [c for c in rule.after if c in BUILT_COMMANDS]
    if rule.window > 1:
        distinct = sorted(every, key=lambda b: (b.bank, b.bg, b.sid))[: rule.window + 1]
        for last in afters:
            for commands in itertools.product(befores, repeat=rule.window):
                yield [Step(c, b) for c, b in zip((*commands, last), distinct, strict=True)]
        return
    for first, last in itertools.product(befores, afters):
        of_bank = first in BANK_COMMANDS
        for bank in kinds.values() if of_bank or last in BANK_COMMANDS else (home,):
            before = Step(first, bank if of_bank else None, first is Cmd.REFSB and last is Cmd.REFSB)
            after = Step(last, home if last in BANK_COMMANDS else None)
            if before.ends:
                same_sid = bank.sid == home.sid
                if bank != home and rule.scope is not Scope.SET:
                    yield [replace(before, ends=False), after]
                elif same_sid:
                    yield [before, *_refreshes_between(bank, params.count("sids"), every), after]
                continue
            if not _in_scope(rule.scope, before, after):
                continue
            yield from _courses(before, after, tuple(dict.fromkeys((bank, home, *list(kinds.values())[-1:]))))


# ------------------------------------------------------------------ verdicts


@dataclass(frozen=True)
class _Best:
    """The course in which a rule comes closest to binding: by how many ticks other rules ask for a later slot."""

    lead: int  # slot of the rule minus the latest slot of the others; above 0: it binds alone
    slack: int
    course: tuple[Step, ...]
    binding: tuple[str, ...]


def _try(rule: Rule, clock: _Clock, steps: list[Step]) -> Iterator[_Best]:
    """The course from every slot of the first step within a cycle."""
    first = clock.slot(steps[0].cmd, 0)
    step = CYCLE if steps[0].cmd is CLOSED else grid_of(steps[0].cmd, clock.pc, clock.generation).step
    for start in range(first, first + CYCLE, step):
        course = [(steps[0], start)]
        for following in steps[1:-1]:
            # The grid of one PC: no two commands of a kind of bus in one slot, and never back in time.
            least = max((bound for _, bound, _ in clock.bounds(course, following)), default=0)
            course.append((following, clock.slot(following.cmd, max(least, course[-1][1]))))
        last = steps[-1]
        bounds = clock.bounds(course, last)
        own = [bound for name, bound, at in bounds if name == rule.name and at == 0]
        if not own:
            continue
        mine = clock.slot(last.cmd, own[0])
        others = [(clock.slot(last.cmd, bound), name) for name, bound, _ in bounds if name != rule.name]
        latest = max((slot for slot, _ in others), default=mine - CYCLE)
        names = tuple(name for slot, name in others if slot == latest)
        yield _Best(mine - latest, mine - own[0], tuple(steps), names)


def _best(rule: Rule, params: Params, pc: int, alone: bool) -> _Best | None:
    """The best course for a parameter set, tight ones first and of these the one with the least slack."""
    clock = _Clock(params, pc)
    best: _Best | None = None

    def rank(one: _Best) -> tuple[bool, int]:
        reached = one.lead > 0 if alone else one.lead >= 0
        return reached, -one.slack if reached else one.lead

    for steps in _courses_of(rule, params):
        for one in _try(rule, clock, steps):
            if best is None or rank(one) > rank(best):
                best = one
    return best


def course_text(steps: tuple[Step, ...]) -> str:
    """A course as the report shows it: `REFSB bg0 bank0, ACT bg0 bank1`."""
    parts = []
    for step in steps:
        name = "(both PCs closed)" if step.cmd is CLOSED else step.cmd.name
        where = "" if step.bank is None else f" {step.bank.sid}.{step.bank.bg}.{step.bank.bank}"
        parts.append(name + where)
    if len(parts) > 8:
        parts = [*parts[:2], f"{len(parts) - 4} more", *parts[-2:]]
    return ", ".join(parts)


def _never(rule: Rule, params: Params) -> str:
    """Why no register set and no traffic can bring a rule to its bound; empty if that must be searched."""
    if not built(rule):
        side = rule.before if rule.before and not any(c in BUILT_COMMANDS for c in rule.before) else rule.after
        missing = [f for f, (here, commands) in FEATURES.items() if not here and set(commands) & set(side)]
        return f"not built: {', '.join(missing) or 'refresh_management'}"
    if rule.kind is Kind.LIMIT:
        return "an upper limit: there is no earliest slot"
    if not measured(rule):
        return "a state or a form, not a distance in time"
    return ""


def in_preset(rule: Rule, params: Params, pc: int) -> Reach:
    """Can the rule's bound be met with these values (other rules may ask for the same slot)?"""
    if reason := _never(rule, params):
        return Reach(rule, False, reason)
    if rule.kind is Kind.BUS:
        return Reach(rule, True)
    if rule.gap is not None and (gap := evaluate(rule.gap, params.ticks)) <= 0:
        return Reach(rule, False, f"no bound: {gap_text(rule.gap)} = {gap / 2:g}")
    best = _best(rule, params, pc, alone=False)
    if best is None:
        return Reach(rule, False, "no course of commands leads from the earlier to the later command")
    if best.lead < 0:
        return Reach(rule, False, _reason(best), best.course)
    return Reach(rule, True, "", best.course, best.slack)


def alone(rule: Rule, params: Params, pc: int) -> Reach:
    """Is there a register set in which the rule alone decides the slot, and what slack does the grid leave then?"""
    if reason := _never(rule, params):
        return Reach(rule, False, reason)
    if rule.kind is Kind.BUS:
        return Reach(rule, True, params=params)
    closest: _Best | None = None
    found: Reach | None = None
    for values in candidates(rule, params):
        best = _best(rule, values, pc, alone=True)
        if best is None:
            continue
        if best.lead <= 0:
            closest = best if closest is None or best.lead > closest.lead else closest
        elif found is None or best.slack < found.slack:
            found = Reach(rule, True, "", best.course, best.slack, values)
            if best.slack == 0:
                break
    if found is not None:
        return found
    if closest is None:
        return Reach(rule, False, "no bound, or no course of commands, with any register set")
    return Reach(rule, False, _reason(closest), closest.course)


def _reason(best: _Best) -> str:
    names = ", ".join(dict.fromkeys(best.binding))
    if best.lead == 0:
        return f"{names} asks for the same slot whenever this rule binds"
    return f"{names} asks for a slot at least {-best.lead / 2:g} CK later"


# ------------------------------------------------------------------ register sets


def keys_of(gap: Gap) -> tuple[str, ...]:
    """Timing registers in a gap."""
    if isinstance(gap, str):
        return (gap,) if PARAM[gap].register else ()
    if isinstance(gap, int):
        return ()
    return tuple(dict.fromkeys(key for term in gap.terms for key in keys_of(term)))


def lows(params: Params) -> dict[str, int]:
    """The small values; REF must still cover what a commit needs after reads and writes (M7.3)."""
    return LOWS | {"RFC": max(LOWS["RFC"], params.count("RDMRS"), params.count("WRMRS"))}


def candidates(rule: Rule, params: Params) -> Iterator[Params]:
    """Register sets in which the rule may bind alone: its own registers long, in both parities, or short as all
    others. A set in which the rule binds alone stays one when registers that it does not use get shorter.
    """
    assert rule.gap is not None
    base = lows(params)
    keys = keys_of(rule.gap)
    levels = []
    for key in keys:
        high = max(_HIGHS.get(key, HIGH), base.get(key, 0))
        low = {"RL": 4, "WL": 4}.get(key, base.get(key, 0))
        levels.append((high, high - 1, low, low + 1) if key in ("RL", "WL") else (high, high + 1, low))
    for values in itertools.product(*levels):
        chosen = base | dict(zip(keys, values, strict=True))
        for short, long in _ORDERED:
            chosen[long] = max(chosen[long], chosen[short])
        yield params.replaced(**chosen)


# ------------------------------------------------------------------ the whole table


@cache
def _table(key: tuple[str, tuple[tuple[str, int], ...]]) -> dict[tuple[str, int], tuple[Reach, Reach]]:
    params = _PARAMS[key]
    out = {}
    for rule in RULES:
        if rule.applies(params):
            for pc in range(1 if of_channel(rule) else params.count("pcs")):
                out[rule.name, pc] = (in_preset(rule, params, pc), alone(rule, params, pc))
    return out


_PARAMS: dict[tuple[str, tuple[tuple[str, int], ...]], Params] = {}


def table(params: Params) -> Mapping[tuple[str, int], tuple[Reach, Reach]]:
    """(rule, PC) -> verdict with the values of `params`, verdict with any register set."""
    key = (params.std, tuple(params.ticks.items()))
    _PARAMS[key] = params
    return _table(key)
