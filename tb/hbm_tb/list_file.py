"""Declarative lists of runs, tb/lists/<name>.yaml: tests x presets x seeds x configurations (docs/regression.md).

`read_list` checks a file and gives its entries; `jobs_of` makes the jobs of a list. What a list can get wrong is told
with file and line before anything is built. Files of a user (tests, parameters, maps, what builds a DUT) are seen from
the folder of the list.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError
from hbm_model.home import in_checkout
from hbm_model.run_folder import name_part, shown_path

from hbm_tb import sim
from hbm_tb.block_job import BLOCK_MODULES, block_job
from hbm_tb.config import BenchConfig
from hbm_tb.job_list import ListOptions
from hbm_tb.jobs import Job, check_names, name_problem
from hbm_tb.list_schema import Part, read_file
from hbm_tb.own_build import FILLED, Function, function_of
from hbm_tb.own_config import OwnConfig
from hbm_tb.own_job import own_job
from hbm_tb.records import READY_ALWAYS
from hbm_tb.run_job import RunOptions, known_geometries
from hbm_tb.sim_job import sim_job
from hbm_tb.sources import names_of_tests
from hbm_tb.trace_job import SLOW, trace_job

LISTS: Final = sim.ROOT / "tb" / "lists"
TESTS: Final = sim.ROOT / "tb" / "tests"
TIMEOUT_S: Final = 600.0
KINDS: Final = ("tests", "soak", "refresh", "recordings", "patterns", "blocks")
TOP_KEYS: Final = ("about", "seed", "timeout_s", "presets", "configurations", "runs")
# Keys of an entry besides its kind, and the kinds that know them.
ENTRY_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": KINDS,
    "presets": ("tests", "soak", "refresh", "recordings", "patterns"),
    "configurations": ("tests", "recordings", "patterns"),
    "seeds": KINDS,
    "timeout_s": KINDS,
    "except": ("tests",),
    "transactions": ("tests", "soak"),
    "job": ("tests",),
    "dut": ("tests",),
    "files": ("tests",),
    "requests": ("recordings", "patterns"),
    "pcs": ("patterns",),
    "temps": ("refresh",),
}
# Fields of BenchConfig with keys of their own in a list, or that a run sets itself.
OWN_FIELDS: Final = {"preset", "test", "seed", "timing", "policy", "map_name", "reproduce", "job", "masks"}
# Least and most of the whole numbers among the fields of both.
RANGES: Final[Mapping[str, tuple[int, int | None]]] = {
    "temp": (0, 7), "rd_delay": (0, 7), "ready_r": (0, READY_ALWAYS), "ready_b": (0, READY_ALWAYS), "batch": (1, None),
    "row_limit": (0, None), "watchdog": (0, None), "fault": (0, None), "fault_at": (0, None), "fault_arg": (0, None),
}  # fmt: skip
# Fields of OwnConfig that a run sets itself.
SET_BY_RUN: Final = {"preset", "test", "seed", "reproduce"}
OUR_KEYS: Final = ("registers", "map", "bench")  # of a configuration of our channel
DUT_KEYS: Final = ("settings", "plusargs", "build")  # of one of a controller that is not ours
PARAM_FILES: Final = (".yaml", ".yml", ".json")
# Rough cost of a run in seconds, until the database knows better.
START_S, PER_TRANSACTION_S, PER_CYCLE_S, PER_REQUEST_S = 2.5, 2e-4, 4e-5, 2e-5


@dataclass(frozen=True)
class Configuration:
    """A named set of settings: registers, address map, other fields of BenchConfig."""

    name: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)
    policy: Mapping[str, int] = field(default_factory=dict)
    settings: tuple[str, ...] = ()  # the registers as KEY=VALUE
    map_name: str = ""
    bench: Mapping[str, Any] = field(default_factory=dict)
    random: bool = False  # registers, map, rows, TEMP: those of random_params, one set a seed
    own: Mapping[str, Any] = field(default_factory=dict)  # of a DUT: fields of OwnConfig
    plusargs: tuple[str, ...] = ()  # of a DUT, without the +
    build: Mapping[str, Any] = field(default_factory=dict)  # of a DUT: arguments of the function that builds it
    keys: tuple[str, ...] = ()  # as written

    def given(self, values: Values, seed: int) -> dict[str, Any]:
        """Fields of BenchConfig."""
        if self.random:
            from hbm_tb.random_params import random_set

            return {**random_set(values.preset, seed).bench(), **self.bench}
        found: dict[str, Any] = {"preset": values.preset, **values.bench, **self.bench}
        for name, value in (("timing", {**values.timing, **self.timing}), ("policy", self.policy)):
            if value:
                found[name] = value
        if self.map_name:
            found["map_name"] = self.map_name
        return found

    def of_dut(self, values: Values) -> dict[str, Any]:
        """Fields of OwnConfig."""
        timing = {**values.timing, **self.own.get("timing", {})}
        return {"preset": values.preset, **self.own, **({"timing": timing} if timing else {})}

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the user that a run reads."""
        return (self.map_name,) if Path(self.map_name).is_absolute() else ()


