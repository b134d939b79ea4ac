"""The legality checker on traces whose expected CK are typed by hand.

Sources of the numbers: AMD HBM IP fit and Samsung PIMSimulator (HBM2 2.0: RCDRD 14, RCDWR 10, RAS 33, RP 14, RC 47,
RRDS 4, RRDL 6, FAW 16, WR 16, WTRS 4, WTRL 9, RTP 5, RFCSB 160, RREFD 8), AMD HBM IP (RFC 260), Ramulator 2 HBM3 (RFC
560, RFCpb 320, PPD 2, RREFD 13) and HBM4 (RFCpb 560); RL 20, WL 8 and RTW 16 are the assumed mode register values of
HBM2 2.0. First edges throughout: ACT counts from its first edge + 1 CK.
"""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model.commands import CMD_DTYPE, Cmd
from hbm_model.legality import LegalityChecker, check_trace, explain
from hbm_model.presets import preset
from trace_tools import trace, violations

HBM2 = preset("hbm2_2000_eng")
HBM2_S2 = preset("hbm2_2000_eng_s2")
HBM3 = preset("hbm3_6400_eng")
HBM4 = preset("hbm4_8000_eng")


# ------------------------------------------------------------------ tight on both sides, by hand

TIGHT = [
    # family, params, what comes before, the command, its first legal CK
    ("tRCDRD 14 + 1", HBM2, "0 ACT", "RD", 15),
    ("tRCDRD before RDA", HBM2, "0 ACT", "RDA", 15),
    ("tRCDWR 10 + 1", HBM2, "0 ACT", "WR", 11),
    ("tRAS 33 + 1", HBM2, "0 ACT", "PRE", 34),
    ("tRAS to PREA", HBM2, "0 ACT bg2", "PREA", 34),
    ("tRP 14 - 1", HBM2, "0 ACT\n50 PRE", "ACT", 63),
    ("tRC 47", HBM2, "0 ACT\n34 PRE", "ACT", 47),
    ("tRC of peers_hbm2 48, RP 14 - 1", preset("peers_hbm2"), "0 ACT\n35 PRE", "ACT", 48),
    ("tRP to REF 14", HBM2, "0 ACT\n50 PRE", "REF", 64),
    ("tRP to REFSB 14", HBM2, "0 ACT\n50 PRE", "REFSB", 64),
    ("PREA to ACT", HBM2, "0 ACT\n50 PREA", "ACT bg3", 63),
    ("tRRDS 4", HBM2, "0 ACT", "ACT bg1", 4),
    ("tRRDL 6", HBM2, "0 ACT", "ACT bank1", 6),
    ("tFAW 16", HBM2, "0 ACT\n4 ACT bg1\n8 ACT bg2\n12 ACT bg3", "ACT bank1", 16),
    ("tFAW to REFSB 16 + 1", HBM2.replaced(RREFD=1), "0 ACT\n4 ACT bg1\n8 ACT bg2\n12 ACT bg3", "REFSB bank3", 17),
    ("tFAW from REFSB 16 - 1", HBM2.replaced(RREFD=4), "0 REFSB\n3 ACT bg1\n7 ACT bg2\n11 ACT bg3", "ACT bank1", 15),
    ("ACT to REFSB other group 4 + 1", HBM2, "0 ACT", "REFSB bg1", 5),
    ("ACT to REFSB same group 6 + 1", HBM2, "0 ACT", "REFSB bank1", 7),
    ("tCCDL 4", HBM2, "0 ACT\n50 RD", "RD", 54),
    ("tCCDL 4 writes", HBM2, "0 ACT\n50 WR", "WR", 54),
    ("tCCDS 2", HBM2, "0 ACT\n4 ACT bg1\n50 RD", "RD bg1", 52),
    ("tCCDR 3, reads only", HBM2_S2, "0 ACT\n4 ACT sid1\n50 RD", "RD sid1", 53),
    ("writes to another SID: CCDS 2", HBM2_S2, "0 ACT\n4 ACT sid1\n50 WR", "WR sid1", 52),
    ("tRTW 16", HBM2, "0 ACT\n50 RD", "WR", 66),
    ("tWTRL 8 + 2 + 9", HBM2, "0 ACT\n50 WR", "RD", 69),
    ("tWTRS 8 + 2 + 4", HBM2, "0 ACT\n4 ACT bg1\n50 WR", "RD bg1", 64),
    ("tWTRS to another SID", HBM2_S2, "0 ACT\n4 ACT sid1\n50 WR", "RD sid1", 64),
    ("tRTP 5", HBM2, "0 ACT\n50 RD", "PRE", 55),
    ("tRTP to PREA", HBM2, "0 ACT\n50 RD", "PREA", 55),
    ("tWR 8 + 2 + 16", HBM2, "0 ACT\n50 WR", "PRE", 76),
    ("WR to RDA 8 + 2 + max(16 - 5, 9)", HBM2, "0 ACT\n50 WR", "RDA", 71),
    ("WR to RDA where WTRL is larger", HBM2.replaced(WTRL=14), "0 ACT\n50 WR", "RDA", 74),
    ("RDA to ACT 5 + 14 - 1", HBM2, "0 ACT\n50 RDA", "ACT", 68),
    ("early RDA waits for RAS: 0 + 33 + 14", HBM2, "0 ACT\n15 RDA", "ACT", 47),
    ("early RDA waits for RAS also when RC is shorter", HBM2.replaced(RC=20), "0 ACT\n15 RDA", "ACT", 47),
    ("WRA to ACT 8 + 2 + 16 + 14 - 1", HBM2, "0 ACT\n50 WRA", "ACT", 89),
    ("RDA to REFSB 5 + 14", HBM2, "0 ACT\n50 RDA", "REFSB", 69),
    ("WRA to REF 26 + 14", HBM2, "0 ACT\n50 WRA", "REF", 90),
    ("RDA to REF 5 + 14", HBM2, "0 ACT\n50 RDA", "REF", 69),
    ("WRA to REFSB 26 + 14", HBM2, "0 ACT\n50 WRA", "REFSB", 90),
    ("early RDA to REFSB: 1 + 47", HBM2, "0 ACT\n15 RDA", "REFSB", 48),
    ("RDA to MRS 5 + 14 when RDMRS is shorter", HBM2.replaced(RDMRS=2), "0 ACT\n50 RDA", "MRS", 69),
    ("WRA to SRE 26 + 14", HBM2, "0 ACT\n50 WRA", "SRE", 90),
    ("early RDA to SRE: 1 + 47", HBM2, "0 ACT\n15 RDA", "SRE", 48),
    ("early RDA to REF: 1 + 33 + 14", HBM2, "0 ACT\n15 RDA", "REF", 48),
    ("tRFC 260 - 1", HBM2, "0 REF", "ACT", 259),
    ("tRFC 350 - 1 of two SIDs", HBM2_S2, "0 REF", "ACT sid1", 349),
    ("tRFC to REFSB 260", HBM2, "0 REF", "REFSB", 260),
    ("tRFC of HBM3 two SIDs 560 - 1", HBM3, "0 REF", "ACT", 559),
    ("HBM3: PRE waits for the refresh too", HBM3, "0 REF", "PRE", 560),
    ("tRFCSB 160 - 1, same bank", HBM2, "0 REFSB", "ACT", 159),
    ("tRFCSB 160 to REF", HBM2, "0 REFSB", "REF", 160),
    ("tRFCSB 160 to PREA", HBM2, "0 REFSB", "PREA", 160),
    ("tRREFD 8 - 1, other bank", HBM2, "0 REFSB", "ACT bank1", 7),
    ("tRREFD 8 to REFSB", HBM2, "0 REFSB", "REFSB bank1", 8),
    ("tRREFD 13 of HBM3", HBM3, "0 REFSB", "REFSB sid1", 13),
    ("RFCpb 560 of HBM4", HBM4, "0 REFSB", "ACT", 559),
    ("RFMpb of HBM3 320 - 1", HBM3, "0 RFMSB", "ACT", 319),
    ("RFMab of HBM3 560 - 1", HBM3, "0 RFM", "ACT", 559),
    ("PPD 2 of HBM3", HBM3, "0 PRE", "PRE bank1", 2),
    ("PPD does not reach the other PC", HBM3, "0 PRE", "PRE pc1", 0.5),
    ("tRDMRS 24", HBM2, "0 ACT\n50 RD\n55 PRE", "MRS", 74),
    ("tWRMRS 26, but PRE to MRS 14 binds", HBM2, "0 ACT\n50 WR\n76 PRE", "MRS", 90),
    ("tWRMRS 60", HBM2.replaced(WRMRS=60), "0 ACT\n50 WR\n76 PRE", "MRS", 110),
    ("MRS sees the other PC", HBM2, "0 ACT pc1\n34 PRE pc1", "MRS", 48),
    ("tMRD 8", HBM2, "0 MRS", "MRS", 8),
    ("tMOD 15 - 1", HBM2, "0 MRS", "ACT", 14),
    ("tMOD 15 to PRE", HBM2, "0 MRS", "PRE", 15),
    ("RD to PDE 20 + 0 + 2 + 1", HBM2, "0 ACT\n50 RD", "PDE", 73),
    ("RD of the other PC to PDE", HBM2, "0 ACT pc1\n50 RD pc1", "PDE", 73),
    ("WR to PDE 8 + 0 + 2 + 1 + 16", HBM2, "0 ACT\n50 WR", "PDE", 77),
    ("parity latency counts", HBM2.replaced(PL=2), "0 ACT\n50 RD", "PDE", 75),
    ("ACT to PDE 1", HBM2, "0 ACT", "PDE", 2),
    ("CKE 8", HBM2, "0 PDE", "PDX", 8),
    ("XP 8 - 1", HBM2, "0 PDE\n20 PDX", "ACT", 27),
    ("XP 8", HBM2, "0 PDE\n20 PDX", "REF", 28),
    ("PDX to PDE CKE 8", HBM2, "0 PDE\n20 PDX", "PDE", 28),
    ("SRE to SRX CKE + 1", HBM2, "0 SRE", "SRX", 9),
    ("SRE to SRX CKSR 16 of HBM3", HBM3, "0 SRE", "SRX", 16),
    ("CPDED holds PDE of HBM3", HBM3.replaced(CKE=2), "0 PDE", "PDX", 5),
    ("CPDED holds SRE of HBM3", HBM3.replaced(CKSR=2), "0 SRE", "SRX", 5),
    ("PRE on a falling edge to PDE 1", HBM3, "0.5 PRE", "PDE", 2),
    ("XS 268 - 1", HBM2, "0 SRE\n20 SRX", "ACT", 287),
    ("XS 268", HBM2, "0 SRE\n20 SRX", "REF", 288),
    ("PRE to SRE 14, both PCs", HBM2, "0 ACT pc1\n50 PRE pc1", "SRE", 64),
    ("REF to SRE 260", HBM2, "0 REF pc1", "SRE", 260),
    ("RDA to SRE max(5 + 14, 23)", HBM2, "0 ACT\n50 RDA", "SRE", 73),
    ("HBM2 row bus: ACT takes two CK", HBM2, "0 ACT", "PRE pc1", 2),
    ("HBM2 row bus: others one CK", HBM2, "0 PRE", "PRE pc1", 1),
    ("HBM3 row bus: ACT takes 1.5 CK", HBM3, "0 ACT", "PRE pc1", 1.5),
    ("HBM3 row bus: next ACT on a rising edge", HBM3, "0 ACT", "ACT pc1", 2),
    ("HBM3 row bus: refresh leaves the falling edge", HBM3, "0 REF", "PRE pc1", 0.5),
    ("HBM3 row bus: two refreshes", HBM3, "0 REF", "REF pc1", 1),
    ("column bus of both PCs", HBM2, "0 ACT\n4 ACT pc1\n50 RD", "RD pc1", 51),
    ("MRS needs the row bus", HBM2, "0 PRE pc1", "MRS", 14),
    ("data bus: WR right after RD", HBM2.replaced(RTW=1), "0 ACT\n50 RD", "WR", 64),
    ("data bus of writes: CCDS 1", HBM2.replaced(CCDS=1), "0 ACT\n4 ACT bg1\n50 WR", "WR bg1", 52),
    ("data bus: CCDS 1 still needs two CK", HBM2.replaced(CCDS=1), "0 ACT\n4 ACT bg1\n50 RD", "RD bg1", 52),
    ("HBM4 RP 32.5 rounds up to a rising edge", HBM4.replaced(RP=32.5, RC=10, RAS=10), "0 ACT\n50 PRE", "ACT", 82),
    ("HBM4 RP 32.5 from a falling edge", HBM4.replaced(RP=32.5, RC=10, RAS=10), "0 ACT\n50.5 PRE", "ACT", 82),
    ("HBM4 RAS 65.5: PRE on a falling edge", HBM4.replaced(RAS=65.5), "0 ACT", "PRE", 66.5),
    ("HBM4 RTP 11.5: PRE on a falling edge", HBM4.replaced(RTP=11.5), "0 ACT\n80 RD", "PRE", 91.5),
    ("HBM4 WR 41.5", HBM4.replaced(WR=41.5), "0 ACT\n80 WR", "PRE", 135.5),
    ("HBM4 2.5 ns CCDL is 5", HBM4, "0 ACT\n50 RD", "RD", 55),
    ("HBM2E 3.6 CCDL is 5", preset("hbm2e_3600_eng"), "0 ACT\n50 RD", "RD", 55),
]  # fmt: skip


