"""Tightness: how close commands came to the bound of each rule, in CK and in slots of the controller's grid.

For a command and a rule that names it, the *bound* is the earliest first edge that the rule allows, *slack* is the
command's first edge minus the bound, and *skipped* counts the slots of the command's grid (contract M1.2) from the
first one at or after the bound to the one taken. A rule binds *alone* where every other rule that names the command,
row and column bus included, allowed an earlier slot: then this rule decided when the command went out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hbm_model import _scan, _tight
from hbm_model._jit import compiled, jit_enabled
from hbm_model.commands import (
    CHANNEL_COMMANDS,
    COLUMN_COMMANDS,
    PRECHARGES,
    Cmd,
    CmdArray,
    describe,
)
from hbm_model.legality import command_words, tables_of
from hbm_model.params import Params
from hbm_model.rules import RULES, Kind, Rule

CYCLE: Final = 4  # ticks (half CK) in a controller cycle of two CK
BUS_NAMES: Final = ("rowBus", "colBus")  # the bus rules that are a distance: the earlier command's time on the bus
RULE_INDEX: Final = {rule.name: i for i, rule in enumerate(RULES)}
_NO_SLACK: Final = _scan.FUTURE


@dataclass(frozen=True)
class Grid:
    """Slots of a command: first edges at `first + n x step`, in ticks from the start of a cycle."""

    first: int
    step: int

    def at_or_after(self, ticks: int) -> int:
        """The first slot that is not before `ticks`."""
        return ticks + (self.first - ticks) % self.step


def grid_of(command: Cmd, pc: int, generation: int) -> Grid:
    """Where a command can stand (M1.2): columns of PC0 in p0 and of PC1 in p1, ACT and MRS in p0, others in both
    phases, PRE and PREA of HBM3/4 on the falling edge.
    """
    if command in COLUMN_COMMANDS:
        return Grid(2 * pc, CYCLE)
    if command in (Cmd.ACT, Cmd.MRS):
        return Grid(0, CYCLE)
    return Grid(1 if generation >= 3 and command in PRECHARGES else 0, CYCLE // 2)


def measured(rule: Rule) -> bool:
    """True if the rule is a least distance: a gap rule, or one of the two buses."""
    return rule.kind is Kind.GAP or rule.name in BUS_NAMES


@dataclass(frozen=True)
class Tightness:
    """What one rule saw on one PC. Slacks in ticks (half CK); None: never looked at, or never alone."""

    uses: int = 0
    slack: int | None = None
    skipped: int | None = None
    skipped_at: int | None = None  # first edge, in ticks, of the command with the fewest slots skipped
    alone_uses: int = 0
    alone_slack: int | None = None
    alone_skipped: int | None = None
    alone_at: int | None = None

    def merged(self, other: Tightness) -> Tightness:
        """Both together; the places are those of the smaller values."""

        def least(a: int | None, b: int | None) -> int | None:
            return b if a is None else a if b is None else min(a, b)

        def place(name: str, at: str) -> int | None:
            mine, its = getattr(self, name), getattr(other, name)
            first: int | None = getattr(self, at)
            second: int | None = getattr(other, at)
            return second if mine is None or (its is not None and its < mine) else first

        return Tightness(
            self.uses + other.uses,
            least(self.slack, other.slack),
            least(self.skipped, other.skipped),
            place("skipped", "skipped_at"),
            self.alone_uses + other.alone_uses,
            least(self.alone_slack, other.alone_slack),
            least(self.alone_skipped, other.alone_skipped),
            place("alone_slack", "alone_at"),
        )


Found = dict[tuple[str, int], Tightness]  # (rule, PC); rules of the whole channel count as PC 0


class TightnessMeter:
    """Measures commands of one channel, in time order, legal for `params`."""

    def __init__(self, params: Params, *, jit: bool | None = None) -> None:
        """`jit`: run compiled (default: as the environment says)."""
        self.params = params
        self._jit = jit_enabled() if jit is None else jit
        generation, tables = params.generation.number, tables_of(params)
        arrays = dict(zip(tables.names(), tables.arrays(), strict=True))
        codes = [Cmd(code) for code in range(_scan.N_CMD)]
        fixed = np.zeros(_tight.F_COUNT, np.int64)
        fixed[_tight.F_SIDS], fixed[_tight.F_BGS], fixed[_tight.F_BANKS] = (
            params.count(key) for key in ("sids", "bgs", "banks")
        )
        fixed[_tight.F_SET_HISTORY] = tables.set_history
        fixed[_tight.F_ROW_BUS], fixed[_tight.F_COL_BUS] = (RULE_INDEX[name] for name in BUS_NAMES)
        grids = [[grid_of(code, pc, generation) for pc in range(2)] for code in codes]
        begins = arrays["rule_begin"]
        assert max(np.diff(begins)) + len(BUS_NAMES) <= _tight.MAX_RULES
        self._fixed: list[Any] = [
            fixed,
            arrays["level"],
            arrays["row_len"],
            arrays["col_len"],
            np.array([grid.first for pair in grids for grid in pair], np.int64),
            np.array([pair[0].step for pair in grids], np.int64),
            *(arrays[name] for name in _RULE_TABLES),
        ]
        state = np.zeros(_tight.S_COUNT, np.int64)
        state[[_tight.S_ROW_END, _tight.S_COL_END]] = _scan.PAST
        found = np.zeros((2 * len(RULES), _tight.FIELDS), np.int64)
        found[:, [_tight.SLACK, _tight.SKIPPED, _tight.ALONE_SLACK, _tight.ALONE_SKIPPED]] = _NO_SLACK
        sets = np.zeros(params.count("pcs") * params.count("sids"), np.int64)
        self._mutable: list[Any] = [
            tables.new_cells(params),
            state,
            sets,
            found.reshape(-1),
            np.zeros(5, np.int64),
            *(np.zeros(_tight.MAX_RULES, np.int64) for _ in range(3)),
        ]
        if not self._jit:  # lists are several times faster than arrays in plain Python
            self._fixed = [array.tolist() for array in self._fixed]
            self._mutable = [array.tolist() for array in self._mutable]
        self.commands = 0

    def add(self, chunk: CmdArray) -> None:
        """Measure the next commands; ValueError if one does not stand on a slot of the controller."""
        words = command_words(chunk, jit=self._jit)
        run: Callable[..., int] = compiled(_tight.measure) if self._jit else _tight.measure
        done = run(words, 0, len(chunk), *self._fixed, *self._mutable)
        if done < len(chunk):
            raise ValueError(f"command {self.commands + done} is off its grid: {describe(chunk[done])}")
        self.commands += done

    def continued(self, params: Params) -> TightnessMeter:
        """A meter for what follows after other timings took effect; the running refresh sets still count."""
        other = TightnessMeter(params, jit=self._jit)
        other._mutable[2][:] = self._mutable[2]
        return other

    @property
    def found(self) -> Found:
        """What was seen so far, for every rule of `params` that is a distance."""
        table = np.array(self._mutable[3], np.int64).reshape(-1, 2, _tight.FIELDS)
        result: Found = {}
        for rule in RULES:
            if not measured(rule) or not rule.applies(self.params):
                continue
            for pc in range(1 if of_channel(rule) else self.params.count("pcs")):
                row = [int(value) for value in table[RULE_INDEX[rule.name], pc]]
                uses, alone = row[_tight.USES], row[_tight.ALONE_USES]
                seen = Tightness(uses=uses, alone_uses=alone)
                if uses:
                    seen = Tightness(
                        uses, row[_tight.SLACK], row[_tight.SKIPPED], row[_tight.SKIPPED_AT], alone,
                        row[_tight.ALONE_SLACK] if alone else None,
                        row[_tight.ALONE_SKIPPED] if alone else None,
                        row[_tight.ALONE_AT] if alone else None,
                    )  # fmt: skip
                result[rule.name, pc] = seen
        return result


_RULE_TABLES: Final = (
    "rule_begin",
    "rule_history",
    "rule_gap",
    "rule_id",
    "history_domain",
    "history_key",
    "history_base",
    "history_window",
    "update_begin",
    "update_history",
)


def of_channel(rule: Rule) -> bool:
    """True if the later commands of the rule belong to no PC (MRS and the power commands)."""
    return rule.kind is Kind.GAP and all(command in CHANNEL_COMMANDS for command in rule.after)


def merge(into: Found, more: Mapping[tuple[str, int], Tightness]) -> None:
    """Add what another meter found."""
    for key, seen in more.items():
        into[key] = into[key].merged(seen) if key in into else seen


def measure_trace(commands: CmdArray, params: Params, *, jit: bool | None = None) -> Found:
    """Tightness of a whole legal trace."""
    meter = TightnessMeter(params, jit=jit)
    meter.add(commands)
    return meter.found
