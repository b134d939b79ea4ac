"""`hbm sim`: the exact model alone on a request trace, from checked input to a run folder (docs/run-folder.md).

Needs no simulator. The model runs in pieces of a fraction of a second, so that progress shows and Ctrl-C is heard.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hbm_model.command_line import option_words
from hbm_model.errors import InputError
from hbm_model.run_folder import CSV_LIMIT, ROOT, name_part

if TYPE_CHECKING:
    from hbm_model.addrmap import AddressMap
    from hbm_model.controller import Channel, Setup
    from hbm_model.params import Params
    from hbm_model.requests import RequestTrace
    from hbm_model.sim_summary import Outcome

PIECE_S: Final = 0.2  # aim for the wall time of a piece
_FIRST_PIECE: Final = 1 << 14  # cycles
QUEUE_LIMITS: Final = (4, 64)  # entries; the RTL has 32
QUEUE_ENTRIES: Final = 32

Progress = Callable[[int], None]  # requests answered so far


@dataclass(frozen=True)
class SimOptions:
    """What a user can ask of `hbm sim`; the names are those of its options."""

    requests: str
    preset: str = ""
    params: str = ""
    settings: tuple[str, ...] = ()
    map: str = "peers"
    fmt: str = "auto"
    fold: bool = False
    count: int = 0
    pcs: int = 2
    outstanding: int = 0
    load: float = 0.0
    ids: int = 16
    read_entries: int = QUEUE_ENTRIES
    write_entries: int = QUEUE_ENTRIES
    name: str = ""

    def words(self) -> list[str]:
        """The command line that asks for this."""
        given = [self.requests] if self.requests else []
        return ["hbm", "sim", *given, *option_words(self, {"fmt": "--from", "settings": "--set"})]


@dataclass(frozen=True)
class SimPlan:
    """A simulation that can start: checked input."""

    options: SimOptions
    params: Params
    timing: dict[str, float]  # registers that the user set
    policy: dict[str, int]
    address_map: AddressMap
    trace: RequestTrace
    setup: Setup
    short: str  # the requests, as part of a name

    @property
    def name(self) -> str:
        """Name of the run folder unless the user gives one."""
        stem = Path(self.options.params).stem if self.options.params else self.params.name
        return f"sim-{self.short}-{name_part(stem)}"


@lru_cache(maxsize=4)
def _requests(name: str, map_name: str, preset: str, params: str, fmt: str, pcs: int, count: int, fold: bool) -> Any:
    """(requests, short name); kept, since a sweep asks for the same ones again and again."""
    from hbm_model.addrmap import named_map
    from hbm_model.patterns import pattern
    from hbm_model.workload import is_pattern, read_trace, trace_file, unknown_requests

    shape = _params(preset, params).geometry
    address_map = named_map(map_name, shape)
    path = trace_file(name)
    if path is not None:
        if path.is_dir():
            raise InputError(f"{name}: a folder, expected a request trace")
        return read_trace(path, address_map, fmt, fold, count), name_part(path.name)
    if is_pattern(name):
        return pattern(name, shape, pcs, count or None).check_range(address_map), f"{name}.p{pcs}"
    raise unknown_requests(name, patterns=True)


@lru_cache(maxsize=16)
def _params(preset: str, params: str) -> Params:
    from hbm_model.cli_check import params_of_options

    return params_of_options(preset or None, Path(params) if params else None)


def evenly_offered(trace: RequestTrace, pcs: int, load: float) -> RequestTrace:
    """The same requests, arriving evenly at `load` percent of the peak of `pcs` PCs (one request per 2 CK each)."""
    import numpy as np

    from hbm_model.params import BURST_CK

    gap = BURST_CK / pcs * 100 / load
    return replace(trace, cycle=np.floor(np.arange(len(trace)) * gap).astype(np.int64))


def make_plan(options: SimOptions) -> SimPlan:
    """Check everything that the user gave; InputError with one line when something cannot be used."""
    import numpy as np

    from hbm_model.addrmap import named_map
    from hbm_model.controller import Policy, Setup
    from hbm_model.patterns import outstanding
    from hbm_model.workload import is_pattern, settings_of, trace_file

    base = _params(options.preset, options.params)
    for key in ("bgs", "banks", "cols"):
        if base[key] != getattr(base.geometry, key):
            raise InputError(
                f"{base.name}: {key} is {base[key]}, expected {getattr(base.geometry, key)} for {base.std}"
            )
    timing, policy = settings_of(options.settings)
    try:
        params = base.replaced(**timing) if timing else base
    except ValueError as error:
        raise InputError(f"--set: {error}") from None
    for what in ("read_entries", "write_entries"):
        if not QUEUE_LIMITS[0] <= getattr(options, what) <= QUEUE_LIMITS[1]:
            flag = what.replace("_", "-")
            raise InputError(f"--{flag} {getattr(options, what)}: expected {QUEUE_LIMITS[0]} to {QUEUE_LIMITS[1]}")
    if options.load < 0 or options.load > 1000:
        raise InputError(f"--load {options.load:g}: expected a percentage above 0, at most 1000")
    if options.outstanding < 0 or not 1 <= options.ids <= 1024 or options.count < 0 or options.pcs not in (1, 2):
        raise InputError("expected outstanding and count of at least 0, ids from 1 to 1024, pcs 1 or 2")
    address_map = named_map(options.map, params.geometry)
    trace, short = _requests(
        options.requests,
        options.map,
        options.preset,
        options.params,
        options.fmt,
        options.pcs,
        options.count,
        options.fold,
    )
    if options.load:
        used = len(np.unique(address_map.split(trace.address)[0]))
        trace = evenly_offered(trace, used, options.load)
    limit = options.outstanding
    if not limit and is_pattern(options.requests) and trace_file(options.requests) is None:
        limit = outstanding(options.requests)
    values = Policy.of(params, **{key.rpartition(".")[2]: value for key, value in policy.items()})
    setup = Setup(
        params,
        values,
        outstanding=limit,
        read_entries=options.read_entries,
        write_entries=options.write_entries,
    )
    return SimPlan(options, params, timing, policy, address_map, trace, setup, short)


def load_model(setup: Setup) -> None:
    """Compile the loop, or load it from the cache, and say so when it takes long: that is not the model's speed."""
    from hbm_model.startup import COMPILING, waiting

    with waiting(COMPILING):
        from hbm_model.controller import Channel

        Channel(setup).run(1)


