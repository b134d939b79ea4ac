"""What a failed run says of its failure: `failure.json` in its run folder (docs/debugging.md).

The check that found it makes a `Failure`; the simulation writes it as `failure_<test>.json`, and the process that ran
the simulation puts that of the first failed test in place as `failure.json`, or makes one from the log where the
simulator ended without a word. Its `signature` is free of everything that differs from run to run (CK, rows, columns,
seeds, addresses): runs with the same signature belong into one bucket.
"""

from __future__ import annotations

import json
import re
import sysconfig
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hbm_model.commands import BANK_COMMANDS, CHANNEL_COMMANDS, COLUMN_COMMANDS, Cmd, ck_number, ck_text

if TYPE_CHECKING:
    import numpy as np

SCHEMA: Final = 1
FILE: Final = "failure.json"
KINDS: Final = ("difference", "violation", "data", "response", "assertion", "hang", "error")
PS_PER_NS: Final = 1000  # the simulator tells its time in ps
RESET: Final = "HBM_TB_RESET"  # the bench says when (ns) cycle 0 of a run began

Bank = dict[str, int]


@dataclass(frozen=True)
class Failure:
    """One failure. CK are those of the pins since reset was released; None where there is none."""

    kind: str  # of KINDS
    signature: str
    headline: str  # one line, with all numbers
    ck: float | None = None  # where to look
    cycle: int | None = None  # controller cycle in which it was decided or seen
    pc: int | None = None
    where: str = ""  # pin, port or command
    expected: str = ""
    got: str = ""
    rule: str | None = None  # of the rule table (docs/rules.md)
    paragraph: str | None = None  # of docs/microarchitecture.md
    bank: Bank | None = None  # sid, bg, bank
    reproduce: str = ""  # the command that repeats the run
    test: str = ""
    seen_cycle: int | None = None  # controller cycle that had been reached when it was told
    resets: int = 0  # in the middle of the test, before it
    difference: str = ""  # the first one from the exact model in the same batch, where another check told first
    difference_ck: float | None = None
    command: str = ""  # the first DRAM command that the exact model expects otherwise, or that there is none
    command_ck: float | None = None  # None: there is none
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind} is no kind of failure")

    def write(self, path: Path) -> None:
        """As JSON, in one step."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n")
        fresh.rename(path)


def read_failure(folder: Path, name: str = FILE) -> Failure | None:
    """The failure of a run folder; None where there is none that can be read."""
    try:
        given = json.loads((folder / name).read_text())
        known = {each.name for each in fields(Failure)}
        found = Failure(**{key: value for key, value in given.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    numbers = (found.ck, found.cycle, found.seen_cycle, found.difference_ck, found.command_ck)
    return found if all(each is None or isinstance(each, int | float) for each in numbers) else None


# ---------------------------------------------------------------- words


def general(text: str, most: int = 120) -> str:
    """A sentence without the numbers that differ from run to run; names like M5.5, hbm2 or tRRD_S stay."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = re.sub(r"(/[\w.+-]+){2,}/?", "<path>", line)
    line = re.sub(r"\b0x[0-9a-fA-F]+", "#", line)
    line = re.sub(r"(?<![\w.])-?\d[\d,]*(\.\d+)?(?![\w])", "#", line)
    return line[:most]


def bank_of(command: np.void | None) -> Bank | None:
    """Where a command goes, for commands to one bank."""
    if command is None or Cmd(int(command["cmd"])) not in BANK_COMMANDS:
        return None
    return {name: int(command[name]) for name in ("sid", "bg", "bank")}


def command_text(command: np.void | None) -> str:
    """`ACT 0.2.1 row 0x1a4 at CK 4711`; `nothing` for none."""
    if command is None:
        return "nothing"
    cmd = Cmd(int(command["cmd"]))
    parts = [cmd.name]
    if cmd is Cmd.MRS:
        parts.append(f"MR{int(command['row']) >> 8} = {int(command['row']) & 255:#04x}")
    if cmd in BANK_COMMANDS:
        parts.append(f"{command['sid']}.{command['bg']}.{command['bank']}")
    if cmd is Cmd.ACT:
        parts.append(f"row {int(command['row']):#x}")
    if cmd in COLUMN_COMMANDS:
        parts.append(f"col {command['col']}")
    return " ".join([*parts, f"at CK {ck_text(int(command['time']))}"])


def _kind_text(command: np.void | None) -> str:
    return "none" if command is None else Cmd(int(command["cmd"])).name


