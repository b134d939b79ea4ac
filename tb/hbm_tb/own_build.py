"""The build of a controller that is not ours as a list names it: `file.py:function`.

The function returns what `hbm_tb.own_run.build` gives. What it takes is read without importing the file, so that a list
is checked before anything of the user's runs.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.run_folder import shown_path

from hbm_tb.sim import Build, SimError

# Parameters of a function that each run of a list fills in, where the function has them: name of the preset, timing
# values that differ from it (key -> CK).
FILLED: Final = ("preset", "timing")
COVERAGE: Final = "coverage"  # parameter of a function that can build with RTL coverage


@dataclass(frozen=True)
class Function:
    """A function of a .py file that builds a simulation."""

    file: Path
    name: str
    line: int
    names: tuple[str, ...] = ()  # of its parameters
    needed: tuple[str, ...] = ()  # those without a default
    any_name: bool = False  # it takes **words

    @property
    def place(self) -> str:
        """For a complaint."""
        return f"{shown_path(self.file)}:{self.line}: {self.name}()"

    def takes(self, name: str) -> bool:
        """True if it can be called with this parameter."""
        return self.any_name or name in self.names


def function_of(file: Path, name: str) -> Function:
    """The function of that name; InputError in one line when the file has none."""
    shown = shown_path(file)
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    except SyntaxError as error:
        raise InputError(f"{shown}:{error.lineno}: {error.msg}") from None
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "expected a text in UTF-8"
        raise InputError(f"{shown}: {reason}") from None
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name not in functions:
        known = ", ".join(each for each in functions if not each.startswith("_")) or "there is none"
        raise InputError(f"{shown}: no function {name!r}; expected one of {known}")
    node = functions[name]
    given = node.args
    places = [*given.posonlyargs, *given.args]
    needed = places[: len(places) - len(given.defaults)]
    needed += [each for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    names = tuple(each.arg for each in (*given.args, *given.kwonlyargs))
    return Function(file, name, node.lineno, names, tuple(each.arg for each in needed), given.kwarg is not None)


def build_of(file: Path, name: str, arguments: Mapping[str, Any], *, keep: bool = False) -> Build:
    """Call the function: the build that it makes or finds.

    The file is imported anew, in its own folder. `keep`: what it changes in this process stays (the environment of
    the simulation, say): for a process that runs nothing else. InputError in one line where it fails.
    """
    function = function_of(file, name)
    with _folder_of(file, keep):
        try:
            spec = importlib.util.spec_from_file_location(file.stem, file)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[file.stem] = module
            spec.loader.exec_module(module)
            built = getattr(module, name)(**arguments)
        except (InputError, SimError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever a user's file does, sys.exit included
            frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename) == file]
            line = frames[-1].lineno if frames else function.line
            text = next(iter(str(error).strip().splitlines()), "")
            raise InputError(f"{shown_path(file)}:{line}: {name}(): {type(error).__name__}: {text}") from error
    if not isinstance(built, Build) or not built.own:
        raise InputError(f"{function.place} returned {built!r:.80}, expected what hbm_tb.own_run.build returns")
    return built


@contextmanager
def _folder_of(file: Path, keep: bool) -> Iterator[None]:
    """Work in the folder of a file and import from there; nothing is left behind unless `keep`."""
    path, environment, modules = list(sys.path), dict(os.environ), set(sys.modules)
    shadowed = sys.modules.get(file.stem)
    sys.path.insert(0, str(file.parent))
    try:
        with chdir(file.parent):  # its relative paths mean the same in the runner and in every worker
            yield
    finally:
        sys.path[:] = path
        if not keep:
            os.environ.clear()
            os.environ.update(environment)
            for name in set(sys.modules) - modules:
                origin = getattr(sys.modules[name], "__file__", None)
                if name == file.stem or (origin and Path(origin).is_relative_to(file.parent)):
                    del sys.modules[name]
            if shadowed is not None:
                sys.modules[file.stem] = shadowed
