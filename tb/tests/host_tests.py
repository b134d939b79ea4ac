"""Block tests of the AXI port (tb/hdl/blocks/blk_host.sv): every output is compared with host_model in every cycle.

Each test drives the port through `Bench`, which samples on falling edges: what is read there is what the next rising
edge sees.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from host_model import (
    BINS,
    BLOCK,
    DECERR,
    EVENTS,
    EXOKAY,
    EXPRESS,
    FIXED,
    INCR,
    NORMAL,
    OKAY,
    SLVERR,
    WR_DEPTH,
    WRAP,
    Burst,
    Inputs,
    Map,
    PortModel,
)

ID_BITS, ADDR_BITS = 6, 40


def block_of(dut: Any) -> Any:
    """The wrapper, whether it is the top or one of several in tb_blocks."""
    return getattr(dut, "u_host", dut)


class Bench:
    """Drives one port, predicts it with the model and compares every cycle."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut, self.blk = dut, block_of(dut)
        self.rng = random.Random(seed)
        self.cycle = 0
        self.ar: deque[Burst] = deque()
        self.aw: deque[Burst] = deque()
        self.w: deque[tuple[int, int, int]] = deque()
        self.gap = dict(ar=0.0, aw=0.0, w=0.0, r=0.0, b=0.0)  # probability that a channel idles or stalls in a cycle
        self.offered: dict[str, Any] = dict(ar=None, aw=None, w=None)
        self.quiesce = False
        self.quiesce_seen = False
        self.qos_high = 16  # no read takes the express lane
        self.log: dict[str, list[tuple[int, Any]]] = {
            k: [] for k in ("ar", "aw", "w", "b", "r", "rd", "rd_offer", "wr", "rsp")
        }
        self.driven: dict[str, int] = {}
        self.on_r: Callable[[int, int, int], None] | None = None  # id, resp, last
        self.on_b: Callable[[int, int], None] | None = None
        self.compared = 0

    async def start(self, *, seed: int = 1, hash_bits: bool = True, row_limit: int | None = None) -> None:
        """Reset the block with an address map and an always willing sink."""
        sizes = int(self.blk.sizes.value)
        (
            self.ax_bits,
            self.w_bits,
            self.r_bits,
            self.rd_bits,
            self.wr_bits,
            self.addr_bits,
            in_bits,
            row_bits,
            col_bits,
            self.tag_bits,
        ) = (sizes >> 16 * i & 0xFFFF for i in range(9, -1, -1))
        masks = [0] * self.addr_bits
        bank_bits = in_bits - row_bits - col_bits
        bank_lsb = row_bits + col_bits
        # Port address from bit 5 up: one bank bit, columns, the other bank bits, rows.
        order = [
            bank_lsb + bank_bits - 1,
            *range(col_bits),
            *range(bank_lsb, bank_lsb + bank_bits - 1),
            *range(col_bits, col_bits + row_bits),
        ]
        for source, target in enumerate(order):
            masks[target] |= 1 << source
        if hash_bits:
            for i in range(bank_bits):
                masks[bank_lsb + i] |= 1 << in_bits - row_bits + i
        self.map = Map(masks, in_bits, col_bits, row_bits, row_limit or 1 << row_bits)
        self.model = PortModel(self.map, slots=1 << self.tag_bits)
        self.memory_bytes = BLOCK << in_bits
        self._drive(
            ar_drv=0,
            aw_drv=0,
            w_drv=0,
            r_ready_drv=0,
            b_ready_drv=0,
            quiesce_drv=0,
            map_drv=self.map.packed(),
            rd_ready_pct_drv=100,
            rd_ready_x_pct_drv=0,
            qos_high_drv=self.qos_high,
            rsp_pct_drv=100,
            credit_pct_drv=100,
            rsp_pick_drv=0,
            seed_drv=seed,
            port_rst_drv=1,
        )
        for _ in range(3):
            await FallingEdge(self.blk.clk)
        self._drive(port_rst_drv=0)

    def sink(self, *, ready: int = 100, rsp: int = 100, credit: int = 100, express: int = 0) -> None:
        """Chances per cycle, in percent: takes a read (express: beyond that), answers one, frees a write entry."""
        self._drive(rd_ready_pct_drv=ready, rd_ready_x_pct_drv=express, rsp_pct_drv=rsp, credit_pct_drv=credit)

    def pick(self, tag: int | None) -> None:
        """Answer exactly this reorder slot next; None: any."""
        self._drive(rsp_pick_drv=0 if tag is None else 1 << self.tag_bits | tag)

    def _drive(self, **values: int) -> None:
        for name, value in values.items():
            if self.driven.get(name) != value:
                self.driven[name] = value
                getattr(self.blk, name).value = value

    # ------------------------------------------------------------ traffic
    def read(self, burst: Burst) -> Burst:
        self.ar.append(burst)
        return burst

    def write(self, burst: Burst) -> Burst:
        if not burst.beats:
            burst.beats = [
                (self.rng.getrandbits(256), (1 << 32) - 1, int(i == burst.len)) for i in range(burst.len + 1)
            ]
        self.aw.append(burst)
        self.w.extend(burst.beats)
        return burst

    def _offer(self, channel: str, queue: deque[Any]) -> Any:
        if self.offered[channel] is None and queue and self.rng.random() >= self.gap[channel]:
            self.offered[channel] = queue.popleft()
        return self.offered[channel]

    def _pack_ax(self, burst: Burst | None) -> int:
        if burst is None:
            return 0
        value = 1 << ID_BITS | burst.id
        for field, bits in (
            (burst.addr, ADDR_BITS),
            (burst.len, 8),
            (burst.size, 3),
            (burst.burst, 2),
            (burst.lock, 1),
        ):
            value = value << bits | field
        return (value << 7 | self.rng.getrandbits(7)) << 8 | burst.qos << 4 | self.rng.getrandbits(4)

    # ------------------------------------------------------------ one cycle
    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            await FallingEdge(self.blk.clk)
            self._one()

    def _one(self) -> None:
        model, obs = self.model, int(self.blk.obs.value)

        def take(bits: int) -> int:
            nonlocal obs
            value = obs & (1 << bits) - 1
            obs >>= bits
            return value

        wr, wr_valid = take(self.wr_bits), take(1)
        rd, rd_valid, rd_ready, rd_ready_x, rd_express, rd_refused = (take(self.rd_bits), *(take(1) for _ in range(5)))
        r, b = take(self.r_bits), take(8)
        rsp_tag, rsp_valid, credit, idle, r_valid, b_valid, w_ready, aw_ready, ar_ready = (
            take(self.tag_bits),
            take(1),
            take(1),
            take(1),
            take(1),
            take(1),
            take(1),
            take(1),
            take(1),
        )
        k, now = self.cycle, f"cycle {self.cycle}"

        assert idle == model.idle(), f"{now}: idle is {idle}, not {model.idle()}"
        quiesce, self.quiesce_seen = self.quiesce_seen, self.quiesce
        for name, seen, due in (
            ("AR", ar_ready, model.ar_ready(quiesce)),
            ("AW", aw_ready, model.aw_ready(quiesce)),
            ("W", w_ready, model.w_ready(quiesce)),
        ):
            assert seen == due, f"{now}: {name}READY is {seen}, not {int(due)}"

        taken = model.taken(bool(rd_ready), bool(rd_ready_x))
        waiting = sum(request is not None for request in model.requests)
        assert rd_refused == (waiting > (taken is not None)), f"{now}: rd_refused is {rd_refused}"
        assert rd_express == (taken == EXPRESS), f"{now}: rd_req_express is {rd_express}"
        request = model.requests[NORMAL if taken is None else taken]
        assert rd_valid == (request is not None), f"{now}: rd_req_valid is {rd_valid}"
        if request:
            dram, tag, qos = rd >> self.tag_bits + 4, rd >> 4 & (1 << self.tag_bits) - 1, rd & 15
            assert (dram, qos) == (request.dram, request.qos), f"{now}: rd_req {dram:#x} qos {qos}"
            if request.tag < 0:
                assert tag not in model.in_dram, f"{now}: reorder slot {tag} is given twice"
                request.tag = tag
                self.log["rd_offer"].append((k, request))
            assert tag == request.tag, f"{now}: the tag of an offered request changed"
            if taken is not None:
                self.log["rd"].append((k, request))
        assert wr_valid == (model.write is not None), f"{now}: wr_req_valid is {wr_valid}"
        if model.write:
            dram, data, strb, qos = model.write
            mask = sum(255 << 8 * i for i in range(BLOCK) if strb >> i & 1)
            seen_wr = (wr >> 292, wr >> 36 & mask, wr >> 4 & 0xFFFFFFFF, wr & 15)
            assert seen_wr == (dram, data, strb, qos), (
                f"{now}: wr_req {seen_wr[0]:#x} strb {seen_wr[2]:#x}, due {dram:#x} {strb:#x}"
            )
            self.log["wr"].append((k, model.write))

        r_ready, b_ready = self.rng.random() >= self.gap["r"], self.rng.random() >= self.gap["b"]
        assert r_valid == (model.r is not None), f"{now}: RVALID is {r_valid}"
        if model.r:
            last = int(model.r.last and model.r_left == 1)
            error = model.r.resp in (SLVERR, DECERR)
            due_r = (model.r.id, 0 if error else model.r.data, model.r.resp, last)
            seen_r = (r >> 259, r >> 3 & (1 << 256) - 1, r >> 1 & 3, r & 1)
            assert seen_r == due_r, f"{now}: R beat {seen_r}, not {due_r}"
            if r_ready:
                self.log["r"].append((k, seen_r))
        assert b_valid == bool(model.b), f"{now}: BVALID is {b_valid}"
        if model.b:
            assert (b >> 2, b & 3) == model.b[0], f"{now}: B {(b >> 2, b & 3)}, not {model.b[0]}"
            if b_ready:
                self.log["b"].append((k, model.b[0]))
        if rsp_valid:
            self.log["rsp"].append((k, rsp_tag))

        x = Inputs(
            self._offer("ar", self.ar),
            self._offer("aw", self.aw),
            self._offer("w", self.w),
            r_ready,
            b_ready,
            quiesce,
            bool(rd_ready),
            bool(rd_ready_x),
            self.qos_high,
            bool(credit),
            rsp_tag if rsp_valid else None,
        )
        self._drive(
            ar_drv=self._pack_ax(x.ar),
            aw_drv=self._pack_ax(x.aw),
            r_ready_drv=r_ready,
            b_ready_drv=b_ready,
            w_drv=0 if x.w is None else ((1 << 256 | x.w[0]) << 32 | x.w[1]) << 1 | x.w[2],
            quiesce_drv=self.quiesce,
            qos_high_drv=self.qos_high,
        )
        for channel, ready in (("ar", ar_ready), ("aw", aw_ready), ("w", w_ready)):
            if self.offered[channel] is not None and ready:
                self.log[channel].append((k, self.offered[channel]))
                self.offered[channel] = None
        model.step(x)
        self.cycle += 1
        self.compared += 1
        if r_valid and r_ready and self.on_r:
            self.on_r(*(seen_r[0], seen_r[2], seen_r[3]))
        if b_valid and b_ready and self.on_b:
            self.on_b(b >> 2, b & 3)

    async def drain(self, limit: int = 20000) -> None:
        """Run until nothing is offered or in flight, then check the counters."""
        for _ in range(limit):
            busy = self.ar or self.aw or self.w or any(v is not None for v in self.offered.values())
            if not busy and self.model.idle():
                break
            await self.tick()
        else:
            raise AssertionError(f"not idle after {limit} cycles")
        await self.tick(5)
        counts = int(self.blk.counts.value)
        seen = {name: counts >> 32 * i & 0xFFFFFFFF for i, name in enumerate(reversed(EVENTS))}
        assert seen == self.model.counts, f"events {seen}, due {self.model.counts}"
        assert self.compared > 0

    def cycles(self, name: str) -> list[int]:
        return [k for k, _ in self.log[name]]


