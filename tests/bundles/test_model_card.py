"""Each number of a card is the one that its words name: all are different here, and each is found in its place."""

import re
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Calibration, Rejection, load_bundle
from crnn.bundles.library import BUNDLED_MODELS
from crnn.bundles.model_card import model_card

MODELS = Path(__file__).resolve().parents[2] / "models"
SCORES = {
    "level": "track",
    "n_tracks": 197,
    "accuracy": 0.711,
    "accuracy_interval": [0.622, 0.833],
    "macro_f1": 0.544,
    "macro_recall": 0.455,
    "top3_accuracy": 0.966,
    "expected_calibration_error": 0.077,
    "per_genre": {
        "bass": {"n_tracks": 11, "precision": 0.12, "recall": 0.23, "f1": 0.34},
        "middle": {"n_tracks": 12, "precision": 0.45, "recall": 0.56, "f1": 0.67},
        "treble": {"n_tracks": 13, "precision": 0.78, "recall": 0.89, "f1": 0.91},
    },
    "genres": ["bass", "middle", "treble"],
    "confusion": [[1, 2, 0], [3, 4, 5], [6, 0, 7]],
    "reliability": [[0.35, 0.25, 17]],
}


def test_every_figure_stands_beside_its_name(tmp_path):
    import dataclasses

    bundle = tiny_bundle(
        tmp_path / "m",
        calibration=Calibration(temperature=1.25, unsure_below=0.43, set_threshold=0.321, set_coverage=0.9),
        rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=0.0, threshold=0.58),
    )
    card = model_card(dataclasses.replace(bundle, scores={"valid": SCORES}))
    for line in (
        "197 tracks, one answer a track. In brackets 95 % intervals.",
        "| accuracy | 0.711 (0.622 to 0.833) |",
        "| macro-F1 | 0.544 (# to #) |",
        "| macro recall | 0.455 (# to #) |",
        "| right genre among the first three | 0.966 (# to #) |",
        "| expected calibration error, 10 bins | 0.077 (up to # is chance on so many tracks) |",
        "| bass | 11 | 0.12 (# to #) | 0.23 (# to #) | 0.34 (# to #) |",
        "| treble | 13 | 0.78 (# to #) | 0.89 (# to #) | 0.91 (# to #) |",
        "| middle | 3 | 4 | 5 |",
        "| treble | 6 | · | 7 |",
        "| 0.35 | 0.25 | 17 |",
    ):
        # Intervals have tests of their own.
        pattern = re.escape(line).replace("\\#", r"[01]\.\d+")
        assert any(re.fullmatch(pattern, found) for found in card.splitlines()), line
    calibration = card.split("## Calibration\n\n")[1].split("\n")[0]
    assert re.findall(r"[\d.]+\d", calibration)[:5] == ["1.25", "0.43", "0.321", "90", "0.58"]


@pytest.mark.parametrize("name", BUNDLED_MODELS)
def test_the_card_that_a_bundled_model_comes_with_is_the_one_that_is_written_today(name):
    bundle = load_bundle(MODELS / name)
    assert (MODELS / name / "README.md").read_text(encoding="utf-8") == model_card(bundle)
