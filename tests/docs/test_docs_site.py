"""The documentation site: it builds strictly, tells of every module and command, and asks no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hbm_model.cli import SUBCOMMANDS
from hbm_model.run_folder import ROOT
from hbm_tb import docs_hooks, docs_site

# What a page loads by itself, in contrast to links that a reader may follow.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Loads(HTMLParser):
    """Addresses that a page loads, without those of `<link rel=canonical>` and the like."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(LOADS.get(tag, ""))
        if address and (tag != "link" or given.get("rel") in ("stylesheet", "icon", "preload", "preconnect")):
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    good, said = docs_site.build(folder)
    assert good, said
    return folder


def test_every_module_and_command_has_its_place(site: Path) -> None:
    """A page with docstrings per public module, a section per command."""
    for package, listed in docs_hooks.modules().items():
        assert len(listed) > 30
        for name, sentence in listed:
            assert sentence, f"{package}.{name} says nothing of itself"
            assert (site / "reference" / package / f"{name}.html").exists()
    page = (site / "reference" / "hbm_model" / "legality.html").read_text()
    assert 'id="hbm_model.legality.LegalityChecker.check"' in page
    commands = (site / "reference" / "commands.html").read_text()
    assert all(f'id="{name}"' in commands for name in SUBCOMMANDS)
    assert "--waves-from" in commands


def test_it_asks_no_network(site: Path) -> None:
    """No page and no style sheet loads anything from elsewhere, and what they load is there."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 100
    for page in pages:
        for address in Loads(page.read_text()).found:
            assert not re.match(r"(\w+:)?//", address), f"{page.name} loads {address}"
            if not address.startswith("data:") and page.name != "404.html":
                assert (page.parent / address.split("?")[0].split("#")[0]).exists(), f"{page.name} loads {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", sheet.read_text()), f"{sheet.name} loads from elsewhere"


def test_search_works_from_disk(site: Path) -> None:
    """The index is a script too, which a page may load from file://, and knows pages, modules and registers."""
    text = (site / "search" / "search_index.js").read_text()
    entries = json.loads(text.removeprefix("var __index = "))["docs"]
    found = {entry["location"].split("#")[0] for entry in entries}
    assert {"tutorial.html", "registers.html", "rules.html", "reference/hbm_tb/test_base.html"} <= found
    assert any("policy.page" in entry["text"] for entry in entries)
    assert "iframe-worker.js" in (site / "index.html").read_text()


def test_loads_are_seen() -> None:
    """The reader above, by hand."""
    text = '<script src="https://x/y.js"></script><a href="https://z">z</a><link rel="stylesheet" href="a.css">'
    assert Loads(text).found == ["https://x/y.js", "a.css"]


@pytest.mark.parametrize(
    ("page", "other", "complaint"),
    [
        ("[x](other.md)", "fine", None),
        ("[x](missing.md)", "fine", "missing.md"),
        ("[x](other.md#nowhere)", "fine", "nowhere"),
        ("fine", None, "not found in the documentation files"),
        ("fine", "not in the navigation", "not included in the"),
    ],
)
def test_what_leads_nowhere_fails(tmp_path: Path, page: str, other: str | None, complaint: str | None) -> None:
    """Our settings refuse broken links and anchors, pages that are missing, pages that nobody finds."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# Page\n\n{page}\n")
    nav = ["index.md", "other.md"]
    if other:
        (docs / "other.md").write_text("# Other\n")
        nav = nav[:1] if "navigation" in other else nav
    settings = {"docs_dir": "docs", "site_dir": "out", "nav": nav, "plugins": [], "hooks": [], "extra_css": []}
    text = f"INHERIT: {json.dumps(str(docs_site.CONFIG))}\n" + "".join(
        f"{key}: {json.dumps(value)}\n" for key, value in settings.items()
    )
    (tmp_path / "mkdocs.yml").write_text(text)
    command = [*docs_site.command("build")[:-1], str(tmp_path / "mkdocs.yml")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode == 0) == (complaint is None), done.stderr
    assert (complaint or "") in done.stderr


def test_a_page_that_is_missing_from_the_checkout_is_told(tmp_path: Path) -> None:
    """Every page of docs/ that the repository holds is built: none is excluded by accident."""
    listed = subprocess.run(
        ["git", "ls-files", "docs/*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:  # an export without git
        listed = [str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")]
    text = docs_site.CONFIG.read_text()
    missing = [name for name in listed if name.removeprefix("docs/") not in text]
    assert not missing, f"not in the navigation of docs/site/mkdocs.yml: {', '.join(missing)}"
    assert shutil.which("git") is None or len(listed) > 20
