"""What a test process keeps from one site to the next, because it comes out the same every time.

Every test has a site and a database of its own. Their templates, addresses, SQL and the right
password's check are worked out once a process, which saves a third of what tests cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import argon2.low_level
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Dialect, Engine
from werkzeug.routing import Rule

from portal.database import db


def use(site: Flask) -> None:
    """Let a new site use what earlier ones worked out."""
    site.jinja_env.bytecode_cache = TEMPLATES
    with site.app_context():
        engine = db.engine
    if engine.dialect.name in DIALECTS:
        # SQL is kept by dialect, and each engine would have one of its own.
        engine.dialect = DIALECTS[engine.dialect.name]
        engine.update_execution_options(compiled_cache=SQL)


def keep_dialect(engine: Engine) -> None:
    """Let later sites share the dialect of an engine that has connected, so that it is complete."""
    DIALECTS.setdefault(engine.dialect.name, engine.dialect)


class Templates(BytecodeCache):
    """Templates as they are compiled."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what an earlier site compiled."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it for later ones."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = Templates()
SQL: dict[Any, Any] = {}
DIALECTS: dict[str, Dialect] = {}


def _keep_addresses() -> None:
    """Werkzeug compiles two functions for each rule: four fifths of what making a site costs."""
    kept: dict[object, Callable[..., tuple[str, str]]] = {}
    compiled = Rule._compile_builder

    def builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:  # they are spelled by converters, which the key does not name
            return compiled(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in kept:
            kept[key] = compiled(rule, append_unknown)
        return kept[key]

    setattr(Rule, "_compile_builder", builder)  # noqa: B010 - mypy minds an assignment


def _keep_verified() -> None:
    """That a password is the one of a hash stays true. A wrong one costs its time each time."""
    right: set[tuple[object, ...]] = set()
    verify = argon2.low_level.verify_secret

    def verified(*of: Any) -> bool:
        if of not in right:
            verify(*of)  # or raises
            right.add(of)
        return True

    setattr(argon2.low_level, "verify_secret", verified)  # noqa: B010 - mypy minds an assignment


_keep_addresses()
_keep_verified()
