"""Command traces and `hbm check`: what is read, what is refused with exit code 2, and the exact output."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hbm_model.commands import CMD_DTYPE, COMMANDS, NO_ROW, Cmd
from hbm_model.errors import InputError
from hbm_model.params import Params
from hbm_model.presets import preset
from hbm_model.trace import HEADER, _Reader, read_commands, write_commands
from trace_tools import trace

HBM2 = preset("hbm2_2000_eng")
HBM3 = preset("hbm3_6400_eng")
MODELS = Path(__file__).parents[2] / "models"


def _file(tmp_path: Path, body: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(f"{HEADER}\n{body}")
    return path


def _both(path: Path, params: Params) -> np.ndarray:
    """Read with the exact and with the compiled reader; both must agree."""
    data = path.read_bytes()
    begin = data.index(b"\n") + 1
    exact = _Reader(str(path), params).read_exact(data, begin)
    fast = _Reader(str(path), params).read_fast(data, begin)
    assert np.array_equal(exact.commands, fast.commands) and np.array_equal(exact.lines, fast.lines)
    assert np.array_equal(read_commands(path, params).commands, exact.commands)
    return exact.commands


# ------------------------------------------------------------------ reading


def test_unused_fields_may_be_empty_or_hold_anything(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "0,ACT,1,0,2,3,77,\n15,RD,1,0,2,3,,31\n30,REF,0,-,?,99,x y,0x3\n300,MRS,,,,,,\n320,PREA,1,,,,-1,-1\n"
    )
    expected = trace("0 ACT pc1 bg2 bank3 row77\n15 RD pc1 bg2 bank3 col31\n30 REF\n300 MRS\n320 PREA pc1")
    assert np.array_equal(_both(path, HBM2), expected)


def test_aliases_halves_and_line_endings(tmp_path: Path) -> None:
    body = (
        "10.0,REFab,0,,,,,\r\n600.5,PREab,0,,,,,\r\n601,prepb,1,1,3,3,,\r\n\r\n"
        "700,REFpb,0,1,0,0,,\r\n1200,RFMpb,0,0,0,0,,\r\n2000,rfmAB,1,,,,,\r\n2600,RD,0,0,0,0,5,7"
    )
    expected = trace(
        "10 REF\n600.5 PREA\n601 PRE pc1 sid1 bg3 bank3\n700 REFSB sid1\n1200 RFMSB\n2000 RFM pc1\n2600 RD row5 col7"
    )
    path = tmp_path / "t.csv"
    path.write_bytes(f"{HEADER}\r\n{body}".encode())
    assert np.array_equal(_both(path, HBM3), expected)
    assert read_commands(path, HBM3).lines.tolist() == [2, 3, 4, 6, 7, 8, 9]


def test_lines_that_are_not_written_plainly_are_still_read(tmp_path: Path) -> None:
    """Spaces and long fractions go to the exact reader, in the middle of a fast pass."""
    body = (
        "0,ACT,0,0,0,0,1,\n 15 , RD , 0,0 ,0,0,,3\n20.50,PRE,0,0,0,0,,\n"
        "00021,PRE,0,0,0,0,,\n22,ACT,0,0,0,0,00000000001,\n"
    )
    expected = trace("0 ACT row1\n15 RD col3\n20.5 PRE\n21 PRE\n22 ACT row1")
    assert np.array_equal(_both(_file(tmp_path, body), HBM3), expected)


def test_sid_and_pc_may_be_empty_when_there_is_one(tmp_path: Path) -> None:
    assert np.array_equal(
        _both(_file(tmp_path, "0,ACT,,,1,1,5,\n"), HBM2.replaced(pcs=1)), trace("0 ACT bg1 bank1 row5")
    )
    with pytest.raises(InputError, match="sid of ACT is empty"):
        read_commands(_file(tmp_path, "0,ACT,0,,1,1,5,\n"), HBM3)


def test_rows_beyond_every_geometry_stay_illegal(tmp_path: Path) -> None:
    rows = _both(_file(tmp_path, "0,ACT,0,0,0,0,16384,\n50,ACT,0,0,0,1,99999,\n"), HBM2)["row"]
    assert rows.tolist() == [16384, NO_ROW - 1]


def test_empty_and_packed_traces(tmp_path: Path) -> None:
    assert len(_both(_file(tmp_path, ""), HBM2)) == 0
    body = f"{HEADER}\n0,REF,0,,,,,\n".encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(body))
    (tmp_path / "a.zst").write_bytes(zstandard.compress(body))
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + body)
    for name in ("a.gz", "a.zst", "bom.csv"):
        assert np.array_equal(read_commands(tmp_path / name, HBM2).commands, trace("0 REF"))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.zst", "t.npz"])
def test_what_is_written_reads_back(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(5)
    count = 6000
    commands = np.zeros(count, CMD_DTYPE)
    commands["cmd"] = rng.choice(COMMANDS, count)
    commands["time"] = np.cumsum(rng.integers(0, 5, count))
    everywhere = commands["cmd"] < Cmd.MRS
    commands["pc"] = rng.integers(0, 2, count) * everywhere
    banked = np.isin(commands["cmd"], [c for c in COMMANDS if c.name in "ACT PRE RD RDA WR WRA REFSB RFMSB".split()])
    for field, limit in (("sid", 2), ("bg", 4), ("bank", 4)):
        commands[field] = rng.integers(0, limit, count) * banked
    column = np.isin(commands["cmd"], [Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA])
    commands["col"] = rng.integers(0, 32, count) * column
    commands["row"] = rng.integers(0, 16384, count) * ((commands["cmd"] == Cmd.ACT) | (commands["cmd"] == Cmd.MRS))
    commands["row"][column] = NO_ROW
    path = tmp_path / name
    write_commands(path, commands)
    assert np.array_equal(read_commands(path, HBM3).commands, commands)
    first = path.read_bytes()
    write_commands(path, commands)
    assert name.endswith("npz") or path.read_bytes() == first
    if name == "t.csv":
        assert np.array_equal(_both(path, HBM3), commands)


# ------------------------------------------------------------------ refused

BAD_LINES = [
    ("5,ACT,0,0,0,0,5", ":3", "7 fields, expected 8"),
    ("5,ACT,0,0,0,0,5,,", ":3", "9 fields, expected 8"),
    ("garbage", ":3", "1 fields, expected 8"),
    ("x,ACT,0,0,0,0,5,", ":3", "cycle is 'x', expected a CK"),
    (",ACT,0,0,0,0,5,", ":3", "cycle is '', expected a CK"),
    ("-5,ACT,0,0,0,0,5,", ":3", "cycle is '-5'"),
    ("5.25,ACT,0,0,0,0,5,", ":3", "cycle is '5.25'"),
    ("5.,ACT,0,0,0,0,5,", ":3", "cycle is '5.'"),
    ("1e3,ACT,0,0,0,0,5,", ":3", "cycle is '1e3'"),
    ("99999999999999999999,ACT,0,0,0,0,5,", ":3", "cycle is '99999999999999999999'"),
    ("5,JUMP,0,0,0,0,5,", ":3", "'JUMP' is not a command of HBM2, expected one of ACT PRE PREA RD"),
    ("5,,0,0,0,0,5,", ":3", "'' is not a command"),
    ("5,NOP,0,0,0,0,5,", ":3", "'NOP' is not a command"),
    ("5,RFM,0,0,0,0,5,", ":3", "'RFM' is not a command of HBM2"),
    ("5,ACT,0,0,0,4,5,", ":3", "bank is 4, expected 0 to 3"),
    ("5,ACT,0,0,4,0,5,", ":3", "bg is 4, expected 0 to 3"),
    ("5,ACT,0,1,0,0,5,", ":3", "sid is 1, expected 0 to 0"),
    ("5,ACT,2,0,0,0,5,", ":3", "pc is 2, expected 0 to 1"),
    ("5,REF,2,0,0,0,5,", ":3", "pc is 2, expected 0 to 1"),
    ("5,RD,0,0,0,0,5,32", ":3", "col is 32, expected 0 to 31"),
    ("5,RD,0,0,0,0,5,", ":3", "col of RD is empty, expected a number"),
    ("5,ACT,0,0,0,0,,", ":3", "row of ACT is empty, expected a number"),
    ("5,ACT,0,0,0,-1,5,", ":3", "bank of ACT is '-1', expected a number"),
    ("5,ACT,0,0,0,1.0,5,", ":3", "bank of ACT is '1.0', expected a number"),
    ("5,PREA,x,0,0,0,5,", ":3", "pc of PREA is 'x', expected a number"),
    ("1,PRE,0,0,0,0,,", ":3", "time runs backwards: cycle 1 after 2"),
    ("1.5,PRE,0,0,0,0,,", ":3", "time runs backwards: cycle 1.5 after 2"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "where", "text"), BAD_LINES, ids=[f"{b[0][:20]}" for b in BAD_LINES])
def test_bad_lines(tmp_path: Path, line: str, where: str, text: str) -> None:
    path = _file(tmp_path, f"2,PRE,0,0,0,0,,\n{line}\n900,PRE,0,0,0,0,,\n")
    data = path.read_bytes()
    begin = data.index(b"\n") + 1
    for read in (_Reader(str(path), HBM2).read_exact, _Reader(str(path), HBM2).read_fast):
        with pytest.raises(InputError) as caught:
            read(data, begin)
        message = str(caught.value)
        assert message.startswith(f"{path}{where}: ") and text in message and "\n" not in message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "header is '', expected cycle,cmd,pc,sid,bg,bank,row,col"),
        (b"0,ACT,0,0,0,0,5,\n", "header is '0,ACT,0,0,0,0,5,'"),
        (b"cycle,cmd,pc,bg,bank,row,col\n", "header is"),
        (b"\x1f\x8b\x08\x00broken", "not a whole gzip file"),
        (b"\x28\xb5\x2f\xfdbroken", "not a whole zstd file"),
        (b"PK\x03\x04broken", "not a command trace in npz form"),
        (bytes(range(256)), "header is"),
    ],
)
def test_files_that_are_no_traces(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(text)):
        read_commands(path, HBM2)


def test_bad_npz(tmp_path: Path) -> None:
    for text, expected in (
        ("5 ACT\n4 PRE", "command 1: time runs backwards"),
        ("5 ACT bank4", "command 0: bank is 4, expected 0 to 3"),
    ):
        write_commands(tmp_path / "t.npz", trace(text))
        with pytest.raises(InputError, match=expected):
            read_commands(tmp_path / "t.npz", HBM2)
    np.savez(tmp_path / "u.npz", commands=np.zeros(3))
    with pytest.raises(InputError, match="array `commands` has type float64"):
        read_commands(tmp_path / "u.npz", HBM2)


# ------------------------------------------------------------------ hbm check


def _hbm(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(MODELS)}
    command = [sys.executable, "-m", "hbm_model.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)


def test_check_of_a_legal_trace(tmp_path: Path) -> None:
    result = _hbm("check", _file(tmp_path, "0,ACT,0,0,0,0,5,\n15,RD,0,0,0,0,5,3\n34,PRE,0,0,0,0,,\n"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("t.csv: 3 commands checked with hbm2_2000_eng: legal\n")


def test_check_prints_one_line_per_violation(tmp_path: Path) -> None:
    path = _file(tmp_path, "0,ACT,0,0,0,0,5,\n14,RD,0,0,0,0,5,3\n30,PRE,0,0,0,0,,\n")
    result = _hbm("check", path, "--preset", "hbm2_2000_eng")
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f"{path}:3: RD pc0 sid0 bg0 bank0 col 3 at CK 14 breaks tRCDRD "
        "after ACT pc0 sid0 bg0 bank0 row 5 at CK 0 (line 2): "
        "legal from CK 15",
        f"{path}:4: PRE pc0 sid0 bg0 bank0 at CK 30 breaks tRAS after ACT pc0 sid0 bg0 bank0 row 5 at CK 0 (line 2): "
        "legal from CK 34",
        f"{path}: 3 commands checked with hbm2_2000_eng: 2 illegal, 2 violations",
    ]


def test_check_takes_the_values_of_a_run(tmp_path: Path) -> None:
    """Folder or file in it: preset and registers of result.json, unless the user names others."""
    path = _file(tmp_path, "0,ACT,0,0,0,0,5,\n14,RD,0,0,0,0,5,3\n", "commands.csv")
    assert _hbm("check", path).returncode == 1
    (tmp_path / "result.json").write_text('{"preset": "peers_hbm2", "timing": {"RCDRD": 13}}')
    for given in (tmp_path, path):
        result = _hbm("check", given)
        assert result.returncode == 0 and "commands.csv: 2 commands checked with peers_hbm2" in result.stdout
    assert _hbm("check", tmp_path, "--preset", "hbm2_2000_eng").returncode == 1
    (tmp_path / "result.json").write_text('{"preset": "peers_hbm2", "timing": {"RCDRD": 14}}')
    assert _hbm("check", tmp_path).returncode == 1
    (tmp_path / "result.json").write_text("{}")
    result = _hbm("check", tmp_path)
    assert result.returncode == 2 and "result.json: no `preset`" in result.stderr
    path.unlink()
    assert "a folder without commands.csv" in _hbm("check", tmp_path).stderr


def test_check_takes_a_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like `hbm why` and `hbm report`."""
    (tmp_path / "mine").mkdir()
    _file(tmp_path / "mine", "0,ACT,0,0,0,0,5,\n15,RD,0,0,0,0,5,3\n", "commands.csv")
    monkeypatch.setenv("HBM_RUNS", str(tmp_path))
    result = _hbm("check", "mine")
    assert result.returncode == 0 and "mine/commands.csv: 2 commands checked" in result.stdout, result.stderr


