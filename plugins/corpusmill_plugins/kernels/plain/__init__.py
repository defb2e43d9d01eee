"""Plain Python twins of the kernels: slow, short, and the definition of what the kernels compute."""
