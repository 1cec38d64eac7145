"""Devices: GPUs are shared out among processes, and the switch of deterministic algorithms is
restored.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.classifiers.recipes import QUICK, TrainingOptions, TrainingPlan
from lib.classifiers.training import train
from lib.compute import devices
from lib.faces.drawn import drawn_study
from lib.study.errors import StudyError

TINY = replace(QUICK, batch_size=16, curve_points=4)
FACES = drawn_study(48, 7, 7, 0.0, 0).split("train")


@pytest.fixture
def gpus(monkeypatch):
    """Let torch see so many GPUs, and this process so many cores."""
    monkeypatch.setattr(devices, "cores", lambda: 16)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def visible_gpus() -> list[str]:
    """Return the GPU of each process."""
    return [variables["CUDA_VISIBLE_DEVICES"] for variables in devices.environments_on("cuda")]


def test_processes_share_the_gpus(gpus):
    gpus(3)
    assert devices.processes_on("cuda") == 6
    assert visible_gpus() == ["0", "1", "2"]


def test_processes_use_only_the_gpus_that_this_one_sees(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-7")
    gpus(2)
    assert visible_gpus() == ["5", "GPU-7"]


def test_on_a_cpu_there_is_one_process_a_core(gpus):
    gpus(0)
    assert devices.processes_on("cpu") == 16
    assert devices.environments_on("cpu") == ({},)


@pytest.mark.parametrize(
    ("name", "available", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, name, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert devices.resolve_device(name) == device


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError, match="sees no GPU"):
        devices.resolve_device("cuda")


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_the_switch_of_deterministic_algorithms_is_restored(before, wanted):
    torch.use_deterministic_algorithms(before, warn_only=True)
    try:
        with pytest.raises(ZeroDivisionError), devices.deterministic(wanted):
            assert torch.are_deterministic_algorithms_enabled() == wanted
            raise ZeroDivisionError
        assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_predictions_and_samples_ask_cudnn_for_full_float32():
    cudnn = torch.backends.cudnn
    before = cudnn.conv.fp32_precision, cudnn.deterministic
    with devices.repeatable():
        assert cudnn.deterministic
        assert cudnn.conv.fp32_precision != "tf32"
    assert (cudnn.conv.fp32_precision, cudnn.deterministic) == before


def test_weights_are_averaged_as_on_a_cpu_where_kernels_are_fused(monkeypatch):
    recipe = replace(TINY, weight_averaging_share=0.6)
    plan = TrainingPlan("fast", recipe, seed=0, steps=8)

    def probabilities() -> np.ndarray:
        return train(FACES, plan, evaluate={"faces": FACES}).probabilities["faces"]

    plain = probabilities()
    fused = "_get_foreach_kernels_supported_devices"
    monkeypatch.setattr(torch.optim.swa_utils, fused, lambda: ["cpu"])
    assert np.array_equal(probabilities(), plain)


def test_a_cpu_repeats_itself_whatever_the_option_says():
    options = TrainingOptions(deterministic=False)
    result = train(FACES, TrainingPlan("small", TINY, seed=0, steps=2, options=options))
    assert result.facts["deterministic"]
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("device", "native", "wanted", "precision"),
    [
        ("cuda", True, "mixed", "bf16"),
        ("cuda", False, "mixed", "fp32"),
        ("cuda", True, "fp32", "fp32"),
        ("cpu", True, "mixed", "fp32"),
        ("cpu", True, "bf16", "bf16"),
        ("cpu", False, "bf16", "fp32"),
    ],
)
def test_a_precision_is_what_the_device_has(device, native, wanted, precision, monkeypatch):
    monkeypatch.setattr(devices, "has_bf16", lambda device: native)
    assert devices.precision_on(device, wanted) == precision
