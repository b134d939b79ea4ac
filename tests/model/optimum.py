"""The least time of a tiny request trace on one PC, by exhaustive search over all orders of its commands.

For tests of the bound calculator, with which it shares nothing: distances come from the rule table (`rules.py`), one
SID, no refresh. All rules are least distances to earlier commands, so for a given order each command is best as early
as possible, and trying all orders finds the optimum. Slots are those of the controller: ACT on even CK, columns of PC0
on even CK. The row bus carries one command at a time (in HBM3/4 PRE and ACT do not meet here: a relaxation).
"""

from __future__ import annotations

from dataclasses import dataclass

from hbm_model.commands import Cmd
from hbm_model.params import Params
from hbm_model.rules import GAP_RULES, Scope, evaluate

_NEAR = {  # relation of two commands of one SID -> scopes that see it
    "bank": {Scope.BANK, Scope.GROUP, Scope.PC},
    "group": {Scope.GROUP, Scope.GROUP_OTHER_BANK, Scope.PC_OTHER_BANK, Scope.PC},
    "other": {Scope.SID_OTHER_GROUP, Scope.PC_OTHER_GROUP, Scope.PC_OTHER_BANK, Scope.PC},
}
_KINDS = (Cmd.ACT, Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA, Cmd.PRE, Cmd.REFSB)


@dataclass(frozen=True)
class Request:
    """One access; `block` tells whether two of them move the same 32 bytes."""

    write: bool
    bank: int
    row: int
    col: int = 0

    @property
    def block(self) -> tuple[int, int, int]:
        return self.bank, self.row, self.col


def distances(params: Params) -> tuple[dict[tuple[Cmd, Cmd, str], int], int]:
    """({(earlier, later, relation): least distance of their times}, FAW), in half CK."""
    table: dict[tuple[Cmd, Cmd, str], int] = {}
    for rule in GAP_RULES:
        if rule.gap is None or not rule.applies(params) or rule.window > 1 or rule.scope is Scope.SET:
            continue
        gap = evaluate(rule.gap, params.ticks)
        for before in set(rule.before) & set(_KINDS):
            for after in set(rule.after) & set(_KINDS):
                for near, scopes in _NEAR.items():
                    if rule.scope in scopes:
                        key = (before, after, near)
                        table[key] = max(table.get(key, 0), gap)
    return table, params.ticks["FAW"]


