"""`hbm regress`: the random system tests over a matrix of presets and seeds, as a list of jobs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hbm_model.errors import InputError

from hbm_tb import sim
from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.jobs import Job

FOLDER = sim.ROOT / "build" / "regress"
PRESETS = (
    "hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "peers_hbm2", "hbm3_6400_eng", "hbm4_8000_eng",
)  # fmt: skip
SEEDS = 4
TRANSACTIONS = 20_000
TEST = "RandomSoak"
TIMEOUT_S = 1800.0
COUNTS = ("read_beats", "writes", "commands", "cycles")


def regress_jobs(
    presets: Sequence[str], seeds: Sequence[int], transactions: int, options: ListOptions
) -> list[Job]:  # fmt: skip
    """The matrix: one run of the random soak per preset and seed."""
    from hbm_tb.config import BenchConfig
    from hbm_tb.sim_job import sim_job

    found = []
    for seed in seeds:
        for name in presets:
            config = BenchConfig(preset=name, seed=seed, batch=1024, keep_commands=False)
            job = f"{name}/seed_{seed}"
            again = ["hbm", "regress", "--preset", name, "--seed", str(seed), "--seeds", "1"]
            if transactions != TRANSACTIONS:
                again += ["--transactions", str(transactions)]
            again += ["--only", job, "--waves"]
            found.append(
                sim_job(
                    job,
                    "random_tests",
                    TEST,
                    config.with_(job={"transactions": transactions}),
                    timeout_s=TIMEOUT_S,
                    cost=transactions,
                    reproduce=shlex.join(again),
                    waves=options.window,
                )
            )
    return found


def regress_command(
    options: ListOptions,
    seed: int = 1,
    seeds: int = SEEDS,
    presets: Sequence[str] = PRESETS,
    transactions: int = TRANSACTIONS,
) -> int:
    """Run the matrix; 0 when all passed."""
    if seeds < 1 or transactions < 1:
        raise InputError("--seeds and --transactions are at least 1")
    jobs = regress_jobs(list(dict.fromkeys(presets)), range(seed, seed + seeds), transactions, options)
    return run_list("regress", FOLDER, jobs, options, counts=COUNTS).code
