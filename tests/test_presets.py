"""Networks that ship with the package: loaded by name, whole, and as good as their cards say."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import programs
import pytest
from PIL import Image

import blind_gan_tf as blind
import inversenet_tf as inv
from blind_gan_tf.prior import save_prior
from inversenet_tf import shipped
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.imaging.baselines.lmmse import lmmse
from inversenet_tf.imaging.config import OperatorConfig
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.files.pixels import from_integers, to_uint8
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import build_operator, within_frame
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.presets import WEIGHTS_FILE, load_preset, write_weights
from inversenet_tf.restoration.image_spec import spec_of
from inversenet_tf.restoration.tiling import restore_pixels

MOST_BYTES = 12 * 2**20
X4_GAINS = (0.8, 0.4)  # dB over bicubic interpolation and over the linear optimum
DIGITS_GAIN = 1.0  # dB over independent components


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


def test_a_card_tells_the_memory_that_a_pixel_takes():
    """So that no graph is traced for it before a photograph is restored."""
    model, _, _ = load_preset(shipped.preset_folder("any_blur"))
    told = inv.load("any_blur").spec
    assert told.bytes_per_pixel == pytest.approx(spec_of(model).bytes_per_pixel, rel=0.01)
    assert told == spec_of(model, told.bytes_per_pixel)


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


def scaled_down(image):
    """(what a program stores of a photograph that it scaled down by four, the photograph)."""
    sides = [side // 4 * 4 for side in image.shape[:2]]
    image = image[: sides[0], : sides[1]]
    small = Image.fromarray(to_uint8(image)).resize((sides[1] // 4, sides[0] // 4), Image.BICUBIC)
    return np.asarray(small), image


def enlarged(small):
    """Bicubic interpolation by Pillow, and the restoration by the preset."""
    size = (4 * small.shape[1], 4 * small.shape[0])
    interpolated = np.asarray(Image.fromarray(small).resize(size, Image.BICUBIC))
    return from_integers(interpolated), inv.load("x4_photos")(from_integers(small))


def test_x4_photos_is_better_than_the_linear_optimum_and_bicubic_interpolation():
    """In dB, on photographs that its training never saw, scaled by another program."""
    source = open_source("photos", HELD_OUT)
    operator = build_operator(
        OperatorConfig("downsampling", 4, boundary="reflect", kernel="bicubic")
    )
    gains = []
    for index in range(len(source)):
        small, image = scaled_down(source.load(index))
        interpolated, restored = enlarged(small)
        batch = from_integers(small)[np.newaxis]
        settings = {"boundary": "reflect", "scale": 4, "phase": operator.phase}
        optimum = lmmse(batch, operator.kernel, **settings)[0]
        scores = [inv.metrics.psnr(e, image) for e in (restored, interpolated, optimum)]
        gains.append([scores[0] - score for score in scores[1:]])
    assert np.all(np.mean(gains, axis=0) > X4_GAINS)


def test_x4_photos_seeks_no_blur_and_takes_no_kernel(tmp_path):
    restorer = inv.load("x4_photos")
    assert restorer.kernel_use == "none" and restorer.spec.scale == 4
    with pytest.raises(ValueError, match="kernel"):
        restorer(np.zeros((16, 16, 3), np.float32), kernel=np.ones((3, 3), np.float32))
    small = scaled_down(open_source("photos", HELD_OUT).load(0))[0][:24, :40]
    Image.fromarray(small).save(tmp_path / "small.png")
    where = (f"--input={tmp_path / 'small.png'}", f"--output={tmp_path / 'r'}")
    ended = programs.run("restore", "--preset=x4_photos", *where)
    assert ended.returncode == 0, ended.stderr
    with Image.open(tmp_path / "r" / "small.png") as large:
        assert large.size == (160, 96)


def test_x4_photos_in_tiles_is_x4_photos():
    restorer = inv.load("x4_photos")
    small = scaled_down(open_source("photos", HELD_OUT).load(1))[0]
    whole = restore_pixels(restorer, small)
    limit = whole.shape[0] * whole.shape[1] // 16 * restorer.spec.bytes_per_pixel / 2
    tiled = restore_pixels(restorer, small, max_memory=limit)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.slow
def test_digits_are_separated_better_than_by_independent_components(tmp_path):
    """Held-out digits, four mixtures of each three; a search of seconds."""
    prior = blind.Prior.load("digits")
    assert prior.image_shape == (32, 32, 1) and prior.generator.weights[0].dtype == "float32"
    config = blind.recipes.separate_digits(mixtures=4)
    config.prior, config.precision, config.methods = "digits", "float32", ("ica", "blind")
    config.problem.number = config.problem.group_size = 4
    config.search.rounds, config.search.random_starts, config.search.screening_rounds = 6, 2, 2
    scores = blind.run_inversion(config, tmp_path)["methods"]
    assert scores["blind"]["psnr"] > scores["ica"]["psnr"] + DIGITS_GAIN


def test_a_prior_is_no_network_that_restores():
    for loaded in (inv.load, InverseNet.from_preset):
        with pytest.raises(ValueError, match="restores images. Received: digits, a prior"):
            loaded("digits")


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
    with pytest.raises(
        ValueError, match=f"Expected .*{WEIGHTS_FILE} to hold the .* weights of the inv"
    ):
        load_preset(tmp_path)


def test_a_prior_is_made_a_preset_without_the_places_of_its_images(tmp_path):
    workdir, output = tmp_path / "run", tmp_path / "preset"
    shutil.copytree(Path(__file__).parent / "fixtures" / "written_before_rooms" / "prior", workdir)
    written = json.loads((workdir / "config.json").read_text())
    written["data"]["train"] = written["data"]["validation"] = "folder:/secret/faces"
    (workdir / "config.json").write_text(json.dumps(written))
    trained = blind.Prior.load(workdir)
    trained.training["config"]["data"]["train"] = "folder:/secret/faces"
    save_prior(trained, workdir / "prior.keras")
    (tmp_path / "card.json").write_text('{"summary": "Faces."}')
    arguments = (f"--workdir={workdir}", f"--output={output}", f"--card={tmp_path}/card.json")
    made = programs.run("make_preset", *arguments)
    assert made.returncode == 0, made.stderr
    assert "secret" not in (output / "config.json").read_text()
    with zipfile.ZipFile(output / "prior.keras") as archive:
        assert b"secret" not in archive.read("config.json")
    kept = blind.Prior.load(output)
    assert kept.training_data().train == "" and kept.training["step"] == trained.training["step"]


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
