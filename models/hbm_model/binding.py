"""Which rule binds a command: for every rule that names it the earliest time, and the command that it counts from.

Plain Python over a short history, for explanations (`hbm why`, `hbm timeline`); the legality checker and the tightness
measurement do the same over whole traces. Times are first edges in half CK.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hbm_model.commands import BANK_COMMANDS, CMD_DTYPE, PC_COMMANDS, Cmd, CmdArray
from hbm_model.legality import bus_ticks
from hbm_model.params import Params
from hbm_model.rules import GAP_RULES, Rule, Scope, evaluate
from hbm_model.tightness import grid_of

BUS: Final = {"row": "rowBus", "column": "colBus"}

# Scope -> (fields that both share, fields of which the earlier one must differ).
_SAME: Final[dict[Scope, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Scope.CHANNEL: ((), ()),
    Scope.PC: (("pc",), ()),
    Scope.SET: (("pc", "sid"), ()),
    Scope.GROUP: (("pc", "sid", "bg"), ()),
    Scope.BANK: (("pc", "sid", "bg", "bank"), ()),
    Scope.GROUP_OTHER_BANK: (("pc", "sid", "bg"), ("bank",)),
    Scope.SID_OTHER_GROUP: (("pc", "sid"), ("bg",)),
    Scope.OTHER_SID: (("pc",), ("sid",)),
    Scope.PC_OTHER_GROUP: (("pc",), ("sid", "bg")),
    Scope.PC_OTHER_BANK: (("pc",), ("sid", "bg", "bank")),
}
Place = tuple[int, ...]


@dataclass(frozen=True)
class Bound:
    """One rule's earliest time for a command."""

    rule: str
    earliest: int
    earlier: int  # number of the command that it counts from


@dataclass
class _History:
    """The last commands of some kinds, by place; of each place with the key that a later one must not share."""

    window: int
    seen: dict[Place, dict[Place, deque[tuple[int, int]]]] = field(default_factory=dict)

    def add(self, place: Place, key: Place, time: int, number: int) -> None:
        lists = self.seen.setdefault(place, {})
        lists.setdefault(key, deque(maxlen=self.window)).append((time, number))

    def last(self, place: Place, key: Place, other: bool) -> tuple[int, int] | None:
        """The `window`-th last command at a place; with `other` of those with another key."""
        lists = self.seen.get(place, {})
        found = [entry for name, entries in lists.items() if not (other and name == key) for entry in entries]
        found.sort()
        return found[-self.window] if len(found) >= self.window else None


