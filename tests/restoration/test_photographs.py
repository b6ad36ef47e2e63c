from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from fake_restorers import FakeRestorer
from PIL import Image

from inversenet_tf.config import Config
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph
from inversenet_tf.imaging.files.pixels import to_channels
from inversenet_tf.imaging.files.written_photographs import png_bytes
from inversenet_tf.models.build import build_model
from inversenet_tf.restoration import one_photograph, restorers
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.one_photograph import GAP, side_by_side
from inversenet_tf.restoration.photographs import restore_files


@pytest.fixture(scope="module")
def restorer():
    """Of a network that was not trained."""
    config = Config()
    config.network.depth = 2
    return ModelRestorer(build_model(config, with_discriminator=False))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_a_folder_is_restored_file_by_file(restorer, image_folder, tmp_path, warned):
    (image_folder / "deep").mkdir()
    Image.new("L", (33, 21), 100).save(image_folder / "deep" / "gray.jpg")
    (image_folder / "broken.png").write_text("no image")
    restored, skipped = restore_files(restorer, image_folder, tmp_path / "out")
    assert len(restored) == 7 and list(skipped) == [str(image_folder / "broken.png")]
    assert warned().count("broken.png") == 1
    with Image.open(tmp_path / "out" / "deep" / "gray.jpg") as image:
        assert image.mode == "L" and image.size == (33, 21)
    expected = restorer(read_image(image_folder / "0.png"))
    np.testing.assert_allclose(read_image(tmp_path / "out" / "0.png"), expected, atol=0.51 / 255)


def test_two_calls_that_skip_what_exists_share_an_output(image_folder, tmp_path):
    """Both end well, and each image is restored by one of them."""
    made = []

    def restore(_):
        made.extend(
            restore_files(FakeRestorer(), image_folder, tmp_path / "out", skip_existing=True)[0]
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(restore, range(2)))
    assert sorted(made) == sorted((tmp_path / "out").iterdir())
    assert len(made) == 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 53), (3, 5)])
def test_any_size_is_restored(restorer, tmp_path, shape):
    Image.fromarray(np.full((*shape, 3), 99, np.uint8)).save(tmp_path / "a.png")
    restore_files(restorer, tmp_path / "a.png", tmp_path / "out", compare=True)
    assert read_image(tmp_path / "out" / "a.png").shape == (*shape, 3)


def test_results_are_not_overwritten_unasked(image_folder, tmp_path):
    target = tmp_path / "out" / "0.png"
    target.parent.mkdir()
    target.write_text("precious")
    with pytest.raises(ValueError, match="--overwrite"):
        restore_files(FakeRestorer(), image_folder / "0.png", tmp_path / "out")
    assert target.read_text() == "precious"
    restore_files(FakeRestorer(), image_folder / "0.png", tmp_path / "out", overwrite=True)
    assert read_image(target).shape == (40, 48, 3)


def test_comparisons_are_not_overwritten_unasked(image_folder, tmp_path):
    precious = tmp_path / "out" / "comparisons" / "3.png"
    precious.parent.mkdir(parents=True)
    precious.write_text("precious")
    with pytest.raises(ValueError, match="results that do not exist.*3.png and 0 more"):
        restore_files(FakeRestorer(), image_folder, tmp_path / "out", compare=True)
    assert precious.read_text() == "precious" and not (tmp_path / "out" / "0.png").exists()
    restore_files(FakeRestorer(), image_folder, tmp_path / "out", overwrite=True, compare=True)
    assert read_image(precious).shape == (40, 2 * 48 + GAP, 3)


def test_results_inside_the_source_are_not_restored_again(image_folder):
    for _ in range(2):
        restored, _ = restore_files(
            FakeRestorer(), image_folder, image_folder / "out", overwrite=True, compare=True
        )
        assert len(restored) == 6
    assert len(list((image_folder / "out").rglob("*.png"))) == 12


def test_results_may_lie_above_the_source(image_folder, tmp_path, monkeypatch):
    restored, _ = restore_files(FakeRestorer(), image_folder, tmp_path)
    assert len(restored) == 6
    monkeypatch.chdir(image_folder)
    restored, _ = restore_files(FakeRestorer(), "0.png", "..", overwrite=True)
    assert [str(path) for path in restored] == ["../0.png"]


