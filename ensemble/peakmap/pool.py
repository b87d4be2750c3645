"""Stage `peakmap_pool`: the embeddings of a type's peaks → one feature of the type, by gated attention."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.parameters import Range

MOST_PEAKS = 4096


def peakmap_pool(
    embedding: NDArray[np.float32],
    logit: NDArray[np.float32],
    peak_index: NDArray[np.int32],
    *,
    k: Annotated[int, Range(1, MOST_PEAKS)] = MOST_PEAKS,
) -> dict[str, NDArray[np.float32]]:
    """`Z = Σ α_j X_j` with `α = softmax_j(a)` over the peaks of one type alone (CN115601749B [0105-0111]).

    `embedding` (P, L) holds X and `logit` (P, 1) the gated attention a of each map; `peak_index` (types, K) says which
    of them are a type's peaks, −1 for none. Computed in float64 and added up from a type's first peak to its last.
    Another order of a type's peaks changes `POOLED` by its last bit at most; `peakmap_select` gives them in one order.
    Maps that no index names, as of a batch that was filled up, change nothing.
    Returns `POOLED` float32 (types, L) and `ATTENTION` float32 (types, K), 0 where there is no peak; it sums to 1 for
    each type but for its own rounding, 1e-7. Raises ValueError for shapes that do not fit together, more than `k` peaks
    of a type, an index of no row, a type without any, and numbers that are not finite.
    """
    if peak_index.ndim == 2 and peak_index.shape[1] > k:
        raise ValueError(f"PEAK_INDEX is {list(peak_index.shape)}; wanted [types, K] with a K of at most {k}")
    check(embedding, logit, peak_index)
    chosen, row = peak_index >= 0, np.maximum(peak_index, 0)
    gate = np.where(chosen, logit[row, 0].astype(np.float64), -np.inf)
    weight = np.exp(gate - gate.max(axis=1, keepdims=True))
    attention = weight / in_order(weight)[:, None]
    pooled = in_order(attention[..., None] * embedding[row].astype(np.float64))
    return {"POOLED": pooled.astype(np.float32), "ATTENTION": attention.astype(np.float32)}


def in_order(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over axis 1 from the first to the last; NumPy's own sum groups the terms as suits the processor."""
    return np.cumsum(terms, axis=1)[:, -1]


def check(embedding: NDArray[np.float32], logit: NDArray[np.float32], peak_index: NDArray[np.int32]) -> None:
    count = len(embedding)
    if embedding.ndim != 2 or logit.shape != (count, 1) or peak_index.ndim != 2:
        raise ValueError(
            f"EMBEDDING is {list(embedding.shape)}, LOGIT {list(logit.shape)}, PEAK_INDEX {list(peak_index.shape)};"
            " wanted [maps, length], [maps, 1], [types, K]"
        )
    beyond = peak_index[(peak_index < -1) | (peak_index >= count)]
    if len(beyond):
        raise ValueError(f"PEAK_INDEX names {beyond[0]}; wanted rows of EMBEDDING, 0 to {count - 1}, or −1")
    # Also where K is 0.
    none = (peak_index < 0).all(axis=1)
    if none.any():
        raise ValueError(f"PEAK_INDEX {int(none.argmax())} names no map; a type without tiles has the all-zero map")
    bad = ~(np.isfinite(embedding).all(axis=1) & np.isfinite(logit[:, 0]))
    if bad.any():
        raise ValueError(f"EMBEDDING or LOGIT {int(bad.argmax())} is not finite: the encoder cannot take this map")
