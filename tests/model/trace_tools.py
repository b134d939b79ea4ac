"""Short ways to write command traces in tests."""

from __future__ import annotations

import numpy as np
from hbm_model.commands import CMD_DTYPE, CODE_OF, COLUMN_COMMANDS, NO_ROW, CmdArray, ck_number
from hbm_model.legality import check_trace, rule_of
from hbm_model.params import Params

Found = tuple[int, str, object, object]  # command, rule, rule_earliest_ck, earliest_ck


def trace(text: str) -> CmdArray:
    """Commands from lines such as `12 ACT pc0 bg1 bank2 row5`;

    fields left out are 0, the row of a column command unknown.
    """
    lines = [line.split("#")[0].split() for line in text.strip().splitlines()]
    lines = [words for words in lines if words]
    commands = np.zeros(len(lines), CMD_DTYPE)
    for record, (cycle, name, *fields) in zip(commands, lines, strict=True):
        record["time"] = round(2 * float(cycle))
        record["cmd"] = CODE_OF[name.upper()]
        if record["cmd"] in COLUMN_COMMANDS:
            record["row"] = NO_ROW
        for field in fields:
            key = field.rstrip("0123456789")
            record[key] = int(field[len(key) :])
    return commands


def violations(commands: CmdArray | str, params: Params, *, jit: bool = False) -> list[Found]:
    """All violations, with times in CK and `never`."""
    if isinstance(commands, str):
        commands = trace(commands)

    def ck(ticks: int) -> object:
        return "never" if ticks < 0 else ck_number(ticks)

    return [
        (int(v["seq"]), rule_of(v).name, ck(int(v["rule_earliest"])), ck(int(v["earliest"])))
        for v in check_trace(commands, params, jit=jit)
    ]
