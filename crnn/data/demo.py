"""The data set `demo`: eight styles made by a program, free of licences and downloads.

The styles differ as music does, in rhythm, timbre and harmony; within a style, bands
differ in instruments and room, and tracks in tempo, key, progression, level, noise and
colour. Instruments are shared between styles, so that none is known by its sound alone.
The same seed gives the same sound. Examples for the Listen page are in `crnn.synthesis.examples`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from crnn.data.tracks import Track
from crnn.synthesis import instruments as syn
from crnn.synthesis.examples import example, example_names
from crnn.synthesis.instruments import FloatArray, Voice
from crnn.synthesis.mixer import Mixer
from crnn.synthesis.styles import STYLES, Band, Song, Style

__all__ = ["STYLES", "example", "example_names", "render", "synthesize", "tracks"]

TRACK_SECONDS = 20.0
N_PER_GENRE = 24
TRACKS_PER_BAND = 4

# Raised whenever the same id would give another sound.
_VERSION = 1
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)


def tracks(n_per_genre: int = N_PER_GENRE, seed: int = 0) -> tuple[Track, ...]:
    """The demo's tracks, `n_per_genre` of each style; a track's id says all that its sound needs.

    Args:
        n_per_genre: Tracks of each style; four in a row are by one band.
        seed: Another seed gives other bands and tracks.
    """
    return tuple(_track(style, seed, number) for style in STYLES for number in range(n_per_genre))


def _track(style: str, seed: int, number: int) -> Track:
    track_id = f"{style}.{seed}.{number:04d}"
    return Track(
        track_id=track_id,
        genre=style,
        path=None,
        artist=f"{style} band {seed}.{number // TRACKS_PER_BAND + 1}",
        title=f"{style} no. {number + 1}",
        digest=hashlib.sha256(f"demo {_VERSION} {track_id}".encode()).hexdigest(),
    )


def render(track: Track, sample_rate: int) -> FloatArray:
    """The sound of a demo track, float32 `(n_samples,)`.

    Args:
        track: Of a scan of the demo; its id holds style, seed and number.
        sample_rate: In Hz.

    Raises:
        ValueError: It is no track of the demo.
    """
    style, band_seed, song_seed = _seeds(track)
    return _perform(style, _song(style, band_seed, song_seed), TRACK_SECONDS, sample_rate)


def song_of(track: Track) -> Song:
    """What a demo track is made of: its beat, its key, its band.

    Raises:
        ValueError: It is no track of the demo.
    """
    return _song(*_seeds(track))


def _seeds(track: Track) -> tuple[str, list[int], list[int]]:
    style, _, rest = track.track_id.partition(".")
    seed, _, number = rest.partition(".")
    if style not in STYLES or not seed.isdigit() or not number.isdigit():
        raise ValueError(f"{track.track_id!r} is no track of the demo")
    return style, [int(seed), int(number) // TRACKS_PER_BAND], [int(seed), int(number)]


def synthesize(style: str, seed: int, seconds: float, sample_rate: int) -> FloatArray:
    """A piece in one of `STYLES`, by a band of its own, float32 `(n_samples,)` within [-1, 1].

    Args:
        style: One of `STYLES`.
        seed: The same seed gives the same piece.
        seconds: Length.
        sample_rate: In Hz.

    Raises:
        ValueError: There is no such style.
    """
    if style not in STYLES:
        raise ValueError(f"style {style!r}: {', '.join(STYLES)} are known")
    return _perform(style, _song(style, [seed, 10_000], [seed, 10_000]), seconds, sample_rate)


def _song(style: str, band_seed: list[int], song_seed: list[int]) -> Song:
    number = sorted(STYLES).index(style)
    band_rng = np.random.default_rng([number, 1, *band_seed])
    rng = np.random.default_rng([number, 2, *song_seed])
    recipe = STYLES[style]
    band = _band(recipe, band_rng)
    is_minor = rng.random() < recipe.minor_share
    return Song(
        band=band,
        beat_seconds=60.0 / rng.uniform(*recipe.tempo),
        root=int(rng.integers(43, 55)),
        scale=_MINOR if is_minor else _MAJOR,
        progression=recipe.progressions[int(rng.integers(len(recipe.progressions)))],
        rng=rng,
    )


def _perform(style: str, song: Song, seconds: float, sample_rate: int) -> FloatArray:
    mix = Mixer(seconds, sample_rate, song.rng)
    STYLES[style].play(mix, song)
    return _master(mix, song.band)


def _band(recipe: Style, rng: np.random.Generator) -> Band:
    def chosen(voices: tuple[Voice, ...]) -> Voice:
        voice = voices[int(rng.integers(len(voices)))]
        decay = voice.decay_seconds * float(rng.uniform(0.7, 1.4))
        return replace(voice, slope=voice.slope + float(rng.uniform(-0.25, 0.35)), decay_seconds=decay)

    return Band(
        lead=chosen(recipe.leads),
        chords=chosen(recipe.chord_voices),
        bass=chosen(recipe.basses),
        room_seconds=float(rng.uniform(0.4, 2.2)),
        wet=float(rng.uniform(*recipe.wet)),
        looseness_seconds=recipe.looseness_seconds * float(rng.uniform(0.3, 1.5)),
    )


def _master(mix: Mixer, band: Band) -> FloatArray:
    """Room, colour, background noise and level, each at random: none of them tells the style."""
    rng, rate = mix.rng, mix.sample_rate
    sound = syn.reverberate(mix.samples, rate, rng, seconds=band.room_seconds, wet=band.wet)
    tilt = rng.uniform(-0.35, 0.25)
    high_hz = rng.uniform(5000.0, 16_000.0)
    sound = syn.equalise(sound, rate, lambda hz: (np.maximum(hz, 40.0) / 800.0) ** tilt / (1 + (hz / high_hz) ** 4))
    sound = syn.compress(sound, float(rng.uniform(0.6, 2.5)))
    hiss = 10.0 ** (rng.uniform(-75.0, -40.0) / 20.0)
    sound = sound + np.float32(hiss) * rng.standard_normal(len(sound), dtype=np.float32)
    level = 10.0 ** (rng.uniform(-24.0, -1.0) / 20.0)
    return np.asarray(sound * (level / np.abs(sound).max()), dtype=np.float32)
