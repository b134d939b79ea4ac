"""Command traces: `commands.csv` (plain, gzip or zstd) and its compact form `.npz`.

CSV: header `cycle,cmd,pc,sid,bg,bank,row,col`, one command a line; `cycle` is the CK of the first edge, `.5` for a
falling edge; fields that a command does not use may be empty or hold anything. The row of a column command is optional:
when given it is compared with the open row. A compiled pass reads what is written plainly; every other line goes to an
exact reader in plain Python, which also words the errors.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
import numpy.typing as npt

from hbm_model import _csv
from hbm_model._jit import compiled, jit_enabled
from hbm_model.commands import (
    BANK_COMMANDS,
    CMD_DTYPE,
    CODE_OF,
    COLUMN_COMMANDS,
    COMMANDS,
    NO_ROW,
    PC_COMMANDS,
    Cmd,
    CmdArray,
    ck_text,
)
from hbm_model.errors import InputError
from hbm_model.params import Params

FIELDS: Final = ("cycle", "cmd", "pc", "sid", "bg", "bank", "row", "col")
HEADER: Final = ",".join(FIELDS)
# Below this size the compiled reader's start-up costs more than it saves.
_SMALL_BYTES: Final = 100_000
_LARGEST_ROW: Final = NO_ROW - 1  # rows beyond it are all outside every geometry
_CYCLE: Final = re.compile(r"(\d{1,17})(?:\.([05])0*)?")
_NUMBER: Final = re.compile(r"\d{1,18}")


@dataclass(frozen=True)
class CommandTrace:
    """Commands in file order, and the line of each (1 = the header)."""

    commands: CmdArray
    lines: npt.NDArray[np.int64]


def used_fields(cmd: Cmd) -> tuple[str, ...]:
    """Address fields that a command uses."""
    bank = ("sid", "bg", "bank") if cmd in BANK_COMMANDS else ()
    pc = ("pc",) if cmd in BANK_COMMANDS or cmd in PC_COMMANDS else ()
    return (*pc, *bank, *(("row",) if cmd is Cmd.ACT else ()), *(("col",) if cmd in COLUMN_COMMANDS else ()))


# ------------------------------------------------------------------ reading


def read_commands(path: str | Path, params: Params) -> CommandTrace:
    """Read a command trace of the geometry of `params`; InputError names file, line and what was expected."""
    name = str(path)
    try:
        data = _unpacked(Path(path).read_bytes(), name)
    except OSError as error:
        raise InputError(f"{name}: cannot read the trace: {error.strerror}") from None
    if data[:4] == b"PK\x03\x04":
        return _read_npz(data, name, params)
    return _read_csv(data, name, params)


def _unpacked(data: bytes, name: str) -> bytes:
    """Undo gzip or zstd, recognised by the first bytes."""
    if data[:2] == b"\x1f\x8b":
        import gzip
        import zlib

        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{name}: not a whole gzip file: {error}") from None
    if data[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        try:
            return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
        except zstandard.ZstdError as error:
            raise InputError(f"{name}: not a whole zstd file: {error}") from None
    return data


def _read_npz(data: bytes, name: str, params: Params) -> CommandTrace:
    from zipfile import BadZipFile

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            commands = archive["commands"]
    except (ValueError, OSError, KeyError, BadZipFile) as error:
        raise InputError(f"{name}: not a command trace in npz form: {error}") from None
    if commands.dtype != CMD_DTYPE or commands.ndim != 1:
        raise InputError(f"{name}: array `commands` has type {commands.dtype}, expected {CMD_DTYPE}")
    lines = np.arange(2, len(commands) + 2, dtype=np.int64)
    backwards = np.flatnonzero(commands["time"][1:] < commands["time"][:-1])
    if len(backwards):
        at = int(backwards[0]) + 1
        raise InputError(_backwards(f"{name}: command {at}", int(commands["time"][at]), int(commands["time"][at - 1])))
    for cmd in np.unique(commands["cmd"]):
        if cmd not in COMMANDS:
            raise InputError(f"{name}: {cmd} is not the code of a command")
        of_kind = commands["cmd"] == cmd
        for key in used_fields(Cmd(cmd)):
            wrong = np.flatnonzero(of_kind & (commands[key] >= _field_limit(key, params)))
            if key != "row" and len(wrong):
                text = _range_text(key, int(commands[key][wrong[0]]), params)
                raise InputError(f"{name}: command {int(wrong[0])}: {text}")
    return CommandTrace(commands, lines)


def _read_csv(data: bytes, name: str, params: Params) -> CommandTrace:
    end = data.find(b"\n")
    header = data[: end if end >= 0 else len(data)].decode("utf-8", "replace").lstrip("\ufeff").strip()
    if [field.strip() for field in header.split(",")] != list(FIELDS):
        raise InputError(f"{name}:1: header is {header[:80]!r}, expected {HEADER}")
    begin = end + 1 if end >= 0 else len(data)
    reader = _Reader(name, params)
    if len(data) - begin < _SMALL_BYTES or not jit_enabled():
        return reader.read_exact(data, begin)
    return reader.read_fast(data, begin)


class _Reader:
    """Reads the lines of one CSV trace after its header."""

    def __init__(self, name: str, params: Params) -> None:
        self._name = name
        self._params = params
        self._last = 0  # time of the last command, half CK
        limits = {key: _field_limit(key, params) for key in FIELDS[2:]}
        self._limits = np.array([limits[key] for key in FIELDS[2:]], np.int64)
        self._limits[4] = NO_ROW  # rows are judged by the rule rowRange, not here

    def read_exact(self, data: bytes, begin: int) -> CommandTrace:
        """Read line by line in plain Python."""
        words: list[int] = []
        lines: list[int] = []
        for number, line in enumerate(data[begin:].split(b"\n"), 2):
            word = self._line(line, number)
            if word:
                words += word
                lines.append(number)
        return CommandTrace(np.array(words, "<i8").view(CMD_DTYPE), np.array(lines, np.int64))

    def read_fast(self, data: bytes, begin: int) -> CommandTrace:
        """Read compiled, with the exact reader for lines that are not written plainly."""
        parse = compiled(_csv.parse)
        buffer = np.frombuffer(bytearray(data), np.uint8)
        room = data.count(b"\n", begin) + 1
        words = np.zeros(2 * room, "<i8")
        lines = np.zeros(room, np.int64)
        progress = np.array([begin, 0, 2, 0], np.int64)  # position, commands, line, time
        names, codes = _command_names(self._params)
        use = _field_use()
        while parse(buffer, names, codes, use, self._limits, words, lines, progress):
            position, count, number = (int(value) for value in progress[:3])
            end = data.find(b"\n", position)
            end = end if end >= 0 else len(data)
            self._last = int(progress[3])
            word = self._line(data[position:end], number)
            if word:
                words[2 * count : 2 * count + 2] = word
                lines[count] = number
                progress[1] += 1
            progress[0], progress[2], progress[3] = end + 1, number + 1, self._last
        count = int(progress[1])
        return CommandTrace(words[: 2 * count].view(CMD_DTYPE), lines[:count])

    def _line(self, raw: bytes, number: int) -> tuple[int, int] | None:
        """Return one command as the two words of its record, None for an empty line."""
        text = raw.decode("utf-8", "replace").strip()
        if not text:
            return None
        where = f"{self._name}:{number}"
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != len(FIELDS):
            raise InputError(f"{where}: {len(parts)} fields, expected {len(FIELDS)}: {HEADER}")
        match = _CYCLE.fullmatch(parts[0])
        if not match:
            raise InputError(f"{where}: cycle is {parts[0][:40]!r}, expected a CK such as 12 or 12.5")
        time = 2 * int(match[1]) + (match[2] == "5")
        cmd = CODE_OF.get(parts[1].upper())
        if cmd is None or not _exists(cmd, self._params):
            known = " ".join(c.name for c in COMMANDS if _exists(c, self._params))
            raise InputError(
                f"{where}: {parts[1][:40]!r} is not a command of {self._params.std}, expected one of {known}"
            )
        if time < self._last:
            raise InputError(_backwards(where, time, self._last))
        self._last = time
        fields = dict(zip(FIELDS[2:], parts[2:], strict=True))
        values = {key: self._value(where, cmd, key, fields[key]) for key in used_fields(cmd)}
        row = values.get("row", 0)
        if cmd in COLUMN_COMMANDS or cmd is Cmd.MRS:  # optional: the open row; mode register and its value
            given = _NUMBER.fullmatch(fields["row"])
            row = min(int(given[0]), _LARGEST_ROW) if given else NO_ROW if cmd is not Cmd.MRS else 0
        word = int(cmd)
        for shift, key in enumerate(("pc", "sid", "bg", "bank", "col"), 1):
            word |= values.get(key, 0) << 8 * shift
        word |= row << 48
        return time, word - (1 << 64) if word >> 63 else word

    def _value(self, where: str, cmd: Cmd, key: str, text: str) -> int:
        if not text and _field_limit(key, self._params) == 1:
            return 0  # a channel with one PC or SID has nothing to say there
        if not _NUMBER.fullmatch(text):
            found = f"is {text[:40]!r}" if text else "is empty"
            raise InputError(f"{where}: {key} of {cmd.name} {found}, expected a number")
        value = int(text)
        if key == "row":
            return min(value, _LARGEST_ROW)
        if value >= _field_limit(key, self._params):
            raise InputError(f"{where}: {_range_text(key, value, self._params)}")
        return value


def _field_limit(key: str, params: Params) -> int:
    counts = {"pc": "pcs", "sid": "sids", "bg": "bgs", "bank": "banks", "row": "rows", "col": "cols"}
    return params.count(counts[key])


def _range_text(key: str, value: int, params: Params) -> str:
    return f"{key} is {value}, expected 0 to {_field_limit(key, params) - 1}"


def _backwards(where: str, time: int, last: int) -> str:
    return f"{where}: time runs backwards: cycle {ck_text(time)} after {ck_text(last)}"


def _exists(cmd: Cmd, params: Params) -> bool:
    """HBM2 has no refresh management."""
    return params.generation.number > 2 or cmd not in (Cmd.RFM, Cmd.RFMSB)


def _command_names(params: Params) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Names as the compiled reader meets them (upper case, eight bytes in a word), and their codes."""
    known = [(name, code) for name, code in CODE_OF.items() if _exists(code, params)]
    names = [int.from_bytes(name.encode(), "big") for name, _ in known]
    return np.array(names, np.int64), np.array([int(code) for _, code in known], np.int64)


