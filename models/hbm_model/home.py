"""Where the sources stand and where builds and runs go: in a checkout of the repository, or after `pip install`.

A checkout has rtl/ and tb/ beside models/ and keeps everything that is made in its build/. An installed package brings
the same tree in hbm_tb/share (pyproject.toml, package-dir) and writes to ./build of the folder it is called in, unless
HBM_BUILD names another one. Processes that work in folders of their own are told both places (`environment`).
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]


def in_checkout() -> bool:
    """True when this package is that of a repository, False when it was installed."""
    return (_CHECKOUT / "rtl" / "hbm.f").is_file()


def _shared() -> Path:
    """The tree of sources that an installed hbm_tb brings."""
    found = importlib.util.find_spec("hbm_tb")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    return Path(places[0]) / "share" if places else _CHECKOUT


def _build() -> Path:
    if given := os.environ.get("HBM_BUILD"):
        return Path(given).resolve()
    return (_CHECKOUT if in_checkout() else Path.cwd()) / "build"


def _cache() -> Path:
    """Machine code that any run of this installation may use again."""
    if given := os.environ.get("HBM_CACHE"):
        return Path(given).resolve()
    if in_checkout() or "HBM_BUILD" in os.environ:
        return _build()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hbm-controller"


SOURCES: Final = _CHECKOUT if in_checkout() else _shared()
BUILD: Final = _build()
CACHE: Final = _cache()


def environment() -> dict[str, str]:
    """Variables by which a process in another folder finds the same builds; none where it finds them anyway."""
    if in_checkout() and "HBM_BUILD" not in os.environ:
        return {}
    return {"HBM_BUILD": str(BUILD), "HBM_CACHE": str(CACHE)}
