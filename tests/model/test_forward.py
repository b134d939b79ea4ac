"""Forwarding and the express lane on a whole channel (M3.6, M2.10): cycles worked out by hand from the contract."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hbm_model.commands import Cmd
from hbm_model.controller import AX_ROW, EV_REGISTER, EV_ROW, W_ROW, Channel, Foreseen, Policy, Setup
from hbm_model.csr_table import REGISTERS
from hbm_model.presets import preset

ADDRESS = {register.path: register.address for register in REGISTERS}
FULL = (1 << 32) - 1
FAR = 1 << 20  # another row
QUIET = {"refresh_en": 0, "page": 1, "page_timeout": 0, "forward": 0, "qos_mid": 16, "qos_high": 16}


def bursts(*rows: tuple[int, int, int, int, int]) -> npt.NDArray[np.void]:
    """Bursts: first cycle of VALID, address, id, AxQOS, beats of 32 bytes."""
    out = np.zeros(len(rows), AX_ROW)
    out["size"], out["burst"] = 5, 1
    for each, (cycle, addr, ident, qos, beats) in zip(out, rows, strict=True):
        each["cycle"], each["addr"], each["id"], each["qos"], each["len"] = cycle, addr, ident, qos, beats - 1
    return out


def beats(*rows: tuple[int, int]) -> npt.NDArray[np.void]:
    """Single beats: cycle, strobes."""
    out = np.zeros(len(rows), W_ROW)
    out["last"] = 1
    for each, (cycle, strobes) in zip(out, rows, strict=True):
        each["cycle"], each["strb"] = cycle, strobes
    return out


def run(
    reads: npt.NDArray[np.void],
    writes: npt.NDArray[np.void] | None = None,
    data: npt.NDArray[np.void] | None = None,
    name: str = "hbm3_6400_eng",
    end: int = 3000,
    **policy: int,
) -> tuple[Channel, Foreseen]:
    """Port 0 alone, no refresh, map `peers`."""
    params = preset(name)
    channel = Channel(Setup(params, Policy.of(params, **{**QUIET, **policy})))
    channel.offer_ax(0, False, reads)
    if writes is not None and data is not None:
        channel.offer_ax(0, True, writes)
        channel.offer_w(0, data)
    return channel, channel.step(end)


def kinds(seen: Foreseen) -> list[str]:
    return [Cmd(int(each)).name for each in seen.commands["cmd"]]


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_a_read_takes_the_data_of_a_queued_write(name: str) -> None:
    """AR in 101, accepted in 103, data in 105 (M3.6), R register in 105, RVALID in 106; no RD."""
    write = bursts((100, 64, 1, 0, 1))
    reads = bursts((101, 64, 2, 0, 1))
    channel, seen = run(reads, write, beats((100, FULL)), name, forward=1)
    assert seen.accepted[0][0].tolist() == [101]
    assert seen.r[0]["cycle"].tolist() == [106]
    assert not {"RD", "RDA"} & set(kinds(seen))
    counts = channel.counters()
    assert (counts["pc0_forward"], counts["pc0_rd_req"], counts["pc0_rd"], counts["port0_lat_16"]) == (1, 1, 0, 1)
    off, plain = run(reads, write, beats((100, FULL)), name, forward=0)
    assert {"RD", "RDA"} & set(kinds(plain)) and plain.r[0]["cycle"][0] > 106
    assert off.counters()["pc0_forward"] == 0


def test_the_write_of_the_same_cycle_counts() -> None:
    """M2.3: W handshake in 100 and AR in 100 are offered in the same cycle; the write is older and is forwarded."""
    channel, seen = run(bursts((100, 64, 2, 0, 1)), bursts((100, 64, 1, 0, 1)), beats((100, FULL)), forward=1)
    assert channel.counters()["pc0_forward"] == 1
    assert seen.r[0]["cycle"].tolist() == [105]
    # One cycle later it would be younger: nothing to take.
    channel, _ = run(bursts((100, 64, 2, 0, 1)), bursts((101, 64, 1, 0, 1)), beats((101, FULL)), forward=1)
    assert channel.counters()["pc0_forward"] == 0


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm3_6400_eng"])
@pytest.mark.parametrize(
    ("strobes", "forwarded"), [((FULL, FULL), 1), ((1, FULL), 1), ((FULL, 1), 0), ((1,), 0), ((FULL - 1,), 0)]
)
def test_the_youngest_write_decides(name: str, strobes: tuple[int, ...], forwarded: int) -> None:
    """Of several writes to the 32 bytes the youngest must have all strobes."""
    count = len(strobes)
    writes = bursts(*((100 + i, 64, 1, 0, 1) for i in range(count)))
    data = beats(*((100 + i, each) for i, each in enumerate(strobes)))
    channel, seen = run(bursts((100 + count, 64, 2, 0, 1)), writes, data, name, forward=1)
    assert channel.counters()["pc0_forward"] == forwarded
    assert len(seen.r[0]) == 1


def test_other_bytes_are_not_forwarded() -> None:
    """The next 32 bytes, and the same column of another row."""
    for addr in (96, 64 + FAR):
        channel, _ = run(bursts((101, addr, 2, 0, 1)), bursts((100, 64, 1, 0, 1)), beats((100, FULL)), forward=1)
        assert channel.counters()["pc0_forward"] == 0


def test_a_write_that_is_picked_is_gone() -> None:
    """The write alone is picked at some cycle p: a read accepted in p or later finds nothing to take."""
    _, seen = run(bursts(), bursts((100, 64, 1, 0, 1)), beats((100, FULL)))
    column = [row for row in seen.commands if row["cmd"] in (Cmd.WR, Cmd.WRA)][0]
    picked = int(column["time"]) // 4 - 3  # registered in p + 1, on the pins two cycles later (M8.1)
    for ar, forwarded in ((picked - 3, 1), (picked - 2, 0)):  # accepted two cycles after AR
        channel, _ = run(bursts((ar, 64, 2, 0, 1)), bursts((100, 64, 1, 0, 1)), beats((100, FULL)), forward=1)
        assert channel.counters()["pc0_forward"] == forwarded


def test_reads_under_way_by_forwarding() -> None:
    """One a cycle while at most two are under way: no stall, one response a cycle, in order."""
    write = bursts((90, 64, 1, 0, 1))
    _, seen = run(bursts(*((91 + i, 64, 2, 0, 1) for i in range(8))), write, beats((90, FULL)), forward=1)
    assert seen.accepted[0][0].tolist() == list(range(91, 99))
    assert seen.r[0]["cycle"].tolist() == list(range(96, 104))


@pytest.mark.parametrize("name", ["hbm2_2000_eng", "hbm3_6400_eng"])
def test_forwarded_reads_do_not_stop_a_stream(name: str) -> None:
    """M3.6: reads without a gap, each tenth of them forwarded: the data leave at more than 90 % of one a cycle.

    Each forwarded read that finds the way back taken keeps one place of a column free: as many gaps as such reads.
    """
    count = 1000
    block = np.arange(count)
    hits = block % 10 == 9
    addr = np.where(hits, 32 * 500, 32 * (block % 448))
    reads = bursts(*((200 + i, int(each), i % 8, 0, 1) for i, each in enumerate(addr)))
    # The write never leaves: it comes when reads are queued, and the policies give its direction no chance.
    channel, seen = run(
        reads, bursts((260, 32 * 500, 1, 0, 1)), beats((260, FULL)), name, forward=1, page=0, switch_low=0,
        switch_gain=63, switch_idle=255, write_high=63, starve_limit=0,
    )  # fmt: skip
    counts = channel.counters()
    assert counts["pc0_forward"] > count // 20
    cycles = seen.r[0]["cycle"].astype(int)
    assert len(cycles) == count
    assert count / (cycles.max() - cycles.min() + 1) > 0.9
    # While it runs there is one column or one forwarded read a cycle.
    middle = (cycles > 400) & (cycles < 800)
    assert middle.sum() >= 395


def slow(count: int, ident: int = 1) -> list[tuple[int, int, int, int, int]]:
    """Reads of different rows of one bank: one a tRC, so that queue and register fill."""
    return [(10, FAR * i, ident + i % 8, 0, 1) for i in range(count)]


def test_an_express_read_passes_the_queue_in_front() -> None:
    """With 32 entries, the register and 4 bursts held, a read of high QoS is accepted at once; a plain one waits.

    ARREADY is low while the normal lane is full (M2.1), so one place of it is left.
    """
    waiting = slow(36)
    for qos, passes in ((15, True), (7, False)):
        late = (60, FAR * 64 + 512, 20, qos, 1)
        channel, seen = run(bursts(*waiting, late), end=20_000, qos_high=8)
        ends = {int(row["id"]): int(row["cycle"]) for row in seen.r[0] if row["id"] == 20}
        others = sorted(int(row["cycle"]) for row in seen.r[0] if row["id"] != 20)
        assert seen.accepted[0][0][-1] == 60
        assert (sum(each < ends[20] for each in others) < 6) == passes
        assert channel.counters()["port0_ar"] == 37


def test_an_id_keeps_its_lane() -> None:
    """M2.10: a high read behind a normal one of its id takes the normal lane; one of another id passes both.

    The first burst has 16 requests and is held until the last one leaves; in one bank the order of the ACTs is that in
    which the rows were asked for by high reads.
    """
    reads = bursts((10, 0, 3, 0, 16), (12, FAR, 3, 15, 1), (14, 2 * FAR, 4, 15, 1))
    for high, order in ((8, [0, 2, 1]), (16, [0, 1, 2])):
        channel, seen = run(reads, qos_high=high)
        rows = list(dict.fromkeys(seen.commands["row"][seen.commands["cmd"] == Cmd.ACT].tolist()))
        assert [sorted(rows).index(each) for each in rows] == order
        assert channel.counters()["pc0_rd_req"] == 18


def test_the_value_of_the_cycle_counts() -> None:
    """qos_high is that of the cycle of the AR handshake for the lane: the write ends in 50 and holds in 50."""
    params = preset("hbm3_6400_eng")
    found = []
    for cycle in (49, 50, 51):
        channel = Channel(Setup(params, Policy.of(params, **QUIET)))
        channel.offer_ax(0, False, bursts(*slow(36), (50, FAR * 64 + 512, 20, 15, 1)))
        channel.events(np.array([(cycle, EV_REGISTER, ADDRESS["policy.qos"], 8 << 8 | 16)], EV_ROW))
        seen = channel.step(20_000)
        found.append(int(seen.r[0]["cycle"][seen.r[0]["id"] == 20][0]))
    assert found[0] == found[1] < found[2]
