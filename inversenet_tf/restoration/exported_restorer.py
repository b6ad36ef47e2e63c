"""A restorer that runs an export."""

from pathlib import Path

import tensorflow as tf

from inversenet_tf.imaging.files.paths import taken_literally
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import degradation_from, spec_from
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.signature_names import INTERMEDIATE, WITH_KERNEL
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import latest_version, read_metadata


class ExportedRestorer(Restorer):
    """A SavedModel that `export` wrote; it needs no file of the training.

    When pickled, it is stored as its path, from which it is loaded again.

    Args:
        directory: a SavedModel, or a directory of versions, of which the latest is used.
        trusted: whether its graphs may do more than compute, see `check_operations`.

    Raises:
        ValueError: there is no SavedModel, it restores no images, or its graphs do more than
            compute.
    """

    def __init__(self, directory: str | Path, trusted: bool = False):
        path = latest_version(directory)
        metadata = read_metadata(path)
        if "images" not in metadata:
            raise ValueError(
                f"Expected the export of an InverseNet in {Path(directory)}. Received: one of a "
                f"{metadata.get('model')}."
            )
        self.spec = spec_from(metadata)
        self.degradation = degradation_from(metadata)
        if not trusted:
            check_operations(path)
        with taken_literally(path) as literal:
            self._loaded = tf.saved_model.load(str(literal))
        self._signatures = self._loaded.signatures
        self._place = path.absolute(), trusted

    def __reduce__(self):
        return type(self), self._place

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        if kernels is not None:
            outputs = self._signatures[WITH_KERNEL](**as_told(measurements, kernels, noise_sigmas))
        elif self.spec.kernel == kernel_use.REQUIRED:
            raise ValueError(kernel_use.IS_MISSING)
        else:
            measurements = tf.convert_to_tensor(measurements, tf.float32)
            outputs = self._signatures[INTERMEDIATE](measurements=measurements)
        return {name: images.numpy() for name, images in outputs.items()}
