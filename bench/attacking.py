"""Tools of `bench.attack`: treacherous names and servers, and a client that is no browser."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from sounds import sine, wav_bytes

from bench.clients import Client, texts
from bench.measuring import resident_bytes
from bench.serving import served
from crnn.bundles.library import DEFAULT_MODEL
from crnn.data import public_addresses
from crnn.limits import BY_MODE


class CameThroughError(Exception):
    """An act came through."""


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of files, their names as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, data in files.items():
            info = zipfile.ZipInfo(name.replace("\0", "_"))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.filename = name
            zip_file.writestr(info, data)
    return out.getvalue()


def swelling_files() -> dict[str, bytes]:
    """A log-mel archive that would take a gigabyte, a list of 8 million tracks, and one whose line does not end."""
    dense = io.BytesIO()
    with (
        zipfile.ZipFile(dense, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("log_mel.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (64, 2**17, 128)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(64):
            member.write(bytes(2**24))
    return {
        "dense.npz": dense.getvalue(),
        "many.zip": zipped({"music/tracks.csv": b"file,genre\n" + b"a,b\n" * (2**23 - 2**10)}),
        "long.zip": zipped({"music/tracks.csv": b"file,genre\n" + b"," * (31 * 2**20)}),
    }


def peak_of(work: Callable[[], object]) -> float:
    """The greatest memory of a child process during `work`, in bytes, looked at fifty times a second.

    Not `RUSAGE_CHILDREN`, which remembers every child there ever was.
    """
    peak, is_done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.02):
            for task in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError):
                    for child in (task / "children").read_text().split():
                        peak = max(peak, resident_bytes(int(child)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        is_done.set()
        watcher.join()
    return float(peak)


@contextlib.contextmanager
def redirecting_server(to: str) -> Iterator[str]:
    """An address that leads on to another."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with mock.patch.object(public_addresses, "_PORTS", {80, 443, server.server_port}):
            yield f"http://127.0.0.1:{server.server_port}/music.zip"
        server.shutdown()


@contextlib.contextmanager
def one_open_address() -> Iterator[None]:
    """127.0.0.1, and it alone, taken for an address of the open internet, as there is none to be had in a test."""
    original = public_addresses.is_public
    with mock.patch.object(public_addresses, "is_public", lambda a: a == "127.0.0.1" or original(a)):
        yield


@contextlib.contextmanager
def fickle_name(addresses: tuple[str, ...]) -> Iterator[list[int]]:
    """A name that stands for another address each time that it is looked up; the list grows with each look."""
    asked: list[int] = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(1)
        address = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with mock.patch.object(socket, "getaddrinfo", look_up):
        yield asked


@contextlib.contextmanager
def mixed_name(addresses: tuple[str, ...]) -> Iterator[None]:
    """A name with several addresses at once."""

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    with mock.patch.object(socket, "getaddrinfo", look_up):
        yield


def hold(fact: bool, words: str) -> None:
    """Say that an act came through unless `fact`.

    Args:
        fact: What holds if the act was refused.
        words: What came through.

    Raises:
        CameThroughError: `fact` does not hold.
    """
    if not fact:
        raise CameThroughError(words)


def upload_unasked(folder: Path) -> str:
    """Fill the server's memory under ids that no page gave out, and then beyond a visitor's share."""
    share = BY_MODE["public"].held_bytes
    with served(folder) as (host, pid), Client(host) as client:
        client.open_page()
        before = resident_bytes(pid)
        answers = [client.upload(f"made-up-{n}", bytes(40 * 2**20)) for n in range(8)]
        hold(204 not in answers, f"uploads that nobody asked for were taken: {answers}")
        taken = [client.upload(file_id, bytes(40 * 2**20)) for file_id in client.ask_for_ids(8)]
        hold(taken.count(204) * 40 * 2**20 <= share, f"more than a share was taken: {taken}")
        hold(taken.count(204) == 2, f"a fair upload was refused: {taken}")
        hold(
            client.upload(client.ask_for_ids(1)[0], bytes(BY_MODE["public"].upload_bytes + 2**20)) != 204,
            "one too large",
        )
        grown = (resident_bytes(pid) - before) / 2**20
    hold(grown < 350, f"memory grew by {grown:.0f} MB")
    return f"8 of 8 refused; of 8 more 2 fit his {share >> 20} MB; memory {grown:.0f} MB more"


