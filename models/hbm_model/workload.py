"""What a user names for a run: requests (a file, a recording, a pattern) and settings of registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hbm_model.addrmap import AddressMap
from hbm_model.errors import InputError
from hbm_model.requests import RequestTrace


def trace_file(name: str) -> Path | None:
    """The file of that name, or the committed recording of that name; None when there is neither."""
    from hbm_model.recordings import recordings

    path = Path(name)
    if path.exists():
        return path
    return next((entry.path for entry in recordings() if entry.name == name), None)


def is_pattern(name: str) -> bool:
    """Whether a name means a pattern."""
    from hbm_model.patterns import NAMES

    return name in NAMES or name.startswith("stride_")


def read_trace(
    path: Path, address_map: AddressMap, fmt: str = "auto", fold: bool = False, count: int = 0
) -> RequestTrace:
    """The (first `count`; 0: all) requests of a file, inside the memory."""
    from hbm_model.requests import read_requests

    trace = read_requests(path, fmt)
    if count:
        trace = trace.head(count)
    if not len(trace):
        raise InputError(f"{path}: holds no request")
    trace = trace.folded(address_map) if fold else trace
    return trace.check_range(address_map)


def unknown_requests(name: str, patterns: bool = False) -> InputError:
    """What to say when a name means nothing."""
    from hbm_model.patterns import NAMES
    from hbm_model.recordings import recordings

    known = ", ".join(entry.name for entry in recordings())
    if patterns:
        return InputError(f"{name}: no such file, no recording ({known}) and no pattern ({', '.join(NAMES)})")
    return InputError(f"{name}: no such file, and no recording of that name ({known})")


def settings_of(texts: Sequence[str]) -> tuple[dict[str, float], dict[str, int]]:
    """Timing overrides and policy fields from `KEY=VALUE` texts: RP=20, refresh_all=1, page.page=2."""
    from hbm_model.csr_table import REGISTERS
    from hbm_model.params import PARAM

    fields = {
        f"{register.path.removeprefix('policy.')}.{item.name}": item
        for register in REGISTERS
        if register.path.startswith("policy.")
        for item in register.fields
    }
    timing: dict[str, float] = {}
    policy: dict[str, int] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().removeprefix("policy.")
        try:
            number = float(value) if "." in value else int(value, 0)
        except ValueError:
            number = None
        if not equals or number is None:
            raise InputError(f"--set {text}: write KEY=NUMBER, as RP=20 or refresh_all=1")
        if key in PARAM:
            if not PARAM[key].register:
                raise InputError(f"--set {text}: {key} is not held in a register")
            timing[key] = number
            continue
        paths = [path for path in fields if path == key or path.split(".")[1] == key]
        if not paths:
            raise InputError(f"--set {text}: {key} is neither a timing parameter nor one of {', '.join(fields)}")
        item = fields[paths[0]]
        if number != int(number) or not 0 <= number < 1 << item.width:
            raise InputError(f"--set {text}: {paths[0]} holds 0 to {(1 << item.width) - 1}")
        policy[paths[0]] = int(number)
    return timing, policy
