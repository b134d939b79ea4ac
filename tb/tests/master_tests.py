"""Block tests of the AXI and APB masters of the timed side (bench: blk_master): a slave that misbehaves is reported."""

from __future__ import annotations

import functools
import operator
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from hbm_tb import records
from hbm_tb.records import Err
from hbm_tb.rings import Rings


class Slave:
    """The other side of port 0, driven on falling edges."""

    def __init__(self, dut: Any) -> None:
        self.blk = getattr(dut, "u_master", dut)
        self.clk = dut.clk
        self.rings = Rings.attach()

    async def begin(self) -> None:
        """Reset of the bench; nothing is accepted, nothing answered."""
        ctl = self.rings.ctl
        ctl["fault"] = ctl["hold"] = ctl["watchdog"] = 0
        ctl["ready_r"][:] = ctl["ready_b"][:] = records.READY_ALWAYS
        self.blk.rst_drv.value = 1
        for name in ("ar_ready", "aw_ready", "w_ready", "r_valid", "b_valid", "pready"):
            self.set(**{name: 0})
        await self.cycles(2)
        self.blk.rst_drv.value = 0
        await self.cycles(2)
        self.rings.forget()
        ctl["errors"] = ctl["lost"] = 0

    def set(self, **values: int) -> None:
        """Drive slave signals from here on."""
        for name, value in values.items():
            getattr(self.blk, f"{name}_drv").value = value

    async def cycles(self, count: int) -> None:
        """Let cycles pass."""
        for _ in range(count):
            await FallingEdge(self.clk)

    async def read(self, axi_id: int, beats: int = 1) -> None:
        """A read request that is accepted at once."""
        row = np.zeros(1, records.AX)
        row["id"], row["len"], row["size"], row["burst"] = axi_id, beats - 1, 5, 1
        self.rings.push_ar(0, row)
        self.set(ar_ready=1)
        await self.cycles(4)
        self.set(ar_ready=0)

    async def answer(self, axi_id: int, last: int = 1) -> None:
        """One R beat."""
        self.set(r_valid=1, r_id=axi_id, r_last=last)
        await self.cycles(1)
        self.set(r_valid=0)
        await self.cycles(1)

    def codes(self) -> list[Err]:
        """Errors since the last call."""
        return [Err(int(error["code"])) for error in self.rings.pop_err()]


@cocotb.test()
async def a_good_slave_is_not_reported(dut: Any) -> None:
    """Bursts that are answered as requested, in order of their id."""
    slave = Slave(dut)
    await slave.begin()
    await slave.read(3, beats=2)
    await slave.read(4)
    await slave.answer(4)
    await slave.answer(3, last=0)
    await slave.answer(3)
    assert slave.codes() == [] and slave.rings.idle()
    assert [int(r["id"]) for r in slave.rings.pop_r(0)] == [4, 3, 3]


@cocotb.test()
async def answers_that_nobody_asked_for_are_reported(dut: Any) -> None:
    """An R beat of an id without open read, a second one after the burst, a B without write."""
    slave = Slave(dut)
    await slave.begin()
    await slave.answer(9)
    assert slave.codes() == [Err.R_SURPLUS]
    await slave.read(9)
    await slave.answer(9)
    assert slave.codes() == []
    await slave.answer(9)
    assert slave.codes() == [Err.R_SURPLUS]
    slave.set(b_valid=1, b_id=2)
    await slave.cycles(1)
    slave.set(b_valid=0)
    await slave.cycles(1)
    assert slave.codes() == [Err.B_SURPLUS]


@cocotb.test()
async def a_misplaced_rlast_is_reported(dut: Any) -> None:
    """RLAST before the end, and none at the end."""
    slave = Slave(dut)
    await slave.begin()
    await slave.read(1, beats=2)
    await slave.answer(1, last=1)
    assert slave.codes() == [Err.R_LAST]
    await slave.answer(1, last=0)
    assert slave.codes() == [Err.R_LAST]


