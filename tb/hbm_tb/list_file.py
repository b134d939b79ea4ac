"""Declarative lists of runs, tb/lists/<name>.yaml: tests x presets x seeds x configurations (docs/regression.md).

`read_list` checks a file and gives its entries; `jobs_of` makes the jobs of a list. What a list can get wrong is told
with file and line before anything is built.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from hbm_model.errors import InputError

from hbm_tb import sim
from hbm_tb.block_job import BLOCK_MODULES, block_job
from hbm_tb.config import BenchConfig
from hbm_tb.job_list import ListOptions
from hbm_tb.jobs import Job
from hbm_tb.list_schema import Part, read_file
from hbm_tb.run_job import RunOptions, known_geometries
from hbm_tb.sim_job import sim_job
from hbm_tb.sources import test_names
from hbm_tb.trace_job import trace_job

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
    "requests": ("recordings", "patterns"),
    "pcs": ("patterns",),
    "temps": ("refresh",),
}
# Fields of BenchConfig with keys of their own in a list, or that a run sets itself.
OWN_FIELDS: Final = {"preset", "test", "seed", "timing", "policy", "map_name", "reproduce", "job", "masks"}
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

    def given(self, preset: str, seed: int) -> dict[str, Any]:
        """Fields of BenchConfig."""
        if self.random:
            from hbm_tb.random_params import random_set

            return {**random_set(preset, seed).bench(), **self.bench}
        found: dict[str, Any] = {"preset": preset, **self.bench}
        for name, value in (("timing", self.timing), ("policy", self.policy)):
            if value:
                found[name] = dict(value)
        if self.map_name:
            found["map_name"] = self.map_name
        return found


@dataclass(frozen=True)
class Entry:
    """One entry of a list: what, over which presets, seeds and configurations."""

    name: str
    kind: str  # of KINDS
    what: tuple[str, ...]  # module.test; recordings; patterns; modules of blocks
    presets: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    seeds: int | tuple[int, ...]  # so many, from the seed of the list on; or those
    timeout_s: float
    transactions: int = 0  # 0: as many as the test itself says
    requests: int = 0  # 0: all
    cycles: int = 0
    pcs: tuple[int, ...] = (1, 2)
    temps: tuple[int, ...] = ()
    job: Mapping[str, Any] = field(default_factory=dict)


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
        raise InputError(f"--list {name}: no such list; there are {known}, or give the path of a .yaml file")
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
    about = parts["about"].text() if "about" in parts else ""
    seed = parts["seed"].integer(0) if "seed" in parts else 1
    return RunList(file.stem, file, about, seed, tuple(entries.values()))


def _groups(part: Part | None) -> dict[str, tuple[str, ...]]:
    """Named groups of presets."""
    found: dict[str, tuple[str, ...]] = {}
    for name, members in (part.mapping() if part else {}).items():
        found[name] = _presets(members, found)
    return found


def _presets(part: Part, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Presets that the RTL is built for; a group stands for its members."""
    from hbm_model.presets import preset

    names: list[str] = []
    for item in part.items():
        text = item.text()
        if text in groups:
            names += groups[text]
            continue
        try:
            geometry = preset(text).geometry.name
        except InputError as error:
            hint = f" or a group of this file ({', '.join(groups)})" if groups else ""
            item.fail(f"{error}{hint}")
        if geometry not in known_geometries():
            item.fail(f"{text}: no RTL is generated for {geometry}, only {', '.join(known_geometries())}")
        names.append(text)
    if not names:
        part.fail("expected at least one preset")
    return tuple(dict.fromkeys(names))


def _configurations(part: Part | None) -> dict[str, Configuration]:
    from hbm_model.workload import settings_of

    found = {}
    for name, body in (part.mapping() if part else {}).items():
        parts = body.fields(("registers", "map", "bench"))
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
        map_name = parts["map"].text() if "map" in parts else ""
        found[name] = Configuration(name, timing, policy, tuple(settings), map_name, bench, random)
    return found


def _bench(part: Part) -> dict[str, Any]:
    """Fields of BenchConfig that a configuration may set."""
    known = [one.name for one in fields(BenchConfig) if one.name not in OWN_FIELDS]
    found = {}
    for name, value in part.fields(known).items():
        given, blank = value.value(), getattr(BenchConfig(), name)
        kind = list if isinstance(blank, tuple) else type(blank)
        if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
            value.expected(f"a value like {list(blank) if kind is list else blank!r}")
        found[name] = tuple(given) if isinstance(given, list) else given
    return found


