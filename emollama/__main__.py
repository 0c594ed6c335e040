"""`python -m emollama`: the same as the console script."""

from emollama.cli.app import main

if __name__ == "__main__":
    main()
