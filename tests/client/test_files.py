"""Image files and folders restored by a server, and the program that does it."""

import signal
import socket
import threading

import numpy as np
import programs
import pytest
from PIL import Image

from inversenet_tf.client.errors import ServingError
from inversenet_tf.client.files import sendable
from inversenet_tf.client.served_restorer import ServedRestorer
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.restoration.photographs import restore_files


def negative_of(path):
    return 255 - to_uint8(read_image(path))


def sent(path):
    return sendable(path.read_bytes(), read_photograph(path))


def pixels_of(path):
    return to_uint8(read_image(path))


@pytest.fixture
def photograph(noise, tmp_path):
    """`photograph(name, **options)` saves an image of the kind that its suffix says."""

    def save(name, mode="RGB", **options):
        path = tmp_path / name
        Image.fromarray(noise(5)).convert(mode).save(path, **options)
        return path

    return save


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.jpg", "RGB"), ("a.png", "L"), ("a.jpg", "L"), ("a.png", "RGBA")],
)
def test_what_the_server_takes_is_sent_as_it_is(photograph, name, mode):
    path = photograph(name, mode)
    assert sent(path) == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "mode"), [("a.bmp", "RGB"), ("a.webp", "RGB"), ("a.jpg", "CMYK"), ("a.tif", "L")]
)
def test_other_files_are_sent_as_png(photograph, decoded, name, mode):
    path = photograph(name, mode)
    contents = sent(path)
    assert contents.startswith(b"\x89PNG")
    np.testing.assert_array_equal(decoded(contents), pixels_of(path))


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_photographs_are_turned_upright(photograph, decoded, name):
    turned = Image.Exif()
    turned[0x0112] = 6
    path = photograph(name, exif=turned)
    contents = sent(path)
    assert decoded(contents).shape[:2] == Image.open(path).size
    np.testing.assert_array_equal(decoded(contents), pixels_of(path))


def test_of_an_animation_the_first_frame_is_sent(photograph, decoded):
    path = photograph("a.gif", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    np.testing.assert_array_equal(decoded(sent(path)), pixels_of(path))


def test_16_bits_of_gray_stay(tmp_path):
    gray = np.random.default_rng(0).integers(0, 2**16, (9, 7), np.uint16)
    Image.fromarray(gray).save(tmp_path / "a.tif")
    (tmp_path / "b.png").write_bytes(sent(tmp_path / "a.tif"))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), gray)


def test_a_folder_is_restored_file_by_file(server, connected, image_folder, tmp_path, warned):
    (image_folder / "deep").mkdir()
    Image.new("L", (33, 21), 100).save(image_folder / "deep" / "gray.bmp")
    (image_folder / "broken.png").write_text("no image")
    (image_folder / "truncated.png").write_bytes((image_folder / "0.png").read_bytes()[:900])
    restored, skipped = restore_files(ServedRestorer(connected()), image_folder, tmp_path / "out")
    assert len(restored) == 7
    for target in restored:
        path = (image_folder / target.relative_to(tmp_path / "out")).with_suffix(".png")
        path = path if path.exists() else path.with_suffix(".bmp")
        np.testing.assert_array_equal(pixels_of(target), negative_of(path))
    assert sorted(skipped) == [str(image_folder / n) for n in ("broken.png", "truncated.png")]
    for name in skipped:
        assert f"Skipped: Cannot read the image {name}" in warned()
    assert server.model.predictions == 7  # what cannot be read is not sent
    assert not list((tmp_path / "out").rglob(".partial-*"))


def test_what_belongs_to_a_photograph_is_kept(connected, photograph, tmp_path):
    belongings = Image.Exif()
    belongings[0x0112], belongings[0x013B] = 6, "somebody"
    path = photograph("a.png", "RGBA", exif=belongings, dpi=(72, 72))
    restore_files(ServedRestorer(connected()), path, tmp_path / "out")
    before, after = read_photograph(path), read_photograph(tmp_path / "out" / "a.png")
    np.testing.assert_array_equal(after.pixels, 255 - before.pixels)
    np.testing.assert_array_equal(after.alpha, before.alpha)
    assert after.exif == before.exif and after.resolution == pytest.approx((72, 72), abs=0.1)


