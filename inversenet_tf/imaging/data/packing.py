"""Packs the image files of folders into a prepared set; see `prepared.py`.

`plan.json` and the JSON beside every shard allow an interrupted packing to be resumed.
"""

import collections
import contextlib
import io
import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordWriter
from tqdm import tqdm

from inversenet_tf.imaging.data.prepared import (
    DEFAULT_SHARD_MIB,
    FORMAT,
    INDEX_FILE,
    PLAN_FILE,
    Shard,
)
from inversenet_tf.imaging.files.atomic import PARTIAL, check_writable, written_aside
from inversenet_tf.imaging.files.digests import sha256_of
from inversenet_tf.imaging.files.images import ImageReadError, decoded_size
from inversenet_tf.imaging.files.json import read_json
from inversenet_tf.imaging.files.listing import list_images, report_other_files, report_skipped
from inversenet_tf.imaging.files.locks import LOCK_FILE, held
from inversenet_tf.imaging.files.paths import check_utf8, folders_in

WRITER_OPTIONS = "group_size:1,uncompressed"  # single records, which are compressed already
CORES = os.cpu_count() or 1


def prepare(spec, directory, shard_mib=DEFAULT_SHARD_MIB):
    """Makes a prepared set, or resumes an interrupted call with the same arguments.

    Only names and a few files at a time are held in memory, whatever the size of the set.

    Args:
        spec: `folder:DIR`, or several as `folder:DIR,DIR`.
        directory: of the prepared set; missing, empty, or begun by the same call.
        shard_mib: size of a shard in MiB; an image larger than that gets a larger shard.

    Returns:
        The content of `index.json`.

    Raises:
        ValueError: another spec, no usable image, an unusable directory or one begun with other
            files, or a file that changes during the packing.
        OSError: a file cannot be read or a shard cannot be written.
        InUse: another process is packing into the directory.
    """
    directory = check_utf8(directory)
    folders = _folders(spec)
    check_writable(directory)
    with held(directory):
        return _prepare(folders, directory, shard_mib)


def _prepare(folders, directory, shard_mib):
    paths = _paths_by_name(folders)
    plan = _plan(folders, paths, shard_mib)
    _keep_plan(plan, directory)
    planned = plan["shards"]
    shards = [_whole_shard(directory, number) for number in range(len(planned))]
    done = sum(len(files) for files, shard in zip(planned, shards, strict=True) if shard)
    total = sum(map(len, planned))
    with tqdm(total=total, initial=done, desc="packing images", unit=" images") as progress:
        for number, files in enumerate(planned):
            shards[number] = shards[number] or _pack(directory, number, files, paths, progress)
    index = {
        "format": FORMAT,
        "source": plan["source"],
        "shard_mib": shard_mib,
        "count": sum(shard["described"]["count"] for shard in shards),
        "shards": [shard["described"] for shard in shards],
        "images": [image for shard in shards for image in shard["images"]],
        "skipped": dict(item for shard in shards for item in shard["skipped"].items()),
    }
    report_skipped(plan["source"], index["count"], index["skipped"], minimum_side=1)
    _write_json(directory / INDEX_FILE, index)
    return index


def _folders(spec):
    kind, _, place = spec.partition(":")
    if kind != "folder" or not place:
        raise ValueError(f"Expected folder:DIR or folder:DIR,DIR. Received: {spec!r}")
    return [Path(part).expanduser().absolute() for part in folders_in(place)]


def _paths_by_name(folders):
    """{name: path}, named and ordered as `Folder` and `Joined` do."""
    paths = {}
    for number, folder in enumerate(folders):
        prefix = f"{number}/" if len(folders) > 1 else ""
        paths |= {f"{prefix}{path.relative_to(folder)}": path for path in list_images(folder)}
        report_other_files(folder)
    return paths


def _plan(folders, paths, shard_mib):
    """Assigns files to shards by names and sizes alone, so that the plan is reproducible."""
    shards, room = [], -1
    for name, path in paths.items():
        # A broken link has no size, nor does a directory with an image's suffix.
        size = path.stat().st_size if path.is_file() and os.access(path, os.R_OK) else None
        room -= size or 0
        if room < 0:
            shards.append([])
            room = shard_mib * 2**20 - (size or 0)
        shards[-1].append([name, size])
    source = f"folder:{','.join(map(str, folders))}"
    return {"format": FORMAT, "source": source, "shard_mib": shard_mib, "shards": shards}


