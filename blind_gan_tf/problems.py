"""The measurements to be inverted: simulated ones with their truth, or a user's own."""

import dataclasses
from pathlib import Path

import numpy as np
from absl import logging

from blind_gan_tf.config import InversionConfig
from blind_gan_tf.memory import check_problem_fits
from blind_gan_tf.mixing import draw_mixing
from blind_gan_tf.prior import Prior
from inversenet_tf.imaging.arrays import GREATEST, as_floats, scale_advice
from inversenet_tf.imaging.config import DataConfig
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.data.pairs import degrade, evaluation_images
from inversenet_tf.imaging.data.sources import Selection
from inversenet_tf.imaging.files.arrays import ARRAY_SUFFIX, read_array
from inversenet_tf.imaging.files.images import PILLOW_MODES, read_image
from inversenet_tf.imaging.files.listing import IMAGE_SUFFIXES, files_below
from inversenet_tf.imaging.files.pixels import to_luma
from inversenet_tf.imaging.physics.operators import build_operator


@dataclasses.dataclass
class Problem:
    """Measurements, and what is known of their truth.

    Attributes:
        measurements: float32 [N, height, width, channels].
        names: N strings, fit to name files.
        group_size: number of consecutive measurements that share one operator.
        source: where the images or the measurements come from.
        contents: the names of each measurement's images, N lists of S strings, or None.
        images: float32 [N, S, height, width, image channels] in [0, 1], or None.
        labels: int [N, S], the classes of the images, or None.
        operators: one callable for each group, from stacked images to measurements, or None.
    """

    measurements: np.ndarray
    names: list
    group_size: int
    source: str
    contents: list | None = None
    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    operators: list | None = None

    @property
    def groups(self):
        """The slice of each group's measurements."""
        starts = range(0, len(self.measurements), self.group_size)
        return [slice(start, start + self.group_size) for start in starts]


def stacked(images: np.ndarray) -> np.ndarray:
    """[n, S, height, width, channels] -> [n, height, width, S * channels], as operators take it."""
    count, sources, height, width, channels = images.shape
    return images.transpose(0, 2, 3, 1, 4).reshape(count, height, width, sources * channels)


def unstacked(images: np.ndarray, sources: int) -> np.ndarray:
    """[n, height, width, S * channels] -> [n, S, height, width, channels]."""
    count, height, width, channels = images.shape
    return images.reshape(count, height, width, sources, channels // sources).transpose(
        0, 3, 1, 2, 4
    )


def simulated(config: InversionConfig, prior: Prior) -> Problem:
    """Draws held-out images and measures them as `config.problem` specifies.

    Args:
        config: an `InversionConfig`.
        prior: the `Prior` of the search; the images are made as those of its training were.

    Raises:
        ValueError: too few images, or an operator that does not fit them.
    """
    problem, data = config.problem, prior_data(prior)
    data.evaluation_crop = "center"
    spec = problem.images or data.validation
    source = open_source(spec, HELD_OUT, data.channels, data.minimum_side)
    count = problem.number * problem.sources
    if problem.number % problem.resolved_group_size:
        raise ValueError(
            "Expected problem.number to be a multiple of problem.group_size. Received: "
            f"{problem.number} and {problem.group_size}"
        )
    if spec.startswith("folder:") and spec == data.train:  # other sources have a held-out part
        logging.warning("The prior was trained on these images: %s", spec)
    if len(source) < count:
        raise ValueError(
            f"Expected at least {count} images in {source.spec}. Received: {len(source)}."
        )
    chosen = np.random.default_rng(problem.seed).permutation(len(source))[:count]
    source = Selection(source, chosen)
    check_problem_fits(problem, data)
    batches = evaluation_images(source, data, batch_size=100)
    images = np.concatenate(list(batches.as_numpy_iterator()))
    images = images.reshape(problem.number, problem.sources, *images.shape[1:])
    operators = build_operators(problem)
    if problem.task == "restoration":
        for operator in operators:
            operator.validate(prior.image_shape)
    unmeasured = Problem(np.zeros(problem.number), [], problem.resolved_group_size, source.spec)
    measurements = []
    for index, (group, operator) in enumerate(zip(unmeasured.groups, operators, strict=True)):
        seed = [problem.seed, index]
        measurements.append(degrade(stacked(images[group]), operator, problem.noise, seed))
    return dataclasses.replace(
        unmeasured,
        measurements=np.concatenate(measurements),
        names=[f"{index:03d}" for index in range(problem.number)],
        contents=np.reshape(source.names, (problem.number, -1)).tolist(),
        images=images,
        labels=None if source.labels is None else source.labels.reshape(problem.number, -1),
        operators=operators,
    )


