"""What the words of tags mean to a model, by worked cases."""

from __future__ import annotations

import pytest

from crnn.inference.tag_words import (
    MEANINGS,
    Agreement,
    agreement_sentence,
    count,
    genres_meant,
    sentence,
    tagged_json,
    written,
)

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Rock", ("rock",)),
        ("HIP-HOP", ("hiphop",)),
        ("Hip Hop", ("hiphop",)),
        ("Rap", ("hiphop",)),
        ("Blues Rock", ("blues", "rock")),
        ("Melodic Death Metal", ("metal",)),
        ("Indie-Rock", ("rock",)),
        ("Alternative & Indie", ("rock",)),
        ("Alternative and Indie", ("rock",)),
        ("Hard and Heavy", ("metal",)),
        ("K-Pop", ("pop",)),
        ("Chamber Music", ("classical",)),
        ("Audiobook", ()),
        ("Metalcraft", ()),
        ("", ()),
    ],
)
def test_words(word: str, meant: tuple[str, ...]) -> None:
    assert genres_meant([word], GENRES) == meant


def test_a_models_own_names_come_before_the_list() -> None:
    assert genres_meant(["Dub", "Soul / RnB", "Rock"], ("dub", "soul-rnb")) == ("dub", "soul-rnb")


def test_every_word_of_the_list_means_what_it_says() -> None:
    for genre, words in MEANINGS.items():
        for word in words.split(", "):
            assert genre in genres_meant([word], GENRES), word


@pytest.mark.parametrize(
    ("genre", "tag"), [("hiphop", "Hip-Hop"), ("jazz", "Jazz"), ("bossa nova", "Bossa Nova"), ("EDM", "EDM")]
)
def test_a_written_genre_is_read_as_itself(genre: str, tag: str) -> None:
    assert written(genre) == tag
    assert genres_meant([tag], (genre,)) == (genre,)


def row(genre: str | None, *words: str) -> dict[str, object]:
    found: dict[str, object] = {"genre": genre}
    return found | {"tagged": tagged_json(words, found, GENRES)}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (row("pop", "Alternative"), "Tagged rock. Sounds like pop."),
        (row("pop", "Synthpop"), "Tagged pop."),
        (row("pop", "Rock", "Pop"), "Tagged rock and pop."),
        (row(None, "Rock"), "Tagged rock."),
        (row("pop", "Audiobook"), "Tagged Audiobook."),
        (row("pop"), ""),
    ],
)
def test_sentences(found: dict[str, object], said: str) -> None:
    assert sentence(found) == said


def test_the_count_over_a_folder() -> None:
    rows = [
        row("pop", "Rock"),
        row("rock", "Punk"),
        row("jazz", "Jazz"),
        row(None, "Rock"),
        row("pop"),
        row("pop", "ABC"),
    ]
    total = Agreement()
    for found in rows:
        total = count(total, found)
    assert total == Agreement(n_tagged=3, n_agreeing=2, n_unknown=1)
    assert agreement_sentence(total) == (
        "2 of 3 tagged files sound as they are tagged. Tagged with genres that the model does not know: 1."
    )
    assert agreement_sentence(count(Agreement(), {"file": "a.wav", "error": {}})) == ""
