"""Each gap rule of the table, on each preset: refused one slot before its bound, accepted at the bound."""

from __future__ import annotations

import numpy as np
import pytest
from hbm_model.commands import CMD_DTYPE, COLUMN_COMMANDS, NO_ROW, PRECHARGES, Cmd, CmdArray
from hbm_model.legality import check_trace, rule_of
from hbm_model.params import PARAM, Params
from hbm_model.presets import PRESET_NAMES, preset
from hbm_model.rules import GAP_RULES, RULES, Op, Rule, Scope, evaluate, gap_text, rules_of

# Two-SID variants where the default has one, so that every scope exists somewhere.
NAMES = (*PRESET_NAMES, "hbm2_2000_eng_s2", "peers_hbm3_s2", "hbm4_8000_eng_s4")
START = 4000  # CK; long before it the set-up, far below nine refresh intervals

Place = tuple[int, int, int]  # sid, bg, bank
HERE: Place = (0, 1, 1)
# Where the later command stands, by scope, when the earlier one stands at HERE.
THERE: dict[Scope, Place] = {
    Scope.BANK: HERE,
    Scope.GROUP: (0, 1, 2),
    Scope.GROUP_OTHER_BANK: (0, 1, 2),
    Scope.SID_OTHER_GROUP: (0, 0, 1),
    Scope.OTHER_SID: (1, 1, 1),
    Scope.PC_OTHER_GROUP: (0, 0, 1),
    Scope.PC_OTHER_BANK: (0, 0, 2),
    Scope.SET: HERE,
    Scope.PC: (0, 0, 3),
    Scope.CHANNEL: (0, 0, 3),
}


def _record(cmd: Cmd, half_ck: int, place: Place, pc: int) -> np.void:
    record = np.zeros((), CMD_DTYPE)[()]
    record["time"], record["cmd"], record["pc"] = half_ck, cmd, pc
    record["sid"], record["bg"], record["bank"] = place
    record["row"] = NO_ROW if cmd in COLUMN_COMMANDS else 0
    return record


def _time_of(cmd: Cmd, first_edge: int) -> int:
    return first_edge + (2 if cmd is Cmd.ACT else 0)


def _scenario(rule: Rule, before: Cmd, after: Cmd, params: Params, late: int, pc: int) -> tuple[CmdArray, int, int]:
    """Return (trace, first edge of its last command, expected first edge); `late` slots after the bound."""
    records: list[np.void] = []
    first = 2 * START
    if before in COLUMN_COMMANDS:
        records.append(_record(Cmd.ACT, 0, HERE, pc))
    if before is Cmd.PDX:
        records.append(_record(Cmd.PDE, 0, HERE, pc))
    if before is Cmd.SRX:
        records.append(_record(Cmd.SRE, 0, HERE, pc))
    if rule.scope is Scope.SET:
        others = [
            (0, bg, bank)
            for bg in range(params.count("bgs"))
            for bank in range(params.count("banks"))
            if (0, bg, bank) != HERE
        ]
        records += [_record(Cmd.REFSB, 100 * i, place, pc) for i, place in enumerate(others)]
    records.append(_record(before, first, HERE, pc))
    for k in range(1, rule.window):
        records.append(_record(before, first + k, (0, 0, k), pc))
    assert rule.gap is not None
    bound = _time_of(before, first) + evaluate(rule.gap, params.ticks) - (2 if after is Cmd.ACT else 0)
    step = 1 if after in PRECHARGES and params.generation.number > 2 else 2
    bound += bound % step
    later_pc = 1 - pc if rule.scope is Scope.CHANNEL else pc
    records.append(_record(after, bound + late * step, THERE[rule.scope], later_pc))
    return np.array(records, CMD_DTYPE), bound + late * step, bound


CASES = [
    pytest.param(name, rule, id=f"{name}-{rule.name}")
    for name in NAMES
    for rule in GAP_RULES
    if rule.applies(preset(name)) and rule.gap is not None and evaluate(rule.gap, preset(name).ticks) > 0
]


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_rule_is_refused_before_its_bound_and_accepted_at_it(name: str, rule: Rule) -> None:
    params = preset(name)
    tried = 0
    for before in rule.before:
        for after in rule.after:
            if params.generation.number == 2 and {before, after} & {Cmd.RFM, Cmd.RFMSB}:
                continue
            for pc in (0, 1):
                for late, refused in ((-1, True), (0, False), (1, False)):
                    commands, edge, bound = _scenario(rule, before, after, params, late, pc)
                    if edge < int(commands[-2]["time"]):
                        continue  # the bound lies inside the earlier command
                    found = [v for v in check_trace(commands, params, jit=False) if v["seq"] == len(commands) - 1]
                    mine = [v for v in found if rule_of(v) is rule]
                    assert bool(mine) == refused, f"{before.name} -> {after.name} at {edge / 2} CK, bound {bound / 2}"
                    if mine:
                        assert int(mine[0]["rule_earliest"]) == bound
                        assert int(mine[0]["earlier"]) == len(commands) - 1 - rule.window
                        assert int(mine[0]["earliest"]) in (-1, max(int(v["rule_earliest"]) for v in found))
                        tried += 1
    assert tried


