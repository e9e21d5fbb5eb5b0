"""Tempo and key of sounds that have them by construction; no answer where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, clicks, noise, sine, wav_bytes

from crnn.analysis import tempo_and_key
from crnn.analysis.tempo_and_key import Tempo


def chord(midi: tuple[int, ...], seconds: float = 1.0, tuning_cents: float = 0.0) -> np.ndarray:
    """Notes of six falling overtones each, struck and dying away."""
    times = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(times))
    for note in midi:
        pitch_hz = 440 * 2 ** ((note - 69 + tuning_cents / 100) / 12)
        for overtone in range(1, 7):
            sound += np.sin(2 * np.pi * overtone * pitch_hz * times) / overtone**2
    return (0.08 * sound * np.exp(-2 * times)).astype(np.float32)


def progression(*chords: tuple[int, ...], times: int = 3, tuning_cents: float = 0.0) -> np.ndarray:
    return np.tile(np.concatenate([chord(notes, tuning_cents=tuning_cents) for notes in chords]), times)


C, F, G = (48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67)
A_MINOR, D_MINOR, E = (45, 60, 64, 69), (50, 62, 65, 69), (52, 59, 64, 68)


@pytest.mark.parametrize("bpm", [80.0, 100.0, 120.0, 128.0, 150.0])
def test_click_track_has_its_tempo(bpm: float) -> None:
    found = tempo_and_key.tempo(clicks(20.0, per_second=bpm / 60), RATE)
    assert found is not None
    assert found.bpm == pytest.approx(bpm, abs=0.3)


def test_120_clicks_a_minute_leave_no_doubt() -> None:
    found = tempo_and_key.tempo(clicks(20.0, per_second=2.0), RATE)
    assert found is not None
    assert found.bpm == pytest.approx(120.0, abs=0.1)
    assert found.other_bpm is None


def test_beat_between_two_octaves_is_told_with_its_double() -> None:
    """Every second click is softer: 75 to one who counts the loud ones, 150 to one who counts all."""
    samples = clicks(20.0, per_second=2.5)
    samples[np.flatnonzero(samples)[1::2]] *= 0.05
    found = tempo_and_key.tempo(samples, RATE)
    assert found is not None
    assert found.other_bpm is not None
    assert sorted((found.bpm, found.other_bpm)) == pytest.approx([75.0, 150.0], abs=0.3)


def test_fast_beat_that_is_told_at_half_its_tempo_is_told_with_it() -> None:
    """Every second beat is softer: at 200 it repeats at 100, which people tap more readily."""
    samples = clicks(20.0, per_second=200 / 60)
    samples[np.flatnonzero(samples)[1::2]] *= 0.3
    found = tempo_and_key.tempo(samples, RATE)
    assert found is not None
    assert (found.bpm, found.other_bpm) == pytest.approx((100.0, 200.0), abs=0.5)


def test_slow_beat_that_nothing_divides_is_told_alone() -> None:
    assert tempo_and_key.tempo(clicks(20.0, per_second=80 / 60), RATE) == Tempo(pytest.approx(80.0, abs=0.3), None)


@pytest.mark.parametrize(
    "samples", [noise(20.0), sine(440.0, 20.0), np.zeros(20 * RATE, np.float32), clicks(4.0, per_second=2.0)]
)
def test_what_has_no_steady_beat_has_no_tempo(samples: np.ndarray) -> None:
    assert tempo_and_key.tempo(samples, RATE) is None


def test_beats_at_chance_have_no_tempo() -> None:
    samples = np.zeros(30 * RATE, np.float32)
    samples[np.random.default_rng(5).choice(len(samples), 60, replace=False)] = 0.9
    assert tempo_and_key.tempo(samples, RATE) is None


@pytest.mark.parametrize("tuning_cents", [0.0, 35.0, -35.0])
def test_chords_have_their_key(tuning_cents: float) -> None:
    major = progression(C, F, G, C, tuning_cents=tuning_cents)
    minor = progression(A_MINOR, D_MINOR, E, A_MINOR, tuning_cents=tuning_cents)
    assert tempo_and_key.keys(major, RATE) == ("C major",)
    assert tempo_and_key.keys(minor, RATE) == ("A minor",)


def test_key_is_heard_from_the_tuning_that_its_notes_share() -> None:
    """An instrument that drifts from 40 to 56 cents sharp: to concert pitch half of its notes are a semitone higher."""
    drifting = np.concatenate([progression(C, F, G, C, tuning_cents=cents) for cents in (40.0, 56.0)])
    assert tempo_and_key.keys(drifting, RATE) == ("C major",)


def test_every_key_is_known_by_its_chords() -> None:
    """Three semitones up, the same chords are E flat major and C minor."""
    up = [tuple(note + 3 for note in notes) for notes in (C, F, G, C, A_MINOR, D_MINOR, E, A_MINOR)]
    assert tempo_and_key.keys(progression(*up[:4]), RATE) == ("E♭ major",)
    assert tempo_and_key.keys(progression(*up[4:]), RATE) == ("C minor",)


def test_chords_of_two_keys_name_both() -> None:
    assert set(tempo_and_key.keys(progression(A_MINOR, C, times=6), RATE)) == {"C major", "A minor"}
    assert set(tempo_and_key.keys(progression(C, G, times=6), RATE)) == {"C major", "G major"}


@pytest.mark.parametrize(
    "samples", [noise(12.0), sine(440.0, 12.0), np.zeros(12 * RATE, np.float32), clicks(12.0), sine(440.0, 0.2)]
)
def test_what_has_no_chords_has_no_key(samples: np.ndarray) -> None:
    assert tempo_and_key.keys(samples, RATE) == ()


@pytest.mark.parametrize(
    ("found", "key", "words"),
    [
        (Tempo(127.6), ("A minor", "C major"), "About 128 BPM · A minor or C major"),
        (Tempo(75.2, 150.4), (), "About 75 or 150 BPM · not sure of the key"),
        (None, ("C major",), "Not sure of the tempo · C major"),
        (None, (), "Not sure of tempo or key."),
    ],
)
def test_both_are_told_in_a_line(found: Tempo | None, key: tuple[str, ...], words: str) -> None:
    assert tempo_and_key.sentence(found, key) == words


def test_the_bench_judges_sounds_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tempo and key right, wrong, and not known: none of what is not known counts."""
    from bench import tempo_and_key as bench

    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "clicks.wav").write_bytes(wav_bytes(clicks(20.0, per_second=2.0)))
    major = progression(C, F, G, C, times=2)
    (tmp_path / "chords.wav").write_bytes(wav_bytes(major / np.abs(major).max()))
    (tmp_path / "tempo_and_key.csv").write_text(
        "file,bpm,key\nloops/clicks.wav,120,\nloops/clicks.wav,100,\nchords.wav,,C major\nchords.wav,,B# minor\n"
    )
    monkeypatch.setattr("sys.argv", ["tempo_and_key", "--data", str(tmp_path)])
    assert bench.main() == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["loops"]["tempo_told"], figures["loops"]["tempo_either"]) == (1.0, 0.5)
    assert (figures["all"]["tempo_told"], figures["all"]["key_told"], figures["all"]["key_first"]) == (1.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("words", "key"), [("Bb major", (10, "major")), ("F♯ minor", (6, "minor")), ("Cb major", (11, "major"))]
)
def test_a_key_is_read(words: str, key: tuple[int, str]) -> None:
    from bench.tempo_and_key import key_of

    assert key_of(words) == key
    for wrong in ("", "H minor", "C", "C dorian"):
        with pytest.raises(ValueError, match="is no key"):
            key_of(wrong)
