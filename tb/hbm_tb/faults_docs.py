"""docs/faults.md: the page of the planted faults, written from the results of a whole run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hbm_tb import faults, sim

if TYPE_CHECKING:
    from hbm_tb.faults_cmd import Row

PAGE = sim.ROOT / "docs" / "faults.md"

# Bugs that were found in other controllers and simulators: (what, where), and why one is not planted here.
MUSEUM: Mapping[int, tuple[str, str, str]] = {
    1: ("no read-to-precharge time", "LiteDRAM", ""),
    2: ("precharge-all on the way into refresh ignores tRAS", "LiteDRAM", ""),
    3: ("a distance of the whole PC kept per bank", "LiteDRAM", ""),
    4: ("tFAW has a register that nothing reads", "DDR4_controller, UberDDR3", ""),
    5: ("long distances looked up against the last command only", "DDR4_controller", ""),
    6: ("short and long distances exchanged", "a student controller", ""),
    7: ("the same condition twice in a chain, so one path is dead", "a student controller", ""),
    8: ("a ready flag one cycle old", "pumice", ""),
    9: ("a column command to a bank that auto-precharge closes", "pumice", ""),
    10: ("refresh beside a running activation; tRFC not waited for", "pumice", ""),
    11: ("more read data than requests", "pumice", ""),
    12: ("a counter with fewer bits than its time", "bsg_dmc", ""),
    13: ("write to refresh too close", "bsg_dmc", ""),
    14: ("precedence of operators in a derived time", "LiteDRAM", ""),
    15: ("strobes of narrow or odd bursts lost", "LiteDRAM, litex", ""),
    16: ("data of another request after reordering", "LiteDRAM", ""),
    17: ("one requester keeps a bank for itself", "LiteDRAM", ""),
    18: ("average refresh interval too long under load", "linux-on-litex", ""),
    19: ("tFAW twice as long as it is", "LiteDRAM", ""),
    20: ("a burst counted twice on the bus: half the bandwidth", "Ramulator 2", ""),
    21: ("two PCs on one command bus at once", "Ramulator 2", ""),
    22: ("no distance from single-bank refresh to ACT", "Ramulator 2", ""),
    23: (
        "a checker that only warns",
        "pumice",
        "of the bench: tests/rtl/test_faults.py, tests/rtl/test_bench_catches.py",
    ),
    24: ("a proof that an assumption made empty", "UberDDR3", "of formal proofs: there is none here"),
    25: ("a self-test that keeps the system from starting", "UberDDR3", "there is no self-test in the RTL"),
    26: ("a register or port without effect", "DDR4_controller, pumice", ""),
    27: ("a partial write that overwrites its neighbours", "UberDDR3", ""),
}

_INTRO = """\
# Planted faults

Written by `hbm faults --docs`. A bench that never failed proves little: here each of {defects} defects is planted in
the RTL and each timing register is programmed wrong, and a check that the entry names must tell.

    make faults                     # all; resumable; some five minutes on two processors, and a build per geometry
    make faults QUICK=1             # the part that make test runs, half a minute
    hbm faults --only ID --waves    # one of them, with waves

Exit 1 when a fault is missed, or when another check than the entry of the catalogue names tells first. A time-out
catches nothing. Results: build/faults/faults.json, one folder a process beside it.

**How.** `tb/faults/*.yaml` is the catalogue: the module, the text that is replaced, the faulty text, the workload. All
defects of a geometry are woven into copies of the modules (build/faults/woven) as alternatives that are chosen when
reset begins: one build for all, and the number 0 is the unchanged design, which must pass every workload of the table
in lock-step (the proof that weaving changes nothing). Assertions of the RTL are off: the bench must see by itself.

**What tells**, in the order in which a batch is checked: `device` (protocol at the pins, docs/bench.md), `protocol`
(AXI handshakes, responses, order, commands that no request asked for), `legality` (the rule is named), `data` (read
data, memory, data lanes), `exactness` (lock-step with the exact model; the paragraph of docs/microarchitecture.md that
decides is named). Cycles: controller cycles from the start of the traffic (or from reset, for what shows before) to the
end of the batch of 64 cycles in which it was told.

{counts}
"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _told(row: Row) -> str:
    """The check, with what it named."""
    if row.check == "exactness":
        return ": ".join(filter(None, (row.check, ", ".join(dict.fromkeys(re.findall(r"M\d\.\d", row.detail))))))
    return f"{row.check}: {row.detail}" if row.check in ("legality", "device") else row.check


def page_text(rows: Sequence[Row]) -> str:
    """The page."""
    from hbm_tb.faults_cmd import NONE, REGISTERS

    planted = [row for row in rows if row.expect]
    clean = [row for row in rows if not row.expect]
    registers = [row for row in planted if row.group.startswith(REGISTERS)]
    defects = [row for row in planted if not row.group.startswith((REGISTERS, NONE))]
    by = Counter(row.check for row in planted)
    counts = (
        f"{len(defects)} planted defects and {len(registers)} wrong registers: "
        + ", ".join(f"{by[check]} caught by {check}" for check in faults.CHECKS)
        + f". {len(clean)} runs of the unchanged design passed."
    )
    parts = [_INTRO.format(defects=len({row.id for row in defects}), counts=counts)]
    parts.append(
        "## Timing registers\n\nIn a set in which the register binds alone, the RTL is programmed too short "
        "or too long by the\nsmallest step that moves the slot (1 CK, or 2 where lock-step shows that 1 CK moves "
        'nothing). MOD is the exception to "too\nshort is told by legality": pick and offer (M5.7) take longer than '
        "its smallest step, so lock-step tells first; a larger\nstep is told by legality too.\n"
    )
    parts.append(_table(("register", "caught by", "cycles"), [(r.title, _told(r), str(r.cycles)) for r in registers]))
    parts.append("## Defects\n\nNumbers in brackets: the list below.\n")
    for build in dict.fromkeys(row.build for row in defects):
        for module in sorted({row.module for row in defects if row.build == build}):
            chosen = [row for row in defects if row.module == module and row.build == build]
            body = [
                (
                    f"`{row.id}`",
                    row.title + (f" [{', '.join(map(str, row.museum))}]" if row.museum else ""),
                    _told(row),
                    f"{row.cycles:,}",
                )
                for row in chosen
            ]
            parts.append(f"### {module} ({build})\n")
            parts.append(_table(("defect", "what is wrong", "caught by", "cycles"), body))
    parts.append(
        "## Bugs of others\n\nFound in public controllers and simulators; each that can exist here is planted.\n"
    )
    mine = {n: sorted({row.id for row in defects if n in row.museum}) for n in MUSEUM}
    body = [
        (str(n), what, where, ", ".join(f"`{each}`" for each in mine[n]) or f"not planted: {why}")
        for n, (what, where, why) in MUSEUM.items()
    ]
    parts.append(_table(("", "bug", "where", "planted as"), body))
    return "\n".join(parts)


def write_page(rows: Sequence[Row], path: Path = PAGE) -> Path:
    """Write the page; its path."""
    path.write_text(page_text(rows))
    return path
