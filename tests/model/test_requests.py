"""Request traces: our format, the importers, bursts, and a clear line for everything that cannot be read."""

import gzip
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zstandard
from hbm_model.addrmap import named_map
from hbm_model.errors import InputError
from hbm_model.requests import make_trace, port_bursts, read_requests, write_requests

HBM2 = SimpleNamespace(sids=1, bgs=4, banks=4, rows=16384, cols=32)

OURS = """# made by hand
#  second line

R 0x0
W 0x40 7   # a comment
r 0x1fffffe0
"""


def rows(trace: object) -> list[tuple[str, int, int]]:
    """(kind, address, cycle) of each request."""
    t = trace
    return [
        ("W" if w else "R", int(a), int(c))
        for w, a, c in zip(t.write, t.address, t.cycle, strict=True)  # type: ignore[attr-defined]
    ]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "zstd of two frames", "windows line ends"])
def test_our_format_is_read_however_it_is_packed(tmp_path: Path, packing: str) -> None:
    """The packing is told by the first bytes, so a name without suffix serves."""
    raw = OURS.encode()
    if packing == "gzip":
        raw = gzip.compress(raw)
    elif packing == "zstd":
        raw = zstandard.ZstdCompressor().compress(raw)
    elif packing == "zstd of two frames":
        raw = zstandard.ZstdCompressor().compress(raw[:20]) + zstandard.ZstdCompressor().compress(raw[20:])
    elif packing == "windows line ends":
        raw = raw.replace(b"\n", b"\r\n")
    (tmp_path / "t").write_bytes(raw)
    trace = read_requests(tmp_path / "t")
    assert rows(trace) == [("R", 0, 0), ("W", 0x40, 7), ("R", 0x1FFFFFE0, 0)]
    assert trace.header == ("made by hand", "second line")
    assert (trace.reads, trace.writes, trace.footprint, trace.timed) == (2, 1, 96, True)
    assert trace.where(1) == f"{tmp_path / 't'}:5"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("timed", [False, True])
def test_what_is_written_reads_back(tmp_path: Path, suffix: str, timed: bool) -> None:
    """And the same trace gives the same file, byte for byte."""
    rng = np.random.default_rng(8)
    address = rng.integers(0, 1 << 24, 5000, dtype=np.uint64) * np.uint64(32)
    cycle = np.cumsum(rng.integers(0, 9, 5000)) + 1 if timed else 0
    trace = make_trace(rng.random(5000) < 0.4, address, cycle, header=["one", "two"])
    for name in ("a", "b"):
        write_requests(tmp_path / f"{name}.trace{suffix}", trace)
    assert (tmp_path / f"a.trace{suffix}").read_bytes() == (tmp_path / f"b.trace{suffix}").read_bytes()
    again = read_requests(tmp_path / f"a.trace{suffix}")
    assert rows(again) == rows(trace)
    assert again.header == ("one", "two")


FOREIGN = {
    "Ramulator 2, loads and stores": (
        "x.trace",
        "LD 0x1000\nST 4160\nld 0xffc0\n",
        [("R", 0x1000, 0), ("W", 0x1040, 0), ("R", 0xFFC0, 0)],
    ),
    "Ramulator 2, reads and writes": ("x.trace", "R 4096\nW 0x2000\n", [("R", 0x1000, 0), ("W", 0x2000, 0)]),
    "DRAMsim3": (
        "x.trace",
        "0x00001000 READ 10\n2000 WRITE 12\n1F45 P_MEM_WR 13\n",
        [("R", 0x1000, 10), ("W", 0x2000, 12), ("W", 0x1F40, 13)],
    ),
    "DRAMSys, absolute": (
        "x.stl",
        "# a comment\n31: read 0x400140\n56: write 0x7fff8000 0x123456789abcdef\n81: (64) read 0x400180\n",
        [("R", 0x400140, 31), ("W", 0x7FFF8000, 56), ("R", 0x400180, 81), ("R", 0x4001A0, 81)],
    ),
    "DRAMSys, relative": (
        "x.rstl.gz",
        "31: read 0x400140\n2: (96) write 0x400170\n",
        [("R", 0x400140, 31)] + [("W", a, 33) for a in (0x400160, 0x400180, 0x4001A0, 0x4001C0)],
    ),
    "DRAMSys without its suffix": ("x.trace", "7: write 0x20\n", [("W", 0x20, 7)]),
}


