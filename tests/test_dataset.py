import random
import shutil
import stat
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, sine

from crnn import archive, dataset, demo
from crnn.dataset import Fault, Track, scan, split_tracks
from crnn.errors import DatasetError, EmptyGenreError, TooFewTracksError


def write_sound(path: Path, frequency_hz: float, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sine(frequency_hz, seconds), RATE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "music"
    for g, genre in enumerate(["jazz", "rock"]):
        for i in range(4):
            write_sound(root / genre / f"{genre}{i}.wav", 200 + 100 * g + 10 * i)
    return root


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "tracks.csv").write_bytes(text.encode(encoding))
    return folder


def faults(found: dataset.Dataset) -> dict[str, str]:
    return {fault.subject: fault.kind for fault in found.faults}


def make_tracks(counts: dict[str, int], n_artists: int = 0) -> list[Track]:
    return [
        Track(f"{genre}{i:03d}", genre, None, artist=f"{genre} band {i % n_artists}" if n_artists else None)
        for genre, n in counts.items()
        for i in range(n)
    ]


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
    assert "1 files were left out" in found.notes[0]
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


def test_a_missing_data_set_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"no data set .*nowhere"):
        scan(tmp_path / "nowhere")


def test_a_single_sound_is_no_data_set(tmp_path: Path):
    with pytest.raises(DatasetError, match="use classify"):
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


# Zips


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def zip_of(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as zip_file:
        for file in sorted(folder.rglob("*")):
            zip_file.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("inside", ["", "my music/"])
def test_a_zip_holds_what_its_folder_holds(folder: Path, tmp_path: Path, home: Path, inside: str):
    found = scan(zip_of(folder, tmp_path / "m.zip", inside))
    assert (found.kind, found.name) == ("zip", "m")
    assert found.fingerprint == scan(folder).fingerprint
    assert all(track.path is not None and track.path.is_relative_to(home) for track in found.tracks)


def test_a_zip_is_unpacked_once(folder: Path, tmp_path: Path, home: Path):
    path = zip_of(folder, tmp_path / "m.zip")
    first = scan(path).tracks[0].path
    shutil.copy(path, tmp_path / "other.zip")
    assert scan(tmp_path / "other.zip").tracks[0].path == first
    assert len(list((home / "unpacked").iterdir())) == 1


def entry(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o644) << 16
    return info


@pytest.mark.parametrize(
    "bad",
    [
        entry("../up.wav"),
        entry("/abs.wav"),
        entry("a/../../b.wav"),
        entry("..\\up.wav"),
        entry("C:\\x.wav"),
        entry("jazz/link.wav", stat.S_IFLNK),
        entry("jazz/pipe.wav", stat.S_IFIFO),
        entry("jazz/a\nb.wav"),
    ],
    ids=lambda info: info.filename,
)
def test_hostile_names_are_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, home: Path, bad: zipfile.ZipInfo
):
    path = zip_of(folder, tmp_path / "m.zip")
    with zipfile.ZipFile(path, "a") as zip_file:
        zip_file.writestr(bad, b"/etc/passwd")
        zip_file.writestr(entry("../second.wav"), b"x")
    with pytest.raises(DatasetError, match=r"(?s)refused: .*second\.wav"):
        scan(path)
    assert not home.exists()


