"""Log-mels of whole data sets, computed once on all cores and kept on disk.

One SQLite file holds them: written in whole transactions, safe with several processes
at once. Keyed by the content of the sound and by the settings of the transform, so that
renaming a folder costs nothing and adding ten files computes ten. Cells are those of
log-mel archives: uint8, dB re the clip's loudest cell.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn.audio.clip import AudioStream, check_duration
from crnn.config import FeatureConfig
from crnn.data import demo
from crnn.data.feature_store import Computed, FeatureStore
from crnn.data.spawning import WorkerContext
from crnn.data.tracks import Dataset, Fault, Track
from crnn.errors import AudioError, ClipTooShortError, DatasetError
from crnn.features import archive, front_ends, log_mel
from crnn.features.archive import UInt8Array
from crnn.limits import MAX_TRACK_SECONDS

# Below `home_dir()`.
CACHE_FOLDER, CACHE_FILE = "features", "features.sqlite"
# Raised whenever the same sound would give other frames.
_CACHE_VERSION = 1
# Starting a process takes as long as some fifty tracks: a second or two.
_MIN_TRACKS_PER_WORKER = 20
# Tracks that each worker has at hand.
_AHEAD = 2
_SILENT_DB = -90.0
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


class _SilentTrackError(AudioError):
    """Nothing sounds."""


@dataclass(frozen=True)
class _Job:
    """A track to compute, its place in the caller's list, and the key of its content."""

    position: int
    track: Track
    content: str


def log_mel_of_file(path: Path, config: FeatureConfig) -> UInt8Array:
    """Archive cells of a sound file, `(n_frames, n_mels)`, of at most `MAX_TRACK_SECONDS`.

    Args:
        path: A sound file; of a longer one the beginning is taken.
        config: Transform settings.

    Raises:
        AudioError: The file cannot be used, is too short, or is silent.
    """
    return _compute_file(path, config).cells


def _compute_file(path: Path, config: FeatureConfig) -> Computed:
    """Cells of a sound file, and whether it is clipped.

    Raises:
        AudioError: The file cannot be used, is too short, or is silent.
    """
    mel_stream = log_mel.MelStream(config)
    with AudioStream(path, config.sample_rate) as stream:
        power = []
        for block in stream:
            power.append(mel_stream.push(block))
            if stream.duration_seconds >= MAX_TRACK_SECONDS:
                break
        power.append(mel_stream.finish())
        check_duration(stream.duration_seconds, stream.name)
        is_clipped = stream.is_clipped
    n_frames = int(MAX_TRACK_SECONDS * config.frame_rate_hz)
    return Computed(_cells(np.concatenate(power)[:n_frames], config, path.name), is_clipped)


def log_mel_of_demo(track: Track, config: FeatureConfig) -> UInt8Array:
    """Archive cells of a synthesized track, `(n_frames, n_mels)`.

    Args:
        track: Of a scan of the demo.
        config: Transform settings.

    Raises:
        ValueError: It is no track of the demo.
    """
    return _cells(log_mel.mel_power(demo.render(track, config.sample_rate), config), config, track.track_id)


def _cells(power: log_mel.FloatArray, config: FeatureConfig, name: str) -> UInt8Array:
    if float(log_mel.frame_levels_db(power, config).max()) < _SILENT_DB:
        raise _SilentTrackError(f"“{name}” is silent: there is nothing to learn from it.")
    return archive.cells_of(power, config)


