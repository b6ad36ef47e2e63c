"""MATLAB files of others: no file ends the process, and each that cannot be read is one line."""

import h5py
import numpy as np
import pytest
import scipy.io

from inversenet_tf.imaging.files.matlab import variables_of
from inversenet_tf.imaging.physics import kernels

KERNEL = np.arange(1.0, 13).reshape(3, 4)
EXPECTED = KERNEL / KERNEL.sum()
TYPE_NUMBER = 176  # place of the type of the numbers in a file of one matrix
IMAGE = np.random.default_rng(0).random((20, 30))


def test_a_wrong_type_number_does_not_end_the_process(tmp_path):
    path = tmp_path / "k.mat"
    scipy.io.savemat(path, {"k": np.ones((2, 2))})
    content = bytearray(path.read_bytes())
    content[TYPE_NUMBER] = 14
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match="Expected a kernel in .*k.mat. Received: a damaged MATLAB"
    ):
        kernels.from_file(path)


def cell(*elements):
    values = np.empty((1, len(elements)), object)
    values[0] = elements
    return values


OTHERS = {
    "options": {"sigma": 0.01, "nested": {"a": 1}},
    "note": "a camera held by hand",
    "mixed": cell(np.ones((2, 2)), "text"),
    "deep": cell(cell(np.ones((2, 2)))),
    "sigma": 0.01,
    "signed": -np.ones((3, 3)),
    "nothing": np.zeros((0, 3)),
}


@pytest.mark.parametrize("name", ["k", "PSF", "blur_kernel2", "estimate"])
def test_a_kernel_among_other_variables(tmp_path, name):
    """Of an image and a kernel the one named as kernels are."""
    image = {} if name == "estimate" else {"a_photograph": IMAGE}
    scipy.io.savemat(tmp_path / "k.mat", OTHERS | image | {name: KERNEL})
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.mat"), EXPECTED, rtol=1e-6)
    with pytest.raises(ValueError, match="holds 1 kernels"):
        kernels.from_file(tmp_path / "k.mat", 1)


def test_a_file_without_a_kernel_says_what_it_holds(tmp_path):
    scipy.io.savemat(tmp_path / "k.mat", OTHERS)
    with pytest.raises(ValueError, match=r"options \(a structure\), note \(text\), mixed \(a cell"):
        kernels.from_file(tmp_path / "k.mat")


def test_structures_cells_and_links_of_version_7(tmp_path):
    with h5py.File(tmp_path / "k.mat", "w") as file:
        file["options/sigma"] = np.ones((1, 1))
        file["note"] = np.frombuffer(b"ab", np.uint8).astype(np.uint16)[:, None]
        file["note"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = KERNEL.T
        loop = file.create_dataset("#refs#/loop", (1, 1), h5py.ref_dtype)
        loop[0, 0] = loop.ref
        for name, reference in {"circle": loop.ref, "cells": file["#refs#/a"].ref}.items():
            file.create_dataset(name, (1, 1), h5py.ref_dtype)[0, 0] = reference
    found = {name: (kind, matrices) for name, kind, matrices in variables_of(tmp_path / "k.mat")}
    assert found["options"] == ("a structure", []) and found["note"] == ("text", [])
    assert found["circle"] == ("a cell with more than matrices", [])
    np.testing.assert_allclose(kernels.from_file(tmp_path / "k.mat"), EXPECTED, rtol=1e-6)
    with h5py.File(tmp_path / "k.mat", "a") as file:
        del file["cells"]
        file["linked"] = h5py.ExternalLink("elsewhere.mat", "/k")
    with pytest.raises(ValueError, match=r"linked \(expected linked in the file itself"):
        kernels.from_file(tmp_path / "k.mat")
