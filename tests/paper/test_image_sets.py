import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from inversenet_tf.config import Config
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.patches import draw_patch
from inversenet_tf.paper.image_sets import IMAGE_SETS, image_set

OF_TFDS = sorted(name for name, images in IMAGE_SETS.items() if images.train)
FOR_MEASURING = ["set5"]
OF_FOLDERS_ALONE = sorted(IMAGE_SETS.keys() - OF_TFDS - set(FOR_MEASURING))
TO_TRAIN_ON = sorted(IMAGE_SETS.keys() - set(FOR_MEASURING))


@pytest.fixture
def root(tmp_path):
    """Every folder that a set asks for, each with one image of 178 x 218, CelebA's size."""
    for images in IMAGE_SETS.values():
        for folder in images.train_folders + images.held_out_folders:
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(0).integers(0, 256, (218, 178, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / "image.png")
    return tmp_path


def applied(name, root=None):
    config = Config()
    image_set(name).apply(config, root)
    config.validate()
    return config


@pytest.mark.parametrize("name", TO_TRAIN_ON)
def test_folders_give_a_valid_config_and_patches(name, root):
    config = applied(name, root)
    for spec, role in ((config.data.train, TRAINING), (config.data.validation, HELD_OUT)):
        source = open_source(spec, role, 3, config.data.minimum_side)
        (patch,) = draw_patch(source, config.data, seed=0, position=0)
        assert patch.shape[0] == patch.shape[1] >= config.data.size


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_no_folder_is_trained_on_and_held_out(name):
    images = image_set(name)
    assert images.held_out_folders
    assert not set(images.train_folders) & set(images.held_out_folders)
    assert not images.train or images.train != images.held_out


@pytest.mark.parametrize("name", FOR_MEASURING)
def test_a_set_for_measuring_is_not_trained_on(name, root):
    with pytest.raises(ValueError, match=f"Received: {name}, which is for measuring only"):
        image_set(name).apply(Config(), root)
    config = Config()
    image_set(name).apply_held_out(config, root)
    assert config.data.validation == f"folder:{root}/{name}"


def test_test_images_are_reported_where_their_folder_is_there(root):
    assert applied("celeba", root).data.test == ""
    shutil.copytree(root / "celeba" / "val", root / "celeba" / "test")
    assert applied("celeba", root).data.test == f"folder:{root}/celeba/test"


def test_of_tensorflow_datasets_the_test_part_is_reported():
    assert applied("celeba").data.test == "tfds:celeb_a@test"
    cub = applied("cub").data
    assert (cub.validation, cub.test) == (
        "tfds:caltech_birds2011@train[90%:]",
        "tfds:caltech_birds2011@test",
    )
    assert applied("imagenet").data.test == ""


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Expected the data set in .*celeba.*Received: 'fog'"):
        image_set("fog")


@pytest.mark.parametrize("name", OF_FOLDERS_ALONE)
def test_a_set_that_tfds_lacks_asks_for_its_folders(name):
    with pytest.raises(ValueError, match=f"with the folders {image_set(name).train_folders[0]}"):
        image_set(name).train_source()


def test_a_missing_folder_is_named(root):
    (root / "natural").mkdir()
    (root / "bsds500" / "train").rename(root / "elsewhere")
    with pytest.raises(ValueError, match="Received no bsds500/train"):
        image_set("natural").train_source(root)


def test_the_face_is_128_of_178_pixels(root):
    """The crop that this paper's day took of CelebA's aligned 178 x 218."""
    config = applied("celeba", root)
    source = open_source(config.data.train, TRAINING)
    (patch,) = draw_patch(source, config.data, seed=0, position=0)
    np.testing.assert_array_equal(patch, source.load(0)[45:173, 25:153])


def test_natural_images_come_in_random_patches_of_several_scales(root):
    config = applied("natural", root)
    source = open_source(config.data.train, TRAINING)
    assert source.names == ["0/image.png", "1/image.png"]
    sides = {draw_patch(source, config.data, 0, place)[0].shape[0] for place in range(20)}
    assert len(sides) > 5 and min(sides) >= config.data.size
    assert config.data.augmentation == "flip"


@pytest.mark.parametrize("name", OF_TFDS)
def test_tfds_has_the_set_and_all_its_splits(name):
    """TFDS's own descriptions of its sets, with random images in the place of theirs."""
    images = image_set(name)
    with tfds.testing.mock_data(num_examples=20):
        for spec in filter(None, (images.train, images.held_out, images.test)):
            image = open_source(spec, HELD_OUT).load(0)
            assert image.ndim == 3 and image.shape[-1] == 3


@pytest.mark.parametrize("name", OF_TFDS)
def test_tfds_gives_a_valid_config(name):
    config = applied(name)
    assert config.data.train.startswith("tfds:")
    images = image_set(name)
    assert (images.train, images.held_out) == (config.data.train, config.data.validation)
