#!/bin/bash -eu
# Called by OSS-Fuzz in the image of the Dockerfile: SRC and OUT are its folders. With FUZZ_TARGETS, only some.
cd "$SRC/alb-mtls"

# Seeds of vectors/, a folder for each target that has some.
python3 fuzz/seeds.py
# The image selects its own nightly compiler; rust-toolchain.toml would replace it.
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly}
targets=${FUZZ_TARGETS:-$(cargo fuzz list)}
for target in $targets; do
    # Optimised, with the checks that an overflow would need.
    cargo fuzz build -O --debug-assertions "$target"
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    if [[ -d fuzz/corpus/$target ]]; then
        (cd "fuzz/corpus/$target" && python3 -m zipfile --create "$OUT/${target}_seed_corpus.zip" ./*)
    fi
done
