"""What strangers would do to a served app, done to it: a table of what was tried and how it was held.

    python -m bench.attack
    python -m bench.attack --only upload

Each act is one that worked, or could have. `tests/test_attacks.py` does the same acts. The exit status is 1
if one of them came through.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sounds import sine, wav_bytes
from tiny_bundle import tiny_bundle

from bench import attacking, forging, hostile_networks, measuring
from bench.attacking import CameThroughError, hold
from bench.serving import NotServedError
from crnn.bundles import library, shelves
from crnn.bundles.bundle import ONNX_NAME, Bundle, load_bundle, save_bundle
from crnn.config import FeatureConfig
from crnn.data import public_addresses, user_clips
from crnn.data.download import fetch
from crnn.data.scan import scan
from crnn.errors import CrnnError
from crnn.inference.classifier import Classifier
from crnn.inference.remote import RemoteSession
from crnn.jobs import deletion, exports, quota, runs
from crnn.jobs.order import TrainingOrder, preset
from crnn.owner import Owner, person
from crnn.training import visit_head

ANN, BEN = person("https://id.example", "ann"), person("https://id.example", "ben")
STRANGER = Owner("public", "0" * 32)
SONG = wav_bytes(sine(60.0, 3.0))
MAX_CHILD_BYTES = 1.7 * 2**30
MAX_SWOLLEN_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Attack:
    """An act: its name, what is tried, and what tries it; `does` gives how it was held, in words."""

    name: str
    tried: str
    does: Callable[[Path], str]


def refused(act: Callable[[], object]) -> str:
    """The sentence that refuses an act.

    Raises:
        CameThroughError: Nothing refused it.
    """
    try:
        act()
    except CrnnError as err:
        return str(err)
    raise CameThroughError("nothing refused it")


@contextlib.contextmanager
def host(folder: Path) -> Iterator[Bundle]:
    """A host's shelf with one model, and a home for everybody, in `folder`."""
    kept = {name: os.environ.get(name) for name in ("GENRESCOPE_HOME", "GENRESCOPE_MODELS")}
    os.environ |= {"GENRESCOPE_HOME": str(folder / "home"), "GENRESCOPE_MODELS": str(folder / "models")}
    try:
        yield tiny_bundle(folder / "models" / library.DEFAULT_MODEL)
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _with_network(folder: Path, network: bytes) -> Bundle:
    """A bundle like the hand-made one, with another network and a name that sorts first."""
    tiny = tiny_bundle(folder / "source")

    def write_network(draft: Path) -> None:
        (draft / ONNX_NAME).write_bytes(network)

    return save_bundle(tiny, folder / "aaa", write_network)


def change_the_hosts_model(folder: Path) -> str:
    """Delete and rename it, as a stranger and as somebody who signed in."""
    with host(folder) as bundle:
        assert bundle.path is not None
        for who in (STRANGER, ANN):
            refused(partial(library.delete, bundle.path, owner=who))
            words = refused(partial(library.rename, bundle, "mine", owner=who))
        hold(load_bundle(bundle.path) == bundle, "it was changed")
    return words


def pass_for_the_hosts_model(folder: Path) -> str:
    """Import a constant network and give it the host's model's name, or one that looks like it."""
    with host(folder):
        packed = library.pack(_with_network(folder, hostile_networks.constant_network()))
        for name in (library.DEFAULT_MODEL, "TEN-GENRES", "ten_genres", "ten.genres"):
            words = refused(partial(library.import_zip, packed, name, owner=ANN))
        mine = library.import_zip(packed, "mine", owner=ANN)
        refused(lambda: library.rename(mine, library.DEFAULT_MODEL, owner=ANN))
    return words


def become_everybodys_default(folder: Path) -> str:
    """Import a model whose name sorts first; show it to all; copy it first."""
    with host(folder):
        mine = library.import_zip(library.pack(_with_network(folder, hostile_networks.constant_network())), owner=ANN)
        refused(lambda: shelves.show(mine, owner=ANN, to_all=True))
        copy = library.save_copy(mine, "bbb", owner=ANN)
        words = refused(lambda: shelves.show(copy, owner=ANN, to_all=True))
        hold([s.folder.name for s in shelves.visible(BEN)] == [library.DEFAULT_MODEL], "others see it")
        hold(library.default_model() == library.DEFAULT_MODEL, "it is the default")
    return words


