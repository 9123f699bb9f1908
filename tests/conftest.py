"""What every test starts from: a migrated database of its own, and people made by the domain."""

from __future__ import annotations

import gc
import itertools
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import argon2.low_level
import flask_migrate
import hypothesis
import pytest
from cryptography.fernet import Fernet
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer as CSRFTokens

from portal import settings
from portal.database import db
from portal.security.limits import limiter
from portal.settings import Settings
from tests import kept
from tests.company import InCompany
from tests.i18n.catalogues import compile_into
from tests.people import People, Person
from tests.postgres import Cluster
from tests.serving.running import within
from wsgi import create_site

BOTH = ("sqlite", "postgresql")

# Of what a test is tried with, all that stands here has its turn every day.
IN_EVERY_RUN = {"who", "visitor", "role", "language", "domain", "scripts"}

# Made anew in each test process; the same for all its tests, so that people's passwords
# are hashed once.
SECRETS = {
    "PORTAL_SECRET_KEY": secrets.token_urlsafe(48),
    "PORTAL_PASSWORD_SALT": secrets.token_urlsafe(48),
    "PORTAL_OUTBOX_KEY": Fernet.generate_key().decode(),
}


# Found once, found always: nothing is drawn by chance, and nothing is kept from run to run.
hypothesis.settings.register_profile(
    "everyday",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
hypothesis.settings.register_profile(
    "long", hypothesis.settings.get_profile("everyday"), max_examples=1_000
)
hypothesis.settings.load_profile("everyday")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of ours."""
    config.addinivalue_line(
        "markers",
        "both_databases(everyday=kind): runs on SQLite and on PostgreSQL; where one is named, on"
        " that one every day and on the other in the long run",
    )
    config.addinivalue_line(
        "markers", "own_site: changes the site, or tables and not only what is in them"
    )
    config.addinivalue_line("markers", "settings(PORTAL_X=...): environment of the site under test")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `both_databases` on each of them."""
    mark = metafunc.definition.get_closest_marker("both_databases")
    if mark and "database_kind" in metafunc.fixturenames:
        everyday = mark.kwargs.get("everyday", "")
        assert everyday in ("", *BOTH), everyday
        kinds = [
            pytest.param(
                kind,
                marks=[
                    *([pytest.mark.postgres] if kind == "postgresql" else []),
                    *([pytest.mark.long] if everyday not in ("", kind) else []),
                ],
            )
            for kind in BOTH
        ]
        metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the first case of a test every day, and the others in the long run.

    What shows most stands first. Every audience and every language has its turn every day.
    """
    cases: dict[tuple[object, ...], list[pytest.Function]] = defaultdict(list)
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if isinstance(item, pytest.Function) and params and not params.keys() & IN_EVERY_RUN:
            cases[item.path, item.originalname, params.get("database_kind")].append(item)
    for of_one_test in cases.values():
        of_one_test.sort(key=lambda item: tuple(item.callspec.indices.values()))
        for item in of_one_test[1:]:
            item.add_marker(pytest.mark.long)


def pytest_collection_finish() -> None:
    """Leave out of every later look for garbage what is there to stay, and look less often.

    Modules and tests are most of what there is, and the collector would go through them again
    and again: an eighth of the time that tests take.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 1_000)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InCompany:
    """Keep together what shares something dear."""
    return InCompany(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test printed and logged only where it failed: workers send every report on."""
    report = yield
    if report.passed:
        report.sections = []
    return report


class Browser(FlaskClient):
    """A client whose every request starts afresh, as a real one does.

    Tests hold an app context open, and Flask would share its `g` (and so the
    signed-in person) with the request.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request as if nothing had been asked before."""
        if has_app_context():  # a browser in a thread of its own has nothing to share
            for name in list(vars(g)):
                g.pop(name, None)
            db.session.rollback()
            db.session.expire_all()
        kwargs.setdefault("buffered", True)  # read to its end, so that static files are closed
        return super().open(*args, **kwargs)

    def token(self, path: str) -> str:
        """The CSRF token of the form on a page."""
        page = self.get(path).get_data(as_text=True)
        marker = 'name="csrf_token"'
        assert marker in page, f"{path} shows no form"
        tag = page[: page.index(">", page.index(marker))].rpartition("<")[2]
        return tag.partition('value="')[2].partition('"')[0]

    def submit(self, path: str, *, to: str = "", **fields: Any) -> Any:
        """Open a page and send its form, or the one at `to`, as a person would."""
        return self.post(to or path, data={"csrf_token": self.token(path), **fields})

    def cookie(self, name: str) -> str | None:
        """The value of a cookie that this browser keeps of the portal."""
        found = self.get_cookie(name, settings.of(self.application).public_host)
        return found.value if found else None

    def cookies(self) -> dict[str, str]:
        """All of them, by their names."""
        return {cookie.key: cookie.value for cookie in self._cookies.values()}

    def take(self, name: str, value: str) -> None:
        """Put a cookie into this browser, as somebody does who copied it elsewhere."""
        self.set_cookie(name, value, domain=settings.of(self.application).public_host)

    def lose(self, name: str) -> None:
        """Take a cookie out of this browser, as closing it does."""
        self.delete_cookie(name, domain=settings.of(self.application).public_host)

    def sign_in(self, person: Person) -> Any:
        """Send the page's form. Fails the test when the portal does not let them.

        The form's token is made here: the page itself is what other tests are about.
        """
        known = secrets.token_hex()
        token = CSRFTokens(self.application.secret_key, salt="wtf-csrf-token").dumps(known)
        with self.session_transaction() as session:
            session["csrf_token"] = known
        typed = {"identity": person.username, "password": person.password}
        answer = self.post("/login", data={"csrf_token": token, **typed})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return answer


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL server of this test process's own, on a unix socket."""
    with Cluster.started() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Any], Any]:
    """Databases that are migrated once for all tests of this process, to be copied."""
    made: dict[str, Any] = {}
    folder = tmp_path_factory.mktemp("templates")

    def template(kind: str, url: str) -> None:
        if kind not in made:
            migrate(make_settings(folder / kind, url))
            made[kind] = True

    return template


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; SQLite unless it says otherwise."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def database_url(
    database_kind: str,
    templates: Callable[[str, str], None],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """The URL of a migrated database that only this test uses."""
    if database_kind == "sqlite":
        original = tmp_path_factory.getbasetemp() / "template.sqlite3"
        templates("sqlite", f"sqlite:///{original}")
        copy = tmp_path / "portal.sqlite3"
        shutil.copy(original, copy)
        yield f"sqlite:///{copy}"
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    if cluster.create("template_portal"):
        migrate(make_settings(tmp_path / "template", cluster.url("template_portal")))
    changes_tables = request.node.get_closest_marker("own_site")
    given = cluster.copy_of if changes_tables else cluster.lent
    with given("template_portal") as url:
        yield url


