"""Serve while standard input is open: prints the port, and its memory in MB for each line."""

import resource
import sys

from mongo_double.server import MongoDouble

double = MongoDouble()
double.start()
print(double.port, flush=True)  # noqa: T201
for _ in sys.stdin:  # a line asks for the memory
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)  # noqa: T201