def import_as_a_stranger(folder: Path) -> str:
    """Import a model where nobody signs in."""
    with host(folder):
        packed = library.pack(_with_network(folder, hostile_networks.constant_network()))
        return refused(lambda: library.import_zip(packed, owner=STRANGER))


def bomb_the_trial(folder: Path) -> str:
    """Zips of some kB whose networks take gigabytes when they are parsed or opened."""
    told: list[str] = []
    with host(folder):
        for network in (hostile_networks.many_nodes(8_000_000), hostile_networks.huge_constant(2**30)):
            packed = library.pack(_with_network(folder / str(len(told)), network))
            hold(len(packed) < 200_000, f"the zip has {len(packed)} bytes, and should be small")
            peak = attacking.peak_of(partial(_note_refusal, told, packed))
            hold(peak < MAX_CHILD_BYTES, f"the child took {peak / 2**30:.1f} GiB")
    return f"{told[-1]} Peak of the child under {MAX_CHILD_BYTES / 2**30:.1f} GiB."


def _note_refusal(told: list[str], packed: bytes) -> None:
    """Add the sentence that refuses a zip of Ann's."""
    told.append(refused(partial(library.import_zip, packed, owner=ANN)))


def misbehave_after_the_trial(folder: Path) -> str:
    """A network that takes 4 GB, and one that never ends, once a rare input comes that no trial has."""
    with host(folder):
        # What never ends turns for as long as it is let.
        networks = ((hostile_networks.greedy_on_silence(), 60.0), (hostile_networks.endless_on_silence(), 4.0))
        for number, (network, answer_seconds) in enumerate(networks):
            bundle = _with_network(folder / str(number), network)
            mine = library.import_zip(library.pack(bundle), f"mine{number}", owner=ANN)
            session = RemoteSession(mine, answer_seconds=60.0)
            classifier = _over(mine, session)
            rare = np.full((1, FeatureConfig().n_frames, FeatureConfig().n_mels), hostile_networks.RARE_DB, np.float32)
            hold(bool(np.isfinite(classifier.run(rare + 20.0)[0]).all()), "it does not even serve")
            # The process is up, which may take longer than an answer.
            session.answer_seconds = answer_seconds
            began, before = time.monotonic(), measuring.resident_bytes(os.getpid())
            words = refused(partial(classifier.run, rare))
            hold(time.monotonic() - began < 60.0, "it held its visitor for a minute")
            hold(measuring.resident_bytes(os.getpid()) - before < 200 * 2**20, "the server's own memory grew")
    return words


def _over(bundle: Bundle, session: RemoteSession) -> Classifier:
    """A classifier whose network is asked by a session."""
    return Classifier(bundle, opened=lambda _: session)


def take_anothers_things(folder: Path) -> str:
    """Add to another's clips, train on them, delete his run and his model."""
    with host(folder):
        clips = user_clips.corrections_dir(ANN)
        user_clips.add_clip(clips, "jazz", "a.wav", SONG, owner=ANN)
        upload = user_clips.keep_upload("mine.zip", b"PK", owner=ANN)
        run = runs.Run(runs.runs_dir(ANN) / "20261126-101500")
        run.folder.mkdir(parents=True)
        hold(user_clips.n_clips(user_clips.corrections_dir(BEN)) == {}, "he sees her corrections")
        hold(user_clips.uploads(BEN) == [], "he sees her uploads")
        hold(runs.list_runs(BEN) == [], "he sees her runs")
        refused(lambda: user_clips.add_clip(clips, "rock", "a.wav", SONG, owner=BEN))
        refused(lambda: deletion.delete_run(run, owner=BEN))
        refused(lambda: quota.checked(_order(str(clips)), BEN))
        link = user_clips.own_dir(BEN)
        link.parent.mkdir(parents=True)
        link.symlink_to(clips)
        refused(lambda: quota.checked(_order(str(link)), BEN))
        return refused(lambda: quota.checked(_order(str(upload)), BEN))


def _order(source: str, *, epochs: int = 5, folds: int = 0, init: str | None = None) -> TrainingOrder:
    """A training of a data set."""
    settings = preset("quick")
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, epochs=epochs))
    return TrainingOrder(datasets=(source,), out=Path("model"), settings=settings, folds=folds, init=init)


def order_too_much(folder: Path) -> str:
    """10 000 epochs, 10 folds, a start from a file of the server, any training as a stranger."""
    with host(folder):
        refused(lambda: quota.checked(_order("demo", folds=10), ANN))
        refused(lambda: quota.checked(_order("demo", init="/etc"), ANN))
        refused(lambda: quota.checked(_order("demo"), STRANGER))
        return refused(lambda: quota.checked(_order("demo", epochs=10_000), ANN))