def _field_use() -> npt.NDArray[np.int64]:
    """Per command code and field: 0 unused, 1 used, 2 a number or nothing."""
    use = np.zeros((max(COMMANDS) + 1, 6), np.int64)
    for cmd in COMMANDS:
        for key in used_fields(cmd):
            use[cmd, FIELDS.index(key) - 2] = 1
        if cmd in COLUMN_COMMANDS:
            use[cmd, 4] = 2
        if cmd is Cmd.MRS:
            use[cmd, 4] = 3  # as 2, but nothing means 0
    return use.reshape(-1)


# ------------------------------------------------------------------ writing


def csv_text(commands: CmdArray) -> str:
    """Commands as lines of a CSV trace, without the header; unused fields are empty."""
    out = []
    for time, code, pc, sid, bg, bank, col, row in commands.tolist():
        half = ".5" if time & 1 else ""
        kind = _KIND[code]
        if kind == 3:
            text = "" if row == NO_ROW else row
            out.append(f"{time >> 1}{half},{_NAME[code]},{pc},{sid},{bg},{bank},{text},{col}\n")
        elif kind == 2:
            text = row if code == Cmd.ACT else ""
            out.append(f"{time >> 1}{half},{_NAME[code]},{pc},{sid},{bg},{bank},{text},\n")
        elif kind == 1:
            out.append(f"{time >> 1}{half},{_NAME[code]},{pc},,,,,\n")
        else:
            text = row if code == Cmd.MRS else ""
            out.append(f"{time >> 1}{half},{_NAME[code]},,,,,{text},\n")
    return "".join(out)