@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN)
def test_foreign_formats_are_recognised(tmp_path: Path, case: tuple[str, str, list[tuple[str, int, int]]]) -> None:
    """Unaligned accesses become the 32-byte requests that they touch."""
    name, text, expected = case
    assert rows(read_requests(write(tmp_path / name, text))) == expected


def test_larger_accesses_are_split(tmp_path: Path) -> None:
    """A 64-byte simulator drops the low six address bits; cycles are scaled and rounded up."""
    file = write(tmp_path / "x", "0x1fe0 READ 3\n0x1000 WRITE 5\n")
    trace = read_requests(file, access_bytes=64, cycle_scale=0.5)
    assert rows(trace) == [("R", 0x1FC0, 2), ("R", 0x1FE0, 2), ("W", 0x1000, 3), ("W", 0x1020, 3)]
    assert trace.where(1) == f"{file}:1"


BAD = {
    "unknown kind": ("R 0x0\nX 0x20\n", ":2: expected `R|W 0xADDRESS [CYCLE]`, found `X 0x20`"),
    "no address": ("W 0x0\n\nR\n", ":3: expected `R|W 0xADDRESS [CYCLE]`, found `R`"),
    "address without 0x": ("R 0x0\nR 40\n", ":2: expected `R|W 0xADDRESS [CYCLE]`, found `R 40`"),
    "bad digit": ("R 0x0\nR 0x4g\n", ":2: expected `R|W 0xADDRESS [CYCLE]`, found `R 0x4g`"),
    "too large": ("R 0x0\nR 0x10000000000000000\n", ":2: expected"),
    "bad cycle": ("R 0x0 5\nR 0x20 -5\n", ":2: expected `R|W 0xADDRESS [CYCLE]`, found `R 0x20 -5`"),
    "a word too many": ("R 0x0 5 6\n", ":1: expected"),
    "two lines that make up for each other": ("R 0x0\nR\n0x20 R 0x40\n", ":2: expected"),
    "not aligned": ("R 0x0\nR 0x10\n", ":2: expected `R|W 0xADDRESS [CYCLE]` with an ADDRESS that is a multiple of 32"),
    "Ramulator 2": ("LD 0x0\nLD 0x0 3\n", ":2: expected `LD|ST ADDRESS` or `R|W ADDRESS`"),
    "DRAMsim3": ("0x0 READ 1\n0x20 READ\n", ":2: expected `ADDRESS READ|WRITE CYCLE`"),
    "DRAMSys, no command": ("1: read 0x0\n2: 0x20\n", ":2: expected `CYCLE: [(BYTES)] read|write 0xADDRESS [DATA]`"),
    "DRAMSys, bad length": ("1: read 0x0\n2: (64 read 0x20\n", ":2: expected `CYCLE:"),
    "DRAMSys, no colon": ("1: read 0x0\n2 read 0x20\n", ":2: expected `CYCLE:"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_the_first_bad_line_is_named(tmp_path: Path, case: tuple[str, str]) -> None:
    text, message = case
    file = write(tmp_path / "bad", text)
    with pytest.raises(InputError) as caught:
        read_requests(file)
    assert str(caught.value).startswith(f"{file}{message}")
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_one_clear_line(tmp_path: Path) -> None:
    raw = OURS.encode() * 100
    cases = {
        "none": (None, "cannot be read"),
        "empty": (b"# nothing\n", "holds no request"),
        "binary": (bytes(range(100)), "not a text file"),
        "gz": (gzip.compress(raw)[:-20], "damaged compressed file"),
        "zst": (zstandard.ZstdCompressor().compress(raw)[:-3], "damaged compressed file"),
        "zst2": (b"\x28\xb5\x2f\xfdgarbage", "damaged compressed file"),
    }
    for name, (content, message) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_requests(tmp_path / name)
    with pytest.raises(InputError, match="unknown trace format `vcd`"):
        read_requests(tmp_path / "empty", "vcd")
    with pytest.raises(InputError, match="power of two of at least 32"):
        read_requests(tmp_path / "empty", access_bytes=48)
    with pytest.raises(InputError, match="must be positive"):
        read_requests(tmp_path / "empty", cycle_scale=0)


def test_addresses_outside_the_memory_are_refused_or_folded(tmp_path: Path) -> None:
    m = named_map("peers", HBM2)
    file = write(tmp_path / "x", f"R 0x0\nR {m.channel_bytes - 32:#x}\nR {m.channel_bytes:#x}\n")
    trace = read_requests(file)
    with pytest.raises(
        InputError, match=r"x:3: address 0x20000000 lies outside the memory \(0x20000000 bytes a channel"
    ):
        trace.check_range(m)
    assert trace.head(2).check_range(m) is not None
    assert trace.folded(m).check_range(m).address.tolist() == [0, m.channel_bytes - 32, 0]


def test_every_value_of_a_long_file_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    address = rng.integers(0, 1 << 24, 300_000, dtype=np.uint64) * np.uint64(32)
    trace = make_trace(rng.random(address.size) < 0.5, address)
    write_requests(tmp_path / "t.zst", trace)
    again = read_requests(tmp_path / "t.zst")
    assert np.array_equal(again.address, trace.address)
    assert np.array_equal(again.write, trace.write)


# ---------------------------------------------------------------------- bursts


def reference_bursts(write: list[bool], address: list[int], cycle: list[int]) -> list[tuple[int, int]]:
    """(first, beats), one request after the other, from the rules in words."""
    out: list[tuple[int, int]] = []
    for i in range(len(address)):
        if out:
            first, beats = out[-1]
            joins = write[i] == write[i - 1] and address[i] == address[i - 1] + 32 and address[i] % 4096 != 0
            if joins and cycle[i] <= cycle[first]:
                out[-1] = (first, beats + 1)
                continue
        out.append((i, 1))
    return out


@pytest.mark.parametrize("pc", [0, 1])
@pytest.mark.parametrize("timed", [False, True])
def test_merged_bursts_match_the_rules(pc: int, timed: bool) -> None:
    """Random runs of requests; no burst crosses 4 KiB, every request is in exactly one burst, in order."""
    m = named_map("peers", HBM2)
    rng = np.random.default_rng(10)
    runs = [int(start) * 32 + 32 * np.arange(int(length)) for start, length in rng.integers(1, 300, (400, 2))]
    address = np.concatenate(runs).astype(np.uint64)
    write = np.repeat(rng.random(400) < 0.5, [run.size for run in runs]) ^ (rng.random(address.size) < 0.01)
    cycle = rng.integers(0, 50, address.size) // 10 * (np.arange(address.size) // 20) if timed else 0
    trace = make_trace(write, address, cycle)
    bursts = port_bursts(trace, m, pc, merge=True)
    pcs, port = m.split(address)
    mine = np.flatnonzero(pcs == pc)
    assert np.array_equal(bursts.request, mine)
    expected = reference_bursts(write[mine].tolist(), port[mine].tolist(), trace.cycle[mine].tolist())
    assert list(zip(bursts.first.tolist(), bursts.beats.tolist(), strict=True)) == expected
    assert np.array_equal(bursts.address, port[mine][bursts.first])
    last = bursts.address + (bursts.beats.astype(np.uint64) - np.uint64(1)) * np.uint64(32)
    assert np.array_equal(bursts.address >> np.uint64(12), last >> np.uint64(12))
    assert int(bursts.beats.max()) <= 128


def test_without_merge_each_request_is_one_beat() -> None:
    m = named_map("peers", HBM2)
    trace = make_trace([False, True, False], [0, 0x20, 0x40], [1, 2, 3])
    bursts = port_bursts(trace, m, 0)
    assert bursts.beats.tolist() == [1, 1]
    assert bursts.request.tolist() == [0, 2]
    assert bursts.cycle.tolist() == [1, 3]
    assert port_bursts(trace.head(1), m, 1, merge=True).beats.size == 0
