"""A student's timbral front end that starts from the weights of MSD_musicnn.

The teacher reads 96 mels to 8 kHz at 62.5 frames a second, the student 128 to 11 kHz at
24. Each kernel is carried over so that it answers on the student's grid as it would on
the student's picture interpolated to the teacher's: the transpose of linear interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.config import FeatureConfig
from crnn.teachers import musicnn

FloatArray = npt.NDArray[np.float64]

# Student layer: teacher's convolution and the batch norm that follows it.
_CONVOLUTIONS: Mapping[str, tuple[str, str]] = {
    "vertical1": ("conv2d", "batch_normalization_1"),
    "vertical2": ("conv2d_1", "batch_normalization_2"),
    "horizontal1": ("conv2d_2", "batch_normalization_3"),
    "horizontal2": ("conv2d_3", "batch_normalization_4"),
    "horizontal3": ("conv2d_4", "batch_normalization_5"),
    "middle1": ("conv2d_5", "batch_normalization_6"),
    "middle2": ("conv2d_6", "batch_normalization_7"),
    "middle3": ("conv2d_7", "batch_normalization_8"),
}

# The loudest cell of music lies about here in dB of this project's mel power (the median of
# 179 tracks), and the teacher's shorter window sees some 9 dB less of the same sound.
_LOUDEST_CELL_DB = 28.3
_WINDOW_DB = 9.0


def transplant(student: keras.Model, teacher: keras.Model, config: FeatureConfig) -> None:
    """Give a student with a timbral front end the teacher's kernels, norms and dense layer.

    Args:
        student: Made by `crnn.model.build_crnn`; the embedding of its timbral front end is as wide as the teacher's
            dense layer.
        teacher: From `crnn.teachers.musicnn.load_musicnn`.
        config: The student's features.
    """
    taught = {layer.name: layer.get_weights() for layer in teacher.layers}
    for name, (convolution, norm) in _CONVOLUTIONS.items():
        kernel, bias = taught[convolution]
        over_time_alone = kernel.ndim == 3
        layer = student.get_layer(name)
        n_frames, n_mels = (layer.kernel_size[0], 1) if over_time_alone else (layer.span_frames, layer.span_mels)
        resampled = _resample_kernel(kernel[:, None] if over_time_alone else kernel, n_frames, n_mels, config)
        resampled = (resampled[:, 0] if over_time_alone else resampled).astype(np.float32)
        layer.set_weights([resampled, bias])
        _set_norm(student.get_layer(f"{name}_norm"), taught[norm], positive=not over_time_alone)
    per_band = [np.repeat(values, config.n_mels) for values in _in_nepers(taught["batch_normalization"])]
    _set_norm(student.get_layer("input_norm"), per_band, positive=False)
    _set_dense(student, taught)


def band_offset_db() -> float:
    """dB re the loudest cell at which the teacher's `1 + 10000 · power` is 2."""
    return -40.0 - (_LOUDEST_CELL_DB - _WINDOW_DB)


def _in_nepers(norm: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    # The student's softplus gives natural logarithms, the teacher saw decimal ones.
    gamma, beta, mean, variance = norm
    scale = np.log(10.0)
    return [gamma, beta, mean * scale, variance * scale**2]


def _interpolation(positions: FloatArray, n_taps: int) -> FloatArray:
    """Linear weights `(len(positions), n_taps)` of taps 0 … n_taps − 1 for values at `positions`."""
    at = np.clip(positions, 0, n_taps - 1)
    return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(n_taps)[None, :]))


def _resample_kernel(kernel: npt.NDArray[np.float32], n_frames: int, n_mels: int, config: FeatureConfig) -> FloatArray:
    frame_ratio = config.frame_rate_hz * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
    frames: FloatArray = (np.arange(kernel.shape[0]) - (kernel.shape[0] - 1) / 2) * frame_ratio + (n_frames - 1) / 2
    by_time: FloatArray = np.einsum("tkcf,ta->akcf", kernel.astype(np.float64), _interpolation(frames, n_frames))
    if kernel.shape[1] == 1:
        return by_time
    teacher_step = features.hz_to_mel(musicnn.SAMPLE_RATE / 2) / (musicnn.N_MELS + 1)
    student_step = features.hz_to_mel(config.fmax) / (config.n_mels + 1)
    taps = np.arange(kernel.shape[1]) - (kernel.shape[1] - 1) / 2
    mels: FloatArray = taps * float(teacher_step / student_step) + (n_mels - 1) / 2
    by_mel: FloatArray = np.einsum("akcf,kb->abcf", by_time, _interpolation(mels, n_mels))
    return by_mel


def _set_norm(layer: keras.layers.Layer, weights: list[npt.NDArray[np.float32]], *, positive: bool) -> None:
    gamma, *rest = weights
    # Pooling comes before the norm here, which is the same only for scales that are not negative.
    layer.set_weights([np.maximum(gamma, 0) if positive else gamma, *rest])
    layer.epsilon = 1e-3


def _set_dense(student: keras.Model, taught: Mapping[str, list[npt.NDArray[np.float32]]]) -> None:
    # The teacher interleaves (max, mean) of each feature, the student has all maxima, then all means.
    n_features = len(taught["dense"][0]) // 2
    order = np.concatenate([np.arange(0, 2 * n_features, 2), np.arange(1, 2 * n_features, 2)])
    norm = student.get_layer("pooled_norm")
    values = norm.get_weights()
    for value, known in zip(values, taught["batch_normalization_9"], strict=True):
        value[: 2 * n_features] = known[order]
    norm.set_weights(values)
    names = {layer.name for layer in student.layers}
    dense = student.get_layer("timbral_embedding" if "timbral_embedding" in names else "embedding")
    kernel, _ = dense.get_weights()
    kernel[: 2 * n_features] = taught["dense"][0][order]
    kernel[2 * n_features :] *= 0.1
    dense.set_weights([kernel, taught["dense"][1]])
