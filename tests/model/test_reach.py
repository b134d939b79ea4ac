"""Reachability: verdicts and reasons typed by hand for rules of every kind of reason."""

from __future__ import annotations

import pytest
from hbm_model import features, reach
from hbm_model.commands import Cmd
from hbm_model.presets import preset
from hbm_model.reach import course_text, in_preset, table
from hbm_model.rules import RULE, RULES, rules_of
from hbm_model.tightness import of_channel

HBM2 = preset("hbm2_2000_eng")
HBM2E = preset("hbm2e_3600_eng")
HBM3 = preset("hbm3_6400_eng")
HBM4 = preset("hbm4_8000_eng")
ALL = {p.name: p for p in (HBM2, preset("hbm2e_3200_eng"), HBM2E, HBM3, HBM4)}

# (rule, params, reachable with the preset's values, reachable alone, word of the reason)
VERDICTS = [
    ("tRCDRD", HBM2, True, True, ""),
    ("tFAW", HBM2, True, True, ""),  # 16 = 4 x RRDS: same slot
    ("tFAW", HBM2E, False, True, "tRRDS"),  # 29 < 4 x 8
    ("tRTW", HBM2, True, True, ""),
    ("dataBus_RD_WR", HBM2, False, True, "tRTW"),  # RL + 2 - WL = 14 < RTW 16
    ("dataBus_WR_RD", HBM3, False, False, "no bound"),  # WL + 2 - RL = -12
    ("dataBus_RD", HBM3, True, False, "colBus"),  # the grid of columns is 2 CK wide
    ("tRFCSB_REFSB", HBM2, True, False, "tRFCSB_SET"),  # same bank twice: a whole set lies between
    ("tRFC_PRE", HBM3, False, False, "tRAS"),  # PRE goes to open banks only, ACT comes between
    ("tRP_PREA_REFSB", HBM2, False, False, "tRFC_REF"),  # a REF always stands between (M6.8)
    ("tRC_SRE", HBM2, False, False, "M7.3 settle"),
    ("tRDMRS", HBM3, False, False, "M7.3 settle"),
    ("tMOD", HBM3, False, False, "M7.4 run"),
    ("tMRD", HBM3, True, True, ""),
    ("tXP", HBM2, False, False, "not built: power_down"),
    ("tXS", HBM2, False, False, "not built: self_refresh"),
    ("tRFMPB", HBM3, False, False, "not built: refresh_management"),
    ("tRASmax", HBM3, False, False, "upper limit"),
    ("bankOpen", HBM3, False, False, "state"),
    ("tRP_PREA", HBM4, True, True, ""),  # refresh switched off between PREA and REF
    ("tRFCSB_REF", HBM2, True, True, ""),  # a change of the kind (M6.8)
    ("tCCDR", HBM3, True, True, ""),
]


@pytest.mark.parametrize(("name", "params", "here", "anywhere", "reason"), VERDICTS, ids=lambda v: str(v)[:14])
def test_verdicts_by_hand(name: str, params: object, here: bool, anywhere: bool, reason: str) -> None:
    """Reachable or not, and what the reason names."""
    first, second = table(params)[name, 0]
    assert (first.reachable, second.reachable) == (here, anywhere), (first.reason, second.reason)
    assert reason in f"{first.reason} {second.reason}"
    for one in (first, second):
        assert one.reachable == (not one.reason), "a rule is reachable, or there is a reason"


def test_slack_that_the_grid_leaves() -> None:
    """HBM3/4 PRE on falling edges loses half a CK against whole bounds; all else can be met exactly."""
    for params in ALL.values():
        falling = params.generation.number >= 3
        for (name, _), (_, anywhere) in table(params).items():
            if not anywhere.reachable or name in ("rowBus", "colBus"):
                continue
            first, last = (anywhere.course[at].cmd in (Cmd.PRE, Cmd.PREA) for at in (0, -1))
            least = 1 if falling and first != last else 0
            assert anywhere.slack == least, (params.name, name, course_text(anywhere.course))


def test_every_rule_has_a_verdict() -> None:
    """All rules of a preset, on both PCs where they belong to one."""
    for params in ALL.values():
        wanted = {(r.name, pc) for r in rules_of(params) for pc in range(1 if of_channel(r) else 2)}
        assert set(table(params)) == wanted


def test_a_longer_register_set_opens_what_was_dominated() -> None:
    """The verdict follows the values: nothing is written down by rule name."""
    assert not in_preset(RULE["tFAW"], HBM2E, 0).reachable
    assert in_preset(RULE["tFAW"], HBM2E.replaced(FAW=34), 0).reachable
    assert in_preset(RULE["dataBus_RD_WR"], HBM2.replaced(RTW=14), 0).reachable
    assert in_preset(RULE["dataBus_WR_RD"], HBM2.replaced(RL=4), 0).reason.startswith("tWTR")
    # A whole set of the other SID lies between two sets of one: 16 x 13 CK, longer than a short RFCSB.
    assert in_preset(RULE["tRFCSB_SET"], HBM3, 0).reachable
    assert not in_preset(RULE["tRFCSB_SET"], HBM3.replaced(RFCSB=200), 0).reachable


def test_a_feature_that_is_built_makes_its_rules_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of features decides, not a list of rules."""
    assert not in_preset(RULE["tRFMPB"], HBM3, 0).reachable
    monkeypatch.setitem(features.FEATURES, "refresh_management", (True, features.FEATURES["refresh_management"][1]))
    monkeypatch.setattr(features, "BUILT_COMMANDS", (*features.BUILT_COMMANDS, Cmd.RFM, Cmd.RFMSB))
    monkeypatch.setattr(reach, "BUILT_COMMANDS", features.BUILT_COMMANDS)
    found = in_preset(RULE["tRFMPB"], HBM3, 0)
    assert "not built" not in found.reason  # no course with it yet: the abstract channel does not send it
    assert "no course" in found.reason


def test_set_that_binds_alone_is_one_that_the_registers_take() -> None:
    """Register sets proposed for a rule fit their fields and keep RL, WL in range."""
    for params in (HBM2, HBM3):
        for _, found in table(params).values():
            if found.params is not None:
                assert found.params.count("RAS") <= 60 and 4 <= found.params.count("WL") <= 16
                assert found.params.count("RFC") >= max(params.count("RDMRS"), params.count("WRMRS"))


def test_number_of_reachable_rules() -> None:
    """A change of rules, features or grid that makes rules unreachable shows here."""
    counts = {
        name: sum(here.reachable or anywhere.reachable for here, anywhere in table(params).values())
        for name, params in ALL.items()
    }
    assert counts == {
        "hbm2_2000_eng": 97, "hbm2e_3200_eng": 97, "hbm2e_3600_eng": 97, "hbm3_6400_eng": 99, "hbm4_8000_eng": 99,
    }  # fmt: skip
    assert len(RULES) > 90
