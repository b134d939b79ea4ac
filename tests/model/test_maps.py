"""Map files, the validator's reasons, hashes, and `hbm map`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hbm_model.addrmap import NAMED_MAPS, named_map
from hbm_model.cli import app
from hbm_model.errors import InputError
from hbm_model.map_file import map_of_file, map_reference
from hbm_model.presets import geometry_of
from typer.testing import CliRunner

HBM2 = geometry_of("peers_hbm2")


def hbm(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output + (f"{done.exception}" if done.exception else "")


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


# ------------------------------------------------------------------ map files


def test_a_layout_with_hashes(tmp_path: Path) -> None:
    """The definition of a named map, typed as a file, gives its masks; JSON and YAML alike."""
    layout, hashes = NAMED_MAPS["peers_hashed"]
    lines = dict(line.split(" ", 1) for line in hashes)
    yaml = write(tmp_path, f"layout: {layout}\nhash:\n" + "".join(f"  {k}: {v}\n" for k, v in lines.items()))
    other = write(
        tmp_path, json.dumps({"layout": layout.split(), "hash": {k: v.split() for k, v in lines.items()}}), "mine.json"
    )
    good = named_map("peers_hashed", HBM2)
    for file in (yaml, other):
        seen = named_map(str(file), HBM2)
        assert (seen.name, seen.masks, seen.pc_mask) == ("mine", good.masks, good.pc_mask)


def test_masks_as_the_registers_hold_them(tmp_path: Path) -> None:
    good = named_map("bg0_col_bg1", HBM2)
    masks = {good.bit_name(bit): hex(mask) for bit, mask in enumerate(good.masks)}
    file = write(tmp_path, json.dumps({"name": "raw", "masks": masks, "pc": [5, 14]}), "raw.json")
    seen = named_map(str(file), HBM2)
    assert (seen.name, seen.masks) == ("raw", good.masks)
    # Channel address bits 5 and 14 choose the PC; without bit 5 the port addresses are as before.
    pc, port = seen.split([0, 1 << 5, 1 << 14, 1 << 14 | 1 << 5])
    assert (pc.tolist(), port.tolist()) == ([0, 1, 1, 0], [0, 0, 1 << 13, 1 << 13])


def test_the_pc_takes_part_in_a_hash(tmp_path: Path) -> None:
    """A stride of 64 bytes meets one PC in `peers`, both with a hash of the PC."""
    file = write(tmp_path, "layout: pc bg col bank sid row\nhash: {pc: bg0 bank0 row3}\n")
    seen = named_map(str(file), HBM2)
    address = np.arange(4096, dtype=np.uint64) * np.uint64(64)
    assert set(named_map("peers", HBM2).decode(address).pc.tolist()) == {0}
    at = seen.decode(address)
    assert np.bincount(at.pc).tolist() == [2048, 2048]
    assert np.array_equal(seen.encode(at), address)
    assert seen.layout().startswith("pc pc+bg0 bg1 ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layout: pc bg col bank row\nlayuot: x", "`layuot` is no key of a map file"),
        ("name: x", "expected either `layout`"),
        ("layout: pc bg col bank row\nmasks: {col0: 1}", "expected either `layout`"),
        ("layout: pc bg col bank row\npc: 6", "`pc` does not go with `layout`"),
        ("layout: pc bg col bank row\nhash: [bg0]", "hash is no mapping"),
        ("layout: pc bg col bank row\nhash: {bg0: 7}", "hash of bg0 is 7, expected names of bits"),
        ("layout: pc bg col bank row\nhash: {bg0: rwo1}", "`rwo1` in a hash is no bit of an address field"),
        ("layout: pc bg col row", "bank is missing from the layout"),
        ("masks: {col0: 1}", "is always 0"),
        ("masks: {col0: x}", "mask of col0 is 'x', expected a number"),
        ("masks: {col0: 1}\npc: [3]", "expected channel address bits from 5 up"),
        ("masks: 7", "masks is neither a mapping"),
        ("[1, 2]", "expected a mapping of address map keys"),
        ("layout: pc bg\nlayout: pc", "'layout' is given twice"),
        ("layout: [pc", "neither JSON nor YAML"),
    ],
)
def test_a_bad_map_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError, match=r"mine\.yaml") as caught:
        map_of_file(file, HBM2)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_map_file() -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: cannot read address map"):
        named_map("nowhere.json", HBM2)


def test_a_map_file_is_known_from_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert map_reference("mine.yaml") == str(tmp_path / "mine.yaml")
    assert map_reference("peers") == "peers"


# ------------------------------------------------------------------ one-to-one


@pytest.mark.parametrize(
    ("hashes", "bits", "places"),
    [
        # bg0 = 7 + 9 (bank0), bank0 = 9 + 7: the same; bit 0 of a layout `pc bg ...` is port address bit 5.
        ({"bg0": "bank0", "bank0": "bg0"}, "bg0 is the same as bank0", (5, 12)),
        ({"row2": "row2"}, "row2 is always 0", (16,)),
    ],
)
def test_the_validator_tells_which_bits_depend(
    tmp_path: Path, hashes: dict[str, str], bits: str, places: tuple[int, ...]
) -> None:
    """The DRAM address bit that says nothing new, the address bits that change nothing, and two places that meet."""
    file = write(tmp_path, json.dumps({"layout": "pc bg col bank sid row", "hash": hashes}))
    with pytest.raises(InputError) as caught:
        map_of_file(file, HBM2)
    text = str(caught.value)
    assert "is not one-to-one" in text and bits in text
    assert f"0x0 and {sum(1 << place for place in places):#x} go to the same place" in text
    assert all(str(place) in text for place in places)


def test_the_two_addresses_that_meet_do_meet() -> None:
    """Random maps that are not one-to-one: what the message says is so, by applying the masks."""
    good = named_map("col0_bg_hashed", HBM2)
    rng = np.random.default_rng(1)
    for _ in range(30):
        masks = list(good.masks)
        target, *sources = rng.permutation(len(masks) - 1)[:4].tolist()
        masks[target] = masks[sources[0]] ^ masks[sources[1]] ^ masks[sources[2]]
        with pytest.raises(InputError) as caught:
            type(good)("bad", 1, 4, 4, 16384, 32, tuple(masks))
        met = int(str(caught.value).rpartition("0x0 and ")[2].split()[0], 16) >> 5
        assert met and not any((met & mask).bit_count() & 1 for mask in masks)


def test_any_four_row_bits_spread_over_all_banks() -> None:
    """`col0_bg_hashed`: the rows that differ in four neighbouring bits lie in 16 {group, bank}, for all generations."""
    for name in ("peers_hbm2", "peers_hbm3", "hbm4_8000_eng"):
        address_map = named_map("col0_bg_hashed", geometry_of(name))
        first = next(at for at, what in enumerate(address_map.layout().split()) if what.startswith("row0"))
        for low in range(11):
            step = np.uint64(1 << (5 + first + low))
            at = address_map.decode(np.arange(16, dtype=np.uint64) * step)
            assert len(set(zip(at.bg.tolist(), at.bank.tolist(), strict=True))) == 16


# ------------------------------------------------------------------ command


def test_map_shows_a_stride() -> None:
    """1 KiB in `peers`: one bank group, four banks, four columns each, seen in the table and in the drawing."""
    code, text = hbm("map", "--stride", "1K", "--preset", "peers_hbm2")
    assert code == 0, text
    assert "1 PCs, 1 bank groups, 4 banks" in text
    assert "pc0 bg0      25.0 ██" in text
    line = next(line for line in text.splitlines() if "pc0 bg0 bank0 " in line)
    assert line.split()[-1] == "o-------" + 24 * "·" + "o-------" + 24 * "·"
    assert "at most 50" in text or "at most 49" in text


def test_map_compares_strides() -> None:
    code, text = hbm("map", "--stride", "64..64K", "--map", "col0_bg_hashed", "--preset", "peers_hbm2")
    assert code == 0, text
    rows = [line.split() for line in text.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert [int(row[0]) for row in rows] == [64 << i for i in range(11)]
    assert all(row[3] == "16" for row in rows)  # banks


def test_map_as_json(tmp_path: Path) -> None:
    file = write(tmp_path, "layout: pc col bg bank sid row\n")
    code, text = hbm("map", "0x12345", "--map", str(file), "--stride", "32", "--json")
    assert code == 0, text
    seen = json.loads(text)
    assert seen["addresses"][0] | {"row": 0} == {
        "address": 0x12345,
        "pc": 0,
        "sid": 0,
        "bg": 0,
        "bank": 1,
        "row": 0,
        "col": 13,
        "byte": 5,
        "outside": False,
    }
    assert seen["strides"][0]["banks"] == sum(n > 0 for n in seen["strides"][0]["per_bank"])
    assert set(seen["masks"]) >= {"col0", "row13", "bg1", "bank1", "sid0"}


def test_map_lists_the_named_maps() -> None:
    code, text = hbm("map", "--list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == list(NAMED_MAPS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stride", "4 kilo"], "`4 kilo` is no size"),
        (["--stride", "64..32"], "with FIRST not above LAST"),
        (["--stride", "0"], "at least one byte"),
        (["--map", "nope"], "unknown map `nope`"),
        (["12z"], "`12z` is no address"),
    ],
)
def test_bad_words(words: list[str], message: str) -> None:
    code, text = hbm("map", *words)
    assert code != 0 and message in text


def test_bound_takes_a_map_file(tmp_path: Path) -> None:
    """The file serves where a name does; a map that keeps a stride in one bank shows in the bound."""
    file = write(tmp_path, "layout: pc bg col bank sid row\n")
    found = {}
    for name in (str(file), "col0_bg_hashed"):
        words = ("bound", "stride_32768.p1", "--count", "2000", "--preset", "peers_hbm2", "--map", name, "--json")
        code, text = hbm(*words)
        assert code == 0, text
        found[name] = json.loads(text)["share_of_peak"]["in_order"]
    assert found[str(file)] < 0.05 < 0.45 < found["col0_bg_hashed"]
