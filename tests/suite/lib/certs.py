"""Certificates for tests, by the openssl command: an authority, what it issues,
and what nobody vouches for. The test is skipped where there is no openssl."""
import hashlib
import os
import shutil
import subprocess
import sys

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*words, stdin=None):
    if not shutil.which("openssl"):
        print("there is no openssl command")
        sys.exit(77)
    p = subprocess.run(["openssl", *words], input=stdin, capture_output=True)
    if p.returncode != 0:
        raise RuntimeError(f"openssl {words}: {p.stderr.decode()}")
    return p.stdout


class Cert:
    """pem and key for a tls block, both in one for Python's ssl."""

    def __init__(self, folder, name):
        base = os.path.join(folder, name)
        self.pem, self.key = base + ".pem", base + ".key"
        self.both = base + ".both"

    def finish(self):
        os.chmod(self.key, 0o600)
        with open(self.both, "w") as out:
            for path in (self.key, self.pem):
                with open(path) as f:
                    out.write(f.read())
        os.chmod(self.both, 0o600)
        return self

    def der(self):
        return openssl("x509", "-in", self.pem, "-outform", "DER")

    def tlsa(self, usage=3):
        """TLSA data: SHA-256 of the public key."""
        public = openssl("x509", "-in", self.pem, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", stdin=public)
        return f"{usage} 1 1 {hashlib.sha256(der).hexdigest()}"


def self_signed(folder, name, *sans, days=30):
    c = Cert(folder, name)
    openssl("req", "-x509", *EC, "-keyout", c.key, "-out", c.pem,
            "-days", str(days), "-subj", f"/CN={name}",
            *(["-addext", "subjectAltName=" + ",".join(sans)]
              if sans else []))
    return c.finish()


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.own = self_signed(folder, name)
        self.pem = self.own.pem

    def issue(self, name, *sans, days=30):
        """sans: "DNS:a.test", "IP:127.0.0.1", "email:a@b.test"; days may be
        negative: it has expired."""
        c = Cert(self.folder, name)
        request = c.pem + ".csr"
        openssl("req", "-new", *EC, "-keyout", c.key, "-out", request,
                "-subj", f"/CN={name}")
        with open(c.pem + ".ext", "w") as f:
            f.write("basicConstraints=CA:FALSE\n")
            if sans:
                f.write("subjectAltName=" + ",".join(sans) + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.own.pem,
                "-CAkey", self.own.key, "-CAcreateserial", "-days", str(days),
                "-extfile", c.pem + ".ext", "-out", c.pem)
        return c.finish()