def relation(expected: np.void | None, got: np.void | None) -> str:
    """What came in the place of the expected command, without numbers: `none`, `PRE`, `ACT later`, `RD of another
    bank`.
    """
    if expected is None or got is None or expected["cmd"] != got["cmd"]:
        return _kind_text(got)
    name = _kind_text(got)
    if bank_of(expected) != bank_of(got):
        return f"{name} of another bank"
    for key, word in (("row", "row"), ("col", "column")):
        used = (Cmd.ACT, Cmd.MRS) if key == "row" else COLUMN_COMMANDS
        if Cmd(int(got["cmd"])) in used and expected[key] != got[key]:
            return f"{name} of another {word}"
    if expected["time"] != got["time"]:
        return f"{name} {'later' if got['time'] > expected['time'] else 'earlier'}"
    return f"{name} of another PC" if expected["pc"] != got["pc"] else name


def short_paragraph(text: str) -> str:
    """The numbers of the paragraphs that a sentence names: `M5.5 M5.3`."""
    return " ".join(re.findall(r"M\d+(?:\.\d+)?", text))


# ---------------------------------------------------------------- what the checks find


def of_difference(got: np.void | None, expected: np.void | None, cycle: int, paragraph: str) -> Failure:
    """The channel and the exact model differ in a command."""
    both = [each for each in (got, expected) if each is not None]
    first = min(both, key=lambda each: int(each["time"]))
    column = Cmd(int(first["cmd"])) in COLUMN_COMMANDS
    bus = "column" if column else "row"
    pc = None if Cmd(int(first["cmd"])) in CHANNEL_COMMANDS else int(first["pc"])
    sentence = f"expected {command_text(expected)}, got {command_text(got)}"
    return Failure(
        "difference",
        f"difference:{bus}:expected {_kind_text(expected)} got {relation(expected, got)}:{short_paragraph(paragraph)}",
        f"{'' if pc is None else f'PC{pc}: '}{sentence}",
        ck=ck_number(int(first["time"])),
        cycle=cycle,
        pc=pc,
        where=f"{bus} command",
        expected=command_text(expected),
        got=command_text(got),
        paragraph=paragraph,
        bank=bank_of(expected if expected is not None else got),
    )


def of_port(port: int, what: str, expected: str, got: str, relation: str, cycle: int, paragraph: str) -> Failure:
    """The channel and the exact model differ at a port; what: AR, AW, W (handshake), R or B; relation: numberless."""
    return Failure(
        "difference",
        f"difference:{what} channel:{relation}:{short_paragraph(paragraph)}",
        f"{what} of port {port}: expected {expected}, got {got}",
        ck=2.0 * cycle,
        cycle=cycle,
        pc=port,
        where=f"{what} of port {port}",
        expected=expected,
        got=got,
        paragraph=paragraph,
    )


def of_violation(line: str, rule: str, command: np.void, earlier: np.void | None, earliest: str) -> Failure:
    """A command breaks a rule; line: its sentence. The rule alone is the bucket: past a limit (tREFImax) or within a
    distance the command is the one that happens to come first.
    """
    cmd = Cmd(int(command["cmd"]))
    return Failure(
        "violation",
        f"violation:{rule}",
        line,
        ck=ck_number(int(command["time"])),
        cycle=int(command["time"]) // 4,
        pc=None if cmd in CHANNEL_COMMANDS else int(command["pc"]),
        where=f"command {cmd.name}",
        expected=earliest,
        got=command_text(command) + (f", after {command_text(earlier)}" if earlier is not None else ""),
        rule=rule,
        bank=bank_of(command),
    )


def of_response(kind: str, name: str, headline: str, *, port: int, cycle: int, expected: str, got: str) -> Failure:
    """The scoreboard found wrong data or a wrong response; name: of the check, without numbers."""
    return Failure(
        kind, f"{kind}:{name}", headline, ck=2.0 * cycle, cycle=cycle, pc=port, where=f"port {port}",
        expected=expected, got=got,
    )  # fmt: skip


def of_timed_side(code: str, text: str, half_ck: int) -> Failure:
    """An error record of the timed side; code: its name, text: its sentence."""
    hang = code == "WATCHDOG"
    waits = re.search(r"waiting for (.*)", text)
    kind = "hang" if hang else "data" if code in _DATA_CODES else "response" if code in _RESPONSE_CODES else "error"
    name = f"waiting for {general(re.sub(r' of port [0-9]', '', waits[1]))}" if hang and waits else code
    return Failure(
        kind, f"{kind}:{'' if hang else 'pins:'}{name}", text, ck=ck_number(half_ck), cycle=half_ck // 4,
        where="timed side of the bench", got=text,
    )  # fmt: skip


_DATA_CODES: Final = ("WRITE_NO_DATA", "WRITE_SURPLUS_DATA", "DATA_COLLISION", "MASK_WITHOUT_PINS")
_RESPONSE_CODES: Final = ("R_SURPLUS", "B_SURPLUS", "R_LAST", "HANDSHAKE", "APB_TIMEOUT")


