"""`python -m eosdsl`: the command line, for launchers that start modules (`accelerate launch -m eosdsl search …`)."""

from eosdsl.cli.main import main

if __name__ == "__main__":
    main()
