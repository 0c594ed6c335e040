"""`python -m demo`: the same as `emollama demo`."""

from emollama.demo.__main__ import main

if __name__ == "__main__":
    main()
