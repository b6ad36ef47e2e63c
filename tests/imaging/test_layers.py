import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.imaging.layers import BatchNorm


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
    for found, expected in zip(layer.variables, whole.variables, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)
