"""RTL coverage: Verilator's data files merged to points, exclusions with reasons, sums and holes by module.

A *point* is a place in a source file: a line (a block of statements), a branch (one way of an if, a case or a ?:), or a
toggle (one bit of a signal, one direction). Instances, parameters and builds of one module are merged: a point is hit
when any of them hit it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from hbm_model.errors import InputError

from hbm_tb import coverage_files, sim
from hbm_tb.coverage_pattern import regex

KINDS: Final = ("line", "branch", "toggle")
GOALS: Final = {"line": 98.0, "branch": 98.0, "toggle": 95.0}  # percent
EXCLUSIONS: Final = sim.ROOT / "tb" / "coverage_exclusions.yaml"
_BUILD = re.compile(r"([^\s'\"]*/(?:tb_top-(hbm\w+?_s\d)|tb_(blocks)-\w+?)-cov-[0-9a-f]{16})/")


class Point(NamedTuple):
    """One thing to cover."""

    file: str  # below the repository
    line: int
    column: int  # what keeps several points of a line apart
    kind: str
    what: str  # `if`, `else`, `case`, `block`; of a toggle `signal[3]:0->1`
    span: str = ""  # lines of a block, `43-46,50`

    @property
    def module(self) -> str:
        """Modules and files have the same name."""
        return Path(self.file).stem

    @property
    def source(self) -> str:
        """The text of its line, as it is now."""
        lines = _lines(self.file)
        return lines[self.line - 1].strip() if self.line <= len(lines) else ""


@cache
def _lines(file: str) -> list[str]:
    path = sim.ROOT / file
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


@dataclass
class Hits:
    """How often a point was hit, and in which builds it exists."""

    count: int = 0
    builds: set[str] = field(default_factory=set)


Merged = dict[Point, Hits]


def point_of(key: str) -> Point | None:
    """The point that a key of a data file names; None: none of the RTL."""
    values = dict(part.split("\x02", 1) for part in key.split("\x01") if "\x02" in part)
    kind = values.get("page", "").split("/")[0].removeprefix("v_")
    file = values.get("f", "")
    at = file.rfind("/rtl/")
    if kind not in KINDS or (at < 0 and not file.startswith("rtl/")):
        return None
    return Point(
        file[at + 1 :] if at >= 0 else file,
        int(values["l"]),
        int(values["n"]),
        kind,
        values.get("o", ""),
        values.get("S", ""),
    )


def counts_of(text: str) -> dict[str, int]:
    """Key -> count of a data file; InputError when it is none."""
    if not text.startswith("# SystemC::Coverage-3"):
        raise InputError("no coverage data of Verilator")
    counts: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("C '"):
            key, _, count = line[3:].rpartition("' ")
            counts[key] = counts.get(key, 0) + int(count)
    return counts


def _build(folder: Path) -> re.Match[str] | None:
    command = folder / "sim.cmd"
    return _BUILD.search(command.read_text()) if command.is_file() else None


def build_of(folder: Path) -> str:
    """Name of the build that a run folder's simulation was: hbm2_s1, blocks; empty if it does not say."""
    found = _build(folder)
    return (found[2] or found[3]) if found else ""


def build_folder(folder: Path) -> str:
    """Path of that build; empty if it does not say."""
    found = _build(folder)
    return found[1] if found else ""


def merge(files: Iterable[Path]) -> Merged:
    """Points of data files, with the names of their builds."""
    raw: dict[str, dict[str, int]] = defaultdict(dict)
    for path in files:
        try:
            counts = counts_of(coverage_files.read(path))
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from None
        sums = raw[build_of(path.parent)]
        for key, count in counts.items():
            sums[key] = sums.get(key, 0) + count
    merged: Merged = {}
    for build, sums in raw.items():
        for key, count in sums.items():
            point = point_of(key)
            if point is not None:
                hits = merged.setdefault(point, Hits())
                hits.count += count
                hits.builds.add(build)
    return merged


# ---------------------------------------------------------------- exclusions


