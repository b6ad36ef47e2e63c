"""Images of a class, restored by what sharp ones of it look like."""

import numpy as np
import pytest
from programs import run

import inversenet_tf as inv
from inversenet_tf.imaging.files.images import read_image, write_image
from inversenet_tf.imaging.metrics import psnr
from inversenet_tf.imaging.physics.class_likelihood import PosteriorMean
from inversenet_tf.restoration import image_model_restorer
from inversenet_tf.restoration.unknown_blur import model_of_class

SIDE = 16
RAMPS = np.linspace(0, 1, SIDE)


def members(count, seed):
    """Images of a class: three smooth patterns in random shares, [count, SIDE, SIDE, 3]."""
    generator = np.random.default_rng(seed)
    patterns = np.stack(
        [
            np.sin(6 * RAMPS)[:, None] * RAMPS,
            np.outer(RAMPS, RAMPS),
            np.cos(5 * np.add.outer(RAMPS, RAMPS)),
        ]
    )
    shares = generator.uniform(-0.2, 0.2, (count, 3, 3))
    noise = 0.01 * generator.standard_normal((count, SIDE, SIDE, 3))
    return np.float32(0.5 + np.einsum("npc,phw->nhwc", shares, patterns) + noise)


@pytest.fixture(scope="module")
def model():
    return inv.ImageModel.fit(members(200, seed=0))


def blurred(images, kernel):
    return inv.physics.Blur(kernel)(images).numpy()


def test_a_class_is_restored_better_than_natural_images(model):
    sharp, kernel = members(4, seed=1), inv.kernels.gaussian(7, 2.0)
    measurements = blurred(sharp, kernel) + 0.02 * np.random.default_rng(2).standard_normal(
        sharp.shape
    ).astype(np.float32)
    scores = {
        name: float(psnr(restorer(measurements, kernel=kernel, noise=0.02), sharp).numpy().mean())
        for name, restorer in {
            "class": inv.load("closed_form", image_model=model),
            "natural": inv.load("closed_form"),
        }.items()
    }
    assert scores["class"] > scores["natural"] + 6


def test_a_batch_of_several_kernels_and_noises_is_restored_as_image_by_image(model):
    restorer = inv.load("closed_form", image_model=model)
    shake, disk = np.float32(inv.kernels.linear_motion(5, 45)), np.ones((5, 5), np.float32) / 25
    kernels, noises = np.stack([shake, disk, shake, shake]), np.array([0.01, 0.01, 0.03, 0.01])
    measurements = members(4, seed=8)
    together = restorer.estimates(measurements, kernels, noises)["restored"]
    for each in zip(measurements, kernels, noises, together, strict=True):
        image, kernel, noise, restored = each
        alone = inv.load("closed_form", image_model=model)(image, kernel=kernel, noise=noise)
        np.testing.assert_allclose(restored, alone, atol=1e-5)
    assert np.abs(together[0] - restorer(measurements[0], kernel=disk, noise=0.01)).max() > 0.01


def test_factors_are_worked_out_once_for_a_kernel_and_a_noise(model, monkeypatch):
    made = []
    monkeypatch.setattr(
        image_model_restorer,
        "PosteriorMean",
        lambda *arguments: made.append(arguments) or PosteriorMean(*arguments),
    )
    restorer, kernel = inv.load("closed_form", image_model=model), np.ones((3, 3)) / 9
    for image in members(3, seed=9):
        restorer(image, kernel=kernel, noise=0.01)
    assert len(made) == 1
    restorer(image, kernel=kernel, noise=0.02)
    assert len(made) == 2


@pytest.mark.parametrize("shape", [(4, 3), (1, 6)])
def test_the_centre_of_a_kernel_is_where_it_is_for_every_restorer(model, shape):
    sharp = members(2, seed=3)
    kernel = np.random.default_rng(4).uniform(size=shape).astype(np.float32)
    restorer = inv.load("closed_form", image_model=model)
    restored = restorer(blurred(sharp, kernel / kernel.sum()), kernel=kernel)
    assert np.abs(restored - sharp).max() < 0.03


def test_measurements_of_another_size_are_refused(model):
    restorer = inv.load("closed_form", image_model=model)
    with pytest.raises(ValueError, match="of the shape of the image model"):
        restorer(np.zeros((1, 20, 16, 3), np.float32), kernel=np.ones((3, 3)) / 9)


def test_a_kernel_for_each_channel_is_refused(model):
    restorer = inv.load("closed_form", image_model=model)
    with pytest.raises(ValueError, match="one kernel for all channels"):
        restorer(members(1, seed=7), kernel=np.ones((3, 3, 3)))


def test_sharp_images_alone_are_no_image_model():
    with pytest.raises(ValueError, match="ImageModel.fit"):
        inv.load("closed_form", image_model=members(20, seed=0))


def test_a_sharp_image_of_another_size_is_named(tmp_path):
    for number, image in enumerate([*members(20, seed=0), members(1, seed=1)[0, :12]]):
        write_image(tmp_path / f"{number:02}.png", image)
    with pytest.raises(ValueError, match=r"12x16 pixels in .*20\.png, 16x16 in .*00\.png"):
        model_of_class(tmp_path, "circular")


def test_a_network_takes_no_image_model(model):
    with pytest.raises(ValueError, match="Expected an image model only with closed_form"):
        inv.load("any_blur", image_model=model)


def test_a_folder_is_restored_by_sharp_images_of_its_class(tmp_path):
    for number, image in enumerate(members(60, seed=5)):
        write_image(tmp_path / "sharp" / f"{number}.png", image)
    [sharp] = members(1, seed=6)
    kernel = inv.kernels.gaussian(5, 1.0)
    np.save(tmp_path / "kernel.npy", kernel)
    write_image(tmp_path / "blurred" / "one.png", blurred(sharp[np.newaxis], kernel)[0])
    run(
        "restore",
        "--preset=closed_form",
        f"--sharp_images={tmp_path}/sharp",
        f"--kernel={tmp_path}/kernel.npy",
        f"--input={tmp_path}/blurred",
        f"--output={tmp_path}/restored",
    )
    assert np.abs(read_image(tmp_path / "restored" / "one.png") - sharp).mean() < 0.015
