"""The browser of the session, and a context of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import site_example
from browser import Watched, started, watched
from hbm_tb.site import write_site
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


@pytest.fixture
def tab(browser: Browser) -> Iterator[Watched]:
    with watched(browser) as found:
        yield found


@pytest.fixture
def dark_tab(browser: Browser) -> Iterator[Watched]:
    with watched(browser, dark=True) as found:
        yield found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of an example with everything: lists with failures, coverage, plan, tightness, benches."""
    home = tmp_path_factory.mktemp("site")
    site_example.build_all(home / "build")
    return write_site(home / "site", home / "build").parent
