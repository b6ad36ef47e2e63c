"""The address of a model on a server, and the status that the server reports for it."""

import dataclasses
import re
from pathlib import Path
from urllib.parse import urlsplit

from inversenet_tf.client.errors import ServingError, TryAgain, one_line
from inversenet_tf.imaging.checks import check_at_least

SIGNATURE, INPUT, OUTPUT = "restore_bytes", "image_bytes", "restored_bytes"
PORTS = {"rest": 8501, "grpc": 8500}  # as in TensorFlow Serving's container
SECURE_PORT = 443


@dataclasses.dataclass(frozen=True)
class Served:
    """A model on a server.

    Args:
        server: `host` or `host:port`, each optionally after `https://` (TLS) or `http://`.
        model: its name on the server.
        version: a number, or None for the server's choice, the latest.
        protocol: "rest" or "grpc"; also determines the port if none is given.
        ca_certificate: a PEM file of the authority that certifies the server; None for the usual
            authorities.

    Raises:
        ValueError: an argument of another form, or a certificate without TLS or without a file.
    """

    server: str
    model: str
    version: int | None = None
    protocol: str = "rest"
    ca_certificate: str | None = None

    def __post_init__(self):
        if self.protocol not in PORTS:
            raise ValueError(f"Expected protocol in {tuple(PORTS)}. Received: {self.protocol!r}")
        if not re.fullmatch(r"[\w.-]+", self.model):
            raise ValueError(f"Expected the name of a model. Received: {self.model!r}")
        if self.version is not None:
            check_at_least("version", self.version, 0)
        try:
            parts = self._parts()
            is_address = parts.hostname and parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:  # an invalid port
            is_address = False
        if not is_address or parts.path.strip("/") or parts.query:
            raise ValueError(
                f"Expected server as host:port or https://host:port. Received: {self.server!r}"
            )
        if self.ca_certificate is not None:
            self._check_certificate()

    def _check_certificate(self):
        if not self.secure:
            raise ValueError(f"Expected https:// with ca_certificate. Received: {self.server!r}")
        if not Path(self.ca_certificate).is_file():
            raise ValueError(
                f"Expected ca_certificate to be a file. Received: {self.ca_certificate}"
            )

    def _parts(self):
        return urlsplit(self.server if "://" in self.server else f"http://{self.server}")

    @property
    def secure(self):
        """Whether the connection uses TLS."""
        return self._parts().scheme == "https"

    @property
    def address(self):
        """`host:port`."""
        parts = self._parts()
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{host}:{parts.port or (SECURE_PORT if self.secure else PORTS[self.protocol])}"

    def __str__(self):
        version = "" if self.version is None else f", version {self.version}"
        return f"the model {self.model!r}{version}"


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """The state of one version (START, LOADING, AVAILABLE, UNLOADING or END) and its error."""

    version: int
    state: str
    error: str = ""


def why_not_served(served, statuses):
    """The exception for a model that the server did not find, derived from its versions' states.

    Args:
        served: the `Served` that was requested.
        statuses: list of `VersionStatus`, empty for a model that the server does not know.
    """
    if not statuses:
        return ServingError(
            f"Expected a model that {served.address} serves. Received: {served.model!r}, of which "
            f"it has no version."
        )
    asked = [status for status in statuses if served.version in (None, status.version)]
    if not asked:
        return ServingError(
            f"Expected a version of {served.model!r} that {served.address} knows: "
            f"{[status.version for status in statuses]}. Received: {served.version}"
        )
    states = {status.state for status in asked}
    if states & {"START", "LOADING"}:
        return TryAgain(f"{served.address} is still loading {served}")
    if "AVAILABLE" in states:  # it must have become so just now
        return TryAgain(f"{served.address} did not find {served}, but says that it is available")
    failed = [status for status in asked if status.error]
    if failed:
        last = failed[-1]
        return ServingError(
            f"Expected a model that {served.address} can load. Received: version {last.version} of "
            f"{served.model!r}, whose loading failed: {one_line(last.error)}"
        )
    return ServingError(
        f"Expected a model that {served.address} serves. Received: {served}, which it has unloaded."
    )
