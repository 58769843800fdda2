"""`edgekit cache`: what is known, and how to forget it."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli import flags

cache = typer.Typer(
    help="Results that `edgekit matrix` keeps, in $EDGEKIT_CACHE or the user's cache folder.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(
        cache, name="cache", epilog="Examples:  edgekit cache ls  |  edgekit cache rm --older-than 30d  |  edgekit cache verify"
    )


@cache.command("ls")
def ls(json: flags.Json = False) -> int:
    """List all results, the ones used longest ago first."""
    from edgekit.cli.show import new_table, print_json, print_lines, print_table
    from edgekit.matrix.cache import Cache, default_root

    found = Cache(default_root())
    entries = found.entries()
    if json:
        rows = [
            {
                "key": each.key,
                "kind": each.kind,
                "name": each.name,
                "made": each.made,
                "used": found.used(each.key),
                "size_bytes": each.size_bytes,
            }
            for each in entries
        ]
        print_json({"schema_version": 1, "folder": str(found.root), "entries": rows})
        return 0
    table = new_table("key", "kind", "name", "MB", "made", "used", figures=("MB",))
    for each in entries:
        used = found.used(each.key).isoformat(" ", "minutes")
        table.add_row(
            each.key[:12], each.kind, each.name, f"{each.size_bytes / 1e6:.2f}", each.made[:16].replace("T", " "), used[:16]
        )
    if entries:
        print_table(table)
    print_lines(f"{len(entries)} results, {sum(each.size_bytes for each in entries) / 1e6:.1f} MB: {found.root}")
    return 0


@cache.command("rm")
def rm(
    keys: Annotated[
        list[str] | None, typer.Argument(help="The first characters of keys, as `ls` shows them, or names.", metavar="[KEY]...")
    ] = None,
    older_than: Annotated[str | None, typer.Option("--older-than", help="Not used for so long: 12h, 30d.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All results, and the sha256s of files.")] = False,
) -> int:
    """Delete results. What is needed again is made again."""
    from datetime import UTC, datetime, timedelta

    from edgekit.cli.show import print_lines
    from edgekit.errors import UsageError
    from edgekit.matrix.cache import Cache, default_root
    from edgekit.matrix.digest import Digests

    if not keys and older_than is None and not everything:
        raise UsageError("say which results: keys or names as `edgekit cache ls` shows them, --older-than 30d, or --all")
    found = Cache(default_root())
    entries = found.entries()
    before = datetime.now(UTC) - timedelta(seconds=flags.seconds(older_than)) if older_than else None
    for text in keys or ():
        if not any(_is(each.key, each.name, text) for each in entries):
            raise UsageError(f"there is no result {text!r}: see `edgekit cache ls`")
    chosen = [
        each
        for each in entries
        if (everything or not keys or any(_is(each.key, each.name, text) for text in keys))
        and (before is None or found.used(each.key) < before)
    ]
    found.remove([each.key for each in chosen])
    if everything:
        found.remove(list(found.verify()))
        Digests(found.root).forget()
    print_lines(f"deleted {len(chosen)} of {len(entries)} results, {sum(each.size_bytes for each in chosen) / 1e6:.1f} MB")
    return 0


@cache.command("verify")
def verify(
    remove: Annotated[bool, typer.Option("--remove", help="Delete what is broken.")] = False,
    json: flags.Json = False,
) -> int:
    """Read every file of every result again; exit code 1 if one is not what was written."""
    from edgekit.cli.show import print_json, print_lines
    from edgekit.matrix.cache import Cache, default_root

    found = Cache(default_root())
    count, broken = len(found.entries()), found.verify()
    if remove:
        found.remove(list(broken))
    if json:
        print_json({"schema_version": 1, "folder": str(found.root), "broken": broken})
    else:
        print_lines(
            *(f"{key[:12]}: {why}" for key, why in broken.items()), f"{count} results, {len(broken)} broken: {found.root}"
        )
    return 1 if broken and not remove else 0


def _is(key: str, name: str, text: str) -> bool:
    return name == text or (len(text) >= 4 and key.startswith(text))
