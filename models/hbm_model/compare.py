"""Compares the commands of a recorded run with those that the exact model foresees, and tells the first difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from hbm_model import _machine as m
from hbm_model.addrmap import AddressMap, named_map
from hbm_model.commands import COLUMN_COMMANDS, Cmd, CmdArray, ck_text, describe
from hbm_model.controller import Channel, Policy, Setup, in_order, port_ids, split_settings
from hbm_model.errors import InputError
from hbm_model.params import ENG_PRESET, Params, load_params
from hbm_model.patterns import NAMES, outstanding, pattern
from hbm_model.presets import preset
from hbm_model.requests import RequestTrace, read_requests
from hbm_model.trace import read_commands

SHOWN: Final = 10  # commands of each side before the difference
_MODE_REGISTERS: Final = {2: 9, 3: 16, 4: 20}  # M7.2


@dataclass(frozen=True)
class Difference:
    """The first place where two command lists differ; a side that has no command there is None."""

    at: int
    seen: np.void | None
    foreseen: np.void | None

    @property
    def cycle(self) -> int:
        """Controller cycle in which the earlier of the two commands was granted or picked (M1.6, M8.1)."""
        times = [int(each["time"]) for each in (self.seen, self.foreseen) if each is not None]
        return min(times) // 4 - 3


def comparable(commands: CmdArray) -> CmdArray:
    """Commands in one order, without mode registers and without what only one side records."""
    out = in_order(commands[commands["cmd"] != Cmd.MRS]).copy()
    out["row"][out["cmd"] != Cmd.ACT] = 0
    return out


def first_difference(seen: CmdArray, foreseen: CmdArray, until: int | None = None) -> Difference | None:
    """First difference of two lists; with `until` (half CK) what lies beyond it does not count."""
    left, right = comparable(seen), comparable(foreseen)
    if until is not None:
        left, right = left[left["time"] < until], right[right["time"] < until]
    common = min(len(left), len(right))
    unequal = np.flatnonzero(left[:common] != right[:common])
    if len(unequal):
        at = int(unequal[0])
    elif len(left) == len(right):
        return None
    else:
        at = common
    return Difference(at, left[at] if at < len(left) else None, right[at] if at < len(right) else None)


def paragraph(seen: np.void | None, foreseen: np.void | None) -> str:
    """Which paragraph of the contract decides between two commands."""
    kinds = {Cmd(int(each["cmd"])) for each in (seen, foreseen) if each is not None}
    if seen is not None and foreseen is not None:
        place = [
            tuple(int(each[key]) for key in ("time", "pc", "sid", "bg", "bank", "col")) for each in (seen, foreseen)
        ]
        if kinds in ({Cmd.RD, Cmd.RDA}, {Cmd.WR, Cmd.WRA}) and place[0] == place[1]:
            return "M4.3, the page policy"
    if kinds & {Cmd.REFSB, Cmd.REF, Cmd.PREA}:
        return "M6, refresh, and M5.6, the order of short commands"
    if kinds <= set(COLUMN_COMMANDS):
        if kinds & {Cmd.RD, Cmd.RDA} and kinds & {Cmd.WR, Cmd.WRA}:
            return "M4.4, the direction"
        return "M4.1 and M4.2, the column selection"
    if kinds == {Cmd.ACT}:
        return "M5.5, the choice of the ACT, and M5.3, the grant"
    if Cmd.PRE in kinds:
        return "M5.6 (4) and M5.2, the choice of the PRE"
    return "M1.3, M1.5 and M5.3, slots, distances and grant"


def queue_text(channel: Channel, pc: int) -> list[str]:
    """What the model believes to be in the queues of a PC, and since when (or from when on) the bank allows more."""
    x, shape, now = channel.state[pc], channel.setup.params.geometry, 2 * int(channel.clock[0])
    lines = [
        f"PC{pc} in cycle {now // 2} (CK {now + 6} on the pins): serves {'writes' if x[m.DIRECTION] else 'reads'}, "
        f"refreshes owed {x[m.DEBT]}, held banks {int(x[m.HELD]):b}"
    ]
    for d, kind in enumerate("RW"):
        for rank in range(m.RANKS):
            if not (int(x[m.ALL + d]) >> rank) & 1:
                continue
            e = d * 64 + rank
            bank = int(x[m.E_BANK + e])
            opened = int(x[m.B_ROW + bank])
            state = "closed" if opened < 0 else "hit" if opened == x[m.E_ROW + e] else f"conflict with row {opened}"
            column = max(
                int(x[(m.B_RD, m.B_WR)[d] + bank]),
                int(x[(m.G_RD, m.G_WR)[d] + bank // shape.banks]),
                int(x[m.T_COL + d]),
            )
            legal = {"hit": column, "closed": int(m.act_from(x, channel.k, bank))}.get(state, int(x[m.B_PRE + bank]))
            notes = [] if x[m.E_WAITS + e] == 0 else [f"waits for {x[m.E_WAITS + e]} older"]
            notes += ["urgent"] if (int(x[m.URGENT + d]) >> rank) & 1 else []
            notes += ["unstarted"] if (int(x[m.RAW + d]) >> rank) & 1 else []
            notes += [f"blocked until CK {legal + 6}"] if legal > now + 1 else []
            lines.append(
                f"  {kind} sid{bank // (shape.bgs * shape.banks)} bg{bank // shape.banks % shape.bgs} "
                f"bank{bank % shape.banks} row {x[m.E_ROW + e]} col {x[m.E_COL + e]}: {', '.join([state, *notes])}"
            )
    return lines


def story(seen: CmdArray, foreseen: CmdArray, found: Difference, belief: Callable[[int], Channel] | None = None) -> str:
    """The first difference in words: both sides before it, the paragraph, and the queues that the model believes in.

    `belief(cycle)` gives a channel that has run up to that cycle.
    """
    left, right = comparable(seen), comparable(foreseen)
    when = ck_text(min(int(each["time"]) for each in (found.seen, found.foreseen) if each is not None))
    lines = [f"first difference at command {found.at}, CK {when}: {paragraph(found.seen, found.foreseen)}"]
    lines.append(f"  {'seen':<48}foreseen")
    for i in range(max(0, found.at - SHOWN), found.at + 4):
        both = [describe(each[i]) if i < len(each) else "-" for each in (left, right)]
        lines.append(f"{'  ' if both[0] == both[1] else '! '}{both[0]:<48}{both[1]}")
    if belief is not None:
        channel = belief(found.cycle)
        for pc in sorted({int(each["pc"]) for each in (found.seen, found.foreseen) if each is not None}):
            lines += queue_text(channel, pc)
    return "\n".join(lines)


# ------------------------------------------------------------------ recorded runs


@dataclass(frozen=True)
class Recorded:
    """A run folder of `hbm run`: what was offered, and the commands that were seen."""

    params: Params
    settings: dict[str, int]
    address_map: AddressMap
    trace: RequestTrace
    commands: CmdArray
    opens: int  # cycle of the first offer
    outstanding: int


def read_run(folder: Path) -> Recorded:
    """Read a run folder; single-beat transactions in trace order only."""
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}/result.json: cannot be read: {error}") from None
    if result.get("merge"):
        raise InputError(f"{folder}: runs with --merge cannot be repeated yet")
    params = load_params(result["params"]) if result.get("params") else preset(result["preset"])
    address_map = named_map(result["map"], params.geometry)
    name, _, pcs = result["trace"].partition(".p")
    if pcs in ("1", "2") and (name in NAMES or name.startswith("stride_")):
        trace = pattern(name, params.geometry, int(pcs), result["trace_requests"])
    else:
        trace = read_requests(trace_path(result["trace"])).head(result["trace_requests"])
    log = next((each for each in (folder / "commands.csv", folder / "commands.npz") if each.exists()), None)
    if log is None:
        raise InputError(f"{folder}: no commands.csv")
    return Recorded(
        params,
        # Policies stand as register.field in a run folder.
        {key.rpartition(".")[2]: value for key, value in {**result["timing"], **result["policy"]}.items()},
        address_map,
        trace,
        read_commands(log, params).commands,
        min(port["first_ck"] for port in result["ports"] if port["requests"]) // 2,
        outstanding(name),
    )


def trace_path(name: str) -> Path:
    """A trace file, or the committed recording of that name."""
    from hbm_model.recordings import TRACES

    path = Path(name)
    recording = TRACES / f"{name}.trace.zst"
    return path if path.exists() or not recording.exists() else recording


def replay(run: Recorded, beat: int = -1) -> tuple[Channel, Callable[[], Channel]]:
    """A channel that stands where the run's channel stood at the start of its traffic, and how to make it again.

    Mode registers in the log tell when commands were first allowed (M7.2), and whether a commit came before that.
    """
    params, policy_values = split_settings(run.params, run.settings)
    writes = run.commands[run.commands["cmd"] == Cmd.MRS]["time"].astype(np.int64) // 4 - 2
    size = _MODE_REGISTERS[params.generation.number]
    if len(writes) not in (size, 2 * size):
        raise InputError(
            f"the log holds {len(writes)} mode register writes, expected {size}, or {2 * size} with a commit"
        )
    std = "HBM2" if params.generation.number == 2 else params.std
    base = preset(f"{ENG_PRESET[std]}_s{params.geometry.sids}")  # what the registers hold after reset

    def begin() -> Channel:
        committed = len(writes) > size
        first_set = base if committed else params
        first = int(writes[size - 1]) + (first_set.count("MOD") + 1) // 2
        setup = Setup(
            params, Policy.of(params, **policy_values), first, run.opens, outstanding=run.outstanding, beat=beat
        )
        if not committed:
            channel = Channel(setup)
        else:
            channel = Channel(Setup(base, Policy.of(base, **policy_values), first))
            load = int(writes[size]) - 1
            channel.k[m.K_PAUSE] = load - (base.count("RFC") + 1) // 2
            channel.earlier.append(channel.run(load, to_the_end=False))
            again = int(writes[-1]) + (params.count("MOD") + 1) // 2
            channel.adopt(Setup(params, setup.policy, again, run.opens, outstanding=run.outstanding, beat=beat))
        channel.offer(run.trace, run.address_map, port_ids(run.trace, run.address_map))
        return channel

    return begin(), begin


def compare_run(folder: Path, beat: int = -1) -> tuple[int, str]:
    """Repeat a recorded run with the model. Returns (commands compared, story); an empty story: no difference.

    beat: cycle of one beat of M4.5, which a run folder with a changed starve_limit does not tell.
    """
    run = read_run(folder)
    channel, begin = replay(run, beat)
    foreseen = np.concatenate([*channel.earlier, channel.run()])
    until = 4 * (int(channel.clock[0]) + 2)  # what the model has not reached does not count
    found = first_difference(run.commands, foreseen, until)
    compared = len(comparable(foreseen))
    if found is None:
        return compared, ""

    def belief(cycle: int) -> Channel:
        again = begin()
        again.run(max(cycle, int(again.clock[0])), to_the_end=False)
        return again

    return compared, story(run.commands, foreseen, found, belief)
