"""Serve while standard input is open: prints the port; for each line its memory in MB, CPU in s."""

import resource
import sys
import time

from mongo_double.server import MongoDouble

double = MongoDouble()
double.start()
print(double.port, flush=True)  # noqa: T201
for _ in sys.stdin:  # a line asks
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(memory, time.process_time(), flush=True)  # noqa: T201
