"""What people read: every link leads somewhere, and every command that is printed exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from portal.cli import main
from portal.logs import SecurityEvent

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LARGEST_PICTURE = 150_000

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:portal|admin_views|templates|tests|deploy|docs|migrations)/[\w./-]+)`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def by_name(path: Path) -> str:
    """How a test names the document it reads."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        there = (document.parent / file).resolve() if file else document
        assert there.exists(), target
        if heading:
            assert heading in _headings(there), target


def test_every_event_of_security_stands_in_the_page_about_logs() -> None:
    text = (ROOT / "docs" / "logs.md").read_text("utf-8")

    assert [event.value for event in SecurityEvent if f"`{event.value}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    for name in _PATH.findall(document.read_text("utf-8")):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_test_that_a_document_names_is_there(document: Path) -> None:
    for file, name in _TEST.findall(document.read_text("utf-8")):
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.M), (file, name)


def test_each_requirement_of_security_is_met_shown_or_said_to_be_missing() -> None:
    """docs/asvs.md: no row without a module and a test, or without the reason why it has none."""
    text = (ROOT / "docs/asvs.md").read_text("utf-8")
    rows = [row.strip("|").split("|") for row in re.findall(r"^\| \d.*$", text, re.M)]
    numbers = [number for row in rows for number in re.findall(r"\d+\.\d+\.\d+", row[0])]

    assert len(numbers) > 100
    for row in rows:
        _numbers, _asks, how, shown = row
        is_named = any(folder in shown for folder in ("tests/", "benchmarks/", "deploy/"))
        assert is_named or how.strip().startswith(("**", "Not ours", "–")), row
    chapters = {number.partition(".")[0] for number in numbers}
    assert chapters >= {"1", "2", "3", "4", "6", "7", "8", "9", "11", "12", "13", "14", "15", "16"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_every_command_that_a_document_prints_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))

    for name in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M):
        assert name in targets, f"make {name}"
    for words in re.findall(r"(?:^|`|bin/)portal ((?:[a-z-]+ ?)+)", text, re.M):
        _must_be_a_command(words.split())


def test_pictures_are_there_to_be_shown_and_light() -> None:
    shown = set(re.findall(r"docs/screenshots/[\w-]+\.png", (ROOT / "README.md").read_text()))

    for name in shown:
        assert (ROOT / name).stat().st_size <= LARGEST_PICTURE, name
    kept = {f"docs/screenshots/{file.name}" for file in (ROOT / "docs/screenshots").glob("*.png")}
    assert kept == shown


def test_every_number_cited_in_code_is_among_the_requirements() -> None:
    known = set(
        re.findall(r"^\| ([MHB]\d+) \|", (ROOT / "docs/requirements.md").read_text("utf-8"), re.M)
    )

    for folder in ("portal", "admin_views", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            cited = re.findall(r"\(([MHB]\d+(?:, [MHB]\d+)*)\)", file.read_text("utf-8"))
            numbers = {number for group in cited for number in group.split(", ")}
            assert numbers <= known, f"{file.relative_to(ROOT)}: {numbers - known}"


def _must_be_a_command(words: list[str]) -> None:
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            return
        assert word in command.commands, f"portal {' '.join(words)}"
        command = command.commands[word]


def _headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as they are made on the web."""
    found = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-") for title in found}
