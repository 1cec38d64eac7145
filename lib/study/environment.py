"""Set up what run_all.py needs: stdlib alone, and readable by old Pythons so that their users learn
what to install.

pyproject.toml declares what the project imports, in exact versions; requirements.lock and
requirements-test.lock beside this file hold these and all that they need, with the digests of
their files. `.venv` is made from the locks; any other interpreter that has what pyproject.toml
declares is used as it is.
"""

from __future__ import print_function  # Python 2 reads this file too, to say what it lacks

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VENV = os.path.join(ROOT, ".venv")
LOCK, TEST_LOCK = (
    os.path.join(HERE, name + ".lock") for name in ("requirements", "requirements-test")
)
OLDEST, NEWEST = (3, 11), (3, 13)
PROGRESS_S = 15  # seconds between two lines about a set-up under way

# What JupyterLab writes into a notebook when it saves it, beside outputs and counts.
SAVED_KEYS = (
    "metadata.language_info.codemirror_mode",
    "metadata.language_info.file_extension",
    "metadata.language_info.mimetype",
    "metadata.language_info.nbconvert_exporter",
    "metadata.language_info.pygments_lexer",
    "metadata.language_info.version",
    "cell.metadata.editable",
    "cell.metadata.slideshow",
    "cell.metadata.jp-MarkdownHeadingCollapsed",
)


