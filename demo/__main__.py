"""`python -m demo`: the same as `emollama demo`."""

from emollama.demo.cli import main

if __name__ == "__main__":
    main()
