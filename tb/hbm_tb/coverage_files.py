"""What a run with coverage leaves in its folder: Verilator's data, packed, and the functional coverage of each test."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DIRECTORY: Final = "HBM_COVERAGE_DIR"  # environment: where the tests of a simulation leave their functional coverage
DATA: Final = "coverage.dat"  # as Verilator writes it, 30 MB
PACKED: Final = "coverage.dat.zst"  # the same, 1 MB
FUNCTIONAL: Final = "coverage_*.json"
LEAVES: Final = (PACKED,)  # without these a run of an instrumented build is no pass


def pack(folder: Path) -> None:
    """Pack the data of a simulation that has ended; one that was killed may have left none."""
    import zstandard

    data = folder / DATA
    if not data.exists():
        return
    fresh = folder / f"{PACKED}.new"
    with data.open("rb") as source, fresh.open("wb") as target:
        zstandard.ZstdCompressor(level=3).copy_stream(source, target)
    fresh.rename(folder / PACKED)
    data.unlink()


def read(path: Path) -> str:
    """Text of a data file, packed or not."""
    import zstandard

    if path.suffix != ".zst":
        return path.read_text(encoding="utf-8", errors="replace")
    with path.open("rb") as source:
        return zstandard.ZstdDecompressor().stream_reader(source).read().decode("utf-8", errors="replace")