def ensure(argv, test=False):
    """Return if this interpreter can run the study; otherwise set up .venv if needed and go on in
    it.

    Args:
        argv: the script and its arguments, to call .venv's interpreter with.
        test: the packages of the tests are needed too.

    Raises:
        SystemExit: with one sentence that says what to install or do.
    """
    if sys.version_info[0] < 3:
        _check_python(False)

    # This interpreter may have everything: .venv's own, or one of conda.
    supported = OLDEST <= sys.version_info[:2] <= NEWEST
    absent, other = missing_packages(requirements(test))
    if supported and not absent:
        if other:
            print("note: versions differ from pyproject.toml: " + "; ".join(other))
        register_filter(sys.executable)
        return

    # .venv has everything, this is .venv, and yet something is missing.
    is_ours = os.path.realpath(sys.prefix) == os.path.realpath(VENV)
    if is_ours and _state() and _is_complete(test):
        raise SystemExit(
            "the set-up of %s lacks %s: remove the folder and run again" % (VENV, ", ".join(absent))
        )

    # Make .venv under a lock, and go on in it.
    python = os.path.join(VENV, "bin", "python")
    os.makedirs(VENV, exist_ok=True)
    folder = os.open(VENV, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # a second call waits here for the first one's set-up
        if not _is_complete(test):
            _check_python(supported)
            _set_up(python, test)
        _install_project(python)
        register_filter(python)
    finally:
        os.close(folder)
        if not os.listdir(VENV):  # nothing came of it
            os.rmdir(os.path.realpath(VENV))
    os.execv(python, [python] + argv)


def requirements(test=False):
    """Read the packages that pyproject.toml declares, as {name: version}.

    Args:
        test: those of its extra `test` too.
    """
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        declared, _, extra = file.read().partition("[project.optional-dependencies]")

    # The extra ends where the next section of the file begins.
    text = declared + extra.split("\n[")[0] if test else declared
    return dict(re.findall(r'^\s+"([A-Za-z0-9_.-]+)==([^"]+)",', text, flags=re.MULTILINE))


def missing_packages(pins):
    """Compare packages with those of this interpreter.

    Args:
        pins: {name: version}.

    Returns:
        Names that it lacks, and texts about other versions ("name 1.0, pinned 2.0").
    """
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python 3.7
        return sorted(pins), []

    # Metadata alone is read: importing the packages would take a minute.
    absent, other = [], []
    for name, pinned in pins.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            absent.append(name)
            continue
        # A build for other hardware is the same version: 2.15.0+cpu.
        if found.split("+")[0] != pinned:
            other.append("%s %s, pinned %s" % (name, found, pinned))
    return absent, other


def register_filter(python):
    """Tell git in this checkout to leave outputs out of notebooks; .gitattributes names the filter.

    Nothing happens where there is no git or no checkout. The tag `parameters` stays.
    """
    if shutil.which("git") is None or not os.path.exists(os.path.join(ROOT, ".git")):
        return
    config = ["git", "-C", ROOT, "config", "--local"]
    clean = "'%s' -m nbstripout --keep-id --extra-keys '%s'" % (python, " ".join(SAVED_KEYS))
    for name, value in (("clean", clean), ("smudge", "cat")):
        key = "filter.nbstripout." + name

        # Written only where it says something else.
        asked = subprocess.Popen(config + [key], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if asked.communicate()[0].decode().strip() != value:
            subprocess.call(config + [key, value], stderr=subprocess.DEVNULL)


def locked_names(*locks):
    """List the names in lock files, as they are spelt there."""
    names = []
    for lock in locks:
        with open(lock, encoding="utf-8") as file:
            names += re.findall(r"^([A-Za-z0-9_.-]+)==", file.read(), flags=re.MULTILINE)
    return names


def _locks(test):
    return [LOCK, TEST_LOCK] if test else [LOCK]


def _digest(path):
    """Hash a lock file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _marker():
    return os.path.join(VENV, "set-up.json")


def _state():
    """Read how far an earlier set-up came.

    Returns:
        {} if there is none of ours; else installed (digests of the locks that are), project.
    """
    try:
        with open(_marker(), encoding="utf-8") as file:
            state = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(**state):
    """Write how far the set-up is, at once: a file that is torn would say nothing."""
    temporary = _marker() + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(temporary, _marker())


def _is_complete(test):
    """Tell whether .venv holds everything: by its marker, or, where someone else made it, by asking
    it.
    """
    # Made here: the marker knows which locks are in it.
    state = _state()
    if state:
        return {_digest(lock) for lock in _locks(test)} <= set(state.get("installed") or [])

    # Made by someone else, who keeps it.
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(python):
        return False
    check = (
        "import sys; sys.path.insert(0, %r); from lib.study import environment as e; "
        "sys.exit(bool(e.missing_packages(e.requirements(%r))[0]))"
    )
    if subprocess.call([python, "-c", check % (ROOT, test)]) == 0:
        return True
    raise SystemExit(
        ".venv was not made by run_all.py and lacks packages of pyproject.toml: remove the folder "
        "%s and run again" % VENV
    )


def _check_python(supported):
    """Stop where this Python cannot make the environment."""
    if not supported:
        # Another Python on this machine may do.
        names = ["python3.%d" % minor for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
        usable = [name for name in names if _starts(name)]
        hint = "install one from python.org, your system's packages or conda"
        hint += ", and call run_all.py with it"
        if usable:
            hint = "call it with %s run_all.py" % usable[0]
        raise SystemExit(
            "This study needs Python 3.11 to 3.13 and this is %d.%d: %s."
            % (sys.version_info[0], sys.version_info[1], hint)
        )

    # Debian ships these apart.
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        install = "sudo apt install python%d.%d-venv" % sys.version_info[:2]
        raise SystemExit(
            "Python's venv module is missing: install it (Debian, Ubuntu: %s) or activate a conda "
            "environment." % install
        )


def _starts(name):
    """Tell whether a command is there and runs; a version manager's stub may not."""
    with open(os.devnull, "w") as nothing:
        try:
            return subprocess.call([name, "-c", ""], stdout=nothing, stderr=nothing) == 0
        except OSError:
            return False


def _set_up(python, test):
    """Make .venv and install the locks; the marker that makes it count is written last."""
    state = _state()
    # Of an interrupted set-up nothing is believed; a complete one (of another version of this file
    # it says `complete`) is installed over.
    if not state.get("installed") and not state.get("complete"):
        _clear(VENV, but=os.path.basename(_marker()))
    _write_state(installed=None)  # from here on it is half done

    locks = _locks(test)
    count = len(set(locked_names(*locks)))
    text = "Setting up %s: %d packages, about 7 GB; once, some minutes."
    if state.get("installed"):
        text = "Bringing %s up to date: %d packages, most of which are there."
    print(text % (VENV, count), flush=True)

    # An environment of its own, then all packages.
    began = time.time()
    if not os.path.exists(python):
        # venv refuses a link, which CI uses.
        subprocess.check_call([sys.executable, "-m", "venv", os.path.realpath(VENV)])
    _install(python, locks)
    _write_state(installed=[_digest(lock) for lock in locks])
    print("Set up in %d s." % (time.time() - began), flush=True)


def _clear(folder, but):
    """Empty a folder but for one file."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name == but:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def _install(python, locks):
    """Install what the locks list, by uv where it is on the path, else by pip."""
    files = [word for lock in locks for word in ("-r", lock)]
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--python", python, "--require-hashes", "--no-deps"]
        command += ["--no-progress"]
    else:
        # The locks are complete, so there is nothing to resolve.
        command = [python, "-m", "pip", "install", "--require-hashes", "--no-deps"]
        command += ["--disable-pip-version-check", "--progress-bar", "off"]
    _logged(command + files, python, locks)


def _install_project(python):
    """Install this very folder into .venv, so that lib imports from anywhere; no download."""
    # A clone elsewhere may use the same .venv, as CI's do: the last one is installed in it.
    state = _state()
    if not state or state.get("project") == ROOT:
        return
    command = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--no-index", "--no-build-isolation", "--no-deps", "-e", ROOT]
    _logged(command, python, [])
    _write_state(project=ROOT, installed=state["installed"])


def _logged(command, python, locks):
    """Run an installer with its output in a log; print now and then how far it is.

    Args:
        command: words to run.
        python: of the environment that it fills.
        locks: files that list what it installs.
    """
    log = os.path.join(VENV, "install.log")

    # The installer writes into the log; its progress is reported from there.
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        began = printed = time.time()
        while process.poll() is None:
            time.sleep(0.2)
            if time.time() - printed > PROGRESS_S:
                printed = time.time()
                print("  %3d s  %s" % (printed - began, _progress(log, python, locks)), flush=True)

    # Its last lines say what went wrong.
    if process.returncode:
        with open(log, encoding="utf-8", errors="replace") as file:
            tail = "".join(file.readlines()[-12:])
        print(tail.rstrip())
        raise SystemExit(
            "the packages could not be installed (whole log: %s): check network and disk space "
            "(7 GB) and run again." % log
        )


def _progress(log, python, locks):
    """Say which package is being downloaded, or how many are in place and which comes next.

    pip prints nothing while it installs, for minutes; what it has installed is there to be counted.
    """
    # What is wanted, what the log says, and what lies in the environment.
    names = {_normal(name) for name in locked_names(*locks)}
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    installed = _installed(python)
    order = re.findall(r"^Installing collected packages: (.*)$", text, flags=re.MULTILINE)

    # Before pip says in which order it installs, it collects one package after the other; uv
    # downloads several at once and never says.
    if not order:
        downloads = re.findall(r"^\s*(?:Downloading|Collecting) (.*)$", text, flags=re.MULTILINE)
        collected = len(re.findall(r"^Collecting ", text, flags=re.MULTILINE))
        latest = downloads[-1].split("/")[-1].split("==")[0][:70] if downloads else "starting"
        if not collected:
            return "downloading %d packages: %s" % (len(names - installed), latest)
        return "downloading, package %d of %d: %s" % (collected, len(names), latest)

    # The first that is not in place is under way.
    waiting = [name for name in order[-1].split(", ") if _normal(name) not in installed]
    current = waiting[0] if waiting else "nearly done"
    done = len(order[-1].split(", ")) - len(waiting)
    return "installing, %d of %d done: %s" % (done, len(order[-1].split(", ")), current)


def _installed(python):
    """List the packages that lie in an environment, names in normal form."""
    lib = os.path.join(os.path.dirname(os.path.dirname(python)), "lib")
    names = set()
    for version in os.listdir(lib) if os.path.isdir(lib) else []:
        site = os.path.join(lib, version, "site-packages")
        entries = os.listdir(site) if os.path.isdir(site) else []
        # An installer writes RECORD last.
        whole = [e for e in entries if os.path.exists(os.path.join(site, e, "RECORD"))]
        names |= {_normal(entry.split("-")[0]) for entry in whole}
    return names


def _normal(name):
    """Spell a package's name as PEP 503 does: Jinja2 and jinja2 are one."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()
