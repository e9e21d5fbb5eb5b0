"""The Train page: what a visitor reads of data sets good and bad, and what an order becomes."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from training_runs import SETTINGS, small_data_set

from crnn import collecting, runs
from crnn.demo import STYLES, synthesize
from crnn.errors import CrnnError
from crnn.locks import FileLock
from crnn.orders import TrainingOrder, preset
from crnn.runs import Account, Run

APP = str(Path(__file__).resolve().parents[2] / "app.py")
SONG = wav_bytes(sine(440.0, 3.0), RATE, "PCM_16")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Path) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def open_page() -> AppTest:
    return AppTest.from_file(APP, default_timeout=60).switch_page("pages/2_Train.py").run()


@pytest.fixture
def page(home: Path) -> AppTest:
    return open_page()


def read(app: AppTest) -> str:
    main = app.main
    kinds = (main.subheader, main.markdown, main.caption, main.error, main.info, main.warning, main.success)
    return (
        "\n".join(element.value for elements in kinds for element in elements).replace("\\", "").replace("\u2060", "")
    )


def open_folder(app: AppTest, folder: Path) -> AppTest:
    app.text_input(key="train.folder").set_value(str(folder)).run()
    assert not app.exception
    return app


def zipped(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip_file:
        for name, data in names.items():
            zip_file.writestr(name, data)
    return out.getvalue()


def made_up_run(home: Path, **status: object) -> Run:
    """A run as its process would have left it."""
    folder = home / "runs" / "20261123-101500"
    folder.mkdir(parents=True)
    order = TrainingOrder(("demo",), folder / "model", SETTINGS, run_dir=folder)
    (folder / "order.json").write_text(json.dumps(order.to_dict()))
    account = Account(Run(folder))
    account.record({"event": "data", "name": "demo", "genres": ["a", "b"], "parts": {"train": 8}, "protection": []})
    for epoch in (1, 2):
        facts = {"epoch": epoch, "epochs": 4, "loss": 1.0 / epoch, "seconds": 1.0}
        checked = {"valid_loss": 1.0, "valid_accuracy": 0.5, "confusion": [[3, 1], [2, 2]]}
        account.record({"event": "epoch", **facts, **checked})
    account.tell(**status)
    return Run(folder)


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
        "page = AppTest.from_file(sys.argv[1], default_timeout=120).run().switch_page('pages/2_Train.py').run()\n"
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


def test_chosen_size_is_ordered(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[TrainingOrder] = []

    def start_run(order: TrainingOrder) -> Run:
        orders.append(order)
        raise CrnnError("Not today.")

    monkeypatch.setattr(runs, "start_run", start_run)
    page.select_slider(key="train.size.quick").set_value("large").run()
    page.button(key="train.start").click().run()
    assert "Not today." in read(page)
    assert orders[0].settings.model == preset("best").model
    assert orders[0].settings.train.epochs == preset("quick").train.epochs
    assert orders[0].datasets == ("demo",)


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
    assert not page.button[-1].disabled


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
    assert "clipped tracks, and copies in another codec" in read(page)
    page.button(key="train.listen").click().run()
    assert not page.exception
    text = read(page)
    assert "again, song0 | They are one recording: 9 s of them are the same." in text
    assert "hot | Its loudest parts are cut flat (clipped)" in text
    assert "What they share begins at 0:03.0; the player starts there." in text
    assert "Copies of one recording stay in one part." in text
    assert len(page.get("audio")) == 2
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
        (folder / name).parent.mkdir(exist_ok=True)
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


def test_zip_upload_becomes_a_data_set(page: AppTest) -> None:
    songs = {f"mine/{genre}/{genre}{i}.wav": wav_bytes(sine(100.0 * i + 77, 2.0)) for genre in "ab" for i in range(3)}
    page.file_uploader(key="train.upload").set_value(("mine.zip", zipped(songs), "application/zip")).run()
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
        (b"not a zip", "is no data set"),
        (zipped({"../jazz/a.wav": SONG}), "would be written outside its folder"),
        (zipped({"readme.txt": b"hello"}), "holds no genres"),
    ],
)
def test_bad_zips_get_a_sentence(page: AppTest, data: bytes, sentence: str) -> None:
    page.file_uploader(key="train.upload").set_value(("mine.zip", data, "application/zip")).run()
    assert not page.exception
    assert sentence in read(page)


def test_clips_are_gathered_genre_by_genre(page: AppTest) -> None:
    for genre, pitches in (("bossa nova", (200, 300)), ("choro", (400, 500))):
        page.text_input(key="train.genre").set_value(genre).run()
        clips = [(f"{pitch}.wav", wav_bytes(sine(float(pitch), 3.0)), "audio/wav") for pitch in pitches]
        uploader = next(u for u in page.file_uploader if u.key.startswith("train.clips"))
        uploader.set_value(clips).run()
        assert not page.exception
    assert collecting.n_clips(collecting.own_dir()) == {"bossa nova": 2, "choro": 2}
    assert "4 tracks, 2 genres" in read(page)


def test_clips_wait_for_their_genre_and_need_sound(page: AppTest) -> None:
    uploader = next(u for u in page.file_uploader if u.key.startswith("train.clips"))
    uploader.set_value([("song.wav", SONG, "audio/wav")]).run()
    assert "Give the genre a name" in read(page)
    assert collecting.n_clips(collecting.own_dir()) == {}
    page.text_input(key="train.genre").set_value("choro").run()
    assert collecting.n_clips(collecting.own_dir()) == {"choro": 1}
    page.text_input(key="train.genre").set_value("../../etc").run()
    uploader = next(u for u in page.file_uploader if u.key.startswith("train.clips"))
    uploader.set_value([("song.wav", b"just text", "audio/wav")]).run()
    assert "song.wav" in read(page)
    assert collecting.n_clips(collecting.own_dir()) == {"choro": 1}


def test_busy_lock_is_told(page: AppTest, home: Path) -> None:
    with FileLock(home / "runs" / "start.lock") as starting:
        assert starting.acquire()
        next(button for button in page.button if button.label == "Start training").click().run()
    assert not page.exception
    assert "Another training is being started at this moment." in read(page)
    assert runs.list_runs() == []


def test_an_interrupted_run_is_found_again(home: Path) -> None:
    run = made_up_run(home, stage="training")
    (run.folder / "checkpoint.npz").write_bytes(b"kept")
    app = open_page()
    assert not app.exception
    assert "The training was interrupted" in read(app)
    assert "2 epochs are kept" in read(app)
    assert {"Resume", "Keep the best so far", "Train something else"} <= {button.label for button in app.button}
    next(button for button in app.button if button.label == "Train something else").click().run()
    assert "192 tracks" in read(app)
    # Closed, not lost.
    assert run.folder.is_dir()
    assert "23 November, 10:15: demo, interrupted" in read(app)


def test_a_failed_run_says_why(home: Path) -> None:
    made_up_run(home, state="failed", message="The data set _went_ away.")
    app = open_page()
    assert "The data set _went_ away." in read(app)


def test_a_live_run_is_shown_and_obeys(home: Path) -> None:
    run = made_up_run(home, stage="training", done=8, total=16, epoch=3, epochs=4, loss=0.4, learning_rate=1e-3)
    with runs.run_lock() as lock:
        assert lock.acquire()
        lock.write(run.run_id)
        app = open_page()
        assert not app.exception
        assert "loss 0.400, learning rate 0.001" in read(app)
        assert len(app.get("plotly_chart")) == 3
        app.button(key="train.pause").click().run()
        assert run.is_asked("pause")
        app.button(key="train.go_on").click().run()
        assert not run.is_asked("pause")
        app.button(key="train.stop").click().run()
        assert run.is_asked("stop")


def test_a_report_is_read_and_its_model_saved(home: Path, models: Path) -> None:
    run = made_up_run(home, state="done", message="")
    tiny_bundle(run.model_dir)
    Account(run).keep_report(_report())
    app = open_page()
    assert not app.exception
    text = read(app)
    assert "3 of 4 unheard tracks right: 75 %" in text
    assert "Always saying a would score 50 %." in text
    assert "b1: is b, answered a (0.90)" in text
    assert "Macro F1 0.73" in text
    assert app.selectbox(key="train.report.cell").options[0] == "all 1 mistakes"
    app.selectbox(key="train.report.cell").set_value(("b", "b")).run()
    assert "b0: is b, answered b (0.90)" in read(app)
    assert "b1: is b, answered a" not in read(app)
    app.text_input(key="train.save.name").set_value("my-model")
    app.text_area(key="train.save.notes").set_value("For *me*.")
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert "Saved as my-model." in read(app)
    assert json.loads((models / "my-model" / "bundle.json").read_text())["notes"] == "For *me*."
    app.text_input(key="train.save.name").set_value("../evil")
    next(button for button in app.button if button.label == "Save").click().run()
    assert "cannot be a model's name" in read(app)


def _report() -> dict[str, object]:
    from crnn.evaluation import score

    labels = [0, 0, 1, 1]
    posteriors = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    names = ["a0", "a1", "b0", "b1"]
    tracks = [
        {
            "track_id": name,
            "genre": "ab"[label],
            "answer": "ab"[int(p.argmax())],
            "confidence": float(p.max()),
            "path": None,
            "demo_id": None,
        }
        for name, label, p in zip(names, labels, posteriors, strict=True)
    ]
    history = [{"epoch": 1, "loss": 1.0, "valid_loss": 1.0, "valid_accuracy": 0.75}]
    return {
        "created": "2026-11-23",
        "data": {"name": "demo", "n_tracks": 12},
        "genres": ["a", "b"],
        "scores": score(labels, posteriors, ("a", "b")).to_dict(),
        "lucky_guess": {"genre": "a", "accuracy": 0.5},
        "protection": ["No artist is in two parts."],
        "notes": [],
        "kept_epoch": 1,
        "history": history,
        "tracks": tracks,
    }
