"""The audit of the lock files: what was not looked up is never called clean."""

import json

import pytest

from deploy import audit

FLASK = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.5", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}
SKIPPED = {"name": "huey", "skip_reason": "Dependency not found and could not be audited"}


def pip_says(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def npm_says(total: int, **packages: object) -> str:
    counts = {"vulnerabilities": {"total": total}, "dependencies": {"total": 7}}
    return json.dumps({"vulnerabilities": packages, "metadata": counts})


def test_python_packages_are_clean_where_each_was_looked_up():
    assert audit.of_pip_audit(pip_says(FLASK), "No known vulnerabilities found").is_clean


@pytest.mark.parametrize(
    "said", ["", "no JSON", "[]", "{}", pip_says(), pip_says(SKIPPED), pip_says(FLASK, SKIPPED)]
)
def test_python_packages_that_were_not_all_looked_up_are_not_run(said):
    """As pip-audit ends that reaches nobody: with 0 and "No known vulnerabilities found"."""
    assert audit.of_pip_audit(said, "No known vulnerabilities found").word == "not run"


def test_a_vulnerable_python_package_is_named_also_where_others_were_skipped():
    verdict = audit.of_pip_audit(pip_says(FLASK, BAD, SKIPPED), "")

    assert verdict == audit.Verdict("vulnerable", "jinja2 3.1.5: PYSEC-1")


def test_front_end_packages_are_clean_vulnerable_or_not_run():
    assert audit.of_npm(npm_says(0), "").is_clean
    assert audit.of_npm(npm_says(1, bootstrap={}), "") == audit.Verdict("vulnerable", "bootstrap")
    refused = json.dumps({"message": "405 Method Not Allowed", "method": "POST"})
    for said in ("", "no JSON", "[]", refused):
        verdict = audit.of_npm(said, "npm error audit endpoint returned an error")
        assert verdict == audit.Verdict("not run", "npm error audit endpoint returned an error")
