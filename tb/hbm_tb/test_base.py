"""Base of all system tests: settings, start, end checks, and the line that closes a test."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import cocotb
from pyuvm import set_sv_uvm_style_reporting_enabled, uvm_report_server, uvm_test

from hbm_tb import coverage_files, run_record
from hbm_tb import port_kernel as k
from hbm_tb.config import BenchConfig
from hbm_tb.counters import COUNTERS
from hbm_tb.env import HbmEnv
from hbm_tb.sequences import ChannelSequence, RandomSequence, play
from hbm_tb.sim import CLOSING
from hbm_tb.traffic import Chunk, RandomShape

set_sv_uvm_style_reporting_enabled(True)

REPRODUCE = "HBM_REPRODUCE"  # environment: the command line that repeats the run, with {test} for the test's name


class HbmTest(uvm_test):  # type: ignore[misc]
    """A test is a `body`; what is before and after is the same for all.

    `settings` are BenchConfig fields; those of base classes hold too, and the environment of the simulation overrides
    all of them.
    """

    settings: ClassVar[dict[str, Any]] = {}
    traffic_required: ClassVar[bool] = True
    initialise: ClassVar[bool] = True  # wait for the initialisation and program the preset before the body

    def build_phase(self) -> None:
        name = type(self).__name__
        inherited = [vars(each).get("settings", {}) for each in reversed(type(self).__mro__)]
        settings = {key: value for each in (*inherited, self.settings) for key, value in each.items()}
        config = BenchConfig.from_environment(test=name, **settings)
        reproduce = os.environ.get(REPRODUCE, "make test TEST={test} SEED={seed}")
        config = config.with_(reproduce=reproduce.format(test=name, seed=config.seed))
        self.recorded = bool(os.environ.get(run_record.RECORD))
        self.config = config.with_(keep_commands=config.keep_commands or self.recorded)
        self.env = HbmEnv("env", self, self.config)
        print(f"test {name}: preset {self.config.preset}, seed {self.config.seed}; {versions()}", flush=True)

    async def run_phase(self) -> None:
        failure: BaseException | None = None
        try:
            self.raise_objection()
            await self.env.start(self.initialise)
            await self.body()
            await self.end()
            self.drop_objection()
        except BaseException as problem:
            failure = problem
            if isinstance(problem, Exception):
                self.env.checks.note(problem)
            raise
        finally:
            if self.recorded:
                run_record.try_to_save(self.env, failure)

    async def body(self) -> None:
        """What the test does."""
        raise NotImplementedError

    async def end(self) -> None:
        """The checks of the end; a test may need others."""
        await self.env.finish(self.traffic_required)

    def check_phase(self) -> None:
        """Reported errors fail too: a logged error alone would not."""
        server = uvm_report_server.get_or_none()
        message = server.failure_message(type(self).__name__) if server is not None else None
        if message is not None:
            self.env.checks.note(AssertionError(message))
        assert message is None, message

    def final_phase(self) -> None:
        """Everything was checked: print the line without which no pass is accepted."""
        board, exact = self.env.checks.board, self.env.checks.exact
        assert board.failure is None and not self.env.running, "the end checks did not run"
        folder = os.environ.get(coverage_files.DIRECTORY)
        if folder and self.env.coverage is not None:
            self.env.coverage.data.save(Path(folder) / f"coverage_{type(self).__name__}.json", board)
        compared = [f"exact_{name}={count}" for name, count in (exact.compared if exact else {}).items()]
        compared += [f"exact_counters={self.env.snapshots * len(COUNTERS)}"] if self.env.snapshots else []
        print(
            f"{CLOSING} {type(self).__name__} read_beats={board.total(k.N_RD_CHECKED)} writes={board.total(k.N_B)} "
            f"commands={board.commands} {' '.join(compared) or 'exact=off'} cycles={self.env.rings.cycle()} "
            f"seed={self.config.seed}",
            flush=True,
        )
        sys.stdout.flush()

    # ------------------------------------------------------------ for bodies

    async def play(self, chunks: Mapping[int, Chunk] | Chunk, drain: bool = True) -> None:
        """Give chunks to the ports (a bare chunk goes to port 0) and wait for all answers."""
        parts = {0: chunks} if isinstance(chunks, Chunk) else chunks
        await play(self.env, parts).start()
        if drain:
            await self.env.drain()

    async def random(self, count: int, **how: Any) -> None:
        """Random traffic of `count` transactions, spread over both ports."""
        shape = RandomShape(self.config.address_map.port_bytes, **how)
        parts = {
            port: RandomSequence(f"random{port}", self.config.rng("port", port), count // 2, shape) for port in range(2)
        }
        await ChannelSequence("random", self.env, parts).start()
        await self.env.drain()

    @property
    def board(self) -> Any:
        """The scoreboard."""
        return self.env.checks.board

    def total(self, counter: int) -> int:
        """Sum of a scoreboard counter over the ports."""
        return int(self.board.total(counter))


def versions() -> str:
    """Versions of what the test runs on, in one line."""
    names = ("cocotb", "pyuvm", "numpy", "numba")
    found = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"{cocotb.SIM_NAME} {cocotb.SIM_VERSION}, {found}, python {sys.version.split()[0]}"