@pytest.mark.parametrize("option", [{}, {"overwrite": True}, {"skip_existing": True}])
def test_no_result_replaces_a_photograph(image_folder, tmp_path, monkeypatch, option):
    before = {path: path.read_bytes() for path in image_folder.iterdir()}
    monkeypatch.chdir(image_folder)
    with pytest.raises(ValueError, match="output other than the input"):
        restore_files(FakeRestorer(gain=0.5), image_folder, ".", **option)
    with pytest.raises(ValueError, match="--overwrite|replace none of the images"):
        restore_files(FakeRestorer(gain=0.5), "0.png", ".", **option)
    nested = image_folder / image_folder.name / "0.png"  # its result would take 0.png's place
    nested.parent.mkdir()
    Image.new("RGB", (5, 5)).save(nested)
    with pytest.raises(ValueError, match="--overwrite|replace none of the images"):
        restore_files(FakeRestorer(gain=0.5), image_folder, tmp_path, **option)
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_directory_called_comparisons(image_folder, tmp_path):
    """Among the photographs, it would have results where comparisons come to lie."""
    (image_folder / "comparisons").mkdir()
    (image_folder / "0.png").rename(image_folder / "comparisons" / "1.png")
    restored, _ = restore_files(FakeRestorer(), image_folder, tmp_path / "out")
    assert tmp_path / "out" / "comparisons" / "1.png" in restored
    with pytest.raises(ValueError, match="Received a result at .*comparisons/1.png"):
        restore_files(FakeRestorer(), image_folder, tmp_path / "new", compare=True)
    assert not (tmp_path / "new").exists()


def test_nothing_to_restore_is_an_error(image_folder, tmp_path):
    with pytest.raises(ValueError, match="readable image"):
        restore_files(FakeRestorer(), tmp_path / "nowhere.png", tmp_path / "out")
    for path in image_folder.iterdir():
        path.write_text("no image")
    with pytest.raises(ValueError, match="images that can be restored.*0.png"):
        restore_files(FakeRestorer(), image_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_photograph_beside_one_of_another_suffix(image_folder, tmp_path):
    Image.new("RGB", (8, 8)).save(image_folder / "0.jpg")
    made, _ = restore_files(FakeRestorer(), image_folder, tmp_path / "out", compare=True)
    assert {path.name for path in made} >= {"0.jpg", "0.png", "1.png"}


def test_sixteen_bits_go_through_tiles(tmp_path, monkeypatch):
    """Of colours: every value of a result in tiles is that of the file."""
    pixels = np.random.default_rng(0).integers(0, 2**16, (300, 420, 3), np.uint16)
    (tmp_path / "deep.png").write_bytes(png_bytes(pixels))
    restorer = FakeRestorer()
    restore_files(restorer, tmp_path / "deep.png", tmp_path, format="tiff", max_memory=12_000_000)
    assert len(restorer.shapes) > 1
    np.testing.assert_array_equal(read_photograph(tmp_path / "deep.tif").pixels, pixels)


def test_gray_that_is_stored_as_colours_stays_gray(tmp_path):
    """A network whose result has a tint does not tint it."""

    class Tinting(FakeRestorer):
        def estimates(self, measurements):
            return {"restored": measurements * np.float32([1.0, 0.9, 0.8])}

    gray = np.random.default_rng(0).integers(0, 256, (20, 30, 1), np.uint8)
    Image.fromarray(gray.repeat(3, -1)).save(tmp_path / "gray.png")
    restore_files(Tinting(), tmp_path / "gray.png", tmp_path / "out")
    with Image.open(tmp_path / "out" / "gray.png") as image:
        assert image.mode == "RGB"
        pixels = np.asarray(image)
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("compare", [False, True])
def test_an_interrupted_call_goes_on(image_folder, tmp_path, monkeypatch, compare):
    """As whole as if nothing had happened, and what was made is not made again."""
    options = {"compare": compare, "skip_existing": True}
    restore_files(FakeRestorer(gain=0.5), image_folder, tmp_path / "whole", compare=compare)
    writes, write = [], one_photograph.write_photograph

    def killed(path, *args, **kwargs):
        if len(writes) == 5:
            raise KeyboardInterrupt
        writes.append(path)
        return write(path, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(one_photograph, "write_photograph", killed)
        restore_files(FakeRestorer(gain=0.5), image_folder, tmp_path / "out", **options)
    times = {path: path.stat().st_mtime_ns for path in writes}
    restorer = FakeRestorer(gain=0.5)
    restored, _ = restore_files(restorer, image_folder, tmp_path / "out", **options)
    assert len(restored) == len(restorer.shapes) == (4 if compare else 1)
    assert {path: path.stat().st_mtime_ns for path in writes} == times
    contents = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in paths if path.is_file()}
        for name in ("whole", "out")
        for paths in [list((tmp_path / name).rglob("*"))]
    ]
    assert contents[0] == contents[1] and len(contents[0]) == (12 if compare else 6)
    assert restore_files(restorer, image_folder, tmp_path / "out", **options) == ([], {})
    with pytest.raises(ValueError, match="both"):
        restore_files(restorer, image_folder, tmp_path / "out", overwrite=True, **options)


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "oom")]
)
def test_what_does_not_fit_into_memory_is_skipped(image_folder, tmp_path, monkeypatch, error):
    Image.new("RGB", (100, 90)).save(image_folder / "large.png")

    def restore_pixels(restorer, pixels, max_memory, report):
        assert max_memory == 2**30
        if pixels.shape[0] == 90:
            raise error
        return pixels

    monkeypatch.setattr(restorers, "restore_pixels", restore_pixels)
    restored, skipped = restore_files(
        FakeRestorer(), image_folder, tmp_path / "out", max_memory=2**30
    )
    assert len(restored) == 6
    [(name, reason)] = skipped.items()
    assert name.endswith("large.png") and "large.png" in reason and "--max_memory" in reason


