"""The performance counters (docs/microarchitecture.md M9) in words: what a run's summary and report show of them.

One form for runs of the RTL and of the exact model, `counters` in result.json (docs/run-folder.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# In every cycle exactly one of these counts, per PC (M9.3), in the order in which they are looked at.
CAUSES: Final = {
    "busy": "busy: RD or WR",
    "stall_off": "off: no commands allowed",
    "stall_empty": "empty: no request queued",
    "stall_column": "column: tCCD, tWTR, tRTW, data path",
    "stall_turn": "turn: only the other direction hits",
    "stall_refresh": "refresh: bank held or in refresh",
    "stall_activate": "activate: tRRD, tFAW, row bus",
    "stall_bank": "bank: tRP, tRC, tRCD, another row",
    "stall_hazard": "hazard: waits for another request",
}
# Upper ends of the latency classes in cycles (M9.4); `more` has none.
LATENCIES: Final = ("16", "32", "64", "128", "256", "512", "1024", "more")
UNITS: Final = 2  # PCs; a port has the number of its PC

Rows = list[tuple[str, ...]]


def as_result(counts: Mapping[str, int]) -> dict[str, Any]:
    """For result.json: cycles, and per PC (with its port) name -> count."""
    return {
        "cycles": counts["cycles"],
        "pcs": [
            {
                name.split("_", 1)[1]: count
                for name, count in counts.items()
                if name.startswith((f"pc{n}_", f"port{n}_"))
            }
            for n in range(UNITS)
        ],
    }


def tenths(parts: Sequence[int]) -> list[float]:
    """Shares in percent with one decimal that add up to exactly 100 (largest remainders); all 0 of nothing."""
    whole = sum(parts)
    if not whole:
        return [0.0] * len(parts)
    cut = [1000 * part // whole for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (-(1000 * parts[i] % whole), i))
    for i in order[: 1000 - sum(cut)]:
        cut[i] += 1
    return [each / 10 for each in cut]


def used(counters: Mapping[str, Any]) -> list[int]:
    """PCs that got a request or sent a command; all if none did."""
    active = [n for n, pc in enumerate(counters["pcs"]) if pc["rd_req"] + pc["wr_req"] + pc["busy"]]
    return active or list(range(len(counters["pcs"])))


def shares(counters: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """PC -> cause -> share of the cycles in percent."""
    return {
        n: dict(zip(CAUSES, tenths([counters["pcs"][n][name] for name in CAUSES]), strict=True)) for n in used(counters)
    }


def cause_rows(counters: Mapping[str, Any]) -> Rows:
    """Where the cycles went: head, then one row a cause."""
    parts = shares(counters)
    rows: Rows = [("share of the cycles, %", *(f"PC{n}" for n in parts))]
    rows += [(words, *(f"{part[name]:.1f}" for part in parts.values())) for name, words in CAUSES.items()]
    return [*rows, ("all", *(f"{sum(part.values()):.1f}" for part in parts.values()))]


def latency_rows(counters: Mapping[str, Any]) -> Rows:
    """Reads by latency from slot to R register (M9.4): head, then one row a class."""
    pcs = used(counters)
    rows: Rows = [("cycles, slot to R register", *(f"port {n}" for n in pcs))]
    low = 0
    for name in LATENCIES:
        words = f"{low:,} and more" if name == "more" else f"{low:,} to {int(name) - 1:,}"
        low = 0 if name == "more" else int(name)
        rows.append((words, *(f"{counters['pcs'][n][f'lat_{name}']:,}" for n in pcs)))
    return rows


def count_rows(counters: Mapping[str, Any]) -> Rows:
    """All other counts: head, then one row an event."""
    pcs = used(counters)
    told = {
        "rd_req": "read requests accepted",
        "wr_req": "write requests accepted",
        "forward": "reads forwarded",
        "rmw": "read-modify-writes",
        "row_hit": "row hits",
        "row_closed": "row closed",
        "row_conflict": "row conflicts",
        "turnaround": "turn-arounds",
        "act": "ACT",
        "pre": "PRE, PREA",
        "refsb": "REFSB",
        "ref_all": "REF",
        "rd_full": "cycles with a read refused",
        "wr_full": "cycles with a full write queue",
        "rob_full": "cycles without a reorder slot",
    }
    rows: Rows = [("events", *(f"PC{n}" for n in pcs))]
    return rows + [(words, *(f"{counters['pcs'][n][name]:,}" for n in pcs)) for name, words in told.items()]
