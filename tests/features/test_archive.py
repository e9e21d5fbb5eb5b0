import io
import json
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crnn.config import FeatureConfig
from crnn.errors import DatasetError
from crnn.features import archive


def frames(n_frames: int, seed: int = 0, n_mels: int = 16) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n_frames, n_mels), dtype=np.uint8)


def small_archive(**columns: object) -> archive.LogMelArchive:
    return archive.make_archive(["a", "b", "c"], ["x", "y", "x"], [frames(5), frames(9, 1), frames(2, 2)], **columns)


def write_npz(path: Path, **arrays: npt.NDArray[np.generic]) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def fixed_form(**changes: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.generic]]:
    arrays = {
        "log_mel": np.stack([frames(7), frames(7, 1)]),
        "track_ids": np.array(["a", "b"]),
        "genres": np.array(["x", "y"]),
        "split": np.array(["train", "valid"]),
        "frame_index": np.arange(7),
    }
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


def test_cells_are_decibels_from_minus_80_to_0():
    assert archive.to_db(np.array([0, 51, 255], dtype=np.uint8)) == pytest.approx([-80, -64, 0])


def test_every_cell_survives_the_way_to_decibels_and_back():
    cells = np.arange(256, dtype=np.uint8)
    assert np.array_equal(archive.to_uint8(archive.to_db(cells)), cells)


def test_what_is_below_the_floor_becomes_0():
    assert archive.to_uint8(np.array([-200.0, -80.1, 3.0])).tolist() == [0, 0, 255]


def test_written_archives_read_back_equal(tmp_path: Path):
    config = FeatureConfig(n_mels=16)
    written = small_archive(
        splits=["train", None, "valid"], artists=["é", None, "ß"], groups=[None, "g", "g"], feature_config=config
    )
    archive.write_archive(tmp_path / "new" / "x.npz", written)
    found = archive.read_archive(tmp_path / "new" / "x.npz")
    assert all(np.array_equal(a, b) for a, b in zip(found.log_mel, written.log_mel, strict=True))
    assert (found.track_ids, found.genres, found.splits) == (written.track_ids, written.genres, written.splits)
    assert (found.artists, found.titles, found.groups) == (written.artists, (None,) * 3, written.groups)
    assert found.feature_config == config


def test_writing_leaves_no_draft_and_replaces_the_old_file(tmp_path: Path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"old")
    archive.write_archive(path, small_archive())
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
    assert len(archive.read_archive(path).track_ids) == 3


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.npz"
    path.write_bytes(b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(DatasetError, match="No space left"):
        archive.write_archive(path, small_archive())
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.npz", b"old")]


def test_the_fixed_form_is_read(tmp_path: Path):
    found = archive.read_archive(write_npz(tmp_path / "x.npz", **fixed_form()))
    assert [cells.shape for cells in found.log_mel] == [(7, 16), (7, 16)]
    assert np.array_equal(found.log_mel[1], frames(7, 1))
    assert found.splits == ("train", "valid")
    assert found.feature_config is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log_mel": None}, "no log-mel archive"),
        ({"log_mel": np.zeros((2, 7, 16), dtype=np.float32)}, "does not fit its size, or is not text"),
        ({"log_mel": np.zeros((2, 7, 16), dtype=np.uint16)}, "uint8"),
        ({"log_mel": np.zeros((2, 7, 4), dtype=np.uint8)}, "no log-mel archive"),
        ({"log_mel": np.zeros((3, 7, 16), dtype=np.uint8)}, "differ in length"),
        ({"track_ids": np.array(["a", "a"])}, "names tracks twice: a"),
        ({"track_ids": np.array([1, 2])}, "track_ids must be a list of texts"),
        ({"genres": np.array(["x", " "])}, "without id or genre"),
        ({"genres": np.array(["x" * 5000, "y"])}, "genres must be a list of texts"),
        ({"feature_config": np.array(["{"])}, "feature settings"),
        ({"feature_config": np.array([json.dumps({"sample_rate": 1})])}, "feature settings"),
    ],
)
def test_archives_that_make_no_sense_are_refused(tmp_path: Path, changes: dict, message: str):
    path = write_npz(tmp_path / "x.npz", **fixed_form(**changes))
    with pytest.raises(DatasetError, match=message):
        archive.read_archive(path)


@pytest.mark.parametrize("offsets", [[0, 3], [0, 3, 3, 7], [0, 5, 4, 7], [1, 7], [0, 99]])
def test_offsets_must_cut_all_frames(tmp_path: Path, offsets: list[int]):
    columns = {"track_ids": np.array(["a"]), "genres": np.array(["x"])}
    path = write_npz(tmp_path / "x.npz", frames=frames(7), offsets=np.array(offsets), **columns)
    with pytest.raises(DatasetError, match="offsets"):
        archive.read_archive(path)


