"""Commit and reset in the middle of traffic: what software may do at any time."""

from __future__ import annotations

from typing import ClassVar

import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_model.mode_regs import addresses
from hbm_tb import traffic
from hbm_tb.link import cycles
from hbm_tb.random_params import any_set
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
class ManySets(DramTest):
    """Thirty value sets and maps of any content, one commit each: registers, mode registers and their distances.

    No traffic and no refresh, so that nothing need be legal; the legality checker would ask for refreshes (9 x tREFI).
    """

    settings: ClassVar[dict[str, object]] = {"check_legality": False, "policy": {"refresh.refresh_en": 0}}
    traffic_required: ClassVar[bool] = False

    async def body(self) -> None:
        registers, config = self.env.registers, self.config
        for number in range(30):
            one = any_set(config.preset, config.seed * 1000 + number)
            self.env.config = config.with_(masks=one.masks, timing=one.timing)
            self.env.rd_delay = one.rd_delay
            self.env.rings.ctl["temp"] = one.temp
            before = self.log.count(Cmd.MRS)
            await self.env.program(one.params, one.params)
            await cycles(8)  # the last one is on its way to the pins
            written = self.log.count(Cmd.MRS) - before
            expected = len(addresses(config.base.generation.number))
            assert written == expected, f"set {number}: {written} mode registers were written, expected {expected}"
            for path, value in one.policy.items():
                await registers.write_field(f"policy.{path}", value)
            for path, value in one.policy.items():
                found = await registers.read_field(f"policy.{path}")
                assert found == value, f"set {number}: policy.{path} is {found}, {value} was written"
            for bit, mask in enumerate(one.masks):
                found = await registers.read(f"map.mask{bit}")
                assert found == mask, f"set {number}: mask {bit} is {found:#x}, {mask:#x} was written"


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


@pyuvm.test()
class PoliciesUnderTraffic(DramTest):
    """Policy registers and TEMP change at any moment under traffic; lock-step demands each to act from its cycle on."""

    # Register -> words to choose from; what delays refresh beyond its limits is not among them.
    words: ClassVar[dict[str, tuple[int, ...]]] = {
        "policy.page": (0x10, 0x11, 0x12, 0x13, 0x03, 0x2813, 0x5013, 0x14, 0x20_0010, 0x03_0017),
        "policy.refresh": (0x11, 0x21, 0x41, 0x61, 0x81, 0x361, 0x811),
        "policy.turnaround": (0x10_02_03, 0x01_01_00, 0xFF_05_08, 0x05_00_02, 0x00_3F_00),
        "policy.drain": (0x0418, 0x0001, 0x0820, 0x0008, 0x1_0418, 0x1_0408),
        "policy.starve": (0, 1, 2, 30, 100, 400, 1000),
        "policy.qos": (0x1010, 0x0804, 0x0C00, 0x0008, 0x100C),
    }

    async def body(self) -> None:
        rng = self.config.rng("policies")
        registers = self.env.registers
        before = {path: await registers.read(path) for path in self.words}
        shape = RandomShape(self.config.address_map.port_bytes, gap_share=0.0, hot_share=0.5)
        for number in range(12):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 200, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            for _ in range(16):
                path = str(rng.choice(list(self.words)))
                await registers.write(path, int(rng.choice(self.words[path])))
                await cycles(int(rng.integers(1, 30)))
            self.env.rings.ctl["temp"] = int(rng.choice((1, 2, 3, 5)))
        for path, word in before.items():
            await registers.write(path, word)
        self.env.rings.ctl["temp"] = self.config.temp
        # Both kinds of refresh: the debt is what the first kind left.
        for everything in (1, 0):
            await registers.write_field("policy.refresh.refresh_all", everything)
            await self.random(400)
        await self.env.drain()


@pyuvm.test()
class RefreshKindWithDebt(DramTest):
    """All-bank refresh is switched on while more single-bank refreshes are owed than it may ever postpone (M6.1)."""

    settings: ClassVar[dict[str, object]] = {"policy": {"refresh.refresh_hold": 15}, "timing": {"REFISB": 100}}

    async def body(self) -> None:
        registers = self.env.registers
        shape = RandomShape(self.config.address_map.port_bytes, gap_share=0.0, hot_share=0.0)
        most = 0
        for number in range(4):
            chunks = {p: traffic.random_chunk(self.config.rng(number, p), 600, shape) for p in range(2)}
            await self.play(chunks, drain=False)
            for _ in range(60):
                await cycles(40)
                debts = [await registers.read_field(f"load[{p}].refresh_debt") for p in range(2)]
                most = max(most, *debts)
                if min(debts) > 8:
                    break
            await registers.write_field("policy.refresh.refresh_all", 1)
            await self.env.drain()
            await registers.write_field("policy.refresh.refresh_all", 0)
        assert most > 8, f"at most {most} refreshes were owed"
