"""Commit and reset in the middle of traffic: what software may do at any time."""

from __future__ import annotations

import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_tb import traffic
from hbm_tb.link import cycles
from hbm_tb.traffic import RandomShape


@pyuvm.test()
class CommitUnderTraffic(DramTest):
    """A commit in the middle of traffic drains the channel, loses nothing, and the new timings hold from then on."""

    async def body(self) -> None:
        params = self.config.params
        slow = params.replaced(RCDRD=params.count("RCDRD") + 7, RP=params.count("RP") + 5, WR=params.count("WR") + 4)
        shape = RandomShape(self.config.address_map.port_bytes)
        for number in range(6):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 400, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await cycles(150 + 40 * number)
            before = self.log.count(Cmd.MRS)
            await self.env.program(params if number % 2 else slow, params if number % 2 else slow)
            assert self.log.count(Cmd.MRS) > before, "the commit wrote no mode registers"
        await self.env.drain()


@pyuvm.test()
class ResetUnderTraffic(DramTest):
    """A reset in the middle of traffic: afterwards the channel works as from power-on."""

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes)
        for number in range(3):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 300, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            await cycles(100 + 77 * number)
            await self.env.restart()
        await self.random(300)
