"""The instant head: its fit against scikit-learn's, honest folds, and the files that it is put into."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile

import numpy as np
import onnxruntime
import pytest
from tiny_bundle import tiny_bundle, tiny_onnx, trainable_bundle
from training_runs import small_data_set

from crnn.__main__ import main
from crnn.bundles.bundle import Rejection
from crnn.bundles.tagging import MusicRule, Tag, Tagging
from crnn.data.tracks import Track
from crnn.errors import BundleError, TooFewTracksError, TrainingBusyError
from crnn.evaluation import paired
from crnn.evaluation.calibration import calibrate, fit_temperature
from crnn.evaluation.cross_fitting import pooled
from crnn.inference.classifier import Classifier
from crnn.jobs.order import TrainingOrder, preset
from crnn.locks import FileLock
from crnn.networks import new_head
from crnn.networks.new_head import onnx_with_head, write_keras_with_head
from crnn.training import instant
from crnn.training.pipeline import carry_out


def clusters(n_per_genre: int, n_genres: int, size: int, *, spread: float, seed: int = 0):
    """Embeddings of tracks of unequal length around a centre for each genre."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_genres, size))
    labels = np.repeat(np.arange(n_genres), n_per_genre)
    tracks = [
        (centres[label] + spread * rng.normal(size=size) + 0.1 * rng.normal(size=(1 + i % 4, size))).astype(np.float32)
        for i, label in enumerate(labels)
    ]
    return tracks, labels


def test_fit_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    tracks, labels = clusters(6, 3, 40, spread=1.0)
    means = np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks])
    head = instant.fit_head(means, labels, 3, 0.05)
    mean, variance = means.mean(axis=0), means.var(axis=0)
    deviation = np.sqrt((18 * variance + 10 * variance.mean()) / 28 + 1e-6)
    oracle = LogisticRegression(C=0.05, max_iter=5000, tol=1e-10).fit((means - mean) / deviation, labels)
    ours = means @ head.weights + head.bias
    theirs = oracle.decision_function((means - mean) / deviation)
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), theirs, atol=2e-3)


def test_what_calibrates_a_head_is_of_its_strength_and_all_answers_of_its_scale():
    """Weak and strong heads differ in the size of their logits: a temperature of the one is none of the other."""
    tracks, labels = clusters(12, 3, 40, spread=1.6, seed=4)
    folds = np.arange(36) % 4
    fitted = instant.fit(tracks, labels, folds, 3)
    means = np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks])
    for fold in range(4):
        head = instant.fit_head(means[folds != fold], labels[folds != fold], 3, fitted.strength)
        for i in np.flatnonzero(folds == fold):
            np.testing.assert_allclose(fitted.as_kept[i], tracks[i] @ head.weights + head.bias, rtol=1e-4, atol=1e-4)
    sizes = [np.std([row.mean(axis=0) for row in rows]) for rows in (fitted.logits, fitted.as_kept)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.5)
    judged = pooled(fitted.logits, labels, folds, ("a", "b", "c"), as_kept=fitted.as_kept)
    assert judged.calibration == calibrate(fitted.as_kept, labels)


def test_folds_answer_without_having_seen_their_tracks():
    """Labels that mean nothing are learnt by heart, and the folds say so."""
    tracks, labels = clusters(10, 3, 60, spread=1.0, seed=1)
    shuffled = np.random.default_rng(2).permutation(labels)
    folds = np.arange(30) % 5
    fitted = instant.fit(tracks, shuffled, folds, 3)
    means = np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks])
    bold = instant.fit_head(means, shuffled, 3, 0.2)
    by_heart = np.mean((means @ bold.weights + bold.bias).argmax(axis=1) == shuffled)
    honest = np.mean([logits.mean(axis=0).argmax() for logits in fitted.logits] == shuffled)
    assert by_heart > 0.9
    assert honest < 0.6
    true = instant.fit(tracks, labels, folds, 3)
    assert np.mean([logits.mean(axis=0).argmax() for logits in true.logits] == labels) > 0.9
    assert [logits.shape for logits in true.logits] == [(len(track), 3) for track in tracks]


