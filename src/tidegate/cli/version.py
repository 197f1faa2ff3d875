"""`tidegate version`: which version this is."""

from importlib.metadata import version as installed_version

from tidegate.cli.session import Session


def version(session: Session) -> None:
    """Print the version of this command line."""
    number = installed_version("tidegate")
    session.printer.show({"version": number}, text=lambda: [f"tidegate {number}"], names=[number])
