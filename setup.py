"""What pyproject.toml cannot say: a wheel holds the presets, which lie at the top of the clone."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PRESETS = ("train_configs", "eval_configs")


class BuildWithPresets(build_py):
    """Copies the presets to where `emollama.base.presets` looks for them in a wheel."""

    def run(self) -> None:
        """Build the package; an editable install finds the presets where they are."""
        super().run()
        if not self.editable_mode:
            for name in PRESETS:
                self.copy_tree(name, str(Path(self.build_lib) / "emollama/presets" / name))


setup(cmdclass={"build_py": BuildWithPresets})
