"""What the networks of `ten-genres` read: exact cases of how sounds, archives and batches are made."""

import zlib

import numpy as np
import pytest
from scipy import signal

from crnn.features import log_mel, tagger_mel
from recipes import ear_inputs, ear_sounds
from recipes.bad_sound import degrade
from recipes.ear_inputs import FIRST, SECOND, Inputs

RATE = ear_sounds.SAMPLE_RATE
DELAYS, NOISE_DB = (0.8, 1.25), (18, 30)


class Drawn:
    """Chance that draws what it is told to."""

    def __init__(self, uniform, integers=None):
        self.uniform = lambda *ends: uniform[ends]
        self.integers = lambda *ends: (integers or {})[ends]
        self.normal = np.random.default_rng(0).normal


@pytest.mark.parametrize(
    ("name", "artist"),
    [
        ("mac-demarco-my-kind-of-woman", "mac"),
        ("lv-nirvana-smells-like-teen-spirit", "nirvana"),
        ("nirvana-come-as-you-are", "nirvana"),
        ("country2", "country"),
        ("1979", "1979"),
    ],
)
def test_the_artist_begins_the_name(name, artist):
    assert ear_inputs.artist_of(name) == artist


def test_what_the_archive_gives_is_what_the_sound_gives(rng):
    # Steady noise of two colours: what lies between the columns and bands is what is interpolated.
    white = rng.normal(0, 0.1, 10 * RATE).astype(np.float32)
    for pole in (0.0, 0.9):
        sound = signal.lfilter([1.0], [1.0, -pole], white).astype(np.float32)
        decibels = log_mel.log_mel(sound, SECOND)
        seconds = np.arange(len(decibels)) * SECOND.hop_length / RATE
        found = ear_inputs.segments_of(ear_inputs.power_of_archive(decibels, seconds))
        meant = ear_inputs.segments_of(log_mel.mel_power(sound, FIRST))
        heard = tagger_mel.heard_shares(FIRST) > 0.99
        apart = (found[0].astype(float) - meant[0])[:, heard].mean(axis=0)
        assert np.abs(apart).max() < 0.12  # in units of 5 nepers of power: 2.6 dB; 0.5 where levels were not the same


def test_a_cut_is_repeated_and_a_long_sound_is_cut():
    power = np.ones((230, 128), np.float32)
    assert ear_inputs.segments_of(power).shape == (1, 1000, 128)
    assert ear_inputs.segments_of(np.ones((3000, 128), np.float32)).shape == (3, 1000, 128)


def test_a_sound_that_is_repeated_is_found_and_can_end_instead(rng):
    power = rng.exponential(size=(230, 128)).astype(np.float32)
    (segment,) = ear_inputs.segments_of(power)
    assert ear_inputs.repeated_after(segment) == 230
    # Two frames that are the same by chance repeat nothing.
    power[100] = power[0]
    (segment,) = ear_inputs.segments_of(power)
    assert ear_inputs.repeated_after(segment) == 230
    (whole,) = ear_inputs.segments_of(rng.exponential(size=(1000, 128)).astype(np.float32))
    assert ear_inputs.repeated_after(whole) == 1000
    ended = ear_inputs.with_silence_after(segment)
    meant = log_mel.with_silence_after(log_mel.network_input(power, FIRST), FIRST)
    np.testing.assert_allclose(ended, meant, atol=5e-3)
    np.testing.assert_array_equal(ear_inputs.with_silence_after(whole), whole.astype(np.float32))


def test_a_piece_is_a_short_sound_at_its_own_level(rng):
    power = rng.exponential(size=(1000, 128)).astype(np.float32) * np.linspace(1, 50, 1000, dtype=np.float32)[:, None]
    (segment,) = ear_inputs.segments_of(power)
    for _ in range(20):
        piece = ear_inputs.piece_of(segment, rng)
        n_frames = ear_inputs.repeated_after(piece)
        assert 60 <= n_frames <= 500
        heard = tagger_mel.power_of_input(piece.astype(np.float32))
        assert heard.sum(axis=1).mean() == pytest.approx(ear_inputs.LEVEL, rel=0.01)


