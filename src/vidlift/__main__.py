"""``python -m vidlift``: the program, where its script is not on the path."""

from vidlift.cli import run

if __name__ == "__main__":
    run()
