"""How the demo's styles are played: rhythm, harmony, and the instruments that bands draw from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from crnn.synthesis import instruments as syn
from crnn.synthesis.instruments import Voice
from crnn.synthesis.mixer import Mixer


@dataclass(frozen=True)
class Band:
    """What stays the same from track to track: instruments, room, feel."""

    lead: Voice
    chords: Voice
    bass: Voice
    room_seconds: float
    wet: float
    looseness_seconds: float


@dataclass(frozen=True)
class Song:
    """What a track is made of."""

    band: Band
    beat_seconds: float
    root: int
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    rng: np.random.Generator

    def pitch(self, degree: int, octave: int = 0) -> int:
        """MIDI number of a degree of the scale, 0 being the key's note.

        Args:
            degree: Steps of the scale from the key's note, down if negative.
            octave: Octaves to be added.
        """
        return self.root + self.scale[degree % 7] + 12 * (degree // 7 + octave)

    def chord(self, bar: int, n_notes: int = 3, octave: int = 0) -> list[int]:
        """Stacked thirds on the bar's degree.

        Args:
            bar: Number of the bar; the progression goes round.
            n_notes: How many are stacked.
            octave: Octaves to be added.

        Returns:
            MIDI numbers, lowest first.
        """
        degree = self.progression[bar % len(self.progression)]
        return [self.pitch(degree + 2 * i, octave) for i in range(n_notes)]

    def loose(self, at: float) -> float:
        """A time as people play it."""
        return max(0.0, at + self.band.looseness_seconds * float(self.rng.standard_normal()))

    def melody(self, bar: int, n_notes: int, octave: int = 1) -> list[int]:
        """A line that starts on a note of the chord and wanders by steps and small leaps.

        Args:
            bar: Number of the bar; the progression goes round.
            n_notes: Length of the line.
            octave: Octaves to be added.

        Returns:
            MIDI numbers in the order of time.
        """
        degree = self.progression[bar % len(self.progression)] + 2 * int(self.rng.integers(0, 3))
        line = []
        for _ in range(n_notes):
            line.append(self.pitch(degree, octave))
            degree += int(self.rng.choice([-2, -1, -1, 1, 1, 2]))
        return line


def _n_bars(mix: Mixer, bar_seconds: float) -> int:
    return int(mix.seconds / bar_seconds) + 1


def _waltz(mix: Mixer, song: Song) -> None:
    beat, band = song.beat_seconds, song.band
    rhythms = ([1, 1, 1], [2, 1], [1.5, 0.5, 1], [3], [1, 0.5, 0.5, 1])
    for bar in range(_n_bars(mix, 3 * beat)):
        at = 3 * beat * bar
        chord = song.chord(bar)
        mix.play(band.bass, chord[0] - 12 if bar % 2 == 0 else chord[2] - 24, song.loose(at), 0.8 * beat, 0.8)
        for step in (1, 2):
            mix.chord(band.chords, chord, song.loose(at + step * beat), 0.35 * beat, 0.45)
        rhythm = rhythms[int(song.rng.integers(len(rhythms)))]
        for midi, length in zip(song.melody(bar, len(rhythm)), rhythm, strict=True):
            mix.play(band.lead, midi, song.loose(at), 0.9 * length * beat, 0.6)
            at += length * beat


def _march(mix: Mixer, song: Song) -> None:
    beat, band, rng = song.beat_seconds, song.band, song.rng
    drum, side = syn.kick(mix.sample_rate, rng, low_hz=60.0), syn.snare(mix.sample_rate, rng, tone_hz=240.0)
    crash = syn.cymbal(mix.sample_rate, rng, seconds=0.8, ring=0.2)
    for bar in range(_n_bars(mix, 2 * beat)):
        at = 2 * beat * bar
        chord = song.chord(bar // 2)
        mix.add(drum, song.loose(at), 0.8)
        mix.add(crash, at, 0.25 if bar % 4 == 0 else 0.0)
        for step, gain in ((0, 0.3), (0.75, 0.2), (1, 0.5), (1.25, 0.2), (1.5, 0.3), (1.75, 0.3)):
            mix.add(side, song.loose(at + step * beat), gain * float(rng.uniform(0.7, 1.2)))
        for step, midi in ((0, chord[0] - 12), (1, chord[2] - 24)):
            mix.play(band.bass, midi, at + step * beat, 0.5 * beat, 0.7)
            mix.chord(band.chords, chord, song.loose(at + (step + 0.5) * beat), 0.25 * beat, 0.4)
        rhythm = [0.75, 0.25, 0.5, 0.5] if rng.random() < 0.6 else [1, 0.75, 0.25]
        for midi, length in zip(song.melody(bar // 2, len(rhythm)), rhythm, strict=True):
            mix.play(band.lead, midi, song.loose(at), 0.8 * length * beat, 0.55)
            at += length * beat


def _techno(mix: Mixer, song: Song) -> None:
    beat, band, rng, rate = song.beat_seconds, song.band, song.rng, mix.sample_rate
    drum, closed, open_hat = syn.kick(rate, rng, low_hz=50.0), syn.hat(rate, rng), syn.hat(rate, rng, seconds=0.2)
    hand = syn.clap(rate, rng)
    riff = [int(rng.choice([0, 0, 0, 2, 4, 6, 7])) for _ in range(16)]
    rests = rng.random(16) < 0.35
    low, high = mix.branch(), mix.branch()
    for step in range(_n_bars(mix, beat / 4)):
        at = step * beat / 4
        if step % 4 == 0:
            mix.add(drum, at, 1.0)
        mix.add(open_hat, at, 0.3 if step % 4 == 2 else 0.0)
        mix.add(closed, at, 0.15 * float(rng.uniform(0.5, 1.0)))
        mix.add(hand, at, 0.4 if step % 8 == 4 else 0.0)
        if not rests[step % 16]:
            degree = song.progression[step // 64 % len(song.progression)]
            low.play(band.bass, song.pitch(degree + riff[step % 16], -1), at, 0.2 * beat, 0.6)
        if step % 16 in {3, 6, 11}:
            high.chord(band.chords, song.chord(step // 64), at, 0.25 * beat, 0.4)
    # A filter that opens and shuts over some bars, as a cross-fade of two fixed ones.
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(low.samples)) / (rate * beat * 32))
    dark = syn.band_pass(low.samples, rate, 0.0, 400.0, 2.0)
    mix.add((low.samples * sweep + dark * (1.5 - sweep)).astype(np.float32), 0.0)
    mix.add(high.samples, 0.0)


def _ballad(mix: Mixer, song: Song) -> None:
    beat, band, rng = song.beat_seconds, song.band, song.rng
    brush = syn.hat(mix.sample_rate, rng, seconds=0.3)
    has_brush = rng.random() < 0.5
    for bar in range(_n_bars(mix, 4 * beat)):
        at = 4 * beat * bar
        chord = song.chord(bar, 4)
        figure = [chord[0], chord[1], chord[2], chord[0] + 12, chord[2], chord[1], chord[2], chord[3]]
        for step, midi in enumerate(figure):
            mix.play(band.chords, midi, song.loose(at + step * beat / 2), 1.2 * beat, 0.35)
        mix.play(band.bass, chord[0] - 12, at, 3.6 * beat, 0.5)
        if has_brush:
            mix.add(brush, at + beat, 0.15)
            mix.add(brush, at + 3 * beat, 0.15)
        rhythm = [2, 1, 1] if rng.random() < 0.5 else [3, 1]
        for midi, length in zip(song.melody(bar, len(rhythm)), rhythm, strict=True):
            mix.play(band.lead, midi, song.loose(at), 0.95 * length * beat, 0.4)
            at += length * beat


def _drone(mix: Mixer, song: Song) -> None:
    rng, band, rate = song.rng, song.band, mix.sample_rate
    n_samples = len(mix.samples)
    t = np.arange(n_samples) / rate
    for interval in (-12, 0, 7, int(rng.choice([12, 14, 15, 19]))):
        voice = replace(band.chords, decay_seconds=0.0, attack_seconds=2.0, release_seconds=2.0)
        note = syn.render(voice, song.root + interval, mix.seconds, rate, rng)[:n_samples]
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * t / rng.uniform(5.0, 14.0) + rng.uniform(0, 6.28))
        mix.add((note * swell).astype(np.float32), 0.0, 0.4)
    wind = syn.band_noise(n_samples, rate, rng, 200.0, float(rng.uniform(800.0, 3000.0)))
    mix.add((wind * (1 + np.sin(2 * np.pi * t / rng.uniform(4.0, 9.0)))).astype(np.float32), 0.0, 0.12)
    at = float(rng.uniform(1.0, 4.0))
    while at < mix.seconds:
        mix.play(band.lead, song.pitch(int(rng.integers(0, 7)), 1), at, 2.5, 0.25)
        at += float(rng.uniform(2.0, 6.0))


def _chorale(mix: Mixer, song: Song) -> None:
    beat, band = song.beat_seconds, song.band
    inner = song.chord(0)
    for step in range(_n_bars(mix, beat)):
        at = step * beat
        chord = song.chord(step)
        # Each voice goes to the nearest note of the next chord, as singers do.
        inner = [_nearest(chord, midi) for midi in inner]
        is_last = step % 8 == 7
        length = beat * (0.7 if is_last else 0.97)
        mix.play(band.bass, chord[0] - 12, song.loose(at), length, 0.6)
        for midi in inner:
            mix.play(band.chords, midi, song.loose(at), length, 0.4)
        soprano = song.melody(step, 2)
        mix.play(band.lead, soprano[0], song.loose(at), length / 2, 0.45)
        mix.play(band.lead, soprano[1] if song.rng.random() < 0.4 else soprano[0], at + beat / 2, length / 2, 0.45)


def _nearest(chord: list[int], midi: int) -> int:
    return min((note + octave for note in chord for octave in (0, 12)), key=lambda note: abs(note - midi))


def _swing(mix: Mixer, song: Song) -> None:
    beat, band, rng, rate = song.beat_seconds, song.band, song.rng, mix.sample_rate
    ride, pedal = syn.cymbal(rate, rng, seconds=0.5, ring=0.6), syn.hat(rate, rng)
    off = 0.66
    for bar in range(_n_bars(mix, 4 * beat)):
        at = 4 * beat * bar
        chord = song.chord(bar, 4)
        line = [chord[0], chord[1], chord[2], song.chord(bar + 1)[0] + int(rng.choice([-1, 1]))]
        for step, midi in enumerate(line):
            mix.play(band.bass, midi - 12, song.loose(at + step * beat), 0.85 * beat, 0.75)
            mix.add(ride, song.loose(at + step * beat), 0.3)
            if step % 2:
                mix.add(ride, song.loose(at + (step + off) * beat), 0.2)
                mix.add(pedal, at + step * beat, 0.3)
        for place in ((0, 1 + off), (off, 2 + off), (1 + off, 3))[int(rng.integers(3))]:
            mix.chord(band.chords, [n + 12 for n in chord[1:]], song.loose(at + place * beat), 0.3 * beat, 0.4)
        for step, midi in enumerate(song.melody(bar, 8)):
            if rng.random() < 0.65:
                place = step // 2 + off * (step % 2)
                mix.play(band.lead, midi, song.loose(at + place * beat), 0.45 * beat, 0.5)


def _chiptune(mix: Mixer, song: Song) -> None:
    beat, band, rng, rate = song.beat_seconds, song.band, song.rng, mix.sample_rate
    noise, drum = syn.hat(rate, rng, seconds=0.08), syn.kick(rate, rng, low_hz=70.0, seconds=0.12)
    rhythm = [float(x) for x in rng.choice([0.5, 0.5, 1.0], 8)]
    for bar in range(_n_bars(mix, 4 * beat)):
        at = 4 * beat * bar
        chord = [n + 12 for n in song.chord(bar)]
        for step in range(32):
            mix.play(band.chords, chord[step % 3], at + step * beat / 8, beat / 9, 0.3)
        for step in range(8):
            mix.play(band.bass, song.chord(bar)[0] - 12 * (step % 2), at + step * beat / 2, 0.4 * beat, 0.45)
            mix.add(drum if step % 4 == 0 else noise, at + step * beat / 2, 0.5 if step % 2 == 0 else 0.25)
        start = at
        for midi, length in zip(song.melody(bar, len(rhythm), 2), rhythm, strict=True):
            if at - start < 4 * beat:
                mix.play(band.lead, midi, at, 0.8 * length * beat, 0.45)
            at += length * beat


@dataclass(frozen=True)
class Style:
    """The ranges that bands and tracks of a style are drawn from."""

    play: Callable[[Mixer, Song], None]
    tempo: tuple[float, float]
    progressions: tuple[tuple[int, ...], ...]
    leads: tuple[Voice, ...]
    chord_voices: tuple[Voice, ...]
    basses: tuple[Voice, ...]
    minor_share: float = 0.4
    wet: tuple[float, float] = (0.05, 0.35)
    looseness_seconds: float = 0.012


_POP = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 2, 3, 4))
_SIMPLE = ((0, 0, 4, 4, 4, 4, 0, 0), (0, 3, 4, 0), (0, 4, 0, 3, 0, 4, 4, 0))
_TURNS = ((1, 4, 0, 0), (0, 5, 1, 4), (0, 3, 2, 5, 1, 4, 0, 4))
_HYMN = ((0, 3, 4, 0, 5, 1, 4, 0), (0, 4, 5, 2, 3, 0, 1, 4), (0, 5, 3, 4, 0, 3, 4, 0))
_STATIC = ((0,), (0, 0, 5, 5), (0, 5), (0, 6))

STYLES: dict[str, Style] = {
    "ballad": Style(
        _ballad,
        (56, 84),
        _POP,
        (syn.VIOLIN, syn.FLUTE, syn.SAXOPHONE, syn.CHOIR, syn.PIANO),
        (syn.PIANO, syn.ELECTRIC_PIANO, syn.GUITAR),
        (syn.ELECTRIC_BASS, syn.UPRIGHT_BASS, syn.STRINGS),
        wet=(0.15, 0.5),
    ),
    "chiptune": Style(
        _chiptune,
        (105, 170),
        _POP,
        (syn.SQUARE, syn.SAW, syn.CLARINET),
        (syn.SQUARE, syn.SAW, syn.HARPSICHORD),
        (syn.SQUARE, syn.SUB_BASS, syn.ELECTRIC_BASS),
        wet=(0.0, 0.15),
        looseness_seconds=0.0,
    ),
    "chorale": Style(
        _chorale,
        (50, 80),
        _HYMN,
        (syn.CHOIR, syn.ORGAN, syn.STRINGS, syn.BRASS, syn.FLUTE),
        (syn.CHOIR, syn.ORGAN, syn.STRINGS, syn.BRASS),
        (syn.CHOIR, syn.ORGAN, syn.STRINGS),
        wet=(0.2, 0.6),
    ),
    "drone": Style(
        _drone,
        (60, 90),
        _STATIC,
        (syn.FLUTE, syn.CHOIR, syn.ELECTRIC_PIANO, syn.VIOLIN),
        (syn.STRINGS, syn.ORGAN, syn.SAW, syn.ACCORDION, syn.CHOIR),
        (syn.SUB_BASS,),
        wet=(0.3, 0.7),
    ),
    "march": Style(
        _march,
        (96, 128),
        _SIMPLE,
        (syn.BRASS, syn.CLARINET, syn.FLUTE, syn.ACCORDION),
        (syn.BRASS, syn.CLARINET, syn.ACCORDION),
        (syn.BRASS, syn.ELECTRIC_BASS),
        minor_share=0.15,
    ),
    "swing": Style(
        _swing,
        (110, 210),
        _TURNS,
        (syn.SAXOPHONE, syn.CLARINET, syn.BRASS, syn.PIANO, syn.ELECTRIC_PIANO, syn.GUITAR),
        (syn.PIANO, syn.ELECTRIC_PIANO, syn.GUITAR, syn.ORGAN),
        (syn.UPRIGHT_BASS, syn.ELECTRIC_BASS),
    ),
    "techno": Style(
        _techno,
        (118, 142),
        _STATIC,
        (syn.SAW, syn.SQUARE),
        (syn.SAW, syn.ORGAN, syn.STRINGS, syn.ELECTRIC_PIANO),
        (syn.SAW, syn.SQUARE, syn.SUB_BASS, syn.ELECTRIC_BASS),
        minor_share=0.9,
        looseness_seconds=0.0,
    ),
    "waltz": Style(
        _waltz,
        (84, 180),
        (*_SIMPLE, *_POP),
        (syn.VIOLIN, syn.ACCORDION, syn.FLUTE, syn.CLARINET, syn.PIANO),
        (syn.PIANO, syn.ACCORDION, syn.STRINGS, syn.GUITAR),
        (syn.UPRIGHT_BASS, syn.ELECTRIC_BASS, syn.STRINGS),
    ),
}
