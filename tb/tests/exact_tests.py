"""The soak of `hbm exact`: random traffic on random settings, in lock-step with the exact model.

One run: the random set of the settings is programmed; all burst kinds, errors, exclusives, gaps and changing
back-pressure; policy registers change under traffic; a commit under traffic brings a second set. `job` holds
transactions, changes (policy fields of each slice) and second (`timing` and `rd_delay` of the second set).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cocotb
import numpy as np
import pyuvm
from hbm_model.commands import Cmd
from hbm_model.presets import preset
from hbm_tb import port_kernel as k
from hbm_tb import traffic
from hbm_tb.agents import CommandBatch
from hbm_tb.env import Sink
from hbm_tb.link import cycles
from hbm_tb.random_params import ALL_TEMPS
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
            share = -(-count // (2 * len(changes)))  # rounded up: any count is offered in full
            parts = {
                port: SliceSequence(f"random{port}", self.chunks(port, number, shape, share)) for port in range(2)
            }
            offered = cocotb.start_soon(ChannelSequence("random", self.env, parts).start())
            await cycles(int(rng.integers(1, 3000)))
            for path, value in change.items():
                await self.env.registers.write_field(f"policy.{path}", value)
            if self.config.check_counters:
                await self.env.compare_counters()
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


@pyuvm.test()
class RefreshSoak(ExactSoak):
    """Idle stretches, in which refreshes run ahead, and load, in which they are put off, for `job["cycles"]` cycles.

    The legality checker holds every bank to 9 x tREFI; the longest wait of a bank is printed, and each bank must have
    been refreshed, with as many refreshes ahead as pull_in allows.
    """

    def build_phase(self) -> None:
        super().build_phase()
        amap = self.config.address_map
        self.banks = amap.sids * amap.bgs * amap.banks
        self.last = np.zeros((2, self.banks), np.int64)  # CK of the last refresh, 0: none yet
        self.longest = np.zeros((2, self.banks), np.int64)

    def connect_phase(self) -> None:
        super().connect_phase()
        self.seen = Sink("refreshes", self, self.refreshed)
        self.env.command_monitor.ap.connect(self.seen)

    def refreshed(self, batch: CommandBatch) -> None:
        """Waits of banks from refresh to refresh."""
        amap = self.config.address_map
        rows = batch.cmd[np.isin(batch.cmd["cmd"], (Cmd.REF, Cmd.REFSB))]
        for row in rows:
            pc, ck = int(row["pc"]), int(row["time"]) // 2
            one = (int(row["sid"]) * amap.bgs + int(row["bg"])) * amap.banks + int(row["bank"])
            which = slice(None) if row["cmd"] == Cmd.REF else slice(one, one + 1)
            waited = np.where(self.last[pc, which] > 0, ck - self.last[pc, which], 0)
            self.longest[pc, which] = np.maximum(self.longest[pc, which], waited)
            self.last[pc, which] = ck

    async def body(self) -> None:
        await self.set_up()
        config = self.config
        every = bool(config.policy["refresh.refresh_all"])
        factor = float(ALL_TEMPS[config.temp])
        interval = int(config.params.count("REFI" if every else "REFISB") * factor) // 2
        pull = min(config.policy["refresh.pull_in"], 8 - config.policy["refresh.refresh_hold"] if every else 15)
        rng = config.rng("phases")
        early, number, given = [0, 0], 0, 0
        while self.env.rings.cycle() < int(config.job["cycles"]):
            shape = replace(self.shape(rng), single_share=0.9, long_share=0.0, error_share=0.0)
            for port in ((0, 1), (0,), (0, 1), (1,))[number % 4]:
                chunk = traffic.random_chunk(rng, int(rng.choice((50, 500, 4000))), shape)
                given += chunk.transactions
                await self.play({port: chunk}, drain=False)
            await self.env.drain()
            # Short and long silence; in the longest all that may run ahead does.
            await cycles(int(rng.choice((10, 36, interval, (pull + 2) * interval + 100))))
            for pc in range(2):
                early[pc] = max(early[pc], await self.env.registers.read_field(f"load[{pc}].refresh_early"))
            number += 1
        self.env.collect()
        assert early == [pull, pull], f"{early} refreshes were ahead at most, pull_in is {pull}"
        assert self.longest.all(), f"banks that were not refreshed twice: {np.argwhere(self.longest == 0).tolist()}"
        worst = float(self.longest.max()) / config.params.count("REFI")
        assert worst <= 9, f"a bank waited for {worst:.2f} x tREFI"
        print(f"longest wait of a bank: {worst:.2f} x tREFI", flush=True)
        print(f"HBM_TB_COUNTS transactions={given}", flush=True)
