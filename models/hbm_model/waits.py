"""The longest time that a request can wait, from the contract alone (docs/waits.md has the argument).

Nothing here runs the model: the numbers come from parameters and policies, and every run is held against them.
Times are CK unless a name says cycles (2 CK each).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hbm_model._places import EXPRESS_ENTRIES, HOST_ENTRIES, RESERVED_ENTRIES
from hbm_model._port_places import AR_DEPTH, AW_DEPTH, B_DEPTH, PASSES, SLOTS
from hbm_model.controller import Policy
from hbm_model.params import Params

RD_DELAY: Final = 7  # cycles, the most that the register takes
READS_OUT: Final = 64  # M3.5: picked and not yet answered
WRITES_OUT: Final = 16  # M3.5: picked and not yet sent
FORWARD_GAP: Final = 3  # M3.6: cycles in a row in which forwarded reads can keep a ready read from its column
NORMAL_BEHIND: Final = 2 * PASSES + 1  # requests that leave for each of the normal lane: two stages (M2.10), itself
EXPRESS_BEHIND: Final = 3  # for each of the express lane: a normal one at each of the two stages, itself
W_BEAT: Final = 4  # cycles from the handshake of a W beat to the next one when one credit goes round (M2.2)
PIPE: Final = 8  # cycles of the registers between port and queue and back (M2.1, M2.2, M2.5)
ALL_BANK_DEBT: Final = 10  # M6.5: at most 9 all-bank refreshes are owed, and one falls due at the start


@dataclass(frozen=True)
class WaitBound:
    """What bounds a wait. Cycles are controller cycles.

    interval: until the request and all older ones are starved; services: champions until it is one itself and
    picked; service: CK of one of them without refresh; refreshes: refresh commands in all that time; queue: from
    enqueue to pick; slot: from the slot of a read to its last R beat; read: from ARVALID to the last R beat of a
    request; write: from AWVALID (and its W beats, offered no later) to BVALID.
    """

    interval: int
    services: int
    service: int
    refreshes: int
    queue: int
    slot: int
    read: int
    write: int
    merges: bool  # some write may need a read first (M3.3)

    def as_dict(self) -> dict[str, int | bool]:
        """Plain values, for JSON and tables."""
        return {
            "interval_cycles": self.interval,
            "services": self.services,
            "service_ck": self.service,
            "refreshes": self.refreshes,
            "queue_cycles": self.queue,
            "slot_cycles": self.slot,
            "read_cycles": self.read,
            "write_cycles": self.write,
            "merges": self.merges,
        }


def _turn(params: Params) -> int | None:
    """Cycles that an offered PRE can wait for its grant (M5.3); None: for ever, if own ACTs fill every cycle."""
    if params.generation.number == 2:
        return 1
    t = params.count
    if t("RRDS") > 2:
        return 2
    return 5 if t("FAW") > 8 else None


def _rows(params: Params, turn: int) -> int:
    """CK from the pick before to where the champion's bank can take its ACT: another row is closed (2.1, 2.2)."""
    t = params.count
    end = t("WL") + 2
    closable = max(5 + t("RAS"), 3 + t("RTP"), 3 + end + t("WR"))
    closed = closable - 1 + 4 * turn + max(2, t("PPD") + 1)
    return max(closed + t("RP"), 5 + max(t("RC"), t("RAS") + t("RP")))


def _activate(params: Params, after: str = "RRDS") -> int:
    """CK from there to its ACT (2.3); `after`: what it keeps from the command before."""
    t = params.count
    return 5 + t("RRDL") + max(t("FAW") - 3 * t("RRDS"), t("RRDS"), t(after))


def read_back(params: Params) -> int:
    """Cycles from a column read to its data at the port, at most (M8.3)."""
    return 6 + (params.count("RL") + 1) // 2 + RD_DELAY


def _column(params: Params, forward: bool) -> int:
    """CK from its ACT to its column command (2.4)."""
    t = params.count
    end = t("WL") + 2
    distance = max(
        t("RTW"), t("RL") + 2 - t("WL"), end + t("WTRL"), end + t("WTRS"), t("CCDL"), t("CCDS"), t("CCDR"),
        2 * (read_back(params) + 2 - READS_OUT), t("WL") + 8 - 2 * WRITES_OUT,
    )  # fmt: skip
    return max(t("RCDRD"), t("RCDWR"), distance + 1) + 1 + (2 * FORWARD_GAP if forward else 0)


def service_ck(params: Params, forward: bool = True) -> int | None:
    """CK from one champion's column command to the next one's when no refresh comes between (docs/waits.md, 2)."""
    turn = _turn(params)
    if turn is None:
        return None
    return _rows(params, turn) + _activate(params) + _column(params, forward)