def leave_traces(folder: Path) -> str:
    """Give sounds that can be heard and that cannot; whatever the server or a child of it opens to write is seen."""
    strace = shutil.which("strace")
    if strace is None:
        return "NOT TRIED: strace is not installed"
    trace, home = folder / "trace.txt", folder / "user"
    home.mkdir(parents=True)
    calls = "trace=open,openat,creat,rename,renameat,renameat2,memfd_create,mkdir,mkdirat,link,linkat,symlink"
    with served(folder, HOME=str(home), TMPDIR=str(home), XDG_CACHE_HOME=str(home)) as (host, pid):
        tracer = subprocess.Popen([strace, "-f", "-qq", "-e", calls, "-o", str(trace), "-p", str(pid)])
        try:
            _wait_until_traced(pid)
            with Client(host) as client:
                client.open_page()
                said = texts(client.give("a.wav", wav_bytes(sine(60.0, 90.0))))
                hold(any("Sounds like bass" in line for line in said), f"no answer: {said}")
                client.give("b.mp3", b"ID3" + bytes(100_000))
                client.give("c.flac", b"fLaC" + bytes(2**21))
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)
    lines = trace.read_text(errors="replace").splitlines()
    hold(any("O_RDONLY" in line for line in lines), "nothing was traced")
    writing = [line for line in lines if _WRITES.search(line) and " = -1 " not in line]
    # Semaphores and what Python compiles hold nothing of an upload.
    found = [line for line in writing if not re.search(r'"/dev/(null|shm/sem\.)|__pycache__', line)]
    hold(not found, f"written: {found[:3]}")
    hold(not [path for path in home.rglob("*") if path.is_file()], "files lie in the server's home")
    return f"of {len(lines)} calls {len(writing)} open something to write: semaphores and /dev/null"


_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|creat\(|rename|memfd_create|mkdir|link\(|linkat|symlink")


def _wait_until_traced(pid: int) -> None:
    """Until strace holds every thread of a process."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        statuses = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        if not any("TracerPid:\t0\n" in status for status in statuses):
            return
        time.sleep(0.1)
    raise CameThroughError("strace could not be attached")


def come_by_another_name(folder: Path) -> str:
    """Open the page's socket under the name of a page of the web, and from a page of another port of this machine."""
    with served(folder, "local") as (host, _):
        # A page of another port that comes before all others is told what a stranger is told.
        with Client(host, origin="http://localhost:9") as first:
            said = " ".join(texts(first.open_page()))
        hold("stays on this machine" not in said, "a page of another port is taken for the person at the machine")
        own = f"http://{host}"
        pages = {
            "another name": ("evil.example", own),
            "a longer name": ("localhost.evil.example", own),
            "another port": (host, "http://localhost:9"),
            "no name": (host, "null"),
            "its own": (host, own),
        }
        statuses = {page: _socket_status(host, name, origin) for page, (name, origin) in pages.items()}
    hold(list(statuses.values()) == [403, 403, 403, 403, 101], f"{statuses}")
    return "403; 101 for its own name and page"


def _socket_status(host: str, name: str, origin: str) -> int:
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    for key, value in (
        ("Host", name),
        ("Origin", origin),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ):
        connection.putheader(key, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def send_rubbish(folder: Path) -> str:
    """Send what no page sends; another visitor must not notice."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from websockets.exceptions import ConnectionClosed

    forged = BackMsg()
    forged.rerun_script.page_script_hash = "../../etc/passwd"
    widget = forged.rerun_script.widget_states.widgets.add()
    widget.id, widget.json_value = "$$ID-forged-models.delete", "{" * 100_000
    with served(folder) as (host, _), Client(host) as fair:
        fair.open_page()
        for rubbish in (b"", b"\xff" * 1000, bytes(5 * 2**20), forged.SerializeToString()):
            # It is cut off, or hears nothing.
            with Client(host) as rude, contextlib.suppress(ConnectionClosed, TimeoutError):
                rude.socket.send(rubbish)
                rude.socket.recv(timeout=3)
        kinds = {message.WhichOneof("type") for message in fair.open_page()}
        hold("delta" in kinds, "another visitor's page is gone")
    hold((folder / "models" / DEFAULT_MODEL / "bundle.json").is_file(), "the model is gone")
    return "the next page of another visitor came whole"


def leave_with_uploads(folder: Path) -> str:
    """Upload a share and leave; nobody comes after."""
    with served(folder) as (host, pid):
        with Client(host) as first:
            first.open_page()
        before = resident_bytes(pid)
        with Client(host) as client:
            client.open_page()
            held = [client.upload(file_id, bytes(45 * 2**20)) for file_id in client.ask_for_ids(2)]
        hold(held == [204, 204], f"{held}")
        peak, left = resident_bytes(pid) - before, time.monotonic()
        while resident_bytes(pid) - before > 30 * 2**20:
            hold(time.monotonic() - left < 120, f"{(resident_bytes(pid) - before) >> 20} MB after two minutes")
            time.sleep(1.0)
        seconds = time.monotonic() - left
    return f"{peak >> 20} MB held, freed {seconds:.0f} s after he left"
