"""Block tests of the HBM device and the command recorder of the timed side (bench: blk_device).

The pins are driven directly, with words from the model's encoder: the device must decode them, keep RL and WL to the
CK, and complain about everything that a controller may do wrong at the pins.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from hbm_model.commands import Cmd
from hbm_model.encoding import Command, encoding
from hbm_tb import records
from hbm_tb.records import Err
from hbm_tb.rings import Rings

# MR2 of HBM2 is 0x96 for RL 20 and WL 7 (value that DRAM Bender writes).
RL, WL = 20, 7
SEED = 0x1234_5678_9ABC
GOLDEN = 0x9E3779B97F4A7C15
WORD = (1 << 64) - 1


def block(dut: Any) -> Any:
    """The wrapper, whether it is the top or one of several in tb_blocks."""
    return getattr(dut, "u_device", dut)


def unwritten(pc: int, ba: int, row: int, col: int, ba_bits: int) -> bytes:
    """32 bytes that were never written, in plain integers (docs/bench.md)."""
    bank, bg = ba & ((1 << ba_bits) - 1), ba >> ba_bits
    out = b""
    for w in range(4):
        k = col | w << 6 | bank << 8 | bg << 12 | pc << 20 | row << 24
        x = (SEED + GOLDEN * (k + 1)) & WORD
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & WORD
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & WORD
        out += (x ^ x >> 31).to_bytes(8, "little")
    return out


class Pins:
    """Drives one cycle of pin words at a time and keeps the errors that the device reported."""

    def __init__(self, dut: Any) -> None:
        self.blk = block(dut)
        self.clk = dut.clk
        self.rings = Rings.attach()
        self.hbm2 = len(self.blk.row_drv) // 4 < 10
        self.code = encoding(2 if self.hbm2 else 3, len(self.blk.row_drv) // 4)
        self.ba_bits = 2
        self.errors: list[np.void] = []

    async def begin(self, live: bool = True) -> None:
        """Reset of the bench; `live`: power-up and mode registers too."""
        blk = self.blk
        self.rings.ctl["seed"] = SEED
        self.rings.ctl["fault"] = self.rings.ctl["watchdog"] = 0
        self.rings.ctl["expect_rl"] = self.rings.ctl["expect_wl"] = 0
        self.rings.clear_memory()
        blk.rst_drv.value = 1
        self.pins(down=True)
        blk.ck_en_drv.value = 0
        blk.reset_n_drv.value = 0
        for _ in range(2):
            await FallingEdge(self.clk)
        blk.rst_drv.value = 0
        self.rings.forget()
        self.errors = []
        if live:
            await self.power_up()
            await self.mode_registers()
            assert not self.take_errors(), self.texts()

    async def power_up(self, clocks: int = 6) -> None:
        """RESET_n low, high, CK on, power-down left."""
        for _ in range(3):
            await self.step(down=True)
        self.blk.reset_n_drv.value = 1
        for _ in range(3):
            await self.step(down=True)
        self.blk.ck_en_drv.value = 1
        for _ in range(clocks):
            await self.step(down=True)
        await self.step()

    async def mode_registers(self) -> None:
        """RL and WL."""
        values = [(2, (RL - 2) << 3 | (WL - 1)), (4, 0)] if self.hbm2 else [(1, WL), (2, RL)]
        for ma, op in values:
            await self.step(columns=(Command("MRS", ma=ma, op=op), None))
            await self.step()

    def pins(self, down: bool = False, words: Any = None, **commands: Any) -> None:
        """Set the command pins of this cycle."""
        words = words or self.code.cycle(power_down=down, **commands)
        row_bits, col_bits = len(self.blk.row_drv) // 4, len(self.blk.col_drv) // 4
        self.blk.row_drv.value = sum(word << row_bits * i for i, word in enumerate(words.row))
        self.blk.col_drv.value = sum(word << col_bits * i for i, word in enumerate(words.col))
        self.blk.apar_drv.value = sum(bit << i for i, bit in enumerate(words.apar))
        self.blk.cke_drv.value = 0 if down else 3

    async def step(
        self, down: bool = False, oe: int = 0, dq: int = 0, dm: int = 0, words: Any = None, **commands: Any
    ) -> int:
        """One cycle with these pins; its number."""
        self.pins(down, words, **commands)
        self.blk.oe_drv.value, self.blk.dq_drv.value, self.blk.dm_drv.value = oe, dq, dm
        cycle = int(self.blk.cycle.value)
        await FallingEdge(self.clk)
        self.errors += list(self.rings.pop_err())
        return cycle

    async def idle(self, count: int) -> None:
        """Cycles with nothing on the buses."""
        for _ in range(count):
            await self.step()

    def lane(self, pc: int, phase: int) -> bytes:
        """What the read lanes of a PC carry in a phase of the present cycle."""
        return (int(self.blk.read_dq.value) >> 128 * (2 * pc + phase) & (1 << 128) - 1).to_bytes(16, "little")

    def take_errors(self) -> list[Err]:
        """Codes since the last call."""
        self.seen = self.errors
        self.errors = []
        return [Err(int(error["code"])) for error in self.seen]

    def texts(self) -> list[str]:
        """Lines of the errors last taken."""
        return [records.describe_error(error) for error in self.seen]

    async def read(self, pc: int, ba: int, col: int) -> bytes:
        """RD in its slot; the 32 bytes of the CKs that RL names, which must differ in the CK before and after."""
        commands: list[Command | None] = [None, None]
        commands[pc] = Command("RD", pc=pc, ba=ba, col=col)
        first = 2 * await self.step(columns=tuple(commands)) + pc + RL
        lanes = {}
        while int(self.blk.cycle.value) <= (first + 2) // 2:
            for phase in (0, 1):
                lanes[2 * int(self.blk.cycle.value) + phase] = self.lane(pc, phase)
            await self.step()
        data = lanes[first] + lanes[first + 1]
        assert lanes[first - 1] != data[:16] and lanes[first + 2] != data[16:], "data stand longer than two CK"
        return data

    async def write(
        self, pc: int, ba: int, col: int, data: bytes, mask: int = 0, late: int = 0, drive: int = 3
    ) -> None:
        """WR in its slot, its data `late` CK after WL; bits of `drive`: halves that are driven at all."""
        commands: list[Command | None] = [None, None]
        commands[pc] = Command("WR", pc=pc, ba=ba, col=col)
        first = 2 * await self.step(columns=tuple(commands)) + pc + WL + late
        while (cycle := int(self.blk.cycle.value)) <= (first + 2) // 2:
            oe = dq = dm = 0
            for half in (0, 1):
                if (first + half) // 2 == cycle and drive >> half & 1:
                    lane = 2 * pc + (first + half) % 2
                    oe |= 1 << lane
                    dq |= int.from_bytes(data[16 * half : 16 * half + 16], "little") << 128 * lane
                    dm |= (mask >> 16 * half & 0xFFFF) << 16 * lane
            await self.step(oe=oe, dq=dq, dm=dm)

    async def act(self, pc: int, ba: int, row: int) -> None:
        """ACT, and the cycle after it."""
        await self.step(act=Command("ACT", pc=pc, ba=ba, row=row))
        await self.step()


def slots(command: Command, second: bool) -> dict[str, Any]:
    """Arguments of `step` for a command in the first or second half of a cycle."""
    pair = (None, command) if second else (command, None)
    if command.name == "ACT":
        return {"act": command}
    return {"columns" if command.name in ("RD", "RDA", "WR", "WRA", "MRS") else "slots": pair}


@cocotb.test()
async def every_command_is_decoded_and_recorded(dut: Any) -> None:
    """Random fields of every command come back from the pins, with the time of the first edge."""
    bench = Pins(dut)
    await bench.begin()
    bench.rings.forget()
    rng = random.Random(cocotb.RANDOM_SEED)
    names = ["ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REF", "REFSB", "MRS"]
    names += [] if bench.hbm2 else ["RFM", "RFMSB"]
    expected = []
    for _ in range(400):
        name, second = rng.choice(names), rng.random() < 0.5
        carries = {
            "pc": name != "MRS",
            "ba": name not in ("PREA", "REF", "RFM", "MRS"),
            "row": name == "ACT",
            "col": name in ("RD", "RDA", "WR", "WRA"),
            "ma": name == "MRS",
            "op": name == "MRS",
        }
        bits = {"pc": 1, "ba": 4, "row": 14, "col": 5, "ma": 4, "op": 8}
        fields = {key: rng.getrandbits(bits[key]) if used else 0 for key, used in carries.items()}
        second = second and name != "ACT"
        cycle = await bench.step(**slots(Command(name, **fields), second))
        falling = not bench.hbm2 and name in ("PRE", "PREA")
        row = fields["ma"] << 8 | fields["op"] if name == "MRS" else fields["row"]
        kind = int(Cmd[name])
        time = 4 * cycle + 2 * second + falling
        expected.append((time, kind, fields["pc"], fields["ba"] >> 2, fields["ba"] & 3, fields["col"], row))
    await bench.idle(4)
    got = bench.rings.pop_cmd()
    columns = ("time", "cmd", "pc", "bg", "bank", "col", "row")
    assert [tuple(int(entry[c]) for c in columns) for entry in got] == expected
    bench.take_errors()


@cocotb.test()
async def reads_return_data_at_rl(dut: Any) -> None:
    """Both PCs, in the two CK that RL names and in no other; never written bytes are their hash."""
    bench = Pins(dut)
    await bench.begin()
    for pc, ba, row, col in ((0, 0, 0, 0), (1, 5, 77, 31), (0, 15, 16383, 9), (1, 10, 4096, 1)):
        await bench.act(pc, ba, row)
        data = await bench.read(pc, ba, col)
        assert data == unwritten(pc, ba, row, col, bench.ba_bits)
        assert data == bench.rings.dump(pc, ba, row, col, 32)
    assert not bench.take_errors(), bench.texts()


@cocotb.test()
async def writes_take_data_at_wl(dut: Any) -> None:
    """Both PCs; masked bytes keep their value where the generation has mask pins."""
    bench = Pins(dut)
    await bench.begin()
    rng = random.Random(cocotb.RANDOM_SEED)
    for pc, ba, row, col in ((0, 3, 5, 30), (1, 12, 900, 2)):
        await bench.act(pc, ba, row)
        data = rng.randbytes(32)
        await bench.write(pc, ba, col, data)
        assert await bench.read(pc, ba, col) == data
        if bench.hbm2:
            mask, other = rng.getrandbits(32), rng.randbytes(32)
            await bench.write(pc, ba, col, other, mask)
            want = bytes(data[i] if mask >> i & 1 else other[i] for i in range(32))
            assert await bench.read(pc, ba, col) == want
            await bench.write(pc, ba, col ^ 1, other, mask)
            base = unwritten(pc, ba, row, col ^ 1, bench.ba_bits)
            want = bytes(base[i] if mask >> i & 1 else other[i] for i in range(32))
            assert await bench.read(pc, ba, col ^ 1) == want
    assert not bench.take_errors(), bench.texts()


Provocation = Callable[[Pins], Awaitable[object]]


async def _two_reads_apart(bench: Pins, distance: int) -> None:
    await bench.act(0, 0, 0)
    await bench.step(columns=(Command("RD", ba=0), Command("RD", ba=0) if distance == 1 else None))


async def _read_meets_write(bench: Pins) -> None:
    """WR data at t + 7, RD data at t' + 20: they meet when RD comes 13 CK before WR, here 14 after rounding."""
    await bench.act(0, 0, 0)
    first = await bench.step(columns=(Command("RD", ba=0), None))
    while int(bench.blk.cycle.value) < first + (RL - WL) // 2:
        await bench.step()
    await bench.step(columns=(Command("WR", ba=0), None))
    await bench.idle(8)