@pytest.mark.parametrize(("params", "before", "command", "legal"), [t[1:] for t in TIGHT], ids=[t[0] for t in TIGHT])
def test_first_legal_ck_typed_by_hand(params, before, command, legal) -> None:
    """Illegal one slot before, with the exact earliest CK; legal at it."""
    last = max(float(line.split()[0]) for line in before.splitlines())
    assert violations(f"{before}\n{legal} {command}", params) == []
    step = 0.5 if params.generation.number > 2 and command.startswith("PRE") else 1
    early = legal - step
    if early >= last:
        found = violations(f"{before}\n{early} {command}", params)
        assert found and {seq for seq, *_ in found} == {before.count("\n") + 1}
        assert all(earliest == legal for *_, earliest in found)
        assert max(rule_earliest for _, _, rule_earliest, _ in found) == legal


# ------------------------------------------------------------------ states


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0 RD", "bankClosed"),
        ("0 ACT\n40 PRE\n60 WR", "bankClosed"),
        ("0 ACT\n20 RDA\n30 RD", "bankClosed"),  # during auto-precharge
        ("0 ACT\n20 WRA\n25 WRA", "bankClosed"),
        ("0 ACT\n100 ACT", "bankOpen"),
        ("0 ACT\n100 REF", "refreshOpen"),
        ("0 ACT\n100 REFSB", "refreshOpen"),
        ("0 ACT\n100 SRE", "entryOpen"),
        ("0 ACT pc1\n100 MRS", "entryOpen"),
        ("0 PDX", "powerState"),
        ("0 SRX", "powerState"),
        ("0 PDE\n50 ACT", "powerState"),
        ("0 PDE\n50 SRX", "powerState"),
        ("0 SRE\n50 PDX", "powerState"),
        ("0 SRE\n50 REF", "powerState"),
        ("0 ACT row5\n50 RD row6", "otherRow"),
    ],
)
def test_state_is_reported_as_never(text: str, rule: str) -> None:
    found = violations(text, HBM2)
    assert (text.count("\n"), rule, "never", "never") in found
    assert {seq for seq, *_ in found} == {text.count("\n")}


