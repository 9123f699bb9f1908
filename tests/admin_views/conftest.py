"""What tests of the staff panel start from: browsers of people of every rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from portal.accounts.user import User
from portal.database import db
from tests.conftest import Browser
from tests.people import person


@pytest.fixture
def signed_in(new_browser: Callable[[], Browser]) -> Callable[[User], Browser]:
    """Makes the browser of somebody who has signed in."""

    def sign_in(user: User) -> Browser:
        browser = new_browser()
        browser.sign_in(person(user))
        return browser

    return sign_in


@pytest.fixture
def counted(app: Any) -> Callable[[], Any]:
    """Counts what is asked of the database: `with counted() as asked: …; len(asked)`."""

    @contextmanager
    def count() -> Iterator[list[str]]:
        asked: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith(("PRAGMA", "SAVEPOINT", "RELEASE")):
                asked.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield asked
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return count
