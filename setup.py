"""Installs amd_jax; requirements.txt lists the dependencies, pyproject.toml the tools."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
CORPORA = ("tensorflow-datasets", "importlib_resources", "array_record")  # fetch text8 and enwik8
RUFF = "ruff>=0.17,<0.18"  # as in .pre-commit-config.yaml: the format changes with minor releases
DEMO = ["starlette>=0.46", "uvicorn>=0.34"]
NOTEBOOKS = [
    "matplotlib>=3.9",
    "ipykernel>=6.29",
    "nbclient>=0.10",
    "nbformat>=5.10",
    "jupytext>=1.16",
]
DOCS = [
    *("mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1.0,<2"),
    "latex2mathml>=3.77,<4",
]
DIGITS = ["scikit-learn>=1.5"]  # a file of it: digits of 8 x 8 pixels
TABLES = [  # CSV, Parquet and Arrow in blocks; the tests by trees; data frames in and out
    *("pyarrow>=18", "scikit-learn>=1.5", "pandas>=3"),
]
LINES = ["tokenizers>=0.20", "selfies>=2.1"]  # tokens of several characters
EXAMPLES = ["equinox>=0.11"]  # a page of the documentation runs it
TYPES = ["beartype>=0.20"]  # with jaxtyping, checks annotations at every call in the tests
TEST = [
    *("pytest>=8.3", "pytest-xdist>=3.6", RUFF, "scipy>=1.14", *DEMO, "jupytext>=1.16"),
    *TYPES,
]
BROWSER = ["playwright>=1.50", "axe-playwright-python>=0.1.4"]  # with a Chromium of the system
TPU_CHECK = ["jax[tpu]"]  # libtpu, which compiles for TPUs on any machine
STATIC = ["mypy>=2", "pre-commit>=4"]
RELEASE = ["build>=1.2", "twine>=6"]


def constant(name: str) -> str:
    """A string of the package, read as text: importing it would need the dependencies."""
    source = (ROOT / "amd_jax" / "__init__.py").read_text(encoding="utf-8")
    return re.search(rf'^{name} = "([^"]+)"', source, re.MULTILINE)[1]


def requirements() -> list[str]:
    """The lines of requirements.txt, without comments."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in (raw.split("#")[0].strip() for raw in lines) if line]


def description() -> str:
    """README.md for a package index: relative links as addresses of this version."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    repository, version = constant("REPOSITORY"), constant("__version__")
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{repository}/raw/v{version}/", text)
    return re.sub(r"(\]\()(?!https?:)", rf"\1{repository}/blob/v{version}/", text)


LISTED = requirements()
FETCHING = [line for line in LISTED if line.startswith(CORPORA)]  # 240 MB, most of it pyarrow


def packages() -> list[str]:
    """The library, with the experiments in it: installed, `experiments` is anybody's name."""
    return [
        *setuptools.find_packages(include=["amd_jax*"]),
        *(f"amd_jax.{name}" for name in setuptools.find_packages(include=["experiments*"])),
    ]


setuptools.setup(
    name="amd_jax",
    version=constant("__version__"),
    description="Argmax flows and multinomial diffusion for categorical data, in JAX and Flax",
    long_description=description(),
    long_description_content_type="text/markdown",
    url=constant("REPOSITORY"),
    project_urls={
        "Documentation": "https://amd-jax.github.io/amd_jax/",  # as in mkdocs.yml
        "Changelog": f"{constant('REPOSITORY')}/blob/main/CHANGELOG.md",
        "Issues": f"{constant('REPOSITORY')}/issues",
        "Paper": "https://arxiv.org/abs/2102.05379",
    },
    keywords=[
        *("jax", "flax", "generative models", "categorical data", "discrete diffusion"),
        *("multinomial diffusion", "masked diffusion", "argmax flows", "normalizing flows"),
    ],
    license_expression="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=packages(),
    package_dir={"amd_jax.experiments": "experiments"},
    package_data={
        "": ["*.j2", "*.css", "*.js", "py.typed"],
        "amd_jax.data": ["*.npy"],
        "amd_jax.pretrained": [f"*/*.{end}" for end in ("json", "md", "png", "safetensors")],
    },
    entry_points={"console_scripts": ["amd-jax = amd_jax.experiments.__main__:start"]},
    install_requires=[line for line in LISTED if line not in FETCHING],
    extras_require={
        "corpora": FETCHING,
        "demo": DEMO,
        "digits": DIGITS,
        "lines": LINES,
        "tables": TABLES,
        "notebooks": NOTEBOOKS,
        "test": [*TEST, *FETCHING, *TABLES, *LINES],
        "docs": DOCS,
        "tpu-check": TPU_CHECK,
        "dev": [
            *(
                *TEST,
                *FETCHING,
                *TABLES,
                *LINES,
                *DEMO,
                *NOTEBOOKS,
                *DOCS,
                *EXAMPLES,
                *BROWSER,
                *RELEASE,
                *STATIC,
            )
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Mathematics",
        "Typing :: Typed",
    ],
)
