//! Chooses the worlds of a program that are looked at, and collects what is found in them.

mod atoms;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::checks::{self, Finding, Outcome};
use super::facts::{Deployment, Unread};
use super::program::Program;
use super::template;
use super::world::{Evaluation, World};
use atoms::{Atom, Key};

/// Up to so many combinations of values all are looked at; each takes about a millisecond.
const EXHAUSTIVE: usize = 192;

/// Most worlds beyond which only single values are tried: a template that needs more is looked at in seconds still.
const MAX_WORLDS: usize = 600;

/// Arbitrary combinations among which those are picked that show three conditions as no other has shown them.
const CANDIDATES: usize = 1_500;

/// Picked ones at most.
const MAX_PICKED: usize = 96;

/// Most combinations of the values that one condition, or two, depend on.
const MAX_DIRECTED: usize = 2_048;

/// Combinations that are tried for conditions that no arbitrary one shows: a second or so, however many conditions.
const MAX_TRIED: usize = 40_000;

/// Arbitrary combinations in a row that show nothing new, after which there are no more.
const MAX_USELESS: usize = 300;

/// The outcome for a program over all of its worlds.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// With the values that it takes; none where it is so by default.
    pub(super) findings: BTreeMap<Finding, Vec<String>>,
    pub(super) unread: BTreeSet<Unread>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) worlds: usize,
    /// True where every combination of values was looked at.
    pub(super) is_exhaustive: bool,
}

/// Looks at a program in every world that can be told apart, or in a bounded choice of them.
pub(super) fn judge(program: &Program) -> Judgement {
    let mut judge = Judge::new(program);
    let worlds = judge.worlds();
    let mut judgement = Judgement {
        is_exhaustive: judge.is_exhaustive,
        ..Judgement::default()
    };
    for choice in worlds {
        let (deployment, outcome) = judge.look(&choice);
        judgement.worlds += 1;
        for finding in outcome.findings {
            if let Entry::Vacant(entry) = judgement.findings.entry(finding) {
                let when = judge.reason(&choice, entry.key());
                entry.insert(when);
            }
        }
        judgement.unread.extend(outcome.unread);
        judgement.deployments.push(deployment);
    }
    judgement
}

/// A value of each atom, by its position.
type Choice = Vec<usize>;

struct Judge<'a> {
    program: &'a Program,
    atoms: Vec<Atom>,
    /// Conditions that decide about something, by template.
    conditions: Vec<(usize, String)>,
    is_exhaustive: bool,
}

impl<'a> Judge<'a> {
    fn new(program: &'a Program) -> Self {
        let (atoms, conditions) = atoms::of(program);
        let mut judge = Self {
            program,
            atoms,
            conditions,
            is_exhaustive: true,
        };
        // Equalities that nothing decides can be either; deciding one may show another.
        for _ in 0..3 {
            let known = judge.atoms.len();
            let mut asked = BTreeSet::new();
            for choice in judge.singles() {
                asked.extend(judge.questions(&choice));
            }
            judge.add_questions(asked);
            if judge.atoms.len() == known {
                break;
            }
        }
        judge
    }

    fn add_questions(&mut self, asked: BTreeSet<String>) {
        for question in asked {
            let key = Key::Equality(question);
            if self.atoms.iter().all(|atom| atom.key != key) {
                self.atoms.push(Atom {
                    key,
                    values: vec!["false".to_owned(), "true".to_owned()],
                    decides: true,
                });
            }
        }
    }

    fn world(&self, choice: &Choice) -> World {
        let mut world = World::default();
        for (atom, chosen) in self.atoms.iter().zip(choice) {
            let value = atom.values.get(*chosen).cloned().unwrap_or_default();
            match &atom.key {
                Key::Parameter(index, name) => {
                    world.parameters.insert((*index, name.clone()), value);
                }
                Key::Pseudo(name) => {
                    world.pseudo.insert(name.clone(), value);
                }
                Key::Equality(question) => {
                    world.equalities.insert(question.clone(), value == "true");
                }
            }
        }
        world
    }

    fn look(&self, choice: &Choice) -> (Deployment, Outcome) {
        let world = self.world(choice);
        let deployment = template::read(self.program, &Evaluation::new(self.program, &world));
        let outcome = checks::all(&deployment);
        (deployment, outcome)
    }

