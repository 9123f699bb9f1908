"""Decisions: a step on one person or on several, by way of a page that says what will happen.

The page works without a script. It says how many the step will be taken on, and who will be
refused and why; what is typed into it stays when something is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import abort, flash
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin_views import parameters
from admin_views.base import StaffView, back_to, current, in_transaction
from portal.accounts import directory
from portal.accounts.user import UNDECIDED, User
from portal.desk import review
from portal.desk.gathering import Refusal
from portal.errors import AlreadyDecided, StepRefused, why_not
from portal.pages.doors import me
from portal.security.forms import PortalForm

MOST = 200

Guard = Callable[[User], object]


class Decisions(StaffView):
    """A part of the panel in which steps are taken on people."""

    def decide(
        self,
        ids: Sequence[int],
        form: PortalForm,
        template: str,
        *,
        guard: Guard,
        step: Callable[[User], object],
        done: Callable[[int], str],
        back: str,
        as_seen: bool = False,
        only_show: bool = False,
        onward: Callable[[], str] | None = None,
        **more: Any,
    ) -> ResponseReturnValue:
        """Show the page, or take the step on each and go back.

        Each person's step is a transaction of its own: what is refused for one holds up
        nobody, and what was done stays done. Whoever is refused is listed, with the reason.
        With `as_seen`, nobody decides about one person from a page that shows what is no longer so.
        With `only_show`, the form was sent to be filled in further, and nothing is taken.
        `done` says how it went; nothing, where the page that comes next says it.
        `onward` says where to go instead of back, once all is done.
        """
        if not ids:
            flash(_("Tick at least one row first."), "warning")
            return back_to(back)
        failures: dict[int, str] = {}
        as_seen = as_seen and len(ids) == 1
        seen = parameters.version("seen") if as_seen else None
        if seen is not None:
            step = _only_as_seen(step, seen)
        if not only_show and form.validate_on_submit():
            failures = _take(step, ids)
            if len(ids) > len(failures) and (said := done(len(ids) - len(failures))):
                flash(said, "success")
            if not failures:
                return back_to(onward() if onward else back)
        people = directory.named(list(failures) or ids) or abort(404)
        able, refused = _sorted_out(people, guard, failures)
        for user in able:
            if user.id in failures:  # for what the form says, which may be said otherwise
                sentence = failures[user.id]
                form.refuse(StepRefused(sentence if len(ids) == 1 else f"{user}: {sentence}"))
        if as_seen and (seen is None or failures):
            seen = people[0].review.version if people[0].review else None
        page = self.render(
            template,
            form=form,
            people=able,
            refused=refused,
            failed=bool(failures),
            back=back,
            seen=seen,
            **more,
        )
        return page, 409 if failures else 400 if form.errors else 200


def _only_as_seen(step: Callable[[User], object], seen: int) -> Callable[[User], object]:
    def take(user: User) -> None:
        try:
            review.must_be_as_seen(user, seen)
        except AlreadyDecided as changed:
            undecided = user.status in UNDECIDED
            # One's own form sent twice: the step knows that it was taken already.
            if undecided or changed.by is None or changed.by.id != me().id:
                raise
        step(user)

    return take


def _take(step: Callable[[User], object], ids: Sequence[int]) -> dict[int, str]:
    failures = {}
    for user_id in ids:
        try:
            in_transaction(lambda user_id=user_id: step(current(User, user_id)))  # type: ignore[misc]
        except StepRefused as refused:
            failures[user_id] = str(refused)
    return failures


def _sorted_out(
    people: Sequence[User], guard: Guard, failures: dict[int, str]
) -> tuple[list[User], list[Refusal]]:
    able, refused = [], []
    for user in people:
        sentence = why_not(guard, user)
        if sentence is None:
            able.append(user)
        else:
            refused.append(Refusal(user, failures.get(user.id, sentence)))
    return able, refused
