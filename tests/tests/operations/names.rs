//! Names in pages: parameters and outputs are those of the templates, paths are those that a stack
//! reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use alb_mtls_gate::{METRICS, denial_reasons};
use alb_mtls_tests::project;

use crate::guides::guides;

/// Words in pages that are names of AWS and of other programs, and look like a template's.
const ELSEWHERE: &[&str] = &[
    "AdvertiseTrustStoreCaNames",
    "AlternateSignatureAlgorithm",
    "AuthenticationMiddleware",
    "CRLDeltaPeriodUnits",
    "CertEnroll",
    "CertificateChain",
    "CertificateNotFound",
    "ClientCertCrlProcessingError",
    "CrlRefreshFailure",
    "CrlSkipped",
    "CustomExtensions",
    "EphemeralStorage",
    "EvaluateTargetHealth",
    "IgnoreClientCertificateExpiry",
    "ModifyTrustStore",
    "MtlsGate",
    "NothingFetched",
    "PreAuthenticatedAuthenticationProvider",
    "PutParameter",
    "RequestHeaderAuthenticationFilter",
    "ReservedConcurrentExecutions",
    "SecureString",
    "SourceAccount",
    "SourceArn",
    "UnmappedConnectionError",
];

/// Pages about the insides, which name types and functions of the code.
const ABOUT_CODE: &[&str] = &["doctor", "fips", "lambda-runtime", "library", "performance"];

/// Returns README and guides, except pages about the code.
fn pages() -> Vec<(PathBuf, String)> {
    let about_code = |path: &PathBuf| {
        ABOUT_CODE
            .iter()
            .any(|name| path.ends_with(format!("docs/{name}.md")))
    };
    let pages = guides().into_iter().filter(|path| !about_code(path));
    pages
        .chain(["README.md", "deploy/policies/README.md"].map(|name| project().join(name)))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The stack's templates.
const TEMPLATES: &[&str] = &[
    TEMPLATE,
    "deploy/sam/load-balancer.yaml",
    "deploy/sam/api.yaml",
    "deploy/sam/observability.yaml",
];

/// The template that a command deploys which names none.
const TEMPLATE: &str = "template.yaml";

/// A page about other templates than [`TEMPLATE`] alone.
struct OtherPage {
    path: &'static str,
    /// The first is the one of commands that name none.
    templates: &'static [&'static str],
    /// Stacks whose paths the page names.
    stacks: &'static [&'static str],
}

/// Stacks of pages about [`TEMPLATE`], and what stands for the name of one.
const STACKS: &[&str] = &["gate", "STACK", "NAME"];

const OTHER_PAGES: &[OtherPage] = &[
    OtherPage {
        path: "docs/containers.md",
        templates: &["deploy/ecs/service.yaml"],
        stacks: &["orders"],
    },
    OtherPage {
        path: "docs/layer.md",
        templates: &[TEMPLATE, "examples/layer/template.yaml"],
        stacks: STACKS,
    },
];

/// Returns names at the second level of templates: parameters, resources and outputs.
fn names_of_templates(files: &[&str]) -> BTreeSet<String> {
    let read = |file: &&str| std::fs::read_to_string(project().join(file)).unwrap();
    let texts: Vec<String> = files.iter().map(read).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines
        .filter_map(|line| line.strip_prefix("  ")?.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_camel_case(name))
        .collect()
}

/// Returns the names of the parameters of a template.
fn parameters_of(template: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(project().join(template)).unwrap();
    let (_, after) = text.split_once("\nParameters:\n").unwrap();
    let lines = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with(' ') || line.starts_with('#'));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    names
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

/// Returns true for a name of two words or more, such as `AnchorPem`.
fn is_camel_case(name: &str) -> bool {
    let mut capitals = name.chars().skip(1).filter(char::is_ascii_uppercase);
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric())
        && name.contains(|character: char| character.is_ascii_lowercase())
        && capitals.next().is_some()
}

