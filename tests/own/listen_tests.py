"""Inside the simulator: a bench that only listens (Device = 0) to the pins of another controller and device."""

from __future__ import annotations

from typing import Any, ClassVar

import cocotb
import pyuvm
from hbm_tb.own_dut import OwnTest


class Listening(OwnTest):
    """No driver and no monitor: the top puts the words of a run on the pins."""

    # Shorter than the run: only commands that are seen keep it quiet.
    settings: ClassVar[dict[str, Any]] = {"preset": "hbm2_2000_eng", "batch": 128, "watchdog": 600}

    async def body(self) -> None:
        while not cocotb.top.done.value:
            await self.env.wait(64)


@pyuvm.test()
class Listen(Listening):
    """Until the words end."""


@pyuvm.test()
class ListenOn(Listening):
    """Beyond the end of the words: nothing moves."""

    async def body(self) -> None:
        await super().body()
        await self.env.wait(2000)


@pyuvm.test()
class ExpectNothing(Listening):
    """No command is what it waits for."""

    traffic_required = commands_required = False
