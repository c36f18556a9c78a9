#!/bin/sh
# Runs every check and says how long each took; fails when one of them does, after all have run.
#   tools/checks.sh
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
# Test processes side by side, one thread each: more threads would only wait for each other.
processes=${KDISTILL_TEST_PROCESSES:-2}
export OMP_NUM_THREADS=1
export QT_QPA_PLATFORM=offscreen
failed=""
started=$(date +%s)

check() {
    name=$1
    shift
    echo
    echo "== $name"
    since=$(date +%s)
    "$@"
    status=$?
    took=$(($(date +%s) - since))
    if [ "$status" = 0 ]; then
        echo "== $name: passed in $took s"
    else
        echo "== $name: FAILED after $took s"
        failed="$failed, $name"
    fi
}

window_tests() {
    # A real window system, so the real Qt plug-in. xcb asks for no compositor and no GPU.
    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1000x24" "$bin/python" -m pytest -m window
    status=$?
    # 5: nothing collected, which is no failure of the tests that there are.
    [ "$status" = 5 ] && return 0
    return "$status"
}

check "ruff check" "$bin/ruff" check .
check "ruff format" "$bin/ruff" format --check .
check "mypy" tools/heartbeat.sh "mypy" "$bin/mypy"
check "import layers" "$bin/lint-imports"
check "tests, offscreen" "$bin/python" -m pytest -m "not window" -n "$processes" --dist loadfile
check "tests that need a window, under Xvfb" window_tests

echo
total=$(($(date +%s) - started))
if [ -n "$failed" ]; then
    echo "FAILED: ${failed#, }. Wall time $((total / 60)) min $((total % 60)) s."
    exit 1
fi
echo "Every check passed. Wall time $((total / 60)) min $((total % 60)) s."