Environment = dict[str, str]


@pytest.fixture(scope="session")
def kept_site(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Settings, Environment], Flask]]:
    """The site of an environment, for each kind of database: made once, as good as new."""
    made: dict[tuple[object, ...], kept.Kept] = {}

    def site(wanted: Settings, environ: Environment) -> Flask:
        key = (wanted.database_url.partition(":")[0], *sorted(environ.items()))
        if key not in made:
            made[key] = kept.Kept.made(wanted, tmp_path_factory.mktemp("site"), a_site)
        return made[key].for_a_test(wanted)

    yield site
    for each in made.values():
        with each.site.app_context():
            _disconnect()


@pytest.fixture
def app(
    database_kind: str,
    database_url: str,
    tmp_path: Path,
    kept_site: Callable[[Settings, Environment], Flask],
    request: pytest.FixtureRequest,
) -> Iterator[Flask]:
    """The whole site on a database of its own, with an app context open.

    A mark `settings(PORTAL_PUBLIC_URL="https://...")` gives it an environment; who changes tables
    has a site of their own.
    """
    environ: Environment = {}
    for mark in reversed(list(request.node.iter_markers("settings"))):
        environ |= mark.kwargs
    wanted = make_settings(tmp_path / "instance", database_url, **environ)
    is_kept = not request.node.get_closest_marker("own_site")
    site = kept_site(wanted, environ) if is_kept else a_site(wanted)
    with site.app_context():
        limiter.reset()
        yield site
        db.session.remove()
        if is_kept and database_kind == "postgresql":
            return  # the next test has the same database, and need not connect again
        _disconnect()


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sentence as it is committed, not as somebody compiled it last."""
    return compile_into(tmp_path_factory.mktemp("translations"))


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as a first start leaves it, to be copied for real processes."""
    folder = tmp_path_factory.mktemp("made")
    for arguments in (["secrets"], ["db", "upgrade"]):
        done = within(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder / "instance"


@pytest.fixture
def place(tmp_path: Path, instance: Path) -> Path:
    """A folder with an instance in it that has been started before."""
    shutil.copytree(instance, tmp_path / "instance")
    return tmp_path


@pytest.fixture
def each_hash_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes as they are outside of tests, which keep them."""
    monkeypatch.setattr(argon2.low_level, "hash_secret", kept.hash_secret)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody's browser; `new_browser` gives more of them."""
    return a_browser(app)


@pytest.fixture
def new_browser(app: Flask) -> Callable[[], Browser]:
    """Browsers of other people, or of the same person elsewhere."""
    return lambda: a_browser(app)


@pytest.fixture
def people(app: Flask) -> People:
    """Everybody in the test, made by the domain's own functions."""
    return People(itertools.count(1))


@pytest.fixture
def a_user(people: People) -> Callable[..., Any]:
    """Makes an account as far along its life as the arguments say."""
    return people.user


@pytest.fixture
def reviewer(people: People) -> Any:
    """A member of staff who may decide registrations."""
    return people.staff("reviewer")


@pytest.fixture
def manager(people: People) -> Any:
    """A member of staff who may also suspend."""
    return people.staff("manager")


@pytest.fixture
def administrator(people: People) -> Any:
    """A member of staff who may also edit roles."""
    return people.staff("administrator")


def a_browser(site: Flask) -> Browser:
    """A browser that has never been here."""
    return Browser(site, site.response_class, use_cookies=True)


def a_site(wanted: Settings) -> Flask:
    """The whole site with these settings; what comes out the same costs once a process."""
    site = create_site(wanted)
    kept.use(site)
    return site


def _disconnect() -> None:
    for engine in db.engines.values():
        engine.dispose()


def make_settings(instance: Path, database_url: str = "", **environ: str) -> Settings:
    """Settings for one test: an instance folder of its own, the secrets of this test process."""
    instance.mkdir(parents=True, exist_ok=True)
    wanted = deepcopy(_settings(frozenset(environ.items())))
    database = replace(wanted.database, url=wanted.database.url or database_url)
    return replace(wanted, instance=instance.absolute(), database=database)


@cache
def _settings(environ: frozenset[tuple[str, str]]) -> Settings:
    """What is read and checked once a process: the same for every folder and database."""
    # However busy the machine is, a test whose point it is not waits for its turn to hash; and
    # most are about something else than the second factor: those beside it ask for it.
    usual = {
        "PORTAL_PASSWORDS_HASH_WAIT_SECONDS": "60",
        "PORTAL_SECOND_FACTOR_REQUIRED_OF": "",
    }
    return settings.load({**SECRETS, **usual, **dict(environ)}, instance=Path("no-instance"))


def migrate(wanted: Settings) -> None:
    """Bring the database of these settings up to date."""
    site = a_site(wanted)
    with site.app_context():
        flask_migrate.upgrade()
        kept.keep_dialect(db.engine)
        db.session.remove()
        db.engine.dispose()
