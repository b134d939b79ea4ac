"""Writes every generated file: `hbm gen`. Deterministic and offline; the output is committed, a test proves it fresh.

Sources: the parameter, preset and geometry tables of this package, the types of `rtl/hbm_pkg.sv`, and the register
record `rtl/csr/hbm_csr.rdl`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_pyuvm.exporter import PyUVMExporter

from hbm_model.csr import resets_of
from hbm_model.emit_docs import packed_module, presets_page, register_table, registers_page, rules_page
from hbm_model.emit_manifests import bender_manifest, fusesoc_core
from hbm_model.emit_rdl import counters_rdl, map_rdl, timing_rdl
from hbm_model.emit_sv import geometry_pkg, reset_pkg, words_pkg, write_regblock
from hbm_model.owners import claims
from hbm_model.params import ENG_PRESET, Params
from hbm_model.presets import DEFAULT_PRESET, PRESET_NAMES, preset
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


def _write_python(path: Path, text: str) -> None:
    """Write a module as the formatter wants it."""
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "120", "--isolated", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    _write(path, done.stdout)


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
    _write(out / "hbm_channel.core", fusesoc_core(root, list(DEFAULT_PRESETS), default))
    _write(out / "Bender.yml", bender_manifest(root, list(DEFAULT_PRESETS), default))
    structs = packages[default].structs
    _write(gen / "hbm_csr_timing.rdl", timing_rdl(structs["timing_t"], resets[default]))
    _write(gen / "hbm_csr_map.rdl", map_rdl(resets[default]))
    _write(gen / "hbm_csr_counters.rdl", counters_rdl(structs["events_t"], structs["host_events_t"]))

    record = root / "rtl" / "csr" / "hbm_csr.rdl"
    top = elaborate(record, gen)
    docs = register_docs(top)
    _write(out / "docs" / "registers.md", registers_page(docs, resets, {g: p.name for g, p in presets.items()}))
    shown = [preset(name) for name in PRESET_NAMES]
    _write(out / "docs" / "rules.md", rules_page(shown, claims(root / "rtl")))
    _write(out / "docs" / "presets.md", presets_page(shown))
    _write_python(out / "models" / "hbm_model" / "csr_table.py", register_table([doc.register for doc in docs]))
    _write_python(out / "tb" / "hbm_tb" / "packed.py", packed_module(packages))
    _write(gen / "hbm_csr_words_pkg.sv", words_pkg(docs, packages[default]))

    header = gen / "hbm_csr.h"
    CHeaderExporter().export(top, str(header))
    register_model = out / "tb" / "hbm_tb" / "gen" / "register_model.py"
    register_model.parent.mkdir(parents=True, exist_ok=True)
    PyUVMExporter().export(top, str(register_model))
    write_regblock(top, gen)
    for path in (header, register_model, gen / "hbm_csr_regs.sv", gen / "hbm_csr_regs_pkg.sv"):
        _tidy(path)

    # The bench is written with this package in hand, so it is imported only here.
    from hbm_tb.records import generated_files

    for path, text in generated_files(out).items():
        _write(path, text)


def stale(root: Path = ROOT) -> list[str]:
    """Generated files that differ from what the sources give, relative to `root`, and left-overs in rtl/gen."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        generate(out, root)
        fresh = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    found = {
        str(path) for path, text in fresh.items() if not (root / path).is_file() or (root / path).read_bytes() != text
    }
    gen = root / "rtl" / "gen"
    left = {
        str(path.relative_to(root)) for path in gen.rglob("*") if path.is_file() and path.relative_to(root) not in fresh
    }
    return sorted(found | left)
