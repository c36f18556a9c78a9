"""How many reports a second the rule labeler reads on one core.

    python tests/benchmarks/bench_labeler.py

Cold: a fresh process reads each of Open-i's distinct reports once, so that only sentences that reports share come from
its memory. Warm: the same reports again.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "reports" / "indiana_reports.csv"


def main() -> int:
    if not SOURCE.exists():
        print(f"skipped: {SOURCE} is not there")
        return 0
    from kdistill_core.labeling import label_report

    with SOURCE.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    texts = list(dict.fromkeys(f"FINDINGS: {row['findings']}\n\nIMPRESSION: {row['impression']}" for row in rows))
    if sys.platform == "linux":
        os.sched_setaffinity(0, {0})
    print(f"{len(texts)} distinct reports, one core, load {os.getloadavg()[0]:.1f}")
    for name in ("cold", "warm"):
        wall, used = time.perf_counter(), time.process_time()
        for text in texts:
            label_report(text)
        wall, used = time.perf_counter() - wall, time.process_time() - used
        print(f"{name}: {len(texts) / wall:,.0f} reports a second, {len(texts) / used:,.0f} by processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
