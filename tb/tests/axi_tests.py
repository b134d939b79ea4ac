"""One test per AXI feature and error of the host side (docs/microarchitecture.md, M2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyuvm
from hbm_tb import axi, records, traffic
from hbm_tb import port_kernel as k
from hbm_tb.link import cycles
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk, RandomShape

PAGE = traffic.PAGE


def both(make: Any) -> dict[int, Chunk]:
    """The same kind of traffic on both ports, `make(port)`."""
    return {port: make(port) for port in range(records.PORTS)}


# ---------------------------------------------------------------- sizes, lengths, burst types


@pyuvm.test()
class EverySizeAndLane(HbmTest):
    """Single beats of every size at every byte offset of a block, written and read back."""

    async def body(self) -> None:
        rng = self.config.rng()
        size, offset = (grid.ravel() for grid in np.meshgrid(np.arange(6), np.arange(32), indexing="ij"))
        for base in (0, PAGE * 37):
            addr = base + offset + 32 * size
            await self.play(both(lambda port, a=addr: traffic.write(rng, a, 0, size, axi_id=size)))
            await self.play(both(lambda port, a=addr: traffic.read(a, 0, size, axi_id=size)))
        assert self.total(k.N_RD_CHECKED) == 2 * 2 * 192


@pyuvm.test()
class EveryIncrLength(HbmTest):
    """INCR of 1 to 256 beats; the largest size that fits into 4 KiB."""

    async def body(self) -> None:
        rng = self.config.rng()
        beats = np.arange(1, 257)
        size = np.minimum(5, np.floor(np.log2(PAGE / beats)).astype(int))
        addr = PAGE * (100 + beats) + (rng.integers(0, PAGE, 256) % (PAGE - (beats << size) + 1) >> size << size)
        order = rng.permutation(256)
        for part in np.array_split(order, 4):
            ids = part % 64
            await self.play(both(lambda p, i=part, n=ids: traffic.write(rng, addr[i], beats[i] - 1, size[i], axi_id=n)))
            await self.play(both(lambda p, i=part, n=ids: traffic.read(addr[i], beats[i] - 1, size[i], axi_id=n)))


@pyuvm.test()
class UnalignedIncr(HbmTest):
    """INCR bursts whose first beat is not aligned, narrow and full width."""

    async def body(self) -> None:
        rng = self.config.rng()
        size, offset = (grid.ravel() for grid in np.meshgrid(np.arange(1, 6), np.arange(1, 32, 3), indexing="ij"))
        addr = PAGE * 5 + 256 * np.arange(len(size)) % PAGE + offset
        length = rng.integers(1, 7, len(size))
        await self.play(both(lambda p: traffic.write(rng, addr, length, size, axi_id=3, shape=traffic.FULL)))
        await self.play(both(lambda p: traffic.read(addr, length, size, axi_id=np.arange(len(size)) % 64)))


@pyuvm.test()
class EveryWrap(HbmTest):
    """WRAP of 2, 4, 8, 16 beats, every size, every start in the container."""

    async def body(self) -> None:
        rng = self.config.rng()
        rows = [
            (beats - 1, size, start << size) for beats in (2, 4, 8, 16) for size in range(6) for start in range(beats)
        ]
        length, size, start = (np.array(column) for column in zip(*rows, strict=True))
        addr = PAGE * 11 + 512 * (np.arange(len(rows)) % 8) + start
        ids = np.arange(len(rows)) % 64
        await self.play(both(lambda p: traffic.write(rng, addr, length, size, axi.WRAP, ids)))
        await self.play(both(lambda p: traffic.read(addr, length, size, axi.WRAP, ids)))
        await self.play(both(lambda p: traffic.read(PAGE * 11 + np.arange(128) * 32, axi_id=ids[:128])))


@pyuvm.test()
class EveryFixed(HbmTest):
    """FIXED of 1 to 16 beats: later beats win, reads repeat the bytes."""

    async def body(self) -> None:
        rng = self.config.rng()
        length, size = (grid.ravel() for grid in np.meshgrid(np.arange(16), np.arange(6), indexing="ij"))
        addr = PAGE * 3 + 64 * (np.arange(len(size)) % 32) + (1 << size) % 32
        shape = rng.integers(0, len(traffic.SHAPES), len(size))
        await self.play(both(lambda p: traffic.write(rng, addr, length, size, axi.FIXED, 7, shape)))
        await self.play(both(lambda p: traffic.read(addr, length, size, axi.FIXED, np.arange(len(size)) % 64)))
        await self.play(both(lambda p: traffic.read(PAGE * 3 + np.arange(64) * 32)))


@pyuvm.test()
class StrobeShapes(HbmTest):
    """Full, absent, sparse, single, run and holed strobes; a request without strobes issues no command."""

    async def body(self) -> None:
        rng = self.config.rng()
        shape, length = (grid.ravel() for grid in np.meshgrid(np.arange(6), np.arange(12), indexing="ij"))
        addr = PAGE * 9 + 512 * (np.arange(len(shape)) % 7)
        await self.play(both(lambda p: traffic.write(rng, addr, length, 5, axi_id=1, shape=shape)))
        assert self.total(k.N_DROPPED) >= 2 * sum(range(1, 13)), "requests without strobes were not dropped"
        await self.env.settle()
        before = self.total(k.N_WR_CMD)
        await self.play(both(lambda p: traffic.write(rng, addr[:12], length[:12], 5, shape=traffic.NONE)))
        await cycles(400)
        self.env.collect()
        assert self.total(k.N_WR_CMD) == before, "a write without strobes reached the DRAM"
        await self.play(both(lambda p: traffic.read(PAGE * 9, 127)))


# ---------------------------------------------------------------- errors


def illegal_bursts(config: Any) -> list[tuple[str, dict[str, int], int]]:
    """(name, burst, expected response) of every error of the host side."""
    top = config.address_map.port_bytes
    return [
        ("reserved burst code", {"addr": 64, "length": 3, "burst": axi.RESERVED}, axi.SLVERR),
        ("WRAP of 3", {"addr": 64, "length": 2, "burst": axi.WRAP}, axi.SLVERR),
        ("WRAP of 1", {"addr": 64, "length": 0, "burst": axi.WRAP}, axi.SLVERR),
        ("WRAP of 32", {"addr": 0, "length": 31, "burst": axi.WRAP}, axi.SLVERR),
        ("WRAP unaligned", {"addr": 68, "length": 3, "size": 3, "burst": axi.WRAP}, axi.SLVERR),
        ("FIXED of 17", {"addr": 64, "length": 16, "burst": axi.FIXED}, axi.SLVERR),
        ("size 64 bytes", {"addr": 64, "length": 1, "size": 6}, axi.SLVERR),
        ("size 128 bytes", {"addr": 0, "length": 0, "size": 7}, axi.SLVERR),
        ("4 KiB crossing", {"addr": PAGE - 64, "length": 2}, axi.SLVERR),
        ("4 KiB crossing by one byte", {"addr": PAGE - 4, "length": 1, "size": 2}, axi.SLVERR),
        ("256 beats of 32 bytes", {"addr": 0, "length": 255}, axi.SLVERR),
        ("address above the memory", {"addr": top, "length": 3}, axi.DECERR),
        ("address bit 39", {"addr": 1 << 39, "length": 0}, axi.DECERR),
        ("FIXED above the memory", {"addr": top + 32, "length": 4, "burst": axi.FIXED}, axi.DECERR),
        ("SLVERR wins over DECERR", {"addr": top, "length": 2, "burst": axi.WRAP}, axi.SLVERR),
    ]


@pyuvm.test()
class ErrorResponses(HbmTest):
    """Every erroneous burst gets its response, its beats and its id, causes no DRAM access, and is counted."""

    async def body(self) -> None:
        rng = self.config.rng()
        await self.env.registers.pulse("ctrl.clear")
        expected = {axi.SLVERR: 0, axi.DECERR: 0}
        for number, (_, burst, response) in enumerate(illegal_bursts(self.config)):
            expected[response] += 2
            bad_read = traffic.read(burst["addr"], **{n: v for n, v in burst.items() if n != "addr"}, axi_id=number)
            bad_write = traffic.write(
                rng, burst["addr"], **{n: v for n, v in burst.items() if n != "addr"}, axi_id=number
            )
            good = traffic.read(32 * number, 1, axi_id=number)  # behind it, with the same id
            await self.play(both(lambda p, c=bad_read + bad_write + good: c))
        coverage = self.env.coverage.data
        for direction in range(2):
            for response, count in expected.items():
                seen = int(coverage["axi.response"][direction, response])
                assert seen == count, f"{seen} of {count} {axi.RESP_NAMES[response]} ({('read', 'write')[direction]})"
        assert self.total(k.N_WR_CMD) == 0, "an erroneous write reached the DRAM"
        for port in range(2):
            for name in ("slverr", "decerr"):
                assert await self.env.registers.read_field(f"irq_status.{name}{port}") == 1
        await self.play(both(lambda p: traffic.write(rng, np.arange(16) * 32) + traffic.read(np.arange(16) * 32)))


@pyuvm.test()
class RowLimit(HbmTest):
    """With rows of 3 x 2^n every burst into the missing quarter is answered with DECERR, its neighbours are served."""

    settings = {"row_limit": 12288}

    async def body(self) -> None:
        rng = self.config.rng()
        amap = self.config.address_map
        edge = np.array([0, 12287, 12288, 12289, 16383])
        packed = amap.pack(0, rng.integers(0, amap.bgs, 5), rng.integers(0, amap.banks, 5), edge, rng.integers(0, 4, 5))
        addr = amap.to_port(packed)
        outside = amap.port_outside(addr)
        assert outside.tolist() == [False, False, True, True, True]
        await self.play(both(lambda p: traffic.write(rng, addr, axi_id=np.arange(5))))
        await self.play(both(lambda p: traffic.read(addr, axi_id=np.arange(5))))
        coverage = self.env.coverage.data
        assert coverage["axi.response"][0, axi.DECERR] == 6 and coverage["axi.response"][1, axi.DECERR] == 6
        shape = RandomShape(amap.port_bytes, error_share=0.2, hot_share=0.2)
        await self.play(both(lambda p: traffic.random_chunk(self.config.rng(p), 400, shape)))
        assert self.total(k.N_DECERR) > 100


# ---------------------------------------------------------------- exclusives


def shape(access: dict[str, int]) -> dict[str, int]:
    """An access given by what differs from a full-width single beat of id 1, as arguments of traffic.read and write."""
    given = {"length": 0, "size": 5, "burst": axi.INCR, "id": 1, **access}
    return {("axi_id" if name == "id" else name): value for name, value in given.items()}


@pyuvm.test()
class Exclusives(HbmTest):
    """Exclusive pairs succeed; a write to the bytes in between, another address, size, length or id make them fail."""

    async def pair(
        self, expected: int, load: dict[str, int], store: dict[str, int], between: Chunk | None = None
    ) -> None:
        """Exclusive read, perhaps something else, exclusive write; `expected` is the response of the write."""
        rng = self.config.rng("data", len(self.names))
        await self.play(both(lambda p: traffic.read(**shape(load), lock=1)))
        if between is not None:
            await self.play(both(lambda p: between))
        ok, failed = self.total(k.N_EXCL_OK), self.total(k.N_EXCL_FAIL)
        await self.play(both(lambda p: traffic.write(rng, **shape(store), lock=1)))
        await self.play(both(lambda p: traffic.read(store["addr"] // 128 * 128, 3)))
        self.names.append(str((load, store)))
        got = (self.total(k.N_EXCL_OK) - ok, self.total(k.N_EXCL_FAIL) - failed)
        assert got == ((2, 0) if expected else (0, 2)), f"{self.names[-1]}: {got}"

    async def body(self) -> None:
        self.names: list[str] = []
        rng = self.config.rng()
        base = PAGE * 21
        at = {"addr": base}
        await self.pair(1, at, at)
        await self.pair(0, {"addr": base + 32}, at)  # another address
        await self.pair(0, at, at | {"size": 4})
        await self.pair(0, at, at | {"length": 1})
        await self.pair(0, at | {"id": 2}, at | {"id": 3})
        for size in range(6):
            await self.pair(
                1,
                {"addr": base + 64 + (1 << size) % 32, "size": size},
                {"addr": base + 64 + (1 << size) % 32, "size": size},
            )
        for length in (1, 3):  # 64 and 128 bytes
            await self.pair(1, at | {"length": length}, at | {"length": length})
        await self.pair(1, at | {"length": 15, "size": 3}, at | {"length": 15, "size": 3})
        await self.pair(1, at | {"length": 3, "burst": axi.WRAP}, at | {"length": 3, "burst": axi.WRAP})
        # a write to the bytes, by any id; to their neighbours; without strobes
        await self.pair(0, at, at, traffic.write(rng, base, axi_id=9))
        await self.pair(0, at, at, traffic.write(rng, base + 31, 0, 0, axi_id=9))
        await self.pair(1, at, at, traffic.write(rng, base + 32, axi_id=9))
        await self.pair(1, at, at, traffic.write(rng, base, axi_id=9, shape=traffic.NONE))
        await self.pair(1, at | {"size": 2}, at | {"size": 2}, traffic.write(rng, base + 4, 0, 2, axi_id=9))
        await self.pair(0, at | {"length": 3}, at | {"length": 3}, traffic.write(rng, base + 96, axi_id=9))
        # a second exclusive read of the id replaces the monitor; a successful write uses it up
        await self.pair(0, at, at, traffic.read(base + 256, axi_id=1, lock=1))
        await self.pair(1, at, at)
        await self.play(both(lambda p: traffic.write(rng, base, axi_id=1, lock=1)))
        assert self.total(k.N_EXCL_FAIL) % 2 == 0
        # shapes that cannot be exclusive answer OKAY and write nothing
        for bad in ({"length": 2}, {"addr": base + 32, "length": 1}, {"length": 7}):
            await self.pair(0, at | bad, at | bad)


@pyuvm.test()
class ExclusivesOfManyIds(HbmTest):
    """All monitors in use, and more ids than monitors: only what AXI allows, nothing written twice."""

    async def body(self) -> None:
        rng = self.config.rng()
        ids = np.arange(8)
        await self.play(both(lambda p: traffic.read(PAGE + ids * 128, axi_id=ids, lock=1)))
        await self.play(both(lambda p: traffic.write(rng, PAGE + ids * 128, axi_id=ids, lock=1)))
        assert self.total(k.N_EXCL_OK) == 16, "eight ids hold eight monitors"
        ids = np.arange(40)
        await self.play(both(lambda p: traffic.read(PAGE + ids * 128, axi_id=ids, lock=1)))
        await self.play(both(lambda p: traffic.write(rng, PAGE + ids * 128, axi_id=ids, lock=1)))
        assert self.total(k.N_EXCL_OK) >= 32
        await self.play(both(lambda p: traffic.read(PAGE + ids * 128, axi_id=ids)))


@pyuvm.test()
class ExclusiveRaces(HbmTest):
    """Exclusive accesses and writes to the same bytes without waiting: any order is legal, none is torn."""

    settings = {"batch": 64}

    async def body(self) -> None:
        for number in range(60):
            rng = self.config.rng(number)
            count = int(rng.integers(2, 14))

            def mix(port: int, rng: Any = rng, count: int = count) -> Chunk:
                chunk = Chunk()
                for _ in range(count):
                    addr, axi_id = PAGE * 8 + 32 * int(rng.integers(0, 2)), int(rng.integers(0, 3))
                    gap = int(rng.integers(0, 30))
                    kind = rng.integers(0, 3)
                    if kind == 0:
                        chunk += traffic.read(addr, axi_id=axi_id, lock=1, gap=gap)
                    else:
                        chunk += traffic.write(rng, addr, axi_id=axi_id, lock=int(kind == 1), gap=gap)
                return chunk

            await self.play(both(mix))
        assert self.total(k.N_EXCL_OK) > 0 and self.total(k.N_EXCL_FAIL) > 0


# ---------------------------------------------------------------- flow


@pyuvm.test()
class BackPressure(HbmTest):
    """R and B held back hard: nothing is lost, the other port runs on."""

    settings = {"ready_r": (24, 256), "ready_b": (24, 256)}

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes)
        await self.play(both(lambda p: traffic.random_chunk(self.config.rng(p), 250, shape)))


@pyuvm.test()
class PortsAreIndependent(HbmTest):
    """Port 0 takes no responses at all; port 1 finishes its work meanwhile."""

    settings = {"ready_r": (0, 256), "ready_b": (0, 256), "watchdog": 0}

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes, write_share=0.4)
        await self.play(both(lambda p: traffic.random_chunk(self.config.rng(p), 400, shape)), drain=False)
        m = self.board.ports[1].state.m
        for _ in range(200):
            await self.env.heart.wait()
            if m[k.N_LAT_COUNT] + m[k.N_B] == 400:
                break
        assert m[k.N_LAT_COUNT] + m[k.N_B] == 400, "port 1 waits for port 0"
        assert self.board.ports[0].state.m[k.N_R] == 0
        self.env.rings.ctl["ready_r"][0] = self.env.rings.ctl["ready_b"][0] = records.READY_ALWAYS
        await self.env.drain()


@pyuvm.test()
class ReadsPassIncompleteWrites(HbmTest):
    """A read never waits for W beats that have not come, not even of a write to its own bytes."""

    async def body(self) -> None:
        rng = self.config.rng()
        count = 6
        writes = traffic.write(rng, np.arange(count) * 512, 7, axi_id=1)
        writes.w["gap"][5::8] = 1500  # each burst stops before its sixth beat
        reads = traffic.read(np.tile(np.arange(count) * 512, 4) + 64, 3, axi_id=np.arange(4 * count) % 16)
        reads.ar["at"] = self.env.rings.cycle() + 200
        await self.play(both(lambda p: writes + reads), drain=False)
        started = self.env.rings.cycle()
        while self.total(k.N_LAT_COUNT) < 8 * count and self.env.rings.cycle() < started + 3000:
            await self.env.heart.wait()
        assert self.total(k.N_LAT_COUNT) == 8 * count, "reads wait for W beats"
        assert self.total(k.N_B) < 2 * count
        await self.env.drain()


@pyuvm.test()
class DataBeforeAddress(HbmTest):
    """W beats offered long before their AW; and AWs long before their beats."""

    async def body(self) -> None:
        rng = self.config.rng()
        now = self.env.rings.cycle()
        early = traffic.write(rng, np.arange(24) * 32, axi_id=np.arange(24), at=now + 300 + 20 * np.arange(24))
        late = traffic.write(rng, 4096 + np.arange(24) * 32, axi_id=np.arange(24), w_gap=25)
        await self.play({0: early, 1: late})
        await self.play(both(lambda p: traffic.read(4096 * p + np.arange(24) * 32)))


@pyuvm.test()
class OrderPerId(HbmTest):
    """Many outstanding reads of few ids over conflicting rows: each id in order, ids overtake each other."""

    async def body(self) -> None:
        rng = self.config.rng()
        amap = self.config.address_map
        count = 300
        packed = amap.pack(
            rng.integers(0, amap.sids, count), rng.integers(0, amap.bgs, count), rng.integers(0, amap.banks, count),
            rng.integers(0, 3, count), rng.integers(0, 32, count),
        )  # fmt: skip
        addr = amap.to_port(packed)
        await self.play(both(lambda p: traffic.read(addr, axi_id=rng.integers(0, 4, count))))
        assert self.total(k.N_ID_OVERTAKE) > 20, "no id overtook another"
        levels = sum(port.table(k.LEVELS, 2, 128)[0] for port in self.board.ports)
        assert np.flatnonzero(levels).max() >= 32, "fewer than 32 reads were outstanding"


@pyuvm.test()
class ReadAfterWriteResponse(HbmTest):
    """A read issued after the B of a write returns the new bytes; one issued in the cycle after the last W too."""

    async def body(self) -> None:
        rng = self.config.rng()
        for number in range(30):
            addr = 32 * int(rng.integers(0, 64))
            await self.play(
                both(
                    lambda p, a=addr: (
                        traffic.write(rng, a, axi_id=2) + traffic.read(a, axi_id=3, flags=records.FLAG_AFTER_B)
                    )
                )
            )
            now = self.env.rings.cycle() + 40 + number
            # W in cycle `now`, AR in each of the cycles around it
            delays = np.arange(12)
            writes = traffic.write(rng, np.full(1, addr), axi_id=2, at=now)
            reads = traffic.read(np.full(12, addr), axi_id=4 + delays, at=now - 4 + delays)
            await self.play(both(lambda p, c=writes + reads: c))


@pyuvm.test()
class WriteOrder(HbmTest):
    """Writes to the same bytes by different ids end with the last AW's data."""

    async def body(self) -> None:
        rng = self.config.rng()
        for _ in range(10):
            blocks = rng.integers(0, 6, 80)
            shape = rng.integers(0, 6, 80)
            await self.play(
                both(lambda p, b=blocks, s=shape: traffic.write(rng, b * 32, axi_id=rng.integers(0, 64, 80), shape=s))
            )
            await self.play(both(lambda p: traffic.read(np.arange(6) * 32)))


@pyuvm.test()
class QuietStart(HbmTest):
    """Requests offered while the channel initialises wait for it and are served afterwards."""

    initialise = False

    async def body(self) -> None:
        rng = self.config.rng()
        assert await self.env.registers.read_field("status.init_done") == 0, "too late for this test"
        chunk = traffic.write(rng, np.arange(8) * 32) + traffic.read(np.arange(8) * 32, axi_id=1)
        await self.play(both(lambda p: chunk))
        assert self.total(k.N_RD_CHECKED) == 16
