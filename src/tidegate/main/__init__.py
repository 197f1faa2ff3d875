"""
The composition root: the only package that knows every part, and the only one that reads settings.

It opens the store, makes the drivers, gives them to the use cases, and runs API and runner in one
asyncio loop. Nothing is decided here.
"""
