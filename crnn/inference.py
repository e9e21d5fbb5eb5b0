"""From sound to answer, on ONNX Runtime.

Segments give a posterior each; their geometric mean is the track's (see `crnn.evaluation.track_posteriors`).
A long file is read in blocks, so memory does not grow with its length. The rule
for each verdict: `silence` by level, `not_music` by the bundle's rejection,
`unsure` by its threshold on the confidence, else `genre`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.audio import SILENCE_DB, AudioStream, Clip, Source, check_duration
from crnn.bundle import ONNX_NAME, Bundle
from crnn.errors import BundleError

if TYPE_CHECKING:
    import onnxruntime

FloatArray = npt.NDArray[np.float32]
Verdict = Literal["genre", "unsure", "not_music", "silence"]

# A greater batch is no faster on a CPU and takes 18 MB a segment: 152 MB in all with 4, 378 MB with 16.
_SEGMENTS_PER_RUN = 4


@dataclass(frozen=True)
class Cell:
    """A stretch of the timeline, answered by the segment whose centre is nearest.

    Cells follow each other without gap; `posterior` has the shape `(n_genres,)` and
    is uniform where `is_silent`. `segment` is the index into `Prediction.segments`.
    """

    start_seconds: float
    end_seconds: float
    posterior: FloatArray
    is_silent: bool
    segment: int


@dataclass(frozen=True)
class Prediction:
    """The answer for one sound.

    posterior: the track's, shape `(n_genres,)`, in the order of `genres`; sums to 1.
    genre: the top genre, and only where the verdict is `genre`.
    confidence: the greatest posterior.
    prediction_set: the genres that hold the true one with the bundle's coverage.
    segments: `(start_seconds, end_seconds)` of each input of the model.
    embeddings: `(n_segments, embedding_size)`, the CRNN's penultimate layer.
    music_probability: by the bundle's rejection; 1 where it has none.
    """

    genres: tuple[str, ...]
    posterior: FloatArray
    verdict: Verdict
    genre: str | None
    confidence: float
    prediction_set: tuple[str, ...]
    timeline: tuple[Cell, ...]
    segments: tuple[tuple[float, float], ...]
    embeddings: FloatArray
    music_probability: float
    duration_seconds: float
    notes: tuple[str, ...] = ()

    def ranked(self) -> list[tuple[str, float]]:
        """Genres with their posteriors, most confident first."""
        order = np.argsort(-self.posterior, kind="stable")
        return [(self.genres[i], float(self.posterior[i])) for i in order]


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> FloatArray:
    """Posteriors of logits over the last axis, float32, each row summing to 1."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


@dataclass
class _Outputs:
    """What the network said of the segments so far."""

    starts: list[int]
    lengths: list[int]
    silent: list[bool]
    logits: list[FloatArray]
    embeddings: list[FloatArray]


