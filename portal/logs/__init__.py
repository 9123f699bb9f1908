"""The logs: one line for each thing that happens, with an id of the request that caused it.

A line is a JSON object where a program reads it, and words where a terminal does. Whatever
writes one, the portal or a library, it passes the same place: time in UTC, the id of the
request, nothing that forges a line or colours a terminal, no token, no address of a person.

events.py       what of security can happen, by name, and `note`, which writes it
lines.py        from a record to a line
safe_text.py    what of a text may stand in one
request_ids.py  which request a line belongs to, also in the worker
"""

from portal.logs.events import SecurityEvent, note, note_once
from portal.logs.lines import init_app, unheard, use
from portal.logs.request_ids import caused_by, piece_of_work

__all__ = [
    "SecurityEvent",
    "caused_by",
    "init_app",
    "note",
    "note_once",
    "piece_of_work",
    "unheard",
    "use",
]
