"""What the study runs on: cores, threads, versions; stdlib alone."""

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

from lib.study.paths import ROOT

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "torchvision",
            "opencv-python", "umap-learn", "openTSNE", "onnxruntime", "diffusers")  # fmt: skip
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
                    "NUMEXPR_NUM_THREADS", "STUDY_THREADS")  # fmt: skip
# glibc hands large arrays back to the system as they are freed, and a training asks for the same again at every step, in pages that
# have to be cleared first. A process that keeps them takes a fifth less time for a step of S1's network; small networks do not notice.
# Threads have to share one arena, for the others are given back all the same.
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": str(2**40)}


@functools.cache
def cores() -> int:
    """Count the cores that this process may use: its affinity, cut by a container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return count if quota == "max" else max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count


def thread_environment(threads: int) -> dict[str, str]:
    """Name the environment variables that keep every numeric library to so many threads."""
    return {name: str(threads) for name in THREAD_VARIABLES}


@functools.cache
def package_versions() -> dict[str, str]:
    """Look up the installed versions of the packages that results depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def environment_facts() -> dict:
    """Collect what a reader needs to repeat a run: commit, versions, machine, device, date."""
    dirty = _git("status", "--porcelain", "--", "lib", "notebooks", "params", "run_all.py", "environment.yml")
    return {
        "commit": _git("rev-parse", "--short", "HEAD") or "unknown",
        "dirty": bool(dirty),
        "python": platform.python_version(),
        "versions": package_versions(),
        "platform": platform.platform(terse=True),
        "cpu": _cpu_name(),
        "cores": cores(),
        "device": _device_name(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _device_name() -> str:
    """Name the GPU if torch is loaded and sees one; importing torch for this would cost seconds."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else "cpu"
