import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.config import LossConfig
from inversenet_tf.engine.optimizers import build_adam, new_learning_rate_factor
from inversenet_tf.models import inversenet
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.discriminator import Discriminator
from inversenet_tf.models.inversenet import NETWORKS, InverseNet
from inversenet_tf.models.losses import discriminator_loss, generator_loss
from inversenet_tf.models.unet import UNet


def make(optimizer=lambda: keras.optimizers.Adam(1e-3), depth=3, condition="none", **compiled):
    keras.utils.set_random_seed(0)
    model = InverseNet(UNet(depth), DAE(condition=condition), Discriminator(width=4))
    settings = {"losses": LossConfig()} | compiled
    model.compile(optimizers={name: optimizer() for name in NETWORKS}, **settings)
    return model


def weights(model):
    return {
        name: [v.numpy() for v in getattr(model, name).trainable_variables] for name in NETWORKS
    }


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


@pytest.fixture
def batch(images):
    return images * 0.8, images


def test_both_outputs_have_the_images_size_whatever_it_is():
    model = InverseNet(UNet(3), DAE())
    for shape in [(1, 32, 32, 3), (2, 37, 53, 3), (1, 5, 3, 3)]:
        outputs = model(np.zeros(shape, np.float32))
        assert outputs["inverted"].shape == outputs["restored"].shape == shape


def test_padding_leaves_fitting_images_alone(images):
    model = InverseNet(UNet(3), DAE())
    signed = images * 2 - 1
    expected = (model.inverter(signed) + 1) / 2
    np.testing.assert_allclose(model(images)["inverted"], expected, atol=1e-6)


def test_restore_clips(images):
    model = InverseNet(UNet(3, global_skip=True), DAE(global_skip=True))
    outputs = model.restore(images * 3 - 1)
    for output in outputs.values():
        assert np.min(output) >= 0 and np.max(output) <= 1


def test_one_step_moves_every_weight(batch):
    model = make(condition="shuffled")
    before = weights(model)
    model.train_on_batch(*batch)
    for name, after in weights(model).items():
        for old, new in zip(before[name], after, strict=True):
            assert np.any(old != new), name


def test_algorithm_1(batch, monkeypatch):
    """The order of the updates, K discriminator steps, and what each update trains on."""
    model = make(discriminator_steps=3)
    updated = []
    original = InverseNet.update

    def spy(self, name, tape, loss):
        before = weights(self)
        logs = original(self, name, tape, loss)
        after = weights(self)
        moved = [n for n in NETWORKS if not np.array_equal(flat(before[n]), flat(after[n]))]
        updated.append((name, moved))
        return logs

    monkeypatch.setattr(InverseNet, "update", spy)
    model.train_step(batch)
    assert updated == [
        *[("discriminator", ["discriminator"])] * 3,
        ("inverter", ["inverter"]),
        ("denoiser", ["denoiser"]),
    ]
    steps = {name: int(o.iterations.numpy()) for name, o in model.optimizers.items()}
    assert steps == {"discriminator": 3, "inverter": 1, "denoiser": 1}
    assert model.step == 1


def test_a_step_equals_the_equations_by_hand(batch):
    """One step with SGD against gradients of Eqs. 10 to 12 taken apart from the train step.

    The labels are not the defaults, so that one that is written into the code shows.
    """
    rate, real_label, fake_label = 1e-3, 0.8, 0.1
    losses = LossConfig(real_label=real_label, fake_label=fake_label)
    model = make(lambda: keras.optimizers.SGD(rate), clip_norm=1e9, losses=losses)
    measurements, images = (x * 2 - 1 for x in batch)
    d, unet, dae = model.discriminator, model.inverter, model.denoiser

    def gradient(loss, network):
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, network.trainable_variables)

    def outputs():
        z = unet(measurements, training=True)
        return z, dae(tf.stop_gradient(z), training=True)

    start = weights(model)
    model.train_step(batch)
    updated = weights(model)
    for name in NETWORKS:
        for variable, value in zip(
            getattr(model, name).trainable_variables, start[name], strict=True
        ):
            variable.assign(value)

    def compare(name, network, expected_gradient):
        for old, new, g in zip(start[name], updated[name], expected_gradient, strict=True):
            np.testing.assert_allclose(new - old, -rate * g, rtol=1e-2, atol=1e-6)

    z, restored = outputs()

    def l_d():
        real, *fakes = [d(x, training=True) for x in (images, z, restored)]
        return discriminator_loss(real, fakes, real_label, fake_label)

    compare("discriminator", d, gradient(l_d, d))
    for variable, value in zip(d.trainable_variables, updated["discriminator"], strict=True):
        variable.assign(value)  # the generators see the discriminator that was just updated

    def l_g(index):
        estimates = outputs()[index]
        return generator_loss(
            d(estimates, training=True),
            estimates,
            images,
            real_label=real_label,
            reconstruction_weight=0.5,
            feature_weight=0.5,
        )

    compare("inverter", unet, gradient(lambda: l_g(0), unet))
    compare("denoiser", dae, gradient(lambda: l_g(1), dae))


