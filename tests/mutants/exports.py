"""Wrong changes of `amd_jax.exports`."""

from tests.mutants.mutant import Mutant

FOLDER, OF_FOLDER = "exports/export_folder.py", "exports/test_export_folder.py"
MUTANTS = [
    Mutant(
        "exports-config-unchecked",
        FOLDER,
        "        _check_digest(files / CONFIG, file, sums[CONFIG])\n",
        "",
        "a flipped byte of the config is refused",
        OF_FOLDER,
    ),
    Mutant(
        "exports-unread-is-complete",
        FOLDER,
        "    except ValueError:\n        (folder / CHECKSUMS).unlink(missing_ok=True)\n",
        "    except ValueError:\n",
        "a folder that cannot be read is left incomplete",
        OF_FOLDER,
    ),
    Mutant(
        "exports-facts-with-code",
        FOLDER,
        'if not type(facts).__module__.startswith("amd_jax."):',
        "if False:",
        "an export holds no code",
        OF_FOLDER,
    ),
    Mutant(
        "exports-newer-format",
        FOLDER,
        'if not 1 <= config["format"] <= FORMAT:',
        'if not 1 <= config["format"]:',
        "an export of a newer format is refused with its number",
        OF_FOLDER,
    ),
    Mutant(
        "exports-numbers-not-finite",
        "exports/tensors.py",
        "not np.isfinite(array).all():",
        "not np.isfinite(array).any():",
        "all numbers must be finite",
        OF_FOLDER,
    ),
]
