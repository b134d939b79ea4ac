"""Tests that must fail: each plants one fault, and tests/rtl/test_faults.py demands the right message.

`EXPECTED` is what the message must match, as a regular expression; a test of this file that passes is a hole in the
bench.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyuvm
from hbm_tb import traffic
from hbm_tb.link import cycles, field_of
from hbm_tb.records import EV_REGISTER, EV_TEMP, Fault
from hbm_tb.test_base import HbmTest
from hbm_tb.traffic import Chunk, RandomShape

EXPECTED: dict[str, str] = {
    "CorruptedByte": r"wrong read data\n  port 0, cycle \d+ .*id \d+ .*\n(.*\n)*.*lanes that differ .*: 7\n",
    "LostRead": r"open work:\n  port 0: read id 20 .*response lost",
    "LostWriteResponse": r"open work:\n  port 0: write id \d+ .*response lost|B has id \d+, expected \d+",
    "SurplusRead": r"surplus R beat: id 20 has no read outstanding",
    "SurplusWriteResponse": r"surplus B|B has id 20, expected 21",
    "SwappedOrder": r"wrong read data\n(.*\n)*.*order swapped\?",
    "StuckArReady": r"no progress for \d+ cycles; waiting for ARREADY of port 0",
    "StuckAwReady": r"no progress for \d+ cycles; waiting for .*AWREADY of port 0",
    "StuckWReady": r"no progress for \d+ cycles; waiting for .*WREADY of port 0",
    "PoisonedLane": r"wrong read data\n(.*\n)*.*lanes that differ from the first: 0, 4\n",
    "SwappedAddressBits": r"wrong read data\n(.*\n)*.*the data got is that of never written memory of PC",
    "TimingViolation": r"DRAM command rules violated:\n  t\w+: \w+ pc\d .* breaks t\w+ after .*legal from CK",
    "ProgrammedTooShort": r"DRAM command rules violated:\n(.*\n)*?  tRP: ACT pc\d .* breaks tRP after PRE .*legal",
    "WrongReadLatency": r"programmed RL is \d+, the test expects \d+|wrong read data|two bursts meet",
    "ParityFlip": r"the timed side reports:\n  CK [\d.]+: odd parity on the row pins",
    "MemoryCorrupted": r"device memory differs from the golden memory in 1 of \d+ written blocks\n  first: PC 1 ",
    "StrobesOutsideTheLanes": r"stimulus: strobes 0x\w+ outside the lanes 0x\w+ of beat 0",
    "LoggedErrorOnly": r"(?i)error",
    "NothingDone": r"nothing was checked: no read beat and no write response",
    "WrongMap": r"answers to no read request|wrong read data",
    "ModelPolicyOffByOne": r"channel and exact model differ in cycle \d+ .*decided by M4\.4, the direction",
    "ModelMissesAPolicy": r"channel and exact model differ in cycle \d+ .*decided by M4\.3, the page policy",
    "ModelMissesTheTemperature": r"channel and exact model differ in cycle \d+ .*decided by M6, refresh",
    "PausedReady": r"AR handshake of port 0: taken in cycle \d+, foreseen in cycle \d+\n.*decided by M2\.1 and M2\.9",
    "ProgrammedTooLong": r"channel and exact model differ in cycle \d+ [^\n]*; seen: RD[^\n]*; foreseen: RD",
    "ModelMissesAClear": r"counters, snapshot of cycle [\d,]+ of the count:\n  counters\.cycles: [\d,]+ in the reg",
    "ForwardedTooOften": r"port 0: 0 RD commands are missing, but 1 reads were forwarded",
    "ResponseMissing": r"B of port 0; seen: .*; foreseen: id \d+ OKAY in cycle \d+\n.*decided by M2\.8",
}
# Of the lock-step: the story names all of these.
STORY = (
    r"last commands of both sides:\n +seen +foreseen\n",
    r"\n  what the model believes at the start of cycle \d+:\n    PC\d in cycle \d+ \(CK \d+ on the pins\): serves ",
    r"\n    port \d: bursts of AR held \d of 4",
    r"\n  replay with waves: make test TEST=\S+ SEED=\d+ WAVES=1 WAVES_FROM=\d+ WAVES_TO=\d+$",
)


class FaultTest(HbmTest):
    """Plays reads with ids of their own unless a test says otherwise."""

    async def body(self) -> None:
        ids = np.arange(64)
        await self.play({p: traffic.read(PLACE + ids * 32, axi_id=ids) for p in range(2)})


PLACE = 4096 * 17


@pyuvm.test()
class CorruptedByte(FaultTest):
    """One byte of one R beat is inverted."""

    settings = {"fault": Fault.DATA_BYTE, "fault_at": 33, "fault_arg": 7}


@pyuvm.test()
class LostRead(FaultTest):
    """One R beat never arrives."""

    # Without the exact model, which would miss the response before the end of the test does.
    settings = {"fault": Fault.DROP_RESPONSE, "fault_at": 0, "fault_arg": 0, "check_exact": False}

    async def body(self) -> None:
        await self.play(traffic.read(PLACE, axi_id=20))


@pyuvm.test()
class LostWriteResponse(FaultTest):
    """One B never arrives."""

    # Without the exact model, which would miss the response before the end of the test does.
    settings = {"fault": Fault.DROP_RESPONSE, "fault_at": 7, "fault_arg": 1, "check_exact": False}

    async def body(self) -> None:
        ids = np.arange(16)
        await self.play(traffic.write(self.config.rng(), PLACE + ids * 32, axi_id=ids))


@pyuvm.test()
class SurplusRead(FaultTest):
    """One R beat arrives twice."""

    settings = {"fault": Fault.DUPLICATE_RESPONSE, "fault_at": 0, "fault_arg": 0}

    async def body(self) -> None:
        await self.play(traffic.read(PLACE, axi_id=20))


@pyuvm.test()
class SurplusWriteResponse(FaultTest):
    """One B arrives twice."""

    settings = {"fault": Fault.DUPLICATE_RESPONSE, "fault_at": 0, "fault_arg": 1}

    async def body(self) -> None:
        await self.play(traffic.write(self.config.rng(), PLACE + np.arange(2) * 32, axi_id=20 + np.arange(2)))


@pyuvm.test()
class SwappedOrder(FaultTest):
    """Two responses of one id change places."""

    settings = {"fault": Fault.SWAP_RESPONSES, "fault_at": 12}

    async def body(self) -> None:
        await self.play(traffic.read(PLACE + np.arange(40) * 32, axi_id=3))


class StuckReady(FaultTest):
    """A READY stays low for good."""

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes)
        await self.play({p: traffic.random_chunk(self.config.rng(p), 200, shape) for p in range(2)})


@pyuvm.test()
class StuckArReady(StuckReady):
    """ARREADY of port 0."""

    settings = {"fault": Fault.STUCK_READY, "fault_at": 20, "fault_arg": 0, "watchdog": 2000}


@pyuvm.test()
class StuckAwReady(StuckReady):
    """AWREADY of port 0."""

    settings = {"fault": Fault.STUCK_READY, "fault_at": 20, "fault_arg": 1, "watchdog": 2000}


@pyuvm.test()
class StuckWReady(StuckReady):
    """WREADY of port 0."""

    settings = {"fault": Fault.STUCK_READY, "fault_at": 20, "fault_arg": 2, "watchdog": 2000}


@pyuvm.test()
class PoisonedLane(FaultTest):
    """A data lane of the DRAM carries noise in one burst: what an X becomes in two-state simulation."""

    settings = {"fault": Fault.LANE_POISON, "fault_at": 40}


@pyuvm.test()
class SwappedAddressBits(FaultTest):
    """The device exchanges two column bits; nothing was ever written."""

    settings = {"fault": Fault.ADDRESS_SWAP, "fault_at": 5}


class Conflicts(FaultTest):
    """Reads of one bank, a new row each time: every gap of the bank binds."""

    async def body(self) -> None:
        amap = self.config.address_map
        rows = np.arange(60)
        addr = amap.to_port(amap.pack(0, 1, 2, rows, np.zeros(60)))
        await self.env.registers.write_field("policy.page.ap_allowed", 0)
        await self.play(traffic.read(addr, axi_id=rows))


@pyuvm.test()
class TimingViolation(Conflicts):
    """One command stands in the record 3 CK before it came."""

    settings = {"fault": Fault.EARLY_COMMAND, "fault_at": 120, "fault_arg": 3}


@pyuvm.test()
class ProgrammedTooShort(Conflicts):
    """tRP is programmed shorter than the checker knows it: a real violation on the pins."""

    settings = {"check_exact": False}  # runs other values than the model knows, and must not need it

    async def body(self) -> None:
        short = self.config.params.replaced(
            RP=self.config.params.count("RP") - 4, RC=self.config.params.count("RC") - 4
        )
        await self.env.program(short, self.config.params)
        await super().body()


@pyuvm.test()
class WrongReadLatency(FaultTest):
    """The mode registers carry another RL than the test expects of them."""

    settings = {"check_exact": False}  # runs other values than the model knows, and must not need it

    async def body(self) -> None:
        self.env.rings.ctl["expect_rl"] = self.config.params.count("RL") + 2
        await self.env.program(self.config.params.replaced(RL=self.config.params.count("RL") + 1), self.config.params)
        await super().body()


@pyuvm.test()
class ParityFlip(FaultTest):
    """One bit of a row command word is inverted on its way to the device."""

    settings = {"fault": Fault.PARITY_FLIP, "fault_at": 60}

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes, hot_share=0.0)
        await self.play({p: traffic.random_chunk(self.config.rng(p), 300, shape) for p in range(2)})


@pyuvm.test()
class MemoryCorrupted(FaultTest):
    """The device loses a written byte that nobody reads again."""

    async def body(self) -> None:
        amap = self.config.address_map
        rng = self.config.rng()
        await self.play({p: traffic.write(rng, PLACE + np.arange(32) * 32) for p in range(2)})
        await self.env.settle()
        at = amap.unpack(1, amap.to_dram(np.array([PLACE + 96], np.uint64)))
        bank = int((at.sid[0] * amap.bgs + at.bg[0]) * amap.banks + at.bank[0])
        place = (1, bank, int(at.row[0]), int(at.col[0]))
        stored = bytearray(self.env.rings.dump(*place, 32))
        stored[9] ^= 0x40
        self.env.rings.load(*place, bytes(stored))


@pyuvm.test()
class StrobesOutsideTheLanes(FaultTest):
    """The stimulus itself is wrong: strobes on lanes that the beat does not own."""

    async def body(self) -> None:
        chunk: Chunk = traffic.write(self.config.rng(), PLACE, 0, 2)
        chunk.w["strb"] = 0x30
        await self.play(chunk)


@pyuvm.test()
class LoggedErrorOnly(FaultTest):
    """An error that is only reported, not raised, fails the test too."""

    async def body(self) -> None:
        await super().body()
        self.uvm_report.error("PLANTED", "an error that nobody raises")


@pyuvm.test()
class NothingDone(FaultTest):
    """A test that checks nothing."""

    async def body(self) -> None:
        self.env.rings.ctl["hold"] = 3


@pyuvm.test()
class WrongMap(FaultTest):
    """Two address bits of the map are exchanged in the registers; pure reads show it."""

    settings = {"check_exact": False}  # runs another map than the model knows, and must not need it

    async def body(self) -> None:
        masks = list(self.config.address_map.masks)
        for bit, path in ((0, "map.mask0"), (1, "map.mask1")):
            await self.env.registers.write(path, masks[1 - bit])
        await self.env.commit(self.config.params)
        await super().body()


# ---------------------------------------------------------------- lock-step: only the exact model can tell


class ModelFault(FaultTest):
    """Changes what the exact model is told; channel and device are without fault."""

    def retell(self, change: Callable[[Any], Any]) -> None:
        """From here on events reach the model as `change` leaves them."""
        channel = self.env.checks.exact.channel
        told = channel.events
        channel.events = lambda rows: told(change(rows.copy()))

    async def body(self) -> None:
        shape = RandomShape(self.config.address_map.port_bytes)
        await self.play({p: traffic.random_chunk(self.config.rng(p), 400, shape) for p in range(2)})


@pyuvm.test()
class ModelPolicyOffByOne(ModelFault):
    """The model hears of a policy register that is one off: the reads it sees pending are one too few to turn."""

    async def body(self) -> None:
        register, field = field_of("policy.turnaround.switch_gain")

        def off_by_one(rows: Any) -> Any:
            mine = (rows["kind"] == EV_REGISTER) & (rows["a"] == register.address)
            rows["b"][mine] += np.uint64(1 << register.field(field).lsb)
            return rows

        self.retell(off_by_one)
        await self.env.registers.write_field("policy.turnaround.switch_gain", 5)
        await super().body()


@pyuvm.test()
class ModelMissesAPolicy(ModelFault):
    """The model is not told that rows now stay open."""

    async def body(self) -> None:
        self.retell(lambda rows: rows[rows["kind"] != EV_REGISTER])
        await self.env.registers.write_field("policy.page.page", 0)
        await super().body()


@pyuvm.test()
class ModelMissesTheTemperature(ModelFault):
    """The model is not told that the device grew hot."""

    async def body(self) -> None:
        self.retell(lambda rows: rows[rows["kind"] != EV_TEMP])
        self.env.rings.ctl["temp"] = 6
        await cycles(4000)


@pyuvm.test()
class PausedReady(ModelFault):
    """ARREADY of port 0 is low for three cycles in which nothing refuses the burst: no other check can know that."""

    settings = {"fault": Fault.READY_PAUSE, "fault_at": 3, "fault_arg": 3 << 8}

    async def body(self) -> None:
        await self.play(traffic.read(PLACE + np.arange(8) * 32, axi_id=np.arange(8), gap=20))


@pyuvm.test()
class ProgrammedTooLong(Conflicts):
    """tRCDRD is programmed 2 CK longer than it should be: legal and right, only slower."""

    async def body(self) -> None:
        params = self.config.params
        await self.env.program(params.replaced(RCDRD=params.count("RCDRD") + 2), params)
        await super().body()


@pyuvm.test()
class ResponseMissing(ModelFault):
    """The last B never arrives: told in the batch in which it is due, not at the end."""

    settings = {"fault": Fault.DROP_RESPONSE, "fault_at": 15, "fault_arg": 1}

    async def body(self) -> None:
        ids = np.arange(16)
        await self.play(traffic.write(self.config.rng(), PLACE + ids * 32, axi_id=ids))


@pyuvm.test()
class ModelMissesAClear(ModelFault):
    """The model is not told that software cleared the counters: everything is as foreseen but the next snapshot."""

    async def body(self) -> None:
        await super().body()
        await self.env.clear_counters()
        self.retell(lambda rows: rows[rows["kind"] != EV_REGISTER])
        await self.env.registers.pulse("ctrl.clear")
        self.env.collect()
        del self.env.checks.exact.channel.events  # it hears of the snapshot


@pyuvm.test()
class ForwardedTooOften(FaultTest):
    """One more read of port 0 is said to be forwarded than RD are missing."""

    async def body(self) -> None:
        await self.env.registers.write_field("policy.drain.forward", 1)
        await super().body()
        self.env.forwarded[0] += 1
