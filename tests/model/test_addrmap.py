"""Address maps: one-to-one, layouts as documented, the same through masks and through fields."""

from types import SimpleNamespace

import numpy as np
import pytest
from hbm_model.addrmap import NAMED_MAPS, AddressMap, map_from_layout, map_from_masks, named_map
from hbm_model.errors import InputError

HBM2 = SimpleNamespace(sids=1, bgs=4, banks=4, rows=16384, cols=32)
HBM2_8HIGH = SimpleNamespace(sids=2, bgs=4, banks=4, rows=16384, cols=32)
HBM3_24GB = SimpleNamespace(sids=2, bgs=4, banks=4, rows=3 * 2**13, cols=32)
HBM4_12HIGH = SimpleNamespace(sids=3, bgs=2, banks=8, rows=3 * 2**12, cols=32)
GEOMETRIES = {"hbm2": HBM2, "hbm2_8high": HBM2_8HIGH, "hbm3_24gb": HBM3_24GB, "hbm4_12high": HBM4_12HIGH}


@pytest.mark.parametrize("name", NAMED_MAPS)
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_every_named_map_is_inverted_exactly(name: str, geometry: SimpleNamespace) -> None:
    """Address -> DRAM -> address and DRAM -> address -> DRAM give back what went in, at channel level."""
    m = named_map(name, geometry)
    rng = np.random.default_rng(1)
    address = rng.integers(0, m.channel_bytes // 32, 20000, dtype=np.uint64) * np.uint64(32)
    at = m.decode(address)
    assert np.array_equal(m.encode(at), address)
    assert int(at.col.max()) == geometry.cols - 1
    for value, count in ((at.bg, geometry.bgs), (at.bank, geometry.banks)):
        assert set(np.unique(value)) == set(range(count))
    assert set(np.unique(at.pc)) == {0, 1}


@pytest.mark.parametrize("name", NAMED_MAPS)
def test_masks_and_tables_agree(name: str) -> None:
    """The masks, applied bit by bit in plain Python as the hardware does, give the same DRAM address as the tables."""
    m = named_map(name, HBM2_8HIGH)
    rng = np.random.default_rng(2)
    for address in rng.integers(0, m.port_bytes // 32, 200):
        expected = sum(((int(address) & mask).bit_count() & 1) << bit for bit, mask in enumerate(m.masks))
        assert int(m.to_dram(int(address) << 5)) == expected


def test_peers_layout_is_typed_by_hand() -> None:
    """LSB first: 5 offset, PC, BG (2), column (5), bank in group (2), row (14)."""
    m = named_map("peers", HBM2)
    address = 0x1F | 1 << 5 | 2 << 6 | 0b10110 << 8 | 3 << 13 | 0x2ABC << 15
    at = m.decode([address])
    assert [int(value[0]) for value in at] == [1, 0, 2, 3, 0x2ABC, 0b10110]
    assert m.layout() == (
        "pc bg0 bg1 col0 col1 col2 col3 col4 bank0 bank1 "
        "row0 row1 row2 row3 row4 row5 row6 row7 row8 row9 row10 row11 row12 row13"
    )
    pc, port = m.split([address])
    assert (int(pc[0]), int(port[0])) == (1, 0x1F | 2 << 5 | 0b10110 << 7 | 3 << 12 | 0x2ABC << 14)


def test_peers_masks_are_typed_by_hand() -> None:
    """Order of dram_addr_t, column first; mask bit 0 is port address bit 5; the SID of a one-SID geometry has mask
    0.
    """
    m = named_map("peers", HBM2)
    expected = [1 << bit for bit in range(2, 7)]  # column
    expected += [1 << bit for bit in range(9, 23)]  # row
    expected += [1 << 7, 1 << 8]  # bank in group
    expected += [1 << 0, 1 << 1]  # bank group
    expected += [0]  # SID
    assert m.csr_values() == {"row_limit": 16384, "mask": expected}
    assert (m.out_bits, m.in_bits) == (24, 23)


def test_sid_stands_below_the_row() -> None:
    m = named_map("peers", HBM2_8HIGH)
    at = m.decode([1 << 15, 1 << 16])
    assert at.sid.tolist() == [1, 0]
    assert at.row.tolist() == [0, 1]


def test_rows_and_sids_outside_are_found() -> None:
    """With 3 x 2^n rows and 3 SIDs, a quarter of each range is not memory; nor is anything above the range."""
    m = named_map("peers", HBM4_12HIGH)
    every_row = m.encode(m.unpack(0, m.pack(0, 0, 0, np.arange(2**14), 0)))
    assert m.outside(every_row).tolist() == [row >= 3 * 2**12 for row in range(2**14)]
    every_sid = m.encode(m.unpack(0, m.pack(np.arange(4), 0, 0, 0, 0)))
    assert m.outside(every_sid).tolist() == [False, False, False, True]
    assert m.outside([m.channel_bytes - 32, m.channel_bytes]).tolist() == [True, True]
    whole = named_map("peers", HBM2)
    assert whole.outside([whole.channel_bytes - 32, whole.channel_bytes]).tolist() == [False, True]
    assert whole.channel_bytes == 2 * 16 * 16384 * 1024  # 2 PCs, 16 banks, 16384 rows of 1 KiB


def test_hash_spreads_a_power_of_two_stride() -> None:
    """A stride of one row of one bank meets one bank in `peers` and all 16 in the hashed maps."""
    stride = np.arange(1024, dtype=np.uint64) << np.uint64(15)
    banks = {}
    for name in ("peers", "peers_hashed", "hashed"):
        at = named_map(name, HBM2).decode(stride)
        banks[name] = len(set(zip(at.bg.tolist(), at.bank.tolist(), strict=True)))
    assert banks == {"peers": 1, "peers_hashed": 16, "hashed": 16}


def test_a_map_that_is_not_one_to_one_is_refused_with_the_reason() -> None:
    good = named_map("peers", HBM2)
    masks = list(good.masks)
    masks[good.shifts["bg"]] = masks[2] ^ masks[7]  # bg0 := col2 XOR row2
    with pytest.raises(InputError, match="not one-to-one: bg0 is the XOR of col2, row2"):
        map_from_masks("bad", masks, HBM2)
    masks[good.shifts["bg"]] = 0
    with pytest.raises(InputError, match="not one-to-one: bg0 is always 0"):
        map_from_masks("bad", masks, HBM2)
    masks = list(good.masks)
    masks[-1] = 1
    with pytest.raises(InputError, match="sid0 must be 0"):
        map_from_masks("bad", masks, HBM2)
    with pytest.raises(InputError, match="reaches past port address bit 27"):
        map_from_masks("bad", {"col0": 1 << 23}, HBM2)
    with pytest.raises(InputError, match="24 masks are needed"):
        map_from_masks("bad", [1, 2], HBM2)
    with pytest.raises(InputError, match="unknown DRAM address bit `row99`"):
        map_from_masks("bad", {"row99": 1}, HBM2)
    with pytest.raises(InputError, match="holds bit 5"):
        AddressMap("bad", 1, 4, 4, 16384, 32, good.masks, pc_bit=5, pc_mask=2)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("pc bg col bank", "row is missing"),
        ("bg col bank sid row", "pc is missing"),
        ("pc bg col bank sid row bg0 bg1 bg0", "bg0 stands twice"),
        ("pc bg column bank sid row", "`column` is no address field"),
    ],
)
def test_a_bad_layout_is_refused(layout: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        map_from_layout("mine", layout, HBM2)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown map `nope`; known: peers, bg0_col_bg1"):
        named_map("nope", HBM2)


def test_a_layout_serves_as_a_name() -> None:
    """The PC may stand anywhere; here above the row."""
    m = named_map("bg,col,bank,sid,row,pc", HBM2)
    half = m.channel_bytes // 2
    assert m.decode([0, half - 32, half]).pc.tolist() == [0, 0, 1]
    pc, port = m.split([half + 64])
    assert (int(pc[0]), int(port[0])) == (1, 64)


def test_the_pc_can_be_hashed() -> None:
    base = named_map("peers", HBM2)
    m = AddressMap("pc_hash", 1, 4, 4, 16384, 32, base.masks, pc_bit=5, pc_mask=0b1 | 1 << 10 | 1 << 14)
    address = np.arange(0, 1 << 22, 32, dtype=np.uint64)
    pc, port = m.split(address)
    assert np.array_equal(m.join(pc, port), address)
    assert len(set(zip(pc.tolist(), port.tolist(), strict=True))) == len(address)
    assert m.split([1 << 15])[0].tolist() == [1]
