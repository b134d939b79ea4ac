"""Block tests of the registers (bench: blk_csr): the pyuvm register model over APB pins, then what fields drive."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
import pyuvm
from cocotb.triggers import FallingEdge, Timer
from hbm_model.csr import Register, resets_of
from hbm_model.csr_table import REGISTER, REGISTERS
from hbm_model.emit import DEFAULT_PRESETS
from hbm_model.params import Params
from hbm_model.presets import preset
from hbm_tb.gen.register_model import hbm_csr
from hbm_tb.packed import layout_of, unpack
from pyuvm import (
    uvm_door_e,
    uvm_driver,
    uvm_reg_adapter,
    uvm_reg_bus_op,
    uvm_sequence_item,
    uvm_sequencer,
    uvm_status_e,
    uvm_test,
)

CYCLE_NS = 2
LAST_ADDRESS = (1 << 13) - 4
WORD = 0xFFFFFFFF

INPUTS = (
    "psel penable pwrite paddr pwdata pstrb pprot load state init_done busy temp idle closed aerr derr rdata "
    "status events host_events"
).split()


def block(dut: Any) -> Any:
    """The block, whether it is the top or one of several in a bench."""
    return getattr(dut, "u_csr", dut)


class Apb:
    """Drives the APB pins on falling edges."""

    def __init__(self, blk: Any) -> None:
        self.blk = blk
        self.clk = blk.clk
        self.prot = 0

    async def access(self, address: int, data: int | None = None, strb: int = 15) -> tuple[int, bool]:
        """One access; (read data, error)."""
        blk = self.blk
        blk.psel_drv.value = 1
        blk.penable_drv.value = 0
        blk.paddr_drv.value = address
        blk.pwrite_drv.value = data is not None
        blk.pwdata_drv.value = data or 0
        blk.pstrb_drv.value = strb if data is not None else 0
        self.prot = (5 * self.prot + 3) % 8  # has no meaning here: each of the eight values in turn
        blk.pprot_drv.value = self.prot
        await FallingEdge(self.clk)
        blk.penable_drv.value = 1
        for _ in range(20):
            # What PENABLE reaches without a flop has settled; the coming rising edge ends the access if PREADY is high.
            await Timer(CYCLE_NS / 4, "ns")
            done = bool(int(blk.pready.value))
            result = int(blk.prdata.value), bool(int(blk.pslverr.value))
            await FallingEdge(self.clk)
            if done:
                blk.psel_drv.value = 0
                blk.penable_drv.value = 0
                return result
        raise AssertionError(f"no PREADY at 0x{address:x}")

    async def read(self, path: str) -> int:
        """Read a register that must answer."""
        value, error = await self.access(REGISTER[path].address)
        assert not error, path
        return value

    async def write(self, path: str, value: int, strb: int = 15) -> None:
        """Write a register that must answer."""
        _, error = await self.access(REGISTER[path].address, value, strb)
        assert not error, path

    async def counters(self) -> dict[str, int]:
        """All counters, from a new snapshot."""
        await self.write("ctrl", REGISTER["ctrl"].field("snapshot").mask)
        return await self.held()

    async def held(self) -> dict[str, int]:
        """All counters of the last snapshot."""
        words = {}
        for register in REGISTERS:
            if register.path.startswith("counters."):
                words[register.path.removeprefix("counters.")] = await self.read(register.path)
        return {name[:-3]: low | words[name[:-3] + "_hi"] << 32 for name, low in words.items() if name.endswith("_lo")}


async def start(dut: Any) -> Apb:
    """Reset the block with every input at rest."""
    blk = block(dut)
    await FallingEdge(blk.clk)
    for name in INPUTS:
        getattr(blk, f"{name}_drv").value = 0
    blk.block_rst_drv.value = 1
    await FallingEdge(blk.clk)
    await FallingEdge(blk.clk)
    blk.block_rst_drv.value = 0
    await FallingEdge(blk.clk)
    return Apb(blk)


async def geometry_of(apb: Apb) -> tuple[str, Params]:
    """Geometry of the build, found by its identity registers, and its default preset."""
    generation = REGISTER["id"].field("generation").of(await apb.read("id"))
    sids = REGISTER["geometry"].field("sids").of(await apb.read("geometry"))
    name = f"hbm{generation}_s{sids}"
    assert os.environ.get("HBM_GEOMETRY", name) == name
    return name, preset(DEFAULT_PRESETS[name])


def writable(register: Register) -> int:
    """Bits that keep what is written."""
    return sum(field.mask for field in register.fields if field.access == "rw")


# ---------------------------------------------------------------- through the register model


class Item(uvm_sequence_item):
    """One APB access."""

    def __init__(self, name: str = "item") -> None:
        super().__init__(name)
        self.addr, self.data, self.write, self.error = 0, 0, False, False


class Adapter(uvm_reg_adapter):  # type: ignore[misc]
    """Register accesses as APB items."""

    def reg2bus(self, rw: uvm_reg_bus_op) -> Item:
        """Make the item."""
        item = Item()
        item.addr, item.data, item.write = int(rw.addr), int(rw.data or 0), "WRITE" in str(rw.kind)
        return item

    def bus2reg(self, bus_item: Item, rw: uvm_reg_bus_op) -> None:
        """Take the result."""
        rw.addr, rw.data = bus_item.addr, bus_item.data
        rw.status = uvm_status_e.UVM_NOT_OK if bus_item.error else uvm_status_e.UVM_IS_OK


class Driver(uvm_driver):  # type: ignore[misc]
    """Carries items out on the pins."""

    apb: Apb

    async def run_phase(self) -> None:
        """Serve items for ever."""
        while True:
            item = await self.seq_item_port.get_next_item()
            value, item.error = await self.apb.access(item.addr, item.data if item.write else None)
            if not item.write:
                item.data = value
            self.seq_item_port.item_done()


class RegisterTest(uvm_test):  # type: ignore[misc]
    """Register model, sequencer and driver; `body` is the test."""

    def build_phase(self) -> None:
        """Make the parts."""
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = Driver("driver", self)
        self.model = hbm_csr("registers")
        self.model.build()
        self.model.lock_model()
        self.checked = 0

    def connect_phase(self) -> None:
        """Connect driver and front door."""
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
        self.driver.apb = Apb(block(cocotb.top))
        self.map = self.model.get_default_map()
        self.map.set_sequencer(self.sequencer, Adapter("adapter"))
        self.map.set_auto_predict(True)

    async def run_phase(self) -> None:
        """Reset, then the body; one objection for the whole test."""
        self.raise_objection()
        self.apb = await start(cocotb.top)
        self.geometry, self.params = await geometry_of(self.apb)
        await self.body()
        self.drop_objection()

    async def body(self) -> None:
        """The test itself."""
        raise NotImplementedError

    def register(self, path: str) -> Any:
        """Register of the model by its dotted path."""
        node: Any = self.model
        for part in path.split("."):
            name, _, index = part.partition("[")
            node = getattr(node, name)
            node = node[int(index[:-1])] if index else node
        return node

    async def read(self, path: str) -> tuple[bool, int]:
        """(good, value) of a front-door read."""
        status, value = await self.register(path).read(uvm_door_e.UVM_FRONTDOOR, self.map)
        self.checked += 1
        return status == uvm_status_e.UVM_IS_OK, int(value)

    async def write(self, path: str, value: int) -> bool:
        """True if a front-door write is answered without error."""
        self.checked += 1
        return bool(
            await self.register(path).write(value, uvm_door_e.UVM_FRONTDOOR, self.map) == uvm_status_e.UVM_IS_OK
        )

    def check_phase(self) -> None:
        """A test that compared nothing fails."""
        assert self.checked > 100


@pyuvm.test()
class registers_reset_to_the_preset(RegisterTest):
    """Each register reads its reset value: those of the geometry's default preset, and the build's identity."""

    async def body(self) -> None:
        """Read all, and compare the model's own resets where no preset matters."""
        resets = resets_of(self.params)
        geometry = self.params.geometry
        reported = {
            "id": geometry.generation | 1 << 8 | 2 << 16,
            "geometry": geometry.sids | geometry.bgs << 8 | geometry.banks << 16 | geometry.cols << 24,
            "rows": geometry.rows,
            "sizes": 32 | 32 << 8 | 128 << 16 | 14 << 24,
        }
        for register in REGISTERS:
            good, value = await self.read(register.path)
            expected = reported.get(register.path, register.reset(resets))
            assert good and value == expected, f"{register.path}: 0x{value:x}, expected 0x{expected:x}"
            if not any(field.preset_reset for field in register.fields) and register.path not in reported:
                assert self.register(register.path).get_reset() == expected


