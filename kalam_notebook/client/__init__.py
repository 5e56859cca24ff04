"""The clients that people hold: for threads and for asyncio, the module's own, and what they ask to be diagnosed."""
