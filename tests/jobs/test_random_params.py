"""Random legal settings: all of them legal, all of each field reached, the same for the same seed."""

from __future__ import annotations

import pytest
from hbm_model.csr import ap_min_ras
from hbm_model.params import REGISTERS
from hbm_model.presets import PRESET_NAMES, preset
from hbm_tb.exact import SOAK_PRESETS, TRACE_PRESETS, Size, refresh_jobs, refresh_policy
from hbm_tb.job_list import ListOptions
from hbm_tb.random_params import ALL_TEMPS, most_pull, policy_changes, problems, random_set, second_set

SEEDS = range(1, 41)


def test_the_presets_are_legal() -> None:
    """What the generator calls legal holds for every preset with the policies after reset."""
    for name in PRESET_NAMES:
        for sids in (1, 2):
            params = preset(f"{name}_s{sids}")
            assert problems(params, {"page.ap_min_ras": ap_min_ras(params)}, 3) == []


@pytest.mark.parametrize("name", SOAK_PRESETS)
def test_all_sets_are_legal(name: str) -> None:
    """First and second set and every policy in between; the map is one-to-one (AddressMap checks it)."""
    from hbm_tb.config import BenchConfig

    for seed in SEEDS:
        first = random_set(name, seed)
        second = second_set(first, seed)
        policy = dict(first.policy)
        for changed in [{}, *policy_changes(first, second, seed, 6)]:
            policy |= changed
            for one in (first, second):
                assert problems(one.params, policy, one.temp) == [], one.describe()
        config = BenchConfig(**first.bench())
        assert config.geometry == preset(name).geometry.name and config.address_map.masks
        assert config.programmed.timing == first.params.timing


def test_the_same_seed_gives_the_same_set() -> None:
    """A set is a function of preset and seed, and another seed gives another one."""
    assert random_set("hbm3_6400_eng_s2", 5) == random_set("hbm3_6400_eng_s2", 5)
    assert random_set("hbm3_6400_eng_s2", 5) != random_set("hbm3_6400_eng_s2", 6)
    assert random_set("hbm3_6400_eng_s2", 5).timing != random_set("hbm3_6400_eng_s1", 5).timing


def test_the_matrix_reaches_the_ends_of_the_fields() -> None:
    """Over the sets of the full matrix every distance is drawn small and large, every policy value of a small field."""
    sets = [random_set(name, seed) for name in SOAK_PRESETS for seed in range(1, 21)]
    for param in REGISTERS:
        drawn = [one.timing[param.key] for one in sets]
        if param.key not in ("RL", "WL", "REFI", "REFISB", "RFC"):
            assert min(drawn) <= 1 and max(drawn) > 20, param.key
        assert len(set(drawn)) > (10 if param.key in ("WL", "CCDS", "RRDS") else 20), param.key
    assert {one.policy["page.page"] for one in sets} == set(range(8))
    assert {one.policy["refresh.pull_in"] for one in sets} == set(range(16))
    assert {one.policy["drain.forward"] for one in sets} == {0, 1}
    for name in ("qos.qos_mid", "qos.qos_high"):
        limits = [one.policy[name] for one in sets]
        assert 0 in limits and max(limits) > 16 and len(set(limits)) > 20, name
    timeouts = [one.policy["page.page_timeout"] for one in sets]
    assert any(limit < 40 for limit in timeouts) and max(timeouts) > 1000
    assert {one.policy["refresh.refresh_hold"] for one in sets} == set(range(16))
    assert {one.temp for one in sets} >= {1, 2, 3, 6} and {one.rd_delay for one in sets} == set(range(8))
    assert any(one.masks for one in sets) and any(one.row_limit for one in sets)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"RL": 3}, "RL 3"),
        ({"WL": 17}, "WL 17"),
        ({"MRD": 0}, "MRD is 0"),
        ({"WR": 40}, "exceeds its mode register"),
        ({"RFC": 20}, "settling"),
        ({"REFISB": 300}, "exceeds REFI"),
        ({"REFISB": 20}, "M6.5"),
        ({"REFI": 500, "REFISB": 31}, "REFI 500"),
    ],
)
def test_what_is_illegal_is_named(change: dict[str, float], reason: str) -> None:
    """Each rule refuses a set that breaks it."""
    assert any(reason in line for line in problems(preset("hbm2_2000_eng").replaced(**change), {}, 3))


def test_policies_can_be_illegal_too() -> None:
    """Refresh off, a late refresh at a slow TEMP, RDA that the DRAM would precharge too early."""
    params = preset("hbm4_8000_eng")
    base = {"page.ap_min_ras": ap_min_ras(params)}
    assert problems(params, base, 3) == []
    assert problems(params, {"page.ap_min_ras": 0}, 3)
    assert problems(params, {**base, "refresh.refresh_en": 0}, 3)
    assert problems(params, {**base, "refresh.refresh_all": 1, "refresh.refresh_hold": 8}, 1)


def test_refreshes_ahead_are_part_of_the_wait() -> None:
    """M6.5: what runs ahead adds to the wait of a bank; the limit depends on TEMP, the kind of refresh and the hold."""
    params = preset("hbm2_2000_eng_s1")  # 16 banks, one set
    late = {"refresh.refresh_hold": 15}
    assert problems(params, {**late, "refresh.pull_in": 15}, 3) == []
    assert problems(params, {**late, "refresh.pull_in": 4}, 1) == []
    assert problems(params, {**late, "refresh.pull_in": 5}, 1)
    every = {"refresh.refresh_all": 1, "refresh.refresh_hold": 2}
    assert problems(params, {**every, "refresh.pull_in": 1}, 1) == []
    assert problems(params, {**every, "refresh.pull_in": 2}, 1)


def test_long_refresh_runs_are_at_the_limit() -> None:
    """Every TEMP code has a run, in both kinds where the limit can be kept; one refresh more ahead would break it."""
    runs = {}
    for name in TRACE_PRESETS:
        params = preset(name)
        for every in (False, True):
            for temp in ALL_TEMPS:
                if policy := refresh_policy(params, every, temp):
                    hold, pull = policy["refresh.refresh_hold"], policy["refresh.pull_in"]
                    assert 0 <= pull <= most_pull(params, every, hold, temp) < max(pull + 1, 16)
                    runs[name, every, temp] = policy
        assert {temp for one, every, temp in runs if one == name and every} == set(range(8))
        assert (name, False, 0) not in runs, "4 x the interval cannot be kept with single-bank refresh"
    assert len(runs) == len(refresh_jobs(Size(), ListOptions()))
    assert runs["hbm2_2000_eng", False, 1]["refresh.pull_in"] == 4
    slow = runs["hbm2_2000_eng", True, 0]
    assert (slow["refresh.refresh_hold"], slow["refresh.pull_in"]) == (1, 0)