def test_a_zip_bomb_is_refused(tmp_path: Path, home: Path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file, zip_file.open("jazz/a.wav", "w") as member:
        for _ in range(300):
            member.write(bytes(10**6))
    with pytest.raises(DatasetError, match="times its size"):
        scan(path)


def test_too_many_files_in_a_zip_are_one_sentence(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("crnn.unpacking.MAX_ZIP_FILES", 5)
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as zip_file:
        for i in range(6):
            zip_file.writestr(f"jazz/{i}.wav", b"x")
    with pytest.raises(DatasetError, match="6 files; at most 5"):
        scan(path)


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path, home: Path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as zip_file:
        zip_file.writestr("jazz/a.wav", b"x")
        zip_file.writestr("jazz/A.WAV", b"y")
    with pytest.raises(DatasetError, match="twice"):
        scan(path)


def test_utf8_names_without_their_flag_are_read(folder: Path, tmp_path: Path, home: Path):
    path = tmp_path / "m.zip"
    sound = (folder / "jazz" / "jazz0.wav").read_bytes()
    with zipfile.ZipFile(path, "w") as zip_file:
        zip_file.writestr("forró/xote.wav", sound)
    raw = path.read_bytes()
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.index(magic) + at
        raw = raw[:start] + b"\0\0" + raw[start + 2 :]
    path.write_bytes(raw)
    assert scan(path).genres == ("forró",)


def test_a_damaged_zip_is_one_sentence_and_leaves_nothing(folder: Path, tmp_path: Path, home: Path):
    path = zip_of(folder, tmp_path / "m.zip")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="damaged"):
        scan(path)
    assert list((home / "unpacked").iterdir()) == []


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


# Splits


@pytest.mark.parametrize("name", ["random", "artist"])
def test_splits_are_stratified_and_complete(name: str):
    tracks = make_tracks({"jazz": 100, "rock": 50, "pop": 10}, n_artists=10)
    parts = split_tracks(tracks, name=name, seed=1, valid_share=0.2, test_share=0.1)
    assert sorted(t.track_id for part in parts.values() for t in part) == sorted(t.track_id for t in tracks)
    shares = {part: Counter(t.genre for t in chosen) for part, chosen in parts.items()}
    assert shares["valid"] == {"jazz": 20, "rock": 10, "pop": 2}
    assert shares["test"] == {"jazz": 10, "rock": 5, "pop": 1}


@pytest.mark.parametrize("name", ["random", "artist"])
def test_the_order_on_disk_does_not_matter_and_the_seed_does(name: str):
    tracks = make_tracks({"jazz": 30, "rock": 30}, n_artists=15)
    shuffled = random.Random(3).sample(tracks, len(tracks))
    assert split_tracks(tracks, name=name, seed=5) == split_tracks(shuffled, name=name, seed=5)
    assert split_tracks(tracks, name=name, seed=5) != split_tracks(tracks, name=name, seed=6)
    assert dataset.fold_tracks(tracks, 3, seed=5) == dataset.fold_tracks(shuffled, 3, seed=5)


def test_no_artist_is_in_two_parts_though_artists_differ_in_size():
    rng = np.random.default_rng(0)
    tracks = [
        Track(f"{genre}{i}", genre, None, artist=f"Band {int(rng.geometric(0.12))}")
        for genre in ("jazz", "rock", "pop")
        for i in range(80)
    ]
    parts = split_tracks(tracks, name="artist", seed=2)
    artists = [{t.artist for t in part} for part in parts.values()]
    assert not artists[0] & artists[1]
    assert {t.genre for t in parts["valid"]} == {"jazz", "rock", "pop"}
    assert 30 <= len(parts["valid"]) <= 66
    assert "No artist is in two parts." in dataset.split_notes(parts)


def test_artists_are_the_same_whatever_their_case():
    tracks = make_tracks({"jazz": 8, "rock": 8}, n_artists=4)
    tracks = [
        Track(t.track_id, t.genre, None, artist=(t.artist or "").upper() if i % 2 else t.artist)
        for i, t in enumerate(tracks)
    ]
    parts = split_tracks(tracks, name="artist", seed=0)
    names = [{(t.artist or "").lower() for t in part} for part in parts.values()]
    assert not names[0] & names[1]


@pytest.mark.parametrize("name", ["random", "artist"])
def test_copies_stay_together_even_across_artists(name: str):
    tracks = make_tracks({"jazz": 40, "rock": 40}, n_artists=20)
    tracks = [
        Track(t.track_id, t.genre, None, artist=t.artist, group="same" if t.track_id.endswith("7") else None)
        for t in tracks
    ]
    for seed in range(5):
        parts = split_tracks(tracks, name=name, seed=seed)
        assert sum(any(t.group for t in part) for part in parts.values()) == 1


def test_folds_are_even_and_disjoint():
    tracks = make_tracks({"jazz": 33, "rock": 21, "pop": 10})
    folds = dataset.fold_tracks(tracks, 5, seed=0)
    assert sorted(t.track_id for fold in folds for t in fold) == sorted(t.track_id for t in tracks)
    assert max(map(len, folds)) - min(map(len, folds)) <= 2
    for genre in ("jazz", "rock", "pop"):
        sizes = [sum(t.genre == genre for t in fold) for fold in folds]
        assert max(sizes) - min(sizes) <= 1


def test_folds_by_artist_keep_artists_whole():
    folds = dataset.fold_tracks(make_tracks({"jazz": 30, "rock": 30}, n_artists=6), 3, seed=0, by_artist=True)
    artists = [{t.artist for t in fold} for fold in folds]
    assert sum(len(names) for names in artists) == len(set().union(*artists)) == 12


def test_genres_that_are_too_small_are_all_named():
    tracks = make_tracks({"jazz": 10, "polka": 1, "waltz": 1})
    with pytest.raises(TooFewTracksError, match=r"polka \(1\), waltz \(1\)"):
        split_tracks(tracks, name="random", seed=0)
    with pytest.raises(TooFewTracksError, match=r"5 tracks.*polka \(1\)"):
        dataset.fold_tracks(tracks, 5, seed=0)


def test_a_genre_of_one_artist_cannot_be_split_by_artist():
    tracks = make_tracks({"jazz": 10}, n_artists=5) + make_tracks({"reggae": 10}, n_artists=1)
    with pytest.raises(TooFewTracksError, match=r"artists.*reggae \(1\)"):
        split_tracks(tracks, name="artist", seed=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [("artist", "No artist is known"), ("column", "no split of its own"), ("magic", "no split “magic”")],
)
def test_splits_say_what_they_lack(name: str, message: str):
    with pytest.raises(DatasetError, match=message):
        split_tracks(make_tracks({"jazz": 5, "rock": 5}), name=name, seed=0)


@pytest.mark.parametrize(("valid", "test"), [(0, 0), (1, 0), (0.5, 0.5), (0.2, -0.1)])
def test_impossible_shares_are_refused(valid: float, test: float):
    with pytest.raises(DatasetError, match="leave nothing"):
        split_tracks(make_tracks({"jazz": 5}), name="random", seed=0, valid_share=valid, test_share=test)


def test_the_own_column_keeps_its_parts():
    tracks = [Track(str(i), "jazz", None, split=split) for i, split in enumerate(["valid", "train", None, "outside"])]
    parts = split_tracks(tracks, name="column", seed=0)
    assert {name: [t.track_id for t in part] for name, part in parts.items()} == {
        "train": ["1"],
        "valid": ["0"],
        "outside": ["3"],
    }
    assert [t.track_id for t in dataset.select_part(tracks, "Validation")] == ["0"]
    with pytest.raises(DatasetError, match=r"part “test”.*outside \(1\)"):
        dataset.select_part(tracks, "test")


def test_the_gtzan_partition_is_complete():
    assert Counter(dataset.gtzan_partition().values()) == {"train": 443, "valid": 197, "test": 290, "excluded": 70}


@pytest.mark.parametrize("form", ["{}", "{}.wav", "blues/{}.au"])
def test_gtzan_tracks_are_known_by_id_or_file(form: str):
    ids = list(dataset.gtzan_partition())
    tracks = [Track(form.format(track_id), track_id.split(".")[0], None) for track_id in ids]
    parts = split_tracks(tracks, name="fault-filtered", seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"train": 443, "valid": 197, "test": 290}
    assert "artists and copies were kept apart" in dataset.split_notes(parts)[0]
    assert len(dataset.select_part(tracks, "test")) == 290


def test_tracks_foreign_to_gtzan_are_named():
    tracks = [Track("blues.00000", "blues", None), Track("mysong", "blues", None)]
    with pytest.raises(DatasetError, match="1 tracks are not of it: “mysong”"):
        split_tracks(tracks, name="fault-filtered", seed=0)


def test_leaks_in_a_given_column_are_told():
    tracks = [
        Track("a", "jazz", None, artist="Ann", split="train", group="g"),
        Track("b", "jazz", None, artist="ann", split="valid", group="g"),
        Track("c", "jazz", None, split="valid"),
    ]
    notes = " ".join(dataset.split_notes(split_tracks(tracks, name="column", seed=0)))
    assert "same recording lies in two parts" in notes
    assert "1 artists are in two parts" in notes
    assert "artist of 1 of 3 tracks is not known" in notes


@pytest.mark.parametrize(
    ("counts", "message"), [({}, "there is none"), ({"jazz": 9}, "only “jazz”"), ({"a": 1, "b": 1, "c": 2}, "“a”, “b”")]
)
def test_what_cannot_be_learnt_from_is_refused(counts: dict[str, int], message: str):
    with pytest.raises(TooFewTracksError, match=message):
        dataset.check_trainable(make_tracks(counts))


def test_the_given_data_has_the_published_partition(data_dir: Path):
    found = scan(data_dir / "gtzan-logmel.npz")
    assert found.faults == ()
    by_column = split_tracks(found.tracks, name="column", seed=0)
    by_partition = split_tracks(found.tracks, name="fault-filtered", seed=0)
    assert by_column == {name: part for name, part in by_partition.items() if part}


def test_a_fault_is_a_plain_record():
    assert Fault("empty", "a", "b") == Fault("empty", "a", "b")
