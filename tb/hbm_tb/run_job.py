"""The main job, `hbm run`: a request trace through the RTL with every check on, into a run folder (docs/run-folder.md).

Everything that can be wrong with the input is found before anything is built or written. The run works in a staging
folder that becomes `build/runs/<name>` in one rename, so that an interrupted run leaves nothing behind.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_model.command_line import option_words, typed
from hbm_model.errors import InputError
from hbm_model.map_file import map_reference
from hbm_model.run_folder import CSV_LIMIT, ROOT, RUNS, check_name, name_part, put_in_place, staging_folder
from hbm_model.startup import Waiting

from hbm_tb import coverage_files

if TYPE_CHECKING:
    import numpy as np
    from hbm_model.params import Params
    from hbm_model.requests import RequestTrace
    from numpy.typing import NDArray

    from hbm_tb.config import BenchConfig
    from hbm_tb.sim import Build, Result

DEFAULT_TRACE = "attention"
# Cycle of the first request at the earliest: init and programming are over by then (init of HBM4 with all registers
# programmed ends before 2,100).
FIRST_CYCLE = 4096
# What the simulator writes for the progress bar: bursts answered, bursts in all, controller cycles.
PROGRESS_FORMAT = "{:>20}{:>20}{:>20}\n"
REPRODUCE = "HBM_REPRODUCE"  # as in test_base, which only the simulator can import quickly
RECORD = "HBM_RUN_RECORD"  # as in run_record
STARTING = "starting the simulation; after a change of model or checks they are compiled (about a minute)"
TIMEOUT_S = 24 * 3600.0  # hangs are found by the watchdog of the bench, in cycles
# A run ends with its wave window only when the user asked for that: no verdict, and no failure either.
EXIT = {"pass": 0, "stopped": 0, "fail": 1, "timeout": 1, "died": 1}


@dataclass(frozen=True)
class RunOptions:
    """What a user can ask of a run; the names are those of the options of `hbm run`."""

    trace: str = ""
    pattern: str = ""
    pcs: int = 2
    count: int = 0
    preset: str = ""
    params: Path | None = None
    map_name: str = "peers"
    from_format: str = "auto"
    fold: bool = False
    merge: bool = False
    seed: int = 1
    settings: tuple[str, ...] = ()
    name: str = ""
    waves: bool = False
    waves_from: int | None = None
    waves_to: int | None = None
    replay: bool = True  # a failing run is repeated with waves around its failure


@dataclass
class Plan:
    """A run that can start: checked input."""

    options: RunOptions
    config: BenchConfig
    trace: RequestTrace
    name: str
    outstanding: int = 0  # bursts under way at once; 0: no limit
    job: dict[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> bool | tuple[int | None, int | None]:
        """`waves` of sim.run."""
        o = self.options
        if o.waves_from is not None or o.waves_to is not None:
            return (o.waves_from, o.waves_to)
        return o.waves


# ---------------------------------------------------------------- input


# Options whose flag is not their name.
_FLAGS = {"map_name": "--map", "from_format": "--from", "settings": "--set"}


def reproduce_line(options: RunOptions) -> str:
    """The command line that repeats a run."""
    return shlex.join(["hbm", "run", *option_words(replace(options, replay=True), _FLAGS, always=("seed",))])


def known_geometries() -> list[str]:
    """Geometries that the RTL is generated for."""
    return sorted(p.parent.name for p in (ROOT / "rtl" / "gen").glob("*/hbm_geometry_pkg.sv"))


def load_trace(options: RunOptions, config: BenchConfig) -> tuple[RequestTrace, str]:
    """The requests of a run and their short name."""
    from hbm_model.patterns import pattern
    from hbm_model.workload import read_trace, trace_file, unknown_requests

    if options.trace and options.pattern:
        raise InputError("--trace and --pattern exclude each other")
    if options.pattern:
        trace = pattern(options.pattern, config.params.geometry, options.pcs, options.count or None)
        return trace, f"{options.pattern}.p{options.pcs}"
    wanted = options.trace or DEFAULT_TRACE
    path = trace_file(wanted)
    if path is None:
        raise unknown_requests(wanted)
    trace = read_trace(path, config.address_map, options.from_format, options.fold, options.count)
    return trace, name_part(path.name)


def config_of_params(params: Params) -> dict[str, Any]:
    """BenchConfig fields that make a run with the values of a parameter file."""
    from hbm_model.params import PARAM
    from hbm_model.presets import preset

    stem = re.sub(r"_s\d$", "", params.base)
    base = next(
        (p for p in (preset(params.base), preset(stem)) if p["sids"] == params["sids"]),
        None,
    ) or preset(f"{stem}_s{params['sids']}")
    for key in ("pcs", "bgs", "banks", "cols", "dq"):
        if params[key] != base[key]:
            raise InputError(f"{params.name}: {key} is {params[key]}, but the RTL is built with {base[key]}")
    if not base["rows"] // 2 < params["rows"] <= base["rows"]:
        # A row limit takes rows away; with half of them or fewer a row address bit would have no place in the map.
        low = int(base["rows"]) // 2 + 1
        raise InputError(f"{params.name}: rows is {params['rows']}, but the RTL is built for {low} to {base['rows']}")
    timing = {p.key: params[p.key] for p in PARAM.values() if p.timing and params[p.key] != base[p.key]}
    rows = 0 if params["rows"] == base["rows"] else params.count("rows")
    return {"preset": base.name, "timing": timing, "row_limit": rows, "tck_ns": str(params.tck_ns)}


def make_config(
    preset: str, params: Path | None, map_name: str, seed: int, settings: tuple[str, ...], **more: Any
) -> BenchConfig:
    """The bench's settings from what the user gave; InputError with one line when something cannot be used."""
    from hbm_model.params import load_params
    from hbm_model.presets import DEFAULT_PRESET
    from hbm_model.workload import settings_of

    from hbm_tb.config import BenchConfig

    if preset and params:
        raise InputError("--preset and --params exclude each other; `base` in the file names a preset")
    timing, policy = settings_of(settings)
    if params:
        given = config_of_params(load_params(params))
    else:
        given = {"preset": preset or DEFAULT_PRESET, "timing": {}}
    config = BenchConfig(
        **{**given, "timing": {**given["timing"], **timing}},
        policy=policy,
        map_name=map_reference(map_name),
        seed=seed,
        **more,
    )
    try:
        geometry = config.geometry
        config.address_map  # noqa: B018  (raises when the map does not fit)
        config.params  # noqa: B018
    except ValueError as error:
        raise InputError(f"--set: {error}") from None
    if geometry not in known_geometries():
        raise InputError(f"{config.preset}: no RTL is generated for {geometry}, only {', '.join(known_geometries())}")
    return config


