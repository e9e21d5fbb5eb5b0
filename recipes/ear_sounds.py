"""The sounds that `ten-genres` was made with, by set: where they lie, what they are, how they are read.

DATA is as for tests; DEBIAN has a folder for each package of `PACKAGES`, unpacked:

    apt-get download PACKAGE && dpkg -x PACKAGE_*.deb DEBIAN/PACKAGE

`fluidsynth` plays the solos, `ffmpeg` reads the prompts in GSM form.
"""

from __future__ import annotations

import csv
import itertools
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from crnn.audio.clip import load_clip
from crnn.audio.folders import find_audio_files
from crnn.errors import AudioError
from crnn.synthesis import negatives

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 22_050
MUSIC_PACKAGES = (
    "asc-music freedroidrpg-data hyperrogue-music naev-data nexuiz-music planetblupi-music-ogg singularity-music "
    "supertuxkart-data ufoai-music warzone2100-music wesnoth-1.16-music"
).split()
SPEECH_PACKAGES = (
    "asterisk-core-sounds-en-gsm asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav asterisk-core-sounds-fr-gsm "
    "asterisk-core-sounds-fr-wav asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav asterisk-prompt-es-co "
    "asterisk-prompt-fr-armelle asterisk-prompt-it-menardi-wav fillets-ng-data"
).split()
EFFECT_PACKAGES = (
    "ardentryst boswars-data colobot-common-sounds flightgear-data-base freedink-data freedroidrpg-data "
    "lincity-ng-data marsshooter-data megaglest-data naev-data scorched3d-data supertux-data supertuxkart-data "
    "torcs-data trackballs-data tuxfootball unknown-horizons warmux-data widelands-data"
).split()
SOUNDFONTS = {
    "fluid": ("fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "timgm": ("timgm6mb-soundfont", "usr/share/sounds/sf2/TimGM6mb.sf2"),
}
_OF_SOUNDFONTS = tuple(package for package, _ in SOUNDFONTS.values())
PACKAGES = tuple(dict.fromkeys((*MUSIC_PACKAGES, *SPEECH_PACKAGES, *EFFECT_PACKAGES, *_OF_SOUNDFONTS)))
# Shorter files of a game are its effects and jingles.
_LEAST_MUSIC_SECONDS = 25.0
_EXCERPT_SECONDS, _EXCERPT_HOP_SECONDS, _MOST_EXCERPTS = 10.0, 30.0, 5
_LONGEST_MUSIC_SECONDS = 900.0
_LEAST_SPEECH_SECONDS, _N_PROMPTS = 1.5, 56
_LEAST_EFFECT_SECONDS, _MOST_EFFECTS = 1.0, 150
# Quieter is silence, of which nobody says what it is.
_LEAST_PEAK = 3e-3
_MUSIC_FOLDERS = {"music", "musics"}
# General MIDI without its synthesizer effects and sounds.
_PROGRAMS = (*range(96), *range(104, 112))
_PHRASES = ("melody", "notes", "chords")
_SOLO_SECONDS = 10.0
_N_MADE = 10


@dataclass(frozen=True)
class Sound:
    """A sound of a set.

    name: Its own in its set.
    genre: Or kind.
    group: An artist, a source, or a part of GTZAN: what is not to be on both sides of a split.
    read: Gives its samples, `(n_samples,)`, mono at `SAMPLE_RATE`; can be sent to another process.
    """

    name: str
    genre: str
    group: str
    read: Callable[[], FloatArray]


@dataclass(frozen=True)
class _File:
    """A sound file, as the app reads it; at most thirty seconds."""

    path: Path

    def __call__(self) -> FloatArray:
        return _read(self.path)[: 30 * SAMPLE_RATE]


@dataclass(frozen=True)
class _Start:
    """The first ten seconds of a sound file."""

    path: Path

    def __call__(self) -> FloatArray:
        return _read(self.path)[: int(_EXCERPT_SECONDS * SAMPLE_RATE)]


@dataclass(frozen=True)
class _Excerpt:
    """Ten seconds of a long file, of which no more is decoded."""

    path: Path
    start_seconds: float

    def __call__(self) -> FloatArray:
        with soundfile.SoundFile(self.path) as file:
            rate = file.samplerate
            file.seek(int(self.start_seconds * rate))
            samples = file.read(int(_EXCERPT_SECONDS * rate), dtype="float32", always_2d=True).mean(axis=1)
        return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), dtype=np.float32)