@dataclass(frozen=True)
class Values:
    """A preset, or a parameter file of a user: a preset with other values."""

    name: str  # of the preset, or that of the file without its ending
    preset: str
    timing: Mapping[str, float] = field(default_factory=dict)
    bench: Mapping[str, Any] = field(default_factory=dict)  # further fields of BenchConfig
    file: bool = False


@dataclass(frozen=True)
class Entry:
    """One entry of a list: what, over which presets, seeds and configurations."""

    name: str
    kind: str  # of KINDS
    what: tuple[str, ...]  # module.test; recordings; patterns; modules of blocks
    values: tuple[Values, ...]
    configurations: tuple[Configuration, ...]
    seeds: int | tuple[int, ...]  # so many, from the seed of the list on; or those
    timeout_s: float
    transactions: int = 0  # 0: as many as the test itself says
    requests: int = 0  # 0: all
    cycles: int = 0
    pcs: tuple[int, ...] = (1, 2)
    temps: tuple[int, ...] = ()
    job: Mapping[str, Any] = field(default_factory=dict)
    dut: Function | None = None  # what builds a controller that is not ours
    files: tuple[str, ...] = ()  # of the user, that the runs read

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(values.name for values in self.values)


@dataclass(frozen=True)
class RunList:
    """A checked list."""

    name: str
    file: Path
    about: str
    seed: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Overrides:
    """What the command line says in place of the list."""

    seed: int | None = None  # first seed
    seeds: int | None = None  # so many for every entry
    presets: tuple[str, ...] = ()  # only these
    transactions: int | None = None  # of each random run

    @property
    def whole(self) -> bool:
        """True when they leave the list as it is, but for its first seed: the result is then one of the whole list."""
        return self.seeds is None and not self.presets and self.transactions is None

    def words(self) -> list[str]:
        """The options that say the same."""
        words = [] if self.seed is None else ["--seed", str(self.seed)]
        words += [] if self.seeds is None else ["--seeds", str(self.seeds)]
        words += [word for name in self.presets for word in ("--preset", name)]
        return words + ([] if self.transactions is None else ["--transactions", str(self.transactions)])


# ---------------------------------------------------------------- reading


def list_names() -> list[str]:
    """The lists of the repository."""
    return sorted(path.stem for path in LISTS.glob("*.yaml"))


