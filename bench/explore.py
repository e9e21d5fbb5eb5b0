"""How fast Explore draws, how much it sends, and whether its memory grows.

`python -m bench.explore [--seconds S] [--long-seconds S] [--changes N]`.
Prints JSON, or with `--against` a table of before and after (`bench.compared`). For every view of a
synthesized sound: seconds to compute and pack it once all is warm (what a change of settings costs
the server), seconds of a second look (from the cache), and bytes sent to the browser; seconds to
draw two seconds that were zoomed to, in each view; what librosa takes for what `masking` does
itself, and how far apart the two are; bytes for a long sound; and the growth of this process
between view changes 20 and N, each with settings of its own, as the page makes them.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import compared, measuring
from crnn.analysis import masking, views
from crnn.analysis.figures import VIRIDIS
from crnn.config import FeatureConfig
from ui import components
from ui.explore import view_panels as exploring

Array = npt.NDArray[Any]
MODULE = "bench.explore"
RATE = FeatureConfig().sample_rate
QUICK_SECONDS, SLOW_SECONDS = 1.0, 4.0
MOST_BYTES = 3_000_000
MOST_GROWTH_MB = 50.0
FIRST_CHANGE = 20
_ZOOM_SECONDS = 2.0


def music(seconds: float) -> npt.NDArray[np.float32]:
    """Chords, clicks and noise: nothing in it is cheap to compress or to track."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE)) / RATE
    roots = 110 * 2 ** (rng.integers(0, 24, int(seconds) + 1) / 12)
    phase = 2 * np.pi * np.cumsum(roots[t.astype(int)]) / RATE
    samples = sum(np.sin(phase * overtone) / overtone for overtone in (1, 2, 3, 5, 8)) * 0.1
    samples += 0.05 * rng.standard_normal(len(t))
    samples[:: RATE // 2] += 0.5
    return samples.astype(np.float32)


@dataclass(frozen=True)
class Cost:
    """What one view took, and what it sends to the browser."""

    seconds: float
    cpu_seconds: float
    n_bytes: int


def _draw(name: str, samples: npt.NDArray[np.float32], digest: str, settings: views.ViewSettings) -> Cost:
    """The cost of one view, by the page's own code with its cache."""
    started, cpu_started = time.perf_counter(), time.process_time()
    drawing = exploring.Drawing(RATE, settings, VIRIDIS)
    found = exploring.view_panel(digest, name, drawing, span=(0.0, len(samples) / RATE), _samples=samples)
    sent = components.payload({"pictures": [found]})
    cost = Cost(time.perf_counter() - started, time.process_time() - cpu_started, len(sent["json"].encode()))
    print(f"{digest}: {name}, {cost.seconds:.2f} s", file=sys.stderr)
    return cost


def times(seconds: float) -> dict[str, dict[str, Any]]:
    """What each view costs, warm and at a second look."""
    samples, found = music(seconds), {}
    for name, kind in views.VIEWS.items():
        # A digest a view: harmonic and percussive part are separated together, and kept together.
        _draw(name, samples, "warm-up", views.ViewSettings())
        redraw = _draw(name, samples, f"timed {name}", views.ViewSettings(range_db=70))
        again = _draw(name, samples, f"timed {name}", views.ViewSettings(range_db=70))
        aim = SLOW_SECONDS if kind.is_slow else QUICK_SECONDS
        found[name] = {
            "redraw_seconds": round(redraw.seconds, 3),
            # Of all cores together: what is left of the time on a machine that does other work too.
            "redraw_cpu_seconds": round(redraw.cpu_seconds, 3),
            "second_look_seconds": round(again.seconds, 4),
            "aim_seconds": aim,
            "bytes": redraw.n_bytes,
            "is_met": redraw.seconds <= aim,
        }
    return found


def zooms(seconds: float) -> dict[str, dict[str, float]]:
    """Seconds, by the clock and of CPU, to draw what is zoomed to at the detail of a screen, of each view."""
    samples = music(seconds)
    found: dict[str, dict[str, float]] = {}
    drawing, middle = exploring.Drawing(RATE, views.ViewSettings(), VIRIDIS), seconds / 2
    for name in views.VIEWS:
        whole = exploring.view_panel("zoom", name, drawing, span=(0.0, seconds), _samples=samples)
        # The first compiles, and is not told.
        for start in (middle - 1, middle):
            started, cpu_started = time.perf_counter(), time.process_time()
            span = (start, start + _ZOOM_SECONDS)
            fine = exploring.closer_panel("zoom", name, whole, drawing, span=span, _samples=samples)
            components.payload({"details": {0: fine}})
            found[name] = {
                "seconds": round(time.perf_counter() - started, 3),
                "cpu_seconds": round(time.process_time() - cpu_started, 3),
            }
    return found


def against_librosa(seconds: float) -> dict[str, dict[str, float]]:
    """What `masking` does itself against librosa: milliseconds of CPU time, their ratio, greatest and mean difference.

    Args:
        seconds: Length of the sound.
    """
    import librosa

    samples = music(seconds)
    mine = masking.stft(samples)
    theirs: Array
    sizes: dict[str, Any]
    theirs, sizes = mine.T, {"n_fft": masking.N_FFT, "hop_length": masking.HOP_LENGTH}
    pairs: dict[str, tuple[Callable[[], Array], Callable[[], Array]]] = {
        "stft": (
            lambda: masking.stft(samples).T,
            lambda: librosa.stft(samples, pad_mode="constant", **sizes),
        ),
        "istft": (
            lambda: masking.istft(mine, len(samples)),
            lambda: librosa.istft(theirs, length=len(samples), **sizes),
        ),
        "percussive_share": (
            lambda: masking.percussive_share(samples).T,
            lambda: librosa.decompose.hpss(np.abs(theirs), kernel_size=(17, 31), mask=True)[1],
        ),
    }
    found = {}
    for name, (ours, librosas) in pairs.items():
        costs = measuring.alternate({"ours": ours, "librosa": librosas}, 5)
        difference = np.abs(ours() - librosas())
        found[name] = {
            "ours_ms": round(1000 * costs["ours"].cpu_seconds, 1),
            "librosa_ms": round(1000 * costs["librosa"].cpu_seconds, 1),
            "ratio": round(costs["librosa"].cpu_seconds / costs["ours"].cpu_seconds, 1),
            "greatest_difference": float(f"{difference.max():.1e}"),
            "mean_difference": float(f"{difference.mean():.1e}"),
        }
    return found


def long_bytes(seconds: float) -> dict[str, dict[str, Any]]:
    """Time and bytes of each view of a long sound."""
    samples, found = music(seconds), {}
    for name in views.VIEWS:
        cost = _draw(name, samples, "long", views.ViewSettings())
        found[name] = {
            "seconds": round(cost.seconds, 1),
            "cpu_seconds": round(cost.cpu_seconds, 1),
            "bytes": cost.n_bytes,
            "is_met": cost.n_bytes <= MOST_BYTES,
        }
    return found


def _growth_mb(n_changes: int, seconds: float) -> float:
    """Memory gained from view change `FIRST_CHANGE` to the last, each one computed anew."""
    samples = music(seconds)
    names = list(views.VIEWS)
    before = 0
    for change in range(n_changes):
        if change == FIRST_CHANGE:
            before = measuring.resident_bytes(os.getpid())
        settings = views.ViewSettings(range_db=60 + change / 10)
        _draw(names[change % len(names)], samples, "memory", settings)
    return (measuring.resident_bytes(os.getpid()) - before) / 2**20


def main() -> int:
    """Print the JSON; 1 if an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--long-seconds", type=float, default=600.0, help="0 leaves the long sound out")
    parser.add_argument("--changes", type=int, default=120, help="0 leaves the memory out")
    compared.add_options(parser)
    wanted = parser.parse_args()
    earlier = compared.before(wanted, MODULE)
    # The cache works without a server, and warns that there is none.
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    found: dict[str, Any] = {"sound_seconds": wanted.seconds, "views": times(wanted.seconds)}
    found["zoom"] = zooms(wanted.seconds)
    found["against_librosa"] = against_librosa(wanted.seconds)
    met = [view["is_met"] for view in found["views"].values()]
    if wanted.changes > FIRST_CHANGE:
        growth = _growth_mb(wanted.changes, wanted.seconds)
        found["memory"] = {
            "growth_mb": round(growth, 1), "aim_mb": MOST_GROWTH_MB, "changes": [FIRST_CHANGE, wanted.changes],
        }  # fmt: skip
        met.append(growth < MOST_GROWTH_MB)
    if wanted.long_seconds:
        found["long"] = {"sound_seconds": wanted.long_seconds, "views": long_bytes(wanted.long_seconds)}
        met += [view["is_met"] for view in found["long"]["views"].values()]
    compared.finish(found, wanted, MODULE, earlier)
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
