"""`eosdsl.apply_step`: text and tensors in, rows and weights out, or one clear diagnostic."""

from __future__ import annotations

import pytest
import torch

import eosdsl
from eosdsl import SpecError, apply_step

X = torch.randn(2, 32, 16, generator=torch.Generator().manual_seed(0))


def test_shapes_and_the_identity_of_rows_and_weights() -> None:
    attention = torch.rand(2, 4, 3, 32)
    steps = (
        "retain 25% by norm(hidden) via merge",
        "retain 25% by attention(query: last) via reweight(temperature: 0.2)",
        "remove 24 tokens via mix(0.6 merge, 0.4 prune)",
        "retain 1/4 by 0.7 * attention(query: last) + 0.3 * norm(keys) via merge(similarity: cosine(keys))",
        "retain 4 tokens by attention(query: text) via prune and retain 4 tokens pick uniform via merge",
    )
    for step in steps:
        made = apply_step(step, X, attention=attention, keys=torch.randn(2, 32, 8))
        assert made.hidden.shape == (2, 8, 16)
        assert made.anchors.shape == made.sizes.shape == (2, 8)
        assert made.weights.shape == (2, 8, 32)
        assert made.valid is None
        torch.testing.assert_close(made.weights @ X, made.hidden, atol=1e-5, rtol=1e-5)


def test_percentages_are_rounded_up_and_of_what_they_are_said_to_be() -> None:
    assert apply_step("retain 30%", X).hidden.shape[1] == 10
    assert apply_step("retain 1/3", X).hidden.shape[1] == 11
    assert apply_step("retain 10%", X, original=100).hidden.shape[1] == 10
    assert apply_step("retain 10% of incoming", X, original=100).hidden.shape[1] == 4
    assert apply_step("retain 100 tokens", X).hidden.shape[1] == 32
    assert apply_step("remove 5 tokens", X).hidden.shape[1] == 27
    assert apply_step("remove all", X).hidden.shape == (2, 0, 16)


def test_without_by_attention_decides_where_it_is_given_else_the_norm() -> None:
    attention = torch.rand(2, 4, 3, 32)
    by_attention = apply_step("retain 5 tokens", X, attention=attention)
    wanted = attention.mean((1, 2)).argsort(dim=1, descending=True)[:, :5].sort(dim=1).values
    assert torch.equal(by_attention.anchors, wanted)
    by_norm = apply_step("retain 5 tokens", X)
    assert torch.equal(by_norm.anchors, X.norm(dim=2).argsort(dim=1, descending=True)[:, :5].sort(dim=1).values)


def test_attention_by_query_where_a_step_reads_several() -> None:
    last, text = torch.rand(2, 4, 1, 32), torch.rand(2, 4, 6, 32)
    step = "retain 6 tokens by attention(query: last) * attention(query: text)"
    made = apply_step(step, X, attention={"last": last, "text": text})
    both = last.mean((1, 2)) * text.mean((1, 2))
    assert torch.equal(made.anchors, both.argsort(dim=1, descending=True)[:, :6].sort(dim=1).values)


def test_sizes_come_in_and_go_out() -> None:
    sizes = torch.randint(1, 5, (2, 32))
    made = apply_step("retain 6 tokens via merge", X, sizes=sizes)
    torch.testing.assert_close(made.sizes.sum(dim=1), sizes.sum(dim=1).float())
    again = apply_step("retain 2 tokens via merge", made.hidden, sizes=made.sizes, index=made.anchors)
    torch.testing.assert_close(again.sizes.sum(dim=1), sizes.sum(dim=1).float())


def test_keys_may_have_their_heads_apart() -> None:
    keys = torch.randn(2, 4, 32, 6)
    apart = apply_step("retain 6 tokens by norm(keys)", X, keys=keys)
    beside = apply_step("retain 6 tokens by norm(keys)", X, keys=keys.transpose(1, 2).reshape(2, 32, 24))
    assert torch.equal(apart.anchors, beside.anchors)


def test_relevance_reads_text_and_learned_reads_its_module() -> None:
    text = torch.randn(2, 3, 16)
    made = apply_step("retain 6 tokens by relevance(text)", X, text=text)
    cosines = torch.nn.functional.cosine_similarity(X[:, :, None], text[:, None], dim=3).mean(2)
    assert torch.equal(made.anchors, cosines.argsort(dim=1, descending=True)[:, :6].sort(dim=1).values)
    scores = torch.rand(2, 32)
    made = apply_step("retain 6 tokens by learned(gate)", X, learned={"gate": scores})
    assert torch.equal(made.anchors, scores.argsort(dim=1, descending=True)[:, :6].sort(dim=1).values)


