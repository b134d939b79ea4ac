"""Synthesis check with Yosys and its slang front end: gates, flops, latches, loops, undriven nets, longest path.

The work is done in a child process that announces every step and its end; a step that is missing, an end that is
missing or a mapping that did not take place fails.

A level is one two-input gate or inverter (NAND, NOR, AND, OR, XOR, XNOR, ANDNOT, ORNOT, NOT), each counted as one,
from flop, macro or port to flop, macro or port, after mapping for depth; wires, fan-out and flops count nothing. Carry
chains are built as Kogge-Stone prefixes, as a timing-driven tool builds them. With sizes of the queues given, the same
logic is mapped once more to static CMOS cells (inverting NAND, NOR, AOI, OAI with up to four inputs).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hbm_tb.sim import ROOT, rtl_files

TOP = "hbm_channel"
OUT = ROOT / "build" / "synth"
TIME_LIMIT = 3600  # seconds
STEP, END = "@@HBM_STEP", "@@HBM_SYNTH_END"

# Arrays that a flow would build as memory macros: big enough, few ports. They are counted apart and end paths.
_MACROS = "t:$mem_v2 r:SIZE>=16 %i r:WIDTH>=32 %i r:RD_PORTS<=2 %i r:WR_PORTS<=2 %i"
# Two-input gates only, restructured for depth.
_ABC = "abc -g gates -script +strash;if,-g;dc2;if,-g;if,-g;map"
_ABC_CELLS = "abc -g cmos -script +strash;if,-g;dc2;if,-g;if,-g;map"
_TECHMAP = "techmap -map +/techmap.v -map +/choices/kogge-stone.v"
_TO_FLOPS = "chtype -set hbm_flop t:$_DFF* t:$_ALDFF*"
_GATES = {f"$_{name}_" for name in ("NOT", "AND", "NAND", "OR", "NOR", "XOR", "XNOR", "ANDNOT", "ORNOT", "BUF")}

# (name, Yosys commands). Checks come first, on what the front end gives, before anything can be optimised away.
_STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("hierarchy", ("hierarchy -check -top {top}", "flatten")),
    ("latches", ("select -count t:$dlatch t:$adlatch t:$dlatchsr t:$sr",)),
    ("undriven", ("tee -q -o {folder}/buffers.txt dump t:$buf",)),
    ("check", ("check",)),
    ("words", ("opt_expr", "opt_clean", "opt_merge", "wreduce", "opt_clean", "memory_dff", "memory_collect")),
    ("memories", (f"select -set macros {_MACROS}", "tee -q -o {folder}/macros.txt dump @macros",
                  "memory_map t:$mem_v2 @macros %d")),  # fmt: skip
    ("logic", ("opt_expr", "opt_merge", "opt_muxtree", "opt_dff", "opt_clean", "alumacc", "opt_expr", "opt_clean")),
    ("gates", (_TECHMAP, "opt_expr", "opt_merge", "opt_clean", "dffunmap", "opt_clean")),
    ("flops", ("tee -q -o {folder}/flops.txt dump t:$_DFF* t:$_ALDFF* t:$_SDFF* t:$_DLATCH*",)),
    # Flops become black boxes for the mapper, so that it sees the logic as one piece whatever their resets.
    ("map", (_TO_FLOPS, "design -save gates", _ABC)),
    ("count", ("tee -q -o {folder}/stat.json stat -json",)),
    ("path", ("tee -q -o {folder}/ends.txt dump t:hbm_flop", "ltp * t:$mem_v2 t:hbm_flop %u %d",
              "write_json {folder}/netlist.json")),  # fmt: skip
)  # fmt: skip
# Further step with sizes of the queues: static CMOS cells.
_CELLS = ("cells", ("design -load gates", _ABC_CELLS, "tee -q -o {folder}/cells.json stat -json",
                    "ltp * t:$mem_v2 t:hbm_flop %u %d"))  # fmt: skip


@dataclass(frozen=True)
class Macro:
    """An array kept as a memory."""

    name: str
    words: int
    width: int  # bits
    reads: int  # ports
    writes: int


@dataclass
class Report:
    """What synthesis found; ``problems`` is empty when it passed."""

    top: str
    geometry: str
    entries: int = 0  # of the read and of the write queue; 0: as the sources say
    seconds: float = 0.0
    yosys: str = ""
    steps: list[str] = field(default_factory=list)
    gates: int = 0  # two-input gates and inverters
    flops: int = 0
    latches: int = -1
    loops: int = -1
    undriven: int = -1
    levels: int = -1  # two-input gates on the longest path
    path: list[str] = field(default_factory=list)  # named signals along it
    cells: int = -1  # static CMOS cells; -1: not mapped to them
    cell_levels: int = -1  # such cells on the longest path
    ends: dict[str, int] = field(default_factory=dict)  # levels of the longest path into each instance, deepest first
    macros: list[Macro] = field(default_factory=list)
    flops_by_instance: dict[str, int] = field(default_factory=dict)
    gates_by_type: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the run was complete and found nothing wrong."""
        return not self.problems

    @property
    def macro_bits(self) -> int:
        """Bits in arrays kept as memories."""
        return sum(macro.words * macro.width for macro in self.macros)


