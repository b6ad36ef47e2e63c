# %% [markdown]
# # Separate digits
#
# Three handwritten digits are added with unknown weights, four times with different ones, and only
# the absolute value of each sum is seen. The search takes the mixtures apart again, knowing only
# that there are three digits (Section 3.2 of the paper on blind inversion).

# %%
import os
import runpy

import matplotlib.pyplot as plt
import numpy as np

import inversenet_tf as inv
from blind_gan_tf.inversion import invert
from blind_gan_tf.mixing import Mixing
from blind_gan_tf.prior import load_prior
from blind_gan_tf.prior_training import train_prior
from blind_gan_tf.surrogate import MixingNetwork
from inversenet_tf.imaging.data.datasets import open_source
from inversenet_tf.imaging.files.grids import image_grid
from inversenet_tf.shipped import experiments

PRIOR = "runs/examples/prior_digits"
SOURCES, MIXTURES = 3, 4
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

# %% [markdown]
# ## The prior
#
# This is the GAN of digits from the previous example. A finished training is only loaded.

# %%
config = runpy.run_path(experiments()["prior_digits"])["get_config"]()
if TINY:
    config.network.generator_width = config.network.discriminator_width = 4
    config.training.batch_size = 4
    config.training.steps = config.training.steps_per_epoch = 1
train_prior(config, PRIOR)
prior = load_prior(PRIOR)

# %% [markdown]
# ## Mix
#
# Twenty sets of three held-out digits are mixed with the same weights, which are random and mostly
# negative, as in the paper.

# %%
count = 2 if TINY else 20
held_out = open_source("digits", "held_out", channels=1)
digits = np.stack([held_out.load(index) for index in range(SOURCES * count)])
sources = digits.reshape(count, SOURCES, 32, 32, 1)
weights = np.random.default_rng(0).normal(-0.5, 0.5, (SOURCES, MIXTURES))
mixtures = Mixing(weights)(np.moveaxis(sources[..., 0], 1, -1)).numpy()  # [count, 32, 32, MIXTURES]

# %% [markdown]
# ## Separate
#
# The surrogate is a small network that acts on each pixel alike.


# %%
def surrogate(seed):
    return MixingNetwork(SOURCES, MIXTURES, seed=seed)


search = runpy.run_path(experiments()["separate_over"])["get_config"]().search
search.rounds = 24
if TINY:
    search.rounds = search.screening_rounds = 1
    search.random_starts = 2
    search.random_candidates = 8
    search.surrogate_steps = search.latent_steps = 2
result = invert(mixtures, prior, surrogate, search=search, sources=SOURCES, seed=0)

# %% [markdown]
# No method can know the order of the sources, or their sign and intensity. So the result is
# matched to the true digits before it is scored, as any other method's would be.

# %%
profile = inv.metrics.MetricProfile()
recovered, truth = inv.metrics.matched_to_sources(result.images, sources, profile)
samples = prior.sample(SOURCES * count, seed=1).numpy().reshape(sources.shape)
guessed, _ = inv.metrics.matched_to_sources(samples, sources, profile)
for name, estimates in {"random digits": guessed, "recovered": recovered}.items():
    scores = inv.metrics.psnr(estimates.reshape(-1, 32, 32, 1), truth.reshape(-1, 32, 32, 1))
    print(f"{name:14} {np.mean(scores):.2f} dB")

# %%
shown = np.moveaxis(mixtures / mixtures.max((1, 2), keepdims=True), -1, 1)[..., None]
columns = [
    group[:4, index] for group in (shown, recovered, truth) for index in range(group.shape[1])
]
plt.figure(figsize=(14, 5.6))
plt.imshow(image_grid(columns)[..., 0], "gray")
plt.axis("off")
plt.title("four mixtures, the three digits recovered, the three true digits; each row is one set")
plt.show()