@dataclass(frozen=True)
class _Made:
    kind: str
    seed: int

    def __call__(self) -> FloatArray:
        return negatives.synthesize(self.kind, self.seed, 10.0, SAMPLE_RATE)


@dataclass(frozen=True)
class _Solo:
    """A program of General MIDI alone, from a soundfont."""

    soundfont: Path
    program: int
    phrase: str

    def __call__(self) -> FloatArray:
        rng = np.random.default_rng([self.program, _PHRASES.index(self.phrase)])
        with tempfile.TemporaryDirectory() as folder:
            midi, wav = Path(folder) / "solo.mid", Path(folder) / "solo.wav"
            midi.write_bytes(_midi(self.program, _notes(self.phrase, self.program, rng)))
            command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", "44100", "-F", str(wav), str(self.soundfont)]
            subprocess.run([*command, str(midi)], check=True, capture_output=True, timeout=120)
            samples = load_clip(wav, SAMPLE_RATE).samples
        return samples[: int(_SOLO_SECONDS * SAMPLE_RATE)]


def gtzan(data: Path) -> list[Sound]:
    """GTZAN's train and validation tracks with sound, the lossless copy where there is one."""
    folder = data / "gtzan-audio"
    found = []
    for row in _rows(folder):
        path = folder / row["file"]
        found.append(Sound(path.stem, row["genre"], row["split"], _File(lossless(data, path))))
    return found


def lossless(data: Path, path: Path) -> Path:
    """The lossless copy of a track of GTZAN where there is one, else the track.

    Args:
        data: Labelled sound, as tests have it.
        path: Of the track.
    """
    reference = data / "gtzan-reference" / f"{path.stem}.flac"
    return reference if reference.is_file() else path


def cuts(data: Path) -> list[Sound]:
    """Cuts of 2 to 2.6 s of GTZAN's train and validation tracks."""
    with (data / "gtzan-partition.csv").open(encoding="utf-8", newline="") as file:
        part_of = dict(list(csv.reader(file))[1:])
    files = sorted((data / "gtzan-cuts").glob("*/*.ogg"))
    return [Sound(f"cut.{path.stem}", path.parent.name, part_of[path.stem], _File(path)) for path in files]


def magnatune(data: Path) -> list[Sound]:
    """Magnatune's tracks that may be heard without their labels."""
    folder = data / "emotify-audio"
    rows = [row for row in _rows(folder) if row["split"] == "unlabelled"]
    return [Sound(Path(row["file"]).stem, row["genre"], row["artist"], _File(folder / row["file"])) for row in rows]


def not_music(data: Path) -> list[Sound]:
    """Real sound that is no music; the group is the recording or the speaker."""
    folder = data / "not-music"
    return [
        Sound(Path(row["file"]).stem, row["kind"], row["source_id"], _File(folder / row["file"]))
        for row in _rows(folder)
    ]


def made() -> list[Sound]:
    """Noise, tones and machines, synthesized: ten of each kind."""
    kinds = itertools.product(negatives.KINDS, range(_N_MADE))
    return [Sound(f"{kind}.{seed}", kind, kind, _Made(kind, seed)) for kind, seed in kinds]


def solos(debian: Path) -> list[Sound]:
    """Instruments alone: a melody, single notes and chords of each program, one soundfont after the other."""
    found = []
    fonts = [(name, debian / package / path) for name, (package, path) in SOUNDFONTS.items()]
    for number, (program, phrase) in enumerate(itertools.product(_PROGRAMS, _PHRASES)):
        font, path = fonts[number % len(fonts)]
        found.append(Sound(f"solo_{program}_{font}_{phrase}", phrase, str(program), _Solo(path, program, phrase)))
    return found


def game_music(debian: Path) -> list[Sound]:
    """Excerpts of ten seconds of free games' music."""
    found = []
    for package in MUSIC_PACKAGES:
        for path in find_audio_files([debian / package])[0]:
            n_excerpts = _n_excerpts(path)
            starts = [_EXCERPT_HOP_SECONDS * (number + 0.5) for number in range(n_excerpts)]
            found += [
                Sound(f"debmus:{package}:{path.stem}:{start:.0f}", "", package, _Excerpt(path, start))
                for start in starts
            ]
    return found


