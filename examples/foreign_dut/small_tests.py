"""Tests of the small controller, inside the simulator: a driver and a monitor of its port, and three kinds of traffic.

Everything else - commands, rules, data, coverage, report - comes from hbm_tb.own_dut.
"""

from __future__ import annotations

from collections.abc import Iterator

import cocotb
import pyuvm
from cocotb.triggers import FallingEdge, ReadOnly
from hbm_tb.own_board import Answer, Place, Request
from hbm_tb.own_dut import OwnTest
from pyuvm import uvm_analysis_port, uvm_driver, uvm_monitor, uvm_sequence, uvm_sequence_item, uvm_sequencer


def place_of(address: int) -> Place:
    """Where the controller puts a request: {row, col, bank, bank group, pc} (small_top.sv)."""
    bg, bank, col, row = address >> 1 & 3, address >> 3 & 3, address >> 5 & 31, address >> 10 & 0x3FFF
    return Place(pc=address & 1, sid=0, bg=bg, bank=bank, row=row, col=col)


class Item(uvm_sequence_item):
    """One request: `data` and `mask` of a write, `gap` idle CK before it."""

    def __init__(self, write: bool, address: int, data: int = 0, mask: int = 0, gap: int = 0) -> None:
        super().__init__("item")
        self.write, self.address, self.data, self.mask, self.gap = write, address, data, mask, gap


class Driver(uvm_driver):
    """Holds a request until the controller takes it. Signals change in the middle of a clock, on its falling edge."""

    async def run_phase(self) -> None:
        dut = cocotb.top
        while True:
            item = await self.seq_item_port.get_next_item()
            for _ in range(item.gap):
                await FallingEdge(dut.clk)
            dut.req_write.value = item.write
            dut.req_address.value = item.address
            dut.req_data.value = item.data
            dut.req_mask.value = item.mask
            dut.req_valid.value = 1
            while dut.req_ready.value != 1:
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)  # accepted with the rising edge in between
            dut.req_valid.value = 0
            self.seq_item_port.item_done()


class Monitor(uvm_monitor):
    """Sees handshakes and read data in the second half of the clock in which they stand."""

    def build_phase(self) -> None:
        self.requests = uvm_analysis_port("requests", self)
        self.answers = uvm_analysis_port("answers", self)

    async def run_phase(self) -> None:
        dut, env = cocotb.top, self.get_parent().env
        while True:
            await FallingEdge(dut.clk)
            await ReadOnly()  # after what the driver writes now
            if dut.rsp_valid.value == 1:
                self.answers.write(Answer(int(dut.rsp_data.value).to_bytes(32, "little"), env.ck()))
            if dut.req_valid.value == 1 and dut.req_ready.value == 1 and env.running:
                data = int(dut.req_data.value).to_bytes(32, "little")
                write = bool(dut.req_write.value)
                self.requests.write(
                    Request(write, place_of(int(dut.req_address.value)), data, int(dut.req_mask.value), env.ck())
                )


class Traffic(uvm_sequence):
    """Items one after the other."""

    def __init__(self, name: str, items: Iterator[Item]) -> None:
        super().__init__(name)
        self.items = items

    async def body(self) -> None:
        for item in self.items:
            await self.start_item(item)
            await self.finish_item(item)


class SmallTest(OwnTest):
    """The parts of the user's own bench."""

    def build_phase(self) -> None:
        super().build_phase()
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = Driver("driver", self)
        self.monitor = Monitor("monitor", self)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
        self.monitor.requests.connect(self.env.request_export)
        self.monitor.answers.connect(self.env.answer_export)

    async def body(self) -> None:
        await Traffic("traffic", self.items()).start(self.sequencer)
        while self.env.checks.board.checked < self.env.checks.board.reads:
            await self.env.wait(16)

    def items(self) -> Iterator[Item]:
        """What the test asks for."""
        raise NotImplementedError


@pyuvm.test()
class RandomTraffic(SmallTest):
    """Reads and whole and masked writes over all banks; half of them where something was written before."""

    count = 1500

    def items(self) -> Iterator[Item]:
        rng = self.config.rng("traffic")
        known = [int(rng.integers(1 << 24)) for _ in range(24)]
        for _ in range(self.count):
            near = rng.random() < 0.5
            address = known[int(rng.integers(len(known)))] if near else int(rng.integers(1 << 24))
            if rng.random() < 0.5:
                mask = 0 if rng.random() < 0.7 else int(rng.integers(1, (1 << 32) - 1))
                known[int(rng.integers(len(known)))] = address
                yield Item(True, address, int.from_bytes(rng.bytes(32), "little"), mask)
            else:
                yield Item(False, address)


@pyuvm.test()
class ReadAfterWrite(SmallTest):
    """A write and a read of the same bank group at once, so that the turn-around of the bus decides."""

    def items(self) -> Iterator[Item]:
        rng = self.config.rng("traffic")
        for _ in range(150):
            address = int(rng.integers(1 << 24))
            yield Item(True, address, int.from_bytes(rng.bytes(32), "little"))
            yield Item(False, address ^ 0b01000)  # another bank of the group
            yield Item(False, address)


@pyuvm.test()
class QuietForLong(SmallTest):
    """Little to do for eleven refresh intervals: only refreshes keep the data."""

    def items(self) -> Iterator[Item]:
        for number in range(44):
            yield Item(number % 2 == 0, number // 2, number, gap=1000)