async def bench(dut: Any, **options: Any) -> Bench:
    result = Bench(dut, cocotb.RANDOM_SEED & 0xFFFFFFFF)
    await result.start(seed=cocotb.RANDOM_SEED & 0x7FFFFFFF, **options)
    return result


# ---------------------------------------------------------------- time (M2.1, M2.2, M2.5, M2.8)
@cocotb.test()
async def a_read_reaches_the_queue_in_two_cycles_and_data_reaches_r_in_one(dut: Any) -> None:
    """AR in n: rd_req in n+2. Data in m: R in m+1. One single-beat burst a cycle without a gap."""
    env = await bench(dut)
    env.sink(rsp=0)
    env.read(Burst(id=3, addr=0x40))
    await env.tick(10)
    assert env.log["rd_offer"][0][0] == env.log["ar"][0][0] + 2
    env.sink(rsp=100)
    await env.tick(10)
    assert env.log["r"][0][0] == env.log["rsp"][0][0] + 1
    for i in range(200):
        env.read(Burst(id=i % 16, addr=0x1000 + 32 * i))
    await env.drain()
    first = env.cycles("ar")[1]
    assert env.cycles("ar")[1:] == list(range(first, first + 200))
    assert env.cycles("rd_offer")[1:] == list(range(first + 2, first + 202))
    # rd_req in n is in the sink at n+1, answered there, and on R in n+2.
    assert env.cycles("r")[1:] == list(range(first + 4, first + 204))


