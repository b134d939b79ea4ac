"""Latency, fairness and longest waits for `hbm bench` and the tests: runs of tb/tests/perf_tests.py.

Each run is in lock-step with the exact model; what it tells are the RTL's own times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hbm_model.params import Params
from hbm_model.presets import preset as values_of
from hbm_model.shared_port import Contest

from hbm_tb import sim
from hbm_tb.config import CK_PER_CYCLE, BenchConfig

if TYPE_CHECKING:
    from hbm_model.controller import Policy
    from hbm_model.waits import WaitBound

TIMEOUT_S = 7200.0
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


# ---------------------------------------------------------------- longest waits

# Only where no read is forwarded or takes the express lane, its enqueue is known from outside, so that the time in the
# queue can be told.
_PLAIN: Final = ("forward=0", "qos_mid=16", "qos_high=16")


@dataclass(frozen=True)
class WaitRun:
    """Registers, and the share of requests with AxQOS 15; bursts: of up to 128 requests, narrow ones among them."""

    name: str
    registers: tuple[str, ...] = ()
    qos: float = 0.0
    bursts: bool = False


WAIT_RUNS: Final = (
    WaitRun("plain", _PLAIN),
    # The least ageing that is of use, and nothing that closes rows by the way: the bound is nearest.
    WaitRun("short", (*_PLAIN, "starve_limit=16", "refresh_en=0")),
    WaitRun("qos", (), 0.1),
    WaitRun("bursts", (), 0.1, True),
)


def wait_bound(params: Params, policy: Policy, bursts: bool) -> WaitBound | None:
    """The bound that holds for the traffic of a run."""
    from hbm_model.long_waits import BURST_BEATS, BURST_REQUESTS
    from hbm_model.waits import longest_wait

    if not bursts:
        return longest_wait(params, policy, merges=False)
    return longest_wait(params, policy, requests=BURST_REQUESTS, beats=BURST_BEATS)


def measure_waits(
    preset: str, folder: Path, model_cycles: int, rtl_cycles: int, settings: Sequence[str] = ()
) -> dict[str, Any]:
    """Longest waits under adversarial traffic beside the bound (docs/waits.md).

    Each set of registers has all the cycles, in the exact model and in the RTL, and its own bound.
    """
    from hbm_model.addrmap import named_map
    from hbm_model.controller import Channel, Policy, Setup
    from hbm_model.long_waits import run_model
    from hbm_model.workload import settings_of

    params = values_of(preset)
    address_map = named_map("peers", params.geometry)
    found: list[dict[str, Any]] = []
    for run in WAIT_RUNS:
        registers = (*settings, *run.registers)
        values = {key.rpartition(".")[2]: value for key, value in settings_of(registers)[1].items()}
        policy = Policy.of(params, **values)
        bound = wait_bound(params, policy, run.bursts)
        if bound is None:
            raise PerfError(f"{preset}, {run.name}: no bound on waits for these registers")
        lanes = bool(policy.forward or policy.qos_high <= HIGH_QOS)
        channel = Channel(Setup(params, policy))
        model = run_model(channel, address_map, model_cycles, qos_share=run.qos, lanes=lanes, bursts=run.bursts)
        job = {"cycles": rtl_cycles, "qos_share": run.qos, "bursts": run.bursts}
        # Without refresh no bank keeps 9 x tREFI; what the RTL does is held against the exact model all the same.
        config = config_of(preset, registers, batch=1024, check_legality=bool(policy.refresh_en))
        rtl = run_perf("LongWait", config, folder / run.name, job)
        for side, cycles, numbers in (("model", model_cycles, asdict(model)), ("RTL", rtl_cycles, rtl)):
            about = {"name": run.name, "registers": list(registers), "qos": run.qos, "bursts": run.bursts}
            limits_ = bound.as_dict()
            kept = keeps(numbers, limits_)
            found.append({"side": side, "cycles": cycles, **about, **numbers, "bound": limits_, "kept": kept})
    return {"runs": found}


def keeps(found: Mapping[str, Any], bound: Mapping[str, Any]) -> bool:
    """Whether the waits of a run are within the bound."""
    queue = max(found["read_queue"] or 0, found["write_queue"] or 0)
    return bool(
        queue <= bound["queue_cycles"]
        and found["read_valid"] <= bound["read_cycles"]
        and found["write_valid"] <= bound["write_cycles"]
    )
