//! Arbitrary PKIs, judged by both path builders and by webpki alone.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail"
)]

mod names;
mod topology;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn path_builders_agree_on_arbitrary_pkis() {
    let mut accepted = 0;
    let mut judged = 0;
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&prop::collection::vec(any::<u8>(), 0..64), |bytes| {
        topology::check(&bytes);
        Ok(())
    });
    result.unwrap();
    // The same again from fixed bytes, to see that both outcomes occur often enough to mean
    // something.
    for seed in 0..200_u32 {
        let bytes: Vec<u8> = (0..48_u32)
            .map(|at| (seed.wrapping_mul(2_654_435_761) >> (at % 24)).to_le_bytes()[0] ^ at.to_le_bytes()[0])
            .collect();
        judged += 1;
        accepted += usize::from(topology::check(&bytes));
    }
    assert!(
        (judged / 20..judged).contains(&accepted),
        "{accepted} of {judged} accepted"
    );
}
