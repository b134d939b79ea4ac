"""What `hbm bench` measures and what it asks for: patterns, recordings, maps and targets.

A target is a share of peak, a share of the bound for finite queues (`hbm bound`), or a mean read latency. Figures of
public simulators: the best configuration of Ramulator 2.1, DRAMsim3 and DRAMSys 5.5 on the same timings, requests and
queue depth (32), refresh on, ideal front ends without AXI or RTL. On two PCs DRAMsim3 is left out: it does not model
the row and column buses that they share.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hbm_model.patterns import FULL, default_count

PRESETS: Final = ("peers_hbm2", "peers_hbm3")
TRACES: Final = "traces"  # JSON key beside p1 and p2
HASHED: Final = "col0_bg_hashed"
STRIDES: Final = tuple(f"stride_{1 << log}" for log in range(6, 17))

# Share of peak in percent, and who reached it.
PEERS: Final[dict[str, dict[str, dict[str, tuple[float, str]]]]] = {
    "peers_hbm2": {
        "p1": {
            "stream": (100.0, "DRAMSys, per-bank refresh"),
            "streammix": (85.5, "DRAMsim3"),
            "random": (46.0, "DRAMSys, per-bank refresh"),
            "mixed": (42.0, "Ramulator"),
            "conflict": (3.89, "Ramulator"),
        },
        "p2": {
            "stream": (91.9, "Ramulator"),
            "streammix": (68.8, "Ramulator"),
            "random": (37.1, "DRAMSys, closed page"),
            "mixed": (29.2, "Ramulator"),
        },
    },
    "peers_hbm3": {
        "p1": {
            "stream": (95.2, "DRAMSys, per-bank refresh"),
            "streammix": (80.2, "DRAMsim3"),
            "random": (30.9, "DRAMSys, per-bank refresh"),
            "mixed": (25.9, "Ramulator"),
        },
        "p2": {
            "stream": (81.6, "Ramulator"),
            "random": (26.1, "Ramulator"),
            "mixed": (21.2, "Ramulator"),
        },
    },
}
PEERS_DIGIT: Final = 0.05  # half of the last digit of those figures
# Mean read latency of `chase` in ns, all three simulators; front ends that cost nothing.
PEERS_CHASE_NS: Final = {"peers_hbm2": (45, 46), "peers_hbm3": (51, 52)}
CHASE_FRONT: Final = 11  # controller cycles that ours may take more
TCK_NS: Final = {"peers_hbm2": 1.0, "peers_hbm3": 0.625}

PEAK, BOUND, LATENCY = "peak", "bound", "latency"
UNITS: Final = {PEAK: "% of peak", BOUND: "% of bound", LATENCY: "CK"}


@dataclass(frozen=True)
class Target:
    """`value`: percent of peak or of the bound, at least; or CK, at most."""

    of: str
    value: float

    def met(self, found: Mapping[str, Any]) -> bool:
        """Whether a measurement meets it."""
        if self.of == LATENCY:
            return bool(found["mean_latency_ck"] <= self.value)
        return bool(100 * found["efficiency" if self.of == PEAK else "share_of_bound"] >= self.value)

    @property
    def text(self) -> str:
        """For the table."""
        return f"{'<=' if self.of == LATENCY else '>='} {self.value:g} {UNITS[self.of]}"


# What this project asks for, HBM2 and HBM3; a figure of PEERS counts too where it is higher.
_ASKED: Final[dict[tuple[str, str], tuple[float, float]]] = {
    ("p1", "stream"): (99.5, 99.0),
    ("p1", "streammix"): (90.0, 86.0),
    ("p1", "random"): (47.0, 31.2),
    ("p1", "mixed"): (44.5, 28.0),
    ("p2", "stream"): (99.5, 99.0),
    ("p2", "streammix"): (90.0, 86.0),
    ("p2", "random"): (46.5, 31.0),
    ("p2", "mixed"): (44.5, 28.0),
    **{(port, "seq5050"): (88.0, 83.0) for port in ("p1", "p2")},
    **{(port, "rand64"): (76.0, 50.0) for port in ("p1", "p2")},
    **{(port, "rand256"): (92.0, 66.0) for port in ("p1", "p2")},
    **{(port, "rand4k"): (97.0, 92.0) for port in ("p1", "p2")},
}
_OF_BOUND: Final = 90.0  # half, hotrow, strides


@dataclass(frozen=True)
class Case:
    """One measurement: a pattern on one or two PCs, or a recording (`pcs` 0). judged: it has a target."""

    name: str
    pcs: int
    map_name: str = "peers"
    judged: bool = True

    @property
    def port(self) -> str:
        """JSON key of its group."""
        return f"p{self.pcs}" if self.pcs else TRACES

    @property
    def key(self) -> str:
        """JSON key: the name; on a map beside the one that is judged, that too."""
        return self.name if self.judged else f"{self.name}@{self.map_name}"

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.port} {self.key}"

    def count(self, full: bool) -> int:
        """Requests; 0: all of the recording."""
        if not self.pcs:
            return 0
        return FULL if full else default_count(self.name)

    def target(self, preset: str) -> Target | None:
        """What is asked of it."""
        if not self.judged:
            return None
        if self.name == "chase":
            most = PEERS_CHASE_NS[preset][0] / TCK_NS[preset] + 2 * CHASE_FRONT
            return Target(LATENCY, round(most, 1)) if self.pcs == 1 else None
        if self.name in ("half", "hotrow") or self.name.startswith("stride_"):
            return Target(BOUND, _OF_BOUND)
        asked = _ASKED.get((self.port, self.name), (0.0, 0.0))[PRESETS.index(preset)]
        peer = PEERS[preset].get(self.port, {}).get(self.name)
        least = (
            max(asked, round(peer[0] - PEERS_DIGIT, 3)) if peer and peer[0] > 5 else max(asked, peer[0] if peer else 0)
        )
        return Target(PEAK, least) if least else None


def all_cases() -> list[Case]:
    """In the order of the tables."""
    from hbm_model.patterns import STANDARD
    from hbm_model.recordings import recordings

    further = {
        1: (("rand64", "col0_bg"), ("rand256", "bg0_col_bg1"), ("rand4k", "bg0_col_bg1")),
        2: (("rand64", "col0_pc_bg"), ("rand256", "bg0_col_bg1_pc"), ("rand4k", "bg0_col_bg1_pc")),
    }
    cases = []
    for pcs in (1, 2):
        cases += [Case(name, pcs) for name in STANDARD]
        cases += [Case("seq5050", pcs), *(Case(name, pcs, best) for name, best in further[pcs])]
        cases += [Case("half", pcs, "bg0_col_bg1")]
        # The hot row is one row in maps with the columns of `peers`; others spread it over banks.
        cases += [Case("hotrow", pcs, "peers_hashed"), Case("hotrow", pcs, "bg0_col_bg1", judged=False)]
        cases += [Case(name, pcs) for name in ("twostream", "twostream_apart")]
    cases += [Case(name, 1, HASHED) for name in STRIDES]
    cases += [Case(entry.name, 0) for entry in recordings()]
    return cases


QUICK: Final = ("stream", "mixed", "chase", "seq5050", "rand64", "stride_512", "twostream_apart", "spmv")


def chosen(only: str, quick: bool) -> list[Case]:
    """The cases that `--only` leaves: names, `p1 random` or shell patterns, separated by commas."""
    cases = [case for case in all_cases() if not quick or case.name in QUICK]
    if not only:
        return cases
    words = [word.strip() for word in only.split(",")]
    return [
        case
        for case in cases
        if any(fnmatch.fnmatch(case.name, word) or fnmatch.fnmatch(case.title, word) for word in words)
    ]
