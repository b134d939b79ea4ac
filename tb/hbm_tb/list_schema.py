"""Reading a YAML file that people write: every complaint names the file, the line and what was expected there.

A `Part` is a piece of the file that knows where it stands. Its readers raise InputError (one line, exit code 2) when
something else stands there, so that what they return needs no further check.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path


class Part:
    """A node of the file; `where` is its path in it: runs[2].presets."""

    def __init__(self, file: Path, node: yaml.Node, where: str) -> None:
        self.file, self.node, self.where = file, node, where

    def fail(self, problem: str) -> NoReturn:
        """Complain about this part."""
        line = self.node.start_mark.line + 1
        raise InputError(f"{shown_path(self.file)}:{line}: {self.where + ': ' if self.where else ''}{problem}")

    def found(self) -> str:
        """What stands here, for a complaint."""
        if isinstance(self.node, yaml.ScalarNode):
            return self.node.value if self.node.value else "nothing"
        return "a list" if isinstance(self.node, yaml.SequenceNode) else "a mapping"

    def expected(self, what: str) -> NoReturn:
        """Complain that something else stands here."""
        self.fail(f"expected {what}, found {self.found()}")

    # ------------------------------------------------------------ readers

    def mapping(self) -> dict[str, Part]:
        """Key -> part, for a mapping with any keys."""
        if not isinstance(self.node, yaml.MappingNode):
            self.expected("a mapping (`key: value` lines)")
        parts: dict[str, Part] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                Part(self.file, key, self.where).expected("a word as key")
            if key.value in parts:
                Part(self.file, key, self.where).fail(f"{key.value} stands here twice")
            parts[key.value] = Part(self.file, value, f"{self.where}.{key.value}" if self.where else key.value)
            parts[key.value].key = key
        return parts

    key: yaml.Node | None = None

    def fields(self, known: Collection[str]) -> dict[str, Part]:
        """A mapping that has no other keys than `known`."""
        parts = self.mapping()
        for name, part in parts.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; is {near[0]} meant?" if near else ""
                assert part.key is not None
                Part(self.file, part.key, self.where).fail(f"unknown key {name}{hint} (known here: {', '.join(known)})")
        return parts

    def items(self) -> list[Part]:
        """Parts of a list; one that is no list stands for itself."""
        if isinstance(self.node, yaml.SequenceNode):
            return [Part(self.file, node, f"{self.where}[{n}]") for n, node in enumerate(self.node.value)]
        return [self]

    def listed(self) -> Iterator[Part]:
        """Parts of what has to be a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.expected("a list (`- ...` lines)")
        yield from self.items()

    def text(self) -> str:
        """A word or line."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            self.expected("a text")
        return str(self.node.value).strip()

    def word(self, known: Sequence[str], what: str) -> str:
        """One of the known words."""
        text = self.text()
        if text not in known:
            near = difflib.get_close_matches(text, known, 1)
            hint = f"is {near[0]} meant? " if near else ""
            self.fail(f"{text} is no {what}; {hint}expected one of {', '.join(known)}")
        return text

    def integer(self, least: int, most: int | None = None) -> int:
        """A whole number between limits."""
        value = self.value()
        limits = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
        if type(value) is not int or value < least or (most is not None and value > most):
            self.expected(limits)
        return value

    def number(self, above: float) -> float:
        """A number above a limit."""
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= above:
            self.expected(f"a number above {above:g}")
        return float(value)

    def value(self) -> Any:
        """Plain data: what YAML makes of it."""
        try:
            return yaml.SafeLoader("").construct_document(self.node)
        except yaml.YAMLError as error:
            self.fail(str(error).splitlines()[0])


def read_file(file: Path) -> Part:
    """The whole file; InputError when it is no YAML."""
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
    except OSError as error:
        raise InputError(f"{shown_path(file)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{shown_path(file)}: expected a text in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{shown_path(file)}{at}: no YAML: {problem}") from None
    if node is None:
        raise InputError(f"{shown_path(file)}:1: expected a mapping, found nothing")
    return Part(file, node, "")
