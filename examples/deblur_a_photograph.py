# %% [markdown]
# # Deblur a photograph
#
# Train a network for one known motion blur, and restore a photograph that it has never seen.
#
# The quickstart trains on the five photographs that scikit-image and scikit-learn ship. It takes
# two to five minutes on two processor cores.

# %%
import os

import matplotlib.pyplot as plt
import skimage.data

import inversenet_tf as inv
from inversenet_tf.imaging.files.grids import image_grid

RUN = "runs/examples/deblur"
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

# %% [markdown]
# ## Train
#
# A recipe is a config, a plain dataclass whose fields you may change before the training. The run
# is kept in a directory: if you interrupt the training, the same call resumes it.

# %%
config = inv.recipes.quickstart()
if TINY:
    config.data.size = 32
    config.data.evaluation_crop = "center"
    config.network.discriminator_width = 4
    config.loss.pretraining_fraction = 1.0
    config.training.batch_size = 2
    config.training.steps = config.training.steps_per_epoch = 1
inv.train(config, RUN)

# %% [markdown]
# ## Blur a photograph
#
# The operator is the one that the recipe trains for: a motion of nine pixels along a diagonal. A
# camera stores eight bits, so the measurement is rounded to them.

# %%
image = skimage.data.chelsea()[20:276, 100:356] / 255.0
blur = inv.physics.Blur(inv.kernels.linear_motion(size=9, angle=45.0))
blurred = inv.physics.round_to_8_bits(blur(image[None].astype("float32")))[0].numpy()

# %% [markdown]
# ## Restore it
#
# `inv.load` gives a function from one image, or a batch of images, to the restored ones.

# %%
restorer = inv.load(RUN)
restored = restorer(blurred)

for name, estimate in {"blurred": blurred, "restored": restored}.items():
    print(f"{name:9} {float(inv.metrics.psnr(estimate, image)):.2f} dB")

plt.figure(figsize=(12, 4.2))
plt.imshow(image_grid([blurred[None], restored[None], image[None]]))
plt.axis("off")
plt.title("blurred, restored, true")
plt.show()

# %% [markdown]
# A network restores the blur that it was trained for, and no other. Here the same network is given
# the sharp photograph: it comes out worse than it went in.

# %%
print(f"sharp     {float(inv.metrics.psnr(restorer(image), image)):.2f} dB after restoring")
