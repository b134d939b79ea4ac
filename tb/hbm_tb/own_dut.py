"""The checks around a controller that is not ours, as pyuvm components (docs/own-dut.md).

A test derives from OwnTest, makes its own driver and monitor of the controller's port, and hands what the monitor sees
to `env.request` and `env.answer` (functions), or connects analysis ports to `env.request_export` and
`env.answer_export`. All else is here: commands from the pins, legality, errors of the device, data, coverage, and the
files of the run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
from cocotb.triggers import Timer
from hbm_model.commands import COLUMN_COMMANDS, NO_ROW, CmdArray
from pyuvm import (
    set_sv_uvm_style_reporting_enabled,
    uvm_analysis_export,
    uvm_analysis_port,
    uvm_component,
    uvm_env,
    uvm_monitor,
    uvm_report_server,
    uvm_scoreboard,
    uvm_test,
)

from hbm_tb import coverage_files, own_record, records
from hbm_tb import failure as failures
from hbm_tb.failure import Failure
from hbm_tb.legality_lines import Legality
from hbm_tb.own_board import AccessBoard, Answer, Request
from hbm_tb.own_config import REPRODUCE, OwnConfig
from hbm_tb.own_coverage import OwnCoverage
from hbm_tb.rings import Rings
from hbm_tb.scoreboard import Mismatch
from hbm_tb.sim import CLOSING

set_sv_uvm_style_reporting_enabled(True)

RESET_CYCLES = 8


class _Export(uvm_analysis_export):  # type: ignore[misc]
    """Hands what an analysis port writes to a function."""

    def __init__(self, name: str, parent: uvm_component, take: Callable[[Any], None]) -> None:
        super().__init__(name, parent)
        self._take = take

    def write(self, value: Any) -> None:
        """Called by the analysis port."""
        self._take(value)


class PinMonitor(uvm_monitor):  # type: ignore[misc]
    """Publishes what the recorder noted: (commands, errors of the device), one pair a batch."""

    def __init__(self, name: str, parent: uvm_component, rings: Rings) -> None:
        super().__init__(name, parent)
        self.rings = rings
        self.ap = uvm_analysis_port("ap", self)

    def collect(self) -> None:
        """Empty the rings. The pins do not name the row of a column command."""
        commands = self.rings.pop_cmd()
        commands["row"][np.isin(commands["cmd"], COLUMN_COMMANDS)] = NO_ROW
        self.ap.write((commands, self.rings.pop_err()))


def _of_device(error: np.void, text: str) -> Failure:
    """What the device complained of, in parts."""
    return failures.of_timed_side(records.Err(int(error["code"])).name, text, int(error["time"]))


class OwnChecks(uvm_scoreboard):  # type: ignore[misc]
    """Everything that can fail: device, legality, data. `cycle`: what the bench has reached, for the replay."""

    def __init__(
        self, name: str, parent: uvm_component, config: OwnConfig, cycle: Callable[[], int] = lambda: 0
    ) -> None:
        super().__init__(name, parent)
        self.config = config
        self.cycle = cycle
        self.failure = ""
        self.violations: list[str] = []
        self.begin()

    def begin(self) -> None:
        """A controller fresh from reset."""
        config = self.config
        self.legality = Legality(config.params) if config.check_legality else None
        self.board = AccessBoard(config.params, config.memory_seed, config.one_column_each)
        self.kept: list[CmdArray] = []
        self.columns = 0  # RD and WR that the recorder saw

    def build_phase(self) -> None:
        self.pins_export = _Export("pins", self, self.take_pins)

    def tell(self, text: str, found: Failure | None) -> None:
        """Keep the first failure, as a sentence and as failure_<test>.json (docs/debugging.md)."""
        if self.failure:
            return
        self.failure = text
        found = replace(
            found or failures.of_message(text),
            test=self.config.test,
            reproduce=self.config.reproduce,
            seen_cycle=self.cycle(),  # the replay must last until the end of this batch
        )
        found.write(Path.cwd() / failures.file_of_test(self.config.test))

    def fail(self, text: str, found: Failure | None = None) -> NoReturn:
        """End the test."""
        self.tell(text, found)
        raise Mismatch(text, found)

    def guarded(self, check: Callable[[Any], None], value: Any) -> None:
        """Run a check that may end the test."""
        try:
            check(value)
        except Mismatch as problem:
            self.tell(str(problem), problem.failure)
            raise

    def take_pins(self, batch: tuple[CmdArray, Any]) -> None:
        """Commands and errors of a batch: rules first, since they say more than the device."""
        commands, errors = batch
        self.kept.append(commands)
        self.columns += int(np.count_nonzero(np.isin(commands["cmd"], COLUMN_COMMANDS)))
        broken = self.legality.check(commands) if self.legality is not None else []
        self.violations += map(str, broken)
        said = [records.describe_error(row) for row in errors[:20]]
        if broken or said:
            more = f"; the device: {said[0]}" if broken and said else ""
            found = getattr(broken[0], "failure", None) if broken else _of_device(errors[0], said[0])
            self.fail(f"{(broken or said)[0]}{more}", found)

    @property
    def commands(self) -> CmdArray:
        """All commands so far."""
        return np.concatenate(self.kept) if self.kept else np.zeros(0, records.CMD)

    def progress(self) -> tuple[int, int, int]:
        """What changes while something moves. Commands other than RD and WR (refresh, say) count only where no monitor
        tells of requests: a controller that only refreshes hangs if it was asked for something.
        """
        board = self.board
        return len(board.log), board.checked, self.columns if board.log else sum(map(len, self.kept))

    def silence(self, listening: bool, traffic_required: bool, commands_required: bool) -> str:
        """What a pass lacks where nothing happened; empty: nothing.

        `listening`: the bench has no device (Device = 0), and requests need not be told.
        """
        if commands_required and not sum(map(len, self.kept)):
            return "the recorder saw no command at all"
        if not traffic_required or self.board.log:
            return ""
        if not self.columns:
            return "nothing was checked: no request was told, and the recorder saw no RD or WR"
        return "" if listening else "nothing was checked: no monitor told of a request"


class OwnEnv(uvm_env):  # type: ignore[misc]
    """The bench around a controller: one for the whole simulation."""

    def __init__(self, name: str, parent: uvm_component, config: OwnConfig) -> None:
        super().__init__(name, parent)
        self.config = config
        self.rings = Rings.attach()
        self.coverage = OwnCoverage(config)
        self.running = False
        self.finished = False
        self.on_batch: list[Callable[[], None]] = []
        self._moved = (0.0, (0, 0, 0))  # CK at which something moved last, and what had happened by then
        self._sv_errors = self.rings.sv_errors()

    def build_phase(self) -> None:
        self.pin_monitor = PinMonitor("pin_monitor", self, self.rings)
        self.checks = OwnChecks("checks", self, self.config, self.rings.cycle)
        self.coverage_export = _Export("coverage", self, lambda batch: self.coverage.commands_seen(batch[0]))
        self.request_export = _Export("request", self, self.request)
        self.answer_export = _Export("answer", self, self.answer)

    def connect_phase(self) -> None:
        # Coverage first: a check that fails ends the batch.
        self.pin_monitor.ap.connect(self.coverage_export)
        self.pin_monitor.ap.connect(self.checks.pins_export)

    # ------------------------------------------------------------ for monitors

    def ck(self) -> float:
        """CK since the bench left reset, to 2 CK: what times of requests and answers are counted in."""
        return 2.0 * self.rings.cycle()

    def request(self, request: Request) -> None:
        """The controller accepted a request."""
        self.coverage.request_seen(request)
        self.checks.guarded(self.checks.board.accepted, request)

    def answer(self, answer: Answer) -> None:
        """Read data came back."""
        self.checks.guarded(self.checks.board.answered, answer)

    # ------------------------------------------------------------ the run

    async def run_phase(self) -> None:
        """The heartbeat: one wake-up a batch."""
        while True:
            await self.wait(self.config.batch)
            if self.running:
                self.collect()

    async def wait(self, ck: float) -> None:
        """Let time pass."""
        await Timer(round(ck * self.config.ck_ns * 1000), "ps")

    def collect(self) -> None:
        """Take what the timed side recorded and check it."""
        self.pin_monitor.collect()
        self._watch()
        for hook in self.on_batch:
            hook()

    def _watch(self) -> None:
        """Something must move while the test runs."""
        board, now, state = self.checks.board, self.ck(), self.checks.progress()
        if state != self._moved[1]:
            self._moved = (now, state)
        elif self.config.watchdog and now - self._moved[0] > self.config.watchdog:
            left = board.reads - board.checked
            still = now - self._moved[0]
            what = "request, answer or column command" if board.log else "request and no command"
            text = f"CK {now:g}: no {what} for {still:g} CK; {left} reads are open"
            self.checks.fail(text, Failure("hang", "hang:nothing moves", text, ck=now, cycle=int(now) // 2))

    async def start(self) -> None:
        """Reset the bench (and whoever uses its `rst_no`), empty memory, forget all that was."""
        rings, config = self.rings, self.config
        self.running = False
        for name, value in (("seed", config.memory_seed), ("watchdog", 0), ("fault", 0), ("alert", 0), ("hold", 0)):
            rings.ctl[name] = value
        params = config.params
        for name, key in (("expect_rl", "RL"), ("expect_wl", "WL")):
            rings.ctl[name] = params.count(key) if config.check_latencies else 0
        rings.restart(RESET_CYCLES)
        while rings.ctl["reset"] or rings.ctl["in_reset"]:
            await self.wait(4)
        rings.forget()
        self.checks.begin()
        self._moved = (0.0, (0, 0, 0))
        self.running = True

    async def finish(self, traffic_required: bool = True, commands_required: bool = True) -> None:
        """The checks of the end: everything collected, answered, matched, and something compared at all."""
        params = self.config.params
        await self.wait(params.count("WL") + params.count("RL") + 16)  # the last data are on their way
        self.collect()
        self.running = False
        checks, commands = self.checks, self.checks.commands
        # No device took the column commands: the bench is one that only listens (Device = 0).
        listening = checks.columns > 0 and not self.rings.ctl["dev_reads"] + self.rings.ctl["dev_writes"]
        missing = checks.silence(listening, traffic_required, commands_required)
        if missing:
            checks.fail(missing)
        told = bool(checks.board.log) or not listening
        checks.guarded(checks.board.finish, commands if told else None)
        if checks.legality is not None and checks.legality.commands != len(commands):
            checks.fail(f"{checks.legality.commands} of {len(commands)} commands went through the legality checker")
        if self.rings.errors():
            checks.fail(f"the timed side counts {self.rings.errors()} errors")
        if self.rings.sv_errors() != self._sv_errors:
            checks.fail(f"{self.rings.sv_errors() - self._sv_errors} assertions or $error failed (see the log)")
        self.finished = True


class OwnTest(uvm_test):  # type: ignore[misc]
    """A test of a controller that is not ours: `body` is what it does, all else is the same for every test.

    `settings` are OwnConfig fields; the environment of the simulation (HBM_OWN_BENCH) overrides them.
    `traffic_required`: a pass needs requests; where the bench only listens and no monitor tells of any, RD or WR.
    `commands_required`: a pass needs commands on the pins, of whatever kind.
    """

    settings: ClassVar[dict[str, Any]] = {}
    traffic_required: ClassVar[bool] = True
    commands_required: ClassVar[bool] = True

    def build_phase(self) -> None:
        name = type(self).__name__
        config = OwnConfig.from_environment(test=name, **self.settings)
        reproduce = config.reproduce or os.environ.get(REPRODUCE, "")
        reproduce = reproduce.replace("{test}", name).replace("{seed}", str(config.seed))
        self.config = OwnConfig(**{**vars(config), "reproduce": reproduce})
        self.env = OwnEnv("env", self, self.config)
        print(f"test {name}: preset {config.preset}, seed {config.seed}; {own_record.versions_line()}", flush=True)

    async def run_phase(self) -> None:
        self.raise_objection()
        try:
            await self.env.start()
            await self.body()
            await self.env.finish(self.traffic_required, self.commands_required)
        finally:
            self.save()
        self.drop_objection()

    async def body(self) -> None:
        """What the test does."""
        raise NotImplementedError

    def save(self) -> None:
        """Files of the run, also when a check failed."""
        checks = self.env.checks
        told, cycle = (checks.failure, len(checks.violations)), self.env.rings.cycle()
        own_record.save(Path.cwd(), self.config, checks.board, checks.commands, *told, cycle)
        folder = Path(os.environ.get(coverage_files.DIRECTORY) or ".")
        report = self.env.coverage.report(checks.legality)
        (folder / f"coverage_{type(self).__name__}.json").write_text(json.dumps(report) + "\n")

    def check_phase(self) -> None:
        """Reported errors fail too: a logged error alone would not."""
        server = uvm_report_server.get_or_none()
        message = server.failure_message(type(self).__name__) if server is not None else None
        assert message is None, message
        assert not self.env.checks.failure, self.env.checks.failure

    def final_phase(self) -> None:
        """Everything was checked: print the line without which no pass is accepted."""
        checks = self.env.checks
        assert self.env.finished and not checks.failure, "the end checks did not run"
        board = checks.board
        print(
            f"{CLOSING} {type(self).__name__} reads={board.checked} writes={board.writes} "
            f"commands={len(checks.commands)} cycles={self.env.rings.cycle()} seed={self.config.seed}",
            flush=True,
        )
        sys.stdout.flush()
