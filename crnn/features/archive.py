"""Log-mel archives: the spectrograms of a labelled data set in one `.npz`, without the sound.

Two forms are read. The fixed form holds `log_mel` `(n_tracks, n_frames, n_mels)`,
the ragged form, which is written here, `frames` `(n_all_frames, n_mels)` with
`offsets` `(n_tracks + 1,)`. Cells are uint8, low mel first: dB relative to the
clip's loudest cell = value / 255 · 80 − 80. Archives of the tagger's mel have `low` and `high`, and cells
of its own scale = value / 255 · (high − low) + low. Every size is checked against the zip
directory before memory is taken, and nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from crnn import atomic
from crnn.config import TAGGER_MEL, FeatureConfig, tagger_features
from crnn.errors import DatasetError
from crnn.features import log_mel as features
from crnn.features import tagger_mel
from crnn.limits import MAX_ARCHIVE_BYTES, MAX_TRACKS
from crnn.paths import open_ordinary
from crnn.zip_directory import DAMAGE, check_directory

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

FLOOR_DB = -80.0
FORMAT_VERSION = 1
# What the cells of the tagger's mel reach from and to.
TAGGER_LOW, TAGGER_HIGH = -1.5, 3.0

_MAX_TEXT_CHARACTERS = 4096
_MAX_MEMBERS = 32
# Log-mels of music deflate by a fifth, near silence to a quarter; text columns shrink a hundredfold, but are small.
_MAX_RATIO = 12
_SMALL_BYTES = 32 * 2**20
_MAX_DIRECTORY_BYTES = 1 << 16
# 22 minutes of the finest frames, 90 of the coarsest: a track is given to the network as one piece.
_MAX_TRACK_FRAMES = 1 << 17
_MAX_HEADER_BYTES = 10_000


@dataclass(frozen=True)
class LogMelArchive:
    """Labelled spectrograms; every tuple has one entry a track.

    log_mel: uint8 arrays `(n_frames, n_mels)`, frames of different tracks may differ in number.
    splits, artists, titles, groups: None where not known.
    feature_config: what the frames were made with; None in archives that do not say, which
        are taken as the default `FeatureConfig`.
    """

    track_ids: tuple[str, ...]
    genres: tuple[str, ...]
    log_mel: Sequence[UInt8Array]
    splits: tuple[str | None, ...]
    artists: tuple[str | None, ...]
    titles: tuple[str | None, ...]
    groups: tuple[str | None, ...]
    feature_config: FeatureConfig | None = None

    @property
    def made_with(self) -> FeatureConfig:
        """What the frames were made with, as far as the archive says."""
        return dataclasses.replace(self.feature_config or FeatureConfig(), n_mels=self.log_mel[0].shape[1])


def to_db(values: UInt8Array, config: FeatureConfig | None = None) -> FloatArray:
    """dB, float32, of an archive's cells.

    Args:
        values: Cells, `(n_frames, n_mels)`.
        config: What they were made with. Without it, as of all log-mels, dB are re the clip's loudest
            cell, within [−80, 0]; those of the tagger's mel have a reference of their own.
    """
    is_tagger = config is not None and config.front_end == TAGGER_MEL
    return _DB_OF_TAGGER_VALUE[values] if is_tagger else _DB_OF_VALUE[values]


def cells_of(power: FloatArray, config: FeatureConfig) -> UInt8Array:
    """Archive cells of the mel power of a whole clip, `(n_frames, n_mels)`.

    Args:
        power: Mel power of the clip, `(n_frames, n_mels)`.
        config: What it was computed with.

    Returns:
        uint8; dB re the clip's loudest cell, or the tagger's input, as `config.front_end` says.
    """
    if config.front_end != TAGGER_MEL:
        return to_uint8(features.power_to_db(power, config))
    scaled = (tagger_mel.network_input(power, config) - TAGGER_LOW) * (255.0 / (TAGGER_HIGH - TAGGER_LOW))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def to_uint8(decibels: npt.NDArray[np.floating]) -> UInt8Array:
    """Archive cells of dB re the clip's loudest cell; what is below −80 dB becomes 0."""
    scaled = np.rint((np.asarray(decibels) - FLOOR_DB) * (255.0 / -FLOOR_DB))
    return np.clip(scaled, 0, 255).astype(np.uint8)


