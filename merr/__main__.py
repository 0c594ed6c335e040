"""`python -m merr`: the same as `emollama annotate`."""

from emollama.merr.cli import main

if __name__ == "__main__":
    main()
