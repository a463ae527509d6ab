"""``python -m lambent.cli``: the command line without its installed script."""

from lambent.cli.main import main

main()
