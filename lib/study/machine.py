"""What the study runs on: cores, threads, versions; stdlib alone."""

import datetime
import functools
import importlib.metadata
import importlib.util
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from lib.study.checkout import commit_and_changes

# A stop: Ctrl-C, a batch system's end, a closed terminal.
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Packages whose version can change a number or a figure; a test holds them to pyproject.toml.
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "torch",
    "torchvision",
    "torch-fidelity",
    "safetensors",
    "accelerate",
    "diffusers",
    "transformers",
    "tokenizers",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "opencv-python",
    "pillow",
    "cleanlab",
    "umap-learn",
    "pynndescent",
    "numba",
    "openTSNE",
    "matplotlib",
    "seaborn",
)
# The variable that says how many threads a process was given; the others follow it.
THREADS = "OMP_NUM_THREADS"
THREAD_VARIABLES = (
    THREADS,
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
NO_HOME = "/nonexistent"  # as Debian has it for users without one
NUMBA_CACHE = "NUMBA_CACHE_DIR"  # the variable that names the folder of compiled code
# glibc gives large arrays back to the system when they are freed, and a training asks for the same
# ones at every step, in pages that have to be cleared first. A process that keeps them takes a
# fifth less time for a step of S1's network; small networks do not notice. Threads have to share
# one arena, for memory of the others is given back all the same.
KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),  # bytes
}


def name_a_home() -> None:
    """Name a home, which is not there, for a user whom the system does not know, as in a container:
    Jupyter asks for one when it is imported, and ends where there is none.
    """
    if os.path.expanduser("~") == "~":
        os.environ["HOME"] = NO_HOME


@functools.cache
def cores() -> int:
    """Count the cores that this process may use: its affinity, cut by a container's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1

    # A container's quota: microseconds of processor time, and in which span.
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, int(quota) // int(period))
    except (OSError, ValueError):
        pass
    return max(1, count)


def thread_environment(threads: int) -> dict[str, str]:
    """List the environment variables that keep every numeric library to so many threads."""
    return {name: str(threads) for name in THREAD_VARIABLES}


def own_threads() -> int:
    """Count the threads that this process may use: OMP_NUM_THREADS, or all cores without it."""
    # OpenMP allows a list, one number for each nesting; the first is this level's.
    given = os.environ.get(THREADS, "").split(",")[0]
    return int(given) if given.isdigit() and int(given) else cores()


@functools.cache
def package_versions() -> dict[str, str]:
    """Look up the installed versions of the packages that results depend on."""
    # From the metadata of the installation, without importing anything.
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def compiled_code_folder(runs: Path) -> dict[str, str]:
    """Give numba a folder for what it compiles, where it has none.

    It writes beside the package, or into the user's cache, and fails where neither can be written
    to, as in a container.

    Args:
        runs: folder that can be written to.

    Returns:
        The variable to set; {} where the user has set it, or numba finds a place by itself.
    """
    # A place of its own keeps what was compiled before.
    if NUMBA_CACHE in os.environ or _numba_has_a_place():
        return {}
    return {NUMBA_CACHE: str(runs / "compiled")}


def _numba_has_a_place() -> bool:
    """Tell whether numba can write beside the packages that it compiles, or into a cache."""
    spec = importlib.util.find_spec("umap")  # finds the folder, and imports nothing
    beside = Path(spec.origin).parent / "__pycache__" if spec and spec.origin else Path("/nowhere")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")

    # A user whom the system does not know has no home, and ~ stays as it is.
    places = [beside] if cache.startswith("~") else [beside, Path(cache, "numba")]
    return any(map(_is_writable, places))


def _is_writable(folder: Path) -> bool:
    """Tell whether files can be made in a folder, or the folder itself where it is not there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def environment_facts() -> dict:
    """Collect what a reader needs to repeat a run: commit, versions, machine, device, date."""
    # What the code was, then where it ran.
    commit, dirty = commit_and_changes()
    return {
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "versions": package_versions(),
        "platform": platform.platform(terse=True),
        "cpu": _cpu_name(),
        "cores": cores(),
        "device": _device_name(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _cpu_name() -> str:
    """Name the processor: Linux says it in a file, other systems to the platform module."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()

    # One entry a core, all of one name.
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _device_name() -> str:
    """Name the GPU if torch is loaded and sees one; importing torch for this would cost seconds."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return "cpu"
    return torch.cuda.get_device_name(0)
