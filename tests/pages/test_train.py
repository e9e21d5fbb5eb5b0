"""The Train page: what a visitor reads of data sets good and bad, and what an order becomes."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from explore_page import players
from page_words import read
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import open_page, zipped
from training_runs import small_data_set

from crnn import limits
from crnn.bundles.bundle import Bundle
from crnn.config import FeatureConfig, tagger_features
from crnn.data import user_clips
from crnn.data.demo import STYLES, synthesize
from crnn.data.scan import scan
from crnn.errors import CrnnError, DatasetError
from crnn.features import log_mel
from crnn.jobs import runs
from crnn.locks import FileLock
from crnn.owner import MACHINE

SONG = wav_bytes(sine(440.0, 3.0), RATE, "PCM_16")


@pytest.fixture
def page(home: Path) -> AppTest:
    return open_page()


def open_folder(app: AppTest, folder: Path) -> AppTest:
    app.text_input(key="train.folder").set_value(str(folder)).run()
    assert not app.exception
    return app


def test_begins_with_the_demo_looked_over(page: AppTest) -> None:
    assert not page.exception
    text = read(page)
    assert "192 tracks, 8 genres, 64 minutes." in text
    assert "No artist is in two parts." in text
    assert "It will take about" in text


@pytest.mark.slow
def test_page_loads_no_tensorflow() -> None:
    """In an interpreter of its own: other tests of this one load it."""
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file(sys.argv[1], default_timeout=240).run().switch_page('pages/2_Train.py').run()\n"
        "assert not page.exception\n"
        "print(*sorted({'tensorflow', 'keras', 'librosa'} & set(sys.modules)))\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(root / "app.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_plan_counts_the_genres_that_are_left(page: AppTest) -> None:
    keys = [str(box.key) for box in page.text_input if str(box.key).startswith("train.name.")]
    assert len(keys) == 8
    page.text_input(key=keys[0]).set_value("").run()
    assert "140 tracks to learn from, 28 to check with" in read(page)
    for key in keys[1:]:
        page.text_input(key=key).set_value("")
    page.run()
    assert not page.exception
    assert "Every genre was left out. Keep two or more." in read(page)


def test_more_than_forty_genres_are_named_in_a_table(page: AppTest, tmp_path: Path) -> None:
    for number in range(41):
        folder = tmp_path / "many" / f"genre {number:02}"
        folder.mkdir(parents=True)
        for index in range(2):
            tone = sine(100.0 + 20 * number + index, 1.0)
            (folder / f"{index}.wav").write_bytes(wav_bytes(tone, RATE, "PCM_16"))
    open_folder(page, tmp_path / "many")
    assert "82 tracks, 41 genres" in read(page)
    assert not [box for box in page.text_input if str(box.key).startswith("train.name.")]
    tables = [table.value for table in page.dataframe if "Learnt as" in table.value]
    assert tables[0]["Learnt as"].tolist() == [f"genre {number:02}" for number in range(41)]


def test_plan_follows_the_options(page: AppTest) -> None:
    def plan() -> str:
        return next(caption.value for caption in page.caption if "It will take about" in caption.value)

    before = plan()
    page.number_input(key="train.epochs.quick").set_value(2000).run()
    longer = plan()
    page.select_slider(key="train.size.quick").set_value("large").run()
    assert not page.exception
    assert len({before, longer, plan()}) == 3


def test_variation_is_seen_and_heard_before_training(page: AppTest) -> None:
    def pictures() -> list[str]:
        (proto,) = [e.proto for e in page.get("bidi_component") if e.proto.component_name == "genrescope_player"]
        return [picture["cells"] for picture in json.loads(json.loads(proto.json)["json"])["pictures"]]

    page.toggle(key="train.variation").set_value(True).run()
    assert not page.exception
    before, usual = pictures()
    assert before != usual
    page.select_slider(key="train.augment").set_value("off").run()
    assert pictures() == [before, before]
    page.select_slider(key="train.augment").set_value("usual").run()
    page.button(key="train.roll").click().run()
    assert pictures()[1] not in {before, usual}


def test_variation_is_seen_as_what_training_starts_from_reads_it(
    models: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tagger's mel has 100 frames a second, log-mels 24: what is drawn is what is learnt from."""
    monkeypatch.setattr(Bundle, "is_trainable", True)
    tiny_bundle(models / "ten-genres", config=tagger_features(level=100.0))
    page = open_page()
    page.segmented_control(key="train.preset").set_value("quick").run()
    page.toggle(key="train.variation").set_value(True).run()
    for start, config in (("ten-genres", tagger_features()), ("scratch", FeatureConfig())):
        page.radio(key="train.init").set_value(start).run()
        assert not page.exception
        (player,) = players(page)
        before, after = player["pictures"]
        assert before["cells"] != after["cells"]
        expected = log_mel.mel_frequencies(config)[: log_mel.n_heard_bands(config)]
        assert before["rowHz"] == after["rowHz"] == pytest.approx(expected.tolist(), abs=0.01)


