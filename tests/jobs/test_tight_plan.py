"""Planning of `make tight`: goals, styles of traffic, and register sets that the controller can keep up with."""

from __future__ import annotations

import pytest
from hbm_model import reach
from hbm_model.presets import preset
from hbm_model.tightness import Tightness
from hbm_tb.tight_plan import ALONE, PRESET, Plan, goals, is_preset, status, style_of

HBM2 = preset("hbm2_2000_eng")
HBM3 = preset("hbm3_6400_eng")


def test_styles_follow_from_the_course() -> None:
    """What must happen decides on the traffic."""
    styles = {name: style_of(verdicts[0]) for (name, pc), verdicts in reach.table(HBM2).items() if verdicts[0].course}
    assert styles["tRP_PREA"] == "release" and styles["tRFCSB_REF"] == "commit_often"
    assert styles["tWR_RDA"] == "late_read" and styles["tRFC_REF"] == "idle" and styles["tRFCSB_SET"] == "sparse"
    assert styles["tRAS"] == styles["tRAS_PREA"] == styles["tRREFD"] == "mixed"


def test_a_goal_is_reached_by_what_it_asks_for_only() -> None:
    """With the preset's values: skipped 0. Alone: the least slack of the grid."""
    found = {(g.rule, g.pc, g.kind): g for g in goals(HBM3)}
    first, second = found["tRTP", 0, PRESET], found["tRTP", 0, ALONE]
    assert second.reach.slack == 1  # PRE on the falling edge: half a CK
    near = Tightness(uses=9, slack=1, skipped=0, alone_uses=1, alone_slack=5, alone_skipped=2)
    assert first.reached(near) and not second.reached(near)
    assert second.reached(Tightness(uses=1, slack=1, skipped=0, alone_uses=1, alone_slack=1, alone_skipped=0))
    assert not first.reached(Tightness()) and not second.reached(Tightness())


def test_measurements_of_other_register_sets_do_not_count_for_the_preset() -> None:
    """Only the preset's values close a goal of the first kind; the interval of refresh is free."""
    assert is_preset(HBM2.replaced(REFI=65535, REFISB=90), HBM2) and not is_preset(HBM2.replaced(RTP=6), HBM2)
    plan = Plan(HBM2, 1, ("tRCDRD",))
    assert len(plan.goals) == 4
    seen = {("tRCDRD", pc): Tightness(4, 0, 0, 10, 2, 0, 0, 10) for pc in range(2)}
    trial = plan.next()
    assert trial is not None
    from dataclasses import replace

    plan.seen(replace(trial, params=HBM2.replaced(RCDRD=40)), seen)
    assert {goal.kind for goal in plan.open()} == {PRESET}
    plan.seen(replace(trial, params=HBM2.replaced(REFI=60000)), seen)
    assert plan.open() == [] and plan.next() is None and status(plan)["reached"] == 4


@pytest.mark.parametrize("params", [HBM2, HBM3], ids=["hbm2", "hbm3"])
def test_refresh_can_be_kept_up_with(params: object) -> None:
    """M6.5: in every trial the intervals are longer than the work; the same seed gives the same trials."""
    assert isinstance(params, type(HBM2))
    plan, again = Plan(params, 5), Plan(params, 5)
    for goal in plan.goals:
        for number in range(4):
            trial = plan.trial(goal, number)
            assert trial == again.trial(goal, number)
            count = trial.params.count
            end = count("WL") + 2 + count("WR")
            if not trial.refresh:
                continue
            if trial.policy["refresh_all"]:
                assert count("REFI") > count("RFC") + count("RC") + count("RP") + end
                assert trial.style == "kinds" or count("REFISB") == 65535
            if not trial.policy["refresh_all"] or trial.style == "kinds":
                work = 16 * max(count("RREFD"), count("FAW") / 4) + count("RFCSB") + count("RC") + end
                assert work < 16 * count("REFISB")
