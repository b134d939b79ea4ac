"""Registers of a channel as data: addresses, fields, and the reset values that follow from a parameter set.

`csr_table.py` holds the table itself; it is generated from the record `rtl/csr/hbm_csr.rdl`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbm_model.addrmap import DEFAULT_MAP, named_map
from hbm_model.mode_regs import saturated
from hbm_model.params import Params

MASKS = 32  # map mask registers; the widest dram_addr_t has fewer bits


@dataclass(frozen=True)
class Field:
    """One field. `access` is rw, r, w1c or pulse; `reset` is that of the default preset, None for what hardware drives.

    `preset_reset` names the value of `resets_of` that it resets to, when that depends on the preset.
    """

    name: str
    lsb: int
    width: int
    access: str
    reset: int | None
    preset_reset: str = ""

    @property
    def mask(self) -> int:
        """The bits of the field in its register."""
        return ((1 << self.width) - 1) << self.lsb

    def of(self, word: int) -> int:
        """Value of the field in a register word."""
        return (word & self.mask) >> self.lsb


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte `address`; `path` is its dotted name (`timing.t_rcd_rd`)."""

    path: str
    address: int
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """Return the field of that name."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.path} has no field {name}")

    def reset(self, resets: dict[str, int]) -> int:
        """Value after reset of the bits that hardware does not drive, for the values of `resets_of`."""
        word = 0
        for field in self.fields:
            word |= (resets[field.preset_reset] if field.preset_reset else field.reset or 0) << field.lsb
        return word


def ap_min_ras(params: Params) -> int:
    """CK from ACT that RDA and WRA must leave to RAS: 0, or RAS when it exceeds its mode-register field."""
    timing = {key: float(params[key]) for key in ("RL", "WL", "WR", "RAS", "RP", "RTP")}
    return params.count("RAS") if "RAS" in saturated(params.generation.number, timing) else 0


def resets_of(params: Params) -> dict[str, int]:
    """All register values that depend on the preset: timings, ap_min_ras, row_limit, mask0 .. mask31."""
    address_map = named_map(DEFAULT_MAP, params.geometry)
    masks = [*address_map.masks, *[0] * (MASKS - len(address_map.masks))]
    values = {**params.timing, "ap_min_ras": ap_min_ras(params), "row_limit": params.count("rows")}
    return values | {f"mask{bit}": mask for bit, mask in enumerate(masks)}
