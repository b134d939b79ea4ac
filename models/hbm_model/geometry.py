"""Generations, geometries, densities and stack heights of HBM.

A geometry is what an RTL build fixes (`rtl/gen/<name>/hbm_geometry_pkg.sv`); timing is a run-time setting and lives in
`params.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ASSUMED: Final = "assumed"
ACCESS_BITS: Final = 256  # one access moves 32 bytes in every generation
PAGE_BITS: Final = 8192  # 1 KiB row per pseudo-channel


@dataclass(frozen=True)
class Generation:
    """What one standard fixes."""

    std: str  # HBM2, HBM2E, HBM3, HBM4
    number: int  # generation as the RTL counts: 2 (HBM2 and HBM2E), 3, 4
    dq: int  # data pins of one pseudo-channel
    bank_groups: int  # per SID
    banks_per_group: int
    max_sids: int
    row_bits: int  # widest row address, RA pins in ACT
    rate_per_ck: int  # data rate in transfers per pin and CK
    row_pins: int
    col_pins: int
    has_data_mask: bool
    has_cke: bool
    channels: int  # per stack
    source: str

    @property
    def half_edges(self) -> bool:
        """PRE may stand on a falling edge."""
        return self.number >= 3


# Sources of this module. JEDEC tables are not copied; what no public source says is marked `assumed`.
_DRAMSYS = "DRAMSys CheckerHBM2 / MemSpecHBM2"
_PINS = "DRAM-Bender HBM_interface.v"
_HBM3 = "Ramulator 2 hbm3.py; US 11636885 (pins)"
_HBM4 = "Ramulator 2 hbm4.py; HBM4 course notes (JESD270-4 draft)"

GENERATIONS: Final[dict[str, Generation]] = {
    g.std: g
    for g in (
        Generation("HBM2", 2, 64, 4, 4, 2, 15, 2, 6, 8, True, True, 8, f"{_DRAMSYS}; {_PINS}"),
        Generation("HBM2E", 2, 64, 4, 4, 3, 15, 2, 6, 8, True, True, 8, f"{_DRAMSYS}; {_PINS}; 12-high: {ASSUMED}"),
        Generation("HBM3", 3, 32, 4, 4, 4, 15, 4, 10, 8, False, False, 16, _HBM3),
        Generation("HBM4", 4, 32, 2, 8, 4, 14, 4, 10, 8, False, False, 32, _HBM4),
    )
}


@dataclass(frozen=True)
class Density:
    """One die density: what a channel holds per SID, and the rows of a bank that follow from it."""

    std: str
    die_gb: int  # Gb per die
    channel_gb: int  # Gb per channel and SID
    rows: int  # per bank; 3 x 2^n leaves the top quarter of the row address invalid
    source: str


def rows_of(channel_gb: int) -> int:
    """Rows per bank of a channel with `channel_gb` Gb per SID: 2 PCs, 16 banks, 1 KiB pages."""
    return channel_gb * 2**30 // (2 * 16 * PAGE_BITS)


_ARITHMETIC = "2 PCs x 16 banks x 1 KiB rows; Ramulator 2 presets; AttAcc organisations"

DENSITIES: Final = tuple(
    Density(std, die, channel, rows_of(channel), _ARITHMETIC)
    for std, die, channel in (
        ("HBM2", 8, 4),
        ("HBM2E", 8, 4),
        ("HBM2E", 16, 8),
        ("HBM3", 8, 2),
        ("HBM3", 16, 4),
        ("HBM3", 24, 6),
        ("HBM3", 32, 8),
        ("HBM4", 24, 3),
        ("HBM4", 32, 4),
    )
)


@dataclass(frozen=True)
class Stack:
    """A stack height and the SIDs that a channel then sees; four dies make one SID in every generation."""

    std: str
    height: int
    sids: int
    source: str


STACKS: Final = (
    *(Stack(std, 4 * sids, sids, _DRAMSYS) for std in ("HBM2", "HBM2E") for sids in (1, 2)),
    Stack("HBM2E", 12, 3, ASSUMED),
    *(Stack("HBM3", 4 * sids, sids, _HBM3) for sids in (1, 2, 3, 4)),
    *(Stack("HBM4", 4 * sids, sids, _HBM4) for sids in (1, 2, 3, 4)),
)


@dataclass(frozen=True)
class PinPlacement:
    """Where a bit stands on the command pins."""

    field: str
    command: str
    bus: str  # R or C
    edge: str  # rise or fall, of the command's first CK
    pin: int
    source: str


# 16 Gb HBM2E dies have one more R and one more C pin; no public source shows what they carry, so all of this is a
# guess in one place.
HBM2E_EXTRA_PINS: Final = (
    PinPlacement("RA14", "ACT", "R", "fall", 6, ASSUMED),
    PinPlacement("SID1", "ACT", "R", "rise", 6, ASSUMED),
    PinPlacement("SID1", "PRE REFSB", "R", "rise", 6, ASSUMED),
    PinPlacement("SID1", "RD WR", "C", "rise", 8, ASSUMED),
)


@dataclass(frozen=True)
class Geometry:
    """Geometry of one channel, with the fields of `hbm_geometry_pkg`."""

    name: str
    generation: int
    has_data_mask: bool
    has_cke: bool
    sids: int
    bgs: int  # bank groups per SID
    banks: int  # per bank group
    rows: int  # per bank
    cols: int  # 32-byte accesses per row
    row_pins: int
    col_pins: int

    @property
    def sid_width(self) -> int:
        """Bits of a SID, at least 1."""
        return width_of(self.sids)

    @property
    def bg_width(self) -> int:
        """Bits of a bank group number."""
        return width_of(self.bgs)

    @property
    def ba_width(self) -> int:
        """Bits of a bank number within its group."""
        return width_of(self.banks)

    @property
    def row_width(self) -> int:
        """Bits of a row number."""
        return width_of(self.rows)

    @property
    def col_width(self) -> int:
        """Bits of a column number."""
        return width_of(self.cols)

    @property
    def num_banks(self) -> int:
        """Banks per pseudo-channel, all SIDs."""
        return self.sids * self.bgs * self.banks


def width_of(count: int) -> int:
    """Bits that number `count` things, at least 1."""
    return max(1, (count - 1).bit_length())


DEFAULT_ROWS: Final = 16384


def geometry(std: str, sids: int, rows: int = DEFAULT_ROWS) -> Geometry:
    """Return the geometry of a channel;

    the name is `hbm<generation>_s<sids>`, with `_r<rows>` when rows are not 2^14.
    """
    gen = GENERATIONS[std]
    # RA14 and the second SID bit need the extra pins of large HBM2E dies.
    extra = 1 if gen.number == 2 and (rows > 2**14 or sids > 2) else 0
    name = f"hbm{gen.number}_s{sids}" + ("" if rows == DEFAULT_ROWS else f"_r{rows}")
    return Geometry(
        name=name,
        generation=gen.number,
        has_data_mask=gen.has_data_mask,
        has_cke=gen.has_cke,
        sids=sids,
        bgs=gen.bank_groups,
        banks=gen.banks_per_group,
        rows=rows,
        cols=32,
        row_pins=gen.row_pins + extra,
        col_pins=gen.col_pins + extra,
    )
