"""Pin words of the command buses: tables of the encodings, an encoder and a decoder, for each generation.

A command is a row of pin names per clock edge, written from pin 0 upwards, as data sheets print them:

* ``0`` / ``1``: part of the code; ``-``: free, driven 1 and ignored by the decoder;
* ``BA0``..``BA3``: {bank group, bank} of the PC; ``SID0``, ``SID1``; ``RA<n>`` row; ``CA<n>`` bit n of the 32-byte
  column; ``PC``; ``AP``; ``MA<n>``, ``OP<n>`` of a mode register write; ``DRFM`` (HBM4, never set);
* ``PAR`` (HBM2): makes the falling word of its own bus even.

HBM2: from a public controller that drives silicon (DRAM Bender), confirmed by an independent decoder; SID places from
the decoder alone; the level of free pins and the reach of PAR are this project's choice. HBM2E with 7/9 pins: the extra
pin is assumed. HBM3/HBM4: places of PC, SID, BA and of RA[7:0], the NOP and power-down codes are public; every other
code is assumed, as in ``rtl/phy/hbm_opcode_pkg.sv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

PinTable = dict[str, tuple[str, ...]]

# ---------------------------------------------------------------- HBM2: rising, falling (ACT: two of each)

HBM2_ROW: PinTable = {
    "RNOP": ("1 1 1 - - -", "- - PAR - - -"),
    "ACT": (
        "0 1 SID0 BA0 BA1 BA2",
        "RA11 RA12 PAR PC RA13 BA3",
        "RA5 RA6 RA7 RA8 RA9 RA10",
        "RA0 RA1 PAR RA2 RA3 RA4",
    ),
    "PRE": ("1 1 0 BA0 BA1 BA2", "0 SID0 PAR PC 0 BA3"),
    "PREA": ("1 1 0 - - -", "0 SID0 PAR PC 1 -"),
    "REFSB": ("0 0 1 BA0 BA1 BA2", "1 SID0 PAR PC 0 BA3"),
    "REF": ("0 0 1 - - -", "1 SID0 PAR PC 1 -"),
}
HBM2_COL: PinTable = {
    "CNOP": ("1 1 1 - - - - -", "- - PAR - - - - -"),
    "RD": ("1 0 1 AP BA0 BA1 BA2 BA3", "SID0 CA0 PAR CA1 CA2 CA3 CA4 PC"),
    "WR": ("1 0 0 AP BA0 BA1 BA2 BA3", "SID0 CA0 PAR CA1 CA2 CA3 CA4 PC"),
    "MRS": ("0 0 0 OP7 MA0 MA1 MA2 MA3", "OP0 OP1 PAR OP2 OP3 OP4 OP5 OP6"),
}
# HBM2E of 16 Gb dies or 12 high: what pins R6 and C8 carry (assumed).
HBM2E_R6: PinTable = {
    "RNOP": ("-", "-"),
    "ACT": ("SID1", "RA14", "-", "-"),
    "PRE": ("SID1", "-"),
    "PREA": ("-", "-"),
    "REFSB": ("SID1", "-"),
    "REF": ("-", "-"),
}
HBM2E_C8: PinTable = {"CNOP": ("-", "-"), "RD": ("SID1", "-"), "WR": ("SID1", "-"), "MRS": ("-", "-")}

# ---------------------------------------------------------------- HBM3, HBM4: one word per edge

HBM3_ROW: PinTable = {
    "RNOP": ("1 1 1 1 - - - - - -",),
    "PDE": ("0 1 0 1 - - - - - -",),
    "SRE": ("0 1 0 0 - - - - - -",),
    "ACT": (
        "0 1 1 PC SID0 SID1 BA0 BA1 BA2 BA3",
        "- - RA8 RA9 RA10 RA11 RA12 RA13 RA14 -",
        "- - RA0 RA1 RA2 RA3 RA4 RA5 RA6 RA7",
    ),
    "PRE": ("1 1 0 PC SID0 SID1 BA0 BA1 BA2 BA3",),
    "PREA": ("1 0 0 PC - - - - - -",),
    "REFSB": ("0 0 1 PC SID0 SID1 BA0 BA1 BA2 BA3",),
    "REF": ("0 0 0 PC - - - - - 1",),
    "RFM": ("0 0 0 PC - - - - - 0",),
    "RFMSB": ("1 0 1 PC SID0 SID1 BA0 BA1 BA2 BA3",),
}
HBM3_COL: PinTable = {
    "CNOP": ("1 1 1 - - - - -", "- - - - - - - -"),
    "RD": ("1 0 1 PC BA0 BA1 BA2 BA3", "CA0 CA1 CA2 CA3 CA4 AP SID0 SID1"),
    "WR": ("1 0 0 PC BA0 BA1 BA2 BA3", "CA0 CA1 CA2 CA3 CA4 AP SID0 SID1"),
    "MRS": ("0 0 0 MA0 MA1 MA2 MA3 MA4", "OP0 OP1 OP2 OP3 OP4 OP5 OP6 OP7"),
}
HBM4_ROW: PinTable = HBM3_ROW | {
    "ACT": (HBM3_ROW["ACT"][0], "- - RA8 RA9 RA10 RA11 RA12 RA13 - DRFM", HBM3_ROW["ACT"][2]),
}

# Level of ARFU, which has no function but takes part in parity.
ARFU_LEVEL = 1

# Commands that stand on the falling edge of their phase in HBM3/4.
FALLING = frozenset({"PRE", "PREA"})
ROW_COMMANDS = ("ACT", "PRE", "PREA", "REFSB", "REF", "RFM", "RFMSB")
COLUMN_COMMANDS = ("RD", "RDA", "WR", "WRA", "MRS")


@dataclass(frozen=True)
class Command:
    """One command with the address fields in device terms (``ba`` = {bank group, bank}, four bits)."""

    name: str
    pc: int = 0
    sid: int = 0
    ba: int = 0
    row: int = 0
    col: int = 0
    ma: int = 0
    op: int = 0


def _with_top(table: PinTable, top: PinTable) -> PinTable:
    return {
        name: tuple(f"{low} {pin}" for low, pin in zip(edges, top[name], strict=True)) for name, edges in table.items()
    }


@dataclass(frozen=True)
class Encoding:
    """The tables of one generation."""

    generation: int  # 2, 3, 4
    row: PinTable
    col: PinTable
    row_pins: int = field(init=False)
    col_pins: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "row_pins", len(self.row["RNOP"][0].split()))
        object.__setattr__(self, "col_pins", len(self.col["CNOP"][0].split()))

    # ------------------------------------------------------------ one command

    def encode(self, command: Command) -> tuple[int, ...]:
        """Words of successive clock edges on the bus of the command, with the parity of HBM2 (HBM3/4: see apar)."""
        table = self.col if command.name in (*COLUMN_COMMANDS, "CNOP") else self.row
        name, auto = (command.name[:-1], 1) if command.name in ("RDA", "WRA") else (command.name, 0)
        if name not in table:
            raise ValueError(f"{command.name} does not exist in HBM{self.generation}")
        return tuple(_fill(edge.split(), command, auto) for edge in table[name])

    def decode_column(self, rise: int, fall: int) -> Command | None:
        """The command of one column-bus clock; None for CNOP, ValueError for a code that is none."""
        for name, edges in self.col.items():
            values = _match(edges, (rise, fall))
            if values is not None:
                if name == "CNOP":
                    return None
                return _command(name + "A" if values.pop("AP", 0) else name, values)
        raise ValueError(f"unknown column words {rise:#x} {fall:#x}")

    def decode_row(self, words: tuple[int, ...]) -> Command | None:
        """The command that starts with these edge words; None for RNOP, ValueError for a code that is none."""
        for name, edges in self.row.items():
            if len(words) >= len(edges):
                values = _match(edges, words[: len(edges)])
                if values is not None:
                    return None if name == "RNOP" else _command(name, values)
        raise ValueError("unknown row words " + " ".join(f"{word:#x}" for word in words))

    def row_edges(self, command: Command | None) -> int:
        """Clock edges that a row command takes; RNOP takes one edge in HBM3/4, two in HBM2."""
        return len(self.row["RNOP" if command is None else command.name])

    # ------------------------------------------------------------ one controller cycle

    def cycle(
        self,
        act: Command | None = None,
        slots: tuple[Command | None, Command | None] = (None, None),
        columns: tuple[Command | None, Command | None] = (None, None),
        power_down: bool = False,
    ) -> CycleWords:
        """Words of one cycle (two CK): ACT from p0, one other row command per phase, one column command per phase."""
        rnop, cnop = self.encode(Command("RNOP")), self.encode(Command("CNOP"))
        row = list(rnop * (4 // len(rnop)))
        if self.generation == 2:
            for phase, slot in enumerate(slots):
                if slot is not None:
                    row[2 * phase : 2 * phase + 2] = self.encode(slot)
        else:
            for phase, slot in enumerate(slots):
                if slot is not None:
                    row[2 * phase + (slot.name in FALLING)] = self.encode(slot)[0]
        if act is not None:
            words = self.encode(act)
            row[: len(words)] = words
        if power_down and self.generation != 2:
            row = list(self.encode(Command("PDE"))) * 4
        col: list[int] = []
        for column in columns:
            col += cnop if column is None else self.encode(column)
        apar = [1 if self.generation == 2 else self.apar(r, c) for r, c in zip(row, col, strict=True)]
        return CycleWords(tuple(row), tuple(col), tuple(apar))

    def apar(self, row: int, col: int, arfu: int = ARFU_LEVEL) -> int:
        """HBM3/4: even parity over R, C, ARFU and APAR of one edge."""
        return (row.bit_count() + col.bit_count() + arfu) & 1

    def parity_errors(self, words: CycleWords, arfu: int = ARFU_LEVEL) -> list[int]:
        """Edges (0..3) with wrong command parity."""
        if self.generation != 2:
            return [e for e in range(4) if self.apar(words.row[e], words.col[e], arfu) != words.apar[e]]
        return [e for e in (1, 3) if words.row[e].bit_count() & 1 or words.col[e].bit_count() & 1]

    def decode_cycle(self, words: CycleWords) -> list[tuple[int, Command]]:
        """(edge 0..3 of the first word, command) of one cycle, row bus first."""
        found: list[tuple[int, Command]] = []
        step = 2 if self.generation == 2 else 1
        edge = 0
        while edge < 4:
            command = self.decode_row(words.row[edge:])
            if command is not None:
                found.append((edge, command))
            edge += max(step, self.row_edges(command))
        for phase in (0, 1):
            column = self.decode_column(words.col[2 * phase], words.col[2 * phase + 1])
            if column is not None:
                found.append((2 * phase, column))
        return found


@dataclass(frozen=True)
class CycleWords:
    """Words of the four clock edges of a cycle: p0 rise, p0 fall, p1 rise, p1 fall."""

    row: tuple[int, ...]
    col: tuple[int, ...]
    apar: tuple[int, ...]

    def flipped(self, bus: str, edge: int, pin: int) -> CycleWords:
        """The same with one pin inverted."""
        words = list(getattr(self, bus))
        words[edge] ^= 1 << pin
        return replace(self, **{bus: tuple(words)})


def _bit(name: str, command: Command, auto: int) -> int:
    letters, index = re.fullmatch(r"([A-Z]+)(\d*)", name).groups()  # type: ignore[union-attr]
    value = {
        "SID": command.sid, "BA": command.ba, "RA": command.row, "CA": command.col, "MA": command.ma, "OP": command.op,
        "PC": command.pc, "AP": auto, "DRFM": 0,
    }[letters]  # fmt: skip
    return value >> int(index or 0) & 1


def _fill(pins: list[str], command: Command, auto: int) -> int:
    word = 0
    for i, name in enumerate(pins):
        if name in ("1", "-"):
            word |= 1 << i
        elif name not in ("0", "PAR"):
            word |= _bit(name, command, auto) << i
    if "PAR" in pins:
        word |= (word.bit_count() & 1) << pins.index("PAR")
    return word


def _match(edges: tuple[str, ...], words: tuple[int, ...]) -> dict[str, int] | None:
    """Field values when the code bits agree."""
    values: dict[str, int] = {}
    for edge, word in zip(edges, words, strict=True):
        for i, name in enumerate(edge.split()):
            bit = word >> i & 1
            if name in ("0", "1"):
                if bit != int(name):
                    return None
            elif name not in ("-", "PAR"):
                letters, index = name.rstrip("0123456789"), name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                values[letters] = values.get(letters, 0) | bit << int(index or 0)
    return values


def _command(name: str, values: dict[str, int]) -> Command:
    get: Iterator[int] = (values.get(key, 0) for key in ("PC", "SID", "BA", "RA", "CA", "MA", "OP"))
    pc, sid, ba, row, col, ma, op = get
    return Command(name, pc, sid, ba, row, col, ma, op)


HBM2 = Encoding(2, HBM2_ROW, HBM2_COL)
HBM2E_WIDE = Encoding(2, _with_top(HBM2_ROW, HBM2E_R6), _with_top(HBM2_COL, HBM2E_C8))
HBM3 = Encoding(3, HBM3_ROW, HBM3_COL)
HBM4 = Encoding(4, HBM4_ROW, HBM3_COL)


def encoding(generation: int, row_pins: int = 0) -> Encoding:
    """The encoding of a generation (2, 3, 4); ``row_pins`` 7 chooses the wide HBM2E bus."""
    if generation == 2:
        return HBM2E_WIDE if row_pins == 7 else HBM2
    return {3: HBM3, 4: HBM4}[generation]


def all_encodings() -> dict[str, Encoding]:
    """Every encoding by name."""
    return {"hbm2": HBM2, "hbm2e_wide": HBM2E_WIDE, "hbm3": HBM3, "hbm4": HBM4}


def markdown(item: Encoding, bus: str) -> str:
    """One bus (``row`` or ``col``) as a table: a line per command, a column per clock edge, pins from 0 upwards."""
    table: PinTable = getattr(item, bus)
    edges = max(len(words) for words in table.values())
    heads = ("rise", "fall", "rise", "fall") if edges > 2 else ("rise", "fall")
    lines = [f"| command | {' | '.join(heads[:edges])} |", "|---|" + "---|" * edges]
    for name, words in table.items():
        cells = [f"`{word}`" for word in words] + [""] * (edges - len(words))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