class Search:
    """Branch and bound. `entries` reads and writes are held at a time; None: all are known from the start."""

    def __init__(self, params: Params, requests: list[Request], entries: int | None = None, front: int = 0) -> None:
        self.params, self.requests = params, requests
        self.gap, self.faw = distances(params)
        self.banks = params.count("banks")
        self.room = None if entries is None else {False: entries + front, True: entries}
        self.half = params.generation.half_edges
        self.delay = {False: params.ticks["RL"] + 4, True: params.ticks["WL"] + 4}
        self.older = [
            [j for j in range(i) if r.block == requests[j].block and (r.write or requests[j].write)]
            for i, r in enumerate(requests)
        ]
        near = ("bank", "group", "other")
        self.act_act = min(self.gap.get((Cmd.ACT, Cmd.ACT, each), 0) for each in near)
        self.act_column = min(self.gap[Cmd.ACT, each, "bank"] for each in (Cmd.RD, Cmd.WR)) + 2
        self.best = 1 << 30
        self.seen: dict[object, int] = {}

    def run(self) -> float:
        """Least CK from CK 0 to the end of the last data."""
        self.history: list[tuple[Cmd, int, int]] = []  # command, bank, first edge in half CK
        self.picked: dict[int, int] = {}
        self.open: dict[int, int] = {}
        self._step(0)
        return self.best / 2

    def _near(self, a: int, b: int) -> str:
        return "bank" if a == b else "group" if a // self.banks == b // self.banks else "other"

    def _earliest(self, cmd: Cmd, bank: int, floor: int) -> int:
        shift = 2 if cmd is Cmd.ACT else 0
        at = floor
        acts = 0
        for before, other, edge in reversed(self.history):
            time = edge + (2 if before is Cmd.ACT else 0)
            gap = self.gap.get((before, cmd, self._near(bank, other)))
            if gap is not None:
                at = max(at, time + gap - shift)
            if before is Cmd.ACT and cmd is Cmd.ACT:
                acts += 1
                if acts == 4:
                    at = max(at, time + self.faw - shift)
            if cmd in (Cmd.ACT, Cmd.PRE) and before is Cmd.ACT and not (self.half and cmd is Cmd.PRE):
                at = max(at, edge + 4)
            if cmd in (Cmd.ACT, Cmd.PRE) and before is Cmd.PRE and not self.half:
                at = max(at, edge + 2)
            if before not in (Cmd.ACT, Cmd.PRE) and cmd not in (Cmd.ACT, Cmd.PRE):
                at = max(at, edge + 4)
        step = 2 if cmd is Cmd.PRE else 4
        return at + -at % step

    def _untouched(self, bank: int) -> bool:
        return all(other // self.banks != bank // self.banks for _, other, _ in self.history)

    def _looks(self, group: int, first: int) -> object:
        """The requests of a bank group up to the names of its banks, seen from one of them."""
        there = [
            (r.bank == first, r.bank, r.write, r.row, r.col) for r in self.requests if r.bank // self.banks == group
        ]
        names = {bank: i for i, bank in enumerate(dict.fromkeys(bank for _, bank, *_ in there))}
        return tuple((own, names[bank], *rest) for own, bank, *rest in there)

    def _accepted(self) -> list[int]:
        """Acceptance of each request that is accepted by now, in half CK: one a cycle, when there is a place."""
        out: list[int] = []
        at = 0
        assert self.room is not None
        for i, r in enumerate(self.requests):
            same = [j for j in range(i) if self.requests[j].write == r.write]
            held = [j for j in same if j not in self.picked]
            if len(held) >= self.room[r.write]:
                break
            # The place comes free with the pick that left fewer than `room` of the same kind.
            freed = sorted((self.picked[j] for j in same if j in self.picked), reverse=True)
            spare = self.room[r.write] - 1 - len(held)
            at = max(at, freed[spare] if spare < len(freed) else 0)
            at += -at % 4
            out.append(at)
            at += 4
        return out

    def _step(self, last: int) -> None:
        left = [i for i in range(len(self.requests)) if i not in self.picked]
        if not left:
            self.best = min(self.best, self.ending)
            return
        key = (frozenset(self.history), frozenset(self.picked.items()), frozenset(self.open.items()), last)
        if key in self.seen:
            return
        self.seen[key] = 1
        taken = self._accepted() if self.room is not None else None
        moves: list[tuple[int, Cmd, int, int, int]] = []
        wanted: dict[int, set[int]] = {}
        for i in left:
            wanted.setdefault(self.requests[i].bank, set()).add(self.requests[i].row)
        alike: set[object] = set()
        for bank, rows in wanted.items():
            row = self.open.get(bank)
            if row is None:
                at = self._earliest(Cmd.ACT, bank, last)
                if self.room is None and self._untouched(bank):
                    # Of bank groups that are alike in everything, one is tried.
                    looks = self._looks(bank // self.banks, bank)
                    if looks in alike:
                        continue
                    alike.add(looks)
                moves += [(at, Cmd.ACT, bank, each, -1) for each in rows]
            elif rows != {row} and next(c for c, b, _ in reversed(self.history) if b == bank) is not Cmd.ACT:
                moves.append((self._earliest(Cmd.PRE, bank, last), Cmd.PRE, bank, row, -1))
        for i in left:
            r = self.requests[i]
            if self.open.get(r.bank) != r.row or any(j not in self.picked for j in self.older[i]):
                continue
            if taken is not None and i >= len(taken):
                continue
            floor = max(last, taken[i] if taken is not None else 0)
            plain, closing = (Cmd.WR, Cmd.WRA) if r.write else (Cmd.RD, Cmd.RDA)
            moves.append((self._earliest(plain, r.bank, floor), plain, r.bank, r.row, i))
            if wanted[r.bank] != {r.row}:
                moves.append((self._earliest(closing, r.bank, floor), closing, r.bank, r.row, i))
        least = min(self.delay.values())
        closed = {(bank, row) for bank, rows in wanted.items() for row in rows if self.open.get(bank) != row}
        for at, cmd, bank, row, i in sorted(moves, key=lambda move: (move[0], -move[4])):
            columns = len(left) - (i >= 0)
            if at + (4 * columns if i >= 0 else 4 * (columns - 1)) + least >= self.best:
                continue
            # Rows that are still to be opened after this command: one ACT after the other, then a column.
            opening = (bank, row) if cmd is Cmd.ACT else None
            if (
                len(closed - {opening})
                and at + self.act_act * (len(closed - {opening}) - (i >= 0 or not opening)) + (self.act_column + least)
                >= self.best
            ):
                continue
            self.history.append((cmd, bank, at))
            before = self.open.get(bank)
            if cmd is Cmd.ACT:
                self.open[bank] = row
            elif cmd in (Cmd.PRE, Cmd.RDA, Cmd.WRA):
                del self.open[bank]
            if i >= 0:
                self.picked[i] = at
                old, self.ending = self.ending, max(self.ending, at + self.delay[self.requests[i].write])
            self._step(at)
            if i >= 0:
                del self.picked[i]
                self.ending = old
            if before is None:
                self.open.pop(bank, None)
            else:
                self.open[bank] = before
            self.history.pop()

    ending = 0
