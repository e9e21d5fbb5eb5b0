"""The heads of `ten-genres`: nothing judged is learnt, and thresholds and weights in exact cases."""

import numpy as np
import pytest

from crnn.networks.tagger_crnn import GENRE_CLASSES, POOLED_SIZE
from recipes import ear_calibration, ear_genre, ear_rules
from recipes.ear_outputs import ARCHIVE, CUTS, ELSEWHERE, GTZAN, Companions, Heard, folds_of, numbers_within


def heard(ids, genres, groups, per_track=2):
    own = np.repeat(np.arange(len(ids)), per_track)
    return Heard(np.zeros((len(own), 3)), np.zeros((len(own), 4)), own, *map(np.array, (ids, genres, groups)))


def rows():
    tracks = heard(["a", "b"], ["blues", "rock"], ["train", "valid"])
    artists = [f"artist{n // 2}" for n in range(12)]
    clips = heard([f"c{n}" for n in range(12)], ["pop"] * 11 + ["latin"], artists)
    cuts = heard(["cut.a", "cut.x"], ["blues", "jazz"], ["train", "valid"])
    sets = {"gtzan.clean": tracks, "gtzan.phone1": tracks, "gtzan.degrade1": tracks, "cuts.clean": cuts}
    return ear_genre.Rows(sets | {"arch.clean": tracks, ELSEWHERE: clips, "elsx.clean": clips})


def test_no_head_learns_the_part_or_the_fold_that_it_judges():
    of = rows()
    for part in ear_genre.PARTS:
        learnt = of.without(part=part).track
        assert not [t for s, t in learnt if not s.startswith("els") and of.heard[s].groups[t] == part]
    for fold in range(5):
        learnt = {track for name, track in of.without(fold=fold).track if name == ELSEWHERE}
        assert learnt == {n for n in range(11) if of.folds[n] != fold}


def test_no_head_of_the_second_network_does_either_and_cuts_are_learnt():
    of = rows()
    second = {name: Companions(of.heard[name].embedding, of.heard[name].own) for name in (ARCHIVE, CUTS, ELSEWHERE)}
    heads = ear_genre.SecondRows(of.heard, second)
    for part, other in (("train", 1), ("valid", 0)):
        learnt = set(heads.without(part=part).track)
        assert {track for name, track in learnt if name in {ARCHIVE, CUTS}} == {other}
        assert {(ARCHIVE, other), (CUTS, other)} <= learnt
    # Of a cut both segments together weigh 0.16 of a track, whose sound is heard whole beside it.
    whole = heads.without()
    weights = {
        name: sum(w for w, t in zip(whole.weights, whole.track, strict=True) if t == (name, 1)) for name in second
    }
    assert weights[ARCHIVE] == 1.0
    np.testing.assert_allclose(weights[CUTS], 0.16)
    np.testing.assert_allclose(weights[ELSEWHERE], 3.0)
    for fold in range(5):
        learnt = {track for name, track in heads.without(fold=fold).track if name == ELSEWHERE}
        assert learnt == {n for n in range(11) if of.folds[n] != fold}


def test_an_artist_is_in_one_fold():
    folds = folds_of(np.array(["a", "b", "a", "c", "b"]))
    assert folds[0] == folds[2]
    assert folds[1] == folds[4]


def test_segments_are_numbered_within_their_track():
    np.testing.assert_array_equal(numbers_within(np.array([4, 4, 4, 7, 9, 9])), [0, 1, 2, 0, 0, 1])


def test_a_track_weighs_the_same_however_long():
    one = heard(["a"], ["blues"], ["x"], per_track=4)
    learnt = ear_genre.balanced([("one", one, 2.0, np.array([True]))], power=0.0)
    np.testing.assert_array_equal(learnt.weights, [0.5] * 4)


def test_thresholds_are_those_of_the_coverage_and_of_the_share_that_is_answered():
    posteriors = np.linspace(0.05, 0.95, 19)[:, None] * [1.0, 0.5]
    found = ear_calibration.calibration(posteriors, np.arange(19) % 2, 0.7)
    assert (found["temperature"], found["set_coverage"]) == (0.7, 0.9)
    # Of 0.05, 0.15, 0.25, … and half of 0.10, 0.20, … the second: rank 0.1 · 20.
    np.testing.assert_allclose(found["set_threshold"], 0.05)
    # 62 % are answered: of the steps from 0.05 to 0.95 38 % are below.
    np.testing.assert_allclose(found["unsure_below"], 0.05 + 0.38 * 0.9)


