"""Cycle model of one AXI port and of the request sink behind it, written from docs/microarchitecture.md M2.

The AXI side (which bytes a burst touches, which response it gets) is computed byte by byte from the AXI rules, in
another way than the RTL does. Time is in controller cycles: cycle k ends with the rising edge k; a handshake in cycle k
happens at that edge.
"""

from __future__ import annotations

import dataclasses
from collections import deque

BLOCK = 32  # bytes of a request
PAGE = 4096  # bytes
FIXED, INCR, WRAP = 0, 1, 2
OKAY, EXOKAY, SLVERR, DECERR = 0, 1, 2, 3
AR_DEPTH, AW_DEPTH, B_DEPTH, WR_DEPTH, MONITORS = (4, 2), 8, 16, 32, 8
NORMAL, EXPRESS = 0, 1  # lanes of the read path (M2.10)
EXPRESS_RUN = 8  # express requests that may pass a normal one
M64 = (1 << 64) - 1
# Members of host_events_t; the last eight are the latency histogram (M9.4), limits in cycles.
BINS = {16: "lat_16", 32: "lat_32", 64: "lat_64", 128: "lat_128", 256: "lat_256", 512: "lat_512", 1024: "lat_1024"}
EVENTS = ("ar", "aw", "slverr", "decerr", "excl_fail", "rob_full", *BINS.values(), "lat_more")