async def _flip(bench: Pins, bus: str) -> None:
    words = bench.code.cycle(slots=(Command("PRE", ba=3), None), columns=(None, None))
    await bench.step(words=words.flipped(bus, 1, len(getattr(bench.blk, f"{bus}_drv")) // 4 - 1))


async def _undefined(bench: Pins, bus: str, code: int) -> None:
    """An opcode that no command has, with even parity everywhere."""
    words = bench.code.cycle()
    parts = {"row": list(words.row), "col": list(words.col)}
    parts[bus][0] = code
    apar = list(words.apar)
    if not bench.hbm2:
        apar[0] = bench.code.apar(parts["row"][0], parts["col"][0])
    changed = type(words)(tuple(parts["row"]), tuple(parts["col"]), tuple(apar))
    await bench.step(words=changed)


async def _act_twice(bench: Pins) -> None:
    await bench.act(0, 6, 1)
    await bench.act(0, 6, 2)


async def _open_then(bench: Pins, **commands: Any) -> None:
    await bench.act(1, 6, 1)
    await bench.step(**commands)


async def _surplus(bench: Pins) -> None:
    await bench.step(oe=0b0100)


async def _late_data(bench: Pins) -> None:
    await bench.act(0, 0, 0)
    await bench.write(0, 0, 0, bytes(32), late=1)


async def _no_second_half(bench: Pins) -> None:
    await bench.act(0, 0, 0)
    await bench.write(0, 0, 0, bytes(32), drive=1)


async def _other_latency(bench: Pins, key: str) -> None:
    bench.rings.ctl[f"expect_{key}"] = 9
    await bench.mode_registers()
    await bench.act(0, 0, 0)
    await bench.read(0, 0, 0)


async def _column_without_act(bench: Pins) -> None:
    await bench.step(columns=(Command("RD", ba=2), None))


async def _column_after_auto(bench: Pins) -> None:
    await bench.act(0, 0, 0)
    await bench.step(columns=(Command("RDA", ba=0), None))
    await bench.step()
    await bench.step(columns=(Command("RD", ba=0), None))


async def _ck_stops(bench: Pins) -> None:
    bench.blk.ck_en_drv.value = 0
    await bench.step()
    bench.blk.ck_en_drv.value = 1


async def _on_a_device(bench: Pins, act: Provocation, **changes: int) -> None:
    """The same on a device of another geometry."""
    shape = {"generation": 2 if bench.hbm2 else 3, "sids": 1, "groups": 4, "banks": 4, "rows": 1 << 14, "has_mask": 1}
    configure = ctypes.CDLL(None).hx_dev_config
    configure(*(shape | changes).values())
    await act(bench)
    await bench.idle(14)
    configure(*(shape | {"has_mask": int(bench.hbm2)}).values())


async def _masked_write(bench: Pins) -> None:
    await bench.act(0, 0, 0)
    await bench.write(0, 0, 0, bytes(32), mask=1)


async def _short_latency(bench: Pins) -> None:
    """RL 2 and WL 1, which the encoding allows and the model does not follow."""
    for ma, op in [(2, 0)] if bench.hbm2 else [(1, 1), (2, 2)]:
        await bench.step(columns=(Command("MRS", ma=ma, op=op), None))
    await bench.act(0, 0, 0)
    await bench.step(columns=(Command("RD", ba=0), None))


async def _power_down_with_a_command(bench: Pins) -> None:
    """HBM2: CKE falls beside PRE; HBM3/4: R0 is high without the rest."""
    if bench.hbm2:
        await bench.step(down=True, words=bench.code.cycle(slots=(Command("PRE"), None)))
        return
    await bench.step(down=True)
    await _undefined(bench, "row", 0b0001)


# What is done at the pins, and the only complaints that may follow.
PROVOCATIONS: dict[str, tuple[Provocation, set[Err]]] = {
    "row_parity": (lambda b: _flip(b, "row"), {Err.PARITY_ROW}),
    "column_parity": (lambda b: _flip(b, "col"), {Err.PARITY_COL, Err.PARITY_ROW}),
    "undefined_row_code": (lambda b: _undefined(b, "row", 0b000000 if b.hbm2 else 0b0111), {Err.UNKNOWN_ROW}),
    "undefined_column_code": (lambda b: _undefined(b, "col", 0b00000010), {Err.UNKNOWN_COL}),
    "ACT_to_an_open_bank": (_act_twice, {Err.ACT_OPEN_BANK}),
    "RD_to_a_closed_bank": (_column_without_act, {Err.COL_CLOSED_BANK}),
    "RD_after_auto_precharge": (_column_after_auto, {Err.COL_CLOSED_BANK}),
    "REFSB_of_an_open_bank": (
        lambda b: _open_then(b, slots=(Command("REFSB", pc=1, ba=6), None)),
        {Err.REF_OPEN_BANK},
    ),
    "REF_with_an_open_bank": (lambda b: _open_then(b, slots=(Command("REF", pc=1), None)), {Err.REF_OPEN_BANK}),
    "MRS_with_an_open_bank": (
        lambda b: _open_then(b, columns=(Command("MRS", ma=5, op=0), None)),
        {Err.MRS_OPEN_BANK},
    ),
    "columns_1_CK_apart": (lambda b: _two_reads_apart(b, 1), {Err.COL_SLOT}),
    "read_data_meet_write_data": (_read_meets_write, {Err.DATA_COLLISION}),
    "write_data_one_CK_late": (_late_data, {Err.WRITE_NO_DATA, Err.WRITE_SURPLUS_DATA}),
    "second_half_missing": (_no_second_half, {Err.WRITE_NO_DATA}),
    "data_when_none_is_due": (_surplus, {Err.WRITE_SURPLUS_DATA}),
    "another_RL": (lambda b: _other_latency(b, "rl"), {Err.RL_MISMATCH}),
    "another_WL": (lambda b: _other_latency(b, "wl"), {Err.WL_MISMATCH}),
    "CK_stops_outside_power_down": (_ck_stops, {Err.INIT_ORDER}),
    "masks_without_mask_pins": (lambda b: _on_a_device(b, _masked_write, has_mask=0), {Err.MASK_WITHOUT_PINS}),
    "a_row_that_does_not_exist": (
        lambda b: _on_a_device(b, lambda c: c.act(0, 0, 3 << 12), rows=3 << 12),
        {Err.ROW_RANGE},
    ),
    "RL_and_WL_too_short": (_short_latency, {Err.LATENCY_SHORT}),
    "power_down_with_a_command": (_power_down_with_a_command, {Err.POWER_DOWN}),
}


@cocotb.test()
@cocotb.parametrize(what=sorted(PROVOCATIONS))
async def the_device_complains(dut: Any, what: str) -> None:
    """Each provocation gives its own error, and none besides."""
    bench = Pins(dut)
    await bench.begin()
    act, codes = PROVOCATIONS[what]
    await act(bench)
    await bench.idle(14)
    seen = set(bench.take_errors())
    assert seen and seen <= codes, f"{what}: {bench.texts()}"


@cocotb.test()
async def power_up_out_of_order_is_reported(dut: Any) -> None:
    """Each step left out or too early gives a complaint; the right order gives none."""
    bench = Pins(dut)
    await bench.begin(live=False)
    await bench.power_up()
    assert not bench.take_errors(), bench.texts()

    # RESET_n is high from the start.
    await bench.begin(live=False)
    bench.blk.reset_n_drv.value = 1
    await bench.step(down=True)
    assert bench.take_errors() == [Err.INIT_ORDER]

    # CK runs in reset.
    await bench.begin(live=False)
    await bench.step(down=True)
    bench.blk.ck_en_drv.value = 1
    await bench.step(down=True)
    assert bench.take_errors() == [Err.INIT_ORDER]

    # Power-down is left before CK runs, and too early after it started.
    await bench.begin(live=False)
    await bench.step(down=True)
    bench.blk.reset_n_drv.value = 1
    await bench.step(down=True)
    await bench.step(down=False)
    assert bench.take_errors() == [Err.INIT_ORDER]
    await bench.begin(live=False)
    await bench.power_up(clocks=3)
    assert bench.take_errors() == [Err.INIT_ORDER]

    # Commands before the mode registers.
    await bench.begin(live=False)
    await bench.power_up()
    await bench.act(0, 0, 0)
    assert bench.take_errors() == [Err.INIT_ORDER]
    await bench.step(columns=(Command("RD", ba=0), None))
    await bench.idle(2)
    assert Err.LATENCY_UNSET in bench.take_errors()


@cocotb.test()
async def power_down_is_decoded(dut: Any) -> None:
    """PDE, PDX, SRE and SRX are recorded; a command inside power-down is a complaint."""
    bench = Pins(dut)
    await bench.begin()
    bench.rings.forget()
    entry = await bench.step(down=True)
    await bench.step(down=True)
    leave = await bench.step()
    await bench.idle(2)
    got = [(int(entry_["time"]), Cmd(int(entry_["cmd"]))) for entry_ in bench.rings.pop_cmd()]
    assert got == [(4 * entry, Cmd.PDE), (4 * leave, Cmd.PDX)]
    assert not bench.take_errors(), bench.texts()
    if bench.hbm2:
        words = bench.code.cycle(slots=(Command("REF"), None))
        await bench.step(down=True, words=words)
        await bench.step(down=True)
        await bench.step()
        await bench.idle(2)
        assert [Cmd(int(e["cmd"])) for e in bench.rings.pop_cmd()] == [Cmd.SRE, Cmd.SRX]
        assert not bench.take_errors(), bench.texts()
        await bench.step(down=True)
        await bench.step(down=True, columns=(Command("RD"), None))
        await bench.idle(2)
        assert Err.CMD_IN_RESET in bench.take_errors()
