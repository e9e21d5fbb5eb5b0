"""Acts of `bench.attack` that no widget is needed for: forged values, others' media, what is the host's to ask.

    python -m bench.forging

sends every widget and component of every page values that no browser sends, and tells which of them end in an error
for their sender.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sounds import chirp, sine, wav_bytes

from bench.attacking import CameThroughError, hold
from bench.clients import Client, texts
from bench.measuring import resident_bytes
from bench.serving import NotServedError, served
from ui.shared.steady import WINDOW_SECONDS

Write = Callable[[Any], object]

# Who says more than twenty words a second is disconnected (`ui.shared.asked`), on a quiet machine before the end.
_PAUSE_SECONDS = 0.05
# Of each page's values so many are sent by the act: together of all kinds, and half a minute. `main` sends all.
_EVERY = 25
PAGES = ("", "Explore", "Train", "Models")
_TRIGGERS = "$$STREAMLIT_INTERNAL_KEY_{}__events"
_NAMES = ("segment", "region", "moment", "detail", "told", "former", "strange")
# More digits than Python turns into a number.
_ENDLESS = '{"id": "a", "holds": 1' + "0" * 5000 + "}"
_ODD: tuple[Any, ...] = (
    None, True, -1, 2**60, 1e308, 10**400, float("nan"), float("inf"), "", "x" * 1000, "<b>", [], [1], [[], {}],
    [None, None], [1, float("nan")], {}, {"start": 1}, {"start": "a", "end": []}, {"start": -5, "end": 10**300},
    {"start": 0, "end": 1, "low": {}, "high": []}, {"id": 5},
    {"id": "nobody", "holds": 10**30}, {"listening": 1}, {"listening": "a", "samples": "%%%"},
    {"listening": "a", "number": 1, "rate": 10**9, "at": 0, "samples": "AAAA"},
    {"listening": "a", "number": -1, "rate": 48_000, "at": -1, "samples": "AAA="},
    {"selection": {"rows": [10**6], "columns": [], "cells": [[10**6, "File"]], "points": [{"x": 1}]}},
    {"selection": {"rows": ["a"], "cells": [1], "points": [1]}}, {"selection": []}, {"selection": {"rows": [-1]}},
    {"edited_rows": {"999": {"x": "y"}}, "added_rows": [{}], "deleted_rows": [77]}, {"edited_rows": {"a": 1}},
)  # fmt: skip


def values() -> Iterator[tuple[str, Write]]:
    """Values that no browser sends: what each is, and what writes it into Streamlit's `WidgetState`."""
    for odd in _ODD:
        text = json.dumps(odd)
        yield f"text {text[:40]}", partial(_set, "string_value", text)
        for name in _NAMES:
            yield f"{name}: {text[:40]}", partial(_set, "json_value", f'{{"{name}": {text}}}')
        yield f"all {text[:40]}", partial(_set, "json_value", text)
    for text in ("", "{", "[" * 100_000, "nul", '"\\ud800"', '{"former": ' + _ENDLESS + "}"):
        yield f"JSON {text[:20]}", partial(_set, "json_value", text)
    for number in (float("nan"), float("inf"), -1e300, 1e300):
        yield f"number {number}", partial(_set, "double_value", number)
        yield f"one number {number}", partial(_extend, "double_array_value", [number])
        yield f"numbers {number}", partial(_extend, "double_array_value", [number, number])
    yield "no number", partial(_extend, "double_array_value", [])
    yield "whole number", partial(_set, "int_value", -(2**63))
    yield "whole numbers", partial(_extend, "int_array_value", [2**62] * 50)
    yield "words", partial(_extend, "string_array_value", ["no such choice"] * 50)
    yield "bytes", partial(_set, "bytes_value", b"\xff" * 100)
    yield "press", partial(_set, "trigger_value", True)
    yield "tick", partial(_set, "bool_value", True)
    yield "chat", lambda state: setattr(state.chat_input_value, "data", "hello")
    yield "word", lambda state: setattr(state.string_trigger_value, "data", "no such choice")
    yield (
        "file",
        lambda state: state.file_uploader_state_value.uploaded_file_info.add(name="../x", size=2**40, file_id="1"),
    )


