"""Tables of `hbm bench`, with the figures of public simulators beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from hbm_tb.bench_cases import PEERS, PEERS_CHASE_NS, TCK_NS, Target

AIM = 0.70  # co-simulation, lock-step included, against the bare model
EXACT_AIM = 5  # CK/s of the exact model against those of the co-simulation
# Thousand requests/s of the fastest simulator, DRAMsim3, one PC of HBM2, one core of such a machine.
PEERS_SPEED = {"stream": "490 to 650", "random": "170 to 255"}


def speed_table(speed: Mapping[str, float], about: Mapping[str, Any]) -> Table:
    """Cycles per second of the three ways to run, and the checker."""
    table = Table(title="Speed: stream p2 on peers_hbm2, CPU seconds of all processes, medians", title_justify="left")
    for column, side in (("", "left"), ("cycles/s", "right"), ("CK/s", "right"), ("of bare", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    bare = speed["bare_cycles_per_s"]
    for key, text in (("bare", "bare model, no checks"), ("cosim", "every check"), ("waves", "every check and FST")):
        rate = speed[f"{key}_cycles_per_s"]
        table.add_row(text, f"{rate:,.0f}", f"{2 * rate:,.0f}", f"{100 * rate / bare:.1f} %")
    table.add_row("legality checker", f"{speed['legality_commands_per_s']:,.0f}", "", "", end_section=True)
    shares = about.get("bare_shares")
    if shares:
        channel, bench, other = (100 * shares[name] for name in ("channel", "bench", "other"))
        table.caption = (
            f"bare time in code of the design: channel {channel:.0f} %, bench {bench:.0f} %; "
            f"the simulator's own scheduling: {other:.0f} % of the whole"
        )
        table.caption_justify = "left"
    return table


def exact_table(exact: Mapping[str, Mapping[str, int]], over_cosim: Mapping[str, float]) -> Table:
    """The exact model alone."""
    table = Table(title="Exact model alone: p1 on peers_hbm2, one thread, CPU seconds, medians", title_justify="left")
    columns = ("pattern", "thousand requests/s", "fastest simulator", "CK/s", "of the co-simulation's")
    for column in columns:
        table.add_column(column, justify="left" if column == "pattern" else "right")
    for pattern, found in exact.items():
        ratio = over_cosim[pattern]
        colour = "green" if ratio >= EXACT_AIM else "red"
        asked = f"{found['requests_per_s'] / 1000:,.0f}"
        table.add_row(pattern, asked, PEERS_SPEED[pattern], f"{found['ck_per_s']:,}", f"[{colour}]{ratio:.1f} x[/]")
    return table


def _beside(preset: str, port: str, name: str, found: Mapping[str, Any]) -> str:
    """What the best simulator reaches."""
    if name == "chase" and port == "p1":
        low, high = PEERS_CHASE_NS[preset]
        return f"{low} to {high} ns (ours {TCK_NS[preset] * found['mean_latency_ck']:.1f} ns)"
    peer = PEERS[preset].get(port, {}).get(name)
    return f"{peer[0]:g} % {peer[1]}" if peer else ""


def _verdict(found: Mapping[str, Any]) -> str:
    """The target, and whether it is met."""
    asked = found.get("target")
    if not asked:
        return "reported"
    text = Target(asked["of"], asked["value"]).text
    met = found["met"]
    return text if met is None else f"[green]met[/]: {text}" if met else f"[red]MISSED[/]: {text}"


def traffic_table(preset: str, traffic: Mapping[str, Any]) -> Table:
    """Per case: share of peak (RTL, and the exact model alone), of the bound, latency, row hits, target, simulators."""
    table = Table(title=f"Traffic on {preset}: RTL in co-simulation, exact model beside it", title_justify="left")
    columns = ("case", "RTL", "model", "bound", "of bound", "mean, CK", "p99, CK", "row hits", "target", "map")
    for column in (*columns, "best simulator"):
        left = column in ("case", "map", "target", "best simulator")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for port, patterns in traffic.items():
        for name, found in patterns.items():
            table.add_row(
                f"{port} {name}",
                f"{100 * found['efficiency']:.2f} %",
                f"{100 * found['model']['efficiency']:.2f} %",
                f"{100 * found['bound']['in_order']:.2f} %",
                f"{100 * found['share_of_bound']:.1f} %",
                f"{found['mean_latency_ck']:.1f}",
                f"{found['p99_latency_ck']:,}",
                f"{100 * found['row_hit_rate']:.1f} %",
                _verdict(found),
                found["map"],
                _beside(preset, port, name, found),
            )
        table.add_section()
    return table


def missed(traffic: Mapping[str, Any]) -> list[str]:
    """Titles of the cases that miss their target."""
    return [
        f"{preset} {port} {name}"
        for preset, ports in traffic.items()
        for port, cases in ports.items()
        for name, found in cases.items()
        if found.get("met") is False
    ]


def latency_table(latency: Mapping[str, Any]) -> Table:
    """A lone read, row closed and hit, both PCs."""
    table = Table(title="A lone read: controller cycles from AR to R handshake, and the limit", title_justify="left")
    table.add_column("preset")
    kinds = [f"pc{pc} {kind}" for kind in ("closed", "hit") for pc in range(2)]
    for kind in kinds:
        table.add_column(kind, justify="right")
    for preset, found in latency.items():
        cells = []
        for kind in kinds:
            cycles, limit = found[kind]["cycles"], found[kind]["limit"]
            cells.append(f"[{'green' if cycles <= limit else 'red'}]{cycles}[/] <= {limit}")
        table.add_row(preset, *cells)
    return table


def fairness_table(fairness: Mapping[str, Any]) -> Table:
    """The slow master beside each busy one."""
    table = Table(title="One read at a time beside a busy master on the same port, cycles from ARVALID to R")
    table.title_justify = "left"
    for column in ("preset", "busy master", "mean", "limit", "of unloaded", "p99", "longest", "before ARREADY", ""):
        table.add_column(column, justify="left" if column in ("preset", "busy master", "") else "right")
    for preset, contests in fairness.items():
        for name, found in contests.items():
            judged = "limit_cycles" in found
            qos = f", AxQOS {found['qos_slow']} against {found['qos_busy']}" if found["qos_slow"] else ""
            table.add_row(
                preset,
                f"{name}{qos}",
                f"{found['mean_cycles']:.1f}",
                f"{found['limit_cycles']:.1f}" if judged else "",
                f"{found['times_unloaded']:.2f} x" if judged else "",
                f"{found['p99_cycles']:,}",
                f"{found['max_cycles']:,}",
                f"{found['mean_before_handshake_cycles']:.1f}",
                ("[green]met[/]" if found["met"] else "[red]MISSED[/]") if judged else "",
            )
        table.add_section()
    return table


def waits_table(waits: Mapping[str, Any]) -> Table:
    """Longest waits under adversarial traffic beside the bound."""
    table = Table(title="Longest wait, cycles, under traffic made for it (in brackets: the bound, docs/waits.md)")
    table.title_justify = "left"
    left = ("preset", "registers", "")
    for column in (*left, "cycles", "bursts", "ARVALID to R", "AWVALID to B", "reads queued", "writes"):
        table.add_column(column, justify="left" if column in left else "right")

    def cell(run: Mapping[str, Any], key: str, limit: str) -> str:
        if run[key] is None:
            return "-"
        most = run["bound"][limit]
        return f"[{'green' if run[key] <= most else 'red'}]{run[key]:,}[/] ({most:,})"

    for preset, found in waits.items():
        for run in found["runs"]:
            table.add_row(
                preset,
                run["name"],
                run["side"],
                f"{run['cycles']:,}",
                f"{run['reads'] + run['writes']:,}",
                cell(run, "read_valid", "read_cycles"),
                cell(run, "write_valid", "write_cycles"),
                cell(run, "read_queue", "queue_cycles"),
                cell(run, "write_queue", "queue_cycles"),
            )
        table.add_section()
    return table


WIDTH = 170  # columns, where there is no terminal


def wide_console() -> Console:
    """stdout; into a file or a pipe no line is folded."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def print_tables(console: Console, document: Mapping[str, Any]) -> None:
    """All tables of a bench.json."""
    if "speed" in document:
        about = document["about"]["speed"]
        console.print(speed_table(document["speed"], about))
        ratio = about["cosim_over_bare"]
        colour = "green" if ratio >= AIM else "red"
        console.print(f"co-simulation / bare: [{colour}]{100 * ratio:.1f} %[/] (aim: at least {100 * AIM:.0f} %)")
        console.print(exact_table(document["speed"]["exact"], about["exact_over_cosim"]))
    traffic = document.get("traffic", {})
    for preset, ports in traffic.items():
        if any(ports.values()):
            console.print(traffic_table(preset, ports))
    if document.get("latency"):
        console.print(latency_table(document["latency"]))
    if document.get("fairness"):
        console.print(fairness_table(document["fairness"]))
    if document.get("waits"):
        console.print(waits_table(document["waits"]))
    cases = [found for ports in traffic.values() for port in ports.values() for found in port.values()]
    if cases:
        console.print(
            "bound: `hbm bound`, requests in order into finite queues; best simulator: Ramulator 2.1, DRAMsim3 or "
            "DRAMSys 5.5 with the same timings, requests and queue depth",
            style="dim",
        )
        console.print(f"RTL = exact model in all {len(cases)} cases")
        late = missed(traffic)
        judged = sum(found.get("met") is not None for found in cases)
        if late:
            console.print(f"[red]{len(late)} of {judged} targets missed[/]: {', '.join(late)}")
        elif judged:
            console.print(f"[green]all {judged} targets met[/]")
