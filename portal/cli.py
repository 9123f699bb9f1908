"""The commands: `portal run` and what else an operator needs. Each has --help."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from portal.revisions import Unreachable
from portal.serving.problems import Problem
from portal.settings import SettingsError

# Everything else is imported by the command that needs it: --help has to be quick.


class Commands(click.Group):
    """A group whose commands say in a sentence what an operator has to change."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command; what an operator can mend ends as a sentence and exit code 1."""
        try:
            return super().invoke(context)
        except (SettingsError, Problem, Unreachable) as problem:
            raise click.ClickException(str(problem)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portal", message="portal %(version)s")
def main() -> None:
    """The front door of an organisation's internal apps and AI agents.

    Settings are read from settings.toml and from PORTAL_* variables; data is kept in
    the folder that PORTAL_INSTANCE names.
    """
    os.umask(0o077)  # database, queue and backups hold what is nobody else's business


@main.command()
def run() -> None:
    """Serve the portal: web server and worker, until Ctrl-C or SIGTERM.

    Makes secrets and database at the first start, migrates the database when the code
    is newer, and prints a one-time link for the first administrator until there is one.
    """
    from portal.serving import start

    sys.exit(start.run(os.environ))


@main.command()
def worker() -> None:
    """Deliver mail and tidy up, until SIGTERM or SIGINT. `portal run` starts one by itself."""
    from portal.serving import worker

    sys.exit(worker.work_alone())


@main.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Keep it there.")
def demo(folder: Path | None) -> None:
    """Serve a throw-away portal with about sixty people in every status.

    It has a folder and a database of its own and mails nobody, whatever the settings say.
    """
    from portal.serving import demo

    sys.exit(demo.run(os.environ, folder))


@main.command("create-staff")
@click.option("--email", required=True, help="Where they can be written to.")
@click.option("--username", required=True, help="What they sign in with.")
@click.option("--role", required=True, help="reviewer, manager or administrator.")
def create_staff(email: str, username: str, role: str) -> None:
    """Print a one-time link with which one person makes a staff account.

    Whoever opens it first chooses the password: give it to nobody else. It works for an hour.
    """
    from portal.serving import first_run

    link = first_run.staff_link(_site(), email=email, username=username, role=role)
    click.echo(link)


@main.command("setup-link")
def setup_link() -> None:
    """Print a one-time link for the first administrator, while there is none."""
    from portal.serving import first_run

    link = first_run.set_up_link(_site())
    if link is None:
        raise Problem("There is an administrator already: `portal create-staff` invites others.")
    click.echo(link)


@main.command("reset-second-factor")
@click.argument("username")
@click.option("--reason", required=True, help="Kept in the audit trail, and mailed to them.")
def reset_second_factor(username: str, reason: str) -> None:
    """Take every second factor of somebody away who lost them; they are told by mail.

    Staff do this in the staff panel; this is for whoever has nobody above them.
    """
    from portal.serving import rescue

    rescue.reset_second_factor(_site(), username, reason=reason)
    click.echo(f"{username} signs in with the password now, and sets up a second factor anew.")


@main.command()
@click.option(
    "--new", is_flag=True, help="Also where a database has lost the ones it was used with."
)
def secrets(new: bool) -> None:
    """Make the secrets of this instance, unless they are there. `portal run` does it too."""
    from portal import settings
    from portal.serving import folder, keys

    ours = settings.preview()
    folder.prepare(ours.instance)
    click.echo(f"Secrets: {keys.make(ours, os.environ, anew=new)}.")
    settings.load()


@main.command()
@click.option("--send-to", default="", metavar="ADDRESS", help="Send a test letter there.")
def doctor(send_to: str) -> None:
    """Look at everything the portal needs; one line each, with the remedy.

    Ends with exit code 1 when something keeps the portal from working.
    """
    from portal.serving.doctor import Level, examine

    colors = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
    worst = 0
    for finding in examine(os.environ, send_to=send_to):
        mark = click.style(f"{finding.level:<4}", fg=colors[finding.level])
        click.echo(f"{mark}  {finding.about:<14} {finding.text} {finding.remedy}".rstrip())
        worst |= finding.level is Level.FAIL
    sys.exit(int(worst))


@main.group(cls=Commands)
def config() -> None:
    """What is set, and where."""


@config.command("show")
def config_show() -> None:
    """Show every setting in force and where it came from; secrets are masked."""
    from portal.serving import showing

    for key, value, origin in showing.rows(os.environ):
        click.echo(f"{key:<45} {value:<28} {click.style(origin, dim=True)}".rstrip())


@main.group(cls=Commands)
def db() -> None:
    """The database: migrate it, copy it, bring a copy back."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Migrate the database to this version of the portal. An SQLite file is copied before."""
    from portal import settings
    from portal.serving import folder, migration

    ours = settings.load()
    folder.prepare(ours.instance)
    click.echo(f"Database: {migration.bring_up(ours)}.")


@db.command("backup")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def db_backup(file: Path | None) -> None:
    """Copy the database into FILE, also while the portal runs.

    Without FILE the copy goes into the folder backups/ of the instance.

    The secrets are not in it: keep a copy of secrets.toml in another place.
    """
    from portal import settings
    from portal.serving import backup
    from portal.settings.secret_file import FILE_NAME

    ours = settings.preview()
    target = (file or backup.default_file(ours)).absolute()
    with click.progressbar(
        length=1, label="Copying", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        made = backup.make(ours, target, _onto(bar))
        bar.update(1 - bar.pos if bar.length == 1 else 0)
    click.echo(f"{made} ({made.stat().st_size:,} bytes)")
    click.echo(
        f"Not in it: the secrets, {ours.instance / FILE_NAME}. Without them nobody can sign in "
        "with their password; keep a copy of them apart from the backups.",
        err=True,
    )


@db.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Also over a database that holds accounts.")
def db_restore(file: Path, force: bool) -> None:
    """Bring the database back from FILE, a copy that `portal db backup` made.

    Mails that waited then are dropped, so that nobody gets them twice, and everybody is signed
    out. The secrets have to be the ones the copy was made with. Stop the portal first.
    """
    from portal import settings
    from portal.serving import restore

    done = restore.restore(settings.load(), file.absolute(), force=force, tell=click.echo)
    click.echo(f"Restored, at revision {done.revision}. {done.mails_dropped} mails were dropped.")


def _site() -> Any:
    """Load the site for a command that needs its database, which has to be up to date."""
    from werkzeug.utils import import_string

    from portal import revisions, settings

    ours = settings.load()
    if revisions.standing(revisions.in_database(ours)) is not revisions.Standing.CURRENT:
        raise Problem("The database is not up to date: run `portal db upgrade` first.")
    return import_string("wsgi:create_site")(ours)


def _onto(bar: Any) -> Any:
    """Show on a bar what is told as "so many of so many"."""

    def tell(done: int, total: int) -> None:
        bar.length = total
        bar.update(done - bar.pos)

    return tell


if __name__ == "__main__":
    main()