def load_log_mel(
    found: Dataset,
    config: FeatureConfig,
    *,
    folder: Path,
    tracks: Sequence[Track] | None = None,
    n_jobs: int | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[list[UInt8Array | None], list[Fault]]:
    """Log-mels of a data set of any kind: rows of an archive, or through the cache in `folder`.

    Args:
        found: A scanned data set.
        config: Transform settings.
        folder: Where the cache lies.
        tracks: Some of its tracks; all of them if None.
        n_jobs: As in `FeatureCache.load`.
        on_progress: As in `FeatureCache.load`.
        should_stop: As in `FeatureCache.load`.

    Returns:
        As `FeatureCache.load`.

    Raises:
        DatasetError: An archive cannot be read, or was made with other settings.
    """
    chosen = found.tracks if tracks is None else tracks
    if found.kind != "archive" or found.source is None:
        cache = FeatureCache(folder, config)
        return cache.load(chosen, n_jobs=n_jobs, on_progress=on_progress, should_stop=should_stop)
    data = archive.read_archive(found.source)
    front_ends.check_front_end(data.made_with, config, found.source.name)
    rows = [track.index for track in chosen]
    if any(row is None or row >= len(data.log_mel) for row in rows):
        raise DatasetError(f"“{found.source.name}” changed since it was scanned. Scan it again.")
    if on_progress is not None:
        on_progress(len(chosen), len(chosen))
    return [data.log_mel[row] for row in rows if row is not None], []


class FeatureCache:
    """Log-mels of sound files for one `FeatureConfig`. Each call opens the store anew, so threads may share it.

    Args:
        folder: Where `features.sqlite` lies; made if need be.
        config: Transform settings; segment length and floor do not matter here.
    """

    def __init__(self, folder: Path, config: FeatureConfig) -> None:
        self._path = folder / CACHE_FILE
        self._config = config
        self._made_with = made_with(config)

    def load(
        self,
        tracks: Sequence[Track],
        *,
        n_jobs: int | None = None,
        on_progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> tuple[list[UInt8Array | None], list[Fault]]:
        """Log-mels of audio files and demo tracks; what is missing is computed and kept.

        Args:
            tracks: Tracks with a path, or of the demo.
            n_jobs: Processes at most; all cores if None, none but this one if 1.
            on_progress: Called with the number of tracks done, and of all.
            should_stop: Asked after each track; what is done by then is kept.

        Returns:
            uint8 arrays `(n_frames, n_mels)` in the order of `tracks`, None where a track has a
            fault or was not reached; and the faults.
        """
        found: list[UInt8Array | None] = [None] * len(tracks)
        faults: list[Fault] = []
        done = 0

        def advance() -> bool:
            nonlocal done
            done += 1
            if on_progress is not None:
                on_progress(done, len(tracks))
            return should_stop is not None and should_stop()

        with closing(FeatureStore(self._path, self._made_with)) as store:
            jobs = []
            for position, track in enumerate(tracks):
                result = self._look_up(store, position, track)
                if isinstance(result, _Job):
                    jobs.append(result)
                    continue
                _take(result, position, found, faults)
                if advance():
                    return found, faults
            with closing(_computed(jobs, self._config, n_jobs)) as results:
                for job, computed in results:
                    if not isinstance(computed, Fault):
                        store.put(job.content, computed)
                    _take(computed if isinstance(computed, Fault) else computed.cells, job.position, found, faults)
                    if advance():
                        break
        return found, faults

    def clipped(self, tracks: Sequence[Track]) -> list[Track]:
        """Those of `tracks` that were computed from files whose loudest parts are cut flat."""
        with closing(FeatureStore(self._path, self._made_with)) as store:
            found = []
            for track in tracks:
                # Whoever needs a file that has gone meanwhile will report it.
                with suppress(OSError):
                    content = None if track.path is None else store.known_content(track.path)
                    if content is not None and store.is_clipped(content):
                        found.append(track)
            return found

    def _look_up(self, store: FeatureStore, position: int, track: Track) -> UInt8Array | Fault | _Job:
        if track.path is None:
            content = f"demo {track.digest}"
        else:
            try:
                content = store.content_of(track.path)
            except OSError as err:
                message = f"“{track.path.name}” cannot be opened: {err.strerror or err}."
                return Fault("unreadable", track.track_id, message)
        cells = store.get(content)
        # Caches from before clipping was noted do not know it: the file is read again.
        is_known = cells is not None and (track.path is None or store.is_clipped(content) is not None)
        return cells if is_known and cells is not None else _Job(position, track, content)


def _take(result: UInt8Array | Fault, position: int, found: list[UInt8Array | None], faults: list[Fault]) -> None:
    if isinstance(result, Fault):
        faults.append(result)
    else:
        found[position] = result


def made_with(config: FeatureConfig) -> str:
    """All but the sound that decides what is kept of it, as the key that a store has for it."""
    transform = json.dumps(front_ends.transform_of(config), sort_keys=True)
    return f"{_CACHE_VERSION} {archive.FLOOR_DB} {MAX_TRACK_SECONDS} {transform}"


# Computing


def _computed(
    jobs: Sequence[_Job], config: FeatureConfig, n_jobs: int | None
) -> Generator[tuple[_Job, Computed | Fault], None, None]:
    n_workers = min(n_jobs or os.cpu_count() or 1, len(jobs) // _MIN_TRACKS_PER_WORKER)
    waiting = dict.fromkeys(jobs)
    if n_workers > 1:
        try:
            for job, result in _computed_by_workers(jobs, config, n_workers):
                del waiting[job]
                yield job, result
        except BrokenProcessPool:
            # A worker may be killed.
            _log.warning("A worker process ended; the other %d tracks are computed here", len(waiting))
    with _one_blas_thread():
        for job in waiting:
            yield job, _compute(job.track, config)


def _computed_by_workers(
    jobs: Sequence[_Job], config: FeatureConfig, n_workers: int
) -> Generator[tuple[_Job, Computed | Fault], None, None]:
    # Spawned, not forked: a fork after TensorFlow or onnxruntime has started threads may hang.
    executor = ProcessPoolExecutor(n_workers, mp_context=WorkerContext(), initializer=_one_blas_thread)
    try:
        waiting = iter(jobs)
        futures: dict[Future[Computed | Fault], _Job] = {}
        # Only a few ahead, so that the work stops when whoever takes the results pauses.
        for job in itertools.islice(waiting, n_workers * _AHEAD):
            futures[executor.submit(_compute, job.track, config)] = job
        while futures:
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in done:
                job = futures.pop(future)
                for following in itertools.islice(waiting, 1):
                    futures[executor.submit(_compute, following.track, config)] = following
                yield job, future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _one_blas_thread() -> AbstractContextManager[object]:
    """Keeps the mel matrix product to one thread: its threads cost three times what they save."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def _compute(track: Track, config: FeatureConfig) -> Computed | Fault:
    try:
        if track.path is None:
            return Computed(log_mel_of_demo(track, config), is_clipped=False)
        return _compute_file(track.path, config)
    except ClipTooShortError as err:
        return Fault("too_short", track.track_id, str(err))
    except _SilentTrackError as err:
        return Fault("silent", track.track_id, str(err))
    except AudioError as err:
        return Fault("unreadable", track.track_id, str(err))
