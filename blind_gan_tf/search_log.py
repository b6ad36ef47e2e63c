"""Progress bar, TensorBoard logs and checkpoints of a search."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from blind_gan_tf.figures import shown
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.workdir import CHECKPOINTS, LOGS
from inversenet_tf.imaging.files.grids import image_grid

EXAMPLES = 6  # measurements in TensorBoard
ROUNDS_PER_PICTURE = 10
DESCRIPTION = "measurement, estimate, images"


class SearchLog:
    """Follows the search of one method through both of its stages.

    Args:
        workdir: of the experiment.
        method: its name.
        config: a `SearchConfig`.
        measurements: what the search fits, [N, height, width, channels]; the first few are shown.
    """

    def __init__(self, workdir, method, config, measurements):
        self._workdir = workdir
        self._method = method
        self._rounds = {"screening": config.screening_rounds, "search": config.rounds}
        self._measurements = measurements
        self._bar = self._writer = None

    def _name(self, stage):
        return self._method if stage == "search" else f"{self._method}_{stage}"

    def start(self, search, stage):
        """Restores the checkpoint of an interrupted stage, if there is one; returns its history."""
        history, name = [], self._name(stage)
        last = checkpoints.restore(search.state, self._workdir / CHECKPOINTS / name)
        if last is not None:
            history = checkpoints.scores(last)["history"]
        self.close()  # of the stage before
        self._writer = tf.summary.create_file_writer(str(self._workdir / LOGS / name))
        self._bar = tqdm(total=self._rounds[stage], initial=len(history), desc=name, unit="round")
        return history

    def round(self, search, history, stage):
        """Saves a round's checkpoint, logs its values and sometimes a picture; moves the bar."""
        done, record = len(history), history[-1]
        directory = self._workdir / CHECKPOINTS / self._name(stage)
        checkpoints.save(search.state, done, directory, {"history": history})
        with self._writer.as_default(step=done):
            for name in record.keys() - {"residual"}:
                tf.summary.scalar(name, record[name])
            for copy, residual in enumerate(record["residual"]):
                tf.summary.scalar(f"residual/start {copy}", residual)
            if done % ROUNDS_PER_PICTURE == 0 or done == self._rounds[stage]:
                picture = self._picture(search)
                tf.summary.image("examples", picture[None], description=DESCRIPTION)
        self._writer.flush()
        self._bar.set_postfix(residual=f"{min(record['residual']):.4g}", refresh=False)
        self._bar.update()

    def close(self):
        """Closes the bar and the event file of a stage, even of one that stopped early."""
        if self._bar is not None:
            self._bar.close()
            self._writer.close()

    def _picture(self, search):
        """The first measurements with their estimates and images from the best start."""
        best = int(search.mean_residuals()[0].argmin())
        _, _, images, estimates, _ = search.outcome(0, best)
        images, estimates = images[:EXAMPLES], estimates[:EXAMPLES]
        columns = list(shown(np.stack([self._measurements[: len(estimates)], estimates])))
        columns = [part[..., c : c + 1] for part in columns for c in range(part.shape[-1])]
        columns += [images[:, source] for source in range(images.shape[1])]
        channels = max(column.shape[-1] for column in columns)
        return image_grid([np.repeat(c, channels // c.shape[-1], -1) for c in columns])
