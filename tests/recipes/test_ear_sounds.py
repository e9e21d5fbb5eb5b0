"""From folders of sound to what the networks of `ten-genres` read of it."""

import numpy as np
import pytest
import soundfile
from sounds import RATE, noise, sine

from crnn.audio.clip import load_clip
from crnn.bundles.library import find_bundle
from crnn.features import log_mel, tagger_mel
from crnn.features.archive import to_uint8
from recipes import ear_inputs, ear_sounds
from recipes.ear_inputs import FIRST, SECOND

LOW, HIGH = -1.5, 3.0
TABLES = {
    "gtzan-audio": ("file,genre,split", "blues/blues.00001.wav,blues,valid", "rock/rock.00002.wav,rock,train"),
    "emotify-audio": ("file,genre,artist,split", "pop/a.wav,pop,Ann,unlabelled", "pop/b.wav,pop,Bob,outside"),
    "not-music": ("file,kind,source_id", "rain/1-5-a.wav,rain,5"),
}
SPOKEN = "asterisk-core-sounds-en-wav"
# Name, genre and group of each track that is to be found.
FOUND = {
    "gtzan": [("blues.00001", "blues", "valid"), ("rock.00002", "rock", "train")],
    "cuts": [("cut.jazz.00003", "jazz", "train")],
    "emo": [("a", "pop", "Ann")],
    "notmusic": [("1-5-a", "rain", "5")],
    "debmus": [(f"debmus:asc-music:theme:{start}", "", "asc-music") for start in (15, 45)],
    "debspeech": [(f"{SPOKEN}:hello", "speech", SPOKEN)],
    "effects": [(f"torcs-data:torcs-data/{name}.wav", "effect", "torcs-data") for name in ("engine", "skid")],
    "arch": [("blues.00001", "blues", "valid")],
    "elsx": [("nirvana-one", "rock", "nirvana-one"), ("metal2", "metal", "metal2")],
    "else": [("nirvana-one", "rock", "nirvana"), ("metal2", "metal", "metal")],
}


def write(path, seconds, hz):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, heard(seconds, hz), RATE)


def heard(seconds, hz):
    return sine(hz, seconds, level=0.3) + noise(seconds, level=0.05, seed=int(hz))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """DATA, DEBIAN and a WORK that holds what was made of them: some sounds of each set, and archives."""
    data, debian, work = (tmp_path_factory.mktemp(name) for name in ("data", "debian", "work"))
    for folder, (header, *rows) in TABLES.items():
        for number, row in enumerate(rows):
            write(data / folder / row.split(",")[0], 23 - 11 * number, 200 + 90 * number)
        (data / folder / "tracks.csv").write_text("\n".join((header, *rows)), encoding="utf-8")
    # The lossless copy is another sound here, so that it can be told which was read.
    write(data / "gtzan-reference" / "rock.00002.flac", 12, 777)
    write(data / "gtzan-cuts" / "jazz" / "jazz.00003.ogg", 2.3, 300)
    (data / "gtzan-partition.csv").write_text("track_id,split\njazz.00003,train\n", encoding="utf-8")
    write(debian / "asc-music" / "theme.ogg", 70, 400)
    write(debian / "asc-music" / "jingle.ogg", 20, 400)
    write(debian / SPOKEN / "hello.wav", 2, 500)
    write(debian / SPOKEN / "short.wav", 1.2, 500)
    write(debian / SPOKEN / "silence" / "5.wav", 5, 500)
    write(debian / "torcs-data" / "engine.wav", 25, 150)
    write(debian / "torcs-data" / "skid.wav", 1.1, 150)
    write(debian / "torcs-data" / "click.wav", 0.7, 150)
    write(debian / "torcs-data" / "Music" / "theme.wav", 5, 150)
    tracks = [(name, genre) for name, genre, _ in FOUND["else"]]
    sounds = [heard(23, 600), heard(23, 700)]
    facts = {"track_ids": [name for name, _ in tracks], "genres": [genre for _, genre in tracks]}
    cells = [to_uint8(log_mel.log_mel(sound, SECOND)) for sound in sounds]
    one = {"track_ids": ["blues.00001"], "genres": ["blues"], "split": ["valid"]}
    np.savez(data / "gtzan-logmel.npz", log_mel=np.stack(cells[:1]), **one)
    np.savez(data / "elsewhere-logmel.npz", log_mel=np.stack(cells), **facts)
    inputs = [tagger_mel.network_input(log_mel.mel_power(sound, FIRST)[None], FIRST)[0] for sound in sounds]
    frames = [np.round((np.clip(part, LOW, HIGH) - LOW) / (HIGH - LOW) * 255).astype(np.uint8) for part in inputs]
    offsets = np.cumsum([0, *map(len, frames)])
    ends = {"low": np.float32(LOW), "high": np.float32(HIGH), "offsets": offsets}
    np.savez(data / "elsewhere-mel100.npz", frames=np.concatenate(frames), **ends, **facts)
    with pytest.MonkeyPatch.context() as patch:
        # A synthesizer of soundfonts is not among what tests need.
        patch.setattr(ear_sounds, "solos", lambda debian: ear_sounds.not_music(data))
        patch.setattr(ear_sounds, "_N_MADE", 1)
        ear_inputs.make_inputs(data, debian, work)
        yield data, debian, work


