"""SystemRDL parts that are written from tables: timing registers, address map registers, counters."""

from __future__ import annotations

from collections.abc import Mapping

from hbm_model.csr import MASKS
from hbm_model.emit_sv import COUNTER_BITS, NOTE, ROW_LIMIT_BITS
from hbm_model.params import REGISTERS
from hbm_model.svstructs import Struct


def _rdl_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _field(name: str, width: int, meaning: str, effect: str, *, reset: str = "", preset: str = "") -> str:
    """One field from bit 0: read/write with a reset value, else driven by hardware."""
    access = "sw = rw; hw = r;" if reset else "sw = r; hw = w;"
    named = f' preset_reset = "{preset}";' if preset else ""
    value = f" = {reset}" if reset else ""
    texts = f'desc = "{_rdl_string(meaning)}"; effect = "{effect}";'
    return f"    field {{ {texts} {access}{named} }} {name}[{width - 1}:0]{value};"


def _register(name: str, at: int, title: str, field: str, meaning: str = "") -> list[str]:
    texts = [f'    name = "{_rdl_string(title)}";', *([f'    desc = "{_rdl_string(meaning)}";'] if meaning else [])]
    return ["  reg {", *texts, field, f"  }} {name} @ 0x{at:02x};"]


def _effect(name: str, meaning: str) -> str:
    """How a test sees that a timing register does something."""
    if name in ("rl", "wl"):
        return "data is lost when the device keeps another value"
    if "interval" in meaning:
        return "mean distance of refreshes"
    return "closest pair of commands"


def timing_rdl(timing: Struct, resets: Mapping[str, int]) -> str:
    """One register per timing, in the order of hbm_pkg::timing_t."""
    params = {param.snake: param for param in REGISTERS}
    if set(params) != {member.name for member in timing.members}:
        raise ValueError(f"timing_t and params.py differ in {sorted(set(params) ^ {m.name for m in timing.members})}")
    lines = [f"// {NOTE}", "// Timing registers: the members of hbm_pkg::timing_t, resets of the default preset.", ""]
    lines.append("regfile hbm_csr_timing {")
    for index, member in enumerate(timing.members):
        name = member.name
        param = params[name]
        if param.width != member.width:
            raise ValueError(f"{param.key} has {param.width} bits in params.py and {member.width} in timing_t")
        effect = _effect(name, param.meaning)
        field = _field("ck", member.width, "CK", effect, reset=str(resets[name]), preset=name)
        lines += _register(name, 4 * index, f"{param.jedec}: {param.meaning}", field)
    return "\n".join([*lines, "};", ""])


def map_rdl(resets: Mapping[str, int]) -> str:
    """Row limit and one mask per DRAM address bit."""
    lines = [
        f"// {NOTE}",
        "// Address map registers: hbm_pkg::addr_map_t, resets of the default preset.",
        "",
        "regfile hbm_csr_map {",
    ]
    meaning = (
        "Bit 0 is port address bit 5. DRAM address bits are numbered as in hbm_pkg::dram_addr_t; "
        "a mask beyond them, and mask bits beyond the address, have no effect."
    )
    for bit in range(MASKS):
        reset = f"0x{resets[f'mask{bit}']:x}"
        field = _field("mask", 32, "Mask", "bank, row and column of commands", reset=reset, preset=f"mask{bit}")
        title = f"Port address bits whose XOR is DRAM address bit {bit}"
        lines += _register(f"mask{bit}", 4 * bit, title, field, meaning)
    what = "A burst that touches a row at or above this answers DECERR"
    field = _field("rows", ROW_LIMIT_BITS, what, "DECERR", reset=str(resets["row_limit"]), preset="row_limit")
    lines += _register("row_limit", 4 * MASKS, "Rows per bank that exist", field)
    return "\n".join([*lines, "};", ""])


def counters_rdl(pc: Struct, port: Struct) -> str:
    """Two words per counter: the members of hbm_pkg::events_t per PC and of host_events_t per port."""

    def counter(name: str, meaning: str, at: int) -> list[str]:
        what = "Snapshot of the count"
        low = _field("count", 32, what, "counts")
        high = _field("count", COUNTER_BITS - 32, what, "counts past 2^32")
        return [
            *_register(f"{name}_lo", at, f"{meaning}, bits 31:0", low),
            *_register(f"{name}_hi", at + 4, f"{meaning}, bits {COUNTER_BITS - 1}:32", high),
        ]

    # Without holes: word i of the block is half i & 1 of counter i >> 1. Flat: pyuvm's maps know no deeper nesting.
    lines = [f"// {NOTE}", "// Performance counters: the members of hbm_pkg::events_t and host_events_t.", ""]
    lines += ["regfile hbm_csr_counters {", *counter("cycles", "Controller cycles since reset or clear", 0)]
    at = 8
    for block, struct in (("pc", pc), ("port", port)):
        for number in (0, 1):
            for member in reversed(struct.members):
                title = f"{'PC' if block == 'pc' else 'Port '}{number}: {member.meaning or member.name.upper()}"
                lines += counter(f"{block}{number}_{member.name}", title, at + 8 * member.lsb)
            at += 8 * len(struct.members)
    return "\n".join([*lines, "};", ""])
