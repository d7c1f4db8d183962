//! Chooses the combinations of a program that are looked at, and collects what is found in them.

mod coverage;
mod variables;

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::checks::{self, Finding, Outcome};
use crate::doctor::cloudformation::evaluation::{
    Choice, Evaluation, Table, Variable, VariableKey, Variables,
};
use crate::doctor::cloudformation::program::Program;
use crate::doctor::cloudformation::template;
use crate::doctor::facts::{Deployment, Unread};
use crate::doctor::node::Node;
use crate::doctor::text;
use coverage::set;

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
        unread: template::unread(program),
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

/// Most values that are changed so that the rules of the templates allow a choice.
const MAX_CHANGES: usize = 8;

/// Condition of a template that decides about something.
struct Condition {
    index: usize,
    name: String,
    truth: RefCell<Table<bool>>,
}

/// Rule of a template about the values of its parameters.
struct Rule<'a> {
    index: usize,
    node: &'a Node,
    /// Positions of the variables that it compares.
    positions: BTreeSet<usize>,
    /// Numbers of comparisons that would have to come out otherwise for it to allow a choice.
    distance: RefCell<Table<usize>>,
}

/// A rule by its place in the list that does not allow a choice, and its distance.
type Broken = (usize, usize);

struct Examiner<'a> {
    program: &'a Program,
    variables: Variables,
    conditions: Vec<Condition>,
    rules: Vec<Rule<'a>>,
    /// Rules that compare the variable at each position.
    rules_by_position: Vec<Vec<usize>>,
    is_exhaustive: bool,
}

impl<'a> Examiner<'a> {
    fn new(program: &'a Program) -> Self {
        let (variables, conditions) = variables::of(program);
        let mut examiner = Self {
            program,
            variables: Variables::new(variables),
            conditions: Vec::new(),
            rules: Vec::new(),
            rules_by_position: Vec::new(),
            is_exhaustive: true,
        };
        examiner.prepare(&conditions);
        // Equalities that nothing decides can be either; deciding one may show another.
        for _ in 0..3 {
            let mut asked = BTreeSet::new();
            let mut choices = examiner.singles();
            choices.push(examiner.unknowns());
            for choice in choices {
                asked.extend(examiner.questions(&choice));
            }
            if !examiner.add_questions(asked) {
                break;
            }
            examiner.prepare(&conditions);
        }
        examiner
    }

    /// Begins without results: those of before do not depend on the variables that were added.
    fn prepare(&mut self, conditions: &[(usize, String)]) {
        let conditions = conditions.iter().map(|(index, name)| Condition {
            index: *index,
            name: name.clone(),
            truth: RefCell::new(Table::new()),
        });
        self.conditions = conditions.collect();
        self.rules = Vec::new();
        self.rules_by_position = vec![Vec::new(); self.variables.as_slice().len()];
        for (index, template) in self.program.templates.iter().enumerate() {
            let rules = template.node.get("Rules").map(Node::members);
            for (_, node) in rules.unwrap_or_default() {
                let positions = self.positions_of(&variables::of_rule(self.program, index, node));
                for position in &positions {
                    if let Some(rules) = self.rules_by_position.get_mut(*position) {
                        rules.push(self.rules.len());
                    }
                }
                self.rules.push(Rule {
                    index,
                    node,
                    positions,
                    distance: RefCell::new(Table::new()),
                });
            }
        }
    }

    /// Adds variables for equalities; returns true if any is new.
    fn add_questions(&mut self, asked: BTreeSet<String>) -> bool {
        let known = self.variables.as_slice().len();
        for question in asked {
            self.variables.push(Variable {
                key: VariableKey::Equality(question),
                values: vec!["false".to_owned(), "true".to_owned()],
                decides: true,
            });
        }
        self.variables.as_slice().len() > known
    }

    fn evaluation<'e>(&'e self, choice: &'e Choice) -> Evaluation<'e> {
        Evaluation::new(self.program, &self.variables, choice)
    }

    fn look(&self, choice: &Choice) -> (Deployment, Outcome) {
        let deployment = template::read(self.program, &self.evaluation(choice));
        let outcome = checks::all(&deployment);
        (deployment, outcome)
    }

