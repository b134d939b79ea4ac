"use strict";
// Theme, tables that sort and filter, copy buttons and charts of the report site. No other script but Plotly's, no network.
(() => {
  const root = document.documentElement, KEY = "hbm-theme", here = document.currentScript.src;
  const stored = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  if (stored()) root.dataset.theme = stored();
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const css = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

  // ---------------------------------------------------------------- tables
  const value = (row, at, kind) => {
    const cell = row.cells[at], text = cell.dataset.v ?? cell.textContent.trim();
    if (kind !== "n") return text.toLowerCase();
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? -Infinity : number;
  };
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, at) => {
      const button = head.querySelector("button");
      if (!button) return;
      const kind = button.dataset.kind;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "none" ? kind !== "n" : head.getAttribute("aria-sort") === "descending";
        heads.forEach((h) => h.hasAttribute("aria-sort") && h.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const keyed = [...body.rows].map((row, i) => [value(row, at, kind), i, row]);
        keyed.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (up ? 1 : -1) || a[1] - b[1]);
        const sorted = document.createDocumentFragment();
        for (const k of keyed) sorted.append(k[2]);
        body.append(sorted);
        table.dispatchEvent(new Event("sorted"));
      });
    });
  }
  // A form of filters belongs to a table: `text` searches the row, every other field compares with the row's data-<name>
  // (`!x`: anything but x). The values stand in the address after #, so that other pages can link to a selection.
  // Of many rows the first `data-most` are shown, until the button below asks for all: thousands take seconds to lay out.
  function filters(form) {
    const table = document.getElementById(form.dataset.table), count = form.querySelector(".count");
    const body = table.tBodies[0], total = body.rows.length, noun = count.textContent.trim().split(" ")[1] || "rows";
    const texts = new Map([...body.rows].map((row) => [row, (row.textContent + " " + (row.dataset.more || "")).toLowerCase()]));
    const all = document.getElementById(form.dataset.table + "-all"), text = (x) => x.toLocaleString("en-US");
    let most = Number(table.dataset.most || Infinity);
    const fields = [...form.elements].filter((e) => e.name);
    const split = (text) => text.trim().split(/\s+/).filter(Boolean);
    function apply(write) {
      const words = split((form.elements.text?.value || "").toLowerCase());
      const wanted = fields.filter((f) => f.name !== "text" && f.value.trim()).map((f) => [f.name, f.value.trim()]);
      let found = 0;
      for (const row of body.rows) {
        const ok = words.every((w) => texts.get(row).includes(w)) && wanted.every(([name, v]) => {
          const have = row.dataset[name] || "";
          return v.startsWith("!") ? have !== v.slice(1) : have === v || have.split(" ").includes(v);
        });
        found += ok;
        row.hidden = !ok || found > most;
      }
      count.textContent = (found === total ? "" : `${text(found)} of `) + `${text(total)} ${noun}` + (found > most ? `, the first ${text(most)} shown` : "");
      if (all) all.hidden = found <= most;
      if (write) {
        const at = new URLSearchParams(fields.filter((f) => f.value.trim()).map((f) => [f.name, f.value.trim()])).toString();
        history.replaceState(null, "", at ? "#" + at : location.pathname + location.search);
      }
    }
    function read() {
      if (!location.hash.includes("=")) return apply(false);
      const given = new URLSearchParams(location.hash.slice(1));
      for (const f of fields) f.value = given.get(f.name) || "";
      apply(false);
    }
    form.addEventListener("input", () => apply(true));
    form.addEventListener("reset", () => setTimeout(() => apply(true), 0));
    table.addEventListener("sorted", () => apply(false));
    all?.addEventListener("click", () => { most = Infinity; apply(false); });
    addEventListener("hashchange", read);
    read();
  }

  // ---------------------------------------------------------------- copy
  async function copy(button) {
    try { await navigator.clipboard.writeText(button.dataset.copy); }
    catch {
      const code = button.parentElement.querySelector("code"), range = document.createRange();
      range.selectNodeContents(code); const s = getSelection(); s.removeAllRanges(); s.addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1500);
  }

  // ---------------------------------------------------------------- charts
  function draw(place) {
    const chart = JSON.parse(place.dataset.chart);
    const traces = chart.series.map((s, i) => ({
      name: s.name, x: s.x, y: s.y, type: "scatter", mode: "lines+markers", cliponaxis: false,
      line: { color: css("s" + i % 8), width: 1.8 }, marker: { color: css("s" + i % 8), size: 6 },
      hovertemplate: `%{x}<br>${s.name}: %{y:,.5~g}${chart.unit ? " " + chart.unit : ""}<extra></extra>`,
    }));
    const axis = { gridcolor: css("grid"), linecolor: css("line"), zerolinecolor: css("line"), tickfont: { color: css("dim") } };
    // Of a single time Plotly would show half a millisecond: a day.
    const times = new Set(chart.series.flatMap((s) => s.x)), half = 12 * 3600e3;
    const day = (at) => new Date(at).toISOString().slice(0, 19).replace("T", " ");
    const only = times.size === 1 ? Date.parse([...times][0].replace(" ", "T") + "Z") : NaN;
    const around = only ? [day(only - half), day(only + half)] : null;
    const layout = {
      title: { text: chart.title, font: { size: 14, color: css("text") }, x: 0, xref: "paper", xanchor: "left" }, height: chart.height || 320, margin: { l: 62, r: 14, t: 40, b: 44 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: css("text"), size: 12 }, hoverlabel: { bgcolor: css("card"), font: { color: css("text") } },
      xaxis: { ...axis, type: "date", ...(around ? { range: around } : {}) }, yaxis: { ...axis, title: { text: chart.ytitle, font: { color: css("dim") } }, rangemode: chart.zero ? "tozero" : "normal", ...(chart.percent ? { range: [0, 100] } : {}) },
      legend: { orientation: "h", y: -0.16, font: { color: css("text") } }, showlegend: traces.length > 1,
    };
    Plotly.react(place, traces, layout, { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] });
    place.setAttribute("role", "img"); place.setAttribute("aria-label", chart.title); place.dataset.drawn = traces.length;
  }
  const redraw = () => { if (window.Plotly) document.querySelectorAll(".chart").forEach(draw); };
  // Plotly is large: it comes after the page can be used.
  function charts() {
    if (!document.querySelector(".chart")) return;
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", here).href; script.onload = redraw; document.head.append(script);
  }

  addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("table.sortable").forEach(sortable);
    document.querySelectorAll("form.filters").forEach(filters);
    document.addEventListener("click", (e) => { const b = e.target.closest("button.copy"); if (b) copy(b); });
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* a browser that keeps nothing */ }
      redraw();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    // `/` goes to the search, as in most tools.
    addEventListener("keydown", (e) => {
      if (e.key !== "/" || ["INPUT", "SELECT", "TEXTAREA"].includes(e.target.tagName)) return;
      const box = document.querySelector("input[type=search]");
      if (box) { e.preventDefault(); box.focus(); }
    });
    root.dataset.ready = 1;
    setTimeout(charts, 0);
  });
})();