def test_pickles_are_never_opened(tmp_path: Path):
    path = tmp_path / "x.npz"
    arrays = fixed_form(genres=np.array(["x", {"evil": 1}], dtype=object))
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(DatasetError, match="not text or whole numbers"):
        archive.read_archive(path)


def with_declared_shape(shape: tuple[int, ...], n_bytes: int) -> bytes:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return head.getvalue() + bytes(n_bytes)


def test_a_lying_shape_takes_no_memory(tmp_path: Path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as zip_file:
        zip_file.writestr("log_mel.npy", with_declared_shape((10**6, 10**6, 128), 100))
    with pytest.raises(DatasetError, match="does not fit its size"):
        archive.read_archive(path)


@pytest.mark.slow
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file, zip_file.open("log_mel.npy", "w") as member:
        member.write(with_declared_shape((2, 10**6, 128), 0))
        for _ in range(256):
            member.write(bytes(10**6))
    with pytest.raises(DatasetError, match="GiB of memory"):
        archive.read_archive(path)


def test_a_small_file_may_not_become_large(tmp_path: Path):
    # 60 MB of silence in 0.1 MB: music deflates by a fifth, and near silence to a quarter.
    path = write_npz(tmp_path / "x.npz", **fixed_form(log_mel=np.zeros((2, 60_000, 500), np.uint8)))
    with pytest.raises(DatasetError, match=r"would take 0\.1 GiB of memory"):
        archive.read_archive(path)


def test_a_zip_that_holds_a_column_twice_is_refused(tmp_path: Path):
    path = write_npz(tmp_path / "x.npz", **fixed_form())
    with zipfile.ZipFile(path, "a") as zip_file, pytest.warns(UserWarning, match="Duplicate name"):
        zip_file.writestr("genres.npy", zip_file.read("track_ids.npy"))
    with pytest.raises(DatasetError, match="it holds 6 files"):
        archive.read_archive(path)


def test_an_archive_that_does_not_say_was_made_with_as_many_bands_as_it_has(tmp_path: Path):
    found = archive.read_archive(write_npz(tmp_path / "x.npz", **fixed_form()))
    assert found.made_with == FeatureConfig(n_mels=16)


@pytest.mark.parametrize("form", ["fixed", "ragged"])
def test_tracks_without_end_take_no_memory(tmp_path: Path, form: str):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file:
        if form == "fixed":  # tracks of no frames take no room in the file
            zip_file.writestr("log_mel.npy", with_declared_shape((10**9, 0, 128), 0))
        else:
            zip_file.writestr("frames.npy", with_declared_shape((2 * 10**6, 8), 16 * 10**6))
            offsets = io.BytesIO()
            np.save(offsets, np.arange(2 * 10**6 + 1, dtype=np.uint32))
            zip_file.writestr("offsets.npy", offsets.getvalue())
    with pytest.raises(DatasetError, match="at most 100000 are accepted"):
        archive.read_archive(path)


@pytest.mark.parametrize("form", ["fixed", "ragged"])
def test_a_track_without_end_is_refused(tmp_path: Path, form: str):
    long = np.zeros((2, 2**17 + 1, 8), np.uint8)
    changes = {"log_mel": long}
    if form == "ragged":
        changes = {"log_mel": None, "frames": long.reshape(-1, 8), "offsets": np.array([0, 2**17 + 1, 2**18 + 2])}
    path = write_npz(tmp_path / "x.npz", **fixed_form(**changes))
    with pytest.raises(DatasetError, match="a track of 131073 frames"):
        archive.read_archive(path)


@pytest.mark.parametrize("cut", [0, 10, 400, -30])
def test_a_truncated_file_is_one_sentence(tmp_path: Path, cut: int):
    path = write_npz(tmp_path / "x.npz", **fixed_form())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DatasetError, match="is no log-mel archive, or it is damaged"):
        archive.read_archive(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path):
    path = tmp_path / "x.npz"
    archive.write_archive(path, small_archive())
    raw = bytearray(path.read_bytes())
    position = raw.index(b"frames.npy") + 200
    raw[position] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="damaged"):
        archive.read_archive(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"no file .*gone\.npz"):
        archive.read_archive(tmp_path / "gone.npz")


def test_an_archive_without_tracks_is_refused():
    with pytest.raises(DatasetError, match="no track"):
        archive.make_archive([], [], [])


def test_spectrograms_of_different_heights_are_refused():
    with pytest.raises(DatasetError, match=r"“b” has the shape \(4, 8\)"):
        archive.make_archive(["a", "b"], ["x", "y"], [frames(4), frames(4, n_mels=8)])


def test_the_labelled_archive_is_read(data_dir: Path):
    found = archive.read_archive(data_dir / "gtzan-logmel.npz")
    assert len(found.track_ids) == 639
    assert {cells.shape for cells in found.log_mel} == {(723, 128)}
    assert found.splits.count("valid") == 197