class Binding:
    """Commands in order of time, and the bounds of what could follow."""

    def __init__(self, params: Params) -> None:
        self.params = params
        ticks = params.ticks
        self._rules: dict[Cmd, list[tuple[Rule, int]]] = {}
        self._histories: dict[tuple[tuple[Cmd, ...], Scope, int], _History] = {}
        self._feeds: dict[Cmd, list[tuple[Scope, _History]]] = {}
        self.longest = 0  # half CK that a command can matter
        for rule in GAP_RULES:
            if not rule.applies(params) or rule.gap is None or rule.scope is Scope.SET:
                continue
            gap = evaluate(rule.gap, ticks)
            if gap <= 0:
                continue
            self.longest = max(self.longest, gap)
            key = (rule.before, rule.scope, rule.window)
            if key not in self._histories:
                made = self._histories[key] = _History(rule.window)
                for cmd in rule.before:
                    self._feeds.setdefault(cmd, []).append((rule.scope, made))
            for cmd in rule.after:
                self._rules.setdefault(cmd, []).append((rule, gap))
        self._row_ticks, self._column_ticks = bus_ticks(params.generation.number)
        self._busy: dict[str, tuple[int, int]] = {}  # bus -> (end, number)

    @staticmethod
    def _places(command: np.void, scope: Scope) -> tuple[Place, Place]:
        cmd = Cmd(int(command["cmd"]))
        names = ("pc", "sid", "bg", "bank") if cmd in BANK_COMMANDS else ("pc",) if cmd in PC_COMMANDS else ()
        same, other = _SAME[scope]
        value = {name: int(command[name]) if name in names else 0 for name in ("pc", "sid", "bg", "bank")}
        return tuple(value[name] for name in same), tuple(value[name] for name in other)

    def add(self, command: np.void, number: int) -> None:
        """The next command, with the number by which bounds name it."""
        cmd, time = Cmd(int(command["cmd"])), int(command["time"])
        shift = 2 if cmd is Cmd.ACT else 0
        for scope, history in self._feeds.get(cmd, ()):
            place, key = self._places(command, scope)
            history.add(place, key, time + shift, number)
        for bus, length in (("row", self._row_ticks.get(cmd, 0)), ("column", self._column_ticks.get(cmd, 0))):
            if length and time + length > self._busy.get(bus, (0, 0))[0]:
                self._busy[bus] = (time + length, number)

    def add_all(self, commands: CmdArray, first: int = 0) -> None:
        """Commands in order; `first`: number of the first one."""
        for number, command in enumerate(commands, first):
            self.add(command, number)

    def bounds(self, command: np.void) -> list[Bound]:
        """Every rule's bound for a command (its time does not matter), latest first."""
        cmd = Cmd(int(command["cmd"]))
        shift = 2 if cmd is Cmd.ACT else 0
        out = []
        for rule, gap in self._rules.get(cmd, ()):
            place, key = self._places(command, rule.scope)
            found = self._histories[rule.before, rule.scope, rule.window].last(place, key, bool(_SAME[rule.scope][1]))
            if found is not None:
                out.append(Bound(rule.name, found[0] + gap - shift, found[1]))
        for bus, length in (("row", self._row_ticks.get(cmd, 0)), ("column", self._column_ticks.get(cmd, 0))):
            if length and bus in self._busy:
                out.append(Bound(BUS[bus], *self._busy[bus]))
        return sorted(out, key=lambda bound: -bound.earliest)


def command_at(
    cmd: Cmd, time: int, pc: int, sid: int = 0, bg: int = 0, bank: int = 0, row: int = 0, col: int = 0
) -> np.void:
    """One command as a record."""
    out = np.zeros(1, CMD_DTYPE)
    for name, value in (("time", time), ("cmd", cmd), ("pc", pc), ("sid", sid), ("bg", bg), ("bank", bank)):
        out[name] = value
    out["row"], out["col"] = row, col
    record: np.void = out[0]
    return record


@dataclass(frozen=True)
class Tight:
    """Why a command stands where it does: the rules that allowed no earlier slot of its grid; none: it was free to come
    before, and waited for its turn or its request.
    """

    number: int
    bounds: tuple[Bound, ...]


def after_last_mrs(commands: CmdArray, end: int) -> int:
    """Number of the first command that matters for number `end`: mode registers are written with all at rest."""
    at = np.flatnonzero(commands["cmd"][:end] == Cmd.MRS)
    return int(at[-1]) + 1 if len(at) else 0


def history_before(commands: CmdArray, time: int, params: Params) -> tuple[Binding, int]:
    """A binding with all commands before a time that can matter, and how many commands stand before it."""
    made = Binding(params)
    end = int(np.searchsorted(commands["time"], time))
    # The window of four ACTs and the like reach back over several of their gaps.
    first = int(np.searchsorted(commands["time"], max(0, time - 8 * made.longest)))
    first = max(first, after_last_mrs(commands, end))
    made.add_all(commands[first:end], first)
    return made, end


def tight_commands(commands: CmdArray, params: Params, first: int, end: int) -> Iterable[Tight]:
    """For commands `first` to `end` the rules that bound them."""
    if first >= end:
        return
    made, at = history_before(commands, int(commands["time"][first]), params)
    made.add_all(commands[at:first], at)
    for number in range(first, end):
        command = commands[number]
        cmd, time = Cmd(int(command["cmd"])), int(command["time"])
        grid = grid_of(cmd, int(command["pc"]), params.generation.number)
        tight = [bound for bound in made.bounds(command) if grid.at_or_after(bound.earliest) >= time]
        # The bus is no reason where a rule of the DRAM says the same.
        plain = [bound for bound in tight if bound.rule not in BUS.values()]
        yield Tight(number, tuple(plain or tight))
        made.add(command, number)
