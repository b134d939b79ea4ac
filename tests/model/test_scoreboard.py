"""The scoreboard passes a correct channel and catches each kind of fault with the right sentence."""

from __future__ import annotations

import mock_channel as mock
import numpy as np
import pytest
from hbm_model.addrmap import named_map
from hbm_model.geometry import geometry
from hbm_model.memory import unwritten
from hbm_tb import axi, records, traffic
from hbm_tb import port_kernel as k
from hbm_tb.scoreboard import Mismatch, Scoreboard, Settings
from hbm_tb.traffic import Chunk, RandomShape

SEED = 77
MAP = named_map("peers", geometry("HBM2", 1))
HOT = np.array([0, 4096 * 5 + 1024, 4096 * 900])


def random_chunks(seed: int, count: int = 250, **how: object) -> list[Chunk]:
    """Random traffic for both ports, most of it on a few hot bytes."""
    rng = np.random.default_rng(seed)
    shape = RandomShape(MAP.port_bytes, hot_bytes=128, error_share=0.08, **how)  # type: ignore[arg-type]
    return [traffic.random_chunk(rng, count, shape, HOT) for _ in range(2)]


def feed(
    chunks: list[Chunk], out: mock.Streams, has_mask: bool = True, batch: int = 1 << 60, finish: bool = True
) -> Scoreboard:
    """A scoreboard that saw the streams, in batches of cycles."""
    board = Scoreboard(Settings(MAP, has_mask, SEED, reproduce="make test TEST=scoreboard SEED=77"))
    for port, chunk in enumerate(chunks):
        board.offered(port, chunk.ar, chunk.aw, chunk.w)
    acc, r, b, cmd = out.arrays()
    last = max(int(cmd["time"].max(initial=0)) // 4, *(int(rows["cycle"].max(initial=0)) for rows in (*acc, *r, *b)))
    for start in range(0, last + 1, min(batch, last + 1)):
        stop = start + min(batch, last + 1)
        cut = [[rows[(rows["cycle"] >= start) & (rows["cycle"] < stop)] for rows in kind] for kind in (acc, r, b)]
        now = cmd[(cmd["time"] // 4 >= start) & (cmd["time"] // 4 < stop)]
        board.consume(cut[0], cut[1], cut[2], now)
    if finish:
        board.finish()
    return board


def correct(seed: int = 1, has_mask: bool = True, **how: object) -> tuple[list[Chunk], mock.Streams]:
    chunks = random_chunks(seed, **how)
    return chunks, mock.run(chunks, MAP, SEED, np.random.default_rng(seed), has_mask)


# ---------------------------------------------------------------- AXI arithmetic


def test_beats_follow_the_transfer_loop_of_the_specification() -> None:
    """Addresses and lanes by formula equal those of the specification's loop, for all shapes."""
    checked = 0
    rng = np.random.default_rng(3)
    for size in range(6):
        for burst, lengths in ((axi.FIXED, range(16)), (axi.INCR, range(40)), (axi.WRAP, (1, 3, 7, 15))):
            for length in lengths:
                for addr in rng.integers(0, 2048, 6):
                    start = int(addr) >> size << size if burst == axi.WRAP else int(addr)
                    for beat, expected in enumerate(mock.transfer_loop(start, length, size, burst)):
                        here = axi.beat_address(start, length, size, burst, beat)
                        assert (here, *axi.beat_lanes(start, size, burst, beat, here)) == expected
                        checked += 1
    assert checked > 10_000


@pytest.mark.parametrize(
    ("burst", "expected"),
    [
        ((0, 0, 5, 3), True),
        ((0, 0, 6, 1), True),
        ((0, 2, 2, 2), True),  # WRAP of 3
        ((2, 3, 2, 2), True),  # WRAP not aligned
        ((0, 15, 5, 0), False),
        ((0, 16, 5, 0), True),  # FIXED of 17
        ((4096 - 32, 0, 5, 1), False),
        ((4096 - 32, 1, 5, 1), True),  # crosses 4 KiB
        ((4095, 1, 5, 1), True),
        ((1, 127, 5, 1), False),  # unaligned, ends at the border
        ((32, 127, 5, 1), True),
        ((4096 - 32, 15, 5, 2), False),
    ],
)
def test_illegal_bursts_are_known(burst: tuple[int, int, int, int], expected: bool) -> None:
    """SLVERR as in M2.6."""
    assert bool(axi.burst_slverr(*burst)) is expected


# ---------------------------------------------------------------- correct streams


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [1 << 40, 64, 7], ids=["whole", "64", "7"])
def test_a_correct_channel_passes(seed: int, batch: int) -> None:
    """No false alarm, whatever the batches; hazards and several legal values did occur."""
    chunks, out = correct(seed)
    board = feed(chunks, out, batch=batch)
    assert board.total(k.N_RD_CHECKED) > 500
    assert board.total(k.N_MULTI) > 20
    assert board.total(k.N_RAW) > 0 and board.total(k.N_WAW) > 0
    assert board.total(k.N_SLVERR) > 0 and board.total(k.N_DECERR) > 0
    assert board.drained()


def test_a_correct_channel_without_mask_pins_passes() -> None:
    """Partial writes cost one read command more, no more and no less."""
    chunks, out = correct(5, has_mask=False)
    assert feed(chunks, out, has_mask=False).total(k.N_RMW) > 10
    with pytest.raises(Mismatch, match="answers to no read request"):
        feed(chunks, out, has_mask=True)


def test_the_image_is_what_was_written() -> None:
    """After the run the golden memory holds the bytes of the mock's memory."""
    chunks, out = correct(6)
    board = feed(chunks, out)
    packed, data = board.ports[0].image()
    assert len(packed) > 50
    rng = np.random.default_rng(0)
    mirror = mock.MockPort(0, Chunk(), MAP, SEED, rng, mock.Streams())
    again = mock.MockPort(0, chunks[0], MAP, SEED, np.random.default_rng(6), mock.Streams())
    cycle = 0
    while again.busy():
        again.step(cycle)
        cycle += 1
    for at, row in zip(packed, data, strict=True):
        expected = again.memory.get(int(at)) or mirror.image(int(at))
        assert bytes(expected) == row.tobytes()
    assert board.compare_memory(0, packed, data) == len(packed)
    data[3, 5] ^= 1
    with pytest.raises(Mismatch, match="device memory differs from the golden memory in 1 of"):
        board.compare_memory(0, packed, data)


# ---------------------------------------------------------------- faults


def full_width(seed: int = 11) -> tuple[list[Chunk], mock.Streams]:
    """Traffic of full-width reads and writes, so that every lane of every beat counts."""
    return correct(seed, size_weights=(0, 0, 0, 0, 0, 1), unaligned_share=0.0, shape_weights=(1, 0, 0, 0, 0, 0))


def expect(chunks: list[Chunk], out: mock.Streams, *words: str, **how: object) -> str:
    with pytest.raises(Mismatch) as caught:
        feed(chunks, out, **how)  # type: ignore[arg-type]
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert "reproduce: make test TEST=scoreboard SEED=77" in text
    return text


def first_okay(out: mock.Streams, port: int = 0, skip: int = 20) -> int:
    return [i for i, beat in enumerate(out.r[port]) if beat[2] == 0][skip]


def test_a_corrupted_byte_is_caught() -> None:
    """The message names port, id, address, cycle, lane, expected and received bytes."""
    chunks, out = full_width()
    at = first_okay(out)
    cycle, axi_id, resp, last, data = out.r[0][at]
    out.r[0][at] = (cycle, axi_id, resp, last, data[:7] + bytes([data[7] ^ 0x10]) + data[8:])
    text = expect(
        chunks, out, "wrong read data", f"port 0, cycle {cycle}", f"id {axi_id} ", "lanes that differ from the first: 7"
    )
    assert "expected" in text and "got" in text and "DRAM address: PC 0" in text


def test_a_lost_response_is_caught() -> None:
    """A missing single-beat read shows at the end, a missing beat of a burst at RLAST."""
    chunks, out = full_width()
    singles = [i for i, beat in enumerate(out.r[0]) if beat[3] and not any(b[1] == beat[1] for b in out.r[0][i + 1 :])]
    gone = out.r[0].pop(singles[-1])
    expect(chunks, out, "response lost", f"id {gone[1]} ")
    chunks, out = full_width()
    at = next(i for i, beat in enumerate(out.r[0]) if not beat[3])
    out.r[0].pop(at)
    with pytest.raises(Mismatch):
        feed(chunks, out)


def test_a_lost_b_is_caught() -> None:
    """The last B is missed at the end; an earlier one shows as a wrong id or as open work."""
    chunks, out = full_width()
    out.b[1].pop()
    expect(chunks, out, "port 1: write", "no B: response lost")


def test_a_surplus_response_is_caught() -> None:
    """An R beat or a B that nobody waits for."""
    chunks, out = full_width()
    cycle, axi_id, resp, last, data = out.r[0][-1]
    out.r[0].append((cycle + 1, axi_id, resp, last, data))
    expect(chunks, out, "surplus R beat", f"id {axi_id} ")
    chunks, out = full_width()
    cycle, axi_id, resp = out.b[0][-1]
    out.b[0].append((cycle + 1, axi_id, resp))
    expect(chunks, out, "surplus B")


def test_swapped_order_of_one_id_is_caught() -> None:
    """Data of two reads of one id in the wrong order; the message says whose data they are."""
    chunks = [traffic.read(np.arange(40) * 32, axi_id=np.arange(40) % 2), Chunk()]
    out = mock.run(chunks, MAP, SEED, np.random.default_rng(5))
    mine = [i for i, beat in enumerate(out.r[0]) if beat[1] == 1]
    a, b = mine[4], mine[5]
    ra, rb = out.r[0][a], out.r[0][b]
    out.r[0][a], out.r[0][b] = (*ra[:4], rb[4]), (*rb[:4], ra[4])
    expect(chunks, out, "wrong read data", "never written memory of PC 0", "order swapped?")


def test_swapped_b_order_is_caught() -> None:
    """B leaves in the order of AW."""
    rng = np.random.default_rng(2)
    chunks = [traffic.write(rng, np.arange(20) * 32, axi_id=np.arange(20)), Chunk()]
    out = mock.run(chunks, MAP, SEED, rng)
    x, y = out.b[0][5], out.b[0][6]
    out.b[0][5], out.b[0][6] = (x[0], *y[1:]), (y[0], *x[1:])
    expect(chunks, out, "B has id 6, expected 5", "order swapped")


def test_a_b_before_the_last_beat_is_caught() -> None:
    """B must follow the last W beat."""
    rng = np.random.default_rng(2)
    chunks = [traffic.write(rng, 0, 15), Chunk()]
    out = mock.run(chunks, MAP, SEED, rng)
    awake = next(row[0] for row in out.acc[0] if row[1] == 1)
    out.b[0][0] = (awake + 2, *out.b[0][0][1:])
    expect(chunks, out, "B before the last W beat was taken")


@pytest.mark.parametrize("good", [0, 2, 3])
def test_a_wrong_response_code_is_caught(good: int) -> None:
    """R and B responses, for legal and illegal bursts."""
    addr, burst = {0: (64, axi.INCR), 2: (64, axi.RESERVED), 3: (1 << 38, axi.INCR)}[good]
    for is_write in (False, True):
        rng = np.random.default_rng(2)
        chunk = traffic.write(rng, addr, 3, burst=burst) if is_write else traffic.read(addr, 3, burst=burst)
        out = mock.run([chunk, Chunk()], MAP, SEED, rng)
        stream: list[tuple[object, ...]] = out.b[0] if is_write else out.r[0]  # type: ignore[assignment]
        row = stream[0]
        assert row[2] == good
        wrong = 2 if good != 2 else 3
        stream[0] = (*row[:2], wrong, *row[3:])
        name = "BRESP" if is_write else "RRESP"
        expect([chunk, Chunk()], out, f"{name} is {axi.RESP_NAMES[wrong]}, expected {axi.RESP_NAMES[good]}")


def test_a_stale_read_is_caught() -> None:
    """A read must see a write that was complete before its AR handshake."""
    rng = np.random.default_rng(4)
    write, read = traffic.write(rng, 96, axi_id=3), traffic.read(96, axi_id=4)
    chunks = [write + read, Chunk()]
    out = mock.run(chunks, MAP, SEED, rng)
    old = np.zeros(32, np.uint8)
    done = max(row[0] for row in out.acc[0] if row[1] == records.ACC_W)
    ar = next(i for i, row in enumerate(out.acc[0]) if row[1] == 0)
    fresh = mock.MockPort(0, Chunk(), MAP, SEED, rng, mock.Streams()).image(int(MAP.to_dram(np.array([96]))[0]))
    old[:] = np.frombuffer(bytes(fresh), np.uint8)
    for when, legal in ((done, True), (done + 1, False)):
        rows = [row for i, row in enumerate(out.acc[0]) if i != ar] + [(when, 0, 0, 4)]
        streams = mock.Streams(acc=[sorted(rows), []], b=out.b, cmd=[])
        streams.r[0].append((done + 30, 4, 0, 1, old.tobytes()))
        columns = mock.MockPort(0, Chunk(), MAP, SEED, rng, streams)
        columns.column(done + 5, mock.WRA, columns.packed(96))
        columns.column(done + 6, mock.RDA, columns.packed(96))
        if legal:
            feed(chunks, streams)
        else:
            expect(chunks, streams, "wrong read data")


def test_a_torn_request_is_caught() -> None:
    """Beats of one 32-byte request must come from one version."""
    rng = np.random.default_rng(4)
    ones = np.full((1, 32), 0x11, np.uint8)
    chunks = [traffic.write(rng, 0, axi_id=1, data=ones) + traffic.read(0, 3, 3, axi_id=2), Chunk()]
    old = bytes(mock.MockPort(0, Chunk(), MAP, SEED, rng, mock.Streams()).image(0))
    for pattern, legal in (("oooo", True), ("nnnn", True), ("oonn", False), ("nnno", False)):
        out = mock.Streams()
        out.acc[0] = [(10, 0, 0, 2), (12, 1, 0, 1), (12, 2, 1, 0)]
        out.b[0] = [(14, 1, 0)]
        for n, which in enumerate(pattern):
            out.r[0].append((40 + n, 2, 0, int(n == 3), old if which == "o" else bytes([0x11] * 32)))
        port = mock.MockPort(0, Chunk(), MAP, SEED, rng, out)
        port.column(20, mock.WRA, 0)
        port.column(22, mock.RDA, 0)
        if legal:
            feed(chunks, out)
        else:
            expect(chunks, out, "beats of one 32-byte request come from different writes")


def test_swapped_address_bits_show_on_pure_reads() -> None:
    """Never written memory is a hash of its place: a wrong row or column has other data, and the message says which."""
    chunks = [traffic.read(np.arange(64) * 32 + 4096 * 7, axi_id=np.arange(64) % 16), Chunk()]
    out = mock.run(chunks, MAP, SEED, np.random.default_rng(5))
    feed(chunks, out)
    wrong = named_map("row_bank_col", geometry("HBM2", 1))
    bad = mock.run(chunks, wrong, SEED, np.random.default_rng(5))
    bad.cmd = out.cmd
    expect(chunks, bad, "wrong read data", "never written memory of PC 0")


def test_commands_must_answer_to_requests() -> None:
    """A column command too many, too few, or to another column."""
    chunks, out = full_width()
    port = mock.MockPort(0, Chunk(), MAP, SEED, np.random.default_rng(1), out)
    port.column(max(row[0] for row in out.r[0]), mock.RDA, 12345)
    expect(chunks, out, "RDA at CK", "answers to no read request")
    chunks, out = full_width()
    port = mock.MockPort(0, Chunk(), MAP, SEED, np.random.default_rng(1), out)
    port.column(max(row[0] for row in out.r[0]), mock.WRA, 12345)
    expect(chunks, out, "WRA at CK", "answers to no write request")
    chunks, out = full_width()
    gone = next(i for i, row in enumerate(out.cmd) if row[1] == mock.WRA)
    out.cmd.pop(gone)
    expect(chunks, out, "WR commands are missing", "PC 0" if out.cmd[0][2] == 0 else "PC")


def test_forwarded_reads_need_no_command() -> None:
    """M3.6: as many RD may be missing as the channel says that it forwarded, no more, no fewer, on its own PC."""
    chunks, out = full_width()
    at, gone = next((i, row) for i, row in enumerate(out.cmd) if row[1] == mock.RDA)
    out.cmd.pop(at)
    port = int(gone[2])
    board = feed(chunks, out, finish=False)
    board.finish(forwarded=[int(n == port) for n in range(2)])
    for wrong in ([0, 0], [2 * (n == port) for n in range(2)], [int(n != port) for n in range(2)]):
        with pytest.raises(Mismatch, match="1 RD commands are missing"):
            feed(chunks, out, finish=False).finish(forwarded=wrong)


def test_silence_is_no_pass() -> None:
    """Nothing checked, or requests never taken, is a failure."""
    chunks = random_chunks(1)
    board = Scoreboard(Settings(MAP, True, SEED))
    with pytest.raises(Mismatch, match="nothing was checked"):
        board.finish()
    board.offered(0, chunks[0].ar, chunks[0].aw, chunks[0].w)
    with pytest.raises(Mismatch, match="ARREADY stuck"):
        board.finish()


def test_an_exclusive_pair_succeeds_and_an_intervening_write_breaks_it() -> None:
    """EXOKAY only while the monitor is armed; a write to the bytes in between makes the exclusive write fail."""
    rng = np.random.default_rng(1)
    for between, expected in ((False, 1), (True, 0)):
        load = traffic.read(64, axi_id=5, lock=1)
        store = traffic.write(rng, 64, axi_id=5, lock=1)
        other = traffic.write(rng, 64, axi_id=6)
        chunks = [(load + other + store) if between else (load + store), Chunk()]
        for answer in (0, 1):
            out = mock.Streams()
            port = mock.MockPort(0, Chunk(), MAP, SEED, rng, out)
            packed = port.packed(64)
            out.acc[0] = [(10, 0, 0, 5)]
            out.r[0] = [(30, 5, 1, 1, bytes(port.image(packed)))]
            port.column(20, mock.RDA, packed)
            if between:
                out.acc[0] += [(40, 1, 0, 6), (40, 2, 1, 0)]
                out.b[0] += [(43, 6, 0)]
                port.column(45, mock.WRA, packed)
            out.acc[0] += [(60, 1, 0, 5), (60, 2, 1, 0)]
            out.b[0] += [(63, 5, answer)]
            if answer:
                port.column(65, mock.WRA, packed)
            if answer == expected:
                board = feed(chunks, out)
                assert board.total(k.N_EXCL_OK) == answer
            else:
                expect(chunks, out, f"BRESP is {axi.RESP_NAMES[answer]}, expected {axi.RESP_NAMES[expected]}")


def test_the_origin_of_unexpected_data_is_found() -> None:
    """The hash is inverted to the place that it came from."""
    board = Scoreboard(Settings(MAP, True, SEED))
    at = MAP.unpack(1, np.array([0x12345], np.uint64))
    word = int(unwritten(SEED, at)[0].view(np.uint64)[2])
    text = board.ports[1].origin(word, 2)
    assert text is not None
    assert f"PC 1 SID 0 BG {at.bg[0]} bank {at.bank[0]} row {int(at.row[0]):#x} col {at.col[0]}" in text
    assert board.ports[1].origin(word ^ 1, 2) is None
