"""``python -m derivgen`` is the command ``derivgen``."""

from derivgen.cli.main import main

if __name__ == "__main__":
    main()
