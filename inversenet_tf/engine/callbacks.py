"""Callbacks for the training of either package.

All of them expect an `AdversarialModel` and run on the chief alone.
"""

import time

import keras
from absl import logging
from tqdm import tqdm

from inversenet_tf.engine import checkpoints
from inversenet_tf.imaging.files.json import check_fields, read_field, write_json

# Mean scores at which a discriminator has won: its gradient no longer teaches the generators.
SATURATED_REAL, SATURATED_GENERATED = 0.98, 0.02


class Progress(keras.callbacks.Callback):
    """Shows one progress bar with an ETA for the whole run, and a line after every validation.

    Args:
        steps: of the whole run.
        shown: names of the logged values to show beside the bar.
    """

    def __init__(self, steps, shown):
        super().__init__()
        self._steps = steps
        self._shown = shown

    def on_train_begin(self, logs=None):
        self._bar = tqdm(total=self._steps, initial=self.model.step, unit="step", mininterval=2.0)

    def on_train_batch_end(self, batch, logs=None):
        shown = {name: f"{logs[name]:.4g}" for name in self._shown if name in logs}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name[4:]} {logs[name]:.4g}" for name in logs if name[:4] == "val_")
        tqdm.write(f"step {self.model.step}  {scores}")

    def on_train_end(self, logs=None):
        self._bar.close()


class History(keras.callbacks.Callback):
    """Writes the logs of every validation to a JSON file: `validations`, a list by step.

    Args:
        path: of the file, which later sessions continue.
    """

    def __init__(self, path):
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch, logs=None):
        # Later steps were lost when the process was killed, or undone after a divergence.
        earlier = [kept for kept in validations(self._path) if kept["step"] < self.model.step]
        present = {"step": self.model.step} | {name: float(logs[name]) for name in logs}
        write_json(self._path, {"validations": [*earlier, present]})


def validations(path):
    """What `History` has written to a file so far: a list of dicts, by step."""
    kept = read_field(path, "validations", list) if path.is_file() else []
    for validation in kept:
        check_fields(validation, {"step": int}, path, "validations.")
    return kept


class LastCheckpoints(keras.callbacks.Callback):
    """Keeps the last few states, from which an interrupted training can resume.

    With each it saves the epoch's logs and `seconds`, the time that the training took so far.

    Args:
        directory: for these checkpoints.
        keep: how many to keep.
    """

    def __init__(self, directory, keep):
        super().__init__()
        self._directory = directory
        self._keep = keep

    def on_train_begin(self, logs=None):
        before = checkpoints.last_scores(self._directory).get("seconds", 0.0)
        self._start = time.monotonic() - before

    def on_epoch_end(self, epoch, logs=None):
        self.save(logs)

    def save(self, logs=None):
        """Saves the present state, which may be in the middle of an epoch."""
        scores = dict(logs or {}) | {"seconds": time.monotonic() - self._start}
        checkpoints.save(self.model.state, self.model.step, self._directory, scores, self._keep)


class SaturationAlarm(keras.callbacks.Callback):
    """Warns when the discriminator has won.

    Args:
        advice: a sentence on what may help.
    """

    def __init__(self, advice):
        super().__init__()
        self._advice = advice

    def on_epoch_end(self, epoch, logs=None):
        """Warns if the discriminator tells all images apart, so that its gradients vanish."""
        real, generated = logs.get("real_score"), logs.get("generated_score")
        if real is not None and real > SATURATED_REAL and generated < SATURATED_GENERATED:
            logging.warning(
                "Step %d: the discriminator saturates: D(real) = %.3f, D(generated) = %.3f. %s",
                self.model.step,
                real,
                generated,
                self._advice,
            )
