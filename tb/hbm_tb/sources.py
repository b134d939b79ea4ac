"""Digest of the Python sources that a module can import from this repository, so that a result names what it tested.

The closure is read from the import statements, those inside functions included; a module that only a tool imports (the
report page, the linter) does not change the digest of a test. A .py file outside the repository, named by its path, may
import from its own folder too.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "models", ROOT / "tb", ROOT / "tb" / "tests")


def _file_of(name: str, beside: Path | None = None) -> Path | None:
    """The source of a module of this repository, or of the folder `beside`."""
    if name.endswith(".py"):
        return Path(name).resolve() if Path(name).is_file() else None
    relative = Path(*name.split("."))
    for folder in (beside, *FOLDERS) if beside else FOLDERS:
        for file in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
            if file.is_file():
                return file
    return None


def _imported(tree: ast.Module) -> Iterable[str]:
    """Names that a module imports; `from a import b` names a and a.b (which may be a module)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def _imports_of(file: Path, stamp: tuple[int, int]) -> tuple[Path, ...]:
    """Our files that a file imports; cached while the file has the same time and size."""
    tree = ast.parse(file.read_text(), str(file))
    beside = None if any(file.is_relative_to(folder) for folder in FOLDERS) else file.parent
    return tuple(sorted({found for name in _imported(tree) if (found := _file_of(name, beside)) is not None}))


def closure(*modules: str) -> list[Path]:
    """All files of this repository that the modules can import, themselves included."""
    left = []
    for module in modules:
        file = _file_of(module)
        if file is None:
            raise ValueError(f"no module {module} in {', '.join(str(f.relative_to(ROOT)) for f in FOLDERS)}")
        left.append(file)
    seen: set[Path] = set()
    while left:
        file = left.pop()
        if file not in seen:
            seen.add(file)
            stat = file.stat()
            left.extend(_imports_of(file, (stat.st_mtime_ns, stat.st_size)))
    return sorted(seen)


def digest(*modules: str) -> str:
    """Digest of the sources of `closure`: names and bytes."""
    found = hashlib.sha256()
    for file in closure(*modules):
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
        found.update(f"{name}\n".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


def test_names(path: Path) -> list[str]:
    """Names of the tests in a tests file, in order, without importing it."""
    return re.findall(r"^@pyuvm\.test\([^)]*\)\s*^class (\w+)\(", path.read_text(), flags=re.MULTILINE)
