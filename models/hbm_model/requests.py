"""Request traces: our own format, those of three simulators, and bursts made of them.

Our format holds one 32-byte request a line, `R|W 0xADDRESS [CYCLE]`: ADDRESS is the channel's byte address (the map's
PC bit included), CYCLE the earliest CK at which the request is offered (0 when absent). `#` starts a comment. Files may
be plain, gzip or zstd; which one is told by the first bytes, not by the name.

Reading is vectorised: the text is cut into tokens with numpy, so that a million lines take well under a second, and the
first wrong line is still named.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard

from hbm_model.addrmap import ACCESS_BYTES, I64, OFFSET_BITS, U64, AddressMap
from hbm_model.errors import InputError

Bools = npt.NDArray[np.bool_]

FORMATS = {
    "hbm": "`R|W 0xADDRESS [CYCLE]`",
    "ramulator2": "`LD|ST ADDRESS` or `R|W ADDRESS` (0x: hexadecimal, else decimal)",
    "dramsim3": "`ADDRESS READ|WRITE CYCLE` (ADDRESS hexadecimal)",
    "stl": "`CYCLE: [(BYTES)] read|write 0xADDRESS [DATA]`",
    "rstl": "`CYCLES: [(BYTES)] read|write 0xADDRESS [DATA]`",
}
BURST_BOUNDARY = 4096  # no AXI burst crosses it
LONGEST_BURST = 256  # beats

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class RequestTrace:
    """Requests in order, one 32-byte access each.

    write: True for a write; address: channel byte address, a multiple of 32; cycle: earliest CK (0: at once).
    """

    write: Bools
    address: U64
    cycle: I64
    source: str = ""
    header: tuple[str, ...] = ()  # comment lines that stand above the first request, without `#`
    line: I64 | None = field(default=None, repr=False, compare=False)  # line of the file each request came from

    def __post_init__(self) -> None:
        if not self.write.shape == self.address.shape == self.cycle.shape:
            raise ValueError("write, address and cycle must have one entry per request")

    def __len__(self) -> int:
        return int(self.address.size)

    @property
    def reads(self) -> int:
        return len(self) - self.writes

    @property
    def writes(self) -> int:
        return int(np.sum(self.write, dtype=np.int64))

    @property
    def timed(self) -> bool:
        """Whether any request has an earliest CK."""
        return bool((self.cycle > 0).any())

    @property
    def footprint(self) -> int:
        """Bytes of memory touched."""
        return int(np.unique(self.address).shape[0]) * ACCESS_BYTES

    def head(self, count: int) -> RequestTrace:
        """The first `count` requests."""
        line = None if self.line is None else self.line[:count]
        return replace(
            self, write=self.write[:count], address=self.address[:count], cycle=self.cycle[:count], line=line
        )

    def where(self, index: int) -> str:
        """`file:line` of a request, or its number when it came from no file."""
        if self.line is not None:
            return f"{self.source}:{int(self.line[index])}"
        return f"{self.source or 'requests'}: request {index}"

    def check_range(self, address_map: AddressMap) -> RequestTrace:
        """Raise when a request lies outside the memory; returns self."""
        bad = np.flatnonzero(address_map.outside(self.address))
        if bad.size:
            first = int(bad[0])
            raise InputError(
                f"{self.where(first)}: address {int(self.address[first]):#x} lies outside the memory "
                f"({address_map.channel_bytes:#x} bytes a channel, map {address_map.name})"
            )
        return self

    def folded(self, address_map: AddressMap) -> RequestTrace:
        """The same requests with addresses taken modulo the channel's size (for traces of larger systems)."""
        return replace(self, address=self.address & np.uint64(address_map.channel_bytes - 1))


def make_trace(
    write: npt.ArrayLike, address: npt.ArrayLike, cycle: npt.ArrayLike = 0, source: str = "", header: Iterable[str] = ()
) -> RequestTrace:
    """A trace from anything array-like; scalars are spread over all requests."""
    addresses = np.ascontiguousarray(np.atleast_1d(np.asarray(address)).astype(np.uint64))
    writes = np.ascontiguousarray(np.broadcast_to(np.asarray(write, np.bool_), addresses.shape))
    cycles = np.ascontiguousarray(np.broadcast_to(np.asarray(cycle).astype(np.int64), addresses.shape))
    return RequestTrace(writes, addresses, cycles, source, tuple(header))