def test_check_does_not_flood(tmp_path: Path) -> None:
    """50 lines, how many more, the rules broken most, and the doubt about the values; `--show 0` prints all."""
    path = _file(tmp_path, "".join(f"{40 * i},RD,0,0,0,0,,0\n" for i in range(60)))
    lines = _hbm("check", path).stdout.splitlines()
    assert len(lines) == 53 and "breaks bankClosed" in lines[49]
    assert lines[50] == "... 10 more (--show 0 prints all); most of all: bankClosed 60"
    assert lines[51].endswith("60 illegal, 60 violations") and "other values" in lines[52]
    assert len(_hbm("check", path, "--show", "0").stdout.splitlines()) == 61
    assert len(json.loads(_hbm("check", path, "--json").stdout)["violations"]) == 60


def test_check_prints_the_exact_json(tmp_path: Path) -> None:
    params = tmp_path / "p.json"
    params.write_text('{"std": "HBM4", "RAS": 65.5}')
    path = _file(tmp_path, "0,ACT,0,1,0,0,5,\n39,REFab,0,,,,,\n\n66,PREpb,0,1,0,0,,\n80,RD,0,1,0,0,,0\n")
    result = _hbm("check", path, "--params", params, "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout) == {
        "commands": 4,
        "legal": False,
        "violations": [
            {"line": 3, "ck": 39, "cmd": "REF", "rule": "refreshOpen", "earlier_line": 2,
             "rule_earliest_ck": "never", "earliest_ck": "never"},
            {"line": 3, "ck": 39, "cmd": "REF", "rule": "tRC_REF", "earlier_line": 2,
             "rule_earliest_ck": 100, "earliest_ck": "never"},
            {"line": 5, "ck": 66, "cmd": "PRE", "rule": "tRAS", "earlier_line": 2,
             "rule_earliest_ck": 66.5, "earliest_ck": 66.5},
            {"line": 6, "ck": 80, "cmd": "RD", "rule": "bankClosed", "earlier_line": 5,
             "rule_earliest_ck": "never", "earliest_ck": "never"},
        ],
    }  # fmt: skip
    assert result.stderr.startswith(f"{params}: tCK_ns, dq, pcs, ") and result.stderr.endswith(
        " taken from hbm4_8000_eng\n"
    )


