"""`hbm bench`: speed ratios and traffic figures, printed as tables and written to build/bench/bench.json.

Speed: the bare model (same executable model, C++ loop, no Python, no checks), the full bench with every check, and the
full bench with waves, on the same request records, interleaved; CPU seconds over all processes. The exact model alone:
patterns as far as they go, one thread. Traffic: patterns and recordings on the two value sets that the public
simulators were compared with (bench_cases.py), RTL in lock-step, then the exact model alone beside it, then the bound.
Latency of a lone read, fairness between two masters on a port, longest waits: bench_perf.py.
docs/performance.md tells how to read it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_model.errors import InputError
from hbm_model.patterns import FULL, default_count
from hbm_model.run_folder import ROOT, shown_path

from hbm_tb import bench_history, bench_tables, sim
from hbm_tb.bench_cases import PRESETS, Case, chosen
from hbm_tb.bench_perf import LATENCY_PRESETS, READS, PerfError, measure_fairness, measure_latency, measure_waits
from hbm_tb.config import CK_PER_CYCLE
from hbm_tb.run_job import (
    FIRST_CYCLE,
    Plan,
    RunOptions,
    make_plan,
    simulate,
    streams_of,
    verdict_of,
    write_stimulus,
)

if TYPE_CHECKING:
    from hbm_model.bound import Bound
    from hbm_model.commands import CmdArray

FOLDER = ROOT / "build" / "bench"
SPEED_PRESET, SPEED_PATTERN, SPEED_PCS = "peers_hbm2", "stream", 2
SPEED_TILES = 12  # times the full pattern: the start of Python (1.5 s) must not count in a run of half a minute
WAVES_REQUESTS = 131_072
REPEATS = 5
BATCH = 4096  # cycles between two wake-ups of Python: half of what the rings hold
QUICK_REQUESTS = 2048
QUICK_READS = 20
# Cycles of adversarial traffic for each set of registers: exact model, RTL.
WAIT_CYCLES = {"full": (10_000_000, 1_000_000), "": (500_000, 50_000), "quick": (10_000, 4_000)}
EXACT_PATTERNS, EXACT_PCS = ("stream", "random"), 1  # of the exact model alone, the public simulators' measure
CHECK_PASSES = 8  # times that the legality checker is given the same commands
TIMEOUT_S = 1800.0


PARTS = ("speed", "traffic", "latency", "fairness", "waits")


class BenchError(RuntimeError):
    """A run of the bench did not pass; the text is one line."""


@dataclass(frozen=True)
class BenchOptions:
    """What a user can ask of a bench."""

    full: bool = False
    quick: bool = False
    only: str = ""  # a part (PARTS) or cases of the traffic
    presets: tuple[str, ...] = PRESETS
    settings: tuple[str, ...] = ()  # registers, KEY=VALUE
    jobs: int = 0
    repeats: int = REPEATS
    shares: bool = True


def children_cpu_s() -> float:
    """CPU seconds of all ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = FOLDER / f".work-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plan_of(preset: str, pattern: str, pcs: int, count: int, tiles: int = 1, **job: Any) -> Plan:
    """A checked plan for one pattern; `tiles` repeats the requests."""
    import numpy as np

    plan = make_plan(RunOptions(pattern=pattern, pcs=pcs, count=count, preset=preset))
    plan.config = plan.config.with_(batch=BATCH, keep_commands=bool(job.get("commands")))
    plan.job = {"commands": False, **job}
    if tiles > 1:
        old = plan.trace
        plan.trace = replace(
            old,
            write=np.tile(old.write, tiles),
            address=np.tile(old.address, tiles),
            cycle=np.tile(old.cycle, tiles),
            line=None,
        )
    return plan


def run_once(plan: Plan, build: sim.Build, folder: Path, stimulus: Path | None = None) -> tuple[dict[str, Any], float]:
    """One simulation with every check: its numbers, and its CPU seconds (right only when nothing runs beside it)."""
    folder.mkdir()
    before = children_cpu_s()
    result = simulate(plan, build, folder, TIMEOUT_S, quiet=True, stimulus=stimulus)
    spent = children_cpu_s() - before
    numbers_file = folder / "numbers.json"
    numbers = json.loads(numbers_file.read_text()) if numbers_file.exists() else {}
    status, reason = verdict_of(plan, result, numbers)
    if status != "pass":
        kept = FOLDER / f"failed-{plan.name}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        raise BenchError(f"{plan.name}: {status}: {reason} (log: {kept / 'sim.log'})")
    return dict(numbers), spent


