"""The pin encodings: words typed by hand, round trips with every address bit walking, parity, refusal of bad codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.encoding import (
    COLUMN_COMMANDS,
    FALLING,
    ROW_COMMANDS,
    Command,
    Encoding,
    all_encodings,
    markdown,
)
from hbm_model.geometry import HBM2E_EXTRA_PINS

ENCODINGS = all_encodings()

# Typed from the published HBM2 tables, pin 0 rightmost: (command, words of rise, fall[, rise, fall]).
HBM2_VECTORS = [
    # RNOP: R2 R1 R0 = 111, free pins 1, falling word even.
    (Command("RNOP"), (0b111111, 0b111111)),
    # BA = 5: BA0 BA2. Cycle 1 rise: R1 (code), R3 = BA0, R5 = BA2. Row 0.
    (Command("ACT", ba=5), (0b101010, 0b000000, 0b000000, 0b000000)),
    # SID 1 on R2; PC on R3 and BA3 on R5 of the first fall: even, PAR 0.
    (Command("ACT", pc=1, sid=1, ba=8), (0b000110, 0b101000, 0b000000, 0b000000)),
    # Row 0x3FFF: fall R0 R1 R4 = RA11 RA12 RA13 -> odd -> PAR; second CK all ones but PAR: five ones -> PAR.
    (Command("ACT", row=0x3FFF), (0b000010, 0b010111, 0b111111, 0b111111)),
    # RA0 alone: R0 of the last fall, PAR makes it even.
    (Command("ACT", row=0x0001), (0b000010, 0b000000, 0b000000, 0b000101)),
    # RA5 alone: R0 of the second rise.
    (Command("ACT", row=0x0020), (0b000010, 0b000000, 0b000001, 0b000000)),
    # RA13 alone: R4 of the first fall.
    (Command("ACT", row=0x2000), (0b000010, 0b010100, 0b000000, 0b000000)),
    # PRE bank 6 of PC1: rise code 011, R4 R5 = BA1 BA2; fall R3 = PC -> odd -> PAR.
    (Command("PRE", pc=1, ba=6), (0b110011, 0b001100)),
    # PRE bank 9, SID 1: R3 = BA0; fall R1 = SID, R5 = BA3: even.
    (Command("PRE", sid=1, ba=9), (0b001011, 0b100010)),
    # PREA PC0: bank pins 1; fall R4 = all, R5 = 1: even.
    (Command("PREA"), (0b111011, 0b110000)),
    # REFSB bank 15 of PC1: code 100; fall R0 = 1, R3 = PC, R5 = BA3 -> odd -> PAR.
    (Command("REFSB", pc=1, ba=15), (0b111100, 0b101101)),
    # REF PC0: fall R0 = 1, R4 = all, R5 = 1 -> odd -> PAR.
    (Command("REF"), (0b111100, 0b110101)),
    (Command("CNOP"), (0b11111111, 0b11111111)),
    # RD bank 10, column 0x15 (CA1, CA3, CA5 of the standard's names): rise code 101, BA1 on C5, BA3 on C7.
    # fall C1 = CA1, C4 = CA3, C6 = CA5 -> odd -> PAR.
    (Command("RD", ba=10, col=0x15), (0b10100101, 0b01010110)),
    # RDA: C3 = AP. SID on fall C0 and PC on fall C7: even.
    (Command("RDA", pc=1, sid=1), (0b00001101, 0b10000001)),
    # WR bank 1, column 2 (standard's CA2 on C3) -> odd -> PAR.
    (Command("WR", ba=1, col=2), (0b00010001, 0b00001100)),
    (Command("WRA", ba=15, col=31), (0b11111001, 0b01111110)),
    # MRS MR2 := 0x96: OP7 on rise C3, MA1 on C5; fall OP1 on C1, OP2 on C3, OP4 on C5 -> odd -> PAR.
    (Command("MRS", ma=2, op=0x96), (0b00101000, 0b00101110)),
]

# HBM3: places that are public, typed by hand. (command, edge, bits that must be set, bits that must be clear)
HBM3_PLACES = [
    (Command("ACT", pc=1), 0, 1 << 3, 0b1111110000),
    (Command("ACT", sid=1), 0, 1 << 4, 0b1111101000),
    (Command("ACT", sid=2), 0, 1 << 5, 0b1111011000),
    (Command("ACT", ba=1), 0, 1 << 6, 0b1110111000),
    (Command("ACT", ba=8), 0, 1 << 9, 0b0111111000),
    (Command("ACT", row=0x01), 2, 1 << 2, 0b1111111000),
    (Command("ACT", row=0x80), 2, 1 << 9, 0b0111111100),
    (Command("PRE", pc=1, sid=3, ba=4), 0, 0b0100111000, 0b1011000000),
    (Command("REFSB", pc=1, sid=2, ba=2), 0, 0b0010101000, 0b1101010000),
    (Command("RNOP"), 0, 0b1111, 0),
    (Command("PDE"), 0, 0b1010, 0b0101),
    (Command("CNOP"), 0, 0b111, 0),
    (Command("SRE"), 0, 0, 0b0001),
]


def walking(encoding: Encoding, name: str) -> list[Command]:
    """The command with all fields 0, and with each field bit alone and missing."""
    sids = 2 if encoding.generation != 2 or encoding.row_pins == 7 else 1
    rows = 15 if encoding.generation == 3 or encoding.row_pins == 7 else 14
    if name == "MRS":
        widths = {"ma": 4 if encoding.generation == 2 else 5, "op": 8}
    else:
        widths = {"pc": 1}
        if name not in ("PREA", "REF", "RFM"):
            widths |= {"sid": sids, "ba": 4}
        if name == "ACT":
            widths["row"] = rows
        if name in COLUMN_COMMANDS:
            widths["col"] = 5
    commands = [Command(name), Command(name, **{key: (1 << width) - 1 for key, width in widths.items()})]
    for key, width in widths.items():
        for bit in range(width):
            commands.append(Command(name, **{key: 1 << bit}))
            commands.append(Command(name, **{key: (1 << width) - 1 ^ 1 << bit}))
    return commands


def names_of(encoding: Encoding) -> list[str]:
    """Commands with an address that exist in the generation."""
    return [name for name in ROW_COMMANDS if name in encoding.row] + list(COLUMN_COMMANDS)


@pytest.mark.parametrize(("command", "words"), HBM2_VECTORS, ids=lambda value: getattr(value, "name", None))
def test_hbm2_words_are_the_published_ones(command: Command, words: tuple[int, ...]) -> None:
    """Bit-exact words, typed by hand."""
    assert ENCODINGS["hbm2"].encode(command) == words


@pytest.mark.parametrize(("command", "edge", "ones", "zeros"), HBM3_PLACES)
@pytest.mark.parametrize("name", ["hbm3", "hbm4"])
def test_hbm3_fields_stand_where_they_are_public(name: str, command: Command, edge: int, ones: int, zeros: int) -> None:
    """Each public pin of HBM3/HBM4."""
    word = ENCODINGS[name].encode(command)[edge]
    assert word & ones == ones
    assert word & zeros == 0


def test_hbm3_edge_counts() -> None:
    """ACT takes three edges, any other row command one, a column command two."""
    encoding = ENCODINGS["hbm3"]
    assert len(encoding.encode(Command("ACT"))) == 3
    assert {len(encoding.encode(Command(name))) for name in ("PRE", "PREA", "REF", "REFSB", "RFM", "RFMSB")} == {1}
    assert {len(encoding.encode(Command(name))) for name in COLUMN_COMMANDS} == {2}


@pytest.mark.parametrize("name", ENCODINGS)
def test_round_trip_of_every_field_bit(name: str) -> None:
    """encode then decode gives the command back, inside a whole cycle, with good parity."""
    encoding = ENCODINGS[name]
    checked = 0
    for command_name in names_of(encoding):
        for command in walking(encoding, command_name):
            if command_name == "ACT":
                words, edge = encoding.cycle(act=command), 0
            elif command_name in COLUMN_COMMANDS:
                words, edge = encoding.cycle(columns=(None, command)), 2
            else:
                words = encoding.cycle(slots=(None, command))
                edge = 3 if encoding.generation != 2 and command_name in FALLING else 2
            assert encoding.decode_cycle(words) == [(edge, command)]
            assert encoding.parity_errors(words) == []
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_two_commands_share_words(name: str) -> None:
    """The codes are distinct over all commands and walking fields."""
    encoding = ENCODINGS[name]
    seen: dict[tuple[str, tuple[int, ...]], Command] = {}
    for command_name in names_of(encoding):
        for command in walking(encoding, command_name):
            bus = "col" if command_name in COLUMN_COMMANDS else "row"
            other = seen.setdefault((bus, encoding.encode(command)), command)
            assert other == command


@pytest.mark.parametrize("name", ENCODINGS)
def test_any_flipped_pin_breaks_parity(name: str) -> None:
    """Each pin under parity, flipped alone, is seen: HBM2 falling edges, HBM3/4 all edges."""
    encoding = ENCODINGS[name]
    words = encoding.cycle(act=Command("ACT", 1, 0, 6, 0x1234), columns=(Command("RD", col=3), Command("WRA", 1)))
    edges = (1, 3) if encoding.generation == 2 else (0, 1, 2, 3)
    for edge in edges:
        for bus, pins in (("row", encoding.row_pins), ("col", encoding.col_pins)):
            for pin in range(pins):
                assert encoding.parity_errors(words.flipped(bus, edge, pin)) == [edge]


def test_unknown_codes_are_refused() -> None:
    """A code that no command has is an error, not a NOP."""
    with pytest.raises(ValueError, match="unknown row"):
        ENCODINGS["hbm2"].decode_row((0b111101, 0b111111))  # R2 R1 R0 = 101
    with pytest.raises(ValueError, match="unknown row"):
        ENCODINGS["hbm3"].decode_row((0b1111110111,))  # R[3:0] = 0111
    with pytest.raises(ValueError, match="unknown column"):
        ENCODINGS["hbm2"].decode_column(0b11111110, 0xFF)
    with pytest.raises(ValueError, match="does not exist in HBM2"):
        ENCODINGS["hbm2"].encode(Command("RFM"))


def test_power_down_is_held_on_every_edge() -> None:
    """HBM3/4 hold the code, HBM2 holds RNOP (CKE is its own pin)."""
    assert all(word & 0xF == 0b1010 for word in ENCODINGS["hbm3"].cycle(power_down=True).row)
    assert ENCODINGS["hbm2"].cycle(power_down=True).row == (63, 63, 63, 63)


def test_wide_bus_agrees_with_the_geometry_table() -> None:
    """R6 and C8 of large HBM2E parts stand in one table of assumptions; the encoder uses the same places."""
    wide = ENCODINGS["hbm2e_wide"]
    placed = {
        (name, bus, edge, pin)
        for bus, table in (("R", wide.row), ("C", wide.col))
        for name, edges in table.items()
        for edge, pins in zip(("rise", "fall"), edges, strict=False)
        for pin, content in enumerate(pins.split())
        if content in ("SID1", "RA14")
    }
    stated = {(name, item.bus, item.edge, item.pin) for item in HBM2E_EXTRA_PINS for name in item.command.split()}
    assert placed == stated


def test_the_page_shows_the_tables() -> None:
    """docs/phy.md carries the tables as they are."""
    page = (Path(__file__).parents[2] / "docs" / "phy.md").read_text()
    for name in ("hbm2", "hbm3"):
        for bus in ("row", "col"):
            assert markdown(ENCODINGS[name], bus) in page