@pytest.mark.parametrize(
    "text",
    [
        "0 PRE",
        "0 PREA",
        "0 ACT\n40 PRE\n80 PRE",
        "0 ACT row5\n50 RD row5",
        "0 ACT\n50 PDE",  # power-down with an open row
        "0 ACT\n50 REFSB bank1",  # other banks stay usable
        "0 ACT\n50 REF pc1",
        "0 ACT\n34 PRE\n100 REF",
    ],
)
def test_state_allows(text: str) -> None:
    assert violations(text, HBM2) == []


def test_ignored_commands_leave_no_trace() -> None:
    """ACT on an open bank does not restart tRAS, a refused REF does not refresh, a refused RD does not delay PRE."""
    assert [v[:2] for v in violations("0 ACT row1\n60 ACT row2\n61 PRE", HBM2)] == [(1, "bankOpen")]
    assert [v[:2] for v in violations("0 ACT\n60 REF\n61 PRE\n75 ACT", HBM2)] == [(1, "refreshOpen")]
    assert [v[:2] for v in violations("0 ACT\n40 PRE\n41 RD\n42 PRE pc1\n54 ACT", HBM2)] == [(2, "bankClosed")]


def test_illegal_commands_take_effect() -> None:
    """A PRE that is too early closes the bank, and tRP counts from it."""
    found = violations("0 ACT\n20 PRE\n30 RD\n47 ACT", HBM2)
    assert [v[:2] for v in found] == [(1, "tRAS"), (2, "bankClosed")]
    found = violations("0 ACT\n10 RD\n12 PRE pc1\n14 RD", HBM2)
    assert [v[:2] for v in found] == [(1, "tRCDRD"), (3, "tRCDRD")]
    assert violations("0 ACT\n10 RD\n13 RD", HBM2)[1:] == [(2, "tRCDRD", 15, 15), (2, "tCCDL_RD", 14, 15)]


