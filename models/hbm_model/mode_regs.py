"""Mode registers: which field holds what, and the value written for a timing set, each with its source or `assumed`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """Bits [lsb + width - 1 : lsb] of mode register ``ma``.

    With ``timing`` the field holds bits [shift + width - 1 : shift] of a timing in CK, clipped to ``most``, minus
    ``base``; else it holds ``value``.
    """

    ma: int
    lsb: int
    width: int
    name: str
    value: int = 0
    timing: str = ""
    base: int = 0
    most: int = 0
    shift: int = 0
    source: str = ""


_MRH = "public mode-register header citing JESD235D and JESD238A"
_DB = "as DRAM Bender writes it"
_K4 = "public HBM4 course notes on a JESD270-4 draft"

HBM2_FIELDS = (
    Field(0, 0, 8, "DBI, TCSR, parity, test: all off", 0x00, source=_DB),
    Field(1, 0, 5, "write recovery", timing="WR", most=31, source=_MRH),
    Field(1, 5, 3, "drive strength 12 mA", 2, source=_DB),
    Field(2, 0, 3, "write latency - 1, low bits", timing="WL", base=1, most=16, source=_MRH),
    Field(2, 3, 5, "read latency - 2, low bits", timing="RL", base=2, most=65, source=_MRH),
    Field(3, 0, 6, "row active time", timing="RAS", most=63, source=_MRH),
    Field(3, 6, 1, "bank groups on", 1, source=_DB),
    Field(3, 7, 1, "burst length 4", 1, source=_DB),
    Field(4, 0, 1, "ECC off", 0, source=_DB),
    Field(4, 1, 1, "data mask on (0)", 0, source=_DB),
    Field(4, 2, 2, "parity latency 0", 0, source=_DB),
    Field(4, 4, 1, "write latency - 1, bit 3", timing="WL", base=1, most=16, shift=3, source=_MRH),
    Field(4, 5, 1, "read latency - 2, bit 5", timing="RL", base=2, most=65, shift=5, source=_MRH),
    Field(5, 0, 8, "target row refresh off", 0x00, source=_DB),
    Field(6, 3, 5, "implicit precharge - 2", timing="RP", base=2, most=33, source=_MRH),
    Field(7, 0, 8, "read mux 1, loopback off", 0x02, source=_DB),
    Field(15, 0, 8, "internal reference voltage 0", 0x00, source=_DB),
)


def _hbm34(rl_most: int, wl_most: int) -> tuple[Field, ...]:
    return (
        Field(1, 0, 5, "write latency", timing="WL", most=wl_most, source=_MRH),
        Field(1, 5, 3, "parity latency 0", 0, source="assumed"),
        Field(2, 0, 8, "read latency", timing="RL", most=rl_most, source=_MRH),
        Field(3, 0, 8, "write recovery", timing="WR", most=63, source=_MRH),
        Field(4, 0, 8, "row active time", timing="RAS", most=63, source=_MRH),
        Field(5, 0, 8, "read to precharge", timing="RTP", most=15, source=_MRH),
        Field(7, 0, 8, "loopback off", 0x00, source="assumed"),
        Field(8, 0, 8, "DA lockout 0 (1 would need a power cycle), RFM level 0", 0x00, source="assumed"),
        Field(9, 0, 8, "metadata, severity and scrub off", 0x00, source="assumed"),
        Field(10, 0, 8, "vendor or strobe trimming at rest", 0x00, source="assumed"),
        Field(11, 0, 8, "WDQS duty-cycle trimming at rest", 0x00, source="assumed"),
        Field(12, 0, 8, "vendor", 0x00, source="assumed"),
    )


# Reference voltage: n = 32 of 0.18 + 0.01 n is the middle of the swing.
HBM3_FIELDS = (
    Field(0, 0, 8, "DBI, TCSR, parity, test: all off", 0x00, source="assumed, as HBM2"),
    *_hbm34(rl_most=63, wl_most=16),
    Field(6, 0, 3, "pull-down 12 mA", 2, source="assumed, strength of HBM2"),
    Field(6, 3, 3, "pull-up 12 mA", 2, source="assumed, strength of HBM2"),
    Field(13, 0, 8, "reserved", 0x00, source=_MRH),
    Field(14, 1, 6, "command reference voltage", 32, source="assumed"),
    Field(15, 1, 6, "data reference voltage", 32, source="assumed"),
)
HBM4_FIELDS = (
    Field(0, 2, 1, "temperature-compensated self-refresh on", 1, source=_K4),
    *_hbm34(rl_most=90, wl_most=19),
    Field(6, 0, 8, "25 ohm, duty-cycle monitor off", 0x00, source="assumed"),
    Field(13, 1, 6, "command reference voltage", 32, source="assumed"),
    Field(14, 1, 6, "data reference voltage", 32, source="assumed"),
    Field(15, 0, 8, "equaliser off", 0x00, source="assumed"),
    Field(16, 0, 8, "equaliser off", 0x00, source="assumed"),
    Field(17, 0, 8, "vendor", 0x00, source="assumed"),
    Field(18, 0, 8, "reserved", 0x00, source=_K4),
    Field(19, 0, 8, "reserved", 0x00, source=_K4),
)
FIELDS: dict[int, tuple[Field, ...]] = {2: HBM2_FIELDS, 3: HBM3_FIELDS, 4: HBM4_FIELDS}


def addresses(generation: int) -> tuple[int, ...]:
    """Mode register addresses in the order in which they are written."""
    return tuple(sorted({item.ma for item in FIELDS[generation]}))


def values(generation: int, timing: Mapping[str, float]) -> dict[int, int]:
    """Value of each mode register for timings in CK (``RL``, ``WL``, ``WR``, ``RAS``, ``RP``, ``RTP``)."""
    result = dict.fromkeys(addresses(generation), 0)
    for item in FIELDS[generation]:
        value = item.value
        if item.timing:
            value = max(0, min(math.ceil(timing[item.timing]), item.most) - item.base) >> item.shift
        result[item.ma] |= (value & ((1 << item.width) - 1)) << item.lsb
    return result


def saturated(generation: int, timing: Mapping[str, float]) -> tuple[str, ...]:
    """Timings that do not fit their field and are written as its maximum."""
    over = (item.timing for item in FIELDS[generation] if item.timing and math.ceil(timing[item.timing]) > item.most)
    return tuple(dict.fromkeys(over))
