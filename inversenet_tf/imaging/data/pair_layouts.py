"""Matches sharp images with degraded ones, and checks that the pairs are plausible."""

from collections import Counter
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.data.overlap import common_files
from inversenet_tf.imaging.data.patches import center_window
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.listing import list_images

SHARP, DEGRADED = "sharp", "blur"  # the folders of GoPro's layout, in each scene
COMPARED = 8  # pairs whose sharpness is compared
SIDE = 256  # pixels, of the central part that is compared


def matched(sharp_directory, degraded_directory):
    """Returns {name: (sharp path, degraded path)} for two folders with the same relative names.

    Raises:
        ValueError: the same folder twice, or an image without a partner.
    """
    directories = [Path(d).expanduser() for d in (sharp_directory, degraded_directory)]
    if directories[0].resolve() == directories[1].resolve():
        raise ValueError(
            "Expected a folder of sharp images and another of degraded ones; if both are in one "
            f"folder, as SCENE/{SHARP} and SCENE/{DEGRADED}, use pairs:DIR. Received: "
            f"{sharp_directory} as both"
        )
    sharp, degraded = _by_common_names(*directories)
    alone = sorted(sharp.keys() ^ degraded.keys())
    if alone:
        raise ValueError(
            f"Expected images of the same names in {sharp_directory} and {degraded_directory}. "
            f"Received: {len(alone)} without a partner, the first: {alone[0]}."
        )
    return {name: (sharp[name], degraded[name]) for name in sorted(sharp)}


def matched_by_scene(directory):
    """Returns the pairs below a folder in GoPro's layout, SCENE/sharp/NAME and SCENE/blur/NAME.

    Scenes may lie at any depth; their other folders, such as blur_gamma, are ignored.

    Raises:
        ValueError: an image without a partner, or no pair.
    """
    directory = Path(directory).expanduser()
    sides = {SHARP: {}, DEGRADED: {}}
    [paths] = _by_common_names(directory)
    for name, path in paths.items():
        if path.parent.name in sides:
            sides[path.parent.name][str(Path(name).parent.parent / Path(name).name)] = path
    sharp, degraded = sides[SHARP], sides[DEGRADED]
    alone = sorted(sharp.keys() ^ degraded.keys())
    if alone or not sharp:
        raise ValueError(
            f"Expected SCENE/{SHARP} and SCENE/{DEGRADED} below {directory}, with images of the "
            "same names. Received: "
            + (f"{len(alone)} without a partner, the first: {alone[0]}" if alone else "none")
        )
    return {name: (sharp[name], degraded[name]) for name in sorted(sharp)}


def check_pairs(pairs, spec):
    """Refuses pairs if all are the same image twice; warns if some are, or if roles look swapped.

    Args:
        pairs: what `matched` returns.
        spec: what an error calls them.

    Raises:
        ValueError: every degraded image equals its sharp one.
    """
    equal = [name for name, (sharp, degraded) in pairs.items() if common_files([sharp], [degraded])]
    if len(equal) == len(pairs):
        raise ValueError(
            f"Expected degraded images that differ from the sharp ones. Received: {spec}, whose "
            f"{len(pairs)} pairs each hold the same image twice"
        )
    if equal:
        logging.warning(
            "%s: in %d of %d pairs both images are the same, the first: %s.",
            *(spec, len(equal), len(pairs), equal[0]),
        )
    differing = [pair for name, pair in pairs.items() if name not in set(equal)]
    step = -(-len(differing) // COMPARED)
    sharper = [_sharpness(second) > _sharpness(first) for first, second in differing[::step]]
    if all(sharper):
        logging.warning(
            "%s: the degraded images are sharper than the sharp ones. The order is "
            "pairs:SHARP_DIR,DEGRADED_DIR.",
            spec,
        )


def _sharpness(path):
    """Sums the squared differences of neighbours, at half the size, where noise counts less."""

    def window(height, width):
        return center_window(height, width, min(height, width, SIDE))

    image = read_image(path, channels=1, window=window)[..., 0]
    height, width = (side - side % 2 for side in image.shape)
    half = image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return sum(np.square(np.diff(half, axis=axis)).sum() for axis in (0, 1))


def _by_common_names(*directories):
    """Returns {relative name: path} for the images of each directory.

    Names have no suffix, unless a directory holds several images with the same stem.
    """
    names = [{path.relative_to(root): path for path in list_images(root)} for root in directories]
    several = {
        stem
        for of_one in names
        for stem, count in Counter(name.with_suffix("") for name in of_one).items()
        if count > 1
    }

    def key(name):
        stem = name.with_suffix("")
        return str(name if stem in several else stem)

    return [{key(name): path for name, path in of_one.items()} for of_one in names]