def find_list(name: str) -> Path:
    """The file of a list: a name in tb/lists, or a path."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"--list {name}: no such file")
        return path
    path = LISTS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(list_names())
        there = f"there are {known}, or give" if known else "lists with names come with the repository; give"
        raise InputError(f"--list {name}: no such list; {there} the path of a .yaml file")
    return path


def read_list(file: Path) -> RunList:
    """Read and check a list."""
    top = read_file(file)
    parts = top.fields(TOP_KEYS)
    if "runs" not in parts:
        top.fail("expected a key runs with the entries of the list")
    groups = _groups(parts.get("presets"))
    configurations = _configurations(parts.get("configurations"))
    timeout_s = parts["timeout_s"].number(0) if "timeout_s" in parts else TIMEOUT_S
    entries: dict[str, Entry] = {}
    for part in parts["runs"].listed():
        entry = _entry(part, groups, configurations, timeout_s)
        if entry.name in entries:
            part.fail(f"expected a name of its own, {entry.name} stands above")
        entries[entry.name] = entry
    if not entries:
        parts["runs"].fail("expected at least one entry: a list without runs shows nothing")
    about = parts["about"].text() if "about" in parts else ""
    seed = parts["seed"].integer(0) if "seed" in parts else 1
    return RunList(file.stem, file, about, seed, tuple(entries.values()))


def _groups(part: Part | None) -> dict[str, tuple[Values, ...]]:
    """Named groups of presets."""
    found: dict[str, tuple[Values, ...]] = {}
    for name, members in (part.mapping() if part else {}).items():
        found[name] = _presets(members, found)
    return found


def _presets(part: Part, groups: Mapping[str, tuple[Values, ...]]) -> tuple[Values, ...]:
    """Presets and parameter files that the RTL is built for; a group stands for its members."""
    from hbm_model.presets import preset

    found: dict[str, Values] = {}
    for item in part.items():
        text = item.text()
        if text in groups:
            members = groups[text]
        elif text.lower().endswith(PARAM_FILES):
            members = (_params(item, text),)
        else:
            members = (Values(text, text),)
        for one in members:
            if one.name in found and found[one.name] != one:
                item.fail(f"another set of values of this entry is called {one.name} too; rename the file")
            try:
                geometry = preset(one.preset).geometry.name
            except InputError as error:
                hint = f" or a group of this file ({', '.join(groups)})" if groups else ""
                item.fail(f"{error}{hint}")
            if geometry not in known_geometries():
                item.fail(f"{text}: no RTL is generated for {geometry}, only {', '.join(known_geometries())}")
            found[one.name] = one
    if not found:
        part.fail("expected at least one preset")
    return tuple(found.values())


def _params(item: Part, text: str) -> Values:
    """The values of a parameter file, seen from the folder of the list."""
    from hbm_model.params import load_params

    from hbm_tb.run_job import config_of_params

    path = (item.file.parent / text).resolve()
    try:
        given = config_of_params(load_params(shown_path(path)))
    except InputError as error:
        item.fail(str(error))
    preset, timing = given.pop("preset"), given.pop("timing")
    more = {name: value for name, value in given.items() if value != getattr(BenchConfig(), name)}
    return Values(name_part(path.stem), preset, timing, more, True)


def _configurations(part: Part | None) -> dict[str, Configuration]:
    from hbm_model.workload import settings_of

    found = {}
    for name, body in (part.mapping() if part else {}).items():
        _check_name(body, name)
        parts = body.fields((*OUR_KEYS, *DUT_KEYS))
        timing: dict[str, float] = {}
        policy: dict[str, int] = {}
        settings: list[str] = []
        random = False
        if "registers" in parts:
            registers = parts["registers"]
            if registers.found() == "random":
                random = True
            else:
                for key, value in registers.mapping().items():
                    setting = f"{key}={value.text()}"
                    try:
                        more = settings_of([setting])
                    except InputError as error:
                        value.fail(str(error).removeprefix("--set "))
                    timing.update(more[0])
                    policy.update(more[1])
                    settings.append(setting)
        bench = _bench(parts["bench"]) if "bench" in parts else {}
        if random and "map" in parts:
            parts["map"].fail("random registers bring a map of their own")
        found[name] = Configuration(
            name, timing, policy, tuple(settings), _map(parts["map"]) if "map" in parts else "", bench, random,
            _settings(parts["settings"]) if "settings" in parts else {},
            tuple(item.text().removeprefix("+") for item in parts["plusargs"].items()) if "plusargs" in parts else (),
            {key: value.value() for key, value in parts["build"].mapping().items()} if "build" in parts else {},
            tuple(parts),
        )  # fmt: skip
    return found


def _map(part: Part) -> str:
    """A map by name or layout, or the whole path of a map file."""
    text = part.text()
    if not text.lower().endswith(PARAM_FILES):
        return text
    path = (part.file.parent / text).resolve()
    if not path.is_file():
        part.fail(f"{shown_path(path)}: no such file")
    return str(path)


def _bench(part: Part) -> dict[str, Any]:
    """Fields of BenchConfig that a configuration may set."""
    return _fields_like(part, BenchConfig(), OWN_FIELDS)


def _settings(part: Part) -> dict[str, Any]:
    """Fields of OwnConfig that a configuration of a DUT may set."""
    from hbm_model.params import PARAM

    found = _fields_like(part, OwnConfig(), SET_BY_RUN)
    if "timing" in found:
        known = [name for name, each in PARAM.items() if each.timing]
        for value in part.mapping()["timing"].fields(known).values():
            ck = value.value()
            if isinstance(ck, bool) or not isinstance(ck, int | float) or ck < 0:
                value.expected("a number of CK")
    return found


def _fields_like(part: Part, blank_one: BenchConfig | OwnConfig, left_out: Collection[str]) -> dict[str, Any]:
    """Fields of a dataclass, each with a value like the one that it has there."""
    known = [one.name for one in fields(blank_one) if one.name not in left_out]
    found = {}
    for name, value in part.fields(known).items():
        given, blank = value.value(), getattr(blank_one, name)
        kind = list if isinstance(blank, tuple) else type(blank)
        if kind is float and type(given) is int:
            given = float(given)
        if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
            like = "a mapping (RP: 20)" if kind is dict else f"a value like {list(blank) if kind is list else blank!r}"
            value.expected(like)
        if isinstance(blank, tuple) and len(value.items()) != len(blank):
            value.fail(f"expected {len(blank)} numbers, one a port, found {len(value.items())}")
        if name in RANGES:
            for number in value.items():
                number.integer(*RANGES[name])
        elif kind is float:
            value.number(0)
        found[name] = tuple(given) if isinstance(given, list) else given
    return found


def _entry(
    part: Part,
    groups: Mapping[str, tuple[Values, ...]],
    configurations: Mapping[str, Configuration],
    timeout_s: float,
) -> Entry:
    parts = part.fields((*ENTRY_KEYS, *KINDS))
    kinds = [kind for kind in KINDS if kind in parts]
    if len(kinds) != 1:
        part.fail(f"expected exactly one of {', '.join(KINDS)}, found {', '.join(kinds) or 'none'}")
    kind = kinds[0]
    for key, of in ENTRY_KEYS.items():
        if key in parts and kind not in of:
            parts[key].fail(f"an entry of {kind} has no {key}")
    if "name" not in parts:
        part.fail("expected a key name")
    if kind != "blocks" and "presets" not in parts:
        part.fail(f"expected a key presets: an entry of {kind} runs on some")
    values = _presets(parts["presets"], groups) if "presets" in parts else ()
    if kind in ("soak", "refresh") and any(one.file for one in values):
        parts["presets"].fail(f"an entry of {kind} draws its values for a preset; parameter files go with tests")
    if kind in ("recordings", "blocks") and not in_checkout():
        parts[kind].fail(f"{kind} come with the repository, not with the installed library")
    chosen = [
        configurations[item.word(tuple(configurations), "configuration of this file")]
        for item in (parts["configurations"].items() if "configurations" in parts else ())
    ] or [Configuration()]
    if kind in ("recordings", "patterns"):
        for one in chosen:
            if one.random:
                parts["configurations"].fail(f"{one.name} has random registers, which only tests can have")
    if kind == "tests" and "dut" in parts:
        for key in ("transactions", "job"):
            if key in parts:
                parts[key].fail(f"an entry with a dut has no {key}; expected plusargs or settings of a configuration")
    dut = _dut(parts["dut"]) if "dut" in parts else None
    for item, one in zip(parts["configurations"].items() if "configurations" in parts else (), chosen, strict=False):
        _check_keys(item, one, dut)
    what = _what(parts[kind], kind, parts.get("except"), dut is not None)
    _check_name(parts["name"], parts["name"].text())
    entry = Entry(
        parts["name"].text(),
        kind,
        what,
        values,
        tuple(chosen),
        _seeds(parts["seeds"]) if "seeds" in parts else 1,
        parts["timeout_s"].number(0) if "timeout_s" in parts else timeout_s,
        parts["transactions"].integer(1) if "transactions" in parts else 0,
        parts["requests"].integer(1) if "requests" in parts else 0,
        parts["refresh"].integer(1000) if kind == "refresh" else 0,
        tuple(item.integer(1, 2) for item in parts["pcs"].items()) if "pcs" in parts else (1, 2),
        tuple(item.integer(0, 7) for item in parts["temps"].items()) if "temps" in parts else tuple(range(8)),
        _job(parts["job"]) if "job" in parts else {},
        dut,
        _files(parts["files"]) if "files" in parts else (),
    )
    if kind == "soak":
        entry = replace(entry, transactions=parts["soak"].integer(8))
    _check_settings(part, entry)
    return entry


def _check_name(part: Part, name: str) -> None:
    """A name of an entry or configuration is part of a folder's."""
    if problem := name_problem(name):
        part.fail(problem)


