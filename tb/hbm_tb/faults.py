"""Planted defects of the RTL: the catalogue, and the weaving of all of them into one build.

A defect replaces a piece of one module. To test many of them without a build each, every piece becomes an alternative
that is chosen when the simulation starts (mutant schemata): `(hbm_fault_pkg::active == 7) ? faulty : good` for an
expression, `if ... else` for statements. Number 0 is the unchanged design. The woven copies live in a scratch folder;
rtl/ is never touched.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hbm_model.errors import InputError

from hbm_tb import sim

CATALOGUE = sim.ROOT / "tb" / "faults"
SCRATCH = sim.ROOT / "build" / "faults" / "woven"
PACKAGE = "hbm_fault_pkg"
OPEN, CLOSE = "«", "»"  # around the piece of `find` that is replaced; without them it is all of it
MOST = 255  # the number is eight bits wide

# What can tell that something is wrong, in the order in which a batch is checked.
CHECKS = ("device", "protocol", "legality", "data", "exactness")

# Said by the simulator whenever a number was chosen, so that no defect is believed active that is not.
CHOSEN = "HBM_FAULT_ACTIVE"

_KEYS = {"id", "file", "title", "museum", "edits", "helper", "builds", "expect", "runs"}
_RUN_KEYS = {"workload", "timing", "policy", "config", "how"}


@dataclass(frozen=True)
class Edit:
    """One replacement: `find` stands exactly once in the file, `good` is the piece of it that becomes `faulty`."""

    find: str
    before: str  # what stands in `find` before the piece
    good: str
    faulty: str

    @property
    def statement(self) -> bool:
        """A statement (chosen with if) and not an expression."""
        return self.good.rstrip().endswith(";")


@dataclass(frozen=True)
class Workload:
    """One run that shows a defect: a traffic of tb/tests/planted_tests.py and the settings of the bench for it."""

    workload: str
    timing: Mapping[str, float] = field(default_factory=dict)  # parameter key -> CK
    policy: Mapping[str, int] = field(default_factory=dict)  # "page.page" ... -> value
    config: Mapping[str, Any] = field(default_factory=dict)  # further fields of BenchConfig
    how: Mapping[str, Any] = field(default_factory=dict)  # arguments of the traffic


@dataclass(frozen=True)
class Defect:
    """An entry of the catalogue."""

    number: int
    id: str
    file: str  # below rtl/
    title: str
    museum: tuple[int, ...]  # bugs of other controllers that it repeats (docs/faults.md)
    edits: tuple[Edit, ...]
    helper: tuple[str, str]  # (text that stands once in the file, declarations put before it)
    builds: tuple[str, ...]  # geometries
    expect: tuple[str, ...]  # checks of which one must tell first
    runs: tuple[Workload, ...]  # tried in order
    source: str  # file of the catalogue


# ---------------------------------------------------------------- catalogue


def _edit(where: str, entry: Mapping[str, str]) -> Edit:
    if set(entry) != {"find", "faulty"}:
        raise InputError(f"{where}: an edit has `find` and `faulty`")
    text = entry["find"]
    if (text.count(OPEN), text.count(CLOSE)) not in ((0, 0), (1, 1)):
        raise InputError(f"{where}: `find` has one {OPEN}...{CLOSE} or none")
    if OPEN not in text:
        return Edit(text, "", text, entry["faulty"])
    before, _, rest = text.partition(OPEN)
    good, _, after = rest.partition(CLOSE)
    return Edit(before + good + after, before, good, entry["faulty"])


def _defect(number: int, source: str, entry: Mapping[str, Any]) -> Defect:
    where = f"{source}: {entry.get('id', f'entry {number}')}"
    unknown = set(entry) - _KEYS
    if unknown:
        raise InputError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    missing = {"id", "file", "title", "edits", "expect", "runs"} - set(entry)
    if missing:
        raise InputError(f"{where}: {', '.join(sorted(missing))} missing")
    expect = tuple(entry["expect"])
    if not expect or set(expect) - set(CHECKS):
        raise InputError(f"{where}: expect names some of {', '.join(CHECKS)}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["id"]):
        raise InputError(f"{where}: an id is lower-case words joined by -")
    runs = []
    for run in entry["runs"]:
        if set(run) - _RUN_KEYS or "workload" not in run:
            raise InputError(f"{where}: a run has {', '.join(sorted(_RUN_KEYS))}")
        runs.append(Workload(**run))
    helper = entry.get("helper", {"before": "", "code": ""})
    return Defect(
        number,
        entry["id"],
        entry["file"],
        entry["title"],
        tuple(entry.get("museum", ())),
        tuple(_edit(where, edit) for edit in entry["edits"]),
        (helper["before"], helper["code"]),
        tuple(entry.get("builds", ("hbm2_s1",))),
        expect,
        tuple(runs),
        source,
    )


def read_catalogue(folder: Path = CATALOGUE) -> tuple[Defect, ...]:
    """All defects of the catalogue's files, numbered in order."""
    defects: list[Defect] = []
    for file in sorted(folder.glob("*.yaml")):
        entries = yaml.safe_load(file.read_text())
        defects += [_defect(len(defects) + n, file.name, entry) for n, entry in enumerate(entries, 1)]
    ids = [defect.id for defect in defects]
    double = sorted({name for name in ids if ids.count(name) > 1})
    if double:
        raise InputError(f"{folder.name}: the id {double[0]} stands twice")
    if len(defects) > MOST:
        raise InputError(f"{folder.name}: more than {MOST} defects")
    return tuple(defects)


