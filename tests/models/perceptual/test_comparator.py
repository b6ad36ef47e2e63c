import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.models.perceptual.comparator import COMPARATORS, Comparator, build_comparator
from inversenet_tf.models.perceptual.feature_networks import (
    VGG16,
    AlexNet,
    SqueezeNet,
    TorchvisionAlexNet,
)
from inversenet_tf.models.perceptual.weights import (
    TORCHVISION_LAYERS,
    assign,
    from_torchvision,
    write_h5,
)

BVLC_SHAPES = {
    "conv1": (11, 11, 3, 96),
    "conv2": (5, 5, 48, 256),
    "conv3": (3, 3, 256, 384),
    "conv4": (3, 3, 192, 384),
    "conv5": (3, 3, 192, 256),
    "fc6": (9216, 4096),
}
BVLC_MEAN = np.float32([104.00698793, 116.66876762, 122.67891434])  # Caffe's, BGR


def random_weights(shapes, seed=0):
    """He's initialisation, and biases."""
    generator = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        kernel = generator.standard_normal(shape, np.float32)
        kernel *= np.sqrt(2 / np.prod(shape[:-1]))
        weights[name] = [kernel, generator.standard_normal(shape[-1], np.float32)]
    return weights


@pytest.fixture(scope="module")
def bvlc():
    return random_weights(BVLC_SHAPES)


@pytest.fixture(scope="module")
def bvlc_file(bvlc, tmp_path_factory):
    """As bvlc_alexnet.npy is once it is converted, with a layer more."""
    path = tmp_path_factory.mktemp("bvlc") / "alexnet.h5"
    write_h5(path, bvlc | {"fc8": [np.zeros((4096, 10)), np.zeros(10)]})
    return path


@pytest.fixture(scope="module")
def alexnet(bvlc_file):
    return build_comparator("alexnet", bvlc_file)


@pytest.fixture(scope="module")
def noise():
    """One image of AlexNet's own size, [1, 227, 227, 3]."""
    return np.random.default_rng(1).uniform(0, 1, (1, 227, 227, 3)).astype(np.float32)


@pytest.fixture
def squeezenet_file(shared_data):
    return shared_data / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"


def assert_close(features, expected, tolerance=1e-4):
    """Relative to the largest value."""
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def numpy_convolution(x, kernel, bias, stride=1, pad=0, groups=1):
    """ReLU of a convolution of [height, width, channels], as a matrix product of patches."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    side = kernel.shape[0]
    outputs = []
    for part, weights in zip(
        np.split(x, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True
    ):
        patches = np.lib.stride_tricks.sliding_window_view(part, (side, side), axis=(0, 1))
        patches = patches[::stride, ::stride].transpose(0, 1, 3, 4, 2)
        rows = patches.reshape(*patches.shape[:2], -1)
        outputs.append(rows @ weights.reshape(-1, weights.shape[-1]))
    return np.maximum(np.concatenate(outputs, axis=-1) + bias, 0)


def numpy_response_norm(x):
    """Krizhevsky's formula with Caffe's numbers: size 5, alpha 1e-4, beta 0.75, k 1."""
    channels = x.shape[-1]
    normalized = np.empty_like(x)
    for c in range(channels):
        near = x[..., max(0, c - 2) : min(channels, c + 3)]
        normalized[..., c] = x[..., c] / (1 + 1e-4 / 5 * (near**2).sum(-1)) ** 0.75
    return normalized


def numpy_pool(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))
    return windows[::2, ::2].max((-2, -1))


def numpy_fc6(image, weights):
    """BVLC's AlexNet before the last ReLU, in float64, from an RGB image in [0, 1]."""
    x = (image[..., ::-1] * 255.0 - BVLC_MEAN).astype(np.float64)
    x = numpy_pool(numpy_response_norm(numpy_convolution(x, *weights["conv1"], stride=4)))
    x = numpy_convolution(x, *weights["conv2"], pad=2, groups=2)
    x = numpy_pool(numpy_response_norm(x))
    x = numpy_convolution(x, *weights["conv3"], pad=1)
    x = numpy_convolution(x, *weights["conv4"], pad=1, groups=2)
    x = numpy_pool(numpy_convolution(x, *weights["conv5"], pad=1, groups=2))
    kernel, bias = weights["fc6"]
    return x.reshape(-1) @ kernel + bias