def _dut(part: Part) -> Function:
    """`file.py:function`, seen from the folder of the list."""
    path, colon, name = part.text().rpartition(":")
    if not colon or not path.endswith(".py"):
        part.expected("file.py:function, what builds the DUT")
    try:
        return function_of((part.file.parent / path).resolve(), name)
    except InputError as error:
        part.fail(str(error))


def _check_keys(item: Part, one: Configuration, dut: Function | None) -> None:
    """A configuration of our channel is none of a DUT, and the other way round."""
    strange = [key for key in one.keys if key not in (DUT_KEYS if dut else OUR_KEYS)]
    if strange:
        whose = f"a DUT ({', '.join(DUT_KEYS)})" if dut else f"our channel ({', '.join(OUR_KEYS)})"
        item.fail(f"{one.name} has {strange[0]}; expected a configuration of {whose}")
    if dut is None:
        return
    for name in one.build:
        if name in FILLED or not dut.takes(name):
            known = ", ".join(each for each in dut.names if each not in FILLED) or "none"
            item.fail(f"{one.name}: {dut.name}() has no parameter {name} to be set here; expected one of {known}")


def _files(part: Part) -> tuple[str, ...]:
    """Files that the runs read, as shell patterns seen from the folder of the list."""
    found: list[str] = []
    for item in part.items():
        matches = sorted(path for path in item.file.parent.resolve().glob(item.text()) if path.is_file())
        if not matches:
            item.fail(f"{item.text()} matches no file in the folder of the list")
        found += map(str, matches)
    return tuple(dict.fromkeys(found))


