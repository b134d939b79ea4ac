"""A finished run put before the exact model again, to ask what the channel was doing at some CK.

Runs of `hbm run` and `hbm sim` are run again from their requests; the model does what the channel did, up to the first
difference of a failed run. Of other failed runs the model stands in the run folder as it was a batch or two before the
failure (hbm_model.frozen).
"""

from __future__ import annotations

import argparse
import math
import shlex
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from hbm_model import _places as m
from hbm_model import _port_places as p
from hbm_model import frozen, story
from hbm_model.commands import CMD_DTYPE, Cmd, CmdArray, ck_number
from hbm_model.controller import Channel, Prediction, Setup, in_order, port_ids
from hbm_model.errors import InputError
from hbm_model.params import Params
from hbm_model.run_folder import RUNS, read_object
from hbm_model.simulate import SimOptions, SimPlan, make_plan
from hbm_model.trace import read_commands

I64 = npt.NDArray[np.int64]
PIPE: Final = story.PIPE  # cycles from a decision to its word on the pins


def folder_of(run: str) -> Path:
    """Folder of a run by name (build/runs) or path."""
    for folder in (RUNS / run, Path(run)):
        if folder.is_dir():
            return folder
    raise InputError(f"no run `{run}`: neither a folder nor a name in {RUNS.parent.name}/{RUNS.name}")


def cycle_of(ck: float) -> int:
    """Controller cycle in which commands for this CK on the pins are decided."""
    return int(ck) // 2 - PIPE


@dataclass
class Asked:
    """A run: its commands, and the exact model at any cycle that is known."""

    folder: Path
    params: Params
    commands: CmdArray  # in pin order
    lines: I64 | None  # line of each in commands.csv
    source: Source

    def state(self, ck: float) -> Channel:
        """The model at the start of the cycle in which commands for `ck` are decided."""
        if not math.isfinite(ck):
            raise InputError(f"--at {ck:g}: expected a CK of the run")
        return self.source.at(cycle_of(ck))

    def place(self, number: int) -> str:
        """Where command `number` stands: `line 812`."""
        return f"line {self.lines[number]}" if self.lines is not None else f"command {number}"

    def request_name(self, channel: Channel, pc: int, d: int, rank: int) -> str:
        """The request of a queue entry: `request 1234 (read row 77 col 3)`, `read 57 of port 0 (...)`."""
        x = channel.state[pc]
        e = d * 64 + rank
        what = f"row {x[m.E_ROW + e]} col {x[m.E_COL + e]}"
        name = int(x[m.E_REQ + e])
        if d == m.READ and name < 0:
            return f"the read of a read-modify-write ({what})"
        kind = "read" if d == m.READ else "write"
        number = self._of_port(x, d, name)
        found = self.source.request(pc, d == m.WRITE, number)
        return f"request {found} ({kind} {what})" if found else f"{kind} {number + 1} of port {pc} ({what})"

    @staticmethod
    def _of_port(x: I64, d: int, name: int) -> int:
        """Which read (or write) of its port an entry is, from 0."""
        return int(x[p.S_BURST + (name & (m.EXPRESS_NAME - 1))]) if d == m.READ else name >> 1


class Source:
    """Where the model's states come from."""

    def at(self, cycle: int) -> Channel:
        """The model at the start of a cycle; InputError where it is not known."""
        raise NotImplementedError

    def request(self, port: int, write: bool, number: int) -> int:
        """Number in the request trace, from 1, of a port's read or write; 0: there is no trace."""
        return 0


