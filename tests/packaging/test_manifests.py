"""The manifests for other build systems give the RTL of rtl/hbm.f: FuseSoC by running it, Bender by its definition.

Bender itself is not to be had from PyPI, npm or Debian, so its manifest is read here as its documentation defines it.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hbm_model.emit import DEFAULT_PRESETS
from hbm_model.presets import DEFAULT_PRESET, preset
from hbm_tb import sim

CORE = sim.ROOT / "hbm_channel.core"
BENDER = sim.ROOT / "Bender.yml"
GEOMETRIES = sorted(DEFAULT_PRESETS)
DEFAULT = preset(DEFAULT_PRESET).geometry.name
BENDER_KEYS = {"package": {"name", "authors"}, "sources": {"target", "files"}}  # of those that Bender knows, ours


def expected(geometry: str) -> list[str]:
    """Files of the RTL in order, relative to the repository."""
    return [str(file.relative_to(sim.ROOT)) for file in sim.rtl_files(geometry)]


# ---------------------------------------------------------------- FuseSoC


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core and its RTL and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("fusesoc")
    shutil.copy(CORE, folder)
    shutil.copytree(sim.ROOT / "rtl", folder / "rtl")
    return folder


def fusesoc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A call of FuseSoC that sees only this folder."""
    env = sim.find_verilator().env() | {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "DATA", "CACHE")}
    command = [str(Path(sys.executable).with_name("fusesoc")), "--cores-root", str(folder), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)


def set_up(folder: Path, geometry: str) -> list[str]:
    """The RTL that FuseSoC gives the tool, as paths below rtl/."""
    flag = () if geometry == DEFAULT else ("--flag", geometry)
    done = fusesoc(folder, "run", "--setup", "--target", "lint", *flag, "hbm_channel")
    assert done.returncode == 0, done.stdout + done.stderr
    (listed,) = (folder / "build").glob("*/lint/*.eda.yml")
    files = yaml.safe_load(listed.read_text())["files"]
    shutil.rmtree(folder / "build")
    return [f["name"].split("/", 2)[2] for f in files if f["file_type"] == "systemVerilogSource"]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_flag_of_fusesoc_picks_the_geometry(workspace: Path, geometry: str) -> None:
    """Files and order of every geometry are those of rtl/hbm.f; without a flag it is the default's."""
    assert set_up(workspace, geometry) == expected(geometry)


def test_fusesoc_lints_the_core(workspace: Path) -> None:
    """The lint target runs Verilator on the core in an empty workspace; a wrong file makes it fail."""
    done = fusesoc(workspace, "run", "--target", "lint", "--flag", "hbm3_s2", "hbm_channel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "%Warning" not in done.stdout + done.stderr
    (work,) = (workspace / "build").glob("*/lint/*.vc")
    assert "--lint-only" in work.read_text().split() and "-Wall" in work.read_text().split()
    broken = workspace / "rtl" / "hbm_pc.sv"
    text = broken.read_text()
    try:
        broken.write_text(text.replace("endmodule", "logic [1:0] never_used;\nendmodule", 1))
        found = fusesoc(workspace, "run", "--target", "lint", "--flag", "hbm3_s2", "hbm_channel")
        assert found.returncode != 0 and "never_used" in found.stdout + found.stderr
    finally:
        broken.write_text(text)


# ---------------------------------------------------------------- Bender


def holds(expression: str, targets: set[str]) -> bool:
    """A target expression of Bender: a name, `*`, any(...), all(...), not(...)."""

    def value(node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in targets
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not value(node.operand)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("any", "all"):
            return {"any": any, "all": all}[node.func.id](value(part) for part in node.args)
        raise AssertionError(f"not a target expression: {expression}")

    return expression == "*" or value(ast.parse(expression, mode="eval").body)


def bender_files(manifest: dict[str, Any], targets: set[str]) -> list[str]:
    """Files of a manifest in order, for the targets of the command line."""
    assert set(manifest) == set(BENDER_KEYS) and set(manifest["package"]) <= BENDER_KEYS["package"]
    files: list[str] = []
    for group in manifest["sources"]:
        assert set(group) <= BENDER_KEYS["sources"] and group["files"], group
        if holds(group.get("target", "*"), targets):
            files += group["files"]
    return files


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_target_of_bender_picks_the_geometry(geometry: str) -> None:
    """Files and order of every geometry are those of rtl/hbm.f; without a target it is the default's."""
    manifest = yaml.safe_load(BENDER.read_text())
    assert bender_files(manifest, {geometry}) == expected(geometry)
    if geometry == DEFAULT:
        assert bender_files(manifest, set()) == expected(geometry)


def test_target_expressions() -> None:
    """The reader above, by hand."""
    assert holds("a", {"a"}) and not holds("a", {"b"}) and holds("*", set())
    assert holds("not(any(a, b))", set()) and not holds("not(any(a, b))", {"b"})
    assert holds("all(a, not(b))", {"a"}) and not holds("all(a, not(b))", {"a", "b"})
    with pytest.raises(AssertionError):
        holds("a + b", {"a"})


def test_a_wrong_manifest_is_seen() -> None:
    """A file that is missing, out of order or under a wrong target changes the list."""
    for change in ("missing", "order", "target"):
        manifest = yaml.safe_load(BENDER.read_text())
        group = next(each for each in manifest["sources"] if len(each["files"]) > 2)
        if change == "missing":
            group["files"].pop()
        elif change == "order":
            group["files"].reverse()
        else:
            group["target"] = "hbm9_s9"
        assert bender_files(manifest, {"hbm3_s2"}) != expected("hbm3_s2")


def test_manifests_carry_no_path_of_this_machine() -> None:
    """Only paths that stand below the repository."""
    for path in (CORE, BENDER):
        assert str(sim.ROOT) not in path.read_text() and os.sep + "tmp" not in path.read_text()