def _job(part: Part) -> dict[str, Any]:
    return {name: value.value() for name, value in part.mapping().items()}


def _seeds(part: Part) -> int | tuple[int, ...]:
    if part.found() == "a list":
        return tuple(dict.fromkeys(item.integer(0) for item in part.items())) or part.fail("expected at least one seed")
    return part.integer(1)


def _what(part: Part, kind: str, without: Part | None, of_dut: bool) -> tuple[str, ...]:
    if kind == "tests":
        return _tests(part, without, of_dut)
    if kind in ("soak", "refresh"):
        return ()
    from hbm_model.patterns import STANDARD
    from hbm_model.recordings import recordings

    known: dict[str, Callable[[], Sequence[str]]] = {
        "recordings": lambda: [one.name for one in recordings()],
        "patterns": lambda: STANDARD,
        "blocks": lambda: list(BLOCK_MODULES),
    }
    names = tuple(known[kind]())
    if part.found() == "all":
        return names
    return tuple(dict.fromkeys(item.word(("all", *names), kind.removesuffix("s")) for item in part.items()))


def _tests(part: Part, without: Part | None, of_dut: bool) -> tuple[str, ...]:
    """module.test for each; a module stands for all of its tests, a path for a file of the user."""
    left_out = {}
    for name, reason in (without.mapping() if without else {}).items():
        reason.text()  # why it is left out
        left_out[name] = reason
    found: list[str] = []
    for item in part.items():
        text = item.text()
        if ".py" in text:
            found += _own_tests(item, text)
            continue
        if of_dut:
            item.expected("file.py or file.py:Test, tests of the DUT")
        module, dot, test = text.partition(".")
        file = TESTS / f"{module}.py"
        modules = sorted(path.stem for path in TESTS.glob("*_tests.py"))
        if not file.is_file():
            item.fail(f"no module {module} in {TESTS.relative_to(sim.ROOT)}; expected one of {', '.join(modules)}")
        names = names_of_tests(file)
        if dot and test not in names:
            item.fail(f"{module} has no test {test}; expected one of {', '.join(names)}")
        found += [f"{module}.{name}" for name in ([test] if dot else names)]
    known = {name.rpartition(".")[2] for name in found}
    for name, reason in left_out.items():
        if name not in known:
            reason.fail(f"{name} is none of the tests of this entry ({', '.join(sorted(known))})")
    kept = [name for name in dict.fromkeys(found) if name.rpartition(".")[2] not in left_out]
    if not kept:
        part.fail("expected at least one test that is not left out")
    names = [name.rpartition(".")[2] for name in kept]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        part.fail(f"two tests of this entry are called {twice}; expected them in entries of their own")
    return tuple(kept)