@dataclass
class Rerun(Source):
    """The requests of a run, offered to the model again."""

    setup: Setup
    options: SimOptions
    trace: Any
    address_map: Any
    end: int  # CK up to which the run went
    _last: tuple[int, Channel] | None = field(default=None, repr=False)

    def _fresh(self) -> Channel:
        channel = Channel(self.setup)
        channel.offer(self.trace, self.address_map, port_ids(self.trace, self.address_map, self.options.ids))
        return channel

    def at(self, cycle: int) -> Channel:
        """Run from the start, or on from the last state that was asked for."""
        if cycle < 0:
            raise InputError(f"--at: the first commands come at CK {2 * PIPE}")
        if cycle > cycle_of(self.end):
            raise InputError(f"--at: this run went from CK {2 * PIPE} to {self.end}")
        if self._last is None or self._last[0] > cycle:
            self._last = (0, self._fresh())
        channel = self._last[1]
        channel.run(cycle, to_the_end=False)
        self._last = (cycle, channel)
        return channel.copy()

    @cached_property
    def ports(self) -> tuple[I64, npt.NDArray[np.bool_]]:
        """Port and direction of every request."""
        return np.asarray(self.address_map.split(self.trace.address)[0]), np.asarray(self.trace.write, np.bool_)

    def of_port(self, port: int, write: bool) -> I64:
        """Places in the trace of a port's reads or writes."""
        pcs, writes = self.ports
        return np.flatnonzero((pcs == port) & (writes == write))

    def request(self, port: int, write: bool, number: int) -> int:
        """From 1."""
        mine = self.of_port(port, write)
        return int(mine[number]) + 1 if number < len(mine) else 0

    @cached_property
    def whole(self) -> Prediction:
        """The run to its end: commands, and the cycles of every request."""
        channel = self._fresh()
        return channel.prediction(channel.run())


@dataclass
class Saved(Source):
    """What a failed run left of the model."""

    states: frozen.Frozen

    def at(self, cycle: int) -> Channel:
        """Within the last batches before the failure."""
        found = self.states.at(cycle)
        if found is None:
            first, last = self.states.states[0][0] + PIPE, self.states.until + PIPE
            raise InputError(f"--at: this run keeps the model's state from CK {2 * first} to {2 * last} only")
        return found


# ------------------------------------------------------------------ opening


