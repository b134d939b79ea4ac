"""Parameters, presets, geometries, and files of parameters with everything that can be wrong in them."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_model.geometry import ASSUMED, DENSITIES, GENERATIONS, HBM2E_EXTRA_PINS, STACKS, geometry
from hbm_model.params import PARAM, PARAMS, REGISTERS, ck_of_ns, load_params
from hbm_model.presets import PRESET_NAMES, geometry_of, legal_sids, preset

ROOT = Path(__file__).parents[2]

# ------------------------------------------------------------------ values typed by hand, one line a source


@pytest.mark.parametrize(
    ("name", "values"),
    [
        # AMD HBM IP fit and Samsung PIMSimulator, in CK at 1 ns
        ("hbm2_2000_eng", "RCDRD=14 RCDWR=10 RAS=33 RP=14 RC=47 RRDS=4 RRDL=6 FAW=16"),
        ("hbm2_2000_eng", "WR=16 WTRS=4 WTRL=9 RTP=5 CCDL=4 CCDR=3"),
        ("hbm2_2000_eng", "RL=20 WL=8 RTW=16 RFC=260 RFCSB=160 RREFD=8 REFI=3900 REFISB=243 XP=8 XS=268 MRD=8 MOD=15"),
        # The same nanoseconds at 0.625 and 0.5556 ns: 33 / 0.625 = 52.8, 16 / 0.5556 = 28.8, 2.5 / 0.5556 = 4.5
        ("hbm2e_3200_eng", "RCDRD=23 RAS=53 RP=23 RC=76 FAW=26 CCDL=4 RFC=416"),
        ("hbm2e_3200_eng", "RFCSB=256 RREFD=13 REFI=6240 REFISB=390 RTW=22"),
        ("hbm2e_3600_eng", "RCDRD=26 RAS=60 RP=26 RC=86 FAW=29 CCDL=5 RFC=468 RFCSB=288 RTP=9 REFISB=438 RTW=23"),
        # Ramulator 2 HBM3 where it is larger than the HBM2 nanoseconds; 8 Gb channel
        ("hbm3_6400_eng", "RCDRD=31 RCDWR=16 RP=26 RAS=53 RC=79 WR=33 RTP=9 RRDS=4"),
        ("hbm3_6400_eng", "RRDL=7 FAW=26 WTRS=7 WTRL=15 RREFD=13 PPD=2"),
        ("hbm3_6400_eng", "RL=24 WL=10 RTW=24 RFC=560 RFCSB=320 REFI=6240"),
        ("hbm3_6400_eng", "REFISB=195 RFMAB=560 RFMPB=320 XS=576 CPDED=5"),
        # Ramulator 2 HBM4; RCDWR 14.3333 ns and RAS 33 ns from handbook and course
        ("hbm4_8000_eng", "RCDRD=39 RCDWR=29 RP=33 RAS=66 RC=99 WR=42 RTP=12 RRDS=5"),
        ("hbm4_8000_eng", "RRDL=7 FAW=30 WTRS=9 WTRL=13 CCDL=5 RREFD=16"),
        ("hbm4_8000_eng", "RL=30 WL=12 RTW=28 RFC=900 RFCSB=560 REFI=7800 REFISB=243 bgs=2 banks=8 sids=2 XS=920"),
        # The timings of the simulator comparison
        ("peers_hbm2", "RL=14 WL=4 RAS=34 RC=48 WTRS=6 WTRL=8 RTW=14 RFC=260 REFISB=243 PPD=1 pcs=2 sids=1"),
        ("peers_hbm3", "RL=20 WL=10 RCDWR=15 RAS=45 RC=72 RRDL=5 FAW=24"),
        ("peers_hbm3", "WTRL=10 RTW=20 RFC=560 REFISB=390 PPD=2 sids=1"),
        # Density table: 8 Gb, 12 Gb (row of 16 Gb), 4 Gb, 16 Gb channels
        ("hbm2_2000_eng_s2", "sids=2 RFC=350 RFCSB=160 REFISB=121 XS=358"),
        ("hbm2e_3200_eng_s3", "sids=3 RFC=720 RFCSB=320 REFISB=130"),
        ("hbm3_6400_eng_s1", "sids=1 RFC=416 RFCSB=320 REFISB=390 RFMAB=416 XS=432"),
        ("hbm3_6400_eng_s4", "sids=4 RFC=720 REFISB=97"),
        ("hbm4_8000_eng_s1", "sids=1 RFC=800 REFISB=487"),
        ("peers_hbm3_s2", "sids=2 RFC=560 REFISB=195 RAS=45"),
    ],
)  # fmt: skip
def test_preset_values(name: str, values: str) -> None:
    params = preset(name)
    for item in values.split():
        key, value = item.split("=")
        assert params[key] == int(value), key


def test_every_value_has_a_source_or_is_assumed() -> None:
    for name in PRESET_NAMES:
        params = preset(name)
        assert set(params.sources) == set(PARAM)
        assert all(params.sources.values())
    assert preset("hbm3_6400_eng").sources["RL"].startswith(ASSUMED)
    assert "AMD HBM IP" in preset("hbm2_2000_eng").sources["RFC"]


def test_presets_are_consistent_parameter_files(tmp_path: Path) -> None:
    """What a preset prints as a file reads back as the same values."""
    for name in (*PRESET_NAMES, "hbm3_6400_eng_s4"):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(preset(name).as_file()))
        read = load_params(file)
        assert read.ticks == preset(name).ticks and read.tck_ns == preset(name).tck_ns
        assert read.from_base == ()


def test_hbm4_is_hbm3_plus_differences() -> None:
    from hbm_model.presets import HBM3_SPECS, HBM4_SPECS

    same = [key for key in HBM3_SPECS if HBM4_SPECS[key] is HBM3_SPECS[key]]
    assert len(same) > len(HBM3_SPECS) // 2


def test_nanoseconds_become_ck_by_ceil() -> None:
    assert ck_of_ns("33", "0.625") == 53
    assert ck_of_ns("14", "1") == 14  # exact multiples stay
    assert ck_of_ns("3900", "0.555556", upper=True) == 7019  # intervals round down
    assert ck_of_ns("33", "0.7", step=Fraction(1, 2)) == Fraction(95, 2)  # HBM4: half CK, 47.14 -> 47.5
    assert ck_of_ns("15", "0.7", step=Fraction(1, 2)) == Fraction(43, 2)


# ------------------------------------------------------------------ spellings and widths


def test_one_spelling_rule() -> None:
    rcdrd = PARAM["RCDRD"]
    assert (rcdrd.jedec, rcdrd.snake, rcdrd.camel) == ("tRCDRD", "t_rcd_rd", "TRcdRd")
    assert (PARAM["RL"].jedec, PARAM["RL"].snake) == ("RL", "rl")
    assert len({p.snake for p in PARAMS}) == len(PARAMS)


def test_registers_are_the_fields_of_timing_t() -> None:
    """Names, order and widths of the packed struct that reaches the scheduler."""
    text = (ROOT / "rtl" / "hbm_pkg.sv").read_text()
    body = re.search(r"typedef struct packed \{([^}]*)\}\s*timing_t;", text)
    assert body
    fields = re.findall(r"logic\s*\[(\d+):0\]\s*(\w+);", body[1])
    assert [(name, int(high) + 1) for high, name in fields] == [(p.snake, p.width) for p in REGISTERS]


def test_preset_values_fit_their_registers() -> None:
    for name in PRESET_NAMES:
        for sids in legal_sids(preset(name).std):
            params = preset(f"{name}_s{sids}")
            assert all(0 <= params.count(p.key) <= p.limit for p in PARAMS if p.timing)


# ------------------------------------------------------------------ geometry


def test_densities_and_rows() -> None:
    """Rows per bank: 16 banks, 1 KiB pages; 24 Gb dies have three quarters of the row addresses."""
    rows = {(d.std, d.die_gb): d.rows for d in DENSITIES}
    assert rows["HBM2", 8] == 2**14 and rows["HBM2E", 16] == 2**15
    assert rows["HBM3", 8] == 2**13 and rows["HBM3", 16] == 2**14 and rows["HBM3", 32] == 2**15
    assert rows["HBM3", 24] == 3 * 2**13 and rows["HBM4", 24] == 3 * 2**12 and rows["HBM4", 32] == 2**14
    assert all(d.rows <= 1 << GENERATIONS[d.std].row_bits for d in DENSITIES)


def test_stack_heights() -> None:
    heights = {(s.std, s.height): s.sids for s in STACKS}
    assert (
        heights["HBM2", 4] == 1 and heights["HBM2", 8] == 2 and heights["HBM2E", 12] == 3 and heights["HBM3", 16] == 4
    )
    assert next(s.source for s in STACKS if (s.std, s.height) == ("HBM2E", 12)) == ASSUMED
    assert all(pin.source == ASSUMED for pin in HBM2E_EXTRA_PINS)
    assert {pin.field for pin in HBM2E_EXTRA_PINS} == {"RA14", "SID1"}


def test_geometry_of_presets() -> None:
    names = {name: geometry_of(name).name for name in (*PRESET_NAMES, "hbm2_2000_eng_s2")}
    assert names == {
        "hbm2_2000_eng": "hbm2_s1", "hbm2e_3200_eng": "hbm2_s1", "hbm2e_3600_eng": "hbm2_s1",
        "hbm3_6400_eng": "hbm3_s2",
        "hbm4_8000_eng": "hbm4_s2", "peers_hbm2": "hbm2_s1", "peers_hbm3": "hbm3_s1", "hbm2_2000_eng_s2": "hbm2_s2",
    }  # fmt: skip
    hbm2, hbm4 = geometry("HBM2", 1), geometry("HBM4", 2)
    assert (hbm2.sid_width, hbm2.bg_width, hbm2.ba_width, hbm2.row_width, hbm2.col_width) == (1, 2, 2, 14, 5)
    assert (hbm4.bgs, hbm4.banks, hbm4.bg_width, hbm4.ba_width, hbm4.num_banks) == (2, 8, 1, 3, 32)
    assert (hbm2.row_pins, hbm2.col_pins, hbm4.row_pins) == (6, 8, 10)
    assert (geometry("HBM2E", 1, 2**15).row_pins, geometry("HBM3", 1, 24576).row_width) == (7, 15)
    assert geometry("HBM3", 2, 24576).name == "hbm3_s2_r24576"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hbm2_2000", "unknown preset 'hbm2_2000', expected one of hbm2_2000_eng, "),
        ("hbm2_2000_eng_s3", "HBM2 has 1, 2 SIDs, not 3"),
        ("hbm3_6400_eng_s5", "HBM3 has 1, 2, 3, 4 SIDs, not 5"),
    ],
)
def test_unknown_presets(name: str, text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        preset(name)


# ------------------------------------------------------------------ files


def _load(tmp_path: Path, text: str, name: str = "p.json"):
    file = tmp_path / name
    file.write_text(text)
    return load_params(file)


def test_missing_values_come_from_the_engineering_preset(tmp_path: Path) -> None:
    params = _load(tmp_path, '{"std": "HBM3", "RAS": 40}')
    assert params["RAS"] == 40 and params["RP"] == 26 and params.base == "hbm3_6400_eng"
    assert "RAS" not in params.from_base and {"RP", "tCK_ns", "XS", "rows"} <= set(params.from_base)


def test_base_names_another_preset(tmp_path: Path) -> None:
    params = _load(tmp_path, "base: peers_hbm2\nRL: 15\n", "p.yaml")
    assert params.std == "HBM2" and params["RL"] == 15 and params["WL"] == 4 and params.base == "peers_hbm2"
    assert _load(tmp_path, '{"base": "hbm3_6400_eng_s4"}')["sids"] == 4


def test_half_ck_of_hbm4(tmp_path: Path) -> None:
    params = _load(tmp_path, '{"std": "HBM4", "RAS": 47.5, "RP": 21.5, "WR": 30.5, "RTP": 8.5}')
    assert params["RAS"] == 47.5 and params.count("RAS") == 48 and params.timing["t_rp"] == 22


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("{", "p.json:1", "not JSON"),
        ('{"std": "HBM2",\n "RAS": }', "p.json:2", "not JSON"),
        ("[1, 2]", "p.json", "expected a mapping"),
        ("3", "p.json", "expected a mapping"),
        ("", "p.json", "expected a mapping"),
        ('{"RAS": 3}', "p.json", "std is missing, expected one of HBM2, HBM2E, HBM3, HBM4"),
        ('{"std": "DDR4"}', "p.json:1", "std is 'DDR4'"),
        ('{"std": "HBM2",\n "tRCDRD": 3}', "p.json:2", "'tRCDRD' is not a parameter; did you mean RCDRD?"),
        ('{"std": "HBM2",\n "nBL": 4}', "p.json:2", "nBL is 4, expected 2"),
        ('{"std": "HBM2",\n "CCDS": 5}', "p.json", "CCDL is 4, expected at least CCDS, which is 5"),
        ('{"std": "HBM2",\n "RRDL": 3}', "p.json:2", "RRDL is 3, expected at least RRDS, which is 4"),
        ('{"std": "HBM2", "RAS": -1}', "p.json:1", "RAS is -1, expected 0 to 255"),
        ('{"std": "HBM2", "RAS": 256}', "p.json:1", "RAS is 256, expected 0 to 255"),
        ('{"std": "HBM2", "RFC": 4096}', "p.json:1", "RFC is 4096, expected 0 to 4095"),
        ('{"std": "HBM2", "REFI": 65536}', "p.json:1", "REFI is 65536, expected 1 to 65535"),
        ('{"std": "HBM2", "REFI": 0}', "p.json:1", "REFI is 0, expected 1 to 65535"),
        ('{"std": "HBM2", "RAS": 33.5}', "p.json:1", "RAS is 33.5, expected a whole number (.5 is legal for HBM4"),
        ('{"std": "HBM4", "RC": 99.5}', "p.json:1", "RC is 99.5, expected a whole number"),
        ('{"std": "HBM4", "RAS": 47.25}', "p.json:1", "RAS is 47.25, expected a whole number of CK"),
        ('{"std": "HBM2", "RAS": "33"}', "p.json:1", "RAS is '33', expected a number"),
        ('{"std": "HBM2", "RAS": true}', "p.json:1", "RAS is True, expected a number"),
        ('{"std": "HBM2", "RAS": null}', "p.json:1", "RAS is None, expected a number"),
        ('{"std": "HBM2", "RAS": NaN}', "p.json", "NaN is not a number"),
        ('{"std": "HBM2", "RAS": 1, "RAS": 2}', "p.json:1", "'RAS' is given twice"),
        ('{"std": "HBM2", "sids": 3}', "p.json:1", "sids is 3, expected 1 to 2"),
        ('{"std": "HBM4", "rows": 32768}', "p.json:1", "rows is 32768, expected 1 to 16384"),
        ('{"std": "HBM2", "pcs": 0}', "p.json:1", "pcs is 0, expected 1 to 2"),
        ('{"std": "HBM2", "banks": 8}', "p.json:1", "banks is 8, expected at most 16 banks per SID; bgs is 4"),
        ('{"std": "HBM2", "dq": 32}', "p.json:1", "dq is 32, expected 64 for HBM2"),
        ('{"std": "HBM2", "tCK_ns": 0}', "p.json:1", "tCK_ns is 0, expected a time in ns"),
        ('{"std": "HBM2", "base": "nope"}', "p.json:1", "unknown preset 'nope'"),
        ('{"std": "HBM2", "base": "hbm3_6400_eng"}', "p.json:1",
     "base hbm3_6400_eng is HBM3, expected a preset of HBM2"),
        ('{"base": 3}', "p.json:1", "base is 3, expected the name of a preset"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, text: str, where: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        _load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / where}: ") and expected in message and "\n" not in message


def test_bad_yaml_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.yaml:3: neither JSON nor YAML"):
        _load(tmp_path, "std: HBM2\nRAS: [1\n", "p.yaml")
    with pytest.raises(InputError, match=r"p\.yaml:3: 'RAS' is given twice"):
        _load(tmp_path, "std: HBM2\nRAS: 30\nRAS: 31\n", "p.yaml")
    with pytest.raises(InputError, match="cannot read parameters: No such file"):
        load_params(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load_params(tmp_path / "b.json")
    with pytest.raises(InputError, match="cannot read parameters"):
        load_params(tmp_path)


def test_comments_and_aliases(tmp_path: Path) -> None:
    params = _load(tmp_path, '{"std": "HBM3E", "name": "mine", "_why": "text", "notes": ["x"], "RAS": 50.0}')
    assert params.std == "HBM3" and params["RAS"] == 50
    # RC below RAS + RP is legal; the larger binds.
    assert _load(tmp_path, '{"std": "HBM2", "RC": 20}')["RC"] == 20