def _own_tests(item: Part, text: str) -> list[str]:
    """`file.py` or `file.py:Name`, seen from the folder of the list: path.test for each."""
    from hbm_tb.own_tests import check_file, tests_of

    path, _, test = text.partition(":")
    file = (item.file.parent / path).resolve()
    try:
        check_file(Path(shown_path(file)))
        names = tests_of(Path(shown_path(file)))
    except InputError as error:
        item.fail(str(error))
    if test and test not in names:
        item.fail(f"{path} has no test {test}; expected one of {', '.join(names)}")
    return [f"{file}.{name}" for name in ([test] if test else names)]


def _check_settings(part: Part, entry: Entry) -> None:
    """The values of every configuration fit every preset."""
    dut = entry.dut
    for values in entry.values:
        for one in entry.configurations:
            if dut is not None and (missing := set(dut.needed) - {*FILLED} - set(one.build)):
                name = min(missing)
                part.fail(f"{dut.place} needs {name}; expected a configuration with build: {{{name}: ...}}")
            if one.random and values.file:
                part.fail(f"{one.name} draws its registers for a preset, {values.name} is a parameter file")
            try:
                if dut is not None:
                    OwnConfig(**one.of_dut(values)).params  # noqa: B018
                    if values.bench.get("row_limit"):
                        raise InputError(f"rows of the parameter file are not those of {values.preset}")
                    continue
                config = BenchConfig(**one.given(values, 1))
                config.programmed  # noqa: B018  (raises when the values contradict each other)
                config.address_map  # noqa: B018
            except (ValueError, KeyError, InputError) as error:
                text = str(error).splitlines()[0]
                part.fail(f"{one.name or 'the entry'} on {values.name}: {text}")


# ---------------------------------------------------------------- jobs


def jobs_of_list(name: str, options: ListOptions, overrides: Overrides | None = None) -> list[Job]:
    """All runs of a list, by name or path."""
    return jobs_of(read_list(find_list(name)), options, overrides or Overrides(), name)


def jobs_of(given: RunList, options: ListOptions, overrides: Overrides, named: str = "") -> list[Job]:
    """All runs of a list in order. `named`: how the command line calls it."""
    if overrides.presets:
        known = {preset for entry in given.entries for preset in entry.presets}
        for name in overrides.presets:
            if name not in known:
                raise InputError(f"--preset {name}: {given.name} has only {', '.join(sorted(known))}")
    # One way to name a file, whatever folder the user is in: the line that repeats a run is a part of what the run is,
    # and may be read elsewhere. Where it is printed it is short (command_line.typed_here).
    if named.endswith((".yaml", ".yml")):
        named = str(Path(named).resolve())
    again = ["hbm", "regress", "--list", named or given.name, *overrides.words()]
    found = []
    for entry in given.entries:
        seeds = _seeds_of(entry, given.seed, overrides)
        chosen = [one for one in entry.values if not overrides.presets or one.name in overrides.presets]
        if not entry.values and not overrides.presets:
            chosen = [Values("", "")]
        for seed in seeds:
            for values in chosen:
                for one in entry.configurations:
                    for job in _jobs(entry, values, one, seed, options, overrides):
                        tail = [f"seed_{seed}"] if len(seeds) > 1 or entry.kind == "soak" else []
                        parts = [entry.name, values.name, one.name, *job.name.split("/"), *tail]
                        name = "/".join(filter(None, parts))
                        words = shlex.join([*again, "--only", name, "--waves"])
                        found.append(_named(job, name, words))
    if not found:
        told = " ".join(overrides.words())
        raise InputError(f"{shown_path(given.file)}: no run is left of the list{f' with {told}' if told else ''}")
    try:
        check_names(found)
    except InputError as error:
        raise InputError(f"{shown_path(given.file)}: {error}") from None
    return found


