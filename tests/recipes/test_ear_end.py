"""From what both networks are said to hear to a bundle that answers so."""

import argparse
import csv
import json
import sys

import keras
import numpy as np
import pytest
import soundfile
from sounds import RATE, noise, sine

from crnn import atomic
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import find_bundle
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from crnn.inference.tagging import music_probability
from crnn.networks.tagger_crnn import GENRE_CLASSES
from recipes import ear, ear_answers, ear_body, ear_heads, ear_inputs, ear_named, ear_rules, ear_tags
from recipes.ear_outputs import ARCHIVE, CUTS, ELSEWHERE, ELSEWHERE_ARCHIVE, GENRES, GTZAN, Companions, Heard

N_TAGS = 527
OTHERS = sorted({genre for word in ear_tags._WORDS for genre in word.has} - set(GENRES))


@pytest.fixture(scope="module")
def names(data_dir):
    with (data_dir / "teachers" / "mn04" / "class_labels_indices.csv").open(encoding="utf-8", newline="") as file:
        return [row["display_name"] for row in csv.DictReader(file)]


class World:
    """Sounds of which each network hears the genre, the words and whether it is music, with some noise."""

    def __init__(self, names, sizes):
        self.rng, self.names, self.sizes = np.random.default_rng(5), names, sizes

    def heard(self, ids, genres, groups, is_music=True):
        tags = self.rng.normal(-4.0, 0.5, (len(ids), N_TAGS)).astype(np.float32)
        tags[:, self.names.index("Music" if is_music else "Speech")] += 6.0
        for row, (name, genre) in enumerate(zip(ids, genres, strict=True)):
            if genre in GENRES:
                tags[row, GENRE_CLASSES[GENRES.index(genre)]] += 6.0
            for word in ear_tags._WORDS:
                if genre in word.has or (name.startswith("solo_") and int(name.split("_")[1]) in word.programs):
                    tags[row, [self.names.index(said) for said in word.classes]] += 3.0
        embedding = self.embedding(genres, self.sizes[0])
        embedding[:, -len(GENRE_CLASSES) :] = tags[:, list(GENRE_CLASSES)]
        return Heard(embedding, tags, np.arange(len(ids)), *map(np.array, (ids, genres, groups)))

    def embedding(self, genres, size):
        embedding = self.rng.normal(0.0, 0.3, (len(genres), size)).astype(np.float32)
        for row, genre in enumerate(genres):
            embedding[row, GENRES.index(genre) if genre in GENRES else 10] += 1.0
        return embedding

    def of_first(self):
        genres = [genre for genre in GENRES for _ in range(6)]
        tracks = [f"{genre}.{number:05}" for number, genre in enumerate(genres)]
        parts = [("train", "valid")[number % 2] for number in range(len(genres))]
        clips = [genre for genre in (*GENRES, *OTHERS) for _ in range(5)]
        artists = [f"artist{number}" for number in range(len(clips))]
        solos, spoken = [f"solo_{program}_0" for program in range(128)], [f"s{number}" for number in range(20)]
        kinds = [("rain", "speech")[number % 2] for number in range(20)]
        sets = {name: self.heard(tracks, genres, parts) for name in (GTZAN, "gtzan.phone1", "gtzan.degrade1", ARCHIVE)}
        sets[CUTS] = self.heard([f"cut.{name}" for name in tracks], genres, parts)
        sets |= {name: self.heard(artists, clips, artists) for name in (ELSEWHERE, ELSEWHERE_ARCHIVE)}
        sets["emo.clean"] = self.heard(artists[:10], ["?"] * 10, artists[:10])
        sets["debmus.clean"] = self.heard([f"p:game{n % 3}:{n}" for n in range(9)], ["?"] * 9, artists[:9])
        for name in (ear_rules.SOLOS, ear_rules.SHORT_SOLOS):
            sets[name] = self.heard(solos, ["?"] * 128, solos)
        for name in ("notmusic.clean", "notmusic.degrade1", ear_rules.MADE):
            sets[name] = self.heard(spoken, kinds, kinds, is_music=False)
        for name in ("debspeech.clean", "debspeech.degrade1"):
            sets[name] = self.heard(spoken, ["speech"] * 20, [f"voice{n % 4}" for n in range(20)], is_music=False)
        for name in (ear_rules.EFFECTS, ear_rules.BENT_EFFECTS):
            sets[name] = self.heard(spoken, ["effect"] * 20, [f"game{n % 4}" for n in range(20)], is_music=False)
        assert set(sets) == set(ear_answers.FIRST_HEARS)
        return sets

    def of_second(self, first):
        def said(heard):
            # Three times each; of these `recipes.ear_genre.EVERY` takes one.
            own = np.repeat(heard.own, 3)
            return Companions(self.embedding(heard.genres[own], self.sizes[1]), own)

        return {name: said(first[name]) for name in ear_answers.SECOND_HEARS}


@pytest.fixture(scope="module")
def made(names, tmp_path_factory):
    """The heads and the bundle of a world in which the genres are plain, with the shipped body under them."""
    folder, shipped, companion = tmp_path_factory.mktemp("ear"), find_bundle("ten-genres"), find_bundle("gtzan-crnn")
    world = World(names, (shipped.embedding_size, companion.embedding_size))
    first = world.of_first()
    with pytest.MonkeyPatch.context() as patch:
        # An interval of a thousand draws for each of 50 words takes longer than all the rest.
        patch.setattr(ear_tags, "_N_BOOTSTRAPS", 10)
        patch.setattr(ear_heads, "N_DRAWS", 2)
        ear_heads.fit_heads(first, world.of_second(first), names, folder)
    tracks = folder / "data" / "gtzan-audio"
    tracks.mkdir(parents=True)
    rows = ["file,genre,split"]
    for number, genre in enumerate(GENRES):
        soundfile.write(tracks / f"{number}.wav", sine(200.0 + 50 * number, 3.0) + noise(3.0, level=0.01), RATE)
        rows.append(f"{number}.wav,{genre},train")
    (tracks / "tracks.csv").write_text("\n".join(rows), encoding="utf-8")
    options = argparse.Namespace(work=folder, out=folder / "models" / "made", data=folder / "data", replace=False)
    bundle = ear._make(shipped.file("model.keras"), options, companion, ({"what": "body"}, {"what": "heads"}))
    return folder, first, bundle


