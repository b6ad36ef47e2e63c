import keras
import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf import stacked as module
from blind_gan_tf.forward import SurrogateBank
from blind_gan_tf.stacked import AnyModels, block_paths, stacked
from blind_gan_tf.surrogate import LinearConvolution, MixingNetwork

SURROGATES = {
    "5x5, circular": lambda seed: LinearConvolution(seed=seed),
    "11x11, reflect": lambda seed: LinearConvolution(
        3, 2, filters=4, kernel_size=11, boundary="reflect", seed=seed
    ),
    "1x1": lambda seed: LinearConvolution(3, 1, filters=4, kernel_size=1, seed=seed),
    "mixing": lambda seed: MixingNetwork(3, 2, units=5, seed=seed),
}


def both(surrogate, shape):
    """(outputs, gradients by the weights, gradient by the images), at once and one by one."""
    models = [surrogate(seed) for seed in range(shape[0])]
    for model in models:  # biases are zero at first
        model.set_weights([w + 0.1 if w.ndim == 1 else w for w in model.get_weights()])
    images = tf.random.stateless_uniform(shape, [0, 1])
    weights = [tf.stack(x) for x in zip(*(model.get_weights() for model in models), strict=True)]
    for ways in (stacked(models[0]), AnyModels(models[0])):
        with tf.GradientTape() as tape:
            tape.watch([images, *weights])
            outputs = ways.apply(ways.prepared(weights), ways.arranged(images))
            loss = tf.reduce_sum(tf.sin(outputs))
        yield [outputs, *tape.gradient(loss, [images, *weights])]


@pytest.mark.parametrize("side", [(16, 12), (15, 13)])
@pytest.mark.parametrize("name", SURROGATES)
def test_many_at_once_are_each_of_them(name, side):
    at_once, one_by_one = both(SURROGATES[name], (2, 3, *side, 3))
    for found, expected in zip(at_once, one_by_one, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)


def test_large_mixtures_go_one_copy_after_another(monkeypatch):
    small, _ = both(SURROGATES["mixing"], (2, 3, 8, 8, 3))
    monkeypatch.setattr(module, "AT_ONCE", 10)
    monkeypatch.setattr(tf, "map_fn", counted(tf.map_fn, calls := []))
    large, _ = both(SURROGATES["mixing"], (2, 3, 8, 8, 3))
    assert len(calls) == 1
    for one, other in zip(small, large, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def counted(function, calls):
    def call(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options)

    return call


def test_paths_lead_to_the_sum_of_both_rows():
    paths = block_paths(3).reshape(8, 4, 3, 3)
    assert paths[5, 3].sum() == 3  # 0 + 2, 1 + 1, 2 + 0
    assert paths[2, 3].sum() == 0  # before the kernel's reach
    assert paths.sum() == 4 * 9  # all pairs, for every row of a block


def test_a_callers_own_model_is_called_as_it_is():
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(
        inputs, keras.layers.Conv2D(1, 3, activation="tanh", padding="same")(inputs)
    )
    assert type(stacked(model)) is AnyModels
    images = tf.random.stateless_uniform((1, 2, 8, 8, 1), [0, 1])
    np.testing.assert_allclose(SurrogateBank([model])(images)[0], model(images[0]), atol=1e-6)


def test_a_subclass_is_no_longer_what_it_was():
    class Doubled(MixingNetwork):
        def call(self, sources, **options):
            return 2.0 * super().call(sources, **options)

    assert type(stacked(Doubled(3, 2))) is AnyModels


def test_what_is_kept_apart_follows_what_may_change():
    bank = SurrogateBank([MixingNetwork(3, 2, seed=seed) for seed in (0, 1)])
    images = tf.random.stateless_uniform((2, 1, 4, 4, 3), [0, 1])
    before, now, seeing = bank(images), bank.now(), bank.seeing(images)
    for variable in bank.variables:
        variable.assign(variable * 2.0)
    np.testing.assert_allclose(now(images), before, rtol=1e-6)  # the weights of then
    np.testing.assert_allclose(seeing(), bank(images), rtol=1e-6)  # those of now
    assert np.abs(bank(images) - before).max() > 0.1
