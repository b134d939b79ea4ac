"""The legality checker: which commands of a trace break which rule, and the exact earliest legal CK of each.

Usable on whole traces and chunk by chunk: `LegalityChecker(params).check(chunk)` keeps its state between calls. The
rules are the table of `rules.py`; the loop over commands is `_scan.scan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbm_model import _scan
from hbm_model._jit import compiled, jit_enabled
from hbm_model.commands import (
    BANK_COMMANDS,
    CMD_DTYPE,
    COLUMN_COMMANDS,
    COMMANDS,
    PC_COMMANDS,
    Cmd,
    CmdArray,
    ck_text,
    describe,
)
from hbm_model.params import Params
from hbm_model.rules import GAP_RULES, RULES, Kind, Rule, Scope, evaluate

NEVER: Final = _scan.NONE  # as an earliest time
NO_COMMAND: Final = _scan.NONE  # as a sequence number
_RULE_INDEX: Final = {rule.name: i for i, rule in enumerate(RULES)}

# Times are first edges in half CK; `seq` and `earlier` count commands from 0. For an upper limit `rule_earliest` is
# the latest legal time.
VIOLATION_DTYPE: Final = np.dtype(
    [
        ("seq", "<i8"),
        ("rule", "<i8"),
        ("earlier", "<i8"),
        ("rule_earliest", "<i8"),
        ("earliest", "<i8"),
        ("time", "<i8"),
    ]
)
ViolationArray = npt.NDArray[np.void]

# Scope -> (domain that owns a cell, key that must differ), as indices of `ids` in the scan: PC 1, SID 2, bank group
# 3, bank 4.
_CELLS: Final[dict[Scope, tuple[int, int]]] = {
    Scope.CHANNEL: (0, 0),
    Scope.PC: (1, 0),
    Scope.SET: (2, 0),
    Scope.GROUP: (3, 0),
    Scope.BANK: (4, 0),
    Scope.GROUP_OTHER_BANK: (3, 4),
    Scope.SID_OTHER_GROUP: (2, 3),
    Scope.OTHER_SID: (1, 2),
    Scope.PC_OTHER_GROUP: (1, 3),
    Scope.PC_OTHER_BANK: (1, 4),
}

# Bus times in half CK. MRS needs RNOP on the row bus for its CK.
_ROW_CK2: Final = {Cmd.ACT: 4, **dict.fromkeys((Cmd.PRE, Cmd.PREA, Cmd.REF, Cmd.REFSB, Cmd.RFM, Cmd.RFMSB), 2)}
_ROW_CK34: Final = {Cmd.ACT: 3, **dict.fromkeys((Cmd.PRE, Cmd.PREA, Cmd.REF, Cmd.REFSB, Cmd.RFM, Cmd.RFMSB), 1)}
_ROW_CK_ALL: Final = dict.fromkeys((Cmd.PDE, Cmd.PDX, Cmd.SRE, Cmd.SRX, Cmd.MRS), 2)


@dataclass(frozen=True)
class RuleUse:
    """How often a rule was looked at on one PC, and the least slack seen, in half CK (None: never looked at)."""

    rule: Rule
    pc: int
    seen: int
    min_slack: int | None


class LegalityChecker:
    """Checks commands of one channel, in time order, against all rules of `params`."""

    def __init__(self, params: Params, *, jit: bool | None = None) -> None:
        """`jit`: run compiled (default: as the environment says)."""
        self.params = params
        self._jit = jit_enabled() if jit is None else jit
        tables = tables_of(params)
        size = _sizes(params)
        state = np.zeros(_scan.S_COUNT, np.int64)
        state[[_scan.S_POWER_SEQ, _scan.S_ROW_SEQ, _scan.S_COL_SEQ, _scan.S_RISE_SEQ, _scan.S_RISE_PC]] = NO_COMMAND
        state[[_scan.S_RISE, _scan.S_ROW_END, _scan.S_COL_END]] = _scan.PAST
        banks = np.full((size[4], _scan.B_FIELDS), NO_COMMAND, np.int64)
        banks[:, _scan.B_RAA] = 0
        banks[:, [_scan.B_ROW_DEADLINE, _scan.B_REF_DEADLINE]] = _scan.FUTURE
        self._state: Any = state
        self._mutable: list[Any] = [
            _new_cells(tables, size),
            state,
            banks.reshape(-1),
            np.zeros(size[2], np.int64),
            np.zeros(_scan.N_CMD, np.int64),
            np.zeros(2 * len(RULES), np.int64),
            np.full(2 * len(RULES), _scan.FUTURE, np.int64),
            np.zeros(5, np.int64),
        ]
        self._fixed: list[Any] = tables.arrays()
        if not self._jit:  # lists are several times faster than arrays in plain Python
            self._mutable = [array.tolist() for array in self._mutable]
            self._fixed = [array.tolist() for array in self._fixed]
            self._state = self._mutable[1]
        self._out: Any = None
        self._capacity = 0

    def check(self, chunk: CmdArray) -> ViolationArray:
        """Check the next commands (CMD_DTYPE);

        return their violations in order. ValueError if a record cannot be a command.
        """
        words = command_words(chunk, jit=self._jit)
        run: Callable[..., Any] = compiled(_scan.scan) if self._jit else _scan.scan
        found: list[ViolationArray] = []
        done, total = 0, len(chunk)
        while done < total:
            self._reserve(total - done)
            done = run(words, done, total, *self._fixed, *self._mutable, self._out, self._capacity)
            found.append(self._violations())
            error = self._state[_scan.S_ERROR]
            if error:
                self._state[_scan.S_ERROR] = _scan.ERROR_NONE
                raise ValueError(f"command {self._state[_scan.S_SEQ]} ({describe_raw(chunk[done])}): {_ERRORS[error]}")
        return np.concatenate(found) if found else np.empty(0, VIOLATION_DTYPE)

    def continued(self, params: Params) -> LegalityChecker:
        """A checker for what follows after the channel was drained and other timings took effect.

        All banks are idle then and every gap has passed; the single-bank refreshes of the running set still count.
        """
        other = LegalityChecker(params, jit=self._jit)
        other._mutable[3][:] = self._mutable[3]
        return other

    def _reserve(self, commands: int) -> None:
        """Make room for the violations of a call; a full buffer only costs another call."""
        want = min(_scan.MAX_OUT + commands, 4096)
        if want > self._capacity:
            self._capacity = want
            self._out = np.zeros(want * _scan.O_FIELDS, np.int64) if self._jit else [0] * (want * _scan.O_FIELDS)

    def _violations(self) -> ViolationArray:
        used = self._state[_scan.S_OUT] * _scan.O_FIELDS
        flat = np.array(self._out[:used], np.int64)
        return flat.view(VIOLATION_DTYPE).reshape(-1)

    @property
    def commands(self) -> int:
        """Commands checked so far."""
        return int(self._state[_scan.S_SEQ])

    @property
    def counts(self) -> dict[str, int]:
        """Commands checked so far per kind, those that occurred."""
        return {c.name: int(self._mutable[4][c]) for c in COMMANDS if self._mutable[4][c]}

    @property
    def use(self) -> list[RuleUse]:
        """Per gap rule of `params` and PC:

        how often it was looked at, and the least slack (rules of the channel count as PC 0).
        """
        seen, slack = self._mutable[5], self._mutable[6]
        result = []
        for rule in GAP_RULES:
            index = _RULE_INDEX[rule.name]
            for pc in range(self.params.count("pcs")):
                count = int(seen[2 * index + pc])
                if rule.applies(self.params):
                    result.append(RuleUse(rule, pc, count, int(slack[2 * index + pc]) if count else None))
        return result


_ERRORS: Final = {
    _scan.ERROR_TIME: "time runs backwards",
    _scan.ERROR_CODE: "no such command",
    _scan.ERROR_RANGE: "pc, sid, bg or bank is outside the geometry",
}


def command_words(chunk: CmdArray, *, jit: bool) -> Any:
    """Commands as the scans read them: 64-bit words, two a command; a list where nothing is compiled."""
    if chunk.dtype != CMD_DTYPE:
        raise TypeError(f"commands have dtype {chunk.dtype}, expected CMD_DTYPE")
    words = np.ascontiguousarray(chunk).view("<i8").reshape(-1)
    if not jit:
        return words.tolist()
    # Numba would compile again for read-only input.
    return words if words.flags.writeable else words.copy()


def describe_raw(record: np.void) -> str:
    """Print the fields of a record that may not be a command."""
    return ", ".join(f"{name} {record[name]}" for name in CMD_DTYPE.names or ())


def rule_of(violation: np.void) -> Rule:
    """The rule that a violation breaks."""
    return RULES[int(violation["rule"])]


def explain(violation: np.void, command: np.void, earlier: np.void | None, where: str, earlier_where: str = "") -> str:
    """One line on a violation; `where` names its place (file and line, or sequence number)."""
    rule = rule_of(violation)
    text = f"{where}: {describe(command)} breaks {rule.name}"
    if earlier is not None:
        text += f" after {describe(earlier)}{f' ({earlier_where})' if earlier_where else ''}"
    if rule.kind is Kind.LIMIT:
        return f"{text}: latest legal CK was {ck_text(int(violation['rule_earliest']))}"
    if violation["rule_earliest"] == NEVER:
        text += f" ({rule.meaning}): legal never"
    else:
        text += f": legal from CK {ck_text(int(violation['rule_earliest']))}"
    if violation["earliest"] != violation["rule_earliest"]:
        every = "never" if violation["earliest"] == NEVER else f"from CK {ck_text(int(violation['earliest']))}"
        text += f", by all rules {every}"
    return text


def check_trace(commands: CmdArray, params: Params, *, jit: bool | None = None) -> ViolationArray:
    """Return all violations of a whole trace."""
    return LegalityChecker(params, jit=jit).check(commands)


# ------------------------------------------------------------------ tables for the scan


@dataclass(frozen=True)
class Tables:
    """The rule table in the form that the scans read, in the order of the arguments of `_scan.scan`."""

    const: list[int]
    level: list[int]
    row_len: list[int]
    col_len: list[int]
    rule_begin: list[int]
    rule_history: list[int]
    rule_gap: list[int]
    rule_id: list[int]
    history_domain: list[int]
    history_key: list[int]
    history_base: list[int]
    history_window: list[int]
    update_begin: list[int]
    update_history: list[int]
    cells: int

    def names(self) -> list[str]:
        """Names of the arguments of `scan` from `const` to `update_history`."""
        return [name for name in vars(self) if name != "cells"]

    def arrays(self) -> list[npt.NDArray[np.int64]]:
        """Their values."""
        return [np.array(getattr(self, name), np.int64) for name in self.names()]

    @property
    def set_history(self) -> int:
        """Number of the history that remembers the last command of each refresh set."""
        return self.const[_scan.C_SET_HISTORY]

    def new_cells(self, params: Params) -> npt.NDArray[np.int64]:
        """Cells without any command."""
        return _new_cells(self, _sizes(params))


def bus_ticks(generation: int) -> tuple[dict[Cmd, int], dict[Cmd, int]]:
    """Half CK that a command occupies the row bus, and the column bus; those that do not are missing."""
    row = (_ROW_CK2 if generation == 2 else _ROW_CK34) | _ROW_CK_ALL
    return row, dict.fromkeys((*COLUMN_COMMANDS, Cmd.MRS), 2)


def _sizes(params: Params) -> tuple[int, int, int, int, int]:
    """Number of cells per domain: channel, PC, SID, bank group, bank."""
    pcs, sids, bgs, banks = (params.count(key) for key in ("pcs", "sids", "bgs", "banks"))
    return 1, pcs, pcs * sids, pcs * sids * bgs, pcs * sids * bgs * banks


def tables_of(params: Params) -> Tables:
    """The tables of a parameter set."""
    size = _sizes(params)
    # A gap of 0 or less cannot be broken in a trace whose time does not run backwards.
    active = [
        (rule, gap)
        for rule in GAP_RULES
        if rule.applies(params) and rule.gap is not None and (gap := evaluate(rule.gap, params.ticks)) > 0
    ]
    histories: dict[tuple[tuple[Cmd, ...], Scope, int], int] = {}
    for rule, _ in active:
        histories.setdefault((rule.before, rule.scope, rule.window), len(histories))
    set_key = ((Cmd.REFSB,), Scope.SET, 1)
    set_history = histories.setdefault(set_key, len(histories))
    base, bases = 0, []
    for _, scope, window in histories:
        bases.append(base)
        base += size[_CELLS[scope][0]] * window
    after = [
        [(histories[r.before, r.scope, r.window], gap, _RULE_INDEX[r.name]) for r, gap in active if c in r.after]
        for c in _codes()
    ]
    # The scan itself keeps the history of refresh sets: only the last command of a set enters.
    updates = [
        [i for (before, scope, _), i in histories.items() if c in before and scope is not Scope.SET] for c in _codes()
    ]
    flat = [entry for entries in after for entry in entries]
    row, column = bus_ticks(params.generation.number)
    return Tables(
        const=_const(params, set_history),
        level=[2 if c in BANK_COMMANDS else 1 if c in PC_COMMANDS else 0 for c in _codes()],
        row_len=[row.get(Cmd(c), 0) for c in _codes()],
        col_len=[column.get(Cmd(c), 0) for c in _codes()],
        rule_begin=_begins(after),
        rule_history=[h for h, _, _ in flat],
        rule_gap=[gap for _, gap, _ in flat],
        rule_id=[rule for _, _, rule in flat],
        history_domain=[_CELLS[scope][0] for _, scope, _ in histories],
        history_key=[_CELLS[scope][1] for _, scope, _ in histories],
        history_base=bases,
        history_window=[window for _, _, window in histories],
        update_begin=_begins(updates),
        update_history=[h for entries in updates for h in entries],
        cells=base,
    )


def _codes() -> range:
    return range(_scan.N_CMD)


def _begins(lists: Sequence[Sequence[object]]) -> list[int]:
    begins = [0]
    for entries in lists:
        begins.append(begins[-1] + len(entries))
    return begins


def _const(params: Params, set_history: int) -> list[int]:
    limit = {
        rule.name: evaluate(rule.gap, params.ticks)
        for rule in RULES
        if rule.kind is Kind.LIMIT and rule.gap is not None
    }
    done = next(rule.gap for rule in GAP_RULES if rule.name == "tWR")
    assert done is not None
    return [
        params.generation.number,
        *(params.count(key) for key in ("pcs", "sids", "bgs", "banks", "rows")),
        limit["tRASmax"],
        limit["tREFImax"],
        *(params.count(key) for key in ("RAAIMT", "RAAMMT", "RAADEC")),
        params.ticks["RAS"],
        params.ticks["RTP"],
        evaluate(done, params.ticks),
        set_history,
        *(_RULE_INDEX[name] for name in _SPECIAL),
    ]


_SPECIAL: Final = (
    "tRASmax",
    "tREFImax",
    "noCommand",
    "powerState",
    "bankOpen",
    "bankClosed",
    "otherRow",
    "refreshOpen",
    "entryOpen",
    "rowRange",
    "refreshSet",
    "RAAMMT",
    "edge",
    "rowBus",
    "colBus",
    "pairing",
)


def _new_cells(tables: Tables, size: tuple[int, int, int, int, int]) -> npt.NDArray[np.int64]:
    """Cells without any command; the first cell of a ring holds its position instead of a key."""
    cells = np.full((max(tables.cells, 1), _scan.CELL), NO_COMMAND, np.int64)
    cells[:, [0, 3]] = _scan.PAST
    for base, domain, window in zip(tables.history_base, tables.history_domain, tables.history_window, strict=True):
        if window > 1:
            cells[base : base + size[domain] * window, 2] = 0
    return cells.reshape(-1)