def test_an_eighth_of_a_metal_track_is_taught_as_rock():
    one = heard(["a", "b"], ["metal", "jazz"], ["x", "x"], per_track=1)
    learnt = ear_genre.balanced([("one", one, 2.0, np.array([True, True]))], power=0.0)
    metal, jazz, rock = (ear_genre.GENRES.index(genre) for genre in ("metal", "jazz", "rock"))
    np.testing.assert_array_equal(learnt.labels, [metal, jazz, rock])
    np.testing.assert_allclose(learnt.weights, [2 * 0.88, 2.0, 2 * 0.12])
    assert learnt.track == (("one", 0), ("one", 1), ("one", 0))


def test_the_temperature_has_the_least_loss():
    # Right three times of four with logits of 0 and 4: the loss is least where the confidence is 3/4, at 4 / log 3.
    clips = heard(["a", "b", "c", "d"], ["blues", "blues", "blues", "classical"], ["x"] * 4, per_track=1)
    logits = np.full((4, 10), -1e3)
    logits[:, :2] = [4.0, 0.0]
    assert ear_calibration.best_temperature([(clips, logits)]) == 1.5  # the end of the range
    logits[:, 0] = 1.0
    assert ear_calibration.best_temperature([(clips, logits)]) == 0.91  # 1 / log 3 is 0.910
    logits[:, 0] = 0.626
    assert ear_calibration.best_temperature([(clips, logits)]) == 0.57  # and no 0.5700000000000001
    logits[:, 0] = 0.1
    assert ear_calibration.best_temperature([(clips, logits)]) == 0.4  # the other end


def test_a_genre_beside_the_ten_has_no_say_in_the_temperature():
    logits = np.full((5, 10), -1e3)
    logits[:, :2] = [1.0, 0.0]
    clips = heard(list("abcde"), ["blues", "latin", "blues", "blues", "classical"], ["x"] * 5, per_track=1)
    assert ear_calibration.best_temperature([(clips, logits)]) == 0.91


def test_the_temperature_counts_cuts_as_much_as_each_kind_of_whole_track():
    # Whole tracks are right three times of four, the two cuts once: (3/4 + 3/4 + 1/2) / 3 is 2/3, so 1 / log 2 = 1.443.
    whole = heard(["a", "b", "c", "d"], ["blues", "blues", "blues", "classical"], ["x"] * 4, per_track=1)
    cuts = heard(["a", "b"], ["blues", "classical"], ["x"] * 2, per_track=1)
    sets = {GTZAN: whole, ELSEWHERE: whole, CUTS: cuts, ARCHIVE: whole}
    logits = np.full((4, 10), -1e3)
    logits[:, :2] = [1.0, 0.0]
    assert ear_calibration.temperature_of(sets, {name: logits[: of.n_tracks] for name, of in sets.items()}) == 1.44


def test_both_networks_are_averaged_where_both_have_heard():
    of = rows()
    first = np.arange(40.0).reshape(4, 10)
    second = np.array([np.full(10, 100.0), np.full(10, np.nan)])
    mixed = ear_genre.mixed(of, "gtzan.clean", first, second)
    np.testing.assert_array_equal(mixed[:2], 0.5 * first[:2] + 50.0)
    np.testing.assert_array_equal(mixed[2:], first[2:])


def test_another_draw_has_other_folds():
    of = rows()
    assert not np.array_equal(of.folds, ear_genre.Rows(of.heard, draw=1).folds)


def test_of_some_tracks_only_their_segments_are_left():
    rows = np.arange(5, dtype=np.float32)[:, None]
    names = np.array(["a", "b", "c"])
    heard = Heard(rows, rows * 10, np.array([0, 1, 1, 2, 2]), names, names, names, rows * 100)
    some = heard.only(np.array([True, False, True]))
    assert some.ids.tolist() == ["a", "c"]
    assert some.own.tolist() == [0, 1, 1]
    assert some.tags[:, 0].tolist() == [0, 30, 40]
    assert some.embedding[:, 0].tolist() == [0, 3, 4]
    assert some.ended is not None
    assert some.ended[:, 0].tolist() == [0, 300, 400]


