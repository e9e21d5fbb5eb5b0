"""Pieces to try on the Listen page, synthesized on the spot and free of licences.

They resemble real genres well enough for a model that learnt from recordings to have an
opinion; one is no music, and one is silence. `EXAMPLES` says what each is meant to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from crnn import negatives
from crnn import synthesis as syn
from crnn.audio import Clip
from crnn.synthesis import FloatArray, Mixer

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

    Raises:
        ValueError: There is no such example.
    """
    if name not in EXAMPLES:
        raise ValueError(f"example {name!r}: {', '.join(EXAMPLES)} are known")
    rng = np.random.default_rng([*name.encode()])
    samples = EXAMPLES[name].compose(Mixer(SECONDS, sample_rate, rng))
    return Clip(samples, sample_rate, name, ("Synthesized on the spot by a program.",))


def _finished(samples: FloatArray, mix: Mixer, *, amount: float = 1.0, high_hz: float = 9500.0) -> FloatArray:
    """Mastering: a little compression, the treble of a recording, a trace of hiss."""
    loud = syn.compress(syn.band_pass(samples, mix.sample_rate, 30.0, high_hz, 1.0), amount)
    hiss = mix.rng.standard_normal(len(loud), dtype=np.float32)
    return loud + np.float32(2e-4) * hiss


# The prelude in C major (J. S. Bach, BWV 846): a chord a half bar, broken always alike.
_PRELUDE = (
    (60, 64, 67, 72, 76), (60, 62, 69, 74, 77), (59, 62, 67, 74, 77), (60, 64, 67, 72, 76),
    (60, 64, 69, 76, 81), (60, 62, 66, 69, 74), (59, 62, 67, 74, 79), (59, 60, 64, 67, 72),
    (57, 60, 64, 67, 72), (50, 57, 62, 66, 72), (55, 59, 62, 67, 71),
)  # fmt: skip


def _prelude(mix: Mixer) -> FloatArray:
    rng, step = mix.rng, 0.21
    for bar, chord in enumerate(_PRELUDE):
        for half in range(2):
            start = (bar * 16 + half * 8) * step
            figure = [chord[0], chord[1], *chord[2:], *chord[2:]]
            for i, midi in enumerate(figure):
                length = (8 - i) * step if i < 2 else 1.3 * step
                at = start + i * step + 0.006 * float(rng.standard_normal())
                mix.play(syn.PIANO, midi, max(0.0, at), length, 0.5 * float(rng.uniform(0.75, 1.05)))
    soft = syn.band_pass(mix.samples, mix.sample_rate, 0.0, 2200.0, 0.8)
    return _finished(syn.reverberate(soft, mix.sample_rate, rng, seconds=1.8, wet=0.3), mix, amount=0.5)


