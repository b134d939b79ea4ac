"""`hbm docs`: the documentation site from docs/ and the docstrings, built by MkDocs into build/docs-site.

Strict: a page without a place in the navigation, a link or an anchor that leads nowhere, fails. The site asks no
network and opens from disk.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path

ROOT: Final = Path(__file__).resolve().parents[2]
SITE: Final = ROOT / "build" / "docs-site"
CONFIG: Final = ROOT / "docs" / "site" / "mkdocs.yml"


def command(*words: str) -> list[str]:
    """A call of MkDocs for our site; InputError where it is not installed."""
    if not CONFIG.is_file():
        raise InputError("the documentation is built in a checkout of the repository, and this is an installed package")
    for needed in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        try:
            found = importlib.util.find_spec(needed)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise InputError(f"{needed} is not installed; `make setup` does it, or pip install '.[docs]'")
    return [sys.executable, "-m", "mkdocs", *words, "--config-file", str(CONFIG)]


def build(site: Path = SITE) -> tuple[bool, str]:
    """Build the site; whether nothing was wrong, and what MkDocs said."""
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command("build", "--strict", "--clean", "--site-dir", str(site)),
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode == 0 and (site / "index.html").exists(), done.stdout


def docs_command(serve: bool) -> int:
    """Write the generated pages, then build the site (or serve it until Ctrl-C); the exit code."""
    from hbm_model.emit import generate

    call = command("serve", "--livereload")  # before the pages are written: says at once what is missing
    generate()
    if serve:
        try:
            return subprocess.run(call, cwd=ROOT, check=False).returncode
        except KeyboardInterrupt:
            return 0
    good, said = build()
    if not good:
        print(said, file=sys.stderr)
        print("docs: the site was not built; the warnings above say why", file=sys.stderr)
        return 1
    print(shown_path(SITE / "index.html"))
    return 0