@cocotb.test()
async def a_write_reaches_the_queue_and_b_in_two_cycles(dut: Any) -> None:
    """AW and W in n: wr_req and B in n+2, one a cycle, also when W or AW comes first."""
    env = await bench(dut)
    for i in range(200):
        env.write(Burst(id=i % 64, addr=64 * i))
    await env.drain()
    first = env.cycles("aw")[0]
    assert env.cycles("aw") == env.cycles("w") == list(range(first, first + 200))
    assert env.cycles("wr") == env.cycles("b") == list(range(first + 2, first + 202))
    # W first: the beat waits for its AW, and no second beat is taken.
    burst = Burst(id=1, addr=0x80, len=1)
    env.write(burst)
    env.aw.clear()
    await env.tick(8)
    assert len(env.log["w"]) == 201
    env.aw.append(burst)
    await env.drain()
    at = env.cycles("aw")[-1]
    assert env.cycles("wr")[-2:] == [at + 2, at + 3]
    # AW first.
    burst = Burst(id=1, addr=0x80)
    env.write(burst)
    held = env.w.popleft()
    await env.tick(8)
    env.w.append(held)
    await env.drain()
    assert env.cycles("wr")[-1] == env.cycles("w")[-1] + 2


@cocotb.test()
async def a_read_after_b_sees_the_write(dut: Any) -> None:
    """An AR in the cycle after the last of AW and W, and one after B, return the written bytes."""
    env = await bench(dut)
    for i in range(20):
        written = env.write(Burst(id=5, addr=32 * i))
        await env.tick(1 if i % 2 else 4)
        env.read(Burst(id=6, addr=32 * i))
        await env.drain()
        assert env.log["r"][-1][1][1] == written.beats[0][0]


