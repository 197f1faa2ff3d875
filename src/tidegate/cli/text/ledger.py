"""The ledger as lines of text."""

from rich.text import Text

from tidegate.api.shapes.audit import FoundEntries, Heads, Witness, Witnesses
from tidegate.cli.ledger_reading import VerifiedDump
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def found_lines(found: FoundEntries, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per entry, and how to see older ones."""
    if not found.entries:
        return ["no entries"]
    rows: list[list[Cell]] = [["ENTRY", "WHEN", "BY", "SERVICE", "ROLLOUT", "KIND", "RULE", "WHY"]]
    rows += [
        [
            str(entry.number),
            write_instant(entry.at, now=found.as_of, form=times),
            entry.actor
            if entry.on_behalf_of in ("", entry.actor)
            else f"{entry.actor} for {entry.on_behalf_of}",
            entry.service or "-",
            entry.rollout or "-",
            entry.kind,
            entry.rule,
            entry.because,
        ]
        for entry in found.entries
    ]
    lines: list[Text | str] = [*columns(rows)]
    if found.next_before is not None:
        lines.append(f"older ones: add --before {found.next_before}")
    return lines


def head_lines(found: Heads, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per head, and how much of the ledger is covered."""
    signed = found.heads[0].entries if found.heads else 0
    lines: list[Text | str] = [f"{found.entries} entries, {signed} of them signed"]
    if found.heads:
        rows: list[list[Cell]] = [["HEAD", "SIGNED", "ENTRIES", "KEY", "LAST HASH"]]
        rows += [
            [
                str(head.number),
                write_instant(head.at, now=found.as_of, form=times),
                str(head.entries),
                head.key_id,
                head.entry_hash,
            ]
            for head in found.heads
        ]
        lines += columns(rows)
    return lines


def key_lines(found: Heads, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per key, and what it is good for."""
    if not found.keys:
        return ["no head is signed yet: the first one is when the ledger has an entry"]
    rows: list[list[Cell]] = [["KEY", "SINCE", "PUBLIC"]]
    rows += [
        [key.key_id, write_instant(key.since, now=found.as_of, form=times), key.public]
        for key in found.keys
    ]
    return [
        *columns(rows),
        "Write it down where whoever runs this server can't change it:"
        " tidegate ledger verify DUMP --key PUBLIC",
    ]


def witness_lines(found: Witnesses, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per witness."""
    if not found.witnesses:
        return [
            "no witness: whoever runs this server could show two histories",
            "Name one: TIDEGATE_LEDGER_WITNESSES",
        ]
    rows: list[list[Cell]] = [["WITNESS", "HEAD", "TOLD", "STATE"]]
    rows += [
        [
            one.name,
            str(one.head),
            "-" if one.told_at is None else write_instant(one.told_at, now=found.as_of, form=times),
            _witness_state(one, found, times),
        ]
        for one in found.witnesses
    ]
    return [*columns(rows)]


def _witness_state(one: Witness, found: Witnesses, times: TimeFormat) -> Text | str:
    if one.conflict:
        return Text(f"KNOWS ANOTHER HISTORY: {one.conflict}", style="bold red")
    if one.failing_since is not None:
        since = write_instant(one.failing_since, now=found.as_of, form=times)
        return f"{one.heads_behind} behind, failing since {since}: {one.problem}"
    if one.behind_since is not None:
        since = write_instant(one.behind_since, now=found.as_of, form=times)
        return f"{one.heads_behind} behind, since {since}"
    return "has all"


def verified_lines(verified: VerifiedDump) -> list[Text | str]:
    """Return whether a dump holds, by what, and what else would have to be known."""
    if not verified.holds:
        lines: list[Text | str] = ["BROKEN"]
        for found in verified.findings:
            entry = "" if found.number is None else f", entry {found.number}"
            kind = found.wrong.replace("_", " ")
            lines.append(f"  {found.where}, line {found.line}{entry}: {kind}: {found.detail}")
        lines.append(
            f"{verified.entries} entries and {verified.heads} heads before that hold"
            if verified.findings[0].where == "dump"
            else f"the dump of {verified.entries} entries fits itself"
        )
        return lines
    lines = [f"HOLDS: {verified.entries} entries, {verified.heads} signed heads"]
    if not verified.is_trusted:
        lines.append("  by a key that the dump itself names: give --key to know whose ledger it is")
    lines.append(
        f"  {verified.witness_heads} heads of witnesses agree"
        if verified.witness_heads
        else "  no witness was asked: a shorter or another ledger of the same key would hold too"
        " (--witness)"
    )
    return lines