@pyuvm.test()
class every_bit_of_every_register_works_alone(RegisterTest):
    """Bit-bash: each bit of a read/write register takes 1 and 0 without touching another; the others stay."""

    async def body(self) -> None:
        """Walk a one, then a zero, through every register that keeps what is written."""
        for register in REGISTERS:
            mask = writable(register)
            if not mask:
                continue
            good, before = await self.read(register.path)
            assert good
            for value in [1 << bit for bit in range(32)] + [WORD ^ 1 << bit for bit in range(32)]:
                assert await self.write(register.path, value)
                good, now = await self.read(register.path)
                expected = value & mask | before & ~mask
                assert good and now == expected, f"{register.path}: wrote 0x{value:x}, reads 0x{now:x}"


@pyuvm.test()
class registers_do_not_alias(RegisterTest):
    """A value of its own in each register, then all are read: no write reached another register."""

    async def body(self) -> None:
        """Write all, read all, in another order."""
        rng = random.Random(cocotb.RANDOM_SEED)
        written = {}
        for register in rng.sample(REGISTERS, len(REGISTERS)):
            if writable(register):
                written[register.path] = rng.getrandbits(32)
                assert await self.write(register.path, written[register.path])
        for register in rng.sample(REGISTERS, len(REGISTERS)):
            if register.path in written:
                good, value = await self.read(register.path)
                assert good and value == written[register.path] & writable(register), register.path


