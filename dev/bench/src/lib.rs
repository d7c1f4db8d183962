//! What measurements share: taking turns, tables, plots, and the subjects that are measured.
//!
//! ```
//! use alb_mtls_bench::{Effort, Subject, in_turns};
//!
//! let mut one = 0_u64;
//! let mut ten = 0_u64;
//! let [a, b] = in_turns(
//!     Effort::Quick,
//!     [
//!         Subject::new(|| one = std::hint::black_box(one + 1)),
//!         Subject::new(|| for _ in 0..100 { ten = std::hint::black_box(ten + 1) }),
//!     ],
//! );
//! assert!(b.ratio_to(&a) > 1.0);
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a measurement that cannot be made has no result"
)]

mod chains;
mod client;
mod machine;
mod measure;
mod plot;
mod process;
mod progress;
mod table;

pub use chains::{Chain, Presented, header_parts};
pub use client::HttpsClient;
pub use machine::{load, machine};
pub use measure::{Effort, Series, Subject, at_once, in_turns};
pub use plot::{Curve, Plot};
pub use process::{built, cpu_time, resident_memory};
pub use progress::progress;
pub use table::{Beside, Format, Goal, Quantity, Row, Table};