def test_the_strength_of_a_fold_is_chosen_without_it():
    """By heads that saw neither that fold nor the one they answer; its answers are on the scale of all others."""
    tracks, labels = clusters(8, 2, 30, spread=2.0, seed=3)
    folds = np.arange(16) % 4
    means = np.stack([track.mean(axis=0, dtype=np.float64) for track in tracks])

    def answers(left_out, strength):
        """Of each fold but those left out, by a head that saw neither."""
        logits = np.zeros((16, 2))
        for fold in set(range(4)) - set(left_out):
            learnt = ~np.isin(folds, [fold, *left_out])
            head = instant.fit_head(means[learnt], labels[learnt], 2, strength)
            logits[folds == fold] = means[folds == fold] @ head.weights + head.bias
        kept = ~np.isin(folds, list(left_out))
        return logits[kept], labels[kept]

    def chosen(left_out):
        return min(instant.STRENGTHS, key=lambda strength: instant._loss(*answers(left_out, strength)))

    def temperature(left_out, strength):
        logits, true = answers(left_out, strength)
        return fit_temperature([row[None] for row in logits], true)

    monkey = pytest.MonkeyPatch()
    monkey.setattr(instant, "LEAST_TO_CALIBRATE", 1)
    fitted = instant.fit(tracks, labels, folds, 2)
    monkey.undo()
    assert fitted.strength == chosen(())
    assert len({chosen((fold,)) for fold in range(4)}) > 1
    for fold in range(4):
        learnt, strength = folds != fold, chosen((fold,))
        head = instant.fit_head(means[learnt], labels[learnt], 2, strength)
        ratio = temperature((), fitted.strength) / temperature((fold,), strength)
        for i in np.flatnonzero(folds == fold):
            expected = ratio * (tracks[i] @ head.weights + head.bias)
            np.testing.assert_allclose(fitted.logits[i], expected, rtol=1e-3, atol=1e-3)


def test_the_loss_is_that_at_the_best_temperature():
    # Right three times of four: least where the confidence is 3/4, at which it is the entropy of that.
    logit = instant._TEMPERATURES[12] * np.log(3)
    loss = instant._loss(np.array([[logit, 0.0]] * 4), np.array([0, 0, 0, 1]))
    assert loss == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))


def test_two_tracks_a_genre_are_enough():
    tracks, labels = clusters(2, 2, 20, spread=0.2)
    fitted = instant.fit(tracks, labels, np.array([0, 1, 0, 1]), 2)
    assert [int(logits.mean(axis=0).argmax()) for logits in fitted.logits] == [0, 0, 1, 1]


def test_the_fits_are_counted_and_can_be_stopped():
    """Three folds: three pairs, three without one, and the head of all."""
    rng = np.random.default_rng(0)
    labels, folds = np.repeat([0, 1], 6), np.tile([0, 1, 2], 4)
    embeddings = [rng.normal(label, 1.0, (2, 4)).astype(np.float32) for label in labels]
    told = []
    whole = instant.fit(embeddings, labels, folds, 2, on_progress=lambda *counts: told.append(counts))
    assert told == [(n, 7) for n in range(1, 8)]

    def until(n):
        told.clear()
        return instant.fit_unless_stopped(
            embeddings,
            labels,
            folds,
            2,
            on_progress=lambda *counts: told.append(counts),
            should_stop=lambda: len(told) >= n,
        )

    assert until(3) is None
    assert told == [(1, 7), (2, 7), (3, 7)]
    found = until(8)
    assert np.array_equal(found.head.weights, whole.head.weights)


def test_as_many_folds_as_the_smallest_genre_allows():
    def track(genre: str, number: int, artist: str | None = None) -> Track:
        return Track(f"{genre}{number}", genre, None, artist=artist)

    three = [track("a", n) for n in range(9)] + [track("b", n) for n in range(3)]
    assert sorted(set(instant.fold_numbers(three, None, 0).tolist())) == [0, 1, 2]
    many = [track(genre, n) for genre in "ab" for n in range(9)]
    assert sorted(set(instant.fold_numbers(many, None, 0).tolist())) == [0, 1, 2, 3, 4]
    by_artist = [track(genre, n, f"{genre} band {n // 3}") for genre in "ab" for n in range(9)]
    folds = instant.fold_numbers(by_artist, None, 0)
    assert all(
        len({int(f) for t, f in zip(by_artist, folds, strict=True) if t.artist == artist}) == 1
        for artist in {t.artist for t in by_artist}
    )
    with pytest.raises(TooFewTracksError, match="too few in: b"):
        instant.fold_numbers([track("a", 1), track("a", 2), track("b", 1)], None, 0)


