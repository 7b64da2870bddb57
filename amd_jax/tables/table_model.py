"""A model of a table in Python: data frames in, data frames out."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from amd_jax import pretrained
from amd_jax.cli import experiment_files
from amd_jax.data import table
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import gallery
from amd_jax.evaluation.tables import conditional, guidance
from amd_jax.experiment import Experiment, load_run
from amd_jax.facts import table_conditions
from amd_jax.facts.table import TableFacts
from amd_jax.types import Model, Params


@dataclasses.dataclass(frozen=True, eq=False)
class TableModel:
    """A trained model of a table: it samples, fills and scores rows as data frames of pandas.

    `fit` trains one; `of_run` and `of_weights` open what is trained. Conditions, fillings and the
    bits of cells are for masked diffusion (`own_table`), the others sample and score rows.
    """

    model: Model
    params: Params
    facts: TableFacts

    @classmethod
    def of_run(cls, workdir: str | Path) -> "TableModel":
        """The model of a run in a folder."""
        run, params = load_run(workdir)
        return cls(run.model, params, _checked(run.facts))

    @classmethod
    def of_weights(cls, name: str) -> "TableModel":
        """Exported weights: a name in the package, or a folder."""
        model, params, facts = pretrained.load(name)
        return cls(model, params, _checked(facts))

    def sample(
        self,
        number: int,
        given: str | Mapping[str, object] = "",
        where: Callable[[Any], Any] | None = None,
        seed: int = 0,
        guidance: float | None = None,
        particles: int | None = None,
    ) -> Any:
        """`number` rows, as a data frame.

        Args:
            number: of rows.
            given: conditions such as "income=>50K, age=30..40" or {"income": ">50K", "age":
                (30, 40)}: rows are drawn from the exact conditional law (`conditional.draws`).
                Of a mapping None is a missing cell, a list several values, and a tuple a range
                with both ends, where None is no end.
            where: data frame -> which of its rows to keep; others are drawn anew.
            seed: of the draws.
            guidance: power of p(given | rest of the row), of values that are given. 1 is the
                conditional law, and more makes rows more typical of what is given.
            particles: of each row, for guidance, 64 unless given: the more, the nearer to its
                law. One is plain classifier-free guidance, which is biased.

        Raises:
            ValueError: for an unknown column or value, conditions that hardly any row meets, or
                guidance towards nothing or several values.
        """
        if guidance is not None or particles is not None:
            return self._guided(number, given, where, seed, guidance, particles)
        if not given and where is None:
            shape = (number, *self.facts.event_shape)
            rng = jax.random.key(seed)
            return self.facts.to_pandas(gallery.samples(self.model, self.params, rng, shape))

        def keep(rows: conditional.Rows) -> np.ndarray:
            assert where is not None
            return np.asarray(where(self.facts.to_pandas(rows)), bool)

        conditions = table_conditions.parse(self.facts, given) if given else {}
        rows, _ = conditional.draws(
            self.model,
            self.params,
            self.facts,
            conditions,
            number,
            seed,
            keep if where else None,
        )
        return self.facts.to_pandas(rows)

    def _guided(
        self,
        number: int,
        given: str | Mapping[str, object],
        where: Callable[[Any], Any] | None,
        seed: int,
        strength: float | None,
        particles: int | None,
    ) -> Any:
        if strength is None or not given or where is not None:
            raise ValueError(
                "Guidance has a strength, and values that are given, and no `where`: "
                'sample(100, given="column=value", guidance=2.0, particles=64).'
            )
        sampler = Guided(strength, Guided.particles if particles is None else particles)
        conditions = table_conditions.parse(self.facts, given)
        about = self.model, self.params, self.facts, conditions
        return self.facts.to_pandas(guidance.draws(*about, number, sampler, seed).rows)

    def fill(self, frame: Any, number: int = 1, seed: int = 0) -> Any:
        """A data frame with values drawn for its missing cells; each row `number` times.

        Drawn given the known cells, and given that no cell is missing. Warns of rows for which
        that is not exact. A column that the frame does not have is missing as a whole.
        """
        x = table.encode_pandas(frame, self.facts, gaps=True)
        x = np.repeat(x, number, axis=0)
        filled = conditional.filled_with_values(self.model, self.params, self.facts, x, seed)
        if filled.weighted:
            warnings.warn(f"Rows {filled.describe()}.", stacklevel=2)
        result = self.facts.to_pandas(filled.rows)
        result.index = frame.index.repeat(number)
        return result

    def score(self, frame: Any, seed: int = 0) -> Any:
        """The bits of every row, as a data frame; with masks of each cell given the others, too.

        Many bits are rare rows, and cells that do not fit the rest of theirs.
        """
        x = table.encode_pandas(frame, self.facts)
        _, of_rows = conditional.row_bits(self.model, self.params, self.facts, x, seed=seed)
        result = frame.index.to_frame(index=False).iloc[:, :0]
        result["bits"] = of_rows.sums
        if conditional.admits(self.model):
            cells = conditional.cell_bits(self.model, self.params, self.facts, x)
            for column, bits in zip(self.facts.columns, cells.T, strict=True):
                result[f"bits of {column.name}"] = bits
        result.index = frame.index
        return result


def fit(
    source: Any,
    workdir: str | Path,
    experiment: str = "own_table",
    columns: str = "",
    steps: int | None = None,
    seed: int = 0,
) -> TableModel:
    """Trains a model on a data frame, or on the file of a table, and keeps the run in a folder.

    The same call again goes on where it was stopped.

    Args:
        source: a data frame of pandas, which is kept in the folder, or the path of a file.
        workdir: the folder of the run.
        experiment: one of the experiments on a table, such as "own_table_autoregressive".
        columns: overrides kinds of columns, "age:integer,id:drop".
        steps: of training; those of the experiment unless given.
        seed: of the training.

    Raises:
        ValueError: for what is no table.
    """
    if not isinstance(source, str | Path):
        path = Path(workdir) / "table.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        source.to_parquet(path, index=False)
        source = path
    opened = Experiment.open(experiment_files.file(experiment))
    config = opened.config()
    config.seed, config.data.path, config.data.columns = seed, str(source), columns
    config.num_steps = steps or config.num_steps
    run, params = opened.fit(workdir, config)
    return TableModel(run.model, params, _checked(run.facts))


def _checked(facts: object) -> TableFacts:
    """The facts, if they are of a table; else ValueError."""
    if not isinstance(facts, TableFacts):
        raise ValueError(f"A model of a table is needed; this is one of {type(facts).__name__}.")
    return facts
