"""What holds for all tests."""

from __future__ import annotations

import signal

# A suite started in the background of a shell inherits that Ctrl-C is ignored, and so would the programs that tests
# interrupt: they would rightly go on, and the test would wait for them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
