from dataclasses import replace

import numpy as np
import pytest

from crnn.synthesis import instruments as syn
from crnn.synthesis.mixer import Mixer

RATE = 22_050


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    windowed = sound * np.hanning(len(sound))
    return np.fft.rfftfreq(len(sound), 1 / RATE), np.abs(np.fft.rfft(windowed))


def test_the_tuning_note_is_440_hz():
    assert syn.note_hz(69) == pytest.approx(440)
    assert syn.note_hz(57) == pytest.approx(220)


@pytest.mark.parametrize("midi", [36, 57, 69, 84])
def test_voices_and_strings_are_in_tune(midi: int, rng: np.random.Generator):
    hz = syn.note_hz(midi)
    for sound in (
        syn.render(syn.FLUTE, midi, 2.0, RATE, rng),
        syn.render(syn.PIANO, midi, 2.0, RATE, rng),
        syn.pluck(midi, 2.0, RATE, rng),
    ):
        f, level = spectrum(sound)
        near = (f > hz * 0.94) & (f < hz * 1.06)
        assert f[near][level[near].argmax()] == pytest.approx(hz, rel=0.012)


def test_high_notes_do_not_alias(rng: np.random.Generator):
    plain = replace(syn.SAW, n_unison=1)
    hz = syn.note_hz(100)
    f, level = spectrum(syn.render(plain, 100, 1.0, RATE, rng))
    # Distance to the nearest harmonic; what folds back would lie between them.
    distance = np.abs(f / hz - np.maximum(1, np.round(f / hz))) * hz
    assert level[distance > 200].max() < 0.01 * level.max()


def test_a_hollow_voice_has_odd_harmonics_only(rng: np.random.Generator):
    f, level = spectrum(syn.render(syn.SQUARE, 57, 1.0, RATE, rng))
    even = level[np.abs(f - 440) < 5].max()
    odd = level[np.abs(f - 660) < 5].max()
    assert even < 0.01 * odd


def test_decaying_voices_die_and_sustaining_ones_do_not(rng: np.random.Generator):
    def late(voice: syn.Voice) -> float:
        sound = syn.render(voice, 60, 3.0, RATE, rng)
        return float(np.abs(sound[int(2.5 * RATE) : int(2.9 * RATE)]).max() / np.abs(sound).max())

    assert late(syn.GUITAR) < 0.05
    assert late(syn.ORGAN) > 0.4


def test_band_pass_keeps_its_band(rng: np.random.Generator):
    f, level = spectrum(syn.band_noise(RATE * 2, RATE, rng, 500.0, 2000.0))
    inside, outside = level[(f > 700) & (f < 1500)].mean(), level[(f < 200) | (f > 5000)].mean()
    assert outside < 0.03 * inside


def test_reverberation_adds_a_tail_and_keeps_the_start(rng: np.random.Generator):
    click = np.zeros(RATE, dtype=np.float32)
    click[100] = 1.0
    wet = syn.reverberate(click, RATE, rng, seconds=0.5, wet=0.3)
    assert wet[100] == pytest.approx(0.7, abs=0.01)
    assert np.abs(wet[100 + RATE // 50 : RATE // 4]).max() > 1e-3
    assert np.abs(wet[:99]).max() < 1e-4


@pytest.mark.parametrize("effect", [syn.compress, lambda x: syn.distort(x, RATE)])
def test_loud_effects_bound_the_level(effect, rng: np.random.Generator):
    assert np.abs(effect(rng.normal(0, 300, RATE).astype(np.float32))).max() <= 1.3
    assert np.isfinite(effect(np.zeros(RATE, dtype=np.float32))).all()


def test_the_mixer_renders_a_note_once_and_cuts_at_the_end(rng: np.random.Generator):
    mix = Mixer(1.0, RATE, rng)
    mix.play(syn.ORGAN, 60, 0.1, 0.2)
    mix.play(syn.ORGAN, 60, 0.5, 0.2)
    mix.play(syn.ORGAN, 60, 0.9, 0.2)
    mix.play(syn.ORGAN, 60, 5.0, 0.2)
    start, again = round(0.1 * RATE), round(0.5 * RATE)
    assert np.array_equal(mix.samples[start : start + 4000], mix.samples[again : again + 4000])
    assert mix.samples[: start - 1].max() == 0
    assert len(mix.samples) == RATE
    assert np.abs(mix.samples[-1000:]).max() > 0


@pytest.mark.parametrize("drum", [syn.kick, syn.snare, syn.hat, syn.cymbal, syn.clap])
def test_drums_strike_and_fade(drum, rng: np.random.Generator):
    sound = drum(RATE, rng)
    assert np.isfinite(sound).all()
    quarter = len(sound) // 4
    assert np.abs(sound[:quarter]).max() > 2 * np.abs(sound[-quarter // 2 :]).max() > 0
