"""A worker's model is the one that the job was planned with, and computes as it did there."""

from __future__ import annotations

from dataclasses import replace

from ..restore.restorer import Restorer
from ..types import VFEError
from .arithmetic import arithmetic_of
from .plan import Plan


def fitting(plan: Plan, restorer: Restorer | None, size: tuple[int, int]) -> Restorer:
    """Return the model of a plan for results of `size` (width, height); `restorer`, where that is it.

    Its windows are those of the plan, which the memory of another machine might not have chosen. Raises VFEError where
    this machine would compute on another kind of device or in other number formats.
    """
    planned = plan.arithmetic
    if restorer is None:
        plan.order.check_files()
    if restorer is None or arithmetic_of(restorer, size).window != planned.window:
        restorer = replace(plan.order.request.model, window=planned.window).load()
    here = arithmetic_of(restorer, size)
    if (here.device, here.dtype) != (planned.device, planned.dtype):
        raise VFEError(
            f"the job was planned for {planned.device} in {planned.dtype}, and here it would be {here.device} in "
            f"{here.dtype}; run it on such a machine, or plan it anew for this one"
        )
    return restorer
