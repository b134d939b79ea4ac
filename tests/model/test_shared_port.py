"""Two masters on one port, lone reads and long waits beside the exact model alone."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model.addrmap import named_map
from hbm_model.commands import Cmd
from hbm_model.controller import Channel, Policy, Setup
from hbm_model.long_waits import CHUNK, EPOCH, Adversary, enqueued, run_model, with_rows, write_beats
from hbm_model.presets import preset
from hbm_model.shared_port import BUSY_ID, SLOW_ID, Contest, contest, slow_addresses, unloaded
from hbm_model.unloaded import latency, limit, pin_cycles, probe, stages
from numpy.typing import NDArray

HBM2 = preset("peers_hbm2")
MAP = named_map("peers", HBM2.geometry)
PRESETS = (
    "hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "hbm3_6400_eng", "hbm4_8000_eng", "peers_hbm2", "peers_hbm3"
)  # fmt: skip


def channel(**policy: int) -> Channel:
    return Channel(Setup(HBM2, Policy.of(HBM2, **policy)))


# ---------------------------------------------------------------- lone reads


@pytest.mark.parametrize("name", PRESETS)
def test_a_lone_read_takes_its_stages(name: str) -> None:
    """Both PCs, row closed and hit: host and pins in the cycles of the contract, within the limits."""
    params = preset(name)
    address_map = named_map("peers", params.geometry)
    for port in range(2):
        what = Channel(Setup(params, Policy.of(params, page=0, page_timeout=0, refresh_en=0)))
        asked = probe(address_map, port, 10)
        what.offer_ax(port, False, asked.rows)
        seen = what.step(asked.end)
        taken = seen.accepted[port][0]
        took = seen.r[port]["cycle"].astype(np.int64) - taken
        pins = pin_cycles(seen.commands, port)
        for hit in (False, True):
            chosen = asked.hit == hit
            assert set(took[chosen].tolist()) == {latency(params, port, hit)}
            assert latency(params, port, hit) <= limit(params, hit)
            steps = {stage.name: stage.end for stage in stages(params, port, hit)}
            assert list(steps.values()) == sorted(steps.values())
            column = set((pins["RD"] - taken)[chosen].tolist())
            assert column == {steps["command registered, on the DFI, on the pins"]}
        assert set((pins["ACT"] - taken[~asked.hit]).tolist()) == {4 + 3}


def test_limits_typed_by_hand() -> None:
    """peers_hbm2: RCDRD 14, RL 14, nBL 2: ceil(31 / 2) + 11 and ceil(16 / 2) + 9."""
    assert (limit(HBM2, False), limit(HBM2, True)) == (27, 17)
    assert [latency(HBM2, pc, hit) for hit in (False, True) for pc in range(2)] == [24, 24, 15, 16]


# ---------------------------------------------------------------- two masters


def test_the_host_reads_one_at_a_time() -> None:
    what = Contest("mixed", reads=60, warm=4)
    seen = contest(channel(), what, 8, HBM2.geometry)
    assert len(seen.done) == what.reads
    assert (seen.raised[1:] > seen.done[:-1]).all(), "the next read waits for the data of the one before"
    assert (seen.wanted <= seen.raised).all() and (seen.raised <= seen.taken).all() and (seen.taken < seen.done).all()
    slow = seen.ar[seen.ar["id"] == SLOW_ID]
    assert slow["addr"].tolist() == slow_addresses(HBM2.geometry, "peers", 64).tolist()
    # One VALID at a time on a channel, and the busy master always has one there or on AW.
    assert (np.diff(seen.ar["cycle"].astype(np.int64)) > 0).all()
    assert len(seen.aw) == len(seen.w) > 20
    assert set(seen.aw["id"].tolist()) == {BUSY_ID}


def test_the_busy_master_never_lets_the_channel_idle() -> None:
    """Stream reads: the channel carries about as many requests as with nobody else."""
    seen = contest(channel(refresh_en=0), Contest("stream", reads=60), 8, HBM2.geometry)
    assert seen.busy_done > 0.95 * (seen.cycles - 60)


def test_beside_a_stream_a_read_takes_longer_than_alone() -> None:
    what = Contest("stream", reads=200)
    alone = contest(channel(), unloaded(what), 8, HBM2.geometry)
    beside = contest(channel(), what, 8, HBM2.geometry)
    assert 20 < alone.mean < 30
    assert 1.2 * alone.mean < beside.mean <= 3 * alone.mean
    assert beside.mean_wanted >= beside.mean


# ---------------------------------------------------------------- long waits


def test_places_in_the_queue_are_counted() -> None:
    """33 reads taken in a row, the first pick in cycle 50: the last one enters in 51."""
    taken = np.arange(33)
    pick = 50 + np.arange(33)
    assert enqueued(taken, pick).tolist() == [*range(2, 34), 51]


def chunks(made: Adversary, count: int = 60) -> list[tuple[NDArray[np.void], NDArray[np.void]]]:
    """Of as many epochs, so that every mood comes."""
    return [made.chunk(EPOCH * number) for number in range(count)]


def test_the_adversary_offers_both_directions_on_its_port() -> None:
    rows = chunks(Adversary(MAP, 1, 7, qos_share=0.1))
    for direction in range(2):
        asked = np.concatenate([pair[direction] for pair in rows])
        assert len(asked) > 2048
        assert all((pair[direction]["cycle"] >= EPOCH * number).all() for number, pair in enumerate(rows))
        assert not asked["len"].any()
        assert not MAP.outside(MAP.join(1, asked["addr"])).any()
        shares = [float((pair[direction]["qos"] == 15).mean()) for pair in rows if len(pair[direction]) > 1000]
        assert max(shares) > 0.9 and 0.05 < min(shares) < 0.15, "floods, and one in ten"
    again = chunks(Adversary(MAP, 1, 7, qos_share=0.1))
    for pair, other in zip(rows, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(pair, other, strict=True))


def test_bursts_of_the_adversary_are_legal() -> None:
    """Inside a page, one to 256 beats, narrow ones too; strobes in their lanes, some missing; WLAST at the end."""
    rows = [pair[1] for pair in chunks(Adversary(MAP, 0, 3, qos_share=0.1, bursts=True))]
    aw = np.concatenate(rows)
    spans = (aw["len"].astype(np.int64) + 1) << aw["size"].astype(np.int64)
    address = aw["addr"].astype(np.int64)
    assert {int(length) for length in aw["len"]} >= {0, 7, 127, 255} and set(aw["size"].tolist()) == {0, 1, 5}
    assert (address // 4096 == (address + spans - 1) // 4096).all()
    w = write_beats(aw, np.random.default_rng(1))
    assert len(w) == int((aw["len"].astype(np.int64) + 1).sum()) and int(w["last"].sum()) == len(aw)
    ends = np.cumsum(aw["len"].astype(np.int64) + 1) - 1
    assert w["last"][ends].all()
    of = np.repeat(np.arange(len(aw)), aw["len"].astype(np.int64) + 1)
    beat = np.arange(len(of)) - np.concatenate(([0], ends[:-1] + 1))[of]
    width = np.int64(1) << aw["size"].astype(np.int64)[of]
    lanes = ((np.int64(1) << width) - 1) << ((address[of] + beat * width) % 32)
    assert not (w["strb"].astype(np.int64) & ~lanes).any()
    assert 0.02 < (w["strb"] != lanes).mean() < 0.08


def test_banks_in_turn_open_a_new_row_each_time() -> None:
    """The traffic that once kept a claimed bank open for ever: both ports have it at the same time."""
    turning = 0
    for number in range(200):
        pair = [Adversary(MAP, port, 9) for port in range(2)]
        both = [made.chunk(EPOCH * number) for made in pair]
        long = [rows for made in both for rows in made if len(rows) > 2 * CHUNK]
        if len(long) < 2:
            continue
        turning += 1
        for rows in long:
            at = MAP.decode(MAP.join(0, rows["addr"]))
            flat = at.bank * MAP.bgs + at.bg
            most = np.bincount(flat, minlength=16)
            assert (most > len(rows) // 20).sum() >= 12
    assert turning >= 5


def test_rows_of_a_log_from_the_pins() -> None:
    """Each column command gets the row of its bank's last ACT again."""
    made = channel()
    rows = Adversary(MAP, 0, 3).chunk(0)
    made.offer_ax(0, False, rows[0] if len(rows[0]) else rows[1])
    commands = made.step(3000).commands
    blank = commands.copy()
    column = (blank["cmd"] >= Cmd.RD) & (blank["cmd"] <= Cmd.WRA)
    assert column.sum() > 100
    blank["row"][column] = 0xFFFF
    assert np.array_equal(with_rows(blank), commands)


def test_waits_of_a_run() -> None:
    """Ageing shortens the longest wait: the measurement sees what it is about."""
    plain = {"forward": 0, "qos_high": 16, "qos_mid": 16}
    seen = run_model(channel(**plain), MAP, 60_000, segment=30_000)
    unaged = run_model(channel(**plain, starve_limit=0), MAP, 60_000, segment=30_000)
    assert seen.reads > 10_000 and seen.writes > 10_000
    assert seen.read_queue is not None and unaged.read_queue is not None
    assert 1_000 < seen.read_queue <= seen.read_valid < 6_000
    assert max(unaged.read_queue, unaged.write_queue) > 2 * max(seen.read_queue, seen.write_queue)