def _set(field: str, value: Any, state: Any) -> None:
    setattr(state, field, value)


def _extend(field: str, values: list[Any], state: Any) -> None:
    getattr(state, field).SetInParent()
    getattr(state, field).data.extend(values)


def events() -> Iterator[tuple[str, Write]]:
    """What no component of ours triggers."""
    for odd in _ODD:
        for told in ({"event": "former", "value": odd}, [{"event": "strange", "value": odd}], [odd], odd):
            text = json.dumps(told)
            yield f"event {text[:50]}", partial(_set, "json_trigger_value", text)
    for text in ("{", '{"event": "former", "value": ' + _ENDLESS + "}"):
        yield f"event {text[:50]}", partial(_set, "json_trigger_value", text)


def widgets(messages: list[Any]) -> dict[str, str]:
    """Kinds of the widgets of a page, by id."""
    found: dict[str, str] = {}
    holders = (holder for message in messages for holder in (message.delta.new_element, message.delta.add_block))
    for field, part in itertools.chain.from_iterable(holder.ListFields() for holder in holders):
        identity = str(getattr(part, "id", "")) if field.message_type else ""
        if not identity.startswith("$$ID"):
            continue
        found[identity] = field.name
        if field.name == "bidi_component":
            found[_TRIGGERS.format(identity)] = "event"
    return found


def errors(messages: list[Any]) -> list[str]:
    """Errors of Streamlit's own on a page."""
    found = [m.delta.new_element.exception for m in messages if m.delta.new_element.HasField("exception")]
    return [f"{error.type}: {error.message}" for error in found]


def forged(client: Client, page: str, *, first: int = 0, every: int = 1) -> Iterator[tuple[str, list[str]]]:
    """Values sent to all widgets of a page in one message, and the errors that they ended in.

    Args:
        client: Who sends them.
        page: Its name.
        first: Number of the first value that is sent.
        every: Which of those after it are.
    """
    known = widgets(client.open_page(page))
    for name, write in (*values(), *events())[first::every]:
        time.sleep(_PAUSE_SECONDS)
        group = [key for key, kind in known.items() if (kind == "event") == name.startswith("event")]
        told = client.say(partial(_write_all, group, write))
        yield name, errors(told)
        # A page that was led elsewhere is come back to.
        known |= widgets(told)


def _write_all(ids: list[str], write: Write, run: Any) -> None:
    for key in ids:
        state = run.widget_states.widgets.add()
        state.id = key
        write(state)


def forge_values(folder: Path) -> str:
    """Send every widget of every page values that no browser sends; the page answers as if they had not come."""
    n_sent = 0
    with served(folder) as (host, _), Client(host) as client:
        client.open_page()
        client.give("a.wav", wav_bytes(sine(60.0, 5.0)))
        for number, page in enumerate(PAGES):
            for name, found in forged(client, page, first=number, every=_EVERY):
                n_sent += 1
                hold(not found, f"{page or 'Listen'}: {name}: {found}")
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    hold("Traceback" not in log, "a traceback in the log")
    return f"{n_sent} values to all widgets of four pages: dropped, {log.count('was dropped')} lines in the log"


def addresses(messages: list[Any]) -> list[str]:
    """Addresses of media that a page was given."""
    found = [address for message in messages for address in re.findall(rb"/media/[\w.-]+", message.SerializeToString())]
    return sorted({address.decode() for address in found})


