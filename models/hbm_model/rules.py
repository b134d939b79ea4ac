"""The rule table: every rule of the standard that a controller can break, as data.

Times: the time of a command is its first edge, of ACT its first edge + 1 CK; a gap is the least difference of two
times. A gap is an expression of parameter names (sums, differences, products, maxima), evaluated by `evaluate` and
printed by `gap_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hbm_model.commands import BANK_COMMANDS, COMMANDS, Cmd
from hbm_model.params import PARAM, Params

# ------------------------------------------------------------------ gap expressions


@dataclass(frozen=True)
class Op:
    """`sum`, `max`, `diff` or `product` of its terms."""

    kind: str
    terms: tuple[Gap, ...]


Gap = str | int | Op  # a parameter key, a number of CK, or an operation on such


def _sum(*terms: Gap) -> Op:
    return Op("sum", terms)


def _max(*terms: Gap) -> Op:
    return Op("max", terms)


def _diff(first: Gap, second: Gap) -> Op:
    return Op("diff", (first, second))


def _product(first: Gap, second: Gap) -> Op:
    return Op("product", (first, second))


def evaluate(gap: Gap, ticks: Mapping[str, int]) -> int:
    """Return a gap in half CK, from parameter values in half CK."""
    if isinstance(gap, str):
        return ticks[gap]
    if isinstance(gap, int):
        return 2 * gap
    values = [evaluate(term, ticks) for term in gap.terms]
    if gap.kind == "sum":
        return sum(values)
    if gap.kind == "max":
        return max(values)
    if gap.kind == "diff":
        return values[0] - values[1]
    if gap.kind == "product":  # one of the two is a count, kept doubled like all values
        return values[0] * values[1] // 2
    raise ValueError(f"gap operation {gap.kind!r} is not known")


def gap_text(gap: Gap) -> str:
    """Print a gap as documents write it."""
    if isinstance(gap, str):
        return PARAM[gap].key
    if isinstance(gap, int):
        return str(gap)
    if gap.kind == "max":
        return f"max({', '.join(gap_text(term) for term in gap.terms)})"
    sign = {"sum": " + ", "diff": " - ", "product": " x "}[gap.kind]
    inner = [
        f"({gap_text(t)})" if isinstance(t, Op) and t.kind in ("sum", "diff") and gap.kind != "sum" else gap_text(t)
        for t in gap.terms
    ]
    return sign.join(inner)


# ------------------------------------------------------------------ rules


class Scope(Enum):
    """Where the earlier command must be, seen from the later one. A bank group belongs to one SID."""

    BANK = "same bank"
    GROUP = "same bank group"
    GROUP_OTHER_BANK = "same bank group, other bank"
    SID_OTHER_GROUP = "same SID, other bank group"
    OTHER_SID = "same PC, other SID"
    PC_OTHER_GROUP = "same PC, other bank group"
    PC_OTHER_BANK = "same PC, other bank"
    SET = "same PC and SID, last of a refresh set"
    PC = "same PC"
    CHANNEL = "channel"


class Kind(Enum):
    """What a rule asks for."""

    GAP = "least gap"
    LIMIT = "greatest gap"
    STATE = "state"
    BUS = "bus"


@dataclass(frozen=True)
class Rule:
    """One row.

    For GAP the `window`-th last of `before` in `scope` counts; STATE and BUS rules are described by `meaning`.
    """

    name: str
    kind: Kind
    before: tuple[Cmd, ...]
    after: tuple[Cmd, ...]
    scope: Scope
    gap: Gap | None
    source: str
    meaning: str = ""
    window: int = 1
    generations: tuple[int, ...] = (2, 3, 4)
    needs: str = ""  # parameter that must be above `needs_above` for the rule to exist
    needs_above: int = 0
    ignored: bool = False  # a command that breaks it has no effect

    def applies(self, params: Params) -> bool:
        """True if the rule exists for `params`."""
        return params.generation.number in self.generations and (
            not self.needs or params.count(self.needs) > self.needs_above
        )


_DS = "DRAMSys CheckerHBM2"
_R2 = "Ramulator 2"
_BOTH = f"{_DS}; {_R2}"
_NOTES = "handbook and course notes on JESD238 / JESD270-4"
_INFERRED = "inferred"

ACT, PRE, PREA, RD, RDA, WR, WRA = Cmd.ACT, Cmd.PRE, Cmd.PREA, Cmd.RD, Cmd.RDA, Cmd.WR, Cmd.WRA
REF, REFSB, RFM, RFMSB, MRS = Cmd.REF, Cmd.REFSB, Cmd.RFM, Cmd.RFMSB, Cmd.MRS
PDE, PDX, SRE, SRX = Cmd.PDE, Cmd.PDX, Cmd.SRE, Cmd.SRX

_READS, _WRITES = (RD, RDA), (WR, WRA)
_COLUMN = (*_READS, *_WRITES)
_BANK_REFRESH = (REFSB, RFMSB)
_PC_REFRESH = (REF, RFM)
_ENTRIES = (SRE, MRS)  # both need every bank of both PCs idle
_AWAKE = tuple(c for c in COMMANDS if c not in (PDX, SRX))
_HBM34 = (3, 4)

# Row-cycle time: RC below RAS + RP is legal in a parameter file, the larger binds.
_ROW_CYCLE = _max("RC", _sum("RAS", "RP"))
_RD_AP = _sum("RTP", "RP")
_WRITE_DONE = _sum("WL", "nBL", "WR")
_WR_AP = _sum("WL", "nBL", "WR", "RP")
_READ_DATA_END = _sum("RL", "PL", "nBL", 1)


def _gap(
    name: str,
    before: tuple[Cmd, ...],
    after: tuple[Cmd, ...],
    scope: Scope,
    gap: Gap,
    source: str,
    meaning: str = "",
    *,
    window: int = 1,
    generations: tuple[int, ...] = (2, 3, 4),
    needs: str = "",
    needs_above: int = 0,
) -> Rule:
    return Rule(name, Kind.GAP, before, after, scope, gap, source, meaning, window, generations, needs, needs_above)


GAP_RULES: Final[tuple[Rule, ...]] = (
    # One bank: ACT, column, PRE.
    _gap("tRCDRD", (ACT,), _READS, Scope.BANK, "RCDRD", _BOTH),
    _gap("tRCDWR", (ACT,), _WRITES, Scope.BANK, "RCDWR", _BOTH),
    _gap("tRAS", (ACT,), (PRE,), Scope.BANK, "RAS", _BOTH),
    _gap("tRAS_PREA", (ACT,), (PREA,), Scope.PC, "RAS", _BOTH),
    _gap("tRC", (ACT,), (ACT,), Scope.BANK, _ROW_CYCLE, _BOTH, "auto-precharge waits for RAS, so RAS + RP binds too"),
    _gap("tRC_REFSB", (ACT,), _BANK_REFRESH, Scope.BANK, _ROW_CYCLE, _BOTH),
    _gap("tRC_REF", (ACT,), _PC_REFRESH, Scope.PC, _ROW_CYCLE, _BOTH),
    _gap("tRC_SRE", (ACT,), _ENTRIES, Scope.CHANNEL, _ROW_CYCLE, f"{_DS}; MRS {_INFERRED}"),
    _gap("tRTP", _READS, (PRE,), Scope.BANK, "RTP", _BOTH),
    _gap("tRTP_PREA", _READS, (PREA,), Scope.PC, "RTP", _BOTH),
    _gap("tWR", _WRITES, (PRE,), Scope.BANK, _WRITE_DONE, _BOTH),
    _gap("tWR_PREA", _WRITES, (PREA,), Scope.PC, _WRITE_DONE, _BOTH),
    _gap(
        "tWR_RDA",
        (WR,),
        (RDA,),
        Scope.BANK,
        _sum("WL", "nBL", _max(_diff("WR", "RTP"), "WTRL")),
        _DS,
        "the auto-precharge must still see the end of the write",
    ),
    # Auto-precharge.
    _gap("tRDA_ACT", (RDA,), (ACT,), Scope.BANK, _RD_AP, _BOTH),
    _gap("tRDA_REFSB", (RDA,), _BANK_REFRESH, Scope.BANK, _RD_AP, _DS),
    _gap("tRDA_REF", (RDA,), _PC_REFRESH, Scope.PC, _RD_AP, _BOTH),
    _gap("tRDA_SRE", (RDA,), _ENTRIES, Scope.CHANNEL, _RD_AP, f"{_DS}; MRS {_INFERRED}"),
    _gap("tWRA_ACT", (WRA,), (ACT,), Scope.BANK, _WR_AP, _BOTH),
    _gap("tWRA_REFSB", (WRA,), _BANK_REFRESH, Scope.BANK, _WR_AP, _DS),
    _gap("tWRA_REF", (WRA,), _PC_REFRESH, Scope.PC, _WR_AP, _BOTH),
    _gap("tWRA_SRE", (WRA,), _ENTRIES, Scope.CHANNEL, _WR_AP, f"{_DS}; MRS {_INFERRED}"),
    # Precharge.
    _gap("tRP", (PRE,), (ACT,), Scope.BANK, "RP", _BOTH, "also after PRE to an idle bank"),
    _gap("tRP_PREA", (PREA,), (ACT,), Scope.PC, "RP", _BOTH),
    _gap("tRP_REFSB", (PRE,), _BANK_REFRESH, Scope.BANK, "RP", _BOTH),
    _gap("tRP_PREA_REFSB", (PREA,), _BANK_REFRESH, Scope.PC, "RP", _DS),
    _gap("tRP_REF", (PRE, PREA), _PC_REFRESH, Scope.PC, "RP", _BOTH),
    _gap("tRP_SRE", (PRE, PREA), _ENTRIES, Scope.CHANNEL, "RP", f"{_DS}; {_NOTES}; MRS {_INFERRED}"),
    _gap("tPPD", (PRE, PREA), (PRE, PREA), Scope.PC, "PPD", f"{_R2} tests; DRAMUtils"),
    # Column commands. The data-bus rows follow from RL, WL and nBL alone.
    _gap("tCCDL_RD", _READS, _READS, Scope.GROUP, "CCDL", _BOTH),
    _gap("tCCDL_WR", _WRITES, _WRITES, Scope.GROUP, "CCDL", _BOTH),
    _gap("tCCDS_RD", _READS, _READS, Scope.SID_OTHER_GROUP, "CCDS", _BOTH),
    _gap("tCCDS_WR", _WRITES, _WRITES, Scope.PC_OTHER_GROUP, "CCDS", _BOTH, "any SID"),
    _gap("tCCDR", _READS, _READS, Scope.OTHER_SID, "CCDR", f"{_DS}; {_NOTES}", needs="sids", needs_above=1),
    _gap("tRTW", _READS, _WRITES, Scope.PC, "RTW", _BOTH),
    _gap("tWTRL", _WRITES, _READS, Scope.GROUP, _sum("WL", "nBL", "WTRL"), _BOTH),
    _gap("tWTRS", _WRITES, _READS, Scope.PC_OTHER_GROUP, _sum("WL", "nBL", "WTRS"), _BOTH, "any SID"),
    _gap("dataBus_RD", _READS, _READS, Scope.PC, "nBL", _INFERRED, "the data bus carries one access at a time"),
    _gap("dataBus_WR", _WRITES, _WRITES, Scope.PC, "nBL", _INFERRED, "the data bus carries one access at a time"),
    _gap(
        "dataBus_RD_WR",
        _READS,
        _WRITES,
        Scope.PC,
        _diff(_sum("RL", "nBL"), "WL"),
        _INFERRED,
        "write data follows read data",
    ),
    _gap(
        "dataBus_WR_RD",
        _WRITES,
        _READS,
        Scope.PC,
        _diff(_sum("WL", "nBL"), "RL"),
        _INFERRED,
        "read data follows write data",
    ),
    # Activates. A single-bank refresh or RFM opens a row too: it counts in FAW.
    _gap("tRRDL", (ACT,), (ACT,), Scope.GROUP_OTHER_BANK, "RRDL", _BOTH),
    _gap("tRRDS", (ACT,), (ACT,), Scope.PC_OTHER_GROUP, "RRDS", f"{_BOTH}; {_NOTES}", "any SID"),
    _gap("tRRDL_REFSB", (ACT,), _BANK_REFRESH, Scope.GROUP_OTHER_BANK, "RRDL", f"{_DS}; {_R2} HBM4"),
    _gap("tRRDS_REFSB", (ACT,), _BANK_REFRESH, Scope.PC_OTHER_GROUP, "RRDS", _BOTH),
    _gap(
        "tFAW",
        (ACT, *_BANK_REFRESH),
        (ACT, *_BANK_REFRESH),
        Scope.PC,
        "FAW",
        f"{_DS}; {_NOTES}",
        "from the fourth last activate or single-bank refresh",
        window=4,
    ),
    # Single-bank refresh.
    _gap("tRREFD", _BANK_REFRESH, (ACT,), Scope.PC_OTHER_BANK, "RREFD", _BOTH),
    _gap("tRREFD_REFSB", _BANK_REFRESH, _BANK_REFRESH, Scope.PC_OTHER_BANK, "RREFD", _BOTH),
    _gap("tRFCSB", (REFSB,), (ACT,), Scope.BANK, "RFCSB", _BOTH),
    _gap("tRFCSB_REFSB", (REFSB,), _BANK_REFRESH, Scope.BANK, "RFCSB", _DS),
    _gap("tRFCSB_SET", (REFSB,), (REFSB,), Scope.SET, "RFCSB", f"{_DS}; {_R2}", "to the first bank of the next set"),
    _gap("tRFCSB_REF", (REFSB,), (PREA, *_PC_REFRESH), Scope.PC, "RFCSB", f"{_DS}, corrected to the whole PC"),
    _gap("tRFCSB_SRE", (REFSB,), _ENTRIES, Scope.CHANNEL, "RFCSB", f"{_DS}; MRS {_INFERRED}"),
    # All-bank refresh.
    _gap("tRFC", (REF,), (ACT,), Scope.PC, "RFC", _BOTH),
    _gap("tRFC_REF", (REF,), (*_PC_REFRESH, *_BANK_REFRESH), Scope.PC, "RFC", _BOTH),
    _gap(
        "tRFC_PRE",
        (REF,),
        (PRE, PREA),
        Scope.PC,
        "RFC",
        _NOTES,
        "only RNOP and CNOP until the refresh ends",
        generations=_HBM34,
    ),
    _gap("tRFC_SRE", (REF,), _ENTRIES, Scope.CHANNEL, "RFC", f"{_DS}; MRS {_INFERRED}"),
    # Refresh management has the preconditions of the refresh of the same scope.
    _gap("tRFMAB", (RFM,), (ACT,), Scope.PC, "RFMAB", _NOTES, generations=_HBM34),
    _gap("tRFMAB_REF", (RFM,), (*_PC_REFRESH, *_BANK_REFRESH), Scope.PC, "RFMAB", _NOTES, generations=_HBM34),
    _gap("tRFMAB_PRE", (RFM,), (PRE, PREA), Scope.PC, "RFMAB", _NOTES, generations=_HBM34),
    _gap("tRFMAB_SRE", (RFM,), _ENTRIES, Scope.CHANNEL, "RFMAB", _NOTES, generations=_HBM34),
    _gap("tRFMPB", (RFMSB,), (ACT,), Scope.BANK, "RFMPB", _NOTES, generations=_HBM34),
    _gap("tRFMPB_REFSB", (RFMSB,), _BANK_REFRESH, Scope.BANK, "RFMPB", _NOTES, generations=_HBM34),
    _gap("tRFMPB_REF", (RFMSB,), (PREA, *_PC_REFRESH), Scope.PC, "RFMPB", _NOTES, generations=_HBM34),
    _gap("tRFMPB_SRE", (RFMSB,), _ENTRIES, Scope.CHANNEL, "RFMPB", _NOTES, generations=_HBM34),
    # Mode registers are shared by both PCs.
    _gap("tRDMRS", _READS, (MRS,), Scope.CHANNEL, "RDMRS", _NOTES),
    _gap("tWRMRS", _WRITES, (MRS,), Scope.CHANNEL, "WRMRS", _NOTES),
    _gap("tMRD", (MRS,), (MRS,), Scope.CHANNEL, "MRD", _NOTES),
    _gap("tMOD", (MRS,), tuple(c for c in _AWAKE if c is not MRS), Scope.CHANNEL, "MOD", _NOTES),
    # Power-down and self refresh are shared by both PCs.
    _gap("tRD_PDE", _READS, (PDE,), Scope.CHANNEL, _READ_DATA_END, f"{_DS}; {_NOTES}"),
    _gap("tWR_PDE", _WRITES, (PDE,), Scope.CHANNEL, _sum("WL", "PL", "nBL", 1, "WR"), f"{_DS}; {_NOTES}"),
    _gap("tROW_PDE", (ACT, PRE, PREA, REF, REFSB, RFM, RFMSB), (PDE,), Scope.CHANNEL, 1, _INFERRED),
    _gap("tRD_SRE", _READS, (SRE,), Scope.CHANNEL, _READ_DATA_END, f"{_DS} after RDA; {_NOTES}"),
    _gap("tCKE_PD", (PDE,), (PDX,), Scope.CHANNEL, "CKE", _DS, "shortest power-down"),
    _gap("tCKE_PDX", (PDX,), (PDE,), Scope.CHANNEL, "CKE", _DS),
    _gap("tXP", (PDX,), tuple(c for c in _AWAKE if c is not PDE), Scope.CHANNEL, "XP", _BOTH),
    _gap("tCKE_SR", (SRE,), (SRX,), Scope.CHANNEL, _sum("CKE", 1), f"{_DS}, corrected to SRE", generations=(2,)),
    _gap("tCKSR", (SRE,), (SRX,), Scope.CHANNEL, "CKSR", _NOTES, "shortest self refresh", generations=_HBM34),
    _gap("tCPDED_PD", (PDE,), (PDX,), Scope.CHANNEL, "CPDED", _NOTES, generations=_HBM34),
    _gap("tCPDED_SR", (SRE,), (SRX,), Scope.CHANNEL, "CPDED", _NOTES, generations=_HBM34),
    _gap("tXS", (SRX,), _AWAKE, Scope.CHANNEL, "XS", _DS),
)


LIMIT_RULES: Final[tuple[Rule, ...]] = (
    Rule("tRASmax", Kind.LIMIT, (ACT,), (PRE,), Scope.BANK, _product(9, "REFI"), _NOTES, "a row may stay open so long"),
    Rule(
        "tREFImax",
        Kind.LIMIT,
        (REF, REFSB),
        (REF, REFSB),
        Scope.BANK,
        _product(_sum("POSTPONE", 1), "REFI"),
        f"AMD PG313; {_NOTES}",
        "each bank must see REF or REFSB; counts from the first command of a trace and from SRX",
    ),
)


def _state(
    name: str,
    after: tuple[Cmd, ...],
    scope: Scope,
    source: str,
    meaning: str,
    *,
    ignored: bool,
    generations: tuple[int, ...] = (2, 3, 4),
    needs: str = "",
) -> Rule:
    return Rule(name, Kind.STATE, (), after, scope, None, source, meaning, 1, generations, needs, 0, ignored)


STATE_RULES: Final[tuple[Rule, ...]] = (
    _state("noCommand", (RFM, RFMSB), Scope.CHANNEL, _NOTES, "HBM2 has no RFM", ignored=True, generations=(2,)),
    _state(
        "powerState",
        COMMANDS,
        Scope.CHANNEL,
        _DS,
        "in power-down only PDX, in self refresh only SRX; PDX and SRX only there",
        ignored=True,
    ),
    _state("bankOpen", (ACT,), Scope.BANK, _BOTH, "ACT needs an idle bank", ignored=True),
    _state(
        "bankClosed",
        _COLUMN,
        Scope.BANK,
        _BOTH,
        "a column command needs an open row; RDA and WRA close it for commands",
        ignored=True,
    ),
    _state(
        "otherRow",
        _COLUMN,
        Scope.BANK,
        _INFERRED,
        "where the trace names the row of a column command, it is the open one",
        ignored=True,
    ),
    _state(
        "refreshOpen",
        (REFSB, REF, RFM, RFMSB),
        Scope.PC,
        _BOTH,
        "refresh needs the bank, or all banks of the PC, idle",
        ignored=True,
    ),
    _state(
        "entryOpen",
        _ENTRIES,
        Scope.CHANNEL,
        f"{_DS}; {_NOTES}",
        "SRE and MRS need all banks of both PCs idle",
        ignored=True,
    ),
    _state("rowRange", (ACT,), Scope.BANK, _NOTES, "the row exists", ignored=False),
    _state(
        "refreshSet", (REFSB,), Scope.BANK, _BOTH, "each bank of a set (PC, SID) once before any again", ignored=False
    ),
    _state(
        "RAAMMT",
        (ACT,),
        Scope.BANK,
        _NOTES,
        "activates since RFM or refresh stay below RAAMMT",
        ignored=False,
        generations=_HBM34,
        needs="RAAMMT",
    ),
)

_ROW = (ACT, PRE, PREA, REF, REFSB, RFM, RFMSB, PDE, SRE)

BUS_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "edge",
        Kind.BUS,
        (),
        COMMANDS,
        Scope.CHANNEL,
        None,
        f"US 11636885; {_NOTES}",
        "rising edges only, except PRE and PREA of HBM3/4",
    ),
    Rule(
        "rowBus",
        Kind.BUS,
        (*_ROW, MRS, PDX, SRX),
        (*_ROW, MRS, PDX, SRX),
        Scope.CHANNEL,
        None,
        _BOTH,
        "one command at a time: ACT 2 CK (HBM3/4 1.5), others 1 CK (HBM3/4 0.5); MRS needs RNOP",
    ),
    Rule("colBus", Kind.BUS, (*_COLUMN, MRS), (*_COLUMN, MRS), Scope.CHANNEL, None, _BOTH, "one command a CK"),
    Rule(
        "pairing",
        Kind.BUS,
        (ACT, PRE, PREA, REF, REFSB, RFM, RFMSB),
        (PRE, PREA),
        Scope.PC,
        None,
        f"{_R2}; {_NOTES}",
        "PRE on the falling edge of a CK whose rising edge carries a command of the same PC: "
        "only PRE to another bank, and not after an all-bank command",
        generations=_HBM34,
    ),
)

RULES: Final[tuple[Rule, ...]] = (*GAP_RULES, *LIMIT_RULES, *STATE_RULES, *BUS_RULES)
RULE: Final[dict[str, Rule]] = {rule.name: rule for rule in RULES}


def rules_of(params: Params) -> tuple[Rule, ...]:
    """The rules that exist for `params`."""
    return tuple(rule for rule in RULES if rule.applies(params))


def _check_table() -> None:
    """A rule of bank scope names only commands that carry a bank; names are unique."""
    assert len(RULE) == len(RULES)
    for rule in GAP_RULES:
        if rule.scope not in (Scope.PC, Scope.CHANNEL):
            assert all(c in BANK_COMMANDS for c in (*rule.before, *rule.after)), rule.name


_check_table()


# ------------------------------------------------------------------ printing


@dataclass(frozen=True)
class RuleCells:
    """One rule as the cells of a table."""

    name: str
    before: str
    after: str
    scope: str
    gap: str
    ck: str
    source: str


def rule_cells(rule: Rule, params: Params | None = None) -> RuleCells:
    """Print one rule; `ck` is its gap for `params`."""
    gap = rule.meaning if rule.gap is None else gap_text(rule.gap)
    if rule.gap is not None and rule.meaning:
        gap += f" ({rule.meaning})"
    ck = ""
    if params is not None and rule.gap is not None:
        ticks = evaluate(rule.gap, params.ticks)
        ck = f"{ticks / 2:g}" if rule.kind is Kind.GAP else f"at most {ticks / 2:g}"
    # HBM2 has no RFM: its table does not name it, except in the rule that says so.
    hbm2 = params is not None and params.generation.number == 2 and rule.name != "noCommand"
    hidden = (RFM, RFMSB) if hbm2 else ()

    def names(commands: tuple[Cmd, ...]) -> str:
        return "any" if set(commands) == set(COMMANDS) else " ".join(c.name for c in commands if c not in hidden)

    return RuleCells(rule.name, names(rule.before), names(rule.after), rule.scope.value, gap, ck, rule.source)
