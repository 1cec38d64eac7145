"""What generators cost: speed of training and sampling, memory, and diffusion against a peer.

    python tests/bench/bench_generators.py                       # 64 x 64, one thread
    python tests/bench/bench_generators.py --px 48 --width 24 --batch 32
    python tests/bench/bench_generators.py --device cuda --batch 64 --width 64

Rates count the processor's time on a CPU, so that other work on the machine does not enter, and the
clock's on a GPU. Each generator runs in a process of its own for its peak memory. The peer is the
loop of diffusers' examples/unconditional_image_generation/train_unconditional.py (0.42, with
--use_ema), written out for one process, with diffusers' UNet of the same widths on the same
patches, the same batch and thread count; both alternate. lucidrains' stylegan2-pytorch cannot be
measured without a GPU: it asserts CUDA when it is imported.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from lib.faces.classes import EMOTIONS  # noqa: E402
from lib.generators.contract import NETWORKS, make_generator  # noqa: E402
from lib.study.machine import environment_facts  # noqa: E402
from lib.study.params import load_params  # noqa: E402

SAMPLES = 64  # images that are sampled for a rate
PATCH = 2  # side of the squares whose pixels become channels, ours and the peer's
ROUNDS = 4  # in which our step of diffusion and the peer's alternate


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    if options.only:
        print(json.dumps(measured(json.loads(options.only), options)))
        return
    facts = environment_facts()
    print(
        f"{facts['cpu']}, {options.threads} thread(s), {options.device}, torch "
        f"{torch.__version__}; width {options.width}, batch {options.batch}, {options.steps} steps"
    )
    if not options.peer:
        all_generators(options)
    against_the_peer(options)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--px", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--steps",
        type=int,
        default=16,
        help="training steps that are timed; a GAN's penalty comes every 16",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help="one case, as JSON; prints its result as JSON")
    parser.add_argument("--peer", action="store_true", help="diffusers' training example alone")
    return parser.parse_args()


def all_generators(options: argparse.Namespace) -> None:
    """Measure each generator in a process of its own, and print a line each."""
    cases = [{"generator": name, "gan_px": options.px} for name in NETWORKS]
    cases += [
        {"generator": "stylegan", "gan_px": 32},
        {"generator": "stylegan", "gan_px": options.px, "gan_condition": "number"},
        {"generator": "diffusion", "gan_px": options.px, "diffusion_patch": 1},
    ]
    heads = ("training", "sampling", "memory", "parameters")
    print(f"{'generator':44s} {heads[0]:>12s} {heads[1]:>12s} {heads[2]:>9s} {heads[3]:>11s}")
    for case in cases:
        command = [sys.executable, __file__, *sys.argv[1:], "--only", json.dumps(case)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        name = " ".join(str(value) for value in case.values())
        print(
            f"{name:44s} {row['train']:8.1f} /s {row['sample']:10.1f} /s "
            f"{row['memory_mb']:6.0f} MB {row['parameters'] / 1e6:9.2f} M",
            flush=True,
        )


def small_generator(case: dict, options: argparse.Namespace):
    """Make the generator of a case at the sizes asked for."""
    sizes = {
        "gan_width": options.width,
        "diffusion_channels": [options.width, 2 * options.width, 4 * options.width],
        "gan_batch": options.batch,
        "device": options.device,
    }
    return make_generator(load_params("quick") | sizes | case, EMOTIONS)


def random_batch(px: int, options: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a batch of random images and labels."""
    images = torch.rand(options.batch, 1, px, px, device=options.device) * 2 - 1
    labels = torch.arange(options.batch, device=options.device) % len(EMOTIONS)
    return images, labels


def measured(case: dict, options: argparse.Namespace) -> dict:
    """Measure one generator.

    Returns:
        train and sample: images per second; memory_mb: at its peak; parameters: their number.
    """
    generator = small_generator(case, options)
    network = generator.network.to(options.device).train()
    images, labels = random_batch(generator.px, options)

    # Training, after a step that warms up.
    optimisers = network.optimisers()
    network.update(images, labels, 0, optimisers)
    began = clock(options.device)
    for step in range(options.steps):
        network.update(images, labels, step, optimisers)
    train = options.steps * options.batch / (clock(options.device) - began)

    # Sampling, after a batch that warms up.
    generator.sample(np.zeros(32, np.int64), np.arange(32))
    began = clock(options.device)
    generator.sample(np.zeros(SAMPLES, np.int64), np.arange(SAMPLES))
    sample = SAMPLES / (clock(options.device) - began)

    return {
        "train": train,
        "sample": sample,
        "memory_mb": peak_memory(options.device),
        "parameters": sum(weights.numel() for weights in network.parameters()),
    }


def peak_memory(device: str) -> float:
    """Read the largest memory so far, MB: the GPU's, or that of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def against_the_peer(options: argparse.Namespace) -> None:
    """Print the rates of our step of diffusion and of the peer's, in turns, and their ratio."""
    generator = small_generator({"generator": "diffusion", "gan_px": options.px}, options)
    network = generator.network.to(options.device).train()
    images, labels = random_batch(options.px, options)
    optimisers, peer_step = network.optimisers(), peer(options)
    steps = {
        "ours": lambda: network.update(images, labels, 1, optimisers),
        "peer": lambda: peer_step(images, labels),
    }

    # Warm up, then alternate.
    for step in steps.values():
        step()
    each = max(2, options.steps // ROUNDS)
    rates = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            began = clock(options.device)
            for _ in range(each):
                step()
            rates[name].append(each * options.batch / (clock(options.device) - began))

    ratios = np.array(rates["ours"]) / np.array(rates["peer"])
    print(
        f"diffusion at {options.px} px: ours {np.median(rates['ours']):.1f} images/s, diffusers' "
        f"example {np.median(rates['peer']):.1f}; ratio {np.median(ratios):.2f} "
        f"({ratios.min():.2f} to {ratios.max():.2f}, {ROUNDS} rounds of {each} steps)"
    )


def peer(options: argparse.Namespace) -> Callable:
    """Write out one step of diffusers' training example.

    Noise, UNet, AdamW, clipping, cosine learning rate, weight averaging.
    """
    from diffusers import DDPMScheduler, UNet2DModel
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    model = UNet2DModel(
        sample_size=options.px // PATCH,
        in_channels=PATCH**2,
        out_channels=PATCH**2,
        block_out_channels=(options.width, 2 * options.width, 4 * options.width),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
        num_class_embeds=len(EMOTIONS),
    )
    model = model.to(options.device).train()
    ema = EMAModel(model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    schedule = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8
    )
    rates = get_scheduler(
        "cosine", optimizer=optimiser, num_warmup_steps=500, num_training_steps=10_000
    )

    def step(images, labels) -> float:
        # Predict the noise.
        images = torch.nn.functional.pixel_unshuffle(images, PATCH)
        noise = torch.randn(images.shape, device=images.device)
        times = torch.randint(0, 1000, (len(images),), device=images.device).long()
        noisy = schedule.add_noise(images, noise, times)
        predicted = model(noisy, times, class_labels=labels).sample
        loss = torch.nn.functional.mse_loss(predicted.float(), noise.float())

        # Update the weights.
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rates.step()
        optimiser.zero_grad()
        ema.step(model.parameters())
        return loss.detach().item()  # the example logs it at every step

    return step


def clock(device: str) -> float:
    """Read the processor's time of this process, or the clock once the GPU is done, seconds."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


if __name__ == "__main__":
    main()
