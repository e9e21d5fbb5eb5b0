import os
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, write_sound

from crnn.data import demo
from crnn.data import scan as dataset
from crnn.data.scan import scan
from crnn.data.tracks import Fault, Track
from crnn.errors import DatasetError, EmptyGenreError, TooFewTracksError
from crnn.features import archive


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "tracks.csv").write_bytes(text.encode(encoding))
    return folder


def faults(found: dataset.Dataset) -> dict[str, str]:
    return {fault.subject: fault.kind for fault in found.faults}


# Scanning folders


def test_a_folder_of_genres_is_scanned(folder: Path):
    found = scan(folder)
    assert found.genres == ("jazz", "rock")
    assert [track.track_id for track in found.tracks] == [f"{g}{i}" for g in ("jazz", "rock") for i in range(4)]
    assert found.tracks[0].path == folder / "jazz" / "jazz0.wav"
    assert (found.name, found.kind, found.faults) == ("music", "folder", ())


def test_all_bad_files_are_named_at_once(folder: Path):
    (folder / "jazz" / "empty.mp3").touch()
    (folder / "rock" / "text.wav").write_text("this is no sound at all, but a text " * 20)
    (folder / "loose.wav").write_bytes((folder / "jazz" / "jazz0.wav").read_bytes())
    (folder / "blues").mkdir()
    (folder / "jazz" / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "jazz" / "._hidden.wav").write_bytes(b"\0\5\x16\7")
    found = scan(folder)
    assert faults(found) == {
        "jazz/empty.mp3": "empty",
        "rock/text.wav": "not_audio",
        "loose.wav": "no_genre",
        "blues": "empty_genre",
    }
    assert len(found.tracks) == 8
    assert "1 file was left out" in found.notes[0]
    assert "cover.jpg" in found.notes[0]


def test_copies_are_grouped_and_named(folder: Path):
    shutil.copy(folder / "jazz" / "jazz0.wav", folder / "jazz" / "again.wav")
    shutil.copy(folder / "jazz" / "jazz1.wav", folder / "rock" / "borrowed.wav")
    found = scan(folder)
    assert faults(found) == {"again, jazz0": "duplicate", "borrowed, jazz1": "two_genres"}
    groups = {track.track_id: track.group for track in found.tracks if track.group}
    assert groups["again"] == groups["jazz0"]
    assert groups["borrowed"] == groups["jazz1"] != groups["again"]


def test_files_that_differ_in_one_sample_are_no_copies(folder: Path):
    samples = np.random.default_rng(0).normal(0, 0.1, 400_000).astype(np.float32)
    soundfile.write(folder / "jazz" / "one.wav", samples, RATE)
    samples[100_000] += 0.5
    soundfile.write(folder / "jazz" / "two.wav", samples, RATE)
    assert scan(folder).faults == ()


def test_ids_are_paths_where_stems_are_not_unique(folder: Path):
    write_sound(folder / "rock" / "jazz0.wav", 999)
    assert {"jazz/jazz0.wav", "rock/jazz0.wav"} < {track.track_id for track in scan(folder).tracks}


def test_a_single_folder_around_the_genres_is_looked_into(folder: Path, tmp_path: Path):
    outer = tmp_path / "outer" / "genres_original"
    outer.parent.mkdir()
    shutil.move(folder, outer)
    assert scan(outer.parent).genres == ("jazz", "rock")


def test_files_deeper_in_a_genre_count(folder: Path):
    write_sound(folder / "jazz" / "album" / "deep.wav", 777)
    assert "deep" in {track.track_id for track in scan(folder).tracks}


@pytest.mark.parametrize("with_file", [False, True])
def test_a_folder_without_genres_is_one_sentence(tmp_path: Path, with_file: bool):
    if with_file:
        write_sound(tmp_path / "loose.wav", 300)
    with pytest.raises(EmptyGenreError, match="loose.wav" if with_file else "holds no genres"):
        scan(tmp_path)


AS_FOLDERS = "Make one folder for each genre with its audio files in it, or a tracks.csv with the columns file,genre."


def test_a_folder_of_music_alone_is_told_how_to_become_a_data_set(tmp_path: Path):
    """What a newcomer has: the fault is said once, with a few of the names, and what would do."""
    for number in range(5):
        write_sound(tmp_path / f"{number}.wav", 300)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyGenreError) as caught:
        scan(tmp_path)
    assert str(caught.value) == (
        f"“{tmp_path.name}” holds no usable track. “0.wav”, “1.wav”, “2.wav” and 2 more: It lies in no genre folder. "
        f"“empty”: The folder holds no audio file. {AS_FOLDERS}"
    )


