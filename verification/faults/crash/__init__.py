"""Kills the daemon at named points, again and again, and checks what is left: see `__main__`."""
