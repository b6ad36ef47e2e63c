from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine.toys import adam, compiled_pair, examples, sgd

from inversenet_tf.engine.adversarial import check_layers

SCALE = 2.0**10


def scaled(optimizer):
    return lambda factor: keras.optimizers.LossScaleOptimizer(optimizer(factor), SCALE)


@pytest.fixture(params=["one_device", "two_replicas"])
def strategy(request):
    return request.getfixturevalue(request.param)


def new_pair(strategy, *arguments, **options):
    with strategy.scope():
        return compiled_pair(*arguments, **options)


def stepping(model, strategy, batch_size=8):
    """Function that takes one step of all replicas and returns its logs as numbers."""
    share = batch_size // strategy.num_replicas_in_sync
    iterator = iter(
        strategy.distribute_datasets_from_function(lambda context: examples(0, 10**6, share))
    )

    @tf.function
    def on_all():
        logs = strategy.run(model.train_step, (next(iterator),))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    return lambda: {name: float(value) for name, value in on_all().items()}


def weights(model):
    return {name: network.get_weights() for name, network in model.networks.items()}


def moved(before, after):
    """How far each network went."""
    return {
        name: np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after[name], old, strict=True)))
        for name, old in before.items()
    }


def too_steep_for(name, first_step=0, slope=1000.0):
    """A loss whose gradient passes through float16, which holds 1000 but not SCALE times that."""

    def changed(model, network, loss):
        if network != name:
            return loss
        steep = tf.where(model.steps_taken >= first_step, slope, 1.0)
        return steep * tf.cast(tf.cast(loss, tf.float16), tf.float32)

    return changed


def test_a_gradient_that_overflows_is_left_out_of_its_network_alone(strategy):
    model = new_pair(strategy, scaled(adam), clip_norm=1.0, changed=too_steep_for("first", 1))
    step = stepping(model, strategy)
    logs = step()
    assert (logs["first_skipped"], logs["second_skipped"]) == (0.0, 0.0)
    before = weights(model)
    logs = step()
    distances = moved(before, weights(model))
    assert distances["first"] == 0.0 and distances["second"] > 1e-3
    first, second = model.optimizers["first"], model.optimizers["second"]
    assert float(first.dynamic_scale.numpy()) == SCALE / 2
    assert float(second.dynamic_scale.numpy()) == SCALE
    assert (int(first.iterations.numpy()), int(second.iterations.numpy())) == (1, 2)
    assert (logs["first_skipped"], logs["second_skipped"]) == (1.0, 0.0)
    assert (logs["first_gradient_norm"], logs["first_clipped"]) == (0.0, 0.0)
    assert logs["second_gradient_norm"] > 0
    assert model.step == 2


def test_a_scale_that_was_too_high_falls_until_it_fits(strategy):
    """1000 * 2**10, 2**9, 2**8 and 2**7 are beyond float16's 65504; 2**6 is not."""
    model = new_pair(strategy, scaled(sgd), clip_norm=1.0, changed=too_steep_for("first"))
    step, before = stepping(model, strategy), weights(model)
    assert [step()["first_skipped"] for _ in range(5)] == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert float(model.optimizers["first"].dynamic_scale.numpy()) == 2.0**6
    assert moved(before, weights(model))["first"] == pytest.approx(0.1, rel=1e-3)  # rate * clip


