"""A run of the exact model in pieces: wherever it is cut, however late it gets its inputs, the result is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model._jit import jit_enabled
from hbm_model.addrmap import named_map
from hbm_model.commands import CMD_DTYPE, Cmd
from hbm_model.controller import (
    AX_ROW,
    B_ROW,
    COUNTER_NAMES,
    EV_READY,
    EV_REGISTER,
    EV_ROW,
    EV_SEED,
    EV_TEMP,
    R_ROW,
    W_ROW,
    Channel,
    Policy,
    Setup,
    port_ids,
)
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.presets import preset
from hbm_model.requests import make_trace

CYCLES = 6000 if jit_enabled() else 4000
LOADED = 10  # the set of the start is active: what `next_set` gives from here on is meant for the commit
COMMIT_AT = CYCLES // 3
CLEAR_AT = CYCLES // 4  # of the counters
SNAPSHOT_AT = CYCLES // 2
ADDRESS = {register.path: register.address for register in REGISTERS}
NAMES = ("hbm2_2000_eng", "hbm3_6400_eng", "hbm4_8000_eng")


class Inputs:
    """What the outside offers to both ports: bursts of all kinds, beats, back-pressure, a policy write, a commit."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        count = CYCLES // 8
        self.ax: dict[tuple[int, bool], np.ndarray] = {}
        self.w: list[np.ndarray] = []
        for port in range(2):
            for write in (False, True):
                rows = np.zeros(count, AX_ROW)
                rows["cycle"] = np.sort(rng.integers(300, CYCLES, count))
                rows["id"] = rng.integers(0, 8, count)
                rows["size"] = rng.choice([2, 4, 5, 5, 5], count)
                rows["len"] = rng.choice([0, 0, 1, 3, 7], count)
                rows["burst"] = rng.choice([0, 1, 1, 1, 2], count)
                rows["lock"] = rng.random(count) < 0.1
                rows["qos"] = rng.integers(0, 16, count)
                few = rng.random(count) < 0.5  # to a few addresses, so that reads meet queued writes
                addr = np.where(few, rng.integers(0, 1 << 8, count), rng.integers(0, 1 << 18, count))
                rows["addr"] = addr >> rows["size"] << rows["size"]
                self.ax[port, write] = rows
            beats = rows["len"].astype(int) + 1
            w = np.zeros(beats.sum(), W_ROW)
            w["cycle"] = np.maximum.accumulate(
                np.repeat(rows["cycle"].astype(int), beats) + rng.integers(-9, 9, len(w))
            )
            w["strb"] = np.where(rng.random(len(w)) < 0.3, rng.integers(0, 1 << 32, len(w)), (1 << 32) - 1)
            w["last"][np.cumsum(beats) - 1] = 1
            self.w.append(w)
        policy = ADDRESS["policy.page"]
        self.events = np.array(
            [
                (0, EV_TEMP, 0, 3),
                (0, EV_SEED, 0, 0xDEADBEEF12345678),
                (0, EV_READY, 0, 256),
                (500, EV_READY, 0, 100),
                (510, EV_READY, 3, 70),
                (700, EV_REGISTER, policy, 0x10),
                (800, EV_TEMP, 0, 6),
                (900, EV_REGISTER, ADDRESS["policy.drain"], 1 << 16 | 4 << 8 | 24),  # forward
                (950, EV_REGISTER, ADDRESS["policy.qos"], 12 << 8 | 6),
                (CLEAR_AT, EV_REGISTER, ADDRESS["ctrl"], 8),
                (SNAPSHOT_AT, EV_REGISTER, ADDRESS["ctrl"], 4),
                (COMMIT_AT, EV_REGISTER, ADDRESS["ctrl"], 2),
            ],
            EV_ROW,
        )


def run(name: str, inputs: Inputs, cuts: list[int]) -> list[np.ndarray]:
    """All outputs of a run with the given ends of pieces (LOADED is one). Each piece gets what it needs to know."""
    params = preset(name)
    channel = Channel.from_reset(params, init_shift=16)
    later = params.replaced(RP=params.count("RP") + 2)
    parts: list[list[np.ndarray]] = [[] for _ in range(11)]
    begin = 0
    for end in cuts:

        def new(rows: np.ndarray, begin: int = begin, end: int = end) -> np.ndarray:
            return rows[(rows["cycle"] >= begin) & (rows["cycle"] < end)]

        if begin == LOADED:
            channel.next_set(later, named_map("hashed", params.geometry), params.geometry.rows, 1)
        for (port, write), rows in inputs.ax.items():
            channel.offer_ax(port, write, new(rows))
        for port in range(2):
            channel.offer_w(port, new(inputs.w[port]))
        channel.events(new(inputs.events))
        out = channel.step(end)
        pieces = [out.commands, *out.accepted[0], *out.accepted[1], *out.r, *out.b]
        for part, piece in zip(parts, pieces, strict=True):
            part.append(piece)
        begin = end
        if len(cuts) % 2:
            channel = channel.copy()
    snapshot = channel.snapshot()
    assert snapshot is not None
    counts = [np.array([*each.values()]) for each in (channel.counters(), snapshot)]
    return [*(np.concatenate(part) for part in parts), *counts]