def prompts(debian: Path) -> list[Sound]:
    """Speech of telephone systems and of a game: as many of each package, evenly chosen."""
    found = []
    for package in SPEECH_PACKAGES:
        files = sorted(path for path in (debian / package).rglob("*") if path.suffix in {".wav", ".gsm", ".ogg"})
        spoken = [
            path
            for path in files
            if not {"music", "sound", "silence"} & set(path.parts) and _is_heard(path, _LEAST_SPEECH_SECONDS)
        ]
        step = max(1, len(spoken) // _N_PROMPTS)
        found += [Sound(f"{package}:{path.stem}", "speech", package, _File(path)) for path in spoken[::step]]
    return found


def effects(debian: Path) -> list[Sound]:
    """What free games sound like beside their music: animals, machines, weather, voices; the first ten seconds.

    What is music among them, such as a jingle, is not told apart.
    """
    found = []
    for package in EFFECT_PACKAGES:
        files = [path for path in find_audio_files([debian / package])[0] if not _MUSIC_FOLDERS & _words(path)]
        step = max(1, len(files) // (2 * _MOST_EFFECTS))
        audible = [path for path in files[::step] if _is_heard(path, _LEAST_EFFECT_SECONDS)]
        step = max(1, len(audible) // _MOST_EFFECTS)
        found += [
            Sound(f"{package}:{path.relative_to(debian)}", "effect", package, _Start(path)) for path in audible[::step]
        ]
    return found


def _words(path: Path) -> set[str]:
    return {part.lower() for part in path.parts}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["file"])


def _n_excerpts(path: Path) -> int:
    try:
        seconds = soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return 0
    if not _LEAST_MUSIC_SECONDS <= seconds <= _LONGEST_MUSIC_SECONDS:
        return 0
    return min(_MOST_EXCERPTS, int((seconds - _EXCERPT_SECONDS) / _EXCERPT_HOP_SECONDS + 0.5))


def _is_heard(path: Path, least_seconds: float) -> bool:
    try:
        samples = _read(path)
    except (AudioError, subprocess.CalledProcessError):
        return False
    return len(samples) >= least_seconds * SAMPLE_RATE and float(np.abs(samples).max()) > _LEAST_PEAK


def _read(path: Path) -> FloatArray:
    if path.suffix != ".gsm":
        return load_clip(path, SAMPLE_RATE).samples
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "gsm", "-i", str(path), "-ar", str(SAMPLE_RATE)]
    decoded = subprocess.run([*command, "-f", "f32le", "-"], check=True, capture_output=True, timeout=60)
    return np.frombuffer(decoded.stdout, dtype="<f4")


Note = tuple[float, float, int]


def _notes(phrase: str, program: int, rng: np.random.Generator) -> list[Note]:
    """Start, end in seconds, and MIDI number of what is played, in a range that suits the family."""
    middle = {4: 40, 5: 64, 8: 65}.get(program // 8, 60)
    scale = middle + np.array([-12, -10, -8, -7, -5, -3, -1, 0, 2, 4, 5, 7, 9, 11, 12])
    found: list[Note] = []
    time, place = 0.0, int(rng.integers(4, 11))
    length = {"melody": 60 / rng.uniform(70, 150) / 2, "notes": 2.5, "chords": 60 / rng.uniform(60, 110) * 2}[phrase]
    while time < _SOLO_SECONDS:
        lasting = length * float(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])) if phrase == "melody" else length
        place = int(np.clip(place + rng.integers(-3, 4), 0, len(scale) - 1))
        tones = [place, place + 2, place + 4] if phrase == "chords" else [place]
        found += [(time, time + 0.92 * lasting, int(scale[tone % len(scale)])) for tone in tones]
        time += lasting
    return found


_TICKS_PER_SECOND = 960  # 480 a quarter note, at the format's own 120 a minute


def _midi(program: int, notes: list[Note]) -> bytes:
    """A standard MIDI file of one track."""
    events = [(start, bytes([0x90, note, 96])) for start, _, note in notes]
    events += [(end, bytes([0x80, note, 0])) for _, end, note in notes]
    track, at = b"\x00" + bytes([0xC0, program]), 0
    for seconds, event in sorted(events):
        tick = round(seconds * _TICKS_PER_SECOND)
        track += _variable_length(tick - at) + event
        at = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in (0, 1, _TICKS_PER_SECOND // 2))
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def _variable_length(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
