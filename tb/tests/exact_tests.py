"""The soak of `hbm exact`: random traffic on random settings, in lock-step with the exact model.

One run: the random set of the settings is programmed; all burst kinds, errors, exclusives, gaps and changing
back-pressure; policy registers change under traffic; a commit under traffic brings a second set. `job` holds
transactions, changes (policy fields of each slice) and second (`timing` and `rd_delay` of the second set).
"""

from __future__ import annotations

from collections.abc import Iterator

import cocotb
import numpy as np
import pyuvm
from hbm_model.presets import preset
from hbm_tb import port_kernel as k
from hbm_tb import traffic
from hbm_tb.link import cycles
from hbm_tb.sequences import ChannelSequence, SliceSequence
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk, Deck, RandomShape

LEVELS = (256, 256, 224, 128, 48, 20)  # of READY, in 1/256
PIECE = 250  # transactions of a port between two groups of exclusives
PLACES = 12  # bytes that exclusives are about; more than there are monitors


@pyuvm.test()
class ExactSoak(HbmTest):
    """Everything that the outside may do, at random; RTL and exact model agree on each cycle."""

    settings = {"batch": 1024, "keep_commands": False, "coverage": False}
    initialise = False  # all-bank refresh is switched on while next to nothing is owed; program() writes ap_min_ras

    async def set_up(self) -> None:
        """The first set and its policies."""
        registers, config = self.env.registers, self.config
        await registers.wait_for("status.init_done", 1, 200_000)
        refresh = [path for path in config.policy if path.startswith("refresh.")]
        for path in refresh:
            await registers.write_field(f"policy.{path}", config.policy[path])
        await self.env.program(config.programmed, config.params)
        for path, value in config.policy.items():
            if path not in refresh:
                await registers.write_field(f"policy.{path}", value)

    async def body(self) -> None:
        await self.set_up()
        job = self.config.job
        count = int(job.get("transactions", 20_000))
        changes: list[dict[str, int]] = job.get("changes", [{}, {}, {}, {}])
        second = job.get("second")
        self.given = [0, 0]
        for number, change in enumerate(changes):
            rng = self.config.rng("slice", number)
            for port in range(2):
                for name in ("ready_r", "ready_b"):
                    self.env.rings.ctl[name][port] = int(rng.choice(LEVELS))
            shape = self.shape(rng)
            parts = {
                port: SliceSequence(f"random{port}", self.chunks(port, number, shape, count // len(changes) // 2))
                for port in range(2)
            }
            offered = cocotb.start_soon(ChannelSequence("random", self.env, parts).start())
            await cycles(int(rng.integers(1, 3000)))
            for path, value in change.items():
                await self.env.registers.write_field(f"policy.{path}", value)
            if second and number == len(changes) // 2:
                params = preset(self.config.preset).replaced(**second["timing"])
                params = params.replaced(rows=self.config.row_limit) if self.config.row_limit else params
                self.env.rd_delay = int(second["rd_delay"])
                await self.env.program(params, params)
            await offered
        await self.env.drain(4_000_000)  # a hang is found by the watchdog
        total = sum(self.given)
        assert total >= count, f"{total} of {count} transactions were offered"
        answered = self.total(k.N_B) + self.total(k.N_LAT_COUNT)
        print(f"HBM_TB_COUNTS transactions={total} sets={2 if second else 1} answered={answered}", flush=True)

    def shape(self, rng: np.random.Generator) -> RandomShape:
        """What kind of traffic this slice has: long or short, spread or in a few rows, dense or with pauses."""
        config = self.config
        return RandomShape(
            config.address_map.port_bytes,
            write_share=float(rng.choice((0.1, 0.3, 0.5, 0.5, 0.9))),
            single_share=float(rng.choice((0.3, 0.55, 0.9))),
            long_share=float(rng.choice((0.0, 0.01, 0.02))),
            hot_share=float(rng.choice((0.0, 0.6, 0.95))),
            hot_windows=int(rng.choice((1, 4, 16))),
            gap_share=float(rng.choice((0.0, 0.2, 0.6))),
            gap_most=int(rng.choice((3, 24, 100))),
            ids=int(rng.choice((1, 4, 64))),
            error_share=float(rng.choice((0.0, 0.002, 0.05))),
        )

    def chunks(self, port: int, number: int, shape: RandomShape, count: int) -> Iterator[Chunk]:
        """Random bursts of one slice and port, with exclusives in between."""
        rng = self.config.rng("traffic", port, number)
        deck = Deck(rng)
        # Totals of 1 to 128 bytes, aligned to them: legal for exclusives.
        places = rng.integers(0, shape.port_bytes // 4096, PLACES) * 4096 + rng.integers(0, 32, PLACES) * 128
        sizes, beats = rng.integers(0, 6, PLACES), 2 ** rng.integers(0, 3, PLACES)
        left = count
        while left > 0:
            now = min(left, PIECE)
            chunk = traffic.random_chunk(rng, now, shape, deck=deck)
            if now == PIECE:
                picked = rng.integers(0, PLACES, 8)
                how = (places[picked], beats[picked] - 1, sizes[picked], 1, picked % 10)
                chunk += traffic.read(*how, lock=1)
                stores = rng.random(8) < 0.7
                again = tuple(np.broadcast_to(value, 8)[stores] for value in how)
                chunk += traffic.write(rng, *again, lock=1)
            self.given[port] += chunk.transactions
            left -= now
            yield chunk
