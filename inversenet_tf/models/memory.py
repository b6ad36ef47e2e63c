"""The least memory that a config needs, computed before anything is built.

A config may come from elsewhere or have been edited by hand, and one digit too many makes it need
more memory than there is. Everything here is a lower bound, so that nothing is refused that could
run.
"""

import dataclasses
import itertools

import tensorflow as tf

from inversenet_tf.config import Config
from inversenet_tf.imaging.files.memory import check_floats_fit
from inversenet_tf.models.dncnn import WIDTH as DNCNN_WIDTH
from inversenet_tf.models.solver_resnet import LEAST_FACTOR
from inversenet_tf.models.unet import widths_of

TRAINED = 4  # floats for each trained weight: itself, its gradient, and two moments of Adam
# Networks of residual blocks, and the least factor by which their grid is coarser than the image's.
RESIDUAL = {"srresnet": 1, "solver_resnet": LEAST_FACTOR}
DAE_WIDTHS = (128, 64, 32, 64, 128)  # of the hidden layers of Table 4


@dataclasses.dataclass(frozen=True)
class Need:
    """The least that a network needs.

    Attributes:
        words: describes it and the fields of the config that make it large.
        weights: number of weights.
        features: numbers per pixel of an image, in all hidden layers together.
    """

    words: str
    weights: int
    features: float


def check_networks_fit(config: Config, with_discriminator: bool = False) -> None:
    """Checks that the networks of a config fit into memory.

    Args:
        config: a valid `Config`.
        with_discriminator: whether to count the discriminator, too.

    Raises:
        ValueError: their weights take more than half of the free memory.
    """
    needs = needs_of(config)
    if not with_discriminator:
        needs.pop("discriminator", None)
    check_floats_fit({need.words: need.weights for need in needs.values()})


def check_training_fits(config: Config) -> None:
    """Checks that a training fits into memory: networks with their optimizers, and one batch.

    Args:
        config: a valid `Config`.

    Raises:
        ValueError: it takes more than the free memory.
    """
    needs = needs_of(config).values()
    copies = max(config.runtime.replicas, 1) * (TRAINED + (config.training.average > 0))
    floats = {need.words: copies * need.weights for need in needs}
    data, batch = config.data, config.training.batch_size
    of_a_patch = _pixels(data, data.margin) + config.loss.comparator_size**2
    if config.operator.is_varied:
        of_a_patch += config.operator.kernel_size**2
    if not tf.config.list_physical_devices("GPU"):  # whose memory would hold the features
        of_a_patch += data.size**2 * sum(need.features for need in needs)
    check_floats_fit(floats | {_batch_words(config, batch): batch * of_a_patch}, whole=True)


def check_batch_fits(config: Config, count: int) -> None:
    """Checks that a batch of an evaluation fits into memory.

    Args:
        config: a valid `Config`.
        count: number of images that are evaluated; no batch has more.

    Raises:
        ValueError: it takes more than half of the free memory.
    """
    if config.data.evaluation_crop == "whole":  # images are evaluated one by one
        return
    batch = min(config.training.batch_size, count)
    check_floats_fit({_batch_words(config, batch): batch * _pixels(config.data)})


def needs_of(config: Config) -> dict[str, Need]:
    """{part: `Need`} of the networks that a valid config names, except the caller's own.

    Neural deblurring is left out, as no field of the config widens its layers.
    """
    network = config.network
    needs = {}
    if network.inverter in ("unet", "solver_unet"):
        needs["inverter"] = _unet(network.inverter, config.depth, network.width)
    if network.inverter in RESIDUAL:
        needs["inverter"] = _residual(network, config.operator.scale)
    if network.denoiser == "dae":
        needs["denoiser"] = _dae(network.dae_factor, config.data.channels)
    if network.denoiser == "dncnn":
        needs["denoiser"] = _dncnn(network.dncnn_layers)
    if config.loss.adversarial_weight > 0:
        needs["discriminator"] = _discriminator(network.discriminator_width)
    return needs


def _unet(name, depth, width):
    widths = widths_of(width)[:depth]
    pairs = [one * other for one, other in itertools.pairwise(widths)]
    features = sum(level / 4**number for number, level in enumerate(widths, start=1))
    words = f"The inverter {name!r} of network.width {width} and network.depth {depth}"
    # On the way up, every convolution but the first also takes a skip, and there are as many
    # features as on the way down, except those of the deepest level.
    weights = 3 * sum(pairs) - sum(pairs[-1:])
    return Need(words, 16 * weights, 2 * features - widths[-1] / 4**depth)


def _residual(network, scale):
    blocks, width, name = network.residual_blocks, network.residual_width, network.inverter
    words = f"The inverter {name!r} of network.residual_blocks {blocks} and residual_width {width}"
    factor = max(scale, RESIDUAL[name])
    return Need(words, 9 * width**2 * 2 * blocks, 2 * blocks * width / factor**2)


def _dae(factor, channels):
    inner = factor**2 * channels
    pairs = sum(one * other for one, other in itertools.pairwise((inner, *DAE_WIDTHS, inner)))
    words = f"The denoiser 'dae' of network.dae_factor {factor}"
    return Need(words, 16 * pairs, sum(DAE_WIDTHS) / factor**2)


def _dncnn(layers):
    words = f"The denoiser 'dncnn' of network.dncnn_layers {layers}"
    return Need(words, 9 * DNCNN_WIDTH**2 * (layers - 2), DNCNN_WIDTH * (layers - 1))


def _discriminator(width):
    widths = [width * 2**level for level in range(4)]
    pairs = sum(one * other for one, other in itertools.pairwise(widths))
    features = sum(level / 4**number for number, level in enumerate(widths, start=1))
    words = f"The discriminator of network.discriminator_width {width}"
    return Need(words, 16 * pairs, 2 * features)  # of true and of restored images


def _batch_words(config, batch):
    return f"A batch of training.batch_size {batch}, of images of data.size {config.data.size},"


def _pixels(data, margin=0):
    """Numbers in an image, including its black border, and in its measurement."""
    sides = data.size + 2 * margin, 1 + 2 * data.padding
    return 2 * max(sides) ** 2 * data.channels
