"""Sinks: where frames go. The ones that need nothing but frames are in the table."""

from __future__ import annotations

from vidlift.sinks.digest import DigestSink
from vidlift.sinks.null import NullSink

SINKS: dict[str, type[DigestSink] | type[NullSink]] = {"digest": DigestSink, "null": NullSink}
"""Sinks that leave no file, by the name a user gives: one to judge a run, one to time it."""
