"""Recorder: a program's memory references, filtered through a cache model, become a DRAM request trace.

Valgrind's `lackey` tool prints every instruction, load, store and modify of the program. The stream is parsed while the
program runs, by a compiled kernel that also holds the caches: two levels, write-back, write-allocate, LRU. A miss in
the second level reads a line from DRAM; a dirty line that it drops writes one. What lackey cannot see (prefetchers,
other cores, the operating system) is not in the trace.

Addresses: the program's pages (virtual) become frames of the channel in the order of their first DRAM request, as a
fresh operating system would hand them out, or in a seeded random order.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from hbm_model._jit import the_numba
from hbm_model.addrmap import ACCESS_BYTES, I64, U64
from hbm_model.errors import InputError
from hbm_model.requests import RequestTrace

the_numba()  # machine code goes to the common cache

ROI_BEGIN = 0x4842400000  # traces/programs/roi.h: 8-byte stores to these places are markers
ROI_END = ROI_BEGIN + 8
CHUNK = 1 << 20
PIPE_BYTES = 1 << 20

# State words of the kernel, see _Filter.
_INSTRUCTIONS, _LOADS, _STORES, _OUT, _INSIDE, _STAMP, _L1_MISSES, _L2_MISSES, _MARKERS = range(9)


@dataclass(frozen=True)
class CacheConfig:
    """Two cache levels with lines of line_bytes; sizes in bytes, powers of two."""

    l1_bytes: int = 32 << 10
    l1_ways: int = 8
    l2_bytes: int = 256 << 10
    l2_ways: int = 8
    line_bytes: int = 64

    def __post_init__(self) -> None:
        if self.line_bytes not in (32, 64, 128, 256):
            raise InputError(f"cache lines have 32, 64, 128 or 256 bytes, not {self.line_bytes}")
        for level, size, ways in (("L1", self.l1_bytes, self.l1_ways), ("L2", self.l2_bytes, self.l2_ways)):
            sets = size // (ways * self.line_bytes) if ways > 0 else 0
            if sets < 1 or sets & (sets - 1) or sets * ways * self.line_bytes != size:
                raise InputError(
                    f"{level} of {size} bytes with {ways} ways of {self.line_bytes}-byte lines: "
                    "the number of sets is not a power of two"
                )

    def describe(self) -> str:
        """One line for the header of a trace."""
        return (
            f"L1 {self.l1_bytes >> 10} KiB {self.l1_ways}-way, L2 {self.l2_bytes >> 10} KiB {self.l2_ways}-way, "
            f"{self.line_bytes}-byte lines, LRU, write-back, write-allocate"
        )


@dataclass(frozen=True)
class RecordOptions:
    """How a program is recorded.

    roi: only what lies between the markers of traces/programs/roi.h (the caches are warm by then). skip and limit count
    32-byte requests. ck_per_instruction: CYCLE of a request = instructions since the first recorded one times this
    (None: no CYCLE). scatter: None, or the seed of a random order of frames.
    """

    caches: CacheConfig = field(default_factory=CacheConfig)
    roi: bool = False
    skip: int = 0
    limit: int | None = None
    ck_per_instruction: float | None = None
    page_bytes: int = 4096
    scatter: int | None = None
    channel_bytes: int = 512 << 20
    flush: bool = False  # write dirty lines back at the end


# ---------------------------------------------------------------------- caches


@nb.njit(cache=True)
def _lookup(tags: Any, stamps: Any, dirty: Any, line: Any, stamp: Any, set_mask: Any) -> Any:
    """Way that holds the line, or -1; a hit renews its place in the LRU order."""
    index = np.int64(line & set_mask)
    for way in range(tags.shape[1]):
        if tags[index, way] == line + np.uint64(1):
            stamps[index, way] = stamp
            return way
    return -1


@nb.njit(cache=True)
def _insert(tags: Any, stamps: Any, dirty: Any, line: Any, stamp: Any, set_mask: Any, is_dirty: Any) -> Any:
    """Put a line in place of the least recently used one; returns the dropped line + 1 if it was dirty, else 0."""
    index = np.int64(line & set_mask)
    victim = 0
    for way in range(1, tags.shape[1]):
        if stamps[index, way] < stamps[index, victim]:
            victim = way
    dropped = np.uint64(0)
    if tags[index, victim] != 0 and dirty[index, victim]:
        dropped = tags[index, victim]
    tags[index, victim] = line + np.uint64(1)
    stamps[index, victim] = stamp
    dirty[index, victim] = is_dirty
    return dropped


@nb.njit(cache=True)
def _emit(out: Any, when: Any, state: Any, line: Any, is_write: Any) -> None:
    out[state[_OUT]] = (line << np.uint64(1)) | np.uint64(is_write)
    when[state[_OUT]] = state[_INSTRUCTIONS]
    state[_OUT] += 1


@nb.njit(cache=True)
def _to_l2(l2: Any, state: Any, line: Any, is_write: Any, fill: Any, out: Any, when: Any) -> None:
    """One access of the second level. A write-back brings the whole line, so it needs no fill."""
    tags, stamps, dirty = l2
    state[_STAMP] += 1  # a fill and the write-back that follows it must not tie in the LRU order
    mask = np.uint64(tags.shape[0] - 1)
    way = _lookup(tags, stamps, dirty, line, state[_STAMP], mask)
    if way >= 0:
        if is_write:
            dirty[np.int64(line & mask), way] = True
        return
    state[_L2_MISSES] += 1
    if fill and state[_INSIDE]:
        _emit(out, when, state, line, False)
    dropped = _insert(tags, stamps, dirty, line, state[_STAMP], mask, is_write)
    if dropped != 0 and state[_INSIDE]:
        _emit(out, when, state, dropped - np.uint64(1), True)


@nb.njit(cache=True)
def _access(l1: Any, l2: Any, state: Any, line: Any, is_write: Any, out: Any, when: Any) -> None:
    """One load or store of one line."""
    tags, stamps, dirty = l1
    mask = np.uint64(tags.shape[0] - 1)
    state[_STAMP] += 1
    way = _lookup(tags, stamps, dirty, line, state[_STAMP], mask)
    if way >= 0:
        if is_write:
            dirty[np.int64(line & mask), way] = True
        return
    state[_L1_MISSES] += 1
    _to_l2(l2, state, line, False, True, out, when)
    dropped = _insert(tags, stamps, dirty, line, state[_STAMP], mask, is_write)
    if dropped != 0:
        _to_l2(l2, state, dropped - np.uint64(1), True, False, out, when)


@nb.njit(cache=True)
def _consume(text: Any, size: Any, l1: Any, l2: Any, state: Any, line_bits: Any, roi: Any, out: Any, when: Any) -> Any:
    """Parse whole lines of lackey output until the text ends or `out` is nearly full; returns the bytes consumed."""
    at = 0
    room = out.size - 64  # an access of up to 16 lines causes at most 3 requests a line
    while at < size and state[_OUT] < room:
        end = at
        while end < size and text[end] != 10:
            end += 1
        if end == size:
            break  # the line goes on in the next chunk
        first = text[at]
        if first == 73:  # "I  address,size"
            state[_INSTRUCTIONS] += 1
        elif first == 32 and end - at > 4:  # " L address,size", " S ...", " M ..."
            kind = text[at + 1]
            place = at + 3
            address = np.uint64(0)
            while place < end and text[place] != 44:
                digit = np.uint64(text[place])
                value = digit - np.uint64(48) if digit < 58 else digit - np.uint64(87)
                address = (address << np.uint64(4)) | value
                place += 1
            count = np.uint64(0)
            place += 1
            while place < end:
                count = count * np.uint64(10) + np.uint64(text[place]) - np.uint64(48)
                place += 1
            if address == np.uint64(ROI_BEGIN) or address == np.uint64(ROI_END):
                if kind == 83 and roi:
                    state[_INSIDE] = np.int64(address == np.uint64(ROI_BEGIN))
                    state[_MARKERS] += 1
            else:
                low = address >> line_bits
                high = (address + max(count, np.uint64(1)) - np.uint64(1)) >> line_bits
                if kind != 83:
                    state[_LOADS] += 1
                if kind != 76:
                    state[_STORES] += 1
                line = low
                while line <= high:
                    _access(l1, l2, state, line, kind != 76, out, when)
                    line += np.uint64(1)
        at = end + 1
    return at


class CacheFilter:
    """The two caches and the parser of lackey's output; `feed` takes the stream in pieces of any size."""

    def __init__(self, caches: CacheConfig, roi: bool = False) -> None:
        self.caches = caches
        self.roi = roi
        self._line_bits = np.uint64(caches.line_bytes.bit_length() - 1)
        self._l1 = self._level(caches.l1_bytes, caches.l1_ways)
        self._l2 = self._level(caches.l2_bytes, caches.l2_ways)
        self._state = np.zeros(9, np.int64)
        self._state[_INSIDE] = 0 if roi else 1
        self._rest = b""
        self._lines: list[U64] = []
        self._when: list[I64] = []
        self._out = np.empty(1 << 17, np.uint64)
        self._out_when = np.empty(1 << 17, np.int64)

    def _level(self, size: int, ways: int) -> tuple[Any, Any, Any]:
        shape = (size // (ways * self.caches.line_bytes), ways)
        return np.zeros(shape, np.uint64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)

    @property
    def instructions(self) -> int:
        return int(self._state[_INSTRUCTIONS])

    @property
    def loads(self) -> int:
        return int(self._state[_LOADS])

    @property
    def stores(self) -> int:
        return int(self._state[_STORES])

    @property
    def l1_misses(self) -> int:
        return int(self._state[_L1_MISSES])

    @property
    def l2_misses(self) -> int:
        return int(self._state[_L2_MISSES])

    @property
    def markers(self) -> int:
        """Region markers seen."""
        return int(self._state[_MARKERS])

    @property
    def lines(self) -> int:
        """Cache lines moved to or from DRAM and recorded so far."""
        return sum(part.size for part in self._lines)

    def feed(self, piece: bytes) -> None:
        """Take the next piece of lackey's output."""
        data = self._rest + piece
        text = np.frombuffer(data, np.uint8)
        at = 0
        while True:
            self._state[_OUT] = 0
            used = int(
                _consume(
                    text[at:],
                    text.size - at,
                    self._l1,
                    self._l2,
                    self._state,
                    self._line_bits,
                    self.roi,
                    self._out,
                    self._out_when,
                )
            )
            at += used
            count = int(self._state[_OUT])
            if count:
                self._lines.append(self._out[:count].copy())
                self._when.append(self._out_when[:count].copy())
            if count < self._out.size - 64:
                break
        self._rest = data[at:]

    def access(self, address: npt.ArrayLike, is_write: npt.ArrayLike, size: int = 4) -> None:
        """Take references directly (for traces that come from elsewhere than lackey)."""
        addresses = np.atleast_1d(np.asarray(address)).astype(np.uint64).tolist()
        writes = np.broadcast_to(np.asarray(is_write, np.bool_), (len(addresses),)).tolist()
        lines = [f" {'S' if w else 'L'} {a:x},{size}" for a, w in zip(addresses, writes, strict=True)]
        self.feed(("\n".join(lines) + "\n").encode())

    def flush(self) -> None:
        """Write all dirty lines back, in address order."""
        dirty = [tags[flags & (tags > 0)] - np.uint64(1) for tags, _, flags in (self._l1, self._l2)]
        lines = np.unique(np.concatenate(dirty))
        self._l1[2][:] = False
        self._l2[2][:] = False
        self._lines.append(lines << np.uint64(1) | np.uint64(1))
        self._when.append(np.full(lines.size, self.instructions, np.int64))

    def requests(self) -> tuple[npt.NDArray[np.bool_], U64, I64]:
        """(is a write, virtual byte address, instruction number) of the 32-byte requests so far."""
        line = np.concatenate([np.zeros(0, np.uint64), *self._lines])
        when = np.concatenate([np.zeros(0, np.int64), *self._when])
        per_line = self.caches.line_bytes // ACCESS_BYTES
        start = (line >> np.uint64(1)) << self._line_bits
        inside = np.arange(per_line, dtype=np.uint64) * np.uint64(ACCESS_BYTES)
        address = (start[:, None] + inside[None, :]).reshape(-1)
        return np.repeat((line & np.uint64(1)).astype(np.bool_), per_line), address, np.repeat(when, per_line)


def place_pages(address: U64, options: RecordOptions) -> U64:
    """Virtual addresses -> channel addresses: pages become frames in the order of their first request."""
    page_bytes = options.page_bytes
    if page_bytes < ACCESS_BYTES or page_bytes & (page_bytes - 1):
        raise InputError(f"the page size must be a power of two of at least {ACCESS_BYTES} bytes, not {page_bytes}")
    bits = np.uint64(page_bytes.bit_length() - 1)
    pages, first, number = np.unique(address >> bits, return_index=True, return_inverse=True)
    frames = options.channel_bytes >> int(bits)
    if pages.size > frames:
        raise InputError(f"the program touches {pages.size} pages of {page_bytes} bytes, the channel holds {frames}")
    frame = np.empty(pages.size, np.uint64)
    frame[np.argsort(first)] = np.arange(pages.size, dtype=np.uint64)
    if options.scatter is not None:
        order = np.random.default_rng(options.scatter).permutation(frames).astype(np.uint64)
        frame = order[frame.astype(np.int64)]
    placed: U64 = (frame[number] << bits) | (address & np.uint64(page_bytes - 1))
    return placed


def finish(filtered: CacheFilter, options: RecordOptions, header: Sequence[str] = ()) -> RequestTrace:
    """Make the trace of what the caches let through."""
    if options.flush:
        filtered.flush()
    write, address, when = filtered.requests()
    stop = None if options.limit is None else options.skip + options.limit
    write, address, when = write[options.skip : stop], address[options.skip : stop], when[options.skip : stop]
    if address.size == 0:
        if options.roi and filtered.markers == 0:
            raise InputError(
                "the program never stored to the markers of traces/programs/roi.h; record it without --roi"
            )
        raise InputError("nothing to record: no request reached DRAM (the caches held it all, or --skip is too large)")
    cycle: I64 = np.zeros(address.size, np.int64)
    if options.ck_per_instruction is not None:
        cycle = np.floor((when - when[0]) * options.ck_per_instruction).astype(np.int64)
    placed = place_pages(address, options)
    trace = RequestTrace(write, placed, cycle)
    lines = [
        *header,
        f"caches: {options.caches.describe()}{'; dirty lines written back at the end' if options.flush else ''}",
        f"pages: {options.page_bytes} bytes, frames in "
        + ("order of first request" if options.scatter is None else f"random order, seed {options.scatter}"),
        f"program: {filtered.instructions} instructions, {filtered.loads} loads, {filtered.stores} stores, "
        f"{filtered.l1_misses} L1 misses, {filtered.l2_misses} L2 misses "
        f"({'until the region ends' if options.roi else 'whole run'})",
        f"requests: {trace.reads} reads, {trace.writes} writes, footprint {trace.footprint} bytes",
    ]
    if options.ck_per_instruction is not None:
        lines.append(f"cycle: instructions x {options.ck_per_instruction:g} CK")
    return replace(trace, header=tuple(lines))


# ---------------------------------------------------------------------- running a program


Progress = Callable[[int, int], None]  # (instructions, requests so far)


def find_valgrind() -> str:
    """Path of valgrind, or one clear message."""
    found = shutil.which("valgrind")
    if found is None:
        raise InputError("`hbm record` needs valgrind, which is not in PATH (Debian: apt-get install valgrind)")
    return found


def _end_with_parent() -> None:
    """In the child: die with the recorder, however that ends (prctl PR_SET_PDEATHSIG, Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def record(
    program: Sequence[str],
    options: RecordOptions | None = None,
    progress: Progress | None = None,
    clean_environment: bool = True,
) -> tuple[RequestTrace, CacheFilter]:
    """Run a program under valgrind and return its DRAM requests.

    clean_environment: the program sees only PATH, HOME and LC_ALL, so that the stack of two recordings lies alike. The
    recording ends when the program does, when `limit` is reached or on Ctrl-C (what was recorded until then is kept).
    """
    options = options or RecordOptions()
    if not program:
        raise InputError("give the program to record after `--`, as in: hbm record -o x.trace.zst -- ./program 100")
    valgrind = find_valgrind()
    resolved = shutil.which(program[0])
    if resolved is None:
        raise InputError(f"program `{program[0]}` is not found or not executable")
    filtered = CacheFilter(options.caches, options.roi)
    environment = None
    if clean_environment:
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        environment["LC_ALL"] = "C"
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    command = [valgrind, "--tool=lackey", "--trace-mem=yes", "--basic-counts=no", f"--log-fd={writer}", resolved]
    per_line = options.caches.line_bytes // ACCESS_BYTES
    enough = None if options.limit is None else (options.skip + options.limit + per_line - 1) // per_line
    stopped = ""
    process = subprocess.Popen(
        [*command, *program[1:]],
        pass_fds=(writer,),
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,
    )
    os.close(writer)
    try:
        with os.fdopen(reader, "rb", buffering=0) as stream:
            while True:
                # Lackey writes line by line: gather a decent piece before the kernel is called.
                pieces, size = [], 0
                while size < CHUNK and (piece := stream.read(CHUNK)):
                    pieces.append(piece)
                    size += len(piece)
                if not size:
                    break
                filtered.feed(b"".join(pieces))
                if progress:
                    progress(filtered.instructions, filtered.lines * per_line)
                if enough is not None and filtered.lines >= enough:
                    stopped = f"stopped after {options.limit} requests"
                    break
                if options.roi and filtered.markers >= 2 and not filtered._state[_INSIDE]:
                    # Nothing is recorded any more; the rest of the run (its self-check) needs no tracing, but its
                    # verdict.
                    for _ in iter(lambda: stream.read(CHUNK), b""):
                        pass
                    break
    except KeyboardInterrupt:
        stopped = "interrupted"
    finally:
        if stopped:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    if not stopped and code != 0:
        what = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise InputError(f"the recorded program {what}; nothing was written")
    shown = " ".join([Path(program[0]).name, *program[1:]])
    header = [f"recorded by `hbm record` (valgrind lackey): {shown}{f' ({stopped})' if stopped else ''}"]
    if options.roi:
        header.append("region: between the markers of traces/programs/roi.h, caches warm")
    if options.skip or options.limit is not None:
        header.append(f"cut: skipped {options.skip} requests, limit {options.limit}")
    return finish(filtered, options, header), filtered
