"""The Python API as a user has it: `import inversenet_tf as inv`."""

import inspect
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from loopback_server import LoopbackServer

import inversenet_tf as inv
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import read_config
from inversenet_tf.exporting.lite import convert
from inversenet_tf.imaging.physics.operators import Compose, Downsampling
from inversenet_tf.serving.saved_models import read_metadata

pytestmark = pytest.mark.usefixtures("untraced")


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, inversenet_tf; print({'tensorflow', 'numpy', 'keras'} & sys.modules.keys())"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "set()", output.stderr


def test_every_public_name_is_there():
    for name in inv.__all__:
        assert getattr(inv, name) is not None
    assert set(inv.__all__) <= set(dir(inv))
    with pytest.raises(AttributeError, match="no attribute 'restoer'"):
        inv.restoer  # noqa: B018


def test_a_run_and_its_export_restore_an_image_in_three_lines(
    shared_run, shared_export, image_folder, tmp_path
):
    image = inv.read_image(image_folder / "0.png")
    restored = inv.load(shared_run)(image)
    assert restored.shape == image.shape and restored.dtype == np.float32
    inv.write_image(tmp_path / "restored.png", restored)
    np.testing.assert_allclose(inv.load(shared_export)(image), restored, atol=1e-5)


def test_restorers_of_every_kind_are_interchangeable(shared_run, shared_export, tmp_path):
    """The same methods, the same keys and, without quantisation, the same images."""
    convert(shared_export, tmp_path / "model.tflite")
    measurements = np.random.default_rng(0).random((2, 20, 30, 3)).astype(np.float32)
    with LoopbackServer(shared_export, "mine") as server:
        address = f"http://127.0.0.1:{server.rest_port}/mine"
        places = [shared_run, shared_export / "1", tmp_path / "model.tflite", address]
        restorers = [inv.load(place) for place in places]
        own, *others = (restorer.estimates(measurements) for restorer in restorers)
        assert len({restorer.spec.scale for restorer in restorers}) == 1
        methods = [{name for name in dir(restorer) if name[0] != "_"} for restorer in restorers]
        assert all(names == methods[0] for names in methods)
    assert np.abs(own["inverted"] - own["restored"]).max() > 1e-3
    for estimates in others:
        assert estimates.keys() == own.keys() == {"inverted", "restored"}
        for name, images in own.items():
            np.testing.assert_allclose(estimates[name], images, atol=2e-5)


def test_arrays_of_every_form_are_restored(trained):
    restorer = inv.load(trained)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    from_floats = restorer(pixels / 255)
    np.testing.assert_allclose(restorer(pixels), from_floats, atol=1e-6)
    np.testing.assert_allclose(restorer(pixels.astype(np.uint16) * 257), from_floats, atol=1e-6)
    np.testing.assert_allclose(restorer(pixels[None])[0], from_floats, atol=1e-6)
    assert restorer(pixels[..., 0]).shape == (20, 30)
    assert restorer(pixels[..., :1]).shape == (20, 30, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 2, 2, 2, 3)),
            r"Expected an image \[height.*shape \(2, 2, 2, 2, 3\)",
        ),
        (np.zeros((0, 8, 3)), "none of them empty"),
        (np.zeros((8, 8, 2)), "Expected images of 3 channels or gray ones"),
        (np.full((8, 8, 3), 128.0), r"Expected values in \[0, 1\].*divide by 255"),
        (np.full((8, 8, 3), np.nan), "Expected finite values"),
        (np.zeros((8, 8, 3), np.int64), "unsigned integers of 8 or 16 bits. Received: int64"),
    ],
)
def test_arrays_that_are_no_images_are_refused_in_a_line(trained, images, message):
    with pytest.raises(ValueError, match=message):
        inv.load(trained)(images)


def test_a_place_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a work directory, an export"):
        inv.load(tmp_path / "nothing")


