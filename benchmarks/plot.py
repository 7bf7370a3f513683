"""Plots as SVG text, without a plotting library: a few lines over a logarithmic axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#1b6ca8", "#1b6ca8", "#b5541c", "#b5541c", "#3b7d3b", "#3b7d3b")


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        name: in the legend; a dashed line has none there.
        values: positive, one per place.
        dashed: a line to compare with.
    """

    name: str
    values: Sequence[float]
    dashed: bool = False


def log_plot(places: Sequence[float], series: Sequence[Series], *, title: str, across: str) -> str:
    """Return an SVG document: places from left to right, values upwards by their logarithm.

    Args:
        places: ascending, at least two.
        series: each with a value per place.
        title: above.
        across: below.

    Raises:
        ValueError: too few places, another number of values, or one that is not positive.
    """
    values = [value for line in series for value in line.values]
    if len(places) < 2 or any(len(line.values) != len(places) for line in series):
        raise ValueError("expected at least two places and a value of each series for each")
    if min(values) <= 0:
        raise ValueError(f"expected positive values, found {min(values)}")
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)

    def x_of(place: float) -> float:
        return LEFT + (place - places[0]) / (places[-1] - places[0]) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return TOP + (high - log10(value)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, TOP - 18, title, "middle"),
        _text(WIDTH / 2, HEIGHT - 10, across, "middle"),
    ]
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{10.0**power:g}", "end"))
    for place in places:
        parts.append(_text(x_of(place), HEIGHT - BOTTOM + 18, f"{place:g}", "middle"))
    entries = 0
    for number, line in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{x_of(place):.1f},{y_of(value):.1f}" for place, value in zip(places, line.values, strict=True)
        )
        dashes = ' stroke-dasharray="5 5" opacity="0.6"' if line.dashed else ' stroke-width="2"'
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"{dashes}/>')
        if line.dashed:
            continue
        parts += [
            f'<circle cx="{x_of(place):.1f}" cy="{y_of(value):.1f}" r="3" fill="{colour}"/>'
            for place, value in zip(places, line.values, strict=True)
        ]
        y = TOP + 16 + 20 * entries
        parts.append(f'<path d="M{LEFT + 16} {y - 4}h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(LEFT + 48, y, line.name, "start"))
        entries += 1
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
