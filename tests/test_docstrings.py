"""Every public function, class and method says what it is for."""

import importlib
import inspect
import pkgutil

import pytest

import blind_gan_tf
import inversenet_tf

MODULES = [
    module.name
    for package in (inversenet_tf, blind_gan_tf)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


def public_members(owner, module):
    """{name: function or class} of a module or class that are defined in this module."""
    members = {
        name: member.fget if isinstance(member, property) else member
        for name, member in inspect.getmembers(owner)
        if not name.startswith("_")
    }
    return {
        name: member
        for name, member in members.items()
        if getattr(member, "__module__", None) == module.__name__
        and (inspect.isfunction(member) or inspect.isclass(member))
    }


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_has_a_docstring(name):
    """A method may have that of the method which it overrides.

    What Keras calls, as `call` and `get_config`, the docstring of the class describes.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:  # of an extra that is not installed
        pytest.skip(str(error))
    assert inspect.getdoc(module)
    for member_name, member in public_members(module, module).items():
        assert member.__doc__, member_name
        if inspect.isclass(member):
            for method in public_members(member, module):
                assert is_described(member, method), f"{member_name}.{method}"


def is_described(owner, name):
    """Whether an attribute has a docstring, of its own or inherited, or is one of Keras."""
    for base in owner.__mro__:
        if name in vars(base):
            is_ours = base.__module__.split(".")[0] in ("inversenet_tf", "blind_gan_tf")
            if vars(base)[name].__doc__ or not is_ours:
                return True
    return False
