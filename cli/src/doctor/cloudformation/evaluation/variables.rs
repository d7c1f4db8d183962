//! Free variables of a program, and the values that were chosen for them.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VariableKey {
    /// By its template.
    Parameter(usize, String),
    Pseudo(String),
    /// A question that the templates do not answer.
    Equality(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) key: VariableKey,
    /// The default comes first.
    pub(crate) values: Vec<String>,
    /// True where a condition depends on it.
    pub(crate) decides: bool,
}

/// The variables of a program by their positions, and the positions by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    list: Vec<Variable>,
    /// By template.
    parameters: BTreeMap<usize, BTreeMap<String, usize>>,
    pseudo: BTreeMap<String, usize>,
    equalities: BTreeMap<String, usize>,
}

impl Variables {
    pub(crate) fn new(list: Vec<Variable>) -> Self {
        let mut variables = Self::default();
        for variable in list {
            variables.push(variable);
        }
        variables
    }

    /// Adds a variable, unless there is one of that key.
    pub(crate) fn push(&mut self, variable: Variable) {
        let names = match &variable.key {
            VariableKey::Parameter(index, _) => self.parameters.entry(*index).or_default(),
            VariableKey::Pseudo(_) => &mut self.pseudo,
            VariableKey::Equality(_) => &mut self.equalities,
        };
        let (VariableKey::Parameter(_, name) | VariableKey::Pseudo(name) | VariableKey::Equality(name)) =
            &variable.key;
        if !names.contains_key(name) {
            names.insert(name.clone(), self.list.len());
            self.list.push(variable);
        }
    }

    pub(crate) fn as_slice(&self) -> &[Variable] {
        &self.list
    }

    /// Returns the number of values of the variable at a position.
    pub(crate) fn count_of_values(&self, position: usize) -> usize {
        self.list
            .get(position)
            .map_or(1, |variable| variable.values.len())
    }

    pub(crate) fn parameter(&self, index: usize, name: &str) -> Option<usize> {
        self.parameters.get(&index)?.get(name).copied()
    }

    pub(crate) fn pseudo(&self, name: &str) -> Option<usize> {
        self.pseudo.get(name).copied()
    }

    pub(crate) fn equality(&self, question: &str) -> Option<usize> {
        self.equalities.get(question).copied()
    }
}

/// A value of each variable, by its position.
pub(crate) type Choice = Vec<usize>;

/// Most results that a table keeps.
const MAX_RESULTS: usize = 65_536;

/// Results of one computation by the values of the variables that it has read so far.
///
/// Another choice with the same values of these makes the computation take the same way, so that it
/// reads nothing else and has the same result.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    /// Each with the number of results from one of its values to the next.
    positions: Vec<(usize, usize)>,
    results: Vec<Option<T>>,
}

impl<T: Clone> Table<T> {
    pub(crate) const fn new() -> Self {
        Self {
            positions: Vec::new(),
            results: Vec::new(),
        }
    }

    pub(crate) fn get(&self, choice: &[usize]) -> Option<&T> {
        self.results.get(self.index(choice))?.as_ref()
    }

    /// Adds a result of a computation that has read the variables at some positions; there is no
    /// room for one of very many variables, which is computed each time.
    pub(crate) fn insert(&mut self, variables: &Variables, choice: &[usize], read: &[usize], result: T) {
        let known = self.positions.len();
        for position in read {
            if self.positions.iter().all(|(own, _)| own != position) {
                self.positions.push((*position, 0));
            }
        }
        if self.positions.len() != known || self.results.is_empty() {
            let mut size = 1_usize;
            for (position, stride) in &mut self.positions {
                *stride = size;
                size = size.saturating_mul(variables.count_of_values(*position));
            }
            let size = match size <= MAX_RESULTS {
                true => size,
                false => 0,
            };
            self.results = vec![None; size];
        }
        let index = self.index(choice);
        if let Some(slot) = self.results.get_mut(index) {
            *slot = Some(result);
        }
    }

    fn index(&self, choice: &[usize]) -> usize {
        let mut index = 0_usize;
        for (position, stride) in &self.positions {
            let value = choice.get(*position).copied().unwrap_or_default();
            index = index.saturating_add(value.saturating_mul(*stride));
        }
        index
    }
}
