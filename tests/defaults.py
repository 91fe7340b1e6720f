"""Sections of the settings as a configuration that says nothing of them gives them, changed here and there."""

from understudy.settings import FlowSettings, PoseSettings, SurfaceSettings, from_params
from understudy.validation import complete

_FILLED = complete({"performers": {"nobody": {"clips": ["none"]}}})


def pose_settings(backend: str, **changes) -> PoseSettings:
    """The pose section with this backend and these changes."""
    return from_params(PoseSettings, _FILLED["pose"] | {"backend": backend} | changes)


def flow_settings(backend: str = "dis", **changes) -> FlowSettings:
    """The flow section with this backend and these changes."""
    return from_params(FlowSettings, _FILLED["flow"] | {"backend": backend} | changes)


def surface_settings(backend: str, **changes) -> SurfaceSettings:
    """The surface section with this backend and these changes."""
    return from_params(SurfaceSettings, _FILLED["surface"] | {"backend": backend} | changes)
