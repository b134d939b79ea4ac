"""The named value sets: HBM2, HBM2E, HBM3, HBM4, and the two sets that the public simulators were compared with.

Each value carries its source or the word `assumed`. HBM4 is HBM3 plus differences. A suffix `_s1` to `_s4` changes the
number of SIDs and takes RFC, REFISB and what depends on them from the density table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

from hbm_model.errors import InputError
from hbm_model.geometry import ASSUMED, DEFAULT_ROWS, GENERATIONS, STACKS, Geometry
from hbm_model.params import BURST_CK, ENG_PRESET, PARAM, Params, ck_of_ns

DEFAULT_PRESET: Final = "hbm2_2000_eng"
BANKS_PER_SID: Final = 16


@dataclass(frozen=True)
class Spec:
    """How a value is given:

    nanoseconds with a floor in CK, or CK, or computed from other values; and where it comes from.
    """

    source: str
    ns: str | None = None
    ck: int = 0  # the value, or the floor under `ns`
    derive: Callable[[Mapping[str, int]], int] | None = None
    interval: bool = False  # an interval rounds down


def _ns(ns: str, source: str, floor: int = 0) -> Spec:
    return Spec(source, ns, floor)


def _ck(value: int, source: str) -> Spec:
    return Spec(source, None, value)


def _from(derive: Callable[[Mapping[str, int]], int], source: str) -> Spec:
    return Spec(source, derive=derive)


_FIT = "fit of AMD HBM IP cycle counts at 400 to 900 MHz, = Samsung PIMSimulator"
_PIM = "Samsung PIMSimulator HBM2 2.0"
_DS = "DRAMSys CheckerHBM2"
_R2 = "Ramulator 2"
_UNSOURCED = f"{ASSUMED}: Ramulator 2, without a source there"
_INTERVAL = "32 ms / 8192; AMD HBM IP, DRAMSys, Ramulator 2"

HBM2_SPECS: Final[dict[str, Spec]] = {
    "nBL": _ck(BURST_CK, "BL4 on a double-rate CK"),
    "RL": _ck(20, f"{ASSUMED}: mode register, as {_PIM}"),
    "WL": _ck(8, f"{ASSUMED}: mode register, as {_PIM}"),
    "PL": _ck(0, f"{ASSUMED}: data parity off"),
    "CCDS": _ck(2, f"{_PIM}; Ramulator 2"),
    "CCDL": _ck(4, f"{_PIM}; Ramulator 2"),
    "CCDR": _ck(3, f"{_PIM}: CCDS + 1"),
    "RCDRD": _ns("14", _FIT),
    "RCDWR": _ns("10", _FIT),
    "RAS": _ns("33", _FIT),
    "RP": _ns("14", _FIT),
    "RC": _ns("47", _FIT),
    "RRDS": _ns("4", _FIT),
    "RRDL": _ns("6", f"{_PIM}; Vega strap (AMD HBM IP fits 4)"),
    "FAW": _ns("16", _FIT),
    "WR": _ns("16", _FIT),
    "WTRS": _ns("4", _FIT),
    "WTRL": _ns("9", _FIT),
    "RTP": _ns("5", f"{_PIM} RTPL; Vega strap"),
    "RTW": _from(lambda v: v["RL"] + v["nBL"] + 2 - v["WL"], f"derived: RL + nBL + 2 - WL, as {_R2}"),
    "RREFD": _ns("8", _FIT),
    "PPD": _ck(1, "row bus: one CK a command"),
    "XP": _ns("8", f"{_PIM}; Vega strap; AMD HBM IP 7.5"),
    "CKE": _ns("8", f"{_PIM}"),
    "CKSR": _from(lambda v: v["CKE"] + 1, f"derived: CKE + 1, as {_DS}"),
    "CKSRE": _ck(10, ASSUMED),
    "CKSRX": _ck(10, ASSUMED),
    "CPDED": _ck(1, f"{ASSUMED}: HBM2 has a CKE pin"),
    "MRD": _ck(8, f"{ASSUMED}: DRAM-Bender waits 32"),
    "MOD": _ck(15, ASSUMED),
    "RDMRS": _from(lambda v: v["RL"] + v["nBL"] + 2, f"{ASSUMED}: RL + nBL + 2"),
    "WRMRS": _from(lambda v: v["WL"] + v["nBL"] + v["WR"], f"{ASSUMED}: WL + nBL + WR"),
    "REFI": Spec(_INTERVAL, "3900", interval=True),
    "XS": _ns("8", "RFC + 8 ns, as DRAMsim3 and the Vega strap"),  # added to RFC below
    "RFMAB": _ck(0, "no RFM in HBM2"),
    "RFMPB": _ck(0, "no RFM in HBM2"),
    "RAAIMT": _ck(0, "no RFM in HBM2"),
    "RAAMMT": _ck(0, "no RFM in HBM2"),
    "RAADEC": _ck(0, "no RFM in HBM2"),
    "POSTPONE": _ck(8, "AMD PG313"),
}

# No public HBM2E table exists: the nanoseconds of HBM2 at the faster clock.
_HBM2E_CCDL = _ns("2.5", "derived: max(4 nCK, 2.5 ns), borrowed from HBM3", floor=4)
_HBM2E_SPECS: Final = HBM2_SPECS | {
    "CCDL": _HBM2E_CCDL,
    # 47 ns alone would fall one CK short of RAS + RP at 3.6 Gb/s.
    "RC": _from(lambda v: v["RAS"] + v["RP"], "derived: RAS + RP, not below 47 ns"),
}
HBM2E_3200_SPECS: Final = _HBM2E_SPECS | {"RL": _ck(30, ASSUMED), "WL": _ck(12, ASSUMED)}
HBM2E_3600_SPECS: Final = _HBM2E_SPECS | {"RL": _ck(33, ASSUMED), "WL": _ck(14, ASSUMED)}

_HBM2_NS = "HBM2 vendor value, above Ramulator 2"
HBM3_SPECS: Final = HBM2_SPECS | {
    "nBL": _ck(BURST_CK, "BL8 on a strobe of twice CK"),
    "RL": _ck(24, f"{ASSUMED}: mode register"),
    "WL": _ck(10, f"{ASSUMED}: mode register"),
    "CCDL": _ns("2.5", "max(4 nCK, 2.5 ns): handbook notes on JESD238", floor=4),
    "CCDR": _ck(3, "CCDS + 1, the least of the vendors' range"),
    "RCDRD": _ns("19.375", _UNSOURCED),
    "RCDWR": _ns("10", f"derived: {_HBM2_NS}"),
    "RP": _ns("16.25", _UNSOURCED),
    "RAS": _ns("33", f"derived: {_HBM2_NS}"),
    "RC": _from(lambda v: v["RAS"] + v["RP"], "derived: RAS + RP"),
    "WR": _ns("20.625", _UNSOURCED),
    "RTP": _ns("5.625", _UNSOURCED),
    "RRDS": _ns("2.5", _UNSOURCED),
    "RRDL": _ns("4", f"derived: {_HBM2_NS}"),
    "FAW": _ns("16", f"derived: {_HBM2_NS}"),
    "WTRS": _ns("4.375", _UNSOURCED),
    "WTRL": _ns("9", f"derived: {_HBM2_NS}"),
    "RREFD": _ns("8", "max(3 nCK, 8 ns): Ramulator 2, handbook notes", floor=3),
    "PPD": _ck(2, "Ramulator 2 tests; DRAMUtils"),
    # RL + nBL + 0.5 - WL + (2.5 - 0.9 ns) / tCK stays below RL - WL + 10 in both presets.
    "RTW": _from(
        lambda v: v["RL"] - v["WL"] + 10, f"{ASSUMED}: RL - WL + 10, reaches Ramulator 2; above bus release plus flight"
    ),
    "XP": _ns("8", ASSUMED),
    "CKE": _ns("8", f"{ASSUMED}: as HBM2"),
    "CKSR": _ck(16, ASSUMED),
    "CKSRE": _ck(16, ASSUMED),
    "CKSRX": _ck(16, ASSUMED),
    "CPDED": _ck(5, ASSUMED),
    "MRD": _ck(16, ASSUMED),
    "MOD": _ck(16, ASSUMED),
    "RDMRS": _from(lambda v: v["RL"] + 10, f"{ASSUMED}: RL + 10"),
    "WRMRS": _from(lambda v: v["WL"] + v["nBL"] + v["WR"] + 2, f"{ASSUMED}: WL + nBL + WR + 2"),
    "XS": _ns("10", f"{ASSUMED}: RFC + 10 ns"),
    "RFMAB": _from(lambda v: v["RFC"], "derived: = RFC"),
    "RFMPB": _from(lambda v: v["RFCSB"], "derived: = RFCSB"),
    "RAAIMT": _ck(0, f"{ASSUMED}: RFM not required; vendors give it in DEVICE_ID"),
    "RAAMMT": _ck(0, f"{ASSUMED}: RFM not required; vendors give it in DEVICE_ID"),
    "RAADEC": _ck(0, f"{ASSUMED}: RFM not required; vendors give it in DEVICE_ID"),
}

HBM4_SPECS: Final = HBM3_SPECS | {
    "RL": _ck(30, f"{ASSUMED}: mode register range 17 to 90"),
    "WL": _ck(12, f"{ASSUMED}: mode register range 4 to 19"),
    "RCDRD": _ns("19.5", _UNSOURCED),
    "RCDWR": _ns("14.3333", "HBM4-12000 handbook example; Ramulator 2 has 9.5"),
    "RP": _ns("16.5", _UNSOURCED),
    "RAS": _ns("33", "derived: HBM4 course example; Ramulator 2 has 28.5"),
    "WR": _ns("21", _UNSOURCED),
    "RTP": _ns("6", _UNSOURCED),
    "RRDL": _ns("3.5", _UNSOURCED),
    "FAW": _ns("15", _UNSOURCED),
    "WTRS": _ns("4.5", _UNSOURCED),
    "WTRL": _ns("6.5", _UNSOURCED),
}

# tRFC in ns by Gb per channel (stack capacity / channels). A density between two rows takes the next larger one
# (assumed).
_R2_RFC = "Ramulator 2 hbm{}.py"
RFC_NS: Final[dict[int, tuple[tuple[int, str, str], ...]]] = {
    2: (
        (1, "110", _R2_RFC.format(2)),
        (2, "160", _R2_RFC.format(2)),
        (4, "260", "AMD HBM IP, 4-high 4 GB stack; Ramulator 2"),
        (8, "350", "Ramulator 2 hbm2.py; Samsung PIMSimulator"),
        (16, "450", f"{_R2_RFC.format(2)}, catch-all"),
    ),
    3: tuple(
        (gb, ns, f"{_R2_RFC.format(3)}, tagged JESD238")
        for gb, ns in ((4, "260"), (8, "350"), (16, "450"), (32, "550"))
    ),
    4: tuple((gb, ns, _R2_RFC.format(4)) for gb, ns in ((4, "400"), (8, "450"), (16, "530"))),
}
# tRFCSB in ns: up to this many Gb per channel.
RFCSB_NS: Final[dict[int, tuple[tuple[int, str, str], ...]]] = {
    2: ((8, "160", "AMD HBM IP, Samsung PIMSimulator, Ramulator 2"), (16, "200", "Ramulator 2 hbm2.py")),
    3: ((32, "200", "Ramulator 2 hbm3.py; HBM3_Model"),),
    4: ((32, "280", "Ramulator 2 hbm4.py"),),
}


def _by_density(table: tuple[tuple[int, str, str], ...], gb: int) -> tuple[str, str]:
    """Return (ns, source) of the row for `gb`, or of the next larger row."""
    for limit, ns, source in table:
        if gb <= limit:
            return ns, source if gb == limit or len(table) == 1 else f"{source} (row of {limit} Gb)"
    raise InputError(f"no refresh time is known for {gb} Gb per channel")


@dataclass(frozen=True)
class Bin:
    """A speed bin: standard, clock, value table and the geometry it is shipped with."""

    std: str
    tck_ns: str
    specs: Mapping[str, Spec]
    sids: int


_BINS: Final[dict[str, Bin]] = {
    "hbm2_2000_eng": Bin("HBM2", "1.0", HBM2_SPECS, 1),
    "hbm2e_3200_eng": Bin("HBM2E", "0.625", HBM2E_3200_SPECS, 1),
    "hbm2e_3600_eng": Bin("HBM2E", "0.555556", HBM2E_3600_SPECS, 1),
    "hbm3_6400_eng": Bin("HBM3", "0.625", HBM3_SPECS, 2),
    "hbm4_8000_eng": Bin("HBM4", "0.5", HBM4_SPECS, 2),
}
CHANNEL_GB_PER_SID: Final = 4  # 2^14 rows


def _peer(text: str) -> dict[str, int]:
    return {key: int(value) for key, value in (item.split("=") for item in text.split())}


# The sets on which the public simulators were measured. Those ran one PC at a time; a channel has two.
_PEERS: Final[dict[str, tuple[str, str, dict[str, int]]]] = {
    "peers_hbm2": (
        "HBM2",
        "1.0",
        _peer(
            "dq=64 pcs=2 sids=1 bgs=4 banks=4 rows=16384 cols=32 nBL=2 RL=14 WL=4 RCDRD=14 RCDWR=10 RP=14 RAS=34 "
            "RC=48 RRDS=4 RRDL=6 FAW=16 CCDS=2 CCDL=4 CCDR=3 WTRS=6 WTRL=8 RTP=5 WR=16 RTW=14 RFC=260 RFCSB=160 "
            "RREFD=8 REFI=3900 REFISB=243 PPD=1"
        ),
    ),
    "peers_hbm3": (
        "HBM3",
        "0.625",
        _peer(
            "dq=32 pcs=2 sids=1 bgs=4 banks=4 rows=16384 cols=32 nBL=2 RL=20 WL=10 RCDRD=31 RCDWR=15 RP=26 RAS=45 "
            "RC=72 RRDS=4 RRDL=5 FAW=24 CCDS=2 CCDL=4 CCDR=3 WTRS=7 WTRL=10 RTP=9 WR=33 RTW=20 RFC=560 RFCSB=320 "
            "RREFD=13 REFI=6240 REFISB=390 PPD=2"
        ),
    ),
}
_PEERS_SOURCE = "the timings that Ramulator 2, DRAMsim3 and DRAMSys were compared with"

PRESET_NAMES: Final = (*_BINS, *_PEERS)


def _evaluate(specs: Mapping[str, Spec], tck_ns: str, known: Mapping[str, int]) -> dict[str, int]:
    """Return all values of `specs` in CK; `known` holds those that come from elsewhere."""
    values = dict(known)
    for key, spec in specs.items():
        if key not in values and spec.derive is None:
            values[key] = (
                spec.ck if spec.ns is None else max(spec.ck, int(ck_of_ns(spec.ns, tck_ns, upper=spec.interval)))
            )
    for key, spec in specs.items():
        if key not in values and spec.derive is not None:
            values[key] = spec.derive(values)
    return values


def _density_values(std: str, tck_ns: str, sids: int, specs: Mapping[str, Spec]) -> dict[str, tuple[int, str]]:
    """RFC, RFCSB, REFISB and what depends on them, for a channel of `sids` SIDs: key -> (CK, source)."""
    number = GENERATIONS[std].number
    gb = CHANNEL_GB_PER_SID * sids
    rfc_ns, rfc_source = _by_density(RFC_NS[number], gb)
    sb_ns, sb_source = _by_density(RFCSB_NS[number], gb)
    banks = BANKS_PER_SID * sids
    # The sum is rounded once: RFC + 8 ns is one interval.
    xs_ns = Fraction(rfc_ns) + Fraction(specs["XS"].ns or "0")
    values = {
        "RFC": (int(ck_of_ns(rfc_ns, tck_ns)), rfc_source),
        "RFCSB": (int(ck_of_ns(sb_ns, tck_ns)), sb_source),
        "REFISB": (int(ck_of_ns(Fraction(3900, banks), tck_ns, upper=True)), f"derived: REFI / {banks} banks"),
        "XS": (int(ck_of_ns(xs_ns, tck_ns)), specs["XS"].source),
    }
    if number >= 3:
        values["RFMAB"] = (values["RFC"][0], specs["RFMAB"].source)
        values["RFMPB"] = (values["RFCSB"][0], specs["RFMPB"].source)
    return values


def _geometry_values(std: str, sids: int) -> dict[str, int]:
    gen = GENERATIONS[std]
    return {
        "dq": gen.dq,
        "pcs": 2,
        "sids": sids,
        "bgs": gen.bank_groups,
        "banks": gen.banks_per_group,
        "rows": DEFAULT_ROWS,
        "cols": 32,
    }


def _build(name: str, std: str, tck_ns: str, values: Mapping[str, int], sources: Mapping[str, str]) -> Params:
    ticks = {key: 2 * values[key] for key in PARAM}
    return Params(name, std, Fraction(tck_ns), ticks, {key: sources[key] for key in PARAM})


def _eng(name: str, bin_: Bin, sids: int) -> Params:
    density = _density_values(bin_.std, bin_.tck_ns, sids, bin_.specs)
    shape = _geometry_values(bin_.std, sids)
    values = _evaluate(bin_.specs, bin_.tck_ns, shape | {key: value for key, (value, _) in density.items()})
    sources = {key: spec.source for key, spec in bin_.specs.items()} | {
        key: source for key, (_, source) in density.items()
    }
    sources |= dict.fromkeys(shape, GENERATIONS[bin_.std].source)
    return _build(name, bin_.std, bin_.tck_ns, values, sources)


def _peers(name: str, std: str, tck_ns: str, given: Mapping[str, int], sids: int | None) -> Params:
    """The given values; what they leave open comes from the engineering preset, as in a parameter file."""
    rest = preset(ENG_PRESET[std])
    values = {key: rest.count(key) for key in PARAM} | dict(given)
    sources = {key: f"{rest.name}: {rest.sources[key]}" for key in PARAM} | dict.fromkeys(given, _PEERS_SOURCE)
    if sids is not None:
        density = _density_values(std, tck_ns, sids, _BINS[ENG_PRESET[std]].specs)
        values |= {"sids": sids} | {key: value for key, (value, _) in density.items()}
        sources |= {key: source for key, (_, source) in density.items()}
    return _build(name, std, tck_ns, values, sources)


def legal_sids(std: str) -> tuple[int, ...]:
    """SID counts that a standard allows."""
    return tuple(sorted({stack.sids for stack in STACKS if stack.std == std}))


@cache
def preset(name: str) -> Params:
    """Return the preset `name`, with or without a SID suffix; InputError names the known ones."""
    match = re.fullmatch(r"(.+?)(?:_s(\d))?", name)
    stem, suffix = (match[1], match[2]) if match else (name, None)
    sids = int(suffix) if suffix else None
    if stem not in PRESET_NAMES:
        raise InputError(
            f"unknown preset {name!r}, expected one of {', '.join(PRESET_NAMES)}, each also with _s1 or _s2"
        )
    std = _BINS[stem].std if stem in _BINS else _PEERS[stem][0]
    if sids is not None and sids not in legal_sids(std):
        raise InputError(f"preset {name!r}: {std} has {', '.join(map(str, legal_sids(std)))} SIDs, not {sids}")
    if stem in _BINS:
        return _eng(name, _BINS[stem], sids or _BINS[stem].sids)
    return _peers(name, std, _PEERS[stem][1], _PEERS[stem][2], sids)


def geometry_of(name: str) -> Geometry:
    """Geometry of the RTL build on which the preset `name` runs."""
    return preset(name).geometry
