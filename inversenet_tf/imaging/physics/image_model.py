"""What sharp images of one class look like, all framed alike: aligned faces, for example.

Such images are described by a Gaussian distribution: their mean, the directions in which they
differ most (principal components), and the power spectrum of what the components leave. A class
is known far better by it than photographs are by their sparse gradients, so that a single small
image of the class tells its blur.
"""

import dataclasses

import numpy as np
import scipy.fft

from inversenet_tf.imaging.arrays import images_of

COMPONENTS = (200, 60)  # of the colour that varies most, and of each of the others
LEAST_IMAGES = 20  # that a model can be fitted to
LEAST_SIDE = 8  # pixels: smaller images have no frequencies between those of `ANCHOR`
PASSES, SPARE = 2, 20  # of the randomised principal components (Halko et al. 2011)
SLOPE = 2.2  # of natural images' power with the frequency (Field 1987)
ANCHOR = (0.15, 0.25)  # cycles a pixel, where even images that were enlarged have their power


@dataclasses.dataclass(frozen=True, eq=False)
class ColourModel:
    """The Gaussian distribution of one colour, its spectra divided by sqrt(height * width).

    Attributes:
        mean: [height, width // 2 + 1], Fourier transform of the mean image.
        components: [components, height, width // 2 + 1], Fourier transforms of the principal
            components, each scaled to its standard deviation.
        power: [height, width // 2 + 1], variance of what they leave.
    """

    mean: np.ndarray
    components: np.ndarray
    power: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ImageModel:
    """The Gaussian distribution of sharp images of one class.

    Example:
        ```python
        faces = inversenet_tf.ImageModel.fit(sharp_faces)  # none of them need be the blurred ones
        estimate = inversenet_tf.estimate_kernel(blurred, "circular", image_model=faces)
        ```

    Attributes:
        shape: (height, width, channels) of the images.
        rotation: [channels, channels], orthonormal, from channels to uncorrelated colours.
        colours: a `ColourModel` of each colour.
    """

    shape: tuple[int, int, int]
    rotation: np.ndarray
    colours: tuple[ColourModel, ...]

    @classmethod
    def fit(cls, images: np.ndarray | list[np.ndarray]) -> "ImageModel":
        """The model of sharp images.

        Args:
            images: [batch, height, width, channels] or a list, in [0, 1] or integers, of one size
                and framed alike, as aligned faces. Hundreds are needed, thousands are better.

        Raises:
            ValueError: fewer than 20 images, of several sizes, or of fewer than 8 pixels a side.
        """
        images = images_of(images)
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise ValueError(
                f"Expected sharp images of one size and framed alike. Received: {sorted(shapes)}"
            )
        if len(images) < LEAST_IMAGES:
            raise ValueError(
                f"Expected at least {LEAST_IMAGES} sharp images to learn from. "
                f"Received: {len(images)}"
            )
        images = np.stack(images).astype(np.float32)
        if min(images.shape[1:3]) < LEAST_SIDE:
            raise ValueError(
                f"Expected sharp images of at least {LEAST_SIDE} pixels a side. "
                f"Received: {images.shape[1:3]}"
            )
        rotation = _uncorrelated_colours(images)
        images = images @ rotation.T.astype(np.float32)
        counts = [COMPONENTS[0], *[COMPONENTS[1]] * (images.shape[-1] - 1)]
        colours = [_fit_colour(images[..., i], count) for i, count in enumerate(counts)]
        return cls(images.shape[1:], rotation, tuple(colours))

    def check_measurements(self, images: list[np.ndarray], boundary: str) -> None:
        """Raises ValueError for images that are not framed as those of the model."""
        check_boundary(boundary)
        shapes = sorted({image.shape for image in images})
        if shapes != [self.shape]:
            raise ValueError(
                f"Expected measurements of the shape of the image model, {self.shape}. "
                f"Received: {shapes}"
            )

    def spectra_of(self, images: np.ndarray) -> list[np.ndarray]:
        """Fourier transforms of images as the model has them.

        Args:
            images: [batch, height, width, channels] in [0, 1].

        Returns:
            For each colour [batch, height, width // 2 + 1].
        """
        height, width, _ = self.shape
        rotated = np.moveaxis(images @ self.rotation.T, -1, 0)
        return [scipy.fft.rfft2(colour) / np.sqrt(height * width) for colour in rotated]

    def images_of(self, spectra: list[np.ndarray]) -> np.ndarray:
        """The images [batch, height, width, channels] of spectra as `spectra_of` has them.

        Args:
            spectra: of each colour [batch, height * (width // 2 + 1)].
        """
        height, width, _ = self.shape
        full = np.stack(spectra, axis=1).reshape(len(spectra[0]), -1, height, width // 2 + 1)
        colours = scipy.fft.irfft2(full, (height, width)) * np.sqrt(height * width)
        return np.moveaxis(colours, 1, -1) @ self.rotation


def check_is_model(image_model: object) -> None:
    """Raises ValueError for what is no `ImageModel`, such as the sharp images themselves."""
    if not isinstance(image_model, ImageModel):
        raise ValueError(
            "Expected an ImageModel as image_model, as ImageModel.fit makes it of sharp images. "
            f"Received: {type(image_model).__name__}"
        )


def check_boundary(boundary: str) -> None:
    """Raises ValueError for a boundary with which an image model is of no use."""
    if boundary != "circular":
        raise ValueError(
            "Expected the boundary circular with an image model, which knows whole images. "
            f"Received: {boundary}"
        )


def _uncorrelated_colours(images):
    """The principal axes of the pixels' colours, the one that varies most first."""
    pixels = images.reshape(-1, images.shape[-1])[::7].astype(np.float64)
    covariance = np.cov(pixels, rowvar=False).reshape(images.shape[-1], -1)
    return np.linalg.eigh(covariance)[1].T[::-1].copy()


def _fit_colour(images, count):
    """The `ColourModel` of images [batch, height, width]."""
    height, width = images.shape[1:]
    scale = np.sqrt(height * width)
    flat = images.reshape(len(images), -1)
    mean = flat.mean(axis=0)
    flat = flat - mean
    variances, axes = _principal_components(flat, min(count, len(images) // 4))
    left = (flat - flat @ axes @ axes.T).reshape(images.shape)
    power = np.square(np.abs(scipy.fft.rfft2(left) / scale)).mean(axis=0)
    power = np.maximum(power, _natural_power(power, height, width))
    spectra = scipy.fft.rfft2(axes.T.reshape(-1, height, width)) / scale
    # What is left has its power in all directions, that of the components included: they have
    # only as much as is missing.
    weights = multiplicities(height, width)
    shared = np.square(np.abs(spectra)).reshape(len(spectra), -1) @ (power * weights).ravel()
    deviations = np.sqrt(np.maximum(variances - shared, 0.0))
    return ColourModel(
        scipy.fft.rfft2(mean.reshape(height, width)) / scale,
        (spectra * deviations[:, np.newaxis, np.newaxis]).astype(np.complex64),
        power,
    )


def _principal_components(centred, count):
    """(variances [count], axes [pixels, count]), the largest first."""
    start = np.random.default_rng(0).standard_normal((centred.shape[1], count + SPARE))
    axes = np.linalg.qr(centred.T @ (centred @ start.astype(np.float32)))[0]
    for _ in range(PASSES):
        axes = np.linalg.qr(centred.T @ (centred @ axes))[0]
    within = centred @ axes
    variances, turned = np.linalg.eigh(within.T @ within / len(centred))
    return variances[::-1][:count], (axes @ turned)[:, ::-1][:, :count]


def _natural_power(power, height, width):
    """What the power of natural images falls to from that in the middle frequencies.

    Images that were enlarged or compressed have less, and would let the finest details of a
    measurement count for noise.
    """
    rows, columns = scipy.fft.fftfreq(height)[:, np.newaxis], scipy.fft.rfftfreq(width)
    frequency = np.hypot(rows, columns)
    anchors = (frequency >= ANCHOR[0]) & (frequency < ANCHOR[1])
    level = np.median(power[anchors] * frequency[anchors] ** SLOPE)
    return np.where(frequency >= ANCHOR[1], level / np.maximum(frequency, ANCHOR[1]) ** SLOPE, 0.0)


def multiplicities(height: int, width: int) -> np.ndarray:
    """How often each value of a `scipy.fft.rfft2` stands in the full transform."""
    counts = np.full((height, width // 2 + 1), 2.0)
    counts[:, 0] = 1.0
    if width % 2 == 0:
        counts[:, -1] = 1.0
    return counts