def test_heads_tell_what_is_plain_and_rules_what_is_no_music_and_no_known_genre(made):
    folder, first, _ = made
    heads = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    with np.load(folder / "heads.npz") as stored:
        said = first[GTZAN].embedding @ stored["genre_kernel"] + stored["genre_bias"]
        assert stored["old_kernel"].shape == (520, 10)
        assert float(stored["weight"]) == 0.5
    assert (said.argmax(axis=1) == first[GTZAN].labels).all()
    for level in heads["scores"].values():
        assert level["accuracy"] == 1.0
    tagging = ear.tagging_of(heads)
    assert {"electronic", "latin", "piano", "speech"} <= {tag.name for tag in tagging.tags}
    # Told somewhat before it is likelier than not; no other word is.
    assert [tag.name for tag in tagging.tags if tag.threshold < 0.5] == ["electronic"]
    for name, is_music in ((GTZAN, True), (ear_rules.SOLOS, True), ("debspeech.clean", False)):
        probability = np.array([music_probability(tags[None], tagging.music) for tags in first[name].tags])
        assert ((probability >= tagging.music.threshold) == is_music).all()
    assert heads["calibration"]["set_coverage"] == 0.9
    assert 0 < heads["other"]["threshold"] < 1


def test_the_bundle_answers_by_these_heads_and_keeps_its_legs(made):
    folder, _, bundle = made
    again, companion = load_bundle(bundle.path), find_bundle("gtzan-crnn")
    assert [leg["what"] for leg in again.training["legs"][:2]] == ["body", "heads"]
    assert again.genres == GENRES
    classifier, sound = Classifier(again, n_threads=1), sine(300.0, 23.0) + noise(23.0, level=0.05)
    with np.load(folder / "heads.npz") as stored:
        fitted = dict(stored)
    said = classifier.run_all(log_mel.segment(sound, again.feature_config))
    of_first = said.embeddings @ fitted["genre_kernel"] + fitted["genre_bias"]
    np.testing.assert_allclose(said.logits, of_first, atol=0.02)
    segments = log_mel.segment(sound, again.companion.feature_config)
    of_second = ear_body.embedder(companion)(segments)["embedding"] @ fitted["old_kernel"] + fitted["old_bias"]
    np.testing.assert_allclose(classifier.begin_companion(segments).result().logits, of_second, atol=0.02)


@pytest.mark.parametrize(
    ("others", "told"), [([], "as recipes/ear_named.json names them"), (["not-music"], "other than named: not-music")]
)
def test_what_was_learnt_from_is_told_in_the_bundle(tmp_path, monkeypatch, others, told):
    """With `--any-inputs` the recipe goes on where inputs are others; what it computes is tried above."""
    legs = []
    body = tmp_path / "body.keras"
    body.write_bytes(b"")
    monkeypatch.setattr(ear_named, "others", lambda data, debian: others)
    monkeypatch.setattr(ear_inputs, "make_inputs", lambda *_: None)
    monkeypatch.setattr(ear, "_fit", lambda *_: None)
    monkeypatch.setattr(ear, "_make", lambda body, options, companion, found: legs.extend(found) or companion)
    places = [word for name in ("data", "debian", "work") for word in (f"--{name}", str(tmp_path))]
    monkeypatch.setattr(sys, "argv", ["ear", *places, "--body", str(body), "--any-inputs"])
    assert ear.main() == 0
    assert [leg["what"] for leg in legs] == ["body taken as it was", ear._FITTED["what"]]
    assert legs[1]["inputs"] == told


def test_a_body_that_is_taken_from_a_bundle_keeps_its_legs(tmp_path):
    shipped = find_bundle("ten-genres").file("model.keras")
    legs = ear._taken(shipped)
    assert [leg["what"].split()[0] for leg in legs] == ["body"] * len(legs)
    assert legs[0]["seed"] == 0
    assert legs[-1] == {"what": "body taken as it was", "SHA-256": atomic.sha256_of(shipped)}
    alone = tmp_path / "body.keras"
    alone.write_bytes(shipped.read_bytes())
    assert ear._taken(alone) == legs[-1:]


def test_a_body_is_saved_where_nothing_was_before(tmp_path):
    body = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ear._save(body, tmp_path / "back-0.5" / ear.BODY)
    assert [path.name for path in (tmp_path / "back-0.5").iterdir()] == [ear.BODY]


def test_music_is_heard_from_a_tenth_of_any_class_of_music(names):
    at = {name: index for index, name in enumerate(names)}
    tags = np.full((5, len(names)), -20.0, np.float32)
    # The logistic function of -2.197 is a tenth.
    tags[0, at["Music"]], tags[1, at["Music"]] = -2.19, -2.21
    tags[2, at["Piano"]], tags[3, at["Singing"]] = 1.0, 1.0
    tags[4, at["Dog"]] = 5.0
    assert ear_rules.hears_music(tags, names).tolist() == [True, False, True, True, False]
