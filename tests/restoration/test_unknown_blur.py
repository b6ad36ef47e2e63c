"""Restoring without a kernel: it is found first, or the image stays as it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from fake_restorers import FakeRestorer
from programs import run

import inversenet_tf as inv
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.physics import kernel_estimation
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.varied import blur_each
from inversenet_tf.restoration import unknown_blur
from inversenet_tf.restoration.closed_form import ClosedFormRestorer
from inversenet_tf.restoration.linear_light import LinearLightRestorer
from inversenet_tf.restoration.unknown_blur import UnknownBlurRestorer

KERNEL = linear_motion(9, 45.0)
FOUND = KernelEstimate(KERNEL, 0.01, 1.0)
NONE_FOUND = KernelEstimate(np.ones((1, 1), np.float32), 0.01, 0.0, "The image is sharp.")


@pytest.fixture
def sharp():
    return (skimage.data.astronaut()[100:180, 200:290] / 255).astype(np.float32)


@pytest.fixture
def blurred(sharp):
    noisy = blur_each(sharp[np.newaxis], KERNEL[np.newaxis], "reflect")[0]
    return noisy + 0.01 * np.random.default_rng(0).normal(size=sharp.shape).astype(np.float32)


def error(image, truth):
    return np.square(np.asarray(image) - truth)[10:-10, 10:-10].mean()


def test_closed_form_restores_without_training(sharp, blurred):
    restored = inv.load("closed_form")(np.clip(blurred, 0, 1), kernel=KERNEL, noise=0.01)
    assert restored.shape == sharp.shape
    assert error(restored, sharp) < 0.6 * error(blurred, sharp)


def test_closed_form_knows_images_that_go_round(sharp):
    measured = blur_each(sharp[np.newaxis], KERNEL[np.newaxis], "circular")[0].numpy()
    of_camera, circular = (
        ClosedFormRestorer(boundary=boundary)(measured, kernel=KERNEL, noise=0.003)
        for boundary in ("reflect", "circular")
    )
    assert ClosedFormRestorer(boundary="circular").spec.boundary == "circular"
    assert np.square(circular - sharp).mean() < 0.8 * np.square(of_camera - sharp).mean()


def test_closed_form_is_known_as_a_path_and_noise_as_an_array_of_one_number(blurred):
    restorer = inv.load(Path("closed_form"))
    assert isinstance(restorer, ClosedFormRestorer)
    restored = [restorer(blurred, kernel=KERNEL, noise=noise) for noise in (0.01, np.array(0.01))]
    np.testing.assert_array_equal(*restored)
    for noise in (np.array([0.01]), 1.0, "0.1"):
        with pytest.raises(ValueError, match=r"one number in \[0, 1\) as noise. Received: "):
            restorer.told(KERNEL, noise)


def test_closed_form_wants_a_kernel(blurred):
    with pytest.raises(ValueError, match="kernel"):
        ClosedFormRestorer()(np.clip(blurred, 0, 1))


def test_found_kernel_and_noise_are_told(blurred, monkeypatch):
    monkeypatch.setattr(unknown_blur, "estimate_kernel", lambda *_, **__: FOUND)
    image = np.clip(blurred, 0, 1)
    expected = ClosedFormRestorer()(image, kernel=KERNEL, noise=0.01)
    np.testing.assert_array_equal(UnknownBlurRestorer(ClosedFormRestorer())(image), expected)
    quieter = ClosedFormRestorer()(image, kernel=KERNEL, noise=0.002)
    restorer = UnknownBlurRestorer(ClosedFormRestorer(), noise=0.002)
    np.testing.assert_array_equal(restorer(image), quieter)


def test_image_without_blur_stays_as_it_is(blurred, tmp_path, monkeypatch):
    monkeypatch.setattr(unknown_blur, "estimate_kernel", lambda *_, **__: NONE_FOUND)
    write_image(tmp_path / "sharp.png", np.clip(blurred, 0, 1))
    restorer = UnknownBlurRestorer(ClosedFormRestorer())
    image = inv.read_image(tmp_path / "sharp.png")
    np.testing.assert_array_equal(restorer(image), image)
    photograph = read_photograph(tmp_path / "sharp.png")
    np.testing.assert_array_equal(restorer.restore_photograph(photograph), photograph.pixels)


def test_the_search_is_the_first_half_of_the_progress(blurred, tmp_path, monkeypatch):
    def estimate(*_, progress, **__):
        progress(0.5)
        progress(1.0)
        return FOUND

    monkeypatch.setattr(unknown_blur, "estimate_kernel", estimate)
    write_image(tmp_path / "blurred.png", np.clip(blurred, 0, 1))
    photograph, shares = read_photograph(tmp_path / "blurred.png"), []
    restorer = UnknownBlurRestorer(ClosedFormRestorer())
    restorer.restore_photograph(photograph, report=shares.append)
    assert shares[:2] == [0.25, 0.5] and all(0.5 < share <= 1 for share in shares[2:])


def test_model_of_one_blur_is_refused():
    with pytest.raises(ValueError, match="can be given an estimated kernel"):
        UnknownBlurRestorer(FakeRestorer())


def test_shared_blur_looks_at_all_photographs(blurred, tmp_path, monkeypatch):
    seen = []

    def estimate(images, boundary, gamma, progress, image_model):
        assert gamma == 1 and progress is None and image_model is None
        seen.append(([image.shape for image in images], boundary))
        return FOUND

    monkeypatch.setattr(unknown_blur, "estimate_kernel", estimate)
    write_image(tmp_path / "a.png", np.clip(blurred, 0, 1))
    write_image(tmp_path / "b.png", np.clip(blurred[:60], 0, 1))
    (tmp_path / "c.png").write_text("no image")
    paths = sorted(tmp_path.iterdir())
    assert unknown_blur.shared_blur(paths) is FOUND
    assert seen == [([(80, 90, 3), (60, 90, 3)], "camera")]
    with pytest.raises(ValueError, match="can be read"):
        unknown_blur.shared_blur([tmp_path / "c.png"])


def test_image_model_of_a_folder_is_one_of_light_and_is_passed_on(tmp_path, monkeypatch):
    images = np.random.default_rng(0).uniform(0.2, 0.8, (20, 32, 32, 1)).astype(np.float32)
    for i, image in enumerate(images):
        write_image(tmp_path / f"{i:02}.png", image)
    model = unknown_blur.model_of_class(tmp_path, "circular", gamma=2.0)
    stored = np.stack([inv.read_image(tmp_path / f"{i:02}.png") for i in range(20)])
    expected = inv.ImageModel.fit(stored**2)
    assert model.shape == expected.shape
    for fitted, colour in zip(model.colours, expected.colours, strict=True):
        np.testing.assert_allclose(fitted.power, colour.power, rtol=1e-3)
    seen = []

    def estimate(*_, image_model, **__):
        seen.append(image_model)
        return FOUND

    monkeypatch.setattr(unknown_blur, "estimate_kernel", estimate)
    unknown_blur.shared_blur([tmp_path / "00.png"], "circular", image_model=model)
    restorer = ClosedFormRestorer(boundary="circular")
    UnknownBlurRestorer(restorer, boundary="circular", image_model=model)(images[0])
    assert all(one is model for one in seen) and len(seen) == 2


@pytest.mark.parametrize(
    ("folder", "boundary", "message"),
    [
        (".", "camera", "circular"),
        ("nowhere", "circular", "directory of sharp images"),
        (".", "circular", "Expected images .*none"),
    ],
)
def test_folder_that_makes_no_image_model_is_refused(folder, boundary, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        unknown_blur.model_of_class(tmp_path / folder, boundary)


def test_programs_need_no_run_and_no_kernel(blurred, tmp_path):
    """`restore` finds the blur and tells it the preset; `estimate-kernel` keeps what it found."""
    write_image(tmp_path / "blurred.png", np.clip(blurred, 0, 1))
    image = inv.read_image(tmp_path / "blurred.png")
    estimate = inv.estimate_kernel(image)
    assert estimate.is_blur
    ended = run("estimate_kernel", f"--input={tmp_path}/blurred.png", f"--output={tmp_path}/k.npy")
    assert ended.returncode == 0, ended.stderr
    np.testing.assert_allclose(np.load(tmp_path / "k.npy"), estimate.kernel, atol=1e-5)
    facts = json.loads((tmp_path / "k.json").read_text())
    assert facts["noise"] == pytest.approx(estimate.noise)
    assert facts["confidence"] == pytest.approx(estimate.confidence)
    assert (tmp_path / "k.png").is_file()
    ended = run("restore", f"--input={tmp_path}/blurred.png", f"--output={tmp_path}/out")
    assert ended.returncode == 0, ended.stderr
    expected = inv.load("any_blur")(image, kernel=estimate.kernel, noise=estimate.noise)
    restored = inv.read_image(tmp_path / "out/blurred.png")
    np.testing.assert_allclose(restored, expected, atol=1 / 255)


def test_light_is_what_is_blurred(sharp):
    """Values of a file of gamma 2.2: restored as light they are nearer to the truth."""
    light = blur_each(sharp[np.newaxis] ** 2.2, KERNEL[np.newaxis], "reflect")[0].numpy()
    stored = np.clip(light, 0, 1) ** (1 / 2.2)
    told = {"kernel": KERNEL, "noise": 0.003}
    of_values = ClosedFormRestorer()(stored, **told)
    of_light = LinearLightRestorer(ClosedFormRestorer(), 2.2)(stored, **told)
    assert error(of_light, sharp) < 0.8 * error(of_values, sharp)
    of_light = UnknownBlurRestorer(
        LinearLightRestorer(ClosedFormRestorer(), 2.2), 0.003, FOUND, gamma=2.2
    )(stored)
    assert error(of_light, sharp) < 0.8 * error(of_values, sharp)


def test_kernel_is_sought_in_light(sharp, monkeypatch):
    seen = []

    def patches(lumas, noise):
        seen.append(lumas[0])
        return np.zeros((0, 32, 32))

    monkeypatch.setattr(kernel_estimation, "informative_patches", patches)
    for gamma in (1.0, 2.0):
        kernel_estimation.estimate_kernel(sharp[..., 0], gamma=gamma)
    np.testing.assert_allclose(seen[1], seen[0] ** 2, atol=1e-6)
    with pytest.raises(ValueError, match="gamma > 0"):
        kernel_estimation.estimate_kernel(sharp, gamma=0.0)


def test_a_largest_kernel_of_one_pixel_is_refused(sharp):
    with pytest.raises(ValueError, match="largest >= 3"):
        kernel_estimation.estimate_kernel(sharp, largest=1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--boundary=reflect"], "with --workdir"),
        (["--shared_kernel", "--kernel=k.npy"], "with --kernel=auto"),
        (["--sharp_images=faces", "--kernel=k.npy"], "with --kernel=auto"),
        (["--sharp_images=faces"], "with --preset=closed_form"),
        (["--preset=closed_form", "--sharp_images=faces", "--kernel=k.npy"], "a kernel file"),
    ],
)
def test_program_refuses_flags_without_effect(flags, message, tmp_path):
    ended = run("restore", f"--input={tmp_path}", f"--output={tmp_path}/out", *flags)
    assert ended.returncode == 1 and message in ended.stderr


@pytest.mark.parametrize(("confidence", "doubts"), [(0.3, True), (0.9, False)])
def test_a_doubtful_kernel_is_called_so(confidence, doubts):
    estimate = KernelEstimate(np.full((3, 3), 1 / 9, np.float32), 0.01, confidence)
    assert (
        "compare the result with the photograph" in unknown_blur.description_of(estimate)
    ) == doubts


@pytest.mark.parametrize(
    "use",
    [
        lambda folder: unknown_blur.shared_blur(list(folder.iterdir())),
        lambda folder: inv.calibrate(folder, folder.parent / "calibrated"),
    ],
)
def test_where_no_photograph_can_be_read_the_first_reason_is_told(tmp_path, use):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    reason = "(can be read|readable images).*Received: none; the first: .*a.png"
    with pytest.raises(ValueError, match=reason):
        use(tmp_path / "photos")


@pytest.mark.parametrize("boundary", ["camera", "circular"])
def test_the_noise_beside_a_known_kernel_is_estimated(sharp, boundary):
    exact = blur_each(sharp[np.newaxis], KERNEL[np.newaxis], boundary.replace("camera", "reflect"))
    noise = np.random.default_rng(0).normal(size=sharp.shape)
    for sigma in (0.01, 0.03):
        measured = np.clip(exact[0] + sigma * noise, 0, 1).astype(np.float32)
        estimate = inv.estimate_noise(measured, KERNEL, boundary, jpeg=False)
        assert abs(estimate - sigma) < 0.25 * sigma
        assert inv.estimate_noise(measured, KERNEL, boundary) >= 0.9 * estimate


def test_a_kernel_file_without_a_noise_has_the_noise_estimated(blurred, sharp, tmp_path):
    write_image(tmp_path / "blurred.png", np.clip(blurred, 0, 1))
    np.save(tmp_path / "kernel.npy", KERNEL)
    arguments = ["--preset=closed_form", f"--kernel={tmp_path}/kernel.npy"]
    arguments.append(f"--input={tmp_path}/blurred.png")
    done = run("restore", *arguments, f"--output={tmp_path}/estimated")
    assert done.returncode == 0 and "estimated noise 0.0" in done.stderr, done.stderr
    run("restore", *arguments, "--noise=0", f"--output={tmp_path}/none")
    estimated, none = (
        error(inv.read_image(tmp_path / name / "blurred.png"), sharp)
        for name in ("estimated", "none")
    )
    assert estimated < 0.6 * error(blurred, sharp) < none
