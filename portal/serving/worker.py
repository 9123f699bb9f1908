"""The worker: delivers mail and keeps things tidy, until told to stop."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from portal import settings
from portal.serving import folder, parent
from portal.serving.report import tell


def work(ready: Callable[[], None] | None = None) -> int:
    """Do what waits until SIGTERM or SIGINT; what is under way is finished first."""
    ours = settings.load()
    folder.prepare(ours.instance)
    from portal import jobs

    with folder.in_use(ours.instance):
        return jobs.run_worker(ready=ready)


def main() -> None:
    """Work as a child of `portal run`, and end with it."""
    parser = argparse.ArgumentParser(prog="portal.serving.worker", description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--report", type=int, required=True)
    arguments = parser.parse_args()
    within = settings.load().server.stop_within_seconds
    parent.end_with(arguments.parent, within=within)
    raise SystemExit(work(lambda: tell(arguments.report, worker=True)))


if __name__ == "__main__":
    main()
