"""The music tagger of Choi et al., "Convolutional recurrent neural networks for music classification" (2017), in Keras.

Trained on the tags of the Million Song Dataset; weights (MIT licence) from github keunwoochoi/music-auto_tagging-keras,
a Keras 1 file `choi-crnn-msd.h5`. It sees 29 s at once, so it knows what the 3-s windows of musicnn don't.
Axis order follows the project, `(n_frames, n_mels)`; the network itself turns it to mels first, as it was trained.
"""

from pathlib import Path
from typing import Any, Final

import h5py
import keras
import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import log_mel as features
from recipes.teachers.musicnn import TAGS, resample

SAMPLE_RATE: Final = 12_000
N_FFT: Final = 512
HOP_LENGTH: Final = 256
N_MELS: Final = 96
N_FRAMES: Final = 1366
"""29.12 s, the one length that the network takes."""
DEPTH_DB: Final = 80.0
"""What lies further below the loudest cell is cut; dB of the power squared."""
N_STEPS: Final = 15
STEP_SIZE: Final = 128
CHOI_TAGS: Final = TAGS
"""The same fifty tags as musicnn's, in the same order."""

_EPSILON: Final = 1e-6
PADDING_FRAMES: Final = 37
_FRAMES_PER_STEP: Final = 96
BLOCKS: Final = ((64, 2), (128, 3), (128, 4), (128, 4))
"""Filters and pool size of each convolution block."""


def log_mel(samples: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
    """Log-mel spectrogram of the middle 29.12 s, in the scale that the network was trained on.

    That is dB of the mel power SQUARED (the authors took the power for an amplitude), 80 dB deep, then standardised.
    The published code leaves the last step out, but the statistics in the weights file (mean 0 and deviation 1 before
    the first layer) tell of it: with it the moments after each convolution agree with the stored ones, without it
    they are off by hundreds and the tags are noise. Level does not matter, therefore.

    Args:
        samples: Mono audio in [-1, 1], shape `(n_samples,)`; less than 29.12 s is padded at the end with zeros.
        sample_rate: Of `samples`, in Hz; other rates than 12 kHz are resampled.

    Returns:
        float32 `(1366, 96)`, of mean 0 and standard deviation 1; all zero where the audio is silent.
    """
    import librosa  # slow to import, and wanted here alone

    samples = resample(samples, sample_rate, SAMPLE_RATE)
    length = N_FRAMES * HOP_LENGTH - 1  # centred frames: one sample less gives exactly N_FRAMES
    start = max(0, (len(samples) - length) // 2)
    samples = librosa.util.fix_length(samples[start : start + length], size=length)
    mel = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS)
    return standardise(librosa.power_to_db(mel**2, top_db=DEPTH_DB).T)


def from_archive(
    decibels: npt.NDArray[np.float32], column_seconds: npt.NDArray[np.floating], config: FeatureConfig
) -> npt.NDArray[np.float32]:
    """The network's input from this project's own log-mel, for tracks whose sound is not at hand.

    Interpolated linearly in time and mel. Against the input from audio the logits correlate at 0.81
    (178 tracks), since neither the level nor the finer frames can be had again.

    Args:
        decibels: A track of about 30 s, `(n_columns, config.n_mels)`.
        column_seconds: Time of each column, `(n_columns,)`.
        config: What the log-mel was made with.

    Returns:
        As `log_mel`.
    """
    bands = band_weights(config)
    end_seconds = float(column_seconds[-1])
    seconds = np.arange(N_FRAMES) * HOP_LENGTH / SAMPLE_RATE + (end_seconds - N_FRAMES * HOP_LENGTH / SAMPLE_RATE) / 2
    columns = _weights(np.interp(seconds, column_seconds, np.arange(len(decibels))), len(decibels))
    # dB of power squared are twice the dB.
    picture = columns @ (2.0 * decibels) @ bands.T
    return standardise(np.maximum(picture, picture.max() - DEPTH_DB).astype(np.float32))


def band_weights(config: FeatureConfig) -> npt.NDArray[np.float32]:
    """Matrix `(96, config.n_mels)` that interpolates the network's bands between those of this project's log-mel."""
    ours_hz = features.mel_frequencies(config)
    theirs_hz = features.mel_to_hz(np.linspace(0, float(features.hz_to_mel(SAMPLE_RATE / 2)), N_MELS + 2))[1:-1]
    return _weights(np.interp(theirs_hz, ours_hz, np.arange(config.n_mels)), config.n_mels)


def _weights(positions: npt.NDArray[np.float64], n_values: int) -> npt.NDArray[np.float32]:
    """Matrix `(len(positions), n_values)` of linear interpolation."""
    return np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(n_values))).astype(np.float32)


