"""Ceremonies: a passkey is made, and proves that it is there (WebAuthn Level 3).

With the device having looked who is there (user verification), one is enough to sign in by
itself; after the password it is a second factor also without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import webauthn
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal import audit, clock, settings
from portal.accounts.factors import authenticator, challenge, passkey, standing
from portal.accounts.factors.challenge import Purpose, answered, no_answer, part_of
from portal.accounts.factors.passkey import Passkey
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked
from portal.errors import StepRefused
from portal.fingerprints import fingerprint
from portal.mail import messages, outbox

Verified = TypeVar("Verified")


def options_to_add(user: User) -> str:
    """What the browser needs to make a new key, as JSON."""
    ours = settings.current()
    options = webauthn.generate_registration_options(
        rp_id=ours.public_host,
        rp_name=ours.site.name,
        user_id=_handle(user),
        user_name=user.username or "",
        user_display_name=user.full_name,
        challenge=challenge.make(Purpose.ADD, user),
        authenticator_selection=AuthenticatorSelectionCriteria(
            # A plain security key that cannot keep it is welcome too, as a second factor.
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(user),
    )
    return webauthn.options_to_json(options)


def options_to_sign_in() -> str:
    """What the browser needs to find a key by itself: the same for everybody (ASVS 6.3.8)."""
    return _options_to_use(Purpose.SIGN_IN, None, UserVerificationRequirement.REQUIRED)


def options_for_second_step(user: User) -> str:
    """What the browser needs to use one of this person's keys, after the password."""
    return _options_to_use(Purpose.SECOND_STEP, user, UserVerificationRequirement.PREFERRED)


def options_for_proof(user: User, *, here: str) -> str:
    """What the browser needs to use one of this person's keys instead of the password.

    Only in the session with the digest `here`, and only with a device that looks who is there.
    """
    return _options_to_use(Purpose.PROOF, user, UserVerificationRequirement.REQUIRED, here=here)


def add(user: User, *, answer: str, name: str) -> Passkey:
    """Take a new key as a factor. Every session of the account ends, and the owner is told.

    Raises:
        StepRefused: the answer is none to our challenge; there are too many; the account is not
            open.
        sqlalchemy.exc.IntegrityError: at the flush, when the key is known already.
    """
    standing.must_be_open(user)
    if passkey.number(user) >= passkey.MOST:
        raise StepRefused(_l("These are enough passkeys. Remove one that you do not use."))
    expected = answered(answer, Purpose.ADD, user)
    verified = _verified(
        lambda: webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=expected,
            expected_rp_id=settings.current().public_host,
            expected_origin=_origin(),
        )
    )
    if len(verified.credential_id) > passkey.LONGEST_ID:
        raise no_answer()

    now = clock.now()
    added = Passkey(
        user_id=user.id,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        name=name,
        added_at=now,
        sign_count=verified.sign_count,
        may_be_backed_up=_may_be_backed_up(verified.credential_device_type),
        is_backed_up=verified.credential_backed_up,
        transports=_transports(answer),
    )
    db.session.add(added)
    standing.note_added(user)
    audit.record(Action.FACTOR_ADDED, about=user, by=user, kind=passkey.KIND)
    outbox.post(messages.factor_added(user, passkey.KIND, at=now))
    db.session.flush()
    return added


def who_signs_in(answer: str) -> User:
    """Whose key answered, the device having looked who is there: no password is needed.

    Raises:
        StepRefused: it is no answer of a key that we know, or the account is not open.
    """
    key = _find(answer)
    user = locked(User, key.user_id) if key else None
    # No password is what an alarm leaves: the passkey may be the thief's who was shut out by it.
    if key is None or user is None or not user.active or user.password is None:
        raise StepRefused(
            _l("The portal does not know this passkey. Sign in with your password instead.")
        )
    _check(user, key, answer, Purpose.SIGN_IN, None, must_verify=True)
    return user


def check_second_step(user: User, answer: str) -> None:
    """Take the answer of one of this person's keys, after the password.

    Raises:
        StepRefused: it is no answer of one of their keys.
    """
    key = _find_of(user, answer)
    _check(user, key, answer, Purpose.SECOND_STEP, user, must_verify=False)


def check_proof(user: User, answer: str, *, here: str) -> None:
    """Take the answer of one of this person's keys instead of the password, in this session.

    The device has looked who is there: who finds a browser open, and the key in it, is not them
    (ASVS 7.5.1, 7.5.3).

    Raises:
        StepRefused: it is no answer of one of their keys, or was asked for elsewhere.
    """
    key = _find_of(user, answer)
    _check(user, key, answer, Purpose.PROOF, user, must_verify=True, here=here)


