"""A real browser for tests: Debian's Chromium, driven by Playwright, without network.

A page that logs an error, raises one, or asks for anything but files fails its test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debian import needs
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1400, 1000


def find_browser() -> str:
    """Path of a Chromium, which root on Debian gets installed."""
    if not any(map(shutil.which, NAMES)):
        needs(["chromium"], ["chromium", "fonts-dejavu-core"])
    return next(path for name in NAMES if (path := shutil.which(name)) is not None)


@contextmanager
def started() -> Iterator[Browser]:
    """The browser, without a window."""
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """Pages of one context, with all that went wrong on them."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.errors: list[str] = []
        self.requests: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda found: self.errors.append(str(found.error)))
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a reader who leaves the page ends what it still loads
            self.errors.append(f"{request.failure}: {request.url[:200]}")

    def open(self, path: Path, hash_: str = "") -> Page:
        """A page from disk, when it says that it is ready."""
        page = self.context.new_page()
        page.goto(path.resolve().as_uri() + hash_)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    def check(self) -> None:
        """Nothing went wrong, and nothing but files was asked for."""
        assert not self.errors, self.errors[:5]
        assert self.requests, "no page was opened"
        outside = [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not outside, outside[:5]


@contextmanager
def watched(browser: Browser, dark: bool = False) -> Iterator[Watched]:
    """A fresh context; its pages are checked when the test is through."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light")
    context.set_default_timeout(60_000)
    found = Watched(context)
    try:
        yield found
        found.check()
    finally:
        context.close()