# ---------------------------------------------------------------- credits (M2.2)
@cocotb.test()
async def w_beats_need_write_queue_entries(dut: Any) -> None:
    """With no entry given back exactly WrDepth requests are taken; joined, empty and erroneous beats need none."""
    env = await bench(dut)
    env.sink(credit=0)
    narrow = Burst(id=0, addr=0, len=31, size=0)
    env.write(narrow)
    env.write(Burst(id=1, addr=0x100, len=7, beats=[(0, 0, int(i == 7)) for i in range(8)]))
    env.write(Burst(id=2, addr=0x200, len=3, burst=3))
    await env.drain()
    assert len(env.log["wr"]) == 1
    for i in range(40):
        env.write(Burst(id=2, addr=0x400 + 32 * i))
    await env.tick(200)
    assert len(env.log["wr"]) == WR_DEPTH
    assert int(env.blk.free_entries.value) == WR_DEPTH
    env.sink(credit=100)
    await env.drain()
    assert len(env.log["wr"]) == 41


# ---------------------------------------------------------------- joining (M2.4)
@cocotb.test()
async def beats_in_one_block_form_one_request(dut: Any) -> None:
    """Narrow INCR, FIXED and WRAP writes; the first and last beats of a WRAP that starts inside a block join."""
    env = await bench(dut)
    for burst, requests in (
        (Burst(id=0, addr=0x1003, len=7, size=2), 1),  # unaligned, 7 words and a part
        (Burst(id=0, addr=0x101F, len=1, size=5), 2),  # one byte, then a block
        (Burst(id=0, addr=0x2008, len=15, size=3, burst=FIXED), 1),
        (Burst(id=0, addr=0x3008, len=3, size=3, burst=WRAP), 1),
        (Burst(id=0, addr=0x3008, len=7, size=3, burst=WRAP), 2),  # 64 bytes from the middle of a block
        (Burst(id=0, addr=0x3030, len=15, size=2, burst=WRAP), 2),
        (Burst(id=0, addr=0x3020, len=15, size=5, burst=WRAP), 16),
        (Burst(id=0, addr=0x4000, len=255, size=0), 8),
        (Burst(id=0, addr=0x4000, len=127, size=5), 128),
    ):
        before = len(env.log["wr"])
        env.write(burst)
        await env.drain()
        assert len(env.log["wr"]) - before == requests, burst
    # A WRAP burst whose bytes are all strobed fills its blocks, so that no read-modify-write is needed.
    env.write(Burst(id=0, addr=0x3008, len=7, size=3, burst=WRAP))
    await env.drain()
    assert [write[2] for _, write in env.log["wr"][-2:]] == [0xFFFFFFFF, 0xFFFFFFFF]


# ---------------------------------------------------------------- errors (M2.6)
@cocotb.test()
async def illegal_bursts_are_answered_without_dram_access(dut: Any) -> None:
    """Each error gives its response, the right number of beats with the id and data 0, and no request; SLVERR wins."""
    env = await bench(dut, row_limit=None)
    top = env.memory_bytes
    cases = [
        (Burst(id=1, addr=0, len=3, burst=3), SLVERR),
        (Burst(id=2, addr=0, len=2, burst=WRAP), SLVERR),
        (Burst(id=2, addr=0, len=0, burst=WRAP), SLVERR),
        (Burst(id=2, addr=0, len=31, burst=WRAP), SLVERR),
        (Burst(id=3, addr=4, len=3, burst=WRAP), SLVERR),
        (Burst(id=4, addr=0, len=16, size=2, burst=FIXED), SLVERR),
        (Burst(id=5, addr=0, len=0, size=6), SLVERR),
        (Burst(id=5, addr=0, len=3, size=7), SLVERR),
        (Burst(id=6, addr=0xFE0, len=1), SLVERR),
        (Burst(id=6, addr=0xFFF, len=1, size=0), SLVERR),
        (Burst(id=6, addr=0, len=128), SLVERR),
        (Burst(id=6, addr=1, len=127), OKAY),
        (Burst(id=7, addr=top, len=7), DECERR),
        (Burst(id=7, addr=top - 32), OKAY),
        (Burst(id=7, addr=1 << 39, len=255, size=0), DECERR),
        (Burst(id=8, addr=top + 0xFE0, len=1), SLVERR),
        (Burst(id=9, addr=top + 64, len=1, burst=WRAP), DECERR),
    ]
    for burst, resp in cases:
        before = {name: len(env.log[name]) for name in ("rd", "wr", "r", "b")}
        env.read(burst)
        env.write(Burst(burst.id, burst.addr, burst.len, burst.size, burst.burst))
        await env.drain()
        beats = [beat for _, beat in env.log["r"][before["r"] :]]
        assert len(beats) == burst.len + 1 and all(beat[0] == burst.id and beat[2] == resp for beat in beats), burst
        assert [beat[3] for beat in beats] == [0] * burst.len + [1]
        assert [b for _, b in env.log["b"][before["b"] :]] == [(burst.id, resp)], burst
        if resp != OKAY:
            assert all(beat[1] == 0 for beat in beats)
            assert len(env.log["rd"]) == before["rd"] and len(env.log["wr"]) == before["wr"], burst


