"""Image sets too large for loose files: the unchanged files, packed into a few large shards.

A prepared set is a directory with `index.json` and the shards it names, ArrayRecord files with one
image file per record, in the order of the folder they were made from. `packing.py` makes them.
"""

import io
import re
import shlex
import threading

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from tqdm import tqdm

from inversenet_tf.imaging.data.sources import ImageSource
from inversenet_tf.imaging.files.digests import sha256_of
from inversenet_tf.imaging.files.images import ImageReadError, read_image
from inversenet_tf.imaging.files.json import read_json
from inversenet_tf.imaging.files.listing import report_skipped, small_images
from inversenet_tf.imaging.files.paths import check_utf8
from inversenet_tf.imaging.wording import counted

FORMAT = 1
INDEX_FILE = "index.json"
PLAN_FILE = "plan.json"  # of `packing.py`
DEFAULT_SHARD_MIB = 256
SHARD_FILE = re.compile(r"shard-\d{5,9}\.array_record")  # as `packing.py` names them
READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"  # for random access
READER_BUFFER = 2**15  # bytes, for each open shard


class Prepared(ImageSource):
    """The images of a prepared set, with the names, order and pixels of the original folder.

    Truncated images are left out, even from a folder so large that `Folder` reads only headers.
    """

    def __init__(self, directory, channels, minimum_side):
        directory = check_utf8(directory)
        index = _read_index(directory)
        self._shards = [Shard(directory, **described) for described in index["shards"]]
        fault = next(filter(None, (shard.fault() for shard in self._shards)), None)
        if fault:
            raise ValueError(
                f"Expected the shards that {directory / INDEX_FILE} names. Received: {fault}. "
                f"To write it again: {_command(directory, index)}"
            )
        sizes = {name: (height, width) for name, height, width in index["images"]}
        skipped = index["skipped"] | small_images(sizes, minimum_side)
        chosen = [place for place, name in enumerate(sizes) if name not in skipped]
        report_skipped(directory, len(chosen), skipped, minimum_side)
        super().__init__(f"prepared:{directory}", [name for name in sizes if name not in skipped])
        counts = [shard.count for shard in self._shards]
        self._shard_numbers = np.repeat(np.arange(len(counts)), counts)[chosen]
        self._records = np.concatenate([np.arange(count) for count in counts])[chosen]
        self.marks = [self._shards[number].mark for number in self._shard_numbers]
        self._channels = channels

    def load(self, index):
        return self.load_part(index, None)

    def load_part(self, index, window):
        shard = self._shards[self._shard_numbers[index]]
        content = shard.read(self._records[index])
        name = f"{self.names[index]} in {shard}"
        return read_image(io.BytesIO(content), self._channels, name, window)


class Shard:
    """A file of records as described by the index, opened when it is first read."""

    def __init__(self, directory, file, count, bytes, sha256):
        self.file = file
        self.count = count
        self._path = directory / file
        self._bytes = bytes
        self._sha256 = sha256
        self.mark = bytes, int.from_bytes(sha256[:7].encode(), "big")
        self._reader = None
        self._lock = threading.Lock()  # readers of old array_record versions are not thread-safe

    def __str__(self):
        return str(self._path)

    def read(self, record):
        """Returns the bytes of one image file."""
        with self._lock:
            try:
                self._reader = self._reader or self._opened()
                return self._reader.read([int(record)])[0]
            except RuntimeError as error:
                self._reader = None  # the disk may come back
                raise ImageReadError(f"Cannot read record {record} of {self}: {error}") from error

    def fault(self):
        """Returns why the shard cannot be whole, judged by its size and record count, or None."""
        if not self._path.is_file():
            return f"{self.file} is missing"
        size = self._path.stat().st_size
        if size != self._bytes:
            return f"{self.file} of {size} bytes instead of {self._bytes}"
        count = self._opened().num_records()  # 0 for a file that is no ArrayRecord
        if count != self.count:
            return f"{self.file} of {counted(count, 'image')} instead of {self.count}"
        return None

    def damage(self):
        """Returns why the shard is not what was written, or None; reads all its bytes."""
        fault = self.fault()
        if fault is None and sha256_of(self._path) != self._sha256:
            fault = f"{self.file} with another SHA-256 than when it was written"
        return fault

    def _opened(self):
        return ArrayRecordReader(
            str(self._path), READER_OPTIONS, file_reader_buffer_size=READER_BUFFER
        )


def damaged_shards(directory):
    """Returns a list of what is wrong with a prepared set's shards, empty where all are whole.

    Raises:
        ValueError: the directory holds no prepared set.
    """
    directory = check_utf8(directory)
    shards = [Shard(directory, **described) for described in _read_index(directory)["shards"]]
    return [damage for shard in tqdm(shards, "verifying shards") if (damage := shard.damage())]


def _read_index(directory):
    path, plan = directory / INDEX_FILE, directory / PLAN_FILE
    if not path.is_file():
        raise ValueError(
            f"Expected {INDEX_FILE} in {directory}, which a finished prepared set has. Received: "
            f"none. To make it: {_command(directory, read_json(plan) if plan.is_file() else {})}"
        )
    index = read_json(path)
    if not isinstance(index, dict):
        raise ValueError(f"Expected the index of a prepared set in {path}. Received: {index!r:.80}")
    if index.get("format") != FORMAT:
        raise ValueError(f"Expected format {FORMAT} of {path}. Received: {index.get('format')!r}")
    if not _is_sound(index):
        raise ValueError(
            f"Expected {path} as the packing wrote it, with matching numbers of shards and "
            f"images. Received: a different one. To write it again: {_command(directory, index)}"
        )
    return index


def _is_sound(index):
    """Whether an index, which may have been edited, has everything that is read from it."""
    shards, images, skipped = (index.get(name) for name in ("shards", "images", "skipped"))
    if not (isinstance(shards, list) and isinstance(images, list) and isinstance(skipped, dict)):
        return False
    names = [image[0] for image in images if _is_image(image)]
    return (
        all(_is_shard(shard) for shard in shards)
        and len(set(names)) == len(images) == sum(shard["count"] for shard in shards)
        and all(isinstance(reason, str) for reason in skipped.values())
    )


def _is_shard(shard):
    """Whether this describes a shard in the set's own directory."""
    kinds = {"file": str, "count": int, "bytes": int, "sha256": str}
    return (
        isinstance(shard, dict)
        and shard.keys() == kinds.keys()
        and all(type(shard[name]) is kind for name, kind in kinds.items())
        and SHARD_FILE.fullmatch(shard["file"]) is not None
        and shard["count"] >= 0
    )


def _is_image(image):
    """Whether this is [name, height, width]."""
    return isinstance(image, list) and [type(part) for part in image] == [str, int, int]


def _command(directory, made_with):
    """Returns the command that makes, finishes or repairs a prepared set."""
    words = [f"--source={made_with.get('source', 'folder:DIR')}", f"--output={directory}"]
    if made_with.get("shard_mib", DEFAULT_SHARD_MIB) != DEFAULT_SHARD_MIB:
        words.append(f"--shard_mib={made_with['shard_mib']}")
    return f"inversenet prepare {shlex.join(words)}"
