"""What the parts of `bench.speed` share: clocks, child processes, and sounds to feed them.

Each figure is wall time and CPU time: on a machine that others use as well, only the second
says how much work was done.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from bench import ROOT
from crnn import paths
from crnn.audio import workers
from crnn.bundles.bundle import Bundle
from crnn.data import demo
from crnn.features.archive import LogMelArchive, read_archive
from crnn.features.front_ends import check_front_end

SOURCE_RATE = 44_100
# Of the bundled models the one that reads GTZAN's log-mel archive.
ARCHIVE_MODEL = "gtzan-crnn"
Sound = npt.NDArray[np.float32]


# A process of its own: Linux counts the memory of a parent as that of the child that it forks.
_LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds, cpu_seconds = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, cpu_seconds, usage.ru_maxrss]))
"""


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds; `peak_mb` of resident memory where it was a process of its own."""

    seconds: float
    cpu_seconds: float
    peak_mb: float = 0.0


Figures = dict[str, Any]


def compared(ours: Cost, theirs: Cost, aim: str, **more: Any) -> Figures:
    """A row: both costs, and how many times ours goes into theirs.

    Args:
        ours: What is measured.
        theirs: Its baseline.
        aim: In words.
        more: What else the row tells.
    """
    return {
        "ours": asdict(ours),
        "baseline": asdict(theirs),
        "times_faster": theirs.seconds / ours.seconds,
        "times_less_cpu": theirs.cpu_seconds / ours.cpu_seconds,
        "aim": aim,
        **more,
    }


def alternate(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, Cost]:
    """Median cost of each contestant, called in turn so that a busy minute burdens all; the first call warms up.

    Args:
        contestants: What is called, by name.
        repeats: Calls of each that count, after the first.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for round_number in range(repeats + 1):
        for name, work in contestants.items():
            cost = _timed(work)
            if round_number:
                costs[name].append(cost)
    return {name: median(found) for name, found in costs.items()}


def _timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return Cost(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    """Of this process and of the workers that decode for it, where the system counts theirs."""
    total = time.process_time()
    for pid in workers.worker_pids():
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    return total


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in Cost.__dataclass_fields__))


def child(*arguments: str | Path) -> Cost:
    """Run `python ARGUMENTS…` from the repository's root to its end, its workers included.

    Raises:
        RuntimeError: It failed.
    """
    # Without .pyc files an import costs twice as much, and nobody runs the app that way.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-S", "-c", _LAUNCHER, sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    status, seconds, cpu_seconds, peak = json.loads(done.stdout)
    if status:
        raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {status}: {done.stderr[-2000:]}")
    return Cost(seconds, cpu_seconds, peak / (1e6 if sys.platform == "darwin" else 1e3))


def children(contestants: dict[str, Sequence[str | Path]], repeats: int) -> dict[str, Cost]:
    """Median cost of each command of Python, run in turn; the first round fills the disk's cache.

    Args:
        contestants: Arguments of `python`, by name.
        repeats: Runs of each that count, after the first.

    Raises:
        RuntimeError: One of them failed.
    """
    rounds = [{name: child(*arguments) for name, arguments in contestants.items()} for _ in range(repeats + 1)]
    return {name: median([costs[name] for costs in rounds[1:]]) for name in contestants}


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in use.

    Raises:
        OSError: It is gone, or this system has no /proc.
    """
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def resident_mb(pid: int) -> float:
    """Memory of a process that is in use; 0 where it is gone, or the system has no /proc."""
    try:
        return resident_bytes(pid) / 2**20
    except OSError:
        return 0.0


def music(seconds: float) -> Sound:
    """A medley of synthesized pieces of 30 s, float32 `(n_samples,)` at `SOURCE_RATE`.

    Args:
        seconds: Its length; the last piece is cut.
    """
    styles = sorted(demo.STYLES)
    n_pieces = int(np.ceil(seconds / 30))
    pieces = [demo.synthesize(styles[i % len(styles)], i, 30.0, SOURCE_RATE) for i in range(n_pieces)]
    return np.concatenate(pieces)[: int(seconds * SOURCE_RATE)]


def archive_for(bundle: Bundle) -> LogMelArchive:
    """GTZAN's log-mel archive of GENRESCOPE_DATA, for a model that reads it.

    Raises:
        DatasetError: The model reads another front end: what it says of the archive would mean nothing.
    """
    archive = read_archive(paths.data_dir() / "gtzan-logmel.npz")
    check_front_end(archive.made_with, bundle.feature_config, "gtzan-logmel.npz")
    return archive


def labelled(folder: Path, split: str) -> list[tuple[Path, str]]:
    """File and genre of each track of a part, in the order of the folder's `tracks.csv`.

    Args:
        folder: Of the table and the sounds, such as `gtzan-audio`.
        split: Of the part, such as `valid`.
    """
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        return [(folder / row["file"], row["genre"]) for row in csv.DictReader(file) if row["split"] == split]


def write_mp3(path: Path, samples: Sound, repeats: int = 1) -> Path:
    """A stereo mp3 of 192 kbit/s that plays `samples` `repeats` times.

    mp3 frames may be repeated as they are, which spares the encoding of three hours.

    Args:
        path: Where it is written; returned.
        samples: One channel, `(n_samples,)` at `SOURCE_RATE`; the other is the same, 331 samples later.
        repeats: How often they follow one another.
    """
    import av

    stereo = np.stack([samples, np.roll(samples, 331)]).astype(np.float32)
    # Without the header frame that tells a player how long the sound is: it would be wrong.
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=SOURCE_RATE, layout="stereo")
        stream.bit_rate = 192_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo), format="fltp", layout="stereo")
        frame.sample_rate = SOURCE_RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    content = path.read_bytes()
    with path.open("wb") as file:
        for _ in range(repeats):
            file.write(content)
    return path


def write_wav(path: Path, samples: Sound) -> Path:
    """A mono wav of 16 bits.

    Args:
        path: Where it is written; returned.
        samples: `(n_samples,)` at `SOURCE_RATE`.
    """
    soundfile.write(path, samples, SOURCE_RATE, subtype="PCM_16")
    return path