# ---------------------------------------------------------------------- files


def read_bytes(path: str | Path) -> bytes:
    """Content of a plain, gzip or zstd file."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if raw.startswith(_GZIP_MAGIC):
            return gzip.decompress(raw)
        if raw.startswith(_ZSTD_MAGIC):
            return _zstd(raw)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise InputError(f"{path}: damaged compressed file ({error})") from error
    return raw


def _zstd(raw: bytes) -> bytes:
    """All frames of a zstd file; a frame that ends early is an error (the library itself returns what there is)."""
    out = []
    while raw:
        frame = zstandard.ZstdDecompressor().decompressobj()
        out.append(frame.decompress(raw))
        if not frame.eof:
            raise EOFError("the file ends inside a frame")
        raw = frame.unused_data
    return b"".join(out)


def write_bytes(path: str | Path, data: bytes, level: int = 6) -> None:
    """Write a file, compressed by its suffix (.gz, .zst); the same data gives the same bytes. level: of zstd, to 19."""
    file = Path(path)
    if file.suffix == ".gz":
        data = gzip.compress(data, 9, mtime=0)
    elif file.suffix == ".zst":
        data = zstandard.ZstdCompressor(level=level).compress(data)
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def write_requests(path: str | Path, trace: RequestTrace, header: Iterable[str] | None = None, level: int = 6) -> None:
    """Write a trace in our format, compressed by the file's suffix (.gz, .zst); level: of zstd, to 19."""
    lines = [f"# {line}".rstrip() for line in (trace.header if header is None else header)]
    kinds = np.where(trace.write, "W", "R").tolist()
    addresses = trace.address.tolist()
    if trace.timed:
        lines += [f"{k} {a:#x} {c}" for k, a, c in zip(kinds, addresses, trace.cycle.tolist(), strict=True)]
    else:
        lines += [f"{k} {a:#x}" for k, a in zip(kinds, addresses, strict=True)]
    write_bytes(path, ("\n".join(lines) + "\n").encode(), level)


# ---------------------------------------------------------------------- tokens


class _Tokens:
    """The words of a text: start, length and line of each, and the first word and word count of each line with
    words.
    """

    def __init__(self, text: bytes, source: str) -> None:
        if b"#" in text:
            text = re.sub(rb"#[^\n]*", lambda found: b" " * len(found.group()), text)
        self.source = source
        self.text = np.frombuffer(text + b"\n", np.uint8)
        word = self.text > 32
        edges = np.flatnonzero(np.diff(np.concatenate([[False], word]).astype(np.int8)))
        self.start, end = edges[0::2], edges[1::2]
        self.length = end - self.start
        newlines = np.flatnonzero(self.text == 10)
        self.line = np.searchsorted(newlines, self.start) + 1
        new_line = np.flatnonzero(np.diff(self.line, prepend=0))
        self.first = new_line
        self.count = np.diff(np.append(new_line, self.line.size))

    def words(self, index: I64) -> U64:
        """The first eight characters of each word in upper case, as one number; longer words give a value of no
        word.
        """
        out = np.zeros(index.size, np.uint64)
        start, length = self.start[index], self.length[index]
        for at in range(8):
            char = self.text[np.minimum(start + at, self.text.size - 1)]
            char = np.where((char >= 97) & (char <= 122), char - 32, char)
            out |= np.where(at < length, char, 0).astype(np.uint64) << np.uint64(8 * at)
        return np.where(length > 8, np.uint64(0xFFFFFFFFFFFFFFFF), out)

    def starts_with_0x(self, index: I64) -> Bools:
        start = self.start[index]
        second = self.text[np.minimum(start + 1, self.text.size - 1)]
        found: Bools = (self.text[start] == 48) & ((second | 32) == 120) & (self.length[index] > 2)
        return found

    def char(self, index: I64, at: I64) -> npt.NDArray[np.uint8]:
        """Character `at` of each word, negative from its end."""
        offset = np.where(at < 0, self.length[index] + at, at)
        chars: npt.NDArray[np.uint8] = self.text[self.start[index] + offset]
        return chars

    def number(self, index: I64, base: int, skip: I64 | int = 0, trim: int = 0) -> tuple[U64, Bools]:
        """Value of each word without its first `skip` and last `trim` characters, and whether it is a number at all."""
        start = self.start[index] + skip
        length = self.length[index] - skip - trim
        good = length > 0
        value = np.zeros(index.size, np.uint64)
        digits = np.zeros(index.size, np.int64)  # without leading zeros, to see an overflow of 64 bits
        for at in range(int(length.max(initial=0))):
            inside = at < length
            char = self.text[np.where(inside, start + at, 0)].astype(np.int64)
            digit = np.where((char >= 48) & (char <= 57), char - 48, 99)
            if base == 16:
                digit = np.where((char | 32 >= 97) & (char | 32 <= 102), (char | 32) - 87, digit)
            good &= ~inside | (digit < base)
            value = np.where(inside, value * np.uint64(base) + digit.astype(np.uint64), value)
            digits += inside & ((digits > 0) | (digit > 0))
        return value, good & (digits <= (15 if base == 16 else 18))

    def fail(self, bad: Bools, per_line: Bools | None, expected: str) -> None:
        """Raise for the first line that is marked bad."""
        if not bad.any():
            return
        token = int(self.first[np.flatnonzero(bad)[0]])
        low = int(self.start[token])
        line = bytes(self.text[low : low + 200]).split(b"\n")[0].decode("latin-1").strip()
        shown = line if len(line) <= 60 else line[:57] + "..."
        raise InputError(f"{self.source}:{int(self.line[token])}: expected {expected}, found `{shown}`")


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.upper().encode(), "little"))