def _string_quartet(mix: Mixer) -> FloatArray:
    rng, beat = mix.rng, 0.8
    chords = ((48, 64, 67, 72), (53, 65, 69, 72), (55, 62, 67, 71), (48, 64, 67, 72),
              (57, 60, 64, 72), (50, 62, 65, 69), (55, 62, 65, 71), (48, 60, 64, 72))  # fmt: skip
    bow = replace(syn.VIOLIN, n_unison=2, detune=0.04, attack_seconds=0.09)
    for step in range(int(mix.seconds / beat) + 1):
        at = step * beat
        chord = chords[step // 2 % 8]
        for midi in chord[:3]:
            mix.play(bow, midi, at + 0.015 * abs(float(rng.standard_normal())), beat * 0.98, 0.3)
        top = chord[3] + (0, 2, 4, 2)[step % 4] if step % 8 != 7 else chord[3]
        for i in range(2):
            mix.play(syn.VIOLIN, top + 12 * (step // 8 % 2) - i * 1, at + i * beat / 2, beat / 2, 0.35)
    return _finished(syn.reverberate(mix.samples, mix.sample_rate, rng, seconds=2.2, wet=0.35), mix, amount=0.4)


def _metal(mix: Mixer) -> FloatArray:
    rng, rate, step = mix.rng, mix.sample_rate, 60.0 / 172 / 4
    riff = (40, 40, 40, 43, 40, 40, 45, 46, 40, 40, 40, 43, 48, 47, 43, 42)
    string = replace(syn.SAW, slope=0.9, decay_seconds=3.0, darkening=1.5, n_unison=2, detune=0.06)
    bass = replace(syn.ELECTRIC_BASS, slope=1.2)
    sides = (mix.branch(), mix.branch())
    drums = mix.branch()
    boom, crack = syn.kick(rate, rng, low_hz=58.0, seconds=0.16), syn.snare(rate, rng, tone_hz=210.0, seconds=0.2)
    crash = syn.cymbal(rate, rng, seconds=1.8, ring=0.25)
    for i in range(int(mix.seconds / step) + 1):
        at, midi = i * step, riff[i // 2 % 16] + (0, 0, 3, -2)[i // 64 % 4]
        is_open = i // 2 % 16 >= 12
        for side in sides:
            length = (1.9 if is_open else 0.75) * step
            if i % 2 == 0 or not is_open:
                for interval in (0, 7, 12):
                    side.play(string, midi + interval, at + 0.004 * float(rng.random()), length, 0.5)
        mix.play(bass, midi - 12, at, 0.9 * step, 0.45)
        drums.add(boom, at, 0.8)
        if i % 8 == 4:
            drums.add(crack, at, 1.1)
        if i % 4 == 0:
            drums.add(crash, at, 0.3 if i % 64 else 0.6)
    guitars = sum(syn.distort(side.samples, rate, drive=25.0, cabinet_hz=4800.0) for side in sides)
    return _finished(0.28 * guitars + 0.3 * mix.samples + 0.4 * drums.samples, mix, amount=2.5)


def _jazz(mix: Mixer) -> FloatArray:
    rng, rate, beat = mix.rng, mix.sample_rate, 60.0 / 152
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
    return _finished(syn.reverberate(mix.samples, rate, rng, seconds=0.9, wet=0.2), mix, amount=0.7, high_hz=7000.0)


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
            mix.add(boom, at, 0.9)
        if place % 8 == 4:
            mix.add(crack, at, 0.6)
            mix.add(hand, at, 0.3)
        mix.add(open_hat if place % 4 == 2 else closed, at, 0.35 if place % 4 == 2 else 0.15)
        if place % 2 == 0:
            mix.play(syn.ELECTRIC_BASS, root - 12 + 12 * (place // 2 % 2), at, 1.6 * step, 0.7)
        if strum[place]:
            for midi in notes:
                guitar.pluck(midi + 12, at, 0.09, 0.3, brightness=0.8)
        if place in {0, 6, 12}:
            section.chord(syn.BRASS, [n + 12 for n in notes], at, 1.5 * step, 0.4 if bar % 2 else 0.0)
        if place % 8 == 0:
            section.chord(syn.STRINGS, [n + 12 for n in notes], at, 8 * step, 0.45)
    mix.add(syn.band_pass(guitar.samples, rate, 500.0, 6000.0, 1.0), 0.0, 0.8)
    mix.add(section.samples, 0.0, 0.8)
    return _finished(syn.reverberate(mix.samples, rate, rng, seconds=0.7, wet=0.12), mix, amount=1.4)


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
            mix.add(crack, at, 0.8)
            mix.add(hand, at, 0.5)
        if place % 2 == 0:
            mix.add(closed, at, 0.25)
        if place in {0, 3, 6, 11}:
            mix.chord(syn.ELECTRIC_PIANO, list(notes), at, 2.5 * step, 0.3)
    rap = negatives.speech(mix.seconds, rate, rng, syllable_hz=0.5 / step)
    mix.add(syn.band_pass(rap, rate, 150.0, 7000.0, 1.0), 0.0, 0.9)
    return _finished(mix.samples, mix, amount=2.0)


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
            mix.play(replace(syn.SUB_BASS, slope=2.6), root - 12 + interval, start + place * beat, length * beat, 1.0)
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
    return _finished(mix.samples, mix, amount=1.2, high_hz=7500.0)


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
                mix.play(syn.UPRIGHT_BASS, root - (12 if i == 0 else 5), at, 0.8 * beat, 0.7)
            else:
                mix.add(brush, at, 0.25)
                for k, midi in enumerate(notes):
                    mix.pluck(midi, at + 0.012 * k, 0.5 * beat, 0.3, brightness=0.7)
            for k in range(2):
                mix.pluck(notes[(i + 2 * k) % 4] + 12, at + k * beat / 2, 0.6 * beat, 0.22, brightness=0.9)
        for i in range(4):
            if rng.random() < 0.8:
                place = int(np.clip(place + rng.choice([-2, -1, 1, 2]), 0, 7))
                mix.play(syn.VIOLIN, scale[place], (4 * bar + i) * beat, 0.9 * beat, 0.28)
    return _finished(syn.reverberate(mix.samples, rate, rng, seconds=0.6, wet=0.12), mix, amount=0.8)


def _murmur(mix: Mixer) -> FloatArray:
    voice = negatives.speech(mix.seconds, mix.sample_rate, mix.rng)
    return _finished(syn.reverberate(voice, mix.sample_rate, mix.rng, seconds=0.4, wet=0.15), mix, amount=0.5)


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
