"""`classify` over the workers of a dask cluster, for more music than one machine can hear.

`dask.distributed` is an optional extra (requirements-dask.txt); nothing else imports it.
Workers need this project, the model and the sounds under the same paths.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from crnn.errors import CrnnError

Row = dict[str, Any]

# Files handed to the cluster ahead, for each of its threads: the scheduler never holds a million of them.
_FILES_AHEAD = 4
_WAIT_SECONDS = 30


def answered_by_dask(
    answer_one: Callable[[Path], Row], files: Iterable[Path], address: str
) -> Generator[Row, None, None]:
    """A row per file, in the order in which they are ready.

    A file whose worker dies is given to another one; if it kills four, it gets an error row.

    Args:
        answer_one: Gives a file's row, on a worker.
        files: Sounds.
        address: Of the scheduler, `tcp://HOST:PORT`.

    Raises:
        CrnnError: dask is not installed, or there is no such cluster, or it went away.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as err:
        raise CrnnError("dask is not installed. Add it with: pip install -r requirements-dask.txt") from err
    try:
        client = Client(address, timeout=_WAIT_SECONDS)
    except (OSError, ValueError) as err:
        raise CrnnError(f"No dask scheduler answers at {address}: {err}.") from err
    with client:
        remaining = iter(files)
        names: dict[Any, Path] = {}

        def submitted(n_files: int) -> list[Any]:
            futures = []
            for path in itertools.islice(remaining, n_files):
                # Not pure: the same name may hold another sound by now.
                future = client.submit(answer_one, Path(os.path.abspath(path)), pure=False)
                names[future.key] = path
                futures.append(future)
            return futures

        ready = as_completed(submitted(_n_threads(client, address) * _FILES_AHEAD))
        for future in ready:
            path = names.pop(future.key)
            try:
                row = future.result() | {"file": str(path)}
            except KilledWorker:
                message = "Every worker that opened this file died. Run it alone to see why."
                row = {"file": str(path), "error": {"type": "KilledWorker", "message": message}}
            except CancelledError as err:
                raise CrnnError(f"The dask scheduler at {address} went away. Go on with --resume.") from err
            future.release()
            ready.update(submitted(1))
            yield row


def _n_threads(client: Any, address: str) -> int:
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError as err:
        raise CrnnError(f"The dask scheduler at {address} has no workers. Start some: dask worker {address}") from err
    return max(1, sum(client.nthreads().values()))
