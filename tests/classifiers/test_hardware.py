"""Hardware: GPUs are shared out among processes, and the switch of deterministic algorithms is put back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers.options import Options
from lib.classifiers.overview import how_trained
from lib.classifiers.recipes import RECIPES
from lib.classifiers.training import train
from lib.faces.drawn import drawn_study
from lib.generators import hardware

QUICK, FACES = replace(RECIPES["quick"], batch_size=16, curve_points=4), drawn_study(48, 7, 7, 0.0, 0).split("train")


@pytest.fixture
def gpus(monkeypatch):
    """Makes torch see so many GPUs."""
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_processes_share_the_gpus_that_may_be_seen(monkeypatch, gpus):
    monkeypatch.setattr(hardware, "cores", lambda: 16)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus(3)
    assert hardware.processes_on("cpu") == 16 and hardware.processes_on("cuda") == 6
    assert hardware.environments_on("cpu") == ({},)
    assert [own["CUDA_VISIBLE_DEVICES"] for own in hardware.environments_on("cuda")] == ["0", "1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-7")
    gpus(2)
    assert [own["CUDA_VISIBLE_DEVICES"] for own in hardware.environments_on("cuda")] == ["5", "GPU-7"]


@pytest.mark.parametrize("before", [True, False])
def test_the_switch_of_deterministic_algorithms_is_put_back(before):
    torch.use_deterministic_algorithms(before, warn_only=True)
    try:
        for wanted in (True, False):
            with pytest.raises(ZeroDivisionError), hardware.deterministic(wanted):
                assert torch.are_deterministic_algorithms_enabled() == wanted
                raise ZeroDivisionError
            assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_predictions_and_samples_ask_cudnn_for_float32_proper():
    before = torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.deterministic
    with hardware.repeatable():
        assert torch.backends.cudnn.deterministic and torch.backends.cudnn.conv.fp32_precision != "tf32"
    assert (torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.deterministic) == before


def test_weights_are_averaged_as_on_a_cpu_where_kernels_are_fused(monkeypatch):
    settings = {"classifier": "fast", "recipe": replace(QUICK, average_share=0.6), "seed": 0, "steps": 8, "evaluate": {"a": FACES}}
    plain = train(FACES, **settings).probabilities["a"]
    monkeypatch.setattr(torch.optim.swa_utils, "_get_foreach_kernels_supported_devices", lambda: ["cpu"])
    assert np.array_equal(train(FACES, **settings).probabilities["a"], plain)


def test_the_report_says_whether_runs_can_be_repeated():
    result = train(FACES, classifier="small", recipe=QUICK, seed=0, steps=2, options=Options(deterministic=False))
    assert result.facts["deterministic"] and not torch.are_deterministic_algorithms_enabled()
    runs = pd.DataFrame([result.facts, result.facts | {"device": "cuda", "precision": "bf16", "deterministic": False}])
    assert how_trained(runs) == (
        "1 runs on cpu in fp32: the same seed gives the same bytes; 1 runs on cuda in bf16: the same seed gives slightly other numbers"
    )


@pytest.mark.parametrize(("device", "native", "wanted", "found"), [
    ("cuda", True, "mixed", "bf16"), ("cuda", False, "mixed", "fp32"), ("cuda", True, "fp32", "fp32"), ("cpu", True, "mixed", "fp32"),
    ("cpu", True, "bf16", "bf16"), ("cpu", False, "bf16", "fp32"),
])  # fmt: skip
def test_a_precision_is_what_the_device_has(device, native, wanted, found, monkeypatch):
    monkeypatch.setattr(hardware, "has_bf16", lambda device: native)
    assert hardware.precision_on(device, wanted) == found
