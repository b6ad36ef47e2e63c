"""Those of the pipeline itself need Apache Beam, the extra `beam`."""

import csv
import errno
import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from fake_restorers import FakeRestorer
from PIL import Image
from programs import ROOT, run

from inversenet_tf.imaging.files.locks import InUse, held
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.imaging.physics.kernels import gaussian
from inversenet_tf.restoration import one_photograph
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.linear_light import LinearLightRestorer
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.restoration.restorers_around import ToldRestorer

MODULE = "inversenet_tf.restoration.beam_pipeline"
IN_MEMORY = ("--direct_running_mode=in_memory",)  # spares what a worker takes to start


@pytest.fixture
def pipeline():
    """The module."""
    pytest.importorskip("apache_beam", reason="the pipeline needs the extra beam")
    return importlib.import_module(MODULE)


@pytest.fixture
def restore(pipeline):
    """`restore_files_by_beam` with a worker in this process."""
    return functools.partial(pipeline.restore_files_by_beam, options=IN_MEMORY)


@pytest.fixture
def odd_folder(image_folder):
    """Images of several kinds, in a folder within the other, too, and one that is broken."""
    (image_folder / "deep").mkdir()
    Image.new("L", (33, 21), 100).save(image_folder / "deep" / "gray.jpg", quality=80)
    transparent = Image.new("RGBA", (31, 40), (200, 100, 50, 25))
    transparent.save(image_folder / "transparent.png")
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)).save(
        image_folder / "sixteen.png"
    )
    (image_folder / "broken.png").write_text("no image")
    return image_folder


