"""The music tagger of Pons & Serra, "MSD_musicnn" (2019), as a Keras model with its published weights.

The weights (ISC licence) are read from the wheel `musicnn-0.1.0-py3-none-any.whl`, which is not installed: its code
asks for TensorFlow 1, and only the checkpoint in it is wanted, which was taught the tags of the Million Song Dataset.
Input is log-mel in the teacher's own scale, axis order `(n_frames, n_mels)`; 62.5 frames a second, 3 s a segment.
"""

import math
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

SAMPLE_RATE: Final = 16_000
N_FFT: Final = 512
HOP_LENGTH: Final = 256
N_MELS: Final = 96
SEGMENT_FRAMES: Final = 187
"""Frames in the 3 s that the teacher was trained on."""
TAGGRAM_HOP_FRAMES: Final = 61
"""What 1 s of hop becomes in the published extractor, so 0.976 s."""

TAGS: Final = (
    "rock,pop,alternative,indie,electronic,female vocalists,dance,00s,alternative rock,jazz,beautiful,metal,chillout,"
    "male vocalists,classic rock,soul,indie rock,Mellow,electronica,80s,folk,90s,chill,instrumental,punk,oldies,blues,"
    "hard rock,ambient,acoustic,experimental,female vocalist,guitar,Hip-Hop,70s,party,country,easy listening,sexy,"
    "catchy,funk,electro,heavy metal,Progressive rock,60s,rnb,indie pop,sad,House,happy"
).split(",")
"""Tags in logit order."""

_NAME: Final = "MSD_musicnn"
_Weights = Mapping[str, npt.NDArray[np.float32]]


def log_mel(samples: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
    """Log-mel spectrogram in the scale that MSD_musicnn was trained on: `log10(1 + 10000 * mel power)`.

    Unlike the project's own log-mel it keeps the absolute level, and ends at 8 kHz.

    Args:
        samples: Mono audio in [-1, 1], shape `(n_samples,)`.
        sample_rate: Of `samples`, in Hz; other rates than 16 kHz are resampled.

    Returns:
        float32 `(n_frames, 96)`, 62.5 frames a second, 0 and above.
    """
    import librosa  # slow to import, and wanted here alone

    samples = resample(samples, sample_rate, SAMPLE_RATE)
    mel = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS)
    # The published extractor goes through float16 here; the taggrams are met in float32 (r > 0.9999 on lossless clips).
    return np.asarray(np.log10(1.0 + 10_000.0 * mel.T), np.float32)


def resample(samples: npt.NDArray[np.float32], sample_rate: int, target_rate: int) -> npt.NDArray[np.float32]:
    """The samples at another rate, through the filter that librosa had by default when the teachers were trained.

    The networks look at the roll-off of that filter just below the Nyquist frequency, in loud music above all: against
    the published taggrams r is 0.9999 with it, 0.997 with soxr HQ, and 0.93 with an ideal low-pass (rock.00000).

    Args:
        samples: Mono audio, shape `(n_samples,)`.
        sample_rate: Of `samples`, in Hz.
        target_rate: In Hz.

    Returns:
        float32 `(ceil(n_samples * target_rate / sample_rate),)`.
    """
    if sample_rate == target_rate:
        return samples
    from scipy import signal  # slow to import

    divisor = math.gcd(sample_rate, target_rate)
    up, down = target_rate // divisor, sample_rate // divisor
    slower = max(up, down)
    # resampy's "kaiser_best": 64 zero crossings, roll-off 0.9475.
    filter_taps = signal.firwin(2 * 64 * slower + 1, 0.9475 / slower, window=("kaiser", 14.77))
    return np.asarray(signal.resample_poly(samples, up, down, window=filter_taps), np.float32)


