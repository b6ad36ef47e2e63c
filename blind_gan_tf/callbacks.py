"""Callbacks of a prior's training: sample grids, an alarm, and the prior's file."""

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from blind_gan_tf.prior import save_prior
from inversenet_tf.imaging.files.grids import image_grid
from inversenet_tf.imaging.files.images import write_image

SAMPLES_FILE = "samples.png"
# A generator whose samples vary less than this fraction of how much real images do has collapsed.
LEAST_DIVERSITY = 0.3


class PriorSaver(keras.callbacks.Callback):
    """Writes the prior, as it would be used, after every epoch."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch, logs=None):
        save_prior(self.model.trained(), self._path)


class PriorLog(keras.callbacks.Callback):
    """Logs scalars and a grid of samples from fixed latents by training step; warns of collapse.

    Args:
        workdir: where the latest grid is written, as `samples.png`.
        directory: of the event files.
        images: real images in [0, 1] that the samples, equal in number, are compared with.
        seed: of the fixed latents.
    """

    def __init__(self, workdir, directory, images, seed):
        super().__init__()
        self._workdir = workdir
        self._directory = str(directory)
        self._images = images
        self._differ = bool((images != images[:1]).any())  # their spread may be rounding noise
        self._seed = seed

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self._directory)
        latents = self.model.latents.draw((len(self._images),), [self._seed, -1])
        self._sample = tf.function(lambda: self.model.in_use("generator")(latents, training=False))

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's means, a grid of samples and, if real images differ, its diversity."""
        samples = (self._sample().numpy() + 1.0) / 2.0
        diversity = spread(samples) / spread(self._images) if self._differ else None
        grid = sample_grid(samples)
        with self._writer.as_default(step=self.model.step):
            for name, value in logs.items():
                tag = "held_out_score" if name == "val_real_score" else name
                tf.summary.scalar(f"prior/{tag}", value)
            if diversity is not None:
                tf.summary.scalar("prior/diversity", diversity)
            tf.summary.image("samples", grid[None], description="fixed latents")
        self._writer.flush()
        write_image(self._workdir / SAMPLES_FILE, grid)
        if diversity is not None and diversity < LEAST_DIVERSITY:
            logging.warning(
                "Step %d: the generator collapses: its samples differ %.2f times as much as real "
                "images do. A smaller learning rate or a wider generator may help.",
                self.model.step,
                diversity,
            )

    def on_train_end(self, logs=None):
        self._writer.close()


def spread(images):
    """How much images differ: the root mean square distance from their mean, per value."""
    return float(np.sqrt(np.mean(np.var(images, axis=0))))


def sample_grid(samples):
    """The largest square grid that samples [count, ...] can fill."""
    side = int(np.sqrt(len(samples)))
    rows = samples[: side * side].reshape(side, side, *samples.shape[1:])
    return image_grid(list(rows.transpose(1, 0, 2, 3, 4)))
