"""A folder as people have it, through `restore_files`: what came of each file.

`PYTHONPATH=.:tests python tests/restoration/test_awkward_photographs.py` prints it as a table.
"""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from fake_restorers import FakeRestorer
from PIL import ExifTags, Image, ImageCms

from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.files.written_photographs import result_suffix
from inversenet_tf.restoration.photographs import restore_files

COLOURS = skimage.data.chelsea()[60:180, 100:260]  # the cat's face, 120 x 160
GRAY = np.asarray(Image.fromarray(COLOURS).convert("L"))
DEEP = np.arange(120 * 160, dtype=np.uint16).reshape(120, 160) + 30_000
DEEP_COLOURS = COLOURS.astype(np.uint16) * 257
ALPHA = np.linspace(0, 255, 120 * 160).astype(np.uint8).reshape(120, 160)
INDICES = np.arange(120 * 160).reshape(120, 160) % 3
PALETTE = np.array([[9, 200, 30], [255, 255, 255], [40, 50, 60]], np.uint8)
OPACITIES = np.array([0, 255, 77], np.uint8)
STRIP = np.arange(20 * 20_000 * 3).reshape(20, 20_000, 3) % 251
ORIENTATION = 0x0112
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]  # by its header; nothing here reads on

SKIPPED = {
    "directory.png": "directory",
    "empty.jpg": "not an image",
    "float.tif": "range is not defined",
    "text.png": "not an image",
    "truncated.jpg": "truncated",
}
# name: (mode, pixels without alpha, greatest mean difference, alpha, profile)
EXPECTED = {
    "animated.gif": ("RGB", np.tile(np.uint8([0, 0, 90]), (30, 40, 1)), 0, None, None),
    "bilevel.png": (
        "L",
        np.asarray(Image.fromarray(GRAY).convert("1").convert("L")),
        0,
        None,
        None,
    ),
    "cmyk.jpg": ("RGB", COLOURS, 3, None, None),
    "deep_colours.png": ("RGB", DEEP_COLOURS, 0, None, None),
    "deep_gray.png": ("I;16", DEEP, 0, None, None),
    "gray_profile.jpg": ("L", GRAY, 3, None, GRAY_PROFILE),
    "gray_as_rgb.png": ("RGB", GRAY, 0, None, SRGB),
    "gray_rgb_profile.jpg": ("L", GRAY, 3, None, None),
    "one_pixel.png": ("RGB", np.uint8([[[255, 0, 51]]]), 0, None, None),
    "palette.png": ("RGBA", PALETTE[INDICES], 0, OPACITIES[INDICES], None),
    "profile.jpg": ("RGB", COLOURS, 3, None, SRGB),
    "rotated.jpg": ("RGB", COLOURS, 3, None, None),
    "strip.png": ("RGB", STRIP.astype(np.uint8), 0, None, None),
    "transparent.png": ("RGBA", COLOURS, 0, ALPHA, None),
    "transparent_gray.png": ("LA", GRAY, 0, ALPHA, None),
}


