# %% [markdown]
# # Train on a folder
#
# Train on your own photographs, for a blur of your own, and restore a folder of files.
#
# Your own photographs are better material. So that this page can be run anywhere, it first
# writes the photographs that scikit-image and scikit-learn ship into two folders.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import sklearn.datasets

import inversenet_tf as inv
from inversenet_tf.imaging.files.grids import image_grid

HERE = Path("runs/examples/folder")
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

training = {
    "astronaut": skimage.data.astronaut(),
    "rocket": skimage.data.rocket(),
    "motorcycle": skimage.data.stereo_motorcycle()[0],
    "china": sklearn.datasets.load_sample_image("china.jpg"),
    "flower": sklearn.datasets.load_sample_image("flower.jpg"),
}
held_out = {"chelsea": skimage.data.chelsea(), "coffee": skimage.data.coffee()}
for folder, photographs in {"train": training, "held_out": held_out}.items():
    for name, photograph in photographs.items():
        photograph = photograph[100:164, 200:264] if TINY else photograph
        inv.write_image(HERE / folder / f"{name}.png", photograph / 255.0)

# %% [markdown]
# ## Say how your camera measures
#
# The shake of a hand moves every point of the scene along a path, the kernel. A camera knows
# nothing of what lies beyond the frame: that is what `boundary="reflect"` stands for. Its sensor
# adds noise, here with a standard deviation of one hundredth of white.

# %%
kernel = inv.kernels.camera_shake(size=15, seed=1)
blur = inv.physics.Blur(kernel, boundary="reflect")

config = inv.recipes.quickstart()
config.data.train = f"folder:{HERE / 'train'}"
config.data.validation = f"folder:{HERE / 'held_out'}"
config.noise.gaussian_sigma = 0.01
if TINY:
    config.data.size = 32
    config.data.evaluation_crop = "center"
    config.network.discriminator_width = 4
    config.loss.pretraining_fraction = 1.0
    config.training.batch_size = 2
    config.training.steps = config.training.steps_per_epoch = 1
inv.train(config, HERE / "run", operator=blur)

# %% [markdown]
# ## Measure
#
# The evaluation compares the network with methods that know the kernel. All numbers, image by
# image, are also in `results.json` of the run's directory.

# %%
print(inv.evaluate(HERE / "run"))

# %% [markdown]
# ## Restore files
#
# Here the held-out photographs are blurred and written as files; then the folder is restored as a
# user would do it. `inversenet restore` does the same from the command line.

# %%
generator = np.random.default_rng(0)
for path in sorted((HERE / "held_out").iterdir()):
    blurred = blur(inv.read_image(path)[None])[0].numpy()
    blurred += generator.normal(0.0, 0.01, blurred.shape)
    inv.write_image(HERE / "blurred" / path.name, blurred.clip(0.0, 1.0))
restored, skipped = inv.restore_files(
    inv.load(HERE / "run"), HERE / "blurred", HERE / "restored", overwrite=True
)
print(f"{len(restored)} photographs restored, {len(skipped)} skipped")

# %%
part = (slice(0, 200), slice(120, 320)) if not TINY else (slice(64), slice(64))
columns = [
    np.stack([inv.read_image(path)[part] for path in sorted((HERE / folder).glob("*.png"))])
    for folder in ("blurred", "restored", "held_out")
]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6.5), width_ratios=[1, 5])
left.imshow(kernel, "gray")
left.set_title("kernel")
right.imshow(image_grid(columns))
right.set_title("blurred, restored, true")
for axis in (left, right):
    axis.axis("off")
plt.show()
