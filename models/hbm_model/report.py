"""The report page of a run: one HTML file that opens from disk, without network and without any other file.

The page (report_page.html) holds its own script; this module packs the data into it. Commands are packed as byte planes
(the lowest bytes of all times, then the next, ...), gzip and base64: about four bytes a command, so that all commands
of a long run fit; nothing is dropped. The page draws aggregates when zoomed out and single commands when zoomed in.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hbm_model import counters
from hbm_model.errors import InputError
from hbm_model.geometry import Geometry
from hbm_model.presets import DEFAULT_PRESET, geometry_of

PAGE = Path(__file__).with_name("report_page.html")

# Names by code of hbm_pkg::cmd_e.
KINDS = (
    "NOP", "ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REF", "REFSB", "RFM", "RFMSB", "MRS",
    "PDE", "PDX", "SRE", "SRX",
)  # fmt: skip
ALIASES = {"REFab": "REF", "REFAB": "REF", "REFpb": "REFSB", "REFPB": "REFSB", "PREab": "PREA", "PREAB": "PREA"}

# Commands as the report takes them; the field names are those of the bench's command records.
COMMAND = np.dtype(
    [
        ("time", "<u8"),  # half CK of the first edge
        ("cmd", "u1"),
        ("pc", "u1"),
        ("sid", "u1"),
        ("bg", "u1"),
        ("bank", "u1"),  # within its bank group
        ("col", "u1"),
        ("row", "<u2"),
    ]
)
HISTOGRAM_BARS = 96
CK_PER_CYCLE = 2

Counts = NDArray[np.int64]


@dataclass
class Series:
    """What happened on one port in windows of equal length; latencies in CK, AR handshake to last R beat."""

    window_ck: int
    read_bytes: Counts
    write_bytes: Counts
    latency_sum: Counts
    latency_count: Counts
    latency_max: Counts
    hits: Counts
    closed: Counts
    conflicts: Counts
    latency_p99: Counts | None = None

    def as_json(self) -> dict[str, Any]:
        """Lists for the page."""
        out: dict[str, Any] = {"window_ck": int(self.window_ck)}
        for name in ("read_bytes", "write_bytes", "latency_sum", "latency_count", "latency_max"):
            out[name] = np.asarray(getattr(self, name)).tolist()
        for name in ("hits", "closed", "conflicts"):
            out[name] = np.asarray(getattr(self, name)).tolist()
        out["latency_p99"] = None if self.latency_p99 is None else np.asarray(self.latency_p99).tolist()
        return out


@dataclass
class Violation:
    """A broken rule or a mismatch, with the CK at which it shows."""

    ck: float
    text: str


@dataclass
class Report:
    """Everything that the page shows."""

    title: str
    verdict: str  # pass, fail, stopped, or predicted (by the exact model alone)
    commands: NDArray[np.void]  # COMMAND, or any record with these fields
    sids: int
    bgs: int
    banks: int  # per bank group
    pcs: int = 2
    end_ck: int = 0  # 0: the last command
    ck_per_access: int = 2  # nBL
    tck_ns: float = 0.0  # 0: bandwidths are shown as shares only
    subtitle: str = ""
    reproduce: str = ""
    failure: str = ""
    tables: list[tuple[str, list[tuple[str, ...]]]] = field(default_factory=list)  # title, rows of cells
    headed: list[tuple[str, list[tuple[str, ...]]]] = field(default_factory=list)  # the same, the first row is the head
    stacks: list[tuple[str, list[tuple[str, float]]]] = field(default_factory=list)  # bar, its parts and their shares
    series: list[Series] = field(default_factory=list)  # one per port
    latency_ck: list[Counts] = field(default_factory=list)  # one per port: reads by latency in CK
    violations: list[Violation] = field(default_factory=list)
    crumbs: list[tuple[str, str]] = field(default_factory=list)  # the pages above: text, address
    links: list[tuple[str, str]] = field(default_factory=list)  # other pages and files of the run: text, address
    facts: list[tuple[str, str]] = field(default_factory=list)  # the first difference: what, value
    missing: list[str] = field(default_factory=list)  # what was not measured, and why
    hints: list[tuple[str, str]] = field(default_factory=list)  # further commands about a failure: what for, command
    log: str = ""  # end of the log of a failure


def pack_commands(report: Report) -> str:
    """All commands in the form that the page unpacks."""
    rows = report.commands
    if rows.size == 0:
        return ""
    times = rows["time"].astype(np.int64)
    order = np.argsort(times, kind="stable")
    rows, times = rows[order], times[order]
    gaps = np.diff(times, prepend=0)
    if int(times[-1]) >= 1 << 32:
        raise InputError("the run is longer than 2^31 CK: the report cannot show it; use `commands.csv`")
    bank = (rows["sid"].astype(np.int64) * report.bgs + rows["bg"]) * report.banks + rows["bank"]
    all_banks = np.isin(
        rows["cmd"], [KINDS.index(name) for name in ("PREA", "REF", "RFM", "MRS", "PDE", "PDX", "SRE", "SRX")]
    )
    bank = np.where(all_banks, 0, bank)
    if int(bank.max()) >= report.sids * report.bgs * report.banks or int(rows["pc"].max()) >= report.pcs:
        raise InputError("a command names a bank outside the geometry of the report")
    planes = [
        gaps.astype("<u4").view(np.uint8).reshape(-1, 4).T,
        rows["row"].astype("<u2").view(np.uint8).reshape(-1, 2).T,
    ]
    single = [np.atleast_2d(rows[name].astype(np.uint8)) for name in ("col", "cmd")]
    single += [np.atleast_2d(bank.astype(np.uint8)), np.atleast_2d(rows["pc"].astype(np.uint8))]
    data = b"".join(np.ascontiguousarray(plane).tobytes() for plane in (*planes, *single))
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def command_table(report: Report) -> tuple[str, list[tuple[str, ...]]]:
    """Commands per kind and PC."""
    rows: list[tuple[str, ...]] = [("kind", *(f"PC{pc}" for pc in range(report.pcs)), "all")]
    for code, name in enumerate(KINDS):
        per_pc = [
            int(np.count_nonzero((report.commands["cmd"] == code) & (report.commands["pc"] == pc)))
            for pc in range(report.pcs)
        ]
        if sum(per_pc):
            rows.append((name, *(f"{count:,}" for count in per_pc), f"{sum(per_pc):,}"))
    rows.append(
        (
            "all",
            *(f"{int(np.count_nonzero(report.commands['pc'] == pc)):,}" for pc in range(report.pcs)),
            f"{report.commands.size:,}",
        )
    )
    return "Commands per kind", rows


def histogram(latency_ck: Sequence[Counts]) -> dict[str, Any]:
    """Bars of equal width up to the 99.9th percentile; the last bar holds all that is above."""
    total = [np.asarray(counts, np.int64) for counts in latency_ck]
    longest = max((counts.size for counts in total), default=0)
    sum_all = np.zeros(longest, np.int64)
    for counts in total:
        sum_all[: counts.size] += counts
    if sum_all.sum() == 0:
        return {"bin_ck": 1, "counts": [], "overflow": False}
    reach = int(np.searchsorted(np.cumsum(sum_all), 0.999 * sum_all.sum())) + 1
    width = max(1, -(-reach // (HISTOGRAM_BARS - 1)))
    bars = -(-reach // width) + 1
    out = []
    for counts in total:
        bins = np.bincount(np.minimum(np.arange(counts.size) // width, bars - 1), weights=counts, minlength=bars)
        out.append(bins.astype(np.int64).tolist())
    return {"bin_ck": width, "counts": out, "overflow": bool(int(np.flatnonzero(sum_all)[-1]) >= (bars - 1) * width)}


def render(report: Report) -> str:
    """The page as text."""
    last = int(report.commands["time"].max()) // 2 + 2 if report.commands.size else 1
    data: dict[str, Any] = {
        "title": report.title,
        "verdict": report.verdict,
        "subtitle": report.subtitle,
        "reproduce": report.reproduce,
        "failure": report.failure,
        "kinds": KINDS,
        "commands": int(report.commands.size),
        "pcs": report.pcs,
        "sids": report.sids,
        "bgs": report.bgs,
        "banks": report.banks,
        "end_ck": max(report.end_ck, last),
        "ck_per_access": report.ck_per_access,
        "peak_gbps": 32 / (report.ck_per_access * report.tck_ns) if report.tck_ns else 0,
        "tables": [],
        "series": [one.as_json() for one in report.series],
        "histogram": histogram(report.latency_ck),
        "stacks": [{"name": name, "parts": parts} for name, parts in report.stacks],
        "violations": [{"ck": one.ck, "text": one.text} for one in report.violations],
        "crumbs": report.crumbs,
        "links": report.links,
        "facts": report.facts,
        "missing": report.missing,
        "hints": report.hints,
        "log": report.log,
    }
    for title, rows in report.tables:
        data["tables"].append({"title": title, "rows": rows, "head": None})
    counted = [command_table(report)] if report.commands.size else []
    for title, rows in (*report.headed, *counted):
        data["tables"].append({"title": title, "rows": rows[1:], "head": rows[0]})
    # `<` never reaches the page from data, so no text can close the script element.
    meta = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    page = PAGE.read_text()
    title = report.title.replace("&", "&amp;").replace("<", "&lt;")
    for mark, text in (("@@TITLE@@", title), ("@@META@@", meta), ("@@COMMANDS@@", pack_commands(report))):
        before, after = page.split(mark, 1)
        page = before + text + after
    return page


def write_report(path: str | Path, report: Report) -> None:
    """Write the page."""
    Path(path).write_text(render(report), encoding="utf-8")


def commands_of_csv(path: str | Path) -> NDArray[np.void]:
    """Command records of a `commands.csv` (or any legal command trace with the same header)."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    if header != ["cycle", "cmd", "pc", "sid", "bg", "bank", "row", "col"]:
        raise InputError(f"{path}:1: expected the header cycle,cmd,pc,sid,bg,bank,row,col")
    rows = [row for row in reader if row]
    out = np.zeros(len(rows), COMMAND)
    codes = {name: code for code, name in enumerate(KINDS)}
    for number, row in enumerate(rows):
        try:
            out[number]["time"] = round(float(row[0]) * 2)
            out[number]["cmd"] = codes[ALIASES.get(row[1], row[1])]
            for at, name in enumerate(("pc", "sid", "bg", "bank", "row", "col"), start=2):
                out[number][name] = int(row[at] or 0)
        except (ValueError, KeyError, IndexError):
            raise InputError(f"{path}:{number + 2}: not a command: {','.join(row)[:60]}") from None
    return out


