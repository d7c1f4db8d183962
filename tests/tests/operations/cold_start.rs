//! Work that a cold start must not wait for.

use alb_mtls_tests::binary;
use memchr::memmem::find;

#[test]
fn no_function_gathers_entropy_of_its_own() {
    for function in [
        "respond",
        "forward",
        "authorize",
        "refresh-crls",
        "alb-mtls-layer",
    ] {
        let program = std::fs::read(binary(function)).unwrap();
        let names = |text: &str| find(&program, text.as_bytes()).is_some();
        // Builds for tests hold their symbols, so those of AWS-LC are there to be found.
        assert!(names("RAND_bytes"), "{function}");
        assert!(
            !names("jent_entropy_collector_alloc"),
            "{function} was built without .cargo/config.toml"
        );
    }
}
