"""A zip or log-mel archive from an address: resumed after a break, checked by its SHA-256.

Only http and https, also behind redirects, and for whoever is not at the machine itself only to public
addresses: each connection is made to the very address that was checked, so a name cannot change its mind
in between. What has arrived stays beside its place as
`.NAME.part` until all of it has, so that neither a broken connection nor a closed page
costs more than the piece in hand. Unpacking is `crnn.data.scan.scan`'s, with its limits.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from crnn import __version__, atomic
from crnn.data import public_addresses
from crnn.data.user_clips import check_unpacked, check_uploads, safe_name, uploads_dir
from crnn.errors import DatasetError, DiskFullError
from crnn.limits import MAX_UNPACKED_BYTES, SPARE_DISK_BYTES
from crnn.locks import FileLock
from crnn.owner import Owner

Progress = Callable[[int, int | None], None]

_TIMEOUT_SECONDS = 30.0
_N_TRIES = 4
_BLOCK_BYTES = 1 << 18
# The owner's share of the disk is checked again after this many bytes.
_SHARE_BYTES = 16 * 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched, and its SHA-256."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Place:
    """Where a download goes: its end, the part that is there, what the server said of it, and whose it is."""

    path: Path
    part: Path
    facts: Path
    owner: Owner


def fetch(url: str, *, owner: Owner, sha256: str = "", on_progress: Progress = lambda done, total: None) -> Fetched:
    """The archive at an address, from here on among the uploads; one that is there already is not fetched again.

    Args:
        url: http or https.
        owner: Whose upload it becomes.
        sha256: What its SHA-256 must be; empty if not known.
        on_progress: Called with the bytes there and all of them (None if the server does not say).

    Raises:
        DatasetError: The address or the checksum is none; there is no network, no such file, no room on the disk;
            the connection broke (the part stays); what came is another file, or no archive; the address is of the
            server's own network.
        NotAllowedError, DiskFullError: Nothing is fetched for him, or there is no room for it.
    """
    owner.require("addresses")
    host = _checked_host(url)
    wanted = sha256.strip().lower()
    if wanted and not _SHA256.fullmatch(wanted):
        raise DatasetError(f"A SHA-256 has 64 digits of 0 to 9 and a to f; this has {len(wanted)} characters.")
    place = _place_of(url, owner)
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.path.parent / "lock") as lock:
            if not lock.acquire():
                raise DatasetError(f"“{place.path.name}” is being fetched already. Wait for it.")
            if place.path.is_file():
                digest = atomic.sha256_of(place.path)
                if wanted in {"", digest}:
                    return Fetched(place.path, digest)
            _fetch_part(url, host, place, is_checked=bool(wanted), on_progress=on_progress)
            return _accepted(place, host, wanted)
    except OSError as err:
        raise DatasetError(f"“{place.path.name}” could not be kept: {err.strerror or err}.") from err


def _checked_host(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
        is_plain = parts.scheme in {"http", "https"} and parts.username is None
        _ = parts.port
    except ValueError:
        host, is_plain = None, False
    if not host or not is_plain or any(c.isspace() or not c.isprintable() for c in url.strip()):
        raise DatasetError(
            "This is no address that can be fetched. It begins with https:// or http:// and names no password."
        )
    return host


def _place_of(url: str, owner: Owner) -> _Place:
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    name = safe_name(PurePosixPath(last).stem, "download") + (".npz" if last.lower().endswith(".npz") else ".zip")
    folder = uploads_dir(owner) / hashlib.sha256(url.strip().encode("utf-8", "replace")).hexdigest()[:16]
    return _Place(folder / name, folder / f".{name}.part", folder / f".{name}.json", owner)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https alone, and never from https to http."""

    def redirect_request(  # noqa: PLR0917 - the signature is urllib's
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _checked_host(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise DatasetError(
                f"{urlsplit(req.full_url).hostname} leads on to an address without encryption. Not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(owner: Owner) -> urllib.request.OpenerDirector:
    # Not build_opener: that would read file:, ftp: and data: addresses too.
    opener = urllib.request.OpenerDirector()
    reaching: tuple[urllib.request.BaseHandler, ...] = (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
    )
    for handler in (
        *(reaching if owner.mode == "local" else public_addresses.handlers()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _fetch_part(url: str, host: str, place: _Place, *, is_checked: bool, on_progress: Progress) -> None:
    """Make the part whole, in several tries that each go on where the last one ended."""
    n_before = -1
    for _ in range(_N_TRIES):
        n_there = place.part.stat().st_size if place.part.is_file() else 0
        if n_there == n_before:
            break
        n_before = n_there
        try:
            if _fetch_once(url, place, is_checked=is_checked, on_progress=on_progress):
                return
        except urllib.error.HTTPError as err:
            err.close()
            if err.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise DatasetError(
                    f"{host} answers {err.code} ({err.reason}). Look whether the address is right."
                ) from err
            # The file there is another, or shorter, than the part here.
            _forget(place)
            n_before = -1
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as err:
            if not place.part.is_file():
                raise DatasetError(_no_connection(host, err)) from err
    n_there = place.part.stat().st_size if place.part.is_file() else 0
    raise DatasetError(
        f"The connection to {host} broke after {n_there / 1e6:.1f} MB. These are kept: fetch it again, and it goes on "
        "from there."
    )


def _no_connection(host: str, err: Exception) -> str:
    reason = getattr(err, "reason", err)
    return (
        f"{host} cannot be reached ({getattr(reason, 'strerror', None) or reason}). Is this machine connected to the "
        "network? A file that was fetched elsewhere can be added as a zip or log-mel archive."
    )


def _fetch_once(url: str, place: _Place, *, is_checked: bool, on_progress: Progress) -> bool:
    """Fetch what is missing; whether all of it is there now."""
    n_there = place.part.stat().st_size if place.part.is_file() else 0
    validator = _known_validator(place)
    headers = {"User-Agent": f"GenreScope/{__version__}", "Accept-Encoding": "identity"}
    if n_there and (validator or is_checked):
        headers["Range"] = f"bytes={n_there}-"
        if validator:
            headers["If-Range"] = validator
    request = urllib.request.Request(url.strip(), headers=headers)
    with _opener(place.owner).open(request, timeout=_TIMEOUT_SECONDS) as answer:
        start = _start_of(answer, n_there)
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        _check_room(place, total, start)
        found = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        # A weak tag does not promise the same bytes.
        place.facts.write_text(json.dumps({"validator": "" if found.startswith("W/") else found}), encoding="utf-8")
        with place.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            done, checked = start, start
            while block := answer.read1(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                if done > MAX_UNPACKED_BYTES:
                    raise DatasetError(
                        f"It is larger than {MAX_UNPACKED_BYTES >> 30} GiB. Fetch and unpack it yourself."
                    )
                if done >= checked:
                    # The size that its server gave may be a lie.
                    place.owner.check_room(0)
                    checked = done + _SHARE_BYTES
                on_progress(done, total)
    return total is None or done >= total


def _known_validator(place: _Place) -> str:
    try:
        return str(json.loads(place.facts.read_text(encoding="utf-8"))["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _start_of(answer: Any, n_there: int) -> int:
    """Where in the file the answer begins: servers may send the whole instead of the rest."""
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    start = int(found[1]) if found else -1
    if not 0 <= start <= n_there:
        raise http.client.HTTPException("the server sent another piece than was asked for")
    return start


def _check_room(place: _Place, total: int | None, start: int) -> None:
    if total is not None and total > MAX_UNPACKED_BYTES:
        raise DatasetError(f"It has {total / 2**30:.0f} GiB; at most {MAX_UNPACKED_BYTES >> 30} are accepted.")
    place.owner.check_room((total or start) - start)
    check_uploads((total or start) - start, place.owner)
    free = shutil.disk_usage(place.part.parent).free
    if total is not None and total - start + SPARE_DISK_BYTES > free:
        raise DatasetError(
            f"It has {total / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free where it would be kept."
        )


def _accepted(place: _Place, host: str, wanted: str) -> Fetched:
    digest = atomic.sha256_of(place.part)
    if wanted and digest != wanted:
        _forget(place)
        raise DatasetError(
            f"What came from {host} is another file than was wanted: its SHA-256 is {digest}, not {wanted}. "
            "It was thrown away."
        )
    with place.part.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if not is_zip:
        _forget(place)
        raise DatasetError(
            f"What came from {host} is neither a zip nor a log-mel archive (.npz); other archives, .tar.gz say, must "
            "be unpacked and added as a folder. It was thrown away."
        )
    try:
        check_unpacked(place.part, place.owner)
    except DiskFullError:
        _forget(place)
        raise
    place.part.replace(place.path)
    _forget(place)
    return Fetched(place.path, digest)


def _forget(place: _Place) -> None:
    for path in (place.part, place.facts):
        with suppress(FileNotFoundError):
            path.unlink()
