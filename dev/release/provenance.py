"""A statement about where artefacts come from: in-toto, with the predicate of SLSA 1.0.

It is not signed. The release workflow makes a signed one of its own, and signs the checksums."""

BUILD_TYPE = "https://alb-mtls.invalid/make-dist/v1"


def statement(digests, commit, epoch_of_commit, parameters, tools):
    """Returns the statement for files with their SHA-256."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(digests.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "internalParameters": {"SOURCE_DATE_EPOCH": epoch_of_commit, **tools},
                "resolvedDependencies": [{"name": "alb-mtls", "digest": {"gitCommit": commit}}],
            },
            "runDetails": {"builder": {"id": "https://alb-mtls.invalid/local"}},
        },
    }
