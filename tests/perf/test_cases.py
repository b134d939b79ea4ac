"""What the bench measures, what it asks for, and that it can say no. No simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hbm_model.errors import InputError
from hbm_tb import bench, bench_history, bench_tables
from hbm_tb.bench_cases import PRESETS, STRIDES, TRACES, Case, all_cases, chosen
from hbm_tb.beside import differences

FURTHER = ("seq5050", "rand64", "rand256", "rand4k", "half", "hotrow", "twostream", "twostream_apart")


def test_every_pattern_and_recording_is_measured() -> None:
    """Standard and further patterns on one and two PCs, strides from 64 to 65536, all six recordings."""
    titles = {case.title for case in all_cases()}
    for pcs in (1, 2):
        for name in ("stream", "streammix", "random", "mixed", "conflict", "chase", *FURTHER):
            assert f"p{pcs} {name}" in titles
    assert {name for name in STRIDES} == {f"stride_{2**log}" for log in range(6, 17)}
    assert {f"p1 {name}" for name in STRIDES} <= titles
    assert {f"{TRACES} {name}" for name in ("gemm", "attention", "gather", "spmv", "bfs", "sort")} <= titles
    assert len(titles) == len(all_cases())


# Case, HBM2 and HBM3: what the targets are, typed by hand. Kind, value.
ASKED: dict[tuple[str, int], tuple[tuple[str, float], tuple[str, float]]] = {
    ("stream", 1): (("peak", 99.95), ("peak", 99.0)),
    ("stream", 2): (("peak", 99.5), ("peak", 99.0)),
    ("streammix", 1): (("peak", 90.0), ("peak", 86.0)),
    ("streammix", 2): (("peak", 90.0), ("peak", 86.0)),
    ("random", 1): (("peak", 47.0), ("peak", 31.2)),
    ("random", 2): (("peak", 46.5), ("peak", 31.0)),
    ("mixed", 1): (("peak", 44.5), ("peak", 28.0)),
    ("mixed", 2): (("peak", 44.5), ("peak", 28.0)),
    ("chase", 1): (("latency", 67.0), ("latency", 103.6)),
    ("seq5050", 1): (("peak", 88.0), ("peak", 83.0)),
    ("rand64", 1): (("peak", 76.0), ("peak", 50.0)),
    ("rand256", 1): (("peak", 92.0), ("peak", 66.0)),
    ("rand4k", 1): (("peak", 97.0), ("peak", 92.0)),
    ("half", 1): (("bound", 90.0), ("bound", 90.0)),
    ("hotrow", 2): (("bound", 90.0), ("bound", 90.0)),
    ("stride_65536", 1): (("bound", 90.0), ("bound", 90.0)),
}


@pytest.mark.parametrize("key", ASKED, ids=lambda key: f"p{key[1]}-{key[0]}")
def test_targets(key: tuple[str, int]) -> None:
    for preset, (of, value) in zip(PRESETS, ASKED[key], strict=True):
        target = Case(*key).target(preset)
        assert target is not None and (target.of, target.value) == (of, pytest.approx(value))


def test_a_case_on_another_map_is_reported() -> None:
    """The hot row of `hotrow` is one row with `peers_hashed`, which has the target; another map stands beside it."""
    both = {case.key: case for case in all_cases() if case.name == "hotrow" and case.pcs == 1}
    assert {key: case.map_name for key, case in both.items()} == {
        "hotrow": "peers_hashed",
        "hotrow@bg0_col_bg1": "bg0_col_bg1",
    }
    assert both["hotrow"].target("peers_hbm2") is not None
    assert both["hotrow@bg0_col_bg1"].target("peers_hbm2") is None


def test_a_conflict_must_reach_the_best_simulator() -> None:
    target = Case("conflict", 1).target("peers_hbm2")
    assert target is not None and target.value == 3.89
    assert Case("conflict", 1).target("peers_hbm3") is None
    assert Case("twostream", 1).target("peers_hbm2") is None


@pytest.mark.parametrize(
    ("of", "good", "bad"), [("peak", 0.9001, 0.8999), ("bound", 0.9, 0.89), ("latency", 90.0, 90.1)]
)
def test_a_target_can_be_missed(of: str, good: float, bad: float) -> None:
    from hbm_tb.bench_cases import Target

    key = {"peak": "efficiency", "bound": "share_of_bound", "latency": "mean_latency_ck"}[of]
    assert Target(of, 90.0).met({key: good})
    assert not Target(of, 90.0).met({key: bad})


def test_only_chooses_cases() -> None:
    assert [case.title for case in chosen("p1 random,bfs", False)] == ["p1 random", "traces bfs"]
    assert len(chosen("stride_*", False)) == 11
    with pytest.raises(InputError, match="--only nope: expected speed, traffic, latency, fairness, waits, or the name"):
        bench._parts(bench.BenchOptions(only="nope"))
    assert bench._parts(bench.BenchOptions(only="fairness"))[0] == ("fairness",)


def _numbers(**change: Any) -> dict[str, Any]:
    port = {
        "requests": 4, "first_ck": 8, "span_ck": 100, "efficiency": 0.08, "row": {"hit": 1},
        "latency_ck": {"mean": 50.0}, "ids_overtook": 0, **change,
    }  # fmt: skip
    total = {"requests": 4, "span_ck": 100, "efficiency": 0.08, "row_hit_rate": 0.25, "latency_ck": {"mean": 50.0}}
    return {**total, "ports": [port, port], "ports_used": [0]}


def test_rtl_and_model_that_differ_are_told() -> None:
    assert list(differences(_numbers(), _numbers())) == []
    found = list(differences(_numbers(), _numbers(span_ck=102)))
    assert found == ["PC0 span_ck: RTL 100, exact model 102"]


def _measured(share: float, met: bool) -> dict[str, Any]:
    return {
        "efficiency": share, "mean_latency_ck": 50.0, "p99_latency_ck": 60, "max_latency_ck": 70, "row_hit_rate": 0.5,
        "requests": 10, "map": "peers", "bound": {"offline": 1.0, "in_order": 0.9}, "share_of_bound": share / 0.9,
        "model": {"efficiency": share}, "equal": True, "target": {"of": "peak", "value": 47.0}, "met": met,
    }  # fmt: skip


def test_the_table_says_what_is_missed() -> None:
    console = bench_tables.wide_console()
    document = {
        "traffic": {"peers_hbm2": {"p1": {"random": _measured(0.46, False), "mixed": _measured(0.48, True)}}},
        "about": {},
    }
    with console.capture() as text:
        bench_tables.print_tables(console, document)
    shown = text.get()
    assert "MISSED: >= 47 % of peak" in shown and "met: >= 47 % of peak" in shown
    assert "1 of 2 targets missed: peers_hbm2 p1 random" in shown
    assert "RTL = exact model in all 2 cases" in shown


def test_an_interrupted_bench_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the third case: the first two are in the file, and it says that it is not complete."""
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench.sim, "build", lambda geometry: None)
    monkeypatch.setattr(bench.sim, "tool_versions", dict)
    done: list[str] = []

    def case_(case: Case, *_: object) -> dict[str, Any]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(case.name)
        return _measured(0.48, True)

    monkeypatch.setattr(bench, "measure_case", case_)
    options = bench.BenchOptions(only="traffic", presets=("peers_hbm2",), jobs=1)
    assert bench.bench_command(options) == 130
    document = json.loads((tmp_path / "bench.json").read_text())
    assert list(document["traffic"]["peers_hbm2"]["p1"]) == ["stream", "streammix"]
    assert document["about"]["complete"] is False
    # A case on its own goes into what is there.
    done.clear()
    assert bench.bench_command(bench.BenchOptions(only="bfs", presets=("peers_hbm2",), jobs=1)) == 0
    document = json.loads((tmp_path / "bench.json").read_text())
    assert list(document["traffic"]["peers_hbm2"]["p1"]) == ["stream", "streammix"]
    assert list(document["traffic"]["peers_hbm2"][TRACES]) == ["bfs"]
    # Each is kept with its date (two of one second are one).
    copies = [json.loads(path.read_text()) for _, path in bench_history.kept(tmp_path)]
    assert copies[-1] == document and len(copies) in (1, 2)


def test_presets_of_a_part_are_kept(tmp_path: Path) -> None:
    """The waits of one preset do not wipe out those of another."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"waits": {"peers_hbm2": 1, "peers_hbm3": 2}, "about": {}}))
    merged = bench._merged({"waits": {"peers_hbm3": 3}, "about": {}}, path, bench.BenchOptions(only="waits"))
    assert merged["waits"] == {"peers_hbm2": 1, "peers_hbm3": 3}
