"""The counters of the exact model (M9) against counts made in other ways: from handshakes, responses and commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hbm_model import counters
from hbm_model._jit import jit_enabled
from hbm_model.addrmap import named_map
from hbm_model.commands import Cmd
from hbm_model.controller import (
    AX_ROW,
    COUNTER_NAMES,
    EV_REGISTER,
    EV_ROW,
    W_ROW,
    Channel,
    Foreseen,
    Policy,
    Setup,
    port_ids,
)
from hbm_model.csr_table import REGISTERS
from hbm_model.presets import preset
from hbm_model.requests import make_trace

ADDRESS = {register.path: register.address for register in REGISTERS}
SNAPSHOT, CLEAR = 4, 8  # bits of ctrl
NAMES = ("hbm2_2000_eng", "hbm3_6400_eng", "hbm4_8000_eng")
LATENCIES = [f"lat_{name}" for name in counters.LATENCIES]


def loaded(name: str, count: int, seed: int = 5, **policy: int) -> tuple[Channel, Foreseen]:
    """Random bursts of all kinds on both ports, many to few addresses, run until all is answered."""
    params = preset(name)
    rng = np.random.default_rng(seed)
    channel = Channel(Setup(params, Policy.of(params, **policy), address_map=named_map("hashed", params.geometry)))
    for port in range(2):
        for write in (False, True):
            rows = np.zeros(count, AX_ROW)
            rows["cycle"] = np.sort(rng.integers(0, 3 * count, count))
            rows["id"] = rng.integers(0, 6, count)
            rows["size"] = rng.choice([2, 5, 5, 5, 5, 6], count)
            rows["len"] = rng.choice([0, 0, 0, 1, 3], count)
            rows["burst"] = rng.choice([0, 1, 1, 1, 1, 2, 3], count)
            rows["lock"] = rng.random(count) < 0.1
            rows["qos"] = rng.integers(0, 16, count)
            rows["addr"] = rng.choice([0, 0, 0, 1 << 30, 1 << 40], count) + rng.integers(0, 1 << 6, count) * 16
            channel.offer_ax(port, write, rows)
        beats = rows["len"].astype(int) + 1
        w = np.zeros(beats.sum(), W_ROW)
        w["cycle"] = np.repeat(rows["cycle"], beats)
        w["strb"] = np.where(rng.random(len(w)) < 0.3, rng.integers(0, 1 << 32, len(w)), (1 << 32) - 1)
        w["last"][np.cumsum(beats) - 1] = 1
        channel.offer_w(port, w)
    return channel, channel.step(60 * count)


CASES = {
    "reset": {},
    "plain": {"page": 1, "page_timeout": 0, "forward": 0, "qos_mid": 16, "qos_high": 16},
    "express": {"qos_mid": 5, "qos_high": 11},
    "open": {"page": 0, "refresh_all": 1, "qos_high": 0, "forward": 0},
}
COUNT = 400 if jit_enabled() else 60


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_against_what_is_seen_outside(name: str, case: str) -> None:
    """Every event that leaves a trace outside, counted there."""
    channel, seen = loaded(name, COUNT, **CASES[case])
    counts = channel.counters()
    shape = channel.setup.params.geometry
    assert tuple(counts) == COUNTER_NAMES
    forwards = counts["pc0_forward"] + counts["pc1_forward"]
    assert forwards == 0 if "forward" in CASES[case] else forwards > (0 if jit_enabled() else -1)
    for n in range(2):
        own = {key.split("_", 1)[1]: value for key, value in counts.items() if key.startswith((f"pc{n}_", f"port{n}_"))}
        commands = seen.commands[seen.commands["pc"] == n]["cmd"]

        causes = [own[name] for name in counters.CAUSES]
        assert sum(causes) == counts["cycles"] == 60 * COUNT
        assert own["busy"] == own["rd"] + own["wr"] == own["row_hit"] + own["row_closed"] + own["row_conflict"]

        def made(*kinds: Cmd, commands: np.ndarray = commands) -> int:
            return int(np.isin(commands, kinds).sum())

        assert own["ar"] == len(seen.accepted[n][0]) == COUNT
        assert own["aw"] == len(seen.accepted[n][1]) == COUNT
        for code, key in ((2, "slverr"), (3, "decerr")):
            answers = [each["resp"] == code for each in (seen.r[n][seen.r[n]["last"] == 1], seen.b[n])]
            assert own[key] == sum(int(each.sum()) for each in answers) > 0, key
        # `step` gives the commands that were decided in its cycles, which are those that count.
        for key, kinds in {
            "act": (Cmd.ACT,), "pre": (Cmd.PRE, Cmd.PREA), "refsb": (Cmd.REFSB,), "ref_all": (Cmd.REF,),
            "rd": (Cmd.RD, Cmd.RDA), "wr": (Cmd.WR, Cmd.WRA),
        }.items():  # fmt: skip
            assert own[key] == made(*kinds), key
        # All is answered: what was accepted went to the DRAM, or was forwarded.
        host_reads = made(Cmd.RD, Cmd.RDA) - own["rmw"]
        assert own["rd_req"] == host_reads + own["forward"] == sum(own[key] for key in LATENCIES) > 0
        assert own["wr_req"] == made(Cmd.WR, Cmd.WRA) > 0
        assert (own["rmw"] > 0) == (not shape.has_data_mask)


def test_port_events_alone() -> None:
    """Latency classes, refused exclusives and full slots where their number is known."""
    params = preset("hbm3_6400_eng")
    channel = Channel(Setup(params, Policy.of(params, refresh_en=0)))
    rows = np.zeros(3, AX_ROW)
    rows["cycle"], rows["size"], rows["burst"], rows["addr"] = (10, 500, 1000), 5, 1, 0
    channel.offer_ax(0, False, rows)
    seen = channel.step(1500)
    # Slot in the cycle after AR; data move into the R register in the cycle before RVALID.
    waits = seen.r[0]["cycle"].astype(int) - 1 - (seen.accepted[0][0] + 1)
    classes = np.searchsorted([16, 32, 64, 128, 256, 512, 1024], waits, side="right")
    counts = channel.counters()
    assert [counts[f"port0_{key}"] for key in LATENCIES] == np.bincount(classes, minlength=8).tolist()
    assert sum(counts[f"port1_{key}"] for key in LATENCIES) == 0
    # An exclusive write without its read writes nothing; an erroneous one does not count.
    rows["lock"], rows["cycle"], rows["size"] = 1, (1600, 1610, 1620), (5, 5, 6)
    channel.offer_ax(1, True, rows)
    w = np.zeros(3, W_ROW)
    w["cycle"], w["strb"], w["last"] = 1600, (1 << 32) - 1, 1
    channel.offer_w(1, w)
    channel.step(1700)
    counts = channel.counters()
    assert (counts["port1_excl_fail"], counts["port1_slverr"], counts["pc1_wr_req"]) == (2, 1, 0)


def test_two_errors_of_one_cycle_count_one_after_the_other() -> None:
    """M9.2: a read and a write are answered SLVERR in the same cycle."""
    params = preset("hbm3_6400_eng")
    channel = Channel(Setup(params, Policy.of(params, refresh_en=0)))
    row = np.zeros(1, AX_ROW)
    row["cycle"], row["size"] = 100, 6
    w = np.zeros(1, W_ROW)
    w["cycle"], w["strb"], w["last"] = 100, 1, 1
    channel.offer_ax(0, False, row)
    channel.offer_ax(0, True, row)
    channel.offer_w(0, w)
    counts = []
    for cycle in range(101, 106):
        channel.step(cycle)
        counts.append(channel.counters()["port0_slverr"])
    assert counts == [0, 1, 2, 2, 2]


def test_skipped_cycles_have_their_cause() -> None:
    """A channel without traffic: off until commands are allowed, then empty, whatever is skipped or cut."""
    params = preset("hbm2_2000_eng")
    for cuts in ([5000], [1, 2, 399, 400, 401, 4999, 5000]):
        channel = Channel(Setup(params, Policy.of(params, refresh_en=0), first=400))
        for cut in cuts:
            channel.step(cut)
        counts = channel.counters()
        for n in range(2):
            assert (counts[f"pc{n}_stall_off"], counts[f"pc{n}_stall_empty"]) == (400, 4600)


def test_snapshot_and_clear() -> None:
    """A write that ends in n divides the events of the cycles before n from those of n and later."""
    params = preset("hbm3_6400_eng")
    channel = Channel(Setup(params, Policy.of(params)))
    assert channel.snapshot() is None
    rows = np.zeros(40, AX_ROW)
    rows["cycle"], rows["size"], rows["burst"], rows["addr"] = 100 + np.arange(40), 5, 1, 32 * np.arange(40)
    channel.offer_ax(0, False, rows)
    words = [(110, SNAPSHOT), (115, SNAPSHOT | CLEAR), (120, SNAPSHOT), (122, CLEAR), (130, 0)]
    channel.events(np.array([(cycle, EV_REGISTER, ADDRESS["ctrl"], word) for cycle, word in words], EV_ROW))
    taken = []
    for cycle in (111, 116, 121, 131):
        channel.step(cycle)
        snapshot = channel.snapshot()
        assert snapshot is not None
        taken.append((snapshot["cycles"], snapshot["port0_ar"]))
    # One handshake a cycle from cycle 100 on, four bursts held at most do not bind.
    assert taken == [(110, 10), (115, 15), (5, 5), (5, 5)]
    now = channel.counters()
    assert (now["cycles"], now["port0_ar"]) == (131 - 122, 131 - 122)


def digest() -> dict[str, int]:
    """Counts of a run that is short enough for plain Python."""
    return loaded("hbm2_2000_eng_s2", 50, seed=9, qos_mid=5, qos_high=9, forward=1)[0].counters()


def test_the_same_without_numba() -> None:
    """Compiled or not, every counter is the same."""
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", "import json, test_counters; print(json.dumps(test_counters.digest()))"],
        env={**os.environ, "HBM_MODEL_JIT": "0" if jit_enabled() else "1", "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == digest()


# ------------------------------------------------------------------ how they are shown


def test_shares_add_up_to_100() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        parts = rng.integers(0, rng.choice([2, 10, 10**6]), 9).tolist()
        shares = counters.tenths(parts)
        assert sum(round(10 * each) for each in shares) == (1000 if sum(parts) else 0)
        assert all(abs(each - 100 * part / max(sum(parts), 1)) < 0.1 for each, part in zip(shares, parts, strict=True))


def test_rows_of_a_result() -> None:
    """Only PCs with work are shown; every count stands once."""
    params = preset("hbm3_6400_eng")
    address_map = named_map("peers", params.geometry)
    channel = Channel(Setup(params, Policy.of(params)))
    trace = make_trace(np.arange(64) % 2 == 1, np.arange(64, dtype=np.uint64) << np.uint64(5))
    pc = address_map.split(trace.address)[0]
    channel.offer(trace, address_map, port_ids(trace, address_map))
    channel.run()
    out = counters.as_result(channel.counters())
    assert counters.used(out) == sorted(set(pc.tolist()))
    assert {name for each in out["pcs"] for name in each} == {name.split("_", 1)[1] for name in COUNTER_NAMES[1:]}
    rows = {row[0]: row[1:] for row in counters.count_rows(out)}
    asked = rows["read requests accepted"] + rows["write requests accepted"]
    assert sum(int(cell.replace(",", "")) for cell in asked) == 64
    assert sum(int(cell) for row in counters.latency_rows(out)[1:] for cell in row[1:]) == 32
