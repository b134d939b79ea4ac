"""Settings of one test: which parameter set runs on which build, seeds, batches, back-pressure, planted faults."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
from hbm_model.addrmap import DEFAULT_MAP, AddressMap, map_from_masks, named_map
from hbm_model.params import Params
from hbm_model.presets import preset

from hbm_tb import records

ENVIRONMENT = "HBM_BENCH"  # JSON object of BenchConfig fields
CK_PER_CYCLE = 2
NS_PER_CYCLE = 2  # one CK of simulation is 1 ns, whatever the preset

# The preset whose values the registers of a build hold after reset.
RESET_PRESETS = {"hbm2": "hbm2_2000_eng", "hbm3": "hbm3_6400_eng", "hbm4": "hbm4_8000_eng"}


def reset_params(geometry: str) -> Params:
    """Parameter set that a build (`hbm2_s1`) runs before anything is programmed."""
    generation, sids = geometry.split("_")[:2]
    return preset(f"{RESET_PRESETS[generation]}_{sids}")


@dataclass(frozen=True)
class BenchConfig:
    """One test's settings. `timing` and `policy` override registers; both sides of the bench know of them.

    `program_only` overrides timing registers of the RTL while the checkers keep the right values: for tests that want
    a failure or that look for the effect of a register.
    """

    preset: str = "hbm2_2000_eng"
    test: str = ""
    seed: int = 1
    batch: int = 256  # cycles between two wake-ups of Python
    ready_r: tuple[int, int] = (records.READY_ALWAYS, records.READY_ALWAYS)  # per port, in 1/256
    ready_b: tuple[int, int] = (records.READY_ALWAYS, records.READY_ALWAYS)
    timing: dict[str, float] = field(default_factory=dict)  # parameter key (RP, RCDRD ...) -> CK
    policy: dict[str, int] = field(default_factory=dict)  # "page.page", "refresh.refresh_all" ... -> value
    program_only: dict[str, float] = field(default_factory=dict)
    map_name: str = DEFAULT_MAP
    masks: tuple[int, ...] = ()  # raw masks of the address map in place of map_name
    row_limit: int = 0  # rows per bank; 0: all
    rd_delay: int = 0  # cycles between rddata_en and its data beyond the least (M8.3), 0 to 7
    tck_ns: str = ""  # of a parameter file, as a fraction; empty: the preset's
    watchdog: int = 20_000  # cycles
    fault: int = 0
    fault_at: int = 0
    fault_arg: int = 0
    temp: int = 3  # TEMP pins; 3 (gray code 011): refresh at 1 x tREFI
    check_legality: bool = True
    check_commands: bool = True
    # Lock-step with the exact model. Off only where a test runs other values than the checkers know, plants a fault for
    # another check, or ends in the wrong way on purpose; its settings say why.
    check_exact: bool = True
    check_counters: bool = True  # with check_exact: the performance counters at the end and where a test asks for it
    coverage: bool = True
    keep_commands: bool = True
    reproduce: str = ""
    job: dict[str, Any] = field(default_factory=dict)  # what run_job and bench want to tell their test

    @classmethod
    def from_environment(cls, **defaults: Any) -> BenchConfig:
        """Defaults of the test, overridden by what the starter put into the environment."""
        given: dict[str, Any] = json.loads(os.environ.get(ENVIRONMENT, "{}"))
        names = {f.name for f in fields(cls)}
        unknown = set(given) - names
        if unknown:
            raise ValueError(f"{ENVIRONMENT} names unknown settings: {', '.join(sorted(unknown))}")
        merged = {**defaults, **given}
        for name in ("ready_r", "ready_b", "masks"):
            if name in merged:
                merged[name] = tuple(merged[name])
        merged.setdefault("seed", int(os.environ.get("COCOTB_RANDOM_SEED", "1")))
        return cls(**merged)

    def to_environment(self) -> dict[str, str]:
        """Environment that gives a test these settings (only those that differ from the defaults)."""
        blank = BenchConfig()
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(blank, f.name)}
        return {ENVIRONMENT: json.dumps(given)}

    def with_(self, **changes: Any) -> BenchConfig:
        """A copy with other values."""
        return replace(self, **changes)

    # ------------------------------------------------------------ derived

    @property
    def base(self) -> Params:
        """The preset as it is."""
        return preset(self.preset)

    @property
    def params(self) -> Params:
        """What the checkers hold true: the preset with the overrides."""
        params = self.base
        if self.tck_ns:
            params = replace(params, tck_ns=Fraction(self.tck_ns))
        if self.timing:
            params = params.replaced(**self.timing)
        return params.replaced(rows=self.row_limit) if self.row_limit else params

    @property
    def programmed(self) -> Params:
        """What the registers are given."""
        return self.params.replaced(**self.program_only) if self.program_only else self.params

    @property
    def geometry(self) -> str:
        """Name of the RTL build that this preset runs on."""
        name: str = self.base.geometry.name
        return name

    @property
    def address_map(self) -> AddressMap:
        """Map of the run; its rows are limited when `row_limit` is set."""
        shape = self.params.geometry
        if self.masks:
            return map_from_masks("custom", self.masks, shape)
        return named_map(self.map_name, shape)

    def rng(self, *salt: object) -> np.random.Generator:
        """A generator that depends on seed, test, preset and `salt` only."""
        text = "/".join(str(part) for part in (self.test, self.preset, *salt))
        return np.random.default_rng([self.seed & 0xFFFFFFFF, zlib.crc32(text.encode())])

    @property
    def memory_seed(self) -> int:
        """Seed of never written memory."""
        return (self.seed * 0x9E3779B97F4A7C15 + 0x1234567) & ((1 << 64) - 1)
