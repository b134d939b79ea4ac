"""All copies agree: generated files are fresh, and what different files say about the same fact is the same."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hbm_model.csr import resets_of
from hbm_model.csr_table import REGISTER, REGISTERS
from hbm_model.emit import DEFAULT_PRESETS, ROOT, generate, stale
from hbm_model.params import REGISTERS as TIMINGS
from hbm_model.presets import PRESET_NAMES, preset
from hbm_model.rdl import elaborate, register_docs
from hbm_model.svstructs import Package, read_package

GEN = ROOT / "rtl" / "gen"
GEOMETRIES = sorted(DEFAULT_PRESETS)
# Every preset, and both stack heights of each.
ALL_PRESETS = sorted({f"{name}{suffix}" for name in PRESET_NAMES for suffix in ("", "_s1", "_s2")})


def package_of(geometry: str) -> Package:
    """Elaborated hbm_pkg of a geometry."""
    return read_package(GEN / geometry / "hbm_geometry_pkg.sv", ROOT / "rtl" / "hbm_pkg.sv")


# ---------------------------------------------------------------- fresh


def test_generated_files_are_fresh() -> None:
    """`make gen` would change nothing and leaves nothing behind."""
    assert stale() == []


def test_stale_names_changed_missing_and_left_over_files(tmp_path: Path) -> None:
    """The check itself: each kind of difference shows."""
    generate(tmp_path)
    for name in ("pyproject.toml", "hbm_channel.core", "Bender.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in ("rtl", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, dirs_exist_ok=True)
    (tmp_path / "rtl/gen/hbm2_s1/hbm_reset_pkg.sv").write_text("changed\n")
    (tmp_path / "docs/registers.md").unlink()
    (tmp_path / "rtl/gen/hbm9_s1").mkdir()
    (tmp_path / "rtl/gen/hbm9_s1/hbm_geometry_pkg.sv").write_text("left over\n")
    expected = ["docs/registers.md", "rtl/gen/hbm2_s1/hbm_reset_pkg.sv", "rtl/gen/hbm9_s1/hbm_geometry_pkg.sv"]
    assert stale(tmp_path) == expected


def test_generating_twice_gives_the_same(tmp_path: Path) -> None:
    """No date, no order of a set, no path of this machine in the output."""
    texts = []
    for name in ("a", "b"):
        generate(tmp_path / name)
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        texts.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert texts[0] == texts[1]
    assert not any(str(ROOT).encode() in text or b"/tmp" in text for text in texts[0].values())


# ---------------------------------------------------------------- values and widths


def test_every_timing_has_a_register_and_the_reverse() -> None:
    """timing_t, the parameter table and the registers list the same names."""
    members = [member.name for member in package_of("hbm2_s1").structs["timing_t"].members]
    assert members == [register.path.split(".")[1] for register in REGISTERS if register.path.startswith("timing.")]
    assert sorted(members) == sorted(param.snake for param in TIMINGS)


@pytest.mark.parametrize("name", ALL_PRESETS)
def test_preset_values_fit_their_fields(name: str) -> None:
    """Each value that software writes for a preset fits the field that reaches the scheduler."""
    params = preset(name)
    package = package_of(params.geometry.name)
    for key, value in params.timing.items():
        member = package.structs["timing_t"].member(key)
        assert 0 <= value < 1 << member.width, f"{key} = {value} needs more than {member.width} bits"
    resets = resets_of(params)
    assert resets["ap_min_ras"] < 1 << package.structs["policy_t"].member("ap_min_ras").width
    assert resets["row_limit"] <= 1 << params.geometry.row_width
    for bit in range(32):
        assert resets[f"mask{bit}"] < 1 << package.constants["MapInBits"]
        assert bit < package.constants["MapOutBits"] or resets[f"mask{bit}"] == 0


@pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.path)
def test_resets_fit_their_fields(register: object) -> None:
    """No reset value is cut, in any geometry."""
    assert hasattr(register, "fields")
    for geometry, name in DEFAULT_PRESETS.items():
        resets = resets_of(preset(name))
        for field in register.fields:
            value = resets[field.preset_reset] if field.preset_reset else field.reset or 0
            assert value < 1 << field.width, f"{geometry}: {field.name} = {value}"


def constants(path: Path) -> dict[str, int]:
    """Sized constants of a generated package."""
    found = re.findall(r"localparam logic \[\d+:0\] (\w+) = \d+'([dh])([0-9a-f]+);", path.read_text(encoding="utf-8"))
    return {name: int(digits, 16 if base == "h" else 10) for name, base, digits in found}


# Typed by hand from the sources that presets.py names (AMD HBM IP, Samsung PIMSimulator, Ramulator 2).
BY_HAND = {
    "hbm2_s1": {"TRcdRd": 14, "TRcdWr": 10, "TRp": 14, "TRas": 33, "TRc": 47, "TFaw": 16, "TRfc": 260, "TRefiSb": 243},
    "hbm2_s2": {"TRfc": 350, "TRefiSb": 121},
    "hbm3_s2": {"TRcdRd": 31, "TRp": 26, "TRc": 79, "TPpd": 2, "TRfc": 560, "TRfcSb": 320, "ApMinRas": 0},
    "hbm4_s2": {"TRas": 66, "TCcdL": 5, "TRfc": 900, "TRfcSb": 560, "ApMinRas": 66, "RowLimit": 16384},
}  # fmt: skip


@pytest.mark.parametrize("geometry", sorted(BY_HAND))
def test_reset_packages_hold_the_presets_numbers(geometry: str) -> None:
    """The RTL resets to these numbers, seen without the tables that they come from."""
    found = constants(GEN / geometry / "hbm_reset_pkg.sv")
    assert {name: found[name] for name in BY_HAND[geometry]} == BY_HAND[geometry]


def test_default_map_by_hand() -> None:
    """Map `peers`, one SID, LSB first from address bit 5: BG, column, bank, row."""
    found = constants(GEN / "hbm2_s1" / "hbm_reset_pkg.sv")
    columns = [1 << position for position in range(2, 7)]
    rows = [1 << position for position in range(9, 23)]
    banks = [1 << 7, 1 << 8]
    groups = [1 << 0, 1 << 1]
    expected = [*columns, *rows, *banks, *groups, 0]  # bit order of dram_addr_t; the SID bit is constant
    assert [found[f"Mask{bit}"] for bit in range(len(expected))] == expected


# ---------------------------------------------------------------- registers


def test_every_field_says_how_its_effect_shows() -> None:
    """A field without an effect is a field that no test can catch when it is dead."""
    docs = register_docs(elaborate(ROOT / "rtl" / "csr" / "hbm_csr.rdl", GEN))
    assert len(docs) == len(REGISTERS)
    for doc in docs:
        for field in doc.register.fields:
            assert doc.effects[field.name], f"{doc.register.path}.{field.name}"
            assert doc.meanings[field.name], f"{doc.register.path}.{field.name}"


def test_register_model_and_header_use_the_same_addresses() -> None:
    """Register model and C header place a few registers where the table has them (both come from other exporters)."""
    model = (ROOT / "tb/hbm_tb/gen/register_model.py").read_text(encoding="utf-8")
    header = (GEN / "hbm_csr.h").read_text(encoding="utf-8")
    for path in ("ctrl", "irq_status", "phy"):
        address = REGISTER[path].address
        assert re.search(rf"add_reg\(self\.{path}, 0x{address:x},", model), path
    for block in ("policy", "map", "timing", "counters"):
        base = min(register.address for register in REGISTERS if register.path.startswith(f"{block}."))
        assert re.search(rf"add_submap\(self\.{block}\.get_default_map\(\), 0x{base:x}\)", model), block
    size = max(register.address for register in REGISTERS) + 4
    assert f"0x{size:x}" in header


def test_registers_do_not_overlap() -> None:
    """Addresses are unique and word-aligned, fields of a register disjoint."""
    addresses = [register.address for register in REGISTERS]
    assert len(set(addresses)) == len(addresses)
    for register in REGISTERS:
        assert register.address % 4 == 0 and register.address < 1 << 13
        taken = 0
        for field in register.fields:
            assert not taken & field.mask, f"{register.path}.{field.name}"
            taken |= field.mask


# ---------------------------------------------------------------- file list and waivers


def test_file_list_names_every_source() -> None:
    """rtl/hbm.f is the only file list: it names each SystemVerilog file once, geometry files by variable."""
    lines = [
        line
        for line in (ROOT / "rtl/hbm.f").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("//")
    ]
    assert len(set(lines)) == len(lines)
    expected = set()
    for path in (ROOT / "rtl").rglob("*.sv"):
        name = str(path.relative_to(ROOT))
        expected.add(re.sub(r"^rtl/gen/hbm\d_s\d[^/]*/", "rtl/gen/${HBM_GEOMETRY}/", name))
    assert set(lines) == expected


def test_every_waiver_has_its_reason() -> None:
    """A waiver, or a block of them, stands below a comment line."""
    lines = (ROOT / "rtl/lint/waivers.vlt").read_text(encoding="utf-8").splitlines()
    for above, line in zip(lines, lines[1:], strict=False):
        if line.startswith("lint_off"):
            assert above.startswith(("// ", "lint_off")), line
