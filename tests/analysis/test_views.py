"""Views of a sound: the right tone at the right row, the right tempo, by the definitions they name."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from sounds import RATE, clicks, noise, sine

from crnn.analysis import spectral, tempo_and_key, temporal, views
from crnn.analysis.figures import MAX_CELLS, view_picture
from crnn.analysis.views import Grid, Lines, ViewSettings

SETTINGS = ViewSettings()
QUICK = [name for name, kind in views.VIEWS.items() if not kind.is_slow]


def loudest_row(grid: Grid) -> float:
    return float(grid.rows[grid.values.mean(axis=0).argmax()])


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("samples", [sine(440.0, 1.5), noise(1.5), np.zeros(2 * RATE, np.float32)])
def test_quick_views_fit_any_sound(name: str, samples: np.ndarray) -> None:
    found = views.compute(name, samples, RATE, SETTINGS)
    assert found.low < found.high
    if isinstance(found, Lines):
        assert all(np.isfinite(curve.values).all() for curve in found.curves)
        return
    assert np.isfinite(found.values).all()
    assert found.values.shape == (1 + len(samples) // SETTINGS.hop_length, len(found.rows))
    assert (np.diff(found.rows) > 0).all()


def test_unknown_view_is_a_programmers_mistake() -> None:
    with pytest.raises(ValueError, match="view 'aura'"):
        views.compute("aura", sine(440.0), RATE, SETTINGS)


@pytest.mark.parametrize(
    "settings", [{"n_fft": 8}, {"hop_length": 4096}, {"n_mels": 4}, {"fmin": 500.0, "fmax": 400.0}, {"range_db": 5.0}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="accepted|need"):
        ViewSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("compute", "share"), [(spectral.linear, 0.02), (spectral.logarithmic, 0.02), (spectral.mel, 0.05)]
)
def test_tone_is_loudest_at_its_own_row(compute, share: float) -> None:
    grid = compute(sine(1000.0), RATE, SETTINGS)
    assert loudest_row(grid) == pytest.approx(1000.0, rel=share)
    assert grid.values.max() == pytest.approx(0.0, abs=1e-4)


def test_level_of_a_full_scale_sine_is_0_db() -> None:
    # A whole number of periods in a window: all of it is in one bin.
    tone = sine(RATE / 2048 * 100, 1.0, level=1.0)
    grid = spectral.linear(tone, RATE, ViewSettings(normalise=False))
    assert float(np.median(grid.values.max(axis=1))) == pytest.approx(0.0, abs=0.05)


def test_frequency_range_is_kept() -> None:
    grid = spectral.linear(sine(1000.0), RATE, ViewSettings(fmin=500.0, fmax=2000.0))
    assert 500 <= grid.rows[0] < 515
    assert 1985 < grid.rows[-1] <= 2000


def test_constant_q_reads_a4() -> None:
    grid = spectral.constant_q(sine(440.0, 3.0), RATE, SETTINGS)
    assert loudest_row(grid) == pytest.approx(440.0, rel=0.001)


def test_chroma_names_the_pitch_class() -> None:
    grid = spectral.chroma(sine(440.0 * 4), RATE, SETTINGS)
    assert grid.row_names[int(grid.values.mean(axis=0).argmax())] == "A"


def test_mfcc_is_the_cosine_transform_that_librosa_makes() -> None:
    import librosa

    samples = noise(1.0)
    settings = ViewSettings(range_db=200.0)
    mel = spectral.mel(samples, RATE, settings)
    expected = librosa.feature.mfcc(S=mel.values.T, n_mfcc=21)[1:].T
    np.testing.assert_allclose(spectral.mfcc(samples, RATE, settings).values, expected, atol=1e-3)


@pytest.mark.slow  # where librosa's beat tracker was never compiled, that takes 20 s
def test_click_track_reads_its_tempo() -> None:
    found = temporal.onsets(clicks(12.0, per_second=2.0), RATE, SETTINGS)
    assert found.facts.startswith("About 120 BPM, ")
    assert np.diff(found.marks) == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_beats_are_told_with_the_doubt_that_listen_tells(rate: int) -> None:
    stumbling = np.zeros(20 * rate, dtype=np.float32)
    for at in np.random.default_rng(3).uniform(0.0, 19.9, 40):
        stumbling[round(at * rate) : round(at * rate) + 200] += 0.5
    facts = temporal.onsets(stumbling, rate, SETTINGS).facts
    assert re.fullmatch(r"Not sure of the tempo: perhaps 108 BPM, 3[45] beats\.", facts), facts
    both = clicks(20.0, rate, per_second=1.5) + 0.4 * clicks(20.0, rate, per_second=3.0)
    assert temporal.onsets(both, rate, SETTINGS).facts.startswith("About 90 or 180 BPM, ")


@pytest.mark.parametrize(("seconds", "part"), [(90.0, (0.0, 90.0)), (121.5, (0.0, 121.5)), (300.0, (90.0, 210.0))])
def test_tempo_and_key_are_those_of_the_middle_two_minutes(seconds: float, part: tuple[float, float]) -> None:
    assert tempo_and_key.told_part(seconds) == part


@pytest.mark.parametrize("normalise", [True, False])
def test_digital_silence_is_as_dark_as_can_be(normalise: bool) -> None:
    found = spectral.mel(np.zeros(RATE, np.float32), RATE, dataclasses.replace(SETTINGS, normalise=normalise))
    assert found.values.max() <= found.low


def test_tone_has_no_beat() -> None:
    assert temporal.onsets(sine(440.0, 4.0), RATE, SETTINGS).facts == "No beat found."


def test_tempogram_peaks_at_the_tempo() -> None:
    grid = temporal.tempogram(clicks(12.0, per_second=2.0), RATE, SETTINGS)
    middle = grid.values[len(grid.values) // 2]
    fast = grid.rows > 90
    assert float(grid.rows[fast][middle[fast].argmax()]) == pytest.approx(120.0, rel=0.04)


@pytest.mark.slow
def test_tone_is_harmonic_and_clicks_are_percussive() -> None:
    settings = ViewSettings(normalise=False)
    both = sine(440.0, 3.0, level=0.2) + clicks(3.0)
    harmonic, percussive = spectral.harmonic(both, RATE, settings), spectral.percussive(both, RATE, settings)
    tone = int(np.abs(harmonic.rows - 440).argmin())
    high = harmonic.rows > 4000
    assert np.median(harmonic.values[:, tone]) > np.median(percussive.values[:, tone]) + 20
    assert percussive.values[:, high].max() > harmonic.values[:, high].max() + 10
    together = views.compute_with_siblings("percussive", both, RATE, settings)
    assert tuple(together) == views.siblings("percussive") == views.siblings("harmonic")
    np.testing.assert_array_equal(together["harmonic"].values, harmonic.values)
    np.testing.assert_array_equal(together["percussive"].values, percussive.values)


def test_centroid_of_a_tone_is_its_frequency() -> None:
    grid = spectral.shape(sine(2000.0), RATE, SETTINGS)
    centroid, band, rolloff = (curve.values[5:-5] for curve in grid.curves)
    assert centroid == pytest.approx(2000.0, rel=0.02)
    assert (band[:, 0] < band[:, 1]).all()
    assert rolloff == pytest.approx(2000.0, rel=0.02)


def test_loudness_follows_the_standard() -> None:
    """ITU-R BS.1770: a full-scale sine of 997 Hz in one channel is at −3.01 LUFS."""
    found = temporal.loudness(sine(997.0, 3.0, level=1.0), RATE, SETTINGS)
    assert found.curves[0].values[3:] == pytest.approx(-3.01, abs=0.1)
    assert found.facts == "Integrated: −3.0 LUFS."
    assert temporal.loudness(np.zeros(RATE, np.float32), RATE, SETTINGS).facts == "Silence."


def test_long_pictures_are_pooled_by_their_maximum() -> None:
    values = np.full((30_000, 1025), -80.0, dtype=np.float32)
    values[12_345, 77] = 0.0
    picture = view_picture(values, np.arange(1025.0), -80.0, 0.0, seconds_per_frame=0.01)
    assert picture.cells.size <= MAX_CELLS
    column, row = np.unravel_index(int(picture.cells.argmax()), picture.cells.shape)
    assert picture.cells.max() == 255
    assert row == 77
    seconds = picture.start_seconds + (column + 0.5) * picture.seconds_per_column
    assert seconds == pytest.approx(123.45, abs=picture.seconds_per_column)


def test_integrated_loudness_leaves_out_what_lies_ten_below_the_mean() -> None:
    """BS.1770: 10 s at −23 LUFS and 10 s twenty below it are −23 together; ungated they would be −26."""
    loud, quiet = (sine(997.0, 10.0, level=10 ** (level_db / 20)) for level_db in (-20.0, -40.0))
    assert temporal.loudness(np.concatenate([loud, quiet]), RATE, SETTINGS).facts == "Integrated: −23.0 LUFS."
    # Six below is within the gate: 10 lg((1 + 10^-0.6) / 2) is −2.0.
    quiet = sine(997.0, 10.0, level=10 ** (-26.0 / 20))
    assert temporal.loudness(np.concatenate([loud, quiet]), RATE, SETTINGS).facts == "Integrated: −25.0 LUFS."
    # Twelve below it lies nine below the mean: within the gate. 10 lg((1 + 10^-1.2) / 2) is −2.7.
    quiet = sine(997.0, 10.0, level=10 ** (-32.0 / 20))
    assert temporal.loudness(np.concatenate([loud, quiet]), RATE, SETTINGS).facts == "Integrated: −25.7 LUFS."


def test_silence_has_no_say_in_where_the_gate_is() -> None:
    """BS.1770: 10 s at −23 and 10 s at −37 LUFS have their gate at −35.8; with 100 s of silence it were at −43.6."""
    loud, quiet = (sine(997.0, 10.0, level=10 ** (level_db / 20)) for level_db in (-20.0, -34.0))
    sound = np.concatenate([loud, quiet, np.zeros(100 * RATE, np.float32)])
    assert temporal.loudness(sound, RATE, SETTINGS).facts == "Integrated: −23.0 LUFS."


@pytest.mark.parametrize(
    ("loudest", "reach"),
    [(0.712, 1.0), (0.0, 0.001), (0.5, 0.5), (0.33, 0.5), (0.02, 0.02), (0.012, 0.02), (1.0, 1.0), (1.3, 2.0)],
)
def test_waveforms_axis_has_round_ends(loudest: float, reach: float) -> None:
    samples = np.array([0.0, -loudest, 0.1 * loudest], np.float32)
    found = temporal.waveform(samples, RATE, SETTINGS)
    assert (found.low, found.high) == pytest.approx((-reach, reach))
