"""M4.5 and M4.7 restated on sets of requests: who is starved, who is champion, what that does to picks and direction.

The rules are written here a second time, over names of requests instead of ranks, and held against every cycle of
random traffic in which nearly everything starves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.commands import Cmd
from hbm_model.controller import Channel, Policy, Setup
from hbm_model.presets import preset
from hbm_model.story import queue_text
from test_controller import OPENS, requests, traffic

CYCLES: Final = 1500
PIPE: Final = 3  # cycles from the pick to the pins (M1.6, M8.1)


@dataclass(frozen=True)
class Entry:
    """One entry as S(n) has it; `name` tells it from all others of its queue that are in it at the time."""

    name: int
    bank: int
    hits: bool
    free: bool
    complete: bool
    starved: bool
    aged: bool


@dataclass(frozen=True)
class State:
    """S(n) of one PC. Queues (reads, writes) oldest first."""

    queues: tuple[list[Entry], list[Entry]]
    champion: tuple[int, int] | None  # queue, name
    served: bool
    direction: int
    held: frozenset[int]


def look(channel: Channel, pc: int) -> State:
    x = channel.state[pc]

    def has(place: int, d: int, rank: int) -> bool:
        return bool((int(x[place + d]) >> rank) & 1)

    queues: tuple[list[Entry], list[Entry]] = ([], [])
    champion = None
    for d in range(2):
        for rank in (each for each in range(m.RANKS) if has(m.ALL, d, each)):
            e = d * 64 + rank
            bank = int(x[m.E_BANK + e])
            entry = Entry(
                int(x[m.E_REQ + e]),
                bank,
                x[m.B_ROW + bank] == x[m.E_ROW + e],
                x[m.E_WAITS + e] == 0,
                has(m.WHOLE, d, rank),
                has(m.STARVED, d, rank),
                has(m.AGED, d, rank),
            )
            queues[d].append(entry)
            if has(m.CHAMP, d, rank):
                assert champion is None
                champion = (d, entry.name)
    banks = int(channel.k[m.K_BANKS])
    per_sid = int(channel.k[m.K_PER_SID])
    single = {int(x[m.SET]) * per_sid + i for i in range(per_sid) if (int(x[m.HELD]) >> i) & 1}
    held = frozenset(range(banks)) if x[m.ALL_HELD] else frozenset(single)
    return State(queues, champion, bool(x[m.SERVED]), int(x[m.DIRECTION]), held)


def watch(channel: Channel, limit: int) -> dict[str, int]:
    """Hold CYCLES cycles of PC0 to the rules; how often each case was seen."""
    shape = channel.setup.params.geometry
    picks: dict[int, tuple[int, int]] = {}  # of PC0: cycle -> direction, bank
    states: list[State] = []
    for n in range(CYCLES):
        states.append(look(channel, 0))
        for each in channel.run(n + 1, to_the_end=False):
            if each["pc"] == 0 and Cmd.RD <= each["cmd"] <= Cmd.WRA:
                bank = (int(each["sid"]) * shape.bgs + int(each["bg"])) * shape.banks + int(each["bank"])
                picks[int(each["time"]) // 4 - PIPE] = (int(each["cmd"] >= Cmd.WR), bank)
    last = 1  # queue of the last champion
    seen = {"champion": 0, "write": 0, "served": 0, "claimed": 0, "turned": 0, "lost": 0, "merge": 0}
    for n, (now, then) in enumerate(zip(states, states[1:], strict=False)):
        pick = picks.get(n)
        left = {(d, e.name) for d in range(2) for e in then.queues[d]}
        gone = [(d, e.name) for d in range(2) for e in now.queues[d] if (d, e.name) not in left]
        assert len(gone) == (pick is not None)
        # M4.5: at the beat of n what is in the queue becomes aged, and what was aged starved.
        beat = n % limit == limit - 1
        for d in range(2):
            later = {e.name: e for e in then.queues[d]}
            for e in now.queues[d]:
                if e.name in later:
                    assert later[e.name].aged == (e.aged or beat), n
                    assert later[e.name].starved == (e.starved or (beat and e.aged)), n
        # M4.7: who is the next one.
        mine = None
        if now.champion is not None:
            mine = next(e for e in now.queues[now.champion[0]] if e.name == now.champion[1])
            assert mine.free
            assert mine.starved
            assert mine.complete
        if now.champion is not None and now.champion not in gone:
            assert then.champion == now.champion, n
        else:
            open_to = [
                [e for e in queue if e.free and e.starved and e.complete and (d, e.name) != now.champion]
                for d, queue in enumerate(now.queues)
            ]
            order = (1 - last, last)
            found = next(((d, open_to[d][0].name) for d in order if open_to[d]), None)
            assert then.champion == (None if found in gone else found), n
            seen["lost"] += found in gone
            if found is not None:
                last = found[0]
                seen["champion"] += 1
                seen["write"] += last
                seen["merge"] += found[0] == 0 and found[1] < 0
        # What it does.
        ready = mine is not None and mine.hits and mine.bank not in now.held
        assert then.served == (ready and now.champion not in gone), n
        if mine is not None and not mine.hits:
            seen["claimed"] += 1
            assert pick is None or pick[1] != mine.bank, n
        if now.served:
            seen["served"] += 1
            assert pick is None or gone == [now.champion], n
        if ready:
            assert now.champion is not None
            seen["turned"] += then.direction != now.direction
            assert then.direction == now.champion[0], n
    return seen


@pytest.mark.parametrize(("name", "limit"), [("hbm2_2000_eng", 20), ("hbm4_8000_eng", 70)])
def test_every_cycle(name: str, limit: int) -> None:
    params = preset(name)
    trace, ids, partial = traffic(params, 900, 5, rows=2)
    channel = Channel(Setup(params, Policy.of(params, starve_limit=limit, switch_idle=60, refresh_hold=2)))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids, partial)
    seen = watch(channel, limit)
    assert seen.pop("lost") == 0  # that takes traffic that is served at once: below
    if params.geometry.has_data_mask:
        del seen["merge"]
    assert min(seen.values()) > 2, seen


def test_chosen_and_picked_at_once() -> None:
    """A stream that waits for a refreshed bank starves; who is chosen is picked in that very cycle."""
    params = preset("hbm2_2000_eng")
    trace = requests(params, [("R", 0, i % 4, i // 4 % 2, 7) for i in range(1400)])
    channel = Channel(Setup(params, Policy.of(params, starve_limit=9), opens=OPENS))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), np.arange(len(trace)) % 16)
    assert watch(channel, 9)["lost"] > 2


def test_a_conflict_among_hits() -> None:
    """A row that is hit without end, one request for another row of its bank: starved after two beats of 40 cycles,
    champion, and the bank is claimed; without beats the row stays open to the last hit.
    """
    params = preset("hbm2_2000_eng")
    lines = [("R", 0, 1, 2, 7)] * 4 + [("R", 0, 1, 2, 8)] + [("R", 0, 1, 2, 7)] * 300
    trace = requests(params, lines)
    waits = {}
    for limit in (0, 40):
        channel = Channel(Setup(params, Policy.of(params, refresh_en=0, starve_limit=limit), opens=OPENS))
        channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), np.arange(len(trace)) % 16)
        commands = channel.run()
        second = commands[(commands["cmd"] == Cmd.ACT) & (commands["row"] == 8)]
        waits[limit] = int(second["time"][0]) // 4
    # Enqueued in 17, aged at 39, starved at 79, champion in S(80), PRE picked in 80 and on the pins in 84, RP 7.
    assert waits[40] <= 84 + 9
    assert waits[0] > 300


def test_the_story_tells_of_it() -> None:
    params = preset("hbm2_2000_eng")
    trace, ids, _ = traffic(params, 300, 5, rows=2)
    channel = Channel(Setup(params, Policy.of(params, starve_limit=20, switch_idle=60)))
    channel.offer(trace, named_map(DEFAULT_MAP, params.geometry), ids)
    told = set()
    for n in range(50, 500):
        channel.run(n, to_the_end=False)
        text = "\n".join(queue_text(channel, 0))
        told |= {
            words for words in ("champion, served", "champion (M4.7)", "claimed", "starved (M4.5)") if words in text
        }
    assert len(told) == 4