@cocotb.test()
async def rows_beyond_the_limit_are_decode_errors(dut: Any) -> None:
    """Dies of 3 x 2^n rows: the last row below the limit is served, the first one at it is not."""
    sizes = int(block_of(dut).sizes.value)
    row_bits = sizes >> 32 & 0xFFFF
    env = await bench(dut, row_limit=3 << row_bits - 2)
    edge = env.memory_bytes // 4 * 3
    for addr, resp in (
        (edge - 32, OKAY),
        (edge, DECERR),
        (env.memory_bytes - 32, DECERR),
        (env.memory_bytes // 2, OKAY),
    ):
        env.read(Burst(id=1, addr=addr))
        env.write(Burst(id=1, addr=addr))
        await env.drain()
        assert env.log["r"][-1][1][2] == resp and env.log["b"][-1][1][1] == resp, hex(addr)


@cocotb.test()
async def a_wrong_wlast_is_answered_with_slverr(dut: Any) -> None:
    """Beats are counted by AWLEN: a missing, early or surplus WLAST gives SLVERR and does not shift the next burst."""
    env = await bench(dut)
    for lasts in ((0, 0, 0, 0), (0, 1, 0, 1), (1, 0, 0, 0), (0, 0, 0, 1)):
        env.write(
            Burst(id=4, addr=0x100, len=3, beats=[(env.rng.getrandbits(256), 0xFFFFFFFF, last) for last in lasts])
        )
        env.write(Burst(id=5, addr=0x200))
        await env.drain()
        due = OKAY if lasts == (0, 0, 0, 1) else SLVERR
        assert [b for _, b in env.log["b"][-2:]] == [(4, due), (5, OKAY)]


# ---------------------------------------------------------------- exclusives (M2.7)
async def exclusive_pair(env: Bench, read: Burst, write: Burst, between: Burst | None = None) -> tuple[int, int]:
    """Responses of an exclusive read, an optional plain write and an exclusive write, each after the other."""
    env.read(read)
    await env.drain()
    resp_r = env.log["r"][-1][1][2]
    if between:
        env.write(between)
        await env.drain()
    before = len(env.log["wr"])
    env.write(write)
    await env.drain()
    resp_b = env.log["b"][-1][1][1]
    wrote = len(env.log["wr"]) > before
    assert wrote == (resp_b == EXOKAY or write.lock == 0)
    return resp_r, resp_b


@cocotb.test()
async def exclusive_writes_succeed_only_on_an_armed_monitor(dut: Any) -> None:
    """Arming, matching, disarming by any write to a byte, single use, and the number of monitors."""
    env = await bench(dut)

    def ex(**changes: Any) -> Burst:
        return Burst(**{**dict(id=7, addr=0x48, len=0, size=3, lock=1), **changes})

    assert await exclusive_pair(env, ex(), ex()) == (EXOKAY, EXOKAY)
    assert await exclusive_pair(env, ex(lock=0), ex()) == (OKAY, OKAY)  # used up above, not armed again
    for changes in (dict(id=8), dict(addr=0x50), dict(len=1, addr=0x40), dict(size=2), dict(burst=FIXED)):
        env.write(Burst(id=0, addr=0x40))
        await env.drain()
        assert await exclusive_pair(env, ex(), ex(**changes)) == (EXOKAY, OKAY), changes
    one = (0, 1 << 0x4F % 32, 1)
    assert await exclusive_pair(env, ex(), ex(), Burst(id=1, addr=0x40, beats=[one])) == (EXOKAY, OKAY)
    beside = (0, 1 << 0x50 % 32, 1)
    assert await exclusive_pair(env, ex(), ex(), Burst(id=1, addr=0x40, beats=[beside])) == (EXOKAY, EXOKAY)
    assert await exclusive_pair(env, ex(), ex(), Burst(id=1, addr=0x40, beats=[(0, 0, 1)])) == (EXOKAY, EXOKAY)
    assert await exclusive_pair(env, ex(), ex(), Burst(id=1, addr=0x60)) == (EXOKAY, EXOKAY)
    # 128 bytes: a write to any of the four blocks disarms, one beside them does not.
    for offset, resp in ((0, OKAY), (0x20, OKAY), (0x40, OKAY), (0x60, OKAY), (0x80, EXOKAY), (-0x20, EXOKAY)):
        big = dict(addr=0x480, len=3, size=5)
        assert await exclusive_pair(env, ex(**big), ex(**big), Burst(id=2, addr=0x480 + offset)) == (EXOKAY, resp), (
            offset
        )
    # Shapes that no monitor can watch: plain OKAY, and nothing is written.
    for shape in (
        dict(addr=0x44, size=3),
        dict(len=2),
        dict(len=7, size=5),
        dict(len=31, size=0),
        dict(addr=0x48, len=1),
    ):
        assert await exclusive_pair(env, ex(**shape), ex(**shape)) == (OKAY, OKAY), shape
    # Another master's success disarms; a failure does not.
    env.read(ex(id=10))
    env.read(ex(id=11))
    await env.drain()
    assert await exclusive_pair(env, Burst(id=0, addr=0), ex(id=10)) == (OKAY, EXOKAY)
    assert await exclusive_pair(env, Burst(id=0, addr=0), ex(id=11)) == (OKAY, OKAY)
    # Eight monitors; an id that reads again moves its own.
    for i in range(8):
        env.read(ex(id=20 + i, addr=0x1000 + 64 * i))
    env.read(ex(id=20, addr=0x3000))
    await env.drain()
    assert await exclusive_pair(env, Burst(id=0, addr=0), ex(id=20, addr=0x3000)) == (OKAY, EXOKAY)
    for i in range(1, 8):
        assert await exclusive_pair(env, Burst(id=0, addr=0), ex(id=20 + i, addr=0x1000 + 64 * i)) == (OKAY, EXOKAY), i


@cocotb.test()
async def monitors_are_replaced_in_turn_when_all_are_armed(dut: Any) -> None:
    """The ninth and tenth exclusive read take the monitors of the first and second."""
    env = await bench(dut)
    for i in range(10):
        env.read(Burst(id=i, addr=0x1000 + 64 * i, size=3, lock=1))
    await env.drain()
    for i in range(10):
        _, resp = await exclusive_pair(env, Burst(id=0, addr=0), Burst(id=i, addr=0x1000 + 64 * i, size=3, lock=1))
        assert resp == (EXOKAY if i >= 2 else OKAY), i


# ---------------------------------------------------------------- order (M2.5)
@cocotb.test()
async def each_id_returns_in_order_and_no_id_waits_for_another(dut: Any) -> None:
    """Answers in reverse: each id keeps its order; an answered id overtakes an unanswered one."""
    env = await bench(dut)
    env.sink(rsp=0)
    for i in range(8):
        env.read(Burst(id=i % 2, addr=32 * i))
    await env.tick(20)
    tags = [request.tag for _, request in env.log["rd"]]
    for i in (7, 5, 3, 1):  # id 1, youngest first
        env.pick(tags[i])
        await env.tick(1)
    env.pick(None)
    await env.tick(10)
    assert [beat[0] for _, beat in env.log["r"]] == [1, 1, 1, 1]
    env.sink(rsp=100)
    await env.drain()
    assert len(env.log["r"]) == 8


@cocotb.test()
async def a_backlog_of_one_id_does_not_starve_others(dut: Any) -> None:
    """While 39 answered slots of one id drain, arrivals of other ids and error bursts take their turns."""
    env = await bench(dut)
    env.sink(rsp=0)
    for i in range(40):
        env.read(Burst(id=0, addr=32 * i))
    for i in range(10):
        env.read(Burst(id=1 + i, addr=0x2000 + 32 * i))
    await env.tick(70)
    tags = [request.tag for _, request in env.log["rd"]]
    for i in range(39, 0, -1):
        env.pick(tags[i])
        await env.tick(1)
    assert not env.log["r"]
    env.read(Burst(id=63, addr=0, burst=3))
    for i in (0, *range(40, 50)):
        env.pick(tags[i])
        await env.tick(1)
    env.pick(None)
    await env.drain()
    order = [beat[0] for _, beat in env.log["r"]]
    assert max(order.index(i) for i in range(1, 11)) < 25, order
    assert 63 in order[:35]


@cocotb.test()
async def all_slots_can_be_in_flight(dut: Any) -> None:
    """RobSlots requests are outstanding before one is refused, and the refusal is counted."""
    env = await bench(dut)
    env.sink(rsp=0)
    slots = 1 << env.tag_bits
    for i in range(slots + 10):
        env.read(Burst(id=i % 7, addr=32 * i))
    await env.tick(slots + 30)
    assert len(env.log["rd"]) == slots
    assert env.model.counts["rob_full"] > 0
    env.sink(rsp=100)
    await env.drain()
    assert len(env.log["r"]) == slots + 10


@cocotb.test()
async def every_bin_of_the_latency_histogram_has_its_limits(dut: Any) -> None:
    """Answers that come around each limit land on both sides of it; errors do not count."""
    env = await bench(dut)
    env.sink(rsp=0)
    expected = dict.fromkeys((*BINS.values(), "lat_more"), 0)
    for limit, below, above in zip(BINS, BINS.values(), (*list(BINS.values())[1:], "lat_more"), strict=True):
        for latency in (limit - 1, limit):
            env.read(Burst(id=5, addr=96 * limit, len=1))  # two beats of 32 bytes: two reads
            env.read(Burst(id=6, addr=0, burst=3))
            seen = len(env.log["rd"])
            while len(env.log["rd"]) < seen + 2:
                await env.tick()
            first, second = (request.tag for _, request in env.log["rd"][-2:])
            # Offered in the cycle after its slot was given.
            start = env.log["rd_offer"][-2][0] - 1
            while env.cycle < start + latency:
                await env.tick()
            env.pick(first)
            await env.tick()
            env.pick(second)
            await env.tick(5)
            assert env.log["rsp"][-2][0] == start + latency
            expected[below if latency < limit else above] += 2  # the second read: slot and answer one cycle later
            while not env.model.idle():
                await env.tick()
    env.pick(None)
    await env.drain()
    assert {name: env.model.counts[name] for name in expected} == expected


# ---------------------------------------------------------------- express lane (M2.10)
def ids(entries: list[tuple[int, Any]]) -> list[int]:
    """Ids of logged requests."""
    return [request.id for _, request in entries]


@cocotb.test()
async def an_express_read_overtakes_a_blocked_normal_lane(dut: Any) -> None:
    """With no room for normal reads a read of high QoS is served as on an idle port; one below the limit waits."""
    env = await bench(dut)
    env.qos_high = 9
    env.sink(ready=0, express=100)
    for i in range(4):
        env.read(Burst(id=i, addr=0x40 * i, qos=8))
    await env.tick(20)
    assert not env.log["rd"] and len(env.log["ar"]) == 4
    env.read(Burst(id=40, addr=0x2000, qos=9))
    await env.tick(20)
    assert ids(env.log["rd"]) == [40]
    assert env.log["rd"][0][0] == env.log["ar"][4][0] + 2
    assert [beat[0] for _, beat in env.log["r"]] == [40]
    # The normal lane is full (one in its register): no AR at all, whichever lane it would take.
    env.read(Burst(id=4, addr=0x1000, qos=8))
    env.read(Burst(id=41, addr=0x2000, qos=15))
    await env.tick(20)
    assert len(env.log["ar"]) == 6 and ids(env.log["rd"]) == [40]
    env.sink(ready=100)
    await env.drain()
    assert sorted(ids(env.log["rd"])) == [0, 1, 2, 3, 4, 40, 41]
    assert ids(env.log["rd"]).index(41) < ids(env.log["rd"]).index(4)


@cocotb.test()
async def an_id_keeps_its_order_over_both_lanes(dut: Any) -> None:
    """High QoS stays behind its id in the normal lane; low QoS follows its id into the express lane."""
    env = await bench(dut)
    env.qos_high = 8
    env.sink(ready=0, express=100, rsp=0)
    env.read(Burst(id=3, addr=0x000, len=7, qos=0))
    env.read(Burst(id=3, addr=0x400, qos=15))  # behind the first, though high
    env.read(Burst(id=4, addr=0x800, len=7, qos=8))  # express
    env.read(Burst(id=4, addr=0xC00, qos=0))  # behind the one before, though low
    await env.tick(30)
    assert ids(env.log["rd"]) == [4] * 9
    env.sink(ready=100, rsp=30)
    await env.drain()
    assert ids(env.log["rd"]) == [4] * 9 + [3] * 9
    for id_ in (3, 4):
        drams = [request.dram for _, request in env.log["rd"] if request.id == id_]
        first = 0x000 if id_ == 3 else 0x800
        blocks = [first // BLOCK + i for i in range(8)] + [(first + 0x400) // BLOCK]
        assert drams == [env.map.dram(block) for block in blocks]
    # Once the id is gone from the normal lane, its next one may go express while the former waits in its register.
    env.sink(ready=0, express=100, rsp=0)
    env.read(Burst(id=7, addr=0x000, qos=0))
    await env.tick(6)
    env.read(Burst(id=7, addr=0x020, qos=15))
    await env.tick(8)
    assert ids(env.log["rd"][18:]) == [7]
    assert env.log["rd"][18][1].dram == env.map.dram(1)
    env.sink(ready=100)
    await env.drain()
    assert [beat[0] for _, beat in env.log["r"]][-2:] == [7, 7]


@cocotb.test()
async def one_normal_read_passes_after_eight_express_ones(dut: Any) -> None:
    """Two saturated lanes share both stages eight to one; with qos_high out of reach there is one lane."""
    env = await bench(dut)
    env.qos_high = 8
    env.sink(ready=0, express=0)
    for i in range(3):
        env.read(Burst(id=1, addr=0x1000 * i, len=31))
        env.read(Burst(id=2, addr=0x1000 * i + 0x800, len=31, qos=8))
    await env.tick(30)
    env.sink(ready=100)
    await env.drain()
    order = ids(env.log["rd"])
    assert order.count(1) == order.count(2) == 96
    busy = order[: len(order) - order[::-1].index(2)]  # as long as there are express reads
    places = [k for k, id_ in enumerate(busy) if id_ == 1]
    gaps = [b - a for a, b in zip(places, places[1:], strict=False)]
    assert len(gaps) >= 8 and set(gaps) == {9}, order


# ---------------------------------------------------------------- quiesce
@cocotb.test()
async def quiesce_finishes_what_was_taken_and_refuses_the_rest(dut: Any) -> None:
    """No AR, AW or W of a new burst is taken; bursts whose AW was taken complete; idle rises; traffic resumes."""
    env = await bench(dut)
    env.sink(rsp=30)
    for _ in range(40):
        for i in range(20):
            env.read(random_burst(env, i % 64, write=False))
            env.write(random_burst(env, i % 64, write=True))
        env.qos_high = env.rng.choice((16, 8))
        env.gap = {name: env.rng.choice((0.0, 0.3, 0.8)) for name in env.gap}
        await env.tick(env.rng.randrange(1, 60))
        env.quiesce = True
        await env.tick(2)
        taken = len(env.log["aw"]), len(env.log["ar"])
        for _ in range(30000):
            if env.model.idle():
                break
            await env.tick()
        assert env.model.idle(), "the port did not become idle"
        await env.tick(5)
        assert (len(env.log["aw"]), len(env.log["ar"])) == taken
        assert len(env.log["b"]) == taken[0]
        env.quiesce = False
    await env.drain(200000)


# ---------------------------------------------------------------- random
def random_burst(env: Bench, id_: int, *, write: bool) -> Burst:
    """A burst of any shape over a few hot pages; about one in ten is illegal or outside."""
    rng = env.rng
    burst = rng.choices((INCR, WRAP, FIXED, 3), (60, 20, 20, 2))[0]
    size = rng.choices((rng.randrange(6), 5, rng.randrange(8)), (45, 45, 3))[0]
    if burst == WRAP:
        length = rng.choice((1, 3, 7, 15)) if rng.random() < 0.97 else rng.randrange(256)
    elif burst == FIXED:
        length = rng.randrange(16) if rng.random() < 0.97 else rng.randrange(256)
    else:
        length = rng.choices((0, rng.randrange(16), rng.randrange(256)), (50, 40, 10))[0]
    limit = env.memory_bytes * 3 // 4
    addr = (
        rng.choices((0, 0x1000, limit - PAGE_BYTES, limit, rng.randrange(limit)), (8, 8, 6, 1, 8))[0]
        // PAGE_BYTES
        * PAGE_BYTES
    )
    addr += rng.choice((rng.randrange(256), rng.randrange(256), rng.randrange(PAGE_BYTES)))
    if rng.random() < 0.02:
        addr = rng.choice((env.memory_bytes, 1 << 39)) + rng.randrange(PAGE_BYTES)
    if burst == WRAP and rng.random() < 0.97:
        addr = addr >> min(size, 5) << min(size, 5)
    if burst == INCR and size <= 5 and rng.random() < 0.97:
        room = (PAGE_BYTES - addr % PAGE_BYTES - 1) >> size
        length = min(length, room)
    result = Burst(id_, addr, length, size, burst, qos=rng.randrange(16))
    if write:
        style = rng.randrange(4)
        for i in range(length + 1):
            strb = (
                (1 << 32) - 1,
                rng.getrandbits(32),
                rng.getrandbits(32) & rng.getrandbits(32) & rng.getrandbits(32),
                0,
            )[style if style < 3 else rng.randrange(4)]
            last = int(i == length) if rng.random() > 0.002 else rng.randrange(2)
            result.beats.append((rng.getrandbits(256), strb, last))
    return result


PAGE_BYTES = 4096
EXCLUSIVE_PAGE = 0x5000  # other traffic seldom comes here


@cocotb.test()
@cocotb.parametrize(pressure=["none", "light", "heavy"])
async def random_traffic_matches_the_model(dut: Any, pressure: str) -> None:
    """Every length, size, burst type, strobe shape, error and exclusive sequence, with back-pressure everywhere."""
    sizes = int(block_of(dut).sizes.value)
    row_bits = sizes >> 32 & 0xFFFF
    env = await bench(dut, row_limit=3 << row_bits - 2)
    rng = env.rng
    bursts = {"none": 1500, "light": 2500, "heavy": 1200}[pressure]
    choices = {"none": (0.0,), "light": (0.0, 0.2, 0.5), "heavy": (0.0, 0.5, 0.9)}[pressure]
    rates = {"none": (100,), "light": (100, 70), "heavy": (100, 50, 10)}[pressure]
    # Exclusive masters: ids 0 to 11, more than there are monitors; each reads, then mostly writes the same.
    waiting: dict[int, Burst] = {}
    ready: deque[Burst] = deque()

    def on_r(id_: int, _: int, last: int) -> None:
        if last and id_ in waiting:
            ready.append(waiting.pop(id_))

    env.on_r = on_r
    done = 0
    outcomes: dict[int, int] = {OKAY: 0, EXOKAY: 0}

    def on_b(id_: int, resp: int) -> None:
        if id_ < 12 and resp in outcomes:
            outcomes[resp] += 1

    env.on_b = on_b
    while done < bursts:
        env.gap = {name: rng.choice(choices) for name in env.gap}
        env.qos_high = rng.choice((16, 15, 11, 4, 0))
        env.sink(
            ready=rng.choice(rates), rsp=rng.choice(rates), credit=rng.choice(rates), express=rng.choice((0, 20, 100))
        )
        for _ in range(rng.randrange(4, 24)):
            done += 1
            env.read(
                random_burst(env, rng.randrange(12, 64) if rng.random() < 0.5 else 12 + rng.randrange(3), write=False)
            )
            env.write(random_burst(env, rng.randrange(12, 64), write=True))
            if rng.random() < 0.15:
                env.write(Burst(rng.randrange(12, 64), EXCLUSIVE_PAGE + rng.randrange(512), size=rng.randrange(6)))
            id_ = rng.randrange(12)
            if rng.random() < 0.4 and id_ not in waiting:
                size = rng.randrange(6)
                length = rng.choice((0, 0, 1, 3))
                total = (length + 1) << size
                shape = Burst(
                    id_,
                    EXCLUSIVE_PAGE + rng.randrange(512) // total * total,
                    length,
                    size,
                    rng.choice((INCR, INCR, FIXED)),
                    lock=1,
                )
                waiting[id_] = shape
                env.read(shape)
        await env.tick(rng.randrange(20, 300))
        while ready:
            shape = ready.popleft()
            if rng.random() < 0.8:
                again = Burst(shape.id, shape.addr, shape.len, shape.size, shape.burst, lock=1)
                if rng.random() < 0.1:
                    again.addr ^= 0x40
                env.write(again)
    env.sink()
    env.gap = dict.fromkeys(env.gap, 0.0)
    await env.drain(400000)
    assert len(env.log["b"]) == env.model.counts["aw"] >= bursts
    assert min(outcomes.values()) > 0, f"exclusive writes: {outcomes}"
    dut._log.info(
        "%s: %d cycles, %d R beats, %d B, exclusive %s, %s",
        pressure,
        env.compared,
        len(env.log["r"]),
        len(env.log["b"]),
        outcomes,
        env.model.counts,
    )
