"""The command line, on a toy project: what runs, what is kept, what is said when something breaks."""

import json
import os
import re
import signal
import subprocess
import time

import pytest


def changed(before: dict, after: dict) -> set:
    """Name the files that were written anew."""
    return {name for name in after if before.get(name) != after[name]}


def wait_for(condition, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_help_is_there_in_under_a_second(toy):
    began = time.monotonic()
    done = toy.run("--help")
    assert done.returncode == 0 and "--study NAME" in done.stdout
    assert time.monotonic() - began < 1


def test_only_what_changed_runs_again(toy):
    toy.stage("10_data", "seed")
    (toy.root / "lib" / "helper.py").write_text('"""Help."""\n\n\ndef two():\n    return 2\n')
    text = toy.stage("40_training").read_text()
    text = text.replace("from lib.study", 'from lib.helper import two\\n",\n    "from lib.study')
    (toy.root / "notebooks" / "40_training.ipynb").write_text(text)

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

    (toy.root / "lib" / "helper.py").write_text('"""Help."""\n\n\ndef two():\n    return 1 + 1  # other code\n')
    assert "changed code: lib.helper" in toy.run("--dry-run").stdout
    toy.run()
    assert changed(done, toy.outputs()) == {"40_training.txt"}

    done = toy.outputs()
    plan = toy.run("--dry-run", "--set", "seed=1").stdout
    assert re.search(r"10_data +changed parameters: seed from 0 to 1\n +40_training +after 10_data", plan), plan
    assert "* seed: 1" in plan and toy.outputs() == done
    toy.run("--set", "seed=1")
    assert changed(done, toy.outputs()) == {"10_data.txt", "40_training.txt"}

    table = toy.root / "runs" / "quick" / "tables" / "40_training.txt"
    table.write_text("by hand")
    assert "tables/40_training.txt is not what it wrote" in toy.run("--list", "--set", "seed=1").stdout
    toy.run("--set", "seed=1")
    assert table.read_text() == "1"


def test_a_failing_notebook_stops_only_what_depends_on_it(toy):
    toy.stage("10_data")
    toy.notebook("40_training", "x = 1")
    toy.notebook("50_metrics", "x = 1\n\ny = x / 0")
    toy.stage("60_embedding")
    toy.stage("80_findings")
    done = toy.run()
    assert done.returncode == 1
    assert "the notebook ended without step.finish" in done.stdout
    toy.stage("40_training")
    done = toy.run()
    assert done.returncode == 1
    assert {"10_data.txt", "40_training.txt", "60_embedding.txt"} == set(toy.outputs())
    text = done.stdout[done.stdout.index("50_metrics failed") :].splitlines()[:5]
    assert text[0] == "50_metrics failed in code cell 3 of 3:"
    assert text[1] == "  ZeroDivisionError: division by zero"
    assert text[2] == "  at: y = x / 0"
    assert "An Exception was encountered" in open(text[3].split(": ")[1]).read()
    assert "same command again" in text[4]
    assert re.search("80_findings +skipped +needs 50_metrics", done.stdout)
    assert "1 executions kept" in done.stdout
    assert (toy.root / "reports" / "quick" / "index.html").read_text() == "10_data 40_training 50_metrics.failed 60_embedding"


def test_each_pool_has_its_own_executions_and_failures(toy):
    toy.stage("10_data")
    toy.stage("20_generation", "pool", pool=True)
    toy.notebook("30_curation", "assert pool != 'dcgan'", 'pool: str = "drawn-faithful"')
    done = toy.run("--set", "pools=dcgan,drawn-narrow", "--workers", "2")
    assert {text for text, _ in toy.outputs("quick/pools/*/*.txt").values()} <= {"dcgan", "drawn-narrow"}
    assert len(list((toy.root / "runs").glob("quick/pools/*/20_generation.txt"))) == 2
    assert "30_curation-dcgan failed" in done.stdout and "AssertionError" in done.stdout
    assert "30_curation-drawn-narrow failed" in done.stdout and "step.finish" in done.stdout
    assert toy.run("--only", "20", "--set", "pools=dcgan,drawn-narrow").returncode == 0
    index = toy.root / "reports" / "quick" / "index.html"
    toy.run("--only", "20", "--set", "pools=dcgan")
    assert "20_generation-drawn-narrow" not in index.read_text()
    assert "Nothing changed" in toy.run("--only", "20", "--set", "pools=dcgan,drawn-narrow").stdout
    assert "20_generation-drawn-narrow" in index.read_text()


SLOW = """
from pathlib import Path
import os, time
from lib.study.records import begin
step = begin("40_training", study=study, output=output)

(step.paths.root / "pid").write_text(str(os.getpid()))
time.sleep(60 if not (step.paths.root / "quick").exists() else 0)

target = step.paths.tables / "40_training.txt"
target.parent.mkdir(exist_ok=True)
target.write_text("1")
step.finish([target])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_it_goes_on_where_it_was(toy, how):
    toy.stage("10_data")
    toy.notebook("40_training", SLOW)
    folder = toy.root / "runs" / "quick"
    with subprocess.Popen(toy.command(), env=toy.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        wait_for((folder / "pid").exists)
        second = toy.run()
        assert second.returncode == 2 and f"quick is being run by process {run.pid} on" in second.stderr
        run.send_signal(how)
        said = run.communicate(timeout=20)[1]
    if how == signal.SIGINT:
        assert run.returncode == 130 and "the same command goes on from here" in said
    kernel = int((folder / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{kernel}") or "Z" in open(f"/proc/{kernel}/stat").read(), 10)
    assert not (folder / "notebooks" / "40_training.ipynb").exists()

    (folder / "quick").touch()
    before = toy.outputs()
    again = toy.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert changed(before, toy.outputs()) == {"40_training.txt"}
    assert not list((folder / "notebooks").glob("*.running.ipynb"))


def test_fresh_sets_finished_work_aside(toy):
    toy.stage("10_data")
    toy.run()
    before = toy.outputs()
    done = toy.run("--fresh")
    assert "earlier work set aside" in done.stdout and re.search("10_data +done", done.stdout)
    assert len(list((toy.root / "runs").glob("quick-before-*/tables/10_data.txt"))) == 1
    assert toy.outputs("quick/**/*.txt")["10_data.txt"][1] != before["10_data.txt"][1]


def test_a_person_s_decisions_are_an_input_of_curation_and_survive_a_fresh_run(toy):
    toy.stage("20_generation", pool=True)
    toy.stage("30_curation", "(step.paths.review(pool).read_text() if step.paths.review(pool).exists() else 'none')", pool=True)
    toy.stage("40_training", "(step.paths.pool('dcgan') / '30_curation.txt').read_text()")
    pools = ("--set", "pools=dcgan,drawn-narrow")
    toy.run(*pools)
    review = toy.root / "runs/quick/pools/curation/dcgan/review.csv"
    review.parent.mkdir(parents=True)
    review.write_text("id,decision\na,reject\n")
    plan = toy.run("--dry-run", *pools).stdout
    assert (
        "30_curation-dcgan                changed sources: review" in plan
        and "40_training                      after 30_curation-dcgan" in plan
    )
    assert re.search(r"20_generation-dcgan +kept", plan) and re.search(r"30_curation-drawn-narrow +kept", plan)
    again = toy.run(*pools).stdout
    assert "3 executions kept, 2 run" in again and "a,reject" in toy.outputs()["40_training.txt"][0]
    assert "Nothing changed" in toy.run(*pools).stdout
    toy.run("--fresh", *pools)
    assert "a,reject" in review.read_text() and "a,reject" in toy.outputs("quick/**/*.txt")["40_training.txt"][0]


def test_only_needs_what_comes_before(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    done = toy.run("--only", "40")
    assert done.returncode == 1 and "10_data has not finished; run it first: --only 10" in done.stdout
    assert "no notebook 99; there are 10, 40" in toy.run("--only", "99").stderr
    assert "write stages as 40,50 or 40-60" in toy.run("--only", "train").stderr


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--set", "train_step=5"], ["'train_step'", "did you mean 'train_steps'"]),
        (["--study", "quik"], ["no study 'quik'", "'quick'"]),
        (["--study", "schuermann"], ["needs real faces", "--data PATH"]),
        (["--data", "/no/such.zip"], ["data: /no/such.zip: no such file"]),
        (["--synthetic", "nowhere"], ["synthetic: ", "nowhere: no such file"]),
        (["--set", "review_csv=nobody.csv"], ["review_csv: ", "nobody.csv: no such file"]),
        (["--set", "face_model=yunet.onnx"], ["face_model: ", "yunet.onnx: no such file"]),
        (["--set", "pools=drawn-narow"], ["no pool 'drawn-narow'", "did you mean 'drawn-narrow'"]),
    ],
)
def test_a_mistake_stops_before_anything_is_made(toy, words, parts):
    toy.stage("20_generation", pool=True)
    done = toy.run(*words)
    assert done.returncode == 2 and not (toy.root / "runs").exists()
    assert [part for part in parts if part not in done.stderr] == [], done.stderr
    assert len(done.stderr.splitlines()) == 1


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
    (spec / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    toy.stage("10_data", "__import__('sys').executable")
    environment = toy.environment() | {"JUPYTER_DATA_DIR": str(tmp_path / "share"), "JUPYTER_PATH": str(tmp_path / "share")}
    subprocess.run(toy.command(), env=environment, check=True, capture_output=True, timeout=60, cwd=tmp_path)
    assert toy.outputs()["10_data.txt"][0] == toy.command()[0]


def test_a_relative_path_is_the_callers(toy, tmp_path):
    toy.notebook("10_data", "1", 'data: str = "drawn"')
    (tmp_path / "faces.zip").touch()
    assert f"data: '{tmp_path}/faces.zip'" in toy.run("--dry-run", "--data", "faces.zip", cwd=tmp_path).stdout


def test_ready_made_images_become_a_pool(toy, tmp_path):
    toy.stage("20_generation", pool=True)
    assert "20_generation-folder" in toy.run("--dry-run", "--synthetic", str(tmp_path)).stdout