def test_folder_is_checked_with_every_fault_at_once(page: AppTest, tmp_path: Path) -> None:
    folder = small_data_set(tmp_path / "music")
    (folder / "hum" / "nothing.wav").write_bytes(b"")
    (folder / "hum" / "letter.mp3").write_bytes(b"Dear reader, this is text.")
    (folder / "hiss" / "copy.wav").write_bytes((folder / "hum" / "hum0.wav").read_bytes())
    open_folder(page, folder)
    text = read(page)
    assert "19 tracks, 3 genres" in text
    assert "The file is empty (0 bytes)." in text
    assert "2 tracks are the same recording. It is filed under hiss and hum." in text
    assert "Copies of one recording stay in one part." in text
    assert "Artists are not known" in text
    assert not page.button(key="train.start").disabled


def test_listening_denies_no_copy_that_was_found_before(page: AppTest, tmp_path: Path) -> None:
    folder = small_data_set(tmp_path / "music")
    open_folder(page, folder).button(key="train.listen").click().run()
    assert "none is damaged, silent, clipped or a copy of another." in read(page)
    (folder / "hum" / "again.wav").write_bytes((folder / "hum" / "hum0.wav").read_bytes())
    page.run().button(key="train.listen").click().run()
    assert "none is damaged, silent or clipped, and there are no other copies." in read(page)


def test_listening_names_clipped_tracks_and_near_copies_with_players(page: AppTest, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for number, style in enumerate(list(STYLES)[:4]):
        genre = folder / "ab"[number % 2]
        genre.mkdir(parents=True, exist_ok=True)
        song = synthesize(style, 1, 12.0, RATE)
        (genre / f"song{number}.wav").write_bytes(wav_bytes(song, RATE, "PCM_16"))
        if number == 0:
            (folder / "a" / "again.wav").write_bytes(wav_bytes(0.3 * song[3 * RATE :]))
    (folder / "b" / "hot.wav").parent.mkdir(exist_ok=True)
    (folder / "b" / "hot.wav").write_bytes(wav_bytes(np.clip(9 * sine(300.0, 3.0), -0.9, 0.9)))
    open_folder(page, folder)
    assert "clipped or a copy" in read(page)
    page.button(key="train.listen").click().run()
    assert not page.exception
    text = read(page)
    assert "again, song0 | They are copies of one recording: 9 s of them are the same." in text
    assert "hot | Its loudest parts are cut flat (clipped)" in text
    assert "What they share begins at 0:03.0; the player starts at the nearest second." in text
    assert "Copies of one recording stay in one part." in text
    # Each begins where both are the same: the song after what its copy lacks.
    assert [player.proto.start_time for player in page.get("audio")] == [0, 3]
    assert [chart.key for chart in page.get("plotly_chart")] == ["train.mel.again", "train.mel.song0"]


def test_tracks_are_heard_and_seen_before_training(page: AppTest, tmp_path: Path) -> None:
    open_folder(page, small_data_set(tmp_path / "music"))
    page.multiselect(key="train.preview").set_value(["hum0", "sweep1"]).run()
    assert not page.exception
    assert len(page.get("audio")) == len(page.get("plotly_chart")) == 2


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "holds no genres"),
        (lambda folder: (folder / "jazz").mkdir(), "holds no usable track"),
        (lambda folder: _write(folder, "jazz/a.wav", "jazz/b.wav"), "At least two genres are needed"),
        (lambda folder: _write(folder, "jazz/a.wav", "rock/b.wav"), "A single track in “jazz”, “rock”"),
    ],
)
def test_folders_that_cannot_be_learnt_from_get_a_sentence(page: AppTest, tmp_path: Path, make, sentence: str) -> None:
    (tmp_path / "music").mkdir()
    make(tmp_path / "music")
    open_folder(page, tmp_path / "music")
    assert sentence in read(page)
    submit = [button for button in page.button if button.label == "Start training"]
    assert not submit or submit[0].disabled