def make_folder(folder):
    """Awkward files, named after what is awkward."""
    folder.mkdir()

    def save(name, pixels, mode=None, **options):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image = image if mode is None else image.convert(mode)
        image.save(folder / name, **options)

    frames = [Image.new("RGB", (40, 30), (0, 20 * k, 90)) for k in range(12)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    save("bilevel.png", GRAY, "1")
    save("cmyk.jpg", COLOURS, "CMYK", quality=95)
    (folder / "deep_colours.png").write_bytes(tf.io.encode_png(DEEP_COLOURS).numpy())
    save("deep_gray.png", DEEP)
    (folder / "directory.png").mkdir()
    (folder / "empty.jpg").touch()
    save("float.tif", GRAY.astype(np.float32))
    save("gray_as_rgb.png", np.dstack([GRAY] * 3), icc_profile=SRGB)
    save("gray_profile.jpg", GRAY, quality=95, icc_profile=GRAY_PROFILE)
    save("gray_rgb_profile.jpg", GRAY, quality=95, icc_profile=SRGB)
    save("one_pixel.png", np.uint8([[[255, 0, 51]]]))
    palette = Image.fromarray(INDICES.astype(np.uint8))
    palette.putpalette(PALETTE.tobytes())
    save("palette.png", palette, transparency=OPACITIES.tobytes())
    save("profile.jpg", COLOURS, quality=95, icc_profile=SRGB)
    exif = Image.Exif()
    exif[ORIENTATION], exif[ExifTags.Base.Make] = 6, "Maker"  # to be turned clockwise
    save("rotated.jpg", np.rot90(COLOURS), quality=95, exif=exif)
    save("strip.png", STRIP.astype(np.uint8))
    (folder / "text.png").write_text("no image")
    save("transparent.png", np.dstack([COLOURS, ALPHA]))
    save("transparent_gray.png", np.dstack([GRAY, ALPHA]))
    content = (folder / "profile.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    return folder


def result_of(path):
    return path.with_suffix(result_suffix(path))


@pytest.fixture
def awkward_folder(tmp_path):
    return make_folder(tmp_path / "awkward")


def test_each_comes_out_whole_or_is_skipped_by_name(awkward_folder, tmp_path, warned):
    before = {path: path.read_bytes() for path in awkward_folder.iterdir() if path.is_file()}
    restored, skipped = restore_files(FakeRestorer(), awkward_folder, tmp_path / "out")
    assert {Path(name).name for name in skipped} == set(SKIPPED)
    for name, reason in SKIPPED.items():
        assert name in warned() and reason in skipped[str(awkward_folder / name)], name
    assert {path.stem for path in restored} == {Path(name).stem for name in EXPECTED}
    assert len(restored) == len(EXPECTED) == len(list((tmp_path / "out").iterdir()))
    for name, (mode, pixels, most, alpha, profile) in EXPECTED.items():
        path = result_of(tmp_path / "out" / name)
        with Image.open(path) as image:
            assert image.mode == mode, name
            assert image.info.get("icc_profile") == profile, name
            assert image.getexif().get(ORIENTATION, 1) == 1, name
        photograph = read_photograph(path)
        assert photograph.pixels.dtype == pixels.dtype, name
        assert photograph.pixels.shape[:2] == pixels.shape[:2], name
        difference = photograph.pixels.astype(int) - pixels.reshape(photograph.pixels.shape)
        assert np.abs(difference).mean() <= most, name
        np.testing.assert_array_equal(photograph.alpha, alpha, name)
    with Image.open(tmp_path / "out" / "rotated.jpg") as image:
        assert image.getexif()[ExifTags.Base.Make] == "Maker"
    after = {path: path.read_bytes() for path in awkward_folder.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 3)])
def test_every_kind_of_network_takes_them(awkward_folder, tmp_path, channels):
    """With results twice as large and comparisons beside them."""
    restorer = FakeRestorer(*channels, scale=2)
    restored, skipped = restore_files(restorer, awkward_folder, tmp_path / "out", compare=True)
    assert len(restored) == len(EXPECTED) and len(skipped) == len(SKIPPED)
    assert len(list((tmp_path / "out" / "comparisons").iterdir())) == len(EXPECTED)
    for name, (mode, pixels, _, alpha, _) in EXPECTED.items():
        photograph = read_photograph(result_of(tmp_path / "out" / name))
        assert photograph.pixels.shape[:2] == (2 * pixels.shape[0], 2 * pixels.shape[1]), name
        was_gray = mode in ("L", "LA", "I;16") or name == "gray_as_rgb.png"
        is_gray = channels == (1, 1) or (was_gray and channels == (3, 3))
        assert photograph.pixels.shape[-1] == (1 if is_gray else 3), name
        assert (photograph.alpha is None) == (alpha is None), name
        assert alpha is None or photograph.alpha.shape == photograph.pixels.shape[:2], name


def table(folder, output):
    """What happened to each file of a folder, as Markdown."""
    _, skipped = restore_files(FakeRestorer(), folder, output)
    lines = ["| file | in | out | changes |", "|---|---|---|---|"]
    for path in sorted(folder.iterdir()):
        if str(path) in skipped:
            reason = skipped[str(path)].split(f"{path}: ")[-1]
            lines.append(f"| {path.name} |  | skipped | {reason} |")
            continue
        notes = ", ".join(read_photograph(path).notes)
        result = result_of(output / path.name)
        lines.append(f"| {path.name} | {_described(path)} | {_described(result)} | {notes} |")
    return "\n".join(lines)


def _described(path):
    with Image.open(path) as image:
        image.load()
        parts = [f"{image.width}x{image.height} {image.mode}"]
        profile = image.info.get("icc_profile")
        if profile:
            parts.append(f"profile {profile[16:20].decode().strip()}")
        exif = image.getexif()
        if exif:
            parts.append(f"EXIF, orientation {exif.get(ORIENTATION, 'none')}")
        if image.has_transparency_data:
            opacity = np.asarray(image.convert("RGBA"))[..., 3]
            parts.append(f"alpha {opacity.min()}-{opacity.max()}")
        return ", ".join(parts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(table(make_folder(Path(place) / "awkward"), Path(place) / "restored"))
