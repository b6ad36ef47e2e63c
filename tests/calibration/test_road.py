"""From measurements to a network for their camera."""

import dataclasses

import numpy as np
import pytest
import skimage.data

import inversenet_tf as inv
from inversenet_tf import recipes
from inversenet_tf.calibration import report, road, settings, specialised
from inversenet_tf.calibration.evidence import evidence_of
from inversenet_tf.calibration.place import Place
from inversenet_tf.calibration.settings import Settings
from inversenet_tf.exporting import inversenet as exporting
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernels import gaussian, linear_motion
from inversenet_tf.imaging.physics.varied import blur_each

pytestmark = pytest.mark.usefixtures("untraced")

KERNEL = linear_motion(5, 45.0)
FOUND = KernelEstimate(KERNEL, 0.01, 1.0, plausible=np.stack([KERNEL, gaussian(5, 1.0)]))
NOTHING = KernelEstimate(np.ones((1, 1), np.float32), 0.01, 0.0, "The image is flat.")
ANY_BLUR = recipes.any_blur
TWO_STEPS = 2.5 / 60  # minutes, of a second a step


def tiny():
    config = ANY_BLUR()
    config.network.depth, config.training.precision = 2, "float32"
    config.training.batch_size, config.data.validation_limit = 2, 1
    return config


def write_measurements(folder, boundary="reflect"):
    sharp = skimage.data.astronaut()[100:164, 200:272].astype(np.float32) / 255
    scenes = np.stack([sharp, sharp[:, ::-1]])
    blurred = blur_each(scenes, np.stack([KERNEL] * 2), boundary).numpy()
    blurred += 0.01 * np.random.default_rng(0).normal(size=blurred.shape)
    folder.mkdir()
    for i, image in enumerate(blurred):
        write_image(folder / f"{i}.png", np.clip(image, 0, 1))
    return folder