def test_music_learns_the_mean_of_a_short_sound_repeated_and_ended():
    tags = np.array([[1.0, 0.0, 0.0], [2.0, 5.0, 5.0]], np.float32)
    ended = np.array([[-3.0, 2.0, 2.0], [2.0, 5.0, 5.0]], np.float32)
    names = np.array(["a", "b"])
    heard = Heard(tags, tags, np.arange(2), names, names, names, ended)
    # log(e^0 + e^0) is 0.693, log(e^2 + e^2) 2.693.
    np.testing.assert_allclose(ear_rules._loudness(heard, [[0], [1, 2]]), [[-1, 1 + np.log(2)], [2, 5 + np.log(2)]])


def apart():
    """Sets in which each recording has an embedding of its own: 1 at its number."""
    groups = {"a": "train", "b": "valid", "c": "train", "x": "valid"}
    clips = [f"e{n}" for n in range(6)]
    numbers = {name: number for number, name in enumerate([*groups, *clips, "e9"])}

    def heard(ids, genres, groups):
        own = np.repeat(np.arange(len(ids)), 4)
        embedding = np.eye(len(numbers))[[numbers[ids[n].removeprefix("cut.")] for n in own]]
        return Heard(embedding, np.zeros((len(own), 4)), own, *map(np.array, (ids, genres, groups)))

    tracks = heard(["a", "b"], ["blues", "jazz"], ["train", "valid"])
    cuts = heard(["cut.a", "cut.x"], ["blues", "jazz"], ["train", "valid"])
    archive = heard(["a", "b", "c"], ["blues", "jazz", "blues"], ["train", "valid", "train"])
    elsewhere = heard(clips, ["blues"] * 5 + ["latin"], [f"artist{n}" for n in range(6)])
    further = heard(["e0", "e9"], ["blues", "blues"], ["artist0", "artist9"])
    sets = {GTZAN: tracks, "gtzan.phone1": tracks, "gtzan.degrade1": tracks, CUTS: cuts, ARCHIVE: archive}
    return ear_genre.Rows(sets | {ELSEWHERE: elsewhere, "elsx.clean": further}, ear_genre.Weights(balance=0.0))


def by_heart(learnt, *_):
    """A head that says 2 of what it has learnt and 1 of anything else."""
    is_known = learnt.embedding.max(axis=0)
    return ear_genre.Head(np.repeat(is_known[:, None], 10, axis=1), np.ones(10))


def test_whoever_is_judged_was_not_learnt_by_either_network(monkeypatch):
    monkeypatch.setattr(ear_genre, "fit", by_heart)
    of = apart()
    second = {name: Companions(of.heard[name].embedding, of.heard[name].own) for name in (ARCHIVE, CUTS, ELSEWHERE)}
    heads = ear_genre.SecondRows(of.heard, second)
    judged = [*ear_genre.crossed(of).values(), ear_genre.crossed_elsewhere(of)[:-4]]
    judged += [*heads.crossed().values(), heads.crossed_elsewhere()[:-1]]
    for logits in judged:
        assert (logits == 1).all()


def test_what_a_track_weighs():
    """Soundless archive tracks of what is heard are left out, as are far clips' of those that are."""
    learnt, totals = apart().without(), {}
    for weight, track in zip(learnt.weights, learnt.track, strict=True):
        totals[track] = totals.get(track, 0.0) + weight
    expected = {
        (GTZAN, 0): 1,
        (GTZAN, 1): 1,
        (ARCHIVE, 2): 0.6,
        (CUTS, 0): 0.16,
        (CUTS, 1): 0.4,
        ("elsx.clean", 1): 1.8,
    }
    expected |= {(f"gtzan.{kind}1", track): 0.125 for kind in ("phone", "degrade") for track in (0, 1)}
    expected |= {(ELSEWHERE, track): 3 for track in range(5)}
    assert totals == pytest.approx(expected)


