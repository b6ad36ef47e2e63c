import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.engine import layers
from inversenet_tf.engine.layers import BatchNorm, HalvingConv2D, convolution


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 5, 8)).astype(np.float32)


def test_fused_batch_norm_is_that_of_keras(inputs):
    """Outputs, gradients and moving statistics of three training steps, then inference."""
    layers = [BatchNorm(), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)]
    results = []
    for layer in layers:
        gradients = []
        for step in range(3):
            batch = tf.constant(inputs * (step + 1))
            with tf.GradientTape() as tape:
                tape.watch(batch)
                loss = tf.reduce_sum(layer(batch, training=True) ** 3)
            gradients += tape.gradient(loss, [batch, *layer.trainable_variables])
        results.append([*gradients, *layer.variables, layer(inputs, training=False)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_half_precision_keeps_float32_statistics(inputs):
    layer = BatchNorm(dtype="mixed_bfloat16")
    outputs = layer(inputs, training=True)
    assert outputs.dtype == tf.bfloat16
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    np.testing.assert_allclose(layer.moving_mean, 0.1 * inputs.mean((0, 1, 2)), rtol=1e-2)


def test_statistics_span_the_replicas(inputs, two_replicas):
    with two_replicas.scope():
        layer = BatchNorm()
        layer.build(inputs.shape)
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(inputs[2 * context.replica_id_in_sync_group :][:2])
    )

    @tf.function
    def step(batch):
        return two_replicas.run(lambda half: layer(half, training=True), args=(batch,))

    outputs = np.concatenate(two_replicas.experimental_local_results(step(halves)))
    whole = BatchNorm()
    np.testing.assert_allclose(outputs, whole(inputs, training=True), atol=1e-4)
    for variable, expected in zip(layer.variables, whole.variables, strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 8, 8, 128), (3, 7, 10, 130), (1, 1, 2, 128)])
def test_the_gradients_of_a_halving_convolution_are_tensorflows(shape):
    layer = convolution(6, strides=2, dtype="mixed_bfloat16")
    assert type(layer) is HalvingConv2D
    generator = np.random.default_rng(0)
    images = tf.constant(generator.normal(size=shape), tf.float32)
    weights = tf.constant(generator.normal(size=(*(-(-n // 2) for n in shape[1:3]), 6)), tf.float32)
    layer(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(tf.cast(layer(images), tf.float32) * weights)
    gradients = tape.gradient(loss, [images, *layer.trainable_variables])
    kernel, bias = (variable.value for variable in layer.trainable_variables)
    with tf.GradientTape() as tape:
        tape.watch([images, kernel, bias])
        outputs = tf.nn.conv2d(images, kernel, 2, "SAME") + bias
        loss = tf.reduce_sum(outputs * weights)
    for ours, theirs in zip(gradients, tape.gradient(loss, [images, kernel, bias]), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(theirs).max())


def test_only_what_is_slow_takes_the_other_way(monkeypatch):
    taken = []

    def recorded(images, kernel):
        taken.append((images.dtype, images.shape[-1]))
        return tf.nn.conv2d(images, kernel, 2, "SAME")

    monkeypatch.setattr(layers, "_halving_convolution", recorded)
    for dtype in ("mixed_bfloat16", "float32"):
        for channels in (127, 128):
            convolution(1, strides=2, dtype=dtype)(np.zeros((1, 4, 4, channels), np.float32))
    assert taken == [(tf.bfloat16, 128)]
