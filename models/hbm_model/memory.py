"""The memory of one channel as the golden model sees it: sparse pages of bytes that remember what was written.

Unwritten memory is not zero: it reads as a fixed hash of its place (docs/bench.md), computed here independently of the
HBM device of the bench, so that a wrong address shows on a pure-read trace too. A page is one DRAM row of one bank; it
is filled with the hash when it is first written, so that reading needs no look at the written mask.

A place is given as (pc, packed), `packed` in the bit order of `hbm_pkg::dram_addr_t` (AddressMap.to_dram,
AddressMap.pack).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from hbm_model._jit import the_numba
from hbm_model.addrmap import ACCESS_BYTES, U64, AddressMap, Location
from hbm_model.errors import InputError

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
Shape = npt.NDArray[np.int64]
the_numba()  # machine code goes to the common cache

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
TRACE_SEED = 0x5851F42D4C957F2D  # XORed into the seed for the write data of traces
WORDS = ACCESS_BYTES // 8
ALL_BYTES = 0xFFFFFFFF
LARGEST_HEX_LINE = 1 << 20

_1, _8, _27, _30, _31 = (np.uint64(value) for value in (1, 8, 27, 30, 31))


# ---------------------------------------------------------------------- the hash


def mix(x: U64) -> U64:
    """The finaliser of splitmix64, element by element."""
    x = (x ^ (x >> _30)) * MIX_1
    x = (x ^ (x >> _27)) * MIX_2
    return x ^ (x >> _31)


def unwritten(seed: int, at: Location) -> U8:
    """Bytes (n, 32) that never-written memory returns at the given places."""
    fields = [np.atleast_1d(np.asarray(value)).astype(np.uint64) for value in at]
    pc, sid, bg, bank, row, col = fields
    shifts = ((bank, 8), (bg, 12), (sid, 16), (pc, 20), (row, 24))
    key = col
    for value, shift in shifts:
        key = key | (value << np.uint64(shift))
    words = key[:, None] | (np.arange(WORDS, dtype=np.uint64) << np.uint64(6))[None, :]
    out: U8 = mix(np.uint64(seed & 0xFFFFFFFFFFFFFFFF) + GOLDEN * (words + _1)).view(np.uint8)
    return out.reshape(-1, ACCESS_BYTES)


def trace_data(seed: int, index: npt.ArrayLike) -> U8:
    """Bytes (n, 32) that the trace requests with these numbers write."""
    number = np.atleast_1d(np.asarray(index)).astype(np.uint64)
    words = number[:, None] * np.uint64(WORDS) + np.arange(WORDS, dtype=np.uint64)[None, :]
    base = np.uint64((seed ^ TRACE_SEED) & 0xFFFFFFFFFFFFFFFF)
    out: U8 = mix(base + GOLDEN * (words + _1)).view(np.uint8)
    return out.reshape(-1, ACCESS_BYTES)


@nb.njit(inline="always")
def _mix(x: Any) -> Any:
    x = (x ^ (x >> _30)) * MIX_1
    x = (x ^ (x >> _27)) * MIX_2
    return x ^ (x >> _31)


@nb.njit(cache=True)
def _unwritten_into(out: Any, seed: Any, pc: Any, packed: Any, shape: Any) -> None:
    """Write the four hash words of one place to `out`; shape: see Memory._shape."""
    one = np.uint64(1)
    col = packed & ((one << np.uint64(shape[0])) - one)
    row = (packed >> np.uint64(shape[1])) & ((one << np.uint64(shape[2])) - one)
    bank = (packed >> np.uint64(shape[3])) & ((one << np.uint64(shape[4])) - one)
    bg = (packed >> np.uint64(shape[5])) & ((one << np.uint64(shape[6])) - one)
    sid = packed >> np.uint64(shape[7])
    key = col | (bank << _8) | (bg << np.uint64(12)) | (sid << np.uint64(16))
    key |= (np.uint64(pc) << np.uint64(20)) | (row << np.uint64(24))
    for word in range(4):
        out[word] = _mix(seed + GOLDEN * ((key | (np.uint64(word) << np.uint64(6))) + one))


@nb.njit(cache=True)
def _read(out: Any, table: Any, pool: Any, seed: Any, pcs: Any, packed: Any, shape: Any) -> None:
    """Read n places into out (n, 4) words."""
    col_bits = np.uint64(shape[0])
    col_mask = (np.uint64(1) << col_bits) - np.uint64(1)
    for i in range(packed.size):
        page = table[(np.uint64(pcs[i]) << np.uint64(shape[8])) | (packed[i] >> col_bits)]
        if page == 0:
            _unwritten_into(out[i], seed, pcs[i], packed[i], shape)
        else:
            source = pool[page - 1, packed[i] & col_mask]
            for word in range(4):
                out[i, word] = source[word]


@nb.njit(cache=True)
def _fill(pool: Any, first: Any, pages: Any, seed: Any, shape: Any) -> None:
    """Fill new pages with the hash; `pages` are indices into the page table."""
    col_bits = np.uint64(shape[0])
    row_bits = np.uint64(shape[8])
    for i in range(pages.size):
        pc = pages[i] >> row_bits
        base = (pages[i] & ((np.uint64(1) << row_bits) - np.uint64(1))) << col_bits
        for col in range(pool.shape[1]):
            _unwritten_into(pool[first + i, col], seed, pc, base | np.uint64(col), shape)


@nb.njit(inline="always")
def _byte_mask(nibble: Any) -> Any:
    """Eight strobe bits -> 64-bit mask."""
    out = np.uint64(0)
    for byte in range(8):
        if (nibble >> byte) & 1:
            out |= np.uint64(0xFF) << np.uint64(8 * byte)
    return out


@nb.njit(cache=True)
def _write_one(table: Any, pool: Any, written: Any, pc: Any, packed: Any, data: Any, strobe: Any, shape: Any) -> None:
    col_bits = np.uint64(shape[0])
    page = table[(np.uint64(pc) << np.uint64(shape[8])) | (packed >> col_bits)] - 1
    col = packed & ((np.uint64(1) << col_bits) - np.uint64(1))
    target = pool[page, col]
    if strobe == np.uint32(ALL_BYTES):
        for word in range(4):
            target[word] = data[word]
    else:
        for word in range(4):
            keep = _byte_mask((np.int64(strobe) >> (8 * word)) & 0xFF)
            target[word] = (target[word] & ~keep) | (data[word] & keep)
    written[page, col] |= strobe


@nb.njit(cache=True)
def _write(table: Any, pool: Any, written: Any, pcs: Any, packed: Any, data: Any, strobes: Any, shape: Any) -> None:
    for i in range(packed.size):
        _write_one(table, pool, written, pcs[i], packed[i], data[i], strobes[i], shape)


@nb.njit(cache=True)
def _replay(
    out: Any,
    table: Any,
    pool: Any,
    written: Any,
    seed: Any,
    is_write: Any,
    pcs: Any,
    packed: Any,
    data: Any,
    strobes: Any,
    shape: Any,
) -> None:
    """Do reads and writes in the given order; reads land in out."""
    for i in range(packed.size):
        if is_write[i]:
            _write_one(table, pool, written, pcs[i], packed[i], data[i], strobes[i], shape)
        else:
            _read(out[i : i + 1], table, pool, seed, pcs[i : i + 1], packed[i : i + 1], shape)


# ---------------------------------------------------------------------- the memory


class Memory:
    """Bytes of one channel (two PCs), read and written in chunks of 32-byte accesses.

    All arrays of one call have n rows; data is (n, 32) uint8, strobes (n,) uint32 with bit i for byte i.
    """

    def __init__(self, address_map: AddressMap, seed: int = 1) -> None:
        self.map = address_map
        self.seed = seed & 0xFFFFFFFFFFFFFFFF
        width, shift = address_map.widths, address_map.shifts
        # col width; row, bank, bg: shift and width; sid shift; bits of a row's number within a PC
        shape = [width["col"], shift["row"], width["row"], shift["bank"], width["bank"], shift["bg"], width["bg"]]
        shape += [shift["sid"], address_map.out_bits - width["col"]]
        self._shape = np.array(shape, np.int64)
        self._table = np.zeros(2 << shape[8], np.int32)  # page number + 1 of each (pc, sid, bg, bank, row), 0: none
        self._keys = np.zeros(0, np.uint64)  # the inverse of the table, in order of first write
        self._pool = np.zeros((0, 1 << width["col"], WORDS), np.uint64)
        self._written = np.zeros((0, 1 << width["col"]), np.uint32)

    # ------------------------------------------------------------------ accesses

    def read(self, pc: npt.ArrayLike, packed: npt.ArrayLike) -> U8:
        """The 32 bytes at each place."""
        places, pcs = self._places(pc, packed)
        out = np.empty((places.size, WORDS), np.uint64)
        _read(out, self._table, self._pool, np.uint64(self.seed), pcs, places, self._shape)
        return out.view(np.uint8)

    def write(
        self, pc: npt.ArrayLike, packed: npt.ArrayLike, data: npt.ArrayLike, strobe: npt.ArrayLike = ALL_BYTES
    ) -> None:
        """Write 32 bytes at each place where the strobe says so; of two writes to one byte the later row wins."""
        places, pcs = self._places(pc, packed)
        words, strobes = self._payload(places.size, data, strobe)
        self._touch(pcs, places)
        _write(self._table, self._pool, self._written, pcs, places, words, strobes, self._shape)

    def replay(
        self,
        is_write: npt.ArrayLike,
        pc: npt.ArrayLike,
        packed: npt.ArrayLike,
        data: npt.ArrayLike,
        strobe: npt.ArrayLike = ALL_BYTES,
    ) -> U8:
        """Do reads and writes in the order of the rows; the result holds read data (rows of writes are 0)."""
        places, pcs = self._places(pc, packed)
        words, strobes = self._payload(places.size, data, strobe)
        writes = np.ascontiguousarray(np.broadcast_to(np.asarray(is_write, np.bool_), places.shape))
        self._touch(pcs[writes], places[writes])
        out = np.zeros((places.size, WORDS), np.uint64)
        _replay(
            out,
            self._table,
            self._pool,
            self._written,
            np.uint64(self.seed),
            writes,
            pcs,
            places,
            words,
            strobes,
            self._shape,
        )
        return out.view(np.uint8)

    def was_written(self, pc: npt.ArrayLike, packed: npt.ArrayLike) -> U32:
        """Which bytes of each place were written, as strobe bits."""
        places, pcs = self._places(pc, packed)
        page = self._table[self._page_key(pcs, places)]
        out = np.zeros(places.size, np.uint32)
        has = page > 0
        col = places & np.uint64((1 << int(self._shape[0])) - 1)
        out[has] = self._written[page[has] - 1, col[has]]
        return out

    @property
    def written_bytes(self) -> int:
        """How many different bytes were written."""
        return int(np.bitwise_count(self._written[: self._keys.size]).sum())

    @property
    def pages(self) -> int:
        """How many rows were written to."""
        return int(self._keys.size)

    def clear(self) -> None:
        """Forget all writes."""
        self._table[self._keys] = 0
        self._keys = self._keys[:0]
        self._written[:] = 0

    # ------------------------------------------------------------------ back door, by channel byte address

    def read_bytes(self, address: int, length: int) -> bytes:
        """`length` bytes from a channel byte address on, whether written or not."""
        self._check_range(address, length)
        if length == 0:
            return b""
        first, last = address // ACCESS_BYTES, (address + length - 1) // ACCESS_BYTES
        pc, port = self.map.split(np.arange(first, last + 1, dtype=np.uint64) * np.uint64(ACCESS_BYTES))
        data = self.read(pc, self.map.to_dram(port)).tobytes()
        skip = address - first * ACCESS_BYTES
        return data[skip : skip + length]

    def write_bytes(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write any number of bytes from a channel byte address on."""
        self._check_range(address, len(data))
        if not data:
            return
        first, last = address // ACCESS_BYTES, (address + len(data) - 1) // ACCESS_BYTES
        skip = address - first * ACCESS_BYTES
        padded = np.zeros((last + 1 - first) * ACCESS_BYTES, np.uint8)
        padded[skip : skip + len(data)] = np.frombuffer(data, np.uint8)
        enable = np.zeros(padded.size, np.uint8)
        enable[skip : skip + len(data)] = 1
        strobe = np.packbits(enable, bitorder="little").view(np.uint32)
        pc, port = self.map.split(np.arange(first, last + 1, dtype=np.uint64) * np.uint64(ACCESS_BYTES))
        self.write(pc, self.map.to_dram(port), padded.reshape(-1, ACCESS_BYTES), strobe)

    def load(self, path: str | Path, address: int = 0) -> int:
        """Load a file into memory; returns the number of bytes. The kind is told by the name:

        .npy  any array, its bytes in C order; .hex  bytes as two hex digits, `@ADDRESS` (hex, added to `address`)
        moves; anything else is taken as raw bytes.
        """
        file = Path(path)
        try:
            if file.suffix == ".npy":
                array = np.load(file, allow_pickle=False)
                self.write_bytes(address, np.ascontiguousarray(array).tobytes())
                return int(array.nbytes)
            if file.suffix == ".hex":
                total = 0
                for at, data in _parse_hex(file):
                    self.write_bytes(address + at, data)
                    total += len(data)
                return total
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error
        except (EOFError, ValueError) as error:
            raise InputError(f"{file}: {error}" if str(file) not in str(error) else str(error)) from error
        self.write_bytes(address, data)
        return len(data)

    def dump(self, path: str | Path, address: int, length: int) -> None:
        """Write `length` bytes from `address` on to a file; the kind is told by the name as in `load`."""
        file = Path(path)
        data = self.read_bytes(address, length)
        if file.suffix == ".npy":
            np.save(file, np.frombuffer(data, np.uint8))
        elif file.suffix == ".hex":
            lines = [f"@{address:x}"]
            lines += [data[at : at + ACCESS_BYTES].hex(" ") for at in range(0, length, ACCESS_BYTES)]
            file.write_text("\n".join(lines) + "\n")
        else:
            file.write_bytes(data)

    def written_ranges(self) -> Iterator[tuple[int, bytes]]:
        """All written bytes as (channel byte address, bytes), in address order, joined where they touch."""
        used = self._keys.size
        if used == 0:
            return
        page, col = np.nonzero(self._written[:used])
        key = self._keys[page]
        row_bits = np.uint64(self._shape[8])
        packed = (key & ((np.uint64(1) << row_bits) - _1)) << np.uint64(self._shape[0]) | col.astype(np.uint64)
        address = self.map.join(key >> row_bits, self.map.to_port(packed))
        order = np.argsort(address)
        data = self._pool[page, col][order].view(np.uint8).reshape(-1)
        enable = np.unpackbits(self._written[page, col][order].view(np.uint8), bitorder="little").astype(np.bool_)
        byte_at = (address[order][:, None] + np.arange(ACCESS_BYTES, dtype=np.uint64)).reshape(-1)[enable]
        values = data[enable]
        breaks = np.flatnonzero(np.diff(byte_at) != _1) + 1
        for low, high in zip([0, *breaks.tolist()], [*breaks.tolist(), byte_at.size], strict=True):
            yield int(byte_at[low]), values[low:high].tobytes()

    # ------------------------------------------------------------------ inside

    def _places(self, pc: npt.ArrayLike, packed: npt.ArrayLike) -> tuple[U64, U8]:
        places = np.ascontiguousarray(np.atleast_1d(np.asarray(packed)).astype(np.uint64))
        pcs = np.ascontiguousarray(np.broadcast_to(np.asarray(pc).astype(np.uint8), places.shape))
        if places.size and (int(places.max()) >> self.map.out_bits or int(pcs.max()) > 1):
            raise ValueError(
                f"a place lies outside the geometry: pc 0..1, packed address below {1 << self.map.out_bits:#x}"
            )
        return places, pcs

    def _payload(self, count: int, data: npt.ArrayLike, strobe: npt.ArrayLike) -> tuple[U64, U32]:
        words = np.ascontiguousarray(np.asarray(data, np.uint8).reshape(-1, ACCESS_BYTES)).view(np.uint64)
        if words.shape[0] != count:
            raise ValueError(f"{count} places but {words.shape[0]} rows of data")
        return words, np.ascontiguousarray(np.broadcast_to(np.asarray(strobe).astype(np.uint32), (count,)))

    def _page_key(self, pcs: U8, places: U64) -> U64:
        key: U64 = (pcs.astype(np.uint64) << np.uint64(self._shape[8])) | (places >> np.uint64(self._shape[0]))
        return key

    def _touch(self, pcs: U8, places: U64) -> None:
        """Give every page that is about to be written its bytes."""
        keys = self._page_key(pcs, places)
        new = np.unique(keys[self._table[keys] == 0])
        if new.size == 0:
            return
        used = self._keys.size
        need = used + new.size
        if need > self._pool.shape[0]:
            # Doubling keeps the copies at a constant share of the work; unused pages cost no real memory until touched.
            size = max(need, 2 * self._pool.shape[0], 64)
            pool = np.empty((size, *self._pool.shape[1:]), np.uint64)
            pool[:used] = self._pool[:used]
            written = np.zeros((size, self._written.shape[1]), np.uint32)
            written[:used] = self._written[:used]
            self._pool, self._written = pool, written
        _fill(self._pool, used, new, np.uint64(self.seed), self._shape)
        self._table[new] = np.arange(used + 1, need + 1, dtype=np.int32)
        self._keys = np.concatenate([self._keys, new])

    def _check_range(self, address: int, length: int) -> None:
        if address < 0 or length < 0 or address + length > self.map.channel_bytes:
            raise InputError(
                f"bytes {address:#x} to {address + length:#x} lie outside the channel's "
                f"{self.map.channel_bytes:#x} bytes"
            )


def _parse_hex(file: Path) -> Iterator[tuple[int, bytes]]:
    """Runs of bytes of a hex file; comments start with // or #."""
    run_start, run = 0, bytearray()
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        for token in line.split("//")[0].split("#")[0].split():
            try:
                if token[0] == "@":
                    if run:
                        yield run_start, bytes(run)
                    run_start, run = int(token[1:], 16), bytearray()
                elif len(token) == 2:
                    run += bytes.fromhex(token)
                else:
                    raise ValueError
            except ValueError:
                raise InputError(
                    f"{file}:{number}: expected bytes as two hex digits or @ADDRESS, found `{token[:40]}`"
                ) from None
            if len(run) >= LARGEST_HEX_LINE:
                yield run_start, bytes(run)
                run_start, run = run_start + len(run), bytearray()
    if run:
        yield run_start, bytes(run)