def test_samples_of_different_length() -> None:
    valid = torch.arange(32) < torch.tensor([[32], [10]])
    made = apply_step("retain 25% via merge", X, valid=valid)
    assert made.valid is not None
    assert made.valid.sum(dim=1).tolist() == [8, 3]
    alone = apply_step("retain 25% via merge", X[1:, :10])
    torch.testing.assert_close(made.hidden[1, :3], alone.hidden[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_results_are_in_the_dtype_of_the_tokens(dtype: torch.dtype) -> None:
    for behaviour in ("prune", "merge", "reweight(temperature: 0.1)"):
        made = apply_step(f"retain 25% via {behaviour}", X.to(dtype))
        assert made.hidden.dtype == dtype
        assert made.sizes.dtype == torch.float32
        assert made.weights.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize(
    ("step", "named", "shown"),
    [
        ("retain 25% by norm(keys)", "keys=", "norm(keys)"),
        ("retain 25% by norm(values)", "values=", "norm(values)"),
        ("retain 25% by attention(query: text)", "attention=", "attention(query: text)"),
        ("retain 25% by relevance(text)", "text=", "relevance(text)"),
        ("retain 25% by learned(gate)", "learned=", "learned(gate)"),
        ("retain 25% pick bipartite(on: keys) via merge", "keys=", "bipartite(on: keys)"),
        ("retain 25% via merge(similarity: cosine(values))", "values=", "merge(similarity: cosine(values))"),
        ("retain rank(2)", "attention=", "rank(2)"),
    ],
)
def test_an_input_that_is_missing_is_one_error_at_what_reads_it(step: str, named: str, shown: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_step(step, X)
    (only,) = caught.value.diagnostics
    assert only.code == "E0240"
    assert named in only.helps[0]
    assert only.span is not None and step[only.span.start : only.span.end] == shown


@pytest.mark.parametrize(
    ("step", "code", "shown"),
    [
        ("retain 25% by nrom(hidden)", "E0220", "nrom"),
        ("retain 25%\n  via murge", "E0220", "murge"),
        ("retain 25% via reweight(temperature: 0)", "E0223", "0"),
        ("retain 25% via mix(0.5 merge(weight: mean), 0.5 pool(weight: size))", "E0228", None),
        ("retain ? 2%..60%", "E0242", None),
        ("retain 25% at layer 3: retain 1%", "E0242", None),
    ],
)
def test_mistakes_in_the_text_have_spans_in_it(step: str, code: str, shown: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        apply_step(step, X)
    found = caught.value.diagnostics[0]
    assert found.code == code
    if shown is not None:
        assert found.span is not None and step[found.span.start : found.span.end] == shown
    assert "<step>" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"keys": torch.rand(2, 3, 4)},
        {"sizes": torch.rand(2, 31)},
        {"attention": torch.rand(2, 4, 32)},
        {"attention": torch.rand(2, 4, 1, 31)},
        {"text": torch.rand(3, 16)},
        {"grid": (4, 4)},
    ],
)
def test_tensors_of_the_wrong_shape_are_named(given: dict[str, torch.Tensor]) -> None:
    with pytest.raises(SpecError) as caught:
        apply_step("retain 25%", X, **given)  # pyright: ignore[reportArgumentType]: wrong on purpose
    assert [one.code for one in caught.value.diagnostics] == ["E0241"]
    assert f"`{next(iter(given))}`" in caught.value.diagnostics[0].message
    with pytest.raises(SpecError):
        apply_step("retain 25%", X[0])
    with pytest.raises(SpecError):
        apply_step("retain 25%", X.long())


@pytest.mark.parametrize("step", ["retain 25% by relevance(text)", "retain 9 tokens pick repel(pivots: 2, text: yes)"])
def test_text_in_another_space_than_the_tokens_is_named(step: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_step(step, X, text=torch.randn(2, 3, 5))
    assert [one.code for one in caught.value.diagnostics] == ["E0241"]
    assert "`text`" in caught.value.diagnostics[0].message


def test_it_is_the_public_name() -> None:
    assert eosdsl.apply_step is apply_step
