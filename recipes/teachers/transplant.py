"""A student that starts from the weights of its teachers: a timbral front end, and a stack.

MSD_musicnn reads 96 mels to 8 kHz at 62.5 frames a second, the student 128 to 11 kHz at
24. Each kernel is carried over so that it answers on the student's grid as it would on
the student's picture interpolated to the teacher's: the transpose of linear interpolation.
The stack interpolates its picture to (nearly) the grid of the CRNN of Choi et al., whose
kernels then fit as they are, or as the products of lower rank that come closest.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import log_mel
from recipes.teachers import choi, musicnn

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
        student: Made by `crnn.networks.crnn.build_crnn`; the embedding of its timbral front end is as wide as
            the teacher's dense layer.
        teacher: From `recipes.teachers.musicnn.load_musicnn`.
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


def transplant_stack(student: keras.Model, teacher: keras.Model, config: FeatureConfig) -> None:
    """Give the stack of a student the kernels, norms and recurrent layers of the CRNN of Choi et al.

    Args:
        student: Made by `crnn.networks.crnn.build_crnn` with the teacher's number of bands, channels and units.
        teacher: From `recipes.teachers.choi.load_choi`.
        config: The student's features.
    """
    # dB of power squared, 80 dB deep: 40 dB of ours.
    bands = choi.band_weights(config)
    student.get_layer("stack_bands").set_weights([bands.T, np.full(len(bands), 0.5 * choi.DEPTH_DB, np.float32)])
    scale, shift = _mean_affine(teacher.get_layer("bn0"))
    for index in range(1, len(choi.BLOCKS) + 1):
        kernel, bias = teacher.get_layer(f"conv{index}").get_weights()
        if index == 1:
            kernel, bias = scale * kernel, bias + shift * kernel.sum(axis=(0, 1, 2))
        over_time_first = kernel.transpose(1, 0, 2, 3)
        layer = student.get_layer(f"stack_conv{index}")
        if layer.kernel_size == (3, 3):
            layer.set_weights([over_time_first, bias])
        else:
            along_time = student.get_layer(f"stack_conv{index}_time")
            of_time, of_frequency = _factors(over_time_first, along_time.filters)
            along_time.set_weights([of_time])
            layer.set_weights([of_frequency, bias])
        norm = student.get_layer(f"stack_batch_norm{index}")
        norm.set_weights(teacher.get_layer(f"bn{index}").get_weights())
        norm.epsilon = teacher.get_layer(f"bn{index}").epsilon
    for index in (1, 2):
        student.get_layer(f"stack_gru{index}").set_weights(
            _with_keras_3_gates(*teacher.get_layer(f"gru{index}").get_weights())
        )


def _mean_affine(norm: keras.layers.BatchNormalization) -> tuple[float, float]:
    """Scale and shift of a norm per column, averaged over the columns that are not padding."""
    sound = slice(choi.PADDING_FRAMES, choi.PADDING_FRAMES + choi.N_FRAMES)
    gamma, beta, mean, variance = (values[sound].astype(np.float64) for values in norm.get_weights())
    scales = gamma / np.sqrt(variance + norm.epsilon)
    return float(scales.mean()), float((beta - mean * scales).mean())


def _factors(kernel: npt.NDArray[np.float32], rank: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The convolutions along time, then frequency, whose product is closest to `(3, 3, n_in, n_out)`."""
    n_time, n_frequency, n_in, n_out = kernel.shape
    matrix = kernel.transpose(0, 2, 1, 3).reshape(n_time * n_in, n_frequency * n_out).astype(np.float64)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(values[:rank])
    of_time = (left[:, :rank] * root).reshape(n_time, 1, n_in, rank)
    of_frequency = (root[:, None] * right[:rank]).reshape(rank, n_frequency, n_out).transpose(1, 0, 2)[None]
    return of_time.astype(np.float32), of_frequency.astype(np.float32)


def _with_keras_3_gates(*weights: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Weights of a GRU whose gates have the slope 0.2, for Keras 3's slope of 1/6."""
    n_gates = 2 * weights[1].shape[0]
    scale = np.ones(weights[0].shape[-1], np.float32)
    scale[:n_gates] = 0.2 * 6.0
    return [values * scale for values in weights]


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
    teacher_step = log_mel.hz_to_mel(musicnn.SAMPLE_RATE / 2) / (musicnn.N_MELS + 1)
    student_step = log_mel.hz_to_mel(config.fmax) / (config.n_mels + 1)
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
