import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.io import read_image
from inversenet_tf.restoration import Restorer, restore_files
from inversenet_tf.training import build_model


@pytest.fixture
def model(small_config):
    return build_model(small_config, with_discriminator=False)


def test_any_size_is_restored_to_its_size(model):
    restorer = Restorer(model)
    for shape in [(1, 32, 32, 3), (2, 37, 53, 3), (1, 255, 257, 3)]:
        measurements = np.random.default_rng(0).random(shape).astype(np.float32)
        outputs = restorer(measurements)
        assert outputs["restored"].shape == shape
        expected = np.clip(model(measurements)["restored"], 0, 1)
        np.testing.assert_allclose(outputs["restored"], expected, atol=1e-5)


def test_a_folder_is_restored_file_by_file(model, image_folder, tmp_path):
    (image_folder / "deep").mkdir()
    Image.new("L", (33, 21), 100).save(image_folder / "deep" / "gray.jpg")
    (image_folder / "broken.png").write_text("no image")
    restored, skipped = restore_files(model, image_folder, tmp_path / "out")
    assert len(restored) == 7 and list(skipped) == [str(image_folder / "broken.png")]
    assert read_image(tmp_path / "out" / "deep" / "gray.png").shape == (21, 33, 3)
    expected = Restorer(model)(read_image(image_folder / "0.png")[None])["restored"][0]
    np.testing.assert_allclose(read_image(tmp_path / "out" / "0.png"), expected, atol=0.5 / 255)


def test_results_are_not_overwritten_unasked(model, image_folder, tmp_path):
    target = tmp_path / "out" / "0.png"
    target.parent.mkdir()
    target.write_text("precious")
    with pytest.raises(ValueError, match="--overwrite"):
        restore_files(model, image_folder / "0.png", tmp_path / "out")
    assert target.read_text() == "precious"
    restore_files(model, image_folder / "0.png", tmp_path / "out", overwrite=True)
    assert read_image(target).shape == (40, 48, 3)


def test_results_inside_the_source_are_not_restored_again(model, image_folder):
    for _ in range(2):
        restored, _ = restore_files(model, image_folder, image_folder / "out", overwrite=True)
        assert len(restored) == 6


def test_results_may_lie_above_the_source(model, image_folder, tmp_path, monkeypatch):
    restored, _ = restore_files(model, image_folder, tmp_path)
    assert len(restored) == 6
    monkeypatch.chdir(image_folder)
    restored, _ = restore_files(model, "0.png", ".", overwrite=True)
    assert [str(path) for path in restored] == ["0.png"]


def test_nothing_to_restore_is_an_error(model, tmp_path):
    with pytest.raises(ValueError, match="readable image"):
        restore_files(model, tmp_path / "nowhere.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_would_share_a_result_are_refused(model, image_folder, tmp_path):
    Image.new("RGB", (8, 8)).save(image_folder / "0.jpg")
    with pytest.raises(ValueError, match="differ in more than their suffix"):
        restore_files(model, image_folder, tmp_path / "out")
