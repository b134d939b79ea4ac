"""The longest time that a request can wait, from the contract alone (docs/waits.md has the argument).

Nothing here runs the model: the numbers come from parameters and policies, and every run is held against them.
Times are CK unless a name says cycles (2 CK each).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hbm_model.controller import Policy
from hbm_model.params import Params

READ_ENTRIES = 38  # M3.1: host, merges, express
WRITE_ENTRIES = 32
AHEAD = 6  # bursts of one request each that can stand before one in its lane: 4 held, its register, AR itself (M2.1)
PER_NORMAL = 9  # one of so many requests is of the normal lane, whatever the express lane does (M2.10)
SLOTS = 64  # reorder slots of a port (M2.5)
# Cycles that M4.7 and M5 add to the distances: choice 1, PRE 4 and ACT 4 (pick, offer, turn of the other PC), column 3.
STEPS = 12


@dataclass(frozen=True)
class WaitBound:
    """What bounds a wait. Cycles are controller cycles.

    interval: until the request and all older ones are starved; services: champions until it is one itself and
    picked; service: CK of one of them without refresh; refreshes: refresh commands in all that time; queue: from
    enqueue to pick; valid: from ARVALID to RVALID of a one-beat read whose host takes R and B and delivers W.
    """

    interval: int
    services: int
    service: int
    refreshes: int
    queue: int
    valid: int
    merges: bool  # some write may need a read first (M3.3)

    def as_dict(self) -> dict[str, int | bool]:
        """Plain values, for JSON and tables."""
        return {
            "interval_cycles": self.interval,
            "services": self.services,
            "service_ck": self.service,
            "refreshes": self.refreshes,
            "queue_cycles": self.queue,
            "valid_cycles": self.valid,
            "merges": self.merges,
        }


def service_ck(params: Params) -> int:
    """CK from the choice of a champion to its column command when no refresh comes between (docs/waits.md, 2)."""
    t = params.count
    end = t("WL") + 2
    closing = max(t("RAS"), t("RTP"), end + t("WR"))  # an open bank that takes no more commands can be precharged
    row = max(t("RC"), closing + t("RP"))
    activate = t("FAW") + t("RRDL") + t("PPD")
    column = max(t("RTW"), t("RL") + 2 - t("WL"), end + t("WTRL"), t("CCDL"), t("CCDR"))
    return row + activate + max(t("RCDRD"), t("RCDWR")) + column + 2 * STEPS


def longest_wait(
    params: Params,
    policy: Policy,
    merges: bool | None = None,
    read_entries: int = READ_ENTRIES,
    write_entries: int = WRITE_ENTRIES,
    hot: int = 1,
) -> WaitBound | None:
    """The bound for a set of registers; None if there is none: ageing off, or refresh leaves no time for traffic.

    merges: whether partial writes occur that need a read (default: whether the generation has no mask pins);
    hot: refreshes fall due this many times as often as REFI and REFISB say (TEMP, M6.1: 1, 2 or 4).
    """
    if policy.starve_limit == 0:
        return None
    t = params.count
    shape = params.geometry
    if merges is None:
        merges = not shape.has_data_mask
    interval = 2 * policy.starve_limit + 1
    services = 2 * (read_entries + write_entries) + 1
    alone = 0  # cycles in which no champion is served
    if merges:
        services += write_entries * (4 * read_entries + 3)
        alone = write_entries * (2 * policy.starve_limit + (t("RL") + 3) // 2 + 16)
    service = service_ck(params)
    reopened = service  # what a refresh of the champion's bank undoes
    if not policy.refresh_en:
        rate, each, fixed = 0.0, 0, 0
    elif policy.refresh_all:
        each = service + t("RFC") + reopened
        rate = hot / t("REFI")
        fixed = 9
    else:
        per_set = shape.bgs * shape.banks
        # Each REFSB holds up an ACT; of n of them at most one takes the champion's own bank away.
        each = max(t("RREFD"), t("FAW")) + t("PPD") + 8 + math.ceil((reopened + t("RFCSB")) / per_set)
        rate = hot / t("REFISB")
        fixed = max(policy.refresh_hold, 1) + 4 + per_set
        service += 2 * (reopened + t("RFCSB"))  # end of one set and start of the next
    if rate * each >= 1:
        return None  # M6.5: such refresh leaves hardly any time for traffic
    total = (2 * (interval + alone) + services * service + fixed * each) / (1 - rate * each)
    queue = math.ceil(total / 2)
    turnovers = math.ceil(AHEAD * PER_NORMAL / 32)
    return WaitBound(
        interval=interval,
        services=services,
        service=service,
        refreshes=math.ceil(fixed + total * rate),
        queue=queue,
        valid=(turnovers + 2) * queue + SLOTS + 2 * STEPS + t("RL"),
        merges=merges,
    )
