"""A model of sharp images of one class that are all framed alike, such as aligned faces.

It is a Gaussian distribution: the mean, the directions in which the images differ most (principal
components), and the power spectrum of what the components leave. As a prior this is far stronger
than the sparse gradients of photographs, so that a single small image of the class reveals its
blur.
"""

import dataclasses

import numpy as np
import scipy.fft

from inversenet_tf.imaging.arrays import images_of

COMPONENTS = (200, 60)  # of the colour that varies most, and of each of the others
LEAST_IMAGES = 20  # that a model can be fitted to
LEAST_SIDE = 8  # pixels: smaller images have no frequencies between those of `ANCHOR`
PASSES, SPARE = 2, 20  # of the randomised principal components (Halko et al. 2011)
SLOPE = 2.2  # natural images' power falls with the frequency to this power (Field 1987)
ANCHOR = (0.15, 0.25)  # cycles per pixel, where even enlarged images keep their power


@dataclasses.dataclass(frozen=True, eq=False)
class ColourModel:
    """The Gaussian distribution of one colour, with spectra divided by sqrt(height * width).

    Attributes:
        mean: [height, width // 2 + 1], Fourier transform of the mean image.
        components: [components, height, width // 2 + 1], Fourier transforms of the principal
            components, each scaled to its standard deviation.
        power: [height, width // 2 + 1], variance of what the components leave.
    """

    mean: np.ndarray
    components: np.ndarray
    power: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ImageModel:
    """The Gaussian distribution of sharp images of one class.

    Example:
        ```python
        faces = inversenet_tf.ImageModel.fit(sharp_faces)  # need not include the blurred ones
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
        """Fits the model to sharp images.

        Args:
            images: [batch, height, width, channels] or a list, in [0, 1] or integers, of one size
                and framed alike, like aligned faces. Hundreds are needed, thousands are better.

        Raises:
            ValueError: fewer than 20 images, several sizes, or fewer than 8 pixels a side.
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
        """Raises ValueError unless the boundary is circular and the images are of `shape`."""
        check_boundary(boundary)
        shapes = sorted({image.shape for image in images})
        if shapes != [self.shape]:
            raise ValueError(
                f"Expected measurements of the shape of the image model, {self.shape}. "
                f"Received: {shapes}"
            )

    def spectra_of(self, images: np.ndarray) -> list[np.ndarray]:
        """Fourier transforms of images in the form of the model's.

        Args:
            images: [batch, height, width, channels] in [0, 1].

        Returns:
            [batch, height, width // 2 + 1] for each colour.
        """
        height, width, _ = self.shape
        rotated = np.moveaxis(images @ self.rotation.T, -1, 0)
        return [scipy.fft.rfft2(colour) / np.sqrt(height * width) for colour in rotated]

    def images_of(self, spectra: list[np.ndarray]) -> np.ndarray:
        """The inverse of `spectra_of`: images [batch, height, width, channels].

        Args:
            spectra: [batch, height * (width // 2 + 1)] for each colour.
        """
        height, width, _ = self.shape
        full = np.stack(spectra, axis=1).reshape(len(spectra[0]), -1, height, width // 2 + 1)
        colours = scipy.fft.irfft2(full, (height, width)) * np.sqrt(height * width)
        return np.moveaxis(colours, 1, -1) @ self.rotation


def check_is_model(image_model: object) -> None:
    """Raises ValueError for anything but an `ImageModel`, such as the sharp images themselves."""
    if not isinstance(image_model, ImageModel):
        raise ValueError(
            "Expected an ImageModel as image_model, as ImageModel.fit makes from sharp images. "
            f"Received: {type(image_model).__name__}"
        )


def check_boundary(boundary: str) -> None:
    """Raises ValueError for any boundary but "circular", the only one an image model fits."""
    if boundary != "circular":
        raise ValueError(
            "Expected the boundary to be circular with an image model, which describes whole "
            "images. "
            f"Received: {boundary}"
        )


def _uncorrelated_colours(images):
    """The principal axes of the pixels' colours, in order of decreasing variance."""
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
    # The power of the remainder counts in all directions, including those of the components,
    # which therefore keep only the rest of their variance.
    weights = multiplicities(height, width)
    shared = np.square(np.abs(spectra)).reshape(len(spectra), -1) @ (power * weights).ravel()
    deviations = np.sqrt(np.maximum(variances - shared, 0.0))
    return ColourModel(
        scipy.fft.rfft2(mean.reshape(height, width)) / scale,
        (spectra * deviations[:, np.newaxis, np.newaxis]).astype(np.complex64),
        power,
    )


def _principal_components(centred, count):
    """(variances [count], axes [pixels, count]), the largest variance first."""
    start = np.random.default_rng(0).standard_normal((centred.shape[1], count + SPARE))
    axes = np.linalg.qr(centred.T @ (centred @ start.astype(np.float32)))[0]
    for _ in range(PASSES):
        axes = np.linalg.qr(centred.T @ (centred @ axes))[0]
    within = centred @ axes
    variances, turned = np.linalg.eigh(within.T @ within / len(centred))
    return variances[::-1][:count], (axes @ turned)[:, ::-1][:, :count]


def _natural_power(power, height, width):
    """The power law of natural images, extrapolated from the middle to the high frequencies.

    Images that were enlarged or compressed have less power there; by their model the finest
    details of a measurement would count as noise.
    """
    rows, columns = scipy.fft.fftfreq(height)[:, np.newaxis], scipy.fft.rfftfreq(width)
    frequency = np.hypot(rows, columns)
    anchors = (frequency >= ANCHOR[0]) & (frequency < ANCHOR[1])
    level = np.median(power[anchors] * frequency[anchors] ** SLOPE)
    return np.where(frequency >= ANCHOR[1], level / np.maximum(frequency, ANCHOR[1]) ** SLOPE, 0.0)


def multiplicities(height: int, width: int) -> np.ndarray:
    """How often each value of a `scipy.fft.rfft2` occurs in the full transform."""
    counts = np.full((height, width // 2 + 1), 2.0)
    counts[:, 0] = 1.0
    if width % 2 == 0:
        counts[:, -1] = 1.0
    return counts
