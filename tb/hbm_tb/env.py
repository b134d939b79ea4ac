"""The pyuvm environment: agents, scoreboard, coverage and the heartbeat that moves batches between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hbm_model.csr import resets_of
from hbm_model.csr_table import REGISTERS
from hbm_model.errors import InputError
from hbm_model.params import Params
from numpy.typing import NDArray
from pyuvm import uvm_analysis_export, uvm_component, uvm_env, uvm_scoreboard

from hbm_tb import counters, evidence, failure, records
from hbm_tb.agents import (
    ApbAgent,
    CommandBatch,
    CommandMonitor,
    Heartbeat,
    OutsideBatch,
    OutsideMonitor,
    PortAgent,
    PortBatch,
)
from hbm_tb.config import BenchConfig, reset_params
from hbm_tb.coverage import Coverage
from hbm_tb.failure import Failure
from hbm_tb.legality_lines import Legality
from hbm_tb.link import BY_PATH, Registers, cycles, reset_controls
from hbm_tb.lockstep import LockStep
from hbm_tb.rings import Rings
from hbm_tb.scoreboard import Mismatch, Scoreboard, Settings
from hbm_tb.traffic import Chunk

Records = NDArray[np.void]
CTRL, DRAIN = BY_PATH["ctrl"], BY_PATH["policy.drain"]


class Sink(uvm_analysis_export):  # type: ignore[misc]
    """An analysis export that hands what is written to a function."""

    def __init__(self, name: str, parent: uvm_component, take: Callable[[Any], None]) -> None:
        super().__init__(name, parent)
        self._take = take

    def write(self, value: Any) -> None:
        """Called by the analysis port."""
        self._take(value)


class Checks(uvm_scoreboard):  # type: ignore[misc]
    """The scoreboard as a component: collects the streams of a batch, then checks them together."""

    def __init__(self, name: str, parent: uvm_component, config: BenchConfig) -> None:
        super().__init__(name, parent)
        self.config = config
        self.test = config.test  # its name; the name in the config may be that of a workload
        self.resets = 0  # in the middle of the test
        self.until = 0  # cycle that was reached when the last batch was taken
        self.begin()

    def begin(self) -> None:
        """A channel fresh from reset: nothing was ever asked or written."""
        config = self.config
        # Until something else is programmed the build runs the preset of its reset values.
        self.legality = Legality(reset_params(config.geometry)) if config.check_legality else None
        settings = Settings(
            config.address_map,
            config.base.geometry.has_data_mask,
            config.memory_seed,
            config.reproduce,
            check_commands=config.check_commands,
            cover=config.coverage,
        )
        self.board = Scoreboard(settings, self.legality)
        self.exact = LockStep(reset_params(config.geometry), config.reproduce) if config.check_exact else None
        self.kept: list[Records] = []
        self.forwarding = bool(DRAIN.field("forward").reset)  # policy.drain.forward was ever set
        self.clears = 0  # of the counters, by software
        self.told: Mismatch | None = None  # the first failure
        self._ports: dict[int, PortBatch] = {}
        self._commands: CommandBatch | None = None
        self._outside: OutsideBatch | None = None

    def build_phase(self) -> None:
        self.offered_export = Sink("offered", self, self.offered)
        self.port_export = Sink("ports", self, self.take_port)
        self.command_export = Sink("commands", self, self.take_commands)
        self.outside_export = Sink("outside", self, self.take_outside)

    def offered(self, what: tuple[int, Chunk]) -> None:
        """Requests that a driver gives to its port."""
        port, chunk = what
        self.board.offered(port, chunk.ar, chunk.aw, chunk.w)
        if self.exact is not None:
            self.exact.offered(port, chunk)

    def take_port(self, batch: PortBatch) -> None:
        """Streams of one port."""
        self._ports[batch.port] = batch

    def take_commands(self, batch: CommandBatch) -> None:
        """Commands and errors."""
        self._commands = batch

    def take_outside(self, batch: OutsideBatch) -> None:
        """Events and VALIDs that stand."""
        self._outside = batch

    def check_batch(self) -> None:
        """Check what the monitors published; raises Mismatch. The exact model comes last: the others say more."""
        commands, ports, outside = self._commands, self._ports, self._outside
        if commands is None or outside is None or len(ports) != records.PORTS:
            return
        self._commands, self._ports, self._outside = None, {}, None
        self.until = outside.until
        self._registers_written(outside.events)
        if self.config.keep_commands and len(commands.cmd):
            self.kept.append(commands.cmd)
        acc, r, b = ([getattr(ports[p], name) for p in range(records.PORTS)] for name in ("acc", "r", "b"))
        try:
            self.board.consume(acc, r, b, commands.cmd, commands.err)
            if self.exact is not None:
                self.exact.check(outside.until, acc, r, b, commands.cmd, outside.events, outside.pending)
        except Mismatch as problem:
            self.board.failure = self.board.failure or str(problem)
            # The evidence, in the run folder: all commands, and the streams of the batch that failed.
            streams = {f"{name}{p}": rows[p] for name, rows in (("acc", acc), ("r", r), ("b", b)) for p in range(2)}
            streams |= {"err": commands.err, "ev": outside.events, "pending": outside.pending}
            np.savez(f"failure_{self.config.test}.npz", cmd=self.commands, **streams)
            difference = self._difference_too(outside, commands, acc, r, b) if self.exact is not None else None
            self.told = self.told or problem
            evidence.leave(self, problem, difference)
            raise

    def _difference_too(
        self,
        outside: OutsideBatch,
        commands: CommandBatch,
        acc: Sequence[Records],
        r: Sequence[Records],
        b: Sequence[Records],
    ) -> Failure | None:
        """The first difference from the exact model in a batch in which another check failed before it was asked."""
        exact = self.exact
        if exact is None or exact.cycle >= outside.until:
            return None
        try:
            exact.check(outside.until, acc, r, b, commands.cmd, outside.events, outside.pending)
            exact.tell()
        except Mismatch as problem:
            return problem.failure
        except (ValueError, InputError):  # the records make no sense any more: the first failure says why
            return None
        return None

    def _registers_written(self, events: Records) -> None:
        """What the checks must know of register writes."""
        for row in events[events["kind"] == records.EV_REGISTER]:
            address, word = int(row["a"]), int(row["b"])
            self.forwarding |= address == DRAIN.address and bool(DRAIN.field("forward").of(word))
            self.clears += address == CTRL.address and CTRL.field("clear").of(word)

    def finish(self, require_traffic: bool, forwarded: Sequence[int] | None) -> None:
        """The checks of the end: nothing open, nothing missing, something compared."""
        try:
            self.board.finish(require_traffic, forwarded)
            if self.exact is not None:
                self.exact.finish(require_traffic)
        except Mismatch as problem:
            self.board.failure = self.board.failure or str(problem)
            self.note(problem)
            raise

    def note(self, problem: BaseException) -> None:
        """Leave evidence of what ended the test, unless something was told before."""
        if self.told is None:
            self.told = problem if isinstance(problem, Mismatch) else Mismatch(str(problem))
            evidence.leave(self, problem, None)

    @property
    def commands(self) -> Records:
        """All commands so far (kept unless the settings say otherwise)."""
        return np.concatenate(self.kept) if self.kept else np.zeros(0, records.CMD)


class CoverageCollector(uvm_component):  # type: ignore[misc]
    """Coverage as a subscriber of all streams."""

    def __init__(self, name: str, parent: uvm_component) -> None:
        super().__init__(name, parent)
        self.data = Coverage()

    def build_phase(self) -> None:
        self.offered_export = Sink("offered", self, lambda what: self.data.offered(*what))
        self.port_export = Sink("ports", self, lambda batch: self.data.responses_seen(batch.r, batch.b))
        self.command_export = Sink("commands", self, lambda batch: self.data.commands_seen(batch.cmd))
        self.outside_export = Sink("outside", self, lambda batch: self.data.outside_seen(batch.events))


class HbmEnv(uvm_env):  # type: ignore[misc]
    """Everything that one test needs."""

    def __init__(self, name: str, parent: uvm_component, config: BenchConfig) -> None:
        super().__init__(name, parent)
        self.config = config
        self.rings = Rings.attach()
        self.heart = Heartbeat()
        self.registers = Registers(self.rings)
        self.batch = config.batch
        self.running = False
        self.batches = 0
        self.rd_delay = config.rd_delay  # as the next commit is meant to set it
        self.sv_errors_before = self.rings.sv_errors()
        self.on_batch: list[Callable[[], None]] = []
        self.counts: dict[str, int] = {}  # the last snapshot that was compared
        self.snapshots = 0
        self.clears = 0  # by clear_counters
        self.forwarded = [0, 0]  # reads before the last of them

    # ------------------------------------------------------------ phases

    def build_phase(self) -> None:
        self.agents = [PortAgent(f"port{p}", self, p, self.rings, self.heart) for p in range(records.PORTS)]
        self.apb = ApbAgent("apb", self, self.rings)
        self.command_monitor = CommandMonitor("command_monitor", self, self.rings)
        self.outside_monitor = OutsideMonitor("outside_monitor", self, self.rings)
        self.checks = Checks("checks", self, self.config)
        self.coverage = CoverageCollector("coverage", self) if self.config.coverage else None

    def connect_phase(self) -> None:
        sinks: list[Checks | CoverageCollector] = [self.checks, *([self.coverage] if self.coverage else [])]
        for sink in sinks:
            for agent in self.agents:
                agent.driver.offered.connect(sink.offered_export)
                agent.monitor.ap.connect(sink.port_export)
            self.command_monitor.ap.connect(sink.command_export)
            self.outside_monitor.ap.connect(sink.outside_export)

    async def run_phase(self) -> None:
        """The heartbeat: one wake-up a batch, nothing in between."""
        while True:
            await cycles(self.batch)
            if self.running:
                self.collect()

    def collect(self) -> None:
        """Take everything from the rings and check it."""
        for agent in self.agents:
            agent.monitor.collect()
        self.command_monitor.collect()
        self.outside_monitor.collect()
        self.checks.check_batch()
        if self.coverage and self.checks.exact is not None:
            self.coverage.data.found_in(self.checks.exact.glance(), self.checks.exact.debts())
        self.batches += 1
        for hook in self.on_batch:
            hook()
        self.heart.beat()

    # ------------------------------------------------------------ start and end

    async def start(self, initialise: bool = True) -> None:
        """Reset, initialise, program the parameter set; afterwards traffic may begin.

        Without `initialise` it returns right after reset, with the values that the build resets to.
        """
        rings = self.rings
        reset_controls(rings, self.config)
        rings.restart()
        while rings.ctl["reset"] or rings.ctl["in_reset"]:
            await cycles(4)
        rings.forget()
        evidence.began(rings.cycle())
        self.running = True
        if initialise:
            await self.registers.wait_for("status.init_done", 1, 200_000)
            await self.program(self.config.programmed, self.config.params)
            for path, value in self.config.policy.items():
                await self.registers.write_field(f"policy.{path}", value)
        self.rings.ctl["fault"] = self.config.fault
        if self.coverage:
            self.coverage.data.set_up(self.config)

    async def restart(self) -> None:
        """Reset in the middle of everything; the channel and the bench begin again."""
        self.running = False
        self.checks.begin()
        self.checks.resets += 1
        self.clears, self.forwarded = 0, [0, 0]
        if self.coverage:
            self.coverage.data.restarted()
        await self.start()

    async def program(self, programmed: Params, checked: Params) -> int:
        """Write all registers that differ from the present ones and commit; the number written."""
        amap = self.config.address_map
        values = {**resets_of(programmed), **{f"mask{bit}": mask for bit, mask in enumerate(amap.masks)}}
        written = 0
        if await self.registers.read_field("phy.rd_delay") != self.rd_delay:
            await self.registers.write_field("phy.rd_delay", self.rd_delay)
            written += 1
        for register in REGISTERS:
            fields = [field for field in register.fields if field.preset_reset]
            if not fields:
                continue
            word = await self.registers.read(register.path)
            wanted = word
            for field in fields:
                wanted = wanted & ~field.mask | values[field.preset_reset] << field.lsb
            if wanted != word:
                await self.registers.write(register.path, wanted)
                written += 1
        if written:
            await self.commit(checked)
        return written

    def next_set(self, checked: Params) -> None:
        """What the next commit makes active, as the checkers hold it true: they follow when it does."""
        self.collect()  # what was committed before has happened for them too
        if self.checks.legality is not None:
            self.checks.legality.switch_at_mrs(checked)
        if self.checks.exact is not None:
            self.checks.exact.next_set(checked, self.config.address_map, self.rd_delay)

    async def commit(self, checked: Params) -> None:
        """Make the shadow set active; the checkers follow."""
        self.next_set(checked)
        await self.registers.pulse("ctrl.commit")
        await cycles(8)
        await self.registers.wait_for("status.busy", 0, 100_000)

    async def drain(self, limit: int = 400_000) -> None:
        """Wait until everything that was offered is answered; the watchdog of the timed side reports a hang."""
        waited = idle = 0
        while not (self.rings.idle() and self.checks.board.drained()) and waited <= limit:
            # The timed side has nothing open and we do: a response was lost, waiting longer brings nothing.
            idle = idle + 1 if self.rings.idle() else 0
            if idle > 3:
                break
            waited += self.batch
            await self.heart.wait()

    async def settle(self, limit: int = 8_000) -> None:
        """Wait until the column commands of all answered writes were seen, which follow their B."""
        for _ in range(0, limit, 64):
            if not any(port.writes_due() for port in self.checks.board.ports):
                return
            await cycles(64)
            self.collect()

    async def compare_counters(self, idle: bool = False) -> dict[str, int]:
        """Take a snapshot of the performance counters and compare all of them with the exact model's (M9).

        `idle`: nothing is under way. Raises Mismatch, which names each counter that differs.
        """
        before = self.rings.cycle()
        counts = await counters.take_snapshot(self.registers)
        self.collect()  # the model has seen the snapshot too
        exact = self.checks.exact
        found = contradictions = counters.contradictions(counts, idle and counts["cycles"] >= before)
        if exact is not None:
            found = counters.differences(counts, exact.snapshot()) + contradictions
        if found:
            lines = found[:20] + ([f"... and {len(found) - 20} more"] if len(found) > 20 else [])
            text = "\n  ".join([f"counters, snapshot of cycle {counts['cycles']:,} of the count:", *lines])
            self.checks.board.failure = text
            problem = Mismatch(
                f"{text}\n  reproduce: {self.config.reproduce}",
                failure.of_counters([line.split(":")[0] for line in found], found, self.rings.cycle()),
            )
            self.checks.note(problem)
            raise problem
        self.counts = counts
        if self.coverage:
            self.coverage.data.counted(counts)
        self.snapshots += 1
        return counts

    async def clear_counters(self, unused: bool = False) -> None:
        """Let all counters begin anew, in one write with a snapshot of what they were.

        `unused`: nothing was asked of the channel yet, so that there is nothing to read.
        """
        if unused:
            await self.registers.pulse("ctrl.clear")
            self.clears += 1
            return
        await self.registers.write("ctrl", CTRL.field("snapshot").mask | CTRL.field("clear").mask)
        counts = await counters.read_snapshot(self.registers)
        self.clears += 1
        self.forwarded = [self.forwarded[n] + counts[f"pc{n}_forward"] for n in counters.UNITS]

    async def _all_forwarded(self) -> list[int] | None:
        """Reads that were forwarded since reset, by the counters; None: a test cleared them."""
        if not self.checks.forwarding:
            return [0, 0]
        if self.checks.clears != self.clears:
            return None
        counts = await counters.take_snapshot(self.registers)
        return [self.forwarded[n] + counts[f"pc{n}_forward"] for n in counters.UNITS]

    async def finish(self, require_traffic: bool = True) -> None:
        """Drain, then the checks of the end: nothing open, nothing missing, counters and device memory as expected."""
        await self.drain()
        await self.settle()
        await cycles(64)
        self.collect()
        if self.checks.exact is not None and self.config.check_counters:
            await self.compare_counters(idle=True)
        forwarded = await self._all_forwarded()
        self.collect()
        self.running = False
        self.checks.finish(require_traffic, forwarded)
        self.compare_memory()
        if self.rings.errors():
            problem = Mismatch(
                f"the timed side counted {self.rings.errors()} errors\n  reproduce: {self.config.reproduce}"
            )
            self.checks.note(problem)
            raise problem
        new = self.rings.sv_errors() - self.sv_errors_before
        if new:
            raise Mismatch(f"{new} assertions or $error calls fired in the simulator (see sim.log)")

    def compare_memory(self, most: int = 20_000) -> int:
        """Compare the device's memory with the golden one through the back door; the number of blocks compared."""
        amap = self.config.address_map
        compared = 0
        for port in self.checks.board.ports:
            packed, _ = port.image()
            step = max(1, len(packed) // most)
            chosen = packed[::step]
            at = amap.unpack(port.port, chosen.astype(np.uint64))
            bank = (at.sid * amap.bgs + at.bg) * amap.banks + at.bank
            rows = [
                np.frombuffer(self.rings.dump(port.port, int(bank[i]), int(at.row[i]), int(at.col[i]), 32), np.uint8)
                for i in range(len(chosen))
            ]
            device = np.stack(rows) if rows else np.zeros((0, 32), np.uint8)
            compared += self.checks.board.compare_memory(port.port, chosen, device, step)
        return compared
