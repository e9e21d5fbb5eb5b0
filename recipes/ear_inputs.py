"""What the networks of `ten-genres` read of each set of sounds, kept as one pair of files a set and kind of sound.

Kinds are `clean`, `phone1` (a phone in a room) and `degrade1`, `degrade2` (`recipes.bad_sound`). `SET.KIND.npy` has the
segments of the first network, `(n_segments, 1000, 128)` in half precision; `SET.npz` whose they are (`own`) and names,
genres and groups of the tracks, and, where the second network hears the set, its cells (`second`, `second_offsets`).
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from crnn import atomic
from crnn.config import FeatureConfig, tagger_features
from crnn.features import log_mel, tagger_mel
from crnn.features.archive import read_archive, to_db, to_uint8
from recipes import ear_sounds
from recipes.bad_sound import degrade
from recipes.ear_sounds import SAMPLE_RATE, FloatArray, Sound

HALF = np.float16
LEVEL = 100.0
FIRST = FeatureConfig.from_dict(tagger_features(level=LEVEL).to_dict() | {"is_tiled": True})
# Of the second network: its frames are those of the 24-frame archive.
SECOND = FeatureConfig()
_PHONE_BAND_HZ, _PHONE_DB = (250.0, 6000.0), -18.0
_ARCHIVE_HOP = 512
# Pieces are so long, and begin in the first three seconds.
_PIECE_FRAMES, _PIECE_STARTS = (60, 500), 300


@dataclass(frozen=True)
class Inputs:
    """A set in one kind of sound.

    segments: `(n_segments, 1000, 128)`, as the first network reads them; on disk.
    own: Track of each segment, `(n_segments,)`.
    ids, genres, groups: Of the tracks, `(n_tracks,)`.
    """

    segments: npt.NDArray[np.float16]
    own: npt.NDArray[np.int64]
    ids: npt.NDArray[np.str_]
    genres: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]


def make_inputs(data: Path, debian: Path, work: Path) -> None:
    """Compute what is missing in `work`, by a process for each core.

    Args:
        data: Labelled and other sound, as tests have it.
        debian: Unpacked packages, as `recipes.ear_sounds` says.
        work: Folder of the files.
    """
    work.mkdir(parents=True, exist_ok=True)
    plans = {
        "gtzan": (lambda: ear_sounds.gtzan(data), ("clean", "phone1", "degrade1", "degrade2")),
        "cuts": (lambda: ear_sounds.cuts(data), ("clean", "degrade1")),
        "emo": (lambda: ear_sounds.magnatune(data), ("clean", "degrade1", "degrade2")),
        "notmusic": (lambda: ear_sounds.not_music(data), ("clean", "degrade1")),
        "made": (ear_sounds.made, ("clean",)),
        "solos": (lambda: ear_sounds.solos(debian), ("clean", "degrade1")),
        "debmus": (lambda: ear_sounds.game_music(debian), ("clean", "degrade1")),
        "effects": (lambda: ear_sounds.effects(debian), ("clean", "degrade1")),
        "debspeech": (lambda: ear_sounds.prompts(debian), ("clean", "degrade1")),
    }
    for name, archive in (("arch", "gtzan-logmel.npz"), ("elsx", "elsewhere-logmel.npz")):
        if not _is_there(work, name, "clean"):
            _write_archive(work, name, data / archive)
    if not _is_there(work, "else", "clean"):
        _write_elsewhere(work, data / "elsewhere-mel100.npz", data / "elsewhere-logmel.npz")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for name, (listed, kinds) in plans.items():
            missing = [kind for kind in kinds if not _is_there(work, name, kind)]
            sounds = listed() if missing else []
            for kind in missing:
                orders = [(sound, kind) for sound in sounds]
                _write(work, name, kind, sounds, pool.map(_compute, orders, chunksize=4))


def read_inputs(work: Path, name: str, kind: str = "clean") -> Inputs:
    """A set in one kind of sound, as `make_inputs` wrote it.

    Args:
        work: Folder of the files.
        name: Of the set.
        kind: Of the sound.
    """
    with np.load(work / f"{name}.npz", allow_pickle=False) as facts:
        own, ids, genres, groups = (facts[key] for key in ("own", "ids", "genres", "groups"))
    return Inputs(np.load(work / f"{name}.{kind}.npy", mmap_mode="r"), own, ids, genres, groups)


def read_second(work: Path, name: str) -> list[npt.NDArray[np.uint8]]:
    """Log-mel of the tracks of a set for the second network, `(n_frames, 128)` each.

    Args:
        work: Folder of the files.
        name: Of the set.
    """
    with np.load(work / f"{name}.npz", allow_pickle=False) as facts:
        return np.split(facts["second"], facts["second_offsets"][1:-1])


def _is_there(work: Path, name: str, kind: str) -> bool:
    return (work / f"{name}.npz").is_file() and (work / f"{name}.{kind}.npy").is_file()


def phone(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A phone in a room: 250 to 6000 Hz, early echoes and a tail, pink noise below, at −18 dB.

    Args:
        samples: Mono, `(n_samples,)` at `SAMPLE_RATE`.
        rng: Of echoes and noise.
    """
    for hz, kind in zip(_PHONE_BAND_HZ, ("highpass", "lowpass"), strict=True):
        samples = signal.sosfilt(signal.butter(2, hz, kind, fs=SAMPLE_RATE, output="sos"), samples)
    heard = samples.copy()
    for seconds, gain in ((0.013, 0.5), (0.029, 0.35), (0.047, 0.25), (0.083, 0.15)):
        delay = int(SAMPLE_RATE * seconds * rng.uniform(0.8, 1.25))
        heard[delay:] += gain * samples[: len(samples) - delay]
    spectrum = np.fft.rfft(rng.normal(size=len(heard)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), len(heard))
    level = np.sqrt(((heard**2).mean() + 1e-12) / (noise**2).mean()) * 10 ** (-rng.uniform(18, 30) / 20)
    return np.asarray((heard + noise * level) * 10 ** (_PHONE_DB / 20), dtype=np.float32)


