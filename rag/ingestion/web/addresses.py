"""Which addresses may be fetched: public ones only, checked when the name is resolved and used for the connection.

A name is resolved once for a connection. If one of its addresses is not public, none is used; otherwise the connection
goes to an address that was checked, so a name that resolves differently a moment later leads nowhere else. TLS still
verifies the certificate against the name. All operations of a connection share one deadline.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from rag.errors import DocumentError

__all__ = ["CheckedBackend", "Resolve", "is_public", "resolve"]

Resolve = Callable[[str, int], list[str]]
"""Takes a host and a port and returns addresses. Raises ``OSError``."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(text: str) -> bool:
    """Return whether an address is one of the public internet: not private, loopback, link-local or reserved.

    An IPv6 address that stands for an IPv4 address (mapped, 6to4, Teredo, NAT64) is public only if that one is.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64_LOCAL or address in _COMPATIBLE:
            return False
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        embedded = [one for one in inner if one is not None]
        if embedded:
            return all(map(_is_public, embedded))
    return _is_public(address)


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, each once. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only, and ends every operation at ``deadline`` (of ``time.monotonic``)."""

    def __init__(self, deadline: float, resolve: Resolve = resolve, allowed: Callable[[str], bool] = is_public) -> None:
        self._deadline = deadline
        self._resolve = resolve
        self._allowed = allowed
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check and connect.

        Raises :class:`~rag.errors.DocumentError` for an address that is not public, and httpcore's errors.
        """
        addresses = self._resolved(host, port)
        for address in addresses:
            if not self._allowed(address):
                message = f"{host} is {address}, which is not an address of the public internet"
                remedy = "save the page as a file and ingest that; pages of private networks are not fetched"
                raise DocumentError("private address", message, remedy)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                left = _left(self._deadline, timeout)
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure

    def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the signature of httpcore
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Refuse."""
        raise httpcore.ConnectError("sockets of this machine are not used")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def _resolved(self, host: str, port: int) -> list[str]:
        """Resolve in a thread: the system's resolver has no timeout of its own that could be set."""
        outcome: list[list[str] | OSError] = []

        def run() -> None:
            try:
                outcome.append(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                outcome.append(error if isinstance(error, OSError) else OSError(str(error)))

        thread = threading.Thread(target=run, name="resolver", daemon=True)
        thread.start()
        thread.join(_left(self._deadline, None))
        if not outcome:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time")
        if isinstance(outcome[0], OSError):
            raise httpcore.ConnectError(f"{host} cannot be resolved") from outcome[0]
        return outcome[0]


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    """Return the seconds that are left. Raises ``httpcore.ReadTimeout`` if there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left if timeout is None else min(left, timeout)
