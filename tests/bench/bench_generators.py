"""What generators cost: images per second in training and sampling, memory, and diffusion
against the training example that diffusers gives.

    python tests/bench/bench_generators.py                       # each at 64 x 64 (and StyleGAN at 32 x 32), one thread
    python tests/bench/bench_generators.py --px 48 --width 24 --batch 32
    python tests/bench/bench_generators.py --device cuda --batch 64 --width 64

Rates count the processor's time on a CPU, so that other work on the machine does not enter, and the
clock's on a GPU. Each generator runs in a process
of its own for its peak memory. The peer is the loop of diffusers'
examples/unconditional_image_generation/train_unconditional.py (0.42, with
--use_ema), written out for one process, with the same network, batch and thread count; both
alternate. lucidrains' stylegan2-pytorch cannot be measured without a GPU: it asserts CUDA when it is imported.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from lib.generators.contract import NETWORKS, make_generator  # noqa: E402
from lib.study.machine import environment_facts  # noqa: E402
from lib.study.params import load_params  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--px", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16, help="training steps that are timed; StyleGAN's regularisers come every 4 and 16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help="one case, as JSON; prints its result as JSON")
    parser.add_argument("--peer", action="store_true", help="diffusers' training example alone")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.only:
        return print(json.dumps(measured(json.loads(asked.only), asked)))
    facts = environment_facts()
    print(
        f"{facts['cpu']}, {asked.threads} thread(s), {asked.device}, torch {torch.__version__}; width {asked.width}, batch {asked.batch}, "
        f"{asked.steps} steps"
    )
    if not asked.peer:
        cases = [{"generator": name, "gan_px": asked.px} for name in NETWORKS]
        cases += [{"generator": "stylegan", "gan_px": 32}, {"generator": "stylegan", "gan_px": asked.px, "gan_condition": "number"},
                  {"generator": "diffusion", "gan_px": asked.px, "diffusion_patch": 2}]  # fmt: skip
        print(f"{'generator':44s} {'training':>12s} {'sampling':>12s} {'memory':>9s} {'parameters':>11s}")
        for case in cases:
            words = [sys.executable, __file__, *sys.argv[1:], "--only", json.dumps(case)]
            row = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            name = " ".join(str(value) for value in case.values())
            print(
                f"{name:44s} {row['train']:8.1f} /s {row['sample']:10.1f} /s {row['memory_mb']:6.0f} MB {row['parameters'] / 1e6:9.2f} M",
                flush=True,
            )
    against_the_example(asked)


def measured(case: dict, asked) -> dict:
    """Time one generator: images per second in training and sampling, peak memory in MB, parameters."""
    sizes = {"gan_width": asked.width, "gan_batch": asked.batch, "device": asked.device}
    generator = make_generator(load_params("quick") | sizes | case)
    network = generator.network.to(asked.device).train()
    images = torch.rand(asked.batch, 1, generator.px, generator.px, device=asked.device) * 2 - 1
    labels = torch.arange(asked.batch, device=asked.device) % 7
    optimisers = network.optimisers()
    network.update(images, labels, 0, optimisers)
    began = clock(asked.device)
    for step in range(asked.steps):
        network.update(images, labels, step, optimisers)
    train = asked.steps * asked.batch / (clock(asked.device) - began)
    generator.sample(np.zeros(32, np.int64), np.arange(32))
    began = clock(asked.device)
    generator.sample(np.zeros(64, np.int64), np.arange(64))
    sample = 64 / (clock(asked.device) - began)
    on_gpu = asked.device == "cuda"
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"train": train, "sample": sample, "memory_mb": memory, "parameters": sum(p.numel() for p in network.parameters())}


def against_the_example(asked, rounds: int = 4) -> None:
    """Print our step of diffusion and the example's, in turns, and the ratio of their rates."""
    sizes = {"generator": "diffusion", "gan_px": asked.px, "gan_width": asked.width, "gan_batch": asked.batch, "device": asked.device}
    network = make_generator(load_params("quick") | sizes).network.to(asked.device).train()
    images = torch.rand(asked.batch, 1, asked.px, asked.px, device=asked.device) * 2 - 1
    labels = torch.arange(asked.batch, device=asked.device) % 7
    optimisers, theirs = network.optimisers(), example(asked)
    each = max(2, asked.steps // rounds)
    network.update(images, labels, 0, optimisers)
    theirs(images, labels)
    spent = {"ours": [], "example": []}
    for _ in range(rounds):
        for name, step in (("ours", lambda: network.update(images, labels, 1, optimisers)), ("example", lambda: theirs(images, labels))):
            began = clock(asked.device)
            for _ in range(each):
                step()
            spent[name].append(each * asked.batch / (clock(asked.device) - began))
    rates = {name: float(np.median(values)) for name, values in spent.items()}
    ratios = np.array(spent["ours"]) / np.array(spent["example"])
    print(f"diffusion at {asked.px} px: ours {rates['ours']:.1f} images/s, diffusers' example {rates['example']:.1f}; ratio "
    f"{np.median(ratios):.2f} "
          f"({ratios.min():.2f} to {ratios.max():.2f}, {rounds} rounds of {each} steps)")  # fmt: skip


def example(asked):
    """Write out one step of diffusers' training example: noise, UNet, AdamW, clipping, cosine learning rate, weight averaging."""
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    from lib.generators.diffusion import unet

    model = unet(asked.px, asked.width, 1).to(asked.device).train()
    ema = EMAModel(model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    noising = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    rates = get_scheduler("cosine", optimizer=optimiser, num_warmup_steps=500, num_training_steps=10_000)

    def step(images, labels) -> float:
        noise = torch.randn(images.shape, device=images.device)
        times = torch.randint(0, noising.config.num_train_timesteps, (len(images),), device=images.device).long()
        predicted = model(
            noising.add_noise(images, noise, times), times, class_labels=labels
        ).sample  # the example has no labels; the network is the same
        loss = torch.nn.functional.mse_loss(predicted.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rates.step()
        optimiser.zero_grad()
        ema.step(model.parameters())
        return loss.detach().item()  # the example logs it at every step

    return step


def clock(device: str) -> float:
    """Read the processor's time of this process, or the clock once the GPU is done."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


if __name__ == "__main__":
    main()
