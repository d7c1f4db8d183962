//! Chooses the combinations of a program that are looked at, and collects what is found in them.

mod coverage;
mod variables;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::checks::{self, Finding, Outcome};
use crate::doctor::cloudformation::evaluation::{Combination, Evaluation};
use crate::doctor::cloudformation::program::Program;
use crate::doctor::cloudformation::template;
use crate::doctor::facts::{Deployment, Unread};
use crate::doctor::text;
use coverage::set;
use variables::{Variable, VariableKey};

/// The outcome for a program over all of its combinations.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    /// With the values that it takes; none where it is so by default.
    pub(crate) findings: BTreeMap<Finding, Vec<String>>,
    pub(crate) unread: BTreeSet<Unread>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) combinations: usize,
    /// True where every combination of values was looked at.
    pub(crate) is_exhaustive: bool,
}

/// Looks at a program in every combination that can be told apart, or in a bounded choice of them.
pub(crate) fn examine(program: &Program) -> Examination {
    let mut examiner = Examiner::new(program);
    let combinations = examiner.combinations();
    let mut examination = Examination {
        is_exhaustive: examiner.is_exhaustive,
        ..Examination::default()
    };
    for choice in combinations {
        let (deployment, outcome) = examiner.look(&choice);
        examination.combinations += 1;
        for finding in outcome.findings {
            if let Entry::Vacant(entry) = examination.findings.entry(finding) {
                let when = examiner.reason(&choice, entry.key());
                entry.insert(when);
            }
        }
        examination.unread.extend(outcome.unread);
        examination.deployments.push(deployment);
    }
    let left_out = checks::modes_left_out(&examination.deployments);
    let left_out = left_out.into_iter().map(|finding| (finding, Vec::new()));
    examination.findings.extend(left_out);
    examination
}

/// A value of each variable, by its position.
type Choice = Vec<usize>;

/// A rule by its template and name.
type RuleKey = (usize, String);

/// A rule that does not allow a choice, with the number of comparisons that would have to come out
/// otherwise.
type Broken = (RuleKey, usize);

/// Most values that are changed so that the rules of the templates allow a choice.
const MAX_CHANGES: usize = 8;

struct Examiner<'a> {
    program: &'a Program,
    variables: Vec<Variable>,
    /// Conditions that decide about something, by template.
    conditions: Vec<(usize, String)>,
    /// Positions of the variables that each rule of the templates compares.
    rules: BTreeMap<RuleKey, BTreeSet<usize>>,
    is_exhaustive: bool,
}

impl<'a> Examiner<'a> {
    fn new(program: &'a Program) -> Self {
        let (variables, conditions) = variables::of(program);
        let mut examiner = Self {
            program,
            variables,
            conditions,
            rules: BTreeMap::new(),
            is_exhaustive: true,
        };
        examiner.rules = variables::of_rules(program)
            .into_iter()
            .map(|(rule, keys)| (rule, examiner.positions_of(&keys)))
            .collect();
        // Equalities that nothing decides can be either; deciding one may show another.
        for _ in 0..3 {
            let known = examiner.variables.len();
            let mut asked = BTreeSet::new();
            for choice in examiner.singles() {
                asked.extend(examiner.questions(&choice));
            }
            examiner.add_questions(asked);
            if examiner.variables.len() == known {
                break;
            }
        }
        examiner
    }

    fn add_questions(&mut self, asked: BTreeSet<String>) {
        for question in asked {
            let key = VariableKey::Equality(question);
            if self.variables.iter().all(|variable| variable.key != key) {
                self.variables.push(Variable {
                    key,
                    values: vec!["false".to_owned(), "true".to_owned()],
                    decides: true,
                });
            }
        }
    }

    fn combination(&self, choice: &Choice) -> Combination {
        let mut combination = Combination::default();
        for (variable, chosen) in self.variables.iter().zip(choice) {
            let value = variable.values.get(*chosen).cloned().unwrap_or_default();
            match &variable.key {
                VariableKey::Parameter(index, name) => {
                    combination.parameters.insert((*index, name.clone()), value);
                }
                VariableKey::Pseudo(name) => {
                    combination.pseudo.insert(name.clone(), value);
                }
                VariableKey::Equality(question) => {
                    combination.equalities.insert(question.clone(), value == "true");
                }
            }
        }
        combination
    }