class _SegmentCutter:
    """Cuts frames that arrive in blocks as `features.stack_segments` cuts the whole."""

    def __init__(self, n_frames: int, n_hop_frames: int) -> None:
        self._n_frames, self._n_hop = n_frames, n_hop_frames
        self._buffer: FloatArray | None = None
        self._offset = 0
        self._next = 0
        self.n_total = 0

    def push(self, frames: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        self._buffer = frames if self._buffer is None else np.concatenate([self._buffer, frames])
        self.n_total += len(frames)
        while self._next + self._n_frames <= self.n_total:
            at = self._next - self._offset
            yield self._next, self._buffer[at : at + self._n_frames]
            self._next += self._n_hop
        # The last segment is counted back from the end, so a segment's worth is kept.
        keep_from = min(self._next, max(0, self.n_total - self._n_frames))
        self._buffer = self._buffer[keep_from - self._offset :]
        self._offset = keep_from

    def finish(self) -> Iterator[tuple[int, FloatArray]]:
        last = max(0, self.n_total - self._n_frames)
        done_up_to = self._next - self._n_hop
        if self._buffer is not None and len(self._buffer) and last > done_up_to:
            yield last, self._buffer[last - self._offset :]


class Classifier:
    """Answers for one bundle. Safe to share between threads; opens no file later on.

    Args:
        bundle: A loaded bundle.
        n_threads: Threads of the network; 0 takes what the machine has.

    Raises:
        BundleError: The network cannot be opened, or does not fit the bundle's config.
    """

    def __init__(self, bundle: Bundle, *, n_threads: int = 0) -> None:
        self.bundle = bundle
        self.config = bundle.feature_config
        self._session = _open_session(bundle, n_threads)

    def classify(self, clip: Clip) -> Prediction:
        """The answer for a clip at the bundle's sample rate.

        Raises:
            AudioError: The samples cannot be used.
            ClipTooShortError: The clip is shorter than a second.
        """
        if clip.sample_rate != self.config.sample_rate:
            raise ValueError(f"clip at {clip.sample_rate} Hz, the model needs {self.config.sample_rate} Hz")
        check_duration(clip.duration_seconds, clip.name)
        outputs = self._run_blocks([clip.samples])
        return self._answer(outputs, clip.duration_seconds, clip.notes)

    def classify_file(
        self, source: Source, *, name: str = "", on_progress: Callable[[float], None] | None = None
    ) -> Prediction:
        """The answer for a file of any length, read in blocks.

        Args:
            source: A path, or the bytes of a file.
            name: What to call it in messages.
            on_progress: Called with the seconds read so far.

        Raises:
            AudioError: The file cannot be used.
        """
        with AudioStream(source, self.config.sample_rate, name) as stream:
            outputs = self._run_blocks(_reporting(stream, on_progress))
            return self._answer(outputs, stream.duration_seconds, stream.notes)

    def classify_log_mel(self, log_mel: FloatArray) -> Prediction:
        """The answer for a track of a log-mel archive.

        Args:
            log_mel: dB, shape `(n_frames, n_mels)`, relative to any one reference.
        """
        segments = features.rereference(features.stack_segments(log_mel, self.config), self.config)
        starts = features.segment_starts(len(log_mel), self.config)
        logits, embeddings = self.run(segments)
        n_segments = len(starts)
        outputs = _Outputs(starts, [segments.shape[1]] * n_segments, [False] * n_segments, [logits], [embeddings])
        return self._answer(outputs, len(log_mel) / self.config.frame_rate_hz, ())

    def run(self, segments: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits `(n, n_genres)` and embeddings `(n, embedding_size)` of log-mel segments.

        Args:
            segments: dB re each segment's loudest cell, shape `(n, n_frames, n_mels)`.
        """
        batches = [segments[i : i + _SEGMENTS_PER_RUN] for i in range(0, len(segments), _SEGMENTS_PER_RUN)]
        name = self._session.get_inputs()[0].name
        try:
            results = [
                self._session.run(["logits", "embedding"], {name: batch.astype(np.float32, copy=False)})
                for batch in batches
            ]
        except Exception as err:  # onnxruntime's errors share no base class
            raise BundleError(f"The network of the model “{self.bundle.name}” fails on this sound.") from err
        logits = np.concatenate([np.asarray(result[0]) for result in results])
        embeddings = np.concatenate([np.asarray(result[1]) for result in results])
        if not np.isfinite(logits).all() or not np.isfinite(embeddings).all():
            raise BundleError(f"The network of the model “{self.bundle.name}” gives values that are not numbers.")
        return cast(FloatArray, logits), cast(FloatArray, embeddings)

    def _run_blocks(self, blocks: Iterable[FloatArray]) -> _Outputs:
        mel_stream = features.MelStream(self.config)
        cutter = _SegmentCutter(self.config.n_frames, self.config.n_hop_frames)
        outputs = _Outputs([], [], [], [], [])
        waiting: list[FloatArray] = []

        def take(cut: Iterable[tuple[int, FloatArray]]) -> None:
            for start, power in cut:
                outputs.starts.append(start)
                outputs.lengths.append(len(power))
                loudest = float(features.frame_levels_db(power, self.config).max())
                outputs.silent.append(loudest < SILENCE_DB)
                waiting.append(features.power_to_db(power, self.config))
                if len(waiting) == _SEGMENTS_PER_RUN:
                    self._flush(waiting, outputs)

        for block in blocks:
            take(cutter.push(mel_stream.push(block)))
        take(cutter.push(mel_stream.finish()))
        take(cutter.finish())
        self._flush(waiting, outputs)
        return outputs

    def _flush(self, waiting: list[FloatArray], outputs: _Outputs) -> None:
        if waiting:
            logits, embeddings = self.run(np.stack(waiting))
            outputs.logits.append(logits)
            outputs.embeddings.append(embeddings)
            waiting.clear()

    def _answer(self, outputs: _Outputs, duration_seconds: float, notes: tuple[str, ...]) -> Prediction:
        genres, calibration = self.bundle.genres, self.bundle.calibration
        silent = np.array(outputs.silent)
        logits = np.concatenate(outputs.logits)
        # Silence says nothing: equal logits.
        logits[silent] = 0.0
        posteriors = softmax(logits, calibration.temperature)
        heard = logits[~silent] if not silent.all() else logits
        posterior = softmax(heard.mean(axis=0, dtype=np.float64), calibration.temperature)
        embeddings = np.concatenate(outputs.embeddings)
        music = self._music_probability(embeddings[~silent]) if not silent.all() else 0.0
        confidence = float(posterior.max())
        verdict = self._verdict(silent, music, confidence)
        segments, timeline = self._timeline(outputs, posteriors, silent, duration_seconds)
        in_set = posterior >= min(calibration.set_threshold, confidence)
        order = np.argsort(-posterior, kind="stable")
        return Prediction(
            genres=genres,
            posterior=posterior,
            verdict=verdict,
            genre=genres[int(posterior.argmax())] if verdict == "genre" else None,
            confidence=confidence,
            prediction_set=tuple(genres[i] for i in order if in_set[i]),
            timeline=timeline,
            segments=segments,
            embeddings=embeddings,
            music_probability=music,
            duration_seconds=duration_seconds,
            notes=notes,
        )

    def _music_probability(self, embeddings: FloatArray) -> float:
        rejection = self.bundle.rejection
        if rejection is None:
            return 1.0
        scores = embeddings @ np.asarray(rejection.weights, dtype=np.float32) + rejection.bias
        return float((1.0 / (1.0 + np.exp(-np.clip(scores, -60, 60)))).mean())

    def _verdict(self, silent: npt.NDArray[np.bool_], music: float, confidence: float) -> Verdict:
        rejection = self.bundle.rejection
        if silent.all():
            return "silence"
        if rejection is not None and music < rejection.threshold:
            return "not_music"
        return "unsure" if confidence < self.bundle.calibration.unsure_below else "genre"

    def _timeline(
        self, outputs: _Outputs, posteriors: FloatArray, silent: npt.NDArray[np.bool_], duration_seconds: float
    ) -> tuple[tuple[tuple[float, float], ...], tuple[Cell, ...]]:
        rate = self.config.frame_rate_hz
        starts = np.array(outputs.starts) / rate
        ends = np.minimum(starts + np.array(outputs.lengths) / rate, duration_seconds)
        centres = (starts + ends) / 2
        edges = np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [duration_seconds]])
        cells = tuple(
            Cell(float(edges[i]), float(edges[i + 1]), posteriors[i], bool(silent[i]), i)
            for i in range(len(posteriors))
        )
        return tuple(zip(starts.tolist(), ends.tolist(), strict=True)), cells


def _reporting(stream: AudioStream, on_progress: Callable[[float], None] | None) -> Iterator[FloatArray]:
    for block in stream:
        if on_progress is not None:
            on_progress(stream.duration_seconds)
        yield block
    # Here, because the network need not bear less than a second.
    check_duration(stream.duration_seconds, stream.name)


def _open_session(bundle: Bundle, n_threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A network may keep its weights in other files: of its own folder, not of the one that the app is run from.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(bundle.path))
    try:
        session = onnxruntime.InferenceSession(
            bundle.file(ONNX_NAME).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as err:  # onnxruntime's errors share no base class
        raise BundleError(f"The network of the model “{bundle.name}” cannot be opened.") from err
    faces = {face.name: face.shape for face in (*session.get_inputs(), *session.get_outputs())}
    inputs = [face.shape for face in session.get_inputs() if face.type == "tensor(float)"]
    fits = (
        [shape[2:] for shape in inputs] == [[bundle.feature_config.n_mels]]
        and len(faces) == 1 + len(session.get_outputs())
        and faces.get("logits", [])[1:] == [len(bundle.genres)]
        and faces.get("embedding", [])[1:] == [bundle.embedding_size]
    )
    if not fits:
        raise BundleError(f"The network of the model “{bundle.name}” does not fit its description ({faces}).")
    return session
