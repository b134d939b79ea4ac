"""What only HBM4 shows: tRAS above its mode-register field, half a CK in some times."""

from __future__ import annotations

import pyuvm
from dram_tests import DramTest
from hbm_model.commands import Cmd
from hbm_tb.command_log import AUTO


@pyuvm.test()
class RasAboveItsField(DramTest):
    """RAS 66 exceeds its field (63): RDA and WRA only when their internal precharge falls at or after ACT + RAS."""

    async def body(self) -> None:
        params = self.config.params
        ras = params.count("RAS")
        assert ras > 63, "this preset does not need the rule"
        start = self.now_ck()
        await self.busy_until(start + 12_000, hot_share=0.3)
        log = self.log.after(start)
        write_done = params.count("WL") + 2 + params.count("WR")
        early = 0
        for act, column, command in log.with_act(AUTO):
            end = column + (params.count("RTP") if command == Cmd.RDA else write_done)
            assert end >= act + ras, f"{command.name} at CK {column}: internal precharge {end - act} CK after ACT"
            early += end - act < ras + 8
        assert log.count(*AUTO) > 20 and early > 0, "the rule was never close to its bound"
        assert log.count(Cmd.PRE) > 20


@pyuvm.test()
class ShortSoak(DramTest):
    """Random traffic on the HBM4 build."""

    async def body(self) -> None:
        await self.random(3_000, error_share=0.01)
