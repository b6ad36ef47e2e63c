"""The comparator C of Eqs. 8, 11 and 12: frozen features of a network trained on ImageNet."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.files.pixels import WHITE
from inversenet_tf.models.perceptual.feature_networks import (
    VGG16,
    AlexNet,
    SqueezeNet,
    TorchvisionAlexNet,
)
from inversenet_tf.models.perceptual.weights import assign, fetch, read_weights

CAFFE_MEAN = (104.00698793, 116.66876762, 122.67891434)  # BGR, of the BVLC networks
KERAS_MEAN = (103.939, 116.779, 123.68)  # BGR, of VGG and keras.applications' "caffe" mode
TORCHVISION_MEAN = (0.485, 0.456, 0.406)  # RGB of [0, 1]
TORCHVISION_STDDEV = (0.229, 0.224, 0.225)


def bgr_minus(mean):
    """Returns a function from RGB images in [0, 1] to BGR images in 0..255 minus `mean`."""
    return lambda images: tf.reverse(images, [-1]) * WHITE - tf.constant(mean)


def torchvision_normalized(images):
    """Normalizes RGB images in [0, 1] by torchvision's mean and standard deviation."""
    return (images - tf.constant(TORCHVISION_MEAN)) / tf.constant(TORCHVISION_STDDEV)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """The parts of a comparator.

    Attributes:
        network: a subclass of `FeatureNetwork`.
        size: side of the images that it was trained on.
        preprocess: function from RGB images in [0, 1] to the network's input.
        advice: where to get its weights, for error messages.
    """

    network: type
    size: int
    preprocess: Callable
    advice: str


USE = "Put it anywhere and pass its path as loss.comparator_weights."
COMPARATORS = {
    "alexnet": Pretrained(
        AlexNet,
        227,
        bgr_minus(CAFFE_MEAN),
        "bvlc_alexnet.npy is published on the University of Toronto's page \"AlexNet "
        'implementation + weights in TensorFlow" (Michael Guerzhoy); convert it with '
        f"tools/convert_weights.py. {USE}",
    ),
    "alexnet_torchvision": Pretrained(
        TorchvisionAlexNet,
        224,
        torchvision_normalized,
        "Download torchvision's alexnet checkpoint (IMAGENET1K_V1, alexnet-owt-7be5be79.pth) and "
        f"convert it with tools/convert_weights.py. {USE}",
    ),
    "squeezenet": Pretrained(
        SqueezeNet,
        224,
        bgr_minus(KERAS_MEAN),
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 is among the releases of "
        f"rcmalli/keras-squeezenet on GitHub. {USE}",
    ),
    "vgg16": Pretrained(
        VGG16,
        224,
        bgr_minus(KERAS_MEAN),
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 is what keras.applications.VGG16("
        f"include_top=False) downloads to ~/.keras/models. {USE}",
    ),
}


class Comparator:
    """Maps images to features; frozen but differentiable.

    On purpose not a Keras layer, so that a model that holds it neither trains nor saves its
    weights.

    Args:
        network: a `FeatureNetwork` with its weights.
        preprocess: function from RGB images in [0, 1] to the network's input.

    Input: [batch, height, width, 1 or 3] in [0, 1], of any size; it is resized bilinearly without
    antialiasing, and gray becomes three equal channels. Output: [batch, features] float32.
    """

    def __init__(self, network, preprocess):
        network.trainable = False
        self.network = network
        self.preprocess = preprocess

    def __call__(self, images):
        images = tf.cast(images, tf.float32)
        if images.shape[-1] not in (1, 3):
            raise ValueError(f"Expected images of 1 or 3 channels. Received: {images.shape}")
        if images.shape[-1] == 1:
            images = tf.image.grayscale_to_rgb(images)
        images = tf.image.resize(images, (self.network.size, self.network.size))
        return self.network(self.preprocess(images), training=False)


def build_comparator(name, weights, sha256="", size=0, before_relu=False, dtype=None):
    """Builds a comparator and reads its weights.

    Args:
        name: one of `COMPARATORS`.
        weights: path or URL of a weight file, see `inversenet_tf.models.perceptual.weights`.
        sha256: of that file; required for a URL.
        size: to which images are resized; 0 for the network's own. AlexNets take no other, the
            other networks take 32 and more.
        before_relu: whether to take the features before the last ReLU. Paper: not specified; here:
            after it.
        dtype: Keras dtype or policy of the hidden layers, such as "mixed_bfloat16".

    Returns:
        A `Comparator`.

    Raises:
        ValueError: an unknown name, an impossible size, or weights that are missing or do not fit.
    """
    check_choice("comparator", name, COMPARATORS)
    pretrained = COMPARATORS[name]
    path = fetch(weights, sha256, pretrained.advice)
    network = pretrained.network(
        size=size or pretrained.size, before_relu=before_relu, dtype=dtype, name=name
    )
    assign(network, read_weights(path))
    return Comparator(network, pretrained.preprocess)
