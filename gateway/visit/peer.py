"""Who is at the other end of a Unix socket, as the kernel says it, and a server that talks to one process only.

In: a connection. Out: the pid that its other end belonged to when it was made. A path's mode keeps other users out;
this keeps out other processes of the same user, a visit's process among them.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger("countersign.peer")

_CREDENTIALS = struct.Struct("3i")  # unix(7), struct ucred: pid, uid, gid


def read_peer(connection: socket.socket) -> tuple[int, int]:
    """The pid and uid at the other end (unix(7), SO_PEERCRED); of a listening socket: who began to listen.

    The pid is 0 where this process can't name it.
    """
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(given)
    return pid, uid


def talk_only_to(may_talk: Callable[[int], bool]) -> type[H11Protocol]:
    """A protocol for uvicorn that hangs up on every process that ``may_talk`` does not name, unheard.

    Args:
        may_talk: asked with the pid of each connection's other end.
    """

    class OneVoice(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
            super().connection_made(transport)
            pid, _ = read_peer(transport.get_extra_info("socket"))
            if not may_talk(pid):
                log.error("socket.stranger pid=%d", pid)
                transport.abort()

    return OneVoice