def test_other_pc_is_free_of_array_timing() -> None:
    """A rule of bank, group, SID or PC scope never sees the other PC."""
    params = preset("hbm3_6400_eng")
    for rule in GAP_RULES:
        if rule.scope is Scope.CHANNEL or not rule.applies(params):
            continue
        for before in rule.before:
            for after in rule.after:
                commands, _, _ = _scenario(rule, before, after, params, -1, 0)
                commands[-1]["pc"] = 1
                commands[-1]["time"] = max(commands[-1]["time"], commands[-2]["time"])
                assert all(rule_of(v) is not rule for v in check_trace(commands, params, jit=False))


@pytest.mark.parametrize(
    "rule", [r for r in GAP_RULES if r.scope not in (Scope.PC, Scope.CHANNEL, Scope.SET)], ids=lambda r: r.name
)
def test_scope_ends_where_it_says(rule: Rule) -> None:
    """The same two commands one place further apart, or closer, do not meet the rule."""
    params = preset("hbm3_6400_eng")
    outside: dict[Scope, list[Place]] = {
        Scope.BANK: [(0, 1, 2), (0, 0, 1), (1, 1, 1)],
        Scope.GROUP: [(0, 0, 1), (1, 1, 1)],
        Scope.GROUP_OTHER_BANK: [HERE, (0, 0, 1), (1, 1, 2)],
        Scope.SID_OTHER_GROUP: [(0, 1, 2), (1, 0, 1)],
        Scope.OTHER_SID: [(0, 1, 2), (0, 0, 1)],
        Scope.PC_OTHER_GROUP: [HERE, (0, 1, 2)],
        Scope.PC_OTHER_BANK: [HERE],
    }
    for place in outside[rule.scope]:
        for before in rule.before:
            for after in rule.after:
                commands, _, _ = _scenario(rule, before, after, params, -1, 0)
                commands[-1]["sid"], commands[-1]["bg"], commands[-1]["bank"] = place
                assert all(rule_of(v) is not rule for v in check_trace(commands, params, jit=False)), place


def test_every_gap_names_known_parameters() -> None:
    def names(gap: object) -> set[str]:
        if isinstance(gap, Op):
            return set().union(*(names(term) for term in gap.terms))
        return {gap} if isinstance(gap, str) else set()

    for rule in RULES:
        assert names(rule.gap) <= set(PARAM), rule.name
        assert rule.source, rule.name


def test_every_timing_parameter_has_a_rule() -> None:
    """A parameter that no rule reads would be a promise that nobody keeps."""
    used = " ".join(gap_text(rule.gap) for rule in RULES if rule.gap is not None)
    unused = {
        p.key
        for p in PARAM.values()
        if p.timing and p.key not in used.replace("(", " ").replace(")", " ").replace(",", " ").split()
    }
    # REFISB is a scheduling interval, not a limit; stopping the clock is not visible in a command trace; RAA
    # counts are states.
    assert unused == {"REFISB", "CKSRE", "CKSRX", "RAAIMT", "RAAMMT", "RAADEC"}


def test_gap_text_reads_like_a_formula() -> None:
    texts = {rule.name: gap_text(rule.gap) for rule in RULES if rule.gap is not None}
    assert texts["tWR_RDA"] == "WL + nBL + max(WR - RTP, WTRL)"
    assert texts["dataBus_RD_WR"] == "(RL + nBL) - WL"
    assert texts["tREFImax"] == "(POSTPONE + 1) x REFI"


def test_rules_of_a_preset_are_those_of_its_generation() -> None:
    hbm2, hbm3 = ({r.name for r in rules_of(preset(n))} for n in ("hbm2_2000_eng", "hbm3_6400_eng"))
    assert {"tCKE_SR", "noCommand"} <= hbm2 and not {"pairing", "tRFMAB", "tCCDR", "RAAMMT"} & hbm2
    assert {"pairing", "tRFMAB", "tCCDR", "tRFC_PRE"} <= hbm3 and not {"tCKE_SR", "noCommand", "RAAMMT"} & hbm3
