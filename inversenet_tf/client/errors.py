"""What a server's errors mean: try again, skip this image, or give up."""

MIB = 2**20
LONGEST_TEXT = 300  # characters of a server's message, which may repeat the whole request

# Meanings of TensorFlow Serving's HTTP codes, after its `ToHTTPStatusCode`; 413 and 502 come from
# proxies in front of it.
MEANING_OF_HTTP = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    413: "TOO_LARGE",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# All three are 400 over HTTP.
REFUSALS = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE")


class ServingError(OSError):
    """The server cannot restore any image: it is down, or has no such model."""


class TryAgain(ServingError):
    """A temporary state: the server is starting, the model is loading, or the queue is full."""


class NotServed(ServingError):
    """The server found no such model or version; its model status tells why."""


class TooLate(ServingError):
    """The server did not answer in time."""


class ImageRefused(ValueError):
    """The server cannot restore this image, but may restore others."""


def fault(code, text, sent, server):
    """The exception for a request that the server refused.

    Args:
        code: the name of a gRPC status code, "TOO_LARGE", or any other word.
        text: the server's message.
        sent: size of the request in bytes.
        server: name of the server in messages.
    """
    text = one_line(text)
    if code == "TOO_LARGE" or (code == "RESOURCE_EXHAUSTED" and "larger than max" in text):
        return ImageRefused(
            f"Expected a request that {server} accepts; raise its limit, or that of the proxy in "
            f"front of it, or send a smaller image. Received: {sent / MIB:.1f} MiB ({text})."
        )
    if code == "RESOURCE_EXHAUSTED" and "OOM" in text:
        return ImageRefused(
            f"Expected an image that fits into the memory of {server}, along with those restored "
            f"at the same time (--parallel). Received: {text}"
        )
    if code in REFUSALS and "signature" in text and "not found" in text:
        return ServingError(
            "Expected a model with the signatures of an export of an InverseNet. Received from "
            f"{server}: {text}"
        )
    if code in REFUSALS:
        return ImageRefused(f"Expected an image that {server} can read. Received: {text}")
    if code == "UNAVAILABLE" and "HTTP/2" in text:
        return other_protocol(server, "gRPC")
    if code == "UNAVAILABLE" and "CERTIFICATE_VERIFY_FAILED" in text:
        return untrusted(server, text)
    if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        return TryAgain(f"{server} is down or overloaded: {text}")
    kinds = {"NOT_FOUND": NotServed, "DEADLINE_EXCEEDED": TooLate}
    kind = kinds.get(code, ServingError)
    return kind(f"Expected a restored image from {server}. Received: {code}: {text}")


def untrusted(server, text):
    """The exception for a server whose TLS certificate is not trusted."""
    return ServingError(
        f"Expected a trusted TLS certificate of {server} (--ca_certificate). "
        f"Received: {one_line(text)}"
    )


def other_protocol(server, wanted):
    """The exception for a port that answers in another protocol."""
    return ServingError(
        f"Expected a server that speaks {wanted} at {server}; the usual port of REST is 8501, that "
        f"of gRPC 8500. Received: an answer in another protocol"
    )


def one_line(text):
    """A server's message on one line, shortened if it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