def test_alexnet_is_what_numpy_computes(alexnet, bvlc, noise):
    expected = numpy_fc6(noise[0], bvlc)
    assert_close(alexnet(noise)[0], np.maximum(expected, 0))
    before = Comparator(AlexNet(before_relu=True), alexnet.preprocess)
    assign(before.network, bvlc)
    features = before(noise)[0]
    assert_close(features, expected)
    assert np.min(features) < 0


def test_alexnet_is_what_pytorch_computes(alexnet, bvlc, noise):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def convolved(x, name, **options):
        kernel, bias = bvlc[name]
        kernel = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        return functional.relu(functional.conv2d(x, kernel, torch.from_numpy(bias), **options))

    def normalized(x):  # PyTorch divides alpha by the size, as Caffe does
        return functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

    bgr = noise[..., ::-1] * 255 - BVLC_MEAN
    x = torch.from_numpy(bgr.transpose(0, 3, 1, 2).copy())
    x = functional.max_pool2d(normalized(convolved(x, "conv1", stride=4)), 3, 2)
    x = functional.max_pool2d(normalized(convolved(x, "conv2", padding=2, groups=2)), 3, 2)
    x = convolved(x, "conv3", padding=1)
    x = convolved(x, "conv4", padding=1, groups=2)
    x = functional.max_pool2d(convolved(x, "conv5", padding=1, groups=2), 3, 2)
    kernel, bias = (torch.from_numpy(array) for array in bvlc["fc6"])
    x = functional.relu(x.permute(0, 2, 3, 1).reshape(1, -1) @ kernel + bias)
    assert_close(alexnet(noise), x.numpy())


@pytest.fixture(scope="module")
def torchvision_state():
    """Random, of the names and shapes of torchvision's checkpoint to FC6."""
    generator = np.random.default_rng(2)
    state = {}
    for source, shape in TORCHVISION_LAYERS.values():
        kernel = generator.standard_normal(shape, np.float32)
        state[f"{source}.weight"] = kernel * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        state[f"{source}.bias"] = generator.standard_normal(shape[0], np.float32)
    return state


@pytest.fixture(scope="module")
def torchvision_alexnet(torchvision_state, tmp_path_factory):
    path = tmp_path_factory.mktemp("torchvision") / "alexnet_torchvision.h5"
    write_h5(path, from_torchvision(torchvision_state))
    return build_comparator("alexnet_torchvision", path)


def test_torchvision_alexnet_is_what_numpy_computes(torchvision_alexnet, torchvision_state):
    image = np.random.default_rng(3).uniform(0, 1, (224, 224, 3)).astype(np.float32)
    mean, stddev = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = (image - mean) / stddev
    layers = [
        (0, 4, 2, True),
        (3, 1, 2, True),
        (6, 1, 1, False),
        (8, 1, 1, False),
        (10, 1, 1, True),
    ]
    for index, stride, pad, pooled in layers:
        kernel = torchvision_state[f"features.{index}.weight"].transpose(2, 3, 1, 0)
        bias = torchvision_state[f"features.{index}.bias"]
        x = numpy_convolution(x, kernel, bias, stride=stride, pad=pad)
        x = numpy_pool(x) if pooled else x
    flat = x.transpose(2, 0, 1).reshape(-1)  # PyTorch flattens channels first
    kernel, bias = (torchvision_state[f"classifier.1.{part}"] for part in ("weight", "bias"))
    assert_close(torchvision_alexnet(image[None])[0], np.maximum(kernel @ flat + bias, 0))


