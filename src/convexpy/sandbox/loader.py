"""Loading an app's modules.

They are imported under a private package name, so that `convex/http.py` never hides the standard library's `http` and
`import convex` stays the official client. `_generated.api`, `_generated.server` and `_generated.data_model` are supplied
here, whatever is on disk. File names in tracebacks are those of the developer's project (`convex/messages.py`), while
`__file__` is where the version was materialised, so data files beside a module can be read.

Compiled code is kept on disk by content, for a push re-compiles only what changed.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import marshal
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import convexpy
from convexpy.errors import Error, ProjectError, SourceLocation
from convexpy.functions import Crons, FunctionDefinition, collect, importing
from convexpy.protocol.app_description import GENERATED_SERVER_NAMES
from convexpy.protocol.executor_settings import IMPORT_HINT, import_too_slow_text
from convexpy.sandbox import guards, tracebacks
from convexpy.sandbox.loading import importers
from convexpy.sandbox.loading.import_limits import ImportTooSlow, limit_memory, limited, too_large_text
from convexpy.sandbox.loading.module_files import module_beside_folder, module_paths
from convexpy.sandbox.packages import missing_package_hint
from convexpy.schema import Schema

SPECIAL_MODULES = {"schema": "schema", "http": "http", "crons": "crons", "auth_config": "auth"}


@dataclass
class LoadedApp:
    """An app's modules, imported: what the executors call and what a push describes."""

    folder: Path
    marker: str
    modules: dict[str, ModuleType] = field(default_factory=dict)
    functions: dict[str, FunctionDefinition] = field(default_factory=dict)
    schema: Schema | None = None
    http: Any = None
    crons: Any = None
    auth: Any = None


