"""Merged coverage in the forms that other tools read: UCIS XML (through pyucis) and lcov."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError

from hbm_tb import sim
from hbm_tb.coverage_rtl import Merged, Point


def _by_file(points: Iterable[Point], leave_out: Iterable[Point]) -> dict[str, list[Point]]:
    """Points in order, by their file, without those that are left out."""
    gone = set(leave_out)
    found: dict[str, list[Point]] = defaultdict(list)
    for point in sorted(points):
        if point not in gone:
            found[point.file].append(point)
    return found


def write_lcov(path: Path, merged: Merged, leave_out: Iterable[Point]) -> None:
    """Lines and branches by file, for genhtml and editors (toggles have no place there)."""
    by_file = _by_file((point for point in merged if point.kind != "toggle"), leave_out)
    out = []
    for file, points in by_file.items():
        lines: dict[int, int] = {}
        out += ["TN:hbm", f"SF:{sim.ROOT / file}"]
        branches: dict[int, list[int]] = defaultdict(list)
        for point in points:
            count = merged[point].count
            for line in _span(point):
                lines[line] = max(lines.get(line, 0), count)
            if point.kind == "branch":
                branches[point.line].append(count)
        for line, ways in sorted(branches.items()):
            out += [f"BRDA:{line},0,{way},{count}" for way, count in enumerate(ways)]
        hit = sum(count > 0 for ways in branches.values() for count in ways)
        out += [f"BRF:{sum(map(len, branches.values()))}", f"BRH:{hit}"]
        out += [f"DA:{line},{count}" for line, count in sorted(lines.items())]
        out += [f"LF:{len(lines)}", f"LH:{sum(count > 0 for count in lines.values())}", "end_of_record"]
    path.write_text("\n".join(out) + "\n")


def _span(point: Point) -> list[int]:
    """Lines that a block covers; of a branch without statements none but its own."""
    if not point.span:
        return [point.line] if point.kind == "line" else []
    found: list[int] = []
    for part in point.span.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def write_ucis(
    path: Path,
    merged: Merged,
    leave_out: Iterable[Point],
    functional: Mapping[str, Mapping[str, int]],
    runs: Mapping[str, bool],
) -> None:
    """UCIS XML: a module instance per source file with blocks, branches and toggles; cover groups for the functional
    points (point -> bin -> count, holes included); a history node per run (name -> passed).
    """
    try:
        from ucis.mem.mem_factory import MemFactory
        from ucis.xml.xml_writer import XmlWriter
    except ImportError:
        raise InputError("UCIS XML needs the package pyucis: pip install 'hbm-controller[coverage]'") from None
    db = MemFactory.create()
    _add_runs(db, runs)
    _add_modules(db, merged, leave_out)
    _add_groups(db, functional)
    with path.open("w", encoding="utf-8") as file:
        XmlWriter().write(file, db)


def _add_runs(db: Any, runs: Mapping[str, bool]) -> None:
    """A history node per run."""
    from ucis.history_node_kind import HistoryNodeKind
    from ucis.test_data import TestData
    from ucis.test_status_t import TestStatusT

    now = datetime.now()
    for name, passed in runs.items():
        node = db.createHistoryNode(None, name, name, HistoryNodeKind.TEST)
        status = TestStatusT.OK if passed else 0  # the writer tells any other value as passed
        node.setTestData(TestData(status, "UCIS:Simulator", now.strftime("%Y%m%d%H%M%S")))


def _add_scope(db: Any, name: str, file: str, language: int) -> tuple[Any, Any]:
    """A design unit with one instance; the instance and the handle of its file."""
    import ucis
    from ucis.source_info import SourceInfo

    flags = ucis.UCIS_ENABLED_STMT | ucis.UCIS_ENABLED_BRANCH | ucis.UCIS_ENABLED_TOGGLE
    flags |= ucis.UCIS_INST_ONCE | ucis.UCIS_SCOPE_UNDER_DU
    handle = db.createFileHandle(file, str(sim.ROOT))
    top = SourceInfo(handle, 1, 0)
    unit = db.createScope(name, top, 1, language, ucis.UCIS_DU_MODULE, flags)
    return db.createInstance(name, top, 1, language, ucis.UCIS_INSTANCE, unit, ucis.UCIS_INST_ONCE), handle


def _add_modules(db: Any, merged: Merged, leave_out: Iterable[Point]) -> None:
    """A module instance per source file with blocks, branches and toggles."""
    import ucis
    from ucis.cover_data import CoverData
    from ucis.source_info import SourceInfo

    kinds = {
        "line": (ucis.UCIS_BLOCK, ucis.UCIS_STMTBIN),
        "branch": (ucis.UCIS_BRANCH, ucis.UCIS_BRANCHBIN),
        "toggle": (ucis.UCIS_TOGGLE, ucis.UCIS_TOGGLEBIN),
    }
    for file, points in _by_file(merged, leave_out).items():
        instance, handle = _add_scope(db, points[0].module, file, ucis.UCIS_VLOG)
        groups: dict[tuple[str, int, str], list[Point]] = defaultdict(list)
        for point in points:
            name = point.what.rpartition(":")[0] if point.kind == "toggle" else ""
            groups[point.kind, point.line, name].append(point)
        for (kind, line, name), members in groups.items():
            where = SourceInfo(handle, line, members[0].column)
            scope_kind, bin_kind = kinds[kind]
            scope = instance.createScope(name or f"{kind}_{line}", where, 1, ucis.UCIS_OTHER, scope_kind, 0)
            for point in members:
                label = point.what.rpartition(":")[2] if kind == "toggle" else f"{point.what}_{point.column}"
                data = CoverData(bin_kind, 0)
                data.data = merged[point].count
                scope.createNextCover(label, data, where)


def _add_groups(db: Any, functional: Mapping[str, Mapping[str, int]]) -> None:
    """A cover group per functional point."""
    import ucis
    from ucis.source_info import SourceInfo
    from ucis.source_t import SourceT

    instance, handle = _add_scope(db, "plan", "tb/plan.yaml", ucis.UCIS_OTHER)
    where = SourceInfo(handle, 1, 0)
    for name, bins in functional.items():
        group = instance.createCovergroup(name, where, 1, SourceT.SV)
        point = group.createCoverInstance(name, where, 1, SourceT.SV).createCoverpoint(name, where, 1, SourceT.SV)
        point.setAtLeast(1)
        for label, count in bins.items():
            point.createBin(label, where, 1, count, label)