    fn look(&self, choice: &Choice) -> (Deployment, Outcome) {
        let combination = self.combination(choice);
        let deployment = template::read(self.program, &Evaluation::new(self.program, &combination));
        let outcome = checks::all(&deployment);
        (deployment, outcome)
    }

    /// Returns the truth of each condition, unless the template's rules exclude the choice.
    fn truths(&self, choice: &Choice) -> Option<Vec<bool>> {
        let combination = self.combination(choice);
        let evaluation = Evaluation::new(self.program, &combination);
        if !evaluation.broken_rules(|_| true).is_empty() {
            return None;
        }
        let conditions = self.conditions.iter();
        let truth = |(index, name): &(usize, String)| {
            evaluation
                .scope(*index)
                .is_some_and(|scope| scope.condition(name))
        };
        Some(conditions.map(truth).collect())
    }

    fn positions_of(&self, keys: &BTreeSet<VariableKey>) -> BTreeSet<usize> {
        let variables = self.variables.iter().enumerate();
        let of_keys = variables.filter(|(_, variable)| keys.contains(&variable.key));
        of_keys.map(|(position, _)| position).collect()
    }

    /// Returns the choice if the templates' rules allow it, or one near it that they allow, with the
    /// same values at some positions.
    fn allowed(&self, mut choice: Choice, kept: &[usize]) -> Option<Choice> {
        let mut broken = self.broken_rules(&choice, |_| true);
        for _ in 0..MAX_CHANGES {
            if broken.is_empty() {
                return Some(choice);
            }
            (choice, broken) = self.nearest(&choice, &broken, kept)?;
        }
        None
    }

    /// Returns the choice with one other value that is nearest to what the rules allow, if any is
    /// nearer.
    fn nearest(&self, choice: &Choice, broken: &[Broken], kept: &[usize]) -> Option<(Choice, Vec<Broken>)> {
        let distance = |rules: &[Broken]| rules.iter().map(|(_, own)| own).sum::<usize>();
        let compared = broken.iter().filter_map(|(rule, _)| self.rules.get(rule));
        let positions: BTreeSet<usize> = compared.flatten().copied().collect();
        let mut bound = distance(broken);
        let mut nearest = None;
        for position in positions.into_iter().filter(|position| !kept.contains(position)) {
            let values = self.variables.get(position);
            let compares = |rule: &RuleKey| self.rules.get(rule).is_some_and(|own| own.contains(&position));
            for value in 0..values.map_or(0, |variable| variable.values.len()) {
                let mut other = choice.clone();
                set(&mut other, position, value);
                let mut rules = self.broken_rules(&other, compares);
                rules.extend(broken.iter().filter(|(rule, _)| !compares(rule)).cloned());
                if distance(&rules) < bound {
                    bound = distance(&rules);
                    nearest = Some((other, rules));
                }
            }
        }
        nearest
    }

    fn broken_rules(&self, choice: &Choice, is_wanted: impl Fn(&RuleKey) -> bool) -> Vec<Broken> {
        let combination = self.combination(choice);
        Evaluation::new(self.program, &combination).broken_rules(is_wanted)
    }

    fn questions(&self, choice: &Choice) -> BTreeSet<String> {
        let combination = self.combination(choice);
        let evaluation = Evaluation::new(self.program, &combination);
        for (index, name) in &self.conditions {
            if let Some(scope) = evaluation.scope(*index) {
                scope.condition(name);
            }
        }
        evaluation.asked.take()
    }

    fn default(&self) -> Choice {
        vec![0; self.variables.len()]
    }

    /// Returns the values that a finding takes: those that it goes away without.
    fn reason(&self, choice: &Choice, finding: &Finding) -> Vec<String> {
        let mut needed = choice.clone();
        let changed: Vec<usize> = (0..choice.len())
            .filter(|position| choice.get(*position) != Some(&0))
            .collect();
        for position in changed {
            let mut without = needed.clone();
            set(&mut without, position, 0);
            if self.truths(&without).is_some() && self.look(&without).1.findings.contains(finding) {
                needed = without;
            }
        }
        let variables = self
            .variables
            .iter()
            .zip(&needed)
            .filter(|(_, value)| **value != 0);
        variables
            .map(|(variable, value)| self.said(variable, *value))
            .collect()
    }

