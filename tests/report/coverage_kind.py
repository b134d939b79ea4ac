"""A kind of job for tests: its content is the text of a file, which stands for build and sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CONTENT = ("content",)


def content(arguments: dict[str, Any]) -> str:
    """The text, as it is now."""
    return Path(arguments["content"]).read_text()