_READ_WORDS = {
    "hbm": ("R",),
    "ramulator2": ("LD", "R"),
    "dramsim3": ("READ", "R", "P_MEM_RD", "P_FETCH"),
    "stl": ("READ",),
    "rstl": ("READ",),
}
_WRITE_WORDS = {
    "hbm": ("W",),
    "ramulator2": ("ST", "W"),
    "dramsim3": ("WRITE", "W", "P_MEM_WR", "BOFF"),
    "stl": ("WRITE",),
    "rstl": ("WRITE",),
}


def _is_one_of(words: U64, names: Iterable[str]) -> Bools:
    return np.isin(words, np.array([_word(name) for name in names], np.uint64))


def _kinds(tokens: _Tokens, fmt: str, index: I64) -> tuple[Bools, Bools]:
    """(is a write, is a known word)."""
    words = tokens.words(index)
    write = _is_one_of(words, _WRITE_WORDS[fmt])
    return write, write | _is_one_of(words, _READ_WORDS[fmt])


@dataclass(frozen=True)
class _Accesses:
    """What a foreign line says, before it is cut into 32-byte requests; size 0: the file's usual size."""

    write: Bools
    address: U64
    cycle: I64
    size: I64
    line: I64


def _parse_hbm(t: _Tokens) -> _Accesses:
    expected = FORMATS["hbm"]
    t.fail((t.count < 2) | (t.count > 3), None, expected)
    write, known = _kinds(t, "hbm", t.first)
    t.fail(~known | ~t.starts_with_0x(t.first + 1), None, expected)
    address, good = t.number(t.first + 1, 16, skip=2)
    timed = t.count == 3
    cycle = np.zeros(t.first.size, np.uint64)
    cycle_good = np.ones(t.first.size, np.bool_)
    cycle[timed], cycle_good[timed] = t.number(t.first[timed] + 2, 10)
    t.fail(~good | ~cycle_good, None, expected)
    t.fail(
        (address & np.uint64(ACCESS_BYTES - 1)) != 0,
        None,
        f"{expected} with an ADDRESS that is a multiple of {ACCESS_BYTES} (`hbm convert` aligns foreign traces)",
    )
    return _Accesses(write, address, cycle.astype(np.int64), np.zeros(t.first.size, np.int64), t.line[t.first])


def _parse_ramulator2(t: _Tokens) -> _Accesses:
    expected = FORMATS["ramulator2"]
    t.fail(t.count != 2, None, expected)
    write, known = _kinds(t, "ramulator2", t.first)
    hexadecimal = t.starts_with_0x(t.first + 1)
    address, good = t.number(t.first + 1, 10)
    address[hexadecimal], good[hexadecimal] = t.number(t.first[hexadecimal] + 1, 16, skip=2)
    t.fail(~known | ~good, None, expected)
    none = np.zeros(t.first.size, np.int64)
    return _Accesses(write, address, none, none, t.line[t.first])


