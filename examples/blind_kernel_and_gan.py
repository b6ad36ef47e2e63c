# %% [markdown]
# # An unknown blur, and a GAN of the images
#
# Twenty-five digits were blurred by the same unknown kernel. Neither the kernel nor a single pair
# of sharp and blurred images is known; only a GAN, trained on other sharp digits, says what digits
# look like. The search recovers the digits *and* the kernel (Algorithm 1 of the paper on blind
# inversion).

# %%
import os
import runpy

import matplotlib.pyplot as plt
import numpy as np

import inversenet_tf as inv
from blind_gan_tf.config import SearchConfig
from blind_gan_tf.inversion import invert
from blind_gan_tf.operator_report import distance, responses
from blind_gan_tf.prior import load_prior
from blind_gan_tf.prior_training import train_prior
from blind_gan_tf.surrogate import LinearConvolution
from inversenet_tf.imaging.data.datasets import open_source
from inversenet_tf.imaging.files.grids import image_grid
from inversenet_tf.shipped import experiments

PRIOR = "runs/examples/prior_digits"
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

# %% [markdown]
# ## Train the prior
#
# A GAN of scikit-learn's handwritten digits, 32×32 pixels, which takes three minutes on two
# processor cores. The next example uses it, too.

# %%
config = runpy.run_path(experiments()["prior_digits"])["get_config"]()
if TINY:
    config.network.generator_width = config.network.discriminator_width = 4
    config.training.batch_size = 4
    config.training.steps = config.training.steps_per_epoch = 1
train_prior(config, PRIOR)

# %%
prior = load_prior(PRIOR)
samples = prior.sample(20, seed=1).numpy()
plt.figure(figsize=(12, 2.6))
plt.imshow(image_grid(list(samples.reshape(10, 2, 32, 32, 1)))[..., 0], "gray")
plt.axis("off")
plt.title("digits that the GAN makes up")
plt.show()

# %% [markdown]
# ## Measure
#
# The digits are held out: the GAN has not seen them. The kernel is the path of a shaking hand.

# %%
held_out = open_source("digits", "held_out", channels=1)
images = np.stack([held_out.load(index) for index in range(4 if TINY else 25)])
kernel = inv.kernels.camera_shake(size=9, seed=3)
blur = inv.physics.Blur(kernel)
measurements = inv.physics.round_to_8_bits(blur(images)).numpy()

# %% [markdown]
# ## Invert
#
# The surrogate stands in for the unknown operator: two convolutions that together reach nine
# pixels. The search alternates between steps on the surrogate and steps on the latents of the GAN.


# %%
def surrogate(seed):
    return LinearConvolution(1, 1, kernel_size=5, seed=seed, initial_scale=0.1)


search = SearchConfig(
    rounds=1 if TINY else 14,
    surrogate_learning_rate=1e-3,
    latent_learning_rate=3e-2,
    schedule="cosine",
    perceptual_weight=0.0,
    identity_starts=1,
    identity_rounds=1,
    screening_rounds=1 if TINY else 5,
    survivors=2,
    random_candidates=8 if TINY else 500,
)
if TINY:
    search.surrogate_steps = search.latent_steps = 2
result = invert(measurements, prior, surrogate, search=search, seed=0)
recovered = result.images[:, 0]  # one image behind each measurement

# %%
for name, estimates in {"blurred": measurements, "recovered": recovered}.items():
    print(f"{name:10} {np.mean(inv.metrics.psnr(estimates, images)):.2f} dB")
response = responses(result.operators[0], channels=1, side=32)
correlation = distance(response, responses(blur, channels=1, side=32))["correlation"]
print(f"the estimated kernel has a correlation of {correlation:.2f} with the true one")

# %%
rows = np.stack([measurements, recovered, images], axis=1)[:12]
figure, axes = plt.subplots(1, 3, figsize=(14, 3.4), width_ratios=[1, 1, 4])
middle = slice(16 - 6, 16 + 7)
axes[0].imshow(response[0, middle, middle, 0], "gray")
axes[0].set_title("estimated kernel")
axes[1].imshow(np.pad(kernel, 2), "gray")
axes[1].set_title("true kernel")
axes[2].imshow(image_grid(list(rows))[..., 0], "gray")
axes[2].set_title("blurred, recovered, true")
for axis in axes:
    axis.axis("off")
plt.show()
