"""Milliseconds for each PDF with a warm compiler, and the sample documents to look at.

    toolchain/run python benchmarks/render.py [--out FOLDER]

Writes benchmarks/results/render.json, and the samples where `--out` says.
"""

from __future__ import annotations

import argparse
import json
import resource
import runpy
import statistics
import sys
import time
from pathlib import Path

from tallystick.render.pdf import PdfRenderer

SAMPLES_FILE = Path(__file__).parent.parent / "tests" / "render" / "samples.py"
RESULTS = Path(__file__).parent / "results" / "render.json"
RENDERS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a folder for the sample PDFs")
    out = parser.parse_args().out
    samples = runpy.run_path(str(SAMPLES_FILE))
    invoice = samples["invoice"]
    started = time.perf_counter()
    renderer = PdfRenderer()
    size = len(renderer.render(invoice()).content)
    cold_ms = 1000 * (time.perf_counter() - started)

    durations_ms = []
    memory_before = peak_mb()
    for number in range(RENDERS):
        document = invoice(number=f"INV-{number:06d}", charge_number=number + 1)
        started = time.perf_counter()
        renderer.render(document)
        durations_ms.append(1000 * (time.perf_counter() - started))
    result = {
        "pdf": "one A4 page, PDF/A-3a and PDF/UA-1, JSON attached, all different",
        "renders": RENDERS,
        "median_ms": round(statistics.median(durations_ms), 1),
        "p95_ms": round(statistics.quantiles(durations_ms, n=20)[-1], 1),
        "first_ms": round(cold_ms, 1),
        "bytes": size,
        "peak_memory_mb": round(peak_mb()),
        "peak_memory_growth_mb": round(peak_mb() - memory_before),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))

    if out:
        out.mkdir(parents=True, exist_ok=True)
        for name, document in samples["SAMPLES"].items():
            started = time.perf_counter()
            pdf = renderer.render(document)
            (out / f"{name}.pdf").write_bytes(pdf.content)
            print(f"{out / name}.pdf: {1000 * (time.perf_counter() - started):.1f} ms {pdf.note or ''}")


def peak_mb() -> float:
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
