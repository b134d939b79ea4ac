"""The recorder: its caches against a plain model, its parser, page placement, and (with valgrind and gcc) a real
program.
"""

import re
import shutil
import subprocess
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from debian import needs_recorder
from hbm_model.errors import InputError
from hbm_model.record import ROI_BEGIN, ROI_END, CacheConfig, CacheFilter, RecordOptions, finish, place_pages, record

SMALL = CacheConfig(l1_bytes=1024, l1_ways=2, l2_bytes=4096, l2_ways=4, line_bytes=64)
PROGRAMS = Path(__file__).resolve().parents[2] / "traces" / "programs"


@pytest.fixture(scope="module")
def recorder() -> None:
    """Valgrind and a compiler."""
    needs_recorder()


class PlainCache:
    """One level, as ordered dictionaries: line -> dirty, oldest first."""

    def __init__(self, size: int, ways: int, line: int) -> None:
        self.ways = ways
        self.sets: list[OrderedDict[int, bool]] = [OrderedDict() for _ in range(size // ways // line)]

    def hit(self, line: int, write: bool) -> bool:
        entries = self.sets[line % len(self.sets)]
        if line not in entries:
            return False
        entries[line] = entries[line] or write
        entries.move_to_end(line)
        return True

    def insert(self, line: int, dirty: bool) -> int | None:
        entries = self.sets[line % len(self.sets)]
        victim = None
        if len(entries) == self.ways:
            old, was_dirty = entries.popitem(last=False)
            victim = old if was_dirty else None
        entries[line] = dirty
        return victim


def plain_requests(config: CacheConfig, references: list[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """(is a write, line) of each DRAM access, by the plain model."""
    l1 = PlainCache(config.l1_bytes, config.l1_ways, config.line_bytes)
    l2 = PlainCache(config.l2_bytes, config.l2_ways, config.line_bytes)
    out: list[tuple[bool, int]] = []

    def second(line: int, write: bool, fill: bool) -> None:
        if l2.hit(line, write):
            return
        if fill:
            out.append((False, line))
        victim = l2.insert(line, write)
        if victim is not None:
            out.append((True, victim))

    for write, address in references:
        line = address // config.line_bytes
        if l1.hit(line, write):
            continue
        second(line, False, True)
        victim = l1.insert(line, write)
        if victim is not None:
            second(victim, True, False)
    return out


def lackey(references: list[tuple[bool, int]], size: int = 4) -> bytes:
    return "".join(f"I  04001000,3\n {'S' if w else 'L'} {a:x},{size}\n" for w, a in references).encode()


@pytest.mark.parametrize("line_bytes", [32, 64, 128])
def test_caches_match_a_plain_model(line_bytes: int) -> None:
    """Random references over eight times the second level, with reuse; fed in pieces that cut lines of text
    anywhere.
    """
    config = CacheConfig(l1_bytes=1024, l1_ways=2, l2_bytes=4096, l2_ways=4, line_bytes=line_bytes)
    rng = np.random.default_rng(1)
    places = np.where(rng.random(6000) < 0.5, rng.integers(0, 8192, 6000), rng.integers(0, 1 << 15, 6000)) * 4
    references = [(bool(w), int(a)) for w, a in zip(rng.random(6000) < 0.3, places, strict=True)]
    filtered = CacheFilter(config)
    text = lackey(references)
    cuts = np.sort(rng.integers(0, len(text), 200)).tolist()
    for low, high in zip([0, *cuts], [*cuts, len(text)], strict=True):
        filtered.feed(text[low:high])
    write, address, when = filtered.requests()
    expected = plain_requests(config, references)
    per_line = line_bytes // 32
    assert write[::per_line].tolist() == [w for w, _ in expected]
    assert (address[::per_line] // np.uint64(line_bytes)).tolist() == [line for _, line in expected]
    assert (np.diff(address.reshape(-1, per_line), axis=1) == 32).all()
    assert (filtered.instructions, filtered.loads + filtered.stores) == (6000, 6000)
    assert (np.diff(when) >= 0).all()
    assert int(when[-1]) <= 6000


def test_more_requests_than_one_buffer_holds() -> None:
    """A piece whose requests overflow the kernel's output is consumed in several rounds, none lost."""
    count = 150_000
    filtered = CacheFilter(SMALL)
    filtered.feed(b"".join(b" S %x,8\n" % (64 * i) for i in range(count)))
    write, _, _ = filtered.requests()
    resident = (SMALL.l1_bytes + SMALL.l2_bytes) // 64
    assert int((~write).sum()) == 2 * count
    assert 2 * (count - resident) <= int(write.sum()) < 2 * count


def test_loads_stores_and_modifies() -> None:
    """A modify is a load and a store of one line; an access over a line's end touches both; other text is passed
    over.
    """
    filtered = CacheFilter(SMALL)
    filtered.feed(b"==12== Lackey\n==12== Command: x\n M 0000001000,8\n L 103e,4\n S 2000,1\nI  4000,4\n")
    write, address, _ = filtered.requests()
    assert (filtered.loads, filtered.stores, filtered.instructions) == (2, 2, 1)
    assert sorted({int(a) & ~63 for a in address}) == [0x1000, 0x1040, 0x2000]
    assert not write.any()
    filtered.flush()
    write, address, _ = filtered.requests()
    assert address[write].tolist() == [0x1000, 0x1020, 0x2000, 0x2020]


def test_only_the_region_is_recorded_and_the_caches_are_warm() -> None:
    references = lackey([(False, 0x1000)])
    markers = [f" S {place:x},8\n".encode() for place in (ROI_BEGIN, ROI_END)]
    filtered = CacheFilter(SMALL, roi=True)
    filtered.feed(
        references + markers[0] + references + lackey([(False, 0x8000)]) + markers[1] + lackey([(False, 0x9000)])
    )
    trace = finish(filtered, RecordOptions(SMALL, roi=True))
    assert len(trace) == 2  # 0x8000 only: 0x1000 was cached before, 0x9000 comes after
    assert filtered.markers == 2
    never = CacheFilter(SMALL, roi=True)
    never.feed(references)
    with pytest.raises(InputError, match="never stored to the markers"):
        finish(never, RecordOptions(SMALL, roi=True))


def test_skip_limit_and_cycles() -> None:
    filtered = CacheFilter(SMALL)
    filtered.feed(lackey([(False, 4096 * i) for i in range(10)]))
    trace = finish(filtered, RecordOptions(SMALL, skip=4, limit=6, ck_per_instruction=2.5))
    assert trace.address.tolist() == [0x0, 0x20, 0x1000, 0x1020, 0x2000, 0x2020]
    assert trace.cycle.tolist() == [0, 0, 2, 2, 5, 5]
    with pytest.raises(InputError, match="nothing to record"):
        finish(filtered, RecordOptions(SMALL, skip=400))


def test_pages_become_frames_in_order_of_first_request() -> None:
    address = np.array([0x7FFF_0000_1020, 0x5000, 0x7FFF_0000_1FE0, 0x9000, 0x5020], np.uint64)
    assert place_pages(address, RecordOptions()).tolist() == [0x20, 0x1000, 0xFE0, 0x2000, 0x1020]
    large = place_pages(address, RecordOptions(page_bytes=1 << 21)).tolist()
    assert large == [0x1020, 0x205000, 0x1FE0, 0x209000, 0x205020]
    scattered = place_pages(address, RecordOptions(scatter=3))
    assert np.array_equal(scattered & np.uint64(4095), address & np.uint64(4095))
    assert len(np.unique(scattered >> np.uint64(12))) == 3
    assert np.array_equal(scattered, place_pages(address, RecordOptions(scatter=3)))
    assert int(scattered.max()) < 512 << 20
    with pytest.raises(InputError, match="touches 3 pages of 4096 bytes, the channel holds 2"):
        place_pages(address, RecordOptions(channel_bytes=8192))
    with pytest.raises(InputError, match="page size must be a power of two"):
        place_pages(address, RecordOptions(page_bytes=3000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"line_bytes": 48}, "32, 64, 128 or 256 bytes, not 48"),
        ({"l1_bytes": 3000}, "L1 of 3000 bytes .* not a power of two"),
        ({"l2_ways": 7}, "L2 of 262144 bytes with 7 ways"),
        ({"l1_ways": 0}, "L1 of 32768 bytes with 0 ways"),
    ],
)
def test_impossible_caches_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CacheConfig(**change)


def test_a_missing_valgrind_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"needs valgrind, which is not in PATH \(Debian: apt-get install valgrind\)"):
        record(["true"])
    with pytest.raises(InputError, match="give the program to record after `--`"):
        record([])


def compiled(tmp_path: Path, name: str, source: str) -> str:
    """Compile a C text against traces/programs/roi.h."""
    (tmp_path / f"{name}.c").write_text(source)
    command = ["gcc", "-O2", f"-I{PROGRAMS}", "-o", str(tmp_path / name), str(tmp_path / f"{name}.c"), "-lm"]
    subprocess.run(command, check=True)
    return str(tmp_path / name)


STREAM = """
#include "roi.h"
int main(int argc, char **argv) {
  int n = hbm_argument(argc, argv, 1, 32768);
  volatile uint64_t *a = hbm_alloc(8 * n);
  for (int i = 0; i < n; i++) a[i] = i;
  uint64_t sum = 0;
  hbm_roi_begin();
  for (int i = 0; i < n; i++) sum += a[i];
  hbm_roi_end();
  return argc > 2 ? 3 : sum != (uint64_t)n * (n - 1) / 2;
}
"""


@pytest.mark.usefixtures("recorder")
def test_a_program_is_recorded(tmp_path: Path) -> None:
    """A stream over 256 KiB with a 4 KiB second level: each line is read once, and the dirty rest of the
    start is written.
    """
    program = compiled(tmp_path, "stream", STREAM)
    seen: list[int] = []
    options = RecordOptions(SMALL, roi=True)
    trace, filtered = record([program, "32768"], options, progress=lambda instructions, requests: seen.append(requests))
    assert filtered.markers == 2
    assert seen
    reads = trace.address[~trace.write]
    assert abs(reads.size - 8192) <= 16  # a few lines of stack and locals besides the array
    assert 0 < trace.writes <= 2 * (1024 + 4096) // 64  # what was still dirty when the region began
    assert 0.99 < np.mean(np.diff(reads) == 32) <= 1
    assert re.search(r"recorded by `hbm record` \(valgrind lackey\): stream 32768$", trace.header[0])
    assert not any(str(tmp_path) in line for line in trace.header)
    again, _ = record([program, "32768"], options)
    assert np.array_equal(again.address, trace.address)
    assert np.array_equal(again.write, trace.write)


@pytest.mark.usefixtures("recorder")
def test_a_limit_ends_the_program(tmp_path: Path) -> None:
    program = compiled(
        tmp_path, "stream", STREAM.replace("i < n; i++) sum", "i < 2000000000; i++) sum").replace("a[i];", "a[i % n];")
    )
    trace, _ = record([program], RecordOptions(SMALL, roi=True, limit=1000))
    assert len(trace) == 1000
    assert "stopped after 1000 requests" in trace.header[0]


@pytest.mark.usefixtures("recorder")
def test_a_program_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    program = compiled(tmp_path, "stream", STREAM)
    with pytest.raises(InputError, match="the recorded program ended with exit code 3; nothing was written"):
        record([program, "4096", "x"], RecordOptions(SMALL, roi=True))
    with pytest.raises(InputError, match="program `nowhere` is not found"):
        record(["nowhere"])
