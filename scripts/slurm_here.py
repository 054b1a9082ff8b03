"""A Slurm of one node on this machine, to try ``launcher=slurm``: scheduler, node, authentication and accounting.

    python -m scripts.slurm_here start FOLDER [--install]   # prints what to export; --install: apt-get install what is missing
    python -m scripts.slurm_here stop FOLDER

Needs root and Debian's slurm-wlm, munge, slurmdbd and mariadb-server. Everything lives in FOLDER and listens on the loopback address
only (munge on a socket in FOLDER): Slurm's daemons bind to what the machine's own name resolves to, which must therefore be a loopback
address, as Debian has it; the machine's own configuration is neither read nor changed. Processes are tracked through /proc and tasks
bound to nothing, so that no cgroups are needed (proctrack/linuxproc, task/none).
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from pruneexp.system import files

PACKAGES = ["slurm-wlm", "munge", "slurmdbd", "mariadb-server"]
PROGRAMS = ["munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sinfo", "sacctmgr"]
ORDER = ["munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd"]
SLURM = """\
ClusterName=here
SlurmctldHost={host}({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={first_port}
SlurmdPort={second_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=60
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={address}
AccountingStoragePass={folder}/munge.socket
AccountingStoragePort={third_port}
JobAcctGatherType=jobacct_gather/linux
NodeName={host} NodeAddr={address} CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:{slots}
"""
DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdAddr={address}
DbdHost={host}
DbdPort={third_port}
CommunicationParameters=NoInAddrAny
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={fourth_port}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""


def run(*command: str, **options: str) -> str:
    """The command's output; its errors end the program."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env={**os.environ, **options})
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(what: str, command: list[str], wanted: str, folder: Path, seconds: float = 60) -> None:
    """Wait for the command's output to have `wanted` in it."""
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    end = time.monotonic() + seconds
    text = ""
    while time.monotonic() < end:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
        text = done.stdout + done.stderr
        if done.returncode == 0 and wanted in text:
            return
        time.sleep(0.5)
    sys.exit(f"{what} does not come up in {seconds:.0f} s: {text.strip()}; logs are in {folder}")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def loopback(name: str) -> str:
    """The address of this machine's name, which Slurm's daemons bind to; one that others can reach ends the program."""
    try:
        address = socket.gethostbyname(name)
    except OSError:
        address = "nothing"
    if not address.startswith("127."):
        sys.exit(
            f"{name} resolves to {address}, and Slurm would listen there: add `127.0.0.1 {name}` to /etc/hosts, before other lines"
        )
    return address


def spawn(folder: Path, *command: str, **options: str) -> None:
    """Start a server in the background; its process id is kept for `stop`."""
    name = Path(command[0]).name
    with (folder / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **options}, start_new_session=True
        )
    files.write(folder / f"{name}.started", str(process.pid))


def start(folder: Path) -> None:
    """Configure and start everything; the node is idle when this returns."""
    os.environ["PATH"] += os.pathsep + os.pathsep.join(("/usr/sbin", "/usr/lib/mysql"))
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} missing: apt-get install {' '.join(PACKAGES)}, or add --install")
    if os.getuid() != 0:
        sys.exit("slurmd starts jobs under their users' names: run this as root")
    address = loopback(socket.gethostname())
    if (folder / "slurm.conf").exists():
        sys.exit(f"{folder} holds a Slurm: stop it first")
    for path in (folder, folder / "state", folder / "spool"):
        path.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # munge's socket is for every user
    ports = free_ports(4)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    cores = os.cpu_count() or 1
    words = {
        "folder": folder, "host": socket.gethostname().split(".")[0], "address": address, "cores": cores, "memory": memory - memory // 10,
        "slots": 4, "password": secrets.token_hex(16),
    } | dict(zip(("first_port", "second_port", "third_port", "fourth_port"), ports, strict=True))  # fmt: skip
    files.write(folder / "slurm.conf", SLURM.format(**words))
    files.write(folder / "slurmdbd.conf", DATABASE.format(**words))
    (folder / "slurmdbd.conf").chmod(0o600)
    files.write(folder / "munge.key", secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    spawn(
        folder, "munged", "--foreground", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key",
        f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed", "--force",
    )  # fmt: skip
    until("munged", ["munge", f"--socket={folder}/munge.socket", "--no-input"], "MUNGE", folder)
    run("mariadb-install-db", "--no-defaults", f"--datadir={folder}/database", "--user=root", "--skip-test-db")
    database = f"{folder}/mariadb.socket"
    spawn(
        folder, "mariadbd", "--no-defaults", f"--datadir={folder}/database", "--user=root", f"--socket={database}",
        "--bind-address=127.0.0.1", f"--port={ports[3]}", f"--pid-file={folder}/mariadb.pid", "--innodb-buffer-pool-size=64M",
    )  # fmt: skip
    until("mariadbd", ["mariadb", "--no-defaults", f"--socket={database}", "-e", "select 1"], "1", folder)
    grant = f"create user slurm@'127.0.0.1' identified by '{words['password']}';"
    grant += "create user slurm@localhost identified by '" + str(words["password"]) + "';"
    grant += "grant all on slurm_acct_db.* to slurm@'127.0.0.1', slurm@localhost;"
    run("mariadb", "--no-defaults", f"--socket={database}", "-e", grant)
    configuration = {"SLURM_CONF": str(folder / "slurm.conf")}
    spawn(folder, "slurmdbd", "-D", **configuration)
    until("slurmdbd", ["sacctmgr", "--noheader", "show", "cluster"], "", folder)
    run("sacctmgr", "--immediate", "add", "cluster", "here", **configuration)
    spawn(folder, "slurmctld", "-D", "-c", **configuration)
    spawn(folder, "slurmd", "-D", "-N", str(words["host"]), **configuration)
    until("slurmd", ["sinfo", "--noheader", "--format=%T"], "idle", folder)
    print(run("sinfo", **configuration))
    print(f"export SLURM_CONF={folder}/slurm.conf")


def stop(folder: Path) -> None:
    """End what `start` started, in reverse order, and delete its folder."""
    for name in reversed(ORDER):
        path = folder / f"{name}.started"
        if path.exists():
            end(int(path.read_text(encoding="utf-8")), name)
            path.unlink()
    shutil.rmtree(folder)


def end(process: int, name: str) -> None:
    """End a server politely, and at last not; a process that has its number by now is left alone."""
    command = Path(f"/proc/{process}/cmdline")
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(100):
            if not command.exists() or name not in command.read_text(encoding="utf-8"):
                return
            if _ == 0:
                os.kill(process, number)
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--install", action="store_true", help="apt-get install Slurm, munge and MariaDB first")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    if arguments.what == "stop":
        stop(folder)
        return
    if arguments.install:
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES, DEBIAN_FRONTEND="noninteractive")
    start(folder)


if __name__ == "__main__":
    main()
