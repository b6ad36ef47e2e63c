"""A short seeded fuzz of what reads files of others; tools/endurance/fuzz.py is the long one."""

import hostile_files
import pytest

# Fewer where a file takes a second to read, or a process.
ROUNDS = dict.fromkeys(hostile_files.KINDS, 150) | {"keras": 12, "matlab": 3, "runs": 25}


@pytest.mark.parametrize("name", hostile_files.KINDS)
def test_mutated_files_end_in_one_line(name):
    found = list(hostile_files.findings(hostile_files.KINDS[name], ROUNDS[name], seed=0))
    # Time is not asserted here, where others may take the machine.
    wrong = [what for _, what in found if not what.endswith(" s")]
    assert not wrong


@pytest.mark.parametrize("name", [n for n in hostile_files.KINDS if n != "prepared"])
def test_what_is_not_mutated_is_read(name, tmp_path):
    """So that the fuzz meets more than a reader's first check."""
    kind = hostile_files.KINDS[name]
    for content in kind.seeds():
        (tmp_path / kind.name).write_bytes(content)
        if name != "kernels" or b"'<f8'" in content:  # zeros are no kernel
            kind.read(tmp_path / kind.name)
