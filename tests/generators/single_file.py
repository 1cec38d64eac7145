"""A diffusers pipeline as one safetensors file in the layout of Stable Diffusion's checkpoints."""

import re
from pathlib import Path

from safetensors.torch import save_file

# Names in diffusers, and in the original layout.
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def write_single_file(pipeline, path: Path) -> Path:
    """Write UNet, VAE and text encoder under their original names, in one file."""
    tensors = {}
    for name, value in pipeline.unet.state_dict().items():
        tensors[f"model.diffusion_model.{unet_name(name, pipeline.unet)}"] = value

    # The original's attention is made of 1 x 1 convolutions.
    levels = len(pipeline.vae.config.block_out_channels)
    for name, value in pipeline.vae.state_dict().items():
        if "attentions" in name and value.dim() == 2:
            value = value[:, :, None, None]
        tensors[f"first_stage_model.{vae_name(name, levels)}"] = value

    for name, value in pipeline.text_encoder.state_dict().items():
        full = name if name.startswith("text_model.") else f"text_model.{name}"
        tensors[f"cond_stage_model.transformer.{full}"] = value
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def unet_name(name: str, unet) -> str:
    """Translate one name of the UNet."""
    for diffusers_name, original in ENDS.items():
        if name.startswith(f"{diffusers_name}."):
            name = name.replace(diffusers_name, original, 1)
    block = re.match(
        r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name
    )
    if block:
        side, number, part, layer, rest = block.groups()
        number, layer = int(number), int(layer)
        each = unet.config.layers_per_block + 1  # blocks of the original for one of diffusers'
        first = number * each
        if part == "downsamplers":
            return f"input_blocks.{first + each}.0.{rest.replace('conv', 'op')}"
        if part == "upsamplers":
            attended = hasattr(unet.up_blocks[number], "attentions")
            return f"output_blocks.{first + each - 1}.{1 + attended}.{rest}"
        place = first + layer + (side == "down")
        kind = "input" if side == "down" else "output"
        name = f"{kind}_blocks.{place}.{int(part == 'attentions')}.{rest}"
    if "transformer_blocks" in name:
        return name
    for diffusers_name, original in RESNET.items():
        name = re.sub(rf"(blocks?\.[\d.]+)\.{diffusers_name}\.", rf"\1.{original}.", name)
    return name


def vae_name(name: str, levels: int) -> str:
    """Translate one name of the VAE.

    The original counts the decoder's blocks from the highest resolution.
    """

    def decoder_block(match: re.Match) -> str:
        return f"decoder.up.{levels - 1 - int(match[1])}.block.{match[2]}"

    def decoder_upsampler(match: re.Match) -> str:
        return f"decoder.up.{levels - 1 - int(match[1])}.upsample"

    def middle_block(match: re.Match) -> str:
        return f"mid.block_{int(match[1]) + 1}"

    patterns = (
        (r"encoder\.down_blocks\.(\d+)\.resnets\.(\d+)", r"encoder.down.\1.block.\2"),
        (r"encoder\.down_blocks\.(\d+)\.downsamplers\.0", r"encoder.down.\1.downsample"),
        (r"decoder\.up_blocks\.(\d+)\.resnets\.(\d+)", decoder_block),
        (r"decoder\.up_blocks\.(\d+)\.upsamplers\.0", decoder_upsampler),
        (r"mid_block\.resnets\.(\d+)", middle_block),
    )
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for diffusers_name, original in ATTENTION.items():
            name = name.replace(f"attn_1.{diffusers_name}.", f"attn_1.{original}.")
    return name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
