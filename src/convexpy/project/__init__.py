"""A developer's project: configuration, target, files to push, generated code, scaffolds, local state.

A command needs a few of these names, so each is imported when it is first used. They are in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