@pyuvm.test()
class read_only_registers_refuse_writes(RegisterTest):
    """A write to a register without a writable field answers PSLVERR and changes nothing."""

    async def body(self) -> None:
        """Write ones to all of them."""
        for register in REGISTERS:
            if all(field.access == "r" for field in register.fields):
                _, before = await self.read(register.path)
                # The register model keeps writes of read-only registers from the bus, so this goes to the pins.
                _, error = await self.apb.access(register.address, WORD)
                good, after = await self.read(register.path)
                assert error and good and after == before, register.path


# ---------------------------------------------------------------- on the pins


@cocotb.test()
async def unmapped_addresses_answer_an_error(dut: Any) -> None:
    """Every word address without a register: PSLVERR on read and write; and every register without."""
    apb = await start(dut)
    mapped = {register.address for register in REGISTERS}
    errors = 0
    for address in range(0, LAST_ADDRESS + 1, 4):
        _, error = await apb.access(address)
        assert error == (address not in mapped), f"read 0x{address:x}"
        if error:
            _, error = await apb.access(address, WORD)
            assert error, f"write 0x{address:x}"
            errors += 1
    assert errors == (1 << 11) - len(REGISTERS)


@cocotb.test()
async def strobes_select_bytes(dut: Any) -> None:
    """PSTRB picks the bytes that a write changes, in stored words and in PeakRDL's fields."""
    apb = await start(dut)
    for path in ("map.mask3", "timing.t_refi", "policy.turnaround", "irq_enable"):
        mask = writable(REGISTER[path])
        for strb in range(16):
            await apb.write(path, 0)
            await apb.write(path, WORD, strb)
            expected = sum(0xFF << 8 * byte for byte in range(4) if strb >> byte & 1) & mask
            assert await apb.read(path) == expected, (path, strb)


@cocotb.test()
async def control_bits_are_single_pulses(dut: Any) -> None:
    """Each write of a one gives one pulse of one cycle; the bits read 0; a zero does nothing."""
    apb = await start(dut)
    blk = apb.blk
    control = REGISTER["ctrl"]
    for written, expected in ((1, (1, 0)), (2, (1, 1)), (3, (2, 2)), (0, (2, 2)), (0xC, (2, 2))):
        await apb.write("ctrl", written)
        assert await apb.read("ctrl") == 0
        assert (int(blk.init_starts.value), int(blk.commits.value)) == expected
    assert control.field("init_start").mask == 1 and control.field("commit").mask == 2


