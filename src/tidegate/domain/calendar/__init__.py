"""When exposure may rise: windows, freezes, holidays and working days."""