_DB_OF_VALUE = (np.arange(256) / 255.0 * -FLOOR_DB + FLOOR_DB).astype(np.float32)
_INPUT_OF_VALUE = (np.arange(256) / 255.0 * (TAGGER_HIGH - TAGGER_LOW) + TAGGER_LOW).astype(np.float32)
_DB_OF_TAGGER_VALUE = tagger_mel.to_db(tagger_mel.power_of_input(_INPUT_OF_VALUE))


def make_archive(
    track_ids: Sequence[str],
    genres: Sequence[str],
    log_mel: Sequence[UInt8Array],
    *,
    splits: Sequence[str | None] | None = None,
    artists: Sequence[str | None] | None = None,
    titles: Sequence[str | None] | None = None,
    groups: Sequence[str | None] | None = None,
    feature_config: FeatureConfig | None = None,
) -> LogMelArchive:
    """An archive in memory, checked.

    Args:
        track_ids: Each but once.
        genres: Of the tracks, by name.
        log_mel: Cells of the tracks, each uint8 `(n_frames, n_mels)`.
        splits: Part of each track, None for no known one; as are the next three.
        artists: Of the tracks.
        titles: Of the tracks.
        groups: Tracks of one group are never parted by a split.
        feature_config: What the cells were computed with; None for the 24-frame log-mel.

    Raises:
        DatasetError: It is empty, an id occurs twice, or the parts do not fit each other.
    """
    unknown = (None,) * len(track_ids)
    archive = LogMelArchive(
        track_ids=tuple(track_ids),
        genres=tuple(genres),
        log_mel=log_mel,
        splits=tuple(splits) if splits is not None else unknown,
        artists=tuple(artists) if artists is not None else unknown,
        titles=tuple(titles) if titles is not None else unknown,
        groups=tuple(groups) if groups is not None else unknown,
        feature_config=feature_config,
    )
    _check_archive(archive)
    return archive


def read_archive(path: Path) -> LogMelArchive:
    """The archive in `path`, of either form.

    Raises:
        DatasetError: It is missing, damaged, no log-mel archive, or hostile.
    """
    try:
        with open_ordinary(path) as file, _opened(file) as zip_file:
            members = _checked_members(zip_file, path)
            log_mel = _read_log_mel(zip_file, members, path)
            column = {name: _read_texts(zip_file, members, name, path) for name in ("track_ids", "genres")}
            optional = ("split", "artists", "titles", "groups")
            extra = {name: _read_texts(zip_file, members, name, path, optional=True) for name in optional}
            config = _read_config(zip_file, members, path)
            if _is_taggers(zip_file, members, path) and config is None:
                config = tagger_features()
                log_mel = [_without_what_is_not_heard(cells, config) for cells in log_mel]
    except FileNotFoundError as err:
        raise DatasetError(f"There is no file {path}.") from err
    except (*DAMAGE, OSError) as err:
        raise DatasetError(f"“{path.name}” is no log-mel archive, or it is damaged: {err}.") from err
    return make_archive(
        cast("list[str]", column["track_ids"]),
        cast("list[str]", column["genres"]),
        log_mel,
        splits=extra["split"],
        artists=extra["artists"],
        titles=extra["titles"],
        groups=extra["groups"],
        feature_config=config,
    )


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    check_directory(file, _MAX_DIRECTORY_BYTES)
    return zipfile.ZipFile(file)


def write_archive(path: Path, archive: LogMelArchive) -> None:
    """Write the ragged form beside `path`, then rename it there: never half of one.

    Args:
        path: The file; its folder is made if need be.
        archive: What is written; checked first.

    Raises:
        DatasetError: The archive's parts do not fit, or the disk refuses.
    """
    _check_archive(archive)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as file:
            _write_members(file, archive)
    except OSError as err:
        raise DatasetError(f"{path} could not be written: {err.strerror or err}.") from err