class _CodeCache:
    """Compiled modules by the hash of their text; a broken entry is compiled again."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, source: bytes, filename: str) -> CodeType:
        if self._folder is None:
            return compile(source, filename, "exec", dont_inherit=True)
        tag = sys.implementation.cache_tag or "python"
        key = hashlib.sha256(filename.encode() + b"\0" + source).hexdigest()
        path = self._folder / f"{key}.{tag}"
        try:
            code = marshal.loads(path.read_bytes())
            if isinstance(code, CodeType):
                return code
        except (OSError, ValueError, EOFError, TypeError):
            pass
        code = compile(source, filename, "exec", dont_inherit=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(marshal.dumps(code))
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
        return code


class _ModuleLoader(importlib.machinery.SourceFileLoader):
    """Loads one module of the app from its file."""

    def __init__(self, fullname: str, path: str, app: AppLoader) -> None:
        super().__init__(fullname, path)
        self._app = app

    def get_code(self, fullname: str) -> CodeType | None:
        source = Path(self.path).read_bytes()
        name = self._app.display_name(self.path)
        # No file has that name here: without this, each look at a source line would search all of sys.path for it.
        linecache.cache[name] = (len(source), None, source.decode(errors="replace").splitlines(True), name)
        return self._app.code_cache.get(source, name)

    def exec_module(self, module: ModuleType) -> None:
        self._app.current.append(self.path)
        with importing(self._app.module_name(module.__name__)):
            super().exec_module(module)
        self._app.current.pop()


class _VirtualLoader(importlib.abc.Loader):
    """Loads `_generated` and its modules, which need no files."""

    def __init__(self, app: AppLoader, what: str) -> None:
        self._app = app
        self._what = what

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        if self._what == "server":
            for name in GENERATED_SERVER_NAMES:
                setattr(module, name, getattr(convexpy, name))
        elif self._what == "api":
            module.api = convexpy.api  # type: ignore[attr-defined]
            module.internal = convexpy.internal  # type: ignore[attr-defined]
        elif self._what == "data_model":
            self._app.fill_data_model(module)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, app: AppLoader) -> None:
        self._app = app

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        prefix = self._app.package + "."
        if not fullname.startswith(prefix):
            return None
        name = fullname[len(prefix) :]
        if name == "_generated" or name.startswith("_generated."):
            what = name.partition(".")[2]
            if what not in ("", "api", "server", "data_model"):
                return None
            loader = _VirtualLoader(self._app, what)
            return importlib.machinery.ModuleSpec(fullname, loader, is_package=what == "")
        if name.replace(".", "/") in self._app.left:
            self._app.was_asked_for = name
            return None
        base = self._app.folder.joinpath(*name.split("."))
        for file, is_package in ((base / "__init__.py", True), (base.with_name(base.name + ".py"), False)):
            if file.is_file():
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=_ModuleLoader(fullname, str(file), self._app),
                    submodule_search_locations=[str(base)] if is_package else None,
                )
        if base.is_dir():
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(base)]
            return spec
        return None


class AppLoader:
    """Imports the app in `folder` under the private package name `package`.

    `label` is how the developer calls the folder (`"convex"`); it starts the file names in tracebacks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        label: str = "convex",
        package: str = "_convexpy_app",
        cache: Path | None = None,
    ) -> None:
        self.folder: Path = folder.resolve()
        self.label = label
        self.package = package
        self.code_cache: _CodeCache = _CodeCache(cache)
        self.current: list[str] = []
        self.left: set[str] = set()
        """The modules that are not to be imported yet."""
        self.was_asked_for = ""
        """One of them that was needed nevertheless."""
        self._finder = _Finder(self)
        self._data_model: dict[str, Any] | None = None
        self._seconds = 0.0
        self._memory_bytes = 0

    def display_name(self, path: str) -> str:
        """Return the developer's name of a file of the app."""
        return f"{self.label}/{Path(path).relative_to(self.folder).as_posix()}"

    def module_name(self, fullname: str) -> str:
        """Return `"sessions/queries"` for the full name under which that module is imported."""
        return fullname[len(self.package) + 1 :].replace(".", "/")

    def load(
        self,
        *,
        camel: bool = False,
        on_module: Callable[[str], None] = lambda name: None,
        seconds: float = 0.0,
        memory_bytes: int = 0,
    ) -> LoadedApp:
        """Import every module and collect what they define, within limits where such are given.

        `on_module` is told the file name of each module before it is imported.

        Raises:
            ProjectError: a module does not import, or defines something that makes no sense; says where.
        """
        self._check_layout()
        if self._finder not in sys.meta_path:
            sys.meta_path.insert(0, self._finder)
            sys.modules[self.package] = ModuleType(self.package)
        sys.modules[self.package].__path__ = [str(self.folder)]
        app = LoadedApp(self.folder, f"{self.label}/")
        self._seconds, self._memory_bytes = seconds, memory_bytes
        if memory_bytes:
            limit_memory(memory_bytes)
        try:
            with guards.guard("import"), limited(seconds):
                for name, path in module_paths(self.folder).items():
                    if name in self.left:
                        continue
                    if self._full_name(name) not in sys.modules:
                        on_module(self.display_name(str(path)))
                    app.modules[name] = self._import(name)
                if self.left:
                    collect(app.modules, camel=camel)  # reads their signatures
                else:
                    self._collect(app, camel)
        except ImportTooSlow as error:
            raise self._load_failed("", error) from error
        finally:
            if memory_bytes:
                limit_memory(0)
        return app

    def load_rest(self, folder: Path, **options: Any) -> LoadedApp:
        """Import, after a `load` that has left some modules, the version in `folder`, of which the others are the same."""
        self.folder = folder.resolve()
        self.left = set()
        return self.load(**options)

    def leave(self, edited: Collection[str]) -> list[str]:
        """Have `load` leave the edited files, and each module that may need one of them; return all files that are left."""
        codes: dict[str, CodeType | None] = {}
        paths = module_paths(self.folder)
        for name, path in paths.items():
            try:
                codes[name] = self.code_cache.get(path.read_bytes(), self.display_name(str(path)))
            except (OSError, SyntaxError, ValueError):
                codes[name] = None
        wanted = {importers.module_of(file) for file in edited}
        self.left = wanted | importers.needing(wanted, codes)
        files = {
            path.relative_to(self.folder).as_posix() for name, path in paths.items() if name in self.left
        }
        return sorted({*files, *edited})

    def unload(self) -> None:
        """Forget the modules: for tests that load several apps in one process."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for name in [
            name for name in sys.modules if name == self.package or name.startswith(self.package + ".")
        ]:
            del sys.modules[name]

    def _full_name(self, name: str) -> str:
        return f"{self.package}.{name.replace('/', '.')}"

    def _check_layout(self) -> None:
        twin = module_beside_folder(self.folder)
        if twin:
            file = f"{self.label}/{twin}"
            raise ProjectError(
                f"both {file} and the folder {file[:-3]}/ exist; Python can import only one of them",
                code="ModuleAndFolder",
                location=SourceLocation(file, 1),
                hint=f"move the functions of {file} to {file[:-3]}/__init__.py",
            )

    def _import(self, name: str) -> ModuleType:
        self.current.clear()
        try:
            return importlib.import_module(self._full_name(name))
        except ProjectError:
            raise
        except BaseException as error:  # a module may raise anything, SystemExit too
            if isinstance(error, MemoryError) and self._memory_bytes:
                limit_memory(0)
            raise self._load_failed(name, error) from error

    def _load_failed(self, name: str, error: BaseException) -> ProjectError:
        marker = f"{self.label}/"
        location = tracebacks.location_of(error, marker)
        if location is None:
            location = SourceLocation(
                self.display_name(self.current[-1]) if self.current else f"{marker}{name}.py"
            )
        text = tracebacks.describe_error(error)
        hint = None
        if isinstance(error, SyntaxError):
            text = f"{type(error).__name__}: {error.msg}"
        elif (
            isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(self.package)
        ):
            hint = missing_package_hint(error.name, self.label)
        elif isinstance(error, ImportTooSlow):
            text, hint = import_too_slow_text(self._seconds), IMPORT_HINT
        elif isinstance(error, MemoryError) and self._memory_bytes:
            text, hint = too_large_text(self._memory_bytes), IMPORT_HINT
        elif isinstance(error, Error):
            text, hint = error.message, error.hint
        # Python names the file where the version was materialised; the developer knows it by another name.
        text = text.replace(f"{self.folder}/", marker).replace(f"{self.package}.", f"{self.label}.")
        return ProjectError(
            text,
            code="ModuleLoadFailed",
            location=location,
            hint=hint,
            data={"traceback": tracebacks.full_traceback(error, marker)},
        )

    def _collect(self, app: LoadedApp, camel: bool) -> None:
        for module, variable in SPECIAL_MODULES.items():
            if module in app.modules:
                setattr(app, variable, getattr(app.modules[module], variable, None))
        schema: Any = app.schema  # whatever schema.py calls so
        if schema is not None and not isinstance(schema, Schema):
            raise ProjectError(
                f"`schema` is a {type(schema).__name__}, not the result of define_schema(…)",
                code="SchemaDefinitionError",
                location=SourceLocation(f"{self.label}/schema.py", 1),
            )
        app.functions = collect(app.modules, camel=camel)
        if isinstance(app.crons, Crons):
            app.crons.check(app.functions)

    def fill_data_model(self, module: ModuleType) -> None:
        """Give `_generated.data_model` the names that the schema of this very version stands for."""
        schema_module = f"{self.package}.schema"
        schema = None
        if (self.folder / "schema.py").is_file():
            schema = getattr(importlib.import_module(schema_module), "schema", None)
        from convexpy.schema.data_model import DataModel

        exec(
            compile(
                DataModel(None if schema is None else schema.describe()).render(),
                "_generated/data_model.py",
                "exec",
            ),
            module.__dict__,
        )


def third_party_modules() -> Iterator[str]:
    """Yield the top-level packages that are imported now and belong neither to the app, to us nor to Python."""
    for name in sorted({name.partition(".")[0] for name in sys.modules}):
        if (
            name not in sys.stdlib_module_names
            and name not in ("_convexpy_app", "convexpy", "__main__")
            and not name.startswith("_")
        ):
            yield name
