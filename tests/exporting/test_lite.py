import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from programs import run

from inversenet_tf.config import Config
from inversenet_tf.exporting import conversion, lite
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.exporting.lite import LiteRestorer, convert, read_metadata_of
from inversenet_tf.models.build import build_model
from inversenet_tf.serving.fresh_process import VerificationFailed

pytestmark = pytest.mark.usefixtures("untraced")

SIZES = [(1, 37, 53, 3), (3, 64, 64, 3), (1, 1, 5, 3), (1, 130, 96, 3), (2, 37, 53, 3)]


@pytest.fixture(scope="module", autouse=True)
def small_sizes():
    """For time; the program, in a process of its own, compares all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "SIZES", ((37, 53), (64, 64), (130, 96)))
        yield


def random_model(config):
    """Untrained, of weights that make more of an image than a gray."""
    model = build_model(config, with_discriminator=False)
    for weights in model.trainable_variables:
        if weights.name == "kernel":
            weights.assign(2.0 * weights)
    return model


def written_export(model, config, directory, **metadata):
    told = {"task": "", "precision": "float32", "config": dataclasses.asdict(config)}
    told["checkpoint"] = {"which": "best", "step": 0}
    return export_model(model, directory, told | metadata)


@pytest.fixture(scope="module")
def config(shared_image_folder):
    config = Config()
    config.data.train = config.data.validation = f"folder:{shared_image_folder}"
    config.data.size, config.network.depth = 32, 2
    return config


@pytest.fixture(scope="module")
def model(config):
    return random_model(config)


@pytest.fixture(scope="module")
def exported(model, config, tmp_path_factory):
    return written_export(model, config, tmp_path_factory.mktemp("models") / "deblur")


@pytest.fixture(scope="module")
def files(exported, tmp_path_factory):
    """{quantisation: file}, which the tests leave as they are."""
    folder = tmp_path_factory.mktemp("converted")
    paths = {kind: folder / f"{kind}.tflite" for kind in lite.QUANTIZATIONS}
    for kind, path in paths.items():
        convert(exported.parent, path, kind)
    return paths


@pytest.fixture
def converted_before(files, monkeypatch):
    """Takes what was converted already, without the metadata behind it, for time."""

    def converted(saved_model, kind):
        return files[kind].read_bytes()[: read_metadata_of(files[kind])["bytes"]["converted"]]

    monkeypatch.setattr(lite, "converted", converted)


def measurements_of(shape):
    coarse = np.random.default_rng(0).random((shape[0], 6, 6, 3))
    return tf.clip_by_value(tf.image.resize(coarse, shape[1:3], "bicubic"), 0, 1).numpy()


def test_one_file_restores_every_size_as_the_model(files, model):
    restore = LiteRestorer(files["none"], threads=1).estimates
    for shape in SIZES:
        measurements = measurements_of(shape)
        restored = restore(measurements)["restored"]
        assert restored.shape == shape
        np.testing.assert_allclose(restored, model.restore(measurements)["restored"], atol=1e-5)
    with pytest.raises(ValueError, match="Expected no kernel with a LiteRT file"):
        restore(measurements, np.ones((1, 1, 1)), np.zeros(1))
    assert restored.std() > 0.01


def test_sizes_are_set_by_resizing_the_input_too(files, model):
    """Without signatures, as old interpreters are used, the first output is the restored image."""
    interpreter = tf.lite.Interpreter(model_path=str(files["none"]))
    (taken,), (given, _) = interpreter.get_input_details(), interpreter.get_output_details()
    for shape in SIZES:
        measurements = measurements_of(shape)
        interpreter.resize_tensor_input(taken["index"], shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], measurements)
        interpreter.invoke()
        restored = interpreter.get_tensor(given["index"])
        np.testing.assert_allclose(restored, model.restore(measurements)["restored"], atol=1e-5)


@pytest.mark.parametrize(("quantize", "share"), [("dynamic_range", 0.3), ("float16", 0.6)])
def test_quantised_is_smaller_and_close(files, quantize, share):
    whole, quantised = files["none"], files[quantize]
    assert quantised.stat().st_size < share * whole.stat().st_size
    measurements = measurements_of(SIZES[0])
    expected, restored = (
        LiteRestorer(file).estimates(measurements)["restored"] for file in (whole, quantised)
    )
    assert 0 < np.abs(restored - expected).max() < 0.05


def test_a_file_says_what_it_was_made_of_and_what_it_costs(files, exported):
    for kind, path in files.items():
        metadata = read_metadata_of(path)
        assert metadata["quantization"] == kind
        assert metadata["export"]["version"] == exported.name == "1"
        assert metadata["images"]["multiple"] == 4 and "tensorflow" in metadata["versions"]
        assert metadata["bytes"]["converted"] <= path.stat().st_size
        check = metadata["check"]
        assert len(check["data"]["images"]) == 5 and len(check["image_sides"]) == 3
        assert abs(check["psnr"]["converted"] - check["psnr"]["export"]) < 0.5
        if kind == "none":
            assert 0 < check["largest_difference"] < 1e-5
        else:
            assert check["largest_difference"] > 1e-5
            assert 30 < check["least_psnr_against_export"] < 100


def test_only_its_own_files_are_told_of(tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(b"TFL3")
    for path in (other, tmp_path / "missing.tflite"):
        with pytest.raises(ValueError, match="inversenet convert"):
            read_metadata_of(path)
    with pytest.raises(ValueError, match="inversenet convert"):
        LiteRestorer(other)


def test_an_upsampling_model(config, tmp_path):
    """By bicubic interpolation, before its U-Net."""
    config = dataclasses.replace(
        config,
        operator=dataclasses.replace(config.operator, name="downsampling", scale=2),
        network=dataclasses.replace(config.network, dae_condition="none"),
    )
    config.validate()
    network = random_model(config)
    output = tmp_path / "upsample.tflite"
    convert(written_export(network, config, tmp_path / "export"), output)
    measurements = measurements_of(SIZES[0])
    restored = LiteRestorer(output)(measurements)
    assert restored.shape == (1, 74, 106, 3)
    np.testing.assert_allclose(restored, network.restore(measurements)["restored"], atol=1e-5)


def test_operations_that_are_lacking_are_named(config, tmp_path):
    network = dataclasses.replace(config.network, inverter="neural_deblur", denoiser="none")
    config = dataclasses.replace(config, network=network)
    exported = written_export(random_model(config), config, tmp_path / "export")
    with pytest.raises(ValueError, match="builtin operations. Received: one .* IRFFT2D") as refused:
        convert(exported, tmp_path / "model.tflite")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.glob("*.tflite"))


def test_other_precisions_and_other_exports_are_refused(model, config, tmp_path):
    output = tmp_path / "model.tflite"
    half = written_export(model, config, tmp_path / "half", precision="mixed_bfloat16")
    with pytest.raises(ValueError, match="--precision=float32. Received: mixed_bfloat16"):
        convert(half, output)
    with pytest.raises(ValueError, match="export of an InverseNet's run"):
        convert(export_model(model, tmp_path / "bare"), output)
    with pytest.raises(ValueError, match="Expected a SavedModel"):
        convert(tmp_path, output)
    with pytest.raises(ValueError, match="quantize"):
        convert(half, output, "int8")
    assert not output.exists()


def test_what_differs_too_much_does_not_appear(exported, converted_before, tmp_path, monkeypatch):
    output = tmp_path / "model.tflite"
    monkeypatch.setattr(conversion, "TOLERANCE", 1e-12)
    with pytest.raises(VerificationFailed, match="at most 1e-12. Received: "):
        convert(exported, output)
    monkeypatch.setattr(conversion, "LEAST_PSNR", 150.0)
    with pytest.raises(VerificationFailed, match="150 dB or more. Received: "):
        convert(exported, output, "dynamic_range")
    assert not list(tmp_path.iterdir())


def test_a_file_is_whole_or_absent_and_stays_unasked(
    exported, converted_before, tmp_path, monkeypatch
):
    output = tmp_path / "model.tflite"
    output.write_text("mine")
    with pytest.raises(ValueError, match="which exists"):
        convert(exported, output)
    with monkeypatch.context() as patch:
        patch.setattr("inversenet_tf.imaging.files.atomic.os.replace", None)
        with pytest.raises(TypeError):
            convert(exported, output, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    assert output.read_text() == "mine"
    convert(exported, output, overwrite=True)
    assert read_metadata_of(output)["quantization"] == "none"


def test_the_program_tells_what_was_compared_and_nothing_else(exported, tmp_path, image_folder):
    output = tmp_path / "model.tflite"
    arguments = (f"--export={exported}", f"--output={output}", f"--data=folder:{image_folder}")
    done = run("convert", *arguments)
    assert done.returncode == 0, done.stderr
    assert "MiB" in done.stdout and "Against the true images" in done.stdout
    assert not any(word in done.stderr for word in ("XNNPACK", "loc(", "deprecated"))
    check = read_metadata_of(output)["check"]
    assert len(check["image_sides"]) == 4
    assert check["data"]["source"] == f"folder:{image_folder}"