def _write(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(wav_bytes(sine(200.0 + 50 * number, 2.0), RATE, "PCM_16"))


def test_a_folder_that_is_not_there_is_said(page: AppTest) -> None:
    open_folder(page, Path("/no/such/folder"))
    assert "There is no folder /no/such/folder on this machine." in read(page)


def folder_boxes(app: AppTest) -> set[str | None]:
    return {box.key for box in app.text_input} & {"train.folder", "train.url"}


def test_no_folder_of_the_machine_is_offered_to_a_network(home: Path) -> None:
    import streamlit as st

    kept = st.get_option("server.address")
    try:
        st.config.set_option("server.address", "0.0.0.0")
        assert not folder_boxes(open_page())
    finally:
        st.config.set_option("server.address", kept)


def test_nor_behind_a_proxy_that_was_told_of(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_boxes(page) == {"train.folder", "train.url"}
    monkeypatch.setenv("GENRESCOPE_LOCAL", "no")
    assert not folder_boxes(open_page())


def test_too_many_tracks_for_a_mode_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.BY_MODE, "local", dataclasses.replace(limits.BY_MODE["local"], tracks=5))
    assert "tracks, and 5 at once are learnt from here. Choose fewer." in read(open_page())


def test_zip_upload_becomes_a_data_set(page: AppTest) -> None:
    songs = {f"mine/{genre}/{genre}{i}.wav": wav_bytes(sine(100.0 * i + 77, 2.0)) for genre in "ab" for i in range(3)}
    page.file_uploader(key="train.upload.0").set_value(("mine.zip", zipped(songs), "application/zip")).run()
    assert not page.exception
    assert "6 tracks, 2 genres" in read(page)


def test_a_zip_from_an_address_becomes_a_data_set(page: AppTest, tmp_path: Path) -> None:
    songs = {f"{genre}/{genre}{i}.wav": wav_bytes(sine(100.0 * i + 77, 2.0)) for genre in "ab" for i in range(3)}
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "mine.zip").write_bytes(zipped(songs))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        page.text_input(key="train.url").set_value(f"{address}/gone.zip")
        fetch = next(button for button in page.button if button.label == "Fetch")
        fetch.click().run()
        assert "127.0.0.1 answers 404" in read(page)
        page.text_input(key="train.url").set_value(f"{address}/mine.zip")
        next(button for button in page.button if button.label == "Fetch").click().run()
        server.shutdown()
    assert not page.exception
    text = read(page)
    assert "6 tracks, 2 genres" in text
    assert "Fetched mine.zip. Its SHA-256 is" in text
    assert "nothing was given to compare it with" in text
    assert "github.com/mdeff/fma" in text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"not a zip", "“mine.zip” is no zip, or it is damaged. A folder, a zip of one, or"),
        (zipped({"../jazz/a.wav": SONG}), "would be written outside its folder"),
        (zipped({"readme.txt": b"hello"}), "holds no genres"),
    ],
)
def test_bad_zips_get_a_sentence(page: AppTest, data: bytes, sentence: str) -> None:
    page.file_uploader(key="train.upload.0").set_value(("mine.zip", data, "application/zip")).run()
    assert not page.exception
    assert sentence in read(page)


