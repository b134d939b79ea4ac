"""Numbers and course over time of a prediction, in the words of docs/run-folder.md: the same keys and the same meanings
as those of a run of the RTL, so that one report and one table serve both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import Prediction
from hbm_model.counters import as_result
from hbm_model.params import BURST_CK, Params
from hbm_model.requests import RequestTrace

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
CK_PER_CYCLE: Final = 2
ACCESS_BYTES: Final = 32
BUCKETS: Final = 4096  # of the course over time; wider buckets beyond
_FIRST_SHIFT: Final = 4  # log2 of the narrowest bucket, cycles
LATENCY_BINS: Final = 1 << 16  # cycles; the last one holds all longer ones
OUTCOMES: Final = ("hit", "closed", "conflict")
_HIT, _CLOSED, _CONFLICT, _NONE = 0, 1, 2, -1


def row_outcomes(commands: CmdArray) -> npt.NDArray[np.int8]:
    """Per command, what a column command found: 0 a row in use, 1 first after an ACT of an idle bank, 2 first after an
    ACT that followed a PRE; -1 for all other commands. `commands` are in the order of time.
    """
    out = np.full(len(commands), _NONE, np.int8)
    cmd = commands["cmd"]
    # ACT to a bank counts as conflict when the last command that closed the bank was a PRE.
    touches = np.isin(cmd, (Cmd.ACT, Cmd.PRE, Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA, Cmd.REFSB))
    place = np.flatnonzero(touches)
    key = commands["pc"][place].astype(np.int64)
    for part in ("sid", "bg", "bank"):
        key = key << 8 | commands[part][place]
    order = np.argsort(key, kind="stable")
    place, key = place[order], key[order]
    kind = cmd[place]
    same_bank = np.zeros(len(place), np.bool_)
    same_bank[1:] = key[1:] == key[:-1]
    before = np.zeros(len(place), np.uint8)
    before[1:] = np.where(same_bank[1:], kind[:-1], Cmd.NOP)
    act = kind == Cmd.ACT
    conflict = act & (before == Cmd.PRE)
    last = np.zeros(len(place), np.int64)
    last[1:] = place[:-1]
    for pc in range(2):  # a PREA or REF in between: the bank was idle for the refresh
        whole = np.flatnonzero((commands["pc"] == pc) & np.isin(cmd, (Cmd.PREA, Cmd.REF)))
        mine = np.flatnonzero(conflict & (commands["pc"][place] == pc))
        between = np.searchsorted(whole, place[mine]) > np.searchsorted(whole, last[mine])
        conflict[mine[between]] = False
    column = (kind >= Cmd.RD) & (kind <= Cmd.WRA)
    first = column & (before == Cmd.ACT)
    after_conflict = np.zeros(len(place), np.bool_)
    after_conflict[1:] = conflict[:-1]
    out[place[column]] = _HIT
    out[place[first]] = np.where(after_conflict[first], _CONFLICT, _CLOSED)
    return out


def latency_numbers(cycles: I64) -> dict[str, float | int]:
    """Count, mean, median, 99th percentile and maximum in CK of latencies in cycles."""
    if not len(cycles):
        return {"count": 0, "mean": 0.0, "p50": 0, "p99": 0, "max": 0}
    p50, p99 = (CK_PER_CYCLE * int(each) for each in np.percentile(cycles, [50, 99], method="inverted_cdf"))
    mean = CK_PER_CYCLE * int(cycles.sum()) / len(cycles)
    return {"count": len(cycles), "mean": mean, "p50": p50, "p99": p99, "max": CK_PER_CYCLE * int(cycles.max())}


def overtakers(taken: I64, done: I64) -> int:
    """Reads of a port that ended before an older one did."""
    end = done[np.argsort(taken, kind="stable")]
    return int(np.count_nonzero(end[1:] < np.maximum.accumulate(end)[:-1])) if len(end) else 0


@dataclass(frozen=True)
class Outcome:
    """A prediction and what it was made of."""

    params: Params
    trace: RequestTrace
    seen: Prediction
    counts: Mapping[str, int] | None = None  # performance counters (M9)

    @property
    def pcs(self) -> list[int]:
        """PCs that got a request."""
        return [pc for pc in range(2) if bool((self.seen.pc == pc).any())]


def _rates(outcomes: npt.NDArray[np.int8]) -> dict[str, Any]:
    row = {name: int(np.count_nonzero(outcomes == code)) for code, name in enumerate(OUTCOMES)}
    return {"row": row, "row_hit_rate": row["hit"] / max(sum(row.values()), 1)}


def _port(of: Outcome, pc: int, outcomes: npt.NDArray[np.int8]) -> dict[str, Any]:
    seen, write = of.seen, of.trace.write
    mine = seen.pc == pc
    reads, writes = mine & ~write, mine & write
    requests = int(np.count_nonzero(mine))
    first = int(seen.taken[mine].min()) if requests else -1
    ends = [CK_PER_CYCLE * (int(seen.done[reads].max()) + 1)] if reads.any() else []
    if writes.any():
        commands = seen.commands
        column = (commands["pc"] == pc) & (commands["cmd"] >= Cmd.RD) & (commands["cmd"] <= Cmd.WRA)
        # Times are in half CK.
        ends.append(int(commands["time"][column].max()) // 2 + of.params.count("WL") + BURST_CK)
    span = max(ends) - CK_PER_CYCLE * first if ends else 0
    read_count, write_count = int(np.count_nonzero(reads)), int(np.count_nonzero(writes))
    return {
        "requests": requests,
        "read_requests": read_count,
        "write_requests": write_count,
        "read_bytes": ACCESS_BYTES * read_count,
        "write_bytes": ACCESS_BYTES * write_count,
        "first_ck": CK_PER_CYCLE * first if requests else 0,
        "span_ck": span,
        "efficiency": requests * BURST_CK / span if span else 0.0,
        **_rates(outcomes[seen.commands["pc"] == pc]),
        "latency_ck": latency_numbers((seen.done - seen.taken)[reads]),
        "ids_overtook": overtakers(seen.taken[reads], seen.done[reads]),
    }


def whole_of(active: Sequence[Mapping[str, Any]], params: Params) -> dict[str, Any]:
    """What the numbers of the ports in use come to: of a simulation and of a run of the RTL alike."""
    begin = min((each["first_ck"] for each in active), default=0)
    span = max((each["first_ck"] + each["span_ck"] for each in active), default=0) - begin
    read_bytes, write_bytes = (sum(each[name] for each in active) for name in ("read_bytes", "write_bytes"))
    peak = params.peak_bytes_per_ck * len(active)
    tck = float(params.tck_ns)
    return {
        "tck_ns": tck,
        "bytes": {"read": read_bytes, "write": write_bytes},
        "span_ck": span,
        "span_us": span * tck / 1000,
        "bandwidth_gb_per_s": (read_bytes + write_bytes) / (span * tck) if span else 0.0,
        "peak_gb_per_s": peak / tck,
        "share_of_peak": (read_bytes + write_bytes) / (span * peak) if span and peak else 0.0,
        "efficiency": float(np.mean([each["efficiency"] for each in active])) if active else 0.0,
    }


def numbers_of(of: Outcome) -> dict[str, Any]:
    """All numbers that do not depend on the machine."""
    seen, params = of.seen, of.params
    outcomes = row_outcomes(seen.commands)
    ports = [_port(of, pc, outcomes) for pc in range(2)]
    active = [ports[pc] for pc in of.pcs]
    kinds, counts = np.unique(seen.commands["cmd"], return_counts=True)
    commands = {Cmd(int(kind)).name: int(count) for kind, count in zip(kinds, counts, strict=True)}
    reads = ~of.trace.write
    out = {
        "ports_used": of.pcs,
        "requests": len(of.trace),
        "read_requests": of.trace.reads,
        "write_requests": of.trace.writes,
        "bursts": {"read": of.trace.reads, "write": of.trace.writes},
        **whole_of(active, params),
        "latency_ck": latency_numbers((seen.done - seen.taken)[reads]),
        **_rates(outcomes),
        "commands": commands,
        "refreshes": commands.get("REF", 0) + commands.get("REFSB", 0),
        "ports": ports,
        "cycles": seen.cycles,
    }
    if of.counts is not None:
        out["counters"] = as_result(of.counts)
    if of.trace.timed:
        # What a request waits before the port takes it belongs to its latency when it arrives at a time of its own.
        arrival = (of.trace.cycle + 1) // CK_PER_CYCLE
        out["arrival_latency_ck"] = latency_numbers((seen.done - arrival)[reads])
    return out


def series_of_outcome(of: Outcome) -> dict[str, npt.NDArray[Any]]:
    """Course over time, one column a bucket: the arrays of `series.npz`."""
    seen, write = of.seen, of.trace.write
    commands, outcomes = seen.commands, row_outcomes(seen.commands)
    command_cycle = (commands["time"] >> np.uint64(2)).astype(np.int64)
    last = max([int(each.max()) for each in (seen.taken, seen.done[~write], command_cycle) if len(each)], default=0)
    shift = _FIRST_SHIFT
    while last >> shift >= BUCKETS:
        shift += 1
    size = (last >> shift) + 1

    def count(cycle: I64, weight: int | I64 = 1) -> I64:
        bins = np.bincount(cycle >> shift, np.broadcast_to(weight, cycle.shape).astype(np.float64), minlength=size)
        return bins.astype(np.int64)

    ports: dict[str, list[npt.NDArray[Any]]] = {}
    for pc in range(2):
        mine = seen.pc == pc
        reads, writes = mine & ~write, mine & write
        done, latency = seen.done[reads], (seen.done - seen.taken)[reads]
        finished = count(done)
        longest = np.zeros(size, np.int64)
        np.maximum.at(longest, done >> shift, latency)
        on_pc = commands["pc"] == pc
        refresh = on_pc & np.isin(commands["cmd"], (Cmd.REF, Cmd.REFSB))
        columns: dict[str, npt.NDArray[Any]] = {
            "read_bytes": ACCESS_BYTES * finished,
            "write_bytes": ACCESS_BYTES * count(seen.taken[writes]),
            "latency_mean_ck": CK_PER_CYCLE * count(done, latency) / np.maximum(finished, 1),
            "latency_max_ck": CK_PER_CYCLE * longest,
            "reads_done": finished,
            "refreshes": count(command_cycle[refresh]),
            "latency_histogram": np.bincount(np.minimum(latency, LATENCY_BINS - 1), minlength=LATENCY_BINS),
        }
        for code, name in enumerate(OUTCOMES):
            columns[f"row_{name}"] = count(command_cycle[on_pc & (outcomes == code)])
        for name, values in columns.items():
            ports.setdefault(name, []).append(values)
    bucket = CK_PER_CYCLE << shift
    return {
        "bucket_ck": np.array(bucket),
        "start_ck": np.arange(size) * bucket,
        **{name: np.stack(values) for name, values in ports.items()},
    }
