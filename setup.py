"""Installs amd_jax; requirements.txt lists the dependencies, pyproject.toml the tools."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
RUFF = "ruff>=0.17,<0.18"  # as in .pre-commit-config.yaml: the format changes with minor releases
TEST = ["pytest>=8.3", "pytest-xdist>=3.6", RUFF, "scipy>=1.14"]


def version() -> str:
    """The package's `__version__`, read as text: importing it would need the dependencies."""
    source = (ROOT / "amd_jax" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)[1]


def requirements() -> list[str]:
    """The lines of requirements.txt, without comments."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in (raw.split("#")[0].strip() for raw in lines) if line]


setuptools.setup(
    name="amd_jax",
    version=version(),
    description="Argmax flows and multinomial diffusion for categorical data, in JAX and Flax",
    license_expression="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=setuptools.find_packages(include=["amd_jax*", "experiments*", "benchmarks*"]),
    install_requires=requirements(),
    extras_require={"test": TEST, "dev": [*TEST, "pre-commit>=4"]},
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
