import numpy as np
import pytest

from crnn.synthesis import negatives

RATE = 22_050
KINDS = sorted(negatives.KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seconds", "rate"), [(3.0, RATE), (1.0, 16_000)])
def test_a_kind_is_sound_of_the_length_and_rate_asked_for(kind: str, seconds: float, rate: int):
    for seed in range(3):
        sound = negatives.synthesize(kind, seed, seconds, rate)
        assert sound.shape == (round(seconds * rate),)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert 10 ** (-31 / 20) < np.abs(sound).max() <= 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind: str):
    first = negatives.synthesize(kind, 1, 1.0, RATE)
    assert np.array_equal(first, negatives.synthesize(kind, 1, 1.0, RATE))
    assert not np.array_equal(first, negatives.synthesize(kind, 2, 1.0, RATE))


def test_every_kind_that_a_detector_needs_is_there():
    assert {"coloured_noise", "hum", "clicks", "tone", "sweep", "speech", "room_tone", "applause"} <= set(KINDS)


def test_unknown_kinds_are_named():
    with pytest.raises(ValueError, match="laughter.*applause"):
        negatives.synthesize("laughter", 0, 1.0, RATE)


def spectrum_hz(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.fft.rfftfreq(len(sound), 1 / RATE), np.abs(np.fft.rfft(sound)) ** 2


def test_hum_lies_on_the_harmonics_of_the_mains():
    for seed in range(4):
        hz, power = spectrum_hz(negatives.synthesize("hum", seed, 4.0, RATE))
        strongest = hz[power.argmax()]
        assert min(abs(strongest / base - round(strongest / base)) for base in (50, 60)) < 0.02


def test_speech_has_syllables_pauses_and_a_voice():
    for seed in range(4):
        sound = negatives.speech(8.0, RATE, np.random.default_rng(seed))
        frames = sound[: len(sound) // 441 * 441].reshape(-1, 441)
        level = np.sqrt((frames**2).mean(axis=1))
        spectrum = np.abs(np.fft.rfft(level - level.mean()))
        rate_hz = np.fft.rfftfreq(len(level), 0.02)
        # The envelope of speech moves a few times a second (Houtgast and Steeneken 1985).
        assert 1.0 < (rate_hz * spectrum).sum() / spectrum.sum() < 12.0
        assert (level < 0.05 * level.max()).mean() > 0.05
        hz, power = spectrum_hz(sound)
        assert power[hz < 4000].sum() > 3 * power[hz >= 4000].sum()


def test_a_voice_is_filtered_frame_by_frame_as_its_formants_wander():
    """Straight from the definition: every frame of 512 samples alone, half over its neighbours."""
    rng = np.random.default_rng(3)
    for n_samples in (12_345, 512, 0):
        voice = rng.standard_normal(n_samples, dtype=np.float32)
        marks, formants_hz = np.array([0.1, 0.3, 0.5]), rng.uniform(300.0, 3000.0, (3, 3))
        hz, window = np.fft.rfftfreq(512, 1 / RATE), np.hanning(512).astype(np.float32)
        expected = np.zeros(n_samples, dtype=np.float32)
        for start in range(0, n_samples - 512, 256):
            wandering = [np.interp((start + 256) / RATE, marks, formants_hz[:, i]) for i in range(3)]
            gain = sum((0.6**i) / (1 + ((hz - f) / (60 + 40 * i)) ** 2) for i, f in enumerate(wandering)) + 0.004
            expected[start : start + 512] += np.fft.irfft(np.fft.rfft(voice[start : start + 512] * window) * gain)
        found = negatives._through_formants(voice, RATE, marks, formants_hz)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert bool(found.any()) == (n_samples > 512)