@cocotb.test()
async def the_active_set_changes_with_load_only(dut: Any) -> None:
    """Timing, map and read delay keep their values until load_i; policies follow at once."""
    apb = await start(dut)
    blk = apb.blk
    geometry, params = await geometry_of(apb)
    rng = random.Random(cocotb.RANDOM_SEED)
    timing_layout = layout_of("timing_t", geometry)
    map_layout = layout_of("addr_map_t", geometry)

    def active() -> tuple[int, int, int]:
        return int(blk.timing.value), int(blk.map.value), int(blk.rd_delay.value)

    resets = resets_of(params)
    assert unpack("timing_t", active()[0], geometry) == {name: resets[name] for name in timing_layout}
    for _ in range(3):
        before = active()
        shadow = {}
        for register in REGISTERS:
            if register.path.startswith(("timing.", "map.")) or register.path == "phy":
                shadow[register.path] = rng.getrandbits(32) & writable(register)
                await apb.write(register.path, shadow[register.path])
                assert active() == before, register.path
        blk.load_drv.value = 1
        await FallingEdge(apb.clk)
        blk.load_drv.value = 0
        timing, mapping, delay = active()
        assert unpack("timing_t", timing, geometry) == {name: shadow[f"timing.{name}"] for name in timing_layout}
        assert delay == shadow["phy"]
        fields = unpack("addr_map_t", mapping, geometry)
        lsb, width = map_layout["row_limit"]
        assert fields["row_limit"] == shadow["map.row_limit"] & ((1 << width) - 1)
        out_bits = sum(width for _, width in layout_of("dram_addr_t", geometry).values())
        in_bits = map_layout["mask"][1] // out_bits
        for bit in range(out_bits):
            got = fields["mask"] >> in_bits * bit & ((1 << in_bits) - 1)
            assert got == shadow[f"map.mask{bit}"] & ((1 << in_bits) - 1), bit

    for register in REGISTERS:
        if register.path.startswith("policy."):
            for _ in range(4):
                value = rng.getrandbits(32)
                await apb.write(register.path, value)
                policy = unpack("policy_t", int(blk.policy.value), geometry)
                for field in register.fields:
                    assert policy[field.name] == field.of(value), field.name


@cocotb.test()
async def status_follows_its_inputs(dut: Any) -> None:
    """Each status field shows its own input, and nothing else does."""
    apb = await start(dut)
    blk = apb.blk
    geometry, _ = await geometry_of(apb)
    status = REGISTER["status"]
    sources = {
        "init_done": "init_done", "busy": "busy", "state": "state", "temp": "temp", "idle": "idle", "closed": "closed"
    }  # fmt: skip
    assert {field.name for field in status.fields} == set(sources)
    for field in status.fields:
        drive = getattr(blk, f"{sources[field.name]}_drv")
        for value in [1 << bit for bit in range(field.width)]:
            drive.value = value
            assert await apb.read("status") == value << field.lsb, field.name
        drive.value = 0

    layout = layout_of("pc_status_t", geometry)
    width = sum(bits for _, bits in layout.values())
    for pc in (0, 1):
        register = REGISTER[f"load[{pc}]"]
        assert {field.name for field in register.fields} == set(layout)
        for field in register.fields:
            lsb, bits = layout[field.name]
            for bit in range(bits):
                blk.status_drv.value = 1 << (width * pc + lsb + bit)
                assert await apb.read(f"load[{pc}]") == 1 << (field.lsb + bit), field.name
                assert await apb.read(f"load[{1 - pc}]") == 0


# ---------------------------------------------------------------- interrupts


def interrupt_inputs(geometry: str) -> dict[str, tuple[str, int]]:
    """Interrupt field -> (input, value that raises it)."""
    layout = layout_of("host_events_t", geometry)
    port = sum(width for _, width in layout.values())
    sources = {"aerr": ("aerr", 1)}
    for pc in (0, 1):
        sources[f"derr{pc}"] = ("derr", 1 << pc)
        sources[f"rdata{pc}"] = ("rdata", 1 << pc)
        for name in ("slverr", "decerr"):
            sources[f"{name}{pc}"] = ("host_events", 1 << (port * pc + layout[name][0]))
    return sources