def test_one_report_per_command_and_rule() -> None:
    """Many banks past the refresh limit are one report; two rules are two."""
    found = violations("0 ACT\n2 ACT bank1", HBM2)
    assert found == [(1, "tRRDL", 6, 6)]
    found = violations("0 ACT\n34 PRE\n36 ACT", HBM2)
    assert found == [(2, "tRC", 47, 47), (2, "tRP", 47, 47)]


def test_never_wins_over_a_time() -> None:
    found = violations("0 ACT\n10 ACT", HBM2)
    assert found == [(1, "bankOpen", "never", "never"), (1, "tRC", 47, "never")]


# ------------------------------------------------------------------ windows, sets, limits


def test_faw_counts_refreshes() -> None:
    """Three ACTs and one REFSB fill the window; the fifth waits for the first."""
    params = HBM2.replaced(FAW=40)
    text = "0 ACT\n4 ACT bg1\n9 REFSB bg2\n16 ACT bg3"
    assert violations(f"{text}\n40 ACT bank1", params) == []
    assert violations(f"{text}\n39 ACT bank1", params) == [(4, "tFAW", 40, 40)]
    assert violations(f"{text}\n40 REFSB bank1", params) == [(4, "tFAW", 41, 41)]
    # The other PC has its own window.
    assert violations(f"{text}\n20 ACT pc1", params) == []


