"""What notebooks show: parts of a report's page in a frame, and small tables.

A frame holds the page that `flipscope report` writes, with only the sections that are asked for. It takes the height
of what it shows, and needs no network.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flipscope import session

if TYPE_CHECKING:
    from flipscope.table import Table

#: Faults whose page (each fault is in it) is small enough to be shown unasked.
SHOWN_UNASKED = 200_000

_FIT = """
addEventListener("load", () => {
  const height = () => `${Math.ceil(document.body.getBoundingClientRect().bottom + scrollY) + 24}px`;
  const fit = () => { try { frameElement.style.height = height(); } catch { return; } };
  new ResizeObserver(fit).observe(document.body);
  fit();
});"""

def framed(path: str, sections: Iterable[str] = ()) -> str:
    """A report's page as an element: these sections of it (none: all)."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if sections:
        others = "".join(f":not(#{section})" for section in sections)
        style = f"#top, #bottom, main > section{others} {{ display: none !important; }} main {{ padding-top: 0; }}"
        page = page.replace("</style>", style + "</style>", 1)
        page = page.replace("<body>", f"<body><script>{_FIT}</script>", 1)
    return (f'<iframe srcdoc="{html.escape(page, quote=True)}" style="width: 100%; height: 720px; border: 0" '
            'title="Flipscope report"></iframe>')


def report_of(store: Any, sections: Iterable[str], ranking: Any = None) -> str:
    """These sections of the report of a store; the page is not kept."""
    from flipscope.verbs import report

    page = report(store, ranking=ranking, out=session.new_path("report.html"))
    shown = framed(page.path, sections)
    os.remove(page.path)
    return shown


def bits_by_place(bits: Table, first: int) -> str:
    """How many of the first rows of a list of bits each layer and bit position has, as a table."""
    import numpy

    layers = list(dict.fromkeys(bits["layer"]))
    positions = sorted({int(bit) for bit in bits["bit"]}, reverse=True)
    counts = numpy.zeros((len(layers), len(positions)), int)
    for layer, bit in zip(bits["layer"][:first], bits["bit"][:first]):
        counts[layers.index(layer), positions.index(bit)] += 1
    body = ""
    for layer, row in zip(layers, counts):
        cells = "".join(
            f'<td style="text-align: right; background: rgba(213, 94, 0, {0.75 * count / max(1, counts.max()):.3f})">'
            f"{count:,}</td>" for count in row)
        body += f"<tr><th>{html.escape(str(layer))}</th>{cells}</tr>"
    head = "".join(f"<th>bit {position}</th>" for position in positions)
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def harm_left(points: list[dict], chosen: int) -> str:
    """The share of all harm that is left against protected bits (on a logarithmic axis), with the plan marked."""
    import math

    width, height, left, bottom = 560, 220, 48, 40
    known = [p for p in points if p["bits"] > 0 and p["error_left"] is not None]
    if len(known) < 2:
        return ""
    low, high = math.log(known[0]["bits"]), math.log(known[-1]["bits"])

    def place(point: dict) -> tuple[float, float]:
        x = left + (width - left - 12) * (math.log(point["bits"]) - low) / (high - low)
        return x, 8 + (height - bottom - 8) * (1 - point["error_left"])

    line = " ".join("{:.1f},{:.1f}".format(*place(point)) for point in known)
    floor = height - bottom
    marks = "".join(
        f'<text x="{place(p)[0]:.1f}" y="{floor + 16}" text-anchor="{"middle" if n else "start"}">{p["bits"]:,}</text>'
        for n, p in enumerate(known[:-1]) if n % 3 == 0)
    grid = "".join(
        f'<line x1="{left}" x2="{width - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity="0.15"/>'
        f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{share}%</text>'
        for share in (0, 25, 50, 75, 100) for y in [8 + (floor - 8) * (1 - share / 100)])
    x, y = next((place(p) for p in known if p["bits"] == chosen), place(known[0]))
    return (f'<svg width="{width}" height="{height}" role="img" aria-label="Harm left against protected bits" '
            f'style="font: 11px sans-serif; fill: currentColor">{grid}{marks}'
            f'<polyline points="{line}" fill="none" stroke="#d55e00" stroke-width="2.5"/>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{floor}" stroke="currentColor" stroke-dasharray="4 3"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#d55e00"/>'
            f'<text x="{width - 12}" y="{height - 6}" text-anchor="end">bits protected →</text></svg>')