    /// Returns the result of a computation for a choice, from its table if it is there.
    fn computed<T: Copy>(
        &self,
        table: &RefCell<Table<T>>,
        choice: &Choice,
        compute: impl Fn(&Evaluation<'_>) -> T,
    ) -> T {
        if let Some(known) = table.borrow().get(choice) {
            return *known;
        }
        let evaluation = self.evaluation(choice);
        let result = compute(&evaluation);
        let mut table = table.borrow_mut();
        table.insert(&self.variables, choice, &evaluation.read(), result);
        result
    }

    fn truth(&self, condition: &Condition, choice: &Choice) -> bool {
        self.computed(&condition.truth, choice, |evaluation| {
            let scope = evaluation.scope(condition.index);
            scope.is_some_and(|scope| scope.condition(&condition.name))
        })
    }

    fn distance(&self, rule: &Rule<'_>, choice: &Choice) -> usize {
        self.computed(&rule.distance, choice, |evaluation| {
            let scope = evaluation.scope(rule.index);
            scope.map_or(0, |scope| scope.distance_to_rule(rule.node))
        })
    }

    /// Returns true if the templates' rules allow a choice.
    fn allows(&self, choice: &Choice) -> bool {
        self.rules.iter().all(|rule| self.distance(rule, choice) == 0)
    }

    /// Returns the truth of each condition.
    fn truths(&self, choice: &Choice) -> Vec<bool> {
        let conditions = self.conditions.iter();
        conditions
            .map(|condition| self.truth(condition, choice))
            .collect()
    }

    fn positions_of(&self, keys: &BTreeSet<VariableKey>) -> BTreeSet<usize> {
        let variables = self.variables.as_slice().iter().enumerate();
        let of_keys = variables.filter(|(_, variable)| keys.contains(&variable.key));
        of_keys.map(|(position, _)| position).collect()
    }

    /// Returns the choice if the templates' rules allow it, or one near it that they allow, with
    /// the same values at some positions.
    fn allowed(&self, mut choice: Choice, kept: &[usize]) -> Option<Choice> {
        for _ in 0..MAX_CHANGES {
            let broken = self.broken_rules(&choice);
            if broken.is_empty() {
                return Some(choice);
            }
            let (position, value) = self.nearest(&choice, &broken, kept)?;
            set(&mut choice, position, value);
        }
        None
    }

    /// Returns the one other value that brings the choice nearest to what the rules allow, if any
    /// brings it nearer.
    fn nearest(&self, choice: &Choice, broken: &[Broken], kept: &[usize]) -> Option<(usize, usize)> {
        let compared = broken.iter().filter_map(|(rule, _)| self.rules.get(*rule));
        let positions: BTreeSet<usize> = compared.flat_map(|rule| rule.positions.iter().copied()).collect();
        let mut bound: usize = broken.iter().map(|(_, distance)| distance).sum();
        let mut nearest = None;
        for position in positions.into_iter().filter(|position| !kept.contains(position)) {
            let comparing = self.rules_by_position.get(position);
            let comparing = comparing.map(Vec::as_slice).unwrap_or_default();
            let others = broken.iter().filter(|(rule, _)| !comparing.contains(rule));
            let others: usize = others.map(|(_, distance)| distance).sum();
            let mut other = choice.clone();
            for value in 0..self.variables.count_of_values(position) {
                set(&mut other, position, value);
                let rules = comparing.iter().filter_map(|rule| self.rules.get(*rule));
                let distance = others + rules.map(|rule| self.distance(rule, &other)).sum::<usize>();
                if distance < bound {
                    bound = distance;
                    nearest = Some((position, value));
                }
            }
        }
        nearest
    }

    fn broken_rules(&self, choice: &Choice) -> Vec<Broken> {
        let distances = self.rules.iter().map(|rule| self.distance(rule, choice));
        distances
            .enumerate()
            .filter(|(_, distance)| *distance > 0)
            .collect()
    }

    fn questions(&self, choice: &Choice) -> BTreeSet<String> {
        let evaluation = self.evaluation(choice);
        for condition in &self.conditions {
            if let Some(scope) = evaluation.scope(condition.index) {
                scope.condition(&condition.name);
            }
        }
        evaluation.asked.take()
    }

    /// Returns the choice in which everything has a value that is not known, if it can have one.
    fn unknowns(&self) -> Choice {
        let variables = self.variables.as_slice().iter();
        variables
            .map(|variable| {
                let mut values = variable.values.iter();
                values.position(|value| text::is_unknown(value)).unwrap_or(0)
            })
            .collect()
    }

    fn default(&self) -> Choice {
        vec![0; self.variables.as_slice().len()]
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
            if self.allows(&without) && self.look(&without).1.findings.contains(finding) {
                needed = without;
            }
        }
        let variables = self.variables.as_slice().iter().zip(&needed);
        let variables = variables.filter(|(_, value)| **value != 0);
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
    const COMBINATIONS: usize = 600;

    #[test]
    fn our_template_is_clean_under_arbitrary_combinations_of_its_options() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let programs = Program::all_of(vec![(path.display().to_string(), template)], &BTreeMap::new());
        let examiner = Examiner::new(&programs[0]);
        assert!(
            examiner.variables.as_slice().len() > 12,
            "{:?}",
            examiner.variables
        );
        let mut random = Random(7);
        let mut looked_at = 0;
        while looked_at < COMBINATIONS {
            let sizes = examiner
                .variables
                .as_slice()
                .iter()
                .map(|variable| variable.values.len());
            let choice: Choice = sizes.map(|size| random.below(size)).collect();
            // A listener elsewhere is one that no file describes.
            let elsewhere = |variable: &Variable| matches!(&variable.key, VariableKey::Parameter(0, name) if name == "ListenerArn");
            let listener = examiner.variables.as_slice().iter().position(elsewhere).unwrap();
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
            .position(|condition| condition.name == "All")
            .unwrap();
        let is_all = |choice: &Choice| examiner.truths(choice)[all];
        assert!(combinations.iter().any(is_all));
        assert!(!combinations.iter().all(is_all));
    }
}