# ---------------------------------------------------------------- traffic


def traffic_plan(case: Case, preset: str, options: BenchOptions) -> Plan:
    """The plan of a case."""
    count = case.count(options.full)
    if options.quick:
        count = min(count or QUICK_REQUESTS, QUICK_REQUESTS)
    how = {"pattern": case.name, "pcs": case.pcs} if case.pcs else {"trace": case.name}
    run = RunOptions(count=count, preset=preset, map_name=case.map_name, settings=options.settings, **how)
    plan = make_plan(run)
    plan.config = plan.config.with_(batch=BATCH, keep_commands=False)
    plan.job = {"commands": False, "events": True}
    return plan


def bound_of_plan(plan: Plan) -> Bound:
    """`hbm bound` of a plan: this controller's queues, the registers of the run."""
    from hbm_model.bound import Limits, bound_of

    limits = Limits(outstanding=plan.outstanding).with_policy(plan.config.policy)
    return bound_of(plan.trace, plan.config.params, plan.config.address_map, limits)


def _shown(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a side that the tables show."""
    latency = numbers["latency_ck"]
    return {
        "efficiency": numbers["efficiency"],
        "mean_latency_ck": latency["mean"],
        "p99_latency_ck": latency["p99"],
        "max_latency_ck": latency["max"],
        "row_hit_rate": numbers["row_hit_rate"],
    }


def measure_case(case: Case, preset: str, options: BenchOptions, build: sim.Build, folder: Path) -> dict[str, Any]:
    """RTL with every check, the exact model alone on the same, both equal; bound and target."""
    import numpy as np

    from hbm_tb.beside import differences, model_numbers

    plan = traffic_plan(case, preset, options)
    numbers, _ = run_once(plan, build, folder)
    model = model_numbers(plan, np.load(folder / "events.npy"), FIRST_CYCLE)
    shutil.rmtree(folder)
    found = list(differences(numbers, model))
    if found:
        raise BenchError(f"{preset} {case.title}: RTL and exact model differ: {'; '.join(found)}")
    bound = bound_of_plan(plan)
    shares = bound.shares(numbers["ports"])
    measured: dict[str, Any] = {
        **_shown(numbers),
        "requests": numbers["requests"],
        "map": case.map_name,
        "bound": {"offline": bound.share_of_peak(False), "in_order": bound.share_of_peak(True)},
        "share_of_bound": sum(shares.values()) / len(shares),
        "model": _shown(model),
        "equal": True,
    }
    if measured["share_of_bound"] > 1:
        raise BenchError(f"{preset} {case.title}: faster than its bound, so one of the two is wrong")
    target = case.target(preset)
    if target is not None:
        measured["target"] = {"of": target.of, "value": target.value}
        # A quick bench is too short to tell.
        measured["met"] = None if options.quick else target.met(measured)
    return measured


def measure_traffic(
    options: BenchOptions, cases: list[Case], folder: Path, say: Callable[[str], None], traffic: dict[str, Any]
) -> None:
    """`traffic` of bench.json, filled in as the runs end: what is there when it is interrupted is whole."""
    builds = {preset: sim.build(plan_of(preset, "stream", 1, 1).config.geometry) for preset in options.presets}
    jobs = [(preset, case) for preset in options.presets for case in cases]
    for preset, case in jobs:
        traffic.setdefault(preset, {}).setdefault(case.port, {})

    def one(job: tuple[str, Case]) -> tuple[str, Case, dict[str, Any]]:
        preset, case = job
        made = measure_case(case, preset, options, builds[preset], folder / f"{preset}.{case.port}.{case.key}")
        verdict = {True: ", met", False: ", MISSED", None: ""}[made.get("met")]
        share, of_bound = 100 * made["efficiency"], 100 * made["share_of_bound"]
        say(f"{preset} {case.title}: {share:.2f} % of peak, {of_bound:.1f} % of its bound, RTL = exact model{verdict}")
        return preset, case, made

    pool = ThreadPoolExecutor(options.jobs or sim.default_jobs())
    try:
        for preset, case, made in pool.map(one, jobs):
            traffic[preset][case.port][case.key] = made
    finally:
        pool.shutdown(cancel_futures=True)


# ---------------------------------------------------------------- latency, fairness


def measure_latencies(options: BenchOptions, folder: Path, say: Callable[[str], None], into: dict[str, Any]) -> None:
    """`latency` of bench.json: a lone read on every preset (quick: those of the bench)."""
    for preset in options.presets if options.quick else LATENCY_PRESETS:
        into[preset] = measure_latency(preset, folder / f"latency-{preset}")
        shown = ", ".join(f"{kind} {found['cycles']} (<= {found['limit']})" for kind, found in into[preset].items())
        say(f"lone read on {preset}, cycles: {shown}")


def measure_contests(options: BenchOptions, folder: Path, say: Callable[[str], None], into: dict[str, Any]) -> None:
    """`fairness` of bench.json."""
    for preset in options.presets:
        reads = QUICK_READS if options.quick else READS
        into[preset] = measure_fairness(preset, folder / f"fairness-{preset}", options.settings, reads)
        for name, found in into[preset].items():
            if name != "unloaded":
                verdict = "met" if found["met"] else "MISSED"
                mean, limit = found["mean_cycles"], found["limit_cycles"]
                say(f"{preset} slow master beside {name}: mean {mean:.1f} cycles (<= {limit:.1f}), {verdict}")


def measure_longest(options: BenchOptions, folder: Path, say: Callable[[str], None], into: dict[str, Any]) -> None:
    """`waits` of bench.json; a wait beyond the bound is an error."""
    model, rtl = WAIT_CYCLES["full" if options.full else "quick" if options.quick else ""]
    for preset in options.presets:
        into[preset] = measure_waits(preset, folder / f"waits-{preset}", model, rtl, options.settings)
        for found in into[preset]["runs"]:
            bound = found["bound"]
            text = f"{preset} {found['name']}, {found['side']}, {found['cycles']:,} cycles: longest wait"
            reads = f"{found['read_valid']:,} cycles from ARVALID (<= {bound['read_cycles']:,})"
            say(f"{text} {reads}, {found['write_valid']:,} from AWVALID (<= {bound['write_cycles']:,})")
            if not found["kept"]:
                raise BenchError(f"{text}: a request waited longer than the bound of docs/waits.md: {found}")


# ---------------------------------------------------------------- speed


def save_bare_stimulus(plan: Plan, path: Path) -> None:
    """What the test does from Python, for the bare model: program the value set, commit, then the same requests."""
    import numpy as np
    from hbm_model.csr import resets_of
    from hbm_model.csr_table import REGISTERS

    from hbm_tb import records, rings
    from hbm_tb.config import reset_params

    wanted, present = resets_of(plan.config.params), resets_of(reset_params(plan.config.geometry))
    writes = [
        (register.address, register.reset(wanted))
        for register in REGISTERS
        if any(item.preset_reset for item in register.fields) and register.reset(wanted) != register.reset(present)
    ]
    ctrl = next(register for register in REGISTERS if register.path == "ctrl")
    if writes:
        writes.append((ctrl.address, ctrl.field("commit").mask))
    rows = np.zeros(len(writes), records.APB_REQ)
    for row, (address, data) in zip(rows, writes, strict=True):
        row["addr"], row["data"] = address, data
    rows["write"], rows["strb"], rows["at"] = 1, 15, FIRST_CYCLE // 2
    rings.save_stimulus(path, {"apb_req": rows, **streams_of(plan)})


def legality_rate(commands: CmdArray, preset: str) -> float:
    """Commands per second of the legality checker, after start: CPU time over several passes."""
    from hbm_model.legality import LegalityChecker
    from hbm_model.presets import preset as values

    params = values(preset)
    LegalityChecker(params, jit=True).check(commands)  # compiled or loaded from the cache
    start = time.process_time()
    for _ in range(CHECK_PASSES):
        LegalityChecker(params, jit=True).check(commands)
    return CHECK_PASSES * len(commands) / (time.process_time() - start)


def exact_rates(repeats: int, count: int) -> dict[str, dict[str, int]]:
    """The exact model alone, from requests in memory to the cycle of every command and response: medians by pattern.

    CPU seconds of this process; the loop is compiled or loaded before.
    """
    from hbm_model.controller import Channel, port_ids
    from hbm_model.simulate import SimOptions, load_model
    from hbm_model.simulate import make_plan as plan_of_options

    out = {}
    for pattern in EXACT_PATTERNS:
        plan = plan_of_options(SimOptions(pattern, preset=SPEED_PRESET, pcs=EXACT_PCS, count=count))
        load_model(plan.setup)
        seconds = []
        for _ in range(repeats):
            start = time.process_time()
            channel = Channel(plan.setup)
            channel.offer(plan.trace, plan.address_map, port_ids(plan.trace, plan.address_map))
            seen = channel.prediction(channel.run())
            seconds.append(time.process_time() - start)
            if int(seen.done.min()) < 0:
                raise BenchError(f"exact model, {pattern}: a request was not answered")
        spent = statistics.median(seconds)
        out[pattern] = {
            "ck_per_s": round(CK_PER_CYCLE * seen.cycles / spent),
            "requests_per_s": round(len(plan.trace) / spent),
        }
    return out


def measure_speed(
    options: BenchOptions, folder: Path, say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`speed` of bench.json, and what it was computed from."""
    import numpy as np

    tiles = 1 if options.quick else SPEED_TILES
    count = QUICK_REQUESTS if options.quick else FULL
    plan = plan_of(SPEED_PRESET, SPEED_PATTERN, SPEED_PCS, count, tiles)
    build = sim.build(plan.config.geometry)
    stimulus, records, bare_file = folder / "warm", folder / "records", folder / "bare.stim"
    write_stimulus(plan, records)
    save_bare_stimulus(plan, bare_file)
    short = plan_of(SPEED_PRESET, SPEED_PATTERN, SPEED_PCS, min(count, WAVES_REQUESTS))
    waved = replace(short, options=replace(short.options, waves=True))
    # Not measured: fills the caches of compiled Python, and gives commands for the legality checker.
    checked = plan_of(SPEED_PRESET, "mixed", SPEED_PCS, min(count, default_count("mixed")), commands=True)
    run_once(checked, build, stimulus)
    commands = np.load(stimulus / "commands.npy")
    rates: dict[str, list[float]] = {"bare": [], "cosim": [], "waves": []}
    seconds: dict[str, list[float]] = {"bare": [], "cosim": [], "waves": []}

    def note(what: str, cycles: int, spent: float) -> None:
        rates[what].append(cycles / spent)
        seconds[what].append(spent)

    for turn in range(1 if options.quick else options.repeats):
        before = children_cpu_s()
        bare = sim.run_bare(build, bare_file, seed=plan.config.memory_seed, batch=BATCH, timeout=TIMEOUT_S)
        note("bare", bare.cycles, children_cpu_s() - before)
        if bare.reads + bare.writes != len(plan.trace):
            raise BenchError(f"the bare model carried out {bare.reads + bare.writes} of {len(plan.trace)} requests")
        for what, job, given in (("cosim", plan, records), ("waves", waved, None)):
            run_folder = folder / f"{what}{turn}"
            numbers, spent = run_once(job, build, run_folder, given)
            note(what, numbers["cycles"], spent)
            shutil.rmtree(run_folder)
        last = {name: values[-1] for name, values in rates.items()}
        shown = ", ".join(f"{name} {value / 1000:,.0f}" for name, value in last.items())
        say(f"speed {turn + 1}: {shown} thousand cycles/s")
    median = {name: statistics.median(values) for name, values in rates.items()}
    speed: dict[str, Any] = {f"{name}_cycles_per_s": round(value) for name, value in median.items()}
    speed["legality_commands_per_s"] = round(legality_rate(commands, SPEED_PRESET))
    exact = exact_rates(1 if options.quick else options.repeats, count)
    speed["exact"] = exact
    rate = CK_PER_CYCLE * median["cosim"]
    about: dict[str, Any] = {
        "cosim_over_bare": median["cosim"] / median["bare"],
        "waves_over_bare": median["waves"] / median["bare"],
        "exact_over_cosim": {name: found["ck_per_s"] / rate for name, found in exact.items()},
        "repeats": len(rates["bare"]),
        "requests": len(plan.trace),
        "cpu_s": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
    }
    if options.shares and not options.quick:
        about["bare_shares"] = sim.time_shares(plan.config.geometry, bare_file, timeout=TIMEOUT_S)
    return speed, about


# ---------------------------------------------------------------- command


def machine() -> str:
    """Kind of machine, in a few words."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return f"{model}, {os.cpu_count()} processors"


def _merged(document: dict[str, Any], path: Path, options: BenchOptions) -> dict[str, Any]:
    """With what an earlier bench wrote and `--only` did not measure again: by case of the traffic, by preset."""
    if not options.only or not path.exists():
        return document
    try:
        earlier = json.loads(path.read_text())
    except json.JSONDecodeError:
        return document
    merged = {**earlier, **document, "about": {**earlier.get("about", {}), **document["about"]}}
    if "traffic" in document and options.only not in PARTS:
        traffic = earlier.get("traffic", {})
        for preset, ports in document["traffic"].items():
            for port, cases in ports.items():
                traffic.setdefault(preset, {}).setdefault(port, {}).update(cases)
        merged["traffic"] = traffic
    for part in ("latency", "fairness", "waits"):
        if part in document:
            merged[part] = {**earlier.get(part, {}), **document[part]}
    return merged


def _parts(options: BenchOptions) -> tuple[tuple[str, ...], list[Case]]:
    """Parts and cases that are asked for; InputError when there are none."""
    from hbm_model.workload import settings_of

    unknown = [name for name in options.presets if name not in PRESETS]
    if unknown:
        raise InputError(f"--preset {unknown[0]}: the bench knows {', '.join(PRESETS)}")
    settings_of(options.settings)
    if options.only in ("", *PARTS):
        parts = (options.only,) if options.only else PARTS
        return parts, chosen("", options.quick)
    cases = chosen(options.only, False)
    if not cases:
        raise InputError(f"--only {options.only}: expected {', '.join(PARTS)}, or the name of a pattern or recording")
    return ("traffic",), cases


def bench_command(options: BenchOptions) -> int:
    """Measure, print and write; the exit code (0 measured, 1 a run failed or RTL and model differ, 130 interrupted).

    Whatever ends it early, what was measured so far is written.
    """
    parts, cases = _parts(options)

    def say(text: str) -> None:
        print(f"bench: {text}", file=sys.stderr, flush=True)

    document: dict[str, Any] = {}
    about: dict[str, Any] = {"machine": machine(), "full": options.full, "quick": options.quick}
    about["settings"] = list(options.settings)
    code = 0
    try:
        with _work_folder() as folder:
            if "speed" in parts:
                document["speed"], about["speed"] = measure_speed(options, folder, say)
            if "traffic" in parts:
                document["traffic"] = {}
                measure_traffic(options, cases, folder, say, document["traffic"])
            for part, measure in (
                ("latency", measure_latencies),
                ("fairness", measure_contests),
                ("waits", measure_longest),
            ):
                if part in parts:
                    document[part] = {}
                    measure(options, folder, say, document[part])
    except (BenchError, PerfError, sim.SimError) as error:
        print(f"hbm: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("\nhbm: interrupted; what was measured so far is kept", file=sys.stderr)
        code = 130
    document["about"] = {**about, "complete": code == 0, "versions": sim.tool_versions()}
    if set(document) == {"about"}:
        return code
    # A quick bench only shows that all of it works; it must not replace figures.
    path = FOLDER / ("quick.json" if options.quick else "bench.json")
    path.write_text(json.dumps(_merged(document, path, options), indent=1) + "\n")
    if not options.quick:
        bench_history.keep(path)
    console = bench_tables.wide_console()
    bench_tables.print_tables(console, document)
    console.print(shown_path(path), highlight=False)
    return code
