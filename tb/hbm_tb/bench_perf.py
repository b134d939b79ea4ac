"""Latency, fairness and longest waits for `hbm bench` and the tests: runs of tb/tests/perf_tests.py.

Each run is in lock-step with the exact model; what it tells are the RTL's own times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from hbm_model.params import Params
from hbm_model.presets import preset as values_of
from hbm_model.shared_port import Contest

from hbm_tb import sim
from hbm_tb.config import CK_PER_CYCLE, BenchConfig

TIMEOUT_S = 3600.0
LATENCY_PRESETS: Final = (
    "hbm2_2000_eng",
    "hbm2e_3200_eng",
    "hbm2e_3600_eng",
    "hbm3_6400_eng",
    "hbm4_8000_eng",
    "peers_hbm2",
    "peers_hbm3",
)
HIGH_QOS: Final = 15
SLOWDOWN: Final = 3  # times the unloaded latency
READS: Final = 1000  # of the slow master
# Busy traffic, AxQOS of the slow master, and whether a tRC is added.
CONTESTS: Final = (
    ("stream", 0, False),
    ("random", HIGH_QOS, True),
    ("mixed", HIGH_QOS, True),
    ("conflict", HIGH_QOS, True),
)


class PerfError(RuntimeError):
    """A run did not pass; the text is one line."""


def run_perf(test: str, config: BenchConfig, folder: Path, job: Mapping[str, Any], timeout: float = TIMEOUT_S) -> Any:
    """One test of perf_tests; the numbers that it tells."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "perf.json"
    out.unlink(missing_ok=True)
    build = sim.build(config.geometry)
    env = config.with_(job={**job, "out": str(out)}).to_environment()
    done = sim.run(build, "perf_tests", rf"\.{test}$", seed=config.seed, run_dir=folder, env=env, timeout=timeout)
    if not done.passed:
        raise PerfError(f"{test} on {config.preset}: {done.status}: {done.reason} (log: {done.log})")
    return json.loads(out.read_text())


def config_of(preset: str, settings: Sequence[str] = (), **more: Any) -> BenchConfig:
    """Settings of a run, registers as KEY=VALUE."""
    from hbm_model.workload import settings_of

    timing, policy = settings_of(settings)
    return BenchConfig(preset=preset, timing=timing, policy=policy, coverage=False, **more)


def measure_latency(preset: str, folder: Path) -> dict[str, Any]:
    """Cycles of a lone read per PC, row closed and hit, with limit and stages; the test itself compares with both."""
    found: dict[str, Any] = run_perf("UnloadedLatency", BenchConfig(preset=preset, coverage=False), folder, {})
    return found


def contests(reads: int, map_name: str = "peers") -> list[Contest]:
    """The slow master alone, then beside each busy one."""
    alone = Contest("", reads, map_name=map_name)
    return [alone, *(Contest(busy, reads, qos_slow=qos, map_name=map_name) for busy, qos, _ in CONTESTS)]


def limits(params: Params, unloaded_cycles: float) -> dict[str, float]:
    """Mean latency that each contest may have, controller cycles."""
    row = math.ceil(params.count("RC") / CK_PER_CYCLE)
    return {busy: SLOWDOWN * unloaded_cycles + (row if extra else 0) for busy, _, extra in CONTESTS}


def judged(params: Params, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Contests by name, each with its limit and whether it is met."""
    alone = float(found[0]["mean_cycles"])
    most = limits(params, alone)
    out: dict[str, Any] = {"unloaded": dict(found[0])}
    for each in found[1:]:
        name = each["busy"]
        verdict = {"limit_cycles": most[name], "times_unloaded": each["mean_cycles"] / alone}
        out[name] = {**each, **verdict, "met": each["mean_cycles"] <= most[name]}
    return out


def measure_fairness(preset: str, folder: Path, settings: Sequence[str] = (), reads: int = READS) -> dict[str, Any]:
    """All contests of a preset in the RTL."""
    job = {"contests": [asdict(each) for each in contests(reads)]}
    told = run_perf("Fairness", config_of(preset, settings), folder, job)
    return judged(values_of(preset), told["contests"])


def model_fairness(preset: str, settings: Sequence[str] = (), reads: int = READS) -> dict[str, Any]:
    """The same in the exact model alone, which begins at rest: another phase of the refresh interval."""
    from hbm_model.controller import Channel, Policy, Setup
    from hbm_model.shared_port import contest
    from hbm_model.workload import settings_of

    params = values_of(preset)
    policy = {key.rpartition(".")[2]: value for key, value in settings_of(settings)[1].items()}
    found = []
    for what in contests(reads):
        outcome = contest(Channel(Setup(params, Policy.of(params, **policy))), what, 16, params.geometry)
        wait = outcome.latency
        found.append({**asdict(what), "mean_cycles": outcome.mean, "max_cycles": int(wait.max())})
    return judged(params, found)


# ---------------------------------------------------------------- longest waits

# Share of requests with a high AxQOS, and registers. Only where no read is forwarded or takes the express lane, its
# enqueue is known from outside, so that the time in the queue can be told.
WAIT_RUNS: Final = ((0.0, ("forward=0", "qos_mid=16", "qos_high=16")), (0.1, ()))


def measure_waits(
    preset: str, folder: Path, model_cycles: int, rtl_cycles: int, settings: Sequence[str] = ()
) -> dict[str, Any]:
    """Longest waits in the exact model and in the RTL under adversarial traffic, and the bound (docs/waits.md)."""
    from hbm_model.addrmap import named_map
    from hbm_model.controller import Channel, Policy, Setup
    from hbm_model.long_waits import run_model
    from hbm_model.waits import longest_wait
    from hbm_model.workload import settings_of

    params = values_of(preset)
    address_map = named_map("peers", params.geometry)
    found: dict[str, Any] = {"runs": []}
    for share, plain in WAIT_RUNS:
        registers = (*settings, *plain)
        values = {key.rpartition(".")[2]: value for key, value in settings_of(registers)[1].items()}
        policy = Policy.of(params, **values)
        bound = longest_wait(params, policy, merges=False)
        if bound is None:
            raise PerfError(f"{preset}: no bound on waits for these registers")
        lanes = bool(policy.forward or policy.qos_high <= HIGH_QOS)
        cycles = {"model": model_cycles // len(WAIT_RUNS), "RTL": rtl_cycles // len(WAIT_RUNS)}
        model = run_model(Channel(Setup(params, policy)), address_map, cycles["model"], qos_share=share, lanes=lanes)
        job = {"cycles": cycles["RTL"], "qos_share": share}
        rtl = run_perf("LongWait", config_of(preset, registers, batch=1024), folder / f"qos{share:g}", job)
        found["bound"] = bound.as_dict()
        for side, numbers in (("model", asdict(model)), ("RTL", rtl)):
            kept = keeps(numbers, found["bound"])
            found["runs"].append({"side": side, "cycles": cycles[side], "qos": share, **numbers, "kept": kept})
    return found


def keeps(found: Mapping[str, Any], bound: Mapping[str, Any]) -> bool:
    """Whether the waits of a run are within the bound."""
    queue = max(found["read_queue"] or 0, found["write_queue"])
    return bool(
        queue <= bound["queue_cycles"] and max(found["read_valid"], found["write_valid"]) <= bound["valid_cycles"]
    )
