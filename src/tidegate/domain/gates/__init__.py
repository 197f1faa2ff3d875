"""Checks that must be green before exposure rises: what they ask and how their evidence is judged."""
