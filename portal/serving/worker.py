"""The worker: delivers mail and keeps things tidy, until told to stop."""

from __future__ import annotations

import argparse

from portal import settings
from portal.serving import folder, parent


def work() -> int:
    """Do what waits until SIGTERM or SIGINT; what is under way is finished first."""
    ours = settings.load()
    folder.prepare(ours.instance)
    from portal import jobs

    with folder.in_use(ours.instance):
        return jobs.run_worker()


def main() -> None:
    """Work as a child of `portal run`, and end with it."""
    parser = argparse.ArgumentParser(prog="portal.serving.worker", description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    within = settings.load().server.stop_within_seconds
    parent.end_with(parser.parse_args().parent, within=within)
    raise SystemExit(work())


if __name__ == "__main__":
    main()