def test_a_piece_begins_and_ends_where_it_is_drawn(rng):
    """From 0.6 to 5 s of a sound, somewhere in its first three seconds."""
    power = rng.exponential(size=(1000, 128)).astype(np.float32)
    (segment,) = ear_inputs.segments_of(power)
    for n_frames in (60, 500):
        ends = tuple(np.log((60, 500)))
        # A little more, for the exponential of a logarithm may be a little less.
        drawn = Drawn({ends: np.log(n_frames + 0.1)}, {(0, 300): 299})
        (alone,) = ear_inputs.segments_of(power[299 : 299 + n_frames])
        np.testing.assert_allclose(ear_inputs.piece_of(segment, drawn), alone, atol=5e-3)


def phone_hears(samples, stretch=1.0, noise_db=400.0):
    return ear_inputs.phone(samples, Drawn({DELAYS: stretch, NOISE_DB: noise_db}))


@pytest.mark.parametrize("stretch", [1.0, 1.25])
def test_a_phone_hears_its_band_and_four_echoes(stretch):
    click = np.zeros(RATE // 4, np.float32)
    click[0] = 1.0
    heard = phone_hears(click, stretch)
    delays = [round(stretch * RATE * seconds - 0.5) for seconds in (0.013, 0.029, 0.047, 0.083)]
    # Before the first echo it is two filters of second order: 3 dB less at their edges, 12.3 an octave below.
    levels = 20 * np.log10(np.abs(np.fft.rfft(heard[: delays[0]], 22_050)[[125, 250, 1225, 6000]]))
    np.testing.assert_allclose(levels, [-18 - 12.3, -18 - 3.01, -18, -18 - 3.01], atol=0.05)
    for delay, gain in zip(delays, (0.5, 0.35, 0.25, 0.15), strict=True):
        np.testing.assert_allclose(heard[delay : delay + 200], gain * heard[:200], atol=1e-5)
    assert np.abs(heard[delays[-1] + 300 :]).max() < 1e-5


@pytest.mark.parametrize("noise_db", [18.0, 30.0])
def test_under_what_a_phone_hears_is_pink_noise(noise_db):
    tone = np.sin(2 * np.pi * 1000 / RATE * np.arange(RATE)).astype(np.float32)
    plain = phone_hears(tone)
    noise = phone_hears(tone, noise_db=noise_db) - plain
    assert 10 * np.log10((plain**2).mean() / (noise**2).mean()) == pytest.approx(noise_db, abs=0.01)
    # As much in each octave from 20 Hz on, and as much in each hertz below.
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[low : 2 * low].sum() for low in (1000, 2000, 4000)]
    np.testing.assert_allclose(octaves[1:], octaves[0], rtol=0.1)
    drawn = np.abs(np.fft.rfft(np.random.default_rng(0).normal(size=RATE))) ** 2
    np.testing.assert_allclose(
        power[[5, 20, 40]] / drawn[[5, 20, 40]] / (power[10] / drawn[10]), [1, 1, 0.5], rtol=0.02
    )
    assert phone_hears(np.zeros(RATE, np.float32), noise_db=noise_db).any(), "a room is never silent"


