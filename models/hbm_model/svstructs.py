"""The packed types of `hbm_pkg`, read from its source: widths by elaboration (slang), meanings from the comments.

The package is the record for the shape of what reaches the hardware; registers, decoders and width tests follow it.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyslang.ast as slang_ast
from pyslang import driver as slang_driver


@dataclass(frozen=True)
class Member:
    """One member of a packed struct. `lsb` and `width` in bits;"""

    name: str
    lsb: int
    width: int
    meaning: str
    type_name: str = ""


@dataclass(frozen=True)
class Struct:
    """A packed struct, members most significant first."""

    name: str
    width: int
    members: tuple[Member, ...]

    def member(self, name: str) -> Member:
        """Return the member of that name."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"{self.name} has no member {name}")


@dataclass(frozen=True)
class Package:
    """What one elaboration of `hbm_pkg` holds: structs, enumerations (value -> name) and integer constants."""

    structs: dict[str, Struct]
    enums: dict[str, dict[int, str]]
    constants: dict[str, int]


def _meanings(source: str) -> dict[str, dict[str, str]]:
    """Return struct name -> member name -> trailing comment."""
    found: dict[str, dict[str, str]] = {}
    for body, name in re.findall(r"typedef struct packed \{(.*?)\}\s*(\w+);", source, re.S):
        lines = re.findall(r"(\w+)\s*;[ \t]*(?://[ \t]*([^\n]*))?", body)
        found[name] = {member: comment.strip() for member, comment in lines}
    return found


def _integer(value: object) -> int:
    """Return a slang constant as an int."""
    text = str(value)
    if match := re.fullmatch(r"(\d+)'s?([bdh])([0-9a-fA-F]+)", text):
        return int(match[3], {"b": 2, "d": 10, "h": 16}[match[2]])
    return int(text)


@cache
def read_package(geometry_pkg: Path, package: Path) -> Package:
    """Elaborate `package` on the geometry of `geometry_pkg` and return its types."""
    driver = slang_driver.Driver()
    driver.addStandardArgs()
    if not (
        driver.parseCommandLine(f"slang {geometry_pkg} {package}")
        and driver.processOptions()
        and driver.parseAllSources()
    ):
        raise ValueError(f"{package}: does not parse")
    compilation = driver.createCompilation()
    errors = [d for d in compilation.getAllDiagnostics() if d.isError()]
    if errors:
        raise ValueError(f"{package}: {len(errors)} errors in elaboration, the first: {errors[0].code}")
    symbol = compilation.getPackage(package.stem)
    if symbol is None:
        raise ValueError(f"{package}: no package {package.stem}")
    meanings = _meanings(package.read_text(encoding="utf-8"))
    structs: dict[str, Struct] = {}
    enums: dict[str, dict[int, str]] = {}
    constants: dict[str, int] = {}
    item: Any  # slang's Symbol classes are not typed down to their members
    for item in symbol:
        if item.kind == slang_ast.SymbolKind.Parameter:
            constants[item.name] = _integer(item.value)
        elif item.kind == slang_ast.SymbolKind.TypeAlias:
            kind = item.targetType.type.canonicalType
            if kind.kind == slang_ast.SymbolKind.PackedStructType:
                members = tuple(
                    Member(
                        f.name, f.bitOffset, f.type.bitWidth, meanings.get(item.name, {}).get(f.name, ""), str(f.type)
                    )
                    for f in kind
                )
                structs[item.name] = Struct(item.name, kind.bitWidth, members)
            elif kind.kind == slang_ast.SymbolKind.EnumType:
                enums[item.name] = {_integer(v.value): v.name for v in kind}
    return Package(structs, enums, constants)