def _write_members(file: IO[bytes], archive: LogMelArchive) -> None:
    lengths = [len(frames) for frames in archive.log_mel]
    columns: dict[str, npt.NDArray[Any]] = {
        "track_ids": np.array(archive.track_ids),
        "genres": np.array(archive.genres),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "format_version": np.array([FORMAT_VERSION], dtype=np.int64),
    }
    optional = {"split": archive.splits, "artists": archive.artists, "titles": archive.titles, "groups": archive.groups}
    columns.update({name: np.array([v or "" for v in values]) for name, values in optional.items() if any(values)})
    if archive.feature_config is not None:
        columns["feature_config"] = np.array([json.dumps(archive.feature_config.to_dict())])
        if archive.feature_config.front_end == TAGGER_MEL:
            columns |= {"low": np.array(TAGGER_LOW, np.float32), "high": np.array(TAGGER_HIGH, np.float32)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as zip_file:
        for name, values in columns.items():
            with zip_file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        # Track by track, so that the archive never lies in memory twice.
        with zip_file.open("frames.npy", "w", force_zip64=True) as member:
            header = {"descr": "|u1", "fortran_order": False, "shape": (sum(lengths), archive.log_mel[0].shape[1])}
            np.lib.format.write_array_header_1_0(member, header)
            for frames in archive.log_mel:
                member.write(np.ascontiguousarray(frames).tobytes())


def _check_archive(archive: LogMelArchive) -> None:
    n_tracks = len(archive.track_ids)
    columns = (archive.genres, archive.splits, archive.artists, archive.titles, archive.groups)
    if not n_tracks:
        raise DatasetError("The log-mel archive holds no track.")
    if len(archive.log_mel) != n_tracks or any(len(column) != n_tracks for column in columns):
        raise DatasetError("The log-mel archive is inconsistent: its columns differ in length.")
    if len(set(archive.track_ids)) != n_tracks:
        seen: set[str] = set()
        twice = sorted({i for i in archive.track_ids if i in seen or seen.add(i)})  # type: ignore[func-returns-value]
        raise DatasetError(f"The log-mel archive names tracks twice: {', '.join(twice[:10])}.")
    nameless = [i for i, genre in zip(archive.track_ids, archive.genres, strict=True) if not genre.strip()]
    if nameless or not all(archive.track_ids):
        raise DatasetError(f"The log-mel archive holds tracks without id or genre: {', '.join(nameless[:10])}.")
    n_mels = archive.log_mel[0].shape[1]
    for track_id, frames in zip(archive.track_ids, archive.log_mel, strict=True):
        if frames.dtype != np.uint8 or frames.ndim != 2 or not len(frames) or frames.shape[1] != n_mels:
            raise DatasetError(
                f"The spectrogram of “{track_id}” has the shape {frames.shape} ({frames.dtype}); "
                f"uint8 of (frames, {n_mels}) is accepted."
            )


@dataclass(frozen=True)
class _Member:
    """An array in the zip: what its header declares, checked against the directory."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def _checked_members(zip_file: zipfile.ZipFile, path: Path) -> dict[str, _Member]:
    infos = zip_file.infolist()
    if len(infos) > _MAX_MEMBERS or len({info.filename for info in infos}) != len(infos):
        raise DatasetError(f"“{path.name}” is no log-mel archive: it holds {len(infos)} files.")
    total = sum(info.file_size for info in infos)
    if total > MAX_ARCHIVE_BYTES or total > _SMALL_BYTES + _MAX_RATIO * path.stat().st_size:
        raise DatasetError(
            f"“{path.name}” would take {total / 2**30:.1f} GiB of memory. At most {MAX_ARCHIVE_BYTES >> 30} GiB, "
            f"and {_MAX_RATIO} times the file's own size, are accepted."
        )
    return {
        info.filename.removesuffix(".npy"): _read_header(zip_file, info, path)
        for info in infos
        if info.filename.endswith(".npy")
    }


def _read_header(zip_file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> _Member:
    with zip_file.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, fortran_order, dtype = read(member, max_header_size=_MAX_HEADER_BYTES)
        except (ValueError, KeyError) as err:
            raise DatasetError(f"{info.filename} in “{path.name}” is no plain array.") from err
        n_bytes = dtype.itemsize
        for size in shape:
            n_bytes *= int(size)
        kinds = "uiUf" if not shape else "uiU"
        if dtype.kind not in kinds or (fortran_order and len(shape) != 2) or n_bytes + member.tell() != info.file_size:
            raise DatasetError(
                f"{info.filename} in “{path.name}” declares {shape} of {dtype}: that does not fit its size, "
                "or is not text or whole numbers."
            )
    return _Member(dtype, shape)


def _read_array(zip_file: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with zip_file.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _read_log_mel(zip_file: zipfile.ZipFile, members: dict[str, _Member], path: Path) -> list[UInt8Array]:
    name, n_axes = ("log_mel", 3) if "log_mel" in members else ("frames", 2)
    member = members.get(name)
    fits = member is not None and member.dtype == np.uint8 and len(member.shape) == n_axes
    if member is None or not fits or not 8 <= member.shape[-1] <= 512:
        found = f"{member.shape} of {member.dtype}" if member else f"only {', '.join(sorted(members)) or 'nothing'}"
        raise DatasetError(
            f"“{path.name}” is no log-mel archive: it needs log_mel (tracks, frames, mels) or frames (frames, mels) "
            f"of uint8, found {found}."
        )
    offsets_member = members.get("offsets")
    n_tracks = member.shape[0] if name == "log_mel" else offsets_member.shape[0] - 1 if _is_list(offsets_member) else 0
    if n_tracks > MAX_TRACKS:
        raise DatasetError(f"“{path.name}” holds {n_tracks} tracks; at most {MAX_TRACKS} are accepted.")
    if name == "log_mel":
        _check_lengths(member.shape[1], path)
        return list(_read_array(zip_file, name))
    offsets = _read_offsets(zip_file, members, member.shape[0], path)
    frames = np.ascontiguousarray(_read_array(zip_file, name))
    return [frames[start:end] for start, end in itertools.pairwise(offsets)]


def _is_taggers(zip_file: zipfile.ZipFile, members: dict[str, _Member], path: Path) -> bool:
    if not {"low", "high"} & set(members):
        return False
    ends = [_read_array(zip_file, name).tolist() for name in ("low", "high") if name in members]
    if ends != [TAGGER_LOW, TAGGER_HIGH]:
        raise DatasetError(
            f"“{path.name}” has cells from {ends[0]} to {ends[-1]}; {TAGGER_LOW:g} to {TAGGER_HIGH:g} is accepted."
        )
    return True


def _without_what_is_not_heard(cells: UInt8Array, config: FeatureConfig) -> UInt8Array:
    """Cells of sound at 32 kHz as from `config.sample_rate`: bands above the Nyquist frequency are empty."""
    shares = tagger_mel.heard_shares(config)
    first = int(np.argmax(shares < 1))
    power = tagger_mel.power_of_input(_INPUT_OF_VALUE[cells[:, first:]]) * shares[first:]
    unlevelled = dataclasses.replace(config, level=0.0)
    return np.concatenate([cells[:, :first], cells_of(power.astype(np.float32), unlevelled)], axis=1)


def _is_list(member: _Member | None) -> TypeGuard[_Member]:
    return member is not None and len(member.shape) == 1


def _check_lengths(n_frames: int, path: Path) -> None:
    if n_frames > _MAX_TRACK_FRAMES:
        raise DatasetError(
            f"“{path.name}” holds a track of {n_frames} frames; at most {_MAX_TRACK_FRAMES} are accepted. "
            "Cut it into shorter ones."
        )


def _read_offsets(
    zip_file: zipfile.ZipFile, members: dict[str, _Member], n_frames: int, path: Path
) -> npt.NDArray[np.int64]:
    member = members.get("offsets")
    if member is not None and member.dtype.kind in "ui" and _is_list(member) and member.shape[0] >= 2:
        offsets = _read_array(zip_file, "offsets").astype(np.int64)
        if offsets[0] == 0 and offsets[-1] == n_frames and (np.diff(offsets) > 0).all():
            _check_lengths(int(np.diff(offsets).max()), path)
            return offsets
    raise DatasetError(f"“{path.name}” is damaged: its offsets do not cut its {n_frames} frames into tracks.")


def _read_texts(
    zip_file: zipfile.ZipFile, members: dict[str, _Member], name: str, path: Path, *, optional: bool = False
) -> list[str | None] | None:
    member = members.get(name)
    if member is None and optional:
        return None
    fits = member is not None and member.dtype.kind == "U" and len(member.shape) == 1
    if member is None or not fits or member.dtype.itemsize > 4 * _MAX_TEXT_CHARACTERS:
        raise DatasetError(f"“{path.name}” is no log-mel archive: {name} must be a list of texts.")
    texts = _read_array(zip_file, name).tolist()
    return [text or None for text in texts] if optional else texts


def _read_config(zip_file: zipfile.ZipFile, members: dict[str, _Member], path: Path) -> FeatureConfig | None:
    texts = _read_texts(zip_file, members, "feature_config", path, optional=True)
    if not texts:
        return None
    try:
        return FeatureConfig.from_dict(json.loads(texts[0] or ""))
    except (ValueError, TypeError, RecursionError) as err:
        raise DatasetError(f"The feature settings in “{path.name}” cannot be read: {err}.") from err
