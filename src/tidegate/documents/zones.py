"""
Time zones by name, and holidays by country: the only place that looks either up.

Both come from packages of data (tzdata, holidays), so that every machine has the same ones.
The second is large and is loaded when a window first names a country.
"""

from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=1_000)
def zone(name: str) -> ZoneInfo | None:
    """Return the time zone of the IANA *name*, None when this machine knows none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A name that is no path of the database, or one of its folders.
        return None


@lru_cache(maxsize=1)
def countries() -> dict[str, tuple[str, ...]]:
    """Return the ISO 3166 codes of the countries whose holidays are known, with their parts."""
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    return {country: tuple(parts) for country, parts in known.items()}


@lru_cache(maxsize=1_000)
def public_holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    """
    Return the public holidays of *country* (and *subdivision*, empty for none) in *year*.

    Raises:
        NotImplementedError: nothing is known of it.
    """
    import holidays

    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(day for day in found if day.year == year)