@cocotb.test()
async def a_retracted_answer_is_reported(dut: Any) -> None:
    """R and B may neither vanish nor change while they are refused."""
    slave = Slave(dut)
    await slave.begin()
    slave.rings.ctl["ready_r"][0] = slave.rings.ctl["ready_b"][0] = 0
    await slave.read(1)
    slave.set(r_valid=1, r_id=1, r_last=1, r_data=5)
    await slave.cycles(3)
    assert slave.codes() == []
    slave.set(r_data=6)
    await slave.cycles(1)
    assert slave.codes() == [Err.HANDSHAKE]
    slave.set(r_valid=0)
    await slave.cycles(2)
    assert slave.codes() == [Err.HANDSHAKE]
    slave.set(b_valid=1)
    await slave.cycles(2)
    slave.set(b_valid=0)
    await slave.cycles(2)
    error = slave.rings.pop_err()
    assert [int(e["code"]) for e in error] == [Err.HANDSHAKE] and int(error["b"][0]) == 1


@cocotb.test()
async def a_full_ring_is_reported(dut: Any) -> None:
    """Records that found no room make the run fail, whoever was slow: reported once by name, all counted."""
    slave = Slave(dut)
    await slave.begin()
    beats = 256
    for _ in range(8192 // beats):
        await slave.read(0, beats=beats)
    for index in range(8192):
        slave.set(r_valid=1, r_id=0, r_last=int(index % beats == beats - 1))
        await slave.cycles(1)
    slave.set(r_valid=0)
    assert slave.codes() == [] and int(slave.rings.ctl["lost"]) == 0
    await slave.read(0, beats=2)
    await slave.answer(0, last=0)
    await slave.answer(0)
    errors = slave.rings.pop_err()
    assert [records.describe_error(e).split(": ")[1] for e in errors] == ["ring r0 is full, records are lost"]
    assert int(slave.rings.ctl["lost"]) == 2 and slave.rings.errors() == 3
    slave.rings.forget()


@cocotb.test()
async def a_register_access_without_pready_is_reported(dut: Any) -> None:
    """After 10,000 cycles; the access still completes when PREADY comes."""
    slave = Slave(dut)
    await slave.begin()
    row = np.zeros(1, records.APB_REQ)
    row["addr"] = 0x44
    slave.rings.push_apb(row)
    await slave.cycles(9_990)
    assert slave.codes() == []
    await slave.cycles(30)
    assert slave.codes() == [Err.APB_TIMEOUT]
    slave.set(pready=1)
    await slave.cycles(3)
    assert int(slave.rings.pop_apb()["data"][0]) == 0x600DF00D


@cocotb.test()
async def attributes_take_any_value_and_stand_while_valid_waits(dut: Any) -> None:
    """Cache, protection and region differ from request to request; every bit is seen as 0 and as 1."""
    slave = Slave(dut)
    await slave.begin()
    seen = set()
    for number in range(32):
        row = np.zeros(1, records.AX)
        row["id"], row["addr"], row["size"], row["burst"] = 1, 0x3331 * 32 * number, 5, 1
        slave.rings.push_ar(0, row)
        for _ in range(8):
            await slave.cycles(1)
            if int(slave.blk.ar_valid.value):
                break
        value = int(slave.blk.ar_attributes.value)
        for _ in range(2 + number // 2 % 3):  # the attributes follow address and cycle: they are not to run in step
            await slave.cycles(1)
            assert int(slave.blk.ar_valid.value) and int(slave.blk.ar_attributes.value) == value
        slave.set(ar_ready=1)
        await slave.cycles(1)
        slave.set(ar_ready=0)
        await slave.answer(1)
        seen.add(value)
    every = (1 << 11) - 1
    assert functools.reduce(operator.or_, seen) == every and functools.reduce(operator.and_, seen) == 0
    assert len(seen) > 24 and slave.codes() == []