def prior_data(prior):
    """The `DataConfig` of the images that a prior was trained on, as far as it is known.

    Raises:
        ValueError: its images differ in size or channels from those of the prior.
    """
    height, _, channels = prior.image_shape
    data = prior.training_data()
    if data is None:
        return DataConfig(size=height, channels=channels)
    if (data.size, data.channels) != (height, channels):
        raise ValueError(
            f"Expected images of {height} pixels a side and {channels} channels in the prior's "
            f"file. Received: {data.size} and {data.channels}"
        )
    return data


def build_operators(problem):
    """One operator for every group of a `ProblemConfig`.

    Mixings and camera shakes, which are drawn from a seed, differ between groups; other kernels
    are the same for all.
    """
    count = problem.number // problem.resolved_group_size
    if problem.task == "separation":
        return [
            draw_mixing(problem.mixing, problem.sources, [problem.seed, group])
            for group in range(count)
        ]
    first = problem.operator.kernel_seed
    configs = [
        dataclasses.replace(problem.operator, kernel_seed=first + group) for group in range(count)
    ]
    return [build_operator(operator) for operator in configs]


def measured(directory: str | Path, config: InversionConfig, prior_channels: int) -> Problem:
    """Reads a user's own measurements: every image and every `.npy` array below a directory.

    Images are in [0, 1]. Arrays [height, width(, channels)] may leave [0, 1] if
    `config.problem.signed`: edge maps are signed, and mixtures have no bound.

    Args:
        directory: of the measurements; those of one group are consecutive when sorted by name.
        config: an `InversionConfig`.
        prior_channels: channels of the prior's images, and hence of measurements to be restored.

    Raises:
        ValueError: no measurements, measurements of several shapes, values out of range, or a
            number of measurements that is no multiple of the group size.
    """
    directory = Path(directory).expanduser()
    if not directory.is_dir():
        raise ValueError(f"Expected a directory of measurements. Received: {directory}.")
    suffixes = (*IMAGE_SUFFIXES, ARRAY_SUFFIX)
    paths = [path for path in files_below(directory) if path.suffix.lower() in suffixes]
    if not paths:
        raise ValueError(
            f"Expected measurements (images or {ARRAY_SUFFIX} arrays) in {directory}. "
            "Received: none."
        )
    separating = config.problem.task == "separation"
    channels = config.problem.mixing.mixtures if separating else prior_channels
    as_image = not separating or channels == 1
    arrays = [_read_measurement(path, channels, as_image) for path in paths]
    _check_values(paths, arrays, config.problem.signed)
    names = _names_of(paths, directory)
    size = config.problem.group_size or len(paths)
    if len(paths) % size:
        raise ValueError(
            f"Expected a multiple of problem.group_size = {size} measurements in {directory}. "
            f"Received: {len(paths)}."
        )
    return Problem(np.stack(arrays), names, size, f"measurements:{directory}")


def _check_values(paths, arrays, signed):
    """Raises ValueError for measurements of different shapes, or outside [0, 1] unless signed."""
    for path, array in zip(paths, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"Expected measurements of one shape, {arrays[0].shape} like {paths[0].name}. "
                f"Received: {array.shape} in {path}."
            )
        least, greatest = array.min(), array.max()
        if not signed and (least < 0 or greatest > 1):
            advice = (
                "For edge maps, mixtures and other measurements without these bounds, say so with "
                "--config.problem.signed."
                if least < 0 or greatest <= GREATEST
                else f"To restore them, {scale_advice(least, greatest)}."
            )
            raise ValueError(
                f"Expected values from 0 to 1 in {path}. Received: {least:.4g} to {greatest:.4g}. "
                f"{advice}"
            )


def _names_of(paths, directory):
    """A unique name for each path, fit to name a file."""
    names = ["-".join(path.relative_to(directory).with_suffix("").parts) for path in paths]
    if len(set(names)) < len(names):  # as of photo.png beside photo.jpg
        names = ["-".join(path.relative_to(directory).parts) for path in paths]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"Expected one measurement for each name in {directory}. Received: several for {twice}."
        )
    return names


def _read_measurement(path, channels, as_image):
    if path.suffix.lower() != ARRAY_SUFFIX:
        if channels not in PILLOW_MODES or not as_image:
            raise ValueError(
                f"Expected {channels} mixtures as one {ARRAY_SUFFIX} array [height, width, "
                f"{channels}]. Received: the image {path}."
            )
        return read_image(path, channels)
    array = read_array(path)
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ValueError(
            f"Expected an array [height, width, channels] in {path}. Received: shape {array.shape}."
        )
    array = as_floats(array, f"{path}, an array")
    if not np.isfinite(array).all():
        raise ValueError(f"Expected finite values in {path}. Received: NaN or infinity.")
    if as_image and (channels, array.shape[-1]) == (1, 3):  # as an image file is read
        return to_luma(array)
    return (
        np.repeat(array, 3, axis=-1)
        if as_image and (channels, array.shape[-1]) == (3, 1)
        else array
    )
