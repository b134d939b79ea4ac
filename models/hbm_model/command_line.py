"""Command lines that a result names so that it can be had again."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from hbm_model.run_folder import shown_path


def typed(line: str) -> str:
    """A command line `hbm ...` as it works in the user's shell: with the path of `hbm` where PATH has none."""
    if not line.startswith("hbm ") or shutil.which("hbm"):
        return line
    script = Path(sys.executable).with_name("hbm")
    return f"{shlex.quote(shown_path(script))}{line.removeprefix('hbm')}" if script.exists() else line


def typed_here(line: str) -> str:
    """`typed`, with the list file as it is called in the present folder: for lines that are printed, not kept."""
    words = typed(line).split(" --list ")
    if len(words) == 2 and words[1].startswith("/"):
        file, *rest = shlex.split(words[1])
        return f"{words[0]} --list {shlex.join([shown_path(Path(file)), *rest])}"
    return typed(line)


def option_words(options: Any, flags: Mapping[str, str], always: tuple[str, ...] = ()) -> Iterator[str]:
    """The options (a dataclass) that differ from their defaults, and those of `always`, as words of a command line.

    flags: of options whose flag is not their name. Fields without a default are no options.
    """
    for each in fields(options):
        value = getattr(options, each.name)
        if each.default is MISSING or (value == each.default and each.name not in always):
            continue
        flag = flags.get(each.name, "--" + each.name.replace("_", "-"))
        if isinstance(value, bool):
            yield flag
        elif isinstance(value, tuple):
            for item in value:
                yield from (flag, item)
        else:
            yield from (flag, f"{value:g}" if isinstance(value, float) else str(value))


def without_again(reason: str) -> str:
    """The reason of a failed run without its line `reproduce:`, for where that command is told on a line `again:`."""
    return "\n".join(line for line in reason.splitlines() if not line.strip().startswith("reproduce: "))
