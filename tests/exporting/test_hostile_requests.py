"""No tensor and no file ends a server of an export; each is refused with one clear error."""

import hostile_requests
import pytest
import tensorflow as tf

from inversenet_tf import recipes
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.models.build import build_model
from inversenet_tf.serving.operations import check_operations


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """An export with all signatures: its model has a kernel of its own and can be told another."""
    config = recipes.motion_deblur()
    config.network.inverter, config.network.denoiser = "solver_unet", "none"
    config.network.depth, config.data.size = 2, 32
    model = build_model(config, with_discriminator=False)
    return export_model(model, tmp_path_factory.mktemp("hostile"))


def test_its_graphs_only_compute(version):
    check_operations(version)


def test_what_no_client_sends_is_refused(version):
    hostile_requests.check(version)


def test_the_error_says_what_was_expected(version):
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"any, 3\]. Received: shape\] \[16 9"):
        serve(measurements=tf.ones((16, 9, 3)))
