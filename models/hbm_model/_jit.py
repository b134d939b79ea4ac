"""Compilation of inner loops with numba, on demand: `import numba` costs more than a small check.

`HBM_MODEL_JIT=0` runs the same functions as plain Python, on lists instead of arrays. Machine code is kept in
`build/numba` (installed: the user's cache folder), the one cache of model, checker and bench, unless `NUMBA_CACHE_DIR`
names another folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hbm_model import home

CACHE: Final = home.CACHE / "numba"


def jit_enabled() -> bool:
    """True unless the environment switches compilation off."""
    return os.environ.get("HBM_MODEL_JIT", "1") != "0"


@cache
def the_numba() -> Any:
    """Numba, told where to keep machine code; where that folder cannot be written it takes one of its own."""
    import numba

    if "NUMBA_CACHE_DIR" not in os.environ:
        numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]
    return numba


def digest(files: Iterable[Path]) -> str:
    """Content of files, for `keep`."""
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def keep(made: Any, sources: str) -> Any:
    """Let the cached code of a function hold as long as `sources`, the digest of all files that its code comes from.

    Numba itself looks at the time of the one file with the function: a change of a function that it calls from another
    file would go unseen.
    """
    made._cache._cache_file._source_stamp = sources  # not in numba's published interface
    return made


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled by numba; the machine code is cached on disk."""
    result: Callable[..., Any] = the_numba().njit(cache=True)(function)
    return result
