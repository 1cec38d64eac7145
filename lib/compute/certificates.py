"""Certificates for one cluster: who has read them in a private folder may join it, nobody else.

A Dask scheduler runs what its clients send. Without certificates it takes any client that reaches
its port, and on one machine that is every user of it.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lib.study.errors import StudyError

CERTIFICATE, KEY = "certificate.pem", "key.pem"
DAYS = 365  # a certificate's; a study's longest training takes weeks
OPENSSL_SECONDS = 60

# One certificate signs itself and serves scheduler, workers and client.
SETTINGS = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = one run of a study
[extensions]
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


@contextlib.contextmanager
def temporary_security(parent: Path | None) -> Iterator:
    """Make a key and a certificate that last as long as the context.

    Args:
        parent: folder that every machine of the cluster sees; None: of this machine alone.

    Yields:
        distributed.Security that encrypts everything and takes only holders of this key.

    Raises:
        StudyError: the program openssl is not there, or fails.
    """
    from distributed import Security

    # The folder can be entered by its owner alone, whatever the umask.
    with tempfile.TemporaryDirectory(prefix=".tls-", dir=parent, ignore_cleanup_errors=True) as own:
        # One pair of files for all three roles.
        make_certificate(Path(own))
        certificate, key = str(Path(own, CERTIFICATE)), str(Path(own, KEY))
        roles = {}
        for role in ("client", "scheduler", "worker"):
            roles |= {f"tls_{role}_cert": certificate, f"tls_{role}_key": key}
        yield Security(require_encryption=True, tls_ca_file=certificate, **roles)


def make_certificate(folder: Path) -> None:
    """Write a new key and a certificate for it into a folder.

    Raises:
        StudyError: the program openssl is not there, or fails.
    """
    # Python's own library makes no certificates.
    if shutil.which("openssl") is None:
        raise StudyError(
            "cluster: the certificates that keep others out are made by the program openssl, which "
            "is not installed: install it (Debian, Ubuntu: sudo apt install openssl), or leave "
            "cluster empty"
        )

    # Settings of our own: those of the machine may be missing, or say something else.
    settings = folder / "settings.cnf"
    settings.write_text(SETTINGS)
    files = ["-keyout", str(folder / KEY), "-out", str(folder / CERTIFICATE)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"]
    done = subprocess.run(
        [*command, "-days", str(DAYS), "-config", str(settings), *files],
        capture_output=True,
        text=True,
        timeout=OPENSSL_SECONDS,
    )

    # Its last line says why.
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StudyError(f"cluster: openssl could not make a certificate ({last})")