def bent(samples: FloatArray, kind: str, name: str) -> FloatArray:
    """`samples` in a kind of sound; the chance is the sound's own.

    Args:
        samples: Mono, `(n_samples,)` at `SAMPLE_RATE`.
        kind: `clean`, or what the module names.
        name: Of the sound.
    """
    if kind == "clean":
        return samples
    rng = np.random.default_rng(zlib.crc32(f"{name} {kind}".encode()))
    return phone(samples, rng) if kind.startswith("phone") else degrade(samples, SAMPLE_RATE, rng)


def _compute(order: tuple[Sound, str]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]:
    """Segments of the first network; cells of the second, of clean sound alone."""
    sound, kind = order
    samples = sound.read()
    power = log_mel.mel_power(bent(samples, kind, sound.name), FIRST)
    segments = segments_of(power)
    is_clean = kind == "clean"
    cells = log_mel.log_mel(samples, SECOND) if is_clean else np.zeros((0, SECOND.n_mels), np.float32)
    return segments, to_uint8(cells)


def segments_of(power: FloatArray) -> npt.NDArray[np.float16]:
    """What the first network reads of a clip, `(n_segments, 1000, 128)`.

    Args:
        power: Mel power, `(n_frames, 128)`.
    """
    return tagger_mel.network_input(log_mel.stack_segments(power, FIRST), FIRST).astype(HALF)


def repeated_after(segment: npt.NDArray[np.float16]) -> int:
    """Frames after which a segment repeats itself, as that of a short sound does; all of them where it does not.

    Args:
        segment: As `segments_of` gives it, `(n_frames, 128)`.
    """
    for n_frames in np.flatnonzero((segment == segment[0]).all(axis=1))[1:]:
        if np.array_equal(segment[n_frames:], segment[:-n_frames]):
            return int(n_frames)
    return len(segment)


def with_silence_after(segment: npt.NDArray[np.float16]) -> FloatArray:
    """What the first network reads of a segment's sound once, and of silence after it, `(1000, 128)`.

    Args:
        segment: As `segments_of` gives it.
    """
    return log_mel.with_silence_after(segment[: repeated_after(segment)].astype(np.float32), FIRST)


def piece_of(segment: npt.NDArray[np.float16], rng: np.random.Generator) -> npt.NDArray[np.float16]:
    """Some 0.6 to 5 s of a segment as a sound of its own, `(1000, 128)`: repeated, at its own level.

    Args:
        segment: As `segments_of` gives it.
        rng: Says which piece.
    """
    n_frames = int(np.exp(rng.uniform(*np.log(_PIECE_FRAMES))))
    start = int(rng.integers(0, _PIECE_STARTS))
    power = tagger_mel.power_of_input(segment[start : start + n_frames].astype(np.float32))
    return segments_of(power)[0]


def _write(
    work: Path,
    name: str,
    kind: str,
    sounds: Sequence[Sound],
    computed: Iterator[tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]],
) -> None:
    segments, cells = zip(*computed, strict=True)
    if kind == "clean":
        facts = ([getattr(sound, key) for sound in sounds] for key in ("name", "genre", "group"))
        _write_facts(work / f"{name}.npz", _Tracks(*map(np.array, facts)), segments, cells)
    _write_segments(work, f"{name}.{kind}.npy", segments)


@dataclass(frozen=True)
class _Tracks:
    ids: npt.NDArray[np.str_]
    genres: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]


