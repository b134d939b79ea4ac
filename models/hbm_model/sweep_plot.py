"""Plots of a sweep: metrics against the first key, one line per combination of the others. The page is drawn by plotly
and opens without network; the SVG, for documents, by matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hbm_model.sweep import Axis, Cell, Value

COLOURS: Final = ("#2458d3", "#c2410c", "#17a05a", "#9b51e0", "#d6336c", "#8a94a3", "#0e7490", "#a16207")
# Axes whose names need words, and units.
LABELS: Final = {
    "requests": "requests",
    "load": "offered load, % of peak",
    "outstanding": "requests open per port",
    "read_entries": "entries of the read queue",
    "write_entries": "entries of the write queue",
    "page": "page policy",
}
# Registers whose values are names (docs/registers.md).
NAMES: Final = {"page": {0: "open", 1: "lookahead", 2: "conflict", 3: "closed"}}


@dataclass
class Panel:
    """One plot: a metric against the first key."""

    title: str
    unit: str
    lines: list[tuple[str, list[float | None]]] = field(default_factory=list)  # label, a value per x
    logarithmic: bool = False

    @property
    def top(self) -> float:
        """End of a linear axis; a few percent are not blown up to the whole height."""
        return max([1.05 * v for _, values in self.lines for v in values if v is not None] + [5])


@dataclass(frozen=True)
class Plot:
    """What both ways to draw are given."""

    x_label: str
    x: list[Value]
    numeric: bool
    panels: list[Panel]
    doubling: bool  # values of x from small to large: a logarithmic axis


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _named(key: str, value: Value) -> Value:
    """A value, by its name if it has one."""
    names = NAMES.get(key.rpartition(".")[2])
    return names.get(int(value), value) if names and not isinstance(value, str) else value


def _label(key: str) -> str:
    return LABELS.get(key.rpartition(".")[2], key)


def plot_of(axes: Sequence[Axis], cells: Sequence[Cell]) -> Plot:
    """Panels from the cells; latencies are in ns when the clock differs between cells."""
    from hbm_model.sweep import clock_unit, metrics_of

    first, others = axes[0], axes[1:]
    good = [cell for cell in cells if not cell.error]
    unit = clock_unit(cells)
    arrival = any("arrival_latency_ck" in cell.result for cell in good)
    since = "from arrival" if arrival else "from acceptance"
    key = unit.lower()
    metrics: list[tuple[str, str, Callable[[Mapping[str, float]], float]]] = [
        ("share of peak", "%", lambda m: 100 * m["share_of_peak"]),
        (f"mean read latency, {since}", unit, lambda m: m[f"latency_mean_{key}"]),
        ("row hits", "%", lambda m: 100 * m["row_hit_rate"]),
        (f"p99 read latency, {since}", unit, lambda m: m[f"latency_p99_{key}"]),
    ]
    if unit == "ns":
        metrics.insert(0, ("bandwidth", "GB/s", lambda m: m["bandwidth_gb_per_s"]))
    combinations = list(dict.fromkeys(tuple(cell.values[axis.key] for axis in others) for cell in cells))
    at = {
        (cell.values[first.key], tuple(cell.values[axis.key] for axis in others)): metrics_of(cell.result)
        for cell in good
    }
    panels = []
    for title, of, value in metrics:
        panel = Panel(title, of)
        for combination in combinations:
            label = ", ".join(
                f"{axis.key} {_text(_named(axis.key, v))}" for axis, v in zip(others, combination, strict=True)
            )
            found = [at.get((x, combination)) for x in first.values]
            panel.lines.append((label, [None if m is None else value(m) for m in found]))
        shown = [v for _, values in panel.lines for v in values if v]
        panel.logarithmic = of != "%" and bool(shown) and max(shown) > 20 * min(shown)
        panels.append(panel)
    numeric = len(first.values) > 1 and all(not isinstance(_named(first.key, v), str) for v in first.values)
    x = [_named(first.key, value) for value in first.values]
    numbers = [value for value in x if not isinstance(value, str)]
    doubling = numeric and min(numbers) > 0 and max(numbers) >= 16 * min(numbers)
    return Plot(_label(first.key), x, numeric, panels, doubling)


def write_page(path: Path, axes: Sequence[Axis], cells: Sequence[Cell], title: str, line: str) -> None:
    """The page of a sweep: plots and what made them; plotly's script is inside."""
    from html import escape

    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    plot = plot_of(axes, cells)
    rows = (len(plot.panels) + 1) // 2
    titles = [f"{panel.title}, {panel.unit}" for panel in plot.panels]
    figure = make_subplots(rows=rows, cols=2, subplot_titles=titles, vertical_spacing=0.28 / rows)
    x = plot.x if plot.numeric else [_text(value) for value in plot.x]
    for index, panel in enumerate(plot.panels):
        row, column = index // 2 + 1, index % 2 + 1
        for number, (label, values) in enumerate(panel.lines):
            colour = COLOURS[number % len(COLOURS)]
            common: dict[str, Any] = {
                "x": x,
                "y": values,
                "name": label or "all",
                "legendgroup": label,
                "showlegend": index == 0 and bool(label),
                "hovertemplate": f"%{{x}}: %{{y:.4g}} {panel.unit}",
            }
            if plot.numeric:
                trace = go.Scatter(mode="lines+markers", line={"color": colour}, **common)
            else:
                trace = go.Bar(marker={"color": colour}, **common)
            figure.add_trace(trace, row=row, col=column)
        ticks = {"type": "log", "tickvals": x, "ticktext": [_text(value) for value in plot.x]} if plot.doubling else {}
        figure.update_xaxes(title_text=plot.x_label, row=row, col=column, **ticks)
        kind: dict[str, Any] = {"type": "log"} if panel.logarithmic else {"range": [0, panel.top]}
        figure.update_yaxes(title_text=panel.unit, row=row, col=column, **kind)
    figure.update_layout(
        title={"text": f"{escape(title)}<br><sub>{escape(line)}</sub>", "y": 0.98, "yanchor": "top"},
        margin={"t": 110},
        height=380 * rows + 110,
        template="plotly_white",
    )
    figure.write_html(path, include_plotlyjs=True, full_html=True, config={"displaylogo": False})