def fetch_anothers_media(folder: Path) -> str:
    """Fetch what another plays and downloads by its address, and find an address by knowing the song."""
    song = wav_bytes(chirp(5.0))
    with served(folder) as (host, _), Client(host) as ann, Client(host) as ben:
        ann.open_page()
        given = addresses(ann.give("a.wav", song))
        hold(len(given) >= 3, f"{given} are all that the page plays and downloads")
        # The same song under the same name, which is all that an address followed from.
        same = addresses(ben.give("a.wav", song))
        hold(not set(given) & set(same), "two visitors have one address")
        for address in given:
            status, data = ann.fetch(address)
            hold(status == 200 and len(data) > 0, f"its own visitor gets {status}")
            status, part = ann.fetch(address, part="bytes=10-19")
            hold((status, part) == (206, data[10:20]), f"a part gives {status}")
            for who, cookie in (
                ("another visitor", ben.cookie),
                ("nobody", ""),
                ("rubbish", "_streamlit_xsrf=2|a|b|c"),
            ):
                hold(ben.fetch(address, cookie=cookie)[0] == 404, f"{who} gets {address}")
                hold(
                    ben.fetch(address, cookie=cookie, part="bytes=999999999-")[0] == 404,
                    f"{who} learns that it is there",
                )
    return f"404 for {len(given)} addresses: to another visitor, without a cookie, with a forged one; parts for its own"


def ask_for_the_hosts(folder: Path) -> str:
    """Ask by the socket for what is the host's: clear all caches, tell the checkout's files, write beside the app."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    with served(folder) as (host, pid), Client(host) as ann, Client(host) as ben:
        ann.open_page()
        ben.open_page()
        for write in (
            lambda message: setattr(message, "clear_cache", True),
            lambda message: setattr(message, "load_git_info", True),
            lambda message: setattr(message, "set_run_on_save", True),
            lambda message: message.backend_operation_request.install_skills.SetInParent(),
            lambda message: message.backend_operation_request.dismiss_skills_nudge.SetInParent(),
        ):
            message = BackMsg()
            write(message)
            if message.HasField("backend_operation_request"):
                message.backend_operation_request.session_id = ben.session_id
            ben.socket.send(message.SerializeToString())
        before, began = resident_bytes(pid), time.monotonic()
        n_ids = len(ben.ask_for_ids(3_000_000, ""))
        seconds = time.monotonic() - began
        hold(n_ids < 1000, f"{n_ids} uploads are expected of one visitor")
        grown = (resident_bytes(pid) - before) >> 20
        hold(grown < 400, f"three million names of files took {grown} MB")
        told = [message.WhichOneof("type") for message in ben.open_page()]
        hold("git_info_changed" not in told, "it tells what is not committed")
        ann.give("a.wav", wav_bytes(sine(60.0, 5.0)))
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    hold(log.count("asked for what is not its own") == 5, "not all were refused")
    return f"five of five not heard; three million names of files at once: {seconds:.0f} s, {grown} MB"


def never_stop_talking(folder: Path) -> str:
    """Ask for the page again and again without a pause; another visitor is answered meanwhile."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from websockets.exceptions import ConnectionClosed

    message = BackMsg()
    message.rerun_script.query_string = ""
    data = message.SerializeToString()
    is_over = threading.Event()

    def talk(host: str, n_heard: list[int]) -> None:
        while not is_over.is_set():
            # Who is cut off comes again.
            with Client(host) as rude, contextlib.suppress(ConnectionClosed):
                while not is_over.is_set():
                    rude.socket.send(data)
                    n_heard[0] += 1

    with served(folder) as (host, _), Client(host) as fair:
        fair.open_page()
        sent = [0]
        talker = threading.Thread(target=talk, args=(host, sent), daemon=True)
        talker.start()
        try:
            time.sleep(2.0)
            began = time.monotonic()
            said = texts(fair.give("a.wav", wav_bytes(sine(60.0, 5.0))))
            seconds = time.monotonic() - began
        finally:
            is_over.set()
            talker.join(30)
        hold(any("Sounds like bass" in line for line in said), f"no answer: {said}")
        hold(seconds < 30, f"the answer took {seconds:.0f} s")
        hold(sent[0] > 1000, f"only {sent[0]} messages were sent")
    return f"{sent[0]} messages sent over and over; another's answer came after {seconds:.1f} s"