@functools.cache
def catalogue() -> tuple[Defect, ...]:
    """The defects of this checkout."""
    return read_catalogue()


def of_build(geometry: str) -> tuple[Defect, ...]:
    """Defects that a build of this geometry carries."""
    return tuple(defect for defect in catalogue() if geometry in defect.builds)


def geometries() -> tuple[str, ...]:
    """Geometries that some defect asks for, the one of most defects first."""
    names = {name for defect in catalogue() for name in defect.builds}
    return tuple(sorted(names, key=lambda name: (-len(of_build(name)), name)))


# ---------------------------------------------------------------- weaving


def _once(text: str, find: str, defect: Defect) -> int:
    """Where `find` stands in the file; it must do so exactly once."""
    count = text.count(find)
    if count != 1:
        first = find.strip().splitlines()[0]
        raise InputError(f"{defect.source}: {defect.id}: `{first}` stands {count} times in rtl/{defect.file}, not once")
    return text.index(find)


def weave(file: str, text: str, defects: Iterable[Defect]) -> str:
    """The text of one module with all alternatives of its defects in it."""
    pieces: dict[tuple[int, int], list[tuple[Defect, Edit]]] = {}
    helpers: dict[int, str] = {}
    for defect in defects:
        for edit in defect.edits:
            start = _once(text, edit.find, defect) + len(edit.before)
            pieces.setdefault((start, start + len(edit.good)), []).append((defect, edit))
        anchor, code = defect.helper
        if code:
            at = _once(text, anchor, defect)
            helpers[at] = helpers.get(at, "") + code.rstrip() + "\n"
    spans = sorted(pieces)
    for (start, end), (following, _) in zip(spans, spans[1:], strict=False):
        if following < end:
            one, other = pieces[(start, end)][0][0], next(d for s in spans if s[0] == following for d, _ in pieces[s])
            raise InputError(f"rtl/{file}: {one.id} and {other.id} replace overlapping texts")
    changes = [(start, end, _alternatives(text[start:end], pieces[(start, end)])) for start, end in spans]
    changes += [(at, at, code) for at, code in helpers.items()]
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _alternatives(good: str, choices: Sequence[tuple[Defect, Edit]]) -> str:
    """The piece as a choice by number."""
    out = good
    for defect, edit in choices:
        chosen = f"{PACKAGE}::active == 8'd{defect.number}"
        if edit.statement:
            out = f"if ({chosen}) begin {edit.faulty} end else begin {out} end"
        else:
            out = f"(({chosen}) ? ({edit.faulty}) : ({out}))"
    return out


_PACKAGE_TEXT = """\
// Generated: which planted defect is active. Read when reset begins: plusarg +planted=N, else the file `planted`.
package {package};

  logic [7:0] active = '0;

  function automatic void choose();
    int fd, number, unused_count;
    number = 0;
    if (!$value$plusargs("planted=%d", number)) begin
      fd = $fopen("planted", "r");
      if (fd != 0) begin
        unused_count = $fscanf(fd, "%d", number);
        $fclose(fd);
      end
    end
    active = 8'(number);
    $display("{chosen} %0d", number);
  endfunction

endpackage
"""

_TOP = "hbm_channel.sv"
_HOOK = f"""\
  // Planted defects: the choice is made anew at every reset.
  always @(negedge rst_ni) {PACKAGE}::choose();

"""


def woven_sources(geometry: str) -> tuple[dict[Path, str], str]:
    """(file of rtl/ -> its woven text, text of the package) of one build."""
    rtl = sim.ROOT / "rtl"
    by_file: dict[str, list[Defect]] = {_TOP: []}
    for defect in of_build(geometry):
        by_file.setdefault(defect.file, []).append(defect)
    out = {}
    for file, defects in by_file.items():
        path = rtl / file
        if not path.exists():
            raise InputError(f"{defects[0].source}: {defects[0].id}: rtl/{file} does not exist")
        text = weave(file, path.read_text(), defects)
        if file == _TOP:
            at = text.rindex("endmodule")
            text = text[:at] + _HOOK + text[at:]
        out[path] = text
    return out, _PACKAGE_TEXT.format(package=PACKAGE, chosen=CHOSEN)


def overlay(geometry: str) -> sim.Overlay:
    """Write the woven copies of a build into the scratch folder."""
    texts, package = woven_sources(geometry)
    folder = SCRATCH / geometry / "rtl"
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, text: str) -> Path:
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        return file

    first = write(f"{PACKAGE}.sv", package)
    return sim.Overlay("faults", {path: write(path.name, text) for path, text in texts.items()}, (first,))


def build(geometry: str, quiet: bool = False) -> sim.Build:
    """The simulation of a geometry that carries all its defects."""
    return sim.build(geometry, overlay=overlay(geometry), quiet=quiet)
