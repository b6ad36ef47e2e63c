"""How steady a training was."""

import pytest

from inversenet_tf.engine.workdir import HISTORY_FILE
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.paper.steadiness import steadiness


@pytest.mark.parametrize(
    ("values", "falls", "largest_fall", "below_best"),
    [
        ([20.0, 24.0, 23.0, 25.0, 22.5], 0.5, 2.5, 2.5),
        ([20.0, 21.0, 22.0], 0.0, 0.0, 0.0),
        ([20.0], 0.0, 0.0, 0.0),
    ],
)
def test_falls_are_counted_and_measured(values, falls, largest_fall, below_best, tmp_path):
    kept = [{"step": step, "val_psnr_restored": psnr} for step, psnr in enumerate(values)]
    write_json(tmp_path / HISTORY_FILE, {"validations": kept})
    told = steadiness(tmp_path)
    assert told["psnr"] == values and told["falls"] == pytest.approx(falls)
    assert told["largest_fall"] == pytest.approx(largest_fall)
    assert told["last_below_best"] == pytest.approx(below_best)
