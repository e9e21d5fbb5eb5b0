"""What a model would say if something were gone: the drums, the bass, the voice; and the answers in words."""

from __future__ import annotations

from crnn.analysis import masking
from crnn.analysis.grids import FloatArray
from crnn.config import FeatureConfig
from crnn.features.log_mel import mel_frequencies
from crnn.inference.classifier import Prediction
from crnn.inference.explanation import BANDS_PER_CELL, Explanation
from crnn.text import clock, hertz, sentence_case

DRUMS, BASS, VOICE = "the drums", "the bass", "the voice band"
PARTS = (DRUMS, BASS, VOICE)
_BANDS_HZ = {BASS: (0.0, 200.0), VOICE: (300.0, 3400.0)}


def without(samples: FloatArray, sample_rate: int, part: str) -> FloatArray:
    """A sound with one of `PARTS` muted: the percussive part, or a band of frequencies.

    Args:
        samples: Mono sound, `(n_samples,)`.
        sample_rate: In Hz.
        part: One of `PARTS`.
    """
    if part == DRUMS:
        return masking.masked(samples, 1 - masking.percussive_share(samples))
    return masking.masked(samples, masking.band_gains(len(samples), sample_rate, *_BANDS_HZ[part]))


def sentence(before: Prediction, after: dict[str, Prediction]) -> str:
    """What the answers would be, those that differ first: “Without the drums it would be rock. …”.

    Args:
        before: The answer with everything there.
        after: The answer without each part, by its name.
    """
    as_it_is = _outcome(before)
    told = [f"Without {part} {_outcome(found)}." for part, found in after.items() if _outcome(found) != as_it_is]
    same = [part for part, found in after.items() if _outcome(found) == as_it_is]
    if same:
        told.append(f"Without {_either(same)} the answer stays the same.")
    return " ".join(told)


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _outcome(prediction: Prediction) -> str:
    return prediction.verdict.traits.outcome.format(top=prediction.ranked()[0][0])


def strongest(found: Explanation, config: FeatureConfig) -> tuple[float, float, float] | None:
    """Middle in seconds, lowest and highest Hz of the cell that speaks most for the genre; None where none does.

    Args:
        found: What spoke for it.
        config: The settings of the model that was asked.
    """
    column, row = divmod(int(found.weights.argmax()), found.weights.shape[1])
    if found.weights[column, row] <= 0:
        return None
    centres = mel_frequencies(config)
    first, last = row * BANDS_PER_CELL, min((row + 1) * BANDS_PER_CELL, config.n_mels) - 1
    seconds = found.start_seconds + (column + 0.5) * found.seconds_per_column
    return seconds, float(centres[first]), float(centres[last])


def strongest_sentence(found: Explanation, config: FeatureConfig) -> str:
    """Where to listen: “Strongest at 1:04.0, from 80 Hz to 200 Hz.”; empty where nothing speaks for the genre.

    Args:
        found: What spoke for it.
        config: The settings of the model that was asked.
    """
    at = strongest(found, config)
    if at is None:
        return ""
    return sentence_case(f"strongest at {clock(at[0])}, from {hertz(at[1])} to {hertz(at[2])}.")