def test_of_a_list_that_names_no_file_the_first_rows_are_told(tmp_path: Path):
    rows = "".join(f"{number}.wav,jazz\n" for number in range(2, 7))
    write_csv(tmp_path, f"file,genre\n{rows}")
    with pytest.raises(EmptyGenreError) as caught:
        scan(tmp_path)
    told = " ".join(f"“{number}.wav”: Row {number} names a file that is not there." for number in range(2, 5))
    assert str(caught.value) == f"“{tmp_path.name}” holds no usable track. {told} 2 more faults are like these."


def test_a_link_that_may_not_be_followed_is_left_alone(folder: Path):
    """The system refuses to look where it leads, as it refuses what is another's."""
    before = scan(folder)
    for place in (folder, folder / "jazz"):
        (place / "refused").symlink_to("x" * 300)
    assert scan(folder).tracks == before.tracks
    with pytest.raises(DatasetError, match="There is no data set"):
        scan(folder / "refused")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["set.zip", "set.npz", "set"])
def test_a_pipe_is_no_data_set_and_holds_nobody_up(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)
    # What is in it keeps a reader from waiting, so that the test fails where nobody looks.
    writer = os.open(tmp_path / name, os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, b"no data set")
    with pytest.raises(DatasetError, match="no ordinary file"):
        scan(tmp_path / name)
    os.close(writer)


def test_a_missing_data_set_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"no data set .*nowhere"):
        scan(tmp_path / "nowhere")


def test_a_single_sound_is_no_data_set(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"“x\.wav” is a single sound, not a data set\. A folder, a zip"):
        scan(write_sound(tmp_path / "x.wav", 300))


def test_look_alike_genres_are_noted_and_kept_apart(folder: Path):
    write_sound(folder / "hip-hop" / "a.wav", 500)
    write_sound(folder / "HipHop" / "b.wav", 600)
    found = scan(folder)
    assert {"hip-hop", "HipHop"} < set(found.genres)
    assert any("“HipHop”, “hip-hop” look like one" in note for note in found.notes)


def test_names_that_are_not_utf8_are_scanned(folder: Path):
    weird = folder / "rock" / b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    try:
        shutil.copy(folder / "rock" / "rock0.wav", weird)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    found = scan(folder)
    assert "caf\ufffd" in {track.track_id for track in found.tracks}
    assert len(found.fingerprint) == 64


def test_a_folder_whose_own_name_is_not_utf8_is_scanned(folder: Path):
    weird = folder.with_name(b"m\xfcsik".decode("utf-8", "surrogateescape"))
    try:
        folder.rename(weird)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    found = scan(weird)
    assert found.name == "m\ufffdsik"
    assert len(found.tracks) == 8


def test_links_in_a_folder_do_not_lead_round_and_round(folder: Path):
    (folder / "jazz" / "again").symlink_to(folder)
    assert len(scan(folder).tracks) == 8


def test_composed_and_decomposed_names_are_one_genre(folder: Path):
    name = "música"
    write_csv(folder, f"file,genre\njazz/jazz0.wav,{name}\njazz/jazz1.wav,{unicodedata.normalize('NFD', name)}\n")
    assert scan(folder).genres == (name,)


def test_too_many_tracks_are_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataset, "MAX_TRACKS", 7)
    with pytest.raises(DatasetError, match="at most 7 are accepted"):
        scan(folder)


# The fingerprint


def test_the_fingerprint_is_of_content_not_of_place(folder: Path, tmp_path: Path):
    before = scan(folder).fingerprint
    shutil.copytree(folder, tmp_path / "copy" / "music")
    assert scan(tmp_path / "copy" / "music").fingerprint == before
    write_sound(folder / "jazz" / "jazz0.wav", 201)
    assert scan(folder).fingerprint != before


# tracks.csv


def test_a_csv_gives_artist_title_and_split(folder: Path):
    write_csv(
        folder, "file,genre,artist,title,split\njazz/jazz0.wav,bebop,Ann,Blue,validation\nrock/rock0.wav,rock,,,\n"
    )
    found = scan(folder)
    assert found.kind == "csv"
    by_id = {track.track_id: track for track in found.tracks}
    jazz = by_id["jazz0"]
    assert (jazz.genre, jazz.artist, jazz.title, jazz.split) == ("bebop", "Ann", "Blue", "valid")
    assert (by_id["rock0"].artist, by_id["rock0"].split) == (None, None)


