"""What holds for all tests: Ctrl-C as in a terminal, and what `make test` says when TEST=x names no test."""

from __future__ import annotations

import difflib
import signal

import pytest

_seen: set[str] = set()


def pytest_configure() -> None:
    """Shells start background jobs with Ctrl-C ignored, and what such a job starts ignores it too; tests send it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember what there is, for the hint."""
    _seen.update(item.name for item in items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """One line in place of a bare exit code 5."""
    wanted = config.getoption("keyword")
    if exitstatus != pytest.ExitCode.NO_TESTS_COLLECTED or not wanted:
        return
    near = difflib.get_close_matches(wanted, _seen, n=3, cutoff=0.5)
    hint = f"; near it: {', '.join(near)}" if near else "; `make test TEST=hbm2-axi` and the like take a part of a name"
    terminalreporter.write_line(f"no test has {wanted!r} in its name or path{hint}", red=True)