def check_window(first: int | None, last: int | None) -> None:
    """InputError unless the wave window can be."""
    window = [at for at in (first, last) if at is not None]
    if any(at < 0 for at in window) or (len(window) == 2 and window[1] <= window[0]):
        raise InputError("the wave window must have 0 <= --waves-from < --waves-to, in CK")


def window_part(first: int | None, last: int | None) -> str:
    """End of a run's name: a run that is cut off must not be taken for, or put in place of, the whole run."""
    return f"-ck{first or 0}-{last}" if last is not None else ""


def make_plan(options: RunOptions) -> Plan:
    """Check everything that the user gave; InputError with one line when something cannot be used."""
    from hbm_model.patterns import outstanding

    config = make_config(
        options.preset, options.params, options.map_name, options.seed, options.settings, batch=1024, coverage=False
    )
    check_window(options.waves_from, options.waves_to)
    trace, short = load_trace(options, config)
    name = options.name or f"{short}-{Path(options.params).stem if options.params else config.preset}"
    name += window_part(options.waves_from, options.waves_to)
    return Plan(options, config, trace, check_name(name), outstanding(options.pattern) if options.pattern else 0)


# ---------------------------------------------------------------- run


class ProgressBar:
    """The progress line of a run on stderr: share done, cycles/s, time left; plain lines when it is no terminal."""

    PLAIN_S = 5.0

    def __init__(self, source: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.source = source
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("simulating", total=None, rate="")
        self.last: tuple[float, int] | None = None
        self.rate = 0.0
        self.said = time.monotonic()
        self.start = Waiting(STARTING)

    def poll(self) -> None:
        """Read what the simulator wrote and show it."""
        try:
            done, total, cycle = (int(word) for word in self.source.read_text().split())
        except (OSError, ValueError):  # no batch of the traffic is over yet
            self.start.tell()
            return
        self.start.end()
        now = time.monotonic()
        if self.last is None:
            self.last = (now, cycle)
        elif cycle > self.last[1] and now > self.last[0]:
            rate = (cycle - self.last[1]) / (now - self.last[0])
            self.rate = rate if not self.rate else 0.8 * self.rate + 0.2 * rate
            self.last = (now, cycle)
        rate_text = f"{self.rate / 1000:,.0f} thousand cycles/s" if self.rate else ""
        self.bar.start()  # not before: it would draw over the line on the start
        self.bar.update(self.task, completed=done, total=total or None, rate=rate_text)
        if not self.console.is_terminal and now - self.said > self.PLAIN_S and total:
            self.said = now
            print(f"run: {100 * done / total:.0f} % done, cycle {cycle:,}, {rate_text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The simulator is gone."""
        self.start.end()
        self.bar.stop()


def streams_of(plan: Plan) -> dict[str, NDArray[np.void]]:
    """Records of the request rings ("ar0", "aw0", "w0" ...) that make the plan's traffic."""
    from hbm_tb import records
    from hbm_tb.traffic import from_trace

    streams = {}
    chunks = from_trace(plan.trace, plan.config.address_map, plan.config.seed, plan.options.merge)
    for port, chunk in enumerate(chunks):
        for rows in (chunk.ar, chunk.aw):
            rows["at"] += FIRST_CYCLE
            if plan.outstanding:
                rows["flags"] |= records.FLAG_AFTER_R | records.FLAG_AFTER_B
        streams.update({f"ar{port}": chunk.ar, f"aw{port}": chunk.aw, f"w{port}": chunk.w})
    return streams


def write_stimulus(plan: Plan, folder: Path) -> None:
    """One file per request ring, which the test in the simulator maps."""
    import numpy as np

    folder.mkdir()
    for name, rows in streams_of(plan).items():
        np.save(folder / f"{name}.npy", rows)


def stimulus_of(options: Mapping[str, Any], folder: Path) -> Path:
    """The stimulus of a run, made again from its options as its job holds them."""
    given = dict(options)
    params = Path(given.pop("params")) if given.get("params") else None
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if key != "params"}
    write_stimulus(make_plan(RunOptions(**given, params=params)), folder)
    return folder


def simulate(
    plan: Plan,
    build: Build,
    folder: Path,
    timeout: float = TIMEOUT_S,
    quiet: bool = False,
    stimulus: Path | None = None,
    record: bool = False,
) -> Result:
    """Run the plan in `folder`; the simulator leaves its numbers there.

    `stimulus`: records made before. `record`: it leaves what a run page shows too (run_record).
    """
    from hbm_tb import sim

    progress = folder / "progress"
    made = folder / "stimulus"
    if stimulus is None:
        write_stimulus(plan, made)
    options = {**vars(plan.options), "params": str(plan.options.params or "")}
    job = {"stimulus": str(stimulus or made), "out": str(folder), "progress": str(progress), "options": options}
    job |= plan.job
    env = {
        **plan.config.with_(job=job).to_environment(),
        REPRODUCE: typed(reproduce_line(plan.options)).replace("{", "{{").replace("}", "}}"),
        **({RECORD: "1", coverage_files.DIRECTORY: str(folder)} if record else {}),
    }
    how: dict[str, Any] = {
        "seed": plan.options.seed,
        "run_dir": folder,
        "waves": plan.window,
        "env": env,
        "timeout": timeout,
    }
    if quiet:
        result = sim.run(build, "run_tests", "TraceRun$", **how)
    else:
        show = ProgressBar(progress)
        try:
            result = sim.run(build, "run_tests", "TraceRun$", poll=show.poll, **how)
        finally:
            show.end()
    shutil.rmtree(made, ignore_errors=True)
    progress.unlink(missing_ok=True)
    return result


def verdict_of(plan: Plan, result: Result, numbers: Mapping[str, Any]) -> tuple[str, str]:
    """Status and reason; a pass also needs every request of the trace to be answered, once."""
    if result.status == "stopped":
        text = f"ended at CK {plan.options.waves_to} by --waves-to, the end of the wave window: neither pass nor fail"
        seen = numbers.get("evaluated_ck")
        return "stopped", text + (f"; evaluated up to CK {seen}" if seen else "; no traffic was evaluated")
    if result.status != "pass":
        return result.status, result.reason
    for what, expected in (("read", plan.trace.reads), ("write", plan.trace.writes)):
        found = numbers.get(f"{what}_requests", 0)
        if found != expected:
            return "fail", f"{found} {what} requests were carried out, the trace has {expected}"
    checked = numbers["checked"]
    if checked["commands"] == 0 or checked["read_beats"] < plan.trace.reads:
        return "fail", f"only {checked['commands']} commands and {checked['read_beats']} read beats were checked"
    exact = numbers["exact"]
    if exact["commands"] < checked["commands"] or exact["responses"] < checked["read_beats"]:
        return (
            "fail",
            f"only {exact['commands']} commands and {exact['responses']} responses were compared with the model",
        )
    return "pass", ""


def result_of(plan: Plan, build: Build, result: Result, wall_s: float) -> dict[str, Any]:
    """The content of result.json."""
    from hbm_tb import sim

    numbers_file = result.run_dir / "numbers.json"
    numbers = json.loads(numbers_file.read_text()) if numbers_file.exists() else {}
    status, reason = verdict_of(plan, result, numbers)
    loop = numbers.pop("loop", None)
    config = plan.config
    out: dict[str, Any] = {
        "schema": 1,
        "name": plan.name,
        "status": status,
        "reason": reason,
        "preset": config.preset,
        "params": str(plan.options.params or ""),
        "geometry": config.geometry,
        "trace": plan.trace.source.removeprefix(f"{ROOT}/"),
        "trace_requests": len(plan.trace),
        "seed": plan.options.seed,
        "merge": plan.options.merge,
        "map": config.map_name,
        "timing": config.timing,
        "policy": config.policy,
        **numbers,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(result.cpu_s, 3),
        "build_s": round(build.seconds, 1) if build.fresh else 0.0,
        "versions": sim.tool_versions(),
        "reproduce": reproduce_line(plan.options),
        "command": result.command,
    }
    if loop and loop["cycles"]:
        out["cycles_per_s"] = round(loop["cycles"] / loop["s"])
    return out


def write_junit(path: Path, result: Mapping[str, Any], suite_name: str = "hbm run") -> None:
    """A results.xml for a run whose simulator could not write one, or whose own one does not tell the whole story."""
    suite = ET.Element("testsuite", name=suite_name, tests="1", failures="0", errors="0", skipped="0")
    case = ET.SubElement(suite, "testcase", name=str(result["name"]), classname="run", time=str(result["wall_s"]))
    if result["status"] == "stopped":
        suite.set("skipped", "1")
        ET.SubElement(case, "skipped", message=str(result["reason"]))
    else:
        suite.set("failures", "1")
        ET.SubElement(case, "failure", message=str(result["reason"]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def fill_folder(plan: Plan, result: Mapping[str, Any], folder: Path) -> None:
    """Commands, report and verdict files of a run, from what the simulator left."""
    import numpy as np
    from hbm_model.report import Violation, run_report, write_report
    from hbm_model.trace import write_commands

    raw = folder / "commands.npy"
    commands = np.load(raw) if raw.exists() else np.zeros(0, _command_dtype())
    raw.unlink(missing_ok=True)
    write_commands(folder / ("commands.csv" if len(commands) <= CSV_LIMIT else "commands.npz"), commands)
    (folder / "numbers.json").unlink(missing_ok=True)
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    if result["status"] != "pass":
        write_junit(folder / "results.xml", result)
    if len(commands):
        series_file = folder / "series.npz"
        series = dict(np.load(series_file)) if series_file.exists() else None
        lines = str(result["reason"]).splitlines() if result["status"] != "stopped" else []
        found = [Violation(_ck_of(line), line) for line in lines if "CK " in line]
        shown = commands.copy()
        shown["row"][shown["row"] == np.uint16(0xFFFF)] = 0
        report = run_report(result, shown, plan.config.params.geometry, series, found)
        write_report(folder / "report.html", report)


def _command_dtype() -> Any:
    from hbm_model.commands import CMD_DTYPE

    return CMD_DTYPE


def _ck_of(line: str) -> float:
    match = re.search(r"CK (\d+(?:\.5)?)", line)
    return float(match[1]) if match else 0.0


def publish(staging: Path, name: str) -> Path:
    """Move the finished folder to its place; an earlier run of that name goes away."""
    final = RUNS / name
    put_in_place(staging, final)
    for name_in in ("sim.cmd", "sim.json", "results.xml", "result.json", "failure.json"):
        file = final / name_in
        if file.exists():
            file.write_text(file.read_text().replace(str(staging), str(final)))
    waves = final / "waves.fst"
    if waves.exists():
        from hbm_tb.waves import write_setups

        try:
            write_setups(waves)
        except InputError as problem:  # an empty window: the file has no signal to show
            print(f"hbm: {problem}", file=sys.stderr)
    return final


def run_plan(plan: Plan, quiet: bool = False) -> tuple[dict[str, Any], Path]:
    """Build, simulate and write the run folder; the content of result.json and the folder."""
    from hbm_tb import sim

    start = time.monotonic()
    build = sim.build(plan.config.geometry)
    with staging_folder(RUNS) as staging:
        outcome = simulate(plan, build, staging, quiet=quiet)
        result = result_of(plan, build, outcome, time.monotonic() - start)
        fill_folder(plan, result, staging)
        final = publish(staging, plan.name)
    return result, final


def tell_failure(folder: Path, again: bool) -> None:
    """What failed, in which bucket, and the waves of its replay or the command that makes them."""
    from hbm_model.asked import knows_channel

    from hbm_tb import failure, replay

    found = failure.read_failure(folder)
    if found is None:
        return
    lines = failure.describe(found)
    if again and replay.allowed():
        print("replaying the failure with waves", file=sys.stderr, flush=True)
        made = replay.try_replay(folder)
        lines += made.lines(folder) if made is not None else [f"waves: {replay.command_of(folder)}"]
    else:
        lines.append(f"waves: {replay.command_of(folder)}")
    if knows_channel(folder):
        lines.append(f"why: {replay.why_of(folder, found)}")
    print("\n".join(lines), flush=True)


def run_command(options: RunOptions) -> int:
    """`hbm run`: the exit code (0 pass, or cut at the end of the wave window; 1 fail; 2 unusable input)."""
    from hbm_model.run_summary import print_summary
    from rich.console import Console

    from hbm_tb.sim import SimError

    plan = make_plan(options)
    source = plan.trace.source.removeprefix(f"{ROOT}/")
    print(f"run {plan.name}: {len(plan.trace):,} requests of {source} on {plan.config.preset}", flush=True)
    try:
        result, folder = run_plan(plan)
    except SimError as error:
        print(f"hbm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nhbm: interrupted; nothing was written, earlier run folders are as they were", file=sys.stderr)
        return 130
    print_summary(Console(), result, folder)
    if result["status"] not in ("pass", "stopped"):
        tell_failure(folder, options.replay)
    return EXIT.get(str(result["status"]), 1)
