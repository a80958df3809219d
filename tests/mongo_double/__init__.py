"""A test double for MongoDB: mongomock behind the wire protocol, on loopback.

It is **not MongoDB**. It answers OP_MSG for the commands that FireWorks, maggma and
jobflow-remote send, one at a time; it keeps everything in memory and knows no users (who sends
a password is refused). ``VACANCY_FLOWS_TEST_MONGO_URI`` runs the same tests on a real server.
"""

from mongo_double.server import MongoDouble

__all__ = ["MongoDouble"]
