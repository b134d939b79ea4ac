"""Digest of the Python sources that a module can import from this library, so that a result names what it tested.

The closure is read from the import statements, those inside functions included; a module that only a tool imports (the
report page, the linter) does not change the digest of a test. A .py file of a user, named by its path, may import from
its own folder too: modules, and packages below it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import hbm_model
from hbm_model.home import SOURCES

# Folders that hold our packages, in a checkout or after `pip install`; other names are modules of tb/tests.
_PACKAGES: Final = {
    "hbm_model": Path(str(hbm_model.__file__)).resolve().parents[1],
    "hbm_tb": Path(__file__).resolve().parents[1],
}
TESTS: Final = SOURCES / "tb" / "tests"
FOLDERS: Final = (*_PACKAGES.values(), TESTS)  # where Python finds them


def _source(folder: Path, relative: Path) -> list[Path]:
    """The file of a module below a folder and the __init__.py of the packages around it; empty: there is none."""
    for file in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
        if file.is_file():
            around = (folder / parent / "__init__.py" for parent in relative.parents[:-1])
            return [file, *(init for init in around if init.is_file())]
    return []


def _files_of(name: str, beside: Path | None = None) -> list[Path]:
    """Sources of a module of this library, or of the folder `beside`; first its own."""
    if name.endswith(".py"):
        return [Path(name).resolve()] if Path(name).is_file() else []
    words = name.split(".")
    ours = _PACKAGES.get(words[0], TESTS)
    return next((found for folder in (beside, ours) if folder and (found := _source(folder, Path(*words)))), [])


def _imported(tree: ast.Module, package: Sequence[str]) -> Iterable[str]:
    """Names that a module imports; `from a import b` names a and a.b (which may be a module).

    `package`: the package that the module stands in, for `from . import a`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package[: len(package) - node.level + 1] if node.level else ()
            whole = ".".join([*around, *([node.module] if node.module else [])])
            if whole:
                yield whole
                yield from (f"{whole}.{alias.name}" for alias in node.names)


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(TESTS) or any(file.is_relative_to(home / name) for name, home in _PACKAGES.items())


@functools.cache
def _imports_of(file: Path, stamp: tuple[int, int], beside: Path | None) -> tuple[Path, ...]:
    """Files of ours, or of the folder `beside`, that a file imports; cached while it has the same time and size."""
    tree = ast.parse(file.read_text(), str(file))
    package: Sequence[str] = ()
    if beside is not None and file.is_relative_to(beside):
        package = file.parent.relative_to(beside).parts
    return tuple(sorted({found for name in _imported(tree, package) for found in _files_of(name, beside)}))


def closure(*modules: str) -> list[Path]:
    """All files of this library that the modules can import, themselves and what lies beside them included."""
    left: list[tuple[Path, Path | None]] = []
    for module in modules:
        files = _files_of(module)
        if not files:
            raise ValueError(f"no module {module} in {', '.join(map(str, FOLDERS))}")
        left.append((files[0], None if _is_ours(files[0]) else files[0].parent))
    seen: set[tuple[Path, Path | None]] = set()
    while left:
        file, beside = left.pop()
        if (file, beside) not in seen:
            seen.add((file, beside))
            stat = file.stat()
            found = _imports_of(file, (stat.st_mtime_ns, stat.st_size), beside)
            left.extend((each, None if _is_ours(each) else beside) for each in found)
    return sorted({file for file, _ in seen})


def _shown(file: Path) -> str:
    """The same name wherever the library is installed and a user's folder lies."""
    if file.is_relative_to(SOURCES):
        return str(file.relative_to(SOURCES))
    for name, home in _PACKAGES.items():
        if file.is_relative_to(home / name):
            return str(file.relative_to(home))
    return file.name


def digest(*modules: str) -> str:
    """Digest of the sources of `closure`: names and bytes."""
    return files_digest(closure(*modules))


def files_digest(files: Iterable[Path]) -> str:
    """Digest of files: names and bytes."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{_shown(file)}\n".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


def content_of(files: Sequence[str] | None) -> str:
    """What further files of a run add to the content of its job: nothing where there are none."""
    return f" {files_digest(map(Path, files))}" if files else ""


def names_of_tests(path: Path, functions: bool = False) -> list[str]:
    """Names of the tests of a file, in order, without importing it: classes under `@pyuvm.test()`.

    `functions`: those under `@cocotb.test()` too.
    """
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef) if functions else (ast.ClassDef,)

    def is_test(decorator: ast.expr) -> bool:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "test"

    body = ast.parse(path.read_text(encoding="utf-8"), str(path)).body
    return [node.name for node in body if isinstance(node, kinds) and any(map(is_test, node.decorator_list))]
