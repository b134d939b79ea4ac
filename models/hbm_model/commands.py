"""DRAM commands: codes, names, aliases, and the record in which traces and the bench carry them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt


class Cmd(IntEnum):
    """Command codes, those of hbm_pkg::cmd_e."""

    NOP = 0
    ACT = 1
    PRE = 2
    PREA = 3
    RD = 4
    RDA = 5
    WR = 6
    WRA = 7
    REF = 8
    REFSB = 9
    RFM = 10
    RFMSB = 11
    MRS = 12
    PDE = 13
    PDX = 14
    SRE = 15
    SRX = 16


COMMANDS: Final = tuple(c for c in Cmd if c is not Cmd.NOP)

# Names that HBM3/4 documents use for the same commands.
ALIASES: Final[dict[str, Cmd]] = {
    "PREpb": Cmd.PRE,
    "PREsb": Cmd.PRE,
    "PREab": Cmd.PREA,
    "REFab": Cmd.REF,
    "REFpb": Cmd.REFSB,
    "REFsb": Cmd.REFSB,
    "RFMab": Cmd.RFM,
    "RFMpb": Cmd.RFMSB,
    "RFMsb": Cmd.RFMSB,
}
# Names are accepted in any case.
CODE_OF: Final[dict[str, Cmd]] = {c.name: c for c in COMMANDS} | {name.upper(): c for name, c in ALIASES.items()}

BANK_COMMANDS: Final = (Cmd.ACT, Cmd.PRE, Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA, Cmd.REFSB, Cmd.RFMSB)
PC_COMMANDS: Final = (Cmd.PREA, Cmd.REF, Cmd.RFM)
CHANNEL_COMMANDS: Final = (Cmd.MRS, Cmd.PDE, Cmd.PDX, Cmd.SRE, Cmd.SRX)
COLUMN_COMMANDS: Final = (Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA)
PRECHARGES: Final = (Cmd.PRE, Cmd.PREA)

# docs/bench.md, ring cmd. `time` is the first edge in half CK. For MRS `row` is {ma, op}.
CMD_DTYPE: Final = np.dtype(
    [
        ("time", "<u8"),
        ("cmd", "u1"),
        ("pc", "u1"),
        ("sid", "u1"),
        ("bg", "u1"),
        ("bank", "u1"),
        ("col", "u1"),
        ("row", "<u2"),
    ]
)
CmdArray = npt.NDArray[np.void]
NO_ROW: Final = 0xFFFF  # `row` of a column command whose row is not known


def ck_text(ticks: int) -> str:
    """Print a time in half CK as CK: 7, 7.5."""
    return f"{ticks >> 1}.5" if ticks & 1 else str(ticks >> 1)


def ck_number(ticks: int) -> int | float:
    """Return a time in half CK as CK."""
    return ticks / 2 if ticks & 1 else ticks >> 1


def describe(record: np.void) -> str:
    """Print one command with the fields that it uses: `ACT pc0 sid0 bg1 bank2 row 5 at CK 12`."""
    cmd = Cmd(int(record["cmd"]))
    parts = [cmd.name]
    if cmd not in CHANNEL_COMMANDS:
        parts.append(f"pc{record['pc']}")
    if cmd in BANK_COMMANDS:
        parts.append(f"sid{record['sid']} bg{record['bg']} bank{record['bank']}")
    if cmd is Cmd.ACT:
        parts.append(f"row {record['row']}")
    if cmd in COLUMN_COMMANDS:
        parts.append(f"col {record['col']}")
    return " ".join(parts) + f" at CK {ck_text(int(record['time']))}"