def send_many_at_once(folder: Path) -> str:
    """Begin twelve uploads of 45 MB at once and end none of them; each counts, and none holds its share for long."""
    edge = b'--edge\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n'
    with served(folder) as (host, pid), Client(host) as client, contextlib.ExitStack() as open_ones:
        client.open_page()
        before, statuses = resident_bytes(pid), []
        waiting = []
        for file_id in client.ask_for_ids(12):
            connection = http.client.HTTPConnection(host, timeout=3)
            open_ones.callback(connection.close)
            connection.putrequest("PUT", f"/_stcore/upload_file/{client.session_id}/{file_id}")
            for name, value in (
                ("Content-Type", "multipart/form-data; boundary=edge"),
                ("Content-Length", str(45 * 2**20)),
                ("Cookie", client.cookie),
                ("X-Xsrftoken", client.cookie.partition("=")[2]),
            ):
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(OSError):
                connection.send(edge + bytes(40 * 2**20))
            try:
                statuses.append(connection.getresponse().status)
            except OSError:
                # It waits for the rest, or was cut off.
                statuses.append(0)
                waiting.append(connection)
        grown = (resident_bytes(pid) - before) >> 20
        ended = [_ended(connection) for connection in waiting]
    hold(statuses.count(413) >= 8, f"{statuses}")
    hold(grown < 200, f"memory grew by {grown} MB")
    hold(all(ended), "one that stood still was not ended")
    return (
        f"{len(ended)} are taken in, the rest refused ({statuses.count(413)} times 413); memory {grown} MB more; those "
        "that stand still are ended"
    )


def begin_long_messages(folder: Path) -> str:
    """Begin four messages of 150 MB by the page's socket and end none of them; have 5 MB repeated in a reply."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    with served(folder) as (host, pid), Client(host) as client, contextlib.ExitStack() as open_ones:
        client.open_page()
        before, n_cut, n_bytes = resident_bytes(pid), 0, 150 * 2**20
        for _ in range(4):
            connection = socket.create_connection((host.partition(":")[0], int(host.partition(":")[2])), timeout=30)
            open_ones.callback(connection.close)
            connection.sendall(
                f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            hold(b" 101 " in connection.recv(4096), "the socket did not open")
            try:
                # A binary frame, its mask nothing; the last byte never comes.
                connection.sendall(b"\x82\xff" + n_bytes.to_bytes(8, "big") + bytes(4) + bytes(n_bytes - 1))
            except OSError:
                n_cut += 1
        time.sleep(2.0)
        grown = (resident_bytes(pid) - before) >> 20
        asked = BackMsg()
        asked.file_urls_request.request_id = "x" * (5 * 2**20)
        client.socket.send(asked.SerializeToString())
        longest = max(len(message.SerializeToString()) for message in client.open_page())
        hold(len(client.ask_for_ids(1)) == 1, "a fair request was not answered")
    hold(grown < 60, f"memory grew by {grown} MB, {n_cut} of 4 cut off")
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    hold(longest < 2**20 and "asked for what is not its own" in log, f"a reply of {longest >> 20} MB came back")
    return f"{n_cut} of 4 cut off, memory {grown} MB more; what a reply would repeat is not heard"


def _ended(connection: http.client.HTTPConnection) -> bool:
    """Whether an upload that stands still is told so, or cut off, when its time is over."""
    if connection.sock is None:
        return True
    connection.sock.settimeout(WINDOW_SECONDS + 30)
    try:
        return connection.sock.recv(12) in {b"HTTP/1.1 408", b""}
    except TimeoutError:
        return False
    except OSError:
        return True


def main() -> int:
    """Send them one by one; 1 if one came through."""
    n_sent = n_broken = 0
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (host, _), Client(host) as client:
        client.open_page()
        client.give("a.wav", wav_bytes(sine(60.0, 5.0)))
        for page in PAGES:
            for name, told in forged(client, page):
                n_sent += 1
                n_broken += bool(told)
                if told:
                    print(f"{page or 'Listen'}: {name}: {told}", flush=True)
        log = Path(folder, "log.txt").read_text(encoding="utf-8", errors="replace")
    if "Traceback" in log:
        print(log[log.index("Traceback") :][-6000:])
    print(f"{n_sent} values, {n_broken} errors, {log.count('Traceback')} tracebacks in the log")
    return int(n_broken > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CameThroughError, NotServedError) as err:
        sys.exit(str(err))