def _words(line: str) -> argparse.Namespace | None:
    """The options of a line `hbm run ...` or `hbm sim ...`, as far as they say what was asked of the channel."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if len(words) < 2 or not words[0].endswith("hbm") or words[1] not in ("run", "sim"):
        return None
    main_job = words[1] == "run"
    blank = SimOptions("")  # its defaults are those of both commands
    parser = argparse.ArgumentParser(exit_on_error=False)
    if not main_job:  # `hbm run` has none: the value of an option that is not known here would pass for it
        parser.add_argument("requests", nargs="?")
    for name in ("trace", "pattern", "preset", "params", "name"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--map", default=blank.map)
    parser.add_argument("--from", dest="fmt", default=blank.fmt)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    for name in ("count", "pcs", "outstanding", "ids", "read_entries", "write_entries"):
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=getattr(blank, name))
    parser.add_argument("--load", type=float, default=blank.load)
    parser.add_argument("--fold", action="store_true")
    parser.add_argument("--merge", action="store_true")
    parser.set_defaults(requests="", main_job=main_job)
    try:
        return parser.parse_known_args(words[2:])[0]
    except argparse.ArgumentError:
        return None


def _options(given: argparse.Namespace) -> SimOptions:
    """The same requests and registers for the model alone."""
    requests = given.requests or given.trace or given.pattern or "attention"
    return SimOptions(
        requests, preset=given.preset, params=given.params, settings=tuple(given.settings), map=given.map,
        fmt=given.fmt, fold=given.fold, count=given.count, pcs=given.pcs, outstanding=given.outstanding,
        load=given.load, ids=given.ids, read_entries=given.read_entries, write_entries=given.write_entries,
    )  # fmt: skip


def _rerun(plan: SimPlan, main_job: bool, result: dict[str, Any], commands: CmdArray) -> Rerun:
    """The run offered again. Traffic of `hbm run` begins after the registers were programmed (docs/bench.md)."""
    setup, trace = plan.setup, plan.trace
    cycles = result.get("cycles")
    end = max(2 * cycles if isinstance(cycles, int) else 0, int(commands["time"].max(initial=0)) // 2)
    if main_job:
        try:
            opens = min((port["first_ck"] for port in result["ports"] if port.get("first_ck")), default=0) // 2
        except (KeyError, TypeError, AttributeError):
            raise InputError("result.json: expected `ports` with the CK of the first request of each") from None
        mrs = commands["time"][commands["cmd"] == Cmd.MRS]
        last = int(mrs.max()) // 4 - 2 if len(mrs) else 0
        trace = replace(trace, cycle=trace.cycle + 2 * opens)
        setup = replace(setup, first=last + (plan.params.count("MOD") + 1) // 2)
    return Rerun(setup, plan.options, trace, plan.address_map, end)


def _commands_of(folder: Path, params: Params) -> tuple[CmdArray, I64 | None]:
    """Commands of a run folder in pin order, and their lines."""
    table = folder / "commands.csv"
    if table.exists():
        read = read_commands(table, params)
        return read.commands, read.lines
    for name, key in (("commands.npz", "commands"), *((each.name, "cmd") for each in folder.glob("failure_*.npz"))):
        if (folder / name).exists():
            try:
                with np.load(folder / name) as kept:
                    rows = kept[key] if key in kept.files else kept[kept.files[0]]
                return in_order(np.ascontiguousarray(rows).view(CMD_DTYPE).reshape(-1)), None
            except (OSError, EOFError, ValueError, AttributeError, IndexError, KeyError, BadZipFile) as error:
                raise InputError(f"{folder / name}: holds no commands that can be read ({error})") from None
    return np.zeros(0, CMD_DTYPE), None


@dataclass
class Unknown(Source):
    """A run of which only the commands are known: of a controller that is not ours, or without a state of the model."""

    folder: Path

    def at(self, cycle: int) -> Channel:
        """There is none."""
        raise InputError(
            f"{self.folder}: what the channel knew is not known; ask runs of `hbm run` (without --merge), `hbm sim`, "
            "or failed tests; `hbm timeline` draws its commands"
        )


def knows_channel(folder: Path) -> bool:
    """True where `hbm why` has an exact model to ask: by the requests of the run, or by a state that it left."""
    try:
        given = _words(str(read_object(folder / "result.json").get("reproduce", "")))
        return (given is not None and not given.merge) or _state_of(folder) is not None
    except InputError:
        return False


def open_run(folder: Path) -> Asked:
    """The run of a folder."""
    result = read_object(folder / "result.json")
    given = _words(str(result.get("reproduce", "")))
    kept = any((folder / name).exists() for name in ("commands.csv", "commands.npz"))
    if given is not None and not given.merge and kept:
        plan = make_plan(_options(given))
        commands, lines = _commands_of(folder, plan.params)
        return Asked(folder, plan.params, commands, lines, _rerun(plan, given.main_job, result, commands))
    saved = _saved(folder)
    if saved is not None:
        params = saved.states[-1][1].setup.params
        commands, lines = _commands_of(folder, params)
        return Asked(folder, params, commands, lines, Saved(saved))
    if given is not None and given.merge:
        raise InputError(f"{folder}: the run merged its requests (--merge), which the model alone cannot repeat")
    from hbm_model.cli_check import params_of_result, read_result

    params = params_of_result(folder, read_result(folder))
    commands, lines = _commands_of(folder, params)
    return Asked(folder, params, commands, lines, Unknown(folder))


def _state_of(folder: Path) -> Path | None:
    name = str(read_object(folder / "failure.json").get("test", ""))
    return next(iter(sorted(folder.glob(f"model_{name or '*'}.pkl.gz"))), None)


def _saved(folder: Path) -> frozen.Frozen | None:
    file = _state_of(folder)
    return frozen.load(file) if file is not None else None


def first_difference(asked: Asked, ck: float) -> float | None:
    """CK of the first command before `ck` in which the run differs from the model; None: they are the same."""
    if not isinstance(asked.source, Rerun):
        return None
    channel = asked.source._fresh()
    made = channel.run(cycle_of(ck), to_the_end=False)
    first = 4 * (asked.source.setup.opens + PIPE)
    if len(made):
        first = max(first, int(made["time"][0]))
    # Decided before that cycle, and no later than the run's own last command.
    end = min(4 * (cycle_of(ck) + PIPE), int(asked.commands["time"].max(initial=0)) + 1)
    seen = asked.commands[(asked.commands["time"] >= first) & (asked.commands["time"] < end)]
    ours = made[(made["time"] >= first) & (made["time"] < end)]
    found = story.first_difference(seen, ours)
    return None if found is None else float(ck_number(found.time))
