"""`hbm faults`: every planted defect and every wrong timing register, what told first, and after how many cycles."""

from __future__ import annotations

import fnmatch
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hbm_model.errors import InputError
from hbm_model.home import BUILD

from hbm_tb import faults
from hbm_tb.fault_registers import register_items
from hbm_tb.faults_job import KIND, Item, judge, read_caught
from hbm_tb.job_list import ListOptions, run_list, shown
from hbm_tb.jobs import Job

FOLDER = BUILD / "faults"
TABLE = "faults.json"
TIMEOUT_S = 1800.0
CHUNK = 24  # items of one process: a start takes as long as some ten of them
REGISTERS = "registers"
NONE = "none"  # every workload on the unchanged design, in the build with all alternatives woven in

# About a minute, one build.
QUICK_DEFECTS = (
    "rtp-absent", "ccdl-last-command-only", "faw-twice-too-long", "auto-precharge-not-seen", "youngest-first",
    "starvation", "both-in-slot-a", "refresh-lost-under-load", "closed-too-early", "mask-half-lost",
    "read-tag-of-next", "row-bit", "order-within-id", "strobes-of-earlier-beats-lost", "exclusive-not-disarmed",
    "credit-leaks",
)  # fmt: skip
QUICK_REGISTERS = ("RP", "RRDL", "CCDL", "WTRS", "RL", "REFISB")
QUICK_BUILD = "hbm2_s1"


@dataclass(frozen=True)
class Group:
    """Items that one process runs."""

    geometry: str
    name: str
    items: tuple[Item, ...]

    @property
    def job(self) -> str:
        """Name of the job."""
        return f"{self.geometry}/{self.name}"


# ---------------------------------------------------------------- what is run


def _config(run: faults.Workload) -> dict[str, Any]:
    config: dict[str, Any] = {"check_exact": True, **run.config}
    if run.timing:
        config["timing"] = dict(run.timing)
    if run.policy:
        config["policy"] = dict(run.policy)
    return config


def defect_items(defect: faults.Defect) -> list[Item]:
    """The runs of a defect; a later one counts when the earlier ones did not show it."""
    names = [f"{defect.id.replace('-', '_')}{f'_{n}' if n else ''}" for n in range(len(defect.runs))]
    return [
        Item(
            name, defect.id, defect.number, defect.expect, run.workload, dict(run.how), _config(run), following,
            defect.title,
        )
        for name, run, following in zip(names, defect.runs, [*names[1:], ""], strict=True)
    ]  # fmt: skip


def neutral_items(items: Iterable[Item]) -> list[Item]:
    """Each workload and setting of the items once, with no defect."""
    seen: dict[str, Item] = {}
    for item in items:
        key = json.dumps([item.workload, item.how, item.config], sort_keys=True)
        if key not in seen and "program_only" not in item.config:
            name = f"none_{item.workload}_{len(seen) + 1}"
            title = f"the unchanged design under {item.workload}"
            seen[key] = replace(item, name=name, defect=NONE, number=0, expect=(), instead="", title=title)
    return list(seen.values())


def _chunks(geometry: str, name: str, items: Sequence[Item]) -> list[Group]:
    """Groups of a manageable size; items that stand in for each other stay together."""
    chains: list[list[Item]] = []
    later = False
    for item in items:
        if later:
            chains[-1].append(item)
        else:
            chains.append([item])
        later = bool(item.instead)
    groups: list[list[Item]] = [[]]
    for chain in chains:
        if len(groups[-1]) + len(chain) > CHUNK:
            groups.append([])
        groups[-1] += chain
    many = len(groups) > 1
    return [
        Group(geometry, f"{name}-{n}" if many else name, tuple(part)) for n, part in enumerate(groups, 1) if part
    ]  # fmt: skip


def all_groups(quick: bool = False) -> list[Group]:
    """Everything, in groups."""
    out = []
    for geometry in (QUICK_BUILD,) if quick else faults.geometries():
        carried = [d for d in faults.of_build(geometry) if not quick or d.id in QUICK_DEFECTS]
        every = [item for defect in carried for item in defect_items(defect)]
        out += _chunks(geometry, NONE, neutral_items(every)[: 4 if quick else None])
        registers = register_items(geometry, QUICK_REGISTERS if quick else (), quick)
        if quick:
            out.append(Group(geometry, "defects", tuple(every)))
            out.append(Group(geometry, REGISTERS, tuple(registers)))
            continue
        out += _chunks(geometry, REGISTERS, registers)
        for source in dict.fromkeys(defect.source for defect in carried):
            mine = [item for defect in carried if defect.source == source for item in defect_items(defect)]
            out += _chunks(geometry, Path(source).stem, mine)
    return out


def chosen_groups(groups: Sequence[Group], patterns: Sequence[str]) -> list[Group]:
    """The defects, registers or groups that the patterns name, each by itself."""
    if not patterns:
        return list(groups)
    out: dict[str, Group] = {}
    for group in groups:
        parts: dict[str, list[Item]] = {}
        for item in group.items:
            parts.setdefault(item.name if item.defect == NONE else item.defect, []).append(item)
        for name, items in parts.items():
            names = (name, f"{group.geometry}/{name}", group.name, group.job)
            if any(fnmatch.fnmatchcase(each, pattern) for each in names for pattern in patterns):
                single = Group(group.geometry, name, tuple(items))
                out.setdefault(single.job, single)
    if not out:
        raise InputError(f"--only {' '.join(patterns)}: no defect, register or group of this name (docs/faults.md)")
    return list(out.values())


