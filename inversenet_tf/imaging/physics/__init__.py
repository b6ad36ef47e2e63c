"""Measurements y = N(A(x)): forward operators, blur kernels, noise and upsampling."""