def write_svg(path: Path, axes: Sequence[Axis], cells: Sequence[Cell]) -> None:
    """The same plots as one picture; the same data gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    plot = plot_of(axes, cells)
    rows = (len(plot.panels) + 1) // 2
    # Text stays text (small, searchable); element names must not change from run to run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hbm", "font.size": 9}):
        figure = Figure(figsize=(9, 3 * rows), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
        spots = list(figure.subplots(rows, 2, squeeze=False).flat)
        places = list(range(len(plot.x)))
        for spot in spots[len(plot.panels) :]:
            spot.set_axis_off()
        for panel, spot in zip(plot.panels, spots, strict=False):
            for number, (label, values) in enumerate(panel.lines):
                colour = COLOURS[number % len(COLOURS)]
                numbers = [float("nan") if value is None else value for value in values]
                if plot.numeric:
                    spot.plot(plot.x, numbers, marker="o", markersize=3, color=colour, label=label)
                else:
                    width = 0.8 / len(panel.lines)
                    spot.bar(
                        [p - 0.4 + width * (number + 0.5) for p in places], numbers, width, color=colour, label=label
                    )
            if plot.doubling:
                spot.set_xscale("log")
                spot.minorticks_off()
            if plot.doubling or not plot.numeric:
                spot.set_xticks(plot.x if plot.numeric else places, [_text(value) for value in plot.x])
            spot.set_title(panel.title, fontsize=10)
            spot.set_xlabel(plot.x_label)
            spot.set_ylabel(panel.unit)
            spot.grid(alpha=0.3)
            if panel.logarithmic:
                spot.set_yscale("log")
            else:
                spot.set_ylim(0, panel.top)
        if plot.panels[0].lines[0][0]:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
