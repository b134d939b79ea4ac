"""The checker against a second one, written from sentences about pairs of commands, without the rule table.

The second checker keeps the list of all commands that took effect and compares each new command with every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hbm_model.commands import CMD_DTYPE, CmdArray
from hbm_model.legality import check_trace
from hbm_model.params import Params
from hbm_model.presets import preset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Half = Fraction(1, 2)
NAMES = "NOP ACT PRE PREA RD RDA WR WRA REF REFSB RFM RFMSB MRS".split()
READ, WRITE = ("RD", "RDA"), ("WR", "WRA")
ALL_BANKS = ("PREA", "REF", "RFM")


@dataclass
class Command:
    """A command with its first edge and its time, in CK."""

    name: str
    edge: Fraction
    pc: int
    sid: int
    bg: int
    bank: int

    @property
    def time(self) -> Fraction:
        """ACT counts one CK later."""
        return self.edge + (1 if self.name == "ACT" else 0)

    @property
    def place(self) -> tuple[int, int, int, int]:
        """The bank."""
        return self.pc, self.sid, self.bg, self.bank


class Naive:
    """Judges commands one by one; `judge` returns None when legal, else the earliest CK or `never`."""

    def __init__(self, params: Params) -> None:
        self.v = {key: Fraction(str(params[key])) for key in params.ticks}
        self.hbm3 = params.generation.number > 2
        self.done: list[Command] = []

    def judge(self, new: Command) -> Fraction | str | None:
        state = self._state(new)
        never = state or self._set_is_broken(new)
        bounds = [old.time + gap - (new.time - new.edge) for old in self.done for gap in self._gaps(old, new)]
        bounds += self._window(new) + self._set_end(new) + self._buses(new)
        if new.edge % 1 and not (self.hbm3 and new.name in ("PRE", "PREA")):
            bounds.append(new.edge + Half)
        earliest = max([self._slot(new, b) for b in bounds], default=Fraction(-1))
        illegal = earliest > new.edge
        if self._pairing(new, new.edge):
            earliest, illegal = max(earliest, new.edge + Half), True
        if illegal and self._pairing(new, earliest):
            earliest += Half
        if not state:
            self.done.append(new)
        return "never" if never else earliest if illegal else None

    def _slot(self, new: Command, time: Fraction) -> Fraction:
        grid = Half if self.hbm3 and new.name in ("PRE", "PREA") else Fraction(1)
        return -((-time) // grid) * grid

    # ---- bank state: the last command that opened or closed the bank

    def _open(self, place: tuple[int, int, int, int]) -> bool:
        for old in reversed(self.done):
            if old.name == "ACT" and old.place == place:
                return True
            if old.name in ("PRE", "RDA", "WRA") and old.place == place or old.name == "PREA" and old.pc == place[0]:
                return False
        return False

    def _any_open(self, pcs: tuple[int, ...]) -> bool:
        return any(self._open(old.place) for old in self.done if old.name == "ACT" and old.pc in pcs)

    def _state(self, new: Command) -> bool:
        if new.name == "ACT":
            return self._open(new.place)
        if new.name in (*READ, *WRITE):
            return not self._open(new.place)
        if new.name in ("REFSB", "RFMSB"):
            return self._open(new.place)
        if new.name in ("REF", "RFM"):
            return self._any_open((new.pc,))
        return new.name == "MRS" and self._any_open((0, 1))

    # ---- refresh sets: replay them

    def _sets(self, pc: int, sid: int) -> tuple[set[tuple[int, int, int, int]], Command | None]:
        seen: set[tuple[int, int, int, int]] = set()
        last = None
        for old in self.done:
            if old.name == "REFSB" and (old.pc, old.sid) == (pc, sid):
                if not seen:
                    last = None
                seen.add(old.place)
                if len(seen) == self.v["bgs"] * self.v["banks"]:
                    seen, last = set(), old
        return seen, last

    def _set_is_broken(self, new: Command) -> bool:
        return new.name == "REFSB" and new.place in self._sets(new.pc, new.sid)[0]

    def _set_end(self, new: Command) -> list[Fraction]:
        last = self._sets(new.pc, new.sid)[1] if new.name == "REFSB" else None
        return [last.time + self.v["RFCSB"]] if last else []

    # ---- four activates

    def _window(self, new: Command) -> list[Fraction]:
        kinds = ("ACT", "REFSB", "RFMSB")
        acts = [old for old in self.done if old.name in kinds and old.pc == new.pc]
        if new.name not in kinds or len(acts) < 4:
            return []
        return [acts[-4].time + self.v["FAW"] - (new.time - new.edge)]

    # ---- buses

    def _row_time(self, name: str) -> Fraction:
        if name in (*READ, *WRITE):
            return Fraction(0)
        if name == "ACT":
            return Fraction(3, 2) if self.hbm3 else Fraction(2)
        return Half if self.hbm3 and name != "MRS" else Fraction(1)

    def _buses(self, new: Command) -> list[Fraction]:
        bounds = []
        for old in self.done:
            if self._row_time(old.name) and self._row_time(new.name):
                bounds.append(old.edge + self._row_time(old.name))
            column = (*READ, *WRITE, "MRS")
            if old.name in column and new.name in column:
                bounds.append(old.edge + 1)
        return bounds

    def _pairing(self, new: Command, edge: Fraction) -> bool:
        """A PRE at `edge`, falling: the last row command that has a rising edge in the same CK."""
        if not self.hbm3 or new.name not in ("PRE", "PREA") or edge % 1 == 0:
            return False
        for old in reversed(self.done):
            if not self._row_time(old.name) or old.name == "MRS" or old.edge % 1:
                continue
            if old.time != edge - Half or old.pc != new.pc:
                return False
            return "PREA" == new.name or old.name in ALL_BANKS or old.place == new.place
        return False

    # ---- gaps between two commands

    def _gaps(self, old: Command, new: Command) -> list[Fraction]:
        v = self.v
        same_pc = old.pc == new.pc
        same_bank = old.place == new.place
        same_group = old.place[:3] == new.place[:3]
        same_sid = old.place[:2] == new.place[:2]
        written = v["WL"] + v["nBL"] + v["WR"]
        cycle = max(v["RC"], v["RAS"] + v["RP"])
        gaps: list[Fraction] = []
        pair = (old.name, new.name)

        def add(gap: Fraction) -> None:
            gaps.append(gap)

        if "MRS" in pair:  # shared by both PCs
            if pair == ("MRS", "MRS"):
                add(v["MRD"])
            elif old.name == "MRS":
                add(v["MOD"])
            else:
                add(
                    {"RD": v["RDMRS"], "RDA": v["RDMRS"], "WR": v["WRMRS"], "WRA": v["WRMRS"]}.get(
                        old.name, Fraction(0)
                    )
                )
                idle = {
                    "ACT": cycle,
                    "PRE": v["RP"],
                    "PREA": v["RP"],
                    "RDA": v["RTP"] + v["RP"],
                    "WRA": written + v["RP"],
                }
                idle |= {"REF": v["RFC"], "REFSB": v["RFCSB"], "RFM": v["RFMAB"], "RFMSB": v["RFMPB"]}
                add(idle.get(old.name, Fraction(0)))
            return gaps
        if not same_pc:
            return gaps
        if old.name == "ACT":
            if same_bank:
                if new.name in ("ACT", "REFSB", "RFMSB"):
                    add(cycle)
                elif new.name in READ:
                    add(v["RCDRD"])
                elif new.name in WRITE:
                    add(v["RCDWR"])
                elif new.name == "PRE":
                    add(v["RAS"])
            elif new.name in ("ACT", "REFSB", "RFMSB"):
                add(v["RRDL"] if same_group else v["RRDS"])
            if new.name == "PREA":
                add(v["RAS"])
            if new.name in ("REF", "RFM"):
                add(cycle)
        if old.name in READ:
            if new.name in READ:
                add(v["CCDL"] if same_group else v["CCDS"] if same_sid else v["CCDR"])
                add(v["nBL"])
            if new.name in WRITE:
                add(max(v["RTW"], v["RL"] + v["nBL"] - v["WL"]))
            if new.name == "PREA" or new.name == "PRE" and same_bank:
                add(v["RTP"])
        if old.name in WRITE:
            if new.name in WRITE:
                add(v["CCDL"] if same_group else v["CCDS"])
                add(v["nBL"])
            if new.name in READ:
                add(v["WL"] + v["nBL"] + (v["WTRL"] if same_group else v["WTRS"]))
            if new.name == "PREA" or new.name == "PRE" and same_bank:
                add(written)
            if pair == ("WR", "RDA") and same_bank:
                add(v["WL"] + v["nBL"] + max(v["WR"] - v["RTP"], v["WTRL"]))
        if old.name in ("RDA", "WRA"):
            until_idle = (v["RTP"] if old.name == "RDA" else written) + v["RP"]
            if new.name in ("REF", "RFM") or new.name in ("ACT", "REFSB", "RFMSB") and same_bank:
                add(until_idle)
        if old.name in ("PRE", "PREA"):
            reaches = old.name == "PREA" or same_bank
            if new.name in ("REF", "RFM") or new.name in ("ACT", "REFSB", "RFMSB") and reaches:
                add(v["RP"])
            if new.name in ("PRE", "PREA"):
                add(v["PPD"])
        if old.name in ("REFSB", "RFMSB"):
            busy = v["RFCSB"] if old.name == "REFSB" else v["RFMPB"]
            if new.name in ("ACT", "REFSB", "RFMSB"):
                add(busy if same_bank else v["RREFD"])
            if new.name in ("PREA", "REF", "RFM"):
                add(busy)
        if old.name in ("REF", "RFM"):
            busy = v["RFC"] if old.name == "REF" else v["RFMAB"]
            if new.name in ("ACT", "REF", "REFSB", "RFM", "RFMSB") or self.hbm3 and new.name in ("PRE", "PREA"):
                add(busy)
        return gaps


def _compare(commands: CmdArray, params: Params) -> int:
    """Compare both checkers; return the number of illegal commands."""
    verdicts: dict[int, Fraction | str] = {}
    for v in check_trace(commands, params, jit=False):
        verdicts[int(v["seq"])] = "never" if v["earliest"] < 0 else Fraction(int(v["earliest"]), 2)
    naive = Naive(params)
    illegal = 0
    for i, record in enumerate(commands):
        name = NAMES[record["cmd"]]
        place = [int(record[key]) for key in ("pc", "sid", "bg", "bank")]
        if name in ALL_BANKS:
            place[1:] = [-1, -1, -1]
        if name == "MRS":
            place = [-1, -1, -1, -1]
        verdict = naive.judge(Command(name, Fraction(int(record["time"]), 2), *place))
        illegal += verdict is not None
        assert verdicts.get(i) == verdict, f"command {i}: {name} at {Fraction(int(record['time']), 2)}"
    return illegal


# Small values, so that short traces meet many rules; HBM4 with .5 values.
_SMALL = {
    "RCDRD": 5, "RCDWR": 4, "RAS": 9, "RP": 5, "RC": 13, "RRDS": 2, "RRDL": 3, "FAW": 14, "CCDS": 2, "CCDL": 4,
    "CCDR": 3, "WTRS": 2, "WTRL": 4, "RTP": 3, "WR": 5, "RTW": 7, "RL": 8, "WL": 4, "RFC": 30, "RFCSB": 20,
    "RREFD": 4, "MOD": 6, "MRD": 4,
    "RDMRS": 9, "WRMRS": 11,
}  # fmt: skip
_SMALL3 = _SMALL | {"RFMAB": 25, "RFMPB": 15, "PPD": 3}
PARAMS = {
    "hbm2": preset("hbm2_2000_eng_s2").replaced(**_SMALL),
    "hbm3": preset("hbm3_6400_eng").replaced(**_SMALL3),
    "hbm4": preset("hbm4_8000_eng").replaced(**(_SMALL3 | {"RAS": 9.5, "RP": 5.5, "RTP": 3.5, "WR": 4.5})),
    "hbm2_rc_short": preset("hbm2_2000_eng_s2").replaced(**(_SMALL | {"RC": 6, "RTW": 2, "CCDS": 1})),
    # Two bank groups of one bank: whole refresh sets in short traces.
    "hbm3_tiny": preset("hbm3_6400_eng").replaced(**(_SMALL3 | {"bgs": 2, "banks": 1, "FAW": 9})),
}


@st.composite
def _traces(draw: st.DrawFn, hbm3: bool, bgs: int, banks: int) -> CmdArray:
    count = draw(st.integers(4, 40))
    kinds = "ACT ACT ACT RD RD WR PRE PRE RDA WRA PREA REF REFSB REFSB MRS".split() + (["RFM", "RFMSB"] if hbm3 else [])
    # Half CK steps: mostly the short distances at which the rules bind.
    step = st.one_of(st.integers(0, 4), st.integers(0, 12), st.integers(0, 70))
    commands = np.zeros(count, CMD_DTYPE)
    time = 0
    for record in commands:
        name = draw(st.sampled_from(kinds))
        delta = draw(step)
        time += delta
        if time % 2 and (not hbm3 or not name.startswith("PRE")) and draw(st.integers(0, 9)):
            time += 1  # one in ten stays on a forbidden edge
        record["time"], record["cmd"], record["row"] = time, NAMES.index(name), 0
        record["pc"], record["sid"] = draw(st.integers(0, 1)), draw(st.integers(0, 1))
        record["bg"], record["bank"] = draw(st.integers(0, bgs - 1)), draw(st.integers(0, banks - 1))
    return commands


@pytest.mark.parametrize("name", list(PARAMS))
def test_random_traces_get_the_same_verdicts(name: str) -> None:
    params = PARAMS[name]
    shape = (params.generation.number > 2, min(2, params.count("bgs")), min(2, params.count("banks")))

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(_traces(*shape))
    def agree(commands: CmdArray) -> None:
        _compare(commands, params)

    agree()


@pytest.mark.parametrize("name", list(PARAMS))
def test_long_random_traces_get_the_same_verdicts(name: str) -> None:
    """Commands mostly at distances where they can be legal, so that state builds up; seeds are fixed."""
    params = PARAMS[name]
    hbm3 = params.generation.number > 2
    kinds = "ACT ACT ACT ACT RD RD RD WR WR PRE PRE PRE RDA WRA PREA REF REFSB REFSB REFSB MRS".split()
    kinds += ["RFM", "RFMSB"] if hbm3 else []
    legal = illegal = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        count = 150
        commands = np.zeros(count, CMD_DTYPE)
        names = rng.choice(kinds, count)
        commands["cmd"] = [NAMES.index(n) for n in names]
        commands["time"] = np.cumsum(rng.choice([2, 3, 4, 6, 8, 14, 24], count))
        halves = np.array([hbm3 and n.startswith("PRE") for n in names])
        commands["time"] += (commands["time"] % 2) * ~halves
        commands["time"] = np.maximum.accumulate(commands["time"])
        for field, limit in (
            ("pc", 2),
            ("sid", 2),
            ("bg", min(2, params.count("bgs"))),
            ("bank", min(2, params.count("banks"))),
        ):
            commands[field] = rng.integers(0, limit, count)
        bad = _compare(commands, params)
        legal, illegal = legal + count - bad, illegal + bad
    assert legal > 100 and illegal > 100