def of_no_trace(error: str) -> Failure:
    """The legality checker cannot read what the recorder noted."""
    time = re.search(r"\btime (\d+)", error)
    half_ck = int(time[1]) if time else None
    return Failure(
        "error",
        f"error:not a command trace:{error.rpartition('): ')[2]}",
        f"not a command trace: {error}",
        ck=None if half_ck is None else ck_number(half_ck),
        cycle=None if half_ck is None else half_ck // 4,
        where="recorder",
        got=error,
    )


def of_counters(names: Sequence[str], lines: Sequence[str], cycle: int) -> Failure:
    """Performance counters differ from the model's."""
    plain = sorted({re.sub(r"\d+", "#", name) for name in names}) or ["snapshot"]
    return Failure(
        "difference", f"difference:counters:{' '.join(plain[:3])}:M9", f"counters: {lines[0] if lines else 'differ'}",
        ck=2.0 * cycle, cycle=cycle, where="counters", got="; ".join(lines[:3]), paragraph="M9, the counters",
    )  # fmt: skip


def of_open_work(problems: Sequence[str]) -> Failure:
    """A test ended with something still open, or nothing checked. The one that asked knows the cycle."""
    first = problems[0] if problems else "open work"
    nothing = "nothing was" in first
    if (due := re.search(r"(\w+) commands are missing", first)) is not None:
        name = f"end:{due[1]} commands missing"
    elif "response lost" in first:
        name = f"end:{'B' if 'no B' in first else 'R'} lost"
    else:
        name = f"end:{general(re.sub(r'^port [0-9]: ', '', first))}"
    kind = "error" if nothing else "response"
    return Failure(kind, f"{kind}:{name}", f"at the end of the test: {first}", got=first)


_ENDED = re.compile(r"(simulator ended with code (?:-?\d+|None)\W*)(.*)")


# Exceptions whose message is made to be read without their name and traceback. Of a Mismatch also without a place: a
# check of the bench found it in what the channel did, wherever the test happened to be.
_SAID: Final = ("AssertionError", "InputError")
_CHECKED: Final = ("Mismatch", "SimFailure")
_NOT_THEIRS: Final = tuple(
    {f"{Path(each).resolve()}/" for key, each in sysconfig.get_paths().items() if "lib" in key}
    | {f"{Path(__file__).resolve().parent}/", f"{Path(__file__).resolve().parents[2] / 'models'}/"}
)
_FRAME: Final = re.compile(r'^ *File "(?P<file>[^"<>]+)", line (?P<line>\d+), in ', re.MULTILINE)
_PLACE: Final = re.compile(r" \([\w.-]+\.py:\d+\)$")


def has_traceback(kind: str) -> bool:
    """Whether the traceback of an exception of this class tells more than its message."""
    return kind not in (*_SAID, *_CHECKED)


def place_of(kind: str, trace: str) -> str:
    """`mine_tests.py:8` of a traceback: the last line outside of Python, its packages and the bench; where there is
    none, the last of all, unless the message of such an exception says enough; empty: no place.
    """
    frames = [(frame["file"], frame["line"]) for frame in _FRAME.finditer(trace)] if kind not in _CHECKED else []
    theirs = [frame for frame in frames if not str(Path(frame[0]).resolve()).startswith(_NOT_THEIRS)]
    chosen = theirs or (frames if has_traceback(kind) else [])
    return f"{Path(chosen[-1][0]).name}:{chosen[-1][1]}" if chosen else ""


def exception_text(kind: str, message: str, trace: str) -> str:
    """An exception as the reason of a run: `KeyError: 'no such key' (mine_tests.py:8)`. kind: name of its class."""
    first, *more = message.strip().splitlines() or [""]
    if has_traceback(kind) or not first:
        first = f"{kind}: {first}" if first else kind
    place = place_of(kind, trace)
    return "\n".join([f"{first} ({place})" if place else first, *more])


def of_exception(problem: BaseException) -> Failure:
    """An exception that no check raised: of a test, or of the bench."""
    kind, trace = type(problem).__name__, "".join(traceback.format_exception(problem))
    made, place = of_message(exception_text(kind, str(problem), "")), place_of(kind, trace)
    return replace(made, headline=f"{made.headline} ({place})", where=place) if place else made