def _parse_dramsim3(t: _Tokens) -> _Accesses:
    expected = FORMATS["dramsim3"]
    t.fail(t.count != 3, None, expected)
    write, known = _kinds(t, "dramsim3", t.first + 1)
    address, good = t.number(t.first, 16, skip=np.where(t.starts_with_0x(t.first), 2, 0))
    cycle, cycle_good = t.number(t.first + 2, 10)
    t.fail(~known | ~good | ~cycle_good, None, expected)
    none = np.zeros(t.first.size, np.int64)
    return _Accesses(write, address, cycle.astype(np.int64), none, t.line[t.first])


def _parse_stl(t: _Tokens, relative: bool = False) -> _Accesses:
    expected = FORMATS["rstl" if relative else "stl"]
    t.fail(t.count < 3, None, expected)
    cycle, good = t.number(t.first, 10, trim=1)
    t.fail(~good | (t.char(t.first, np.full(t.first.size, -1)) != ord(":")), None, expected)
    sized = t.char(t.first + 1, np.zeros(t.first.size, np.int64)) == ord("(")
    t.fail(t.count < 3 + sized, None, expected)
    size = np.zeros(t.first.size, np.uint64)
    size_good = np.ones(t.first.size, np.bool_)
    size[sized], size_good[sized] = t.number(t.first[sized] + 1, 10, skip=1, trim=1)
    size_good &= ~sized | ((t.char(t.first + 1, np.full(t.first.size, -1)) == ord(")")) & (size > 0))
    at = t.first + 1 + sized
    write, known = _kinds(t, "stl", at)
    address, address_good = t.number(at + 1, 16, skip=2)
    bad = ~size_good | ~known | ~t.starts_with_0x(at + 1) | ~address_good | (t.count > 4 + sized)
    t.fail(bad, None, expected)
    when = cycle.astype(np.int64)
    # A relative trace counts from the end of the previous transaction, which a file cannot know: the gaps are added up.
    return _Accesses(write, address, np.cumsum(when) if relative else when, size.astype(np.int64), t.line[t.first])


_PARSERS: dict[str, Callable[[_Tokens], _Accesses]] = {
    "hbm": _parse_hbm,
    "ramulator2": _parse_ramulator2,
    "dramsim3": _parse_dramsim3,
    "stl": _parse_stl,
    "rstl": lambda tokens: _parse_stl(tokens, relative=True),
}


def _guess(tokens: _Tokens, name: str) -> str:
    """The format of a file: by its suffix for DRAMSys traces, else by its first request."""
    suffixes = [suffix for suffix in Path(name).suffixes if suffix not in (".gz", ".zst")]
    if suffixes and suffixes[-1] in (".stl", ".rstl"):
        return suffixes[-1][1:]
    first = tokens.first[:1]
    word = tokens.words(first)
    if _is_one_of(word, ("LD", "ST"))[0]:
        return "ramulator2"
    if _is_one_of(word, ("R", "W"))[0]:
        if tokens.count[0] == 2 and not tokens.starts_with_0x(first + 1)[0]:
            return "ramulator2"
        return "hbm"
    if tokens.char(first, np.array([-1]))[0] == ord(":"):
        return "stl"
    if tokens.count[0] == 3 and _kinds(tokens, "dramsim3", first + 1)[1][0]:
        return "dramsim3"
    return "hbm"


