import json
import re

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from inversenet_tf import evaluation
from inversenet_tf.config import Config
from inversenet_tf.evaluation import evaluate, format_table
from inversenet_tf.exporting import inversenet as exporting
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.config import NoiseConfig, OperatorConfig
from inversenet_tf.imaging.data.pairs import evaluation_pairs
from inversenet_tf.imaging.files.pixels import from_integers, to_uint8
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.operators import Blur, build_operator
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.presets import kept_spectrum
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.shipped import preset_folder
from inversenet_tf.trained_run import load_trained

pytestmark = pytest.mark.usefixtures("untraced")


def test_results_say_what_was_measured_and_how(trained, shared_image_folder):
    results = evaluate(trained)
    assert results == json.loads((trained / "results.json").read_text())
    assert list(results["methods"]) == ["degraded", "wiener", "lmmse", "inverted", "restored"]
    assert results["number_of_images"] == 6
    assert results["images"][0] == "0.png"
    assert results["data"]["source"] == f"folder:{shared_image_folder}"
    assert results["config"]["training"]["batch_size"] == 4
    assert results["metrics"]["data_range"] == 1.0
    assert "tensorflow" in results["versions"]
    for scores in results["methods"].values():
        per_image = [image["psnr"] for image in scores["per_image"]]
        assert len(per_image) == 6
        assert scores["psnr"] == pytest.approx(np.mean(per_image))
    assert (trained / "comparison.png").stat().st_size > 10_000
    assert "wiener" in format_table(results["methods"])


def test_degraded_is_the_score_of_the_stored_measurement(trained, image_folder):
    import scipy.ndimage
    from PIL import Image

    from inversenet_tf.imaging.physics.kernels import linear_motion

    image = from_integers(np.asarray(Image.open(image_folder / "0.png")))[4:36, 8:40]
    blurred = scipy.ndimage.convolve(image, linear_motion(9)[..., None], mode="wrap")
    expected = peak_signal_noise_ratio(to_uint8(image), to_uint8(blurred))
    psnr = evaluate(trained, limit=1)["methods"]["degraded"]["per_image"][0]["psnr"]
    assert psnr == pytest.approx(expected, abs=0.01)


def test_pairs_of_the_user_have_no_known_kernel(trained, image_folder, darker_folder):
    results = evaluate(trained, data=f"pairs:{image_folder},{darker_folder}", limit=3)
    assert list(results["methods"]) == ["degraded", "inverted", "restored"]
    assert results["number_of_images"] == 3
    # Light of levels 0 to 255, all as frequent, and half of it: a mean square error of 1/12.
    assert results["methods"]["degraded"]["psnr"] == pytest.approx(10 * np.log10(12), abs=0.2)
    [place] = (trained / "evaluations").iterdir()
    written = (place / "results.json").read_text()
    assert json.loads(written, parse_constant=pytest.fail) == results


@pytest.fixture
def nothing_is_scored(monkeypatch):
    """For tests of where results go: all images get the same scores, and no model is exported."""

    def score(methods, source, operator, config, *, limit, noise, side):
        count = min(limit or len(source), len(source))
        scores = {"psnr": 20.0, "ssim": 0.5}
        examples = [{"truth": np.zeros((8, 8, 3), np.float32)}]
        return {"restored": scores | {"per_image": [scores] * count}}, examples

    monkeypatch.setattr(evaluation, "score", score)
    monkeypatch.setattr(exporting, "export_model", lambda model, output, metadata, check: metadata)