@pytest.fixture(scope="module")
def small():
    """Short trainings, and a search that finds at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specialised.recipes, "any_blur", tiny)
        patch.setattr(specialised, "seconds_per_step", lambda config: 1.0)
        patch.setattr(settings, "LARGEST_PATCH", 32)
        patch.setattr(exporting, "WARMUP_SIDES", (16,))
        patch.setattr(road, "shared_blur", lambda *_, **__: FOUND)
        yield patch


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return write_measurements(tmp_path_factory.mktemp("measured") / "images")


@pytest.fixture(scope="module")
def calibrated(small, measured, tmp_path_factory):
    """A calibration that was interrupted before its training, and gone on with."""
    workdir = tmp_path_factory.mktemp("calibrated") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road, "specialise", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            inv.calibrate(measured, workdir, model="closed_form", minutes=TWO_STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road, "shared_blur", _never)
        return inv.calibrate(measured, workdir, model="closed_form", minutes=TWO_STEPS), workdir


def _interrupted(*_):
    raise KeyboardInterrupt


def _never(*_, **__):
    raise AssertionError("it was done before")


def test_the_network_is_served_and_knows_its_kernel(calibrated, measured):
    found, workdir = calibrated
    assert found.export == workdir / "export"
    restorer, image = inv.load(found.export), inv.read_image(measured / "0.png")
    assert restorer.kernel_use == "optional" and restorer.spec.boundary == "reflect"
    at_once = inv.load("closed_form")(image, kernel=KERNEL, noise=0.01)
    assert np.abs(restorer(image) - at_once).mean() < 0.02  # it has only begun to correct that
    written = inv.read_image(workdir / "restored/0.png")
    np.testing.assert_allclose(written, restorer(image), atol=0.6 / 255)
    np.testing.assert_allclose(inv.read_image(workdir / "at_once/0.png"), at_once, atol=0.6 / 255)


def test_the_page_shows_what_is_known_without_the_truth(calibrated):
    found, workdir = calibrated
    measured, at_once, restored = found.evidence.values()
    assert measured.misfit > 1.5 > at_once.misfit > 0.5
    assert at_once.blur < measured.blur and restored.images == 2
    page = found.report.read_text()
    assert f"{at_once.misfit:.2f}" in page and "2 steps" in page and "confidence 100%" in page
    for name in ("kernels.png", "before_after.png"):
        assert name in page and (workdir / name).stat().st_size > 1000


def test_the_page_shows_a_measurement_beside_its_own_restorations(tmp_path, monkeypatch):
    """Even where one way restored fewer of them than the other."""
    drawn = []
    monkeypatch.setattr(report, "comparison_figure", lambda path, rows, **_: drawn.extend(rows))
    monkeypatch.setattr(report, "_shown", lambda path: path.name)
    paths = [tmp_path / name for name in ("a", "b", "c")]
    pairs = {
        way: [(path, tmp_path / f"{path.name} {way}") for path in restored]
        for way, restored in ((report.AT_ONCE, paths), (report.SPECIALISED, paths[1:]))
    }
    report._draw_images(tmp_path / "figure.png", pairs)
    shown = [[picture for picture, _ in row] for row in drawn]
    assert shown == [
        [name, f"{name} {report.AT_ONCE}", f"{name} {report.SPECIALISED}"] for name in ("b", "c")
    ]


def test_a_finished_one_ends_at_once(calibrated, measured, small):
    found, workdir = calibrated
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "open_model", _never)
        again = inv.calibrate(measured, workdir, model="closed_form", minutes=TWO_STEPS)
    assert again.export == found.export and again.evidence == {}
    np.testing.assert_array_equal(again.estimate.kernel, KERNEL)
    with pytest.raises(ValueError, match=r"differs in boundary.*another --workdir"):
        inv.calibrate(measured, workdir, model="closed_form", boundary="circular")


def test_where_no_blur_is_trusted_it_says_why(measured, tmp_path, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road, "shared_blur", lambda *_, **__: NOTHING)
        with pytest.raises(ValueError, match="cannot be estimated reliably. The image is flat"):
            inv.calibrate(measured, tmp_path / "run")
    assert not (tmp_path / "run/at_once").exists()


def test_a_training_begins_with_the_run_for_any_blur(measured, tmp_path):
    config = tiny()
    config.data.size, config.network.depth = 64, 0
    config.data.crop, config.data.augmentation, config.data.min_scale = "center", "flip", 1.0
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run/config.json", dataclasses.asdict(config))
    asked = Settings(measured, tmp_path / "w", str(tmp_path / "run"), images="folder:faces")
    made = specialised.training_config(asked, Place(asked.workdir), FOUND)
    made.validate()
    assert made.training.initial_weights == str(tmp_path / "run")
    assert made.network.depth == 6 and made.data.size == 64 and made.data.margin == 2
    assert made.operator.boundary == "reflect" and made.data.crop == "random"
    assert made.optimizer.learning_rate < config.optimizer.learning_rate
    assert made.noise.gaussian_sigma == pytest.approx(0.01, rel=0.01)
    circular = dataclasses.replace(asked, boundary="circular")
    made = specialised.training_config(circular, Place(asked.workdir), FOUND)
    assert (made.data.crop, made.data.augmentation, made.data.margin) == ("center", "flip", 0)


def members_of_class(count, seed):
    """Smooth images that differ in the height of four bumps."""
    rows, columns = np.mgrid[:32, :32] / 31
    bumps = np.stack([np.sin(3 * rows + i) * np.cos(4 * columns - i) for i in range(4)])
    rng = np.random.default_rng(seed)
    images = 0.5 + np.einsum("nbc,bhw->nhwc", 0.1 * rng.normal(size=(count, 4, 3)), bumps)
    return (images + 0.002 * rng.normal(size=images.shape)).clip(0, 1).astype(np.float32)


def test_sharp_images_of_the_class_also_restore(small, tmp_path):
    for number, image in enumerate(members_of_class(60, seed=0)):
        write_image(tmp_path / "sharp" / f"{number:02}.png", image)
    sharp = members_of_class(2, seed=1)
    blurred = blur_each(sharp, np.stack([KERNEL] * 2), "circular").numpy()
    blurred += 0.01 * np.random.default_rng(2).normal(size=blurred.shape)
    for number, image in enumerate(blurred):
        write_image(tmp_path / "measured" / f"{number}.png", image.clip(0, 1))
    asked = {"boundary": "circular", "model": "closed_form"}
    by_class = inv.calibrate(
        tmp_path / "measured", tmp_path / "class", sharp_images=tmp_path / "sharp", **asked
    )
    inv.calibrate(tmp_path / "measured", tmp_path / "natural", **asked)
    errors = {
        name: np.abs(inv.read_image(tmp_path / name / "at_once/1.png") - sharp[1]).mean()
        for name in ("class", "natural")
    }
    assert errors["class"] < errors["natural"] / 2
    page = by_class.report.read_text()
    assert "covariance of the sharp images" in page and "--preset=closed_form" in page


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"measurements": "nowhere"}, "readable image or directory"),
        ({"workdir": "images/run"}, "outside the measurements"),
        ({"boundary": "reflect"}, "boundary in"),
        ({"minutes": -1.0}, "minutes >= 0"),
        ({"aligned": True}, "circular with aligned"),
        ({"sharp_images": "images"}, "circular with an image model"),
        ({"sharp_images": "nowhere", "boundary": "circular"}, "directory of sharp images"),
        ({"sharp_images": "small", "boundary": "circular"}, "size and framing of the measurements"),
        ({"model": "nowhere"}, "Expected a work directory"),
        ({"minutes": 1.0, "images": "folder:nowhere"}, "nowhere"),
        ({"minutes": 1.0, "images": "fotos"}, "Expected photos"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_any_work(asked, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_measurements(tmp_path / "images")
    write_image(tmp_path / "small" / "0.png", np.zeros((32, 32, 3), np.float32))
    monkeypatch.setattr(road, "shared_blur", _never)
    arguments = {"measurements": "images", "workdir": "run"} | asked
    with pytest.raises(ValueError, match=message):
        inv.calibrate(arguments.pop("measurements"), arguments.pop("workdir"), **arguments)
    assert not (tmp_path / "run").exists()


def test_measurements_that_are_too_small_or_of_several_sizes_are_refused(tmp_path):
    folder = write_measurements(tmp_path / "images")
    write_image(folder / "other.png", np.zeros((40, 64, 3), np.float32))
    with pytest.raises(ValueError, match="of one size"):
        inv.calibrate(folder, tmp_path / "run", boundary="circular")
    write_image(folder / "other.png", np.zeros((20, 64, 3), np.float32))
    with pytest.raises(ValueError, match="32 pixels"):
        inv.calibrate(folder, tmp_path / "run")


@pytest.mark.parametrize("boundary", ["circular", "camera"])
def test_the_truth_leaves_the_noise(boundary, tmp_path):
    sharp = skimage.data.astronaut()[100:164, 200:272].astype(np.float32) / 255
    measured = write_measurements(tmp_path / "images", "circular") / "0.png"
    write_image(tmp_path / "sharp.png", sharp)
    truth = evidence_of([(measured, tmp_path / "sharp.png")], KERNEL, 0.01, boundary)
    itself = evidence_of([(measured, measured)], KERNEL, 0.01, boundary)
    assert truth.misfit == pytest.approx(1.0, abs=0.1) and itself.misfit > 1.5
    assert truth.blur < itself.blur
    with pytest.raises(ValueError, match="restorations"):
        evidence_of([], KERNEL, 0.01, boundary)
