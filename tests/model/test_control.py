"""Power-up, commits, registers and pins of the exact model: cycles computed by hand from docs/microarchitecture.md M7.

All start with InitShift 16, so HBM2 waits 2 (180,000 >> 16), 6 (450,000 >> 16), 5 and 180 cycles; its first mode
register is registered in cycle 1 + 193 = 194 and stands on the pins in CK 2 (194 + 2) = 392. HBM2 2.0: MRD 8, MOD 15,
RFC 260, RL 20, WL 8, WR 16, RAS 33, RP 14, REFISB 243, REFI 3900: nine registers, 4 cycles apart, commands from
226 + 8 = 234 on.
"""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model import _control as c7
from hbm_model import _places as m
from hbm_model.addrmap import DEFAULT_MAP, Location, named_map
from hbm_model.commands import Cmd, CmdArray
from hbm_model.controller import AX_ROW, EV_REGISTER, EV_ROW, EV_TEMP, W_ROW, Channel
from hbm_model.params import Params
from hbm_model.presets import preset

HBM2 = preset("hbm2_2000_eng")
CTRL, PAGE, REFRESH, STARVE = 0x10, 0x40, 0x44, 0x50
START, COMMIT = 1, 2
OFF = 0x60  # policy.refresh: refresh_hold 6, nothing enabled
SINGLE, ALL = 0x61, 0x63
OPEN_PAGE = 0x10
LOOK_AHEAD = 0x11
Event = tuple[int, int, int]  # cycle in which the write ends, address, data; address -1: TEMP pins


def channel(*events: Event, params: Params = HBM2, auto_init: bool = True, init_shift: int = 16) -> Channel:
    """A channel from reset with its events given."""
    made = Channel.from_reset(params, init_shift, auto_init)
    rows = np.zeros(len(events), EV_ROW)
    for row, (cycle, address, data) in zip(rows, events, strict=True):
        row["cycle"], row["b"] = cycle, data
        row["kind"], row["a"] = (EV_TEMP, 0) if address < 0 else (EV_REGISTER, address)
    made.events(rows)
    return made


def next_set(made: Channel, params: Params) -> None:
    """The set that the next load makes active."""
    shape = params.geometry
    made.next_set(params, named_map(DEFAULT_MAP, shape), shape.rows, 0)


