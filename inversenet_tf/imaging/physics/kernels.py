"""float32 convolution kernels: parametric, seeded, or from a file.

Blur kernels are non-negative and sum to 1; the edge kernel is signed and sums to 0.

The paper shows its kernels only as pictures (Figs. 11-13), so the parametric ones stand in for
them; `from_file` reads any other.
"""

import re
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.files.arrays import ARRAY_SUFFIX, read_array
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.matlab import variables_of

KERNEL_VALUES = "of non-negative values with a positive sum"
KERNEL_NAME = re.compile(
    r"(?:.*_)?(?:k|f|h|psf|kernel|kern|filt|filter|blur)s?_?\d*", re.IGNORECASE
)
CHROMATIC_SIGMAS = (0.75, 1.0, 1.25)  # of red, green and blue, in units of the given sigma


def normalised(kernel):
    """A kernel [height, width(, channels)] as float32, each channel scaled to sum 1.

    Raises:
        ValueError: a sum that is not positive.
    """
    sums = kernel.sum(axis=(0, 1))
    if not np.all(sums > 0):
        raise ValueError(f"Expected a kernel with a positive sum. Received: a sum of {sums}")
    return (kernel / sums).astype(np.float32)


def draw_path(points, size):
    """The kernel of a path: equal mass at each point, shared bilinearly by its four neighbours.

    Args:
        points: [number, 2] of (row, column), within [0, size - 1].
        size: side of the kernel in pixels.
    """
    kernel = np.zeros((size + 1, size + 1))
    corner = np.floor(points).astype(int)
    fraction = points - corner
    for row in (0, 1):
        for column in (0, 1):
            weight = np.abs(1 - row - fraction[:, 0]) * np.abs(1 - column - fraction[:, 1])
            np.add.at(kernel, (corner[:, 0] + row, corner[:, 1] + column), weight)
    return normalised(kernel[:size, :size])


def linear_motion(size=9, angle=45.0):
    """Uniform motion along a line that spans the kernel.

    Args:
        size: side in pixels.
        angle: degrees, counter-clockwise from the horizontal.

    Returns:
        [size, size] kernel.
    """
    direction = np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    reach = (size - 1) / 2 / np.abs(direction).max()
    steps = np.linspace(-reach, reach, 16 * size + 1)
    points = (size - 1) / 2 + steps[:, None] * direction
    return draw_path(np.clip(points, 0, size - 1), size)


def camera_shake(size=9, seed=0):
    """A smooth random trajectory, like that of a hand-held exposure.

    Args:
        size: side in pixels.
        seed: the same seed gives the same kernel.

    Returns:
        [size, size] kernel.
    """
    import scipy.ndimage  # slow to import, and needed for few kernels

    generator = np.random.default_rng(seed)
    acceleration = scipy.ndimage.gaussian_filter(generator.normal(size=(512, 2)), (24, 0))
    path = np.cumsum(np.cumsum(acceleration, axis=0), axis=0)
    return draw_trajectory(path, (size - 1) / 2, size)


def draw_trajectory(path, reach, size):
    """The kernel of a trajectory after centring and scaling it.

    Args:
        path: [number, 2] of (row, column), in any units.
        reach: pixels from the centre to the trajectory's farthest row or column.
        size: side of the kernel in pixels.
    """
    path = path - (path.max(axis=0) + path.min(axis=0)) / 2
    path *= reach / np.abs(path).max()
    return draw_path(path + (size - 1) / 2, size)


def gaussian(size=9, sigma=2.0):
    """An isotropic Gaussian of standard deviation `sigma` pixels: [size, size].

    Raises:
        ValueError: a sigma that is not positive, or so small that, in a kernel of an even size,
            which has no pixel in the middle, nothing is left.
    """
    check_positive("sigma", sigma)
    offsets = np.arange(size) - (size - 1) / 2
    profile = np.exp(-(offsets**2) / (2 * sigma**2))
    return normalised(np.outer(profile, profile))


def disk(size, radius):
    """The blur of a lens out of focus, a disk of `radius` pixels: [size, size].

    Raises:
        ValueError: a disk that covers no pixel.
    """
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    return normalised(np.clip(radius + 0.5 - np.hypot(rows, columns), 0.0, 1.0))


def line(size, length, angle):
    """Uniform motion over `length` pixels (at most size - 1) in any direction: [size, size].

    Args:
        angle: radians, counter-clockwise from the horizontal.
    """
    steps = np.linspace(-length / 2, length / 2, 16 * size + 1)
    path = steps[:, np.newaxis] * np.array([-np.sin(angle), np.cos(angle)])
    return draw_path(path + (size - 1) / 2, size)


def chromatic(size=9, sigma=2.0):
    """One Gaussian per channel, narrowest in red, widest in blue: [size, size, 3], each of sum 1.

    It stands in for the three kernels of Fig. 13, which differ between the channels.
    """
    return np.stack([gaussian(size, share * sigma) for share in CHROMATIC_SIGMAS], axis=-1)


def flat(size=7):
    """A box: all size x size values are equal."""
    return normalised(np.ones((size, size)))


def sobel():
    """The 3 x 3 kernel for vertical edges that blind inversion is tested on (its Section 3.1)."""
    return np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)


def mismatched(kernel, degrees=10.0):
    """A kernel turned by `degrees`, as assumed by a user who misreads the direction of a motion."""
    import scipy.ndimage  # slow to import, and needed for few kernels

    turned = scipy.ndimage.rotate(kernel, degrees, reshape=False, order=1)
    return normalised(np.maximum(turned, 0.0))