def test_an_upload_that_finds_no_room_is_told(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise CrnnError("There is no room for it.")

    monkeypatch.setattr(user_clips, "keep_upload", refuse)
    page.file_uploader(key="train.upload.0").set_value(("mine.zip", b"zip", "application/zip")).run()
    assert [error.value for error in page.error] == ["There is no room for it."]


def test_two_uploads_of_one_name_are_two(page: AppTest) -> None:
    def songs(genres: str) -> bytes:
        return zipped(
            {f"{g}/{g}{i}.wav": wav_bytes(sine(100.0 * i + 77 + ord(g), 2.0)) for g in genres for i in (1, 2)}
        )

    for number, genres in enumerate(("ab", "abc")):
        uploader = page.file_uploader(key=f"train.upload.{number}")
        uploader.set_value(("folders.zip", songs(genres), "application/zip")).run()
    choice = page.multiselect(key="train.sources")
    labels = [label for label in choice.options if label.startswith("folders.zip")]
    assert len(set(labels)) == 2
    corrected = next(path for path in user_clips.uploads(MACHINE) if scan(path).genres == ("a", "b", "c"))
    choice.set_value([str(corrected)]).run()
    assert "6 tracks, 3 genres" in read(page)
    page.run()
    assert "6 tracks, 3 genres" in read(page)


def test_busy_lock_is_told(page: AppTest, home: Path) -> None:
    with FileLock(home / "runs" / "start.lock") as starting:
        assert starting.acquire()
        next(button for button in page.button if button.label == "Start training").click().run()
    assert not page.exception
    assert "Another training is being started at this moment." in read(page)
    assert runs.list_runs(MACHINE) == []


def test_a_genre_that_is_left_out_is_in_nobodys_way(page: AppTest, tmp_path: Path) -> None:
    _write(tmp_path / "music", "jazz/a.wav", "jazz/b.wav", "rock/c.wav", "rock/d.wav", "ska/e.wav")
    open_folder(page, tmp_path / "music")
    assert "A single track in “ska”" in read(page)
    assert next(button for button in page.button if button.label == "Start training").disabled
    page.text_input(key="train.name.ska").set_value("").run()
    assert not page.exception
    assert "A single track" not in read(page)
    assert not next(button for button in page.button if button.label == "Start training").disabled


def test_what_was_given_is_named_and_can_be_removed(page: AppTest) -> None:
    for genre, name, hz in (("jazz", "so what.wav", 220.0), ("jazz", "blue.wav", 330.0), ("choro", "", 440.0)):
        data = wav_bytes(sine(hz, 2.0), RATE, "PCM_16")
        user_clips.add_clip(user_clips.own_dir(MACHINE), genre, name, data, owner=MACHINE)
    page.run()
    given = next(box for box in page.multiselect if box.key.startswith("train.given"))
    assert given.options == ["own clips, choro: recording", "own clips, jazz: blue", "own clips, jazz: so what"]
    paths = list(user_clips.clips(user_clips.own_dir(MACHINE)))
    given.set_value([paths[0], paths[2]]).run()
    assert len(page.get("audio")) == 2
    next(button for button in page.button if button.label == "Remove 2 files").click().run()
    assert not page.exception
    assert "2 files removed." in read(page)
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"jazz": 1}


def test_nothing_else_can_be_removed(home: Path) -> None:
    (home / "uploads").mkdir(parents=True, exist_ok=True)
    (home / "precious.wav").write_bytes(b"mine")
    up = home / "uploads" / "a" / ".." / ".."
    for path in (home / "precious.wav", home / "uploads" / ".." / "precious.wav", up / "precious.wav"):
        with pytest.raises(DatasetError, match="There is no clip"):
            user_clips.remove(path, owner=MACHINE)
    assert (home / "precious.wav").exists()
