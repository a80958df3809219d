"""The commands for supercomputers: submit, status, collect, retry, init-cluster, fw."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from vacancy_flows.cli_paths import Place
from vacancy_flows.errors import InputError

_SPEC = click.argument("spec", required=False, type=click.Path(path_type=Path))
_LAUNCHPAD = click.option(
    "--launchpad", type=Place(path_type=Path), help="my_launchpad.yaml; else FireWorks' own."
)


# They read their files when they are imported, wherever that may be.
_CONFIGURED = {
    "fireworks.fw_config": ("FW_CONFIG_FILE", "~/.fireworks/FW_config.yaml"),
    "jobflow": ("JOBFLOW_CONFIG_FILE", "~/.jobflow.yaml"),
    "atomate2": ("ATOMATE2_CONFIG_FILE", "~/.atomate2.yaml"),
}


def _check_configuration() -> None:
    """Say in one message what is wrong in a file of FireWorks, jobflow or atomate2."""
    for module, (variable, file) in _CONFIGURED.items():
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001  # whatever it makes of the file
            problem = f"is no configuration of {module.partition('.')[0]}"
            told = " ".join(str(error).split())
            raise InputError(f"{problem} ({told})", file=os.environ.get(variable, file)) from None


class _OnCluster(click.Command):
    """A command that needs FireWorks, and servers that go on answering."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        if find_spec("fireworks") is None:
            raise InputError("FireWorks is not installed: pip install 'vacancy-flows[fireworks]'")
        if self.name != "init-cluster":  # which writes these files
            _check_configuration()
        from pymongo.errors import ConnectionFailure

        try:
            return super().invoke(ctx)
        except ConnectionFailure as error:
            reason = str(error).split(",", maxsplit=1)[0]
            problem = f"the server of the LaunchPad or the JobStore is gone ({reason})"
            raise InputError(
                f"{problem}: start this again when it is back; nothing is added or stored twice"
            ) from None


@click.command(cls=_OnCluster)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be added.")
@_LAUNCHPAD
def submit(spec: Path, dry_run: bool, launchpad: Path | None) -> None:
    """Add a campaign to a LaunchPad of FireWorks, as far as it is not there."""
    from vacancy_flows.cluster.submitting import submit_here

    sys.exit(submit_here(spec, launchpad, dry_run=dry_run))


@click.command(cls=_OnCluster)
@_SPEC
@_LAUNCHPAD
def status(spec: Path | None, launchpad: Path | None) -> None:
    """Show how much waits, runs, is done or failed, for each host and strain."""
    from vacancy_flows.cluster.status import status_here

    sys.exit(status_here(spec, launchpad))


@click.command(cls=_OnCluster)
@_SPEC
@click.option("-d", "--directory", required=True, type=Place(path_type=Path), help="For results.")
@click.option(
    "--launchpad",
    "launchpads",
    multiple=True,
    type=Place(path_type=Path),
    help="my_launchpad.yaml; may be repeated. Else FireWorks' own.",
)
@click.option(
    "--jobstore",
    "jobstores",
    multiple=True,
    type=Place(path_type=Path),
    help="jobflow.yaml of what ran without a LaunchPad (jobflow-remote); may be repeated.",
)
def collect(
    spec: Path | None, directory: Path, launchpads: tuple[Path, ...], jobstores: tuple[Path, ...]
) -> None:
    """Store what is finished in DIR/results.db, with tables and figures; again and again."""
    from vacancy_flows.cluster.collecting import collect_here

    sys.exit(collect_here(directory, spec, launchpads, jobstores))


@click.command(cls=_OnCluster)
@_SPEC
@_LAUNCHPAD
@click.option(
    "--lost-after",
    type=click.FloatRange(min=0),
    help="s of silence after which a run is lost whose queue cannot be asked here.",
)
def retry(spec: Path | None, launchpad: Path | None, lost_after: float | None) -> None:
    """Start failed and lost runs again; VASP goes on from CONTCAR."""
    from vacancy_flows.cluster.retrying import retry_here

    sys.exit(retry_here(spec, launchpad, lost_after))


@click.command("init-cluster", cls=_OnCluster)
@click.option("--scheduler", required=True, type=click.Choice(["slurm", "pbs"]))
@click.option("-o", "--output", "directory", required=True, type=Place(path_type=Path))
@click.option("--partition", required=True, help="Partition of SLURM or queue of PBS.")
@click.option("--walltime", required=True, help="Of a job, as its queue takes it: H:M:S.")
@click.option("--account", help="Project that pays.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True)
@click.option("--ntasks", type=click.IntRange(1), default=1, show_default=True, help="Per node.")
@click.option("--module", "modules", multiple=True, help="To load; may be repeated.")
@click.option("--vasp-command", help="With its launcher. [srun or mpirun vasp_std]")
@click.option("--vasp-gamma-command", help="For Γ alone. [srun or mpirun vasp_gam]")
@click.option(
    "--mongo-host",
    default="localhost",
    show_default=True,
    help="Or a URI without user, as mongodb+srv://cluster.example.org.",
)
@click.option("--mongo-port", type=click.IntRange(1, 65535), default=27017, show_default=True)
@click.option("--mongo-database", "database", default="vacancy_flows", show_default=True)
@click.option("--mongo-user", default="", help="Where the server asks for one.")
@click.option(
    "--mongo-authsource",
    help="Database that knows the user. [the URI's; --mongo-database; admin with mongodb+srv]",
)
@click.option("--mongo-tls", is_flag=True, help="Encrypt; mongodb+srv does so itself.")
@click.option(
    "--mongo-tls-ca-file",
    type=click.Path(path_type=Path),
    help="PEM of who signed the server's certificate; with it --mongo-tls is meant.",
)
@click.option(
    "--password-variable",
    default="VACANCY_FLOWS_MONGO_PASSWORD",
    show_default=True,
    help="Environment variable that holds the password.",
)
def init_cluster(scheduler: str, directory: Path, **values: Any) -> None:
    """Write the files that FireWorks, jobflow and atomate2 need on a cluster."""
    from vacancy_flows.cluster.setup import Account
    from vacancy_flows.cluster.setup import init_cluster as write

    launcher = "srun" if scheduler == "slurm" else "mpirun"
    for name, program in (("vasp_command", "vasp_std"), ("vasp_gamma_command", "vasp_gam")):
        values[name] = values[name] if values[name] is not None else f"{launcher} {program}"
    for path in write(Account(scheduler=scheduler, **values), directory):
        click.echo(f"wrote {path}")
    click.echo(f"next: source {directory.resolve() / 'env.sh'}; vacancy-flows submit SPEC")


@click.command(
    cls=_OnCluster,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", type=click.Choice(["lpad", "qlaunch", "rlaunch"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def fw(program: str, arguments: tuple[str, ...]) -> None:
    """Run a command of FireWorks: fw lpad get_wflows, fw qlaunch -r rapidfire, ...

    As the command itself, with the database's password from the environment.
    """
    from vacancy_flows.cluster.launch import launch

    sys.exit(launch(program, list(arguments)))


COMMANDS = (submit, status, collect, retry, init_cluster, fw)
