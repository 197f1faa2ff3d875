"""Stop orders as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.stops import StopOrder, StopOrderGiven, StopOrderLifted, StopOrders
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def order_table(found: StopOrders, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per order."""
    if not found.orders:
        return ["no stop orders"]
    rows: list[list[Cell]] = [["ORDER", "SCOPE", "SINCE", "BY", "WITHDRAWS", "STATE", "REASON"]]
    rows += [
        [
            str(order.number),
            _scope(order),
            write_instant(order.at, now=found.as_of, form=times),
            order.by,
            "yes" if order.withdraw else "no",
            _state(order, found.as_of, times),
            order.reason,
        ]
        for order in found.orders
    ]
    return [*columns(rows)]


def given_lines(given: StopOrderGiven, *, times: TimeFormat) -> list[Text | str]:
    """Return what an order stops, what changed lately, and how it ends."""
    order = given.order
    count = len(given.covered)
    lines: list[Text | str] = [
        f"STOP ORDER {order.number}  scope: {_scope(order)}   by {order.by}",
        f"  in force over {count} unfinished rollout{'' if count == 1 else 's'}",
        "  Candidates are withdrawn; nothing rises until it is lifted."
        if order.withdraw
        else "  Exposure stays as it is; nothing was rolled back.",
    ]
    if given.suspects:
        lines.append("  Changes in the last 24 h (newest first):")
        rows: list[list[Cell]] = [
            [
                f"    {write_instant(one.started_at, now=given.as_of, form=times)}",
                one.service,
                words.change_words(one.change),
                words.state_words(one.state),
                f"[tidegate rollback {one.rollout}]",
            ]
            for one in given.suspects
        ]
        lines += columns(rows)
    needs = "" if order.lifts_needed == 1 else f"   (needs {order.lifts_needed} persons)"
    lines.append(f'Lift: tidegate resume --order {order.number} --reason ".."{needs}')
    return lines


def lifted_lines(lifted: StopOrderLifted) -> list[Text | str]:
    """Return whether an order is over, or whose word is missing."""
    order = lifted.order
    if order.lifted_at is not None:
        goes_on = words.list_words(lifted.released) if lifted.released else "no rollout"
        return [f"stop order {order.number} is lifted; not stopped by it any more: {goes_on}"]
    said = words.list_words(one.person for one in order.lifts)
    return [
        f"stop order {order.number} stays in force: {len(order.lifts)} of {order.lifts_needed} persons"
        f" said that it may end ({said})",
        f'Somebody else has to say so too: tidegate resume --order {order.number} --reason ".."',
    ]


def _scope(order: StopOrder) -> str:
    return f"{order.scope} {order.name}".rstrip()


def _state(order: StopOrder, now: datetime, times: TimeFormat) -> str:
    if order.lifted_at is not None:
        return f"lifted {write_instant(order.lifted_at, now=now, form=times)}"
    if order.lifts:
        return f"in force, {len(order.lifts)} of {order.lifts_needed} to lift"
    return "in force"
