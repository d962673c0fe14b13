"""The command line: `flipscope VERB …` or `python -m flipscope VERB …`."""

import signal
import sys

from flipscope import _core


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_core.run_program(sys.argv[1:]))


if __name__ == "__main__":
    main()