def _write_facts(
    path: Path, tracks: _Tracks, segments: Sequence[npt.NDArray[np.float16]], cells: Sequence[npt.NDArray[np.uint8]]
) -> None:
    own = np.repeat(np.arange(len(tracks.ids)), [len(of_track) for of_track in segments])
    offsets = np.cumsum([0, *map(len, cells)])
    facts: dict[str, Any] = {"own": own, "second": np.concatenate(cells), "second_offsets": offsets}
    with atomic.draft_folder(path) as draft:
        np.savez(draft / path.name, **facts, **dataclasses.asdict(tracks))
        (draft / path.name).replace(path)


def _write_segments(work: Path, name: str, segments: Sequence[npt.NDArray[np.float16]]) -> None:
    with atomic.draft_folder(work / name) as draft:
        np.save(draft / name, np.concatenate(segments))
        (draft / name).replace(work / name)
    print(f"made {name}: {sum(map(len, segments))} segments", flush=True)


def _write_archive(work: Path, name: str, path: Path) -> None:
    archive = read_archive(path)
    with np.load(path, allow_pickle=False) as stored:
        at = stored["frame_index"] * _ARCHIVE_HOP if "frame_index" in stored else None
    segments = []
    for cells in archive.log_mel:
        seconds = (np.arange(len(cells)) * SECOND.hop_length if at is None else at) / SAMPLE_RATE
        segments.append(segments_of(power_of_archive(to_db(cells), seconds)))
    groups = [split or name for split, name in zip(archive.splits, archive.track_ids, strict=True)]
    tracks = map(np.array, (archive.track_ids, archive.genres, groups))
    _write_facts(work / f"{name}.npz", _Tracks(*tracks), segments, archive.log_mel)
    _write_segments(work, f"{name}.clean.npy", segments)


def power_of_archive(decibels: FloatArray, column_seconds: npt.NDArray[np.float64]) -> FloatArray:
    """The first network's mel power of a clip of which only a 24-frame log-mel is there, as well as it can be had.

    Between columns dB are interpolated; between bands, power of a hertz, which the triangles then gather.

    Args:
        decibels: `(n_columns, 128)` of `SECOND`.
        column_seconds: Time of each column, `(n_columns,)`.
    """
    times = np.arange(0.0, column_seconds[-1], 1.0 / FIRST.frame_rate_hz)
    after = np.clip(np.searchsorted(column_seconds, times), 1, len(column_seconds) - 1)
    before = after - 1
    share = (times - column_seconds[before]) / (column_seconds[after] - column_seconds[before])
    between = decibels[before] + np.clip(share, 0, 1)[:, None] * (decibels[after] - decibels[before])
    bins_hz = np.fft.rfftfreq(FIRST.n_fft, 1.0 / SAMPLE_RATE)
    # Slaney's triangles have the area of 1 Hz: their value is a mean of what a bin holds.
    bands_hz = log_mel.mel_frequencies(SECOND)
    place = np.interp(bins_hz, bands_hz, np.arange(len(bands_hz)))
    low = np.minimum(place.astype(np.intp), len(bands_hz) - 2)
    of_bins = between[:, low] + (place - low) * (between[:, low + 1] - between[:, low])
    return np.asarray(10.0 ** (of_bins / 10.0) @ tagger_mel.mel_filters(FIRST), dtype=np.float32)


def _write_elsewhere(work: Path, mel: Path, archive_path: Path) -> None:
    """Clips from elsewhere, of which the first network's mel is there and, for the second, the 24-frame log-mel."""
    archive = read_archive(archive_path)
    cells_of = dict(zip(archive.track_ids, archive.log_mel, strict=True))
    with np.load(mel, allow_pickle=False) as stored:
        low, high = float(stored["low"]), float(stored["high"])
        frames, offsets = stored["frames"], stored["offsets"]
        ids, genres = stored["track_ids"].tolist(), stored["genres"].tolist()
    segments = []
    for first, last in itertools.pairwise(offsets):
        values = (frames[first:last] / np.float32(255) * np.float32(high - low) + np.float32(low)).astype(np.float32)
        power = tagger_mel.power_of_input(values)
        # What was made at 32 kHz would have bands above our Nyquist frequency.
        segments.append(segments_of(np.where(tagger_mel.heard_shares(FIRST) > 0, power, 0.0)))
    tracks = map(np.array, (ids, genres, [artist_of(name) for name in ids]))
    _write_facts(work / "else.npz", _Tracks(*tracks), segments, [cells_of[name] for name in ids])
    _write_segments(work, "else.clean.npy", segments)


def artist_of(name: str) -> str:
    """Whose a clip from elsewhere is, by the first word of its name; a number makes no other source.

    One first word may be of two artists: then they share a group, which splits them no worse.

    Args:
        name: Such as `mac-demarco-my-kind-of-woman`.
    """
    first = name.removeprefix("lv-").split("-")[0]
    return first.rstrip("0123456789") or first