@pytest.mark.parametrize("name", NAMES)
def test_any_cut_gives_the_same(name: str) -> None:
    inputs = Inputs(7)
    whole = run(name, inputs, [LOADED, CYCLES])
    assert whole[0].dtype == CMD_DTYPE
    assert whole[7].dtype == R_ROW
    assert whole[9].dtype == B_ROW
    assert (whole[0]["cmd"] == Cmd.MRS).sum() == 2 * {"hbm2": 9, "hbm3": 16, "hbm4": 20}[name[:4]]
    assert min(len(each) for each in whole[:-2]) > (CYCLES / 60 if jit_enabled() else 0)
    now, then = (dict(zip(COUNTER_NAMES, each.tolist(), strict=True)) for each in whole[-2:])
    assert now["cycles"] == CYCLES - CLEAR_AT
    assert then["cycles"] == SNAPSHOT_AT - CLEAR_AT
    assert now["pc0_forward"] + now["pc1_forward"] > 0
    assert all(now[key] >= then[key] for key in now)
    for seed, pieces in enumerate((3, 40, 301)):
        rng = np.random.default_rng(seed)
        cuts = [*sorted({LOADED, CYCLES, *(int(each) for each in rng.integers(1, CYCLES, pieces))})]
        for one, other in zip(whole, run(name, inputs, cuts), strict=True):
            assert (one == other).all()


def test_inputs_change_the_result() -> None:
    """The comparison would see a lost event or beat."""
    inputs = Inputs(7)
    whole = run(NAMES[0], inputs, [LOADED, CYCLES])
    fewer = Inputs(7)
    fewer.events = fewer.events[fewer.events["cycle"] != 510]
    assert not np.array_equal(run(NAMES[0], fewer, [LOADED, CYCLES])[10], whole[10])
    fewer = Inputs(7)
    fewer.w[0] = fewer.w[0][1:]
    assert not np.array_equal(run(NAMES[0], fewer, [LOADED, CYCLES])[9], whole[9])


def test_late_events_are_refused() -> None:
    channel = Channel.from_reset(preset(NAMES[0]))
    channel.step(100)
    with pytest.raises(InputError, match="cycle 99"):
        channel.events(np.array([(99, EV_TEMP, 0, 3)], EV_ROW))


@pytest.mark.parametrize("name", NAMES)
def test_two_ways_of_offering(name: str) -> None:
    """What `offer` makes of a trace, given again as single VALIDs with their cycles, brings the same run."""
    params = preset(name)
    address_map = named_map("peers", params.geometry)
    count = 4000 if jit_enabled() else 200
    rng = np.random.default_rng(3)
    trace = make_trace(rng.random(count) < 0.4, rng.integers(0, 1 << 12, count).astype(np.uint64) << np.uint64(5))
    one = Channel(Setup(params, Policy.of(params)))
    one.offer(trace, address_map, port_ids(trace, address_map))
    commands = one.run()
    foreseen = one.prediction(commands)
    other = Channel(Setup(params, Policy.of(params), address_map=address_map))
    pc, address = address_map.split(trace.address)
    ids = port_ids(trace, address_map)
    for port in range(2):
        for write in (False, True):
            mine = np.flatnonzero((pc == port) & (trace.write == write))
            rows = np.zeros(len(mine), AX_ROW)
            rows["cycle"], rows["addr"], rows["id"] = foreseen.offered[mine], address[mine], ids[mine]
            rows["size"], rows["burst"] = 5, 1
            other.offer_ax(port, write, rows)
        beats = np.zeros(len(mine), W_ROW)
        beats["cycle"], beats["strb"], beats["last"] = rows["cycle"], (1 << 32) - 1, 1
        other.offer_w(port, beats)
    out = other.step(foreseen.cycles)
    assert (out.commands == commands).all()
    for port in range(2):
        for write in (False, True):
            mine = np.flatnonzero((pc == port) & (trace.write == write))
            handshakes = out.accepted[port][2 if write else 0]  # of a write the later one, which is W
            assert (handshakes == foreseen.taken[mine]).all()
            answers = (out.b if write else out.r)[port]["cycle"].astype(np.int64)
            assert (answers == np.sort(foreseen.done[mine])).all()
