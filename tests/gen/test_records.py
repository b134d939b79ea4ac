"""Records of the rings: sizes typed by hand, and a C++ compiler that agrees with numpy on every offset."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hbm_tb import records
from hbm_tb.sim import ROOT

SIZES = {"ax": 32, "w": 48, "r": 48, "b": 16, "acc": 16, "apb_req": 24, "apb_rsp": 16, "cmd": 16, "err": 24, "ev": 24}


def compiles(header: str, folder: Path) -> bool:
    """True when a C++ compiler accepts the header, static_asserts included."""
    file = folder / "records.cpp"
    file.write_text(header.replace("#pragma once\n", ""))
    return subprocess.run(["g++", "-std=gnu++17", "-fsyntax-only", str(file)], capture_output=True).returncode == 0


def test_records_have_their_documented_sizes() -> None:
    """Bytes a record; each ring holds a power of two of them."""
    assert {name: dtype.itemsize for name, dtype in records.RECORDS.items()} == SIZES
    assert all(spec.capacity & (spec.capacity - 1) == 0 for spec in records.RINGS)


def test_the_committed_copies_are_fresh() -> None:
    """C++ header and SystemVerilog package are what the record says."""
    for path, text in records.generated_files(ROOT).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is stale: make gen"


def test_c_and_numpy_agree_on_every_offset(tmp_path: Path) -> None:
    """The header compiles as it is, and not with one field moved or one size changed."""
    header = records.c_header()
    assert compiles(header, tmp_path)
    assert not compiles(header.replace("  uint32_t order;\n", "  uint64_t order;\n"), tmp_path)
    assert not compiles(header.replace("sizeof(hx_r_rec) == 48", "sizeof(hx_r_rec) == 56"), tmp_path)


def test_codes_are_the_same_on_all_sides() -> None:
    """Names and values of errors and faults in Python, C++ and SystemVerilog."""
    package, header = records.sv_package(), records.c_header()
    for prefix, sv, codes in (("HX_ERR", "Err", records.Err), ("HX_FAULT", "Fault", records.Fault)):
        for code in codes:
            name = "".join(part.capitalize() for part in code.name.split("_"))
            assert f"{prefix}_{code.name} = {code.value}," in header
            assert f"localparam int unsigned {sv}{name} = {code.value};" in package


@pytest.mark.parametrize("code", list(records.Err), ids=lambda code: code.name)
def test_every_error_has_a_line(code: records.Err) -> None:
    """The text of a code fills in without an error and says when."""
    entry = np.zeros(1, records.ERR)
    entry["time"], entry["code"], entry["a"], entry["b"] = 1001, code.value, 1, 3
    line = records.describe_error(entry[0])
    assert line.startswith("CK 500.5: ") and not re.search(r"[{}]", line)


def test_a_changed_layout_changes_the_abi_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator of another layout is refused at attach."""
    before = records.abi()
    monkeypatch.setitem(records.RECORDS, "err", np.dtype([("time", "<u8")]))
    assert records.abi() != before
