"""pyuvm agents: one per AXI port, one for the registers, and the monitor of DRAM commands.

Items carry numpy chunks, never single transfers: a pyuvm item costs 30 us, a record in a chunk far below one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.triggers import Event
from numpy.typing import NDArray
from pyuvm import (
    uvm_agent,
    uvm_analysis_port,
    uvm_component,
    uvm_driver,
    uvm_monitor,
    uvm_reg_adapter,
    uvm_reg_bus_op,
    uvm_sequence_item,
    uvm_sequencer,
    uvm_status_e,
)

from hbm_tb.link import cycles
from hbm_tb.port_kernel import blank_rows
from hbm_tb.rings import Rings
from hbm_tb.traffic import Chunk

Records = NDArray[np.void]


class Heartbeat:
    """The one clock of the untimed side: whoever waits for room or for an end waits for the next batch."""

    def __init__(self) -> None:
        self._event = Event()

    async def wait(self) -> None:
        """Until the next batch was collected."""
        await self._event.wait()

    def beat(self) -> None:
        """A batch was collected."""
        self._event.set()
        self._event.clear()


class ChunkItem(uvm_sequence_item):  # type: ignore[misc]
    """A sequence item with the requests of one chunk."""

    def __init__(self, name: str, chunk: Chunk) -> None:
        super().__init__(name)
        self.chunk = chunk


@dataclass
class PortBatch:
    """What one port did in a batch. The arrays may be the ring's own memory: copy what must outlive the batch."""

    port: int
    acc: Records
    r: Records
    b: Records


@dataclass
class CommandBatch:
    """DRAM commands and error records of a batch."""

    cmd: Records
    err: Records


@dataclass
class OutsideBatch:
    """What else a model must know of the outside: cycles that have ended, events, VALIDs that stand (Rings)."""

    until: int
    events: Records
    pending: NDArray[np.int64]


class PortDriver(uvm_driver):  # type: ignore[misc]
    """Puts the records of chunks into the request rings of its port."""

    def __init__(self, name: str, parent: uvm_component, port: int, rings: Rings, heart: Heartbeat) -> None:
        super().__init__(name, parent)
        self.port, self.rings, self.heart = port, rings, heart
        self.offered = uvm_analysis_port("offered", self)

    async def run_phase(self) -> None:
        """Take items until the end of the phase; an item is done when its last record is in a ring."""
        while True:
            item = await self.seq_item_port.get_next_item()
            await self.offer(item.chunk)
            self.seq_item_port.item_done()

    async def offer(self, chunk: Chunk) -> None:
        """Push a chunk; waits for batches while the rings are full."""
        left = [
            ("aw", self.rings.push_aw, chunk.aw),
            ("w", self.rings.push_w, chunk.w),
            ("ar", self.rings.push_ar, chunk.ar),
        ]
        self.offered.write((self.port, chunk))
        while True:
            rest = []
            for name, push, rows in left:
                taken = push(self.port, rows) if len(rows) else 0
                if taken < len(rows):
                    rest.append((name, push, rows[taken:]))
            if not rest:
                return
            left = rest
            await self.heart.wait()


class PortMonitor(uvm_monitor):  # type: ignore[misc]
    """Publishes what a port did, one record array per ring and batch."""

    def __init__(self, name: str, parent: uvm_component, port: int, rings: Rings) -> None:
        super().__init__(name, parent)
        self.port, self.rings = port, rings
        self.ap = uvm_analysis_port("ap", self)

    def collect(self) -> None:
        """Empty the response rings of the port."""
        acc, r, b = (self.rings.rings[f"{name}{self.port}"].take() for name in ("acc", "r", "b"))
        self.ap.write(PortBatch(self.port, acc, r, b))


class PortAgent(uvm_agent):  # type: ignore[misc]
    """Sequencer, driver and monitor of one AXI port."""

    def __init__(self, name: str, parent: uvm_component, port: int, rings: Rings, heart: Heartbeat) -> None:
        super().__init__(name, parent)
        self.port, self.rings, self.heart = port, rings, heart

    def build_phase(self) -> None:
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = PortDriver("driver", self, self.port, self.rings, self.heart)
        self.monitor = PortMonitor("monitor", self, self.port, self.rings)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)


class CommandMonitor(uvm_monitor):  # type: ignore[misc]
    """Publishes the commands seen on the pins and the errors of the timed side."""

    def __init__(self, name: str, parent: uvm_component, rings: Rings) -> None:
        super().__init__(name, parent)
        self.rings = rings
        self.ap = uvm_analysis_port("ap", self)

    def collect(self) -> None:
        """Empty the command and error rings."""
        cmd = self.rings.pop_cmd()
        if len(cmd):
            blank_rows(cmd.view(np.uint64).reshape(-1, 2))
        self.ap.write(CommandBatch(cmd, self.rings.pop_err()))


class OutsideMonitor(uvm_monitor):  # type: ignore[misc]
    """Publishes how far the run is and what came from outside besides requests."""

    def __init__(self, name: str, parent: uvm_component, rings: Rings) -> None:
        super().__init__(name, parent)
        self.rings = rings
        self.ap = uvm_analysis_port("ap", self)

    def collect(self) -> None:
        """Empty the event ring."""
        self.ap.write(OutsideBatch(self.rings.cycle(), self.rings.pop_events(), self.rings.pending_valids()))


# ---------------------------------------------------------------- registers


class ApbItem(uvm_sequence_item):  # type: ignore[misc]
    """One register access; `data` is the read data afterwards."""

    def __init__(self, name: str = "apb", addr: int = 0, data: int = 0, write: bool = False) -> None:
        super().__init__(name)
        self.addr, self.data, self.write, self.error = addr, data, write, False


class ApbDriver(uvm_driver):  # type: ignore[misc]
    """Carries out register accesses one by one."""

    def __init__(self, name: str, parent: uvm_component, rings: Rings) -> None:
        super().__init__(name, parent)
        self.rings = rings

    async def run_phase(self) -> None:
        """Take items until the end of the phase."""
        while True:
            item = await self.seq_item_port.get_next_item()
            value, item.error = await self.rings.apb(cycles, item.addr, item.data if item.write else None)
            if not item.write:
                item.data = value
            self.seq_item_port.item_done()


class ApbAgent(uvm_agent):  # type: ignore[misc]
    """Sequencer and driver of the register port."""

    def __init__(self, name: str, parent: uvm_component, rings: Rings) -> None:
        super().__init__(name, parent)
        self.rings = rings

    def build_phase(self) -> None:
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = ApbDriver("driver", self, self.rings)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)


class ApbAdapter(uvm_reg_adapter):  # type: ignore[misc]
    """Turns accesses of the register model into APB items."""

    def reg2bus(self, rw: uvm_reg_bus_op) -> ApbItem:
        return ApbItem("reg", int(rw.addr), int(rw.data or 0), "WRITE" in str(rw.kind))

    def bus2reg(self, bus_item: Any, rw: uvm_reg_bus_op) -> None:
        rw.addr, rw.data = bus_item.addr, bus_item.data
        rw.status = uvm_status_e.UVM_NOT_OK if bus_item.error else uvm_status_e.UVM_IS_OK