def test_gray_palettes_are_sent_as_gray(photograph, tmp_path):
    path = photograph("a.png", "L")
    Image.open(path).convert("P").save(path)
    (tmp_path / "b.png").write_bytes(sent(path))
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "L"


def test_what_the_server_refuses_is_named_and_skipped(
    server, connected, image_folder, tmp_path, warned
):
    server.model.faults = [("INVALID_ARGUMENT", "Unknown image file format")]
    restored, skipped = restore_files(
        ServedRestorer(connected()), image_folder, tmp_path / "out", parallel=1
    )
    assert len(restored) == 5 and list(skipped) == [str(image_folder / "0.png")]
    assert (
        f"Skipped: Cannot restore {image_folder / '0.png'}: Expected an image that 127" in warned()
    )


def test_results_are_not_overwritten_unasked(server, connected, image_folder, tmp_path):
    target = tmp_path / "out" / "0.png"
    target.parent.mkdir()
    target.write_text("precious")
    client = connected()
    with pytest.raises(ValueError, match="--overwrite"):
        restore_files(ServedRestorer(client), image_folder, tmp_path / "out")
    assert server.model.predictions == 0
    restored, _ = restore_files(
        ServedRestorer(client), image_folder, tmp_path / "out", skip_existing=True
    )
    assert len(restored) == 5 and target.read_text() == "precious"
    assert restore_files(
        ServedRestorer(client), image_folder, tmp_path / "out", skip_existing=True
    ) == ([], {})
    restored, _ = restore_files(
        ServedRestorer(client), image_folder, tmp_path / "out", overwrite=True
    )
    assert len(restored) == 6 and pixels_of(target).shape == (40, 48, 3)


def test_a_server_that_goes_away_ends_it_with_what_there_is(
    server, connected, image_folder, tmp_path
):
    def go_away():
        if server.model.predictions == 3:
            threading.Thread(target=server.stop).start()
            threading.Event().wait(0.3)

    server.model.before_prediction = go_away
    with pytest.raises(
        ServingError, match=r"is down.*3 of 6 images .* use --skip_existing to resume"
    ):
        restore_files(
            ServedRestorer(connected(timeout=1.0)), image_folder, tmp_path / "out", parallel=1
        )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    server.start()
    server.model.before_prediction = lambda: None
    restored, _ = restore_files(
        ServedRestorer(connected()), image_folder, tmp_path / "out", skip_existing=True
    )
    assert [path.name for path in restored] == ["3.png", "4.png", "5.png"]


def test_nothing_restored_is_an_error(connected, tmp_path):
    for index in range(2):
        (tmp_path / f"{index}.png").write_text("no image")
    with pytest.raises(ValueError, match="Received: 2 that cannot; the first: .*not an image"):
        restore_files(ServedRestorer(connected()), tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="parallel >= 1. Received: 0"):
        restore_files(ServedRestorer(connected()), tmp_path, tmp_path / "out", parallel=0)


def test_the_program(server, image_folder, tmp_path):
    arguments = (f"--input={image_folder}", f"--output={tmp_path / 'out'}", "--model=negative")
    run = programs.run(
        "client", *arguments, f"--server={server.address('grpc')}", "--protocol=grpc"
    )
    assert run.returncode == 0, run.stderr
    assert f"6 images restored into {tmp_path / 'out'}, 0 skipped." in run.stdout
    server.stop()
    run = programs.run(
        "client", *arguments, f"--server={server.address('rest')}", "--timeout=0.5", "--overwrite"
    )
    server.start()
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert (
        "Error: Expected an answer from the model 'negative' within 0.5 s (--timeout). Rec"
        in run.stderr
    )


def test_ctrl_c_does_not_wait_for_a_silent_server(image_folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = (
            "tools/client.py",
            f"--server=127.0.0.1:{silent.getsockname()[1]}",
            "--model=negative",
            "--timeout=600",
            f"--input={image_folder}",
            f"--output={tmp_path / 'out'}",
        )
        with (tmp_path / "told.txt").open("w") as told:
            program = programs.Program(command, told, told)
        connection, _ = silent.accept()  # a request is under way
        program.send_signal(signal.SIGINT)
        status = program.wait(timeout=600)
        connection.close()
    assert status == 130 and "Traceback" not in (tmp_path / "told.txt").read_text()
