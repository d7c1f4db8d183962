//! All measurements of the project, and what they share: turns, tables, plots and subjects.
//!
//! | measurement | measures |
//! | --- | --- |
//! | `make bench` (`bench`) | the table of `docs/performance.md`: verdicts, decisions, revocation, trust anchors, functions, requests a second; beside webpki, OpenSSL and an empty function |
//! | `make bench-forward` (`forward_latency`) | time that `forward` adds to an upstream, beside nginx; its memory over many requests |
//! | `make bench-layer` (`layer_latency`) | time that the layer adds to an invocation and to a start; its memory |
//! | `make soak` (`soak`) | answers, memory and refreshes under many requests of every kind |
//! | `make instructions` (package `instructions`) | processor instructions of the hot paths, against stored counts |
//! | `decision_cost` | reading Cedar policies, and deciding with one and with ten |
//! | `hostile_names` | headers that are made to cost time, with names and constraints |
//! | `invocations` | time and memory of functions over a million invocations with trace ids |
//! | `loading_cost` | first snapshot from each kind of source, without a function around it; many trust anchors |
//! | `start_times` | start of a function until its first poll, by source of its trust anchors |
//!
//! `cargo run --profile quick --package alb-mtls-bench --bin NAME` runs those without a target of
//! make.
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
pub use measure::{Effort, Series, Subject, at_once, in_turns, percentile_of};
pub use plot::{Curve, Plot};
pub use process::{built, cpu_time, peak_memory, resident_memory};
pub use progress::progress;
pub use table::{Beside, Format, Goal, Quantity, Row, Table};
