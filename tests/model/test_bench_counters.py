"""What the bench demands of a snapshot of the performance counters: each rule of M9 can be broken, and is named."""

from __future__ import annotations

import pytest
from hbm_tb import counters

CYCLES = 1000


def consistent() -> dict[str, int]:
    """Counts of an interval at whose borders nothing is under way."""
    counts = dict.fromkeys(counters.COUNTERS, 0) | {"cycles": CYCLES}
    for n in counters.UNITS:
        # 40 reads of the host, 5 of them forwarded, 25 writes, 3 of them merged.
        mine = {
            "rd_req": 40, "forward": 5, "rmw": 3, "rd": 38, "wr_req": 25, "wr": 25, "busy": 63, "row_hit": 40,
            "row_closed": 13, "row_conflict": 10, "stall_off": 100, "stall_empty": 700, "stall_column": 60,
            "stall_turn": 20, "stall_refresh": 17, "stall_activate": 20, "stall_bank": 15, "stall_hazard": 5,
        }  # fmt: skip
        counts |= {f"pc{n}_{name}": count for name, count in mine.items()}
        counts |= {f"port{n}_lat_16": 5, f"port{n}_lat_64": 30, f"port{n}_lat_more": 5}
    return counts


def test_a_consistent_snapshot_has_no_contradiction() -> None:
    """The example keeps all rules, and equals itself."""
    counts = consistent()
    assert counters.contradictions(counts, idle=True) == [] and counters.differences(counts, counts) == []


@pytest.mark.parametrize(
    ("name", "idle", "said"),
    [
        *((f"pc1_{cause}", False, "cycles is 1000 (M9.3)") for cause in counters.CAUSES),
        ("cycles", False, "cycles is 1001"),
        ("pc0_rd", False, "busy 63 is not rd 39 + wr 25"),
        ("pc0_row_hit", False, "do not add up to rd + wr"),
        ("port1_lat_32", True, "41 reads in the latency classes, rd_req is 40"),
        ("pc0_forward", True, "rd 38 is not rd_req 40 - forward 6 + rmw"),
        ("pc1_rmw", True, "rd 38 is not rd_req 40 - forward 5 + rmw"),
        ("pc1_wr_req", True, "wr 25 is not wr_req 26"),
    ],
)
def test_one_count_too_many_is_named(name: str, idle: bool, said: str) -> None:
    """Each rule finds a counter that is off by one."""
    counts = consistent()
    counts[name] += 1
    assert any(said in line for line in counters.contradictions(counts, idle)), counters.contradictions(counts, idle)


@pytest.mark.parametrize("name", counters.COUNTERS)
def test_every_counter_is_compared(name: str) -> None:
    """A difference in any counter is told with its name and both values; so is a counter that the model lacks."""
    seen = consistent()
    foreseen = seen | {name: seen[name] + 7}
    assert counters.differences(seen, foreseen) == [
        f"counters.{name}: {seen[name]:,} in the registers, {foreseen[name]:,} in the exact model"
    ]
    del foreseen[name]
    assert counters.differences(seen, foreseen) == [f"the exact model has no counter {name}"]
    assert counters.differences(seen, {}), "no snapshot in the model passes"