_NAME: Final = [c.name for c in Cmd]
_KIND: Final = [3 if c in COLUMN_COMMANDS else 2 if c in BANK_COMMANDS else 1 if c in PC_COMMANDS else 0 for c in Cmd]


class CommandWriter:
    """Writes a CSV trace chunk by chunk; the ending of the name (.gz, .zst) chooses the compression."""

    def __init__(self, path: str | Path) -> None:
        self._file = _opened(Path(path))
        self._file.write(f"{HEADER}\n".encode())

    def write(self, commands: CmdArray) -> None:
        """Append commands (CMD_DTYPE)."""
        self._file.write(csv_text(commands).encode())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        import gzip

        # No name and time in the file: the same commands give the same bytes.
        return gzip.GzipFile(filename="", mode="wb", fileobj=path.open("wb"), mtime=0)  # type: ignore[return-value]
    if path.suffix == ".zst":
        import zstandard

        stream: Any = zstandard.ZstdCompressor(level=9).stream_writer(path.open("wb"))
        return stream  # type: ignore[no-any-return]
    return path.open("wb")


def write_commands(path: str | Path, commands: CmdArray) -> None:
    """Write a whole command trace; `.npz` gives the compact form."""
    if Path(path).suffix == ".npz":
        np.savez_compressed(path, commands=commands)
        return
    with CommandWriter(path) as writer:
        writer.write(commands)