def _steps(cells: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The steps of one run."""
    return (*_STEPS, _CELLS) if cells else _STEPS


# ---------------------------------------------------------------- child process


def _worker(spec_path: str) -> None:
    """Run the steps; everything that Yosys says goes to stdout."""
    from pyosys import libyosys as yosys

    spec = json.loads(Path(spec_path).read_text())
    design = yosys.Design()

    def step(name: str, commands: Sequence[str]) -> None:
        for command in commands:
            yosys.run_pass(command.format(**spec), design)
        yosys.log_flush()
        print(f"\n{STEP} {name}", flush=True)

    step("read", ("read_slang --top {top} -DSYNTHESIS {defines} {files}",))
    for name, commands in _steps(spec["cells"]):
        step(name, commands)
    print(f"\n{END}", flush=True)


# ---------------------------------------------------------------- reading the results


def _instance(name: str, depth: int = 3) -> str:
    """Hierarchical name without its last parts."""
    parts = name.split(".")
    return ".".join(parts[: min(depth, len(parts) - 1)]) or "(top)"


def _undriven(text: str) -> list[str]:
    """Targets of buffers whose source holds undefined bits: that is how the front end shows a net without driver."""
    found = []
    for match in re.finditer(r"connect \\A (.*)\n\s*connect \\Y (.*)", text):
        if re.search(r"\d+'[01xz-]*[xz]", match[1]):
            found.append(match[2].lstrip("\\"))
    return found


def _macros(text: str) -> list[Macro]:
    found = []
    for block in text.split("cell $mem_v2 ")[1:]:
        value = {key: int(number) for key, number in re.findall(r"parameter \\(\w+) (\d+)\n", block)}
        name = block.split("\n", 1)[0].strip().lstrip("\\")
        found.append(Macro(name, value["SIZE"], value["WIDTH"], value["RD_PORTS"], value["WR_PORTS"]))
    return sorted(found, key=lambda macro: (-macro.words * macro.width, macro.name))


def _clean(signal: str) -> str:
    """Signal name without the marks of Yosys; empty when it is not one of the source."""
    name = re.sub(r"^\$abc\$\d+\$", "", signal.strip()).lstrip("\\").replace(" [", "[")
    return name if re.match(r"[a-z]\w*(\[\d+\])*(\.|\[|$)", name) and not name.startswith("new_n") else ""


def _path(text: str, flops: str) -> list[str]:
    """Signals of the source along the longest path, and the flop that it ends at."""
    nodes = re.findall(r"^\s*\d+: (.*?)(?: \(via .*)?$", text, re.MULTILINE)
    names = [_clean(node) for node in nodes]
    if nodes and not names[-1]:
        data = re.escape(re.sub(r"^\$abc\$\d+", "", nodes[-1].strip()))
        end = re.search(rf"connect \\D {data}\n(?:    connect .*\n)*?    connect \\Q (.*)", flops)
        names.append(_clean(end[1]) if end else "")
    return [name for name in names if name]


def _ends(netlist: Path) -> dict[str, int]:
    """Levels of the longest path into the flops of each instance, deepest first."""
    module = next(iter(json.loads(netlist.read_text())["modules"].values()))
    inputs: dict[int, list[int]] = {}  # of the gate that drives a net
    for cell in module["cells"].values():
        if cell["type"] in _GATES:
            nets = {port: bits[0] for port, bits in cell["connections"].items()}
            out = nets.pop("Y")
            inputs[out] = [net for net in nets.values() if isinstance(net, int)]
    levels: dict[int, int] = {}
    for net in TopologicalSorter(inputs).static_order():
        levels[net] = 1 + max((levels[each] for each in inputs[net]), default=0) if net in inputs else 0
    names: dict[int, str] = {}
    for name, wire in module["netnames"].items():
        if not wire["hide_name"]:
            for bit in wire["bits"]:
                if isinstance(bit, int) and (bit not in names or name.count(".") > names[bit].count(".")):
                    names[bit] = name
    found: Counter[str] = Counter()
    for cell in module["cells"].values():
        if cell["type"] == "hbm_flop":
            data, state = cell["connections"]["D"][0], cell["connections"]["Q"][0]
            where = _instance(names.get(state, ""))
            found[where] = max(found[where], levels.get(data, 0))
    return dict(found.most_common())


def _section(log: str, name: str) -> str:
    """Log text of one step."""
    head, found, _ = log.partition(f"{STEP} {name}\n")
    return head.rpartition(STEP)[2] if found else ""


def _read_results(report: Report, log: str, folder: Path) -> None:
    """Fill the report; anything that does not look as expected becomes a problem."""
    report.steps = re.findall(rf"^{STEP} (\w+)$", log, re.MULTILINE)
    wanted = ["read", *(name for name, _ in _steps(report.entries > 0))]
    missing = [name for name in wanted if name not in report.steps]
    errors = [line for line in log.splitlines() if re.match(r"ERROR:|.*: error: ", line)]
    if missing or END not in log.splitlines():
        reason = errors[0] if errors else "the log ends without a message"
        report.problems.append(f"synthesis did not run to its end: step {missing[0] if missing else 'end'}: {reason}")
        return

    latches = re.findall(r"^(\d+) objects?\.$", _section(log, "latches"), re.MULTILINE)
    report.latches = int(latches[-1]) if latches else -1
    checks = _section(log, "check")
    report.loops = checks.count("found logic loop")
    nets = _undriven((folder / "buffers.txt").read_text())
    nets += re.findall(r"Wire (\S+) .*is used but has no driver", checks)
    report.undriven = len(nets)
    other = re.search(r"Found and reported (\d+) problems", checks)

    counts = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    report.flops = counts.pop("hbm_flop", 0)
    counts.pop("$mem_v2", 0)
    report.gates_by_type = dict(sorted(counts.items()))
    report.gates = sum(counts.values())
    report.macros = _macros((folder / "macros.txt").read_text())
    flops = Counter(
        _instance(name.strip().lstrip("\\").split(" ")[0])
        for name in re.findall(r"connect \\Q (.*)", (folder / "flops.txt").read_text())
    )
    report.flops_by_instance = dict(flops.most_common())

    lengths = re.findall(r"Longest topological path in \S+ \(length=(-?\d+)\)", _section(log, "path"))
    report.levels = int(lengths[-1]) if lengths else -1
    report.path = _path(_section(log, "path"), (folder / "ends.txt").read_text())
    try:
        report.ends = _ends(folder / "netlist.json")
    except CycleError:
        report.ends = {}  # a loop or a latch has no levels; it is told as a problem below
    if report.entries:
        counts_of_cells = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
        report.cells = sum(n for name, n in counts_of_cells.items() if name.startswith("$_"))
        found = re.findall(r"Longest topological path in \S+ \(length=(-?\d+)\)", _section(log, "cells"))
        report.cell_levels = int(found[-1]) if found else -1
        if report.cell_levels < 0:
            report.problems.append("no longest path of cells could be found")

    if report.latches:
        report.problems.append(f"{report.latches} latches")
    if report.loops:
        report.problems.append(f"{report.loops} combinational loops")
    if nets:
        report.problems.append(f"{len(nets)} undriven nets: {', '.join(nets[:5])}")
    if other is None:
        report.problems.append("the check left no count")
    elif int(other[1]) != report.loops + len(re.findall("is used but has no driver", checks)):
        first = re.search(r"Warning: (?!found logic loop)(.*)", checks)
        report.problems.append(f"check: {first[1] if first else checks.strip().splitlines()[-1]}")
    unmapped = sorted(set(counts) - _GATES)
    if unmapped:
        report.problems.append(f"not mapped to gates: {', '.join(unmapped)}")
    if "Re-integrating ABC results" not in _section(log, "map") and report.gates:
        report.problems.append("the mapper left no result")
    if report.levels < 0 or "Detected loop" in _section(log, "path"):
        report.problems.append("no longest path could be found")
    if not report.flops and not report.gates:
        report.problems.append("the result is empty")


# ---------------------------------------------------------------- entry points


def synthesize(
    files: Sequence[Path],
    top: str,
    geometry: str = "",
    folder: Path | None = None,
    console: Console | None = None,
    entries: int = 0,
) -> Report:
    """Synthesise ``top``; log and intermediate results stay in ``folder`` (a temporary one without it).

    With ``entries``, both queues of a PC have that many and the cells are counted too.
    """
    with tempfile.TemporaryDirectory() as scratch:
        where = folder or Path(scratch)
        where.mkdir(parents=True, exist_ok=True)
        spec = {"top": top, "folder": str(where), "files": " ".join(str(file) for file in files)}
        spec |= {"defines": f"-DHBM_QUEUE_ENTRIES={entries}" if entries else "", "cells": "1" if entries else ""}
        (where / "spec.json").write_text(json.dumps(spec))
        for stale in (
            "stat.json",
            "macros.txt",
            "buffers.txt",
            "flops.txt",
            "ends.txt",
            "netlist.json",
            "cells.json",
            "yosys.log",
        ):
            (where / stale).unlink(missing_ok=True)
        report = Report(top, geometry, entries)
        start = time.monotonic()
        log = _run_worker(where, console)
        report.seconds = round(time.monotonic() - start, 1)
        report.yosys = f"pyosys {metadata.version('pyosys')}"
        _read_results(report, log, where)
        return report


def _run_worker(folder: Path, console: Console | None) -> str:
    """Output of the child process, also written to yosys.log."""
    command = [sys.executable, "-m", "hbm_tb.synth", "--worker", str(folder / "spec.json")]
    lines: list[str] = []
    start = time.monotonic()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=ROOT
    )
    assert child.stdout is not None
    with (folder / "yosys.log").open("w") as file:
        for line in child.stdout:
            lines.append(line)
            file.write(line)
            if console is not None and line.startswith(STEP):
                console.print(f"  {line.split()[1]:10s} {time.monotonic() - start:6.0f} s")
            if time.monotonic() - start > TIME_LIMIT:
                child.kill()
                lines.append(f"ERROR: stopped after {TIME_LIMIT} s\n")
                break
    child.wait()
    if child.returncode != 0:
        lines.append(f"ERROR: Yosys ended with code {child.returncode}\n")
        # Its last words may look complete: an end that is not clean counts as none.
        lines = [line for line in lines if line.strip() != END]
    return "".join(lines)


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    table = Table(title=f"synthesis of {report.top} {report.geometry}".strip())
    table.add_column("figure")
    table.add_column("value", justify="right")
    rows = {
        "two-input gates": f"{report.gates:,}",
        "flops": f"{report.flops:,}",
        "memory macros": f"{len(report.macros)} with {report.macro_bits:,} bits",
        "latches": str(report.latches),
        "combinational loops": str(report.loops),
        "undriven nets": str(report.undriven),
        "longest path, gates": str(report.levels),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    if report.flops_by_instance:
        table = Table(title="flops by instance")
        table.add_column("instance")
        table.add_column("flops", justify="right")
        for name, count in list(report.flops_by_instance.items())[:12]:
            table.add_row(name, f"{count:,}")
        console.print(table)
    if report.ends:
        table = Table(title="levels into the flops of each instance")
        table.add_column("instance")
        table.add_column("levels", justify="right")
        for name, count in list(report.ends.items())[:12]:
            table.add_row(name, str(count))
        console.print(table)
    if report.path:
        console.print("longest path: " + " -> ".join(dict.fromkeys(report.path)), markup=False)
    for problem in report.problems:
        console.print(f"[red]FAILED[/] {problem}")
    console.print(f"{'passed' if report.ok else 'failed'} in {report.seconds} s, {report.yosys}")


def show_sizes(reports: Sequence[Report], console: Console) -> None:
    """Print one line a size of the queues, and the growth of the longest path from each size to the next."""
    table = Table(title=f"{reports[0].top} {reports[0].geometry} by queue entries")
    for name in ("entries", "gates", "flops", "levels", "more", "cells", "cell levels"):
        table.add_column(name, justify="right")
    table.add_column("longest path")
    before = None
    for report in reports:
        more = "" if before is None else f"{report.levels - before.levels:+d}"
        ends = " -> ".join([*report.path[:1], *report.path[-1:]])
        figures = (report.gates, report.flops, report.levels, more, report.cells, report.cell_levels)
        shown = [f"{figure:,}" if isinstance(figure, int) else figure for figure in figures]
        table.add_row(str(report.entries), *shown, ends)
        before = report
    console.print(table)


def main(geometry: str = "hbm2_s1", top: str = TOP, *, entries: Sequence[int] = ()) -> int:
    """Synthesise a module of the RTL, print the tables, write build/synth/<top>_<geometry>.json; 0 when all is well.

    With ``entries``, once for each of these sizes of the queues, with _<entries> in the name of the file.
    """
    console = Console(width=None if sys.stdout.isatty() else 120)
    reports = []
    for size in entries or (0,):
        name = f"{top}_{geometry}" + (f"_{size}" if size else "")
        words = f" with {size} entries" if size else ""
        console.print(f"synthesis of {top} for {geometry}{words}; the channel takes some minutes")
        report = synthesize(rtl_files(geometry), top, geometry, OUT / name, console, size)
        show(report, console)
        text = json.dumps(asdict(report) | {"ok": report.ok, "macro_bits": report.macro_bits}, indent=1)
        (OUT / f"{name}.json").write_text(text + "\n")
        reports.append(report)
    if len(reports) > 1:
        show_sizes(reports, console)
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _worker(sys.argv[2])
    else:
        sys.exit(main(*sys.argv[1:3], entries=[int(size) for size in sys.argv[3:]]))
