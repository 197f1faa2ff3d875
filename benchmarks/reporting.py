"""How a benchmark tells what it measured: a table or JSON, with the budgets that it is held to."""

import json
from collections.abc import Mapping


def report(
    results: Mapping[str, float], budgets: Mapping[str, float], *, as_json: bool, digits: int
) -> int:
    """
    Print *results* with *budgets*, which are the most that some of them may be.

    Args:
        results: What was measured, by name.
        budgets: The most that is allowed, by name.
        as_json: As one JSON document, not as a table.
        digits: Digits behind the point in the table.

    Returns:
        The exit code: 0 when every budget is met, 1 otherwise.
    """
    missed = {name for name, budget in budgets.items() if not results[name] <= budget}
    if as_json:
        print(json.dumps({"results": dict(results), "budgets": dict(budgets)}, indent=2))
    else:
        width = max(len(name) for name in results)
        for name, value in results.items():
            verdict = ""
            if name in budgets:
                verdict = f"   budget {budgets[name]:g}: {'MISSED' if name in missed else 'met'}"
            print(f"{name:<{width}} {value:12.{digits}f}{verdict}")
    return 1 if missed else 0
