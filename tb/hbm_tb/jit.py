"""Compilation of the bench's inner loops: numba with one cache folder per state of the sources.

Numba's own cache key of a function is the time stamp of its file, so a change of a function that it *calls* from
another file would go unseen. The cache folder is therefore named by the content of all files that hold compiled code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_HERE = Path(__file__).resolve().parent
# Every file of this package with compiled functions.
KERNELS = ("jit.py", "axi.py", "port_kernel.py", "traffic.py", "lockstep_kernel.py")


def cache_folder() -> Path:
    """Folder of compiled code for the present sources and numba version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for name in KERNELS:
        path = _HERE / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return _HERE.parents[1] / "build" / "numba" / digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    _folder = cache_folder()
    try:
        _folder.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(_folder)  # type: ignore[attr-defined]
    except OSError:  # a read-only checkout: numba falls back to its own folder
        pass


def compiled(function: F) -> F:
    """Compile `function` with numba, cached on disk. It must not create arrays.

    `_nrt=False`: no reference counts, which else are atomic operations at every call with an array.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
    return cast(F, numba.njit(**options)(function))