def export_at_once(folder: Path) -> str:
    """Export as a stranger, and a second time while the first is under way."""
    with host(folder) as bundle:
        refused(lambda: exports.exported(bundle, "onnx", owner=STRANGER))
        with exports.place(ANN):
            return refused(lambda: exports.exported(bundle, "onnx", owner=BEN))


def teach_too_much(folder: Path) -> str:
    """Use the instant lesson of strangers where things are kept, and give it more than is granted."""
    with host(folder) as bundle:
        body = Classifier(bundle)
        refused(lambda: visit_head.hear(body, SONG, "a.wav", "x", owner=ANN))
        refused(lambda: visit_head.teach((), bundle, owner=STRANGER))
        track = visit_head.hear(body, SONG, "a.wav", "x", owner=STRANGER)
        hold(track.embedding.nbytes < 10_000, "more is held than what is learnt from")
        many = tuple(dataclasses.replace(track, digest=str(n)) for n in range(STRANGER.limits.tracks))
        hold(not list((folder / "home").rglob("*")), "something was written")
        return refused(lambda: visit_head.with_track(many, track, STRANGER))


def fill_the_disk(folder: Path) -> str:
    """Keep more than one's share."""
    with host(folder):
        big = user_clips.uploads_dir(ANN) / "there" / "big.zip"
        big.parent.mkdir(parents=True)
        with big.open("wb") as file:
            file.truncate(ANN.limits.disk_bytes)
        refused(lambda: user_clips.keep_upload("more.zip", b"PK", owner=ANN))
        thin = attacking.zipped({"jazz/a.wav": bytes(120 * 2**20)})
        big.unlink()
        with big.open("wb") as file:
            file.truncate(ANN.limits.disk_bytes - 100 * 2**20)
        return refused(lambda: user_clips.keep_upload("thin.zip", thin, owner=ANN))


INTERNAL = (
    "http://127.0.0.1/ http://localhost/ http://[::1]/ http://169.254.169.254/latest/meta-data/ http://10.0.0.1/ "
    "http://192.168.1.1/ http://172.16.0.1/ http://0.0.0.0/ http://2130706433/ http://0x7f.1/ "
    "http://[::ffff:10.0.0.1]/ "
    "http://[64:ff9b::a00:1]/ http://[fe80::1]/ http://100.64.0.1/ http://8.8.8.8:22/ file:///etc/passwd gopher://a/"
).split()


def ask_for_internal_addresses(folder: Path) -> str:
    """Have the server fetch from itself and its network, by every way to write an address."""
    with host(folder):
        for url in INTERNAL:
            words = refused(partial(fetch, url, owner=ANN))
            hold("cannot be reached" not in words, f"{url} was tried: {words}")
        refused(lambda: fetch("https://example.org/a.zip", owner=STRANGER))
        return refused(lambda: fetch(INTERNAL[0], owner=ANN))


def be_led_to_internal_addresses(folder: Path) -> str:
    """A redirect to the server's network, and a name that is public when looked at and internal when asked."""
    with host(folder), attacking.redirecting_server("http://127.0.0.2/secret.zip") as url, attacking.one_open_address():
        words = refused(lambda: fetch(url, owner=ANN))
    hold("own network" in words, words)
    with attacking.fickle_name(("93.184.216.34", "127.0.0.1")) as asked:
        with contextlib.suppress(OSError):
            public_addresses.connect(("fickle.example", 80), timeout=0.01)
        hold(asked == [1], f"the name was looked up {len(asked)} times")
    with attacking.mixed_name(("93.184.216.34", "127.0.0.1")):
        refused(lambda: public_addresses.connect(("mixed.example", 80)))
    return words


def send_hostile_zips(folder: Path) -> str:
    """A bomb, a zip in a zip, and names that climb, hold NUL, or mean a drive."""
    zips = {
        "bomb": {"jazz/a.wav": bytes(300 * 2**20)},
        "climbs": {"../../evil.wav": SONG},
        "windows": {"C:\\jazz\\a.wav": SONG},
        "climbs back": {"jazz\\..\\..\\a.wav": SONG},
        "NUL": {"jazz/a\0.wav": SONG},
    }
    told = []
    with host(folder):
        for files in zips.values():
            upload = user_clips.keep_upload("a.zip", attacking.zipped(files), owner=ANN)
            told.append(refused(partial(scan, upload)))
        inner = attacking.zipped({"jazz/a.wav": bytes(50 * 2**20)})
        upload = user_clips.keep_upload("nested.zip", attacking.zipped({"jazz/b.zip": inner}), owner=ANN)
        refused(lambda: scan(upload))
        hold(not list(folder.rglob("evil*")), "a file lies outside")
    return told[0]