def test_bent_sound_is_the_same_each_time():
    sound = np.sin(np.arange(RATE) * 0.05).astype(np.float32)
    again = [ear_inputs.bent(sound, "degrade1", "blues.00001") for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert ear_inputs.bent(sound, "clean", "blues.00001") is sound
    chance = np.random.default_rng(zlib.crc32(b"blues.00001 degrade1"))
    np.testing.assert_array_equal(again[0], degrade(sound, RATE, chance))
    for kind, name in (("degrade2", "blues.00001"), ("degrade1", "blues.00002")):
        assert not np.array_equal(ear_inputs.bent(sound, kind, name), again[0]), "each has its own chance"
    # A phone leaves an eighth, whatever the chance.
    assert np.abs(ear_inputs.bent(sound, "phone1", "blues.00001")[:200]).max() < 0.2


def test_between_the_columns_and_bands_of_an_archive_decibels_are_interpolated():
    """From 3 to 9 dB in two seconds, then down to 0 in one; and a decibel more in each band, but none beyond them."""
    gathered = tagger_mel.mel_filters(FIRST)
    decibels = np.repeat([[3.0], [9.0], [0.0]], 128, axis=1).astype(np.float32)
    found = ear_inputs.power_of_archive(decibels, np.array([0.0, 2.0, 3.0]))
    times = np.arange(len(found)) / FIRST.frame_rate_hz
    assert 3.0 - 1.5 / FIRST.frame_rate_hz < times[-1] < 3.0
    expected = 10 ** (np.interp(times, [0, 2, 3], [3, 9, 0]) / 10)
    np.testing.assert_allclose(found, expected[:, None] * gathered.sum(axis=0), rtol=1e-5)
    # A column of an archive may begin later: before it is what it holds.
    late = ear_inputs.power_of_archive(decibels[:2], np.array([1.0, 2.0]))
    np.testing.assert_allclose(late[:90], np.repeat(10**0.3 * gathered.sum(axis=0)[None], 90, axis=0), rtol=1e-5)
    rising = np.repeat(np.arange(128, dtype=np.float32)[None], 2, axis=0)
    (first, *_) = ear_inputs.power_of_archive(rising, np.array([0.0, 1.0]))
    bins = np.interp(np.fft.rfftfreq(FIRST.n_fft, 1 / RATE), log_mel.mel_frequencies(SECOND), np.arange(128))
    np.testing.assert_allclose(first, 10 ** (bins / 10) @ gathered, rtol=1e-5)


@pytest.mark.parametrize("kept", [None, [0, 2, 4, 6]])
def test_an_archive_may_hold_some_of_its_frames_and_has_parts_where_it_names_them(tmp_path, kept):
    cells = np.repeat(np.uint8([[0], [255], [0], [255]]), 128, axis=1)
    facts = {"track_ids": ["a", "b"], "genres": ["rock", "pop"], "split": ["train", ""]}
    chosen = {} if kept is None else {"frame_index": np.array(kept)}
    np.savez(tmp_path / "archive.npz", log_mel=np.stack([cells, 255 - cells]), **facts, **chosen)
    ear_inputs._write_archive(tmp_path, "arch", tmp_path / "archive.npz")
    inputs = ear_inputs.read_inputs(tmp_path, "arch")
    assert (inputs.ids.tolist(), inputs.groups.tolist()) == (["a", "b"], ["train", "b"])
    # Those that are named count the hops of finer frames.
    at = np.arange(4) * SECOND.hop_length / RATE if kept is None else np.array(kept) * 512 / RATE
    power = ear_inputs.power_of_archive(np.repeat(np.float32([[-80], [0], [-80], [0]]), 128, axis=1), at)
    np.testing.assert_array_equal(inputs.segments[0], ear_inputs.segments_of(power)[0])
    np.testing.assert_array_equal(ear_inputs.read_second(tmp_path, "arch"), [cells, 255 - cells])


@pytest.mark.parametrize(
    ("there", "is_there"), [(("npz", "clean.npy"), True), (("npz",), False), (("clean.npy",), False)]
)
def test_a_set_is_there_with_both_of_its_files(tmp_path, there, is_there):
    for end in there:
        (tmp_path / f"cuts.{end}").touch()
    assert ear_inputs._is_there(tmp_path, "cuts", "clean") is is_there


@pytest.mark.parametrize(("number", "written"), [(0, "00"), (127, "7f"), (128, "8100"), (16_383, "ff7f")])
def test_times_of_midi_are_written_as_the_standard_shows(number, written):
    assert ear_sounds._variable_length(number).hex() == written


def test_a_midi_file_holds_its_program_and_notes():
    file = ear_sounds._midi(40, [(0.0, 0.5, 60)])
    # Header, format 0, one track, 480 ticks a quarter; program 40, note on at 0, off 480 ticks later, end.
    assert file.hex() == "4d546864000000060000000101e04d54726b0000001000c028009060608360803c0000ff2f00".replace(
        "9060608360803c00", "903c608360803c00"
    )


def test_no_validation_track_is_heard_by_the_body(tmp_path):
    from recipes.ear_body import HEARD, PARTS, Leg, Taught, _Batches

    # Segments that say whose they are: 1 of a validation track.
    segments = np.stack([np.full((320, 4), group == "valid", np.float16) for group in ("train", "valid")])
    inputs = Inputs(segments, np.array([0, 1]), *map(np.array, (["a", "b"], ["blues"] * 2, ["train", "valid"])))
    taught = Taught(*(np.arange(2, dtype=np.float32)[:, None] for _ in PARTS))
    batches = _Batches({(name, kind): inputs for name, kind, _ in HEARD}, {name: taught for name, *_ in HEARD})
    for step in range(3):
        heard, *targets = batches(Leg(1, 1), step)
        assert len(heard) == 20
        for target in targets:
            np.testing.assert_array_equal(target, 0)
