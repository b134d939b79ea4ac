"""The traffic commands of `hbm`: what they print and write, exit code 2 and one line for input that cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest
from hbm_model.requests import read_requests


def hbm(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hbm_model.cli", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_convert_splits_and_places(tmp_path: Path) -> None:
    source = tmp_path / "x.trace"
    source.write_text("LD 0x1000\nST 0x20001040\n")
    done = hbm("convert", source, tmp_path / "y.trace.zst", "--access-bytes", 64, "--fold")
    assert done.returncode == 0, done.stderr
    assert "4 requests (2 reads, 2 writes)" in done.stdout
    assert read_requests(tmp_path / "y.trace.zst").address.tolist() == [0x1000, 0x1020, 0x1040, 0x1060]


def test_pattern_writes_a_trace(tmp_path: Path) -> None:
    done = hbm("pattern", "stream", tmp_path / "s.trace", "--pcs", 1, "--count", 3)
    assert done.returncode == 0, done.stderr
    assert read_requests(tmp_path / "s.trace").address.tolist() == [0, 0x40, 0x80]


def test_map_says_where_an_address_goes() -> None:
    done = hbm("map", "0x12345", "0x20000000", "--stride", "32K", "--map", "peers")
    assert done.returncode == 0, done.stderr
    assert "0x12345: pc 0, sid 0, bg 1, bank 1, row 2, col 3, byte 5" in done.stdout
    assert "0x20000000: " in done.stdout
    assert "outside the memory: DECERR" in done.stdout
    assert "1 bank groups, 1 banks, 4096 rows" in done.stdout


def test_traces_lists_the_recordings() -> None:
    done = hbm("traces")
    assert done.returncode == 0, done.stderr
    assert "traces/attention.trace.zst" in done.stdout


CASES: dict[str, tuple[list[str], str]] = {
    "convert: no file": (["convert", "nowhere.trace", "out.trace"], "nowhere.trace: cannot be read"),
    "convert: out of range": (["convert", "far.trace", "out.trace"], "far.trace:1: address 0x20000000 lies outside"),
    "convert: unknown map": (["convert", "far.trace", "out.trace", "--map", "nope"], "unknown map `nope`"),
    "convert: unknown preset": (["convert", "far.trace", "out.trace", "--preset", "nope"], "nope"),
    "convert: unwritable": (["convert", "near.trace", "none/out.trace"], "none/out.trace: cannot be written"),
    "pattern: unknown": (["pattern", "nope", "out.trace"], "unknown pattern `nope`"),
    "map: bad address": (["map", "12z"], "`12z` is no address"),
    "map: bad stride": (["map", "--stride", "4 kilo"], "`4 kilo` is no size"),
    "traces: unknown": (["traces", "nope"], "no recording `nope`"),
    "record: bad cache": (["record", "-o", "x", "--l2", "3000", "--", "true"], "L2 of 3000 bytes"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_is_one_line_and_exit_2(
    case: tuple[list[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far.trace").write_text("R 0x20000000\n")
    (tmp_path / "near.trace").write_text("R 0x20\n")
    words, message = case
    done = hbm(*words)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
