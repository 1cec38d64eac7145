"""Set up what run_all.py needs: stdlib alone, and readable by old Pythons so that they can be told what to install."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
OLDEST, NEWEST = (3, 11), (3, 13)


def requirements(path=os.path.join(ROOT, "environment.yml")):
    """Read the exact pins of environment.yml's pip section as {name: version}."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^\s+- ([A-Za-z0-9_.-]+)==([^\s#]+)", file.read(), flags=re.MULTILINE))


def missing_packages(pins):
    """Split pins into what this interpreter lacks and what it has in another version ("name 1.0, pinned 2.0")."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python 3.7
        return sorted(pins), []
    absent, other = [], []
    for name, pinned in pins.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            absent.append(name)
            continue
        if found.split("+")[0] != pinned:
            other.append("%s %s, pinned %s" % (name, found, pinned))
    return absent, other


def ensure(argv):
    """Return if this interpreter can run the study; otherwise set up .venv if needed and go on in it.

    Raises:
        SystemExit: with one sentence that says what to install or do.
    """
    pins = requirements()
    supported = OLDEST <= sys.version_info[:2] <= NEWEST
    absent, other = missing_packages(pins)
    if supported and not absent:
        if other:
            print("note: versions differ from environment.yml: " + "; ".join(other))
        return
    python = os.path.join(VENV, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV) and os.environ.get("STUDY_BOOTSTRAP"):
        raise SystemExit("the set-up of %s lacks %s: remove the folder and run again" % (VENV, ", ".join(absent)))
    os.makedirs(VENV, exist_ok=True)
    lock = os.open(VENV, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second call waits here for the first one's set-up
        if not _complete(pins):
            _check_python(supported)
            _set_up(pins, python)
        _install_project(python)
    finally:
        os.close(lock)
        if not os.listdir(VENV):
            os.rmdir(os.path.realpath(VENV))
    os.environ["STUDY_BOOTSTRAP"] = "1"
    os.execv(python, [python] + argv)


def _fingerprint(pins):
    return hashlib.sha256(json.dumps(sorted(pins.items())).encode()).hexdigest()


def _marker():
    return os.path.join(VENV, "set-up.json")


def _state():
    """Read how far an earlier set-up came: {} if none of ours."""
    try:
        with open(_marker(), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _mark(**state):
    temporary = _marker() + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(temporary, _marker())


def _complete(pins):
    """Tell whether .venv holds everything: by its marker, or, where someone else made it, by asking it."""
    state = _state()
    if state:
        return state.get("complete") == _fingerprint(pins)
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(python):
        return False
    check = "import sys; sys.path.insert(0, %r); from lib.study import environment as e; "
    check += "sys.exit(bool(e.missing_packages(e.requirements())[0]))"
    if subprocess.call([python, "-c", check % ROOT]) == 0:
        return True
    raise SystemExit(".venv was not made by run_all.py and lacks packages of environment.yml: remove the folder %s and run again" % VENV)


def _check_python(supported):
    """Stop where this Python cannot make the environment."""
    if not supported:
        names = ["python3.%d" % minor for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
        usable = [name for name in names if shutil.which(name) and subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL) == 0]
        hint = "install one from python.org, your system's packages or conda, and call run_all.py with it"
        hint = "call it with %s run_all.py" % usable[0] if usable else hint
        raise SystemExit("This study needs Python 3.11 to 3.13 and this is %d.%d: %s." % (sys.version_info[0], sys.version_info[1], hint))
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        install = "sudo apt install python%d.%d-venv" % sys.version_info[:2]
        raise SystemExit("Python's venv module is missing: install it (Debian, Ubuntu: %s) or activate a conda environment." % install)


def _set_up(pins, python):
    """Make .venv and install the pins; the marker that makes it count is written last."""
    if _state().get("complete") is None:  # an interrupted set-up: nothing in it is believed
        for name in [name for name in os.listdir(VENV) if name != os.path.basename(_marker())]:
            path = os.path.join(VENV, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    _mark(complete=None)
    print("Setting up %s: %d packages, about 7 GB with everything they need; once, some minutes." % (VENV, len(pins)), flush=True)
    began = time.time()
    if not os.path.exists(python):
        subprocess.check_call([sys.executable, "-m", "venv", os.path.realpath(VENV)])  # venv refuses a link, which CI uses
    listed = os.path.join(VENV, "requirements.txt")
    with open(listed, "w", encoding="utf-8") as file:
        file.write("".join("%s==%s\n" % pin for pin in pins.items()))
    _pip(python, ["install", "-r", listed])
    _mark(complete=_fingerprint(pins))
    print("Set up in %d s." % (time.time() - began), flush=True)


def _install_project(python):
    """Install this very folder into .venv, so that lib imports from anywhere; no download."""
    state = _state()
    if not state or state.get("project") == ROOT:
        return
    _pip(python, ["install", "--no-index", "--no-build-isolation", "--no-deps", "-e", ROOT])
    _mark(project=ROOT, **{key: value for key, value in state.items() if key != "project"})


def _pip(python, words):
    """Run pip with its talk in a log; a line now and then shows that it lives."""
    log = os.path.join(VENV, "pip.log")
    with open(log, "w", encoding="utf-8") as file:
        command = [python, "-m", "pip"] + words + ["--disable-pip-version-check", "--progress-bar", "off"]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        began = told = time.time()
        while process.poll() is None:
            time.sleep(0.2)
            if time.time() - told > 15:
                told = time.time()
                print("  %3d s  %s" % (told - began, _last_line(log)), flush=True)
    if process.returncode:
        with open(log, encoding="utf-8", errors="replace") as file:
            tail = "".join(line for line in file.readlines()[-12:])
        print(tail.rstrip())
        raise SystemExit("pip could not install (whole log: %s): check network and disk space (7 GB) and run again." % log)


def _last_line(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file if line.strip() and not line.strip().startswith(("WARNING", "Successfully"))]
    return lines[-1][:90] if lines else ""
