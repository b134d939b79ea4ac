"""Writes every generated file: `hbm gen`. Deterministic and offline; the output is committed and a test proves it fresh.

Sources: the parameter, preset and geometry tables of this package, the types of `rtl/hbm_pkg.sv`, and the register record
`rtl/csr/hbm_csr.rdl`.
"""

from __future__ import annotations

import re
from pathlib import Path

from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_pyuvm.exporter import PyUVMExporter

from hbm_model.csr import resets_of
from hbm_model.emit_docs import packed_module, register_table, registers_page
from hbm_model.emit_rdl import counters_rdl, map_rdl, timing_rdl
from hbm_model.emit_sv import geometry_pkg, reset_pkg, words_pkg, write_regblock
from hbm_model.params import ENG_PRESET, Params
from hbm_model.presets import DEFAULT_PRESET, preset
from hbm_model.rdl import elaborate, register_docs
from hbm_model.svstructs import read_package

ROOT = Path(__file__).resolve().parents[2]
# The preset that the registers of a geometry reset to; one folder of rtl/gen each.
DEFAULT_PRESETS: dict[str, str] = {
    preset(name).geometry.name: name
    for std in ("HBM2", "HBM3", "HBM4")
    for name in (f"{ENG_PRESET[std]}_s1", f"{ENG_PRESET[std]}_s2", ENG_PRESET[std])
}
TITLES = {2: "HBM2/HBM2E", 3: "HBM3", 4: "HBM4"}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _tidy(path: Path) -> None:
    """Take trailing blanks and surplus empty lines out of what a foreign exporter wrote."""
    text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    _write(path, re.sub(r"\n{3,}", "\n\n\n", text).rstrip() + "\n")


def _title(params: Params) -> str:
    sids = params.count("sids")
    return f"{TITLES[params.generation.number]}, {sids} SID{'s' if sids > 1 else ''}"


def generate(out: Path = ROOT, root: Path = ROOT) -> None:
    """Write all generated files below `out` from the sources below `root`."""
    gen = out / "rtl" / "gen"
    presets = {geometry: preset(name) for geometry, name in DEFAULT_PRESETS.items()}
    resets = {geometry: resets_of(params) for geometry, params in presets.items()}
    packages = {}
    for geometry, params in presets.items():
        folder = gen / geometry
        _write(folder / "hbm_geometry_pkg.sv", geometry_pkg(params.geometry, _title(params)))
        packages[geometry] = read_package(folder / "hbm_geometry_pkg.sv", root / "rtl" / "hbm_pkg.sv")
        _write(folder / "hbm_reset_pkg.sv", reset_pkg(geometry, params.name, resets[geometry], packages[geometry]))

    default = preset(DEFAULT_PRESET).geometry.name
    structs = packages[default].structs
    _write(gen / "hbm_csr_timing.rdl", timing_rdl(structs["timing_t"], resets[default]))
    _write(gen / "hbm_csr_map.rdl", map_rdl(resets[default]))
    _write(gen / "hbm_csr_counters.rdl", counters_rdl(structs["events_t"], structs["host_events_t"]))

    record = root / "rtl" / "csr" / "hbm_csr.rdl"
    top = elaborate(record, gen)
    docs = register_docs(top)
    _write(out / "docs" / "registers.md", registers_page(docs, resets, {g: p.name for g, p in presets.items()}))
    _write(out / "models" / "hbm_model" / "csr_table.py", register_table([doc.register for doc in docs]))
    _write(out / "tb" / "hbm_tb" / "packed.py", packed_module(packages))
    _write(gen / "hbm_csr_words_pkg.sv", words_pkg(docs, packages[default]))

    header = gen / "hbm_csr.h"
    CHeaderExporter().export(top, str(header))
    register_model = out / "tb" / "hbm_tb" / "gen" / "register_model.py"
    register_model.parent.mkdir(parents=True, exist_ok=True)
    PyUVMExporter().export(top, str(register_model))
    write_regblock(top, gen)
    exported = [header, register_model, gen / "hbm_csr_regs.sv", gen / "hbm_csr_regs_pkg.sv"]
    for path in exported:
        _tidy(path)
