"""What happens around a training step: progress, TensorBoard, checkpoints, the NaN alarm."""

import math

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from inversenet_tf import checkpoints
from inversenet_tf.imaging.grids import image_grid
from inversenet_tf.inversenet import GRADIENT_NORMS, LOSSES


class TrainingDiverged(FloatingPointError):
    """A loss or a gradient is no longer a finite number."""


class StopOnNaN(keras.callbacks.Callback):
    """Stops at the step whose loss or gradient is not finite, before anything of it is saved."""

    def on_train_batch_end(self, batch, logs=None):
        for name in (*LOSSES, *GRADIENT_NORMS):
            if not math.isfinite(logs[name]):
                raise TrainingDiverged(
                    f"{name} is {float(logs[name])} at step {self.model.step}. Checkpoints of "
                    "earlier steps are kept. The same command would end here again: use another "
                    "--workdir with a smaller optimizer.learning_rate."
                )


class Progress(keras.callbacks.Callback):
    """One bar over the whole run with its ETA, and a line after every validation."""

    def __init__(self, steps):
        super().__init__()
        self._steps = steps

    def on_train_begin(self, logs=None):
        self._bar = tqdm(total=self._steps, initial=self.model.step, unit="step", mininterval=2.0)

    def on_train_batch_end(self, batch, logs=None):
        self._bar.set_postfix({name: f"{logs[name]:.4g}" for name in LOSSES}, refresh=False)
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name[4:]} {logs[name]:.4g}" for name in logs if name[:4] == "val_")
        tqdm.write(f"step {self.model.step}  {scores}")

    def on_train_end(self, logs=None):
        self._bar.close()


class Checkpoints(keras.callbacks.Callback):
    """Keeps the last state and the one of the best validation PSNR of the restored images."""

    def __init__(self, directory):
        super().__init__()
        self._directory = directory

    def on_epoch_end(self, epoch, logs=None):
        scores = {name: float(value) for name, value in logs.items()}
        best = checkpoints.latest(self._directory / "best")
        if (
            best is None
            or scores["val_psnr_restored"] > checkpoints.scores(best)["val_psnr_restored"]
        ):
            checkpoints.save(self.model, self._directory / "best", scores)
        checkpoints.save(self.model, self._directory / "last", scores)


class TensorBoardLog(keras.callbacks.Callback):
    """Scalars, image grids and the annealing view, by training step.

    The grids are those of Fig. 1. The annealing view is Fig. 4 with x - z and, in the place of
    the figure's x^ - z, what the DAE leaves: x - x^.

    Args:
        directory: of the event files.
        measurements, images: a fixed batch of examples in [0, 1].
    """

    def __init__(self, directory, measurements, images):
        super().__init__()
        self._directory = str(directory)
        self._measurements = measurements
        self._images = images

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self._directory)
        self._apply = tf.function(lambda images: self.model(images, training=False))
        if self.model.step == 0:
            self._write({})

    def on_epoch_end(self, epoch, logs=None):
        self._write(logs)

    def on_train_end(self, logs=None):
        self._writer.close()

    def _write(self, logs):
        outputs = self._apply(self._measurements)
        with self._writer.as_default(step=self.model.step):
            for name, value in logs.items():
                group, tag = ("validation", name[4:]) if name[:4] == "val_" else ("training", name)
                tf.summary.scalar(f"{group}/{tag}", value)
            self._write_grid(outputs)
            for name, estimates in outputs.items():
                self._write_residual(name, self._images - estimates)
        self._writer.flush()

    def _write_grid(self, outputs):
        columns = [self._measurements, outputs["inverted"], outputs["restored"], self._images]
        tf.summary.image(
            "examples",
            image_grid(columns)[None],
            description="measurement, inverted, restored, truth",
        )

    def _write_residual(self, name, residual):
        tf.summary.histogram(f"annealing/images - {name}", residual)
        tf.summary.scalar(f"annealing/mean of images - {name}", np.mean(residual))
        tf.summary.scalar(f"annealing/variance of images - {name}", np.var(residual))