def _named(job: Job, name: str, words: str) -> Job:
    arguments = {**job.arguments, "reproduce": words} if "reproduce" in job.arguments else job.arguments
    return replace(job, name=name, arguments=arguments, reproduce=words)


def _seeds_of(entry: Entry, first: int, overrides: Overrides) -> Sequence[int]:
    if overrides.seed is not None:
        first = overrides.seed
    if overrides.seeds is not None:
        return range(first, first + overrides.seeds)
    return range(first, first + entry.seeds) if isinstance(entry.seeds, int) else entry.seeds


def _jobs(
    entry: Entry, values: Values, one: Configuration, seed: int, options: ListOptions, overrides: Overrides
) -> list[Job]:  # fmt: skip
    """Jobs of an entry for one set of values, configuration and seed; their names are what tells them apart."""
    how: dict[str, Any] = {"timeout_s": entry.timeout_s}
    transactions = overrides.transactions or entry.transactions
    if entry.kind == "blocks":
        return [
            block_job(module, module, seed=seed, cost=10.0, waves=options.window, **how) for module in entry.what
        ]  # fmt: skip
    if entry.kind in ("recordings", "patterns"):
        return [_trace(entry, what, pcs, values, one, seed, options) for what, pcs in _traffic(entry)]
    how["waves"] = options.window
    tests = [
        ("" if len(entry.what) == 1 else test, module, test)
        for module, _, test in (name.rpartition(".") for name in entry.what)
    ]
    if entry.dut is not None:
        how |= {"seed": seed, "build": one.build, "plusargs": one.plusargs, "files": entry.files, "cost": START_S}
        settings = one.of_dut(values)
        return [own_job(name, entry.dut, module, test, settings, **how) for name, module, test in tests]
    preset = values.preset
    if entry.kind == "soak":
        from hbm_tb.exact import soak_config

        cost = START_S + 3 * PER_TRANSACTION_S * transactions
        return [sim_job("", "exact_tests", "ExactSoak", soak_config(preset, seed, transactions), cost=cost, **how)]
    if entry.kind == "refresh":
        from hbm_tb.exact import refresh_configs

        cost = START_S + PER_CYCLE_S * entry.cycles
        return [
            sim_job(name, "exact_tests", "RefreshSoak", config, cost=cost, **how)
            for name, config in refresh_configs(preset, entry.temps, entry.cycles, seed)
        ]
    given = one.given(values, seed)
    job = {**entry.job, **({"transactions": transactions} if transactions else {})}
    config = BenchConfig(**{**given, "seed": seed, "job": job})
    cost = START_S + PER_TRANSACTION_S * (transactions or 2000)
    how["files"] = (*entry.files, *one.files)
    return [sim_job(name, module, test, config, cost=cost, **how) for name, module, test in tests]


def _traffic(entry: Entry) -> list[tuple[str, int]]:
    """(recording or pattern, PCs of the pattern)."""
    pcs = entry.pcs if entry.kind == "patterns" else (2,)
    return [(what, count) for count in pcs for what in entry.what]


def _trace(
    entry: Entry, what: str, pcs: int, values: Values, one: Configuration, seed: int, options: ListOptions
) -> Job:  # fmt: skip
    run = RunOptions(
        preset=values.preset,
        count=entry.requests,
        seed=seed,
        settings=(*(f"{key}={value:g}" for key, value in values.timing.items()), *one.settings),
        waves=options.waves,
        waves_from=options.waves_from,
        waves_to=options.waves_to,
    )
    run = replace(run, map_name=one.map_name) if one.map_name else run
    if entry.kind == "recordings":
        run, name = replace(run, trace=what), what
    else:
        run, name = replace(run, pattern=what, pcs=pcs), f"p{pcs}/{what}"
    cost = START_S + PER_REQUEST_S * SLOW.get(what, 1.0) * (entry.requests or 200_000)
    bench = {**values.bench, **one.bench}
    return trace_job(name, run, bench=bench, timeout_s=entry.timeout_s, cost=cost, files=one.files)
