"""The exact model alone on what a run of the RTL was given: its numbers must be those of the run.

Lock-step compares both during the run, cycle by cycle. This is the other way round: the model by itself, from reset on,
with the register writes that the run recorded (`events.npy`), then the numbers of both side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hbm_model.controller import EV_REGISTER, Channel, port_ids
from hbm_model.csr_table import REGISTERS
from hbm_model.sim_summary import Outcome, numbers_of
from numpy.typing import NDArray

from hbm_tb.config import CK_PER_CYCLE, reset_params

if TYPE_CHECKING:
    from hbm_tb.run_job import Plan

# Of each port in use, and of the whole.
COMPARED: Final = ("requests", "first_ck", "span_ck", "efficiency", "row", "latency_ck", "ids_overtook")
_COMPARED_TOTALS: Final = ("requests", "span_ck", "efficiency", "row_hit_rate", "latency_ck")


def commit_cycles(events: NDArray[np.void]) -> list[int]:
    """Cycles of the register writes that ask for a commit."""
    ctrl = next(register for register in REGISTERS if register.path == "ctrl")
    asks = (events["kind"] == EV_REGISTER) & (events["a"] == ctrl.address)
    asks &= (events["b"] & np.uint64(ctrl.field("commit").mask)) != 0
    return [int(cycle) for cycle in events["cycle"][asks]]


def model_numbers(plan: Plan, events: NDArray[np.void], first_cycle: int) -> dict[str, Any]:
    """What the exact model makes of the plan, with the keys of result.json.

    first_cycle: the first request is not offered before it.
    """
    from hbm_tb.records import READY_ALWAYS

    config = plan.config
    assert config.ready_r == config.ready_b == (READY_ALWAYS, READY_ALWAYS)
    channel = Channel.from_reset(reset_params(config.geometry))
    channel.setup = replace(channel.setup, outstanding=plan.outstanding)
    channel.events(events)
    parts = []
    for cycle in commit_cycles(events):
        parts.append(channel.run(cycle, to_the_end=False))
        channel.next_set(config.params, config.address_map, config.params.count("rows"), config.rd_delay)
    trace = replace(plan.trace, cycle=plan.trace.cycle + CK_PER_CYCLE * first_cycle)
    parts.append(channel.run(first_cycle, to_the_end=False))
    channel.offer(trace, config.address_map, port_ids(trace, config.address_map))
    parts.append(channel.run())
    seen = channel.prediction(np.concatenate(parts))
    return numbers_of(Outcome(config.params, plan.trace, seen))


def differences(rtl: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each number that is not the same."""
    sides: list[tuple[str, Mapping[str, Any], Mapping[str, Any], tuple[str, ...]]] = [
        ("", rtl, model, _COMPARED_TOTALS)
    ]
    sides += [(f"PC{pc} ", rtl["ports"][pc], model["ports"][pc], COMPARED) for pc in rtl["ports_used"]]
    for where, left, right, keys in sides:
        for key in keys:
            if left[key] != right[key]:
                yield f"{where}{key}: RTL {left[key]}, exact model {right[key]}"
