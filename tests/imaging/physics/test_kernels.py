import dataclasses

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from inversenet_tf.imaging.config import SIGNED_KERNELS, OperatorConfig
from inversenet_tf.imaging.physics import kernels
from inversenet_tf.imaging.physics.operators import build_operator

SIZED = sorted(kernels.KERNELS.keys() - {"file", "bicubic", *SIGNED_KERNELS})


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [3, 8, 9])
def test_kernels_are_distributions(name, size):
    config = dataclasses.replace(OperatorConfig(), kernel_size=size)
    kernel = kernels.KERNELS[name](config)
    assert kernel.shape == ((size, size, 3) if name == "chromatic" else (size, size))
    assert kernel.dtype == np.float32
    assert kernel.min() >= 0
    np.testing.assert_allclose(kernel.sum(axis=(0, 1)), 1, rtol=1e-6)


def test_linear_motion_runs_along_its_angle():
    level = kernels.linear_motion(9, angle=0)
    np.testing.assert_allclose(level[4], level[4].sum() * level[4])  # all mass in the middle row
    assert level[4].sum() == pytest.approx(1)
    rising = kernels.linear_motion(9, angle=45)
    np.testing.assert_allclose(rising, rising.T, atol=1e-6)
    assert rising[0, 8] > 0 and rising[8, 0] > 0 and rising[0, 0] == 0
    # The line ends in the corners, a pixel off the diagonal gets what bilinear drawing spills.
    assert np.fliplr(rising).trace() > 0.6


def test_camera_shake_depends_on_its_seed_alone():
    np.testing.assert_array_equal(kernels.camera_shake(9, 3), kernels.camera_shake(9, 3))
    assert np.abs(kernels.camera_shake(9, 3) - kernels.camera_shake(9, 4)).max() > 0.01


def test_gaussian_has_its_variance():
    kernel = kernels.gaussian(31, sigma=2.5)
    offsets = np.arange(31) - 15
    assert (kernel.sum(axis=0) * offsets**2).sum() == pytest.approx(2.5**2, rel=1e-3)


@pytest.mark.parametrize("sigma", [0, -1.0, float("nan")])
def test_a_gaussian_without_a_width_is_refused(sigma):
    with pytest.raises(ValueError, match="Expected a finite sigma > 0"):
        kernels.gaussian(9, sigma)


@pytest.mark.parametrize(("kind", "width"), [("gaussian", 0.01), ("disk", 0.1)])
def test_a_kernel_that_falls_between_the_pixels_is_refused(kind, width):
    with pytest.raises(ValueError, match="positive sum. Received: a sum of 0.0"):
        getattr(kernels, kind)(8, width)
    assert getattr(kernels, kind)(9, width).max() == 1  # it has a pixel in the middle


def test_chromatic_is_sharpest_in_red():
    kernel = kernels.chromatic(9, sigma=1.0)
    for channel, sigma in enumerate([0.75, 1.0, 1.25]):
        np.testing.assert_array_equal(kernel[..., channel], kernels.gaussian(9, sigma))


def test_a_kernel_of_three_channels_survives_its_file(tmp_path):
    kernel = kernels.chromatic(9)
    np.save(tmp_path / "k.npy", kernel)
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.npy"), kernel, rtol=1e-6)
    np.save(tmp_path / "scaled.npy", kernel * [1, 2, 3])
    np.testing.assert_allclose(kernels.from_file(tmp_path / "scaled.npy"), kernel, rtol=1e-6)


def test_a_mismatched_kernel_is_the_kernel_turned():
    for kernel in (kernels.camera_shake(9, 3), kernels.chromatic(8, sigma=1.0)):
        turned = kernels.mismatched(kernel)
        assert turned.shape == kernel.shape and turned.dtype == np.float32
        assert turned.min() >= 0
        np.testing.assert_allclose(turned.sum(axis=(0, 1)), 1, rtol=1e-6)
        np.testing.assert_allclose(kernels.mismatched(kernel, 90), np.rot90(kernel), atol=1e-6)


