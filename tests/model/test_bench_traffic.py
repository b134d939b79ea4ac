"""The stimulus of the bench: traces become ordered bursts, random traffic is legal and covers what it must."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model.addrmap import named_map
from hbm_model.geometry import geometry
from hbm_model.memory import trace_data
from hbm_model.requests import make_trace
from hbm_tb import axi, records, traffic
from hbm_tb.coverage import Coverage
from hbm_tb.traffic import Chunk, Deck, RandomShape

MAP = named_map("peers", geometry("HBM2", 1))
SHAPE = RandomShape(MAP.port_bytes)


def requests_of(chunk: Chunk) -> list[tuple[int, bool, int]]:
    """(order of the burst, write, port address) of every 32-byte request of full-width bursts."""
    out = []
    for rows, is_write in ((chunk.ar, False), (chunk.aw, True)):
        for row in rows:
            for beat in range(int(row["len"]) + 1):
                out.append((int(row["order"]), is_write, int(row["addr"]) + 32 * beat))
    return sorted(out)


def some_trace(count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Runs of consecutive addresses in both directions."""
    rng = np.random.default_rng(3)
    start = rng.integers(0, MAP.channel_bytes // 64, count // 10) * 64
    address = (start[:, None] + 32 * np.arange(10)[None, :]).ravel().astype(np.uint64) % np.uint64(MAP.channel_bytes)
    return address, np.repeat(rng.random(count // 10) < 0.4, 10)


@pytest.mark.parametrize("merge", [False, True])
def test_a_trace_becomes_ordered_bursts(merge: bool) -> None:
    """Every request once, in trace order per port; ids rotate over 16; write data are hashes."""
    address, is_write = some_trace()
    trace = make_trace(is_write, address)
    pcs, port_address = MAP.split(address)
    chunks = traffic.from_trace(trace, MAP, seed=9, merge=merge)
    for port, chunk in enumerate(chunks):
        mine = np.flatnonzero(pcs == port)
        got = requests_of(chunk)
        assert [(w, a) for _, w, a in got] == [(bool(is_write[i]), int(port_address[i])) for i in mine]
        orders = np.sort(np.concatenate((chunk.ar["order"], chunk.aw["order"])))
        assert np.array_equal(orders, np.arange(len(orders)))
        for rows in (chunk.ar, chunk.aw):
            assert np.array_equal(rows["id"], rows["order"] % 16)
            assert (rows["flags"] == records.FLAG_ORDERED).all()
            last = rows["addr"].astype(np.int64) + 32 * rows["len"].astype(np.int64)
            assert (last // 4096 == rows["addr"].astype(np.int64) // 4096).all(), "a burst crosses 4 KiB"
        assert np.array_equal(chunk.w["data"], trace_data(9, mine[is_write[mine]]))
        ends = np.cumsum(chunk.aw["len"].astype(np.int64) + 1) - 1
        assert np.array_equal(np.flatnonzero(chunk.w["last"]), ends)
        assert (len(orders) < len(mine)) is merge


def test_earliest_cycles_are_kept() -> None:
    """CYCLE counts CK in the file and cycles (2 CK) in the record, rounded up."""
    trace = make_trace(False, np.arange(4) * 64, np.array([0, 7, 8, 1001]))
    chunk = traffic.from_trace(trace, MAP, 1)[0]
    assert chunk.ar["at"].tolist() == [0, 4, 4, 501]


def test_random_traffic_is_legal() -> None:
    """Without error_share no burst is illegal or outside, and no strobe stands outside its lanes."""
    chunk = traffic.random_chunk(np.random.default_rng(5), 6000, SHAPE)
    beat_at = 0
    for rows, is_write in ((chunk.ar, False), (chunk.aw, True)):
        for row in rows:
            burst = tuple(int(row[name]) for name in ("addr", "len", "size", "burst"))
            assert not axi.burst_slverr(*burst), burst
            assert axi.burst_bytes(*burst)[1] < MAP.port_bytes
            for beat in range(burst[1] + 1) if is_write else ():
                lo, hi = axi.beat_lanes(burst[0], burst[2], burst[3], beat, axi.beat_address(*burst, beat))
                assert int(chunk.w["strb"][beat_at]) & ~(((1 << (hi - lo + 1)) - 1) << lo) == 0
                assert bool(chunk.w["last"][beat_at]) is (beat == burst[1])
                beat_at += 1
    assert beat_at == len(chunk.w)


def test_every_kind_of_error_is_drawn() -> None:
    """All erroneous ones are erroneous, and each kind occurs."""
    chunk = traffic.random_chunk(np.random.default_rng(6), 3000, RandomShape(MAP.port_bytes, error_share=1.0))
    kinds = set()
    for rows in (chunk.ar, chunk.aw):
        for row in rows:
            addr, length, size, burst = (int(row[name]) for name in ("addr", "len", "size", "burst"))
            if axi.burst_slverr(addr, length, size, burst):
                kinds.add((burst, "slverr"))
            else:
                assert axi.burst_bytes(addr, length, size, burst)[1] >= MAP.port_bytes
                kinds.add((burst, "outside"))
    assert kinds == {(0, "slverr"), (1, "slverr"), (2, "slverr"), (3, "slverr"), (1, "outside")}


def test_a_deck_deals_every_length_before_any_twice() -> None:
    """Per direction 1 to 256, in an order of its own."""
    deck = Deck(np.random.default_rng(1))
    direction = np.array([False, True] * 256)
    drawn = np.concatenate([deck.draw(direction[i : i + 37]) for i in range(0, 512, 37)])
    for kind in (False, True):
        assert sorted(drawn[direction == kind]) == list(range(1, 257))


def test_the_mix_is_as_asked() -> None:
    """About half single beats, mean length about 8, and coverage names a shape that is missing."""
    chunk = traffic.random_chunk(np.random.default_rng(7), 40_000, SHAPE)
    beats = np.concatenate((chunk.ar["len"], chunk.aw["len"])).astype(np.int64) + 1
    assert 0.45 < (beats == 1).mean() < 0.55
    assert 6 < beats.mean() < 10
    coverage = Coverage()
    coverage.offered(0, chunk)
    assert not coverage.holes_of_random()
    coverage["axi.strobes"][axi.WRAP, traffic.ONE_BYTE] = 0
    coverage["axi.length"][0, axi.INCR, 232] = 0
    assert coverage.holes_of_random() == ["read INCR of 233 beats", "WRAP with strobes one_byte"]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Random traffic replays bit for bit."""
    a, b = (traffic.random_chunk(np.random.default_rng(11), 500, SHAPE) for _ in range(2))
    for name in ("ar", "aw", "w"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()


def test_pieces_keep_the_beats_with_their_address() -> None:
    """Cutting a chunk loses and moves nothing."""
    chunk = traffic.random_chunk(np.random.default_rng(12), 700, SHAPE)
    pieces = list(chunk.pieces(64))
    assert np.array_equal(np.concatenate([p.ar for p in pieces]), chunk.ar)
    assert np.array_equal(np.concatenate([p.w for p in pieces]), chunk.w)
    for piece in pieces:
        assert len(piece.w) == int((piece.aw["len"].astype(np.int64) + 1).sum())
