"""Networks that ship with the package: loaded by name, whole, and as good as their cards say."""

import json
from pathlib import Path

import numpy as np
import programs
import pytest

import inversenet_tf as inv
from inversenet_tf import shipped
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import within_frame
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.presets import WEIGHTS_FILE, load_preset, write_weights

MOST_BYTES = 12 * 2**20


def of_camera(kernel, noise):
    """[(measurement, sharp)] of the held-out photographs, as a camera takes them, 256 pixels."""
    source, generator = open_source("photos", HELD_OUT), np.random.default_rng(0)
    pairs = []
    for index in range(len(source)):
        blurred, sharp = within_frame(kernel, source.load(index)[:256, :256])
        noisy = blurred + noise * generator.standard_normal(blurred.shape)
        pairs.append((round_to_8_bits(noisy.astype(np.float32)).numpy(), sharp))
    return pairs


@pytest.mark.parametrize("name", inv.presets())
def test_a_card_tells_what_its_preset_is_and_how_it_was_made(name):
    card = json.loads((shipped.PRESETS / name / shipped.CARD_FILE).read_text())
    assert card["summary"] == inv.presets()[name]
    for field in ("data", "command", "seconds", "step", "versions", "scores", "fails_on"):
        assert card[field]
    assert all(entry["licence"] and entry["author"] for entry in card["data"])
    page = Path(programs.ROOT, "docs", "presets.md").read_text()
    assert f"## `{name}`" in page and card["command"].split()[1] in page


def test_together_they_are_small():
    files = [path for path in shipped.PRESETS.rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.parametrize(("noise", "gain"), [(0.0, -0.1), (0.01, 2.0), (0.03, 1.5)])
def test_any_blur_is_better_than_the_closed_form(noise, gain):
    """In dB, on photographs and with a kernel that its training never saw."""
    kernel = camera_shake(15, seed=3)
    preset, closed_form = inv.load("any_blur"), inv.load("closed_form")
    gains = []
    for measurement, image in of_camera(kernel, noise):
        one, other = (r(measurement, kernel, noise) for r in (preset, closed_form))
        gains.append(inv.metrics.psnr(one, image) - inv.metrics.psnr(other, image))
    assert np.mean(gains) > gain


def test_any_blur_leaves_a_sharp_photograph_as_it_is():
    point = np.ones((1, 1), np.float32)
    for image, _ in of_camera(camera_shake(3), 0.0):
        restored = inv.load("any_blur")(image, point, 0.0)
        assert inv.metrics.psnr(restored, image) > 45.0


def test_it_is_loaded_as_keras_users_know_it():
    model = InverseNet.from_preset("any_blur")
    measurement = np.full((1, 32, 32, 3), 0.5, np.float32)
    told = {"kernels": np.ones((1, 1, 1), np.float32), "noise_sigmas": np.zeros(1, np.float32)}
    restored = model({"measurements": measurement} | told)["restored"]
    assert restored.shape == measurement.shape
    with pytest.raises(ValueError, match="Expected one of any_blur.*Received: no_blur"):
        InverseNet.from_preset("no_blur")
    with pytest.raises(ValueError, match="a .tflite file.*any_blur.*closed_form"):
        inv.load("no_blur")


def test_weights_of_another_network_are_refused(tmp_path):
    for path in (shipped.PRESETS / "any_blur").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model, config, step = load_preset(tmp_path)
    assert step > 0 and config.operator.is_varied
    np.savez(tmp_path / WEIGHTS_FILE, inverter_000=np.zeros((4, 4, 3, 3), np.float32))
    with pytest.raises(ValueError, match=f"Expected in .*{WEIGHTS_FILE} the .* weights of the inv"):
        load_preset(tmp_path)


def test_a_card_that_was_edited_is_told_in_one_line(tmp_path):
    for path in (shipped.PRESETS / "any_blur").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / shipped.CARD_FILE).write_text('{"step": "many"}')
    with pytest.raises(ValueError, match="Expected step, of type int, in .*Received: 'many'"):
        load_preset(tmp_path)


@pytest.mark.parametrize("edit", [{"inverter": "other"}, {"width": -1}])
def test_a_config_that_was_edited_is_told_in_one_line(tmp_path, edit):
    for path in (shipped.PRESETS / "any_blur").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / CONFIG_FILE).read_text())
    config["network"] |= edit
    (tmp_path / CONFIG_FILE).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Expected .*network.* Received: "):
        load_preset(tmp_path)


def test_packed_weights_come_back_as_float16_keeps_them(tmp_path):
    for path in (shipped.PRESETS / "any_blur").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = load_preset(tmp_path)[0]
    generator = np.random.default_rng(0)
    values = [0.1 * generator.standard_normal(w.shape) for w in model.inverter.get_weights()]
    model.inverter.set_weights(values)
    write_weights(tmp_path, model.networks)
    for kept, value in zip(load_preset(tmp_path)[0].inverter.get_weights(), values, strict=True):
        np.testing.assert_allclose(kept, value, rtol=5e-4 if value.ndim > 1 else 1e-6, atol=1e-7)
