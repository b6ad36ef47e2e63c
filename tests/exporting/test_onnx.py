"""An export as a file of ONNX; what needs packages of its own is skipped where they are missing."""

import dataclasses
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from programs import run

from inversenet_tf.config import Config
from inversenet_tf.exporting import conversion
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.exporting.onnx import OnnxRestorer, convert_to_onnx
from inversenet_tf.loading import load
from inversenet_tf.models.build import build_model
from inversenet_tf.restoration.signature_names import INTERMEDIATE

SHAPES = [(1, 37, 53, 3), (3, 64, 64, 3), (1, 1, 5, 3), (1, 100, 31, 3)]


@pytest.fixture(scope="module", autouse=True)
def small_sizes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "SIZES", ((37, 53), (64, 64)))
        yield


def written_export(folder, directory, inverter, denoiser):
    """Of untrained networks."""
    config = Config()
    config.data.train = config.data.validation = f"folder:{folder}"
    config.data.size, config.network.depth, config.network.width = 32, 2, 8
    config.network.inverter, config.network.denoiser = inverter, denoiser
    told = {"task": "", "precision": "float32", "config": dataclasses.asdict(config)}
    told["checkpoint"] = {"which": "best", "step": 0}
    return export_model(build_model(config, with_discriminator=False), directory, told)


@pytest.fixture(scope="module")
def exported(shared_image_folder, tmp_path_factory):
    """The paper's two networks."""
    directory = tmp_path_factory.mktemp("models") / "deblur"
    return written_export(shared_image_folder, directory, "unet", "dae")


@pytest.fixture(scope="module")
def signature(exported):
    loaded = tf.saved_model.load(str(exported))
    restore = loaded.signatures[INTERMEDIATE]
    return lambda images: (loaded, restore(measurements=tf.constant(images)))[1]


def test_a_network_with_fourier_transforms_is_refused(shared_image_folder, tmp_path):
    """In one line, before anything is written, whether ONNX is installed or not."""
    exported = written_export(shared_image_folder, tmp_path / "solver", "solver_unet", "none")
    output = tmp_path / "solver.onnx"
    flags = [f"--export={exported}", f"--output={output}", "--to=onnx"]
    refused = run("convert", *flags)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    said = refused.stderr.splitlines()[-1]
    assert "Expected a network without Fourier transforms" in said and "RFFT2D" in said
    assert not output.exists()


def test_quantised_weights_are_litert_s_alone(tmp_path):
    flags = [f"--output={tmp_path / 'm.onnx'}", "--to=onnx", "--quantize=float16"]
    refused = run("convert", f"--export={tmp_path}", *flags)
    assert refused.returncode == 1
    assert "Error: Expected --to=litert with --quantize" in refused.stderr


def test_one_file_restores_every_size_as_the_export(exported, signature, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "deblur.onnx"
    told = convert_to_onnx(exported.parent, path)
    assert told["check"]["largest_difference"] < 1e-5
    restorer = load(path)
    assert isinstance(restorer, OnnxRestorer) and restorer._metadata_of(path) == told
    assert restorer.spec == load(exported).spec
    for shape in SHAPES:
        measurements = np.random.default_rng(0).random(shape, np.float32)
        estimates, expected = restorer.estimates(measurements), signature(measurements)
        assert estimates.keys() == expected.keys()
        for name, images in expected.items():
            np.testing.assert_allclose(estimates[name], images, atol=1e-5)
    with pytest.raises(ValueError, match="Expected a new file"):
        convert_to_onnx(exported, path)


def test_what_is_no_file_of_onnx_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "other.onnx"
    path.write_bytes(b"none")
    with pytest.raises(ValueError, match="Expected an ONNX file"):
        load(path)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, "inversenet convert`. Received: .*other.onnx, another's"),
        ({"inversenet_tf": "[1]"}, r"Expected metadata in .*other.onnx. Received: \[1\]"),
        ({"inversenet_tf": "{1"}, "inversenet convert`. Received: .*other.onnx: "),
        ({"inversenet_tf": "{}"}, "Expected the fields of a ImageSpec. Received: None"),
    ],
)
def test_a_file_of_others_is_refused_when_it_is_loaded(tmp_path, monkeypatch, told, message):
    session = types.SimpleNamespace(
        get_modelmeta=lambda: types.SimpleNamespace(custom_metadata_map=told)
    )
    runtime = types.ModuleType("onnxruntime")
    runtime.SessionOptions = types.SimpleNamespace
    runtime.InferenceSession = lambda *_, **__: session
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    (tmp_path / "other.onnx").write_bytes(b"none")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "other.onnx")


def test_openvino_reads_the_export_itself(exported, signature):
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    model = core.read_model(exported)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in SHAPES[:2]:
        measurements = np.random.default_rng(0).random(shape, np.float32)
        [restored] = compiled({"measurements": measurements}).values()
        np.testing.assert_allclose(restored, signature(measurements)["restored"], atol=1e-5)
