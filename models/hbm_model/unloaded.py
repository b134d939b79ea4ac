"""Latency of a lone read, stage by stage, from the contract (docs/microarchitecture.md); and how to measure it.

Cycles are controller cycles and count from the AR handshake, that is n in the paragraphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hbm_model.addrmap import AddressMap, Location
from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import AX_ROW
from hbm_model.params import BURST_CK, Params

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

APART: Final = 101  # cycles between two lone reads: more than any of them and its row cycle take, and odd
FRONT_CLOSED: Final = 11  # controller cycles that all stages beside those of the DRAM may take, row closed
FRONT_HIT: Final = 9
PIPE: Final = 3  # cycles from a column pick to its word on the pins (M1.6, M8.1)


@dataclass(frozen=True)
class Stage:
    """`end`: cycle, from the AR handshake, in which the stage ends."""

    name: str
    end: int
    paragraph: str


def _half(ck: int) -> int:
    """CK as cycles, rounded up."""
    return -(-ck // 2)


def limit(params: Params, hit: bool) -> int:
    """Cycles from the AR handshake to the R handshake that are allowed."""
    rl = params.count("RL")
    if hit:
        return _half(rl + BURST_CK) + FRONT_HIT
    return _half(params.count("RCDRD") + 1 + rl + BURST_CK) + FRONT_CLOSED


def stages(params: Params, pc: int, hit: bool, rd_delay: int = 0) -> list[Stage]:
    """What a read of PC `pc` goes through when nothing else is under way and no refresh comes between."""
    rl, rcd = params.count("RL"), params.count("RCDRD")
    made = [
        Stage("burst checked, request leaves the splitter", 1, "M2.1"),
        Stage("registered after the address map, offered to the queue", 2, "M2.1"),
    ]
    if hit:
        column = 3
        made.append(Stage("entry in the queue: column pick", column, "M3.1, M4.1"))
    else:
        made += [
            Stage("entry in the queue: ACT pick", 3, "M3.1, M5.5"),
            Stage("ACT offered and granted", 4, "M5.1, M5.3"),
        ]
        # ACT at 2 x 4 + 1, a column of this PC in cycle m at 2 m + pc (M1.4).
        column = 4 + _half(rcd + 1 - pc)
        made.append(Stage("tRCD: column pick", column, "M1.4, M4.1"))
    pins = column + PIPE
    data = pins + _half(pc + rl)
    return [
        *made,
        Stage("command registered, on the DFI, on the pins", pins, "M1.6, M8.1"),
        Stage("RL: read data complete on the pins", data, "M8.3"),
        Stage("data back from the PHY interface", data + 1 + rd_delay, "M8.3"),
        Stage("R register: RVALID, R handshake", data + 2 + rd_delay, "M2.5"),
    ]


def latency(params: Params, pc: int, hit: bool, rd_delay: int = 0) -> int:
    """Cycles from the AR handshake to the R handshake."""
    return stages(params, pc, hit, rd_delay)[-1].end


@dataclass(frozen=True)
class Probe:
    """Lone reads of one port: for each bank one that finds it closed, then one that hits.

    Measure with page policy `open`, without time-out and without refresh, on a PC whose banks are all closed.
    """

    rows: Rows  # AX_ROW
    hit: npt.NDArray[np.bool_]
    end: int  # cycle by which all are answered


def probe(address_map: AddressMap, port: int, start: int, row: int = 5) -> Probe:
    """Reads from cycle `start` on; those of the two ports lie half a distance apart."""
    shape = address_map
    banks = shape.sids * shape.bgs * shape.banks
    number: I64 = np.repeat(np.arange(banks), 2)
    hit = np.arange(2 * banks) % 2 == 1
    sid, rest = np.divmod(number, shape.bgs * shape.banks)
    bg, bank = np.divmod(rest, shape.banks)
    col = np.where(hit, 7, 3) % shape.cols
    at = Location(np.full(2 * banks, port), sid, bg, bank, np.full(2 * banks, row), col)
    rows = np.zeros(2 * banks, AX_ROW)
    rows["cycle"] = start + port * (APART // 2) + APART * np.arange(2 * banks)
    rows["addr"] = address_map.split(address_map.encode(at))[1]
    rows["id"] = np.arange(2 * banks) % 16
    rows["size"], rows["burst"] = 5, 1
    return Probe(rows, hit, int(rows["cycle"][-1]) + APART)


def pin_cycles(commands: CmdArray, pc: int) -> dict[str, I64]:
    """Cycles in which the RDs and ACTs of a PC stand on the pins; commands in the order of time."""
    cycle = (commands["time"] >> np.uint64(2)).astype(np.int64)
    mine = commands["pc"] == pc
    column = np.isin(commands["cmd"], (Cmd.RD, Cmd.RDA))
    return {"RD": cycle[mine & column], "ACT": cycle[mine & (commands["cmd"] == Cmd.ACT)]}
