"""The exact controller model: cases computed by hand from docs/microarchitecture.md, and properties of random traffic.

Numbers of the hand cases: HBM2 2.0 as in test_legality.py (RCDRD 14, RAS 33, RP 14, RC 47, RTP 5, CCDL 4, RRDS 4),
RL 20.
A command decided in cycle n leaves in CK 2 (n + 3); an AR taken in cycle n is in the read queue from n + 3 on.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hbm_model._jit import jit_enabled
from hbm_model.addrmap import DEFAULT_MAP, Location, named_map
from hbm_model.commands import Cmd, CmdArray, describe
from hbm_model.controller import AX_ROW, Channel, Policy, Prediction, Setup, simulate
from hbm_model.errors import InputError
from hbm_model.legality import check_trace
from hbm_model.params import Params
from hbm_model.presets import PRESET_NAMES, preset
from hbm_model.requests import RequestTrace, make_trace
from hbm_model.story import first_difference, story

HBM2 = preset("hbm2_2000_eng")
OPENS = 10  # cycle of the first offer
# The hand cases hold for these policies.
HAND = {
    "page": 1, "page_timeout": 0, "refresh_hold": 6, "switch_low": 3, "switch_gain": 2, "switch_idle": 16,
    "write_high": 24, "write_low": 4, "forward": 0,
}  # fmt: skip


def requests(params: Params, lines: list[tuple[str, int, int, int, int]]) -> RequestTrace:
    """(R or W, pc, bank group, bank, row): column 0."""
    address_map = named_map(DEFAULT_MAP, params.geometry)
    fields = np.array([line[1:] for line in lines], np.int64)
    zero = np.zeros(len(lines), np.int64)
    at = Location(fields[:, 0], zero, fields[:, 1], fields[:, 2], fields[:, 3], zero)
    return make_trace(np.array([line[0] == "W" for line in lines]), address_map.encode(at))


def run(lines: list[tuple[str, int, int, int, int]], params: Params = HBM2, **policy: int) -> Prediction:
    setup = Setup(params, Policy.of(params, **{**HAND, "refresh_en": 0, **policy}), opens=OPENS)
    return simulate(setup, requests(params, lines))


def words(commands: CmdArray) -> list[str]:
    """`RD pc0 bg1 bank2 50`: what a command is, where, and its CK."""
    return [f"{Cmd(int(c['cmd'])).name} {c['pc']}{c['bg']}{c['bank']} {int(c['time']) / 2:g}" for c in commands]


def test_closed_bank() -> None:
    """AR 10, in the queue 13, ACT picked 13, granted 14 (CK 34); RD at 2m >= 29 + 14, m = 22; data 22 + 4 + RL / 2."""
    seen = run([("R", 0, 1, 2, 7)])
    assert words(seen.commands) == ["ACT 012 34", "RDA 012 50"]
    assert (seen.taken[0], seen.done[0]) == (10, 37)


def test_second_port_uses_the_other_slot() -> None:
    """PC1: columns in p1, 2m + 1 >= 29 + 14, m = 21; the data's odd phase completes it one cycle later."""
    seen = run([("R", 1, 1, 2, 7)])
    assert words(seen.commands) == ["ACT 112 34", "RDA 112 49"]
    assert seen.done[0] == 21 + 4 + (1 + 20) // 2 + 1 + 1


def test_hit() -> None:
    """The second read of a row follows CCDL later and closes it."""
    seen = run([("R", 0, 1, 2, 7), ("R", 0, 1, 2, 7)])
    assert words(seen.commands) == ["ACT 012 34", "RD 012 50", "RDA 012 54"]
    assert seen.done.tolist() == [37, 39]


def test_conflict() -> None:
    """Open policy: PRE at 2n >= 29 + 33 (n = 31, CK 68), ACT at 2m + 1 >= 62 + 14 (m = 38), RD at 2m >= 77 + 14."""
    seen = run([("R", 0, 1, 2, 7), ("R", 0, 1, 2, 8)], page=0)
    assert words(seen.commands) == ["ACT 012 34", "RD 012 50", "PRE 012 68", "ACT 012 82", "RD 012 98"]
    assert seen.done[1] == 46 + 14 + 1


def test_conflict_with_auto_precharge() -> None:
    """ACT to ACT max(RC, RAS + RP) = 47: 2m + 1 >= 29 + 47, m = 38."""
    seen = run([("R", 0, 1, 2, 7), ("R", 0, 1, 2, 8)])
    assert words(seen.commands) == ["ACT 012 34", "RDA 012 50", "ACT 012 82", "RDA 012 98"]