def standardise(decibels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A spectrogram less its mean, over its standard deviation; zeros where it is constant."""
    deviation = max(float(decibels.std()), 1e-6)
    return np.asarray((decibels - decibels.mean()) / deviation, np.float32)


def load_choi(path: Path) -> keras.Model:
    """The network with its published weights.

    Args:
        path: The Keras 1 weights file `choi-crnn-msd.h5`.

    Returns:
        A model from `(batch, 1366, 96)` log-mel to a dict of `logits` `(batch, 50)`, before the sigmoid, tags in the
        order of `CHOI_TAGS`, `penultimate` `(batch, 32)`, the last state of the second GRU, and `steps`
        `(batch, 15, 128)`, what the convolutions hear in each 2.05 s (`step_seconds` tells when).
    """
    model = _build_choi()
    with h5py.File(path) as file:
        for layer in model.layers:
            if layer.weights:
                arrays = {key: np.asarray(value, np.float32) for key, value in file[_keras_1_name(layer.name)].items()}
                layer.set_weights(_convert(layer, arrays))
    return model


def _keras_1_name(name: str) -> str:
    return "bn_0_freq" if name == "bn0" else name


def _convert(layer: keras.layers.Layer, arrays: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """Keras 1 arrays of one layer in the order and layout of Keras 3."""
    prefix = f"{_keras_1_name(layer.name)}_"
    by_kind = {key.removesuffix(":0").removesuffix("_1").removeprefix(prefix): a for key, a in arrays.items()}
    if isinstance(layer, keras.layers.BatchNormalization):
        # A true standard deviation, as the first releases of Keras 1 kept it: that of the always-zero columns of the
        # padding is 0.001, the root of their epsilon.
        moments = [by_kind[kind] for kind in ("gamma", "beta", "running_mean")]
        return [*moments, by_kind["running_std"] ** 2]
    if isinstance(layer, keras.layers.GRU):
        return [np.concatenate([by_kind[f"{kind}_{gate}"] for gate in "zrh"], axis=-1) for kind in "WUb"]
    if isinstance(layer, keras.layers.Conv2D):
        # (out, in, 3, 3); this file was made for TensorFlow, so the kernels are turned for correlation already.
        return [by_kind["W"].transpose(2, 3, 1, 0), by_kind["b"]]
    return [by_kind["W"], by_kind["b"]]


def step_seconds(step: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """When a step begins, in seconds of the 29.12 s that the network sees; step 0 begins in the padding."""
    columns = np.asarray(step) * _FRAMES_PER_STEP - PADDING_FRAMES
    return np.asarray(columns * HOP_LENGTH / SAMPLE_RATE, np.float64)


def chunk_features(model: keras.Model, n_steps: int) -> keras.Model:
    """The recurrent part of `load_choi`'s network for short chunks, as if nothing had come before.

    Args:
        model: From `load_choi`.
        n_steps: Steps of a chunk.

    Returns:
        A model from `(batch, n_steps, 128)` to `(batch, 114)`: the mean over time of the first GRU, the last state of
        the second, and the tags' logits.
    """
    inputs = keras.layers.Input((n_steps, STEP_SIZE))
    first, second = _gru("gru1", return_sequences=True), _gru("gru2", return_sequences=False)
    states = first(inputs)
    last = second(states)
    dense = keras.layers.Dense(len(CHOI_TAGS), name="output")
    outputs = [keras.layers.GlobalAveragePooling1D()(states), last, dense(last)]
    chunked = keras.Model(inputs, keras.layers.Concatenate()(outputs), name="choi_chunk")
    for layer in (first, second, dense):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return chunked


def _gru(name: str, *, return_sequences: bool) -> keras.layers.GRU:
    return keras.layers.GRU(
        32, return_sequences=return_sequences, recurrent_activation=_hard_sigmoid, reset_after=False, name=name
    )


def _hard_sigmoid(x: Any) -> Any:
    """Keras 1's gate; Keras 3 has the slope 1/6 under the same name."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def _build_choi() -> keras.Model:
    """The architecture; layers bear the names of the weights file."""
    inputs = keras.layers.Input((N_FRAMES, N_MELS), name="log_mel")
    x = keras.layers.ZeroPadding1D(PADDING_FRAMES, name="pad_time")(inputs)
    x = keras.layers.Permute((2, 1), name="mels_first")(x)
    # Its own quirk: one mean and variance per COLUMN of time, not per mel.
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name="bn0")(x)
    x = keras.ops.expand_dims(x, -1)
    for index, (n_filters, pool) in enumerate(BLOCKS, start=1):
        x = keras.layers.Conv2D(n_filters, 3, padding="same", name=f"conv{index}")(x)
        x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"bn{index}")(x)
        x = keras.layers.ELU(name=f"elu{index}")(x)
        x = keras.layers.MaxPooling2D(pool, name=f"pool{index}")(x)
    x = steps = keras.layers.Reshape((N_STEPS, STEP_SIZE), name="steps")(x)
    x = _gru("gru1", return_sequences=True)(x)
    penultimate = _gru("gru2", return_sequences=False)(x)
    logits = keras.layers.Dense(50, name="output")(penultimate)
    outputs = {"logits": logits, "penultimate": penultimate, "steps": steps}
    return keras.Model(inputs, outputs, name="choi_crnn")
