"""Latency, fairness and longest waits of the RTL, in lock-step with the exact model (tb/tests/perf_tests.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.presets import preset
from hbm_tb import bench
from hbm_tb.bench_perf import contests, judged, keeps, measure_fairness, measure_latency, measure_waits

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("run")]

# peers_hbm3 would need one more build; `make bench` and tests/model/test_shared_port.py have it.
BUILT = ("hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "peers_hbm2", "hbm3_6400_eng", "hbm4_8000_eng")
QOS = ("qos_high=8",)


@pytest.mark.parametrize("name", BUILT)
def test_a_lone_read_is_as_fast_as_asked(name: str, tmp_path: Path) -> None:
    """Both PCs, row closed and hit, stage by stage; the run itself asserts them."""
    found = measure_latency(name, tmp_path)
    assert set(found) == {f"pc{pc} {kind}" for pc in range(2) for kind in ("closed", "hit")}
    for kind, one in found.items():
        assert 10 < one["cycles"] <= one["limit"], kind


def test_a_slow_master_is_served(tmp_path: Path) -> None:
    """One read at a time beside a stream at equal AxQOS, and beside random, mixed and conflict at a higher one."""
    found = measure_fairness("peers_hbm2", tmp_path, QOS, reads=60)
    assert set(found) == {"unloaded", "stream", "random", "mixed", "conflict"}
    for name in ("stream", "random", "mixed", "conflict"):
        assert found[name]["met"], f"{name}: {found[name]}"
        assert found[name]["busy_requests"] > 100


def test_a_slow_master_that_is_not_served_shows() -> None:
    """Limits: three times the unloaded mean, plus a tRC of 48 CK where AxQOS helps."""
    params = preset("peers_hbm2")
    names = [what.busy for what in contests(10)]
    assert names == ["", "stream", "random", "mixed", "conflict"]
    means = (20.0, 60.1, 84.0, 84.1, 59.0)
    found = judged(params, [{"busy": name, "mean_cycles": mean} for name, mean in zip(names, means, strict=True)])
    assert [found[name]["limit_cycles"] for name in names[1:]] == [60, 84, 84, 84]
    assert [found[name]["met"] for name in names[1:]] == [False, True, False, True]


def test_no_request_waits_longer_than_the_bound(tmp_path: Path) -> None:
    """Adversarial traffic on both ports: model and RTL, every set of registers; each against its own bound."""
    found = measure_waits("peers_hbm2", tmp_path, 25_000, 5_000)["runs"]
    assert [(run["name"], run["side"]) for run in found] == [
        (name, side) for name in ("plain", "short", "qos", "bursts") for side in ("model", "RTL")
    ]
    for run in found:
        assert run["cycles"] == (25_000 if run["side"] == "model" else 5_000)
        assert run["kept"] and run["reads"] + run["writes"] > 1000, run
        assert (run["read_queue"] is None) == (run["name"] in ("qos", "bursts"))
        assert (run["write_queue"] is None) == run["bursts"]
        far = {"queue_cycles": 10**9, "read_cycles": 10**9, "write_cycles": 10**9}
        assert keeps(run, far)
        for key, limit in (("read_valid", "read_cycles"), ("write_valid", "write_cycles")):
            assert not keeps(run, {**far, limit: run[key] - 1})
        if run["write_queue"] is not None:
            assert not keeps(run, {**far, "queue_cycles": run["write_queue"] - 1})
    assert all(sum(run[what] for run in found if run["side"] == "RTL") > 100 for what in ("reads", "writes"))
    assert len({run["bound"]["queue_cycles"] for run in found}) > 2


def test_a_wait_beyond_the_bound_fails_the_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run tells is held against the bound of its own registers."""
    run = {"name": "short", "side": "RTL", "cycles": 1000, "read_valid": 9, "write_valid": 9, "kept": True}
    run["bound"] = {"queue_cycles": 9, "read_cycles": 9, "write_cycles": 9}
    said: list[str] = []
    monkeypatch.setattr(bench, "measure_waits", lambda *_: {"runs": [run]})
    options = bench.BenchOptions(only="waits", presets=("peers_hbm2",))
    bench.measure_longest(options, tmp_path, said.append, {})
    assert said == [
        "peers_hbm2 short, RTL, 1,000 cycles: longest wait 9 cycles from ARVALID (<= 9), 9 from AWVALID (<= 9)"
    ]
    run["kept"] = False
    with pytest.raises(bench.BenchError, match="waited longer than the bound"):
        bench.measure_longest(options, tmp_path, said.append, {})