@pytest.mark.parametrize(
    ("optimizer", "clip_norm"), [(sgd, None), (sgd, 0.05), (adam, 0.05), (adam, 1e3)]
)
def test_scaling_changes_neither_the_step_nor_the_logs(strategy, one_device, optimizer, clip_norm):
    plain = new_pair(one_device, optimizer, clip_norm)
    with_scale = new_pair(strategy, scaled(optimizer), clip_norm)
    steps = stepping(plain, one_device), stepping(with_scale, strategy)
    for _ in range(3):
        expected, logs = (step() for step in steps)
        skipped = {f"{name}_skipped": 0.0 for name in plain.networks}
        assert logs == pytest.approx(expected | skipped, rel=1e-5)
        if clip_norm is None:
            assert "first_clipped" not in logs
        else:
            assert logs["first_clipped"] == (logs["first_gradient_norm"] > clip_norm)
    assert clip_norm is None or logs["first_clipped"] == (clip_norm == 0.05)
    for name, network in weights(plain).items():
        for expected, value in zip(network, weights(with_scale)[name], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", [sgd, scaled(sgd)])
def test_a_gradient_is_clipped_to_its_norm_and_the_logged_one_is_that_before(
    strategy, one_device, optimizer
):
    model = new_pair(strategy, optimizer, clip_norm=0.25)
    free = new_pair(one_device, sgd)
    before = weights(model)
    logs = stepping(model, strategy)()
    stepping(free, one_device)()
    distances, unclipped = moved(before, weights(model)), moved(before, weights(free))
    for name in model.networks:
        assert unclipped[name] == pytest.approx(0.1 * logs[f"{name}_gradient_norm"], rel=1e-4)
        assert logs[f"{name}_gradient_norm"] > 0.25 and logs[f"{name}_clipped"] == 1.0
        assert distances[name] == pytest.approx(0.1 * 0.25, rel=1e-4)  # rate * clip


@pytest.mark.parametrize("first_scale", [2.0, 1.0])
def test_what_is_not_finite_without_scaling_is_told(strategy, first_scale):
    """A gradient that is NaN at any scale would be left out for ever."""

    def hopeless(model, name, loss):
        return tf.sqrt(loss * 0.0) if name == "first" else loss

    def optimizer(factor):
        return keras.optimizers.LossScaleOptimizer(sgd(factor), first_scale)

    model = new_pair(strategy, optimizer, clip_norm=1.0, changed=hopeless)
    step = stepping(model, strategy)
    if first_scale > 1.0:
        logs = step()
        assert (logs["first_skipped"], logs["first_gradient_norm"]) == (1.0, 0.0)
    logs = step()
    assert logs["first_skipped"] == 1.0 and np.isnan(logs["first_gradient_norm"])
    assert logs["second_skipped"] == 0.0 and logs["second_gradient_norm"] > 0


def test_a_network_with_an_idle_weight_is_refused(strategy):
    def changed(model, name, loss):
        return loss if name == "first" else tf.reduce_sum(model.second.get_layer("hidden").kernel)

    model = new_pair(strategy, changed=changed)
    with pytest.raises(ValueError, match="all weights of the second to be used.*'outputs/kernel'"):
        stepping(model, strategy)()


def networks_of(**networks):
    """What has nothing but networks."""
    return SimpleNamespace(networks=networks)


def small_network(layer):
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layer], name="inner")
    return keras.Model(inputs, inner(inputs))


@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_norms_that_go_their_own_ways_are_refused_of_several_replicas(synchronized):
    """Also inside of a layer."""
    norm = keras.layers.BatchNormalization(synchronized=synchronized, name="norm")
    model = networks_of(first=small_network(keras.layers.Dense(3)), second=small_network(norm))
    check_layers(model, 1)
    if synchronized:
        check_layers(model, 2)
    else:
        with pytest.raises(ValueError, match="synchronized=True of norm in the second, with 2"):
            check_layers(model, 2)


def test_random_layers_are_warned_of_with_several_replicas(warned):
    model = networks_of(first=small_network(keras.layers.Dropout(0.5)))
    check_layers(model, 1)
    assert warned() == ""
    check_layers(model, 2)
    assert "The first has random layers" in warned()


def test_the_scale_grows_again(strategy):
    def growing(factor):
        return keras.optimizers.LossScaleOptimizer(sgd(factor), SCALE, dynamic_growth_steps=2)

    model = new_pair(strategy, growing)
    step = stepping(model, strategy)
    scales = []
    for _ in range(4):
        step()
        scales.append(float(model.optimizers["first"].dynamic_scale.numpy()))
    assert scales == [SCALE, 2 * SCALE, 2 * SCALE, 4 * SCALE]
    for variable in model.optimizers["first"].variables:
        first, *others = strategy.experimental_local_results(variable.value)
        for other in others:
            np.testing.assert_array_equal(other, first)


def test_the_state_is_all_that_the_next_step_depends_on(strategy):
    """Both as what a checkpoint holds and as a list of variables."""
    model = new_pair(strategy, adam, dropout=0.5)
    assert list(model.state) == [
        "steps_taken",
        "epochs_ended",
        "rate_factor",
        "first",
        "first_optimizer",
        "first_random",
        "second",
        "second_optimizer",
        "second_random",
    ]
    kept = [variable.numpy() for variable in model.state_variables]
    step = stepping(model, strategy)
    expected = [step(), step()]
    changed = [variable.numpy() for variable in model.state_variables]
    same = [
        id(variable)
        for variable, old, new in zip(model.state_variables, kept, changed, strict=True)
        if np.array_equal(old, new)
    ]
    assert same == [id(model.epochs_ended), id(model.learning_rate_factor)]
    for variable, value in zip(model.state_variables, kept, strict=True):
        variable.assign(value)
    step = stepping(model, strategy)  # from the first batch on
    assert [step(), step()] == expected