/// Returns the code in running text and tables, without blocks.
fn spans(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    outside
        .flat_map(|part| part.lines())
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// Names that a page can use.
struct Names {
    /// Parameters, resources and outputs of the templates, and names from elsewhere.
    known: BTreeSet<String>,
    /// By template.
    parameters: BTreeMap<&'static str, BTreeSet<String>>,
    /// Template of commands that name none.
    template: &'static str,
    stacks: &'static [&'static str],
}

impl Names {
    /// Returns the names for a page: those of [`TEMPLATE`] and of what it nests, unless the page is
    /// about others.
    fn of_page(page: &Path) -> Self {
        let other = OTHER_PAGES.iter().find(|other| page.ends_with(other.path));
        match other {
            Some(OtherPage {
                templates, stacks, ..
            }) => Self::of(templates, stacks),
            None => Self::of(&[TEMPLATE], STACKS),
        }
    }

    fn of(templates: &[&'static str], stacks: &'static [&'static str]) -> Self {
        let mut known = names_of_templates(TEMPLATES);
        known.extend(names_of_templates(templates));
        known.extend(METRICS.iter().map(|metric| metric.name.to_owned()));
        known.extend(
            denial_reasons()
                .iter()
                .map(|reason| reason.code.as_str().to_owned()),
        );
        known.extend(ELSEWHERE.iter().map(|name| (*name).to_owned()));
        Self {
            known,
            parameters: templates
                .iter()
                .map(|template| (*template, parameters_of(template)))
                .collect(),
            template: templates[0],
            stacks,
        }
    }

    /// Returns true if a template of the page has the parameter.
    fn has_parameter(&self, name: &str) -> bool {
        self.parameters.values().any(|names| names.contains(name))
    }
}

/// Returns the names in a page that are not those of its template.
fn problems(text: &str, names: &Names) -> Vec<String> {
    let mut problems = Vec::new();
    for span in spans(text) {
        match span.split_once('=') {
            Some((name, _))
                if is_camel_case(name) && !names.has_parameter(name) && !ELSEWHERE.contains(&name) =>
            {
                problems.push(format!("`{span}` is not a parameter of a template"));
            }
            None if is_camel_case(span) && !names.known.contains(span) => {
                problems.push(format!("`{span}` is not a name of a template"));
            }
            _ => {}
        }
    }
    for (at, _) in text.match_indices("--parameter-overrides") {
        let (before, values) = text.split_at(at);
        let before = before.replace("\\\n", " ");
        let command = before.lines().next_back().unwrap_or_default();
        let template = match command.split_once("--template-file ") {
            Some((_, rest)) => rest.split_whitespace().next().unwrap_or_default(),
            None => names.template,
        };
        let Some(parameters) = names.parameters.get(template) else {
            problems.push(format!("`{template}` is not a template of this page"));
            continue;
        };
        let values = values.replace("\\\n", " ");
        let line = values.lines().next().unwrap_or_default();
        let words = line.split([' ', '\'', '"', '`']);
        let set = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name);
        // Variables of the environment are in capitals.
        let is_parameter = |name: &&str| {
            name.chars().all(char::is_alphanumeric)
                && name.contains(|character: char| character.is_ascii_lowercase())
        };
        for name in set.filter(is_parameter) {
            if !parameters.contains(name) {
                problems.push(format!("`{name}` is not a parameter of {template}"));
            }
        }
    }
    for kind in ["anchors", "intermediates", "policies", "shadow-policies"] {
        for (before, _) in text
            .match_indices(&format!("/{kind}"))
            .map(|(at, _)| text.split_at(at))
        {
            let stack =
                before.rsplit(|character: char| !character.is_ascii_alphanumeric() && character != '-');
            let stack = stack.into_iter().next().unwrap_or_default();
            let is_path = before.strip_suffix(stack).is_some_and(|rest| {
                rest.ends_with("name /")
                    || rest.ends_with("path /")
                    || rest.ends_with("ssm:/")
                    || rest.ends_with("parameter/")
                    || rest.ends_with("`/")
            });
            if is_path && !names.stacks.contains(&stack) {
                problems.push(format!(
                    "`/{stack}/{kind}` is not where a stack of these pages reads"
                ));
            }
        }
    }
    problems
}

#[test]
fn names_of_parameters_and_paths_in_pages_are_those_of_the_templates() {
    assert!(parameters_of(TEMPLATE).len() > 40);
    for other in OTHER_PAGES {
        assert!(project().join(other.path).exists(), "{}", other.path);
        for template in other.templates {
            assert!(parameters_of(template).len() > 5, "{template}");
        }
    }
    let mut found = Vec::new();
    for (path, text) in pages() {
        let problems = problems(&text, &Names::of_page(&path)).into_iter();
        found.extend(problems.map(|problem| format!("{}: {problem}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn former_names_are_found() {
    let names = Names::of_page(Path::new("docs/deploy.md"));
    for (text, words) in [
        (
            "set `AnchorParameter=/a`",
            "`AnchorParameter=/a` is not a parameter",
        ),
        ("| `RefreshCrls` |", "`RefreshCrls` is not a name"),
        (
            "```sh\nsam deploy --parameter-overrides \\\n    VpcId=$vpc Anchors=a\n```",
            "`Anchors` is not a parameter",
        ),
        (
            "aws ssm put-parameter --name /alb-mtls/anchors/root",
            "`/alb-mtls/anchors` is not",
        ),
        (
            "`MTLS_POLICY=ssm:/alb-mtls/policies/*`",
            "`/alb-mtls/policies` is not",
        ),
        (
            "```sh\nsam deploy --template-file deploy/else.yaml --parameter-overrides A=b\n```",
            "`deploy/else.yaml` is not a template of this page",
        ),
    ] {
        let found = problems(text, &names);
        assert!(
            matches!(found.as_slice(), [one] if one.contains(words)),
            "{text}: {found:?}"
        );
    }
    for right in [
        "`AnchorPem`, `LayeredFunction=true`, `TryIt`, `Denied`",
        "ssm:/gate/anchors/* and `/STACK/intermediates`",
        "[`deploy/policies/`](deploy/policies/README.md)",
    ] {
        assert_eq!(problems(right, &names), Vec::<String>::new(), "{right}");
    }
}

#[test]
fn first_column_of_the_deployment_table_lists_parameters() {
    let page = std::fs::read_to_string(project().join("docs/deploy.md")).unwrap();
    let (_, table) = page.split_once("| parameter | what it adds |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let (parameters, mut names) = (parameters_of(TEMPLATE), 0);
    for row in rows {
        let first = row.split('|').nth(1).unwrap();
        for name in first.split('`').skip(1).step_by(2) {
            assert!(parameters.contains(name), "{name}");
            names += 1;
        }
    }
    assert!(names > 20, "only {names} names");
}

#[test]
fn sums_of_the_cost_table_add_up() {
    let page = std::fs::read_to_string(project().join("docs/cost.md")).unwrap();
    let (_, table) = page.split_once("<!-- cost table").unwrap();
    let mut sums = [0, 0];
    let rows = table.lines().skip(3).take_while(|line| line.starts_with('|'));
    for (above, row) in rows.enumerate() {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('*')).collect();
        let [_, item, _, small, large, _] = cells.as_slice() else {
            panic!("{row}");
        };
        let cents = [small, large].map(|amount| amount.replace('.', "").parse::<i64>().unwrap());
        if *item == "sum" {
            assert_eq!(cents, sums);
            assert!(above > 5, "only {above} rows");
            return;
        }
        sums = [sums[0] + cents[0], sums[1] + cents[1]];
    }
    panic!("no sum");
}
