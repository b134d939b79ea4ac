"""The standard patterns, pinned: first addresses, counts and checksums."""

from types import SimpleNamespace

import numpy as np
import pytest
from hbm_model.addrmap import named_map
from hbm_model.errors import InputError
from hbm_model.patterns import FULL, NAMES, STANDARD, default_count, outstanding, pattern

HBM2 = SimpleNamespace(sids=1, bgs=4, banks=4, rows=16384, cols=32)
HBM4_12HIGH = SimpleNamespace(sids=3, bgs=2, banks=8, rows=3 * 2**12, cols=32)
EVERY = (*(name for name in NAMES if not name.endswith("BYTES")), "stride_4096")

# name, PCs -> first four channel addresses, writes of all, and the sum of address x (number + 1) modulo 2^32 of all.
PINNED: dict[tuple[str, int], tuple[list[int], int, int]] = {
    ("stream", 1): ([0x0, 0x40, 0x80, 0xC0], 0, 0x54000000),
    ("stream", 2): ([0x0, 0x20, 0x40, 0x60], 0, 0xAA000000),
    ("streammix", 1): ([0x0, 0x40, 0x80, 0xC0], 314991, 0x54000000),
    ("streammix", 2): ([0x0, 0x20, 0x40, 0x60], 314991, 0xAA000000),
    ("random", 1): ([0x165FF800, 0x7465600, 0x193C9880, 0xA22E240], 0, 0x33164D40),
    ("random", 2): ([0x165FF820, 0x7465620, 0x193C9880, 0xA22E260], 0, 0x4D6E37E0),
    ("mixed", 1): ([0x165FF800, 0x7465600, 0x193C9880, 0xA22E240], 314040, 0x33164D40),
    ("mixed", 2): ([0x165FF820, 0x7465620, 0x193C9880, 0xA22E260], 314040, 0x4D6E37E0),
    ("conflict", 1): ([0x0, 0x8000, 0x10000, 0x18000], 0, 0x0),
    ("conflict", 2): ([0x0, 0x20, 0x8000, 0x8020], 0, 0x1000000),
    ("seq5050", 1): ([0x0, 0x40, 0x80, 0xC0], 524523, 0x54000000),
    ("seq5050", 2): ([0x0, 0x20, 0x40, 0x60], 524523, 0xAA000000),
    ("rand64", 1): ([0x165FF800, 0x165FF840, 0x7465600, 0x7465640], 0, 0xB205DC00),
    ("rand64", 2): ([0x165FF800, 0x165FF820, 0x7465600, 0x7465620], 0, 0x9BAAEA00),
    ("rand256", 2): ([0x165FF800, 0x165FF820, 0x165FF840, 0x165FF860], 0, 0x8157A800),
    ("rand4k", 2): ([0x165FF000, 0x165FF020, 0x165FF040, 0x165FF060], 0, 0xB6580000),
    ("half", 1): ([0x0, 0x7465600, 0x40, 0xA22E240], 0, 0x2D459080),
    ("half", 2): ([0x0, 0x7465620, 0x20, 0xA22E260], 0, 0xEF1C5940),
    ("hotrow", 1): ([0x1B00, 0x7465600, 0xD00, 0x1B00], 0, 0x8AF33440),
    ("hotrow", 2): ([0x1B00, 0x7465620, 0xD00, 0x1B20], 0, 0xA8CFE0A0),
    ("twostream", 1): ([0x0, 0x10000000, 0x40, 0x10000040], 524288, 0xA9000000),
    ("twostream_apart", 2): ([0x0, 0x10004000, 0x20, 0x10004020], 524288, 0x54800000),
}


def checksum(address: np.ndarray) -> int:
    number = np.arange(1, address.size + 1, dtype=np.uint64)
    return int((address * number).sum() & np.uint64(0xFFFFFFFF))


@pytest.mark.parametrize("key", PINNED, ids=lambda key: f"{key[0]}.p{key[1]}")
def test_patterns_are_pinned(key: tuple[str, int]) -> None:
    trace = pattern(*key[:1], HBM2, key[1], FULL)
    first, writes, total = PINNED[key]
    assert trace.address[:4].tolist() == first
    assert (trace.writes, checksum(trace.address)) == (writes, total)


def test_random_draws_are_those_of_numpy() -> None:
    """Computed again from the definition: 2^23 places of one PC, 2^24 of two; p = 0.3 after the addresses."""
    for pcs in (1, 2):
        rng = np.random.default_rng(12345)
        address = rng.integers(0, 2**22 * 2 * pcs, FULL, dtype=np.uint64) * np.uint64(32)
        write = rng.random(FULL) < 0.3
        trace = pattern("mixed", HBM2, pcs, FULL)
        m = named_map("peers", HBM2)
        mine = trace.address if pcs == 2 else m.split(trace.address)[1]
        assert np.array_equal(mine, address)
        assert np.array_equal(trace.write, write)
    stream = pattern("streammix", HBM2, 2, FULL)
    assert np.array_equal(stream.write, np.random.default_rng(12345).random(FULL) < 0.3)


