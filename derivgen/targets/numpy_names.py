"""Python names for tensors, indices and functions: the derivation's own wherever Python allows."""

from __future__ import annotations

import builtins
import keyword
import re

# What an emitted function uses itself; a tensor of that name gets an underscore at its end.
TAKEN = frozenset({
    "np", "params", "values", "batch", "dtype", "forward", "backward", "loss", "predict", "update",
    "parameters", "main", "sys", "json", "math", "windows", "add_windows", "contract", "erf",
    "lgamma", "digamma", "stop_gradient",
})  # fmt: skip
# What stands at the top of an emitted file; sizes and defined functions keep clear of it.
MODULE = frozenset({
    "BATCH", "CHUNK", "COMMANDS", "CONSTANTS", "DATA", "DECLARED", "DTYPE", "Dataset", "Diverged",
    "EPOCHS", "ERF_FAR", "ERF_MIDDLE", "ERF_NEAR", "Encoding", "FACTS", "FAILED", "FILES",
    "FIRST_STEP", "Failure", "HASH", "INPUTS", "Kept", "NETWORK", "NPZ_ERRORS", "NUMBER", "ONE_HOT",
    "OPTIMISER", "OPTIMISERS", "OUTPUT", "OUTPUT_SHAPE", "Optimiser", "PARAMETERS", "Progress",
    "RANDOMS", "RANGES", "SAMPLES", "SAMPLE_AXIS", "SETTINGS", "SIZES", "STATES", "STATE_UPDATES",
    "STEPS", "Source", "Stopped", "TARGETS", "USAGE", "VERDICTS", "VERSION", "add_windows",
    "all_finite", "argparse", "arranged", "as_json", "backward", "bad_cell", "bench_command",
    "check_command", "check_facts", "check_gradients", "check_one_hot", "check_parameter",
    "check_point", "checked", "class_count", "contract", "csv", "declared_data", "digamma", "draw",
    "encode_inputs", "encode_labels", "encode_targets", "encoded", "entries_to_check",
    "epoch_order", "erf", "eval_command", "evaluate", "extrapolate", "features_in", "find_classes",
    "first_row_of", "fit", "fit_scale", "forward", "fraction", "given_array", "given_point",
    "gradient_norm", "gzip", "held", "in_front", "io", "is_class", "json", "judge", "labels_in",
    "lgamma", "load_model", "loss", "loss_and_gradients", "main", "math", "measure", "mix",
    "names_in", "normal", "np", "number", "number_in", "numbers_in", "optimiser_for", "os",
    "output_csv", "output_json", "outputs", "parameters", "parser", "placed", "polynomial",
    "predict", "predict_command", "printable", "quoted", "random_bits", "random_data", "re",
    "read_any", "read_bytes", "read_csv", "read_idx", "read_idx_images", "read_idx_pair",
    "read_npz", "read_samples", "read_source", "read_table", "read_values", "refusal",
    "right_answers", "satisfying", "save_model", "scaling", "seed_number", "setting",
    "show_metrics", "sizes", "started", "stored_encoding", "stored_tensor", "struct", "sys",
    "target_columns", "time", "train_command", "trained", "uniform", "update", "violation",
    "whole_from", "windows", "with_draws", "write_whole", "zipfile", "zlib",
})  # fmt: skip
BUILTINS = frozenset(dir(builtins))


class Names:
    """One Python identifier for every name, unique within a scope."""

    def __init__(self, outer: Names | None = None, taken: frozenset[str] = TAKEN) -> None:
        self.taken = taken
        self.known: dict[str, str] = {}
        self.used: dict[str, None] = {}
        self.counts: dict[str, int] = {}
        self.outer = outer

    def __getitem__(self, name: str) -> str:
        """Return the identifier of a name, made at its first use."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self.fresh(name)
        return found

    def fresh(self, name: str) -> str:
        """Return a new identifier that looks like ``name``."""
        made = name if name.isascii() and name.isidentifier() else _identifier(name)
        while self._clashes(made):
            made = f"{made}_"
        self.used[made] = None
        return made

    def numbered(self, stem: str) -> str:
        """Return a new identifier ``stem1``, ``stem2``, ..."""
        count = self.counts.get(stem, 1)
        while self._clashes(f"{stem}{count}"):
            count += 1
        self.counts[stem] = count + 1
        self.used[f"{stem}{count}"] = None
        return f"{stem}{count}"

    def _clashes(self, name: str) -> bool:
        return (
            keyword.iskeyword(name)
            or name in self.taken
            or name in BUILTINS
            or name in self.used
            or (self.outer is not None and name in self.outer.used)
        )


def _identifier(name: str) -> str:
    stem = re.sub(r"\W", "_", name.replace("'", "_next"), flags=re.ASCII) or "_"
    return f"_{stem}" if stem[0].isdigit() else stem
