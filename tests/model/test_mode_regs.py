"""Mode register values: numbers typed by hand, ends of the fields, sources."""

from __future__ import annotations

import pytest
from hbm_model import mode_regs
from hbm_model.presets import preset

# Timings that DRAM Bender programs, and the values that it writes (decoded from its source).
BENDER = {"RL": 20, "WL": 7, "WR": 16, "RAS": 33, "RP": 14, "RTP": 5}
BENDER_VALUES = {0: 0x00, 1: 0x50, 2: 0x96, 3: 0xE1, 4: 0x00, 5: 0x00, 6: 0x60, 7: 0x02, 15: 0x00}

# (preset, register, value) typed by hand.
BY_HAND = [
    ("hbm2_2000_eng", 2, 0x97),  # RL 20 - 2 = 18 = 10010, WL 8 - 1 = 7 = 111
    ("hbm2e_3200_eng", 2, 0xE3),  # RL 30 - 2 = 28 = 11100, WL 12 - 1 = 11 = 1|011
    ("hbm2e_3200_eng", 4, 0x10),  # bit 3 of WL - 1 in [4]; RL - 2 fits five bits
    ("hbm2e_3200_eng", 1, 0x5A),  # 12 mA, WR 26
    ("hbm2e_3200_eng", 6, 0xA8),  # RP 23 - 2 = 21 = 10101
    ("hbm2e_3600_eng", 3, 0xFC),  # BL4, bank groups, RAS 60
    ("hbm3_6400_eng", 1, 10),
    ("hbm3_6400_eng", 2, 24),
    ("hbm3_6400_eng", 3, 33),
    ("hbm3_6400_eng", 4, 53),
    ("hbm3_6400_eng", 5, 9),
    ("hbm3_6400_eng", 14, 0x40),
    ("hbm4_8000_eng", 0, 0x04),
    ("hbm4_8000_eng", 4, 63),  # RAS 66 does not fit
    ("hbm4_8000_eng", 13, 0x40),
]


def test_hbm2_values_are_those_seen_on_silicon() -> None:
    """All nine registers for the timings of a controller that drives real parts."""
    assert mode_regs.values(2, BENDER) == BENDER_VALUES


@pytest.mark.parametrize(("name", "register", "value"), BY_HAND)
def test_values_typed_by_hand(name: str, register: int, value: int) -> None:
    """Single registers of the presets."""
    params = preset(name)
    assert mode_regs.values(params.geometry.generation, params)[register] == value


def test_order_of_the_registers() -> None:
    """HBM2 0 to 7 and 15, HBM3 0 to 15, HBM4 0 to 19."""
    assert mode_regs.addresses(2) == (*range(8), 15)
    assert mode_regs.addresses(3) == tuple(range(16))
    assert mode_regs.addresses(4) == tuple(range(20))


@pytest.mark.parametrize("generation", [2, 3, 4])
def test_a_value_beyond_its_field_is_the_maximum(generation: int) -> None:
    """One more than the largest value writes the same as the largest, and is reported; the largest is not."""
    items = [item for item in mode_regs.FIELDS[generation] if item.timing]
    for item in items:
        at = BENDER | {item.timing: item.most}
        over = BENDER | {item.timing: item.most + 1}
        assert mode_regs.values(generation, at) == mode_regs.values(generation, over)
        assert mode_regs.values(generation, at) != mode_regs.values(generation, BENDER | {item.timing: item.most - 1})
        assert mode_regs.saturated(generation, over) == (item.timing,)
        assert mode_regs.saturated(generation, at) == ()


def test_only_ras_of_hbm4_saturates_in_the_presets() -> None:
    """The one case that the controller must handle with late auto-precharge."""
    names = ("hbm2_2000_eng", "hbm2e_3200_eng", "hbm2e_3600_eng", "hbm3_6400_eng", "hbm4_8000_eng")
    over = {name: mode_regs.saturated(preset(name).geometry.generation, preset(name)) for name in names}
    assert over == dict.fromkeys(names, ()) | {"hbm4_8000_eng": ("RAS",)}


@pytest.mark.parametrize("generation", [2, 3, 4])
def test_fields_are_disjoint_and_have_a_source(generation: int) -> None:
    """No bit is in two fields; every field says where its value comes from."""
    used: set[tuple[int, int]] = set()
    for item in mode_regs.FIELDS[generation]:
        bits = {(item.ma, item.lsb + i) for i in range(item.width)}
        assert not used & bits, item
        assert item.source, item
        assert all(bit < 8 for _, bit in bits), item
        used |= bits
