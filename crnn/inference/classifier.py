"""From sound to answer, on ONNX Runtime.

Segments give a posterior each; their geometric mean is the track's (see `crnn.inference.decision`).
A long file is read in blocks, so memory does not grow with its length. Which verdict they come to is
decided in `crnn.inference.verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from crnn.audio.clip import Clip, Source, check_duration
from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.bundles.companion import COMPANION_NAME
from crnn.errors import BundleError
from crnn.features import log_mel as features
from crnn.inference.decision import in_prediction_set, softmax, track_posterior
from crnn.inference.listening import SEGMENTS_PER_RUN, Answers, FileListening, Listening, Outputs
from crnn.inference.network import open_session
from crnn.inference.remote import Session
from crnn.inference.tagging import (
    music_probability,
    other_probability,
    sigmoid,
    tag_probabilities,
    tag_scores,
)
from crnn.inference.verdict import Verdict, verdict_of
from crnn.onnx_runtime import failures

FloatArray = npt.NDArray[np.float32]


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
class HeardTag:
    """A word for what may be heard beside the genre, with its calibrated probability.

    kind: `genre`, `instrument`, `voice`, `mood` or `sound`.
    is_heard: whether the probability reaches the tag's threshold.
    """

    name: str
    kind: str
    probability: float
    is_heard: bool


@dataclass(frozen=True)
class Prediction:
    """The answer for one sound.

    posterior: the track's, shape `(n_genres,)`, in the order of `genres`; sums to 1.
    genre: the top genre, and only where the verdict names it.
    confidence: the greatest posterior.
    prediction_set: the genres that hold the true one with the bundle's coverage.
    segments: `(start_seconds, end_seconds)` of each input of the model.
    embeddings: `(n_segments, embedding_size)`, the CRNN's penultimate layer.
    music_probability: by the bundle's tags or rejection; 1 where it has neither.
    other_probability: that it is music of none of the genres; 0 where the bundle cannot tell.
    tags: what is heard first, of it genres, then by probability; empty where the bundle knows no tags.
    tag_timeline: probability of each tag in each of `segments`, `(n_segments, n_tags)`, in the order of `tags`.
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
    other_probability: float = 0.0
    tags: tuple[HeardTag, ...] = ()
    tag_timeline: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def is_music(self) -> bool:
        """Whether it is music, of whatever genre: neither silence nor what does not sound like music."""
        return self.verdict.traits.is_music

    def ranked(self) -> list[tuple[str, float]]:
        """Genres with their posteriors, most confident first."""
        order = np.argsort(-self.posterior, kind="stable")
        return [(self.genres[i], float(self.posterior[i])) for i in order]


