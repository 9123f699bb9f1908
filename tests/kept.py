"""What a test process keeps from one site to the next, because it comes out the same every time.

Every test has a site and a database of its own. Their templates, addresses, SQL and the right
password's check are worked out once a process, which saves a third of what tests cost.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import argon2.low_level
from argon2.exceptions import VerifyMismatchError
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Dialect, Engine
from werkzeug.routing import Rule

from portal.database import db
from portal.security import breaches, hashing
from portal.security.limits import limiter
from portal.security.reports import Kinds
from portal.settings import ROOT, Settings


def use(site: Flask) -> None:
    """Let a new site use what earlier ones worked out."""
    COMPILED.mkdir(parents=True, exist_ok=True)
    site.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(COMPILED))
    with site.app_context():
        engine = db.engine
    if engine.dialect.name in DIALECTS:
        # SQL is kept by dialect, and each engine would have one of its own.
        engine.dialect = DIALECTS[engine.dialect.name]
        engine.update_execution_options(compiled_cache=SQL)


@dataclass
class Kept:
    """A site with some settings on one database: made once a process, as good as new after.

    Its folder and its SQLite file are links to those of the test that has it; on PostgreSQL all
    tests of a process have one database after another.
    """

    site: Flask
    settings: Settings
    folder: Path
    config: dict[str, Any]
    extensions: dict[str, Any]
    views: dict[str, Any]
    wsgi_app: Any
    limits: dict[str, Any]

    @classmethod
    def made(cls, wanted: Settings, folder: Path, make: Callable[[Settings], Flask]) -> Kept:
        """Make it with its data in a folder that tests have one after another."""
        cls._lead(folder, wanted)
        is_file = wanted.database_url.startswith("sqlite")
        url = f"sqlite:///{folder / 'portal.sqlite3'}" if is_file else wanted.database_url
        database = replace(wanted.database, url=url)
        ours = replace(wanted, instance=folder / "instance", database=database)
        site = make(deepcopy(ours))
        views, extensions = dict(site.view_functions), dict(site.extensions)
        limits = dict(vars(limiter))
        return cls(site, ours, folder, dict(site.config), extensions, views, site.wsgi_app, limits)

    def for_a_test(self, wanted: Settings) -> Flask:
        """Give it to a test, with nothing that an earlier one changed in it."""
        site = self.site
        self._lead(self.folder, wanted)
        for now, before in (
            (site.config, self.config),
            (site.extensions, self.extensions),
            (site.view_functions, self.views),
            (vars(limiter), self.limits),  # one for all sites: the last that was made has it
        ):
            now.clear()
            now.update(before)
        site.wsgi_app = self.wsgi_app  # type: ignore[method-assign]
        site.extensions["portal.settings"] = deepcopy(self.settings)  # some tests change them
        site.extensions["portal.reports"] = Kinds()
        # Nobody hears it, and to open its queue is a tenth of what a small test costs.
        site.extensions.pop("portal.bell", None)
        for part in (breaches, hashing):
            part.init_app(site)
        return site

    @staticmethod
    def _lead(folder: Path, wanted: Settings) -> None:
        file = wanted.database_url.removeprefix("sqlite:///")
        for name, target in (("instance", str(wanted.instance)), ("portal.sqlite3", file)):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)


def keep_dialect(engine: Engine) -> None:
    """Let later sites share the dialect of an engine that has connected, so that it is complete."""
    DIALECTS.setdefault(engine.dialect.name, engine.dialect)


# Templates as they are compiled, also for the next run: they are known by what they were made from.
COMPILED = ROOT / ".pytest_cache" / "templates"
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


# What hashes with a new salt each time, for the tests of that.
hash_secret, verify_secret = argon2.low_level.hash_secret, argon2.low_level.verify_secret


def _keep_hashes() -> None:
    """Slow on purpose, and the same each time: one hash for each password, and what each is of.

    A password that tests set again has the salt that it had before.
    """
    made: dict[tuple[object, ...], bytes] = {}
    right: set[tuple[object, ...]] = set()
    wrong: dict[tuple[object, ...], str] = {}

    def hashed(secret: bytes, salt: bytes, *how: Any, **named: Any) -> bytes:
        key = (secret, len(salt), *how, *named.items())
        if key not in made:
            made[key] = hash_secret(secret, salt, *how, **named)
        return made[key]

    def verified(*of: Any) -> bool:
        if of in wrong:
            raise VerifyMismatchError(wrong[of])  # a new one: it holds on to where it was raised
        if of not in right:
            try:
                verify_secret(*of)
            except VerifyMismatchError as mismatch:
                wrong[of] = str(mismatch)
                raise
            right.add(of)
        return True

    setattr(argon2.low_level, "hash_secret", hashed)  # noqa: B010 - mypy minds an assignment
    setattr(argon2.low_level, "verify_secret", verified)  # noqa: B010 - as above


_keep_addresses()
_keep_hashes()
