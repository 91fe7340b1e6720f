"""Signs films with C2PA content credentials: with the user's certificate, or with one made here and marked as such."""

import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from understudy.errors import CredentialsError
from understudy.job import atomic_path
from understudy.rendering.statement import Statement, add_xmp, manifest, plain_tags
from understudy.settings import ProvenanceSettings
from understudy.video.encode import Marks

logger = logging.getLogger(__name__)

SELF_MADE = Path("results/credentials/self_made.pem")
NOBODY = "Understudy, self-made: nobody vouches for it"  # the name in such a certificate
YEARS = 20
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Identity:
    """What signs: a chain of certificates, the signer's own first, and its private key, all PEM."""

    chain: bytes
    key: bytes
    algorithm: str  # C2PA's name of it


def film_marks(statement: Statement, source_type: str, identity: Identity) -> Marks:
    """Return the marks of a film: plain metadata, IPTC's mark, and content credentials over all of it.

    Args:
        statement: what it says.
        source_type: kind of media, `statement.DRAWN` or `COMPOSED`.
        identity: who signs.
    """
    return Marks(plain_tags(statement, source_type), partial(_sign, statement, source_type, identity))


def signing_identity(settings: ProvenanceSettings, own: Path = SELF_MADE) -> Identity:
    """Read the user's certificate and key; where none is given, those made here, which are made once.

    Args:
        settings: paths of both.
        own: where those made here are kept.

    Raises:
        CredentialsError: a file is missing or no such file, or the key is not the certificate's.
    """
    if settings.certificate:
        return read_identity(Path(settings.certificate), Path(settings.key))
    if not own.is_file():
        _keep(own, *make_identity())
        logger.info("films are signed with a certificate made here, %s; nobody vouches for it", own)
    return read_identity(own, own)


def read_identity(certificate: Path, key: Path) -> Identity:
    """Read a chain of certificates and its private key, PEM files (one file may hold both), and hold them together.

    Raises:
        CredentialsError: they cannot be used.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as wrong:
        raise CredentialsError(
            f"provenance.certificate {certificate} and provenance.key {key} cannot be read ({wrong}); expected PEM "
            "text: the certificates, the signer's own first, and its private key without a password."
        ) from wrong
    if private.public_key() != chain[0].public_key():
        raise CredentialsError(
            f"The key {key} does not belong to the first certificate of {certificate}; put the signer's own "
            "certificate first, or name its key in provenance.key."
        )
    now = datetime.now(UTC)
    if not chain[0].not_valid_before_utc <= now <= chain[0].not_valid_after_utc:
        raise CredentialsError(
            f"The certificate {certificate} is valid from {chain[0].not_valid_before_utc:%Y-%m-%d} to "
            f"{chain[0].not_valid_after_utc:%Y-%m-%d}, not today; name another in provenance.certificate."
        )
    shown = [one.public_bytes(serialization.Encoding.PEM) for one in chain]
    return Identity(b"".join(shown), _as_pem(private), _algorithm(private, key))


def make_identity() -> tuple[bytes, bytes]:
    """Make a chain of certificates (PEM; C2PA refuses one that signed itself) and the key of its first one.

    The authority's own key is forgotten at once, so that nobody can sign another certificate with it.
    """
    authority, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate(authority, authority, NOBODY + ", root")
    leaf = _certificate(signer, authority, NOBODY)
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))
    return chain, _as_pem(signer)


def _sign(statement: Statement, source_type: str, identity: Identity, film: Path) -> None:
    """Put IPTC's mark and signed content credentials into a finished film."""
    add_xmp(film, statement, source_type)
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None))
        builder = c2pa.Builder(json.dumps(manifest(statement, source_type)))
        with atomic_path(film) as beside, film.open("rb") as unsigned, beside.open("wb+") as signed:
            builder.sign(signer, "video/mp4", unsigned, signed)
    except c2pa.C2paError as refused:
        raise CredentialsError(
            f"The film cannot be signed with provenance.certificate ({refused}); C2PA takes a certificate for signing "
            "(digitalSignature, and emailProtection or documentSigning) from an authority, not one that signed itself: "
            "name another, or leave it empty to sign with one made here."
        ) from refused


def _keep(path: Path, chain: bytes, key: bytes) -> None:
    """Write chain and key into one file that only its owner may read; the first of several jobs at once wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(chain + key)
            file.flush()
            os.fsync(file.fileno())
        if not path.is_file():
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _as_pem(key: PrivateKeyTypes) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    """Return C2PA's name of what a key signs with."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise CredentialsError(
        f"The key {path} is of a kind that C2PA does not sign with; expected EC (P-256, P-384, P-521), Ed25519 or RSA."
    )


def _certificate(key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    """Make the certificate of a key, or of the authority itself, as C2PA's certificate profile asks."""
    root = key is authority
    names = [
        x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, NOBODY), x509.NameAttribute(NameOID.COMMON_NAME, text)]
        )
        for text in (name, NOBODY + ", root")
    ]
    start = datetime.now(UTC) - timedelta(days=1)  # for clocks that go slow
    uses = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    made = (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(root, None), critical=True)
        .add_extension(x509.KeyUsage(not root, key_cert_sign=root, crl_sign=root, **uses), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if not root:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
    return made.sign(authority, SHA256())