def segment(log_mel_frames: npt.NDArray[np.float32], hop_frames: int) -> npt.NDArray[np.float32]:
    """Overlapping 3-s segments of a log-mel spectrogram, the first at its first frame, none padded.

    Args:
        log_mel_frames: From `log_mel`, shape `(n_frames, 96)`.
        hop_frames: Frames between the starts of neighbours; the published taggrams use `TAGGRAM_HOP_FRAMES`.

    Returns:
        A read-only view, float32 `(n_segments, 187, 96)`; no segments where the audio is shorter than one.
    """
    if len(log_mel_frames) < SEGMENT_FRAMES:
        return np.empty((0, SEGMENT_FRAMES, N_MELS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(log_mel_frames, SEGMENT_FRAMES, axis=0)
    return windows[::hop_frames].transpose(0, 2, 1)


def load_musicnn(wheel: Path) -> keras.Model:
    """The network with its published weights.

    Args:
        wheel: The file `musicnn-0.1.0-py3-none-any.whl`.

    Returns:
        A model from `(batch, n_frames, 96)` log-mel to a dict of `logits` `(batch, 50)`, before the sigmoid, tags in
        the order of `TAGS`, `penultimate` `(batch, 200)`, and `frames` `(batch, n_frames, 753)`, the features that it
        pools over time.
    """
    weights = _read_checkpoint(wheel)
    model = _build_musicnn()
    for layer in model.layers:
        if layer.weights:
            _set_weights(layer, weights)
    return model


def _read_checkpoint(wheel: Path) -> _Weights:
    """Arrays of the network by their TensorFlow 1 names, optimiser state left out."""
    import tensorflow as tf

    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for member in archive.namelist():
            if member.startswith(f"musicnn/{_NAME}/"):
                archive.extract(member, folder)
        # The files have no stem (".index", ".data-00000-of-00001"), so the prefix ends in a slash.
        reader = tf.compat.v1.train.NewCheckpointReader(f"{folder}/musicnn/{_NAME}/")
        names = [key for key in reader.get_variable_to_shape_map() if "Adam" not in key and "/" in key]
        return {key: np.asarray(reader.get_tensor(key), np.float32) for key in names}


def _set_weights(layer: keras.layers.Layer, weights: _Weights) -> None:
    """Gives a layer the arrays that the checkpoint holds under its name."""
    arrays = []
    for variable in layer.weights:
        array = weights[f"{layer.name}/{variable.name}"]
        # Convolutions over time were stored as 2-D ones whose kernel spans the feature axis: (k, features, 1, filters).
        arrays.append(array[:, :, 0, :] if array.ndim > len(variable.shape) else array)
    layer.set_weights(arrays)


def _convolve(x: Any, index: int, kernel_size: tuple[int, int], n_filters: int, padding: str) -> Any:
    """2-D convolution, ReLU, batch norm, then the maximum over all of frequency."""
    suffix = f"_{index}" if index else ""
    x = keras.layers.Conv2D(n_filters, kernel_size, padding=padding, activation="relu", name=f"conv2d{suffix}")(x)
    x = keras.layers.BatchNormalization(name=f"batch_normalization_{index + 1}")(x)
    return keras.ops.max(x, axis=2)


def _build_musicnn() -> keras.Model:
    """The musicnn architecture; layers bear the names of the checkpoint."""
    inputs = keras.layers.Input((None, N_MELS), name="log_mel")
    x = keras.layers.BatchNormalization(name="batch_normalization")(keras.ops.expand_dims(inputs, -1))
    padded = keras.layers.ZeroPadding2D((3, 0), name="pad_time")(x)
    blocks = [_convolve(padded, i, (7, width), 204, "valid") for i, width in enumerate((38, 67))]
    blocks += [_convolve(x, i, (length, 1), 51, "same") for i, length in ((2, 128), (3, 64), (4, 32))]
    features = [keras.layers.Concatenate(name="front_end")(blocks)]
    for index in (5, 6, 7):
        x = features[-1]
        convolved = keras.layers.Conv1D(64, 7, padding="same", activation="relu", name=f"conv2d_{index}")(x)
        convolved = keras.layers.BatchNormalization(name=f"batch_normalization_{index + 1}")(convolved)
        features.append(convolved if index == 5 else convolved + x)
    frames = keras.layers.Concatenate(name="frames")(features)
    pooled = keras.ops.stack([keras.ops.max(frames, axis=1), keras.ops.mean(frames, axis=1)], axis=-1)
    x = keras.layers.Reshape((2 * 753,), name="pooled")(pooled)
    x = keras.layers.BatchNormalization(name="batch_normalization_9")(x)
    x = keras.layers.Dense(200, activation="relu", name="dense")(x)
    penultimate = keras.layers.BatchNormalization(name="batch_normalization_10")(x)
    logits = keras.layers.Dense(50, name="dense_1")(penultimate)
    return keras.Model(inputs, {"logits": logits, "penultimate": penultimate, "frames": frames}, name=_NAME)
