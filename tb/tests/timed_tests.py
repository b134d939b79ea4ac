"""Tests of the timed side of the bench in the test top: when masters raise VALID, back-pressure, restart, watchdog.

They use the rings directly, without the environment, and expect the times of docs/bench.md. Each prints its own closing
line.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer
from hbm_tb import records
from hbm_tb.records import Err, Fault
from hbm_tb.rings import STIMULUS_MAGIC, Records, Rings
from hbm_tb.sim import CLOSING

Body = Callable[[Rings], Awaitable[None]]
U64 = np.uint64


async def cycles(count: int) -> None:
    """Let controller cycles pass."""
    await Timer(2 * count, "ns")


async def fresh() -> Rings:
    """Rings of a bench that has just been reset and is initialised."""
    rings = Rings.attach()
    ctl = rings.ctl
    ctl["fault"] = ctl["hold"] = 0
    ctl["watchdog"], ctl["record_acc"], ctl["seed"] = 20_000, 1, 99
    ctl["ready_r"][:] = ctl["ready_b"][:] = records.READY_ALWAYS
    rings.restart()
    while ctl["reset"] or ctl["in_reset"]:
        await cycles(4)
    rings.forget()
    return rings


async def settled(rings: Rings, limit: int = 40_000) -> None:
    """Wait until nothing is open."""
    for _ in range(0, limit, 64):
        await cycles(64)
        if rings.idle():
            return
    raise AssertionError(f"not idle after {limit} cycles: {[records.describe_error(e) for e in rings.pop_err()]}")


def ax(count: int, **fields: Any) -> Records:
    """Single-beat requests to consecutive 32 bytes."""
    rows = np.zeros(count, records.AX)
    rows["addr"], rows["size"], rows["burst"] = np.arange(count) * 32, 5, 1
    rows["id"] = np.arange(count) % 16
    for name, value in fields.items():
        rows[name] = value
    return rows


def beats(count: int, **fields: Any) -> Records:
    """Single-beat write data."""
    rows = np.zeros(count, records.W)
    rows["strb"], rows["last"] = 0xFFFFFFFF, 1
    rows["data"] = np.arange(count)[:, None] & 0xFF
    for name, value in fields.items():
        rows[name] = value
    return rows


def closing(name: str, rings: Rings) -> None:
    """The line without which no pass is accepted."""
    assert rings.errors() == 0 and rings.sv_errors() == 0, [records.describe_error(e) for e in rings.pop_err()]
    print(f"{CLOSING} {name}", flush=True)


@cocotb.test()
async def the_gap_and_the_earliest_cycle_hold(dut: Any) -> None:
    """VALID rises in the cycle that `at` and `gap` name, neither earlier nor later, and stays up until READY."""
    rings = await fresh()
    gap = np.array([0, 3, 0, 1, 17, 0, 0, 40], "<u4")
    at = np.array([2000, 0, 0, 0, 0, 2100, 2090, 0], "<u8")
    rings.push_ar(0, ax(8, gap=gap, at=at))
    await settled(rings)
    acc = rings.pop_acc(0)
    rose = acc["cycle"].astype(np.int64) - acc["wait"]
    expected, previous = [], -1
    for index in range(8):
        expected.append(max(int(at[index]), previous + 1 + int(gap[index])))
        previous = int(acc["cycle"][index])
    assert rose.tolist() == expected
    closing("the_gap_and_the_earliest_cycle_hold", rings)


@cocotb.test()
async def the_strict_order_is_kept_at_full_rate(dut: Any) -> None:
    """Ordered reads and writes are accepted in order, AW and W in the same cycle, one a cycle while nothing refuses."""
    rings = await fresh()
    rng = np.random.default_rng(3)
    count = 400
    write = rng.random(count) < 0.5
    rows = ax(count, order=np.arange(count), flags=records.FLAG_ORDERED)
    rows["at"][0] = 2000
    rings.push_ar(1, rows[~write])
    rings.push_aw(1, rows[write])
    rings.push_w(1, beats(int(write.sum()), flags=records.FLAG_ORDERED))
    await settled(rings)
    acc = rings.pop_acc(1)
    data = acc[acc["kind"] == records.ACC_W]["cycle"]
    reads, writes = (acc[acc["kind"] == kind]["cycle"] for kind in (records.ACC_AR, records.ACC_AW))
    when = np.zeros(count, np.int64)
    when[~write], when[write] = reads, np.maximum(writes, data)
    assert (np.diff(when) >= 1).all(), "two requests in one cycle, or out of order"
    # Only a refused request may cost a cycle: the next one is offered in the cycle after the last half was taken.
    offered = np.zeros(count, np.int64)
    offered[~write] = (acc["cycle"].astype(np.int64) - acc["wait"])[acc["kind"] == records.ACC_AR]
    offered[write] = (acc["cycle"].astype(np.int64) - acc["wait"])[acc["kind"] == records.ACC_AW]
    assert (offered[1:] == when[:-1] + 1).all()
    refused = when - offered
    assert (refused[:16] == 0).all() and int(rings.ctl["ordered_done"][1]) == count
    closing("the_strict_order_is_kept_at_full_rate", rings)


@cocotb.test()
async def the_fences_wait_for_responses(dut: Any) -> None:
    """A read behind AFTER_B comes after the B of the write before it, a write behind AFTER_R after the data."""
    rings = await fresh()
    fence = records.FLAG_ORDERED
    rings.push_aw(0, ax(2, order=[0, 2], flags=[fence, fence | records.FLAG_AFTER_R], at=2000))
    rings.push_w(0, beats(2, flags=fence))
    rings.push_ar(0, ax(1, order=1, flags=fence | records.FLAG_AFTER_B))
    await settled(rings)
    acc, r, b = rings.pop_acc(0), rings.pop_r(0), rings.pop_b(0)
    ar = int(acc[acc["kind"] == records.ACC_AR]["cycle"][0])
    second = int(acc[acc["kind"] == records.ACC_AW]["cycle"][1])
    assert int(b["cycle"][0]) < ar and int(r["cycle"][-1]) < second
    assert (r["data"][0] == 0).all(), "the read did not see the write"
    closing("the_fences_wait_for_responses", rings)


@cocotb.test()
async def the_back_pressure_is_the_documented_function(dut: Any) -> None:
    """R and B handshakes fall only into cycles in which the formula gives READY, and it gives about its share."""
    rings = await fresh()
    rings.ctl["ready_seed"] = 0xABCDEF
    rings.ctl["ready_r"][0], rings.ctl["ready_b"][0] = 64, 16
    count = 600
    rings.push_ar(0, ax(count, at=2000))
    rings.push_aw(0, ax(count, at=2000, addr=(1 << 20) + np.arange(count) * 32))
    rings.push_w(0, beats(count))
    await settled(rings)
    for channel, seen, chance in ((0, rings.pop_r(0), 64), (1, rings.pop_b(0), 16)):
        at = np.arange(int(rings.ctl["cycle"]), dtype=U64)
        with np.errstate(over="ignore"):
            x = U64(0xABCDEF) + U64(0x9E3779B97F4A7C15) * (at * U64(4) + U64(channel + 1))
            x = (x ^ x >> U64(30)) * U64(0xBF58476D1CE4E5B9)
            x = (x ^ x >> U64(27)) * U64(0x94D049BB133111EB)
        ready = ((x ^ x >> U64(31)) & U64(255)) < chance
        assert len(seen) == count and ready[seen["cycle"].astype(np.int64)].all()
        assert abs(ready.mean() - chance / 256) < 0.02
    closing("the_back_pressure_is_the_documented_function", rings)


@cocotb.test()
async def the_back_door_and_the_ports_see_one_memory(dut: Any) -> None:
    """What is loaded is read through the port; a restart forgets it, and unwritten bytes are their hash again."""
    rings = await fresh()
    first = rings.dump(0, 0, 0, 0, 32)
    rings.load(0, 0, 0, 0, bytes(range(32)))
    rings.push_ar(0, ax(1, at=2000))
    await settled(rings)
    assert rings.pop_r(0)["data"].tobytes() == bytes(range(32))
    rings = await fresh()
    assert rings.dump(0, 0, 0, 0, 32) == first != bytes(range(32))
    rings.push_ar(0, ax(1, at=2000))
    await settled(rings)
    assert rings.pop_r(0)["data"].tobytes() == first
    closing("the_back_door_and_the_ports_see_one_memory", rings)


@cocotb.test()
async def the_watchdog_names_what_it_waits_for(dut: Any) -> None:
    """A READY that never comes is reported once, with the channel; a restart clears it all."""
    rings = await fresh()
    rings.ctl["watchdog"] = 3000
    rings.ctl["fault"], rings.ctl["fault_at"], rings.ctl["fault_arg"] = Fault.STUCK_READY, 2, 1
    rings.push_aw(0, ax(5))
    rings.push_w(0, beats(5))
    await cycles(12_000)
    errors = rings.pop_err()
    assert [int(e["code"]) for e in errors] == [Err.WATCHDOG]
    line = records.describe_error(errors[0])
    assert "AWREADY of port 0" in line and "ARREADY" not in line and "port 1" not in line, line
    assert int(rings.ctl["fault_hits"]) == 1
    rings = await fresh()
    assert rings.errors() == 0 and rings.idle()
    rings.push_aw(0, ax(5, at=2000))
    rings.push_w(0, beats(5))
    await settled(rings)
    assert len(rings.pop_b(0)) == 5
    closing("the_watchdog_names_what_it_waits_for", rings)


@cocotb.test()
async def the_register_master_answers_in_order(dut: Any) -> None:
    """Reads, a write that reads back, and an address without register: answered one by one, none lost."""
    rings = await fresh()
    rows = np.zeros(4, records.APB_REQ)
    rows["addr"] = [0, 0, 4, 0x1FFC]
    rows["strb"], rows["at"] = 15, [0, 0, 500, 0]
    assert rings.push_apb(rows) == 4
    await cycles(700)
    got = rings.pop_apb()
    assert len(got) == 4 and (np.diff(got["cycle"].astype(np.int64)) >= 2).all()
    assert got["data"][0] == got["data"][1] != 0 and int(got["cycle"][2]) >= 501
    closing("the_register_master_answers_in_order", rings)


@cocotb.test()
async def the_events_tell_what_came_from_outside(dut: Any) -> None:
    """Reset, TEMP, READY levels and seed, register writes: each with the first cycle in which the channel has it."""
    rings = await fresh()
    ctl = rings.ctl
    ctl["temp"], ctl["ready_seed"] = 3, 5
    rings.restart(20)
    await cycles(10)
    ctl["temp"] = 1
    while ctl["in_reset"]:
        await cycles(4)
    await cycles(4)
    first = rings.pop_events()
    kinds = [records.EV_RESET, records.EV_TEMP, records.EV_SEED, *[records.EV_READY] * 4, records.EV_TEMP]
    assert first["kind"].tolist() == kinds, "the pins keep their value during reset and follow in cycle 1"
    assert first["cycle"].tolist() == [0] * 7 + [1] and first["b"].tolist() == [0, 3, 5, *[256] * 4, 1]
    await cycles(100)
    now = rings.cycle()
    ctl["temp"], ctl["ready_b"][1], ctl["ready_seed"] = 2, 77, 6
    await cycles(1)
    assert rings.cycle() == now + 1
    rows = np.zeros(3, records.APB_REQ)
    rows["addr"], rows["write"] = [0, 0x1FFC, 0x1FFC], [0, 1, 1]
    rows["strb"], rows["data"] = [15, 15, 2], [0, 9, 0xAB00]
    rings.push_apb(rows)
    await cycles(100)
    writes = rings.pop_apb()[1:]
    ctl["temp"] = 3
    await cycles(2)
    seen = rings.pop_events()
    assert seen["kind"].tolist() == [
        records.EV_TEMP, records.EV_SEED, records.EV_READY, records.EV_REGISTER, records.EV_REGISTER, records.EV_TEMP
    ]  # fmt: skip
    assert seen["cycle"][:5].tolist() == [now + 1] * 3 + writes["cycle"].tolist()
    assert seen["b"].tolist() == [2, 6, 77, 9 | 31 << 32, 0xAB00 | 18 << 32, 3]
    assert seen["a"].tolist() == [0, 0, 3, 0x1FFC, 0x1FFC, 0]
    closing("the_events_tell_what_came_from_outside", rings)


@cocotb.test()
async def the_valids_that_stand_are_told(dut: Any) -> None:
    """A VALID that waits for READY shows with the cycle in which it rose, and no longer once it was accepted."""
    rings = await fresh()
    assert (rings.pending_valids() == -1).all()
    count = 40  # far more bursts than a port holds while the channel initialises itself
    rings.push_ar(0, ax(count, at=50, len=255))
    rings.push_w(1, beats(count))  # no AW: one beat is taken
    await cycles(600)
    acc = [rings.pop_acc(p) for p in range(2)]
    stands = rings.pending_valids()
    assert len(acc[0]) and len(acc[1]) == 1
    assert stands[0, 0] == int(acc[0]["cycle"][-1]) + 1 and stands[1, 2] == int(acc[1]["cycle"][0]) + 1
    rings.push_aw(1, ax(count))
    await settled(rings)
    assert (rings.pending_valids() == -1).all()
    rest = rings.pop_acc(0)
    assert int(rest["cycle"][0]) - int(rest["wait"][0]) == stands[0, 0]
    # A fault that hides VALID from the channel moves its rise; one that stands for a channel at fault does not.
    for fault, arg, rises in ((Fault.STUCK_READY, 0, None), (Fault.READY_PAUSE, 9 << 8, 2000)):
        rings = await fresh()
        rings.ctl["fault"], rings.ctl["fault_at"], rings.ctl["fault_arg"] = fault, 0, arg
        rings.push_ar(0, ax(1, at=2000))
        await cycles(2005)
        now = rings.cycle()
        if rises is None:
            assert now <= rings.pending_valids()[0, 0] <= now + 1, "the channel has not seen this VALID"
            rings.ctl["fault"] = 0
            free = now + 1
        await settled(rings)
        row = rings.pop_acc(0)[0]
        rose = int(row["cycle"]) - int(row["wait"])
        assert (rose == int(row["cycle"]) == free) if rises is None else (rose == rises and int(row["wait"]) == 9), row
    closing("the_valids_that_stand_are_told", rings)


@cocotb.test(skip="HBM_STIMULUS" not in os.environ)
async def same_stimulus(dut: Any) -> None:
    """Feeds a stimulus file as the bare executable does and saves the commands."""
    rings = Rings.attach()
    with open(os.environ["HBM_STIMULUS"], "rb") as file:
        assert file.read(8) == STIMULUS_MAGIC
        while head := file.read(16):
            ring, count = np.frombuffer(head, "<u8").tolist()
            spec = records.RINGS[ring]
            dtype = records.RECORDS[spec.record]
            rows = np.frombuffer(file.read(count * dtype.itemsize), dtype)
            assert rings.rings[spec.name].push(rows) == count
    found = []
    while not rings.idle() or not found:
        await cycles(1024)
        found.append(rings.pop_cmd())
    np.save("commands.npy", np.concatenate(found))
    closing("same_stimulus", rings)
