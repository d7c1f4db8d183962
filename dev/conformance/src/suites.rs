//! A folder of suites, and how the verifier agrees with each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use alb_mtls::files::{FileError, read_text};
use alb_mtls::vectors::{Case, CaseError, Expected, Judge, Tier, Verdict, read_cases};
use serde_json::Value;

use crate::exceptions::{Exception, Side};
use crate::families::Expectation;

/// Result for a folder.
#[derive(Debug, Default)]
pub(crate) struct Report {
    suites: BTreeMap<String, Counts>,
    disagreements: Vec<Disagreement>,
    /// Exceptions whose case agrees.
    agreed_exceptions: Vec<String>,
    /// Refusals of cases of which no row of the table of families is about.
    without_family: Vec<String>,
    not_cases: Vec<PathBuf>,
}

/// A folder of suites that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuiteError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error("`{}` is not a list of exceptions: {source}", path.display())]
    Exceptions {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("`{}` does not contain a file of cases", folder.display())]
    NoCases { folder: PathBuf },
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    cases: usize,
    agree: usize,
    stricter: usize,
    /// Accepted on purpose where the suite, but not RFC 5280, refuses.
    laxer: usize,
    wrongly_accepted: usize,
    /// Refused, and for a reason that is not the suite's.
    other_reason: usize,
}

#[derive(Debug)]
struct Disagreement {
    id: String,
    side: Side,
    /// Reasons for which the suite refuses.
    reasons: String,
    verdict: Verdict,
    tier: Tier,
    is_expected: bool,
}

impl Report {
    /// Returns true without wrongly accepted cases and without unlisted disagreements.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.agreed_exceptions.is_empty() && self.disagreements.iter().all(|one| one.is_expected)
    }

    fn add(
        &mut self,
        file: &str,
        case: &Case,
        reasons: &Expectation<'_>,
        verdict: Verdict,
        exceptions: &[Exception],
    ) {
        let counts = self.suites.entry(file.to_owned()).or_default();
        counts.cases += 1;
        let exception = exceptions.iter().find(|exception| exception.covers(&case.id));
        let is_right = verdict.is(case.expected);
        if is_right && case.expected == Expected::Reject && matches!(reasons, Expectation::Unknown) {
            let refusal = format!("{}: {}", case.id, verdict.detail());
            self.without_family.push(refusal);
        }
        let side = match case.expected {
            Expected::Accept => Side::Verifier,
            Expected::Reject if is_right => Side::Neither,
            Expected::Reject => Side::Suite,
        };
        if is_right && (side == Side::Verifier || reasons.fits(&verdict)) {
            counts.agree += 1;
            self.agreed_exceptions.extend(exception.map(|_| case.id.clone()));
            return;
        }
        // What must be refused has no exceptions.
        let may_be_excepted = side != Side::Suite || case.tier != Tier::Must;
        let is_expected = may_be_excepted && exception.is_some_and(|exception| exception.stricter == side);
        match side {
            Side::Verifier => counts.stricter += 1,
            Side::Neither => counts.other_reason += 1,
            Side::Suite if is_expected => counts.laxer += 1,
            Side::Suite => counts.wrongly_accepted += 1,
        }
        self.disagreements.push(Disagreement {
            id: case.id.clone(),
            side,
            reasons: reasons.to_string(),
            verdict,
            tier: case.tier,
            is_expected,
        });
    }
}

/// Judges every file of cases in `folder`.
pub(crate) fn run(folder: &Path, exceptions: Option<&Path>, judge: Judge) -> Result<Report, SuiteError> {
    let exceptions = match exceptions {
        Some(path) => read_exceptions(path)?,
        None => Vec::new(),
    };
    let mut report = Report::default();
    for path in files(folder)? {
        if !holds_cases(&path)? {
            report.not_cases.push(path);
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let suite = name.split('.').next().unwrap_or_default();
        for case in read_cases(&path)? {
            let reasons = Expectation::of(&case);
            let judge = match reasons.is_about_anchor() {
                true => judge.without_plain_anchors(),
                false => judge,
            };
            let verdict = judge.judge(&case);
            report.add(suite, &case, &reasons, verdict, &exceptions);
        }
    }
    if report.suites.is_empty() {
        return Err(SuiteError::NoCases {
            folder: folder.to_owned(),
        });
    }
    Ok(report)
}

fn read_exceptions(path: &Path) -> Result<Vec<Exception>, SuiteError> {
    serde_json::from_str(&read_text(path)?).map_err(|source| SuiteError::Exceptions {
        path: path.to_owned(),
        source,
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = FileError::unreadable(folder);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(&unreadable)? {
        let path = entry.map_err(&unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A folder may hold other lists as well; a case is known by its trust anchors. A damaged file of
/// cases still counts as one, so that it is reported.
fn holds_cases(path: &Path) -> Result<bool, FileError> {
    let text = read_text(path)?;
    let first: Option<Value> = text
        .lines()
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    Ok(first.is_none_or(|object| object.get("trusted").is_some()))
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut total = Counts::default();
        writeln!(
            formatter,
            "{:<26} {:>6} {:>6} {:>9} {:>6} {:>17} {:>13}",
            "suite", "cases", "agree", "stricter", "laxer", "wrongly accepted", "other reason"
        )?;
        for (suite, counts) in &self.suites {
            write_row(formatter, suite, counts)?;
            total.cases += counts.cases;
            total.agree += counts.agree;
            total.stricter += counts.stricter;
            total.laxer += counts.laxer;
            total.wrongly_accepted += counts.wrongly_accepted;
            total.other_reason += counts.other_reason;
        }
        write_row(formatter, "all", &total)?;

        for disagreement in &self.disagreements {
            writeln!(formatter, "{disagreement}")?;
        }
        for id in &self.agreed_exceptions {
            writeln!(
                formatter,
                "UNEXPECTED agreement, but listed as an exception: {id}"
            )?;
        }
        for refusal in &self.without_family {
            writeln!(formatter, "no family of reasons is known for {refusal}")?;
        }
        for path in &self.not_cases {
            writeln!(formatter, "not a file of cases: {}", path.display())?;
        }
        Ok(())
    }
}

fn write_row(formatter: &mut fmt::Formatter<'_>, name: &str, counts: &Counts) -> fmt::Result {
    writeln!(
        formatter,
        "{name:<26} {:>6} {:>6} {:>9} {:>6} {:>17} {:>13}",
        counts.cases,
        counts.agree,
        counts.stricter,
        counts.laxer,
        counts.wrongly_accepted,
        counts.other_reason
    )
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = if self.is_expected {
            "exception"
        } else {
            "UNEXPECTED"
        };
        let side = match self.side {
            Side::Verifier => "stricter",
            Side::Neither => "other reason",
            Side::Suite if self.is_expected => "laxer",
            Side::Suite => "wrongly accepted",
        };
        write!(formatter, "{expected} {side} ({:?}): {}", self.tier, self.id)?;
        match self.side {
            Side::Verifier => write!(formatter, ": {}", self.verdict.detail()),
            Side::Neither => write!(formatter, ": {}, not {}", self.verdict.detail(), self.reasons),
            Side::Suite => Ok(()),
        }
    }
}
