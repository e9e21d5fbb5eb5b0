"""A stretch of music put together from notes and sounds.

A note is rendered once and mixed in wherever it recurs, so that 30 s of music take a fraction of a second.
"""

from __future__ import annotations

import numpy as np

from crnn.synthesis import instruments
from crnn.synthesis.instruments import FloatArray, Voice


class Mixer:
    """A stretch of music being put together; notes are rendered once and mixed in many times.

    Args:
        seconds: Length of the piece; what would sound later is cut.
        sample_rate: Hz.
        rng: The source of every random choice.
    """

    def __init__(self, seconds: float, sample_rate: int, rng: np.random.Generator) -> None:
        self.seconds = seconds
        self.sample_rate = sample_rate
        self.rng = rng
        self.samples: FloatArray = np.zeros(round(seconds * sample_rate), dtype=np.float32)
        self._notes: dict[tuple[object, float, float], FloatArray] = {}

    def add(self, sound: FloatArray, at: float, gain: float = 1.0) -> None:
        """Mix `sound` in from `at` seconds on.

        Args:
            sound: Mono, at the mixer's rate; what lies beyond the end is cut off.
            at: Seconds; before 0 or behind the end nothing is mixed in.
            gain: Factor of the amplitude.
        """
        start = round(at * self.sample_rate)
        if start < 0 or start >= len(self.samples):
            return
        end = min(len(self.samples), start + len(sound))
        self.samples[start:end] += np.float32(gain) * sound[: end - start]

    def play(self, voice: Voice, midi: float, at: float, seconds: float, gain: float = 1.0) -> None:
        """Mix in a note of `voice`.

        Args:
            voice: What it is played on.
            midi: Pitch as a MIDI number, 69 being A4; fractions lie between.
            at: Seconds.
            seconds: Length, to a hundredth.
            gain: Factor of the amplitude.
        """
        # Lengths are rounded to a hundredth, so that humanised times still share a note.
        key = (voice, midi, round(seconds, 2))
        if key not in self._notes:
            self._notes[key] = instruments.render(voice, midi, key[2], self.sample_rate, self.rng)
        self.add(self._notes[key], at, gain)

    def pluck(self, midi: float, at: float, seconds: float, gain: float = 1.0, brightness: float = 0.5) -> None:
        """Mix in a plucked string.

        Args:
            midi: Pitch as a MIDI number.
            at: Seconds.
            seconds: Length, to a hundredth.
            gain: Factor of the amplitude.
            brightness: From dull, 0, to bright, 1.
        """
        key = (brightness, midi, round(seconds, 2))
        if key not in self._notes:
            self._notes[key] = instruments.pluck(midi, key[2], self.sample_rate, self.rng, brightness)
        self.add(self._notes[key], at, gain)

    def chord(self, voice: Voice, pitches: list[int], at: float, seconds: float, gain: float = 1.0) -> None:
        """Mix in several notes of `voice` together.

        Args:
            voice: What it is played on.
            pitches: MIDI numbers.
            at: Seconds.
            seconds: Length, to a hundredth.
            gain: Of all of them, whose powers add up to it.
        """
        for midi in pitches:
            self.play(voice, midi, at, seconds, gain / len(pitches) ** 0.5)

    def branch(self) -> Mixer:
        """An empty mixer of the same length, for a part that gets effects of its own."""
        return Mixer(self.seconds, self.sample_rate, self.rng)
