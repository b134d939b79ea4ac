"""Signals whose toggles Verilator does not count since they are wider than the limit: memories, told by name.

Verilator names them in the log of an instrumented build only (debug level 4 of its coverage step), with a letter for
the file. The letters are resolved by the text: all signals that the log gives a letter stand in one source.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hbm_tb import coverage_rtl, sim

LOG: Final = "verilate.log"
LIMIT: Final = int(sim.COVERAGE_FLAGS[sim.COVERAGE_FLAGS.index("--coverage-max-width") + 1])
_SIGNAL = re.compile(
    r"^- V3Coverage\.cpp:\d+: +(Toggle|Disable Toggle: Wide)\b.* VAR \S+ "
    r"\{([a-z]+?)(\d+)[a-z]+\} @dt=\S+?@\(\S*?(\d+)\)(\S*)  (\S+)"
)
_DIMENSION = re.compile(r"(?<!p)\[(\d+):(\d+)\]")


class Wide(NamedTuple):
    """A signal without toggles."""

    module: str
    signal: str
    bits: int  # the most of any build; 0: the log does not say, but more than the limit


def read(text: str, files: Sequence[Path]) -> dict[tuple[str, str], int]:
    """(module, signal) -> bits of what a log names, for signals of these sources."""
    letters: dict[str, set[tuple[int, str]]] = defaultdict(set)
    wide: list[tuple[str, str, int]] = []
    for line in text.splitlines():
        if found := _SIGNAL.match(line):
            kind, letter, number, bits, dimensions, name = found.groups()
            letters[letter].add((int(number), name))
            if kind != "Toggle":
                # The bits are those of a word; `u[0:63]` are unpacked dimensions, `p[..]` is in the bits already.
                words = 1
                for high, low in _DIMENSION.findall(dimensions):
                    words *= abs(int(high) - int(low)) + 1
                total = int(bits) * words
                wide.append((letter, name, total if total > LIMIT else 0))
    lines = {file: file.read_text().splitlines() for file in files}
    names: dict[str, str] = {}
    for letter, signals in letters.items():
        fitting = [file for file in files if all(_stands(lines[file], *one) for one in signals)]
        if fitting:
            names[letter] = fitting[0].stem
    sums: dict[tuple[str, str], int] = {}
    for letter, name, bits in wide:
        if letter in names:
            key = names[letter], name
            sums[key] = max(sums.get(key, 0), bits)
    return sums


def _stands(lines: list[str], number: int, name: str) -> bool:
    return number <= len(lines) and re.search(rf"\b{re.escape(name)}\b", lines[number - 1]) is not None


def of_runs(data: Iterable[Path]) -> list[Wide]:
    """Of the builds of runs with coverage, in order of the modules."""
    files = sorted((sim.ROOT / "rtl").rglob("*.sv"))
    sums: dict[tuple[str, str], int] = {}
    for folder in sorted({built for path in data if (built := coverage_rtl.build_folder(path.parent))}):
        log = Path(folder) / LOG
        if log.is_file():
            for key, bits in read(log.read_text(errors="replace"), files).items():
                sums[key] = max(sums.get(key, 0), bits)
    return [Wide(module, signal, bits) for (module, signal), bits in sorted(sums.items())]
