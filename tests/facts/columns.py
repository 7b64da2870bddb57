"""Columns of all kinds, and a table, for tests."""

from amd_jax.facts import Column, TableFacts

COLUMNS = {
    "categories": Column("city", "categorical", values=("Bonn", "=cmd", "NA"), missing=""),
    "sizes": Column("size", "ordinal", values=("small", "medium", "large")),
    "integers": Column("age", "integer", values=("-3", "0", "17", "20"), missing="?"),
    "a grid": Column("wage", "integer", first=-5000, count=20_000, step=5, missing="NA"),
    "reals": Column("height", "real", values=("1.5", "1.50001", "2")),
    "a grid of reals": Column("price", "real", first=-150, count=900, decimals=2),
    "trimmed": Column("carat", "real", first=-15, count=500, decimals=1, form="trimmed"),
    "with a point": Column("x", "real", first=-1500, count=3000, decimals=3, form="point"),
    "commas": Column("x", "real", first=-1500, count=3000, decimals=3, form="trimmed,"),
    "few commas": Column("x", "real", values=("-1,5", "0", "2,25"), form=","),
    "rounded": Column("v", "real", first=-700, count=1401, decimals=3, rounded=True),
    "listed days": Column("born", "date", values=("01/02/1999", "02/01/2000"), form="%d/%m/%Y"),
    "days": Column("day", "date", first=-800, count=40_000, form="%Y-%m-%d", missing=""),
    "moments": Column(
        "at", "date", first=10**9 - 40, count=10**7, step=60, form="%-m/%-d/%Y %-H:%M"
    ),
    "one value": Column("k", "categorical", values=("x",)),
    "no value": Column("k", "categorical", missing="?"),
}

TABLE = TableFacts.of(
    (
        Column(
            "city", "categorical", values=("Bonn", "=cmd", 'a,"b'), missing="", reason="3 texts"
        ),
        Column("wage", "integer", first=-5000, count=20_000, missing="NA", missing_share=0.25),
        Column("k", "categorical", values=("one",)),
        Column("age, in years", "integer", values=("-3", "20")),
        Column("height", "real", first=150, count=300, decimals=2),
        Column("born", "date", first=0, count=400, form="%d/%m/%Y"),
        Column("size", "ordinal", values=("s", "m", "l")),
    ),
    "people",
)
