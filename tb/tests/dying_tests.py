"""Runs that end in the wrong way: tests/rtl/test_bench_catches.py demands that none of them passes, and why."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pyuvm
from hbm_tb import records, traffic
from hbm_tb.link import cycles
from hbm_tb.test_base import HbmTest


class Reads(HbmTest):
    """Some reads that pass every check."""

    async def body(self) -> None:
        await self.play({p: traffic.read(np.arange(8) * 32, axi_id=np.arange(8)) for p in range(2)})


@pyuvm.test()
class Good(Reads):
    """The same run without anything wrong: passes."""


@pyuvm.test()
class Killed(Reads):
    """The simulator dies by a signal."""

    async def body(self) -> None:
        await super().body()
        os.kill(os.getpid(), signal.SIGKILL)


@pyuvm.test()
class EndsEarly(Reads):
    """The process ends in the middle of the test, with exit code 0."""

    async def body(self) -> None:
        await super().body()
        os._exit(0)


@pyuvm.test()
class Silent(Reads):
    """Everything was checked and the last line is missing, as when the end of the test did not run."""

    def final_phase(self) -> None:
        """Prints nothing."""


@pyuvm.test()
class Hangs(Reads):
    """The untimed side never comes back."""

    async def body(self) -> None:
        while True:
            time.sleep(1)  # never gives the simulator its turn back, and leaves the processor to others meanwhile


@pyuvm.test()
class MonitorBreaks(Reads):
    """An exception in the heartbeat, not in the body of the test."""

    async def body(self) -> None:
        def break_down() -> None:
            raise RuntimeError("planted in the heartbeat")

        self.env.on_batch.append(break_down)
        await super().body()
        await cycles(10 * self.config.batch)


@pyuvm.test()
class NothingOffered(HbmTest):
    """No traffic at all."""

    async def body(self) -> None:
        await cycles(64)


@pyuvm.test()
class ReadNobodyAnswers(Reads):
    """READY never comes on any channel of port 0: the watchdog ends the wait and says for what."""

    settings = {"watchdog": 1500, "fault": records.Fault.STUCK_READY, "fault_at": 0, "fault_arg": 0}


@pyuvm.test()
class RegisterAccessFails(Reads):
    """A register that does not exist answers an error, which must not get lost."""

    async def body(self) -> None:
        await super().body()
        await self.env.rings.apb_write(cycles, 0xFFC, 1)


@pyuvm.test()
class NothingCompared(Reads):
    """The exact model ran beside the channel, but nothing of it was compared."""

    async def end(self) -> None:
        self.env.checks.exact.responses = 0
        await super().end()


@pyuvm.test()
class NoExactModel(Reads):
    """A run that is not compared says so in its last line: whoever counts what was compared finds nothing."""

    settings = {"check_exact": False}  # this is what it shows