def _keep_plan(plan, directory):
    """Writes a new set's plan; refuses one that differs from the plan the set was begun with."""
    path = directory / PLAN_FILE
    if not path.is_file():
        if any(p.name != LOCK_FILE and not p.name.startswith(PARTIAL) for p in directory.iterdir()):
            raise ValueError(
                f"Expected a new or empty directory, or one with {PLAN_FILE}. Received: {directory}"
            )
        _write_json(path, plan)
        return
    kept = read_json(path)
    for field in ("format", "source", "shard_mib"):
        if kept.get(field) != plan[field]:
            raise ValueError(
                f"Expected the {field} that {directory} was started with, {kept.get(field)}. "
                f"Received: {plan[field]}"
            )
    before, now = (dict(itertools.chain(*one["shards"])) for one in (kept, plan))
    changed = [name for name in before | now if before.get(name, -1) != now.get(name, -1)]
    if changed:
        raise ValueError(
            f"Expected the files of {plan['source']} as they were when {directory} was started. "
            f"Received: {len(changed)} added, removed or of another size, the first: {changed[0]}"
        )


def _shard_paths(directory, number):
    path = directory / f"shard-{number:05}.array_record"
    return path, path.with_suffix(".json")


def _whole_shard(directory, number):
    """Returns the description an earlier call wrote beside a shard, or None unless it is whole.

    A shard that is not whole is replaced when it is written again.
    """
    _, description = _shard_paths(directory, number)
    shard = read_json(description) if description.is_file() else None
    return shard if shard and not Shard(directory, **shard["described"]).fault() else None


def _pack(directory, number, files, paths, progress):
    """Writes one shard and, beside it, the description that `_whole_shard` returns."""
    path, description = _shard_paths(directory, number)
    with written_aside(path) as partial:
        images, skipped = _write_records(partial, files, paths, progress)
        described = {
            "file": path.name,
            "count": len(images),
            "bytes": partial.stat().st_size,
            "sha256": sha256_of(partial),
        }
    shard = {"described": described, "images": images, "skipped": skipped}
    _write_json(description, shard)
    return shard


def _write_records(shard_path, files, paths, progress):
    """Returns a list of [name, height, width], and {name: reason} for the files left out."""
    images, skipped = [], {}
    try:
        writer = ArrayRecordWriter(str(shard_path), WRITER_OPTIONS)
        with contextlib.closing(writer), ThreadPoolExecutor(CORES) as pool:
            checks = _a_few_ahead(pool, _checked, [(paths[name], size) for name, size in files])
            for (name, _), (content, size, fault) in zip(files, checks, strict=True):
                if fault:
                    skipped[name] = fault
                else:
                    writer.write(content)
                    images.append([name, *size])
                progress.update()
    except RuntimeError as error:  # array_record's error for a full disk
        raise OSError(f"Cannot write {shard_path}: {error}") from error
    return images, skipped


def _a_few_ahead(pool, function, arguments):
    """Like `pool.map`, for results that are too large to be held all at once."""
    waiting = collections.deque()
    for some in arguments:
        waiting.append(pool.submit(function, *some))
        if len(waiting) > 2 * CORES:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _checked(path, planned_bytes):
    """Returns (content, (height, width), None) for an image file, or (None, None, fault)."""
    if planned_bytes is None:
        return None, None, f"Cannot read the image {path}: not a readable file."
    content = path.read_bytes()  # a failure here is the disk's, and ends the packing
    if len(content) != planned_bytes:
        raise ValueError(
            f"Expected {path} as it was when the packing began, of {planned_bytes} bytes. "
            f"Received: {len(content)} bytes"
        )
    try:
        return content, decoded_size(io.BytesIO(content), path), None
    except ImageReadError as error:
        return None, None, str(error)


def _write_json(path, content):
    """Writes compact JSON, unlike that of a run: a set may have a million images."""
    with written_aside(path) as partial:
        partial.write_text(json.dumps(content, separators=(",", ":")) + "\n")
