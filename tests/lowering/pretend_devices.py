"""Devices that are not there: tensors that say they are on one, compute on the CPU, and refuse to meet those of
another.

PyTorch's fake tensors do so without numbers; these have them, so that a model over several devices can be run to its
last logit. `maia` is a kind of device that PyTorch knows by name and brings no code for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

FIRST, SECOND, THIRD = (torch.device("maia", index) for index in range(3))
_MOVES = ("aten::_to_copy", "aten::copy_")


class MixedDevices(AssertionError):
    """Tensors of two devices met in one operation."""


class Pretending(Tensor):
    """A tensor on a device that is not there; `numbers` holds what it holds."""

    numbers: Tensor

    @staticmethod
    def __new__(cls: type[Pretending], real: Tensor, device: torch.device) -> Pretending:
        made = Tensor._make_wrapper_subclass(
            cls,
            real.size(),
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            device=device,
            requires_grad=False,
        )
        made.numbers = real
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportPrivateUsage, reportAssignmentType]

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _run(func, args, dict(kwargs or {}))

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"Pretending({self.numbers!r}, {self.device})"

    def contiguous(self, *_: Any, **__: Any) -> Tensor:
        """PyTorch's own would first switch to the device."""
        return self if self.is_contiguous() else self.clone(memory_format=torch.contiguous_format)

    def __invert__(self) -> Tensor:
        return self.bitwise_not()

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, tuple) and all(isinstance(one, Tensor) for one in index):
            return torch.ops.aten.index.Tensor(self, index)  # within `vmap` they are of no kind known here
        return Pretending(self.numbers[self._own(index)], self.device)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.numbers[self._own(index)] = self._own(value)

    def _own(self, given: Any) -> Any:
        """Indices and values as they are on the CPU. Raises MixedDevices where one is of another device."""

        def own(one: Tensor) -> Tensor:
            if one.device != self.device and one.ndim > 0:
                raise MixedDevices(f"{self.device} {tuple(self.shape)} indexed with {one.device} {tuple(one.shape)}")
            return one.numbers if isinstance(one, Pretending) else one

        return tree_map_only(Tensor, own, given)

    def tolist(self) -> Any:
        return self.numbers.tolist()


class _Everything(TorchDispatchMode):
    """What makes tensors without being given any (`torch.arange`, `torch.zeros`) comes here too."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _run(func, args, dict(kwargs or {}))


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor([...], device=...)` copies to a device behind the back of dispatching."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is not torch.tensor:
            return func(*args, **kwargs)
        place = kwargs.pop("device", None)
        made = func(*tree_map_only(Tensor, lambda one: one.tolist(), args), **kwargs)
        return made if place is None else made.to(place)


@contextmanager
def pretending() -> Generator[None]:
    """Inside, `tensor.to(SECOND)` and `torch.zeros(3, device=SECOND)` give tensors there."""
    with _Everything(), _FromNumbers():
        yield


def _run(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    given = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
    asked = kwargs.get("device")
    places = {one.device for one in given if not (one.ndim == 0 and one.device.type == "cpu")}
    if len(places) > 1 and func.name().partition(".")[0] not in _MOVES:
        raise MixedDevices(f"{func.name()}: {', '.join(f'{one.device} {tuple(one.shape)}' for one in given)}")
    place = torch.device(asked) if asked is not None else next(iter(places), torch.device("cpu"))
    if func.name().startswith("aten::copy_"):
        place = given[0].device
    if place.type == "maia" and asked is not None:
        kwargs["device"] = torch.device("cpu")
    real_args, real_kwargs = tree_map_only(Pretending, lambda one: one.numbers, (list(args), kwargs))
    result = func(*real_args, **real_kwargs)
    if place.type != "maia":
        return result
    by_real = {id(one.numbers): one for one in given if isinstance(one, Pretending)}
    return tree_map_only(Tensor, _wrapper(by_real, place), result)


def _wrapper(known: Mapping[int, Pretending], place: torch.device) -> Callable[[Tensor], Tensor]:
    """What was written to where it stands stays the tensor that it was."""
    return lambda real: known[id(real)] if id(real) in known else Pretending(real, place)