    /// Returns the truth of each condition, unless the template's rules exclude the choice.
    fn truths(&self, choice: &Choice) -> Option<Vec<bool>> {
        let world = self.world(choice);
        let evaluation = Evaluation::new(self.program, &world);
        if !evaluation.is_deployable() {
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

    fn questions(&self, choice: &Choice) -> BTreeSet<String> {
        let world = self.world(choice);
        let evaluation = Evaluation::new(self.program, &world);
        for (index, name) in &self.conditions {
            if let Some(scope) = evaluation.scope(*index) {
                scope.condition(name);
            }
        }
        evaluation.asked.take()
    }

    fn default(&self) -> Choice {
        vec![0; self.atoms.len()]
    }

    /// Returns the defaults, and each other value alone.
    fn singles(&self) -> Vec<Choice> {
        let mut choices = vec![self.default()];
        for (position, atom) in self.atoms.iter().enumerate() {
            for value in 1..atom.values.len() {
                let mut choice = self.default();
                set(&mut choice, position, value);
                choices.push(choice);
            }
        }
        choices
    }

    fn worlds(&mut self) -> Vec<Choice> {
        let sizes = self.atoms.iter().map(|atom| atom.values.len());
        let all = sizes.fold(1_usize, |product, size| product.saturating_mul(size));
        let mut choices = match all <= EXHAUSTIVE {
            true => product(
                &self.atoms,
                &(0..self.atoms.len()).collect::<Vec<_>>(),
                &self.default(),
            ),
            false => {
                self.is_exhaustive = false;
                self.bounded()
            }
        };
        choices.retain(|choice| self.truths(choice).is_some());
        // Those with the fewest values that are not the defaults explain themselves best.
        choices.sort_by_key(|choice| choice.iter().filter(|value| **value != 0).count());
        choices.dedup();
        if choices.is_empty() {
            // Rules that no value fits: what is written is looked at all the same.
            choices.push(self.default());
        }
        choices
    }

    /// Returns the values one by one; each condition, and each two of them, in every way; and combinations until three
    /// conditions have been seen in every way that was come across.
    fn bounded(&self) -> Vec<Choice> {
        let mut choices = self.singles();
        choices.truncate(MAX_WORLDS);
        let mut seen = BTreeSet::new();
        for choice in &choices {
            self.note(choice, &mut seen);
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut useless = 0;
        for _ in 0..CANDIDATES {
            if useless > MAX_USELESS || choices.len() >= MAX_WORLDS || seen.len() > MAX_PICKED * 4_096 {
                break;
            }
            let mut choice = self.default();
            for (position, atom) in self.atoms.iter().enumerate() {
                set(&mut choice, position, random.below(atom.values.len()));
            }
            useless += 1;
            if self.note(&choice, &mut seen) {
                choices.push(choice);
                useless = 0;
            }
        }
        self.directed(&mut choices, &mut seen);
        choices
    }

    /// Adds what no arbitrary combination shows: a condition of many values that must all be right.
    fn directed(&self, choices: &mut Vec<Choice>, seen: &mut BTreeSet<Seen>) {
        let count = self.conditions.len();
        let mut tried = 0;
        for first in 0..count {
            for second in first..count {
                let mut positions = self.atoms_of(first);
                positions.extend(self.atoms_of(second));
                let positions: Vec<usize> = positions.into_iter().collect();
                let size = size(&self.atoms, &positions);
                if choices.len() >= MAX_WORLDS || size > MAX_DIRECTED || tried + size > MAX_TRIED {
                    continue;
                }
                if [(true, true), (true, false), (false, true), (false, false)]
                    .iter()
                    .all(|truth| seen.contains(&Seen::Pair(first, second, truth.0, truth.1)))
                {
                    continue;
                }
                tried += size;
                for choice in product(&self.atoms, &positions, &self.default()) {
                    let Some(truths) = self.truths(&choice) else {
                        continue;
                    };
                    let (Some(one), Some(other)) = (truths.get(first), truths.get(second)) else {
                        continue;
                    };
                    if !seen.contains(&Seen::Pair(first, second, *one, *other)) {
                        self.note(&choice, seen);
                        choices.push(choice);
                    }
                }
            }
        }
    }

    /// Returns the positions of the atoms that a condition depends on.
    fn atoms_of(&self, condition: usize) -> BTreeSet<usize> {
        let Some((index, name)) = self.conditions.get(condition) else {
            return BTreeSet::new();
        };
        let keys = atoms::of_condition(self.program, *index, name);
        positions(&self.atoms, |atom| {
            keys.contains(&atom.key) || matches!(atom.key, Key::Equality(_))
        })
        .into_iter()
        .collect()
    }

    /// Notes what a choice shows of three conditions; returns whether any of it is new.
    fn note(&self, choice: &Choice, seen: &mut BTreeSet<Seen>) -> bool {
        let Some(truths) = self.truths(choice) else {
            return false;
        };
        let before = seen.len();
        for (position, (atom, value)) in self.atoms.iter().zip(choice).enumerate() {
            // A value that no condition depends on can be a hole in what one makes.
            let others = truths.iter().enumerate().filter(|_| !atom.decides);
            seen.extend(others.map(|(condition, truth)| Seen::Value(condition, *truth, position, *value)));
        }
        // Of very many conditions two at a time are enough to go through.
        let with_triples = truths.len() <= 24;
        for (first, one) in truths.iter().enumerate() {
            for (second, other) in truths.iter().enumerate().skip(first) {
                seen.insert(Seen::Pair(first, second, *one, *other));
                let thirds = truths
                    .iter()
                    .enumerate()
                    .skip(second + 1)
                    .filter(|_| with_triples);
                for (third, last) in thirds {
                    seen.insert(Seen::Triple([first, second, third], [*one, *other, *last]));
                }
            }
        }
        seen.len() > before
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
        let atoms = self.atoms.iter().zip(&needed).filter(|(_, value)| **value != 0);
        atoms.map(|(atom, value)| self.said(atom, *value)).collect()
    }

    fn said(&self, atom: &Atom, value: usize) -> String {
        let value = atom.values.get(value).map(String::as_str).unwrap_or_default();
        match &atom.key {
            Key::Parameter(index, name) => {
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
            Key::Pseudo(name) if value.contains("${") => format!("another {name}"),
            Key::Pseudo(name) => format!("{name}={value}"),
            Key::Equality(question) => super::text::shown(question),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Pair(usize, usize, bool, bool),
    Value(usize, bool, usize, usize),
    Triple([usize; 3], [bool; 3]),
}

fn positions(atoms: &[Atom], wanted: impl Fn(&Atom) -> bool) -> Vec<usize> {
    let atoms = atoms.iter().enumerate();
    atoms
        .filter(|(_, atom)| wanted(atom))
        .map(|(position, _)| position)
        .collect()
}

fn size(atoms: &[Atom], positions: &[usize]) -> usize {
    let sizes = positions.iter().filter_map(|position| atoms.get(*position));
    sizes.fold(1, |product: usize, atom| {
        product.saturating_mul(atom.values.len())
    })
}

/// Returns every combination of the values of some atoms, with the others as in `base`.
fn product(atoms: &[Atom], positions: &[usize], base: &Choice) -> Vec<Choice> {
    let mut choices = vec![base.clone()];
    for position in positions {
        let count = atoms.get(*position).map_or(1, |atom| atom.values.len());
        choices = choices
            .iter()
            .flat_map(|choice| {
                (0..count).map(move |value| {
                    let mut choice = choice.clone();
                    set(&mut choice, *position, value);
                    choice
                })
            })
            .collect();
    }
    choices
}

fn set(choice: &mut Choice, position: usize, value: usize) {
    if let Some(slot) = choice.get_mut(position) {
        *slot = value;
    }
}

/// Numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number)
            .unwrap_or(0)
            .checked_rem(bound)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::doctor::rules::{self, Severity};
    use crate::doctor::yaml;

    /// Combinations of the options of our template that are looked at, of some ten thousand.
    const COMBINATIONS: usize = 150;

    #[test]
    fn our_template_is_clean_under_arbitrary_combinations_of_its_options() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = yaml::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let programs = Program::all_of(vec![("template.yaml".to_owned(), template)], &BTreeMap::new());
        let judge = Judge::new(&programs[0]);
        assert!(judge.atoms.len() > 12, "{:?}", judge.atoms);
        let mut random = Random(7);
        let mut looked_at = 0;
        while looked_at < COMBINATIONS {
            let sizes = judge.atoms.iter().map(|atom| atom.values.len());
            let choice: Choice = sizes.map(|size| random.below(size)).collect();
            if judge.truths(&choice).is_none() {
                continue;
            }
            looked_at += 1;
            let (_, outcome) = judge.look(&choice);
            let mut findings = outcome.findings.iter();
            let is_chosen = |finding: &Finding| finding.rule.id == rules::MODE_REPORT.id;
            assert!(
                findings.all(|finding| is_chosen(finding) || finding.rule.severity == Severity::Advice),
                "{choice:?}: {:?}",
                outcome.findings
            );
            assert!(outcome.unread.is_empty(), "{choice:?}: {:?}", outcome.unread);
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
        let mut judge = Judge::new(&programs[0]);
        let worlds = judge.worlds();
        assert!(!judge.is_exhaustive);
        let all = judge
            .conditions
            .iter()
            .position(|(_, name)| name == "All")
            .unwrap();
        let is_all = |choice: &Choice| judge.truths(choice).is_some_and(|truths| truths[all]);
        assert!(worlds.iter().any(is_all));
        assert!(!worlds.iter().all(is_all));
    }
}