def test_an_image_that_needs_more_than_allowed_is_skipped(image_folder, tmp_path):
    Image.new("RGB", (600, 500)).save(image_folder / "large.png")
    restored, skipped = restore_files(
        FakeRestorer(), image_folder, tmp_path / "out", max_memory=2**20
    )
    assert len(restored) == 6
    assert (
        "large.png: Expected a max_memory of at least" in skipped[str(image_folder / "large.png")]
    )


def test_a_full_disk_ends_the_call(image_folder, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left.*0 of 6 images restored before") as ended:
        restore_files(FakeRestorer(), image_folder, tmp_path / "out")
    assert ended.value.errno == 28
    assert list((tmp_path / "out").glob("*.png")) == []


def test_several_at_a_time_give_what_one_at_a_time_gives(image_folder, tmp_path):
    (image_folder / "broken.png").write_text("no image")
    for parallel in (1, 3):
        restored, skipped = restore_files(
            FakeRestorer(gain=0.5), image_folder, tmp_path / str(parallel), parallel=parallel
        )
        assert [path.name for path in restored] == [f"{index}.png" for index in range(6)]
        assert list(skipped) == [str(image_folder / "broken.png")]
    for path in restored:
        assert path.read_bytes() == (tmp_path / "1" / path.name).read_bytes()


@pytest.mark.parametrize("measured, image, gives", [(3, 3, 1), (1, 1, 1), (1, 3, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_stays_gray_unless_it_is_to_be_coloured(measured, image, gives, dtype):
    gray = np.arange(0, 250, dtype=dtype).reshape(10, 25, 1) * (np.iinfo(dtype).max // 255)
    restored = FakeRestorer(measured, image).restore_photograph(Photograph(gray))
    assert restored.shape == (10, 25, gives) and restored.dtype == dtype
    np.testing.assert_array_equal(restored[..., :1], gray)
    if gives == 3:
        np.testing.assert_allclose(restored[..., 1:2], gray / 2, atol=0.6)
        assert not restored[..., 2].any()


@pytest.mark.parametrize("measured, image, gives", [(3, 3, 3), (1, 1, 1), (1, 3, 3)])
def test_colours_are_kept_or_found(pixels, measured, image, gives):
    restored = FakeRestorer(measured, image).restore_photograph(Photograph(pixels))
    assert restored.shape == (20, 30, gives)
    luma = np.asarray(Image.fromarray(pixels).convert("L"))
    expected = pixels[..., 0] if measured == 3 else luma
    np.testing.assert_array_equal(restored[..., 0], expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_of_gray_is_gray(dtype):
    gray = np.arange(0, np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    repeated = to_channels(gray, 3)
    assert repeated.shape == (*gray.shape[:2], 3)
    np.testing.assert_array_equal(to_channels(repeated, 1), gray)


def test_luma_is_pillows(pixels):
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(to_channels(pixels, 1)[..., 0], expected)
    deep = to_channels(pixels.astype(np.uint16) * 257, 1)[..., 0]
    np.testing.assert_allclose(deep / 257, expected, atol=0.51)


def test_a_comparison_shows_measurement_and_result(pixels):
    large = pixels.repeat(2, 0).repeat(2, 1)
    beside = side_by_side(pixels, 255 - large)
    assert beside.dtype == np.uint8
    np.testing.assert_array_equal(beside[:, :60], large)
    assert (beside[:, 60 : 60 + GAP] == 255).all()
    np.testing.assert_array_equal(beside[:, 60 + GAP :], 255 - large)
    coloured = side_by_side(pixels[..., :1], pixels)
    np.testing.assert_array_equal(coloured[:, :30], pixels[..., :1].repeat(3, -1))
    deep = side_by_side(pixels[..., :1].astype(np.uint16) * 257, pixels[..., :1])
    assert deep.shape == (20, 60 + GAP, 1)
    np.testing.assert_array_equal(deep[:, :30], pixels[..., :1])


def test_a_comparison_beside_larger_results(image_folder, tmp_path):
    restore_files(FakeRestorer(scale=2), image_folder, tmp_path / "out", compare=True)
    shown = read_image(tmp_path / "out" / "comparisons" / "0.png")
    assert shown.shape == (80, 2 * 96 + GAP, 3)
    np.testing.assert_array_equal(shown[:, :96], shown[:, -96:])
