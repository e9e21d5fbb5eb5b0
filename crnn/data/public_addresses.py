"""Connections to public addresses alone, for what others have this machine fetch.

A server stands in a network that its visitors do not see: itself, its neighbours, and on rented machines an
address that gives away keys (169.254.169.254). The name is looked up once, every address that it has must be
public, and the connection goes to the address that was looked at, whatever the name says a moment later.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.request
from typing import Any

from crnn.errors import DatasetError

_PORTS = frozenset({80, 443})


def connect(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
    """A connection as `socket.create_connection` makes it, to a public address or not at all.

    Args:
        address: Host, by name or number, and port.
        timeout: Seconds for each address that the name stands for; None waits for ever.

    Raises:
        DatasetError: The name stands for an address of this machine's own network, or the port is not the web's.
        OSError: It cannot be reached.
    """
    host, port = address
    if port not in _PORTS:
        raise DatasetError(f"{host} is asked at port {port}, and what is fetched here comes from port 80 or 443.")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if any(not is_public(str(place[0])) for *_, place in found):
        raise DatasetError(f"{host} is an address of the server’s own network, and is not fetched for its visitors.")
    fault: OSError | None = None
    for family, kind, protocol, _, place in found:
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(timeout)
            link.connect(place)
        except OSError as err:
            link.close()
            fault = err
        else:
            return link
    raise fault or OSError(f"{host} has no address")


def is_public(address: str) -> bool:
    """Whether an address lies in the open internet, and not in the clothes of one that does."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inner is None and number in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return number.is_global and not number.is_multicast


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = connect((self.host, self.port), self.timeout)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        link = connect((self.host, self.port), self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(link, server_hostname=self.host)


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_SecureConnection, req)


def handlers() -> tuple[urllib.request.BaseHandler, ...]:
    """What opens http and https at public addresses.

    No proxy of the environment is among them: it would look the name up anew, in the network that is to be kept out.
    """
    return _Handler(), _SecureHandler()
