"""The CUDA backend: flat kernels as readable Python source from a `Program`, compiled by numba.cuda."""
