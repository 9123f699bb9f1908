"""Static files: what is sent is what lies there, compressed or not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from flask import Flask

from portal import settings, static_files

STYLE = "main { color: red }\n" * 20


@pytest.mark.parametrize(
    ("neighbour", "sent_as"),
    [
        (gzip.compress(STYLE.encode()), "gzip"),
        (gzip.compress(STYLE.replace("red", "tan").encode()), None),
        (gzip.compress(STYLE.encode())[:-9], None),
        (b"no gzip at all", None),
        (None, None),
    ],
    ids=["its own", "an older one", "cut short", "no gzip", "none"],
)
def test_a_compressed_file_is_sent_only_where_it_is_its_source_compressed(
    app: Flask, tmp_path: Path, neighbour: bytes | None, sent_as: str | None
) -> None:
    (tmp_path / "own.css").write_text(STYLE, "utf-8")
    if neighbour is not None:
        (tmp_path / "own.css.gz").write_bytes(neighbour)
    site = Flask(__name__, static_folder=str(tmp_path))
    site.extensions["portal.settings"] = settings.of(app)
    static_files.init_app(site)

    answer = site.test_client().get(
        "/static/own.css", headers={"Accept-Encoding": "gzip"}, buffered=True
    )

    assert answer.headers.get("Content-Encoding") == sent_as
    assert (gzip.decompress(answer.data) if sent_as else answer.data) == STYLE.encode()