def series_of(arrays: Mapping[str, NDArray[Any]]) -> tuple[list[Series], list[Counts]]:
    """Series and latency histograms (in CK) per port, from the arrays of `series.npz` (docs/run-folder.md)."""
    out, histograms = [], []
    window = int(arrays["bucket_ck"])
    for port in range(arrays["read_bytes"].shape[0]):
        done = arrays["reads_done"][port]
        out.append(
            Series(
                window_ck=window,
                read_bytes=arrays["read_bytes"][port],
                write_bytes=arrays["write_bytes"][port],
                latency_sum=np.rint(arrays["latency_mean_ck"][port] * done).astype(np.int64),
                latency_count=done,
                latency_max=arrays["latency_max_ck"][port],
                hits=arrays["row_hit"][port],
                closed=arrays["row_closed"][port],
                conflicts=arrays["row_conflict"][port],
            )
        )
        cycles = np.asarray(arrays["latency_histogram"][port], np.int64)
        used = int(np.flatnonzero(cycles)[-1]) + 1 if cycles.any() else 0
        in_ck = np.zeros(CK_PER_CYCLE * used, np.int64)
        in_ck[::CK_PER_CYCLE] = cycles[:used]
        histograms.append(in_ck)
    return out, histograms


def _summary(result: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Tables of the numbers in `result.json`; what a run did not measure is left out."""
    traffic: dict[str, object] = {}
    for label, key in (("preset", "preset"), ("trace", "trace"), ("test", "test"), ("seed", "seed")):
        if result.get(key) not in (None, ""):
            traffic[label] = str(result[key])
    changed = {**(result.get("timing") or {}), **(result.get("policy") or {})}
    if changed:
        traffic["registers set"] = ", ".join(f"{key} = {value:g}" for key, value in changed.items())
    for label, key in (("requests open per port, at most", "outstanding"), ("offered load, % of peak", "load")):
        if result.get(key):
            traffic[label] = result[key]
    if "requests" in result:
        traffic["requests"] = result["requests"]
        traffic["reads, writes"] = f"{result.get('read_requests', 0):,}, {result.get('write_requests', 0):,}"
    if isinstance(moved := result.get("bytes"), Mapping):
        traffic["bytes read, written"] = f"{moved.get('read', 0):,}, {moved.get('write', 0):,}"
    if "span_ck" in result:
        traffic["time, first request to last data"] = f"{result['span_ck']:,} CK, {result.get('span_us', 0):,.2f} us"
    if "bandwidth_gb_per_s" in result:
        share = f"{100 * result.get('share_of_peak', 0):.1f} % of peak"
        traffic["bandwidth"] = f"{result['bandwidth_gb_per_s']:.2f} GB/s, {share}"
    if isinstance(latency := result.get("latency_ck"), Mapping):
        spread = ", ".join(f"{latency.get(key, 0):,}" for key in ("p50", "p99", "max"))
        traffic["read latency, mean"] = f"{latency.get('mean', 0):,.1f} CK"
        traffic["read latency, p50, p99, max"] = f"{spread} CK"
    if isinstance(latency := result.get("arrival_latency_ck"), Mapping):
        traffic["read latency from arrival, mean, p99"] = f"{latency['mean']:,.1f}, {latency['p99']:,} CK"
    if isinstance(row := result.get("row"), Mapping):
        traffic["row hit, closed, conflict"] = ", ".join(
            f"{row.get(key, 0):,}" for key in ("hit", "closed", "conflict")
        )
        traffic["row hit rate"] = f"{100 * result.get('row_hit_rate', 0):.1f} %"
    checks: dict[str, object] = {}
    if isinstance(checked := result.get("checked"), Mapping):
        checks.update({f"checked: {key.replace('_', ' ')}": value for key, value in checked.items()})
    if isinstance(exact := result.get("exact"), Mapping):
        checks.update({f"as the exact model: {key}": value for key, value in exact.items()})
    for key in ("violations", "refreshes", "cycles"):
        if key in result:
            checks[key] = result[key]
    for label, key in (
        ("wall time, s", "wall_s"),
        ("cycles/s", "cycles_per_s"),
        ("requests/s", "requests_per_s"),
    ):
        if key in result:
            checks[label] = result[key]
    if isinstance(versions := result.get("versions"), Mapping):
        checks.update({str(tool): str(version) for tool, version in versions.items()})
    title = "Checks and run" if "checked" in result else "Run"
    tables = [("Traffic", lines_of(traffic)), (title, lines_of(checks))]
    return [(title, rows) for title, rows in tables if rows]


def run_report(
    result: Mapping[str, Any],
    commands: NDArray[np.void],
    geometry: Geometry,
    series: Mapping[str, NDArray[Any]] | None = None,
    violations: Sequence[Violation] = (),
) -> Report:
    """The page of one run from what its run folder holds (docs/run-folder.md)."""
    windows, histograms = series_of(series) if series else ([], [])
    name = str(result.get("name") or result.get("test") or "run")
    headed, stacks = [], []
    if counted := result.get("counters"):
        source = f", of the {result['counters_of']}" if "counters_of" in result else ""
        headed = [
            (f"Counters (M9){source}", counters.count_rows(counted)),
            (f"Stall causes (M9.3){source}", counters.cause_rows(counted)),
            (f"Read latency (M9.4){source}", counters.latency_rows(counted)),
        ]
        stacks = [
            (f"PC{n}", [(counters.CAUSES[cause], share) for cause, share in parts.items()])
            for n, parts in counters.shares(counted).items()
        ]
    foreseen = result.get("status") == "predicted"
    return Report(
        title=f"{name} on {result.get('preset', 'unknown preset')}",
        verdict=str(result.get("status", "fail")),
        commands=commands,
        sids=geometry.sids,
        bgs=geometry.bgs,
        banks=geometry.banks,
        end_ck=CK_PER_CYCLE * int(result.get("cycles", 0)),
        tck_ns=float(result.get("tck_ns", 0)),
        subtitle=f"seed {result['seed']}" if "seed" in result else "exact model" if foreseen else "",
        reproduce=str(result.get("reproduce", "")),
        failure="" if result.get("status") == "pass" else str(result.get("reason", "")),
        tables=_summary(result),
        headed=headed,
        stacks=stacks,
        series=windows,
        latency_ck=histograms,
        violations=list(violations),
    )


def report_of_folder(folder: str | Path) -> Report:
    """The page of a run folder: result.json, commands.npz or commands.csv, series.npz if there is one."""
    home = Path(folder)
    try:
        result = json.loads((home / "result.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{home}: no readable result.json, so no run folder ({error})") from error
    packed = home / "commands.npz"
    commands = np.load(packed)["commands"] if packed.exists() else commands_of_csv(home / "commands.csv")
    series = dict(np.load(home / "series.npz")) if (home / "series.npz").exists() else None
    return run_report(result, commands, geometry_of(str(result.get("preset", DEFAULT_PRESET))), series)


def lines_of(values: Mapping[str, object]) -> list[tuple[str, ...]]:
    """Rows of a two-column table from a mapping, numbers with thousands separators."""

    def text(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, float):
            return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        return str(value)

    return [(name.replace("_", " "), text(value)) for name, value in values.items()]
