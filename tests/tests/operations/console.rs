//! What operators give to AWS as it stands in the README, the guides and the template: queries and a rule of WAF.
//! AWS alone can run them; here they are held against real records and the schema of the rule.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use alb_mtls_tests::{Clients, client_headers, project, respond, source};
use serde_json::{Value, json};

/// Of CloudWatch Logs Insights, as far as the queries use it.
const COMMANDS: [&str; 5] = ["fields", "filter", "limit", "sort", "stats"];
const FUNCTIONS: [&str; 3] = ["count", "latest", "pct"];
const WORDS: [&str; 6] = ["and", "as", "asc", "by", "desc", "or"];

#[tokio::test]
async fn log_queries_name_fields_that_records_have() {
    let clients = Clients::new();
    let shadow = source(&clients, "shadow.cedar", "forbid (principal, action, resource);");
    let allow = source(
        &clients,
        "policies.cedar",
        "permit (principal, action, resource);",
    );
    let variables = [
        ("MTLS_SHADOW_POLICY", shadow.as_str()),
        ("MTLS_POLICY", allow.as_str()),
    ];
    let function = respond(&clients, &variables).await;
    let mut fields = BTreeSet::from(["@timestamp".to_owned()]);
    for headers in [clients.good_headers(), client_headers()] {
        function.get("/", &headers).await;
        names(&function.record().await, "", &mut fields);
    }
    let queries = queries();
    assert!(queries.len() >= 7, "{queries:?}");
    for query in queries {
        assert_eq!(unknown(&query, &fields), Vec::<String>::new(), "{query}");
    }
}

#[test]
fn a_query_with_a_slip_is_seen() {
    let fields = BTreeSet::from(["message".to_owned(), "client.subject".to_owned()]);
    for (query, slip) in [
        (
            "filter message = \"decision | x\" | stats count() as n by client.subject | sort n desc",
            None,
        ),
        ("filter mesage = \"decision\"", Some("mesage")),
        (
            "filter message = \"decision\" | stat count() by client.subject",
            Some("stat"),
        ),
        (
            "filter message = \"decision\" | stats last(client.subject)",
            Some("last("),
        ),
        ("filter message = \"decision\" | sort n desc", Some("n")),
    ] {
        let found = unknown(query, &fields);
        assert_eq!(found.first().map(String::as_str), slip, "{query}: {found:?}");
    }
}

/// Every query of the README, the guides and the dashboard.
fn queries() -> Vec<String> {
    let mut queries = Vec::new();
    let guides = std::fs::read_dir(project().join("docs")).unwrap();
    let guides = guides.map(|entry| entry.unwrap().path());
    for path in guides.chain([project().join("README.md")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        // In a block of its own, or within a line.
        let pieces = text
            .split("```")
            .flat_map(|piece| match piece.trim_start().starts_with("filter ") {
                true => vec![piece],
                false => piece.split('`').collect(),
            });
        let found = pieces.map(str::trim).filter(|piece| piece.starts_with("filter "));
        queries.extend(found.map(str::to_owned));
    }
    let template = std::fs::read_to_string(project().join("template.yaml")).unwrap();
    for query in template.split("\"query\": \"SOURCE '${Logs}' | ").skip(1) {
        queries.push(query.split('"').next().unwrap().to_owned());
    }
    queries
}

/// Words of a query that are no field, no name that it gave itself, and nothing that the language has.
fn unknown(query: &str, fields: &BTreeSet<String>) -> Vec<String> {
    let mut known = fields.clone();
    let mut unknown = Vec::new();
    for command in without_texts(query).split('|') {
        let is_separator = |letter: char| !(letter.is_alphanumeric() || "@_.(".contains(letter));
        // A parenthesis stays at the name of a function.
        let command = command.replace(" (", " ").replace('(', "( ");
        let mut words = command
            .split(is_separator)
            .filter(|word| !word.is_empty() && word.parse::<f64>().is_err());
        let name = words.next().unwrap_or_default();
        if !COMMANDS.contains(&name) {
            unknown.push(name.to_owned());
        }
        let mut before = "";
        for word in words {
            let is_known = match word.strip_suffix('(') {
                Some(function) => FUNCTIONS.contains(&function),
                None => WORDS.contains(&word) || known.contains(word),
            };
            if before == "as" {
                known.insert(word.to_owned());
            } else if !is_known {
                unknown.push(word.to_owned());
            }
            before = word;
        }
    }
    unknown
}

fn without_texts(query: &str) -> String {
    let mut quote = None;
    let outside = query.chars().filter(|letter| match (quote, letter) {
        (None, '"' | '\'') => {
            quote = Some(*letter);
            false
        }
        (None, _) => true,
        (Some(open), letter) => {
            if open == *letter {
                quote = None;
            }
            false
        }
    });
    outside.collect()
}

/// The names of everything in a record, as queries write them.
fn names(value: &Value, prefix: &str, names_so_far: &mut BTreeSet<String>) {
    let Some(members) = value.as_object() else {
        return;
    };
    for (name, member) in members {
        let full = format!("{prefix}{name}");
        names(member, &format!("{full}."), names_so_far);
        names_so_far.insert(full);
    }
}

#[test]
fn the_rule_of_waf_is_one() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let (_, after) = readme
        .split_once("may stop requests without one at the load balancer:\n\n```json\n")
        .unwrap();
    let rule: Value = serde_json::from_str(after.split_once("```").unwrap().0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The listener renames the header: a rule for the default name would match every request.
    assert!(!rule.to_string().contains("x-amzn-mtls-clientcert"), "{rule}");
    let output = lint(&rule, folder.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );

    let (_, action) = readme.split_once("make it `\"Action\": ").unwrap();
    let mut blocks = rule.clone();
    blocks["Action"] = serde_json::from_str(action.split_once('`').unwrap().0).unwrap();
    let output = lint(&blocks, folder.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );

    let mut wrong = rule;
    wrong["Statement"]["AndStatement"]["Statements"][1]["NotStatement"]["Statement"]["SizeConstraintStatement"]
        ["ComparisonOperator"] = json!("MORE");
    assert!(!lint(&wrong, folder.path()).status.success());
}

/// `cfn-lint` on a web ACL with the rule.
fn lint(rule: &Value, folder: &Path) -> Output {
    let visibility = &rule["VisibilityConfig"];
    let template = json!({"Resources": {"Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": {
        "Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": visibility, "Rules": [rule]}}}});
    let path = folder.join("acl.json");
    std::fs::write(&path, template.to_string()).unwrap();
    Command::new(project().join(".venv/bin/cfn-lint"))
        .arg(path)
        .output()
        .unwrap()
}
