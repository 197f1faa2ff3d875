"""
Which commands there are, with the line that the overview shows of each. Each is in a file of its own.

A command's file is loaded when it is called or asked for its help, and not before: whoever halts at
night doesn't wait for what a simulation needs. So the lines stand here and not only at the commands; a
test compares them. This file itself must import no command.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import typer

OVERVIEW: Final[Mapping[str, str]] = {
    "init": "Write a commented tidegate.yaml to start from.",
    "validate": "Check tidegate.yaml: shape, values and the rules for plans. Tells all problems at once.",
    "plan": "Show what a start would do: phases, exposure, bakes, what they can rule out, warnings.",
    "simulate": "Let a plan go through faults, incidents and past rollouts: caught where, whom it hit,"
    " how long.",
    "start": "Start a rollout. It goes on by itself; nobody has to stay.",
    "watch": "Follow a rollout. Ctrl-C leaves; the rollout goes on.",
    "status": "Show what goes on: all rollouts, or one with its exposure, evidence and what it waits for.",
    "why": "Explain why a rollout is where it is, or what a decision was made from.",
    "halt": "Stop a rollout and withdraw its candidate from everyone, at once. Never asks.",
    "resume": "Let a halted or undecided rollout go on, or lift a stop order, with a reason. Skips nothing.",
    "rollback": "Bring back what was served before, also after a rollout has completed. No bake.",
    "approve": "Agree to the next phase of a rollout. Not of your own change.",
    "reject": "Say no to the next phase of a rollout: it doesn't begin as long as the no stands.",
    "report": "Say that users have trouble: halts and withdraws what it may be due to. Never asks.",
    "postmortem": "Postmortems: show (which may be left out), factor, action.",
    "completion": 'Print the completion script of a shell: `eval "$(tidegate completion bash)"`.',
    "version": "Print the version of this command line.",
    "rollout": "Rollouts: list, get, log, evidence, abandon.",
    "service": "Services: list, get, health.",
    "alarm": "Alarms: list, resolve.",
    "stop": "Stop orders: list.",
    "freeze": "Freezes: list, add, lift, except.",
    "auth": "Who one is to the server: login, logout, whoami, token, session.",
    "access": "Access: list, grant, revoke, roles, check.",
    "approval": "Approvals: list, get, take-back.",
    "ledger": "The ledger: query, export, verify, heads, key, witness.",
    "gate": "Gates: list, check, submit.",
    "emergency": "Emergencies: declare, approve, list, show, report, close, drill.",
    "debt": "Debts of emergencies: list, waive.",
    "policy": "Policy: show, history, validate, apply.",
    "server": "The server: run, page.",
    "lab": "A small world on this machine: a shop in several versions, a proxy, users, faults.",
}
"""Verbs of the day first, nouns with the rest below, in the order in which the overview shows them."""

HELP_MARKUP: Final = None
"""Help is plain text: what draws it in colours takes longer to load than all the rest."""

_WITHOUT_SESSION: Final = frozenset({"completion"})
"""Verbs that print nothing of ours and talk to no server."""


def load(name: str) -> Any:
    """
    Return the command called *name*, ready to be called.

    A noun's file has an `app` with its commands; a verb's file has a function of the verb's name.
    """
    module = import_module(f"tidegate.cli.{name}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=HELP_MARKUP)
    # It makes a group even of a single command, from which the command is taken.
    alone.callback()(lambda: None)
    noun = getattr(module, "app", None)
    if noun is None:
        run = getattr(module, name)
        alone.command(name)(run if name in _WITHOUT_SESSION else _in_session(run))
    else:
        alone.add_typer(noun, name=name)
    return typer.main.get_group(alone).commands[name]


def _in_session(run: Callable[..., Any]) -> Callable[..., None]:
    # What commands have in common isn't needed to list them.
    from tidegate.cli.session import with_session

    return with_session(run)
