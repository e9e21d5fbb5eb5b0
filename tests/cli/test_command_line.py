"""The command line by its contract: rows that parse, errors that name the fault, exit codes."""

import csv
import dataclasses
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from sounds import RATE, noise, sine

from crnn.__main__ import build_parser, main
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.cli import classify
from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.features.archive import make_archive, read_archive, to_uint8, write_archive
from crnn.features.log_mel import log_mel

FIELDS = {
    "file",
    "duration_seconds",
    "verdict",
    "genre",
    "confidence",
    "genres",
    "prediction_set",
    "notes",
    "timeline",
    "shares",
    "stretches",
    "tagged",
    "tags",
    "heard",
}


@pytest.fixture
def music(tmp_path):
    """A folder with two sounds, one of them deeper down, and two files that are none."""
    folder = tmp_path / "music"
    (folder / "more").mkdir(parents=True)
    soundfile.write(folder / "low.wav", sine(80, 12), RATE)
    soundfile.write(folder / "more" / "HIGH.FLAC", sine(9000, 12), RATE, format="FLAC")
    (folder / "text.wav").write_text("This is no sound.")
    (folder / "empty.mp3").write_bytes(b"")
    return folder


def _classify(capsys, bundle, *arguments):
    status = main(["classify", *map(str, arguments), "--model", str(bundle.path)])
    return status, capsys.readouterr().out


def test_json_has_a_row_a_file_and_errors_do_not_stop_the_others(capsys, bundle, music):
    status, out = _classify(capsys, bundle, music, "--format", "json")
    rows = {row["file"].rsplit("/", 1)[-1].rsplit("\\", 1)[-1]: row for row in map(json.loads, out.splitlines())}
    assert status == 1
    assert set(rows) == {"low.wav", "HIGH.FLAC", "text.wav", "empty.mp3"}
    assert set(rows["low.wav"]) == FIELDS
    assert rows["low.wav"]["verdict"] == "genre"
    assert rows["low.wav"]["genre"] == "bass"
    assert rows["HIGH.FLAC"]["genre"] == "treble"
    assert sum(rows["low.wav"]["genres"].values()) == pytest.approx(1, abs=1e-4)
    assert rows["low.wav"]["timeline"][0]["start_seconds"] == 0
    assert rows["low.wav"]["timeline"][-1]["end_seconds"] == pytest.approx(12)
    assert rows["text.wav"]["error"]["type"] == "UndecodableAudioError"
    assert "text file" in rows["text.wav"]["error"]["message"]
    assert rows["empty.mp3"]["error"]["type"] == "EmptyAudioError"


def test_all_well_is_status_0(capsys, bundle, music):
    status, out = _classify(capsys, bundle, music / "low.wav")
    assert status == 0
    assert out.startswith("bass")


