"""One recording in other clothes is found, other recordings are not; and a split keeps it on one side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, FloatArray, wav_bytes

from crnn.config import FeatureConfig
from crnn.data import near_duplicates
from crnn.data.audit import listen
from crnn.data.collection import gather, with_copies_together
from crnn.data.demo import STYLES, synthesize
from crnn.data.near_duplicates import find_near_copies
from crnn.data.splits import split_tracks
from crnn.features.archive import to_uint8
from crnn.features.log_mel import mel_power, power_to_db

CONFIG = FeatureConfig()


def cells(samples: FloatArray) -> np.ndarray:
    return to_uint8(power_to_db(mel_power(samples, CONFIG), CONFIG))


@pytest.fixture(scope="module")
def songs() -> list[FloatArray]:
    return [synthesize(style, seed, 14.0, RATE) for style in STYLES for seed in (1, 2)]


def test_other_recordings_are_no_copies(songs: list[FloatArray]):
    assert find_near_copies([cells(song) for song in songs], CONFIG.frame_rate_hz) == []


def test_a_cut_softer_and_duller_copy_is_found_at_its_place(songs: list[FloatArray]):
    # Neither on our frames nor on our level, and without what is above 4 kHz or so.
    cut = 0.2 * songs[3][round(3.217 * RATE) :]
    dull = np.convolve(cut, np.ones(4, np.float32) / 4, mode="same").astype(np.float32)
    found = find_near_copies([*(cells(song) for song in songs), None, cells(dull)], CONFIG.frame_rate_hz)
    assert [(copy.first, copy.second) for copy in found] == [(3, len(songs) + 1)]
    assert found[0].shift_seconds == pytest.approx(3.217, abs=0.05)
    assert found[0].overlap_seconds == pytest.approx(10.8, abs=0.1)


def test_a_model_of_finer_frames_finds_the_same_copies(songs: list[FloatArray]):
    """Training by the default model, of 100 frames a second, missed what scan --listen had found."""
    of_songs = [cells(song) for song in songs] + [cells(0.2 * songs[3][round(3.217 * RATE) :])]
    rate = CONFIG.frame_rate_hz
    finer = [np.repeat(song, 4, axis=0) for song in of_songs]
    assert find_near_copies(finer, 4 * rate) == find_near_copies(of_songs, rate) != []


def test_many_copies_of_one_recording_are_all_connected(songs: list[FloatArray]):
    one = cells(songs[0])
    n = 40
    copies = find_near_copies([one] * n, CONFIG.frame_rate_hz)
    reached = {0}
    for _ in range(n):
        reached |= {c.second for c in copies if c.first in reached} | {c.first for c in copies if c.second in reached}
    assert reached == set(range(n))


def test_thinned_hashes_still_find_copies(songs: list[FloatArray], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(near_duplicates, "_MAX_HASHES", 4000)
    found = find_near_copies([*(cells(song) for song in songs), cells(0.5 * songs[5])], CONFIG.frame_rate_hz)
    assert [(copy.first, copy.second) for copy in found] == [(5, len(songs))]


@pytest.mark.parametrize("n_tracks", [0, 1])
def test_too_few_tracks_hold_no_copies(songs: list[FloatArray], n_tracks: int):
    assert find_near_copies([cells(songs[0])] * n_tracks, CONFIG.frame_rate_hz) == []


def test_silence_and_a_steady_tone_are_no_copies():
    flat = np.zeros((400, CONFIG.n_mels), np.uint8)
    assert find_near_copies([flat, flat + 9], CONFIG.frame_rate_hz) == []


@pytest.fixture
def folder(tmp_path: Path, songs: list[FloatArray], encode: Callable[..., Path], monkeypatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    root = tmp_path / "music"
    for genre in ("a", "b"):
        (root / genre).mkdir(parents=True)
    for number, song in enumerate(songs[:8]):
        (root / "ab"[number % 2] / f"song{number}.wav").write_bytes(wav_bytes(song, RATE, "PCM_16"))
    encode(songs[0][RATE * 2 :], "again.mp3", "-b:a", "64k").rename(root / "b" / "again.mp3")
    (root / "a" / "clipped.wav").write_bytes(wav_bytes(np.clip(9 * songs[9], -0.8, 0.8)))
    (root / "a" / "silent.wav").write_bytes(wav_bytes(0 * songs[0]))
    return root


def test_listening_tells_all_that_only_sound_tells(folder: Path):
    heard = listen(gather([folder]), CONFIG)
    said = {fault.kind: (fault.subject, fault.message) for fault in heard.faults}
    assert set(said) == {"silent", "clipped", "near_copy_of_two_genres"}
    assert said["clipped"][0] == "clipped"
    assert said["near_copy_of_two_genres"][0] == "again, song0"
    assert (
        "They are copies of one recording: 12 s of them are the same. They are filed under a and b."
        in said["near_copy_of_two_genres"][1]
    )
    assert heard.copies[0].shift_seconds == pytest.approx(-2.0, abs=0.1)


def test_near_copies_stay_on_one_side(folder: Path):
    heard = listen(gather([folder]), CONFIG)
    for seed in range(6):
        parts = split_tracks(heard.collection.tracks, name="random", seed=seed, valid_share=0.4)
        sides = [name for name, part in parts.items() for t in part if t.track_id in {"again", "song0"}]
        assert len(set(sides)) == 1


def test_groups_that_were_there_grow(folder: Path):
    collection = gather([folder])
    once = with_copies_together(collection, [("song1", "song2")])
    twice = with_copies_together(once, [("song2", "song3"), ("song4", "song5")])
    groups = {track.track_id: track.group for track in twice.tracks}
    assert groups["song1"] == groups["song2"] == groups["song3"] != groups["song4"] == groups["song5"]
    assert groups["song0"] is None


# The rules by hand


def _pair(correlation: float, seconds: float = 20.0, shift: int = 0) -> list[np.ndarray]:
    """Two tracks of noise whose log-mels correlate so much where they overlap for so long."""
    rng = np.random.default_rng(5)
    n = round(seconds * CONFIG.frame_rate_hz)
    common, own = (rng.normal(0, 20, (n, CONFIG.n_mels)) for _ in range(2))
    second = correlation * common + np.sqrt(1 - correlation**2) * own
    before = rng.normal(0, 20, (shift, CONFIG.n_mels))
    return [np.clip(128 + np.concatenate(parts), 0, 255).astype(np.uint8) for parts in ((before, common), (second,))]


@pytest.mark.parametrize(("correlation", "is_same"), [(0.65, False), (0.75, True)])
def test_seven_tenths_of_a_correlation_decide(correlation: float, is_same: bool):
    found = near_duplicates._compare((0, 1), _pair(correlation), 0, CONFIG.frame_rate_hz)
    assert (found is not None) == is_same
    if found is not None:
        assert found.correlation == pytest.approx(correlation, abs=0.02)


@pytest.mark.parametrize(("seconds", "is_same"), [(4.8, False), (5.5, True)])
def test_five_seconds_must_be_shared(seconds: float, is_same: bool):
    found = near_duplicates._compare((0, 1), _pair(1.0, seconds), 0, CONFIG.frame_rate_hz)
    assert (found is not None) == is_same


@pytest.mark.parametrize("wrong_by", [-2, -1, 0, 1, 2])
def test_a_shift_told_two_frames_wrong_is_put_right(wrong_by: int):
    found = near_duplicates._compare((0, 1), _pair(1.0, shift=30), 30 + wrong_by, CONFIG.frame_rate_hz)
    assert found is not None
    assert found.shift_seconds == pytest.approx(30 / CONFIG.frame_rate_hz)
    assert found.correlation > 0.99


def test_votes_for_two_neighbouring_shifts_are_votes_for_one():
    """Three hashes say 7 frames, three say 8: alone neither has the five votes that are needed."""
    hashes = np.repeat(np.arange(6), 2)
    owners = np.tile([0, 1], 6)
    frames = np.array([[100 + i, 100 + i - shift] for i, shift in enumerate([7, 7, 7, 8, 8, 8])]).ravel()
    assert [(first, second) for first, second, _ in near_duplicates._candidates(hashes, owners, frames, 2)] == [(0, 1)]