def test_oldest_first_and_row_slots() -> None:
    """Two closed banks of different groups: the older first, RRDS 4 apart; their reads 4 CK apart as well."""
    seen = run([("R", 0, 1, 0, 7), ("R", 0, 0, 0, 7)])
    assert words(seen.commands) == ["ACT 010 34", "ACT 000 38", "RDA 010 50", "RDA 000 54"]


def test_first_pc_of_the_row_bus() -> None:
    """Both PCs want an ACT: PC0 is first after reset, PC1 gets the next cycle (M5.3)."""
    seen = run([("R", 1, 0, 0, 1), ("R", 0, 0, 0, 1)])
    assert words(seen.commands) == ["ACT 000 34", "ACT 100 36", "RDA 000 50", "RDA 100 51"]


def test_direction() -> None:
    """A lone write is served as soon as reads leave nothing to do (M4.4 e); WL 8, RCDWR 10."""
    seen = run([("W", 0, 1, 2, 7)])
    assert words(seen.commands) == ["ACT 012 34", "WRA 012 46"]
    assert seen.done[0] == OPENS + 2


def test_read_waits_for_the_write_before_it() -> None:
    """M3.2: a read of 32 bytes that a queued write will change follows the write, at the first even CK from
    B + WTRL = 10 + 9 on; RDA, legal from B + WR - RTP = 21 on, would come later (M4.3).
    """
    seen = run([("W", 0, 1, 2, 7), ("R", 0, 1, 2, 7)])
    kinds = [Cmd(int(c)).name for c in seen.commands["cmd"]]
    assert kinds == ["ACT", "WR", "RD"]
    write, read = (int(t) // 2 for t in seen.commands["time"][1:])
    assert read - write == 20


def test_refresh_at_rest() -> None:
    """M6.1, M6.4: due in CK 2 (e + 1) + 243 = 253 (cycle 126), picked in 127, granted in 128, PC0 before PC1."""
    setup = Setup(HBM2, Policy.of(HBM2, **HAND), first=4, opens=1000)
    seen = simulate(setup, requests(HBM2, [("R", 0, 0, 0, 0)]))
    first = [describe(c) for c in seen.commands[:2]]
    assert first == ["REFSB pc0 sid0 bg0 bank0 at CK 262", "REFSB pc1 sid0 bg0 bank0 at CK 263"]


def traffic(params: Params, count: int, seed: int, rows: int = 3) -> tuple[RequestTrace, np.ndarray, np.ndarray]:
    """Random requests on few rows of all banks, so that hits, conflicts and hazards are frequent; ids; partial."""
    rng = np.random.default_rng(seed)
    shape = params.geometry
    at = Location(
        rng.integers(0, 2, count),
        rng.integers(0, shape.sids, count),
        rng.integers(0, shape.bgs, count),
        rng.integers(0, shape.banks, count),
        rng.integers(0, rows, count),
        rng.integers(0, 4, count),
    )
    trace = make_trace(rng.random(count) < 0.4, named_map(DEFAULT_MAP, shape).encode(at))
    return trace, rng.integers(0, 16, count), (rng.random(count) < 0.5).astype(np.int64)


POLICIES = [
    {},
    {"page": 0},
    {"page": 2, "starve_limit": 60},
    {"page": 3},
    {"refresh_all": 1},
    {"refresh_hold": 1, "starve_limit": 100},
    {"ap_allowed": 0, "write_high": 8},
    {"page": 1, "page_timeout": 0, "write_high": 24},
]


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_legal_and_complete(name: str) -> None:
    """The checker accepts every predicted trace; every request is served exactly once and answered, none forwarded."""
    params = preset(name)
    for seed, policy in enumerate(POLICIES):
        trace, ids, partial = traffic(params, 3000, seed)
        setup = Setup(params, Policy.of(params, **{"forward": 0, **policy}), opens=20)
        seen = simulate(setup, trace, ids=ids, partial=partial)
        assert len(check_trace(seen.commands, params)) == 0, (name, policy)
        assert (seen.done > seen.taken).all()
        served = Counter(
            (int(c["cmd"]) >= Cmd.WR, *(int(c[key]) for key in ("pc", "sid", "bg", "bank", "row", "col")))
            for c in seen.commands
            if Cmd.RD <= c["cmd"] <= Cmd.WRA
        )
        at = named_map(DEFAULT_MAP, params.geometry).decode(trace.address)
        merges = not params.geometry.has_data_mask
        wanted: Counter[tuple[int, ...]] = Counter()
        for i, write in enumerate(trace.write.tolist()):
            place = tuple(int(each[i]) for each in (at.pc, at.sid, at.bg, at.bank, at.row, at.col))
            wanted[(write, *place)] += 1
            if write and merges and partial[i]:
                wanted[(False, *place)] += 1
        assert served == wanted, (name, policy)


def test_answers_in_order_of_each_id() -> None:
    """M2.5: reads of one id are answered in their order, one response a cycle and port."""
    params = preset("hbm3_6400_eng")
    trace, ids, _ = traffic(params, 3000, 5)
    seen = simulate(Setup(params, Policy.of(params)), trace, ids=ids)
    for pc in range(2):
        mine = (seen.pc == pc) & ~trace.write
        assert len(np.unique(seen.done[mine])) == mine.sum()
        for ident in range(16):
            assert (np.diff(seen.done[mine & (ids == ident)]) > 0).all()


_DIGEST = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_controller import digest
print(digest())
"""


def digest() -> str:
    """One hash of predictions on small random cases."""
    out = hashlib.sha256()
    for name, policy in (
        ("hbm2_2000_eng", {"starve_limit": 50}),
        ("hbm3_6400_eng", {"page": 2}),
        ("hbm4_8000_eng", {"refresh_all": 1}),
    ):
        params = preset(name)
        trace, ids, partial = traffic(params, 250, 9)
        seen = simulate(Setup(params, Policy.of(params, **policy)), trace, ids=ids, partial=partial)
        for each in (seen.commands, seen.offered, seen.taken, seen.done):
            out.update(np.ascontiguousarray(each).tobytes())
    return out.hexdigest()


def test_the_same_without_numba() -> None:
    """Compiled and plain Python give the same prediction."""
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", _DIGEST, here]
    plain = subprocess.run(
        command, env={**os.environ, "HBM_MODEL_JIT": "0"}, capture_output=True, text=True, check=True
    )
    assert plain.stdout.strip() == digest()


# ------------------------------------------------------------------ comparison and command line


def test_the_first_difference_is_told() -> None:
    """A channel with another RRDL differs first in an ACT; the story names CK, paragraph, both sides and the queue."""
    trace, ids, _ = traffic(HBM2, 400, 3)
    address_map = named_map(DEFAULT_MAP, HBM2.geometry)
    wrong = HBM2.replaced(RRDL=8)

    def begin() -> Channel:
        channel = Channel(Setup(HBM2, Policy.of(HBM2, **HAND)))
        channel.offer(trace, address_map, ids)
        return channel

    def belief(cycle: int) -> Channel:
        channel = begin()
        channel.run(cycle, to_the_end=False)
        return channel

    seen = simulate(Setup(wrong, Policy.of(wrong, **HAND)), trace, ids=ids).commands
    foreseen = begin().run()
    assert first_difference(foreseen, begin().run()) is None
    found = first_difference(seen, foreseen)
    assert found is not None
    assert found.foreseen is not None
    assert found.foreseen["cmd"] == Cmd.ACT
    text = story(seen, foreseen, found, belief(found.cycle))
    assert "M5.5" in text
    assert describe(found.foreseen) in text
    assert "closed" in text
    lost = first_difference(foreseen[:-1], foreseen)
    assert lost is not None
    assert lost.seen is None


def test_deep_queues_of_studies() -> None:
    """64 entries use all bits of a set: legal, complete, reads gain; what such a channel cannot hold is refused."""
    params = preset("peers_hbm2")
    count = 6000 if jit_enabled() else 400
    rng = np.random.default_rng(8)
    address = rng.integers(0, 1 << 24, count).astype(np.uint64) << np.uint64(5)
    most = 64 if jit_enabled() else 62
    for share in (0.3, 0.0):
        trace = make_trace(rng.random(count) < share, address)
        cycles = []
        for entries in (32, most):
            policy = Policy.of(params, **HAND)
            setup = Setup(params, policy, read_entries=entries, write_entries=entries)
            seen = simulate(setup, trace, ids=np.arange(count) % 16)
            assert not len(check_trace(seen.commands, params))
            assert seen.done.min() > 0
            cycles.append(seen.cycles)
    assert cycles[1] < cycles[0]  # of reads alone
    setup = Setup(params, Policy.of(params, qos_high=0), read_entries=most)
    with pytest.raises(InputError, match="none for merges and the express lane"):
        simulate(setup, trace)
    with pytest.raises(InputError, match="request traces only"):
        Channel(setup).offer_ax(0, False, np.zeros(1, AX_ROW))
    with pytest.raises(InputError, match="at most"):
        Channel(Setup(params, Policy.of(params), write_entries=most + 1))