def test_gradients_are_clipped_by_their_global_norm(batch):
    rate, clip = 1.0, 1e-3
    model = make(lambda: keras.optimizers.SGD(rate), clip_norm=clip)
    before = weights(model)
    model.train_step(batch)
    for name, after in weights(model).items():
        moved = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before[name], strict=True)))
        assert moved == pytest.approx(rate * clip, rel=1e-2), name


def test_gradients_are_averaged_over_replicas_and_then_clipped(two_replicas):
    """Replica gradients 100 and -99 under clip 5 move the weight by their mean, 0.5, not by 0."""
    with two_replicas.scope():
        model = make(lambda: keras.optimizers.SGD(1.0), clip_norm=5.0)
        layer = model.inverter.get_layer("d3_conv")
    start = layer.bias.numpy()

    @tf.function
    def step():
        def replica():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            with tf.GradientTape() as tape:
                loss = tf.gather([100.0, -99.0], index) * layer.bias[0]
                loss += 0.0 * sum(tf.reduce_sum(v) for v in model.inverter.trainable_variables)
            model.update("inverter", tape, loss)

        two_replicas.run(replica)

    step()
    np.testing.assert_allclose(layer.bias.numpy() - start, [-0.5, 0.0, 0.0], atol=1e-5)


def test_float16_trains_once_the_losses_are_scaled_so_that_they_fit(batch):
    """The scales begin too high: steps are left out until gradients no longer overflow."""
    factor = new_learning_rate_factor()
    networks = UNet(3, dtype="mixed_float16"), DAE(condition="none", dtype="mixed_float16")
    model = InverseNet(*networks, Discriminator(width=4, dtype="mixed_float16"))
    model.compile(
        optimizers={name: build_adam(1e-3, factor, "mixed_float16") for name in NETWORKS},
        losses=LossConfig(),
    )
    before, step = weights(model), tf.function(model.train_step)
    logs = [step(batch) for _ in range(9)]
    for name, after in weights(model).items():
        skipped = [float(each[f"{name}_skipped"]) for each in logs]
        assert skipped == sorted(skipped, reverse=True) and skipped[-1] == 0.0
        assert float(logs[-1][f"{name}_gradient_norm"]) > 0
        assert any(np.any(old != new) for old, new in zip(before[name], after, strict=True))
        assert np.isfinite(flat(after)).all()
    assert sum(float(each["inverter_skipped"]) for each in logs) > 0


def test_the_comparator_is_off_or_counts(batch):
    seen = []

    def comparator(images):
        seen.append(images)
        return tf.reduce_mean(images, axis=[1, 2])

    plain, compared = make(), make(comparator=comparator)
    off = plain.train_on_batch(*batch, return_dict=True)
    on = compared.train_on_batch(*batch, return_dict=True)
    assert len(seen) == 3  # of the truth once, of z and of the restored
    assert on["inverter_loss"] > off["inverter_loss"]
    assert on["denoiser_loss"] > off["denoiser_loss"]
    assert on["discriminator_loss"] == pytest.approx(off["discriminator_loss"], rel=1e-4)


def test_validation_scores_both_outputs(batch):
    model = make()
    scores = model.evaluate(*batch, return_dict=True, verbose=0)
    names = ("degraded", "inverted", "restored")
    wanted = {f"{m}_{n}" for m in ("psnr", "ssim") for n in names}
    assert set(scores) == wanted


def test_save_and_load_keep_every_value(tmp_path, images):
    model = InverseNet(UNet(3), DAE(condition="shuffled"), Discriminator(width=4))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name, output in model(images).items():
        np.testing.assert_array_equal(loaded(images)[name], output)


def test_signed_range():
    values = np.array([0.0, 0.5, 1.0])
    np.testing.assert_array_equal(inversenet.to_signed(values), [-1, 0, 1])
    np.testing.assert_array_equal(inversenet.from_signed(inversenet.to_signed(values)), values)


def test_the_average_follows_the_weights_and_is_what_is_used(batch):
    model = make(average=0.5)
    assert model.averages.keys() == {"inverter", "denoiser"}
    before = {name: network.get_weights() for name, network in model.averages.items()}
    model.train_step(batch)
    outputs, raw = model(batch[0]), model.inverter(batch[0] * 2 - 1)
    assert np.abs(outputs["inverted"] * 2 - 1 - raw).max() > 1e-4
    # The decay of step one is (1 + 1) / (10 + 1): an average that is still short.
    for name, old in before.items():
        triples = zip(
            model.averages[name].get_weights(), old, getattr(model, name).get_weights(), strict=True
        )
        for kept, earlier, present in triples:
            np.testing.assert_allclose(kept, 2 / 11 * earlier + 9 / 11 * present, atol=1e-6)


def test_the_discriminator_rests_during_the_pretraining(batch):
    model = make(pretraining_steps=1)
    before = weights(model)
    logs = model.next_step(batch)
    assert not any("discriminator" in name for name in logs)
    after = weights(model)
    assert all(map(np.array_equal, before["discriminator"], after["discriminator"]))
    for name in ("inverter", "denoiser"):
        assert (flat(before[name]) != flat(after[name])).any()
    assert "discriminator_loss" in model.next_step(batch)
