# %% [markdown]
# # Super-resolution
#
# Turn an image into one that is four times as wide and as high. The measurement is blurred by a
# flat kernel of 7×7 pixels, which keeps little detail and makes edges ring, and one of every 4×4
# pixels is kept (Section 4.2 of the InverseNet paper).
#
# The paper trains on 256×256 pixels for as long as a GPU needs; this example trains on patches of
# 64 pixels for a few minutes on two processor cores.

# %%
import os
import runpy

import matplotlib.pyplot as plt
import skimage.data

import inversenet_tf as inv
from inversenet_tf.imaging.files.grids import image_grid, shown_like
from inversenet_tf.imaging.physics import Blur, Compose, Downsampling, bicubic
from inversenet_tf.shipped import experiments

RUN = "runs/examples/super_resolution"
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

# %% [markdown]
# ## Train
#
# Every experiment of `configs/` can be loaded by its name, here and on the command line
# (`inversenet train --config=super_resolution_small`).

# %%
config = runpy.run_path(experiments()["super_resolution_small"])["get_config"]()
config.training.steps = 1000
config.training.steps_per_epoch = 250
if TINY:
    config.data.evaluation_crop = "center"
    config.network.depth = 3
    config.network.discriminator_width = 4
    config.loss.pretraining_fraction = 1.0
    config.training.batch_size = 2
    config.training.steps = config.training.steps_per_epoch = 1
inv.train(config, RUN)

# %% [markdown]
# ## Measure and restore
#
# Operators are composed from left to right: first the blur, then the downsampling.

# %%
image = skimage.data.coffee()[20:276, 160:416].astype("float32") / 255.0
operator = Compose(Blur(inv.kernels.flat(7)), Downsampling(4))
measurement = inv.physics.round_to_8_bits(operator(image[None])).numpy()

interpolated = bicubic(measurement, 4, operator.phase).numpy()
restored = inv.load(RUN)(measurement)
for name, estimate in {"bicubic": interpolated, "restored": restored}.items():
    print(f"{name:9} {float(inv.metrics.psnr(estimate, image[None])[0]):.2f} dB")

plt.figure(figsize=(14, 4))
plt.imshow(image_grid([shown_like(measurement, image[None]), interpolated, restored, image[None]]))
plt.axis("off")
plt.title("measurement, bicubic interpolation, restored, true")
plt.show()
