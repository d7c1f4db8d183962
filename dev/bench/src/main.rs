//! `make bench`: one run, one table. Everything that is compared was measured alternately.
//!
//! The functions that it runs are those beside this program, so they were built in the same
//! profile.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a measurement that cannot be made has no result"
)]

mod sections;

use std::path::PathBuf;

use alb_mtls_bench::{Effort, Format, Plot, Table, load, machine, progress};
use clap::{Parser, ValueEnum};

/// Cost of the gate, beside webpki, OpenSSL and an empty function.
#[derive(Parser)]
struct Arguments {
    /// Shows in seconds that everything works; the figures mean little.
    #[arg(long)]
    quick: bool,
    /// Writes the table as Markdown.
    #[arg(long)]
    markdown: bool,
    /// File for the plot of cost against revoked certificates and trust anchors.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Sections to measure; defaults to all.
    sections: Vec<Section>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Header to verdict, beside webpki and OpenSSL.
    Verify,
    /// The gate's whole decision: remembered clients, policies, records.
    Decide,
    /// Revoked certificates.
    Revocation,
    /// Trust anchors.
    Anchors,
    /// Event to request, response to event.
    Edge,
    /// The built functions behind a Runtime API.
    Functions,
    /// Requests a second through the load balancer on this machine.
    LoadBalancer,
}

fn main() {
    let arguments = Arguments::parse();
    let effort = if arguments.quick {
        Effort::Quick
    } else {
        Effort::Full
    };
    let format = if arguments.markdown {
        Format::Markdown
    } else {
        Format::Plain
    };
    let load_before = load();
    let mut table = Table::default();
    let mut plots = Vec::new();
    for section in Section::value_variants() {
        if !arguments.sections.is_empty() && !arguments.sections.contains(section) {
            continue;
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        match section {
            Section::Verify => sections::verify::measure(effort, &mut table),
            Section::Decide => runtime.block_on(sections::decide::measure(effort, &mut table)),
            Section::Revocation => plots.push(sections::revocation::measure(effort, &mut table)),
            Section::Anchors => plots.push(sections::anchors::measure(effort, &mut table)),
            Section::Edge => runtime.block_on(sections::edge::measure(effort, &mut table)),
            Section::Functions => runtime.block_on(sections::functions::measure(effort, &mut table)),
            Section::LoadBalancer => runtime.block_on(sections::load_balancer::measure(effort, &mut table)),
        }
    }
    println!(
        "{}; load before {load_before}, after {}; {}.\n",
        machine(),
        load(),
        build(effort)
    );
    print!("{}", table.to_text(format));
    if let Some(path) = arguments.plot {
        let svg = Plot::svg(&plots, &format!("Header to verdict, first sight ({})", machine()));
        std::fs::write(&path, svg).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        progress(&format!("wrote {}", path.display()));
    }
}

/// Returns a note on the quality of the figures.
fn build(effort: Effort) -> &'static str {
    match (cfg!(debug_assertions), effort) {
        (true, _) => "a debug build, so the figures mean nothing",
        (false, Effort::Quick) => "a quick run, so the figures mean little",
        (false, Effort::Full) => "medians, measured alternately",
    }
}
