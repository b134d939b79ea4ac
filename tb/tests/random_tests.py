"""Constrained-random traffic over both ports: the soak that every change must survive."""

import pyuvm
from hbm_tb import port_kernel as k
from hbm_tb import traffic
from hbm_tb.sequences import ChannelSequence, RandomSequence
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Deck, RandomShape

TRANSACTIONS = 100_000


class RandomTraffic(HbmTest):
    """Random transactions, `job["transactions"]` of them (default 100,000)."""

    async def soak(self, count: int, **how: object) -> None:
        """Random traffic in slices, each with other back-pressure, so that full and starved phases meet."""
        shape = RandomShape(self.config.address_map.port_bytes, **how)
        rng = self.config.rng("slices")
        slices = max(1, count // 5_000)
        levels = (256, 256, 224, 128, 48)
        decks = [Deck(self.config.rng("deck", port)) for port in range(2)]
        for number in range(slices):
            ctl = self.env.rings.ctl
            for port in range(2):
                for channel, name in enumerate(("ready_r", "ready_b")):
                    level = int(rng.choice(levels))
                    ctl[name][port] = level
                    if self.env.coverage:
                        self.env.coverage.data.ready_level(channel, level)
            parts = {
                port: RandomSequence(
                    f"random{port}", self.config.rng(port, number), count // slices // 2, shape, deck=decks[port]
                )
                for port in range(2)
            }
            await ChannelSequence("random", self.env, parts).start()
            if self.config.check_counters:
                await self.env.compare_counters()  # under traffic: what was offered is not answered yet
        await self.env.drain()


@pyuvm.test()
class RandomSoak(RandomTraffic):
    """100,000 transactions: every length, size, burst type and strobe shape, overlaps, gaps, random back-pressure."""

    settings = {"batch": 1024, "keep_commands": False}

    async def body(self) -> None:
        count = int(self.config.job.get("transactions", TRANSACTIONS))
        await self.soak(count, error_share=0.002)
        coverage = self.env.coverage.data
        given = int(coverage["axi.port"].sum())
        assert given >= count, f"{given} of {count} transactions were offered"
        singles = int(coverage["axi.length"][:, :, 0].sum())
        mean = sum(int(coverage["axi.length"][:, :, n].sum()) * (n + 1) for n in range(256)) / given
        if count >= TRANSACTIONS:
            assert 0.45 <= singles / given <= 0.55, f"share of single beats {singles / given:.2f}"
            assert 6 <= mean <= 10, f"mean length {mean:.1f}"
            holes = coverage.holes_of_random()
            assert not holes, f"{len(holes)} shapes were never offered: {', '.join(holes[:5])}"
        assert (
            self.total(k.N_MULTI) > 0
            and self.total(k.N_RAW) > 0
            and self.total(k.N_WAR) > 0
            and self.total(k.N_WAW) > 0
        )


@pyuvm.test()
class RandomErrors(RandomTraffic):
    """Many illegal and outside bursts among legal ones."""

    async def body(self) -> None:
        await self.soak(3_000, error_share=0.3)
        assert self.total(k.N_SLVERR) > 300 and self.total(k.N_DECERR) > 50


@pyuvm.test()
class RandomOneBlock(RandomTraffic):
    """Everything in a few 32-byte blocks: hazards in every order."""

    async def body(self) -> None:
        await self.soak(4_000, hot_share=1.0, hot_windows=2, hot_bytes=64, long_share=0.0, ids=8)
        assert self.total(k.N_MULTI) > 500


@pyuvm.test()
class RandomNarrow(RandomTraffic):
    """Sizes below the bus, unaligned starts, sparse strobes."""

    async def body(self) -> None:
        await self.soak(
            4_000,
            size_weights=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1),
            unaligned_share=0.6,
            shape_weights=(0.2, 0.1, 0.3, 0.2, 0.1, 0.1),
        )


@pyuvm.test()
class RandomFewIds(RandomTraffic):
    """One id per port: everything in order; and then all ids: responses overtake each other."""

    async def body(self) -> None:
        await self.soak(1_500, ids=1)
        assert self.total(k.N_ID_OVERTAKE) == 0, "responses of one id overtook each other"
        await self.soak(3_000, ids=64, hot_share=0.0)
        assert self.total(k.N_ID_OVERTAKE) > 100, "no reordering between ids was seen"


@pyuvm.test()
class RandomReactive(RandomTraffic):
    """Small batches: Python wakes every 16 cycles and the channel often runs empty."""

    settings = {"batch": 16}

    async def body(self) -> None:
        rng = self.config.rng("pauses")
        shape = RandomShape(self.config.address_map.port_bytes, hot_share=0.9, gap_share=0.5)
        for _ in range(40):
            await self.play({p: traffic.random_chunk(rng, int(rng.integers(1, 12)), shape) for p in range(2)})