def test_check_json_of_a_legal_trace(tmp_path: Path) -> None:
    result = _hbm("check", _file(tmp_path, "0,REF,0,,,,,\n"), "--json")
    assert (result.returncode, json.loads(result.stdout)) == (0, {"commands": 1, "legal": True, "violations": []})


def test_check_says_what_it_took_from_the_base(tmp_path: Path) -> None:
    params = tmp_path / "p.yaml"
    params.write_text("base: peers_hbm2\nRAS: 40\n")
    result = _hbm("check", _file(tmp_path, "0,REF,0,,,,,\n"), "--params", params)
    assert result.returncode == 0 and "taken from peers_hbm2" in result.stdout and "RCDRD" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("none.csv",), "none.csv: cannot read the trace: No such file or directory"),
        (("t.csv",), "t.csv:3: time runs backwards: cycle 3 after 5"),
        (("ok.csv", "--preset", "hbm9"), "unknown preset 'hbm9'"),
        (("ok.csv", "--params", "none.json"), "none.json: cannot read parameters"),
        (("ok.csv", "--params", "bad.json"), "bad.json:1: nBL is 4, expected 2"),
        (("ok.csv", "--params", "bad.json", "--preset", "peers_hbm2"), "--preset and --params exclude each other"),
    ],
)
def test_unusable_input_is_exit_2_and_one_line(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    _file(tmp_path, "5,REF,0,,,,,\n3,REF,1,,,,,\n")
    _file(tmp_path, "5,REF,0,,,,,\n", "ok.csv")
    (tmp_path / "bad.json").write_text('{"std": "HBM2", "nBL": 4}')
    paths = [tmp_path / a if a.endswith(("csv", "json")) else a for a in arguments]
    result = _hbm("check", *paths, "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr and result.stderr.count("\n") == 1


def test_presets_and_rules_are_printed() -> None:
    listing = _hbm("presets").stdout
    assert "hbm2_2000_eng (default)" in listing and "peers_hbm3" in listing
    assert "assumed" in _hbm("presets", "hbm3_6400_eng").stdout
    assert json.loads(_hbm("presets", "peers_hbm2", "--json").stdout)["RTW"] == 14
    dies = _hbm("presets", "--densities").stdout
    assert "24576" in dies and "RA14" in dies and "450" in dies
    rules = _hbm("rules", "--preset", "hbm3_6400_eng").stdout
    assert "tRFMPB" in rules and "pairing" in rules and "WL + nBL + WTRL" in rules


def test_help_lists_all_subcommands() -> None:
    text = _hbm("--help").stdout
    assert all(name in text for name in ("check", "presets", "rules"))
    assert _hbm("check", "--help").returncode == 0
    assert _hbm("nonsense").returncode == 2
