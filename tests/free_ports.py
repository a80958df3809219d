"""Ports of loopback for servers that tests start."""

import contextlib
import random
import socket


def free_ports(number: int) -> list[int]:
    """Return ports that nobody has, below those that the kernel gives to others meanwhile."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        for port in random.SystemRandom().sample(range(12_000, 32_000), 1000):
            if len(ports) == number:
                return ports
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # somebody listens there
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    raise RuntimeError("no port is free")
