import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inversenet_tf.imaging.files.locks import LOCK_FILE, InUse, held

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from inversenet_tf.imaging.files.locks import held
with held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process, which holds `tmp_path / "run"` until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_was_first_in_one_line(other_process, tmp_path):
    with pytest.raises(InUse) as refused, held(tmp_path / "run"):
        pytest.fail("two hold one directory")
    message = str(refused.value)
    assert f"{tmp_path / 'run'} is in use by -c {tmp_path / 'run'} (host " in message
    assert f"process {other_process.pid}, since 20" in message and "\n" not in message
    assert "choose another directory" in message


@pytest.mark.parametrize("end", ["kill", "end"])
def test_a_lock_ends_with_its_process(other_process, tmp_path, end):
    other_process.kill() if end == "kill" else other_process.stdin.close()
    other_process.wait()
    assert (tmp_path / "run").exists() == (end == "kill")
    with held(tmp_path / "run"):
        (tmp_path / "run" / "made").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["made"]


def test_nothing_stays_where_nothing_was_made(tmp_path):
    with pytest.raises(RuntimeError), held(tmp_path / "deep" / "run"):
        assert (tmp_path / "deep" / "run" / LOCK_FILE).exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_waiting_takes_turns(tmp_path):
    """Whoever comes while a turn lasts begins after it, also where it removes the directory."""
    inside, most = [], []

    def work():
        for _ in range(20):
            with held(tmp_path / "run", wait=True):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 120
    assert not (tmp_path / "run" / LOCK_FILE).exists()


def test_a_directory_that_vanishes_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    """`Path.mkdir` finds a directory that another process removes before the second look."""
    mkdir, calls = Path.mkdir, []

    def vanishing(self, *arguments, **options):
        calls.append(self)
        if len(calls) == 1:
            raise FileExistsError(17, "File exists", str(self))
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", vanishing)
    with held(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_FILE).exists()
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OSError, match="run"), held(tmp_path / "run"):
        pass
    assert (tmp_path / "run").read_text() == "mine"


def test_a_disk_without_locks_is_named_and_used(tmp_path, monkeypatch, warned):
    def flock(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with held(tmp_path / "run"):
        assert "a disk without locks" in warned()
