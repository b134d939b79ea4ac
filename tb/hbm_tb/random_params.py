"""Random legal settings of a channel: timing registers, policies, address map, row limit and TEMP pins.

Every register is drawn over its whole field; what is legal is told by `problems`, which also holds for the presets. A
set is a function of preset and seed alone, and is printed by `describe`, so that a run can be repeated from either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from hbm_model.addrmap import NAMED_MAPS, AddressMap, map_from_masks, named_map
from hbm_model.csr import ap_min_ras
from hbm_model.csr_table import REGISTERS
from hbm_model.mode_regs import FIELDS, saturated
from hbm_model.params import PARAM, Params
from hbm_model.params import REGISTERS as TIMINGS
from hbm_model.presets import preset

# Share of tREFI per TEMP code (M6.1). 000 (4 x) is left out: banks would wait longer than 9 x tREFI.
TEMP_FACTORS: Final[dict[int, Fraction]] = {
    0b011: Fraction(1), 0b001: Fraction(2), 0b010: Fraction(1, 2), 0b110: Fraction(1, 4),
    0b100: Fraction(1), 0b101: Fraction(1), 0b111: Fraction(1),
}  # fmt: skip
# With all-bank refresh, refresh_hold 1 and nothing ahead, 000 keeps that limit too.
ALL_TEMPS: Final[dict[int, Fraction]] = {0b000: Fraction(4), **TEMP_FACTORS}
# From the first AR on the settings are those of the set; the preset of the build's reset values ran before. A bank's
# last refresh may be that old, hence a shortest tREFI in relation to the one before.
SHORTEST_REFI: Final = Fraction(2, 5)
REFRESH_KEYS: Final = ("RFC", "RFCSB", "REFI", "REFISB")
LATENCY_LOW: Final = 4  # CK: the device model's shortest RL and WL
PAGE_POSITION: Final = 7  # of address bit 12 in a mask: rows below a limit are functions of bits 12 and up (M2.6)

Generator = np.random.Generator


@dataclass(frozen=True)
class RandomSet:
    """Overrides of a preset; the fields are those of BenchConfig."""

    preset: str
    timing: dict[str, float]
    policy: dict[str, int]
    map_name: str = "peers"
    masks: tuple[int, ...] = ()
    row_limit: int = 0
    temp: int = 3
    rd_delay: int = 0

    @property
    def params(self) -> Params:
        """The complete value set."""
        params = preset(self.preset).replaced(**self.timing)
        return params.replaced(rows=self.row_limit) if self.row_limit else params

    def bench(self) -> dict[str, Any]:
        """Fields of BenchConfig."""
        return asdict(self)

    def describe(self) -> str:
        """All of it in one line."""
        words = [f"{key}={value:g}" for key, value in self.timing.items()]
        words += [f"{path.split('.')[1]}={value}" for path, value in self.policy.items()]
        words.append(f"map={self.map_name if not self.masks else 'masks'}")
        words += [f"rows={self.row_limit}"] if self.row_limit else []
        return " ".join([f"{self.preset}:", *words, f"temp={self.temp:03b}", f"rd_delay={self.rd_delay}"])


# ------------------------------------------------------------------ what is legal


def _most(params: Params, key: str) -> int:
    """Largest value of a timing that its mode-register field holds."""
    return max((f.most for f in FIELDS[params.generation.number] if f.timing == key), default=PARAM[key].limit)


def _worst(params: Params) -> int:
    """CK from any command until its bank may take REFSB or REF."""
    write_end = params.count("WL") + 2
    rc = max(params.count("RC"), params.count("RAS") + params.count("RP"))
    to_idle = max(rc, params.count("RTP") + params.count("RP")) + write_end + params.count("WR") + params.count("RP")
    return to_idle + params.count("PPD")


def _settle(params: Params) -> int:
    """CK from any command until mode registers may be written; a commit waits RFC (M7.3)."""
    write = params.count("WL") + 4 + params.count("WR") + params.count("RP")
    read = params.count("RL") + 10
    return max(write, read, params.count("RDMRS"), params.count("WRMRS"))


def shortest_interval(params: Params, temp: int) -> int:
    """Least tREFISB for which single-bank refresh keeps up (M6.5)."""
    banks = params.count("bgs") * params.count("banks")
    rate = banks * max(params["RREFD"], params["FAW"] / 4, params["PPD"]) + params.count("RFCSB") + _worst(params)
    return int(Fraction(rate) / banks / TEMP_FACTORS[temp]) + 2


def _free(params: Params, temp: int) -> bool:
    """True if a bank is free for traffic at least half of the time; a refresh that just keeps up stops all traffic."""
    turn = params.count("bgs") * params.count("banks") * params["REFISB"] * TEMP_FACTORS[temp]
    return bool(2 * params["RFCSB"] <= turn)


def shortest_refi(params: Params, temp: int) -> int:
    """Least tREFI for which all-bank refresh keeps up and leaves time for traffic."""
    return int(2 * (params.count("RFC") + _worst(params) + 40) / TEMP_FACTORS[temp]) + 1


def problems(params: Params, policy: Mapping[str, int], temp: int) -> list[str]:
    """What is illegal in a setting, one line each. Consistency of the values themselves is checked by Params."""
    found = []
    for key in ("RL", "WL"):
        if not LATENCY_LOW <= params[key] <= _most(params, key):
            found.append(f"{key} {params[key]} is outside {LATENCY_LOW} to {_most(params, key)}")
    for key in ("MRD", "MOD", "PPD"):
        if params[key] < 1:
            found.append(f"{key} is 0: commands of one pin bus")
    timing = {key: float(params[key]) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")}
    over = [key for key in saturated(params.generation.number, timing) if key not in ("RAS", "RL", "WL")]
    if over and policy.get("page.ap_allowed", 1):
        found.append(f"{over[0]} exceeds its mode register, so that RDA and WRA would precharge too early")
    if policy.get("page.ap_min_ras", 255) < ap_min_ras(params):
        found.append("ap_min_ras is below RAS although RAS exceeds its mode register")
    if params.count("RFC") < _settle(params):
        found.append(f"RFC {params['RFC']} is too short for the settling of a commit, {_settle(params)} CK (M7.3)")
    banks = params.count("sids") * params.count("bgs") * params.count("banks")
    if params["REFISB"] * banks > params["REFI"]:
        found.append(f"{banks} x REFISB {params['REFISB']} exceeds REFI {params['REFI']}")
    if params["REFISB"] < shortest_interval(params, temp):
        found.append(f"REFISB {params['REFISB']} is below {shortest_interval(params, temp)} (M6.5)")
    if not _free(params, temp):
        found.append(f"RFCSB {params['RFCSB']} takes most of the {params['REFISB']} CK that each bank has in turn")
    if params["REFI"] < shortest_refi(params, temp):
        found.append(f"REFI {params['REFI']} is below {shortest_refi(params, temp)}")
    if not policy.get("refresh.refresh_en", 1):
        found.append("refresh is off")
    hold, pull = policy.get("refresh.refresh_hold", 6), policy.get("refresh.pull_in", 0)
    most = most_pull(params, bool(policy.get("refresh.refresh_all", 0)), hold, temp)
    if most < 0:
        found.append(f"refresh_hold {hold} at TEMP {temp:03b}: a bank would wait longer than 9 x tREFI")
    elif pull > most:
        found.append(f"refresh_hold {hold} and pull_in {pull} at TEMP {temp:03b}: a bank would wait too long (M6.5)")
    return found


def most_pull(params: Params, every: bool, hold: int, temp: int) -> int:
    """Largest pull_in with which no bank waits longer than 9 x tREFI (M6.5); below 0: the hold alone is too much.

    Where TEMP does not lengthen the interval, the hardware's own limits do (M6.7).
    """
    factor = ALL_TEMPS[temp]
    if every:
        # A bank waits for what was ahead, `hold` owed refreshes and one more interval.
        hold = min(max(hold, 1), 8)
        return 15 if factor <= 1 else int(8 / factor) - 1 - hold
    per_set = params.count("bgs") * params.count("banks")
    banks = params.count("sids") * per_set
    # 2N + hold + 4 + n + pull_in intervals are less than 9N of the interval without TEMP.
    return int(min(15, math.ceil(9 * banks / max(factor, Fraction(1))) - 1 - 2 * banks - max(hold, 1) - 4 - per_set))


# ------------------------------------------------------------------ draws


def _log(rng: Generator, low: int, high: int) -> int:
    """A whole number from low to high, all magnitudes alike."""
    return min(high, int(np.floor(np.exp(rng.uniform(np.log(low + 1), np.log(high + 2))))) - 1)


def _value(rng: Generator, base: int, low: int, limit: int, wide: float) -> int:
    """Near the preset, small, or anywhere in the field."""
    kind = rng.random()
    if kind < wide:
        return max(low, _log(rng, low, limit))
    if kind < wide + 0.3:
        return int(rng.integers(low, min(limit, low + 9) + 1))
    return int(np.clip(rng.integers(base // 2, base * 8 // 5 + 3), low, limit))


def _timing(rng: Generator, base: Params) -> dict[str, float]:
    """All timing registers but REFI and REFISB."""
    half = base.std == "HBM4"
    drawn: dict[str, float] = {}
    wide = float(rng.choice((0.03, 0.15, 0.4)))  # tame sets run more traffic a second, wild ones reach the field's end
    for param in TIMINGS:
        key = param.key
        low = {"RL": LATENCY_LOW, "WL": LATENCY_LOW, "MRD": 1, "MOD": 1, "PPD": 1}.get(key, param.low)
        limit = _most(base, key) if key in ("RL", "WL") else param.limit
        drawn[key] = _value(rng, base.count(key), low, limit, wide)
        if half and param.half and drawn[key] < limit and rng.random() < 0.3:
            drawn[key] += 0.5
    for small, large in (("CCDS", "CCDL"), ("RRDS", "RRDL")):
        if drawn[large] < drawn[small]:
            drawn[small], drawn[large] = drawn[large], drawn[small]
    drawn["RFC"] = max(drawn["RFC"], _settle(base.replaced(**drawn)))
    return drawn


def _policy(rng: Generator, params: Params, temp: int, registers: tuple[str, ...] = ()) -> dict[str, int]:
    """All policy fields, or those of some registers."""
    drawn: dict[str, int] = {}
    for register in REGISTERS:
        name = register.path.removeprefix("policy.")
        if name == register.path or (registers and name not in registers):
            continue
        for item in register.fields:
            near = item.reset is not None and rng.random() < 0.3
            small = rng.random() < 0.4
            top = (1 << item.width) - 1
            value = int(item.reset or 0) if near else int(rng.integers(0, min(top, 40) + 1 if small else top + 1))
            drawn[f"{name}.{item.name}"] = value
    if "page.page" in drawn:
        _repair_page(drawn, params)
    if "refresh.refresh_en" in drawn:
        drawn["refresh.refresh_en"] = 1
        _repair_hold(drawn, params, temp)
    return drawn


def _repair_page(drawn: dict[str, int], params: Params) -> None:
    timing = {key: float(params[key]) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")}
    if set(saturated(params.generation.number, timing)) - {"RAS", "RL", "WL"}:
        drawn["page.ap_allowed"] = 0
    drawn["page.ap_min_ras"] = max(drawn["page.ap_min_ras"], ap_min_ras(params))


def _repair_hold(drawn: dict[str, int], params: Params, temp: int) -> None:
    every = bool(drawn["refresh.refresh_all"])
    while (most := most_pull(params, every, drawn["refresh.refresh_hold"], temp)) < 0:
        drawn["refresh.refresh_hold"] -= 1
    drawn["refresh.pull_in"] = min(drawn["refresh.pull_in"], most)


def _masks(rng: Generator, base: AddressMap, dense: bool) -> tuple[int, ...]:
    """Masks of a random one-to-one map: the base's, mixed by random additions of one mask to another."""
    real = [bit for bit, mask in enumerate(base.masks) if mask]
    masks = list(base.masks)
    for _ in range(6 * len(real) if dense else int(rng.integers(1, 8))):
        a, b = rng.choice(real, 2, replace=False)
        masks[a] ^= masks[b]
    if dense:
        order = rng.permutation(len(real))
        shuffled = [masks[real[i]] for i in order]
        for bit, mask in zip(real, shuffled, strict=True):
            masks[bit] = mask
    return tuple(masks)


