"""The first key behind a prefix is kept: queries ask for it again and again, and a key that comes or goes moves it.

Bounded by generations: when the younger one is full it becomes the older one, and what was not asked for meanwhile is
gone. So a look-up is a dictionary's, and making room costs nothing.
"""

from __future__ import annotations

from convexpy.values import key_boundaries

FIRST_KEYS_MAX = 100_000
"""Of each index."""
ENTRY_OVERHEAD_BYTES = 200

FirstKey = tuple[bytes, str] | None
"""The first `(key, id)` behind a prefix. With an empty id: only that none comes before this key. None: there is none."""
UNKNOWN: tuple[bytes, str] = (b"", "")


class _FirstKeysOfIndex:
    """First keys by `(prefix, desc)`."""

    __slots__ = ("_old", "_young", "longest")

    def __init__(self) -> None:
        self.longest = 0
        self._young: dict[tuple[bytes, bool], FirstKey] = {}
        self._old: dict[tuple[bytes, bool], FirstKey] = {}

    def get(self, prefix: bytes, desc: bool) -> FirstKey:
        found = self._young.get((prefix, desc), UNKNOWN)
        if found is UNKNOWN and (prefix, desc) in self._old:
            found = self._old.pop((prefix, desc))
            self.put(prefix, desc, found)
        return found

    def put(self, prefix: bytes, desc: bool, first: FirstKey) -> None:
        if len(self._young) >= FIRST_KEYS_MAX // 2:
            self._old, self._young = self._young, {}
        self.longest = max(self.longest, len(prefix))
        self._young[prefix, desc] = first

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class FirstKeys:
    """First keys behind prefixes, as a store sees them: memory over checkpoint.

    It must be told of every key that comes or goes, and cleared when changes are undone.
    """

    def __init__(self) -> None:
        self._indexes: dict[int, _FirstKeysOfIndex] = {}

    def get(self, index: int, prefix: bytes, desc: bool) -> FirstKey:
        """Return the first key that starts with the values of `prefix`, the last one with `desc`, or UNKNOWN."""
        found = self._indexes.get(index)
        return found.get(prefix, desc) if found is not None else UNKNOWN

    def keep(self, index: int, prefix: bytes, desc: bool, first: FirstKey) -> None:
        """Remember a first key, or that there is none."""
        found = self._indexes.get(index)
        if found is None:
            found = self._indexes[index] = _FirstKeysOfIndex()
        found.put(prefix, desc, first)

    def changed(self, index: int, key: bytes, id: str | None) -> None:
        """Follow a key that comes, with its document's id, or goes."""
        found = self._indexes.get(index)
        if found is None:
            return
        for end in (0, *key_boundaries(key)):
            if end > found.longest:
                return
            prefix = key[:end]
            for desc in (False, True):
                first = found.get(prefix, desc)
                if first is UNKNOWN:
                    continue
                if id is None:
                    if first is not None and first[0] == key and first[1]:
                        # What comes next is not known, but where to look for it: a queue is not searched from its start.
                        found.put(prefix, desc, (key if desc else key + b"\0", ""))
                elif first is None or (key >= first[0] if desc else key <= first[0]):
                    found.put(prefix, desc, (key, id))

    def clear(self) -> None:
        """Forget everything."""
        self._indexes.clear()

    @property
    def size_bytes(self) -> int:
        """About how much the cache takes."""
        return sum(map(len, self._indexes.values())) * ENTRY_OVERHEAD_BYTES
