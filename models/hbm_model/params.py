"""The parameters of a channel: one table of names, units and limits, and the value set `Params` with its file loader.

Times are in CK unless a name ends in `_ns`. Internally a time is a whole number of half CK (ticks), so that the .5
values of HBM4 are exact. Nanoseconds become CK in one function, `ck_of_ns`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.geometry import GENERATIONS, Generation, Geometry, geometry

Value = int | float
BURST_CK: Final = 2  # nBL: one 32-byte access occupies a PC's data bus for 2 CK in every generation


@dataclass(frozen=True)
class Param:
    """One parameter. `key` is its name in parameter files; all other spellings follow from `words`."""

    key: str
    words: tuple[str, ...]
    unit: str  # CK, bits, count or ns
    width: int  # bits of its field; the limit of a value follows from it
    register: bool  # is a field of timing_t in rtl/hbm_pkg.sv
    meaning: str
    half: bool = False  # .5 CK is legal in HBM4
    low: int = 0  # smallest legal value
    timing: bool = True  # False: geometry

    @property
    def jedec(self) -> str:
        """Spelling in documents: tRCDRD, RL."""
        return ("t" if self._prefixed else "") + self.key

    @property
    def snake(self) -> str:
        """Spelling in Python, registers and signals: t_rcd_rd, rl."""
        return "_".join((("t",) if self._prefixed else ()) + self.words)

    @property
    def camel(self) -> str:
        """Spelling in SystemVerilog packages: TRcdRd, Rl."""
        return "".join(part.capitalize() for part in self.snake.split("_"))

    @property
    def limit(self) -> int:
        """Largest value that the field holds."""
        return (1 << self.width) - 1

    @property
    def _prefixed(self) -> bool:
        return self.timing and self.key not in _NO_T


_NO_T = {"nBL", "RL", "WL", "PL", "RAAIMT", "RAAMMT", "RAADEC", "POSTPONE"}


def _ck(
    key: str, words: str, meaning: str, *, width: int = 8, register: bool = True, half: bool = False, low: int = 0
) -> Param:
    return Param(key, tuple(words.split()), "CK", width, register, meaning, half, low)


def _count(key: str, meaning: str, width: int, *, low: int = 0, timing: bool = False) -> Param:
    return Param(key, (key.lower(),), "count", width, False, meaning, False, low, timing)


# Widths of registers are those of timing_t in rtl/hbm_pkg.sv.
PARAMS: Final[tuple[Param, ...]] = (
    _count("dq", "data pins of one PC", 8, low=1),
    _count("pcs", "pseudo-channels of the channel", 2, low=1),
    _count("sids", "stack ids", 3, low=1),
    _count("bgs", "bank groups per SID", 4, low=1),
    _count("banks", "banks per bank group", 5, low=1),
    _count("rows", "rows per bank", 16, low=1),
    _count("cols", "32-byte accesses per row", 6, low=1),
    _ck("nBL", "bl", "data-bus time of one access", register=False),
    _ck("RL", "rl", "RD to first read data"),
    _ck("WL", "wl", "WR to first write data"),
    _ck("RCDRD", "rcd rd", "ACT to RD, same bank"),
    _ck("RCDWR", "rcd wr", "ACT to WR, same bank"),
    _ck("RP", "rp", "PRE to ACT, same bank", half=True),
    _ck("RAS", "ras", "ACT to PRE, same bank", half=True),
    _ck("RC", "rc", "ACT to ACT, same bank"),
    _ck("RRDS", "rrd s", "ACT to ACT, other bank group"),
    _ck("RRDL", "rrd l", "ACT to ACT, same bank group"),
    _ck("FAW", "faw", "window of four activates, per PC"),
    _ck("CCDS", "ccd s", "column to column command, other bank group"),
    _ck("CCDL", "ccd l", "column to column command, same bank group"),
    _ck("CCDR", "ccd r", "RD to RD, other SID"),
    _ck("WTRS", "wtr s", "end of write data to RD, other bank group"),
    _ck("WTRL", "wtr l", "end of write data to RD, same bank group"),
    _ck("RTP", "rtp", "RD to PRE, same bank", half=True),
    _ck("WR", "wr", "end of write data to PRE, same bank", half=True),
    _ck("RTW", "rtw", "RD to WR, same PC"),
    _ck("RFC", "rfc", "REF to the next command of the PC", width=12),
    _ck("RFCSB", "rfc sb", "REFSB to the next ACT or REFSB of its bank", width=12),
    _ck("RREFD", "rrefd", "REFSB to ACT or REFSB of another bank"),
    _ck("REFI", "refi", "mean interval of refreshes of a bank", width=16, low=1),
    _ck("REFISB", "refi sb", "mean interval of single-bank refreshes of a PC", width=16),
    _ck("PPD", "ppd", "PRE to PRE, same PC"),
    _ck("PL", "pl", "delay of data parity", register=False),
    _ck("XP", "xp", "PDX to the next command", register=False),
    _ck("XS", "xs", "SRX to the next command", width=12, register=False),
    _ck("CKE", "cke", "shortest power-down, and PDX to PDE", register=False),
    _ck("CKSR", "cksr", "shortest self refresh (HBM3/4)", register=False),
    _ck("CKSRE", "cksre", "clock that must run after SRE", register=False),
    _ck("CKSRX", "cksrx", "clock that must run before SRX", register=False),
    _ck("CPDED", "cpded", "PDE or SRE code held on the bus (HBM3/4)", register=False),
    _ck("MRD", "mrd", "MRS to MRS"),
    _ck("MOD", "mod", "MRS to any other command"),
    _ck("RDMRS", "rdmrs", "RD to MRS", register=False),
    _ck("WRMRS", "wrmrs", "WR to MRS", register=False),
    _ck("RFMAB", "rfm ab", "RFM to the next command of the PC (HBM3/4)", width=12, register=False),
    _ck("RFMPB", "rfm pb", "RFMSB to the next ACT of its bank (HBM3/4)", width=12, register=False),
    _count("RAAIMT", "ACTs of a bank that one RFM pays for; 0: RFM not required", 16, timing=True),
    _count("RAAMMT", "ACTs of a bank that block further ones; 0: no limit", 16, timing=True),
    _count("RAADEC", "ACTs of a bank that one refresh pays for", 16, timing=True),
    _count("POSTPONE", "refresh intervals by which a refresh may be late", 4, timing=True),
)
PARAM: Final[dict[str, Param]] = {p.key: p for p in PARAMS}
REGISTERS: Final = tuple(p for p in PARAMS if p.register)


def ck_of_ns(
    ns: str | Fraction, tck_ns: str | Fraction, *, upper: bool = False, step: Fraction = Fraction(1)
) -> Fraction:
    """Return `ns` as CK, rounded to a multiple of `step` CK: up for a minimum, down for an upper limit or interval."""
    steps = Fraction(ns) / Fraction(tck_ns) / step
    # Ceil of the negative is the floor: intervals are limits from above.
    return step * (-math.ceil(-steps) if upper else math.ceil(steps))


@dataclass(frozen=True)
class Params:
    """One complete value set: geometry and timing of a channel, each value with its source."""

    name: str  # preset, or the file it came from
    std: str
    tck_ns: Fraction
    ticks: Mapping[str, int]  # key -> value in half CK; counts doubled too, so that one rule serves all keys
    sources: Mapping[str, str]  # key -> where the value comes from, or `assumed`
    base: str = ""  # preset that gave the values missing in a file
    from_base: tuple[str, ...] = ()  # keys of those values

    def __getitem__(self, key: str) -> Value:
        """Value in CK (or count): an int, or a float when it ends in .5."""
        ticks = self.ticks[key]
        return ticks / 2 if ticks & 1 else ticks >> 1

    def count(self, key: str) -> int:
        """Value as a whole number, .5 rounded up, as the RTL programs it."""
        return (self.ticks[key] + 1) >> 1

    @property
    def generation(self) -> Generation:
        """What the standard fixes."""
        return GENERATIONS[self.std]

    @property
    def geometry(self) -> Geometry:
        """Geometry of the RTL build that runs this set."""
        return geometry(self.std, self.count("sids"), self.count("rows"))

    @property
    def timing(self) -> dict[str, int]:
        """Reset values of `timing_t`: register spelling -> CK."""
        return {p.snake: self.count(p.key) for p in REGISTERS}

    @property
    def peak_bytes_per_ck(self) -> int:
        """Bytes that one PC moves in a CK at full rate."""
        return 32 // BURST_CK

    def as_file(self) -> dict[str, Any]:
        """All values in the form of a parameter file."""
        return {"std": self.std, "tCK_ns": float(self.tck_ns), **{p.key: self[p.key] for p in PARAMS}}

    def replaced(self, **values: Value) -> Params:
        """Return a copy with some values changed (`RAS=40`), checked as a file is."""
        ticks, sources = dict(self.ticks), dict(self.sources)
        for key, value in values.items():
            ticks[key] = _ticks_of(key, value, self.std)
            sources[key] = "set by the user"
        changed = Params(self.name, self.std, self.tck_ns, ticks, sources, self.base, self.from_base)
        check_consistent(changed)
        return changed


# ------------------------------------------------------------------ checks


def _ticks_of(key: str, value: object, std: str) -> int:
    """Return one value in half CK; ValueError says what is wrong with it."""
    param = PARAM[key]
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise ValueError(f"{key} is {value!r}, expected a number")
    doubled = value * 2
    if doubled != int(doubled):
        raise ValueError(f"{key} is {value}, expected a whole number of {param.unit}")
    ticks = int(doubled)
    if ticks & 1 and not (param.half and std == "HBM4"):
        halves = ", ".join(p.key for p in PARAMS if p.half)
        raise ValueError(f"{key} is {value}, expected a whole number (.5 is legal for HBM4 {halves} only)")
    if ticks < 2 * param.low or ticks > 2 * _limit(param, std):
        raise ValueError(f"{key} is {value}, expected {param.low} to {_limit(param, std)}")
    return ticks


def _limit(param: Param, std: str) -> int:
    gen = GENERATIONS[std]
    limits = {"pcs": 2, "sids": gen.max_sids, "cols": 32, "banks": 16, "bgs": 8, "rows": 1 << gen.row_bits}
    return limits.get(param.key, param.limit)


def check_consistent(params: Params) -> None:
    """Raise ValueError with one clear sentence when values contradict each other."""
    gen = params.generation
    if params["nBL"] != BURST_CK:
        raise ValueError(f"nBL is {params['nBL']}, expected {BURST_CK}: one access moves 32 bytes in every generation")
    if params["dq"] != gen.dq:
        raise ValueError(f"dq is {params['dq']}, expected {gen.dq} for {params.std}")
    if params["CCDL"] < params["CCDS"]:
        raise ValueError(f"CCDL is {params['CCDL']}, expected at least CCDS, which is {params['CCDS']}")
    if params["RRDL"] < params["RRDS"]:
        raise ValueError(f"RRDL is {params['RRDL']}, expected at least RRDS, which is {params['RRDS']}")
    if params["bgs"] * params["banks"] > 16:
        raise ValueError(f"banks is {params['banks']}, expected at most 16 banks per SID; bgs is {params['bgs']}")


# ------------------------------------------------------------------ files

_COMMENT_KEYS = {"name", "source", "sources", "notes", "note", "comment"}
_STD_ALIASES = {"HBM3E": "HBM3"}
ENG_PRESET: Final = {
    "HBM2": "hbm2_2000_eng",
    "HBM2E": "hbm2e_3200_eng",
    "HBM3": "hbm3_6400_eng",
    "HBM4": "hbm4_8000_eng",
}


def load_params(path: str | Path) -> Params:
    """Read a parameter file (JSON or YAML); InputError with one line names file, line, key and what was expected."""
    # The presets are built with this module, so they can only be looked up at call time.
    from hbm_model.presets import preset

    text = _text_of(path, "parameters")
    values = _mapping_of(text, str(path))
    return params_of_mapping(values, str(path), preset, lambda key: _line_of(text, key))


def read_mapping(path: str | Path, what: str) -> dict[str, object]:
    """A JSON or YAML file that holds one mapping; `what` it is, for the messages."""
    return _mapping_of(_text_of(path, what), str(path), what)


def _text_of(path: str | Path, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot read {what}: {reason}") from None


def params_of_mapping(
    values: Mapping[str, object],
    where: str,
    preset_of: Callable[[str], Params],
    line_of: Callable[[str], int | None] | None = None,
) -> Params:
    """Return the complete set of a parameter mapping;

    missing values come from `base`, else the `_eng` preset of `std`.
    """

    def fail(key: str, text: str) -> InputError:
        line = line_of(key) if line_of else None
        return InputError(f"{where}:{line}: {text}" if line else f"{where}: {text}")

    unknown = [
        k for k in values if k not in PARAM and k not in {"std", "tCK_ns", "base"} | _COMMENT_KEYS and k[:1] not in "_$"
    ]
    if unknown:
        raise fail(unknown[0], f"{unknown[0]!r} is not a parameter{_nearest(unknown[0])}")
    base_name = values.get("base")
    base = None
    if base_name is not None:
        if not isinstance(base_name, str):
            raise fail("base", f"base is {base_name!r}, expected the name of a preset")
        try:
            base = preset_of(base_name)
        except InputError as error:
            raise fail("base", f"base: {error}") from None
    std = values.get("std", base.std if base else None)
    std = _STD_ALIASES.get(std, std) if isinstance(std, str) else std
    if not isinstance(std, str) or std not in GENERATIONS:
        found = "missing" if std is None else f"{std!r}"
        raise fail("std", f"std is {found}, expected one of {', '.join(GENERATIONS)}")
    if base is None:
        base = preset_of(ENG_PRESET[std])
    if base.generation.number != GENERATIONS[std].number:
        raise fail("base", f"base {base.name} is {base.std}, expected a preset of {std}")
    ticks, sources = dict(base.ticks), dict(base.sources)
    for key in PARAM:
        if key not in values:
            continue
        try:
            ticks[key] = _ticks_of(key, values[key], std)
        except ValueError as error:
            raise fail(key, str(error)) from None
        sources[key] = where
    tck_ns = base.tck_ns
    if "tCK_ns" in values:
        raw = values["tCK_ns"]
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not 0.01 <= raw <= 100:
            raise fail("tCK_ns", f"tCK_ns is {raw!r}, expected a time in ns, 0.01 to 100")
        tck_ns = Fraction(Decimal(str(raw)))
    from_base = tuple(k for k in ("tCK_ns", *PARAM) if k not in values)
    params = Params(where, std, tck_ns, ticks, sources, base.name, from_base)
    try:
        check_consistent(params)
    except ValueError as error:
        raise fail(str(error).split(" ", 1)[0], str(error)) from None
    return params


def _mapping_of(text: str, where: str, what: str = "") -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        _refuse_twice([key for key, _ in pairs], text, where)
        return dict(pairs)

    def no_constant(name: str) -> object:
        raise InputError(f"{where}: {name} is not a number that a parameter can have")

    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as json_error:
        if text.lstrip()[:1] == "{" and where.lower().endswith(".json"):
            raise InputError(f"{where}:{json_error.lineno}: not JSON: {json_error.msg}") from None
        data = _yaml_of(text, where)
    if not isinstance(data, dict) or not all(isinstance(k, str) for k in data):
        raise InputError(f"{where}: expected a mapping of {what + ' keys' if what else 'parameter names'} to values")
    return data


def _yaml_of(text: str, where: str) -> object:
    import yaml  # only files that are not JSON pay for it

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if isinstance(root, yaml.MappingNode):  # YAML forbids a key given twice, but the library takes it
            _refuse_twice([str(key.value) for key, _ in root.value], text, where)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise InputError(f"{where}{line}: neither JSON nor YAML: {problem}") from None


def _refuse_twice(keys: list[str], text: str, where: str) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"{where}:{_line_of(text, key)}: {key!r} is given twice")


def _line_of(text: str, key: str) -> int | None:
    """Line on which `key` is given (the last one, as a second mention is the one in doubt)."""
    found = list(re.finditer(rf"""(?:^|[\s{{,])["']?{re.escape(key)}["']?\s*:""", text, re.MULTILINE)) if key else []
    if not found:
        return None
    return text.count("\n", 0, text.index(key, found[-1].start())) + 1


def _nearest(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key.upper().removeprefix("T").removeprefix("N"), PARAM, n=1)
    return f"; did you mean {close[0]}?" if close else ""
