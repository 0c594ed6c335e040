"""`python -m merr`: see `python -m merr --help`."""

from emollama.merr.cli import main

if __name__ == "__main__":
    main()
