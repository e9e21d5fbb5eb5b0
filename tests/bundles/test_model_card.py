"""Each number of a card is the one that its words name: all are different here, and each is found in its place."""

import dataclasses
import re
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import UNFITTED, Calibration, Rejection, load_bundle
from crnn.bundles.library import BUNDLED_MODELS
from crnn.bundles.model_card import interval_of, model_card, scored_parts
from crnn.bundles.tagging import MusicRule, Tagging

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
    "overconfidence": 0.021,
    "overconfidence_interval": [-0.031, 0.062],
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
        "| expected calibration error, 10 bins | 0.077 (up to # is chance on so many tracks) |",
        "| mean confidence less the share right | +0.02 (−0.03 to +0.06) |",
        "| bass | 11 | 0.12 (# to #) | 0.23 (# to #) | 0.34 (# to #) |",
        "| treble | 13 | 0.78 (# to #) | 0.89 (# to #) | 0.91 (# to #) |",
        "| middle | 3 | 4 | 5 |",
        "| treble | 6 | · | 7 |",
        "| 0.35 | 0.25 | 17 |",
    ):
        # Intervals have tests of their own.
        pattern = re.escape(line).replace("\\#", r"[01]\.\d+")
        assert any(re.fullmatch(pattern, found) for found in card.splitlines()), line
    rough = "less often. Of music like that, in other tracks, the mean confidence may be from 0.03 too low to 0.06"
    assert f"{rough} too high (95 %)." in card
    # Of two or three genres it is always among them.
    assert "among the first three" not in card
    calibration = card.split("## Calibration\n\n")[1].split("\n")[0]
    assert re.findall(r"[\d.]+\d", calibration)[:5] == ["1.25", "0.43", "0.321", "90", "0.58"]


@pytest.mark.parametrize("name", BUNDLED_MODELS)
def test_the_card_that_a_bundled_model_comes_with_is_the_one_that_is_written_today(name):
    bundle = load_bundle(MODELS / name)
    assert (MODELS / name / "README.md").read_text(encoding="utf-8") == model_card(bundle)


def test_what_unsure_and_the_set_do_stands_in_the_card_by_as_many_tracks_as_tell_something(tmp_path):
    judged = {"answered": 0.5, "answered_accuracy": 0.8, "set_coverage": 0.9, "set_size": 1.4}
    scores = SCORES | judged | {"n_tracks": 40, "independent_tracks": 20.0}
    found = {"found": ["The model takes all of its 40 own tracks for music of its genres."]}
    bundle = dataclasses.replace(tiny_bundle(tmp_path / "m"), scores={"folds": scores}, training=found)
    card = model_card(bundle)
    # Wilson's intervals of 10 in 20, 8 in 10 and 18 in 20.
    for line in (
        "40 tracks, one answer a track, which tell as much as 20 of one artist each. In brackets 95 % intervals.",
        "| answered, not “unsure” | 0.500 (0.299 to 0.701) |",
        "| answers that are right | 0.800 (0.490 to 0.943) |",
        "| the prediction set holds the truth | 0.900 (0.699 to 0.972) |",
        "| genres in the prediction set | 1.40 |",
    ):
        assert line in card.splitlines(), line
    assert card.split("## Limits\n\n")[1].split("\n")[0].endswith("music of its genres.")


def test_a_name_with_a_stroke_keeps_its_cell_and_lists_are_told_plainly(tmp_path):
    scores = SCORES | {"genres": ["a|b", *SCORES["genres"][1:]]}
    scores["per_genre"] = dict(zip(scores["genres"], SCORES["per_genre"].values(), strict=True))
    split = {"copies": [["one", "two"], ["three", "four"]]}
    card = model_card(dataclasses.replace(tiny_bundle(tmp_path / "m"), scores={"valid": scores}, split=split))
    assert "| a\\|b | 11 |" in card
    assert "- split: copies: one and two, three and four" in card.splitlines()


def test_what_declines_by_examples_made_on_the_spot_says_that_it_is_worse_at_it(tmp_path):
    rejection = Rejection(weights=(0.0, 0.0, 0.0), bias=0.0, threshold=0.5)
    by_tags = Tagging(3, music=MusicRule(groups=((0,),), weights=(1.0,), bias=0.0, threshold=0.5))
    kinds = ({"rejection": rejection}, {"tagging": by_tags}, {})
    bundles = [tiny_bundle(tmp_path / f"m{number}", **kind) for number, kind in enumerate(kinds)]
    cards = [model_card(dataclasses.replace(bundle, scores={})) for bundle in bundles]
    assert ["less surely than ten-genres" in card for card in cards] == [True, False, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"accuracy": 1e308},
        {"accuracy": -0.1},
        {"accuracy": True},
        {"accuracy": "0.7"},
        {"n_tracks": 0},
        {"n_tracks": 1e308},
        {"n_tracks": 2**62},
        {"n_tracks": "many"},
    ],
)
def test_a_score_that_is_none_is_not_told(tmp_path, wrong):
    bundle = dataclasses.replace(tiny_bundle(tmp_path / "m"), scores={"valid": SCORES | wrong, "folds": SCORES, "x": 1})
    assert list(scored_parts(bundle)) == ["folds"]


@pytest.mark.parametrize("interval", [[0.1, 1e308], [0.1], "ab", [0.1, "b"], None])
def test_an_interval_that_is_none_is_not_told(interval):
    assert interval_of(SCORES) == (0.622, 0.833)
    assert interval_of(SCORES | {"accuracy_interval": interval}) is None


def test_the_folds_tell_how_rough_it_is_and_four_genres_have_a_first_three(tmp_path):
    genre = {"n_tracks": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    of_four = SCORES | {"genres": [*SCORES["genres"], "noise"], "per_genre": SCORES["per_genre"] | {"noise": genre}}
    of_four["confusion"] = [[1, 2, 0, 0], [3, 4, 5, 0], [6, 0, 7, 0], [0, 0, 0, 1]]
    folds = of_four | {"overconfidence_interval": [-0.2, 0.1], "independent_tracks": 190.0}
    bundle = tiny_bundle(tmp_path / "m", calibration=Calibration(0.9, 0.4, 0.3, 0.9))
    card = model_card(dataclasses.replace(bundle, scores={"valid": of_four, "folds": folds}))
    assert "| right genre among the first three | 0.966 (" in card
    assert "by other artists, the mean confidence may be from 0.20 too low to 0.10 too high (95 %)." in card


def test_what_too_few_tracks_were_is_the_most_that_were_checked(tmp_path):
    scores = {"valid": SCORES | {"n_tracks": 9}, "test": SCORES | {"n_tracks": 12}}
    card = model_card(dataclasses.replace(tiny_bundle(tmp_path / "m", calibration=UNFITTED), scores=scores))
    assert "Not calibrated: only 12 tracks to check with." in card


def test_tags_decline_where_there_is_a_rejection_too(tmp_path):
    rejection = Rejection(weights=(0.0, 0.0, 0.0), bias=0.0, threshold=0.5)
    by_tags = Tagging(3, music=MusicRule(groups=((0,),), weights=(1.0,), bias=0.0, threshold=0.25))
    bundle = dataclasses.replace(tiny_bundle(tmp_path / "m", rejection=rejection, tagging=by_tags), scores={})
    assert "less surely than ten-genres" not in model_card(bundle)
    assert "Below a probability of music of 0.25, by its tags, it is “not music”." in model_card(bundle)
