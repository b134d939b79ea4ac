"""Pages of the documentation site that are made while it is built: one per public Python module, one of all commands.

MkDocs loads this file as a hook (docs/site/mkdocs.yml). Nothing here is committed, so nothing here can be stale.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = {"hbm_model": ROOT / "models" / "hbm_model", "hbm_tb": ROOT / "tb" / "hbm_tb"}
# Not for import: the command line's own modules (the page of commands tells of them), and what starts processes.
LEFT_OUT: Final = ("cli", "bootstrap", "job_worker", "docs_hooks")
COMMANDS: Final = "reference/commands.md"
_KINDS: Final[dict[Any, str]] = {int: "NUMBER", float: "NUMBER", Path: "FILE", list[str]: "TEXT ..."}


@functools.cache
def modules() -> dict[str, list[tuple[str, str]]]:
    """Package -> (module, first sentence of its docstring), public ones in alphabetical order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for package, folder in PACKAGES.items():
        found[package] = []
        for file in sorted(folder.glob("*.py")):
            name = file.stem
            if name.startswith("_") or name in LEFT_OUT or name.startswith("cli_"):
                continue
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            found[package].append((name, " ".join(text.split("\n\n")[0].split())))
    return found


def module_page(package: str, module: str) -> str:
    """The page of a module; mkdocstrings fills it from the docstrings."""
    return f"# {package}.{module}\n\n::: {package}.{module}\n    options:\n      show_root_heading: false\n"


def package_page(package: str, listed: list[tuple[str, str]]) -> str:
    """A table of the modules of a package."""
    rows = [f"| [{name}]({package}/{name}.md) | {_plain(what)} |" for name, what in listed]
    return "\n".join([f"# {package}", "", "| module | what |", "|---|---|", *rows, ""])


def _plain(text: str) -> str:
    """Help text as Markdown: no tags, no table borders."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def commands_page() -> str:
    """All subcommands of `hbm` with their options, from the command line itself."""
    from hbm_model.cli import SUBCOMMANDS, _load

    lines = ["# Commands", "", "`hbm COMMAND --help` prints the same. Exit 0: done, or passed; 1: a check failed;"]
    lines += ["2: input that cannot be used, with one line that says why; 130: interrupted.", ""]
    lines += ["| command | what |", "|---|---|"]
    lines += [f"| [`hbm {name}`](#{name}) | {what} |" for name, (_, what) in SUBCOMMANDS.items()]
    for name in SUBCOMMANDS:
        command = _load(name)
        lines += ["", f"## {name}", "", _plain(command.help or ""), ""]
        lines += ["| argument or option | default | what |", "|---|---|---|"]
        for param in command.params:
            if param.param_type_name == "argument":
                shown = f"`{param.name.upper()}`" + ("" if param.required else " (optional)")
            else:
                hint = "" if param.is_flag else f" {_KINDS.get(param.type_descriptor.annotation, 'TEXT')}"
                shown = ", ".join(f"`{flag}{hint}`" for flag in (*param.opts, *param.secondary_opts))
            default = "" if param.default in (None, "", False) else f"`{param.default}`"
            lines.append(f"| {shown} | {default} | {_plain(param.help or '')} |")
    return "\n".join([*lines, ""])


@functools.cache
def pages() -> dict[str, str]:
    """Path below docs/ -> text of every page made here."""
    made = {COMMANDS: commands_page()}
    for package, listed in modules().items():
        made[f"reference/{package}.md"] = package_page(package, listed)
        made |= {f"reference/{package}/{name}.md": module_page(package, name) for name, _ in listed}
    return made


# ---------------------------------------------------------------- called by MkDocs


def on_config(config: Any) -> Any:
    """Put the modules into the navigation, after the page of their package."""

    def filled(items: list[Any]) -> list[Any]:
        out = []
        for item in items:
            if isinstance(item, dict):
                item = {title: filled(part) if isinstance(part, list) else part for title, part in item.items()}
            out.append(item)
            for package, listed in modules().items():
                if isinstance(item, str) and item == f"reference/{package}.md":
                    out += [{name: f"reference/{package}/{name}.md"} for name, _ in listed]
        return out

    config.nav = filled(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages made here."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
