"""What a visitor waits for, on a server and in Chromium: first paint, verdict, zoom, why, live.

`python -m bench.browsing` measures the second minute with sounds that it synthesizes: seconds from an upload to its
verdict, to the detail of a zoom and to the reasons; how soon and how often the microphone is answered; the server's
memory after each. `--out` keeps the figures, `--against` prints them beside older ones (`bench.compared`). Its parts
serve `bench.speed` and `bench.live`, too.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import ROOT, compared
from bench.measuring import Cost, median, music, resident_mb, write_mp3, write_wav
from bench.serving import await_up, chromium, free_port, run_command

MODULE = "bench.browsing"
ONE_LINE = "import streamlit as st\nst.write('Ready')\n"
PLAYER = """\
import streamlit as st
given = st.file_uploader("Sound")
if given is not None:
    st.audio(given.getvalue())
"""
_UPLOAD = '[data-testid="stFileUploaderDropzoneInput"]'
_VERDICT = '[data-testid="stMain"] h3'
_PATIENCE_SECONDS = 180
_DETAIL_BYTES = 50_000


def first_paint(folder: Path, repeats: int) -> dict[str, Cost]:
    """Cost from starting the server to the first words of Listen, and of an app of one line.

    Args:
        folder: Takes the script of the app of one line.
        repeats: Rounds whose median is told, after one that is not.
    """
    scripts = {"listen": (ROOT / "app.py", '[role="tab"]'), "one line": (_script(folder, ONE_LINE), "text=Ready")}
    costs: dict[str, list[Cost]] = {name: [] for name in scripts}
    with chromium() as browser:
        for round_number in range(repeats + 1):
            for name, (script, sign) in scripts.items():
                began = time.perf_counter()
                with server(script) as (address, process):
                    page = browser.new_page()
                    page.goto(address)
                    page.locator(sign).first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
                    seconds = time.perf_counter() - began
                    page.close()
                    cpu = _end(process)
                if round_number:
                    costs[name].append(Cost(seconds, cpu))
    return {name: median(found) for name, found in costs.items()}


def upload(folder: Path, sound: Path, repeats: int) -> dict[str, Cost]:
    """Cost from giving the sound to its verdict on Listen, and to the player of an app that only plays.

    The CPU time is that of the server.

    Args:
        folder: Takes the script of that app, and a copy of the sound for each upload.
        sound: An mp3; each copy has other bytes at its end, so that no answer is found again.
        repeats: Rounds whose median is told, after one that is not.
    """
    scripts = {"listen": (ROOT / "app.py", _VERDICT), "player": (_script(folder, PLAYER), "audio")}
    costs: dict[str, list[Cost]] = {name: [] for name in scripts}
    with chromium() as browser, contextlib.ExitStack() as stack:
        addresses = {name: stack.enter_context(server(script)) for name, (script, _) in scripts.items()}
        content = sound.read_bytes()
        for round_number in range(repeats + 1):
            for name, (_, sign) in scripts.items():
                # A few bytes at the end make it another file, so that no cache knows its answer.
                given = folder / f"{name}{round_number}.mp3"
                given.write_bytes(content + bytes([round_number]) * 8)
                address, process = addresses[name]
                cost = _upload_once(browser, address, process, given, sign)
                if round_number:
                    costs[name].append(cost)
    return {name: median(found) for name, found in costs.items()}


# When each answer was seen on the page, in milliseconds, and for how much sound.
_WATCH = """
(place) => {
  window.seen = [];
  new MutationObserver(() => {
    const seconds = Number(place.dataset.seconds);
    if (!place.hidden && seconds !== window.seen.at(-1)?.[1]) window.seen.push([performance.now(), seconds]);
  }).observe(place, { attributes: true });
}
"""


def live(microphone: Path, *, seconds: float) -> dict[str, float]:
    """How soon and how often Listen answers while the microphone is open.

    Args:
        microphone: A 16-bit wav that Chromium's microphone plays.
        seconds: How long it listens.
    """
    heard = [f"--use-file-for-fake-audio-capture={microphone}", "--use-fake-device-for-media-stream"]
    with chromium(*heard, "--use-fake-ui-for-media-stream") as browser, server(ROOT / "app.py") as (address, process):
        page = browser.new_context(permissions=["microphone"]).new_page()
        page.goto(address)
        page.locator(".live .go").wait_for(timeout=_PATIENCE_SECONDS * 1000)
        page.wait_for_timeout(3000)  # Listen warms its model up while people look for their file
        page.locator(".live .answer").evaluate(_WATCH)
        page.locator(".keep input").check()
        cpu, began = _cpu_seconds(process.pid), page.evaluate("performance.now()")
        page.locator(".live .go").click()
        page.wait_for_timeout(1000 * seconds)
        seen = page.evaluate("window.seen")
        ended = time.perf_counter()
        page.locator(".live .go").click()
        page.locator(_VERDICT).first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
        to_verdict = time.perf_counter() - ended
        cpu = _cpu_seconds(process.pid) - cpu
        memory = round(resident_mb(process.pid), 1)
    times = [at / 1000 for at, _ in seen]
    return {
        "press_to_first_answer_seconds": round(times[0] - began / 1000, 2),
        "answers_a_second": round((len(times) - 1) / (times[-1] - times[0]), 2),
        "longest_pause_seconds": round(max(b - a for a, b in itertools.pairwise(times)), 2),
        "end_to_verdict_seconds": round(to_verdict, 2),
        "server_cpu_seconds_a_second": round(cpu / (seconds + to_verdict), 2),
        "server_mb": memory,
    }


def second_minute(sound: Path) -> dict[str, float]:
    """What comes after an upload: seconds to its verdict, to the detail of a zoom, to reasons and their words; memory.

    Args:
        sound: A file of music, of two minutes or more.
    """
    with chromium() as browser, server(ROOT / "app.py") as (address, process):
        page = browser.new_page()
        received: list[tuple[float, int]] = []

        def watch(socket: Any) -> None:
            socket.on("framereceived", lambda frame: received.append((time.perf_counter(), len(frame))))

        page.on("websocket", watch)
        page.goto(address)
        page.locator(_UPLOAD).wait_for(state="attached", timeout=_PATIENCE_SECONDS * 1000)
        page.wait_for_timeout(3000)  # Listen warms its model up while people look for their file
        began = time.perf_counter()
        page.locator(_UPLOAD).set_input_files(sound)
        page.locator(_VERDICT).first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
        found = {"verdict_seconds": time.perf_counter() - began}
        page.locator(".picture canvas").first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
        page.wait_for_timeout(2000)
        page.locator(".overlay").focus()
        for _ in range(4):
            page.keyboard.press("+")
        began = time.perf_counter()
        # What is drawn anew comes as one message of some hundred kilobytes.
        while not (late := [at for at, n_bytes in received if at > began and n_bytes > _DETAIL_BYTES]):
            page.wait_for_timeout(10)
        found["zoom_seconds"] = late[0] - began
        began = time.perf_counter()
        page.get_by_role("button", name="Why?").click()
        for name, words in (
            ("reasons", "measured by deleting"),
            ("words_of_reasons", "the answer stays the same|it would"),
        ):
            page.get_by_text(re.compile(words)).first.wait_for(timeout=_PATIENCE_SECONDS * 1000)
            found[f"{name}_seconds"] = time.perf_counter() - began
        found["server_mb"] = resident_mb(process.pid)
    return {name: round(seconds, 2) for name, seconds in found.items()}


def _upload_once(browser: Any, address: str, process: subprocess.Popen[bytes], given: Path, sign: str) -> Cost:
    page = browser.new_page()
    page.goto(address)
    page.locator(_UPLOAD).wait_for(state="attached", timeout=_PATIENCE_SECONDS * 1000)
    if sign == _VERDICT:
        page.wait_for_timeout(3000)  # Listen warms its model up while people look for their file
    cpu, began = _cpu_seconds(process.pid), time.perf_counter()
    page.locator(_UPLOAD).set_input_files(given)
    page.locator(sign).first.wait_for(state="attached", timeout=_PATIENCE_SECONDS * 1000)
    cost = Cost(time.perf_counter() - began, _cpu_seconds(process.pid) - cpu)
    page.close()
    return cost


def _script(folder: Path, source: str) -> Path:
    path = folder / f"app{len(list(folder.iterdir()))}.py"
    path.write_text(source)
    return path


@contextlib.contextmanager
def server(script: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a Streamlit app, on a port of its own."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(run_command(script, port), cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            await_up(port, process, Path(log.name))
            yield f"http://localhost:{port}", process
        finally:
            if process.returncode is None:
                process.terminate()
                process.wait(30)


def _end(process: subprocess.Popen[bytes]) -> float:
    """End a server; the CPU seconds that it took in all."""
    process.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far; 0 where the system has no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return 0.0
    user, system = stat.read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the figures, or the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the file that is uploaded")
    parser.add_argument(
        "--live-seconds", type=float, default=15.0, help="how long the microphone is open; 0: not at all"
    )
    compared.add_options(parser)
    options = parser.parse_args()
    earlier = compared.before(options, MODULE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, Any] = {
            "second_minute": second_minute(write_mp3(folder / "song.mp3", music(options.seconds)))
        }
        if options.live_seconds:
            wav = write_wav(folder / "microphone.wav", music(30.0))
            figures["live"] = live(wav, seconds=options.live_seconds)
    compared.finish(figures, options, MODULE, earlier)
    return 0


if __name__ == "__main__":
    sys.exit(main())
