"""What finite queues with in-order arrival force: openings of rows, changes of direction, and the time of windows.

Part of the bound calculator; the proofs are in docs/bounds.md. Requests of one PC are numbered in the order in which
its port offers them. A request is *held* from its acceptance to its column command; at any time at most `reads` reads
and `writes` writes are held, and no request is accepted before the one in front of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbm_model.bound_gaps import ActCost, Gaps, columns_per_switch

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LEAF = 64  # requests of the smallest window


@dataclass(frozen=True)
class Capacity:
    """How many requests of a PC may be held."""

    reads: int
    writes: int

    def total(self, write: Bools) -> int:
        """Of the directions that the trace uses."""
        some = bool(write.any())
        return (self.reads if not write.all() else 0) + (self.writes if some else 0)


def previous_of(keys: I64) -> I64:
    """Number of the previous request with the same key; -1: none."""
    out = np.full(len(keys), -1, np.int64)
    if len(keys):
        order = np.argsort(keys, kind="stable")
        same = keys[order][1:] == keys[order][:-1]
        out[order[1:][same]] = order[:-1][same]
    return out


def most_merges(previous: I64, capacity: int) -> int:
    """How many requests can share the opening of the previous request to their row.

    A pair of requests i < j that follow each other in one opening bridges every arrival m with i < m < j: when m is
    accepted, i is still held or its row is open. At most `capacity` pairs bridge an arrival. The largest set of
    intervals with that property is found greedily (Faigle and Nawijn): of too many, drop the one that ends last.
    """
    end = np.flatnonzero(previous >= 0)
    begin = previous[end]
    bridges = end - begin > 1
    free = int(len(end) - bridges.sum())
    end, begin = end[bridges], begin[bridges]
    delta = np.zeros(len(previous) + 2, np.int64)
    np.add.at(delta, begin + 1, 1)
    np.add.at(delta, end, -1)
    if not len(end) or int(np.cumsum(delta).max()) <= capacity:
        return free + len(end)
    if capacity <= 0:
        return free
    order = np.argsort(begin, kind="stable")
    running: list[int] = []  # ends, first one first
    longest: list[int] = []  # minus ends, may hold ones that are over
    dropped: dict[int, int] = {}
    active = kept = 0
    for start, stop in zip(begin[order].tolist(), end[order].tolist(), strict=True):
        while running and running[0] <= start + 1:
            over = heapq.heappop(running)
            if dropped.get(over, 0):
                dropped[over] -= 1
            else:
                active -= 1
                kept += 1
        heapq.heappush(running, stop)
        heapq.heappush(longest, -stop)
        active += 1
        if active > capacity:
            out = -heapq.heappop(longest)
            dropped[out] = dropped.get(out, 0) + 1
            active -= 1
    return free + kept + active


def switch_count(write: Bools, capacity: Capacity, begin: I64, end: I64) -> I64:
    """Least changes of direction from the acceptance of request begin[i] to that of end[i] (its number: everything).

    While one direction is served, the other one only fills its places; then arrival stands still. From the best
    state (nothing held) turns that take all they can reach farthest, so counting those turns is a lower bound.
    """
    size = len(write)
    at = {False: np.flatnonzero(~write), True: np.flatnonzero(write)}
    room = {False: capacity.reads, True: capacity.writes}
    best = np.full(len(begin), np.iinfo(np.int64).max)
    if not len(at[True]) or not len(at[False]):
        return np.zeros(len(begin), np.int64)
    for first in (False, True):
        done = {kind: np.searchsorted(at[kind], begin) for kind in (False, True)}
        reached = begin.copy()
        turns = np.zeros(len(begin), np.int64)
        serving = first
        going = reached < end
        while going.any():
            other = not serving
            blocked = done[other] + room[other]  # the first request of the other direction without a place
            limit = np.where(blocked < len(at[other]), at[other][np.minimum(blocked, len(at[other]) - 1)], size)
            reached = np.where(going, limit, reached)
            done[serving] = np.where(going, np.searchsorted(at[serving], limit), done[serving])
            turns += going
            # Accepting `end` ends a window; the end of the trace needs both directions served.
            last = (end == size) & (reached == size) & (done[other] < len(at[other]))
            going &= (reached < end) | last
            serving = other
        best = np.minimum(best, np.maximum(turns - 1, 0))
    return best


# ------------------------------------------------------------------ windows


def _fill(work: F64, spare: npt.ArrayLike) -> F64:
    """Least t with sum over units of max(0, work - t) <= spare, per row."""
    top = np.cumsum(-np.sort(-work, axis=1), axis=1)
    level = (top - np.asarray(spare, np.float64).reshape(-1, 1)) / np.arange(1, work.shape[1] + 1)
    out: F64 = np.maximum(level.max(axis=1), 0.0)
    return out


def refreshed(base: F64, per_refresh: float, interval: float, late: int) -> F64:
    """Least t with t >= base and t >= base + per_refresh x (t / interval - 1 - late)."""
    if not interval or per_refresh <= 0:
        return base
    if per_refresh >= interval:
        return base
    out: F64 = np.maximum(base, (base - per_refresh * (1 + late)) / (1 - per_refresh / interval))
    return out


@dataclass(frozen=True)
class Windows:
    """Sum of the bounds of the best cut into windows, and what binds in them (name -> share of the time)."""

    ck: float
    parts: Mapping[str, float]
    windows: int


NAMES = ("data bus", "bank group columns", "activates", "bank rows")


def window_bound(
    gaps: Gaps, price: ActCost, write: Bools, group: I64, bank: I64, previous: I64, capacity: Capacity
) -> Windows:
    """Least CK from the acceptance of the first request to the last column command, by windows of requests.

    A window is [acceptance of request a, acceptance of request b). Of its requests at most `held` are left when it
    ends, whichever hurt most; rows open when it begins are free. Windows of 64 requests are joined in pairs wherever
    the whole is worth more than its halves.
    """
    size = len(write)
    if not size:
        return Windows(0.0, {}, 0)
    held = capacity.total(write)
    groups, banks = int(group.max()) + 1, gaps.banks
    reads, writes = bool((~write).any()), bool(write.any())
    rcd = min([gaps.rcd_read] * reads + [gaps.rcd_write] * writes)
    close = min([gaps.read_act] * reads + [gaps.write_act] * writes)
    single = max(rcd + close, gaps.column_group)  # an opening with one column
    opening = max(gaps.act_act_bank, single)
    best: F64 | None = None
    parts = np.zeros((0, len(NAMES)))
    count = np.zeros(0, np.int64)
    span = LEAF
    while True:
        cells = -(-size // span)
        begin = np.arange(cells) * span
        end = np.minimum(begin + span, size)
        left = np.where(end < size, held, 0)
        cell = np.arange(size) // span
        new = previous < begin[cell]

        def table(units: int, unit: I64, only: Bools | None = None, cell: I64 = cell, cells: int = cells) -> F64:
            index = cell * units + unit
            return (
                np.bincount(index if only is None else index[only], minlength=cells * units)
                .reshape(cells, units)
                .astype(np.float64)
            )

        switches = switch_count(write, capacity, begin, end)
        extra = np.array([columns_per_switch(gaps, int(each)) for each in switches], np.float64)
        columns = gaps.column * np.maximum(end - begin - left - 1, 0) + np.where(switches > 0, extra, 0.0)
        step = float(gaps.column_group)
        grouped = _fill(np.maximum(step * (table(groups, group) - 1), 0), step * left)
        opened = table(banks, bank, new)
        rows = table(banks, bank)
        acts = np.maximum(opened.sum(axis=1) - left - np.minimum(banks, (opened > 0).sum(axis=1)), 0)
        plain = np.maximum(float(price.act) * (acts - 1) - 3 * max(float(price.act) - gaps.act_act, 0.0), 0.0)
        work = np.maximum(gaps.act_act_bank * opened, single * opened + gaps.column_group * (rows - opened))
        in_banks = _fill(np.maximum(work - 2 * opening, 0), opening * left)
        if gaps.interval and gaps.refresh_all:
            each_costs = (gaps.ref, gaps.ref, gaps.ref_act, gaps.ref)
            plain_bounds = (columns, grouped, plain, in_banks)
            own = np.stack(
                [
                    refreshed(base, float(cost), float(gaps.interval), gaps.late)
                    for base, cost in zip(plain_bounds, each_costs, strict=True)
                ],
                axis=1,
            )
        else:
            with_refresh = plain
            if gaps.interval and price.refsb < gaps.interval:
                paid = float(price.act) * acts - float(price.start)
                with_refresh = np.maximum(plain, refreshed(paid, float(price.refsb), float(gaps.interval), gaps.late))
            every = float(gaps.interval * gaps.banks)
            in_banks = refreshed(in_banks, float(gaps.refsb_bank), every, -(-gaps.late // gaps.banks) + 1)
            own = np.stack([columns, grouped, with_refresh, in_banks], axis=1)
        value, label = own.max(axis=1), own.argmax(axis=1)
        alone = np.zeros((cells, len(NAMES)))
        alone[np.arange(cells), label] = value
        if best is None:
            best, parts, count = value, alone, np.ones(cells, np.int64)
        else:
            odd = (-len(best)) % 2
            halves = np.append(best, np.zeros(odd)).reshape(-1, 2).sum(axis=1)
            both = np.concatenate([parts, np.zeros((odd, len(NAMES)))]).reshape(-1, 2, len(NAMES)).sum(axis=1)
            pieces = np.append(count, np.zeros(odd, np.int64)).reshape(-1, 2).sum(axis=1)
            whole = value >= halves
            best = np.where(whole, value, halves)
            parts = np.where(whole[:, None], alone, both)
            count = np.where(whole, 1, pieces)
        if cells == 1:
            break
        span *= 2
    total = float(best[0])
    shares = (
        {name: float(each) / total for name, each in zip(NAMES, parts[0], strict=True) if each > 0} if total else {}
    )
    return Windows(total, shares, int(count[0]))
