"""`hbm exact`: the matrix in which RTL and exact model must not differ once (docs/exact.md).

Groups: `trace` (every recording), `pattern` (the patterns of the public comparison), `soak` (random traffic on random
settings; tb/tests/exact_tests.py), `refresh` (how long a bank waits at most). Every run is in lock-step; a difference
is a failure of its run.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hbm_model.csr import ap_min_ras
from hbm_model.home import BUILD
from hbm_model.params import Params

from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.job_view import total_counts
from hbm_tb.jobs import Job, Outcome

if TYPE_CHECKING:
    from hbm_tb.config import BenchConfig

FOLDER = BUILD / "exact"
TRACE_PRESETS = ("hbm2_2000_eng", "hbm3_6400_eng", "hbm4_8000_eng")
PATTERN_PRESETS = ("peers_hbm2", "peers_hbm3")
PATTERN_REQUESTS = 200_000
SOAK_PRESETS = tuple(
    f"{name}_s{sids}"
    for name in ("hbm2_2000_eng", "hbm2e_3200_eng", "hbm3_6400_eng", "hbm4_8000_eng")
    for sids in (1, 2)
)
SEEDS = 20
TRANSACTIONS = 20_000
SLICES = 4
REFRESH_CYCLES = 300_000
TIMEOUT_S = 3600.0
BENCH: dict[str, Any] = {"check_exact": True}
COUNTS = ("transactions", "exact_commands", "exact_handshakes", "exact_responses", "cycles")


@dataclass(frozen=True)
class Size:
    """How much of the matrix is run."""

    seeds: Sequence[int] = range(1, SEEDS + 1)
    transactions: int = TRANSACTIONS
    requests: int = PATTERN_REQUESTS
    presets: Sequence[str] = SOAK_PRESETS
    trace_presets: Sequence[str] = TRACE_PRESETS
    pattern_presets: Sequence[str] = PATTERN_PRESETS
    trace_requests: int = 0  # 0: all of the recording
    refresh_cycles: int = REFRESH_CYCLES
    refresh_presets: Sequence[str] = TRACE_PRESETS
    refresh_temps: Sequence[int] = tuple(range(8))


# About a minute on two processors, on the builds that `make test` has.
QUICK = Size(
    seeds=range(1, 3),
    transactions=3_000,
    requests=3_000,
    presets=("hbm2_2000_eng_s1", "hbm2e_3200_eng_s1", "hbm3_6400_eng_s2", "hbm4_8000_eng_s2"),
    trace_presets=("hbm3_6400_eng",),
    trace_requests=5_000,
    pattern_presets=("peers_hbm2",),
    refresh_cycles=40_000,
    refresh_presets=("hbm2_2000_eng",),
    refresh_temps=(0b001,),
)


def soak_config(preset: str, seed: int, transactions: int) -> BenchConfig:
    """Settings of ExactSoak: the random set number `seed`, a second one for a commit, policies that change."""
    from hbm_tb.config import BenchConfig
    from hbm_tb.random_params import policy_changes, random_set, second_set

    first = random_set(preset, seed)
    second = second_set(first, seed)
    return BenchConfig(
        **first.bench(),
        **BENCH,
        seed=seed,
        batch=1024,
        keep_commands=False,
        coverage=False,
        job={
            "transactions": transactions,
            "second": {"timing": second.timing, "rd_delay": second.rd_delay},
            "changes": policy_changes(first, second, seed, SLICES),
        },
    )


def soak_job(preset: str, seed: int, transactions: int, options: ListOptions, again: Sequence[str] = ()) -> Job:
    """One run of random traffic on the random settings number `seed`."""
    from hbm_tb.sim_job import sim_job

    name = f"soak/{preset}/seed_{seed}"
    return sim_job(
        name,
        "exact_tests",
        "ExactSoak",
        soak_config(preset, seed, transactions),
        timeout_s=TIMEOUT_S,
        cost=10.0 * transactions,
        reproduce=shlex.join(["hbm", "exact", *again, "--only", name, "--waves"]),
        waves=options.window,
    )


def refresh_policy(params: Params, every: bool, temp: int) -> dict[str, int] | None:
    """The longest postponement and then the most refreshes ahead with which no bank waits longer than 9 x tREFI.

    None where no setting keeps that limit (single-bank refresh at 4 x the interval) or refresh cannot keep up (M6.5).
    """
    from hbm_tb.random_params import ALL_TEMPS, most_pull, shortest_interval, shortest_refi

    factor = ALL_TEMPS[temp]
    if every and factor <= 1 and 2 * params["REFI"] < shortest_refi(params, temp):
        return None  # REF takes more than the interval; twice that is what leaves time for traffic
    if not every and factor <= 1 and params["REFISB"] < shortest_interval(params, temp):
        return None
    # All banks at once: postponed and ahead are eight together, so that each gets half.
    most = (4 if factor <= 1 else 2) if every else 15
    holds = [hold for hold in range(most, 0, -1) if most_pull(params, every, hold, temp) >= 0]
    if not holds:
        return None
    return {
        "refresh.refresh_en": 1,
        "refresh.refresh_all": int(every),
        "refresh.refresh_hold": holds[0],
        "refresh.pull_in": most_pull(params, every, holds[0], temp),
        "page.ap_min_ras": ap_min_ras(params),
    }


def refresh_configs(
    preset_name: str, temps: Sequence[int], cycles: int, seed: int = 1
) -> list[tuple[str, BenchConfig]]:  # fmt: skip
    """Settings of RefreshSoak: both kinds of refresh at every TEMP code whose limits can be kept, with a name each."""
    from hbm_model.presets import preset

    from hbm_tb.config import BenchConfig

    how: dict[str, Any] = {**BENCH, "batch": 1024, "keep_commands": False, "coverage": False, "job": {"cycles": cycles}}
    found = []
    for every in (False, True):
        for temp in temps:
            policy = refresh_policy(preset(preset_name), every, temp)
            if policy is not None:
                config = BenchConfig(preset=preset_name, policy=policy, temp=temp, seed=seed, **how)
                found.append((f"{'all' if every else 'single'}/temp_{temp:03b}", config))
    return found


def refresh_jobs(size: Size, options: ListOptions, again: Sequence[str] = ()) -> list[Job]:
    """Long runs that find the longest wait of a bank: every TEMP code, both kinds of refresh, limits at their end."""
    from hbm_tb.sim_job import sim_job

    jobs = []
    for name in size.refresh_presets:
        for what, config in refresh_configs(name, size.refresh_temps, size.refresh_cycles):
            title = f"refresh/{name}/{what}"
            jobs.append(
                sim_job(
                    title,
                    "exact_tests",
                    "RefreshSoak",
                    config,
                    timeout_s=TIMEOUT_S,
                    cost=3.0 * size.refresh_cycles,
                    reproduce=shlex.join(["hbm", "exact", *again, "--only", title, "--waves"]),
                    waves=options.window,
                )
            )
    return jobs


def exact_jobs(size: Size, options: ListOptions, again: Sequence[str] = ()) -> list[Job]:
    """The matrix. `again`: words of the command line that gives this list."""
    from hbm_model.patterns import STANDARD
    from hbm_model.recordings import recordings

    from hbm_tb.run_job import RunOptions
    from hbm_tb.trace_job import SLOW, trace_job

    base = RunOptions(waves=options.waves, waves_from=options.waves_from, waves_to=options.waves_to)
    jobs = [soak_job(preset, seed, size.transactions, options, again) for seed in size.seeds for preset in size.presets]
    jobs += refresh_jobs(size, options, again)
    for preset in size.trace_presets:
        for entry in recordings():
            run = replace(base, trace=entry.name, preset=preset, count=size.trace_requests)
            cost = size.trace_requests or entry.reads + entry.writes
            jobs.append(trace_job(f"trace/{preset}/{entry.name}", run, bench=BENCH, cost=cost))
    for preset in size.pattern_presets:
        for pcs in (1, 2):
            for pattern in STANDARD:
                run = replace(base, pattern=pattern, pcs=pcs, preset=preset, count=size.requests)
                name = f"pattern/{preset}/p{pcs}/{pattern}"
                jobs.append(trace_job(name, run, bench=BENCH, cost=SLOW.get(pattern, 1.0) * size.requests))
    return jobs


def exact_command(
    options: ListOptions,
    quick: bool = False,
    seed: int = 1,
    seeds: int = 0,
    presets: Sequence[str] = (),
    transactions: int = 0,
) -> int:
    """Run the matrix, or the part of it that the options leave; 0 when nothing differed."""
    from hbm_model.errors import InputError

    base = QUICK if quick else Size()
    if seeds < 0 or transactions < 0:
        raise InputError("--seeds and --transactions are at least 1")
    size = replace(
        base,
        seeds=range(seed, seed + (seeds or len(base.seeds))),
        transactions=transactions or base.transactions,
        presets=tuple(dict.fromkeys(presets)) or base.presets,
    )
    again = ["--quick"] if quick else []
    again += ["--seed", str(seed)] if seed != 1 else []
    again += ["--seeds", str(seeds)] if seeds else []
    again += [word for preset in presets for word in ("--preset", preset)]
    again += ["--transactions", str(transactions)] if transactions else []
    jobs = exact_jobs(size, options, again)
    folder = FOLDER.with_name("exact-quick") if quick else FOLDER
    whole = not (seeds or presets or transactions)
    found = run_list("exact", folder, jobs, options, counts=COUNTS, whole=whole)
    if found.results:
        print(totals(found.results))
    return found.code


def totals(results: Mapping[str, Outcome]) -> str:
    """The line that says what was compared."""
    sums = {**dict.fromkeys(COUNTS, 0), **total_counts(results)}
    bad = sum(not outcome.passed for outcome in results.values())
    return (
        f"{len(results)} runs, {sums['transactions']:,} transactions: {sums['exact_commands']:,} commands, "
        f"{sums['exact_handshakes']:,} handshakes and {sums['exact_responses']:,} responses compared in "
        f"{sums['cycles']:,} cycles; {bad} runs with a difference or another failure"
    )