def jobs_of(groups: Sequence[Group], seed: int, options: ListOptions) -> list[Job]:
    """One job a group."""
    out = []
    for group in groups:
        again = reproduce(group.job if len(group.items) > 4 else f"{group.geometry}/{_id(group.items[0])}", seed)
        arguments = {
            "geometry": group.geometry,
            "planted": True,
            "items": [asdict(item) for item in group.items],
            "seed": seed,
            "timeout_s": TIMEOUT_S,
            "waves": list(options.window) if options.window is not None else None,
            "reproduce": again,
        }
        out.append(Job(group.job, KIND, arguments, TIMEOUT_S, len(group.items) + 8, f"{again} --waves"))
    return out


def _id(item: Item) -> str:
    return item.name if item.defect == NONE else item.defect


def reproduce(name: str, seed: int) -> str:
    """The command that repeats a run by itself."""
    return shlex.join(["hbm", "faults", "--only", name, *(["--seed", str(seed)] if seed != 1 else [])])


# ---------------------------------------------------------------- what came of it


@dataclass(frozen=True)
class Row:
    """What became of one defect, register step or neutral run."""

    id: str
    build: str
    group: str
    title: str
    module: str
    museum: tuple[int, ...]
    expect: tuple[str, ...]
    check: str
    detail: str
    cycles: int
    transactions: int
    good: bool
    again: str  # the command that repeats it with waves
    message: str


def rows_of(groups: Sequence[Group], folder: Path, seed: int) -> list[Row]:
    """The rows that the runs left behind; a run that wrote nothing has none."""
    defects = {defect.id: defect for defect in faults.catalogue()}
    out = []
    for group in groups:
        found = read_caught(folder / group.job)
        for item, caught in judge(group.items, found) if found else ():
            defect = defects.get(item.defect)
            again = f"{reproduce(f'{group.geometry}/{_id(item)}', seed)} --waves"
            out.append(
                Row(
                    _id(item), group.geometry, group.name, item.title, f"rtl/{defect.file}" if defect else "",
                    defect.museum if defect else (), item.expect, caught.check, caught.detail, caught.cycles,
                    caught.transactions, caught.good(item), again, caught.message,
                )
            )  # fmt: skip
    return out


def counts_line(rows: Sequence[Row]) -> str:
    """How many were caught, and by what."""
    planted = [row for row in rows if row.expect]
    caught = [row for row in planted if row.good]
    by = Counter(row.check for row in caught)
    parts = ", ".join(f"{by[check]} by {check}" for check in faults.CHECKS if by[check])
    clean = [row for row in rows if not row.expect]
    passed = sum(row.good for row in clean)
    return (
        f"{len(caught)} of {len(planted)} caught: {parts}; {passed} of {len(clean)} runs of the unchanged design passed"
    )


def print_rows(rows: Sequence[Row], all_rows: bool) -> None:
    """The table, and a line with the command for every miss."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(120, Console().width))
    table = Table(title="planted faults, and what told first", title_justify="left")
    for name in ("fault", "build", "what", "caught by", "detail"):
        table.add_column(name, overflow="fold")
    table.add_column("cycles", justify="right")
    for row in rows:
        if row.expect and (all_rows or not row.good):
            check = row.check if row.good else f"[red]{row.check}[/]"
            table.add_row(row.id, row.build, row.title, check, row.detail[:48], f"{row.cycles:,}")
    if table.row_count:
        console.print(table)
    for row in rows:
        if not row.good:
            want = f"expected {' or '.join(row.expect)}" if row.expect else "expected a pass"
            console.print(f"{row.build} {row.id}: {row.check}, {want}: {row.detail}", markup=False, highlight=False)
            console.print(f"  again: {row.again}", markup=False, highlight=False)
    console.print(counts_line(rows), highlight=False)


def faults_command(options: ListOptions, quick: bool = False, seed: int = 1, docs: bool = False) -> int:
    """Run what the options choose; 0 when every fault was caught by a check that its entry names."""
    if docs and (quick or options.only):
        raise InputError("--docs wants the whole list: without --quick and --only")
    groups = chosen_groups(all_groups(quick), options.only)
    jobs = jobs_of(groups, seed, options)
    folder = FOLDER.with_name("faults-quick") if quick else FOLDER
    names = tuple(job.name for job in jobs) if options.only else ()
    chosen, counts = replace(options, only=names), ("runs", "caught")
    result = run_list("faults", folder, jobs, chosen, counts=counts, replay=False, whole=not options.only)
    if not result.results or options.window is not None:  # a run for its waves leaves the table as it is
        return result.code
    rows = rows_of(groups, folder, seed)
    print_rows(rows, all_rows=True)
    if not options.only:
        file = folder / TABLE
        file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        print(f"table: {shown(file)}")
    if docs and result.code == 0:
        from hbm_tb.faults_docs import write_page

        print(f"page: {shown(write_page(rows))}")
    return result.code if all(row.good for row in rows) else max(result.code, 1)
