"""What tests against other people's programs share: getting them."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

SRC = os.environ["SRCDIR"]
sys.path.insert(0, os.path.join(SRC, "tests/suite/lib"))

from post import FOLDER, Instance, check, fail, until  # noqa: E402,F401

APT_S = 200     # a slow mirror; the test itself has its own limit
sys.stdout.reconfigure(errors="backslashreplace")
POLICY = "/usr/sbin/policy-rc.d"


def skip(*words):
    print(*words)
    sys.exit(77)


def apt(*words, root=None):
    """apt-get without questions, recommended packages, or started services.
    Returns whether it went well; what it said is in TEST_DIR/apt.log."""
    folder = (root or "") + POLICY
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-q", "-y", "--no-install-recommends",
            "-o", "DPkg::Lock::Timeout=120", *words]
    if root:
        argv = ["chroot", root, *argv]
    ours = not os.path.exists(folder)
    try:
        if ours:
            with open(folder, "w") as f:
                f.write("#!/bin/sh\nexit 101\n")
            os.chmod(folder, 0o755)
        with open(FOLDER + "/apt.log", "ab") as log:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, env=env,
                                  timeout=APT_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        if ours and os.path.exists(folder):
            os.unlink(folder)


def need(program, package=None):
    """Installs what is not there; the test is skipped where it cannot."""
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    if not shutil.which(program, path=path):
        package = package or program
        if os.getuid() != 0:
            skip(f"{package} is not installed, and only root can do that")
        if not shutil.which("apt-get"):
            skip(f"{package} is not installed, and there is no apt-get")
        apt("install", package) or apt("update") and apt("install", package)
    found = shutil.which(program, path=path)
    if not found:
        skip(f"{package} cannot be installed: see apt-get install {package}")
    return found


UIDS = 20000    # userK of tests/instance is this and K


def with_accounts(count, name="i"):
    """Starts the test anew where the host knows userK of the instance of that
    name, and has their mailboxes in /var/mail: some programs refuse to work for
    a number, or with a mailbox elsewhere. Only root can."""
    if os.getuid() != 0:
        skip("its users need accounts, and only root can lend them some")
    if "INTEROP_ACCOUNTS" not in os.environ:
        os.environ["INTEROP_ACCOUNTS"] = "yes"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    for file, line in (
            ("passwd", "user{k}:x:{u}:{u}:User {k}:{home}/user{k}:/bin/sh\n"),
            ("group", "user{k}:x:{u}:\n")):
        with open("/etc/" + file) as f:
            text = f.read()
        with open(f"{FOLDER}/{file}", "w") as f:
            f.write(text)
            for k in range(1, count + 1):
                f.write(line.format(k=k, u=UIDS + k,
                                    home=f"{FOLDER}/{name}/home"))
        run("mount", "--bind", f"{FOLDER}/{file}", "/etc/" + file)
    os.makedirs(f"{FOLDER}/{name}/mail")
    run("mount", "--bind", f"{FOLDER}/{name}/mail", "/var/mail")


def run(*argv, status=0, stdin="", timeout=60, **more):
    """Runs a program to its end and gives its output, both kinds."""
    p = subprocess.run(argv, input=stdin.encode("utf-8", "surrogateescape"),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=timeout, **more)
    out = p.stdout.decode("utf-8", "surrogateescape")
    wanted = status if isinstance(status, tuple) else (status,)
    check(p.returncode in wanted, " ".join(argv), "exited with",
          p.returncode, out[-3000:])
    return out


def own(i, path, k, mode=0o600):
    """The file belongs to userK, as it must to be believed."""
    os.chmod(path, mode)
    if os.getuid() == 0:
        os.chown(path, uid_of(i, k), -1)
    return path


def uid_of(i, k):
    return os.stat(os.path.join(i.path("home"), f"user{k}")).st_uid


def home(i, k, name, text, mode=0o600):
    """A file in the home of userK."""
    path = os.path.join(i.path("home"), f"user{k}", name)
    with open(path, "w") as f:
        f.write(text)
    return own(i, path, k, mode)


def as_user(i, k):
    """For run(): as userK with his home, as far as the caller may."""
    more = {"cwd": os.path.join(i.path("home"), f"user{k}"),
            "env": {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "dumb",
                    "HOME": os.path.join(i.path("home"), f"user{k}")}}
    if os.getuid() == 0:
        uid = uid_of(i, k)
        more.update(user=uid, group=uid, extra_groups=[])
    return more


def scratch(prefix):
    return tempfile.mkdtemp(prefix=prefix, dir=FOLDER)


class Root:
    """A Debian in a folder, with a package in it: $PEERS/NAME where that is
    given (kept for the next time; the test works in a copy), else its own."""

    def __init__(self, name, package):
        if os.getuid() != 0:
            skip("only root can make a Debian in a folder")
        for tool in ("debootstrap", "unshare"):
            if not shutil.which(tool):
                skip(f"there is no {tool}")
        self.dir = f"{FOLDER}/{name}"
        self.process = None
        kept = os.environ.get("PEERS")
        kept = kept and os.path.join(os.path.abspath(kept), name)
        if kept and os.path.isdir(kept):
            self.copy(kept)
        else:
            self.make(package)
            if kept:
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                run("cp", "-a", self.dir, kept + ".new", timeout=120)
                os.rename(kept + ".new", kept)  # whole, or not there

    def copy(self, kept):
        """Others may be using it: their /proc and sockets are not copied."""
        os.mkdir(self.dir)
        parts = [kept + "/" + x for x in os.listdir(kept) if x != "proc"]
        run("cp", "-a", "--reflink=auto", *parts, self.dir, timeout=120)
        os.mkdir(self.dir + "/proc")

    def make(self, package):
        try:
            log = run("debootstrap", "--variant=minbase", "bookworm",
                      self.dir, *mirror(), status=(0, 1), timeout=200)
        except subprocess.TimeoutExpired:
            skip("debootstrap is not done in time")
        if not os.path.exists(self.dir + "/usr/bin/apt-get"):
            skip("debootstrap cannot make a Debian here:", log[-200:])
        if not apt("install", package, root=self.dir):
            skip(f"{package} cannot be installed in a Debian of its own")

    def write(self, path, text, mode=0o644):
        with open(self.dir + path, "w") as f:
            f.write(text)
        os.chmod(self.dir + path, mode)

    def read(self, path):
        try:
            with open(self.dir + path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def do(self, *argv, **more):
        return run("chroot", self.dir, *argv, **more)

    def start(self, port, *argv, address="127.0.0.1"):
        """In process and mount namespaces of its own: all of it ends with the
        first process, and its /proc with them."""
        check(not greets(port, address), "somebody is at port", port)
        with open(FOLDER + "/peer.log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c",
                 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"',
                 self.dir, *argv], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        until(f"{argv[0]} at its port", 20, lambda: greets(port, address))

    def stop(self):
        if self.process is None:
            return
        # The first process of the namespace. --kill-child is for the day when
        # we are killed; a program that changes its ids loses that.
        pid = self.process.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                children = [int(x) for x in f.read().split()]
        except OSError:
            children = []
        for child in children:
            os.kill(child, signal.SIGKILL)
        if not children:
            self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is not None:
            for name in ("peer.log", "apt.log"):
                if os.path.exists(f"{FOLDER}/{name}"):
                    print(run("tail", "-n", "30", f"{FOLDER}/{name}"))
        run("rm", "-rf", "--one-file-system", self.dir)


def mirror():
    """The one that apt-get uses here, if it can be told."""
    for folder, _, files in os.walk("/etc/apt"):
        for name in files:
            if name == "sources.list" or folder.endswith("sources.list.d"):
                with open(os.path.join(folder, name)) as f:
                    found = re.search(r"(?m)^(?:deb|URIs:)\s.*?"
                                      r"(https?://\S+/debian/?)(?:\s|$)",
                                      f.read())
                if found:
                    return [found[1]]
    return []


def greets(port, address="127.0.0.1"):
    try:
        with socket.create_connection((address, port), 1) as s:
            s.settimeout(5)
            return s.recv(500)
    except OSError:
        return b""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]