@dataclass(frozen=True)
class _Load:
    """Refresh (docs/waits.md, 3): fixed + rate x T commands in a time T; CK for each, for each service, and once."""

    rate: float
    fixed: int
    each: float
    service: int
    once: int


def _refresh(params: Params, policy: Policy, service: int, turn: int, hot: int) -> _Load | None:
    t = params.count
    shape = params.geometry
    if not policy.refresh_en:
        return _Load(0.0, 0, 0.0, 0, 0)
    reopened = service + _activate(params, "RREFD")
    if policy.refresh_all:
        again = reopened + t("RFC")
        return _Load(hot / t("REFI"), ALL_BANK_DEBT, again, 0, 0) if again * hot < t("REFI") else None
    per_set = shape.bgs * shape.banks
    interval = max(t("REFISB") // hot, 2)
    # A REFSB of another bank: it and the PRE before it take the places of a PRE and of an ACT once each.
    other = max(t("RREFD"), t("FAW")) + t("PPD") + 4 * turn + 16
    first = _rows(params, turn) + _activate(params, "RREFD") + t("RFCSB")
    if first + per_set * other >= per_set * interval:
        return None  # M6.5: such refresh may not even keep up
    debt = max(policy.refresh_hold, 1) + 5 + math.ceil((2 * first + other) / interval)
    # The champion's own bank: once per service, and once more for each end of a round of all banks; where a set ends,
    # the first REFSB of the next one waits.
    own = reopened + t("RFCSB")
    each = other + own / shape.num_banks + t("RFCSB") / per_set
    return _Load(1 / interval, debt + 1, each, own, own + t("RFCSB"))


def longest_wait(
    params: Params,
    policy: Policy,
    merges: bool | None = None,
    read_entries: int = HOST_ENTRIES,
    write_entries: int = HOST_ENTRIES,
    hot: int = 1,
    requests: int = 1,
    beats: int = 1,
) -> WaitBound | None:
    """The bound for a set of registers; None if there is none: ageing off, or refresh leaves no time for traffic.

    merges: whether partial writes occur that need a read (default: whether the generation has no mask pins);
    entries: those of the host; hot: refreshes fall due this many times as often as REFI and REFISB say (TEMP, M6.1:
    1, 2 or 4); requests: of a burst at most, 1 to 128; beats: of a request at most (1; 32 for narrow bursts, 256 for
    erroneous ones).
    """
    turn = _turn(params)
    if policy.starve_limit == 0 or turn is None:
        return None
    if merges is None:
        merges = not params.geometry.has_data_mask
    service = service_ck(params, bool(policy.forward))
    assert service is not None
    refresh = _refresh(params, policy, service, turn, hot)
    if refresh is None or refresh.rate * refresh.each >= 1:
        return None  # M6.5: such refresh leaves hardly any time for traffic
    express = policy.qos_high <= 15
    reads = read_entries + (EXPRESS_ENTRIES if express else 0) + (RESERVED_ENTRIES if merges else 0)
    back = read_back(params)
    interval = 2 * policy.starve_limit + 1
    services = 2 * (reads + write_entries) + 1
    alone = 0  # cycles in which perhaps no champion is served
    if merges:
        services += write_entries * (4 * reads + 5)
        alone = write_entries * (interval + back)
    busy = 2 * (interval + alone) + services * (service + refresh.service) + refresh.fixed * refresh.each + refresh.once
    total = busy / (1 - refresh.rate * refresh.each)
    queue = math.ceil(total / 2)

    passing = back + 4 + 3 * beats  # cycles that a request can hold up the next one besides the queue (M2.6, M3.6)
    chain = 3 * SLOTS * (SLOTS + 1) // 2 * beats  # R beats of other ids between those of its own (M2.5)
    slot = (queue + (PASSES + 1) * passing) + queue + back + chain
    before = (AR_DEPTH + 1) * requests + 1
    if express:
        before = NORMAL_BEHIND * before + EXPRESS_BEHIND * requests
    leaving = math.ceil(before / SLOTS) * slot + math.ceil(before / read_entries) * (queue + read_entries * passing)
    writes = (AW_DEPTH + 2) * requests + 1
    credit = math.ceil(writes / write_entries) * (queue + W_BEAT)
    return WaitBound(
        interval=interval,
        services=services,
        service=service,
        refreshes=math.ceil(refresh.fixed + total * refresh.rate),
        queue=queue,
        slot=slot,
        read=leaving + slot + PIPE,
        write=credit + W_BEAT * writes * beats + B_DEPTH + PIPE,
        merges=merges,
    )
