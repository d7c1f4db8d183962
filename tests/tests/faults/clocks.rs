//! Clocks that are moved, and freezes of hours, by libfaketime.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alb_mtls_tests::{Clients, Fault, FaultProxy, Moto, leave_out};

use crate::gates::{Gate, Material, Service, Subject};

/// A time that a clock shows, as the page names it, while the source does not answer.
pub(crate) struct Clock {
    pub(crate) what: &'static str,
    /// Offset that libfaketime adds.
    offset: &'static str,
    pub(crate) is_served: bool,
}

/// Faults of clocks, applied one after the other in one process.
pub(crate) static CLOCKS: [Clock; 6] = [
    Clock {
        what: "frozen for 10 minutes",
        offset: "+10m",
        is_served: true,
    },
    Clock {
        what: "frozen for 23 hours",
        offset: "+23h",
        is_served: true,
    },
    Clock {
        what: "frozen for 25 hours, longer than `MTLS_MAX_STALE`",
        offset: "+25h",
        is_served: false,
    },
    Clock {
        what: "the clock is right again",
        offset: "+0",
        is_served: true,
    },
    Clock {
        what: "the clock is put back by a minute",
        offset: "-60",
        is_served: true,
    },
    Clock {
        what: "the clock is put forward again",
        offset: "+0",
        is_served: true,
    },
];

/// Returns the library of Debian's package `faketime`.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let mut libraries = folders.filter_map(|folder| {
        let library = folder.ok()?.path().join("faketime/libfaketime.so.1");
        library.exists().then_some(library)
    });
    libraries.next()
}

fn set(clock: &Path, offset: &str) {
    // Whole at any moment at which it is read.
    let new = clock.with_extension("new");
    std::fs::write(&new, offset).unwrap();
    std::fs::rename(new, clock).unwrap();
}

#[tokio::test]
async fn the_age_of_material_is_that_of_the_clock_whatever_happens_to_it() {
    let Some(library) = library() else {
        leave_out("`faketime` is not installed: freezes of hours were not run");
        return;
    };
    // The emulator's clock, which says when an invocation ends, is not moved: `forward` would have
    // no time left.
    for gate in [Gate::Respond, Gate::Authorize, Gate::Layer] {
        let clients = Clients::new();
        let material = Material::put(gate, Service::Ssm, &clients);
        let proxy = FaultProxy::before(Moto::shared().port()).await;
        let clock = clients.write("clock", "+0");
        let mut variables = proxy.variables();
        for (name, value) in [
            ("MTLS_REFRESH", "60s"),
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            // It stands still while an environment is frozen.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        let timeout = Duration::from_secs(10);
        let subject = Subject::start(gate, clients, Some(&material.source), &variables, timeout, "").await;
        assert_eq!(subject.ask().await, subject.row.served);
        proxy.always(Fault::Silence);
        for step in &CLOCKS {
            set(&clock, step.offset);
            let expected = if step.is_served {
                subject.row.served
            } else {
                subject.row.unavailable
            };
            assert_eq!(subject.ask().await, expected, "{gate:?}: {}", step.what);
            subject.ask_as_stranger(step.what).await;
        }
        proxy.recover();
        assert_eq!(subject.ask().await, subject.row.served);
        subject.assert_not_restarted("clocks");
    }
}
