"""Restores images on a server, with retries."""

import threading
import time
from collections.abc import Sequence

import tenacity
from absl import logging

from inversenet_tf.client.errors import ImageRefused, NotServed, ServingError, TooLate, TryAgain
from inversenet_tf.client.served import INPUT, OUTPUT, SIGNATURE, why_not_served

FIRST_WAIT, LONGEST_WAIT = 0.25, 5.0  # seconds; a random part of 0.25, 0.5, 1, 2, 4, 5, 5, ...
STATUS_TIMEOUT = 5.0
PNG_START = b"\x89PNG\r\n\x1a\n"


class RestoringClient:
    """A model on a server as a function of image files; several threads may call it.

    Args:
        served: the `Served` model.
        transport: `RestTransport` or `GrpcTransport`.
        timeout: seconds for one image, including all tries and the waits between them.
    """

    def __init__(self, served, transport, timeout):
        self._served, self._transport, self._timeout = served, transport, timeout
        self._closed = threading.Event()
        self._told = None

    def restore_bytes(self, image_bytes: bytes) -> bytes:
        """Restores one image.

        Args:
            image_bytes: a PNG or JPEG file of any size. The server ignores its EXIF orientation and
                drops its alpha; see `files.sendable`.

        Returns:
            The bytes of the restored image, a PNG file.

        Raises:
            ImageRefused: the server cannot restore this image.
            ServingError: the server restores no images, or did not answer within the timeout.
        """
        answer = self.predict(SIGNATURE, {INPUT: [image_bytes]}, [OUTPUT])
        (restored,) = answer[OUTPUT]
        if not restored.startswith(PNG_START):
            raise ServingError(
                f"Expected a PNG from {self._served.address}. Received: {restored[:16]!r}"
            )
        return restored

    def predict(self, signature: str, inputs: dict, names: Sequence[str]) -> dict:
        """The outputs of one of the model's signatures.

        Args:
            signature: its name.
            inputs: dict from name to a NumPy array of numbers, or to a list of bytes.
            names: of the outputs that are wanted.

        Returns:
            dict from name to a float32 array, or to a list or array of bytes.

        Raises:
            ImageRefused, ServingError: as for `restore_bytes`.
        """
        return self._asked(lambda left: self._transport.predict(signature, inputs, names, left))

    def signatures(self) -> dict[str, dict[str, int]]:
        """{signature: {input: size of its last axis, or -1}}, from the server's metadata.

        Raises:
            ServingError: the server did not answer within the timeout.
        """
        return self._asked(self._transport.signatures)

    def _asked(self, ask):
        """Calls `ask(remaining seconds)`, with retries, and returns its result."""
        deadline = time.monotonic() + self._timeout
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TryAgain),
            wait=tenacity.wait_random_exponential(FIRST_WAIT, LONGEST_WAIT),
            stop=tenacity.stop_before_delay(self._timeout)
            | tenacity.stop_when_event_set(self._closed),
            sleep=tenacity.sleep_using_event(self._closed),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, ask, deadline)
        except TryAgain as error:
            raise ServingError(
                f"Expected an answer from {self._served} within {self._timeout:g} s (--timeout). "
                f"Received: {error}"
            ) from error

    def close(self) -> None:
        """Ends retries and, over gRPC, the connection with all calls under way on it."""
        self._closed.set()
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask_once(self, ask, deadline):
        try:
            return ask(max(deadline - time.monotonic(), 0.01))
        except TooLate as error:
            raise self._why_too_late(error) from error
        except NotServed as error:
            raise self._why_not_served() from error

    def _why_not_served(self):
        try:
            return why_not_served(self._served, self._transport.statuses(STATUS_TIMEOUT))
        except TooLate as error:
            return TryAgain(str(error))

    def _why_too_late(self, late):
        """The error for a late answer: `ImageRefused` if the server says the model is available."""
        try:
            statuses = self._transport.statuses(STATUS_TIMEOUT)
        except ServingError:
            statuses = []
        if any(status.state == "AVAILABLE" for status in statuses):
            return ImageRefused(
                f"Expected an image that {self._served.address} restores in time: raise --timeout "
                f"(or the server's --rest_api_timeout_in_ms), lower --parallel, or send a smaller "
                f"image. "
                f"Received: {late}"
            )
        return ServingError(
            f"Expected an answer from {self._served} within {self._timeout:g} s (--timeout). "
            f"Received: {late}"
        )

    def _tell(self, retry_state):
        """Logs the reason for a retry, unless it is the last one logged, by whichever thread."""
        reason = str(retry_state.outcome.exception())
        if reason != self._told:
            self._told = reason
            logging.warning("Trying again: %s", reason)
