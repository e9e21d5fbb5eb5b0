"""What a public server takes of a small machine, as a platform gives one: start, two visitors, all that they do.

    python -m bench.small_server --limit 1024
    python -m bench.small_server --limit 1024 --streamlit OTHER_ENVIRONMENT/bin/streamlit

Starts the app as `docs/hosting.md` has it for a platform, listening to all of the network and told no mode. Two
visitors in Chromium, at once on their pages, each give a sound on Listen, teach two genres of four clips, look at eight
views on Explore, and ask why. Prints a line an act with its seconds, and the memory of the server and of its
processes. With `--limit` they get so many MB and no more, by a cgroup of their own: root alone may make one. Sounds are
synthesized; or they are the first of each GENRE of a folder by `--data`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sounds import wav_bytes

from bench import ROOT
from bench.measuring import resident_mb
from bench.serving import await_up, chromium, free_port
from crnn.data import demo

HOST = "genrescope.example"
VIEWS = ("Notes", "Harmony", "Beats", "Loudness", "Timbre", "Tones alone", "Drums alone", "Octaves")
N_VISITORS, N_CLIPS = 2, 4
RATE = 22_050
PATIENCE_MS = 120_000
Sound = tuple[str, bytes]


class Memory:
    """Memory of a process and of all that it started, looked at ten times a second.

    Args:
        pid: Of the process.
        group: Folder of the kernel's control group that it is in, whose peak is told too; None tells none.
    """

    def __init__(self, pid: int, group: Path | None) -> None:
        self._pid, self._group, self._peak = pid, group, 0.0
        self._ended = threading.Event()
        threading.Thread(target=self._look_on, daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()

    def __str__(self) -> str:
        now = self._now()
        self._peak = max(self._peak, now)
        words = f"{now:.0f} MB, {self._peak:.0f} at most"
        if self._group is not None:
            # With the files that were read, which the system lets go of where it must.
            words += f"; {_peak_of(self._group) >> 20} at most by the cgroup"
        return words

    def _now(self) -> float:
        return sum(map(resident_mb, _family(self._pid)))

    def _look_on(self) -> None:
        while not self._ended.wait(0.1):
            self._peak = max(self._peak, self._now())


def _family(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                found += map(int, children.read_text(encoding="ascii").split())
    return found


def make_group(limit_mb: int) -> Path:
    """A cgroup that grants so many MB, of version 2 or 1.

    Raises:
        OSError: It cannot be made here.
    """
    bytes_granted = str(limit_mb << 20)
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").is_file():
        group, names = root / "genrescope-bench", ("memory.max", "memory.swap.max")
        values: tuple[str, ...] = (bytes_granted, "0")
    else:
        group, names = root / "memory" / "genrescope-bench", ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        values = (bytes_granted, bytes_granted)
    group.mkdir(exist_ok=True)
    for name, value in zip(names, values, strict=True):
        # Not every machine counts its swap.
        if (group / name).is_file():
            (group / name).write_text(value, encoding="ascii")
    with contextlib.suppress(OSError):
        (group / "memory.max_usage_in_bytes").write_text("0", encoding="ascii")
    return group


def _peak_of(group: Path) -> int:
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        if (group / name).is_file():
            return int((group / name).read_text(encoding="ascii"))
    return 0


@contextlib.contextmanager
def served(streamlit: str, home: Path, group: Path | None) -> Iterator[tuple[int, int, float]]:
    """Port, process id, and seconds until the app listened.

    Args:
        streamlit: The program.
        home: The server's home.
        group: Cgroup that it is put into.
    """
    port = free_port()
    words = ["run", "app.py", "--server.address", "0.0.0.0", "--server.headless", "true", "--server.port", str(port)]
    enter = f"echo $$ > {group / 'cgroup.procs'} && " if group is not None else ""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "STREAMLIT_SERVER_ALLOWED_HOSTS": HOST}
    began = time.monotonic()
    with (home / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'{enter}exec "$0" "$@"', streamlit, *words],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            await_up(port, process, home / "log.txt")
            yield port, process.pid, time.monotonic() - began
        finally:
            process.terminate()
            process.wait(30)


def sounds(data: Path | None) -> dict[str, list[Sound]]:
    """Clips of two genres or more, enough for every visitor.

    Args:
        data: Folder of GENRE/FILE; None for the demo's.
    """
    n = N_VISITORS * N_CLIPS
    if data is not None:
        by_genre = {folder.name: sorted(folder.iterdir())[:n] for folder in sorted(data.iterdir()) if folder.is_dir()}
        enough = {genre: files for genre, files in by_genre.items() if len(files) == n}
        return {genre: [(file.name, file.read_bytes()) for file in files] for genre, files in list(enough.items())[:2]}
    made: dict[str, list[Sound]] = {}
    for track in demo.tracks():
        clips = made.setdefault(track.genre, [])
        if len(clips) < n and len(made) <= 2:
            clips.append((f"{track.genre}-{len(clips)}.wav", wav_bytes(demo.render(track, RATE), RATE, "PCM_16")))
    return {genre: clips for genre, clips in made.items() if len(clips) == n}


def _give(page: Any, clips: list[Sound]) -> None:
    """Give a page's uploader some clips."""
    files = [{"name": name, "mimeType": "audio/wav", "buffer": data} for name, data in clips]
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(files)