def test_every_bad_row_is_named(folder: Path, tmp_path: Path):
    outside = write_sound(tmp_path / "outside.wav", 300)
    (folder / "link.wav").symlink_to(outside)
    write_csv(
        folder,
        f"file,genre\n../outside.wav,a\n{outside},a\nlink.wav,a\ngone.wav,a\njazz/jazz0.wav,\n,b\n"
        "jazz/jazz1.wav,a\njazz/jazz1.wav,b\njazz/jazz2.wav,a\n./jazz/jazz2.wav,a\n\nrock/rock0.wav,b\n",
    )
    found = scan(folder)
    assert faults(found) == {
        "../outside.wav": "outside",
        str(outside): "outside",
        "link.wav": "outside",
        "gone.wav": "missing",
        "jazz/jazz0.wav": "no_genre",
        "row 7": "no_genre",
        "jazz/jazz1.wav": "two_genres",
        "./jazz/jazz2.wav": "twice",
    }
    assert [track.track_id for track in found.tracks] == ["jazz2", "rock0"]


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16"), (",", "latin-1")]
)
def test_csv_dialects_of_spreadsheets_are_read(folder: Path, delimiter: str, encoding: str):
    text = "File,Genre,Artist\r\njazz/jazz0.wav,chanson,Édith\r\n".replace(",", delimiter)
    found = scan(write_csv(folder, text, encoding))
    assert found.tracks[0].artist == "Édith"
    assert any("not UTF-8" in note for note in found.notes) == (encoding == "latin-1")


@pytest.mark.parametrize("text", ["", "name,style\na,b\n"])
def test_a_csv_without_its_columns_is_one_sentence(folder: Path, text: str):
    with pytest.raises(DatasetError, match="needs the columns file and genre"):
        scan(write_csv(folder, text))


# Archives


def test_an_archive_is_scanned_and_its_copies_found(tmp_path: Path):
    cells = np.random.default_rng(0).integers(0, 256, (3, 20, 16), dtype=np.uint8)
    data = archive.make_archive(
        ["a", "b", "c"], ["x", "y", "y"], [cells[0], cells[1], cells[0]], splits=["training", "", "val"]
    )
    archive.write_archive(tmp_path / "x.npz", data)
    found = scan(tmp_path / "x.npz")
    assert [(t.index, t.split) for t in found.tracks] == [(0, "train"), (1, None), (2, "valid")]
    assert found.tracks[0].group == found.tracks[2].group is not None
    assert faults(found) == {"a, c": "two_genres"}


def test_a_tracks_sound_is_its_file_or_its_demo_piece(folder: Path):
    clip = dataset.track_clip(scan(folder).tracks[0], 16_000)
    assert (clip.sample_rate, clip.duration_seconds, clip.name) == (16_000, 1.0, "jazz0.wav")
    assert dataset.track_clip(demo.tracks(1)[0], RATE).duration_seconds == demo.TRACK_SECONDS
    with pytest.raises(ValueError, match="no track of the demo"):
        dataset.track_clip(Track("a", "x", None, index=0), RATE)


def test_genres_can_be_merged_renamed_and_left_out(folder: Path):
    write_sound(folder / "noise" / "n.wav", 800)
    found = scan(folder)
    assert found.with_genres({"jazz": "music", "rock": "music", "noise": None}).genres == ("music",)
    with pytest.raises(EmptyGenreError, match="no genre “polka”"):
        found.with_genres({"polka": "jazz"})
    with pytest.raises(TooFewTracksError):
        found.with_genres(dict.fromkeys(found.genres))


def test_a_fault_is_a_plain_record():
    assert Fault("empty", "a", "b") == Fault("empty", "a", "b")


def test_names_that_print_alike_are_two_tracks(tmp_path):
    """They differ in spaces, or in how Unicode writes an accent."""
    names = ["a  song.wav", "a song.wav", unicodedata.normalize("NFC", "é.wav"), unicodedata.normalize("NFD", "é.wav")]
    for number, name in enumerate(names):
        write_sound(tmp_path / "jazz" / name, 200.0 + 10 * number)
    ids = [track.track_id for track in scan(tmp_path).tracks]
    assert len(set(ids)) == 4
    assert sum("(2)" in track_id for track_id in ids) == 2


def test_every_kind_of_fault_is_named_where_faults_are_described():
    folder = Path(dataset.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    made = set(re.findall(r'Fault\(\s*"(\w+)"', source)) | {
        "two_genres",
        "duplicate",
        "near_copy",
        "near_copy_of_two_genres",
    }
    assert made == set(re.findall(r"`(\w+)`", Fault.__doc__ or ""))
