"""A training step of the DCGAN prior: one update of the discriminator, one of the generator."""

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.prior_step"
SETTINGS = {"batch": 64, "width": 64}
TINY = {"batch": 2, "width": 4}
PRECISIONS = {"bfloat16": "mixed_bfloat16", "float32": "float32"}  # PyTorch's name, ours


def comparisons(settings):
    """The step of `prior_celeba.py` in either precision, from a batch in memory.

    Args:
        settings: dict that may hold the size of the `batch` and the `width` of both networks.
    """
    settings = SETTINGS | settings
    comparisons = []
    for precision in PRECISIONS:
        shared = settings | {"precision": precision}
        cases = [
            Case("ours", f"{HERE}:ours", shared),
            Case("PyTorch", f"{HERE}:baseline", shared, baseline=True),
            Case(
                "PyTorch, compiled", f"{HERE}:baseline", shared | {"compiled": True}, baseline=True
            ),
        ]
        name = f"DCGAN of 64 x 64 images, {precision}"
        comparisons.append(Comparison(name, cases, precision, "PyTorch", settings))
    return comparisons


def our_prior(precision, width=64, latent_size=100):
    """A compiled `Prior` of a DCGAN; `precision` is a Keras dtype policy."""
    from blind_gan_tf.config import PriorConfig
    from blind_gan_tf.prior_training import build_prior, compile_prior

    config = PriorConfig()
    config.network.generator_width = config.network.discriminator_width = width
    config.latents.size = latent_size
    config.training.precision = precision
    prior = build_prior(config)
    compile_prior(prior, config)
    return prior


def ours(batch, width, precision):
    """A step of `Prior.train_step`, compiled as `training_loop.fit` compiles it."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    prior = our_prior(PRECISIONS[precision], width)
    images = tf.constant(_images(batch))
    step = tf.function(lambda: prior.train_step(images)["generator_loss"])
    return lambda: {"loss": float(step())}


def baseline(batch, width, precision, compiled=False):
    """The same step in `pytorch_baselines.priors`."""
    import torch
    from pytorch_baselines.priors import GANStep, dcgan

    torch.manual_seed(0)
    step = GANStep(*dcgan(width=width), precision=precision, compiled=compiled)
    signed = torch.from_numpy(_images(batch) * 2.0 - 1.0).permute(0, 3, 1, 2)

    def turn():
        # The latents are drawn in the step, as ours are.
        return {"loss": step(signed, torch.rand(batch, 100) * 2.0 - 1.0)[1]}

    return turn


def _images(batch):
    import numpy as np

    return np.random.default_rng(0).uniform(size=(batch, 64, 64, 3)).astype(np.float32)
