"""What became of a rollout of the lab, in a few lines for people: for the terminal and for the page."""

from typing import Any


def summary_lines(document: dict[str, Any]) -> list[str]:
    """Return what became of one rollout, in a few lines for people."""
    requests = document["requests"]
    failed, served = requests["failed"], requests["served"]
    lines = [
        f"{document['name']:<8} {document['change']['to']}: {document['outcome'].replace('_', ' ')}"
        f"   {requests['total']} requests, {requests['lost']} lost;"
        f" failed: candidate {failed['candidate']} of {served['candidate']},"
        f" baseline {failed['baseline']} of {served['baseline']}"
    ]
    if document["seconds_to_withdrawal"] is not None:
        lines.append(
            f"         {document['seconds_to_withdrawal']:.1f} s from the first failed request to"
            f" the last one served by it; {document['exposed_share']:.2%} of user-minutes exposed"
        )
    return lines
