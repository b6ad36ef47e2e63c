"""Image files restored by a server, several at a time."""

import io
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image
from tqdm import tqdm

from inversenet_tf.client.errors import ImageRefused, ServingError
from inversenet_tf.imaging.checks import check_at_least
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.images import EXIF_ORIENTATION, ImageReadError, opened
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.photographs import read_photograph, write_photograph
from inversenet_tf.imaging.files.targets import pair_with_targets
from inversenet_tf.imaging.wording import counted

# Files that the server reads as `read_photograph` does.
TAKEN_FORMATS = ("PNG", "JPEG")
TAKEN_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def restore_files(client, source, output, parallel=4, overwrite=False, skip_existing=False):
    """Restores an image file, or all below a directory, into PNG files of the same names.

    Alpha, colour profile and EXIF of a file are kept, as by `restoration.restore_files`. A broken
    file is not sent: a server that batches would refuse those beside it, too.

    Args:
        client: a `RestoringClient`; closed where not all could be asked.
        source: file or directory.
        output: directory for the results; subdirectories are kept.
        parallel: the number of requests that are under way at once.
        overwrite: whether a result that exists may be replaced.
        skip_existing: whether an image whose result exists is left out.

    Returns:
        (restored, skipped): list of the paths written, and dict from each image that cannot be
        read, here or there, to the reason.

    Raises:
        ValueError: nothing to restore, or a result that exists, before any work; nothing restored.
        OSError: the server went away, or the disk is full; results until then are kept.
    """
    check_at_least("parallel", parallel, 1)
    if overwrite and skip_existing:
        raise ValueError("Expected overwrite or skip_existing. Received: both.")
    check_writable(output := Path(output).expanduser())
    # Two calls for one output take turns, so that each sees what the other has made.
    with held(output, wait=True):
        return _restore_all(client, source, output, parallel, overwrite, skip_existing)


def _restore_all(client, source, output, parallel, overwrite, skip_existing):
    """What `restore_files` does while the output is its own."""
    pairs = pair_with_targets(source, output, overwrite or skip_existing)
    if skip_existing:
        wanted = len(pairs)
        pairs = [(path, target) for path, target in pairs if not target.exists()]
        logging.info("Left as they are: %s.", counted(wanted - len(pairs), "result"))
        if not pairs:
            return [], {}
    restored, skipped = _restore_pairs(client, pairs, parallel)
    if not restored:
        raise ValueError(
            f"Expected images that can be restored in {source}. Received: {len(skipped)} that "
            f"cannot; the first: {next(iter(skipped.values()))}"
        )
    return restored, skipped


def _restore_pairs(client, pairs, parallel):
    restored, skipped = [], {}

    def attempt(pair):
        path, target = pair
        try:
            return path, _restore_file(client, path, target), None
        except (ImageRefused, ImageReadError) as error:
            return path, None, str(error) if str(path) in str(error) else f"{path}: {error}"

    # Threads that end with the program: one that waits for a silent server does not hold up Ctrl-C.
    with ThreadPool(parallel) as pool:
        try:
            done = pool.imap_unordered(attempt, pairs)
            for path, target, reason in tqdm(done, "restoring", len(pairs), unit="image"):
                if target is not None:
                    restored.append(target)
                else:
                    skipped[str(path)] = reason
                    logging.warning("Skipped: %s", reason)
        except ServingError as error:
            raise ServingError(
                f"{error} ({len(restored)} of {len(pairs)} images restored before; "
                f"--skip_existing goes on from there)"
            ) from error
        finally:
            if len(restored) + len(skipped) < len(pairs):
                client.close()  # so that other threads stop waiting for the same server
    return sorted(restored), skipped


def _restore_file(client, path, target):
    contents = _contents_of(path)
    photograph = read_photograph(io.BytesIO(contents), path)
    answer = client.restore_bytes(sendable(contents, photograph))
    with opened(io.BytesIO(answer), f"that was answered for {path}") as image:
        pixels = np.array(image).reshape(image.height, image.width, -1)
    write_photograph(target, pixels, photograph, pixels.shape[0] // len(photograph.pixels))
    if photograph.notes:
        logging.info("%s: %s.", path, ", ".join(photograph.notes))
    return target


def _contents_of(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageReadError(f"Cannot read the image {path}: {error}.") from error


def sendable(contents, photograph):
    """An image as the server takes it, upright and without its profile, as PNG or JPEG.

    Args:
        contents: of the file, bytes; sent as they are where the server reads them rightly.
        photograph: the `Photograph` in it.

    Returns:
        The contents of a PNG or JPEG file, bytes.
    """
    with opened(io.BytesIO(contents), "to be sent") as image:
        if _is_taken(image):
            return contents
    pixels, file = photograph.pixels, io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _is_taken(image):
    return (
        image.format in TAKEN_FORMATS
        and image.mode in TAKEN_MODES
        and getattr(image, "n_frames", 1) == 1
        and image.getexif().get(EXIF_ORIENTATION, 1) == 1
    )