def test_only_the_logits_of_an_onnx_network_change():
    segments = np.random.default_rng(0).uniform(-80, 0, (2, 50, 128)).astype(np.float32)
    weights, bias = np.float32([[1, 0], [0, 2], [3, 1]]), np.float32([0.5, -1])
    before = onnxruntime.InferenceSession(tiny_onnx(), providers=["CPUExecutionProvider"])
    once = onnx_with_head(tiny_onnx(), weights, bias)
    again = onnx_with_head(once, weights[:, ::-1].copy(), bias[::-1].copy())
    (embedding,) = before.run(["embedding"], {"log_mel": segments})
    for content, w, b in ((once, weights, bias), (again, weights[:, ::-1], bias[::-1])):
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        logits, same = session.run(["logits", "embedding"], {"log_mel": segments})
        np.testing.assert_array_equal(same, embedding)
        np.testing.assert_allclose(logits, embedding @ w + b, rtol=1e-5)
        assert session.get_outputs()[0].shape[1] == 2
    assert len(again) == len(once)


@pytest.mark.slow
def test_a_keras_file_with_a_new_head_opens_and_answers_alike(tmp_path):
    import keras

    bundle = trainable_bundle(tmp_path / "small")
    weights = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    bias = np.float32([1, 2, 3, 4])
    write_keras_with_head(bundle.file("model.keras"), tmp_path / "new.keras", weights, bias)
    model = keras.saving.load_model(tmp_path / "new.keras", compile=False, safe_mode=True)
    assert model.output_shape == (None, 4)
    segments = np.random.default_rng(1).uniform(-80, 0, (2, 48, 16)).astype(np.float32)
    content = onnx_with_head(bundle.file("model.onnx").read_bytes(), weights, bias)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"log_mel": segments})
    np.testing.assert_allclose(model.predict_on_batch(segments), logits, atol=1e-3)


def zip_of(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, content in members.items():
            zip_file.writestr(name.replace("_", "."), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be read"),
        (pickle.dumps([1]), "cannot be read"),
        (zip_of(config_json="{}"), "no layer of logits"),
        (zip_of(config_json="[]", model_weights_h5=""), "no layer of logits"),
        (zip_of(config_json="[" * 100_000), "no layer of logits"),
        (zip_of(config_json='{"config": {"layers": [1]}}'), "no layer of logits"),
        (zip_of(config_json=" " * 2_000_000), "would unpack to more than 1 MB"),
    ],
    ids=range(7),
)
def test_a_head_is_not_put_on_what_is_no_network(tmp_path, monkeypatch, content, sentence):
    monkeypatch.setattr(new_head, "MAX_BUNDLE_BYTES", 1 << 20)
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(BundleError, match=f"model.keras.*{sentence}"):
        write_keras_with_head(tmp_path / "model.keras", tmp_path / "new.keras", np.zeros((7, 4)), np.zeros(4))
    assert not (tmp_path / "new.keras").exists()


def test_a_gain_must_be_beyond_chance():
    right = np.zeros(20, dtype=bool)
    none, five, six = right.copy(), right.copy(), right.copy()
    five[:5], six[:6] = True, True
    # Six of six one way: 2 / 2^6 = 0.031; five of five: 2 / 2^5 = 0.0625.
    assert paired.compare(none, six).p_value == pytest.approx(2 / 64)
    assert paired.compare(none, six).second_gains
    assert not paired.compare(none, five).second_gains
    assert not paired.compare(six, none).second_gains
    assert paired.compare(five, five).p_value == 1.0
    found = paired.compare(five, six)
    assert dataclasses.astuple(found)[:5] == (20, 5, 6, 0, 1)


