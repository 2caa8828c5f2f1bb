#!/bin/sh
# Draw docs/demo.svg: the demo as it runs in a terminal of 150 x 52. Needs tmux, and `make demo` to have run once.
set -eu
cd "$(dirname "$0")/.."

session=streamproc-demo-$$
frame=$(mktemp)
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -f "$frame"' EXIT

tmux new-session -d -s "$session" -x 150 -y 52 ".venv/bin/streamproc demo; echo demo-has-ended; cat"
until tmux capture-pane -p -t "$session" | grep -q demo-has-ended; do
    sleep 1
done
tmux capture-pane -e -p -t "$session" | grep -v demo-has-ended >"$frame"
.venv/bin/python - "$frame" docs/demo.svg <<'PYTHON'
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

console = Console(record=True, width=150, file=open("/dev/null", "w"))
console.print(Text.from_ansi(Path(sys.argv[1]).read_text().rstrip()))
svg = console.export_svg(title="make demo")
# The picture loads nothing from elsewhere: the reader's own fixed-width font will do.
Path(sys.argv[2]).write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))
PYTHON
echo "written: docs/demo.svg"