def cycles(commands: CmdArray, *kinds: Cmd) -> list[int]:
    """Cycles in which commands were registered (M8.1: they stand on the pins two cycles later)."""
    return [int(c["time"]) // 4 - 2 for c in commands if c["cmd"] in kinds]


def mode_registers(commands: CmdArray) -> dict[int, int]:
    """Address and value of each MRS."""
    return {int(c["row"]) >> 8: int(c["row"]) & 255 for c in commands if c["cmd"] == Cmd.MRS}


def refreshes(commands: CmdArray, pc: int = 0) -> list[tuple[str, int]]:
    """REF and REFSB of a PC with the cycle in which they were registered."""
    mine = commands[(commands["pc"] == pc) & np.isin(commands["cmd"], (Cmd.REF, Cmd.REFSB))]
    return [(Cmd(int(c["cmd"])).name, int(c["time"]) // 4 - 2) for c in mine]


# ------------------------------------------------------------------ power-up


def test_power_up_of_hbm2() -> None:
    """M7.1, M7.2, and the first refresh: due in CK 2 x 235 + 243 = 713 (cycle 356), granted 358, registered 359."""
    seen = channel().step(400).commands
    assert cycles(seen, Cmd.MRS) == [194, 198, 202, 206, 210, 214, 218, 222, 226]
    assert all(int(c["time"]) % 4 == 0 for c in seen[seen["cmd"] == Cmd.MRS])
    # MR1 WR 16 | 2 << 5; MR2 WL - 1 = 7, RL - 2 = 18 << 3; MR3 RAS 33 | 0xC0; MR6 RP - 2 = 12 << 3; MR7 2.
    assert mode_registers(seen) == {0: 0, 1: 0x50, 2: 0x97, 3: 0xE1, 4: 0, 5: 0, 6: 0x60, 7: 2, 15: 0}
    assert refreshes(seen, 0) == refreshes(seen, 1) == [("REFSB", 359)]


@pytest.mark.parametrize(
    ("name", "shift", "first", "gap", "count"),
    [
        ("hbm2_2000_eng", 0, 1 + 180_000 + 450_000 + 5 + 180, 4, 9),
        ("hbm2_2000_eng", 40, 1 + 1 + 1 + 5 + 180, 4, 9),  # one cycle remains of the waits
        ("hbm3_6400_eng", 16, 1 + 3 + 74 + 5 + 245, 8, 16),
        ("hbm4_8000_eng", 16, 1 + 4 + 99 + 5 + 325, 8, 20),
    ],
)
def test_power_up(name: str, shift: int, first: int, gap: int, count: int) -> None:
    """First mode register, distance and number, per generation."""
    made = channel((1, REFRESH, OFF), params=preset(name), init_shift=shift)
    seen = made.step(first + 500).commands
    assert cycles(seen, Cmd.MRS) == [first + gap * i for i in range(count)]
    assert len(seen) == count


def test_start_by_register() -> None:
    """A start written in 22 begins reset in 24; a commit before it and a start in run have no effect."""
    events = ((5, CTRL, COMMIT), (22, CTRL, START), (400, CTRL, START))
    seen = channel(*events, auto_init=False).step(900).commands
    assert cycles(seen, Cmd.MRS) == [24 + 193 + 4 * i for i in range(9)]
    assert len(channel(auto_init=False).step(900).commands) == 0


# ------------------------------------------------------------------ commits


def test_commit_at_rest() -> None:
    """Written in 402: drain 405, close 409, settle 413 (130 cycles of the old RFC), load 543, mode registers 544."""
    made = channel((303, REFRESH, OFF), (402, CTRL, COMMIT))
    made.step(300)
    next_set(made, HBM2.replaced(MRD=20, RL=24, RFC=100))
    seen = made.step(900).commands
    assert cycles(seen, Cmd.MRS) == [544 + 10 * i for i in range(9)]
    assert mode_registers(seen)[2] == 0xB7  # WL - 1 | (24 - 2) << 3


def test_a_commit_is_remembered_until_the_load() -> None:
    """Pulses up to 542 are one commit; one in the cycle of load, 543, makes another round after the first run cycle."""
    for second, again in ((542, []), (543, [724]), (570, [724]), (585, [727])):
        made = channel((303, REFRESH, OFF), (402, CTRL, COMMIT), (second, CTRL, COMMIT))
        # Run begins in 576 + 8 = 584: drain 585, close 589, settle 593, load 723.
        assert cycles(made.step(1000).commands, Cmd.MRS)[9::9] == [544, *again], second


def test_commit_during_initialisation() -> None:
    """One cycle of run (234), then drain 235, close 239, settle 243, load 373."""
    seen = channel((1, REFRESH, OFF), (107, CTRL, COMMIT)).step(700).commands
    assert cycles(seen, Cmd.MRS)[::9] == [194, 374]


def reads(*at: int) -> np.ndarray:
    """Single reads of row 1, bank 0, of one port, offered in these cycles."""
    rows = np.zeros(len(at), AX_ROW)
    rows["cycle"], rows["size"], rows["burst"] = at, 5, 1
    zero = np.zeros(len(at), np.int64)
    where = Location(zero, zero, zero, zero, zero + 1, np.arange(len(at)))
    rows["addr"] = HBM2_MAP.split(HBM2_MAP.encode(where))[1]
    return rows


HBM2_MAP = named_map(DEFAULT_MAP, HBM2.geometry)


def test_new_requests_wait_for_the_commit() -> None:
    """AR refused from the first cycle of drain to the last before run; one is taken in run's first cycle, 234."""
    made = channel((1, REFRESH, OFF), (1, PAGE, LOOK_AHEAD), (402, CTRL, COMMIT))
    made.offer_ax(0, False, reads(100, 200, 404, 405))
    taken = made.step(900).accepted[0][0]
    # Read of 404: in the queue 407, ACT granted 408 (time 817), RDA at 2m >= 817 + 14, m = 416,
    # data 416 + 4 + 10 = 430, R 431, S(432) idle. Close 433 to 436 (REF at 2n >= 832 + RTP 5 + RP 14), settle 437 to
    # 566, mode registers from 568 on.
    assert taken.tolist() == [234, 235, 404, 568 + 32 + 8]


def test_close_waits_for_the_data_of_a_write() -> None:
    """PC1: WR picked 704 (time 1409), its odd phase takes the data's end to 704 + 1 + 5; idle in 711, close from 712.

    Stopped 713: PC0, open too, has its PREA picked 713 and granted 714 (CK 1428), PC1 from 1409 + 10 + 16 = 1435 on
    (717, slot B). REF is legal from 1435 + RP 14 on: slot A of 725, the last cycle of close.
    """
    made = channel((1, REFRESH, OFF), (253, PAGE, OPEN_PAGE), (700, CTRL, COMMIT))
    for port in range(2):
        made.offer_ax(port, False, reads(500))
    rows = reads(700)
    made.offer_ax(1, True, rows)
    beat = np.zeros(1, W_ROW)
    beat["cycle"], beat["strb"], beat["last"] = 700, 0xFFFFFFFF, 1
    made.offer_w(1, beat)
    seen = made.step(1000).commands
    write = seen[seen["cmd"] == Cmd.WR]
    assert [int(c["time"]) for c in write] == [2 * (1409 + 6)]  # registered a cycle later, on the pins two more
    assert [int(c["time"]) for c in seen[seen["cmd"] == Cmd.PREA]] == [2 * (1428 + 6), 2 * (1435 + 6)]
    assert cycles(seen, Cmd.MRS)[9] == 725 + 130 + 2


# ------------------------------------------------------------------ refresh (M6.1)


def test_refresh_off_and_on() -> None:
    """Off in 358 the debt of 357 is still served, in 357 not; on in 703: due in 2 x 704 + 243 = 1651 (825), 828."""
    for off, first in ((357, []), (358, [("REFSB", 359)])):
        seen = channel((off, REFRESH, OFF), (703, REFRESH, SINGLE)).step(900).commands
        assert refreshes(seen) == [*first, ("REFSB", 828)], off


def test_refresh_switched_on_during_a_commit() -> None:
    """On in settle: the interval begins with the first run cycle, 584: due in 2 x 585 + 243 = 1413 (706), 709."""
    made = channel((303, REFRESH, OFF), (402, CTRL, COMMIT), (500, REFRESH, SINGLE))
    assert refreshes(made.step(800).commands) == [("REFSB", 709)]


def test_temperature() -> None:
    """A refresh falls due in 599 (CK 1199); the pins of that cycle decide on the next one: 2 x 243 or 243 later."""
    for at, later in ((599, 842), (600, 721)):
        seen = channel((at, -1, 1)).step(900).commands
        assert refreshes(seen)[:4] == [("REFSB", 359), ("REFSB", 481), ("REFSB", 602), ("REFSB", later + 3)], at


@pytest.mark.parametrize(("temp", "interval"), [(0, 972), (1, 486), (3, 243), (2, 121), (6, 60), (4, 243), (7, 243)])
def test_interval(temp: int, interval: int) -> None:
    """Codes of the pins: 4, 2, 1, 1/2 and 1/4 of REFISB; other codes 1."""
    made = channel()
    c7.control_event(made.control, made.k, made.state[0], made.state[1], EV_TEMP, 0, temp, 0)
    assert made.k[m.K_INTERVAL] == interval


def test_all_bank() -> None:
    """Written in 601, after REFSB was picked in 600: it is not offered; held 602, REF picked 602, granted 603.

    In 602 it comes too late for that: REF RFCSB 160 later (M6.8). In 600 the interval that began in 599 is still that
    of single banks (721), in 599 it is 3900 CK.
    """
    wanted = {
        599: [("REF", 603)],  # owed 600, held 601, picked 601, granted 602
        600: [("REF", 603), ("REF", 733)],  # held 601 already, for the debt of 599; then RFC 260 after 603
        601: [("REF", 604), ("REF", 734)],
        602: [("REFSB", 602), ("REF", 682)],
    }
    for at, kinds in wanted.items():
        assert refreshes(channel((at, REFRESH, ALL)).step(800).commands)[2:] == kinds, at


def test_back_to_single_banks_begins_with_a_ref() -> None:
    """HBM4: REF falls due in CK 2 x 595 + 7800 (4495), is owed in 4496, picked in 4497, granted in 4498.

    A change in n is granted in n + 3; what was picked in 4497 is offered in vain when the kind changes then. From
    4498 on it came before, and another follows RFC 900 CK later (M6.8).
    """
    params = preset("hbm4_8000_eng")
    wanted = {
        4495: [("REF", 4499), ("REFSB", 4949), ("REFSB", 4957)],  # 4495 chooses REFISB 243: two fell due within RFC
        4496: [("REF", 4500)],
        4497: [("REF", 4501)],
        4498: [("REF", 4499), ("REF", 4949)],
        4499: [("REF", 4499), ("REF", 4949)],
    }
    for at, kinds in wanted.items():
        seen = channel((103, REFRESH, ALL), (at, REFRESH, SINGLE), params=params).step(4960).commands
        assert refreshes(seen) == kinds, at


# ------------------------------------------------------------------ ageing beat (M4.5), limits of auto-precharge (M1.5)


@pytest.mark.parametrize(
    ("writes", "beats"),
    [
        ((), [999, 1999]),
        (((303, 100),), [303, 403, 503, 603]),  # 303 cycles have passed since the last one
        (((303, 2000),), [1999]),
        (((303, 0), (403, 100)), [502, 602, 702]),  # no count while it is 0
        (((303, 100), (403, 200)), [303, 503, 703]),
        (((303, 50), (450, 100)), [303, 353, 403, 503, 603]),
        (((303, 1),), [303, 304, 305, 306]),
    ],
)
def test_beats(writes: tuple[tuple[int, int], ...], beats: list[int]) -> None:
    """Beats around writes of starve_limit; a look in every cycle and only in those of events finds the same."""
    due = dict(writes)
    for skips in (False, True):
        made = channel()
        found = []
        for n in range(2000):
            if n in due:
                made_args = (made.control, made.k, made.state[0], made.state[1])
                c7.control_event(*made_args, EV_REGISTER, STARVE, due[n], n)
            if skips and n not in due and n not in beats:
                continue
            if c7.control_beat(made.control, made.k, n, c7.C_BEAT, m.K_STARVE):
                found.append(n)
        assert found[: len(beats)] == beats
        assert made.k[m.K_STARVE] == (writes[-1][1] if writes else 1000)


def test_limit_of_auto_precharge() -> None:
    """Written in 502, ap_min_ras 80 does not bind an ACT granted in 502 and binds one granted in 503.

    Closed page: AR n, ACT granted n + 4, RDA 14 CK later, legal then only if 80 - RTP 5 is no bound.
    """
    for at, kind in ((498, "RDA"), (499, "RD")):
        made = channel((1, REFRESH, OFF), (253, PAGE, 0x13), (502, PAGE, 80 << 8 | 0x13))
        made.offer_ax(0, False, reads(at))
        seen = made.step(700).commands
        assert cycles(seen, Cmd.ACT) == [at + 5]
        assert [Cmd(int(c["cmd"])).name for c in seen if Cmd.RD <= c["cmd"] <= Cmd.WRA] == [kind], at
