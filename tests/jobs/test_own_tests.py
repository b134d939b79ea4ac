"""`hbm test`: what it takes for a test, what it refuses and why, before anything is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hbm_model.errors import InputError
from hbm_model.run_folder import ROOT
from hbm_tb import own_tests, sources
from hbm_tb.own_tests import OwnOptions, make_plan

GOOD = """
import pyuvm
from hbm_tb.test_base import HbmTest
import my_help


@pyuvm.test()
class First(HbmTest):
    async def body(self): ...


class Base(HbmTest):
    pass


@pyuvm.test(timeout_time=5)
class Second(Base):
    async def body(self): ...
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A test file with a module beside it."""
    (tmp_path / "my_help.py").write_text("ADDRESS = 32\n")
    path = tmp_path / "my_own_tests.py"
    path.write_text(GOOD)
    return path


def test_tests_are_the_decorated_classes(file: Path) -> None:
    """In order; a base class without the decorator is none."""
    assert own_tests.tests_of(file) == ["First", "Second"]
    plan = make_plan(OwnOptions(file))
    assert plan.tests == ("First", "Second")
    assert plan.run_name("First") == "my_own_tests.First-hbm2_2000_eng"


def test_the_line_that_repeats_a_test(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names file and test as a user types them, and every option that is not the default."""
    monkeypatch.chdir(file.parent)
    options = OwnOptions(file, preset="hbm3_6400_eng", seed=7, settings=("RP=20", "page=1"), waves_to=900, replay=False)
    plan = make_plan(options, ("Second",))
    line = "hbm test my_own_tests.py Second --preset hbm3_6400_eng --seed 7 --set RP=20 --set page=1 --waves-to 900"
    assert plan.reproduce("Second") == line
    assert plan.config.timing == {"RP": 20} and plan.config.policy == {"page.page": 1}
    assert plan.run_name("Second") == "my_own_tests.Second-hbm3_6400_eng-ck0-900"


@pytest.mark.parametrize(
    ("name", "text", "names", "options", "message"),
    [
        ("no_such.py", None, (), {}, "no such file"),
        ("tests.txt", GOOD, (), {}, "ends in .py"),
        ("my-tests.py", GOOD, (), {}, "rename the file"),
        ("class.py", GOOD, (), {}, "rename the file"),
        ("random.py", GOOD, (), {}, "another module is called random"),
        ("sys.py", GOOD, (), {}, "another module is called sys"),
        ("smoke_tests.py", GOOD, (), {}, "another module is called smoke_tests"),
        ("own_a.py", "x = [\n", (), {}, "own_a.py:1: "),
        ("own_b.py", "x = 1\n", (), {}, "holds no test"),
        ("own_c.py", GOOD, ("Frist",), {}, "no test Frist; it has First"),
        ("own_d.py", GOOD, (), {"name": "mine"}, "--name is for one test"),
        ("own_e.py", GOOD, ("First",), {"name": "a/b"}, "letters, digits"),
        ("own_f.py", GOOD, (), {"preset": "hbm9"}, "unknown preset"),
        ("own_g.py", GOOD, (), {"settings": ("nonsense=1",)}, "neither a timing parameter"),
        ("own_h.py", GOOD, (), {"waves_from": 9, "waves_to": 8}, "wave window"),
        ("own_i.py", GOOD, (), {"timeout": 0.0}, "--timeout"),
        ("own_j.py", GOOD, (), {"preset": "hbm2_2000_eng", "params": Path("x.yaml")}, "exclude each other"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, name: str, text: str | None, names: tuple[str, ...], options: dict[str, object], message: str
) -> None:
    """Each with its reason."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        make_plan(OwnOptions(tmp_path / name, **options), names)  # type: ignore[arg-type]
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_test_of_the_bench_runs_by_its_path() -> None:
    """The files of tb/tests are found under their own name."""
    assert "ShortRandom" in make_plan(OwnOptions(ROOT / "tb" / "tests" / "smoke_tests.py")).tests


def test_a_result_depends_on_the_file_and_what_it_imports(file: Path) -> None:
    """The digest of a job that runs the file changes with the file, with the module beside it, with the bench."""
    closure = sources.closure(str(file))
    assert {"my_own_tests.py", "my_help.py", "scoreboard.py"} <= {path.name for path in closure}
    before = sources.digest(str(file))
    (file.parent / "my_help.py").write_text("ADDRESS = 64\n")
    assert sources.digest(str(file)) != before


def test_make_gives_a_file_to_hbm() -> None:
    """`make test TEST=file.py` is `hbm test`, with its variables; any other TEST picks tests of the repository."""

    def shown(*words: str) -> str:
        command = ["make", "-n", "test", f"PYTHON={sys.executable}", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    own = shown("TEST=~/my/own.py", "SEED=7", "WAVES=1", "PRESET=peers_hbm2")
    assert "hbm test ~/my/own.py --preset peers_hbm2 --seed 7 --waves" in own
    ours = shown("TEST=random")
    assert "pytest -k random" in ours and "hbm test" not in ours