def _set_of_refreshes(spacing: int, sid: int = 0) -> str:
    return "\n".join(f"{spacing * k} REFSB sid{sid} bg{k // 4} bank{k % 4}" for k in range(16))


def test_set_wraps_after_rfcsb() -> None:
    """After the sixteenth bank the next set starts RFCSB later; inside a set RREFD is enough."""
    whole = _set_of_refreshes(20)
    assert violations(whole, HBM2) == []
    # Bank 0 was refreshed 300 CK ago; the last one at CK 300.
    assert violations(f"{whole}\n460 REFSB", HBM2) == []
    assert violations(f"{whole}\n459 REFSB", HBM2) == [(16, "tRFCSB_SET", 460, 460)]
    # In the next set RREFD is enough again.
    assert violations(f"{whole}\n460 REFSB bank2\n468 REFSB bank3", HBM2) == []


def test_bank_refreshed_twice_in_a_set() -> None:
    assert violations("0 REFSB\n500 REFSB", HBM2) == [(1, "refreshSet", "never", "never")]
    # An all-bank refresh inside a set does not start it anew, RFM does not count.
    assert violations("0 REFSB\n500 REF\n1500 REFSB", HBM3) == [(2, "refreshSet", "never", "never")]
    assert violations("0 RFMSB\n500 REFSB\n1000 RFMSB", HBM3) == []


