"""The memory model against an independent computation of the hash and a plain dictionary of bytes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hbm_model.addrmap import Location, named_map
from hbm_model.errors import InputError
from hbm_model.memory import Memory, trace_data, unwritten

HBM2 = SimpleNamespace(sids=1, bgs=4, banks=4, rows=16384, cols=32)
HBM4 = SimpleNamespace(sids=3, bgs=2, banks=8, rows=3 * 2**12, cols=32)
GEOMETRIES = {"hbm2": HBM2, "hbm4": HBM4}
MASK = (1 << 64) - 1


def splitmix(x: int) -> int:
    """The finaliser of splitmix64 with Python's own integers."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def hashed_bytes(seed: int, pc: int, sid: int, bg: int, bank: int, row: int, col: int) -> bytes:
    """docs/bench.md, word by word."""
    out = b""
    for word in range(4):
        key = col | word << 6 | bank << 8 | bg << 12 | sid << 16 | pc << 20 | row << 24
        out += splitmix((seed + 0x9E3779B97F4A7C15 * (key + 1)) & MASK).to_bytes(8, "little")
    return out


def test_the_hash_is_splitmix64() -> None:
    """First outputs of splitmix64 seeded with 1234567, published with the generator (Rosetta Code, Pseudo-random
    numbers/Splitmix64): word k of column 0 with everything else 0 is output 64 k + 1 of that sequence."""
    first = unwritten(1234567, Location(*np.zeros((6, 1), np.int64))).view(np.uint64)[0, 0]
    assert int(first) == 6457827717110365317
    second = trace_data(1234567 ^ 0x5851F42D4C957F2D, [0]).view(np.uint64)[0].tolist()
    assert second == [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_unwritten_memory_is_the_hash_of_its_place(geometry: SimpleNamespace) -> None:
    """Numpy and compiled versions agree with Python integers on every field."""
    m = named_map("peers", geometry)
    rng = np.random.default_rng(3)
    pc, sid, bg, bank, row, col = (
        rng.integers(0, count, 300)
        for count in (
            2,
            geometry.sids,
            geometry.bgs,
            geometry.banks,
            geometry.rows,
            geometry.cols,
        )
    )
    seed = 0xDEADBEEF12345678
    packed = m.pack(sid, bg, bank, row, col)
    compiled = Memory(m, seed).read(pc, packed)
    vectorised = unwritten(seed, m.unpack(pc, packed))
    assert np.array_equal(compiled, vectorised)
    for i in range(300):
        place = (int(value[i]) for value in (pc, sid, bg, bank, row, col))
        assert compiled[i].tobytes() == hashed_bytes(seed, *place)


def test_trace_data_is_the_hash_of_the_request_number() -> None:
    data = trace_data(7, [0, 5, 2**40])
    for row, index in enumerate([0, 5, 2**40]):
        expected = b""
        for word in range(4):
            key = index * 4 + word
            expected += splitmix(((7 ^ 0x5851F42D4C957F2D) + 0x9E3779B97F4A7C15 * (key + 1)) & MASK).to_bytes(
                8, "little"
            )
        assert data[row].tobytes() == expected


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_accesses_match_a_dictionary_of_bytes(geometry: SimpleNamespace) -> None:
    """Chunks of reads, strobed writes and ordered mixes over few places, so that overlaps abound."""
    m = named_map("peers", geometry)
    memory = Memory(m, 11)
    rng = np.random.default_rng(4)
    plain: dict[tuple[int, int], bytearray] = {}

    def expected(pc: int, packed: int) -> bytearray:
        if (pc, packed) not in plain:
            at = m.unpack(pc, np.array([packed]))
            plain[pc, packed] = bytearray(hashed_bytes(11, *(int(value[0]) for value in at)))
        return plain[pc, packed]

    def store(pc: int, packed: int, data: np.ndarray, strobe: int) -> None:
        for byte in range(32):
            if (strobe >> byte) & 1:
                expected(pc, packed)[byte] = data[byte]

    places = m.pack(
        rng.integers(0, geometry.sids, 40),
        rng.integers(0, geometry.bgs, 40),
        rng.integers(0, geometry.banks, 40),
        rng.integers(0, 3, 40),
        rng.integers(0, 32, 40),
    )
    for chunk in range(60):
        n = int(rng.integers(1, 50))
        pc, packed = rng.integers(0, 2, n), rng.choice(places, n)
        data = rng.integers(0, 256, (n, 32), dtype=np.uint8)
        strobe = rng.integers(0, 2**32, n, dtype=np.uint32) | (
            np.uint32(0xFFFFFFFF) * rng.integers(0, 2, n, dtype=np.uint32)
        )
        if chunk % 3 == 0:
            memory.write(pc, packed, data, strobe)
            for i in range(n):
                store(int(pc[i]), int(packed[i]), data[i], int(strobe[i]))
        elif chunk % 3 == 1:
            got = memory.read(pc, packed)
            for i in range(n):
                assert got[i].tobytes() == bytes(expected(int(pc[i]), int(packed[i])))
        else:
            is_write = rng.integers(0, 2, n).astype(bool)
            got = memory.replay(is_write, pc, packed, data, strobe)
            for i in range(n):
                if is_write[i]:
                    store(int(pc[i]), int(packed[i]), data[i], int(strobe[i]))
                else:
                    assert got[i].tobytes() == bytes(expected(int(pc[i]), int(packed[i])))
    memory.clear()
    assert memory.pages == 0
    fresh = Memory(m, 11)
    assert np.array_equal(memory.read(0, places), fresh.read(0, places))


def test_the_written_mask_counts_bytes() -> None:
    m = named_map("peers", HBM2)
    memory = Memory(m)
    memory.write([0, 0, 1], [5, 5, 5], np.zeros((3, 32), np.uint8), np.array([0xF, 0xF0, 1], np.uint32))
    assert memory.was_written([0, 1, 0], [5, 5, 6]).tolist() == [0xFF, 1, 0]
    assert (memory.written_bytes, memory.pages) == (9, 2)


@pytest.mark.parametrize("name", ["peers", "hashed"])
def test_bytes_through_the_back_door(name: str) -> None:
    """Any alignment and length; ranges come back joined, in address order."""
    memory = Memory(named_map(name, HBM2), 5)
    memory.write_bytes(100, bytes(range(200)))
    assert memory.read_bytes(100, 200) == bytes(range(200))
    assert memory.read_bytes(96, 4) == Memory(memory.map, 5).read_bytes(96, 4)
    memory.write_bytes(300, b"\x55" * 3)
    memory.write_bytes(1 << 20, b"far")
    assert list(memory.written_ranges()) == [(100, bytes(range(200)) + b"\x55" * 3), (1 << 20, b"far")]
    assert list(Memory(memory.map).written_ranges()) == []
    assert memory.read_bytes(0, 0) == b""


@pytest.mark.parametrize("suffix", ["bin", "hex", "npy"])
def test_load_and_dump_round_trip(tmp_path: Path, suffix: str) -> None:
    m = named_map("peers", HBM2)
    memory = Memory(m)
    content = np.random.default_rng(6).integers(0, 256, 3001, dtype=np.uint8).tobytes()
    memory.write_bytes(77, content)
    file = tmp_path / f"image.{suffix}"
    memory.dump(file, 77, len(content))
    other = Memory(m)
    # a hex file holds its own addresses; the other kinds are placed
    assert other.load(file, 0 if suffix == "hex" else 77) == len(content)
    assert other.read_bytes(77, len(content)) == content
    assert other.written_bytes == len(content)


def test_arrays_of_any_type_load_as_their_bytes(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2], [3, 4]], np.uint32))
    memory = Memory(named_map("peers", HBM2))
    assert memory.load(tmp_path / "x.npy", 32) == 16
    assert memory.read_bytes(32, 16) == b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0"


def test_bad_input_is_refused_with_place_and_reason(tmp_path: Path) -> None:
    memory = Memory(named_map("peers", HBM2))
    (tmp_path / "bad.hex").write_text("@0\n00 11\n2 33\n")
    with pytest.raises(InputError, match=r"bad\.hex:3: expected bytes as two hex digits or @ADDRESS, found `2`"):
        memory.load(tmp_path / "bad.hex")
    (tmp_path / "bad.npy").write_bytes(b"not numpy")
    with pytest.raises(InputError, match=r"bad\.npy"):
        memory.load(tmp_path / "bad.npy")
    with pytest.raises(InputError, match="cannot be read"):
        memory.load(tmp_path / "none.bin")
    with pytest.raises(InputError, match="outside the channel"):
        memory.write_bytes(memory.map.channel_bytes - 1, b"12")
    with pytest.raises(ValueError, match="outside the geometry"):
        memory.read(0, [1 << 24])
    with pytest.raises(ValueError, match="outside the geometry"):
        memory.read(2, [0])
    with pytest.raises(ValueError, match="2 places but 1 rows"):
        memory.write(0, [1, 2], np.zeros((1, 32), np.uint8))
