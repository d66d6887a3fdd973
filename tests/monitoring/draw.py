"""Draws a dashboard as an HTML page, roughly as Grafana would: to look at layout and data where there is no Grafana."""

import html
import math
import re

WIDTH, HEIGHT = 300, 120
COLORS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffb357", "#fade2a")
STYLE = """
body { background: #111217; color: #ccccdc; font: 11px sans-serif; margin: 8px; width: 1500px; }
h1 { font-size: 18px; font-weight: 500; margin: 4px; }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 26px; gap: 6px; }
section { background: #181b1f; border: 1px solid #25272c; border-radius: 3px; padding: 4px 8px; overflow: hidden;
          display: flex; flex-direction: column; }
section.row { background: none; border: none; font-size: 14px; }
h2 { font-size: 12px; font-weight: 500; margin: 0 0 2px; white-space: nowrap; }
svg { flex: 1; min-height: 0; width: 100%; background: #141619; }
.big { font-size: 24px; flex: 1; display: flex; align-items: center; justify-content: center; color: #73bf69; text-align: center; }
.legend { max-height: 34px; overflow: hidden; line-height: 11px; }
.bar { background: #25272c; margin: 2px 0; height: 12px; } .bar i { display: block; height: 12px; background: #73bf69; }
table { width: 100%; border-collapse: collapse; } td, th { text-align: left; border-bottom: 1px solid #25272c; padding: 3px; }
"""


def number(value, unit):
    """A value as a person reads it."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    for name, factor, steps in (
        ("bytes", 1, (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))),
        ("Bps", 1, (("MiB/s", 2**20), ("KiB/s", 2**10), ("B/s", 1))),
        ("s", 1, (("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("µs", 1e-6))),
    ):
        if unit == name:
            for suffix, size in steps:
                if abs(value) >= size * factor:
                    return f"{value / size:.3g} {suffix}"
            return f"0 {steps[-1][0] if name != 's' else 's'}"
    return f"{value:.4g}" + {"reqps": " req/s", "ops": " /s"}.get(unit, "")


def legend_of(target, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), target["legendFormat"])


def lines(series, unit, start, end, stacked):
    """An SVG of (legend, [(time, value)]) and its legend."""
    tops, shapes, below = [v for _, points in series for _, v in points], [], {}
    if stacked:
        totals = {}
        for _, points in series:
            for time, value in points:
                totals[time] = totals.get(time, 0) + value
        tops = list(totals.values())
    top = max(tops, default=0) * 1.1 or 1
    low = min(0, *tops) if tops else 0
    for index, (_, points) in enumerate(series):
        path = []
        for time, value in points:
            if stacked:
                value = below[time] = below.get(time, 0) + value
            x = (time - start) / max(end - start, 1) * WIDTH
            path.append(f"{x:.1f},{HEIGHT - (value - low) / (top - low) * HEIGHT:.1f}")
        shapes.append(
            f'<polyline fill="none" stroke="{COLORS[index % len(COLORS)]}" stroke-width="1.5" '
            f'vector-effect="non-scaling-stroke" points="{" ".join(path)}"/>'
        )
    names = " ".join(
        f'<span style="color:{COLORS[i % len(COLORS)]}">&#9644;</span> {html.escape(name)}' for i, (name, _) in enumerate(series)
    )
    return (
        f"<div>{number(max(tops, default=0), unit)}</div>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{"".join(shapes)}</svg><div class="legend">{names}</div>'
    )


def heat(found, start, end):
    """Cumulative buckets over time as coloured cells."""
    rows = sorted(found, key=lambda series: float(series[0]["le"].replace("+Inf", "inf")))
    cells, below = [], {}
    peak = max((value for _, points in rows for _, value in points), default=1) or 1
    for row, (_, points) in enumerate(rows):
        for time, value in points:
            count, below[time] = value - below.get(time, 0), value
            if count > 1e-9:
                x = (time - start) / max(end - start, 1) * WIDTH
                y = HEIGHT - (row + 1) * HEIGHT / len(rows)
                cells.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH / max(len(points), 1):.1f}" height="{HEIGHT / len(rows):.1f}" '
                    f'fill="#ff9830" opacity="{0.15 + 0.85 * math.sqrt(count / peak):.2f}"/>'
                )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{"".join(cells)}</svg>'


def body(panel, answers, start, end):
    """The inside of a panel; `answers` are [(labels, [(time, value)])] for each query."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    pairs = list(zip(panel["targets"], answers))
    if panel["type"] == "heatmap":
        return heat(answers[0], start, end)
    if panel["type"] == "table":
        label = panel["transformations"][0]["options"]["byField"]
        titles = panel["transformations"][1]["options"]["renameByName"]
        units = {o["matcher"]["options"]: o["properties"][0]["value"] for o in panel["fieldConfig"]["overrides"]}
        columns = [(titles[f"Value #{target['refId']}"], {labels[label]: points[-1][1] for labels, points in found})
                   for target, found in pairs]
        keys = sorted({key for _, values in columns for key in values})
        head = "".join(f"<th>{html.escape(name)}</th>" for name in [label, *(name for name, _ in columns)])
        lines_ = ["<tr><td>" + "</td><td>".join([key, *(number(v[key], units[n]) if key in v else "" for n, v in columns)]) + "</td></tr>"
                  for key in keys]
        return f"<table><tr>{head}</tr>{''.join(lines_)}</table>"
    series = [(legend_of(target, labels), points) for target, found in pairs for labels, points in found]
    if panel["type"] == "stat":
        if panel["options"]["textMode"] == "name":
            return f'<div class="big" style="font-size:15px">{html.escape(", ".join(name for name, _ in series))}</div>'
        words = {key: value["text"] for m in panel["fieldConfig"]["defaults"].get("mappings", []) for key, value in m["options"].items()}
        value = series[-1][1][-1][1] if series else math.nan
        return f'<div class="big">{words.get(f"{value:g}") or number(value, unit)}</div>'
    if panel["type"] == "bargauge":
        return "".join(
            f'<div>{html.escape(name)}: {number(points[-1][1], unit)}</div>'
            f'<div class="bar"><i style="width:{min(points[-1][1], 1) * 100:.2f}%"></i></div>' for name, points in series
        )
    return lines(series, unit, start, end, "stacking" in panel["fieldConfig"]["defaults"]["custom"])


def page(board, answers, start, end):
    """The page of a dashboard; `answers` by the id of the panel."""
    parts = []
    for panel in board["panels"]:
        at = panel["gridPos"]
        place = f'grid-column:{at["x"] + 1}/span {at["w"]};grid-row:{at["y"] + 1}/span {at["h"]}'
        title = html.escape(panel["title"])
        if panel["type"] == "row":
            parts.append(f'<section class="row" style="{place}">&#9662; {title}</section>')
        else:
            parts.append(f'<section style="{place}"><h2>{title}</h2>{body(panel, answers[panel["id"]], start, end)}</section>')
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(board["title"])}</title><style>{STYLE}</style>'
        f"<h1>{html.escape(board['title'])}</h1><main>{''.join(parts)}</main>\n"
    )
