"""Exports used by the scripts of docs/elsewhere, in a process that cannot import this project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from tiny_bundle import tiny_bundle

from crnn.__main__ import main
from crnn.audio.clip import load_clip
from crnn.bundles.bundle import load_bundle
from crnn.inference.classifier import Classifier
from crnn.synthesis.examples import example

SCRIPTS = Path(__file__).parents[2] / "docs" / "elsewhere"
MODELS = Path(__file__).parents[2] / "models"
RATE = 22_050
# What a wrong guess at window, scale or last segment costs is a hundred times that.
CLOSE = 1e-3
END = "-- end --"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23.7 s: neither of whole segments nor of whole hops, so that the last segment matters."""
    samples = np.concatenate([_piece(number) for number in range(3)])
    path = tmp_path_factory.mktemp("sounds") / "music.wav"
    soundfile.write(path, samples[: round(23.7 * RATE)], RATE, subtype="FLOAT")
    return path


def _piece(number: int) -> np.ndarray:
    from crnn.synthesis.examples import example_names

    return np.resize(example(example_names()[number], RATE).samples, 8 * RATE)


def export(model: Path, kind: str, folder: Path) -> Path:
    out = folder / f"mine.{kind}"
    assert main(["export", "--model", str(model), "--to", kind, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A bundled model as a file of a kind, made once."""

    @cache
    def make(name: str, kind: str) -> Path:
        return export(MODELS / name, kind, tmp_path_factory.mktemp("exports"))

    return make


def say(script: str, model: Path, *sounds: Path) -> list[dict[str, float]]:
    """What a script prints of each sound, where no part of this project can be imported."""
    done = run_script(script, model, *sounds)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(said.splitlines()[-1]) for said in done.stdout.split(END)[:-1]]
    assert len(found) == len(sounds)
    return found


def run_script(script: str, model: Path, *sounds: Path) -> subprocess.CompletedProcess[str]:
    """Run from its first line to its last for each sound; TensorFlow comes once."""
    code = (
        f"import runpy, sys; sys.modules['crnn'] = None; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "script, model, *sounds = sys.argv[1:]\n"
        "for sound in sounds:\n"
        "    sys.argv = [script, model, sound]\n"
        "    runpy.run_path(script, run_name='__main__')\n"
        f"    print({END!r}, end='')\n"
    )
    command = [sys.executable, "-c", code, *map(str, (SCRIPTS / script, model, *sounds))]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPTS)


def app_says(model: Path, sound: Path) -> dict[str, float]:
    bundle = load_bundle(model)
    classifier = Classifier(bundle)
    prediction = classifier.classify(load_clip(sound, bundle.feature_config.sample_rate))
    return dict(zip(prediction.genres, prediction.posterior.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gtzan-crnn", "ten-genres"])
@pytest.mark.parametrize("kind", ["onnx", "keras", "tflite"])
def test_a_script_gives_the_posterior_of_the_app(
    name: str, kind: str, sound: Path, exported: Callable[[str, str], Path]
) -> None:
    """Of both bundled models: one was saved with its inputs as a list, the other answers by two networks."""
    (said,) = say(f"genre_{kind}.py", exported(name, kind), sound)
    assert said == pytest.approx(app_says(MODELS / name, sound), abs=CLOSE)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["onnx", "keras", "tflite"])
def test_a_script_gives_the_posterior_of_the_app_on_recorded_music(
    kind: str, exported: Callable[[str, str], Path], data_dir: Path
) -> None:
    """By the bundled model of two networks, which hear segments of other places of the same sound."""
    recordings = sorted((data_dir / "gtzan-audio").glob("*/*.ogg"))
    if not recordings:
        pytest.skip(f"no recordings in {data_dir}")
    chosen = recordings[:: len(recordings) // 4 + 1]
    for each, said in zip(chosen, say(f"genre_{kind}.py", exported("ten-genres", kind), *chosen), strict=True):
        assert said == pytest.approx(app_says(MODELS / "ten-genres", each), abs=CLOSE), each.name


@pytest.mark.slow
def test_what_a_file_of_one_length_cannot_read_is_said(exported: Callable[[str, str], Path], tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, _piece(0)[: round(4.3 * RATE)], RATE, subtype="FLOAT")
    done = run_script("genre_tflite.py", exported("ten-genres", "tflite"), path)
    assert done.returncode == 1
    assert "mine.companion.tflite reads 10 s at once, and the sound is shorter. Use ONNX." in done.stderr


def test_a_short_sound_is_answered_alike(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, _piece(0)[: round(4.3 * RATE)], RATE, subtype="FLOAT")
    bundle = tiny_bundle(tmp_path / "tiny")
    out = export(tmp_path / "tiny", "onnx", tmp_path)
    (said,) = say("genre_onnx.py", out, path)
    assert said == pytest.approx(app_says(tmp_path / "tiny", path), abs=CLOSE)
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
