"""The threads that run SQL: with a stack for the deepest text that `engine.bounds` lets through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# Systems give a further thread 512 KiB (macOS) to 8 MiB (Linux). Only what is touched becomes memory.
STACK_BYTES = 256 * 1024 * 1024


class DeepThreads(ThreadPoolExecutor):
    """A pool whose threads have a large stack."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Run a call in one of the threads, which may be a new one."""
        usual = threading.stack_size(STACK_BYTES)
        try:
            return super().submit(call, *args, **kwargs)
        finally:
            threading.stack_size(usual)
