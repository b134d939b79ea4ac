"""Timing registers as planted faults: the RTL is programmed too short or too long, the golden side keeps the value.

For each register a set in which its rule alone binds, as data. The step is the smallest one that moves the slot: 1 CK
where the grid of slots shows it (M1.2, M1.4), else 2; a run with the smaller step that lock-step finds equal in every
cycle is the proof that 1 CK moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hbm_tb.faults_job import Item

# Every other distance is small when one is looked at. Refresh is off and far away.
FAST: Mapping[str, float] = {
    "RCDRD": 6, "RCDWR": 6, "RP": 4, "RAS": 6, "RC": 10, "RRDS": 2, "RRDL": 2, "FAW": 4, "CCDS": 2, "CCDL": 2,
    "CCDR": 2, "WTRS": 2, "WTRL": 2, "RTP": 2, "WR": 2, "RTW": 4, "RFC": 20, "RFCSB": 20, "RREFD": 4, "REFI": 65535,
    "REFISB": 65535, "PPD": 1,
}  # fmt: skip
QUIET: Mapping[str, int] = {"page.page": 0, "refresh.refresh_en": 0}
SINGLE: Mapping[str, int] = {"refresh.refresh_en": 1, "refresh.refresh_hold": 1}
ALL: Mapping[str, int] = {**SINGLE, "refresh.refresh_all": 1}

STEPS = (1, 2)  # CK
DIRECTIONS = {"short": -1, "long": 1}


@dataclass(frozen=True)
class RegisterSet:
    """The values with which the rule of one register binds alone."""

    key: str
    value: int  # CK
    timing: Mapping[str, float] = field(default_factory=dict)  # further values that differ from FAST
    policy: Mapping[str, int] = field(default_factory=dict)
    workload: str = "timing"  # of planted_tests; `timing` plays the traffic of the register's effect test
    how: Mapping[str, Any] = field(default_factory=dict)
    short: tuple[str, ...] = ("legality",)  # checks of which one must tell first
    long: tuple[str, ...] = ("exactness",)
    geometry: str = "hbm2_s1"
    # Defects that keep the device's latency right while the register is wrong, for short and long; lock-step is off:
    # it would tell of the mode register at once.
    device: tuple[str, str] = ("", "")


# RP, RAS and WR lie beyond the fields of the HBM2 mode registers, which therefore do not change with them.
SETS: tuple[RegisterSet, ...] = (
    RegisterSet("RCDRD", 21),
    RegisterSet("RCDWR", 21),
    RegisterSet("RP", 40),
    RegisterSet("RAS", 70),
    RegisterSet("RC", 75),
    RegisterSet("RTP", 30),
    RegisterSet("WR", 40),
    RegisterSet("RRDS", 9, {"RRDL": 12}),
    RegisterSet("RRDL", 15),
    RegisterSet("FAW", 41),
    RegisterSet("CCDS", 6, {"CCDL": 9}),
    RegisterSet("CCDL", 11),
    RegisterSet("CCDR", 9, geometry="hbm3_s2"),
    RegisterSet("WTRS", 40, {"WTRL": 44}),
    RegisterSet("WTRL", 40),
    RegisterSet("RTW", 40),
    RegisterSet("PPD", 20),
    # The first interval after reset is one of single-bank refresh.
    RegisterSet("RFC", 120, {"REFI": 500, "REFISB": 500}, ALL),
    RegisterSet("RFCSB", 120, {"REFISB": 100}, SINGLE),
    RegisterSet("RREFD", 40, {"REFISB": 150}, SINGLE),
    RegisterSet("MRD", 20, workload="start"),
    # Pick and offer take longer than the step: the first command comes early, but not too early. See FAR.
    RegisterSet("MOD", 60, workload="waiting", short=("exactness",)),
    RegisterSet("RL", 20, workload="soak", how={"count": 600}, short=("data",), long=("data",),
                device=("mode-read-latency-high", "mode-read-latency-low")),
    RegisterSet("WL", 8, workload="soak", how={"count": 600}, short=("data",), long=("data",),
                device=("mode-write-latency-high", "mode-write-latency-low")),
    RegisterSet("REFI", 500, {"REFISB": 500}, ALL, "wait", {"count": 1500}, ("exactness",), ("exactness",)),
    RegisterSet("REFISB", 200, {}, SINGLE, "wait", {"count": 1500}, ("exactness",), ("exactness",)),
)  # fmt: skip


@dataclass(frozen=True)
class Far:
    """A register that is wrong by far, for the limit that the smallest step does not reach."""

    key: str
    what: str  # end of the item's name
    timing: Mapping[str, float]
    policy: Mapping[str, int]
    programmed: int
    workload: str
    how: Mapping[str, Any]
    exact: bool  # lock-step on


# Beyond 9 x tREFI lock-step would tell long before.
FAR = (
    Far("REFI", "beyond", {"REFI": 500, "REFISB": 500}, {**ALL, "page.page": 3}, 20_000, "wait", {"count": 3_000},
        False),
    Far("REFISB", "beyond", {"REFI": 500, "REFISB": 31}, {**SINGLE, "page.page": 3}, 4_000, "wait", {"count": 3_000},
        False),
    Far("MOD", "far", {"MOD": 60}, {}, 30, "waiting", {}, True),
)  # fmt: skip


def item_name(key: str, direction: str, port: int, step: int) -> str:
    """Name of the test of one step."""
    return f"{key}_{direction}_pc{port}_by{step}"


def _ports(one: RegisterSet, quick: bool) -> tuple[int, ...]:
    # Traffic of both ports, or none: one run shows it.
    return (0, 1) if one.workload == "timing" and not quick else (0,)


def register_items(geometry: str, keys: tuple[str, ...] = (), quick: bool = False) -> list[Item]:
    """Runs of the registers (all, or those of `keys`) that are looked at on a geometry."""
    from hbm_tb.faults import catalogue

    numbers = {defect.id: defect.number for defect in catalogue()}
    items = []
    for one in SETS:
        if one.geometry != geometry or (keys and one.key not in keys):
            continue
        for (direction, sign), device in zip(DIRECTIONS.items(), one.device, strict=True):
            for port in _ports(one, quick):
                for step in STEPS:
                    config = {
                        "timing": {**FAST, **one.timing, one.key: one.value},
                        "program_only": {one.key: one.value + sign * step},
                        "policy": {**QUIET, **one.policy},
                        "check_exact": not device,
                    }
                    last = step == STEPS[-1] or bool(device)
                    items.append(
                        Item(
                            item_name(one.key, direction, port, step),
                            f"{one.key}-{direction}",
                            numbers[device] if device else 0,
                            one.short if sign < 0 else one.long,
                            one.workload,
                            {"key": one.key, "port": port} if one.workload == "timing" else one.how,
                            config,
                            "" if last else item_name(one.key, direction, port, step + 1),
                            f"{one.key} {one.value + sign * step} in place of {one.value}, PC{port}",
                        )
                    )
                    if device:
                        break
    for far in FAR:
        if geometry == "hbm2_s1" and (not keys or far.key in keys):
            config = {
                "timing": {**FAST, **far.timing},
                "program_only": {far.key: far.programmed},
                "policy": {**QUIET, **far.policy},
                "check_exact": far.exact,
            }
            name = f"{far.key}_{far.what}"
            title = f"{far.key} {far.programmed} in place of {far.timing[far.key]:g}"
            expect = ("legality",)
            items.append(
                Item(name, f"{far.key}-{far.what}", 0, expect, far.workload, far.how, config, title=title)
            )  # fmt: skip
    return items
