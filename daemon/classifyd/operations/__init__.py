"""What an operator asks for beside running the daemon."""
