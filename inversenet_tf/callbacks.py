"""Keras callbacks of InverseNet's training: checkpoints, alarms, TensorBoard and snapshots."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from inversenet_tf.engine import checkpoints
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.grids import image_grid, shown_like
from inversenet_tf.imaging.inputs import measurements_of, parts_of
from inversenet_tf.imaging.physics.degradation import UNEXPLAINED_SCORE, unexplained_of


class BestCheckpoint(keras.callbacks.Callback):
    """Saves the state with the best validation PSNR of the restored images, with its logs."""

    def __init__(self, directory):
        super().__init__()
        self._directory = directory

    def on_epoch_end(self, epoch, logs=None):
        kept = checkpoints.last_scores(self._directory).get("val_psnr_restored", -math.inf)
        if logs["val_psnr_restored"] > kept:
            checkpoints.save(self.model.state, self.model.step, self._directory, logs)


class DenoiserAlarm(keras.callbacks.Callback):
    """Warns when the denoiser leaves the inverter's estimate almost unchanged.

    At too high a learning rate its last ReLUs die, and no gradient revives them.

    Args:
        inputs, images: a fixed batch of examples in [0, 1], as `evaluation_pairs` gives them.
    """

    FIRST_STEP = 200  # before it, a correction that begins at zero may still be small
    LEAST_CORRECTION = 0.03  # as a fraction of the error; a dead denoiser's was 0.01 to 0.02

    def __init__(self, inputs, images):
        super().__init__()
        self._inputs = inputs
        self._images = images

    def on_epoch_end(self, epoch, logs=None):
        """Warns if the denoiser hardly changes the estimates."""
        if self.model.denoiser is None or self.model.step < self.FIRST_STEP:
            return
        outputs = self.model(self._inputs, training=False)
        correction = _size(outputs["restored"] - outputs["inverted"])
        error = _size(self._images - outputs["inverted"])
        if correction < self.LEAST_CORRECTION * error:
            logging.warning(
                "Step %d: the denoiser changes next to nothing: %.1f %% of the error that the "
                "inverter leaves. A smaller optimizer.denoiser_factor may help.",
                self.model.step,
                100 * correction / error,
            )


class Unexplained(keras.callbacks.Callback):
    """Logs, as `unexplained`, how much A(restored) misses of measurements that A produced.

    It is the largest value of the batch, and kept with the checkpoints, so that a restorer knows
    what is usual.

    Args:
        inputs: a fixed batch of measurements of training images, as `evaluation_pairs` gives them.
        degradation: the `Degradation` that produced them.
    """

    def __init__(self, inputs, degradation):
        super().__init__()
        self._inputs = inputs
        self._degradation = degradation

    def on_epoch_end(self, epoch, logs=None):
        restored = np.clip(self.model(self._inputs, training=False)["restored"], 0.0, 1.0)
        measurements, told = parts_of(self._inputs)
        unexplained = []
        for index, pair in enumerate(zip(measurements, restored, strict=True)):
            degradation = self._degradation
            if told:
                sigma = float(told["noise_sigmas"][index])
                degradation = degradation.told(told["kernels"][index], sigma)
            fit = degradation.fit(*pair)
            if fit is not None:
                unexplained.append(unexplained_of(pair[0], fit))
        if unexplained:
            logs[UNEXPLAINED_SCORE] = max(unexplained)


def _size(residual):
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(residual))))


class TensorBoardLog(keras.callbacks.Callback):
    """Writes scalars, image grids and the annealing view to TensorBoard, by training step.

    The grids are those of Fig. 1. The annealing view is Fig. 4 with x - z and, in place of the
    figure's x^ - z, the error that the DAE leaves: x - x^.

    Args:
        directory: of the event files.
        inputs, images: a fixed batch of examples in [0, 1], as `evaluation_pairs` gives them.
    """

    def __init__(self, directory, inputs, images):
        super().__init__()
        self._directory = str(directory)
        self._inputs = inputs
        self._images = images

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self._directory)
        apply = functools.partial(self.model, training=False)
        self._apply = tf.function(apply, autograph=False)
        if self.model.step == 0:
            self._write({})

    def on_epoch_end(self, epoch, logs=None):
        self._write(logs)

    def on_train_end(self, logs=None):
        self._writer.close()

    def _write(self, logs):
        outputs = self._apply(self._inputs)
        with self._writer.as_default(step=self.model.step):
            for name, value in logs.items():
                group, tag = ("validation", name[4:]) if name[:4] == "val_" else ("training", name)
                tf.summary.scalar(f"{group}/{tag}", value)
            self._write_grid(outputs)
            for name, estimates in outputs.items():
                self._write_residual(name, self._images - estimates)
        self._writer.flush()

    def _write_grid(self, outputs):
        measured = shown_like(measurements_of(self._inputs), self._images)
        tf.summary.image(
            "examples",
            image_grid([measured, *outputs.values(), self._images])[None],
            description=", ".join(["measurement", *outputs, "truth"]),
        )

    def _write_residual(self, name, residual):
        tf.summary.histogram(f"annealing/images - {name}", residual)
        tf.summary.scalar(f"annealing/mean of images - {name}", np.mean(residual))
        tf.summary.scalar(f"annealing/variance of images - {name}", np.var(residual))


class AnnealingSnapshots(keras.callbacks.Callback):
    """Saves what both networks make of a few measurements at early steps: Figs. 1 and 4.

    Writes `step-00000001.npz` and so on, each with the outputs by name, `measurements` and
    `images`.

    Args:
        directory: of the files.
        inputs, images: a fixed batch of examples in [0, 1], as `evaluation_pairs` gives them.
    """

    STEPS = (1, 25, 50, 100, 200, 400, 800, 1600)  # those of Fig. 1

    def __init__(self, directory, inputs, images):
        super().__init__()
        self._directory = directory
        self._inputs = inputs
        self._images = images

    def on_train_batch_end(self, batch, logs=None):
        """Saves the estimates of the examples at the steps in `STEPS`."""
        step = self.model.step
        if step in self.STEPS:
            outputs = self.model(self._inputs, training=False)
            arrays = {name: output.numpy() for name, output in outputs.items()}
            with written_aside(self._directory / f"step-{step:08d}.npz") as partial:
                arrays |= {"measurements": measurements_of(self._inputs), "images": self._images}
                np.savez_compressed(partial, **arrays)
