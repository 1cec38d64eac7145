"""`python -m lib.application`."""

from lib.application.command import main

if __name__ == "__main__":
    raise SystemExit(main())
