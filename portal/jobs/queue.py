"""The queue between whoever posts mails and the worker: a file, or Redis."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message as QueuedTask
from huey.serializer import Serializer
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from portal.settings import Settings

QUEUE_TROUBLE = (sqlite3.Error, RedisError, OSError)
QUEUE_FILE = "queue.sqlite3"


def open_queue(of: Settings, *, patience: float) -> Huey:
    """Open the queue: a file of its own, or Redis. Waits up to `patience` seconds for it."""
    common = {"serializer": Json(), "results": False}
    if of.redis.url:
        pool = ConnectionPool.from_url(
            of.redis.url,
            socket_connect_timeout=patience,
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),
        )
        return RedisHuey("portal", connection_pool=pool, **common)
    path = Path(of.instance) / QUEUE_FILE
    return SqliteHuey("portal", filename=str(path), timeout=patience, fsync=False, **common)


class Json(Serializer):
    """Tasks as JSON: who can write to the queue can name a mail, and run nothing of theirs."""

    def _serialize(self, data: QueuedTask) -> bytes:
        return json.dumps([data.id, data.name, list(data.args)]).encode()

    def _deserialize(self, data: bytes) -> QueuedTask:
        task_id, name, args = json.loads(bytes(data))
        return QueuedTask(id=task_id, name=name, retries=0, retry_delay=0, args=args, kwargs={})
