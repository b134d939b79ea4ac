"""SystemRDL parts that are written from tables: timing registers, address map registers, counters."""

from __future__ import annotations

from collections.abc import Mapping

from hbm_model.csr import MASKS
from hbm_model.emit_sv import COUNTER_BITS, NOTE, ROW_LIMIT_BITS
from hbm_model.params import REGISTERS
from hbm_model.svstructs import Struct

def _rdl_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


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
        lines += [
            "  reg {",
            f'    name = "{param.jedec}: {_rdl_string(param.meaning)}";',
            "    default sw = rw;",
            "    default hw = r;",
            f'    field {{ desc = "CK"; preset_reset = "{name}"; effect = "{effect}"; }} ck[{member.width - 1}:0] = {resets[name]};',
            f"  }} {name} @ 0x{4 * index:02x};",
        ]
    return "\n".join([*lines, "};", ""])


def map_rdl(resets: Mapping[str, int]) -> str:
    """Row limit and one mask per DRAM address bit."""
    lines = [
        f"// {NOTE}",
        "// Address map registers: hbm_pkg::addr_map_t, resets of the default preset.",
        "",
        "regfile hbm_csr_map {",
    ]
    for bit in range(MASKS):
        lines += [
            "  reg {",
            f'    name = "Port address bits whose XOR is DRAM address bit {bit}";',
            '    desc = "Bit 0 is port address bit 5. DRAM address bits are numbered as in hbm_pkg::dram_addr_t; a mask beyond them, '
            'and mask bits beyond the address, have no effect.";',
            f'    field {{ desc = "Mask"; sw = rw; hw = r; preset_reset = "mask{bit}"; effect = "bank, row and column of commands"; }} '
            f"mask[31:0] = 0x{resets[f'mask{bit}']:x};",
            f"  }} mask{bit} @ 0x{4 * bit:02x};",
        ]
    lines += [
        "  reg {",
        '    name = "Rows per bank that exist";',
        '    field { desc = "A burst that touches a row at or above this answers DECERR"; sw = rw; hw = r; preset_reset = "row_limit"; '
        f'effect = "DECERR"; }} rows[{ROW_LIMIT_BITS - 1}:0] = {resets["row_limit"]};',
        f"  }} row_limit @ 0x{4 * MASKS:02x};",
    ]
    return "\n".join([*lines, "};", ""])


def counters_rdl(pc: Struct, port: Struct) -> str:
    """Two words per counter: the members of hbm_pkg::events_t per PC and of host_events_t per port."""

    def counter(name: str, meaning: str, at: int) -> list[str]:
        top = COUNTER_BITS - 33
        return [
            f'  reg {{ name = "{_rdl_string(meaning)}, bits 31:0"; field {{ desc = "Snapshot of the count"; sw = r; hw = w; effect = "counts"; }} '
            f"count[31:0]; }} {name}_lo @ 0x{at:03x};",
            f'  reg {{ name = "{_rdl_string(meaning)}, bits {COUNTER_BITS - 1}:32"; field {{ desc = "Snapshot of the count"; sw = r; hw = w; '
            f'effect = "counts past 2^32"; }} count[{top}:0]; }} {name}_hi @ 0x{at + 4:03x};',
        ]

    def block(name: str, struct: Struct) -> list[str]:
        out = [f"regfile {name} {{"]
        for member in reversed(struct.members):
            out += counter(member.name, member.meaning or member.name.upper(), 8 * member.lsb)
        return [*out, "};", ""]

    lines = [f"// {NOTE}", "// Performance counters: the members of hbm_pkg::events_t and host_events_t.", ""]
    lines += block("hbm_csr_pc_counters", pc) + block("hbm_csr_port_counters", port)
    # Without holes: word i of the block is half i & 1 of counter i >> 1.
    pc_at, pc_size = 8, 8 * len(pc.members)
    port_at, port_size = pc_at + 2 * pc_size, 8 * len(port.members)
    lines += ["regfile hbm_csr_counters {", *counter("cycles", "Controller cycles since reset or clear", 0)]
    lines += [
        f"  hbm_csr_pc_counters pc[2] @ 0x{pc_at:03x} += 0x{pc_size:02x};",
        f"  hbm_csr_port_counters port[2] @ 0x{port_at:03x} += 0x{port_size:02x};",
        "};",
        "",
    ]
    return "\n".join(lines)
