"""Pieces to try on the Listen page, synthesized on the spot and free of licences.

They resemble real genres well enough for a model that learnt from recordings to have an
opinion; one is no music, and one is silence. `EXAMPLES` says what each is meant to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crnn.audio.clip import Clip
from crnn.config import FeatureConfig
from crnn.features import log_mel
from crnn.synthesis import instruments as syn
from crnn.synthesis import negatives
from crnn.synthesis.instruments import FloatArray
from crnn.synthesis.mixer import Mixer

SECONDS = 24.0


@dataclass(frozen=True)
class Example:
    """A piece: the genre that it imitates (None for what is no music), and how it is made."""

    genre: str | None
    compose: Callable[[Mixer], FloatArray]


def example_names() -> tuple[str, ...]:
    """Names of the examples, in the order in which a page shows them."""
    return tuple(EXAMPLES)


def example(name: str, sample_rate: int) -> Clip:
    """An example as a clip of 24 s; the same sound each time.

    Args:
        name: A key of `EXAMPLES`.
        sample_rate: In Hz.

    Raises:
        ValueError: There is no such example.
    """
    if name not in EXAMPLES:
        raise ValueError(f"example {name!r}: {', '.join(EXAMPLES)} are known")
    rng = np.random.default_rng([*name.encode()])
    samples = EXAMPLES[name].compose(Mixer(SECONDS, sample_rate, rng))
    return Clip(samples, sample_rate, name, ("Synthesized on the spot by a program.",))


# The mean log-mel of real recordings (GTZAN's train tracks), in dB re their loudest cell, in 16 bands of
# 8 mels each: the tone colour that an engineer would give the piece.
_BALANCE_DB = {
    "classical": (-34, -32, -35, -39, -41, -44, -45, -47, -49, -52, -55, -59, -63, -65, -69, -74),
    "country": (-24, -27, -32, -36, -39, -40, -40, -42, -43, -45, -47, -51, -55, -57, -61, -73),
    "disco": (-24, -27, -31, -33, -35, -36, -36, -37, -39, -40, -41, -43, -46, -47, -49, -56),
    "hiphop": (-25, -32, -36, -38, -40, -41, -41, -41, -41, -41, -43, -45, -47, -49, -52, -64),
    "jazz": (-27, -29, -33, -38, -40, -42, -43, -45, -46, -47, -48, -51, -54, -58, -61, -70),
    "metal": (-19, -25, -29, -30, -32, -33, -32, -32, -31, -32, -33, -34, -38, -41, -46, -68),
    "reggae": (-26, -32, -38, -40, -42, -43, -43, -44, -45, -46, -49, -50, -53, -54, -57, -67),
}
_HIGHEST_GAIN_DB = 20.0


def _mastered(samples: FloatArray, mix: Mixer, genre: str, *, amount: float = 1.0, room: float = 0.1) -> FloatArray:
    """The piece as a recording of its genre sounds.

    Args:
        samples: The mix.
        mix: Gives rate and chance.
        genre: Whose spectral balance it gets.
        amount: Compression.
        room: Level of the noise of room, breath and tape under the music; a bare synthesizer has none.
    """
    rate = mix.sample_rate
    sound = samples / np.float32(max(1e-6, float(np.abs(samples).max())))
    sound = syn.compress(
        sound + np.float32(0.03) * syn.band_pass(np.tanh(6 * sound), rate, 1500.0, 9000.0, 1.0), amount
    )
    config = FeatureConfig(sample_rate=rate, fmax=min(rate / 2, FeatureConfig().fmax))
    centres_hz = log_mel.mel_frequencies(config).reshape(16, 8).mean(axis=1)
    for _ in range(2):
        bands_db = log_mel.log_mel(sound, config).reshape(-1, 16, 8).mean(axis=(0, 2))
        gains_db = (np.array(_BALANCE_DB[genre]) - bands_db).clip(-_HIGHEST_GAIN_DB, _HIGHEST_GAIN_DB)
        gains_db -= gains_db.mean()
        sound = syn.equalise(sound, rate, _gain_curve(centres_hz, gains_db))
    noise = mix.rng.standard_normal(len(sound), dtype=np.float32)
    noise = syn.equalise(noise, rate, _gain_curve(centres_hz, np.array(_BALANCE_DB[genre], dtype=np.float64)))
    return syn.compress(sound + noise * np.float32(room * sound.std() / noise.std()), 0.3)


def _gain_curve(
    centres_hz: npt.NDArray[np.float64], gains_db: npt.NDArray[np.float64]
) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    return lambda hz: 10.0 ** (np.interp(np.log(np.maximum(hz, 20.0)), np.log(centres_hz), gains_db) / 20.0)


# A voice on a vowel: no words, but the wide vibrato and the resonance of a singer.
_SINGER = syn.Voice(slope=0.9, attack_seconds=0.07, release_seconds=0.1, vibrato=0.4, noise=0.03, formant_hz=1100.0)

# The prelude in C major (J. S. Bach, BWV 846): a chord a half bar, broken always alike.
_PRELUDE = (
    (60, 64, 67, 72, 76), (60, 62, 69, 74, 77), (59, 62, 67, 74, 77), (60, 64, 67, 72, 76),
    (60, 64, 69, 76, 81), (60, 62, 66, 69, 74), (59, 62, 67, 74, 79), (59, 60, 64, 67, 72),
    (57, 60, 64, 67, 72), (50, 57, 62, 66, 72), (55, 59, 62, 67, 71),
)  # fmt: skip


def _prelude(mix: Mixer) -> FloatArray:
    rng, step = mix.rng, 0.21
    piano = replace(syn.PIANO, slope=1.45)
    for bar, chord in enumerate(_PRELUDE):
        for half in range(2):
            start = (bar * 16 + half * 8) * step
            figure = [chord[0], chord[1], *chord[2:], *chord[2:]]
            for i, midi in enumerate(figure):
                at = start + i * step + 0.006 * float(rng.standard_normal())
                # The pedal holds every note to the end of the half bar.
                mix.play(piano, midi, max(0.0, at), (8.5 - i) * step, 0.5 * float(rng.uniform(0.6, 1.1)))
    sound = syn.reverberate(mix.samples, mix.sample_rate, rng, seconds=2.2, wet=0.35)
    return _mastered(sound, mix, "classical", amount=0.3)


def _string_quartet(mix: Mixer) -> FloatArray:
    rng, beat = mix.rng, 0.66
    chords = ((48, 64, 67, 72), (53, 65, 69, 72), (55, 62, 67, 71), (48, 64, 67, 72),
              (57, 60, 64, 72), (50, 62, 65, 69), (55, 62, 65, 71), (48, 60, 64, 72))  # fmt: skip
    bow = replace(syn.VIOLIN, slope=1.4, attack_seconds=0.09, release_seconds=0.2)
    rhythms = ((1, 0.5, 0.5), (1.5, 0.5), (0.5, 0.5, 0.5, 0.5), (2,))
    for bar in range(int(mix.seconds / (2 * beat)) + 1):
        at, chord = 2 * beat * bar, chords[bar % 8]
        swell = 0.55 + 0.45 * np.sin(2 * np.pi * bar / 8.0)
        for k, midi in enumerate(chord[:3]):
            for half in range(2 if k else 1):
                length = 2 * beat / (2 if k else 1)
                start = at + half * length + 0.02 * float(rng.random())
                mix.play(bow, midi, start, 0.8 * length, 0.28 * float(swell))
        rhythm = rhythms[int(rng.integers(len(rhythms)))]
        for k, length in enumerate(rhythm):
            midi = chord[3] + 12 * (bar // 8 % 2) + (0, 2, 4, 2)[k]
            mix.play(bow, midi, at, 0.85 * length * beat, 0.5 * float(0.3 + swell))
            at += length * beat
    return _mastered(
        syn.reverberate(mix.samples, mix.sample_rate, rng, seconds=2.4, wet=0.4), mix, "classical", amount=0.2
    )


def _metal(mix: Mixer) -> FloatArray:
    rng, rate, step = mix.rng, mix.sample_rate, 60.0 / 184 / 4
    # Start and length in sixteenths, fret above low E: muted notes, and chords that ring between them.
    chugs = ((2, 1, 0), (3, 1, 0), (4, 1, 0), (5, 1, 0), (8, 1, 0), (9, 1, 0), (10, 1, 0), (11, 1, 0))
    riff = ((0, 2, 0), *chugs, (6, 2, 3), (12, 4, 5))
    sides = (mix.branch(), mix.branch())
    drums = mix.branch()
    boom, crack = syn.kick(rate, rng, low_hz=58.0, seconds=0.16), syn.snare(rate, rng, tone_hz=210.0, seconds=0.2)
    crash = syn.cymbal(rate, rng, seconds=2.2, ring=0.2)
    for bar in range(int(mix.seconds / (16 * step)) + 1):
        root = 40 + (0, 0, 3, -2)[bar // 2 % 4]
        for place, length, fret in riff:
            at = (16 * bar + place) * step
            for side in sides:
                for interval in (0, 7, 12):
                    start = at + 0.008 * float(rng.random())
                    side.pluck(root + fret + interval, start, length * step, 0.5, 0.95 if length > 1 else 0.5)
            mix.pluck(root + fret - 12, at, length * step, 0.5, brightness=0.7)
        for place in range(16):
            at = (16 * bar + place) * step
            drums.add(boom, at, 0.7 if place % 8 in {0, 2, 3, 6, 7} else 0.0)
            drums.add(crack, at, 1.2 if place % 8 == 4 else 0.0)
            if place % 4 == 0:
                drums.add(crash, at, 0.15 if place or bar % 2 else 0.6)
    guitars = sum(syn.distort(side.samples, rate, drive=60.0, cabinet_hz=5500.0) for side in sides)
    sound = np.asarray(0.16 * guitars + 0.35 * mix.samples + 0.75 * drums.samples, dtype=np.float32)
    return _mastered(syn.reverberate(sound, rate, rng, seconds=0.6, wet=0.12), mix, "metal", amount=1.2)


def _jazz(mix: Mixer) -> FloatArray:
    rng, rate, beat = mix.rng, mix.sample_rate, 60.0 / 200
    changes = ((50, (60, 65, 69, 76)), (55, (59, 65, 69, 76)), (48, (59, 64, 67, 74)), (57, (61, 67, 70, 77)))
    scale = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81)
    ride, pedal = syn.cymbal(rate, rng, seconds=0.7, ring=0.55), syn.hat(rate, rng, seconds=0.05)
    brush = syn.snare(rate, rng, seconds=0.15)
    place, horn = 6, mix.branch()
    for bar in range(int(mix.seconds / (4 * beat)) + 1):
        root, voicing = changes[bar % 4]
        follow = changes[(bar + 1) % 4][0]
        for i, midi in enumerate(
            (root, root + int(rng.choice([3, 4, 7])), root + 7, follow + int(rng.choice([-1, 1])))
        ):
            at = (4 * bar + i) * beat
            mix.play(syn.UPRIGHT_BASS, midi - 12, at + 0.01 * float(rng.random()), 0.9 * beat, 0.75)
            mix.add(ride, at, 0.22)
            if i % 2:
                mix.add(ride, at + 0.66 * beat, 0.14)
                mix.add(pedal, at, 0.25)
            if rng.random() < 0.25:
                mix.add(brush, at + 0.66 * beat, 0.12)
        for offset in ((0.0, 1.66), (0.66, 2.66), (1.66, 3.0))[int(rng.integers(3))]:
            for midi in voicing:
                mix.play(syn.PIANO, midi, (4 * bar + offset) * beat, 0.4 * beat, 0.2)
        for i in range(8):
            if rng.random() < 0.72:
                place = int(np.clip(place + rng.choice([-2, -1, -1, 1, 1, 2]), 0, 12))
                at = (4 * bar + i // 2 + 0.66 * (i % 2)) * beat
                horn.play(syn.SAXOPHONE, scale[place] - 2, at, 0.55 * beat, 0.45 * float(rng.uniform(0.7, 1.1)))
    mix.add(syn.band_pass(horn.samples, rate, 0.0, 2600.0, 1.0), 0.0)
    return _mastered(syn.reverberate(mix.samples, rate, rng, seconds=0.9, wet=0.2), mix, "jazz", amount=0.7, room=0.01)


def _disco(mix: Mixer) -> FloatArray:
    rng, rate, step = mix.rng, mix.sample_rate, 60.0 / 120 / 4
    chords = ((57, (64, 69, 72)), (53, (65, 69, 72)), (50, (62, 65, 69)), (52, (64, 68, 71)))
    boom, crack = syn.kick(rate, rng, seconds=0.22), syn.snare(rate, rng)
    open_hat, closed, hand = syn.hat(rate, rng, seconds=0.22), syn.hat(rate, rng), syn.clap(rate, rng)
    guitar, section = mix.branch(), mix.branch()
    strum = (1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0)
    for i in range(int(mix.seconds / step) + 1):
        at, place, bar = i * step, i % 16, i // 16
        root, notes = chords[bar % 4]
        if place % 4 == 0:
            mix.add(boom, at, 1.4)
        if place % 8 == 4:
            mix.add(crack, at, 1.6)
            mix.add(hand, at, 0.8)
        mix.add(open_hat if place % 4 == 2 else closed, at, 0.5 if place % 4 == 2 else 0.2)
        if place % 2 == 0:
            mix.pluck(root - 12 + 12 * (place // 2 % 2), at, 1.7 * step, 0.9, brightness=0.3)
        if strum[place]:
            for midi in notes:
                guitar.pluck(midi + 12, at, 0.09, 0.3, brightness=0.8)
        if place in {0, 6, 12}:
            section.chord(syn.BRASS, [n + 12 for n in notes], at, 1.5 * step, 0.4 if bar % 2 else 0.0)
        if place % 8 == 0:
            section.chord(syn.STRINGS, [n + 12 for n in notes], at, 6 * step, 0.3)
            section.chord(syn.CHOIR, list(notes), at, 4 * step, 0.25)
        if i % 8 == 0 and i // 64 % 2 == 0:
            section.play(_SINGER, notes[int(rng.integers(3))] + int(rng.choice([0, 0, 12])), at + 0.05, 6.5 * step, 1.1)
        if place in {3, 6, 10, 14}:
            section.chord(syn.ELECTRIC_PIANO, [n - 12 for n in notes], at, 2 * step, 0.6)
    mix.add(syn.band_pass(guitar.samples, rate, 500.0, 6000.0, 1.0), 0.0, 0.8)
    mix.add(section.samples, 0.0, 0.8)
    return _mastered(syn.reverberate(mix.samples, rate, rng, seconds=0.7, wet=0.12), mix, "disco", amount=2.0)


def _hip_hop(mix: Mixer) -> FloatArray:
    rng, rate, step = mix.rng, mix.sample_rate, 60.0 / 92 / 4
    boom, crack = syn.kick(rate, rng, low_hz=45.0, seconds=0.4), syn.snare(rate, rng, tone_hz=170.0, seconds=0.2)
    closed, hand = syn.hat(rate, rng, seconds=0.04), syn.clap(rate, rng)
    loop = ((45, (60, 64, 67)), (41, (60, 65, 69)))
    for i in range(int(mix.seconds / step) + 1):
        at, place = (i + 0.18 * (i % 2)) * step, i % 16
        root, notes = loop[i // 16 % 2]
        if place in {0, 7, 10}:
            mix.add(boom, at, 1.1)
            mix.play(syn.SUB_BASS, root - 12, at, 2.5 * step, 0.9)
        if place in {4, 12}:
            mix.add(crack, at, 1.6)
            mix.add(hand, at, 1.0)
        if place % 2 == 0:
            mix.add(closed, at, 0.5)
        if place in {0, 3, 6, 11}:
            mix.chord(syn.ELECTRIC_PIANO, list(notes), at, 3.5 * step, 0.7)
    rap = negatives.speech(mix.seconds, rate, rng, syllable_hz=0.5 / step)
    mix.add(syn.band_pass(rap, rate, 150.0, 7000.0, 1.0), 0.0, 1.5)
    return _mastered(mix.samples, mix, "hiphop", amount=4.0)


def _reggae(mix: Mixer) -> FloatArray:
    rng, rate, beat = mix.rng, mix.sample_rate, 60.0 / 76
    changes = ((45, (57, 60, 64)), (45, (57, 60, 64)), (50, (57, 62, 65)), (43, (55, 59, 62)))
    line = ((0.0, 0, 0.7), (1.0, 0, 0.4), (1.5, 7, 0.4), (2.5, 5, 0.4), (3.0, 3, 0.7))
    boom, stick = syn.kick(rate, rng, low_hz=52.0), syn.snare(rate, rng, tone_hz=420.0, seconds=0.09)
    closed = syn.hat(rate, rng, seconds=0.05)
    chop = mix.branch()
    for bar in range(int(mix.seconds / (4 * beat)) + 1):
        root, notes = changes[bar % 4]
        start = 4 * beat * bar
        for place, interval, length in line:
            mix.pluck(root - 12 + interval, start + place * beat, length * beat, 1.3, brightness=0.05)
        for i in range(8):
            at = start + (i // 2 + 0.58 * (i % 2)) * beat
            mix.add(closed, at, 0.2 if i % 2 else 0.28)
            if i % 2 == 0 and i // 2 % 2 == 1:
                for midi in notes:
                    chop.pluck(midi + 12, at, 0.11, 0.5, brightness=0.6)
            if i % 2:
                chop.chord(syn.ORGAN, [n + 12 for n in notes], at, 0.16 * beat, 0.22)
        mix.add(boom, start + 2 * beat, 1.0)
        mix.add(stick, start + 2 * beat, 0.7)
        if bar % 4 == 3:
            for i in range(4):
                mix.add(stick, start + (3 + i / 4) * beat, 0.4)
    mix.add(syn.reverberate(chop.samples, rate, rng, seconds=1.4, wet=0.3), 0.0)
    sung = negatives.speech(mix.seconds, rate, rng, syllable_hz=1.0 / beat)
    mix.add(syn.reverberate(sung, rate, rng, seconds=1.0, wet=0.25), 0.0, 0.4)
    return _mastered(mix.samples, mix, "reggae", amount=1.2)


def _country(mix: Mixer) -> FloatArray:
    rng, rate, beat = mix.rng, mix.sample_rate, 60.0 / 112
    changes = ((43, (55, 59, 62, 67)), (48, (55, 60, 64, 67)), (50, (57, 62, 66, 69)), (43, (55, 59, 62, 67)))
    scale = (67, 69, 71, 74, 76, 79, 81, 83)
    brush, place = syn.snare(rate, rng, seconds=0.1), 3
    for bar in range(int(mix.seconds / (4 * beat)) + 1):
        root, notes = changes[bar % 4]
        for i in range(4):
            at = (4 * bar + i) * beat
            if i % 2 == 0:
                mix.play(syn.UPRIGHT_BASS, root - (12 if i == 0 else 5), at, 1.8 * beat, 0.5)
            else:
                mix.add(brush, at, 0.35)
                for k, midi in enumerate(notes):
                    mix.pluck(midi, at + 0.012 * k, 1.2 * beat, 0.4, brightness=0.7)
            for k in range(2):
                mix.pluck(notes[(i + 2 * k) % 4] + 12, at + k * beat / 2, 0.6 * beat, 0.22, brightness=0.9)
        for i in range(4):
            if rng.random() < 0.8:
                place = int(np.clip(place + rng.choice([-2, -1, 1, 2]), 0, 7))
                mix.play(syn.VIOLIN, scale[place], (4 * bar + i) * beat, 0.9 * beat, 0.1)
    return _mastered(
        syn.reverberate(mix.samples, rate, rng, seconds=0.6, wet=0.12), mix, "country", amount=3.0, room=0.01
    )


def _murmur(mix: Mixer) -> FloatArray:
    voice = negatives.speech(mix.seconds, mix.sample_rate, mix.rng)
    return syn.compress(syn.reverberate(voice, mix.sample_rate, mix.rng, seconds=0.4, wet=0.15), 0.5)


def _silence(mix: Mixer) -> FloatArray:
    return mix.samples


EXAMPLES: dict[str, Example] = {
    "piano prelude": Example("classical", _prelude),
    "string quartet": Example("classical", _string_quartet),
    "metal riff": Example("metal", _metal),
    "jazz quartet": Example("jazz", _jazz),
    "disco groove": Example("disco", _disco),
    "hip-hop beat": Example("hiphop", _hip_hop),
    "reggae groove": Example("reggae", _reggae),
    "country picking": Example("country", _country),
    "murmuring voice": Example(None, _murmur),
    "silence": Example(None, _silence),
}
