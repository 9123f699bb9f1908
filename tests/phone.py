"""A phone with an authenticator app, for tests: it knows the secret and shows codes."""

from __future__ import annotations

from dataclasses import dataclass

from passlib.totp import TOTP

from portal import clock
from portal.accounts.factors import authenticator, recovery
from portal.accounts.user import User
from portal.database import locked, transaction


@dataclass(frozen=True)
class Phone:
    """What the app on somebody's phone has of their account."""

    secret: str

    def shows(self, *, later: int = 0) -> str:
        """The code of now, or of so many time steps later."""
        now = int(clock.now().timestamp()) + later * authenticator.STEP
        return str(TOTP(key=self.secret).generate(time=now).token)

    def does_not_show(self) -> str:
        """Six digits that are no code of around now."""
        shown = {self.shows(later=later) for later in range(-2, 3)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in shown)


def set_up(user: User) -> tuple[Phone, list[str]]:
    """Give somebody a second factor as the pages do, to the last step. The code of now is used."""
    with transaction():
        user = _now(user)
        offer = authenticator.offer(user)
        phone = Phone(offer.secret)
        authenticator.add(user, sealed=offer.sealed, typed=phone.shows())
    with transaction():
        user = _now(user)
        codes = recovery.make(user)
        recovery.keep(user)
    return phone, codes


def _now(user: User) -> User:
    found = locked(User, user.id)
    assert found is not None
    return found