def test_by_the_whole_of_its_rarity_a_genre_weighs_as_much_as_any():
    one = heard(["a", "b", "c", "d"], ["blues", "jazz", "jazz", "jazz"], ["x"] * 4, per_track=1)
    learnt = ear_genre.balanced([("one", one, 1.0, np.ones(4, dtype=bool))], power=1.0)
    # Four tracks of ten genres are 0.4 each.
    np.testing.assert_allclose(learnt.weights, [0.4, 0.4 / 3, 0.4 / 3, 0.4 / 3])


def test_the_memory_counts_half_and_the_words_many_times():
    rng, size = np.random.default_rng(0), POOLED_SIZE + 2 + len(GENRE_CLASSES)
    names = np.array(["a", "b"])
    embeddings = [rng.normal(size=(2, size)).astype(np.float32) for _ in range(3)]
    sets = {
        name: Heard(embedding, embedding, np.arange(2), names, names, names)
        for name, embedding in zip((GTZAN, ELSEWHERE, ARCHIVE), embeddings, strict=True)
    }
    mean, scale = ear_genre.scales(sets, 20.0)
    plain = np.concatenate(embeddings).std(axis=0) + 0.02
    np.testing.assert_allclose(mean, np.concatenate(embeddings).mean(axis=0), rtol=1e-4, atol=1e-6)
    factors = [1.0] * POOLED_SIZE + [2.0] * 2 + [1 / 20] * len(GENRE_CLASSES)
    np.testing.assert_allclose(scale, plain * factors, rtol=1e-4)


def test_a_head_takes_embeddings_as_they_are():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, labels = rng.normal(3.0, 2.0, (30, 4)), np.arange(30) % 3
    mean, scale = x.mean(axis=0), x.std(axis=0)
    head = ear_genre.fit(ear_genre.Learnt(x, labels, np.ones(30), ()), mean, scale, 0.5)
    oracle = LogisticRegression(C=0.5, max_iter=1000, tol=1e-4).fit((x - mean) / scale, labels)
    np.testing.assert_allclose(head(x), oracle.decision_function((x - mean) / scale), atol=1e-6)


def test_the_second_network_hears_one_of_three_and_counts_by_its_share():
    names = np.array(["a"])
    embedding = np.array([[1.0], [10.0], [100.0], [1000.0]])
    first = Heard(embedding, embedding, np.zeros(4, dtype=np.int64), names, names, names)
    heads = ear_genre.SecondRows({ARCHIVE: first}, {ARCHIVE: Companions(embedding, first.own)})
    logits = heads._track_logits(ear_genre.Head(np.ones((1, 10)), np.zeros(10)), ARCHIVE)
    np.testing.assert_array_equal(logits, [[(1 + 1000) / 2] * 10])
    of = ear_genre.Rows({ARCHIVE: first}, ear_genre.Weights(second=0.25))
    mixed = ear_genre.mixed(of, ARCHIVE, np.full((4, 10), 8.0), np.full((1, 10), 16.0))
    np.testing.assert_array_equal(mixed, np.full((4, 10), 10.0))


def test_what_the_second_network_says_of_a_track_of_gtzan_is_that_of_the_archives():
    of = apart()
    first = {name: np.zeros((len(of.heard[name].own), 10)) for name in (GTZAN, ARCHIVE, CUTS)}
    second = {ARCHIVE: np.array([[2.0] * 10, [4.0] * 10, [6.0] * 10]), CUTS: np.zeros((2, 10))}
    joined = ear_genre.together(of, first, second)
    np.testing.assert_array_equal(joined[GTZAN][:, 0], [1.0] * 4 + [2.0] * 4)


def of_tracks(n, name="t"):
    names = np.array([f"{name}.{number:05}" for number in range(n)])
    return Heard(np.zeros((n, 3)), np.zeros((n, 4)), np.arange(n), names, np.array(["blues"] * n), names)


def known(x, *_):
    """A regression that takes what it has learnt for music, and nothing else."""
    return 10.0 * x.max(axis=0), -5.0


