"""The models that a visitor can choose from, each loaded on first use."""

import threading
from collections.abc import Sequence
from pathlib import Path

from inversenet_tf.loading import load
from inversenet_tf.models.presets import is_preset
from inversenet_tf.restoration import closed_form
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.shipped import preset_folder, presets

CLOSED_FORM = "Closed form (no training)"


class Models:
    """The presets that ship with the package, the closed form, and the models of the command line.

    Args:
        places: runs, exports, files or addresses, as for `inversenet_tf.load`.
        trusted: as for `load`, for exports.
    """

    def __init__(self, places: Sequence[str] = (), trusted: bool = False):
        self._places = {name: name for name in presets() if is_preset(preset_folder(name))}
        self._places[CLOSED_FORM] = closed_form.NAME
        own = {}
        for place in places:
            # A visitor sees a name, not a path on the server.
            name = Path(str(place).rstrip("/")).name or "model"
            while name in self._places or name in own:
                name += "'"
            own[name] = place
        self._places = own | self._places
        self._trusted, self._loaded, self._lock = trusted, {}, threading.Lock()

    @property
    def names(self) -> list[str]:
        """The names that the visitor sees; the first is the default."""
        return list(self._places)

    def __getitem__(self, name: str) -> Restorer:
        """Returns the restorer of a name, loaded if it has not been yet.

        Raises:
            ValueError: there is none, or it cannot be loaded.
        """
        if name not in self._places:
            raise ValueError(f"Expected one of {', '.join(self.names)}. Received: {name}")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(self._places[name], trusted=self._trusted)
            return self._loaded[name]

    def check(self) -> None:
        """Loads all models but the closed form, so that a wrong one is reported at once."""
        for name in self.names:
            if self._places[name] != closed_form.NAME:
                self[name]