def test_sets_of_sids_and_pcs_are_apart() -> None:
    text = _set_of_refreshes(20)
    assert violations(f"{text}\n308 REFSB sid1", HBM2_S2) == []
    assert violations("0 REFSB\n10 REFSB pc1\n20 REFSB sid1", HBM2_S2) == []


def test_nine_refresh_intervals() -> None:
    """Each bank of each PC must see REF or REFSB within 9 x 3900 CK, from the first command on."""
    assert violations("0 PRE\n35100 PRE", HBM2) == []
    assert violations("0 PRE\n35101 PRE\n35102 PRE", HBM2) == [(1, "tREFImax", 35100, 35100)]
    # Both PCs are late, at different times: two reports.
    text = "0 PRE\n100 REF\n35101 PRE\n35201 PRE\n36000 PRE"
    assert violations(text, HBM2) == [(2, "tREFImax", 35100, 35100), (3, "tREFImax", 35200, 35200)]
    # The late refresh itself is the first command past the limit; then the count restarts.
    text = "0 PRE\n35000 REF pc1\n35110 REF\n70000 REF pc1\n70210 REF"
    assert violations(text, HBM2) == [(2, "tREFImax", 35100, 35100)]
    # One bank that single-bank refreshes leave out.
    banks = "\n".join(f"{200 * k} REFSB bg{k // 4} bank{k % 4}" for k in range(15))
    found = violations(f"{banks}\n30000 REF pc1\n35101 REFSB bg3 bank3", HBM2)
    assert found == [(16, "tREFImax", 35100, 35100)]
    # POSTPONE 2: three intervals.
    assert violations("0 PRE\n11701 PRE", HBM2.replaced(POSTPONE=2)) == [(1, "tREFImax", 11700, 11700)]


def test_self_refresh_stops_the_refresh_count() -> None:
    assert violations("0 PRE\n100 SRE\n500000 SRX\n535000 REF\n535001 REF pc1", HBM2) == []
    found = violations("0 PRE\n100 SRE\n500000 SRX\n535101 PRE", HBM2)
    assert found == [(3, "tREFImax", 535100, 535100)]
    # Power-down does not.
    assert [v[:2] for v in violations("0 PDE\n40000 PDX", HBM2)] == [(1, "tREFImax")]


def test_row_open_too_long() -> None:
    """tRAS max: 9 x REFI after the time of ACT, seen at the first command past it."""
    params = HBM2.replaced(REFI=1000, POSTPONE=15)
    assert violations("0 ACT\n9001 PRE", params) == []
    assert violations("0 ACT\n9002 PRE", params) == [(1, "tRASmax", 9001, 9001)]
    assert violations("0 ACT\n9002 PRE pc1\n9100 PRE pc1\n9200 PRE", params) == [(1, "tRASmax", 9001, 9001)]
    # An auto-precharge that falls past the limit does not save the row.
    assert violations("0 ACT\n8996 RDA\n9050 ACT", params) == []
    assert violations("0 ACT\n8997 RDA\n9050 ACT", params) == [(2, "tRASmax", 9001, 9001)]


def test_raa_blocks_activates() -> None:
    """RAAMMT 3: the fourth ACT of a bank needs an RFM, worth RAAIMT 2, or a refresh, worth RAADEC 1."""
    params = HBM3.replaced(RAAIMT=2, RAAMMT=3, RAADEC=1)
    rounds = "\n".join(f"{100 * k} ACT\n{100 * k + 60} PRE" for k in range(3))
    assert violations(f"{rounds}\n300 ACT", params) == [(6, "RAAMMT", "never", "never")]
    assert violations(f"{rounds}\n300 ACT bank1", params) == []
    for relief in ("300 RFMSB", "300 RFM", "300 REFSB", "300 REF"):
        assert violations(f"{rounds}\n{relief}\n900 ACT", params) == [], relief
    # RFM of another bank does not help.
    assert [v[1] for v in violations(f"{rounds}\n300 RFMSB bank1\n900 ACT", params)] == ["RAAMMT"]
    # Two credits after RFM, one after a refresh.
    more = "900 ACT\n960 PRE\n1000 ACT\n1060 PRE"
    assert violations(f"{rounds}\n300 RFM\n{more}", params) == []
    assert [v[:2] for v in violations(f"{rounds}\n300 REF\n{more}", params)] == [(9, "RAAMMT")]
    # Without RAAMMT nothing is counted.
    assert violations(f"{rounds}\n300 ACT", HBM3) == []