@pytest.mark.parametrize("name", FOUND)
def test_each_set_has_its_tracks_and_their_segments(places, name):
    inputs = ear_inputs.read_inputs(places[2], name)
    assert sorted(zip(inputs.ids, inputs.genres, inputs.groups, strict=True)) == sorted(FOUND[name])
    assert inputs.segments.shape == (len(inputs.own), 1000, 128)
    assert set(inputs.own) == set(range(len(inputs.ids)))
    assert len(ear_inputs.read_second(places[2], name)) == len(inputs.ids)


@pytest.mark.parametrize(
    ("name", "number", "file"),
    [
        ("gtzan", 0, "gtzan-audio/blues/blues.00001.wav"),
        ("gtzan", 1, "gtzan-reference/rock.00002.flac"),
        ("cuts", 0, "gtzan-cuts/jazz/jazz.00003.ogg"),
    ],
)
def test_heads_learn_from_what_the_app_hears(places, name, number, file):
    data, _, work = places
    bundle, clip = find_bundle("ten-genres"), load_clip(data / file, RATE)
    inputs = ear_inputs.read_inputs(work, name)
    np.testing.assert_allclose(
        inputs.segments[inputs.own == number], log_mel.segment(clip.samples, bundle.feature_config), atol=2e-3
    )
    of_second = ear_inputs.read_second(work, name)[number]
    np.testing.assert_array_equal(of_second, to_uint8(log_mel.log_mel(clip.samples, bundle.companion.feature_config)))


def test_clips_from_elsewhere_are_read_from_their_mel(places):
    inputs = ear_inputs.read_inputs(places[2], "else")
    meant = log_mel.segment(heard(23, 700), find_bundle("ten-genres").feature_config)
    # A step of the archive's cells is 0.018.
    np.testing.assert_allclose(inputs.segments[inputs.own == 1], meant, atol=0.03)


def test_bent_sound_is_of_the_same_tracks_and_only_what_is_missing_is_made_again(places):
    data, debian, work = places
    clean, phone = (ear_inputs.read_inputs(work, "gtzan", kind) for kind in ("clean", "phone1"))
    np.testing.assert_array_equal(phone.own, clean.own)
    assert np.abs(phone.segments - clean.segments).mean() > 0.05
    missing = work / "cuts.degrade1.npy"
    before = missing.read_bytes()
    times = {path: path.stat().st_mtime_ns for path in work.iterdir() if path != missing}
    missing.unlink()
    ear_inputs.make_inputs(data, debian, work)
    assert missing.read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in work.iterdir() if path != missing} == times
