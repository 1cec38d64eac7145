"""A diffusers pipeline written as one safetensors file in the layout of the original Stable Diffusion checkpoints."""

import re
from pathlib import Path

from safetensors.torch import save_file

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1",
          "conv_shortcut": "skip_connection"}  # fmt: skip
ENDS = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
"conv_norm_out": "out.0",
        "conv_out": "out.2", "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2"}  # fmt: skip
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def write_single_file(pipeline, path: Path) -> Path:
    """Write UNet, VAE and text encoder under their original names, in one file."""
    tensors = {f"model.diffusion_model.{unet_name(name, pipeline.unet)}": value for name, value in pipeline.unet.state_dict().items()}
    for name, value in pipeline.vae.state_dict().items():
        linear = "attentions" in name and value.dim() == 2  # the original's attention is made of 1 x 1 convolutions
        tensors[f"first_stage_model.{vae_name(name, len(pipeline.vae.config.block_out_channels))}"] = (
            value[:, :, None, None] if linear else value
        )
    for name, value in pipeline.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.{name if name.startswith('text_model.') else 'text_model.' + name}"] = value
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def unet_name(name: str, unet) -> str:
    """Translate one name of the UNet."""
    layers = unet.config.layers_per_block
    for ours, theirs in ENDS.items():
        if name.startswith(f"{ours}."):
            name = name.replace(ours, theirs, 1)
    if block := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name):
        side, number, part, layer, rest = block[1], int(block[2]), block[3], int(block[4]), block[5]
        if part == "downsamplers":
            return f"input_blocks.{(number + 1) * (layers + 1)}.0.{rest.replace('conv', 'op')}"
        if part == "upsamplers":
            attended = hasattr(unet.up_blocks[number], "attentions")
            return f"output_blocks.{number * (layers + 1) + layers}.{1 + attended}.{rest}"
        place = 1 + number * (layers + 1) + layer if side == "down" else number * (layers + 1) + layer
        name = f"{'input' if side == 'down' else 'output'}_blocks.{place}.{int(part == 'attentions')}.{rest}"
    for ours, theirs in () if "transformer_blocks" in name else RESNET.items():
        name = re.sub(rf"(blocks?\.[\d.]+)\.{ours}\.", rf"\1.{theirs}.", name)
    return name


def vae_name(name: str, levels: int) -> str:
    """Translate one name of the VAE; the original counts the decoder's blocks from the highest resolution."""
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.resnets\.(\d+)", r"encoder.down.\1.block.\2", name)
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    name = re.sub(r"decoder\.up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"decoder.up.{levels - 1 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"decoder\.up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"decoder.up.{levels - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for ours, theirs in ATTENTION.items():
            name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    return name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
