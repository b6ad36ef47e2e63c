import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.models.dae import DAE

TABLE_4 = {
    "unshuffle": 48,
    "relu1": 128,
    "relu2": 64,
    "relu3": 32,
    "concatenate": 35,
    "relu4": 64,
    "relu5": 128,
    "conv6": 48,
}


def test_layers_have_the_shapes_of_table_4():
    dae = DAE(condition="inner")
    z, y = np.zeros((1, 256, 256, 3), np.float32), np.zeros((1, 64, 64, 3), np.float32)
    outputs = [dae.get_layer(name).output for name in TABLE_4]
    activations = keras.Model(dae.inputs, outputs)([z, y])
    for (name, channels), features in zip(TABLE_4.items(), activations, strict=True):
        assert features.shape == (1, 64, 64, channels), name
    assert dae([z, y]).shape == (1, 256, 256, 3)


def test_parameter_count_is_that_of_table_4():
    widths = [(48, 128), (128, 64), (64, 32), (35, 64), (64, 128), (128, 48)]
    expected = sum(16 * i * o + o for i, o in widths) + 4 * sum(o for _, o in widths[:-1])
    assert DAE(condition="inner").count_params() == expected == 529_488
    literal = DAE(condition="inner", paper_literal=True)
    assert literal.count_params() == expected + 4 * 48


def test_pixel_shuffling_is_periodic_and_undone():
    from inversenet_tf.engine.layers import PixelShuffle, PixelUnshuffle

    images = np.arange(2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)
    shuffled = PixelUnshuffle(4)(images)
    assert shuffled.shape == (2, 2, 2, 48)
    np.testing.assert_array_equal(shuffled[0, 1, 0].numpy().reshape(4, 4, 3), images[0, 4:, :4])
    np.testing.assert_array_equal(PixelShuffle(4)(shuffled), images)


def test_the_literal_table_cannot_output_negatives(images):
    signed = images * 2 - 1
    assert DAE(paper_literal=True)(signed, training=True).numpy().min() >= 0
    assert DAE()(signed, training=True).numpy().min() < 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("condition", ["none", "inner", "shuffled"])
def test_every_weight_counts(channels, condition):
    generator = np.random.default_rng(0)
    z = generator.normal(size=(4, 32, 32, channels)).astype(np.float32)
    y = generator.normal(size=(4, 8, 8, channels) if condition == "inner" else z.shape)
    dae = DAE(channels=channels, condition=condition)
    with tf.GradientTape() as tape:
        output = dae(z if condition == "none" else [z, y.astype(np.float32)], training=True)
        loss = tf.reduce_sum((output - z) ** 2)
    assert output.shape == z.shape
    for variable, gradient in zip(
        dae.trainable_variables, tape.gradient(loss, dae.trainable_variables), strict=True
    ):
        assert np.isfinite(gradient).all(), variable.path
        # A bias before a batch norm has no influence, whatever the table says.
        if variable.name != "bias":
            assert np.any(gradient != 0), variable.path


def test_global_skip_adds_the_input(images):
    plain, skipping = DAE(), DAE(global_skip=True)
    skipping.set_weights(plain.get_weights())
    np.testing.assert_allclose(skipping(images), plain(images) + images, atol=1e-6)


def test_save_and_load_keep_every_value(tmp_path, images):
    dae = DAE(condition="shuffled", dtype="mixed_bfloat16")
    dae.save(tmp_path / "dae.keras")
    loaded = keras.saving.load_model(tmp_path / "dae.keras")
    assert loaded.get_config() == dae.get_config()
    np.testing.assert_array_equal(loaded([images, images]), dae([images, images]))


def test_unknown_conditions_are_refused():
    with pytest.raises(ValueError, match="Received: 'late'"):
        DAE(condition="late")