def _entry(
    part: Part,
    groups: Mapping[str, tuple[str, ...]],
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
    presets = _presets(parts["presets"], groups) if "presets" in parts else ()
    chosen = [
        configurations[item.word(tuple(configurations), "configuration of this file")]
        for item in (parts["configurations"].items() if "configurations" in parts else ())
    ] or [Configuration()]
    if kind in ("recordings", "patterns"):
        for one in chosen:
            if one.random:
                parts["configurations"].fail(f"{one.name} has random registers, which only tests can have")
    what = _what(parts[kind], kind, parts.get("except"))
    entry = Entry(
        parts["name"].text(),
        kind,
        what,
        presets,
        tuple(chosen),
        _seeds(parts["seeds"]) if "seeds" in parts else 1,
        parts["timeout_s"].number(0) if "timeout_s" in parts else timeout_s,
        parts["transactions"].integer(1) if "transactions" in parts else 0,
        parts["requests"].integer(1) if "requests" in parts else 0,
        parts["refresh"].integer(1000) if kind == "refresh" else 0,
        tuple(item.integer(1, 2) for item in parts["pcs"].items()) if "pcs" in parts else (1, 2),
        tuple(item.integer(0, 7) for item in parts["temps"].items()) if "temps" in parts else tuple(range(8)),
        _job(parts["job"]) if "job" in parts else {},
    )
    if kind == "soak":
        entry = replace(entry, transactions=parts["soak"].integer(8))
    _check_settings(part, entry)
    return entry


def _job(part: Part) -> dict[str, Any]:
    return {name: value.value() for name, value in part.mapping().items()}


def _seeds(part: Part) -> int | tuple[int, ...]:
    if part.found() == "a list":
        return tuple(dict.fromkeys(item.integer(0) for item in part.items())) or part.fail("expected at least one seed")
    return part.integer(1)


def _what(part: Part, kind: str, without: Part | None) -> tuple[str, ...]:
    if kind == "tests":
        return _tests(part, without)
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


def _tests(part: Part, without: Part | None) -> tuple[str, ...]:
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
        module, dot, test = text.partition(".")
        file = TESTS / f"{module}.py"
        modules = sorted(path.stem for path in TESTS.glob("*_tests.py"))
        if not file.is_file():
            item.fail(f"no module {module} in {TESTS.relative_to(sim.ROOT)}; expected one of {', '.join(modules)}")
        names = test_names(file)
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
    return tuple(kept)


def _own_tests(item: Part, text: str) -> list[str]:
    """`file.py` or `file.py:Name`, seen from the folder of the list: path.test for each."""
    from hbm_tb.own_tests import check_file, tests_of

    path, _, test = text.partition(":")
    file = (item.file.parent / path).resolve()
    try:
        check_file(file)
        names = tests_of(file)
    except InputError as error:
        item.fail(str(error))
    if test and test not in names:
        item.fail(f"{path} has no test {test}; expected one of {', '.join(names)}")
    return [f"{file}.{name}" for name in ([test] if test else names)]


def _check_settings(part: Part, entry: Entry) -> None:
    """The values of every configuration fit every preset."""
    for preset in entry.presets:
        for one in entry.configurations:
            try:
                config = BenchConfig(**one.given(preset, 1))
                config.params  # noqa: B018  (raises when the values contradict each other)
                config.address_map  # noqa: B018
            except (ValueError, InputError) as error:
                part.fail(f"{one.name or 'the entry'} on {preset}: {str(error).splitlines()[0]}")


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
    again = ["hbm", "regress", "--list", named or given.name, *overrides.words()]
    found = []
    for entry in given.entries:
        seeds = _seeds_of(entry, given.seed, overrides)
        presets = [name for name in entry.presets if not overrides.presets or name in overrides.presets]
        if not entry.presets and not overrides.presets:
            presets = [""]
        for seed in seeds:
            for preset in presets:
                for one in entry.configurations:
                    for job in _jobs(entry, preset, one, seed, options, overrides):
                        tail = [f"seed_{seed}"] if len(seeds) > 1 or entry.kind == "soak" else []
                        parts = [entry.name, preset, one.name, *job.name.split("/"), *tail]
                        name = "/".join(filter(None, parts))
                        words = shlex.join([*again, "--only", name, "--waves"])
                        found.append(_named(job, name, words))
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
    entry: Entry, preset: str, one: Configuration, seed: int, options: ListOptions, overrides: Overrides
) -> list[Job]:  # fmt: skip
    """Jobs of an entry for one preset, configuration and seed; their names are what tells them apart."""
    how: dict[str, Any] = {"timeout_s": entry.timeout_s}
    transactions = overrides.transactions or entry.transactions
    if entry.kind == "blocks":
        return [
            block_job(module, module, seed=seed, cost=10.0, waves=options.window, **how) for module in entry.what
        ]  # fmt: skip
    if entry.kind in ("recordings", "patterns"):
        return [_trace(entry, what, pcs, preset, one, seed, options) for what, pcs in _traffic(entry)]
    how["waves"] = options.window
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
    given = one.given(preset, seed)
    job = {**entry.job, **({"transactions": transactions} if transactions else {})}
    config = BenchConfig(**{**given, "seed": seed, "job": job})
    cost = START_S + PER_TRANSACTION_S * (transactions or 2000)
    return [
        sim_job("" if len(entry.what) == 1 else test, module, test, config, cost=cost, **how)
        for module, _, test in (name.rpartition(".") for name in entry.what)
    ]


def _traffic(entry: Entry) -> list[tuple[str, int]]:
    """(recording or pattern, PCs of the pattern)."""
    pcs = entry.pcs if entry.kind == "patterns" else (2,)
    return [(what, count) for count in pcs for what in entry.what]


def _trace(
    entry: Entry, what: str, pcs: int, preset: str, one: Configuration, seed: int, options: ListOptions
) -> Job:  # fmt: skip
    run = RunOptions(
        preset=preset,
        count=entry.requests,
        seed=seed,
        settings=one.settings,
        waves=options.waves,
        waves_from=options.waves_from,
        waves_to=options.waves_to,
    )
    run = replace(run, map_name=one.map_name) if one.map_name else run
    if entry.kind == "recordings":
        run, name = replace(run, trace=what), what
    else:
        run, name = replace(run, pattern=what, pcs=pcs), f"p{pcs}/{what}"
    slow = 20.0 if what in ("conflict", "chase") else 1.0
    cost = START_S + PER_REQUEST_S * slow * (entry.requests or 200_000)
    return trace_job(name, run, bench=dict(one.bench), timeout_s=entry.timeout_s, cost=cost)
