"""The performance counters (M9) as the bench reads them: a snapshot, what must hold among the counts, and the exact
model's counts of the same cycles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hbm_model.counters import CAUSES, LATENCIES
from hbm_model.csr_table import REGISTERS

from hbm_tb.link import Registers

PREFIX: Final = "counters."
# Names without `counters.` and `_lo`, in the order of their addresses.
COUNTERS: Final = tuple(
    register.path.removeprefix(PREFIX).removesuffix("_lo")
    for register in REGISTERS
    if register.path.startswith(PREFIX) and register.path.endswith("_lo")
)
UNITS: Final = (0, 1)  # PCs and ports have the same numbers

assert all(f"pc{n}_{name}" in COUNTERS for n in UNITS for name in CAUSES)
assert all(f"port{n}_lat_{name}" in COUNTERS for n in UNITS for name in LATENCIES)


async def take_snapshot(registers: Registers) -> dict[str, int]:
    """All counters, copied in one cycle, then read one by one."""
    await registers.pulse("ctrl.snapshot")
    return await read_snapshot(registers)


async def read_snapshot(registers: Registers) -> dict[str, int]:
    """All counters of the last snapshot, 48 bits each."""
    low = await registers.read_many([f"{PREFIX}{name}_lo" for name in COUNTERS])
    high = await registers.read_many([f"{PREFIX}{name}_hi" for name in COUNTERS])
    return {name: below | above << 32 for name, below, above in zip(COUNTERS, low, high, strict=True)}


def contradictions(counts: Mapping[str, int], idle: bool) -> list[str]:
    """What cannot be in the counts of one interval, one line each; `idle`: nothing was under way at its borders."""
    found = []
    for n in UNITS:
        causes = {name: counts[f"pc{n}_{name}"] for name in CAUSES}
        if sum(causes.values()) != counts["cycles"]:
            text = " + ".join(f"{name} {count}" for name, count in causes.items())
            found.append(f"PC {n}: {text} = {sum(causes.values())}, but cycles is {counts['cycles']} (M9.3)")
        pc = {name: counts[f"pc{n}_{name}"] for name in ("rd", "wr", "row_hit", "row_closed", "row_conflict")}
        if causes["busy"] != pc["rd"] + pc["wr"]:
            found.append(f"PC {n}: busy {causes['busy']} is not rd {pc['rd']} + wr {pc['wr']} (M9.3)")
        if pc["row_hit"] + pc["row_closed"] + pc["row_conflict"] != pc["rd"] + pc["wr"]:
            found.append(f"PC {n}: row_hit, row_closed and row_conflict do not add up to rd + wr: {pc} (M9.1)")
        if idle:
            reads = sum(counts[f"port{n}_lat_{name}"] for name in LATENCIES)
            asked, forwarded = counts[f"pc{n}_rd_req"], counts[f"pc{n}_forward"]
            if reads != asked:
                found.append(f"port {n}: {reads} reads in the latency classes, rd_req is {asked} (M9.4)")
            if pc["rd"] != asked - forwarded + counts[f"pc{n}_rmw"]:
                found.append(f"PC {n}: rd {pc['rd']} is not rd_req {asked} - forward {forwarded} + rmw (M9.1)")
            if pc["wr"] != counts[f"pc{n}_wr_req"]:
                found.append(f"PC {n}: wr {pc['wr']} is not wr_req {counts[f'pc{n}_wr_req']} (M9.1)")
    return found


def differences(seen: Mapping[str, int], foreseen: Mapping[str, int]) -> list[str]:
    """Counters in which the channel and the exact model differ, one line each."""
    missing = [name for name in COUNTERS if name not in foreseen]
    if missing:
        return [f"the exact model has no counter {', '.join(missing)}"]
    return [
        f"counters.{name}: {seen[name]:,} in the registers, {foreseen[name]:,} in the exact model"
        for name in COUNTERS
        if seen[name] != foreseen[name]
    ]
