"""The first sign of life of a build: a few reads and writes on both ports."""

import numpy as np
import pyuvm
from hbm_tb import traffic
from hbm_tb.test_base import HbmTest


@pyuvm.test()
class WriteThenRead(HbmTest):
    """What is written is read back, on both ports, and never written places read as their hash."""

    async def body(self) -> None:
        rng = self.config.rng()
        addresses = np.arange(64) * 32
        await self.play({port: traffic.write(rng, addresses, axi_id=np.arange(64) % 16) for port in range(2)})
        await self.play({port: traffic.read(np.arange(128) * 32, axi_id=np.arange(128) % 16) for port in range(2)})


@pyuvm.test()
class ShortRandom(HbmTest):
    """A short constrained-random run."""

    async def body(self) -> None:
        await self.random(600, error_share=0.02)