@cocotb.test()
async def interrupts_stick_until_cleared(dut: Any) -> None:
    """A pulse of one cycle sets its bit alone; 0 keeps it, 1 clears it alone; irq_o needs the bit's own enable."""
    apb = await start(dut)
    blk = apb.blk
    geometry, _ = await geometry_of(apb)
    register = REGISTER["irq_status"]
    pulses = interrupt_inputs(geometry)
    assert set(pulses) | {"init_done", "commit_done"} == {field.name for field in register.fields}

    async def pulse(name: str) -> None:
        drive, value = pulses[name]
        getattr(blk, f"{drive}_drv").value = value
        await FallingEdge(apb.clk)
        getattr(blk, f"{drive}_drv").value = 0

    everything = sum(field.mask for field in register.fields)
    for name in pulses:
        mask = register.field(name).mask
        await pulse(name)
        assert await apb.read("irq_status") == mask, name
        await apb.write("irq_enable", everything & ~mask)
        assert int(blk.irq.value) == 0, name
        await apb.write("irq_enable", mask)
        assert int(blk.irq.value) == 1, name
        await apb.write("irq_status", everything & ~mask)
        assert await apb.read("irq_status") == mask, name
        await apb.write("irq_status", mask)
        assert await apb.read("irq_status") == 0 and int(blk.irq.value) == 0, name
    for name in pulses:
        await pulse(name)
    left = sum(register.field(name).mask for name in pulses)
    for name in pulses:
        assert await apb.read("irq_status") == left
        await apb.write("irq_status", register.field(name).mask)
        left &= ~register.field(name).mask
    assert await apb.read("irq_status") == 0


@cocotb.test()
async def interrupts_tell_initialisation_and_commit_apart(dut: Any) -> None:
    """init_done: once, when the initialisation ends; commit_done: each time busy falls after that."""
    apb = await start(dut)
    blk = apb.blk
    register = REGISTER["irq_status"]
    done, commit = register.field("init_done").mask, register.field("commit_done").mask
    blk.busy_drv.value = 1
    assert await apb.read("irq_status") == 0
    # As hbm_init_seq: busy falls with the first cycle of run, done rises one later.
    blk.busy_drv.value = 0
    await FallingEdge(apb.clk)
    blk.init_done_drv.value = 1
    assert await apb.read("irq_status") == done
    await apb.write("irq_status", done)
    for _ in range(2):
        blk.busy_drv.value = 1
        assert await apb.read("irq_status") == 0
        blk.busy_drv.value = 0
        assert await apb.read("irq_status") == commit
        await apb.write("irq_status", commit)


# ---------------------------------------------------------------- counters


def event_names(geometry: str) -> tuple[list[str], list[str]]:
    """Counter names by bit of the two event inputs."""
    pc_layout, port_layout = layout_of("events_t", geometry), layout_of("host_events_t", geometry)

    def by_bit(prefix: str, layout: dict[str, tuple[int, int]]) -> list[str]:
        order = sorted(layout, key=lambda name: layout[name][0])
        return [f"{prefix}{number}_{name}" for number in (0, 1) for name in order]

    return by_bit("pc", pc_layout), by_bit("port", port_layout)


@cocotb.test()
async def counters_count_their_own_event(dut: Any) -> None:
    """Random pulses on all event inputs: every counter equals the number of its own pulses."""
    apb = await start(dut)
    blk = apb.blk
    geometry, _ = await geometry_of(apb)
    pc_names, port_names = event_names(geometry)
    rng = random.Random(cocotb.RANDOM_SEED)
    await apb.write("ctrl", REGISTER["ctrl"].field("clear").mask)
    await FallingEdge(apb.clk)
    expected = dict.fromkeys((*pc_names, *port_names), 0)
    for round_ in range(3):
        for _ in range(300):
            pc_word = rng.getrandbits(len(pc_names)) & rng.getrandbits(len(pc_names))
            port_word = rng.getrandbits(len(port_names))
            blk.events_drv.value, blk.host_events_drv.value = pc_word, port_word
            for names, word in ((pc_names, pc_word), (port_names, port_word)):
                for bit, name in enumerate(names):
                    expected[name] += word >> bit & 1
            await FallingEdge(apb.clk)
        blk.events_drv.value = blk.host_events_drv.value = 0
        counts = await apb.counters()
        cycles = counts.pop("cycles")
        assert counts == expected
        assert cycles > 300 * (round_ + 1)