    fn said(&self, variable: &Variable, value: usize) -> String {
        let value = variable.values.get(value).map(String::as_str).unwrap_or_default();
        match &variable.key {
            VariableKey::Parameter(index, name) => {
                let prefix = self
                    .program
                    .template(*index)
                    .map(|template| template.prefix.as_str());
                let name = format!("{}{name}", prefix.unwrap_or_default());
                match value.contains("${") {
                    true => format!("another {name}"),
                    false => format!("{name}={value}"),
                }
            }
            VariableKey::Pseudo(name) if value.contains("${") => format!("another {name}"),
            VariableKey::Pseudo(name) => format!("{name}={value}"),
            VariableKey::Equality(question) => text::shown(question),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::coverage::Random;
    use super::*;
    use crate::doctor::rules::{self, Severity};
    use crate::doctor::yaml;

    /// Combinations of the options of our template that are looked at, of some ten thousand.
    const COMBINATIONS: usize = 150;

    #[test]
    fn our_template_is_clean_under_arbitrary_combinations_of_its_options() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let programs = Program::all_of(vec![(path.display().to_string(), template)], &BTreeMap::new());
        let examiner = Examiner::new(&programs[0]);
        assert!(examiner.variables.len() > 12, "{:?}", examiner.variables);
        let mut random = Random(7);
        let mut looked_at = 0;
        while looked_at < COMBINATIONS {
            let sizes = examiner.variables.iter().map(|variable| variable.values.len());
            let choice: Choice = sizes.map(|size| random.below(size)).collect();
            // A listener elsewhere is one that no file describes.
            let elsewhere = |variable: &Variable| matches!(&variable.key, VariableKey::Parameter(0, name) if name == "ListenerArn");
            let listener = examiner.variables.iter().position(elsewhere).unwrap();
            let is_elsewhere = choice[listener] != 0;
            let Some(choice) = examiner.allowed(choice, &[listener]) else {
                continue;
            };
            looked_at += 1;
            let (_, outcome) = examiner.look(&choice);
            let mut findings = outcome.findings.iter();
            let is_chosen = |finding: &Finding| finding.rule.id == rules::MODE_REPORT.id;
            assert!(
                findings.all(|finding| is_chosen(finding) || finding.rule.severity == Severity::Advice),
                "{choice:?}: {:?}",
                outcome.findings
            );
            let mut unread = outcome.unread.iter();
            assert!(
                unread.all(|unread| is_elsewhere && unread.subject == "Entry/ListenerRule"),
                "{choice:?}: {:?}",
                outcome.unread
            );
            assert_eq!(outcome.unread.is_empty(), !is_elsewhere);
        }
    }

    #[test]
    fn condition_of_seven_parameters_is_seen_in_both_ways() {
        let names = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
        let parameters: String = names
            .iter()
            .map(|name| format!("  {name}: {{Type: String, Default: \"no\"}}\n"))
            .collect();
        let equals: Vec<String> = names
            .iter()
            .take(7)
            .map(|name| format!("!Equals [!Ref {name}, \"yes\"]"))
            .collect();
        let rest: String = names
            .iter()
            .map(|name| format!("  Only{name}: !Equals [!Ref {name}, \"yes\"]\n"))
            .collect();
        let text = format!(
            "Parameters:\n{parameters}Conditions:\n  All: !And [{}]\n{rest}Resources:\n  L: {{Type: AWS::Lambda::Url, Condition: All}}\n  M: {{Type: AWS::Lambda::Url, Condition: OnlyH}}\n  N: {{Type: AWS::Lambda::Url, Condition: OnlyI}}\n",
            equals.join(", ")
        );
        let node = yaml::parse(&text).unwrap();
        let programs = Program::all_of(vec![("t.yaml".to_owned(), node)], &BTreeMap::new());
        let mut examiner = Examiner::new(&programs[0]);
        let combinations = examiner.combinations();
        assert!(!examiner.is_exhaustive);
        let all = examiner
            .conditions
            .iter()
            .position(|(_, name)| name == "All")
            .unwrap();
        let is_all = |choice: &Choice| examiner.truths(choice).is_some_and(|truths| truths[all]);
        assert!(combinations.iter().any(is_all));
        assert!(!combinations.iter().all(is_all));
    }
}
