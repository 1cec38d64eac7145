"""The command line, on a toy project: what runs, what is kept, what is printed when something
breaks.
"""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from lib.study.outcomes import failure_text
from lib.study.paths import ROOT

TOY_BODY_OF_10 = """
from lib.study.step import begin
step = begin("10_data", globals())
"""


def changed(before: dict, after: dict) -> set:
    """Name the files that were written anew."""
    return {name for name in after if before.get(name) != after[name]}


def wait_for(condition, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def with_import(notebook: Path, line: str) -> None:
    """Add an import to the cell of a toy notebook that holds the others."""
    text = notebook.read_text()
    first = "from lib.study.records"
    notebook.write_text(text.replace(first, f'{line}\\n",\n    "{first}', 1))


def write_module(toy, name: str, code: str) -> None:
    """Write a module of the toy's lib."""
    path = toy.root.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'"""Help."""\n\n{code}\n')


def test_help_is_there_in_under_a_second(toy):
    began = time.monotonic()
    done = toy.run("--help")
    assert done.returncode == 0 and "--study NAME" in done.stdout
    assert time.monotonic() - began < 1


def test_only_what_changed_runs_again(toy):
    toy.stage("10_data", "seed")
    write_module(toy, "lib.helper", "\ndef two():\n    return 2")
    with_import(toy.stage("40_training"), "from lib.helper import two")

    # The first run does everything, the second nothing.
    first = toy.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"10_data +done +4/4 cells", first.stdout), first.stdout
    assert "reports/quick/index.html" in first.stdout
    done = toy.outputs()
    began = time.monotonic()
    second = toy.run()
    assert time.monotonic() - began < 5
    assert second.returncode == 0 and "Nothing changed" in second.stdout
    assert toy.outputs() == done

    # Other code.
    write_module(toy, "lib.helper", "\ndef two():\n    return 1 + 1  # other code")
    plan = toy.run("--dry-run").stdout
    wanted = "code changed (lib.helper): the page is written anew, finished trainings are kept"
    assert wanted in plan
    toy.run()
    assert changed(done, toy.outputs()) == {"40_training.txt"}

    # Another parameter.
    done = toy.outputs()
    plan = toy.run("--dry-run", "--set", "seed=1").stdout
    wanted = r"10_data +changed parameters: seed from 0 to 1\n +40_training +after 10_data"
    assert re.search(wanted, plan), plan
    assert "* seed: 1" in plan and toy.outputs() == done
    toy.run("--set", "seed=1")
    assert changed(done, toy.outputs()) == {"10_data.txt", "40_training.txt"}

    # Another output than it wrote.
    table = toy.root / "runs" / "quick" / "tables" / "40_training.txt"
    table.write_text("by hand")
    listed = toy.run("--list", "--set", "seed=1").stdout
    assert "tables/40_training.txt is not what it wrote" in listed
    toy.run("--set", "seed=1")
    assert table.read_text() == "1"


def test_a_dry_run_tells_new_code_from_new_arithmetic(toy):
    versions = "lib.classifiers.versions"
    write_module(toy, versions, "TRAINING_VERSION = 1")
    write_module(toy, "lib.classifiers.training", f"from {versions} import TRAINING_VERSION")
    (toy.root / "lib" / "classifiers" / "__init__.py").touch()
    with_import(toy.stage("40_training"), "from lib.classifiers.training import TRAINING_VERSION")
    assert toy.run().returncode == 0

    write_module(toy, versions, "TRAINING_VERSION = 2")
    plan = toy.run("--dry-run").stdout
    assert "arithmetic version 1 -> 2 (TRAINING_VERSION): trainings are repeated" in plan
    assert "code changed" not in plan


