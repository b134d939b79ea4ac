"""Each rule that the RTL can break has one owner: the module whose header says `Enforces:` with its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbm_model.features import BUILT_RULES
from hbm_model.owners import claims, claims_of, owners
from hbm_model.rules import RULE

RTL = Path(__file__).resolve().parents[2] / "rtl"
# Enforced, but no rows of the rule table: waits before the first command, and mean refresh intervals.
BEYOND_THE_TABLE = {"tINIT1..5", "tREFI", "tREFISB"}


CLAIMS = claims(RTL)


@pytest.mark.parametrize("rule", [rule.name for rule in BUILT_RULES])
def test_rule_has_one_owner(rule: str) -> None:
    """A rule without an owner is enforced by nobody, one with two is enforced twice or not at all."""
    found = owners(rule, CLAIMS)
    assert len(found) == 1, f"{rule} is owned by {found or 'nobody'}"


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_headers_name_rules_of_the_table(name: str) -> None:
    """A name in a header is a rule, or the leading part of some, so that renaming a rule shows here."""
    known = name in RULE or name in BEYOND_THE_TABLE or any(rule.startswith(f"{name}_") for rule in RULE)
    assert known, f"{', '.join(CLAIMS[name])}: {name} is not in the rule table"


def test_rules_not_built_are_those_of_absent_features() -> None:
    """The rules without an owner, written out once: a feature that gets built must find its owners."""
    absent = sorted(set(RULE) - {rule.name for rule in BUILT_RULES})
    power = [
        "tCKE_PD",
        "tCKE_PDX",
        "tCKE_SR",
        "tCKSR",
        "tCPDED_PD",
        "tCPDED_SR",
        "tRD_PDE",
        "tRD_SRE",
        "tROW_PDE",
        "tWR_PDE",
        "tXP",
        "tXS",
    ]
    rfm = ["RAAMMT", "noCommand", *(name for name in RULE if name.startswith("tRFM"))]
    assert absent == sorted(power + rfm)


def test_claims_of_reads_headers() -> None:
    """The parser itself: remarks fall out, the sentence may span lines, text after it does not count."""
    header = "// Does.\n//\n// Enforces: tA (same bank), tB_C; before MRS: tD,\n// tE. Contract: M1.\n\n"
    text = header + "module m;\n// Enforces: tX.\n"
    assert claims_of(text) == ["tA", "tB_C", "tD", "tE"]
    assert claims_of("module m;\n") == []
    assert owners("tA_PREA", {"tA": ["m"], "tA_REF": ["n"]}) == ["m"]
    assert owners("tA_REF", {"tA": ["m"], "tA_REF": ["n"]}) == ["n"]
    assert owners("tAB", {"tA": ["m"]}) == []