def run_model(
    plan: SimPlan, progress: Progress | None = None, stop: Callable[[], bool] | None = None
) -> tuple[Outcome, float, float]:
    """The prediction, and the wall and CPU seconds that it took. `stop` is asked now and then; KeyboardInterrupt."""
    import numpy as np

    from hbm_model.controller import Channel, port_ids
    from hbm_model.sim_summary import Outcome

    load_model(plan.setup)
    wall, cpu = time.perf_counter(), time.process_time()
    channel: Channel = Channel(plan.setup)
    channel.offer(plan.trace, plan.address_map, port_ids(plan.trace, plan.address_map, plan.options.ids))
    parts = []
    until, piece = 0, _FIRST_PIECE
    while True:
        if stop is not None and stop():
            raise KeyboardInterrupt
        until += piece
        began = time.perf_counter()
        parts.append(channel.run(until))
        seen = channel.prediction(parts[-1])
        if progress is not None:
            progress(int(np.count_nonzero(seen.done >= 0)))
        if seen.cycles < until:  # it ends by itself when all is answered
            break
        if time.perf_counter() - began < PIECE_S:
            piece *= 2
    outcome = Outcome(plan.params, plan.trace, replace(seen, commands=np.concatenate(parts)), channel.counters())
    return outcome, time.perf_counter() - wall, time.process_time() - cpu


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "numba")}
    return {"python": platform.python_version(), **packages}


def _preset_name(params: Params) -> str:
    """The preset with the geometry of a parameter file."""
    return f"{re.sub(r'_s[0-9]$', '', params.base)}_s{params['sids']}"


def result_of(plan: SimPlan, outcome: Outcome, name: str, wall_s: float, cpu_s: float) -> dict[str, Any]:
    """The content of result.json."""
    from hbm_model.sim_summary import numbers_of

    options = plan.options
    return {
        "schema": 1,
        "name": name,
        "status": "predicted",
        "reason": "",
        "preset": _preset_name(plan.params) if options.params else plan.params.name,
        "params": options.params,
        "geometry": plan.params.geometry.name,
        "trace": plan.trace.source.removeprefix(f"{ROOT}/"),
        "trace_requests": len(plan.trace),
        "merge": False,
        "map": options.map,
        "timing": plan.timing,
        "policy": plan.policy,
        "outstanding": plan.setup.outstanding,
        "ids": options.ids,
        "load": options.load,
        "entries": {"read": options.read_entries, "write": options.write_entries},
        **numbers_of(outcome),
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 3),
        "requests_per_s": round(len(plan.trace) / wall_s),
        "cycles_per_s": round(outcome.seen.cycles / wall_s),
        "versions": versions(),
        "reproduce": shlex.join(options.words()),
    }


def fill_folder(folder: Path, result: dict[str, Any], outcome: Outcome) -> None:
    """All files of a run folder."""
    import json

    import numpy as np

    from hbm_model.report import run_report, write_report
    from hbm_model.sim_summary import series_of_outcome
    from hbm_model.trace import write_commands

    commands = outcome.seen.commands
    write_commands(folder / ("commands.csv" if len(commands) <= CSV_LIMIT else "commands.npz"), commands)
    series = series_of_outcome(outcome)
    np.savez_compressed(folder / "series.npz", **series)  # type: ignore[arg-type]  # numpy's stub of **kwds
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    write_report(folder / "report.html", run_report(result, commands, outcome.params.geometry, series))


class PlainProgress:
    """A line on stderr every five seconds, where there is no terminal for a bar."""

    EVERY_S: Final = 5.0

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.said = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.said >= self.EVERY_S:
            self.said = now
            print(f"{self.what}: {done:,} of {self.total:,} {self.unit}", file=sys.stderr, flush=True)


def sim_job(options: SimOptions) -> int:
    """One simulation into a run folder; the exit code (0 done, 130 interrupted)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hbm_model import run_folder
    from hbm_model.run_summary import print_summary

    plan = make_plan(options)
    name = run_folder.check_name(options.name or plan.name)
    screen = Console(stderr=True)
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} requests"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    try:
        load_model(plan.setup)
        with run_folder.staging_folder(run_folder.RUNS) as staging:
            with bar:
                task = bar.add_task("", total=len(plan.trace))
                plain = PlainProgress("sim", len(plan.trace), "requests")

                def show(done: int) -> None:
                    if screen.is_terminal:
                        bar.update(task, completed=done)
                    else:
                        plain(done)

                outcome, wall_s, cpu_s = run_model(plan, show)
            result = result_of(plan, outcome, name, wall_s, cpu_s)
            fill_folder(staging, result, outcome)
            run_folder.put_in_place(staging, run_folder.RUNS / name)
    except KeyboardInterrupt:
        print("\nhbm: interrupted; nothing was written, earlier run folders are as they were", file=sys.stderr)
        return 130
    print_summary(Console(), result, run_folder.RUNS / name)
    return 0
