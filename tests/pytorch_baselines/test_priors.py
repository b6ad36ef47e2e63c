import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks.prior_step import our_prior

torch = pytest.importorskip("torch")

from pytorch_baselines import priors  # noqa: E402

from blind_gan_tf.networks import NETWORKS  # noqa: E402


def pair(name, width=4, latent_size=6):
    """Our networks with random weights, and PyTorch's with the same."""
    channels = {"dcgan": 3, "digits": 1}[name]
    random = np.random.default_rng(0)
    ours = [kind(channels, width, latent_size) for kind in NETWORKS[name][:2]]
    theirs = priors.NETWORKS[name](channels, width, latent_size)
    for network, module in zip(ours, theirs, strict=True):
        for weight in network.weights:
            low = 0.5 if len(weight.shape) == 1 else -0.3
            weight.assign(random.uniform(low, low + 0.6, weight.shape))
        priors.load_weights(module, network)
    return ours, theirs


def to_torch(images):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))


def in_our_order(parameter):
    array = parameter.numpy()
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


@pytest.mark.parametrize("name", NETWORKS)
def test_the_baselines_networks_are_ours(name):
    (generator, discriminator), (their_generator, their_discriminator) = pair(name)
    latents = np.random.default_rng(1).uniform(-1, 1, (3, 6)).astype(np.float32)
    expected = generator(latents, training=False).numpy()
    with torch.no_grad():
        images = their_generator.eval()(torch.from_numpy(latents))
        logits = their_discriminator.eval()(to_torch(expected))
    assert expected.std() > 0.1
    np.testing.assert_allclose(np.moveaxis(images.numpy(), 1, -1), expected, atol=1e-4)
    logits_of_ours = discriminator(expected, training=False)
    np.testing.assert_allclose(logits, logits_of_ours, rtol=1e-4, atol=1e-4)


def test_weights_of_another_shape_are_refused():
    (generator, _), _ = pair("dcgan")
    module, _ = priors.dcgan(width=5, latent_size=6)
    with pytest.raises(ValueError, match="Expected shape"):
        priors.load_weights(module, generator)


@pytest.mark.parametrize("channels_last", [False, True])
def test_one_step_of_the_gan_is_ours(channels_last):
    keras.utils.set_random_seed(0)
    prior = our_prior("float32", width=4, latent_size=6)
    modules = priors.dcgan(3, 4, 6)
    for network, module in zip((prior.generator, prior.discriminator), modules, strict=True):
        priors.load_weights(module, network)
    before = prior.generator.get_weights()
    images = np.random.default_rng(2).uniform(size=(5, 64, 64, 3)).astype(np.float32)
    latents = prior.latents.draw((5,), [0, 0]).numpy()  # of the first step, with seed 0
    logs = prior.train_step(tf.constant(images))
    step = priors.GANStep(*modules)
    signed = to_torch(images * 2 - 1)
    signed = signed.contiguous(memory_format=torch.channels_last) if channels_last else signed
    losses = step(signed, torch.from_numpy(latents))
    expected = [logs["discriminator_loss"], logs["generator_loss"]]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    clear = 0
    for network, module in zip((prior.generator, prior.discriminator), modules, strict=True):
        for ours, theirs in zip(network.trainable_weights, module.parameters(), strict=True):
            theirs, gradient = in_our_order(theirs.detach()), np.abs(in_our_order(theirs.grad))
            # PyTorch's Adam adds epsilon elsewhere, which matters where gradients are that small.
            error = np.abs(ours.numpy() - theirs)
            np.testing.assert_array_less(error, np.where(gradient > 1e-3, 2e-6, 1e-3))
            clear += np.count_nonzero(gradient > 1e-3)
    assert clear > 5_000
    assert all((a != b).any() for a, b in zip(before, prior.generator.get_weights(), strict=True))
