"""Whether this worker was told to stop; what takes long looks here between two pieces of work."""

from __future__ import annotations

import threading

stopping = threading.Event()
