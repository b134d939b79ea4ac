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


def write_lcov(path: Path, merged: Merged, leave_out: Iterable[Point]) -> None:
    """Lines and branches by file, for genhtml and editors (toggles have no place there)."""
    gone = set(leave_out)
    by_file: dict[str, list[Point]] = defaultdict(list)
    for point in sorted(merged):
        if point not in gone and point.kind != "toggle":
            by_file[point.file].append(point)
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
        from ucis import (
            UCIS_BLOCK,
            UCIS_BRANCH,
            UCIS_BRANCHBIN,
            UCIS_DU_MODULE,
            UCIS_ENABLED_BRANCH,
            UCIS_ENABLED_STMT,
            UCIS_ENABLED_TOGGLE,
            UCIS_INST_ONCE,
            UCIS_INSTANCE,
            UCIS_OTHER,
            UCIS_SCOPE_UNDER_DU,
            UCIS_STMTBIN,
            UCIS_TOGGLE,
            UCIS_TOGGLEBIN,
            UCIS_VLOG,
        )
        from ucis.cover_data import CoverData
        from ucis.history_node_kind import HistoryNodeKind
        from ucis.mem.mem_factory import MemFactory
        from ucis.source_info import SourceInfo
        from ucis.source_t import SourceT
        from ucis.test_data import TestData
        from ucis.test_status_t import TestStatusT
        from ucis.xml.xml_writer import XmlWriter
    except ImportError:
        raise InputError("UCIS XML needs the package pyucis: pip install 'hbm-controller[coverage]'") from None

    db = MemFactory.create()
    now = datetime.now()
    for name, passed in runs.items():
        node = db.createHistoryNode(None, name, name, HistoryNodeKind.TEST)
        status = TestStatusT.OK if passed else 0  # the writer tells any other value as passed
        node.setTestData(TestData(status, "UCIS:Simulator", now.strftime("%Y%m%d%H%M%S")))
    flags = UCIS_ENABLED_STMT | UCIS_ENABLED_BRANCH | UCIS_ENABLED_TOGGLE | UCIS_INST_ONCE | UCIS_SCOPE_UNDER_DU
    gone = set(leave_out)
    by_file: dict[str, list[Point]] = defaultdict(list)
    for point in sorted(merged):
        if point not in gone:
            by_file[point.file].append(point)

    def bin_of(kind: int, count: int) -> Any:
        data = CoverData(kind, 0)
        data.data = count
        return data

    for file, points in by_file.items():
        handle = db.createFileHandle(file, str(sim.ROOT))
        top = SourceInfo(handle, 1, 0)
        module = points[0].module
        unit = db.createScope(module, top, 1, UCIS_VLOG, UCIS_DU_MODULE, flags)
        instance = db.createInstance(module, top, 1, UCIS_VLOG, UCIS_INSTANCE, unit, UCIS_INST_ONCE)
        groups: dict[tuple[str, int, str], list[Point]] = defaultdict(list)
        for point in points:
            name = point.what.rpartition(":")[0] if point.kind == "toggle" else ""
            groups[point.kind, point.line, name].append(point)
        for (kind, line, name), members in groups.items():
            where = SourceInfo(handle, line, members[0].column)
            scope_kind, bin_kind = {
                "line": (UCIS_BLOCK, UCIS_STMTBIN),
                "branch": (UCIS_BRANCH, UCIS_BRANCHBIN),
                "toggle": (UCIS_TOGGLE, UCIS_TOGGLEBIN),
            }[kind]
            scope = instance.createScope(name or f"{kind}_{line}", where, 1, UCIS_OTHER, scope_kind, 0)
            for point in members:
                label = point.what.rpartition(":")[2] if kind == "toggle" else f"{point.what}_{point.column}"
                scope.createNextCover(label, bin_of(bin_kind, merged[point].count), where)
    handle = db.createFileHandle("tb/plan.yaml", str(sim.ROOT))
    where = SourceInfo(handle, 1, 0)
    unit = db.createScope("plan", where, 1, UCIS_OTHER, UCIS_DU_MODULE, flags)
    instance = db.createInstance("plan", where, 1, UCIS_OTHER, UCIS_INSTANCE, unit, UCIS_INST_ONCE)
    for name, bins in functional.items():
        group = instance.createCovergroup(name, where, 1, SourceT.SV)
        group_instance = group.createCoverInstance(name, where, 1, SourceT.SV)
        point_scope = group_instance.createCoverpoint(name, where, 1, SourceT.SV)
        point_scope.setAtLeast(1)
        for label, count in bins.items():
            point_scope.createBin(label, where, 1, count, label)
    with path.open("w", encoding="utf-8") as file_out:
        XmlWriter().write(file_out, db)
