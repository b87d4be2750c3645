"""`python -m histoserve`: the command."""

from histoserve.client.cli import main

main()
