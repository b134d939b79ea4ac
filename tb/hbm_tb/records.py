"""Layout of everything that the timed and the untimed side of the bench exchange: the one record of it.

`dtype`s here are what numpy maps; `c_header()` and `sv_package()` print the same layout for C++ and SystemVerilog
(tb/hdl/gen, committed; `python -m hbm_tb.records --write` renews them, `--check` fails when they are stale).
All integers are little-endian. A cycle is one controller clock (2 CK); cycle 0 ends at the first rising clock edge that
sees reset released. Times of commands and errors are in half CK from the start of cycle 0.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

PORTS = 2
DATA_BYTES = 32

# ---------------------------------------------------------------- request side (Python writes, the masters read)

FLAG_ORDERED = 1  # strict trace order: offered when `order` ordered records of the port were accepted, one a cycle
FLAG_AFTER_B = 2  # offered only when no write of the port waits for its B (AW accepted or not, B not)
FLAG_AFTER_R = 4  # offered only when no read of the port waits for data

AX = np.dtype(
    [
        ("addr", "<u8"),
        ("at", "<u8"),  # VALID is not raised before this cycle (0: no limit)
        ("order", "<u4"),  # number of this record among the ordered ones of its port: 0, 1, 2 ... over AR and AW
        ("gap", "<u4"),  # cycles that the channel idles after the previous acceptance
        ("id", "<u2"),
        ("len", "u1"),
        ("size", "u1"),
        ("burst", "u1"),
        ("lock", "u1"),
        ("qos", "u1"),
        ("flags", "u1"),
    ]
)

W = np.dtype(
    [
        ("data", "u1", (DATA_BYTES,)),
        ("strb", "<u4"),
        ("gap", "<u4"),
        ("last", "u1"),
        ("flags", "u1"),  # FLAG_ORDERED: not before its AW is offered; together with it when both can be
        ("pad", "u1", (6,)),
    ]
)

APB_REQ = np.dtype(
    [
        ("at", "<u8"),  # PSEL is not raised before this cycle
        ("addr", "<u4"),
        ("data", "<u4"),
        ("write", "u1"),
        ("strb", "u1"),
        ("pad", "u1", (6,)),
    ]
)

# ---------------------------------------------------------------- response side (the timed side writes, Python reads)

R = np.dtype(
    [
        ("cycle", "<u8"),
        ("id", "<u2"),
        ("resp", "u1"),
        ("last", "u1"),
        ("pad", "u1", (4,)),
        ("data", "u1", (DATA_BYTES,)),
    ]
)

B = np.dtype([("cycle", "<u8"), ("id", "<u2"), ("resp", "u1"), ("pad", "u1", (5,))])

ACC_AR, ACC_AW, ACC_W = 0, 1, 2

# A request handshake. `wait`: cycles that VALID was up before; VALID rose in cycle - wait.
ACC = np.dtype([("cycle", "<u8"), ("wait", "<u4"), ("kind", "u1"), ("last", "u1"), ("id", "<u2")])

APB_RSP = np.dtype([("cycle", "<u8"), ("data", "<u4"), ("slverr", "u1"), ("write", "u1"), ("pad", "u1", (2,))])

# A command as seen on the pins. `time`: half CK of the first edge; `cmd` = hbm_pkg::cmd_e; MRS: row = MA << 8 | OP.
# Fields that the command does not carry are 0.
CMD = np.dtype(
    [
        ("time", "<u8"),
        ("cmd", "u1"),
        ("pc", "u1"),
        ("sid", "u1"),
        ("bg", "u1"),
        ("bank", "u1"),
        ("col", "u1"),
        ("row", "<u2"),
    ]
)

ERR = np.dtype([("time", "<u8"), ("code", "<u4"), ("a", "<u4"), ("b", "<u8")])

# What else the channel gets from outside, for a model that must repeat the run: changes only. `cycle`: the first one in
# which it holds (register write: the cycle of the APB handshake). RESET and the state at reset come first, in cycle 0.
EV_RESET = 0  # reset was released; the event ring starts with it
EV_REGISTER = 1  # register write; a: byte address; b: data | PSTRB << 32 | PSLVERR << 36
EV_TEMP = 2  # b: TEMP[2:0] pins
EV_READY = 3  # a: port * 2 + channel (0 R, 1 B); b: probability of READY in 1/256
EV_SEED = 4  # b: ready_seed

EV = np.dtype([("cycle", "<u8"), ("kind", "<u4"), ("a", "<u4"), ("b", "<u8")])


@dataclass(frozen=True)
class RingSpec:
    """One ring: who writes it, its record, its capacity in records (a power of two)."""

    name: str
    record: str
    capacity: int
    to_device: bool


RECORDS: dict[str, np.dtype[np.void]] = {
    "ax": AX, "w": W, "r": R, "b": B, "acc": ACC, "apb_req": APB_REQ, "apb_rsp": APB_RSP, "cmd": CMD, "err": ERR,
    "ev": EV,
}  # fmt: skip

# 2^13 records hold eight batches of 1024 cycles at one record a cycle.
RINGS: tuple[RingSpec, ...] = tuple(
    RingSpec(f"{name}{port}", record, capacity, to_device)
    for name, record, capacity, to_device in (
        ("ar", "ax", 1 << 13, True),
        ("aw", "ax", 1 << 13, True),
        ("w", "w", 1 << 13, True),
        ("r", "r", 1 << 13, False),
        ("b", "b", 1 << 13, False),
        ("acc", "acc", 1 << 15, False),
    )
    for port in range(PORTS)
) + (
    RingSpec("cmd", "cmd", 1 << 15, False),
    RingSpec("err", "err", 1 << 12, False),
    RingSpec("apb_req", "apb_req", 1 << 10, True),
    RingSpec("apb_rsp", "apb_rsp", 1 << 10, False),
    RingSpec("ev", "ev", 1 << 12, False),
)

RING_INDEX: dict[str, int] = {spec.name: index for index, spec in enumerate(RINGS)}

# Head of each ring in hx_rings[]. wr and rd run freely; the record of count n stands at n % capacity.
RING_HEAD = np.dtype([("data", "<u8"), ("record_size", "<u8"), ("capacity", "<u8"), ("wr", "<u8"), ("rd", "<u8")])

READY_ALWAYS = 256

# ---------------------------------------------------------------- control block (hx_ctl): one u64 a word

CTL = np.dtype(
    [
        # Written by Python.
        ("seed", "<u8"),  # of unwritten memory
        ("ready_seed", "<u8"),  # of the back-pressure pattern
        ("ready_r", "<u8", (PORTS,)),  # probability of RREADY in 1/256 per cycle; 256: always
        ("ready_b", "<u8", (PORTS,)),
        ("hold", "<u8"),  # bit p: port p raises no new VALID (what is up stays up)
        ("temp", "<u8"),  # TEMP[2:0] pins
        ("alert", "<u8"),  # error pins that the device drives: bit 0 AERR, bits 2:1 DERR of PC 1 and 0
        ("watchdog", "<u8"),  # cycles without progress while work is pending that end in an error; 0: off
        ("expect_rl", "<u8"),  # CK; the device reports another programmed RL (0: no check)
        ("expect_wl", "<u8"),
        ("fault", "<u8"),  # Fault, planted on purpose; 0: none
        ("fault_at", "<u8"),  # number of the event, from 0, at which it strikes
        ("fault_arg", "<u8"),
        ("reset", "<u8"),  # cycles that reset is held from the next clock edge on; falls to 0; cycle 0 starts again
        ("record_acc", "<u8"),  # 0: handshakes are not recorded
        # Written by the timed side.
        ("cycle", "<u8"),  # number of cycles since reset release
        ("errors", "<u8"),  # error records written or lost; a run with one fails
        ("lost", "<u8"),  # records lost for a full ring; a run with one fails
        ("fault_hits", "<u8"),  # how often the planted fault struck
        ("ordered_done", "<u8", (PORTS,)),  # ordered records accepted
        ("reads_open", "<u8", (PORTS,)),  # bursts accepted whose last beat has not come
        ("writes_open", "<u8", (PORTS,)),  # AWs accepted whose B has not come
        ("ar_count", "<u8", (PORTS,)),  # handshakes, and beats, since reset
        ("aw_count", "<u8", (PORTS,)),
        ("w_count", "<u8", (PORTS,)),
        ("r_count", "<u8", (PORTS,)),
        ("b_count", "<u8", (PORTS,)),
        # VALID that stands unaccepted, at port * 3 + ACC_AR, ACC_AW or ACC_W: 1 + the cycle in which it rose; 0: none.
        ("valid_since", "<u8", (PORTS * 3,)),
        ("cmd_count", "<u8"),
        ("dev_reads", "<u8"),  # column reads and writes that the device carried out
        ("dev_writes", "<u8"),
        ("dev_rl", "<u8"),  # CK, as programmed; 0: not yet
        ("dev_wl", "<u8"),
        ("last_progress", "<u8"),  # cycle of the last handshake, response or column command
        ("irq", "<u8"),
        ("in_reset", "<u8"),
    ]
)


class Err(IntEnum):
    """Codes of error records. `a` and `b` are explained per code in ERR_TEXT."""

    NONE = 0
    RING_FULL = 1
    WATCHDOG = 2
    PARITY_ROW = 3
    PARITY_COL = 4
    UNKNOWN_ROW = 5
    UNKNOWN_COL = 6
    CMD_IN_RESET = 7
    INIT_ORDER = 8
    ACT_OPEN_BANK = 9
    COL_CLOSED_BANK = 10
    REF_OPEN_BANK = 11
    MRS_OPEN_BANK = 12
    LATENCY_UNSET = 13
    RL_MISMATCH = 14
    WL_MISMATCH = 15
    WRITE_NO_DATA = 16
    WRITE_SURPLUS_DATA = 17
    DATA_COLLISION = 18
    POWER_DOWN = 19
    ROW_RANGE = 20
    R_SURPLUS = 21
    B_SURPLUS = 22
    R_LAST = 23
    HANDSHAKE = 24
    APB_TIMEOUT = 25
    MASK_WITHOUT_PINS = 26
    COL_SLOT = 27
    LATENCY_SHORT = 28


ERR_TEXT: dict[Err, str] = {
    Err.NONE: "no error",
    Err.RING_FULL: "ring {a} is full, records are lost",
    Err.WATCHDOG: "no progress for {b} cycles; waiting for {wait}",
    Err.PARITY_ROW: "odd parity on the row pins, edge {a}, word {b:#x}",
    Err.PARITY_COL: "odd parity on the column pins, edge {a}, word {b:#x}",
    Err.UNKNOWN_ROW: "undefined row command, word {b:#x}",
    Err.UNKNOWN_COL: "undefined column command, word {b:#x}",
    Err.CMD_IN_RESET: "a command while reset, CK or CKE forbids it (state {a}), word {b:#x}",
    Err.INIT_ORDER: "initialisation out of order (step {a})",
    Err.ACT_OPEN_BANK: "ACT to an open bank (PC {pc}, bank {bank})",
    Err.COL_CLOSED_BANK: "column command to a closed bank (PC {pc}, bank {bank})",
    Err.REF_OPEN_BANK: "refresh of an open bank (PC {pc}, bank {bank})",
    Err.MRS_OPEN_BANK: "MRS with an open bank (PC {pc}, bank {bank})",
    Err.LATENCY_UNSET: "column command before RL or WL was programmed",
    Err.RL_MISMATCH: "programmed RL is {a}, the test expects {b}",
    Err.WL_MISMATCH: "programmed WL is {a}, the test expects {b}",
    Err.WRITE_NO_DATA: "write data is due and the lanes are not driven (PC {a})",
    Err.WRITE_SURPLUS_DATA: "data lanes driven when no write data is due (PC {a})",
    Err.DATA_COLLISION: "two bursts meet on the data lanes (PC {a})",
    Err.POWER_DOWN: "illegal command at a CKE or power-down edge, word {b:#x}",
    Err.ROW_RANGE: "ACT to a row that the device does not have ({b})",
    Err.R_SURPLUS: "R beat without an open read (port {a}, id {b})",
    Err.B_SURPLUS: "B without an open write (port {a}, id {b})",
    Err.R_LAST: "RLAST does not end the burst (port {a}, id {b})",
    Err.HANDSHAKE: "valid fell or payload changed before ready (port {a}, channel {b})",
    Err.APB_TIMEOUT: "APB access without PREADY for {b} cycles (address {a:#x})",
    Err.MASK_WITHOUT_PINS: "mask pins driven by a device that has none (PC {a})",
    Err.COL_SLOT: "column commands of PC {a} less than 2 CK apart",
    Err.LATENCY_SHORT: "programmed RL {a} or WL {b} is below the device model's minimum of 4",
}

# Bits of `a` of a WATCHDOG error, lowest first.
WAIT_TEXT: tuple[str, ...] = tuple(
    f"{what} of port {port}" for port in range(PORTS) for what in ("ARREADY", "AWREADY", "WREADY", "R", "B")
) + ("PREADY",)


class Fault(IntEnum):
    """Planted misbehaviour of the timed side, for tests of the bench. Events are counted from 0 after reset."""

    NONE = 0
    DATA_BYTE = 1  # R beat number fault_at: byte fault_arg is inverted
    DROP_RESPONSE = 2  # the last R beat number fault_at (fault_arg 0) or the B number fault_at (1) is lost
    DUPLICATE_RESPONSE = 3  # the same beat or B arrives twice
    SWAP_RESPONSES = 4  # the single-beat R number fault_at arrives after the next one of its id
    STUCK_READY = 5  # from handshake fault_at on: ARREADY (arg 0), AWREADY (1), WREADY (2) stays low
    LANE_POISON = 6  # read burst number fault_at: one lane carries noise
    ADDRESS_SWAP = 7  # from column read fault_at on the device exchanges column bits 0 and 1
    EARLY_COMMAND = 8  # recorded command number fault_at appears fault_arg (default 1) CK earlier
    PARITY_FLIP = 9  # command word number fault_at reaches the device with one bit inverted
    READY_PAUSE = 10  # handshake fault_at of AR, AW or W (fault_arg & 3) comes fault_arg >> 8 cycles late, READY low


# ---------------------------------------------------------------- generated copies

_C_TYPES = {"<u8": "uint64_t", "<u4": "uint32_t", "<u2": "uint16_t", "|u1": "uint8_t"}


def _c_struct(name: str, dtype: np.dtype[np.void]) -> list[str]:
    """C struct of a dtype, with one static_assert per field offset."""
    lines = [f"struct {name} {{"]
    asserts = [f"static_assert(sizeof({name}) == {dtype.itemsize});"]
    assert dtype.fields is not None
    for field in dtype.names or ():
        sub = dtype.fields[field][0]
        base = sub.base.str
        suffix = f"[{sub.shape[0]}]" if sub.shape else ""
        lines.append(f"  {_C_TYPES[base]} {field}{suffix};")
        asserts.append(f"static_assert(offsetof({name}, {field}) == {dtype.fields[field][1]});")
    return [*lines, "};", *asserts, ""]


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def layout_text() -> str:
    """Canonical text of all layouts; its CRC is the ABI word that both sides compare at attach."""
    parts = [f"{name}:{dtype.descr}" for name, dtype in {**RECORDS, "ctl": CTL, "head": RING_HEAD}.items()]
    parts += [f"{spec}" for spec in RINGS] + [f"{e.name}={e.value}" for e in (*Err, *Fault)]
    return "\n".join(parts)


def abi() -> int:
    """CRC-32 of the layout."""
    return zlib.crc32(layout_text().encode())


def c_header() -> str:
    """Text of tb/hdl/gen/hx_records.h."""
    out = [
        "// Generated by `make gen` from tb/hbm_tb/records.py; do not edit.",
        "// Layout of the records that the timed and the untimed side exchange.",
        "#pragma once",
        "#include <cstddef>",
        "#include <cstdint>",
        "",
        f"constexpr uint64_t HX_ABI = 0x{abi():08x};",
        f"constexpr unsigned HX_PORTS = {PORTS};",
        f"constexpr uint64_t HX_READY_ALWAYS = {READY_ALWAYS};",
        f"constexpr uint8_t HX_FLAG_ORDERED = {FLAG_ORDERED}, HX_FLAG_AFTER_B = {FLAG_AFTER_B}, "
        f"HX_FLAG_AFTER_R = {FLAG_AFTER_R};",
        f"constexpr uint8_t HX_ACC_AR = {ACC_AR}, HX_ACC_AW = {ACC_AW}, HX_ACC_W = {ACC_W};",
        f"constexpr uint32_t HX_EV_RESET = {EV_RESET}, HX_EV_REGISTER = {EV_REGISTER}, HX_EV_TEMP = {EV_TEMP}, "
        f"HX_EV_READY = {EV_READY}, HX_EV_SEED = {EV_SEED};",
        "",
    ]
    for name, dtype in RECORDS.items():
        out += _c_struct(f"hx_{name}_rec", dtype)
    out += _c_struct("hx_ctl_block", CTL)
    out += _c_struct("hx_ring_head", RING_HEAD)
    out += ["enum hx_ring_index : unsigned {"]
    out += [f"  HX_RING_{spec.name.upper()} = {index}," for index, spec in enumerate(RINGS)]
    out += [f"  HX_RINGS = {len(RINGS)}", "};", "// X(name, record, capacity)", "#define HX_FOR_EACH_RING(X) \\"]
    out += [f"  X({spec.name}, hx_{spec.record}_rec, {spec.capacity}) \\" for spec in RINGS]
    out += ["", "enum hx_err_code : uint32_t {"]
    out += [f"  HX_ERR_{e.name} = {e.value}," for e in Err]
    out += ["};", "enum hx_fault_kind : uint64_t {"]
    out += [f"  HX_FAULT_{f.name} = {f.value}," for f in Fault]
    out += ["};", ""]
    return "\n".join(out)


def sv_package() -> str:
    """Text of tb/hdl/gen/hx_codes_pkg.sv."""
    out = [
        "// Generated by `make gen` from tb/hbm_tb/records.py; do not edit.",
        "// Error and fault codes of the bench.",
        "",
        "package hx_codes_pkg;",
        "",
    ]
    out += [f"  localparam int unsigned Err{_camel(e.name)} = {e.value};" for e in Err] + [""]
    out += [f"  localparam int unsigned Fault{_camel(f.name)} = {f.value};" for f in Fault]
    out += ["", "endpackage", ""]
    return "\n".join(out)


def generated_files(root: Path) -> dict[Path, str]:
    """Path and text of each generated copy below the repository `root`."""
    gen = root / "tb" / "hdl" / "gen"
    return {gen / "hx_records.h": c_header(), gen / "hx_codes_pkg.sv": sv_package()}


def describe_error(record: np.void) -> str:
    """One line for an error record: time in CK and the text of its code."""
    code, a, b = int(record["code"]), int(record["a"]), int(record["b"])
    wait = ", ".join(text for bit, text in enumerate(WAIT_TEXT) if a >> bit & 1) or "a response"
    names: dict[str, object] = {"a": a, "b": b, "pc": a >> 8, "bank": a & 255, "wait": wait}
    if code == Err.RING_FULL:
        names["a"] = RINGS[a].name
    text = ERR_TEXT[Err(code)].format(**names) if code in set(Err) else f"error {code}, a {a:#x}, b {b:#x}"
    return f"CK {int(record['time']) / 2:g}: {text}"


def main(argv: list[str] | None = None) -> int:
    """Write or check the generated copies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true")
    group.add_argument("--check", action="store_true")
    args = parser.parse_args(argv)
    stale = 0
    for path, text in generated_files(Path(__file__).resolve().parents[2]).items():
        if args.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is stale: run make gen", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
