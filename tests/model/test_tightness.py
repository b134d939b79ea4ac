"""Tightness on traces whose slacks and skipped slots are typed by hand.

HBM2 2.0: RCDRD 14, RCDWR 10, RAS 33, RP 14, RC 47, RRDS 4, RRDL 6, FAW 16, CCDS 2, CCDL 4, RTP 5, RTW 16, WL 8, WR 16,
WTRS 4, WTRL 9, RREFD 8, RFCSB 160, PPD 1. HBM3 6.4: RTP 9, RP 26, RAS 53. First edges; ACT counts one CK later.
"""

from __future__ import annotations

import pytest
from hbm_model.commands import Cmd
from hbm_model.legality import LegalityChecker
from hbm_model.presets import preset
from hbm_model.tightness import Grid, Tightness, TightnessMeter, grid_of, measure_trace, merge
from trace_tools import trace

HBM2 = preset("hbm2_2000_eng")
HBM3 = preset("hbm3_6400_eng")

# (what it shows, params, trace, rule, pc, slack in CK, slots skipped, slack in CK where it bound alone, or None)
CASES = [
    ("RCDRD 14: ACT time 1, first even CK from 15 on is 16", HBM2, "0 ACT\n16 RD", "tRCDRD", 0, 1, 0, 1),
    ("the same on PC1: CK 15 is its slot", HBM2, "0 ACT pc1\n15 RD pc1", "tRCDRD", 1, 0, 0, 0),
    ("two CK later: one slot of the PC's columns is skipped", HBM2, "0 ACT\n18 RD", "tRCDRD", 0, 3, 1, 3),
    ("an odd RCDRD can be met by PC0", HBM2.replaced(RCDRD=15), "0 ACT\n16 RD", "tRCDRD", 0, 0, 0, 0),
    ("RAS 33: PRE stands in both phases", HBM2, "0 ACT\n34 PRE", "tRAS", 0, 0, 0, 0),
    ("three CK later: three slots", HBM2, "0 ACT\n37 PRE", "tRAS", 0, 3, 3, 3),
    ("RTP 5 from RD 30 asks for 35, RAS for 34: RTP binds", HBM2, "0 ACT\n30 RD\n35 PRE", "tRTP", 0, 0, 0, 0),
    ("... and RAS does not", HBM2, "0 ACT\n30 RD\n35 PRE", "tRAS", 0, 1, 1, None),
    ("RTP from RD 28 asks for 33, RAS for 34: RAS binds", HBM2, "0 ACT\n28 RD\n34 PRE", "tRAS", 0, 0, 0, 0),
    ("ACT 48 after PRE 34: RP asks for 47, slot 48; RC the same: neither alone", HBM2, "0 ACT\n34 PRE\n48 ACT",
     "tRP", 0, 1, 0, None),
    ("RC 47 alone after an early RDA", HBM2, "0 ACT\n16 RDA\n48 ACT", "tRC", 0, 1, 0, 1),
    ("RRDS 4 to another group", HBM2, "0 ACT\n4 ACT bg1", "tRRDS", 0, 0, 0, 0),
    ("RRDL 6 in the group", HBM2, "0 ACT\n8 ACT bank1", "tRRDL", 0, 2, 1, 2),
    ("FAW 16 with RRDS 4: both ask for 16", HBM2, "0 ACT\n4 ACT bg1\n8 ACT bg2\n12 ACT bg3\n16 ACT bank1", "tFAW",
     0, 0, 0, None),
    ("FAW 20 alone", HBM2.replaced(FAW=20), "0 ACT\n4 ACT bg1\n8 ACT bg2\n12 ACT bg3\n20 ACT bank1", "tFAW",
     0, 0, 0, 0),
    ("FAW counts a single-bank refresh: RREFD, RRDS are over", HBM2.replaced(RREFD=4),
     "0 REFSB\n4 ACT bg1\n8 ACT bg2\n12 ACT bg3\n16 ACT bank1", "tFAW", 0, 1, 0, None),
    ("CCDS 2 and the data bus ask for the same", HBM2, "0 ACT\n4 ACT bg1\n30 RD\n32 RD bg1", "tCCDS_RD", 0, 0, 0, None),
    ("CCDS 4 alone", HBM2.replaced(CCDS=4), "0 ACT\n4 ACT bg1\n30 RD\n34 RD bg1", "tCCDS_RD", 0, 0, 0, 0),
    ("an odd CCDS never meets the grid of one PC", HBM2.replaced(CCDS=3), "0 ACT\n4 ACT bg1\n30 RD\n34 RD bg1",
     "tCCDS_RD", 0, 1, 0, 1),
    ("CCDS 1 and the column bus ask for the slot of the data bus too", HBM2.replaced(CCDS=1),
     "0 ACT\n4 ACT bg1\n30 RD\n32 RD bg1", "dataBus_RD", 0, 0, 0, None),
    ("RTW 16", HBM2, "0 ACT\n30 RD\n46 WR", "tRTW", 0, 0, 0, 0),
    ("RL 20 + 2 - WL 8 asks for 44", HBM2, "0 ACT\n30 RD\n46 WR", "dataBus_RD_WR", 0, 2, 1, None),
    ("WTRL: 8 + 2 + 9 = 19, slot 50", HBM2, "0 ACT\n30 WR\n50 RD", "tWTRL", 0, 1, 0, 1),
    ("WR before RDA: 10 + 16 - 5 = 21", HBM2, "0 ACT\n30 WR\n52 RDA", "tWR_RDA", 0, 1, 0, 1),
    ("PPD 1: the next CK", HBM2, "0 ACT\n4 ACT bg1\n60 PRE\n61 PRE bg1", "tPPD", 0, 0, 0, None),
    ("PPD 2 alone: the row bus is free before", HBM2.replaced(PPD=2), "0 ACT\n4 ACT bg1\n60 PRE\n62 PRE bg1", "tPPD",
     0, 0, 0, 0),
    ("RREFD 8 to ACT: its time is one later", HBM2, "0 REFSB\n8 ACT bg1", "tRREFD", 0, 1, 0, 1),
    ("the other PC's column a CK before", HBM2, "0 ACT\n2 ACT pc1\n30 RD\n31 RD pc1", "colBus", 1, 0, 0, 0),
    ("ACT holds the row bus for 2 CK", HBM2, "0 ACT\n2 ACT pc1", "rowBus", 1, 0, 0, 0),
    # HBM3/4: PRE stands on falling edges, so half a CK is lost against whole bounds.
    ("HBM3 RAS 53 + 1: falling edge of CK 54", HBM3, "0 ACT\n54.5 PRE", "tRAS", 0, 0.5, 0, 0.5),
    ("HBM3 RP 26 from 60.5: ACT asks for 85.5, slot 86", HBM3, "0 ACT\n60.5 PRE\n86 ACT", "tRP", 0, 0.5, 0, 0.5),
    ("HBM3 PPD 2: falling edge to falling edge", HBM3, "0 ACT\n4 ACT bg1\n70.5 PRE\n72.5 PRE bg1", "tPPD", 0, 0, 0, 0),
    ("HBM3 ACT holds the bus until 1.5; the PRE there is late by RP only", HBM3, "0 ACT\n2 ACT pc1", "rowBus",
     1, 0.5, 0, 0.5),
    ("CCDR 3 between stack ids: slot 4", HBM3, "0 ACT\n4 ACT sid1\n50 RD\n54 RD sid1", "tCCDR", 0, 1, 0, 1),
    ("tMRD 16 of the whole channel", HBM3, "0 MRS\n16 MRS", "tMRD", 0, 0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("jit", [False, True], ids=["python", "numba"])
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_by_hand(case: tuple, jit: bool) -> None:
    """Slack, skipped slots, and slack where the rule bound alone."""
    _, params, text, rule, pc, slack, skipped, alone = case
    commands = trace(text)
    assert len(LegalityChecker(params, jit=False).check(commands)) == 0, "the hand-made trace is legal"
    seen = measure_trace(commands, params, jit=jit)[rule, pc]
    assert (seen.slack, seen.skipped) == (2 * slack, skipped)
    assert seen.alone_slack == (None if alone is None else 2 * alone)
    assert (seen.alone_skipped is None) == (alone is None) == (seen.alone_uses == 0)


def test_set_of_refreshes() -> None:
    """From the last bank of a set RFCSB to the first of the next; a bank in the middle waits for RREFD only."""
    lines = [f"{8 * n} REFSB bg{n // 4} bank{n % 4}" for n in range(16)]
    lines += ["280 REFSB bank3", "288 REFSB bank2"]  # 15 x 8 + 160 = 280
    seen = measure_trace(trace("\n".join(lines)), HBM2, jit=False)
    end = seen["tRFCSB_SET", 0]
    assert (end.uses, end.slack, end.skipped, end.alone_slack) == (1, 0, 0, 0)
    chain = seen["tRREFD_REFSB", 0]
    assert (chain.uses, chain.slack, chain.skipped) == (17, 0, 0)
    # Bank 3 was the fourth, at 24: 256 CK ago.
    assert seen["tRFCSB_REFSB", 0].slack == 2 * (280 - 24 - 160)
    assert seen["tRFCSB_REFSB", 0].skipped_at == 560


def test_sets_go_on_after_a_commit() -> None:
    """Other timings in the middle of a set: its end is still found."""
    first = TightnessMeter(HBM2, jit=False)
    first.add(trace("\n".join(f"{8 * n} REFSB bg{n // 4} bank{n % 4}" for n in range(10))))
    second = first.continued(HBM2.replaced(RFCSB=200))
    second.add(trace("\n".join(f"{8 * n + 900} REFSB bg{n // 4} bank{n % 4}" for n in range(10, 16))))
    second.add(trace("1220 REFSB"))  # 900 + 120 + 200
    assert second.found["tRFCSB_SET", 0].slack == 0


def test_smallest_of_many_and_merge() -> None:
    """The least slack and the fewest skipped slots, of several commands and of several traces."""
    late, tight = (measure_trace(trace(text), HBM2, jit=False) for text in ("0 ACT\n18 RD\n30 RD", "0 ACT\n16 RD"))
    assert late["tRCDRD", 0] == Tightness(2, 6, 1, 36, 1, 6, 1, 36)
    merge(late, tight)
    assert late["tRCDRD", 0] == Tightness(3, 2, 0, 32, 2, 2, 0, 32)
    assert late["tRAS", 0] == Tightness()


def test_grids() -> None:
    """M1.2, as ticks of half a CK."""
    assert grid_of(Cmd.RD, 0, 2) == grid_of(Cmd.ACT, 1, 3) == Grid(0, 4)
    assert grid_of(Cmd.WRA, 1, 4) == Grid(2, 4)
    assert grid_of(Cmd.PRE, 0, 2) == grid_of(Cmd.REFSB, 1, 3) == Grid(0, 2)
    assert grid_of(Cmd.PREA, 1, 3) == Grid(1, 2)
    assert [Grid(2, 4).at_or_after(t) for t in (-3, 2, 3, 6)] == [-2, 2, 6, 6]


def test_a_command_off_the_grid_is_refused() -> None:
    """Somebody else's trace has other slots: said, not measured wrongly."""
    with pytest.raises(ValueError, match="command 1 is off its grid: RD pc0"):
        measure_trace(trace("0 ACT\n17 RD"), HBM2, jit=False)
