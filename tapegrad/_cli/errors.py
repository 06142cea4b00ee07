"""The one exception for mistakes that a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """Ends a command with one sentence on standard error and exit code 2, without a traceback."""
