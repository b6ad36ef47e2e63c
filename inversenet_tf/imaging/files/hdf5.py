"""Reads arrays from untrusted HDF5 files: only from the file itself, and no more than it stores.

HDF5 can refer to other files of the machine, by links or as the place of a dataset's bytes, and can
claim sizes that only the fill value fills.
"""

import math

import h5py
import numpy as np

from inversenet_tf.imaging.files.memory import check_fits


def member(group, name):
    """Returns what a group holds under a name or a path of names.

    Raises:
        ValueError: there is nothing, or a link, which may lead out of the file or in a circle.
    """
    place = group
    for part in filter(None, name.split("/")):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            raise ValueError(f"expected {name} in it, received none")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"expected {name} in the file itself, received a link")
        place = place[part]
    return place


def numbers(dataset, name):
    """Returns the finite numbers of a dataset as an array.

    Args:
        dataset: what `member` returned.
        name: what an error calls it.

    Raises:
        ValueError: it is a group, holds something else or nothing, or lies in another file; or it
            claims more than is stored or than there is memory for.
    """
    check_stored(dataset, name)
    if dataset.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers in {name}, received {dataset.dtype}")
    values = dataset[()]
    if not np.isfinite(values).all():
        raise ValueError(f"expected finite numbers in {name}, received some that are not")
    return np.asarray(values)


def check_stored(dataset, name):
    """Raises ValueError unless it is a dataset, all stored in the file, that fits in memory."""
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(
            f"expected an array in {name}, received a {type(dataset).__name__.lower()}"
        )
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"expected {name} in the file itself, received the name of another")
    if dataset.shape is None or dataset.size == 0:
        raise ValueError(f"expected elements in {name}, received shape {dataset.shape}")
    needed = math.prod(dataset.shape) * dataset.dtype.itemsize
    if needed > _stored_bytes(dataset):
        raise ValueError(f"{name} claims shape {dataset.shape}, which is not stored")
    check_fits(2 * needed, f"{name} of shape {dataset.shape}")


def _stored_bytes(dataset):
    """Returns the bytes of the elements that are in the file, before compression."""
    if dataset.chunks is None:
        return dataset.id.get_storage_size()
    return dataset.id.get_num_chunks() * math.prod(dataset.chunks) * dataset.dtype.itemsize
