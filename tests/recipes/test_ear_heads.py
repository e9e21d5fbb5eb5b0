"""The heads of `ten-genres`: nothing judged is learnt, and thresholds and weights in exact cases."""

import numpy as np

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


def test_the_set_threshold_is_the_conformal_rank():
    posteriors = np.linspace(0.05, 0.95, 19)[:, None] * [1.0, 0.0]
    found = ear_calibration.calibration(posteriors, np.zeros(19, dtype=np.int64), 0.7)
    assert found["temperature"] == 0.7
    np.testing.assert_allclose(found["set_threshold"], 0.10)  # rank 0.1 · 20 = 2


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


def test_the_temperature_counts_cuts_as_much_as_each_kind_of_whole_track():
    # Whole tracks are right three times of four, cuts two times of four: 8 of 12, so 1 / log 2 = 1.443.
    logits = np.full((4, 10), -1e3)
    logits[:, :2] = [1.0, 0.0]
    whole = heard(["a", "b", "c", "d"], ["blues", "blues", "blues", "classical"], ["x"] * 4, per_track=1)
    cuts = heard(["a", "b", "c", "d"], ["blues", "blues", "classical", "classical"], ["x"] * 4, per_track=1)
    sets = {GTZAN: whole, ELSEWHERE: whole, CUTS: cuts, ARCHIVE: whole}
    assert ear_calibration.temperature_of(sets, dict.fromkeys(sets, logits)) == 1.44


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