@cocotb.test()
async def counters_carry_and_clear_exactly(dut: Any) -> None:
    """Past 2^16 and through the pipeline of carries; snapshot and clear in one write lose nothing."""
    apb = await start(dut)
    blk = apb.blk
    geometry, _ = await geometry_of(apb)
    pc_names, port_names = event_names(geometry)
    both = REGISTER["ctrl"].field("snapshot").mask | REGISTER["ctrl"].field("clear").mask
    blk.events_drv.value = (1 << len(pc_names)) - 1
    blk.host_events_drv.value = (1 << len(port_names)) - 1
    await apb.write("ctrl", both)
    last = cocotb.utils.get_sim_time("ns")

    async def interval(wait: int) -> int:
        """Counts since the snapshot and clear before, `wait` cycles and the reading of all counters ago."""
        nonlocal last
        await Timer(CYCLE_NS * wait, "ns")
        await apb.write("ctrl", both)
        now = cocotb.utils.get_sim_time("ns")
        counts = await apb.held()
        assert set(counts.values()) == {round((now - last) / CYCLE_NS)}, counts
        last = now
        return counts["cycles"]

    await interval(1)
    accesses = await interval(1) - 1
    # Around the carry into the second stage: snapshot and clear meet it one cycle before, on its way, and after.
    for count in (*range(65533, 65540), 2 * 65536 - 1, 2 * 65536):
        assert await interval(count - accesses) == count
        # A carry that the clear did not stop would show in this one.
        assert await interval(1) == accesses + 1


STAGE_BITS, STAGES = 16, 3  # of a counter
WRAP = 1 << STAGE_BITS * STAGES


class Slices:
    """The counters by way of the hierarchy: `slice_q` holds one bit of all of them, cycles first."""

    def __init__(self, blk: Any, names: Sequence[str]) -> None:
        self.names = names
        stages = [f"u_csr.u_counters.g_stage[{stage}]" for stage in range(STAGES)]
        self.bits = [blk[f"{stage}.g_bit[{bit}].slice_q"] for stage in stages for bit in range(STAGE_BITS)]
        self.carries = [blk[f"{stage}.carry_q"] for stage in stages]

    def load(self, counts: Mapping[str, int]) -> None:
        """Set all counters; no carry is under way."""
        for bit, handle in enumerate(self.bits):
            handle.value = sum((counts[name] >> bit & 1) << at for at, name in enumerate(self.names))
        for handle in self.carries:
            handle.value = 0


@cocotb.test()
async def counters_carry_through_every_stage(dut: Any) -> None:
    """From values around 2^16, 2^32 and 2^48 each counter goes on exactly, whatever the others hold.

    Events alone would take hours to get there: the values are loaded through the hierarchy. A lost carry shows.
    """
    apb = await start(dut)
    blk = apb.blk
    geometry, _ = await geometry_of(apb)
    pc_names, port_names = event_names(geometry)
    names = ["cycles", *pc_names, *port_names]
    slices = Slices(blk, names)
    rng = random.Random(cocotb.RANDOM_SEED)

    async def after(counts: Mapping[str, int], lose: int = -1) -> dict[str, int]:
        """Counts after one event of each a cycle; `lose`: the cycle in which the carries into stage 2 vanish."""
        slices.load(counts)
        for cycle in range(len(names) + 8):
            on = cycle < len(names) + 4  # then the last carries arrive
            blk.events_drv.value = on * ((1 << len(pc_names)) - 1)
            blk.host_events_drv.value = on * ((1 << len(port_names)) - 1)
            await FallingEdge(apb.clk)
            if cycle == lose:
                assert int(slices.carries[1].value) == (1 << len(names)) - 1
                slices.carries[1].value = 0
        return await apb.counters()

    def sums(counts: Mapping[str, int], lost: int = 0) -> dict[str, int]:
        return {name: (counts[name] + counted[name] - lost) % WRAP for name in names}

    counted = await after(dict.fromkeys(names, 0))
    assert {counted[name] for name in names[1:]} == {len(names) + 4} and counted["cycles"] > len(names) + 4
    assert set(counted) == set(names)
    # Each counter carries in a cycle of its own: n counts before 2^16 (with anything above), 2^32 and the wrap.
    for top in (1 << 16, 1 << 32, WRAP):
        counts = {name: top - 1 - at for at, name in enumerate(names)}
        assert await after(counts) == sums(counts)
    for _ in range(4):
        counts = {name: rng.getrandbits(48) for name in names}
        assert await after(counts) == sums(counts)
        opposite = {name: WRAP - 1 - count for name, count in counts.items()}
        assert await after(opposite) == sums(opposite)
    # All carry at once, and the carries between stage 1 and 2 are taken away on their way.
    counts = dict.fromkeys(names, (1 << 32) - 1)
    assert await after(counts) == sums(counts)
    assert await after(counts, lose=1) == sums(counts, lost=1 << 32)
