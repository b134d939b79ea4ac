"""Address maps of users: JSON or YAML files, accepted wherever the name of a map is (docs/traffic.md).

    name: mine                          # optional
    layout: pc col0 bg col bank sid row # LSB first, from address bit 5 up
    hash:                               # optional: bit = its place in the layout XOR these
      bg0: col1 col2 row0
      bank0: [row3, row7]

or, as the registers hold them, one mask per DRAM address bit over port address bits (bit 0 = address bit 5):

    masks: {col0: 0x4, col1: 0x8, ...}
    pc: [5, 13]                         # optional: channel address bits whose XOR is the PC, its own bit first
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hbm_model.addrmap import MAP_FILES, OFFSET_BITS, AddressMap, GeometryLike, map_from_layout, map_from_masks
from hbm_model.errors import InputError
from hbm_model.params import read_mapping

_KEYS = ("name", "layout", "hash", "masks", "pc", "comment")


def map_of_file(path: str | Path, geometry: GeometryLike) -> AddressMap:
    """Read and check a map file; InputError says in one line what cannot be used."""
    values = read_mapping(path, "address map")
    unknown = [key for key in values if key not in _KEYS]
    if unknown:
        raise InputError(f"{path}: `{unknown[0]}` is no key of a map file; known: {', '.join(_KEYS)}")
    name = values.get("name", Path(path).stem)
    if not isinstance(name, str):
        raise InputError(f"{path}: name is {name!r}, expected text")
    if ("layout" in values) == ("masks" in values):
        raise InputError(f"{path}: expected either `layout` (with `hash`) or `masks` (with `pc`)")
    try:
        if "masks" in values:
            return _from_masks(name, values, geometry)
        return _from_layout(name, values, geometry)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def map_reference(name: str) -> str:
    """A map as another working directory understands it: files by their whole path."""
    return str(Path(name).resolve()) if name.lower().endswith(MAP_FILES) else name


def _refuse(values: Mapping[str, object], key: str, other: str) -> None:
    if key in values:
        raise InputError(f"`{key}` does not go with `{other}`")


def _words(what: str, value: object) -> str:
    """Text, or a list of words, as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    raise InputError(f"{what} is {value!r}, expected names of bits")


def _from_layout(name: str, values: Mapping[str, object], geometry: GeometryLike) -> AddressMap:
    _refuse(values, "pc", "layout")
    hashes = values.get("hash", {})
    if not isinstance(hashes, Mapping):
        raise InputError("hash is no mapping of a bit to the bits that are folded into it")
    lines = [f"{target} {_words(f'hash of {target}', sources)}" for target, sources in hashes.items()]
    return map_from_layout(name, _words("layout", values["layout"]), geometry, lines)


def _number(what: str, value: object) -> int:
    try:
        number = int(value, 0) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InputError(f"{what} is {value!r}, expected a number such as 0x40")
    return number


def _from_masks(name: str, values: Mapping[str, object], geometry: GeometryLike) -> AddressMap:
    _refuse(values, "hash", "masks")
    masks = values["masks"]
    bits = values.get("pc", [OFFSET_BITS])
    bits = bits if isinstance(bits, list) else [bits]
    places = [_number("pc", each) for each in bits]
    if not places or min(places) < OFFSET_BITS:
        raise InputError(f"pc is {values.get('pc')!r}, expected channel address bits from {OFFSET_BITS} up")
    pc_mask = 0
    for place in places:
        pc_mask ^= 1 << (place - OFFSET_BITS)
    if isinstance(masks, Mapping):
        given = {str(key): _number(f"mask of {key}", value) for key, value in masks.items()}
        return map_from_masks(name, given, geometry, places[0], pc_mask)
    if isinstance(masks, list):
        numbers = [_number(f"mask {index}", value) for index, value in enumerate(masks)]
        return map_from_masks(name, numbers, geometry, places[0], pc_mask)
    raise InputError("masks is neither a mapping of DRAM address bits nor a list of masks")