def test_no_rule_judges_what_it_learnt(monkeypatch, capsys):
    sets = {GTZAN: of_tracks(30), ELSEWHERE: of_tracks(12, "e"), ear_rules.MADE: of_tracks(9, "m")}
    places = dict(zip(sets, np.split(np.eye(51), [30, 42]), strict=True))
    monkeypatch.setattr(
        ear_rules, "_other_features", lambda heard, *_: next(places[n] for n in sets if sets[n] is heard)
    )
    monkeypatch.setattr(ear_rules, "_other_regression", known)
    scales = np.ones(3), np.full(3, 0.25)
    rule, found = ear_rules.fit_other(
        sets, dict.fromkeys(sets), scales, ["Singing", "Humming", "Music", "Scary music"], 1.0
    )
    unknown = 1 / (1 + np.exp(5.0))
    assert all((probabilities == unknown).all() for probabilities in found.values())
    # What is read in the bundle is half of the standardised embedding.
    assert (rule["threshold"], rule["embedding_scale"]) == (pytest.approx(unknown), [2.0] * 3)
    # And of music: kinds are left out as a whole.
    monkeypatch.setattr(ear_rules, "music_groups", lambda _: [])
    monkeypatch.setattr(ear_rules, "_loudness", lambda heard, _: np.eye(30)[heard.own])
    monkeypatch.setattr(ear_rules, "_music_regression", known)
    monkeypatch.setattr(ear_rules, "_music_sets", lambda _: [(GTZAN, 1, ["a", "b", "c"] * 10, 1.0)])
    ear_rules.fit_music(sets, [])
    assert capsys.readouterr().out.startswith(f"{GTZAN}: 1.000 of 30 called no music")


@pytest.mark.parametrize(("most", "threshold"), [(1.0, 1.75), (3.0, 2.825)])
def test_the_rule_for_other_music_loses_no_more_of_either_source_than_it_may(monkeypatch, most, threshold):
    logits = {GTZAN: np.linspace(-4, most, 41), ELSEWHERE: np.linspace(-3, 2, 21), ear_rules.MADE: np.full(9, 3.0)}
    sets = {name: of_tracks(len(values)) for name, values in logits.items()}
    monkeypatch.setattr(
        ear_rules, "_other_features", lambda heard, *_: next(logits[n][:, None] for n in sets if sets[n] is heard)
    )
    monkeypatch.setattr(ear_rules, "_other_regression", lambda *_: (np.ones(1), 0.0))
    rule, _ = ear_rules.fit_other(
        sets, dict.fromkeys(sets), (np.ones(3), np.ones(3)), ["Singing", "Humming", "Music", "Scary music"], 1.0
    )
    # One of forty of GTZAN is the last but one, one of twenty from elsewhere likewise: the greater of the two.
    assert rule["threshold"] == pytest.approx(1 / (1 + np.exp(-threshold)))


def test_a_dozen_neighbours_of_gtzan_lie_in_one_fold():
    folds = ear_rules._gtzan_folds(of_tracks(48, "blues"))
    assert [len(set(folds[first : first + 12].tolist())) for first in range(0, 48, 12)] == [1] * 4
    assert len(set(folds.tolist())) > 1


def test_certainty_is_read_as_the_bundle_reads_it():
    # Mean logits of 2 and 0 among none else: as of `crnn.inference.tagging.certainty` at a temperature of 2.
    logits = np.full((2, 10), -1e3)
    logits[:, :2] = [[3.0, 0.0], [1.0, 0.0]]
    names = np.array(["a"])
    one = Heard(np.full((2, 3), 5.0), np.array([[4.0, 0.0], [8.0, 0.0]]), np.zeros(2, np.int64), names, names, names)
    read = ear_rules._other_features(one, logits, (np.full(3, 1.0), np.full(3, 2.0)), [0], 2.0)
    p = 1 / (1 + np.exp(-1.0))
    certainty = [p, -p * np.log(p) - (1 - p) * np.log(1 - p), 2 + np.log1p(np.exp(-2.0)), 2.0]
    # Half of the standardised embedding, half of the tag's mean.
    np.testing.assert_allclose(read, [[1.0, 1.0, 1.0, 3.0, *certainty]], rtol=1e-5)
