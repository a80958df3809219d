"""The sockets and the messages of the double."""

import contextlib
import itertools
import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable
from typing import Any

import bson
from free_ports import free_ports
from pymongo.errors import OperationFailure, PyMongoError

from mongo_double.commands import ALWAYS, Commands

_HEADER = struct.Struct("<iiii")  # length, request, response to, opcode
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_MORE_TO_COME = 2


class MongoDouble:
    """Serve from a thread of this process; data outlive `stop` and `start`.

    Parameters
    ----------
    port
        To listen on; a free one where 0.
    context
        For TLS.

    Attributes
    ----------
    interrupt
        Asked for each command, by its name; it tells whether to break the connection ``before``
        or ``after`` the command is carried out.
    """

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.port, self._context = port or free_ports(1)[0], context
        self.interrupt: Callable[[str], str | None] = _never
        self._commands = Commands()
        self._requests = itertools.count(1)
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    @property
    def uri(self) -> str:
        """What a client connects to."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: refuse connections and break those there are."""
        listener, self._listener = self._listener, None
        for each in [listener, *self._open]:
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            while True:
                length, request, _, opcode = _HEADER.unpack(_read(client, _HEADER.size))
                self._handle(client, request, opcode, _read(client, length - _HEADER.size))
        self._open.discard(client)

    def _handle(self, client: socket.socket, request: int, opcode: int, body: bytes) -> None:
        if opcode == _OP_QUERY:  # a client's first hello
            end = body.index(0, 4) + 1
            answer = self._answer({**bson.decode(body[end + 8 :]), "$db": "admin"})
            reply, code = struct.pack("<iqii", 0, 0, 0, 1) + bson.encode(answer), _OP_REPLY
        else:
            (flags,) = struct.unpack_from("<I", body)
            command = _message(body)
            name = next(iter(command))
            breaks = None if name in ALWAYS else self.interrupt(name)
            if breaks == "before":
                raise EOFError
            answer = self._answer(command)
            if breaks == "after":
                raise EOFError
            if flags & _MORE_TO_COME:
                return
            reply, code = struct.pack("<IB", 0, 0) + bson.encode(answer), _OP_MSG
        size = _HEADER.size + len(reply)
        client.sendall(_HEADER.pack(size, next(self._requests), request, code) + reply)

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            return {**self._commands.run(command), "ok": 1.0}
        except OperationFailure as error:
            return {"ok": 0.0, "errmsg": str(error), "code": error.code or 2}
        except (PyMongoError, NotImplementedError, KeyError, TypeError, ValueError) as error:
            traceback.print_exc()  # the double lacks something: a test must not pass by that
            return {"ok": 0.0, "errmsg": f"mongo_double: {error!r}", "code": 2}


def _never(_: str) -> None:
    """Break no connection."""


def _message(body: bytes) -> dict[str, Any]:
    """Return the command of an OP_MSG, with the documents that follow it."""
    command: dict[str, Any] = {}
    sequences: dict[str, list[Any]] = {}
    place = 4
    while place < len(body):
        kind, size = body[place], struct.unpack_from("<i", body, place + 1)[0]
        section = body[place + 1 : place + 1 + size]
        if kind == 0:
            command = bson.decode(section)
        else:
            end = section.index(0, 4)
            sequences[section[4:end].decode()] = bson.decode_all(section[end + 1 :])
        place += 1 + size
    return command | sequences


def _read(client: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = client.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
