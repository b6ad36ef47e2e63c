"""What happens around a round of a search: progress, TensorBoard, checkpoints."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from blind_gan_tf.figures import shown
from inversenet_tf.imaging import checkpoints
from inversenet_tf.imaging.grids import image_grid
from inversenet_tf.imaging.runs import CHECKPOINTS, LOGS

EXAMPLES = 6  # measurements in TensorBoard
ROUNDS_PER_PICTURE = 10


class SearchLog:
    """Watches the search of one method.

    Args:
        workdir: of the experiment.
        method: its name.
        rounds: T.
        problem: a `Problem`, whose first measurements are shown.
        sources: S.
    """

    def __init__(self, workdir, method, rounds, problem, sources):
        self._workdir = workdir
        self._method = method
        self._rounds = rounds
        self._problem = problem
        self._sources = sources

    def callbacks(self, method):
        """The `on_start` and `on_round` of `invert`."""
        return {"on_start": self._start, "on_round": self._round}

    def _start(self, search):
        """Goes on with the checkpoint of an interrupted search; returns its history."""
        history = []
        last = checkpoints.latest(self._workdir / CHECKPOINTS / self._method)
        if last is not None:
            checkpoints.restore(search.state, last)
            history = checkpoints.scores(last)["history"]
        self._writer = tf.summary.create_file_writer(str(self._workdir / LOGS / self._method))
        self._bar = tqdm(total=self._rounds, initial=len(history), desc=self._method, unit="round")
        return history

    def _round(self, search, history):
        done, record = len(history), history[-1]
        checkpoints.save(search.state, done, self._workdir / CHECKPOINTS / self._method,
                         {"history": history})  # fmt: skip
        with self._writer.as_default(step=done):
            for name in record.keys() - {"residual"}:
                tf.summary.scalar(name, record[name])
            for copy, residual in enumerate(record["residual"]):
                tf.summary.scalar(f"residual/start {copy}", residual)
            if done % ROUNDS_PER_PICTURE == 0 or done == self._rounds:
                tf.summary.image("examples", self._picture(search, record)[None],
                                 description="measurement, estimate, images")  # fmt: skip
        self._writer.flush()
        self._bar.set_postfix(residual=f"{min(record['residual']):.4g}", refresh=False)
        self._bar.update()
        if done == self._rounds:
            self._bar.close()

    def _picture(self, search, record):
        """The first measurements, their estimates and images by the best start."""
        best = int(np.argmin(record["residual"][: search.starts]))
        images, estimates = search.examples(best, EXAMPLES)
        measured = shown(np.concatenate([self._problem.measurements[: len(estimates)], estimates]))
        columns = [measured[: len(estimates)], measured[len(estimates) :]]
        columns = [part[..., c : c + 1] for part in columns for c in range(part.shape[-1])]
        columns += [images[:, source] for source in range(images.shape[1])]
        channels = max(column.shape[-1] for column in columns)
        return image_grid([np.repeat(c, channels // c.shape[-1], -1) for c in columns])