def test_row_range_of_three_times_two_to_the_n() -> None:
    params = HBM3.replaced(rows=24576)
    assert violations("0 ACT row24575", params) == []
    assert violations("0 ACT row24576\n100 PRE", params) == [(0, "rowRange", "never", "never")]


# ------------------------------------------------------------------ edges


def test_falling_edges_are_for_precharges_of_hbm3() -> None:
    assert violations("0.5 PRE", HBM3) == []
    assert violations("0.5 PREA", HBM4) == []
    assert violations("0.5 PRE", HBM2) == [(0, "edge", 1, 1)]
    for command in ("ACT", "REF", "REFSB", "MRS", "PDE"):
        assert violations(f"10.5 {command}", HBM3) == [(0, "edge", 11, 11)]


@pytest.mark.parametrize(
    ("rise", "fall", "legal"),
    [
        ("REFSB", "PRE bank1", True),
        ("REFSB", "PRE", False),  # same bank
        ("REFSB", "PREA", False),
        ("REFSB", "PREA pc1", True),
        ("REF", "PRE pc1", True),
        ("REF", "PREA pc1", True),
        ("RFM", "PRE bank1", False),
        ("PREA", "PREA pc1", True),
    ],
)
def test_falling_edge_pairing(rise: str, fall: str, legal: bool) -> None:
    params = HBM3.replaced(RFCSB=0, RFMPB=0)
    found = [v for v in violations(f"10 {rise}\n10.5 {fall}", params) if v[1] == "pairing"]
    assert found == ([] if legal else [(1, "pairing", 11, found[0][3])])


def test_pairing_with_the_second_rising_edge_of_act() -> None:
    """ACT at CK 10 ends on the rise of CK 11: its falling edge takes PRE of another bank, or of the other PC."""
    ready = "0 ACT bank1\n"
    assert violations(f"{ready}100 ACT\n101.5 PRE bank1", HBM3) == []
    assert violations(f"{ready}100 ACT\n101.5 PREA pc1", HBM3) == []
    found = violations(f"{ready}100 ACT\n101.5 PREA", HBM3.replaced(RAS=0))
    assert found == [(2, "pairing", 102, 102)]
    found = violations("100 ACT\n101.5 PRE", HBM3.replaced(RAS=0))
    assert found == [(1, "pairing", 102, 102)]


def test_earliest_legal_ck_respects_the_pairing() -> None:
    """PPD alone would allow CK 10.5; the all-bank command on the rise of CK 10 does not."""
    params = HBM4.replaced(RFC=0, RTP=11.5)
    found = violations("0 ACT\n80 RD\n91 RFM pc1\n91 PRE", params)
    assert found[-1] == (3, "rowBus", 91.5, 91.5) or found[-1][3] == 91.5
    found = violations("0 ACT\n80 RD\n91 REFSB bank3\n91 PREA", params.replaced(RFCSB=0))
    assert {v[3] for v in found} == {92}


# ------------------------------------------------------------------ the checker as a machine


