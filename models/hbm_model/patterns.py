"""Standard traffic patterns, the same ones that the published simulator figures were measured with.

Byte addresses have the layout of the `peers` map: 5 bits inside the access, [PC when both are used], bank group,
column, bank in group, row. With one PC (p1) all requests go to PC 0. Random draws come from numpy's
`default_rng(12345)`, always for the full 1,048,576 requests, so that a shorter pattern is the beginning of the full
one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hbm_model.addrmap import ACCESS_BYTES, DEFAULT_MAP, I64, U64, AddressMap, GeometryLike, Location, named_map
from hbm_model.errors import InputError
from hbm_model.requests import Bools, RequestTrace, make_trace

FULL = 1 << 20
SEED = 12345
WRITE_SHARE = 0.3


class _Maker:
    """Draws of one pattern over one geometry."""

    def __init__(self, address_map: AddressMap, pcs: int) -> None:
        self.map = address_map
        self.pcs = pcs
        self.rng = np.random.default_rng(SEED)
        self.size = address_map.port_bytes * pcs

    def channel(self, address: U64) -> U64:
        """Pattern addresses -> channel addresses: with one PC they lack the PC bit."""
        return address if self.pcs == 2 else self.map.join(0, address)

    def outside(self, address: U64) -> Bools:
        return self.map.outside(self.channel(address))

    def uniform(self, block: int = ACCESS_BYTES, count: int = FULL) -> U64:
        """Uniform random blocks of memory. Draws that fall outside memory (3 x 2^n rows or SIDs) are drawn again."""
        address = self.rng.integers(0, self.size // block, count, dtype=np.uint64) * np.uint64(block)
        bad = np.flatnonzero(self.outside(address))
        while bad.size:
            address[bad] = self.rng.integers(0, self.size // block, bad.size, dtype=np.uint64) * np.uint64(block)
            bad = bad[self.outside(address[bad])]
        return address

    def sequential(self, step: int = ACCESS_BYTES) -> U64:
        """0, step, 2 step ...; wraps at the end of the memory, 32 bytes further each time; holes are passed over."""
        size = np.uint64(self.size)
        count = FULL
        while True:
            at = np.arange(count, dtype=np.uint64) * np.uint64(step)
            address = (at % size + at // size * np.uint64(ACCESS_BYTES)) % size
            address = address[~self.outside(address)]
            if address.size >= FULL:
                return address[:FULL]
            count *= 2

    def writes(self, share: float) -> Bools:
        return self.rng.random(FULL) < share


def _stream(make: _Maker) -> tuple[U64, Bools | bool]:
    return make.sequential(), False


def _streammix(make: _Maker) -> tuple[U64, Bools | bool]:
    return make.sequential(), make.writes(WRITE_SHARE)


def _random(make: _Maker) -> tuple[U64, Bools | bool]:
    return make.uniform(), False


def _mixed(make: _Maker) -> tuple[U64, Bools | bool]:
    return make.uniform(), make.writes(WRITE_SHARE)


def _conflict(make: _Maker) -> tuple[U64, Bools | bool]:
    """Bank 0 of each PC, rows in turn, column 0; with two PCs they alternate."""
    number: I64 = np.arange(FULL)
    zero = np.zeros(FULL, np.int64)
    row = number // make.pcs % make.map.rows
    address = make.map.encode(Location(number % make.pcs, zero, zero, zero, row, zero))
    return address if make.pcs == 2 else make.map.split(address)[1], False


def _seq5050(make: _Maker) -> tuple[U64, Bools | bool]:
    return make.sequential(), make.writes(0.5)


def _blocks(size: int) -> Callable[[_Maker], tuple[U64, Bools | bool]]:
    """Random aligned blocks, each read in 32-byte requests from its start."""

    def pattern(make: _Maker) -> tuple[U64, Bools | bool]:
        per_block = size // ACCESS_BYTES
        start = make.uniform(size, FULL // per_block)
        inside = np.arange(per_block, dtype=np.uint64) * np.uint64(ACCESS_BYTES)
        return (start[:, None] + inside[None, :]).reshape(-1), False

    return pattern


def _half(make: _Maker) -> tuple[U64, Bools | bool]:
    """Even requests stream, odd ones are uniform random."""
    address = make.uniform()
    address[0::2] = make.sequential()[: FULL // 2]
    return address, False


def _hotrow(make: _Maker) -> tuple[U64, Bools | bool]:
    """80 % in one row per PC (bank group, bank and row 0) at a random column, 20 % uniform; PCs by turns in the hot
    row.
    """
    address = make.uniform()
    hot = make.rng.random(FULL) < 0.8
    zero = np.zeros(FULL, np.int64)
    col = make.rng.integers(0, make.map.cols, FULL)
    in_row = make.map.encode(Location(np.arange(FULL) % make.pcs, zero, zero, zero, zero, col))
    in_row = in_row if make.pcs == 2 else make.map.split(in_row)[1]
    return np.where(hot, in_row, address), False


def _two_streams(apart: int) -> Callable[[_Maker], tuple[U64, Bools | bool]]:
    """A read stream and a write stream by turns; the writes half the rows further, `apart` banks of the group on."""

    def pattern(make: _Maker) -> tuple[U64, Bools | bool]:
        reads = make.sequential()[: FULL // 2]
        at = make.map.decode(make.channel(reads))
        there = at._replace(row=(at.row + make.map.rows // 2) % make.map.rows, bank=(at.bank + apart) % make.map.banks)
        writes = make.map.encode(there)
        address = np.empty(FULL, np.uint64)
        address[0::2] = reads
        address[1::2] = writes if make.pcs == 2 else make.map.split(writes)[1]
        return address, np.arange(FULL) % 2 == 1

    return pattern


_PATTERNS: dict[str, Callable[[_Maker], tuple[U64, Bools | bool]]] = {
    "stream": _stream,
    "streammix": _streammix,
    "random": _random,
    "mixed": _mixed,
    "conflict": _conflict,
    "chase": _random,
    "seq5050": _seq5050,
    "rand64": _blocks(64),
    "rand256": _blocks(256),
    "rand4k": _blocks(4096),
    "half": _half,
    "hotrow": _hotrow,
    "twostream": _two_streams(0),
    "twostream_apart": _two_streams(2),
}
STANDARD = ("stream", "streammix", "random", "mixed", "conflict", "chase")
NAMES = (*_PATTERNS, "stride_BYTES")


def outstanding(name: str) -> int:
    """How many requests may be under way at once; 0: no limit."""
    return 1 if name == "chase" else 0


def default_count(name: str) -> int:
    """Requests of the pattern in an ordinary bench run."""
    return 8192 if name in ("conflict", "chase") else 131072


def pattern(name: str, geometry: GeometryLike, pcs: int = 2, count: int | None = None) -> RequestTrace:
    """A standard pattern as a request trace of the channel; pcs 1 (`p1`) or 2 (`p2`), count at most 1,048,576."""
    if pcs not in (1, 2):
        raise InputError(f"a pattern uses 1 or 2 PCs, not {pcs}")
    count = default_count(name) if count is None else count
    if not 1 <= count <= FULL:
        raise InputError(f"a pattern has 1 to {FULL} requests, not {count}")
    make = _Maker(named_map(DEFAULT_MAP, geometry), pcs)
    stride = name.removeprefix("stride_")
    if name in _PATTERNS:
        address, write = _PATTERNS[name](make)
    elif stride != name and stride.isdigit() and int(stride) >= ACCESS_BYTES and int(stride) % ACCESS_BYTES == 0:
        address, write = make.sequential(int(stride)), False
    else:
        raise InputError(f"unknown pattern `{name}`; known: {', '.join(NAMES)} with BYTES a multiple of {ACCESS_BYTES}")
    trace = make_trace(write, make.channel(address), source=f"{name}.p{pcs}", header=(f"pattern {name}, {pcs} PC",))
    return trace.head(count)