@dataclass
class Exclusion:
    """Points that need not be hit, with the reason."""

    module: str  # pattern
    kind: str  # line, branch, toggle
    what: tuple[str, ...]  # patterns of signals (with or without direction), or of `if`, `else` ...
    source: str  # pattern of the text of the line; empty: any
    reason: str
    points: list[Point] = field(default_factory=list)  # that it took out

    @property
    def name(self) -> str:
        """As messages call it."""
        shown = ", ".join(self.what[:3]) + (" ..." if len(self.what) > 3 else "")
        return f"{self.module} {self.kind} {shown}" + (f" `{self.source}`" if self.source else "")

    def matches(self, point: Point) -> bool:
        """True if the point is meant."""
        if point.kind != self.kind or not regex(self.module).fullmatch(point.module):
            return False
        if self.source and not regex(self.source).fullmatch(point.source):
            return False
        # A pattern without a direction means both.
        base = point.what.rsplit(":", 1)[0] if point.kind == "toggle" else point.what
        return any(regex(one).fullmatch(point.what) or regex(one).fullmatch(base) for one in self.what)


@dataclass(frozen=True)
class Apart:
    """Files whose figures stand apart: they are listed, and the goals are not theirs."""

    files: str  # pattern of paths below the repository
    reason: str


def _entries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The entries of a file with their names in messages."""
    try:
        given = yaml.safe_load(path.read_text()) or []
    except (OSError, yaml.YAMLError) as problem:
        raise InputError(f"{path.name}: {str(problem).splitlines()[0]}") from None
    if not isinstance(given, list):
        raise InputError(f"{path.name}: expected a list of exclusions")
    found = [(f"{path.name}: exclusion {number}", entry) for number, entry in enumerate(given, 1)]
    if bad := [where for where, entry in found if not isinstance(entry, dict)]:
        raise InputError(f"{bad[0]}: expected module, kind, what and reason, or apart and reason")
    return found


def _reason(where: str, entry: dict[str, Any]) -> str:
    reason = " ".join(str(entry.get("reason", "")).split())
    if len(reason) < 10:
        raise InputError(f"{where}: a reason is a sentence")
    return reason


def read_apart(path: Path = EXCLUSIONS) -> list[Apart]:
    """The files that stand apart, of the same file as the exclusions; InputError for what is wrong."""
    found = []
    for where, entry in _entries(path):
        if "apart" in entry:
            if unknown := set(entry) - {"apart", "reason"}:
                raise InputError(f"{where}: unknown {', '.join(sorted(unknown))}, expected apart and reason")
            found.append(Apart(str(entry["apart"]), _reason(where, entry)))
    return found


def read_exclusions(path: Path = EXCLUSIONS) -> list[Exclusion]:
    """The exclusions of a file; InputError with one line for anything that is wrong in it."""
    found = []
    for where, entry in _entries(path):
        if "apart" in entry:
            continue
        unknown = set(entry) - {"module", "kind", "what", "source", "reason"}
        missing = {"module", "kind", "what", "reason"} - set(entry)
        if unknown or missing:
            raise InputError(f"{where}: {'unknown' if unknown else 'missing'} {', '.join(sorted(unknown or missing))}")
        what = entry["what"] if isinstance(entry["what"], list) else [entry["what"]]
        kinds = entry["kind"] if isinstance(entry["kind"], list) else [entry["kind"]]
        if bad := [kind for kind in kinds if kind not in KINDS]:
            raise InputError(f"{where}: kind {bad[0]!r} is none of {', '.join(KINDS)}")
        reason = _reason(where, entry)
        words = tuple(str(one) for one in what)
        found += [Exclusion(str(entry["module"]), kind, words, str(entry.get("source", "")), reason) for kind in kinds]
    return found


def exclude(merged: Merged, exclusions: Sequence[Exclusion], complete: bool) -> list[str]:
    """Give each exclusion its points; what is wrong, one line each.

    An exclusion must not take out what was hit: its reason is not true. With `complete` data of all builds it must
    match something.
    """
    wrong = []
    for one in exclusions:
        one.points = [point for point in merged if one.matches(point)]
        hit = [point for point in one.points if merged[point].count]
        if hit:
            first = hit[0]
            wrong.append(
                f"exclusion {one.name}: {len(hit)} of its points were hit, first {first.what} "
                f"({first.file}:{first.line}, {merged[first].count} times)"
            )
        elif complete and not one.points:
            wrong.append(f"exclusion {one.name}: matches nothing")
    return wrong


# ---------------------------------------------------------------- sums and holes


@dataclass
class Sum:
    """Points of one kind."""

    hit: int = 0
    total: int = 0  # without the excluded ones
    excluded: int = 0

    @property
    def percent(self) -> float | None:
        """None: there is nothing to hit."""
        return 100 * self.hit / self.total if self.total else None

    def add(self, other: Sum) -> None:
        """Add the points of another sum."""
        self.hit += other.hit
        self.total += other.total
        self.excluded += other.excluded

    def as_json(self, kind: str) -> dict[str, Any]:
        """For coverage.json."""
        percent = self.percent
        return {
            "hit": self.hit,
            "total": self.total,
            "excluded": self.excluded,
            "percent": None if percent is None else round(percent, 2),
            "goal": GOALS[kind],
        }


@dataclass
class Module:
    """What was covered of one source file."""

    name: str
    file: str
    sums: dict[str, Sum] = field(default_factory=lambda: {kind: Sum() for kind in KINDS})
    holes: list[tuple[Point, Hits]] = field(default_factory=list)
    apart: Apart | None = None  # None: the goals are its too


def modules_of(merged: Merged, exclusions: Sequence[Exclusion], apart: Sequence[Apart] = ()) -> list[Module]:
    """Sums and holes of each file, in order of the files."""
    taken = {point for one in exclusions for point in one.points}
    found: dict[str, Module] = {}
    for point in sorted(merged):
        hits = merged[point]
        module = found.setdefault(point.file, Module(point.module, point.file))
        total = module.sums[point.kind]
        if point in taken:
            total.excluded += 1
            continue
        total.total += 1
        total.hit += hits.count > 0
        if not hits.count:
            module.holes.append((point, hits))
    for module in found.values():
        module.apart = next((one for one in apart if regex(one.files).fullmatch(module.file)), None)
    return [found[file] for file in sorted(found)]


def totals(modules: Iterable[Module], apart: Apart | None = None) -> dict[str, Sum]:
    """Sums over the modules that have goals, or over those that stand apart."""
    sums = {kind: Sum() for kind in KINDS}
    for module in modules:
        if module.apart == apart:
            for kind in KINDS:
                sums[kind].add(module.sums[kind])
    return sums


def goals_missed(sums: Mapping[str, Sum]) -> list[str]:
    """What lies below its goal, one line each."""
    missed = []
    for kind, total in sums.items():
        percent = total.percent
        if percent is None or percent < GOALS[kind]:
            shown = "nothing measured" if percent is None else f"{percent:.2f} %"
            missed.append(f"{kind} coverage {shown}, goal {GOALS[kind]:g} %")
    return missed


_BIT = re.compile(r"^(.*)\[(\d+)\]$")


def grouped(holes: Iterable[Point]) -> list[tuple[int, str, str]]:
    """Holes for people: (line, text, source); bits of one signal together, `addr[33:30] never 0->1`."""
    out: list[tuple[int, str, str]] = []
    bits: dict[tuple[int, str, str], dict[str, set[int]]] = {}
    for point in holes:
        if point.kind != "toggle":
            out.append((point.line, f"{point.kind} {point.what}", point.source))
            continue
        signal, _, direction = point.what.rpartition(":")
        bit = _BIT.match(signal)
        name, number = (bit[1], int(bit[2])) if bit else (signal, -1)
        bits.setdefault((point.line, name, point.source), {}).setdefault(direction, set()).add(number)
    for (line, name, source), by in bits.items():
        same = len(set(map(frozenset, by.values()))) == 1 and len(by) == 2
        for direction, numbers in list(by.items())[: 1 if same else 2]:
            way = "toggles" if same else f"goes {direction}"
            out.append((line, f"{name}{_ranges(numbers)} never {way}", source))
    return sorted(out)


def _ranges(numbers: set[int]) -> str:
    if numbers == {-1}:
        return ""
    parts: list[str] = []
    ordered = sorted(numbers, reverse=True)
    start = last = ordered[0]
    for number in [*ordered[1:], -9]:
        if number != last - 1:
            parts.append(f"{start}" if start == last else f"{start}:{last}")
            start = number
        last = number
    return f"[{','.join(parts)}]"