def test_an_order_for_a_head_is_carried_out_without_keras(tmp_path, monkeypatch):
    """From a folder to a bundle that serves, whose rejection is its start's and whose score is of all tracks."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    rejection = Rejection((0.01, 0.02, 0.03), 5.0, 0.4)
    tiny_bundle(tmp_path / "models" / "tiny", rejection=rejection)
    folder = small_data_set(tmp_path / "sounds", n_tracks=7, seconds=1.2)
    order = TrainingOrder((str(folder),), tmp_path / "models" / "mine", preset("quick"), init="tiny", method="head")
    stages = []
    outcome = carry_out(order, on_event=lambda event: stages.append(event.get("stage")))
    assert [stage for stage in stages if stage] == ["scanning", "features", "copies", "embedding", "head", "saving"]
    bundle, report = outcome.bundle, outcome.report
    assert bundle is not None
    assert report is not None
    assert bundle.genres == ("hiss", "hum", "sweep")
    # That of the start, but for a threshold that would refuse what is taught here.
    assert bundle.rejection is not None
    assert (bundle.rejection.weights, bundle.rejection.bias) == (rejection.weights, rejection.bias)
    assert bundle.rejection.threshold <= rejection.threshold
    assert any("takes all of its 21 own tracks for music" in note for note in report["notes"])
    assert not bundle.is_trainable
    assert bundle.scores["folds"]["n_tracks"] == len(report["tracks"]) == 21
    assert bundle.scores["folds"]["accuracy"] > 0.6
    assert bundle.calibration.is_fitted
    assert (bundle.split["folds"], bundle.split["way"], bundle.split["seed"]) == (5, "random", 0)
    prediction = Classifier(bundle).classify_file(folder / "hiss" / "hiss0.wav")
    assert prediction.ranked()[0][0] == "hiss"
    assert not (tmp_path / "models" / ".mine-run").exists()


def other_data_set(folder, n_others):
    """Hums and sweeps to learn, and hisses that are neither."""
    small_data_set(folder, n_tracks=12, seconds=1.2)
    (folder / "hiss").rename(folder / "other")
    for path in sorted((folder / "other").iterdir())[n_others:]:
        path.unlink()
    return folder


def head_order(folder, out):
    return TrainingOrder((str(folder),), out, preset("quick"), init="tiny", method="head")


@pytest.fixture
def tagged_start(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    tags = (Tag("low", "sound", (0,), (), 1.0, 0.0, 0.5, 0.9, (0.8, 0.95)),)
    music = MusicRule(((0,),), (0.0,), 9.0, 0.5)
    return tiny_bundle(tmp_path / "models" / "tiny", tagging=Tagging(3, tags, music))


def test_a_folder_other_teaches_what_is_none_of_the_genres(tagged_start, tmp_path):
    folder = other_data_set(tmp_path / "sounds", 12)
    outcome = carry_out(head_order(folder, tmp_path / "models" / "mine"))
    bundle = outcome.bundle
    assert bundle is not None
    assert bundle.genres == ("hum", "sweep")
    assert bundle.scores["folds"]["n_tracks"] == 24
    assert any("of 12 tracks of other music are told to be none of the genres" in note for note in outcome.notes)
    classifier = Classifier(bundle)
    verdicts = [classifier.classify_file(path).verdict for path in sorted((folder / "other").iterdir())]
    assert verdicts.count("other") >= 9
    assert classifier.classify_file(folder / "hum" / "hum0.wav").verdict != "other"


def test_evaluate_says_how_much_of_other_music_is_told(tagged_start, tmp_path, capsys):
    folder = other_data_set(tmp_path / "sounds", 12)
    carry_out(head_order(folder, tmp_path / "models" / "mine"))
    main(["evaluate", str(folder), "--model", "mine", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["n_tracks"], found["other"]["n_tracks"]) == (24, 12)
    assert found["other"]["told"] >= 0.75
    assert "12 tracks of other, which is none of the genres, left out of the scores" in " ".join(found["notes"])
    assert "does not know" not in " ".join(found["notes"])
    main(["evaluate", str(folder), "--model", "mine"])
    assert "12 tracks, " in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("other  "))


def test_too_little_other_music_is_said_to_teach_nothing(tagged_start, tmp_path):
    outcome = carry_out(head_order(other_data_set(tmp_path / "sounds", 3), tmp_path / "models" / "mine"))
    assert outcome.bundle is not None
    assert outcome.bundle.tagging == dataclasses.replace(tagged_start.tagging, other=None)
    assert "3 tracks of other music taught nothing: 10 are needed, and as many of the model's own." in outcome.notes


def test_the_network_runs_once_over_each_track(tagged_start, tmp_path, monkeypatch):
    """What the report counts comes of the same run: a second one doubled the time."""
    runs = []
    run = Classifier.run_all
    monkeypatch.setattr(Classifier, "run_all", lambda self, segments: runs.append(len(segments)) or run(self, segments))
    carry_out(head_order(other_data_set(tmp_path / "sounds", 12), tmp_path / "models" / "mine"))
    assert runs == [1] * 36


def test_a_second_training_to_one_place_is_refused_before_it_takes_the_first_ones_checkpoint(tmp_path):
    order = TrainingOrder(("nowhere",), tmp_path / "mine", preset("quick"), init="ten-genres", method="head")
    kept = tmp_path / ".mine-run" / "checkpoint.npz"
    kept.parent.mkdir()
    kept.write_bytes(b"the first one's")
    with FileLock(kept.with_name("writer.lock")) as lock:
        assert lock.acquire()
        with pytest.raises(TrainingBusyError, match="of that name is under way"):
            carry_out(order)
    assert kept.read_bytes() == b"the first one's"