def test_csv_parses_and_holds_a_column_a_genre(capsys, bundle, music):
    _, out = _classify(capsys, bundle, music, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 4
    low = next(row for row in rows if row["file"].endswith("low.wav"))
    assert float(low["bass"]) > 0.5
    assert next(row for row in rows if row["file"].endswith("text.wav"))["error"]


def test_a_place_that_takes_no_rows_is_a_sentence(capsys, bundle, music, tmp_path):
    arguments = ["classify", str(music / "low.wav"), "--model", str(bundle.path), "--format", "json", "--out"]
    nowhere = tmp_path / "rows.jsonl"
    nowhere.symlink_to(tmp_path / "none" / "rows.jsonl")
    assert main([*arguments, str(nowhere)]) == 1
    assert capsys.readouterr() == ("", f"error: {nowhere} cannot be written: {os.strerror(2)}.\n")
    with pytest.raises(CrnnError, match=f"{music} cannot be taken up: "):
        classify.read_rows(music)


def test_a_row_is_on_the_disk_before_the_next_one_is_worked_out(bundle, tmp_path):
    out = tmp_path / "rows.jsonl"
    options = build_parser().parse_args(["classify", "a.wav", "--format", "json", "--out", str(out)])
    with classify._writer(options, bundle.genres) as write:
        write({"file": "a.wav"})
        assert out.read_text() == '{"file": "a.wav"}\n'


def test_out_writes_the_file_and_says_nothing(capsys, bundle, music, tmp_path):
    out_file = tmp_path / "answers.jsonl"
    _, out = _classify(capsys, bundle, music, "--format", "json", "--out", out_file)
    assert out == ""
    assert len(out_file.read_text().splitlines()) == 4


def test_timeline_in_the_table(capsys, bundle, music):
    _, out = _classify(capsys, bundle, music / "low.wav", "--timeline")
    assert "0:00.0 to" in out


def _classify_apart(bundle, music, *options):
    """In a process of its own: the workers' processes begin with a copy of its main module."""
    command = [sys.executable, "-m", "crnn", "classify", music, "--format", "json", "--model", bundle.path, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_two_jobs_give_the_same_rows_in_the_same_order(bundle, music):
    for i in range(5):
        soundfile.write(music / f"more{i}.wav", noise(3, seed=i), RATE)
    alone = _classify_apart(bundle, music)
    together = _classify_apart(bundle, music, "--jobs", "2")
    assert [row["file"] for row in alone] == [row["file"] for row in together]
    for a, b in zip(alone, together, strict=True):
        assert a.get("genres", {}) == pytest.approx(b.get("genres", {}), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify"], "name a PATH, or --undo FILE"),
        (["classify", "x", "--undo", "y"], "PATH and --undo exclude each other"),
        (["classify", "x", "--format", "xml"], "invalid choice: 'xml'"),
        (["nothing"], "invalid choice: 'nothing'"),
        ([], "required"),
    ],
)
def test_wrong_use_is_status_2(capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["classify", "train", "evaluate", "features", "scan", "export", "models"])
def test_help_teaches(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([command, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_unknown_model_is_a_sentence(capsys, music):
    assert main(["classify", str(music), "--model", "no-such-model"]) == 2
    assert "There is no model" in capsys.readouterr().err


def test_no_sound_files_is_a_sentence(capsys, bundle, tmp_path):
    assert main(["classify", str(tmp_path), "--model", str(bundle.path)]) == 1
    assert "No sound files" in capsys.readouterr().err


@pytest.fixture
def archive(tmp_path, bundle):
    """Six tracks of two genres that the tiny model knows, and one that it does not."""
    config = bundle.feature_config
    sounds = [sine(80 + i, 8) for i in range(3)] + [sine(9000 + i, 8) for i in range(3)] + [noise(8)]
    genres = ["bass"] * 3 + ["treble"] * 3 + ["polka"]
    splits = ["train", "valid", "valid", "train", "valid", "valid", "valid"]
    log_mels = [to_uint8(log_mel(sound, config)) for sound in sounds]
    path = tmp_path / "archive.npz"
    made = make_archive([f"t{i}" for i in range(7)], genres, log_mels, splits=splits, feature_config=config)
    write_archive(path, made)
    return path


def test_evaluate_follows_its_contract(capsys, bundle, archive):
    assert main(["evaluate", str(archive), "--model", str(bundle.path), "--format", "json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["n_tracks"] == 6
    assert scores["accuracy"] == 1.0
    assert 0 < scores["accuracy_interval"][0] < scores["accuracy_interval"][1] <= 1
    assert scores["genres"] == ["bass", "middle", "treble"]
    assert np.array(scores["confusion"]).sum() == 6
    assert {"macro_f1", "macro_recall", "top3_accuracy", "expected_calibration_error", "per_genre"} <= set(scores)
    assert "polka" in " ".join(scores["notes"])
    # What is answered stands beside the scores, and so does what is said of music that the model does not know.
    assert (scores["verdicts"], scores["unknown_genres"]["n_tracks"]) == ({"genre": 1.0}, 1)


def test_evaluate_writes_a_row_a_track_where_it_is_told_to(capsys, bundle, archive, tmp_path):
    arguments = ["evaluate", str(archive), "--model", str(bundle.path), "--rows"]
    assert main([*arguments, str(tmp_path / "rows.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["track"], row["truth"]) for row in rows[2:4]] == [("t2", "bass"), ("t3", "treble")]
    assert [row["genre"] for row in rows[:6]] == ["bass"] * 3 + ["treble"] * 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("accuracy          1.000  (")
    assert "verdicts          genre 1.000" in lines
    (tmp_path / "link-rows.jsonl").symlink_to(tmp_path / "none" / "rows.jsonl")
    assert main([*arguments, str(tmp_path / "link-rows.jsonl")]) == 1
    assert f"rows.jsonl cannot be written: {os.strerror(2)}." in capsys.readouterr().err


def test_evaluate_refuses_tracks_of_which_the_model_knows_no_genre(capsys, bundle, tmp_path):
    path = tmp_path / "archive.npz"
    write_archive(path, make_archive(["t"], ["polka"], [np.full((200, 128), 9, np.uint8)]))
    assert main(["evaluate", str(path), "--model", str(bundle.path)]) == 1
    assert "No track there is of a genre that “tiny” knows: bass, middle, treble." in capsys.readouterr().err


def test_evaluate_one_part(capsys, bundle, archive):
    main(["evaluate", str(archive), "--model", str(bundle.path), "--split", "valid", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["n_tracks"] == 4


def test_evaluate_counts_an_unreadable_track_as_wrong(capsys, bundle, tmp_path):
    for genre, frequency in (("bass", 80), ("treble", 9000)):
        (tmp_path / "set" / genre).mkdir(parents=True)
        for i in range(2):
            soundfile.write(tmp_path / "set" / genre / f"{genre}{i}.wav", sine(frequency, 4), RATE)
    path = tmp_path / "set" / "bass" / "bass1.wav"
    path.write_bytes(path.read_bytes()[:200])
    status = main(["evaluate", str(tmp_path / "set"), "--model", str(bundle.path), "--format", "json"])
    scores = json.loads(capsys.readouterr().out)
    assert scores["n_tracks"] == 4
    assert scores["accuracy"] == 0.75
    assert status == 1
    assert "counts as wrong" in " ".join(scores["notes"])


def test_an_archive_is_answered_track_by_track(capsys, bundle, archive):
    assert main(["classify", str(archive), "--model", str(bundle.path), "--format", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [f"{archive}:t{i}" for i in range(7)]
    assert [row["genre"] for row in rows[:6]] == ["bass"] * 3 + ["treble"] * 3
    assert set(rows[0]) == FIELDS
    assert rows[0]["duration_seconds"] == pytest.approx(8, abs=0.05)


def test_silence_is_not_told_of_an_archive(capsys, bundle, tmp_path):
    path = tmp_path / "quiet.npz"
    frames = np.zeros((200, 128), np.uint8)
    write_archive(path, make_archive(["t"], ["bass"], [frames], feature_config=bundle.feature_config))
    assert main(["classify", str(path), "--model", str(bundle.path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] != "silence"


def test_resume_goes_on_within_an_archive(bundle, archive, tmp_path):
    out = tmp_path / "rows.jsonl"
    arguments = ["classify", str(archive), "--model", str(bundle.path), "--format", "json", "--out", str(out)]
    assert main(arguments) == 0
    whole = out.read_bytes()
    out.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    assert main([*arguments, "--resume"]) == 0
    assert out.read_bytes() == whole


@pytest.fixture
def finer_archive(tmp_path, bundle):
    """An archive made with half the hop of the model."""
    config = dataclasses.replace(bundle.feature_config, hop_length=457)
    path = tmp_path / "finer.npz"
    log_mels = [to_uint8(log_mel(sine(80, 8), config))]
    write_archive(path, make_archive(["t"], ["bass"], log_mels, feature_config=config))
    return path


def test_an_archive_of_other_settings_is_an_error_row_and_the_others_are_answered(
    capsys, bundle, finer_archive, archive
):
    status = main(["classify", str(finer_archive), str(archive), "--model", str(bundle.path), "--format", "json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 1
    assert rows[0]["file"] == str(finer_archive)
    assert "hop 457" in rows[0]["error"]["message"]
    assert "hop 914" in rows[0]["error"]["message"]
    assert len(rows) == 8


def test_evaluate_refuses_an_archive_of_other_settings(capsys, bundle, finer_archive):
    assert main(["evaluate", str(finer_archive), "--model", str(bundle.path), "--format", "json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "hop 457" in said.err


def test_scan_prints_json(capsys, archive):
    # A genre of one track is what `train` refuses.
    assert main(["scan", str(archive), "--format", "json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["genres"] == {"bass": 3, "polka": 1, "treble": 3}
    assert "A single track in “polka”" in facts["obstacles"][0]


def test_scan_says_what_there_is_and_what_is_wrong_with_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "songs"
    for genre, frequency in (("bass", 80), ("treble", 9000)):
        (folder / genre).mkdir(parents=True)
        for number in range(3):
            soundfile.write(folder / genre / f"{genre}{number}.wav", sine(frequency + number, 2), RATE)
    (folder / "bass" / "empty.wav").touch()
    soundfile.write(folder / "bass" / "silent.wav", np.zeros(2 * RATE), RATE)
    assert main(["scan", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["songs: 7 tracks, 2 genres", f"  {'bass':<20} {4:>6}", f"  {'treble':<20} {3:>6}"]
    assert "  bass/empty.wav: The file is empty (0 bytes)." in lines
    assert not [line for line in lines if "silen" in line]
    # What only ears find.
    assert main(["scan", str(folder), "--listen", "--jobs", "1"]) == 0
    heard = capsys.readouterr().out.splitlines()
    assert set(lines) < set(heard)
    assert any(line.startswith("  silent: ") for line in heard)
    (folder / "treble" / "wrong.wav").write_bytes((folder / "bass" / "bass0.wav").read_bytes())
    assert main(["scan", str(folder)]) == 1
    told = "1 recording under two genres: one of the labels is wrong. Take one of the copies away."
    assert capsys.readouterr().out.splitlines()[-1] == told


def test_features_makes_an_archive_that_evaluates_alike(capsys, bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    for genre, frequency in (("bass", 80), ("treble", 9000)):
        (tmp_path / "set" / genre).mkdir(parents=True)
        soundfile.write(tmp_path / "set" / genre / f"{genre}.wav", sine(frequency, 14), RATE)
    options = ["--model", str(bundle.path), "--jobs", "1"]
    assert main(["features", str(tmp_path / "set"), "--out", str(tmp_path / "x.npz"), *options]) == 0
    capsys.readouterr()
    answers = []
    for source in ("set", "x.npz"):
        main(["evaluate", str(tmp_path / source), "--model", str(bundle.path), "--format", "json"])
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0]["confusion"] == answers[1]["confusion"]


@pytest.mark.parametrize(("options", "config"), [((), None), (("--model", "scratch"), FeatureConfig())])
def test_features_are_those_of_the_default_model_or_of_a_start_from_scratch(
    capsys, tmp_path, monkeypatch, options, config
):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    (tmp_path / "set" / "bass").mkdir(parents=True)
    soundfile.write(tmp_path / "set" / "bass" / "bass.wav", sine(80, 4), RATE)
    out = tmp_path / "x.npz"
    assert main(["features", str(tmp_path / "set"), "--out", str(out), "--jobs", "1", *options]) == 0
    made = read_archive(out).feature_config or FeatureConfig()
    assert made == (config or find_bundle(DEFAULT_MODEL).feature_config)
    capsys.readouterr()
    main(["classify", str(out), "--format", "json"])
    assert ("error" in json.loads(capsys.readouterr().out)) == (config is not None)


def test_module_runs_and_results_alone_go_to_stdout(bundle, music):
    command = [sys.executable, "-m", "crnn", "classify", music / "low.wav", "--format", "json", "--model", bundle.path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["genre"] == "bass"


@pytest.mark.slow
def test_what_decoders_say_of_a_damaged_file_is_not_heard(bundle, tmp_path):
    out = io.BytesIO()
    soundfile.write(out, noise(6.0), RATE, format="MP3")
    damaged = bytearray(out.getvalue())
    damaged[5000::97] = bytes(len(damaged[5000::97]))
    (tmp_path / "damaged.mp3").write_bytes(damaged)
    command = [sys.executable, "-m", "crnn", "classify", str(tmp_path / "damaged.mp3"), "--model", str(bundle.path)]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    command.insert(3, "--verbose")
    # Decoders run in processes whose stderr nobody reads.
    assert "mpg123" not in subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_ctrl_c_while_the_libraries_load_is_no_traceback() -> None:
    code = (
        "import sys\n"
        "from crnn.__main__ import main\n"
        "class Press:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'numpy': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Press())\n"
        "sys.exit(main(['classify', 'a.wav']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "stopped\n")