def test_torchvision_alexnet_is_what_pytorch_computes(torchvision_alexnet, torchvision_state):
    """The layers as torchvision.models.alexnet builds them, in evaluation."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
    )
    classifier = nn.Sequential(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU())
    model = nn.ModuleDict({"features": features, "classifier": classifier}).eval()
    model.load_state_dict({name: torch.from_numpy(a) for name, a in torchvision_state.items()})
    images = np.random.default_rng(4).uniform(0, 1, (2, 224, 224, 3)).astype(np.float32)
    normalized = (images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        x = torch.from_numpy(normalized.transpose(0, 3, 1, 2).astype(np.float32))
        x = nn.functional.adaptive_avg_pool2d(model["features"](x), (6, 6))
        expected = model["classifier"](torch.flatten(x, 1)).numpy()
    assert_close(torchvision_alexnet(images), expected)


def test_vgg16_is_keras_up_to_block5_conv3():
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(40, 40, 3))
    last = theirs.get_layer("block5_conv3")
    ours = VGG16(size=40)
    assign(ours, {layer.name: layer.get_weights() for layer in theirs.layers})
    inputs = np.random.default_rng(5).normal(0, 60, (1, 40, 40, 3)).astype(np.float32)
    expected = keras.Model(theirs.input, last.output)(inputs)
    assert_close(ours(inputs), np.reshape(expected, (1, -1)), 1e-6)
    images = np.random.default_rng(6).uniform(0, 1, (1, 40, 40, 3)).astype(np.float32)
    np.testing.assert_allclose(
        COMPARATORS["vgg16"].preprocess(images),
        keras.applications.vgg16.preprocess_input(images * 255.0),
        atol=1e-4,
    )


def real_images(folder, count, side):
    """Center crops of real photos: [count, side, side, 3]."""
    crops = []
    for path in sorted(folder.rglob("*.jpg"))[:count]:
        image = read_image(path)
        top, left = ((length - side) // 2 for length in image.shape[:2])
        crops.append(image[top : top + side, left : left + side])
    return np.stack(crops)


@pytest.mark.parametrize("name", ["vgg16", "squeezenet"])
def test_networks_of_keras_get_bgr_less_its_mean(name, images):
    given = COMPARATORS[name].preprocess(images)
    expected = keras.applications.vgg16.preprocess_input(images * 255.0)
    np.testing.assert_allclose(given, expected, atol=1e-3)
    assert np.abs(given[..., 0] - given[..., 2]).max() > 1  # so that the order of colours shows


def test_real_features_tell_more_blur_from_less(squeezenet_file, shared_data):
    comparator = build_comparator("squeezenet", squeezenet_file, size=128)
    images = real_images(shared_data / "bsds500" / "val", 50, 128)
    distances = []
    for sigma in (1, 2):
        blurred = gaussian_filter(images, (0, sigma, sigma, 0), mode="wrap")
        difference = comparator(blurred) - comparator(images)
        distances.append(np.sum(np.square(difference), axis=1))
    assert np.mean(distances[0]) < np.mean(distances[1])
    assert np.sum(distances[0] < distances[1]) >= 49


@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16"])
def test_gradients_reach_the_images(alexnet, bvlc, squeezenet_file, images, dtype):
    if dtype is None:
        networks = [alexnet]
    else:
        network = AlexNet(dtype=dtype)
        assign(network, bvlc)
        networks = [Comparator(network, alexnet.preprocess)]
    networks.append(build_comparator("squeezenet", squeezenet_file, size=64, dtype=dtype))
    for comparator in networks:

        @tf.function
        def gradient(batch, comparator=comparator):
            with tf.GradientTape() as tape:
                tape.watch(batch)
                loss = tf.reduce_sum(comparator(batch) ** 2)
            return tape.gradient(loss, batch)

        slopes = gradient(images).numpy()
        assert slopes.dtype == np.float32
        assert np.isfinite(slopes).all()
        assert (np.abs(slopes).reshape(len(slopes), -1).max(1) > 0).all()


def test_gradient_of_alexnet_is_the_slope_of_numpys(alexnet, bvlc, noise):
    """Along the gradient, through groups and LRN."""
    weights = np.random.default_rng(7).normal(0, 1, 4096)
    images = tf.constant(noise)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(alexnet(images) * weights.astype(np.float32))
    gradient = tape.gradient(value, images).numpy()
    length = np.linalg.norm(gradient)
    step = 1e-5 * gradient[0] / length
    ends = [numpy_fc6(noise[0].astype(np.float64) + sign * step, bvlc) for sign in (1, -1)]
    first, second = (np.maximum(end, 0) @ weights for end in ends)
    np.testing.assert_allclose(length, (first - second) / 2e-5, rtol=2e-3)


def test_bfloat16_is_near_float32_and_gives_float32(squeezenet_file, images):
    exact = build_comparator("squeezenet", squeezenet_file, size=64)
    rounded = build_comparator("squeezenet", squeezenet_file, size=64, dtype="mixed_bfloat16")
    assert rounded.network.get_layer("fire5_expand3x3").compute_dtype == "bfloat16"
    features = rounded(images)
    assert features.dtype == "float32"
    assert_close(features, exact(images), 0.05)


def test_gray_images_count_as_three_equal_channels(squeezenet_file, images):
    comparator = build_comparator("squeezenet", squeezenet_file, size=64)
    gray = images[..., :1]
    np.testing.assert_array_equal(comparator(gray), comparator(np.repeat(gray, 3, axis=-1)))
    with pytest.raises(ValueError, match=r"1 or 3 channels. Received: .*2\)"):
        comparator(images[..., :2])


def test_any_size_is_resized(squeezenet_file, images):
    comparator = build_comparator("squeezenet", squeezenet_file, size=64)
    assert comparator(images).shape == (2, 4608)
    assert comparator(np.zeros((1, 100, 70, 3))).shape == (1, 4608)
    resized = tf.image.resize(images, (64, 64))
    np.testing.assert_array_equal(comparator(images), comparator(resized))
    unknown = tf.function(comparator.__call__).get_concrete_function(
        tf.TensorSpec((None, None, None, 3), tf.float32)
    )
    assert unknown.output_shapes.as_list() == [None, 4608]


def test_features_before_the_relu_have_negatives(squeezenet_file, images):
    after = build_comparator("squeezenet", squeezenet_file, size=64)(images)
    before = build_comparator("squeezenet", squeezenet_file, size=64, before_relu=True)(images)
    assert np.min(before) < 0 == np.min(after)
    np.testing.assert_array_equal(after, np.maximum(before, 0))


@pytest.mark.parametrize("before_relu", [False, True])
def test_sizes_of_features(before_relu):
    for size, features in ((32, 512), (64, 4608), (224, 86528)):
        assert SqueezeNet(size=size, before_relu=before_relu).output_shape == (None, features)
    assert VGG16(size=32, before_relu=before_relu).output_shape == (None, 2048)


def test_parameters_are_those_of_the_published_networks(alexnet, torchvision_alexnet):
    """To FC6; the publications' totals less FC7, FC8 and SqueezeNet's conv10."""
    assert alexnet.network.count_params() == 60_965_224 - 16_781_312 - 4_097_000
    assert torchvision_alexnet.network.count_params() == 61_100_840 - 16_781_312 - 4_097_000
    assert SqueezeNet().count_params() == 1_235_496 - 513_000
    assert VGG16(size=32).count_params() == 14_714_688


def test_a_comparator_is_frozen_and_no_part_of_a_model_that_holds_it(squeezenet_file):
    comparator = build_comparator("squeezenet", squeezenet_file, size=64)
    assert comparator.network.weights and not comparator.network.trainable_variables
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.comparator = comparator
    assert len(model.weights) == 2


def test_replicas_agree(two_replicas, squeezenet_file, images):
    alone = build_comparator("squeezenet", squeezenet_file, size=64)(images)
    with two_replicas.scope():
        comparator = build_comparator("squeezenet", squeezenet_file, size=64)
    outputs = two_replicas.run(tf.function(comparator.__call__), (images,))
    for features in two_replicas.experimental_local_results(outputs):
        assert_close(features, alone, 1e-5)


def test_save_and_load_keep_every_value(tmp_path, images):
    network = SqueezeNet(size=32, before_relu=True)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_config() == network.get_config()
    np.testing.assert_array_equal(loaded(images), network(images))


def test_what_cannot_be_is_refused(tmp_path, squeezenet_file):
    with pytest.raises(ValueError, match=r"'alexnet'.*Received: 'resnet'"):
        build_comparator("resnet", squeezenet_file)
    with pytest.raises(ValueError, match="size >= 32. Received: 31"):
        build_comparator("squeezenet", squeezenet_file, size=31)
    for network, own in ((AlexNet, 227), (TorchvisionAlexNet, 224)):
        with pytest.raises(ValueError, match=f"to be {own}. Received: 64"):
            network(size=64)
    with pytest.raises(ValueError, match=r"'block1_conv1' of 'vgg16'.*Received: .*fire9_expand"):
        build_comparator("vgg16", squeezenet_file, size=32)


@pytest.mark.parametrize("name", COMPARATORS)
def test_missing_weights_say_where_to_get_them(name, tmp_path):
    missing = tmp_path / "none.h5"
    with pytest.raises(ValueError, match=rf"{missing}.*loss.comparator_weights"):
        build_comparator(name, missing)