def contents(folder):
    """{path below the folder: bytes} of all results, without the report."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "report.csv"
    }


def rows(folder):
    with open(folder / "report.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def restored_one_by_one(folder, output, gain=0.5, **options):
    restore_files(FakeRestorer(gain=gain), folder, output, **options)
    return contents(output)


@pytest.mark.parametrize("options", [{}, {"compare": True}, {"format": "tiff"}])
def test_results_are_those_of_the_folder_loop(restore, odd_folder, tmp_path, options, warned):
    expected = restored_one_by_one(odd_folder, tmp_path / "whole", **options)
    restored, skipped = restore(FakeRestorer(gain=0.5), odd_folder, tmp_path / "out", **options)
    assert contents(tmp_path / "out") == expected
    assert len(restored) == 9 and all(path.is_file() for path in restored)
    assert list(skipped) == [str(odd_folder / "broken.png")]
    assert warned().count("Skipped: Cannot read the image") == 2


def test_an_export_and_tiles(restore, shared_export, odd_folder, tmp_path):
    """The memory is that of one image."""
    Image.new("RGB", (600, 500), (90, 120, 200)).save(odd_folder / "large.png")
    limit = 25 * 2**20
    restorer = ExportedRestorer(shared_export)
    assert restorer.spec.bytes_per_pixel * 600 * 500 > limit
    restore_files(restorer, odd_folder, tmp_path / "whole", max_memory=limit)
    restore(restorer, odd_folder, tmp_path / "out", max_memory=limit)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "out")) == 10


def test_an_image_that_fails_is_a_row(pipeline, restore, odd_folder, tmp_path, monkeypatch):
    """Whatever it fails of."""
    Image.new("RGB", (600, 500)).save(odd_folder / "large.png")
    real = pipeline.restore_file

    def failing(restorer, job, *arguments, **options):
        if job.path.name == "0.png":
            raise ZeroDivisionError("of\nmany lines")
        return real(restorer, job, *arguments, **options)

    monkeypatch.setattr(pipeline, "restore_file", failing)
    _, skipped = restore(FakeRestorer(), odd_folder, tmp_path / "out", max_memory=2**20)
    failed = {row["input"]: row["detail"] for row in rows(tmp_path / "out")}
    assert failed == skipped
    names = ["0.png", "broken.png", "large.png"]
    assert list(failed) == [str(odd_folder / name) for name in names]
    assert failed[str(odd_folder / "0.png")].endswith("0.png: ZeroDivisionError: of many lines")
    assert "max_memory" in failed[str(odd_folder / "large.png")]
    assert len((tmp_path / "out" / "report.csv").read_text().splitlines()) == 4


def test_what_does_not_fit_is_told(restore, tmp_path, warned):
    """The worst first; of a black image nothing is known."""
    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 40, (64, 64, 3), np.uint8)
    for name, level in (("a_black", 0), ("dark", 60), ("light", 200)):
        Image.fromarray(noise * (level > 0) + np.uint8(level)).save(
            tmp_path / "images" / f"{name}.png"
        )
    restorer = FakeRestorer(gain=0.1)
    restorer.degradation = Degradation([[1.0]])
    restore(restorer, tmp_path / "images", tmp_path / "out")
    told = rows(tmp_path / "out")
    assert {row["outcome"] for row in told} == {"does not fit"}
    assert [row["input"].rpartition("/")[2] for row in told] == ["light.png", "dark.png"]
    [line] = [line for line in warned().splitlines() if "not fit" in line]
    assert line.startswith("2 of 3 photographs do not fit")
    assert f"light.png: {told[0]['detail']}." in line


def test_existing_results(restore, image_folder, tmp_path):
    expected = restored_one_by_one(image_folder, tmp_path / "whole")
    out = tmp_path / "out"
    out.mkdir()
    (out / "0.png").write_text("precious")
    with pytest.raises(ValueError, match="--overwrite"):
        restore(FakeRestorer(gain=0.5), image_folder, out)
    with pytest.raises(ValueError, match="both"):
        restore(FakeRestorer(), image_folder, out, overwrite=True, skip_existing=True)
    restored, _ = restore(FakeRestorer(gain=0.5), image_folder, out, skip_existing=True)
    assert (out / "0.png").read_text() == "precious" and len(restored) == 5
    restored, _ = restore(FakeRestorer(gain=0.5), image_folder, out, overwrite=True)
    assert contents(out) == expected and len(restored) == 6
    assert restore(FakeRestorer(), image_folder, out, skip_existing=True) == ([], {})


def test_a_bundle_that_is_tried_again_writes_nothing_twice(
    pipeline, image_folder, tmp_path, monkeypatch
):
    """Beam repeats every bundle here, as a runner does with one that failed."""
    writes, write = [], one_photograph.write_photograph

    def counted(path, *arguments, **options):
        writes.append(path)
        return write(path, *arguments, **options)

    monkeypatch.setattr(one_photograph, "write_photograph", counted)
    options = [*IN_MEMORY, "--direct_runner_bundle_repeat=1"]
    pipeline.restore_files_by_beam(
        FakeRestorer(gain=0.5), image_folder, tmp_path / "out", options=options
    )
    assert len(writes) == len(set(writes)) == 6


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_a_killed_run_goes_on(restore, odd_folder, tmp_path, mode):
    """Workers that outlive the launcher may still be at it when the second run begins."""
    expected = restored_one_by_one(odd_folder, tmp_path / "whole")
    out = tmp_path / "out"
    program = (
        "import os, sys\n"
        "from fake_restorers import KillingRestorer\n"
        f"from {MODULE} import restore_files_by_beam\n"
        "options = ['--direct_num_workers=2'] if sys.argv[3] != 'in_memory' else []\n"
        "options.append('--direct_running_mode=' + sys.argv[3])\n"
        "restore_files_by_beam(KillingRestorer(os.getpid()), *sys.argv[1:3], options=options)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, odd_folder, out, mode],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        stderr=subprocess.DEVNULL,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "report.csv").exists()
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    if mode == "in_memory":
        assert len(made) == 2
    restored, skipped = restore(FakeRestorer(gain=0.5), odd_folder, out, skip_existing=True)
    assert contents(out) == expected
    assert not made.keys() & set(restored) and list(skipped) == [str(odd_folder / "broken.png")]
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert not list(out.rglob(".partial-*"))


def test_workers_of_a_call_that_has_ended_do_nothing_more(pipeline, image_folder, tmp_path):
    out = tmp_path / "out"
    parts = (image_folder / "0.png", out / "0.png", None)
    with held(out):
        handler = pipeline.RestorationHandler(FakeRestorer(), out)
        [outcome] = handler.run_inference([parts], handler.load_model())
        assert outcome.reason is None
        (out / "0.png").unlink()
    with held(out), pytest.raises(InUse, match="another call"):
        handler.run_inference([parts], handler.load_model())
    assert not (out / "0.png").exists()


def test_the_model_is_loaded_once(pipeline, restore, image_folder, tmp_path, monkeypatch):
    loaded, load = [], pipeline.RestorationHandler.load_model
    monkeypatch.setattr(
        pipeline.RestorationHandler,
        "load_model",
        lambda handler: loaded.append(handler) or load(handler),
    )
    restore(FakeRestorer(), image_folder, tmp_path / "out")
    assert len(loaded) == 1


def test_an_image_that_the_runner_loses_is_a_row(pipeline, tmp_path):
    kept, lost = tmp_path / "kept.png", tmp_path / "lost.png"
    pipeline._write_report(tmp_path / "report.csv", [kept, lost], [pipeline.Outcome(kept)])
    [row] = rows(tmp_path)
    assert row["input"] == str(lost) and row["outcome"] == "failed" and "lost" in row["detail"]


def test_a_full_disk_ends_the_pipeline(restore, image_folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(one_photograph, "write_photograph", full)
    with pytest.raises(OSError, match="6 images failed: .*No space left.*--skip_existing") as ended:
        restore(FakeRestorer(), image_folder, tmp_path / "out")
    assert "\n" not in str(ended.value)
    assert not (tmp_path / "out" / "report.csv").exists()


def test_names_that_are_no_text(restore, image_folder, tmp_path):
    name = os.fsdecode(b"caf\xe9, \n1.png")
    (image_folder / "1.png").rename(image_folder / name)
    broken = image_folder / os.fsdecode(b"broken\xe9.png")
    broken.write_text("no image")
    restored, skipped = restore(FakeRestorer(), image_folder, tmp_path / "out")
    assert tmp_path / "out" / name in restored and len(restored) == 6
    assert list(skipped) == [str(broken)]


def test_no_image_can_be_restored(restore, image_folder, tmp_path):
    for path in image_folder.iterdir():
        path.write_text("no image")
    with pytest.raises(ValueError, match="images that can be restored.*0.png"):
        restore(FakeRestorer(), image_folder, tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 6


def test_what_is_refused_before_any_work(restore, image_folder, tmp_path, capfd):
    with pytest.raises(ValueError, match="Expected direct, dask or a runner .* Received: dirct"):
        restore(FakeRestorer(), image_folder, tmp_path / "out", runner="dirct")
    with pytest.raises(ValueError, match="Expected options .* --direct_num_workers=x .*int value"):
        restore(FakeRestorer(), image_folder, tmp_path / "out", options=["--direct_num_workers=x"])
    assert "usage" not in capfd.readouterr().err
    local = FakeRestorer()
    local.graph = lambda: None  # as a network has what cannot be pickled
    with pytest.raises(ValueError, match="Expected an export, which every worker .* Received: a "):
        restore(local, image_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.csv").write_text("name,salary\n")
    with pytest.raises(ValueError, match="no other file where the report is written"):
        restore(FakeRestorer(), image_folder, tmp_path / "out")
    assert (tmp_path / "out" / "report.csv").read_text() == "name,salary\n"


def test_what_is_built_around_an_export_goes_to_workers(shared_export, images):
    exported, images = ExportedRestorer(shared_export), images.numpy()
    for restorer in (exported, LinearLightRestorer(exported, 2.2)):
        sent = pickle.loads(pickle.dumps(restorer))
        np.testing.assert_array_equal(sent(images), restorer(images))
    told = pickle.loads(pickle.dumps(ToldRestorer(exported, gaussian(9, 2.0), 0.01)))
    assert told.degradation == ToldRestorer(exported, gaussian(9, 2.0), 0.01).degradation


def test_the_command_with_two_workers(pipeline, shared_export, image_folder, tmp_path):
    restore_files(ExportedRestorer(shared_export), image_folder, tmp_path / "whole")
    (image_folder / "broken.png").write_text("no image")
    output = run(
        "restore",
        f"--export={shared_export}",
        f"--input={image_folder}",
        f"--output={tmp_path / 'out'}",
        "--runner=direct",
        "--beam_options=--direct_num_workers=2 --job_name='a name'",
    )
    assert output.returncode == 0, output.stderr
    assert output.stdout.splitlines()[-1].startswith("6 images restored into ")
    assert "1 skipped" in output.stdout and "broken.png: not an image" in output.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_without_beam_the_command_says_what_to_install(tmp_path):
    program = (
        "import runpy, sys\n"
        "sys.modules['apache_beam'] = None\n"
        "sys.argv[0] = 'tools/restore.py'\n"
        "runpy.run_path('tools/restore.py', run_name='__main__')\n"
    )
    flags = [f"--{name}={tmp_path}" for name in ("export", "input", "output")]
    quiet = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    output = subprocess.run(
        [sys.executable, "-c", program, *flags, "--runner=direct"],
        cwd=ROOT,
        env=quiet,
        capture_output=True,
        text=True,
    )
    assert output.returncode == 1
    [line] = output.stderr.splitlines()
    assert line.startswith('Error: Expected Apache Beam, which runs the pipeline (pip install ".')


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--runner=direct"], "Expected --export with --runner"),
        (["--runner=direct", "--preset=any_blur"], "Expected --export with --runner"),
        (["--export=a", "--beam_options=--direct_num_workers=2"], "--beam_options with --runner"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path, flags, message):
    output = run("restore", f"--input={tmp_path}", f"--output={tmp_path / 'out'}", *flags)
    assert output.returncode == 1 and message in output.stderr
    assert not (tmp_path / "out").exists()
