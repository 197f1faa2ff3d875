"""
What a test's own HTTP client takes for TLS where there is none: everything is on loopback.

A client without it reads every authority that is trusted anywhere, which takes 15 to 50 ms of a processor.
Asking every 50 ms whether something has come true, a test would need more of the machine than what it
waits for.
"""

import ssl
from typing import Final

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For `verify`. It trusts nobody, so nothing can be asked by TLS with it."""
