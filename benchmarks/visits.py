"""What visitors of a benchmark do, through the application as a web server calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from benchmarks.people import password_of


def bare_application() -> Flask:
    """What the framework costs with nothing in it."""
    application = Flask("bare")
    application.add_url_rule("/", view_func=lambda: "hello")
    return application


HOST = "127.0.0.1"


class Visitor:
    """One browser."""

    def __init__(self, site: Any) -> None:
        self._client = site.test_client()

    def sees(self, path: str) -> Callable[[], object]:
        """Looking at a page; wrong where the page is not shown."""

        def see() -> None:
            answer = self._client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"

        return see

    def sign_in(self, username: str) -> None:
        """Sign in once."""
        self._post("/login", identity=username, password=password_of(username))

    def signs_in_again_and_again(self, username: str) -> Callable[[], object]:
        """Signing in, as the POST alone; the session of before is thrown away."""
        token = self._token("/login")
        before = self._client.get_cookie("portal_visit", domain=HOST)

        def sign_in() -> None:
            self._client.delete_cookie("portal_session", domain=HOST)
            self._client.set_cookie("portal_visit", before.value, domain=HOST)
            self._send("/login", token, identity=username, password=password_of(username))

        return sign_in

    def registers_again_and_again(self, usernames: Iterator[str]) -> Callable[[], object]:
        """Registering, as the POST alone, each time under another name."""
        token = self._token("/register")

        def register() -> None:
            username = next(usernames)
            self._send(
                "/register",
                token,
                full_name=username.capitalize(),
                username=username,
                email=f"{username}@example.net",
                password="Lanterns & 42 doors",
                password_again="Lanterns & 42 doors",
                communication="important",
                accept_terms="y",
            )

        return register

    def submits(self, path: str) -> Callable[..., object]:
        """Sending a form, as the POST alone, whatever the answer; wrong where it is an error."""
        token = self._token(path)

        def submit(**fields: str) -> None:
            answer = self._client.post(path, data={"csrf_token": token, **fields})
            assert answer.status_code in (200, 302, 303, 400), f"{path}: {answer.status_code}"

        return submit

    def _post(self, path: str, **fields: str) -> None:
        self._send(path, self._token(path), **fields)

    def _send(self, path: str, token: str, **fields: str) -> None:
        answer = self._client.post(path, data={"csrf_token": token, **fields})
        assert answer.status_code in (302, 303), f"{path}: {answer.status_code}"

    def _token(self, path: str) -> str:
        page = self._client.get(path).get_data(as_text=True)
        tag = page.partition('name="csrf_token"')[2].partition(">")[0]
        return tag.partition('value="')[2].partition('"')[0]