@pytest.mark.parametrize("angle", [20, 110])
def test_ten_degrees_are_ten_degrees(angle):
    """The direction of a motion is the principal axis of its kernel's second moments."""

    def direction(kernel):
        y, x = np.indices(kernel.shape) - (np.array(kernel.shape) - 1)[:, None, None] / 2
        moments = [[(kernel * a * b).sum() for a in (x, -y)] for b in (x, -y)]
        axis = np.linalg.eigh(moments)[1][:, -1]
        return np.degrees(np.arctan2(axis[1], axis[0])) % 180

    kernel = kernels.linear_motion(21, angle)
    assert direction(kernel) == pytest.approx(angle, abs=0.5)
    assert direction(kernels.mismatched(kernel)) == pytest.approx(angle + 10, abs=1)


def test_kernels_from_files(tmp_path):
    values = np.arange(1, 7, dtype=np.float64).reshape(2, 3)
    expected = values / values.sum()
    np.save(tmp_path / "k.npy", values)
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.npy"), expected, rtol=1e-6)
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "k.png")
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.png"), expected, rtol=1e-6)
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.ones((3, 3)), values
    scipy.io.savemat(tmp_path / "k.mat", {"kernels": cells})
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.mat", 1), expected, rtol=1e-6)
    with h5py.File(tmp_path / "v73.mat", "w") as file:
        file["#refs#/a"] = values.T
        file.create_dataset("kernels", (1, 1), h5py.ref_dtype)
        file["kernels"][0, 0] = file["#refs#/a"].ref
    np.testing.assert_allclose(kernels.from_file(tmp_path / "v73.mat"), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "count"), [("Levin09.mat", 8), ("kernels_12.mat", 12)])
def test_the_kernels_of_the_field_are_read(shared_data, name, count):
    """Levin et al. 2009 comes as MATLAB 7.3, the other as MATLAB 5; all of theirs sum to 1."""
    path = shared_data / "kernels" / name
    for index in (0, count // 2, count - 1):
        kernel = kernels.from_file(path, index)
        assert kernel.shape[0] == kernel.shape[1] >= 13
        assert kernel.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match=f"{count} kernels"):
        kernels.from_file(path, count)


@pytest.mark.parametrize(
    "values",
    [
        -np.ones((3, 3)),
        np.zeros((3, 3)),
        np.full((2, 2), np.nan),
        np.ones((3, 3, 2)),
        np.ones((3, 3, 3)) * [1, 0, 1],
        np.ones((0, 3)),
    ],
)
def test_values_that_make_no_kernel_are_refused(tmp_path, values):
    np.save(tmp_path / "k.npy", values)
    with pytest.raises(ValueError, match="non-negative|elements along every axis"):
        kernels.from_file(tmp_path / "k.npy")


def test_a_16_bit_kernel_keeps_its_shape(tmp_path):
    kernel = kernels.gaussian(9, 2.0)
    stored = np.round(kernel / kernel.max() * 65535).astype(np.uint16)
    Image.fromarray(stored).save(tmp_path / "k.png")
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.png"), kernel, atol=1e-6)


@pytest.mark.parametrize("name", ["k.png", "k.npy", "k.mat"])
def test_unreadable_kernels_are_named(tmp_path, name):
    (tmp_path / name).write_text("no kernel")
    with pytest.raises(ValueError, match=f"Expected a kernel in .*{name}"):
        kernels.from_file(tmp_path / name)


def test_missing_kernels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: .*nowhere.npy"):
        kernels.from_file(tmp_path / "nowhere.npy")
    np.save(tmp_path / "k.npy", np.ones((2, 2)))
    with pytest.raises(ValueError, match="index=1"):
        kernels.from_file(tmp_path / "k.npy", 1)


def test_the_edge_kernel_is_the_papers():
    np.testing.assert_array_equal(kernels.sobel(), [[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_kernel_scales_down_as_pillow_does(scale):
    """Away from the border, where Pillow leaves out what is beyond it."""
    image = np.random.default_rng(0).random((24 * scale, 30 * scale)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(image).resize((30, 24), Image.Resampling.BICUBIC))
    config = OperatorConfig("downsampling", scale, kernel="bicubic")
    config.validate()
    ours = build_operator(config)(image[np.newaxis, ..., np.newaxis])[0, ..., 0]
    np.testing.assert_allclose(ours[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=1e-5)
    kernel = kernels.bicubic(scale)
    assert kernel.dtype == np.float32 and kernel.min() < 0
    np.testing.assert_allclose(kernel.sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("values", ["kernel.png", [[1, 2], [3]], [["a"]], None])
def test_what_is_no_array_is_no_kernel(values):
    with pytest.raises(ValueError, match="Expected a matrix, or three, of .* Received: "):
        kernels.blur_kernel(values)
