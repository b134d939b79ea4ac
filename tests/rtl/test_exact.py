"""A small part of `hbm exact` on the builds that the other tests use: RTL and exact model do the same in each cycle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_tb import exact
from hbm_tb.job_list import ListOptions, run_list
from hbm_tb.job_store import JobStore
from hbm_tb.job_view import total_counts
from hbm_tb.jobs import FAIL, Job, LocalEngine, run_jobs

pytestmark = pytest.mark.sim

SIZE = exact.Size(
    seeds=(1, 2),
    transactions=2_000,
    requests=4_000,
    presets=("hbm2_2000_eng_s1", "hbm3_6400_eng_s2", "hbm4_8000_eng_s2"),
    trace_presets=("hbm3_6400_eng",),
    trace_requests=4_000,
    pattern_presets=("peers_hbm2",),
)
# Of the recordings and patterns those that differ most.
CHOSEN = ("soak", "trace/*/gather", "pattern/*/p2/mixed", "pattern/*/p1/conflict")


def test_nothing_differs(tmp_path: Path) -> None:
    """Random settings on each generation, a recording, patterns: every run passes and has compared something."""
    jobs = exact.exact_jobs(SIZE, ListOptions())
    found = run_list("exact", tmp_path, jobs, ListOptions(only=CHOSEN, fresh=True), counts=exact.COUNTS)
    assert found.code == 0
    assert len(found.results) == 6 + 1 + 1 + 1
    for name, outcome in found.results.items():
        for count in exact.COUNTS:
            assert outcome.counts[count] > 1000, f"{name}: {count} {outcome.counts[count]}"
    sums = total_counts(found.results)
    assert sums["exact_responses"] >= sums["transactions"] and sums["exact_commands"] > sums["transactions"]


def _soak(**change: object) -> Job:
    """A soak whose settings differ from what the model is told."""
    job = exact.soak_job("hbm2_2000_eng_s1", 1, 2_000, ListOptions())
    bench = {**job.arguments["bench"], **change}
    return Job(job.name, job.kind, {**job.arguments, "bench": bench}, job.timeout_s)


@pytest.mark.parametrize("key", ["RRDS", "RCDRD", "REFISB"])
def test_one_register_off_by_little_is_a_difference(tmp_path: Path, key: str) -> None:
    """The RTL waits two CK, one slot, more than the model is told (seed 1 refreshes single banks): legal, and found."""
    job = _soak()
    right = job.arguments["bench"]["timing"][key]
    wrong = _soak(program_only={key: right + 2}, check_legality=False)
    with JobStore(tmp_path) as store:
        found = run_jobs([wrong], store, LocalEngine(1))[job.name]
    assert found.status == FAIL
    assert (
        "channel and exact model differ" in found.reason
        and "replay with waves: " in found.reason
        and "hbm exact --only" in found.reason
    )
