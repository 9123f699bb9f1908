"""The keys of an instance: made at its first start, and never a second time by accident."""

from __future__ import annotations

from collections.abc import Mapping

from portal import revisions
from portal.revisions import Unreachable
from portal.serving import folder
from portal.serving.problems import Problem
from portal.settings import Settings, make_secrets
from portal.settings.secret_file import FILE_NAME, MADE
from portal.settings.sources import variable


def make(ours: Settings, environ: Mapping[str, str], *, anew: bool = False) -> str:
    """Make the secrets that are missing, and say what was done.

    Raises:
        Problem: there is a database whose secrets are gone: new ones would lock everybody out.
    """
    path = ours.instance / FILE_NAME
    if path.exists():
        tightened = folder.tighten(path, 0o600)
        return f"kept in {FILE_NAME}" + (", now readable by its owner only" if tightened else "")
    if all(_given(name, environ) for name in MADE):
        return "given by the environment"
    if not anew and _has_database(ours):
        raise Problem(
            f"There is a database, but its secrets are missing: put {path} back from your copy "
            f"of it. If they are lost for good, `portal secrets --new` makes others: everybody "
            "then has to choose a new password, and mails that wait are lost."
        )
    make_secrets(ours.instance, environ)
    return f"made, in {FILE_NAME}; keep a copy of it apart from the backups"


def _given(name: str, environ: Mapping[str, str]) -> bool:
    return variable(name) in environ or f"{variable(name)}_FILE" in environ


def _has_database(ours: Settings) -> bool:
    try:
        return revisions.in_database(ours) is not None
    except Unreachable:
        return False  # the database step says so, with the remedy