def test_no_evaluation_overwrites_that_of_another_kind(
    trained, image_folder, tmp_path, nothing_is_scored
):
    """And the scores of an export are those of the run's own images, of the same weights."""
    own = evaluate(trained)
    kept = {name: (trained / name).read_bytes() for name in ("results.json", "comparison.png")}
    folder = f"folder:{image_folder}"
    for options, expected in (
        ({"data": folder}, r"[\w.-]+-images-[0-9a-f]{8}"),
        ({"data": f"{folder}/"}, None),  # once more the same
        ({"limit": 2}, "first-2"),
        ({"which": "last"}, None),  # what it does without test images
        ({"which": "best"}, "best"),
        ({"data": folder, "limit": 2, "which": "last"}, r"[\w.-]+-[0-9a-f]{8}-first-2-last"),
        ({"noise": NoiseConfig(gaussian_sigma=0.1)}, "noise-[0-9a-f]{8}"),
        ({"operator": Blur(linear_motion(5, 10.0))}, "operator-[0-9a-f]{8}"),
    ):
        before = {path.name for path in (trained / "evaluations").glob("*")}
        results = evaluate(trained, **options)
        new = {path.name for path in (trained / "evaluations").iterdir()} - before
        assert len(new) == (expected is not None)
        for name in new:
            assert re.fullmatch(expected, name)
            written = json.loads((trained / "evaluations" / name / "results.json").read_text())
            assert written == results
    assert {name: (trained / name).read_bytes() for name in kept} == kept
    again = evaluate(trained, data=own["data"]["source"] + "/.", limit=6)  # the same, in its place
    assert again["is_own"] and again["images"] == own["images"]
    assert len(list((trained / "evaluations").iterdir())) == 6
    for which in ("best", "last"):
        scores = export_run(trained, tmp_path / which, which)["scores"]
        assert scores["number_of_images"] == 6
    for place in (trained, trained / "evaluations" / "best"):
        (place / "results.json").unlink()
    assert export_run(trained, tmp_path / "best")["scores"] is None


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ({"kernel": "flat", "kernel_size": 5}, "blur, flat of 5 pixels"),
        ({"kernel": "given"}, "blur, given of 15 pixels"),
        (
            {"name": "downsampling", "kernel": "bicubic", "scale": 4},
            "downsampling, bicubic of 17 pixels",
        ),
    ],
)
def test_the_size_that_is_told_is_that_of_the_kernel(operator, expected):
    config = Config()
    config.operator = OperatorConfig(**operator)
    given = config.operator.kernel == "given"
    used = Blur(np.ones((15, 9)) / 135) if given else build_operator(config.operator)
    assert evaluation.degradation_of(config, used).startswith(f"{expected}, circular")


def test_a_preset_that_is_named_is_measured_by_its_own_spectrum(
    tmp_path, monkeypatch, nothing_is_scored
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation, "constants_of", lambda *_, **known: known)
    operator = {"operator": Blur(linear_motion(9)), "noise": NoiseConfig()}
    told = evaluate("any_blur", "photos@held_out", **operator)["baselines"]["spectrum"]
    assert told == kept_spectrum(preset_folder("any_blur")) != Spectrum()


def test_whole_images_smaller_than_the_kernel_are_refused(trained):
    config = json.loads((trained / "config.json").read_text())
    config["data"]["evaluation_crop"] = "whole"
    (trained / "config.json").write_text(json.dumps(config))
    np.save(trained / "kernel.npy", np.ones((45, 45)))
    with pytest.raises(ValueError, match="at least 45 pixels"):
        evaluate(trained)


def test_impossible_limits_are_refused(trained):
    with pytest.raises(ValueError, match="Received: 0"):
        evaluate(trained, limit=0)


def with_whole_images(workdir):
    config = json.loads((workdir / "config.json").read_text())
    config["data"]["evaluation_crop"] = "whole"
    (workdir / "config.json").write_text(json.dumps(config))


def test_whole_images_within_a_memory(trained, monkeypatch):
    """Of what is larger than fits the middle is measured; the results say so, and lie apart."""
    with_whole_images(trained)
    monkeypatch.setattr(evaluation, "LEAST_SIDE", 16)
    seen = []

    def score(methods, source, operator, config, **options):
        pairs = evaluation_pairs(
            *(source, operator, config.noise, config.data),
            batch_size=2,
            seed=0,
            largest_side=options["side"],
        )
        seen.append({images.shape[1:3] for _, images in pairs.as_numpy_iterator()})
        scores = {"psnr": 20.0, "ssim": 0.5}
        examples = [{"truth": np.zeros((8, 8, 3), np.float32)}]
        return {"restored": scores | {"per_image": [scores] * len(source)}}, examples

    monkeypatch.setattr(evaluation, "score", score)
    restored = ModelRestorer(load_trained(trained)[0])
    bytes_of_a_pixel = max(restored.spec.bytes_per_pixel, evaluation.BASELINE_BYTES)
    whole = evaluate(trained)
    small = evaluate(trained, max_memory=int(32.5**2 * bytes_of_a_pixel))
    assert seen == [{(40, 48)}, {(32, 32)}]
    assert whole["data"]["size"] == "whole" and "middle 32 pixels" in small["data"]["size"]
    assert whole["is_own"] and not small["is_own"]
    assert [path.name for path in (trained / "evaluations").iterdir()] == ["middle-32"]
    with pytest.raises(ValueError, match="max_memory of at least 1 MiB. Received: 0.0"):
        evaluate(trained, max_memory=1000)
