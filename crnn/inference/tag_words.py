"""From the words of tags to a model's genres: which genre a tag means, and how the model's is written as one.

A word means the genre of the model that is spelled alike but for case, spaces and signs; else what
`MEANINGS` says; else what its last word does (`melodic death metal` is metal). docs/command-line.md
has the list. What means none of the model's genres counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

# Words beside the genre's own name, for the ten genres of the bundled model.
MEANINGS = {
    "blues": "blues rock, rhythm & blues (1950s), delta blues, electric blues, boogie woogie",
    "classical": "classic, baroque, romantic, opera, symphony, symphonic, orchestral, chamber music, choral, "
    "contemporary classical, renaissance, sonata, string quartet",
    "country": "americana, bluegrass, alt-country, honky tonk, western, nashville sound, cowboy",
    "disco": "euro-disco, nu disco, italo disco, hi-nrg",
    "hiphop": "rap, hip hop & rap, trap, gangsta, gangsta rap, g-funk, boom bap, conscious rap, grime, drill",
    "jazz": "bebop, hard bop, swing, big band, fusion, acid jazz, vocal jazz, dixieland, ragtime, jazz fusion",
    "metal": "heavy metal, hard & heavy, thrash, grindcore, metalcore, deathcore, djent, doom",
    "pop": "dance pop, synthpop, electropop, k-pop, j-pop, britpop, europop, teen pop, top 40, pop rock, bubblegum",
    "reggae": "dub, ska, dancehall, rocksteady, roots reggae, reggaeton, ragga",
    "rock": "alternative, alternative & indie, alternrock, indie, punk, hardcore punk, grunge, rock & roll, "
    "rock 'n' roll, "
    "classic rock, hard rock, prog, progressive rock, psychedelic, shoegaze, new wave, garage, emo, pop rock, "
    "blues rock, rockabilly, post-punk, aor",
}
_WRITTEN = {"hiphop": "Hip-Hop"}


@dataclass(frozen=True)
class Agreement:
    """Over the rows of a folder: files with a tag that means a genre of the model, and how the answers fit.

    n_tagged: answered as a genre, and tagged with some that the model knows.
    n_agreeing: of these, where they are the same.
    n_unknown: tagged with words that mean none of the model's genres.
    """

    n_tagged: int = 0
    n_agreeing: int = 0
    n_unknown: int = 0


def genres_meant(words: Iterable[str], genres: tuple[str, ...]) -> tuple[str, ...]:
    """The genres of a model that tag words mean, in their order.

    Args:
        words: As they stand in a file's tags.
        genres: Those of the model.
    """
    found: dict[str, None] = {}
    for word in words:
        found.update(dict.fromkeys(_meant(word, genres)))
    return tuple(found)


def _meant(word: str, genres: tuple[str, ...]) -> tuple[str, ...]:
    by_spelling = {_spelling(genre): genre for genre in genres}
    spelling = _spelling(word)
    if spelling in by_spelling:
        return (by_spelling[spelling],)
    known = tuple(by_spelling[genre] for genre in _genres_of_word(spelling) if genre in by_spelling)
    last = word.replace("-", " ").split(" ")[-1]
    return known or (_meant(last, genres) if last != word else ())


def _genres_of_word(spelling: str) -> tuple[str, ...]:
    return tuple(genre for genre, words in MEANINGS.items() if spelling in map(_spelling, words.split(", ")))


def _spelling(word: str) -> str:
    return "".join(c for c in word.casefold().replace(" and ", "&") if c.isalnum())


def written(genre: str) -> str:
    """A model's genre as tags are written: `Hip-Hop`, `Bossa Nova`; one with capitals of its own stays as it is."""
    return _WRITTEN.get(genre, genre.title() if genre == genre.lower() else genre)


def tagged_json(words: tuple[str, ...], row: Row, genres: tuple[str, ...]) -> dict[str, Any] | None:
    """What a row says of its file's tags; None where it has none.

    `agrees` is None where the answer is no genre, or the tag means none that the model knows.

    Args:
        words: As they stand in the file's tags.
        row: The answer to it.
        genres: Those of the model.
    """
    if not words:
        return None
    meant = genres_meant(words, genres)
    comparable = bool(meant) and row["genre"] is not None
    return {"words": list(words), "genres": list(meant), "agrees": row["genre"] in meant if comparable else None}


def sentence(row: Row) -> str:
    """“Tagged rock. Sounds like pop.”: what a row's file is tagged with, and the answer where that is another genre."""
    tagged = row.get("tagged")
    if not tagged:
        return ""
    said = f"Tagged {' and '.join(tagged['genres'] or tagged['words'])}."
    return said if tagged["agrees"] is not False else f"{said} Sounds like {row['genre']}."


def count(agreement: Agreement, row: Row) -> Agreement:
    """The count with one more row.

    Args:
        agreement: What was counted so far; it is not changed.
        row: An answer, or an error.
    """
    tagged = row.get("tagged")
    if not tagged:
        return agreement
    return Agreement(
        agreement.n_tagged + (tagged["agrees"] is not None),
        agreement.n_agreeing + (tagged["agrees"] is True),
        agreement.n_unknown + (not tagged["genres"]),
    )


def agreement_sentence(agreement: Agreement) -> str:
    """The count in words; empty where nothing was tagged."""
    said = []
    if agreement.n_tagged:
        said.append(f"{agreement.n_agreeing} of {agreement.n_tagged} tagged files sound as they are tagged.")
    if agreement.n_unknown:
        said.append(f"Tagged with genres that the model does not know: {agreement.n_unknown}.")
    return " ".join(said)
