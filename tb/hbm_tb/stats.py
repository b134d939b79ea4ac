"""Numbers of a run: bandwidth, latency, page outcomes, commands, and their course over time (docs/run-folder.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hbm_model.sim_summary import whole_of
from numpy.typing import NDArray

from hbm_tb import port_kernel as k
from hbm_tb.config import CK_PER_CYCLE, BenchConfig
from hbm_tb.scoreboard import COMMAND_NAMES, PortScoreboard, Scoreboard

BURST_CK = 2  # data-bus time of one 32-byte request
ACCESS_BYTES = 32


def _quantile(histogram: NDArray[np.int64], share: float) -> int:
    """Smallest value with at least `share` of the counts at or below it."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), share * total)) if total else 0


def latency_of(ports: list[PortScoreboard]) -> dict[str, float | int]:
    """Read latency in CK, AR handshake to the last R beat."""
    histogram = sum((port.state.m[k.LATENCY : k.LATENCY + k.LATENCY_BINS] for port in ports), np.zeros(1, np.int64))
    count = sum(int(port.state.m[k.N_LAT_COUNT]) for port in ports)
    total = sum(int(port.state.m[k.N_LAT_SUM]) for port in ports)
    return {
        "count": count,
        "mean": CK_PER_CYCLE * total / count if count else 0.0,
        "p50": CK_PER_CYCLE * _quantile(histogram, 0.50),
        "p99": CK_PER_CYCLE * _quantile(histogram, 0.99),
        "max": CK_PER_CYCLE * max(int(port.state.m[k.N_LAT_MAX]) for port in ports),
    }


def port_numbers(port: PortScoreboard, config: BenchConfig) -> dict[str, Any]:
    """Numbers of one port and its PC."""
    m = port.state.m
    params = config.params
    requests = int(m[k.N_RD_REQ] + m[k.N_WR_REQ])
    first = int(m[k.N_FIRST_CYCLE])
    # End of the last data: the R handshake of the last read, and on the pins the end of the last write data.
    last_column = int(m[k.N_LAST_COLUMN]) / 2
    ends = [CK_PER_CYCLE * (int(m[k.N_LAST_CYCLE]) + 1)] if m[k.N_R] else []
    if m[k.N_WR_CMD]:
        ends.append(int(last_column) + params.count("WL") + BURST_CK)
    span = max(ends) - CK_PER_CYCLE * first if ends and first >= 0 else 0
    hits, closed, conflicts = (int(m[i]) for i in (k.N_HIT, k.N_CLOSED, k.N_CONFLICT))
    return {
        "requests": requests,
        "read_requests": int(m[k.N_RD_REQ]),
        "write_requests": int(m[k.N_WR_REQ]),
        "read_bytes": int(m[k.N_RD_BYTES]),
        "write_bytes": int(m[k.N_WR_BYTES]),
        "first_ck": CK_PER_CYCLE * first if first >= 0 else 0,
        "span_ck": span,
        "efficiency": requests * BURST_CK / span if span else 0.0,
        "row": {"hit": hits, "closed": closed, "conflict": conflicts},
        "row_hit_rate": hits / max(hits + closed + conflicts, 1),
        "latency_ck": latency_of([port]),
        "ids_overtook": int(m[k.N_ID_OVERTAKE]),
    }


def collect(board: Scoreboard, config: BenchConfig) -> dict[str, Any]:
    """All numbers of a run that do not depend on the machine."""
    params = config.params
    used = [port for port in board.ports if port.state.m[k.N_AR] + port.state.m[k.N_AW]]
    ports = [port_numbers(port, config) for port in board.ports]
    active = [ports[port.port] for port in used]
    whole = whole_of(active, params)
    row = {name: sum(p["row"][name] for p in active) for name in ("hit", "closed", "conflict")}
    counts = sum((p.state.m[k.CMD_COUNT : k.CMD_COUNT + 32] for p in board.ports), np.zeros(32, np.int64))
    commands = {name: int(counts[code]) for code, name in enumerate(COMMAND_NAMES) if counts[code]}
    return {
        "preset": config.preset,
        "ports_used": [port.port for port in used],
        "requests": sum(p["requests"] for p in active),
        "read_requests": sum(p["read_requests"] for p in active),
        "write_requests": sum(p["write_requests"] for p in active),
        "bursts": {"read": board.total(k.N_AR), "write": board.total(k.N_AW)},
        **whole,
        "latency_ck": latency_of(used) if used else latency_of(board.ports),
        "row": row,
        "row_hit_rate": row["hit"] / max(sum(row.values()), 1),
        "commands": commands,
        "refreshes": commands.get("REF", 0) + commands.get("REFSB", 0),
        "checked": {
            "read_beats": board.total(k.N_RD_CHECKED),
            "read_bytes": whole["bytes"]["read"],
            "write_responses": board.total(k.N_B),
            "commands": board.commands,
            "several_legal_values": board.total(k.N_MULTI),
        },
        "violations": len(board.violations),
        "errors": {"slverr": board.total(k.N_SLVERR), "decerr": board.total(k.N_DECERR)},
        "ports": ports,
    }


def series(board: Scoreboard) -> dict[str, NDArray[Any]]:
    """Course over time, one row a bucket: arrays for the report (`series.npz`)."""
    shift = max(int(port.state.m[k.S_SHIFT]) for port in board.ports)
    last = max(int(port.state.m[k.S_BUCKET_MAX]) >> (shift - int(port.state.m[k.S_SHIFT])) for port in board.ports)
    total = np.zeros((len(board.ports), last + 1, k.T_COLUMNS), np.int64)
    for index, port in enumerate(board.ports):
        rows = port.table(k.SERIES, k.BUCKETS, k.T_COLUMNS)[: int(port.state.m[k.S_BUCKET_MAX]) + 1]
        at = np.arange(len(rows)) >> (shift - int(port.state.m[k.S_SHIFT]))
        for column in range(k.T_COLUMNS):
            combine = np.maximum if column == k.T_LAT_MAX else np.add
            combine.at(total[index, :, column], at, rows[:, column])
    bucket = (1 << shift) * CK_PER_CYCLE
    count = total[:, :, k.T_LAT_COUNT]
    return {
        "bucket_ck": np.array(bucket),
        "start_ck": np.arange(last + 1) * bucket,
        "read_bytes": total[:, :, k.T_RD_BYTES],
        "write_bytes": total[:, :, k.T_WR_BYTES],
        "latency_mean_ck": CK_PER_CYCLE * total[:, :, k.T_LAT_SUM] / np.maximum(count, 1),
        "latency_max_ck": CK_PER_CYCLE * total[:, :, k.T_LAT_MAX],
        "reads_done": count,
        "row_hit": total[:, :, k.T_HIT],
        "row_closed": total[:, :, k.T_CLOSED],
        "row_conflict": total[:, :, k.T_CONFLICT],
        "refreshes": total[:, :, k.T_REF],
        "latency_histogram": np.stack([p.state.m[k.LATENCY : k.LATENCY + k.LATENCY_BINS] for p in board.ports]),
    }
