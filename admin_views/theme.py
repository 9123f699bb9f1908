"""The theme: the panel wears the portal's own templates, and none of Flask-Admin's.

The folder it names does not exist in Flask-Admin, so that a template that we have not
written fails at once instead of showing a page of another look.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_admin.theme import Theme


@dataclass
class PortalTheme(Theme):
    """Where Flask-Admin looks for templates: in `templates/admin/` of the portal."""

    folder: str = "portal"
    base_template: str = "admin/base.html"
