"""What happens around a training step of either package: progress, and the NaN alarm.

Both speak to a model that has a `step` and logs named values after every training step.
"""

import math

import keras
from tqdm import tqdm


class TrainingDiverged(FloatingPointError):
    """A loss or a gradient is no longer a finite number."""


class StopOnNaN(keras.callbacks.Callback):
    """Stops at the step whose logs are not finite, before anything of it is saved.

    Args:
        rate_field: the config's name of the learning rate, for the advice to lower it.
    """

    def __init__(self, rate_field):
        super().__init__()
        self._rate_field = rate_field

    def on_train_batch_end(self, batch, logs=None):
        for name, value in logs.items():
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"{name} is {float(value)} at step {self.model.step}. Checkpoints of "
                    "earlier steps are kept. The same command would end here again: use another "
                    f"--workdir with a smaller {self._rate_field}."
                )


class Progress(keras.callbacks.Callback):
    """One bar over the whole run with its ETA, and a line after every validation.

    Args:
        steps: of the whole run.
        shown: names of the logged values that stand beside the bar.
    """

    def __init__(self, steps, shown):
        super().__init__()
        self._steps = steps
        self._shown = shown

    def on_train_begin(self, logs=None):
        self._bar = tqdm(total=self._steps, initial=self.model.step, unit="step", mininterval=2.0)

    def on_train_batch_end(self, batch, logs=None):
        self._bar.set_postfix({name: f"{logs[name]:.4g}" for name in self._shown}, refresh=False)
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name[4:]} {logs[name]:.4g}" for name in logs if name[:4] == "val_")
        tqdm.write(f"step {self.model.step}  {scores}")

    def on_train_end(self, logs=None):
        self._bar.close()
