"""Summary of a prediction, in the words of the summary of a run (`result.json`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import Prediction
from hbm_model.params import Params
from hbm_model.requests import RequestTrace


def row_counts(commands: CmdArray) -> dict[str, int]:
    """Column commands by what they found: `hit` a row in use, `closed` an idle bank, `conflict` another row.

    A conflict is the first column command after an ACT whose bank was closed by a PRE that no refresh asked for.
    """
    counts = {"hit": 0, "closed": 0, "conflict": 0}
    state: dict[tuple[int, int, int, int], str] = {}
    for cmd, pc, sid, bg, bank in commands[["cmd", "pc", "sid", "bg", "bank"]].tolist():
        key = (pc, sid, bg, bank)
        if cmd == Cmd.ACT:
            state[key] = "conflict" if state.get(key) == "precharged" else "closed"
        elif Cmd.RD <= cmd <= Cmd.WRA:
            counts[state.get(key, "closed")] += 1
            state[key] = "hit" if cmd in (Cmd.RD, Cmd.WR) else "idle"
        elif cmd == Cmd.PRE:
            state[key] = "precharged"
        elif cmd == Cmd.REFSB:
            state[key] = "idle"
        elif cmd in (Cmd.PREA, Cmd.REF):
            for other in [each for each in state if each[0] == pc]:
                state[other] = "idle"
    return counts


def _latency(ck: npt.NDArray[np.int64]) -> dict[str, float | int]:
    if not len(ck):
        return {"count": 0, "mean": 0.0, "p50": 0, "p99": 0, "max": 0}
    p50, p99 = (int(each) for each in np.percentile(ck, [50, 99], method="inverted_cdf"))
    return {"count": len(ck), "mean": float(ck.mean()), "p50": p50, "p99": p99, "max": int(ck.max())}


def _part(
    trace: RequestTrace, seen: Prediction, mine: npt.NDArray[np.bool_], params: Params, ports: int
) -> dict[str, Any]:
    """Figures of one port, or of the channel; CK from the first offer to the last response."""
    if not mine.any():
        span, first = 0, 0
    else:
        first = 2 * int(seen.offered[mine].min())
        span = 2 * int(seen.done[mine].max()) + 2 - first
    reads = mine & ~trace.write
    share = 32 * int(mine.sum()) / (span * params.peak_bytes_per_ck * ports) if span else 0.0
    return {
        "requests": int(mine.sum()),
        "read_requests": int(reads.sum()),
        "write_requests": int((mine & trace.write).sum()),
        "first_ck": first,
        "span_ck": span,
        "efficiency": share,
        "latency_ck": _latency(2 * (seen.done - seen.taken)[reads]),
    }


def summary_of(name: str, params: Params, trace: RequestTrace, seen: Prediction, wall_s: float) -> dict[str, Any]:
    """All figures of a prediction."""
    everything = np.ones(len(trace), np.bool_)
    used = [pc for pc in range(2) if (seen.pc == pc).any()]
    whole = _part(trace, seen, everything, params, len(used) or 1)
    tck = float(params.tck_ns)
    kinds, numbers = np.unique(seen.commands["cmd"], return_counts=True)
    commands = {Cmd(int(kind)).name: int(number) for kind, number in zip(kinds, numbers, strict=True)}
    row = row_counts(seen.commands)
    span_us = whole["span_ck"] * tck / 1000
    return {
        "schema": 1,
        "name": name,
        "status": "predicted",
        "preset": params.name,
        "geometry": params.geometry.name,
        "trace_requests": len(trace),
        "tck_ns": tck,
        "ports_used": used,
        **whole,
        "span_us": span_us,
        "bandwidth_gb_per_s": 32 * len(trace) / (span_us * 1000) if span_us else 0.0,
        "peak_gb_per_s": params.peak_bytes_per_ck * max(len(used), 1) / tck,
        "row": row,
        "row_hit_rate": row["hit"] / max(sum(row.values()), 1),
        "commands": commands,
        "refreshes": commands.get("REF", 0) + commands.get("REFSB", 0),
        "ports": [_part(trace, seen, seen.pc == pc, params, 1) for pc in range(2)],
        "cycles": seen.cycles,
        "wall_s": round(wall_s, 3),
        "requests_per_s": int(len(trace) / wall_s) if wall_s > 0 else 0,
    }


def summary_table(result: dict[str, Any]) -> str:
    """The figures that a person looks at first, one a line."""
    latency = result["latency_ck"]
    row = result["row"]
    lines = [
        ("requests", f"{result['requests']} ({result['read_requests']} R, {result['write_requests']} W)"),
        ("time", f"{result['span_ck']} CK, {result['span_us']:.1f} us"),
        (
            "bandwidth",
            f"{result['bandwidth_gb_per_s']:.2f} GB/s of {result['peak_gb_per_s']:.1f} "
            f"({100 * result['efficiency']:.1f} %)",
        ),
        (
            "read latency",
            f"mean {latency['mean']:.1f} CK, p50 {latency['p50']}, p99 {latency['p99']}, max {latency['max']}",
        ),
        ("rows", f"hit {row['hit']}, closed {row['closed']}, conflict {row['conflict']}"),
        ("commands", ", ".join(f"{name} {number}" for name, number in result["commands"].items())),
        ("speed", f"{result['requests_per_s'] / 1000:.0f} thousand requests/s, {result['wall_s']:.2f} s"),
    ]
    return "\n".join(f"{what:<14}{text}" for what, text in lines)
