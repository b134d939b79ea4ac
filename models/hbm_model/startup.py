"""A word on stderr about work that is quick as a rule and long at times, such as the first compilation of the loop."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AFTER_S: Final = 2.0
EVERY_S: Final = 10.0
COMPILING: Final = "compiling the exact model, once after each change of it (about a minute)"


class Waiting:
    """Tells how long it has been going: nothing before AFTER_S, then each EVERY_S (each second on a terminal)."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = time.monotonic()
        self.next = self.began + AFTER_S
        self.said = False

    def tell(self) -> None:
        """Called often."""
        now = time.monotonic()
        if now < self.next:
            return
        terminal = sys.stderr.isatty()
        self.next = now + (1.0 if terminal else EVERY_S)
        self.said = True
        line = f"{self.what}: {now - self.began:.0f} s"
        print(f"\r{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """It came to its end."""
        if self.said and sys.stderr.isatty():
            print(file=sys.stderr, flush=True)
            self.said = False


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Tell of the work inside, from a thread."""
    shown, over = Waiting(what), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            shown.tell()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        shown.end()
