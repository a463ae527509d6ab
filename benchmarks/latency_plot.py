"""Draws what invokes took as cumulative curves: warm beside its floors, cold with and without stem cells.

.venv/bin/python -m benchmarks.latency_plot docs/pictures/latency.svg [--quick]
"""

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.emulator import EMULATOR, NAME, Emulator
from benchmarks.front import BareFront
from benchmarks.harness import Platform, invoke_bytes
from benchmarks.invoke import HANDLER, PAYLOAD, latencies_ms, percentile, show

LEFT, TOP, WIDTH, HEIGHT = 60, 20, 640, 300
FIRST_MS, LAST_MS = 0.05, 50.0
TICKS_MS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
COLOURS = ("#4a6fa5", "#7a7a7a", "#b0a04a", "#2f8f5b", "#b5533c")


class Curve(NamedTuple):
    """One kind of invoke and what each of them took, ms."""

    name: str
    times_ms: list[float]


def cold(count: int, *options: str) -> list[float]:
    """First invokes of new functions, each after 250 ms of idleness, ms."""
    times: list[float] = []
    with Platform(None, *options) as platform:
        for index in range(count):
            platform.create(f"cold{index}", HANDLER)
            time.sleep(0.25)
            times += latencies_ms(platform.port, invoke_bytes(f"cold{index}", PAYLOAD), 1)
    return times


def measured(warm_count: int, cold_count: int) -> Iterator[Curve]:
    """Every curve, one after the other."""
    warm = invoke_bytes("warm", PAYLOAD)
    with Platform() as platform:
        platform.create("warm", HANDLER)
        latencies_ms(platform.port, warm, 200)
        yield Curve("warm", latencies_ms(platform.port, warm, warm_count))
    with BareFront(HANDLER, 1) as front:
        latencies_ms(front.port, warm, 200)
        yield Curve("bare front", latencies_ms(front.port, warm, warm_count))
    if EMULATOR.exists():
        with Emulator(HANDLER) as emulator:
            data = invoke_bytes(NAME, PAYLOAD)
            latencies_ms(emulator.port, data, 200)
            yield Curve("AWS's emulator", latencies_ms(emulator.port, data, warm_count))
    yield Curve("cold, stem cell", cold(cold_count))
    yield Curve("cold, without", cold(cold_count, "--stem-cells", "0"))


def x_of(ms: float) -> float:
    """Where on the logarithmic axis, kept inside it."""
    share = math.log(ms / FIRST_MS) / math.log(LAST_MS / FIRST_MS)
    return LEFT + WIDTH * min(1.0, max(0.0, share))


def y_of(share: float) -> float:
    """Where on the axis of shares, 0 to 1."""
    return TOP + HEIGHT * (1 - share)


def text(x: float, y: float, words: str, colour: str = "#333333", anchor: str = "middle") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def line(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    """A line through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def axes() -> Iterator[str]:
    """The grid and what its lines mean."""
    for ms in TICKS_MS:
        yield line([(x_of(ms), y_of(0)), (x_of(ms), y_of(1))], "#dddddd", 1)
        yield text(x_of(ms), y_of(0) + 16, f"{ms:g}")
    for share in (0, 0.25, 0.5, 0.75, 1):
        yield line([(LEFT, y_of(share)), (LEFT + WIDTH, y_of(share))], "#dddddd", 1)
        yield text(LEFT - 8, y_of(share) + 4, f"{share:.0%}", anchor="end")
    yield text(LEFT + WIDTH / 2, y_of(0) + 34, "milliseconds from request to answer")


def svg(curves: Mapping[str, Sequence[float]]) -> str:
    """The picture: for each curve the share of invokes that took at most so long."""
    parts = list(axes())
    for number, (name, times_ms) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        marks = [n / 200 for n in range(200)] + [1 - 1 / max(200, len(times_ms))]
        parts.append(line([(x_of(percentile(times_ms, m)), y_of(m)) for m in marks], colour, 2))
        p50, p99 = percentile(times_ms, 0.5), percentile(times_ms, 0.99)
        label = f"{name}: p50 {p50:.2f}, p99 {p99:.2f} ms"
        parts.append(text(LEFT, y_of(0) + 56 + 16 * number, label, colour, "start"))
    size = f'width="{LEFT + WIDTH + 20}" height="{TOP + HEIGHT + 56 + 16 * len(curves)}"'
    style = 'font-family="sans-serif" font-size="11"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def measure(path: Path, quick: bool) -> None:
    """Measures, prints and draws."""
    curves = {}
    for curve in measured(*((500, 10) if quick else (5000, 100))):
        curves[curve.name] = curve.times_ms
        p50, p99 = percentile(curve.times_ms, 0.5), percentile(curve.times_ms, 0.99)
        show(curve.name, f"p50 {p50:.2f} ms", f"p99 {p99:.2f} ms")
    path.write_text(svg(curves))


if __name__ == "__main__":
    measure(Path(sys.argv[1]), "--quick" in sys.argv)
