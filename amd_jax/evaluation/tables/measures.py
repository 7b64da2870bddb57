"""What the measures of samples of a table are called, wherever they are shown."""

NAMES = {
    "shape": "shape of the columns",
    "trend": "trend of their pairs",
    "detection_auc": "detection by trees, AUC",
    "logistic_auc": "detection by a linear model, AUC",
    "usefulness_auc": "usefulness for categories, AUC",
    "usefulness_r2": "usefulness for numbers, R²",
    "copies": "samples that are training rows",
    "copies_floor": "held-out rows that are training rows",
    "memory": "bits of held-out rows",
}
FLOOR = "_floor"  # ends what real rows reach