def _split(accesses: _Accesses, usual: int, cycle_scale: float) -> tuple[Bools, U64, I64, I64]:
    """Cut accesses into the 32-byte requests that they touch."""
    sized = accesses.size > 0
    size = np.where(sized, accesses.size, usual).astype(np.uint64)
    # Without a size of its own an access moves one block of the usual size, and simulators drop the address bits below
    # it.
    start = np.where(sized, accesses.address, accesses.address & ~np.uint64(usual - 1))
    first = start >> np.uint64(OFFSET_BITS)
    last = (start + size - np.uint64(1)) >> np.uint64(OFFSET_BITS)
    pieces = (last - first).astype(np.int64) + 1
    which = np.repeat(np.arange(pieces.size), pieces)
    step = np.arange(which.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    address = (first[which] + step.astype(np.uint64)) << np.uint64(OFFSET_BITS)
    cycle = accesses.cycle
    if cycle_scale != 1:
        cycle = np.ceil(cycle * cycle_scale).astype(np.int64)
    return accesses.write[which], address, cycle[which], accesses.line[which]


def read_requests(
    path: str | Path, fmt: str = "auto", access_bytes: int = ACCESS_BYTES, cycle_scale: float = 1.0
) -> RequestTrace:
    """Read a request trace of any known format into our 32-byte requests.

    fmt: a key of FORMATS, or `auto`. For foreign formats, access_bytes is the size of an access whose line gives none
    (a power of two, 32 or more), and cycle_scale the CK per clock of the trace's cycle column.
    """
    if fmt != "auto" and fmt not in _PARSERS:
        raise InputError(f"unknown trace format `{fmt}`; known: auto, {', '.join(FORMATS)}")
    if access_bytes < ACCESS_BYTES or access_bytes & (access_bytes - 1):
        raise InputError(f"the access size must be a power of two of at least {ACCESS_BYTES} bytes, not {access_bytes}")
    if not cycle_scale > 0:
        raise InputError(f"the cycle scale must be positive, not {cycle_scale}")
    text = read_bytes(path)
    if b"\0" in text[:4096]:
        raise InputError(f"{path}: not a text file; expected {FORMATS['hbm']} lines")
    tokens = _Tokens(text, str(path))
    if tokens.first.size == 0:
        raise InputError(f"{path}: holds no request")
    chosen = _guess(tokens, str(path)) if fmt == "auto" else fmt
    accesses = _PARSERS[chosen](tokens)
    if chosen == "hbm":
        write, address, cycle, line = accesses.write, accesses.address, accesses.cycle, accesses.line
    else:
        write, address, cycle, line = _split(accesses, access_bytes, cycle_scale)
    header = []
    for row in text[:65536].decode("latin-1").splitlines():
        if not row.startswith("#"):
            break
        header.append(row[1:].strip())
    return RequestTrace(write, address, cycle, str(path), tuple(header), line)


# ---------------------------------------------------------------------- bursts


@dataclass(frozen=True)
class Bursts:
    """INCR bursts of one AXI port made of the requests of a trace; beats are 32 bytes wide.

    request[first[i] : first[i] + beats[i]] are the numbers in the trace of the requests that burst i stands for.
    """

    address: U64  # port byte address
    beats: I64
    write: Bools
    cycle: I64
    first: I64
    request: I64


def port_bursts(trace: RequestTrace, address_map: AddressMap, pc: int, merge: bool = False) -> Bursts:
    """The transactions that the port of one PC offers, in trace order.

    Without merge each request is one single-beat transaction. With merge, requests that follow each other on this port
    with the same kind and rising addresses become one burst, up to 256 beats and never across 4 KiB; a request with a
    CYCLE later than that of its burst's first request starts a new burst, because it may not be offered earlier.
    """
    pcs, port = address_map.split(trace.address)
    request = np.flatnonzero(pcs == pc)
    address, write, cycle = port[request], trace.write[request], trace.cycle[request]
    count = request.size
    if not merge or count == 0:
        ones = np.ones(count, np.int64)
        return Bursts(address, ones, write, cycle, np.arange(count), request)
    follows = np.zeros(count, np.bool_)
    follows[1:] = (address[1:] == address[:-1] + np.uint64(ACCESS_BYTES)) & (write[1:] == write[:-1])
    follows[1:] &= (address[1:] & np.uint64(BURST_BOUNDARY - 1)) != 0
    # Inside a run a later CYCLE than any before it cuts; runs are at most 128 beats, since none crosses 4 KiB.
    assert BURST_BOUNDARY // ACCESS_BYTES <= LONGEST_BURST
    if trace.timed:
        starts = np.flatnonzero(~follows)
        while True:
            run = np.searchsorted(starts, np.arange(count), side="right") - 1
            late = follows & (cycle > cycle[starts[run]])
            if not late.any():
                break
            # Only the first late request of each run is a certain cut; those after it are judged anew.
            rows = np.flatnonzero(late)
            rows = rows[np.diff(run[rows], prepend=-1) != 0]
            follows[rows] = False
            starts = np.flatnonzero(~follows)
    first = np.flatnonzero(~follows)
    beats = np.diff(np.append(first, count))
    return Bursts(address[first], beats, write[first], cycle[first], first, request)