def test_a_run_with_a_blur_of_the_callers_own_keeps_its_kernel(bare_config, tmp_path):
    blur = inv.physics.Blur(0.5 * inv.kernels.camera_shake(5, seed=1), boundary="reflect")
    inv.train(bare_config, tmp_path / "run", operator=blur)
    inv.train(read_config(tmp_path / "run", Config), tmp_path / "run")  # which goes on with it
    results = inv.evaluate(tmp_path / "run")
    assert results["config"]["operator"]["boundary"] == "reflect"
    np.testing.assert_allclose(np.load(tmp_path / "run" / "kernel.npy"), blur.kernel)
    assert results.methods["restored"]["psnr"] == results["methods"]["restored"]["psnr"]
    plain = results.to_dict()
    assert type(plain) is dict and plain == results
    plain["methods"].clear()
    assert results.methods  # of which that was a copy
    lines = str(results).splitlines()
    assert lines[0].startswith("6 images of folder:") and lines[-1].startswith("restored")


def test_an_operator_and_noise_of_the_callers_own_are_asked_for_again(
    bare_config, tmp_path, monkeypatch
):
    class Darker(inv.physics.Operator):
        def __call__(self, images):
            return 0.5 * images

        def adjoint(self, measurements, image_shape):
            return 0.5 * measurements

    measured = []

    def noise(measurements, seeds):
        measured.append(seeds.shape)
        return measurements + 0.1

    workdir = tmp_path / "run"
    inv.train(bare_config, workdir, operator=Darker(), noise=noise)
    assert measured
    with pytest.raises(ValueError, match="as operator=... in Python"):
        inv.evaluate(workdir)
    with pytest.raises(ValueError, match="as noise=... in Python"):
        inv.evaluate(workdir, operator=Darker())
    brighter = inv.evaluate(workdir, operator=Darker(), noise=lambda y, seeds: y * 2.0)
    assert brighter["methods"]["degraded"]["psnr"] > 58  # as the noise undoes the operator
    assert brighter["degradation"] == "the caller's own operator, the caller's own noise"
    monkeypatch.setattr("inversenet_tf.exporting.verification.SIZES", ((37, 53),))
    version = inv.export(workdir, tmp_path / "export", verify=True)
    assert read_metadata(version)["verification"]["largest_difference"] <= 1e-5
    check = convert(version, tmp_path / "model.tflite")["check"]
    assert check["psnr"] is None and check["largest_difference"] < 1e-4


def test_the_example_of_a_training_with_an_operator_of_ones_own_runs(
    bare_config, tmp_path, monkeypatch
):
    (example,) = re.findall(r"```python\n(.+?)```", inv.train.__doc__, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inv.recipes, "quickstart", lambda: bare_config)
    defined = {}
    exec(textwrap.dedent(example), defined)
    images = np.full((2, 8, 8, 3), 0.5, np.float32)
    measurements = defined["Vignette"]()(images)
    assert measurements[0, 0, 0, 0] < 0.3 and measurements[0, 4, 4, 0] > 0.48
    noise = defined["shot_noise"](measurements, np.array([[1, 2], [3, 4]], np.int64)) - measurements
    assert np.std(noise) == pytest.approx(0.013, rel=0.2)


@pytest.mark.parametrize("name", sorted(set(inv.__all__) - {"__version__"}))
def test_public_functions_carry_annotations(name):
    value = getattr(inv, name)
    members = vars(value).items() if inspect.isclass(value) else [(name, value)]
    if inspect.ismodule(value) and name in ("recipes", "metrics"):
        members = [
            (n, f) for n, f in vars(value).items() if getattr(f, "__module__", 0) == value.__name__
        ]
    for member, function in members:
        if not inspect.isfunction(function) or (member[0] == "_" and member != "__call__"):
            continue
        signature = inspect.signature(function)
        arguments = [p for n, p in signature.parameters.items() if n != "self"]
        assert all(p.annotation is not p.empty for p in arguments), f"{name}: {member}"
        assert signature.return_annotation is not signature.empty, f"{name}: {member}"


def test_metrics_need_no_profile():
    image = np.zeros((16, 16, 3), np.float32)
    assert float(inv.metrics.psnr(image + 0.1, image)) == pytest.approx(20.0, abs=0.2)
    assert inv.metrics.ssim(image[None], image[None]).shape == (1,)


def test_physics_composes():
    operator = Compose(inv.physics.Blur(inv.kernels.flat(3)), Downsampling(2))
    assert operator(np.ones((1, 8, 8, 3), np.float32)).shape == (1, 4, 4, 3)
