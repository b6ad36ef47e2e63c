"""Public names of a package that are imported when they are first used."""

import importlib
from collections.abc import Callable


def lazily(package: str, public: dict[str, str]) -> tuple[Callable, Callable, list[str]]:
    """Returns what a package's `__init__` defines so that `import package` takes no time.

    Example:
        ```python
        __getattr__, __dir__, __all__ = lazily(__name__, {"load": "package.loading:load"})
        ```

    Args:
        package: its name.
        public: where each public name comes from: a module, or "module:attribute".

    Returns:
        `__getattr__` and `__dir__` of PEP 562, and `__all__`, which includes `__version__`.
    """
    names = [*public, "__version__"]
    loaded = importlib.import_module(package).__dict__

    def value_of(name):
        if name == "__version__":
            from importlib import metadata

            return metadata.version("inversenet-tf")
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = public[name].partition(":")
        value = importlib.import_module(module)
        loaded[name] = getattr(value, attribute) if attribute else value
        return loaded[name]

    def listed():
        return sorted({*loaded, *names})

    return value_of, listed, names