def test_a_dry_run_tells_each_notebook_s_own_change_and_what_it_follows(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    toy.stage("80_findings")
    toy.run()
    toy.stage("10_data", "2")
    toy.stage("40_training", "2")
    plan = toy.run("--dry-run").stdout
    page = "notebook changed: the page is written anew, finished trainings are kept"
    assert re.search(rf"10_data +{page}", plan)
    assert re.search(rf"40_training +after 10_data; {page}", plan)
    assert re.search(r"80_findings +after 40_training, unless that writes the same", plan)


def test_a_notebook_that_is_opened_reads_the_study_and_leaves_it_as_it_is(toy):
    toy.stage("10_data", "seed")
    earlier = "(step.paths.tables / '10_data.txt').read_text()"
    toy.stage("40_training", earlier + " + str(seed)")
    toy.run("--set", "seed=5")
    done = toy.outputs()
    opened = toy.run("--open", "40", "--no-browser", "--set", "seed=6")
    copy = toy.root / "runs" / "quick" / "explore" / "40_training.ipynb"
    assert opened.stdout == f"{copy}\n", opened.stdout + opened.stderr

    # Executed as JupyterLab would: from its own folder.
    environment = toy.environment() | {"PYTHONPATH": str(toy.root)}
    command = [sys.executable, "-m", "papermill", copy.name, copy.name, "-k", "python3"]
    subprocess.run(
        command, cwd=copy.parent, env=environment, check=True, capture_output=True, timeout=120
    )
    assert (copy.parent / "tables" / "40_training.txt").read_text() == "56"
    assert toy.outputs("quick/tables/*.txt") == done
    assert "Nothing changed" in toy.run("--set", "seed=5").stdout


GRID_PAGE = """
def render_grid(study, cells):
    page = next(iter(cells.values())).reports.parent / f"{study}~vary" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(" ".join(cells))
    return page
"""


def test_a_grid_of_settings_does_what_differs_and_a_finer_one_what_is_new(toy):
    write_module(toy, "lib.metrics.grid_page", GRID_PAGE)
    toy.stage("10_data", "'the same in all cells'", seed=False)
    toy.stage("40_training", "seed")
    runs, cells = toy.root / "runs", [f"quick~seed={seed}" for seed in (1, 2, 3)]
    first = toy.run("--vary", "seed=1,2")
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"2 of 2: {cells[1]}\n1 executions taken from {cells[0]}\n" in first.stdout
    assert "1 executions kept, 1 run." in first.stdout
    shared = {(runs / cell / "tables" / "10_data.txt").stat().st_mtime_ns for cell in cells[:2]}
    texts = [(runs / cell / "tables" / "40_training.txt").read_text() for cell in cells[:2]]
    assert len(shared) == 1 and texts == ["1", "2"] and not (runs / "quick").exists()
    page = toy.root / "reports" / "quick~vary" / "index.html"
    assert f"comparison: {page}" in first.stdout and page.read_text() == " ".join(cells[:2])

    # What each would do, and what only the new one does.
    plan = toy.run("--dry-run", "--vary", "seed=1,2,3").stdout
    assert len(re.findall("10_data +kept\n +40_training +kept", plan)) == 2
    assert re.search(f"10_data +taken from {cells[0]}\n +40_training +not run yet", plan), plan
    assert not (runs / cells[2]).exists()
    finer = toy.run("--vary", "seed=1,2,3").stdout
    assert finer.count("Nothing changed") == 2 and "1 executions kept, 1 run." in finer
    assert page.read_text() == " ".join(cells)
    assert "Nothing changed" in toy.run("--study", cells[2]).stdout


def test_what_is_executed_again_and_writes_the_same_repeats_nothing_after_it(toy):
    toy.stage("10_data", "'the same'")
    toy.stage("40_training")
    toy.run()
    done = toy.outputs()
    toy.stage("10_data", "'the ' + 'same'")
    assert "40_training                      after 10_data" in toy.run("--dry-run").stdout
    again = toy.run().stdout
    assert "1 executions kept, 1 run." in again
    assert changed(done, toy.outputs()) == {"10_data.txt"}


def test_a_failing_notebook_stops_only_what_depends_on_it(toy):
    toy.stage("10_data")
    toy.notebook("40_training", "x = 1")
    toy.notebook("50_metrics", "x = 1\n\ny = x / 0")
    toy.stage("60_embedding")
    toy.stage("80_findings")
    done = toy.run()
    assert done.returncode == 1
    assert "the notebook ended without step.finish" in done.stdout

    # Where the training is in order, the failure of 50 stops 80 alone.
    toy.stage("40_training")
    done = toy.run()
    assert done.returncode == 1
    assert set(toy.outputs()) == {"10_data.txt", "40_training.txt", "60_embedding.txt"}
    text = done.stdout[done.stdout.index("50_metrics failed") :].splitlines()[:5]
    assert text[0] == "50_metrics failed in code cell 3 of 3:"
    assert text[1] == "  ZeroDivisionError: division by zero"
    assert text[2] == "  at: y = x / 0"
    assert "An Exception was encountered" in Path(text[3].split(": ")[1]).read_text()
    assert "same command again" in text[4]
    assert re.search("80_findings +skipped +needs 50_metrics", done.stdout)
    assert "1 executions kept" in done.stdout
    page = (toy.root / "reports" / "quick" / "index.html").read_text()
    assert page == "10_data 40_training 50_metrics.failed 60_embedding"


def test_each_pool_has_its_own_executions_and_failures(toy):
    pools = ("--set", "pools=dcgan,drawn-narrow")
    toy.stage("10_data")
    toy.stage("20_generation", "pool", pool=True)
    toy.notebook("30_curation", "assert pool != 'dcgan'", 'pool: str = "drawn-faithful"')
    done = toy.run(*pools, "--workers", "2")
    texts = {text for text, _ in toy.outputs("quick/pools/*/*.txt").values()}
    assert texts <= {"dcgan", "drawn-narrow"}
    assert len(list((toy.root / "runs").glob("quick/pools/*/20_generation.txt"))) == 2
    assert "30_curation-dcgan failed" in done.stdout and "AssertionError" in done.stdout
    assert "30_curation-drawn-narrow failed" in done.stdout and "step.finish" in done.stdout

    # A pool that a study no longer has leaves its report, and comes back with its settings.
    assert toy.run("--only", "20", *pools).returncode == 0
    index = toy.root / "reports" / "quick" / "index.html"
    toy.run("--only", "20", "--set", "pools=dcgan")
    assert "20_generation-drawn-narrow" not in index.read_text()
    assert "Nothing changed" in toy.run("--only", "20", *pools).stdout
    assert "20_generation-drawn-narrow" in index.read_text()


SLOW = """
from pathlib import Path
import os, time
from lib.study.step import begin
step = begin("40_training", globals())

(step.paths.root / "pid").write_text(str(os.getpid()))
time.sleep(60 if not (step.paths.root / "quick").exists() else 0)

target = step.paths.tables / "40_training.txt"
target.parent.mkdir(exist_ok=True)
target.write_text("1")
step.finish([target])
"""


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or dead and not yet waited for."""
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_it_goes_on_where_it_was(toy, how):
    toy.stage("10_data")
    toy.notebook("40_training", SLOW)
    folder = toy.root / "runs" / "quick"
    with subprocess.Popen(
        toy.command(),
        env=toy.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        wait_for((folder / "pid").exists)

        # While one run holds the study, a second one is turned away.
        second = toy.run()
        assert second.returncode == 2
        assert f"quick is being run by process {run.pid} on" in second.stderr
        run.send_signal(how)
        errors = run.communicate(timeout=20)[1]
    if how == signal.SIGINT:
        assert run.returncode == 130 and "the same command goes on from here" in errors
    kernel = int((folder / "pid").read_text())
    wait_for(lambda: has_ended(kernel), 10)
    assert not (folder / "notebooks" / "40_training.ipynb").exists()

    (folder / "quick").touch()
    before = toy.outputs()
    again = toy.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert changed(before, toy.outputs()) == {"40_training.txt"}
    assert not list((folder / "notebooks").glob("*.running.ipynb"))


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.5])
def test_an_impatient_second_stop_leaves_nothing_behind(toy, pause):
    toy.stage("10_data")
    toy.notebook("40_training", SLOW)
    pid_file = toy.root / "runs" / "quick" / "pid"
    run = subprocess.Popen(
        toy.command(), env=toy.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with run:
        wait_for(pid_file.exists)
        for _ in range(3):
            run.send_signal(signal.SIGINT)
            time.sleep(pause)
        errors = run.communicate(timeout=40)[1].decode()
    assert run.returncode == 130 and "Traceback" not in errors, errors
    assert "the same command goes on from here" in errors
    wait_for(lambda: has_ended(int(pid_file.read_text())), 20)


def test_nohup_keeps_a_study_running_when_the_terminal_closes(toy):
    toy.stage("10_data")
    toy.notebook("40_training", SLOW)
    pid_file = toy.root / "runs" / "quick" / "pid"
    command = ["nohup", *toy.command()]
    with subprocess.Popen(
        command, env=toy.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        wait_for(pid_file.exists)
        run.send_signal(signal.SIGHUP)
        time.sleep(1)
        running = run.poll() is None
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=40)
    assert running and run.returncode == 130


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_closed_standard_streams_are_no_obstacle(toy, closed):
    toy.stage("10_data", "'no line of output is in here'")
    command = " ".join(f"'{word}'" for word in toy.command())
    done = subprocess.run(f"{command} {closed}", shell=True, env=toy.environment(), timeout=180)
    assert done.returncode == 0
    assert toy.outputs()["10_data.txt"][0] == "no line of output is in here"


def test_an_output_that_is_a_file_is_named(toy, tmp_path):
    toy.stage("10_data")
    (tmp_path / "file").touch()
    done = toy.run("--output", str(tmp_path / "file"))
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/file/runs: not a directory; give a folder: --output\n"


def test_a_place_where_nothing_can_be_written_is_named(toy):
    """Nothing can be written before the first cell: the folder of notebooks is a file."""
    toy.stage("10_data")
    (toy.root / "runs" / "quick").mkdir(parents=True)
    (toy.root / "runs" / "quick" / "notebooks").touch()
    done = toy.run()
    assert done.returncode == 1
    assert re.search(r"10_data: /\S+/notebooks: file exists; give a folder", done.stdout)


@pytest.mark.parametrize(
    ("done", "total", "first"),
    [(2, 12, "40_training failed in code cell 3 of 12:"), (12, 12, "40_training failed:")],
)
def test_a_failure_names_a_cell_that_there_is(done, total, first):
    result = {"error": "RuntimeError", "message": "Kernel died", "line": "", "copy": "x"}
    task = Mock()
    task.name = "40_training"
    assert failure_text(task, result, done, total).splitlines()[0] == first


def test_fresh_moves_finished_work_away(toy):
    toy.stage("10_data")
    toy.run()
    before = toy.outputs()
    done = toy.run("--fresh")
    assert "earlier work moved to" in done.stdout and re.search("10_data +done", done.stdout)
    assert len(list((toy.root / "runs").glob("quick-before-*/tables/10_data.txt"))) == 1
    assert toy.outputs("quick/**/*.txt")["10_data.txt"][1] != before["10_data.txt"][1]


def test_a_person_s_decisions_are_an_input_of_curation_and_survive_a_fresh_run(toy):
    review_text = "step.paths.review(pool).read_text() if step.paths.review(pool).exists() else ''"
    toy.stage("20_generation", pool=True)
    toy.stage("30_curation", f"({review_text})", pool=True)
    toy.stage("40_training", "(step.paths.pool('dcgan') / '30_curation.txt').read_text()")
    pools = ("--set", "pools=dcgan,drawn-narrow")
    toy.run(*pools)

    # A new decision repeats the curation of its pool, and what follows.
    review = toy.root / "runs/quick/pools/curation/dcgan/review.csv"
    review.parent.mkdir(parents=True)
    review.write_text("id,decision\na,reject\n")
    plan = toy.run("--dry-run", *pools).stdout
    assert "30_curation-dcgan                changed sources: review" in plan
    assert "40_training                      after 30_curation-dcgan" in plan
    assert re.search(r"20_generation-dcgan +kept", plan)
    assert re.search(r"30_curation-drawn-narrow +kept", plan)
    again = toy.run(*pools).stdout
    assert "3 executions kept, 2 run" in again
    assert "a,reject" in toy.outputs()["40_training.txt"][0]
    assert "Nothing changed" in toy.run(*pools).stdout

    toy.run("--fresh", *pools)
    assert "a,reject" in review.read_text()
    assert "a,reject" in toy.outputs("quick/**/*.txt")["40_training.txt"][0]


def test_only_needs_what_comes_before(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    done = toy.run("--only", "40")
    assert done.returncode == 1
    assert "10_data has not finished; run it first: --only 10" in done.stdout
    assert "no notebook 99; there are 10, 40" in toy.run("--only", "99").stderr
    assert "write stages as 40,50 or 40-60" in toy.run("--only", "train").stderr


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--set", "train_step=5"], ["'train_step'", "did you mean 'train_steps'"]),
        (["--set", "judge_folds=3"], ["'judge_folds'", "now called 'label_classifier_folds'"]),
        (["--study", "quik"], ["no study 'quik'", "'quick'"]),
        (["--study", "schuermann"], ["needs real faces", "--data PATH"]),
        (["--data", "/no/such.zip"], ["data: /no/such.zip: no such file"]),
        (["--synthetic", "nowhere"], ["synthetic: ", "nowhere: no such file"]),
        (["--set", "review_csv=nobody.csv"], ["review_csv: ", "nobody.csv: no such file"]),
        (["--set", "face_model=yunet.onnx"], ["face_model: ", "yunet.onnx: no such file"]),
        (["--set", "pools=drawn-narow"], ["no pool 'drawn-narow'", "did you mean 'drawn-narrow'"]),
        (["--set", "margin=5"], ["'margin' is 5", "0 to 0.5", "it is a share, not points"]),
        (["--set", "classifiers=smal"], ["'classifiers' is 'smal'", "did you mean 'small'"]),
        (["--set", "recipes=quik"], ["'recipes' is 'quik'", "did you mean 'quick'"]),
        (["--set", "recipes=quick,fast"], ["one for all, or one for each"]),
        (["--set", "generator=dcgann"], ["'generator' is 'dcgann'", "did you mean 'dcgan'"]),
        (["--set", "arm_pools=diffusion"], ["'diffusion' is none of the pools of the study"]),
        (["--set", "gan_source=nowhere"], ["gan_source: ", "nowhere: no such file"]),
        (["--vary", "seeds=5"], ["--vary seeds: one value (5)", "or use --set"]),
        (["--vary", "sed=5,6"], ["unknown key 'sed'", "did you mean 'seed'"]),
        (["--vary", "seeds=5,6", "--open", "80"], ["name a cell: --study 'quick~key=value'"]),
        (["--open", "20"], ["study quick has not run in runs/quick", "run it first"]),
        (["--cluster", "banana"], ["'banana'", "tcp://host:8786", "local, slurm, pbs, lsf"]),
    ],
)
def test_a_mistake_stops_before_anything_is_made(toy, words, parts):
    toy.stage("20_generation", pool=True)
    done = toy.run(*words)
    assert done.returncode == 2 and not (toy.root / "runs").exists()
    assert [part for part in parts if part not in done.stderr] == [], done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_and_lists_fit_a_terminal(toy):
    toy.stage("10_data")
    wide = []
    for words in (["--help"], ["--list"], ["--list", "--study", "schuermann"]):
        done = toy.run(*words)
        assert done.returncode == 0 and done.stdout
        wide += [line for line in done.stdout.splitlines() if len(line) > 80]
    assert wide == []


def test_the_plan_says_how_long_it_took_and_the_run_how_much_is_left(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    assert "2 notebooks to run; how long they take is not known yet" in toy.run("--dry-run").stdout
    first = toy.run().stdout
    assert re.search(r"10_data +done .* 1 of 2 notebooks\n", first), first
    plan = toy.run("--dry-run", "--set", "seed=1").stdout
    assert re.search(r"2 notebooks to run, about \d+ s by their last executions", plan)
    assert "  * seed: 1\n\n" in plan and "margin" not in plan
    whole = toy.run("--dry-run", "-v", "--set", "seed=1").stdout
    assert "    margin: 0.005" in whole
    times = r"10_data .*seed from 0 to 1 \(\d+ s\)\n +40_training .* \(\d+ s\)"
    assert re.search(times, whole), whole
    again = toy.run("--set", "seed=1").stdout
    assert re.search(r"10_data +done .* 1 of 2 notebooks, about \d+ s left", again), again


def test_one_notebook_s_call_by_hand_is_printed_and_works(toy):
    toy.stage("10_data", "seed")
    done = toy.run("--papermill", "10", "--set", "seed=7", cwd=toy.root)
    words = shlex.split(done.stdout)
    assert Path(words[0]).name == "papermill" and words[1] == "notebooks/10_data.ipynb"
    if Path(words[0]).exists():
        assert toy.by_hand(*words).returncode == 0
        assert toy.outputs()["10_data.txt"][0] == "7"


def test_a_notebook_alone_does_not_build_on_other_values_of_what_is_set(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    toy.run()
    done = toy.run("--only", "40", "--set", "seed=1")
    assert done.returncode == 2
    assert "10_data was executed with other values" in done.stderr
    assert "--only 10,40, or leave --only out" in done.stderr


@pytest.mark.parametrize("key", ["only_arms", "more_seeds_arms"])
def test_a_pattern_that_fits_no_arm_stops_before_anything_runs(tmp_path, key):
    """Here with the real project, whose arms have names."""
    command = [sys.executable, str(ROOT / "run_all.py"), "--output", str(tmp_path)]
    done = subprocess.run(
        [*command, "--set", f"{key}=nothing-*"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    assert f"{key}: 'nothing-*' fits none of the arms base, " in done.stderr


def test_a_notebook_that_papermill_starts_by_hand_checks_its_values(toy):
    parameters = 'study: str = "quick"\noutput: str = ""\nshow_photographs: bool = True'
    toy.notebook("10_data", TOY_BODY_OF_10 + "\n\nprint(show_photographs)", parameters)

    def papermill(*words):
        command = [sys.executable, "-m", "papermill", "notebooks/10_data.ipynb", "out.ipynb"]
        return toy.by_hand(*command, "-k", "python3", *words)

    assert papermill("-p", "show_photographs", "false").returncode == 0
    book = json.loads((toy.root / "out.ipynb").read_text())
    assert book["cells"][-1]["outputs"][0]["text"] == ["False\n"]

    # What is wrong stops it, with its sentence alone.
    failed = papermill("-p", "show_photographs", "nobody")
    assert failed.returncode == 1
    outputs = json.loads((toy.root / "out.ipynb").read_text())["cells"][-2]["outputs"]
    (error,) = [output for output in outputs if output["output_type"] == "error"]
    assert len(error["traceback"]) == 1 and "(write true or false)" in error["traceback"][0]


@pytest.mark.parametrize(
    ("parameters", "tags", "parts"),
    [
        ("seed: int = 0", (), ["10_data.ipynb", "0 code cells are tagged 'parameters'"]),
        ("sed: int = 0", ("parameters",), ["10_data.ipynb", "'sed'", "did you mean 'seed'"]),
        ('seed: int = "0"', ("parameters",), ["10_data.ipynb", "'seed' is '0'", "must be int"]),
        ("seed: int = 2 * 3", ("parameters",), ["10_data.ipynb", "line 1", "literal"]),
    ],
)
def test_a_notebook_with_a_wrong_parameters_cell_stops_everything(toy, parameters, tags, parts):
    toy.notebook("10_data", "1", parameters, tags)
    done = toy.run()
    assert done.returncode == 2 and not (toy.root / "runs").exists()
    assert [part for part in parts if part not in done.stderr] == [], done.stderr


def test_the_kernel_is_this_interpreter_whatever_is_registered(toy, tmp_path):
    spec = tmp_path / "share" / "kernels" / "python3"
    spec.mkdir(parents=True)
    broken = {"argv": ["/bin/false"], "display_name": "x", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(broken))
    toy.stage("10_data", "__import__('sys').executable")
    share = str(tmp_path / "share")
    environment = toy.environment() | {"JUPYTER_DATA_DIR": share, "JUPYTER_PATH": share}
    subprocess.run(
        toy.command(), env=environment, check=True, capture_output=True, timeout=60, cwd=tmp_path
    )
    assert toy.outputs()["10_data.txt"][0] == toy.command()[0]


def test_a_relative_path_is_the_callers(toy, tmp_path):
    toy.notebook("10_data", "1", 'data: str = "drawn"')
    (tmp_path / "faces.zip").touch()
    plan = toy.run("--dry-run", "--data", "faces.zip", cwd=tmp_path).stdout
    assert f"data: '{tmp_path}/faces.zip'" in plan


@pytest.mark.parametrize("data", ["drawn", "digits"])
def test_data_that_the_project_has_is_no_path(toy, data):
    toy.notebook("10_data", "1", 'data: str = "drawn"')
    done = toy.run("--dry-run", "-v", "--data", data)
    assert done.returncode == 0 and f"data: '{data}'" in done.stdout


def test_ready_made_images_become_a_pool(toy, tmp_path):
    toy.stage("20_generation", pool=True)
    assert "20_generation-folder" in toy.run("--dry-run", "--synthetic", str(tmp_path)).stdout


def test_no_message_travels_through_the_environment(toy):
    names = "[name for name in __import__('os').environ if name.startswith('STUDY_')]"
    toy.stage("10_data", names)
    assert toy.run().returncode == 0
    assert toy.outputs()["10_data.txt"][0] == "[]"


def stranger_of_this_machine() -> list[str]:
    """Give the words that make a command that of a user whom the system does not know, where this
    is root's machine; none elsewhere.
    """
    if os.geteuid() != 0:
        return []
    # It may read what root may, since that is where the interpreter lies.
    reads = "+dac_read_search"
    words = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    words += [f"--inh-caps={reads}", f"--ambient-caps={reads}"]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"]).returncode:
        pytest.skip("as root only what is mounted so is read-only")
    return words


def test_what_renders_pages_asks_for_no_home():
    known = {name: value for name, value in os.environ.items() if name != "HOME"}
    code = "from lib.report.notebook import _exporter; _exporter()"
    words = [*stranger_of_this_machine(), sys.executable, "-c", code]
    done = subprocess.run(words, env=known, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def container(toy, tmp_path):
    """A toy that cannot be written to, in a folder with blanks and umlauts; and how to become a
    user whom the system does not know, where this is root's machine.
    """
    toy = dataclasses.replace(toy, root=toy.root.rename(tmp_path / "Ordner für Gesichter"))
    toy.stage("10_data")
    stranger = stranger_of_this_machine()
    paths = [toy.root, *toy.root.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield toy, stranger
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


def test_a_stranger_without_a_home_runs_a_checkout_that_nobody_can_write_to(container, tmp_path):
    toy, stranger = container
    before = sorted(toy.root.rglob("*"))
    output = tmp_path / "Ausgabe für alle"
    output.mkdir()
    if stranger:
        os.chown(output, 54321, 54321)
    known = {name: value for name, value in toy.environment().items() if name != "HOME"}
    done = subprocess.run(
        [*stranger, *toy.command("--output", str(output))],
        env=known,
        capture_output=True,
        text=True,
        timeout=180,
        umask=0o077,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (output / "runs" / "quick" / "tables" / "10_data.txt").exists()
    assert (output / "reports" / "quick" / "index.html").exists()
    assert sorted(toy.root.rglob("*")) == before
    again = toy.run("--output", str(output))
    assert "Nothing changed" in again.stdout, again.stdout + again.stderr