def _listen(page: Any, sound: Sound) -> None:
    """Give a sound on Listen and wait for its answer."""
    page.get_by_role("tab", name="Upload").click()
    _give(page, [sound])
    page.locator('[data-testid="stMain"] h3').first.wait_for()


def _teach(page: Any, clips: dict[str, list[Sound]]) -> None:
    """Teach genres on Train and wait for the report."""
    page.get_by_role("link", name="Train").click()
    page.get_by_text("Teach it genres of your own").wait_for()
    for genre, given in clips.items():
        # The form before it is still on its way out.
        page.wait_for_timeout(1000)
        page.get_by_role("textbox", name="Genre").first.fill(genre)
        _give(page, given)
        page.get_by_text(given[-1][0]).first.wait_for()
        page.get_by_role("button", name="Add them").first.click()
        page.get_by_text(f"{genre} · {len(given)} clips").wait_for()
    page.get_by_role("button", name="Learn them").click()
    page.get_by_role("button", name="Use it on Listen").wait_for()


def explore(page: Any) -> None:
    """Look at all views on Explore, and ask why."""
    page.get_by_role("link", name="Explore").click()
    for view in VIEWS:
        page.get_by_role("button", name=view).first.click()
        page.wait_for_timeout(1500)
    page.get_by_text("Why this genre", exact=True).first.click()
    page.wait_for_timeout(10_000)


def walk(browser: Any, address: str, clips: dict[str, list[Sound]], memory: Memory) -> int:
    """Have the visitors do one act after the other, and tell what each took; the number of faults on their pages.

    Args:
        browser: Chromium.
        address: The app's.
        clips: Of each genre, for all visitors.
        memory: The server's.
    """
    pages = []
    for _ in range(N_VISITORS):
        pages.append(browser.new_context(viewport={"width": 1280, "height": 1000}).new_page())
        pages[-1].set_default_timeout(PATIENCE_MS)
        with _told("first page", memory):
            pages[-1].goto(address)
            pages[-1].get_by_role("tab", name="Upload").wait_for()
    for page, sound in zip(pages, next(iter(clips.values())), strict=False):
        with _told("answer", memory):
            _listen(page, sound)
    for number, page in enumerate(pages):
        mine = slice(N_CLIPS * number, N_CLIPS * (number + 1))
        with _told("Train to the report", memory):
            _teach(page, {genre: given[mine] for genre, given in clips.items()})
    for page in pages:
        with _told("Explore and why", memory):
            explore(page)
    return sum(page.get_by_test_id("stException").count() for page in pages)


@contextlib.contextmanager
def _told(act: str, memory: Memory) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{act}: {time.monotonic() - began:.1f} s; {memory}", flush=True)


def main() -> int:
    """Start, visit, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, metavar="MB", help="all that the server may take")
    parser.add_argument("--streamlit", default=str(Path(sys.executable).parent / "streamlit"))
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of GENRE/FILE")
    options = parser.parse_args()
    group = make_group(options.limit) if options.limit else None
    clips = sounds(options.data)
    with (
        tempfile.TemporaryDirectory() as home,
        served(options.streamlit, Path(home), group) as (port, pid, seconds),
        chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as browser,
    ):
        memory = Memory(pid, group)
        print(f"listens: {seconds:.1f} s; {memory}", flush=True)
        n_faults = walk(browser, f"http://{HOST}:{port}/", clips, memory)
        memory.close()
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
