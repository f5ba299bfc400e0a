"""Where an export is written: a folder, here or in an object store.

Each file appears under its name whole, or not at all.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_BUCKETS = frozenset({"s3", "gcs", "abfs"})
_AZURE = "az://"
_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"


class Store(Protocol):
    """A folder. Names of files in it have slashes between their parts.

    Every method raises StorageError if the store cannot be read or written.
    """

    @property
    def address(self) -> str:
        """The folder, as a user wrote it."""

    @property
    def uri(self) -> str:
        """The folder as an URI."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names in a folder; empty if there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if there is none."""

    def writing(self, name: str) -> AbstractContextManager[Any]:
        """Open a file to write, which is in place after the block."""

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""


def store_of(address: str, archive: Path) -> Store:
    """Return the store of a path or of an address, as `s3://bucket/folder`.

    The credentials of an object store are those of its own tools: environment, files, or the machine's identity.

    Raises:
        ConfigurationError: The address is not one of a known store, or is a file.
    """
    if "://" not in address:
        path = Path(address)
        if path.exists() and not path.is_dir():
            raise ConfigurationError(f"{path} is not a folder", hint="name a folder")
        return _LocalStore(path, archive)
    from pyarrow import fs  # type: ignore[import-untyped]  # noqa: PLC0415  # optional and large

    try:
        if address.startswith(_AZURE):
            if _ACCOUNT not in os.environ:
                raise ConfigurationError(f"{_AZURE} needs {_ACCOUNT}", hint=f"set {_ACCOUNT}")
            return _ObjectStore(fs.AzureFileSystem(os.environ[_ACCOUNT]), address.removeprefix(_AZURE), address)
        filesystem, root = fs.FileSystem.from_uri(address)
    except (ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"{address} is no address to write to: {reason}", hint="write s3://bucket/folder"
        ) from None
    if not root.strip("/"):
        raise ConfigurationError(f"{address} names no bucket", hint="write s3://bucket/folder")
    return _ObjectStore(filesystem, root, address)


@dataclass(frozen=True, slots=True)
class _LocalStore:
    path: Path
    archive: Path

    @property
    def address(self) -> str:
        return str(self.path)

    @property
    def uri(self) -> str:
        return self.path.absolute().as_uri()

    def names(self, folder: str = "") -> list[str]:
        place = self.path / folder
        try:
            return sorted(one.name for one in place.iterdir()) if place.is_dir() else []
        except OSError as error:
            raise self._fault(error) from None

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error) from None

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        target = self.path / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._fault(error) from None
        with atomic_file(target, self.archive) as stage:
            with stage.file.open("wb") as file:
                yield file
            stage.keep()

    def remove(self, name: str) -> None:
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"cannot use {self.path}: {error.strerror}", hint="check the path and its permissions")


@dataclass(frozen=True, slots=True)
class _ObjectStore:
    """A folder of an object store.

    A written object is there when its upload ends.
    """

    filesystem: Any
    root: str
    address: str

    @property
    def uri(self) -> str:
        return self.address

    def names(self, folder: str = "") -> list[str]:
        from pyarrow import fs  # noqa: PLC0415  # optional and large

        top = self._path(folder)
        # All objects below, and the first parts of their names: not every store lists folders, which are no objects.
        selector = fs.FileSelector(top, allow_not_found=True, recursive=True)
        with self._faults():
            found = self.filesystem.get_file_info(selector)
        names = (one.path.removeprefix(f"{top}/").partition("/")[0] for one in found if one.type == fs.FileType.File)
        return sorted(set(names))

    def read(self, name: str) -> bytes | None:
        try:
            with self._faults(FileNotFoundError), self.filesystem.open_input_stream(self._path(name)) as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            return None

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        path = self._path(name)
        with self._faults():
            # A bucket has no folders, and to make one could make the bucket; other stores need them.
            if self.filesystem.type_name not in _BUCKETS:
                self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(path) as file:
                yield file

    def remove(self, name: str) -> None:
        try:
            with self._faults(FileNotFoundError):
                self.filesystem.delete_file(self._path(name))
        except FileNotFoundError:
            pass

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}".rstrip("/")

    @contextmanager
    def _faults(self, *passed: type[OSError]) -> Iterator[None]:
        """Raise StorageError for errors of the store, but for those that are `passed` on."""
        try:
            yield
        except passed:
            raise
        except OSError as error:
            reason = str(error).partition("\n")[0]
            raise StorageError(
                f"cannot use {self.address}: {reason}", hint="check the address and its credentials"
            ) from None
