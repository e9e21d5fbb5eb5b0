"""Archives from a real HTTP server on this machine: whole, resumed, checked, and everything that goes wrong."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes

from crnn.__main__ import main
from crnn.data import download, user_clips
from crnn.data.scan import scan
from crnn.errors import DatasetError
from crnn.owner import MACHINE


def music_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip_file:
        for genre in ("jazz", "rock"):
            for number in range(3):
                zip_file.writestr(f"{genre}/{genre}{number}.wav", wav_bytes(sine(200.0 + 50 * number, 2.0), RATE))
    return out.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content` at /music.zip, with ranges; `breaks_after` cuts the next answers short by so many bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag = music_zip(), '"one"'
        self.breaks_after: list[int] = []
        self.asked: list[str | None] = []
        self.takes_ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/music.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if self.path == "/moved.zip":
            return self._redirect("/music.zip")
        if self.path == "/local.zip":
            return self._redirect("file:///etc/passwd")
        if self.path == "/ftp.zip":
            return self._redirect("ftp://127.0.0.1/music.zip")
        if self.path != "/music.zip":
            return self.send_error(404)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range", server.tag) == server.tag
        start = int(found[1]) if found and server.takes_ranges and is_same else 0
        if start and start >= len(server.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - start))
        self.send_header("ETag", server.tag)
        self.end_headers()
        body = server.content[start:]
        self.wfile.write(body[: server.breaks_after.pop(0)] if server.breaks_after else body)
        return None

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


pytestmark = pytest.mark.usefixtures("home")


def parts() -> list[Path]:
    return list(user_clips.uploads_dir(MACHINE).glob("*/.*.part"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_zip_is_fetched_checked_unpacked_and_not_fetched_twice(server: Server):
    seen: list[tuple[int, int | None]] = []
    fetched = download.fetch(
        server.url, sha256=sha256(server.content).upper(), on_progress=lambda *facts: seen.append(facts), owner=MACHINE
    )
    assert fetched.sha256 == sha256(server.content)
    assert fetched.path.read_bytes() == server.content
    assert seen[-1] == (len(server.content), len(server.content))
    assert user_clips.uploads(MACHINE) == [fetched.path]
    assert scan(fetched.path).genres == ("jazz", "rock")
    assert download.fetch(server.url, owner=MACHINE) == fetched
    assert len(server.asked) == 1
    assert parts() == []


def test_a_broken_connection_goes_on_by_itself(server: Server):
    server.breaks_after = [1000, 5000]
    fetched = download.fetch(server.url, owner=MACHINE)
    assert fetched.path.read_bytes() == server.content
    assert server.asked == [None, "bytes=1000-", "bytes=6000-"]


def test_a_dead_server_keeps_the_part_and_a_later_fetch_goes_on(server: Server):
    server.breaks_after = [1000, 0, 0, 0]
    with pytest.raises(DatasetError, match=r"127\.0\.0\.1 broke after 0\.0 MB\. These are kept"):
        download.fetch(server.url, owner=MACHINE)
    assert [part.stat().st_size for part in parts()] == [1000]
    server.breaks_after = []
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content
    assert server.asked[-1] == "bytes=1000-"


def test_a_page_that_is_left_in_mid_download_loses_nothing(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "_BLOCK_BYTES", 4096)

    class LeftError(BaseException):
        """As Streamlit ends a run."""

    def leave(done: int, total: int | None) -> None:
        if done >= 8192:
            raise LeftError

    with pytest.raises(LeftError):
        download.fetch(server.url, on_progress=leave, owner=MACHINE)
    assert parts()[0].stat().st_size >= 4096
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content
    assert server.asked[-1] is not None


def test_another_file_at_the_address_is_not_mixed_with_the_part(server: Server):
    server.breaks_after = [1000, 0]
    with pytest.raises(DatasetError, match="broke after"):
        download.fetch(server.url, owner=MACHINE)
    # Of other bytes from its beginning: a part of the old one would show.
    server.content, server.tag, server.breaks_after = b"PK" + b"other" * 4000, '"two"', []
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content


@pytest.mark.parametrize("tag", ["", 'W/"one"'])
def test_a_part_of_which_nobody_can_say_that_it_is_of_the_same_file_is_not_gone_on_with(server: Server, tag: str):
    server.tag, server.breaks_after = tag, [1000, 0, 0, 0]
    with pytest.raises(DatasetError, match="broke after"):
        download.fetch(server.url, owner=MACHINE)
    server.content, server.breaks_after = b"PK" + b"other" * 4000, []
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content
    assert set(server.asked) == {None}


def test_a_server_without_ranges_sends_the_whole_again(server: Server):
    server.takes_ranges, server.breaks_after = False, [1000]
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content


def test_a_part_longer_than_the_file_begins_anew(server: Server):
    server.breaks_after = [1000, 0]
    with pytest.raises(DatasetError):
        download.fetch(server.url, owner=MACHINE)
    parts()[0].write_bytes(b"x" * (len(server.content) + 5))
    server.breaks_after = []
    assert download.fetch(server.url, owner=MACHINE).path.read_bytes() == server.content


def test_another_checksum_is_told_and_nothing_is_kept(server: Server):
    with pytest.raises(DatasetError, match=f"its SHA-256 is {sha256(server.content)}, not {'0' * 64}"):
        download.fetch(server.url, sha256="0" * 64, owner=MACHINE)
    assert user_clips.uploads(MACHINE) == parts() == []


def test_what_is_no_archive_is_told(server: Server):
    server.content = b"<html>Sign in first</html>"
    with pytest.raises(DatasetError, match="neither a zip nor a log-mel archive"):
        download.fetch(server.url, owner=MACHINE)
    assert user_clips.uploads(MACHINE) == parts() == []


def test_redirects_are_followed_but_not_out_of_http(server: Server):
    moved = server.url.replace("music", "moved")
    assert download.fetch(moved, owner=MACHINE).path.name == "moved.zip"
    with pytest.raises(DatasetError, match="answers 302"):
        download.fetch(server.url.replace("music", "local"), owner=MACHINE)
    with pytest.raises(DatasetError, match="no address that can be fetched"):
        download.fetch(server.url.replace("music", "ftp"), owner=MACHINE)


def test_a_missing_file_is_one_sentence(server: Server):
    with pytest.raises(DatasetError, match=r"127\.0\.0\.1 answers 404"):
        download.fetch(server.url.replace("music", "gone"), owner=MACHINE)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.zip", "http://nowhere.invalid/a.zip"])
def test_without_network_there_is_a_clear_sentence(url: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DatasetError, match=r"cannot be reached .*connected to the network\?"):
        download.fetch(url, owner=MACHINE)
    assert parts() == []


@pytest.mark.parametrize(
    "url", ["", "music.zip", "file:///etc/passwd", "ftp://a/b.zip", "http://", "http://me:pw@a/b.zip", "http://a b/c"]
)
def test_other_addresses_are_refused(url: str):
    with pytest.raises(DatasetError, match="no address that can be fetched"):
        download.fetch(url, owner=MACHINE)


def test_a_checksum_that_is_none_is_told(server: Server):
    with pytest.raises(DatasetError, match="this has 7 characters"):
        download.fetch(server.url, sha256="abc1234", owner=MACHINE)
    assert server.asked == []


def test_too_large_and_too_full_are_told_before_the_download(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "SPARE_DISK_BYTES", 2**62)
    with pytest.raises(DatasetError, match="are free where it would be kept"):
        download.fetch(server.url, owner=MACHINE)
    monkeypatch.setattr(download, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DatasetError, match="are accepted"):
        download.fetch(server.url, owner=MACHINE)
    assert parts() == []


@pytest.mark.slow
def test_a_zip_bomb_from_an_address_meets_the_limits_of_unpacking(server: Server):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip_file, zip_file.open("jazz/a.wav", "w") as member:
        for _ in range(300):
            member.write(bytes(10**6))
    server.content = out.getvalue()
    with pytest.raises(DatasetError, match="times its size"):
        scan(download.fetch(server.url, owner=MACHINE).path)


def test_the_command_prints_where_it_lies(server: Server, capsys: pytest.CaptureFixture[str]):
    assert main(["fetch", server.url, "--sha256", sha256(server.content)]) == 0
    told = capsys.readouterr()
    assert Path(told.out.strip()).read_bytes() == server.content
    assert sha256(server.content) in told.err
    assert main(["fetch", "ftp://a/b.zip"]) == 1


def test_https_is_not_left_for_plain_http():
    handler, request = download._Redirects(), urllib.request.Request("https://music.example/a.zip")
    with pytest.raises(DatasetError, match="music.example leads on to an address without encryption"):
        handler.redirect_request(request, None, 302, "Found", Message(), "http://music.example/a.zip")
    followed = handler.redirect_request(request, None, 302, "Found", Message(), "https://else.example/a.zip")
    assert followed is not None
    assert followed.full_url == "https://else.example/a.zip"