def _options_to_use(
    purpose: Purpose,
    user: User | None,
    verification: UserVerificationRequirement,
    *,
    here: str = "",
) -> str:
    options = webauthn.generate_authentication_options(
        rp_id=settings.current().public_host,
        challenge=challenge.make(purpose, user, here=here),
        allow_credentials=_descriptors(user) if user else None,
        user_verification=verification,
    )
    return webauthn.options_to_json(options)


def _check(
    user: User,
    key: Passkey,
    answer: str,
    purpose: Purpose,
    whose: User | None,
    *,
    must_verify: bool,
    here: str = "",
) -> None:
    expected = answered(answer, purpose, whose, here=here)
    current = locked(Passkey, key.id)
    if current is None:
        raise no_answer()
    verified = _verified(
        lambda: webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=expected,
            expected_rp_id=settings.current().public_host,
            expected_origin=_origin(),
            credential_public_key=current.public_key,
            credential_current_sign_count=0,  # looked at below, where it can be told apart
            require_user_verification=must_verify,
        )
    )
    _must_be_the_one_key(user, current, verified)
    _must_name(user, answer, always=purpose is Purpose.SIGN_IN)
    current.sign_count = verified.new_sign_count
    current.is_backed_up = verified.credential_backed_up
    current.used_at = clock.now()
    authenticator.forgive(user)


def _must_be_the_one_key(user: User, key: Passkey, verified: VerifiedAuthentication) -> None:
    """Refuse a key that counts backwards: there are two of it (WebAuthn 6.1.1, 7.2 step 22).

    The owner is told, and the refusal is kept: see `Cloned`.
    """
    counts = verified.new_sign_count or key.sign_count
    if counts and verified.new_sign_count <= key.sign_count:
        audit.record(Action.PASSKEY_COPIED, about=user)
        outbox.post(messages.passkey_copied(user, key.name))
        raise Cloned(
            _l("This passkey seems to have been copied. Take another way, and remove it."),
        )
    if _may_be_backed_up(verified.credential_device_type) != key.may_be_backed_up:
        raise no_answer()  # what a key is, never changes (7.2 step 18)


class Cloned(StepRefused):
    """A refusal that left a line in the trail and a mail: commit it."""


def _must_name(user: User, answer: str, *, always: bool) -> None:
    """Refuse an answer in the name of another account (7.2 step 6)."""
    handle = part_of(answer, "response", "userHandle")
    if not handle and not always:
        return
    try:
        is_theirs = base64url_to_bytes(str(handle)) == _handle(user)
    except ValueError:
        is_theirs = False
    if not is_theirs:
        raise no_answer()


def _verified(verify: Callable[[], Verified]) -> Verified:
    try:
        return verify()
    except Exception as problem:  # the library stumbles in many ways over what strangers make up
        raise no_answer() from problem


def _find(answer: str) -> Passkey | None:
    try:
        credential_id = base64url_to_bytes(str(part_of(answer, "rawId") or ""))
    except ValueError:
        return None
    if not 0 < len(credential_id) <= passkey.LONGEST_ID:
        return None
    return db.session.scalars(
        select(Passkey).where(Passkey.credential_id == credential_id)
    ).one_or_none()


def _find_of(user: User, answer: str) -> Passkey:
    key = _find(answer)
    if key is None or key.user_id != user.id:
        raise StepRefused(_l("This passkey is not one of yours here. Take another way."))
    return key


def _transports(answer: str) -> list[str]:
    known = {each.value for each in AuthenticatorTransport}
    named = part_of(answer, "response", "transports")
    return sorted({each for each in named if each in known}) if isinstance(named, list) else []


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=each.credential_id,
            transports=[AuthenticatorTransport(name) for name in each.transports],
        )
        for each in passkey.of(user)
    ]


def _handle(user: User) -> bytes:
    """What a device keeps of the account: 32 bytes that say nothing about the person."""
    return bytes.fromhex(fingerprint(str(user.id), of="passkey handle"))


def _origin() -> str:
    ours = settings.current()
    return f"{'https' if ours.is_https else 'http'}://{ours.public_netloc}"


def _may_be_backed_up(kind: CredentialDeviceType) -> bool:
    return kind is CredentialDeviceType.MULTI_DEVICE
