"""`hbm bench`: all keys of its JSON are there and make sense. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hbm_tb import bench, sim
from hbm_tb.bench_cases import chosen

pytestmark = pytest.mark.sim
SHOWN = {"efficiency", "mean_latency_ck", "p99_latency_ck", "max_latency_ck", "row_hit_rate"}
MEASURES = {*SHOWN, "requests", "map", "bound", "share_of_bound", "model", "equal"}


def test_a_quick_bench_writes_every_key() -> None:
    """Speed and traffic keys; shares between 0 and 1; rates above 0."""
    command = [sys.executable, "-m", "hbm_model.cli", "bench", "--quick"]
    done = subprocess.run(command, cwd=sim.ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((bench.FOLDER / "quick.json").read_text())
    assert set(document) == {"speed", "traffic", "latency", "fairness", "waits", "about"}
    assert document["about"]["complete"] is True
    rates = {f"{name}_cycles_per_s" for name in ("bare", "cosim", "waves")} | {"legality_commands_per_s"}
    exact = document["speed"].pop("exact")
    assert set(document["speed"]) == rates and all(value > 0 for value in document["speed"].values())
    assert set(exact) == {"stream", "random"} == set(document["about"]["speed"]["exact_over_cosim"])
    for found in exact.values():
        assert set(found) == {"ck_per_s", "requests_per_s"} and all(value > 0 for value in found.values())
        # A request of one PC takes two CK at least.
        assert found["ck_per_s"] >= 2 * found["requests_per_s"]
    assert set(document["traffic"]) == {"peers_hbm2"}  # a quick bench spares the second build
    cases = {(case.port, case.key): case for case in chosen("", True)}
    found_cases = set()
    for port, patterns in document["traffic"]["peers_hbm2"].items():
        for name, found in patterns.items():
            found_cases.add((port, name))
            target = cases[port, name].target("peers_hbm2")
            assert set(found) == MEASURES | ({"target", "met"} if target else set())
            assert found["equal"] is True and found["model"] == {key: found[key] for key in SHOWN}
            assert found.get("met") is None  # too short to tell
            assert 0 < found["efficiency"] <= 1 and 0 <= found["row_hit_rate"] <= 1
            assert 0 < found["efficiency"] <= found["bound"]["in_order"] <= found["bound"]["offline"] <= 1
            assert 0 < found["share_of_bound"] <= 1
            assert 0 < found["mean_latency_ck"] and 0 < found["p99_latency_ck"] <= found["max_latency_ck"]
    assert found_cases == set(cases)
    assert set(document["latency"]) == set(document["fairness"]) == set(document["waits"]) == {"peers_hbm2"}
    assert "RTL = exact model in all" in done.stdout and "A lone read" in done.stdout
    assert "co-simulation / bare" in done.stdout and "Exact model alone" in done.stdout