def of_message(text: str) -> Failure:
    """Any other message. The line of a test file that it ends with is no part of the bucket."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else "no message"
    if (ended := _ENDED.match(first)) is not None:  # the code is the cause: killed, a wild pointer, an abort
        return Failure("error", f"error:{ended[1]}{general(ended[2])}", first[:300], got=first[:300])
    if first.endswith(":") and len(lines) > 1:
        first = f"{first} {lines[1]}"
    kind = "assertion" if "assertions or $error" in first else "error"
    return Failure(kind, f"{kind}:{general(_PLACE.sub('', first))}", first[:300], got=first[:300])


# ---------------------------------------------------------------- a simulation that ended without a word

# Labels of our RTL end in _A. The last name of any other scope may as well be that of an instance or a block.
_LABEL: Final = re.compile(r"\w+_A")

_ASSERTION: Final = re.compile(
    r"^\[(?P<time>\d+)\] %(?:Error|Fatal)[^:]*: (?P<file>[^:\s]+):(?P<line>\d+):"
    r"\s*(?P<text>.*)$",
    re.MULTILINE,
)


def of_end(status: str, reason: str, log: str) -> Failure:
    """From the status and the log of a simulation: an assertion, a time-out, a crash."""
    if status == "timeout":
        return Failure("hang", "hang:time-out of the run", reason, got=reason)
    if (found := _ASSERTION.search(log)) is not None:
        text = found["text"]
        scope = re.search(r"in ([\w.\[\]]+)", text)
        name = Path(found["file"]).name
        place = general(re.sub(r"\[\d+\]", "", scope[1].rstrip(".:"))) if scope else ""
        after = text[scope.end() :].lstrip(".: ") if scope else text
        last = place.rsplit(".", 1)[-1]
        label = last if _LABEL.fullmatch(last) else found["line"]
        resets = [int(each) for each in re.findall(rf"^{RESET} (\d+)", log[: found.start()], re.MULTILINE)]
        # An assertion looks at the values before the clock edge: those of the cycle that ends there.
        cycle = (int(found["time"]) // PS_PER_NS - resets[-1]) // 2 - 1 if resets else None
        where = f"{name}:{found['line']} {place}".strip()
        return Failure(
            "assertion", f"assertion:{name}:{label}", f"assertion in {where}: {after or text}",
            ck=None if cycle is None else 2.0 * cycle, cycle=cycle, where=where, got=after or text,
            seen_cycle=None if cycle is None else cycle + 1,
        )  # fmt: skip
    return of_message(reason or f"the simulation ended as {status}")


# ---------------------------------------------------------------- files


def file_of_test(test: str) -> str:
    """Name of the file that the simulation writes for a test."""
    return f"failure_{test}.json"


def clear(folder: Path) -> None:
    """Take away what earlier runs said."""
    for path in (*folder.glob("failure_*.json"), folder / FILE):
        with suppress(FileNotFoundError):
            path.unlink()


def settle(
    folder: Path, status: str, reason: str, log: str, tests: Mapping[str, str], reproduce: str = ""
) -> Failure | None:
    """`failure.json` of a simulation that ended; none where it passed or a wave window ended it."""
    if status in ("pass", "stopped"):
        clear(folder)
        return None
    failed = [name.rsplit(".", 1)[-1] for name, outcome in tests.items() if outcome == "fail"]
    passed = {name.rsplit(".", 1)[-1] for name, outcome in tests.items() if outcome == "pass"}
    for name in passed:  # a test that wants a failure passes with it
        with suppress(FileNotFoundError):
            (folder / file_of_test(name)).unlink()
    # The reason of the run is that of its first failed test.
    known = [found for name in failed[:1] if (found := read_failure(folder, file_of_test(name))) is not None]
    if not known and not tests:  # the simulator died: what the bench had told before stands
        known = [found for path in sorted(folder.glob("failure_*.json")) if (found := read_failure(folder, path.name))]
    # The name of the test, which the reason begins with, is no part of the bucket.
    found = known[0] if known else of_end(status, reason.removeprefix(f"{failed[0]}: ") if failed else reason, log)
    if found.kind == "assertion" and _ASSERTION.search(log):  # the bench only counts them
        found = replace(of_end(status, reason, log), test=found.test, resets=found.resets)
    if not found.test and failed:  # it ended the process: those after it could not run either
        found = replace(found, test=failed[0])
    if not found.reproduce and reproduce:
        found = replace(found, reproduce=reproduce)
    found.write(folder / FILE)
    return found


def describe(found: Mapping[str, Any] | Failure) -> list[str]:
    """The failure in a few lines for a person."""
    given = asdict(found) if isinstance(found, Failure) else dict(found)
    lines = [f"{given['kind']}: {given['headline']}"]
    if given.get("ck") is not None:
        lines.append(f"at CK {given['ck']:g}, cycle {given['cycle']}")
    if given.get("difference"):
        lines.append(f"first difference from the exact model: {given['difference']}")
    if given.get("command") and given["command"] not in (given["headline"], given.get("difference")):
        lines.append(f"first differing command: {given['command']}")
    if given.get("paragraph"):
        lines.append(f"decided by {given['paragraph']} (docs/microarchitecture.md)")
    return [*lines, f"bucket: {given['signature']}"]
