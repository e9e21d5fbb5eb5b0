"""Sounds that are no music: what is kept of them is what is made, and whatever decides it has it made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE

from crnn.config import FeatureConfig
from crnn.data import no_music as of_sounds
from crnn.data.no_music import no_music, store_path
from crnn.features.archive import cells_of
from crnn.features.log_mel import mel_power
from crnn.jobs import kept
from crnn.owner import MACHINE
from crnn.synthesis import negatives

CONFIG = FeatureConfig()
KINDS = ("hum", "wind")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Kind and number of each sound that is made; of two kinds, two of each, a second long, by a store of one's own."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    monkeypatch.setenv("GENRESCOPE_MADE", str(tmp_path / "made"))
    monkeypatch.setattr(negatives, "KINDS", {kind: negatives.KINDS[kind] for kind in KINDS})
    monkeypatch.setattr(of_sounds, "_PER_KIND", 2)
    monkeypatch.setattr(of_sounds, "_SECONDS", 1.0)
    seen: list[tuple[str, int]] = []
    make = of_sounds._made

    def counting(kind: str, number: int, config: FeatureConfig) -> np.ndarray:
        seen.append((kind, number))
        return make(kind, number, config)

    monkeypatch.setattr(of_sounds, "_made", counting)
    return seen


def test_they_are_made_once_and_are_then_what_was_made(made: list[tuple[str, int]]) -> None:
    first, second = no_music(CONFIG, 3), no_music(CONFIG, 3)
    assert made == [("hum", 3), ("hum", 4), ("wind", 3), ("wind", 4)]
    for one, again, (kind, number) in zip(first, second, made, strict=True):
        sound = negatives.synthesize(kind, number, 1.0, RATE)
        np.testing.assert_array_equal(again, cells_of(mel_power(sound, CONFIG), CONFIG))
        np.testing.assert_array_equal(one, again)


def test_a_neighbouring_seed_makes_only_what_is_new(made: list[tuple[str, int]]) -> None:
    no_music(CONFIG, 0)
    made.clear()
    no_music(CONFIG, 1)
    assert made == [("hum", 2), ("wind", 2)]


def test_all_that_decides_them_has_them_made_anew(
    made: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_music(CONFIG, 0)
    # How segments are cut decides nothing.
    no_music(replace(CONFIG, segment_seconds=5.0), 0)
    assert len(made) == 4
    changes = {"n_mels": 64, "n_fft": 1024, "hop_length": 700, "fmin": 60.0, "fmax": 8000.0, "sample_rate": 24_000}
    for n_times, (name, value) in enumerate(changes.items(), start=2):
        no_music(replace(CONFIG, **{name: value}), 0)
        assert len(made) == 4 * n_times, name
    monkeypatch.setattr(of_sounds, "_SECONDS", 1.5)
    no_music(CONFIG, 0)
    assert len(made) == 4 * 8
    # Another hand in the code that makes them.
    changed = tmp_path / "negatives.py"
    changed.write_bytes(Path(negatives.__file__).read_bytes() + b"# louder\n")
    monkeypatch.setattr(negatives, "__file__", str(changed))
    of_sounds._maker.cache_clear()
    no_music(CONFIG, 0)
    of_sounds._maker.cache_clear()
    assert len(made) == 4 * 9


def test_a_damaged_store_is_made_anew(made: list[tuple[str, int]]) -> None:
    first = no_music(CONFIG, 0)
    store_path().write_bytes(b"SQLite format 3\0" + b"damage" * 1000)
    for _ in range(2):
        for one, again in zip(first, no_music(CONFIG, 0), strict=True):
            np.testing.assert_array_equal(one, again)
    assert len(made) == 8


def test_where_nothing_can_be_kept_they_are_there_all_the_same(
    made: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = no_music(CONFIG, 0)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GENRESCOPE_MADE", str(tmp_path / "file"))
    for one, again in zip(first, no_music(CONFIG, 0), strict=True):
        np.testing.assert_array_equal(one, again)
    assert len(made) == 8


@pytest.mark.usefixtures("made")
def test_they_are_counted_cleared_and_held_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    no_music(CONFIG, 0)
    no_music(CONFIG, 50)
    before = kept.kept(MACHINE).features
    assert before > 8 * 24 * 128
    monkeypatch.setattr(kept, "MAX_MADE_BYTES", before - 1)
    kept.trim(MACHINE)
    assert store_path().is_file()
    monkeypatch.setattr(kept, "MAX_MADE_BYTES", 6 * 24 * 128)
    kept.trim(MACHINE)
    assert kept.kept(MACHINE).features < before
    no_music(CONFIG, 0)
    kept.clear("features", owner=MACHINE)
    assert kept.kept(MACHINE).features < 50_000