def _rows_above_page(amap: AddressMap) -> bool:
    """True when all row bits are functions of address bits 12 and up."""
    at, width = amap.shifts["row"], amap.widths["row"]
    return all(mask >> PAGE_POSITION << PAGE_POSITION == mask for mask in amap.masks[at : at + width])


def _map(rng: Generator, params: Params) -> tuple[str, tuple[int, ...], int]:
    """(name, masks, row limit) of a random map."""
    shape = params.geometry
    name = str(rng.choice(list(NAMED_MAPS)))
    masks: tuple[int, ...] = ()
    kind = rng.random()
    if kind < 0.35:
        masks = _masks(rng, named_map(name, shape), dense=kind < 0.1)
    amap = map_from_masks("custom", masks, shape) if masks else named_map(name, shape)
    limit = 0
    if rng.random() < 0.25 and _rows_above_page(amap):
        # More than half of the rows: the map is that of a memory with as many row bits as the build has.
        least = shape.rows // 2 + 1
        limit = int(rng.choice((shape.rows * 3 // 4, least, int(rng.integers(least, shape.rows)))))
    return name, masks, limit


def _refresh(rng: Generator, timing: dict[str, float], base: Params, temp: int) -> bool:
    """Draw REFI and REFISB that keep up with the rest; False when the fields are too narrow for it."""
    banks = base.count("sids") * base.count("bgs") * base.count("banks")
    params = base.replaced(**{**timing, "REFI": base["REFI"], "REFISB": base["REFISB"]})
    least_sb = shortest_interval(params, temp)
    least = max(banks * least_sb, shortest_refi(params, temp), int(SHORTEST_REFI * base.count("REFI")) + 1)
    if least > PARAM["REFI"].limit:
        return False
    timing["REFI"] = _log(rng, least, min(PARAM["REFI"].limit, 2 * max(least, base.count("REFI"))))
    timing["REFISB"] = _log(rng, least_sb, int(timing["REFI"] // banks))
    return True


def random_set(preset_name: str, seed: int) -> RandomSet:
    """The random settings number `seed` of a preset."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, sum(preset_name.encode()), 0x5E7])
    base = preset(preset_name)
    temp = 0b011 if rng.random() < 0.6 else int(rng.choice(list(TEMP_FACTORS)))
    while True:
        timing = _timing(rng, base)
        if _refresh(rng, timing, base, temp) and _free(base.replaced(**timing), temp):
            break
    params = base.replaced(**timing)
    name, masks, limit = _map(rng, base)
    policy = _policy(rng, params, temp)
    found = RandomSet(preset_name, timing, policy, name, masks, limit, temp, int(rng.integers(0, 8)))
    wrong = problems(found.params, policy, temp)
    if wrong:
        raise AssertionError(f"{found.describe()}: {wrong[0]}")
    return found


def any_set(preset_name: str, seed: int) -> RandomSet:
    """Anything that the registers hold, and a dense map: for a channel without traffic, which no distance binds."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, sum(preset_name.encode()), 0xA11])
    base = preset(preset_name)

    def anything(low: int, most: int) -> int:
        """The ends of the field as often as all between them."""
        return int(rng.choice([low, most, int(rng.integers(low, most + 1)), int(rng.integers(low, most + 1))]))

    timing: dict[str, float] = {param.key: anything(param.low, param.limit) for param in TIMINGS}
    for small, large in (("CCDS", "CCDL"), ("RRDS", "RRDL")):
        timing[small], timing[large] = sorted((timing[small], timing[large]))
    policy = {
        path: anything(0, (1 << width) - 1) for path, width in _policy_fields() if path != "refresh.refresh_en"
    } | {"refresh.refresh_en": 0}
    masks = _masks(rng, named_map("peers", base.geometry), dense=True)
    return RandomSet(preset_name, timing, policy, "peers", masks, 0, int(rng.integers(0, 8)), int(rng.integers(0, 8)))


def _policy_fields() -> list[tuple[str, int]]:
    return [
        (f"{register.path.removeprefix('policy.')}.{field.name}", field.width)
        for register in REGISTERS
        if register.path.startswith("policy.")
        for field in register.fields
    ]


def second_set(first: RandomSet, seed: int) -> RandomSet:
    """Other timings for a commit in the middle of a run; map, rows, TEMP and refresh stay."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, sum(first.preset.encode()), 0x2ED])
    base = preset(first.preset)
    keep = {key: first.timing[key] for key in REFRESH_KEYS}
    while True:
        timing = {**_timing(rng, base), **keep}
        params = base.replaced(**timing)
        policy = {**first.policy}  # in force when the set is loaded, unless it was changed since: see policy_changes
        if not problems(params, policy, first.temp):
            return replace(first, timing=timing, rd_delay=int(rng.integers(0, 8)))


def policy_changes(first: RandomSet, second: RandomSet, seed: int, count: int) -> list[dict[str, int]]:
    """Changes of policy registers under traffic, legal with both sets; refresh_all stays (it changes at rest only)."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, sum(first.preset.encode()), 0x901])
    found = []
    for _ in range(count):
        name = str(rng.choice(("page", "turnaround", "drain", "starve", "qos", "refresh")))
        drawn = _policy(rng, first.params, first.temp, (name,))
        if name == "page":
            for params in (first.params, second.params):
                _repair_page(drawn, params)
        elif name == "refresh":
            drawn["refresh.refresh_all"] = first.policy["refresh.refresh_all"]
            _repair_hold(drawn, first.params, first.temp)
        found.append(drawn)
    return found
