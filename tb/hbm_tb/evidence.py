"""What a failing test leaves in its run folder besides the sentence: the failure in parts, the commands that the exact
model expected around it (for the waves of the replay), and the model itself a batch or two before (for `hbm why`).

Called inside the simulation, once, at the first failure; it changes no verdict: what cannot be written is said in the
log.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cocotb
import numpy as np
from hbm_model import frozen
from numpy.typing import NDArray

from hbm_tb import failure
from hbm_tb.failure import RESET, Failure
from hbm_tb.scoreboard import Mismatch

if TYPE_CHECKING:
    from hbm_tb.env import Checks

NS_PER_CYCLE: Final = 2


def began(cycle: int) -> None:
    """Say when cycle 0 of this run was, for messages of the simulator that only know its time."""
    now = round(cocotb.simtime.get_sim_time("ns"))
    edge = (now - 1) // NS_PER_CYCLE * NS_PER_CYCLE + 1  # the clock rises at odd ns
    print(f"{RESET} {edge - NS_PER_CYCLE * cycle}", flush=True)


def expected_file(test: str) -> str:
    """Name of the file with the expected commands."""
    return f"expected_{test}.txt"


def model_file(test: str) -> str:
    """Name of the file with the exact model shortly before the failure."""
    return f"model_{test}.pkl.gz"


def expected_text(first: int, end: int, commands: NDArray[np.void]) -> str:
    """What tb/hdl/hbm_wave_model.sv reads."""
    keys = ("time", "cmd", "pc", "sid", "bg", "bank", "row", "col")
    lines = [f"{first} {end}", *(" ".join(str(int(row[key])) for key in keys) for row in commands)]
    return "\n".join(lines) + "\n"


def leave(checks: Checks, problem: BaseException, difference: Failure | None) -> None:
    """Write all of it."""
    try:
        _leave(checks, problem, difference)
    except Exception as error:
        print(f"failure: not written: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _leave(checks: Checks, problem: BaseException, difference: Failure | None) -> None:
    config, exact = checks.config, checks.exact
    found = problem.failure if isinstance(problem, Mismatch) else None
    made = found or failure.of_exception(problem)
    until = checks.until
    if made.ck is None and made.kind in ("response", "data"):  # found at the end: that is where to look
        made = replace(made, ck=2.0 * until, cycle=until)
    made = replace(
        made,
        reproduce=made.reproduce or config.reproduce,
        test=checks.test,
        seen_cycle=until,
        resets=checks.resets,
    )
    if difference is not None:
        made = replace(made, difference=difference.headline, difference_ck=difference.ck)
    if exact is not None and exact.differing is not None:
        made = replace(made, command=exact.differing.headline, command_ck=exact.differing.ck)
    elif exact is not None and exact.cycle:
        path = ": the data path" if made.kind in ("data", "response") else ""
        # The recorder notes the commands of a cycle in the next one.
        made = replace(made, command=f"no command differs up to CK {2 * (exact.cycle - 1)}{path}")
    made.write(Path(failure.file_of_test(made.test)))
    if exact is not None:
        Path(expected_file(made.test)).write_text(expected_text(*exact.foreseen))
        frozen.save(Path(model_file(made.test)), exact.before, exact.cycle)
