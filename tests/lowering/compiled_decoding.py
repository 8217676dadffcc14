"""Decoding as `generate` compiles it with a static cache, every graph of it counted instead of built."""

from __future__ import annotations

from typing import Any

from transformers import CompileConfig


def counted_graphs() -> tuple[list[Any], dict[str, Any]]:
    """The list that every compiled graph is put into, and what `generate` is given for it to be."""
    graphs: list[Any] = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    everywhere = CompileConfig(backend=count, mode=None, fullgraph=True)  # pyright: ignore[reportArgumentType]
    vars(everywhere)["_compile_all_devices"] = True
    return graphs, {"cache_implementation": "static", "compile_config": everywhere}