@pytest.mark.parametrize("geometry", [HBM2, HBM4_12HIGH], ids=["hbm2", "hbm4_12high"])
@pytest.mark.parametrize("pcs", [1, 2])
@pytest.mark.parametrize("name", EVERY)
def test_patterns_stay_inside_the_memory(name: str, pcs: int, geometry: SimpleNamespace) -> None:
    """Also where a quarter of the rows and of the SIDs do not exist; one PC means PC 0; a short one is a beginning."""
    m = named_map("peers", geometry)
    trace = pattern(name, geometry, pcs).check_range(m)
    assert len(trace) == default_count(name)
    pc, _ = m.split(trace.address)
    assert set(np.unique(pc).tolist()) == set(range(pcs if name != "stride_4096" else 1))
    assert np.array_equal(trace.address[:1000], pattern(name, geometry, pcs, 1000).address)


def test_conflict_is_one_bank_and_a_new_row_each_time() -> None:
    for pcs in (1, 2):
        at = named_map("peers", HBM2).decode(pattern("conflict", HBM2, pcs).address)
        assert {len(np.unique(value)) for value in (at.sid, at.bg, at.bank, at.col)} == {1}
        for pc in range(pcs):
            row = at.row[at.pc == pc]
            assert (np.diff(row) != 0).all()
            assert len(np.unique(row)) == 8192 // pcs


def test_blocks_are_aligned_and_whole() -> None:
    trace = pattern("rand256", HBM2, 2)
    block = trace.address.reshape(-1, 8)
    assert (block[:, 0] % 256 == 0).all()
    assert (np.diff(block, axis=1) == 32).all()


def test_hot_row_takes_four_of_five() -> None:
    at = named_map("peers", HBM2).decode(pattern("hotrow", HBM2, 2).address)
    hot = (at.row == 0) & (at.bank == 0) & (at.bg == 0)
    assert 0.79 < hot.mean() < 0.81
    assert len(np.unique(at.col[hot])) == 32


def test_seq5050_draws_are_those_of_numpy() -> None:
    """By definition: `default_rng(12345) < 0.5`, sequential addresses."""
    trace = pattern("seq5050", HBM2, 1, FULL)
    assert np.array_equal(trace.write, np.random.default_rng(12345).random(FULL) < 0.5)
    assert np.array_equal(trace.address, pattern("stream", HBM2, 1, FULL).address)


def test_half_is_a_stream_and_random_requests_by_turns() -> None:
    address = pattern("half", HBM2, 2, FULL).address
    assert np.array_equal(address[0::2], pattern("stream", HBM2, 2, FULL).address[: FULL // 2])
    assert np.array_equal(address[1::2], pattern("random", HBM2, 2, FULL).address[1::2])


@pytest.mark.parametrize("pcs", [1, 2])
@pytest.mark.parametrize("apart", [0, 2])
def test_two_streams_move_in_step(pcs: int, apart: int) -> None:
    """Read and write of a pair: another row; the same bank, or the one two further; all else alike, the PC too."""
    trace = pattern("twostream_apart" if apart else "twostream", HBM2, pcs, 4096)
    assert trace.write.tolist() == [False, True] * 2048
    reads, writes = (named_map("peers", HBM2).decode(trace.address[first::2]) for first in (0, 1))
    for field in ("pc", "sid", "bg", "col"):
        assert np.array_equal(getattr(reads, field), getattr(writes, field)), field
    assert np.array_equal((reads.bank + apart) % 4, writes.bank)
    assert np.array_equal((reads.row + 8192) % 16384, writes.row)
    assert np.array_equal(trace.address[0::2], pattern("stream", HBM2, pcs, 2048).address)


def test_only_chase_limits_the_requests_under_way() -> None:
    assert [outstanding(name) for name in STANDARD] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "pcs", "count", "message"),
    [
        ("nope", 2, 10, "unknown pattern `nope`; known: stream, streammix"),
        ("stride_33", 2, 10, "unknown pattern `stride_33`"),
        ("stream", 3, 10, "1 or 2 PCs, not 3"),
        ("stream", 2, 0, "1 to 1048576 requests, not 0"),
    ],
)
def test_bad_arguments_are_refused(name: str, pcs: int, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pattern(name, HBM2, pcs, count)