@dataclasses.dataclass
class Burst:
    """One AXI burst; `len` is AxLEN. A write carries its beats as (data, strobes, WLAST)."""

    id: int
    addr: int
    len: int = 0
    size: int = 5
    burst: int = INCR
    lock: int = 0
    qos: int = 0
    beats: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)

    def beat_bytes(self) -> list[range]:
        """Byte addresses of each beat of a legal burst."""
        size = 1 << self.size
        total = size * (self.len + 1)
        low = self.addr // total * total
        result, at = [], self.addr
        for _ in range(self.len + 1):
            result.append(range(at, at // size * size + size))
            if self.burst != FIXED:
                at = at // size * size + size
            if self.burst == WRAP and at == low + total:
                at = low
        return result

    def shape_error(self) -> bool:
        """Whether AXI4 forbids the burst."""
        if self.burst == 3 or self.size > 5:
            return True
        if self.burst == WRAP and (self.len not in (1, 3, 7, 15) or self.addr % (1 << self.size)):
            return True
        if self.burst == FIXED and self.len > 15:
            return True
        return len({byte // PAGE for beat in self.beat_bytes() for byte in (beat[0], beat[-1])}) > 1

    def exclusive_shape(self) -> bool:
        """Whether a monitor can watch the burst (AXI4 A7.2.4)."""
        total = (self.len + 1) << self.size
        return (
            self.lock == 1
            and self.size <= 5
            and self.len < 16
            and total in (1, 2, 4, 8, 16, 32, 64, 128)
            and self.addr % total == 0
        )

    def groups(self) -> list[tuple[int, int]]:
        """(block, beats) of each request of a read: consecutive beats in one block."""
        result: list[tuple[int, int]] = []
        for beat in self.beat_bytes():
            block = beat[0] // BLOCK
            if result and result[-1][0] == block:
                result[-1] = (block, result[-1][1] + 1)
            else:
                result.append((block, 1))
        return result


@dataclasses.dataclass
class Map:
    """Address map: mask per DRAM address bit, as addr_map_t."""

    masks: list[int]
    in_bits: int
    row_lsb: int
    row_bits: int
    row_limit: int

    def dram(self, block: int) -> int:
        """Packed DRAM address of a block address."""
        return sum((bin(mask & block).count("1") & 1) << i for i, mask in enumerate(self.masks))

    def packed(self) -> int:
        """Value of addr_map_t."""
        value = self.row_limit
        for mask in reversed(self.masks):
            value = value << self.in_bits | mask
        return value

    def outside(self, byte: int) -> bool:
        """Whether no memory exists at the byte address."""
        block = byte // BLOCK
        if block >> self.in_bits:
            return True
        return (self.dram(block) >> self.row_lsb) % (1 << self.row_bits) >= self.row_limit

    def response(self, burst: Burst) -> int:
        """Response of a burst that is not exclusive."""
        if burst.shape_error():
            return SLVERR
        blocks = {byte // BLOCK * BLOCK for beat in burst.beat_bytes() for byte in (beat[0], beat[-1])}
        return DECERR if any(self.outside(block) for block in blocks) else OKAY


def hash_word(dram: int) -> int:
    """32 bytes that the sink returns for a block that was never written."""
    value = 0
    for w in range(4):
        x = 0x9E3779B97F4A7C15 * ((dram << 2) + w + 1) & M64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & M64
        x = (x ^ x >> 27) * 0x94D049BB133111EB & M64
        value |= (x ^ x >> 31) << 64 * w
    return value


@dataclasses.dataclass(eq=False)
class Slot:
    """One reorder slot: a read request, or all beats of an erroneous burst."""

    id: int
    beats: int
    last: bool
    resp: int
    dram: int
    qos: int
    arms: Burst | None
    arrived: bool = False
    data: int = 0
    tag: int = -1
    given: int = -1  # cycle


@dataclasses.dataclass
class Inputs:
    """What the port sees in one cycle; bursts and beats are None where VALID is low."""

    ar: Burst | None
    aw: Burst | None
    w: tuple[int, int, int] | None
    r_ready: bool
    b_ready: bool
    quiesce: bool
    rd_ready: bool
    rd_ready_x: bool
    qos_high: int
    credit: bool
    rsp_tag: int | None


class PortModel:
    """Predicts every output of the port in every cycle."""

    def __init__(self, address_map: Map, slots: int) -> None:
        self.map = address_map
        self.slots = slots
        self.memory: dict[int, int] = {}
        # Read path.
        self.lanes: list[deque[deque[Slot]]] = [deque(), deque()]  # accepted bursts as the slots they still need
        self.requests: list[Slot | None] = [None, None]  # registers
        self.left_run = 0  # express requests that left while a normal one could
        self.offer_run = 0  # express requests accepted while the normal register held one
        self.free = slots
        self.by_id: dict[int, deque[Slot]] = {}
        self.in_dram: dict[int, Slot] = {}
        self.direct: deque[Slot] = deque()
        self.follow: deque[Slot] = deque()
        self.error: Slot | None = None
        self.turn = 0
        self.r: Slot | None = None
        self.r_left = 0
        # Write path.
        self.aw: deque[Burst] = deque()
        self.beat: tuple[int, int, int] | None = None
        self.index = 0  # of the beat in its burst
        self.credits = WR_DEPTH
        self.open_writes = 0
        self.b: deque[tuple[int, int]] = deque()
        self.write: tuple[int, int, int, int] | None = None  # dram, data, strb, qos
        self.verdict = OKAY
        self.drop = False
        self.bad_last = False
        self.bytes: dict[int, dict[int, int]] = {}
        self.monitors: list[Burst | None] = [None] * MONITORS
        self.arm: tuple[int, Burst] | None = None
        self.monitor_turn = 0
        self.cycle = 0
        self.counts = dict.fromkeys(EVENTS, 0)

    # ------------------------------------------------------------ outputs of a cycle
    def aw_ready(self, quiesce: bool) -> bool:
        return len(self.aw) < AW_DEPTH and self.open_writes < B_DEPTH and not quiesce

    def ar_ready(self, quiesce: bool) -> bool:
        return all(len(lane) < depth for lane, depth in zip(self.lanes, AR_DEPTH, strict=True)) and not quiesce

    def w_ready(self, quiesce: bool) -> bool:
        ends = bool(self.aw) and self.index == self.aw[0].len
        known = bool(self.aw) and (self.beat is None or not ends or len(self.aw) > 1)
        return self.credits > 0 and (self.beat is None or bool(self.aw)) and (known or not quiesce)

    def taken(self, ready: bool, ready_x: bool) -> int | None:
        """Lane whose request the read queue takes in this cycle."""
        normal, express = self.requests[NORMAL] and ready, self.requests[EXPRESS] and ready_x
        if normal and (not express or self.offer_run == EXPRESS_RUN):
            return NORMAL
        return EXPRESS if express else None

    def idle(self) -> bool:
        reading = any(self.lanes) or any(self.requests) or self.free != self.slots or self.r
        return not (reading or self.open_writes or self.write)

    # ------------------------------------------------------------ one cycle
    def step(self, x: Inputs) -> None:
        """Advance over the edge that ends the cycle."""
        take_ar = x.ar is not None and self.ar_ready(x.quiesce)
        take_aw = x.aw is not None and self.aw_ready(x.quiesce)
        take_w = x.w is not None and self.w_ready(x.quiesce)
        # The sink: the write of a cycle is older than its read.
        if self.write:
            dram, data, strb, _ = self.write
            old = self.memory.get(dram, None)
            value = hash_word(dram) if old is None else old
            for i in range(BLOCK):
                if strb >> i & 1:
                    value = value & ~(255 << 8 * i) | data & (255 << 8 * i)
            self.memory[dram] = value
        taken = self.taken(x.rd_ready, x.rd_ready_x)
        if taken is not None:
            request = self.requests[taken]
            assert request is not None
            word = self.memory.get(request.dram)
            request.data = hash_word(request.dram) if word is None else word
            self.in_dram[request.tag] = request
            if taken == NORMAL:
                self.offer_run = 0
            elif self.requests[NORMAL]:
                self.offer_run = min(self.offer_run + 1, EXPRESS_RUN)
            self.requests[taken] = None
        express = x.ar is not None and self._express(x.ar, x.qos_high)
        error_busy = self.error is not None
        sent = self._send(x)
        self._leave(error_busy)
        self.free += sent
        if self.b and x.b_ready:
            self.b.popleft()
            self.open_writes -= 1
        self._process_beat()
        if self.arm:
            self.monitors[self.arm[0]] = self.arm[1]
            self.arm = None
        if take_w:
            self.beat = x.w
            self.credits -= 1
        if x.credit:
            self.credits += 1
        if take_aw:
            assert x.aw is not None
            self.aw.append(x.aw)
            self.open_writes += 1
            self.counts["aw"] += 1
        if take_ar:
            assert x.ar is not None
            self.lanes[EXPRESS if express else NORMAL].append(self._slots(x.ar))
            self.counts["ar"] += 1
        self.cycle += 1

    # ------------------------------------------------------------ reads
    def _express(self, burst: Burst, qos_high: int) -> bool:
        """Whether the burst takes the express lane."""
        held = [any(slots[0].id == burst.id for slots in lane) for lane in self.lanes]
        return not held[NORMAL] and (burst.qos >= qos_high or held[EXPRESS])

    def _slots(self, burst: Burst) -> deque[Slot]:
        resp = self.map.response(burst)
        if resp != OKAY:
            return deque([Slot(burst.id, burst.len + 1, True, resp, -1, burst.qos, None, arrived=True)])
        exclusive = burst.exclusive_shape()
        groups = burst.groups()
        return deque(
            Slot(
                burst.id,
                beats,
                i == len(groups) - 1,
                EXOKAY if exclusive else OKAY,
                self.map.dram(block),
                burst.qos,
                burst if exclusive and i == 0 else None,
            )
            for i, (block, beats) in enumerate(groups)
        )

    def _send(self, x: Inputs) -> bool:
        room = self.r is None or (x.r_ready and self.r_left == 1)
        arrival = None if x.rsp_tag is None else self.in_dram.pop(x.rsp_tag)
        sources = [self.direct, self.follow, [self.error] if self.error else []]
        sent: Slot | None = None
        if room:
            for k in range(1, 4):
                if sources[(self.turn + k) % 3]:
                    self.turn = (self.turn + k) % 3
                    sent = sources[self.turn][0]
                    if self.turn == 2:
                        self.error = None
                    else:
                        self.direct.popleft() if self.turn == 0 else self.follow.popleft()
                    break
            else:
                if arrival and self.by_id[arrival.id][0] is arrival:
                    sent, arrival = arrival, None
        if self.r is not None and x.r_ready:
            self.r_left -= 1
            if self.r_left == 0:
                self.r = None
        if sent:
            assert self.by_id[sent.id].popleft() is sent
            if sent.resp not in (SLVERR, DECERR):
                latency = (self.cycle - sent.given) % 65536
                self.counts[next((name for limit, name in BINS.items() if latency < limit), "lat_more")] += 1
            self.r, self.r_left = sent, sent.beats
            queue = self.by_id[sent.id]
            if queue and queue[0].arrived:
                self.follow.append(queue[0])
        if arrival:
            arrival.arrived = True
            if self.by_id[arrival.id][0] is arrival:
                self.direct.append(arrival)
        return sent is not None

    def _leave(self, error_busy: bool) -> None:
        """One request leaves the splitter of a lane and takes a slot."""
        could = [
            bool(lane) and (not error_busy if lane[0][0].arrived else request is None)
            for lane, request in zip(self.lanes, self.requests, strict=True)
        ]
        if not any(could):
            return
        if self.free == 0:
            self.counts["rob_full"] += 1
            return
        normal_first = self.left_run == EXPRESS_RUN and could[NORMAL]
        which = EXPRESS if could[EXPRESS] and not normal_first else NORMAL
        if which == NORMAL:
            self.left_run = 0
        elif could[NORMAL]:
            self.left_run = min(self.left_run + 1, EXPRESS_RUN)
        lane = self.lanes[which]
        slot = lane[0].popleft()
        if not lane[0]:
            lane.popleft()
        self.free -= 1
        slot.given = self.cycle
        queue = self.by_id.setdefault(slot.id, deque())
        queue.append(slot)
        if slot.arrived:
            self.counts["slverr" if slot.resp == SLVERR else "decerr"] += 1
            if queue[0] is slot:
                self.error = slot
        else:
            self.requests[which] = slot
            if slot.arms:
                self.arm = self._monitor_for(slot.id), slot.arms

    # ------------------------------------------------------------ writes
    def _monitor_for(self, id_: int) -> int:
        """The id's own monitor, else the first free one, else the next in turn."""
        for i, burst in enumerate(self.monitors):
            if burst and burst.id == id_:
                return i
        if None in self.monitors:
            return self.monitors.index(None)
        self.monitor_turn = (self.monitor_turn + 1) % MONITORS
        return (self.monitor_turn - 1) % MONITORS

    def _disarm(self, byte: int) -> None:
        for i, burst in enumerate(self.monitors):
            if burst and burst.addr <= byte < burst.addr + ((burst.len + 1) << burst.size):
                self.monitors[i] = None

    def _process_beat(self) -> None:
        self.write = None
        if self.beat is None or not self.aw:
            return
        data, strb, wlast = self.beat
        burst = self.aw[0]
        self.beat = None
        if self.index == 0:
            self.verdict = self.map.response(burst)
            self.drop = self.verdict != OKAY
            self.bad_last = False
            self.bytes = {}
            if burst.lock and not self.drop:
                self.drop = True
                for i, armed in enumerate(self.monitors):
                    if armed and all(
                        getattr(armed, f) == getattr(burst, f) for f in ("id", "addr", "len", "size", "burst")
                    ):
                        self.verdict, self.drop = EXOKAY, False
                        self.monitors[i] = None
        ends = self.index == burst.len
        self.bad_last |= bool(wlast) != ends
        used = False
        if not self.drop:
            beats = burst.beat_bytes()
            block = beats[self.index][0] // BLOCK
            gathered = self.bytes.setdefault(block, {})
            for byte in beats[self.index]:
                if strb >> byte % BLOCK & 1:
                    gathered[byte % BLOCK] = data >> 8 * (byte % BLOCK) & 255
            # The block is complete when no later beat lies in it.
            if all(beat[0] // BLOCK != block for beat in beats[self.index + 1 :]):
                del self.bytes[block]
                if gathered:
                    used = True
                    self.write = (
                        self.map.dram(block),
                        sum(v << 8 * i for i, v in gathered.items()),
                        sum(1 << i for i in gathered),
                        burst.qos,
                    )
                    for byte in gathered:
                        self._disarm(block * BLOCK + byte)
        if not used:
            self.credits += 1
        self.index += 1
        if ends:
            self.index = 0
            self.aw.popleft()
            resp = SLVERR if self.bad_last else self.verdict
            self.b.append((burst.id, resp))
            self.counts["slverr"] += resp == SLVERR
            self.counts["decerr"] += resp == DECERR
            self.counts["excl_fail"] += burst.lock == 1 and self.drop and self.verdict == OKAY
