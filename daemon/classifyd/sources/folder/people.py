"""Names of users, for messages."""

import os
import pwd


def current_user() -> str:
    """The name of the user that the daemon runs as."""
    return user_name(os.geteuid())


def user_name(uid: int) -> str:
    """A user's name, or the number where the system knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
