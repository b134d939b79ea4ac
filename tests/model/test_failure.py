"""What a failed run says: one signature for the same failure, another one for another; nothing that differs by run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hbm_model.binding import command_at
from hbm_model.commands import Cmd
from hbm_tb import failure
from hbm_tb.config import BenchConfig
from hbm_tb.failure import Failure, general, of_difference, of_end, of_message, of_timed_side, of_violation, settle
from hbm_tb.job_buckets import generalised
from hbm_tb.scoreboard import Mismatch


def act(ck: float, bank: int = 2, row: int = 77, pc: int = 0) -> np.void:
    """An ACT to bank 0.1.`bank`."""
    return command_at(Cmd.ACT, int(2 * ck), pc, 0, 1, bank, row=row)


M55 = "M5.5, the choice of the ACT, and M5.3, the grant"


def test_a_difference_has_its_numbers_in_the_headline_and_none_in_the_signature() -> None:
    """The same difference at another CK, bank and row is the same bucket."""
    one = of_difference(None, act(4711), 2352, M55)
    assert one.signature == "difference:row:expected ACT got none:M5.5 M5.3"
    assert one.headline == "PC0: expected ACT 0.1.2 row 0x4d at CK 4711, got nothing"
    assert (one.ck, one.cycle, one.pc, one.bank) == (4711, 2352, 0, {"sid": 0, "bg": 1, "bank": 2})
    assert (one.expected, one.got, one.paragraph) == ("ACT 0.1.2 row 0x4d at CK 4711", "nothing", M55)
    other = of_difference(None, act(99, bank=0, row=5, pc=1), 46, M55)
    assert other.signature == one.signature and other.headline != one.headline


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (act(4713), "ACT later"),
        (act(4709), "ACT earlier"),
        (act(4711, bank=3), "ACT of another bank"),
        (act(4711, row=78), "ACT of another row"),
        (command_at(Cmd.PRE, 9422, 0, 0, 1, 2), "PRE"),
        (None, "none"),
    ],
)
def test_what_came_instead_makes_another_bucket(got: np.void | None, words: str) -> None:
    """Later, earlier, another bank, another command: each a bucket of its own."""
    assert of_difference(got, act(4711), 2352, M55).signature == f"difference:row:expected ACT got {words}:M5.5 M5.3"


def test_the_earlier_of_both_commands_is_where_to_look() -> None:
    """The marker stands where the two sides part."""
    early = of_difference(act(4000), act(4711), 1997, M55)
    assert early.ck == 4000 and early.signature.startswith("difference:row:expected ACT got ACT earlier")
    column = of_difference(command_at(Cmd.RD, 802, 1, 0, 0, 3, col=4), None, 197, "M4.1 and M4.2, the column selection")
    assert column.signature == "difference:column:expected none got RD:M4.1 M4.2"
    assert column.headline == "PC1: expected nothing, got RD 0.0.3 col 4 at CK 401"


def test_a_difference_at_a_port_names_channel_and_relation() -> None:
    """No port number, no cycle; and nothing that a terminal library takes for a picture (`:B:`)."""
    one = failure.of_port(1, "B", "id 3 OKAY in cycle 40", "none", "expected one got none", 39, "M2.8, the B responses")
    assert one.signature == "difference:B channel:expected one got none:M2.8"
    assert (one.ck, one.cycle, one.pc, one.where) == (78, 39, 1, "B of port 1")
    assert one.headline == "B of port 1: expected id 3 OKAY in cycle 40, got none"


def test_a_rule_is_a_bucket() -> None:
    """Where, when and by which command does not matter: past a limit it is whichever comes first."""
    line = "tRCDRD: RD pc0 sid0 bg1 bank2 col 3 at CK 800 breaks tRCDRD after ACT pc0 at CK 790: legal from CK 805"
    found = of_violation(line, "tRCDRD", command_at(Cmd.RD, 1600, 0, 0, 1, 2, col=3), act(790), "legal from CK 805")
    assert found.signature == "violation:tRCDRD"
    assert (found.rule, found.ck, found.expected) == ("tRCDRD", 800, "legal from CK 805")
    assert found.got == "RD 0.1.2 col 3 at CK 800, after ACT 0.1.2 row 0x4d at CK 790"
    late = [of_violation("", "tREFImax", command_at(cmd, 99, 0, 0, 1, 2), None, "") for cmd in (Cmd.WRA, Cmd.ACT)]
    assert {each.signature for each in late} == {"violation:tREFImax"}


def test_a_hang_says_what_is_waited_for() -> None:
    """Not how long, and not at which port."""
    one = of_timed_side("WATCHDOG", "CK 9000: no progress for 20000 cycles; waiting for ARREADY of port 1", 18000)
    assert (one.kind, one.signature, one.ck) == ("hang", "hang:waiting for ARREADY", 9000)
    other = of_timed_side("WRITE_NO_DATA", "CK 7: write data is due and the lanes are not driven (PC 0)", 14)
    assert other.signature == "data:pins:WRITE_NO_DATA"


def test_a_record_that_is_no_command_has_its_place() -> None:
    """The reason names the bucket, the time of the record where to look."""
    one = failure.of_no_trace("command 123 (time 8201, cmd 4, pc 0, sid 0): time runs backwards")
    assert one.signature == "error:not a command trace:time runs backwards" and one.ck == 4100.5


def test_general_text_keeps_names_and_drops_numbers() -> None:
    """M5.5 and hbm2_s1 are names; 4,711, 0x1f, -3 and paths are not."""
    assert general("M5.5: 4,711 of 0x1f at -3 in /any/x/y.sv of hbm2_s1") == "M5.5: # of # at # in <path> of hbm2_s1"
    assert of_message("1234 open\nmore").signature == of_message("99 open\nless").signature == "error:# open"


def raised(by: Callable[[], object]) -> BaseException:
    """What a call raises."""
    try:
        by()
    except Exception as problem:
        return problem
    raise RuntimeError("it did not")


def test_an_exception_has_class_and_place(tmp_path: Path) -> None:
    """The last line outside of Python, its packages and the bench; the bucket holds none. What is made to be read alone
    has no class, a check of the bench no place either."""

    def test() -> None:
        assert 1 + 1 == 3, "one is two\nassert 2 == 3"

    def mismatch() -> None:
        raise Mismatch("wrong data")

    found = failure.of_exception(raised(lambda: {}["no such key"]))
    assert re.fullmatch(r"KeyError: 'no such key' \(test_failure\.py:\d+\)", found.headline), found
    assert found.signature == "error:KeyError: 'no such key'" and found.headline.endswith(f"({found.where})")
    in_json = failure.of_exception(raised(lambda: json.loads("")))
    assert in_json.headline.startswith("JSONDecodeError: ") and in_json.where.startswith("test_failure.py:")
    in_bench = failure.of_exception(raised(lambda: BenchConfig(preset="none").params))
    assert "InputError" not in in_bench.headline and in_bench.where.startswith("test_failure.py:"), in_bench
    asserted = failure.of_exception(raised(test))
    assert asserted.headline == f"one is two ({asserted.where})" and asserted.signature == "error:one is two"
    assert failure.of_exception(raised(mismatch)).headline == "wrong data"
    assert failure.of_exception(ValueError()).headline == "ValueError"
    # The same from the reason of a run whose test never came to its body.
    early = settle(tmp_path, "fail", "Mine: KeyError: 'x' (mine_tests.py:8)", "", {"Mine": "fail"})
    assert early is not None and early.signature == "error:KeyError: 'x'"
    assert early.headline == "KeyError: 'x' (mine_tests.py:8)"


def test_an_assertion_is_told_from_the_log() -> None:
    """Its module and label name the bucket; the time becomes a CK where the bench said when reset ended."""
    log = (
        "HBM_TB_RESET 33\n"
        "[5033000] %Error: hbm_fifo.sv:41: Assertion failed in tb_top.u_channel.g_pc[1].u_pc.u_fifo.NoOverflow_A: "
        "'assert' failed.\n%Error: /a/b/hbm_fifo.sv:41: Verilog $stop\n"
    )
    found = of_end("fail", "simulator ended with code 134", log)
    assert found.kind == "assertion" and found.signature == "assertion:hbm_fifo.sv:NoOverflow_A"
    assert (found.ck, found.cycle) == (4998.0, 2499), "of the cycle that ends at 5033 ns"
    assert of_end("timeout", "not finished after 60 s", "").signature == "hang:time-out of the run"


def test_another_end_of_the_simulator_is_another_bucket() -> None:
    """The exit code is the cause: killed, a wild pointer, an abort; also where the run left no failure.json."""
    ends = [f"simulator ended with code {code}" for code in (-9, -11, 134)]
    assert [of_end("fail", end, "").signature for end in ends] == [f"error:{end}" for end in ends]
    assert of_end("fail", f"{ends[2]}: %Error: at 17", "").signature == f"error:{ends[2]}: %Error: at #"
    killed = f"{ends[0]} (killed; out of memory?)"
    assert of_end("died", killed, "").signature == f"error:{killed}"
    assert [generalised(end) for end in (*ends, killed)] == [*ends, killed]


def test_assertions_without_a_label_are_told_apart() -> None:
    """Verilator names the instance where there is no label: the line tells two assertions of a module apart, and the
    same one in two instances is one bucket.
    """

    def signature(time: int, line: int, scope: str, text: str = "'assert' failed.") -> str:
        return of_end("fail", "", f"[{time}] %Error: pc.sv:{line}: Assertion failed in {scope}: {text}\n").signature

    one = signature(1000, 150, "top.g_pc[0].u_pc")
    assert one == signature(99000, 150, "top.g_pc[1].u_other") == "assertion:pc.sv:150"
    assert one != signature(1000, 190, "top.g_pc[0].u_pc")
    # A label stays where the file changes above it.
    assert signature(1000, 7, "top.u_pc.Idle_A") == signature(1000, 9, "top.u_pc.Idle_A") == "assertion:pc.sv:Idle_A"


def test_only_failed_runs_keep_a_file(tmp_path: Path) -> None:
    """The file of a test that passed although it told of a failure goes; that of the first failed test stays."""
    for name in ("Good", "Bad"):
        of_message(f"{name} tells").write(tmp_path / failure.file_of_test(name))
    settle(tmp_path, "fail", "Bad: x", "", {"m.Good": "pass", "m.Bad": "fail"}, "make test TEST=Bad")
    written = json.loads((tmp_path / "failure.json").read_text())
    assert (
        written["headline"] == "Bad tells" and written["reproduce"] == "make test TEST=Bad" and written["schema"] == 1
    )
    assert not (tmp_path / "failure_Good.json").exists()
    # The first failed test counts, also where it left nothing and a later one did.
    settle(tmp_path, "fail", "Died: it said 7", "", {"m.Died": "fail", "m.Bad": "fail"})
    found = failure.read_failure(tmp_path)
    assert found is not None and (found.headline, found.test) == ("it said 7", "Died")
    settle(tmp_path, "pass", "", "", {"m.Bad": "pass"})
    assert not list(tmp_path.glob("failure*.json"))


def test_the_schema_is_what_readers_rely_on(tmp_path: Path) -> None:
    """The fields that the bucket page and the site show."""
    found = of_difference(None, act(4711), 2352, M55)
    found.write(tmp_path / "failure.json")
    given = json.loads((tmp_path / "failure.json").read_text())
    wanted = "schema kind signature headline ck cycle pc where expected got rule paragraph bank reproduce".split()
    assert set(wanted) <= set(given)
    assert failure.read_failure(tmp_path) == found
    assert not re.search(r"\b\d{2,}\b", given["signature"])
    (tmp_path / "failure.json").write_text("{")
    assert failure.read_failure(tmp_path) is None
    with pytest.raises(ValueError, match="no kind"):
        Failure("odd", "", "")
