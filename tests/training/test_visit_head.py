"""A head for the length of a visit: what is held of a clip, what is refused, that it answers as a saved one would."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, sine, wav_bytes
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.bundles.companion import Companion
from crnn.config import FeatureConfig, tagger_features
from crnn.data.demo import STYLES, synthesize
from crnn.data.tracks import Track
from crnn.errors import DatasetError, EmptyAudioError, NotAllowedError, TooFewTracksError
from crnn.evaluation.calibration import calibrate
from crnn.features.archive import cells_of
from crnn.inference.classifier import Classifier
from crnn.owner import MACHINE, Owner
from crnn.training import instant, visit_head
from crnn.training.visit_head import VisitTrack

STRANGER = Owner("public", "0" * 32)
# What the hand-made model's three groups of bands hear.
LOW_HZ, MIDDLE_HZ, HIGH_HZ = 60.0, 1500.0, 6000.0


@pytest.fixture
def body(tmp_path: Path) -> Classifier:
    """With a companion, which has no part in what is learnt."""
    return Classifier(tiny_bundle(tmp_path / "ten-genres", companion=Companion(FeatureConfig(), 0.5)))


def clip(hz: float, seconds: float = 3.0) -> bytes:
    return wav_bytes(sine(hz, seconds))


def given(body: Classifier) -> list[VisitTrack]:
    clips = [("drone", 50.0), ("drone", 60.0), ("drone", 70.0), ("whistle", 5000.0), ("whistle", 6000.0)]
    clips += [("whistle", 7000.0)]
    return [visit_head.hear(body, clip(hz), f"{hz:.0f}.wav", genre, owner=STRANGER) for genre, hz in clips]


def test_what_is_held_of_a_clip_is_what_the_model_hears_in_it(body: Classifier) -> None:
    track = visit_head.hear(body, clip(LOW_HZ), "a.wav", "drone", owner=STRANGER)
    whole = body.classify_file(clip(LOW_HZ))
    np.testing.assert_allclose(track.embedding, whole.embeddings.mean(axis=0), atol=1e-4)
    assert track.embedding.nbytes == 3 * 4
    assert (track.name, track.genre) == ("a.wav", "drone")
    recorded = visit_head.hear(body, clip(LOW_HZ), "", "drone", owner=STRANGER)
    assert recorded.name == "recording"


def test_the_beginning_alone_is_learnt_from(body: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.BY_MODE, "public", dataclasses.replace(limits.BY_MODE["public"], learnt_seconds=8.0))
    both = wav_bytes(np.concatenate([sine(LOW_HZ, 20.0), sine(HIGH_HZ, 40.0)]))
    blocks: list[int] = []
    track = visit_head.hear(body, both, "a.wav", "x", owner=STRANGER, on_block=lambda: blocks.append(1))
    assert int(track.embedding.argmax()) == 0
    everything = body.classify_file(both).embeddings.mean(axis=0)
    assert int(everything.argmax()) == 2
    assert 1 <= len(blocks) <= 8


def test_silence_teaches_nothing(body: Classifier) -> None:
    with pytest.raises(EmptyAudioError, match="“a.wav” is silent: there is nothing to learn from it"):
        visit_head.hear(body, wav_bytes(np.zeros(3 * RATE, np.float32)), "a.wav", "x", owner=STRANGER)


def test_it_answers_its_clips_on_the_network_of_another_model(body: Classifier) -> None:
    taught = visit_head.teach(given(body), body.bundle, owner=STRANGER)
    assert taught.bundle.genres == ("drone", "whistle")
    assert (taught.bundle.path, taught.bundle.files) == (None, {})
    mine = visit_head.with_head(body, taught)
    for hz, genre in ((55.0, "drone"), (5500.0, "whistle")):
        answer = mine.classify_file(clip(hz))
        assert answer.ranked()[0][0] == genre
        # As by the head on the embedding, without a network between.
        logits = answer.embeddings @ taught.head.weights + taught.head.bias
        np.testing.assert_allclose(mine.run(segments_of(body, hz))[0], logits, atol=1e-3)
    # And the body is as it was.
    assert body.classify_file(clip(LOW_HZ)).genre == "bass"


def segments_of(body: Classifier, hz: float) -> np.ndarray:
    from crnn.features import log_mel

    samples = sine(hz, 3.0)
    power = log_mel.mel_power(samples, body.config)
    return log_mel.network_input(power, body.config)[None]


def test_the_report_is_by_folds_over_all_clips(body: Classifier) -> None:
    report = visit_head.teach(given(body), body.bundle, owner=STRANGER).report
    assert report["scores"]["n_tracks"] == 6
    assert report["scores"]["confusion"] == [[3, 0], [0, 3]]
    assert report["is_calibrated"] is False
    assert report["lucky_guess"] == {"genre": "whistle", "accuracy": 0.5}
    assert report["protection"][1].startswith("Scored by 3 folds, each answered by a network that had not learnt it")
    assert {track["path"] for track in report["tracks"]} == {None}


def song(seed: int, start: float = 0.0) -> bytes:
    """A made-up song from a moment on, at another level."""
    samples = synthesize(sorted(STYLES)[seed], seed, 20.0, RATE)[round(start * RATE) :]
    return wav_bytes((1.0 - start / 10) * samples, RATE, "PCM_16")


def test_parts_of_one_recording_lie_on_one_side_of_a_fold(body: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    dealt: list[dict[str, tuple[Track, ...]]] = []
    deal = visit_head.most_folds
    monkeypatch.setattr(visit_head, "most_folds", lambda *order: dealt.append(deal(*order)) or dealt[-1])
    clips = [("a", song(1)), ("a", song(1, 3.2)), ("a", song(2)), ("a", song(3))]
    clips += [("b", song(seed)) for seed in (4, 5, 6)]
    tracks = [
        visit_head.hear(body, data, f"{number}.wav", genre, owner=STRANGER)
        for number, (genre, data) in enumerate(clips)
    ]
    report = visit_head.teach(tracks, body.bundle, owner=STRANGER).report
    pair = {"0.wav", "1.wav"}
    assert [pair & {track.track_id for track in part} for part in dealt[0].values()].count(pair) == 1
    assert "Copies of one recording stay in one part." in " ".join(report["protection"])
    alike = [visit_head.hear(body, song(1, start), f"{start}.wav", "a", owner=STRANGER) for start in (0.0, 2.1, 4.2)]
    with pytest.raises(TooFewTracksError, match="The clips of “a” are one recording"):
        visit_head.teach([*alike, *tracks[4:]], body.bundle, owner=STRANGER)


def test_what_is_missing_is_said_before_and_refused_after(body: Classifier) -> None:
    tracks = given(body)
    assert visit_head.what_is_missing(tracks) == ""
    assert visit_head.what_is_missing(tracks[:5]).endswith("too few in “whistle”.")
    assert visit_head.what_is_missing(tracks[:3]) == "Two genres are needed, with 3 clips each at least."
    assert visit_head.what_is_missing([]) == "Two genres are needed, with 3 clips each at least."
    with pytest.raises(TooFewTracksError, match="too few in “whistle”"):
        visit_head.teach(tracks[:5], body.bundle, owner=STRANGER)


def test_a_clip_given_twice_is_one_and_moves_to_its_last_genre() -> None:
    first, second = (VisitTrack("a.wav", genre, "d" * 64, np.zeros(3, np.float32)) for genre in ("x", "y"))
    other = VisitTrack("a.wav", "x", "e" * 64, np.zeros(3, np.float32))
    tracks: tuple[VisitTrack, ...] = ()
    for track in (first, other, second):
        tracks = visit_head.with_track(tracks, track, STRANGER)
    assert [(track.digest[0], track.genre) for track in tracks] == [("e", "x"), ("d", "y")]


def test_more_clips_than_are_granted_are_refused() -> None:
    many = tuple(VisitTrack("a", "x", f"{n:064d}", np.zeros(1, np.float32)) for n in range(100))
    with pytest.raises(DatasetError, match="100 clips are as many as are learnt from here"):
        visit_head.with_track(many, VisitTrack("a", "x", "e" * 64, np.zeros(1, np.float32)), STRANGER)
    # One that is there already is no further one.
    assert len(visit_head.with_track(many, dataclasses.replace(many[0], genre="y"), STRANGER)) == 100


def test_where_trainings_are_kept_it_is_not_done_this_way(body: Classifier) -> None:
    with pytest.raises(NotAllowedError, match="What is taught here is kept"):
        visit_head.hear(body, clip(LOW_HZ), "a.wav", "x", owner=MACHINE)
    with pytest.raises(NotAllowedError, match="What is taught here is kept"):
        visit_head.teach([], body.bundle, owner=MACHINE)


def test_a_picture_is_the_mean_of_its_cells_at_a_quarter_of_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tagger_features()
    power = np.random.default_rng(0).exponential(1.0, (9, 128)).astype(np.float32)
    cells = cells_of(power, config).astype(float)
    expected = [[cells[i : i + 4, j : j + 2].mean() for j in range(0, 128, 2)] for i in (0, 4)]
    np.testing.assert_array_equal(visit_head._picture(power, config), np.rint(expected))
    # And is compared as what it is.
    rates: list[float] = []
    monkeypatch.setattr(visit_head, "find_near_copies", lambda _, rate_hz: rates.append(rate_hz) or [])
    visit_head._with_copies_together([VisitTrack("a", "x", "d" * 64, np.zeros(3, np.float32))], config)
    assert rates == [25.0]


def test_its_calibration_is_that_of_heads_of_its_strength(body: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, fitted, fit = np.random.default_rng(0), [], instant.fit
    monkeypatch.setattr(instant, "fit", lambda *given: fitted.append(fit(*given)) or fitted[-1])
    tracks = [
        VisitTrack(f"{n}", "ab"[n % 2], f"{n:064d}", rng.normal(n % 2, 1.0, 3).astype(np.float32)) for n in range(24)
    ]
    taught = visit_head.teach(tracks, body.bundle, owner=STRANGER)
    labels = [n % 2 for n in range(24)]
    assert taught.bundle.calibration == calibrate(fitted[0].as_kept, labels) != calibrate(fitted[0].logits, labels)
    assert taught.bundle.companion is None
