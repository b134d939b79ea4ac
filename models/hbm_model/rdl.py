"""Elaborates the register record `rtl/csr/hbm_csr.rdl` and lists its registers with their documentation.

Reset values differ between geometries: a field with `preset_reset` takes its value from the geometry's default preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peakrdl_regblock.udps import ALL_UDPS
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegNode

from hbm_model.csr import Field, Register


@dataclass(frozen=True)
class RegisterDoc:
    """A register and its texts; `meanings` and `effects` go by field name."""

    register: Register
    title: str
    meaning: str
    meanings: Mapping[str, str]
    effects: Mapping[str, str]


def elaborate(rdl: Path, include: Path) -> AddrmapNode:
    """Compile the record and return its top; the numbers of the default preset stand in it as resets."""
    compiler = RDLCompiler()
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    compiler.compile_file(str(rdl), incl_search_paths=[str(include)])
    return compiler.elaborate(rdl.stem).top


def _text(value: str | None) -> str:
    return " ".join((value or "").split())


def _access(node: FieldNode) -> str:
    if node.get_property("singlepulse"):
        return "pulse"
    if node.get_property("woclr"):
        return "w1c"
    return str(node.get_property("sw").name)


def _field(node: FieldNode) -> Field:
    reset = node.get_property("reset")
    if reset is not None and not isinstance(reset, int):
        raise ValueError(f"{node.get_path()}: the reset value is not a number")
    name = node.get_property("preset_reset", default="")
    return Field(node.inst_name, node.lsb, node.width, _access(node), reset, name)


def register_docs(top: AddrmapNode) -> list[RegisterDoc]:
    """Return all registers by address."""
    found = []
    for node in top.descendants(unroll=True):
        if not isinstance(node, RegNode):
            continue
        path = node.get_path().split(".", 1)[1]
        fields = list(node.fields())
        found.append(
            RegisterDoc(
                Register(path, node.absolute_address, tuple(_field(field) for field in fields)),
                _text(node.get_property("name")),
                _text(node.get_property("desc", default="")),
                {field.inst_name: _text(field.get_property("desc")) for field in fields},
                {field.inst_name: _text(field.get_property("effect", default="")) for field in fields},
            )
        )
    return sorted(found, key=lambda doc: doc.register.address)