def from_file(path, index=0):
    """A kernel from `.png` (or any image), `.npy` or `.mat` (v5 and v7.3), scaled to sum 1.

    In a `.mat`, variables that cannot be a kernel are skipped; if some have the name of a kernel
    (`kernel`, `psf`, `k1`, `f`, ...), only those count.

    An array [height, width, 3] is one kernel per channel, each scaled to sum 1.

    Args:
        path: the file.
        index: which kernel of a file that holds several (`.mat`).

    Returns:
        [height, width] or [height, width, 3] kernel.

    Raises:
        ValueError: no such file or kernel, or values that cannot be a blur kernel.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        fault = "a directory" if path.is_dir() else "which does not exist"
        raise ValueError(f"Expected a kernel file (.png, .npy or .mat). Received: {path}, {fault}")
    try:
        if path.suffix.lower() == ARRAY_SUFFIX:
            kernels = [read_array(path)]
        elif path.suffix.lower() == ".mat":
            kernels = _mat_kernels(path)
        else:
            kernels = [read_image(path, channels=1)[..., 0]]
    except Exception as error:  # each format's reader raises its own types
        raise ValueError(f"Expected a kernel in {path}. Received: {error}") from error
    if not 0 <= index < len(kernels):
        raise ValueError(f"{path} holds {len(kernels)} kernels. Received: index={index}.")
    if len(kernels) > 1:
        logging.info("%s: using kernel %d of 0 to %d.", path, index, len(kernels) - 1)
    return blur_kernel(kernels[index], f" in {path}")


def blur_kernel(values, where=""):
    """Makes a blur kernel of an array: float32, scaled to sum 1.

    Args:
        values: [height, width], or [height, width, 3] for one kernel per channel.
        where: words for the error message that say where the values come from.

    Raises:
        ValueError: values of another shape, complex, negative, not finite, or only zeros.
    """
    try:
        is_complex = np.iscomplexobj(values)
        kernel = np.asarray(values, None if is_complex else np.float64)
    except (TypeError, ValueError) as error:  # a path, or rows of several lengths
        raise ValueError(
            f"Expected a matrix, or three, {KERNEL_VALUES}{where}. Received: {error}"
        ) from error
    if is_complex:
        raise ValueError(f"Expected a matrix, or three, {KERNEL_VALUES}{where}. Received: complex")
    if not _is_kernel(kernel):
        least = kernel.min() if kernel.size else "none"
        raise ValueError(
            f"Expected a matrix, or three, {KERNEL_VALUES}{where}. "
            f"Received: shape {kernel.shape}, least value {least}."
        )
    return normalised(kernel)


def _is_kernel(kernel):
    """Whether an array is a matrix, or three, that can be scaled to sum 1."""
    if not kernel.size or not (kernel.ndim == 2 or kernel.shape[2:] == (3,)):
        return False
    return np.isfinite(kernel).all() and kernel.min() >= 0 and np.all(kernel.sum((0, 1)) > 0)


def _mat_kernels(path):
    """The matrices of a MATLAB file that can be kernels, in the file's order.

    If some of its variables have the name of a kernel, only those are taken.
    """
    variables = variables_of(path)
    kernels_of = {}
    for name, _, matrices in variables:
        kernels = [matrix for matrix in matrices if matrix.size > 1 and _is_kernel(matrix)]
        if kernels:
            kernels_of[name] = kernels
    named = [name for name in kernels_of if KERNEL_NAME.fullmatch(name)]
    if not kernels_of:
        received = ", ".join(f"{name} ({kind})" for name, kind, _ in variables) or "no variables"
        raise ValueError(
            f"none of its variables is a matrix, or a cell of matrices, {KERNEL_VALUES}: {received}"
        )
    return [kernel for name in named or kernels_of for kernel in kernels_of[name]]


def bicubic(scale):
    """The anti-aliased bicubic filter for scaling down by `scale`, as a kernel.

    It is Keys' cubic (a = -1/2), stretched by the scale, as in MATLAB's `imresize` and Pillow. A
    new pixel is centred on its block, so for an even scale the first row and column are zero.

    Returns:
        [4 * scale + 1, 4 * scale + 1] kernel of sum 1, some of whose values are negative.
    """
    places = scale // 2 + 2 * scale - np.arange(4 * scale + 1)  # reversed, as for a convolution
    profile = cubic((places - (scale - 1) / 2) / scale)
    return normalised(np.outer(profile, profile))


def cubic(offsets):
    """Keys' interpolation kernel, a = -1/2, at the given offsets."""
    distances = np.abs(offsets)
    near = (1.5 * distances - 2.5) * distances**2 + 1.0
    far = ((-0.5 * distances + 2.5) * distances - 4.0) * distances + 2.0
    return np.where(distances < 1, near, np.where(distances < 2, far, 0.0))


KERNELS = {
    "linear_motion": lambda c: linear_motion(c.kernel_size, c.kernel_angle),
    "camera_shake": lambda c: camera_shake(c.kernel_size, c.kernel_seed),
    "gaussian": lambda c: gaussian(c.kernel_size, c.kernel_sigma),
    "chromatic": lambda c: chromatic(c.kernel_size, c.kernel_sigma),
    "flat": lambda c: flat(c.kernel_size),
    "bicubic": lambda c: bicubic(c.scale),
    "sobel": lambda c: sobel(),
    "file": lambda c: from_file(c.kernel_file, c.kernel_index),
}
