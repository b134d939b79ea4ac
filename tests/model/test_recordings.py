"""The committed recordings are what their manifest says, fit the default channel, and name no machine."""

import re
from pathlib import Path

import numpy as np
import pytest
from debian import needs_recorder
from hbm_model.addrmap import named_map
from hbm_model.presets import geometry_of
from hbm_model.recordings import TRACES, Recording, rebuild, recordings, text_digest
from hbm_model.requests import read_requests

ALL = recordings()
REQUIRED = {"gemm", "attention", "gather", "spmv", "bfs", "sort"}


def test_the_required_programs_are_there() -> None:
    assert {entry.name for entry in ALL} >= REQUIRED
    committed = {path.name for path in TRACES.glob("*.zst")}
    assert committed == {entry.path.name for entry in ALL}
    assert sum(entry.path.stat().st_size for entry in ALL) <= 4 << 20


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_a_recording_is_what_the_manifest_says(entry: Recording) -> None:
    """Counts, footprint and content; addresses inside the default channel; both PCs and all banks used."""
    trace = read_requests(entry.path)
    assert (trace.reads, trace.writes, trace.footprint) == (entry.reads, entry.writes, entry.footprint)
    assert 50_000 <= len(trace) <= 300_000
    assert text_digest(entry.path) == entry.sha256
    m = named_map("peers", geometry_of("hbm2_2000_eng"))
    at = m.decode(trace.check_range(m).address)
    assert len(np.unique((at.pc * 4 + at.bg) * 4 + at.bank)) == 32
    # Lines of 64 bytes move whole: each request comes with its neighbour.
    pairs = trace.address.reshape(-1, 2)
    assert np.array_equal(pairs[:, 0] + np.uint64(32), pairs[:, 1])
    # The working set is larger than the last cache level, or nothing but cold misses would be left.
    assert trace.footprint > entry.options.caches.l2_bytes


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_the_header_says_how_it_was_made_and_names_no_machine(entry: Recording) -> None:
    text = "\n".join(read_requests(entry.path).header)
    for word in (f"traces/programs/{entry.name}.c", "hbm record", "caches: L1 32 KiB", "pages: 4096", "requests: "):
        assert word in text
    assert not re.search(r"(^|\s)/(home|root|tmp|work|usr)", text)


def test_a_recording_can_be_made_again(tmp_path: Path) -> None:
    """The smallest one. The compiler and C library of this machine may differ: counts within 2 %, not bit for bit."""
    needs_recorder()
    entry = next(entry for entry in ALL if entry.name == "gather")
    path, trace = rebuild(entry, tmp_path)
    assert abs(trace.reads - entry.reads) <= 0.02 * entry.reads
    assert abs(trace.writes - entry.writes) <= 0.02 * entry.writes
    assert len(read_requests(path)) == len(trace)


def test_the_page_on_traffic_has_the_same_numbers() -> None:
    page = (TRACES.parent / "docs" / "traffic.md").read_text()
    for entry in ALL:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{entry.name}` |"))
        assert [cell.strip() for cell in row.split("|")[3:6]] == [
            str(entry.reads),
            str(entry.writes),
            f"{entry.footprint / 1024:.0f} KiB",
        ]