def _random_commands(count: int, seed: int, pcs: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    commands = np.zeros(count, CMD_DTYPE)
    commands["time"] = np.cumsum(rng.integers(0, 30, count))
    commands["cmd"] = rng.choice([*(range(1, 12)), 1, 1, 1, 4, 4, 6, 2, 2, 5, 9, 12, 13, 14, 15, 16], count)
    for field, limit in (("pc", pcs), ("bg", 2), ("bank", 4), ("row", 4), ("sid", 2), ("col", 32)):
        commands[field] = rng.integers(0, limit, count)
    return commands


@pytest.mark.parametrize("name", ["hbm2_2000_eng_s2", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_chunks_give_the_same_as_the_whole(name: str) -> None:
    params = preset(name)
    commands = _random_commands(4000, 7)
    whole = check_trace(commands, params, jit=False)
    checker = LegalityChecker(params, jit=False)
    rng = np.random.default_rng(3)
    cuts = np.sort(rng.integers(0, len(commands), 40))
    parts = [checker.check(part) for part in np.split(commands, cuts)]
    assert len(whole) > 1000
    assert np.array_equal(np.concatenate(parts), whole)
    assert checker.commands == len(commands)
    assert sum(checker.counts.values()) == len(commands)


@pytest.mark.parametrize("name", ["hbm2_2000_eng_s2", "hbm3_6400_eng", "hbm4_8000_eng"])
def test_compiled_equals_plain(name: str) -> None:
    params = preset(name).replaced(REFI=200)
    if params.generation.number > 2:
        params = params.replaced(RAAIMT=2, RAAMMT=5, RAADEC=1)
    commands = _random_commands(6000, 11)
    plain, fast = LegalityChecker(params, jit=False), LegalityChecker(params, jit=True)
    assert np.array_equal(plain.check(commands), fast.check(commands))
    assert plain.counts == fast.counts and plain.use == fast.use


def test_use_counts_and_least_slack() -> None:
    checker = LegalityChecker(HBM2, jit=False)
    checker.check(trace("0 ACT\n20 RD\n40 PRE\n70 ACT\n85 RD"))
    use = {(u.rule.name, u.pc): u for u in checker.use}
    assert (use["tRCDRD", 0].seen, use["tRCDRD", 0].min_slack) == (2, 0)
    assert (use["tRAS", 0].seen, use["tRAS", 0].min_slack) == (1, 12)  # six CK
    assert (use["tRCDRD", 1].seen, use["tRCDRD", 1].min_slack) == (0, None)


@pytest.mark.parametrize("jit", [False, True])
def test_impossible_records_are_refused(jit: bool) -> None:
    for text, reason in (
        ("10 ACT\n9 PRE", "time runs backwards"),
        ("10 ACT bank4", "outside the geometry"),
        ("10 REF pc2", "outside the geometry"),
        ("10 ACT sid1", "outside the geometry"),
    ):
        with pytest.raises(ValueError, match=reason):
            check_trace(trace(text), HBM2, jit=jit)
    commands = trace("10 ACT")
    commands["cmd"] = 17
    with pytest.raises(ValueError, match="no such command"):
        check_trace(commands, HBM2, jit=jit)


def test_unused_fields_may_hold_anything() -> None:
    assert violations("0 REF sid9 bg9 bank200 row9\n2 MRS pc7", HBM2.replaced(RFC=0)) == []


def test_rfm_is_no_command_of_hbm2() -> None:
    assert violations("0 RFM", HBM2) == [(0, "noCommand", "never", "never")]


def test_explanation_has_both_commands_and_the_ck() -> None:
    commands = trace("0 ACT bg1 bank2 row7\n10 RD bg1 bank2 col3")
    found = check_trace(commands, HBM2, jit=False)
    assert explain(found[0], commands[1], commands[0], "t.csv:3", "line 2") == (
        "t.csv:3: RD pc0 sid0 bg1 bank2 col 3 at CK 10 breaks tRCDRD "
        "after ACT pc0 sid0 bg1 bank2 row 7 at CK 0 (line 2): legal from CK 15"
    )


def test_speed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A million legal reads; the figure is printed, not judged (make bench does)."""
    from time import perf_counter

    count = 1_000_000
    commands = np.zeros(count, CMD_DTYPE)
    commands["cmd"], commands["row"] = Cmd.RD, 0xFFFF
    index = np.arange(count)
    commands["time"], commands["pc"], commands["bg"] = index * 2 + 200, index & 1, index >> 1 & 3
    commands[:8]["cmd"], commands[:8]["row"], commands[:8]["time"] = Cmd.ACT, 0, np.arange(8) * 8
    checker = LegalityChecker(HBM2.replaced(REFI=65535, POSTPONE=15, CCDL=2))
    checker.check(commands[:100])
    start = perf_counter()
    found = checker.check(commands[100:])
    with capsys.disabled():
        print(f" {count / (perf_counter() - start) / 1e6:.1f} million commands/s", end="")
    assert len(found) == 8  # each of the eight rows stays open too long
