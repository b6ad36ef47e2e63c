"""What to do with a training whose losses or gradients are no longer finite."""

import collections
from pathlib import Path

import keras
from absl import logging

from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.files.json import write_json

LOWERED = 0.5  # multiplies the learning rates after the first divergence
RECENT = 20  # steps whose logs a report holds
REPORT_FILE = "divergence.json"


class TrainingDiverged(FloatingPointError):
    """A loss or gradient is not finite, also at a lower rate where it can be lowered."""


class RollBack(keras.callbacks.Callback):
    """Keeps the last good state in memory, on every worker.

    This is the state at the end of the last epoch, or at the start of this session.

    Args:
        directory: for the report of a divergence; None to write none.
        learning_rate_field: the learning rate's name in the config, for the advice to lower it.
    """

    def __init__(self, directory, learning_rate_field):
        super().__init__()
        self._directory = directory
        self._rate_field = learning_rate_field
        self._recent = collections.deque(maxlen=RECENT)

    def on_train_begin(self, logs=None):
        self._keep()

    def on_train_batch_end(self, batch, logs=None):
        self._recent.append({"step": self.model.step} | logs)

    def on_epoch_end(self, epoch, logs=None):
        self._keep()

    def _keep(self):
        self._good = [variable.numpy() for variable in self.model.state_variables]

    def after(self, fault):
        """Returns to the last good state and lowers the learning rates once.

        Args:
            fault: the `NotFinite` that was raised.

        Raises:
            TrainingDiverged: the rates have been lowered before, or cannot be.
        """
        model = self.model
        step, factor = model.step, model.learning_rate_factor
        is_second = factor is None or float(factor.numpy()) < 1.0
        for variable, value in zip(model.state_variables, self._good, strict=True):
            variable.assign(value)
        self._report(fault, step, is_second)
        if is_second:
            raise TrainingDiverged(
                f"{fault} at step {step}, also at a lower learning rate. Checkpoints of earlier "
                "steps are kept. The same command would fail here again: use another --workdir "
                f"with a smaller {self._rate_field}."
            )
        factor.assign(LOWERED)
        logging.warning(
            "%s at step %d: resuming from step %d, with learning rates multiplied by %g.",
            fault,
            step,
            model.step,
            LOWERED,
        )

    def _report(self, fault, step, is_second):
        if self._directory is None:
            return
        write_json(
            Path(self._directory) / REPORT_FILE,
            {
                "step": step,
                "not_finite": fault.values,
                "went_back_to_step": self.model.step,
                "then": "stopped" if is_second else f"learning rates times {LOWERED}",
                "steps_before": list(self._recent),
                "versions": versions(),
            },
        )