class Classifier:
    """Answers for one bundle. Safe to share between threads; opens no file later on.

    Args:
        bundle: A loaded bundle.
        n_threads: Threads of the network; 0 takes what the machine has.
        opened: Opens the bundle's network of a file name, if not ONNX Runtime in this process.

    Raises:
        BundleError: The network cannot be opened, or does not fit the bundle's config.
    """

    def __init__(self, bundle: Bundle, *, n_threads: int = 0, opened: Callable[[str], Session] | None = None) -> None:
        self.bundle = bundle
        self.config = bundle.feature_config
        opened = opened or partial(open_session, bundle, n_threads)
        self._session = opened(ONNX_NAME)
        self._companion = opened(COMPANION_NAME) if bundle.companion else None
        # One run at a time: one already uses all cores, and ONNX Runtime never frees the memory of several at once.
        self._turns = ThreadPoolExecutor(1, "network")

    def classify(self, clip: Clip) -> Prediction:
        """The answer for a clip at the bundle's sample rate.

        Raises:
            AudioError: The samples cannot be used.
            ClipTooShortError: The clip is shorter than a second.
        """
        if clip.sample_rate != self.config.sample_rate:
            raise ValueError(f"clip at {clip.sample_rate} Hz, the model needs {self.config.sample_rate} Hz")
        check_duration(clip.duration_seconds, clip.name)
        heard = self.listen()
        heard.push(clip.samples)
        return self._answer(heard.outputs(), clip.duration_seconds, clip.notes)

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
        with FileListening(self, source, name) as listening:
            while listening.step():
                if on_progress is not None:
                    on_progress(listening.seconds)
            return listening.answer()

    def classify_log_mel(self, log_mel: FloatArray) -> Prediction:
        """The answer for a track of a log-mel archive.

        Args:
            log_mel: dB, shape `(n_frames, n_mels)`, relative to any one reference, as
                `crnn.features.archive.to_db` gives them with this model's `config`.
        """
        segments = features.input_from_db(features.stack_segments(log_mel, self.config), self.config)
        return self.decide(self.run_all(segments), len(log_mel), self.ending_of(log_mel))

    def ending_of(self, log_mel: FloatArray) -> list[Answers]:
        """What the network says of a short track with silence after it, where the rule for music asks: one, or none.

        Args:
            log_mel: As of `classify_log_mel`.
        """
        if not self._hears_ending or len(log_mel) >= self.config.n_frames:
            return []
        once = features.input_from_db(log_mel, self.config)
        return [self.run_all(features.with_silence_after(once, self.config)[np.newaxis])]

    def decide(self, answers: Answers, n_frames: int, ending: Sequence[Answers] = ()) -> Prediction:
        """The answer for a track, of whose segments it is known what the network says.

        Args:
            answers: As `run_all` gives them for the track's segments.
            n_frames: Of the track.
            ending: As `ending_of` gives it.
        """
        starts = features.segment_starts(n_frames, self.config)
        lengths = [min(n_frames, self.config.n_frames)] * len(starts)
        outputs = Outputs(starts, lengths, [False] * len(starts), [answers], ending=list(ending))
        return self._answer(outputs, n_frames / self.config.frame_rate_hz, ())

    def run(self, segments: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits `(n, n_genres)` and embeddings `(n, embedding_size)` of log-mel segments.

        Args:
            segments: As `features.network_input` gives them, shape `(n, n_frames, n_mels)`.
        """
        answers = self.run_all(segments)
        return answers.logits, answers.embeddings

    def run_all(self, segments: FloatArray) -> Answers:
        """All that the network says of segments, as `run` takes them."""
        batches = (segments[i : i + SEGMENTS_PER_RUN] for i in range(0, len(segments), SEGMENTS_PER_RUN))
        return Answers(*map(np.concatenate, zip(*(self.begin(batch).result() for batch in batches), strict=True)))

    def begin(self, segments: FloatArray) -> Future[Answers]:
        """What `run_all` says of some few segments, to be waited for: the network runs meanwhile."""
        names = ["logits", "embedding", *(["tags"] if self.bundle.tagging else [])]
        return self._turns.submit(self._run, self._session, names, segments)

    def begin_companion(self, segments: FloatArray) -> Future[Answers]:
        """What the second network says of segments of its own features; of it only the logits are used."""
        assert self._companion is not None
        return self._turns.submit(self._run, self._companion, ["logits"], segments)

    def _run(self, session: Session, names: list[str], segments: FloatArray) -> Answers:
        inputs = {session.get_inputs()[0].name: segments.astype(np.float32, copy=False)}
        try:
            found = [np.asarray(part) for part in session.run(names, inputs)]
        except BundleError:
            raise
        except failures() as err:
            raise BundleError(f"The network of the model “{self.bundle.name}” fails on this sound.") from err
        if not all(np.isfinite(part).all() for part in found):
            raise BundleError(f"The network of the model “{self.bundle.name}” gives values that are not numbers.")
        nothing = np.zeros((len(segments), 0), np.float32)
        return Answers(*found, *[nothing] * (len(Answers._fields) - len(found)))

    def listen(self) -> Listening:
        """What takes in blocks of sound for `answer`."""
        companion = self.bundle.companion
        if companion is None:
            return Listening(self.config, self.begin, hears_ending=self._hears_ending)
        second = Listening(companion.feature_config, self.begin_companion, stride=companion.stride)
        return Listening(self.config, self.begin, (second, companion.weight), hears_ending=self._hears_ending)

    @property
    def _hears_ending(self) -> bool:
        tagging = self.bundle.tagging
        return tagging is not None and tagging.music is not None and tagging.music.hears_ending

    def answer(
        self, heard: Listening, duration_seconds: float, notes: tuple[str, ...] = (), *, is_open: bool = False
    ) -> Prediction:
        """The answer for what was heard so far, as if the sound ended there; more can be heard after it.

        Args:
            heard: What was given it so far; it is not changed.
            duration_seconds: How much sound that is.
            notes: Facts of the sound, handed on.
            is_open: More will come, and what was heard last counts, however little it is.

        Raises:
            ClipTooShortError: Less than a second.
        """
        check_duration(duration_seconds)
        return self._answer(heard.outputs(is_open=is_open), duration_seconds, notes)

    def _answer(self, outputs: Outputs, duration_seconds: float, notes: tuple[str, ...]) -> Prediction:
        genres, calibration = self.bundle.genres, self.bundle.calibration
        silent = np.array(outputs.silent)
        logits, embeddings, tag_logits = (np.concatenate(part) for part in zip(*outputs.answers, strict=True))
        # Silence says nothing: equal logits.
        logits[silent] = 0.0
        posteriors = softmax(logits, calibration.temperature)
        is_heard = ~silent if not silent.all() else np.ones_like(silent)
        posterior = track_posterior(logits[is_heard], calibration.temperature).astype(np.float32)
        heard = Answers(logits[is_heard], embeddings[is_heard], tag_logits[is_heard])
        # Clicks alone are no music, however sure a network is of their beat.
        is_clicks = bool(outputs.clicks) and bool(np.array(outputs.clicks)[is_heard].all())
        music = self._music_probability(heard, outputs.ending) if not silent.all() and not is_clicks else 0.0
        other = self._other_probability(heard) if not silent.all() else 0.0
        confidence = float(posterior.max())
        verdict = verdict_of(self.bundle, posterior, is_silent=bool(silent.all()), music=music, other=other)
        tags, tag_timeline = self._tags(heard, tag_logits, silent)
        segments, timeline = self._timeline(outputs, posteriors, silent, duration_seconds)
        in_set = in_prediction_set(posterior, calibration)
        order = np.argsort(-posterior, kind="stable")
        return Prediction(
            genres=genres,
            posterior=posterior,
            verdict=verdict,
            genre=genres[int(posterior.argmax())] if verdict.traits.names_genre else None,
            confidence=confidence,
            prediction_set=tuple(genres[i] for i in order if in_set[i]),
            timeline=timeline,
            segments=segments,
            embeddings=embeddings,
            music_probability=music,
            duration_seconds=duration_seconds,
            notes=notes,
            other_probability=other,
            tags=tags,
            tag_timeline=tag_timeline,
        )

    def _music_probability(self, heard: Answers, ending: list[Answers]) -> float:
        tagging, rejection = self.bundle.tagging, self.bundle.rejection
        if tagging is not None and tagging.music is not None:
            tags = [heard.tags, *(answers.tags for answers in ending)]
            return music_probability(np.concatenate(tags), tagging.music)
        if rejection is None:
            return 1.0
        scores = heard.embeddings @ np.asarray(rejection.weights, dtype=np.float32) + rejection.bias
        return float(sigmoid(scores).mean())

    def _other_probability(self, heard: Answers) -> float:
        tagging = self.bundle.tagging
        if tagging is None or tagging.other is None:
            return 0.0
        return other_probability(heard, self.bundle.calibration.temperature, tagging.other)

    def _tags(
        self, heard: Answers, tag_logits: FloatArray, silent: npt.NDArray[np.bool_]
    ) -> tuple[tuple[HeardTag, ...], npt.NDArray[np.float64]]:
        """Tags of the sound and their probability in each segment; in silence nothing is.

        What is heard comes first, of it genres, and of these the most probable.
        """
        tagging = self.bundle.tagging
        if tagging is None or silent.all():
            return (), np.zeros((len(tag_logits), 0))
        of_sound = tag_probabilities(tag_scores(heard.tags, tagging).mean(axis=0), tagging)
        of_segments = tag_probabilities(tag_scores(tag_logits, tagging), tagging)
        of_segments[silent] = 0.0
        tags = [
            HeardTag(tag.name, tag.kind, float(p), bool(p >= tag.threshold))
            for tag, p in zip(tagging.tags, of_sound, strict=True)
        ]

        def place(i: int) -> tuple[bool, bool, float]:
            return not tags[i].is_heard, not (tags[i].is_heard and tags[i].kind == "genre"), -tags[i].probability

        order = sorted(range(len(tags)), key=place)
        return tuple(tags[i] for i in order), of_segments[:, order]

    def _timeline(
        self, outputs: Outputs, posteriors: FloatArray, silent: npt.NDArray[np.bool_], duration_seconds: float
    ) -> tuple[tuple[tuple[float, float], ...], tuple[Cell, ...]]:
        rate = self.config.frame_rate_hz
        starts = np.array(outputs.starts) / rate
        ends = np.minimum(starts + np.array(outputs.lengths) / rate, duration_seconds)
        centres = (starts + ends) / 2
        # The timeline begins with the first segment that is still kept.
        edges = np.concatenate([starts[:1], (centres[1:] + centres[:-1]) / 2, [duration_seconds]])
        cells = tuple(
            Cell(float(edges[i]), float(edges[i + 1]), posteriors[i], bool(silent[i]), i)
            for i in range(len(posteriors))
        )
        return tuple(zip(starts.tolist(), ends.tolist(), strict=True)), cells