def swell_in_memory(folder: Path) -> str:
    """A log-mel archive that would take a gigabyte, a list of 8 million tracks, and one whose first line never ends."""
    told = []
    with host(folder):
        for name, data in attacking.swelling_files().items():
            hold(len(data) < 20 * 2**20, f"{name} has {len(data)} bytes, and should be small")
            upload = user_clips.keep_upload(name, data, owner=ANN)
            tracemalloc.start()
            try:
                told.append(refused(partial(scan, upload)))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            hold(peak < MAX_SWOLLEN_BYTES, f"{name} took {peak >> 20} MB")
    return f"{told[0]} Under {MAX_SWOLLEN_BYTES >> 20} MB."


ATTACKS = (
    Attack("host model", "delete, rename the host's model", change_the_hosts_model),
    Attack("name", "import a constant network under the host's model's name, or one like it", pass_for_the_hosts_model),
    Attack("default", "be everybody's default by a name that sorts first", become_everybodys_default),
    Attack("stranger import", "import a model without signing in", import_as_a_stranger),
    Attack("trial", "zips of kB that take gigabytes to parse or to open", bomb_the_trial),
    Attack("after trial", "take 4 GB, never end, on an input that no trial has", misbehave_after_the_trial),
    Attack("another's", "see, fill, train on, delete another's things", take_anothers_things),
    Attack("quota", "10 000 epochs, 10 folds, a start from a server's folder", order_too_much),
    Attack("disk", "keep more than one's share", fill_the_disk),
    Attack("addresses", f"{len(INTERNAL)} addresses of the server's own network", ask_for_internal_addresses),
    Attack("redirect", "a redirect, a name that changes its mind, a name of two minds", be_led_to_internal_addresses),
    Attack("zips", "a bomb, a zip in a zip, names that climb", send_hostile_zips),
    Attack("swelling", "an archive of 5 MB that takes 1 GiB, lists of tracks that do not end", swell_in_memory),
    Attack("exports", "export as a stranger, and while another does", export_at_once),
    Attack("lesson", "teach where trainings are kept, and more clips than are granted", teach_too_much),
    Attack("writing", "uploads, heard or not: is anything written to the disk?", attacking.leave_traces),
    Attack(
        "upload", "8 uploads of 40 MB under made-up ids, then more than a visitor's share", attacking.upload_unasked
    ),
    Attack(
        "host name",
        "the app under the name evil.example (DNS rebinding), from a page of another port",
        attacking.come_by_another_name,
    ),
    Attack("messages", "rubbish, huge and forged messages to the page's socket", attacking.send_rubbish),
    Attack("values", "values that no browser sends, to every widget of every page", forging.forge_values),
    Attack("media", "fetch what another plays by its address, or by knowing the song", forging.fetch_anothers_media),
    Attack(
        "host's", "clear all caches, read git's files, write beside the app, by the socket", forging.ask_for_the_hosts
    ),
    Attack("talk", "ask for the page without a pause, a thousand times a second", forging.never_stop_talking),
    Attack("under way", "begin twelve uploads of 45 MB at once and end none", forging.send_many_at_once),
    Attack("long messages", "begin messages of 150 MB and end none, have 5 MB repeated", forging.begin_long_messages),
    Attack("leave", "leave without a next visitor: what was held is freed", attacking.leave_with_uploads),
)


def main() -> int:
    """Do them all; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME", help="only acts whose name holds this")
    wanted = parser.parse_args().only
    n_broken = 0
    print("| act | tried | held | seconds |\n|---|---|---|---|")
    for attack in ATTACKS:
        if wanted not in attack.name:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                held = attack.does(Path(folder))
            except (CameThroughError, NotServedError) as err:
                n_broken += 1
                held = f"NO: {err}" if isinstance(err, CameThroughError) else f"NOT TRIED: {err}"
        print(f"| {attack.name} | {attack.tried} | {held} | {time.monotonic() - began:.1f} |", flush=True)
    return int(n_broken > 0)


if __name__ == "__main__":
    sys.exit(main())
