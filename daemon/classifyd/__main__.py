"""`python -m classifyd`: the console script, where it is not on the path."""

from classifyd.cli import main

main()
