"""Settings of a test around a controller that is not ours, and how they reach the simulation."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from hbm_model.params import Params
from hbm_model.presets import preset

ENVIRONMENT: Final = "HBM_OWN_BENCH"  # JSON object of OwnConfig fields
REPRODUCE: Final = "HBM_REPRODUCE"  # environment: the command that repeats the run, with {test} and {seed}


@dataclass(frozen=True)
class OwnConfig:
    """`timing` overrides values of the preset for the checkers; what the controller keeps is its own business."""

    preset: str = "hbm2_2000_eng"
    test: str = ""
    seed: int = 1
    ck_ns: float = 1.0  # of the simulation: CkNs of the bench, or half the period of its clock
    batch: int = 512  # CK between two wake-ups of Python
    timing: dict[str, float] = field(default_factory=dict)  # parameter key (RP, RCDRD ...) -> CK
    watchdog: int = 50_000  # CK without request, answer or column command that end a test; 0: never
    check_legality: bool = True
    check_latencies: bool = True  # RL and WL in the mode registers are those of the preset
    one_column_each: bool = True  # each request has exactly one RD or WR
    reproduce: str = ""

    @classmethod
    def from_environment(cls, **defaults: Any) -> OwnConfig:
        """Defaults of the test, overridden by what the starter put into the environment."""
        given: dict[str, Any] = json.loads(os.environ.get(ENVIRONMENT, "{}"))
        merged = {**defaults, **given}
        unknown = set(merged) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        merged.setdefault("seed", int(os.environ.get("COCOTB_RANDOM_SEED", "1")))
        return cls(**merged)

    @property
    def params(self) -> Params:
        """What the checkers hold true."""
        base = preset(self.preset)
        return base.replaced(**self.timing) if self.timing else base

    @property
    def geometry(self) -> str:
        """Name of the sources' geometry, for sim.build."""
        name: str = self.params.geometry.name
        return name

    def rng(self, *salt: object) -> np.random.Generator:
        """A generator that depends on seed, test, preset and `salt` only."""
        text = "/".join(str(part) for part in (self.test, self.preset, *salt))
        return np.random.default_rng([self.seed & 0xFFFFFFFF, zlib.crc32(text.encode())])

    @property
    def memory_seed(self) -> int:
        """Seed of never written memory."""
        return (self.seed * 0x9E3779B97F4A7C15 + 0x1234567) & ((1 << 64) - 1)
