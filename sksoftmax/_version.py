"""The version, which stamps the cache of compiled kernels, too."""

__version__ = "0.1.0.dev0"
