"""InverseNet: imaging inverse problems solved by a U-Net and a denoising auto-encoder."""
