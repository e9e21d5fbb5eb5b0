"""`classify` over the workers of a dask cluster, for more music than one machine can hear.

`dask.distributed` is the optional extra `dask`; nothing else imports it.
Workers need this project, the model and the sounds under the same paths.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from crnn.errors import BundleError, CrnnError
from crnn.inference.rows import Row, error_row
from crnn.untrusted import written_name

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
        CrnnError: dask is not installed, there is no such cluster, it went away, or it cannot open the model.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as err:
        raise CrnnError("dask is not installed. Add it with: pip install '.[dask]'") from err
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
                row = future.result() | {"file": written_name(path)}
            except KilledWorker:
                message = "Every worker that opened this file died. Run it alone to see why."
                row = error_row(written_name(path), "KilledWorker", message)
            except CancelledError as err:
                raise CrnnError(f"The dask scheduler at {address} went away. Go on with --resume.") from err
            except BundleError as err:
                raise CrnnError(f"A worker of the dask cluster at {address} cannot open the model: {err}") from err
            except Exception as err:
                # Broad: a file's error is in its row, so this one is the cluster's, and may be of any type. It has
                # no GenreScope or another version of it, cannot unpickle the work, or its scheduler refuses.
                raise CrnnError(_cluster_fault(address, err)) from err
            future.release()
            ready.update(submitted(1))
            yield row


def _cluster_fault(address: str, err: BaseException) -> str:
    while err.__cause__ is not None:
        err = err.__cause__
    said = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
    return (
        f"The dask cluster at {address} cannot answer ({said}). GenreScope must be installed for its scheduler and for "
        "each of its workers: pip install '.[dask]' there, in the same version as here."
    )


def _n_threads(client: Any, address: str) -> int:
    try:
        client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    except TimeoutError as err:
        raise CrnnError(f"The dask scheduler at {address} has no workers. Start some: dask worker {address}") from err
    return max(1, sum(client.nthreads().values()))
