"""Address maps: which DRAM address a byte address of the channel goes to.

A map is linear over GF(2): each DRAM address bit is the XOR of chosen address bits, so any fixed layout and any bank
hash is a setting of the same hardware. Two addresses are in play:

* channel address: the byte address of a request trace, with the bit that selects the pseudo-channel (PC);
* port address: the byte address at the AXI port of one PC; the channel address without that bit.

DRAM address bits are numbered as in `hbm_pkg::dram_addr_t`, `{sid, bg, ba, row, col}` with the column at bit 0; bit 0
of a mask is address bit 5, because bits 4..0 select a byte of the 32 that one access moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hbm_model.errors import InputError

OFFSET_BITS = 5  # 32 bytes an access
ACCESS_BYTES = 1 << OFFSET_BITS

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


class GeometryLike(Protocol):
    """What a map needs to know of a geometry (hbm_model.geometry.Geometry is one)."""

    @property
    def sids(self) -> int: ...
    @property
    def bgs(self) -> int: ...
    @property
    def banks(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...


class Location(NamedTuple):
    """DRAM addresses as arrays of equal shape; `bank` counts within its bank group."""

    pc: I64
    sid: I64
    bg: I64
    bank: I64
    row: I64
    col: I64


# LSB first, from address bit 5 up. `x` stands for all bits of field x that are not named on their own (`x0` is its bit
# 0). Second entry: bank hash, one string per hashed bit: target = target XOR the row bits that follow.
NAMED_MAPS: dict[str, tuple[str, tuple[str, ...]]] = {
    # Streams touch all bank groups in turn, so same-group column gaps never bind; the row is opened once per 8 KiB.
    "peers": ("pc bg col bank sid row", ()),
    # Aligned blocks of 256 B and more stay within two banks: fewer activates for block-random traffic.
    "bg0_col_bg1": ("pc bg0 col bg1 bank sid row", ()),
    # The textbook orders, most significant field first in the name.
    "row_bank_col": ("pc col bg bank sid row", ()),
    "bank_row_col": ("pc col row bg bank sid", ()),
    # As `peers` and `bg0_col_bg1`, with bank bits folded with two row bits each: power-of-two strides spread over the
    # banks.
    "peers_hashed": (
        "pc bg col bank sid row",
        ("bg0 row0 row4", "bg1 row1 row5", "bank0 row2 row6", "bank1 row3 row7"),
    ),
    "hashed": ("pc bg0 col bg1 bank sid row", ("bg0 row3 row7", "bg1 row0 row4", "bank0 row1 row5", "bank1 row2 row6")),
    # Aligned 64 bytes of a PC lie in one row: half the activates for random blocks of 64 B, and streams as in `peers`.
    "col0_bg": ("pc col0 bg col bank sid row", ()),
    # As `col0_bg`, for strides from 64 B to 64 KiB. Four pages of 4 KiB in a row meet four bank groups and four banks,
    # because the bank bits are folded into the group; rows go through all {group, bank} by x^i modulo x^4 + x^3 + 1, so
    # any four row bits in a row spread over all 16 banks. HBM4 has one group bit, and its third bank bit in place of
    # the other.
    "col0_bg_hashed": (
        "pc col0 bg col bank sid row",
        (
            "bg0 bank0 row0 row2 row4 row5 row8 row12 row13",
            "bg1 bank1 row1 row3 row4 row7 row11 row12 row13",
            "bank0 row2 row6 row7 row8 row9 row11 row13",
            "bank1 row3 row4 row5 row6 row8 row10 row11",
            "bank2 row1 row3 row4 row7 row11 row12 row13",
        ),
    ),
    # For both PCs: the PC above aligned blocks, so that a block lies in one PC and opens one row (64 B), or two.
    "col0_pc_bg": ("col0 pc bg col bank sid row", ()),
    "bg0_col_bg1_pc": ("bg0 col bg1 pc bank sid row", ()),
}
DEFAULT_MAP = "peers"
MAP_FILES = (".json", ".yaml", ".yml")  # endings of map files (map_file.py)


def _width(count: int) -> int:
    return max(0, (count - 1).bit_length())


def _packed_width(count: int) -> int:
    """Width of a field in `dram_addr_t`: at least one bit."""
    return max(1, _width(count))


def _parity_table(masks: Sequence[int], in_bits: int) -> list[U64]:
    """Tables of the linear map, one per 12 input bits: out = table0[x & 4095] ^ table1[(x >> 12) & 4095] ^ ..."""
    tables: list[U64] = []
    for low in range(0, max(in_bits, 1), 12):
        x = np.arange(4096, dtype=np.uint64)
        table = np.zeros(4096, np.uint64)
        for bit, mask in enumerate(masks):
            part = (mask >> low) & 0xFFF
            if part:
                table |= (np.bitwise_count(x & np.uint64(part)).astype(np.uint64) & np.uint64(1)) << np.uint64(bit)
        tables.append(table)
    return tables


def _apply(tables: Sequence[U64], x: U64) -> U64:
    out: U64 = tables[0][x & np.uint64(0xFFF)]
    for index, table in enumerate(tables[1:], start=1):
        out = out ^ table[(x >> np.uint64(12 * index)) & np.uint64(0xFFF)]
    return out


def _u64(value: npt.ArrayLike) -> U64:
    return np.asarray(value).astype(np.uint64)


@dataclass(frozen=True)
class AddressMap:
    """One map for one geometry; checked to be one-to-one when it is made.

    `masks[i]` selects the port address bits (bit 0 = address bit 5) whose XOR is DRAM address bit i. `pc_bit` is the
    channel address bit that is taken out to form the port address; `pc_mask` selects the channel address bits (bit 0 =
    address bit 5) whose XOR is the PC, and holds `pc_bit`.
    """

    name: str
    sids: int
    bgs: int
    banks: int
    rows: int
    cols: int
    masks: tuple[int, ...]
    pc_bit: int = OFFSET_BITS
    pc_mask: int = 1
    _tables: tuple[list[U64], list[U64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.masks) != self.out_bits:
            raise InputError(
                f"map {self.name}: {self.out_bits} masks are needed, one per DRAM address bit, not {len(self.masks)}"
            )
        for bit, mask in enumerate(self.masks):
            if mask < 0 or mask >> self.in_bits:
                top = OFFSET_BITS + self.in_bits - 1
                raise InputError(
                    f"map {self.name}: the mask of {self.bit_name(bit)} reaches past port address bit {top}"
                )
        if not (self.pc_mask >> (self.pc_bit - OFFSET_BITS)) & 1 or self.pc_mask >> (self.in_bits + 1):
            raise InputError(
                f"map {self.name}: the PC must be an XOR of channel address bits that holds bit {self.pc_bit}"
            )
        inverse = self._inverse()
        object.__setattr__(
            self, "_tables", (_parity_table(self.masks, self.in_bits), _parity_table(inverse, self.out_bits))
        )

    # ------------------------------------------------------------------ shape

    @property
    def widths(self) -> dict[str, int]:
        """Width in bits of each field of `dram_addr_t`, LSB first."""
        counts = {"col": self.cols, "row": self.rows, "bank": self.banks, "bg": self.bgs, "sid": self.sids}
        return {name: _packed_width(count) for name, count in counts.items()}

    @property
    def out_bits(self) -> int:
        """Bits of `dram_addr_t` (hbm_pkg::MapOutBits)."""
        return sum(self.widths.values())

    @property
    def in_bits(self) -> int:
        """Port address bits above the byte offset (hbm_pkg::MapInBits)."""
        return sum(_width(count) for count in (self.sids * self.bgs * self.banks, self.rows, self.cols))

    @property
    def shifts(self) -> dict[str, int]:
        """Bit position of each field in `dram_addr_t`."""
        out: dict[str, int] = {}
        at = 0
        for name, width in self.widths.items():
            out[name] = at
            at += width
        return out

    @property
    def port_bytes(self) -> int:
        """Size of the port's address range (2^n; with rows or SIDs of 3 x 2^n a part of it is not memory)."""
        return 1 << (OFFSET_BITS + self.in_bits)

    @property
    def channel_bytes(self) -> int:
        """Size of the channel's address range, both PCs."""
        return 2 * self.port_bytes

    def bit_name(self, bit: int) -> str:
        """Readable name of a DRAM address bit."""
        for name, at in self.shifts.items():
            if at <= bit < at + self.widths[name]:
                return f"{name}{bit - at}"
        raise ValueError(f"DRAM address bit {bit} does not exist")

    # ------------------------------------------------------------------ one-to-one

    def _inverse(self) -> tuple[int, ...]:
        """Masks of the inverse map over DRAM address bits; raises when the map is not one-to-one."""
        unused = set()  # the sid bit when there is one SID only: it is always 0
        if _width(self.sids) == 0:
            unused.add(self.shifts["sid"])
            if self.masks[self.shifts["sid"]]:
                raise InputError(f"map {self.name}: the mask of sid0 must be 0, the geometry has one SID")
        for name, count in (("bg", self.bgs), ("bank", self.banks), ("col", self.cols)):
            if _width(count) == 0:
                unused.add(self.shifts[name])
        rows = [(self.masks[bit], 1 << bit) for bit in range(self.out_bits) if bit not in unused]
        solved: dict[int, tuple[int, int]] = {}  # leading input bit -> (mask, DRAM bits it was made of)
        for mask, made_of in rows:
            for lead, (other, other_made_of) in solved.items():
                if (mask >> lead) & 1:
                    mask ^= other
                    made_of ^= other_made_of
            if mask == 0:
                names = [self.bit_name(bit) for bit in range(self.out_bits) if (made_of >> bit) & 1]
                what = (
                    f"{names[0]} is always 0"
                    if len(names) == 1
                    else f"{names[-1]} is the same as {names[0]}"
                    if len(names) == 2
                    else f"{names[-1]} is the XOR of {', '.join(names[:-1])}"
                )
                raise InputError(f"map {self.name} is not one-to-one: {what}{self._collision()}")
            lead = mask.bit_length() - 1
            for key, (other, other_made_of) in solved.items():
                if (other >> lead) & 1:
                    solved[key] = (other ^ mask, other_made_of ^ made_of)
            solved[lead] = (mask, made_of)
        return tuple(solved[bit][1] for bit in range(self.in_bits))

    def _collision(self) -> str:
        """Two port addresses that meet, in words; the change of address bits that no DRAM address bit sees."""
        columns = [sum(((mask >> at) & 1) << bit for bit, mask in enumerate(self.masks)) for at in range(self.in_bits)]
        reduced: dict[int, tuple[int, int]] = {}  # leading DRAM bit -> (DRAM bits, address bits it was made of)
        for at, column in enumerate(columns):
            made_of = 1 << at
            while column and column.bit_length() - 1 in reduced:
                other, other_made_of = reduced[column.bit_length() - 1]
                column ^= other
                made_of ^= other_made_of
            if column:
                reduced[column.bit_length() - 1] = (column, made_of)
                continue
            bits = [str(OFFSET_BITS + each) for each in range(self.in_bits) if (made_of >> each) & 1]
            which = f"bit {bits[0]} changes" if len(bits) == 1 else f"bits {', '.join(bits)} together change"
            return f"; port address {which} nothing, so 0x0 and {made_of << OFFSET_BITS:#x} go to the same place"
        return ""

    # ------------------------------------------------------------------ channel <-> port <-> DRAM

    def split(self, channel_address: npt.ArrayLike) -> tuple[I64, U64]:
        """Channel byte addresses -> (pc, port byte addresses)."""
        address = _u64(channel_address)
        pc = np.bitwise_count((address >> np.uint64(OFFSET_BITS)) & np.uint64(self.pc_mask)).astype(np.int64) & 1
        low = np.uint64((1 << self.pc_bit) - 1)
        return pc, (address & low) | ((address >> np.uint64(1)) & ~low)

    def join(self, pc: npt.ArrayLike, port_address: npt.ArrayLike) -> U64:
        """(pc, port byte addresses) -> channel byte addresses."""
        address = _u64(port_address)
        low = np.uint64((1 << self.pc_bit) - 1)
        out = (address & low) | ((address & ~low) << np.uint64(1))
        others = np.bitwise_count((out >> np.uint64(OFFSET_BITS)) & np.uint64(self.pc_mask)).astype(np.uint64)
        selected: U64 = out | (((others ^ _u64(pc)) & np.uint64(1)) << np.uint64(self.pc_bit))
        return selected

    def to_dram(self, port_address: npt.ArrayLike) -> U64:
        """Port byte addresses -> packed DRAM addresses (`dram_addr_t`). The byte offset is dropped; the range is not
        checked.
        """
        return _apply(self._tables[0], _u64(port_address) >> np.uint64(OFFSET_BITS))

    def to_port(self, packed: npt.ArrayLike) -> U64:
        """Packed DRAM addresses -> port byte addresses of their first byte."""
        return _apply(self._tables[1], _u64(packed)) << np.uint64(OFFSET_BITS)

    def pack(
        self, sid: npt.ArrayLike, bg: npt.ArrayLike, bank: npt.ArrayLike, row: npt.ArrayLike, col: npt.ArrayLike
    ) -> U64:
        """Fields -> packed DRAM addresses."""
        at = self.shifts
        out = _u64(col)
        for name, value in (("row", row), ("bank", bank), ("bg", bg), ("sid", sid)):
            out = out | (_u64(value) << np.uint64(at[name]))
        return out

    def unpack(self, pc: npt.ArrayLike, packed: npt.ArrayLike) -> Location:
        """(pc, packed DRAM addresses) -> fields."""
        word = _u64(packed)
        parts = {
            name: ((word >> np.uint64(at)) & np.uint64((1 << self.widths[name]) - 1)).astype(np.int64)
            for name, at in self.shifts.items()
        }
        pcs = np.broadcast_to(np.asarray(pc, np.int64), word.shape)
        return Location(pcs, parts["sid"], parts["bg"], parts["bank"], parts["row"], parts["col"])

    def decode(self, channel_address: npt.ArrayLike) -> Location:
        """Channel byte addresses -> DRAM locations."""
        pc, port = self.split(channel_address)
        return self.unpack(pc, self.to_dram(port))

    def encode(self, at: Location) -> U64:
        """DRAM locations -> channel byte addresses."""
        return self.join(at.pc, self.to_port(self.pack(at.sid, at.bg, at.bank, at.row, at.col)))

    def outside(self, channel_address: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which channel byte addresses are not memory (the controller answers DECERR)."""
        address = _u64(channel_address)
        at = self.decode(address)
        return (address >= np.uint64(self.channel_bytes)) | (at.row >= self.rows) | (at.sid >= self.sids)

    def port_outside(self, port_address: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which port byte addresses are not memory."""
        address = _u64(port_address)
        at = self.unpack(0, self.to_dram(address))
        return (address >= np.uint64(self.port_bytes)) | (at.row >= self.rows) | (at.sid >= self.sids)

    # ------------------------------------------------------------------ out

    def csr_values(self) -> dict[str, Any]:
        """What the registers of the map hold: `row_limit` and `mask`, one per DRAM address bit
        (hbm_pkg::addr_map_t).
        """
        return {"row_limit": self.rows, "mask": list(self.masks)}

    def layout(self) -> str:
        """One line, LSB first: what each address bit from bit 5 up mainly feeds; hashed bits are named with their
        XOR.
        """
        feeds: dict[int, list[str]] = {}
        for bit, mask in enumerate(self.masks):
            for position in range(self.in_bits):
                if (mask >> position) & 1:
                    channel_bit = OFFSET_BITS + position + (1 if OFFSET_BITS + position >= self.pc_bit else 0)
                    feeds.setdefault(channel_bit, []).append(self.bit_name(bit))
        for position in range(self.in_bits + 1):
            if (self.pc_mask >> position) & 1:
                feeds.setdefault(OFFSET_BITS + position, []).insert(0, "pc")
        return " ".join("+".join(feeds[bit]) for bit in sorted(feeds))


def map_from_layout(name: str, layout: str, geometry: GeometryLike, hashes: Sequence[str] = ()) -> AddressMap:
    """Build a map from a layout, LSB first from address bit 5 (`"pc bg col bank sid row"`), and hash lines (`"bg0 row0
    row4"`).

    Each field stands once as a whole or bit by bit (`bg0 ... bg1`; a later whole field takes the bits not named). Hash
    lines may name bits that a small geometry lacks; those are dropped, so one definition serves every geometry. The
    target `pc` folds address bits into the choice of the PC.
    """
    counts = {
        "col": geometry.cols,
        "row": geometry.rows,
        "bank": geometry.banks,
        "bg": geometry.bgs,
        "sid": geometry.sids,
    }
    real = {field_name: _width(count) for field_name, count in counts.items()}
    tokens = layout.replace(",", " ").split()
    named = {token for token in tokens if token[-1:].isdigit()}
    order: list[tuple[str, int]] = []
    for token in tokens:
        base = token.rstrip("0123456789")
        if base == "pc" and token == "pc":
            order.append(("pc", 0))
        elif base in real and token != base:
            bit = int(token[len(base) :])
            if bit < real[base]:
                order.append((base, bit))
        elif base in real:
            order += [(base, bit) for bit in range(real[base]) if f"{base}{bit}" not in named]
        else:
            raise InputError(
                f"map {name}: `{token}` is no address field; use pc, sid, bg, bank, row, col or one bit such as bg0"
            )
    for slot in order:
        if order.count(slot) > 1:
            raise InputError(f"map {name}: {slot[0]}{slot[1] if slot[0] != 'pc' else ''} stands twice in the layout")
    wanted = [("pc", 0)] + [(base, bit) for base, width in real.items() for bit in range(width)]
    absent = [slot for slot in wanted if slot not in order]
    if absent:
        raise InputError(f"map {name}: {absent[0][0]} is missing from the layout")

    pc_at = order.index(("pc", 0))
    position = {slot: index for index, slot in enumerate(slot for slot in order if slot[0] != "pc")}
    masks: dict[tuple[str, int], int] = {slot: 1 << index for slot, index in position.items()}
    pc_mask = 1 << pc_at
    for line in hashes:
        target, *sources = [_hash_bit(name, word, counts) for word in line.replace(",", " ").split()]
        if target == ("pc", 0):
            for source in sources:
                if source in position:  # channel address bits count the PC's own bit, port address bits do not
                    pc_mask ^= 1 << (position[source] + (position[source] >= pc_at))
            continue
        if target not in position:
            continue  # a geometry with fewer banks has no such bit
        for source in sources:
            if source in position:
                masks[target] ^= 1 << position[source]
    packed = {base: _packed_width(count) for base, count in counts.items()}
    ordered = tuple(
        masks.get((base, bit), 0) for base in ("col", "row", "bank", "bg", "sid") for bit in range(packed[base])
    )
    return AddressMap(
        name,
        geometry.sids,
        geometry.bgs,
        geometry.banks,
        geometry.rows,
        geometry.cols,
        ordered,
        OFFSET_BITS + pc_at,
        pc_mask,
    )


def _hash_bit(name: str, word: str, fields: Mapping[str, int]) -> tuple[str, int]:
    """`bank1` -> ("bank", 1); `pc` -> ("pc", 0)."""
    base = word.rstrip("0123456789")
    if word == "pc":
        return "pc", 0
    if base not in fields or base == word:
        raise InputError(f"map {name}: `{word}` in a hash is no bit of an address field; write bg0, bank1, row5, or pc")
    return base, int(word[len(base) :])


def named_map(name: str, geometry: GeometryLike) -> AddressMap:
    """A map for a geometry: one of NAMED_MAPS, a layout such as `pc,bg0,col,bg1,bank,sid,row`, or a map file."""
    if name in NAMED_MAPS:
        layout, hashes = NAMED_MAPS[name]
        return map_from_layout(name, layout, geometry, hashes)
    if name.lower().endswith(MAP_FILES):
        from hbm_model.map_file import map_of_file  # it needs this module

        return map_of_file(name, geometry)
    if "," in name or " " in name:
        return map_from_layout(name, name, geometry)
    raise InputError(
        f"unknown map `{name}`; known: {', '.join(NAMED_MAPS)}, a layout such as pc,bg,col,bank,sid,row, "
        "or a file (.json, .yaml)"
    )


def map_from_masks(
    name: str,
    masks: Mapping[str, int] | Sequence[int],
    geometry: GeometryLike,
    pc_bit: int = OFFSET_BITS,
    pc_mask: int | None = None,
) -> AddressMap:
    """A map from raw masks as the registers hold them, by DRAM address bit order or by bit name (`{"col0": 4,
    ...}`).
    """
    probe = named_map(DEFAULT_MAP, geometry)
    if isinstance(masks, Mapping):
        unknown = set(masks) - {probe.bit_name(bit) for bit in range(probe.out_bits)}
        if unknown:
            raise InputError(f"map {name}: unknown DRAM address bit `{sorted(unknown)[0]}`")
        masks = [masks.get(probe.bit_name(bit), 0) for bit in range(probe.out_bits)]
    if pc_mask is None:
        pc_mask = 1 << (pc_bit - OFFSET_BITS)
    return AddressMap(name, probe.sids, probe.bgs, probe.banks, probe.rows, probe.cols, tuple(masks), pc_bit, pc_mask)
