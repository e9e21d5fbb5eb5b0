"""Exports used by the scripts of docs/elsewhere, in a process that cannot import this project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from tiny_bundle import tiny_bundle

from crnn.__main__ import main
from crnn.audio.clip import load_clip
from crnn.bundles.bundle import load_bundle
from crnn.inference.classifier import Classifier

SCRIPTS = Path(__file__).parents[2] / "docs" / "elsewhere"
MODELS = Path(__file__).parents[2] / "models"
RATE = 22_050
# What a wrong guess at window, scale or last segment costs is a hundred times that.
CLOSE = 1e-3
END = "-- end --"
# The script of each kind of file with the model of two networks, and what reads log-mels alone with the other, which
# was saved with its inputs as a list.
ASKED = (
    ("onnx", "ten-genres"),
    ("keras", "ten-genres"),
    ("tflite", "ten-genres"),
    ("onnx", "gtzan-crnn"),
    ("keras", "gtzan-crnn"),
)
Job = tuple[str, Path, Path]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23.7 s: neither of whole segments nor of whole hops, so that the last segment matters."""
    samples = np.concatenate([_piece(number) for number in range(3)])
    path = tmp_path_factory.mktemp("sounds") / "music.wav"
    soundfile.write(path, samples[: round(23.7 * RATE)], RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sounds") / "short.wav"
    soundfile.write(path, _piece(0)[: round(4.3 * RATE)], RATE, subtype="FLOAT")
    return path


def _piece(number: int) -> np.ndarray:
    from crnn.synthesis.examples import example, example_names

    return np.resize(example(example_names()[number], RATE).samples, 8 * RATE)


def export(model: Path, kind: str, folder: Path) -> Path:
    out = folder / f"mine.{kind}"
    assert main(["export", "--model", str(model), "--to", kind, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The bundled models as files, each converted once."""
    return {(kind, name): export(MODELS / name, kind, tmp_path_factory.mktemp("exports")) for kind, name in ASKED}


@pytest.fixture(scope="module")
def said(exported: dict[tuple[str, str], Path], sound: Path, short: Path) -> dict[tuple[str, str], Any]:
    """What each script prints of the sound, and that of TensorFlow Lite of one too short, all in one process."""
    jobs = [(f"genre_{kind}.py", exported[kind, name], sound) for kind, name in ASKED]
    jobs.append(("genre_tflite.py", exported["tflite", "ten-genres"], short))
    return dict(zip((*ASKED, ("tflite", "short")), say(*jobs), strict=True))


def say(*jobs: Job) -> list[Any]:
    """What scripts print of sounds, where no part of this project can be imported; or the words that they end with.

    Each is run from its first line to its last; Keras and librosa come once.
    """
    code = (
        f"import json, runpy, sys; sys.modules['crnn'] = None; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "for job in json.loads(sys.argv[1]):\n"
        "    sys.argv = job\n"
        "    try:\n"
        "        runpy.run_path(job[0], run_name='__main__')\n"
        "    except SystemExit as err:\n"
        "        print(json.dumps(err.code))\n"
        f"    print({END!r}, end='')\n"
    )
    told = json.dumps([[str(SCRIPTS / script), str(model), str(heard)] for script, model, heard in jobs])
    command = [sys.executable, "-c", code, told]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPTS)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(part.splitlines()[-1]) for part in done.stdout.split(END)[:-1]]
    assert len(found) == len(jobs)
    return found


def app_says(model: Path, sound: Path) -> dict[str, float]:
    bundle = load_bundle(model)
    classifier = Classifier(bundle)
    prediction = classifier.classify(load_clip(sound, bundle.feature_config.sample_rate))
    return dict(zip(prediction.genres, prediction.posterior.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), ASKED)
def test_a_script_gives_the_posterior_of_the_app(
    kind: str, name: str, sound: Path, said: dict[tuple[str, str], Any]
) -> None:
    assert said[kind, name] == pytest.approx(app_says(MODELS / name, sound), abs=CLOSE)


@pytest.mark.slow
def test_a_script_gives_the_posterior_of_the_app_on_recorded_music(
    exported: dict[tuple[str, str], Path], data_dir: Path
) -> None:
    """By the bundled model of two networks, which hear segments of other places of the same sound.

    What a script reads of a sound, it reads alike for every kind of file.
    """
    recordings = sorted((data_dir / "gtzan-audio").glob("*/*.ogg"))
    if not recordings:
        pytest.skip(f"no recordings in {data_dir}")
    chosen = recordings[:: len(recordings) // 4 + 1]
    heard = say(*(("genre_onnx.py", exported["onnx", "ten-genres"], each) for each in chosen))
    for each, found in zip(chosen, heard, strict=True):
        assert found == pytest.approx(app_says(MODELS / "ten-genres", each), abs=CLOSE), each.name


@pytest.mark.slow
def test_what_a_file_of_one_length_cannot_read_is_said(said: dict[tuple[str, str], Any]) -> None:
    assert said["tflite", "short"].endswith(
        "mine.companion.tflite reads 10 s at once, and the sound is shorter. Use ONNX."
    )


def test_a_short_sound_is_answered_alike(tmp_path: Path, short: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    (found,) = say(("genre_onnx.py", export(tmp_path / "tiny", "onnx", tmp_path), short))
    assert found == pytest.approx(app_says(tmp_path / "tiny", short), abs=CLOSE)
    assert len(bundle.genres) == 3


def test_the_card_travels_with_the_network(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    model = onnx.load(export(tmp_path / "tiny", "onnx", tmp_path))
    card = json.loads({entry.key: entry.value for entry in model.metadata_props}["genrescope"])
    assert card["genres"] == ["bass", "middle", "treble"]
    assert card["calibration"]["temperature"] == 1.0
    features = card["features"]
    assert (features["hop_samples"], features["n_fft"], features["window_is_periodic"]) == (914.0, 2048, True)
    assert (features["segment_frames"], features["padding"]) == (241, "constant")
    weights = np.zeros((1025, 128))
    for fft_bin, band, weight in features["mel_weights"]:
        weights[fft_bin, band] = weight
    import librosa

    np.testing.assert_allclose(weights.T, librosa.filters.mel(sr=RATE, n_fft=2048, n_mels=128), atol=1e-7)


def test_no_script_is_longer_than_a_page() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in SCRIPTS.glob("*.py")}
    shared = {"sound_to_input.py", "logits_to_genres.py"}
    assert set(lengths) == {"genre_onnx.py", "genre_keras.py", "genre_tflite.py", *shared}
    assert all(length <= 40 for length in lengths.values()), lengths
